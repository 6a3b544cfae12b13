/* load_run: the steps of a load, one after the other, and the threads.
 *
 * Who starts whom: the caller's thread plans, makes the schema and writes the job's state over one
 * connection of its own; everything it does there may be said again, so a step whose connection is
 * lost is said again. For tables to be created it starts the pool "schema" (schema.c), for the rows
 * the pool "load" (worker.c), one connection a thread, one pool at a time.
 *
 * What is queued: nothing. The plan lists the chunks in the order of loading; the queue that counts
 * is in the target, where a worker claims a chunk by a token that every transaction of it must
 * match (claims.c).
 *
 * Other processes, on any machine, may share the load (share.c): one leads, makes the definitions
 * and takes the closing steps, over a connection that holds a lock of the server; all load rows;
 * the thread "lease" says that this one lives. A leader that has lost the lead meanwhile
 * (ERR_LOAD_FENCED) waits for the new one like everybody else.
 *
 * How it ends: the list is used up; or a worker fails, the pool keeps its error and sets `stop`; or
 * the user's cancel is set. In each case a worker finishes the batch it is at, and all threads are
 * joined before load_run returns. Nothing has to be undone, and the next run goes on from the
 * state. */
#include "loader/claims.h"
#include "loader/share.h"

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/target/finding.h"

#include <stdlib.h>

#define STEP_TRIES 12
#define LEASE_US ((uint64_t)30000000)

typedef enum err_code load_step_fn(struct load_run *run, struct err *err);

static enum err_code load_connect(struct load_run *run, struct err *err)
{
    if (run->conn && !conn_usable(run->conn)) {
        conn_close(run->conn);
        run->conn = NULL;
    }
    return run->conn ? ERR_OK : conn_open(run->url, CONN_TARGET, "load", &run->conn, err);
}

/* Before the next try; ERR_INTERRUPTED when the user asked to stop. */
static enum err_code load_pause(struct load_run *run, struct backoff *backoff, unsigned tries,
                                struct err *err)
{
    atomic_fetch_add(&run->retries, 1);
    log_event(tries < LOAD_QUIET_TRIES ? LOG_DEBUG : LOG_WARN, "load.retry",
              F_STR("message", err->msg));
    if (!backoff_wait(backoff, run->cancel))
        return err_set(err, ERR_INTERRUPTED, "interrupted");
    err_clear(err);
    return ERR_OK;
}

/* Says a step again when it failed with what may pass, on a new connection where that is lost. */
static enum err_code load_step(struct load_run *run, load_step_fn *step, struct err *err)
{
    struct backoff backoff = {0};
    enum err_code rc;

    for (unsigned tries = 1;; tries++) {
        rc = load_connect(run, err);
        if (rc && tries == 1 && !run->flavour.version)
            return rc; /* the first connection of all: said at once */
        if (!rc)
            rc = share_hold(run, err); /* a leader's connection holds the lock */
        if (!rc)
            rc = step(run, err);
        if (!rc || !err_info(rc)->retryable || tries == STEP_TRIES)
            return rc;
        if (load_pause(run, &backoff, tries, err))
            return err->code;
    }
}

static enum err_code step_target(struct load_run *run, struct err *err)
{
    run->flavour = *conn_flavour(run->conn);
    return target_limits(run, err);
}

static enum err_code step_state(struct load_run *run, struct err *err)
{
    char *options = options_text(run->config);
    char *then = NULL;
    struct state_params params = {.schema = run->config->meta_schema,
                                  .dump_uuid = run->dump->info.uuid,
                                  .renames = route_text(run->route),
                                  .options = options,
                                  .check = run->config->check_conflicts,
                                  .once = run->config->spool != NULL,
                                  .only_new = run->config->no_resume};
    enum err_code rc = params.check ? ERR_OK : state_other_renames(run->conn, &params, err);

    if (!rc)
        rc = state_open(run->conn, &params, &run->state, &run->job, err);
    if (!rc && run->job.resumed)
        rc = state_options(run->conn, &run->state, &then, err);
    if (!rc && then)
        rc = columns_same(run, then, options, err);
    if (!rc)
        rc = share_join(run, options, err);
    free(then);
    free(options);
    return rc;
}

static enum err_code count_sum(void *ctx, const struct finding_sum *sum, struct err *err)
{
    (void)err;
    if (sum->kind == FINDING_CONFLICT)
        *(uint64_t *)ctx += sum->count;
    return ERR_OK;
}

/* Records that stopped the last run go: what still holds is found again. A finished check begins
 * anew, since the target may have changed. */
