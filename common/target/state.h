/* common/target/state.h: the progress of a load, kept in the target itself (schema ferry_meta).
 *
 * Exactly once (design.md, promise 4): a chunk's row holds how far it is, and is changed in the
 * same transaction as the rows it speaks of, by an UPDATE that must match the owner's token.
 * Whoever takes a chunk over rewrites the token first, so a process that was thought dead commits
 * nothing any more. Also after a lost answer to COMMIT: rewrite the token, then read.
 *
 * Several processes, on any machines, share a job (loaders.h): each has a row in `loader`, whose
 * number (state.token) its chunks bear. One of them leads: its number is the job's token, and what
 * is to be done once (definitions, the closing steps, the job's state) is done by it alone.
 *
 *   job   (job PK, format, dump_uuid, renames, renames_sha256, purpose, state, token, seq, stopped,
 *          stopped_by, owner, options, created_at, finished_at,
 *          UNIQUE (dump_uuid, renames_sha256, purpose))
 *   chunk (job, chunk, tbl, token, seq, state, rows_done, raw_off, added, identical, ignored,
 *          replaced, skipped, loader, conn, peer, owner, PK (job, chunk))
 *   loader: loaders.h
 *   tbl   (job, tbl, db_name, name, state, target_id, PK (job, tbl))
 *   conflict, conflict_more: conflict.h
 *   ddl   (steps.h)
 *
 * `seq` changes with every UPDATE, since a server counts rows that were changed, not matched, and
 * so that a compare-and-set notices progress made between reading and taking.
 *
 * Functions work over the caller's connection; structs are the caller's. Each may fail with a
 * retryable code and may then be called again (on a new connection where the old one is lost). */
#ifndef FERRY_TARGET_STATE_H
#define FERRY_TARGET_STATE_H

#include "common/mysql/conn.h"

#define STATE_SCHEMA_DEFAULT "ferry_meta"
#define STATE_PEER_MAX 128

struct state {       /* which job, where; read-only after state_open: any thread */
    char schema[65]; /* "ferry_meta" */
    uint64_t job;
    uint64_t token;  /* this process's number; the job's token while it leads */
    char owner[128]; /* host, pid: for people */
};

enum job_state { JOB_NEW, JOB_SCHEMA_DONE, JOB_ROWS_DONE, JOB_DONE };
struct job_info {
    enum job_state state;
    bool resumed; /* an earlier run has led */
};
struct state_params {
    const char *schema; /* NULL: ferry_meta */
    const char *dump_uuid;
    const char *renames; /* canonical text; "" for none */
    const char *options; /* JSON for people */
    bool once;           /* the dump's files go when they are loaded: there is no second load */
    bool check;          /* --check-conflicts: a job of its own, which writes no row */
    bool only_new;       /* an earlier run is ERR_LOAD_STATE */
};
/* Creates schema and tables where missing, and finds or makes the job. Nobody is disturbed: to have
 * a part in it is loaders_join's, to lead it lead_take's (loaders.h). */
MUST_CHECK enum err_code state_open(struct conn *c, const struct state_params *p, struct state *s,
                                    struct job_info *info, struct err *err);
/* What the job was begun with, as state_params.options; heap, NULL: nothing. */
MUST_CHECK enum err_code state_options(struct conn *c, const struct state *s, char **options,
                                       struct err *err);
/* Finds a load's job without taking it: of this dump (NULL: any) or of this number (0: any); among
 * several the latest load. Nothing is written. ERR_LOAD_STATE: there is none. */
MUST_CHECK enum err_code state_find(struct conn *c, const char *schema, const char *dump_uuid,
                                    uint64_t job, struct state *s, struct err *err);
/* The schema of a state, for who only looks; no job is chosen. ERR_LOAD_STATE: there is none, or it
 * is another version's. */
MUST_CHECK enum err_code state_look(struct conn *c, const char *schema, struct state *s,
                                    struct err *err);
/* ERR_LOAD_STATE names an unfinished job of the same dump under other renames: said by mistake, it
 * would bring the rows a second time, under other names. With `once` also a finished one. */
MUST_CHECK enum err_code state_other_renames(struct conn *c, const struct state_params *p,
                                             struct err *err);
/* ERR_LOAD_FENCED when this process does not lead the job. */
MUST_CHECK enum err_code state_check(struct conn *c, const struct state *s, struct err *err);
/* Fenced by the job's token: ERR_LOAD_FENCED. */
MUST_CHECK enum err_code state_set_job(struct conn *c, const struct state *s, enum job_state state,
                                       struct err *err);

/* What became of a chunk's rows so far; written with its progress. */
struct chunk_counts {
    int64_t added;      /* rows that the table has more */
    uint64_t identical; /* not written: the same row was there (--identical ok) */
    uint64_t ignored;   /* not written: conflicts */
    uint64_t replaced;  /* rows removed for an incoming one */
    uint64_t skipped;   /* not written: bad values */
};
static inline void counts_add(struct chunk_counts *to, const struct chunk_counts *more)
{
    to->added += more->added;
    to->identical += more->identical;
    to->ignored += more->ignored;
    to->replaced += more->replaced;
    to->skipped += more->skipped;
}

