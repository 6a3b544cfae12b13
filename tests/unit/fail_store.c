#include "tests/unit/fail_store.h"

#include "common/base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>

struct fail_store {
    struct store base;
    struct store *inner;
    unsigned fail_at;
    atomic_uint calls;
};
struct fail_sink {
    struct sink base;
    struct fail_store *store;
};
struct fail_source {
    struct source base;
    struct fail_store *store;
};

static enum err_code fail_now(struct fail_store *f, struct err *err)
{
    if (atomic_fetch_add(&f->calls, 1) + 1 == f->fail_at)
        return err_set(err, ERR_IO, "made to fail");
    return ERR_OK;
}

static enum err_code fail_sink_write(struct sink *self, const void *buf, size_t len,
                                     struct err *err)
{
    enum err_code rc = fail_now(((struct fail_sink *)self)->store, err);

    return rc ? rc : sink_write(self->next, buf, len, err);
}

static enum err_code fail_sink_finish(struct sink *self, struct err *err)
{
    enum err_code rc = fail_now(((struct fail_sink *)self)->store, err);

    return rc ? rc : sink_finish(self->next, err);
}

static void fail_sink_free(struct sink *self)
{
    sink_free(self->next);
    free(self);
}

static const struct sink_ops fail_sink_ops = {"fail", fail_sink_write, fail_sink_finish,
                                              fail_sink_free};

static enum err_code fail_source_read(struct source *self, void *buf, size_t cap, size_t *got,
                                      struct err *err)
{
    enum err_code rc = fail_now(((struct fail_source *)self)->store, err);

    return rc ? rc : source_read(self->next, buf, cap, got, err);
}

static void fail_source_free(struct source *self)
{
    source_free(self->next);
    free(self);
}

static const struct source_ops fail_source_ops = {"fail", fail_source_read, fail_source_free};

static enum err_code fail_open_read(struct store *s, const char *path, uint64_t off, uint64_t len,
                                    struct source **out, struct err *err)
{
    struct fail_store *f = (struct fail_store *)s;
    struct fail_source *source;
    struct source *next = NULL;
    enum err_code rc = fail_now(f, err);

    if (!rc)
        rc = store_open_read(f->inner, path, off, len, &next, err);
    if (rc)
        return rc;
    source = xcalloc(1, sizeof *source);
    source->base.ops = &fail_source_ops;
    source->base.next = next;
    source->store = f;
    *out = &source->base;
    return ERR_OK;
}

static enum err_code fail_open_write(struct store *s, const char *path, struct sink **out,
                                     struct err *err)
{
    struct fail_store *f = (struct fail_store *)s;
    struct fail_sink *sink;
    struct sink *next = NULL;
    enum err_code rc = fail_now(f, err);

    if (!rc)
        rc = store_open_write(f->inner, path, &next, err);
    if (rc)
        return rc;
    sink = xcalloc(1, sizeof *sink);
    sink->base.ops = &fail_sink_ops;
    sink->base.next = next;
    sink->store = f;
    *out = &sink->base;
    return ERR_OK;
}

static enum err_code fail_create(struct store *s, const char *path, const void *buf, size_t len,
                                 struct err *err)
{
    struct fail_store *f = (struct fail_store *)s;
    enum err_code rc = fail_now(f, err);

    return rc ? rc : store_create(f->inner, path, buf, len, err);
}

static enum err_code fail_stat(struct store *s, const char *path, struct store_info *info,
                               struct err *err)
{
    struct fail_store *f = (struct fail_store *)s;
    enum err_code rc = fail_now(f, err);

    return rc ? rc : store_stat(f->inner, path, info, err);
}

static enum err_code fail_list(struct store *s, const char *prefix, const char *start,
                               store_list_fn *fn, void *ctx, struct err *err)
{
    struct fail_store *f = (struct fail_store *)s;
    enum err_code rc = fail_now(f, err);

    return rc ? rc : store_list(f->inner, prefix, start, fn, ctx, err);
}

static enum err_code fail_remove(struct store *s, const char *path, struct err *err)
{
    struct fail_store *f = (struct fail_store *)s;
    enum err_code rc = fail_now(f, err);

    return rc ? rc : store_remove(f->inner, path, err);
}

static enum err_code fail_discard(struct store *s, const char *prefix, struct err *err)
{
    struct fail_store *f = (struct fail_store *)s;
    enum err_code rc = fail_now(f, err);

    return rc ? rc : store_discard_unfinished(f->inner, prefix, err);
}

static enum err_code fail_clock(struct store *s, int64_t *utc_us, struct err *err)
{
    struct fail_store *f = (struct fail_store *)s;
    enum err_code rc = fail_now(f, err);

    return rc ? rc : store_now(f->inner, utc_us, err);
}

static void fail_free(struct store *s)
{
    free(s); /* store_free has the text */
}

static const struct store_ops fail_store_ops = {
    .scheme = "fail",
    .features = STORE_LOCAL,
    .open_read = fail_open_read,
    .open_write = fail_open_write,
    .create = fail_create,
    .stat = fail_stat,
    .list = fail_list,
    .remove = fail_remove,
    .discard_unfinished = fail_discard,
    .now = fail_clock,
    .free = fail_free,
};

struct store *fail_store_new(struct store *inner, unsigned fail_at)
{
    struct fail_store *f = xcalloc(1, sizeof *f);

    f->base.ops = &fail_store_ops;
    f->base.text = xstrdup("fail:");
    f->inner = inner;
    f->fail_at = fail_at;
    atomic_init(&f->calls, 0);
    return &f->base;
}

unsigned fail_store_calls(struct store *s)
{
    return atomic_load(&((struct fail_store *)s)->calls);
}
