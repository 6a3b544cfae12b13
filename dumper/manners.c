#include "dumper/manners.h"

#include "common/base/clock.h"
#include "common/base/rate.h"
#include "common/mysql/throttle.h"

#define LOOK_US ((uint64_t)100000)
/* well below any timeout that servers, proxies and firewalls have for idle connections */
#define SPEAK_EVERY_US ((uint64_t)1000000)

static enum err_code manners_stop(struct worker *w, struct err *err)
{
    w->stopped = true;
    return dumper_stop_error(w->run, err);
}

typedef bool manners_pause_fn(const struct dump_run *run);

static bool pause_throttle(const struct dump_run *run)
{
    return throttle_pauses(run->throttle);
}

static bool pause_room(const struct dump_run *run)
{
    return run->config->spool && spool_full(run->config->spool);
}

static enum err_code manners_wait(struct worker *w, bool idle, manners_pause_fn *pauses,
                                  struct err *err)
{
    uint64_t spoke = clock_mono_us();
    enum err_code rc = ERR_OK;

    while (!rc && pauses(w->run)) {
        if (dumper_stopped(w->run) || !clock_sleep(LOOK_US, w->run->cancel))
            return manners_stop(w, err);
        if (!idle || clock_mono_us() - spoke < SPEAK_EVERY_US)
            continue;
        rc = conn_execz(w->conn, "DO 1", err);
        spoke = clock_mono_us();
    }
    return rc;
}

enum err_code dumper_give_way(struct worker *w, bool idle, struct err *err)
{
    if (w->run->under_lock) /* others wait for it */
        return ERR_OK;
    return manners_wait(w, idle, pause_throttle, err);
}

enum err_code dumper_wait_room(struct worker *w, bool idle, struct err *err)
{
    return manners_wait(w, idle, pause_room, err);
}

enum err_code dumper_keep_rate(struct worker *w, uint64_t bytes, struct err *err)
{
    uint64_t now = clock_mono_us();
    uint64_t until;

    if (w->run->under_lock)
        return ERR_OK;
    until = now + rate_take(w->run->rate, bytes, now);
    for (; now < until; now = clock_mono_us()) {
        const uint64_t left = until - now;

        if (dumper_stopped(w->run) || !clock_sleep(left < LOOK_US ? left : LOOK_US, w->run->cancel))
            return manners_stop(w, err);
    }
    return ERR_OK;
}
