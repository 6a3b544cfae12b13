#include "dumper/lock.h"
#include "dumper/moving.h"

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "dumper/ddl_lock.h"
#include "dumper/long_query.h"
#include "dumper/processes.h"
#include "dumper/xa.h"

#include <stdlib.h>
#include <string.h>

#define XA_WAIT_US ((uint64_t)10000000) /* for prepared transactions to end */
#define LOCK_WAIT_AFTER 60U             /* seconds; for definitions that are being changed */
#define ER_LOCK_WAIT_TIMEOUT 1205
#define ER_LOCK_DEADLOCK 1213

enum err_code lock_set_idle(struct conn *c, unsigned seconds, struct err *err)
{
    const enum err_code rc = conn_execf(c, err, "SET SESSION wait_timeout = %u", seconds);

    if (!rc || !conn_usable(c))
        return rc;
    log_event(LOG_DEBUG, "dump.lock.idle", F_STR("message", err->msg));
    err_clear(err);
    return ERR_OK;
}

static enum err_code flush_try(struct dump_run *run, unsigned seconds, struct err *err)
{
    enum err_code rc = conn_execf(run->control, err, "SET SESSION lock_wait_timeout = %u", seconds);

    if (!rc)
        rc = conn_execz(run->control, "FLUSH TABLES WITH READ LOCK", err);
    return rc ? rc : lock_set_idle(run->control, HELD_IDLE_S, err);
}

static enum err_code flush_release(struct dump_run *run, struct err *err)
{
    enum err_code rc = conn_execz(run->control, "UNLOCK TABLES", err);

    if (!rc)
        rc = conn_execf(run->control, err, "SET SESSION lock_wait_timeout = %u", LOCK_WAIT_AFTER);
    return rc ? rc : lock_set_idle(run->control, FREE_IDLE_S, err);
}

static enum err_code tables_guard(struct dump_run *run, struct err *err)
{
    (void)run;
    (void)err;
    return ERR_OK; /* statements on other tables are not in its way */
}

struct lock_kind {
    const char *name, *what, *grant;
    enum err_code (*guard)(struct dump_run *run, struct err *err);
    enum err_code (*attempt)(struct dump_run *run, unsigned seconds, struct err *err);
    enum err_code (*release)(struct dump_run *run, struct err *err);
};
static const struct lock_kind kind_flush = {
    "flush",   "the global read lock", "GRANT RELOAD ON *.*", long_query_guard,
    flush_try, flush_release};
static const struct lock_kind kind_tables = {
    "lock",       "the tables' read locks", "GRANT LOCK TABLES ON the databases",
    tables_guard, lock_tables_try,          lock_tables_release};

static bool lock_waited(const struct err *err)
{
    return err->server_errno == ER_LOCK_WAIT_TIMEOUT || err->server_errno == ER_LOCK_DEADLOCK;
}

/* The server does not give this lock to this account, or to nobody: trying again helps nothing. */
static bool lock_refused(enum err_code rc)
{
    return rc == ERR_PRIVILEGE || rc == ERR_AUTH || rc == ERR_SQL || rc == ERR_SERVER_UNSUPPORTED;
}

/* What keeps the lock away, as far as it can be seen. A prepared XA transaction has no session. */
static enum err_code lock_holders(struct dump_run *run, struct strbuf *out, struct err *err)
{
    struct strbuf prepared = {0};
    enum err_code rc;

    processes_name_holders(run, run->config->lock_attempt_us / 1000000, out);
    rc = xa_prepared(run, &prepared, err);
    if (prepared.len)
        strbuf_addf(out, "%sprepared XA transactions %s", out->len ? "; " : "",
                    strbuf_str(&prepared));
    if (!out->len)
        strbuf_addstr(out, processes_all_seen(run) ? "nothing that is still there"
                                                   : "cannot be seen (GRANT PROCESS ON *.*)");
    strbuf_release(&prepared);
    return rc;
}

/* One attempt has run out: says what is in the way, and lets the writers behind it go on for as
 * long as they have waited. */
