#include "formats/decoder_driver.h"

#include "common/base/mem.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define DECODER_BUFFER ((size_t)256 << 10)
#define DECODER_BUFFER_MIN ((size_t)16) /* for what is looked at as one: a byte order mark */
#define DECODER_MAX_ROW ((size_t)1 << 30)
#define DECODER_FOUND_BYTES 32 /* of the file, quoted in messages */

struct decoder *decoder_new(const struct decoder_params *p, struct source *source, const char *file)
{
    struct decoder *d = xcalloc(1, sizeof *d);
    const bool csv = p->format == ROW_FORMAT_CSV;

    d->format = p->format;
    d->shape = *p->shape;
    d->source = source;
    d->file = file;
    d->max_row = p->max_row ? p->max_row : DECODER_MAX_ROW;
    d->cap = p->buffer ? p->buffer : DECODER_BUFFER;
    if (d->cap < DECODER_BUFFER_MIN)
        d->cap = DECODER_BUFFER_MIN;
    d->csv_open_end = p->csv_open_end;
    d->strict_escapes = p->strict_escapes;
    if (p->dialect) {
        d->dialect = *p->dialect;
        d->other_dialect = !csv_dialect_default_rows(p->dialect);
    }
    d->base = p->raw_off;
    d->start_off = d->row_off = p->start_off;
    d->rows = p->start_row;
    d->inside = "a row";
    d->text.max = SIZE_MAX / 4;
    if (p->start_off > 0)
        d->state = csv ? DECODER_CSV_ROWS : DECODER_SQL_NEXT_ROW;
    else if (csv)
        d->state = p->csv_no_header || d->dialect.no_header ? DECODER_CSV_ROWS : DECODER_CSV_HEADER;
    else
        d->state = DECODER_SQL_OUTSIDE;
    d->cell = xcalloc(d->shape.count, sizeof *d->cell);
    d->len = xcalloc(d->shape.count, sizeof *d->len);
    d->todo = xcalloc(d->shape.count, sizeof *d->todo);
    return d;
}

void decoder_free(struct decoder *d)
{
    if (!d)
        return;
    source_free(d->source);
    strbuf_release(&d->head);
    strbuf_release(&d->name);
    strbuf_release(&d->text);
    free(d->cell);
    free(d->len);
    free(d->todo);
    free(d->buf);
    free(d);
}

uint64_t decoder_offset(const struct decoder *d)
{
    return d->row_off;
}

uint64_t decoder_rows(const struct decoder *d)
{
    return d->rows;
}

bool decoder_name_equal(const char *a, const char *b, size_t b_len)
{
    if (strlen(a) != b_len)
        return false;
    for (size_t i = 0; i < b_len; i++) {
        const unsigned char x = (unsigned char)a[i], y = (unsigned char)b[i];
        const bool letter = (x | 0x20) >= 'a' && (x | 0x20) <= 'z';

        if (x != y && !(letter && (x ^ y) == 0x20))
            return false;
    }
    return true;
}

/* ---- messages ---- */

/* The bytes at `at` for people: \\xNN at most, the quotes and the NUL. */
static void decoder_found(const struct decoder *d, const char *at,
                          char out[4 * DECODER_FOUND_BYTES + 3])
{
    size_t len = 0;

    if (at >= d->end) {
        (void)snprintf(out, 4 * DECODER_FOUND_BYTES + 3, "the end of the file");
        return;
    }
    out[len++] = '\'';
    for (unsigned i = 0; i < DECODER_FOUND_BYTES && at < d->end; i++, at++) {
        const unsigned char c = (unsigned char)*at;

        if (c == '\n' || c == '\r') {
            out[len++] = '\\';
            out[len++] = c == '\n' ? 'n' : 'r';
        } else if (c < 0x20 || c >= 0x7f) {
            out[len++] = '\\';
            out[len++] = 'x';
            (void)bytes_to_hex(out + len, &c, 1);
            len += 2;
        } else
            out[len++] = (char)c;
    }
    out[len++] = '\'';
    out[len] = '\0';
}

enum scan_status decoder_bad(const struct decoder *d, const char *at, struct err *err,
                             const char *fmt, ...)
{
    char found[4 * DECODER_FOUND_BYTES + 3];
    char what[512];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    decoder_found(d, at, found);
    (void)err_set(err, ERR_FORMAT, "file '%s', row %" PRIu64 ", byte %" PRIu64 ": %s, found %s",
                  d->file, d->rows + 1, d->base + (uint64_t)(at - d->buf), what, found);
    return SCAN_STATUS_BAD;
}

static enum err_code decoder_cut(const struct decoder *d, struct err *err)
{
    return err_set(err, ERR_FORMAT,
                   "file '%s', row %" PRIu64 ": the file ends at byte %" PRIu64
                   " inside %s that begins at byte %" PRIu64,
                   d->file, d->rows + 1, d->base + (uint64_t)(d->end - d->buf), d->inside,
                   d->base + (uint64_t)(d->pos - d->buf));
}

