/* loader/share.h: this process's part in a load that others may share (common/target/loaders.h):
 * its sign of life, who leads, and the end of a load that another one has stopped. */
#ifndef FERRY_LOADER_SHARE_H
#define FERRY_LOADER_SHARE_H

#include "common/target/loaders.h"
#include "loader/load_inner.h"

/* Joins the load and starts the thread that renews the lease. `options`: what all must have said
 * alike, JSON. ERR_LOAD_OTHERS: they must not be together. */
MUST_CHECK enum err_code share_join(struct load_run *run, const char *options, struct err *err);
/* Ends the thread; gives the chunks back. Nothing to do before share_join. */
void share_leave(struct load_run *run);
/* Why the load has been stopped from outside this process; ERR_OK: it has not. */
MUST_CHECK enum err_code share_failed(struct load_run *run, struct err *err);
/* Looks whether another loader has stopped the load. */
MUST_CHECK enum err_code share_look(struct load_run *run, struct conn *conn, struct err *err);
/* After a worker's error: those that stop all are told to all. */
void share_tell(struct load_run *run, const struct err *why);
/* How many others share the load, as of the last look. */
unsigned share_others(const struct load_run *run);
/* Whether there were any at some time: one that was buried may have left a transaction open that
 * holds what it had just claimed. */
bool share_was_shared(const struct load_run *run);

/* Waits until the definitions are there, or (`closing`) until the load is done; or until it is upon
 * this process to do it: then run->leads, and run->conn holds the lock. */
MUST_CHECK enum err_code share_turn(struct load_run *run, bool closing, struct err *err);
/* Sets run->first, and forgets the loaders of earlier runs if it is. */
MUST_CHECK enum err_code share_first(struct load_run *run, struct err *err);
/* The lock is on run->conn: else a retryable error, or ERR_LOAD_FENCED when another one leads. */
MUST_CHECK enum err_code share_hold(struct load_run *run, struct err *err);
/* Gives the lock back; the process goes on leading. */
void share_let_go(struct load_run *run);
MUST_CHECK enum err_code share_stage(struct load_run *run, enum loader_stage stage,
                                     struct err *err);
/* What this process has written, for the others and for people. */
struct loaders_beat share_beat(const struct load_run *run);
/* The loaders of the job, into the report. */
MUST_CHECK enum err_code share_report(struct load_run *run, struct err *err);

#endif
