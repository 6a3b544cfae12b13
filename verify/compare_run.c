/* Comparing two servers: who does what.
 *
 * The main thread reads both schemas, pairs the tables and starts N workers, each with a connection
 * to either side. A worker takes a table that no other one is cutting, finds the end of its next
 * chunk on the source, lets the table go for others, and compares the chunk; both servers work on
 * it at once (a thread for the target's statement). A chunk whose sums differ is summed again and
 * halved in a snapshot of its own on either side: none is held long. What differs is reported at
 * once, or, with `recheck`, kept by its key and looked at again by the main thread when all chunks
 * are done. */
#include "verify/compare_inner.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/rate.h"
#include "common/mysql/same_server.h"
#include "common/schema/read.h"
#include "verify/compare_state.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TRIES 5                    /* of a chunk whose connection is lost */
#define LOOK_US ((uint64_t)100000) /* at whether a pause has ended */

static enum err_code worker_open(struct compare_worker *w, struct err *err)
{
    for (int s = 0; s < SIDES; s++) {
        if (w->conn[s] && conn_usable(w->conn[s]))
            continue;
        conn_close(w->conn[s]);
        w->conn[s] = NULL;
        if (conn_open(w->run->url[s], CONN_SOURCE, "verify", &w->conn[s], err))
            return err_wrap(err, s == SOURCE_SIDE ? "source" : "target");
    }
    return ERR_OK;
}

static void worker_close(struct compare_worker *w)
{
    conn_close(w->conn[SOURCE_SIDE]);
    conn_close(w->conn[TARGET_SIDE]);
    strbuf_release(&w->sql);
}

static enum err_code worker_snapshot(struct compare_worker *w, struct err *err)
{
    enum err_code rc = worker_open(w, err);

    for (int s = 0; !rc && s < SIDES; s++)
        rc = conn_execz(w->conn[s], "START TRANSACTION WITH CONSISTENT SNAPSHOT", err);
    return rc;
}

static void worker_end_snapshot(struct compare_worker *w)
{
    struct err ignored = ERR_INIT;

    for (int s = 0; s < SIDES; s++)
        if (w->conn[s] && conn_usable(w->conn[s]) && conn_execz(w->conn[s], "ROLLBACK", &ignored))
            err_clear(&ignored); /* the next one begins anew */
}

void again_free(struct again *a)
{
    bound_release(&a->lo);
    bound_release(&a->hi);
    free(a);
}

/* With the lock held. */
static bool pair_open(const struct pair *p)
{
    return !p->given_out || p->again;
}

/* A table of which a chunk can be had; NULL: there is none any more, or all is to stop. */
static struct pair *pair_take(struct compare *run)
{
    struct pair *taken = NULL;
    bool open = true;

    if (compare_stops(run))
        return NULL;
    pthread_mutex_lock(&run->lock);
    while (!taken && open && !run->failed) {
        open = false;
        while (run->first < run->pair_count && !pair_open(&run->pairs[run->first]))
            run->first++;
        for (size_t i = run->first; !taken && i < run->pair_count; i++) {
            struct pair *p = &run->pairs[i];

            open = open || pair_open(p);
            if (!p->busy && pair_open(p))
                taken = p;
        }
        if (!taken && open)
            pthread_cond_wait(&run->moved, &run->lock);
    }
    if (taken)
        taken->busy = true;
    pthread_mutex_unlock(&run->lock);
    return taken;
}

/* `next`: where the next chunk begins; NULL: where it did. */
static void pair_let_go(struct compare *run, struct pair *p, const struct bound *next)
{
    pthread_mutex_lock(&run->lock);
    if (next) {
        bound_release(&p->lo);
        bound_copy(&p->lo, next);
        p->given_out = !next->count;
    }
    p->busy = false;
    pthread_cond_broadcast(&run->moved);
    pthread_mutex_unlock(&run->lock);
}

