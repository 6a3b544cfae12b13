/* About how many rows and bytes each table has: for the order of work and for progress, never for
 * correctness. */
#include "common/schema/read_driver.h"

#include "common/base/log.h"

#include <string.h>
#include <strings.h>

/* A server opens each table to say its size. Above this number the engine's own table of statistics
 * is asked: that is a little older, and knows no other engine's tables. */
#define OPEN_TABLES_MAX 2000

/* The columns of both queries. */
enum size_cell { S_DB, S_TABLE, S_ROWS, S_BYTES, S_COUNT };

static enum err_code size_row(struct reader *r, const struct row *row, void *ctx, struct err *err)
{
    struct table *t = reader_table(r, row);

    (void)ctx;
    (void)err;
    if (t) {
        t->row_estimate = reader_number(row, S_ROWS);
        t->data_bytes = reader_number(row, S_BYTES);
    }
    return ERR_OK;
}

/* Where "#P#" begins in a partition's name "t#P#p0"; NULL: it is none. */
static const char *partition_mark(const char *name, unsigned long len)
{
    for (unsigned long i = 0; i + 3 <= len; i++)
        if (strncasecmp(name + i, "#P#", 3) == 0)
            return name + i;
    return NULL;
}

/* Partitions have a row each. */
static enum err_code statistics_row(struct reader *r, const struct row *row, void *ctx,
                                    struct err *err)
{
    const char *cell[S_COUNT];
    unsigned long len[S_COUNT];
    struct row whole = {cell, len, S_COUNT};
    struct table *t = reader_table(r, row);
    const char *mark;

    (void)ctx;
    (void)err;
    if (!t && row->cell[S_TABLE]) {
        memcpy(cell, row->cell, sizeof(cell));
        memcpy(len, row->len, sizeof(len));
        mark = partition_mark(cell[S_TABLE], len[S_TABLE]);
        if (!mark)
            return ERR_OK;
        len[S_TABLE] = (unsigned long)(mark - cell[S_TABLE]);
        t = reader_table(r, &whole);
    }
    if (t) {
        t->row_estimate += reader_number(row, S_ROWS);
        t->data_bytes += reader_number(row, S_BYTES);
    }
    return ERR_OK;
}

enum err_code reader_sizes(struct reader *r, struct err *err)
{
    enum err_code rc;

    if (r->flavour->vendor != VENDOR_TIDB && r->schema->table_count > OPEN_TABLES_MAX) {
        rc = reader_any(r,
                        "SELECT database_name AS d, table_name AS t, n_rows AS n,"
                        " clustered_index_size * @@innodb_page_size AS b"
                        " FROM mysql.innodb_table_stats",
                        statistics_row, err);
        if (!rc || !conn_usable(r->conn))
            return rc;
        log_event(LOG_INFO, "schema.sizes", F_STR("cause", err->msg),
                  F_STR("message", "the server opens every table to say its size; GRANT SELECT ON "
                                   "mysql.innodb_table_stats makes that quicker"));
        err_clear(err);
    }
    return reader_each(r,
                       "SELECT TABLE_SCHEMA AS d, TABLE_NAME AS t, TABLE_ROWS AS n,"
                       " DATA_LENGTH AS b FROM information_schema.TABLES",
                       size_row, NULL, err);
}
