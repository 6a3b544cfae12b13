/* Which tables are compared with which, by which key, and what their definitions lack. */
#include "verify/compare_inner.h"

#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/schema/hold.h"
#include "common/schema/read.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool table_has_rows(const struct table *t)
{
    return t->kind == TABLE_BASE || t->kind == TABLE_VERSIONED;
}

/* The target's databases that may hold what the filter chooses. */
static enum err_code plan_target_filter(struct compare *run, struct err *err)
{
    const struct schema *s = run->schema[SOURCE_SIDE];
    struct arena *a = arena_new();
    const char **patterns = xcalloc(s->table_count + s->database_count + 1, sizeof *patterns);
    size_t count = 0;
    enum err_code rc;

    for (size_t i = 0; i < s->table_count + s->database_count; i++) {
        struct strbuf sb = {0};
        const char *db = NULL;
        const char *name = NULL;

        if (i < s->table_count)
            route_table(run->route, s->tables[i].db, s->tables[i].name, &db, &name);
        else
            db = route_database(run->route, s->databases[i - s->table_count].name);
        strbuf_add_ident(&sb, db);
        strbuf_addstr(&sb, ".*");
        if (count && strcmp(patterns[count - 1], strbuf_str(&sb)) == 0) {
            strbuf_release(&sb);
            continue;
        }
        patterns[count++] = arena_strdup(a, strbuf_str(&sb));
        strbuf_release(&sb);
    }
    rc = filter_new(patterns, count, false, &run->target_filter, err);
    free((void *)patterns);
    arena_free(a);
    return rc;
}

/* A server that folds names keeps them in lower case: the exact name goes first. */
static const struct table *plan_find(const struct schema *s, const char *db, const char *name)
{
    const struct table *t = schema_find(s, db, name);

    for (size_t i = 0; !t && i < s->table_count; i++)
        if (strcasecmp(s->tables[i].db, db) == 0 && strcasecmp(s->tables[i].name, name) == 0)
            t = &s->tables[i];
    return t;
}

static enum err_code plan_column(struct compare *run, struct pair *p, const struct column *c,
                                 struct err *err)
{
    const struct table *t = p->table[SOURCE_SIDE];
    const struct column *to = table_column(p->table[TARGET_SIDE], c->name);
    struct pair_column *add = &p->columns[p->column_count];
    struct strbuf what = {0};
    enum err_code rc = ERR_OK;

    if (!to) {
        strbuf_addf(&what, "column '%s' is not on the target", c->name);
    } else if (!column_is_dumped(to)) {
        strbuf_addf(&what, "column '%s' is generated on the target alone", c->name);
    } else {
        *add = (struct pair_column){.side = {c, to}, .family = column_family(c, to)};
        if (add->family == FAMILY_NONE)
            strbuf_addf(&what, "column '%s' cannot be compared: '%.100s' and '%.100s'", c->name,
                        c->type_text, to->type_text);
        else
            p->column_count++;
    }
    if (what.len)
        rc = report_object(run, t->db, t->name, strbuf_str(&what), err);
    strbuf_release(&what);
    return rc;
}

/* A unique key of `t` over the same columns in the same order, NULLs aside. */
static const struct key *plan_same_key(const struct table *t, const struct table *of,
                                       const struct key *key)
{
    for (unsigned i = 0; i < t->key_count; i++) {
        const struct key *k = &t->keys[i];
        bool same = k->unique && k->part_count == key->part_count;

        for (unsigned n = 0; same && n < k->part_count; n++)
            same = !k->parts[n].expression && !key->parts[n].expression &&
                   k->parts[n].prefix_len == key->parts[n].prefix_len &&
                   strcasecmp(t->columns[k->parts[n].column].name,
                              of->columns[key->parts[n].column].name) == 0;
        if (same)
            return k;
    }
    return NULL;
}

