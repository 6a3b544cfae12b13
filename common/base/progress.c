/* One thread reads the counters and prints; it waits on a condition so that progress_stop ends it
 * at once. */
#include "common/base/progress.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/strbuf.h"

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define LIVE_EVERY_MS 250
#define JSON_EVERY_MS 1000
#define PLAIN_EVERY_MS 10000
#define ENDLESS_OVER_S 3.0
#define RATE_WEIGHT 0.2 /* of the newest interval in the smoothed rate */

struct progress_printer {
    const struct progress *progress;
    enum progress_mode mode; /* PROGRESS_AUTO: the live line */
    pthread_t thread;
    pthread_mutex_t lock; /* guards `stop` */
    pthread_cond_t changed;
    bool stop;
    /* The rest belongs to the printing thread. */
    uint64_t start_us; /* monotonic */
    uint64_t last_us;
    uint64_t last_bytes, last_rows, last_pieces;
    double row_rate, piece_rate; /* likewise; of what is endless */
    double rate;                 /* bytes per second, smoothed; 0: not known yet */
};

struct progress_now {
    uint64_t rows, bytes, total_bytes, pieces, total_pieces;
    uint64_t left_s; /* seconds; valid if has_left */
    bool has_left;
};

void size_text(uint64_t bytes, char out[SIZE_TEXT_MAX])
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes / 1024;
    size_t unit = 0;

    if (bytes < 1024) {
        (void)snprintf(out, SIZE_TEXT_MAX, "%u B", (unsigned)bytes);
        return;
    }
    /* 1023.95 and more would be printed as 1024.0 */
    for (; value >= 1023.95 && unit + 1 < sizeof units / sizeof units[0]; unit++)
        value /= 1024;
    (void)snprintf(out, SIZE_TEXT_MAX, "%.1f %s", value, units[unit]);
}

/* Rates of what has no end, over the last seconds mostly. */
static void progress_rates(struct progress_printer *pp, const struct progress_now *now,
                           double seconds)
{
    const double weight = seconds / (seconds + ENDLESS_OVER_S);

    if (!pp->progress->endless || seconds <= 0)
        return;
    pp->row_rate += weight * ((double)(now->rows - pp->last_rows) / seconds - pp->row_rate);
    pp->piece_rate += weight * ((double)(now->pieces - pp->last_pieces) / seconds - pp->piece_rate);
    pp->last_rows = now->rows;
    pp->last_pieces = now->pieces;
}

static struct progress_now progress_read(struct progress_printer *pp)
{
    const struct progress *p = pp->progress;
    struct progress_now now = {
        .rows = atomic_load_explicit(&p->rows, memory_order_relaxed),
        .bytes = atomic_load_explicit(&p->bytes, memory_order_relaxed),
        .total_bytes = atomic_load_explicit(&p->total_bytes, memory_order_relaxed),
        .pieces = atomic_load_explicit(&p->pieces, memory_order_relaxed),
        .total_pieces = atomic_load_explicit(&p->total_pieces, memory_order_relaxed),
    };
    uint64_t us = clock_mono_us();
    double seconds = (double)(us - pp->last_us) / 1e6;

    if (seconds > 0 && now.bytes >= pp->last_bytes) {
        double rate = (double)(now.bytes - pp->last_bytes) / seconds;

        pp->rate = pp->rate > 0 ? pp->rate + RATE_WEIGHT * (rate - pp->rate) : rate;
    }
    progress_rates(pp, &now, seconds);
    pp->last_us = us;
    pp->last_bytes = now.bytes;
    if (pp->rate >= 1 && now.total_bytes > now.bytes) {
        now.has_left = true;
        now.left_s = (uint64_t)((double)(now.total_bytes - now.bytes) / pp->rate);
    }
    return now;
}

static void progress_add_left(struct strbuf *out, const struct progress_now *now)
{
    unsigned long long s = now->left_s;

    if (!now->has_left)
        return;
    if (s >= 3600)
        strbuf_addf(out, "  %lluh%02llum left", s / 3600, s / 60 % 60);
    else if (s >= 60)
        strbuf_addf(out, "  %llum%02llus left", s / 60, s % 60);
    else
        strbuf_addf(out, "  %llus left", s);
}

