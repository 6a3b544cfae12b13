/* Random rows: encoder, then decoder, over all forms, formats, read sizes and statement sizes; and
 * going on behind every row. */
#include "tests/unit/cmocka_all.h"
#include "tests/unit/row_codec_help.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { COLUMNS = 8 };

static const char *const columns[COLUMNS] = {"a", "b c", "d`e", "f\"g", "h,i", "j\\k", "l", "m"};
static const enum cell_form forms[COLUMNS] = {CELL_NUMBER, CELL_TEXT, CELL_BYTES,  CELL_BIT,
                                              CELL_JSON,   CELL_TEXT, CELL_NUMBER, CELL_TEXT};
static const struct row_shape shape = {"t", columns, forms, COLUMNS, NULL};

static uint64_t seed_of_today(void)
{
    const char *given = getenv("FERRY_TEST_SEED");
    const uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);

    (void)printf("FERRY_TEST_SEED=%" PRIu64 "\n", seed);
    return seed;
}

static unsigned long random_number(uint64_t *seed, char *out)
{
    static const char *const numbers[] = {
        "0",
        "-0",
        "18446744073709551615",
        "-9223372036854775808",
        "1e-300",
        "-1.5e+22",
        "0.1",
        "2.2250738585072014e-308",
        "0.30000000000000004",
        "-0.000",
        "inf",
        "",
        "00012",
        ".5",
        "5.",
        "99999999999999999999999999999999999.999999999999999999999999999999"};
    const char *text = numbers[test_random(seed) % (sizeof numbers / sizeof *numbers)];

    if (test_random(seed) % 2)
        return (unsigned long)snprintf(out, 100, "%u", test_random(seed));
    memcpy(out, text, strlen(text));
    return strlen(text);
}

/* Bytes of which many mean something to one of the formats. */
static unsigned long random_text(uint64_t *seed, char *out, unsigned max)
{
    static const char special[] = "\0\n\r\t\b\x1a'\"\\`,;()N%_#-/* \xff\xf0\x9f\x98\x80";
    const unsigned len = test_random(seed) % (test_random(seed) % max + 1);
    const unsigned kind = test_random(seed) % 3;

    for (unsigned i = 0; i < len; i++) {
        const unsigned r = test_random(seed);

        if (kind == 0 || (kind == 1 && r % 16 == 0))
            out[i] = special[test_random(seed) % (sizeof special - 1)];
        else
            out[i] = kind == 1 ? (char)('a' + (char)(r % 26)) : (char)(r & 0xff);
    }
    return len;
}

static void random_rows(uint64_t *seed, unsigned count, unsigned max, struct row_list *list)
{
    char *text = xmalloc((size_t)COLUMNS * (max + 100));

    for (unsigned r = 0; r < count; r++) {
        const char *cell[COLUMNS];
        unsigned long len[COLUMNS];

        for (unsigned i = 0; i < COLUMNS; i++) {
            char *to = text + (size_t)i * (max + 100);

            cell[i] = test_random(seed) % 8 ? to : NULL;
            len[i] = forms[i] == CELL_NUMBER ? random_number(seed, to) : random_text(seed, to, max);
        }
        row_list_add(list, &(struct row){cell, len, COLUMNS}, 0);
    }
    free(text);
}

static void expect_round_trip(enum row_format format, const struct row_list *rows,
                              size_t statement_bytes, size_t step, size_t buffer)
{
    const struct decoder_params p = {.format = format, .shape = &shape, .buffer = buffer};
    struct strbuf text = {0};
    struct row_list got;
    struct err err = ERR_INIT;

    row_list_init(&got);
    encode_all(format, &shape, statement_bytes, rows, &text);
    if (decode_all(&p, text.str, text.len, step, &got, &err))
        fail_msg("%s", err.msg);
    row_list_expect(&got, rows, 0);
    row_list_release(&got);
    strbuf_release(&text);
}

static void rows_come_back(void **state)
{
    static const size_t steps[] = {1, 2, 3, 4, 5, 6, 7, 65536, 0};
    static const size_t statements[] = {0, 300, 5000, 1000000};
    static const size_t buffers[] = {1, 64, 1000, 0};
    uint64_t seed = *(uint64_t *)*state;

    for (int round = 0; round < 60; round++) {
        struct row_list rows;

        row_list_init(&rows);
        random_rows(&seed, test_random(&seed) % 40, 1 + test_random(&seed) % 300, &rows);
        for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
            const size_t bytes = statements[(size_t)round % 4];
            const size_t buffer = buffers[test_random(&seed) % 4];

            expect_round_trip(ROW_FORMAT_SQL, &rows, bytes, steps[i], buffer);
            expect_round_trip(ROW_FORMAT_CSV, &rows, bytes, steps[i], buffer);
        }
        row_list_release(&rows);
    }
}