struct chunk_state {
    uint64_t chunk; /* dump_chunk.id */
    uint64_t table;
    bool done;
    uint64_t rows_done;
    uint64_t raw_off; /* decoder_offset behind the last row done */
    struct chunk_counts counts;
};
/* Adds rows for the chunks that have none yet (many at a time); count may be 0. */
MUST_CHECK enum err_code state_add_chunks(struct conn *c, const struct state *s,
                                          const struct chunk_state *chunks, size_t count,
                                          struct err *err);
/* As if no chunk had begun. */
MUST_CHECK enum err_code state_forget_chunks(struct conn *c, const struct state *s,
                                             struct err *err);
/* All chunks of the job in order of `chunk`. */
typedef enum err_code state_chunk_fn(void *ctx, const struct chunk_state *chunk, struct err *err);
MUST_CHECK enum err_code state_read_chunks(struct conn *c, const struct state *s,
                                           state_chunk_fn *fn, void *ctx, struct err *err);

struct chunk_view { /* a chunk's row, as it was when it was read */
    uint64_t chunk;
    uint64_t token, seq;
    uint64_t rows_done, raw_off;
    struct chunk_counts counts;
    bool done;
    uint64_t loader;           /* whose it is; 0: nobody's yet */
    bool held;                 /* that one lives, and is another process */
    uint64_t conn;             /* over which connection of the server it was taken, */
    char peer[STATE_PEER_MAX]; /* and where that comes from */
};
typedef enum err_code claim_look_fn(void *ctx, const struct chunk_view *, struct err *err);
/* The rows of these chunks, in any order, read at one time. One that is not there is left out. */
struct claim_ids {
    const uint64_t *chunk;
    size_t count;
};
MUST_CHECK enum err_code claim_look(struct conn *c, const struct state *s, struct claim_ids ids,
                                    claim_look_fn *fn, void *ctx, struct err *err);

struct claim { /* one worker's right to write one chunk */
    uint64_t chunk;
    uint64_t token;
    uint64_t tried; /* put in its place by a claim_again whose answer may have been lost */
    uint64_t rows_done, raw_off;
    struct chunk_counts counts;
    bool done;
};
struct claimant { /* who takes a chunk */
    struct conn *conn;
    const struct state *state;
    const char *peer; /* where the server sees `conn` come from ("": not known), for who has to take
                         the chunk over */
};
/* Takes a chunk that nobody holds, by a new token, if its row is still as it was seen. *taken
 * false: it is not, look again. After an error too it has to be looked at again. */
MUST_CHECK enum err_code claim_take(const struct claimant *by, const struct chunk_view *seen,
                                    struct claim *claim, bool *taken, struct err *err);
/* The way back after a lost answer to COMMIT: a new token, and how far the chunk is. What has not
 * been committed by then never will be. ERR_LOAD_FENCED: another process has taken it. */
MUST_CHECK enum err_code claim_again(const struct claimant *by, struct claim *claim,
                                     struct err *err);
struct claim_progress { /* how far the chunk is when the transaction is committed */
    uint64_t rows_done, raw_off;
    struct chunk_counts counts; /* all of the chunk's, not this transaction's */
    bool done;
};
/* Appends the UPDATE for a transaction's begin; it must change exactly one row, else the
 * transaction must be rolled back: ERR_LOAD_FENCED. */
void claim_progress_sql(const struct state *s, const struct claim *claim,
                        const struct claim_progress *p, struct strbuf *sql);
/* As claim_progress_sql, for a transaction that moves nothing on. */
void claim_fence_sql(const struct state *s, const struct claim *claim, struct strbuf *sql);

enum table_origin {
    TABLE_FOUND,    /* was there before this job */
    TABLE_CREATING, /* this job was about to create it */
    TABLE_CREATED,  /* by this job */
    TABLE_EMPTYING, /* was there, this job was about to empty it */
    TABLE_EMPTIED,  /* was there, and has been emptied by this job: never again */
    TABLE_DROPPING  /* was there, this job was about to drop it and to create its own */
};
struct table_state {
    uint64_t table;        /* dump_table.id */
    const char *db, *name; /* borrowed; while read: valid during the call */
    enum table_origin origin;
    uint64_t target_id; /* tidb_table_id, 0 elsewhere and before it is known: a table dropped,
                           emptied or made again by others is noticed on resume */
};
typedef enum err_code state_table_fn(void *ctx, const struct table_state *t, struct err *err);
MUST_CHECK enum err_code state_read_tables(struct conn *c, const struct state *s,
                                           state_table_fn *fn, void *ctx, struct err *err);
/* Adds or replaces (many at a time); count may be 0. */
MUST_CHECK enum err_code state_put_tables(struct conn *c, const struct state *s,
                                          const struct table_state *tables, size_t count,
                                          struct err *err);
/* `schema`.`table` of the state. */
void state_add_name(struct strbuf *sb, const struct state *s, const char *table);

#endif
