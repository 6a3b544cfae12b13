/* Rows that are in the way by a key over the beginning of a column: UNIQUE (name(10)).
 *
 * LEFT(name,10) = LEFT(incoming,10) says exactly which these are, but no server looks that up in
 * the key. Each can take LIKE 'beginning%' for a range of it. So the staged rows are gone through
 * in groups, with one such range each, and what lies in the ranges is compared by LEFT().
 *
 * LIKE compares letter by letter, the key by the collation as a whole. With most collations nothing
 * can be missed by that; where one letter equals several ('ss'), or a letter equals none at all, a
 * row may be. Then the server refuses the batch, and it is looked at again with
 * stage_join.whole (settle.c). A hit is never wrong. */
#include "loader/stage_inner.h"

#include "common/mysql/ident.h"

#include <stdlib.h>

/* Each range is compared with each row found by the statement, so more would cost more. */
#define GROUP_ROWS 64U

static const struct column *part_column(const struct worker *w, const struct key_part *part)
{
    return &w->table->target->columns[part->column];
}

/* Types whose values are found by a literal of their text, whatever the value is. */
static bool part_is_simple(const struct worker *w, const struct key_part *part)
{
    const struct column *c = part_column(w, part);

    switch (column_form(c)) {
    case CELL_NUMBER:
        return c->type != TYPE_FLOAT && c->type != TYPE_DOUBLE && c->type != TYPE_YEAR;
    case CELL_TEXT:
        return c->charset != NULL && c->type != TYPE_ENUM && c->type != TYPE_SET;
    case CELL_BYTES:
        return true;
    case CELL_BIT:
    case CELL_JSON:
        break;
    }
    return false;
}

bool stage_prefix_serves(const struct worker *w, const struct stage_join *join)
{
    return join->key->prefix && !join->whole && part_is_simple(w, join->key->key->parts);
}

/* ---- one row's range ---- */

/* Bytes of the first `chars` characters of a UTF-8 text; *seen: how many there are, at most that.
 */
static size_t chars_len(const char *text, size_t len, unsigned chars, unsigned *seen)
{
    size_t n = 0;

    for (*seen = 0; n < len && *seen < chars; ++*seen) {
        n++;
        while (n < len && ((unsigned char)text[n] & 0xc0) == 0x80)
            n++;
    }
    return n;
}

/* LIKE's own signs stand for themselves behind '|'. */
static void add_like(struct strbuf *sql, const char *text, size_t len, unsigned spaces)
{
    struct strbuf pattern = {0};

    for (size_t i = 0; i < len; i++) {
        if (text[i] == '%' || text[i] == '_' || text[i] == '|')
            strbuf_addch(&pattern, '|');
        strbuf_addch(&pattern, text[i]);
    }
    for (unsigned i = 0; i < spaces; i++)
        strbuf_addch(&pattern, ' ');
    strbuf_addch(&pattern, '%');
    strbuf_addstr(sql, " LIKE ");
    strbuf_add_quoted(sql, pattern.str, pattern.len);
    strbuf_addstr(sql, " ESCAPE '|'");
    strbuf_release(&pattern);
}

/* Trailing spaces may not count, so a beginning that ends with some, or is all of the value, is
 * looked for as a value too, and with spaces up to the prefix' length. */
static void add_text_prefix(struct strbuf *sql, const char *name, const char *text, size_t len,
                            unsigned chars)
{
    unsigned seen, rest;
    const size_t n = chars_len(text, len, chars, &seen);

    (void)chars_len(text, n > 0 && text[n - 1] == ' ' ? n - 1 : n, chars, &rest);
    if (rest == chars) {
        strbuf_addstr(sql, "t.");
        strbuf_add_ident(sql, name);
        add_like(sql, text, n, 0);
        return;
    }
    strbuf_addstr(sql, "(t.");
    strbuf_add_ident(sql, name);
    strbuf_addch(sql, '=');
    strbuf_add_quoted(sql, text, n);
    strbuf_addstr(sql, " OR t.");
    strbuf_add_ident(sql, name);
    add_like(sql, text, n, chars - seen);
    strbuf_addch(sql, ')');
}

/* From the bytes themselves up to the next ones of that length, if there are any. */
static void add_bytes_prefix(struct strbuf *sql, const char *name, const char *cell, size_t len,
                             unsigned bytes)
{
    struct strbuf next = {0};

    strbuf_addstr(sql, "(t.");
    strbuf_add_ident(sql, name);
    strbuf_addstr(sql, len < bytes ? "=" : ">=");
    strbuf_add_hex_literal(sql, cell, len < bytes ? len : bytes);
    if (len >= bytes) {
        strbuf_add(&next, cell, bytes);
        while (next.len > 0 && (unsigned char)next.str[next.len - 1] == 0xff)
            strbuf_setlen(&next, next.len - 1);
        if (next.len > 0) {
            next.str[next.len - 1] = (char)((unsigned char)next.str[next.len - 1] + 1);
            strbuf_addstr(sql, " AND t.");
            strbuf_add_ident(sql, name);
            strbuf_addch(sql, '<');
            strbuf_add_hex_literal(sql, next.str, next.len);
        }
    }
    strbuf_addch(sql, ')');
    strbuf_release(&next);
}

static void add_whole_part(struct strbuf *sql, const struct column *c, const char *cell, size_t len)
{
    strbuf_addstr(sql, "t.");
    strbuf_add_ident(sql, c->name);
    strbuf_addch(sql, '=');
    if (column_form(c) == CELL_NUMBER)
        strbuf_add(sql, cell, len);
    else if (column_form(c) == CELL_TEXT)
        strbuf_add_quoted(sql, cell, len);
    else
        strbuf_add_hex_literal(sql, cell, len);
}

