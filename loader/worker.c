/* One worker: claims chunks in the target (claims.h), reads the rows of each and writes them, batch
 * by batch.
 *
 * A batch is tried until it is committed or an error says that it never will be. After whatever
 * leaves an answer unknown the claim is taken anew, which makes the old transaction void, and tells
 * whether it had been committed before. A chunk that another loader has taken over meanwhile, since
 * this one seemed dead, is let go of; what it committed before counts, and no more of it can be. */
#include "loader/claims.h"
#include "loader/put.h"
#include "loader/share.h"

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"

#include <inttypes.h>

#define LOOK_US ((uint64_t)100000)
#define ER_LOCK_WAIT_TIMEOUT 1205
#define TRIES_MAX 12 /* of one batch or claim in a row; about a minute of backoff */

void worker_disconnect(struct worker *w)
{
    conn_close(w->conn);
    w->conn = NULL;
    w->staged = NULL;
}

/* Where the server sees this connection come from: whoever has to take a chunk over from a process
 * that was stopped in a transaction must be able to end it, and no other. */
static enum err_code worker_peer(struct worker *w, struct err *err)
{
    if (w->peer_of == conn_id(w->conn))
        return ERR_OK;
    if (peer_find(w->conn, conn_id(w->conn), w->peer, err)) {
        if (err_info(err->code)->retryable)
            return err->code;
        err_clear(err);
        w->peer[0] = '\0';
    }
    w->peer_of = conn_id(w->conn);
    return ERR_OK;
}

enum err_code worker_connect(struct worker *w, struct err *err)
{
    if (w->conn && !conn_usable(w->conn))
        worker_disconnect(w);
    if (w->conn)
        return ERR_OK;
    if (conn_open(w->run->url, CONN_TARGET, "load", &w->conn, err))
        return err->code;
    if (worker_zone(w->run, w->conn, err) || worker_peer(w, err))
        worker_disconnect(w);
    return err->code;
}

/* Waits before the next try. An error ends the tries: the last one's, or ERR_INTERRUPTED. */
static enum err_code worker_wait(struct worker *w, struct backoff *backoff, unsigned tries,
                                 struct err *err)
{
    struct err ignored = ERR_INIT;

    if (!err_info(err->code)->retryable)
        return err->code;
    if (tries >= TRIES_MAX)
        return err_wrap(err, "gave up after %u tries", tries);
    log_event(tries < LOAD_QUIET_TRIES ? LOG_DEBUG : LOG_WARN, "load.retry",
              F_STR("file", w->chunk ? w->chunk->path : ""), F_U64("try", tries),
              F_STR("message", err->msg));
    atomic_fetch_add_explicit(&w->run->retries, 1, memory_order_relaxed);
    /* A lock wait leaves the transaction alive: a COMMIT would keep a part of it. */
    if (w->conn && (!conn_usable(w->conn) || conn_execz(w->conn, "ROLLBACK", &ignored)))
        worker_disconnect(w);
    if (atomic_load(&w->run->stop))
        return err->code;
    if (!backoff_wait(backoff, w->run->cancel))
        return err_set(err, ERR_INTERRUPTED, "interrupted");
    err_clear(err);
    return ERR_OK;
}

/* Another process may have been stopped in a transaction that holds the chunk's row: it cannot
 * commit any more once its connection is ended. Who it is may not be known yet, when it took the
 * chunk after it was seen: then the row is to be looked at again, after a short wait too. */
static enum err_code claim_shared(struct worker *w, const struct chunk_view *seen, bool *taken,
                                  struct err *err)
{
    const struct claimant by = {w->conn, &w->run->state, w->peer};
    struct err ignored = ERR_INIT;
    enum err_code rc;

    if (conn_execz(w->conn, "SET innodb_lock_wait_timeout=1", err))
        return err->code;
    rc = claim_take(&by, seen, &w->claim, taken, err);
    if (rc && err->server_errno == ER_LOCK_WAIT_TIMEOUT && seen->loader != 0)
        peer_kill(w->conn, seen->conn, seen->peer);
    if (!conn_usable(w->conn) ||
        conn_execz(w->conn, "SET innodb_lock_wait_timeout=DEFAULT", &ignored))
        worker_disconnect(w);
    return rc;
}

/* *taken false: others were faster, or the target has to be asked again. */
static enum err_code worker_claim(struct worker *w, const struct chunk_view *seen, bool *taken,
                                  struct err *err)
{
    const struct load_run *run = w->run;
    struct backoff backoff = {.tries = w->tries};
    enum err_code rc = worker_connect(w, err);

