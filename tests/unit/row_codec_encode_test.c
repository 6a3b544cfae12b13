/* The exact bytes that the writers produce. */
#include "tests/unit/cmocka_all.h"
#include "tests/unit/row_codec_help.h"

#include <stdlib.h>

static const char *const column_a[] = {"a"};

#define CELL(text)                                                                                 \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }

static const struct {
    enum cell_form form;
    struct {
        const char *text;
        unsigned long len;
    } cell;
    const char *sql, *csv, *load;
} cells[] = {
    {CELL_TEXT, {NULL, 0}, "NULL", "\\N", "\\N"},
    {CELL_NUMBER, {NULL, 0}, "NULL", "\\N", "\\N"},
    {CELL_BYTES, {NULL, 0}, "NULL", "\\N", "\\N"},
    {CELL_TEXT, CELL(""), "''", "\"\"", ""},
    {CELL_BYTES, CELL(""), "x''", "\"\"", ""},
    {CELL_NUMBER, CELL(""), "''", "\"\"", ""},
    {CELL_TEXT, CELL("NULL"), "'NULL'", "\"NULL\"", "NULL"},
    {CELL_TEXT, CELL("\\N"), "'\\\\N'", "\"\\\\N\"", "\\\\N"},
    {CELL_TEXT, CELL("\\"), "'\\\\'", "\"\\\\\"", "\\\\"},
    {CELL_TEXT, CELL("a\0\n\r\t\b\x1a'\"\\%_z"), "'a\\0\\n\\r\t\b\\Z\\'\"\\\\%_z'",
     "\"a\\0\\n\\r\t\b\x1a'\\\"\\\\%_z\"", "a\\0\\n\\r\\t\b\x1a'\"\\\\%_z"},
    {CELL_TEXT, CELL("0123456789abcdef'0123456789abcdef"), "'0123456789abcdef\\'0123456789abcdef'",
     "\"0123456789abcdef'0123456789abcdef\"", "0123456789abcdef'0123456789abcdef"},
    {CELL_TEXT, CELL("\xff\xfe \xf0\x9f\x98\x80"), "'\xff\xfe \xf0\x9f\x98\x80'",
     "\"\xff\xfe \xf0\x9f\x98\x80\"", "\xff\xfe \xf0\x9f\x98\x80"},
    {CELL_JSON, CELL("{\"a\": \"\\n\"}"), "'{\"a\": \"\\\\n\"}'", "\"{\\\"a\\\": \\\"\\\\n\\\"}\"",
     "{\"a\": \"\\\\n\"}"},
    {CELL_BYTES, CELL("\0\xff'\n"), "x'00ff270a'", "\"\\0\xff'\\n\"", "\\0\xff'\\n"},
    {CELL_BYTES, CELL("0123456789\x00\x01\x9a\xab\xef\xf0\x7f"),
     "x'3031323334353637383900019aabeff07f'", "\"0123456789\\0\x01\x9a\xab\xef\xf0\x7f\"",
     "0123456789\\0\x01\x9a\xab\xef\xf0\x7f"},
    {CELL_BIT, CELL("\x05"), "x'05'", "\"\x05\"", "\x05"},
    {CELL_NUMBER, CELL("0"), "0", "0", "0"},
    {CELL_NUMBER, CELL("-1"), "-1", "-1", "-1"},
    {CELL_NUMBER, CELL("00042"), "00042", "00042", "00042"},
    {CELL_NUMBER, CELL("18446744073709551615"), "18446744073709551615", "18446744073709551615",
     "18446744073709551615"},
    {CELL_NUMBER, CELL("-0.50"), "-0.50", "-0.50", "-0.50"},
    {CELL_NUMBER, CELL("1e-300"), "1e-300", "1e-300", "1e-300"},
    {CELL_NUMBER, CELL("-1.7976931348623157e308"), "-1.7976931348623157e308",
     "-1.7976931348623157e308", "-1.7976931348623157e308"},
    {CELL_NUMBER, CELL("99999999999999999999999999999999999.999999999999999999999999999999"),
     "99999999999999999999999999999999999.999999999999999999999999999999",
     "99999999999999999999999999999999999.999999999999999999999999999999",
     "99999999999999999999999999999999999.999999999999999999999999999999"},
    /* numbers whose bare literal would be another value, or none */
    {CELL_NUMBER, CELL("-0"), "'-0'", "-0", "-0"},
    {CELL_NUMBER, CELL("-0.00"), "'-0.00'", "-0.00", "-0.00"},
    {CELL_NUMBER, CELL("0.0000000000000012345678901234567"), "'0.0000000000000012345678901234567'",
     "0.0000000000000012345678901234567", "0.0000000000000012345678901234567"},
    {CELL_NUMBER, CELL("inf"), "'inf'", "\"inf\"", "inf"},
    {CELL_NUMBER, CELL("1-1"), "'1-1'", "\"1-1\"", "1-1"},
    {CELL_NUMBER, CELL("--1"), "'--1'", "\"--1\"", "--1"},
    {CELL_NUMBER, CELL("."), "'.'", "\".\"", "."},
    {CELL_NUMBER, CELL("1.2.3"), "'1.2.3'", "\"1.2.3\"", "1.2.3"},
    {CELL_NUMBER, CELL("-"), "'-'", "\"-\"", "-"},
    {CELL_NUMBER, CELL("1e"), "'1e'", "\"1e\"", "1e"},
    {CELL_NUMBER, CELL("1,2"), "'1,2'", "\"1,2\"", "1,2"},
};

