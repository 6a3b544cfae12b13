/* One mutex for the counters; it is never held while the store underneath is called. A second one
 * is held while an object is removed or replaced, so that its bytes are taken off once. */
#include "common/store/spool.h"

#include "common/base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define BLOCK_BYTES ((uint64_t)4096)
#define STALL_US ((uint64_t)30000000)
#define KEPT_MIN ((uint64_t)64 << 10)
#define KEPT_MAX ((uint64_t)4 << 20)
#define GROW_BYTES ((uint64_t)64 << 10)

struct spool {
    struct store base; /* first */
    struct store *under;
    struct spool_params params;
    uint64_t kept; /* of the limit, for what never waits */

    pthread_mutex_t removing; /* held while objects go */
    pthread_mutex_t lock;     /* guards what follows */
    pthread_cond_t room;
    uint64_t used;     /* bytes: of all objects, and set aside for those being written */
    uint64_t peak;     /* the most that was */
    unsigned writing;  /* grouped objects that are not finished */
    unsigned growing;  /* of these: wait for more than was set aside */
    unsigned opening;  /* wait to open one */
    bool asked;        /* a writer was told to wait outside */
    uint64_t since_us; /* when the reader has first asked since the last change; 0: it has not */
    bool stopped;
    struct err stalled;
};

