/* What a file of Dumpling cannot hold unless it was made with --escape-backslash=false. Nothing in
 * a dump says so, and there a backslash means itself: 'C:\new' would be read with a line end in it.
 * By default Dumpling escapes a few bytes and no others, so a byte that it has not escaped, a
 * doubled quote, or a backslash before another letter tells. */
#include "formats/decoder_driver.h"

/* The first byte that tells; NULL: none. */
static const char *strict_find(const char *p, const char *end, bool csv)
{
    for (; p < end; p++) {
        switch (*p) {
        case '\\':
            p++;
            if (p < end && *p && strchr(csv ? "0nr\\\"" : "0nr\\\"'Z", *p))
                break;
            return p - 1;
        case '\0':
        case '\n':
        case '\r':
        case '"':
            return p;
        case '\'':
        case '\x1a':
            if (!csv)
                return p;
            break;
        default:
            break;
        }
    }
    return NULL;
}

enum err_code decoder_strict(const struct decoder *d, struct err *err)
{
    for (unsigned i = 0; i < d->shape.count; i++) {
        const char *cell = d->cell[i];
        const char *wrong;

        if (!cell || cell <= d->pos || cell >= d->end || (cell[-1] != '\'' && cell[-1] != '"'))
            continue;
        wrong = strict_find(cell, cell + d->len[i], d->format == ROW_FORMAT_CSV);
        if (!wrong)
            continue;
        (void)decoder_bad(d, wrong, err,
                          "column '%.64s' is not escaped as Dumpling does by default: the dump was "
                          "made with --escape-backslash=false, in which backslashes cannot be "
                          "told from escapes (dump again without it, and empty the tables that "
                          "this load has begun with)",
                          d->shape.columns[i]);
        return err->code;
    }
    return ERR_OK;
}
