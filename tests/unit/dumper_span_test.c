#include "dumper/plan.h"
#include "dumper/span.h"

#include "common/base/clock.h"
#include "tests/unit/cmocka_all.h"

#include <pthread.h>

#define THREADS 8
#define TABLES 1000
#define SPLITS 20000 /* spans that are pushed in all, about */

struct crew {
    struct span_queue *queue;
    struct cancel stop, asked;
    atomic_uint tables, spans, left; /* taken, taken, still to be pushed */
};

static struct plan_table tables[TABLES];

static void push_one(struct crew *crew, struct plan_table *t)
{
    struct bound lo = {0};
    struct bound hi = {0};
    unsigned left = atomic_load(&crew->left);

    while (left && !atomic_compare_exchange_weak(&crew->left, &left, left - 1))
        ;
    if (left)
        span_queue_push(crew->queue, span_new(t, left, &lo, &hi));
}

/* Each job brings two more, until there were enough. */
static void *work(void *arg)
{
    struct crew *crew = arg;
    struct span_job job;

    while (span_queue_take(crew->queue, &job)) {
        struct plan_table *t = job.table ? job.table : job.span->table;

        assert_true((job.table != NULL) != (job.span != NULL));
        atomic_fetch_add(job.table ? &crew->tables : &crew->spans, 1);
        push_one(crew, t);
        push_one(crew, t);
        span_free(job.span);
        span_queue_done(crew->queue);
    }
    return NULL;
}

static void run(struct crew *crew, unsigned splits)
{
    pthread_t threads[THREADS];

    atomic_store(&crew->left, splits);
    crew->queue = span_queue_new(tables, TABLES, &crew->stop, &crew->asked);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, crew), 0);
    for (size_t i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    span_queue_free(crew->queue);
}

static void every_job_is_done_once(void **state)
{
    struct crew crew = {0};

    (void)state;
    run(&crew, SPLITS);
    assert_int_equal(crew.tables, TABLES);
    assert_int_equal(crew.spans, SPLITS);
}

static void no_table_no_wait(void **state)
{
    struct crew crew = {0};
    struct span_job job;

    (void)state;
    crew.queue = span_queue_new(tables, 0, &crew.stop, &crew.asked);
    assert_false(span_queue_take(crew.queue, &job));
    span_queue_free(crew.queue);
}

static void *take_one(void *arg)
{
    struct crew *crew = arg;
    struct span_job job;

    if (span_queue_take(crew->queue, &job)) {
        atomic_fetch_add(&crew->spans, 1);
        span_free(job.span);
        span_queue_done(crew->queue);
    }
    return NULL;
}

static void hunger_is_seen_and_fed(void **state)
{
    struct crew crew = {0};
    struct span_job job;
    struct bound lo = {0};
    struct bound hi = {0};
    pthread_t other;

    (void)state;
    crew.queue = span_queue_new(tables, 2, &crew.stop, &crew.asked);
    assert_false(span_queue_hungry(crew.queue));
    assert_true(span_queue_take(crew.queue, &job));
    assert_false(span_queue_hungry(crew.queue)); /* a table is left */
    assert_true(span_queue_take(crew.queue, &job));
    assert_false(span_queue_hungry(crew.queue)); /* nobody waits */
    assert_int_equal(pthread_create(&other, NULL, take_one, &crew), 0);
    while (!span_queue_hungry(crew.queue))
        (void)clock_sleep(1000, NULL);
    span_queue_push(crew.queue, span_new(&tables[0], 1, &lo, &hi));
    assert_false(span_queue_hungry(crew.queue));
    (void)pthread_join(other, NULL);
    assert_int_equal(crew.spans, 1);
    span_queue_done(crew.queue);
    span_queue_done(crew.queue);
    span_queue_free(crew.queue);
}

static void a_cancel_ends_waiting(void **state)
{
    struct crew crew = {0};
    struct span_job job;
    pthread_t other;

    (void)state;
    crew.queue = span_queue_new(tables, 1, &crew.stop, &crew.asked);
    assert_true(span_queue_take(crew.queue, &job)); /* and is never done */
    assert_int_equal(pthread_create(&other, NULL, take_one, &crew), 0);
    while (!span_queue_hungry(crew.queue))
        (void)clock_sleep(1000, NULL);
    cancel_ask(&crew.asked);
    (void)pthread_join(other, NULL);
    assert_int_equal(crew.spans, 0);
    span_queue_free(crew.queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_job_is_done_once),
        cmocka_unit_test(no_table_no_wait),
        cmocka_unit_test(hunger_is_seen_and_fed),
        cmocka_unit_test(a_cancel_ends_waiting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
