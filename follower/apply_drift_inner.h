/* follower/apply_drift_inner.h: what the files of apply_drift share. */
#ifndef FERRY_FOLLOWER_APPLY_DRIFT_INNER_H
#define FERRY_FOLLOWER_APPLY_DRIFT_INNER_H

#include "common/target/drift.h"
#include "follower/apply_inner.h"

struct drifting {
    struct apply_worker *w;
    const struct apply_unit *u;
    enum drift_done done;
    const struct apply_txn *txn; /* of the change */
    size_t next_txn;
    uint64_t row; /* the change in it, from 1 */
    unsigned part;
    const char *change;
    struct change_head h;
    const struct apply_table *t;
};

/* Makes the change, or what is to be done where it does not fit; records are gathered in the
 * worker's `records`. DRIFT_STOPPED: ERR_FOLLOW_DRIFT behind the records of the first one. */
MUST_CHECK enum err_code drift_change(struct drifting *d, struct err *err);

#endif
