#include "dumper/span.h"

#include "common/base/mem.h"
#include "dumper/plan.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define LOOK_NS 100000000 /* how often a waiting worker looks whether all is to stop */

struct span_queue {
    struct plan_table *tables;
    size_t table_count;
    const struct cancel *stop, *asked;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t moved;
    struct span *first, *last;
    size_t next_table;
    unsigned busy;     /* jobs taken and not done */
    atomic_int hungry; /* workers that wait, less the jobs that wait; read without the lock */
};

struct span *span_new(struct plan_table *table, unsigned id, struct bound *lo, struct bound *hi)
{
    struct span *s = xcalloc(1, sizeof(*s));

    s->table = table;
    s->id = id;
    s->lo = *lo;
    s->hi = *hi;
    *lo = (struct bound){0};
    *hi = (struct bound){0};
    return s;
}

void span_free(struct span *s)
{
    if (!s)
        return;
    bound_release(&s->lo);
    bound_release(&s->hi);
    free(s);
}

struct span_queue *span_queue_new(struct plan_table *tables, size_t count,
                                  const struct cancel *stop, const struct cancel *asked)
{
    struct span_queue *q = xcalloc(1, sizeof(*q));
    pthread_condattr_t attr;

    q->tables = tables;
    q->table_count = count;
    q->stop = stop;
    q->asked = asked;
    atomic_store(&q->hungry, count > INT32_MAX ? -INT32_MAX : -(int)count);
    pthread_mutex_init(&q->lock, NULL);
    pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&q->moved, &attr);
    pthread_condattr_destroy(&attr);
    return q;
}

static bool span_queue_stopped(const struct span_queue *q)
{
    return cancel_asked(q->stop) || cancel_asked(q->asked);
}

static bool span_queue_next(struct span_queue *q, struct span_job *job)
{
    if (q->first) {
        job->span = q->first;
        q->first = q->first->next;
        job->span->next = NULL;
        return true;
    }
    if (q->next_table == q->table_count)
        return false;
    job->table = &q->tables[q->next_table++];
    return true;
}

/* Cancels signal nobody: so never for longer than LOOK_NS. */
static void span_queue_wait(struct span_queue *q)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += LOOK_NS;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    (void)pthread_cond_timedwait(&q->moved, &q->lock, &until);
}

bool span_queue_take(struct span_queue *q, struct span_job *job)
{
    bool found = false;

    *job = (struct span_job){0};
    atomic_fetch_add(&q->hungry, 1);
    pthread_mutex_lock(&q->lock);
    while (!span_queue_stopped(q)) {
        found = span_queue_next(q, job);
        if (found || !q->busy)
            break;
        span_queue_wait(q);
    }
    if (found)
        q->busy++;
    else
        pthread_cond_broadcast(&q->moved);
    pthread_mutex_unlock(&q->lock);
    return found;
}

void span_queue_push(struct span_queue *q, struct span *s)
{
    atomic_fetch_sub(&q->hungry, 1);
    pthread_mutex_lock(&q->lock);
    s->next = NULL;
    if (q->first)
        q->last->next = s;
    else
        q->first = s;
    q->last = s;
    pthread_cond_signal(&q->moved);
    pthread_mutex_unlock(&q->lock);
}

void span_queue_done(struct span_queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->busy--;
    if (!q->busy)
        pthread_cond_broadcast(&q->moved);
    pthread_mutex_unlock(&q->lock);
}

bool span_queue_hungry(const struct span_queue *q)
{
    return atomic_load_explicit(&q->hungry, memory_order_relaxed) > 0;
}

void span_queue_free(struct span_queue *q)
{
    if (!q)
        return;
    while (q->first) {
        struct span *s = q->first;

        q->first = s->next;
        span_free(s);
    }
    pthread_cond_destroy(&q->moved);
    pthread_mutex_destroy(&q->lock);
    free(q);
}
