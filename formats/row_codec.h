/* formats/row_codec.h: rows to bytes and back: SQL (INSERT statements) and CSV. Fast paths of the
 * product.
 *
 * SQL: a header of SET statements in version comments (NAMES utf8mb4, time_zone,
 * foreign_key_checks, sql_mode), then INSERT INTO `t` (`a`,`b`)
 * VALUES\n(1,'x'),\n(2,NULL);\n   with statements of at most `statement_bytes` (one row at least).
 *   Text in '...' with backslash escapes (\0 \n \r \Z \' \\), bytes and BIT as x'..', numbers bare,
 * NULL. CSV: the dialect on which Dumpling and TiDB Lightning agree by default: ',' '"' CRLF, a
 * header line with the column names, backslash escapes, \N unquoted for NULL, every non-NULL text
 * and bytes cell in quotes, numbers bare. docs/format.md has both. One thread at a time for each
 * object. */
#ifndef FERRY_FORMATS_ROW_CODEC_H
#define FERRY_FORMATS_ROW_CODEC_H

#include "common/base/strbuf.h"
#include "common/mysql/row.h"
#include "common/schema/model.h"
#include "common/store/source.h"
#include "formats/csv_dialect.h"

#include <stdbool.h>
#include <stdint.h>

enum row_format { ROW_FORMAT_SQL, ROW_FORMAT_CSV };

/* The character set of a text cell's bytes in a file that mydumper wrote; ferry and Dumpling write
 * UTF-8. */
enum cell_charset {
    CELL_CHARSET_UTF8, /* ASCII too, and bytes */
    CELL_CHARSET_LATIN1,
    CELL_CHARSET_OTHER, /* one that holds ASCII as it is */
    CELL_CHARSET_WIDE   /* one that does not */
};

struct row_shape { /* what both sides know of a table's rows; borrowed, must outlive the codec */
    const char *table; /* for the INSERT statement; without the database, as Dumpling writes it */
    const char *const *columns; /* names of the dumped columns, in order */
    const enum cell_form *forms;
    unsigned count;
    const enum cell_charset *charsets; /* NULL: all are UTF-8; latin1 is converted, of the others
                                          what is not ASCII is refused */
};

struct encoder;
/* `statement_bytes` is for SQL only: a statement with its head and ";\n" is not longer, unless one
 * row is. */
struct encoder *encoder_new(enum row_format format, const struct row_shape *shape,
                            size_t statement_bytes);
/* CSV of another dialect; before the first row. Copied. */
void encoder_set_dialect(struct encoder *e, const struct csv_dialect *d);
/* Each appends to `out`. begin: the file's header. row: one row. end: closes an open statement;
 * afterwards the encoder is as new. ERR_NOMEM, ERR_LIMIT only (a row above `out->max`). */
MUST_CHECK enum err_code encoder_begin(struct encoder *e, struct strbuf *out, struct err *err);
MUST_CHECK enum err_code encoder_row(struct encoder *e, const struct row *row, struct strbuf *out,
                                     struct err *err);
MUST_CHECK enum err_code encoder_end(struct encoder *e, struct strbuf *out, struct err *err);
void encoder_free(struct encoder *e);

struct decoder;
struct decoder_params {
    enum row_format format;
    const struct row_shape *shape;
    uint64_t raw_off;   /* raw bytes before the source's first byte; not 0: the source begins in the
                           middle */
    uint64_t start_off; /* begin with the row that starts here (a value decoder_offset gave); <=
                           raw_off + what the source holds */
    uint64_t start_row; /* rows before it */
    size_t max_row;     /* bytes; a longer one is ERR_LIMIT; 0: 1 GiB */
    size_t buffer;      /* bytes read at a time, and the memory taken unless a row is larger; 0: 256
                           KiB */
    const struct csv_dialect *dialect; /* CSV; NULL: the default; copied */
    /* For CSV files made by others: */
    bool csv_no_header;  /* the first line is a row */
    bool csv_open_end;   /* the last line may lack its line end; a cut in it goes unseen then */
    bool strict_escapes; /* text that Dumpling's default would have escaped differently is
                            ERR_FORMAT: its backslashes would be guessed */
};
/* Takes `source`. The file name for messages is borrowed. An INSERT into another table than
 * shape->table (NULL: any) or with other columns than the shape's is ERR_FORMAT, as is a CSV header
 * with other names; letters' case does not matter there. */
struct decoder *decoder_new(const struct decoder_params *p, struct source *source,
                            const char *file);
/* *more false at the clean end of the file. A file that ends inside a statement, a row with another
 * number of cells, anything that is not of the form: ERR_FORMAT with the file and the row number.
 * The row is valid until the next call. */
MUST_CHECK enum err_code decoder_next(struct decoder *d, struct row *row, bool *more,
                                      struct err *err);
uint64_t decoder_offset(const struct decoder *d); /* raw byte offset behind the last row given: a
                                                     later decoder may start here */
uint64_t decoder_rows(const struct decoder *d);   /* rows given so far, start_row included: the last
                                                     row's number, counted from 1 */
void decoder_free(struct decoder *d);

/* The text that LOAD DATA LOCAL takes on every flavour with FIELDS TERMINATED BY '\t' ESCAPED BY
 * '\\' LINES TERMINATED BY '\n': cells escaped, \N for NULL; `hex[i]`: write cell i as hex digits
 * (for UNHEX(@v) where the server checks UTF-8). `hex` may be NULL. */
MUST_CHECK enum err_code load_data_row(const struct row *row, const bool *hex, struct strbuf *out,
                                       struct err *err);
/* (1,'x',x'00') for a multi-row INSERT. */
MUST_CHECK enum err_code insert_values_row(const struct row *row, const enum cell_form *forms,
                                           struct strbuf *out, struct err *err);

#endif
