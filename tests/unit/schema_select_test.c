#include "common/schema/select.h"
#include "tests/unit/cmocka_all.h"

#include <string.h>

static struct column given_column(const char *type, const char *charset, const char *collation)
{
    struct column c = {.name = "c", .type_text = type, .charset = charset, .collation = collation};

    column_parse_type(type, &c);
    return c;
}

static void reads(void **state)
{
    static const struct {
        const char *type, *column, *key;
    } table[] = {
        {"int", "`c`", "`c`"},
        {"int(5) unsigned zerofill", "`c`+0", "`c`+0"},
        {"decimal(5,2) unsigned zerofill", "`c`+0", "`c`+0"},
        {"float", "`c`*1e0", "`c`*1e0"},
        {"float(7,3) unsigned zerofill", "`c`*1e0", "`c`*1e0"},
        {"double", "`c`", "`c`*1e0"},
        {"double(10,2)", "`c`*1e0", "`c`*1e0"},
        {"double unsigned zerofill", "`c`*1e0", "`c`*1e0"},
        {"year(4)", "`c`", "`c`"},
        {"year(2)", "IF(`c`<70,2000,1900)+`c`", NULL},
        {"bit(3)", "`c`", "`c`+0"},
        {"enum('a')", "`c`", "`c`+0"},
        {"set('a')", "`c`", NULL},
        {"varchar(3)", "`c`", "`c`"},
        {"blob", "`c`", "`c`"},
        {"json", "`c`", NULL},
        {"point", "`c`", NULL},
        {"vector(3)", "`c`", NULL},
        {"uuid", "`c`", "`c`"},
        {"nonsense", "`c`", NULL},
    };
    static const struct flavour flavour = {.vendor = VENDOR_MYSQL};

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct column c = given_column(table[i].type, NULL, NULL);
        struct strbuf out = {0};

        column_select_expr(&c, &flavour, &out);
        assert_string_equal(strbuf_str(&out), table[i].column);
        assert_int_equal(key_column_usable(&c), table[i].key != NULL);
        strbuf_reset(&out);
        key_select_expr(&c, &out);
        if (table[i].key)
            assert_string_equal(strbuf_str(&out), table[i].key);
        strbuf_release(&out);
    }
}

static void literals(void **state)
{
    static const struct {
        const char *type, *charset, *collation, *cell, *literal;
    } table[] = {
        {"int", NULL, NULL, "-5", "-5"},
        {"bigint unsigned", NULL, NULL, "18446744073709551615", "18446744073709551615"},
        {"decimal(5,2)", NULL, NULL, "-1.50", "-1.50"},
        {"float", NULL, NULL, "0.10000000149011612", "0.10000000149011612e0"},
        {"float", NULL, NULL, "1.401298464324817e-45", "1.401298464324817e-45"},
        {"double", NULL, NULL, "-3", "-3e0"},
        {"bit(64)", NULL, NULL, "9223372036854775808", "9223372036854775808"},
        {"enum('a','b')", "utf8mb4", "utf8mb4_bin", "2", "2"},
        {"year", NULL, NULL, "0000", "0000"},
        {"date", NULL, NULL, "0000-00-00", "'0000-00-00'"},
        {"time(6)", NULL, NULL, "-838:59:59.000000", "'-838:59:59.000000'"},
        {"uuid", NULL, NULL, "0-1", "'0-1'"},
        {"varchar(5)", "utf8mb4", "utf8mb4_general_ci", "it's",
         "_utf8mb4'it\\'s' COLLATE utf8mb4_general_ci"},
        {"char(5)", "latin1", "latin1_swedish_ci", "\xc3\xa9",
         "CONVERT(_utf8mb4'\xc3\xa9' USING latin1) COLLATE latin1_swedish_ci"},
        {"varchar(5)", "binary", "binary", "a'", "x'6127'"},
        {"varbinary(5)", NULL, NULL, "", "x''"},
        {"binary(2)", NULL, NULL, "ab", "x'6162'"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct column c = given_column(table[i].type, table[i].charset, table[i].collation);
        struct strbuf out = {0};

        key_literal(&c, table[i].cell, strlen(table[i].cell), &out);
        assert_string_equal(strbuf_str(&out), table[i].literal);
        strbuf_release(&out);
    }
}

static void compare_is(const char *type, enum key_order order, const char *cell, const char *want)
{
    struct column c = given_column(type, NULL, NULL);
    struct strbuf out = {0};

    key_compare_expr(&c, order, cell, strlen(cell), &out);
    assert_string_equal(strbuf_str(&out), want);
    strbuf_release(&out);
}

static void compares(void **state)
{
    static const char labels[] = "enum('z','b','a')";

    (void)state;
    compare_is("int", KEY_LESS, "-5", "`c` < -5");
    compare_is("int", KEY_LESS_EQUAL, "7", "`c` <= 7");
    compare_is("int", KEY_EQUAL, "7", "`c` = 7");
    compare_is("int", KEY_GREATER_EQUAL, "7", "`c` >= 7");
    compare_is("date", KEY_GREATER, "2020-01-01", "`c` > '2020-01-01'");
    compare_is(labels, KEY_GREATER, "1", "`c` IN (2,3)");
    compare_is(labels, KEY_GREATER, "3", "FALSE");
    compare_is(labels, KEY_GREATER_EQUAL, "3", "`c` IN (3)");
    compare_is(labels, KEY_EQUAL, "2", "`c` IN (2)");
    compare_is(labels, KEY_LESS, "2", "`c` IN (0,1)");
    compare_is(labels, KEY_LESS_EQUAL, "2", "`c` IN (0,1,2)");
    compare_is(labels, KEY_LESS, "0", "FALSE");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads),
        cmocka_unit_test(literals),
        cmocka_unit_test(compares),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
