/* Where to cut a range in two: a key that exists, found by dives into the index.
 *
 * First the keys are looked up that stand a few rows from either end: whatever lies between them
 * leaves both sides something that is worth a file, and is a good cut. Between them a value half
 * way is guessed (middle.h), and the server is asked for the first key behind it: in its own order,
 * so the guess may be as wrong as it likes. A gap of any width, a skewed column or equal first
 * columns cost no more than that: what is rare is left behind at the ends. What cannot be guessed
 * is cut one file ahead, by counting rows in the index. */
#include "common/base/fault.h"
#include "common/base/log.h"
#include "dumper/middle.h"
#include "dumper/skip.h"

#include <stdlib.h>

#define SIDE_ROWS_MAX 5000 /* rows that are counted at either end */

struct dive {
    struct worker *w;
    const struct span *span;
    uint64_t side_rows;   /* that a side must have */
    struct bound low, up; /* the first and the last key that leave them */
    struct bound guess;
    struct bound found;
};

/* The first row of w->sql as a key; *none: there is no row. */
static enum err_code dive_query(struct dive *d, struct bound *key, bool *none, struct err *err)
{
    struct worker *w = d->w;
    struct result *r = NULL;
    struct row row;
    bool more = false;
    enum err_code rc = conn_query(w->conn, strbuf_str(&w->sql), w->sql.len, false, &r, err);

    if (!rc)
        rc = result_next(r, &row, &more, err);
    if (!rc && more)
        rc = table_sql_take_key(w->read, &row, true, key, err);
    *none = !more;
    result_free(r);
    return rc;
}

/* A key of (lo, hi]. */
static void dive_range_sql(struct dive *d, const struct bound *lo, const struct bound *hi,
                           bool down, uint64_t offset)
{
    const struct predicate list[] = {{KEY_GREATER, lo}, {KEY_LESS_EQUAL, hi}};

    table_sql_key(d->w->read, list, 2, down, offset, &d->w->sql);
}

/* "key >= low AND key <= up AND key >= guess", or "< guess" from its end. */
static void dive_guess_sql(struct dive *d, bool down)
{
    const struct predicate list[] = {{KEY_GREATER_EQUAL, &d->low},
                                     {KEY_LESS_EQUAL, &d->up},
                                     {down ? KEY_LESS : KEY_GREATER_EQUAL, &d->guess}};

    table_sql_key(d->w->read, list, 3, down, 0, &d->w->sql);
}

/* Both ends' columns up to the first that differs, and a value between there. */
static bool dive_guess(struct dive *d)
{
    const struct key *key = d->w->read->key;
    struct bound whole = d->low;
    struct strbuf mid = {0};
    unsigned part = bound_common(&d->low, &d->up);

    if (part == key->part_count ||
        !key_middle(&d->w->read->table->columns[key->parts[part].column],
                    (struct cell){d->low.cell[part], d->low.len[part]},
                    (struct cell){d->up.cell[part], d->up.len[part]}, &mid)) {
        strbuf_release(&mid);
        return false;
    }
    whole.count = part + 1;
    bound_copy(&d->guess, &whole);
    free(d->guess.cell[part]);
    d->guess.len[part] = mid.len;
    d->guess.cell[part] = strbuf_detach(&mid);
    return true;
}

/* The keys that have side_rows rows of the span up to them, and behind them. */
static enum err_code dive_ends(struct dive *d, bool *none, struct err *err)
{
    enum err_code rc;

    dive_range_sql(d, &d->span->lo, &d->span->hi, false, d->side_rows - 1);
    rc = dive_query(d, &d->low, none, err);
    if (rc || *none)
        return rc;
    dive_range_sql(d, &d->span->lo, &d->span->hi, true, d->side_rows);
    return dive_query(d, &d->up, none, err);
}

static enum err_code dive_between(struct dive *d, struct err *err)
{
    bool none = false;
    enum err_code rc;

    dive_guess_sql(d, false);
    rc = dive_query(d, &d->found, &none, err);
    if (rc || !none)
        return rc;
    /* no key is between the guess and the upper end, where one is: in the server's order it lies
     * elsewhere */
    dive_guess_sql(d, true);
    return dive_query(d, &d->found, &none, err);
}

/* Without d->found: there is no such key, or none was guessed. *none: of no use to go on. */
static enum err_code dive_by_value(struct dive *d, bool *none, struct err *err)
{
    enum err_code rc = dive_ends(d, none, err);

    if (rc || *none || !dive_guess(d))
        return rc;
    rc = dive_between(d, err);
    /* a guess that is no value of the type; a dive behind a lost snapshot would read another one */
    if (rc == ERR_SQL && conn_usable(d->w->conn) && dumper_snapshot_lives(d->w)) {
        log_event(LOG_DEBUG, "dump.split.guess", F_STR("message", err->msg));
        err_clear(err);
        rc = ERR_OK;
    }
    return rc;
}

/* One file ahead. */
static enum err_code dive_by_count(struct dive *d, uint64_t chunk_rows, struct err *err)
{
    struct bound key = {0};
    struct bound behind = {0};
    bool none = false;
    enum err_code rc;

    dive_range_sql(d, &d->span->lo, &d->span->hi, false, chunk_rows);
    rc = dive_query(d, &key, &none, err);
    if (!rc && !none) {
        dive_range_sql(d, &key, &d->span->hi, false, d->side_rows - 1);
        rc = dive_query(d, &behind, &none, err);
    }
    if (!rc && !none) {
        d->found = key;
        key = (struct bound){0};
    }
    bound_release(&key);
    bound_release(&behind);
    return rc;
}

/* The record comes first: from it on the span ends at the new one's begin. */
static enum err_code split_at(struct dump_run *run, struct span *s, struct bound *m,
                              struct err *err)
{
    struct ledger_table *l = s->table->ledger;
    struct record record = {
        .kind = RECORD_SPAN,
        .u.span = {.table = l->id, .parent = s->id, .epoch = run->epoch, .lo = *m}};
    struct bound lo = {0};
    struct span *upper;

    pthread_mutex_lock(&run->lock);
    record.u.span.span = l->next_span++;
    l->open_spans++;
    pthread_mutex_unlock(&run->lock);
    if (manifest_append(run->manifest, &record, err))
        return err->code;
    fault_point("dump.split");
    bound_copy(&lo, m);
    upper = span_new(s->table, record.u.span.span, &lo, &s->hi);
    s->hi = *m;
    *m = (struct bound){0};
    s->bytes_left /= 2;
    upper->bytes_left = s->bytes_left;
    s->full_seen = false; /* both are as good as unknown again */
    span_queue_push(run->queue, upper);
    return ERR_OK;
}

enum err_code dumper_split(struct worker *w, struct span *s, uint64_t chunk_rows, struct err *err)
{
    struct dive d = {.w = w, .span = s};
    bool none = false;
    enum err_code rc;

    d.side_rows = chunk_rows / 8 < SIDE_ROWS_MAX ? chunk_rows / 8 : SIDE_ROWS_MAX;
    if (!d.side_rows)
        d.side_rows = 1;
    rc = dive_by_value(&d, &none, err);
    if (!rc && !none && !d.found.count)
        rc = dive_by_count(&d, chunk_rows, err);
    if (!rc && d.found.count)
        rc = split_at(w->run, s, &d.found, err);
    else if (!rc)
        s->no_split = true;
    bound_release(&d.low);
    bound_release(&d.up);
    bound_release(&d.guess);
    bound_release(&d.found);
    return rc;
}
