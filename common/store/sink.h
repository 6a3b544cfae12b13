/* common/store/sink.h: the push chain that bytes go through on their way out.
 *
 * A chain is built from its end: each constructor takes `next` and owns it from then on (also when
 * the constructor fails). write() takes all bytes or fails; finish() flushes and then finishes the
 * next sink; sink_free() in any state discards what was not finished: the object never appears.
 * After a failure only sink_free may be called. One thread at a time. A sink never knows what is
 * above it.
 *
 * The order, built in one place (formats/dump_write.c):
 *   rows -> size tap (raw) -> zstd | gzip -> [AES-GCM, later] -> digest tap (stored) -> store */
#ifndef FERRY_STORE_SINK_H
#define FERRY_STORE_SINK_H

#include "common/base/err.h"

#include <stddef.h>
#include <stdint.h>

struct sink;
struct sink_ops {
    const char *name; /* for messages: "zstd", "file" */
    enum err_code (*write)(struct sink *self, const void *buf, size_t len, struct err *err);
    enum err_code (*finish)(struct sink *self, struct err *err);
    void (*free)(struct sink *self); /* frees `next` too */
};
struct sink { /* first member of each kind */
    const struct sink_ops *ops;
    struct sink *next;
};

MUST_CHECK static inline enum err_code sink_write(struct sink *s, const void *buf, size_t len,
                                                  struct err *err)
{
    return s->ops->write(s, buf, len, err);
}
MUST_CHECK static inline enum err_code sink_finish(struct sink *s, struct err *err)
{
    return s->ops->finish(s, err);
}
static inline void sink_free(struct sink *s)
{
    if (s)
        s->ops->free(s);
}

/* Counts bytes into *total (a tap: it observes). */
struct sink *size_tap_new(struct sink *next, uint64_t *total);

#endif
