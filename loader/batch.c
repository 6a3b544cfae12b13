#include "loader/batch.h"

#include "common/base/bytes.h"
#include "common/base/mem.h"

#include <stdlib.h>
#include <string.h>

#define ROW_TEXT_MAX ((size_t)3 << 30) /* a 1 GiB cell as hex digits and room for the others */
#define SLACK_BYTES ((size_t)64 << 10) /* a row above max_bytes by less keeps its buffer */

void batch_init(struct batch *b, size_t max_bytes, unsigned max_rows)
{
    *b = (struct batch){.text.max = ROW_TEXT_MAX, .max_bytes = max_bytes, .max_rows = max_rows};
    b->row_cap = 64;
    b->row_off = xmalloc(b->row_cap * sizeof *b->row_off);
}

void batch_release(struct batch *b)
{
    strbuf_release(&b->text);
    free(b->row_off);
    free(b->picked);
    free(b->picked_len);
    *b = (struct batch){0};
}

void batch_start(struct batch *b, const bool *hex, uint64_t rows, uint64_t raw_off)
{
    strbuf_reset(&b->text);
    b->rows = 0;
    b->first_row = rows;
    b->raw_off = raw_off;
    b->last = false;
    b->hex = hex;
    b->pick = NULL;
    b->carried = false;
}

void batch_pick(struct batch *b, const unsigned *cells, unsigned count)
{
    b->pick = cells;
    b->pick_count = count;
    if (!cells)
        return;
    b->picked = xreallocarray(b->picked, count, sizeof *b->picked);
    b->picked_len = xreallocarray(b->picked_len, count, sizeof *b->picked_len);
}

static void batch_cut(struct batch *b, struct row *row)
{
    if (!b->pick)
        return;
    for (unsigned i = 0; i < b->pick_count; i++) {
        b->picked[i] = row->cell[b->pick[i]];
        b->picked_len[i] = row->len[b->pick[i]];
    }
    *row = (struct row){.cell = b->picked, .len = b->picked_len, .count = b->pick_count};
}

/* The carried row becomes the first; a buffer that one row has blown up is replaced. */
static void batch_shift(struct batch *b)
{
    size_t from = batch_bytes(b);
    size_t len = b->text.len - from;

    b->first_row += b->rows;
    b->rows = 0;
    if (b->text.cap > 2 * b->max_bytes + SLACK_BYTES && len <= b->max_bytes) {
        struct strbuf fresh = {.max = ROW_TEXT_MAX};

        if (len > 0)
            strbuf_add(&fresh, b->text.str + from, len);
        strbuf_release(&b->text);
        b->text = fresh;
    } else if (b->text.str) {
        if (len > 0)
            memmove(b->text.str, b->text.str + from, len);
        strbuf_setlen(&b->text, len);
    }
    if (b->carried) {
        b->carried = false;
        b->rows = 1;
        b->row_off[0] = 0;
        b->row_off[1] = b->text.len;
        b->raw_off = b->carried_raw_off;
    }
}

static void batch_room(struct batch *b)
{
    if (b->rows + 2 <= b->row_cap)
        return;
    b->row_cap *= 2;
    b->row_off = xreallocarray(b->row_off, b->row_cap, sizeof *b->row_off);
}

enum err_code batch_fill(struct batch *b, struct decoder *d, struct err *err)
{
    batch_shift(b);
    /* Reads one row ahead, so that the end of the file is seen with the last row. */
    for (;;) {
        size_t start = b->text.len;
        struct row row;
        bool more = false;
        enum err_code rc;

        rc = decoder_next(d, &row, &more, err);
        if (rc)
            return rc;
        if (!more) {
            b->last = true;
            return ERR_OK;
        }
        batch_cut(b, &row);
        rc = load_data_row(&row, b->hex, &b->text, err);
        if (rc)
            return rc;
        if (b->rows > 0 && (b->rows >= b->max_rows || b->text.len > b->max_bytes)) {
            b->carried = true;
            b->carried_raw_off = decoder_offset(d);
            return ERR_OK;
        }
        batch_room(b);
        b->row_off[b->rows++] = start;
        b->row_off[b->rows] = b->text.len;
        b->raw_off = decoder_offset(d);
    }
}

void batch_reader_init(struct batch_reader *r, const struct batch *b, unsigned columns)
{
    *r = (struct batch_reader){.batch = b, .bytes.max = ROW_TEXT_MAX, .columns = columns};
    r->cell = xcalloc(columns + 1, sizeof *r->cell);
    r->len = xcalloc(columns + 1, sizeof *r->len);
}

void batch_reader_release(struct batch_reader *r)
{
    strbuf_release(&r->bytes);
    free(r->cell);
    free(r->len);
    *r = (struct batch_reader){0};
}

/* The byte of two digits that load_data_row wrote. */
static char hex_byte(const char *digits)
{
    unsigned high = (unsigned)bytes_hex_value(digits[0]);
    unsigned low = (unsigned)bytes_hex_value(digits[1]);

    return (char)(unsigned char)((high << 4 | low) & 0xff);
}

static char unescape(char c)
{
    switch (c) {
    case '0':
        return '\0';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'b':
        return '\b';
    case 'Z':
        return 0x1a;
    default:
        return c;
    }
}

/* One cell from `p` to its tab or the row's end; returns where it ends. */
static const char *reader_cell(struct batch_reader *r, unsigned i, const char *p, const char *end)
{
    char *start = r->bytes.str + r->bytes.len;
    char *to = start;
    const char *from = p;

    if (r->batch->hex && r->batch->hex[i] && *p != '\\') {
        for (; p + 1 < end && *p != '\t'; p += 2)
            *to++ = hex_byte(p);
    } else {
        while (p < end && *p != '\t') {
            if (*p == '\\' && p + 1 < end)
                *to++ = unescape(*++p);
            else
                *to++ = *p;
            p++;
        }
    }
    r->cell[i] = p - from == 2 && from[0] == '\\' && from[1] == 'N' ? NULL : start;
    r->len[i] = (unsigned long)(to - start);
    r->bytes.len += (size_t)(to - start);
    return p;
}

enum err_code batch_reader_row(struct batch_reader *r, unsigned i, struct row *row, struct err *err)
{
    const char *p = r->batch->text.str + r->batch->row_off[i];
    const char *end = r->batch->text.str + r->batch->row_off[i + 1] - 1; /* the newline */

    r->bytes.len = 0;
    if (strbuf_reserve(&r->bytes, (size_t)(end - p), err))
        return err->code;
    for (unsigned k = 0; k < r->columns; k++) {
        p = reader_cell(r, k, p, end);
        if (k + 1 < r->columns && (p >= end || *p++ != '\t'))
            return err_set(err, ERR_INTERNAL, "row %u of a batch has %u cells, not %u", i, k + 1,
                           r->columns);
    }
    if (p != end)
        return err_set(err, ERR_INTERNAL, "row %u of a batch has more than %u cells", i,
                       r->columns);
    *row = (struct row){.cell = r->cell, .len = r->len, .count = r->columns};
    return ERR_OK;
}
