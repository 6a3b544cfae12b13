#include "common/schema/model.h"
#include "common/schema/type_parse.h"
#include "tests/unit/cmocka_all.h"

#include <string.h>

/* Texts as information_schema.COLUMNS.COLUMN_TYPE of MySQL, MariaDB and TiDB prints them. */
static const struct type_case {
    const char *text;
    enum column_type type;
    uint64_t length;
    unsigned precision, scale, fsp;
    bool is_unsigned, zerofill;
} cases[] = {
    {"tinyint(1)", TYPE_TINYINT, 0, 0, 0, 0, false, false},
    {"tinyint", TYPE_TINYINT, 0, 0, 0, 0, false, false},
    {"smallint(5) unsigned", TYPE_SMALLINT, 0, 0, 0, 0, true, false},
    {"mediumint unsigned", TYPE_MEDIUMINT, 0, 0, 0, 0, true, false},
    {"int(11)", TYPE_INT, 0, 0, 0, 0, false, false},
    {"int", TYPE_INT, 0, 0, 0, 0, false, false},
    {"int(10) unsigned zerofill", TYPE_INT, 0, 0, 0, 0, true, true},
    {"INT(10) UNSIGNED", TYPE_INT, 0, 0, 0, 0, true, false},
    {"bigint(20) unsigned", TYPE_BIGINT, 0, 0, 0, 0, true, false},
    {"bigint(21)", TYPE_BIGINT, 0, 0, 0, 0, false, false},
    {"decimal(65,30) unsigned", TYPE_DECIMAL, 0, 65, 30, 0, true, false},
    {"decimal(10,0)", TYPE_DECIMAL, 0, 10, 0, 0, false, false},
    {"decimal", TYPE_DECIMAL, 0, 10, 0, 0, false, false},
    {"float", TYPE_FLOAT, 0, 0, 0, 0, false, false},
    {"float unsigned", TYPE_FLOAT, 0, 0, 0, 0, true, false},
    {"float(7,3)", TYPE_FLOAT, 0, 7, 3, 0, false, false},
    {"float(24)", TYPE_FLOAT, 0, 0, 0, 0, false, false},
    {"double", TYPE_DOUBLE, 0, 0, 0, 0, false, false},
    {"double(10,2) unsigned zerofill", TYPE_DOUBLE, 0, 10, 2, 0, true, true},
    {"double precision", TYPE_DOUBLE, 0, 0, 0, 0, false, false},
    {"bit(1)", TYPE_BIT, 0, 1, 0, 0, false, false},
    {"bit(64)", TYPE_BIT, 0, 64, 0, 0, false, false},
    {"date", TYPE_DATE, 0, 0, 0, 0, false, false},
    {"time", TYPE_TIME, 0, 0, 0, 0, false, false},
    {"time(6)", TYPE_TIME, 0, 0, 0, 6, false, false},
    {"time(3) /* mariadb-5.3 */", TYPE_TIME, 0, 0, 0, 3, false, false},
    {"datetime /* mariadb-5.3 */", TYPE_DATETIME, 0, 0, 0, 0, false, false},
    {"datetime(6)", TYPE_DATETIME, 0, 0, 0, 6, false, false},
    {"timestamp(1) /* mysql-5.6 */", TYPE_TIMESTAMP, 0, 0, 0, 1, false, false},
    {"timestamp", TYPE_TIMESTAMP, 0, 0, 0, 0, false, false},
    {"year(4)", TYPE_YEAR, 0, 4, 0, 0, false, false},
    {"year", TYPE_YEAR, 0, 4, 0, 0, false, false},
    {"year(2)", TYPE_YEAR, 0, 2, 0, 0, false, false},
    {"char(255)", TYPE_CHAR, 255, 0, 0, 0, false, false},
    {"char", TYPE_CHAR, 1, 0, 0, 0, false, false},
    {"char(0)", TYPE_CHAR, 0, 0, 0, 0, false, false},
    {"varchar(16383)", TYPE_VARCHAR, 16383, 0, 0, 0, false, false},
    {"national varchar(10)", TYPE_VARCHAR, 10, 0, 0, 0, false, false},
    {"varchar(200) /*M!100301 COMPRESSED*/", TYPE_VARCHAR, 200, 0, 0, 0, false, false},
    {"tinytext", TYPE_TINYTEXT, 255, 0, 0, 0, false, false},
    {"text", TYPE_TEXT, 65535, 0, 0, 0, false, false},
    {"mediumtext", TYPE_MEDIUMTEXT, 16777215, 0, 0, 0, false, false},
    {"longtext", TYPE_LONGTEXT, 4294967295, 0, 0, 0, false, false},
    {"longtext /*M!100301 COMPRESSED*/", TYPE_LONGTEXT, 4294967295, 0, 0, 0, false, false},
    {"binary(16)", TYPE_BINARY, 16, 0, 0, 0, false, false},
    {"varbinary(65535)", TYPE_VARBINARY, 65535, 0, 0, 0, false, false},
    {"tinyblob", TYPE_TINYBLOB, 255, 0, 0, 0, false, false},
    {"blob", TYPE_BLOB, 65535, 0, 0, 0, false, false},
    {"mediumblob", TYPE_MEDIUMBLOB, 16777215, 0, 0, 0, false, false},
    {"longblob", TYPE_LONGBLOB, 4294967295, 0, 0, 0, false, false},
    {"enum('a')", TYPE_ENUM, 0, 1, 0, 0, false, false},
    {"enum('a','it''s','b\\\\','comma,x',')','''','')", TYPE_ENUM, 0, 7, 0, 0, false, false},
    {"set('','unsigned')", TYPE_SET, 0, 2, 0, 0, false, false},
    {"json", TYPE_JSON, 0, 0, 0, 0, false, false},
    {"geometry", TYPE_GEOMETRY, 0, 0, 0, 0, false, false},
    {"point", TYPE_GEOMETRY, 0, 0, 0, 0, false, false},
    {"multilinestring", TYPE_GEOMETRY, 0, 0, 0, 0, false, false},
    {"geomcollection", TYPE_GEOMETRY, 0, 0, 0, 0, false, false},
    {"geometrycollection", TYPE_GEOMETRY, 0, 0, 0, 0, false, false},
    {"vector(2048)", TYPE_VECTOR, 2048, 0, 0, 0, false, false},
    {"vector", TYPE_VECTOR, 0, 0, 0, 0, false, false},
    {"uuid", TYPE_UUID, 0, 0, 0, 0, false, false},
    {"inet4", TYPE_INET4, 0, 0, 0, 0, false, false},
    {"inet6", TYPE_INET6, 0, 0, 0, 0, false, false},
    {"", TYPE_OTHER, 0, 0, 0, 0, false, false},
    {"xmltype", TYPE_OTHER, 0, 0, 0, 0, false, false},
    {"varchar2(10)", TYPE_OTHER, 0, 0, 0, 0, false, false},
    {"int(", TYPE_OTHER, 0, 0, 0, 0, false, false},
    {"int()", TYPE_OTHER, 0, 0, 0, 0, false, false},
    {"int(11", TYPE_OTHER, 0, 0, 0, 0, false, false},
    {"int(99999999999999999999999)", TYPE_OTHER, 0, 0, 0, 0, false, false},
    {"int something", TYPE_OTHER, 0, 0, 0, 0, false, false},
    {"datetime(7)", TYPE_OTHER, 0, 0, 0, 0, false, false},
    {"date(3)", TYPE_OTHER, 0, 0, 0, 0, false, false},
    {"datetime /* open", TYPE_OTHER, 0, 0, 0, 0, false, false},
    {"enum", TYPE_OTHER, 0, 0, 0, 0, false, false},
    {"enum()", TYPE_OTHER, 0, 0, 0, 0, false, false},
    {"enum('a", TYPE_OTHER, 0, 0, 0, 0, false, false},
    {"enum('a','b'", TYPE_OTHER, 0, 0, 0, 0, false, false},
    {"enum('a\\", TYPE_OTHER, 0, 0, 0, 0, false, false},
};

