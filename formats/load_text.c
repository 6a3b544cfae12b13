/* Rows as LOAD DATA LOCAL takes them: cells between tabs, a line each.
 *
 * Escaped are the separator, the line's end, the backslash, NUL and \r (which a server on another
 * system may take for a part of the line's end). Cells are not enclosed, so quotes mean nothing. */
#include "formats/encoder_driver.h"

#define LOAD_CELL_EXTRA 3 /* \N and the tab */

static const struct scan_set load_specials = {'\0', '\t', '\n', '\r', '\\', '\\'};
static const char load_letters[256] = {
    ['\0'] = '0', ['\t'] = 't', ['\n'] = 'n', ['\r'] = 'r', ['\\'] = '\\'};

static size_t load_row_room(const struct row *row, const bool *hex)
{
    const size_t bytes = encoder_row_bytes(row);
    size_t growth = bytes;

    if (bytes >= ENCODER_COUNT_FROM) {
        growth = 0;
        for (unsigned i = 0; i < row->count; i++)
            if (row->cell[i])
                growth += hex && hex[i]
                              ? row->len[i]
                              : scan_count(row->cell[i], row->len[i], load_specials, load_letters);
    }
    return bytes + growth + (size_t)row->count * LOAD_CELL_EXTRA + 1 + SCAN_SLACK;
}

static inline char *load_cell_put(char *to, const char *cell, size_t len, bool hex)
{
    if (!cell)
        return encoder_put(to, "\\N", 2);
    if (hex)
        return scan_hex(to, cell, len);
    return scan_escape(to, cell, len, load_specials, load_letters);
}

enum err_code load_data_row(const struct row *row, const bool *hex, struct strbuf *out,
                            struct err *err)
{
    const enum err_code rc = encoder_reserve(out, load_row_room(row, hex), err);
    char *to;

    if (rc)
        return rc;
    to = out->str + out->len;
    for (unsigned i = 0; i < row->count; i++) {
        to = load_cell_put(to, row->cell[i], row->len[i], hex && hex[i]);
        *to++ = '\t';
    }
    to -= row->count > 0;
    *to++ = '\n';
    encoder_filled(out, to);
    return ERR_OK;
}
