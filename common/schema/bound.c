#include "common/schema/bound.h"

#include "common/base/mem.h"

#include <stdlib.h>
#include <string.h>

void bound_copy(struct bound *dst, const struct bound *src)
{
    struct bound copy = {.count = src->count};

    if (src->count) {
        copy.cell = xcalloc(src->count, sizeof *copy.cell);
        copy.len = xcalloc(src->count, sizeof *copy.len);
    }
    for (unsigned i = 0; i < src->count; i++) {
        copy.cell[i] = xmalloc(src->len[i] + 1);
        memcpy(copy.cell[i], src->cell[i], src->len[i]);
        copy.cell[i][src->len[i]] = '\0';
        copy.len[i] = src->len[i];
    }
    *dst = copy;
}

void bound_release(struct bound *b)
{
    for (unsigned i = 0; i < b->count; i++)
        free(b->cell[i]);
    free((void *)b->cell);
    free(b->len);
    memset(b, 0, sizeof *b);
}
