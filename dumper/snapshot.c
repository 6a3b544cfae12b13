/* One instant for all workers.
 *
 * The global read lock (FLUSH TABLES WITH READ LOCK) is held on the control connection while each
 * worker opens its snapshot, and while the position is read: only then do both belong together
 * (docs: an offset read without the lock runs ahead of what a snapshot sees). A snapshot does not
 * hold a table's definition, nor its name: so the workers also open the tables in their
 * transactions while the lock is held, as many as fit into 0.1 s, the largest first; from
 * then on nobody can alter, rename or exchange these. The others are opened when they are begun. */
#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "dumper/skip.h"

#include <stdlib.h>
#include <string.h>

#define LOCK_TRY_US ((uint64_t)5000000)   /* one attempt: writers wait behind it */
#define LOCK_PAUSE_US ((uint64_t)1000000) /* between two: writers go on */
#define LOCK_WAIT_AFTER 3600U             /* seconds; for definitions that are being changed */
#define XA_WAIT_US ((uint64_t)10000000)   /* for prepared transactions to end */
#define PIN_US ((uint64_t)100000)         /* for opening tables under the lock */
#define ER_LOCK_WAIT_TIMEOUT 1205

enum err_code dumper_probe(struct worker *w, const struct plan_table *t, struct err *err)
{
    struct result *r = NULL;
    enum err_code rc;

    dumper_worker_prepare(w, t);
    table_sql_probe(w->read, &w->sql);
    rc = conn_query(w->conn, strbuf_str(&w->sql), w->sql.len, false, &r, err);
    if (rc)
        return err_wrap(err, "'%s.%s' cannot be read", t->table->db, t->table->name);
    if (result_columns(r) != w->read->selected + w->read->visible)
        rc = err_set(err, ERR_DUMP_TABLE, "'%s.%s' has changed while the dump was planned",
                     t->table->db, t->table->name);
    result_free(r);
    return rc;
}

/* Opens the connection and tries its share of the tables. */
static enum err_code connect_work(void *ctx, unsigned number, struct err *err)
{
    struct dump_run *run = ctx;
    struct worker *w = &run->workers[number];
    enum err_code rc;
    size_t i;

    conn_thread_init();
    rc = conn_open(run->source, CONN_SOURCE, "dump", &w->conn, err);
    while (!rc && !dumper_stopped(run)) {
        i = atomic_fetch_add(&run->next, 1);
        if (i >= run->plan.count)
            break;
        rc = dumper_is_skipped(run, &run->plan.tables[i])
                 ? ERR_OK
                 : dumper_probe(w, &run->plan.tables[i], err);
        if (rc && dumper_skip(w, &run->plan.tables[i], err))
            rc = ERR_OK;
    }
    conn_thread_end();
    return rc;
}

static void snapshot_stop(void *ctx)
{
    struct dump_run *run = ctx;

    cancel_ask(&run->stop);
}

/* All workers do one thing; this waits for them. */
static enum err_code snapshot_phase(struct dump_run *run, pool_work_fn *work, struct err *err)
{
    struct pool *pool = NULL;
    enum err_code rc;

    atomic_store(&run->next, 0);
    rc = pool_start(&pool, "dump", run->config->threads, work, snapshot_stop, run, err);
    if (!rc)
        rc = pool_join(pool, err);
    return !rc && dumper_stopped(run) ? dumper_stop_error(run, err) : rc;
}

enum err_code dumper_connect(struct dump_run *run, struct err *err)
{
    run->workers = xcalloc(run->config->threads, sizeof(*run->workers));
    for (unsigned i = 0; i < run->config->threads; i++) {
        run->workers[i].run = run;
        run->workers[i].arena = arena_new();
        run->workers[i].rows.max = SIZE_MAX / 2; /* a row is as long as the server lets it be */
    }
    return snapshot_phase(run, connect_work, err);
}