    *taken = false;
    if (!rc && seen->loader != run->state.token && (seen->loader != 0 || claims_shared(run)))
        rc = claim_shared(w, seen, taken, err);
    else if (!rc)
        rc = claim_take(&(struct claimant){w->conn, &run->state, w->peer}, seen, &w->claim, taken,
                        err);
    if (rc) {
        *taken = false;
        return worker_wait(w, &backoff, ++w->tries, err);
    }
    w->tries = 0;
    if (*taken)
        fault_point("load.claim");
    return ERR_OK;
}

/* Takes the claim anew; *done: the batch had been committed. */
static enum err_code worker_reclaim(struct worker *w, bool *done, struct err *err)
{
    const struct claimant by = {w->conn, &w->run->state, w->peer};
    const struct batch *b = &w->batch;

    if (claim_again(&by, &w->claim, err))
        return err->code;
    *done = w->claim.rows_done == b->first_row + b->rows && w->claim.done == b->last;
    if (!*done && w->claim.rows_done != b->first_row)
        return err_set(err, ERR_LOAD_STATE,
                       "'%s': the state says that %" PRIu64 " rows are loaded, %" PRIu64
                       " or %" PRIu64 " are expected",
                       w->chunk->path, w->claim.rows_done, b->first_row, b->first_row + b->rows);
    return ERR_OK;
}

static bool worker_needs_insert(const struct worker *w)
{
    return !put_may_load(w);
}

/* One try over a connection. */
static enum err_code worker_try(struct worker *w, bool reclaim, enum batch_outcome *way,
                                bool *committed, struct err *err)
{
    enum batch_outcome outcome = BATCH_COMMITTED;
    enum err_code rc = worker_connect(w, err);

    if (!rc && reclaim)
        rc = worker_reclaim(w, committed, err);
    if (rc || *committed)
        return rc;
    if (*way == BATCH_SETTLE)
        rc = settle_batch(w, err);
    else if (*way == BATCH_CAREFUL)
        rc = careful_batch(w, &outcome, err);
    else
        rc = fast_batch(w, &outcome, err);
    if (rc)
        return rc;
    *committed = outcome == BATCH_COMMITTED;
    if (*committed)
        counts_add(&w->claim.counts, &w->delta);
    else
        *way = outcome;
    return ERR_OK;
}

static enum err_code worker_commit(struct worker *w, struct err *err)
{
    struct backoff backoff = {0};
    /* Once a chunk has shown conflicts, its next batches are looked at first. */
    bool settle = w->batch.rows > 0 && (w->probe > 0 || w->run->config->check_conflicts);
    enum batch_outcome way = settle                   ? BATCH_SETTLE
                             : worker_needs_insert(w) ? BATCH_CAREFUL
                                                      : BATCH_COMMITTED;
    bool committed = false;
    unsigned tries = 1;

    for (bool reclaim = false; !committed; reclaim = true)
        if (worker_try(w, reclaim, &way, &committed, err) && worker_wait(w, &backoff, tries++, err))
            return err->code;
    if (way != BATCH_COMMITTED && w->batch.rows > 0)
        atomic_fetch_add_explicit(&w->run->careful_batches, 1, memory_order_relaxed);
    return ERR_OK;
}

/* The batch is in the target. */
static void worker_count(struct worker *w, uint64_t bytes)
{
    struct load_run *run = w->run;
    const struct batch *b = &w->batch;

    atomic_fetch_add_explicit(&w->table->rows, b->rows, memory_order_relaxed);
    atomic_fetch_add_explicit(&w->table->bytes, bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&run->rows_now, b->rows, memory_order_relaxed);
    atomic_fetch_add_explicit(&run->bytes_now, bytes, memory_order_relaxed);
    w->job->known_rows += b->rows;
    w->job->known_bytes += bytes;
    atomic_fetch_add_explicit(&run->progress->rows, b->rows, memory_order_relaxed);
    atomic_fetch_add_explicit(&run->progress->bytes, bytes, memory_order_relaxed);
    if (!b->last)
        return;
    atomic_fetch_add_explicit(&w->table->files, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&run->progress->pieces, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&run->chunks_done, 1, memory_order_relaxed);
}

/* The file's rows are as many as the manifest says: looked at before the last of them go in. */
static enum err_code worker_look(const struct worker *w, struct err *err)
{
    const struct batch *b = &w->batch;
    uint64_t rows = b->first_row + b->rows;

    if (!w->chunk->counted)
        return ERR_OK;
    if (rows > w->chunk->rows || (b->last && rows != w->chunk->rows))
        return err_set(err, ERR_CORRUPT,
                       "'%s' holds %s %" PRIu64 " rows, the manifest says %" PRIu64, w->chunk->path,
                       b->last ? "exactly" : "at least", rows, w->chunk->rows);
    return ERR_OK;
}

/* --throttle: between two batches, when nothing is open on the target. */
static void worker_wait_turn(const struct worker *w)
{
    while (throttle_pauses(w->run->throttle) && !load_stopped(w->run))
        (void)clock_sleep(LOOK_US, w->run->cancel);
}

