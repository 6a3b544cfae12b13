/* tests/unit/loader_bench.h: dumps made by hand in memory, and the servers to load them into:
 * FERRY_TEST_TIDB, FERRY_TEST_MARIADB and FERRY_TEST_MYSQL hold URLs; a test is skipped where there
 * is none. Databases ferry_ldt and ferry_ldt_meta are made and dropped. */
#ifndef FERRY_TESTS_LOADER_BENCH_H
#define FERRY_TESTS_LOADER_BENCH_H

#include "common/mysql/conn.h"
#include "loader/load.h"
#include "tests/unit/cmocka_all.h"

#include <string.h>

#define DB "ferry_ldt"
#define META "ferry_ldt_meta"
#define COLUMNS_MAX 32

struct gen_column {
    const char *name, *type, *charset, *collation;
    enum cell_form form;
};
struct gen_cells { /* one row */
    const char *cell[COLUMNS_MAX];
    unsigned long len[COLUMNS_MAX];
    char number[4][32];
};
typedef void gen_row_fn(unsigned i, struct gen_cells *c);
struct gen_table {
    const char *name, *create;
    const struct gen_column *columns;
    unsigned column_count;
    unsigned rows, chunk_rows;
    gen_row_fn *row;
};
void gen_number(struct gen_cells *c, unsigned column, unsigned slot, uint64_t value);
void gen_text(struct gen_cells *c, unsigned column, const char *text);
/* A finished dump of the tables, with a UUID of its own. */
struct store *gen_dump(const struct gen_table *tables, unsigned count);

/* Fails the test unless `call` succeeds; needs a `struct err err`. */
#define OK(call) ok((call), &err, #call)
void ok(enum err_code rc, const struct err *err, const char *what);

struct bench {
    struct server_url url;
    struct conn *c;
    enum vendor vendor;
};
int tidb_open(void **state);
int mariadb_open(void **state);
int mysql_open(void **state);
int bench_close(void **state);
#define NEEDS_SERVER(state, b)                                                                     \
    struct bench *b = *(state);                                                                    \
    if (!b) {                                                                                      \
        print_message("skipped %s: no server\n", __func__);                                        \
        return;                                                                                    \
    }
#define ON_EACH(f)                                                                                 \
    {#f " (TiDB)", f, tidb_open, bench_close, NULL},                                               \
        {#f " (MariaDB)", f, mariadb_open, bench_close, NULL},                                     \
    {                                                                                              \
#f " (MySQL)", f, mysql_open, bench_close, NULL                                            \
    }

/* The first cell of the answer. */
void said(struct bench *b, const char *sql, const char *expected);

struct loading {
    struct load_config config;
    struct progress progress;
    struct cancel cancel;
    struct load_report report;
    struct err err;
    enum err_code rc;
    struct store *store;
    const struct server_url *url;
};
void loading_run(struct loading *l);
void *loading_thread(void *l);
struct loading load(struct bench *b, struct store *s, struct load_config config);
/* It succeeded; releases its report. */
void loaded(struct loading *l);

#endif
