/* A worker's loop: tables to begin, spans to read. */
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "dumper/epochs.h"
#include "dumper/skip.h"
#include "formats/file_names.h"

#include <stdlib.h>

#define ER_NO_SUCH_TABLE 1146
#define ER_TABLE_DEF_CHANGED 1412

void dumper_worker_prepare(struct worker *w, const struct plan_table *t)
{
    struct dump_run *run = w->run;

    if (w->table == t)
        return;
    encoder_free(w->encoder);
    arena_reset(w->arena);
    w->table = t;
    w->read = table_sql_new(w->arena, t->table, t->key, &run->flavour);
    w->encoder = encoder_new(run->config->format, &w->read->shape, run->config->statement_bytes);
    w->read->where = t->where;
    w->read->limit = t->limit;
    encoder_set_dialect(w->encoder, &run->config->dialect);
}

void dumper_worker_release(struct worker *w)
{
    encoder_free(w->encoder);
    conn_close(w->conn);
    arena_free(w->arena);
    strbuf_release(&w->sql);
    strbuf_release(&w->rows);
}

enum err_code dumper_table_error(const struct table *t, struct err *err)
{
    if (err->server_errno == ER_TABLE_DEF_CHANGED || err->server_errno == ER_NO_SUCH_TABLE)
        return err_set(err, ERR_DUMP_TABLE,
                       "'%s.%s' was dropped or altered after the snapshot was taken", t->db,
                       t->name);
    return err->code;
}

enum err_code dumper_table_done(struct dump_run *run, struct plan_table *t, struct err *err)
{
    struct ledger_table *l = t->ledger;
    struct record record = {.kind = RECORD_TABLE_DONE, .u.table_done = {.table = l->id}};
    bool done;
    bool left_out;

    pthread_mutex_lock(&run->lock);
    done = --l->open_spans == 0;
    l->done = done && !l->left_out;
    left_out = l->left_out != NULL;
    record.u.table_done.rows = l->rows;
    record.u.table_done.raw_bytes = l->raw_bytes;
    record.u.table_done.chunks = l->files;
    record.u.table_done.from = l->from;
    record.u.table_done.to = l->to;
    pthread_mutex_unlock(&run->lock);
    if (!done)
        return ERR_OK;
    if (left_out)
        return dumper_skip_finish(run, t, err);
    dumper_progressed(run);
    atomic_fetch_add_explicit(&run->progress->pieces, 1, memory_order_relaxed);
    /* what the plan took for its bytes gives way to what they are: the share grows exact */
    atomic_fetch_add_explicit(&run->progress->total_bytes,
                              record.u.table_done.raw_bytes - t->table->data_bytes,
                              memory_order_relaxed);
    log_event(LOG_DEBUG, "dump.table.done", F_STR("db", l->db), F_STR("table", l->name),
              F_U64("rows", record.u.table_done.rows));
    return manifest_append(run->manifest, &record, err);
}

/* The record that voids its files is durable before they are deleted. */
enum err_code dumper_table_void(struct dump_run *run, struct ledger_table *l, struct err *err)
{
    const struct record record = {.kind = RECORD_VOID,
                                  .u.voided = {.table = l->id, .epoch = run->epoch}};
    struct strbuf path = {0};
    enum err_code rc = manifest_append(run->manifest, &record, err);

    if (!rc)
        rc = manifest_flush(run->manifest, err);
    for (size_t i = 0; !rc && i < l->file_cap; i++) {
        if (l->file_bytes[i] == FILE_ABSENT)
            continue;
        strbuf_reset(&path);
        file_name_data(&path, l->db, l->name, i + 1,
                       run->config->format == ROW_FORMAT_SQL ? "sql" : "csv",
                       run->config->compression.codec->extension);
        rc = store_remove(run->output, strbuf_str(&path), err);
    }
    strbuf_release(&path);
    if (rc)
        return rc;
    pthread_mutex_lock(&run->lock);
    ledger_void(l);
    run->ledger->left_out -= l->was_left_out;
    l->was_left_out = false;
    pthread_mutex_unlock(&run->lock);
    return ERR_OK;
}