/* --rate: for the bytes of a batch that is loaded. */
static void worker_keep_rate(const struct worker *w, uint64_t bytes)
{
    uint64_t now = clock_mono_us();
    const uint64_t until = now + rate_take(w->run->rate, bytes, now);

    for (; now < until && !load_stopped(w->run); now = clock_mono_us())
        (void)clock_sleep(until - now < LOOK_US ? until - now : LOOK_US, w->run->cancel);
}

/* *done: to the last of them. */
static enum err_code worker_rows(struct worker *w, struct decoder *d, bool *done, struct err *err)
{
    struct batch *b = &w->batch;
    uint64_t bytes = w->claim.raw_off;

    batch_start(b, w->table->hex, w->claim.rows_done, w->claim.raw_off);
    batch_pick(b, w->table->cells, w->table->dump->shape.count);
    for (bool last = false; !last;) {
        uint64_t until;

        worker_wait_turn(w);
        if (load_stopped(w->run))
            break;
        if (batch_fill(b, d, err) || worker_look(w, err) || worker_commit(w, err))
            return err->code;
        last = b->last;
        until = last && w->chunk->counted ? w->chunk->raw_bytes : b->raw_off;
        worker_count(w, until - bytes);
        worker_keep_rate(w, until - bytes);
        bytes = until;
        *done = last;
    }
    return ERR_OK;
}

/* Another loader has the chunk now, or one has stopped the load. */
static enum err_code worker_lost(struct worker *w, struct err *err)
{
    struct err why = *err;

    report_drop(&w->refusals);
    worker_disconnect(w); /* whatever is open is rolled back */
    err_clear(err);
    if (worker_connect(w, err) || share_look(w->run, w->conn, err)) {
        if (!err_info(err->code)->retryable)
            return err->code;
        err_clear(err); /* the lease's thread looks too */
    }
    log_event(LOG_WARN, "load.chunk-lost", F_STR("file", w->chunk->path),
              F_STR("message", why.msg));
    return ERR_OK;
}

static enum err_code worker_chunk(struct worker *w, size_t index, const struct chunk_view *seen,
                                  struct err *err)
{
    uint64_t start_us = clock_mono_us();
    struct decoder *d = NULL;
    bool taken = false, done = false;
    enum err_code rc;

    w->job = &w->run->chunks[index];
    w->table = w->job->table;
    w->chunk = w->job->chunk;
    w->probe = 0;
    w->crowded = false;
    rc = worker_claim(w, seen, &taken, err);
    if (!rc && taken) {
        claims_count_others(w->run, index, w->claim.rows_done, w->claim.raw_off, false);
        rc = dump_open_chunk(w->run->dump, w->chunk, w->claim.raw_off, w->claim.rows_done, &d, err);
        if (!rc)
            rc = worker_rows(w, d, &done, err);
        decoder_free(d);
        if (!rc && done)
            rc = unfinished_done(w->run, w->chunk, err);
    }
    if (!taken || rc == ERR_LOAD_FENCED)
        claims_put_back(w->run, index);
    if (rc == ERR_LOAD_FENCED)
        rc = worker_lost(w, err);
    atomic_fetch_add_explicit(&w->table->worker_us, clock_mono_us() - start_us,
                              memory_order_relaxed);
    return rc;
}

/* *index run->chunk_count: there is nothing more to do. */
static enum err_code worker_next(struct worker *w, size_t *index, struct chunk_view *seen,
                                 struct err *err)
{
    *index = w->run->chunk_count;
    for (;;) {
        struct backoff backoff = {.tries = w->tries};
        enum err_code rc = worker_connect(w, err);

        if (!rc)
            rc = claims_next(w->run, w->conn, index, seen, err);
        if (!rc)
            return ERR_OK;
        rc = worker_wait(w, &backoff, ++w->tries, err);
        if (rc)
            return rc;
    }
}

enum err_code worker_main(void *ctx, unsigned number, struct err *err)
{
    struct load_run *run = ctx;
    struct worker w = {.run = run, .rows.max = SIZE_MAX / 4, .sql.max = SIZE_MAX / 4};
    enum err_code rc = ERR_OK;

    (void)number;
    conn_thread_init();
    batch_init(&w.batch, run->batch_bytes, run->batch_rows);
    while (!rc && !load_stopped(run)) {
        struct chunk_view seen;
        size_t index;

        rc = worker_next(&w, &index, &seen, err);
        if (rc || index == run->chunk_count)
            break;
        rc = worker_chunk(&w, index, &seen, err);
    }
    worker_disconnect(&w);
    report_drop(&w.refusals);
    batch_release(&w.batch);
    strbuf_release(&w.sql);
    strbuf_release(&w.rows);
    conn_thread_end();
    return rc;
}
