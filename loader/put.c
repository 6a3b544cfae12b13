#include "loader/put.h"

#include "common/base/log.h"
#include "loader/insert.h"

bool put_may_load(const struct worker *w)
{
    const struct load_run *run = w->run;

    return run->fast && !atomic_load_explicit(&run->local_refused, memory_order_relaxed) &&
           w->batch.rows > 0 && !(run->max_load_row && batch_bytes(&w->batch) > run->max_load_row);
}

bool put_local_refused(struct worker *w, const struct err *err)
{
    static const unsigned numbers[] = {
        1148, /* not allowed with this version */
        1235, /* not supported */
        2068, /* the client library's refusal */
        3948, /* MySQL 8: local_infile is off */
        4166, /* MariaDB: local_infile is off */
    };

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (err->server_errno != numbers[i])
            continue;
        if (!atomic_exchange(&w->run->local_refused, true))
            log_event(LOG_WARN, "load.local-refused",
                      F_STR("message",
                            "the target does not allow LOAD DATA LOCAL; rows go by multi-row "
                            "INSERT, which takes longer (set local_infile=1 there)"),
                      F_STR("cause", err->msg));
        return true;
    }
    return false;
}

/* ---- by LOAD ---- */

static enum err_code load_text(struct worker *w, const struct put_dest *dest, const unsigned *rows,
                               unsigned count, struct err *err)
{
    const struct batch *b = &w->batch;

    strbuf_reset(&w->rows);
    if (strbuf_reserve(&w->rows, batch_bytes(b) + (size_t)count * 12, err))
        return err->code;
    for (unsigned i = 0; i < count; i++) {
        size_t from = b->row_off[rows[i]];

        if (dest->numbered)
            strbuf_addf(&w->rows, "%u\t", rows[i]);
        strbuf_add(&w->rows, b->text.str + from, b->row_off[rows[i] + 1] - from);
    }
    return ERR_OK;
}

static enum err_code enum_errors_of(struct worker *w, const unsigned *rows, unsigned count,
                                    uint64_t *n, struct err *err)
{
    struct batch_reader reader;
    enum err_code rc = ERR_OK;

    *n = 0;
    if (!w->table->enum_error)
        return ERR_OK;
    batch_reader_init(&reader, &w->batch, w->table->dump->shape.count);
    for (unsigned i = 0; !rc && i < count; i++) {
        struct row row;

        rc = batch_reader_row(&reader, rows[i], &row, err);
        if (!rc)
            *n += insert_enum_errors(w->table, &row);
    }
    batch_reader_release(&reader);
    return rc;
}

enum err_code put_load(struct worker *w, const struct put_dest *dest, const unsigned *rows,
                       unsigned count, struct put_result *result, struct err *err)
{
    uint64_t affected = 0, expected = 0;
    struct load_info info = {0};
    struct load_params params = {.sql = dest->load_sql,
                                 .sql_len = strlen(dest->load_sql),
                                 .affected = &affected,
                                 .count = 1};
    enum err_code rc;

    *result = (struct put_result){0};
    if (count == 0)
        return ERR_OK;
    if (enum_errors_of(w, rows, count, &expected, err))
        return err->code;
    if (!dest->numbered && count == w->batch.rows) {
        params.buf = w->batch.text.str;
        params.len = batch_bytes(&w->batch);
    } else {
        if (load_text(w, dest, rows, count, err))
            return err->code;
        params.buf = w->rows.str;
        params.len = w->rows.len;
    }
    rc = conn_load(w->conn, &params, &info, err);
    if (rc) {
        worker_disconnect(w);
        if (err_info(rc)->retryable)
            return rc;
        if (put_local_refused(w, err))
            return err_set(err, ERR_SERVER_BUSY, "LOAD DATA LOCAL is not allowed");
        result->refused = true;
        result->why = *err;
        err_clear(err);
        return ERR_OK;
    }
    result->refused = info.affected != count || info.records != count || info.skipped ||
                      info.deleted || info.warnings != expected;
    return ERR_OK;
}

/* ---- by INSERT ---- */

struct inserting {
    struct worker *w;
    const struct put_dest *dest;
    struct put_result *result;
    unsigned rows; /* in w->rows */
};

static enum err_code insert_words(struct inserting *p, uint64_t affected, struct err *err)
{
    uint64_t warnings = 0;

