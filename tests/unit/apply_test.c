/* What the applier decides without a server: which changes must keep their order, and what many of
 * them come to. The model: a table with a primary key that ignores case and a nullable unique key.
 */
#include "tests/unit/cmocka_all.h"

#include "common/base/mem.h"
#include "follower/apply_merge.h"
#include "follower/apply_schedule.h"
#include "follower/apply_spill.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define ROWS_MAX 64
#define TXNS 40
#define TXN_CHANGES 6
#define UNITS_MAX (TXNS + 1)

/* ---- a generator that is the same everywhere ---- */

static unsigned draw(uint64_t *seed, unsigned below)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(*seed >> 33) % below;
}

/* ---- the table ---- */

static struct column column(const char *name, enum column_type type)
{
    const bool text = type == TYPE_VARCHAR;

    return (struct column){.name = name,
                           .type_text = "",
                           .type = type,
                           .charset = text ? "utf8mb4" : NULL,
                           .collation = text ? "utf8mb4_general_ci" : NULL,
                           .extra = "",
                           .nullable = strcmp(name, "k") != 0};
}

static struct apply_table *model_table_of(unsigned id, const struct apply_foreigns *foreigns)
{
    struct column columns[] = {column("k", TYPE_VARCHAR), column("u", TYPE_INT),
                               column("v", TYPE_INT)};
    struct key_part k = {.column = 0}, u = {.column = 1};
    struct key keys[] = {{.name = "PRIMARY",
                          .parts = &k,
                          .part_count = 1,
                          .unique = true,
                          .primary = true,
                          .not_null = true},
                         {.name = "u", .parts = &u, .part_count = 1, .unique = true}};
    const struct table def = {.db = "d",
                              .name = "t",
                              .columns = columns,
                              .column_count = 3,
                              .keys = keys,
                              .key_count = 2};
    const int source[] = {0, 1, 2};
    const struct applier_table from = {"d", "t", &def, source};
    struct apply_table *t = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(apply_table_new(&from, foreigns, id, &t, &err), ERR_OK);
    return t;
}

static struct apply_table *model_table(unsigned id)
{
    return model_table_of(id, NULL);
}

/* ---- the model's rows ---- */

struct mrow {
    char k[8];
    int u; /* -1: NULL */
    int v;
};
struct store {
    struct mrow row[ROWS_MAX];
    unsigned count;
};

static bool k_equal(const char *a, const char *b)
{
    return tolower((unsigned char)a[0]) == tolower((unsigned char)b[0]);
}

static int store_find(const struct store *s, const char *k)
{
    for (unsigned i = 0; i < s->count; i++)
        if (k_equal(s->row[i].k, k))
            return (int)i;
    return -1;
}

static void store_remove(struct store *s, unsigned i)
{
    s->row[i] = s->row[--s->count];
}

/* false: a key of it is there. `replace`: what is in the way goes. */
static bool store_put(struct store *s, const struct mrow *row, bool replace)
{
    for (unsigned i = s->count; i > 0; i--) {
        const struct mrow *old = &s->row[i - 1];

        if (!k_equal(old->k, row->k) && (row->u < 0 || old->u != row->u))
            continue;
        if (!replace)
            return false;
        store_remove(s, i - 1);
    }
    assert_true(s->count < ROWS_MAX);
    s->row[s->count++] = *row;
    return true;
}

static int row_order(const void *a, const void *b)
{
    return memcmp(((const struct mrow *)a)->k, ((const struct mrow *)b)->k, 1);
}

static void store_same(struct store *a, struct store *b)
{
    assert_int_equal(a->count, b->count);
    qsort(a->row, a->count, sizeof *a->row, row_order);
    qsort(b->row, b->count, sizeof *b->row, row_order);
    for (unsigned i = 0; i < a->count; i++) {
        assert_string_equal(a->row[i].k, b->row[i].k);
        assert_int_equal(a->row[i].u, b->row[i].u);
        assert_int_equal(a->row[i].v, b->row[i].v);
    }
}

/* ---- changes ---- */

