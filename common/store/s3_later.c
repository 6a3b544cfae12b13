/* Objects that are finished in the background, so that who wrote one can begin the next while the
 * last bytes are on their way: what an object store takes for a PUT is mostly waiting.
 *
 * Threads are started when there is something to do and none is free, and wait for more. Jobs begin
 * in their order and end in any; `first` is the oldest that has not ended, so a sync waits until
 * all up to the newest one of its beginning are gone. The first failure is kept for good, and what
 * has not begun by then is not done any more. */
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/store/s3_store.h"

#include <stdlib.h>

#define LATER_THREADS 16
#define LATER_JOBS_MAX 256 /* waiting: small objects are bounded by their number */

struct s3_later {
    pthread_mutex_t lock;        /* guards what follows */
    pthread_cond_t wake;         /* for the threads */
    pthread_cond_t moved;        /* a job has ended */
    struct s3_job *first, *last; /* all that have not ended, the oldest first */
    struct s3_job *waiting;      /* the oldest that has not begun */
    size_t waiting_count;
    uint64_t added; /* jobs since the start */
    pthread_t threads[LATER_THREADS];
    unsigned thread_count, idle;
    bool closing;
    struct err failed;
};

struct s3_later *s3_later_new(void)
{
    struct s3_later *l = xcalloc(1, sizeof *l);

    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->wake, NULL);
    pthread_cond_init(&l->moved, NULL);
    return l;
}

/* With the lock held. */
static void later_unlink(struct s3_later *l, struct s3_job *job)
{
    if (job->prev)
        job->prev->next = job->next;
    else
        l->first = job->next;
    if (job->next)
        job->next->prev = job->prev;
    else
        l->last = job->prev;
}

/* With the lock held, which is let go of while the job is done. */
static void later_do(struct s3_later *l, struct s3_job *job)
{
    struct err err = ERR_INIT;
    enum err_code rc = ERR_OK;

    l->waiting = job->next;
    l->waiting_count--;
    if (!l->failed.code && !l->closing) {
        pthread_mutex_unlock(&l->lock);
        rc = job->run(job, &err);
        pthread_mutex_lock(&l->lock);
    }
    if (rc && !l->failed.code)
        l->failed = err;
    later_unlink(l, job);
    pthread_cond_broadcast(&l->moved);
    pthread_mutex_unlock(&l->lock);
    job->release(job);
    pthread_mutex_lock(&l->lock);
}

static void *later_main(void *arg)
{
    struct s3_later *l = arg;

    log_thread_name("s3-end");
    pthread_mutex_lock(&l->lock);
    while (l->waiting || !l->closing) {
        if (l->waiting) {
            later_do(l, l->waiting);
            continue;
        }
        l->idle++;
        (void)pthread_cond_wait(&l->wake, &l->lock);
        l->idle--;
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* With the lock held: somebody will do the jobs that wait. */
static bool later_staffed(struct s3_later *l)
{
    if (l->waiting_count < l->idle || l->thread_count == LATER_THREADS)
        return true;
    if (pthread_create(&l->threads[l->thread_count], NULL, later_main, l) == 0)
        l->thread_count++;
    return l->thread_count > 0;
}

bool s3_later_add(struct s3_later *l, struct s3_job *job)
{
    bool taken;

    pthread_mutex_lock(&l->lock);
    taken = l->waiting_count < LATER_JOBS_MAX && later_staffed(l);
    if (taken) {
        job->number = ++l->added;
        job->next = NULL;
        job->prev = l->last;
        if (l->last)
            l->last->next = job;
        else
            l->first = job;
        l->last = job;
        if (!l->waiting)
            l->waiting = job;
        l->waiting_count++;
        pthread_cond_signal(&l->wake);
    }
    pthread_mutex_unlock(&l->lock);
    return taken;
}

enum err_code s3_later_sync(struct s3_later *l, struct err *err)
{
    enum err_code rc;
    uint64_t target;

    pthread_mutex_lock(&l->lock);
    target = l->added;
    while (!l->failed.code && l->first && l->first->number <= target)
        (void)pthread_cond_wait(&l->moved, &l->lock);
    rc = l->failed.code;
    if (rc)
        *err = l->failed;
    pthread_mutex_unlock(&l->lock);
    return rc;
}

void s3_later_free(struct s3_later *l)
{
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    l->closing = true;
    pthread_cond_broadcast(&l->wake);
    pthread_mutex_unlock(&l->lock);
    for (unsigned i = 0; i < l->thread_count; i++)
        (void)pthread_join(l->threads[i], NULL);
    pthread_cond_destroy(&l->moved);
    pthread_cond_destroy(&l->wake);
    pthread_mutex_destroy(&l->lock);
    free(l);
}
