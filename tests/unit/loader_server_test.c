/* The loader against real servers: what it loads, what it names, and each trap of its field. */
#include "tests/unit/loader_bench.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/target/loaders.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- tables ---- */

static const struct gen_column keyed_columns[] = {
    {"id", "bigint", NULL, NULL, CELL_NUMBER},
    {"name", "varchar(100)", "utf8mb4", "utf8mb4_general_ci", CELL_TEXT},
    {"raw", "varbinary(100)", NULL, NULL, CELL_BYTES}};
#define KEYED                                                                                      \
    "CREATE TABLE `keyed` (id bigint NOT NULL, name varchar(100) NOT NULL, raw varbinary(100) "    \
    "NOT NULL, PRIMARY KEY (id), UNIQUE KEY `by.name` (name))"
#define KEYLESS                                                                                    \
    "CREATE TABLE `keyless` (id bigint NOT NULL, name varchar(100) NOT NULL, raw varbinary(100) "  \
    "NOT NULL)"

static void keyed_row(unsigned i, struct gen_cells *c)
{
    static const char raw[] = {0, 1, (char)0xff, '\\', '\t', '\n', '\''};

    gen_number(c, 0, 0, i);
    (void)snprintf(c->number[1], sizeof c->number[1], "name\t%u\\N", i);
    gen_text(c, 1, c->number[1]);
    c->cell[2] = raw;
    c->len[2] = i % (sizeof raw + 1);
}

static const struct gen_table two_tables[] = {
    {"keyed", KEYED, keyed_columns, 3, 7000, 1500, keyed_row},
    {"keyless", KEYLESS, keyed_columns, 3, 5000, 900, keyed_row}};

static void two_tables_are_whole(struct bench *b)
{
    said(b, "SELECT CONCAT(COUNT(*),' ',SUM(id),' ',SUM(LENGTH(raw))) FROM " DB ".keyed",
         "7000 24496500 24500");
    said(b, "SELECT CONCAT(COUNT(*),' ',SUM(id),' ',SUM(LENGTH(raw))) FROM " DB ".keyless",
         "5000 12497500 17500");
    said(b, "SELECT HEX(CONCAT(name,raw)) FROM " DB ".keyed WHERE id=1007",
         "6E616D6509313030375C4E0001FF5C090A27");
}

static void loads_once_and_has_nothing_to_do(void **state)
{
    NEEDS_SERVER(state, b)
    struct store *s = gen_dump(two_tables, 2);
    struct loading l = load(b, s, (struct load_config){0});

    ok(l.rc, &l.err, "load_run");
    assert_true(l.report.rows == 12000 && l.report.rows_now == 12000);
    assert_true(l.report.careful_batches == 0 && !l.report.local_refused);
    loaded(&l);
    two_tables_are_whole(b);
    l = load(b, s, (struct load_config){0});
    ok(l.rc, &l.err, "again");
    assert_true(l.report.nothing_to_do && l.report.rows == 12000 && l.report.rows_now == 0);
    loaded(&l);
    l = load(b, s, (struct load_config){.no_resume = true});
    assert_int_equal(l.rc, ERR_LOAD_STATE);
    load_report_release(&l.report);
    two_tables_are_whole(b);
    store_free(s);
}

static void loads_by_insert(void **state)
{
    NEEDS_SERVER(state, b)
    struct store *s = gen_dump(two_tables, 2);
    struct loading l = load(b, s, (struct load_config){.path = LOAD_PATH_INSERT});

    ok(l.rc, &l.err, "load_run");
    assert_true(l.report.careful_batches > 0);
    loaded(&l);
    two_tables_are_whole(b);
    store_free(s);
}

/* Cut off again and again by the user; what is there at the end is there once. */
static void goes_on_after_cancels(void **state)
{
    NEEDS_SERVER(state, b)
    struct store *s = gen_dump(two_tables, 2);
    struct loading l = {.config = {.batch_rows = 50, .threads = 3}, .store = s, .url = &b->url};
    unsigned cancelled = 0;

    for (unsigned i = 0; i < 100; i++) {
        pthread_t thread;

        atomic_store(&l.cancel.asked, false);
        assert_int_equal(pthread_create(&thread, NULL, loading_thread, &l), 0);
        for (unsigned k = 0; k < 5000 && atomic_load(&l.progress.rows) < 1000 * ((uint64_t)i + 1) &&
                             atomic_load(&l.progress.pieces) < 11;
             k++)
            (void)clock_sleep(2000, NULL);
        /* Once all rows are there, what follows them is let go on to its end. */
        if (atomic_load(&l.progress.pieces) < 11)
            cancel_ask(&l.cancel);
        (void)pthread_join(thread, NULL);
        if (l.rc != ERR_INTERRUPTED)
            break;
        cancelled++;
        load_report_release(&l.report);
    }
    loaded(&l);
    assert_true(cancelled > 2);
    two_tables_are_whole(b);
    store_free(s);
}