struct image {
    char text[3][16];
    const char *cell[3];
    unsigned long len[3];
};

static struct row image_of(struct image *im, const struct mrow *r)
{
    (void)snprintf(im->text[0], sizeof im->text[0], "%s", r->k);
    (void)snprintf(im->text[1], sizeof im->text[1], "%d", r->u);
    (void)snprintf(im->text[2], sizeof im->text[2], "%d", r->v);
    for (unsigned i = 0; i < 3; i++) {
        im->cell[i] = i == 1 && r->u < 0 ? NULL : im->text[i];
        im->len[i] = im->cell[i] ? strlen(im->text[i]) : 0;
    }
    return (struct row){im->cell, im->len, 3};
}

struct history { /* of the source */
    struct strbuf changes[TXNS];
    struct apply_keys keys[TXNS];
    struct store after[TXNS + 1]; /* [0]: before all */
};

static void history_add(struct history *h, unsigned txn, const struct apply_table *t,
                        enum applier_mode mode, const struct mrow *before, const struct mrow *after)
{
    static const uint8_t all[1] = {7};
    struct image b, a;
    struct row_change c = {.before_has = all, .after_has = all};
    struct err err = ERR_INIT;

    c.kind = !before ? ROW_INSERT : !after ? ROW_DELETE : ROW_UPDATE;
    if (before)
        c.before = image_of(&b, before);
    if (after)
        c.after = image_of(&a, after);
    assert_int_equal(apply_pack(t, mode, &c, &h->changes[txn], &err), ERR_OK);
    apply_keys_add(&h->keys[txn], t, &c);
}

static void random_row(uint64_t *seed, struct mrow *r)
{
    const char c = (char)((draw(seed, 2) ? 'a' : 'A') + (int)draw(seed, 8));

    r->k[0] = c;
    r->k[1] = '\0';
    r->u = (int)draw(seed, 8) - 2;
    r->u = r->u < 0 ? -1 : r->u;
    r->v = (int)draw(seed, 100);
}

static void change_random(struct history *h, unsigned txn, struct store *s,
                          const struct apply_table *t, enum applier_mode mode, uint64_t *seed)
{
    const unsigned kind = draw(seed, 4);
    struct store next = *s;
    struct mrow after = {.v = 0}, before;
    unsigned at;

    random_row(seed, &after);
    if (kind == 0 || s->count == 0) {
        if (!store_put(&next, &after, false))
            return;
        history_add(h, txn, t, mode, NULL, &after);
    } else {
        at = draw(seed, s->count);
        before = s->row[at];
        store_remove(&next, at);
        if (kind == 1) {
            history_add(h, txn, t, mode, &before, NULL);
        } else {
            if (kind == 2)
                after.k[0] = (char)(before.k[0] ^ (draw(seed, 2) ? 0x20 : 0)); /* its case */
            if (!store_put(&next, &after, false))
                return;
            history_add(h, txn, t, mode, &before, &after);
        }
    }
    *s = next;
}

static void history_make(struct history *h, const struct apply_table *t, enum applier_mode mode,
                         uint64_t *seed)
{
    struct store s = {.count = 0};

    memset(h, 0, sizeof *h);
    for (unsigned i = 0; i < TXNS; i++) {
        const unsigned changes = 1 + draw(seed, TXN_CHANGES);

        for (unsigned n = 0; n < changes; n++)
            change_random(h, i, &s, t, mode, seed);
        h->after[i + 1] = s;
    }
}

static void history_release(struct history *h)
{
    for (unsigned i = 0; i < TXNS; i++) {
        strbuf_release(&h->changes[i]);
        apply_keys_release(&h->keys[i]);
    }
}

/* ---- applying ---- */

static void mrow_of(const char *packed, struct mrow *r)
{
    const char *cell[3];
    unsigned long len[3];

    (void)apply_cells(packed, 3, cell, len);
    r->k[0] = cell[0][0];
    r->k[1] = '\0';
    r->u = -1;
    if (cell[1]) {
        char text[16] = "";

        memcpy(text, cell[1], len[1]);
        r->u = (int)strtol(text, NULL, 10);
    }
    r->v = 0;
    for (unsigned long i = 0; i < len[2]; i++)
        r->v = r->v * 10 + (cell[2][i] - '0');
}

