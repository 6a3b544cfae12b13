/* loader/load_inner.h: what the files of the loader share. The essay is in load_run.c. */
#ifndef FERRY_LOADER_LOAD_INNER_H
#define FERRY_LOADER_LOAD_INNER_H

#include "common/base/rate.h"
#include "common/mysql/conn.h"
#include "common/mysql/filter.h"
#include "common/mysql/route.h"
#include "common/schema/convert.h"
#include "common/schema/model.h"
#include "common/target/report.h"
#include "common/target/state.h"
#include "common/target/table_limits.h"
#include "formats/dump_read.h"
#include "loader/batch.h"
#include "loader/load.h"

#include <pthread.h>

#define LOAD_REFUSALS_MAX 100 /* kept for the report */
#define LOAD_QUIET_TRIES 4    /* a step that needs more tries is worth a line in the log */

enum load_clear { /* what has to be done to an object that is there before its rows come */
                  CLEAR_NONE,
                  CLEAR_TRUNCATE,
                  CLEAR_DROP
};

struct stage_plan;
struct share;     /* share.h */
struct claims;    /* claims.h */
struct refusals { /* the first of a batch or a run, for people; owned */
    struct refusal *items;
    size_t count;
};

struct load_table {                /* an object of the dump that the filter lets through */
    const struct dump_table *dump; /* without the columns of --ignore-columns */
    const unsigned *cells;         /* of the file's row, by dumped column; NULL: as they are */
    const char *db, *name;         /* on the target; borrowed */
    char *label;                   /* db.name of the target, for messages */
    char *key;                     /* its name as the target compares names; NULL: not known yet */
    const struct table *target;    /* in run->target; NULL: not there */
    bool known;                    /* the state has a row of it from an earlier run */
    bool several;          /* its rows are of several moments: keys may collide until the replay */
    bool create;           /* by this run */
    enum load_clear clear; /* by this run, before `create` */
    atomic_bool failed;    /* it could not be created: its rows are left out */
    bool later;            /* a view that may need routines: made after them */
    bool said;             /* what changes in its definition */
    bool looked;           /* at the generated columns of one that was there */
    enum table_origin origin;
    uint64_t target_id;   /* tidb_table_id as the state has it; 0: none */
    uint64_t found_id;    /* tidb_table_id now; 0: none */
    uint64_t rows_before; /* in the target by earlier runs of this job */
    uint64_t files_before, bytes_before;
    int64_t added_before; /* of them, less those that were not written or were replaced */
    bool counted;         /* the target has been seen to hold rows_before rows */
    char *load_sql;       /* "LOAD DATA LOCAL ... (columns) SET ..." */
    char *insert_sql;     /* "INSERT INTO ... (columns) VALUES " */
    bool *hex;            /* by dumped column: travels as hex digits; NULL: none */
    bool *enum_error;     /* by dumped column: an ENUM without the label '', so that '' is its error
                             value, index 0; NULL: none */
    struct stage_plan *stage; /* made with the statements; NULL: no rows */
    int *cell_of;             /* by column of `target`: index of the dumped column, or -1 */
    int auto_cell; /* of the target's AUTO_INCREMENT column; -1: it has none, or it is not dumped */
    atomic_uint_fast64_t rows, bytes, files, worker_us;           /* of this run */
    atomic_uint_fast64_t others_rows, others_bytes, others_files; /* of other loaders meanwhile */
};

struct load_chunk { /* to be loaded by this run */
    struct load_table *table;
    const struct dump_chunk *chunk;
    uint64_t known_rows, known_bytes; /* of it in the target, as far as this process has counted */
};

struct load_run {
    const struct load_config *config;
    struct store *input;
    const struct server_url *url;
    struct progress *progress;
    const struct cancel *cancel; /* the user's */
    struct load_report *report;

