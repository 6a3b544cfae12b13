#include "common/base/mem.h"

#include <malloc.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* For allocations of our own size, where no caller could do better than stop. */
static _Noreturn void mem_die(size_t size)
{
    (void)fprintf(stderr, "ferry: out of memory (%zu bytes asked for)\n", size);
    abort();
}

void mem_return_large_blocks(void)
{
#ifdef M_MMAP_THRESHOLD
    (void)mallopt(M_MMAP_THRESHOLD, 64 * 1024); /* NOLINT(concurrency-mt-unsafe): one thread yet */
#endif
}

void *xmalloc(size_t size)
{
    void *ptr = malloc(size ? size : 1);

    if (!ptr)
        mem_die(size);
    return ptr;
}

void *xcalloc(size_t count, size_t size)
{
    void *ptr = count && size ? calloc(count, size) : calloc(1, 1);

    if (!ptr)
        mem_die(size && count > SIZE_MAX / size ? SIZE_MAX : count * size);
    return ptr;
}

void *xrealloc(void *ptr, size_t size)
{
    void *grown = realloc(ptr, size ? size : 1);

    if (!grown)
        mem_die(size);
    return grown;
}

void *xreallocarray(void *ptr, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size)
        mem_die(SIZE_MAX);
    return xrealloc(ptr, count * size);
}

char *xstrdup(const char *str)
{
    return xstrndup(str, strlen(str));
}

char *xstrndup(const char *str, size_t len)
{
    size_t size = strnlen(str, len);
    char *copy = xmalloc(size + 1);

    memcpy(copy, str, size);
    copy[size] = '\0';
    return copy;
}

char *xasprintf(const char *fmt, ...)
{
    va_list args;
    va_list again;
    char *text;
    int len;

    va_start(args, fmt);
    va_copy(again, args);
    len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    text = xmalloc(len < 0 ? 1 : (size_t)len + 1);
    if (len < 0 || vsnprintf(text, (size_t)len + 1, fmt, again) < 0)
        text[0] = '\0';
    va_end(again);
    return text;
}

#define ARENA_BLOCK_BYTES ((size_t)64 << 10)

struct arena_block {
    struct arena_block *next;
    size_t used;
    size_t size; /* bytes in `data` */
    alignas(max_align_t) unsigned char data[];
};

struct arena {
    struct arena_block *blocks; /* the one being filled comes first */
};

struct arena *arena_new(void)
{
    return xcalloc(1, sizeof(struct arena));
}

static struct arena_block *arena_block_new(size_t size)
{
    struct arena_block *b;

    if (size > SIZE_MAX - sizeof *b)
        mem_die(size);
    b = xmalloc(sizeof *b + size);
    b->next = NULL;
    b->used = 0;
    b->size = size;
    return b;
}

void *arena_alloc(struct arena *a, size_t size)
{
    const size_t align = alignof(max_align_t);
    struct arena_block *b = a->blocks;
    size_t need;
    void *ptr;

    if (size > SIZE_MAX - align)
        mem_die(size);
    need = (size + align - 1) / align * align;
    if (need == 0)
        need = align;
    if (!b || b->size - b->used < need) {
        b = arena_block_new(need > ARENA_BLOCK_BYTES ? need : ARENA_BLOCK_BYTES);
        if (a->blocks && need > ARENA_BLOCK_BYTES) {
            /* one of a kind: goes behind, so that the block being filled stays in use */
            b->next = a->blocks->next;
            a->blocks->next = b;
        } else {
            b->next = a->blocks;
            a->blocks = b;
        }
    }
    ptr = b->data + b->used;
    b->used += need;
    return ptr;
}

char *arena_strdup(struct arena *a, const char *str)
{
    return arena_memdup(a, str, strlen(str));
}

char *arena_memdup(struct arena *a, const void *data, size_t len)
{
    char *copy = arena_alloc(a, len < SIZE_MAX ? len + 1 : len);

    if (len)
        memcpy(copy, data, len);
    copy[len] = '\0';
    return copy;
}

void arena_reset(struct arena *a)
{
    struct arena_block *keep = NULL;
    struct arena_block *next;

    for (struct arena_block *b = a->blocks; b; b = next) {
        next = b->next;
        if (!keep && b->size == ARENA_BLOCK_BYTES)
            keep = b;
        else
            free(b);
    }
    if (keep) {
        keep->next = NULL;
        keep->used = 0;
    }
    a->blocks = keep;
}

void arena_free(struct arena *a)
{
    struct arena_block *next;

    if (!a)
        return;
    for (struct arena_block *b = a->blocks; b; b = next) {
        next = b->next;
        free(b);
    }
    free(a);
}
