#include "common/target/ddl.h"

#include "tests/unit/cmocka_all.h"

struct expected {
    enum ddl_kind kind;
    const char *text;
};

static void splits(const char *text, const struct expected *expected, size_t count)
{
    const char *pos = text;
    const char *end = text + strlen(text);
    struct ddl_statement st;

    for (size_t i = 0; i < count; i++) {
        char copy[256];

        assert_true(ddl_next(&pos, end, &st));
        assert_true(st.len < sizeof copy);
        memcpy(copy, st.text, st.len);
        copy[st.len] = '\0';
        assert_string_equal(copy, expected[i].text);
        assert_int_equal(st.kind, expected[i].kind);
    }
    assert_false(ddl_next(&pos, end, &st));
    assert_false(ddl_next(&pos, end, &st));
}
#define SPLITS(text, ...)                                                                          \
    splits(text, (const struct expected[]){__VA_ARGS__},                                           \
           sizeof((const struct expected[]){__VA_ARGS__}) / sizeof(struct expected))

static void splits_statements(void **state)
{
    (void)state;
    splits("", NULL, 0);
    splits(" \n;;\t; -- nothing\n# at all\n/* but comments; */", NULL, 0);
    SPLITS("create table t (a int)", {DDL_CREATE, "create table t (a int)"});
    SPLITS("CREATE TABLE t (a int);\nDROP TABLE x ;\n", {DDL_CREATE, "CREATE TABLE t (a int)"},
           {DDL_DROP, "DROP TABLE x"});
    SPLITS("/*!40101 SET NAMES binary*/;\n/*T![placement] SET x=1 */;CREATE DATABASE `a;b`;",
           {DDL_SET, "/*!40101 SET NAMES binary*/"}, {DDL_SET, "/*T![placement] SET x=1 */"},
           {DDL_CREATE, "CREATE DATABASE `a;b`"});
    SPLITS("/*M!100100 CREATE TABLE t (a int) */",
           {DDL_CREATE, "/*M!100100 CREATE TABLE t (a int) */"});
    SPLITS("USE `x`; SET a=1; ALTER TABLE t ADD b int; CREATED", {DDL_SET, "USE `x`"},
           {DDL_SET, "SET a=1"}, {DDL_OTHER, "ALTER TABLE t ADD b int"}, {DDL_OTHER, "CREATED"});
    SPLITS("ALTER SEQUENCE `s` START WITH 1;DO SETVAL(`s`,2);DO SLEEP(1);DO SETVAL(",
           {DDL_SEQUENCE, "ALTER SEQUENCE `s` START WITH 1"}, {DDL_SEQUENCE, "DO SETVAL(`s`,2)"},
           {DDL_OTHER, "DO SLEEP(1)"}, {DDL_OTHER, "DO SETVAL("});
}

static void knows_quotes_and_comments(void **state)
{
    (void)state;
    SPLITS("CREATE TABLE t (a text COMMENT 'x;''y\\';z'); CREATE TABLE u (b int)",
           {DDL_CREATE, "CREATE TABLE t (a text COMMENT 'x;''y\\';z')"},
           {DDL_CREATE, "CREATE TABLE u (b int)"});
    SPLITS("CREATE TABLE `t;``\\` (a int) -- ; not the end\n COMMENT \"a;\"\"b\" # ; neither\n;",
           {DDL_CREATE,
            "CREATE TABLE `t;``\\` (a int) -- ; not the end\n COMMENT \"a;\"\"b\" # ; neither"});
    SPLITS("/* ; */ CREATE VIEW v AS SELECT 1--1 /* ; ' */ ;",
           {DDL_CREATE, "CREATE VIEW v AS SELECT 1--1 /* ; ' */"});
    SPLITS("CREATE TABLE t (a int)\n/*!50100 PARTITION BY HASH (a) COMMENT ';' */;",
           {DDL_CREATE, "CREATE TABLE t (a int)\n/*!50100 PARTITION BY HASH (a) COMMENT ';' */"});
    SPLITS("/*Tables and */ CREATE TABLE t (a int)", {DDL_CREATE, "CREATE TABLE t (a int)"});
}

static void survives_texts_that_break_off(void **state)
{
    (void)state;
    SPLITS("CREATE 'abc", {DDL_CREATE, "CREATE 'abc"});
    SPLITS("CREATE 'abc\\", {DDL_CREATE, "CREATE 'abc\\"});
    SPLITS("CREATE `", {DDL_CREATE, "CREATE `"});
    splits("/* open", NULL, 0);
    splits("--", NULL, 0);
    SPLITS("/", {DDL_OTHER, "/"});
    SPLITS("/*!", {DDL_OTHER, "/*!"});
    SPLITS("/*T![", {DDL_OTHER, "/*T!["});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_statements),
        cmocka_unit_test(knows_quotes_and_comments),
        cmocka_unit_test(survives_texts_that_break_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
