#include "common/schema/intern.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static uint64_t intern_hash(const char *str, size_t len)
{
    uint64_t h = 0xcbf29ce484222325U; /* FNV-1a */

    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)str[i]) * 0x100000001b3U;
    return h ^ h >> 32;
}

static const char **intern_slot(const struct intern *in, const char *str, size_t len)
{
    size_t mask = in->cap - 1;
    size_t i = intern_hash(str, len) & mask;

    for (; in->slots[i]; i = (i + 1) & mask) {
        if (strncmp(in->slots[i], str, len) == 0 && in->slots[i][len] == '\0')
            break;
    }
    return &in->slots[i];
}

static void intern_grow(struct intern *in)
{
    const char **old = in->slots;
    size_t old_cap = in->cap;

    in->cap = old_cap ? old_cap * 2 : 1024;
    in->slots = xcalloc(in->cap, sizeof(*in->slots));
    for (size_t i = 0; i < old_cap; i++) {
        if (old[i])
            *intern_slot(in, old[i], strlen(old[i])) = old[i];
    }
    free(old);
}

const char *intern_add(struct intern *in, const char *str, size_t len)
{
    const char **slot;
    const char *end = memchr(str, '\0', len);

    if (end)
        len = (size_t)(end - str);
    if ((in->count + 1) * 2 > in->cap)
        intern_grow(in);
    slot = intern_slot(in, str, len);
    if (!*slot) {
        *slot = arena_memdup(in->arena, str, len);
        in->count++;
    }
    return *slot;
}

void intern_release(struct intern *in)
{
    free(in->slots);
    in->slots = NULL;
    in->cap = in->count = 0;
}
