/* The DEFINER clause, in the forms in which servers print it. */
#include "dumper/definer.h"

#include "tests/unit/cmocka_all.h"

#include <stdlib.h>
#include <string.h>

static void assert_rewritten(const char *how, const char *sql, const char *expected)
{
    struct err err = ERR_INIT;
    struct strbuf out = {0};
    struct definer d;

    assert_int_equal(definer_parse(how, &d, &err), ERR_OK);
    definer_rewrite(&d, sql, strlen(sql), &out);
    assert_string_equal(strbuf_str(&out), expected);
    strbuf_release(&out);
}

static void keeps_every_byte(void **state)
{
    static const char sql[] = "CREATE DEFINER=`a``@`@`%` TRIGGER t SET x=1";

    (void)state;
    assert_rewritten("keep", sql, sql);
}

static void strips(void **state)
{
    (void)state;
    assert_rewritten("strip", "CREATE DEFINER=`a`@`%` TRIGGER `t` x", "CREATE TRIGGER `t` x");
    assert_rewritten("strip",
                     "CREATE ALGORITHM=UNDEFINED DEFINER=`a ``@ b`@`%` SQL SECURITY DEFINER VIEW "
                     "`v` AS select 'DEFINER=`a`@`b`'",
                     "CREATE ALGORITHM=UNDEFINED SQL SECURITY DEFINER VIEW `v` AS select "
                     "'DEFINER=`a`@`b`'");
    assert_rewritten("strip", "CREATE OR REPLACE DEFINER = \"a\"@\"h\" PROCEDURE p() SELECT 1",
                     "CREATE OR REPLACE PROCEDURE p() SELECT 1");
    assert_rewritten("strip", "CREATE DEFINER=`role` FUNCTION f", "CREATE FUNCTION f");
    assert_rewritten("strip", "CREATE DEFINER=CURRENT_USER EVENT e", "CREATE EVENT e");
}

static void replaces(void **state)
{
    (void)state;
    assert_rewritten("x@y@10.%", "CREATE DEFINER=`a`@`%` TRIGGER t",
                     "CREATE DEFINER=`x@y`@`10.%` TRIGGER t");
    assert_rewritten("a`b@h", "CREATE DEFINER=`a`@`%` EVENT e",
                     "CREATE DEFINER=`a``b`@`h` EVENT e");
}

static void leaves_what_has_none(void **state)
{
    static const char *const texts[] = {
        "CREATE TRIGGER t SET @definer=1", "CREATE", "", "CREATE DEFINER", "CREATE DEFINER ",
        "create view v as select 1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_rewritten("strip", texts[i], texts[i]);
}

static void survives_cut_texts(void **state)
{
    static const char sql[] = "CREATE OR REPLACE ALGORITHM=MERGE DEFINER=`a``b`@`h` VIEW v";

    (void)state;
    for (size_t len = 0; len < sizeof sql; len++) {
        struct definer d = {.kind = DEFINER_STRIP};
        struct strbuf out = {0};
        char *copy = malloc(len + 1);

        assert_non_null(copy);
        memcpy(copy, sql, len);
        definer_rewrite(&d, copy, len, &out);
        assert_true(out.len <= len);
        strbuf_release(&out);
        free(copy);
    }
}

static void refuses(void **state)
{
    static const char *const bad[] = {"", "nobody", "@h", "a@", "KEEP"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct err err = ERR_INIT;
        struct definer d;

        assert_int_equal(definer_parse(bad[i], &d, &err), ERR_USAGE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_every_byte),   cmocka_unit_test(strips),
        cmocka_unit_test(replaces),           cmocka_unit_test(leaves_what_has_none),
        cmocka_unit_test(survives_cut_texts), cmocka_unit_test(refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
