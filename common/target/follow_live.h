/* common/target/follow_live.h: figures of a follower at work, for whoever looks from another
 * terminal; kept in the target beside the follower's state (follow_state.h), and never decided by.
 *
 *   follow_live  (job PK, lag_ms, rates, queue, where it reads, how long the binlog stays)
 *   follow_count (job, db, name, inserts, updates, deletes, PK (job, db, name)): since following
 *                began, about: what a kill cuts off may be missing or be there twice
 *
 * Functions work over the caller's connection. */
#ifndef FERRY_TARGET_FOLLOW_LIVE_H
#define FERRY_TARGET_FOLLOW_LIVE_H

#include "common/target/state.h"

#define FOLLOW_LIVE_TABLE "follow_live"
#define FOLLOW_LIVE_COLUMNS                                                                        \
    "job BIGINT UNSIGNED NOT NULL,"                                                                \
    "lag_ms BIGINT NOT NULL,"                                                                      \
    "txn_rate DOUBLE NOT NULL,"                                                                    \
    "row_rate DOUBLE NOT NULL,"                                                                    \
    "queued BIGINT UNSIGNED NOT NULL,"                                                             \
    "queued_bytes BIGINT UNSIGNED NOT NULL,"                                                       \
    "busy BIGINT UNSIGNED NOT NULL,"                                                               \
    "read_file VARCHAR(512) NOT NULL,"                                                             \
    "read_pos BIGINT UNSIGNED NOT NULL,"                                                           \
    "kept_s BIGINT NOT NULL,"                                                                      \
    "kept_note VARCHAR(512) NOT NULL,"                                                             \
    "PRIMARY KEY (job)"
#define FOLLOW_COUNT_TABLE "follow_count"
#define FOLLOW_COUNT_COLUMNS                                                                       \
    "job BIGINT UNSIGNED NOT NULL,"                                                                \
    "db VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,"                           \
    "name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,"                         \
    "inserts BIGINT UNSIGNED NOT NULL,"                                                            \
    "updates BIGINT UNSIGNED NOT NULL,"                                                            \
    "deletes BIGINT UNSIGNED NOT NULL,"                                                            \
    "PRIMARY KEY (job,db,name)"

#define FOLLOW_LAG_UNKNOWN INT64_C(-1)
#define FOLLOW_KEPT_UNKNOWN INT64_C(-1)
struct follow_live {           /* texts are borrowed when written, owned when read */
    int64_t lag_ms;            /* by the source's clock; FOLLOW_LAG_UNKNOWN: the binlog of a dump */
    double txn_rate, row_rate; /* a second */
    uint64_t queued;           /* transactions of the target that wait */
    uint64_t queued_bytes, busy; /* of changes in memory; threads that write */
    char *read_file;
    uint64_t read_pos;
    int64_t kept_s;  /* how long, at least, the source keeps the file that is needed, if everything
                        goes on as it is; FOLLOW_KEPT_UNKNOWN: for ever, or not known */
    char *kept_note; /* "" or what is to be done */
};
void follow_live_release(struct follow_live *l); /* of one that was read */
MUST_CHECK enum err_code follow_live_write(struct conn *c, const struct state *s,
                                           const struct follow_live *l, struct err *err);
/* *found false: there is none (an older ferry wrote the state). */
MUST_CHECK enum err_code follow_live_read(struct conn *c, const struct state *s, bool *found,
                                          struct follow_live *l, struct err *err);

struct follow_count { /* of a table of the source; names borrowed */
    const char *db, *name;
    uint64_t inserts, updates, deletes;
};
/* Adds to what is there. */
MUST_CHECK enum err_code follow_counts_add(struct conn *c, const struct state *s,
                                           const struct follow_count *counts, size_t count,
                                           struct err *err);
typedef enum err_code follow_count_fn(void *ctx, const struct follow_count *n, struct err *err);
/* In the order of names. */
MUST_CHECK enum err_code follow_counts_read(struct conn *c, const struct state *s,
                                            follow_count_fn *fn, void *ctx, struct err *err);

#endif
