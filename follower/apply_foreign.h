/* follower/apply_foreign.h: the foreign keys of a target, for the order of changes: a parent is
 * there before its children, and goes after them. Nothing is checked by the server meanwhile; it is
 * what a reader of the target sees that is kept in order. Built once; then any thread may read it.
 */
#ifndef FERRY_FOLLOWER_APPLY_FOREIGN_H
#define FERRY_FOLLOWER_APPLY_FOREIGN_H

#include "common/mysql/conn.h"

struct apply_foreign {
    char *db, *name, *key; /* of the child */
    char *parent_db, *parent;
    char **columns, **parent_columns;
    unsigned count;
    uint64_t space; /* of the parent's columns: for apply_index */
};
struct apply_foreigns {
    struct apply_foreign *foreign;
    size_t count;
};
void apply_foreigns_release(struct apply_foreigns *f);
/* All of the target. */
MUST_CHECK enum err_code apply_foreigns_read(struct conn *c, struct apply_foreigns *out,
                                             struct err *err);

#endif
