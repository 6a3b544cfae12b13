/* common/mysql/table_rules.h: options of single tables, "PATTERN=VALUE", repeatable: the pattern is
 * one of TiDB's table filter (filter.h), the last one that matches a table wins.
 *
 * The texts are borrowed and must outlive the rules. `used` is kept by table_rules_find: one
 * thread. */
#ifndef FERRY_MYSQL_TABLE_RULES_H
#define FERRY_MYSQL_TABLE_RULES_H

#include "common/base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct table_rules;
/* `option` is what messages call them: "--where". ERR_USAGE. */
MUST_CHECK enum err_code table_rules_new(const char *option, const char *const *items, size_t count,
                                         bool case_sensitive, struct table_rules **,
                                         struct err *err);
void table_rules_free(struct table_rules *r); /* NULL is fine */
/* The value for the table; NULL: none. */
const char *table_rules_find(struct table_rules *r, const char *db, const char *table);
/* Rule `i`'s value: what table_rules_find gives where it decides. */
const char *table_rules_value(const struct table_rules *r, size_t i);
/* ERR_USAGE names a rule that has matched no table so far. `of`: "that is dumped". */
MUST_CHECK enum err_code table_rules_all_used(const struct table_rules *r, const char *of,
                                              struct err *err);

#endif
