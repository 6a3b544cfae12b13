/* What a worker does: the next unit that waits for none, or the record of the point, whichever is
 * due; until there is an error or an end. */
#include "follower/apply_inner.h"

#include "common/base/clock.h"
#include "common/base/fault.h"

#include <stdlib.h>

#define LINGER_US 10000  /* how long an open unit waits for more */
#define RECORD_US 500000 /* between two records of the point */

struct job { /* what a worker is to do next: one of the two; none: to end */
    struct apply_unit *unit;
    bool record;
    struct applied_point point;
    uint64_t moves, from, below;
};

/* Under the lock. */
static bool record_due(const struct applier *a, uint64_t now)
{
    return !a->recording && a->recorded != a->point_moves &&
           (a->record_now || now - a->recorded_us >= RECORD_US);
}

static void record_take(struct applier *a, struct job *job)
{
    struct strbuf gtids = {0};

    a->recording = true;
    if (a->gtids)
        gtid_set_text(a->gtids, &gtids);
    job->record = true;
    job->point = a->point;
    job->point.gtids = strbuf_detach(&gtids);
    job->moves = a->point_moves;
    job->below = a->first;
    job->from = a->pruned;
    if ((a->old_marks > 0 || a->old_marks_unit >= a->first) && job->from < a->first_unit)
        job->from = a->first_unit;
}

static void record_done(struct applier *a, struct job *job)
{
    pthread_mutex_lock(&a->lock);
    a->recording = false;
    a->recorded = job->moves;
    a->recorded_us = clock_mono_us();
    if (job->from == a->pruned)
        a->pruned = job->below;
    pthread_cond_broadcast(&a->moved);
    pthread_cond_signal(&a->work);
    pthread_mutex_unlock(&a->lock);
}

/* The open unit has been open for long enough, or nobody has anything to do. */
static bool unit_lingered(const struct applier *a, uint64_t now)
{
    const struct apply_unit *u = a->unit_count > 0 ? a->units[a->unit_count - 1] : NULL;

    return u && u->state == UNIT_OPEN && u->waits == 0 &&
           (u->change_count == 0 || a->running == 0 || now - u->opened_us >= LINGER_US);
}

static uint64_t worker_patience(const struct applier *a)
{
    const struct apply_unit *u = a->unit_count > 0 ? a->units[a->unit_count - 1] : NULL;

    return u && u->state == UNIT_OPEN && u->waits == 0 ? LINGER_US : LOOK_US;
}

static void worker_next(struct applier *a, struct job *job)
{
    *job = (struct job){0};
    pthread_mutex_lock(&a->lock);
    while (!cancel_asked(&a->stop) && !(a->config.cancel && cancel_asked(a->config.cancel))) {
        const uint64_t now = clock_mono_us();

        if (record_due(a, now)) {
            record_take(a, job);
            break;
        }
        job->unit = units_ready(a);
        if (job->unit) {
            job->unit->state = UNIT_RUNNING;
            a->running++;
            break;
        }
        if (unit_lingered(a, now))
            units_close(a);
        else
            apply_wait_us(&a->work, &a->lock, worker_patience(a));
    }
    pthread_mutex_unlock(&a->lock);
}

static void applier_fail(struct applier *a, const struct err *err)
{
    pthread_mutex_lock(&a->lock);
    if (!a->failed && !cancel_asked(&a->stop)) {
        a->failed = true;
        a->error = *err;
    }
    cancel_ask(&a->stop);
    pthread_cond_broadcast(&a->work);
    pthread_cond_broadcast(&a->moved);
    pthread_mutex_unlock(&a->lock);
}

static enum err_code worker_unit(struct apply_worker *w, struct apply_unit *u, struct err *err)
{
    struct applier *a = w->a;
    enum err_code rc;

    fault_point("follow.unit");
    rc = unit_write(w, u, err);
    pthread_mutex_lock(&a->lock);
    a->running--;
    if (!rc) {
        a->counts.written++;
        a->counts.cut += u->spill && w->cut;
        units_done(a, u);
    }
    pthread_mutex_unlock(&a->lock);
    return rc;
}

enum err_code apply_work(void *ctx, unsigned number, struct err *err)
{
    struct applier *a = ctx;
    struct apply_worker *w = &a->workers[number];
    enum err_code rc = ERR_OK;
    struct job job;

    conn_thread_init();
    for (worker_next(a, &job); !rc && (job.unit || job.record); worker_next(a, &job)) {
        if (job.unit) {
            rc = worker_unit(w, job.unit, err);
        } else {
            rc = point_write(w, &job.point, job.from, job.below, err);
            free(job.point.gtids);
            if (!rc)
                record_done(a, &job);
        }
        if (rc)
            break;
    }
    apply_disconnect(w);
    if (rc)
        applier_fail(a, err);
    conn_thread_end();
    return ERR_OK; /* the applier keeps the error */
}