static enum err_code step_records(struct load_run *run, struct err *err)
{
    const bool anew = run->config->check_conflicts && run->job.state == JOB_DONE;
    uint64_t count = 0;

    if (finding_forget(run->conn, &run->state, anew, err))
        return err->code;
    if (anew && (state_forget_chunks(run->conn, &run->state, err) ||
                 state_set_job(run->conn, &run->state, JOB_NEW, err)))
        return err->code;
    if (anew)
        run->job.state = JOB_NEW;
    if (finding_sums(run->conn, &run->state, count_sum, &count, err))
        return err->code;
    atomic_store(&run->conflicts, count);
    return ERR_OK;
}

static enum err_code step_progress(struct load_run *run, struct err *err)
{
    if (foreign_same_files(run, err))
        return err->code;
    return plan_progress(run, &run->report->nothing_to_do, err);
}

static enum err_code step_still_there(struct load_run *run, struct err *err)
{
    enum err_code rc = target_still_there(run, err);

    run->report->nothing_to_do = rc == ERR_OK;
    return rc;
}

static enum err_code step_first(struct load_run *run, struct err *err)
{
    return share_first(run, err);
}

static enum err_code step_turn(struct load_run *run, struct err *err)
{
    return share_turn(run, false, err);
}

static enum err_code step_turn_closing(struct load_run *run, struct err *err)
{
    return share_turn(run, true, err);
}

static enum err_code step_at_schema(struct load_run *run, struct err *err)
{
    return share_stage(run, LOADER_SCHEMA, err);
}

static enum err_code step_at_rows(struct load_run *run, struct err *err)
{
    return share_stage(run, LOADER_ROWS, err);
}

static enum err_code step_at_closing(struct load_run *run, struct err *err)
{
    return share_stage(run, LOADER_CLOSING, err);
}

static enum err_code step_schema_done(struct load_run *run, struct err *err)
{
    return state_set_job(run->conn, &run->state, JOB_SCHEMA_DONE, err);
}

/* A table that others emptied or dropped meanwhile does not hold what its progress says. */
static enum err_code step_rows_done(struct load_run *run, struct err *err)
{
    if (!(run->replay && run->job.state == JOB_ROWS_DONE) && target_same(run, err))
        return err->code;
    return state_set_job(run->conn, &run->state, JOB_ROWS_DONE, err);
}

static enum err_code step_done(struct load_run *run, struct err *err)
{
    return state_set_job(run->conn, &run->state, JOB_DONE, err);
}

static enum err_code step_dry_run(struct load_run *run, struct err *err)
{
    if (target_read(run, err) || target_check(run, err) || definitions_report(run, false, err) ||
        generated_report(run, err))
        return err->code;
    report_dry_run(run);
    return ERR_OK;
}

static enum err_code step_convert_report(struct load_run *run, struct err *err)
{
    return definitions_report(run, true, err);
}

static void load_fail(void *ctx)
{
    struct load_run *run = ctx;

    atomic_store(&run->stop, true);
}

/* The pool's threads; why they have ended. */
static enum err_code load_pool(struct load_run *run, struct err *err)
{
    unsigned threads = run->config->threads ? run->config->threads : 1;
    struct pool *pool = NULL;
    enum err_code rc;

    if (threads > run->chunk_count)
        threads = (unsigned)run->chunk_count;
    rc = pool_start(&pool, "load", threads, worker_main, load_fail, run, err);
    if (!rc)
        rc = pool_join(pool, err);
    if (rc)
        share_tell(run, err);
    else
        rc = share_failed(run, err);
    return rc;
}

static enum err_code load_rows(struct load_run *run, struct err *err)
{
    uint64_t start_us = clock_mono_us();
    enum err_code rc;

    atomic_store(&run->chunks_done, 0);
    if (run->chunk_count == 0)
        return ERR_OK;
    plan_order(run);
    target_statements(run);
    rc = claims_new(run, share_others(run) > 0, &run->claims, err);
    if (!rc)
        rc = load_pool(run, err);
    claims_free(run->claims);
    run->claims = NULL;
    run->report->data_us += clock_mono_us() - start_us;
    if (!rc && atomic_load(&run->chunks_done) < run->chunk_count)
        return err_set(err, ERR_INTERRUPTED, "interrupted: %zu of %zu files are loaded",
                       (size_t)atomic_load(&run->progress->pieces),
                       (size_t)atomic_load(&run->progress->total_pieces));
    return rc;
}

/* What only a whole, resting dump allows: other loaders beside this one. */
static void load_alone(struct load_run *run)
{
    atomic_store(&run->alone, !run->dump->complete || run->config->check_conflicts);
}

