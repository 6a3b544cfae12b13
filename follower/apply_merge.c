#include "follower/apply_merge.h"

#include "common/base/mem.h"

#include <stdlib.h>
#include <xxhash.h>

#define SLOTS_MIN 64

void merge_release(struct merge *m)
{
    free(m->entry);
    free(m->slot);
    *m = (struct merge){0};
}

void merge_reset(struct merge *m)
{
    m->count = 0;
    if (m->slots)
        memset(m->slot, 0, m->slots * sizeof *m->slot);
}

static void slots_grow(struct merge *m)
{
    const size_t slots = m->slots ? 2 * m->slots : SLOTS_MIN;

    free(m->slot);
    m->slot = xcalloc(slots, sizeof *m->slot);
    m->slots = slots;
    for (size_t i = 0; i < m->count; i++) {
        size_t at = m->entry[i].hash & (slots - 1);

        while (m->slot[at])
            at = (at + 1) & (slots - 1);
        m->slot[at] = (uint32_t)i + 1;
    }
}

static struct merge_entry *entry_of(struct merge *m, const struct apply_table *t, const char *key,
                                    uint32_t len, bool *is_new)
{
    const uint64_t hash = XXH3_64bits_withSeed(key, len, t->id);
    struct merge_entry *e;
    size_t at;

    if (2 * m->count >= m->slots)
        slots_grow(m);
    at = hash & (m->slots - 1);
    for (; m->slot[at]; at = (at + 1) & (m->slots - 1)) {
        e = &m->entry[m->slot[at] - 1];
        if (e->hash == hash && e->table == t && e->key_len == len &&
            memcmp(e->key, key, len) == 0) {
            *is_new = false;
            return e;
        }
    }
    if (m->count == m->cap) {
        m->cap = m->cap ? 2 * m->cap : SLOTS_MIN;
        m->entry = xreallocarray(m->entry, m->cap, sizeof *m->entry);
    }
    e = &m->entry[m->count];
    *e = (struct merge_entry){
        .table = t, .key = key, .key_len = len, .hash = hash, .order = (uint32_t)m->count};
    m->slot[at] = (uint32_t)++m->count;
    *is_new = true;
    return e;
}

static enum err_code impossible(const struct apply_table *t, const char *what, struct err *err)
{
    return err_set(err, ERR_FOLLOW_DRIFT,
                   "%s.%s: the source %s, within transactions that follow one another", t->db,
                   t->name, what);
}

/* The row with this key goes. */
static enum err_code row_gone(struct merge *m, const struct apply_table *t, const char *change,
                              struct err *err)
{
    const struct change_head h = apply_head(change);
    const char *key = change + sizeof h;
    bool is_new = false;
    struct merge_entry *e = entry_of(m, t, key, h.before, &is_new);

    if (h.mode == APPLY_IDEMPOTENT)
        e->loose = true;
    else if (is_new)
        e->was = true;
    else if (!e->loose && !e->image)
        return impossible(t, "changed a row twice that was gone after the first time", err);
    if (is_new && h.old)
        e->old = key + h.before + h.after + h.image;
    e->image = NULL;
    e->change = change;
    return ERR_OK;
}

static enum err_code row_come(struct merge *m, const struct apply_table *t, const char *key,
                              const char *image, const char *change, struct err *err)
{
    const struct change_head h = apply_head(change);
    bool is_new = false;
    struct merge_entry *e = entry_of(m, t, key, h.after, &is_new);

    if (h.mode == APPLY_IDEMPOTENT)
        e->loose = true;
    else if (!is_new && !e->loose && e->image)
        return impossible(t, "inserted a row twice", err);
    e->image = image;
    e->change = change;
    return ERR_OK;
}

static void row_counted(struct merge *m, const struct apply_table *t, const char *row, uint32_t len,
                        int more, const char *change)
{
    bool is_new = false;
    struct merge_entry *e = entry_of(m, t, row, len, &is_new);

    e->more += more;
    if (-e->more > e->need)
        e->need = -e->more;
    e->image = row;
    e->change = change;
}

static void keyless_add(struct merge *m, const struct apply_table *t, const char *change)
{
    const struct change_head h = apply_head(change);
    const char *before = change + sizeof h;

    if (h.kind != ROW_INSERT)
        row_counted(m, t, before, h.before, -1, change);
    if (h.kind != ROW_DELETE)
        row_counted(m, t, before + h.before, h.image, 1, change);
}

enum err_code merge_add(struct merge *m, const struct apply_table *t, const char *change,
                        struct err *err)
{
    const struct change_head h = apply_head(change);
    const char *before = change + sizeof h;
    const char *after = before + h.before;
    const char *image = after + h.after;

    if (!t->key) {
        keyless_add(m, t, change);
        return ERR_OK;
    }
    if (h.kind != ROW_INSERT && row_gone(m, t, change, err))
        return err->code;
    if (h.kind != ROW_DELETE && row_come(m, t, after, image, change, err))
        return err->code;
    return ERR_OK;
}

static int entry_order(const void *a, const void *b)
{
    const struct merge_entry *x = a;
    const struct merge_entry *y = b;

    if (x->table->id != y->table->id)
        return x->table->id < y->table->id ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

void merge_sort(struct merge *m)
{
    if (m->count > 0)
        qsort(m->entry, m->count, sizeof *m->entry, entry_order);
}
