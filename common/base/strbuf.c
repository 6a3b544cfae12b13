#include "common/base/strbuf.h"

#include "common/base/mem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define STRBUF_CAP_MIN ((size_t)64)

void strbuf_release(struct strbuf *sb)
{
    size_t max = sb->max;

    free(sb->str);
    *sb = (struct strbuf){.max = max};
}

char *strbuf_detach(struct strbuf *sb)
{
    char *str = sb->str ? sb->str : xstrdup("");

    *sb = (struct strbuf){.max = sb->max};
    return str;
}

/* Room for `extra` bytes and the NUL. ERR_LIMIT or ERR_NOMEM: nothing has changed. */
static enum err_code strbuf_room(struct strbuf *sb, size_t extra)
{
    size_t max = sb->max ? sb->max : STRBUF_MAX_DEFAULT;
    size_t cap;
    char *str;

    if (sb->cap > sb->len && sb->cap - sb->len - 1 >= extra)
        return ERR_OK;
    if (sb->len > max || extra > max - sb->len || max > SIZE_MAX - STRBUF_CAP_MIN)
        return ERR_LIMIT;
    cap = sb->len + extra + 1;
    if (cap < STRBUF_CAP_MIN)
        cap = STRBUF_CAP_MIN;
    if (sb->cap <= max / 2 && cap < sb->cap * 2)
        cap = sb->cap * 2;
    str = realloc(sb->str, cap);
    if (!str)
        return ERR_NOMEM;
    if (!sb->str)
        str[0] = '\0';
    sb->str = str;
    sb->cap = cap;
    return ERR_OK;
}

enum err_code strbuf_reserve(struct strbuf *sb, size_t extra, struct err *err)
{
    enum err_code rc = strbuf_room(sb, extra);

    if (rc == ERR_LIMIT)
        return err_set(err, rc, "%zu bytes and %zu more are above the limit of %zu bytes", sb->len,
                       extra, sb->max ? sb->max : STRBUF_MAX_DEFAULT);
    if (rc)
        return err_set(err, rc, "no memory for %zu bytes and %zu more", sb->len, extra);
    return ERR_OK;
}

void strbuf_grow(struct strbuf *sb, size_t extra)
{
    enum err_code rc = strbuf_room(sb, extra);

    if (!rc)
        return;
    (void)fprintf(stderr, "ferry: %s for a text of %zu bytes and %zu more\n",
                  rc == ERR_NOMEM ? "out of memory" : "no room", sb->len, extra);
    abort();
}

void strbuf_add(struct strbuf *sb, const void *data, size_t len)
{
    strbuf_grow(sb, len);
    if (len)
        memcpy(sb->str + sb->len, data, len);
    sb->len += len;
    sb->str[sb->len] = '\0';
}

void strbuf_addstr(struct strbuf *sb, const char *str)
{
    strbuf_add(sb, str, strlen(str));
}

void strbuf_addch(struct strbuf *sb, char c)
{
    strbuf_add(sb, &c, 1);
}

void strbuf_addf(struct strbuf *sb, const char *fmt, ...)
{
    va_list args;
    va_list again;
    int len;

    va_start(args, fmt);
    va_copy(again, args);
    len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    assert(len >= 0);
    strbuf_grow(sb, (size_t)len);
    (void)vsnprintf(sb->str + sb->len, (size_t)len + 1, fmt, again);
    va_end(again);
    sb->len += (size_t)len;
}

void strbuf_setlen(struct strbuf *sb, size_t len)
{
    assert(len <= sb->len);
    sb->len = len;
    if (sb->str)
        sb->str[len] = '\0';
}