/* As apply_write.c: rows that go, rows that replace, rows that come. */
static void unit_apply(struct store *s, struct merge *m)
{
    merge_sort(m);
    for (size_t i = 0; i < m->count; i++) {
        const struct merge_entry *e = &m->entry[i];
        const char *cell = NULL;
        unsigned long len = 0;
        char k[2] = "";
        int at;

        (void)apply_cells(e->key, 1, &cell, &len);
        k[0] = cell[0];
        at = store_find(s, k);
        if (e->loose ? !e->image : e->was) {
            assert_true(e->loose || at >= 0); /* counted */
            if (at >= 0)
                store_remove(s, (unsigned)at);
        }
    }
    for (unsigned loose = 2; loose > 0; loose--)
        for (size_t i = 0; i < m->count; i++) {
            struct mrow r;

            if (!m->entry[i].image || m->entry[i].loose != (loose == 2))
                continue;
            mrow_of(m->entry[i].image, &r);
            assert_true(store_put(s, &r, loose == 2));
        }
}

struct plan { /* units of transactions that follow one another, and which wait for which */
    unsigned first[UNITS_MAX + 1], count;
    bool waits[UNITS_MAX][UNITS_MAX];
    unsigned now;
};

static void plan_wait(void *ctx, uint64_t unit)
{
    struct plan *p = ctx;

    p->waits[p->now][unit - 1] = true;
}

static void plan_make(struct plan *p, struct history *h, unsigned largest, uint64_t *seed)
{
    struct schedule *s = schedule_new();

    memset(p, 0, sizeof *p);
    for (unsigned txn = 0; txn < TXNS; p->count++) {
        unsigned many = 1 + draw(seed, largest);

        p->first[p->count] = txn;
        p->now = p->count;
        for (; many > 0 && txn < TXNS; many--, txn++)
            schedule_add(s, p->count + 1, &h->keys[txn], plan_wait, p);
    }
    p->first[p->count] = TXNS;
    schedule_free(s);
}

static unsigned plan_next(const struct plan *p, const bool *done, uint64_t *seed)
{
    unsigned ready[UNITS_MAX], count = 0;

    for (unsigned i = 0; i < p->count; i++) {
        bool may = !done[i];

        for (unsigned k = 0; may && k < i; k++)
            may = done[k] || !p->waits[i][k];
        if (may)
            ready[count++] = i;
    }
    assert_true(count > 0);
    return ready[draw(seed, count)];
}

static void plan_run(const struct plan *p, const struct history *h, const struct apply_table *t,
                     struct store *s, uint64_t *seed)
{
    bool done[UNITS_MAX] = {false};
    struct merge m = {0};
    struct err err = ERR_INIT;

    for (unsigned n = 0; n < p->count; n++) {
        const unsigned unit = plan_next(p, done, seed);

        merge_reset(&m);
        for (unsigned txn = p->first[unit]; txn < p->first[unit + 1]; txn++)
            for (size_t at = 0; at < h->changes[txn].len;) {
                assert_int_equal(merge_add(&m, t, h->changes[txn].str + at, &err), ERR_OK);
                at += apply_head(h->changes[txn].str + at).size;
            }
        unit_apply(s, &m);
        done[unit] = true;
    }
    merge_release(&m);
}

static void any_allowed_order_gives_the_serial_result(void **state)
{
    struct apply_table *t = model_table(0);
    struct history *h = xmalloc(sizeof *h);
    struct plan *p = xmalloc(sizeof *p);
    uint64_t seed = 20261123;

    (void)state;
    for (unsigned round = 0; round < 1500; round++) {
        struct store s = {.count = 0};

        history_make(h, t, APPLY_EXACT, &seed);
        plan_make(p, h, 1 + round % 8, &seed);
        plan_run(p, h, t, &s, &seed);
        store_same(&s, &h->after[TXNS]);
        history_release(h);
    }
    free(p);
    free(h);
    apply_table_free(t);
}