/* "(t.`a`=1 AND t.`b` LIKE 'x%')", by as many parts as can be; the row's are not NULL. */
static void add_range(const struct worker *w, const struct key *key, const struct row *row,
                      struct strbuf *sql)
{
    strbuf_addch(sql, '(');
    for (unsigned i = 0; i < key->part_count && part_is_simple(w, &key->parts[i]); i++) {
        const struct key_part *part = &key->parts[i];
        const struct column *c = part_column(w, part);
        const int cell = w->table->cell_of[part->column];

        strbuf_addstr(sql, i ? " AND " : "");
        if (!part->prefix_len)
            add_whole_part(sql, c, row->cell[cell], row->len[cell]);
        else if (column_form(c) == CELL_TEXT)
            add_text_prefix(sql, c->name, row->cell[cell], row->len[cell], part->prefix_len);
        else
            add_bytes_prefix(sql, c->name, row->cell[cell], row->len[cell], part->prefix_len);
    }
    strbuf_addch(sql, ')');
}

/* ---- groups of rows ---- */

struct group {
    struct worker *w;
    const struct stage_join *join;
    struct batch_reader reader;
    struct strbuf numbers, ranges;
    const char *next; /* in join->rows; NULL: all rows */
    unsigned row;     /* the next one, where all are looked at */
};

static void group_init(struct group *g, struct worker *w, const struct stage_join *join)
{
    *g = (struct group){.w = w,
                        .join = join,
                        .numbers.max = SIZE_MAX / 4,
                        .ranges.max = SIZE_MAX / 4,
                        .next = join->rows};
    batch_reader_init(&g->reader, &w->batch, w->table->dump->shape.count);
}

static void group_release(struct group *g)
{
    batch_reader_release(&g->reader);
    strbuf_release(&g->numbers);
    strbuf_release(&g->ranges);
}

static bool next_row(struct group *g, unsigned *row)
{
    char *end = NULL;

    if (!g->next) {
        *row = g->row++;
        return *row < g->w->batch.rows;
    }
    *row = (unsigned)strtoul(g->next, &end, 10);
    if (end == g->next || *row >= g->w->batch.rows)
        return false;
    g->next = end + (*end == ',');
    return true;
}

static bool has_null(const struct worker *w, const struct key *key, const struct row *row)
{
    for (unsigned i = 0; i < key->part_count; i++)
        if (!row->cell[w->table->cell_of[key->parts[i].column]])
            return true;
    return false;
}

/* *more false: no row is left. */
static enum err_code group_next(struct group *g, bool *more, struct err *err)
{
    const struct key *key = g->join->key->key;
    unsigned rows = 0, i;

    strbuf_reset(&g->numbers);
    strbuf_reset(&g->ranges);
    while (rows < GROUP_ROWS && g->ranges.len < g->w->run->max_statement / 2 && next_row(g, &i)) {
        struct row row;

        if (batch_reader_row(&g->reader, i, &row, err))
            return err->code;
        if (has_null(g->w, key, &row))
            continue;
        strbuf_addf(&g->numbers, "%s%u", rows ? "," : "", i);
        strbuf_addstr(&g->ranges, rows ? " OR " : "");
        add_range(g->w, key, &row, &g->ranges);
        rows++;
    }
    *more = rows > 0;
    return ERR_OK;
}

/* Servers without statistics of the table would rather read all of it, so the key is named; one
 * that is invisible cannot be. */
static void group_add_join(const struct group *g)
{
    struct strbuf *sql = &g->w->sql;
    const struct key *key = g->join->key->key;

    strbuf_add_table(sql, g->w->table->target->db, g->w->table->target->name);
    strbuf_addstr(sql, " t");
    if (!key->invisible) {
        strbuf_addstr(sql, " FORCE INDEX (");
        strbuf_add_ident(sql, key->name);
        strbuf_addch(sql, ')');
    }
    strbuf_addstr(sql, " STRAIGHT_JOIN ");
    stage_add_name(sql, g->w->run);
    strbuf_addf(sql, " s ON %s WHERE s." STAGE_ROW_NUMBER " IN (%s) AND (", g->join->key->join,
                strbuf_str(&g->numbers));
    strbuf_add(sql, g->ranges.str, g->ranges.len);
    strbuf_addch(sql, ')');
}

enum err_code stage_prefix_hits(struct worker *w, const struct stage_join *join, stage_row_fn *fn,
                                void *ctx, struct err *err)
{
    struct group g;
    bool more = true;
    enum err_code rc;

    group_init(&g, w, join);
    rc = group_next(&g, &more, err);
    while (!rc && more) {
        strbuf_reset(&w->sql);
        strbuf_addstr(&w->sql, "SELECT ");
        stage_add_wanted(w, join);
        group_add_join(&g);
        strbuf_addstr(&w->sql, join->lock ? " FOR UPDATE" : "");
        rc = stage_query(w, fn, ctx, err);
        if (!rc)
            rc = group_next(&g, &more, err);
    }
    group_release(&g);
    return rc;
}

enum err_code stage_prefix_delete(struct worker *w, const struct stage_join *join,
                                  uint64_t *deleted, struct err *err)
{
    struct group g;
    bool more = true;
    enum err_code rc;

    *deleted = 0;
    group_init(&g, w, join);
    rc = group_next(&g, &more, err);
    while (!rc && more) {
        uint64_t n = 0;

        strbuf_reset(&w->sql);
        strbuf_addstr(&w->sql, "DELETE t FROM ");
        group_add_join(&g);
        rc = conn_exec(w->conn, w->sql.str, w->sql.len, &n, err);
        *deleted += n;
        if (!rc)
            rc = group_next(&g, &more, err);
    }
    group_release(&g);
    return rc;
}
