/* From information_schema to the model: databases, tables, all columns, all key parts; a query each
 * per database or group of databases. Rows come in any order: they are put in place afterwards. */
#include "common/schema/read.h"

#include "common/mysql/ident.h"
#include "common/schema/read_driver.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Databases in one query. MySQL 8 and TiDB look each up. The others open every table of every
 * database for a list, and only those of one for a single name: so singly, unless there are many.
 */
#define GROUP_INDEXED 200
#define GROUP_MANY 200
#define GROUP_LARGE 2000

static size_t group_size(const struct reader *r)
{
    if (r->flavour->vendor == VENDOR_TIDB || flavour_at_least(r->flavour, VENDOR_MYSQL, 80000))
        return GROUP_INDEXED;
    return r->schema->database_count > GROUP_MANY ? GROUP_LARGE : 1;
}

static void add_where(const struct reader *r, struct strbuf *sql)
{
    bool one = r->end - r->first == 1;

    strbuf_addstr(sql, one ? " WHERE TABLE_SCHEMA = " : " WHERE TABLE_SCHEMA IN (");
    for (size_t i = r->first; i < r->end; i++) {
        if (i > r->first)
            strbuf_addch(sql, ',');
        strbuf_add_quotedz(sql, r->schema->databases[i].name);
    }
    if (!one)
        strbuf_addch(sql, ')');
}

static enum err_code reader_query(struct reader *r, const char *sql, size_t len, reader_row_fn *fn,
                                  void *ctx, struct err *err)
{
    struct result *result = NULL;
    struct row row;
    bool more = true;
    enum err_code rc;

    rc = conn_query(r->conn, sql, len, true, &result, err);
    while (!rc && more) {
        rc = result_next(result, &row, &more, err);
        if (!rc && more)
            rc = fn(r, &row, ctx, err);
    }
    result_free(result);
    return rc;
}

enum err_code reader_each(struct reader *r, const char *select, reader_row_fn *fn, void *ctx,
                          struct err *err)
{
    struct strbuf sql = {0};
    size_t group = group_size(r);
    enum err_code rc = ERR_OK;

    for (r->first = 0; r->first < r->schema->database_count && !rc; r->first = r->end) {
        r->end = r->first + group;
        if (r->end > r->schema->database_count)
            r->end = r->schema->database_count;
        r->last = NULL; /* it may be of a database that is not asked for now */
        strbuf_reset(&sql);
        strbuf_addstr(&sql, select);
        add_where(r, &sql);
        rc = reader_query(r, strbuf_str(&sql), sql.len, fn, ctx, err);
    }
    strbuf_release(&sql);
    return rc;
}

enum err_code reader_any(struct reader *r, const char *sql, reader_row_fn *fn, struct err *err)
{
    r->first = 0;
    r->end = r->schema->database_count;
    r->last = NULL;
    return reader_query(r, sql, strlen(sql), fn, NULL, err);
}

enum err_code reader_one(struct reader *r, const char *select, const char *db, const char *table,
                         reader_row_fn *fn, struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, select);
    strbuf_addstr(&sql, " WHERE TABLE_SCHEMA = ");
    strbuf_add_quotedz(&sql, db);
    if (table) {
        strbuf_addstr(&sql, " AND TABLE_NAME = ");
        strbuf_add_quotedz(&sql, table);
    }
    rc = reader_any(r, strbuf_str(&sql), fn, err);
    strbuf_release(&sql);
    return rc;
}

const char *reader_text(struct reader *r, const struct row *row, unsigned cell)
{
    return row->cell[cell] ? intern_add(&r->strings, row->cell[cell], row->len[cell]) : NULL;
}

uint64_t reader_number(const struct row *row, unsigned cell)
{
    uint64_t v = 0;

    for (size_t i = 0; row->cell[cell] && i < row->len[cell]; i++) {
        char ch = row->cell[cell][i];

        if (ch < '0' || ch > '9')
            break;
        v = v * 10 + (uint64_t)(ch - '0');
    }
    return v;
}

bool reader_is(const struct row *row, unsigned cell, const char *text)
{
    return row->cell[cell] && row->len[cell] == strlen(text) &&
           strncasecmp(row->cell[cell], text, row->len[cell]) == 0;
}