/* Two runs, the second one `pause_us` later. */
static void load_twice(struct bench *b, struct store *s, uint64_t pause_us)
{
    struct loading l[2];
    pthread_t threads[2];

    for (unsigned i = 0; i < 2; i++) {
        l[i] = (struct loading){.config = {.batch_rows = 20}, .store = s, .url = &b->url};
        assert_int_equal(pthread_create(&threads[i], NULL, loading_thread, &l[i]), 0);
        (void)clock_sleep(pause_us, NULL);
    }
    for (unsigned i = 0; i < 2; i++)
        (void)pthread_join(threads[i], NULL);
    assert_true(l[0].rc == ERR_OK || l[1].rc == ERR_OK);
    for (unsigned i = 0; i < 2; i++) {
        if (l[i].rc && l[i].rc != ERR_LOAD_FENCED)
            ok(l[i].rc, &l[i].err, "load_run");
        load_report_release(&l[i].report);
    }
}

/* The second takes the job over; the first fails, fenced; nothing is lost or doubled. */
static void two_loads_at_once(void **state)
{
    NEEDS_SERVER(state, b)
    struct store *s = gen_dump(two_tables, 2);

    for (uint64_t round = 0; round < 4; round++) {
        struct err err = ERR_INIT;

        load_twice(b, s, round * 150000);
        two_tables_are_whole(b);
        OK(conn_execz(b->c, "DROP DATABASE " DB, &err));
        OK(conn_execz(b->c, "DROP DATABASE " META, &err));
    }
    store_free(s);
}

/* ---- conflicts and bad values ---- */

static void names_rows_that_are_there(void **state)
{
    NEEDS_SERVER(state, b)
    struct store *s = gen_dump(two_tables, 2);
    struct err err = ERR_INIT;
    struct loading l = load(b, s, (struct load_config){.no_data = true});

    loaded(&l);
    OK(conn_execz(b->c,
                  "INSERT INTO " DB ".keyed VALUES (1600,'x',''),(1602,'y',''),"
                  "(100000,'name\\t1700\\\\N','')",
                  &err));
    l = load(b, s, (struct load_config){.threads = 2});
    assert_int_equal(l.rc, ERR_LOAD_CONFLICT);
    assert_int_equal(l.report.refusal_count, 3);
    assert_string_equal(l.report.refusals[0].key, "PRIMARY");
    assert_string_equal(l.report.refusals[0].key_values, "(1600)");
    assert_true(l.report.refusals[0].row == 101);
    assert_string_equal(l.report.refusals[0].file, DB ".keyed.000000002.sql.zst");
    assert_true(l.report.refusals[1].row == 103);
    assert_string_equal(l.report.refusals[2].key, "by.name");
    assert_string_equal(l.report.refusals[2].key_values, "('name\t1700\\\\N')");
    assert_non_null(strstr(l.err.msg, "row 101"));
    assert_non_null(strstr(l.err.msg, "PRIMARY (1600)"));
    load_report_release(&l.report);
    said(b, "SELECT COUNT(*) FROM " DB ".keyed WHERE id BETWEEN 1500 AND 2999", "2");
    OK(conn_execz(b->c, "DELETE FROM " DB ".keyed WHERE name IN ('x','y') OR id=100000", &err));
    l = load(b, s, (struct load_config){0});
    loaded(&l);
    two_tables_are_whole(b);
    store_free(s);
}

/* Rows that collide with each other. */
static void doubled_row(unsigned i, struct gen_cells *c)
{
    keyed_row(i == 77 ? 70 : i, c);
}

static void names_rows_that_collide_in_the_dump(void **state)
{
    NEEDS_SERVER(state, b)
    const struct gen_table t = {"keyed", KEYED, keyed_columns, 3, 100, 1000, doubled_row};
    struct store *s = gen_dump(&t, 1);
    struct loading l = load(b, s, (struct load_config){0});

    assert_int_equal(l.rc, ERR_LOAD_CONFLICT);
    assert_int_equal(l.report.refusal_count, 2);
    assert_true(l.report.refusals[0].row == 78);
    assert_string_equal(l.report.refusals[0].key_values, "(70)");
    load_report_release(&l.report);
    said(b, "SELECT COUNT(*) FROM " DB ".keyed", "0");
    store_free(s);
}

