#include "common/schema/collation.h"
#include "common/schema/collation_rows.h"
#include "tests/unit/cmocka_all.h"

#include <string.h>

static const struct flavour mysql57 = {.vendor = VENDOR_MYSQL, .version = 50744};
static const struct flavour mysql97 = {.vendor = VENDOR_MYSQL, .version = 90704};
static const struct flavour maria10 = {.vendor = VENDOR_MARIADB, .version = 101119};
static const struct flavour maria11 = {.vendor = VENDOR_MARIADB, .version = 110800};
static const struct flavour tidb84 = {.vendor = VENDOR_TIDB, .version = 80400};
static const struct flavour tidb61 = {.vendor = VENDOR_TIDB, .version = 60100};

static const struct {
    const char *collation;
    const struct flavour *target;
    struct collation_wish wish;
    const char *name;
    enum collation_relation relation;
} map_cases[] = {
    {"utf8mb4_general_ci", &tidb84, {.key = true}, "utf8mb4_general_ci", COLLATION_SAME},
    {"utf8mb4_0900_ai_ci", &tidb84, {.key = true}, "utf8mb4_0900_ai_ci", COLLATION_SAME},
    {"utf8mb4_0900_ai_ci", &tidb61, {.key = false}, "utf8mb4_unicode_ci", COLLATION_MIXED},
    {"utf8mb4_0900_ai_ci", &tidb61, {.key = true}, "utf8mb4_bin", COLLATION_MIXED},
    {"utf8mb4_ru_0900_ai_ci", &tidb84, {.key = true}, "utf8mb4_0900_ai_ci", COLLATION_EQUAL},
    {"utf8mb4_0900_as_cs", &tidb84, {.key = false}, "utf8mb4_0900_bin", COLLATION_FINER},
    {"latin1_bin", &tidb84, {.key = true}, "utf8mb4_bin", COLLATION_EQUAL},
    {"latin1_general_cs", &tidb84, {.key = true}, "utf8mb4_bin", COLLATION_EQUAL},
    {"latin1_swedish_ci", &tidb84, {.key = false}, "utf8mb4_general_ci", COLLATION_MIXED},
    {"latin1_swedish_ci", &tidb84, {.key = true}, "utf8mb4_bin", COLLATION_FINER},
    {"latin1_swedish_ci", &tidb84, {true, true}, "utf8_bin", COLLATION_FINER},
    {"latin1_swedish_nopad_ci", &tidb84, {.key = true}, "utf8mb4_0900_bin", COLLATION_FINER},
    {"ascii_general_ci", &tidb84, {.key = true}, "utf8mb4_general_ci", COLLATION_EQUAL},
    {"ascii_bin", &tidb84, {.key = true}, "ascii_bin", COLLATION_SAME},
    {"ascii_general_nopad_ci", &tidb84, {.key = false}, "utf8mb4_general_ci", COLLATION_COARSER},
    {"big5_chinese_ci", &tidb84, {.key = true}, "utf8mb4_bin", COLLATION_FINER},
    {"utf8mb3_general_ci", &tidb84, {.key = true}, "utf8mb3_general_ci", COLLATION_SAME},
    {"utf8_swedish_ci", &tidb84, {.key = false}, "utf8_unicode_ci", COLLATION_MIXED},
    {"utf16_unicode_ci", &tidb84, {.key = true}, "utf8mb4_unicode_ci", COLLATION_EQUAL},
    {"gbk_chinese_ci", &tidb84, {.key = false}, "gbk_chinese_ci", COLLATION_COARSER},
    {"gb18030_bin", &tidb84, {.key = true}, "utf8mb4_bin", COLLATION_EQUAL},
    {"binary", &tidb84, {.key = true}, "binary", COLLATION_SAME},
    {"uca1400_ai_ci", &tidb84, {.key = false}, "utf8mb4_0900_ai_ci", COLLATION_MIXED},
    {"utf8mb3_uca1400_ai_cs", &tidb84, {.key = false}, "utf8_bin", COLLATION_FINER},
    {"klingon_ci", &tidb84, {.key = false}, "utf8mb4_bin", COLLATION_FINER},
    {"utf8mb4_da_0900_as_cs",
     &maria10,
     {.key = false},
     "utf8mb4_uca1400_danish_nopad_as_cs",
     COLLATION_MIXED},
    {"utf8mb4_ja_0900_as_cs_ks",
     &maria10,
     {.key = false},
     "utf8mb4_uca1400_nopad_as_cs",
     COLLATION_MIXED},
    {"utf8mb4_0900_bin", &maria10, {.key = false}, "utf8mb4_nopad_bin", COLLATION_EQUAL},
    {"latin1_swedish_ci", &maria10, {.key = true}, "latin1_swedish_ci", COLLATION_SAME},
    {"utf8mb4_uca1400_turkish_as_ci",
     &mysql97,
     {.key = false},
     "utf8mb4_0900_as_ci",
     COLLATION_MIXED},
    {"utf8mb4_uca1400_turkish_ai_cs",
     &mysql97,
     {.key = false},
     "utf8mb4_tr_0900_as_cs",
     COLLATION_MIXED},
    {"utf8mb3_uca1400_ai_ci", &mysql97, {.key = false}, "utf8mb3_unicode_520_ci", COLLATION_MIXED},
    {"utf8mb4_uca1400_ai_ci", &mysql57, {.key = false}, "utf8mb4_unicode_520_ci", COLLATION_MIXED},
    {"utf8mb3_general_ci", &mysql57, {.key = false}, "utf8_general_ci", COLLATION_EQUAL},
    {"cp1251_nopad_bin", &mysql97, {.key = false}, "cp1251_bin", COLLATION_COARSER},
};

