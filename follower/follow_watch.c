/* The lag is how long ago, by the source's clock, the oldest transaction was committed there that
 * is not on the target yet; where all that was read is there, how long it is since the source last
 * said that it has no more (a heartbeat of the stream, each second of silence), or since the commit
 * of what was read last. So it is right while nothing happens, and when the stream is slow. The
 * source's clock is asked for now and then, and carried on by this machine's monotonic one. */
#include "follower/follow_watch.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "follower/follow_inner.h"

#include <stdlib.h>

#define TICK_US ((uint64_t)500000)
#define BEAT_US ((uint64_t)2000000)
#define CLOCK_US ((uint64_t)60000000)
#define PURGE_US ((uint64_t)30000000)
#define BEAT_OF_STREAM_MS 1500 /* silence for so long says nothing: a heartbeat and its way */
#define RATE_WEIGHT 0.3        /* of the newest interval */

/* ---- figures ---- */

static int64_t source_now_us(const struct follow_run *run)
{
    return (int64_t)clock_mono_us() + atomic_load(&run->source_offset_us);
}

static int64_t watch_lag_ms(struct follow_run *run, const struct applier_counts *n)
{
    struct watch *w = &run->watch;
    const int64_t now_us = source_now_us(run);
    const int64_t end_us = (int64_t)atomic_load(&w->end_us);
    const int64_t read_s = (int64_t)atomic_load(&w->read_s);
    int64_t oldest_s = n->oldest ? (int64_t)n->oldest : (int64_t)atomic_load(&w->open_s);
    int64_t since_us;
    int64_t lag_ms;

    if (!run->config->source)
        return FOLLOW_LAG_UNKNOWN;
    if (oldest_s) {
        lag_ms = now_us / 1000 - oldest_s * 1000;
        return lag_ms > 0 ? lag_ms : 0;
    }
    since_us = end_us ? end_us + atomic_load(&run->source_offset_us) : 0;
    if ((read_s + 1) * 1000000 > since_us) /* a commit time is cut to its second */
        since_us = (read_s + 1) * 1000000;
    if (!end_us && !read_s)
        return 0; /* nothing has come yet: it has just begun */
    lag_ms = (now_us - since_us) / 1000;
    return lag_ms > BEAT_OF_STREAM_MS ? lag_ms : 0;
}

static void watch_rates(struct watch *w, const struct applier_counts *n)
{
    const uint64_t now = clock_mono_us();
    const double seconds = (double)(now - w->rate_us) / 1e6;

    if (w->rate_us && seconds > 0) {
        w->txn_rate +=
            RATE_WEIGHT * ((double)(n->transactions - w->last_txns) / seconds - w->txn_rate);
        w->row_rate += RATE_WEIGHT * ((double)(n->changes - w->last_rows) / seconds - w->row_rate);
    }
    w->rate_us = now;
    w->last_txns = n->transactions;
    w->last_rows = n->changes;
}

static void watch_progress(struct follow_run *run, const struct applier_counts *n, int64_t lag_ms)
{
    struct progress *p = run->progress;

    atomic_store(&p->rows, n->changes);
    atomic_store(&p->pieces, n->transactions);
    atomic_store(&p->lag_ms, lag_ms);
    atomic_store(&p->queued, n->queued);
    atomic_store(&p->queued_bytes, n->queued_bytes);
    atomic_store(&p->busy, n->busy);
}

/* ---- the target ---- */

static void counts_free(struct follow_count *counts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free((char *)(uintptr_t)counts[i].db);
        free((char *)(uintptr_t)counts[i].name);
    }
    free(counts);
}

static void add_count(struct watch *w, const struct follow_table *t)
{
    if (w->count_count == w->count_cap) {
        w->count_cap = w->count_cap ? 2 * w->count_cap : 16;
        w->counts = xreallocarray(w->counts, w->count_cap, sizeof *w->counts);
    }
    w->counts[w->count_count++] = (struct follow_count){.db = xstrdup(t->db),
                                                        .name = xstrdup(t->name),
                                                        .inserts = t->inserts,
                                                        .updates = t->updates,
                                                        .deletes = t->deletes};
}

void watch_hand_over(struct follow_run *run)
{
    struct watch *w = &run->watch;
    const struct binlog_position at = binlog_reader_position(run->reader);

    pthread_mutex_lock(&w->lock);
    free(w->read_file);
    w->read_file = xstrdup(at.file ? at.file : "");
    w->read_pos = at.offset;
    for (size_t i = 0; w->count_count == 0 && i < run->table_count; i++) {
        struct follow_table *t = run->tables[i];

        if (t->inserts + t->updates + t->deletes == 0)
            continue;
        add_count(w, t);
        t->inserts = t->updates = t->deletes = 0;
    }
    pthread_mutex_unlock(&w->lock);
}

static enum err_code write_counts(struct follow_run *run, struct conn *c, struct err *err)
{
    struct watch *w = &run->watch;
    struct follow_count *counts;
    size_t count;
    enum err_code rc;

    pthread_mutex_lock(&w->lock);
    counts = w->counts;
    count = w->count_count;
    w->counts = NULL;
    w->count_count = w->count_cap = 0;
    pthread_mutex_unlock(&w->lock);
    rc = follow_counts_add(c, &run->state, counts, count, err);
    counts_free(counts, count);
    return rc;
}

