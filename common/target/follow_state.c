#include "common/target/follow_state.h"

#include "common/target/follow_log.h"

#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/target/target_inner.h"

#include <inttypes.h>
#include <stdlib.h>

#define FOLLOW_FORMAT 1 /* of the tables; a newer one is refused */
#define ROWS_A_STATEMENT 200

/* clang-format off */
static const struct state_made follow_tables[] = {
    {FOLLOW_LOG_TABLE, FOLLOW_LOG_COLUMNS},
    {"follow",
     "job BIGINT UNSIGNED NOT NULL,"
     "format INT NOT NULL,"
     "vendor VARCHAR(64) NOT NULL,"
     "version VARCHAR(128) NOT NULL,"
     "uuid VARCHAR(64) NULL,"
     "host VARCHAR(255) NULL,"
     "filters LONGTEXT NOT NULL,"
     "start_file VARCHAR(512) NULL,"
     "start_pos BIGINT UNSIGNED NOT NULL,"
     "start_gtids LONGTEXT NOT NULL,"
     "stage VARCHAR(32) NOT NULL,"
     "file VARCHAR(512) NOT NULL,"
     "pos BIGINT UNSIGNED NOT NULL,"
     "gtids LONGTEXT NOT NULL,"
     "source_time BIGINT UNSIGNED NOT NULL,"
     "transactions BIGINT UNSIGNED NOT NULL,"
     "changes BIGINT UNSIGNED NOT NULL,"
     "owner VARCHAR(128) NOT NULL,"
     "beat DATETIME(6) NULL,"
     "created_at DATETIME NOT NULL,"
     "PRIMARY KEY (job) /*T![clustered_index] CLUSTERED */"},
    {"follow_epoch",
     "job BIGINT UNSIGNED NOT NULL,"
     "epoch INT UNSIGNED NOT NULL,"
     "from_file VARCHAR(512) NOT NULL,"
     "from_pos BIGINT UNSIGNED NOT NULL,"
     "from_gtids LONGTEXT NOT NULL,"
     "to_file VARCHAR(512) NOT NULL,"
     "to_pos BIGINT UNSIGNED NOT NULL,"
     "to_gtids LONGTEXT NOT NULL,"
     "PRIMARY KEY (job, epoch) /*T![clustered_index] CLUSTERED */"},
    {"follow_table",
     "job BIGINT UNSIGNED NOT NULL,"
     "db VARCHAR(64) NOT NULL,"
     "name VARCHAR(64) NOT NULL,"
     "to_db VARCHAR(64) NOT NULL,"
     "to_name VARCHAR(64) NOT NULL,"
     "from_epoch INT UNSIGNED NOT NULL,"
     "to_epoch INT UNSIGNED NOT NULL,"
     "left_out TINYINT NOT NULL,"
     "definition LONGTEXT NOT NULL,"
     "PRIMARY KEY (job, db, name) /*T![clustered_index] CLUSTERED */"},
    {"follow_ddl",
     "job BIGINT UNSIGNED NOT NULL,"
     "file VARCHAR(512) NOT NULL,"
     "pos BIGINT UNSIGNED NOT NULL,"
     "step INT UNSIGNED NOT NULL,"
     "begun TINYINT NOT NULL,"
     "done TINYINT NOT NULL,"
     "PRIMARY KEY (job) /*T![clustered_index] CLUSTERED */"},
};
/* clang-format on */
#define FOLLOW_TABLES (sizeof follow_tables / sizeof follow_tables[0])

static char *cell_dup(const struct row *row, unsigned i)
{
    return row->cell[i] ? xstrndup(row->cell[i], row->len[i]) : NULL;
}

static char *cell_text(const struct row *row, unsigned i)
{
    char *text = cell_dup(row, i);

    return text ? text : xstrdup("");
}

static void add_nullable(struct strbuf *sql, const char *text)
{
    if (text)
        strbuf_add_quotedz(sql, text);
    else
        strbuf_addstr(sql, "NULL");
}

