/* Connections of follow_run's own thread that were lost: opened again, as long as the user would
 * wait for the source. The stream's and the applier's workers mend theirs themselves. */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "follower/follow_inner.h"

#define LOCK_US                                                                                    \
    ((uint64_t)60000000) /* our lost session may hold it as long as it ends a statement */

bool again_wait(struct follow_run *run, uint64_t begun, struct backoff *backoff, const char *which,
                struct err *err)
{
    const uint64_t passed = clock_mono_us() - begun;
    const bool ours = err->code == ERR_FOLLOW_FENCED && passed < LOCK_US;

    if ((!err_info(err->code)->retryable && !ours) || passed > run->config->reconnect_us)
        return false;
    log_event(LOG_WARN, "follow.reconnect", F_STR("server", which), F_STR("message", err->msg));
    if (!backoff_wait(backoff, run->cancel)) {
        err_clear(err);
        (void)err_set(err, ERR_INTERRUPTED, "stopped");
        return false;
    }
    err_clear(err);
    return true;
}

enum err_code again_target(struct follow_run *run, again_fn *fn, void *ctx, struct err *err)
{
    const uint64_t begun = clock_mono_us();
    struct backoff backoff = {0};
    enum err_code rc;

    do
        rc = start_again(run, err) ? err->code : fn(run, ctx, err);
    while (rc && again_wait(run, begun, &backoff, "target", err));
    return rc ? err->code : ERR_OK;
}

static enum err_code source_try(struct follow_run *run, struct err *err)
{
    struct err lost = ERR_INIT;

    if (run->source_conn && conn_usable(run->source_conn) &&
        !conn_execz(run->source_conn, "DO 1", &lost))
        return ERR_OK;
    conn_close(run->source_conn);
    run->source_conn = NULL;
    if (run->maps)
        charset_maps_ask(run->maps, NULL);
    if (conn_open(run->config->source, CONN_SOURCE, "follow", &run->source_conn, err))
        return err->code;
    if (run->maps)
        charset_maps_ask(run->maps, run->source_conn);
    return ERR_OK;
}

enum err_code again_source(struct follow_run *run, struct err *err)
{
    const uint64_t begun = clock_mono_us();
    struct backoff backoff = {0};

    if (!run->config->source)
        return ERR_OK;
    while (source_try(run, err))
        if (!again_wait(run, begun, &backoff, "source", err))
            return err->code;
    return ERR_OK;
}
