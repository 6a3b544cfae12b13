/* Definitions under other names. */
#include "tests/unit/cmocka_all.h"

#include "common/base/strbuf.h"
#include "common/schema/rename.h"

static const struct flavour mariadb = {.vendor = VENDOR_MARIADB, .version = 101106};

static const struct rename_case {
    enum object_kind kind;
    const char *sql, *expected;
} cases[] = {
    {OBJECT_DATABASE, "CREATE DATABASE `shop` /*!40100 DEFAULT CHARACTER SET utf8mb4 */",
     "CREATE DATABASE `shop2` /*!40100 DEFAULT CHARACTER SET utf8mb4 */"},
    {OBJECT_TABLE, "CREATE TABLE `t` (`t` int, `n` int DEFAULT nextval(`shop`.`s`))",
     "CREATE TABLE `shop2`.`u` (`t` int, `n` int DEFAULT nextval(`shop2`.`s`))"},
    {OBJECT_TABLE, "ALTER TABLE `x` ADD CONSTRAINT `t` FOREIGN KEY (`a`) REFERENCES `t` (`id`)",
     "ALTER TABLE `shop2`.`x` ADD CONSTRAINT `t` FOREIGN KEY (`a`) REFERENCES `shop2`.`u` (`id`)"},
    {OBJECT_TABLE, "ALTER TABLE `x` ADD FOREIGN KEY (`a`) REFERENCES `far`.`t` (`id`)",
     "ALTER TABLE `shop2`.`x` ADD FOREIGN KEY (`a`) REFERENCES `far`.`t` (`id`)"},
    {OBJECT_VIEW,
     "CREATE VIEW `shop`.`v` AS select `shop`.`t`.`id` AS `id`,trim('a' from `o`.`t`) AS `t` from "
     "(`shop`.`t` join `shop`.`x` `o` on(`shop`.`t`.`id` = `o`.`id`))",
     "CREATE VIEW `shop2`.`v` AS select `t`.`id` AS `id`,trim('a' from `o`.`t`) AS `t` from "
     "(`shop2`.`u` AS `t` join `shop2`.`x` `o` on(`t`.`id` = `o`.`id`))"},
    {OBJECT_VIEW, "CREATE VIEW `v` AS with `t` as (select 1 AS `a`) select `t`.`a` AS `a` from `t`",
     "CREATE VIEW `shop2`.`v` AS with `t` as (select 1 AS `a`) select `t`.`a` AS `a` from `t`"},
    {OBJECT_VIEW, "CREATE VIEW `v` AS select `shop`.`f`(`shop`.`x`.`a`) AS `r` from `shop`.`x`",
     "CREATE VIEW `shop2`.`v` AS select `shop2`.`f`(`shop2`.`x`.`a`) AS `r` from `shop2`.`x`"},
    {OBJECT_SEQUENCE, "CREATE SEQUENCE `s` start with 1",
     "CREATE SEQUENCE `shop2`.`s` start with 1"},
};

static void names_follow_the_rules(void **state)
{
    const char *const rules[] = {"shop.*=shop2.*", "shop.t=shop2.u"};
    struct err err = ERR_INIT;
    struct route *route = NULL;

    (void)state;
    assert_int_equal(route_new(rules, 2, &route, &err), ERR_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct rename_params p = {
            .route = route, .flavour = &mariadb, .db = "shop", .kind = cases[i].kind};
        struct strbuf out = {0};

        assert_int_equal(rename_definition(cases[i].sql, &p, &out, &err), ERR_OK);
        assert_string_equal(strbuf_str(&out), cases[i].expected);
        strbuf_release(&out);
    }
    route_free(route);
}

static void the_text_of_rules_is_canonical(void **state)
{
    const char *const one[] = {"a.*=b.*", "a.t=`b`.`x.y`"};
    const char *const other[] = {"`a`.t=b.`x.y`", "a.*=`b`.*"};
    const char *const bad[] = {"a=b",     "a.*=b.c",  "a.t=b.*",     "a.t",
                               "*.t=b.t", "a.t*=b.t", "a.*=mysql.*", "a.`t=b.t"};
    struct err err = ERR_INIT;
    struct route *x = NULL, *y = NULL;

    (void)state;
    assert_int_equal(route_new(one, 2, &x, &err), ERR_OK);
    assert_int_equal(route_new(other, 2, &y, &err), ERR_OK);
    assert_string_equal(route_text(x), "`a`.*=`b`.*, `a`.`t`=`b`.`x.y`");
    assert_string_equal(route_text(x), route_text(y));
    route_free(x);
    route_free(y);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(route_new(&bad[i], 1, &x, &err), ERR_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_follow_the_rules),
        cmocka_unit_test(the_text_of_rules_is_canonical),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
