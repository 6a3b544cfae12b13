/* Who is in whose way, and what becomes of each. */
#include "loader/settle.h"

#include "common/base/mem.h"

#include <stdlib.h>
#include <xxhash.h>

#define STORE_MAX ((size_t)512 << 20) /* of rows that are in the way of one batch */
#define CELL_NULL UINT32_MAX

/* ---- stored rows ---- */

size_t settle_keep(struct settle *s, const struct row *row, unsigned first, unsigned count)
{
    size_t at = s->store.len;

    for (unsigned i = first; i < first + count; i++) {
        uint32_t len = row->cell[i] ? (uint32_t)row->len[i] : CELL_NULL;

        strbuf_add(&s->store, &len, sizeof len);
        if (row->cell[i])
            strbuf_add(&s->store, row->cell[i], row->len[i]);
    }
    return at;
}

const char *settle_cell(const struct settle *s, size_t *at, unsigned long *len)
{
    const char *cell;
    uint32_t n;

    memcpy(&n, s->store.str + *at, sizeof n);
    *at += sizeof n;
    *len = 0;
    if (n == CELL_NULL)
        return NULL;
    cell = s->store.str + *at;
    *at += n;
    *len = n;
    return cell;
}

static bool cells_equal(const struct settle *s, size_t *a, size_t *b)
{
    unsigned long alen, blen;
    const char *x = settle_cell(s, a, &alen);
    const char *y = settle_cell(s, b, &blen);

    if (!x || !y)
        return !x && !y;
    return alen == blen && memcmp(x, y, alen) == 0;
}

bool settle_identical(const struct settle *s, unsigned row, struct holder h)
{
    const struct load_table *t = s->w->table;
    size_t a = s->staged[row] - 1, b;

    if (h.kind == HOLDER_UNKNOWN || s->staged[row] == 0)
        return false;
    if (h.kind == HOLDER_ROW) {
        if (s->staged[h.index] == 0)
            return false;
        b = s->staged[h.index] - 1;
        for (unsigned i = 0; i < t->dump->shape.count; i++)
            if (!cells_equal(s, &a, &b))
                return false;
        return true;
    }
    for (unsigned i = 0; i < t->dump->shape.count; i++) {
        unsigned long len;

        s->cell_at[i] = a;
        (void)settle_cell(s, &a, &len);
    }
    b = s->existing[h.index].cells;
    for (unsigned i = 0; i < s->plan->existing_count; i++) {
        int cell = t->cell_of[s->plan->existing[i]];
        unsigned long len;

        if (cell < 0) {
            (void)settle_cell(s, &b, &len);
            continue;
        }
        a = s->cell_at[cell];
        if (!cells_equal(s, &a, &b))
            return false;
    }
    return true;
}

/* ---- find ---- */

static enum err_code number_of(const struct settle *s, const struct row *row, unsigned *number,
                               struct err *err)
{
    char digits[16] = "";

    if (row->count && row->cell[0] && row->len[0] < sizeof digits)
        memcpy(digits, row->cell[0], row->len[0]);
    *number = (unsigned)strtoul(digits, NULL, 10);
    if (!digits[0] || *number >= s->rows)
        return err_set(err, ERR_INTERNAL, "a staged row has the number '%s'", digits);
    return ERR_OK;
}

static enum err_code twins_row(void *ctx, const struct row *row, struct err *err)
{
    struct settle *s = ctx;
    unsigned first = 0;
    bool any = false;
    const char *p = row->cell[0], *end = p ? p + row->len[0] : p;

    while (p < end) {
        char *next = NULL;
        unsigned long n = strtoul(p, &next, 10);

        if (next == p || n >= s->rows)
            return err_set(err, ERR_INTERNAL, "a list of equal rows cannot be read");
        if (!any)
            first = (unsigned)n;
        any = true;
        s->twin[(size_t)s->key * s->rows + n] = first;
        p = next + (next < end && *next == ',');
    }
    return ERR_OK;
}

/* Where the row of these cells, which end the store, is noted or is to be. A table of twice as many
 * slots as rows can be in the way: each staged row's keys each have one. */
