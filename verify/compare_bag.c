/* Tables without a key that both sides have: as multisets.
 *
 * One count and one sum of the rows' numbers a side; if these differ, the rows are divided into
 * parts by their number, counted and summed by the server, and only the parts that differ are read:
 * number and copies of each row, sorted here. Sums, not exclusive ors: rows come twice. */
#include "verify/compare_inner.h"

#include "common/base/clock.h"
#include "common/base/mem.h"

#include <inttypes.h>
#include <stdlib.h>

#define PART_ROWS 2000 /* of a part, about */
#define PARTS_MAX 65536
#define ENTRIES_MAX ((size_t)1 << 20) /* of a part in memory before equal ones are joined */

struct entry {
    uint64_t digest, hash, copies;
};
struct entries {
    struct entry *list;
    size_t count, cap;
};
struct bag {
    struct pair *pair;
    uint64_t parts; /* rows are divided by hash modulo this */
    struct sum *sums[SIDES];
    uint64_t part; /* the one that is read */
    struct entries entries[SIDES];
};

static enum err_code bag_rows(struct compare_worker *w, enum side s, const struct strbuf *sql,
                              enum err_code (*take)(struct bag *, enum side, const struct row *),
                              struct bag *bag, struct err *err)
{
    struct result *r = NULL;
    bool more = true;
    uint64_t count = 0;
    enum err_code rc = conn_query(w->conn[s], strbuf_str(sql), sql->len, true, &r, err);

    while (!rc && more) {
        struct row row;

        rc = result_next(r, &row, &more, err);
        if (!rc && more && take(bag, s, &row))
            rc = err_set(err, ERR_LIMIT, "too many different rows have one hash");
        if (!rc && ++count % 4096 == 0 && cancel_asked(w->run->cancel))
            rc = err_set(err, ERR_INTERRUPTED, "stopped");
    }
    result_free(r);
    return rc;
}

/* hash, count, sum modulo 2^64; or, where columns are fetched, one row. */
static enum err_code bag_take_sum(struct bag *bag, enum side s, const struct row *row)
{
    const uint64_t hash = row->cell[0] ? strtoull(row->cell[0], NULL, 10) : 0;
    struct sum *to = &bag->sums[s][hash % bag->parts];

    if (bag->pair->fetched) {
        to->rows++;
        to->digest += row_digest(bag->pair, row, 0);
        return ERR_OK;
    }
    to->rows += row->cell[1] ? strtoull(row->cell[1], NULL, 10) : 0;
    for (unsigned long i = 0; row->cell[2] && i < row->len[2]; i++)
        to->digest = to->digest * 10 + (uint64_t)(row->cell[2][i] - '0');
    return ERR_OK;
}

static enum err_code bag_sums_side(struct compare_worker *w, enum side s, void *ctx,
                                   struct err *err)
{
    struct bag *bag = ctx;
    const struct pair *p = bag->pair;
    struct strbuf sql = {0};
    enum err_code rc;

    if (p->fetched)
        strbuf_addf(&sql, "SELECT %s%s", p->digest[s], p->from[s]);
    else
        strbuf_addf(&sql,
                    "SELECT h%%%" PRIu64 " p,COUNT(*),SUM(h) FROM (SELECT %s h%s) x GROUP BY p",
                    bag->parts, p->hash[s], p->from[s]);
    rc = bag_rows(w, s, &sql, bag_take_sum, bag, err);
    strbuf_release(&sql);
    return rc;
}

static int entry_compare(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;

    return (x->digest > y->digest) - (x->digest < y->digest);
}

static void entries_join(struct entries *e)
{
    size_t to = 0;

    if (e->count)
        qsort(e->list, e->count, sizeof *e->list, entry_compare);
    for (size_t i = 0; i < e->count; i++) {
        if (to && e->list[to - 1].digest == e->list[i].digest)
            e->list[to - 1].copies += e->list[i].copies;
        else
            e->list[to++] = e->list[i];
    }
    e->count = to;
}

/* The digest's cells, then the number of copies where the server has counted them. */
static enum err_code bag_take_entry(struct bag *bag, enum side s, const struct row *row)
{
    struct entries *e = &bag->entries[s];
    struct entry *to;

    if (e->count >= ENTRIES_MAX) {
        entries_join(e);
        if (e->count >= ENTRIES_MAX / 2)
            return ERR_LIMIT;
    }
    if (e->count == e->cap) {
        e->cap = e->cap ? e->cap * 2 : 1024;
        e->list = xreallocarray(e->list, e->cap, sizeof *e->list);
    }
    to = &e->list[e->count++];
    to->hash = row->cell[0] ? strtoull(row->cell[0], NULL, 10) : 0;
    to->digest = row_digest(bag->pair, row, 0);
    to->copies = bag->pair->fetched ? 1 : strtoull(row->cell[1], NULL, 10);
    return ERR_OK;
}

static enum err_code bag_part_side(struct compare_worker *w, enum side s, void *ctx,
                                   struct err *err)
{
    struct bag *bag = ctx;
    const struct pair *p = bag->pair;
    struct strbuf sql = {0};
    enum err_code rc;