static uint64_t blocks(uint64_t bytes)
{
    return (bytes + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
}

/* ---- room; all of it with the lock held ---- */

/* An object was begun or has ended: things move. Records that come and go, as a lease's do, say
 * nothing of that. */
static void room_changed(struct spool *sp)
{
    sp->since_us = 0;
    sp->asked = false;
    pthread_cond_broadcast(&sp->room);
}

static bool room_for(const struct spool *sp, uint64_t bytes)
{
    return sp->used + sp->kept + bytes <= sp->params.limit;
}

static void room_take(struct spool *sp, uint64_t bytes)
{
    sp->used += bytes;
    if (sp->used > sp->peak)
        sp->peak = sp->used;
}

static enum err_code room_refused(struct spool *sp, struct err *err)
{
    if (sp->stalled.code) {
        *err = sp->stalled;
        return err->code;
    }
    return err_set(err, ERR_INTERRUPTED, "interrupted while waiting for room in the spool");
}

/* `others`: who goes before; NULL: nobody. */
static enum err_code room_wait(struct spool *sp, uint64_t bytes, const unsigned *others,
                               struct err *err)
{
    while (!sp->stopped && !sp->stalled.code && ((others && *others) || !room_for(sp, bytes)))
        pthread_cond_wait(&sp->room, &sp->lock);
    if (sp->stopped || sp->stalled.code)
        return room_refused(sp, err);
    room_take(sp, bytes);
    room_changed(sp);
    return ERR_OK;
}

static enum err_code room_open(struct spool *sp, struct err *err)
{
    enum err_code rc;

    pthread_mutex_lock(&sp->lock);
    sp->opening++;
    rc = room_wait(sp, sp->params.object_bytes, &sp->growing, err);
    sp->opening--;
    if (!rc)
        sp->writing++;
    pthread_mutex_unlock(&sp->lock);
    return rc;
}

/* `have`: that the object was given before. */
static enum err_code room_grow(struct spool *sp, uint64_t have, uint64_t bytes, struct err *err)
{
    enum err_code rc;

    if (have + bytes + sp->kept > sp->params.limit)
        return err_set(err, ERR_SPOOL_FULL,
                       "one file needs more than %" PRIu64 " bytes, and the spool has %" PRIu64,
                       have, sp->params.limit);
    pthread_mutex_lock(&sp->lock);
    sp->growing++;
    rc = room_wait(sp, bytes, NULL, err);
    sp->growing--;
    pthread_mutex_unlock(&sp->lock);
    return rc;
}

/* Of what was set aside, `left` stays. */
static void room_end(struct spool *sp, uint64_t reserved, uint64_t left)
{
    pthread_mutex_lock(&sp->lock);
    sp->used = sp->used - reserved + left;
    sp->writing--;
    room_changed(sp);
    pthread_mutex_unlock(&sp->lock);
}

static void room_give(struct spool *sp, uint64_t bytes)
{
    pthread_mutex_lock(&sp->lock);
    sp->used -= bytes < sp->used ? bytes : sp->used;
    pthread_cond_broadcast(&sp->room);
    pthread_mutex_unlock(&sp->lock);
}

/* Records: at once, or not at all. */
static enum err_code room_record(struct spool *sp, uint64_t bytes, struct err *err)
{
    enum err_code rc = ERR_OK;

    pthread_mutex_lock(&sp->lock);
    if (sp->used + bytes > sp->params.limit)
        rc = err_set(err, ERR_SPOOL_FULL,
                     "the records alone do not fit into the %" PRIu64 " bytes of the spool any "
                     "more",
                     sp->params.limit);
    else
        room_take(sp, bytes);
    pthread_mutex_unlock(&sp->lock);
    return rc;
}

bool spool_full(struct spool *sp)
{
    bool full;

    pthread_mutex_lock(&sp->lock);
    full = !sp->stopped && !sp->stalled.code &&
           (sp->growing || !room_for(sp, sp->params.object_bytes));
    sp->asked = full;
    pthread_mutex_unlock(&sp->lock);
    return full;
}

bool spool_pressed(struct spool *sp)
{
    const uint64_t now = clock_mono_us();
    bool pressed;

    pthread_mutex_lock(&sp->lock);
    pressed = sp->growing || sp->opening || sp->asked;
    if (!pressed || sp->growing < sp->writing) /* somebody is writing who does not wait */
        sp->since_us = 0;
    else if (!sp->since_us)
        sp->since_us = now;
    else if (now - sp->since_us >= sp->params.stall_us && !sp->stalled.code) {
        (void)err_set(&sp->stalled, ERR_SPOOL_FULL,
                      "%" PRIu64 " of the spool's %" PRIu64
                      " bytes are in use, the next file may need %" PRIu64
                      ", and nothing of what is there can be loaded",
                      sp->used, sp->params.limit, sp->params.object_bytes);
        pthread_cond_broadcast(&sp->room);
    }
    pthread_mutex_unlock(&sp->lock);
    return pressed;
}

void spool_stop(struct spool *sp)
{
    pthread_mutex_lock(&sp->lock);
    sp->stopped = true;
    pthread_cond_broadcast(&sp->room);
    pthread_mutex_unlock(&sp->lock);
}

uint64_t spool_peak(struct spool *sp)
{
    uint64_t peak;

    pthread_mutex_lock(&sp->lock);
    peak = sp->peak;
    pthread_mutex_unlock(&sp->lock);
    return peak;
}

/* ---- grouped objects ---- */

struct spool_sink {
    struct sink base;
    struct spool *sp;
    uint64_t reserved, written; /* bytes */
    bool ended;                 /* its room is settled */
};

static enum err_code spool_sink_write(struct sink *self, const void *buf, size_t len,
                                      struct err *err)
{
    struct spool_sink *s = (struct spool_sink *)self;
    const uint64_t need = blocks(s->written + len);

    if (need > s->reserved) {
        const uint64_t more = need - s->reserved + GROW_BYTES;

        if (room_grow(s->sp, s->reserved, more, err))
            return err->code;
        s->reserved += more;
    }
    s->written += len;
    return sink_write(s->base.next, buf, len, err);
}

static enum err_code spool_sink_finish(struct sink *self, struct err *err)
{
    struct spool_sink *s = (struct spool_sink *)self;
    enum err_code rc = sink_finish(s->base.next, err);

    if (rc)
        return rc;
    s->ended = true;
    room_end(s->sp, s->reserved, blocks(s->written));
    return ERR_OK;
}

static void spool_sink_free(struct sink *self)
{
    struct spool_sink *s = (struct spool_sink *)self;

    sink_free(s->base.next);
    if (!s->ended)
        room_end(s->sp, s->reserved, 0);
    free(s);
}

static const struct sink_ops spool_sink_ops = {"spool", spool_sink_write, spool_sink_finish,
                                               spool_sink_free};

static enum err_code spool_open_grouped(struct store *s, const char *path, struct sink **sink,
                                        struct err *err)
{
    struct spool *sp = (struct spool *)s;
    const struct store_ops *ops = sp->under->ops;
    struct spool_sink *out;
    struct sink *next = NULL;
    enum err_code rc = room_open(sp, err);

    if (rc)
        return rc;
    rc = ops->open_grouped ? ops->open_grouped(sp->under, path, &next, err)
                           : ops->open_write(sp->under, path, &next, err);
    if (rc) {
        room_end(sp, sp->params.object_bytes, 0);
        return rc;
    }
    out = xcalloc(1, sizeof *out);
    out->base = (struct sink){&spool_sink_ops, next};
    out->sp = sp;
    out->reserved = sp->params.object_bytes;
    *sink = &out->base;
    return ERR_OK;
}

/* ---- records ---- */

struct record_sink {
    struct sink base;
    struct spool *sp;
    char *path;
    uint64_t taken, written; /* bytes */
    bool ended;
};

/* What the object has now; 0: there is none. */
static enum err_code spool_bytes(struct spool *sp, const char *path, uint64_t *bytes,
                                 struct err *err)
{
    struct store_info info = {0};
    enum err_code rc = sp->under->ops->stat(sp->under, path, &info, err);

    if (rc && rc != ERR_STORE_NOT_FOUND)
        return rc;
    *bytes = rc ? 0 : blocks(info.size);
    err_clear(err);
    return ERR_OK;
}

static enum err_code record_sink_write(struct sink *self, const void *buf, size_t len,
                                       struct err *err)
{
    struct record_sink *r = (struct record_sink *)self;
    const uint64_t need = blocks(r->written + len);

    if (need > r->taken) {
        if (room_record(r->sp, need - r->taken, err))
            return err->code;
        r->taken = need;
    }
    r->written += len;
    return sink_write(r->base.next, buf, len, err);
}

static enum err_code record_sink_finish(struct sink *self, struct err *err)
{
    struct record_sink *r = (struct record_sink *)self;
    uint64_t before = 0;
    enum err_code rc;

    pthread_mutex_lock(&r->sp->removing);
    rc = spool_bytes(r->sp, r->path, &before, err);
    if (!rc)
        rc = sink_finish(r->base.next, err);
    pthread_mutex_unlock(&r->sp->removing);
    if (rc)
        return rc;
    r->ended = true;
    room_give(r->sp, before);
    return ERR_OK;
}

static void record_sink_free(struct sink *self)
{
    struct record_sink *r = (struct record_sink *)self;

    sink_free(r->base.next);
    if (!r->ended)
        room_give(r->sp, r->taken);
    free(r->path);
    free(r);
}

static const struct sink_ops record_sink_ops = {"spool", record_sink_write, record_sink_finish,
                                                record_sink_free};

static enum err_code spool_open_write(struct store *s, const char *path, struct sink **sink,
                                      struct err *err)
{
    struct spool *sp = (struct spool *)s;
    struct record_sink *out;
    struct sink *next = NULL;
    enum err_code rc = sp->under->ops->open_write(sp->under, path, &next, err);

    if (rc)
        return rc;
    out = xcalloc(1, sizeof *out);
    out->base = (struct sink){&record_sink_ops, next};
    out->sp = sp;
    out->path = xstrdup(path);
    *sink = &out->base;
    return ERR_OK;
}

static enum err_code spool_create(struct store *s, const char *path, const void *buf, size_t len,
                                  struct err *err)
{
    struct spool *sp = (struct spool *)s;
    enum err_code rc = room_record(sp, blocks(len), err);

    if (rc)
        return rc;
    rc = sp->under->ops->create(sp->under, path, buf, len, err);
    if (rc)
        room_give(sp, blocks(len));
    return rc;
}

/* ---- the rest of the driver ---- */

static enum err_code spool_open_read(struct store *s, const char *path, uint64_t off, uint64_t len,
                                     struct source **src, struct err *err)
{
    struct spool *sp = (struct spool *)s;

    return sp->under->ops->open_read(sp->under, path, off, len, src, err);
}

static enum err_code spool_stat(struct store *s, const char *path, struct store_info *info,
                                struct err *err)
{
    struct spool *sp = (struct spool *)s;

    return sp->under->ops->stat(sp->under, path, info, err);
}

/* Objects may be removed from within the callback: by the way below, as by any. */
static enum err_code spool_list(struct store *s, const char *prefix, const char *start,
                                store_list_fn *fn, void *ctx, struct err *err)
{
    struct spool *sp = (struct spool *)s;

    return sp->under->ops->list(sp->under, prefix, start, fn, ctx, err);
}

static enum err_code spool_remove(struct store *s, const char *path, struct err *err)
{
    struct spool *sp = (struct spool *)s;
    uint64_t bytes = 0;
    enum err_code rc;

    pthread_mutex_lock(&sp->removing);
    rc = spool_bytes(sp, path, &bytes, err);
    if (!rc)
        rc = sp->under->ops->remove(sp->under, path, err);
    pthread_mutex_unlock(&sp->removing);
    if (!rc && bytes)
        room_give(sp, bytes);
    return rc;
}

static enum err_code spool_discard(struct store *s, const char *prefix, struct err *err)
{
    struct spool *sp = (struct spool *)s;

    return sp->under->ops->discard_unfinished(sp->under, prefix, err);
}

static enum err_code spool_now(struct store *s, int64_t *utc_us, struct err *err)
{
    struct spool *sp = (struct spool *)s;

    return sp->under->ops->now(sp->under, utc_us, err);
}

static enum err_code spool_sync(struct store *s, struct err *err)
{
    struct spool *sp = (struct spool *)s;

    return sp->under->ops->sync ? sp->under->ops->sync(sp->under, err) : ERR_OK;
}

static void spool_store_free(struct store *s)
{
    struct spool *sp = (struct spool *)s;

    store_free(sp->under);
    pthread_cond_destroy(&sp->room);
    pthread_mutex_destroy(&sp->lock);
    pthread_mutex_destroy(&sp->removing);
    free(sp);
}

static char *spool_above(struct store *s, const char *path)
{
    return store_above(((struct spool *)s)->under, path);
}

static const struct store_ops spool_ops = {
    .scheme = "spool",
    .features = STORE_LOCAL,
    .open_read = spool_open_read,
    .open_write = spool_open_write,
    .create = spool_create,
    .stat = spool_stat,
    .list = spool_list,
    .remove = spool_remove,
    .discard_unfinished = spool_discard,
    .now = spool_now,
    .free = spool_store_free,
    .open_grouped = spool_open_grouped,
    .sync = spool_sync,
    .above = spool_above,
};

static enum err_code spool_count(void *ctx, const char *path, const struct store_info *info,
                                 struct err *err)
{
    (void)path;
    (void)err;
    *(uint64_t *)ctx += blocks(info->size);
    return ERR_OK;
}

static uint64_t spool_kept(uint64_t limit)
{
    const uint64_t part = limit / 16;

    return part < KEPT_MIN ? KEPT_MIN : part > KEPT_MAX ? KEPT_MAX : part;
}

enum err_code spool_new(struct store *under, const struct spool_params *params, struct spool **out,
                        struct err *err)
{
    struct spool *sp;
    uint64_t used = 0;
    enum err_code rc = ERR_OK;

    if (spool_kept(params->limit) + params->object_bytes > params->limit)
        rc = err_set(err, ERR_SPOOL_FULL,
                     "a spool of %" PRIu64 " bytes is too small for one file, which may need "
                     "%" PRIu64,
                     params->limit, params->object_bytes);
    if (!rc)
        rc = store_list(under, "", NULL, spool_count, &used, err);
    if (rc) {
        store_free(under);
        return rc;
    }
    sp = xcalloc(1, sizeof *sp);
    sp->base.ops = &spool_ops;
    sp->base.text = xstrdup(under->text);
    sp->under = under;
    sp->params = *params;
    sp->kept = spool_kept(params->limit);
    if (!sp->params.stall_us)
        sp->params.stall_us = STALL_US;
    sp->used = sp->peak = used;
    pthread_mutex_init(&sp->removing, NULL);
    pthread_mutex_init(&sp->lock, NULL);
    pthread_cond_init(&sp->room, NULL);
    *out = sp;
    return ERR_OK;
}

struct store *spool_store(struct spool *sp)
{
    return &sp->base;
}

void spool_free(struct spool *sp)
{
    if (sp)
        store_free(&sp->base);
}
