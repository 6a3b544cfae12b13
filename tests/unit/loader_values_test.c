/* The loader against real servers: each type arrives as it was, by both paths. */
#include "tests/unit/loader_bench.h"

#include "common/base/mem.h"

#include <stdlib.h>

/* ---- values ---- */

#define CELL(s)                                                                                    \
    {                                                                                              \
        s, sizeof(s) - 1                                                                           \
    }
#define NONE                                                                                       \
    {                                                                                              \
        NULL, 0                                                                                    \
    }
#define VALUES 6
struct value {
    const char *text;
    unsigned long len;
};
struct value_column {
    struct gen_column column;
    struct value values[VALUES];
};
#define UTF8 "utf8mb4", "utf8mb4_bin"
static const struct value_column value_columns[] = {
    {{"id", "bigint", NULL, NULL, CELL_NUMBER},
     {CELL("0"), CELL("1"), CELL("2"), CELL("3"), CELL("4"), CELL("5")}},
    {{"b1", "bit(1)", NULL, NULL, CELL_BIT},
     {CELL("\0"), CELL("\1"), NONE, CELL("\0"), CELL("\1"), CELL("\1")}},
    {{"b8", "bit(8)", NULL, NULL, CELL_BIT},
     {CELL("\0"), CELL("\xff"), NONE, CELL("\t"), CELL("\\"), CELL("1")}},
    {{"b9", "bit(9)", NULL, NULL, CELL_BIT},
     {CELL("\0\0"), CELL("\1\xff"), NONE, CELL("\1\n"), CELL("\0\\"), CELL("\0\x31")}},
    {{"b64", "bit(64)", NULL, NULL, CELL_BIT},
     {CELL("\0\0\0\0\0\0\0\0"), CELL("\xff\xff\xff\xff\xff\xff\xff\xff"), NONE,
      CELL("\x80\0\0\0\0\0\0\0"), CELL("12345678"), CELL("\0\0\0\0\0\0\\N")}},
    {{"e", "enum('2','1','x','','N')", UTF8, CELL_TEXT},
     {CELL("2"), CELL("1"), CELL(""), CELL("N"), CELL("x"), NONE}},
    {{"e2", "enum('a','3','2')", UTF8, CELL_TEXT},
     {CELL("a"), CELL("3"), CELL("2"), CELL("3"), CELL("2"), NONE}},
    {{"s", "set('1','2','x y','4')", UTF8, CELL_TEXT},
     {CELL(""), CELL("1"), CELL("2"), CELL("1,2,x y,4"), CELL("4"), NONE}},
    {{"y", "year", NULL, NULL, CELL_NUMBER},
     {CELL("0000"), CELL("1901"), CELL("2155"), CELL("1970"), CELL("2069"), NONE}},
    {{"d", "date", NULL, NULL, CELL_TEXT},
     {CELL("0000-00-00"), CELL("9999-12-31"), CELL("1000-01-01"), CELL("0001-01-01"),
      CELL("2024-02-29"), NONE}},
    {{"dt", "datetime(6)", NULL, NULL, CELL_TEXT},
     {CELL("0000-00-00 00:00:00.000000"), CELL("9999-12-31 23:59:59.999999"),
      CELL("1000-01-01 00:00:00.000001"), CELL("2024-03-31 02:30:00.123456"),
      CELL("1970-01-01 00:00:00.000000"), NONE}},
    {{"ts", "timestamp(3)", NULL, NULL, CELL_TEXT},
     {CELL("0000-00-00 00:00:00.000"), CELL("2038-01-19 03:14:07.999"),
      CELL("1970-01-01 00:00:01.000"), CELL("2024-03-31 02:30:00.123"),
      CELL("2024-10-27 02:30:00.123"), NONE}},
    {{"t", "time(6)", NULL, NULL, CELL_TEXT},
     {CELL("-838:59:59.000000"), CELL("838:59:59.000000"), CELL("00:00:00.000000"),
      CELL("-00:00:00.000001"), CELL("100:00:00.100000"), NONE}},
    {{"f", "float", NULL, NULL, CELL_NUMBER},
     {CELL("0.10000000149011612"), CELL("3.4028234663852886e38"), CELL("-1.1754943508222875e-38"),
      CELL("16777216"), CELL("123456.7890625"), NONE}},
    {{"db", "double", NULL, NULL, CELL_NUMBER},
     {CELL("0.1"), CELL("1.7976931348623157e308"), CELL("-2.2250738585072014e-308"), CELL("5e-324"),
      CELL("1e20"), NONE}},
    {{"de", "decimal(65,30)", NULL, NULL, CELL_NUMBER},
     {CELL("99999999999999999999999999999999999.999999999999999999999999999999"),
      CELL("-0.000000000000000000000000000001"), CELL("0.000000000000000000000000000000"),
      CELL("-1.000000000000000000000000000000"),
      CELL("12345678901234567890.123456789012345678901234567890"), NONE}},
    {{"bu", "bigint unsigned", NULL, NULL, CELL_NUMBER},
     {CELL("18446744073709551615"), CELL("0"), CELL("9223372036854775808"), CELL("1"), CELL("2"),
      NONE}},
    {{"bi", "bigint", NULL, NULL, CELL_NUMBER},
     {CELL("-9223372036854775808"), CELL("9223372036854775807"), CELL("0"), CELL("-1"), CELL("2"),
      NONE}},
    {{"vc", "varchar(50)", UTF8, CELL_TEXT},
     {CELL("\xc3\xa9\xf0\x9f\x98\x80 "), CELL("a\tb\nc\\d\0\x1a\r"), CELL(""), CELL("\\N"),
      CELL("NULL"), NONE}},
    {{"l1", "varchar(50)", "latin1", "latin1_bin", CELL_TEXT},
     {CELL("\xc3\xa9\xc3\xbc"), CELL("a"), CELL(""), CELL("\xc3\xbf"), CELL("' \""), NONE}},
    {{"tx", "longtext", UTF8, CELL_TEXT},
     {CELL("\xf0\x9f\x98\x80"), CELL("\t\t\n\n\\\\"), CELL(""), CELL("\\"), CELL("0"), NONE}},
    {{"bn", "binary(4)", NULL, NULL, CELL_BYTES},
     {CELL("\0\0\0\0"), CELL("\xff\xfe\0\\"), CELL("a\t\n\r"), CELL("    "), CELL("\\N\\N"), NONE}},
    {{"bl", "longblob", NULL, NULL, CELL_BYTES},
     {CELL("\xc3"), CELL("\xff\xfe\0\\\0"), CELL(""), CELL("\\N"), CELL("\x80\x81'\""), NONE}},
    {{"js", "json", NULL, NULL, CELL_JSON},
     {CELL("{\"a\": 1.5, \"b\": [1, \"x\", null, true]}"), CELL("\"\xc3\xa9\\n\\\"\\\\\""),
      CELL("null"), CELL("[]"), CELL("-17"), NONE}},
};
#define VALUE_COLUMNS (sizeof value_columns / sizeof value_columns[0])

