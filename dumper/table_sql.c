#include "dumper/table_sql.h"

#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/schema/select.h"

#include <inttypes.h>
#include <stdint.h>
#include <string.h>

static char *table_sql_detach(struct arena *a, struct strbuf *sb)
{
    char *text = arena_memdup(a, strbuf_str(sb), sb->len);

    strbuf_release(sb);
    return text;
}

/* Names, forms and the select list; returns where each column's cell stands, UINT_MAX for none. */
static unsigned *table_sql_add_columns(struct table_sql *s, struct arena *a,
                                       const struct flavour *f, struct strbuf *list)
{
    const struct table *t = s->table;
    const char **names = arena_alloc(a, (t->column_count + 1) * sizeof(*names));
    enum cell_form *forms = arena_alloc(a, (t->column_count + 1) * sizeof(*forms));
    unsigned *cells = arena_alloc(a, (t->column_count + 1) * sizeof(*cells));
    unsigned n = 0;

    for (unsigned i = 0; i < t->column_count; i++) {
        const struct column *c = &t->columns[i];

        cells[i] = UINT32_MAX;
        s->visible += !c->invisible;
        if (!column_is_dumped(c))
            continue;
        if (n)
            strbuf_addch(list, ',');
        column_select_expr(c, f, list);
        names[n] = c->name;
        forms[n] = column_form(c);
        cells[i] = n++;
    }
    s->shape = (struct row_shape){.table = t->name, .columns = names, .forms = forms, .count = n};
    return cells;
}

#define KEY_PARTS_MAX 64 /* both servers stop at 16 or 32 */

/* Whether the cell of the data column is the one that a literal is made of. */
static bool table_sql_same_cell(const struct column *c, const struct flavour *f)
{
    struct strbuf data = {0};
    struct strbuf key = {0};
    bool same;

    column_select_expr(c, f, &data);
    key_select_expr(c, &key);
    same = strcmp(strbuf_str(&data), strbuf_str(&key)) == 0;
    strbuf_release(&data);
    strbuf_release(&key);
    return same;
}

static void table_sql_add_key(struct table_sql *s, struct arena *a, const struct flavour *f,
                              const unsigned *cells, struct strbuf *list)
{
    struct strbuf keys = {0};

    s->key_cell = arena_alloc(a, s->key->part_count * sizeof(*s->key_cell));
    for (unsigned i = 0; i < s->key->part_count; i++) {
        unsigned column = s->key->parts[i].column;
        const struct column *c = &s->table->columns[column];

        s->key_cell[i] = cells[column];
        if (cells[column] == UINT32_MAX || !table_sql_same_cell(c, f)) {
            strbuf_addch(list, ',');
            key_select_expr(c, list);
            s->key_cell[i] = s->selected++;
        }
        if (i)
            strbuf_addch(&keys, ',');
        key_select_expr(c, &keys);
    }
    s->key_columns = table_sql_detach(a, &keys);
}

struct table_sql *table_sql_new(struct arena *a, const struct table *t, const struct key *key,
                                const struct flavour *f)
{
    struct table_sql *s = arena_alloc(a, sizeof(*s));
    struct strbuf list = {0};
    struct strbuf from = {0};
    const unsigned *cells;

    *s = (struct table_sql){.table = t, .key = key};
    cells = table_sql_add_columns(s, a, f, &list);
    strbuf_addstr(&from, " FROM ");
    strbuf_add_table(&from, t->db, t->name);
    s->selected = s->shape.count;
    if (key) {
        table_sql_add_key(s, a, f, cells, &list);
        strbuf_addstr(&from, " FORCE INDEX (");
        strbuf_add_ident(&from, key->name);
        strbuf_addch(&from, ')');
    }
    s->columns = table_sql_detach(a, &list);
    s->from = table_sql_detach(a, &from);
    return s;
}

