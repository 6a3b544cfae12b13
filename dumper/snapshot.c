/* One instant for all workers.
 *
 * A lock (lock.h) is held while each worker opens its snapshot, and while the position is read:
 * only then do both belong together, as an offset read without a lock runs ahead of what a snapshot
 * sees. Under table locks other tables go on, and the position with them; what it means for the
 * tables of the dump is the same. A snapshot does not
 * hold a table's definition, nor its name: so the workers also open the tables in their
 * transactions while the lock is held, as many as fit into 0.1 s, the largest first; from
 * then on nobody can alter, rename or exchange these. The others are opened when they are begun. */
#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "dumper/lock.h"
#include "dumper/moving.h"
#include "dumper/skip.h"

#include <stdlib.h>
#include <string.h>

#define PIN_US ((uint64_t)100000) /* for opening tables under the lock */

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
        if (i >= run->plan.count || i >= PLAN_PROBED_MAX)
            break;
        rc = dumper_is_skipped(run, &run->plan.tables[i])
                 ? ERR_OK
                 : dumper_probe(w, &run->plan.tables[i], err);
        if (rc && (dumper_gone(w, &run->plan.tables[i], err) ||
                   dumper_skip(w, &run->plan.tables[i], err)))
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

static enum err_code snapshot_start(struct dump_run *run, pool_work_fn *work, struct pool **pool,
                                    struct err *err)
{
    atomic_store(&run->next, 0);
    return pool_start(pool, "dump", run->config->threads, work, snapshot_stop, run, err);
}

/* All workers do one thing; this waits for them. */
static enum err_code snapshot_phase(struct dump_run *run, pool_work_fn *work, struct err *err)
{
    struct pool *pool = NULL;
    enum err_code rc = snapshot_start(run, work, &pool, err);

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
    dumper_lock_drop(run);
    for (unsigned i = 0; run->workers && i < run->config->threads; i++)
        dumper_worker_release(&run->workers[i]);
    free(run->workers);
    run->workers = NULL;
}

/* A session at another level has no snapshot, of which MySQL alone warns (138). Nothing is asked of
 * the server for it: writers wait. */
static enum err_code snapshot_open(struct worker *w, struct err *err)
{
    enum err_code rc = conn_execz(w->conn, "START TRANSACTION WITH CONSISTENT SNAPSHOT", err);

    if (!rc && conn_warnings(w->conn))
        rc = err_set(err, ERR_DUMP_CONSISTENCY,
                     "the server warns that it opens no snapshot (transaction_isolation)");
    if (!rc && !conn_in_transaction(w->conn))
        rc = err_set(err, ERR_DUMP_CONSISTENCY,
                     "the server opens no snapshot: it has begun no transaction");
    return rc;
}

/* What stands between ferry and the server may have changed the session since it was set up. */
static enum err_code check_work(void *ctx, unsigned number, struct err *err)
{
    struct dump_run *run = ctx;
    struct worker *w = &run->workers[number];
    enum err_code rc;

    conn_thread_init();
    rc = conn_session_check(w->conn, err);
    if (!rc && !conn_in_transaction(w->conn))
        rc = err_set(err, ERR_DUMP_CONSISTENCY, "a snapshot was lost as soon as it was open");
    conn_thread_end();
    return rc;
}

static enum err_code snapshot_work(void *ctx, unsigned number, struct err *err)
{
    struct dump_run *run = ctx;
    struct worker *w = &run->workers[number];
    uint64_t until = clock_mono_us() + PIN_US;
    enum err_code rc;
    size_t i;

    conn_thread_init();
    rc = snapshot_open(w, err);
    w->in_snapshot = !rc;
    fault_point("dump.pin");
    while (!rc && clock_mono_us() < until && !dumper_stopped(run)) {
        i = atomic_fetch_add(&run->next, 1);
        if (i >= run->plan.count)
            break;
        rc = dumper_is_skipped(run, &run->plan.tables[i])
                 ? ERR_OK
                 : dumper_probe(w, &run->plan.tables[i], err);
        if (rc && (dumper_gone(w, &run->plan.tables[i], err) ||
                   dumper_skip(w, &run->plan.tables[i], err)))
            rc = ERR_OK;
    }
    conn_thread_end();
    return rc;
}

