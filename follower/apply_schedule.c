#include "follower/apply_schedule.h"

#include "common/base/mem.h"

#include <stdlib.h>

#define SLOTS_MIN 1024
#define SPACES_MIN 64
#define TOUCHED_TRIM 64

struct key_slot {
    uint64_t hash;
    uint64_t unit;        /* the last that had it, not shared; 0: none */
    uint64_t first, last; /* those that shared it since are among these; 0: none */
};
struct space { /* an index */
    uint64_t space;
    uint64_t all;      /* the last unit with a key that meets all; 0: none */
    uint64_t *touched; /* units with any key, each once, in order */
    size_t count, cap;
};
struct schedule {
    struct key_slot *slot;
    size_t slots, used;
    struct space *space; /* hashed by `space`; 0: free */
    size_t spaces, space_count;
    uint64_t floor;
};

struct schedule *schedule_new(void)
{
    struct schedule *s = xcalloc(1, sizeof *s);

    s->slots = SLOTS_MIN;
    s->slot = xcalloc(s->slots, sizeof *s->slot);
    s->spaces = SPACES_MIN;
    s->space = xcalloc(s->spaces, sizeof *s->space);
    return s;
}

void schedule_free(struct schedule *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->spaces; i++)
        free(s->space[i].touched);
    free(s->space);
    free(s->slot);
    free(s);
}

void schedule_below(struct schedule *s, uint64_t unit)
{
    s->floor = unit;
}

/* ---- values ---- */

static uint64_t slot_last(const struct key_slot *slot) /* 0: free */
{
    return slot->last > slot->unit ? slot->last : slot->unit;
}

static struct key_slot *slot_of(const struct schedule *s, uint64_t hash)
{
    size_t at = hash & (s->slots - 1);

    while (slot_last(&s->slot[at]) && s->slot[at].hash != hash)
        at = (at + 1) & (s->slots - 1);
    return &s->slot[at];
}

/* What is committed goes, the rest gets room. */
static void slots_renew(struct schedule *s)
{
    struct key_slot *old = s->slot;
    const size_t count = s->slots;
    size_t live = 0;

    for (size_t i = 0; i < count; i++)
        live += slot_last(&old[i]) != 0 && slot_last(&old[i]) >= s->floor;
    s->slots = SLOTS_MIN;
    while (s->slots < 4 * live)
        s->slots *= 2;
    s->slot = xcalloc(s->slots, sizeof *s->slot);
    s->used = live;
    for (size_t i = 0; i < count; i++)
        if (slot_last(&old[i]) != 0 && slot_last(&old[i]) >= s->floor)
            *slot_of(s, old[i].hash) = old[i];
    free(old);
}

/* ---- indexes ---- */

static struct space *space_slot(struct space *in, size_t count, uint64_t space)
{
    size_t at = space & (count - 1);

    while (in[at].space && in[at].space != space)
        at = (at + 1) & (count - 1);
    return &in[at];
}

static struct space *space_of(struct schedule *s, uint64_t space)
{
    struct space *found;

    space |= 1; /* 0 is free */
    if (2 * s->space_count >= s->spaces) {
        struct space *more = xcalloc(2 * s->spaces, sizeof *more);

        for (size_t i = 0; i < s->spaces; i++)
            if (s->space[i].space)
                *space_slot(more, 2 * s->spaces, s->space[i].space) = s->space[i];
        free(s->space);
        s->space = more;
        s->spaces *= 2;
    }
    found = space_slot(s->space, s->spaces, space);
    if (!found->space) {
        found->space = space;
        s->space_count++;
    }
    return found;
}

static void space_touch(struct space *sp, uint64_t unit, uint64_t floor)
{
    if (sp->count > 0 && sp->touched[sp->count - 1] == unit)
        return;
    if (sp->count >= TOUCHED_TRIM) {
        size_t gone = 0;

        while (gone < sp->count && sp->touched[gone] < floor)
            gone++;
        sp->count -= gone;
        memmove(sp->touched, sp->touched + gone, sp->count * sizeof *sp->touched);
    }
    if (sp->count == sp->cap) {
        sp->cap = sp->cap ? 2 * sp->cap : 8;
        sp->touched = xreallocarray(sp->touched, sp->cap, sizeof *sp->touched);
    }
    sp->touched[sp->count++] = unit;
}

/* ---- */

static void slot_take(const struct schedule *s, struct key_slot *slot, uint64_t unit, bool shared,
                      schedule_fn *fn, void *ctx)
{
    if (shared) {
        slot->first = slot->first && slot->first >= s->floor ? slot->first : unit;
        slot->last = unit;
        return;
    }
    for (uint64_t u = slot->first < s->floor ? s->floor : slot->first;
         slot->last && u <= slot->last; u++)
        if (u != unit)
            fn(ctx, u);
    slot->unit = unit;
    slot->first = slot->last = 0;
}

static void key_add(struct schedule *s, uint64_t unit, const struct apply_key *key, schedule_fn *fn,
                    void *ctx)
{
    struct space *sp = space_of(s, key->space);
    struct key_slot *slot;

    if (key->all) {
        for (size_t i = 0; i < sp->count; i++)
            if (sp->touched[i] >= s->floor && sp->touched[i] != unit)
                fn(ctx, sp->touched[i]);
        sp->all = unit;
        space_touch(sp, unit, s->floor);
        return;
    }
    if (sp->all >= s->floor && sp->all != 0 && sp->all != unit)
        fn(ctx, sp->all);
    space_touch(sp, unit, s->floor);
    if (2 * (s->used + 1) > s->slots)
        slots_renew(s);
    slot = slot_of(s, key->hash);
    if (slot_last(slot) == 0) {
        slot->hash = key->hash;
        s->used++;
    }
    if (slot->unit != 0 && slot->unit != unit && slot->unit >= s->floor)
        fn(ctx, slot->unit);
    slot_take(s, slot, unit, key->shared, fn, ctx);
}

void schedule_add(struct schedule *s, uint64_t unit, const struct apply_keys *keys, schedule_fn *fn,
                  void *ctx)
{
    for (size_t i = 0; i < keys->count; i++)
        key_add(s, unit, &keys->key[i], fn, ctx);
}