/* As strcmp, by bytes. */
static int cell_compare(const struct row *row, unsigned cell, const char *str)
{
    size_t len = strlen(str);
    int order;

    if (!row->cell[cell])
        return -1;
    order = memcmp(row->cell[cell], str, len < row->len[cell] ? len : row->len[cell]);
    if (order != 0 || len == row->len[cell])
        return order;
    return row->len[cell] < len ? -1 : 1;
}

static const struct database *asked_database(const struct reader *r, const struct row *row)
{
    size_t low = r->first;
    size_t high = r->end;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = cell_compare(row, 0, r->schema->databases[mid].name);

        if (order == 0)
            return &r->schema->databases[mid];
        if (order > 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

static int table_compare(const struct row *row, const struct table *t)
{
    int order = cell_compare(row, 0, t->db);

    return order != 0 ? order : cell_compare(row, 1, t->name);
}

struct table *reader_table(struct reader *r, const struct row *row)
{
    size_t low = 0;
    size_t high = r->schema->table_count;

    if (r->last && table_compare(row, r->last) == 0)
        return r->last;
    if (!asked_database(r, row))
        return NULL;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = table_compare(row, &r->schema->tables[mid]);

        if (order == 0)
            return r->last = &r->schema->tables[mid];
        if (order > 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

struct growing {
    void *items; /* heap; moves into the arena when complete */
    size_t count, cap;
};

static void *growing_add(struct growing *g, size_t size)
{
    if (g->count == g->cap) {
        g->cap = g->cap ? g->cap * 2 : 256;
        g->items = xreallocarray(g->items, g->cap, size);
    }
    return (char *)g->items + size * g->count++;
}

static void *growing_detach(struct growing *g, struct arena *arena, size_t size)
{
    void *items = arena_memdup(arena, g->items ? g->items : "", g->count * size);

    free(g->items);
    *g = (struct growing){0};
    return items;
}

static enum err_code database_row(struct reader *r, const struct row *row, void *ctx,
                                  struct err *err)
{
    struct database *db;
    const char *name = reader_text(r, row, 0);

    (void)err;
    if (!name || !filter_match_db(r->filter, name))
        return ERR_OK;
    db = growing_add(ctx, sizeof(*db));
    db->name = name;
    db->charset = reader_text(r, row, 1);
    db->collation = reader_text(r, row, 2);
    return ERR_OK;
}

static int database_order(const void *a, const void *b)
{
    const struct database *x = a;
    const struct database *y = b;

    return strcmp(x->name, y->name);
}

static enum err_code read_databases(struct reader *r, struct err *err)
{
    static const char sql[] = "SELECT SCHEMA_NAME AS d, DEFAULT_CHARACTER_SET_NAME AS s,"
                              " DEFAULT_COLLATION_NAME AS l FROM information_schema.SCHEMATA";
    struct growing found = {0};
    enum err_code rc = reader_query(r, sql, sizeof(sql) - 1, database_row, &found, err);

    if (found.count)
        qsort(found.items, found.count, sizeof(struct database), database_order);
    r->schema->database_count = found.count;
    r->schema->databases = growing_detach(&found, r->schema->arena, sizeof(struct database));
    return rc;
}

static enum table_kind table_kind(const struct row *row, unsigned cell)
{
    static const struct {
        const char *name;
        enum table_kind kind;
    } kinds[] = {
        {"BASE TABLE", TABLE_BASE},
        {"VIEW", TABLE_VIEW},
        {"SEQUENCE", TABLE_SEQUENCE},
        {"SYSTEM VERSIONED", TABLE_VERSIONED},
    };

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (reader_is(row, cell, kinds[i].name))
            return kinds[i].kind;
    }
    return TABLE_OTHER;
}

/* The columns of the query on TABLES. */
enum table_cell { T_DB, T_NAME, T_TYPE, T_ENGINE, T_COLLATION };

static enum err_code table_row(struct reader *r, const struct row *row, void *ctx, struct err *err)
{
    const struct database *db = asked_database(r, row);
    struct table *t;
    char *name;
    bool match;

    (void)err;
    /* MariaDB lists the session's own temporary tables */
    if (!db || !row->cell[T_NAME] || reader_is(row, T_TYPE, "TEMPORARY") ||
        reader_is(row, T_TYPE, "TEMPORARY SEQUENCE"))
        return ERR_OK;
    name = xstrndup(row->cell[T_NAME], row->len[T_NAME]);
    match = filter_match_table(r->filter, db->name, name);
    free(name);
    if (!match)
        return ERR_OK;
    t = growing_add(ctx, sizeof(*t));
    *t = (struct table){
        .db = db->name,
        .name = reader_text(r, row, T_NAME),
        .engine = reader_text(r, row, T_ENGINE),
        .collation = reader_text(r, row, T_COLLATION),
        .kind = table_kind(row, T_TYPE),
    };
    return ERR_OK;
}

static int table_order(const void *a, const void *b)
{
    const struct table *x = a;
    const struct table *y = b;
    int order = strcmp(x->db, y->db);

    return order != 0 ? order : strcmp(x->name, y->name);
}

static enum err_code read_tables(struct reader *r, struct err *err)
{
    struct growing found = {0};
    enum err_code rc =
        reader_each(r,
                    "SELECT TABLE_SCHEMA AS d, TABLE_NAME AS t, TABLE_TYPE AS k, ENGINE AS e,"
                    " TABLE_COLLATION AS c FROM information_schema.TABLES",
                    table_row, &found, err);

    if (found.count)
        qsort(found.items, found.count, sizeof(struct table), table_order);
    r->schema->table_count = found.count;
    r->schema->tables = growing_detach(&found, r->schema->arena, sizeof(struct table));
    return rc;
}

/* TiDB says of AUTO_RANDOM nowhere else; it is always the first column of the primary key. */
static enum err_code sharding_row(struct reader *r, const struct row *row, void *ctx,
                                  struct err *err)
{
    const char *sharding = reader_text(r, row, 2);
    const struct table *t = reader_table(r, row);

    (void)ctx;
    (void)err;
    if (t && sharding && strncmp(sharding, "PK_AUTO_RANDOM", 14) == 0 && t->key_count &&
        t->keys[0].primary && !t->keys[0].parts[0].expression)
        t->columns[t->keys[0].parts[0].column].auto_random = true;
    return ERR_OK;
}

static enum err_code read_auto_random(struct reader *r, struct err *err)
{
    if (!flavour_at_least(r->flavour, VENDOR_TIDB, 40003))
        return ERR_OK;
    return reader_each(r,
                       "SELECT TABLE_SCHEMA AS d, TABLE_NAME AS t, TIDB_ROW_ID_SHARDING_INFO AS i"
                       " FROM information_schema.TABLES",
                       sharding_row, NULL, err);
}

/* MySQL 8 shows statistics as they were up to a day ago, and to keep them for a day it writes,
 * which hangs under a global read lock before 8.0.23. */
static enum err_code fresh_statistics(struct reader *r, struct err *err)
{
    if (!flavour_at_least(r->flavour, VENDOR_MYSQL, 80003))
        return ERR_OK;
    return conn_execz(r->conn, "SET SESSION information_schema_stats_expiry = 0", err);
}

static enum err_code read_all(struct reader *r, struct err *err)
{
    enum err_code rc;

    rc = fresh_statistics(r, err);
    if (rc)
        return rc;
    rc = read_databases(r, err);
    if (rc)
        return err_wrap(err, "reading the databases");
    rc = read_tables(r, err);
    if (rc)
        return err_wrap(err, "reading the tables");
    rc = reader_sizes(r, err);
    if (rc)
        return err_wrap(err, "reading the tables' sizes");
    rc = reader_columns(r, err);
    if (rc)
        return err_wrap(err, "reading the columns");
    rc = reader_keys(r, err);
    if (rc)
        return err_wrap(err, "reading the keys");
    return read_auto_random(r, err);
}

enum err_code schema_read(struct conn *c, const struct filter *filter, struct schema **schema,
                          struct err *err)
{
    struct reader r = {.conn = c, .flavour = conn_flavour(c), .filter = filter};
    enum err_code rc;

    r.schema = xcalloc(1, sizeof(*r.schema));
    r.strings.arena = r.schema->arena = arena_new();
    rc = read_all(&r, err);
    intern_release(&r.strings);
    if (rc)
        schema_free(r.schema);
    else
        *schema = r.schema;
    return rc;
}
