/* dumper/lock.h: what keeps rows still while the workers' snapshots are opened: the global read
 * lock (flush), or LOCK TABLES ... READ on the tables that are dumped (lock). Main thread.
 *
 * Taken in short attempts: writers wait behind a lock that waits. `auto` tries the first and, where
 * the server refuses it, the second. A connection that is lost takes its locks along, so release
 * asks each session once more whether it was there to the end. A client that stands still, or that
 * the network has lost, would keep its locks for as long as the server lets a session idle: so the
 * sessions may idle for HELD_IDLE_S only while they hold any. */
#ifndef FERRY_DUMPER_LOCK_H
#define FERRY_DUMPER_LOCK_H

#include "dumper/run.h"

#define HELD_IDLE_S 30U    /* seconds; what is done under a lock takes a fraction of one */
#define FREE_IDLE_S 86400U /* as each session begins */

/* Takes what the configuration says, at a moment without prepared XA transactions where there is a
 * binlog; sets run->consistency and run->consistency_why. On failure nothing is held. */
MUST_CHECK enum err_code dumper_lock(struct dump_run *run, struct err *err);
/* Gives it back, adds to run->lock_us; ERR_SERVER_LOST when a part was not held to the end. */
MUST_CHECK enum err_code dumper_unlock(struct dump_run *run, struct err *err);
/* Gives it back whatever has happened; without a lock it does nothing. */
void dumper_lock_drop(struct dump_run *run);
/* Until dumper_lock_rest_end the locks' connections are kept from idling; `lost` is called once on
 * another thread when one is lost. */
MUST_CHECK enum err_code dumper_lock_rest(struct dump_run *run, keeper_lost_fn *lost,
                                          struct err *err);
void dumper_lock_rest_end(struct dump_run *run);
/* For so long a session may idle; what does not let a session say so is left as it is. */
MUST_CHECK enum err_code lock_set_idle(struct conn *c, unsigned seconds, struct err *err);

/* ---- lock_tables.c ---- */
/* One attempt of at most so many seconds. A table that has gone is marked (dumper_vanished) and the
 * locks are tried again without it. On failure nothing is held. */
MUST_CHECK enum err_code lock_tables_try(struct dump_run *run, unsigned seconds, struct err *err);
MUST_CHECK enum err_code lock_tables_release(struct dump_run *run, struct err *err);
void lock_tables_close(struct dump_run *run);

#endif
