#include "loader/settle.h"
#include "loader/stage_inner.h"

#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/schema/select.h"

#include <stdlib.h>

#define STAGE "ferry_stage"
#define ROW_NUMBER STAGE_ROW_NUMBER
#define COLUMN_NAME_MAX 32 /* "ferry_c" and ten digits */

static void column_name(unsigned i, char name[COLUMN_NAME_MAX])
{
    (void)snprintf(name, COLUMN_NAME_MAX, "ferry_c%u", i);
}

void stage_add_name(struct strbuf *sb, const struct load_run *run)
{
    strbuf_add_table(sb, run->state.schema, STAGE);
}

/* The target's column of the dump's i-th one. */
static const struct column *target_column(const struct load_table *t, unsigned i)
{
    for (unsigned k = 0; k < t->target->column_count; k++)
        if (t->cell_of[k] == (int)i)
            return &t->target->columns[k];
    return t->target->columns; /* never: table_can_hold has seen one for each */
}

/* ---- keys ---- */

static bool key_is_plain(const struct load_table *t, const struct key *key)
{
    for (unsigned i = 0; i < key->part_count; i++)
        if (key->parts[i].expression || t->cell_of[key->parts[i].column] < 0)
            return false;
    return key->part_count > 0;
}

static void add_part(struct strbuf *sb, const char *table, const char *name,
                     const struct key_part *part)
{
    if (part->prefix_len)
        strbuf_addstr(sb, "LEFT(");
    strbuf_addstr(sb, table);
    strbuf_add_ident(sb, name);
    if (part->prefix_len)
        strbuf_addf(sb, ",%u)", part->prefix_len);
}

static void key_init(const struct load_table *t, unsigned number, struct stage_key *k)
{
    struct strbuf join = {0}, group = {0}, not_null = {0};

    k->key = &t->target->keys[number];
    k->number = number;
    for (unsigned i = 0; i < k->key->part_count; i++) {
        const struct key_part *part = &k->key->parts[i];
        char name[COLUMN_NAME_MAX];

        column_name((unsigned)t->cell_of[part->column], name);
        k->prefix = k->prefix || part->prefix_len > 0;
        strbuf_addstr(&join, i ? " AND " : "");
        add_part(&join, "", name, part);
        strbuf_addch(&join, '=');
        add_part(&join, "t.", t->target->columns[part->column].name, part);
        strbuf_addstr(&group, i ? "," : "");
        add_part(&group, "", name, part);
        strbuf_addstr(&not_null, i ? " AND " : "");
        strbuf_add_ident(&not_null, name);
        strbuf_addstr(&not_null, " IS NOT NULL");
    }
    k->join = strbuf_detach(&join);
    k->group = strbuf_detach(&group);
    k->not_null = strbuf_detach(&not_null);
}

/* ---- statements ---- */

static void create_sql(const struct load_run *run, const struct load_table *t,
                       struct stage_plan *plan)
{
    struct strbuf sb = {0};

    strbuf_addstr(&sb, "CREATE TEMPORARY TABLE ");
    stage_add_name(&sb, run);
    strbuf_addstr(&sb, " (" ROW_NUMBER " INT UNSIGNED NOT NULL PRIMARY KEY");
    for (unsigned i = 0; i < t->dump->shape.count; i++) {
        const struct column *c = target_column(t, i);
        char name[COLUMN_NAME_MAX];

        column_name(i, name);
        strbuf_addstr(&sb, ",");
        strbuf_add_ident(&sb, name);
        strbuf_addf(&sb, " %s", c->type_text);
        if (c->charset && c->collation && c->type != TYPE_VECTOR)
            strbuf_addf(&sb, " CHARACTER SET %s COLLATE %s", c->charset, c->collation);
        strbuf_addstr(&sb, " NULL");
    }
    strbuf_addstr(&sb, run->flavour.vendor == VENDOR_TIDB ? ")" : ") ENGINE=InnoDB");
    plan->create = strbuf_detach(&sb);
    /* Outside of transactions, which it would commit, it costs TiDB next to nothing. */
    strbuf_addstr(&sb, run->flavour.vendor == VENDOR_TIDB ? "TRUNCATE TABLE " : "DELETE FROM ");
    stage_add_name(&sb, run);
    plan->empty = strbuf_detach(&sb);
    strbuf_addstr(&sb, "DROP TEMPORARY TABLE IF EXISTS ");
    stage_add_name(&sb, run);
    plan->drop = strbuf_detach(&sb);
}

