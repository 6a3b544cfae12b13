/* Which tables of a target are whose, so that two jobs never fill the same one:
 *
 *   migrate_table (db_name, name, job, id, host, PK (db_name, name))
 *
 * in the schema that keeps the loads' progress. `id` is the job's own; `job` and `host` are for
 * people. Rows go when the job is done or deleted. Where the target does not mind case, names are
 * written in lower case. */
#include "migrate/job.h"

#include "common/mysql/ident.h"
#include "common/mysql/route.h"
#include "common/mysql/same_server.h"
#include "common/schema/read.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SCHEMA_DEFAULT "ferry_meta"
#define TABLE_NAME "migrate_table"
#define BATCH 500
#define NAMED 5     /* tables in a message */
#define CONNECT_S 4 /* a request must not wait longer for both servers together than 10 s */

struct claiming {
    const struct job_run *run;
    const char *schema, *id;
    struct conn *source, *target;
    struct filter *filter;
    struct route *route;
    struct schema *model;
    bool folded; /* the target does not mind case */
};

static void add_table_name(struct strbuf *sql, const char *schema)
{
    strbuf_add_table(sql, schema, TABLE_NAME);
}

static enum err_code exec(struct conn *c, const struct strbuf *sql, uint64_t *affected,
                          struct err *err)
{
    return conn_exec(c, sql->str, sql->len, affected, err);
}

static enum err_code table_make(struct conn *c, const char *schema, struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "CREATE DATABASE IF NOT EXISTS ");
    strbuf_add_ident(&sql, schema);
    rc = exec(c, &sql, NULL, err);
    strbuf_reset(&sql);
    strbuf_addstr(&sql, "CREATE TABLE IF NOT EXISTS ");
    add_table_name(&sql, schema);
    strbuf_addstr(&sql,
                  " (db_name varchar(64) NOT NULL, name varchar(64) NOT NULL, job varchar(64) "
                  "NOT NULL, id char(32) NOT NULL, host varchar(255) NOT NULL, PRIMARY KEY "
                  "(db_name, name)) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
    if (!rc)
        rc = exec(c, &sql, NULL, err);
    strbuf_release(&sql);
    return rc;
}

static void add_word(struct strbuf *sql, const struct claiming *c, const char *text)
{
    strbuf_addstr(sql, c->folded ? "LOWER(" : "");
    strbuf_add_quotedz(sql, text);
    strbuf_addstr(sql, c->folded ? ")" : "");
}

/* ('db','name') of the target. */
static void add_pair(struct strbuf *sql, const struct claiming *c, const struct table *t)
{
    const char *db, *name;

    route_table(c->route, t->db, t->name, &db, &name);
    strbuf_addch(sql, '(');
    add_word(sql, c, db);
    strbuf_addch(sql, ',');
    add_word(sql, c, name);
}

static enum err_code batch_insert(const struct claiming *c, size_t from, size_t to, struct err *err)
{
    struct strbuf sql = {0};
    char host[256] = "";
    enum err_code rc;

    (void)gethostname(host, sizeof host - 1);
    strbuf_addstr(&sql, "INSERT IGNORE INTO ");
    add_table_name(&sql, c->schema);
    strbuf_addstr(&sql, " (db_name, name, job, id, host) VALUES ");
    for (size_t i = from; i < to; i++) {
        strbuf_addstr(&sql, i > from ? "," : "");
        add_pair(&sql, c, &c->model->tables[i]);
        strbuf_addch(&sql, ',');
        strbuf_add_quotedz(&sql, c->run->home->name);
        strbuf_addch(&sql, ',');
        strbuf_add_quotedz(&sql, c->id);
        strbuf_addch(&sql, ',');
        strbuf_add_quotedz(&sql, host);
        strbuf_addch(&sql, ')');
    }
    rc = exec(c->target, &sql, NULL, err);
    strbuf_release(&sql);
    return rc;
}

struct others {
    struct strbuf names;
    unsigned count;
};

static enum err_code other_take(void *ctx, const struct row *row, struct err *err)
{
    struct others *o = ctx;

    (void)err;
    if (++o->count > NAMED)
        return ERR_OK;
    strbuf_addf(&o->names, "%s%.*s.%.*s (job '%.*s' on %.*s)", o->count > 1 ? ", " : "",
                (int)row->len[0], row->cell[0], (int)row->len[1], row->cell[1], (int)row->len[2],
                row->cell[2], (int)row->len[3], row->cell[3]);
    return ERR_OK;
}

