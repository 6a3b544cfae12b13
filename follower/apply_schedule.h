/* follower/apply_schedule.h: which units must be committed before another.
 *
 * A unit is a run of transactions that follow one another, written as one transaction of the
 * target. Units are numbered in the order of the source. Two that share a value of a unique key
 * must keep their order; no others must. One thread at a time. */
#ifndef FERRY_FOLLOWER_APPLY_SCHEDULE_H
#define FERRY_FOLLOWER_APPLY_SCHEDULE_H

#include "follower/apply_table.h"

struct schedule;
struct schedule *schedule_new(void);
void schedule_free(struct schedule *s); /* NULL is fine */
/* Called with an earlier unit that has a key of these; may be said more than once, also of units
 * that are committed since, and of others between two that share a key. */
typedef void schedule_fn(void *ctx, uint64_t unit);
/* `unit` (1 and up) has these keys too; it is the latest one. */
void schedule_add(struct schedule *s, uint64_t unit, const struct apply_keys *keys, schedule_fn *fn,
                  void *ctx);
/* All units below are committed, and forgotten. */
void schedule_below(struct schedule *s, uint64_t unit);

#endif
