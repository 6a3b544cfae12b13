/* What ends a stage's process and may pass: one table of which faults, and how often they are tried
 * again (docs/job.md, "Faults that may pass"). Whatever is not in it needs the user at once. */
#include "migrate/runner.h"

#include "common/base/log.h"

#include <string.h>

#define EXIT_AGAIN 75
#define FIRST_PAUSE_US ((uint64_t)500000) /* doubled from try to try, up to: */
#define LONGEST_PAUSE_US ((uint64_t)60 * 1000000)

enum fault {
    FAULT_AWAY,   /* a server or a storage: comes back by itself, however long it takes */
    FAULT_STATUS, /* whatever else a command calls worth another try */
    FAULT_KILLED, /* by a signal: kill -9, memory that ran out */
    FAULT_LEASE,  /* of a process on another machine, which may be dead: it becomes stale */
    FAULT_FINAL
};
static const struct {
    enum fault fault;
    bool endless; /* what follows goes on without end: there is nothing that a user could do */
} rules[] = {
    {FAULT_AWAY, true}, {FAULT_STATUS, false}, {FAULT_KILLED, false}, {FAULT_LEASE, false}};

static const enum err_code away[] = {ERR_CONNECT, ERR_SERVER_LOST, ERR_SERVER_BUSY,
                                     ERR_STORE_UNAVAILABLE};

static bool named(const struct stage_error *e, enum err_code code)
{
    return e->name && strcmp(e->name, err_info(code)->name) == 0;
}

static enum fault fault_of(const struct stage_error *e)
{
    if (e->exit_status < 0)
        return FAULT_KILLED;
    if (named(e, ERR_LOCKED))
        return FAULT_LEASE;
    if (e->exit_status != EXIT_AGAIN)
        return FAULT_FINAL;
    for (size_t i = 0; i < sizeof(away) / sizeof(away[0]); i++)
        if (named(e, away[i]))
            return FAULT_AWAY;
    return FAULT_STATUS;
}

bool retry_may(const struct stage_error *e)
{
    return fault_of(e) != FAULT_FINAL;
}

/* The check of a job that follows, too: it stands before each start. */
static bool follows(const struct runner *r, enum stage_name s)
{
    const struct stage_state *st = r->record->stages;

    return s == STAGE_FOLLOW || (s == STAGE_CHECK && st[STAGE_FOLLOW].runs > 0);
}

static bool endless(const struct runner *r, enum stage_name s)
{
    const enum fault fault = fault_of(&r->record->stages[s].error);

    if (r->run->spec->retries_said || !follows(r, s))
        return false;
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        if (rules[i].fault == fault)
            return rules[i].endless;
    return false;
}

bool retry_or_not(struct runner *r, enum stage_name s, bool counts)
{
    struct stage_state *st = &r->record->stages[s];
    uint64_t pause_us = FIRST_PAUSE_US;

    if (counts)
        st->tries++;
    for (unsigned i = 1; i < st->tries && pause_us < LONGEST_PAUSE_US; i++)
        pause_us = pause_us * 2 < LONGEST_PAUSE_US ? pause_us * 2 : LONGEST_PAUSE_US;
    st->tries_max = endless(r, s) ? 0 : r->run->spec->retries;
    if (!endless(r, s) && st->tries > st->tries_max)
        return false;
    st->status = STAGE_RETRYING;
    st->again_us = clock_utc_us() + (int64_t)pause_us;
    r->stage[s].again_us = clock_mono_us() + pause_us;
    log_event(LOG_WARN, "job.retry", F_STR("stage", stage_word(s)), F_U64("try", st->tries),
              F_F64("in_seconds", (double)pause_us / 1e6), F_STR("error", st->error.name),
              F_STR("message", st->error.message));
    return true;
}

void retry_progress(struct runner *r, enum stage_name s, uint64_t place)
{
    struct stage_state *st = &r->record->stages[s];
    struct running *run = &r->stage[s];

    /* A follower counts from nothing; the others say at first what earlier runs have done. */
    if (!run->placed && s != STAGE_FOLLOW && s != STAGE_CUTOVER)
        run->first_place = place;
    run->placed = true;
    if (place <= run->first_place || !st->tries)
        return;
    st->tries = 0;
    stage_error_clear(&st->error);
    r->dirty = true;
}
