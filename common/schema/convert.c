#include "common/mysql/ident.h"
#include "common/schema/convert_inner.h"

#include <stdarg.h>
#include <stdio.h>

const char *change_severity_name(enum change_severity s)
{
    static const char *const names[] = {"info", "warning", "loss", "refused"};

    return names[s];
}

const char *change_part_name(enum change_part p)
{
    static const char *const names[] = {"object", "column",    "key",        "foreign key", "check",
                                        "option", "partition", "expression", "definer"};

    return names[p];
}

void converted_release(struct converted *out)
{
    arena_free(out->arena);
    *out = (struct converted){0};
}

const char *convert_keep(struct converter *c, const struct strbuf *sb)
{
    return arena_memdup(c->out->arena, strbuf_str(sb), sb->len);
}

void convert_say(struct converter *c, struct convert_note note, const char *meaning, ...)
{
    struct converted *out = c->out;
    char words[600]; /* longer ones are cut */
    struct change *changes;
    va_list args;

    va_start(args, meaning);
    (void)vsnprintf(words, sizeof words, meaning, args);
    va_end(args);
    if (out->change_count == c->change_room) {
        c->change_room = c->change_room ? c->change_room * 2 : 16;
        changes = arena_alloc(out->arena, c->change_room * sizeof *changes);
        if (out->change_count > 0)
            memcpy(changes, out->changes, out->change_count * sizeof *changes);
        out->changes = changes;
    }
    out->changes[out->change_count++] = (struct change){.severity = note.severity,
                                                        .part = note.part,
                                                        .name = note.name ? note.name : "",
                                                        .was = note.was ? note.was : "",
                                                        .is = note.is ? note.is : "",
                                                        .meaning = arena_strdup(out->arena, words)};
    out->refused |= note.severity == CHANGE_REFUSED;
}

void convert_drop(struct converter *c, struct ddl_span span, struct convert_note note,
                  const char *meaning)
{
    if (!note.was)
        note.was = ddl_source(&c->d, span);
    convert_say(c, note, "%s", meaning);
    ddl_remove(&c->d, span);
}

void convert_comment(struct converter *c, struct convert_note note, size_t value, size_t limit)
{
    struct strbuf text = {0};
    const char *comment;
    size_t len;

    if (c->to != VENDOR_TIDB || ddl_token(&c->d, value)->kind != TOKEN_STRING)
        return;
    comment = ddl_value(&c->d, value);
    len = strlen(comment);
    if (len <= limit)
        return;
    for (len = limit; len > 0 && ((unsigned char)comment[len] & 0xc0) == 0x80;)
        len--;
    strbuf_add_quoted(&text, comment, len);
    note.was = ddl_source(&c->d, (struct ddl_span){value, value + 1});
    note.is = convert_keep(c, &text);
    convert_say(c, note, "TiDB takes %zu bytes of comment: the rest is cut off", limit);
    ddl_replace(&c->d, (struct ddl_span){value, value + 1}, note.is);
    strbuf_release(&text);
}

/* ---- definers ---- */

/* DEFINER = user[@host] before token `end`; empty: none. */
static struct ddl_span convert_definer_find(const struct ddl_text *d, size_t end)
{
    for (size_t i = 0; i < end; i++) {
        size_t at = i + 2;

        if (!ddl_is(d, i, "DEFINER") || !ddl_is(d, i + 1, "="))
            continue;
        at++; /* the user, or CURRENT_USER */
        if (ddl_is(d, at, "@") || ddl_is(d, at, "("))
            at += 2;
        return (struct ddl_span){i, at < d->count ? at : d->count};
    }
    return (struct ddl_span){0, 0};
}

static void convert_definer(struct converter *c, size_t end)
{
    const struct ddl_span span = convert_definer_find(&c->d, end);
    struct convert_note note = {
        .severity = CHANGE_WARNING, .part = PART_DEFINER, .name = "DEFINER"};
    struct strbuf is = {0};

    if (span.end == 0 || c->p->definers == DEFINER_KEEP)
        return;
    note.was = ddl_source(&c->d, span);
    if (c->p->definers == DEFINER_STRIP) {
        convert_drop(c, span, note, "the account that loads becomes the definer");
        return;
    }
    strbuf_addf(&is, "DEFINER=%s", c->p->definer);
    note.is = convert_keep(c, &is);
    strbuf_release(&is);
    convert_say(c, note, "the definer is replaced as asked for");
    ddl_replace(&c->d, span, note.is);
}

