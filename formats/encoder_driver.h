/* formats/encoder_driver.h: what encoder.c needs of each form's writer. No state.
 *
 * _room gives an upper bound of the bytes that _put writes, slack included; _put writes one row and
 * returns its end. The room of a large row is counted exactly, so that a row of 40 MB does not ask
 * for 80. */
#ifndef FERRY_FORMATS_ENCODER_DRIVER_H
#define FERRY_FORMATS_ENCODER_DRIVER_H

#include "formats/row_codec.h"
#include "formats/scan.h"

/* bytes of a row from which its escapes are counted */
#define ENCODER_COUNT_FROM ((size_t)1 << 16)

size_t sql_row_room(const struct row *row, const enum cell_form *forms);
char *sql_row_put(char *to, const struct row *row, const enum cell_form *forms);
size_t csv_row_room(const struct row *row, const enum cell_form *forms);
char *csv_row_put(char *to, const struct row *row, const enum cell_form *forms);

/* strbuf_reserve without its call where there is room, as there is nearly always. */
MUST_CHECK static inline enum err_code encoder_reserve(struct strbuf *out, size_t room,
                                                       struct err *err)
{
    if (out->cap > out->len && out->cap - out->len - 1 >= room)
        return ERR_OK;
    return strbuf_reserve(out, room, err);
}
static inline void encoder_filled(struct strbuf *out, const char *end)
{
    out->len = (size_t)(end - out->str);
    out->str[out->len] = '\0';
}

/* Writes `len` bytes of `text`; returns their end. */
static inline char *encoder_put(char *to, const char *text, size_t len)
{
    memcpy(to, text, len);
    return to + len;
}

/* Bytes of all cells. */
static inline size_t encoder_row_bytes(const struct row *row)
{
    size_t bytes = 0;

    for (unsigned i = 0; i < row->count; i++)
        bytes += row->cell[i] ? row->len[i] : 0;
    return bytes;
}

/* The short way for what most number cells are: digits, perhaps with a minus and one point, so few
 * that every reader takes them as they are. Not -0 and -0.5: the sign of a zero needs a look. */
static inline bool encoder_is_plain_number(const char *cell, size_t len)
{
    const size_t sign = len > 0 && cell[0] == '-';
    struct scan_number_bytes bytes;

    if (len == sign || len > SCAN_STEP || cell[sign] == '.' || (sign && cell[1] == '0'))
        return false;
    bytes = scan_number_bytes(cell, len);
    return bytes.others == (bytes.points | sign) && (bytes.points & (bytes.points - 1)) == 0;
}

#endif
