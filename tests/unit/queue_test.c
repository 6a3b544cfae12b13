#include "common/base/queue.h"

#include "common/base/clock.h"
#include "tests/unit/cmocka_all.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define JOBS 20000
#define THREADS 4

struct crew {
    struct queue *queue;
    atomic_uint taken[JOBS];
    atomic_uint pushed;
    atomic_uint popped;
};

static int numbers[JOBS];

static void *pop_all(void *arg)
{
    struct crew *crew = arg;
    int *job;

    while ((job = queue_pop(crew->queue)) != NULL) {
        atomic_fetch_add(&crew->taken[job - numbers], 1);
        atomic_fetch_add(&crew->popped, 1);
    }
    return NULL;
}

/* Pushes until the queue refuses. */
static void *push_all(void *arg)
{
    struct crew *crew = arg;

    for (size_t i = 0; i < JOBS; i++) {
        if (!queue_push(crew->queue, &numbers[i]))
            break;
        atomic_fetch_add(&crew->pushed, 1);
    }
    return NULL;
}

static void keeps_order_and_drains_after_close(void **state)
{
    struct queue *q = queue_new(3);

    (void)state;
    assert_true(queue_push(q, &numbers[0]));
    assert_true(queue_push(q, &numbers[1]));
    assert_ptr_equal(queue_pop(q), &numbers[0]);
    assert_true(queue_push(q, &numbers[2]));
    assert_true(queue_push(q, &numbers[3]));
    queue_close(q);
    assert_false(queue_push(q, &numbers[4]));
    assert_ptr_equal(queue_pop(q), &numbers[1]);
    assert_ptr_equal(queue_pop(q), &numbers[2]);
    assert_ptr_equal(queue_pop(q), &numbers[3]);
    assert_null(queue_pop(q));
    assert_null(queue_pop(q));
    queue_free(q, NULL);
    queue_free(NULL, NULL);
}

static void cancel_drops_what_waits_and_frees_it(void **state)
{
    struct queue *q = queue_new(0); /* counts as 1 */

    (void)state;
    assert_true(queue_push(q, malloc(10)));
    queue_cancel(q);
    assert_null(queue_pop(q));
    assert_false(queue_push(q, &numbers[0]));
    queue_free(q, free);
}

static void every_job_is_taken_once(void **state)
{
    struct crew *crew = calloc(1, sizeof *crew);
    pthread_t threads[THREADS];

    (void)state;
    assert_non_null(crew);
    crew->queue = queue_new(7);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, pop_all, crew), 0);
    push_all(crew);
    queue_close(crew->queue);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(crew->popped, JOBS);
    for (int i = 0; i < JOBS; i++)
        assert_int_equal(crew->taken[i], 1);
    queue_free(crew->queue, NULL);
    free(crew);
}

/* Nobody pops, so that all pushers end up waiting; cancel must wake every one of them. */
static void cancel_wakes_pushers(void **state)
{
    struct crew *crew = calloc(1, sizeof *crew);
    pthread_t threads[THREADS];

    (void)state;
    assert_non_null(crew);
    crew->queue = queue_new(2);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, push_all, crew), 0);
    while (atomic_load(&crew->pushed) < 2)
        (void)clock_sleep(1000, NULL);
    queue_cancel(crew->queue);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(crew->pushed, 2);
    queue_free(crew->queue, NULL);
    free(crew);
}

static void cancel_in_the_middle_ends_both_sides(void **state)
{
    struct crew *crew = calloc(1, sizeof *crew);
    pthread_t threads[THREADS * 2];

    (void)state;
    assert_non_null(crew);
    crew->queue = queue_new(5);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, pop_all, crew), 0);
        assert_int_equal(pthread_create(&threads[THREADS + i], NULL, push_all, crew), 0);
    }
    while (atomic_load(&crew->popped) < 100)
        (void)clock_sleep(100, NULL);
    queue_cancel(crew->queue);
    for (int i = 0; i < THREADS * 2; i++)
        pthread_join(threads[i], NULL);
    assert_true(crew->pushed - crew->popped <= 5);
    queue_free(crew->queue, NULL);
    free(crew);
}

static void cancel_wakes_poppers(void **state)
{
    struct crew *crew = calloc(1, sizeof *crew);
    pthread_t threads[THREADS];

    (void)state;
    assert_non_null(crew);
    crew->queue = queue_new(5);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, pop_all, crew), 0);
    queue_cancel(crew->queue);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(crew->popped, 0);
    queue_free(crew->queue, NULL);
    free(crew);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_order_and_drains_after_close),
        cmocka_unit_test(cancel_drops_what_waits_and_frees_it),
        cmocka_unit_test(every_job_is_taken_once),
        cmocka_unit_test(cancel_wakes_pushers),
        cmocka_unit_test(cancel_in_the_middle_ends_both_sides),
        cmocka_unit_test(cancel_wakes_poppers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
