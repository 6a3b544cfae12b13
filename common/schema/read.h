/* common/schema/read.h: builds the model from information_schema, in bulk: a handful of queries a
 * database, not one a table. */
#ifndef FERRY_SCHEMA_READ_H
#define FERRY_SCHEMA_READ_H

#include "common/mysql/conn.h"
#include "common/mysql/filter.h"
#include "common/schema/model.h"

/* All databases and tables that the filter lets through. On flavours whose text forms differ
 * (MariaDB's quoted defaults, MySQL 8's missing display widths, TiDB) the model is the same for the
 * same definition, type_text and extra aside. Names are compared by bytes. A table whose columns
 * the server cannot show (broken files, lost rights) stays in the model with column_count 0:
 * reading it fails by name. On MySQL 8 the session's information_schema_stats_expiry becomes 0. */
MUST_CHECK enum err_code schema_read(struct conn *c, const struct filter *filter, struct schema **,
                                     struct err *err);
/* SHOW CREATE DATABASE | TABLE | VIEW, the statement's text with "IF NOT EXISTS" for databases; the
 * heap string is the caller's. */
MUST_CHECK enum err_code schema_create_database(struct conn *c, const char *db, char **sql,
                                                struct err *err);
MUST_CHECK enum err_code schema_create_table(struct conn *c, const struct table *t, char **sql,
                                             struct err *err);

#endif