/* ---- objects that are no tables ---- */

/* The first of the words at or behind `from`; count: none. */
static size_t convert_find(const struct ddl_text *d, size_t from, const char *const *words,
                           size_t count)
{
    for (size_t i = from; i < d->count; i++)
        for (size_t w = 0; w < count; w++)
            if (ddl_is(d, i, words[w]))
                return i;
    return d->count;
}

static enum err_code convert_database(struct converter *c, struct err *err)
{
    struct ddl_text *d = &c->d;
    struct ddl_option *options;
    size_t count;
    size_t at = 1;

    if (!ddl_is(d, 0, "CREATE") || (!ddl_is(d, 1, "DATABASE") && !ddl_is(d, 1, "SCHEMA")))
        return ddl_unexpected(d, 0, "CREATE DATABASE", err);
    at = 2 + ddl_words(d, 2, "IF NOT EXISTS");
    if (!token_is_name(ddl_token(d, at)))
        return ddl_unexpected(d, at, "CREATE DATABASE", err);
    at++;
    if (ddl_options_parse(d, &at, &options, &count, err))
        return err->code;
    c->t.options = options;
    c->t.option_count = count;
    convert_table_collation(c);
    convert_options(c, options, count);
    return ERR_OK;
}

static enum err_code convert_view(struct converter *c, struct err *err)
{
    static const char *const words[] = {"VIEW"};
    const size_t view = convert_find(&c->d, 0, words, 1);
    const struct ddl_span body = {view + 1, c->d.count};
    const char *lacking = NULL;

    if (view == c->d.count || !ddl_is(&c->d, 0, "CREATE"))
        return ddl_unexpected(&c->d, c->d.count, "CREATE VIEW", err);
    convert_definer(c, view);
    convert_expression(c, body, "", &lacking);
    if (lacking)
        convert_say(c, (struct convert_note){.severity = CHANGE_REFUSED, .was = lacking},
                    "%s has no %s, so it cannot have this view", vendor_name(c->to), lacking);
    return ERR_OK;
}

static enum err_code convert_program(struct converter *c, struct err *err)
{
    static const char *const words[] = {"TRIGGER", "PROCEDURE", "FUNCTION", "EVENT", "PACKAGE"};
    const size_t begin = convert_find(&c->d, 0, words, sizeof words / sizeof *words);
    const char *lacking = NULL;

    if (!ddl_is(&c->d, 0, "CREATE") || begin == c->d.count)
        return ddl_unexpected(&c->d, 0, "CREATE TRIGGER, PROCEDURE, FUNCTION or EVENT", err);
    if (c->to == VENDOR_TIDB) {
        convert_say(c, (struct convert_note){.severity = CHANGE_REFUSED},
                    "TiDB runs no triggers, routines and events: what this does must move into the "
                    "application");
        return ERR_OK;
    }
    convert_definer(c, begin);
    convert_expression(c, (struct ddl_span){begin, c->d.count}, "", &lacking);
    if (lacking)
        convert_say(c, (struct convert_note){.severity = CHANGE_WARNING, .was = lacking},
                    "%s has no %s", vendor_name(c->to), lacking);
    return ERR_OK;
}

static void convert_sequence_option(struct converter *c, const struct ddl_option *o)
{
    struct ddl_text *d = &c->d;
    struct convert_note note = {.severity = CHANGE_INFO, .part = PART_OPTION, .name = o->name};

    if (o->value == DDL_NONE)
        return;
    note.was = ddl_source(d, o->span);
    if (strcmp(o->name, "ENGINE") == 0) {
        convert_drop(c, o->span, note, "TiDB has no engines");
    } else if (strcmp(o->name, "CACHE") == 0 && strcmp(ddl_value(d, o->value), "0") == 0) {
        note.is = "nocache";
        convert_say(c, note, "TiDB's spelling");
        ddl_replace(d, o->span, note.is);
    } else if (strcmp(o->name, "INCREMENT") == 0 && strcmp(ddl_value(d, o->value), "0") == 0) {
        note.severity = CHANGE_WARNING;
        note.is = "increment by 1";
        convert_say(c, note,
                    "the server's auto_increment_increment counted; from now on it counts by 1");
        ddl_replace(d, o->span, note.is);
    }
}

