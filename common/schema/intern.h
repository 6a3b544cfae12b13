/* common/schema/intern.h: one copy of each string, so that equal strings are equal pointers.
 *
 * The strings live in the arena that the caller gives; the table itself is released when nothing
 * more is added. One thread at a time. */
#ifndef FERRY_SCHEMA_INTERN_H
#define FERRY_SCHEMA_INTERN_H

#include "common/base/mem.h"

struct intern {
    struct arena *arena;
    const char **slots; /* open addressing; NULL: free */
    size_t cap, count;  /* cap is a power of two */
};

/* A NUL is added; bytes behind a NUL in `str` are lost to readers of the string. */
const char *intern_add(struct intern *in, const char *str, size_t len);
void intern_release(struct intern *in);

#endif
