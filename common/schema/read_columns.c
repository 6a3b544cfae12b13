/* All columns of all tables: kept as lists while rows come in any order, then put in place. */
#include "common/schema/read_driver.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NO_COLUMN UINT32_MAX

/* A table's columns form a list, the last ordinal first, so that rows in order need no search. */
struct raw_column {
    uint32_t next;
    uint32_t ordinal;
    struct column column;
};

struct column_pile {
    struct raw_column *raw; /* heap */
    size_t count, cap;
    uint32_t *heads; /* a list for each table */
};

/* The columns of the query. */
enum column_cell {
    C_DB,
    C_TABLE,
    C_NAME,
    C_ORDINAL,
    C_DEFAULT,
    C_NULLABLE,
    C_TYPE,
    C_CHARSET,
    C_COLLATION,
    C_EXTRA,
    C_RIGHTS,
    C_ROW_TIME
};

/* "'it''s'" without its quotes and escapes. */
static void add_unquoted(struct strbuf *out, const char *text, size_t len)
{
    for (size_t i = 1; i + 1 < len; i++) {
        char ch = text[i];

        if (ch == '\\' && i + 2 < len) {
            ch = text[++i];
            if (ch == 'n')
                ch = '\n';
            else if (ch == 'r')
                ch = '\r';
        } else if (ch == '\'') {
            i++;
        }
        strbuf_addch(out, ch);
    }
}

/* MariaDB prints a literal as SQL and NULL as a word since 10.2.7; elsewhere text is bare. */
static const char *default_text(struct reader *r, const struct row *row)
{
    static const char now[] = "current_timestamp";
    const char *cell = row->cell[C_DEFAULT];
    size_t len = row->len[C_DEFAULT];
    struct strbuf out = {0};
    const char *text;

    if (!cell || !flavour_at_least(r->flavour, VENDOR_MARIADB, 100207))
        return reader_text(r, row, C_DEFAULT);
    if (reader_is(row, C_DEFAULT, "NULL"))
        return NULL;
    if (reader_is(row, C_DEFAULT, "current_timestamp()")) {
        strbuf_addstr(&out, "CURRENT_TIMESTAMP");
    } else if (len >= sizeof(now) && memcmp(cell, now, sizeof(now) - 1) == 0) {
        strbuf_addstr(&out, "CURRENT_TIMESTAMP"); /* and "(3)" */
        strbuf_add(&out, cell + sizeof(now) - 1, len - (sizeof(now) - 1));
    } else if (len >= 2 && cell[0] == '\'') {
        add_unquoted(&out, cell, len);
    } else {
        strbuf_add(&out, cell, len);
    }
    text = intern_add(&r->strings, strbuf_str(&out), out.len);
    strbuf_release(&out);
    return text;
}

static bool is_printed_escape(char ch)
{
    return ch == 'n' || ch == 'r' || ch == '0';
}

/* TiDB prints a backslash of a label as it is, the others doubled; but newline, carriage return and
 * NUL are \n, \r, \0 everywhere. */
static const char *type_text(struct reader *r, const struct row *row)
{
    const char *cell = row->cell[C_TYPE];
    size_t len = row->len[C_TYPE];
    struct strbuf text = {0};
    const char *interned;

    if (!cell)
        return "";
    if (r->flavour->vendor != VENDOR_TIDB || !memchr(cell, '\\', len))
        return reader_text(r, row, C_TYPE);
    for (size_t i = 0; i < len; i++) {
        strbuf_addch(&text, cell[i]);
        if (cell[i] == '\\' && !(i + 1 < len && is_printed_escape(cell[i + 1])))
            strbuf_addch(&text, '\\');
    }
    interned = intern_add(&r->strings, strbuf_str(&text), text.len);
    strbuf_release(&text);
    return interned;
}

static const char *lower_text(struct reader *r, const struct row *row, unsigned cell)
{
    size_t len = row->cell[cell] ? row->len[cell] : 0;
    char *copy = xmalloc(len);
    const char *text;

    for (size_t i = 0; i < len; i++) {
        char ch = row->cell[cell][i];

        copy[i] = (char)(ch >= 'A' && ch <= 'Z' ? ch - 'A' + 'a' : ch);
    }
    text = intern_add(&r->strings, copy, len);
    free(copy);
    return text;
}

/* "VIRTUAL GENERATED", "STORED GENERATED, INVISIBLE"; MariaDB before 10.2 "VIRTUAL" and
 * "PERSISTENT"; "DEFAULT_GENERATED" is another thing. */
