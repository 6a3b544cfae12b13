/* What can be said of the state without a server; loader_server_test.c has the rest. */
#include "common/target/state.h"

#include "common/target/target_inner.h"
#include "tests/unit/cmocka_all.h"

static void writes_the_fenced_progress(void **state)
{
    struct state s = {.schema = "ferry_meta", .job = 3, .token = 99};
    struct claim claim = {.chunk = 4294967297, .token = UINT64_MAX};
    const struct claim_progress half = {
        2000,
        123456789012,
        {.added = -3, .identical = 1, .ignored = 2, .replaced = 4, .skipped = 5},
        false};
    const struct claim_progress whole = {1, 2, {.added = 1}, true};
    struct strbuf sql = {0};

    (void)state;
    claim_progress_sql(&s, &claim, &half, &sql);
    assert_string_equal(strbuf_str(&sql),
                        "UPDATE `ferry_meta`.`chunk` SET rows_done=2000,raw_off=123456789012,"
                        "state=0,added=-3,identical=1,ignored=2,replaced=4,skipped=5,seq=seq+1 "
                        "WHERE job=3 AND chunk=4294967297 AND "
                        "token=18446744073709551615");
    strbuf_reset(&sql);
    strbuf_addstr(&sql, "BEGIN; ");
    memcpy(s.schema, "a`b", 4);
    claim_progress_sql(&s, &claim, &whole, &sql);
    assert_string_equal(strbuf_str(&sql),
                        "BEGIN; UPDATE `a``b`.`chunk` SET rows_done=1,raw_off=2,state=1,added=1,"
                        "identical=0,ignored=0,replaced=0,skipped=0,seq=seq+1 "
                        "WHERE job=3 AND chunk=4294967297 AND token=18446744073709551615");
    strbuf_release(&sql);
}

static void reads_numbers_of_the_state(void **state)
{
    const char *cells[] = {"18446744073709551615",       "0", NULL, "12x", "",
                           "123456789012345678901234567"};
    unsigned long lens[] = {20, 1, 0, 3, 0, 27};
    struct row row = {cells, lens, 6};
    struct err err = ERR_INIT;
    uint64_t n = 0;

    (void)state;
    assert_int_equal(state_cell_u64(&row, 0, &n, &err), ERR_OK);
    assert_true(n == UINT64_MAX);
    assert_int_equal(state_cell_u64(&row, 1, &n, &err), ERR_OK);
    assert_true(n == 0);
    for (unsigned i = 2; i < 7; i++)
        assert_int_equal(state_cell_u64(&row, i, &n, &err), ERR_LOAD_STATE);
}

static void makes_tokens_that_differ(void **state)
{
    uint64_t a = 0, b = 0;
    struct err err = ERR_INIT;

    (void)state;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(token_new(&a, &err), ERR_OK);
        assert_true(a != 0 && a != b && a < UINT64_C(1) << 63);
        b = a;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_the_fenced_progress),
        cmocka_unit_test(reads_numbers_of_the_state),
        cmocka_unit_test(makes_tokens_that_differ),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
