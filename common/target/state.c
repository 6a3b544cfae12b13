/* The job and the lists of a load's state; claims are in claim.c. */
#include "common/target/state.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/target/target_inner.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STATE_FORMAT 3       /* of the tables; a newer one is refused */
#define ROWS_A_STATEMENT 500 /* of chunk and tbl */
#define JOB_TRIES 20
#define JOB_PAUSE_US 100000

static const char *const job_words[] = {"new", "schema done", "rows done", "done"};
static const char *const origin_words[] = {"found",    "creating", "created",
                                           "emptying", "emptied",  "dropping"};

/* clang-format off */
static const struct state_made state_tables[] = {
    {"job",
     "job BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,"
     "format INT NOT NULL,"
     "dump_uuid VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,"
     "renames LONGTEXT NOT NULL,"
     "renames_sha256 CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,"
     "purpose VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,"
     "state VARCHAR(16) NOT NULL,"
     "token BIGINT UNSIGNED NOT NULL,"
     "seq BIGINT UNSIGNED NOT NULL,"
     "stopped VARCHAR(64) NOT NULL,"
     "stopped_by VARCHAR(128) NOT NULL,"
     "owner VARCHAR(128) NOT NULL,"
     "options LONGTEXT NOT NULL,"
     "created_at DATETIME NOT NULL,"
     "finished_at DATETIME NULL,"
     "PRIMARY KEY (job) /*T![clustered_index] CLUSTERED */,"
     "UNIQUE KEY dump (dump_uuid, renames_sha256, purpose)"},
    {"chunk",
     "job BIGINT UNSIGNED NOT NULL,"
     "chunk BIGINT UNSIGNED NOT NULL,"
     "tbl BIGINT UNSIGNED NOT NULL,"
     "token BIGINT UNSIGNED NOT NULL,"
     "seq BIGINT UNSIGNED NOT NULL,"
     "state TINYINT NOT NULL,"
     "rows_done BIGINT UNSIGNED NOT NULL,"
     "raw_off BIGINT UNSIGNED NOT NULL,"
     "added BIGINT NOT NULL,"
     "identical BIGINT UNSIGNED NOT NULL,"
     "ignored BIGINT UNSIGNED NOT NULL,"
     "replaced BIGINT UNSIGNED NOT NULL,"
     "skipped BIGINT UNSIGNED NOT NULL,"
     "loader BIGINT UNSIGNED NOT NULL,"
     "conn BIGINT UNSIGNED NOT NULL,"
     "peer VARCHAR(128) NOT NULL,"
     "owner VARCHAR(128) NOT NULL,"
     "PRIMARY KEY (job, chunk) /*T![clustered_index] CLUSTERED */"},
    {"loader",
     "job BIGINT UNSIGNED NOT NULL,"
     "loader BIGINT UNSIGNED NOT NULL,"
     "state VARCHAR(16) NOT NULL,"
     "stage INT NOT NULL,"
     "alone TINYINT NOT NULL,"
     "beats BIGINT UNSIGNED NOT NULL,"
     "beat DATETIME(6) NOT NULL,"
     "lease_us BIGINT UNSIGNED NOT NULL,"
     "owner VARCHAR(128) NOT NULL,"
     "process TEXT NOT NULL,"
     "options LONGTEXT NOT NULL,"
     "conn BIGINT UNSIGNED NOT NULL,"
     "peer VARCHAR(128) NOT NULL,"
     "threads INT UNSIGNED NOT NULL,"
     "rows_done BIGINT UNSIGNED NOT NULL,"
     "bytes_done BIGINT UNSIGNED NOT NULL,"
     "row_rate BIGINT UNSIGNED NOT NULL,"
     "started_at DATETIME(6) NOT NULL,"
     "PRIMARY KEY (job, loader) /*T![clustered_index] CLUSTERED */"},
    {"tbl",
     "job BIGINT UNSIGNED NOT NULL,"
     "tbl BIGINT UNSIGNED NOT NULL,"
     "db_name VARCHAR(64) NOT NULL,"
     "name VARCHAR(64) NOT NULL,"
     "state VARCHAR(16) NOT NULL,"
     "target_id BIGINT UNSIGNED NOT NULL,"
     "PRIMARY KEY (job, tbl) /*T![clustered_index] CLUSTERED */"},
    {"conflict",
     "job BIGINT UNSIGNED NOT NULL,"
     "chunk BIGINT UNSIGNED NOT NULL,"
     "row_no BIGINT UNSIGNED NOT NULL,"
     "key_no INT UNSIGNED NOT NULL,"
     "kind VARCHAR(16) NOT NULL,"
     "done VARCHAR(16) NOT NULL,"
     "db_name VARCHAR(64) NOT NULL,"
     "name VARCHAR(64) NOT NULL,"
     "key_name VARCHAR(64) NULL,"
     "key_values LONGTEXT NULL,"
     "key_where LONGTEXT NULL,"
     "incoming LONGTEXT NOT NULL,"
     "existing LONGTEXT NULL,"
     "parts INT UNSIGNED NOT NULL,"
     "identical TINYINT NOT NULL,"
     "differs LONGTEXT NULL,"
     "words TEXT NULL,"
     "file TEXT NOT NULL,"
     "ord BIGINT UNSIGNED NOT NULL,"
     "at DATETIME NOT NULL,"
     "PRIMARY KEY (job, chunk, row_no, key_no) /*T![clustered_index] CLUSTERED */"},
    {"conflict_more",
     "job BIGINT UNSIGNED NOT NULL,"
     "chunk BIGINT UNSIGNED NOT NULL,"
     "row_no BIGINT UNSIGNED NOT NULL,"
     "key_no INT UNSIGNED NOT NULL,"
     "part INT UNSIGNED NOT NULL,"
     "existing LONGTEXT NOT NULL,"
     "PRIMARY KEY (job, chunk, row_no, key_no, part) /*T![clustered_index] CLUSTERED */"},
    {"ddl",
     "job BIGINT UNSIGNED NOT NULL,"
     "tbl BIGINT UNSIGNED NOT NULL,"
     "step VARCHAR(16) NOT NULL,"
     "number INT UNSIGNED NOT NULL,"
     "state VARCHAR(8) NOT NULL,"
     "PRIMARY KEY (job, tbl, step, number) /*T![clustered_index] CLUSTERED */"},
};
/* clang-format on */
#define STATE_TABLES (sizeof state_tables / sizeof state_tables[0])

