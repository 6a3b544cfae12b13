/* What is dumped. Everything that cannot be dumped exactly is refused here, by name, before
 * anything is locked or written. */
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/schema/engines.h"
#include "common/schema/read.h"
#include "common/schema/select.h"
#include "dumper/partial.h"
#include "formats/file_names.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NAMED_MAX 10 /* tables that a message names */

struct names { /* "a.b (MyISAM), c.d and 7 more" */
    struct strbuf text;
    size_t count;
};

static void names_add(struct names *n, const struct table *t, const char *what)
{
    if (n->count++ >= NAMED_MAX)
        return;
    if (n->count > 1)
        strbuf_addstr(&n->text, ", ");
    strbuf_add_name(&n->text, t->db, t->name);
    if (what)
        strbuf_addf(&n->text, " (%s)", what);
}

static const char *names_text(struct names *n)
{
    if (n->count > NAMED_MAX)
        strbuf_addf(&n->text, " and %zu more", n->count - NAMED_MAX);
    return strbuf_str(&n->text);
}

static bool plan_has_rows(const struct table *t)
{
    return t->kind == TABLE_BASE || t->kind == TABLE_VERSIONED;
}

/* A snapshot holds tables of transactional engines only; others stand still under the lock, if
 * their rows are on this server. */
static enum err_code plan_check_engines(struct dump_run *run, struct err *err)
{
    const bool lock =
        run->config->lock_tables_read && run->config->consistency != CONSISTENCY_BINLOG;
    struct names bad = {0};
    struct names foreign = {0};
    enum err_code rc = ERR_OK;

    if (run->config->consistency == CONSISTENCY_NONE || run->config->no_data)
        return ERR_OK;
    for (size_t i = 0; i < run->plan.count; i++) {
        const struct table *t = run->plan.tables[i].table;
        const enum engine_class class = engine_class_of(t->engine);

        if (class == ENGINE_FOREIGN)
            names_add(&foreign, t, t->engine ? t->engine : "no engine");
        else if (class == ENGINE_LOCKED && !lock)
            names_add(&bad, t, t->engine);
        else if (class == ENGINE_LOCKED)
            run->plan.locked++;
    }
    if (foreign.count)
        rc = err_set(err, ERR_DUMP_ENGINE,
                     "of an engine that no snapshot and no lock on this server holds: %s",
                     names_text(&foreign));
    else if (bad.count)
        rc = err_set(err, ERR_DUMP_ENGINE,
                     "of an engine without transactions: %s (--non-transactional lock reads them "
                     "while writers wait)",
                     names_text(&bad));
    strbuf_release(&bad.text);
    strbuf_release(&foreign.text);
    return rc;
}

static enum err_code plan_check_table(const struct table *t, struct err *err)
{
    unsigned dumped = 0;

    if (!plan_has_rows(t) && t->kind != TABLE_VIEW && t->kind != TABLE_SEQUENCE)
        return err_set(err, ERR_DUMP_TABLE,
                       "'%s.%s' is neither a table nor a view that ferry knows: leave it out with "
                       "--filter",
                       t->db, t->name);
    if (file_name_fits(t->db, t->name, err))
        return err->code;
    if (!plan_has_rows(t))
        return ERR_OK;
    for (unsigned i = 0; i < t->column_count; i++) {
        const struct column *c = &t->columns[i];

        if (!column_is_dumped(c))
            continue;
        dumped++;
        if (c->type == TYPE_OTHER)
            return err_set(err, ERR_DUMP_TABLE,
                           "column '%s' of '%s.%s' has the type '%s', which ferry does not know",
                           c->name, t->db, t->name, c->type_text);
    }
    if (!dumped)
        return err_set(err, ERR_DUMP_TABLE, "'%s.%s' has no column that can be dumped", t->db,
                       t->name);
    if (t->kind == TABLE_VERSIONED)
        log_event(LOG_WARN, "dump.table.versioned", F_STR("db", t->db), F_STR("table", t->name),
                  F_STR("message", "only the present rows of a system-versioned table are dumped, "
                                   "not their history"));
    return ERR_OK;
}

static bool plan_key_usable(const struct table *t, const struct key *key)
{
    for (unsigned i = 0; key && i < key->part_count; i++)
        if (key->parts[i].expression || t->columns[key->parts[i].column].left_out ||
            !key_column_usable(&t->columns[key->parts[i].column]))
            return false;
    return key != NULL;
}

/* The key that earlier chunks were cut by, else the best one. */
static void plan_choose_key(struct plan_table *p)
{
    const struct table *t = p->table;

    p->key = NULL;
    if (p->ledger->recorded && p->ledger->spans) {
        for (unsigned i = 0; p->ledger->key && i < t->key_count; i++)
            if (strcmp(t->keys[i].name, p->ledger->key) == 0)
                p->key = &t->keys[i];
        p->key_gone = p->ledger->key && !plan_key_usable(t, p->key);
        if (!p->key_gone)
            return;
    }
    p->key = table_best_key(t);
    if (!plan_key_usable(t, p->key) || p->limit /* a limit is of one cursor */
        || !engine_keys_unique(t->engine))
        p->key = NULL;
}

