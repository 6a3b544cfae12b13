/* common/schema/ddl_names.h: judges the text of one statement from a binlog (a QUERY event, or a
 * row of SHOW BINLOG EVENTS): which tables' definitions, names or whole contents it changes.
 *
 * It errs to the safe side: a statement that is not understood names everything in it that could be
 * a table. Changes of rows (INSERT, ...), of views, triggers and routines, and temporary tables
 * name nothing. No state: any thread. */
#ifndef FERRY_SCHEMA_DDL_NAMES_H
#define FERRY_SCHEMA_DDL_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/* `table` NULL: every table of the database. Both as they are written, which may be in another case
 * than the server has them. Borrowed for the call. `db` is "" when the statement and the default
 * say none. A table may come more than once. */
typedef void ddl_name_fn(void *ctx, const char *db, const char *table);

/* `default_db` "" for none. false: the statement changes no table. */
bool ddl_names(const char *sql, size_t len, const char *default_db, ddl_name_fn *fn, void *ctx);

/* Takes the "use `db`; " off that SHOW BINLOG EVENTS puts in front of a statement: *sql and *len
 * become the statement, the result is the database (owned by the caller), "" when there is none. */
char *ddl_take_use(const char **sql, size_t *len);

#endif
