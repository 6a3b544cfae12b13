/* What a store of limited size promises its writers and its reader. */
#include "common/store/spool.h"

#include "common/base/mem.h"
#include "tests/unit/cmocka_all.h"

#include <pthread.h>
#include <string.h>

#define KIB ((uint64_t)1024)
#define LIMIT (512 * KIB)
#define KEPT (64 * KIB) /* for what never waits: the least that is */
#define OBJECT (128 * KIB)
#define STALL_US ((uint64_t)50000)

static int setup(void **state)
{
    const struct spool_params params = {
        .limit = LIMIT, .object_bytes = OBJECT, .stall_us = STALL_US};
    struct err err = ERR_INIT;

    return spool_new(store_mem_new(), &params, (struct spool **)state, &err) ? -1 : 0;
}

static int teardown(void **state)
{
    spool_free(*state);
    return 0;
}

static struct sink *begin(struct spool *sp, const char *path)
{
    struct err err = ERR_INIT;
    struct sink *out = NULL;

    assert_int_equal(store_open_grouped(spool_store(sp), path, &out, &err), ERR_OK);
    return out;
}

static void end(struct sink *out, size_t bytes)
{
    static const char zeroes[LIMIT];
    struct err err = ERR_INIT;

    assert_int_equal(sink_write(out, zeroes, bytes, &err), ERR_OK);
    assert_int_equal(sink_finish(out, &err), ERR_OK);
    sink_free(out);
}

static void gone(struct spool *sp, const char *path)
{
    struct err err = ERR_INIT;

    assert_int_equal(store_remove(spool_store(sp), path, &err), ERR_OK);
}

static void what_is_begun_can_be_finished(void **state)
{
    struct sink *out[3];
    struct spool *sp = *state;

    for (size_t i = 0; i < 3; i++) {
        const char *const paths[] = {"a", "b", "c"};

        assert_false(spool_full(sp));
        out[i] = begin(sp, paths[i]);
    }
    assert_true(spool_full(sp)); /* 3 * 128 of 512 KiB, and 64 are kept */
    end(out[0], OBJECT);
    assert_true(spool_full(sp));
    end(out[1], 5 * KIB); /* what it did not need is given back */
    assert_false(spool_full(sp));
    sink_free(out[2]); /* so is all of what is not finished */
    gone(sp, "a");
    gone(sp, "a"); /* once */
    gone(sp, "b");
    for (size_t i = 0; i < 3; i++)
        out[i] = begin(sp, "d");
    assert_true(spool_full(sp));
    for (size_t i = 0; i < 3; i++)
        sink_free(out[i]);
    assert_int_equal(spool_peak(sp), 3 * OBJECT);
}

static void each_object_is_counted_in_blocks(void **state)
{
    struct spool *sp = *state;
    char path[8];

    for (unsigned i = 0; i < 80; i++) { /* of one byte each: 80 * 4 KiB */
        (void)snprintf(path, sizeof path, "%u", i);
        assert_false(spool_full(sp));
        end(begin(sp, path), 1);
    }
    end(begin(sp, "x"), 1);
    assert_true(spool_full(sp));
    gone(sp, "x");
    assert_false(spool_full(sp));
}

static void what_is_there_is_counted(void **state)
{
    const struct spool_params params = {.limit = LIMIT, .object_bytes = OBJECT};
    struct store *under = store_mem_new();
    struct spool *sp = NULL;
    struct err err = ERR_INIT;
    char *big = xcalloc(1, LIMIT - KEPT - OBJECT + 1);

    (void)state;
    assert_int_equal(store_put(under, "old", big, LIMIT - KEPT - OBJECT + 1, &err), ERR_OK);
    assert_int_equal(spool_new(under, &params, &sp, &err), ERR_OK);
    assert_true(spool_full(sp));
    assert_int_equal(store_put(spool_store(sp), "old", "short", 5, &err), ERR_OK);
    assert_false(spool_full(sp)); /* replaced */
    spool_free(sp);
    free(big);
}

static void records_use_what_is_kept_and_then_fail(void **state)
{
    struct spool *sp = *state;
    struct store *s = spool_store(sp);
    struct err err = ERR_INIT;
    char *bytes = xcalloc(1, KEPT);
    struct sink *out[3];

    for (size_t i = 0; i < 3; i++)
        out[i] = begin(sp, "d");
    assert_int_equal(store_create(s, "r/1", bytes, KEPT, &err), ERR_OK);
    assert_int_equal(store_put(s, "r/2", bytes, KEPT, &err), ERR_OK);
    assert_int_equal(store_create(s, "r/3", "x", 1, &err), ERR_SPOOL_FULL);
    err_clear(&err);
    assert_int_equal(store_put(s, "r/4", "x", 1, &err), ERR_SPOOL_FULL);
    err_clear(&err);
    gone(sp, "r/1");
    assert_int_equal(store_create(s, "r/2", "x", 1, &err), ERR_STORE_EXISTS); /* costs nothing */
    err_clear(&err);
    assert_int_equal(store_create(s, "r/3", bytes, KEPT, &err), ERR_OK);
    for (size_t i = 0; i < 3; i++)
        sink_free(out[i]);
    free(bytes);
}

/* ---- waiting ---- */

struct writer {
    struct spool *sp;
    const char *path;
    size_t bytes;
    enum err_code rc;
    atomic_bool ended;
    pthread_t thread;
};