static enum err_code plan_add(struct dump_run *run, const struct table *t, struct err *err)
{
    struct plan *p = &run->plan;
    struct ledger_table *done = ledger_find(run->ledger, t->db, t->name);
    struct plan_table *to;
    enum err_code rc;

    rc = plan_check_table(t, err);
    if (rc)
        return rc;
    if (!plan_has_rows(t)) {
        if (t->kind == TABLE_VIEW && run->config->no_views)
            return ERR_OK;
        to = &p->others[p->other_count++];
    } else {
        p->table_total++;
        p->bytes += done && done->done ? done->raw_bytes : t->data_bytes;
        if (done && done->done)
            return ERR_OK;
        to = &p->tables[p->count++];
    }
    *to = (struct plan_table){.table = t, .ledger = done};
    return ERR_OK;
}

/* Those that no snapshot holds come first; then the largest, so that no worker is left with one at
 * the end. */
static int plan_compare(const void *a, const void *b)
{
    const struct table *x = ((const struct plan_table *)a)->table;
    const struct table *y = ((const struct plan_table *)b)->table;
    const bool x_held = engine_class_of(x->engine) == ENGINE_SNAPSHOT;
    const bool y_held = engine_class_of(y->engine) == ENGINE_SNAPSHOT;
    int order;

    if (x_held != y_held)
        return x_held ? 1 : -1;
    if (x->data_bytes != y->data_bytes)
        return x->data_bytes < y->data_bytes ? 1 : -1;
    order = strcmp(x->db, y->db);
    return order ? order : strcmp(x->name, y->name);
}

/* Of the tables that are not opened before they are read. */
static enum err_code plan_check_rights(const struct dump_run *run, struct err *err)
{
    for (size_t i = PLAN_PROBED_MAX; i < run->plan.count && !run->config->skip_tables; i++) {
        const struct table *t = run->plan.tables[i].table;

        for (unsigned k = 0; k < t->column_count; k++)
            if (column_is_dumped(&t->columns[k]) && !t->columns[k].readable)
                return err_set(
                    err, ERR_PRIVILEGE,
                    "column '%s' of '%s.%s' cannot be read (GRANT SELECT ON it, or leave "
                    "the table out with --filter)",
                    t->columns[k].name, t->db, t->name);
    }
    return ERR_OK;
}

/* New ones get a number; all get their key. */
static void plan_link(struct dump_run *run, struct plan_table *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct plan_table *t = &list[i];

        if (!t->ledger)
            t->ledger = ledger_add_table(run->ledger, t->table->db, t->table->name);
        t->ledger->is_table = plan_has_rows(t->table);
        t->ledger->is_view = t->table->kind == TABLE_VIEW;
        if (t->ledger->is_table)
            plan_choose_key(t);
    }
}

enum err_code dumper_plan(struct dump_run *run, struct err *err)
{
    const struct dump_config *config = run->config;
    struct plan *p = &run->plan;
    enum err_code rc;

    rc = filter_new(config->filters, config->filter_count, config->case_sensitive, &p->filter, err);
    if (rc)
        return rc;
    rc = schema_read(run->control, p->filter, &p->schema, err);
    if (rc)
        return rc;
    if (!p->schema->table_count)
        return err_set(err, ERR_DUMP_NO_TABLES, "no table or view matches the filter");
    rc = partial_columns(run, err);
    if (rc)
        return rc;
    p->tables = xcalloc(p->schema->table_count, sizeof(*p->tables));
    p->others = xcalloc(p->schema->table_count, sizeof(*p->others));
    for (size_t i = 0; !rc && i < p->schema->table_count; i++)
        rc = plan_add(run, &p->schema->tables[i], err);
    if (rc)
        return rc;
    qsort(p->tables, p->count, sizeof(*p->tables), plan_compare);
    rc = plan_check_engines(run, err);
    if (!rc)
        rc = plan_check_rights(run, err);
    if (!rc)
        rc = partial_rows(run, err);
    if (rc)
        return rc;
    plan_link(run, p->tables, p->count);
    plan_link(run, p->others, p->other_count);
    ledger_sort(run->ledger);
    return ERR_OK;
}

enum err_code dumper_plan_fits(const struct dump_run *run, struct err *err)
{
    for (size_t i = 0; i < run->plan.count; i++) {
        const struct plan_table *p = &run->plan.tables[i];

        if (p->key_gone && !p->ledger->voided)
            return err_set(err, ERR_DUMP_MOVED,
                           "'%s.%s' has no key '%s' any more, by which its chunks were cut",
                           p->table->db, p->table->name, p->ledger->key);
    }
    for (size_t i = 0; i < run->ledger->table_count; i++) {
        const struct ledger_table *l = run->ledger->tables[i];

        if (l->recorded && l->is_table && !l->done &&
            !schema_find(run->plan.schema, l->db, l->name))
            return err_set(err, ERR_DUMP_MOVED, "'%s.%s', which is not finished, is not there",
                           l->db, l->name);
    }
    return ERR_OK;
}

void dumper_plan_release(struct plan *p)
{
    free(p->tables);
    free(p->others);
    schema_free(p->schema);
    filter_free(p->filter);
    *p = (struct plan){0};
}
