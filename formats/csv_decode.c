/* CSV: ',' '"' CRLF or LF, backslash escapes, doubled quotes taken as well, \N for NULL. The same
 * choices as TiDB Lightning's reader where a file can be read in more than one way: \N is NULL
 * within quotes too, an empty cell is the empty string, the bare word NULL is a text, empty lines
 * mean nothing. A quote inside an unquoted cell, bytes behind a closing quote and a lone \r are
 * refused. */
#include "formats/decoder_driver.h"

static const struct scan_set csv_quoted_stops = {'"', '\\', '\\', '\\', '\\', '\\'};
static const struct scan_set csv_bare_stops = {',', '\n', '\r', '\\', '"', '"'};

/* `p` is behind the opening quote; returns what is behind the closing one, NULL for more. */
static const char *csv_quoted(struct decoder *d, const char *p, unsigned cell)
{
    const char *start = p;
    bool escaped = false;

    d->inside = "a quoted cell of a row";
    for (;;) {
        const uint64_t hits = scan_any(p, csv_quoted_stops);

        p += hits ? scan_index(hits) : SCAN_STEP;
        if (p >= d->end)
            return NULL;
        if (!hits)
            continue;
        if (*p == '"' && p[1] != '"')
            break;
        escaped = true; /* a backslash and its byte, or two quotes */
        p += 2;
        if (p > d->end)
            return NULL;
    }
    if (p + 1 == d->end && !d->eof) /* a second quote may follow */
        return NULL;
    d->inside = "a row";
    if (cell < d->shape.count) {
        d->cell[cell] = start;
        d->len[cell] = (unsigned long)(p - start);
        if (escaped)
            decoder_todo(d, cell, WORK_ESCAPED_DOUBLE);
    }
    return p + 1;
}

/* An unquoted cell; returns the ',' or line end behind it, NULL for more. At the end of the file
 * the cell may end there. */
static const char *csv_bare(struct decoder *d, const char *p, unsigned cell)
{
    const char *start = p;
    bool escaped = false;

    for (;;) {
        const uint64_t hits = scan_any(p, csv_bare_stops);

        p += hits ? scan_index(hits) : SCAN_STEP;
        if (p >= d->end) {
            p = d->end;
            break;
        }
        if (!hits)
            continue;
        if (*p != '\\')
            break;
        escaped = true;
        p += 2;
        if (p > d->end)
            return NULL;
    }
    if (p == d->end && !d->eof)
        return NULL;
    if (cell < d->shape.count) {
        d->cell[cell] = start;
        d->len[cell] = (unsigned long)(p - start);
        if (escaped)
            decoder_todo(d, cell, WORK_ESCAPED_DOUBLE);
    }
    return p;
}

enum csv_next { CSV_CELL, CSV_LINE_END, CSV_MORE, CSV_WRONG };

/* What is behind a cell; *p moves over it. */
static enum csv_next csv_behind(const struct decoder *d, const char **p)
{
    const char *at = *p;

    if (at == d->end)
        return d->eof && d->csv_open_end ? CSV_LINE_END : CSV_MORE;
    if (*at == ',') {
        *p = at + 1;
        return CSV_CELL;
    }
    if (*at == '\n') {
        *p = at + 1;
        return CSV_LINE_END;
    }
    if (*at != '\r')
        return CSV_WRONG;
    if (at[1] == '\n') {
        *p = at + 2;
        return CSV_LINE_END;
    }
    return at + 1 == d->end ? CSV_MORE : CSV_WRONG;
}

/* Unescapes; \N alone is NULL. */
static void csv_finish(struct decoder *d)
{
    for (unsigned i = 0; i < d->todo_count; i++) {
        const unsigned cell = d->todo[i].cell;
        char *text = d->todo[i].text;

        if (d->len[cell] == 2 && text[0] == '\\' && text[1] == 'N') {
            d->cell[cell] = NULL;
            d->len[cell] = 0;
            continue;
        }
        d->len[cell] =
            (unsigned long)(scan_unescape(text, text, text + d->len[cell], '"', false) - text);
    }
}

/* One line into the cells; *count of them, which may be more than the shape has. */
static enum scan_status csv_line(struct decoder *d, const char **line, unsigned *count,
                                 struct err *err)
{
    const char *p = d->pos;
    unsigned cell = 0;

    d->todo_count = 0;
    d->inside = "a row";
    for (;; cell++) {
        p = *p == '"' ? csv_quoted(d, p + 1, cell) : csv_bare(d, p, cell);
        if (!p)
            return SCAN_STATUS_MORE;
        switch (csv_behind(d, &p)) {
        case CSV_CELL:
            break;
        case CSV_LINE_END:
            *line = p;
            *count = cell + 1;
            return SCAN_STATUS_ROW;
        case CSV_MORE:
            return SCAN_STATUS_MORE;
        case CSV_WRONG:
        default:
            return decoder_bad(d, p, err, "expected ',' or a line end behind cell %u", cell + 1);
        }
    }
}

static enum scan_status csv_header(struct decoder *d, struct err *err)
{
    const char *line = NULL;
    unsigned count = 0;
    const enum scan_status status = csv_line(d, &line, &count, err);

    d->inside = "the header line";
    if (status != SCAN_STATUS_ROW)
        return status;
    csv_finish(d);
    for (unsigned i = 0; i < count && i < d->shape.count; i++)
        if (!d->cell[i] || !decoder_name_equal(d->shape.columns[i], d->cell[i], d->len[i]))
            return decoder_bad(d, d->pos, err, "column %u of the header line is not '%s'", i + 1,
                               d->shape.columns[i]);
    if (count != d->shape.count)
        return decoder_bad(d, d->pos, err, "the header line has %u columns, the table's rows %u",
                           count, d->shape.count);
    d->pos = d->buf + (line - d->buf);
    d->state = DECODER_CSV_ROWS;
    return SCAN_STATUS_SKIPPED;
}

/* Over line ends. In a table of one column an empty line may be an empty cell: refused there. */
static enum scan_status csv_empty_lines(struct decoder *d, struct err *err)
{
    char *p = d->pos;

    if (d->shape.count == 1)
        return decoder_bad(d, p, err, "an empty line, which may be a row or none");
    while (*p == '\n' || (*p == '\r' && p[1] == '\n'))
        p += *p == '\n' ? 1 : 2;
    d->pos = p;
    return SCAN_STATUS_SKIPPED;
}

enum scan_status csv_scan(struct decoder *d, struct err *err)
{
    const char *line = NULL;
    unsigned count = 0;
    enum scan_status status;

    if (d->state == DECODER_CSV_HEADER)
        return csv_header(d, err);
    if (d->pos == d->end)
        return d->eof ? SCAN_STATUS_END : SCAN_STATUS_MORE;
    if (*d->pos == '\n' || (*d->pos == '\r' && d->pos[1] == '\n'))
        return csv_empty_lines(d, err);
    status = csv_line(d, &line, &count, err);
    if (status != SCAN_STATUS_ROW)
        return status;
    if (count != d->shape.count)
        return decoder_bad(d, d->pos, err, "%u cells for the %u columns of a row", count,
                           d->shape.count);
    if (d->strict_escapes && decoder_strict(d, err))
        return SCAN_STATUS_BAD;
    csv_finish(d);
    d->pos = d->buf + (line - d->buf);
    return SCAN_STATUS_ROW;
}
