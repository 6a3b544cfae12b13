/* common/target/loaders.h: the processes that share one load, and which of them leads.
 *
 *   loader (job, loader, state, stage, alone, beats, beat, lease_us, owner, process, options, conn,
 *           peer, threads, rows_done, bytes_done, row_rate, started_at, PK (job, loader))
 *
 * A loader says that it lives by renewing `beat` (the target's clock) well within `lease_us`. Who
 * does not is presumed dead by the others, and buried; at once if its process ran on the same host
 * and is gone. That is a guess, and may be wrong (a stopped process, a cut network): what decides
 * is the token of the chunk in each transaction (state.h), and for what is not a transaction, the
 * lock.
 *
 * The lock: what only the leader may do (definitions, TRUNCATE, the job's state) it does over a
 * connection that holds a lock of the server (GET_LOCK), after a look at the job's token; and
 * nobody becomes the leader without that lock. A leader that was stopped in between loses its
 * connection (KILL), with it the lock, and what it would have sent. A TiDB without GET_LOCK
 * (before 6.2) has the look alone.
 *
 * Functions work over the caller's connection and may be said again after a retryable error. */
#ifndef FERRY_TARGET_LOADERS_H
#define FERRY_TARGET_LOADERS_H

#include "common/base/pool.h"
#include "common/target/state.h"

enum loader_stage { /* of a loader's row; in this order */
                    LOADER_WAITING,
                    LOADER_SCHEMA,
                    LOADER_ROWS,
                    LOADER_CLOSING
};
enum loader_state { LOADER_JOINING, LOADER_LIVE, LOADER_LEFT, LOADER_LOST };

struct loader_view { /* texts are valid during the call */
    uint64_t loader;
    enum loader_state state;
    enum loader_stage stage;
    bool alone;
    bool lives; /* joining or live, and within its lease */
    bool gone;  /* its process ran on this host and has ended */
    uint64_t beats, age_us, lease_us, running_us;
    uint64_t conn, threads, rows, bytes, row_rate;
    const char *owner, *options, *peer;
};
typedef enum err_code loader_view_fn(void *ctx, const struct loader_view *, struct err *err);
/* All rows of the job, the oldest first. */
MUST_CHECK enum err_code loaders_read(struct conn *c, const struct state *s, loader_view_fn *fn,
                                      void *ctx, struct err *err);

struct loaders_join {
    const char *options; /* a JSON object of what must be the same for all who share the load */
    uint64_t lease_us;
    unsigned threads;
    bool alone; /* bears no other loader beside it */
    const struct cancel *cancel;
};
/* Adds this process, or adds it again after it was buried. Waits for those who are just joining
 * too, and for a load that is being stopped. Two that must not be together never both succeed.
 * ERR_LOAD_OTHERS names who is in the way and why. *others: how many share the load. */
MUST_CHECK enum err_code loaders_join(struct conn *c, const struct state *s,
                                      const struct loaders_join *join, unsigned *others,
                                      struct err *err);
struct loaders_beat {
    uint64_t rows, bytes; /* written by this process so far */
    uint64_t row_rate;    /* rows a second, of late */
};
/* A sign of life. *buried: the others have taken this process for dead; join again. */
MUST_CHECK enum err_code loaders_beat(struct conn *c, const struct state *s,
                                      const struct loaders_beat *beat, bool *buried,
                                      struct err *err);
/* Buries those who are dead. *living: how many others there are. */
MUST_CHECK enum err_code loaders_bury(struct conn *c, const struct state *s, unsigned *living,
                                      struct err *err);
MUST_CHECK enum err_code loaders_stage(struct conn *c, const struct state *s,
                                       enum loader_stage stage, bool alone, struct err *err);
/* Removes the rows of those that left, or were buried. */
MUST_CHECK enum err_code loaders_forget(struct conn *c, const struct state *s, struct err *err);
/* Its chunks are free from now on. */
MUST_CHECK enum err_code loaders_leave(struct conn *c, const struct state *s,
                                       const struct loaders_beat *last, struct err *err);

struct job_look { /* the job, and who leads it, read at one time */
    enum job_state state;
    uint64_t token, seq;
    bool lead_lives; /* who leads lives; false too when nobody ever led */
    enum loader_stage lead_stage;
    char stopped[65]; /* the name of the error that stopped the load for all; "" */
    char stopped_by[129];
};
MUST_CHECK enum err_code job_look(struct conn *c, const struct state *s, struct job_look *look,
                                  struct err *err);
/* Every loader ends at its next batch. `name` is an error's. */
MUST_CHECK enum err_code job_stop(struct conn *c, const struct state *s, const char *name,
                                  struct err *err);

/* The lock, for a leader; it is the connection's. *got false: an older connection holds it still,
 * which has been killed if it was ours or of a dead leader; try again. */
MUST_CHECK enum err_code lead_lock(struct conn *c, const struct state *s, bool *got,
                                   struct err *err);
void lead_unlock(struct conn *c, const struct state *s);
/* Makes this process the leader, if the one of `look` is dead: over `c`, which holds the lock when
 * *taken. */
MUST_CHECK enum err_code lead_take(struct conn *c, const struct state *s,
                                   const struct job_look *look, bool *taken, struct err *err);

/* Where the server sees the connection `id` come from, "host:port"; "": not seen. */
MUST_CHECK enum err_code peer_find(struct conn *c, uint64_t id, char peer[STATE_PEER_MAX],
                                   struct err *err);
/* Ends that connection, if it is still the same: a transaction that holds locks goes with it. */
void peer_kill(struct conn *c, uint64_t id, const char *peer);

#endif