static void read_extra(struct column *c, const char *extra)
{
    c->extra = extra;
    if (strstr(extra, "virtual"))
        c->generated = GENERATED_VIRTUAL;
    else if (strstr(extra, "stored generated") || strstr(extra, "persistent"))
        c->generated = GENERATED_STORED;
    c->auto_increment = strstr(extra, "auto_increment") != NULL;
    c->auto_random = strstr(extra, "auto_random") != NULL;
    c->invisible = strstr(extra, "invisible") != NULL;
}

static struct raw_column *pile_add(struct column_pile *pile, size_t table, uint32_t ordinal)
{
    uint32_t before = NO_COLUMN;
    uint32_t next = pile->heads[table];
    uint32_t at = (uint32_t)pile->count++;

    for (; next != NO_COLUMN && pile->raw[next].ordinal > ordinal; next = pile->raw[next].next)
        before = next;
    if (at == pile->cap) {
        pile->cap = pile->cap ? pile->cap * 2 : 1024;
        pile->raw = xreallocarray(pile->raw, pile->cap, sizeof(*pile->raw));
    }
    pile->raw[at] = (struct raw_column){.next = next, .ordinal = ordinal};
    if (before == NO_COLUMN)
        pile->heads[table] = at;
    else
        pile->raw[before].next = at;
    return &pile->raw[at];
}

/* "select,insert,update,references" */
static bool has_select(const struct row *row)
{
    static const char word[] = "select";

    return row->cell[C_RIGHTS] && row->len[C_RIGHTS] >= sizeof(word) - 1 &&
           strncasecmp(row->cell[C_RIGHTS], word, sizeof(word) - 1) == 0;
}

static enum err_code column_row(struct reader *r, const struct row *row, void *ctx, struct err *err)
{
    struct column_pile *pile = ctx;
    struct table *t = reader_table(r, row);
    struct column *c;

    if (!t)
        return ERR_OK;
    if (pile->count == NO_COLUMN - 1)
        return err_set(err, ERR_LIMIT, "more than %u columns", NO_COLUMN - 2);
    c = &pile_add(pile, (size_t)(t - r->schema->tables), (uint32_t)reader_number(row, C_ORDINAL))
             ->column;
    c->name = reader_text(r, row, C_NAME);
    c->type_text = type_text(r, row);
    column_parse_type(c->type_text, c);
    c->charset = reader_text(r, row, C_CHARSET);
    c->collation = reader_text(r, row, C_COLLATION);
    if (c->type == TYPE_VECTOR && r->flavour->vendor == VENDOR_TIDB)
        c->charset = "utf8mb4"; /* "[1,2]"; elsewhere bytes */
    c->default_text = default_text(r, row);
    c->nullable = reader_is(row, C_NULLABLE, "YES");
    read_extra(c, lower_text(r, row, C_EXTRA));
    c->readable = has_select(row);
    c->row_start_end = reader_number(row, C_ROW_TIME) != 0;
    t->column_count++;
    return ERR_OK;
}

static void pile_place(struct reader *r, const struct column_pile *pile)
{
    for (size_t i = 0; i < r->schema->table_count; i++) {
        struct table *t = &r->schema->tables[i];
        unsigned to = t->column_count;

        t->columns = arena_alloc(r->schema->arena, t->column_count * sizeof(*t->columns));
        for (uint32_t at = pile->heads[i]; at != NO_COLUMN; at = pile->raw[at].next)
            t->columns[--to] = pile->raw[at].column;
    }
}

enum err_code reader_columns(struct reader *r, struct err *err)
{
    struct column_pile pile = {0};
    struct strbuf sql = {0};
    enum err_code rc;

    pile.heads = xreallocarray(NULL, r->schema->table_count, sizeof(*pile.heads));
    for (size_t i = 0; i < r->schema->table_count; i++)
        pile.heads[i] = NO_COLUMN;
    strbuf_addstr(&sql,
                  "SELECT TABLE_SCHEMA AS d, TABLE_NAME AS t, COLUMN_NAME AS c,"
                  " ORDINAL_POSITION AS o, COLUMN_DEFAULT AS v, IS_NULLABLE AS n,"
                  " COLUMN_TYPE AS y, CHARACTER_SET_NAME AS s, COLLATION_NAME AS l, EXTRA AS e,"
                  " PRIVILEGES AS p,");
    strbuf_addstr(&sql, flavour_at_least(r->flavour, VENDOR_MARIADB, 100300)
                            ? " GENERATION_EXPRESSION IN ('ROW START','ROW END') AS r"
                            : " 0 AS r");
    strbuf_addstr(&sql, " FROM information_schema.COLUMNS");
    rc = reader_each(r, strbuf_str(&sql), column_row, &pile, err);
    if (!rc)
        pile_place(r, &pile);
    free(pile.raw);
    free(pile.heads);
    strbuf_release(&sql);
    return rc;
}
