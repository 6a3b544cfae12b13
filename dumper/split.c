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
#include "dumper/predicate.h"
#include "dumper/run.h"

#include <stdlib.h>

#define TRIES 40
#define SIDE_ROWS_MAX 5000 /* rows that are counted to see that a side is not too small */

struct dive {
    struct worker *w;
    const struct span *span;
    uint64_t side_rows;   /* that a side must have */
    struct bound low, up; /* keys between which is searched */
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

/* The key at one end of the span, where that end is open. */
static enum err_code dive_end(struct dive *d, const struct bound *end, bool down, struct bound *key,
                              bool *none, struct err *err)
{
    *none = false;
    if (end->count) {
        bound_copy(key, end);
        return ERR_OK;
    }
    table_sql_key(d->w->read, &d->span->lo, &d->span->hi, down, 0, &d->w->sql);
    return dive_query(d, key, none, err);
}

/* "key > low AND key < up AND key >= guess", or "< guess" from its end. */
static void dive_guess_sql(struct dive *d, const struct bound *guess, bool down)
{
    const struct table_sql *s = d->w->read;
    struct strbuf *out = &d->w->sql;

    strbuf_reset(out);
    strbuf_addstr(out, "SELECT ");
    strbuf_addstr(out, s->key_columns);
    strbuf_addstr(out, s->from);
    strbuf_addstr(out, " WHERE ");
    predicate_compare(s->table, s->key, KEY_GREATER, &d->low, out);
    strbuf_addstr(out, " AND ");
    predicate_compare(s->table, s->key, KEY_LESS, &d->up, out);
    strbuf_addstr(out, " AND ");
    predicate_compare(s->table, s->key, down ? KEY_LESS : KEY_GREATER_EQUAL, guess, out);
    strbuf_addstr(out, down ? s->order_down : s->order);
    strbuf_addstr(out, " LIMIT 1");
}

/* Both ends' columns up to the first that differs, and a value between there. */
static bool dive_guess(const struct dive *d, struct bound *guess)
{
    const struct key *key = d->w->read->key;
    struct strbuf mid = {0};
    unsigned part = 0;
    bool told;

    while (part < key->part_count && d->low.len[part] == d->up.len[part] &&
           memcmp(d->low.cell[part], d->up.cell[part], d->low.len[part]) == 0)
        part++;
    if (part == key->part_count)
        return false;
    told = key_middle(&d->w->read->table->columns[key->parts[part].column],
                      (struct cell){d->low.cell[part], d->low.len[part]},
                      (struct cell){d->up.cell[part], d->up.len[part]}, &mid);
    if (told) {
        struct bound whole = d->low;

        whole.count = part + 1;
        bound_copy(guess, &whole);
        free(guess->cell[part]);
        guess->len[part] = mid.len;
        guess->cell[part] = strbuf_detach(&mid);
    }
    strbuf_release(&mid);
    return told;
}

/* Whether (lo, hi] has at least d->side_rows rows. */
static enum err_code dive_enough(struct dive *d, const struct bound *lo, const struct bound *hi,
                                 bool *enough, struct err *err)
{
    struct bound ignored = {0};
    bool none = false;
    enum err_code rc;

    table_sql_key(d->w->read, lo, hi, false, d->side_rows - 1, &d->w->sql);
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
    struct bound guess = {0};
    struct bound key = {0};
    bool none = false;
    bool enough = false;
    enum err_code rc = ERR_OK;

    *step = DIVE_OVER;
    if (!dive_guess(d, &guess))
        return ERR_OK;
    dive_guess_sql(d, &guess, false);
    rc = dive_query(d, &key, &none, err);
    if (!rc && none) {
        dive_guess_sql(d, &guess, true);
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
    bound_release(&guess);
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
    if (rc == ERR_SQL && conn_usable(d->w->conn)) { /* a guess that is no value of the type */
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

    table_sql_key(d->w->read, &d->span->lo, &d->span->hi, false, chunk_rows, &d->w->sql);
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
    bound_release(&d.found);
    return rc;
}
