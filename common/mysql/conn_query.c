#include "common/base/mem.h"
#include "common/mysql/conn.h"
#include "common/mysql/conn_driver.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define UNKNOWN_THREAD 1094

struct result {
    struct conn *conn;
    MYSQL_RES *res;
    unsigned columns;
    bool stream;
    bool ended; /* the last row or an error has been seen */
};

int conn_next(struct conn *c)
{
    const int next = mysql_next_result(c->mysql);

    return next && mysql_errno(c->mysql) ? 1 : next;
}

bool conn_drain(struct conn *c)
{
    int next = 0;

    do {
        MYSQL_RES *res = mysql_use_result(c->mysql);

        if (res)
            mysql_free_result(res);
        next = conn_next(c);
    } while (next == 0);
    if (next > 0 && !c->broken) {
        /* An error answer ends the statements, and leaves the connection as it is. */
        struct err ignored = ERR_INIT;
        const enum err_code code = conn_fail(c, &ignored);

        (void)code;
    }
    return !c->broken;
}

/* After a statement's answer has come: its affected rows. A result set is an error. */
static enum err_code conn_take_answer(struct conn *c, uint64_t *affected, struct err *err)
{
    if (mysql_field_count(c->mysql) == 0) {
        *affected = mysql_affected_rows(c->mysql);
        return ERR_OK;
    }
    (void)conn_drain(c);
    return err_set(err, ERR_INTERNAL, "a statement that should change something gave rows");
}

/* The contract's seven arguments are plainer than a struct made for one call.
 * NOLINTNEXTLINE(readability-function-size) */
enum err_code conn_exec_multi(struct conn *c, const char *sql, size_t len, uint64_t *affected,
                              unsigned count, unsigned *done, struct err *err)
{
    unsigned n = 0;
    enum err_code rc = ERR_OK;
    int next;

    *done = 0;
    c->feed.refused[0] = '\0';
    next = mysql_real_query(c->mysql, sql, len) ? 1 : 0;
    while (next == 0 && !rc && n < count) {
        rc = conn_take_answer(c, &affected[n], err);
        if (!rc) {
            *done = ++n;
            next = conn_next(c);
        }
    }
    if (rc)
        return rc;
    if (next > 0)
        return conn_fail(c, err);
    if (next == 0) {
        (void)conn_drain(c);
        return err_set(err, ERR_INTERNAL, "more than %u statements were answered", count);
    }
    if (n < count)
        return err_set(err, ERR_INTERNAL, "%u of %u statements were answered", n, count);
    return ERR_OK;
}

enum err_code conn_exec(struct conn *c, const char *sql, size_t len, uint64_t *affected,
                        struct err *err)
{
    uint64_t rows = 0;
    unsigned done = 0;
    const enum err_code rc = conn_exec_multi(c, sql, len, &rows, 1, &done, err);

    if (!rc && affected)
        *affected = rows;
    return rc;
}

enum err_code conn_execz(struct conn *c, const char *sql, struct err *err)
{
    return conn_exec(c, sql, strlen(sql), NULL, err);
}

enum err_code conn_execf(struct conn *c, struct err *err, const char *fmt, ...)
{
    va_list args, again;
    char *sql;
    int len;
    enum err_code rc;

    va_start(args, fmt);
    va_copy(again, args);
    len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    assert(len >= 0);
    sql = xmalloc((size_t)len + 1);
    (void)vsnprintf(sql, (size_t)len + 1, fmt, again);
    va_end(again);
    rc = conn_exec(c, sql, (size_t)len, NULL, err);
    free(sql);
    return rc;
}

enum err_code conn_query(struct conn *c, const char *sql, size_t len, bool stream,
                         struct result **out, struct err *err)
{
    MYSQL_RES *res;
    struct result *r;

    c->feed.refused[0] = '\0';
    if (mysql_real_query(c->mysql, sql, len))
        return conn_fail(c, err);
    if (mysql_field_count(c->mysql) == 0) {
        (void)conn_drain(c);
        return err_set(err, ERR_INTERNAL, "a statement that should give rows gave none");
    }
    res = stream ? mysql_use_result(c->mysql) : mysql_store_result(c->mysql);
    if (!res)
        return conn_fail(c, err);
    r = xmalloc(sizeof(*r));
    *r = (struct result){.conn = c, .res = res, .columns = mysql_num_fields(res), .stream = stream};
    *out = r;
    return ERR_OK;
}

enum err_code conn_queryz(struct conn *c, const char *sql, struct result **out, struct err *err)
{
    return conn_query(c, sql, strlen(sql), false, out, err);
}

unsigned result_columns(const struct result *r)
{
    return r->columns;
}

const char *result_column_name(const struct result *r, unsigned column)
{
    return mysql_fetch_field_direct(r->res, column)->name;
}

enum err_code result_next(struct result *r, struct row *row, bool *more, struct err *err)
{
    char **cells;

    if (r->ended) {
        *more = false;
        return ERR_OK;
    }
    cells = mysql_fetch_row(r->res);
    if (!cells) {
        r->ended = true;
        *more = false;
        /* A stream that breaks off ends like a whole one; only this tells. */
        if (r->stream && mysql_errno(r->conn->mysql))
            return conn_fail(r->conn, err);
        return ERR_OK;
    }
    row->cell = (const char *const *)cells;
    row->len = mysql_fetch_lengths(r->res);
    row->count = r->columns;
    *more = true;
    return ERR_OK;
}

void result_free(struct result *r)
{
    struct conn *c;

    if (!r)
        return;
    c = r->conn;
    mysql_free_result(r->res); /* reads a stream's rows to the end */
    if (r->stream && !r->ended && mysql_errno(c->mysql)) {
        struct err ignored = ERR_INIT;
        const enum err_code code = conn_fail(c, &ignored);

        (void)code;
    }
    if (!c->broken && mysql_more_results(c->mysql))
        (void)(conn_next(c) == 0 && conn_drain(c));
    free(r);
}

enum err_code conn_rows(struct conn *c, const struct strbuf *sql, conn_row_fn *fn, void *ctx,
                        struct err *err)
{
    struct result *r = NULL;
    enum err_code rc;
    bool more = false;

    rc = conn_query(c, sql->str, sql->len, true, &r, err);
    more = r != NULL;
    while (!rc && more) {
        struct row row;

        rc = result_next(r, &row, &more, err);
        if (!rc && more)
            rc = fn(ctx, &row, err);
    }
    result_free(r);
    return rc;
}

enum err_code conn_value(struct conn *c, const char *sql, char **value, struct err *err)
{
    struct result *r = NULL;
    struct row row;
    bool more = false;
    enum err_code rc;

    rc = conn_queryz(c, sql, &r, err);
    if (rc)
        return rc;
    assert(r);
    rc = result_next(r, &row, &more, err);
    if (!rc)
        *value = more && row.cell[0] ? xstrndup(row.cell[0], row.len[0]) : NULL;
    result_free(r);
    return rc;
}

enum err_code conn_kill_query(struct conn *c, uint64_t id, struct err *err)
{
    const enum err_code rc = c->flavour.vendor == VENDOR_TIDB
                                 ? conn_execf(c, err, "KILL TIDB QUERY %" PRIu64, id)
                                 : conn_execf(c, err, "KILL QUERY %" PRIu64, id);

    if (rc && err->server_errno == UNKNOWN_THREAD) {
        err_clear(err); /* it has ended by itself */
        return ERR_OK;
    }
    return rc;
}
