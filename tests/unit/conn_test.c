/* The connection against real servers. Each server's tests are skipped unless its variable names
 * one: FERRY_TEST_MARIADB, FERRY_TEST_MYSQL, FERRY_TEST_TIDB (a server URL of an account without a
 * password that may do everything). */
#include "common/base/mem.h"
#include "common/mysql/conn.h"
#include "common/mysql/ident.h"
#include "common/mysql/position.h"
#include "tests/unit/cmocka_all.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DB "ferry_conn_test"

struct server {
    const char *variable;
    enum vendor vendor;
    struct server_url url;
    bool given;
};

static struct conn *given_conn(const struct server *s, enum conn_profile profile)
{
    struct err err = ERR_INIT;
    struct conn *c = NULL;

    if (conn_open(&s->url, profile, "test", &c, &err))
        fail_msg("%s: %s", s->variable, err.msg);
    return c;
}

static void run(struct conn *c, const char *sql)
{
    struct err err = ERR_INIT;

    if (conn_execz(c, sql, &err))
        fail_msg("%s: %s", sql, err.msg);
}

static void assert_value(struct conn *c, const char *sql, const char *want)
{
    struct err err = ERR_INIT;
    char *value = NULL;

    if (conn_value(c, sql, &value, &err))
        fail_msg("%s: %s", sql, err.msg);
    if (want)
        assert_string_equal(value ? value : "NULL", want);
    else
        assert_null(value);
    free(value);
}

/* A target with an empty table t (id, v) and a row p (n). */
static struct conn *given_target(const struct server *s)
{
    struct conn *c = given_conn(s, CONN_TARGET);

    run(c, "CREATE DATABASE IF NOT EXISTS " DB " CHARACTER SET utf8mb4");
    run(c, "USE " DB);
    run(c, "DROP TABLE IF EXISTS t, p, d");
    run(c, "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(2000))");
    run(c, "CREATE TABLE p (n INT)");
    run(c, "INSERT INTO p VALUES (0)");
    return c;
}

static const struct server *server_or_skip(void **state)
{
    const struct server *s = *state;

    if (!s->given)
        skip();
    return s;
}

/* The whole session was set by one statement: no variable was refused. */
static void assert_one_set(struct conn *c)
{
    struct err err = ERR_INIT;
    struct result *r = NULL;
    struct row row;
    bool more = false;

    assert_int_equal(conn_queryz(c, "SHOW SESSION STATUS LIKE 'Com_set_option'", &r, &err), ERR_OK);
    assert_int_equal(result_next(r, &row, &more, &err), ERR_OK);
    assert_true(more);
    assert_string_equal(row.cell[1], "1");
    result_free(r);
}

static void sets_up_the_session(void **state)
{
    const struct server *s = server_or_skip(state);
    struct conn *source = given_conn(s, CONN_SOURCE);
    struct conn *target = given_conn(s, CONN_TARGET);

    assert_int_equal(conn_flavour(source)->vendor, s->vendor);
    assert_value(source, "SELECT @@sql_mode", "NO_ENGINE_SUBSTITUTION");
    assert_value(source, "SELECT @@wait_timeout", "86400");
    assert_value(source, "SELECT @@net_write_timeout", "28800");
    assert_value(source, "SELECT @@autocommit", "1");
    assert_value(target, "SELECT @@foreign_key_checks", "0");
    assert_value(target,
                 "SELECT @@sql_mode LIKE '%STRICT_ALL_TABLES%' AND @@sql_mode LIKE "
                 "'%ALLOW_INVALID_DATES%' AND @@sql_mode LIKE '%NO_AUTO_VALUE_ON_ZERO%' AND "
                 "@@sql_mode NOT LIKE '%ZERO_DATE%'",
                 "1");
    if (s->vendor == VENDOR_TIDB)
        assert_value(target, "SELECT @@tidb_txn_assertion_level", "STRICT");
    else
        assert_one_set(source);
    conn_close(source);
    conn_close(target);
}

static void keeps_values_exact(void **state)
{
    const struct server *s = server_or_skip(state);
    struct conn *c = given_target(s);

    run(c, "CREATE TABLE d (id INT AUTO_INCREMENT PRIMARY KEY, d DATE, dt DATETIME, "
           "b VARBINARY(10), x VARCHAR(20)) CHARACTER SET utf8mb4");
    run(c, "INSERT INTO d VALUES (0, '0000-00-00', '2020-02-31 00:00:00', x'00FF', "
           "_utf8mb4 x'F09F9880')");
    assert_value(c, "SELECT CONCAT(id, ' ', d, ' ', dt, ' ', HEX(b), ' ', HEX(x)) FROM d",
                 "0 0000-00-00 2020-02-31 00:00:00 00FF F09F9880");
    conn_close(c);
}

