/* common/target/state.h: the progress of a load, kept in the target itself (schema ferry_meta).
 *
 * Exactly once (loading.md: claims and fences; design.md, promise 4): a chunk's row holds how far
 * it is, and is changed in the same transaction as the rows it speaks of, by an UPDATE that must
 * match the owner's token. Whoever takes a chunk over rewrites the token first, so a process that
 * was thought dead commits nothing any more. Also after a lost answer to COMMIT: rewrite the token,
 * then read.
 *
 *   job   (job BIGINT PK AUTO_INCREMENT, dump_uuid, renames, state, token, owner, options,
 * created_at, finished_at, UNIQUE (dump_uuid, renames)) chunk (job, chunk BIGINT, tbl BIGINT,
 * token, seq, state, rows_done, raw_off, owner, PK (job, chunk)) tbl   (job, tbl, db_name, name,
 * state, target_id: tidb_table_id at creation, PK (job, tbl))
 *
 * Functions work over the caller's connection; structs are the caller's. */
#ifndef FERRY_TARGET_STATE_H
#define FERRY_TARGET_STATE_H

#include "common/mysql/conn.h"

struct state {       /* which job, where; read-only after state_open: any thread */
    char schema[65]; /* "ferry_meta" */
    uint64_t job;
    uint64_t token;  /* this process's, of the job */
    char owner[128]; /* host, pid: for people */
};

enum job_state { JOB_NEW, JOB_SCHEMA_DONE, JOB_ROWS_DONE, JOB_DONE };
struct job_info {
    enum job_state state;
    bool resumed; /* an earlier run has been here */
};
struct state_params {
    const char *schema; /* NULL: ferry_meta */
    const char *dump_uuid;
    const char *renames; /* canonical text; "" for none */
    const char *options; /* JSON for people */
};
/* Creates schema and tables where missing, finds or makes the job, and takes it: the job's token is
 * rewritten, so that an older process of the same job fails at its next transaction
 * (ERR_LOAD_FENCED there). */
MUST_CHECK enum err_code state_open(struct conn *c, const struct state_params *p, struct state *s,
                                    struct job_info *info, struct err *err);
MUST_CHECK enum err_code state_set_job(struct conn *c, const struct state *s, enum job_state state,
                                       struct err *err);

struct chunk_state {
    uint64_t chunk; /* dump_chunk.id */
    uint64_t table;
    bool done;
    uint64_t rows_done;
    uint64_t raw_off; /* decoder_offset behind the last row done */
};
/* Adds rows for the chunks that have none yet (many at a time). */
MUST_CHECK enum err_code state_add_chunks(struct conn *c, const struct state *s,
                                          const struct chunk_state *chunks, size_t count,
                                          struct err *err);
typedef enum err_code state_chunk_fn(void *ctx, const struct chunk_state *chunk, struct err *err);
MUST_CHECK enum err_code state_read_chunks(struct conn *c, const struct state *s,
                                           state_chunk_fn *fn, void *ctx, struct err *err);

struct claim { /* one worker's right to write one chunk */
    uint64_t chunk;
    uint64_t token;
    uint64_t rows_done, raw_off;
    bool done;
};
/* Takes the chunk, whoever had it, by a new token (compare-and-set), checks that the job is still
 * ours, and reads how far it is. Also the way back after a lost answer to COMMIT. */
MUST_CHECK enum err_code claim_take(struct conn *c, const struct state *s, uint64_t chunk,
                                    struct claim *claim, struct err *err);
/* The UPDATE for a transaction's begin; must match exactly one row, else the transaction must be
 * rolled back: ERR_LOAD_FENCED. */
void claim_progress_sql(const struct state *s, const struct claim *claim, uint64_t rows_done,
                        uint64_t raw_off, bool done, struct strbuf *sql);

struct table_state {
    uint64_t table;
    bool created;       /* by this job */
    uint64_t target_id; /* tidb_table_id, 0 elsewhere: a table dropped and made again is noticed on
                           resume */
};
MUST_CHECK enum err_code state_get_table(struct conn *c, const struct state *s, uint64_t table,
                                         struct table_state *t, bool *found, struct err *err);
MUST_CHECK enum err_code state_put_table(struct conn *c, const struct state *s,
                                         const struct table_state *t, const char *db,
                                         const char *name, struct err *err);

#endif