static void lists(const struct load_run *run, const struct load_table *t, struct stage_plan *plan)
{
    struct strbuf sb = {0};

    strbuf_addstr(&sb, ROW_NUMBER);
    for (unsigned i = 0; i < t->dump->shape.count; i++) {
        struct column c = *target_column(t, i);
        char name[COLUMN_NAME_MAX];

        column_name(i, name);
        c.name = name;
        strbuf_addch(&sb, ',');
        column_select_expr(&c, &run->flavour, &sb);
    }
    plan->staged_list = strbuf_detach(&sb);
    plan->existing = xcalloc(t->target->column_count + 1, sizeof *plan->existing);
    for (unsigned i = 0; i < t->target->column_count; i++) {
        const struct column *c = &t->target->columns[i];

        if (!column_is_dumped(c))
            continue;
        strbuf_addstr(&sb, plan->existing_count ? "," : "");
        column_select_expr(c, &run->flavour, &sb);
        plan->existing[plan->existing_count++] = i;
    }
    plan->existing_list = strbuf_detach(&sb);
}

static void dest_sql(const struct load_run *run, const struct load_table *t,
                     struct stage_plan *plan)
{
    struct strbuf load = {0}, insert = {0}, set = {0};

    strbuf_addstr(&load, "LOAD DATA LOCAL INFILE 'ferry' INTO TABLE ");
    stage_add_name(&load, run);
    strbuf_addstr(&load, " CHARACTER SET utf8mb4 FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' "
                         "LINES TERMINATED BY '\\n' (" ROW_NUMBER);
    strbuf_addstr(&insert, "INSERT INTO ");
    stage_add_name(&insert, run);
    strbuf_addstr(&insert, " (" ROW_NUMBER);
    for (unsigned i = 0; i < t->dump->shape.count; i++) {
        char name[COLUMN_NAME_MAX];

        column_name(i, name);
        strbuf_addch(&insert, ',');
        strbuf_add_ident(&insert, name);
        strbuf_addch(&load, ',');
        if (t->hex && t->hex[i]) {
            strbuf_addf(&load, "@ferry%u", i);
            strbuf_addf(&set, "%s`%s`=UNHEX(@ferry%u)", set.len ? "," : " SET ", name, i);
        } else {
            strbuf_add_ident(&load, name);
        }
    }
    strbuf_addch(&load, ')');
    strbuf_addstr(&load, strbuf_str(&set));
    strbuf_addstr(&insert, ") VALUES ");
    strbuf_release(&set);
    plan->dest = (struct put_dest){strbuf_detach(&load), strbuf_detach(&insert), true};
}

struct stage_plan *stage_plan_new(const struct load_run *run, const struct load_table *t)
{
    struct stage_plan *plan = xcalloc(1, sizeof *plan);

    plan->keys = xcalloc(t->target->key_count + 1, sizeof *plan->keys);
    for (unsigned i = 0; i < t->target->key_count; i++) {
        if (!t->target->keys[i].unique)
            continue;
        if (!key_is_plain(t, &t->target->keys[i])) {
            plan->odd_key = true;
            continue;
        }
        key_init(t, i, &plan->keys[plan->key_count]);
        plan->prefix_key = plan->prefix_key || plan->keys[plan->key_count].prefix;
        plan->key_count++;
    }
    plan->integer_keys = pick_can(t, plan);
    create_sql(run, t, plan);
    lists(run, t, plan);
    dest_sql(run, t, plan);
    return plan;
}

/* The plan's strings, which the struct shows as const. */
static void text_free(const char *text)
{
    union {
        const char *shown;
        char *owned;
    } u = {text};

    free(u.owned);
}

void stage_plan_free(struct stage_plan *plan)
{
    if (!plan)
        return;
    for (unsigned i = 0; i < plan->key_count; i++) {
        free(plan->keys[i].join);
        free(plan->keys[i].group);
        free(plan->keys[i].not_null);
    }
    free(plan->keys);
    free(plan->existing);
    free(plan->create);
    free(plan->empty);
    free(plan->drop);
    free(plan->staged_list);
    free(plan->existing_list);
    text_free(plan->dest.load_sql);
    text_free(plan->dest.insert_sql);
    free(plan);
}

/* ---- use ---- */

enum err_code stage_empty(struct worker *w, struct err *err)
{
    return conn_execz(w->conn, w->table->stage->empty, err);
}

/* A statement over a table that TiDB has no statistics of waits for them; there will be none.
 * Without the variable (before 5.4) it is only slower. */
static enum err_code stage_no_wait(struct worker *w, struct err *err)
{
    if (w->run->flavour.vendor != VENDOR_TIDB)
        return ERR_OK;
    if (conn_execz(w->conn, "SET SESSION tidb_stats_load_sync_wait=0", err) &&
        !conn_usable(w->conn))
        return err->code;
    err_clear(err);
    return ERR_OK;
}

