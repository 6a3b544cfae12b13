/* common/schema/column_text.h: a column as a statement of DDL defines it, in the words in which the
 * server would describe it afterwards. Nothing is asked of a server. No state: any thread. */
#ifndef FERRY_SCHEMA_COLUMN_TEXT_H
#define FERRY_SCHEMA_COLUMN_TEXT_H

#include "common/schema/ddl_table.h"
#include "common/schema/model.h"

/* What a row of the binlog needs to be read: name, type, character set, collation, nullable,
 * generated; all strings are the arena's of `d`. `table_collation` is the table's own, for columns
 * that name none; NULL: unknown. ERR_FORMAT: the type is not known, or not what it will be. */
MUST_CHECK enum err_code column_of_text(const struct ddl_text *d, const struct ddl_item *item,
                                        const struct flavour *server, const char *table_collation,
                                        struct column *out, struct err *err);
/* The collation that a table's options name; NULL: they name none, or an unknown character set. */
const char *table_text_collation(const struct ddl_text *d, const struct ddl_option *options,
                                 size_t count, const struct flavour *server);
/* How a CREATE TABLE divides its table, so that equal texts of two servers' SHOW CREATE TABLE mean
 * equal partitions; "" for not at all. Appended. */
void table_text_partition(const struct ddl_text *d, const struct ddl_table *t, struct strbuf *out);
/* It has a character set, or would have one but for "binary". */
bool column_is_text(const struct column *c);

#endif
