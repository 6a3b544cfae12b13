/* One batch by LOAD DATA LOCAL, in two packets: the fence and the rows, then, after a look at the
 * answer, the COMMIT. On TiDB the transaction is optimistic: a pessimistic one would check for
 * duplicates at its snapshot only. */
#include "loader/put.h"

#include "common/base/fault.h"
#include "common/base/log.h"

#define STATEMENTS 3 /* BEGIN, UPDATE, LOAD */

void batch_progress_sql(struct worker *w)
{
    const struct batch *b = &w->batch;
    struct claim_progress p = {.rows_done = b->first_row + b->rows,
                               .raw_off = b->raw_off,
                               .counts = w->claim.counts,
                               .done = b->last};

    counts_add(&p.counts, &w->delta);
    claim_progress_sql(&w->run->state, &w->claim, &p, &w->sql);
}

void batch_begin_sql(struct worker *w, bool optimistic)
{
    w->delta = (struct chunk_counts){.added = w->batch.rows};
    strbuf_reset(&w->sql);
    strbuf_addstr(&w->sql, w->run->flavour.vendor != VENDOR_TIDB ? "BEGIN; "
                           : optimistic                          ? "BEGIN OPTIMISTIC; "
                                                                 : "BEGIN PESSIMISTIC; ");
    batch_progress_sql(w);
}

enum err_code batch_fenced(const struct worker *w, struct err *err)
{
    return err_set(err, ERR_LOAD_FENCED, "another process has taken '%s' over", w->chunk->path);
}

/* After an error of the first packet, whose connection is not to be used any more. */
static enum err_code fast_failed(struct worker *w, enum batch_outcome *outcome, struct err *err)
{
    worker_disconnect(w);
    if (err_info(err->code)->retryable)
        return err->code;
    *outcome = put_local_refused(w, err) ? BATCH_CAREFUL : BATCH_SETTLE;
    err_clear(err);
    return ERR_OK;
}

/* Rolls back; a connection on which that fails is closed, which does the same. */
static void fast_rollback(struct worker *w)
{
    struct err ignored = ERR_INIT;

    if (conn_execz(w->conn, "ROLLBACK", &ignored))
        worker_disconnect(w);
}

enum err_code fast_batch(struct worker *w, enum batch_outcome *outcome, struct err *err)
{
    const struct batch *b = &w->batch;
    uint64_t affected[STATEMENTS] = {0};
    struct load_info info = {0};
    struct load_params params = {.buf = b->text.str,
                                 .len = batch_bytes(b),
                                 .affected = affected,
                                 .count = STATEMENTS,
                                 .load_index = STATEMENTS - 1};
    enum err_code rc;

    batch_begin_sql(w, true);
    strbuf_addstr(&w->sql, "; ");
    strbuf_addstr(&w->sql, w->table->load_sql);
    params.sql = w->sql.str;
    params.sql_len = w->sql.len;
    fault_point("load.before-load");
    rc = conn_load(w->conn, &params, &info, err);
    if (rc)
        return fast_failed(w, outcome, err);
    fault_point("load.after-load");
    if (affected[1] != 1) {
        fast_rollback(w);
        return batch_fenced(w, err);
    }
    /* The one rule that holds on every server: rows may vanish, or be changed, in silence. */
    if (info.affected != b->rows || info.records != b->rows || info.skipped || info.deleted ||
        info.warnings) {
        fast_rollback(w);
        *outcome = BATCH_SETTLE;
        return ERR_OK;
    }
    rc = conn_execz(w->conn, "COMMIT", err);
    if (rc && err_info(rc)->retryable)
        return rc;
    if (rc) {
        log_event(LOG_DEBUG, "load.commit-refused", F_STR("message", err->msg));
        worker_disconnect(w);
        err_clear(err);
        *outcome = BATCH_SETTLE; /* after the claim has been taken anew */
        return ERR_OK;
    }
    fault_point("load.after-commit");
    *outcome = BATCH_COMMITTED;
    return ERR_OK;
}
