#include "common/base/rate.h"

#include "tests/unit/cmocka_all.h"

static void no_limit_never_waits(void **state)
{
    (void)state;
    assert_null(rate_new(0));
    assert_int_equal(rate_take(NULL, 1 << 30, 5), 0);
    rate_free(NULL);
}

/* 1,000,000 bytes a second are a byte a microsecond. */
static void the_sum_over_time_is_the_rate(void **state)
{
    struct rate *r = rate_new(1000000);
    uint64_t now = 10000000;
    uint64_t begin = now;

    (void)state;
    for (int i = 0; i < 1000; i++)
        now += rate_take(r, 5000, now);
    /* five seconds less the burst */
    assert_in_range(now - begin, 5000000 - RATE_BURST_US - 1000, 5000000);
    rate_free(r);
}

static void a_pause_earns_a_burst_and_no_more(void **state)
{
    struct rate *r = rate_new(1000000);

    (void)state;
    (void)rate_take(r, 1, 1000000);
    assert_int_equal(rate_take(r, RATE_BURST_US, 3600000000U), 0);
    assert_in_range(rate_take(r, 1000, 3600000000U), 990, 1010);
    rate_free(r);
}

static void each_taker_waits_behind_the_others(void **state)
{
    struct rate *r = rate_new(1000);
    uint64_t first = rate_take(r, 10000, 60000000);
    uint64_t second = rate_take(r, 10000, 60000000);

    (void)state;
    assert_in_range(second - first, 9999000, 10001000);
    rate_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_limit_never_waits),
        cmocka_unit_test(the_sum_over_time_is_the_rate),
        cmocka_unit_test(a_pause_earns_a_burst_and_no_more),
        cmocka_unit_test(each_taker_waits_behind_the_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
