/* The units between their first transaction and the point behind them. All under the applier's
 * lock. */
#include "follower/apply_inner.h"

#include "common/base/clock.h"
#include "common/base/mem.h"

#include <stdlib.h>

void unit_free(struct apply_unit *u)
{
    if (!u)
        return;
    strbuf_release(&u->changes);
    spill_free(u->spill);
    free(u->txns);
    free(u->next);
    free(u->gtids);
    free(u);
}

struct apply_unit *units_open(struct applier *a)
{
    struct apply_unit *u = a->unit_count > 0 ? a->units[a->unit_count - 1] : NULL;

    if (u && u->state == UNIT_OPEN)
        return u;
    if (a->unit_count == a->unit_cap) {
        a->unit_cap = a->unit_cap ? 2 * a->unit_cap : 64;
        a->units = xreallocarray(a->units, a->unit_cap, sizeof *a->units);
    }
    u = xcalloc(1, sizeof *u);
    u->number = a->first + a->unit_count;
    u->changes.max = SIZE_MAX / 2;
    a->units[a->unit_count++] = u;
    return u;
}

struct apply_unit *units_find(const struct applier *a, uint64_t number)
{
    if (number < a->first || number >= a->first + a->unit_count)
        return NULL;
    return a->units[number - a->first];
}

void units_wait_for(struct applier *a, struct apply_unit *u, uint64_t earlier)
{
    struct apply_unit *e = units_find(a, earlier);

    if (!e || e->state == UNIT_DONE ||
        (e->next_count > 0 && e->next[e->next_count - 1] == u->number))
        return;
    if (e->next_count == e->next_cap) {
        e->next_cap = e->next_cap ? 2 * e->next_cap : 4;
        e->next = xreallocarray(e->next, e->next_cap, sizeof *e->next);
    }
    e->next[e->next_count++] = u->number;
    u->waits++;
}

/* The point moves behind the units at the front that are done. */
static void point_move(struct applier *a)
{
    size_t gone = 0;

    while (gone < a->unit_count && a->units[gone]->state == UNIT_DONE) {
        struct apply_unit *u = a->units[gone++];

        a->point.file = (char *)(uintptr_t)u->file; /* the applier's: not freed with the point */
        a->point.offset = u->end;
        if (u->timestamp)
            a->point.timestamp = u->timestamp;
        a->point.transactions += u->transactions;
        a->counts.transactions += u->transactions;
        for (size_t i = 0; i < u->gtid_count && a->gtids; i++)
            gtid_set_add(a->gtids, &u->gtids[i]);
        a->point_moves++;
        unit_free(u);
    }
    if (gone == 0)
        return;
    a->first += gone;
    a->unit_count -= gone;
    memmove(a->units, a->units + gone, a->unit_count * sizeof *a->units);
    schedule_below(a->schedule, a->first);
    pthread_cond_broadcast(&a->moved);
}

void units_done(struct applier *a, struct apply_unit *u)
{
    u->state = UNIT_DONE;
    a->bytes -= u->changes.len;
    a->counts.changes += u->change_count;
    strbuf_release(&u->changes);
    u->changes = (struct strbuf){0};
    for (size_t i = 0; i < u->next_count; i++) {
        struct apply_unit *next = units_find(a, u->next[i]);

        if (next && next->waits > 0)
            next->waits--;
    }
    point_move(a);
    pthread_cond_broadcast(&a->work);
    pthread_cond_broadcast(&a->moved);
}

void units_close(struct applier *a)
{
    struct apply_unit *u = a->unit_count > 0 ? a->units[a->unit_count - 1] : NULL;

    if (!u || u->state != UNIT_OPEN)
        return;
    u->state = UNIT_CLOSED;
    if (u->change_count == 0)
        units_done(a, u);
    else
        pthread_cond_signal(&a->work);
}

struct apply_unit *units_ready(const struct applier *a)
{
    const size_t count = a->config.in_order && a->unit_count > 1 ? 1 : a->unit_count;

    for (size_t i = 0; i < count; i++) {
        struct apply_unit *u = a->units[i];

        if (u->state == UNIT_CLOSED && u->waits == 0)
            return u;
    }
    return NULL;
}
