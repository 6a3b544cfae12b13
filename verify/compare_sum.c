/* Counting and summing a range on both servers at once. */
#include "verify/compare_inner.h"

#include <stdlib.h>

struct other_side {
    struct compare_worker *w;
    side_fn *fn;
    void *ctx;
    struct err err;
};

static void *other_side_main(void *arg)
{
    struct other_side *o = arg;

    conn_thread_init();
    if (o->fn(o->w, TARGET_SIDE, o->ctx, &o->err))
        o->err.code = o->err.code ? o->err.code : ERR_INTERNAL;
    conn_thread_end();
    return NULL;
}

enum err_code both_sides(struct compare_worker *w, side_fn *fn, void *ctx, struct err *err)
{
    struct other_side other = {.w = w, .fn = fn, .ctx = ctx, .err = ERR_INIT};
    pthread_t thread;
    enum err_code rc;
    int errnum = pthread_create(&thread, NULL, other_side_main, &other);

    if (errnum)
        return err_set_errno(err, ERR_NOMEM, errnum, "starting a thread");
    rc = fn(w, SOURCE_SIDE, ctx, err);
    (void)pthread_join(thread, NULL);
    if (rc)
        return err_wrap(err, "source");
    if (other.err.code) {
        *err = other.err;
        return err_wrap(err, "target");
    }
    return ERR_OK;
}

/* Decimal digits modulo 2^64: a sum may be longer than that. */
static uint64_t digits_value(const struct row *row, unsigned cell)
{
    uint64_t value = 0;

    for (unsigned long i = 0; row->cell[cell] && i < row->len[cell]; i++)
        if (row->cell[cell][i] >= '0' && row->cell[cell][i] <= '9')
            value = value * 10 + (uint64_t)(row->cell[cell][i] - '0');
    return value;
}

unsigned range_where(const struct range *r, enum side s, struct strbuf *sql)
{
    strbuf_addstr(sql, r->pair->from[s]);
    if (!r->pair->key[s])
        return 0;
    return predicate_where(r->pair->table[s], r->pair->key[s], r->list, r->count, sql);
}

struct range_job {
    const struct range *range;
    struct sum *sums;
};

/* The row's text may have outgrown the server's max_allowed_packet: it is NULL then, which would be
 * the same NULL for other rows. */
static enum err_code range_none_lost(struct conn *c, const struct range *r, enum side s,
                                     struct err *err)
{
    struct strbuf sql = {0};
    char *count = NULL;
    bool lost;
    enum err_code rc;

    strbuf_addstr(&sql, "SELECT COUNT(*)-COUNT(");
    strbuf_addstr(&sql, r->pair->hash[s]);
    strbuf_addch(&sql, ')');
    (void)range_where(r, s, &sql);
    rc = conn_value(c, strbuf_str(&sql), &count, err);
    strbuf_release(&sql);
    lost = !rc && count && strtoull(count, NULL, 10) > 0;
    free(count);
    if (lost)
        rc = err_set(err, ERR_LIMIT,
                     "'%s.%s' has rows whose text is longer than the server's "
                     "max_allowed_packet: set it higher",
                     r->pair->table[s]->db, r->pair->table[s]->name);
    return rc;
}

static enum err_code range_row(struct compare_worker *w, const struct range *r,
                               const struct row *row, struct sum *sum, struct err *err)
{
    if (!r->pair->fetched) {
        sum->rows = digits_value(row, 0);
        sum->digest = digits_value(row, 1);
        return ERR_OK;
    }
    sum->digest += row_digest(r->pair, row, 0);
    sum->rows++;
    if (sum->rows % 4096 == 0 && cancel_asked(w->run->cancel))
        return err_set(err, ERR_INTERRUPTED, "stopped");
    return ERR_OK;
}

static enum err_code range_side(struct compare_worker *w, enum side s, void *ctx, struct err *err)
{
    const struct range_job *job = ctx;
    const struct range *r = job->range;
    struct strbuf sql = {0};
    struct result *rows = NULL;
    struct sum sum = {0};
    bool more = true;
    enum err_code rc;

    if (r->pair->fetched)
        strbuf_addf(&sql, "SELECT %s", r->pair->digest[s]);
    else /* rows with a key are there once: nothing cancels out */
        strbuf_addf(&sql, "SELECT COUNT(*),%s(%s)", r->pair->key[s] ? "BIT_XOR" : "SUM",
                    r->pair->hash[s]);
    (void)range_where(r, s, &sql);
    rc = conn_query(w->conn[s], strbuf_str(&sql), sql.len, true, &rows, err);
    while (!rc && more) {
        struct row row;

        rc = result_next(rows, &row, &more, err);
        if (!rc && more)
            rc = range_row(w, r, &row, &sum, err);
    }
    result_free(rows);
    strbuf_release(&sql);
    if (!rc && conn_warnings(w->conn[s]))
        rc = range_none_lost(w->conn[s], r, s, err);
    if (!rc)
        job->sums[s] = sum;
    return rc;
}

enum err_code range_sums(struct compare_worker *w, const struct range *r, struct sum sums[SIDES],
                         struct err *err)
{
    struct range_job job = {r, sums};
    enum err_code rc = both_sides(w, range_side, &job, err);

    if (rc)
        return rc;
    if (r->pair->fetched) {
        pthread_mutex_lock(&w->run->lock);
        w->run->report->fetched += sums[SOURCE_SIDE].rows + sums[TARGET_SIDE].rows;
        pthread_mutex_unlock(&w->run->lock);
    }
    return ERR_OK;
}