    /* The plan: written by the main thread before workers start, then read-only (but for the
     * tables' atomic counters). */
    struct filter *filter;
    struct route *route;
    struct dump *dump;
    struct flavour source; /* that the dump's definitions were made for */
    struct conn *conn;     /* the main thread's */
    struct flavour flavour;
    struct state state;
    struct job_info job;
    uint64_t lease_us;
    struct share *share;   /* NULL before share_join */
    struct claims *claims; /* while rows are loaded */
    bool leads;            /* in a stage that is the leader's, and this process is it */
    uint64_t lead_conn;    /* the connection that holds the lock; 0: none */
    bool first;            /* leads, and no other loader has begun with the rows */
    bool begun;            /* the first look at what is left is over */
    atomic_bool alone;     /* no other loader may join */
    struct schema *target;
    bool replay;         /* the binlog is to be applied behind the rows */
    bool fold_names;     /* the target's names do not mind case */
    bool said_databases; /* what changes in their definitions */
    bool eager; /* the spool is full: tables without a key are not waited for in this round */
    uint64_t eager_at; /* segments of the manifest that such a round has read */
    bool asked;        /* the user has said yes to what is to be emptied or dropped */
    struct load_table *tables;
    size_t table_count;
    struct load_chunk *chunks; /* in the order of loading */
    size_t chunk_count;
    size_t max_statement; /* bytes of an INSERT */
    size_t max_packet;    /* bytes that the server takes at most */
    size_t batch_bytes;
    unsigned batch_rows;
    struct table_limits limits;
    size_t max_load_row;       /* bytes of LOAD text; a longer row goes by INSERT; 0: no limit */
    bool fast;                 /* LOAD DATA LOCAL joins a transaction on this target */
    struct throttle *throttle; /* NULL: none */
    struct rate *rate;         /* NULL: none */

    /* Shared by the workers. */
    atomic_size_t chunks_done; /* by whomever */
    atomic_bool stop;          /* a worker has failed: end after the running batch */
    atomic_bool local_refused;
    atomic_uint_fast64_t rows_now, bytes_now, retries, careful_batches;
    atomic_uint_fast64_t conflicts; /* on record, earlier runs included */
    pthread_mutex_t lock;           /* guards what follows */
    struct refusals refusals;
};

/* Bytes of a row's values. */
static inline size_t row_bytes(const struct row *row)
{
    size_t bytes = 0;

    for (unsigned i = 0; i < row->count; i++)
        bytes += row->cell[i] ? row->len[i] : 0;
    return bytes;
}

/* What a row does that meets another one. Where rows are of several moments the later one is not
 * known to be the right one: the replay puts both right. */
static inline enum load_on_conflict table_on_conflict(const struct load_run *run,
                                                      const struct load_table *t)
{
    return t->several ? ON_CONFLICT_REPLACE : run->config->on_conflict;
}

static inline bool load_stopped(struct load_run *run)
{
    return cancel_asked(run->cancel) || atomic_load_explicit(&run->stop, memory_order_relaxed);
}

/* ---- options.c ---- */
/* What shapes the load, by the options' names: a JSON object; heap. */
char *options_text(const struct load_config *config);

/* ---- plan.c ---- */
/* Opens the dump and picks its objects by the filter; no server is asked. */
MUST_CHECK enum err_code plan_tables(struct load_run *run, struct err *err);
/* Reads how far earlier runs are; *finished: everything picked is in the target. */
MUST_CHECK enum err_code plan_progress(struct load_run *run, bool *finished, struct err *err);
/* Reads the records again, for another round of an unfinished dump; tables and chunks are new. */
MUST_CHECK enum err_code plan_again(struct load_run *run, struct err *err);
/* The order in which chunks are taken: tables in turn, distant ranges of each. */
void plan_order(struct load_run *run);
void plan_release(struct load_run *run);

/* ---- unfinished.c: dumps that are still being written ---- */
/* Opens the dump, finished or, where it may be waited for, not; its files are there. */
MUST_CHECK enum err_code unfinished_open(struct load_run *run, struct err *err);
/* Until there are more records. ERR_DUMP_WAIT: nobody writes any. */
MUST_CHECK enum err_code unfinished_wait(struct load_run *run, struct err *err);
/* The table's chunks may be loaded now. */
bool unfinished_ready(const struct load_run *run, const struct dump_table *t);
/* All rows of the chunk are in the target: its file goes, if it lies in a spool. */
MUST_CHECK enum err_code unfinished_done(const struct load_run *run, const struct dump_chunk *c,
                                         struct err *err);
/* A worker may have failed because the dump has started a table again since. */
bool unfinished_voided(struct load_run *run, const struct err *failed);
/* For a load that has failed: what a missing file means in a spool. Returns the code. */
enum err_code unfinished_missed(const struct load_run *run, struct err *err);
/* Takes the loaded rows out and forgets the chunks of a table that the dump has started again;
 * refused where the table held others. */
MUST_CHECK enum err_code unfinished_restart(struct load_run *run, const struct load_table *t,
                                            uint64_t rows, struct err *err);