/* A value that the server itself refuses: LOAD drops or changes such rows without an error. */
static void names_values_that_are_refused(void **state)
{
    NEEDS_SERVER(state, b)
    const struct gen_table t = {
        "keyed",
        "CREATE TABLE keyed (id bigint NOT NULL PRIMARY KEY, name varchar(100) NOT NULL, raw "
        "varbinary(100) NOT NULL, CONSTRAINT odd CHECK (id <> 41))",
        keyed_columns,
        3,
        100,
        1000,
        keyed_row};
    struct store *s = gen_dump(&t, 1);
    struct err err = ERR_INIT;
    struct loading l;

    if (b->vendor == VENDOR_TIDB)
        OK(conn_execz(b->c, "SET GLOBAL tidb_enable_check_constraint=1", &err));
    l = load(b, s, (struct load_config){0});
    if (b->vendor == VENDOR_TIDB)
        OK(conn_execz(b->c, "SET GLOBAL tidb_enable_check_constraint=0", &err));
    assert_int_equal(l.rc, ERR_LOAD_BAD_VALUE);
    assert_int_equal(l.report.refusal_count, 1);
    assert_true(l.report.refusals[0].row == 42);
    assert_null(l.report.refusals[0].key);
    assert_non_null(strstr(l.report.refusals[0].words, "odd"));
    load_report_release(&l.report);
    said(b, "SELECT COUNT(*) FROM " DB ".keyed", "0");
    store_free(s);
}

static void refuses_tables_that_exist_or_are_narrower(void **state)
{
    NEEDS_SERVER(state, b)
    struct store *s = gen_dump(two_tables, 2);
    struct err err = ERR_INIT;
    struct loading l;

    OK(conn_execz(b->c,
                  "CREATE DATABASE " DB " DEFAULT CHARACTER SET utf8mb4 COLLATE "
                  "utf8mb4_general_ci",
                  &err));
    OK(conn_execz(b->c,
                  "CREATE TABLE " DB ".keyed (id int NOT NULL PRIMARY KEY, name "
                  "varchar(100) NOT NULL, raw varbinary(100) NOT NULL)",
                  &err));
    l = load(b, s, (struct load_config){0});
    assert_int_equal(l.rc, ERR_LOAD_TABLE_SHAPE);
    load_report_release(&l.report);
    l = load(b, s, (struct load_config){.if_exists = IF_EXISTS_STOP});
    assert_int_equal(l.rc, ERR_LOAD_TABLE_EXISTS);
    assert_non_null(strstr(l.err.msg, DB ".keyed"));
    load_report_release(&l.report);
    if (b->vendor != VENDOR_TIDB) {
        OK(conn_execz(b->c, "ALTER TABLE " DB ".keyed MODIFY id bigint NOT NULL, ENGINE=MyISAM",
                      &err));
        l = load(b, s, (struct load_config){0});
        assert_int_equal(l.rc, ERR_LOAD_ENGINE);
        load_report_release(&l.report);
    }
    l = load(b, s, (struct load_config){.no_schemas = true});
    assert_int_equal(l.rc, b->vendor == VENDOR_TIDB ? ERR_LOAD_TABLE_SHAPE : ERR_LOAD_ENGINE);
    load_report_release(&l.report);
    OK(conn_execz(b->c, "DROP TABLE " DB ".keyed", &err));
    l = load(b, s, (struct load_config){.no_schemas = true});
    assert_int_equal(l.rc, ERR_LOAD_SCHEMA);
    load_report_release(&l.report);
    l = load(b, s, (struct load_config){.if_exists = IF_EXISTS_STOP});
    loaded(&l);
    two_tables_are_whole(b);
    store_free(s);
}

/* TRUNCATE or DROP by others: the progress would speak of rows that are gone. */
static void notices_an_emptied_table(void **state)
{
    NEEDS_SERVER(state, b)
    struct store *s = gen_dump(two_tables, 2);
    struct loading l = {.config = {.batch_rows = 50, .threads = 2}, .store = s, .url = &b->url};
    struct err err = ERR_INIT;
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, loading_thread, &l), 0);
    for (unsigned i = 0; i < 5000 && atomic_load(&l.progress.rows) < 500; i++)
        (void)clock_sleep(2000, NULL);
    cancel_ask(&l.cancel);
    (void)pthread_join(thread, NULL);
    assert_int_equal(l.rc, ERR_INTERRUPTED);
    load_report_release(&l.report);
    OK(conn_execz(b->c,
                  b->vendor == VENDOR_TIDB ? "TRUNCATE " DB ".keyed" : "DROP TABLE " DB ".keyed",
                  &err));
    l = load(b, s, (struct load_config){0});
    assert_int_equal(l.rc, ERR_LOAD_STATE);
    assert_non_null(strstr(l.err.msg, DB ".keyed"));
    load_report_release(&l.report);
    store_free(s);
}

