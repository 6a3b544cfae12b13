#include "dumper/ddl_lock.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/schema/engines.h"
#include "dumper/keeper.h"

#include <stdlib.h>

#define PAUSE_US ((uint64_t)1000000) /* between two attempts */
#define ER_LOCK_WAIT_TIMEOUT 1205
#define NOT_GUARDED                                                                                \
    "a table that is altered, renamed or exchanged while it is dumped may be noticed only then"

struct ddl_lock {
    const struct ddl_kind *kind; /* NULL: the server has none */
    struct conn *conn;           /* NULL: not held */
    struct keeper *keeper;
    atomic_bool held; /* false again once it is lost */
    bool taken;       /* it was held once */
    char *why;        /* it was not to be had; or NULL */
};

static const struct ddl_kind {
    const char *take, *give, *name, *grant;
} kinds[] = {
    {"LOCK INSTANCE FOR BACKUP", "UNLOCK INSTANCE", "LOCK INSTANCE FOR BACKUP", "BACKUP_ADMIN"},
    {"BACKUP STAGE BLOCK_DDL", "BACKUP STAGE END", "BACKUP STAGE BLOCK_DDL", "RELOAD"},
};

static const struct ddl_kind *ddl_kind_of(const struct flavour *f)
{
    if (flavour_at_least(f, VENDOR_MYSQL, 80000))
        return &kinds[0];
    return flavour_at_least(f, VENDOR_MARIADB, 100401) ? &kinds[1] : NULL;
}

static void ddl_lost(void *ctx, const struct err *err)
{
    struct ddl_lock *d = ctx;

    atomic_store(&d->held, false);
    log_event(LOG_WARN, "dump.ddl.lost", F_STR("cause", err->msg),
              F_STR("message",
                    "the connection that kept DDL out is lost: from now on tables can be "
                    "altered, renamed or truncated while they are dumped"));
}

/* One attempt; the stages before BLOCK_DDL are gone through by it. */
static enum err_code ddl_try(struct ddl_lock *d, unsigned seconds, struct err *err)
{
    struct err ignored = ERR_INIT;
    enum err_code rc = conn_execf(d->conn, err, "SET SESSION lock_wait_timeout = %u", seconds);

    if (!rc && d->kind == &kinds[1])
        rc = conn_execz(d->conn, "BACKUP STAGE START", err);
    if (!rc)
        rc = conn_execz(d->conn, d->kind->take, err);
    if (rc && d->kind == &kinds[1] && conn_usable(d->conn) &&
        conn_execz(d->conn, d->kind->give, &ignored))
        log_event(LOG_DEBUG, "dump.ddl.stage", F_STR("message", ignored.msg));
    return rc;
}

/* In short attempts, as DDL of others waits behind each. */
static enum err_code ddl_take(struct dump_run *run, struct ddl_lock *d, struct err *err)
{
    const uint64_t until = clock_mono_us() + run->config->lock_wait_us;
    const unsigned seconds = (unsigned)(run->config->lock_attempt_us / 1000000);
    enum err_code rc = conn_open(run->source, CONN_SOURCE, "dump", &d->conn, err);

    while (!rc) {
        rc = ddl_try(d, seconds ? seconds : 1, err);
        if (!rc || err->server_errno != ER_LOCK_WAIT_TIMEOUT)
            break;
        if (clock_mono_us() + PAUSE_US >= until)
            return err_wrap(err, "%s: a DDL statement or a backup runs", d->kind->name);
        log_event(
            LOG_INFO, "dump.ddl.wait",
            F_STR("message", "a DDL statement or a backup runs; trying again to keep DDL out"));
        if (!clock_sleep(PAUSE_US, run->cancel))
            return dumper_stop_error(run, err);
        err_clear(err);
        rc = ERR_OK;
    }
    return rc;
}

/* What is not guarded then. Fatal only where it was demanded. */
static enum err_code ddl_without(struct dump_run *run, struct ddl_lock *d, enum err_code rc,
                                 struct err *err)
{
    if (run->config->ddl_lock == DDL_LOCK_ALWAYS || rc == ERR_INTERRUPTED)
        return rc == ERR_PRIVILEGE
                   ? err_wrap(err, "--ddl-lock always (GRANT %s ON *.*)", d->kind->grant)
                   : rc;
    conn_close(d->conn);
    d->conn = NULL;
    free(d->why);
    d->why = xstrdup(err->msg);
    log_event(LOG_WARN, "dump.ddl.open", F_STR("cause", err->msg),
              F_STR("needs", rc == ERR_PRIVILEGE ? d->kind->grant : NULL),
              F_STR("message", "DDL is not kept out: " NOT_GUARDED));
    err_clear(err);
    return ERR_OK;
}

