/* common/target/applied.h: how far the binlog has been applied, kept in the target itself beside
 * the load's state (state.h).
 *
 *   applied_to    (job PK, file, pos, gtid_kind, gtids, at, transactions, seq)
 *                 up to here everything is applied
 *   applied_fence (job, worker, token, n, conn, peer, PK (job, worker))
 *                 the right of a connection to write
 *   applied       (job, unit, starts, gtids, PK (job, unit))
 *                 transactions behind that point that are applied already; a unit is one
 *                 transaction of the target
 *   applied_part  (job PK, file, pos, done)
 *                 a transaction that is being applied in parts: changes that are done
 *
 * Exactly once: a transaction of the target begins with the fence, an UPDATE that must match one
 * row, then comes its mark (a plain INSERT), then what it changes. A process that takes the job
 * over rewrites all tokens before it reads the marks; what an earlier one has not committed by then
 * never will be: its fence matches no row, or it held the row's lock and was waited for, or
 * (optimistic, TiDB) its commit meets a write conflict. Likewise after a lost answer to COMMIT: a
 * new token, then the marks decide.
 *
 * Functions work over the caller's connection and may be said again after a retryable error. */
#ifndef FERRY_TARGET_APPLIED_H
#define FERRY_TARGET_APPLIED_H

#include "common/target/state.h"

struct applied_point {
    char *file; /* owned where it was read; "": not known */
    uint64_t offset;
    char *gtids; /* likewise; "": none */
    unsigned gtid_kind;
    uint32_t timestamp; /* seconds, UTC; 0: none */
    uint64_t transactions;
};
void applied_point_release(struct applied_point *p);

/* Makes the tables where missing. */
MUST_CHECK enum err_code applied_create(struct conn *c, const struct state *s, struct err *err);
/* *found false: this job has not begun, or nothing was ever applied here. */
MUST_CHECK enum err_code applied_read(struct conn *c, const struct state *s, bool *found,
                                      struct applied_point *p, struct err *err);
/* Where the job begins; no effect if it has begun. */
MUST_CHECK enum err_code applied_first(struct conn *c, const struct state *s,
                                       const struct applied_point *p, struct err *err);

struct applied_fence { /* one connection's right to write */
    unsigned worker;   /* from 0 */
    uint64_t token;
    uint64_t tried; /* put in its place by an applied_again whose answer may have been lost */
};
/* Takes the job over from whoever had it: `count` fences, all others void. What another process has
 * open is ended first, on servers where it would hold locks. ERR_SERVER_BUSY: it does still. */
MUST_CHECK enum err_code applied_take(struct conn *c, const struct state *s,
                                      struct applied_fence *fences, unsigned count,
                                      struct err *err);
/* Notes which connection the fence belongs to, for who takes the job over. ERR_FOLLOW_FENCED. */
MUST_CHECK enum err_code applied_connection(struct conn *c, const struct state *s,
                                            const struct applied_fence *f, struct err *err);
/* The way back after a lost answer to COMMIT: a new token. ERR_FOLLOW_FENCED. */
MUST_CHECK enum err_code applied_again(struct conn *c, const struct state *s,
                                       struct applied_fence *f, struct err *err);
MUST_CHECK enum err_code applied_has(struct conn *c, const struct state *s, uint64_t unit,
                                     bool *has, struct err *err);
typedef enum err_code applied_fn(void *ctx, uint64_t unit, const char *starts, const char *gtids,
                                 struct err *err);
MUST_CHECK enum err_code applied_each(struct conn *c, const struct state *s, applied_fn *fn,
                                      void *ctx, struct err *err);

/* Each appends one statement for a transaction, without ';'. */
/* Must change exactly one row, else the transaction must be rolled back: ERR_FOLLOW_FENCED. */
void applied_fence_sql(const struct state *s, const struct applied_fence *f, struct strbuf *sql);
/* `starts`: text of the caller's that tells the unit's transactions. */
void applied_mark_sql(const struct state *s, uint64_t unit, const struct strbuf *starts,
                      const struct strbuf *gtids, struct strbuf *sql);
void applied_point_sql(const struct state *s, const struct applied_point *p, struct strbuf *sql);
/* Marks of units from..below-1 go. */
void applied_prune_sql(const struct state *s, uint64_t from, uint64_t below, struct strbuf *sql);

struct applied_part {
    char *file; /* NULL: none; owned where it was read: free() */
    uint64_t start, done;
};
MUST_CHECK enum err_code applied_part_read(struct conn *c, const struct state *s,
                                           struct applied_part *p, struct err *err);
/* One statement: notes it, or with file NULL forgets it. */
void applied_part_sql(const struct state *s, const struct applied_part *p, struct strbuf *sql);

#endif
