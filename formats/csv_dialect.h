/* formats/csv_dialect.h: forms of CSV other than ferry's own, and their row codec. Rows of the
 * default dialect take csv_encode.c and csv_decode.c, which know it by heart; all others come here.
 *
 * In every dialect a cell that is neither NULL nor a bare number stands in quotes, so that NULL's
 * text, which never does, means NULL alone. No state: any thread. */
#ifndef FERRY_FORMATS_CSV_DIALECT_H
#define FERRY_FORMATS_CSV_DIALECT_H

#include "common/base/err.h"
#include "common/mysql/row.h"
#include "common/schema/model.h"

#include <stdbool.h>
#include <stddef.h>

#define CSV_NULL_MAX 32
#define CSV_DIALECT_DEFAULT                                                                        \
    {                                                                                              \
        .separator = ',', .quote = '"', .backslash = true, .null_text = "\\N"                      \
    }

struct csv_dialect { /* all zero: the default as well */
    char separator,
        quote;      /* no quote ('\0', with backslashes): only read, in mydumper's LOAD_DATA */
    bool backslash; /* \0 \n \r \\ and the quote are escaped by it; else a quote is doubled */
    bool lf;        /* lines end in LF, else CR LF */
    bool no_header; /* no line with the column names */
    char null_text[CSV_NULL_MAX + 1];
};

/* Rows are those of the default dialect; the header does not matter. */
bool csv_dialect_default_rows(const struct csv_dialect *d);
/* ERR_USAGE: what could not be read back exactly, by option name. */
MUST_CHECK enum err_code csv_dialect_check(const struct csv_dialect *d, struct err *err);
/* From the options of a dump record (docs/format.md); what is not there is the default. ERR_FORMAT.
 */
MUST_CHECK enum err_code csv_dialect_parse(const char *options, struct csv_dialect *d,
                                           struct err *err);

/* As in encoder_driver.h. */
size_t csv_dialect_row_room(const struct csv_dialect *d, const struct row *row);
char *csv_dialect_row_put(const struct csv_dialect *d, char *to, const struct row *row,
                          const enum cell_form *forms);

#endif