void dumper_disconnect(struct dump_run *run)
{
    for (unsigned i = 0; run->workers && i < run->config->threads; i++)
        dumper_worker_release(&run->workers[i]);
    free(run->workers);
    run->workers = NULL;
}

static enum err_code snapshot_work(void *ctx, unsigned number, struct err *err)
{
    struct dump_run *run = ctx;
    struct worker *w = &run->workers[number];
    uint64_t until = clock_mono_us() + PIN_US;
    enum err_code rc;
    size_t i;

    conn_thread_init();
    rc = conn_execz(w->conn, "START TRANSACTION WITH CONSISTENT SNAPSHOT", err);
    w->in_snapshot = !rc;
    while (!rc && clock_mono_us() < until && !dumper_stopped(run)) {
        i = atomic_fetch_add(&run->next, 1);
        if (i >= run->plan.count)
            break;
        rc = dumper_is_skipped(run, &run->plan.tables[i])
                 ? ERR_OK
                 : dumper_probe(w, &run->plan.tables[i], err);
        if (rc && dumper_skip(w, &run->plan.tables[i], err))
            rc = ERR_OK;
    }
    conn_thread_end();
    return rc;
}

/* What to do about it; never in silence without a snapshot. */
static enum err_code lock_refused(enum err_code rc, struct err *err)
{
    static const char none[] = "--consistency none does without it, and without a snapshot";

    if (rc == ERR_PRIVILEGE)
        return err_wrap(err, "the global read lock is refused (GRANT RELOAD ON *.*; or %s)", none);
    err->code = ERR_DUMP_CONSISTENCY;
    return err_wrap(err, "the global read lock is not to be had here (%s)", none);
}

static enum err_code lock_try(struct dump_run *run, uint64_t left_us, struct err *err)
{
    unsigned seconds = (unsigned)((left_us < LOCK_TRY_US ? left_us : LOCK_TRY_US) / 1000000);
    enum err_code rc =
        conn_execf(run->control, err, "SET SESSION lock_wait_timeout = %u", seconds ? seconds : 1);

    return rc ? rc : conn_execz(run->control, "FLUSH TABLES WITH READ LOCK", err);
}

/* In short attempts: while one waits for a long query, all writers wait behind it. */
static enum err_code lock_take(struct dump_run *run, struct err *err)
{
    uint64_t until = clock_mono_us() + run->config->lock_wait_us;
    enum err_code rc;

    for (;;) {
        uint64_t now = clock_mono_us();

        rc = lock_try(run, until > now ? until - now : 0, err);
        if (rc == ERR_PRIVILEGE || rc == ERR_SQL)
            return lock_refused(rc, err);
        if (!rc || err->server_errno != ER_LOCK_WAIT_TIMEOUT)
            return rc;
        if (clock_mono_us() + LOCK_PAUSE_US >= until)
            break;
        log_event(LOG_INFO, "dump.lock.wait",
                  F_STR("message", "a long query is in the way of the global read lock; trying "
                                   "again"));
        if (!clock_sleep(LOCK_PAUSE_US, run->cancel))
            return dumper_stop_error(run, err);
    }
    return err_set(err, ERR_SERVER_BUSY,
                   "the global read lock was not to be had in %u s (--lock-wait): a query or a "
                   "transaction holds tables for longer",
                   (unsigned)(run->config->lock_wait_us / 1000000));
}

/* Prepared XA transactions: their rows are in no snapshot, and in no binlog behind the position. */
static enum err_code snapshot_count_xa(struct dump_run *run, bool *found, struct err *err)
{
    struct result *r = NULL;
    struct row row;
    enum err_code rc = conn_queryz(run->control, "XA RECOVER", &r, err);

    *found = false;
    if (rc && conn_usable(run->control)) {
        log_event(LOG_INFO, "dump.xa.unknown", F_STR("cause", err->msg),
                  F_STR("message", "whether there are prepared XA transactions cannot be seen; "
                                   "nothing is wrong if nobody uses XA"));
        err_clear(err);
        return ERR_OK;
    }
    if (!rc)
        rc = result_next(r, &row, found, err);
    result_free(r);
    return rc;
}

