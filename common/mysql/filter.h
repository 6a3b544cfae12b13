/* common/mysql/filter.h: TiDB's table filter (docs.pingcap.com, "Table Filter"): repeatable
 * patterns, the last match wins.
 *
 * db.table with * ? [a-z] [!a-z], `quoted` or "quoted" names, /regex/ (POSIX extended), '!' in
 * front excludes, '@file' reads patterns from a file, '#' comments there, '\' escapes.
 * Case-insensitive as in Dumpling, unless `case_sensitive`. No pattern: everything but the system
 * schemas. System schemas (mysql, information_schema, performance_schema, sys, metrics_schema,
 * inspection_schema, ferry_meta) never match. Immutable after parsing: any thread. */
#ifndef FERRY_MYSQL_FILTER_H
#define FERRY_MYSQL_FILTER_H

#include "common/base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct filter;
/* If the first pattern is an exclusion, everything else is included (as in Dumpling's tools one
 * writes '*.*' first; ours adds it). */
MUST_CHECK enum err_code filter_new(const char *const *patterns, size_t count, bool case_sensitive,
                                    struct filter **, struct err *err);
bool filter_match_table(const struct filter *f, const char *db, const char *table);
/* The pattern that decides of the table, as it was written; NULL: none matches it. */
const char *filter_rule(const struct filter *f, const char *db, const char *table);
bool filter_match_db(const struct filter *f, const char *db); /* some table of it may match */
bool filter_is_system(const char *db);
void filter_free(struct filter *f);

#endif
