/* verify/compare.h: compares the rows of two servers, table by table.
 *
 * Each table that the filter lets through on the source is compared with the one that the renames
 * give on the target. Chunks of rows are counted and summed by the servers themselves; a chunk that
 * differs is halved down to rows, which are read and compared column by column. Tables without a
 * key that both sides have are compared as multisets.
 *
 * What is a difference: a row that is on one side only, a column's value that is another one (bytes
 * of UTF-8 text, not a collation's equality; FLOAT and DOUBLE by their bits; JSON by value), a
 * table or view on one side only, a definition that cannot hold the source's values or lacks one of
 * its unique keys, a view with other columns, a trigger, routine or event that is missing or
 * another one (not on TiDB, which has none). Generated columns are computed by each server and are
 * not compared. */
#ifndef FERRY_VERIFY_COMPARE_H
#define FERRY_VERIFY_COMPARE_H

#include "common/base/pool.h"
#include "common/base/progress.h"
#include "common/mysql/server_url.h"
#include "common/mysql/throttle.h"

#include <stdbool.h>
#include <stdint.h>

struct compare_config {
    const char *const *filters;
    size_t filter_count;
    bool case_sensitive; /* of the filter */
    const char *const *renames;
    size_t rename_count;
    bool no_programs;         /* triggers, routines and events are left alone */
    unsigned threads;         /* each has a connection to either side */
    uint64_t chunk_rows;      /* rows of one chunk */
    uint64_t max_differences; /* stop behind so many */
    bool strong;              /* 64 bits of each row's SHA-256 are summed, else 32 */
    unsigned recheck;         /* how often rows that differ are looked at again */
    uint64_t settle_us;       /* waited before each of these */
    const char *fix_sql;      /* file of statements that make the target equal; NULL: none */
    const char *report;       /* file of JSON lines; NULL: none */
    const char *state;        /* file of finished chunks, to go on from; NULL: none */
    uint64_t rate_rows;       /* rows a second, of all threads together; 0: no limit */
    struct throttle_rule source_throttle, target_throttle; /* without a name: none */
    /* One line for people, without a newline, for each difference; one call at a time, from any
     * thread. NULL: nobody listens. */
    void (*found)(void *ctx, const char *line);
    void *found_ctx;
};

struct compare_report {
    uint64_t tables;                  /* pairs whose rows were compared */
    uint64_t rows, target_rows;       /* of them, as counted by the servers */
    uint64_t fetched;                 /* rows, or parts of them, that came over the network */
    uint64_t changed, missing, extra; /* rows; missing and extra are the target's */
    uint64_t objects;                 /* tables, views and definitions that differ */
    uint64_t settled;                 /* rows that were equal when they were looked at again */
    uint64_t resumed; /* rows of the source that an earlier run had found equal; in `rows` too */
    bool stopped;     /* by max_differences */
};

/* ERR_VERIFY_DIFFERENT: compared, and not equal. ERR_INTERRUPTED. ERR_USAGE: a table would be
 * compared with itself, or config->state is of something else. The report is filled in every
 * case. Both files are complete for what was found even when it fails. All threads are joined on
 * return. */
MUST_CHECK enum err_code compare_run(const struct compare_config *config,
                                     const struct server_url *source,
                                     const struct server_url *target, struct progress *progress,
                                     const struct cancel *cancel, struct compare_report *report,
                                     struct err *err);

#endif
