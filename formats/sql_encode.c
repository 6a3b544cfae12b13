/* Rows as SQL literals.
 *
 * Text: '...' with \0 \n \r \Z \' \\ escaped. \n and \r, so that a row is a line and no value holds
 * ";\n", at which myloader and others split; \0 and \Z for clients that stop there. All of MySQL,
 * MariaDB, TiDB and Lightning take each of these back (the file sets a sql_mode without
 * NO_BACKSLASH_ESCAPES). Bytes and BIT: x'...', which no character set touches.
 *
 * A number is bare only where the literal is the value. '-0' is quoted, since the literal is minus
 * the integer 0, which has no sign; a literal without exponent is a DECIMAL before it becomes a
 * DOUBLE, so one of more digits than every server's DECIMAL has (30 behind the point, 65 in all) is
 * quoted rather than left to a server's rounding; and what is no number at all (an empty cell) is a
 * string. */
#include "formats/encoder_driver.h"

#define SQL_DECIMAL_DIGITS 65
#define SQL_DECIMAL_FRACTION 30
#define SQL_CELL_EXTRA 5 /* x'' or NULL, and the comma */

static const struct scan_set sql_specials = {'\0', '\n', '\r', '\x1a', '\'', '\\'};
static const char sql_letters[256] = {
    ['\0'] = '0', ['\n'] = 'n', ['\r'] = 'r', ['\x1a'] = 'Z', ['\''] = '\'', ['\\'] = '\\'};

static bool sql_number_is_bare(const char *cell, size_t len)
{
    struct scan_number n;

    if (!scan_number(cell, cell + len, &n) || n.end != cell + len)
        return false;
    if (n.zero && cell[0] == '-')
        return false;
    return n.exponent || (n.fraction <= SQL_DECIMAL_FRACTION && n.digits <= SQL_DECIMAL_DIGITS);
}

static char *sql_text_put(char *to, const char *cell, size_t len)
{
    *to++ = '\'';
    to = scan_escape(to, cell, len, sql_specials, sql_letters);
    *to++ = '\'';
    return to;
}

static inline char *sql_number_put(char *to, const char *cell, size_t len)
{
    if (!encoder_is_plain_number(cell, len) && !sql_number_is_bare(cell, len))
        return sql_text_put(to, cell, len);
    if (len <= SCAN_STEP)
        scan_copy_short(to, cell, len);
    else
        memcpy(to, cell, len);
    return to + len;
}

static inline char *sql_bytes_put(char *to, const char *cell, size_t len)
{
    *to++ = 'x';
    *to++ = '\'';
    to = scan_hex(to, cell, len);
    *to++ = '\'';
    return to;
}

static char *sql_cell_put(char *to, const char *cell, size_t len, enum cell_form form)
{
    if (!cell)
        return encoder_put(to, "NULL", 4);
    if (form == CELL_NUMBER)
        return sql_number_put(to, cell, len);
    if (form == CELL_BYTES || form == CELL_BIT)
        return sql_bytes_put(to, cell, len);
    return sql_text_put(to, cell, len);
}

char *sql_row_put(char *to, const struct row *row, const enum cell_form *forms)
{
    *to++ = '(';
    for (unsigned i = 0; i < row->count; i++) {
        to = sql_cell_put(to, row->cell[i], row->len[i], forms[i]);
        *to++ = ',';
    }
    to -= row->count > 0;
    *to++ = ')';
    return to;
}

/* Escapes in the text of a row, and the second digits of its bytes. */
static size_t sql_row_growth(const struct row *row, const enum cell_form *forms)
{
    size_t bytes = 0;

    for (unsigned i = 0; i < row->count; i++) {
        if (!row->cell[i])
            continue;
        if (forms[i] == CELL_BYTES || forms[i] == CELL_BIT)
            bytes += row->len[i];
        else
            bytes += scan_count(row->cell[i], row->len[i], sql_specials, sql_letters);
    }
    return bytes;
}

size_t sql_row_room(const struct row *row, const enum cell_form *forms)
{
    const size_t bytes = encoder_row_bytes(row);
    const size_t growth = bytes < ENCODER_COUNT_FROM ? bytes : sql_row_growth(row, forms);

    return bytes + growth + (size_t)row->count * SQL_CELL_EXTRA + 2 + SCAN_SLACK;
}

enum err_code insert_values_row(const struct row *row, const enum cell_form *forms,
                                struct strbuf *out, struct err *err)
{
    const enum err_code rc = encoder_reserve(out, sql_row_room(row, forms), err);

    if (rc)
        return rc;
    encoder_filled(out, sql_row_put(out->str + out->len, row, forms));
    return ERR_OK;
}