static void add_text(struct strbuf *sql, const char *text)
{
    strbuf_add_quotedz(sql, text ? text : "");
}

/* ---- the load ---- */

void follow_job_release(struct follow_job *j)
{
    free(j->dump_uuid);
    free(j->renames);
    free(j->options);
    *j = (struct follow_job){0};
}

struct job_reader {
    struct follow_job *job;
    uint64_t number, count;
};

static enum err_code job_row(void *ctx, const struct row *row, struct err *err)
{
    struct job_reader *r = ctx;

    if (state_cell_u64(row, 0, &r->number, err))
        return err->code;
    if (!state_cell_job(row, 1, &r->job->state))
        return err_set(err, ERR_LOAD_STATE, "the job's state on the target is not known");
    follow_job_release(r->job);
    (void)state_cell_job(row, 1, &r->job->state);
    r->job->dump_uuid = cell_text(row, 2);
    r->job->renames = cell_text(row, 3);
    r->job->options = cell_text(row, 4);
    r->job->others = r->count++;
    return ERR_OK;
}

static enum err_code sums_row(void *ctx, const struct row *row, struct err *err)
{
    struct follow_job *j = ctx;

    if (state_cell_u64(row, 0, &j->ignored, err))
        return err->code;
    return state_cell_u64(row, 1, &j->skipped, err);
}

static enum err_code job_sums(struct conn *c, const struct state *s, struct follow_job *j,
                              struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "SELECT COALESCE(SUM(ignored),0),COALESCE(SUM(skipped),0) FROM ");
    state_add_name(&sql, s, "chunk");
    strbuf_addf(&sql, " WHERE job=%" PRIu64, s->job);
    rc = conn_rows(c, &sql, sums_row, j, err);
    strbuf_release(&sql);
    return rc;
}

enum err_code follow_job_find(struct conn *c, const struct follow_which *which, struct state *s,
                              struct follow_job *job, struct err *err)
{
    struct job_reader r = {.job = job};
    struct strbuf sql = {0};
    enum err_code rc = state_look(c, which->schema, s, err);

    if (rc)
        return rc;
    *job = (struct follow_job){0};
    strbuf_addstr(&sql, "SELECT job,state,dump_uuid,renames,options FROM ");
    state_add_name(&sql, s, "job");
    strbuf_addstr(&sql, " WHERE purpose='load'");
    if (which->dump_uuid) {
        strbuf_addstr(&sql, " AND dump_uuid=");
        strbuf_add_quotedz(&sql, which->dump_uuid);
    }
    if (which->renames) {
        strbuf_addstr(&sql, " AND renames_sha256=SHA2(");
        strbuf_add_quotedz(&sql, which->renames);
        strbuf_addstr(&sql, ",256)");
    }
    strbuf_addstr(&sql, " ORDER BY job"); /* the last one stays */
    rc = conn_rows(c, &sql, job_row, &r, err);
    strbuf_release(&sql);
    if (!rc && !r.number)
        rc = err_set(err, ERR_LOAD_STATE, "no such load has left a state in `%s`", s->schema);
    s->job = r.number;
    if (!rc)
        rc = job_sums(c, s, job, err);
    if (rc)
        follow_job_release(job);
    return rc;
}

/* ---- what is followed ---- */

enum err_code follow_state_create(struct conn *c, const struct state *s, struct err *err)
{
    return state_make_tables(c, s, follow_tables, FOLLOW_TABLES, err);
}

void follow_origin_release(struct follow_origin *o)
{
    free(o->vendor);
    free(o->version);
    free(o->uuid);
    free(o->host);
    free(o->filters);
    free(o->file);
    free(o->gtids);
    *o = (struct follow_origin){0};
}

struct origin_reader {
    struct follow_origin *origin;
    bool found;
};

static enum err_code origin_row(void *ctx, const struct row *row, struct err *err)
{
    struct origin_reader *r = ctx;
    struct follow_origin *o = r->origin;
    uint64_t format = 0, offset = 0;

