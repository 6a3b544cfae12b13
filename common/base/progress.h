/* common/base/progress.h: counters that workers raise and one thread prints.
 *
 * Counters are for people and metrics, never for decisions. On a terminal one live line is
 * redrawn on stderr; else a plain line every 10 s; --progress json gives a JSON object a line; the
 * closing table is the command's own. */
#ifndef FERRY_BASE_PROGRESS_H
#define FERRY_BASE_PROGRESS_H

#include "common/base/err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum progress_mode { PROGRESS_AUTO, PROGRESS_PLAIN, PROGRESS_JSON, PROGRESS_NONE };

struct progress {
    _Atomic(const char *) stage;       /* "dump", "load"; static */
    atomic_uint_fast64_t rows;         /* done so far, those of an earlier run included */
    atomic_uint_fast64_t bytes;        /* of values or files, as the stage counts its total */
    atomic_uint_fast64_t total_bytes;  /* planned; 0: not known */
    atomic_uint_fast64_t pieces;       /* chunks done */
    atomic_uint_fast64_t total_pieces; /* 0: not known */
    /* Of what has no end: rows, and pieces, which are transactions, with their rates. */
    bool endless;
    atomic_int_fast64_t lag_ms; /* below 0: not known */
    atomic_uint_fast64_t queued, queued_bytes, busy;
};

struct progress_printer;
/* Starts the printing thread (none for PROGRESS_NONE: *printer is NULL). `p` must outlive it. */
MUST_CHECK enum err_code progress_start(struct progress_printer **printer, const struct progress *p,
                                        enum progress_mode mode, struct err *err);
/* Ends the thread and erases a live line. NULL is fine. */
void progress_stop(struct progress_printer *printer);

#define SIZE_TEXT_MAX 24
/* "1.5 GiB", "734 B". */
void size_text(uint64_t bytes, char out[SIZE_TEXT_MAX]);

#endif
