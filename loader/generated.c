/* Generated columns of tables that are there already: the target computes them, by its own
 * expression. Where that is not the dump's, the values will not be the source's: refused, unless
 * --on-generated-difference warn.
 *
 * Servers print one expression in many ways (common/schema/expression.h). Where the forms differ,
 * the target is given the dump's expressions in a temporary table, and what it prints of them is
 * compared with what it prints of its own. */
#include "loader/load_inner.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/schema/ddl_table.h"
#include "common/schema/expression.h"
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

/* What is compared of AS (expression); in the arena. */
static const char *plain_form(const struct ddl_text *d, const struct ddl_attr *attr)
{
    struct strbuf out = {0};
    const char *form;

    expression_form(d, (struct ddl_span){attr->value, attr->span.end}, &out);
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

/* How many columns are generated on both sides by different texts; each is handed to `fn`, which
 * may be NULL. */
typedef void difference_fn(void *ctx, const char *column, const char *dump, const char *target);
static unsigned sides_compare(const struct load_table *t, const struct generated_side *dump,
                              const struct generated_side *target, difference_fn *fn, void *ctx)
{
    const struct table *model = &t->dump->model;
    unsigned differ = 0;

    for (unsigned i = 0; i < model->column_count; i++) {
        const char *name = model->columns[i].name;
        const struct ddl_attr *was, *is;

        if (model->columns[i].generated == GENERATED_NO)
            continue;
        was = generated_of(dump, name);
        is = generated_of(target, name);
        if (!was || !is || strcmp(plain_form(&dump->d, was), plain_form(&target->d, is)) == 0)
            continue;
        differ++;
        if (fn)
            fn(ctx, name, ddl_source(&dump->d, was->span), ddl_source(&target->d, is->span));
    }
    return differ;
}

/* ---- as the target prints the dump's expressions ---- */

static void add_column(const struct column *c, const char *expression, struct strbuf *sql)
{
    strbuf_add_ident(sql, c->name);
    strbuf_addf(sql, " %s", c->type_text);
    if (c->charset && c->collation && c->type != TYPE_VECTOR)
        strbuf_addf(sql, " CHARACTER SET %s COLLATE %s", c->charset, c->collation);
    if (expression)
        strbuf_addf(sql, " %s %s", expression,
                    c->generated == GENERATED_STORED ? "STORED" : "VIRTUAL");
}

/* The target's columns, its generated ones by the dump's expressions where that has any. */
static void probe_sql(const struct load_table *t, const struct generated_side *dump,
                      const char *name, struct strbuf *sql)
{
    bool any = false;

    strbuf_addstr(sql, "CREATE TEMPORARY TABLE ");
    strbuf_add_table(sql, t->target->db, name);
    for (unsigned i = 0; i < t->target->column_count; i++) {
        const struct column *c = &t->target->columns[i];
        const struct ddl_attr *attr = NULL;

        if (c->row_start_end)
            continue;
        if (c->generated != GENERATED_NO) {
            attr = generated_of(dump, c->name);
            if (!attr)
                continue;
        }
        strbuf_addstr(sql, any ? "," : " (");
        add_column(c, attr ? ddl_source(&dump->d, attr->span) : NULL, sql);
        any = true;
    }
    strbuf_addch(sql, ')');
}

static enum err_code probe_print(const struct load_run *run, const struct load_table *t,
                                 const struct generated_side *dump, char **text, struct err *err)
{
    static const char name[] = "ferry_generated";
    const struct table probe = {.db = t->target->db, .name = name, .kind = TABLE_BASE};
    struct err ignored = ERR_INIT;
    struct strbuf sql = {0};
    enum err_code rc;

    probe_sql(t, dump, name, &sql);
    rc = conn_exec(run->conn, sql.str, sql.len, NULL, err);
    if (!rc) {
        rc = schema_create_table(run->conn, &probe, text, err);
        strbuf_reset(&sql);
        strbuf_addstr(&sql, "DROP TEMPORARY TABLE ");
        strbuf_add_table(&sql, probe.db, name);
        if (conn_exec(run->conn, sql.str, sql.len, NULL, &ignored))
            err_clear(&ignored); /* it ends with the connection */
    }
    strbuf_release(&sql);
    return rc;
}

/* ---- what is said ---- */

struct saying {
    const struct load_table *t;
    bool any;        /* --on-generated-difference warn */
    struct err *err; /* takes the first one */
};

static void say_difference(void *ctx, const char *column, const char *dump, const char *target)
{
    const struct saying *s = ctx;

    if (!s->any) {
        if (s->err->code == ERR_OK)
            (void)err_set(s->err, ERR_LOAD_TABLE_SHAPE,
                          "table '%s' column '%s' is computed by another expression on the target, "
                          "so its values would not be the source's: %.300s there, %.300s in the "
                          "dump; change it, or say --on-generated-difference warn",
                          s->t->label, column, target, dump);
        return;
    }
    log_event(LOG_WARN, "load.generated", F_STR("table", s->t->label), F_STR("column", column),
              F_STR("dump", dump), F_STR("target", target),
              F_STR("message", "the target computes this generated column by another expression: "
                               "its values may be others than the source's"));
}

static enum err_code look_closer(struct load_run *run, const struct load_table *t,
                                 const struct generated_side *dump,
                                 const struct generated_side *target, struct arena *arena,
                                 struct err *err)
{
    struct saying say = {t, run->config->generated_any, err};
    struct generated_side printed = {0};
    char *text = NULL;
    enum err_code rc = probe_print(run, t, dump, &text, err);

    if (!rc)
        rc = side_parse(&printed, run, text, arena, err);
    if (rc && err_info(rc)->retryable) {
        free(text);
        return rc;
    }
    if (rc) { /* such an expression is not possible there, or nothing can be made */
        log_event(LOG_DEBUG, "load.generated", F_STR("table", t->label),
                  F_STR("message", err->msg));
        err_clear(err);
    }
    (void)sides_compare(t, rc ? dump : &printed, target, say_difference, &say);
    free(text);
    return err->code;
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
    if (!rc && !d.converted.sql)
        rc = err_set(err, ERR_LOAD_SCHEMA, "%s", d.doubt ? d.doubt : "the target cannot have it");
    if (!rc)
        rc = side_parse(&dump, run, d.converted.sql, arena, err);
    if (!rc)
        rc = side_parse(&target, run, sql, arena, err);
    if (rc && !err_info(rc)->retryable) {
        char *why = xstrdup(err->msg);

        rc = err_set(err, ERR_LOAD_TABLE_SHAPE,
                     "table '%s': its generated columns cannot be compared with the dump's; say "
                     "--on-generated-difference warn if they are the same: %s",
                     t->label, why);
        free(why);
    }
    if (!rc && sides_compare(t, &dump, &target, NULL, NULL) > 0)
        rc = look_closer(run, t, &dump, &target, arena, err);
    definition_release(&d);
    arena_free(arena);
    free(sql);
    return rc;
}

/* --on-generated-difference warn: what could not be compared does not end the load. */
static enum err_code look_excused(const struct load_run *run, const struct load_table *t,
                                  struct err *err)
{
    if (err_info(err->code)->retryable || !run->config->generated_any)
        return err->code;
    log_event(LOG_WARN, "load.generated", F_STR("table", t->label), F_STR("message", err->msg));
    err_clear(err);
    return ERR_OK;
}

enum err_code generated_report(struct load_run *run, struct err *err)
{
    for (size_t i = 0; i < run->table_count; i++) {
        struct load_table *t = &run->tables[i];

        if (!wants_look(t))
            continue;
        if (look_at(run, t, err) && look_excused(run, t, err))
            return err->code;
        t->looked = true;
    }
    return ERR_OK;
}
