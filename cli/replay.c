#include "cli/replay.h"

#include "common/base/log.h"

#include <inttypes.h>
#include <stdio.h>

#define RECONNECT_US ((uint64_t)900 * 1000000)

void replay_print(const struct follow_report *r)
{
    if (!r->file)
        return;
    (void)printf("the target is at %s:%" PRIu64 "%s%s\n", r->file, r->offset,
                 *r->gtids ? ", GTID " : "", r->gtids);
    (void)printf("transactions followed: %" PRIu64 ", rows changed: %" PRIu64
                 ", definitions changed: %" PRIu64 ", %.2f s\n",
                 r->transactions, r->changes, r->ddl, (double)r->total_us / 1e6);
    if (r->drift_logged || r->drift_repaired)
        (void)printf("rows that were not as on the source: %" PRIu64 " left as they are, %" PRIu64
                     " repaired (ferry conflicts lists them)\n",
                     r->drift_logged, r->drift_repaired);
    if (r->drift_removed)
        (void)printf("%" PRIu64
                     " rows in the way were removed, and the source may have them: ferry "
                     "verify --fix-sql finds and mends what is missing\n",
                     r->drift_removed);
}

enum err_code replay_run(void *ctx, const char *renames, bool captured, struct err *err)
{
    struct replay *r = ctx;
    struct progress progress = {.stage = "replay", .endless = true, .lag_ms = -1};
    const struct follow_config config = {.source = captured ? NULL : r->source,
                                         .target = r->target,
                                         .input = r->input,
                                         .renames = renames,
                                         .meta_schema = r->meta_schema,
                                         .threads = r->threads,
                                         .until = {.kind = captured ? FOLLOW_ON : FOLLOW_EXACT},
                                         .within_load = true,
                                         .accept_conflicts = r->accept_conflicts,
                                         .any_cascades = r->any_cascades,
                                         .reconnect_us = RECONNECT_US};

    if (!captured && !r->source)
        return err_set(err, ERR_USAGE,
                       "the binlog behind the rows is to be had from the server that was dumped: "
                       "name it with --source");
    log_event(LOG_INFO, "load.replay",
              F_STR("from", captured ? "the binlog in the dump" : "the source"));
    follow_report_release(&r->report);
    r->ran = true;
    return follow_run(&config, &progress, r->cancel, &r->report, err);
}
