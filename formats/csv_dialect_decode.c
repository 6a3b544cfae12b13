/* CSV of a dialect that a dump record names: exactly what csv_dialect.c writes is read, and nothing
 * is guessed. Every line is a row; a bare cell that is NULL's text is NULL. */
#include "formats/decoder_driver.h"

/* `p` is behind the opening quote; returns what is behind the closing one, NULL for more. */
static const char *dialect_quoted(struct decoder *d, const char *p, unsigned cell)
{
    const struct csv_dialect *form = &d->dialect;
    const char *start = p;
    bool escaped = false;

    d->inside = "a quoted cell of a row";
    for (;; p++) {
        if (p >= d->end)
            return NULL;
        if (form->backslash && *p == '\\') {
            escaped = true;
            p++;
            if (p >= d->end)
                return NULL;
            continue;
        }
        if (*p != form->quote)
            continue;
        if (p + 1 == d->end && !d->eof) /* a second quote may follow */
            return NULL;
        if (p + 1 == d->end || p[1] != form->quote)
            break;
        escaped = true;
        p++;
    }
    d->inside = "a row";
    if (cell < d->shape.count) {
        d->cell[cell] = start;
        d->len[cell] = (unsigned long)(p - start);
        if (escaped)
            decoder_todo(d, cell, WORK_ESCAPED);
    }
    return p + 1;
}

/* A cell of a dialect without quotes, where backslashes escape; \N alone is NULL. */
static const char *dialect_escaped(struct decoder *d, const char *p, unsigned cell)
{
    const struct csv_dialect *form = &d->dialect;
    const char *start = p;
    bool escaped = false;

    for (; p < d->end && *p != form->separator && *p != '\n'; p++) {
        if (*p == '\r' && p[1] == '\n' && !form->lf)
            break;
        if (*p != '\\')
            continue;
        escaped = true;
        if (++p >= d->end)
            return NULL;
    }
    if (p >= d->end)
        return NULL;
    if (cell >= d->shape.count)
        return p;
    d->cell[cell] = start;
    d->len[cell] = (unsigned long)(p - start);
    if (p - start == 2 && start[0] == '\\' && start[1] == 'N') {
        d->cell[cell] = NULL;
        d->len[cell] = 0;
    } else if (escaped) {
        decoder_todo(d, cell, WORK_ESCAPED);
    }
    return p;
}

/* An unquoted cell; returns what is behind it, NULL for more. */
static const char *dialect_bare(struct decoder *d, const char *p, unsigned cell)
{
    const struct csv_dialect *form = &d->dialect;
    const char *start = p;
    size_t len;

    while (p < d->end && *p != form->separator && *p != form->quote && *p != '\r' && *p != '\n')
        p++;
    if (p == d->end)
        return NULL;
    len = (size_t)(p - start);
    if (cell < d->shape.count) {
        bool null = len == strlen(form->null_text) && memcmp(start, form->null_text, len) == 0;

        d->cell[cell] = null ? NULL : start;
        d->len[cell] = null ? 0 : (unsigned long)len;
    }
    return p;
}

static void dialect_finish(struct decoder *d)
{
    const struct csv_dialect *form = &d->dialect;

    for (unsigned i = 0; i < d->todo_count; i++) {
        const unsigned cell = d->todo[i].cell;
        const char *from = d->todo[i].text;
        const char *end = from + d->len[cell];
        char *to = d->todo[i].text;

        while (from < end) {
            const bool backslash = form->backslash && *from == '\\';
            const size_t taken = backslash || (form->quote && *from == form->quote) ? 2 : 1;

            if (backslash)
                *to++ = scan_unescaped(from[1]);
            else
                *to++ = *from;
            from += taken;
        }
        d->len[cell] = (unsigned long)(to - d->todo[i].text);
    }
}

/* A cell of any kind; returns what is behind it, NULL for more. */
static const char *dialect_cell(struct decoder *d, const char *p, unsigned cell)
{
    if (!d->dialect.quote)
        return dialect_escaped(d, p, cell);
    if (*p == d->dialect.quote && p < d->end)
        return dialect_quoted(d, p + 1, cell);
    return dialect_bare(d, p, cell);
}

/* One line into the cells; *count of them, which may be more than the shape has. */
static enum scan_status dialect_line(struct decoder *d, const char **line, unsigned *count,
                                     struct err *err)
{
    const struct csv_dialect *form = &d->dialect;
    const char *p = d->pos;

    d->todo_count = 0;
    d->inside = "a row";
    for (unsigned cell = 0;; cell++, p++) {
        p = dialect_cell(d, p, cell);
        if (!p || p == d->end || (*p == '\r' && p + 1 == d->end))
            return SCAN_STATUS_MORE;
        if (*p == form->separator)
            continue;
        if (form->lf ? *p != '\n' : *p != '\r' || p[1] != '\n')
            return decoder_bad(d, p, err, "expected the separator or a line end behind cell %u",
                               cell + 1);
        *line = p + (form->lf ? 1 : 2);
        *count = cell + 1;
        return SCAN_STATUS_ROW;
    }
}

static enum scan_status dialect_header(struct decoder *d, unsigned count, struct err *err)
{
    d->inside = "the header line";
    for (unsigned i = 0; i < count && i < d->shape.count; i++)
        if (!d->cell[i] || !decoder_name_equal(d->shape.columns[i], d->cell[i], d->len[i]))
            return decoder_bad(d, d->pos, err, "column %u of the header line is not '%s'", i + 1,
                               d->shape.columns[i]);
    d->state = DECODER_CSV_ROWS;
    return SCAN_STATUS_SKIPPED;
}

enum scan_status csv_dialect_scan(struct decoder *d, struct err *err)
{
    const char *line = NULL;
    unsigned count = 0;
    enum scan_status status = SCAN_STATUS_ROW;

    if (d->pos == d->end)
        return d->eof && d->state == DECODER_CSV_ROWS ? SCAN_STATUS_END : SCAN_STATUS_MORE;
    status = dialect_line(d, &line, &count, err);
    if (status != SCAN_STATUS_ROW)
        return status;
    if (count != d->shape.count)
        return decoder_bad(d, d->pos, err, "%u cells for the %u columns of a row", count,
                           d->shape.count);
    dialect_finish(d);
    if (d->state == DECODER_CSV_HEADER)
        status = dialect_header(d, count, err);
    if (status != SCAN_STATUS_BAD)
        d->pos = d->buf + (line - d->buf);
    return status;
}