static enum err_code convert_sequence(struct converter *c, struct err *err)
{
    struct ddl_text *d = &c->d;
    struct ddl_option *options;
    size_t count;
    size_t at = 1 + ddl_words(d, 1, "OR REPLACE");

    if (!ddl_is(d, 0, "CREATE") || !ddl_is(d, at, "SEQUENCE"))
        return ddl_unexpected(d, at, "CREATE SEQUENCE", err);
    at++;
    at += ddl_words(d, at, "IF NOT EXISTS");
    for (at++; ddl_is(d, at, "."); at += 2)
        continue;
    if (c->to == VENDOR_MYSQL) {
        convert_say(c, (struct convert_note){.severity = CHANGE_REFUSED}, "MySQL has no sequences");
        return ERR_OK;
    }
    if (c->to == VENDOR_TIDB && ddl_is(d, at, "AS")) {
        const struct ddl_span type = {at, at + 2 + ddl_is(d, at + 2, "UNSIGNED")};

        convert_drop(c, type,
                     (struct convert_note){.severity = CHANGE_WARNING, .part = PART_OPTION},
                     "TiDB's sequences are BIGINT");
        at = type.end;
    }
    if (ddl_options_parse(d, &at, &options, &count, err))
        return err->code;
    for (size_t i = 0; c->to == VENDOR_TIDB && i < count; i++)
        convert_sequence_option(c, &options[i]);
    return ERR_OK;
}

/* ---- one statement ---- */

/* The ";" at the end goes; what holds statements keeps its own. */
static void convert_terminator(struct converter *c, enum object_kind kind)
{
    size_t end = c->d.count;

    if (kind == OBJECT_TRIGGER || kind == OBJECT_ROUTINE || kind == OBJECT_EVENT)
        return;
    for (; end > 0 && ddl_is(&c->d, end - 1, ";"); end--)
        ddl_remove(&c->d, (struct ddl_span){end - 1, end});
}

static enum err_code convert_object(struct converter *c, enum object_kind kind, struct err *err)
{
    switch (kind) {
    case OBJECT_DATABASE:
        return convert_database(c, err);
    case OBJECT_TABLE:
        return convert_table(c, err);
    case OBJECT_VIEW:
        return convert_view(c, err);
    case OBJECT_SEQUENCE:
        return convert_sequence(c, err);
    case OBJECT_TRIGGER:
    case OBJECT_ROUTINE:
    case OBJECT_EVENT:
        return convert_program(c, err);
    default:
        return err_set(err, ERR_INTERNAL, "no such kind of object: %d", (int)kind);
    }
}

enum err_code convert_definition(const char *sql, enum object_kind kind,
                                 const struct convert_params *p, struct converted *out,
                                 struct err *err)
{
    struct converter c = {.p = p,
                          .out = out,
                          .to = p->target->vendor,
                          .other_vendor = p->source->vendor != p->target->vendor};
    const struct ddl_target target = {.vendor = c.to, .same_vendor = !c.other_vendor};
    struct strbuf text = {0};
    enum err_code rc;

    *out = (struct converted){.arena = arena_new()};
    sql = arena_strdup(out->arena, sql);
    rc = ddl_text_init(&c.d, sql, p->source, out->arena, err);
    if (rc)
        goto out;
    rc = convert_object(&c, kind, err);
    if (rc)
        goto out;
    convert_terminator(&c, kind);
    ddl_write(&c.d, (struct ddl_span){0, c.d.count}, target, &text);
    while (text.len > 0 && (text.str[text.len - 1] == '\n' || text.str[text.len - 1] == ' '))
        strbuf_setlen(&text, text.len - 1);
    out->sql = convert_keep(&c, &text);
out:
    strbuf_release(&text);
    if (rc)
        converted_release(out);
    return rc;
}