static void runs_statements(void **state)
{
    const struct server *s = server_or_skip(state);
    struct conn *c = given_target(s);
    struct err err = ERR_INIT;
    uint64_t affected[4] = {0};
    unsigned done = 0;
    static const char insert[] = "INSERT INTO t VALUES (1, 'a'), (2, 'b')";
    static const char many[] =
        "BEGIN; INSERT INTO t VALUES (3, 'c'); UPDATE p SET n = n + 1; COMMIT";
    static const char wrong[] = "INSERT INTO t VALUES (4, 'd'); INSERT INTO t VALUES (1, 'x'); "
                                "INSERT INTO t VALUES (5, 'e')";
    static const char rows[] = "UPDATE p SET n = 9; SELECT 1; UPDATE p SET n = 8";

    assert_int_equal(conn_exec(c, insert, strlen(insert), affected, &err), ERR_OK);
    assert_int_equal(affected[0], 2);
    assert_int_equal(conn_exec_multi(c, many, strlen(many), affected, 4, &done, &err), ERR_OK);
    assert_int_equal(done, 4);
    assert_int_equal(affected[1], 1);
    assert_int_equal(affected[2], 1);
    assert_int_equal(conn_exec_multi(c, wrong, strlen(wrong), affected, 3, &done, &err), ERR_SQL);
    assert_int_equal(done, 1);
    assert_int_equal(err.server_errno, 1062);
    assert_true(conn_usable(c));
    assert_int_equal(conn_exec_multi(c, rows, strlen(rows), affected, 3, &done, &err),
                     ERR_INTERNAL);
    assert_int_equal(done, 1);
    assert_true(conn_usable(c));
    assert_value(c, "SELECT COUNT(*) FROM t", "4");
    assert_int_equal(conn_execz(c, "SELECT 1", &err), ERR_INTERNAL);
    assert_int_equal(conn_execf(c, &err, "UPDATE p SET n = %d", 5), ERR_OK);
    assert_int_equal(conn_execz(c, "UPDATE p SET n = 6; UPDATE p SET n = 7", &err), ERR_INTERNAL);
    assert_value(c, "SELECT NULL", NULL);
    assert_value(c, "SELECT v FROM t WHERE id = 99", NULL);
    conn_close(c);
}

static void reads_rows(void **state)
{
    const struct server *s = server_or_skip(state);
    struct conn *c = given_conn(s, CONN_SOURCE);
    struct err err = ERR_INIT;

    for (int stream = 0; stream < 2; stream++) {
        static const char sql[] = "SELECT 1 AS a, NULL AS b, x'610062' AS c, '' AS d UNION ALL "
                                  "SELECT 2, 3, x'', 'ä' ORDER BY a";
        struct result *r = NULL;
        struct row row;
        bool more = false;

        assert_int_equal(conn_query(c, sql, strlen(sql), stream, &r, &err), ERR_OK);
        assert_int_equal(result_columns(r), 4);
        assert_string_equal(result_column_name(r, 2), "c");
        assert_int_equal(result_next(r, &row, &more, &err), ERR_OK);
        assert_true(more);
        assert_int_equal(row.count, 4);
        assert_null(row.cell[1]);
        assert_int_equal(row.len[2], 3);
        assert_memory_equal(row.cell[2], "a\0b", 3);
        assert_non_null(row.cell[3]);
        assert_int_equal(row.len[3], 0);
        assert_int_equal(result_next(r, &row, &more, &err), ERR_OK);
        assert_string_equal(row.cell[3], "ä");
        if (stream) { /* one row is left unread */
            result_free(r);
            continue;
        }
        assert_int_equal(result_next(r, &row, &more, &err), ERR_OK);
        assert_false(more);
        assert_int_equal(result_next(r, &row, &more, &err), ERR_OK);
        assert_false(more);
        result_free(r);
    }
    assert_value(c, "SELECT 7", "7");
    conn_close(c);
}

/* 1,000 rows of 1 KB; their product with themselves is a stream that outlasts any buffer. */
static void fill_for_stream(struct conn *c)
{
    struct strbuf sql = {0};

    strbuf_addstr(&sql, "INSERT INTO t VALUES (0, REPEAT('x', 1000))");
    for (int i = 1; i < 1000; i++)
        strbuf_addf(&sql, ", (%d, REPEAT('x', 1000))", i);
    run(c, strbuf_str(&sql));
    strbuf_release(&sql);
}