static unsigned *existing_slot(struct settle *s, size_t at, size_t len)
{
    size_t i = (size_t)XXH3_64bits(s->store.str + at, len) & (s->existing_slots - 1);

    for (; s->existing_at[i] > 0; i = (i + 1) & (s->existing_slots - 1)) {
        size_t other = s->existing[s->existing_at[i] - 1].cells;

        if (other + len <= at && memcmp(s->store.str + other, s->store.str + at, len) == 0)
            break;
    }
    return &s->existing_at[i];
}

static void existing_none(struct settle *s)
{
    const size_t most = (size_t)s->rows * s->plan->key_count;

    if (!s->existing_at) {
        for (s->existing_slots = 64; s->existing_slots < 2 * most;)
            s->existing_slots *= 2;
        s->existing_at = xcalloc(s->existing_slots, sizeof *s->existing_at);
    }
    memset(s->existing_at, 0, s->existing_slots * sizeof *s->existing_at);
    s->existing_count = 0;
}

/* The existing row may be in the way by several keys: then it is kept once. */
static unsigned existing_add(struct settle *s, const struct row *row, unsigned first)
{
    size_t at = settle_keep(s, row, first, s->plan->existing_count);
    size_t len = s->store.len - at;
    unsigned *slot = existing_slot(s, at, len);

    if (*slot > 0) {
        strbuf_setlen(&s->store, at);
        return *slot - 1;
    }
    if (s->existing_count == s->existing_cap) {
        s->existing_cap = s->existing_cap ? 2 * s->existing_cap : 64;
        s->existing = xreallocarray(s->existing, s->existing_cap, sizeof *s->existing);
    }
    s->existing[s->existing_count++] = (struct existing_row){.cells = at};
    *slot = (unsigned)s->existing_count;
    return (unsigned)s->existing_count - 1;
}

static enum err_code hit_row(void *ctx, const struct row *row, struct err *err)
{
    struct settle *s = ctx;
    unsigned columns = s->w->table->dump->shape.count;
    struct holder *h;
    unsigned i = 0;

    if (number_of(s, row, &i, err))
        return err->code;
    if (row->count != 1 + columns + s->plan->existing_count)
        return err_set(err, ERR_INTERNAL, "a joined row has %u cells", row->count);
    if (s->store.len > STORE_MAX)
        return err_set(err, ERR_LIMIT,
                       "%s: the existing rows that collide with one batch take more than %zu MiB: "
                       "use a smaller --batch-rows",
                       s->w->table->label, STORE_MAX >> 20);
    if (s->staged[i] == 0)
        s->staged[i] = settle_keep(s, row, 1, columns) + 1;
    h = &s->holder[(size_t)s->key * s->rows + s->twin[(size_t)s->key * s->rows + i]];
    if (h->kind == HOLDER_NONE)
        *h = (struct holder){HOLDER_TARGET, existing_add(s, row, 1 + columns)};
    return ERR_OK;
}

static enum err_code number_row(void *ctx, const struct row *row, struct err *err)
{
    struct strbuf *list = ctx;

    (void)err;
    if (row->cell[0]) {
        strbuf_addstr(list, list->len ? "," : "");
        strbuf_add(list, row->cell[0], row->len[0]);
    }
    return ERR_OK;
}

/* Rows that are to be removed are read once more, locked, where the transaction is no optimistic
 * one; those that are not there are not locked for, so that workers do not wait for gaps. */
static enum err_code find_hits(struct settle *s, const struct stage_key *key, struct err *err)
{
    const struct load_run *run = s->w->run;
    bool lock = table_on_conflict(run, s->w->table) == ON_CONFLICT_REPLACE &&
                !run->config->check_conflicts &&
                !(run->flavour.vendor == VENDOR_TIDB && settle_may_load(s));
    struct stage_join join = {.key = key, .numbers_only = lock, .whole = s->whole};
    struct strbuf list = {0}, taken = {0};
    enum err_code rc;