static void progress_endless_text(const struct progress_printer *pp, const struct progress_now *now,
                                  struct strbuf *out)
{
    const struct progress *p = pp->progress;
    const long long lag_ms = (long long)atomic_load(&p->lag_ms);
    char size[SIZE_TEXT_MAX];

    size_text(atomic_load(&p->queued_bytes), size);
    strbuf_addf(out, "%s", atomic_load(&p->stage));
    if (lag_ms >= 0)
        strbuf_addf(out, "  lag %.1f s", (double)lag_ms / 1000);
    strbuf_addf(out,
                "  %llu transactions (%.0f/s)  %llu rows (%.0f/s)  queue %llu, %s  %llu writing",
                (unsigned long long)now->pieces, pp->piece_rate, (unsigned long long)now->rows,
                pp->row_rate, (unsigned long long)atomic_load(&p->queued), size,
                (unsigned long long)atomic_load(&p->busy));
}

static void progress_endless_json(const struct progress_printer *pp, const struct progress_now *now,
                                  struct strbuf *out)
{
    const struct progress *p = pp->progress;
    const json_int_t lag_ms = (json_int_t)atomic_load(&p->lag_ms);
    json_t *line = json_pack(
        "{s:s,s:I,s:I,s:f,s:f,s:I,s:I,s:I,s:f}", "stage", atomic_load(&p->stage), "rows",
        (json_int_t)now->rows, "transactions", (json_int_t)now->pieces, "rows_per_second",
        pp->row_rate, "transactions_per_second", pp->piece_rate, "queue",
        (json_int_t)atomic_load(&p->queued), "queue_bytes",
        (json_int_t)atomic_load(&p->queued_bytes), "writing", (json_int_t)atomic_load(&p->busy),
        "seconds", (double)(pp->last_us - pp->start_us) / 1e6);
    char *text;

    if (lag_ms >= 0)
        (void)json_object_set_new(line, "lag_seconds", json_real((double)lag_ms / 1000));
    text = json_dumps(line, JSON_COMPACT);
    strbuf_addstr(out, text ? text : "");
    free(text);
    json_decref(line);
}

static void progress_text(const struct progress_printer *pp, const struct progress_now *now,
                          struct strbuf *out)
{
    char size[SIZE_TEXT_MAX];

    if (pp->progress->endless) {
        progress_endless_text(pp, now, out);
        return;
    }
    size_text(now->bytes, size);
    strbuf_addf(out, "%s  %s", atomic_load(&pp->progress->stage), size);
    if (now->total_bytes) {
        /* a plan is an estimate: never say 100% before the end */
        double share = 100.0 * (double)now->bytes / (double)now->total_bytes;

        size_text(now->total_bytes, size);
        strbuf_addf(out, " of %s (%.1f%%)", size, share > 99.9 ? 99.9 : share);
    }
    strbuf_addf(out, "  %llu rows", (unsigned long long)now->rows);
    if (now->total_pieces)
        strbuf_addf(out, "  %llu/%llu chunks", (unsigned long long)now->pieces,
                    (unsigned long long)now->total_pieces);
    size_text((uint64_t)pp->rate, size);
    strbuf_addf(out, "  %s/s", size);
    progress_add_left(out, now);
}

static void progress_json(const struct progress_printer *pp, const struct progress_now *now,
                          struct strbuf *out)
{
    json_t *line;
    char *text;

    if (pp->progress->endless) {
        progress_endless_json(pp, now, out);
        return;
    }
    line =
        json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:f,s:f}", "stage", atomic_load(&pp->progress->stage),
                  "rows", (json_int_t)now->rows, "bytes", (json_int_t)now->bytes, "total_bytes",
                  (json_int_t)now->total_bytes, "pieces", (json_int_t)now->pieces, "total_pieces",
                  (json_int_t)now->total_pieces, "bytes_per_second", pp->rate, "seconds",
                  (double)(pp->last_us - pp->start_us) / 1e6);
    if (now->has_left)
        (void)json_object_set_new(line, "seconds_left", json_integer((json_int_t)now->left_s));
    text = json_dumps(line, JSON_COMPACT);
    strbuf_addstr(out, text ? text : "");
    free(text);
    json_decref(line);
}