/* ---- the traps, one by one ---- */

struct fence {
    struct state state;
    struct job_info info;
    struct claim mine;
    uint64_t affected[3]; /* of BEGIN, UPDATE, LOAD */
};

static enum err_code steal_seen(void *ctx, const struct chunk_view *v, struct err *err)
{
    (void)err;
    *(struct chunk_view *)ctx = *v;
    return ERR_OK;
}

/* Takes chunk 7, whoever has it: nobody has joined, so nobody lives. */
static void steal(struct conn *c, const struct state *s, struct claim *claim)
{
    const uint64_t chunk = 7;
    struct chunk_view seen = {0};
    struct err err = ERR_INIT;
    bool taken = false;

    OK(claim_look(c, s, (struct claim_ids){&chunk, 1}, steal_seen, &seen, &err));
    assert_false(seen.held);
    OK(claim_take(&(struct claimant){c, s, ""}, &seen, claim, &taken, &err));
    assert_true(taken);
    OK(claim_take(&(struct claimant){c, s, ""}, &seen, claim, &taken,
                  &err)); /* as it was seen it is no more */
    assert_false(taken);
}

static void lead(struct conn *c, const struct state *s)
{
    struct job_look look;
    struct err err = ERR_INIT;
    bool taken = false;

    OK(job_look(c, s, &look, &err));
    assert_false(look.lead_lives);
    OK(lead_take(c, s, &look, &taken, &err));
    assert_true(taken);
    lead_unlock(c, s);
}

static void fence_open(struct bench *b, struct fence *f)
{
    const struct state_params p = {.schema = META, .dump_uuid = "fence", .renames = ""};
    const struct chunk_state chunk = {.chunk = 7, .table = 1};
    struct err err = ERR_INIT;

    OK(state_open(b->c, &p, &f->state, &f->info, &err));
    OK(state_add_chunks(b->c, &f->state, &chunk, 1, &err));
    lead(b->c, &f->state);
    steal(b->c, &f->state, &f->mine);
    OK(conn_execz(b->c, "CREATE DATABASE IF NOT EXISTS " DB, &err));
    OK(conn_execz(b->c, "CREATE TABLE IF NOT EXISTS " DB ".f (a int)", &err));
}

static enum err_code fence_load(struct bench *b, struct fence *f, struct load_info *info,
                                struct err *err)
{
    struct strbuf sql = {0};
    struct load_params p = {
        .buf = "1\n2\n", .len = 4, .affected = f->affected, .count = 3, .load_index = 2};
    const struct claim_progress p2 = {.rows_done = 2, .raw_off = 4, .counts.added = 2};
    enum err_code rc;

    strbuf_addstr(&sql, b->vendor == VENDOR_TIDB ? "BEGIN OPTIMISTIC; " : "BEGIN; ");
    claim_progress_sql(&f->state, &f->mine, &p2, &sql);
    strbuf_addstr(&sql, "; LOAD DATA LOCAL INFILE 'ferry' INTO TABLE " DB ".f");
    p.sql = sql.str;
    p.sql_len = sql.len;
    rc = conn_load(b->c, &p, info, err);
    strbuf_release(&sql);
    return rc;
}

static void a_lost_fence_commits_nothing(void **state)
{
    NEEDS_SERVER(state, b)
    struct conn *thief = NULL;
    struct fence f;
    struct claim stolen;
    struct load_info info;
    struct err err = ERR_INIT;

    fence_open(b, &f);
    OK(conn_open(&b->url, CONN_TARGET, "thief", &thief, &err));

    /* before the transaction: the UPDATE matches nothing, though a COMMIT would succeed */
    steal(thief, &f.state, &stolen);
    OK(fence_load(b, &f, &info, &err));
    assert_true(f.affected[1] == 0 && info.affected == 2);
    OK(conn_execz(b->c, "ROLLBACK", &err));

    /* after it has begun, where the server lets the thief through: the COMMIT fails */
    if (b->vendor == VENDOR_TIDB) {
        f.mine = stolen;
        OK(fence_load(b, &f, &info, &err));
        assert_true(f.affected[1] == 1);
        steal(thief, &f.state, &stolen);
        assert_true(stolen.rows_done == 0);
        assert_int_equal(conn_execz(b->c, "COMMIT", &err), ERR_SERVER_BUSY);
        assert_int_equal(err.server_errno, 9007);
    }
    said(b, "SELECT COUNT(*) FROM " DB ".f", "0");

    /* and who takes it after the COMMIT sees what was done */
    f.mine = stolen;
    OK(fence_load(b, &f, &info, &err));
    OK(conn_execz(b->c, "COMMIT", &err));
    steal(thief, &f.state, &stolen);
    assert_true(stolen.rows_done == 2 && stolen.raw_off == 4);
    conn_close(thief);
}