static void expect_text(struct strbuf *out, const char *before, const char *want,
                        const char *behind)
{
    char *all = xasprintf("%s%s%s", before, want, behind);

    assert_string_equal(strbuf_str(out), all);
    free(all);
    strbuf_reset(out);
}

static void writes_each_cell(void **state)
{
    struct strbuf out = {0};
    struct err err = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
        const struct row row = {&cells[i].cell.text, &cells[i].cell.len, 1};
        const struct row_shape shape = {"t", column_a, &cells[i].form, 1, NULL};
        struct encoder *csv = encoder_new(ROW_FORMAT_CSV, &shape, 0);
        struct encoder *sql = encoder_new(ROW_FORMAT_SQL, &shape, 0);

        assert_int_equal(insert_values_row(&row, &cells[i].form, &out, &err), ERR_OK);
        expect_text(&out, "(", cells[i].sql, ")");
        assert_int_equal(encoder_row(sql, &row, &out, &err), ERR_OK);
        expect_text(&out, "INSERT INTO `t` (`a`) VALUES\n(", cells[i].sql, ")");
        assert_int_equal(encoder_row(csv, &row, &out, &err), ERR_OK);
        expect_text(&out, "", cells[i].csv, "\r\n");
        assert_int_equal(load_data_row(&row, NULL, &out, &err), ERR_OK);
        expect_text(&out, "", cells[i].load, "\n");
        encoder_free(csv);
        encoder_free(sql);
    }
    strbuf_release(&out);
}

static const char *const two_columns[] = {"a`b", "c\"d"};
static const enum cell_form two_forms[] = {CELL_NUMBER, CELL_TEXT};
static const struct row_shape two = {"t`x", two_columns, two_forms, 2, NULL};

static void add_two(struct encoder *e, const char *a, const char *b, struct strbuf *out)
{
    const char *const cell[] = {a, b};
    const unsigned long len[] = {strlen(a), strlen(b)};
    const struct row row = {cell, len, 2};
    struct err err = ERR_INIT;

    assert_int_equal(encoder_row(e, &row, out, &err), ERR_OK);
}

static void writes_sql_file(void **state)
{
    struct encoder *e = encoder_new(ROW_FORMAT_SQL, &two, 1000);
    struct strbuf out = {0};
    struct err err = ERR_INIT;

    (void)state;
    for (int i = 0; i < 2; i++) { /* afterwards the encoder is as new */
        assert_int_equal(encoder_begin(e, &out, &err), ERR_OK);
        add_two(e, "1", "x", &out);
        add_two(e, "2", "y", &out);
        assert_int_equal(encoder_end(e, &out, &err), ERR_OK);
        expect_text(&out,
                    "/*!40101 SET NAMES utf8mb4*/;\n"
                    "/*!40103 SET TIME_ZONE='+00:00'*/;\n"
                    "/*!40014 SET FOREIGN_KEY_CHECKS=0*/;\n"
                    "/*!40101 SET SQL_MODE='NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES'*/;\n",
                    "INSERT INTO `t``x` (`a``b`,`c\"d`) VALUES\n", "(1,'x'),\n(2,'y');\n");
    }
    encoder_free(e);
    strbuf_release(&out);
}

static void writes_csv_file(void **state)
{
    struct encoder *e = encoder_new(ROW_FORMAT_CSV, &two, 0);
    struct strbuf out = {0};
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(encoder_begin(e, &out, &err), ERR_OK);
    add_two(e, "1", "x", &out);
    assert_int_equal(encoder_end(e, &out, &err), ERR_OK);
    expect_text(&out, "\"a`b\",\"c\\\"d\"\r\n", "1,\"x\"", "\r\n");
    encoder_free(e);
    strbuf_release(&out);
}

static void no_rows_no_statement(void **state)
{
    struct encoder *e = encoder_new(ROW_FORMAT_SQL, &two, 1000);
    struct strbuf out = {0};
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(encoder_end(e, &out, &err), ERR_OK);
    assert_string_equal(strbuf_str(&out), "");
    encoder_free(e);
    strbuf_release(&out);
}

/* Statements are as long as they may be and no longer; a row that is too long stands alone. The
 * buffer is emptied behind each row, as the dumper does. */
