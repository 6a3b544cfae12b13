#include "common/schema/predicate.h"
#include "dumper/table_sql.h"

#include "tests/unit/cmocka_all.h"

static struct column columns[] = {
    {.name = "a", .type = TYPE_INT},
    {.name = "b`b", .type = TYPE_VARCHAR, .charset = "utf8mb4", .collation = "utf8mb4_bin"},
    {.name = "e", .type = TYPE_ENUM, .precision = 3},
    {.name = "g", .type = TYPE_INT, .generated = GENERATED_VIRTUAL},
    {.name = "h", .type = TYPE_INT, .invisible = true},
};
static struct key_part parts_ab[] = {{.column = 0}, {.column = 1}};
static struct key_part parts_ea[] = {{.column = 2}, {.column = 0}};
static const struct table table = {.db = "d", .name = "t", .columns = columns, .column_count = 5};
static const struct key key_a = {.name = "PRIMARY", .parts = parts_ab, .part_count = 1};
static const struct key key_ab = {.name = "ab", .parts = parts_ab, .part_count = 2};
static const struct key key_ea = {.name = "ea", .parts = parts_ea, .part_count = 2};

struct tuple { /* a bound's cells; unused ones are NULL */
    const char *cell[2];
};

static struct bound bound_of(const struct tuple *t)
{
    static unsigned long len[16][2];
    static unsigned turn;
    struct bound b = {.cell = (char **)(void *)(uintptr_t)t->cell, .len = len[turn++ % 16]};

    while (b.count < 2 && t->cell[b.count]) {
        b.len[b.count] = strlen(t->cell[b.count]);
        b.count++;
    }
    return b;
}

static const struct range_case {
    const struct key *key;
    struct tuple lo, hi;
    const char *want;
    unsigned fixed;
} rows[] = {
    {&key_a, {{NULL}}, {{NULL}}, "", 0},
    {&key_a, {{"5"}}, {{NULL}}, " WHERE `a` > 5", 0},
    {&key_a, {{NULL}}, {{"9"}}, " WHERE `a` <= 9", 0},
    {&key_a, {{"-5"}}, {{"9"}}, " WHERE `a` > -5 AND `a` <= 9", 0},
    {&key_ab,
     {{"1", "x"}},
     {{NULL}},
     " WHERE `a` >= 1 AND ((`a` > 1) OR (`a` = 1 AND `b``b` > _utf8mb4'x' COLLATE utf8mb4_bin))",
     0},
    {&key_ab,
     {{"1", "x"}},
     {{"2", "y"}},
     " WHERE `a` >= 1 AND ((`a` > 1) OR (`a` = 1 AND `b``b` > _utf8mb4'x' COLLATE utf8mb4_bin))"
     " AND `a` <= 2 AND ((`a` < 2) OR (`a` = 2 AND `b``b` <= _utf8mb4'y' COLLATE utf8mb4_bin))",
     0},
    {&key_ab,
     {{"7", "x"}},
     {{"7", "y"}},
     " WHERE `a` = 7 AND `b``b` > _utf8mb4'x' COLLATE utf8mb4_bin AND `b``b` <= _utf8mb4'y' "
     "COLLATE utf8mb4_bin",
     1},
    {&key_ea,
     {{"1", "5"}},
     {{NULL}},
     " WHERE `e` IN (1,2,3) AND ((`e` IN (2,3)) OR (`e` IN (1) AND `a` > 5))",
     0},
    /* the last label of an ENUM: nothing is above it */
    {&key_ea, {{"3", "5"}}, {{NULL}}, " WHERE `e` IN (3) AND `a` > 5", 1},
};

static void writes_ranges(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bound lo = bound_of(&rows[i].lo);
        struct bound hi = bound_of(&rows[i].hi);
        const struct predicate list[] = {{KEY_GREATER, &lo}, {KEY_LESS_EQUAL, &hi}};
        struct strbuf out = {0};
        unsigned fixed = predicate_where(&table, rows[i].key, list, 2, &out);

        assert_string_equal(strbuf_str(&out), rows[i].want);
        assert_int_equal(fixed, rows[i].fixed);
        strbuf_release(&out);
    }
}

