/* follower/apply_inner.h: what the applier's loop and its threads share. */
#ifndef FERRY_FOLLOWER_APPLY_INNER_H
#define FERRY_FOLLOWER_APPLY_INNER_H

#include "common/target/applied.h"
#include "follower/apply_drift.h"
#include "follower/apply_schedule.h"
#include "follower/apply_spill.h"
#include "follower/apply_write.h"

#include <pthread.h>

struct apply_txn {    /* of a unit, with changes */
    const char *file; /* the applier's; stays */
    uint64_t start;
    size_t at; /* of its first change, in unit->changes */
    struct gtid gtid;
};

enum unit_state { UNIT_OPEN, UNIT_CLOSED, UNIT_RUNNING, UNIT_DONE };
struct apply_unit {
    uint64_t number;
    enum unit_state state;
    struct strbuf changes;
    uint64_t change_count;
    struct apply_txn *txns;
    size_t txn_count, txn_cap;
    struct spill *spill; /* instead of `changes`: of one transaction */
    unsigned waits;      /* units that must be done first */
    uint64_t *next;      /* units that wait for this one */
    size_t next_count, next_cap;
    uint64_t opened_us; /* when the first change came */
    /* Behind its last transaction, those without changes included. */
    const char *file;
    uint64_t end, transactions;
    uint32_t began, timestamp; /* of its first transaction, and of its last */
    struct gtid *gtids;
    size_t gtid_count, gtid_cap;
};

struct apply_marks { /* transactions that an earlier process has applied behind its point */
    struct apply_mark {
        char *file;
        uint64_t start;
    } * mark; /* sorted */
    size_t count, cap;
    struct gtid_set *gtids; /* MySQL's; NULL: none */
};

enum unit_form {
    UNIT_FAST,    /* as few statements as may be */
    UNIT_CAREFUL, /* one row a statement, so that the one that does not fit is known */
    UNIT_DRIFT    /* rows that do not fit are put on record */
};

struct apply_worker {
    struct applier *a;
    unsigned number;
    struct conn *conn; /* NULL: to be opened */
    struct applied_fence fence;
    struct writer writer;
    struct merge merge;
    struct strbuf starts, gtids, block;
    enum unit_form form;
    struct drift_work drift;
    bool unsure; /* a COMMIT was sent, and its answer has not come */
    /* A spilled transaction. */
    bool cut;              /* into parts */
    uint64_t done_at;      /* changes before this byte of the file are committed */
    uint64_t done;         /* how many these are */
    uint64_t careful_from; /* careful: the block to look at */
};

struct applier {
    struct applier_config config;
    struct state state;
    size_t packet_bytes;
    bool tidb;
    bool load; /* LOAD DATA LOCAL joins a transaction on this target */
    bool read_committed;
    struct cancel stop; /* asked for by a failure, or by the end */
    struct pool *pool;
    struct apply_worker *workers;

    /* The loop's alone. */
    struct apply_table **tables; /* by id; workers read those of units that they were given, so
                                    the list never moves */
    unsigned table_count;
    struct apply_foreigns foreigns; /* of the target */
    char **files;
    size_t file_count;
    struct apply_marks marks;
    struct applied_part part;   /* found by applier_start */
    uint64_t first_unit;        /* of this process */
    struct applied_point shown; /* applier_position's */
    struct strbuf txn;          /* the open transaction's changes */
    uint64_t txn_changes;
    struct apply_keys keys;
    struct spill *spill;
    struct apply_txn open;
    uint32_t open_timestamp;
    bool in_txn, passed_over;

    pthread_mutex_t lock;      /* guards what follows */
    pthread_cond_t work;       /* for workers */
    pthread_cond_t moved;      /* for the loop */
    struct apply_unit **units; /* from `first` on, without gaps; the last one may be open */
    size_t unit_count, unit_cap;
    uint64_t first; /* number of units[0] */
    struct schedule *schedule;
    size_t bytes; /* of changes in units that are not done */
    unsigned running;
    bool failed;
    struct err error;
    struct applied_point point;     /* everything before is committed */
    struct gtid_set *gtids;         /* of the point; NULL: none are known */
    uint64_t point_moves, recorded; /* how often it moved; as of the record in the target */
    uint64_t recorded_us;
    size_t old_marks;        /* marks of earlier processes whose transactions did not come yet */
    uint64_t old_marks_unit; /* the last of them is in this unit */
    uint64_t pruned;         /* marks below are gone */
    bool recording, record_now;
    struct applier_counts counts;
    uint64_t drift; /* records on the target, and those of transactions that are open */
};

#define LOOK_US 100000 /* between two looks at a request to stop */

/* ---- applier.c ---- */
/* Under `lock`. */
void apply_wait_us(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t us);

/* ---- apply_start.c ---- */
const char *apply_file_name(struct applier *a, const char *file); /* once; it stays until the end */
/* Whether an earlier process has applied it. */
bool apply_marks_have(const struct apply_marks *m, const struct applier_txn *txn);
void apply_marks_release(struct apply_marks *m);

/* ---- apply_work.c: the workers' pool_fn ---- */
MUST_CHECK enum err_code apply_work(void *ctx, unsigned number, struct err *err);

/* ---- apply_units.c: under the lock ---- */
struct apply_unit *units_open(struct applier *a); /* the open one, a new one if need be */
struct apply_unit *units_find(const struct applier *a, uint64_t number); /* NULL: done and gone */
void units_wait_for(struct applier *a, struct apply_unit *u, uint64_t earlier);
void units_close(struct applier *a);
struct apply_unit *
units_ready(const struct applier *a); /* the first that may be written; or NULL */
void units_done(struct applier *a, struct apply_unit *u);
void unit_free(struct apply_unit *u);

/* ---- apply_unit.c ---- */
MUST_CHECK enum err_code apply_connect(struct apply_worker *w, struct err *err);
void apply_disconnect(struct apply_worker *w);
/* Writes the unit, whatever it takes; tries again after retryable errors. */
MUST_CHECK enum err_code unit_write(struct apply_worker *w, struct apply_unit *u, struct err *err);
/* Writes down the point, and removes marks [from, below). */
MUST_CHECK enum err_code point_write(struct apply_worker *w, const struct applied_point *p,
                                     uint64_t from, uint64_t below, struct err *err);
/* Begins the transaction: BEGIN and the fence. */
void unit_begin(struct apply_worker *w, enum unit_form form);
void unit_mark(struct apply_worker *w, const struct apply_unit *u);
MUST_CHECK enum err_code unit_commit(struct apply_worker *w, struct err *err);

/* ---- apply_large.c: a spilled transaction ---- */
MUST_CHECK enum err_code large_try(struct apply_worker *w, const struct apply_unit *u,
                                   struct err *err);
/* After a lost answer to a part's COMMIT. */
MUST_CHECK enum err_code large_again(struct apply_worker *w, const struct apply_unit *u,
                                     struct err *err);

#endif
