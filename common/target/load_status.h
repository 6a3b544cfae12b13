/* common/target/load_status.h: how far the loads of a target are, and who is at them: read, nothing
 * is written and nobody is disturbed. */
#ifndef FERRY_TARGET_LOAD_STATUS_H
#define FERRY_TARGET_LOAD_STATUS_H

#include "common/target/loaders.h"

struct load_status { /* one job; texts are valid during the call */
    uint64_t job;
    const char *dump_uuid, *purpose, *renames; /* "load" or "check" */
    const char *state;                         /* "new", "schema done", "rows done", "done" */
    const char *stopped, *stopped_by;          /* "" */
    const char *created_at, *finished_at;      /* UTC; "" */
    uint64_t files, files_done, rows;
};
typedef enum err_code load_status_fn(void *ctx, const struct load_status *, struct err *err);
/* All jobs in `schema` (NULL: ferry_meta), the oldest first. ERR_LOAD_STATE: there is no state.
 * `fn` may use `c`, as for loaders_read. */
MUST_CHECK enum err_code load_status_read(struct conn *c, const char *schema, struct state *s,
                                          load_status_fn *fn, void *ctx, struct err *err);

#endif
