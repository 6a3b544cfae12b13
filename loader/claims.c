/* One mutex for the lists; it is never held while the target is asked. One worker looks at a time,
 * the others wait for what it brings. */
#include "loader/claims.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "loader/share.h"

#include <inttypes.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WINDOW 100
#define WAIT_NS 50000000L
#define POLL_US 100000 /* of what others hold, when there is nothing else to do */

struct ready {
    size_t index;
    struct chunk_view view;
};

struct claims {
    pthread_mutex_t lock; /* guards all of it */
    pthread_cond_t wake;
    size_t count; /* of the plan's chunks */
    size_t first; /* where this process begins in them */
    size_t seen;  /* how many it has looked at */
    struct ready ready[WINDOW];
    size_t ready_count;
    size_t *later; /* a ring of `count` */
    size_t later_from, later_count;
    size_t poll_left;   /* of the ring, in this round of looking */
    uint64_t polled_us; /* when the last round ended */
    uint64_t poll_us;   /* between two rounds */
    size_t left;        /* neither done nor with a worker of this process */
    bool looking;       /* a worker is at it */
    bool others;        /* there are, or were */
    uint64_t random;
};

enum err_code claims_new(struct load_run *run, bool others, struct claims **out, struct err *err)
{
    struct claims *c = xcalloc(1, sizeof *c);
    pthread_condattr_t attr;

    if (RAND_bytes((unsigned char *)&c->random, sizeof c->random) != 1) {
        free(c);
        return err_set(err, ERR_FAILED, "no random bytes can be had");
    }
    c->random |= 1;
    c->count = c->left = run->chunk_count;
    c->others = others;
    c->first = others && c->count ? (size_t)(c->random % c->count) : 0;
    c->later = xcalloc(c->count + 1, sizeof *c->later);
    c->poll_us = POLL_US;
    pthread_mutex_init(&c->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->wake, &attr);
    pthread_condattr_destroy(&attr);
    *out = c;
    return ERR_OK;
}

void claims_free(struct claims *c)
{
    if (!c)
        return;
    pthread_cond_destroy(&c->wake);
    pthread_mutex_destroy(&c->lock);
    free(c->later);
    free(c);
}

bool claims_shared(const struct load_run *run)
{
    struct claims *c = run->claims;
    bool others;

    pthread_mutex_lock(&c->lock);
    others = c->others;
    pthread_mutex_unlock(&c->lock);
    return others || share_was_shared(run);
}

/* xorshift: to meet others seldom, nothing hangs on it. */
static uint64_t claims_random(struct claims *c)
{
    c->random ^= c->random << 13;
    c->random ^= c->random >> 7;
    c->random ^= c->random << 17;
    return c->random;
}

static void later_push(struct claims *c, size_t index)
{
    c->later[(c->later_from + c->later_count++) % c->count] = index;
}

/* Which ones to look at now; 0: none yet. With the lock held. */
static size_t claims_batch(struct claims *c, size_t batch[WINDOW])
{
    size_t n = 0;

    for (; n < WINDOW && c->seen < c->count; n++)
        batch[n] = (c->first + c->seen++) % c->count;
    if (n > 0 || c->later_count == 0)
        return n;
    if (c->poll_left == 0) {
        if (clock_mono_us() - c->polled_us < c->poll_us)
            return 0;
        c->poll_left = c->later_count;
    }
    for (; n < WINDOW && c->poll_left > 0 && c->later_count > 0; n++) {
        batch[n] = c->later[c->later_from];
        c->later_from = (c->later_from + 1) % c->count;
        c->later_count--;
        c->poll_left--;
    }
    if (c->later_count == 0)
        c->poll_left = 0;
    if (c->poll_left == 0)
        c->polled_us = clock_mono_us();
    return n;
}

struct window {
    const struct load_run *run;
    const size_t *batch;
    size_t count;
    struct chunk_view views[WINDOW]; /* as the batch; chunk 0: not seen */
};

static enum err_code window_view(void *ctx, const struct chunk_view *v, struct err *err)
{
    struct window *w = ctx;

    (void)err;
    for (size_t i = 0; i < w->count; i++)
        if (w->run->chunks[w->batch[i]].chunk->id == v->chunk)
            w->views[i] = *v;
    return ERR_OK;
}

static enum err_code window_read(struct window *w, struct conn *conn, struct err *err)
{
    uint64_t ids[WINDOW];