    for (unsigned i = 0; s->bad_count > 0 && i < s->rows; i++)
        if (s->fate[i] != FATE_BAD)
            strbuf_addf(&taken, "%s%u", taken.len ? "," : "", i);
    if (s->bad_count > 0 && taken.len == 0)
        return ERR_OK;
    join.rows = taken.len ? strbuf_str(&taken) : NULL;
    rc = lock ? stage_hits(s->w, &join, number_row, &list, err)
              : stage_hits(s->w, &join, hit_row, s, err);
    if (!rc && list.len > 0) {
        join = (struct stage_join){
            .key = key, .rows = strbuf_str(&list), .lock = true, .whole = s->whole};
        rc = stage_hits(s->w, &join, hit_row, s, err);
    }
    strbuf_release(&list);
    strbuf_release(&taken);
    return rc;
}

/* ---- the cells of equal rows, which no join has brought ---- */

static enum err_code staged_row(void *ctx, const struct row *row, struct err *err)
{
    struct settle *s = ctx;
    unsigned i = 0;

    if (number_of(s, row, &i, err))
        return err->code;
    if (row->count != 1 + s->w->table->dump->shape.count)
        return err_set(err, ERR_INTERNAL, "a staged row has %u cells", row->count);
    if (s->staged[i] == 0)
        s->staged[i] = settle_keep(s, row, 1, row->count - 1) + 1;
    return ERR_OK;
}

static enum err_code settle_read(struct settle *s, struct err *err)
{
    bool *wanted = xcalloc(s->rows + 1, sizeof *wanted);
    struct strbuf list = {0};
    enum err_code rc = ERR_OK;

    for (unsigned k = 0; k < s->plan->key_count; k++)
        for (unsigned i = 0; i < s->rows; i++) {
            unsigned twin = s->twin[(size_t)k * s->rows + i];

            if (twin != i)
                wanted[i] = wanted[twin] = true;
        }
    for (unsigned i = 0; i < s->rows; i++)
        if (wanted[i] && s->staged[i] == 0)
            strbuf_addf(&list, "%s%u", list.len ? "," : "", i);
    if (list.len > 0)
        rc = stage_rows(s->w, strbuf_str(&list), staged_row, s, err);
    strbuf_release(&list);
    free(wanted);
    return rc;
}

enum err_code settle_find(struct settle *s, struct err *err)
{
    const bool none = settle_picked_none(s); /* then the temporary table is not this batch's */

    existing_none(s);
    s->collision_count = 0;
    s->store.len = 0;
    for (unsigned i = 0; i < s->rows; i++)
        s->staged[i] = 0;
    for (s->key = 0; s->key < s->plan->key_count; s->key++) {
        size_t base = (size_t)s->key * s->rows;

        for (unsigned i = 0; i < s->rows; i++) {
            s->twin[base + i] = i;
            s->holder[base + i] = (struct holder){HOLDER_NONE, 0};
        }
        if (none)
            continue;
        if (stage_doubles(s->w, &s->plan->keys[s->key], twins_row, s, err) ||
            find_hits(s, &s->plan->keys[s->key], err))
            return err->code;
    }
    return settle_read(s, err);
}

/* ---- decide ---- */

static struct holder *holder_of(const struct settle *s, unsigned key, unsigned row)
{
    size_t base = (size_t)key * s->rows;
    struct holder *h = &s->holder[base + s->twin[base + row]];

    /* Whoever was removed meanwhile holds nothing any more. */
    if ((h->kind == HOLDER_TARGET && s->existing[h->index].removed) ||
        (h->kind == HOLDER_ROW && s->fate[h->index] != FATE_WRITE))
        h->kind = HOLDER_NONE;
    return h;
}

static void collision_add(struct settle *s, struct collision c)
{
    if (s->collision_count == s->collision_cap) {
        s->collision_cap = s->collision_cap ? 2 * s->collision_cap : 64;
        s->collisions = xreallocarray(s->collisions, s->collision_cap, sizeof *s->collisions);
    }
    s->collisions[s->collision_count++] = c;
}

