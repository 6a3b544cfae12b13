/* common/base/mem.h: allocation that cannot fail (prints and aborts: a killed run is resumable),
 * and arenas. */
#ifndef FERRY_BASE_MEM_H
#define FERRY_BASE_MEM_H

#include <stddef.h>

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *ptr, size_t size);
void *xreallocarray(void *ptr, size_t count, size_t size);
char *xstrdup(const char *str);
char *xstrndup(const char *str, size_t len);
/* A heap string made by printf; free() it. */
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* For what runs for weeks: blocks of 64 KiB and more go back to the system once they are freed. Of
 * the whole process; call it before other threads run. glibc by itself raises that limit to the
 * largest block it has seen freed (mallopt(3), M_MMAP_THRESHOLD), and the heap then grows by what
 * lies between blocks. Does nothing with another libc. */
void mem_return_large_blocks(void);

/* Scratch memory that is given back all at once. One thread at a time. */
struct arena;
struct arena *arena_new(void);
void *arena_alloc(struct arena *a, size_t size); /* aligned for any type, not zeroed */
char *arena_strdup(struct arena *a, const char *str);
char *arena_memdup(struct arena *a, const void *data, size_t len); /* NUL is added behind */
void arena_reset(struct arena *a); /* everything allocated so far is gone; keeps one block */
void arena_free(struct arena *a);

#endif
