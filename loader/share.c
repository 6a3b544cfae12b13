/* The lease's thread has a connection of its own and renews the lease five times in its length, so
 * that a slow answer costs nothing. In each round it also looks at the others: who is dead is
 * buried, and whoever has stopped the load stops this process at its next batch. It shares with the
 * other threads what its mutex guards, and atomics. */
#include "loader/share.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/target/finding.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define BEATS_A_LEASE 5
#define BEAT_MAX_US ((uint64_t)1000000) /* the longest time between two looks at the others */
#define TURN_LOOK_US ((uint64_t)100000)
#define TURN_SAY_US ((uint64_t)10000000)

struct share {
    struct load_run *run;
    struct conn *conn; /* the thread's */
    char *options;
    struct cancel quit; /* ends the thread */
    pthread_t thread;
    bool running;
    bool said_lost; /* the target could not be reached */
    uint64_t beat_us, last_us, last_rows;
    atomic_uint others;
    atomic_bool shared;         /* others are known to be, or to have been */
    atomic_uint_fast64_t bytes; /* written by this process */
    pthread_mutex_t lock;       /* guards what follows */
    struct err failed;
};

struct loaders_beat share_beat(const struct load_run *run)
{
    struct loaders_beat beat = {.rows = atomic_load(&run->rows_now),
                                .bytes = atomic_load(&run->bytes_now)};

    return beat;
}

static void share_fail(struct share *s, const struct err *why)
{
    pthread_mutex_lock(&s->lock);
    if (s->failed.code == ERR_OK)
        s->failed = *why;
    pthread_mutex_unlock(&s->lock);
    atomic_store(&s->run->stop, true);
}

enum err_code share_failed(struct load_run *run, struct err *err)
{
    struct share *s = run->share;
    enum err_code rc;

    if (!s)
        return ERR_OK;
    pthread_mutex_lock(&s->lock);
    rc = s->failed.code;
    if (rc)
        *err = s->failed;
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static void note_others(struct share *s, unsigned others)
{
    atomic_store(&s->others, others);
    if (others > 0)
        atomic_store(&s->shared, true);
}

bool share_was_shared(const struct load_run *run)
{
    return run->share && atomic_load(&run->share->shared);
}

unsigned share_others(const struct load_run *run)
{
    return run->share ? atomic_load(&run->share->others) : 0;
}

/* ---- stopped by another ---- */

static void stopped_error(const struct job_look *look, struct err *err)
{
    enum err_code code = ERR_LOAD_OTHERS;

    if (strcmp(look->stopped, err_info(ERR_LOAD_CONFLICT)->name) == 0)
        code = ERR_LOAD_CONFLICT;
    else if (strcmp(look->stopped, err_info(ERR_LOAD_BAD_VALUE)->name) == 0)
        code = ERR_LOAD_BAD_VALUE;
    (void)err_set(err, code, "%s has stopped this load for all: %s", look->stopped_by,
                  look->stopped);
}

static enum err_code look_stopped(struct load_run *run, const struct job_look *look,
                                  struct err *err)
{
    if (!look->stopped[0])
        return ERR_OK;
    stopped_error(look, err);
    share_fail(run->share, err);
    return err->code;
}

enum err_code share_look(struct load_run *run, struct conn *conn, struct err *err)
{
    struct job_look look;

    if (job_look(conn, &run->state, &look, err))
        return err->code;
    return look_stopped(run, &look, err);
}

void share_tell(struct load_run *run, const struct err *why)
{
    struct err ignored = ERR_INIT;
    struct conn *c = NULL;

    if (!run->share || (why->code != ERR_LOAD_CONFLICT && why->code != ERR_LOAD_BAD_VALUE))
        return;
    if (conn_open(run->url, CONN_TARGET, "load", &c, &ignored) ||
        job_stop(c, &run->state, err_info(why->code)->name, &ignored))
        log_event(LOG_WARN, "load.stop",
                  F_STR("message", "the other loaders could not be told to stop"),
                  F_STR("cause", ignored.msg));
    conn_close(c);
}

/* ---- the lease's thread ---- */

static enum err_code count_conflicts(void *ctx, const struct finding_sum *sum, struct err *err)
{
    (void)err;
    if (sum->kind == FINDING_CONFLICT)
        *(uint64_t *)ctx += sum->count;
    return ERR_OK;
}

/* --max-conflicts is of all loaders. */
static enum err_code beat_conflicts(struct share *s, struct err *err)
{
    struct load_run *run = s->run;
    uint64_t count = 0, known = atomic_load(&run->conflicts);