static enum err_code batch_look(const struct claiming *c, size_t from, size_t to, struct others *o,
                                struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "SELECT db_name, name, job, host FROM ");
    add_table_name(&sql, c->schema);
    strbuf_addstr(&sql, " WHERE id <> ");
    strbuf_add_quotedz(&sql, c->id);
    strbuf_addstr(&sql, " AND (db_name, name) IN (");
    for (size_t i = from; i < to; i++) {
        strbuf_addstr(&sql, i > from ? "," : "");
        add_pair(&sql, c, &c->model->tables[i]);
        strbuf_addch(&sql, ')');
    }
    strbuf_addch(&sql, ')');
    rc = conn_rows(c->target, &sql, other_take, o, err);
    strbuf_release(&sql);
    return rc;
}

static enum err_code forget(struct conn *c, const char *schema, const char *id, struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "DELETE FROM ");
    add_table_name(&sql, schema);
    strbuf_addstr(&sql, " WHERE id = ");
    strbuf_add_quotedz(&sql, id);
    rc = exec(c, &sql, NULL, err);
    strbuf_release(&sql);
    return rc;
}

/* Each writes its names first and looks then: of two at once at least one sees the other. */
static enum err_code tables_claim(const struct claiming *c, struct err *err)
{
    struct others others = {0};
    struct err back = ERR_INIT;
    enum err_code rc = table_make(c->target, c->schema, err);

    for (size_t i = 0; !rc && i < c->model->table_count; i += BATCH) {
        const size_t end = i + BATCH < c->model->table_count ? i + BATCH : c->model->table_count;

        rc = batch_insert(c, i, end, err);
        if (!rc)
            rc = batch_look(c, i, end, &others, err);
    }
    if (!rc && others.count) {
        rc = err_set(err, ERR_JOB_OVERLAP,
                     "on the target another job fills %s%s: %u tables in all. If that job's folder "
                     "is lost, remove its rows from %s." TABLE_NAME " by hand",
                     strbuf_str(&others.names), others.count > NAMED ? ", ..." : "", others.count,
                     c->schema);
        if (forget(c->target, c->schema, c->id, &back))
            rc = err_wrap(err, "(and the own rows in %s." TABLE_NAME " remain: %s)", c->schema,
                          back.msg);
    }
    strbuf_release(&others.names);
    return rc;
}

static enum err_code open_both(struct claiming *c, struct err *err)
{
    const struct job_spec *s = c->run->spec;
    struct server_url from = {0};
    struct server_url to = {0};
    enum err_code rc = c->run->resolve(s->source_url, "source", s->defaults_file, &from, err);

    if (!rc)
        rc = c->run->resolve(s->target_url, "target", s->defaults_file, &to, err);
    if (!rc && !from.connect_timeout)
        from.connect_timeout = CONNECT_S;
    if (!rc && !to.connect_timeout)
        to.connect_timeout = CONNECT_S;
    if (!rc)
        rc = conn_open(&from, CONN_SOURCE, "job", &c->source, err);
    if (!rc)
        rc = conn_open(&to, CONN_TARGET, "job", &c->target, err);
    server_url_release(&from);
    server_url_release(&to);
    return rc;
}

static enum err_code objects_make(struct claiming *c, struct err *err)
{
    const struct job_pairs *filters = &c->run->spec->filters;
    const struct job_pairs *renames = &c->run->spec->renames;
    const char **words = xcalloc(filters->count + renames->count + 1, sizeof *words);
    enum err_code rc;

    for (size_t i = 0; i < filters->count; i++)
        words[i] = filters->items[i].value;
    for (size_t i = 0; i < renames->count; i++)
        words[filters->count + i] = renames->items[i].value;
    rc = filter_new(words, filters->count, c->run->spec->case_sensitive, &c->filter, err);
    if (!rc)
        rc = route_new(words + filters->count, renames->count, &c->route, err);
    free(words);
    return rc;
}

/* By whatever names they go, and whatever the tables are called: at the cut-over the source becomes
 * read-only. */
static enum err_code two_servers(const struct claiming *c, struct err *err)
{
    bool same = false;

    if (server_same(c->source, c->target, &same, err))
        return err->code;
    return same ? err_set(err, ERR_JOB_SAME, "[source] and [target] lead to one server, %s",
                          c->run->spec->source_url)
                : ERR_OK;
}

enum err_code job_claim(const struct job_run *run, const char *id, struct err *err)
{
    const char *schema = run->spec->meta_schema ? run->spec->meta_schema : SCHEMA_DEFAULT;
    struct claiming c = {.run = run, .schema = schema, .id = id};
    char *folded = NULL;
    enum err_code rc = objects_make(&c, err);