static bool plan_key_usable(const struct table *t, const struct key *key)
{
    bool usable = key && key->not_null && !key->invisible;

    for (unsigned i = 0; usable && i < key->part_count; i++)
        usable = !key->parts[i].expression && !key->parts[i].prefix_len &&
                 key_column_usable(&t->columns[key->parts[i].column]);
    return usable;
}

/* Both sides need it: a key that is the source's alone lets doubles in on the target. */
static void plan_key(struct compare *run, struct pair *p)
{
    const struct table *t = p->table[SOURCE_SIDE];
    const struct key *key = table_best_key(t);
    const struct key *other;

    if (!plan_key_usable(t, key))
        return;
    other = plan_same_key(p->table[TARGET_SIDE], t, key);
    if (!plan_key_usable(p->table[TARGET_SIDE], other))
        return;
    p->ordered = true;
    p->key_columns = arena_alloc(run->arena, key->part_count * sizeof *p->key_columns);
    for (unsigned i = 0; i < key->part_count; i++) {
        unsigned at = 0;

        while (at < p->column_count &&
               p->columns[at].side[SOURCE_SIDE] != &t->columns[key->parts[i].column])
            at++;
        if (at == p->column_count)
            return; /* it cannot be compared, or is generated */
        p->key_columns[i] = at;
        p->ordered = p->ordered && p->columns[at].family != FAMILY_TEXT;
    }
    p->key[SOURCE_SIDE] = key;
    p->key[TARGET_SIDE] = other;
}

static enum err_code plan_definition(struct compare *run, const struct pair *p, struct err *err)
{
    const struct table *t = p->table[SOURCE_SIDE];
    struct err hold = ERR_INIT;
    struct strbuf what = {0};
    enum err_code rc = ERR_OK;

    if (p->column_count && table_can_hold(p->table[TARGET_SIDE], t, &hold))
        rc = report_object(run, t->db, t->name, hold.msg, err);
    for (unsigned i = 0; !rc && i < t->key_count; i++) {
        if (!t->keys[i].unique || plan_same_key(p->table[TARGET_SIDE], t, &t->keys[i]))
            continue;
        strbuf_reset(&what);
        strbuf_addf(&what, "the target lacks the unique key '%s'", t->keys[i].name);
        rc = report_object(run, t->db, t->name, strbuf_str(&what), err);
    }
    strbuf_release(&what);
    return rc;
}

static enum err_code plan_pair(struct compare *run, const struct table *t, const struct table *to,
                               struct err *err)
{
    struct pair *p = &run->pairs[run->pair_count];
    const uint64_t objects = run->report->objects;
    enum err_code rc = ERR_OK;

    *p = (struct pair){.table = {t, to}};
    p->columns = arena_alloc(run->arena, (t->column_count + 1) * sizeof *p->columns);
    for (unsigned i = 0; !rc && i < t->column_count; i++)
        if (column_is_dumped(&t->columns[i]))
            rc = plan_column(run, p, &t->columns[i], err);
    if (!rc && run->report->objects == objects)
        rc = plan_definition(run, p, err);
    if (rc || !p->column_count)
        return rc;
    plan_key(run, p);
    pair_expressions(run, p);
    run->pair_count++;
    return ERR_OK;
}

static enum err_code plan_count(struct conn *c, const struct table *t, char **count,
                                struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "SELECT COUNT(*) FROM ");
    strbuf_add_table(&sql, t->db, t->name);
    rc = conn_value(c, strbuf_str(&sql), count, err);
    strbuf_release(&sql);
    return rc;
}

/* A table, view or sequence that one side lacks. */
static enum err_code plan_alone(struct compare *run, struct conn *c, const struct table *t,
                                const char *where, struct err *err)
{
    struct strbuf what = {0};
    char *count = NULL;
    enum err_code rc = ERR_OK;

    strbuf_addf(&what, "the %s is %s",
                t->kind == TABLE_VIEW       ? "view"
                : t->kind == TABLE_SEQUENCE ? "sequence"
                                            : "table",
                where);
    if (table_has_rows(t))
        rc = plan_count(c, t, &count, err);
    if (count)
        strbuf_addf(&what, " (%s rows)", count);
    if (!rc)
        rc = report_object(run, t->db, t->name, strbuf_str(&what), err);
    free(count);
    strbuf_release(&what);
    return rc;
}

