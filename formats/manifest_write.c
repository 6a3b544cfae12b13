/* The manifest's writer. manifest_append formats a record into `pending`; one thread takes the
 * whole of it when its oldest record has waited long enough, after 256 records, for a flush and at
 * the end, and creates the next segment from it without the lock held. A caller waits only when
 * storage is so slow that `pending` has grown to PENDING_MAX_BYTES. The first failure ends the
 * thread: nothing more is written, since a later segment without an earlier one would be a hole,
 * and every later call gets that failure.
 */
#include "formats/file_names.h"
#include "formats/manifest.h"

#include "common/base/fault.h"
#include "common/base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* How long a record may wait: at most 1.5 s, so that with the writing of its group not more than 2
 * s of work are lost by a kill, and at first a part of what the run has taken so far. */
#define GROUP_MIN_US ((uint64_t)500000)
#define GROUP_MAX_US ((uint64_t)1500000)
#define GROUP_SHARE 8
#define GROUP_RECORDS 256
#define PENDING_MAX_BYTES ((size_t)8 << 20)

struct manifest {
    struct store *store; /* borrowed */
    void (*failed)(void *ctx);
    void *ctx;
    struct pool *thread;  /* one worker */
    uint64_t segment;     /* the highest number; the thread's */
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;  /* for the thread; monotonic clock */
    pthread_cond_t moved; /* for callers: room, durable records or a failure */
    struct strbuf pending;
    uint64_t appended;  /* records since the start */
    uint64_t taken;     /* of them by the thread */
    uint64_t durable;   /* of them in segments */
    uint64_t flush_to;  /* of them that a caller waits for */
    uint64_t oldest_us; /* when the oldest pending record came, by clock_mono_us */
    uint64_t since_us;  /* when the manifest was opened; constant */
    bool closing;
    struct err first_err;
};

/* With the lock held: when the pending records are to be written, by clock_mono_us. */
static uint64_t manifest_group_end(const struct manifest *m)
{
    uint64_t wait_us = (m->oldest_us - m->since_us) / GROUP_SHARE;

    if (wait_us < GROUP_MIN_US)
        wait_us = GROUP_MIN_US;
    return m->oldest_us + (wait_us < GROUP_MAX_US ? wait_us : GROUP_MAX_US);
}

/* With the lock held. */
static bool manifest_group_is_due(const struct manifest *m, uint64_t now_us)
{
    uint64_t count = m->appended - m->taken;

    return count > 0 && (m->closing || count >= GROUP_RECORDS || m->flush_to > m->taken ||
                         m->pending.len >= PENDING_MAX_BYTES || now_us >= manifest_group_end(m));
}

/* With the lock held: waits until something is due and moves it into `out`. false: closing, and
 * nothing is left. */
static bool manifest_wait_group(struct manifest *m, struct strbuf *out)
{
    while (!manifest_group_is_due(m, clock_mono_us())) {
        uint64_t end_us = manifest_group_end(m);
        struct timespec end = {.tv_sec = (time_t)(end_us / 1000000),
                               .tv_nsec = (long)(end_us % 1000000 * 1000)};

        if (m->closing)
            return false;
        if (m->appended > m->taken)
            (void)pthread_cond_timedwait(&m->wake, &m->lock, &end);
        else
            (void)pthread_cond_wait(&m->wake, &m->lock);
    }
    *out = m->pending;
    m->pending = (struct strbuf){.max = m->pending.max};
    m->taken = m->appended;
    pthread_cond_broadcast(&m->moved);
    return true;
}

static enum err_code manifest_write_segment(struct manifest *m, const struct strbuf *text,
                                            struct err *err)
{
    char path[sizeof MANIFEST_FOLDER + 32]; /* 20 digits, ".jsonl" */
    enum err_code rc;

    (void)snprintf(path, sizeof path, MANIFEST_FOLDER "%06" PRIu64 ".jsonl", m->segment + 1);
    rc = store_sync(m->store, err); /* the files that the records speak of */
    if (rc)
        return rc;
    fault_point("manifest.before-segment");
    rc = store_create(m->store, path, strbuf_str(text), text->len, err);
    if (rc == ERR_STORE_EXISTS)
        return err_set(err, ERR_LOCKED,
                       "another ferry writes to this dump: %s/%s has appeared meanwhile",
                       m->store->text, path);
    if (rc)
        return err_wrap(err, "manifest");
    m->segment++;
    fault_point("manifest.after-segment");
    return ERR_OK;
}