static enum err_code write_live(struct follow_run *run, struct conn *c,
                                const struct applier_counts *n, int64_t lag_ms, struct err *err)
{
    struct watch *w = &run->watch;
    struct follow_live l = {.lag_ms = lag_ms,
                            .txn_rate = w->txn_rate,
                            .row_rate = w->row_rate,
                            .queued = n->queued,
                            .queued_bytes = n->queued_bytes,
                            .busy = n->busy,
                            .kept_s = w->purge.kept_s,
                            .kept_note = w->purge.note};
    enum err_code rc;

    pthread_mutex_lock(&w->lock);
    l.read_file = xstrdup(w->read_file ? w->read_file : "");
    l.read_pos = w->read_pos;
    pthread_mutex_unlock(&w->lock);
    rc = follow_live_write(c, &run->state, &l, err);
    free(l.read_file);
    return rc;
}

void watch_beat(struct follow_run *run, struct conn *c, const char *stage, struct err *err)
{
    struct applier_position at;
    struct applier_counts n;
    struct follow_beat b;
    int64_t lag_ms;

    applier_position(run->applier, &at);
    applier_counts(run->applier, &n);
    lag_ms = watch_lag_ms(run, &n);
    watch_progress(run, &n, lag_ms);
    b = (struct follow_beat){.stage = stage                          ? stage
                                      : lag_ms == 0 && n.queued == 0 ? FOLLOW_CLOSE
                                                                     : FOLLOW_GOING,
                             .file = at.file,
                             .offset = at.offset,
                             .gtids = at.gtids,
                             .source_time = at.timestamp,
                             .transactions = n.transactions,
                             .rows = n.changes};
    if (follow_beat(c, &run->state, &b, err) || write_live(run, c, &n, lag_ms, err) ||
        write_counts(run, c, err))
        log_event(LOG_DEBUG, "follow.beat", F_STR("message", err->msg));
}

/* ---- the thread ---- */

static bool watch_conn(struct conn **c, const struct server_url *url, enum conn_profile profile)
{
    struct err err = ERR_INIT;

    if (*c && conn_usable(*c))
        return true;
    conn_close(*c);
    *c = NULL;
    if (conn_open(url, profile, "follow", c, &err)) {
        log_event(LOG_DEBUG, "follow.watch", F_STR("message", err.msg));
        return false;
    }
    return true;
}

static void watch_source(struct follow_run *run)
{
    struct watch *w = &run->watch;
    const uint64_t now = clock_mono_us();
    struct applier_position at;
    struct err err = ERR_INIT;
    int64_t offset_us = 0;

    if (!run->config->source ||
        (now - w->clock_us < CLOCK_US && w->purge.looked_us &&
         now - w->purge.looked_us < PURGE_US) ||
        !watch_conn(&w->source, run->config->source, CONN_SOURCE))
        return;
    if (now - w->clock_us >= CLOCK_US && !source_clock(w->source, &offset_us, &err)) {
        atomic_store(&run->source_offset_us, offset_us);
        w->clock_us = now;
    }
    err_clear(&err);
    if (w->purge.looked_us && now - w->purge.looked_us < PURGE_US)
        return;
    w->purge.looked_us = now;
    applier_position(run->applier, &at);
    if (purge_look(run, w->source, at.file, (int64_t)at.timestamp, source_now_us(run) / 1000000,
                   &err))
        log_event(LOG_DEBUG, "follow.watch", F_STR("message", err.msg));
}

static void *watch_main(void *arg)
{
    struct follow_run *run = arg;
    struct watch *w = &run->watch;
    uint64_t beat_us = 0;

    log_thread_name("watch");
    conn_thread_init();
    do {
        const uint64_t now = clock_mono_us();
        struct applier_counts n;
        struct err err = ERR_INIT;

        applier_counts(run->applier, &n);
        watch_progress(run, &n, watch_lag_ms(run, &n));
        if (now - beat_us < BEAT_US && beat_us)
            continue;
        beat_us = now;
        watch_rates(w, &n);
        watch_source(run);
        if (watch_conn(&w->target, run->config->target, CONN_TARGET))
            watch_beat(run, w->target, NULL, &err);
    } while (clock_sleep(TICK_US, &w->quit));
    conn_thread_end();
    return NULL;
}

enum err_code watch_start(struct follow_run *run, struct err *err)
{
    struct watch *w = &run->watch;
    int failed;

    w->purge.kept_s = FOLLOW_KEPT_UNKNOWN;
    w->clock_us = clock_mono_us();
    (void)pthread_mutex_init(&w->lock, NULL);
    watch_hand_over(run);
    failed = pthread_create(&w->thread, NULL, watch_main, run);
    if (failed) {
        (void)pthread_mutex_destroy(&w->lock);
        return err_set_errno(err, ERR_FAILED, failed, "starting a thread");
    }
    w->started = true;
    return ERR_OK;
}

void watch_stop(struct follow_run *run, const char *stage)
{
    struct watch *w = &run->watch;
    struct err err = ERR_INIT;

    if (!w->started)
        return;
    cancel_ask(&w->quit);
    (void)pthread_join(w->thread, NULL);
    watch_hand_over(run);
    if (start_again(run, &err))
        log_event(LOG_DEBUG, "follow.beat", F_STR("message", err.msg));
    else
        watch_beat(run, run->conn, stage, &err);
    conn_close(w->target);
    conn_close(w->source);
    counts_free(w->counts, w->count_count);
    free(w->read_file);
    free(w->purge.note);
    (void)pthread_mutex_destroy(&w->lock);
    w->started = false;
}