void state_add_name(struct strbuf *sb, const struct state *s, const char *table)
{
    strbuf_add_table(sb, s->schema, table);
}

enum err_code state_make_tables(struct conn *c, const struct state *s,
                                const struct state_made *tables, size_t count, struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc = ERR_OK;

    for (size_t i = 0; !rc && i < count; i++) {
        strbuf_reset(&sql);
        strbuf_addstr(&sql, "CREATE TABLE IF NOT EXISTS ");
        state_add_name(&sql, s, tables[i].name);
        strbuf_addf(&sql, " (%s) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
                    tables[i].columns);
        rc = conn_exec(c, sql.str, sql.len, NULL, err);
    }
    strbuf_release(&sql);
    return rc;
}

enum err_code state_cell_u64(const struct row *row, unsigned i, uint64_t *out, struct err *err)
{
    char digits[24]; /* 20 digits of 2^64 - 1 and a NUL */
    char *end = digits;
    size_t len;

    if (i >= row->count || !row->cell[i] || row->len[i] >= sizeof digits)
        return err_set(err, ERR_LOAD_STATE, "a number in the state tables is missing");
    len = row->len[i];
    memcpy(digits, row->cell[i], len);
    digits[len] = '\0';
    *out = strtoull(digits, &end, 10);
    if (len == 0 || *end != '\0')
        return err_set(err, ERR_LOAD_STATE, "'%s' in the state tables is no number", digits);
    return ERR_OK;
}

