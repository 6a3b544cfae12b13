#include "common/store/store.h"

#include "common/base/mem.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* An object's bytes never change; whoever replaces an object leaves the old bytes to its readers.
 */
struct mem_bytes {
    atomic_uint users;
    size_t len;
    char *data; /* owned */
};

struct mem_object {
    char *path; /* owned */
    struct mem_bytes *bytes;
    int64_t mtime_us;
};

struct mem_store {
    struct store base;
    pthread_mutex_t lock;       /* guards all below */
    struct mem_object *objects; /* in byte order of the path */
    size_t count, cap;
};

static void mem_bytes_put(struct mem_bytes *b)
{
    if (!b || atomic_fetch_sub(&b->users, 1) != 1)
        return;
    free(b->data);
    free(b);
}

static struct mem_bytes *mem_bytes_new(char *data, size_t len)
{
    struct mem_bytes *b = xcalloc(1, sizeof *b);

    atomic_init(&b->users, 1);
    b->data = data;
    b->len = len;
    return b;
}

/* The index of `path`, or where it would have to be. With the lock held. */
static size_t mem_find(const struct mem_store *m, const char *path, bool *found)
{
    size_t low = 0;
    size_t high = m->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(m->objects[mid].path, path);

        if (order == 0) {
            *found = true;
            return mid;
        }
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    *found = false;
    return low;
}

/* Takes `bytes`. false: the path is there and `replace` was not asked for. */
static bool mem_store_set(struct mem_store *m, const char *path, struct mem_bytes *bytes,
                          bool replace)
{
    struct mem_bytes *gone = NULL;
    bool found;
    size_t at;

    pthread_mutex_lock(&m->lock);
    at = mem_find(m, path, &found);
    if (found && !replace) {
        gone = bytes;
    } else if (found) {
        gone = m->objects[at].bytes;
        m->objects[at].bytes = bytes;
        m->objects[at].mtime_us = clock_utc_us();
    } else {
        if (m->count == m->cap) {
            m->cap = m->cap ? m->cap * 2 : 16;
            m->objects = xreallocarray(m->objects, m->cap, sizeof *m->objects);
        }
        memmove(m->objects + at + 1, m->objects + at, (m->count - at) * sizeof *m->objects);
        m->objects[at] = (struct mem_object){xstrdup(path), bytes, clock_utc_us()};
        m->count++;
    }
    pthread_mutex_unlock(&m->lock);
    mem_bytes_put(gone);
    return !found || replace;
}

/* ---- reading ---- */

struct mem_reader {
    struct source base;
    struct mem_bytes *bytes;
    size_t off, end;
};

static enum err_code mem_reader_read(struct source *self, void *buf, size_t cap, size_t *got,
                                     struct err *err)
{
    struct mem_reader *r = (struct mem_reader *)self;
    size_t n = r->end - r->off;

    (void)err;
    if (n > cap)
        n = cap;
    if (n > 0)
        memcpy(buf, r->bytes->data + r->off, n);
    r->off += n;
    *got = n;
    return ERR_OK;
}

static void mem_reader_free(struct source *self)
{
    struct mem_reader *r = (struct mem_reader *)self;

    mem_bytes_put(r->bytes);
    free(r);
}

static const struct source_ops mem_reader_ops = {"mem", mem_reader_read, mem_reader_free};

static enum err_code mem_open_read(struct store *s, const char *path, uint64_t off, uint64_t len,
                                   struct source **src, struct err *err)
{
    struct mem_store *m = (struct mem_store *)s;
    struct mem_bytes *bytes = NULL;
    struct mem_reader *r;
    bool found;
    size_t at;

    pthread_mutex_lock(&m->lock);
    at = mem_find(m, path, &found);
    if (found) {
        bytes = m->objects[at].bytes;
        atomic_fetch_add(&bytes->users, 1);
    }
    pthread_mutex_unlock(&m->lock);
    if (!bytes)
        return err_set(err, ERR_STORE_NOT_FOUND, "no such object");
    r = xcalloc(1, sizeof *r);
    r->base.ops = &mem_reader_ops;
    r->bytes = bytes;
    r->off = off < bytes->len ? (size_t)off : bytes->len;
    r->end = len > 0 && len < bytes->len - r->off ? r->off + (size_t)len : bytes->len;
    *src = &r->base;
    return ERR_OK;
}

/* ---- writing ---- */

struct mem_writer {
    struct sink base;
    struct mem_store *store;
    char *path;
    struct strbuf data;
};

static enum err_code mem_writer_write(struct sink *self, const void *buf, size_t len,
                                      struct err *err)
{
    struct mem_writer *w = (struct mem_writer *)self;
    enum err_code rc = strbuf_reserve(&w->data, len, err);

    if (rc)
        return rc;
    strbuf_add(&w->data, buf, len);
    return ERR_OK;
}

static enum err_code mem_writer_finish(struct sink *self, struct err *err)
{
    struct mem_writer *w = (struct mem_writer *)self;
    size_t len = w->data.len;

    (void)err;
    (void)mem_store_set(w->store, w->path, mem_bytes_new(strbuf_detach(&w->data), len), true);
    return ERR_OK;
}