static void a_newer_leader_fences_the_job(void **state)
{
    NEEDS_SERVER(state, b)
    const struct state_params p = {.schema = META, .dump_uuid = "fence", .renames = ""};
    struct job_info info;
    struct state newer;
    struct fence f;
    struct claim stolen;
    struct err err = ERR_INIT;

    fence_open(b, &f);
    assert_false(f.info.resumed);
    OK(state_check(b->c, &f.state, &err));
    OK(state_open(b->c, &p, &newer, &info, &err));
    assert_true(info.resumed && newer.job == f.state.job && newer.token != f.state.token);
    OK(state_check(b->c, &f.state, &err)); /* nobody is disturbed yet */
    assert_int_equal(state_check(b->c, &newer, &err), ERR_LOAD_FENCED);
    lead(b->c, &newer);
    assert_int_equal(state_check(b->c, &f.state, &err), ERR_LOAD_FENCED);
    assert_int_equal(state_set_job(b->c, &f.state, JOB_DONE, &err), ERR_LOAD_FENCED);
    OK(state_set_job(b->c, &newer, JOB_ROWS_DONE, &err));
    OK(state_set_job(b->c, &newer, JOB_ROWS_DONE, &err)); /* equal values are changed too */

    steal(b->c, &newer, &stolen);
    assert_int_equal(claim_again(&(struct claimant){b->c, &f.state, ""}, &f.mine, &err),
                     ERR_LOAD_FENCED);
    f.mine = stolen;
    OK(claim_again(&(struct claimant){b->c, &newer, ""}, &stolen, &err));
    assert_true(stolen.token != f.mine.token);
}

/* Who has joined is not robbed while it lives; two with different options never both get in. */
static void loaders_keep_their_chunks(void **state)
{
    NEEDS_SERVER(state, b)
    const struct state_params p = {.schema = META, .dump_uuid = "joined", .renames = ""};
    const struct chunk_state chunk = {.chunk = 7, .table = 1};
    const struct cancel never = {false};
    struct loaders_join join = {
        .options = "{\"x\":1}", .lease_us = 1000000, .threads = 1, .cancel = &never};
    const uint64_t id = 7;
    struct chunk_view seen = {0};
    struct state one, two;
    struct job_info info;
    struct claim claim;
    struct err err = ERR_INIT;
    unsigned others = 9;
    bool taken = false, buried = true;

    OK(state_open(b->c, &p, &one, &info, &err));
    OK(state_open(b->c, &p, &two, &info, &err));
    OK(state_add_chunks(b->c, &one, &chunk, 1, &err));
    OK(loaders_join(b->c, &one, &join, &others, &err));
    assert_int_equal(others, 0);
    OK(claim_look(b->c, &one, (struct claim_ids){&id, 1}, steal_seen, &seen, &err));
    OK(claim_take(&(struct claimant){b->c, &one, ""}, &seen, &claim, &taken, &err));
    assert_true(taken);
    join.options = "{\"x\":2}";
    assert_int_equal(loaders_join(b->c, &two, &join, &others, &err), ERR_LOAD_OTHERS);
    assert_non_null(strstr(err.msg, "--x is 1 there and 2 here"));
    err_clear(&err);
    join.options = "{\"x\":1}";
    join.alone = true;
    assert_int_equal(loaders_join(b->c, &two, &join, &others, &err), ERR_LOAD_OTHERS);
    err_clear(&err);
    join.alone = false;
    OK(loaders_join(b->c, &two, &join, &others, &err));
    assert_int_equal(others, 1);
    OK(claim_look(b->c, &two, (struct claim_ids){&id, 1}, steal_seen, &seen, &err));
    assert_true(seen.held && seen.loader == one.token);
    (void)clock_sleep(1200000, NULL);
    OK(loaders_bury(b->c, &two, &others, &err));
    assert_int_equal(others, 0);
    OK(claim_look(b->c, &two, (struct claim_ids){&id, 1}, steal_seen, &seen, &err));
    assert_false(seen.held);
    OK(claim_take(&(struct claimant){b->c, &two, ""}, &seen, &claim, &taken, &err));
    assert_true(taken);
    OK(loaders_beat(b->c, &one, &(struct loaders_beat){0}, &buried, &err));
    assert_true(buried);
    OK(loaders_join(b->c, &one, &join, &others, &err));
    OK(loaders_beat(b->c, &one, &(struct loaders_beat){0}, &buried, &err));
    assert_false(buried);
    OK(conn_execz(b->c, "DELETE FROM " META ".job WHERE dump_uuid='joined'", &err));
}

