/* common/schema/type_parse.h: the labels of an ENUM or SET, as COLUMN_TYPE prints them. No state.
 */
#ifndef FERRY_SCHEMA_TYPE_PARSE_H
#define FERRY_SCHEMA_TYPE_PARSE_H

#include <stdbool.h>
#include <stddef.h>

/* Steps through "'a','it''s','b\\c'": `*pos` is behind the opening parenthesis at first and behind
 * the last label at the end. The label still has its doubled quotes and backslashes: equal labels
 * of two types are equal bytes. false: no further label. */
bool type_label_next(const char **pos, const char **label, size_t *len);
/* Behind the opening parenthesis of "enum(...)" or "set(...)". */
const char *type_labels(const char *type_text);

#endif