static void mem_writer_free(struct sink *self)
{
    struct mem_writer *w = (struct mem_writer *)self;

    strbuf_release(&w->data);
    free(w->path);
    free(w);
}

static const struct sink_ops mem_writer_ops = {"mem", mem_writer_write, mem_writer_finish,
                                               mem_writer_free};

static enum err_code mem_open_write(struct store *s, const char *path, struct sink **sink,
                                    struct err *err)
{
    struct mem_writer *w = xcalloc(1, sizeof *w);

    (void)err;
    w->base.ops = &mem_writer_ops;
    w->store = (struct mem_store *)s;
    w->path = xstrdup(path);
    w->data.max = SIZE_MAX / 4;
    *sink = &w->base;
    return ERR_OK;
}

static enum err_code mem_create(struct store *s, const char *path, const void *buf, size_t len,
                                struct err *err)
{
    char *data = xmalloc(len);

    if (len > 0)
        memcpy(data, buf, len);
    if (!mem_store_set((struct mem_store *)s, path, mem_bytes_new(data, len), false))
        return err_set(err, ERR_STORE_EXISTS, "exists already");
    return ERR_OK;
}

/* ---- the rest ---- */

static enum err_code mem_stat(struct store *s, const char *path, struct store_info *info,
                              struct err *err)
{
    struct mem_store *m = (struct mem_store *)s;
    bool found;
    size_t at;

    pthread_mutex_lock(&m->lock);
    at = mem_find(m, path, &found);
    if (found)
        *info = (struct store_info){m->objects[at].bytes->len, m->objects[at].mtime_us};
    pthread_mutex_unlock(&m->lock);
    return found ? ERR_OK : err_set(err, ERR_STORE_NOT_FOUND, "no such object");
}

/* The first object that sorts after `start` (or is `start`, if `equal`) and has the prefix; its
 * path is put into `path`. */
static bool mem_list_next(struct mem_store *m, const char *prefix, const char *start, bool equal,
                          struct strbuf *path, struct store_info *info)
{
    bool found;
    size_t at;

    pthread_mutex_lock(&m->lock);
    at = mem_find(m, start, &found);
    if (found && !equal)
        at++;
    found = at < m->count && strncmp(m->objects[at].path, prefix, strlen(prefix)) == 0;
    if (found) {
        const struct mem_object *o = &m->objects[at];

        *info = (struct store_info){o->bytes->len, o->mtime_us};
        strbuf_reset(path);
        strbuf_addstr(path, o->path);
    }
    pthread_mutex_unlock(&m->lock);
    return found;
}

static enum err_code mem_list(struct store *s, const char *prefix, const char *start,
                              store_list_fn *fn, void *ctx, struct err *err)
{
    struct mem_store *m = (struct mem_store *)s;
    bool before = strcmp(start, prefix) < 0;
    char *last = xstrdup(before ? prefix : start);
    struct strbuf path = {0};
    struct store_info info;
    enum err_code rc = ERR_OK;

    while (!rc && mem_list_next(m, prefix, last, before, &path, &info)) {
        free(last);
        last = xstrdup(strbuf_str(&path));
        before = false;
        rc = fn(ctx, last, &info, err);
    }
    free(last);
    strbuf_release(&path);
    return rc;
}

static enum err_code mem_remove(struct store *s, const char *path, struct err *err)
{
    struct mem_store *m = (struct mem_store *)s;
    struct mem_object gone = {0};
    bool found;
    size_t at;

    (void)err;
    pthread_mutex_lock(&m->lock);
    at = mem_find(m, path, &found);
    if (found) {
        gone = m->objects[at];
        m->count--;
        memmove(m->objects + at, m->objects + at + 1, (m->count - at) * sizeof *m->objects);
    }
    pthread_mutex_unlock(&m->lock);
    free(gone.path);
    mem_bytes_put(gone.bytes);
    return ERR_OK;
}

/* Nothing outlives the process. */
static enum err_code mem_discard(struct store *s, const char *prefix, struct err *err)
{
    (void)s;
    (void)prefix;
    (void)err;
    return ERR_OK;
}

static enum err_code mem_now(struct store *s, int64_t *utc_us, struct err *err)
{
    (void)s;
    (void)err;
    *utc_us = clock_utc_us();
    return ERR_OK;
}

static void mem_free(struct store *s)
{
    struct mem_store *m = (struct mem_store *)s;

    for (size_t i = 0; i < m->count; i++) {
        free(m->objects[i].path);
        mem_bytes_put(m->objects[i].bytes);
    }
    free(m->objects);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

static const struct store_ops mem_ops = {
    .scheme = "mem",
    .features = STORE_LOCAL,
    .open_read = mem_open_read,
    .open_write = mem_open_write,
    .create = mem_create,
    .stat = mem_stat,
    .list = mem_list,
    .remove = mem_remove,
    .discard_unfinished = mem_discard,
    .now = mem_now,
    .free = mem_free,
};

struct store *store_mem_new(void)
{
    struct mem_store *m = xcalloc(1, sizeof *m);

    m->base.ops = &mem_ops;
    m->base.text = xstrdup("mem:");
    pthread_mutex_init(&m->lock, NULL);
    return &m->base;
}
