/* One change that may not fit the target's rows: tried, and put on record where it does not. */
#include "follower/apply_drift_inner.h"

#include "common/mysql/ident.h"
#include "common/schema/select.h"
#include "common/target/report.h"
#include "formats/row_codec.h"

#include <inttypes.h>
#include <stdlib.h>

#define ER_DUP_ENTRY 1062
#define ER_DUP_ENTRY_NAMED 1586

/* ---- parts of the packed change ---- */

static const char *change_key(const struct drifting *d)
{
    return d->change + sizeof d->h;
}

static const char *change_image(const struct drifting *d)
{
    return change_key(d) + d->h.before + d->h.after;
}

/* The whole row before the change; NULL: not kept. */
static const char *change_old(const struct drifting *d)
{
    if (!d->t->key)
        return change_key(d);
    return d->h.old ? change_image(d) + d->h.image : NULL;
}

/* ---- records ---- */

static void json_row(struct drifting *d, const char *packed, struct strbuf *out)
{
    const struct apply_table *t = d->t;
    const struct row row = writer_row(&d->w->writer, packed, t->column_count);
    const size_t limit = finding_value_limit(t->column_count);

    strbuf_reset(out);
    for (unsigned i = 0; i < t->column_count; i++) {
        const char *name = t->columns[i].def->name;

        strbuf_addch(out, i ? ',' : '{');
        finding_json_string(name, strlen(name), out);
        strbuf_addch(out, ':');
        finding_json_value(t->forms[i], row.cell[i], row.len[i], limit, out);
    }
    strbuf_addch(out, '}');
}

static void json_key_part(struct drift_work *work, const struct column *c, const char *cell,
                          size_t len)
{
    struct strbuf *out = &work->key_values;

    strbuf_addch(out, out->len > 0 ? ',' : '{');
    finding_json_string(c->name, strlen(c->name), out);
    strbuf_addch(out, ':');
    finding_json_value(column_form(c), cell, len, finding_value_limit(1), out);
}

/* The key by which the row before the change is found. */
static void json_key_before(struct drifting *d)
{
    const struct apply_table *t = d->t;
    struct row row;

    strbuf_reset(&d->w->drift.key_values);
    if (!t->key)
        return;
    row = writer_row(&d->w->writer, change_key(d), t->key_count);
    for (unsigned i = 0; i < t->key_count; i++)
        json_key_part(&d->w->drift, t->key[i].def, row.cell[i], row.len[i]);
    strbuf_addch(&d->w->drift.key_values, '}');
}

static enum err_code too_much(struct drifting *d, struct err *err)
{
    struct applier *a = d->w->a;
    bool over;

    pthread_mutex_lock(&a->lock);
    a->drift++;
    over = a->config.max_drift > 0 && a->drift > a->config.max_drift;
    pthread_mutex_unlock(&a->lock);
    d->w->drift.logged += d->done == DRIFT_LOGGED;
    d->w->drift.repaired += d->done == DRIFT_REPAIRED;
    if (over && d->done != DRIFT_STOPPED)
        return err_set(err, ERR_FOLLOW_DRIFT,
                       "%s.%s: more than %" PRIu64 " rows of the target are not as the source had "
                       "them",
                       d->t->db, d->t->name, a->config.max_drift);
    return ERR_OK;
}

/* `r` has its kind, and what is known of the target's row. Texts are in the worker's buffers. */
static enum err_code record_add(struct drifting *d, struct drift *r, struct err *err)
{
    struct drift_work *work = &d->w->drift;
    const char *old = d->h.kind == ROW_INSERT ? NULL : change_old(d);