    bag->entries[s].count = 0;
    if (p->fetched)
        strbuf_addf(&sql, "SELECT %s%s WHERE %s%%%" PRIu64 "=%" PRIu64, p->digest[s], p->from[s],
                    p->hash[s], bag->parts, bag->part);
    else
        strbuf_addf(&sql,
                    "SELECT h,COUNT(*) FROM (SELECT %s h%s) x WHERE h%%%" PRIu64 "=%" PRIu64
                    " GROUP BY h",
                    p->hash[s], p->from[s], bag->parts, bag->part);
    rc = bag_rows(w, s, &sql, bag_take_entry, bag, err);
    strbuf_release(&sql);
    entries_join(&bag->entries[s]);
    return rc;
}

/* The whole row behind an entry, from the side that has more of it. */
static enum err_code bag_report(struct compare_worker *w, const struct pair *p, enum side s,
                                const struct entry *e, uint64_t copies, struct err *err)
{
    struct difference d = {
        .pair = p, .kind = s == SOURCE_SIDE ? MISSING_ROW : EXTRA_ROW, .copies = copies};
    struct result *r = NULL;
    struct row row;
    bool more = true;
    bool found = false;
    enum err_code rc;

    strbuf_reset(&w->sql);
    strbuf_addf(&w->sql, "SELECT %s,%s%s WHERE %s=%" PRIu64 "%s", p->rows[s], p->digest[s],
                p->from[s], p->hash[s], e->hash, p->fetched ? "" : " LIMIT 1");
    rc = conn_query(w->conn[s], strbuf_str(&w->sql), w->sql.len, true, &r, err);
    while (!rc && more && !found) {
        rc = result_next(r, &row, &more, err);
        found = !rc && more && row_digest(p, &row, p->column_count) == e->digest;
    }
    d.row[s] = &row;
    if (found)
        rc = report_row(w->run, &d, err);
    result_free(r);
    return rc;
}

static enum err_code bag_merge(struct compare_worker *w, struct bag *bag, struct err *err)
{
    const struct entries *a = &bag->entries[SOURCE_SIDE];
    const struct entries *b = &bag->entries[TARGET_SIDE];
    size_t i = 0;
    size_t k = 0;
    enum err_code rc = ERR_OK;

    while (!rc && (i < a->count || k < b->count) && !compare_stops(w->run)) {
        const struct entry *x = i < a->count ? &a->list[i] : NULL;
        const struct entry *y = k < b->count ? &b->list[k] : NULL;
        bool take_x = x && (!y || x->digest <= y->digest);
        bool take_y = y && (!x || y->digest <= x->digest);
        uint64_t n = take_x ? x->copies : 0;
        uint64_t m = take_y ? y->copies : 0;

        if (n > m)
            rc = bag_report(w, bag->pair, SOURCE_SIDE, x, n - m, err);
        else if (m > n)
            rc = bag_report(w, bag->pair, TARGET_SIDE, y, m - n, err);
        i += take_x;
        k += take_y;
    }
    pthread_mutex_lock(&w->run->lock);
    w->run->report->fetched += a->count + b->count;
    pthread_mutex_unlock(&w->run->lock);
    return rc;
}

static enum err_code bag_parts(struct compare_worker *w, struct pair *p,
                               const struct sum sums[SIDES], struct err *err)
{
    const uint64_t rows = sums[0].rows > sums[1].rows ? sums[0].rows : sums[1].rows;
    struct bag bag = {.pair = p, .parts = rows / PART_ROWS + 1};
    enum err_code rc;

    if (bag.parts > PARTS_MAX)
        bag.parts = PARTS_MAX;
    bag.sums[SOURCE_SIDE] = xcalloc(bag.parts, sizeof(struct sum));
    bag.sums[TARGET_SIDE] = xcalloc(bag.parts, sizeof(struct sum));
    rc = both_sides(w, bag_sums_side, &bag, err);
    for (; !rc && bag.part < bag.parts && !compare_stops(w->run); bag.part++) {
        const struct sum *a = &bag.sums[SOURCE_SIDE][bag.part];
        const struct sum *b = &bag.sums[TARGET_SIDE][bag.part];

        if (a->rows == b->rows && a->digest == b->digest)
            continue;
        rc = both_sides(w, bag_part_side, &bag, err);
        if (!rc)
            rc = bag_merge(w, &bag, err);
    }
    for (int s = 0; s < SIDES; s++) {
        free(bag.sums[s]);
        free(bag.entries[s].list);
    }
    return rc;
}

static enum err_code bag_look(struct compare_worker *w, struct pair *p, struct sum sums[SIDES],
                              struct err *err)
{
    const struct range all = {.pair = p};

    for (int s = 0; s < SIDES; s++)
        if (conn_execz(w->conn[s], "START TRANSACTION WITH CONSISTENT SNAPSHOT", err))
            return err->code;
    return range_sums(w, &all, sums, err);
}

enum err_code bag_compare(struct compare_worker *w, struct pair *p, struct chunk_end *end,
                          struct err *err)
{
    struct compare *run = w->run;
    enum err_code rc = ERR_OK;

    *end = (struct chunk_end){0};
    for (unsigned i = 0; !rc && !end->equal && i <= run->config->recheck; i++) {
        if (i && !clock_sleep(run->config->settle_us, run->cancel))
            return err_set(err, ERR_INTERRUPTED, "stopped");
        rc = bag_look(w, p, end->sums, err);
        end->equal = !rc && sums_equal(end->sums);
    }
    if (!rc && !end->equal)
        rc = bag_parts(w, p, end->sums, err);
    return rc;
}
