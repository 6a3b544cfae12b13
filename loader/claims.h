/* loader/claims.h: which chunk is next, among those that no other loader has.
 *
 * The plan's list is looked at in windows of 100: their rows in the target are read, those that
 * others have done are counted, those that others hold are put off, the rest are tried, each by a
 * compare-and-set against what was seen. With others about, every process begins elsewhere in the
 * list, and picks at random in its window. What was put off is looked at again, until somebody has
 * done it: a dead loader's chunks turn up there. */
#ifndef FERRY_LOADER_CLAIMS_H
#define FERRY_LOADER_CLAIMS_H

#include "loader/load_inner.h"

struct claims;
/* For the chunks of the plan, in their order. `others`: this load is shared at the moment. */
MUST_CHECK enum err_code claims_new(struct load_run *run, bool others, struct claims **,
                                    struct err *err);
void claims_free(struct claims *c); /* NULL is fine */
/* The next to be tried over `conn`; waits while others hold all that is left. *index is the chunk's
 * in run->chunks, or run->chunk_count: none is left for this process, or the run is stopped. */
MUST_CHECK enum err_code claims_next(struct load_run *run, struct conn *conn, size_t *index,
                                     struct chunk_view *seen, struct err *err);
/* Whether other loaders of this load are known to be, or to have been. */
bool claims_shared(const struct load_run *run);
/* It could not be taken, or was lost to another loader: to be looked at again. */
void claims_put_back(struct load_run *run, size_t index);
/* What others have done of it since it was last known, as the claim or the row says. */
void claims_count_others(struct load_run *run, size_t index, uint64_t rows, uint64_t raw_off,
                         bool done);

#endif