    if (d->h.kind != ROW_DELETE)
        json_row(d, change_image(d), &work->incoming);
    if (old)
        json_row(d, old, &work->expected);
    strbuf_reset(&work->gtid);
    if (d->txn->gtid.kind != GTID_NONE)
        gtid_text(&d->txn->gtid, &work->gtid);
    r->file = d->txn->file;
    r->pos = d->txn->start;
    r->gtid = strbuf_str(&work->gtid);
    r->row = d->row;
    r->part = d->part++;
    r->made = d->h.kind == ROW_INSERT   ? DRIFT_INSERT
              : d->h.kind == ROW_UPDATE ? DRIFT_UPDATE
                                        : DRIFT_DELETE;
    if (r->done != DRIFT_REMOVED)
        r->done = d->done;
    d->w->drift.removed += r->done == DRIFT_REMOVED;
    r->db = d->t->db;
    r->table = d->t->name;
    r->key_values = work->key_values.len > 0 ? strbuf_str(&work->key_values) : NULL;
    r->incoming = d->h.kind != ROW_DELETE ? strbuf_str(&work->incoming) : NULL;
    r->expected = old ? strbuf_str(&work->expected) : NULL;
    drift_sql(&d->w->a->state, r, &work->records);
    return too_much(d, err);
}

/* ---- the target's row ---- */

struct found {
    struct drifting *d;
    unsigned rows;
    bool identical;
};

static enum err_code found_row(void *ctx, const struct row *row, struct err *err)
{
    struct found *f = ctx;
    const struct apply_table *t = f->d->t;
    struct drift_work *work = &f->d->w->drift;
    const size_t limit = finding_value_limit(t->column_count);

    (void)err;
    f->rows++;
    f->identical = true;
    strbuf_reset(&work->existing);
    strbuf_reset(&work->differs);
    for (unsigned i = 0; i < t->column_count; i++) {
        const unsigned same = t->column_count + i;
        const char *name = t->columns[i].def->name;

        strbuf_addch(&work->existing, i ? ',' : '{');
        finding_json_string(name, strlen(name), &work->existing);
        strbuf_addch(&work->existing, ':');
        finding_json_value(t->forms[i], row->cell[i], row->len[i], limit, &work->existing);
        if (row->cell[same] && row->len[same] == 1 && *row->cell[same] == '1')
            continue;
        f->identical = false;
        strbuf_addch(&work->differs, work->differs.len > 0 ? ',' : '[');
        finding_json_string(name, strlen(name), &work->differs);
    }
    strbuf_addch(&work->existing, '}');
    strbuf_addstr(&work->differs, work->differs.len > 0 ? "]" : "[]");
    return ERR_OK;
}

/* "SELECT its columns, whether each is as in the packed row FROM t WHERE " */
static void found_head(struct drifting *d, const char *packed)
{
    const struct apply_table *t = d->t;
    const struct row row = writer_row(&d->w->writer, packed, t->column_count);
    struct strbuf *sql = &d->w->drift.sql;

    strbuf_reset(sql);
    for (unsigned i = 0; i < t->column_count; i++) {
        strbuf_addstr(sql, i ? "," : "SELECT ");
        column_select_expr(t->columns[i].def, conn_flavour(d->w->conn), sql);
    }
    for (unsigned i = 0; i < t->column_count; i++) {
        strbuf_addch(sql, ',');
        write_same_value(t->columns[i].def, row.cell[i], row.len[i], sql);
    }
    strbuf_addstr(sql, " FROM ");
    strbuf_add_table(sql, t->db, t->name);
    strbuf_addstr(sql, " WHERE ");
}

static enum err_code found_run(struct drifting *d, struct found *f, struct err *err)
{
    *f = (struct found){.d = d};
    strbuf_addstr(&d->w->drift.sql, " FOR UPDATE");
    return conn_rows(d->w->conn, &d->w->drift.sql, found_row, f, err);
}

static enum err_code run_sql(struct drifting *d, uint64_t *affected, struct err *err)
{
    const struct strbuf *sql = &d->w->drift.sql;

    return conn_exec(d->w->conn, sql->str, sql->len, affected, err);
}

/* ---- the row before the change goes ---- */

static void erase_sql(struct drifting *d, bool whole)
{
    struct strbuf *sql = &d->w->drift.sql;

    strbuf_reset(sql);
    strbuf_addstr(sql, d->t->erase);
    if (!d->t->key) {
        write_same_row(&d->w->writer, d->t, change_key(d), sql);
        strbuf_addstr(sql, " LIMIT 1");
        return;
    }
    write_key_where(&d->w->writer, d->t, change_key(d), sql);
    if (whole) {
        strbuf_addstr(sql, " AND ");
        write_same_row(&d->w->writer, d->t, change_old(d), sql);
    }
}

