/* The order of loading: every chunk once, tables in turn, distant ranges first. */
#include "loader/load_inner.h"

#include "common/base/mem.h"
#include "tests/unit/cmocka_all.h"

#include <stdlib.h>

#define TABLES 4

struct planned {
    struct load_config config;
    struct load_table tables[TABLES];
    struct dump_chunk chunks[TABLES][100];
    struct load_run run;
};

static void plan(struct planned *p, unsigned threads, const unsigned counts[TABLES])
{
    *p = (struct planned){.config = {.threads = threads}};
    p->run.config = &p->config;
    p->run.tables = p->tables;
    p->run.table_count = TABLES;
    p->run.chunks = xcalloc((size_t)TABLES * 100, sizeof *p->run.chunks);
    for (unsigned t = 0; t < TABLES; t++)
        for (unsigned i = 0; i < counts[t]; i++) {
            p->chunks[t][i].number = i;
            p->run.chunks[p->run.chunk_count++] =
                (struct load_chunk){.table = &p->tables[t], .chunk = &p->chunks[t][i]};
        }
    plan_order(&p->run);
}

static uint64_t number(const struct planned *p, size_t i)
{
    return p->run.chunks[i].chunk->number;
}

static void every_chunk_comes_once(void **state)
{
    static const unsigned counts[][TABLES] = {{1, 1, 1, 1},    {0, 0, 0, 0},  {100, 1, 7, 16},
                                              {17, 0, 99, 33}, {2, 3, 5, 64}, {0, 0, 0, 1}};
    struct planned *p = xmalloc(sizeof *p);

    (void)state;
    for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++)
        for (unsigned threads = 0; threads < 20; threads++) {
            bool seen[TABLES][100] = {{false}};

            plan(p, threads, counts[k]);
            assert_int_equal(p->run.chunk_count,
                             counts[k][0] + counts[k][1] + counts[k][2] + counts[k][3]);
            for (size_t i = 0; i < p->run.chunk_count; i++) {
                bool *at = &seen[p->run.chunks[i].table - p->tables][number(p, i)];

                assert_false(*at);
                *at = true;
            }
            free(p->run.chunks);
        }
    free(p);
}

static void tables_take_turns(void **state)
{
    static const unsigned counts[TABLES] = {3, 1, 3, 2};
    static const unsigned expected[] = {0, 1, 2, 3, 0, 2, 3, 0, 2};
    struct planned *p = xmalloc(sizeof *p);

    (void)state;
    plan(p, 4, counts);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        assert_true(p->run.chunks[i].table == &p->tables[expected[i]]);
    free(p->run.chunks);
    free(p);
}

static void workers_begin_far_from_each_other(void **state)
{
    static const unsigned counts[TABLES] = {100, 0, 0, 0};
    struct planned *p = xmalloc(sizeof *p);

    (void)state;
    plan(p, 4, counts);
    assert_true(number(p, 0) == 0 && number(p, 1) == 25 && number(p, 2) == 50 &&
                number(p, 3) == 75 && number(p, 4) == 1 && number(p, 99) == 99);
    free(p->run.chunks);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_chunk_comes_once),
        cmocka_unit_test(tables_take_turns),
        cmocka_unit_test(workers_begin_far_from_each_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