    if (state_cell_u64(row, 0, &format, err) || state_cell_u64(row, 7, &offset, err))
        return err->code;
    if (format != FOLLOW_FORMAT)
        return err_set(err, ERR_LOAD_STATE,
                       "the follower's state on the target has format %" PRIu64
                       ": another version of ferry wrote it",
                       format);
    follow_origin_release(o);
    *o = (struct follow_origin){.vendor = cell_text(row, 1),
                                .version = cell_text(row, 2),
                                .uuid = cell_dup(row, 3),
                                .host = cell_dup(row, 4),
                                .filters = cell_text(row, 5),
                                .file = cell_dup(row, 6),
                                .offset = offset,
                                .gtids = cell_text(row, 8)};
    r->found = true;
    return ERR_OK;
}

enum err_code follow_origin_read(struct conn *c, const struct state *s, bool *found,
                                 struct follow_origin *o, struct err *err)
{
    struct origin_reader r = {.origin = o};
    struct strbuf sql = {0};
    enum err_code rc;

    *o = (struct follow_origin){0};
    strbuf_addstr(&sql, "SELECT format,vendor,version,uuid,host,filters,start_file,start_pos,"
                        "start_gtids FROM ");
    state_add_name(&sql, s, "follow");
    strbuf_addf(&sql, " WHERE job=%" PRIu64, s->job);
    rc = conn_rows(c, &sql, origin_row, &r, err);
    strbuf_release(&sql);
    if (rc)
        follow_origin_release(o);
    else
        *found = r.found;
    return rc;
}

enum err_code follow_state_clear(struct conn *c, const struct state *s, struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc = ERR_OK;

    for (size_t i = 0; !rc && i < FOLLOW_TABLES; i++) {
        strbuf_reset(&sql);
        strbuf_addstr(&sql, "DELETE FROM ");
        state_add_name(&sql, s, follow_tables[i].name);
        strbuf_addf(&sql, " WHERE job=%" PRIu64, s->job);
        rc = conn_exec(c, sql.str, sql.len, NULL, err);
    }
    strbuf_release(&sql);
    return rc;
}

enum err_code follow_epoch_add(struct conn *c, const struct state *s, const struct follow_epoch *e,
                               struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "REPLACE INTO ");
    state_add_name(&sql, s, "follow_epoch");
    strbuf_addf(&sql, " VALUES (%" PRIu64 ",%u,", s->job, e->epoch);
    add_text(&sql, e->from_file);
    strbuf_addf(&sql, ",%" PRIu64 ",", e->from_offset);
    add_text(&sql, e->from_gtids);
    strbuf_addch(&sql, ',');
    add_text(&sql, e->to_file);
    strbuf_addf(&sql, ",%" PRIu64 ",", e->to_offset);
    add_text(&sql, e->to_gtids);
    strbuf_addch(&sql, ')');
    rc = conn_exec(c, sql.str, sql.len, NULL, err);
    strbuf_release(&sql);
    return rc;
}

static void row_sql(const struct state *s, const struct follow_row *row, struct strbuf *sql)
{
    const char *const texts[] = {row->db, row->name, row->to_db, row->to_name};

    strbuf_addf(sql, "(%" PRIu64, s->job);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        strbuf_addch(sql, ',');
        add_text(sql, texts[i]);
    }
    strbuf_addf(sql, ",%u,%u,%d,", row->from, row->to, row->left_out ? 1 : 0);
    add_text(sql, row->definition);
    strbuf_addch(sql, ')');
}

