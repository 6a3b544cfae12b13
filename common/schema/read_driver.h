/* common/schema/read_driver.h: what the files that read information_schema share. */
#ifndef FERRY_SCHEMA_READ_DRIVER_H
#define FERRY_SCHEMA_READ_DRIVER_H

#include "common/mysql/conn.h"
#include "common/mysql/filter.h"
#include "common/schema/intern.h"
#include "common/schema/model.h"

struct reader {
    struct conn *conn;
    const struct flavour *flavour;
    const struct filter *filter;
    struct schema *schema;
    struct intern strings; /* into schema->arena */
    size_t first, end;     /* databases that the present query asks for */
    struct table *last;    /* the last row's table: rows of one table mostly follow each other */
};

typedef enum err_code reader_row_fn(struct reader *r, const struct row *row, void *ctx,
                                    struct err *err);

/* Runs "`select` WHERE TABLE_SCHEMA = ..." for all databases, several at a time where the server
 * has an index for that, and gives each row to `fn`. */
MUST_CHECK enum err_code reader_each(struct reader *r, const char *select, reader_row_fn *fn,
                                     void *ctx, struct err *err);
/* The same for one database, or for one table of it (`table` NULL: all). */
MUST_CHECK enum err_code reader_one(struct reader *r, const char *select, const char *db,
                                    const char *table, reader_row_fn *fn, struct err *err);
/* Any query: its rows may speak of all databases. */
MUST_CHECK enum err_code reader_any(struct reader *r, const char *sql, reader_row_fn *fn,
                                    struct err *err);
/* The table that the row's first two cells name; NULL: not in the model, or of a database that was
 * not asked for (the server compares names by its collation). */
struct table *reader_table(struct reader *r, const struct row *row);

/* NULL for SQL NULL. */
const char *reader_text(struct reader *r, const struct row *row, unsigned cell);
/* 0 for SQL NULL and for what is no number. */
uint64_t reader_number(const struct row *row, unsigned cell);
bool reader_is(const struct row *row, unsigned cell, const char *text);

/* Fills in tables[].row_estimate and data_bytes. */
MUST_CHECK enum err_code reader_sizes(struct reader *r, struct err *err);
/* Fill in tables[].columns; then tables[].keys, which need the columns. */
MUST_CHECK enum err_code reader_columns(struct reader *r, struct err *err);
MUST_CHECK enum err_code reader_keys(struct reader *r, struct err *err);

#endif