/* The bounds of a chunk that was different when it was last compared. */
static bool pair_again(struct compare *run, struct pair *p, struct bound range[2])
{
    struct again *again;

    pthread_mutex_lock(&run->lock);
    again = p->again;
    if (again)
        p->again = again->next;
    else
        bound_copy(&range[0], &p->lo);
    pthread_mutex_unlock(&run->lock);
    if (!again)
        return false;
    range[0] = again->lo;
    range[1] = again->hi;
    free(again);
    return true;
}

/* Nothing of it was reported yet, so it can begin again. */
static bool worth_retry(const struct compare_worker *w, uint64_t before, const struct err *err,
                        unsigned tries)
{
    const struct compare_report *r = w->run->report;

    return err_info(err->code)->retryable && tries < TRIES && !cancel_asked(w->run->cancel) &&
           before == r->changed + r->missing + r->extra + w->run->pending_count;
}

/* Sums that are equal need no snapshot: each side's statement sees one state of its own. */
static enum err_code chunk_once(struct compare_worker *w, struct pair *p, struct bound range[2],
                                struct chunk_end *end, struct err *err)
{
    enum err_code rc;

    if (worker_open(w, err))
        return err->code;
    if (!end)
        return chunk_cut(w, p, &range[0], &range[1], err);
    if (p->key[SOURCE_SIDE] && (chunk_sums(w, p, range, end, err) || end->equal))
        return err->code;
    rc = worker_snapshot(w, err);
    if (!rc)
        rc = p->key[SOURCE_SIDE] ? chunk_compare(w, p, range, end, err)
                                 : bag_compare(w, p, end, err);
    worker_end_snapshot(w);
    return rc;
}

/* `end` NULL: only finds range[1], where the chunk ends. */
static enum err_code chunk_step(struct compare_worker *w, struct pair *p, struct bound range[2],
                                struct chunk_end *end, struct err *err)
{
    struct compare_report *r = w->run->report;
    struct backoff backoff = {0};
    enum err_code rc;

    for (unsigned tries = 0;; tries++) {
        uint64_t before;
        bool again;

        pthread_mutex_lock(&w->run->lock);
        before = r->changed + r->missing + r->extra + w->run->pending_count;
        pthread_mutex_unlock(&w->run->lock);
        rc = chunk_once(w, p, range, end, err);
        pthread_mutex_lock(&w->run->lock);
        again = rc && worth_retry(w, before, err, tries);
        pthread_mutex_unlock(&w->run->lock);
        if (!again || !backoff_wait(&backoff, w->run->cancel))
            return rc;
        log_event(LOG_WARN, "verify.again", F_STR("db", p->table[SOURCE_SIDE]->db),
                  F_STR("table", p->table[SOURCE_SIDE]->name), F_STR("message", err->msg));
        err_clear(err);
    }
}

static enum err_code chunk_done(struct compare_worker *w, const struct pair *p,
                                const struct bound range[2], const struct chunk_end *end,
                                struct err *err)
{
    struct compare *run = w->run;
    const uint64_t rows = end->sums[SOURCE_SIDE].rows;
    uint64_t wait;

    pthread_mutex_lock(&run->lock);
    run->report->rows += rows;
    run->report->target_rows += end->sums[TARGET_SIDE].rows;
    pthread_mutex_unlock(&run->lock);
    atomic_fetch_add(&run->progress->rows, rows);
    atomic_fetch_add(&run->progress->pieces, 1);
    log_event(LOG_DEBUG, "verify.chunk", F_STR("db", p->table[SOURCE_SIDE]->db),
              F_STR("table", p->table[SOURCE_SIDE]->name), F_U64("rows", rows),
              F_U64("target_rows", end->sums[TARGET_SIDE].rows));
    if (compare_state_note(run->state, p, range, end->sums, end->equal, err))
        return err->code;
    wait = rate_take(run->rate, rows, clock_mono_us());
    if (wait)
        (void)clock_sleep(wait, run->cancel);
    return ERR_OK;
}

static enum err_code worker_chunk(struct compare_worker *w, struct pair *p, struct err *err)
{
    struct bound range[2] = {{0}, {0}};
    struct chunk_end end = {0};
    const bool again = pair_again(w->run, p, range);
    enum err_code rc = ERR_OK;

