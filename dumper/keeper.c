#include "dumper/keeper.h"

#include "common/base/log.h"
#include "common/base/mem.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define SPEAK_EVERY_S 1

struct keeper {
    struct conn **conns;
    size_t count;
    keeper_lost_fn *lost;
    void *ctx;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stop;
};

/* Until it is time to speak. true: stop. */
static bool keeper_wait(struct keeper *k)
{
    struct timespec until;
    bool stop;
    int rc = 0;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += SPEAK_EVERY_S;
    pthread_mutex_lock(&k->lock);
    while (!k->stop && rc == 0)
        rc = pthread_cond_timedwait(&k->changed, &k->lock, &until);
    stop = k->stop;
    pthread_mutex_unlock(&k->lock);
    return stop;
}

static void *keeper_main(void *arg)
{
    struct keeper *k = arg;
    struct err err = ERR_INIT;
    enum err_code rc = ERR_OK;

    log_thread_name("keeper");
    conn_thread_init();
    while (!rc && !keeper_wait(k))
        for (size_t i = 0; !rc && i < k->count; i++)
            rc = k->conns[i] ? conn_execz(k->conns[i], "DO 1", &err) : ERR_OK;
    if (rc)
        k->lost(k->ctx, &err);
    conn_thread_end();
    return NULL;
}

static void keeper_free(struct keeper *k)
{
    pthread_cond_destroy(&k->changed);
    pthread_mutex_destroy(&k->lock);
    free(k);
}

enum err_code keeper_start(struct conn **conns, size_t count, keeper_lost_fn *lost, void *ctx,
                           struct keeper **out, struct err *err)
{
    struct keeper *k = xcalloc(1, sizeof(*k));
    pthread_condattr_t attr;
    int errnum;

    *k = (struct keeper){.conns = conns, .count = count, .lost = lost, .ctx = ctx};
    pthread_mutex_init(&k->lock, NULL);
    pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&k->changed, &attr);
    pthread_condattr_destroy(&attr);
    errnum = pthread_create(&k->thread, NULL, keeper_main, k);
    if (errnum) {
        keeper_free(k);
        return err_set_errno(err, ERR_FAILED, errnum, "cannot start a thread");
    }
    *out = k;
    return ERR_OK;
}

void keeper_stop(struct keeper *k)
{
    if (!k)
        return;
    pthread_mutex_lock(&k->lock);
    k->stop = true;
    pthread_cond_signal(&k->changed);
    pthread_mutex_unlock(&k->lock);
    (void)pthread_join(k->thread, NULL);
    keeper_free(k);
}
