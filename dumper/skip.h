/* dumper/skip.h: --on-table-error skip: a table that cannot be read is left out, and the dump goes
 * on.
 *
 * Any worker may find it; the last one that has a span of the table writes what the manifest says
 * of it: `void` and `table_done` if it was recorded, so that nothing of it counts, and `left_out`
 * with the reason. */
#ifndef FERRY_DUMPER_SKIP_H
#define FERRY_DUMPER_SKIP_H

#include "dumper/run.h"

/* Whether `err` is the table's own fault, and the worker's snapshot has outlived it: then the table
 * is marked and `err` is cleared. */
bool dumper_skip(struct worker *w, struct plan_table *t, struct err *err);
/* An error may have rolled the transaction back, and with it the snapshot is gone: asks the server.
 * true where there was none to lose (--consistency none). */
bool dumper_snapshot_lives(struct worker *w);
/* Whether `err` says that there is no such table (any more): then it is marked as vanished and
 * `err` is cleared. For before and while the snapshot is taken. */
bool dumper_gone(struct worker *w, struct plan_table *t, struct err *err);
/* Marks a table that was dropped since the plan: as one that is left out, with that reason. */
void dumper_vanished(struct dump_run *run, struct plan_table *t);
bool dumper_is_skipped(struct dump_run *run, const struct plan_table *t);
/* Voids what is recorded of the table and records why (l->left_out) the dump does without it. No
 * worker has a span of it any more. */
MUST_CHECK enum err_code dumper_leave_table_out(struct dump_run *run, struct ledger_table *l,
                                                struct err *err);
/* No worker has a span of the table any more. */
MUST_CHECK enum err_code dumper_skip_finish(struct dump_run *run, struct plan_table *t,
                                            struct err *err);

#endif