static void decide_replace(struct settle *s, size_t from)
{
    for (size_t i = from; i < s->collision_count; i++) {
        struct holder h = s->collisions[i].holder;

        if (h.kind == HOLDER_TARGET && !s->existing[h.index].removed) {
            s->existing[h.index].removed = true;
            s->counts.replaced++;
            s->counts.added--;
        } else if (h.kind == HOLDER_ROW && s->fate[h.index] == FATE_WRITE) {
            s->fate[h.index] = FATE_GONE;
            s->counts.replaced++;
            s->counts.added--;
        }
    }
}

static void decide_row(struct settle *s, unsigned row)
{
    const struct load_config *config = s->w->run->config;
    const bool replace = table_on_conflict(s->w->run, s->w->table) == ON_CONFLICT_REPLACE &&
                         !config->check_conflicts;
    size_t from = s->collision_count;
    bool same = false;

    for (unsigned k = 0; k < s->plan->key_count; k++) {
        struct holder *h = holder_of(s, k, row);
        struct collision c = {row, k, *h, false};

        if (h->kind == HOLDER_NONE)
            continue;
        c.identical = settle_identical(s, row, *h);
        same = same || c.identical;
        collision_add(s, c);
    }
    if (same && config->identical_ok) {
        s->collision_count = from;
        s->fate[row] = FATE_IDENTICAL;
        s->counts.identical++;
        return;
    }
    if (s->collision_count > from && !replace) {
        s->fate[row] = FATE_IGNORED;
        s->counts.ignored++;
        return;
    }
    decide_replace(s, from);
    s->counts.added++;
    for (unsigned k = 0; k < s->plan->key_count; k++)
        *holder_of(s, k, row) = (struct holder){HOLDER_ROW, row};
}

void settle_decide(struct settle *s)
{
    s->counts = (struct chunk_counts){.skipped = 0};
    s->collision_count = 0;
    for (unsigned i = 0; i < s->rows; i++)
        if (s->fate[i] != FATE_BAD)
            s->fate[i] = FATE_WRITE;
    for (unsigned i = 0; i < s->rows; i++) {
        if (s->fate[i] == FATE_BAD)
            s->counts.skipped++;
        else
            decide_row(s, i);
    }
    for (size_t i = 0; i < s->bad_count; i++) {
        if (!s->bad[i].key)
            continue;
        s->counts.skipped--;
        s->counts.ignored++;
        collision_add(
            s, (struct collision){s->bad[i].row, UINT32_MAX, {HOLDER_UNKNOWN, (unsigned)i}, false});
    }
    if (s->w->run->config->check_conflicts)
        s->counts.added = 0;
}

/* ---- remove ---- */

/* By each key in turn; a row that is in the way by two is gone by the second, so it is not looked
 * for again. */
enum err_code settle_remove(struct settle *s, struct err *err)
{
    struct strbuf list = {0};
    uint64_t expected = 0, deleted = 0;
    enum err_code rc = ERR_OK;

    for (size_t i = 0; i < s->existing_count; i++) {
        s->existing[i].listed = false;
        expected += s->existing[i].removed;
    }
    for (unsigned k = 0; !rc && expected > 0 && k < s->plan->key_count; k++) {
        uint64_t n = 0;

        strbuf_reset(&list);
        for (size_t i = 0; i < s->collision_count; i++) {
            const struct collision *c = &s->collisions[i];

            if (c->key != k || c->holder.kind != HOLDER_TARGET ||
                !s->existing[c->holder.index].removed || s->existing[c->holder.index].listed)
                continue;
            s->existing[c->holder.index].listed = true;
            strbuf_addf(&list, "%s%u", list.len ? "," : "", c->row);
        }
        if (list.len > 0)
            rc = stage_delete(s->w,
                              &(struct stage_join){.key = &s->plan->keys[k],
                                                   .rows = strbuf_str(&list),
                                                   .whole = s->whole},
                              &n, err);
        deleted += n;
    }
    strbuf_release(&list);
    if (!rc && deleted != expected)
        return err_set(err, ERR_SERVER_BUSY,
                       "%s: rows that are to be replaced were changed by others",
                       s->w->table->label);
    return rc;
}