static enum err_code ddl_hold(struct dump_run *run, struct ddl_lock *d, struct err *err)
{
    enum err_code rc = ddl_take(run, d, err);

    if (rc)
        return ddl_without(run, d, rc, err);
    atomic_store(&d->held, true);
    d->taken = true;
    free(d->why);
    d->why = NULL;
    log_event(LOG_INFO, "dump.ddl.locked", F_STR("by", d->kind->name),
              F_STR("message", "DDL is kept out until the dump ends"));
    return keeper_start(&d->conn, 1, ddl_lost, d, &d->keeper, err);
}

static void ddl_give(struct ddl_lock *d)
{
    struct err ignored = ERR_INIT;

    keeper_stop(d->keeper);
    d->keeper = NULL;
    if (d->conn && conn_usable(d->conn) && conn_execz(d->conn, d->kind->give, &ignored))
        log_event(LOG_DEBUG, "dump.ddl.unlock", F_STR("message", ignored.msg));
    conn_close(d->conn); /* which gives it back in any case */
    d->conn = NULL;
}

/* BLOCK_DDL makes writers of tables without transactions wait, too. And these would wait with the
 * tables open that LOCK TABLES wants. */
static enum err_code ddl_check_writers(struct dump_run *run, struct ddl_lock *d, struct err *err)
{
    const bool always = run->config->ddl_lock == DDL_LOCK_ALWAYS;
    struct strbuf table = {0};
    struct strbuf why = {0};
    enum err_code rc;

    if (d->kind != &kinds[1] || (always && run->config->consistency != CONSISTENCY_LOCK))
        return ERR_OK;
    rc = engines_writers_wait(run->control, &table, err);
    if (!rc && table.len) {
        strbuf_addf(&why, "writers of tables without transactions would wait for %s: %s",
                    d->kind->name, strbuf_str(&table));
        if (always)
            rc = err_set(err, ERR_DUMP_CONSISTENCY,
                         "--ddl-lock always with --consistency lock: %s, and the table locks for "
                         "them; use --consistency flush",
                         strbuf_str(&why));
        else
            d->why = strbuf_detach(&why);
    }
    if (d->why)
        log_event(LOG_WARN, "dump.ddl.open", F_STR("cause", d->why),
                  F_STR("message", "DDL is not kept out (--ddl-lock always would): " NOT_GUARDED));
    strbuf_release(&table);
    strbuf_release(&why);
    return rc;
}

enum err_code dumper_ddl_lock(struct dump_run *run, struct err *err)
{
    struct ddl_lock *d = run->ddl;
    enum err_code rc;

    if (run->config->ddl_lock == DDL_LOCK_NO || run->config->consistency == CONSISTENCY_NONE)
        return ERR_OK;
    if (d) { /* of an epoch that was lost */
        if (!d->taken || atomic_load(&d->held))
            return ERR_OK;
        ddl_give(d);
        return ddl_hold(run, d, err);
    }
    run->ddl = d = xcalloc(1, sizeof(*d));
    atomic_init(&d->held, false);
    d->kind = ddl_kind_of(&run->flavour);
    if (!d->kind && run->config->ddl_lock == DDL_LOCK_ALWAYS)
        return err_set(err, ERR_SERVER_UNSUPPORTED, "--ddl-lock always: %s has no lock against DDL",
                       run->flavour.text);
    if (!d->kind) {
        d->why = xstrdup("this server has no lock against it");
        return ERR_OK;
    }
    rc = ddl_check_writers(run, d, err);
    return rc || d->why ? rc : ddl_hold(run, d, err);
}

void dumper_ddl_unlock(struct dump_run *run)
{
    if (!run->ddl)
        return;
    ddl_give(run->ddl);
    free(run->ddl->why);
    free(run->ddl);
    run->ddl = NULL;
}

bool dumper_ddl_held(const struct dump_run *run)
{
    return run->ddl && atomic_load(&run->ddl->held);
}

uint64_t dumper_ddl_session(const struct dump_run *run)
{
    return run->ddl && run->ddl->conn ? conn_id(run->ddl->conn) : 0;
}

void dumper_ddl_text(const struct dump_run *run, struct strbuf *out)
{
    const struct ddl_lock *d = run->ddl;

    if (!d)
        return;
    if (!d->taken)
        strbuf_addf(out, "not kept out (%s)", d->why ? d->why : "nothing was read");
    else
        strbuf_addf(out, "kept out by %s%s", d->kind->name,
                    atomic_load(&d->held) ? "" : ", until that connection was lost");
}
