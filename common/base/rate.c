#include "common/base/rate.h"

#include "common/base/mem.h"

#include <pthread.h>
#include <stdlib.h>

struct rate {
    double us_per_byte;
    pthread_mutex_t lock; /* empty_us */
    double empty_us;      /* when what was taken will have been earned */
};

struct rate *rate_new(uint64_t bytes_per_second)
{
    struct rate *r;

    if (!bytes_per_second)
        return NULL;
    r = xcalloc(1, sizeof *r);
    r->us_per_byte = 1e6 / (double)bytes_per_second;
    pthread_mutex_init(&r->lock, NULL);
    return r;
}

uint64_t rate_take(struct rate *r, uint64_t bytes, uint64_t now_us)
{
    double now = (double)now_us;
    double wait;

    if (!r)
        return 0;
    pthread_mutex_lock(&r->lock);
    if (r->empty_us < now - (double)RATE_BURST_US)
        r->empty_us = now - (double)RATE_BURST_US;
    r->empty_us += (double)bytes * r->us_per_byte;
    wait = r->empty_us - now;
    pthread_mutex_unlock(&r->lock);
    return wait > 0 ? (uint64_t)wait : 0;
}

void rate_free(struct rate *r)
{
    if (!r)
        return;
    pthread_mutex_destroy(&r->lock);
    free(r);
}
