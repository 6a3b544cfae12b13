#include "common/base/queue.h"

#include "common/base/mem.h"

#include <pthread.h>
#include <stdlib.h>

struct queue {
    pthread_mutex_t lock; /* guards everything below */
    pthread_cond_t not_empty;
    pthread_cond_t not_full;
    void **jobs; /* a ring of `cap` */
    size_t cap;
    size_t first;
    size_t count;
    bool closed;
    bool cancelled;
};

struct queue *queue_new(size_t cap)
{
    struct queue *q = xcalloc(1, sizeof *q);

    q->cap = cap ? cap : 1;
    q->jobs = xcalloc(q->cap, sizeof *q->jobs);
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->not_empty, NULL);
    pthread_cond_init(&q->not_full, NULL);
    return q;
}

bool queue_push(struct queue *q, void *job)
{
    bool taken = false;

    pthread_mutex_lock(&q->lock);
    while (!q->closed && !q->cancelled && q->count == q->cap)
        pthread_cond_wait(&q->not_full, &q->lock);
    if (!q->closed && !q->cancelled) {
        q->jobs[(q->first + q->count) % q->cap] = job;
        q->count++;
        taken = true;
        pthread_cond_signal(&q->not_empty);
    }
    pthread_mutex_unlock(&q->lock);
    return taken;
}

void *queue_pop(struct queue *q)
{
    void *job = NULL;

    pthread_mutex_lock(&q->lock);
    while (!q->closed && !q->cancelled && q->count == 0)
        pthread_cond_wait(&q->not_empty, &q->lock);
    if (!q->cancelled && q->count > 0) {
        job = q->jobs[q->first];
        q->first = (q->first + 1) % q->cap;
        q->count--;
        pthread_cond_signal(&q->not_full);
    }
    pthread_mutex_unlock(&q->lock);
    return job;
}

static void queue_end(struct queue *q, bool cancel)
{
    pthread_mutex_lock(&q->lock);
    q->closed = true;
    if (cancel)
        q->cancelled = true;
    pthread_cond_broadcast(&q->not_empty);
    pthread_cond_broadcast(&q->not_full);
    pthread_mutex_unlock(&q->lock);
}

void queue_close(struct queue *q)
{
    queue_end(q, false);
}

void queue_cancel(struct queue *q)
{
    queue_end(q, true);
}

void queue_free(struct queue *q, void (*free_job)(void *))
{
    if (!q)
        return;
    for (size_t i = 0; free_job && i < q->count; i++)
        free_job(q->jobs[(q->first + i) % q->cap]);
    pthread_cond_destroy(&q->not_full);
    pthread_cond_destroy(&q->not_empty);
    pthread_mutex_destroy(&q->lock);
    free(q->jobs);
    free(q);
}