enum err_code state_cell_counts(const struct row *row, unsigned i, struct chunk_counts *out,
                                struct err *err)
{
    bool minus = i < row->count && row->cell[i] && row->len[i] > 0 && row->cell[i][0] == '-';
    const char *digits = minus ? row->cell[i] + 1 : NULL;
    unsigned long len = minus ? row->len[i] - 1 : 0;
    const struct row positive = {&digits, &len, 1};
    uint64_t added = 0;

    if (state_cell_u64(minus ? &positive : row, minus ? 0 : i, &added, err) ||
        state_cell_u64(row, i + 1, &out->identical, err) ||
        state_cell_u64(row, i + 2, &out->ignored, err) ||
        state_cell_u64(row, i + 3, &out->replaced, err) ||
        state_cell_u64(row, i + 4, &out->skipped, err))
        return err->code;
    out->added = minus ? -(int64_t)added : (int64_t)added;
    return ERR_OK;
}

static enum err_code count_row(void *ctx, const struct row *row, struct err *err)
{
    return state_cell_u64(row, 0, ctx, err);
}

/* Whether all tables are there, so that an account without the right to create can go on. */
static enum err_code state_exists(struct conn *c, const struct state *s, bool *exists,
                                  struct err *err)
{
    struct strbuf sql = {0};
    uint64_t count = 0;
    enum err_code rc;

    strbuf_addstr(&sql, "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema=");
    strbuf_add_quotedz(&sql, s->schema);
    strbuf_addstr(&sql, " AND table_name IN (");
    for (size_t i = 0; i < STATE_TABLES; i++) {
        strbuf_addstr(&sql, i ? "," : "");
        strbuf_add_quotedz(&sql, state_tables[i].name);
    }
    strbuf_addch(&sql, ')');
    rc = conn_rows(c, &sql, count_row, &count, err);
    strbuf_release(&sql);
    if (!rc)
        *exists = count == STATE_TABLES;
    return rc;
}

/* How many rows of information_schema.`view` are of the state's schema and `which`. */
static enum err_code layout_count(struct conn *c, const struct state *s, const char *view,
                                  const char *which, uint64_t *count, struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addf(&sql, "SELECT COUNT(*) FROM information_schema.%s WHERE table_schema=", view);
    strbuf_add_quotedz(&sql, s->schema);
    strbuf_addf(&sql, " AND (%s)", which);
    rc = conn_rows(c, &sql, count_row, count, err);
    strbuf_release(&sql);
    return rc;
}

/* Tables that an older version made lack columns; nothing would go on from them rightly. The tables
 * are counted first, in a statement of its own: another loader may be making them right now, and
 * MariaDB looks at each part of a statement when it comes to it. */
static enum err_code state_layout(struct conn *c, const struct state *s, struct err *err)
{
    uint64_t tables = 0, columns = 0;
    enum err_code rc = layout_count(c, s, "tables", "table_name IN ('job','chunk')", &tables, err);

    if (!rc)
        rc = layout_count(c, s, "columns",
                          "(table_name='job' AND column_name='stopped') OR (table_name='chunk' AND "
                          "column_name='loader')",
                          &columns, err);
    if (!rc && columns < tables)
        return err_set(err, ERR_LOAD_STATE,
                       "the tables in `%s` were made by another version of ferry: finish their "
                       "loads with that one, or name another --meta-schema",
                       s->schema);
    return rc;
}

static enum err_code state_create(struct conn *c, const struct state *s, struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "CREATE DATABASE IF NOT EXISTS ");
    strbuf_add_ident(&sql, s->schema);
    rc = conn_exec(c, sql.str, sql.len, NULL, err);
    strbuf_release(&sql);
    return rc ? rc : state_make_tables(c, s, state_tables, STATE_TABLES, err);
}