static enum err_code load_lead_schema(struct load_run *run, struct err *err)
{
    if (load_step(run, step_at_schema, err) || load_step(run, schema_run, err) ||
        load_step(run, step_schema_done, err))
        return err->code;
    return load_step(run, step_at_rows, err);
}

/* The binlog may have changed definitions since the rows were whole: nothing is made anew. */
static bool load_is_replaying(const struct load_run *run)
{
    return run->replay && run->job.state == JOB_ROWS_DONE;
}

static enum err_code load_schema(struct load_run *run, struct err *err)
{
    uint64_t start_us = clock_mono_us();
    bool lead;
    enum err_code rc;

    load_alone(run);
    lead = run->leads && !load_is_replaying(run);
    rc = lead ? load_lead_schema(run, err) : load_step(run, schema_follow, err);
    if (!rc && !lead)
        rc = load_step(run, step_at_rows, err);
    if (rc != ERR_LOAD_FENCED)
        share_let_go(run);
    run->report->schema_us += clock_mono_us() - start_us;
    return rc;
}

/* Another process leads now; this one seemed dead to it. */
static bool load_lead_lost(struct load_run *run, enum err_code rc, struct err *err)
{
    if (rc != ERR_LOAD_FENCED || !run->leads)
        return false;
    log_event(LOG_WARN, "load.lead-lost", F_STR("message", err->msg));
    share_let_go(run);
    err_clear(err);
    return true;
}

/* Until this process leads, or what the leader does first is there; then what is left to be done.
 */
static enum err_code load_prepare(struct load_run *run, struct err *err)
{
    enum err_code rc;

    do {
        rc = load_step(run, step_turn, err);
        if (!rc)
            rc = load_step(run, step_first, err);
        if (!rc && run->first && !run->begun)
            rc = load_step(run, step_records, err);
        if (!rc)
            rc = load_step(run, step_progress, err);
    } while (load_lead_lost(run, rc, err));
    run->begun = run->begun || !rc;
    return rc;
}

/* What follows the rows. A load with objects left out is not done: the same command tries them
 * again. */
static enum err_code load_finish(struct load_run *run, struct err *err)
{
    const struct load_config *config = run->config;

    if (foreign_rows(run, err) || load_step(run, step_rows_done, err))
        return err->code;
    fault_point("load.after-rows");
    if (run->replay && config->replay &&
        config->replay(config->replay_ctx, route_text(run->route), run->dump->binlog_count > 0,
                       err))
        return err_wrap(err, "applying the binlog behind the rows");
    if (config->foreign_keys == FOREIGN_KEYS_CHECK && load_step(run, foreign_keys_check, err))
        return err->code;
    if (load_step(run, programs_run, err) || load_step(run, schema_later, err))
        return err->code;
    if (config->analyze && load_step(run, finish_analyze, err))
        return err->code;
    if (run->report->objects_failed > 0)
        return ERR_OK;
    fault_point("load.before-done");
    if (load_step(run, step_done, err))
        return err->code;
    fault_point("load.after-done");
    return ERR_OK;
}

static enum err_code step_check_tables(struct load_run *run, struct err *err)
{
    if (target_read(run, err) || target_check(run, err))
        return err->code;
    /* What is yet to be created collides with nothing. */
    for (size_t i = 0; i < run->table_count; i++)
        if (!run->tables[i].target)
            log_event(LOG_INFO, "load.check.no-table", F_STR("table", run->tables[i].label),
                      F_STR("message", "not on the target: nothing of it can collide"));
    return ERR_OK;
}

/* --check-conflicts: reads the target, and writes into its own job's records alone. */
static enum err_code load_check(struct load_run *run, struct err *err)
{
    size_t kept = 0;

    if (!run->dump->complete)
        return err_set(err, ERR_DUMP_INCOMPLETE, "--check-conflicts needs a finished dump");
    if (load_step(run, step_check_tables, err))
        return err->code;
    for (size_t i = 0; i < run->chunk_count; i++)
        if (run->chunks[i].table->target)
            run->chunks[kept++] = run->chunks[i];
    run->chunk_count = kept;
    share_let_go(run);
    if (load_rows(run, err) || load_step(run, step_done, err))
        return err->code;
    if (atomic_load(&run->conflicts) > 0)
        return err_set(err, ERR_LOAD_CONFLICT, "%llu conflicts would be met; no row was written",
                       (unsigned long long)atomic_load(&run->conflicts));
    return ERR_OK;
}

