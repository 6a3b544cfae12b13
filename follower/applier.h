/* follower/applier.h: writes transactions of row changes into a target, each exactly once.
 *
 *     applier_new  applier_start  ( begin change* (commit | rollback) | drain )*  applier_free
 *
 * One thread calls it (the loop); writing is done by threads of its own. Transactions are given in
 * the order of the source. They may be committed on the target in another order where no value of a
 * unique key is shared, several of them in one transaction of the target, never a part of one. What
 * is committed is recorded in the same transaction (common/target/applied.h), so that a process
 * that was killed goes on at the right place, and one that was thought dead writes nothing any
 * more.
 *
 * Foreign keys are not checked and do not cascade (the session's foreign_key_checks is 0); a parent
 * is written before its children, and removed after them, as on the source (by the keys that the
 * target has at applier_start).
 *
 * Changes of a transaction above `spill_bytes` go to a temporary file; such a transaction is
 * written alone. Above `atomic_bytes` it is cut: its parts are committed one by one, each with a
 * note of how far it is, so a reader of the target may see a part of it.
 *
 * Errors of the writing threads come back from any later call; after an error only applier_position
 * and applier_free may be called. */
#ifndef FERRY_FOLLOWER_APPLIER_H
#define FERRY_FOLLOWER_APPLIER_H

#include "common/base/pool.h"
#include "common/mysql/gtid_set.h"
#include "common/mysql/row_change.h"
#include "common/mysql/server_url.h"
#include "common/schema/model.h"
#include "common/target/state.h"

struct applier;

enum apply_drift { /* what becomes of a change that does not fit the target's rows */
                   APPLY_DRIFT_ERROR, /* ERR_FOLLOW_DRIFT, with the first one on record */
                   APPLY_DRIFT_REPAIR,
                   APPLY_DRIFT_LOG /* it is left out */
};

struct applier_config { /* copied; what it points to is borrowed until applier_free */
    const struct server_url *target;
    const struct state *state; /* schema and job; token and owner are not used */
    unsigned threads;          /* connections that write; 0: 16 */
    size_t batch_rows;         /* changes in one transaction of the target, unless one transaction
                                  of the source has more; 0: 2,000 */
    size_t batch_bytes;        /* likewise, of values; 0: 1 MiB */
    size_t memory_bytes;       /* of changes that wait or are being written; 0: 24 MiB */
    size_t spill_bytes;        /* 0: 8 MiB */
    uint64_t atomic_bytes;     /* 0: 64 MiB on TiDB, 4 GiB elsewhere */
    const char *spill_folder;  /* NULL: TMPDIR, else /tmp */
    uint64_t retry_us;         /* how long one transaction is tried again after retryable errors;
                                  0: ten minutes */
    bool in_order;             /* what the target shows is always what the source was after one of
                                  its transactions (but for those that are cut) */
    enum apply_drift on_drift;
    bool check_before_image;     /* whole rows must be as they were on the source, not their keys */
    uint64_t max_drift;          /* rows on record, of earlier runs too; 0: any number */
    const struct cancel *cancel; /* may be NULL: calls end with ERR_INTERRUPTED */
};

/* A point of the source's binlog between two transactions. */
struct applier_position {
    const char *file; /* "": not known, the start was a GTID set */
    uint64_t offset;
    const char *gtids;     /* text of the set of the same instant; "": none, or not known */
    enum gtid_kind kind;   /* of `gtids` */
    uint32_t timestamp;    /* seconds, UTC, of the last transaction before it; 0: none */
    uint64_t transactions; /* applied before it, since the beginning */
};

/* Nothing is connected yet. */
struct applier *applier_new(const struct applier_config *config);
/* Ends the threads: what was given but is not committed is not written, and comes again after the
 * next start. NULL is fine. */
void applier_free(struct applier *a);

/* Makes the tables where missing, fences off every earlier process of this job (its open
 * transactions are ended or waited for), and says where to go on: `from`, when the job has not
 * begun, which is written down, else as far as everything is applied. *at is borrowed, valid until
 * the next call. Transactions behind it that are applied already are recognised by applier_begin
 * and passed over. `from` may be NULL for a job that must have begun: ERR_LOAD_STATE. */
MUST_CHECK enum err_code applier_start(struct applier *a, const struct applier_position *from,
                                       struct applier_position *at, struct err *err);

enum applier_mode {
    APPLY_EXACT,     /* the row must be as the source had it: else ERR_FOLLOW_DRIFT */
    APPLY_IDEMPOTENT /* may have been applied before, in part or as a whole: INSERT replaces,
                        UPDATE replaces and removes a key that it leaves, DELETE may find nothing.
                        Tables with a key only. */
};

struct applier_table {
    const char *db, *name;   /* on the target */
    const struct table *def; /* of the target: columns and all its unique keys. Copied. */
    const int *source;       /* by target column: index in the source's images, or -1. Copied. */
};
/* A table that changes will name by *id, which is small and never given again. After DDL: the table
 * again, with a new id, behind applier_drain. ERR_LOAD_TABLE_SHAPE: the target has a column that is
 * not generated and that the source lacks. */
MUST_CHECK enum err_code applier_table(struct applier *a, const struct applier_table *t,
                                       unsigned *id, struct err *err);

struct applier_txn {  /* borrowed for the call */
    const char *file; /* where it begins: what it is known by, with the gtid */
    uint64_t start;
    const struct gtid *gtid; /* NULL or GTID_NONE: none */
    uint32_t timestamp;      /* seconds, UTC; 0: none */
};
/* *applied true: it is in the target already. Its changes may be given or left out, and have no
 * effect; its commit is to be given. May wait until there is room. */
MUST_CHECK enum err_code applier_begin(struct applier *a, const struct applier_txn *txn,
                                       bool *applied, struct err *err);
/* Copies what it keeps. ERR_BINLOG_UNSUPPORTED: the images are not whole, or the table has no key
 * and the mode is not exact. */
MUST_CHECK enum err_code applier_change(struct applier *a, unsigned table, enum applier_mode mode,
                                        const struct row_change *change, struct err *err);
/* The transaction is whole and ends before file:end. It may have no changes: every transaction of
 * the source is given, so that the position moves on. */
MUST_CHECK enum err_code applier_commit(struct applier *a, const char *file, uint64_t end,
                                        struct err *err);
/* Forgets the open transaction: it will come again. */
void applier_rollback(struct applier *a);

/* The error that has ended the threads' work, for who gives nothing at the moment and would not
 * hear of it. */
MUST_CHECK enum err_code applier_look(struct applier *a, struct err *err);

/* Everything given so far is committed on the target, and the position behind it recorded. Not
 * within a transaction. */
MUST_CHECK enum err_code applier_drain(struct applier *a, struct err *err);
/* Up to where everything is committed on the target (it may not be recorded yet). Borrowed, valid
 * until the next call. */
void applier_position(struct applier *a, struct applier_position *at);

struct applier_counts {             /* of this run, for people */
    uint64_t transactions, changes; /* committed on the target */
    uint64_t written;               /* transactions of the target */
    uint64_t retries;
    uint64_t drift_logged, drift_repaired; /* rows on record */
    uint64_t drift_removed; /* of the repaired: rows in the way that were not the change's own */
    uint64_t cut;           /* transactions that were committed in parts */
    /* Of this moment. */
    uint64_t queued, queued_bytes, busy; /* transactions of the target that wait; bytes of changes
                                            in memory; threads that write */
    uint32_t oldest; /* when the first that is not committed was on the source; 0: none is */
};
void applier_counts(struct applier *a, struct applier_counts *counts);

#endif