enum err_code follow_rows_add(struct conn *c, const struct state *s, const struct follow_row *rows,
                              size_t count, struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc = ERR_OK;

    for (size_t i = 0; !rc && i < count; i++) {
        if (sql.len == 0) {
            strbuf_addstr(&sql, "REPLACE INTO ");
            state_add_name(&sql, s, "follow_table");
            strbuf_addstr(&sql, " (job,db,name,to_db,to_name,from_epoch,to_epoch,left_out,"
                                "definition) VALUES ");
        } else {
            strbuf_addch(&sql, ',');
        }
        row_sql(s, &rows[i], &sql);
        if (i + 1 == count || (i + 1) % ROWS_A_STATEMENT == 0) {
            rc = conn_exec(c, sql.str, sql.len, NULL, err);
            strbuf_reset(&sql);
        }
    }
    strbuf_release(&sql);
    return rc;
}

enum err_code follow_origin_add(struct conn *c, const struct state *s,
                                const struct follow_origin *o, struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "REPLACE INTO ");
    state_add_name(&sql, s, "follow");
    strbuf_addf(&sql,
                " (job,format,vendor,version,uuid,host,filters,start_file,start_pos,start_gtids,"
                "stage,file,pos,gtids,source_time,transactions,changes,owner,created_at) VALUES "
                "(%" PRIu64 ",%d,",
                s->job, FOLLOW_FORMAT);
    add_text(&sql, o->vendor);
    strbuf_addch(&sql, ',');
    add_text(&sql, o->version);
    strbuf_addch(&sql, ',');
    add_nullable(&sql, o->uuid);
    strbuf_addch(&sql, ',');
    add_nullable(&sql, o->host);
    strbuf_addch(&sql, ',');
    add_text(&sql, o->filters);
    strbuf_addch(&sql, ',');
    add_nullable(&sql, o->file);
    strbuf_addf(&sql, ",%" PRIu64 ",", o->offset);
    add_text(&sql, o->gtids);
    strbuf_addstr(&sql, ",'begun','',0,'',0,0,0,");
    add_text(&sql, s->owner);
    strbuf_addstr(&sql, ",UTC_TIMESTAMP())");
    rc = conn_exec(c, sql.str, sql.len, NULL, err);
    strbuf_release(&sql);
    return rc;
}

struct epoch_reader {
    follow_epoch_fn *fn;
    void *ctx;
};

static enum err_code epoch_row(void *ctx, const struct row *row, struct err *err)
{
    const struct epoch_reader *r = ctx;
    char *texts[4] = {cell_text(row, 1), cell_text(row, 3), cell_text(row, 4), cell_text(row, 6)};
    struct follow_epoch e = {
        .from_file = texts[0], .from_gtids = texts[1], .to_file = texts[2], .to_gtids = texts[3]};
    uint64_t epoch = 0;
    enum err_code rc = state_cell_u64(row, 0, &epoch, err);

    if (!rc)
        rc = state_cell_u64(row, 2, &e.from_offset, err);
    if (!rc)
        rc = state_cell_u64(row, 5, &e.to_offset, err);
    e.epoch = (unsigned)epoch;
    if (!rc)
        rc = r->fn(r->ctx, &e, err);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        free(texts[i]);
    return rc;
}

enum err_code follow_epochs_read(struct conn *c, const struct state *s, follow_epoch_fn *fn,
                                 void *ctx, struct err *err)
{
    struct epoch_reader r = {fn, ctx};
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "SELECT epoch,from_file,from_pos,from_gtids,to_file,to_pos,to_gtids FROM ");
    state_add_name(&sql, s, "follow_epoch");
    strbuf_addf(&sql, " WHERE job=%" PRIu64 " ORDER BY epoch", s->job);
    rc = conn_rows(c, &sql, epoch_row, &r, err);
    strbuf_release(&sql);
    return rc;
}

struct table_reader {
    follow_row_fn *fn;
    void *ctx;
};

static enum err_code table_row(void *ctx, const struct row *row, struct err *err)
{
    const struct table_reader *r = ctx;
    char *texts[5] = {cell_text(row, 0), cell_text(row, 1), cell_text(row, 2), cell_text(row, 3),
                      cell_text(row, 7)};
    struct follow_row t = {.db = texts[0],
                           .name = texts[1],
                           .to_db = texts[2],
                           .to_name = texts[3],
                           .definition = texts[4]};
    uint64_t numbers[3] = {0};
    enum err_code rc = ERR_OK;

