#include "common/target/drift.h"

#include "common/mysql/ident.h"
#include "common/target/drift_words.h"
#include "common/target/target_inner.h"

#include <inttypes.h>
#include <stdlib.h>

#define ER_NO_SUCH_TABLE 1146

/* clang-format off */
static const struct state_made drift_tables[] = {
    {"drift",
     "job BIGINT UNSIGNED NOT NULL,"
     "file VARCHAR(512) NOT NULL,"
     "pos BIGINT UNSIGNED NOT NULL,"
     "gtid VARCHAR(128) NOT NULL,"
     "row_no BIGINT UNSIGNED NOT NULL,"
     "part INT UNSIGNED NOT NULL,"
     "kind VARCHAR(16) NOT NULL,"
     "made VARCHAR(16) NOT NULL,"
     "done VARCHAR(16) NOT NULL,"
     "db_name VARCHAR(64) NOT NULL,"
     "name VARCHAR(64) NOT NULL,"
     "key_name VARCHAR(64) NULL,"
     "key_values LONGTEXT NULL,"
     "incoming LONGTEXT NULL,"
     "existing LONGTEXT NULL,"
     "expected LONGTEXT NULL,"
     "identical TINYINT NOT NULL,"
     "differs LONGTEXT NULL,"
     "words TEXT NULL,"
     "at DATETIME NOT NULL,"
     "PRIMARY KEY (job, file, pos, gtid, row_no, part) /*T![clustered_index] CLUSTERED */"},
};
/* clang-format on */

enum { /* columns of the SELECT below */
       COL_FILE,
       COL_POS,
       COL_GTID,
       COL_ROW,
       COL_PART,
       COL_KIND,
       COL_MADE,
       COL_DONE,
       COL_DB,
       COL_NAME,
       COL_KEY,
       COL_VALUES,
       COL_INCOMING,
       COL_EXISTING,
       COL_EXPECTED,
       COL_IDENTICAL,
       COL_DIFFERS,
       COL_WORDS,
       COL_AT,
       COL_COUNT
};
#define DRIFT_COLUMNS                                                                              \
    "file,pos,gtid,row_no,part,kind,made,done,db_name,name,key_name,key_values,incoming,existing," \
    "expected,identical,differs,words"

enum err_code drift_create(struct conn *c, const struct state *s, struct err *err)
{
    return state_make_tables(c, s, drift_tables, 1, err);
}

static void add_text(struct strbuf *sql, const char *text)
{
    strbuf_addch(sql, ',');
    if (text)
        strbuf_add_quotedz(sql, text);
    else
        strbuf_addstr(sql, "NULL");
}

void drift_sql(const struct state *s, const struct drift *d, struct strbuf *sql)
{
    const char *const texts[] = {d->db,       d->table,    d->key,     d->key_values,
                                 d->incoming, d->existing, d->expected};

    if (sql->len == 0) {
        /* What stopped a run may be there from a try whose answer was lost. */
        strbuf_addstr(sql, d->done == DRIFT_STOPPED ? "REPLACE INTO " : "INSERT INTO ");
        state_add_name(sql, s, "drift");
        strbuf_addstr(sql, " (job," DRIFT_COLUMNS ",at) VALUES ");
    } else {
        strbuf_addch(sql, ',');
    }
    strbuf_addf(sql, "(%" PRIu64, s->job);
    add_text(sql, d->file);
    strbuf_addf(sql, ",%" PRIu64, d->pos);
    add_text(sql, d->gtid ? d->gtid : "");
    strbuf_addf(sql, ",%" PRIu64 ",%u,'%s','%s','%s'", d->row, d->part, drift_kind_words[d->kind],
                drift_made_words[d->made], drift_done_words[d->done]);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        add_text(sql, texts[i]);
    strbuf_addf(sql, ",%d", d->identical ? 1 : 0);
    add_text(sql, d->differs);
    add_text(sql, d->words);
    strbuf_addstr(sql, ",UTC_TIMESTAMP())");
}

enum err_code drift_forget(struct conn *c, const struct state *s, uint64_t *left, struct err *err)
{
    struct strbuf sql = {0};
    char *value = NULL;
    enum err_code rc;

