/* dumper/changes.h: notices tables that were altered, renamed, exchanged, truncated or dropped
 * while an epoch read them.
 *
 * A transaction that has read a table keeps others from altering it until it ends; so what is to be
 * noticed happens before a worker has opened the table, or after the connection of one that had is
 * lost. Three means, of which each misses something, and which are used as far as they are at hand:
 * - InnoDB's table ids (PROCESS privilege), read before the lock and after the last row: whatever
 *   makes a table anew or puts another in its place has another id.
 * - definitions (SHOW CREATE TABLE), where ids are missing, a connection was lost, or no snapshot
 *   was taken: they do not see another table of the same definition.
 * - the binlog from the epoch's position on (REPLICATION SLAVE; MariaDB: BINLOG MONITOR), unless it
 * is longer than 256 MiB: it does not see what was done with sql_log_bin=0. The main thread's. */
#ifndef FERRY_DUMPER_CHANGES_H
#define FERRY_DUMPER_CHANGES_H

#include "dumper/run.h"

struct changes;
struct changes *changes_new(void);
void changes_free(struct changes *c);

/* Before an epoch's snapshots are opened: what the tables are now. */
MUST_CHECK enum err_code dumper_changes_begin(struct dump_run *run, struct err *err);
/* When all that an epoch can read is read, with the workers' transactions still open. Tables that
 * were changed are voided, to be read in a new epoch: ERR_DUMP_TABLE names the first; with
 * --on-table-error skip they are left out. An epoch without any is recorded as checked. */
MUST_CHECK enum err_code dumper_changes_end(struct dump_run *run, struct err *err);
/* For people: the means that were at hand in the last epoch; NULL: none was needed. Borrowed. */
const char *dumper_changes_means(const struct dump_run *run);

/* ---- changes_binlog.c ---- */
typedef void binlog_ddl_fn(void *ctx, const char *db, const char *table, const char *where);
/* Statements from `from` to the end as it is now, which change tables (ddl_names.h): `fn` for each
 * name, with the place and the statement's first words. *read false: it cannot be read, and `why`
 * (appended) says the reason; no error. */
MUST_CHECK enum err_code dumper_binlog_ddl(struct conn *c, const struct position *from,
                                           binlog_ddl_fn *fn, void *ctx, bool *read,
                                           struct strbuf *why, struct err *err);

#endif