static void large_rows_come_back(void **state)
{
    uint64_t seed = *(uint64_t *)*state;
    struct row_list rows;

    row_list_init(&rows);
    random_rows(&seed, 20, 1000000, &rows);
    expect_round_trip(ROW_FORMAT_SQL, &rows, 1000000, 65536, 0);
    expect_round_trip(ROW_FORMAT_CSV, &rows, 1000000, 0, 0);
    row_list_release(&rows);
}

/* Behind each row of `text`, from each `back` bytes before it, exactly the rest comes. */
static void expect_resume(enum row_format format, const struct strbuf *text,
                          const struct row_list *all)
{
    static const uint64_t backs[] = {0, 1, 40, 100000};

    for (size_t r = 0; r < all->count; r++) {
        for (size_t b = 0; b < sizeof backs / sizeof *backs; b++) {
            const uint64_t start = all->offsets[r];
            const uint64_t raw = backs[b] < start ? start - backs[b] : 0;
            const struct decoder_params p = {.format = format,
                                             .shape = &shape,
                                             .raw_off = raw,
                                             .start_off = start,
                                             .start_row = r + 1,
                                             .buffer = r % 2 ? 50 : 0};
            struct row_list got;
            struct err err = ERR_INIT;

            row_list_init(&got);
            if (decode_all(&p, text->str + raw, text->len - raw, r % 3 ? 7 : 0, &got, &err))
                fail_msg("%s", err.msg);
            row_list_expect(&got, all, r + 1);
            for (size_t i = 0; i < got.count; i++)
                assert_int_equal(got.offsets[i], all->offsets[i + r + 1]);
            row_list_release(&got);
        }
    }
}

static void goes_on_behind_every_row(void **state)
{
    static const enum row_format formats[] = {ROW_FORMAT_SQL, ROW_FORMAT_CSV};
    uint64_t seed = *(uint64_t *)*state;

    for (size_t f = 0; f < 2; f++) {
        const struct decoder_params p = {.format = formats[f], .shape = &shape};
        struct row_list rows, all;
        struct strbuf text = {0};
        struct err err = ERR_INIT;

        row_list_init(&rows);
        row_list_init(&all);
        random_rows(&seed, 60, 100, &rows);
        encode_all(formats[f], &shape, 2000, &rows, &text);
        assert_int_equal(decode_all(&p, text.str, text.len, 0, &all, &err), ERR_OK);
        assert_int_equal(all.count, rows.count);
        expect_resume(formats[f], &text, &all);
        row_list_release(&rows);
        row_list_release(&all);
        strbuf_release(&text);
    }
}

/* Every prefix of a file: refused, or a clean end with whole rows, and that only where a file may
 * end: behind a statement, or behind a line. */
static void every_cut_is_seen(void **state)
{
    static const enum row_format formats[] = {ROW_FORMAT_SQL, ROW_FORMAT_CSV};
    uint64_t seed = *(uint64_t *)*state;

    for (size_t f = 0; f < 2; f++) {
        const struct decoder_params p = {.format = formats[f], .shape = &shape, .buffer = 200};
        const bool csv = formats[f] == ROW_FORMAT_CSV;
        struct row_list rows;
        struct strbuf text = {0};

        row_list_init(&rows);
        random_rows(&seed, 20, 60, &rows);
        encode_all(formats[f], &shape, 600, &rows, &text);
        for (size_t cut = 0; cut < text.len; cut++) {
            /* rows are lines: no value holds a line end */
            const bool line_end = cut > 0 && text.str[cut - 1] == '\n';
            const char *insert = strstr(text.str, "INSERT");
            const char *last = text.str + cut - (cut > 0);
            const bool statement_end = cut == 0 || (*last == ';' && last[1] == '\n') ||
                                       (line_end && last[-1] == ';') ||
                                       (last < insert && *last == '/' && last[1] == ';');
            struct row_list got;
            struct err err = ERR_INIT;
            enum err_code rc;

            row_list_init(&got);
            rc = decode_all(&p, text.str, cut, 0, &got, &err);
            assert_int_equal(rc, (csv ? line_end : statement_end) ? ERR_OK : ERR_FORMAT);
            assert_true(got.count <= rows.count);
            if (rc)
                assert_non_null(strstr(err.msg, "file 't.x', row "));
            rows.count = got.count;
            row_list_expect(&got, &rows, 0);
            rows.count = 20;
            row_list_release(&got);
        }
        row_list_release(&rows);
        strbuf_release(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_back),
        cmocka_unit_test(large_rows_come_back),
        cmocka_unit_test(goes_on_behind_every_row),
        cmocka_unit_test(every_cut_is_seen),
    };
    uint64_t seed = seed_of_today();
    struct CMUnitTest seeded[sizeof tests / sizeof *tests];

    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        seeded[i] = tests[i];
        seeded[i].initial_state = &seed;
    }
    return cmocka_run_group_tests(seeded, NULL, NULL);
}