/* What a search asks: (low, up) and a guess of the first columns only. */
static void writes_guesses(void **state)
{
    const struct tuple cells[] = {{{"2", "a"}}, {{"4", "z"}}, {{"3"}}, {{"4"}}};
    struct bound low = bound_of(&cells[0]);
    struct bound up = bound_of(&cells[1]);
    struct bound between = bound_of(&cells[2]);
    struct bound at_up = bound_of(&cells[3]);
    struct predicate list[] = {{KEY_GREATER, &low}, {KEY_LESS, &up}, {KEY_GREATER_EQUAL, &between}};
    struct strbuf out = {0};

    (void)state;
    assert_int_equal(predicate_where(&table, &key_ab, list, 3, &out), 0);
    assert_string_equal(
        strbuf_str(&out),
        " WHERE `a` >= 2 AND ((`a` > 2) OR (`a` = 2 AND `b``b` > _utf8mb4'a' COLLATE utf8mb4_bin))"
        " AND `a` <= 4 AND ((`a` < 4) OR (`a` = 4 AND `b``b` < _utf8mb4'z' COLLATE utf8mb4_bin))"
        " AND `a` >= 3");
    strbuf_reset(&out);
    list[2].bound = &at_up; /* a >= 4 and a <= 4: one value, said once */
    assert_int_equal(predicate_where(&table, &key_ab, list, 3, &out), 1);
    assert_string_equal(
        strbuf_str(&out),
        " WHERE `a` = 4 AND `a` >= 2 AND ((`a` > 2) OR (`a` = 2 AND `b``b` > _utf8mb4'a' COLLATE "
        "utf8mb4_bin)) AND `b``b` < _utf8mb4'z' COLLATE utf8mb4_bin");
    strbuf_release(&out);
}

static void puts_statements_together(void **state)
{
    const struct flavour flavour = {.vendor = VENDOR_MYSQL};
    const struct tuple cells[] = {{{"1", "5"}}, {{NULL}}};
    struct bound lo = bound_of(&cells[0]);
    struct bound hi = bound_of(&cells[1]);
    const struct predicate list[] = {{KEY_GREATER, &lo}, {KEY_LESS_EQUAL, &hi}};
    struct arena *a = arena_new();
    struct table_sql *s = table_sql_new(a, &table, &key_ea, &flavour);
    struct strbuf out = {0};

    (void)state;
    assert_int_equal(s->shape.count, 4); /* without the generated one */
    assert_int_equal(s->selected, 5);    /* the ENUM once more, by number */
    assert_int_equal(s->visible, 4);
    assert_int_equal(s->key_cell[0], 4);
    assert_int_equal(s->key_cell[1], 0);
    table_sql_rows(s, &lo, &hi, 10, &out);
    assert_string_equal(strbuf_str(&out),
                        "SELECT /*!40001 SQL_NO_CACHE */ `a`,`b``b`,`e`,`h`,`e`+0 FROM `d`.`t` "
                        "FORCE INDEX (`ea`) WHERE `e` IN (1,2,3) AND ((`e` IN (2,3)) OR (`e` IN "
                        "(1) AND `a` > 5)) ORDER BY `e`,`a` LIMIT 10");
    table_sql_key(s, list, 2, true, 3, &out);
    assert_string_equal(strbuf_str(&out),
                        "SELECT `e`+0,`a` FROM `d`.`t` FORCE INDEX (`ea`) WHERE `e` IN (1,2,3) AND "
                        "((`e` IN (2,3)) OR (`e` IN (1) AND `a` > 5)) ORDER BY `e` DESC,`a` DESC "
                        "LIMIT 1 OFFSET 3");
    s = table_sql_new(a, &table, NULL, &flavour);
    table_sql_rows(s, &hi, &hi, 0, &out);
    assert_string_equal(strbuf_str(&out),
                        "SELECT /*!40001 SQL_NO_CACHE */ `a`,`b``b`,`e`,`h` FROM `d`.`t`");
    strbuf_release(&out);
    arena_free(a);
}

static void takes_keys(void **state)
{
    const struct flavour flavour = {.vendor = VENDOR_MYSQL};
    const char *cells[] = {"7", "x", "label", "8", "3"};
    const unsigned long len[] = {1, 1, 5, 1, 1};
    const char *null_cells[] = {NULL, "x", "label", "8", "3"};
    struct err err = ERR_INIT;
    struct arena *a = arena_new();
    struct table_sql *s = table_sql_new(a, &table, &key_ea, &flavour);
    struct bound b = {0};

    (void)state;
    assert_int_equal(table_sql_take_key(s, &(struct row){cells, len, 5}, false, &b, &err), ERR_OK);
    assert_int_equal(b.count, 2);
    assert_string_equal(b.cell[0], "3");
    assert_string_equal(b.cell[1], "7");
    assert_int_equal(table_sql_take_key(s, &(struct row){null_cells, len, 5}, false, &b, &err),
                     ERR_DUMP_TABLE);
    bound_release(&b);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_ranges),
        cmocka_unit_test(writes_guesses),
        cmocka_unit_test(puts_statements_together),
        cmocka_unit_test(takes_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
