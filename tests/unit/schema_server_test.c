/* The schema read from real servers. Each server's tests are skipped unless its variable names one:
 * FERRY_TEST_MARIADB, FERRY_TEST_MYSQL, FERRY_TEST_TIDB (a server URL of an account without a
 * password that may do everything). */
#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/schema/hold.h"
#include "common/schema/read.h"
#include "common/schema/select.h"
#include "tests/unit/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DB "ferry_schema_test"
#define ROWS_MAX 8

struct server {
    const char *variable;
    enum vendor vendor;
    struct server_url url;
    struct conn *conn; /* as a target; NULL: not given */
    struct conn *source;
};

#define ON_MYSQL (1U << VENDOR_MYSQL)
#define ON_MARIADB (1U << VENDOR_MARIADB)
#define ON_TIDB (1U << VENDOR_TIDB)
#define ON_CLASSIC (ON_MYSQL | ON_MARIADB)
#define ON_ALL (ON_CLASSIC | ON_TIDB)

static void run(struct conn *c, const char *sql)
{
    struct err err = ERR_INIT;

    if (conn_execz(c, sql, &err))
        fail_msg("%s: %s", sql, err.msg);
}

static const struct server *server_or_skip(void **state)
{
    const struct server *s = *state;

    if (!s->conn)
        skip();
    run(s->conn, "DROP DATABASE IF EXISTS " DB);
    run(s->conn, "CREATE DATABASE " DB " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
    run(s->conn, "USE " DB);
    run(s->source, "USE " DB);
    return s;
}

static struct schema *given_schema(const struct server *s, const char *pattern)
{
    struct filter *filter = NULL;
    struct schema *schema = NULL;
    struct err err = ERR_INIT;

    if (filter_new(&pattern, 1, true, &filter, &err) ||
        schema_read(s->source, filter, &schema, &err))
        fail_msg("%s: %s", s->variable, err.msg);
    filter_free(filter);
    return schema;
}

struct cells {
    char *text[ROWS_MAX]; /* heap; NULL for SQL NULL */
    unsigned long len[ROWS_MAX];
    unsigned count;
};

/* The first cells of all rows. */
static struct cells query(struct conn *c, const char *sql)
{
    struct cells cells = {.count = 0};
    struct result *result = NULL;
    struct err err = ERR_INIT;
    struct row row;
    bool more = true;

    if (conn_queryz(c, sql, &result, &err))
        fail_msg("%s: %s", sql, err.msg);
    for (;;) {
        if (result_next(result, &row, &more, &err))
            fail_msg("%s: %s", sql, err.msg);
        if (!more)
            break;
        assert_true(cells.count < ROWS_MAX);
        if (row.cell[0]) {
            cells.text[cells.count] = xmalloc(row.len[0] + 1);
            memcpy(cells.text[cells.count], row.cell[0], row.len[0]);
            cells.len[cells.count] = row.len[0];
        }
        cells.count++;
    }
    result_free(result);
    return cells;
}

static void cells_release(struct cells *cells)
{
    for (unsigned i = 0; i < cells->count; i++)
        free(cells->text[i]);
}

static void assert_value(struct conn *c, const char *sql, const char *want)
{
    struct err err = ERR_INIT;
    char *value = NULL;

    if (conn_value(c, sql, &value, &err))
        fail_msg("%s: %s", sql, err.msg);
    if (!value || strcmp(value, want) != 0)
        print_error("%s\n", sql);
    assert_string_equal(value ? value : "NULL", want);
    free(value);
}

static const struct column *column_of(const struct schema *s, const char *table, const char *name)
{
    const struct table *t = schema_find(s, DB, table);
    const struct column *c = t ? table_column(t, name) : NULL;

    if (!c)
        fail_msg("no column %s.%s", table, name);
    return c;
}

static void reads_tables(void **state)
{
    const struct server *s = server_or_skip(state);
    struct schema *schema;

    run(s->conn, "CREATE TABLE b (id INT PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS 2");
    run(s->conn, "CREATE TABLE `a``'\\` (id INT)");
    run(s->conn, "CREATE VIEW v AS SELECT * FROM b");
    run(s->conn, "CREATE TABLE left_out (id INT)");
    if (s->vendor == VENDOR_MARIADB) {
        run(s->conn, "CREATE SEQUENCE sq");
        run(s->source, "CREATE TEMPORARY TABLE own (id INT)");
    }
    schema = given_schema(s, DB ".[!l]*");
    assert_int_equal(schema->database_count, 1);
    assert_string_equal(schema->databases[0].name, DB);
    assert_string_equal(schema->databases[0].collation, "utf8mb4_bin");
    assert_int_equal(schema->table_count, s->vendor == VENDOR_MARIADB ? 4 : 3);
    assert_string_equal(schema->tables[0].name, "a`'\\");
    assert_string_equal(schema->tables[0].engine, "InnoDB");
    assert_string_equal(schema->tables[0].collation, "utf8mb4_bin");
    assert_int_equal(schema_find(schema, DB, "v")->kind, TABLE_VIEW);
    if (s->vendor == VENDOR_MARIADB)
        assert_int_equal(schema_find(schema, DB, "sq")->kind, TABLE_SEQUENCE);
    assert_null(schema_find(schema, DB, "left_out"));
    schema_free(schema);
}

/* One line a column: what the model says of it. */
static void describe(const struct column *c, struct strbuf *out)
{
    strbuf_addf(out, "%s %s", c->name, column_type_name(c->type));
    if (c->length)
        strbuf_addf(out, " %llu", (unsigned long long)c->length);
    if (c->precision)
        strbuf_addf(out, " %u,%u", c->precision, c->scale);
    if (c->fsp)
        strbuf_addf(out, " fsp %u", c->fsp);
    strbuf_addf(out, "%s%s%s%s%s", c->is_unsigned ? " unsigned" : "", c->nullable ? " null" : "",
                c->auto_increment ? " auto" : "", c->invisible ? " invisible" : "",
                c->generated == GENERATED_NO        ? ""
                : c->generated == GENERATED_VIRTUAL ? " virtual"
                                                    : " stored");
    if (c->collation)
        strbuf_addf(out, " %s", c->collation);
    if (c->default_text)
        strbuf_addf(out, " default <%s>", c->default_text);
    strbuf_addch(out, '\n');
}

static void reads_columns_alike(void **state)
{
    static const char want[] = "id bigint unsigned auto\n"
                               "i int null default <5>\n"
                               "s varchar 10 null utf8mb4_bin default <o'b\\>\n"
                               "w varchar 4 null utf8mb4_bin default <NULL>\n"
                               "blank varchar 4 utf8mb4_bin default <>\n"
                               "none varchar 4 null utf8mb4_bin\n"
                               "d decimal 10,2 unsigned null\n"
                               "f float null\n"
                               "fm float 7,3 null\n"
                               "y year 4,0 null\n"
                               "t time fsp 3 null\n"
                               "now datetime fsp 3 null default <CURRENT_TIMESTAMP(3)>\n"
                               "ts timestamp default <CURRENT_TIMESTAMP>\n"
                               "b bit 3,0 null default <b'101'>\n"
                               "bin binary 3 null\n"
                               "e enum 4,0 null utf8mb4_bin default <a>\n"
                               "l longtext 4294967295 null utf8mb4_bin\n"
                               "gv int null virtual\n"
                               "gs int null stored\n";
    const struct server *s = server_or_skip(state);
    struct strbuf got = {0};
    struct schema *schema;
    const struct table *t;

    run(s->conn, "CREATE TABLE t (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, i INT DEFAULT 5,"
                 " s VARCHAR(10) DEFAULT 'o''b\\\\', w VARCHAR(4) DEFAULT 'NULL',"
                 " blank VARCHAR(4) NOT NULL DEFAULT '', none VARCHAR(4), d DECIMAL(10,2) UNSIGNED,"
                 " f FLOAT, fm FLOAT(7,3), y YEAR, t TIME(3),"
                 " now DATETIME(3) DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),"
                 " ts TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, b BIT(3) DEFAULT b'101',"
                 " bin BINARY(3), e ENUM('a','it''s','b\\\\',')') DEFAULT 'a', l LONGTEXT,"
                 " gv INT AS (i + 1) VIRTUAL, gs INT AS (i + 1) STORED)");
    schema = given_schema(s, DB ".t");
    t = schema_find(schema, DB, "t");
    assert_non_null(t);
    for (unsigned i = 0; i < t->column_count; i++)
        describe(&t->columns[i], &got);
    assert_string_equal(strbuf_str(&got), want);
    assert_string_equal(column_of(schema, "t", "e")->type_text, "enum('a','it''s','b\\\\',')')");
    strbuf_release(&got);
    schema_free(schema);
}

static void reads_what_only_some_have(void **state)
{
    const struct server *s = server_or_skip(state);
    struct schema *schema;

    if (s->vendor == VENDOR_MARIADB) {
        run(s->conn, "CREATE TABLE v (id INT PRIMARY KEY, u UUID, i6 INET6, hid INT INVISIBLE,"
                     " gi INT AS (id) STORED INVISIBLE, j JSON, c VARCHAR(9) COMPRESSED,"
                     " s TIMESTAMP(6) GENERATED ALWAYS AS ROW START,"
                     " e TIMESTAMP(6) GENERATED ALWAYS AS ROW END,"
                     " PERIOD FOR SYSTEM_TIME (s, e)) WITH SYSTEM VERSIONING");
        schema = given_schema(s, DB ".v");
        assert_int_equal(schema->tables[0].kind, TABLE_VERSIONED);
        assert_true(column_of(schema, "v", "s")->row_start_end);
        assert_true(column_of(schema, "v", "e")->row_start_end);
        assert_true(column_of(schema, "v", "gi")->invisible);
        assert_int_equal(column_of(schema, "v", "gi")->generated, GENERATED_STORED);
        assert_int_equal(column_of(schema, "v", "u")->type, TYPE_UUID);
        assert_int_equal(column_of(schema, "v", "i6")->type, TYPE_INET6);
        assert_int_equal(column_of(schema, "v", "j")->type, TYPE_LONGTEXT);
        assert_int_equal(column_of(schema, "v", "c")->length, 9);
        assert_int_equal(schema->tables[0].keys[0].part_count, 1);
    } else if (s->vendor == VENDOR_MYSQL) {
        run(s->conn, "CREATE TABLE v (id INT PRIMARY KEY, hid INT INVISIBLE, j JSON, p POINT,"
                     " x VECTOR(3))");
        schema = given_schema(s, DB ".v");
        assert_int_equal(column_form(column_of(schema, "v", "x")), CELL_BYTES);
        assert_int_equal(column_of(schema, "v", "p")->type, TYPE_GEOMETRY);
        assert_int_equal(column_of(schema, "v", "j")->type, TYPE_JSON);
    } else {
        run(s->conn, "CREATE TABLE v (id BIGINT AUTO_RANDOM PRIMARY KEY, x VECTOR(3), j JSON)");
        schema = given_schema(s, DB ".v");
        assert_int_equal(column_form(column_of(schema, "v", "x")), CELL_TEXT);
        assert_true(column_of(schema, "v", "id")->auto_random);
        assert_false(column_of(schema, "v", "j")->auto_random);
    }
    if (s->vendor != VENDOR_TIDB)
        assert_true(column_of(schema, "v", "hid")->invisible);
    schema_free(schema);
}

static void describe_key(const struct table *t, const struct key *k, struct strbuf *out)
{
    strbuf_addf(out, "%s%s%s%s%s(", k->name, k->primary ? " primary" : "",
                k->unique ? " unique" : "", k->not_null ? " not null" : "",
                k->invisible ? " invisible" : "");
    for (unsigned i = 0; i < k->part_count; i++) {
        const struct key_part *p = &k->parts[i];

        strbuf_addf(out, "%s%s", i ? "," : "",
                    p->expression ? "expression" : t->columns[p->column].name);
        if (p->prefix_len)
            strbuf_addf(out, " %u", p->prefix_len);
    }
    strbuf_addstr(out, ")\n");
}

static void reads_keys(void **state)
{
    static const char want[] = "PRIMARY primary unique not null(b,a)\n"
                               "a unique(c,a)\n"
                               "z unique not null(d)\n"
                               "k(s 5,a)\n";
    const struct server *s = server_or_skip(state);
    struct strbuf got = {0};
    struct schema *schema;
    const struct table *t;

    run(s->conn, "CREATE TABLE t (a INT, b INT, c INT, d INT NOT NULL, s VARCHAR(20),"
                 " KEY k (s(5), a), UNIQUE z (d), UNIQUE a (c, a), PRIMARY KEY (b, a))");
    schema = given_schema(s, DB ".t");
    t = &schema->tables[0];
    for (unsigned i = 0; i < t->key_count; i++)
        describe_key(t, &t->keys[i], &got);
    assert_string_equal(strbuf_str(&got), want);
    assert_ptr_equal(table_best_key(t), &t->keys[0]);
    schema_free(schema);

    if (s->vendor == VENDOR_MARIADB)
        run(s->conn, "CREATE TABLE u (id INT PRIMARY KEY, a INT NOT NULL, s VARCHAR(200) NOT NULL, "
                     "x TEXT NOT NULL,"
                     " UNIQUE hash (x), UNIQUE hidden (a) IGNORED, FULLTEXT ft (s))");
    else if (s->vendor == VENDOR_MYSQL)
        run(s->conn, "CREATE TABLE u (id INT PRIMARY KEY, a INT NOT NULL, s VARCHAR(200) NOT NULL,"
                     " UNIQUE hash ((a + 1)), UNIQUE hidden (a) INVISIBLE, FULLTEXT ft (s))");
    else
        run(s->conn, "CREATE TABLE u (id INT PRIMARY KEY, a INT NOT NULL, s VARCHAR(200) NOT NULL,"
                     " UNIQUE hash ((LOWER(s))), UNIQUE hidden (a) INVISIBLE, KEY ft (s))");
    schema = given_schema(s, DB ".u");
    t = &schema->tables[0];
    assert_int_equal(t->key_count, 4);
    assert_string_equal(t->keys[1].name, "hash");
    assert_true(t->keys[1].parts[0].expression || t->keys[1].kind == KEY_OTHER);
    assert_string_equal(t->keys[2].name, "hidden");
    assert_true(t->keys[2].invisible);
    if (s->vendor != VENDOR_TIDB)
        assert_int_equal(t->keys[3].kind, KEY_FULLTEXT);
    schema_free(schema);
    strbuf_release(&got);
}

/* The server takes A for a where names compare by its collation. */
static void keeps_databases_of_other_case_apart(void **state)
{
    const struct server *s = server_or_skip(state);
    struct schema *schema;

    if (s->vendor == VENDOR_TIDB)
        skip();
    run(s->conn, "DROP DATABASE IF EXISTS Ferry_Schema_Test");
    run(s->conn, "CREATE DATABASE Ferry_Schema_Test");
    run(s->conn, "CREATE TABLE t (a INT, b INT, PRIMARY KEY (a, b))");
    run(s->conn, "CREATE TABLE Ferry_Schema_Test.T (c INT PRIMARY KEY)");
    run(s->conn, "CREATE TABLE Ferry_Schema_Test.t (c INT PRIMARY KEY)");
    schema = given_schema(s, "/^[Ff]erry_[Ss]chema_[Tt]est$/.*");
    assert_int_equal(schema->database_count, 2);
    assert_int_equal(schema->table_count, 3);
    assert_string_equal(schema->tables[0].db, "Ferry_Schema_Test");
    assert_string_equal(schema->tables[0].name, "T");
    assert_int_equal(schema->tables[0].column_count, 1);
    assert_int_equal(schema->tables[1].column_count, 1);
    assert_int_equal(schema->tables[2].column_count, 2);
    assert_int_equal(schema->tables[2].key_count, 1);
    assert_int_equal(schema->tables[2].keys[0].part_count, 2);
    schema_free(schema);
    run(s->conn, "DROP DATABASE Ferry_Schema_Test");
}

static void shows_create(void **state)
{
    const struct server *s = server_or_skip(state);
    struct schema *schema;
    struct err err = ERR_INIT;
    char *sql = NULL;

    run(s->conn, "CREATE TABLE `odd``name` (id INT)");
    run(s->conn, "CREATE VIEW v AS SELECT 1 AS x");
    assert_int_equal(schema_create_database(s->source, DB, &sql, &err), ERR_OK);
    assert_non_null(strstr(sql, "IF NOT EXISTS"));
    assert_non_null(strstr(sql, "`" DB "`"));
    free(sql);
    schema = given_schema(s, DB ".*");
    assert_int_equal(schema_create_table(s->source, &schema->tables[0], &sql, &err), ERR_OK);
    assert_true(strncmp(sql, "CREATE TABLE `odd``name` (", 26) == 0);
    free(sql);
    assert_int_equal(schema_create_table(s->source, &schema->tables[1], &sql, &err), ERR_OK);
    assert_non_null(strstr(sql, "VIEW `v`"));
    free(sql);
    schema_free(schema);
    if (s->vendor != VENDOR_MYSQL) {
        run(s->conn, "CREATE SEQUENCE sq");
        schema = given_schema(s, DB ".sq");
        assert_int_equal(schema_create_table(s->source, &schema->tables[0], &sql, &err), ERR_OK);
        assert_non_null(strstr(sql, "CREATE SEQUENCE `sq`"));
        free(sql);
        schema_free(schema);
    }
}

static const struct key_case {
    unsigned where; /* servers */
    const char *type, *rows;
} key_cases[] = {
    {ON_ALL, "INT", "(-5),(0),(7),(2147483647)"},
    {ON_ALL, "BIGINT UNSIGNED",
     "(1),(9223372036854775807),(9223372036854775808),(18446744073709551615)"},
    {ON_ALL, "BIGINT UNSIGNED ZEROFILL", "(1),(9223372036854775808),(18446744073709551615)"},
    {ON_ALL, "DECIMAL(65,30)",
     "(-1.5),(0),(99999999999999999999999999999999999.123456789012345678901234567890),"
     "(99999999999999999999999999999999999.123456789012345678901234567891)"},
    {ON_ALL, "FLOAT", "(-1e-45),(0),(0.1),(1.1),(16777216),(3.4e38),(123456.789)"},
    {ON_ALL, "FLOAT(9,3)", "(-0.001),(0),(1234.567),(1234.568),(123456.789)"},
    {ON_ALL, "DOUBLE",
     "(-1.7976931348623157e308),(-5e-324),(0),(0.1),(0.30000000000000004),(1e15),(1e300)"},
    {ON_ALL, "DOUBLE(30,10)", "(-1.5),(0),(1.3833992614000001),(90071.99254740993)"},
    {ON_ALL, "BIT(64)",
     "(0),(1),(9223372036854775807),(9223372036854775808),(x'ffffffffffffffff')"},
    {ON_ALL, "ENUM('z','b','a')", "('a'),('b'),('z')"},
    {ON_ALL, "DATE", "('0000-00-00'),('2020-01-01'),('9999-12-31')"},
    {ON_ALL, "DATETIME(6)",
     "('0000-00-00'),('2020-01-01 10:00:00.000001'),('2020-01-01 10:00:00.000002')"},
    {ON_ALL, "TIMESTAMP(3) DEFAULT '2020-01-01'",
     "('0000-00-00'),('2020-01-01 10:00:00.001'),('2038-01-19 03:14:07')"},
    {ON_ALL, "TIME(6)", "('-838:59:59'),('-00:00:00.000001'),('00:00:00'),('838:59:59')"},
    {ON_ALL, "YEAR", "(0),(1970),(2000),(2069),(2001),(2155)"},
    {ON_ALL, "VARCHAR(20) COLLATE utf8mb4_general_ci", "('a'),('B'),('\xc3\xa9'),(''),('it''s')"},
    {ON_ALL, "VARCHAR(20) COLLATE utf8mb4_bin",
     "('a'),('A'),('\xc3\xa9'),('\xf0\x9f\x98\x80'),('\\\\')"},
    {ON_ALL, "VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_bin",
     "('a'),('A'),('\xc3\xa9'),('')"},
    {ON_ALL, "CHAR(20) CHARACTER SET utf8 COLLATE utf8_unicode_ci", "('a'),('B'),('\xc3\xa9')"},
    {ON_ALL, "CHAR(20) CHARACTER SET gbk COLLATE gbk_chinese_ci",
     "('a'),('\xe4\xb8\xad'),('\xe5\x9b\xbd')"},
    {ON_ALL, "CHAR(20) CHARACTER SET ascii COLLATE ascii_bin", "('a'),('B')"},
    {ON_CLASSIC, "VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_swedish_ci",
     "('a'),('B'),('\xc3\xa9')"},
    {ON_CLASSIC, "CHAR(20) CHARACTER SET utf16 COLLATE utf16_bin", "('a'),('B'),('\xc3\xa9')"},
    {ON_MYSQL | ON_TIDB, "VARCHAR(20) COLLATE utf8mb4_0900_ai_ci", "('a'),('B'),('\xc3\xa9z')"},
    {ON_MARIADB, "VARCHAR(20) COLLATE utf8mb4_uca1400_ai_ci", "('a'),('B'),('\xc3\xa9z')"},
    {ON_ALL, "VARBINARY(20)", "(x'00'),(x'ff'),(x''),(x'27'),(x'0000'),(x'5c')"},
    {ON_ALL, "BINARY(4)", "(x'00'),(x'ff'),(x'27'),(x'01')"},
    {ON_MARIADB, "UUID",
     "('00000000-0000-0000-0000-000000000000'),('11111111-2222-1333-8444-555555555555'),"
     "('21111111-2222-4333-8444-555555555555')"},
    {ON_MARIADB, "INET6", "('::'),('::ffff:1.2.3.4'),('fe80::1')"},
    {ON_MARIADB, "INET4", "('0.0.0.0'),('1.2.3.4'),('200.1.1.1')"},
};

static bool explain_has_range(const struct server *s, const char *where)
{
    struct strbuf sql = {0};
    struct result *result = NULL;
    struct err err = ERR_INIT;
    struct row row;
    bool more = true;
    bool found = false;

    strbuf_addf(&sql, "EXPLAIN %s SELECT pad FROM k WHERE %s",
                s->vendor == VENDOR_MYSQL ? "FORMAT = TRADITIONAL" : "", where);
    if (conn_queryz(s->source, strbuf_str(&sql), &result, &err))
        fail_msg("%s: %s", strbuf_str(&sql), err.msg);
    while (!result_next(result, &row, &more, &err) && more) {
        for (unsigned i = 0; i < row.count; i++) {
            char *cell = row.cell[i] ? xstrndup(row.cell[i], row.len[i]) : xstrdup("");

            found = found || strcmp(cell, "range") == 0 || strcmp(cell, "const") == 0 ||
                    strstr(cell, "RangeScan") || strstr(cell, "Point_Get") ||
                    strstr(cell, "Impossible") || strstr(cell, "TableDual");
            free(cell);
        }
    }
    result_free(result);
    strbuf_release(&sql);
    return found;
}

/* Below an unsigned type's 0 lies nothing: TiDB takes "> 0" for the whole table. */
static bool range_expected(const struct server *s, const struct column *c,
                           const struct strbuf *where)
{
    return strcmp(strbuf_str(where), "FALSE") != 0 && !(s->vendor == VENDOR_TIDB && c->is_unsigned);
}

static void assert_matches(const struct server *s, const struct column *c, enum key_order order,
                           const struct cells *cells, unsigned at, unsigned want)
{
    struct strbuf where = {0};
    struct strbuf sql = {0};
    struct strbuf count = {0};

    key_compare_expr(c, order, cells->text[at], cells->len[at], &where);
    strbuf_addf(&sql, "SELECT COUNT(*) FROM k WHERE %s", strbuf_str(&where));
    strbuf_addf(&count, "%u", want);
    assert_value(s->source, strbuf_str(&sql), strbuf_str(&count));
    if (order == KEY_GREATER && range_expected(s, c, &where) &&
        !explain_has_range(s, strbuf_str(&where)))
        fail_msg("%s: no range for %s", c->type_text, strbuf_str(&where));
    strbuf_release(&where);
    strbuf_release(&sql);
    strbuf_release(&count);
}

static void try_key(const struct server *s, const struct key_case *k)
{
    struct cells cells;
    struct strbuf sql = {0};
    struct schema *schema;
    const struct column *c;

    run(s->conn, "DROP TABLE IF EXISTS k");
    strbuf_addf(&sql,
                "CREATE TABLE k (c %s NOT NULL, pad INT DEFAULT 1, x VARCHAR(500) DEFAULT "
                "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx', PRIMARY KEY (c))",
                k->type);
    run(s->conn, strbuf_str(&sql));
    strbuf_reset(&sql);
    strbuf_addf(&sql, "INSERT INTO k (c) VALUES %s", k->rows);
    run(s->conn, strbuf_str(&sql));
    schema = given_schema(s, DB ".k");
    c = column_of(schema, "k", "c");
    assert_true(key_column_usable(c));
    strbuf_reset(&sql);
    strbuf_addstr(&sql, "SELECT ");
    key_select_expr(c, &sql);
    strbuf_addstr(&sql, " FROM k ORDER BY c");
    cells = query(s->source, strbuf_str(&sql));
    for (unsigned i = 0; i < cells.count; i++) {
        assert_matches(s, c, KEY_LESS, &cells, i, i);
        assert_matches(s, c, KEY_LESS_EQUAL, &cells, i, i + 1);
        assert_matches(s, c, KEY_EQUAL, &cells, i, 1);
        assert_matches(s, c, KEY_GREATER_EQUAL, &cells, i, cells.count - i);
        assert_matches(s, c, KEY_GREATER, &cells, i, cells.count - i - 1);
    }
    cells_release(&cells);
    schema_free(schema);
    strbuf_release(&sql);
}

static void keys_are_ranges(void **state)
{
    const struct server *s = server_or_skip(state);

    for (size_t i = 0; i < sizeof(key_cases) / sizeof(key_cases[0]); i++) {
        if (key_cases[i].where & 1U << s->vendor)
            try_key(s, &key_cases[i]);
    }
}

/* Values read by column_select_expr and written as text again are the same bits. */
static void floats_survive(void **state)
{
    static const char values[] =
        "(1, 0.1, 0.1, 1.3833992614000001), (2, -1e-45, -5e-324, -1.5), (3, 3.4028234e38,"
        " 1.7976931348623157e308, 0), (4, 16777217, 9007199254740993, 1), (5, 123456.789,"
        " 123456789012345678, 0.1), (6, 1.17549435e-38, -2.2250738585072014e-308, 0.2),"
        " (7, NULL, NULL, NULL), (8, -0e0, -0e0, 0)";
    const struct server *s = server_or_skip(state);
    struct strbuf sql = {0};
    struct schema *schema;
    const struct table *t;

    run(s->conn, "CREATE TABLE a (id INT PRIMARY KEY, f FLOAT, d DOUBLE, dm DOUBLE(15,10))");
    run(s->conn, "CREATE TABLE b (id INT PRIMARY KEY, f FLOAT, d DOUBLE, dm DOUBLE(15,10))");
    strbuf_addf(&sql, "INSERT INTO a VALUES %s", values);
    run(s->conn, strbuf_str(&sql));
    run(s->conn, "INSERT INTO b (id) SELECT id FROM a");
    schema = given_schema(s, DB ".a");
    t = &schema->tables[0];
    for (unsigned i = 1; i < t->column_count; i++) {
        struct cells cells;

        strbuf_reset(&sql);
        strbuf_addstr(&sql, "SELECT ");
        column_select_expr(&t->columns[i], conn_flavour(s->source), &sql);
        strbuf_addstr(&sql, " FROM a ORDER BY id");
        cells = query(s->source, strbuf_str(&sql));
        assert_int_equal(cells.count, 8);
        for (unsigned row = 0; row < cells.count; row++) {
            strbuf_reset(&sql);
            strbuf_addf(&sql, "UPDATE b SET %s = ", t->columns[i].name);
            if (cells.text[row])
                key_literal(&t->columns[i], cells.text[row], cells.len[row], &sql);
            else
                strbuf_addstr(&sql, "NULL");
            strbuf_addf(&sql, " WHERE id = %u", row + 1);
            run(s->conn, strbuf_str(&sql));
        }
        cells_release(&cells);
    }
    assert_value(s->source,
                 "SELECT COUNT(*) FROM a JOIN b ON a.id = b.id AND a.f <=> b.f AND a.d <=> b.d"
                 " AND a.dm <=> b.dm AND CONCAT(a.f * 1e0) <=> CONCAT(b.f * 1e0)",
                 "8");
    schema_free(schema);
    strbuf_release(&sql);
}

static void zerofill_is_a_plain_number(void **state)
{
    const struct server *s = server_or_skip(state);
    struct strbuf sql = {0};
    struct schema *schema;

    run(s->conn, "CREATE TABLE z (n INT(10) UNSIGNED ZEROFILL)");
    run(s->conn, "INSERT INTO z VALUES (7)");
    schema = given_schema(s, DB ".z");
    strbuf_addstr(&sql, "SELECT ");
    column_select_expr(column_of(schema, "z", "n"), conn_flavour(s->source), &sql);
    strbuf_addstr(&sql, " FROM z");
    assert_value(s->source, strbuf_str(&sql), "7");
    schema_free(schema);
    strbuf_release(&sql);
}

#define SERVER_TEST(f) cmocka_unit_test_prestate(f, s)

static bool server_open(struct server *s)
{
    struct err err = ERR_INIT;
    const char *text = getenv(s->variable); /* NOLINT(concurrency-mt-unsafe): one thread yet */

    if (!text || !*text) {
        (void)printf("skipped: %s is not set\n", s->variable);
        return true;
    }
    if (server_url_parse(text, &s->url, &err) ||
        conn_open(&s->url, CONN_TARGET, "test", &s->conn, &err) ||
        conn_open(&s->url, CONN_SOURCE, "test", &s->source, &err)) {
        (void)fprintf(stderr, "%s: %s\n", s->variable, err.msg);
        return false;
    }
    return true;
}

static int run_server(const char *name, struct server *s)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(reads_tables),
        SERVER_TEST(reads_columns_alike),
        SERVER_TEST(reads_what_only_some_have),
        SERVER_TEST(reads_keys),
        SERVER_TEST(keeps_databases_of_other_case_apart),
        SERVER_TEST(shows_create),
        SERVER_TEST(keys_are_ranges),
        SERVER_TEST(floats_survive),
        SERVER_TEST(zerofill_is_a_plain_number),
    };
    int failed = 1;

    if (server_open(s))
        failed = cmocka_run_group_tests_name(name, tests, NULL, NULL);
    conn_close(s->source);
    conn_close(s->conn);
    server_url_release(&s->url);
    return failed;
}

int main(void)
{
    struct server mariadb = {.variable = "FERRY_TEST_MARIADB", .vendor = VENDOR_MARIADB};
    struct server mysql = {.variable = "FERRY_TEST_MYSQL", .vendor = VENDOR_MYSQL};
    struct server tidb = {.variable = "FERRY_TEST_TIDB", .vendor = VENDOR_TIDB};
    struct err err = ERR_INIT;
    int failed;

    if (conn_library_init(&err))
        return 1;
    failed = run_server("schema.mariadb", &mariadb);
    failed += run_server("schema.mysql", &mysql);
    failed += run_server("schema.tidb", &tidb);
    conn_library_end();
    return failed != 0;
}
