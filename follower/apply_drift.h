/* follower/apply_drift.h: changes that do not fit the target's rows, one by one.
 *
 * A batch whose counts do not come out is rolled back and written again in pieces, each behind a
 * savepoint; the changes of a piece that does not fit are made one after the other, in the source's
 * order, and each that does not fit is put on record:
 *
 *   logged     it is left out, the target's rows stay as they are
 *   repaired   the target's rows become what they were on the source behind it: the rows that are
 *              in the way are removed, each by a condition under which it was put on record; one
 *              that is not the change's own row is `removed`: the source may have it
 *
 * One thread at a time. */
#ifndef FERRY_FOLLOWER_APPLY_DRIFT_H
#define FERRY_FOLLOWER_APPLY_DRIFT_H

#include "common/base/err.h"
#include "common/base/strbuf.h"

#include <stddef.h>
#include <stdint.h>

struct apply_worker;
struct apply_unit;

struct drift_work { /* of a worker */
    struct strbuf sql, records;
    struct strbuf key_values, incoming, existing, expected, differs, gtid;
    uint64_t logged, repaired, removed; /* of the open transaction; removed are repaired, too */
};
void drift_release(struct drift_work *d);

/* Writes the packed changes, within the worker's open transaction, which is pessimistic on TiDB.
 * `before`: of a spilled transaction's changes, so many came before these. */
MUST_CHECK enum err_code drift_changes(struct apply_worker *w, const struct apply_unit *u,
                                       const struct strbuf *changes, uint64_t before,
                                       struct err *err);
/* The open transaction is rolled back: its records do not count. */
void drift_forgotten(struct apply_worker *w);
/* It is committed. */
void drift_kept(struct apply_worker *w);
/* Puts on record, in a transaction of its own, what the unit stops at. Nothing else is changed. */
MUST_CHECK enum err_code drift_stopped(struct apply_worker *w, const struct apply_unit *u,
                                       struct err *err);

#endif
