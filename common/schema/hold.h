/* common/schema/hold.h: can a target's column hold every value of a source's column, unchanged?
 *
 * The server does not warn of all it changes (rounded fractions, padded BINARY, FLOAT digits:
 * shared facts in docs/), so this is decided when a load is planned, from the definitions alone.
 * Errs to "no". */
#ifndef FERRY_SCHEMA_HOLD_H
#define FERRY_SCHEMA_HOLD_H

#include "common/base/err.h"
#include "common/schema/model.h"

/* ERR_LOAD_TABLE_SHAPE names table, column, both types and the reason. Same type and at least the
 * size; same or wider number; text into text of at least the length with a character set that holds
 * it; ENUM and SET with at least the same labels in the same order; a nullable column not into a
 * NOT NULL one; not into a generated one. */
MUST_CHECK enum err_code column_can_hold(const struct table *target, const struct column *dst,
                                         const struct column *src, struct err *err);
/* Every dumped column of `src` has one of the same name in `dst` that can hold it, and no other
 * column of `dst` lacks a default. */
MUST_CHECK enum err_code table_can_hold(const struct table *dst, const struct table *src,
                                        struct err *err);

#endif