/* The whole table as one span. */
static enum err_code table_first_span(struct worker *w, struct plan_table *t, struct span **span,
                                      struct err *err)
{
    struct dump_run *run = w->run;
    struct bound lo = {0};
    struct bound hi = {0};
    struct record record = {.kind = RECORD_SPAN,
                            .u.span = {.table = t->ledger->id, .epoch = run->epoch}};

    pthread_mutex_lock(&run->lock);
    record.u.span.span = t->ledger->next_span++;
    t->ledger->open_spans++;
    pthread_mutex_unlock(&run->lock);
    *span = span_new(t, record.u.span.span, &lo, &hi);
    (*span)->bytes_left = t->table->data_bytes;
    return manifest_append(run->manifest, &record, err);
}

/* What earlier epochs have left over: the first range is for this worker, the others are queued. */
static void table_left_spans(struct worker *w, struct plan_table *t, struct span **span)
{
    struct dump_run *run = w->run;
    const struct ledger_span *at = NULL;
    struct ledger_table *l = t->ledger;
    uint64_t left = t->table->data_bytes > l->raw_bytes ? t->table->data_bytes - l->raw_bytes : 0;
    struct span *list = NULL;
    struct part part;
    unsigned count = 0;

    for (at = ledger_part(l, NULL, &part); at; at = ledger_part(l, at, &part), count++) {
        struct bound lo;
        struct bound hi;
        struct span *s;

        bound_copy(&lo, part.lo);
        bound_copy(&hi, part.hi);
        s = span_new(t, part.span, &lo, &hi);
        s->next = list;
        list = s;
    }
    pthread_mutex_lock(&run->lock);
    l->open_spans = count;
    pthread_mutex_unlock(&run->lock);
    while (list) {
        struct span *s = list;

        list = s->next;
        s->bytes_left = left / count;
        s->next = NULL;
        if (list)
            span_queue_push(run->queue, s);
        else
            *span = s;
    }
}

static enum err_code worker_table(struct worker *w, struct plan_table *t, struct err *err)
{
    struct dump_run *run = w->run;
    struct ledger_table *l = t->ledger;
    struct span *span = NULL;
    enum err_code rc;

    if (dumper_is_skipped(run, t))
        return dumper_skip_finish(run, t, err);
    rc = dumper_begin_table(w, t, err);
    if (rc && dumper_skip(w, t, err))
        return dumper_skip_finish(run, t, err);
    if (rc)
        return rc;
    /* without a key its rows are in no order: what an earlier epoch has cannot be gone on with */
    if (l->was_left_out || (!t->key && l->spans && l->spans->begun && !l->spans->last)) {
        rc = dumper_table_void(run, l, err);
        if (rc)
            return rc;
    }
    if (l->spans)
        table_left_spans(w, t, &span);
    else if (!run->config->no_data)
        rc = table_first_span(w, t, &span, err);
    if (!rc && span)
        return dumper_read_span(w, span, err);
    span_free(span);
    if (rc)
        return rc;
    pthread_mutex_lock(&run->lock);
    l->open_spans++; /* none: table_done takes one off */
    pthread_mutex_unlock(&run->lock);
    return dumper_table_done(run, t, err);
}

enum err_code dumper_worker_main(void *ctx, unsigned number, struct err *err)
{
    struct dump_run *run = ctx;
    struct worker *w = &run->workers[number];
    struct span_job job;
    enum err_code rc = ERR_OK;

    conn_thread_init();
    while (!rc && span_queue_take(run->queue, &job)) {
        rc = job.table ? worker_table(w, job.table, err) : dumper_read_span(w, job.span, err);
        span_queue_done(run->queue);
    }
    conn_thread_end();
    if (w->stopped) { /* why is known to who asked for it */
        err_clear(err);
        return ERR_OK;
    }
    return rc && dumper_lost(w, err) ? ERR_OK : rc;
}
