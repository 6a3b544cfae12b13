/* common/schema/bound.h: where a range of a table's key begins or ends. */
#ifndef FERRY_SCHEMA_BOUND_H
#define FERRY_SCHEMA_BOUND_H

struct bound { /* a full key tuple as text-protocol cells; count 0: open (the table's begin or end)
                */
    char **cell;        /* never NULL cells: keys are NOT NULL */
    unsigned long *len; /* bytes */
    unsigned count;
};
/* `dst` is overwritten, not released. */
void bound_copy(struct bound *dst, const struct bound *src);
void bound_release(struct bound *b);

#endif