static const char *purpose_word(const struct state_params *p)
{
    return p->check ? "check" : "load";
}

/* Makes the job's row unless it is there. *made says which. */
static enum err_code job_insert(struct conn *c, const struct state *s, const struct state_params *p,
                                bool *made, struct err *err)
{
    struct strbuf sql = {0};
    uint64_t affected = 0;
    enum err_code rc;

    strbuf_addstr(&sql, "INSERT IGNORE INTO ");
    state_add_name(&sql, s, "job");
    strbuf_addf(&sql,
                " (format,dump_uuid,renames,renames_sha256,purpose,state,token,seq,stopped,"
                "stopped_by,owner,options,created_at) VALUES (%d,",
                STATE_FORMAT);
    strbuf_add_quotedz(&sql, p->dump_uuid);
    strbuf_addch(&sql, ',');
    strbuf_add_quotedz(&sql, p->renames);
    strbuf_addstr(&sql, ",SHA2(");
    strbuf_add_quotedz(&sql, p->renames);
    strbuf_addf(&sql, ",256),'%s','%s',0,0,'','','',", purpose_word(p), job_words[JOB_NEW]);
    strbuf_add_quotedz(&sql, p->options ? p->options : "");
    strbuf_addstr(&sql, ",UTC_TIMESTAMP())");
    rc = conn_exec(c, sql.str, sql.len, &affected, err);
    strbuf_release(&sql);
    if (!rc)
        *made = affected == 1;
    return rc;
}

void state_cell_text(const struct row *row, unsigned i, char *out, size_t size)
{
    const size_t have = i < row->count && row->cell[i] ? row->len[i] : 0;
    const size_t len = have < size ? have : size - 1;

    if (len)
        memcpy(out, row->cell[i], len);
    out[len] = '\0';
}

bool state_cell_job(const struct row *row, unsigned i, enum job_state *out)
{
    for (unsigned k = 0; row->cell[i] && k <= JOB_DONE; k++)
        if (row->len[i] == strlen(job_words[k]) &&
            memcmp(row->cell[i], job_words[k], row->len[i]) == 0) {
            *out = (enum job_state)k;
            return true;
        }
    return false;
}

struct job_row {
    bool found;
    uint64_t job, token, seq, format;
    enum job_state state;
};

static enum err_code job_row(void *ctx, const struct row *row, struct err *err)
{
    struct job_row *j = ctx;
    bool known = false;

    if (state_cell_u64(row, 0, &j->job, err) || state_cell_u64(row, 1, &j->token, err) ||
        state_cell_u64(row, 2, &j->seq, err) || state_cell_u64(row, 3, &j->format, err))
        return err->code;
    known = state_cell_job(row, 4, &j->state);
    if (j->format != STATE_FORMAT || !known)
        return err_set(err, ERR_LOAD_STATE,
                       "the load's state on the target has format %" PRIu64
                       ": another version of ferry wrote it",
                       j->format);
    j->found = true;
    return ERR_OK;
}

static enum err_code job_read(struct conn *c, const struct state *s, const struct state_params *p,
                              struct job_row *j, struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "SELECT job,token,seq,format,state FROM ");
    state_add_name(&sql, s, "job");
    strbuf_addstr(&sql, " WHERE dump_uuid=");
    strbuf_add_quotedz(&sql, p->dump_uuid);
    strbuf_addstr(&sql, " AND renames_sha256=SHA2(");
    strbuf_add_quotedz(&sql, p->renames);
    strbuf_addf(&sql, ",256) AND purpose='%s'", purpose_word(p));
    *j = (struct job_row){0};
    rc = conn_rows(c, &sql, job_row, j, err);
    strbuf_release(&sql);
    return rc;
}

