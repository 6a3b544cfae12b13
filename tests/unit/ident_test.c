#include "common/mysql/ident.h"
#include "tests/unit/cmocka_all.h"

static void doubles_backquotes(void **state)
{
    struct strbuf sb = {0};

    (void)state;
    strbuf_add_ident(&sb, "a`b``");
    assert_string_equal(strbuf_str(&sb), "`a``b`````");
    strbuf_reset(&sb);
    strbuf_add_table(&sb, "d", "");
    assert_string_equal(strbuf_str(&sb), "`d`.``");
    strbuf_release(&sb);
}

static void escapes_text(void **state)
{
    struct strbuf sb = {0};

    (void)state;
    strbuf_add_quoted(&sb, "a\0b'c\\\n\r\x1a\"%_\t", 13);
    assert_string_equal(strbuf_str(&sb), "'a\\0b\\'c\\\\\\n\\r\\Z\"%_\t'");
    strbuf_reset(&sb);
    strbuf_add_quotedz(&sb, "");
    assert_string_equal(strbuf_str(&sb), "''");
    strbuf_release(&sb);
}

static void writes_hex(void **state)
{
    struct strbuf sb = {0};

    (void)state;
    strbuf_addch(&sb, '=');
    strbuf_add_hex_literal(&sb, "\x00\xffz", 3);
    assert_string_equal(strbuf_str(&sb), "=x'00ff7a'");
    assert_int_equal(sb.len, 10);
    strbuf_reset(&sb);
    strbuf_add_hex_literal(&sb, NULL, 0);
    assert_string_equal(strbuf_str(&sb), "x''");
    strbuf_release(&sb);
}

static void names_for_people(void **state)
{
    static const struct {
        const char *db, *table, *want;
    } cases[] = {
        {"shop", "orders_2$", "shop.orders_2$"},
        {"my shop", "orders", "`my shop`.orders"},
        {"a.b", "c`d", "`a.b`.`c``d`"},
        {"größe", "", "größe.``"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct strbuf sb = {0};

        strbuf_add_name(&sb, cases[i].db, cases[i].table);
        assert_string_equal(strbuf_str(&sb), cases[i].want);
        strbuf_release(&sb);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubles_backquotes),
        cmocka_unit_test(escapes_text),
        cmocka_unit_test(writes_hex),
        cmocka_unit_test(names_for_people),
    };

    return cmocka_run_group_tests_name("ident", tests, NULL, NULL);
}