struct opener {
    const struct server_url *url;
    struct state state;
    struct err err;
    enum err_code rc;
};
static void *open_state(void *arg)
{
    struct opener *o = arg;
    const struct state_params p = {.schema = META, .dump_uuid = "many", .renames = ""};
    struct job_info info;
    struct conn *c = NULL;

    o->rc = conn_open(o->url, CONN_TARGET, "test", &c, &o->err);
    for (unsigned i = 0; i < 20; i++) {
        if (!o->rc || err_info(o->rc)->retryable)
            o->rc = state_open(c, &p, &o->state, &info, &o->err);
        if (!o->rc)
            break;
    }
    for (unsigned i = 0; !o->rc && i < 200; i++) {
        struct job_look look;
        bool taken = false;

        o->rc = job_look(c, &o->state, &look, &o->err);
        if (!o->rc && look.token != 0)
            break; /* somebody leads */
        if (!o->rc)
            o->rc = lead_take(c, &o->state, &look, &taken, &o->err);
        if (o->rc && err_info(o->rc)->retryable)
            o->rc = ERR_OK;
        if (taken)
            lead_unlock(c, &o->state);
    }
    conn_close(c);
    return NULL;
}

static void many_processes_start_at_once(void **state)
{
    NEEDS_SERVER(state, b)
    enum { MANY = 8 };
    struct opener o[MANY];
    pthread_t threads[MANY];
    struct err err = ERR_INIT;
    unsigned owners = 0;

    memset(o, 0, sizeof o);
    for (unsigned i = 0; i < MANY; i++) {
        o[i].url = &b->url;
        assert_int_equal(pthread_create(&threads[i], NULL, open_state, &o[i]), 0);
    }
    for (unsigned i = 0; i < MANY; i++)
        (void)pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < MANY; i++) {
        ok(o[i].rc, &o[i].err, "state_open");
        assert_true(o[i].state.job == o[0].state.job);
        owners += state_check(b->c, &o[i].state, &err) == ERR_OK;
    }
    assert_int_equal(owners, 1);
    said(b, "SELECT COUNT(*) FROM " META ".job", "1");
}

struct asked_twice {
    const struct server_url *url;
    struct load_info info;
    struct err err;
    enum err_code rc;
};
static void *load_into_a_lock(void *arg)
{
    struct asked_twice *a = arg;
    static const char sql[] = "LOAD DATA LOCAL INFILE 'ferry' INTO TABLE " DB ".l";
    uint64_t affected[1];
    struct load_params p = {.sql = sql,
                            .sql_len = sizeof sql - 1,
                            .buf = "5\n6\n",
                            .len = 4,
                            .affected = affected,
                            .count = 1};
    struct conn *c = NULL;

    a->rc = conn_open(a->url, CONN_TARGET, "test", &c, &a->err);
    if (!a->rc)
        a->rc = conn_execz(c, "BEGIN PESSIMISTIC", &a->err);
    if (!a->rc)
        a->rc = conn_load(c, &p, &a->info, &a->err);
    if (!a->rc)
        a->rc = conn_execz(c, "COMMIT", &a->err);
    conn_close(c);
    return NULL;
}

/* TiDB runs a statement again after a conflict and asks for the data again: it gets all of it. */
static void data_asked_for_twice_is_given_twice(void **state)
{
    NEEDS_SERVER(state, b)
    struct asked_twice a = {.url = &b->url};
    struct err err = ERR_INIT;
    pthread_t thread;

    if (b->vendor != VENDOR_TIDB)
        return;
    OK(conn_execz(b->c, "CREATE DATABASE IF NOT EXISTS " DB, &err));
    OK(conn_execz(b->c, "CREATE TABLE " DB ".l (a int PRIMARY KEY)", &err));
    OK(conn_execz(b->c, "BEGIN PESSIMISTIC", &err));
    OK(conn_execz(b->c, "INSERT INTO " DB ".l VALUES (5)", &err));
    assert_int_equal(pthread_create(&thread, NULL, load_into_a_lock, &a), 0);
    (void)clock_sleep(500000, NULL);
    OK(conn_execz(b->c, "DELETE FROM " DB ".l WHERE a=5", &err));
    OK(conn_execz(b->c, "COMMIT", &err));
    (void)pthread_join(thread, NULL);
    ok(a.rc, &a.err, "LOAD");
    assert_true(a.info.asked >= 2);
    assert_true(a.info.records == 2 && a.info.affected == 2);
    said(b, "SELECT COUNT(*) FROM " DB ".l", "2");
}

