/* Text that was dumped under SET NAMES binary is in its column's character set. latin1 is that of
 * the servers: Windows 1252, with its five holes filled by the control characters of ISO 8859-1
 * (https://dev.mysql.com/doc/refman/8.4/en/charset-we-sets.html). */
#include "formats/decoder_driver.h"

static const uint16_t latin1_high[32] = {
    0x20ac, 0x0081, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
    0x2039, 0x0152, 0x008d, 0x017d, 0x008f, 0x0090, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
    0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x009d, 0x017e, 0x0178,
};

static bool is_ascii(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] >= 0x80)
            return false;
    return true;
}

static void latin1_add(struct strbuf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        const unsigned char c = (unsigned char)text[i];
        const unsigned u = c >= 0x80 && c < 0xa0 ? latin1_high[c - 0x80] : c;

        if (u >= 0x800)
            strbuf_addch(out, (char)(0xe0 | u >> 12));
        if (u >= 0x80)
            strbuf_addch(out, (char)(u >= 0x800 ? 0x80 | (u >> 6 & 0x3f) : 0xc0 | u >> 6));
        strbuf_addch(out, (char)(u >= 0x80 ? 0x80 | (u & 0x3f) : u));
    }
}

static enum err_code refused(const struct decoder *d, unsigned cell, struct err *err)
{
    (void)decoder_bad(d, d->cell[cell], err,
                      "column '%s' is neither in UTF-8 nor in latin1, and the file holds its bytes "
                      "as they were (SET NAMES binary): ferry cannot convert them (dump the table "
                      "with mydumper --set-names utf8mb4)",
                      d->shape.columns[cell]);
    return err->code;
}

enum err_code decoder_convert(struct decoder *d, struct err *err)
{
    size_t need = 0;

    for (unsigned i = 0; i < d->shape.count; i++) {
        const enum cell_charset charset = d->shape.charsets[i];

        if (!d->cell[i] || charset == CELL_CHARSET_UTF8 || d->len[i] == 0)
            continue;
        if (charset == CELL_CHARSET_WIDE || !is_ascii(d->cell[i], d->len[i])) {
            if (charset != CELL_CHARSET_LATIN1)
                return refused(d, i, err);
            need += 3 * d->len[i];
        }
    }
    strbuf_reset(&d->text);
    if (need == 0)
        return ERR_OK;
    if (strbuf_reserve(&d->text, need, err)) /* it does not move any more */
        return err->code;
    for (unsigned i = 0; i < d->shape.count; i++) {
        const size_t from = d->text.len;

        if (!d->cell[i] || d->shape.charsets[i] != CELL_CHARSET_LATIN1 ||
            is_ascii(d->cell[i], d->len[i]))
            continue;
        latin1_add(&d->text, d->cell[i], d->len[i]);
        d->cell[i] = d->text.str + from;
        d->len[i] = (unsigned long)(d->text.len - from);
    }
    return ERR_OK;
}