    if (run->config->max_conflicts == 0 || share_others(run) == 0)
        return ERR_OK;
    if (finding_sums(s->conn, &run->state, count_conflicts, &count, err))
        return err->code;
    while (known < count && !atomic_compare_exchange_weak(&run->conflicts, &known, count))
        continue;
    return ERR_OK;
}

static enum err_code beat_again(struct share *s, struct err *err)
{
    const struct load_run *run = s->run;
    const struct loaders_join join = {.options = s->options,
                                      .lease_us = run->lease_us,
                                      .threads = run->config->threads,
                                      .alone = atomic_load(&run->alone),
                                      .cancel = &s->quit};
    unsigned others = 0;

    log_event(LOG_WARN, "load.buried",
              F_STR("message", "this loader gave no sign of life for longer than its lease and was "
                               "taken for dead; it goes on with what the others left"));
    if (loaders_join(s->conn, &run->state, &join, &others, err)) {
        if (err->code == ERR_LOAD_OTHERS)
            share_fail(s, err);
        return err->code;
    }
    note_others(s, others);
    return ERR_OK;
}

static enum err_code beat_once(struct share *s, struct err *err)
{
    struct load_run *run = s->run;
    struct loaders_beat beat = share_beat(run);
    const uint64_t now = clock_mono_us();
    unsigned living = 0;
    bool buried = false;

    if (s->conn && !conn_usable(s->conn)) {
        conn_close(s->conn);
        s->conn = NULL;
    }
    if (!s->conn && conn_open(run->url, CONN_TARGET, "load", &s->conn, err))
        return err->code;
    if (now > s->last_us)
        beat.row_rate = (beat.rows - s->last_rows) * 1000000 / (now - s->last_us);
    if (loaders_beat(s->conn, &run->state, &beat, &buried, err) || (buried && beat_again(s, err)))
        return err->code;
    s->last_us = now;
    s->last_rows = beat.rows;
    if (loaders_bury(s->conn, &run->state, &living, err))
        return err->code;
    if (living > atomic_load(&s->others))
        log_event(LOG_INFO, "load.joined", F_U64("others", living),
                  F_STR("message", "another loader has joined this load"));
    note_others(s, living);
    return share_look(run, s->conn, err) ? err->code : beat_conflicts(s, err);
}

static void *share_thread(void *ctx)
{
    struct share *s = ctx;

    log_thread_name("lease");
    conn_thread_init();
    while (clock_sleep(s->beat_us, &s->quit)) {
        struct err err = ERR_INIT;

        if (!beat_once(s, &err)) {
            s->said_lost = false;
            continue;
        }
        if (!s->said_lost && !atomic_load(&s->run->stop) && !cancel_asked(&s->quit))
            log_event(LOG_WARN, "load.lease",
                      F_STR("message", "this loader's sign of life could not be given"),
                      F_STR("cause", err.msg));
        s->said_lost = true;
    }
    conn_close(s->conn);
    conn_thread_end();
    return NULL;
}

/* ---- joining and leaving ---- */

static void share_free(struct share *s)
{
    pthread_mutex_destroy(&s->lock);
    free(s->options);
    free(s);
}

static enum err_code share_start(struct share *s, struct err *err)
{
    int failed = pthread_create(&s->thread, NULL, share_thread, s);

    if (failed)
        return err_set_errno(err, ERR_FAILED, failed, "starting a thread");
    s->running = true;
    return ERR_OK;
}

enum err_code share_join(struct load_run *run, const char *options, struct err *err)
{
    const struct loaders_join join = {.options = options,
                                      .lease_us = run->lease_us,
                                      .threads = run->config->threads,
                                      .alone = atomic_load(&run->alone),
                                      .cancel = run->cancel};
    struct share *s;
    unsigned others = 0;

    if (loaders_join(run->conn, &run->state, &join, &others, err))
        return err->code;
    if (run->share) /* a try that was cut off has started the thread */
        return ERR_OK;
    s = xcalloc(1, sizeof *s);
    s->run = run;
    s->options = xstrdup(options);
    s->beat_us = run->lease_us / BEATS_A_LEASE;
    if (s->beat_us > BEAT_MAX_US)
        s->beat_us = BEAT_MAX_US;
    pthread_mutex_init(&s->lock, NULL);
    note_others(s, others);
    if (share_start(s, err)) {
        share_free(s);
        return err->code;
    }
    run->share = s;
    if (others) {
        char *message =
            xasprintf("joined %u other loader%s of this dump", others, others == 1 ? "" : "s");

        log_event(LOG_INFO, "load.joined", F_U64("others", others), F_STR("message", message));
        free(message);
    }
    return ERR_OK;
}

void share_leave(struct load_run *run)
{
    struct share *s = run->share;
    const struct loaders_beat last = share_beat(run);
    struct err err = ERR_INIT;

    if (!s)
        return;
    cancel_ask(&s->quit);
    if (s->running)
        (void)pthread_join(s->thread, NULL);
    if (run->conn && !conn_usable(run->conn)) {
        conn_close(run->conn);
        run->conn = NULL;
    }
    /* Who cannot say it is buried after its lease. */
    if ((!run->conn && conn_open(run->url, CONN_TARGET, "load", &run->conn, &err)) ||
        loaders_leave(run->conn, &run->state, &last, &err))
        log_event(LOG_DEBUG, "load.leave", F_STR("message", err.msg));
    run->share = NULL;
    share_free(s);
}

/* ---- who leads ---- */

enum err_code share_hold(struct load_run *run, struct err *err)
{
    bool got = false;

