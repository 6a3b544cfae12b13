/* All key parts of all tables: kept as lists while rows come in any order, then made into keys. */
#include "common/schema/read_driver.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NO_PART UINT32_MAX

struct raw_part {
    uint32_t next; /* of the same table, in any order */
    uint32_t seq;  /* from 1 */
    const char *key;
    enum key_kind kind;
    bool unique, invisible;
    struct key_part part;
};

struct part_pile {
    struct raw_part *raw; /* heap */
    size_t count, cap;
    uint32_t *heads;                /* a list for each table */
    const struct raw_part **sorted; /* one table's parts */
    size_t sorted_cap;
};

/* The columns of the query. */
enum key_cell {
    K_DB,
    K_TABLE,
    K_NON_UNIQUE,
    K_NAME,
    K_SEQ,
    K_COLUMN,
    K_PREFIX,
    K_TYPE,
    K_EXPRESSION,
    K_HIDDEN
};

static enum key_kind key_kind(const struct row *row, unsigned cell)
{
    if (reader_is(row, cell, "BTREE"))
        return KEY_BTREE;
    if (reader_is(row, cell, "FULLTEXT"))
        return KEY_FULLTEXT;
    if (reader_is(row, cell, "SPATIAL") || reader_is(row, cell, "RTREE"))
        return KEY_SPATIAL;
    return KEY_OTHER; /* HASH: MariaDB's long unique keys, MEMORY tables; TiDB's HNSW */
}

/* MariaDB opens each table to say of what type its keys are, or how they are ordered. */
static bool types_are_dear(const struct reader *r)
{
    return r->flavour->vendor == VENDOR_MARIADB;
}

static enum key_kind key_kind_unasked(const struct table *t, const struct row *row)
{
    return reader_is(row, K_NAME, "PRIMARY") && t->engine && strcasecmp(t->engine, "InnoDB") == 0
               ? KEY_BTREE
               : KEY_OTHER;
}

/* Both names are interned. A column that is not in the model is as good as an expression. */
static void part_column(const struct table *t, const char *name, struct key_part *part)
{
    const struct column *c = NULL;

    for (unsigned i = 0; i < t->column_count && name && !c; i++) {
        if (t->columns[i].name == name)
            c = &t->columns[i];
    }
    if (!c && name)
        c = table_column(t, name);
    if (c)
        part->column = (unsigned)(c - t->columns);
    else
        part->expression = true;
}

static enum err_code part_row(struct reader *r, const struct row *row, void *ctx, struct err *err)
{
    struct part_pile *pile = ctx;
    struct table *t = reader_table(r, row);
    struct raw_part *raw;
    size_t table;

    if (!t)
        return ERR_OK;
    if (pile->count == NO_PART - 1)
        return err_set(err, ERR_LIMIT, "more than %u key parts", NO_PART - 2);
    if (pile->count == pile->cap) {
        pile->cap = pile->cap ? pile->cap * 2 : 1024;
        pile->raw = xreallocarray(pile->raw, pile->cap, sizeof(*pile->raw));
    }
    table = (size_t)(t - r->schema->tables);
    raw = &pile->raw[pile->count];
    *raw = (struct raw_part){
        .next = pile->heads[table],
        .seq = (uint32_t)reader_number(row, K_SEQ),
        .key = reader_text(r, row, K_NAME),
        .kind = types_are_dear(r) ? key_kind_unasked(t, row) : key_kind(row, K_TYPE),
        .unique = reader_is(row, K_NON_UNIQUE, "0"),
        .invisible = reader_number(row, K_HIDDEN) != 0,
        .part.prefix_len = (unsigned)reader_number(row, K_PREFIX),
        .part.expression = row->cell[K_EXPRESSION] && row->len[K_EXPRESSION],
    };
    if (!raw->part.expression)
        part_column(t, reader_text(r, row, K_COLUMN), &raw->part);
    pile->heads[table] = (uint32_t)pile->count++;
    return ERR_OK;
}

