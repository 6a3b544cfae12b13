/* A chunk of a table with a key: (lo, hi] on both sides, halved until few rows are left, which are
 * read and compared.
 *
 * Each server compares the bounds in its own order. Where the orders differ (collations, ENUMs) the
 * chunks of the two sides do not hold the same rows, and yet nothing is missed: whatever the order,
 * each row is behind the last bound, or not above some bound and above the one before, so it lies
 * in one chunk at least. Rows of chunks that differ are looked up by their key on both sides before
 * they are called different, so no false difference comes of it either; it only takes longer. */
#include "verify/compare_inner.h"

#include "common/base/mem.h"
#include "common/mysql/ident.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LEAF_ROWS 256 /* that are read rather than halved once more */

/* ---- rows by their key ---- */

struct leaf_row {
    struct bound key;   /* as `keys` gives it */
    struct strbuf name; /* the key in a form that is the same on both sides */
    uint64_t digest;
};
struct leaf {
    const struct range *range;
    struct leaf_row *rows[SIDES];
    size_t count[SIDES];
};

static void key_name(const struct pair *p, const struct row *row, struct strbuf *out)
{
    struct strbuf cell = {0};

    for (unsigned i = 0; i < p->key[SOURCE_SIDE]->part_count; i++) {
        strbuf_reset(&cell);
        cell_normal(p->columns[p->key_columns[i]].family, row->cell[i] ? row->cell[i] : "",
                    row->cell[i] ? row->len[i] : 0, &cell);
        strbuf_addf(out, "%zu:", cell.len);
        strbuf_add(out, strbuf_str(&cell), cell.len);
    }
    strbuf_release(&cell);
}

static enum err_code leaf_side(struct compare_worker *w, enum side s, void *ctx, struct err *err)
{
    struct leaf *leaf = ctx;
    const struct pair *p = leaf->range->pair;
    const unsigned parts = p->key[s]->part_count;
    struct strbuf sql = {0};
    struct result *r = NULL;
    size_t cap = 0;
    bool more = true;
    enum err_code rc;

    strbuf_addf(&sql, "SELECT %s", p->keys[s]);
    (void)range_where(leaf->range, s, &sql);
    rc = conn_query(w->conn[s], strbuf_str(&sql), sql.len, true, &r, err);
    while (!rc && more) {
        struct leaf_row *to;
        struct row row;

        rc = result_next(r, &row, &more, err);
        if (rc || !more)
            break;
        if (leaf->count[s] == cap) {
            cap = cap ? cap * 2 : LEAF_ROWS;
            leaf->rows[s] = xreallocarray(leaf->rows[s], cap, sizeof *leaf->rows[s]);
        }
        to = &leaf->rows[s][leaf->count[s]++];
        *to = (struct leaf_row){.digest = row_digest(p, &row, parts)};
        bound_copy(&to->key, &(struct bound){.cell = (char **)(uintptr_t)row.cell,
                                             .len = (unsigned long *)(uintptr_t)row.len,
                                             .count = parts});
        key_name(p, &row, &to->name);
    }
    result_free(r);
    strbuf_release(&sql);
    return rc;
}

static int leaf_compare(const void *a, const void *b)
{
    const struct leaf_row *x = a;
    const struct leaf_row *y = b;
    size_t len = x->name.len < y->name.len ? x->name.len : y->name.len;
    int order = memcmp(strbuf_str(&x->name), strbuf_str(&y->name), len);

    if (order)
        return order;
    return (x->name.len > y->name.len) - (x->name.len < y->name.len);
}

/* ---- one row ---- */

/* "k = value" in the column's own equality, so that the index serves it. */
static void lookup_part(const struct pair *p, enum side s, const struct bound *key, unsigned part,
                        struct strbuf *sql)
{
    const struct column *c = p->columns[p->key_columns[part]].side[s];

    if (c->type != TYPE_ENUM) {
        key_compare_expr(c, KEY_EQUAL, key->cell[part], key->len[part], sql);
        return;
    }
    strbuf_add_ident(sql, c->name); /* by label: the numbers may differ */
    strbuf_addch(sql, '=');
    strbuf_add_quoted(sql, key->cell[part], key->len[part]);
}

static void lookup_sql(const struct pair *p, enum side s, const struct bound *key,
                       struct strbuf *sql)
{
    strbuf_reset(sql);
    strbuf_addf(sql, "SELECT %s%s WHERE ", p->rows[s], p->from[s]);
    for (unsigned i = 0; i < key->count; i++) {
        if (i)
            strbuf_addstr(sql, " AND ");
        lookup_part(p, s, key, i, sql);
    }
}

/* The row's key is the wanted one byte for byte; the server's equality may be coarser. */
static bool lookup_is(const struct pair *p, const struct row *row, const struct bound *key)
{
    for (unsigned i = 0; i < key->count; i++) {
        const unsigned at = p->key_columns[i];

        if (!cells_equal(p->columns[at].family, row->cell[at], row->len[at], key->cell[i],
                         key->len[i]))
            return false;
    }
    return true;
}