static enum err_code lock_pause(struct dump_run *run, const struct lock_kind *kind, uint64_t until,
                                struct err *err)
{
    const uint64_t attempt_us = run->config->lock_attempt_us;
    struct strbuf holders = {0};
    enum err_code rc = lock_holders(run, &holders, err);

    if (!rc && clock_mono_us() + attempt_us >= until)
        rc = err_set(err, ERR_SERVER_BUSY,
                     "%s: not to be had in %u s (--lock-wait); in the way: %s", kind->what,
                     (unsigned)(run->config->lock_wait_us / 1000000), strbuf_str(&holders));
    if (!rc)
        log_event(LOG_INFO, "dump.lock.wait", F_STR("lock", kind->name),
                  F_STR("holders", strbuf_str(&holders)),
                  F_STR("message", "given up for now so that writers go on; trying again"));
    strbuf_release(&holders);
    if (!rc && !clock_sleep(attempt_us, run->cancel))
        rc = dumper_stop_error(run, err);
    return rc;
}

/* Whole seconds for one attempt, as the server counts. */
static unsigned lock_seconds(const struct dump_run *run, uint64_t left_us)
{
    const uint64_t us =
        left_us < run->config->lock_attempt_us ? left_us : run->config->lock_attempt_us;

    return us < 1000000 ? 1 : (unsigned)(us / 1000000);
}

static enum err_code lock_take(struct dump_run *run, const struct lock_kind *kind, struct err *err)
{
    uint64_t until = 0;
    enum err_code rc;

    for (;;) {
        uint64_t since;

        rc = kind->guard(run, err);
        if (rc)
            return rc;
        since = clock_mono_us();
        until = until ? until : since + run->config->lock_wait_us;
        rc = kind->attempt(run, lock_seconds(run, until > since ? until - since : 0), err);
        run->lock_wait_us += clock_mono_us() - since;
        if (!rc) {
            run->held.kind = kind;
            run->held.since_us = clock_mono_us();
            return ERR_OK;
        }
        if (!lock_waited(err))
            return rc;
        err_clear(err);
        rc = lock_pause(run, kind, until, err);
        if (rc)
            return rc;
    }
}

/* Writers go on meanwhile. */
static enum err_code xa_pause(struct dump_run *run, uint64_t until, const char *prepared,
                              struct err *err)
{
    if (clock_mono_us() >= until)
        return err_set(err, ERR_DUMP_CONSISTENCY,
                       "there are prepared XA transactions (%s): commit them or roll them back, "
                       "their rows would be missing in the dump and in the binlog behind it",
                       prepared);
    log_event(LOG_INFO, "dump.xa.wait", F_STR("transactions", prepared),
              F_STR("message", "waiting for prepared XA transactions to end"));
    return clock_sleep(1000000, run->cancel) ? ERR_OK : dumper_stop_error(run, err);
}

/* The lock, at a moment without prepared XA transactions. */
static enum err_code lock_take_clean(struct dump_run *run, const struct lock_kind *kind,
                                     struct err *err)
{
    const uint64_t wait_us =
        run->config->lock_wait_us < XA_WAIT_US ? run->config->lock_wait_us : XA_WAIT_US;
    const uint64_t until = clock_mono_us() + wait_us;
    struct strbuf prepared = {0};
    enum err_code rc;

    for (;;) {
        rc = lock_take(run, kind, err);
        if (rc)
            break;
        fault_point("dump.after-lock");
        if (run->position.file) /* without a binlog there is nothing to miss in it */
            rc = xa_prepared(run, &prepared, err);
        if (rc || !prepared.len)
            break;
        rc = dumper_unlock(run, err);
        if (rc)
            break;
        rc = xa_pause(run, until, strbuf_str(&prepared), err);
        if (rc)
            break;
    }
    strbuf_release(&prepared);
    if (rc)
        dumper_lock_drop(run);
    return rc;
}

