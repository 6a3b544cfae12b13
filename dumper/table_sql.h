/* dumper/table_sql.h: the statements that read one table, put together once for each worker that
 * reads it. Owned by the caller's arena, with the table borrowed; read-only once made. */
#ifndef FERRY_DUMPER_TABLE_SQL_H
#define FERRY_DUMPER_TABLE_SQL_H

#include "common/mysql/flavour.h"
#include "common/mysql/row.h"
#include "common/schema/model.h"
#include "common/schema/predicate.h"
#include "formats/row_codec.h"

struct table_sql {
    const struct table *table;
    const struct key *key;  /* NULL: none */
    const char *where;      /* a condition that all rows of table_sql_rows fulfil; NULL: none */
    uint64_t limit;         /* rows that a table read without its key gives at most; 0: all */
    struct row_shape shape; /* dumped columns: the first cells of a row of `columns` */
    unsigned selected;      /* cells of a row of `columns` */
    unsigned visible;       /* columns that SELECT * gives */
    char *columns;          /* the data columns, then the key's that are not among them */
    char *key_columns;      /* the key's alone; NULL without a key */
    char *from;             /* " FROM `db`.`t` FORCE INDEX (`k`)" */
    unsigned *key_cell;     /* where each part of the key stands in a row of `columns` */
};

struct table_sql *table_sql_new(struct arena *a, const struct table *t, const struct key *key,
                                const struct flavour *f);

/* The rows of (lo, hi] in the key's order, at most `limit` (0: all). */
void table_sql_rows(const struct table_sql *s, const struct bound *lo, const struct bound *hi,
                    uint64_t limit, struct strbuf *out);
/* The data columns and then all that SELECT * gives, of no row: fails as a reading would. */
void table_sql_probe(const struct table_sql *s, struct strbuf *out);
/* The first (or last, `down`) key for which all of the list hold, or the one behind `offset`
 * others. */
void table_sql_key(const struct table_sql *s, const struct predicate *list, unsigned count,
                   bool down, uint64_t offset, struct strbuf *out);
/* Copies the key of a row into `out` (released first); `key_row`: of table_sql_key, else of
 * table_sql_rows. */
MUST_CHECK enum err_code table_sql_take_key(const struct table_sql *s, const struct row *row,
                                            bool key_row, struct bound *out, struct err *err);

#endif
