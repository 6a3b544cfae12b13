/* common/base/pool.h: N threads that run one function, the first error kept, and a way to cancel.
 *
 * A run owns one pool. Each worker calls `work` once with its own context; `work` loops over its
 * jobs and returns when there are none. A worker that fails calls nothing: it returns the code with
 * `err` filled in, and the pool keeps the first error and sets `cancel`, which the others look at
 * between jobs. */
#ifndef FERRY_BASE_POOL_H
#define FERRY_BASE_POOL_H

#include "common/base/err.h"

#include <stdatomic.h>

/* Shared by everything that must stop early: signal thread, workers, printing thread. */
struct cancel {
    atomic_bool asked; /* stop at the next safe point */
};
static inline bool cancel_asked(const struct cancel *c)
{
    return atomic_load_explicit(&c->asked, memory_order_relaxed);
}
static inline void cancel_ask(struct cancel *c)
{
    atomic_store(&c->asked, true);
}

struct pool;
typedef enum err_code pool_work_fn(void *ctx, unsigned worker, struct err *err);
typedef void pool_cancel_fn(
    void *ctx); /* called once, on the failing worker's thread: queue_cancel and the like */

/* Starts `threads` threads that each call work(ctx, 0..threads-1). `on_fail` may be NULL. */
MUST_CHECK enum err_code pool_start(struct pool **pool, const char *name, unsigned threads,
                                    pool_work_fn *work, pool_cancel_fn *on_fail, void *ctx,
                                    struct err *err);
/* Waits for all, frees the pool, gives the first error. NULL pool: ERR_OK. */
MUST_CHECK enum err_code pool_join(struct pool *pool, struct err *err);

#endif