/* ---- foreign.c: dumps of other tools; without effect on ferry's own ---- */
/* Refuses what would be guessed, says what is not known. */
MUST_CHECK enum err_code foreign_plan(struct load_run *run, struct err *err);
/* foreign_binary.c. ERR_USAGE: bytes in CSV that may be encoded. */
MUST_CHECK enum err_code foreign_binary(const struct load_run *run, struct err *err);
/* The files have the sizes they had when this load began; needs the state. */
MUST_CHECK enum err_code foreign_same_files(struct load_run *run, struct err *err);
/* When all files are loaded: as many rows as the tool says. */
MUST_CHECK enum err_code foreign_rows(const struct load_run *run, struct err *err);
/* A worker's new connection gets the dump's time zone. */
MUST_CHECK enum err_code worker_zone(const struct load_run *run, struct conn *c, struct err *err);

/* ---- columns.c ---- */
/* --ignore-columns: sets `dump` and `cells` of the tables it names; after the plan knows whether
 * the binlog is to be applied. ERR_USAGE. */
MUST_CHECK enum err_code columns_ignore(struct load_run *run, struct err *err);
/* The job's options, `then` and `now`, name the same columns: else ERR_USAGE. */
MUST_CHECK enum err_code columns_same(const struct load_run *run, const char *then, const char *now,
                                      struct err *err);

/* ---- target.c ---- */
/* Reads the target's tables of the dump's databases, all at once, and finds each picked one. */
MUST_CHECK enum err_code target_read(struct load_run *run, struct err *err);
/* Reads TiDB's ids of the tables that target_read has found. */
MUST_CHECK enum err_code target_ids(struct load_run *run, struct err *err);
/* No two picked objects would be one on the target. */
MUST_CHECK enum err_code target_names_differ(const struct load_run *run, struct err *err);
/* Appends "('db1','db2')": the target's databases of the picked tables. */
void target_add_databases(const struct load_run *run, struct strbuf *sql);

/* ---- check.c ---- */
/* Existing tables: may be there, hold every value, have transactions, and are those that the state
 * speaks of. Decides what is to be cleared and created. */
MUST_CHECK enum err_code target_check(struct load_run *run, struct err *err);
/* Whether the tables are still those that the state speaks of: none was dropped or emptied. */
MUST_CHECK enum err_code target_same(struct load_run *run, struct err *err);
/* After a load that had finished: reads the target; its tables and views are all there, and the
 * same. */
MUST_CHECK enum err_code target_still_there(struct load_run *run, struct err *err);

/* ---- generated.c ---- */
/* Which generated columns of existing tables are computed otherwise than the dump's:
 * ERR_LOAD_TABLE_SHAPE, or said. */
MUST_CHECK enum err_code generated_report(struct load_run *run, struct err *err);

/* ---- statements.c ---- */
/* What the target is able to do: sets the run's limits. */
MUST_CHECK enum err_code target_limits(struct load_run *run, struct err *err);
/* Builds each table's statements; needs `target`. */
void target_statements(struct load_run *run);

/* ---- define.c ---- */
struct definition { /* a schema file as the target takes it; owned, see definition_release */
    struct converted converted; /* what changed, before renames; empty where `doubt` is set */
    struct strbuf sql;          /* statements to be run: the CREATE, and a sequence's own */
    char *indexes;              /* ALTER TABLE with the indexes that come later; NULL: none */
    char **foreign_keys;        /* ALTER TABLE, one a foreign key */
    size_t foreign_key_count;
    char *doubt; /* why the text was not understood, and so is run as it is; NULL: it was */
};
/* Reads, converts and renames; the same each time. `split`: non-unique indexes apart. What the
 * target cannot have is no error here: see converted.refused. Release `out` in any case. */
MUST_CHECK enum err_code definition_of_table(const struct load_run *run, const struct load_table *t,
                                             bool split, struct definition *out, struct err *err);
/* `to`: the database's name on the target. */
MUST_CHECK enum err_code definition_of_database(const struct load_run *run,
                                                const struct dump_database *db, const char *to,
                                                struct definition *out, struct err *err);
void definition_release(struct definition *d);
/* ERR_LOAD_SCHEMA with the reason where the target cannot have it. */
MUST_CHECK enum err_code definition_allowed(const struct definition *d, struct err *err);
/* Says what changes in the definitions of all that is to be created: counted in the report, losses
 * in the log, or everything on stdout. Any connection's target; nothing is made. */
MUST_CHECK enum err_code definitions_report(struct load_run *run, bool print, struct err *err);

