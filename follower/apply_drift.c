#include "follower/apply_drift.h"

#include "follower/apply_drift_inner.h"

#define PIECE_CHANGES 256
#define RECORDS_BYTES ((size_t)256 << 10)
#define BLOCK_BYTES ((size_t)256 << 10)

void drift_release(struct drift_work *d)
{
    struct strbuf *const all[] = {&d->sql,      &d->records,  &d->key_values, &d->incoming,
                                  &d->existing, &d->expected, &d->differs,    &d->gtid};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        strbuf_release(all[i]);
}

/* ---- pieces ---- */

/* The change at `at` is the next one. */
static void change_take(struct drifting *d, const struct strbuf *changes, size_t at)
{
    if (!d->u->spill && d->next_txn < d->u->txn_count && d->u->txns[d->next_txn].at <= at) {
        d->txn = &d->u->txns[d->next_txn++];
        d->row = 0;
    }
    d->row++;
    d->part = 0;
    d->change = changes->str + at;
    d->h = apply_head(d->change);
    d->t = d->w->a->tables[d->h.table];
}

static enum err_code records_write(struct drifting *d, struct err *err)
{
    struct strbuf *records = &d->w->drift.records;
    enum err_code rc = ERR_OK;

    if (records->len > 0)
        rc = conn_exec(d->w->conn, records->str, records->len, NULL, err);
    strbuf_reset(records);
    return rc;
}

/* All changes from `at` to `end` at once. *fits false: nothing of them is done. */
static enum err_code piece_write(struct drifting *d, const struct strbuf *changes, size_t at,
                                 size_t end, bool *fits, struct err *err)
{
    struct apply_worker *w = d->w;
    const bool load = w->writer.load;
    enum err_code rc = conn_execz(w->conn, "SAVEPOINT ferry_piece", err);

    if (rc)
        return rc;
    merge_reset(&w->merge);
    while (!rc && at < end) {
        const struct change_head h = apply_head(changes->str + at);

        rc = merge_add(&w->merge, w->a->tables[h.table], changes->str + at, err);
        at += h.size;
    }
    w->writer.careful = w->writer.load = false;
    if (!rc)
        rc = writer_rows(&w->writer, &w->merge, err);
    if (!rc)
        rc = writer_flush(&w->writer, err);
    w->writer.load = load;
    *fits = rc == ERR_OK;
    if (rc != ERR_FOLLOW_DRIFT)
        return rc;
    err_clear(err);
    writer_reset(&w->writer);
    return conn_execz(w->conn, "ROLLBACK TO SAVEPOINT ferry_piece", err);
}

static size_t piece_end(const struct strbuf *changes, size_t at)
{
    for (unsigned n = 0; n < PIECE_CHANGES && at < changes->len; n++)
        at += apply_head(changes->str + at).size;
    return at;
}

static enum err_code pieces_write(struct drifting *d, const struct strbuf *changes, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (size_t at = 0; !rc && at < changes->len;) {
        const size_t end = piece_end(changes, at);
        bool fits = false;

        rc = piece_write(d, changes, at, end, &fits, err);
        while (!rc && at < end) {
            change_take(d, changes, at);
            if (!fits)
                rc = drift_change(d, err);
            if (!rc && d->w->drift.records.len >= RECORDS_BYTES)
                rc = records_write(d, err);
            at += d->h.size;
        }
    }
    return rc;
}

static struct drifting drifting_new(struct apply_worker *w, const struct apply_unit *u,
                                    uint64_t before)
{
    return (struct drifting){.w = w, .u = u, .txn = &u->txns[0], .row = before};
}

enum err_code drift_changes(struct apply_worker *w, const struct apply_unit *u,
                            const struct strbuf *changes, uint64_t before, struct err *err)
{
    struct drifting d = drifting_new(w, u, before);
    enum err_code rc = writer_flush(&w->writer, err); /* the fence is first */

    d.done = w->a->config.on_drift == APPLY_DRIFT_REPAIR ? DRIFT_REPAIRED : DRIFT_LOGGED;
    strbuf_reset(&w->drift.records);
    if (!rc)
        rc = pieces_write(&d, changes, err);
    return rc ? rc : records_write(&d, err);
}

void drift_forgotten(struct apply_worker *w)
{
    struct applier *a = w->a;

    pthread_mutex_lock(&a->lock);
    a->drift -= w->drift.logged + w->drift.repaired;
    pthread_mutex_unlock(&a->lock);
    w->drift.logged = w->drift.repaired = w->drift.removed = 0;
}

void drift_kept(struct apply_worker *w)
{
    struct applier *a = w->a;

    pthread_mutex_lock(&a->lock);
    a->counts.drift_logged += w->drift.logged;
    a->counts.drift_repaired += w->drift.repaired;
    a->counts.drift_removed += w->drift.removed;
    pthread_mutex_unlock(&a->lock);
    w->drift.logged = w->drift.repaired = w->drift.removed = 0;
}

/* ---- what stops ---- */

/* Until the first change that does not fit: ERR_FOLLOW_DRIFT. */
static enum err_code stopped_look(struct drifting *d, struct err *err)
{
    struct apply_worker *w = d->w;
    uint64_t at = w->done_at;
    enum err_code rc = writer_flush(&w->writer, err);

    if (!rc && !d->u->spill)
        return pieces_write(d, &d->u->changes, err);
    while (!rc) {
        rc = spill_read(d->u->spill, at, BLOCK_BYTES, &w->block, err);
        if (rc || w->block.len == 0)
            break;
        at += w->block.len;
        rc = pieces_write(d, &w->block, err);
    }
    return rc;
}

enum err_code drift_stopped(struct apply_worker *w, const struct apply_unit *u, struct err *err)
{
    struct drifting d = drifting_new(w, u, u->spill ? w->done : 0);
    enum err_code rc = apply_connect(w, err);

    d.done = DRIFT_STOPPED;
    strbuf_reset(&w->drift.records);
    writer_reset(&w->writer);
    if (rc)
        return rc;
    unit_begin(w, UNIT_DRIFT);
    rc = stopped_look(&d, err);
    if (rc && rc != ERR_FOLLOW_DRIFT)
        return rc;
    err_clear(err);
    writer_reset(&w->writer);
    rc = conn_execz(w->conn, "ROLLBACK", err);
    if (!rc) {
        unit_begin(w, UNIT_DRIFT);
        rc = writer_flush(&w->writer, err);
    }
    if (!rc)
        rc = records_write(&d, err);
    return rc ? rc : conn_execz(w->conn, "COMMIT", err);
}
