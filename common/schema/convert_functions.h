/* common/schema/convert_functions.h: which functions the servers have. */
#ifndef FERRY_SCHEMA_CONVERT_FUNCTIONS_H
#define FERRY_SCHEMA_CONVERT_FUNCTIONS_H

#include "common/mysql/flavour.h"

#include <stdbool.h>

/* Also true for words that may stand before a parenthesis without being a function. For TiDB by its
 * own list of functions; for the others by what only their rival has. */
bool vendor_has_function(enum vendor v, const char *name);
/* Allowed in an index on an expression (tidb_allow_function_for_expression_index). */
bool tidb_indexes_function(const char *name);

#endif