/* Between loader and server: lets some COMMITs through without their answer, some not at all. */
#define PROXY_PAIRS 32
struct proxy_pair {
    int client, server; /* -1: free */
};
struct proxy {
    const struct server_url *to;
    struct server_url url; /* for the loader; borrows from `to` */
    int listener;
    struct proxy_pair pairs[PROXY_PAIRS];
    atomic_bool stop;
    unsigned commits, cut;
};

static int proxy_connect(const struct proxy *p)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)p->to->port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(inet_pton(AF_INET, p->to->host, &to.sin_addr), 1);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void proxy_accept(struct proxy *p)
{
    int fd = accept(p->listener, NULL, NULL);

    for (unsigned i = 0; fd >= 0 && i < PROXY_PAIRS; i++)
        if (p->pairs[i].client < 0) {
            p->pairs[i] = (struct proxy_pair){fd, proxy_connect(p)};
            return;
        }
    if (fd >= 0)
        (void)close(fd);
}

static void proxy_cut(struct proxy_pair *pair)
{
    (void)close(pair->client);
    (void)close(pair->server);
    pair->client = pair->server = -1;
}

static bool send_all(int fd, const char *buf, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, buf, len, MSG_NOSIGNAL);

        if (n <= 0)
            return false;
        buf += n;
        len -= (size_t)n;
    }
    return true;
}

/* false: the pair is to be cut. */
static bool proxy_pass(struct proxy *p, int from, int to, bool to_server)
{
    static const char commit[] = "\x07\0\0\0\x03"
                                 "COMMIT";
    char buf[65536];
    ssize_t n = recv(from, buf, sizeof buf, 0);
    unsigned how;

    if (n <= 0)
        return false;
    if (!to_server || (size_t)n != sizeof commit - 1 || memcmp(buf, commit, (size_t)n) != 0)
        return send_all(to, buf, (size_t)n);
    how = p->commits++ % 4;
    p->cut += how > 0;
    if (how < 3 && !send_all(to, buf, (size_t)n))
        return false;
    if (how == 2) /* it has been answered */
        (void)!recv(to, buf, sizeof buf, 0);
    return how == 0;
}

static void *proxy_run(void *arg)
{
    struct proxy *p = arg;

    while (!atomic_load(&p->stop)) {
        struct pollfd fds[1 + 2 * PROXY_PAIRS];

        fds[0] = (struct pollfd){p->listener, POLLIN, 0};
        for (unsigned i = 0; i < PROXY_PAIRS; i++) {
            fds[1 + 2 * i] = (struct pollfd){p->pairs[i].client, POLLIN, 0};
            fds[2 + 2 * i] = (struct pollfd){p->pairs[i].server, POLLIN, 0};
        }
        if (poll(fds, 1 + 2 * PROXY_PAIRS, 50) <= 0)
            continue;
        for (unsigned i = 0; i < PROXY_PAIRS; i++) {
            struct proxy_pair *pair = &p->pairs[i];
            bool whole = true;

            if (pair->client >= 0 && fds[1 + 2 * i].revents)
                whole = proxy_pass(p, pair->client, pair->server, true);
            if (whole && pair->client >= 0 && fds[2 + 2 * i].revents)
                whole = proxy_pass(p, pair->server, pair->client, false);
            if (!whole)
                proxy_cut(pair);
        }
        if (fds[0].revents)
            proxy_accept(p);
    }
    return NULL;
}

static void proxy_open(struct proxy *p, const struct server_url *to)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;

    *p = (struct proxy){.to = to, .url = *to, .listener = socket(AF_INET, SOCK_STREAM, 0)};
    for (unsigned i = 0; i < PROXY_PAIRS; i++)
        p->pairs[i] = (struct proxy_pair){-1, -1};
    assert_int_equal(bind(p->listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(p->listener, PROXY_PAIRS), 0);
    assert_int_equal(getsockname(p->listener, (struct sockaddr *)&at, &len), 0);
    p->url.port = ntohs(at.sin_port);
    p->url.ssl_mode = SSL_MODE_OFF;
    p->url.ssl_mode_given = true;
}