/* The lock, at a moment without prepared XA transactions. */
static enum err_code snapshot_lock(struct dump_run *run, struct err *err)
{
    uint64_t until = clock_mono_us() + XA_WAIT_US;
    bool prepared = false;
    enum err_code rc;

    for (;;) {
        rc = lock_take(run, err);
        if (rc)
            return rc;
        fault_point("dump.after-lock");
        if (!run->position.file) /* no binlog, so nothing to miss in it */
            return ERR_OK;
        rc = snapshot_count_xa(run, &prepared, err);
        if (rc || !prepared)
            return rc;
        rc = conn_execz(run->control, "UNLOCK TABLES", err);
        if (rc)
            return rc;
        if (clock_mono_us() >= until)
            return err_set(err, ERR_DUMP_CONSISTENCY,
                           "there are prepared XA transactions (XA RECOVER): commit them or roll "
                           "them back, their rows would be missing in the dump and behind it");
        log_event(LOG_INFO, "dump.xa.wait",
                  F_STR("message", "waiting for prepared XA transactions to end"));
        if (!clock_sleep(1000000, run->cancel))
            return dumper_stop_error(run, err);
    }
}

static enum err_code snapshot_flush(struct dump_run *run, struct err *err)
{
    struct err unlock_err = ERR_INIT;
    enum err_code rc = snapshot_lock(run, err);
    enum err_code unlock;
    uint64_t since = clock_mono_us();

    if (!rc)
        rc = snapshot_phase(run, snapshot_work, err);
    if (!rc) {
        position_release(&run->position);
        rc = position_read(run->control, &run->position, err);
    }
    if (!rc)
        rc = dumper_replica_read(run, err);
    if (!rc)
        rc = dumper_same_objects(run, err);
    unlock = conn_usable(run->control) ? conn_execz(run->control, "UNLOCK TABLES", &unlock_err)
                                       : ERR_OK; /* a dead connection's lock is gone */
    run->lock_us = clock_mono_us() - since;
    if (!rc && !unlock)
        unlock = conn_execf(run->control, &unlock_err, "SET SESSION lock_wait_timeout = %u",
                            LOCK_WAIT_AFTER);
    if (!rc && unlock) {
        *err = unlock_err;
        rc = unlock;
    }
    return rc;
}

/* Without any lock: the position is a hint then, and may be missing. */
static enum err_code snapshot_none(struct dump_run *run, struct err *err)
{
    enum err_code rc = position_read(run->control, &run->position, err);

    if (!rc)
        return dumper_replica_read(run, err);
    if (!conn_usable(run->control))
        return rc;
    log_event(LOG_WARN, "dump.position.unknown", F_STR("cause", err->msg),
              F_STR("message", "the dump will have no position"));
    err_clear(err);
    return ERR_OK;
}

enum err_code dumper_snapshot(struct dump_run *run, struct err *err)
{
    enum err_code rc;

    run->consistency = run->config->consistency == CONSISTENCY_NONE ? "none" : "flush";
    if (run->config->consistency == CONSISTENCY_NONE)
        return snapshot_none(run, err);
    /* before anything is locked: that it can be read at all */
    rc = position_read(run->control, &run->position, err);
    if (!rc)
        rc = snapshot_flush(run, err);
    if (rc)
        return rc;
    fault_point("dump.after-snapshot");
    rc = dumper_same_position(run, err);
    if (rc)
        return rc;
    log_event(LOG_INFO, "dump.snapshot", F_STR("consistency", run->consistency),
              F_STR("file", run->position.file), F_U64("offset", run->position.offset),
              F_STR("gtid", run->position.gtid), F_U64("lock_us", run->lock_us));
    return ERR_OK;
}
