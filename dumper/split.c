/* Where to cut a range in two: a key that exists, found by dives into the index.
 *
 * Between the keys at both ends a value half way is guessed (middle.h), and the server is asked for
 * the first key behind it: in its own order, so the guess may be as wrong as it likes. A side that
 * is too small to be worth a file becomes the new end, and the search goes on in the rest: so a gap
 * of any width, a skewed column or equal first columns cost a few dives. What cannot be guessed is
 * cut one file ahead, by counting rows in the index. */
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "dumper/middle.h"
#include "dumper/skip.h"

#include <stdlib.h>

#define TRIES 40
#define SIDE_ROWS_MAX 5000 /* rows that are counted to see that a side is not too small */

struct dive {
    struct worker *w;
    const struct span *span;
    uint64_t side_rows;   /* that a side must have */
    struct bound low, up; /* keys between which is searched */
    struct bound guess;   /* the last one */
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

/* The key at one end of the span, where that end is open. */
static enum err_code dive_end(struct dive *d, const struct bound *end, bool down, struct bound *key,
                              bool *none, struct err *err)
{
    *none = false;
    if (end->count) {
        bound_copy(key, end);
        return ERR_OK;
    }
    dive_range_sql(d, &d->span->lo, &d->span->hi, down, 0);
    return dive_query(d, key, none, err);
}

/* "key > low AND key < up AND key >= guess", or "< guess" from its end. */
static void dive_guess_sql(struct dive *d, bool down)
{
    const struct predicate list[] = {{KEY_GREATER, &d->low},
                                     {KEY_LESS, &d->up},
                                     {down ? KEY_LESS : KEY_GREATER_EQUAL, &d->guess}};

    table_sql_key(d->w->read, list, 3, down, 0, &d->w->sql);
}

/* Both ends' columns up to the first that differs, and a value between there. The same guess again
 * means that the server has another order than was thought: no more of them then. */
static bool dive_guess(struct dive *d)
{
    const struct key *key = d->w->read->key;
    struct bound whole = d->low;
    struct strbuf mid = {0};
    unsigned part = bound_common(&d->low, &d->up);
    bool again;

    if (part == key->part_count ||
        !key_middle(&d->w->read->table->columns[key->parts[part].column],
                    (struct cell){d->low.cell[part], d->low.len[part]},
                    (struct cell){d->up.cell[part], d->up.len[part]}, &mid)) {
        strbuf_release(&mid);
        return false;
    }
    again = d->guess.count == part + 1 && bound_common(&d->guess, &d->low) >= part &&
            d->guess.len[part] == mid.len &&
            memcmp(d->guess.cell[part], strbuf_str(&mid), mid.len) == 0;
    bound_release(&d->guess);
    whole.count = part + 1;
    bound_copy(&d->guess, &whole);
    free(d->guess.cell[part]);
    d->guess.len[part] = mid.len;
    d->guess.cell[part] = strbuf_detach(&mid);
    return !again;
}

/* Whether (lo, hi] has at least d->side_rows rows. */
static enum err_code dive_enough(struct dive *d, const struct bound *lo, const struct bound *hi,
                                 bool *enough, struct err *err)
{
    struct bound ignored = {0};
    bool none = false;
    enum err_code rc;

    dive_range_sql(d, lo, hi, false, d->side_rows - 1);
    rc = dive_query(d, &ignored, &none, err);
    *enough = !none;
    bound_release(&ignored);
    return rc;
}

/* The end of the search moves. */
static void dive_move(struct bound *end, struct bound *to)
{
    bound_release(end);
    *end = *to;
    *to = (struct bound){0};
}

enum dive_step { DIVE_AGAIN, DIVE_FOUND, DIVE_OVER };

/* One guess: found, or one end has come nearer. */
static enum err_code dive_try(struct dive *d, enum dive_step *step, struct err *err)
{
    struct bound key = {0};
    bool none = false;
    bool enough = false;
    enum err_code rc = ERR_OK;

    *step = DIVE_OVER;
    if (!dive_guess(d))
        return ERR_OK;
    dive_guess_sql(d, false);
    rc = dive_query(d, &key, &none, err);
    if (!rc && none) {
        dive_guess_sql(d, true);
        rc = dive_query(d, &key, &none, err);
        if (!rc && !none) {
            dive_move(&d->up, &key);
            *step = DIVE_AGAIN;
        }
        goto out;
    }
    if (!rc)
        rc = dive_enough(d, &d->span->lo, &key, &enough, err);
    if (!rc && !enough) {
        dive_move(&d->low, &key);
        *step = DIVE_AGAIN;
        goto out;
    }
    if (!rc)
        rc = dive_enough(d, &key, &d->span->hi, &enough, err);
    if (rc)
        goto out;
    dive_move(enough ? &d->found : &d->up, &key);
    *step = enough ? DIVE_FOUND : DIVE_AGAIN;
out:
    bound_release(&key);
    return rc;
}

static enum err_code dive_by_value(struct dive *d, struct err *err)
{
    enum dive_step step = DIVE_AGAIN;
    bool none = false;
    enum err_code rc = dive_end(d, &d->span->lo, false, &d->low, &none, err);

    if (!rc && !none)
        rc = dive_end(d, &d->span->hi, true, &d->up, &none, err);
    if (none)
        return rc;
    for (int i = 0; !rc && step == DIVE_AGAIN && i < TRIES; i++)
        rc = dive_try(d, &step, err);
    /* a guess that is no value of the type; a dive behind a lost snapshot would read another one */
    if (rc == ERR_SQL && conn_usable(d->w->conn) && dumper_snapshot_lives(d->w)) {
        log_event(LOG_DEBUG, "dump.split.guess", F_STR("message", err->msg));
        err_clear(err);
        rc = ERR_OK;
    }
    return rc;
}

static enum err_code dive_by_count(struct dive *d, uint64_t chunk_rows, struct err *err)
{
    struct bound key = {0};
    bool none = false;
    bool enough = false;
    enum err_code rc;

    dive_range_sql(d, &d->span->lo, &d->span->hi, false, chunk_rows);
    rc = dive_query(d, &key, &none, err);
    if (!rc && !none)
        rc = dive_enough(d, &key, &d->span->hi, &enough, err);
    if (!rc && enough)
        dive_move(&d->found, &key);
    bound_release(&key);
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
    enum err_code rc;

    d.side_rows = chunk_rows / 8 < SIDE_ROWS_MAX ? chunk_rows / 8 : SIDE_ROWS_MAX;
    if (!d.side_rows)
        d.side_rows = 1;
    rc = dive_by_value(&d, err);
    if (!rc && !d.found.count)
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
