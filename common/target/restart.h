/* common/target/restart.h: a table whose chunks so far do not count any more, because its dump was
 * started again while it was being loaded. In this order, so that it may be cut off anywhere and be
 * said again: fence, empty the table, forget. */
#ifndef FERRY_TARGET_RESTART_H
#define FERRY_TARGET_RESTART_H

#include "common/target/state.h"

/* Rewrites the tokens of the table's chunks: whoever holds one commits nothing any more.
 * ERR_LOAD_FENCED when the job is no longer ours. */
MUST_CHECK enum err_code restart_fence(struct conn *c, const struct state *s, uint64_t table,
                                       struct err *err);
/* TRUNCATE TABLE. */
MUST_CHECK enum err_code restart_empty(struct conn *c, const char *db, const char *name,
                                       struct err *err);
/* Removes the progress of the table's chunks, and what was recorded of their rows. */
MUST_CHECK enum err_code restart_forget(struct conn *c, const struct state *s, uint64_t table,
                                        struct err *err);

#endif