/* Cuts to the terminal's width: a line that wraps could not be redrawn. */
static void progress_fit(struct strbuf *line)
{
    struct winsize size;
    size_t width = 80;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1)
        width = size.ws_col;
    if (line->len > width - 1)
        strbuf_setlen(line, width - 1);
}

static void progress_print(struct progress_printer *pp)
{
    struct progress_now now = progress_read(pp);
    struct strbuf line = {0};

    if (pp->mode == PROGRESS_JSON)
        progress_json(pp, &now, &line);
    else
        progress_text(pp, &now, &line);
    if (pp->mode == PROGRESS_AUTO) {
        progress_fit(&line);
        log_live_line(strbuf_str(&line));
    } else {
        (void)dprintf(STDERR_FILENO, "%s\n", strbuf_str(&line));
    }
    strbuf_release(&line);
}

/* Waits for the next turn. true: stop. */
static bool progress_wait(struct progress_printer *pp, long ms)
{
    struct timespec until;
    bool stop;
    int rc = 0;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&pp->lock);
    while (!pp->stop && rc == 0)
        rc = pthread_cond_timedwait(&pp->changed, &pp->lock, &until);
    stop = pp->stop;
    pthread_mutex_unlock(&pp->lock);
    return stop;
}

static void *progress_main(void *arg)
{
    struct progress_printer *pp = arg;
    long ms = PLAIN_EVERY_MS;

    log_thread_name("progress");
    if (pp->mode == PROGRESS_AUTO)
        ms = LIVE_EVERY_MS;
    if (pp->mode == PROGRESS_JSON)
        ms = JSON_EVERY_MS;
    while (!progress_wait(pp, ms))
        progress_print(pp);
    if (pp->mode == PROGRESS_AUTO)
        log_live_line(NULL);
    if (pp->mode == PROGRESS_JSON) /* readers of the lines get the last figures */
        progress_print(pp);
    return NULL;
}

static bool progress_can_redraw(void)
{
    const char *term = getenv("TERM"); // NOLINT(concurrency-mt-unsafe): nothing sets variables

    return isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
}

static void progress_printer_free(struct progress_printer *pp)
{
    pthread_cond_destroy(&pp->changed);
    pthread_mutex_destroy(&pp->lock);
    free(pp);
}

enum err_code progress_start(struct progress_printer **printer, const struct progress *p,
                             enum progress_mode mode, struct err *err)
{
    struct progress_printer *pp;
    pthread_condattr_t attr;
    int errnum;

    if (mode == PROGRESS_NONE) {
        *printer = NULL;
        return ERR_OK;
    }
    pp = xcalloc(1, sizeof *pp);
    pp->progress = p;
    pp->mode = mode == PROGRESS_AUTO && !progress_can_redraw() ? PROGRESS_PLAIN : mode;
    pp->start_us = clock_mono_us();
    pp->last_us = pp->start_us;
    pp->last_bytes = atomic_load(&p->bytes); /* those of an earlier run are no rate of this one */
    pthread_mutex_init(&pp->lock, NULL);
    pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&pp->changed, &attr);
    pthread_condattr_destroy(&attr);
    errnum = pthread_create(&pp->thread, NULL, progress_main, pp);
    if (errnum) {
        progress_printer_free(pp);
        return err_set_errno(err, ERR_FAILED, errnum, "cannot start the progress thread");
    }
    *printer = pp;
    return ERR_OK;
}

void progress_stop(struct progress_printer *printer)
{
    if (!printer)
        return;
    pthread_mutex_lock(&printer->lock);
    printer->stop = true;
    pthread_cond_signal(&printer->changed);
    pthread_mutex_unlock(&printer->lock);
    (void)pthread_join(printer->thread, NULL);
    progress_printer_free(printer);
}