/* Three parts of the rows from three times, put in by REPLACE in any order; then all from the first
 * of these times on, idempotently. */
static void a_replay_over_several_snapshots_is_exact(void **state)
{
    struct apply_table *t = model_table(0);
    struct history *h = xmalloc(sizeof *h);
    struct plan *p = xmalloc(sizeof *p);
    uint64_t seed = 7;

    (void)state;
    for (unsigned round = 0; round < 1500; round++) {
        const unsigned turn = draw(&seed, 3);
        struct store s = {.count = 0};

        history_make(h, t, APPLY_IDEMPOTENT, &seed);
        for (unsigned n = 0; n < 3; n++) {
            const unsigned part = (n + turn) % 3;
            const struct store *from = &h->after[draw(&seed, TXNS + 1)];

            for (unsigned i = 0; i < from->count; i++)
                if ((unsigned)tolower((unsigned char)from->row[i].k[0]) % 3 == part)
                    assert_true(store_put(&s, &from->row[i], true));
        }
        plan_make(p, h, 1 + round % 8, &seed);
        plan_run(p, h, t, &s, &seed);
        store_same(&s, &h->after[TXNS]);
        history_release(h);
    }
    free(p);
    free(h);
    apply_table_free(t);
}

/* ---- keys ---- */

static void folds_what_collations_call_equal(void **state)
{
    const struct column text = column("k", TYPE_VARCHAR);
    const struct column real = column("d", TYPE_DOUBLE);
    static const char *const same[][2] = {{"a", "A"},     {"a", "a  "},    {"a\tb", "ab"},
                                          {"ij", "IY"},   {"uvw", "VVV"},  {"", "  "},
                                          {"x\x01", "X"}, {"a b ", "A B"}, {"\x7f", ""}};
    struct strbuf a = {0}, b = {0};

    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        strbuf_reset(&a);
        strbuf_reset(&b);
        assert_true(apply_fold(&text, same[i][0], strlen(same[i][0]), 0, &a));
        assert_true(apply_fold(&text, same[i][1], strlen(same[i][1]), 0, &b));
        assert_string_equal(strbuf_str(&a), strbuf_str(&b));
    }
    strbuf_reset(&a);
    assert_true(apply_fold(&text, "abcdef", 6, 3, &a));
    assert_string_equal(strbuf_str(&a), "abc");
    assert_false(apply_fold(&text, "\xc3\xa4", 2, 0, &a));
    strbuf_reset(&a);
    strbuf_reset(&b);
    assert_true(apply_fold(&real, "-0", 2, 0, &a));
    assert_true(apply_fold(&real, "0", 1, 0, &b));
    assert_string_equal(strbuf_str(&a), strbuf_str(&b));
    strbuf_release(&a);
    strbuf_release(&b);
}

struct seen {
    uint64_t unit[16];
    unsigned count;
};

static void see(void *ctx, uint64_t unit)
{
    struct seen *s = ctx;

    assert_true(s->count < 16);
    s->unit[s->count++] = unit;
}

static void add_key(struct schedule *s, uint64_t unit, uint64_t space, uint64_t hash, bool all,
                    struct seen *seen)
{
    struct apply_key key = {.space = space, .hash = hash, .all = all};
    const struct apply_keys keys = {.key = &key, .count = 1};

    seen->count = 0;
    schedule_add(s, unit, &keys, see, seen);
}

static void a_value_that_cannot_be_compared_meets_its_index_alone(void **state)
{
    struct schedule *s = schedule_new();
    struct seen seen;

    (void)state;
    add_key(s, 1, 10, 100, false, &seen);
    assert_int_equal(seen.count, 0);
    add_key(s, 2, 20, 200, false, &seen);
    assert_int_equal(seen.count, 0);
    add_key(s, 3, 10, 0, true, &seen);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.unit[0], 1);
    add_key(s, 4, 10, 101, false, &seen); /* a new value behind it */
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.unit[0], 3);
    add_key(s, 5, 20, 200, false, &seen);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.unit[0], 2);
    schedule_below(s, 6);
    add_key(s, 6, 10, 101, false, &seen);
    assert_int_equal(seen.count, 0);
    for (uint64_t i = 0; i < 100000; i++) /* what is committed takes no room */
        add_key(s, 7 + i / 10, 30, i * 7919, false, &seen);
    schedule_free(s);
}

