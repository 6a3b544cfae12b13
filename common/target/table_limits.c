#include "common/target/table_limits.h"

#include <stdlib.h>

#define ENTRY_BYTES_TIDB ((size_t)6291456) /* default of txn-entry-size-limit */

/* *number 0 where the server does not say. */
static enum err_code limit_read(struct conn *c, const char *sql, size_t *number, struct err *err)
{
    char *text = NULL;

    *number = 0;
    if (conn_value(c, sql, &text, err)) {
        if (err_info(err->code)->retryable)
            return err->code;
        err_clear(err);
    }
    *number = text ? (size_t)strtoull(text, NULL, 10) : 0;
    free(text);
    return ERR_OK;
}

/* The session's where it is set, else the server's, which only some accounts may read. */
static enum err_code row_limit(struct conn *c, size_t *max_row, struct err *err)
{
    if (limit_read(c, "SELECT @@tidb_txn_entry_size_limit", max_row, err))
        return err->code;
    if (!*max_row &&
        limit_read(
            c, "SELECT JSON_EXTRACT(@@global.tidb_config,'$.performance.\"txn-entry-size-limit\"')",
            max_row, err))
        return err->code;
    *max_row = *max_row ? *max_row : ENTRY_BYTES_TIDB;
    return ERR_OK;
}

enum err_code table_limits_read(struct conn *c, struct table_limits *out, struct err *err)
{
    const struct {
        const char *sql;
        unsigned *limit;
    } asks[] = {
        {"SELECT JSON_EXTRACT(@@global.tidb_config,'$.\"max-index-length\"')", &out->max_key_bytes},
        {"SELECT JSON_EXTRACT(@@global.tidb_config,'$.\"index-limit\"')", &out->max_keys},
        {"SELECT JSON_EXTRACT(@@global.tidb_config,'$.\"table-column-count-limit\"')",
         &out->max_columns}};

    *out = (struct table_limits){0};
    if (conn_flavour(c)->vendor != VENDOR_TIDB)
        return ERR_OK;
    if (row_limit(c, &out->max_row, err))
        return err->code;
    for (size_t i = 0; i < sizeof asks / sizeof asks[0]; i++) {
        size_t number = 0;

        if (limit_read(c, asks[i].sql, &number, err))
            return err->code;
        *asks[i].limit = (unsigned)number;
    }
    return ERR_OK;
}