/* Answers to COMMIT are lost, with and without the COMMIT: the progress row decides. */
static void lost_answers_to_commit_lose_and_double_nothing(void **state)
{
    NEEDS_SERVER(state, b)
    struct proxy p;
    struct loading l = {.config = {.batch_rows = 200}, .url = &p.url};
    pthread_t thread;

    if (!b->url.host) {
        print_message("skipped %s: needs TCP\n", __func__);
        return;
    }
    l.store = gen_dump(two_tables, 2);
    proxy_open(&p, &b->url);
    assert_int_equal(pthread_create(&thread, NULL, proxy_run, &p), 0);
    loading_run(&l);
    atomic_store(&p.stop, true);
    (void)pthread_join(thread, NULL);
    for (unsigned i = 0; i < PROXY_PAIRS; i++)
        if (p.pairs[i].client >= 0)
            proxy_cut(&p.pairs[i]);
    (void)close(p.listener);
    ok(l.rc, &l.err, "load_run");
    assert_true(p.cut > 30 && l.report.retries >= p.cut);
    loaded(&l);
    two_tables_are_whole(b);
    store_free(l.store);
}

struct killer {
    const struct server_url *url;
    atomic_bool stop;
    unsigned killed;
};
static void *kill_connections(void *arg)
{
    struct killer *k = arg;
    struct conn *c = NULL;
    struct err err = ERR_INIT;

    if (conn_open(k->url, CONN_TARGET, "killer", &c, &err))
        return NULL;
    for (unsigned i = 0; !atomic_load(&k->stop); i++) {
        char *id = NULL;

        (void)clock_sleep((uint64_t)i % 7 * 3000, NULL);
        if (conn_value(c,
                       "SELECT id FROM information_schema.processlist WHERE id<>CONNECTION_ID() "
                       "AND user='root' AND (info LIKE '%LOAD DATA%' OR info LIKE 'COMMIT%' OR "
                       "command='Sleep') ORDER BY info LIKE 'COMMIT%' DESC, RAND() LIMIT 1",
                       &id, &err))
            break;
        k->killed += id && conn_execf(c, &err, "KILL %llu", strtoull(id, NULL, 10)) == ERR_OK;
        free(id);
    }
    conn_close(c);
    return NULL;
}

/* Connections end at every point, those of the schema's and the state's statements too. */
static void killed_connections_lose_and_double_nothing(void **state)
{
    NEEDS_SERVER(state, b)
    struct store *s = gen_dump(two_tables, 2);
    struct killer k = {.url = &b->url};
    struct loading l = {0};
    pthread_t thread;
    unsigned tries = 0;
    struct err err = ERR_INIT;

    conn_close(b->c); /* the killer would find it */
    b->c = NULL;
    assert_int_equal(pthread_create(&thread, NULL, kill_connections, &k), 0);
    do {
        load_report_release(&l.report);
        l = load(b, s, (struct load_config){.batch_rows = 40});
    } while (l.rc && err_info(l.rc)->retryable && ++tries < 50);
    atomic_store(&k.stop, true);
    (void)pthread_join(thread, NULL);
    OK(conn_open(&b->url, CONN_TARGET, "test", &b->c, &err));
    loaded(&l);
    assert_true(k.killed > 0);
    two_tables_are_whole(b);
    store_free(s);
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH(loads_once_and_has_nothing_to_do),
        ON_EACH(loads_by_insert),
        ON_EACH(names_rows_that_are_there),
        ON_EACH(names_rows_that_collide_in_the_dump),
        ON_EACH(names_values_that_are_refused),
        ON_EACH(refuses_tables_that_exist_or_are_narrower),
        ON_EACH(notices_an_emptied_table),
        ON_EACH(goes_on_after_cancels),
        ON_EACH(two_loads_at_once),
        ON_EACH(a_lost_fence_commits_nothing),
        ON_EACH(a_newer_leader_fences_the_job),
        ON_EACH(loaders_keep_their_chunks),
        ON_EACH(many_processes_start_at_once),
        ON_EACH(data_asked_for_twice_is_given_twice),
        ON_EACH(lost_answers_to_commit_lose_and_double_nothing),
        /* not TiDB: 8.4 as a whole dies when a connection with an open transaction is killed */
        {"killed_connections (MariaDB)", killed_connections_lose_and_double_nothing, mariadb_open,
         bench_close, NULL},
        {"killed_connections (MySQL)", killed_connections_lose_and_double_nothing, mysql_open,
         bench_close, NULL},
    };
    struct err err = ERR_INIT;
    int failed;

    OK(conn_library_init(&err));
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    conn_library_end();
    return failed;
}