static enum err_code state_init(const struct state_params *p, struct state *s, struct err *err)
{
    const char *schema = p->schema ? p->schema : STATE_SCHEMA_DEFAULT;
    size_t len = strlen(schema);
    char host[64] = "?"; /* longer names are cut */

    *s = (struct state){0};
    if (len == 0 || len >= sizeof s->schema)
        return err_set(err, ERR_USAGE, "'%s' cannot be the name of the state's schema", schema);
    memcpy(s->schema, schema, len + 1);
    if (gethostname(host, sizeof host) == 0)
        host[sizeof host - 1] = '\0';
    (void)snprintf(s->owner, sizeof s->owner, "%s pid %ld", host, (long)getpid());
    return token_new(&s->token, err);
}

/* Finds the job's row, or makes it. INSERT IGNORE leaves out what it meets for a moment, too, when
 * several loaders begin at once: it is said again. */
static enum err_code job_open(struct conn *c, const struct state *s, const struct state_params *p,
                              struct job_row *j, bool *made, struct err *err)
{
    for (unsigned tries = 1;; tries++) {
        enum err_code rc = job_insert(c, s, p, made, err);

        if (!rc)
            rc = job_read(c, s, p, j, err);
        if (rc || j->found)
            return rc;
        if (tries == JOB_TRIES || !clock_sleep(JOB_PAUSE_US, NULL))
            return err_set(err, ERR_LOAD_STATE, "the load's row in `%s`.`job` is gone", s->schema);
    }
}

enum err_code state_open(struct conn *c, const struct state_params *p, struct state *s,
                         struct job_info *info, struct err *err)
{
    struct job_row job;
    bool exists = false, made = false;

    if (state_init(p, s, err) || state_exists(c, s, &exists, err) || state_layout(c, s, err))
        return err->code;
    if (!exists && state_create(c, s, err))
        return err_wrap(err, "making the load's state in `%s`", s->schema);
    if (job_open(c, s, p, &job, &made, err))
        return err->code;
    if (p->only_new && !made && job.token != 0)
        return err_set(err, ERR_LOAD_STATE,
                       "this dump's load has begun before (job %" PRIu64 " in `%s`)", job.job,
                       s->schema);
    s->job = job.job;
    *info = (struct job_info){.state = job.state, .resumed = job.token != 0};
    return ERR_OK;
}

enum err_code state_look(struct conn *c, const char *schema, struct state *s, struct err *err)
{
    const struct state_params p = {.schema = schema};
    bool exists = false;

    if (state_init(&p, s, err) || state_layout(c, s, err) || state_exists(c, s, &exists, err))
        return err->code;
    if (!exists)
        return err_set(err, ERR_LOAD_STATE,
                       "there is no state of a load in `%s` on the target: load the dump first",
                       s->schema);
    return ERR_OK;
}

static enum err_code found_row(void *ctx, const struct row *row, struct err *err)
{
    return row->cell[0] ? state_cell_u64(row, 0, ctx, err) : ERR_OK;
}

enum err_code state_find(struct conn *c, const char *schema, const char *dump_uuid, uint64_t job,
                         struct state *s, struct err *err)
{
    const struct state_params p = {.schema = schema};
    struct strbuf sql = {0};
    bool exists = false;
    uint64_t found = 0;
    enum err_code rc;

    if (state_init(&p, s, err) || state_exists(c, s, &exists, err))
        return err->code;
    if (!exists)
        return err_set(err, ERR_LOAD_STATE,
                       "there is no state of a load in `%s` on the target: load the dump first",
                       s->schema);
    strbuf_addstr(&sql, "SELECT MAX(job) FROM ");
    state_add_name(&sql, s, "job");
    strbuf_addstr(&sql, job ? " WHERE TRUE" : " WHERE purpose='load'");
    if (job)
        strbuf_addf(&sql, " AND job=%" PRIu64, job);
    if (dump_uuid) {
        strbuf_addstr(&sql, " AND dump_uuid=");
        strbuf_add_quotedz(&sql, dump_uuid);
    }
    rc = conn_rows(c, &sql, found_row, &found, err);
    strbuf_release(&sql);
    if (!rc && found == 0)
        return err_set(err, ERR_LOAD_STATE, "no such load has left a state in `%s`", s->schema);
    s->job = found;
    return rc;
}