enum err_code stage_ready(struct worker *w, struct err *err)
{
    if (worker_connect(w, err))
        return err->code;
    if (w->staged == w->table)
        return stage_empty(w, err);
    w->staged = NULL;
    /* An alias in DELETE needs a database on TiDB. */
    strbuf_reset(&w->sql);
    strbuf_addstr(&w->sql, "USE ");
    strbuf_add_ident(&w->sql, w->run->state.schema);
    if (stage_no_wait(w, err) || conn_exec(w->conn, w->sql.str, w->sql.len, NULL, err) ||
        conn_execz(w->conn, w->table->stage->drop, err) ||
        conn_execz(w->conn, "SET SESSION group_concat_max_len=1048576", err) ||
        conn_execz(w->conn, w->table->stage->create, err))
        return err_wrap(err, "%s: a temporary table for comparing rows", w->table->label);
    w->staged = w->table;
    return ERR_OK;
}

enum err_code stage_query(struct worker *w, stage_row_fn *fn, void *ctx, struct err *err)
{
    return conn_rows(w->conn, &w->sql, fn, ctx, err);
}

/* "ferry_stage s JOIN t ON ..." in the order that reads the staged rows and looks each up by the
 * key: the servers' statistics know nothing of a table that is filled anew each time. */
static void add_join(struct worker *w, const struct stage_key *key, const char *rows)
{
    stage_add_name(&w->sql, w->run);
    strbuf_addstr(&w->sql, " s STRAIGHT_JOIN ");
    strbuf_add_table(&w->sql, w->table->target->db, w->table->target->name);
    strbuf_addf(&w->sql, " t ON %s", key->join);
    if (rows)
        strbuf_addf(&w->sql, " WHERE s." ROW_NUMBER " IN (%s)", rows);
}

/* TiDB takes the database of a name in a hint for the session's own, which is not the table's, and
 * would read the whole table for each batch. */
static void add_verb(struct worker *w, const char *verb)
{
    strbuf_reset(&w->sql);
    strbuf_addstr(&w->sql, verb);
    if (w->run->flavour.vendor == VENDOR_TIDB) {
        strbuf_addstr(&w->sql, " /*+ INL_JOIN(");
        strbuf_add_ident(&w->sql, w->table->target->db);
        strbuf_addstr(&w->sql, ".t) */");
    }
    strbuf_addch(&w->sql, ' ');
}

void stage_add_wanted(struct worker *w, const struct stage_join *join)
{
    const struct stage_plan *plan = w->table->stage;

    if (join->numbers_only)
        strbuf_addstr(&w->sql, ROW_NUMBER);
    else
        strbuf_addf(&w->sql, "%s,%s", plan->staged_list, plan->existing_list);
    strbuf_addstr(&w->sql, " FROM ");
}

enum err_code stage_hits(struct worker *w, const struct stage_join *join, stage_row_fn *fn,
                         void *ctx, struct err *err)
{
    if (stage_prefix_serves(w, join))
        return stage_prefix_hits(w, join, fn, ctx, err);
    add_verb(w, "SELECT");
    stage_add_wanted(w, join);
    add_join(w, join->key, join->rows);
    strbuf_addstr(&w->sql, join->lock ? " FOR UPDATE" : "");
    return stage_query(w, fn, ctx, err);
}

enum err_code stage_doubles(struct worker *w, const struct stage_key *key, stage_row_fn *fn,
                            void *ctx, struct err *err)
{
    strbuf_reset(&w->sql);
    strbuf_addstr(&w->sql, "SELECT GROUP_CONCAT(" ROW_NUMBER " ORDER BY " ROW_NUMBER ") FROM ");
    stage_add_name(&w->sql, w->run);
    strbuf_addf(&w->sql, " WHERE %s GROUP BY %s HAVING COUNT(*)>1", key->not_null, key->group);
    return stage_query(w, fn, ctx, err);
}

enum err_code stage_rows(struct worker *w, const char *rows, stage_row_fn *fn, void *ctx,
                         struct err *err)
{
    strbuf_reset(&w->sql);
    strbuf_addf(&w->sql, "SELECT %s FROM ", w->table->stage->staged_list);
    stage_add_name(&w->sql, w->run);
    strbuf_addf(&w->sql, " WHERE " ROW_NUMBER " IN (%s)", rows);
    return stage_query(w, fn, ctx, err);
}

enum err_code stage_delete(struct worker *w, const struct stage_join *join, uint64_t *deleted,
                           struct err *err)
{
    if (stage_prefix_serves(w, join))
        return stage_prefix_delete(w, join, deleted, err);
    add_verb(w, "DELETE");
    strbuf_addstr(&w->sql, "t FROM ");
    add_join(w, join->key, join->rows);
    return conn_exec(w->conn, w->sql.str, w->sql.len, deleted, err);
}
