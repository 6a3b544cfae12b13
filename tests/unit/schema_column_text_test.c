/* Columns as statements define them. */
#include "common/schema/column_text.h"
#include "tests/unit/cmocka_all.h"

#include <string.h>

static void reads_columns_as_the_server_describes_them(void **state)
{
    static const struct {
        const char *text, *type, *charset; /* type NULL: refused */
    } cases[] = {
        {"x INTEGER(5) UNSIGNED", "int(5) unsigned", NULL},
        {"x int8 zerofill", "bigint unsigned zerofill", NULL},
        {"x BOOL", "tinyint(1)", NULL},
        {"x serial", "bigint unsigned", NULL},
        {"x NUMERIC", "decimal(10,0)", NULL},
        {"x dec ( 9 , 3 )", "decimal(9,3)", NULL},
        {"x float(25)", "double", NULL},
        {"x FLOAT(7,2)", "float(7,2)", NULL},
        {"x double precision", "double", NULL},
        {"x CHAR", "char(1)", "latin1"},
        {"x character varying(9) COLLATE utf8mb4_bin", "varchar(9)", "utf8mb4"},
        {"x varchar(9) CHARACTER SET utf8", "varchar(9)", "utf8mb3"},
        {"x nvarchar(9)", "varchar(9)", "utf8mb3"},
        {"x varchar(9) charset binary", "varbinary(9)", NULL},
        {"x text CHARACTER SET binary", "blob", NULL},
        {"x TEXT(70000)", "mediumtext", "latin1"},
        {"x TEXT(20000) CHARACTER SET utf8mb4", "mediumtext", "utf8mb4"},
        {"x blob(200)", "tinyblob", NULL},
        {"x LONG VARBINARY", "mediumblob", NULL},
        {"x ENUM('a', 'it''s', \"b\\\\c \")", "enum('a','it''s','b\\\\c')", "latin1"},
        {"x bit", "bit(1)", NULL},
        {"x DATETIME(6) NOT NULL", "datetime(6)", NULL},
        {"x json", "longtext", "utf8mb4"},
        {"x varchar(65535) CHARACTER SET utf8mb4", NULL, NULL},
        {"x char(5) UNICODE", NULL, NULL},
        {"x wonder(5)", NULL, NULL},
    };
    const struct flavour server = {.vendor = VENDOR_MARIADB, .version = 101100};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new();
        struct strbuf sql = {0};
        struct err err = ERR_INIT;
        struct ddl_table t;
        struct ddl_text d;
        struct column c;
        enum err_code rc;

        strbuf_addf(&sql, "CREATE TABLE t (%s)", cases[i].text);
        assert_int_equal(ddl_text_init(&d, strbuf_str(&sql), &server, arena, &err), ERR_OK);
        assert_int_equal(ddl_table_parse(&d, &t, &err), ERR_OK);
        rc = column_of_text(&d, &t.items[0], &server, "latin1_swedish_ci", &c, &err);
        assert_int_equal(rc, cases[i].type ? ERR_OK : ERR_FORMAT);
        if (!rc) {
            assert_string_equal(c.type_text, cases[i].type);
            assert_string_equal(c.charset ? c.charset : "-",
                                cases[i].charset ? cases[i].charset : "-");
        }
        strbuf_release(&sql);
        arena_free(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_columns_as_the_server_describes_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