/* What is read on the control connection while the snapshots' instant lasts. The names are listed
 * behind the position: what is created later is in the binlog behind it. */
static enum err_code snapshot_read(struct dump_run *run, struct result **names, struct err *err)
{
    enum err_code rc = ERR_OK;

    if (!run->position_hidden) {
        position_release(&run->position);
        rc = position_read(run->control, &run->position, err);
    }
    if (!rc)
        rc = dumper_replica_read(run, err);
    if (!rc)
        rc = dumper_list_objects(run, names, err);
    return rc;
}

/* Workers and control connection at once: writers wait. */
static enum err_code snapshot_under_lock(struct dump_run *run, struct err *err)
{
    struct err mine = ERR_INIT;
    struct result *names = NULL;
    struct pool *pool = NULL;
    enum err_code read;
    enum err_code rc = snapshot_start(run, snapshot_work, &pool, err);

    if (rc)
        return rc;
    read = snapshot_read(run, &names, &mine);
    if (read)
        snapshot_stop(run);
    rc = pool_join(pool, err);
    fault_point("dump.snapshots-open");
    if (!rc && read) {
        *err = mine;
        rc = read;
    }
    if (!rc && dumper_stopped(run))
        rc = dumper_stop_error(run, err);
    if (!rc)
        rc = dumper_same_objects(run, names, err);
    result_free(names);
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

/* That it can be read at all, before anything is locked. Who asks for the global read lock wants
 * the position that it is for; tables' locks are what accounts with few rights have. */
static enum err_code snapshot_try_position(struct dump_run *run, struct err *err)
{
    enum err_code rc = position_read(run->control, &run->position, err);

    if (rc != ERR_PRIVILEGE || run->config->consistency == CONSISTENCY_FLUSH)
        return rc;
    run->position_hidden = true;
    log_event(
        LOG_WARN, "dump.position.hidden", F_STR("cause", err->msg),
        F_STR("message", "the dump will have no position: nothing can be replicated from it"));
    err_clear(err);
    return ERR_OK;
}

static enum err_code snapshot_locked(struct dump_run *run, struct err *err)
{
    enum err_code rc = snapshot_try_position(run, err);

    if (!rc)
        rc = dumper_lock(run, err);
    if (!rc)
        rc = snapshot_under_lock(run, err);
    if (!rc && !run->plan.locked)
        rc = dumper_unlock(run, err);
    if (!rc)
        rc = snapshot_phase(run, check_work, err);
    if (rc) {
        dumper_lock_drop(run);
        return rc;
    }
    return ERR_OK;
}

/* `auto`, where no lock is to be had, and the binlog is captured in any case. */
static enum err_code snapshot_auto(struct dump_run *run, struct err *err)
{
    const enum err_code rc = snapshot_locked(run, err);
    char *why;

    if ((rc != ERR_PRIVILEGE && rc != ERR_DUMP_CONSISTENCY) || !run->config->with_binlog ||
        run->config->consistency != CONSISTENCY_AUTO || !conn_usable(run->control))
        return rc;
    why = xasprintf("no lock is to be had: %.300s", err->msg);
    err_clear(err);
    if (!dumper_moving(run, why, err))
        *err = (struct err)ERR_INIT;
    else
        (void)err_wrap(err, "%s; and without", why);
    free(why);
    return err->code;
}

enum err_code dumper_snapshot(struct dump_run *run, struct err *err)
{
    enum err_code rc;

    if (run->config->consistency == CONSISTENCY_NONE) {
        run->consistency = "none";
        return snapshot_none(run, err);
    }
    if (run->config->consistency == CONSISTENCY_BINLOG)
        return dumper_moving(run, "asked for", err);
    rc = snapshot_auto(run, err);
    if (rc || !dumper_has_snapshots(run))
        return rc;
    fault_point("dump.after-snapshot");
    rc = dumper_same_position(run, err);
    if (rc)
        return rc;
    log_event(LOG_INFO, "dump.snapshot", F_STR("consistency", run->consistency),
              F_STR("file", run->position.file), F_U64("offset", run->position.offset),
              F_STR("gtid", run->position.gtid), F_U64("lock_us", run->lock_us),
              F_U64("waited_us", run->lock_wait_us));
    return ERR_OK;
}
