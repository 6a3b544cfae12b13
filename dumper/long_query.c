#include "dumper/long_query.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "dumper/processes.h"

#define NAMED_MAX 5                    /* that a message names */
#define KILLED_US ((uint64_t)10000000) /* for what was killed to end */
#define ER_NO_SUCH_THREAD 1094
#define LOOK_US ((uint64_t)200000)

static enum err_code guard_end(struct dump_run *run, const struct process *p, struct err *err)
{
    enum err_code rc;

    log_event(LOG_WARN, "dump.query.kill", F_U64("id", p->id), F_STR("user", p->user),
              F_U64("seconds", p->seconds), F_STR("text", p->text),
              F_STR("message", "killing a long query, as told (--kill-long-queries)"));
    rc = conn_kill_query(run->control, p->id, err);
    if (rc && err->server_errno == ER_NO_SUCH_THREAD) { /* it has ended by itself */
        err_clear(err);
        return ERR_OK;
    }
    return rc ? err_wrap(err, "query %llu cannot be killed", (unsigned long long)p->id) : ERR_OK;
}

/* Names those that run for `seconds` or longer, in `text` (emptied first); `kill`: and ends them.
 */
static enum err_code guard_look(struct dump_run *run, uint64_t seconds, bool kill, size_t *found,
                                struct strbuf *text, struct err *err)
{
    struct process_list list = {0};
    enum err_code rc = processes_read(run, &list, err);

    *found = 0;
    strbuf_reset(text);
    for (size_t i = 0; !rc && i < list.count; i++) {
        const struct process *p = &list.items[i];

        if (!p->working || p->seconds < seconds)
            continue;
        if (++*found <= NAMED_MAX) {
            strbuf_addstr(text, *found > 1 ? "; " : "");
            process_name(p, text);
        }
        if (!kill)
            continue;
        rc = guard_end(run, p, err);
    }
    if (*found > NAMED_MAX)
        strbuf_addf(text, "; and %zu more", *found - NAMED_MAX);
    processes_release(&list);
    return rc;
}

/* What was killed may take its time to end. */
static enum err_code guard_kill(struct dump_run *run, size_t *found, struct strbuf *text,
                                struct err *err)
{
    const uint64_t until = clock_mono_us() + KILLED_US;
    const uint64_t seconds = run->config->long_query_s;
    enum err_code rc = guard_look(run, seconds, true, found, text, err);

    while (!rc && *found && clock_mono_us() < until) {
        if (!clock_sleep(LOOK_US, run->cancel))
            return dumper_stop_error(run, err);
        rc = guard_look(run, seconds, false, found, text, err);
    }
    return rc;
}

static enum err_code guard_run(struct dump_run *run, struct strbuf *text, struct err *err)
{
    const struct dump_config *config = run->config;
    size_t found = 0;

    for (unsigned tries = 0;; tries++) {
        enum err_code rc = guard_look(run, config->long_query_s, false, &found, text, err);

        if (!rc && found && config->kill_long_queries)
            rc = guard_kill(run, &found, text, err);
        if (rc || !found)
            return rc;
        if (tries >= config->long_query_retries)
            break;
        log_event(LOG_INFO, "dump.query.wait", F_STR("queries", strbuf_str(text)),
                  F_STR("message", "long queries run; waiting before the global read lock"));
        if (!clock_sleep((uint64_t)config->long_query_interval_s * 1000000, run->cancel))
            return dumper_stop_error(run, err);
    }
    return err_set(err, ERR_DUMP_LONG_QUERY, "%zu %s for %u s or more: %s", found,
                   found == 1 ? "query runs" : "queries run", config->long_query_s,
                   strbuf_str(text));
}

/* On MySQL a FLUSH TABLES that gives up leaves the tables of the queries that it waited for blocked
 * until these end. So one that would outlast an attempt is waited for without any lock, for as long
 * as the lock would be tried for; then the attempt has to show. */
static enum err_code guard_quiet(struct dump_run *run, struct strbuf *text, struct err *err)
{
    const uint64_t until = clock_mono_us() + run->config->lock_wait_us;
    const uint64_t seconds = run->config->lock_attempt_us / 1000000;
    size_t found = 0;
    bool said = false;
    enum err_code rc = ERR_OK;

    while (!rc && run->flavour.vendor == VENDOR_MYSQL && clock_mono_us() < until) {
        rc = guard_look(run, seconds ? seconds : 1, false, &found, text, err);
        if (rc || !found)
            break;
        if (!said)
            log_event(LOG_INFO, "dump.query.quiet", F_STR("queries", strbuf_str(text)),
                      F_STR("message", "waiting for these to end before the global read lock"));
        said = true;
        if (!clock_sleep(LOOK_US, run->cancel))
            return dumper_stop_error(run, err);
    }
    return rc;
}

enum err_code long_query_guard(struct dump_run *run, struct err *err)
{
    struct strbuf text = {0};
    enum err_code rc;

    if (!run->config->long_query_s)
        return ERR_OK;
    if (!run->guard_blind && !processes_all_seen(run)) {
        run->guard_blind = true;
        log_event(LOG_INFO, "dump.query.blind",
                  F_STR("message", "other accounts' long queries cannot be seen before the global "
                                   "read lock (GRANT PROCESS ON *.*)"));
    }
    rc = guard_run(run, &text, err);
    if (!rc)
        rc = guard_quiet(run, &text, err);
    if (!rc) /* some may have grown long meanwhile */
        rc = guard_run(run, &text, err);
    strbuf_release(&text);
    return rc;
}