static enum err_code state_fenced(const struct state *s, struct err *err)
{
    return err_set(err, ERR_LOAD_FENCED, "another process leads job %" PRIu64 " in `%s` now",
                   s->job, s->schema);
}

enum err_code state_check(struct conn *c, const struct state *s, struct err *err)
{
    struct strbuf sql = {0};
    uint64_t count = 0;
    enum err_code rc;

    strbuf_addstr(&sql, "SELECT COUNT(*) FROM ");
    state_add_name(&sql, s, "job");
    strbuf_addf(&sql, " WHERE job=%" PRIu64 " AND token=%" PRIu64, s->job, s->token);
    rc = conn_rows(c, &sql, count_row, &count, err);
    strbuf_release(&sql);
    if (!rc && count != 1)
        return state_fenced(s, err);
    return rc;
}

enum err_code state_set_job(struct conn *c, const struct state *s, enum job_state state,
                            struct err *err)
{
    struct strbuf sql = {0};
    uint64_t affected = 0;
    enum err_code rc;

    strbuf_addstr(&sql, "UPDATE ");
    state_add_name(&sql, s, "job");
    strbuf_addf(&sql, " SET state='%s',seq=seq+1%s WHERE job=%" PRIu64 " AND token=%" PRIu64,
                job_words[state], state == JOB_DONE ? ",finished_at=UTC_TIMESTAMP()" : "", s->job,
                s->token);
    rc = conn_exec(c, sql.str, sql.len, &affected, err);
    strbuf_release(&sql);
    if (!rc && affected != 1)
        return state_fenced(s, err);
    return rc;
}

enum err_code state_add_chunks(struct conn *c, const struct state *s,
                               const struct chunk_state *chunks, size_t count, struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc = ERR_OK;

    for (size_t i = 0; !rc && i < count; i++) {
        const struct chunk_state *k = &chunks[i];

        if (sql.len == 0) {
            strbuf_addstr(&sql, "INSERT IGNORE INTO ");
            state_add_name(&sql, s, "chunk");
            strbuf_addstr(&sql,
                          " (job,chunk,tbl,token,seq,state,rows_done,raw_off,added,"
                          "identical,ignored,replaced,skipped,loader,conn,peer,owner) VALUES ");
        } else {
            strbuf_addch(&sql, ',');
        }
        strbuf_addf(&sql,
                    "(%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",0,0,%d,%" PRIu64 ",%" PRIu64 ",%" PRId64
                    ",0,0,0,0,0,0,'','')",
                    s->job, k->chunk, k->table, k->done ? 1 : 0, k->rows_done, k->raw_off,
                    k->counts.added);
        if (i + 1 == count || (i + 1) % ROWS_A_STATEMENT == 0) {
            rc = conn_exec(c, sql.str, sql.len, NULL, err);
            strbuf_reset(&sql);
        }
    }
    strbuf_release(&sql);
    return rc;
}

enum err_code state_forget_chunks(struct conn *c, const struct state *s, struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "DELETE FROM ");
    state_add_name(&sql, s, "chunk");
    strbuf_addf(&sql, " WHERE job=%" PRIu64, s->job);
    rc = conn_exec(c, sql.str, sql.len, NULL, err);
    strbuf_release(&sql);
    return rc;
}

struct chunk_reader {
    state_chunk_fn *fn;
    void *ctx;
};

static enum err_code chunk_row(void *ctx, const struct row *row, struct err *err)
{
    struct chunk_reader *reader = ctx;
    struct chunk_state k = {0};
    uint64_t done = 0;

