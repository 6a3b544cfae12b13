#include "follower/apply_write.h"

#include "common/base/bytes.h"
#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/schema/select.h"
#include "formats/row_codec.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#define INSERT_ROWS 1000
#define INSERT_BYTES ((size_t)256 << 10)
#define ERASE_ROWS 500
#define ER_DUP_ENTRY 1062
#define ER_DUP_ENTRY_NAMED 1586
#define KEY_TEXT_MAX 64
#define KEPT_BYTES ((size_t)2 << 20)

void writer_release(struct writer *w)
{
    strbuf_release(&w->sql);
    strbuf_release(&w->rows);
    free(w->sent);
    free(w->affected);
    free(w->cell);
    free(w->len);
}

static void buffer_reset(struct strbuf *sb)
{
    const size_t max = sb->max;

    if (sb->cap > KEPT_BYTES) { /* a large row has passed */
        strbuf_release(sb);
        *sb = (struct strbuf){.max = max};
    }
    strbuf_reset(sb);
}

void writer_reset(struct writer *w)
{
    buffer_reset(&w->sql);
    buffer_reset(&w->rows);
    w->count = 0;
    w->wrong = NULL;
}

struct strbuf *writer_begin(struct writer *w, enum write_expect expect, uint64_t rows)
{
    if (w->count == w->cap) {
        w->cap = w->cap ? 2 * w->cap : 16;
        w->sent = xreallocarray(w->sent, w->cap, sizeof *w->sent);
        w->affected = xreallocarray(w->affected, w->cap, sizeof *w->affected);
    }
    if (w->count > 0)
        strbuf_addch(&w->sql, ';');
    w->sent[w->count++] = (struct write_sent){.expect = expect, .rows = rows};
    return &w->sql;
}

/* ---- answers ---- */

static enum err_code drift(struct writer *w, const struct write_sent *s, const char *words,
                           struct err *err)
{
    const struct merge_entry *e = s->entry;
    struct strbuf key = {0};
    char said[512] = "";

    if (words)
        (void)snprintf(said, sizeof said, ": %s", words);
    if (!e || !w->careful)
        return err_set(err, ERR_FOLLOW_DRIFT, "a row is not as it was on the source%s", said);
    w->wrong = e;
    write_key_text(e, &key);
    (void)err_set(
        err, ERR_FOLLOW_DRIFT, "%s.%s %s %s%s", e->table->db, e->table->name, strbuf_str(&key),
        s->erase ? e->old ? "was changed on the source, and the target does not hold it as "
                            "it was before"
                          : "was changed on the source, and is not in the target"
                 : "was written on the source, and the target has a row with a key of it",
        said);
    strbuf_release(&key);
    return err->code;
}

enum err_code writer_answers(struct writer *w, struct err *err)
{
    for (unsigned i = 0; i < w->count; i++) {
        const struct write_sent *s = &w->sent[i];

        if (s->expect == WRITE_FENCE && w->affected[i] != 1)
            return err_set(err, ERR_FOLLOW_FENCED, "another process follows into this target now");
        if (s->expect == WRITE_ROWS && w->affected[i] != s->rows)
            return drift(w, s, NULL, err);
    }
    return ERR_OK;
}

enum err_code writer_flush(struct writer *w, struct err *err)
{
    unsigned done = 0;
    enum err_code rc;

    if (w->count == 0)
        return ERR_OK;
    rc = conn_exec_multi(w->conn, w->sql.str, w->sql.len, w->affected, w->count, &done, err);
    if (rc && done < w->count) {
        const struct write_sent *s = &w->sent[done];

        if (err->server_errno == ER_DUP_ENTRY || err->server_errno == ER_DUP_ENTRY_NAMED) {
            const struct err said = *err;

            rc = drift(w, s, said.msg, err);
        } else if (s->entry && !err_info(rc)->retryable) {
            if (w->careful)
                w->wrong = s->entry;
            rc = err_wrap(err, "%s.%s", s->entry->table->db, s->entry->table->name);
        }
    }
    if (!rc)
        rc = writer_answers(w, err);
    strbuf_reset(&w->sql);
    w->count = 0;
    return rc;
}