/* It was not there, or, where that is looked at, was not the same. */
static enum err_code before_drifts(struct drifting *d, struct err *err)
{
    struct drift r = {.kind = DRIFT_MISSING, .key = d->t->key_name};
    struct found f = {0};

    if (d->t->key && d->h.old) {
        found_head(d, change_old(d));
        write_key_where(&d->w->writer, d->t, change_key(d), &d->w->drift.sql);
        if (found_run(d, &f, err))
            return err->code;
    }
    if (f.rows > 0) {
        r.kind = DRIFT_DIFFERS;
        r.existing = strbuf_str(&d->w->drift.existing);
        r.differs = strbuf_str(&d->w->drift.differs);
    }
    json_key_before(d);
    if (record_add(d, &r, err))
        return err->code;
    if (f.rows == 0 || d->done != DRIFT_REPAIRED)
        return ERR_OK;
    erase_sql(d, false);
    return run_sql(d, NULL, err);
}

static enum err_code before_goes(struct drifting *d, bool *fits, struct err *err)
{
    uint64_t affected = 0;

    erase_sql(d, d->t->key && d->h.old > 0);
    if (run_sql(d, &affected, err))
        return err->code;
    *fits = affected == 1;
    return *fits ? ERR_OK : before_drifts(d, err);
}

/* ---- the row behind the change comes ---- */

static enum err_code insert_after(struct drifting *d, bool *taken, struct err *err)
{
    struct strbuf *sql = &d->w->drift.sql;
    const struct row row = writer_row(&d->w->writer, change_image(d), d->t->column_count);

    *taken = false;
    strbuf_reset(sql);
    strbuf_addstr(sql, d->t->insert);
    if (insert_values_row(&row, d->t->forms, sql, err))
        return err->code;
    if (run_sql(d, NULL, err) && err->server_errno != ER_DUP_ENTRY &&
        err->server_errno != ER_DUP_ENTRY_NAMED)
        return err->code;
    *taken = err->code == ERR_OK;
    return ERR_OK; /* *err has the server's words if it is not taken */
}

/* "a=1 AND b=2" of the unique key, from the row that comes, and its values as JSON. false: they
 * meet no row, or the rows that they meet cannot be found by them. */
static bool index_where(struct drifting *d, const struct apply_index *x, struct strbuf *sql)
{
    const struct apply_table *t = d->t;
    const struct row row = writer_row(&d->w->writer, change_image(d), t->column_count);

    strbuf_reset(&d->w->drift.key_values);
    if (x->closed || !x->name)
        return false;
    for (unsigned i = 0; i < x->part_count; i++) {
        const struct column *def = x->parts[i].def;
        unsigned at = 0;

        while (at < t->column_count && t->columns[at].def != def)
            at++;
        if (x->parts[i].prefix || at == t->column_count || !row.cell[at])
            return false;
        strbuf_addstr(sql, i ? " AND " : "");
        strbuf_add_ident(sql, def->name);
        strbuf_addch(sql, '=');
        write_equal_literal(def, row.cell[at], row.len[at], sql);
        json_key_part(&d->w->drift, def, row.cell[at], row.len[at]);
    }
    strbuf_addch(&d->w->drift.key_values, '}');
    return x->part_count > 0;
}

/* Whether the change itself is of the row that this key finds. */
static bool own_key(const struct drifting *d, const struct apply_index *x)
{
    return d->t->key_name && x->name && strcmp(d->t->key_name, x->name) == 0;
}

/* Puts the row on record that has the unique key's value of the one that comes, and removes it
 * where that is to be. */
static enum err_code holder(struct drifting *d, const struct apply_index *x, unsigned *count,
                            struct err *err)
{
    struct strbuf *sql = &d->w->drift.sql;
    struct drift r = {.kind = DRIFT_THERE, .key = x->name};
    struct found f;

