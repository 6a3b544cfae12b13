/* The fast path: rows of a span become chunk files.
 *
 * A SELECT brings a LIMIT of rows, as many as should fill a file. Rows are encoded straight from
 * the client library's buffers into w->rows, which goes to the file's chain at each mebibyte. A
 * file ends with its SELECT; it goes on into the next one when the rows were smaller than thought,
 * and is cut in mid-stream when they were larger, or when the file has taken too long: any part of
 * a span in key order is a chunk, and what is finished is not read again. The key is copied at
 * those rows alone. */
#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/mem.h"
#include "dumper/epochs.h"
#include "dumper/manners.h"
#include "dumper/skip.h"
#include "formats/dump_write.h"
#include "formats/file_names.h"

#include <stdlib.h>

#define WRITE_BYTES ((size_t)1 << 20)
#define KEEP_BYTES ((size_t)16 << 20) /* a buffer that one row has made larger is given back */
#define STOP_ROWS 256                 /* how often a reader looks whether all is to stop */
#define ROW_BYTES_UNKNOWN 256
#define CLOCK_ROWS 16 /* how often a reader looks at the clock */
#define LIMIT_MIN 16
#define LIMIT_GUESSED 2000 /* the first SELECT finds out how long rows are */

struct reading {
    struct worker *w;
    struct span *span;
    uint64_t row_bytes; /* of a row, about */
    bool guessed;       /* no row has been seen yet */
    bool ended;         /* the span's last row has come */
    /* the file being written */
    struct sink *sink; /* NULL: no row yet */
    struct strbuf path;
    struct bound lo;
    uint64_t number, rows, written;
    uint64_t raw_bytes, started_us;
    struct digest digest;
    uint64_t counted; /* rows that progress has been told of */
};

static uint64_t reading_bytes(const struct reading *r)
{
    return r->written + r->w->rows.len;
}

/* First row of a file. */
static enum err_code chunk_open(struct reading *r, struct err *err)
{
    struct worker *w = r->w;
    struct dump_run *run = w->run;
    const struct table *t = w->table->table;

    if (dumper_wait_room(w, false, err))
        return err->code;
    pthread_mutex_lock(&run->lock);
    r->number = w->table->ledger->next_number++;
    pthread_mutex_unlock(&run->lock);
    strbuf_reset(&r->path);
    file_name_data(&r->path, t->db, t->name, r->number,
                   run->config->format == ROW_FORMAT_SQL ? "sql" : "csv",
                   run->config->compression.codec->extension);
    r->written = r->rows = r->raw_bytes = r->counted = 0;
    r->digest = (struct digest){0};
    if (dump_file_open(run->output, strbuf_str(&r->path), &run->config->compression, &r->raw_bytes,
                       &r->digest, &r->sink, err))
        return err->code;
    return encoder_begin(w->encoder, &w->rows, err);
}

static enum err_code chunk_flush(struct reading *r, struct err *err)
{
    struct worker *w = r->w;
    struct progress *p = w->run->progress;
    enum err_code rc = sink_write(r->sink, strbuf_str(&w->rows), w->rows.len, err);

    atomic_fetch_add_explicit(&p->bytes, w->rows.len, memory_order_relaxed);
    atomic_fetch_add_explicit(&p->rows, r->rows - r->counted, memory_order_relaxed);
    r->counted = r->rows;
    r->written += w->rows.len;
    if (!rc)
        rc = dumper_keep_rate(w, w->rows.len, err);
    if (w->rows.cap > KEEP_BYTES)
        strbuf_release(&w->rows);
    strbuf_reset(&w->rows);
    if (!rc && !w->read->key) /* its one statement is the whole table */
        rc = dumper_give_way(w, false, err);
    return rc;
}

static enum err_code chunk_record(struct reading *r, bool last, struct err *err)
{
    struct span *s = r->span;
    struct dump_run *run = r->w->run;
    struct ledger_table *l = s->table->ledger;
    struct record record = {.kind = RECORD_CHUNK,
                            .u.chunk = {.table = l->id,
                                        .span = s->id,
                                        .epoch = run->epoch,
                                        .number = r->rows ? r->number : 0,
                                        .lo = r->lo,
                                        .hi = last ? s->hi : s->lo,
                                        .last = last,
                                        .path = r->rows ? r->path.str : NULL,
                                        .rows = r->rows,
                                        .raw_bytes = r->rows ? r->raw_bytes : 0,
                                        .digest = r->rows ? r->digest : (struct digest){0}}};

