#include "common/target/finding.h"

#include "common/base/mem.h"
#include "common/target/finding_words.h"
#include "common/target/target_inner.h"

#include <inttypes.h>
#include <stdlib.h>

enum { /* columns of the SELECT below */
       COL_CHUNK,
       COL_ROW,
       COL_KEY_NO,
       COL_KIND,
       COL_DONE,
       COL_DB,
       COL_NAME,
       COL_KEY,
       COL_VALUES,
       COL_WHERE,
       COL_INCOMING,
       COL_EXISTING,
       COL_PARTS,
       COL_IDENTICAL,
       COL_DIFFERS,
       COL_WORDS,
       COL_FILE,
       COL_AT,
       COL_COUNT
};

struct reading {
    const struct finding_query *q;
    finding_fn *fn;
    void *ctx;
    struct strbuf text[COL_COUNT]; /* each cell, NUL-terminated */
};

static enum err_code word_find(const char *const *words, unsigned count, const struct row *row,
                               unsigned i, unsigned *out, struct err *err)
{
    for (unsigned k = 0; row->cell[i] && k < count; k++)
        if (row->len[i] == strlen(words[k]) && memcmp(row->cell[i], words[k], row->len[i]) == 0) {
            *out = k;
            return ERR_OK;
        }
    return err_set(err, ERR_LOAD_STATE, "a record of conflicts holds '%.*s'",
                   row->cell[i] ? (int)row->len[i] : 0, row->cell[i] ? row->cell[i] : "");
}

static enum err_code piece_row(void *ctx, const struct row *row, struct err *err)
{
    struct strbuf *existing = ctx;

    if (!row->cell[0])
        return err_set(err, ERR_LOAD_STATE, "a piece of a record is missing");
    if (strbuf_reserve(existing, row->len[0], err))
        return err->code;
    strbuf_add(existing, row->cell[0], row->len[0]);
    return ERR_OK;
}

static enum err_code read_pieces(const struct finding_query *q, const struct finding *r,
                                 struct strbuf *existing, struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "SELECT existing FROM ");
    state_add_name(&sql, q->state, "conflict_more");
    strbuf_addf(&sql,
                " WHERE job=%" PRIu64 " AND chunk=%" PRIu64 " AND row_no=%" PRIu64
                " AND key_no=%u ORDER BY part",
                q->state->job, r->chunk, r->row, r->key_no);
    rc = conn_rows(q->more, &sql, piece_row, existing, err);
    strbuf_release(&sql);
    return rc;
}

static const char *cell_text(struct reading *g, const struct row *row, unsigned i)
{
    strbuf_reset(&g->text[i]);
    if (!row->cell[i])
        return NULL;
    g->text[i].max = SIZE_MAX / 4;
    strbuf_add(&g->text[i], row->cell[i], row->len[i]);
    return strbuf_str(&g->text[i]);
}

static enum err_code finding_row(void *ctx, const struct row *row, struct err *err)
{
    struct reading *g = ctx;
    struct finding r = {0};
    unsigned kind = 0, done = 0;
    uint64_t key_no = 0, parts = 0, identical = 0;

    if (state_cell_u64(row, COL_CHUNK, &r.chunk, err) ||
        state_cell_u64(row, COL_ROW, &r.row, err) ||
        state_cell_u64(row, COL_KEY_NO, &key_no, err) ||
        state_cell_u64(row, COL_PARTS, &parts, err) ||
        state_cell_u64(row, COL_IDENTICAL, &identical, err) ||
        word_find(finding_kind_words, FINDING_KINDS, row, COL_KIND, &kind, err) ||
        word_find(finding_done_words, FINDING_DONES, row, COL_DONE, &done, err))
        return err->code;
    r.kind = (enum finding_kind)kind;
    r.done = (enum finding_done)done;
    r.key_no = (unsigned)key_no;
    r.identical = identical != 0;
    r.db = cell_text(g, row, COL_DB);
    r.table = cell_text(g, row, COL_NAME);
    r.key = cell_text(g, row, COL_KEY);
    r.key_values = cell_text(g, row, COL_VALUES);
    r.key_where = cell_text(g, row, COL_WHERE);
    r.incoming = cell_text(g, row, COL_INCOMING);
    r.existing = cell_text(g, row, COL_EXISTING);
    r.differs = cell_text(g, row, COL_DIFFERS);
    r.words = cell_text(g, row, COL_WORDS);
    r.file = cell_text(g, row, COL_FILE);
    r.at = cell_text(g, row, COL_AT);
    if (parts > 0 && read_pieces(g->q, &r, &g->text[COL_EXISTING], err))
        return err->code;
    if (r.existing) {
        r.existing = strbuf_str(&g->text[COL_EXISTING]);
        r.existing_len = g->text[COL_EXISTING].len;
    }
    return g->fn(g->ctx, &r, err);
}

