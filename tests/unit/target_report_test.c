#include "common/target/report.h"

#include "common/base/mem.h"
#include "tests/unit/cmocka_all.h"

#include <stdlib.h>

static void takes_the_key_name_out_of_each_servers_words(void **state)
{
    static const struct {
        const char *words, *table, *key;
    } cases[] = {
        /* MySQL 5.5 to 8.0.18, MariaDB, TiDB before 5.2 */
        {"Duplicate entry '1' for key 'PRIMARY'", "t", "PRIMARY"},
        {"Duplicate entry '1' for key 'PRIMARY' (1062)", "t", "PRIMARY"},
        /* MySQL 8.0.19 and later, TiDB */
        {"Duplicate entry '1' for key 't.PRIMARY'", "t", "PRIMARY"},
        {"Duplicate entry '1' for key 't.PRIMARY' (1062)", "t", "PRIMARY"},
        {"Duplicate entry '1-a' for key 'T.uniq'", "t", "uniq"},
        {"Duplicate entry 'x' for key 'a.b.c.d'", "a.b", "c.d"},
        /* the key's own name has a dot */
        {"Duplicate entry 'x' for key 'k.1'", "t", "k.1"},
        {"Duplicate entry 'x' for key 't.k.1'", "t", "k.1"},
        /* the value says what the message says */
        {"Duplicate entry '' for key 'x' for key 't.real'", "t", "real"},
        {"Duplicate entry 'it's' for key 'o'k'", "t", "o'k"},
        {"Duplicate entry '' for key 'u'", "t", "u"},
        /* MySQL before 5.5 gave a number; others say nothing of a key */
        {"Duplicate entry '1' for key 1", "t", NULL},
        {"Data truncated for column 'a' at row 1", "t", NULL},
        {"", "t", NULL},
        {"Duplicate entry '1' for key '", "t", NULL},
        {"Duplicate entry '1' for key ''", "t", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *key = refusal_key_of_message(cases[i].words, cases[i].table);

        if (cases[i].key) {
            assert_non_null(key);
            assert_string_equal(key, cases[i].key);
        } else {
            assert_null(key);
        }
        free(key);
    }
}

static void writes_one_line_for_people(void **state)
{
    struct refusal conflict = {.db = xstrdup("shop"),
                               .table = xstrdup("t"),
                               .key = xstrdup("PRIMARY"),
                               .key_values = xstrdup("(17)"),
                               .words = xstrdup("Duplicate entry '17'"),
                               .file = xstrdup("shop.t.000000001.sql"),
                               .row = 17};
    struct refusal value = {.db = xstrdup("shop"),
                            .table = xstrdup("t"),
                            .words = xstrdup("Data too long"),
                            .file = xstrdup("f"),
                            .row = 1};
    struct strbuf out = {0};

    (void)state;
    refusal_text(&conflict, &out);
    assert_string_equal(strbuf_str(&out), "shop.t: row 17 of 'shop.t.000000001.sql': duplicate key "
                                          "PRIMARY (17): Duplicate entry '17'");
    strbuf_reset(&out);
    refusal_text(&value, &out);
    assert_string_equal(strbuf_str(&out), "shop.t: row 1 of 'f': value refused: Data too long");
    strbuf_release(&out);
    refusal_release(&conflict);
    refusal_release(&value);
}

static void shows_the_keys_values(void **state)
{
    struct column columns[4] = {
        {.name = "id", .type_text = "int", .type = TYPE_INT},
        {.name = "name", .type_text = "varchar(200)", .type = TYPE_VARCHAR},
        {.name = "raw", .type_text = "varbinary(200)", .type = TYPE_VARBINARY},
        {.name = "made", .type_text = "int", .type = TYPE_INT}};
    struct key_part parts[5] = {
        {.column = 1}, {.column = 0}, {.column = 2}, {.column = 3}, {.expression = true}};
    struct key key = {.name = "u", .parts = parts, .part_count = 5};
    struct table t = {.columns = columns, .column_count = 4};
    const int cell_of[4] = {0, 1, 2, -1};
    char longer[101];
    const char *cells[3] = {"7", "it's", "\x01\xff"};
    unsigned long lens[3] = {1, 4, 2};
    struct row row = {cells, lens, 3};
    struct strbuf out = {0};

    (void)state;
    refusal_key_values(&t, &key, cell_of, &row, &out);
    assert_string_equal(strbuf_str(&out), "('it\\'s',7,x'01ff',?,?)");

    /* long values are cut, never inside a character; NULL is none */
    memset(longer, 'a', sizeof longer);
    longer[63] = '\xc3';
    longer[64] = '\xa4';
    cells[1] = longer;
    lens[1] = 100;
    cells[2] = NULL;
    strbuf_reset(&out);
    key.part_count = 3;
    refusal_key_values(&t, &key, cell_of, &row, &out);
    assert_int_equal(out.len, 1 + 1 + 63 + 1 + 3 + strlen(",7,NULL)"));
    assert_non_null(strstr(out.str, "a'...,7,NULL)"));
    strbuf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_the_key_name_out_of_each_servers_words),
        cmocka_unit_test(writes_one_line_for_people),
        cmocka_unit_test(shows_the_keys_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