    found_head(d, change_image(d));
    if (!index_where(d, x, sql))
        return ERR_OK;
    if (found_run(d, &f, err) || f.rows == 0)
        return err->code;
    *count += 1;
    r.existing = strbuf_str(&d->w->drift.existing);
    r.differs = strbuf_str(&d->w->drift.differs);
    r.identical = f.identical;
    if (d->done == DRIFT_REPAIRED && !own_key(d, x))
        r.done = DRIFT_REMOVED;
    if (record_add(d, &r, err) || d->done != DRIFT_REPAIRED)
        return err->code;
    strbuf_reset(sql);
    strbuf_addstr(sql, d->t->erase);
    return index_where(d, x, sql) ? run_sql(d, NULL, err) : ERR_OK;
}

/* First by the change's own key: what others meet then is another row than the change's. */
static enum err_code holders(struct drifting *d, unsigned *count, struct err *err)
{
    for (int own = 1; own >= 0; own--)
        for (unsigned i = 0; i < d->t->index_count; i++) {
            const struct apply_index *x = &d->t->indexes[i];

            if (own_key(d, x) == (own == 1) && holder(d, x, count, err))
                return err->code;
        }
    return ERR_OK;
}

static enum err_code record_unknown(struct drifting *d, const char *words, struct err *err)
{
    char *key = refusal_key_of_message(words, d->t->name);
    struct drift r = {.kind = DRIFT_THERE, .key = key, .words = words};
    enum err_code rc;

    strbuf_reset(&d->w->drift.key_values);
    rc = record_add(d, &r, err);
    free(key);
    return rc;
}

static enum err_code after_comes(struct drifting *d, bool *fits, struct err *err)
{
    struct err said;
    unsigned there = 0;

    if (insert_after(d, fits, err) || *fits)
        return err->code;
    said = *err;
    err_clear(err);
    if (holders(d, &there, err))
        return err->code;
    if (d->done != DRIFT_REPAIRED)
        return there > 0 ? ERR_OK : record_unknown(d, said.msg, err);
    if (insert_after(d, fits, err) || *fits)
        return err->code;
    said = *err;
    err_clear(err);
    return err_set(err, ERR_FOLLOW_DRIFT,
                   "%s.%s: the row that is in the way of one of the source cannot be found by its "
                   "values, so that it could not be put on record: remove it: %.400s",
                   d->t->db, d->t->name, said.msg);
}

/* ---- one change ---- */

/* Nothing is known of the row before: nothing can be other than it was. */
static enum err_code change_loose(struct drifting *d, struct err *err)
{
    struct apply_worker *w = d->w;
    enum err_code rc;

    merge_reset(&w->merge);
    rc = merge_add(&w->merge, d->t, d->change, err);
    if (!rc)
        rc = writer_rows(&w->writer, &w->merge, err);
    return rc ? rc : writer_flush(&w->writer, err);
}

static enum err_code change_update(struct drifting *d, struct err *err)
{
    bool goes = false, comes = false;

    if (conn_execz(d->w->conn, "SAVEPOINT ferry_change", err) || before_goes(d, &goes, err))
        return err->code;
    if (!goes && d->done != DRIFT_REPAIRED)
        return ERR_OK;
    if (after_comes(d, &comes, err))
        return err->code;
    if (!comes) /* the row that was there stays */
        return conn_execz(d->w->conn, "ROLLBACK TO SAVEPOINT ferry_change", err);
    return ERR_OK;
}

enum err_code drift_change(struct drifting *d, struct err *err)
{
    const unsigned before = d->part;
    bool fits = false;
    enum err_code rc;

    if (d->h.mode == APPLY_IDEMPOTENT)
        rc = change_loose(d, err);
    else if (d->h.kind == ROW_INSERT)
        rc = after_comes(d, &fits, err);
    else if (d->h.kind == ROW_DELETE)
        rc = before_goes(d, &fits, err);
    else
        rc = change_update(d, err);
    if (!rc && d->done == DRIFT_STOPPED && d->part > before)
        rc = err_set(err, ERR_FOLLOW_DRIFT, "a row is not as it was on the source");
    return rc && rc != ERR_FOLLOW_DRIFT ? err_wrap(err, "%s.%s", d->t->db, d->t->name) : rc;
}