static enum err_code flush_if_full(struct writer *w, struct err *err)
{
    return w->careful || w->sql.len >= w->packet_bytes ? writer_flush(w, err) : ERR_OK;
}

/* ---- literals ---- */

static void bit_number(const char *cell, unsigned long len, struct strbuf *out)
{
    strbuf_addf(out, "%" PRIu64, bytes_be(cell, len <= 8 ? len : 8));
}

void write_equal_literal(const struct column *c, const char *cell, unsigned long len,
                         struct strbuf *out)
{
    if (c->type == TYPE_BIT)
        bit_number(cell, len, out);
    else if (c->type == TYPE_ENUM || c->type == TYPE_SET)
        strbuf_add_quoted(out, cell, len);
    else
        key_literal(c, cell, len, out);
}

void write_same_value(const struct column *c, const char *cell, unsigned long len,
                      struct strbuf *out)
{
    const enum cell_form form = column_form(c);

    if (!cell) {
        strbuf_add_ident(out, c->name);
        strbuf_addstr(out, " IS NULL");
        return;
    }
    if (c->type == TYPE_BIT) {
        strbuf_add_ident(out, c->name);
        strbuf_addstr(out, "+0<=>");
        bit_number(cell, len, out);
    } else if (c->type == TYPE_JSON) {
        strbuf_add_ident(out, c->name);
        strbuf_addstr(out, "<=>CAST(");
        strbuf_add_quoted(out, cell, len);
        strbuf_addstr(out, " AS JSON)");
    } else if (c->type == TYPE_GEOMETRY) {
        strbuf_addstr(out, "HEX(");
        strbuf_add_ident(out, c->name);
        strbuf_addstr(out, ")<=>HEX(");
        strbuf_add_hex_literal(out, cell, len);
        strbuf_addch(out, ')');
    } else if (form == CELL_TEXT && c->charset && c->type != TYPE_VECTOR) {
        strbuf_addstr(out, "CAST(CONVERT(");
        strbuf_add_ident(out, c->name);
        strbuf_addstr(out, " USING utf8mb4) AS BINARY)<=>");
        strbuf_add_hex_literal(out, cell, len);
    } else {
        strbuf_add_ident(out, c->name);
        strbuf_addstr(out, "<=>");
        write_equal_literal(c, cell, len, out);
    }
}

static void cells_read(struct writer *w, const char *packed, unsigned count)
{
    if (count > w->cells) {
        w->cell = xreallocarray(w->cell, count, sizeof *w->cell);
        w->len = xreallocarray(w->len, count, sizeof *w->len);
        w->cells = count;
    }
    (void)apply_cells(packed, count, w->cell, w->len);
}

struct row writer_row(struct writer *w, const char *packed, unsigned count)
{
    cells_read(w, packed, count);
    return (struct row){w->cell, w->len, count};
}

void write_key_text(const struct merge_entry *e, struct strbuf *out)
{
    const struct apply_table *t = e->table;
    const char **cell = xcalloc(t->key_count + 1, sizeof *cell);
    unsigned long *len = xcalloc(t->key_count + 1, sizeof *len);

    if (t->key)
        (void)apply_cells(e->key, t->key_count, cell, len);
    strbuf_addstr(out, t->key ? "(" : "(a table without a key");
    for (unsigned i = 0; t->key && i < t->key_count; i++) {
        strbuf_addf(out, "%s%s=", i ? "," : "", t->key[i].def->name);
        if (t->forms && column_form(t->key[i].def) == CELL_BYTES)
            strbuf_add_hex_literal(out, cell[i], len[i] < KEY_TEXT_MAX ? len[i] : KEY_TEXT_MAX);
        else if (t->key[i].def->type == TYPE_BIT)
            bit_number(cell[i], len[i], out);
        else if (column_form(t->key[i].def) == CELL_NUMBER)
            strbuf_add(out, cell[i], len[i]);
        else
            strbuf_add_quoted(out, cell[i], len[i] < KEY_TEXT_MAX ? len[i] : KEY_TEXT_MAX);
    }
    strbuf_addch(out, ')');
    free(cell);
    free(len);
}