    if (!again && p->key[SOURCE_SIDE])
        rc = chunk_step(w, p, range, NULL, err);
    pair_let_go(w->run, p, again ? NULL : &range[1]);
    if (!rc)
        rc = chunk_step(w, p, range, &end, err);
    if (!rc)
        rc = chunk_done(w, p, range, &end, err);
    bound_release(&range[0]);
    bound_release(&range[1]);
    if (rc)
        (void)err_wrap(err, "'%s.%s'", p->table[SOURCE_SIDE]->db, p->table[SOURCE_SIDE]->name);
    return rc;
}

/* Before a chunk, when no snapshot is open. */
static void worker_give_way(const struct compare_worker *w)
{
    struct compare *run = w->run;

    while ((throttle_pauses(run->throttle[SOURCE_SIDE]) ||
            throttle_pauses(run->throttle[TARGET_SIDE])) &&
           !compare_stops(run))
        (void)clock_sleep(LOOK_US, run->cancel);
}

static void run_fail(void *ctx)
{
    struct compare *run = ctx;

    pthread_mutex_lock(&run->lock);
    run->failed = true;
    pthread_cond_broadcast(&run->moved);
    pthread_mutex_unlock(&run->lock);
}

static enum err_code worker_main(void *ctx, unsigned number, struct err *err)
{
    struct compare_worker w = {.run = ctx};
    struct pair *p;
    enum err_code rc = ERR_OK;

    (void)number;
    conn_thread_init();
    worker_give_way(&w);
    while (!rc && (p = pair_take(w.run)) != NULL) {
        rc = worker_chunk(&w, p, err);
        worker_give_way(&w);
    }
    if (!rc && cancel_asked(w.run->cancel))
        rc = err_set(err, ERR_INTERRUPTED, "stopped before all was compared");
    worker_close(&w);
    conn_thread_end();
    return rc;
}

/* ---- rows that differed, once more ---- */

static enum err_code recheck_round(struct compare_worker *w, bool last, struct err *err)
{
    struct compare *run = w->run;
    struct pending **at = &run->pending;
    enum err_code rc = worker_open(w, err);

    while (!rc && *at) {
        struct pending *p = *at;
        bool equal = false;

        if (cancel_asked(run->cancel))
            return err_set(err, ERR_INTERRUPTED, "stopped before all was compared");
        rc = row_resolve(w, p->pair, &p->key, last, &equal, err);
        if (rc || (!equal && !last)) {
            at = &p->next;
            continue;
        }
        run->report->settled += equal;
        *at = p->next;
        bound_release(&p->key);
        free(p);
    }
    return rc;
}

static enum err_code recheck(struct compare *run, struct err *err)
{
    struct compare_worker w = {.run = run};
    enum err_code rc = ERR_OK;

    for (unsigned i = 1; !rc && run->pending && i <= run->config->recheck; i++) {
        if (!clock_sleep(run->config->settle_us, run->cancel))
            rc = err_set(err, ERR_INTERRUPTED, "stopped before all was compared");
        else
            rc = recheck_round(&w, i == run->config->recheck, err);
    }
    worker_close(&w);
    return rc;
}

/* ---- the run ---- */

static enum err_code run_check_same(const struct compare *run, struct conn *const conn[SIDES],
                                    struct err *err)
{
    bool same = false;

    if (server_same(conn[SOURCE_SIDE], conn[TARGET_SIDE], &same, err) || !same)
        return err->code;
    for (size_t i = 0; i < run->pair_count; i++) {
        const struct table *a = run->pairs[i].table[SOURCE_SIDE];
        const struct table *b = run->pairs[i].table[TARGET_SIDE];

        if (strcmp(a->db, b->db) == 0 && strcmp(a->name, b->name) == 0)
            return err_set(err, ERR_USAGE,
                           "source and target are the same server: '%s.%s' would be compared with "
                           "itself (name the other server, or other tables with --rename)",
                           a->db, a->name);
    }
    return ERR_OK;
}