static enum err_code decoder_too_long(const struct decoder *d, struct err *err)
{
    return err_set(err, ERR_LIMIT,
                   "file '%s', row %" PRIu64 ": what begins at byte %" PRIu64
                   " is longer than the limit of %zu bytes (a quote that is not closed?)",
                   d->file, d->rows + 1, d->base + (uint64_t)(d->pos - d->buf), d->max_row);
}

/* ---- the buffer ---- */

/* Fills the buffer from `end` on; short reads are put together, so that a row which does not fit is
 * looked at again once a buffer and not once a read. */
static enum err_code decoder_read(struct decoder *d, struct err *err)
{
    enum err_code rc = ERR_OK;

    while (d->end < d->buf + d->cap) {
        size_t got = 0;

        rc = source_read(d->source, d->end, (size_t)(d->buf + d->cap - d->end), &got, err);
        if (rc)
            break;
        d->end += got;
        d->eof = got == 0;
        if (d->eof)
            break;
    }
    memset(d->end, 0, DECODER_PAD);
    return rc;
}

/* More bytes behind those from `pos` on, which move to the front of the buffer. */
static enum err_code decoder_fill(struct decoder *d, struct err *err)
{
    const size_t keep = (size_t)(d->end - d->pos);
    const bool full = d->buf && keep == d->cap;
    char *buf = d->buf;

    if (full && keep >= d->max_row)
        return decoder_too_long(d, err);
    if (full && d->cap <= SIZE_MAX / 2 - DECODER_PAD)
        d->cap *= 2;
    if (buf && keep > 0 && d->pos > buf)
        memmove(buf, d->pos, keep);
    d->base += (uint64_t)(d->pos - d->buf);
    if (full || !buf) {
        buf = realloc(d->buf, d->cap + DECODER_PAD);
        if (!buf)
            return err_set(err, ERR_NOMEM, "file '%s', row %" PRIu64 ": no memory for %zu bytes",
                           d->file, d->rows + 1, d->cap);
        d->buf = buf;
    }
    d->pos = buf;
    d->end = buf + keep;
    return decoder_read(d, err);
}

static void decoder_skip_mark(struct decoder *d)
{
    static const char utf8_mark[] = "\xef\xbb\xbf";

    if (d->end - d->pos >= 3 && memcmp(d->pos, utf8_mark, 3) == 0)
        d->pos += 3;
}

/* Reads up to the row to begin with; drops a byte order mark at the file's start. */
static enum err_code decoder_start(struct decoder *d, struct err *err)
{
    d->started = true;
    if (d->start_off < d->base)
        return err_set(err, ERR_INTERNAL,
                       "file '%s': the source begins at byte %" PRIu64
                       ", behind the row at byte %" PRIu64,
                       d->file, d->base, d->start_off);
    do {
        const enum err_code rc = decoder_fill(d, err);
        const uint64_t left = d->start_off - d->base;

        if (rc)
            return rc;
        if (left <= (uint64_t)(d->end - d->pos)) {
            d->pos += left;
            if (d->start_off == 0)
                decoder_skip_mark(d);
            return ERR_OK;
        }
        d->pos = d->end;
    } while (!d->eof);
    return err_set(err, ERR_FORMAT,
                   "file '%s': it ends at byte %" PRIu64 ", before the row %" PRIu64
                   " at byte %" PRIu64,
                   d->file, d->base + (uint64_t)(d->end - d->buf), d->rows + 1, d->start_off);
}

static enum err_code decoder_give(struct decoder *d, const char *start, struct row *row,
                                  struct err *err)
{
    if ((size_t)(d->pos - start) > d->max_row)
        return err_set(err, ERR_LIMIT,
                       "file '%s', row %" PRIu64 ": %zu bytes, above the limit of %zu bytes",
                       d->file, d->rows + 1, (size_t)(d->pos - start), d->max_row);
    if (d->shape.charsets && decoder_convert(d, err))
        return err->code;
    d->rows++;
    d->row_off = d->base + (uint64_t)(d->pos - d->buf);
    *row = (struct row){.cell = d->cell, .len = d->len, .count = d->shape.count};
    return ERR_OK;
}

enum err_code decoder_next(struct decoder *d, struct row *row, bool *more, struct err *err)
{
    enum err_code rc = d->started ? ERR_OK : decoder_start(d, err);

    while (!rc) {
        const char *start = d->pos;
        const enum scan_status status = d->format == ROW_FORMAT_SQL ? sql_scan(d, err)
                                        : d->other_dialect          ? csv_dialect_scan(d, err)
                                                                    : csv_scan(d, err);

        switch (status) {
        case SCAN_STATUS_ROW:
            *more = true;
            return decoder_give(d, start, row, err);
        case SCAN_STATUS_SKIPPED:
            break;
        case SCAN_STATUS_END:
            *more = false;
            return ERR_OK;
        case SCAN_STATUS_MORE:
            rc = d->eof ? decoder_cut(d, err) : decoder_fill(d, err);
            break;
        case SCAN_STATUS_BAD:
        default:
            return err->code;
        }
    }
    return rc;
}