    if (!s->table->key) /* one span, read in no order */
        record.u.chunk.lo = record.u.chunk.hi = (struct bound){0};
    fault_point("dump.chunk.before-record");
    if (manifest_append(run->manifest, &record, err))
        return err->code;
    pthread_mutex_lock(&run->lock);
    ledger_add_chunk(l, &record.u.chunk);
    l->worker_us += clock_mono_us() - r->started_us;
    pthread_mutex_unlock(&run->lock);
    if (s->table->key) /* without one it may have to start again */
        dumper_progressed(run);
    r->started_us = clock_mono_us();
    fault_point("dump.chunk.after-record");
    return ERR_OK;
}

/* Makes the file durable and records it; `last`: also when it has no row. */
static enum err_code chunk_finish(struct reading *r, bool last, struct err *err)
{
    enum err_code rc = ERR_OK;

    if (r->sink) {
        rc = encoder_end(r->w->encoder, &r->w->rows, err);
        if (!rc)
            rc = chunk_flush(r, err);
        if (!rc) {
            fault_point("dump.chunk.before-finish");
            rc = sink_finish(r->sink, err);
        }
        sink_free(r->sink);
        r->sink = NULL;
    }
    if (!rc && (r->rows || last))
        rc = chunk_record(r, last, err);
    digest_release(&r->digest);
    r->rows = r->written = 0;
    bound_release(&r->lo);
    bound_copy(&r->lo, &r->span->lo);
    return rc;
}

/* A row that ends its file: by bytes, or as the last one of its SELECT. */
static enum err_code reading_boundary(struct reading *r, const struct row *row, bool cut,
                                      struct err *err)
{
    enum err_code rc = ERR_OK;

    if (r->w->read->key)
        rc = table_sql_take_key(r->w->read, row, false, &r->span->lo, err);
    if (!rc && cut)
        rc = chunk_finish(r, false, err);
    return rc;
}

static enum err_code reading_row(struct reading *r, const struct row *row, struct err *err)
{
    struct worker *w = r->w;
    const struct row data = {row->cell, row->len, w->read->shape.count};
    enum err_code rc = ERR_OK;

    if (!r->sink)
        rc = chunk_open(r, err);
    if (!rc)
        rc = encoder_row(w->encoder, &data, &w->rows, err);
    r->rows++;
    if (!rc && w->rows.len >= WRITE_BYTES)
        rc = chunk_flush(r, err);
    return rc;
}

/* Rows that are still under way would have to be read to their end: the server stops them. */
static void reading_abandon(struct worker *w)
{
    struct conn *c = NULL;
    struct err ignored = ERR_INIT;

    if (conn_usable(w->conn) && !conn_open(w->run->source, CONN_SOURCE, "dump", &c, &ignored) &&
        conn_kill_query(c, conn_id(w->conn), &ignored))
        err_clear(&ignored); /* then they are read to their end */
    conn_close(c);
}

/* The file is large enough, or has taken as long as one may. Without a key no part of a table
 * counts before the whole of it does: time is of no account there. */
static bool reading_is_full(const struct reading *r, uint64_t written)
{
    const struct dump_config *config = r->w->run->config;

    if (reading_bytes(r) >= config->chunk_bytes + config->chunk_bytes / 4)
        return true;
    if (!r->w->read->key || !config->chunk_us)
        return false;
    return (r->rows % CLOCK_ROWS == 0 || r->written != written) && /* rates are kept by writing */
           clock_mono_us() - r->started_us >= config->chunk_us;
}

static enum err_code reading_rows(struct reading *r, struct result *rows, uint64_t limit,
                                  uint64_t *got, struct err *err)
{
    struct row row;
    bool more = true;
    enum err_code rc = ERR_OK;

    for (*got = 0; !rc;) {
        const uint64_t written = r->written;
        bool cut;

        rc = result_next(rows, &row, &more, err);
        if (rc || !more)
            break;
        rc = reading_row(r, &row, err);
        ++*got;
        cut = reading_is_full(r, written);
        if (!rc && (cut || *got == limit))
            rc = reading_boundary(r, &row, cut, err);
        if (!rc && *got % STOP_ROWS == 0 && dumper_stopped(r->w->run)) {
            r->w->stopped = true;
            rc = dumper_stop_error(r->w->run, err);
        }
    }
    if (rc && more)
        reading_abandon(r->w);
    return rc;
}