struct lookup {
    struct result *result;
    struct row row;
    bool found;
};

static enum err_code lookup_run(struct compare_worker *w, const struct pair *p, enum side s,
                                const struct bound *key, struct lookup *l, struct err *err)
{
    bool more = true;
    enum err_code rc;

    lookup_sql(p, s, key, &w->sql);
    rc = conn_query(w->conn[s], strbuf_str(&w->sql), w->sql.len, false, &l->result, err);
    while (!rc && more && !l->found) {
        rc = result_next(l->result, &l->row, &more, err);
        l->found = !rc && more && lookup_is(p, &l->row, key);
    }
    return rc;
}

static bool rows_equal(const struct pair *p, const struct lookup got[SIDES])
{
    for (unsigned i = 0; i < p->column_count; i++)
        if (!cells_equal(p->columns[i].family, got[SOURCE_SIDE].row.cell[i],
                         got[SOURCE_SIDE].row.len[i], got[TARGET_SIDE].row.cell[i],
                         got[TARGET_SIDE].row.len[i]))
            return false;
    return true;
}

enum err_code row_resolve(struct compare_worker *w, struct pair *p, const struct bound *key,
                          bool report, bool *equal, struct err *err)
{
    struct lookup got[SIDES] = {{0}, {0}};
    struct difference d = {.pair = p, .kind = DIFFERENT_ROW, .copies = 1};
    enum err_code rc = lookup_run(w, p, SOURCE_SIDE, key, &got[SOURCE_SIDE], err);

    if (!rc)
        rc = lookup_run(w, p, TARGET_SIDE, key, &got[TARGET_SIDE], err);
    if (rc)
        goto out;
    for (int s = 0; s < SIDES; s++)
        d.row[s] = got[s].found ? &got[s].row : NULL;
    if (got[SOURCE_SIDE].found && got[TARGET_SIDE].found)
        *equal = rows_equal(p, got);
    else
        *equal = got[SOURCE_SIDE].found == got[TARGET_SIDE].found; /* gone on both */
    if (!d.row[TARGET_SIDE])
        d.kind = MISSING_ROW;
    else if (!d.row[SOURCE_SIDE])
        d.kind = EXTRA_ROW;
    if (!*equal && report)
        rc = report_row(w->run, &d, err);
out:
    result_free(got[SOURCE_SIDE].result);
    result_free(got[TARGET_SIDE].result);
    return rc;
}

/* A row that is no other one side's: kept to be looked at again, or reported at once. */
static enum err_code row_suspect(struct compare_worker *w, struct pair *p, const struct bound *key,
                                 struct err *err)
{
    struct compare *run = w->run;
    bool equal = false;
    enum err_code rc;

    rc = row_resolve(w, p, key, run->config->recheck == 0, &equal, err);
    pthread_mutex_lock(&run->lock);
    run->report->fetched += 2;
    if (!rc && !equal && run->config->recheck) {
        struct pending *add = xcalloc(1, sizeof *add);

        add->pair = p;
        bound_copy(&add->key, key);
        add->next = run->pending;
        run->pending = add;
        run->pending_count++;
    }
    pthread_mutex_unlock(&run->lock);
    return rc;
}

/* Which side's row comes first: below 0 the source's, 0 both. A side at its end comes last. */
static int leaf_order(const struct leaf *leaf, const size_t at[SIDES])
{
    if (at[TARGET_SIDE] == leaf->count[TARGET_SIDE])
        return -1;
    if (at[SOURCE_SIDE] == leaf->count[SOURCE_SIDE])
        return 1;
    return leaf_compare(&leaf->rows[SOURCE_SIDE][at[SOURCE_SIDE]],
                        &leaf->rows[TARGET_SIDE][at[TARGET_SIDE]]);
}

static enum err_code leaf_merge(struct compare_worker *w, struct pair *p, const struct leaf *leaf,
                                struct err *err)
{
    size_t at[SIDES] = {0, 0};
    enum err_code rc = ERR_OK;

    while (!rc && (at[SOURCE_SIDE] < leaf->count[SOURCE_SIDE] ||
                   at[TARGET_SIDE] < leaf->count[TARGET_SIDE])) {
        const int order = leaf_order(leaf, at);
        const enum side s = order > 0 ? TARGET_SIDE : SOURCE_SIDE;
        const struct leaf_row *row = &leaf->rows[s][at[s]];

        if (compare_stops(w->run))
            break;
        if (order || row->digest != leaf->rows[TARGET_SIDE][at[TARGET_SIDE]].digest)
            rc = row_suspect(w, p, &row->key, err);
        at[SOURCE_SIDE] += order <= 0;
        at[TARGET_SIDE] += order >= 0;
    }
    return rc;
}

