/* follower/follow_watch.h: what a follower says of itself while it is at work: lag, rates, queues
 * and counts, in the target's tables, in the progress, and as warnings before the source's binlog
 * is purged. A thread of its own, with connections of its own: it goes on saying while the loop
 * waits for a long statement. follow_watch.c has the essay. */
#ifndef FERRY_FOLLOWER_FOLLOW_WATCH_H
#define FERRY_FOLLOWER_FOLLOW_WATCH_H

#include "common/base/pool.h"
#include "common/mysql/conn.h"
#include "common/target/follow_live.h"

#include <pthread.h>
#include <stdatomic.h>

struct follow_run;

struct purge_watch {             /* the watch's own */
    uint64_t looked_us, said_us; /* monotonic */
    int64_t said_s;              /* how much time was left when that was said */
    int64_t kept_s;              /* FOLLOW_KEPT_UNKNOWN: nothing is to be feared, or not known */
    char *note;                  /* owned */
};

struct watch { /* of a follow_run */
    pthread_t thread;
    bool started;
    struct cancel quit;

    /* By the loop, for the thread. */
    atomic_uint_fast64_t end_us;         /* monotonic: when the source last had nothing more */
    atomic_uint_fast32_t read_s, open_s; /* commit time of what was last read; of what is open */
    pthread_mutex_t lock;                /* guards what follows */
    struct follow_count *counts;         /* names owned; since they were last written */
    size_t count_count, count_cap;
    char *read_file;
    uint64_t read_pos;

    /* The thread's own. */
    struct conn *target, *source;
    uint64_t clock_us, rate_us, last_txns, last_rows;
    double txn_rate, row_rate;
    struct purge_watch purge;
};

MUST_CHECK enum err_code watch_start(struct follow_run *run, struct err *err);
/* Ends the thread, and says the last figures; over run->conn if it can be used. `stage` is the
 * state's last word. */
void watch_stop(struct follow_run *run, const char *stage);
/* By the loop, between two transactions now and then: what it has counted is handed over. */
void watch_hand_over(struct follow_run *run);
/* Once, before the thread runs or after it has ended: the state says `stage`. */
void watch_beat(struct follow_run *run, struct conn *c, const char *stage, struct err *err);

/* ---- follow_purge.c ---- */
/* Now and then: whether the source still keeps what is needed, `file`, of which what is applied was
 * committed at `time_s` (seconds, UTC; 0: not known). Warns. `now_s` is the source's clock. */
MUST_CHECK enum err_code purge_look(struct follow_run *run, struct conn *source, const char *file,
                                    int64_t time_s, int64_t now_s, struct err *err);

#endif