enum err_code dumper_xa_wait(struct dump_run *run, struct err *err)
{
    const uint64_t until = clock_mono_us() + XA_WAIT_US;
    struct strbuf prepared = {0};
    enum err_code rc;

    do {
        rc = xa_prepared(run, &prepared, err);
        if (!rc && prepared.len)
            rc = xa_pause(run, until, strbuf_str(&prepared), err);
    } while (!rc && prepared.len);
    strbuf_release(&prepared);
    return rc;
}

static void lock_taken(struct dump_run *run, const struct lock_kind *kind, const char *why)
{
    run->consistency = kind->name;
    free(run->consistency_why);
    run->consistency_why = xstrdup(why);
    log_event(LOG_INFO, "dump.consistency", F_STR("consistency", kind->name), F_STR("why", why),
              F_U64("waited_us", run->lock_wait_us),
              F_STR("message", "the snapshots are opened under this lock"));
}

/* What to do about it; never in silence without a snapshot. */
static enum err_code lock_none(const struct lock_kind *kind, enum err_code rc, struct err *err)
{
    if (!lock_refused(rc))
        return rc;
    if (rc != ERR_PRIVILEGE)
        err->code = ERR_DUMP_CONSISTENCY;
    return err_wrap(err,
                    "%s: refused (%s; or --consistency none does without it, and without a "
                    "snapshot)",
                    kind->what, kind->grant);
}

enum err_code dumper_lock(struct dump_run *run, struct err *err)
{
    const enum dump_consistency asked = run->config->consistency;
    struct strbuf why = {0};
    enum err_code rc;

    if (asked != CONSISTENCY_AUTO) {
        const struct lock_kind *kind = asked == CONSISTENCY_LOCK ? &kind_tables : &kind_flush;

        rc = lock_take_clean(run, kind, err);
        if (rc)
            return lock_none(kind, rc, err);
        lock_taken(run, kind, "asked for");
        return ERR_OK;
    }
    rc = lock_take_clean(run, &kind_flush, err);
    if (!rc)
        lock_taken(run, &kind_flush, "the global read lock was to be had");
    if (!lock_refused(rc))
        return rc;
    strbuf_addf(&why, "the global read lock is refused: %s", err->msg);
    log_event(LOG_INFO, "dump.lock.next", F_STR("cause", err->msg),
              F_STR("message", "no global read lock here; trying read locks on the tables"));
    err_clear(err);
    rc = lock_take_clean(run, &kind_tables, err);
    if (!rc)
        lock_taken(run, &kind_tables, strbuf_str(&why));
    else if (lock_refused(rc) && lock_none(&kind_tables, rc, err))
        rc = err_wrap(err, "%s (%s)", strbuf_str(&why), kind_flush.grant);
    strbuf_release(&why);
    return rc;
}

enum err_code dumper_unlock(struct dump_run *run, struct err *err)
{
    const struct lock_kind *kind = run->held.kind;
    enum err_code rc;

    if (!kind)
        return ERR_OK;
    dumper_lock_rest_end(run);
    rc = kind->release(run, err);
    run->lock_us += clock_mono_us() - run->held.since_us;
    run->held.kind = NULL;
    lock_tables_close(run);
    return rc ? err_wrap(err, "%s: not held until the snapshots were open", kind->what) : ERR_OK;
}

void dumper_lock_drop(struct dump_run *run)
{
    struct err ignored = ERR_INIT;

    if (run->held.kind && dumper_unlock(run, &ignored))
        log_event(LOG_DEBUG, "dump.unlock", F_STR("message", ignored.msg));
    lock_tables_close(run);
}

enum err_code dumper_lock_rest(struct dump_run *run, keeper_lost_fn *lost, struct err *err)
{
    struct held_locks *h = &run->held;

    if (h->kind == &kind_flush)
        return keeper_start(&run->control, 1, lost, run, &h->keeper, err);
    return keeper_start(h->sessions, h->count, lost, run, &h->keeper, err);
}

void dumper_lock_rest_end(struct dump_run *run)
{
    keeper_stop(run->held.keeper);
    run->held.keeper = NULL;
}