static void add_shared(struct schedule *s, uint64_t unit, bool shared, struct seen *seen)
{
    struct apply_key key = {.space = 10, .hash = 100, .shared = shared};
    const struct apply_keys keys = {.key = &key, .count = 1};

    seen->count = 0;
    schedule_add(s, unit, &keys, see, seen);
}

static void children_meet_their_parent_and_not_each_other(void **state)
{
    struct schedule *s = schedule_new();
    struct seen seen;

    (void)state;
    add_shared(s, 1, false, &seen); /* the parent comes */
    assert_int_equal(seen.count, 0);
    add_shared(s, 2, true, &seen);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.unit[0], 1);
    add_shared(s, 3, true, &seen);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.unit[0], 1);
    add_shared(s, 4, false, &seen); /* it goes */
    assert_int_equal(seen.count, 3);
    add_shared(s, 5, true, &seen);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.unit[0], 4);
    schedule_free(s);
}

/* Parent p(k), child c(p) that names it. */
static void a_foreign_key_gives_both_tables_a_key(void **state)
{
    static const uint8_t all[1] = {7};
    struct apply_table *plain = model_table(0);
    char *names[] = {(char *)(uintptr_t) "u"}, *parents[] = {(char *)(uintptr_t) "v"};
    struct apply_foreign k = {.db = (char *)(uintptr_t) "d",
                              .name = (char *)(uintptr_t) "T",
                              .parent_db = (char *)(uintptr_t) "D",
                              .parent = (char *)(uintptr_t) "t",
                              .columns = names,
                              .parent_columns = parents,
                              .count = 1,
                              .space = 4711};
    const struct apply_foreigns foreigns = {&k, 1};
    struct apply_table *t = model_table_of(1, &foreigns); /* both parent and child */
    const struct mrow before = {"a", 1, 1}, after = {"a", 2, 1};
    struct image b, a;
    struct row_change c = {.kind = ROW_UPDATE, .before_has = all, .after_has = all};
    struct apply_keys keys = {0};
    unsigned shared = 0, own = 0;

    (void)state;
    assert_int_equal(t->index_count, plain->index_count + 2);
    c.before = image_of(&b, &before);
    c.after = image_of(&a, &after);
    apply_keys_add(&keys, t, &c);
    for (size_t i = 0; i < keys.count; i++) {
        shared += keys.key[i].space == 4711 && keys.key[i].shared;
        own += keys.key[i].space == 4711 && !keys.key[i].shared;
    }
    assert_int_equal(shared, 2); /* another parent */
    assert_int_equal(own, 0);    /* its children's column stays */
    keys.count = 0;
    c.kind = ROW_DELETE;
    apply_keys_add(&keys, t, &c);
    for (size_t i = 0; i < keys.count; i++)
        own += keys.key[i].space == 4711 && !keys.key[i].shared;
    assert_int_equal(own, 1);
    apply_keys_release(&keys);
    apply_table_free(t);
    apply_table_free(plain);
}

/* ---- merging ---- */

static struct merge_entry *only_entry(struct merge *m, const struct history *h,
                                      const struct apply_table *t, struct err *err)
{
    merge_reset(m);
    for (size_t at = 0; at < h->changes[0].len;) {
        if (merge_add(m, t, h->changes[0].str + at, err))
            return NULL;
        at += apply_head(h->changes[0].str + at).size;
    }
    return m->count == 1 ? &m->entry[0] : NULL;
}