static void types(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct type_case *t = &cases[i];
        struct column c = {.is_unsigned = true, .zerofill = true, .fsp = 9, .length = 9};

        column_parse_type(t->text, &c);
        if (c.type != t->type)
            print_error("%s\n", t->text);
        assert_int_equal(c.type, t->type);
        if (t->type == TYPE_OTHER)
            continue;
        if (c.length != t->length || c.precision != t->precision || c.scale != t->scale)
            print_error("%s\n", t->text);
        assert_int_equal(c.length, t->length);
        assert_int_equal(c.precision, t->precision);
        assert_int_equal(c.scale, t->scale);
        assert_int_equal(c.fsp, t->fsp);
        assert_int_equal(c.is_unsigned, t->is_unsigned);
        assert_int_equal(c.zerofill, t->zerofill);
    }
}

static void labels(void **state)
{
    static const char *const want[] = {"a", "it''s", "b\\\\", "x,y)", "", "q\\'"};
    const char *pos = type_labels("set('a','it''s','b\\\\','x,y)','','q\\'')");
    const char *label;
    size_t len;

    (void)state;
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        assert_true(type_label_next(&pos, &label, &len));
        assert_int_equal(len, strlen(want[i]));
        assert_memory_equal(label, want[i], len);
    }
    assert_false(type_label_next(&pos, &label, &len));
    assert_string_equal(pos, ")");
    pos = type_labels("json");
    assert_false(type_label_next(&pos, &label, &len));
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(column_type_name(TYPE_BIGINT), "bigint");
    assert_string_equal(column_type_name(TYPE_DOUBLE), "double");
    assert_string_equal(column_type_name(TYPE_GEOMETRY), "geometry");
    assert_string_equal(column_type_name(TYPE_OTHER), "unknown type");
    for (int t = TYPE_TINYINT; t < TYPE_COUNT; t++) {
        struct column c = {0};

        if (t == TYPE_ENUM || t == TYPE_SET)
            continue;
        column_parse_type(column_type_name((enum column_type)t), &c);
        assert_int_equal(c.type, t);
    }
}

static void forms(void **state)
{
    static const struct {
        const char *text, *charset;
        enum cell_form form;
    } table[] = {
        {"int", NULL, CELL_NUMBER},          {"decimal(5,1)", NULL, CELL_NUMBER},
        {"float", NULL, CELL_NUMBER},        {"year(4)", NULL, CELL_NUMBER},
        {"bit(3)", NULL, CELL_BIT},          {"json", NULL, CELL_JSON},
        {"blob", NULL, CELL_BYTES},          {"binary(3)", NULL, CELL_BYTES},
        {"point", NULL, CELL_BYTES},         {"vector(3)", NULL, CELL_BYTES},
        {"vector(3)", "utf8mb4", CELL_TEXT}, {"char(3)", "latin1", CELL_TEXT},
        {"char(3)", "binary", CELL_BYTES},   {"longtext", "utf8mb4", CELL_TEXT},
        {"enum('a')", "utf8mb4", CELL_TEXT}, {"date", NULL, CELL_TEXT},
        {"uuid", NULL, CELL_TEXT},           {"inet6", NULL, CELL_TEXT},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct column c = {.charset = table[i].charset};

        column_parse_type(table[i].text, &c);
        assert_int_equal(column_form(&c), table[i].form);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(types),
        cmocka_unit_test(labels),
        cmocka_unit_test(names),
        cmocka_unit_test(forms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
