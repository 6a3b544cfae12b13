/* common/schema/select.h: how a column is read exactly over the text protocol, and how a key value
 * that was read becomes a literal again. No state: any thread.
 *
 * Literals are for a session as conn.h makes it: utf8mb4, time_zone '+00:00', no
 * NO_BACKSLASH_ESCAPES, no ANSI_QUOTES. */
#ifndef FERRY_SCHEMA_SELECT_H
#define FERRY_SCHEMA_SELECT_H

#include "common/base/strbuf.h"
#include "common/mysql/flavour.h"
#include "common/schema/model.h"

/* Appends the expression that yields the column's exact value: the quoted name for most; FLOAT as a
 * double, since the server's text of a FLOAT has six digits. The result's column name is not the
 * column's. */
void column_select_expr(const struct column *c, const struct flavour *f, struct strbuf *out);

/* Whether chunks can be cut by this column: its order is the index's, and key_literal writes each
 * of its values. false: JSON, geometry, vectors, unknown types. */
bool key_column_usable(const struct column *c);
/* Appends what to SELECT (and nothing to ORDER BY) so that key_literal takes the cell: ENUM and SET
 * as their number, BIT as its number, FLOAT and DOUBLE with all digits, text as it is. */
void key_select_expr(const struct column *c, struct strbuf *out);
/* Appends `cell`, as key_select_expr read it, as a literal that compares with the column as the
 * column's index is ordered, so that a range scan is used. A key is NOT NULL: no NULL cells. */
void key_literal(const struct column *c, const char *cell, unsigned long len, struct strbuf *out);

#endif
