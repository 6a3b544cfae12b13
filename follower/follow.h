/* follower/follow.h: applies a source's binlog to a target that holds a load of it: follow_run is
 * the room's one entry.
 *
 *   binlog source -> reader -> filter, renames, windows -> applier (threads, exactly once)
 *
 * The first run needs the dump that was loaded; what it says (definitions, windows, filters) is
 * kept in the target, and later runs go on from there. Said again it goes on where it stopped.
 * follow_run.c has the essay. */
#ifndef FERRY_FOLLOWER_FOLLOW_H
#define FERRY_FOLLOWER_FOLLOW_H

#include "common/base/pool.h"
#include "common/base/progress.h"
#include "common/mysql/server_url.h"
#include "common/store/store.h"

enum follow_until_kind {
    FOLLOW_ON,       /* until it is stopped */
    FOLLOW_POSITION, /* to the first transaction's end at or behind file:offset */
    FOLLOW_GTIDS,    /* until all of the set is applied */
    FOLLOW_TIME,     /* nothing that the source committed later */
    FOLLOW_EXACT,    /* until the dump's rows, of several moments, are of one */
    FOLLOW_CAUGHT_UP /* as far as the source's binlog goes now */
};
struct follow_until { /* borrowed */
    enum follow_until_kind kind;
    const char *file;
    uint64_t offset;
    const char *gtids;
    int64_t time; /* seconds, UTC */
};
enum follow_drift_policy { FOLLOW_DRIFT_ERROR, FOLLOW_DRIFT_REPAIR, FOLLOW_DRIFT_LOG };

struct follow_config { /* const once follow_run has it; borrowed */
    const struct server_url
        *source; /* NULL: the binlog that was captured in the dump, to its end */
    const struct server_url *target;
    struct store *input;   /* the dump that was loaded; NULL: the target's state knows enough */
    const char *renames;   /* route_text of the load; NULL: of the latest load */
    bool loaded_elsewhere; /* no load of ours: what follows says what is followed, and from where */
    const char *const *filters;
    size_t filter_count;
    bool case_sensitive;
    const char *const *rename_rules;
    size_t rename_count;
    const char *from_file; /* NULL: by GTID set, or */
    uint64_t from_offset;
    const char *from_gtids;
    bool from_now;           /* where the source is */
    const char *meta_schema; /* NULL: ferry_meta */
    unsigned threads;        /* 0: 16 */
    uint32_t server_id;      /* 0: one that is free */
    struct follow_until until;
    const char *const *ddl; /* rules of ddl_policy.h, in their order */
    size_t ddl_count;
    const char *ddl_done_file; /* NULL: none; where a statement stopped that is done by hand */
    uint64_t ddl_done_offset;
    bool within_load;      /* its rows are there, and what comes behind them is to come */
    bool accept_conflicts; /* the load left rows of the dump out */
    bool any_cascades;     /* changes that foreign keys cascade are in nobody's way */
    bool in_order;         /* commits as the source did, one at a time */
    uint64_t rate_bytes;   /* of row values a second; 0: no limit */
    enum follow_drift_policy on_drift; /* a row of the target that is not as the source had it */
    bool check_before_image;           /* in any of its columns */
    uint64_t max_drift;                /* more rows on record than these stop; 0: any number */
    const char *drift_report;          /* file for all records at the end; NULL: none */
    uint64_t reconnect_us;             /* how long to try after a lost connection */
    bool cutover;        /* until the source is read-only and all of it is proven to be here */
    bool set_read_only;  /* with cutover: makes it so; given back where that is not proven */
    bool no_counts;      /* with cutover: rows are not counted */
    uint64_t cutover_us; /* with cutover: how long the source may be read-only; 0: as it takes */
};

struct follow_report {
    char *file; /* up to where the target has everything */
    uint64_t offset;
    char *gtids;
    uint64_t transactions, changes; /* of this run */
    uint64_t drift_logged, drift_repaired;
    uint64_t drift_removed; /* of the repaired: rows in the way that were not the change's own */
    uint64_t ddl;           /* statements that were applied */
    uint64_t total_us;
    bool nothing_to_do;  /* it was there already */
    char *cutover;       /* JSON, docs/follow.md: the proof; NULL: none was come to */
    bool cutover_before; /* by an earlier run, and nothing has moved since: without lists */
};

/* All threads are joined on return. The report is valid (to be released) on success and failure.
 * ERR_INTERRUPTED after a cancel, between two transactions. */
MUST_CHECK enum err_code follow_run(const struct follow_config *config, struct progress *progress,
                                    const struct cancel *cancel, struct follow_report *report,
                                    struct err *err);
void follow_report_release(struct follow_report *r);

#endif
