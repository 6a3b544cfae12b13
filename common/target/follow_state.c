#include "common/target/follow_state.h"

#include "common/target/follow_cutover.h"
#include "common/target/follow_live.h"
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
    {FOLLOW_CUTOVER_TABLE, FOLLOW_CUTOVER_COLUMNS},
    {FOLLOW_LIVE_TABLE, FOLLOW_LIVE_COLUMNS},
    {FOLLOW_COUNT_TABLE, FOLLOW_COUNT_COLUMNS},
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
    {"follow_shape",
     "job BIGINT UNSIGNED NOT NULL,"
     "shape LONGTEXT NOT NULL,"
     "PRIMARY KEY (job) /*T![clustered_index] CLUSTERED */"},
};
/* clang-format on */
#define FOLLOW_TABLES (sizeof follow_tables / sizeof follow_tables[0])

static void add_nullable(struct strbuf *sql, const char *text)
{
    if (text)
        strbuf_add_quotedz(sql, text);
    else
        strbuf_addstr(sql, "NULL");
}

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
    *o = (struct follow_origin){.vendor = state_cell_str(row, 1),
                                .version = state_cell_str(row, 2),
                                .uuid = state_cell_dup(row, 3),
                                .host = state_cell_dup(row, 4),
                                .filters = state_cell_str(row, 5),
                                .file = state_cell_dup(row, 6),
                                .offset = offset,
                                .gtids = state_cell_str(row, 8)};
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
    state_add_text(&sql, e->from_file);
    strbuf_addf(&sql, ",%" PRIu64 ",", e->from_offset);
    state_add_text(&sql, e->from_gtids);
    strbuf_addch(&sql, ',');
    state_add_text(&sql, e->to_file);
    strbuf_addf(&sql, ",%" PRIu64 ",", e->to_offset);
    state_add_text(&sql, e->to_gtids);
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
        state_add_text(sql, texts[i]);
    }
    strbuf_addf(sql, ",%u,%u,%d,", row->from, row->to, row->left_out ? 1 : 0);
    state_add_text(sql, row->definition);
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
    state_add_text(&sql, o->vendor);
    strbuf_addch(&sql, ',');
    state_add_text(&sql, o->version);
    strbuf_addch(&sql, ',');
    add_nullable(&sql, o->uuid);
    strbuf_addch(&sql, ',');
    add_nullable(&sql, o->host);
    strbuf_addch(&sql, ',');
    state_add_text(&sql, o->filters);
    strbuf_addch(&sql, ',');
    add_nullable(&sql, o->file);
    strbuf_addf(&sql, ",%" PRIu64 ",", o->offset);
    state_add_text(&sql, o->gtids);
    strbuf_addstr(&sql, ",'begun','',0,'',0,0,0,");
    state_add_text(&sql, s->owner);
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
    char *texts[4] = {state_cell_str(row, 1), state_cell_str(row, 3), state_cell_str(row, 4),
                      state_cell_str(row, 6)};
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
    char *texts[5] = {state_cell_str(row, 0), state_cell_str(row, 1), state_cell_str(row, 2),
                      state_cell_str(row, 3), state_cell_str(row, 7)};
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
