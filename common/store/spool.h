/* common/store/spool.h: a store that never holds more than so many bytes: a dump is written to it
 * while a load reads it and takes away what it is done with.
 *
 * Counted is what lies in the store, each object rounded up to 4 KiB, and what those that are being
 * written may still need. An object that is opened by store_open_grouped has `object_bytes` set
 * aside for it at once, so that whoever has begun one can finish it; opening waits until there is
 * so much room. One that grows longer waits for each further piece, before those that would open
 * another. What store_create and store_open_write write (records, which are small and without which
 * nothing can be taken away) never waits: a part of the limit is kept free for it, and when that is
 * used up too it fails.
 *
 * No deadlock: when writers wait, none else is writing, and the reader has nothing that it could
 * take, then all of them fail (ERR_SPOOL_FULL).
 *
 * Any thread. */
#ifndef FERRY_STORE_SPOOL_H
#define FERRY_STORE_SPOOL_H

#include "common/store/store.h"

#include <stdbool.h>

struct spool;
struct spool_params {
    uint64_t limit;        /* bytes */
    uint64_t object_bytes; /* that a grouped object needs, as a rule */
    uint64_t stall_us;     /* without a change, until waiting writers fail; 0: 30 s */
};
/* Takes `under`, also when it fails; what it holds already is counted. ERR_SPOOL_FULL: not even one
 * object would fit. */
MUST_CHECK enum err_code spool_new(struct store *under, const struct spool_params *params,
                                   struct spool **, struct err *err);
/* The store to write to and to read from; freed with the spool. */
struct store *spool_store(struct spool *sp);
/* Sinks and sources first. NULL is fine. */
void spool_free(struct spool *sp);

/* The writer: store_open_grouped would wait now. */
bool spool_full(struct spool *sp);
/* The reader, when it has nothing to do: whether a writer waits for room. To be asked again and
 * again meanwhile, since that is how it is found that nothing will ever change. */
bool spool_pressed(struct spool *sp);
/* Who waits, and who would, fails with ERR_INTERRUPTED. */
void spool_stop(struct spool *sp);
/* The most that was ever counted. */
uint64_t spool_peak(struct spool *sp);

#endif