static enum err_code run_prepare(struct compare *run, struct err *err)
{
    const struct compare_config *c = run->config;
    struct compare_worker w = {.run = run};
    enum err_code rc = worker_open(&w, err);

    run->chunk_rows = c->chunk_rows;
    if (c->rate_rows && run->chunk_rows > c->rate_rows)
        run->chunk_rows = c->rate_rows; /* no longer bursts than a second's */
    run->rate = rate_new(c->rate_rows);
    for (int s = 0; !rc && s < SIDES; s++)
        run->flavour[s] = *conn_flavour(w.conn[s]);
    if (!rc)
        rc = report_open(run, err);
    if (!rc)
        rc = compare_plan(run, w.conn, err);
    if (!rc)
        rc = run_check_same(run, w.conn, err);
    worker_close(&w);
    if (!rc)
        rc = compare_state_open(run, &run->state, err);
    if (!rc)
        rc = throttle_start(&c->source_throttle, run->url[SOURCE_SIDE], CONN_SOURCE,
                            &run->throttle[SOURCE_SIDE], err);
    if (!rc)
        rc = throttle_start(&c->target_throttle, run->url[TARGET_SIDE], CONN_SOURCE,
                            &run->throttle[TARGET_SIDE], err);
    return rc;
}

static void run_release(struct compare *run)
{
    throttle_stop(run->throttle[SOURCE_SIDE]);
    throttle_stop(run->throttle[TARGET_SIDE]);
    rate_free(run->rate);
    for (size_t i = 0; i < run->pair_count; i++) {
        bound_release(&run->pairs[i].lo);
        while (run->pairs[i].again) {
            struct again *again = run->pairs[i].again;

            run->pairs[i].again = again->next;
            again_free(again);
        }
    }
    while (run->pending) {
        struct pending *p = run->pending;

        run->pending = p->next;
        bound_release(&p->key);
        free(p);
    }
    free(run->pairs);
    arena_free(run->arena);
    schema_free(run->schema[SOURCE_SIDE]);
    schema_free(run->schema[TARGET_SIDE]);
    filter_free(run->filter);
    filter_free(run->target_filter);
    route_free(run->route);
    pthread_cond_destroy(&run->moved);
    pthread_mutex_destroy(&run->lock);
}

static enum err_code run_result(const struct compare *run, struct err *err)
{
    const struct compare_report *r = run->report;

    if (!r->changed && !r->missing && !r->extra && !r->objects)
        return ERR_OK;
    return err_set(err, ERR_VERIFY_DIFFERENT,
                   "%" PRIu64 " rows changed, %" PRIu64 " missing on the target, %" PRIu64
                   " extra there, %" PRIu64 " objects or definitions different%s",
                   r->changed, r->missing, r->extra, r->objects,
                   r->stopped ? "; not all was compared (--max-differences)" : "");
}

// NOLINTNEXTLINE(readability-function-size): two servers, and what every run is given
enum err_code compare_run(const struct compare_config *config, const struct server_url *source,
                          const struct server_url *target, struct progress *progress,
                          const struct cancel *cancel, struct compare_report *report,
                          struct err *err)
{
    struct compare run = {.config = config,
                          .url = {source, target},
                          .progress = progress,
                          .cancel = cancel,
                          .report = report,
                          .arena = arena_new()};
    struct pool *pool = NULL;
    struct err close_err = ERR_INIT;
    enum err_code rc;

    pthread_mutex_init(&run.lock, NULL);
    pthread_cond_init(&run.moved, NULL);
    rc = run_prepare(&run, err);
    report->tables = run.pair_count;
    if (!rc)
        rc = pool_start(&pool, "verify", config->threads, worker_main, run_fail, &run, err);
    if (!rc)
        rc = pool_join(pool, err);
    if (!rc)
        rc = recheck(&run, err);
    if (report_close(&run, &close_err) && !rc) {
        *err = close_err;
        rc = err->code;
    }
    if (compare_state_close(run.state, !rc && !report->stopped, &close_err) && !rc) {
        *err = close_err;
        rc = err->code;
    }
    if (!rc)
        rc = run_result(&run, err);
    run_release(&run);
    return rc;
}
