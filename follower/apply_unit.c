/* One unit, one transaction of the target:
 *
 *     BEGIN; fence; mark; what the changes come to     answers looked at     COMMIT
 *
 * Each failure but of the answer to COMMIT leaves nothing behind. After that one a new token is
 * written first, and then the mark tells whether the unit is in the target. A row that does not fit
 * makes the unit be written once more: row by row, so that the error names it, or with what does
 * not fit put on record. */
#include "follower/apply_inner.h"

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#include <inttypes.h>

#define ER_TXN_TOO_LARGE 8004
#define ER_MEMORY_QUOTA 8175

enum err_code apply_connect(struct apply_worker *w, struct err *err)
{
    struct applier *a = w->a;
    enum err_code rc;

    if (w->conn && conn_usable(w->conn))
        return ERR_OK;
    apply_disconnect(w);
    rc = conn_open(a->config.target, CONN_TARGET, "follow", &w->conn, err);
    /* Rows that are not there lock no gaps then, for which units without a common row would wait
     * for each other. */
    if (!rc && a->read_committed)
        rc = conn_execz(w->conn, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", err);
    if (!rc)
        rc = applied_connection(w->conn, &a->state, &w->fence, err);
    if (rc)
        apply_disconnect(w);
    w->writer.conn = w->conn;
    return rc;
}

void apply_disconnect(struct apply_worker *w)
{
    conn_close(w->conn);
    w->conn = NULL;
    w->writer.conn = NULL;
}

static void worker_undo(struct apply_worker *w)
{
    struct err ignored = ERR_INIT;

    if (w->conn && (!conn_usable(w->conn) || conn_execz(w->conn, "ROLLBACK", &ignored)))
        apply_disconnect(w);
}

void unit_begin(struct apply_worker *w, enum unit_form form)
{
    const struct applier *a = w->a;
    struct strbuf *sql;

    w->writer.careful = form == UNIT_CAREFUL;
    sql = writer_begin(&w->writer, WRITE_ANY, 0);
    strbuf_addstr(sql, !a->tidb            ? "BEGIN"
                       : form != UNIT_FAST ? "BEGIN PESSIMISTIC"
                                           : "BEGIN OPTIMISTIC");
    sql = writer_begin(&w->writer, WRITE_FENCE, 1);
    applied_fence_sql(&a->state, &w->fence, sql);
}

/* "bin.000001:4,1000;bin.000002:4" */
void unit_mark(struct apply_worker *w, const struct apply_unit *u)
{
    const char *file = NULL;
    struct gtid_set *set = NULL;

    strbuf_reset(&w->starts);
    strbuf_reset(&w->gtids);
    for (size_t i = 0; i < u->txn_count; i++) {
        const struct apply_txn *t = &u->txns[i];

        if (!file || strcmp(t->file, file) != 0)
            strbuf_addf(&w->starts, "%s%s:%" PRIu64, file ? ";" : "", t->file, t->start);
        else
            strbuf_addf(&w->starts, ",%" PRIu64, t->start);
        file = t->file;
        if (t->gtid.kind != GTID_MYSQL)
            continue;
        if (!set)
            set = gtid_set_new(GTID_MYSQL);
        gtid_set_add(set, &t->gtid);
    }
    if (set)
        gtid_set_text(set, &w->gtids);
    gtid_set_free(set);
    applied_mark_sql(&w->a->state, u->number, &w->starts, &w->gtids,
                     writer_begin(&w->writer, WRITE_ANY, 0));
}

enum err_code unit_commit(struct apply_worker *w, struct err *err)
{
    enum err_code rc;

    fault_point("follow.before-commit");
    w->unsure = true;
    rc = conn_execz(w->conn, "COMMIT", err);
    if (!rc)
        w->unsure = false; /* an error may hide a success: TiDB has such */
    fault_point("follow.after-commit");
    return rc;
}

static enum err_code unit_changes(struct apply_worker *w, const struct apply_unit *u,
                                  struct err *err)
{
    const struct strbuf *changes = &u->changes;
    enum err_code rc = ERR_OK;

