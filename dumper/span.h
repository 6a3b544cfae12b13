/* dumper/span.h: the ranges of tables that workers read, and the queue they are taken from.
 *
 * A span is (lo, hi] of a table's key, read by one worker in the key's order; `lo` moves up as its
 * chunks become durable. The queue gives out spans that were split off first, then whole tables in
 * the plan's order: so that a table's ranges cost nothing before it is its turn. Any thread; a span
 * belongs to the worker that took it. */
#ifndef FERRY_DUMPER_SPAN_H
#define FERRY_DUMPER_SPAN_H

#include "common/base/pool.h"
#include "formats/manifest.h"

#include <stdint.h>

struct plan_table;

struct span {
    struct plan_table *table;
    unsigned id;
    struct bound lo, hi;
    uint64_t bytes_left; /* a guess, from statistics; 0: none */
    bool full_seen;      /* a whole LIMIT of rows has come: there is more than one chunk */
    bool no_split;       /* no key to split at was found */
    struct span *next;   /* the queue's, or the plan's list of a table's missing ranges */
};

/* Takes the contents of both bounds and empties them. */
struct span *span_new(struct plan_table *table, unsigned id, struct bound *lo, struct bound *hi);
void span_free(struct span *s);

struct span_queue;
struct span_job {             /* one of both */
    struct plan_table *table; /* to be begun: its definition looked at, its spans pushed */
    struct span *span;        /* of a table that was begun; the taker's */
};
/* `tables` is borrowed. Takers stop soon after either of the two cancels is asked. */
struct span_queue *span_queue_new(struct plan_table *tables, size_t count,
                                  const struct cancel *stop, const struct cancel *asked);
/* Waits for a job; false: there are none and no worker has one that could bring more, or stopped.
 * Each job that was taken is ended by span_queue_done. */
bool span_queue_take(struct span_queue *q, struct span_job *job);
/* Takes the span. Only while holding a job. */
void span_queue_push(struct span_queue *q, struct span *s);
void span_queue_done(struct span_queue *q);
/* Whether a worker waits for which there is no job: a span should be split. A hint. */
bool span_queue_hungry(const struct span_queue *q);
void span_queue_free(struct span_queue *q);

#endif