    if (!run->leads || run->lead_conn == conn_id(run->conn))
        return ERR_OK;
    if (lead_lock(run->conn, &run->state, &got, err))
        return err->code;
    if (!got)
        return err_set(err, ERR_SERVER_BUSY, "an older connection still holds the load's lock");
    if (state_check(run->conn, &run->state, err))
        return err->code;
    run->lead_conn = conn_id(run->conn);
    return ERR_OK;
}

void share_let_go(struct load_run *run)
{
    if (run->leads && run->conn && run->lead_conn == conn_id(run->conn) && conn_usable(run->conn))
        lead_unlock(run->conn, &run->state);
    run->leads = false;
    run->lead_conn = 0;
}

enum err_code share_stage(struct load_run *run, enum loader_stage stage, struct err *err)
{
    return loaders_stage(run->conn, &run->state, stage, atomic_load(&run->alone), err);
}

static void turn_say(const struct job_look *look, bool closing)
{
    log_event(LOG_INFO, "load.wait",
              F_STR("message", !look->lead_lives
                                   ? "waiting for the lock of a leader that shows no sign of life"
                               : closing ? "waiting for the leader's closing steps"
                                         : "waiting for the leader to make the definitions"));
}

/* One look; *decided. */
static enum err_code turn_look(struct load_run *run, bool closing, bool *decided,
                               struct job_look *look, struct err *err)
{
    bool taken = false;

    if (job_look(run->conn, &run->state, look, err) || look_stopped(run, look, err))
        return err->code;
    run->job.state = look->state;
    *decided = true;
    run->leads = look->token == run->state.token;
    if (run->leads)
        return share_hold(run, err);
    if (closing ? look->state == JOB_DONE : look->lead_lives && look->lead_stage >= LOADER_ROWS)
        return ERR_OK;
    if (!look->lead_lives && lead_take(run->conn, &run->state, look, &taken, err))
        return err->code;
    *decided = taken;
    if (taken) {
        run->leads = true;
        run->lead_conn = conn_id(run->conn);
        run->job.resumed = look->token != 0;
    }
    return ERR_OK;
}

enum err_code share_turn(struct load_run *run, bool closing, struct err *err)
{
    uint64_t said_us = clock_mono_us();
    struct job_look look = {0};
    bool decided = false;

    for (;;) {
        if (share_failed(run, err))
            return err->code;
        if (turn_look(run, closing, &decided, &look, err))
            return err->code;
        if (decided)
            return ERR_OK;
        if (clock_mono_us() - said_us >= TURN_SAY_US) {
            said_us = clock_mono_us();
            turn_say(&look, closing);
        }
        if (!clock_sleep(TURN_LOOK_US, run->cancel))
            return err_set(err, ERR_INTERRUPTED, "interrupted while waiting for another loader");
    }
}

struct firsts {
    const struct load_run *run;
    bool rows; /* another one is past the definitions */
};

static enum err_code first_look(void *ctx, const struct loader_view *v, struct err *err)
{
    struct firsts *f = ctx;

    (void)err;
    if (v->loader != f->run->state.token && v->lives && v->stage >= LOADER_ROWS)
        f->rows = true;
    return ERR_OK;
}

enum err_code share_first(struct load_run *run, struct err *err)
{
    struct firsts f = {.run = run};

    run->first = false;
    if (!run->leads)
        return ERR_OK;
    if (loaders_read(run->conn, &run->state, first_look, &f, err))
        return err->code;
    run->first = !f.rows;
    return run->first && !run->begun ? loaders_forget(run->conn, &run->state, err) : ERR_OK;
}

/* ---- the report ---- */

static enum err_code report_loader(void *ctx, const struct loader_view *v, struct err *err)
{
    struct load_run *run = ctx;
    struct load_report *r = run->report;

    (void)err;
    r->loaders = xreallocarray(r->loaders, r->loader_count + 1, sizeof *r->loaders);
    r->loaders[r->loader_count++] =
        (struct load_report_loader){.owner = xstrdup(v->owner),
                                    .rows = v->rows,
                                    .raw_bytes = v->bytes,
                                    .us = v->running_us,
                                    .self = v->loader == run->state.token,
                                    .lost = v->state == LOADER_LOST};
    return ERR_OK;
}

enum err_code share_report(struct load_run *run, struct err *err)
{
    for (size_t i = 0; i < run->report->loader_count; i++)
        free(run->report->loaders[i].owner);
    run->report->loader_count = 0;
    return loaders_read(run->conn, &run->state, report_loader, run, err);
}