    if (w->form == UNIT_DRIFT)
        return drift_changes(w, u, changes, 0, err);
    merge_reset(&w->merge);
    for (size_t at = 0; !rc && at < changes->len;) {
        const struct change_head h = apply_head(changes->str + at);

        rc = merge_add(&w->merge, w->a->tables[h.table], changes->str + at, err);
        at += h.size;
    }
    if (!rc)
        rc = writer_rows(&w->writer, &w->merge, err);
    return rc ? rc : writer_flush(&w->writer, err);
}

static enum err_code unit_try(struct apply_worker *w, const struct apply_unit *u, struct err *err)
{
    enum err_code rc;

    fault_point("follow.begin");
    unit_begin(w, w->form);
    unit_mark(w, u);
    rc = unit_changes(w, u, err);
    return rc ? rc : unit_commit(w, err);
}

/* *done: the COMMIT whose answer was lost has arrived. */
static enum err_code unit_decide(struct apply_worker *w, const struct apply_unit *u, bool *done,
                                 struct err *err)
{
    enum err_code rc = applied_again(w->conn, &w->a->state, &w->fence, err);

    if (!rc)
        rc = applied_has(w->conn, &w->a->state, u->number, done, err);
    if (!rc && !*done && u->spill)
        rc = large_again(w, u, err);
    if (!rc)
        w->unsure = false;
    return rc;
}

static enum err_code unit_once(struct apply_worker *w, const struct apply_unit *u, struct err *err)
{
    bool done = false;
    enum err_code rc = apply_connect(w, err);

    writer_reset(&w->writer);
    if (!rc && w->unsure)
        rc = unit_decide(w, u, &done, err);
    if (rc || done)
        return rc;
    drift_forgotten(w);
    return u->spill ? large_try(w, u, err) : unit_try(w, u, err);
}

/* The transaction that a row's change is of. */
static enum err_code unit_wrap(const struct apply_worker *w, const struct apply_unit *u,
                               struct err *err)
{
    const struct apply_txn *t = &u->txns[0];
    struct strbuf gtid = {0};

    if (!u->spill && w->writer.wrong) {
        const size_t at = (size_t)(w->writer.wrong->change - u->changes.str);

        for (size_t i = 0; i < u->txn_count && u->txns[i].at <= at; i++)
            t = &u->txns[i];
    }
    if (t->gtid.kind != GTID_NONE) {
        strbuf_addstr(&gtid, ", ");
        gtid_text(&t->gtid, &gtid);
    }
    (void)err_wrap(err, "transaction at %s:%" PRIu64 "%s", t->file, t->start, strbuf_str(&gtid));
    strbuf_release(&gtid);
    return err->code;
}

static bool worth_another_look(enum err_code rc)
{
    return !err_info(rc)->retryable && rc != ERR_FOLLOW_FENCED && rc != ERR_INTERRUPTED &&
           rc != ERR_IO && rc != ERR_NOMEM && rc != ERR_INTERNAL;
}

/* Too much for one transaction of the target, though not by our own limit. */
static bool unit_too_large(const struct apply_worker *w, const struct apply_unit *u,
                           const struct err *err)
{
    return u->spill && !w->cut &&
           (err->server_errno == ER_TXN_TOO_LARGE || err->server_errno == ER_MEMORY_QUOTA);
}

/* Waits before a unit is tried again; ERR_INTERRUPTED. */
static enum err_code unit_wait(struct apply_worker *w, struct backoff *backoff, struct err *err)
{
    struct applier *a = w->a;