/* What was found is said however the load has ended, as far as the target still answers. */
static void load_records(struct load_run *run, enum err_code *rc, struct err *err)
{
    struct err why = ERR_INIT;

    /* A server that has not answered the whole time will not now. */
    if (run->state.job == 0 || *rc == ERR_LOAD_FENCED || err_info(*rc)->retryable ||
        !load_step(run, report_conflicts, &why))
        return;
    if (*rc) {
        log_event(LOG_WARN, "load.report", F_STR("message", "the conflicts could not be read"),
                  F_STR("cause", why.msg));
        return;
    }
    *err = why;
    *rc = why.code;
}

static enum err_code load_round(struct load_run *run, struct err *err)
{
    enum err_code rc = load_schema(run, err);

    while (rc) {
        if (!load_lead_lost(run, rc, err))
            return rc;
        rc = load_prepare(run, err);
        if (rc || run->report->nothing_to_do)
            return rc;
        rc = load_schema(run, err);
    }
    return run->config->no_data ? ERR_OK : load_rows(run, err);
}

/* One round for a finished dump; for one that is being written until its end record is there. */
static enum err_code load_rounds(struct load_run *run, struct err *err)
{
    for (;;) {
        enum err_code rc = load_round(run, err);

        if (rc && !unfinished_voided(run, err))
            return unfinished_missed(run, err);
        if (!rc && run->dump->complete)
            return ERR_OK;
        err_clear(err);
        if ((!rc && unfinished_wait(run, err)) || plan_again(run, err) || share_failed(run, err))
            return err->code;
        atomic_store(&run->stop, false);
        if (load_prepare(run, err))
            return err->code;
    }
}

/* Once for all loaders: the one that leads does it, the others wait, and take it over if that one
 * dies or gives up. */
static enum err_code load_close(struct load_run *run, struct err *err)
{
    enum err_code rc = load_step(run, step_at_closing, err);

    if (rc)
        return rc;
    do {
        rc = load_step(run, step_turn_closing, err);
        if (rc || !run->leads)
            break;
        fault_point("load.closing");
        rc = load_step(run, finish_steps, err);
        if (!rc && !run->config->no_data)
            rc = load_finish(run, err);
    } while (load_lead_lost(run, rc, err));
    share_let_go(run);
    return rc;
}

static enum err_code load_shared(struct load_run *run, struct err *err)
{
    if (load_prepare(run, err))
        return err->code;
    if (run->config->check_conflicts)
        return load_check(run, err);
    if (!run->report->nothing_to_do && load_rounds(run, err))
        return err->code;
    if (run->report->nothing_to_do)
        return load_step(run, step_still_there, err);
    return load_close(run, err);
}

static enum err_code load_steps(struct load_run *run, struct err *err)
{
    if (plan_tables(run, err) || load_step(run, step_target, err))
        return err->code;
    if (run->config->convert == CONVERT_REPORT)
        return load_step(run, step_convert_report, err);
    if (run->config->dry_run)
        return load_step(run, step_dry_run, err);
    if (throttle_start(&run->config->throttle, run->url, CONN_TARGET, &run->throttle, err))
        return err->code;
    load_alone(run);
    if (load_step(run, step_state, err))
        return err->code;
    fault_point("load.after-state");
    return load_shared(run, err);
}

/* The own last sign, then all of them, for the closing table. */
static void load_leave(struct load_run *run, enum err_code rc)
{
    struct err ignored = ERR_INIT;
    const bool joined = run->share != NULL;

    share_let_go(run);
    share_leave(run);
    if (joined && !err_info(rc)->retryable && load_step(run, share_report, &ignored))
        log_event(LOG_DEBUG, "load.report", F_STR("message", ignored.msg));
}

/* The contract's arguments; a struct made for one call would say no more.
 * NOLINTNEXTLINE(readability-function-size) */
enum err_code load_run(const struct load_config *config, struct store *input,
                       const struct server_url *target, struct progress *progress,
                       const struct cancel *cancel, struct load_report *report, struct err *err)
{
    struct load_run run = {.config = config,
                           .input = input,
                           .url = target,
                           .progress = progress,
                           .cancel = cancel,
                           .report = report,
                           .rate = rate_new(config->rate_bytes),
                           .lease_us = config->lease_us ? config->lease_us : LEASE_US};
    uint64_t start_us = clock_mono_us();
    enum err_code rc;

    *report = (struct load_report){0};
    pthread_mutex_init(&run.lock, NULL);
    rc = load_steps(&run, err);
    load_records(&run, &rc, err);
    load_leave(&run, rc);
    report_fill(&run);
    report->total_us = clock_mono_us() - start_us;
    throttle_stop(run.throttle);
    rate_free(run.rate);
    conn_close(run.conn);
    report_drop(&run.refusals);
    plan_release(&run);
    pthread_mutex_destroy(&run.lock);
    return rc;
}
