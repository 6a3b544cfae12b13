/* dumper/moving.h: --consistency binlog: no lock and no long snapshot. Each chunk is read as of its
 * own moment, and the captured binlog, from before the first chunk to behind the last one, brings
 * them to one state. Main thread's. */
#ifndef FERRY_DUMPER_MOVING_H
#define FERRY_DUMPER_MOVING_H

#include "dumper/run.h"

/* Instead of a snapshot: a position that no row read later is older than, into run->position, at a
 * moment without prepared XA transactions; refuses by name what needs an instant of its own
 * (ERR_DUMP_CONSISTENCY): tables without a key, of engines without transactions, system-versioned,
 * or tied by cascades that are not logged. */
MUST_CHECK enum err_code dumper_moving(struct dump_run *run, const char *why, struct err *err);
/* When the whole binlog is captured: no DDL in it names a table behind its first position. Such
 * tables are voided: ERR_DUMP_TABLE. */
MUST_CHECK enum err_code dumper_moving_end(struct dump_run *run, struct err *err);

/* ---- moving_from.c ---- */
/* The position alone. */
MUST_CHECK enum err_code dumper_moving_from(struct dump_run *run, struct err *err);

/* ---- lock.c ---- */
/* Waits until there are no prepared XA transactions. Nothing is held. */
MUST_CHECK enum err_code dumper_xa_wait(struct dump_run *run, struct err *err);

#endif