static void merges_a_row_s_changes_into_one(void **state)
{
    struct apply_table *t = model_table(0);
    struct history *h = xcalloc(1, sizeof *h);
    const struct mrow one = {"a", 1, 1}, two = {"a", 2, 2};
    struct merge m = {0};
    struct err err = ERR_INIT;
    const struct merge_entry *e;

    (void)state;
    history_add(h, 0, t, APPLY_EXACT, NULL, &one);
    history_add(h, 0, t, APPLY_EXACT, &one, &two);
    e = only_entry(&m, h, t, &err);
    assert_true(e && !e->was && e->image);
    history_add(h, 0, t, APPLY_EXACT, &two, NULL);
    e = only_entry(&m, h, t, &err);
    assert_true(e && !e->was && !e->image); /* nothing is left */
    history_add(h, 0, t, APPLY_EXACT, &two, NULL);
    assert_null(only_entry(&m, h, t, &err)); /* gone twice */
    assert_int_equal(err.code, ERR_FOLLOW_DRIFT);
    history_release(h);
    memset(h, 0, sizeof *h);
    history_add(h, 0, t, APPLY_IDEMPOTENT, NULL, &one);
    history_add(h, 0, t, APPLY_IDEMPOTENT, &one, NULL);
    e = only_entry(&m, h, t, &err);
    assert_true(e && e->loose && !e->image); /* may be there from before */
    history_release(h);
    merge_release(&m);
    free(h);
    apply_table_free(t);
}

static void refuses_an_image_that_is_not_whole(void **state)
{
    static const uint8_t all[1] = {7}, part[1] = {5};
    struct apply_table *t = model_table(0);
    const struct mrow one = {"a", 1, 1};
    struct strbuf out = {0};
    struct image im;
    struct row_change c = {.kind = ROW_INSERT, .before_has = all, .after_has = part};
    struct err err = ERR_INIT;

    (void)state;
    c.after = image_of(&im, &one);
    assert_int_equal(apply_pack(t, APPLY_EXACT, &c, &out, &err), ERR_BINLOG_UNSUPPORTED);
    c.after_has = all;
    c.after.count = 2;
    assert_int_equal(apply_pack(t, APPLY_EXACT, &c, &out, &err), ERR_BINLOG_SCHEMA);
    strbuf_release(&out);
    apply_table_free(t);
}

static void a_spilled_change_comes_back_whole(void **state)
{
    struct apply_table *t = model_table(0);
    struct history *h = xcalloc(1, sizeof *h);
    struct strbuf block = {0};
    struct spill *s = NULL;
    struct err err = ERR_INIT;
    uint64_t at = 0;
    unsigned blocks = 0;

    (void)state;
    for (int i = 0; i < 100; i++) {
        const struct mrow r = {"q", i, i};

        history_add(h, 0, t, APPLY_EXACT, NULL, &r);
    }
    assert_int_equal(spill_new(NULL, &s, &err), ERR_OK);
    assert_int_equal(spill_add(s, h->changes[0].str, 777, &err), ERR_OK);
    assert_int_equal(spill_add(s, h->changes[0].str + 777, h->changes[0].len - 777, &err), ERR_OK);
    do {
        assert_int_equal(spill_read(s, at, blocks == 0 ? 40 : 1000, &block, &err), ERR_OK);
        assert_memory_equal(strbuf_str(&block), h->changes[0].str + at, block.len);
        at += block.len;
        blocks++;
    } while (block.len > 0);
    assert_int_equal(at, h->changes[0].len);
    assert_true(blocks > 3);
    spill_free(s);
    strbuf_release(&block);
    history_release(h);
    free(h);
    apply_table_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_allowed_order_gives_the_serial_result),
        cmocka_unit_test(a_replay_over_several_snapshots_is_exact),
        cmocka_unit_test(folds_what_collations_call_equal),
        cmocka_unit_test(a_value_that_cannot_be_compared_meets_its_index_alone),
        cmocka_unit_test(children_meet_their_parent_and_not_each_other),
        cmocka_unit_test(a_foreign_key_gives_both_tables_a_key),
        cmocka_unit_test(merges_a_row_s_changes_into_one),
        cmocka_unit_test(refuses_an_image_that_is_not_whole),
        cmocka_unit_test(a_spilled_change_comes_back_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