static void broken_stream_is_no_end(void **state)
{
    const struct server *s = server_or_skip(state);
    struct conn *killer = given_target(s);
    static const char sql[] = "SELECT a.v FROM " DB ".t a, " DB ".t b, " DB ".t c";

    fill_for_stream(killer);
    for (int query = 0; query < 2; query++) {
        struct conn *c = given_conn(s, CONN_SOURCE);
        struct err err = ERR_INIT;
        struct result *r = NULL;
        struct row row;
        bool more = true;
        enum err_code rc;

        assert_int_equal(conn_query(c, sql, strlen(sql), true, &r, &err), ERR_OK);
        for (int i = 0; i < 10; i++)
            assert_int_equal(result_next(r, &row, &more, &err), ERR_OK);
        if (query)
            rc = conn_kill_query(killer, conn_id(c), &err);
        else
            rc = conn_execf(killer, &err, "KILL %" PRIu64, conn_id(c));
        assert_int_equal(rc, ERR_OK);
        while (!rc && more)
            rc = result_next(r, &row, &more, &err);
        assert_true(rc == ERR_SERVER_LOST || rc == ERR_SERVER_BUSY);
        assert_true(err.server_errno != 0);
        result_free(r);
        if (query)
            assert_true(conn_usable(c) || rc == ERR_SERVER_LOST);
        conn_close(c);
    }
    conn_close(killer);
}

static void kills_what_is_gone(void **state)
{
    const struct server *s = server_or_skip(state);
    struct conn *c = given_conn(s, CONN_SOURCE);
    struct conn *other = given_conn(s, CONN_SOURCE);
    const uint64_t id = conn_id(other);
    struct err err = ERR_INIT;

    conn_close(other);
    assert_int_equal(conn_kill_query(c, id, &err), ERR_OK);
    conn_close(c);
}

#define LOAD                                                                                       \
    "LOAD DATA LOCAL INFILE 'ferry' INTO TABLE " DB ".t CHARACTER SET utf8mb4 "                    \
    "FIELDS TERMINATED BY '\\t' LINES TERMINATED BY '\\n' (id, v)"

static enum err_code load(struct conn *c, const char *sql, unsigned count, const char *data,
                          struct load_info *info, struct err *err)
{
    uint64_t affected[4] = {0};
    struct load_params p = {.sql = sql,
                            .sql_len = strlen(sql),
                            .buf = data,
                            .len = strlen(data),
                            .affected = affected,
                            .count = count,
                            .load_index = count - 1};
    const enum err_code rc = conn_load(c, &p, info, err);

    if (!rc && count > 1)
        assert_int_equal(affected[1], 1);
    return rc;
}