/* ---- rows that go ---- */

void write_same_row(struct writer *w, const struct apply_table *t, const char *packed,
                    struct strbuf *out)
{
    cells_read(w, packed, t->column_count);
    for (unsigned i = 0; i < t->column_count; i++) {
        strbuf_addstr(out, i ? " AND " : "");
        write_same_value(t->columns[i].def, w->cell[i], w->len[i], out);
    }
}

void write_key_where(struct writer *w, const struct apply_table *t, const char *key,
                     struct strbuf *out)
{
    cells_read(w, key, t->key_count);
    for (unsigned i = 0; i < t->key_count; i++) {
        strbuf_addstr(out, i ? " AND " : "");
        strbuf_add_ident(out, t->key[i].def->name);
        strbuf_addch(out, '=');
        write_equal_literal(t->key[i].def, w->cell[i], w->len[i], out);
    }
}

static enum err_code erase_keyless(struct writer *w, const struct merge_entry *e, struct err *err)
{
    const struct apply_table *t = e->table;
    struct strbuf *sql = writer_begin(w, WRITE_ROWS, (uint64_t)e->need);

    w->sent[w->count - 1].entry = e;
    w->sent[w->count - 1].erase = true;
    strbuf_addstr(sql, t->erase);
    write_same_row(w, t, e->key, sql);
    strbuf_addf(sql, " LIMIT %" PRIu64, (uint64_t)e->need);
    return flush_if_full(w, err);
}

enum erasing {
    ERASE_WAS,    /* rows that are there */
    ERASE_LOOSE,  /* that may be there */
    ERASE_COMING, /* that come and go within the batch: not there, or somebody else wrote them */
};

static bool entry_goes(const struct merge_entry *e, enum erasing kind)
{
    switch (kind) {
    case ERASE_WAS:
        return !e->loose && e->was;
    case ERASE_LOOSE:
        return e->loose && !e->image;
    case ERASE_COMING:
        break;
    }
    return !e->loose && !e->was && !e->image;
}

/* Whether keys are compared by "k IN (1,2"; else by "(a=1 AND b=2) OR (a=3 AND b=4)": MariaDB scans
 * no index for "(a,b) IN". */
static bool erase_by_list(const struct apply_table *t, enum erasing kind)
{
    return t->key_count == 1 && !(kind == ERASE_WAS && t->whole_before);
}

static void erase_add(struct writer *w, const struct merge_entry *e, bool first, enum erasing kind,
                      struct strbuf *sql)
{
    const struct apply_table *t = e->table;

    if (erase_by_list(t, kind)) {
        cells_read(w, e->key, t->key_count);
        if (first) {
            strbuf_add_ident(sql, t->key[0].def->name);
            strbuf_addstr(sql, " IN (");
        } else {
            strbuf_addch(sql, ',');
        }
        write_equal_literal(t->key[0].def, w->cell[0], w->len[0], sql);
        return;
    }
    strbuf_addstr(sql, first ? "(" : " OR (");
    write_key_where(w, t, e->key, sql);
    if (kind == ERASE_WAS && e->old) {
        strbuf_addstr(sql, " AND ");
        write_same_row(w, t, e->old, sql);
    }
    strbuf_addch(sql, ')');
}

/* One statement of entries from `e` on; the first of them that is not in it is returned. */
static const struct merge_entry *erase_some(struct writer *w, const struct merge_entry *e,
                                            const struct merge_entry *end, enum erasing kind)
{
    const unsigned most = w->careful ? 1 : ERASE_ROWS;
    const struct apply_table *t = e->table;
    struct strbuf *sql = writer_begin(w, kind == ERASE_LOOSE ? WRITE_ANY : WRITE_ROWS, 0);
    const size_t start = sql->len;
    unsigned rows = 0;

    w->sent[w->count - 1].entry = e;
    w->sent[w->count - 1].erase = kind == ERASE_WAS;
    strbuf_addstr(sql, t->erase);
    for (; e < end && rows < most && (rows == 0 || sql->len - start < INSERT_BYTES); e++)
        if (entry_goes(e, kind))
            erase_add(w, e, rows++ == 0, kind, sql);
    if (erase_by_list(t, kind))
        strbuf_addch(sql, ')');
    w->sent[w->count - 1].rows = kind == ERASE_COMING ? 0 : rows;
    return e;
}