static void collations_are_mapped(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof map_cases / sizeof *map_cases; i++) {
        struct collation_map map;

        collation_map(map_cases[i].collation, map_cases[i].target, map_cases[i].wish, &map);
        if (strcmp(map.name, map_cases[i].name) != 0 || map.relation != map_cases[i].relation)
            fail_msg("%s: %s, relation %d", map_cases[i].collation, map.name, (int)map.relation);
    }
}

static void rows_of_collations_are_sorted(void **state)
{
    (void)state;
    for (size_t i = 1; i < collation_row_count; i++)
        assert_true(strcmp(collation_rows[i - 1].name, collation_rows[i].name) < 0);
}

static void bare_character_sets_mean_a_collation(void **state)
{
    (void)state;
    assert_string_equal(charset_default_collation("utf8mb4", &mysql57), "utf8mb4_general_ci");
    assert_string_equal(charset_default_collation("utf8mb4", &mysql97), "utf8mb4_0900_ai_ci");
    assert_string_equal(charset_default_collation("utf8mb4", &maria10), "utf8mb4_general_ci");
    assert_string_equal(charset_default_collation("utf8mb4", &maria11), "utf8mb4_uca1400_ai_ci");
    assert_string_equal(charset_default_collation("utf8mb4", &tidb84), "utf8mb4_bin");
    assert_string_equal(charset_default_collation("utf8", &tidb84), "utf8mb3_bin");
    assert_string_equal(charset_default_collation("LATIN1", &mysql57), "latin1_swedish_ci");
    assert_null(charset_default_collation("klingon", &mysql57));
}

static void character_sets_have_sizes(void **state)
{
    (void)state;
    assert_int_equal(charset_max_bytes("latin1"), 1);
    assert_int_equal(charset_max_bytes("utf8"), 3);
    assert_int_equal(charset_max_bytes("utf8mb4"), 4);
    assert_true(charset_grows("latin1"));
    assert_false(charset_grows("utf8mb3"));
    assert_true(charset_known("gbk", &tidb84));
    assert_false(charset_known("gb18030", &tidb84));
    assert_false(charset_known("gb18030", &maria10));
    assert_true(charset_known("gb18030", &mysql97));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(collations_are_mapped),
        cmocka_unit_test(rows_of_collations_are_sorted),
        cmocka_unit_test(bare_character_sets_mean_a_collation),
        cmocka_unit_test(character_sets_have_sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
