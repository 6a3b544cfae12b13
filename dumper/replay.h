/* dumper/replay.h: whether a replay of the binlog can bring rows of several epochs to one state,
 * where the source has moved between them; and what has to start again for that. Main thread's. */
#ifndef FERRY_DUMPER_REPLAY_H
#define FERRY_DUMPER_REPLAY_H

#include "dumper/run.h"

/* After the snapshot is open, at run->position: all that was written since the first chunk of any
 * unfinished table is captured, or is in the binlog still, and can be replayed: rows, whole.
 * Unfinished tables that the replay could not put right start again: those that DDL names,
 * system-versioned ones; those without a key do so in any case. So do groups of tables that are
 * tied by cascades which are not logged; where one of them was finished, ERR_DUMP_TABLE is kept in
 * run->lost, and the dump is to be planned again. Unfinished tables that are gone are left out.
 * ERR_DUMP_MOVED says why it cannot be. */
MUST_CHECK enum err_code dumper_replay(struct dump_run *run, struct err *err);

/* ---- cascades.c ---- */
/* Voids groups that are not of one epoch; *again: a finished table was among them. */
MUST_CHECK enum err_code dumper_cascades(struct dump_run *run, bool *again, struct err *err);
/* No planned table is tied to another by cascades that are not logged: ERR_DUMP_CONSISTENCY. */
MUST_CHECK enum err_code dumper_cascades_refuse(struct dump_run *run, struct err *err);
/* Voids what is recorded of the table, which is not done in this run yet. */
MUST_CHECK enum err_code dumper_start_again(struct dump_run *run, struct ledger_table *l,
                                            const char *why, struct err *err);

#endif