static enum err_code erase_keyed(struct writer *w, const struct merge_entry *from,
                                 const struct merge_entry *end, enum erasing kind, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (const struct merge_entry *e = from; !rc && e < end;) {
        if (!entry_goes(e, kind)) {
            e++;
            continue;
        }
        e = erase_some(w, e, end, kind);
        rc = flush_if_full(w, err);
    }
    return rc;
}

/* ---- rows that come ---- */

static int64_t entry_comes(const struct merge_entry *e, bool loose)
{
    if (!e->table->key)
        return loose ? 0 : e->more + e->need;
    return e->image && e->loose == loose;
}

struct inserting {
    struct strbuf *sql; /* NULL: no statement is open */
    size_t start;
    uint64_t rows;
};

static enum err_code insert_end(struct writer *w, struct inserting *in, struct err *err)
{
    if (!in->sql)
        return ERR_OK;
    w->sent[w->count - 1].rows = in->rows;
    in->sql = NULL;
    return flush_if_full(w, err);
}

static enum err_code insert_row(struct writer *w, struct inserting *in, const struct merge_entry *e,
                                struct err *err)
{
    const struct apply_table *t = e->table;
    struct row row;
    const bool loose = e->loose;

    if (!in->sql) {
        in->sql = writer_begin(w, loose ? WRITE_ANY : WRITE_ROWS, 0);
        in->start = in->sql->len;
        in->rows = 0;
        w->sent[w->count - 1].entry = e;
        strbuf_addstr(in->sql, loose ? t->replace : t->insert);
    } else {
        strbuf_addch(in->sql, ',');
    }
    row = writer_row(w, e->image, t->column_count);
    if (insert_values_row(&row, t->forms, in->sql, err))
        return err->code;
    in->rows++;
    if (w->careful || in->rows >= INSERT_ROWS || in->sql->len - in->start >= INSERT_BYTES)
        return insert_end(w, in, err);
    return ERR_OK;
}

static enum err_code insert_rows(struct writer *w, const struct merge_entry *from,
                                 const struct merge_entry *end, bool loose, struct err *err)
{
    struct inserting in = {0};
    enum err_code rc = ERR_OK;

    for (const struct merge_entry *e = from; !rc && e < end; e++)
        for (int64_t n = entry_comes(e, loose); !rc && n > 0; n--)
            rc = insert_row(w, &in, e, err);
    return rc ? rc : insert_end(w, &in, err);
}

/* ---- */

static enum err_code table_rows(struct writer *w, const struct merge_entry *from,
                                const struct merge_entry *end, struct err *err)
{
    enum err_code rc = ERR_OK;

    if (from->table->key) {
        rc = erase_keyed(w, from, end, ERASE_WAS, err);
        if (!rc)
            rc = erase_keyed(w, from, end, ERASE_LOOSE, err);
        if (!rc)
            rc = erase_keyed(w, from, end, ERASE_COMING, err);
    } else {
        for (const struct merge_entry *e = from; !rc && e < end; e++)
            if (e->need > 0)
                rc = erase_keyless(w, e, err);
    }
    if (!rc)
        rc = insert_rows(w, from, end, true, err);
    if (rc)
        return rc;
    return load_pays(w, from, end) ? load_rows(w, from, end, err)
                                   : insert_rows(w, from, end, false, err);
}

enum err_code writer_rows(struct writer *w, struct merge *m, struct err *err)
{
    enum err_code rc = ERR_OK;
    size_t from = 0;

    merge_sort(m);
    while (!rc && from < m->count) {
        size_t end = from + 1;

        while (end < m->count && m->entry[end].table == m->entry[from].table)
            end++;
        rc = table_rows(w, &m->entry[from], &m->entry[end], err);
        from = end;
    }
    return rc;
}
