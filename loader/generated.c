/* Generated columns of tables that are there already: the target computes them, by its own
 * expression. Where that is not the dump's, the values will not be the source's, which is said; the
 * rows themselves are not touched by it.
 *
 * Servers print one expression in many ways. Compared are its words, names and literals, without
 * character sets before strings, quotes of names, letters' case and brackets. */
#include "loader/load_inner.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/schema/ddl_table.h"
#include "common/schema/read.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct generated_side {
    struct ddl_text d;
    struct ddl_table table;
};

static bool wants_look(const struct load_table *t)
{
    const struct table *model = &t->dump->model;

    if (t->create || t->clear == CLEAR_DROP || t->looked || !t->target || !t->dump->schema_file ||
        (t->known && (t->origin == TABLE_CREATING || t->origin == TABLE_CREATED)))
        return false;
    for (unsigned i = 0; i < model->column_count; i++)
        if (model->columns[i].generated != GENERATED_NO)
            return true;
    return false;
}

/* AS (expression) of the column; NULL: it has none. */
static const struct ddl_attr *generated_of(const struct generated_side *s, const char *column)
{
    for (size_t i = 0; i < s->table.item_count; i++) {
        const struct ddl_item *item = &s->table.items[i];

        if (item->kind == ITEM_COLUMN && strcasecmp(ddl_value(&s->d, item->name), column) == 0)
            return ddl_attr(item, ATTR_GENERATED);
    }
    return NULL;
}

static bool is_introducer(const struct ddl_text *d, size_t i)
{
    return ddl_token(d, i)->kind == TOKEN_WORD && ddl_value(d, i)[0] == '_' &&
           ddl_token(d, i + 1)->kind == TOKEN_STRING;
}

static void add_folded(struct strbuf *out, const char *word)
{
    strbuf_addch(out, ' ');
    for (; *word; word++)
        strbuf_addch(out, (char)(*word >= 'A' && *word <= 'Z' ? *word | 0x20 : *word));
}

/* What is compared of an expression; in the arena. */
static const char *plain_form(const struct ddl_text *d, struct ddl_span span)
{
    struct strbuf out = {0};
    const char *form;

    for (size_t i = span.first; i < span.end; i++) {
        const struct token *token = ddl_token(d, i);
        const char *value = ddl_value(d, i);

        if (ddl_is(d, i, "(") || ddl_is(d, i, ")") || is_introducer(d, i) ||
            ddl_is(d, i, "GENERATED") || ddl_is(d, i, "ALWAYS"))
            continue;
        if (token->kind == TOKEN_STRING)
            strbuf_addf(&out, "'%s", value);
        else
            add_folded(&out, value);
    }
    form = arena_memdup(d->arena, strbuf_str(&out), out.len);
    strbuf_release(&out);
    return form;
}

static enum err_code side_parse(struct generated_side *s, const struct load_run *run,
                                const char *sql, struct arena *arena, struct err *err)
{
    enum err_code rc = ddl_text_init(&s->d, sql, &run->flavour, arena, err);

    return rc ? rc : ddl_table_parse(&s->d, &s->table, err);
}

static void sides_compare(const struct load_table *t, const struct generated_side *dump,
                          const struct generated_side *target)
{
    const struct table *model = &t->dump->model;

    for (unsigned i = 0; i < model->column_count; i++) {
        const char *name = model->columns[i].name;
        const struct ddl_attr *was, *is;

        if (model->columns[i].generated == GENERATED_NO)
            continue;
        was = generated_of(dump, name);
        is = generated_of(target, name);
        if (was && is &&
            strcmp(plain_form(&dump->d, was->span), plain_form(&target->d, is->span)) != 0)
            log_event(LOG_WARN, "load.generated", F_STR("table", t->label), F_STR("column", name),
                      F_STR("dump", ddl_source(&dump->d, was->span)),
                      F_STR("target", ddl_source(&target->d, is->span)),
                      F_STR("message", "the target computes this generated column by another "
                                       "expression: its values may be others than the source's"));
    }
}

static enum err_code look_at(struct load_run *run, const struct load_table *t, struct err *err)
{
    struct generated_side dump = {0}, target = {0};
    struct arena *arena = arena_new();
    struct definition d = {0};
    char *sql = NULL;
    enum err_code rc = schema_create_table(run->conn, t->target, &sql, err);

    if (!rc)
        rc = definition_of_table(run, t, false, &d, err);
    if (!rc && d.converted.sql) {
        rc = side_parse(&dump, run, d.converted.sql, arena, err);
        if (!rc)
            rc = side_parse(&target, run, sql, arena, err);
        if (!rc)
            sides_compare(t, &dump, &target);
    }
    definition_release(&d);
    arena_free(arena);
    free(sql);
    return rc;
}

enum err_code generated_report(struct load_run *run, struct err *err)
{
    for (size_t i = 0; i < run->table_count; i++) {
        struct load_table *t = &run->tables[i];
        enum err_code rc;

        if (!wants_look(t))
            continue;
        rc = look_at(run, t, err);
        if (rc && err_info(rc)->retryable)
            return rc;
        if (rc) /* it decides nothing */
            log_event(
                LOG_WARN, "load.generated", F_STR("table", t->label),
                F_STR("message", "its generated columns could not be compared with the dump's"),
                F_STR("cause", err->msg));
        err_clear(err);
        t->looked = true;
    }
    return ERR_OK;
}