static void value_row(unsigned i, struct gen_cells *c)
{
    for (unsigned k = 0; k < VALUE_COLUMNS; k++) {
        c->cell[k] = value_columns[k].values[i].text;
        c->len[k] = value_columns[k].values[i].len;
    }
}

static void value_is(const struct gen_column *column, const struct value *v, const char *cell,
                     unsigned long len)
{
    bool floats = strcmp(column->type, "float") == 0 || strcmp(column->type, "double") == 0;

    if (!v->text || !cell) {
        if (v->text || cell)
            fail_msg("%s: NULL is not what it was", column->name);
        return;
    }
    if (floats) {
        if (strtod(v->text, NULL) < strtod(cell, NULL) ||
            strtod(v->text, NULL) > strtod(cell, NULL))
            fail_msg("%s: %s, not %s", column->name, cell, v->text);
        return;
    }
    if (len != v->len || memcmp(cell, v->text, len) != 0)
        fail_msg("%s: '%.*s', not '%.*s'", column->name, (int)len, cell, (int)v->len, v->text);
}

static void values_are(struct bench *b)
{
    struct result *r = NULL;
    struct strbuf sql = {0};
    struct err err = ERR_INIT;

    strbuf_addstr(&sql, "SELECT ");
    for (unsigned k = 0; k < VALUE_COLUMNS; k++)
        strbuf_addf(&sql,
                    strcmp(value_columns[k].column.type, "float") == 0 ? "%sCAST(`%s` AS DOUBLE)"
                                                                       : "%s`%s`",
                    k ? "," : "", value_columns[k].column.name);
    strbuf_addstr(&sql, " FROM " DB ".v ORDER BY id");
    OK(conn_query(b->c, sql.str, sql.len, false, &r, &err));
    for (unsigned i = 0; i < VALUES; i++) {
        struct row row;
        bool more = false;

        OK(result_next(r, &row, &more, &err));
        assert_true(more);
        for (unsigned k = 0; k < VALUE_COLUMNS; k++)
            value_is(&value_columns[k].column, &value_columns[k].values[i], row.cell[k],
                     row.len[k]);
    }
    result_free(r);
    strbuf_release(&sql);
}

