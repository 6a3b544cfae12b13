/* What the conversion for the target changes: each definition is asked for and converted once, and
 * the items pick their parts of what it says. */
#include "check/check_inner.h"

#include "common/schema/read.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void note_add(struct definitions *d, const struct table *t, const struct change *change)
{
    struct strbuf text = {0};
    struct definition_note *n;

    strbuf_addf(&text, "%s.%s", t->db, t->name);
    if (*change->name)
        strbuf_addf(&text, ".%s", change->name);
    if (*change->was || *change->is)
        strbuf_addf(&text, ": %s -> %s", *change->was ? change->was : "(nothing)",
                    *change->is ? change->is : "(nothing)");
    strbuf_addf(&text, ": %s", change->meaning);
    if (d->count == d->room) {
        d->room = d->room ? d->room * 2 : 64;
        d->notes = xreallocarray(d->notes, d->room, sizeof(*d->notes));
    }
    n = &d->notes[d->count++];
    *n = (struct definition_note){.severity = change->severity,
                                  .part = change->part,
                                  .text = arena_strdup(d->arena, strbuf_str(&text))};
    strbuf_release(&text);
}

static const char *database_collation(const struct schema *s, const char *db)
{
    for (size_t i = 0; i < s->database_count; i++)
        if (strcmp(s->databases[i].name, db) == 0)
            return s->databases[i].collation;
    return NULL;
}

static void unread(struct definitions *d, const struct table *t, const struct err *why)
{
    const struct change change = {.severity = CHANGE_WARNING,
                                  .part = PART_OBJECT,
                                  .name = "",
                                  .was = "",
                                  .is = "",
                                  .meaning = why->msg};

    note_add(d, t, &change);
}

static enum err_code definition_read(struct check *c, const struct table *t, struct err *err)
{
    const struct check_side *s = &c->side[SOURCE];
    const struct check_side *to = &c->side[TARGET];
    const struct convert_params params = {
        .source = &s->flavour,
        .target = &to->flavour,
        .key_collation =
            c->config->key_collation_nearest ? KEY_COLLATION_NEAREST : KEY_COLLATION_SAFE,
        .max_key_bytes = to->limits.max_key_bytes,
        .max_keys = to->limits.max_keys,
        .max_columns = to->limits.max_columns,
        .database_collation = database_collation(s->schema, t->db)};
    struct converted out = {0};
    struct err why = ERR_INIT;
    char *sql = NULL;

    c->definitions.looked_at++;
    if (schema_create_table(s->conn, t, &sql, &why) && !conn_usable(s->conn)) {
        *err = why;
        return err->code;
    }
    if (!sql || convert_definition(sql,
                                   t->kind == TABLE_VIEW       ? OBJECT_VIEW
                                   : t->kind == TABLE_SEQUENCE ? OBJECT_SEQUENCE
                                                               : OBJECT_TABLE,
                                   &params, &out, &why))
        unread(&c->definitions, t, &why);
    for (size_t i = 0; i < out.change_count; i++)
        if (out.changes[i].severity > CHANGE_INFO)
            note_add(&c->definitions, t, &out.changes[i]);
    converted_release(&out);
    free(sql);
    return ERR_OK;
}

enum err_code definitions_read(struct check *c, struct err *err)
{
    const struct schema *s = c->side[SOURCE].schema;
    const size_t max = c->config->max_definitions;
    struct definitions *d = &c->definitions;

    if (d->done)
        return ERR_OK;
    d->arena = arena_new();
    for (size_t i = 0; i < s->table_count; i++) {
        if ((max && d->looked_at == max) ||
            (c->config->cancel && cancel_asked(c->config->cancel))) {
            d->left = s->table_count - i;
            break;
        }
        if (definition_read(c, &s->tables[i], err))
            return err_wrap(err, "%s.%s", s->tables[i].db, s->tables[i].name);
    }
    d->done = true;
    return ERR_OK;
}

/* `parts`: bits of enum change_part. */
static enum err_code pick(struct check *c, struct check_outcome *o, unsigned parts, struct err *err)
{
    enum change_severity worst = CHANGE_INFO;

    if (definitions_read(c, err))
        return err->code;
    for (size_t i = 0; i < c->definitions.count; i++) {
        const struct definition_note *n = &c->definitions.notes[i];

        if (!(parts & 1U << n->part))
            continue;
        list(o, "%s: %s", change_severity_name(n->severity), n->text);
        worst = n->severity > worst ? n->severity : worst;
    }
    say(o,
        worst == CHANGE_REFUSED ? CHECK_FAILED
        : worst > CHANGE_INFO   ? CHECK_WARNING
                                : CHECK_PASSED,
        "%" PRIu64 " changes that mean something, in %zu definitions", o->objects,
        c->definitions.looked_at);
    if (c->definitions.left) {
        say(o, CHECK_WARNING, "%zu definitions were not looked at", c->definitions.left);
        mend(o, "ferry check --max-definitions 0   -- looks at all");
    }
    if (worst == CHANGE_REFUSED)
        mend(o, "change it on the source, create the table on the target by hand, or leave it out "
                "with --filter");
    else if (worst > CHANGE_INFO)
        mend(o, "ferry load --convert report   -- prints all changes and does nothing");
    return ERR_OK;
}

enum err_code check_def_columns(struct check *c, struct check_outcome *o, struct err *err)
{
    return pick(c, o, 1U << PART_COLUMN, err);
}

enum err_code check_def_keys(struct check *c, struct check_outcome *o, struct err *err)
{
    return pick(c, o, 1U << PART_KEY, err);
}

enum err_code check_def_foreign_keys(struct check *c, struct check_outcome *o, struct err *err)
{
    return pick(c, o, 1U << PART_FOREIGN_KEY, err);
}

enum err_code check_def_others(struct check *c, struct check_outcome *o, struct err *err)
{
    return pick(c, o,
                1U << PART_CHECK | 1U << PART_OPTION | 1U << PART_PARTITION | 1U << PART_EXPRESSION,
                err);
}

enum err_code check_def_objects(struct check *c, struct check_outcome *o, struct err *err)
{
    return pick(c, o, 1U << PART_OBJECT | 1U << PART_DEFINER, err);
}