    for (unsigned i = 0; !rc && i < 3; i++)
        rc = state_cell_u64(row, 4 + i, &numbers[i], err);
    t.from = (unsigned)numbers[0];
    t.to = (unsigned)numbers[1];
    t.left_out = numbers[2] != 0;
    if (!rc)
        rc = r->fn(r->ctx, &t, err);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        free(texts[i]);
    return rc;
}

enum err_code follow_rows_read(struct conn *c, const struct state *s, follow_row_fn *fn, void *ctx,
                               struct err *err)
{
    struct table_reader r = {fn, ctx};
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql,
                  "SELECT db,name,to_db,to_name,from_epoch,to_epoch,left_out,definition FROM ");
    state_add_name(&sql, s, "follow_table");
    strbuf_addf(&sql, " WHERE job=%" PRIu64 " ORDER BY db,name", s->job);
    rc = conn_rows(c, &sql, table_row, &r, err);
    strbuf_release(&sql);
    return rc;
}

enum err_code follow_beat(struct conn *c, const struct state *s, const struct follow_beat *b,
                          struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "UPDATE ");
    state_add_name(&sql, s, "follow");
    strbuf_addstr(&sql, " SET beat=UTC_TIMESTAMP(6),stage=");
    add_text(&sql, b->stage);
    strbuf_addstr(&sql, ",owner=");
    add_text(&sql, s->owner);
    strbuf_addstr(&sql, ",file=");
    add_text(&sql, b->file);
    strbuf_addf(&sql, ",pos=%" PRIu64 ",gtids=", b->offset);
    add_text(&sql, b->gtids);
    strbuf_addf(&sql,
                ",source_time=%" PRIu32 ",transactions=%" PRIu64 ",changes=%" PRIu64
                " WHERE job=%" PRIu64,
                b->source_time, b->transactions, b->rows, s->job);
    rc = conn_exec(c, sql.str, sql.len, NULL, err);
    strbuf_release(&sql);
    return rc;
}

void follow_view_release(struct follow_view *v)
{
    free(v->stage);
    free(v->file);
    free(v->gtids);
    free(v->owner);
    *v = (struct follow_view){0};
}

bool follow_view_at_rest(const struct follow_view *v)
{
    return strcmp(v->stage, FOLLOW_GOING) != 0 && strcmp(v->stage, FOLLOW_CLOSE) != 0 &&
           strcmp(v->stage, FOLLOW_BROKEN) != 0 && strcmp(v->stage, "begun") != 0;
}

static enum err_code view_row(void *ctx, const struct row *row, struct err *err)
{
    struct follow_view *v = ctx;
    uint64_t now = 0;

    if (state_cell_u64(row, 2, &v->offset, err) || state_cell_u64(row, 4, &v->source_time, err) ||
        state_cell_u64(row, 5, &v->transactions, err) || state_cell_u64(row, 6, &v->rows, err) ||
        state_cell_u64(row, 8, &v->age_us, err) || state_cell_u64(row, 9, &now, err))
        return err->code;
    v->behind_s = v->source_time ? (int64_t)now - (int64_t)v->source_time : 0;
    v->stage = cell_text(row, 0);
    v->file = cell_text(row, 1);
    v->gtids = cell_text(row, 3);
    v->owner = cell_text(row, 7);
    return ERR_OK;
}

enum err_code follow_view_read(struct conn *c, const struct state *s, bool *found,
                               struct follow_view *v, struct err *err)
{
    struct strbuf sql = {0};
    char *there = NULL;
    enum err_code rc;

