/* common/store/source.h: the pull chain that bytes come through on their way in.
 *
 * source_read gives 1..cap bytes, or got == 0 at the end; short reads are allowed. After an error
 * only source_free may be called. Constructors own `next`. One thread at a time. */
#ifndef FERRY_STORE_SOURCE_H
#define FERRY_STORE_SOURCE_H

#include "common/base/err.h"
#include "common/base/strbuf.h"

#include <stddef.h>
#include <stdint.h>

struct source;
struct source_ops {
    const char *name;
    enum err_code (*read)(struct source *self, void *buf, size_t cap, size_t *got, struct err *err);
    void (*free)(struct source *self); /* frees `next` too */
};
struct source { /* first member of each kind */
    const struct source_ops *ops;
    struct source *next;
};

MUST_CHECK static inline enum err_code source_read(struct source *s, void *buf, size_t cap,
                                                   size_t *got, struct err *err)
{
    return s->ops->read(s, buf, cap, got, err);
}
static inline void source_free(struct source *s)
{
    if (s)
        s->ops->free(s);
}
/* Appends everything up to the end to `out`; ERR_LIMIT beyond `max` bytes. */
MUST_CHECK enum err_code source_read_all(struct source *s, struct strbuf *out, size_t max,
                                         struct err *err);
/* Bytes of memory as a source; `buf` is borrowed. */
struct source *source_mem_new(const void *buf, size_t len);

#endif