static void bounds_statements(void **state)
{
    const size_t head = strlen("INSERT INTO `t``x` (`a``b`,`c\"d`) VALUES\n");
    const size_t row = strlen("(1,'x')");
    struct strbuf out = {0}, one = {0};
    struct err err = ERR_INIT;

    (void)state;
    for (size_t bytes = 0; bytes < head + 8 * row; bytes++) {
        struct encoder *e = encoder_new(ROW_FORMAT_SQL, &two, bytes);
        const size_t rest = bytes > head + row + 2 ? bytes - head - row - 2 : 0;
        const size_t fit = 1 + rest / (row + 2);
        size_t statements = 0, open = 0;

        strbuf_reset(&out);
        for (int i = 0; i < 20; i++) {
            strbuf_reset(&one);
            add_two(e, "1", "x", &one);
            strbuf_add(&out, one.str, one.len);
        }
        assert_int_equal(encoder_end(e, &out, &err), ERR_OK);
        for (const char *p = out.str; (p = strchr(p, ';')) != NULL; p++) {
            const size_t end = (size_t)(p + 2 - out.str);

            assert_true(end - open <= bytes || end - open == head + row + 2);
            open = end;
            statements++;
        }
        assert_int_equal(statements, (20 + fit - 1) / fit);
        encoder_free(e);
    }
    strbuf_release(&out);
    strbuf_release(&one);
}

static void load_row_in_hex(void **state)
{
    static const bool hex[] = {false, true, true};
    static const char *const cell[] = {"a\tb", "a\tb", NULL};
    static const unsigned long len[] = {3, 3, 0};
    const struct row row = {cell, len, 3};
    struct strbuf out = {0};
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(load_data_row(&row, hex, &out, &err), ERR_OK);
    assert_string_equal(strbuf_str(&out), "a\\tb\t610962\t\\N\n");
    strbuf_release(&out);
}

/* A large row asks for what it takes, not for the worst case; one above the limit is an error that
 * leaves the buffer as it was. */
static void large_rows_and_the_limit(void **state)
{
    enum { LEN = 3 << 20 };
    char *text = xmalloc(LEN);
    const char *cell[] = {"1", text};
    const unsigned long len[] = {1, LEN};
    const struct row row = {cell, len, 2};
    struct encoder *e = encoder_new(ROW_FORMAT_SQL, &two, 1000);
    struct strbuf out = {.max = LEN + 4096};
    struct err err = ERR_INIT;

    (void)state;
    memset(text, 'a', LEN);
    assert_int_equal(encoder_row(e, &row, &out, &err), ERR_OK);
    strbuf_reset(&out);
    assert_int_equal(load_data_row(&row, NULL, &out, &err), ERR_OK);
    strbuf_reset(&out);
    memset(text, '\\', LEN);
    assert_int_equal(encoder_row(e, &row, &out, &err), ERR_LIMIT);
    assert_int_equal(out.len, 0);
    strbuf_release(&out);
    encoder_free(e);
    free(text);
}

/* A row of NULLs has no bytes of its own: the room must be counted for each. */
static void room_for_many_nulls(void **state)
{
    enum { COLUMNS = 1000 };
    const char *names[COLUMNS];
    const char *cell[COLUMNS] = {NULL};
    unsigned long len[COLUMNS] = {0};
    enum cell_form forms[COLUMNS];
    const struct row_shape shape = {
        .table = "t", .columns = names, .forms = forms, .count = COLUMNS};
    const struct row row = {.cell = cell, .len = len, .count = COLUMNS};
    static const enum row_format formats[] = {ROW_FORMAT_SQL, ROW_FORMAT_CSV};

    (void)state;
    for (size_t i = 0; i < COLUMNS; i++) {
        names[i] = "c";
        forms[i] = CELL_NUMBER;
    }
    for (size_t f = 0; f < 2; f++) {
        struct encoder *e = encoder_new(formats[f], &shape, 1000000);
        struct err err = ERR_INIT;

        for (int k = 0; k < 20; k++) {
            struct strbuf out = {0};
            struct strbuf values = {0};
            struct strbuf load = {0};

            assert_int_equal(encoder_row(e, &row, &out, &err), ERR_OK);
            assert_true(out.len < out.cap);
            assert_int_equal(insert_values_row(&row, forms, &values, &err), ERR_OK);
            assert_true(values.len < values.cap);
            assert_int_equal(load_data_row(&row, NULL, &load, &err), ERR_OK);
            assert_true(load.len < load.cap);
            strbuf_release(&load);
            strbuf_release(&values);
            strbuf_release(&out);
        }
        encoder_free(e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_each_cell),         cmocka_unit_test(writes_sql_file),
        cmocka_unit_test(writes_csv_file),          cmocka_unit_test(no_rows_no_statement),
        cmocka_unit_test(bounds_statements),        cmocka_unit_test(load_row_in_hex),
        cmocka_unit_test(large_rows_and_the_limit), cmocka_unit_test(room_for_many_nulls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