/* The primary key first, then unique ones, then by name: the same order on every server. */
static int part_order(const void *a, const void *b)
{
    const struct raw_part *x = *(const struct raw_part *const *)a;
    const struct raw_part *y = *(const struct raw_part *const *)b;
    bool x_primary = strcmp(x->key, "PRIMARY") == 0;
    bool y_primary = strcmp(y->key, "PRIMARY") == 0;
    int order;

    if (x_primary != y_primary)
        return x_primary ? -1 : 1;
    if (x->unique != y->unique)
        return x->unique ? -1 : 1;
    order = strcmp(x->key, y->key);
    if (order != 0)
        return order;
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static size_t sort_parts(struct part_pile *pile, size_t table)
{
    size_t count = 0;

    for (uint32_t at = pile->heads[table]; at != NO_PART; at = pile->raw[at].next) {
        if (count == pile->sorted_cap) {
            pile->sorted_cap = pile->sorted_cap ? pile->sorted_cap * 2 : 64;
            pile->sorted = xreallocarray(pile->sorted, pile->sorted_cap, sizeof(*pile->sorted));
        }
        pile->sorted[count++] = &pile->raw[at];
    }
    if (count)
        qsort(pile->sorted, count, sizeof(const struct raw_part *), part_order);
    return count;
}

/* A system-versioned table's keys also hold the row's end, which is one value for all present rows:
 * without it the key is still unique among what can be selected. */
static bool part_counts(const struct table *t, const struct key_part *p)
{
    return p->expression || !t->columns[p->column].row_start_end;
}

static void key_build(struct reader *r, const struct table *t, struct key *k,
                      const struct raw_part *const *parts, size_t count)
{
    *k = (struct key){
        .name = parts[0]->key,
        .kind = parts[0]->kind,
        .unique = parts[0]->unique,
        .invisible = parts[0]->invisible,
        .primary = strcmp(parts[0]->key, "PRIMARY") == 0,
        .not_null = true,
    };
    k->parts = arena_alloc(r->schema->arena, count * sizeof(*k->parts));
    for (size_t i = 0; i < count; i++) {
        const struct key_part *p = &parts[i]->part;

        if (!part_counts(t, p))
            continue;
        k->parts[k->part_count++] = *p;
        if (p->expression || t->columns[p->column].nullable)
            k->not_null = false;
    }
}

static void table_keys(struct reader *r, struct part_pile *pile, size_t table)
{
    struct table *t = &r->schema->tables[table];
    size_t parts = sort_parts(pile, table);
    size_t keys = 0;

    for (size_t i = 0; i < parts; i++)
        keys += i == 0 || pile->sorted[i]->key != pile->sorted[i - 1]->key;
    if (keys == 0)
        return;
    t->keys = arena_alloc(r->schema->arena, keys * sizeof(*t->keys));
    for (size_t i = 0, end; i < parts; i = end) {
        struct key *k = &t->keys[t->key_count];

        for (end = i + 1; end < parts && pile->sorted[end]->key == pile->sorted[i]->key; end++)
            ;
        key_build(r, t, k, pile->sorted + i, end - i);
        t->key_count += k->part_count > 0;
    }
}

/* ---- types, where they are dear ---- */

#define TYPES_SINGLY_MAX 100 /* tables of one database; more of them: all its tables at once */

static enum err_code type_row(struct reader *r, const struct row *row, void *ctx, struct err *err)
{
    const struct table *t = reader_table(r, row);

    (void)ctx;
    (void)err;
    for (unsigned i = 0; t && i < t->key_count; i++)
        if (reader_is(row, 2, t->keys[i].name))
            t->keys[i].kind = key_kind(row, 3);
    return ERR_OK;
}

/* No key of the table is known to be one that chunks can be cut by, and one may be. */
static bool type_is_wanted(const struct table *t)
{
    bool unique = false;

    for (unsigned i = 0; i < t->key_count; i++)
        unique = unique || (t->keys[i].unique && t->keys[i].not_null);
    return unique && !table_best_key(t);
}

/* Of tables[first] to tables[end - 1], which are one database's. */
static enum err_code read_types(struct reader *r, size_t first, size_t end, struct err *err)
{
    static const char select[] = "SELECT TABLE_SCHEMA AS d, TABLE_NAME AS t, INDEX_NAME AS k,"
                                 " INDEX_TYPE AS y FROM information_schema.STATISTICS";
    const struct table *tables = r->schema->tables;
    size_t wanted = 0;
    enum err_code rc = ERR_OK;

    for (size_t i = first; i < end; i++)
        wanted += type_is_wanted(&tables[i]);
    if (wanted > TYPES_SINGLY_MAX)
        return reader_one(r, select, tables[first].db, NULL, type_row, err);
    for (size_t i = first; i < end && wanted && !rc; i++)
        if (type_is_wanted(&tables[i]))
            rc = reader_one(r, select, tables[i].db, tables[i].name, type_row, err);
    return rc;
}

static enum err_code read_wanted_types(struct reader *r, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (size_t i = 0, end; i < r->schema->table_count && !rc; i = end) {
        for (end = i + 1;
             end < r->schema->table_count && r->schema->tables[end].db == r->schema->tables[i].db;
             end++)
            ;
        rc = read_types(r, i, end, err);
    }
    return rc;
}

/* EXPRESSION and visibility came late, and are named differently. */
static void add_late_columns(const struct flavour *f, struct strbuf *sql)
{
    bool mysql8 = flavour_at_least(f, VENDOR_MYSQL, 80000);
    bool tidb = flavour_at_least(f, VENDOR_TIDB, 50000);

    strbuf_addstr(sql, flavour_at_least(f, VENDOR_MYSQL, 80013) || tidb
                           ? ", LEFT(EXPRESSION, 1) AS x"
                           : ", NULL AS x");
    if (mysql8 || tidb)
        strbuf_addstr(sql, ", IS_VISIBLE = 'NO' AS h");
    else if (flavour_at_least(f, VENDOR_MARIADB, 100600))
        strbuf_addstr(sql, ", IGNORED = 'YES' AS h");
    else
        strbuf_addstr(sql, ", 0 AS h");
}

enum err_code reader_keys(struct reader *r, struct err *err)
{
    struct part_pile pile = {0};
    struct strbuf sql = {0};
    enum err_code rc;

    pile.heads = xreallocarray(NULL, r->schema->table_count, sizeof(*pile.heads));
    for (size_t i = 0; i < r->schema->table_count; i++)
        pile.heads[i] = NO_PART;
    strbuf_addstr(&sql, "SELECT TABLE_SCHEMA AS d, TABLE_NAME AS t, NON_UNIQUE AS u,"
                        " INDEX_NAME AS k, SEQ_IN_INDEX AS s, COLUMN_NAME AS c, SUB_PART AS p,");
    strbuf_addstr(&sql, types_are_dear(r) ? " NULL AS y" : " INDEX_TYPE AS y");
    add_late_columns(r->flavour, &sql);
    strbuf_addstr(&sql, " FROM information_schema.STATISTICS");
    rc = reader_each(r, strbuf_str(&sql), part_row, &pile, err);
    for (size_t i = 0; i < r->schema->table_count && !rc; i++)
        table_keys(r, &pile, i);
    if (!rc && types_are_dear(r))
        rc = read_wanted_types(r, err);
    free(pile.raw);
    free(pile.heads);
    free(pile.sorted);
    strbuf_release(&sql);
    return rc;
}
