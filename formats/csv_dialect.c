#include "formats/csv_dialect.h"

#include "formats/encoder_driver.h"

#include <ctype.h>
#include <jansson.h>
#include <string.h>

bool csv_dialect_default_rows(const struct csv_dialect *d)
{
    return !d->separator || (d->separator == ',' && d->quote == '"' && d->backslash && !d->lf &&
                             strcmp(d->null_text, "\\N") == 0);
}

/* Bytes that stand for themselves in numbers, escapes or line ends cannot separate. */
static bool mark_usable(char c)
{
    return c == '\t' || (ispunct((unsigned char)c) && !strchr("+-.\\", c));
}

enum err_code csv_dialect_check(const struct csv_dialect *d, struct err *err)
{
    const char *null = d->null_text;

    if (!mark_usable(d->separator))
        return err_set(err, ERR_USAGE,
                       "--csv-separator is one of the ASCII marks, or \\t for a tab; not a letter, "
                       "a digit, '+', '-', '.' or a backslash");
    if (!mark_usable(d->quote) || d->quote == d->separator)
        return err_set(err, ERR_USAGE,
                       "--csv-delimiter is an ASCII mark other than --csv-separator, '+', '-', '.' "
                       "or a backslash");
    for (; *null; null++)
        if (*null == d->separator || *null == d->quote || (unsigned char)*null < 0x20)
            return err_set(err, ERR_USAGE,
                           "--csv-null holds the separator, the delimiter or a control character");
    if (isdigit((unsigned char)d->null_text[0]) ||
        (d->null_text[0] && strchr("+-.", d->null_text[0])))
        return err_set(err, ERR_USAGE, "--csv-null '%s' could be a number", d->null_text);
    return ERR_OK;
}

/* ---- from the dump record ---- */

static bool text_is(const json_t *o, const char *key, const char *text)
{
    const char *found = json_string_value(json_object_get(o, key));

    return found && strcmp(found, text) == 0;
}

static void mark_read(const json_t *o, const char *key, char *mark)
{
    const char *text = json_string_value(json_object_get(o, key));

    if (text && strlen(text) == 1)
        *mark = *text;
}

enum err_code csv_dialect_parse(const char *options, struct csv_dialect *d, struct err *err)
{
    struct csv_dialect read = CSV_DIALECT_DEFAULT;
    json_t *o = json_loads(options ? options : "{}", 0, NULL);
    const char *null = json_string_value(json_object_get(o, "csv-null"));
    enum err_code rc;

    mark_read(o, "csv-separator", &read.separator);
    mark_read(o, "csv-delimiter", &read.quote);
    read.backslash = !text_is(o, "csv-escape", "none");
    read.lf = text_is(o, "csv-line-terminator", "lf");
    read.no_header = json_is_false(json_object_get(o, "header"));
    if (null && strlen(null) <= CSV_NULL_MAX)
        memcpy(read.null_text, null, strlen(null) + 1);
    json_decref(o);
    rc = csv_dialect_check(&read, err);
    if (rc)
        return err_set(err, ERR_FORMAT, "the dump's CSV dialect cannot be read");
    *d = read;
    return ERR_OK;
}

/* ---- rows to bytes ---- */

static bool cell_is_bare(const char *cell, size_t len)
{
    struct scan_number n;

    return encoder_is_plain_number(cell, len) ||
           (scan_number(cell, cell + len, &n) && n.end == cell + len);
}

/* The letter that stands for the byte behind a backslash, or '\0'. */
static inline char escape_letter(const struct csv_dialect *d, char c)
{
    if (c == d->quote || c == '\\')
        return c;
    if (c == '\n')
        return 'n';
    if (c == '\r')
        return 'r';
    return '\0';
}

static char *quoted_put(const struct csv_dialect *d, char *to, const char *cell, size_t len)
{
    *to++ = d->quote;
    for (size_t i = 0; i < len; i++) {
        char letter = '\0';

        if (d->backslash)
            letter = escape_letter(d, cell[i]);
        if (letter) {
            *to++ = '\\';
            *to++ = letter;
        } else if (d->backslash && cell[i] == '\0') {
            *to++ = '\\';
            *to++ = '0';
        } else {
            if (cell[i] == d->quote)
                *to++ = d->quote;
            *to++ = cell[i];
        }
    }
    *to++ = d->quote;
    return to;
}

char *csv_dialect_row_put(const struct csv_dialect *d, char *to, const struct row *row,
                          const enum cell_form *forms)
{
    const size_t null_len = strlen(d->null_text);

    for (unsigned i = 0; i < row->count; i++) {
        if (i)
            *to++ = d->separator;
        if (!row->cell[i])
            to = encoder_put(to, d->null_text, null_len);
        else if (forms[i] == CELL_NUMBER && cell_is_bare(row->cell[i], row->len[i]))
            to = encoder_put(to, row->cell[i], row->len[i]);
        else
            to = quoted_put(d, to, row->cell[i], row->len[i]);
    }
    if (!d->lf)
        *to++ = '\r';
    *to++ = '\n';
    return to;
}

static size_t row_growth(const struct csv_dialect *d, const struct row *row)
{
    size_t growth = 0;

    for (unsigned i = 0; i < row->count; i++)
        for (size_t at = 0; row->cell[i] && at < row->len[i]; at++)
            growth += escape_letter(d, row->cell[i][at]) || row->cell[i][at] == '\0';
    return growth;
}

size_t csv_dialect_row_room(const struct csv_dialect *d, const struct row *row)
{
    const size_t bytes = encoder_row_bytes(row);
    const size_t growth = bytes < ENCODER_COUNT_FROM ? bytes : row_growth(d, row);

    return bytes + growth + (size_t)row->count * (CSV_NULL_MAX + 3) + 2 + SCAN_SLACK;
}
