#include "common/store/source.h"

#include "common/base/mem.h"

#include <stdlib.h>
#include <string.h>

#define READ_ALL_STEP ((size_t)64 << 10) /* bytes asked for at least */

enum err_code source_read_all(struct source *s, struct strbuf *out, size_t max, struct err *err)
{
    size_t had = out->len;
    size_t room = SIZE_MAX / 2 - had;
    size_t limit = max < room ? max : room; /* bytes that may be added */

    /* The caller's `max` decides, not the buffer's own bound for text. */
    if (out->max < had + limit + READ_ALL_STEP)
        out->max = had + limit + READ_ALL_STEP;
    for (;;) {
        size_t got = 0;
        enum err_code rc = strbuf_reserve(out, READ_ALL_STEP, err);

        if (rc)
            return rc;
        rc = source_read(s, out->str + out->len, out->cap - out->len - 1, &got, err);
        if (rc)
            return rc;
        if (got == 0)
            return ERR_OK;
        if (got > limit - (out->len - had))
            return err_set(err, ERR_LIMIT, "larger than %zu bytes", max);
        out->len += got;
        out->str[out->len] = '\0';
    }
}

struct mem_source {
    struct source base;
    const char *buf; /* borrowed */
    size_t left;     /* bytes */
};

static enum err_code mem_source_read(struct source *self, void *buf, size_t cap, size_t *got,
                                     struct err *err)
{
    struct mem_source *m = (struct mem_source *)self;
    size_t n = cap < m->left ? cap : m->left;

    (void)err;
    if (n > 0)
        memcpy(buf, m->buf, n);
    m->buf += n;
    m->left -= n;
    *got = n;
    return ERR_OK;
}

static void mem_source_free(struct source *self)
{
    free(self);
}

static const struct source_ops mem_source_ops = {"memory", mem_source_read, mem_source_free};

struct source *source_mem_new(const void *buf, size_t len)
{
    struct mem_source *m = xcalloc(1, sizeof *m);

    m->base.ops = &mem_source_ops;
    m->buf = len > 0 ? buf : "";
    m->left = len;
    return &m->base;
}
