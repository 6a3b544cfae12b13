/* One epoch after the other in one process.
 *
 * A connection that is lost takes its snapshot along, and no snapshot can be opened twice. So its
 * worker gives up the file and the span it was at, and ends; the others read on in their snapshots
 * until there is nothing left for them. Then everything is let go of but the lease, and begun again
 * as by the same command said again: the records are read back, the source is connected to, all
 * checks are made that a continued dump has to pass, and what is missing is read in a new epoch.
 * Nothing is carried from one epoch to the next but what the records say. */
#include "dumper/epochs.h"

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "dumper/capture.h"
#include "dumper/partial.h"
#include "dumper/skip.h"

#include <stdlib.h>

/* Of the connection, not of what was asked: another one may do better. */
static bool epochs_retryable(const struct err *err)
{
    return err->code == ERR_SERVER_LOST || err->code == ERR_CONNECT;
}

static void epochs_keep(struct dump_run *run, const struct err *err)
{
    pthread_mutex_lock(&run->lock);
    if (!run->lost.code)
        run->lost = *err;
    pthread_mutex_unlock(&run->lock);
}

bool dumper_lost(struct worker *w, struct err *err)
{
    if (!epochs_retryable(err) && (err->code != ERR_SERVER_BUSY || dumper_snapshot_lives(w)))
        return false;
    log_event(LOG_WARN, "dump.worker.lost", F_STR("cause", err->msg),
              F_STR("message", "a worker has lost its snapshot: the others go on, and what it was "
                               "at is read in the next epoch"));
    epochs_keep(w->run, err);
    err_clear(err);
    return true;
}

bool dumper_control_lost(struct dump_run *run, struct err *err)
{
    if (!epochs_retryable(err))
        return false;
    epochs_keep(run, err);
    err_clear(err);
    return true;
}

void dumper_progressed(struct dump_run *run)
{
    atomic_store_explicit(&run->progressed, true, memory_order_relaxed);
}

enum err_code dumper_check_epochs(const struct dump_run *run, struct err *err)
{
    unsigned max = run->config->max_epochs;

    if (partial_asked(run->config) && run->ledger->epochs)
        return err_set(err, ERR_DUMP_CONSISTENCY,
                       "the dump is of chosen rows or columns (--where, --columns, --rows-limit): "
                       "it is of one snapshot, and cannot go on in another; dump it again with "
                       "--restart --yes");
    if (max && run->ledger->epochs >= max)
        return err_set(err, ERR_DUMP_CONSISTENCY,
                       "the dump has %u snapshots already, and --max-epochs is %u",
                       run->ledger->epochs, max);
    return ERR_OK;
}

/* Whether the time is up in which the source may be away, or do nothing but fail. */
static bool epochs_over(struct dump_run *run, struct epochs *e)
{
    const uint64_t now = clock_mono_us();

    if (atomic_exchange(&run->progressed, false) || !e->failing) {
        e->failing = true;
        e->since_us = now;
        e->backoff = (struct backoff){0};
    }
    return now - e->since_us >= run->config->reconnect_us;
}

/* Finished work becomes durable; a lease or a manifest that is lost ends the dump. */
static enum err_code epochs_let_go(struct dump_run *run, struct err *err)
{
    enum err_code rc;

    dumper_capture_stop(run); /* what it has finished becomes durable with the rest */
    rc = manifest_close(run->manifest, err);
    run->manifest = NULL;
    dumper_let_go(run);
    atomic_store(&run->stop.asked, false);
    return rc ? rc : lease_check(run->lease, err); /* lost before or after: it stays so */
}

enum err_code dumper_epoch_again(struct dump_run *run, struct epochs *e, struct err *err)
{
    struct err why = *err;
    struct err refused = ERR_INIT;
    enum err_code rc;

    if (!epochs_retryable(&why) && !(run->lost.code && run->lost.code == why.code))
        return why.code;
    if (cancel_asked(run->cancel) || !run->reached)
        return why.code;
    if (run->ledger->epochs && dumper_check_epochs(run, &refused)) {
        *err = refused;
        return err_wrap(err, "%.400s; what is missing would need a new snapshot", why.msg);
    }
    if (epochs_over(run, e))
        return why.code;
    rc = epochs_let_go(run, err);
    if (rc)
        return rc;
    e->why = why;
    fault_point("dump.epoch.lost");
    log_event(LOG_WARN, "dump.epoch.again", F_U64("epoch", run->epoch), F_STR("cause", why.msg),
              F_STR("message", "going on in a new snapshot"));
    if (!backoff_wait(&e->backoff, run->cancel))
        return dumper_stop_error(run, err);
    err_clear(err);
    return ERR_OK;
}
