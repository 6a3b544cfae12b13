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

/* Appends the expression that yields the column's exact value, in one form on every flavour: the
 * quoted name for most; FLOAT and DOUBLE(M,D) as a double, since the server's text of these is
 * rounded; ZEROFILL numbers without their zeros; YEAR(2) with four digits. Where it is not the bare
 * name, the result's column is named otherwise. */
void column_select_expr(const struct column *c, const struct flavour *f, struct strbuf *out);

/* Whether each text that the column can hold comes back as the same bytes from utf8mb4. false, for
 * cp932, gbk, cp1251 and their like: bytes that stand for no Unicode character are read as '?'. */
bool column_round_trips(const struct column *c);
/* Whether chunks can be cut by this column: its order is the index's, and key_literal can write
 * each of its values. false: SET, JSON, geometry, vectors, YEAR(2), unknown types. */
bool key_column_usable(const struct column *c);
/* Appends what to SELECT, so that key_literal takes the cell: ENUM and BIT as their number, FLOAT
 * and DOUBLE with all digits, the rest as it is. ORDER BY takes the bare column. */
void key_select_expr(const struct column *c, struct strbuf *out);
/* Appends `cell`, as key_select_expr read it, as a literal that compares with the column as the
 * column's index is ordered, so that a range of it can be scanned. Keys are NOT NULL: no NULL
 * cells. */
void key_literal(const struct column *c, const char *cell, unsigned long len, struct strbuf *out);

enum key_order { KEY_LESS, KEY_LESS_EQUAL, KEY_EQUAL, KEY_GREATER_EQUAL, KEY_GREATER };
/* Appends "`c` > literal" in the form that the index serves: the servers scan no range of numbers
 * of an ENUM, so there it is a list of equal ones. To be preferred to an operator of one's own. */
void key_compare_expr(const struct column *c, enum key_order order, const char *cell,
                      unsigned long len, struct strbuf *out);

#endif