    *v = (struct follow_view){0};
    strbuf_addstr(&sql, "SELECT 1 FROM information_schema.tables WHERE table_name='follow' AND "
                        "table_schema=");
    strbuf_add_quotedz(&sql, s->schema);
    rc = conn_value(c, strbuf_str(&sql), &there, err);
    strbuf_reset(&sql);
    strbuf_addstr(&sql, "SELECT stage,file,pos,gtids,source_time,transactions,changes,owner,"
                        "COALESCE(TIMESTAMPDIFF(MICROSECOND,beat,UTC_TIMESTAMP(6)),0),"
                        "UNIX_TIMESTAMP() FROM ");
    state_add_name(&sql, s, "follow");
    strbuf_addf(&sql, " WHERE job=%" PRIu64, s->job);
    if (!rc && there)
        rc = conn_rows(c, &sql, view_row, v, err);
    strbuf_release(&sql);
    free(there);
    if (!rc)
        *found = v->stage != NULL;
    return rc;
}

/* ---- DDL ---- */

void follow_ddl_release(struct follow_ddl *d)
{
    free(d->file);
    *d = (struct follow_ddl){0};
}

static enum err_code ddl_row(void *ctx, const struct row *row, struct err *err)
{
    struct follow_ddl *d = ctx;
    uint64_t step = 0, begun = 0, done = 0;

    if (state_cell_u64(row, 1, &d->offset, err) || state_cell_u64(row, 2, &step, err) ||
        state_cell_u64(row, 3, &begun, err) || state_cell_u64(row, 4, &done, err))
        return err->code;
    free(d->file);
    d->file = cell_text(row, 0);
    d->steps_done = (unsigned)step;
    d->begun = begun != 0;
    d->done = done != 0;
    return ERR_OK;
}

enum err_code follow_ddl_read(struct conn *c, const struct state *s, struct follow_ddl *d,
                              struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    *d = (struct follow_ddl){0};
    strbuf_addstr(&sql, "SELECT file,pos,step,begun,done FROM ");
    state_add_name(&sql, s, "follow_ddl");
    strbuf_addf(&sql, " WHERE job=%" PRIu64, s->job);
    rc = conn_rows(c, &sql, ddl_row, d, err);
    strbuf_release(&sql);
    if (rc)
        follow_ddl_release(d);
    return rc;
}

enum err_code follow_ddl_note(struct conn *c, const struct state *s, const struct follow_ddl *d,
                              struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "REPLACE INTO ");
    state_add_name(&sql, s, "follow_ddl");
    strbuf_addf(&sql, " (job,file,pos,step,begun,done) VALUES (%" PRIu64 ",", s->job);
    add_text(&sql, d->file);
    strbuf_addf(&sql, ",%" PRIu64 ",%u,%d,%d)", d->offset, d->steps_done, d->begun ? 1 : 0,
                d->done ? 1 : 0);
    rc = conn_exec(c, sql.str, sql.len, NULL, err);
    strbuf_release(&sql);
    return rc;
}

static enum err_code row_remove(struct conn *c, const struct state *s, const struct follow_row *row,
                                struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "DELETE FROM ");
    state_add_name(&sql, s, "follow_table");
    strbuf_addf(&sql, " WHERE job=%" PRIu64 " AND db=", s->job);
    add_text(&sql, row->db);
    strbuf_addstr(&sql, " AND name=");
    add_text(&sql, row->name);
    rc = conn_exec(c, sql.str, sql.len, NULL, err);
    strbuf_release(&sql);
    return rc;
}

enum err_code follow_ddl_done(struct conn *c, const struct state *s, const struct follow_ddl *d,
                              const struct follow_changes *changes, struct err *err)
{
    enum err_code rc = conn_execz(c, "BEGIN", err);

    for (size_t i = 0; !rc && i < changes->gone_count; i++)
        rc = row_remove(c, s, &changes->gone[i], err);
    if (!rc)
        rc = follow_rows_add(c, s, changes->changed, changes->changed_count, err);
    if (!rc)
        rc = follow_ddl_note(c, s, d, err);
    return rc ? rc : conn_execz(c, "COMMIT", err);
}
