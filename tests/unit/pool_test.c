#include "common/base/pool.h"

#include "common/base/clock.h"
#include "common/base/queue.h"
#include "tests/unit/cmocka_all.h"

#include <stdio.h>
#include <string.h>

#define THREADS 8

struct run {
    atomic_uint called[THREADS];
    atomic_uint fails; /* on_fail calls */
    struct cancel cancel;
    struct queue *queue;
};

static enum err_code count_me(void *ctx, unsigned worker, struct err *err)
{
    struct run *run = ctx;

    (void)err;
    atomic_fetch_add(&run->called[worker], 1);
    return ERR_OK;
}

static void stop_run(void *ctx)
{
    struct run *run = ctx;

    atomic_fetch_add(&run->fails, 1);
    cancel_ask(&run->cancel);
    if (run->queue)
        queue_cancel(run->queue);
}

/* Worker 3 fails first; the others wait for the cancel and then fail as well. */
static enum err_code fail_after_third(void *ctx, unsigned worker, struct err *err)
{
    struct run *run = ctx;

    if (worker != 3)
        while (!cancel_asked(&run->cancel))
            (void)clock_sleep(1000, NULL);
    return err_set(err, worker == 3 ? ERR_CORRUPT : ERR_IO, "worker %u", worker);
}

static enum err_code wait_on_queue(void *ctx, unsigned worker, struct err *err)
{
    struct run *run = ctx;

    if (worker == 0)
        return err_set(err, ERR_SQL, "first");
    return queue_pop(run->queue) ? err_set(err, ERR_INTERNAL, "a job out of nowhere") : ERR_OK;
}

/* A worker that forgot err_set is still a failure. */
static enum err_code fail_silently(void *ctx, unsigned worker, struct err *err)
{
    (void)ctx;
    (void)err;
    return worker == 1 ? ERR_LIMIT : ERR_OK;
}

static void calls_each_worker_once(void **state)
{
    struct run run = {0};
    struct err err = ERR_INIT;
    struct pool *pool = NULL;

    (void)state;
    assert_int_equal(pool_start(&pool, "count", THREADS, count_me, stop_run, &run, &err), ERR_OK);
    assert_int_equal(pool_join(pool, &err), ERR_OK);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(run.called[i], 1);
    assert_int_equal(run.fails, 0);
}

static void keeps_the_first_error(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct run run = {0};
        struct err err = ERR_INIT;
        struct pool *pool = NULL;

        assert_int_equal(pool_start(&pool, "fail", THREADS, fail_after_third, stop_run, &run, &err),
                         ERR_OK);
        assert_int_equal(pool_join(pool, &err), ERR_CORRUPT);
        assert_int_equal(err.code, ERR_CORRUPT);
        assert_string_equal(err.msg, "worker 3");
        assert_int_equal(run.fails, 1);
    }
}

static void failure_frees_workers_that_wait(void **state)
{
    struct run run = {.queue = queue_new(2)};
    struct err err = ERR_INIT;
    struct pool *pool = NULL;

    (void)state;
    assert_int_equal(pool_start(&pool, "wait", THREADS, wait_on_queue, stop_run, &run, &err),
                     ERR_OK);
    assert_int_equal(pool_join(pool, &err), ERR_SQL);
    queue_free(run.queue, NULL);
}

static void silent_failure_counts_and_on_fail_may_be_null(void **state)
{
    struct err err = ERR_INIT;
    struct pool *pool = NULL;

    (void)state;
    assert_int_equal(pool_start(&pool, "silent", 3, fail_silently, NULL, NULL, &err), ERR_OK);
    assert_int_equal(pool_join(pool, &err), ERR_LIMIT);
    assert_int_equal(err.code, ERR_LIMIT);
}

static void no_pool_and_no_threads_are_fine(void **state)
{
    struct err err = ERR_INIT;
    struct pool *pool = NULL;

    (void)state;
    assert_int_equal(pool_join(NULL, &err), ERR_OK);
    assert_int_equal(pool_start(&pool, "none", 0, count_me, NULL, NULL, &err), ERR_OK);
    assert_int_equal(pool_join(pool, &err), ERR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_each_worker_once),
        cmocka_unit_test(keeps_the_first_error),
        cmocka_unit_test(failure_frees_workers_that_wait),
        cmocka_unit_test(silent_failure_counts_and_on_fail_may_be_null),
        cmocka_unit_test(no_pool_and_no_threads_are_fine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
