/* One batch by multi-row INSERT in a strict session, where a bad value is an error and a warning is
 * one too. What the server refuses is settle.c's. */
#include "loader/insert.h"

#include "common/base/fault.h"

struct careful { /* one try */
    struct worker *w;
    struct batch_reader reader;
    unsigned rows; /* in w->rows, the statement's VALUES */
    bool begun;    /* BEGIN and UPDATE have been sent */
    bool refused;  /* the server refused something of the rows */
};

/* The statement's rows have not all arrived without a word, but no error was given. */
static enum err_code careful_look(struct careful *c, uint64_t affected, struct err *err)
{
    uint64_t warnings = 0;

    if (insert_warning_count(c->w->conn, &warnings, err))
        return err->code;
    if (warnings > 0 || affected != c->rows)
        c->refused = true;
    return ERR_OK;
}

/* Error of an INSERT: of the rows, then they are refused; else it is the caller's. */
static enum err_code careful_error(struct careful *c, struct err *err)
{
    if (!insert_error_is_of_row(err))
        return err->code;
    c->refused = true;
    err_clear(err);
    return ERR_OK;
}

static enum err_code careful_begin(struct careful *c, bool with_rows, struct err *err)
{
    struct worker *w = c->w;
    uint64_t affected[3] = {0};
    unsigned count = with_rows ? 3 : 2;
    unsigned done = 0;
    enum err_code rc;

    batch_begin_sql(w, false);
    if (with_rows) {
        if (strbuf_reserve(&w->sql, w->rows.len + 2, err))
            return err->code;
        strbuf_addstr(&w->sql, "; ");
        strbuf_add(&w->sql, w->rows.str, w->rows.len);
    }
    rc = conn_exec_multi(w->conn, w->sql.str, w->sql.len, affected, count, &done, err);
    if (rc && done < 2)
        return rc;
    c->begun = true;
    if (affected[1] != 1)
        return batch_fenced(w, err);
    if (rc)
        return careful_error(c, err);
    return with_rows ? careful_look(c, affected[2], err) : ERR_OK;
}

/* Sends the rows gathered so far; the first time with the transaction's begin. */
static enum err_code careful_flush(struct careful *c, struct err *err)
{
    struct worker *w = c->w;
    uint64_t affected = 0;
    enum err_code rc;

    if (c->rows == 0)
        return ERR_OK;
    if (!c->begun) {
        rc = careful_begin(c, true, err);
    } else {
        rc = conn_exec(w->conn, w->rows.str, w->rows.len, &affected, err);
        rc = rc ? careful_error(c, err) : careful_look(c, affected, err);
    }
    c->rows = 0;
    strbuf_reset(&w->rows);
    return rc;
}

static enum err_code careful_odd_row(struct careful *c, const struct row *row, unsigned enum_errors,
                                     struct err *err)
{
    struct worker *w = c->w;
    struct err why = ERR_INIT;

    if (careful_flush(c, err))
        return err->code;
    if (c->refused)
        return ERR_OK;
    if (!c->begun && careful_begin(c, false, err))
        return err->code;
    strbuf_reset(&w->sql);
    strbuf_addstr(&w->sql, w->table->insert_sql);
    if (insert_values_row(row, w->table->dump->shape.forms, &w->sql, err))
        return err->code;
    return insert_enum_error_sql(w, enum_errors, &c->refused, &why, err);
}

static enum err_code careful_row(struct careful *c, const struct row *row, struct err *err)
{
    struct worker *w = c->w;
    size_t before = w->rows.len;
    unsigned enum_errors = insert_enum_errors(w->table, row);

    if (w->run->limits.max_row && row_bytes(row) > w->run->limits.max_row) {
        c->refused = true; /* the server would break the connection, or break */
        return ERR_OK;
    }
    if (enum_errors > 0)
        return careful_odd_row(c, row, enum_errors, err);
    strbuf_addstr(&w->rows, c->rows ? "," : w->table->insert_sql);
    if (insert_values_row(row, w->table->dump->shape.forms, &w->rows, err))
        return err->code;
    if (w->rows.len > w->run->max_statement && c->rows > 0) {
        strbuf_setlen(&w->rows, before); /* it begins the next statement */
        if (careful_flush(c, err) || c->refused)
            return err->code;
        strbuf_addstr(&w->rows, w->table->insert_sql);
        if (insert_values_row(row, w->table->dump->shape.forms, &w->rows, err))
            return err->code;
    }
    c->rows++;
    if (w->rows.len > w->run->max_packet)
        c->refused = true; /* by itself: the server would break the connection */
    return ERR_OK;
}

static enum err_code careful_rows(struct careful *c, struct err *err)
{
    for (unsigned i = 0; i < c->w->batch.rows && !c->refused; i++) {
        struct row row;

        if (batch_reader_row(&c->reader, i, &row, err) || careful_row(c, &row, err))
            return err->code;
    }
    if (!c->refused && careful_flush(c, err))
        return err->code;
    if (!c->refused && !c->begun) /* a batch without rows */
        return careful_begin(c, false, err);
    return ERR_OK;
}

static enum err_code careful_try(struct careful *c, struct err *err)
{
    struct worker *w = c->w;
    struct err ignored = ERR_INIT;
    enum err_code rc;

    fault_point("load.before-load");
    rc = careful_rows(c, err);
    if (!rc && !c->refused) {
        fault_point("load.after-load");
        rc = conn_execz(w->conn, "COMMIT", err);
        if (!rc)
            fault_point("load.after-commit");
        return rc;
    }
    if (w->conn && (!conn_usable(w->conn) || conn_execz(w->conn, "ROLLBACK", &ignored)))
        worker_disconnect(w);
    return rc;
}

enum err_code careful_batch(struct worker *w, enum batch_outcome *outcome, struct err *err)
{
    struct careful c = {.w = w};
    enum err_code rc;

    batch_reader_init(&c.reader, &w->batch, w->table->dump->shape.count);
    strbuf_reset(&w->rows);
    rc = careful_try(&c, err);
    batch_reader_release(&c.reader);
    if (!rc)
        *outcome = c.refused ? BATCH_SETTLE : BATCH_COMMITTED;
    return rc;
}