    strbuf_addstr(&sql, "DELETE FROM ");
    state_add_name(&sql, s, "drift");
    strbuf_addf(&sql, " WHERE job=%" PRIu64 " AND done='stopped'", s->job);
    rc = conn_exec(c, sql.str, sql.len, NULL, err);
    strbuf_reset(&sql);
    strbuf_addstr(&sql, "SELECT COUNT(*) FROM ");
    state_add_name(&sql, s, "drift");
    strbuf_addf(&sql, " WHERE job=%" PRIu64, s->job);
    if (!rc)
        rc = conn_value(c, strbuf_str(&sql), &value, err);
    if (!rc)
        *left = value ? strtoull(value, NULL, 10) : 0;
    free(value);
    strbuf_release(&sql);
    return rc;
}

enum err_code drift_count(struct conn *c, const struct state *s, enum drift_done done,
                          uint64_t *count, struct err *err)
{
    struct strbuf sql = {0};
    char *value = NULL;
    enum err_code rc;

    strbuf_addstr(&sql, "SELECT COUNT(*) FROM ");
    state_add_name(&sql, s, "drift");
    strbuf_addf(&sql, " WHERE job=%" PRIu64 " AND done='%s'", s->job, drift_done_words[done]);
    rc = conn_value(c, strbuf_str(&sql), &value, err);
    strbuf_release(&sql);
    if (rc && err->server_errno == ER_NO_SUCH_TABLE) {
        err_clear(err);
        rc = ERR_OK;
    }
    *count = value ? strtoull(value, NULL, 10) : 0;
    free(value);
    return rc;
}

/* ---- reading ---- */

struct reading {
    drift_fn *fn;
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
    return err_set(err, ERR_LOAD_STATE, "a record of drift is not of a known form");
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

static enum err_code drift_row(void *ctx, const struct row *row, struct err *err)
{
    struct reading *g = ctx;
    struct drift d = {0};
    unsigned kind = 0, made = 0, done = 0;
    uint64_t part = 0, identical = 0;

    if (state_cell_u64(row, COL_POS, &d.pos, err) || state_cell_u64(row, COL_ROW, &d.row, err) ||
        state_cell_u64(row, COL_PART, &part, err) ||
        state_cell_u64(row, COL_IDENTICAL, &identical, err) ||
        word_find(drift_kind_words, DRIFT_KINDS, row, COL_KIND, &kind, err) ||
        word_find(drift_made_words, DRIFT_MADES, row, COL_MADE, &made, err) ||
        word_find(drift_done_words, DRIFT_DONES, row, COL_DONE, &done, err))
        return err->code;
    d.part = (unsigned)part;
    d.kind = (enum drift_kind)kind;
    d.made = (enum drift_made)made;
    d.done = (enum drift_done)done;
    d.identical = identical != 0;
    d.file = cell_text(g, row, COL_FILE);
    d.gtid = cell_text(g, row, COL_GTID);
    d.db = cell_text(g, row, COL_DB);
    d.table = cell_text(g, row, COL_NAME);
    d.key = cell_text(g, row, COL_KEY);
    d.key_values = cell_text(g, row, COL_VALUES);
    d.incoming = cell_text(g, row, COL_INCOMING);
    d.existing = cell_text(g, row, COL_EXISTING);
    d.expected = cell_text(g, row, COL_EXPECTED);
    d.differs = cell_text(g, row, COL_DIFFERS);
    d.words = cell_text(g, row, COL_WORDS);
    d.at = cell_text(g, row, COL_AT);
    return g->fn(g->ctx, &d, err);
}

enum err_code drift_each(struct conn *c, const struct state *s, drift_fn *fn, void *ctx,
                         struct err *err)
{
    struct reading g = {.fn = fn, .ctx = ctx};
    struct strbuf sql = {0};
    char *there = NULL;
    enum err_code rc;

    strbuf_addstr(&sql, "SELECT 1 FROM information_schema.tables WHERE table_name='drift' AND "
                        "table_schema=");
    strbuf_add_quotedz(&sql, s->schema);
    rc = conn_value(c, strbuf_str(&sql), &there, err);
    strbuf_reset(&sql);
    strbuf_addstr(&sql, "SELECT " DRIFT_COLUMNS ",DATE_FORMAT(at,'%Y-%m-%dT%H:%i:%sZ') FROM ");
    state_add_name(&sql, s, "drift");
    strbuf_addf(&sql, " WHERE job=%" PRIu64 " ORDER BY file,pos,gtid,row_no,part", s->job);
    if (!rc && there)
        rc = conn_rows(c, &sql, drift_row, &g, err);
    free(there);
    strbuf_release(&sql);
    for (unsigned i = 0; i < COL_COUNT; i++)
        strbuf_release(&g.text[i]);
    return rc;
}
