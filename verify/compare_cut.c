/* Where a chunk ends: behind chunk_rows rows of the source, found by counting keys, or, as counting
 * takes a third of the time that summing takes, guessed.
 *
 * A key of one whole number is guessed: from the numbers that the next few rows span, as if the
 * rows behind them stood as closely, in one read of a few rows. Rows that stand closer further on
 * would make a chunk of any length: so the last rows before the guessed end are looked at, and if
 * they stand closer, the keys are counted after all. Any bound is right; only the size is at
 * stake. */
#include "verify/compare_inner.h"

#include "common/mysql/ident.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLE_PART 50 /* this part of a chunk's rows is looked at */
#define SAMPLE_ROWS_MIN 4
#define CLOSER 2 /* times the density that is still as guessed */

enum err_code range_key(struct compare_worker *w, const struct range *range, enum side s,
                        const struct nth *nth, struct bound *key, struct err *err)
{
    const struct pair *p = range->pair;
    const struct key *by = p->key[s];
    struct result *r = NULL;
    struct row row;
    bool more = false;
    unsigned fixed;
    enum err_code rc;

    strbuf_reset(&w->sql);
    strbuf_addf(&w->sql, "SELECT %s", p->bounds[s]);
    fixed = range_where(range, s, &w->sql);
    for (unsigned i = fixed; i < by->part_count; i++) {
        strbuf_addstr(&w->sql, i == fixed ? " ORDER BY " : ",");
        strbuf_add_ident(&w->sql, p->table[s]->columns[by->parts[i].column].name);
        strbuf_addstr(&w->sql, nth->down ? " DESC" : "");
    }
    strbuf_addf(&w->sql, " LIMIT 1 OFFSET %" PRIu64, nth->offset);
    rc = conn_query(w->conn[s], strbuf_str(&w->sql), w->sql.len, false, &r, err);
    if (!rc)
        rc = result_next(r, &row, &more, err);
    *key = (struct bound){0};
    if (!rc && more)
        bound_copy(key, &(struct bound){.cell = (char **)(uintptr_t)row.cell,
                                        .len = (unsigned long *)(uintptr_t)row.len,
                                        .count = by->part_count});
    result_free(r);
    return rc;
}

/* ---- whole numbers, counted from the least that the type can hold ---- */

#define SIGN_BIT (UINT64_C(1) << 63)

static bool pair_has_number(const struct pair *p)
{
    return p->key[SOURCE_SIDE]->part_count == 1 &&
           p->columns[p->key_columns[0]].family == FAMILY_INTEGER;
}

static uint64_t number_of(const struct pair *p, const struct bound *b)
{
    char text[32] = "";

    if (b->len[0] >= sizeof text)
        return 0; /* no number is so long */
    memcpy(text, b->cell[0], b->len[0]);
    if (p->columns[p->key_columns[0]].side[SOURCE_SIDE]->is_unsigned)
        return strtoull(text, NULL, 10);
    return (uint64_t)strtoll(text, NULL, 10) ^ SIGN_BIT;
}

static void number_bound(const struct pair *p, uint64_t number, struct bound *b)
{
    char text[32];
    char *cell[] = {text};
    unsigned long len;

    if (p->columns[p->key_columns[0]].side[SOURCE_SIDE]->is_unsigned)
        len = (unsigned long)snprintf(text, sizeof text, "%" PRIu64, number);
    else
        len = (unsigned long)snprintf(text, sizeof text, "%" PRId64, (int64_t)(number ^ SIGN_BIT));
    bound_copy(b, &(struct bound){.cell = cell, .len = &len, .count = 1});
}

/* The number of a row of the range; *none: there is no such row. */
static enum err_code number_nth(struct compare_worker *w, const struct range *range,
                                const struct nth *nth, uint64_t *number, bool *none,
                                struct err *err)
{
    struct bound key = {0};

    if (range_key(w, range, SOURCE_SIDE, nth, &key, err))
        return err->code;
    *none = !key.count;
    if (key.count)
        *number = number_of(range->pair, &key);
    bound_release(&key);
    return ERR_OK;
}

/* ---- the guess ---- */

struct guess {
    uint64_t sample; /* rows that were looked at behind `first` */
    uint64_t first;  /* where the chunk begins */
    uint64_t span;   /* numbers that the sample takes */
    uint64_t end;    /* the guess */
    bool none;       /* the sample is more than what is left */
    bool good;
};

static enum err_code guess_begin(struct compare_worker *w, const struct range *rest,
                                 const struct bound *lo, struct guess *g, struct err *err)
{
    const uint64_t rows = w->run->chunk_rows;
    uint64_t at = 0;

    if (lo->count)
        g->first = number_of(rest->pair, lo);
    else if (number_nth(w, rest, &(struct nth){0, false}, &g->first, &g->none, err))
        return err->code;
    if (g->none || number_nth(w, rest, &(struct nth){g->sample - 1, false}, &at, &g->none, err))
        return err->code;
    if (g->none || at <= g->first)
        return ERR_OK;
    g->span = at - g->first;
    g->good = g->span <= (UINT64_MAX - g->first) / (rows / g->sample + 1);
    g->end = g->first + g->span * (rows / g->sample);
    return ERR_OK;
}

/* Whether the last rows before the guess stand as its sample does. */
static enum err_code guess_prove(struct compare_worker *w, const struct bound *lo, struct guess *g,
                                 const struct pair *p, struct err *err)
{
    const uint64_t rows = g->sample / 4 ? g->sample / 4 : 1;
    struct bound end = {0};
    const struct predicate list[] = {{KEY_GREATER, lo}, {KEY_LESS_EQUAL, &end}};
    const struct range range = {p, list, 2};
    uint64_t last = 0;
    uint64_t before = 0;
    double expected;
    bool none = false;
    enum err_code rc;

    number_bound(p, g->end, &end);
    rc = number_nth(w, &range, &(struct nth){0, true}, &last, &none, err);
    if (!rc && !none)
        rc = number_nth(w, &range, &(struct nth){rows, true}, &before, &none, err);
    bound_release(&end);
    expected = (double)g->span / (double)g->sample * (double)rows;
    g->good = !none && (double)(last - before) * CLOSER >= expected;
    return rc;
}

static enum err_code cut_by_number(struct compare_worker *w, const struct range *rest,
                                   const struct bound *lo, struct guess *g, struct err *err)
{
    if (guess_begin(w, rest, lo, g, err) || !g->good)
        return err->code;
    return guess_prove(w, lo, g, rest->pair, err);
}

enum err_code chunk_cut(struct compare_worker *w, struct pair *p, const struct bound *lo,
                        struct bound *hi, struct err *err)
{
    const struct predicate behind = {KEY_GREATER, lo};
    const struct range rest = {p, &behind, 1};
    const uint64_t rows = w->run->chunk_rows;
    struct guess g = {.sample = rows / SAMPLE_PART};

    if (g.sample < SAMPLE_ROWS_MIN)
        g.sample = SAMPLE_ROWS_MIN;
    if (pair_has_number(p) && rows > g.sample && cut_by_number(w, &rest, lo, &g, err))
        return err->code;
    *hi = (struct bound){0};
    if (g.none)
        return ERR_OK; /* the last chunk */
    if (!g.good)
        return range_key(w, &rest, SOURCE_SIDE, &(struct nth){rows - 1, false}, hi, err);
    number_bound(p, g.end, hi);
    return ERR_OK;
}