    for (size_t i = 0; i < w->count; i++)
        ids[i] = w->run->chunks[w->batch[i]].chunk->id;
    memset(w->views, 0, sizeof w->views);
    if (claim_look(conn, &w->run->state, (struct claim_ids){ids, w->count}, window_view, w, err))
        return err->code;
    for (size_t i = 0; i < w->count; i++)
        if (w->views[i].chunk != ids[i])
            return err_set(err, ERR_LOAD_STATE,
                           "chunk %" PRIu64 " of job %" PRIu64 " has no progress row in `%s`",
                           ids[i], w->run->state.job, w->run->state.schema);
    return ERR_OK;
}

void claims_count_others(struct load_run *run, size_t index, uint64_t rows, uint64_t raw_off,
                         bool done)
{
    struct load_chunk *k = &run->chunks[index];
    const uint64_t bytes = done && k->chunk->counted ? k->chunk->raw_bytes : raw_off;

    if (rows > k->known_rows) {
        atomic_fetch_add(&k->table->others_rows, rows - k->known_rows);
        atomic_fetch_add(&run->progress->rows, rows - k->known_rows);
        k->known_rows = rows;
    }
    if (bytes > k->known_bytes) {
        atomic_fetch_add(&k->table->others_bytes, bytes - k->known_bytes);
        atomic_fetch_add(&run->progress->bytes, bytes - k->known_bytes);
        k->known_bytes = bytes;
    }
    if (!done)
        return;
    atomic_fetch_add(&k->table->others_files, 1);
    atomic_fetch_add(&run->progress->pieces, 1);
    atomic_fetch_add(&run->chunks_done, 1);
}

/* With the lock held. */
static void window_sort(struct load_run *run, struct claims *c, const struct window *w)
{
    for (size_t i = 0; i < w->count; i++) {
        const struct chunk_view *v = &w->views[i];

        if (v->done) {
            claims_count_others(run, w->batch[i], v->rows_done, v->raw_off, true);
            c->left--;
        } else if (v->held) {
            c->others = true;
            later_push(c, w->batch[i]);
        } else {
            c->ready[c->ready_count++] = (struct ready){w->batch[i], *v};
        }
    }
}

/* In the plan's order when alone. */
static void claims_pick(struct claims *c, size_t *index, struct chunk_view *seen)
{
    const size_t at = c->others ? (size_t)(claims_random(c) % c->ready_count) : 0;

    *index = c->ready[at].index;
    *seen = c->ready[at].view;
    c->ready_count--;
    memmove(&c->ready[at], &c->ready[at + 1], (c->ready_count - at) * sizeof c->ready[0]);
    c->left--;
}

static enum err_code claims_look(struct load_run *run, struct claims *c, struct conn *conn,
                                 struct err *err)
{
    size_t batch[WINDOW];
    struct window w = {.run = run, .batch = batch};
    enum err_code rc;

    w.count = claims_batch(c, batch);
    if (w.count == 0)
        return ERR_OK;
    c->looking = true;
    pthread_mutex_unlock(&c->lock);
    rc = window_read(&w, conn, err);
    pthread_mutex_lock(&c->lock);
    c->looking = false;
    if (!rc)
        window_sort(run, c, &w);
    for (size_t i = 0; rc && i < w.count; i++)
        later_push(c, batch[i]);
    pthread_cond_broadcast(&c->wake);
    return rc;
}

static void claims_wait(struct claims *c)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += WAIT_NS;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    (void)pthread_cond_timedwait(&c->wake, &c->lock, &until);
}

enum err_code claims_next(struct load_run *run, struct conn *conn, size_t *index,
                          struct chunk_view *seen, struct err *err)
{
    struct claims *c = run->claims;
    enum err_code rc = ERR_OK;

    *index = run->chunk_count;
    pthread_mutex_lock(&c->lock);
    while (!rc && !load_stopped(run) && c->left > 0) {
        if (c->ready_count > 0) {
            claims_pick(c, index, seen);
            break;
        }
        if (!c->looking)
            rc = claims_look(run, c, conn, err);
        if (!rc && c->ready_count == 0 && c->left > 0)
            claims_wait(c);
    }
    pthread_mutex_unlock(&c->lock);
    return rc;
}

void claims_put_back(struct load_run *run, size_t index)
{
    struct claims *c = run->claims;

    pthread_mutex_lock(&c->lock);
    c->left++;
    later_push(c, index);
    pthread_mutex_unlock(&c->lock);
}