enum err_code finding_each(const struct finding_query *q, finding_fn *fn, void *ctx,
                           struct err *err)
{
    struct reading g = {.q = q, .fn = fn, .ctx = ctx};
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql,
                  "SELECT chunk,row_no,key_no,kind,done,db_name,name,key_name,key_values,key_where,"
                  "incoming,existing,parts,identical,differs,words,file,"
                  "DATE_FORMAT(at,'%Y-%m-%dT%H:%i:%sZ') FROM ");
    state_add_name(&sql, q->state, "conflict");
    strbuf_addf(&sql, " WHERE job=%" PRIu64 "%s ORDER BY %s", q->state->job,
                q->replaced_only ? " AND done='replaced'" : "",
                q->order == FINDING_BACKWARDS ? "ord DESC,chunk DESC,row_no DESC,key_no DESC"
                                              : "chunk,row_no,key_no");
    rc = conn_rows(q->conn, &sql, finding_row, &g, err);
    strbuf_release(&sql);
    for (unsigned i = 0; i < COL_COUNT; i++)
        strbuf_release(&g.text[i]);
    return rc;
}

enum err_code finding_forget(struct conn *c, const struct state *s, bool all, struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "DELETE FROM ");
    state_add_name(&sql, s, "conflict_more");
    strbuf_addf(&sql,
                " WHERE job=%" PRIu64 " AND (chunk,row_no,key_no) IN (SELECT chunk,row_no,key_no "
                "FROM ",
                s->job);
    state_add_name(&sql, s, "conflict");
    strbuf_addf(&sql, " WHERE job=%" PRIu64 "%s)", s->job, all ? "" : " AND done='stopped'");
    rc = conn_exec(c, sql.str, sql.len, NULL, err);
    if (!rc) {
        strbuf_reset(&sql);
        strbuf_addstr(&sql, "DELETE FROM ");
        state_add_name(&sql, s, "conflict");
        strbuf_addf(&sql, " WHERE job=%" PRIu64 "%s", s->job, all ? "" : " AND done='stopped'");
        rc = conn_exec(c, sql.str, sql.len, NULL, err);
    }
    strbuf_release(&sql);
    return rc;
}

struct summing {
    finding_sum_fn *fn;
    void *ctx;
};

static enum err_code sum_row(void *ctx, const struct row *row, struct err *err)
{
    struct summing *g = ctx;
    struct finding_sum sum = {0};
    unsigned kind = 0, done = 0;
    char *db, *name;
    enum err_code rc;

    if (!row->cell[0] || !row->cell[1])
        return err_set(err, ERR_LOAD_STATE, "a record of conflicts names no table");
    if (word_find(finding_kind_words, FINDING_KINDS, row, 2, &kind, err) ||
        word_find(finding_done_words, FINDING_DONES, row, 3, &done, err) ||
        state_cell_u64(row, 4, &sum.count, err) || state_cell_u64(row, 5, &sum.identical, err))
        return err->code;
    db = xstrndup(row->cell[0], row->len[0]);
    name = xstrndup(row->cell[1], row->len[1]);
    sum.db = db;
    sum.table = name;
    sum.kind = (enum finding_kind)kind;
    sum.done = (enum finding_done)done;
    rc = g->fn(g->ctx, &sum, err);
    free(name);
    free(db);
    return rc;
}

enum err_code finding_sums(struct conn *c, const struct state *s, finding_sum_fn *fn, void *ctx,
                           struct err *err)
{
    struct summing g = {fn, ctx};
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "SELECT db_name,name,kind,done,COUNT(*),SUM(identical) FROM ");
    state_add_name(&sql, s, "conflict");
    strbuf_addf(&sql,
                " WHERE job=%" PRIu64 " GROUP BY db_name,name,kind,done ORDER BY db_name,name,"
                "kind,done",
                s->job);
    rc = conn_rows(c, &sql, sum_row, &g, err);
    strbuf_release(&sql);
    return rc;
}
