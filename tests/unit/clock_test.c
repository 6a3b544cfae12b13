#include "common/base/clock.h"

#include "common/base/progress.h"
#include "tests/unit/cmocka_all.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

static void utc_text(void **state)
{
    char text[CLOCK_TEXT_MAX];

    (void)state;
    clock_utc_text(INT64_C(1795429233123456), text);
    assert_string_equal(text, "2026-11-23T10:20:33.123456Z");
    clock_utc_text(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000000Z");
    clock_utc_text(-1, text);
    assert_string_equal(text, "1969-12-31T23:59:59.999999Z");
    clock_utc_text(INT64_MAX, text);
    assert_string_equal(text, "294247-01-10T04:00:54.775807Z");
}

static void local_text_follows_the_zone(void **state)
{
    char text[CLOCK_TEXT_MAX];

    (void)state;
    assert_int_equal(setenv("TZ", "XXX-3", 1), 0);
    clock_local_text(INT64_C(1795429233123456), text);
    assert_string_equal(text, "2026-11-23 13:20:33");
    assert_int_equal(setenv("TZ", "UTC", 1), 0);
    clock_local_text(INT64_C(1795429233123456), text);
    assert_string_equal(text, "2026-11-23 10:20:33");
}

static void mono_goes_on_and_utc_is_now(void **state)
{
    uint64_t a = clock_mono_us();
    time_t now = time(NULL);
    int64_t utc = clock_utc_us() / 1000000;

    (void)state;
    assert_true(clock_mono_us() >= a);
    assert_true(utc >= now && utc <= now + 5);
}

static void sleeps_long_enough(void **state)
{
    struct cancel cancel = {0};
    uint64_t start = clock_mono_us();

    (void)state;
    assert_true(clock_sleep(20000, NULL));
    assert_true(clock_mono_us() - start >= 20000);
    assert_true(clock_sleep(20000, &cancel));
    assert_true(clock_mono_us() - start >= 40000);
    assert_true(clock_sleep(0, &cancel));
}

static void *ask_later(void *arg)
{
    (void)clock_sleep(30000, NULL);
    cancel_ask(arg);
    return NULL;
}

static void cancel_ends_a_sleep(void **state)
{
    struct cancel cancel = {0};
    struct backoff backoff = {.tries = 10};
    pthread_t thread;
    uint64_t start = clock_mono_us();

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, ask_later, &cancel), 0);
    assert_false(clock_sleep(60000000, &cancel));
    assert_true(clock_mono_us() - start < 10000000);
    assert_false(backoff_wait(&backoff, &cancel));
    pthread_join(thread, NULL);
}

static void backoff_begins_short_and_counts(void **state)
{
    struct backoff backoff = {0};
    uint64_t start = clock_mono_us();

    (void)state;
    assert_true(backoff_wait(&backoff, NULL));
    assert_int_equal(backoff.tries, 1);
    assert_true(clock_mono_us() - start >= 50000);
}

static void sizes_as_text(void **state)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {
        {0, "0 B"},
        {734, "734 B"},
        {1023, "1023 B"},
        {1024, "1.0 KiB"},
        {1536, "1.5 KiB"},
        {1048575, "1.0 MiB"},
        {UINT64_C(1610612736), "1.5 GiB"},
        {UINT64_MAX, "16.0 EiB"},
    };
    char text[SIZE_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_text(cases[i].bytes, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void progress_starts_and_stops(void **state)
{
    struct progress progress = {.stage = "dump"};
    struct progress_printer *printer = NULL;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(progress_start(&printer, &progress, PROGRESS_NONE, &err), ERR_OK);
    assert_null(printer);
    progress_stop(printer);
    for (int mode = PROGRESS_AUTO; mode < PROGRESS_NONE; mode++) {
        assert_int_equal(progress_start(&printer, &progress, (enum progress_mode)mode, &err),
                         ERR_OK);
        atomic_fetch_add(&progress.rows, 5);
        atomic_fetch_add(&progress.bytes, 500);
        atomic_store(&progress.total_bytes, 100000);
        progress_stop(printer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utc_text),
        cmocka_unit_test(local_text_follows_the_zone),
        cmocka_unit_test(mono_goes_on_and_utc_is_now),
        cmocka_unit_test(sleeps_long_enough),
        cmocka_unit_test(cancel_ends_a_sleep),
        cmocka_unit_test(backoff_begins_short_and_counts),
        cmocka_unit_test(sizes_as_text),
        cmocka_unit_test(progress_starts_and_stops),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
