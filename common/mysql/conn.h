/* common/mysql/conn.h: one connection to a server, set up so that values are exact.
 *
 * Every connection: utf8mb4, time_zone '+00:00', a known sql_mode (the profile's), autocommit on,
 * REPEATABLE READ for sources (looked at that it holds), long net timeouts, no automatic reconnect.
 * Each thread owns its connection; conn_kill may be called from another thread over a connection of
 * its own. Worker threads call conn_thread_init / conn_thread_end; main calls conn_library_init
 * before any thread. */
#ifndef FERRY_MYSQL_CONN_H
#define FERRY_MYSQL_CONN_H

#include "common/base/err.h"
#include "common/base/strbuf.h"
#include "common/mysql/flavour.h"
#include "common/mysql/row.h"
#include "common/mysql/server_url.h"

#include <stdbool.h>
#include <stdint.h>

enum conn_profile {
    CONN_SOURCE, /* reads: sql_mode '' plus NO_ENGINE_SUBSTITUTION; never writes */
    CONN_TARGET, /* writes: strict (STRICT_ALL_TABLES, NO_AUTO_VALUE_ON_ZERO, zero dates allowed),
                    foreign_key_checks=0, LOCAL INFILE allowed on the client's side through
                    conn_load only */
};

struct conn;

MUST_CHECK enum err_code conn_library_init(struct err *err);
void conn_library_end(void);
void conn_thread_init(void);
void conn_thread_end(void);

/* `app` names the program part in performance_schema's attributes ("dump"). Errors are named:
 * ERR_CONNECT, ERR_CONNECT_HOST, ERR_AUTH, ERR_TLS; the message holds the URL's text and the
 * server's words, never a password. */
MUST_CHECK enum err_code conn_open(const struct server_url *url, enum conn_profile profile,
                                   const char *app, struct conn **, struct err *err);
void conn_close(struct conn *c); /* NULL is fine */
const struct flavour *conn_flavour(const struct conn *c);
uint64_t conn_id(const struct conn *c); /* the server's connection id, for KILL */

/* A statement without a result set. `affected` (matched rows: CLIENT_FOUND_ROWS is NOT set) may be
 * NULL. */
MUST_CHECK enum err_code conn_exec(struct conn *c, const char *sql, size_t len, uint64_t *affected,
                                   struct err *err);
MUST_CHECK enum err_code conn_execz(struct conn *c, const char *sql, struct err *err);
MUST_CHECK enum err_code conn_execf(struct conn *c, struct err *err, const char *fmt, ...)
    PRINTF_LIKE(3, 4); /* numbers only */
/* Several statements in one packet ("A; B; C"); each one's affected rows are written to
 * affected[0..count-1]. Stops at the first error; *done is how many succeeded. A result set among
 * them is an error. */
MUST_CHECK enum err_code conn_exec_multi(struct conn *c, const char *sql, size_t len,
                                         uint64_t *affected, unsigned count, unsigned *done,
                                         struct err *err);

/* Rows one after the other, not held in memory (stream) or held (small answers). */
struct result;
MUST_CHECK enum err_code conn_query(struct conn *c, const char *sql, size_t len, bool stream,
                                    struct result **, struct err *err);
MUST_CHECK enum err_code conn_queryz(struct conn *c, const char *sql, struct result **,
                                     struct err *err); /* held */
unsigned result_columns(const struct result *r);
const char *result_column_name(const struct result *r, unsigned column); /* borrowed */
/* *more false at the end. The row is valid until the next call. */
MUST_CHECK enum err_code result_next(struct result *r, struct row *row, bool *more,
                                     struct err *err);
void result_free(struct result *r); /* a stream is drained first; NULL is fine */
/* Calls `fn` for each row of the answer, as it comes; its error ends the reading. `fn` may not use
 * `c`. */
typedef enum err_code conn_row_fn(void *ctx, const struct row *row, struct err *err);
MUST_CHECK enum err_code conn_rows(struct conn *c, const struct strbuf *sql, conn_row_fn *fn,
                                   void *ctx, struct err *err);

/* The first cell of the first row as a heap string; *value NULL for no row or SQL NULL. */
MUST_CHECK enum err_code conn_value(struct conn *c, const char *sql, char **value, struct err *err);

/* LOAD DATA LOCAL fed from memory. `sql` is one statement, or several of which exactly one is LOAD
 * DATA LOCAL (then `affected` as in conn_exec_multi). The server may ask for the data more than
 * once in one statement (TiDB does after a conflict): it is given from its start each time. `buf`
 * must stay unchanged. */
struct load_info {
    uint64_t records, deleted, skipped, warnings; /* of mysql_info after the LOAD */
    uint64_t affected;                            /* of the LOAD */
    unsigned asked;                               /* how often the server asked for the data */
};
struct load_params {
    const char *sql;
    size_t sql_len;
    const void *buf;
    size_t len;
    uint64_t *affected;  /* of each statement */
    unsigned count;      /* statements in sql */
    unsigned load_index; /* which of them is the LOAD, from 0 */
};
MUST_CHECK enum err_code conn_load(struct conn *c, const struct load_params *p,
                                   struct load_info *info, struct err *err);

/* Whether a failed statement leaves the connection usable (else close it and open a new one). */
bool conn_usable(const struct conn *c);
/* As the last answer that was no error said. */
bool conn_in_transaction(const struct conn *c);
/* The session's isolation level, time zone and character sets are still those it was given:
 * ERR_SERVER_UNSUPPORTED names what is not. */
MUST_CHECK enum err_code conn_session_check(struct conn *c, struct err *err);
/* How many warnings the last statement had. */
unsigned conn_warnings(const struct conn *c);
/* KILL QUERY of `id`, over `c`. */
MUST_CHECK enum err_code conn_kill_query(struct conn *c, uint64_t id, struct err *err);

/* The class of a server's error number: ERR_SERVER_LOST, ERR_SERVER_BUSY, ERR_PRIVILEGE,
 * ERR_DISK_FULL, ... or ERR_SQL. One table, with loading.md 5's retryable numbers; `message`
 * decides for TiDB's 1105. */
enum err_code conn_error_class(unsigned server_errno, const char *message);

#endif
