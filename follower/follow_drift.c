/* What the follower says of rows that were not as the source had them. */
#include "follower/follow_inner.h"

#include "common/base/log.h"
#include "common/target/drift.h"

enum apply_drift drift_policy(enum follow_drift_policy policy)
{
    switch (policy) {
    case FOLLOW_DRIFT_REPAIR:
        return APPLY_DRIFT_REPAIR;
    case FOLLOW_DRIFT_LOG:
        return APPLY_DRIFT_LOG;
    case FOLLOW_DRIFT_ERROR:
        break;
    }
    return APPLY_DRIFT_ERROR;
}

static enum err_code render(struct follow_run *run, void *ctx, struct err *err)
{
    return drift_report(run->conn, &run->state, run->config->drift_report, ctx, err);
}

enum err_code drift_render(struct follow_run *run, struct err *err)
{
    uint64_t count = 0;

    if (!run->config->drift_report)
        return ERR_OK;
    if (again_target(run, render, &count, err))
        return err_wrap(err, "the report of drift");
    log_event(LOG_INFO, "follow.drift.report", F_STR("file", run->config->drift_report),
              F_U64("records", count));
    return ERR_OK;
}
