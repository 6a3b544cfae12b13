/* common/base/strbuf.h: a growing byte string that always ends in NUL.
 *
 * `{0}` is a valid empty buffer. Growth beyond `max` (0: STRBUF_MAX_DEFAULT) aborts for the plain
 * calls, which are for text of our own; buffers that grow with rows use strbuf_reserve, which
 * returns an error. Not shared between threads. */
#ifndef FERRY_BASE_STRBUF_H
#define FERRY_BASE_STRBUF_H

#include "common/base/err.h"

#include <stddef.h>
#include <string.h>

#define STRBUF_MAX_DEFAULT ((size_t)64 << 20)

struct strbuf {
    char *str;  /* NULL only while cap is 0; read through strbuf_str */
    size_t len; /* bytes, without the NUL */
    size_t cap; /* bytes allocated */
    size_t max; /* bytes; a buffer for rows sets it to what a row may take */
};

void strbuf_release(struct strbuf *sb);
static inline void strbuf_reset(struct strbuf *sb)
{
    sb->len = 0;
    if (sb->str)
        sb->str[0] = '\0';
}
/* Never NULL; valid until the next change. */
static inline const char *strbuf_str(const struct strbuf *sb)
{
    return sb->str ? sb->str : "";
}
/* Hands the heap string over (free()); the buffer is empty again. Never NULL. */
char *strbuf_detach(struct strbuf *sb);

/* Room for `extra` more bytes and the NUL. ERR_NOMEM or ERR_LIMIT; the content stays. */
MUST_CHECK enum err_code strbuf_reserve(struct strbuf *sb, size_t extra, struct err *err);
/* As strbuf_reserve, but aborts. */
void strbuf_grow(struct strbuf *sb, size_t extra);

void strbuf_add(struct strbuf *sb, const void *data, size_t len);
void strbuf_addstr(struct strbuf *sb, const char *str);
void strbuf_addch(struct strbuf *sb, char c);
void strbuf_addf(struct strbuf *sb, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Cuts to `len` bytes, which must not exceed the present length. */
void strbuf_setlen(struct strbuf *sb, size_t len);

#endif
