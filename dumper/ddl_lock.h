/* dumper/ddl_lock.h: --ddl-lock: keeps DDL out while the dump runs. Main thread, but for
 * dumper_ddl_held.
 *
 * MySQL 8.0 and above: LOCK INSTANCE FOR BACKUP. MariaDB 10.4.1 and above: BACKUP STAGE ...
 * BLOCK_DDL, which also makes writers of tables without transactions (MyISAM) wait: where the
 * source has such tables it is not taken, unless --ddl-lock always. (To hold it for the time under
 * the read lock alone would add nothing: that keeps DDL out, too.) Held on a connection of its own:
 * the session that holds a stage cannot take the global read lock (4145). What it is lost by, or
 * why it could not be had, is logged and told at the end; the dump goes on. */
#ifndef FERRY_DUMPER_DDL_LOCK_H
#define FERRY_DUMPER_DDL_LOCK_H

#include "dumper/run.h"

/* Takes it, before the tables are listed; in a later epoch only if it was lost since. */
MUST_CHECK enum err_code dumper_ddl_lock(struct dump_run *run, struct err *err);
/* Gives it back; frees. NULL run->ddl is fine. */
void dumper_ddl_unlock(struct dump_run *run);

/* Whether it has been held without a break since it was taken, and still is. Any thread. */
bool dumper_ddl_held(const struct dump_run *run);
/* The connection's id on the server; 0: none. */
uint64_t dumper_ddl_session(const struct dump_run *run);
/* One line for the end: what kept DDL out, or why nothing did; "" when nothing was asked for. */
void dumper_ddl_text(const struct dump_run *run, struct strbuf *out);

#endif
