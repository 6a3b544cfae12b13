#include "common/schema/hold.h"
#include "tests/unit/cmocka_all.h"

#include <string.h>

/* "TYPE[ charset NAME][ null][ generated]" */
static struct column given_column(const char *text, char *type, size_t size)
{
    struct column c = {.name = "c", .type_text = type};
    const char *charset = strstr(text, " charset ");
    const char *null = strstr(text, " null");
    const char *generated = strstr(text, " generated");
    const char *end = charset ? charset : null ? null : generated ? generated : text + strlen(text);

    assert_true((size_t)(end - text) < size);
    memcpy(type, text, (size_t)(end - text));
    type[end - text] = '\0';
    column_parse_type(type, &c);
    if (charset)
        c.charset = charset + 9;
    c.nullable = null != NULL;
    c.generated = generated ? GENERATED_STORED : GENERATED_NO;
    return c;
}

static const struct hold_case {
    const char *src, *dst;
    bool holds;
} cases[] = {
    /* numbers */
    {"int(11)", "int", true},
    {"int", "int(11)", true},
    {"int", "bigint(20)", true},
    {"bigint", "int", false},
    {"int", "int unsigned", false},
    {"int unsigned", "int", false},
    {"int unsigned", "bigint", true},
    {"bigint unsigned", "bigint", false},
    {"bigint unsigned", "bigint unsigned", true},
    {"tinyint unsigned", "smallint unsigned", true},
    {"tinyint(1)", "bit(1)", false},
    {"int", "decimal(10,0)", true},
    {"int", "decimal(10,1)", false},
    {"bigint unsigned", "decimal(20,0) unsigned", true},
    {"bigint unsigned", "decimal(19,0)", false},
    {"bigint", "decimal(19,0) unsigned", false},
    {"int", "double", false},
    {"int", "varchar(20) charset utf8mb4", false},
    {"decimal(10,2)", "decimal(10,2)", true},
    {"decimal(10,2)", "decimal(12,3)", true},
    {"decimal(10,2)", "decimal(10,3)", false},
    {"decimal(10,2)", "decimal(11,1)", false},
    {"decimal(10,2)", "decimal(10,2) unsigned", false},
    {"decimal(10,0)", "bigint", false},
    {"float", "float", true},
    {"float", "double", true},
    {"float", "float(7,3)", false},
    {"float(7,3)", "float", true},
    {"float(7,3)", "float(8,3)", true},
    {"float(7,3)", "float(7,2)", false},
    {"float(7,3)", "double(7,3)", false},
    {"float", "float unsigned", false},
    {"double", "float", false},
    {"double", "double", true},
    {"double(10,2)", "double(10,2)", true},
    {"double(20,4)", "double(20,4)", false},
    {"double(20,4)", "double", true},
    {"double", "double(10,2)", false},
    {"bit(8)", "bit(9)", true},
    {"bit(9)", "bit(8)", false},
    {"year(4)", "year", true},
    {"year(2)", "year(4)", true},
    {"year(4)", "year(2)", false},
    {"year", "int", false},
    /* times */
    {"datetime", "datetime(6)", true},
    {"datetime(6)", "datetime(3)", false},
    {"datetime(3) /* mariadb-5.3 */", "datetime(3)", true},
    {"datetime", "timestamp", false},
    {"timestamp", "datetime", false},
    {"date", "datetime", false},
    {"datetime", "date", false},
    {"date", "date", true},
    {"time(2)", "time(2)", true},
    {"time(2)", "time", false},
    /* text */
    {"char(10) charset utf8mb4", "char(10) charset utf8mb4", true},
    {"char(10) charset utf8mb4", "varchar(10) charset utf8mb4", true},
    {"varchar(10) charset utf8mb4", "char(10) charset utf8mb4", false},
    {"varchar(10) charset utf8mb4", "varchar(9) charset utf8mb4", false},
    {"varchar(63) charset utf8mb4", "tinytext charset utf8mb4", true},
    {"varchar(64) charset utf8mb4", "tinytext charset utf8mb4", false},
    {"tinytext charset utf8mb4", "varchar(255) charset utf8mb4", true},
    {"text charset utf8mb4", "varchar(255) charset utf8mb4", false},
    {"text charset latin1", "text charset utf8mb4", true},
    {"text charset utf8mb4", "mediumtext charset utf8mb4", true},
    {"mediumtext charset utf8mb4", "text charset utf8mb4", false},
    {"text charset latin1", "text charset utf8mb3", true},
    {"text charset utf8", "text charset utf8mb3", true},
    {"text charset utf8mb4", "text charset utf8mb3", false},
    {"text charset utf8mb4", "text charset latin1", false},
    {"text charset latin1", "text charset latin1", true},
    {"text charset ascii", "text charset latin1", true},
    {"text charset latin1", "text charset ascii", false},
    {"text charset gbk", "text charset utf8mb4", true},
    {"text charset gbk", "text charset utf8mb3", false},
    {"text charset gbk", "text charset gbk", true},
    {"text charset utf8mb4", "blob", false},
    {"blob", "text charset utf8mb4", false},
    {"longtext charset utf8mb4", "json", false},
    {"json", "json", true},
    {"json", "longtext charset utf8mb4", true},
    {"json", "longtext charset utf8mb3", false},
    {"json", "mediumtext charset utf8mb4", false},
    /* bytes */
    {"binary(16)", "binary(16)", true},
    {"binary(16)", "binary(17)", false},
    {"binary(16)", "varbinary(16)", true},
    {"varbinary(16)", "binary(16)", false},
    {"varbinary(16)", "varbinary(20)", true},
    {"varbinary(256)", "tinyblob", false},
    {"tinyblob", "varbinary(255)", true},
    {"blob", "mediumblob", true},
    {"blob", "tinyblob", false},
    {"char(3) charset binary", "varbinary(3)", true},
    {"point", "point", true},
    {"point", "geometry", true},
    {"geometry", "point", false},
    {"geomcollection", "geometrycollection", true},
    {"vector(3)", "vector(3)", true},
    {"vector(3)", "vector(4)", false},
    {"vector(3)", "vector", true},
    {"vector(3)", "vector(3) charset utf8mb4", false},
    {"point", "blob", false},
    /* labels */
    {"enum('a','b') charset latin1", "enum('a','b','c') charset utf8mb4", true},
    {"enum('a','b') charset utf8mb4", "enum('a') charset utf8mb4", false},
    {"enum('a','b') charset utf8mb4", "enum('b','a') charset utf8mb4", false},
    {"enum('a','b') charset utf8mb4", "enum('a','B') charset utf8mb4", false},
    {"set('a','b') charset utf8mb4", "set('a','b') charset utf8mb4", true},
    {"enum('a') charset utf8mb4", "set('a') charset utf8mb4", false},
    {"enum('a') charset utf8mb4", "varchar(10) charset utf8mb4", false},
    /* MariaDB's own */
    {"uuid", "uuid", true},
    {"uuid", "char(36) charset utf8mb4", true},
    {"uuid", "varchar(35) charset utf8mb4", false},
    {"uuid", "binary(16)", false},
    {"inet4", "varchar(15) charset ascii", true},
    {"inet4", "inet6", false},
    {"inet6", "varchar(38) charset utf8mb4", false},
    {"inet6", "varchar(39) charset utf8mb4", true},
    /* rules for every type */
    {"int null", "int", false},
    {"int", "int null", true},
    {"int null", "int null", true},
    {"int", "int generated", false},
    {"xmltype", "xmltype", false},
};

