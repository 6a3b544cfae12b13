/* dumper/epochs.h: what is done about a source that is lost in the middle of a dump. */
#ifndef FERRY_DUMPER_EPOCHS_H
#define FERRY_DUMPER_EPOCHS_H

#include "common/base/clock.h"
#include "dumper/run.h"

struct epochs { /* zero-initialised; the main thread's */
    struct backoff backoff;
    struct err why;    /* the last try failed */
    uint64_t since_us; /* since when nothing was finished; valid if failing */
    bool failing;
};

/* A worker's error: whether its snapshot is lost, with or without the connection. Then it is kept
 * in run->lost and cleared; the worker must end. */
bool dumper_lost(struct worker *w, struct err *err);
/* The same for the main thread's connection. */
bool dumper_control_lost(struct dump_run *run, struct err *err);
/* Something is finished that a new epoch need not read again: the source is given more time. */
void dumper_progressed(struct dump_run *run);

/* There is room for one more epoch: ERR_DUMP_CONSISTENCY. */
MUST_CHECK enum err_code dumper_check_epochs(const struct dump_run *run, struct err *err);

/* After a try that failed with `err`: ERR_OK when the dump is to be gone on with by reading the
 * records back (a while has been waited for, and everything but the lease is let go of); else why
 * it ends. */
MUST_CHECK enum err_code dumper_epoch_again(struct dump_run *run, struct epochs *e,
                                            struct err *err);

#endif