static void loads_from_memory(void **state)
{
    const struct server *s = server_or_skip(state);
    struct conn *c = given_target(s);
    struct err err = ERR_INIT;
    struct load_info info = {0};
    struct strbuf big = {0};
    const char *sql = s->vendor == VENDOR_TIDB ? "BEGIN OPTIMISTIC; UPDATE p SET n = n + 1; " LOAD
                                               : "BEGIN; UPDATE p SET n = n + 1; " LOAD;

    if (load(c, sql, 3, "1\ta\n2\tb\n3\t\\N\n", &info, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(info.records, 3);
    assert_int_equal(info.affected, 3);
    assert_int_equal(info.asked, 1);
    assert_int_equal(info.skipped + info.warnings + info.deleted, 0);
    run(c, "ROLLBACK");
    assert_value(c, "SELECT CONCAT(COUNT(*), (SELECT n FROM p)) FROM t", "00");
    for (int i = 0; i < 2000; i++)
        strbuf_addf(&big, "%d\t%0100d\n", i, i);
    if (load(c, sql, 3, strbuf_str(&big), &info, &err))
        fail_msg("%s", err.msg);
    run(c, "COMMIT");
    assert_int_equal(info.records, 2000);
    assert_value(c, "SELECT CONCAT(COUNT(*), (SELECT n FROM p)) FROM t", "20001");
    if (load(c, LOAD, 1, "", &info, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(info.records, 0);
    if (load(c, LOAD, 1, "1999\tx\n2000\ty\n", &info, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(info.records, 2);
    assert_int_equal(info.skipped, 1);
    assert_int_equal(info.affected, 1);
    assert_true(conn_usable(c));
    strbuf_release(&big);
    conn_close(c);
}

static void load_error_ends_the_connection(void **state)
{
    const struct server *s = server_or_skip(state);
    static const char *const wrong[] = {
        "LOAD DATA LOCAL INFILE 'ferry' INTO TABLE " DB ".nowhere (a)", "UPDATE " DB ".p SET n = 1",
        LOAD "; SELECT 1", "LOAD DATA LOCAL", LOAD "; UPDATE " DB ".p SET n = 2"};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct conn *c = given_target(s);
        struct err err = ERR_INIT;
        struct load_info info = {.records = 77};

        assert_int_not_equal(load(c, wrong[i], 1, "1\ta\n", &info, &err), ERR_OK);
        assert_true(err.msg[0]);
        assert_int_equal(info.records, 77);
        assert_false(conn_usable(c));
        conn_close(c);
    }
}

static void no_server_reads_a_file(void **state)
{
    const struct server *s = server_or_skip(state);
    struct err err = ERR_INIT;
    struct conn *c = given_target(s);

    assert_int_not_equal(conn_execz(c, "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE t", &err),
                         ERR_OK);
    assert_non_null(strstr(err.msg, "refused"));
    assert_false(conn_usable(c));
    conn_close(c);
    c = given_conn(s, CONN_SOURCE);
    assert_int_not_equal(
        conn_execz(c, "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE " DB ".t (v)", &err),
        ERR_OK);
    conn_close(c);
    c = given_conn(s, CONN_SOURCE);
    assert_value(c, "SELECT COUNT(*) FROM " DB ".t", "0");
    conn_close(c);
}

/* A load that waits for a lock, and that the server then runs again. */
struct waiting_load {
    struct conn *c;
    struct load_info info;
    struct err err;
    enum err_code rc;
};

static void *waiting_load_run(void *arg)
{
    struct waiting_load *w = arg;

    conn_thread_init();
    w->rc = load(w->c, LOAD, 1, "1\ta\n2\tb\n", &w->info, &w->err);
    conn_thread_end();
    return NULL;
}

static void gives_the_data_again_when_asked_again(void **state)
{
    const struct server *s = server_or_skip(state);
    const struct timespec tick = {.tv_nsec = 100000000};
    struct waiting_load w = {.err = ERR_INIT};
    struct conn *other = given_target(s);
    pthread_t thread;

    w.c = given_conn(s, CONN_TARGET);
    run(w.c, "SET autocommit = 0");
    run(other, "BEGIN");
    run(other, "INSERT INTO t VALUES (1, 'other')");
    assert_int_equal(pthread_create(&thread, NULL, waiting_load_run, &w), 0);
    for (int i = 0; i < 10; i++) /* until it surely waits; no server tells in a common way */
        (void)nanosleep(&tick, NULL);
    run(other, "COMMIT");
    assert_int_equal(pthread_join(thread, NULL), 0);
    if (w.rc)
        fail_msg("%s", w.err.msg);
    assert_int_equal(w.info.records, 2);
    assert_int_equal(w.info.skipped, 1);
    assert_int_equal(w.info.affected, 1);
    if (s->vendor == VENDOR_TIDB)
        assert_true(w.info.asked > 1);
    run(w.c, "COMMIT");
    assert_value(other, "SELECT COUNT(*) FROM t", "2");
    conn_close(w.c);
    conn_close(other);
}

static void refuses_a_wrong_password(void **state)
{
    const struct server *s = server_or_skip(state);
    struct server_url url = s->url;
    struct err err = ERR_INIT;
    struct conn *c = NULL;
    char user[] = "nobody", password[] = "geheim";

    url.user = user;
    url.password = password;
    assert_int_equal(conn_open(&url, CONN_SOURCE, "test", &c, &err), ERR_AUTH);
    assert_null(strstr(err.msg, "geheim"));
    assert_null(c);
}

static void reads_position_and_identity(void **state)
{
    const struct server *s = server_or_skip(state);
    struct conn *c = given_conn(s, CONN_SOURCE);
    struct err err = ERR_INIT;
    struct position a = {0}, b = {0};
    struct source_identity id = {0};

    if (position_read(c, &a, &err) || position_read(c, &b, &err) ||
        source_identity_read(c, &id, &err))
        fail_msg("%s", err.msg);
    assert_non_null(a.gtid);
    if (s->vendor != VENDOR_TIDB)
        assert_true(position_equal(&a, &b));
    assert_int_equal(id.server_uuid != NULL, s->vendor == VENDOR_MYSQL);
    assert_non_null(id.version);
    assert_non_null(id.server_id);
    position_release(&a);
    position_release(&b);
    source_identity_release(&id);
    conn_close(c);
}

static void classes_of_errors(void **state)
{
    static const struct {
        unsigned number;
        const char *message;
        enum err_code code;
    } cases[] = {
        {1213, "", ERR_SERVER_BUSY},
        {9007, "", ERR_SERVER_BUSY},
        {8141, "", ERR_SERVER_BUSY},
        {1105, "context canceled", ERR_SERVER_BUSY},
        {1105, "tikv aborts txn: pessimistic lock not found", ERR_SERVER_BUSY},
        {1105, "index out of range", ERR_SQL},
        {2013, "", ERR_SERVER_LOST},
        {2026, "", ERR_SERVER_LOST},
        {1227, "", ERR_PRIVILEGE},
        {1114, "", ERR_DISK_FULL},
        {1290, "", ERR_SERVER_UNSUPPORTED},
        {1836, "", ERR_SERVER_UNSUPPORTED},
        {1062, "", ERR_SQL},
        {1412, "", ERR_SQL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(conn_error_class(cases[i].number, cases[i].message), cases[i].code);
    assert_true(err_info(ERR_SERVER_BUSY)->retryable);
    assert_false(err_info(ERR_SERVER_UNSUPPORTED)->retryable);
}

static void names_what_cannot_be_reached(void **state)
{
    static const struct {
        const char *url, *place;
        enum err_code code;
    } cases[] = {
        {"mysql://root@127.0.0.1:1/", "127.0.0.1:1", ERR_CONNECT},
        {"mysql://root@/?socket=/no/such.sock", "/no/such.sock", ERR_CONNECT},
        {"mysql://root@ferry.invalid/", "ferry.invalid", ERR_CONNECT_HOST},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err err = ERR_INIT;
        struct server_url url = {0};
        struct conn *c = NULL;

        assert_int_equal(server_url_parse(cases[i].url, &url, &err), ERR_OK);
        assert_int_equal(conn_open(&url, CONN_SOURCE, "test", &c, &err), cases[i].code);
        assert_non_null(strstr(err.msg, cases[i].place));
        assert_null(c);
        server_url_release(&url);
    }
}

#define SERVER_TEST(f) cmocka_unit_test_prestate(f, s)

static int run_server(const char *name, struct server *s)
{
    struct err err = ERR_INIT;
    const char *text = getenv(s->variable); /* NOLINT(concurrency-mt-unsafe): one thread yet */
    const struct CMUnitTest tests[] = {
        SERVER_TEST(sets_up_the_session),      SERVER_TEST(keeps_values_exact),
        SERVER_TEST(runs_statements),          SERVER_TEST(reads_rows),
        SERVER_TEST(broken_stream_is_no_end),  SERVER_TEST(kills_what_is_gone),
        SERVER_TEST(loads_from_memory),        SERVER_TEST(load_error_ends_the_connection),
        SERVER_TEST(no_server_reads_a_file),   SERVER_TEST(gives_the_data_again_when_asked_again),
        SERVER_TEST(refuses_a_wrong_password), SERVER_TEST(reads_position_and_identity),
    };
    int failed;

    s->given = text && *text;
    if (s->given && server_url_parse(text, &s->url, &err)) {
        (void)fprintf(stderr, "%s: %s\n", s->variable, err.msg);
        return 1;
    }
    if (!s->given)
        (void)printf("skipped: %s is not set\n", s->variable);
    failed = cmocka_run_group_tests_name(name, tests, NULL, NULL);
    server_url_release(&s->url);
    return failed;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_of_errors),
        cmocka_unit_test(names_what_cannot_be_reached),
    };
    struct server mariadb = {.variable = "FERRY_TEST_MARIADB", .vendor = VENDOR_MARIADB};
    struct server mysql = {.variable = "FERRY_TEST_MYSQL", .vendor = VENDOR_MYSQL};
    struct server tidb = {.variable = "FERRY_TEST_TIDB", .vendor = VENDOR_TIDB};
    struct err err = ERR_INIT;
    int failed;

    if (conn_library_init(&err))
        return 1;
    failed = cmocka_run_group_tests_name("conn", tests, NULL, NULL);
    failed += run_server("conn.mariadb", &mariadb);
    failed += run_server("conn.mysql", &mysql);
    failed += run_server("conn.tidb", &tidb);
    conn_library_end();
    return failed != 0;
}
