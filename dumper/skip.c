#include "dumper/skip.h"

#include "common/base/log.h"
#include "common/base/mem.h"

#include <stdlib.h>
#include <string.h>

#define ER_NO_SUCH_TABLE 1146

bool dumper_snapshot_lives(struct worker *w)
{
    struct err ignored = ERR_INIT;

    if (!w->in_snapshot)
        return true;
    return !conn_execz(w->conn, "DO 1", &ignored) && conn_in_transaction(w->conn);
}

static bool error_is_the_tables(const struct worker *w, const struct err *err)
{
    return (err->code == ERR_SQL || err->code == ERR_PRIVILEGE || err->code == ERR_DUMP_TABLE) &&
           conn_usable(w->conn);
}

/* true: it was not marked yet. */
static bool skip_mark(struct dump_run *run, struct plan_table *t, const char *why)
{
    struct ledger_table *l = t->ledger;
    bool first;

    pthread_mutex_lock(&run->lock);
    first = !l->left_out;
    if (first)
        l->left_out = xstrdup(why);
    run->left_out += first;
    pthread_mutex_unlock(&run->lock);
    return first;
}

bool dumper_skip(struct worker *w, struct plan_table *t, struct err *err)
{
    struct dump_run *run = w->run;

    if (!run->config->skip_tables || !error_is_the_tables(w, err) || !dumper_snapshot_lives(w))
        return false;
    if (skip_mark(run, t, err->msg))
        log_event(LOG_ERROR, "dump.table.left-out", F_STR("db", t->table->db),
                  F_STR("table", t->table->name), F_STR("cause", err->msg),
                  F_STR("message", "left out: it cannot be read"));
    err_clear(err);
    return true;
}

bool dumper_gone(struct worker *w, struct plan_table *t, struct err *err)
{
    if (err->server_errno != ER_NO_SUCH_TABLE || !conn_usable(w->conn))
        return false;
    dumper_vanished(w->run, t);
    err_clear(err);
    return true;
}

void dumper_vanished(struct dump_run *run, struct plan_table *t)
{
    if (skip_mark(run, t, "it was dropped on the source before the snapshot was taken"))
        log_event(LOG_WARN, "dump.table.vanished", F_STR("db", t->table->db),
                  F_STR("table", t->table->name),
                  F_STR("message", "dropped since the dump was planned: it is left out"));
}

bool dumper_is_skipped(struct dump_run *run, const struct plan_table *t)
{
    bool skipped;

    pthread_mutex_lock(&run->lock);
    skipped = t->ledger->left_out != NULL;
    pthread_mutex_unlock(&run->lock);
    return skipped;
}

enum err_code dumper_leave_table_out(struct dump_run *run, struct ledger_table *l, struct err *err)
{
    const struct record done = {.kind = RECORD_TABLE_DONE, .u.table_done = {.table = l->id}};
    const struct record left_out = {.kind = RECORD_LEFT_OUT,
                                    .u.left_out = {.optional = true,
                                                   .epoch = run->epoch,
                                                   .db = l->db,
                                                   .name = l->name,
                                                   .why = l->left_out}};
    enum err_code rc = ERR_OK;

    if (l->recorded)
        rc = dumper_table_void(run, l, err);
    if (!rc) /* before it counts as done: an empty table must not come about in silence */
        rc = manifest_append(run->manifest, &left_out, err);
    if (!rc && l->recorded)
        rc = manifest_append(run->manifest, &done, err);
    pthread_mutex_lock(&run->lock);
    l->done = true;
    pthread_mutex_unlock(&run->lock);
    return rc;
}

enum err_code dumper_skip_finish(struct dump_run *run, struct plan_table *t, struct err *err)
{
    enum err_code rc = dumper_leave_table_out(run, t->ledger, err);

    atomic_fetch_add_explicit(&run->progress->pieces, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&run->progress->total_bytes, t->table->data_bytes,
                              memory_order_relaxed);
    return rc;
}
