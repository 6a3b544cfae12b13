/* follower/apply_merge.h: what many changes come to, row by row.
 *
 * Rows are told apart by the bytes of their key. Applied in any order of the rows, but what is to
 * go before what is to come, the entries give what the changes give one after the other, and fit
 * the target where these do: a row that comes and goes again must not be there before. A change of
 * a key is a row that goes and one that comes. One thread at a time. */
#ifndef FERRY_FOLLOWER_APPLY_MERGE_H
#define FERRY_FOLLOWER_APPLY_MERGE_H

#include "follower/apply_table.h"

struct merge_entry {
    const struct apply_table *table;
    const char *key; /* packed cells */
    uint32_t key_len;
    uint32_t order; /* of its first change */
    uint64_t hash;
    const char *image;  /* packed cells of the row as it is to be; NULL: it is to go */
    const char *change; /* the last one: tells its transaction */
    const char *old; /* packed cells of the row as it is before, where that is checked; or NULL */
    bool was;        /* exact: the row is there before */
    bool loose;      /* idempotent: nothing is known of it */
    int64_t more;    /* a table without a key: so many rows more (or fewer) like this one */
    int64_t need;    /* and so many must be there before */
};

struct merge {
    struct merge_entry *entry;
    size_t count, cap;
    uint32_t *slot; /* index + 1 into `entry`; 0: free */
    size_t slots;
};
void merge_release(struct merge *m);
void merge_reset(struct merge *m);
/* Adds the packed change, which must stay until merge_reset. ERR_FOLLOW_DRIFT: the changes cannot
 * have happened in this order (exact). */
MUST_CHECK enum err_code merge_add(struct merge *m, const struct apply_table *t, const char *change,
                                   struct err *err);
/* By table, then by their first change. The slots are of no use any more until merge_reset. */
void merge_sort(struct merge *m);

#endif