    if (state_cell_u64(row, 0, &k.chunk, err) || state_cell_u64(row, 1, &k.table, err) ||
        state_cell_u64(row, 2, &done, err) || state_cell_u64(row, 3, &k.rows_done, err) ||
        state_cell_u64(row, 4, &k.raw_off, err) || state_cell_counts(row, 5, &k.counts, err))
        return err->code;
    k.done = done != 0;
    return reader->fn(reader->ctx, &k, err);
}

enum err_code state_read_chunks(struct conn *c, const struct state *s, state_chunk_fn *fn,
                                void *ctx, struct err *err)
{
    struct chunk_reader reader = {fn, ctx};
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "SELECT chunk,tbl,state,rows_done,raw_off,"
                        "added,identical,ignored,replaced,skipped FROM ");
    state_add_name(&sql, s, "chunk");
    strbuf_addf(&sql, " WHERE job=%" PRIu64 " ORDER BY chunk", s->job);
    rc = conn_rows(c, &sql, chunk_row, &reader, err);
    strbuf_release(&sql);
    return rc;
}

struct table_reader {
    state_table_fn *fn;
    void *ctx;
};

static enum err_code table_row(void *ctx, const struct row *row, struct err *err)
{
    struct table_reader *reader = ctx;
    struct table_state t = {.origin = TABLE_FOUND};
    char *db, *name;
    enum err_code rc;

    if (state_cell_u64(row, 0, &t.table, err) || state_cell_u64(row, 4, &t.target_id, err))
        return err->code;
    if (!row->cell[1] || !row->cell[2] || !row->cell[3])
        return err_set(err, ERR_LOAD_STATE, "a table's row in the state is not whole");
    for (unsigned i = 0; i <= TABLE_DROPPING; i++)
        if (row->len[3] == strlen(origin_words[i]) &&
            memcmp(row->cell[3], origin_words[i], row->len[3]) == 0)
            t.origin = (enum table_origin)i;
    db = xstrndup(row->cell[1], row->len[1]);
    name = xstrndup(row->cell[2], row->len[2]);
    t.db = db;
    t.name = name;
    rc = reader->fn(reader->ctx, &t, err);
    free(name);
    free(db);
    return rc;
}

enum err_code state_read_tables(struct conn *c, const struct state *s, state_table_fn *fn,
                                void *ctx, struct err *err)
{
    struct table_reader reader = {fn, ctx};
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "SELECT tbl,db_name,name,state,target_id FROM ");
    state_add_name(&sql, s, "tbl");
    strbuf_addf(&sql, " WHERE job=%" PRIu64, s->job);
    rc = conn_rows(c, &sql, table_row, &reader, err);
    strbuf_release(&sql);
    return rc;
}

enum err_code state_put_tables(struct conn *c, const struct state *s,
                               const struct table_state *tables, size_t count, struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc = ERR_OK;

    for (size_t i = 0; !rc && i < count; i++) {
        const struct table_state *t = &tables[i];

        if (sql.len == 0) {
            strbuf_addstr(&sql, "REPLACE INTO ");
            state_add_name(&sql, s, "tbl");
            strbuf_addstr(&sql, " (job,tbl,db_name,name,state,target_id) VALUES ");
        } else {
            strbuf_addch(&sql, ',');
        }
        strbuf_addf(&sql, "(%" PRIu64 ",%" PRIu64 ",", s->job, t->table);
        strbuf_add_quotedz(&sql, t->db);
        strbuf_addch(&sql, ',');
        strbuf_add_quotedz(&sql, t->name);
        strbuf_addf(&sql, ",'%s',%" PRIu64 ")", origin_words[t->origin], t->target_id);
        if (i + 1 == count || (i + 1) % ROWS_A_STATEMENT == 0) {
            rc = conn_exec(c, sql.str, sql.len, NULL, err);
            strbuf_reset(&sql);
        }
    }
    strbuf_release(&sql);
    return rc;
}