static enum err_code leaf_run(struct compare_worker *w, struct pair *p, const struct range *range,
                              struct err *err)
{
    struct leaf leaf = {.range = range};
    enum err_code rc = both_sides(w, leaf_side, &leaf, err);

    for (int s = 0; !rc && s < SIDES; s++)
        if (leaf.count[s])
            qsort(leaf.rows[s], leaf.count[s], sizeof *leaf.rows[s], leaf_compare);
    pthread_mutex_lock(&w->run->lock);
    w->run->report->fetched += leaf.count[SOURCE_SIDE] + leaf.count[TARGET_SIDE];
    pthread_mutex_unlock(&w->run->lock);
    if (!rc)
        rc = leaf_merge(w, p, &leaf, err);
    for (int s = 0; s < SIDES; s++) {
        for (size_t i = 0; i < leaf.count[s]; i++) {
            bound_release(&leaf.rows[s][i].key);
            strbuf_release(&leaf.rows[s][i].name);
        }
        free(leaf.rows[s]);
    }
    return rc;
}

/* ---- halving ---- */

#define PART_BOUNDS 80 /* both ends of the chunk, and each halving of either side */

struct part { /* of a chunk, still to be looked at */
    struct predicate list[PART_BOUNDS];
    struct bound bounds[PART_BOUNDS];
    unsigned count;
    struct part *next;
};

static void part_add(struct part *p, enum key_order order, const struct bound *b)
{
    bound_copy(&p->bounds[p->count], b);
    p->list[p->count] = (struct predicate){order, &p->bounds[p->count]};
    p->count++;
}

/* The rows of `of` on one side of `middle`. Where the servers' orders differ all bounds stay: a
 * nearer one would not imply them, and the part could grow on the side that has another order. */
static void part_push(struct part **stack, const struct pair *pair, const struct part *of,
                      enum key_order order, const struct bound *middle)
{
    struct part *p = xcalloc(1, sizeof *p);

    for (unsigned i = 0; i < of->count; i++)
        if (!pair->ordered || of->list[i].order != order)
            part_add(p, of->list[i].order, &of->bounds[i]);
    part_add(p, order, middle);
    p->next = *stack;
    *stack = p;
}

static void part_free(struct part *p)
{
    for (unsigned i = 0; i < p->count; i++)
        bound_release(&p->bounds[i]);
    free(p);
}

/* `sums`: of this part. The larger side is halved, so that both sides come to their ends, whatever
 * their orders are. */
static enum err_code part_run(struct compare_worker *w, struct pair *p, const struct part *part,
                              struct part **stack, struct sum sums[SIDES], struct err *err)
{
    const struct range range = {p, part->list, part->count};
    struct bound middle = {0};
    enum side larger;
    enum err_code rc = range_sums(w, &range, sums, err);

    if (rc || sums_equal(sums))
        return rc;
    larger = sums[SOURCE_SIDE].rows >= sums[TARGET_SIDE].rows ? SOURCE_SIDE : TARGET_SIDE;
    if (sums[larger].rows > LEAF_ROWS && part->count < PART_BOUNDS)
        rc = range_key(w, &range, larger, &(struct nth){sums[larger].rows / 2 - 1, false}, &middle,
                       err);
    if (rc)
        return rc;
    if (!middle.count)
        return leaf_run(w, p, &range, err);
    part_push(stack, p, part, KEY_GREATER, &middle);
    part_push(stack, p, part, KEY_LESS_EQUAL, &middle);
    bound_release(&middle);
    return ERR_OK;
}

enum err_code chunk_sums(struct compare_worker *w, struct pair *p, const struct bound range[2],
                         struct chunk_end *end, struct err *err)
{
    const struct predicate list[] = {{KEY_GREATER, &range[0]}, {KEY_LESS_EQUAL, &range[1]}};
    const struct range all = {p, list, 2};

    if (range_sums(w, &all, end->sums, err))
        return err->code;
    end->equal = sums_equal(end->sums);
    return ERR_OK;
}

enum err_code chunk_compare(struct compare_worker *w, struct pair *p, const struct bound range[2],
                            struct chunk_end *end, struct err *err)
{
    struct part *stack = xcalloc(1, sizeof *stack);
    bool first = true;
    enum err_code rc = ERR_OK;

    *end = (struct chunk_end){0};
    part_add(stack, KEY_GREATER, &range[0]);
    part_add(stack, KEY_LESS_EQUAL, &range[1]);
    while (!rc && stack && !compare_stops(w->run)) {
        struct part *part = stack;
        struct sum sums[SIDES] = {{0}, {0}};

        stack = part->next;
        rc = part_run(w, p, part, &stack, sums, err);
        if (!rc && first) {
            memcpy(end->sums, sums, sizeof sums);
            end->equal = sums_equal(sums);
        }
        first = false;
        part_free(part);
    }
    while (stack) {
        struct part *part = stack;

        stack = part->next;
        part_free(part);
    }
    return rc;
}
