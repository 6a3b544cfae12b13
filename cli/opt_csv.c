#include "cli/opt_csv.h"

#include <string.h>

static const char *const escape_words[] = {"backslash", "none", NULL};
static const char *const terminator_words[] = {"crlf", "lf", NULL};

#define FIELD(f) offsetof(struct csv_opts, f)
const struct opt csv_opts_table[] = {
    {"csv-separator", 0, OPT_STRING, FIELD(separator), "CHAR",
     "between the fields, \\t for a tab (,)", NULL, 0, 0, false},
    {"csv-delimiter", 0, OPT_STRING, FIELD(delimiter), "CHAR", "around text and bytes (\")", NULL,
     0, 0, false},
    {"csv-escape", 0, OPT_ENUM, FIELD(escape), "backslash|none",
     "none doubles the delimiter and leaves all else as it is (backslash)", escape_words, 0, 0,
     false},
    {"csv-null", 0, OPT_STRING, FIELD(null_text), "TEXT",
     "NULL, which never stands in quotes; may be empty (\\N)", NULL, 0, 0, false},
    {"csv-line-terminator", 0, OPT_ENUM, FIELD(line_terminator), "crlf|lf", "end of a line (crlf)",
     terminator_words, 0, 0, false},
    {"header", 0, OPT_BOOL, FIELD(header), NULL,
     "column names in the first line of each file (yes; --no-header leaves them out)", NULL, 0, 0,
     false},
    {.kind = OPT_END}};
#undef FIELD

enum err_code csv_opts_check(const struct csv_opts *o, enum row_format format,
                             struct csv_dialect *d, struct err *err)
{
    const char *separator = strcmp(o->separator, "\\t") == 0 ? "\t" : o->separator;

    if (strlen(separator) != 1)
        return err_set(err, ERR_USAGE, "--csv-separator is one byte, or \\t");
    if (strlen(o->delimiter) != 1)
        return err_set(err, ERR_USAGE, "--csv-delimiter is one byte");
    if (strlen(o->null_text) > CSV_NULL_MAX)
        return err_set(err, ERR_USAGE, "--csv-null is longer than %d bytes", CSV_NULL_MAX);
    *d = (struct csv_dialect){.separator = *separator,
                              .quote = *o->delimiter,
                              .backslash = o->escape == 0,
                              .lf = o->line_terminator == 1,
                              .no_header = !o->header};
    memcpy(d->null_text, o->null_text, strlen(o->null_text) + 1);
    if (format != ROW_FORMAT_CSV && (!csv_dialect_default_rows(d) || d->no_header))
        return err_set(err, ERR_USAGE, "--csv-... and --no-header go with --format csv only");
    return csv_dialect_check(d, err);
}
