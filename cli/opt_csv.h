/* cli/opt_csv.h: the options that say which dialect of CSV is written. */
#ifndef FERRY_CLI_OPT_CSV_H
#define FERRY_CLI_OPT_CSV_H

#include "common/base/opt.h"
#include "formats/row_codec.h"

struct csv_opts {
    const char *separator, *delimiter, *null_text;
    int escape, line_terminator;
    bool header;
};
#define CSV_OPTS_DEFAULT                                                                           \
    {                                                                                              \
        .separator = ",", .delimiter = "\"", .null_text = "\\N", .header = true                    \
    }
extern const struct opt csv_opts_table[];

/* ERR_USAGE: a dialect that could not be read back, or one without CSV. */
MUST_CHECK enum err_code csv_opts_check(const struct csv_opts *o, enum row_format format,
                                        struct csv_dialect *d, struct err *err);

#endif
