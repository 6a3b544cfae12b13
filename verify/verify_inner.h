/* verify/verify_inner.h: what the files of verify share. No state of its own. */
#ifndef FERRY_VERIFY_VERIFY_INNER_H
#define FERRY_VERIFY_VERIFY_INNER_H

#include "formats/dump_read.h"
#include "verify/verify.h"

#include <pthread.h>

struct verify_run {
    const struct dump *dump;
    struct progress *progress;
    const struct cancel *cancel;
    struct verify_report *report;
    unsigned max_faults;
    const struct dump_chunk **chunks; /* what the threads go through, behind dump->files */
    size_t chunk_count;
    uint64_t *rows; /* of each chunk that could be read; written by the thread that read it */
    atomic_size_t next;
    pthread_mutex_t lock; /* report */
};

/* Any thread; faults beyond the limit are only counted. */
void verify_fault(struct verify_run *run, const char *path, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The same for a table: its name stands where a path would. */
void verify_table_fault(struct verify_run *run, const struct dump_table *t, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* ---- bounds.c ---- */
/* The spans of the table join up from its begin to its end, and the chunks in each of them. */
void verify_spans(struct verify_run *run, const struct dump_table *t);

/* Whether rows lie where their chunk says. Only for keys that begin with an integer, and between
 * two bounds: anything else is ordered by the server alone. */
struct verify_range {
    bool known;
    unsigned cell; /* of a row */
    bool is_unsigned;
    bool single; /* the key is this one column: `lo` itself is outside */
    int64_t low, high, lo;
    uint64_t ulow, uhigh, ulo;
};
void verify_range_init(struct verify_range *r, const struct dump_chunk *c);
bool verify_range_holds(const struct verify_range *r, const struct row *row);

/* ---- listing.c ---- */
/* Files without a record, paths with two, schema files and `metadata` that should be there. */
MUST_CHECK enum err_code verify_listing(struct verify_run *run, struct err *err);

#endif
