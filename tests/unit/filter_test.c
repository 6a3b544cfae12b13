#include "common/mysql/filter.h"
#include "tests/unit/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATTERNS_MAX 4

static struct filter *given_filter(const char *const *patterns, bool case_sensitive)
{
    struct err err = ERR_INIT;
    struct filter *f = NULL;
    size_t count = 0;

    while (count < PATTERNS_MAX && patterns[count])
        count++;
    if (filter_new(patterns, count, case_sensitive, &f, &err))
        fail_msg("%s", err.msg);
    return f;
}

static void matches_tables(void **state)
{
    static const struct {
        const char *patterns[PATTERNS_MAX];
        const char *db, *table;
        bool match;
    } cases[] = {
        {{NULL}, "shop", "orders", true},
        {{NULL}, "mysql", "user", false},
        {{"*.*"}, "INFORMATION_SCHEMA", "TABLES", false},
        {{"*.*"}, "ferry_meta", "job", false},
        {{"# nothing", ""}, "shop", "orders", true},
        {{"shop.orders"}, "shop", "orders", true},
        {{"shop.orders"}, "SHOP", "Orders", true},
        {{"shop.orders"}, "shop", "orders2", false},
        {{"db*.t?"}, "db", "t1", true},
        {{"db*.t?"}, "dbase", "t", false},
        {{"db*.t?"}, "dbase", "t\xc3\xa4", true},
        {{"*a*b*.*"}, "xxaxxbxx", "t", true},
        {{"*a*b*.*"}, "xxbxxaxx", "t", false},
        {{"db[0-9].*"}, "db5", "t", true},
        {{"db[0-9].*"}, "dbx", "t", false},
        {{"db[!0-9a].*"}, "dbA", "t", false},
        {{"db[!0-9a].*"}, "dbx", "t", true},
        {{"db[\\]^-].*"}, "db]", "t", true},
        {{"db[\\]^-].*"}, "db-", "t", true},
        {{"a\\.b.c\\*"}, "a.b", "c*", true},
        {{"a\\.b.c\\*"}, "a.b", "cc", false},
        {{"`a.b`.\"c\"\"d\""}, "A.B", "c\"D", true},
        {{"`*`.*"}, "x", "t", false},
        {{"*.*", "!shop.*"}, "shop", "orders", false},
        {{"*.*", "!shop.*"}, "other", "orders", true},
        {{"*.*", "!shop.*", "shop.orders"}, "shop", "orders", true},
        {{"!shop.*"}, "other", "orders", true},
        {{"!shop.*"}, "shop", "orders", false},
        {{"!shop.*", "shop.a*"}, "shop", "abc", true},
        {{"  shop.orders\t"}, "shop", "orders", true},
        {{"/^db[0-9]+$/./x|y/"}, "DB12", "aya", true},
        {{"/^db[0-9]+$/./x|y/"}, "db", "aya", false},
        {{"/a\\/b|c\\.d/.*"}, "xa/bx", "t", true},
        {{"/a\\/b|c\\.d/.*"}, "cxd", "t", false},
        {{"gr\xc3\x96\xc3\x9f"
          "e.*"},
         "GR\xc3\xb6\xc3\x9f"
         "E",
         "t",
         true},
        {{"*.\xd0\x96*"}, "d", "\xd0\xb6\xd0\xb6", true},
        {{"*.?"}, "d", "\xff", true},
        {{"*.?"}, "d", "\xc3\xa4\xc3\xa4", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct filter *f = given_filter(cases[i].patterns, false);

        if (filter_match_table(f, cases[i].db, cases[i].table) != cases[i].match)
            fail_msg("case %zu: %s %s.%s", i, cases[i].patterns[0], cases[i].db, cases[i].table);
        filter_free(f);
    }
}

static void tells_case_when_asked(void **state)
{
    static const char *const patterns[PATTERNS_MAX] = {"Shop.o*", "/^x/.t"};
    struct filter *f = given_filter(patterns, true);

    (void)state;
    assert_true(filter_match_table(f, "Shop", "orders"));
    assert_false(filter_match_table(f, "shop", "orders"));
    assert_false(filter_match_table(f, "Shop", "Orders"));
    assert_false(filter_match_table(f, "Xa", "t"));
    filter_free(f);
}

static void tells_databases_without_a_match(void **state)
{
    static const char *const patterns[PATTERNS_MAX] = {"a*.*", "!ab.*", "!ac.x", "ab.y"};
    struct filter *f = given_filter(patterns, false);

    (void)state;
    assert_true(filter_match_db(f, "a"));
    assert_true(filter_match_db(f, "ab"));
    assert_true(filter_match_db(f, "ac"));
    assert_false(filter_match_db(f, "b"));
    assert_false(filter_match_db(f, "mysql"));
    filter_free(f);
    f = given_filter((const char *const[PATTERNS_MAX]){"!shop.*"}, false);
    assert_false(filter_match_db(f, "shop"));
    assert_true(filter_match_db(f, "other"));
    filter_free(f);
}

static void names_what_is_wrong(void **state)
{
    static const struct {
        const char *pattern, *words;
    } cases[] = {
        {"shop", "db.table"},
        {"shop.", "a name is missing"},
        {".orders", "a name is missing"},
        {"shop.orders.x", "something after"},
        {"`shop.x", "not closed"},
        {"``.x", "empty"},
        {"/shop.x", "not closed"},
        {"//.x", "empty"},
        {"/a(/.x", "("},
        {"/\\d/.x", "[0-9]"},
        {"/(?i)a/.x", "(?"},
        {"a-b.x", "quoted or escaped"},
        {"a\\b.x", "cannot be escaped"},
        {"a.x\\", "cannot be escaped"},
        {"[].x", "character class"},
        {"[a.x", "character class"},
        {"[a\\", "escaped"},
        {"@/no/such/file", "/no/such/file"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err err = ERR_INIT;
        struct filter *f = NULL;

        assert_int_equal(filter_new(&cases[i].pattern, 1, false, &f, &err), ERR_USAGE);
        assert_null(f);
        if (!strstr(err.msg, cases[i].words))
            fail_msg("%s: %s", cases[i].pattern, err.msg);
    }
}

static void reads_patterns_from_a_file(void **state)
{
    char path[] = "/tmp/ferry-filter-XXXXXX";
    char at[sizeof(path) + 1];
    const int fd = mkstemp(path);
    const char *pattern = at;
    struct err err = ERR_INIT;
    struct filter *f = NULL;
    static const char good[] = "# tables\r\n\n  shop.*  \n!shop.tmp*";
    static const char bad[] = "\nshop.*\n@other\n";

    (void)state;
    assert_true(fd >= 0);
    (void)snprintf(at, sizeof(at), "@%s", path);
    assert_int_equal(write(fd, good, sizeof(good) - 1), sizeof(good) - 1);
    assert_int_equal(filter_new(&pattern, 1, false, &f, &err), ERR_OK);
    assert_true(filter_match_table(f, "shop", "orders"));
    assert_false(filter_match_table(f, "shop", "tmp1"));
    assert_false(filter_match_table(f, "x", "tmp1"));
    filter_free(f);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(pwrite(fd, bad, sizeof(bad) - 1, 0), sizeof(bad) - 1);
    assert_int_equal(filter_new(&pattern, 1, false, &f, &err), ERR_USAGE);
    assert_non_null(strstr(err.msg, "line 3"));
    (void)close(fd);
    (void)unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_tables),
        cmocka_unit_test(tells_case_when_asked),
        cmocka_unit_test(tells_databases_without_a_match),
        cmocka_unit_test(names_what_is_wrong),
        cmocka_unit_test(reads_patterns_from_a_file),
    };

    return cmocka_run_group_tests_name("filter", tests, NULL, NULL);
}
