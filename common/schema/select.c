#include "common/schema/select.h"

#include "common/mysql/ident.h"

#include <stdlib.h>

/* Longer ENUMs are compared by number, which reads the whole index. */
#define KEY_ENUM_LIST_MAX 1024

static bool column_is_text(const struct column *c)
{
    return column_form(c) == CELL_TEXT && c->charset != NULL;
}

/* `c`*1e0 keeps every bit of a FLOAT or DOUBLE, the sign of zero too, which `c`+0e0 does not. */
static void select_as_double(const struct column *c, struct strbuf *out)
{
    strbuf_add_ident(out, c->name);
    strbuf_addstr(out, "*1e0");
}

static void select_as_number(const struct column *c, struct strbuf *out)
{
    strbuf_add_ident(out, c->name);
    strbuf_addstr(out, "+0");
}

void column_select_expr(const struct column *c, const struct flavour *f, struct strbuf *out)
{
    bool is_double = c->type == TYPE_DOUBLE && (c->precision || c->zerofill);

    (void)f; /* measured on all three: the same forms are exact */
    if (c->type == TYPE_FLOAT || is_double) {
        select_as_double(c, out);
    } else if (c->type == TYPE_YEAR && c->precision == 2) {
        strbuf_addstr(out, "IF(");
        strbuf_add_ident(out, c->name);
        strbuf_addstr(out, "<70,2000,1900)+");
        strbuf_add_ident(out, c->name);
    } else if (c->zerofill) {
        select_as_number(c, out);
    } else {
        strbuf_add_ident(out, c->name);
    }
}

/* Character sets whose every stored text comes back as the same bytes from utf8mb4. In others
 * (cp932, gbk, cp1251 ...) some bytes map to a character that maps back to other bytes, so a bound
 * would be another value. */
bool column_round_trips(const struct column *c)
{
    static const char *const charsets[] = {"utf8mb4", "utf8mb3", "utf8",    "latin1", "ascii",
                                           "ucs2",    "utf16",   "utf16le", "utf32",  "binary"};

    if (!c->charset)
        return true;
    for (size_t i = 0; i < sizeof charsets / sizeof charsets[0]; i++)
        if (strcmp(charsets[i], c->charset) == 0)
            return true;
    return false;
}

bool key_column_usable(const struct column *c)
{
    if (c->type != TYPE_ENUM && !column_round_trips(c))
        return false;
    switch (c->type) {
    case TYPE_OTHER:
    case TYPE_SET: /* no range of numbers is scanned; the 64th label's bit compares as a sign */
    case TYPE_JSON:
    case TYPE_GEOMETRY:
    case TYPE_VECTOR:
    case TYPE_COUNT:
        return false;
    case TYPE_YEAR:
        return c->precision != 2;
    case TYPE_TINYINT:
    case TYPE_SMALLINT:
    case TYPE_MEDIUMINT:
    case TYPE_INT:
    case TYPE_BIGINT:
    case TYPE_DECIMAL:
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
    case TYPE_BIT:
    case TYPE_DATE:
    case TYPE_TIME:
    case TYPE_DATETIME:
    case TYPE_TIMESTAMP:
    case TYPE_CHAR:
    case TYPE_VARCHAR:
    case TYPE_TINYTEXT:
    case TYPE_TEXT:
    case TYPE_MEDIUMTEXT:
    case TYPE_LONGTEXT:
    case TYPE_BINARY:
    case TYPE_VARBINARY:
    case TYPE_TINYBLOB:
    case TYPE_BLOB:
    case TYPE_MEDIUMBLOB:
    case TYPE_LONGBLOB:
    case TYPE_ENUM:
    case TYPE_UUID:
    case TYPE_INET4:
    case TYPE_INET6:
        break;
    }
    return true;
}

void key_select_expr(const struct column *c, struct strbuf *out)
{
    if (c->type == TYPE_FLOAT || c->type == TYPE_DOUBLE)
        select_as_double(c, out);
    else if (c->type == TYPE_ENUM || c->type == TYPE_SET || c->type == TYPE_BIT || c->zerofill)
        select_as_number(c, out);
    else
        strbuf_add_ident(out, c->name);
}

/* In the column's own character set and collation: only then may the server use the index. */
static void literal_text(const struct column *c, const char *cell, size_t len, struct strbuf *out)
{
    bool convert = strcmp(c->charset, "utf8mb4") != 0;

    if (convert)
        strbuf_addstr(out, "CONVERT(");
    strbuf_addstr(out, "_utf8mb4");
    strbuf_add_quoted(out, cell, len);
    if (convert) {
        strbuf_addstr(out, " USING ");
        strbuf_addstr(out, c->charset);
        strbuf_addch(out, ')');
    }
    if (c->collation) {
        strbuf_addstr(out, " COLLATE ");
        strbuf_addstr(out, c->collation);
    }
}

void key_literal(const struct column *c, const char *cell, unsigned long len, struct strbuf *out)
{
    enum cell_form form = column_form(c);
    bool number = form == CELL_NUMBER || c->type == TYPE_BIT || c->type == TYPE_ENUM;

    if (number) {
        strbuf_add(out, cell, len);
        /* Without an exponent the server would take it for a DECIMAL. */
        if ((c->type == TYPE_FLOAT || c->type == TYPE_DOUBLE) && !memchr(cell, 'e', len))
            strbuf_addstr(out, "e0");
    } else if (form == CELL_BYTES) {
        strbuf_add_hex_literal(out, cell, len);
    } else if (column_is_text(c)) {
        literal_text(c, cell, len, out);
    } else {
        strbuf_add_quoted(out, cell, len); /* temporal, UUID, INET */
    }
}

/* An ENUM's values are 0 (the error value) to its number of labels. */
static void compare_enum(const struct column *c, enum key_order order, unsigned value,
                         struct strbuf *out)
{
    bool below = order == KEY_LESS || order == KEY_LESS_EQUAL;
    bool closed = order != KEY_LESS && order != KEY_GREATER;
    unsigned first = below ? 0 : value + !closed;
    unsigned end = below ? value + closed : c->precision + 1U; /* not in the list */

    if (order == KEY_EQUAL)
        end = value + 1;
    if (first >= end) {
        strbuf_addstr(out, "FALSE");
        return;
    }
    strbuf_add_ident(out, c->name);
    for (unsigned i = first; i < end; i++)
        strbuf_addf(out, "%s%u", i == first ? " IN (" : ",", i);
    strbuf_addch(out, ')');
}

void key_compare_expr(const struct column *c, enum key_order order, const char *cell,
                      unsigned long len, struct strbuf *out)
{
    static const char *const sign[] = {
        [KEY_LESS] = " < ",           [KEY_LESS_EQUAL] = " <= ", [KEY_EQUAL] = " = ",
        [KEY_GREATER_EQUAL] = " >= ", [KEY_GREATER] = " > ",
    };

    if (c->type == TYPE_ENUM && c->precision && c->precision <= KEY_ENUM_LIST_MAX) {
        char number[16] = ""; /* at most 65535 */

        memcpy(number, cell, len < sizeof(number) ? len : sizeof(number) - 1);
        compare_enum(c, order, (unsigned)strtoul(number, NULL, 10), out);
        return;
    }
    strbuf_add_ident(out, c->name);
    strbuf_addstr(out, sign[order]);
    key_literal(c, cell, len, out);
}
