/* Who starts whom: pool_start makes all threads, which wait at a gate until the last one exists, so
 * that a thread that cannot be made ends the pool before any work was done. A worker ends when its
 * `work` returns; the first that returns an error stores it and calls `on_fail`, without the lock.
 * pool_join waits for all of them and frees the pool. */
#include "common/base/pool.h"

#include "common/base/log.h"
#include "common/base/mem.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum pool_gate { GATE_SHUT, GATE_OPEN, GATE_CALLED_OFF };

struct pool_thread {
    struct pool *pool;
    unsigned number;
    pthread_t thread;
};

struct pool {
    char name[32]; /* cut if longer; log lines show 15 bytes */
    pool_work_fn *work;
    pool_cancel_fn *on_fail;
    void *ctx;
    struct pool_thread *threads;
    unsigned count;       /* threads that were started */
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t moved; /* the gate */
    enum pool_gate gate;
    struct err first_err;
};

static bool pool_wait_gate(struct pool *p)
{
    bool open;

    pthread_mutex_lock(&p->lock);
    while (p->gate == GATE_SHUT)
        pthread_cond_wait(&p->moved, &p->lock);
    open = p->gate == GATE_OPEN;
    pthread_mutex_unlock(&p->lock);
    return open;
}

static void pool_set_gate(struct pool *p, enum pool_gate gate)
{
    pthread_mutex_lock(&p->lock);
    p->gate = gate;
    pthread_cond_broadcast(&p->moved);
    pthread_mutex_unlock(&p->lock);
}

/* Keeps the first error. true: this was it. */
static bool pool_keep_error(struct pool *p, const struct err *err)
{
    bool first;

    pthread_mutex_lock(&p->lock);
    first = p->first_err.code == ERR_OK;
    if (first)
        p->first_err = *err;
    pthread_mutex_unlock(&p->lock);
    return first;
}

static void *pool_thread_main(void *arg)
{
    const struct pool_thread *self = arg;
    struct pool *p = self->pool;
    struct err err = ERR_INIT;
    enum err_code rc;
    char name[48]; /* pool name, '-', 10 digits */

    if (!pool_wait_gate(p))
        return NULL;
    (void)snprintf(name, sizeof name, "%s-%u", p->name, self->number);
    log_thread_name(name);
    rc = p->work(p->ctx, self->number, &err);
    if (!rc)
        return NULL;
    err.code = rc;
    if (pool_keep_error(p, &err) && p->on_fail)
        p->on_fail(p->ctx);
    return NULL;
}

static void pool_join_all(struct pool *p)
{
    for (unsigned i = 0; i < p->count; i++)
        (void)pthread_join(p->threads[i].thread, NULL);
}

static void pool_free(struct pool *p)
{
    pthread_cond_destroy(&p->moved);
    pthread_mutex_destroy(&p->lock);
    free(p->threads);
    free(p);
}

// NOLINTNEXTLINE(readability-function-size): four of the seven say what to run
enum err_code pool_start(struct pool **pool, const char *name, unsigned threads, pool_work_fn *work,
                         pool_cancel_fn *on_fail, void *ctx, struct err *err)
{
    struct pool *p = xcalloc(1, sizeof *p);

    (void)snprintf(p->name, sizeof p->name, "%s", name);
    p->work = work;
    p->on_fail = on_fail;
    p->ctx = ctx;
    p->threads = xcalloc(threads, sizeof *p->threads);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->moved, NULL);
    for (; p->count < threads; p->count++) {
        struct pool_thread *t = &p->threads[p->count];
        int errnum;

        t->pool = p;
        t->number = p->count;
        errnum = pthread_create(&t->thread, NULL, pool_thread_main, t);
        if (errnum) {
            pool_set_gate(p, GATE_CALLED_OFF);
            pool_join_all(p);
            (void)err_set_errno(err, ERR_FAILED, errnum, "cannot start thread %u of %u for '%s'",
                                p->count + 1, threads, name);
            pool_free(p);
            return err->code;
        }
    }
    pool_set_gate(p, GATE_OPEN);
    *pool = p;
    return ERR_OK;
}

enum err_code pool_join(struct pool *pool, struct err *err)
{
    enum err_code rc;

    if (!pool)
        return ERR_OK;
    pool_join_all(pool);
    rc = pool->first_err.code;
    if (rc)
        *err = pool->first_err;
    pool_free(pool);
    return rc;
}