    if (!rc)
        rc = open_both(&c, err);
    if (!rc)
        rc = two_servers(&c, err);
    if (!rc)
        rc = conn_value(c.target, "SELECT @@lower_case_table_names", &folded, err);
    if (!rc) {
        c.folded = folded && strcmp(folded, "0") != 0;
        rc = schema_read(c.source, c.filter, &c.model, err);
    }
    if (!rc && !c.model->table_count)
        rc = err_set(err, ERR_DUMP_NO_TABLES, "no table of the source matches [objects]");
    if (!rc)
        rc = tables_claim(&c, err);
    free(folded);
    schema_free(c.model);
    route_free(c.route);
    filter_free(c.filter);
    conn_close(c.source);
    conn_close(c.target);
    return rc;
}

/* ---- taking it back ---- */

/* "1,2,3" */
static enum err_code id_take(void *ctx, const struct row *row, struct err *err)
{
    struct strbuf *ids = ctx;

    (void)err;
    strbuf_addf(ids, "%s%.*s", ids->len ? "," : "", (int)row->len[0], row->cell[0]);
    return ERR_OK;
}

static enum err_code jobs_find(struct conn *c, const struct job_release *r, const char *schema,
                               struct strbuf *ids, struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "SELECT job FROM ");
    strbuf_add_table(&sql, schema, "job");
    strbuf_addstr(&sql, " WHERE dump_uuid = ");
    strbuf_add_quotedz(&sql, r->dump_uuid ? r->dump_uuid : "-");
    strbuf_addf(&sql, " OR job = %llu", (unsigned long long)r->target_job);
    rc = conn_rows(c, &sql, id_take, ids, err);
    strbuf_release(&sql);
    return rc;
}

struct name_list {
    char **items;
    size_t count;
};

static enum err_code name_take(void *ctx, const struct row *row, struct err *err)
{
    struct name_list *l = ctx;

    (void)err;
    l->items = xreallocarray(l->items, l->count + 1, sizeof *l->items);
    l->items[l->count++] = xstrndup(row->cell[0], row->len[0]);
    return ERR_OK;
}

/* Every table of the state that has a number of a job; `job` itself last, so that what was cut off
 * can be said again. */
static enum err_code tables_with_jobs(struct conn *c, const char *schema, struct name_list *l,
                                      struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "SELECT TABLE_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ");
    strbuf_add_quotedz(&sql, schema);
    strbuf_addstr(&sql, " AND COLUMN_NAME = 'job' AND DATA_TYPE = 'bigint' "
                        "ORDER BY TABLE_NAME = 'job', TABLE_NAME");
    rc = conn_rows(c, &sql, name_take, l, err);
    strbuf_release(&sql);
    return rc;
}

static enum err_code rows_remove(struct conn *c, const char *schema, const char *table,
                                 const char *ids, struct err *err)
{
    struct strbuf sql = {0};
    uint64_t affected = 1;
    enum err_code rc = ERR_OK;

    strbuf_addstr(&sql, "DELETE FROM ");
    strbuf_add_table(&sql, schema, table);
    strbuf_addf(&sql, " WHERE job IN (%s) LIMIT 5000", ids);
    while (!rc && affected > 0)
        rc = exec(c, &sql, &affected, err);
    strbuf_release(&sql);
    return rc;
}

static enum err_code state_remove(struct conn *c, const struct job_release *r, const char *schema,
                                  struct err *err)
{
    struct name_list tables = {0};
    struct strbuf ids = {0};
    enum err_code rc = tables_with_jobs(c, schema, &tables, err);

    if (!rc && tables.count)
        rc = jobs_find(c, r, schema, &ids, err);
    for (size_t i = 0; !rc && ids.len && i < tables.count; i++)
        rc = rows_remove(c, schema, tables.items[i], strbuf_str(&ids), err);
    for (size_t i = 0; i < tables.count; i++)
        free(tables.items[i]);
    free(tables.items);
    strbuf_release(&ids);
    return rc;
}

/* The table of claims, if it is there. */
static enum err_code claims_there(struct conn *c, const char *schema, bool *there, struct err *err)
{
    struct strbuf sql = {0};
    char *value = NULL;
    enum err_code rc;

    strbuf_addstr(&sql, "SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = ");
    strbuf_add_quotedz(&sql, schema);
    strbuf_addstr(&sql, " AND TABLE_NAME = '" TABLE_NAME "'");
    rc = conn_value(c, strbuf_str(&sql), &value, err);
    *there = value != NULL;
    free(value);
    strbuf_release(&sql);
    return rc;
}

enum err_code job_release(const struct server_url *target, const struct job_release *r,
                          struct err *err)
{
    const char *schema = r->schema ? r->schema : SCHEMA_DEFAULT;
    struct conn *c = NULL;
    bool there = false;
    enum err_code rc = conn_open(target, CONN_TARGET, "job", &c, err);

    if (!rc)
        rc = claims_there(c, schema, &there, err);
    if (!rc && there)
        rc = forget(c, schema, r->id, err);
    if (!rc && r->rows_too)
        rc = state_remove(c, r, schema, err);
    conn_close(c);
    return rc;
}
