/* New rows by LOAD DATA LOCAL, on TiDB, where that is a third faster than INSERT. It skips rows
 * that collide, and may change values in silence: what it says must be that it took all rows as
 * they are, else the transaction is given up, and the careful way by INSERT finds the row. */
#include "follower/apply_write.h"

#include "formats/row_codec.h"

#define LOAD_ROWS_MIN 200
#define LOAD_BYTES                                                                                 \
    ((size_t)224 << 10) /* streams above 256 KiB break TiDB's connections on errors */
#define LOAD_ROW_BYTES ((size_t)16 << 10) /* before escaping */

static bool entry_new(const struct merge_entry *e)
{
    return e->image && !e->was && !e->loose;
}

bool load_pays(const struct writer *w, const struct merge_entry *from,
               const struct merge_entry *end)
{
    size_t rows = 0;

    if (!w->load || w->careful || !from->table->key)
        return false;
    /* Rows that go in the same transaction may have the same keys: INSERT knows what to do. */
    for (const struct merge_entry *e = from; e < end; e++) {
        if (e->was || e->loose || apply_head(e->change).image > LOAD_ROW_BYTES)
            return false;
        rows += entry_new(e);
    }
    return rows >= LOAD_ROWS_MIN;
}

static bool local_refused(unsigned number)
{
    /* not allowed with this version; not supported; the client library's refusal; by the server */
    return number == 1148 || number == 1235 || number == 2068 || number == 3948 || number == 4166;
}

static enum err_code load_send(struct writer *w, const struct merge_entry *first, uint64_t rows,
                               struct err *err)
{
    struct strbuf *sql = writer_begin(w, WRITE_ROWS, rows);
    struct load_params params = {.affected = w->affected,
                                 .count = w->count,
                                 .load_index = w->count - 1,
                                 .buf = w->rows.str,
                                 .len = w->rows.len};
    struct load_info info = {0};
    enum err_code rc;

    w->sent[w->count - 1].entry = first;
    strbuf_addstr(sql, first->table->load);
    params.sql = sql->str;
    params.sql_len = sql->len;
    rc = conn_load(w->conn, &params, &info, err);
    if (rc && local_refused(err->server_errno)) {
        w->load = false;
        rc = err_set(err, ERR_SERVER_BUSY, "LOAD DATA LOCAL is not allowed");
    }
    if (!rc)
        rc = writer_answers(w, err);
    if (!rc && (info.records != rows || info.skipped || info.deleted || info.warnings))
        rc = err_set(err, ERR_FOLLOW_DRIFT, "%s.%s did not take all rows as they are",
                     first->table->db, first->table->name);
    strbuf_reset(&w->sql);
    strbuf_reset(&w->rows);
    w->count = 0;
    return rc;
}

enum err_code load_rows(struct writer *w, const struct merge_entry *from,
                        const struct merge_entry *end, struct err *err)
{
    const struct merge_entry *first = NULL;
    uint64_t rows = 0;
    enum err_code rc = ERR_OK;

    strbuf_reset(&w->rows);
    for (const struct merge_entry *e = from; !rc && e < end; e++) {
        struct row row;

        if (!entry_new(e))
            continue;
        row = writer_row(w, e->image, e->table->column_count);
        first = rows == 0 ? e : first;
        rc = load_data_row(&row, NULL, &w->rows, err);
        rows++;
        if (!rc && w->rows.len >= LOAD_BYTES) {
            rc = load_send(w, first, rows, err);
            rows = 0;
        }
    }
    if (!rc && rows > 0)
        rc = load_send(w, first, rows, err);
    return rc;
}
