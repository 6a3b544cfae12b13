#include "common/target/follow_live.h"

#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/target/target_inner.h"

#include <inttypes.h>
#include <stdlib.h>

#define ROWS_A_STATEMENT 200
#define NOTE_MAX 500

static char *cell(const struct row *row, unsigned i)
{
    return i < row->count && row->cell[i] ? xstrndup(row->cell[i], row->len[i]) : xstrdup("");
}

static int64_t cell_signed(const struct row *row, unsigned i)
{
    char *text = cell(row, i);
    const int64_t value = strtoll(text, NULL, 10);

    free(text);
    return value;
}

static double cell_real(const struct row *row, unsigned i)
{
    char *text = cell(row, i);
    const double value = strtod(text, NULL);

    free(text);
    return value;
}

void follow_live_release(struct follow_live *l)
{
    free(l->read_file);
    free(l->kept_note);
    *l = (struct follow_live){0};
}

enum err_code follow_live_write(struct conn *c, const struct state *s, const struct follow_live *l,
                                struct err *err)
{
    const char *note = l->kept_note ? l->kept_note : "";
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "REPLACE INTO ");
    state_add_name(&sql, s, FOLLOW_LIVE_TABLE);
    strbuf_addf(&sql,
                " (job,lag_ms,txn_rate,row_rate,queued,queued_bytes,busy,read_pos,kept_s,read_file,"
                "kept_note) VALUES (%" PRIu64 ",%" PRId64 ",%.3f,%.3f,%" PRIu64 ",%" PRIu64
                ",%" PRIu64 ",%" PRIu64 ",%" PRId64 ",",
                s->job, l->lag_ms, l->txn_rate, l->row_rate, l->queued, l->queued_bytes, l->busy,
                l->read_pos, l->kept_s);
    strbuf_add_quotedz(&sql, l->read_file ? l->read_file : "");
    strbuf_addch(&sql, ',');
    strbuf_add_quoted(&sql, note, strnlen(note, NOTE_MAX));
    strbuf_addch(&sql, ')');
    rc = conn_exec(c, sql.str, sql.len, NULL, err);
    strbuf_release(&sql);
    return rc;
}

struct reader {
    struct follow_live *live;
    bool found;
};

static enum err_code live_row(void *ctx, const struct row *row, struct err *err)
{
    struct reader *r = ctx;
    struct follow_live *l = r->live;
    struct follow_live n = {.lag_ms = FOLLOW_LAG_UNKNOWN};

    if (state_cell_u64(row, 3, &n.queued, err) || state_cell_u64(row, 4, &n.queued_bytes, err) ||
        state_cell_u64(row, 5, &n.busy, err) || state_cell_u64(row, 7, &n.read_pos, err))
        return err->code;
    follow_live_release(l);
    *l = n;
    l->lag_ms = cell_signed(row, 0);
    l->txn_rate = cell_real(row, 1);
    l->row_rate = cell_real(row, 2);
    l->read_file = cell(row, 6);
    l->kept_s = cell_signed(row, 8);
    l->kept_note = cell(row, 9);
    r->found = true;
    return ERR_OK;
}

static enum err_code table_there(struct conn *c, const struct state *s, const char *name,
                                 bool *there, struct err *err)
{
    struct strbuf sql = {0};
    char *one = NULL;
    enum err_code rc;

    strbuf_addf(&sql, "SELECT 1 FROM information_schema.tables WHERE table_name='%s'", name);
    strbuf_addstr(&sql, " AND table_schema=");
    strbuf_add_quotedz(&sql, s->schema);
    rc = conn_value(c, strbuf_str(&sql), &one, err);
    strbuf_release(&sql);
    *there = !rc && one;
    free(one);
    return rc;
}

enum err_code follow_live_read(struct conn *c, const struct state *s, bool *found,
                               struct follow_live *l, struct err *err)
{
    struct reader r = {.live = l};
    struct strbuf sql = {0};
    bool there = false;
    enum err_code rc = table_there(c, s, FOLLOW_LIVE_TABLE, &there, err);

    *l = (struct follow_live){.lag_ms = FOLLOW_LAG_UNKNOWN};
    strbuf_addstr(&sql, "SELECT lag_ms,txn_rate,row_rate,queued,queued_bytes,busy,read_file,"
                        "read_pos,kept_s,kept_note FROM ");
    state_add_name(&sql, s, FOLLOW_LIVE_TABLE);
    strbuf_addf(&sql, " WHERE job=%" PRIu64, s->job);
    if (!rc && there)
        rc = conn_rows(c, &sql, live_row, &r, err);
    strbuf_release(&sql);
    if (rc)
        follow_live_release(l);
    *found = r.found;
    return rc;
}

/* ---- counts ---- */

enum err_code follow_counts_add(struct conn *c, const struct state *s,
                                const struct follow_count *counts, size_t count, struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc = ERR_OK;

    for (size_t i = 0; !rc && i < count; i++) {
        if (sql.len == 0) {
            strbuf_addstr(&sql, "INSERT INTO ");
            state_add_name(&sql, s, FOLLOW_COUNT_TABLE);
            strbuf_addstr(&sql, " (job,inserts,updates,deletes,db,name) VALUES ");
        } else {
            strbuf_addch(&sql, ',');
        }
        strbuf_addf(&sql, "(%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",", s->job,
                    counts[i].inserts, counts[i].updates, counts[i].deletes);
        strbuf_add_quotedz(&sql, counts[i].db);
        strbuf_addch(&sql, ',');
        strbuf_add_quotedz(&sql, counts[i].name);
        strbuf_addch(&sql, ')');
        if (i + 1 == count || (i + 1) % ROWS_A_STATEMENT == 0) {
            strbuf_addstr(&sql, " ON DUPLICATE KEY UPDATE inserts=inserts+VALUES(inserts),"
                                "updates=updates+VALUES(updates),"
                                "deletes=deletes+VALUES(deletes)");
            rc = conn_exec(c, sql.str, sql.len, NULL, err);
            strbuf_reset(&sql);
        }
    }
    strbuf_release(&sql);
    return rc;
}

struct counts_reader {
    follow_count_fn *fn;
    void *ctx;
};

static enum err_code count_row(void *ctx, const struct row *row, struct err *err)
{
    const struct counts_reader *r = ctx;
    char *db = cell(row, 0);
    char *name = cell(row, 1);
    struct follow_count n = {.db = db, .name = name};
    enum err_code rc = state_cell_u64(row, 2, &n.inserts, err);

    if (!rc)
        rc = state_cell_u64(row, 3, &n.updates, err);
    if (!rc)
        rc = state_cell_u64(row, 4, &n.deletes, err);
    if (!rc)
        rc = r->fn(r->ctx, &n, err);
    free(db);
    free(name);
    return rc;
}

enum err_code follow_counts_read(struct conn *c, const struct state *s, follow_count_fn *fn,
                                 void *ctx, struct err *err)
{
    struct counts_reader r = {fn, ctx};
    struct strbuf sql = {0};
    bool there = false;
    enum err_code rc = table_there(c, s, FOLLOW_COUNT_TABLE, &there, err);

    strbuf_addstr(&sql, "SELECT db,name,inserts,updates,deletes FROM ");
    state_add_name(&sql, s, FOLLOW_COUNT_TABLE);
    strbuf_addf(&sql, " WHERE job=%" PRIu64 " ORDER BY db,name", s->job);
    if (!rc && there)
        rc = conn_rows(c, &sql, count_row, &r, err);
    strbuf_release(&sql);
    return rc;
}