static void columns(void **state)
{
    struct table t = {.db = "d", .name = "t"};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err err = ERR_INIT;
        char src_type[64];
        char dst_type[64];
        struct column src = given_column(cases[i].src, src_type, sizeof(src_type));
        struct column dst = given_column(cases[i].dst, dst_type, sizeof(dst_type));
        enum err_code rc = column_can_hold(&t, &dst, &src, &err);

        if (rc != (cases[i].holds ? ERR_OK : ERR_LOAD_TABLE_SHAPE))
            print_error("%s into %s: %s\n", cases[i].src, cases[i].dst, err.msg);
        assert_int_equal(rc, cases[i].holds ? ERR_OK : ERR_LOAD_TABLE_SHAPE);
    }
}

static void says_what_and_why(void **state)
{
    struct table t = {.db = "shop", .name = "orders"};
    struct column src = {.name = "c", .type_text = "bigint(20)", .type = TYPE_BIGINT};
    struct column dst = {.name = "c", .type_text = "int", .type = TYPE_INT, .nullable = true};
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(column_can_hold(&t, &dst, &src, &err), ERR_LOAD_TABLE_SHAPE);
    assert_string_equal(err.msg, "table 'shop.orders' column 'c' of type 'int' cannot hold the "
                                 "dump's 'bigint(20) not null': its range is smaller");
}

static void expect(struct table *dst, struct table *src, const char *message)
{
    struct err err = ERR_INIT;
    enum err_code rc = table_can_hold(dst, src, &err);

    assert_string_equal(err.msg, message ? message : "");
    assert_int_equal(rc, message ? ERR_LOAD_TABLE_SHAPE : ERR_OK);
}

static void tables(void **state)
{
    struct column from[] = {
        {.name = "id", .type_text = "int", .type = TYPE_INT},
        {.name = "g", .type_text = "int", .type = TYPE_INT, .generated = GENERATED_STORED},
    };
    struct column to[] = {
        {.name = "g", .type_text = "int", .type = TYPE_INT, .generated = GENERATED_VIRTUAL},
        {.name = "ID", .type_text = "int", .type = TYPE_INT},
        {.name = "more", .type_text = "int", .type = TYPE_INT, .nullable = true},
    };
    struct table src = {.db = "d", .name = "t", .columns = from, .column_count = 2};
    struct table dst = {.db = "d", .name = "t", .columns = to, .column_count = 3};

    (void)state;
    expect(&dst, &src, NULL);
    to[2].nullable = false;
    expect(&dst, &src, "table 'd.t' column 'more' is not in the dump and has no default");
    to[2].default_text = "1";
    expect(&dst, &src, NULL);
    to[0].generated = GENERATED_NO;
    expect(&dst, &src,
           "table 'd.t' column 'g' is generated in the source and not in the target: its values "
           "are not in the dump");
    dst.columns = to + 2;
    dst.column_count = 1;
    expect(&dst, &src, "table 'd.t' column 'id' is in the dump and not in the target");
    dst.kind = TABLE_VIEW;
    expect(&dst, &src, "table 'd.t' is not a table that rows can be loaded into");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns),
        cmocka_unit_test(says_what_and_why),
        cmocka_unit_test(tables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