static enum err_code reading_select(struct reading *r, uint64_t limit, struct err *err)
{
    struct worker *w = r->w;
    struct result *rows = NULL;
    uint64_t before = reading_bytes(r);
    uint64_t files_before = r->number;
    uint64_t got = 0;
    enum err_code rc = dumper_give_way(w, true, err);

    if (!rc && !r->sink)
        rc = dumper_wait_room(w, true, err);
    if (rc)
        return rc;
    table_sql_rows(w->read, &r->span->lo, &r->span->hi, limit, &w->sql);
    rc = conn_query(w->conn, strbuf_str(&w->sql), w->sql.len, true, &rows, err);
    if (!rc)
        rc = reading_rows(r, rows, limit, &got, err);
    result_free(rows);
    if (rc)
        return rc;
    r->guessed = false;
    r->ended = !limit || got < limit;
    r->span->full_seen = !r->ended;
    if (got && r->rows && r->number == files_before && reading_bytes(r) > before)
        r->row_bytes = (reading_bytes(r) - before) / got + 1;
    else if (r->rows) /* cut since: what the new file has */
        r->row_bytes = reading_bytes(r) / r->rows + 1;
    return ERR_OK;
}

/* Rows that should fill what the file lacks. */
static uint64_t reading_limit(const struct reading *r)
{
    uint64_t target = r->w->run->config->chunk_bytes;
    uint64_t have = reading_bytes(r);
    uint64_t rows = (have < target ? target - have : 0) / r->row_bytes;

    if (!r->w->read->key)
        return 0;
    if (r->guessed && rows > LIMIT_GUESSED)
        return LIMIT_GUESSED;
    return rows < LIMIT_MIN ? LIMIT_MIN : rows;
}

static enum err_code reading_chunk(struct reading *r, struct err *err)
{
    uint64_t target = r->w->run->config->chunk_bytes;
    enum err_code rc = ERR_OK;

    do {
        rc = reading_select(r, reading_limit(r), err);
    } while (!rc && !r->ended && r->rows && reading_bytes(r) < target - target / 4);
    if (rc)
        return rc;
    if (r->span->bytes_left > reading_bytes(r))
        r->span->bytes_left -= reading_bytes(r);
    else
        r->span->bytes_left = 0;
    return chunk_finish(r, r->ended, err);
}

/* More than one chunk is to come, and somebody could read a part of it. */
static bool reading_should_split(const struct reading *r)
{
    const struct span *s = r->span;

    return s->table->key && !s->no_split && span_queue_hungry(r->w->run->queue) &&
           (s->full_seen || s->bytes_left / 2 >= r->w->run->config->chunk_bytes);
}

/* From statistics, which only decide how the first SELECT is cut. */
static uint64_t reading_guess(const struct table *t)
{
    uint64_t bytes = t->row_estimate ? t->data_bytes / t->row_estimate : 0;

    return bytes ? bytes : ROW_BYTES_UNKNOWN;
}

enum err_code dumper_read_span(struct worker *w, struct span *s, struct err *err)
{
    struct reading r = {.w = w, .span = s, .guessed = true, .started_us = clock_mono_us()};
    enum err_code rc = ERR_OK;

    dumper_worker_prepare(w, s->table);
    r.row_bytes = reading_guess(s->table->table);
    bound_copy(&r.lo, &s->lo);
    while (!rc && !r.ended && !dumper_is_skipped(w->run, s->table)) {
        if (dumper_stopped(w->run)) {
            w->stopped = true;
            rc = dumper_stop_error(w->run, err);
            break;
        }
        while (!rc && reading_should_split(&r))
            rc = dumper_split(w, s, w->run->config->chunk_bytes / r.row_bytes + 1, err);
        if (!rc)
            rc = reading_chunk(&r, err);
    }
    sink_free(r.sink); /* unfinished: the file never appears */
    strbuf_reset(&w->rows);
    strbuf_release(&r.path);
    digest_release(&r.digest);
    bound_release(&r.lo);
    if (rc && !w->stopped) {
        (void)err_wrap(err, "'%s.%s'", s->table->table->db, s->table->table->name);
        rc = dumper_table_error(s->table->table, err);
    }
    if (rc && !w->stopped && dumper_skip(w, s->table, err))
        rc = ERR_OK;
    if (!rc)
        rc = dumper_table_done(w->run, s->table, err);
    span_free(s);
    return rc;
}
