#include "common/schema/model.h"
#include "tests/unit/cmocka_all.h"

#include <string.h>

enum { ID, NAME, UUID, DAY, MAYBE, COLUMNS };

static struct column columns[COLUMNS];

static struct table given_table(void)
{
    static const char *const types[] = {"bigint", "varchar(100)", "binary(16)", "date", "int"};
    static const char *const names[] = {"id", "name", "uuid", "day", "maybe"};

    for (unsigned i = 0; i < COLUMNS; i++) {
        columns[i] = (struct column){.name = names[i], .nullable = i == MAYBE};
        column_parse_type(types[i], &columns[i]);
    }
    return (struct table){.db = "d", .name = "t", .columns = columns, .column_count = COLUMNS};
}

/* Keys as letters: parts by the columns' first letters. */
static struct key_part part_id[] = {{.column = ID}};
static struct key_part part_name[] = {{.column = NAME}};
static struct key_part part_name_prefix[] = {{.column = NAME, .prefix_len = 10}};
static struct key_part part_uuid[] = {{.column = UUID}};
static struct key_part part_day_id[] = {{.column = DAY}, {.column = ID}};
static struct key_part part_maybe[] = {{.column = MAYBE}};
static struct key_part part_expression[] = {{.expression = true}};

#define KEY(n, p, ...)                                                                             \
    {                                                                                              \
        .name = (n), .parts = (p), .part_count = sizeof(p) / sizeof((p)[0]), __VA_ARGS__           \
    }

static void best_key(void **state)
{
    static struct key keys[][4] = {
        {KEY("PRIMARY", part_day_id, .unique = true, .primary = true, .not_null = true),
         KEY("id", part_id, .unique = true, .not_null = true)},
        {KEY("uuid", part_uuid, .unique = true, .not_null = true),
         KEY("id", part_id, .unique = true, .not_null = true),
         KEY("day_id", part_day_id, .unique = true, .not_null = true)},
        {KEY("name", part_name, .unique = true, .not_null = true),
         KEY("uuid", part_uuid, .unique = true, .not_null = true)},
        {KEY("maybe", part_maybe, .unique = true)},
        {KEY("prefix", part_name_prefix, .unique = true, .not_null = true)},
        {KEY("expression", part_expression, .unique = true, .not_null = true)},
        {KEY("plain", part_id, .not_null = true)},
        {KEY("hash", part_name, .unique = true, .not_null = true, .kind = KEY_OTHER)},
        {KEY("PRIMARY", part_name_prefix, .unique = true, .primary = true, .not_null = true),
         KEY("day_id", part_day_id, .unique = true, .not_null = true)},
        {KEY("id", part_id, .unique = true, .not_null = true, .invisible = true),
         KEY("name", part_name, .unique = true, .not_null = true)},
        {{0}},
    };
    static const char *const want[] = {"PRIMARY", "id", "uuid",   NULL,   NULL, NULL,
                                       NULL,      NULL, "day_id", "name", NULL};
    struct table t = given_table();

    (void)state;
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        const struct key *best;

        t.keys = keys[i];
        t.key_count = 0;
        while (t.key_count < 4 && keys[i][t.key_count].name)
            t.key_count++;
        best = table_best_key(&t);
        if (want[i])
            assert_string_equal(best ? best->name : "none", want[i]);
        else
            assert_null(best);
    }
}

static void finds_by_bytes(void **state)
{
    static struct table tables[] = {
        {.db = "A", .name = "t"},  {.db = "a", .name = "T"},        {.db = "a", .name = "t"},
        {.db = "a", .name = "t0"}, {.db = "a", .name = "\xc3\xa9"}, {.db = "b", .name = "t"},
    };
    struct schema s = {.tables = tables, .table_count = sizeof(tables) / sizeof(tables[0])};

    (void)state;
    for (size_t i = 0; i < s.table_count; i++)
        assert_ptr_equal(schema_find(&s, tables[i].db, tables[i].name), &tables[i]);
    assert_null(schema_find(&s, "A", "T"));
    assert_null(schema_find(&s, "c", "t"));
    assert_null(schema_find(&s, "", ""));
    s.table_count = 0;
    assert_null(schema_find(&s, "a", "t"));
    schema_free(NULL);
}

static void finds_columns_in_any_case(void **state)
{
    struct table t = given_table();

    (void)state;
    assert_ptr_equal(table_column(&t, "UUID"), &columns[UUID]);
    assert_null(table_column(&t, "uui"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(best_key),
        cmocka_unit_test(finds_by_bytes),
        cmocka_unit_test(finds_columns_in_any_case),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
