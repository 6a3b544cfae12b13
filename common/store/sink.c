#include "common/store/sink.h"

#include "common/base/mem.h"

#include <stdlib.h>

struct size_tap {
    struct sink base;
    uint64_t *total; /* bytes; borrowed */
};

static enum err_code size_tap_write(struct sink *self, const void *buf, size_t len, struct err *err)
{
    struct size_tap *t = (struct size_tap *)self;
    enum err_code rc = sink_write(self->next, buf, len, err);

    if (!rc)
        *t->total += len;
    return rc;
}

static enum err_code size_tap_finish(struct sink *self, struct err *err)
{
    return sink_finish(self->next, err);
}

static void size_tap_free(struct sink *self)
{
    sink_free(self->next);
    free(self);
}

static const struct sink_ops size_tap_ops = {"size", size_tap_write, size_tap_finish,
                                             size_tap_free};

struct sink *size_tap_new(struct sink *next, uint64_t *total)
{
    struct size_tap *t = xcalloc(1, sizeof *t);

    t->base.ops = &size_tap_ops;
    t->base.next = next;
    t->total = total;
    return &t->base;
}
