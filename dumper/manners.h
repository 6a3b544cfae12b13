/* dumper/manners.h: where workers give way to the source's other users: between two statements
 * (--throttle) and behind each piece that was written (--rate); and to a load that is slower. */
#ifndef FERRY_DUMPER_MANNERS_H
#define FERRY_DUMPER_MANNERS_H

#include "dumper/run.h"

/* Returns when work may go on. With `idle` the worker's connection has no statement under way: it
 * is spoken to now and then, so that its snapshot is not lost to a timeout. When all is to stop:
 * w->stopped, and an error. */
MUST_CHECK enum err_code dumper_give_way(struct worker *w, bool idle, struct err *err);
/* Returns when the spool, if there is one, has room for one more file: before a worker begins one.
 */
MUST_CHECK enum err_code dumper_wait_room(struct worker *w, bool idle, struct err *err);
/* The same for `bytes` that were put out, before compression. */
MUST_CHECK enum err_code dumper_keep_rate(struct worker *w, uint64_t bytes, struct err *err);

#endif