    if (insert_warning_count(p->w->conn, &warnings, err))
        return err->code;
    if (warnings > 0) {
        p->result->refused = true;
        return insert_warning_words(p->w->conn, &p->result->why, err);
    }
    if (affected != p->rows) {
        p->result->refused = true;
        (void)err_set(&p->result->why, ERR_LOAD_ROWS, "the server took the row without storing it");
    }
    return ERR_OK;
}

static enum err_code insert_send(struct inserting *p, struct err *err)
{
    struct worker *w = p->w;
    uint64_t affected = 0;
    enum err_code rc;

    if (p->rows == 0)
        return ERR_OK;
    if (w->rows.len > w->run->max_packet) {
        p->result->refused = true;
        (void)err_set(&p->result->why, ERR_LIMIT,
                      "the row needs a statement of %zu bytes, above the server's "
                      "max_allowed_packet",
                      w->rows.len);
        return ERR_OK;
    }
    rc = conn_exec(w->conn, w->rows.str, w->rows.len, &affected, err);
    if (rc && insert_error_is_of_row(err)) {
        p->result->refused = true;
        p->result->why = *err;
        err_clear(err);
        rc = ERR_OK;
        if (!conn_usable(w->conn))
            worker_disconnect(w);
    } else if (!rc) {
        rc = insert_words(p, affected, err);
    }
    p->rows = 0;
    strbuf_reset(&w->rows);
    return rc;
}

/* "(cells)" or "(number,cells)". */
static enum err_code insert_tuple(struct inserting *p, unsigned i, const struct row *row,
                                  struct strbuf *out, struct err *err)
{
    size_t at;

    if (!p->dest->numbered)
        return insert_values_row(row, p->w->table->dump->shape.forms, out, err);
    strbuf_addf(out, "(%u,", i);
    at = out->len;
    if (insert_values_row(row, p->w->table->dump->shape.forms, out, err))
        return err->code;
    out->str[at] = ' '; /* its own parenthesis */
    return ERR_OK;
}

static enum err_code insert_odd(struct inserting *p, unsigned i, const struct row *row,
                                unsigned enum_errors, struct err *err)
{
    struct worker *w = p->w;

    if (insert_send(p, err) || p->result->refused)
        return err->code;
    strbuf_reset(&w->sql);
    strbuf_addstr(&w->sql, p->dest->insert_sql);
    if (insert_tuple(p, i, row, &w->sql, err))
        return err->code;
    return insert_enum_error_sql(w, enum_errors, &p->result->refused, &p->result->why, err);
}

static enum err_code insert_one(struct inserting *p, unsigned i, const struct row *row,
                                struct err *err)
{
    struct worker *w = p->w;
    size_t before = w->rows.len;
    unsigned enum_errors = insert_enum_errors(w->table, row);

    if (enum_errors > 0)
        return insert_odd(p, i, row, enum_errors, err);
    strbuf_addstr(&w->rows, p->rows ? "," : p->dest->insert_sql);
    if (insert_tuple(p, i, row, &w->rows, err))
        return err->code;
    if (w->rows.len > w->run->max_statement && p->rows > 0) {
        strbuf_setlen(&w->rows, before);
        if (insert_send(p, err) || p->result->refused)
            return err->code;
        strbuf_addstr(&w->rows, p->dest->insert_sql);
        if (insert_tuple(p, i, row, &w->rows, err))
            return err->code;
    }
    p->rows++;
    return ERR_OK;
}

enum err_code put_insert(struct worker *w, const struct put_dest *dest, const unsigned *rows,
                         unsigned count, struct put_result *result, struct err *err)
{
    struct inserting p = {w, dest, result, 0};
    struct batch_reader reader;
    enum err_code rc = ERR_OK;

    *result = (struct put_result){0};
    if (count == 0)
        return ERR_OK;
    strbuf_reset(&w->rows);
    batch_reader_init(&reader, &w->batch, w->table->dump->shape.count);
    for (unsigned i = 0; !rc && !result->refused && i < count; i++) {
        struct row row;

        rc = batch_reader_row(&reader, rows[i], &row, err);
        if (!rc && w->run->limits.max_row && row_bytes(&row) > w->run->limits.max_row) {
            result->refused = true;
            (void)err_set(&result->why, ERR_LIMIT,
                          "the row has %zu bytes, the target takes %zu in one row at most "
                          "(txn-entry-size-limit)",
                          row_bytes(&row), w->run->limits.max_row);
        } else if (!rc) {
            rc = insert_one(&p, rows[i], &row, err);
        }
    }
    if (!rc && !result->refused)
        rc = insert_send(&p, err);
    batch_reader_release(&reader);
    return rc;
}