static enum err_code manifest_work(void *ctx, unsigned worker, struct err *err)
{
    struct manifest *m = ctx;
    struct strbuf group = {0};
    enum err_code rc = ERR_OK;

    (void)worker;
    pthread_mutex_lock(&m->lock);
    while (!rc && manifest_wait_group(m, &group)) {
        uint64_t count = m->taken;

        pthread_mutex_unlock(&m->lock);
        rc = manifest_write_segment(m, &group, err);
        strbuf_release(&group);
        pthread_mutex_lock(&m->lock);
        if (rc)
            m->first_err = *err;
        else
            m->durable = count;
        pthread_cond_broadcast(&m->moved);
    }
    pthread_mutex_unlock(&m->lock);
    if (rc && m->failed)
        m->failed(m->ctx);
    return rc;
}

static void manifest_free(struct manifest *m)
{
    strbuf_release(&m->pending);
    pthread_cond_destroy(&m->moved);
    pthread_cond_destroy(&m->wake);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

enum err_code manifest_open(struct store *s, uint64_t last_segment, void (*failed)(void *ctx),
                            void *ctx, struct manifest **out, struct err *err)
{
    struct manifest *m = xcalloc(1, sizeof *m);
    pthread_condattr_t attr;
    enum err_code rc;

    m->store = s;
    m->segment = last_segment;
    m->failed = failed;
    m->ctx = ctx;
    m->since_us = m->oldest_us = clock_mono_us();
    m->pending.max = SIZE_MAX / 2; /* bounded by PENDING_MAX_BYTES and one record */
    pthread_mutex_init(&m->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&m->wake, &attr);
    pthread_condattr_destroy(&attr);
    pthread_cond_init(&m->moved, NULL);
    rc = pool_start(&m->thread, "manifest", 1, manifest_work, NULL, m, err);
    if (rc)
        manifest_free(m);
    else
        *out = m;
    return rc;
}

/* With the lock held. */
static enum err_code manifest_state(const struct manifest *m, struct err *err)
{
    if (m->first_err.code)
        *err = m->first_err;
    return m->first_err.code;
}

enum err_code manifest_append(struct manifest *m, const struct record *r, struct err *err)
{
    struct strbuf line = {0};
    enum err_code rc;

    record_format(r, &line);
    pthread_mutex_lock(&m->lock);
    while (!m->first_err.code && m->pending.len >= PENDING_MAX_BYTES)
        pthread_cond_wait(&m->moved, &m->lock);
    rc = manifest_state(m, err);
    if (!rc) {
        strbuf_add(&m->pending, line.str, line.len);
        if (m->appended++ == m->taken)
            m->oldest_us = clock_mono_us();
        /* the first sets the thread's alarm */
        if (m->appended - m->taken == 1 || manifest_group_is_due(m, m->oldest_us))
            pthread_cond_signal(&m->wake);
    }
    pthread_mutex_unlock(&m->lock);
    strbuf_release(&line);
    return rc;
}

enum err_code manifest_flush(struct manifest *m, struct err *err)
{
    uint64_t target;
    enum err_code rc;

    pthread_mutex_lock(&m->lock);
    target = m->appended;
    if (m->flush_to < target)
        m->flush_to = target;
    pthread_cond_signal(&m->wake);
    while (!m->first_err.code && m->durable < target)
        pthread_cond_wait(&m->moved, &m->lock);
    rc = manifest_state(m, err);
    pthread_mutex_unlock(&m->lock);
    return rc;
}

enum err_code manifest_close(struct manifest *m, struct err *err)
{
    enum err_code rc;

    if (!m)
        return ERR_OK;
    pthread_mutex_lock(&m->lock);
    m->closing = true;
    pthread_cond_signal(&m->wake);
    pthread_mutex_unlock(&m->lock);
    rc = pool_join(m->thread, err);
    manifest_free(m);
    return rc;
}