    log_event(LOG_DEBUG, "follow.retry", F_STR("message", err->msg));
    pthread_mutex_lock(&a->lock);
    a->counts.retries++;
    pthread_mutex_unlock(&a->lock);
    if (!backoff_wait(backoff, &a->stop))
        return err_set(err, ERR_INTERRUPTED, "stopped");
    return ERR_OK;
}

struct trying { /* of one unit */
    uint64_t begun;
    struct backoff backoff;
};

/* The next form to try after an error that will come again. */
static bool unit_form_next(struct apply_worker *w, enum err_code rc)
{
    const bool stops = w->a->config.on_drift == APPLY_DRIFT_ERROR;

    if (rc == ERR_FOLLOW_DRIFT && !stops && w->form != UNIT_DRIFT)
        w->form = UNIT_DRIFT;
    else if (worth_another_look(rc) && w->form == UNIT_FAST)
        w->form = UNIT_CAREFUL;
    else
        return false;
    return true;
}

static void unit_record(struct apply_worker *w, const struct apply_unit *u)
{
    struct err ignored = ERR_INIT;

    if (drift_stopped(w, u, &ignored)) {
        log_event(LOG_WARN, "follow.drift.record", F_STR("message", ignored.msg));
        worker_undo(w);
    }
}

/* After a failure. ERR_OK: another try may help. */
static enum err_code unit_failed(struct apply_worker *w, const struct apply_unit *u,
                                 struct trying *t, struct err *err)
{
    const enum err_code rc = err->code;

    worker_undo(w);
    if (unit_too_large(w, u, err)) {
        log_event(LOG_WARN, "follow.cut", F_STR("message", err->msg));
        w->cut = true;
        return ERR_OK;
    }
    if (unit_form_next(w, rc))
        return ERR_OK;
    if (rc == ERR_FOLLOW_FENCED)
        return rc;
    if (!err_info(rc)->retryable || clock_mono_us() - t->begun > w->a->config.retry_us) {
        (void)unit_wrap(w, u, err);
        if (rc == ERR_FOLLOW_DRIFT && w->form == UNIT_CAREFUL)
            unit_record(w, u);
        return rc;
    }
    return unit_wait(w, &t->backoff, err);
}

enum err_code unit_write(struct apply_worker *w, struct apply_unit *u, struct err *err)
{
    struct trying t = {.begun = clock_mono_us()};

    w->cut = false;
    w->form = UNIT_FAST;
    w->done = w->done_at = 0;
    while (unit_once(w, u, err)) {
        if (unit_failed(w, u, &t, err))
            return err->code;
        err_clear(err);
    }
    drift_kept(w);
    return ERR_OK;
}

/* ---- the point ---- */

static enum err_code point_try(struct apply_worker *w, const struct applied_point *p, uint64_t from,
                               uint64_t below, struct err *err)
{
    enum err_code rc = apply_connect(w, err);

    if (rc)
        return rc;
    writer_reset(&w->writer);
    unit_begin(w, UNIT_FAST);
    applied_point_sql(&w->a->state, p, writer_begin(&w->writer, WRITE_ANY, 0));
    if (from < below)
        applied_prune_sql(&w->a->state, from, below, writer_begin(&w->writer, WRITE_ANY, 0));
    rc = writer_flush(&w->writer, err);
    fault_point("follow.before-point");
    if (!rc)
        rc = conn_execz(w->conn, "COMMIT", err);
    fault_point("follow.after-point");
    return rc;
}

/* Said twice it does the same, so that a lost answer does not matter. */
enum err_code point_write(struct apply_worker *w, const struct applied_point *p, uint64_t from,
                          uint64_t below, struct err *err)
{
    struct applier *a = w->a;
    const uint64_t begun = clock_mono_us();
    struct backoff backoff = {0};
    enum err_code rc;

    for (;;) {
        rc = point_try(w, p, from, below, err);
        if (!rc)
            return ERR_OK;
        worker_undo(w);
        if (!err_info(rc)->retryable || clock_mono_us() - begun > a->config.retry_us)
            return rc;
        if (!backoff_wait(&backoff, &a->stop))
            return err_set(err, ERR_INTERRUPTED, "stopped");
        err_clear(err);
    }
}