/* The user's condition, behind what stands from `before` on. */
static void table_sql_where(const struct table_sql *s, size_t before, struct strbuf *out)
{
    if (s->where)
        strbuf_addf(out, "%s (%s\n)", out->len > before ? " AND" : " WHERE", s->where);
}

/* The first rows are those of the best key, where there is one. */
static void table_sql_limit(const struct table_sql *s, struct strbuf *out)
{
    const struct key *key = table_best_key(s->table);

    for (unsigned i = 0; key && i < key->part_count; i++) {
        strbuf_addstr(out, i ? "," : " ORDER BY ");
        strbuf_add_ident(out, s->table->columns[key->parts[i].column].name);
    }
    strbuf_addf(out, " LIMIT %" PRIu64, s->limit);
}

/* By the key's columns from `first` on: the others have one value. */
static void table_sql_order(const struct table_sql *s, unsigned first, bool down,
                            struct strbuf *out)
{
    const char *before = " ORDER BY ";

    for (unsigned i = first; i < s->key->part_count; i++, before = ",") {
        strbuf_addstr(out, before);
        strbuf_add_ident(out, s->table->columns[s->key->parts[i].column].name);
        if (down)
            strbuf_addstr(out, " DESC");
    }
}

void table_sql_rows(const struct table_sql *s, const struct bound *lo, const struct bound *hi,
                    uint64_t limit, struct strbuf *out)
{
    const struct predicate range[] = {{KEY_GREATER, lo}, {KEY_LESS_EQUAL, hi}};
    unsigned fixed = 0;
    size_t before;

    strbuf_reset(out);
    strbuf_addstr(out, "SELECT /*!40001 SQL_NO_CACHE */ ");
    strbuf_addstr(out, s->columns);
    strbuf_addstr(out, s->from);
    before = out->len;
    if (s->key)
        fixed = predicate_where(s->table, s->key, range, 2, out);
    table_sql_where(s, before, out);
    if (s->key)
        table_sql_order(s, fixed, false, out);
    else if (s->limit)
        table_sql_limit(s, out);
    if (limit)
        strbuf_addf(out, " LIMIT %" PRIu64, limit);
}

void table_sql_probe(const struct table_sql *s, struct strbuf *out)
{
    strbuf_reset(out);
    strbuf_addstr(out, "SELECT ");
    strbuf_addstr(out, s->columns);
    strbuf_addch(out, ',');
    strbuf_add_ident(out, s->table->name);
    strbuf_addstr(out, ".*");
    strbuf_addstr(out, s->from);
    table_sql_where(s, out->len, out);
    strbuf_addstr(out, " LIMIT 0");
}

void table_sql_key(const struct table_sql *s, const struct predicate *list, unsigned count,
                   bool down, uint64_t offset, struct strbuf *out)
{
    strbuf_reset(out);
    strbuf_addstr(out, "SELECT ");
    strbuf_addstr(out, s->key_columns);
    strbuf_addstr(out, s->from);
    table_sql_order(s, predicate_where(s->table, s->key, list, count, out), down, out);
    strbuf_addstr(out, " LIMIT 1");
    if (offset)
        strbuf_addf(out, " OFFSET %" PRIu64, offset);
}

enum err_code table_sql_take_key(const struct table_sql *s, const struct row *row, bool key_row,
                                 struct bound *out, struct err *err)
{
    const char *cell[KEY_PARTS_MAX];
    unsigned long len[KEY_PARTS_MAX];

    for (unsigned i = 0; i < s->key->part_count; i++) {
        unsigned at = key_row ? i : s->key_cell[i];

        if (at >= row->count || !row->cell[at])
            return err_set(err, ERR_DUMP_TABLE, "key '%s' of '%s.%s' holds a NULL", s->key->name,
                           s->table->db, s->table->name);
        cell[i] = row->cell[at];
        len[i] = row->len[at];
    }
    bound_release(out);
    bound_copy(out, &(struct bound){
                        .cell = (char **)(uintptr_t)cell, .len = len, .count = s->key->part_count});
    return ERR_OK;
}
