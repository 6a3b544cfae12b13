/* Rows as CSV: the dialect that TiDB Lightning and IMPORT INTO read with their defaults, Dumpling
 * writes with its own, and
 *   LOAD DATA ... FIELDS TERMINATED BY ',' ENCLOSED BY '"' ESCAPED BY '\\'
 *   LINES TERMINATED BY '\r\n' IGNORE 1 LINES
 * reads on MySQL, MariaDB and TiDB.
 *
 * Escaped are \0 \n \r \\ and \" and nothing else, in text and bytes alike:
 *  - \ and ", since they would end or change the cell. \" rather than "", though all of them
 *    read both: it is what Dumpling writes, and no two quotes ever stand together inside a cell.
 *  - \n and \r, so that a row is a line: files can be split and counted by line (Lightning's
 *    strict-format), and a text holding CRLF does not meet LINES TERMINATED BY.
 *  - NUL, for tools whose lines are C strings.
 * \t, \b and 0x1a need no escape within quotes, and \Z and \b are unknown to most other readers.
 * NULL is \N without quotes: all readers take the two bytes \N as NULL, some of them (Lightning,
 * MySQL) within quotes as well, so the text \N is "\\N", which none does. Text and bytes are always
 * quoted: LOAD DATA takes the bare word NULL for SQL NULL, and an empty cell must not be an empty
 * line in a table of one column. */
#include "formats/encoder_driver.h"

#define CSV_CELL_EXTRA 3 /* the quotes and the comma */

static const struct scan_set csv_specials = {'\0', '\n', '\r', '"', '\\', '\\'};
static const char csv_letters[256] = {
    ['\0'] = '0', ['\n'] = 'n', ['\r'] = 'r', ['"'] = '"', ['\\'] = '\\'};

static bool csv_number_is_bare(const char *cell, size_t len)
{
    struct scan_number n;

    return scan_number(cell, cell + len, &n) && n.end == cell + len;
}

static inline char *csv_cell_put(char *to, const char *cell, size_t len, enum cell_form form)
{
    if (!cell)
        return encoder_put(to, "\\N", 2);
    if (form == CELL_NUMBER &&
        (encoder_is_plain_number(cell, len) || csv_number_is_bare(cell, len))) {
        if (len <= SCAN_STEP)
            scan_copy_short(to, cell, len);
        else
            memcpy(to, cell, len);
        return to + len;
    }
    *to++ = '"';
    to = scan_escape(to, cell, len, csv_specials, csv_letters);
    *to++ = '"';
    return to;
}

char *csv_row_put(char *to, const struct row *row, const enum cell_form *forms)
{
    for (unsigned i = 0; i < row->count; i++) {
        to = csv_cell_put(to, row->cell[i], row->len[i], forms[i]);
        *to++ = ',';
    }
    to -= row->count > 0;
    *to++ = '\r';
    *to++ = '\n';
    return to;
}

static size_t csv_row_growth(const struct row *row)
{
    size_t escapes = 0;

    for (unsigned i = 0; i < row->count; i++)
        if (row->cell[i])
            escapes += scan_count(row->cell[i], row->len[i], csv_specials, csv_letters);
    return escapes;
}

size_t csv_row_room(const struct row *row, const enum cell_form *forms)
{
    const size_t bytes = encoder_row_bytes(row);
    const size_t growth = bytes < ENCODER_COUNT_FROM ? bytes : csv_row_growth(row);

    (void)forms;
    return bytes + growth + (size_t)row->count * CSV_CELL_EXTRA + 2 + SCAN_SLACK;
}