/* ---- schema.c ---- */
/* Databases, sequences, tables, views; then reads back what the target has made of them. */
MUST_CHECK enum err_code schema_run(struct load_run *run, struct err *err);
/* Another loader has made them: reads what there is. */
MUST_CHECK enum err_code schema_follow(struct load_run *run, struct err *err);
/* Views that could not be made before the routines. What fails now is left out. */
MUST_CHECK enum err_code schema_later(struct load_run *run, struct err *err);
/* As target_read has found it. */
bool schema_has_database(const struct load_run *run, const char *name);
/* Whether an error is about the object alone, so that the others may go on. */
bool schema_error_of_object(const struct load_run *run, enum err_code code);
/* The object is left out; said once. */
void schema_leave_out(struct load_run *run, struct load_table *t, const struct err *err);

/* ---- clear.c ---- */
/* Empties or drops what --if-table-exists says, once a job. */
MUST_CHECK enum err_code clear_tables(struct load_run *run, struct err *err);

/* ---- finish.c ---- */
/* Indexes and foreign keys that are owed to the tables of this job. What fails is left out, or ends
 * the load. */
MUST_CHECK enum err_code finish_steps(struct load_run *run, struct err *err);
/* ANALYZE TABLE of each table with rows. */
MUST_CHECK enum err_code finish_analyze(struct load_run *run, struct err *err);

/* ---- parents.c ---- */
/* Looks at each foreign key of the picked tables, since rows came without being checked.
 * ERR_LOAD_FOREIGN_KEY after the rows without parents have been logged. */
MUST_CHECK enum err_code foreign_keys_check(struct load_run *run, struct err *err);

/* ---- programs.c ---- */
/* Whether routines of the dump are created on this target, if its database keeps its name. */
bool programs_created(const struct load_run *run);
/* Triggers, routines and events: created, or collected in the report with the reason. */
MUST_CHECK enum err_code programs_run(struct load_run *run, struct err *err);

/* ---- worker.c ---- */
struct worker {
    struct load_run *run;
    struct conn *conn; /* NULL: to be opened */
    struct batch batch;
    struct strbuf sql;  /* scratch */
    struct strbuf rows; /* VALUES of an INSERT */
    struct load_table *table;
    const struct dump_chunk *chunk;
    struct claim claim;
    struct load_chunk *job;
    unsigned tries;   /* of a step outside a batch, in a row */
    uint64_t peer_of; /* the connection that `peer` is of; 0: none */
    char peer[STATE_PEER_MAX];
    struct chunk_counts delta;       /* what the batch adds to the claim's counts */
    const struct load_table *staged; /* whose rows the temporary table takes; NULL: there is none */
    unsigned probe;                  /* batches that are still looked at before they are written */
    bool crowded; /* many rows of the last one were in the way: choosing them is not worth it */
    struct refusals refusals; /* of the batch that is tried */
};
MUST_CHECK enum err_code worker_main(void *ctx, unsigned number, struct err *err);
/* A connection that can be used, a new one if need be. */
MUST_CHECK enum err_code worker_connect(struct worker *w, struct err *err);
/* A retried transaction's answer is not known, or its connection is. */
void worker_disconnect(struct worker *w);

/* ---- fast.c, careful.c, settle.c: one batch, one transaction ---- */
enum batch_outcome { /* nothing is committed but for the first */
                     BATCH_COMMITTED,
                     BATCH_CAREFUL, /* LOAD DATA failed: INSERT is next */
                     BATCH_SETTLE   /* rows were not taken as they are: which, and why */
};
MUST_CHECK enum err_code fast_batch(struct worker *w, enum batch_outcome *outcome, struct err *err);
MUST_CHECK enum err_code careful_batch(struct worker *w, enum batch_outcome *outcome,
                                       struct err *err);
/* Commits the batch as --on-conflict and --on-bad-value say, with its records; or commits records
 * alone, and fails with ERR_LOAD_CONFLICT or ERR_LOAD_BAD_VALUE. */
MUST_CHECK enum err_code settle_batch(struct worker *w, struct err *err);
/* "UPDATE <progress>" with w->delta, appended to w->sql. */
void batch_progress_sql(struct worker *w);
/* "BEGIN ...; UPDATE <progress>" into w->sql; `optimistic` is for TiDB. */
void batch_begin_sql(struct worker *w, bool optimistic);
MUST_CHECK enum err_code batch_fenced(const struct worker *w, struct err *err);

/* ---- report.c ---- */
/* Takes `r` over, unless there are LOAD_REFUSALS_MAX already. */
void report_hold(struct refusals *list, struct refusal *r);
void report_drop(struct refusals *list);
/* Moves what a worker holds to the run's report. */
void report_take(struct load_run *run, struct refusals *list);
/* Sums of the job's records and counts, and the report file. */
MUST_CHECK enum err_code report_conflicts(struct load_run *run, struct err *err);
void report_fill(struct load_run *run);
void report_dry_run(const struct load_run *run);

#endif