static enum err_code plan_table(struct compare *run, struct conn *const conn[SIDES],
                                const struct table *t, const struct table *to, struct err *err)
{
    if (!to)
        return plan_alone(run, conn[SOURCE_SIDE], t, "not on the target", err);
    if (table_has_rows(t) != table_has_rows(to) || (!table_has_rows(t) && t->kind != to->kind))
        return report_object(run, t->db, t->name, "is another kind of object on the target", err);
    if (t->kind == TABLE_VIEW)
        return compare_view(run, t, to, err);
    if (!table_has_rows(t))
        return ERR_OK;
    return plan_pair(run, t, to, err);
}

/* What is on the target alone: under names that the filter would have chosen on the source. */
static enum err_code plan_extra(struct compare *run, struct conn *const conn[SIDES],
                                const bool *seen, struct err *err)
{
    const struct schema *s = run->schema[TARGET_SIDE];
    const struct schema *from = run->schema[SOURCE_SIDE];
    enum err_code rc = ERR_OK;

    for (size_t i = 0; !rc && i < s->table_count; i++) {
        const struct table *t = &s->tables[i];
        bool chosen = false;

        for (size_t n = 0; !chosen && !seen[i] && n < from->database_count; n++)
            chosen = strcmp(route_database(run->route, from->databases[n].name), t->db) == 0 &&
                     filter_match_table(run->filter, from->databases[n].name, t->name);
        if (chosen)
            rc = plan_alone(run, conn[TARGET_SIDE], t, "on the target alone", err);
    }
    return rc;
}

/* The largest first, so that no thread is left with one at the end. */
static int pair_compare(const void *a, const void *b)
{
    const struct table *x = ((const struct pair *)a)->table[SOURCE_SIDE];
    const struct table *y = ((const struct pair *)b)->table[SOURCE_SIDE];

    if (x->data_bytes != y->data_bytes)
        return x->data_bytes < y->data_bytes ? 1 : -1;
    return (x > y) - (x < y);
}

enum err_code compare_plan(struct compare *run, struct conn *const conn[SIDES], struct err *err)
{
    const struct compare_config *c = run->config;
    const struct schema *s;
    bool *seen;
    enum err_code rc;

    if (filter_new(c->filters, c->filter_count, c->case_sensitive, &run->filter, err) ||
        route_new(c->renames, c->rename_count, &run->route, err) ||
        schema_read(conn[SOURCE_SIDE], run->filter, &run->schema[SOURCE_SIDE], err))
        return err->code;
    s = run->schema[SOURCE_SIDE];
    if (!s->table_count)
        return err_set(err, ERR_DUMP_NO_TABLES,
                       "no table or view of the source matches the filter");
    if (plan_target_filter(run, err) ||
        schema_read(conn[TARGET_SIDE], run->target_filter, &run->schema[TARGET_SIDE], err))
        return err->code;
    run->pairs = xcalloc(s->table_count, sizeof *run->pairs);
    seen = xcalloc(run->schema[TARGET_SIDE]->table_count + 1, sizeof *seen);
    for (size_t i = 0; i < s->table_count; i++) {
        const struct table *to;
        const char *db = NULL;
        const char *name = NULL;

        route_table(run->route, s->tables[i].db, s->tables[i].name, &db, &name);
        to = plan_find(run->schema[TARGET_SIDE], db, name);
        if (to)
            seen[to - run->schema[TARGET_SIDE]->tables] = true;
        rc = plan_table(run, conn, &s->tables[i], to, err);
        if (rc)
            goto out;
    }
    rc = plan_extra(run, conn, seen, err);
    if (!rc)
        rc = compare_objects(run, conn, err);
    if (run->pair_count)
        qsort(run->pairs, run->pair_count, sizeof *run->pairs, pair_compare);
out:
    free(seen);
    return rc;
}