static void loads_values_exactly(void **state)
{
    NEEDS_SERVER(state, b)
    struct gen_column columns[VALUE_COLUMNS];
    struct gen_table t = {.name = "v",
                          .columns = columns,
                          .column_count = VALUE_COLUMNS,
                          .rows = VALUES,
                          .chunk_rows = VALUES,
                          .row = value_row};
    struct strbuf create = {0};

    strbuf_addstr(&create, "CREATE TABLE `v` (");
    for (unsigned k = 0; k < VALUE_COLUMNS; k++) {
        columns[k] = value_columns[k].column;
        strbuf_addf(&create, "%s`%s` %s", k ? "," : "", columns[k].name, columns[k].type);
        if (columns[k].charset)
            strbuf_addf(&create, " CHARACTER SET %s COLLATE %s", columns[k].charset,
                        columns[k].collation);
        strbuf_addstr(&create, k ? " NULL" : " NOT NULL AUTO_INCREMENT PRIMARY KEY");
    }
    strbuf_addch(&create, ')');
    t.create = strbuf_str(&create);
    for (enum load_path path = LOAD_PATH_AUTO; path <= LOAD_PATH_INSERT; path++) {
        struct store *s = gen_dump(&t, 1);
        struct err err = ERR_INIT;
        struct loading l = load(b, s, (struct load_config){.path = path});

        ok(l.rc, &l.err, "load_run");
        assert_true(l.report.careful_batches == (path == LOAD_PATH_INSERT));
        loaded(&l);
        values_are(b);
        OK(conn_execz(b->c, "DROP DATABASE " DB, &err));
        store_free(s);
    }
    strbuf_release(&create);
}

/* The error value of an ENUM (index 0, the text '') is no label, and is kept. */
static const struct gen_column enum_columns[] = {{"id", "bigint", NULL, NULL, CELL_NUMBER},
                                                 {"e", "enum('a','b','it''s')", UTF8, CELL_TEXT}};
static void enum_row(unsigned i, struct gen_cells *c)
{
    gen_number(c, 0, 0, i);
    gen_text(c, 1, i % 10 == 3 ? "" : "it's");
}
static void keeps_the_error_value_of_an_enum(void **state)
{
    NEEDS_SERVER(state, b)
    const struct gen_table t = {
        "e",
        "CREATE TABLE e (id bigint NOT NULL PRIMARY KEY, e enum('a','b','it''s') CHARACTER SET "
        "utf8mb4 COLLATE utf8mb4_bin NOT NULL)",
        enum_columns,
        2,
        50,
        100,
        enum_row};
    struct store *s = gen_dump(&t, 1);
    struct loading l = load(b, s, (struct load_config){0});

    loaded(&l);
    said(b, "SELECT GROUP_CONCAT(id ORDER BY id) FROM " DB ".e WHERE e=0", "3,13,23,33,43");
    said(b, "SELECT COUNT(*) FROM " DB ".e WHERE e=3 AND e='it''s'", "45");
    store_free(s);
}

/* Rows above what a LOAD may be on TiDB, and one above what TiDB takes at all. */
static const struct gen_column wide_columns[] = {{"id", "bigint", NULL, NULL, CELL_NUMBER},
                                                 {"b", "longblob", NULL, NULL, CELL_BYTES}};
static void wide_row_of(unsigned i, unsigned most, struct gen_cells *c)
{
    static char wide[8 << 20];

    wide[i] = (char)i;
    gen_number(c, 0, 0, i);
    c->cell[1] = wide;
    c->len[1] = i == 7 ? most : i % 3 == 0 ? 300000 : 10;
}
static void wide_row(unsigned i, struct gen_cells *c)
{
    wide_row_of(i, 5 << 20, c);
}
static void too_wide_row(unsigned i, struct gen_cells *c)
{
    wide_row_of(i, 7 << 20, c);
}
static void loads_wide_rows(void **state)
{
    NEEDS_SERVER(state, b)
    struct gen_table t = {
        "w",          "CREATE TABLE w (id bigint NOT NULL PRIMARY KEY, b longblob NOT NULL)",
        wide_columns, 2,
        20,           100,
        wide_row};
    struct store *s;
    struct loading l;

    s = gen_dump(&t, 1);
    l = load(b, s, (struct load_config){0});
    loaded(&l);
    said(b, "SELECT CONCAT(COUNT(*),' ',SUM(LENGTH(b))) FROM " DB ".w", "20 7343000");
    store_free(s);
    if (b->vendor == VENDOR_TIDB) {
        struct err err = ERR_INIT;

        OK(conn_execz(b->c, "DROP DATABASE " DB, &err));
        t.row = too_wide_row;
        s = gen_dump(&t, 1);
        l = load(b, s, (struct load_config){0});
        assert_int_equal(l.rc, ERR_LOAD_BAD_VALUE);
        assert_int_equal(l.report.refusal_count, 1);
        assert_true(l.report.refusals[0].row == 8);
        load_report_release(&l.report);
        store_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH(loads_values_exactly),
        ON_EACH(keeps_the_error_value_of_an_enum),
        ON_EACH(loads_wide_rows),
    };
    struct err err = ERR_INIT;
    int failed;

    OK(conn_library_init(&err));
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    conn_library_end();
    return failed;
}
