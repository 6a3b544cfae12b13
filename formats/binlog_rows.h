/* formats/binlog_rows.h: the rows of a Write_rows, Update_rows or Delete_rows event, one by one.
 *
 * Memory: one row's cells, and what an event of MariaDB's log_bin_compress unpacks to. One thread
 * at a time. */
#ifndef FERRY_FORMATS_BINLOG_ROWS_H
#define FERRY_FORMATS_BINLOG_ROWS_H

#include "common/mysql/row_change.h"
#include "formats/binlog_table.h"

/* zlib makes at most so many bytes of one: what says that it is more was changed. */
#define ZLIB_RATIO_MAX 1032U

#define ROWS_FLAG_STATEMENT_END 0x0001   /* last event of a statement */
#define ROWS_FLAG_NO_FOREIGN_KEYS 0x0002 /* the session had foreign_key_checks=0 */
#define ROWS_FLAG_RELAXED_UNIQUE 0x0004  /* the session had unique_checks=0 */

/* Whether a number of enum binlog_type is an event of rows that can be read; v0 cannot. */
bool binlog_is_rows(unsigned type);
/* The id of the table that an event of rows speaks of. ERR_BINLOG_EVENT: it is cut. */
MUST_CHECK enum err_code binlog_rows_table(const uint8_t *data, size_t len,
                                           const struct binlog_format *format, uint64_t *id,
                                           uint16_t *flags, struct err *err);

/* Which columns the images of an event hold: bits as in row_change.h, in the event. */
struct rows_images {
    unsigned columns;
    const uint8_t *first, *second; /* the second: of updates, else NULL */
};
/* Reads no row. ERR_BINLOG_EVENT: it is cut. */
MUST_CHECK enum err_code binlog_rows_images(const uint8_t *data, size_t len,
                                            const struct binlog_format *format,
                                            struct rows_images *, struct err *err);

struct binlog_rows; /* the memory of a reader, for many events */
struct binlog_rows *binlog_rows_new(void);
void binlog_rows_free(struct binlog_rows *r); /* NULL is fine */
/* Begins with the event in data[0..len), header included, without checksum: it and `t`, which is
 * bound, must stay until the last row was read. ERR_BINLOG_EVENT, ERR_BINLOG_SCHEMA: the number of
 * columns is another. */
MUST_CHECK enum err_code binlog_rows_begin(struct binlog_rows *r, const uint8_t *data, size_t len,
                                           const struct binlog_format *format,
                                           const struct binlog_table *t, struct err *err);
/* *more false at the end. The change is valid until the next call. */
MUST_CHECK enum err_code binlog_rows_next(struct binlog_rows *r, struct row_change *change,
                                          bool *more, struct err *err);

/* What log_bin_compress of MariaDB made, to the end of the event; the text goes to `out`, which is
 * emptied. ERR_BINLOG_EVENT. */
MUST_CHECK enum err_code binlog_uncompress(const uint8_t *data, size_t len, struct strbuf *out,
                                           struct err *err);

#endif