static void *writer_main(void *ctx)
{
    struct writer *w = ctx;
    struct err err = ERR_INIT;
    struct sink *out = NULL;
    char *bytes = xcalloc(1, w->bytes);

    w->rc = store_open_grouped(spool_store(w->sp), w->path, &out, &err);
    if (!w->rc)
        w->rc = sink_write(out, bytes, w->bytes, &err);
    if (!w->rc)
        w->rc = sink_finish(out, &err);
    sink_free(out);
    free(bytes);
    atomic_store(&w->ended, true);
    return NULL;
}

static void writer_start(struct writer *w, struct spool *sp, const char *path, size_t bytes)
{
    *w = (struct writer){.sp = sp, .path = path, .bytes = bytes};
    assert_int_equal(pthread_create(&w->thread, NULL, writer_main, w), 0);
}

static enum err_code writer_end(struct writer *w)
{
    (void)pthread_join(w->thread, NULL);
    return w->rc;
}

/* Until the reader sees that somebody waits. */
static void until_pressed(struct spool *sp)
{
    while (!spool_pressed(sp))
        (void)clock_sleep(1000, NULL);
}

static void a_writer_waits_until_there_is_room(void **state)
{
    struct spool *sp = *state;
    struct sink *held = begin(sp, "held"); /* somebody is at work: nothing is stuck */
    struct writer w;

    end(begin(sp, "a"), OBJECT);
    end(begin(sp, "b"), OBJECT);
    assert_false(spool_pressed(sp));
    writer_start(&w, sp, "w", 10);
    until_pressed(sp);
    (void)clock_sleep(2 * STALL_US, NULL);
    assert_true(spool_pressed(sp));
    assert_false(atomic_load(&w.ended));
    gone(sp, "a");
    assert_int_equal(writer_end(&w), ERR_OK);
    assert_false(spool_pressed(sp));
    sink_free(held);
}

static void one_that_grows_goes_before_one_that_begins(void **state)
{
    struct spool *sp = *state;
    struct sink *held = begin(sp, "held");
    struct writer grows, begins;

    end(begin(sp, "a"), OBJECT);
    writer_start(&grows, sp, "g", OBJECT + OBJECT / 2);
    until_pressed(sp);
    writer_start(&begins, sp, "n", 1);
    (void)clock_sleep(10000, NULL);
    assert_true(spool_full(sp));
    assert_false(atomic_load(&grows.ended) || atomic_load(&begins.ended));
    gone(sp, "a");
    assert_int_equal(writer_end(&grows), ERR_OK);
    sink_free(held);
    assert_int_equal(writer_end(&begins), ERR_OK);
}

static void what_can_never_fit_fails_at_once(void **state)
{
    const struct spool_params small = {.limit = OBJECT, .object_bytes = OBJECT};
    struct spool *none = NULL;
    struct err err = ERR_INIT;
    struct writer w;

    writer_start(&w, *state, "w", LIMIT);
    assert_int_equal(writer_end(&w), ERR_SPOOL_FULL);
    assert_int_equal(spool_new(store_mem_new(), &small, &none, &err), ERR_SPOOL_FULL);
}

/* Nobody is writing, nothing is taken away, and the reader asks in vain. */
static void writers_that_would_wait_for_ever_fail(void **state)
{
    struct spool *sp = *state;
    struct err err = ERR_INIT;
    struct writer one, two;

    end(begin(sp, "a"), OBJECT);
    end(begin(sp, "b"), OBJECT);
    writer_start(&one, sp, "one", OBJECT + OBJECT / 2); /* waits to grow */
    writer_start(&two, sp, "two", 1);                   /* or this one has begun, and has ended */
    while (!atomic_load(&one.ended)) {
        assert_int_equal(store_put(spool_store(sp), "lock", "x", 1, &err), ERR_OK); /* a lease's */
        gone(sp, "lock");
        (void)spool_pressed(sp);
        (void)clock_sleep(1000, NULL);
    }
    assert_int_equal(writer_end(&one), ERR_SPOOL_FULL);
    assert_true(writer_end(&two) == ERR_OK || two.rc == ERR_SPOOL_FULL);
}

/* As the dumper waits: it asks, and has nothing open. */
static void who_asks_from_outside_counts_as_waiting(void **state)
{
    struct spool *sp = *state;
    struct err err = ERR_INIT;
    struct sink *out = NULL;

    end(begin(sp, "a"), OBJECT);
    end(begin(sp, "b"), OBJECT);
    end(begin(sp, "c"), OBJECT);
    while (spool_full(sp)) {
        (void)spool_pressed(sp);
        (void)clock_sleep(1000, NULL);
    }
    assert_int_equal(store_open_grouped(spool_store(sp), "d", &out, &err), ERR_SPOOL_FULL);
}

static void a_stop_wakes_who_waits(void **state)
{
    struct spool *sp = *state;
    struct sink *held = begin(sp, "held");
    struct writer w;

    end(begin(sp, "a"), OBJECT);
    end(begin(sp, "b"), OBJECT);
    writer_start(&w, sp, "w", 1);
    until_pressed(sp);
    spool_stop(sp);
    assert_int_equal(writer_end(&w), ERR_INTERRUPTED);
    assert_false(spool_full(sp));
    sink_free(held);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_begun_can_be_finished, setup, teardown),
        cmocka_unit_test_setup_teardown(each_object_is_counted_in_blocks, setup, teardown),
        cmocka_unit_test(what_is_there_is_counted),
        cmocka_unit_test_setup_teardown(records_use_what_is_kept_and_then_fail, setup, teardown),
        cmocka_unit_test_setup_teardown(a_writer_waits_until_there_is_room, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_grows_goes_before_one_that_begins, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_can_never_fit_fails_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(writers_that_would_wait_for_ever_fail, setup, teardown),
        cmocka_unit_test_setup_teardown(who_asks_from_outside_counts_as_waiting, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stop_wakes_who_waits, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
