/* CSV dialects: what is written is read back, at every size of buffer; every cut is noticed. */
#include "common/base/mem.h"
#include "tests/unit/row_codec_help.h"

#include "tests/unit/cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#define COLUMNS 3
static const char *const names[COLUMNS] = {"a;b", "n", "x'\"y"};
static const enum cell_form forms[COLUMNS] = {CELL_TEXT, CELL_NUMBER, CELL_BYTES};
static const struct row_shape shape = {"t", names, forms, COLUMNS, NULL};

static const struct csv_dialect dialects[] = {
    {',', '"', true, false, true, "\\N"}, {'\t', '"', true, true, false, "NULL"},
    {';', '\'', false, false, false, ""}, {'|', '`', true, false, true, "\\N"},
    {',', '"', false, true, true, "\\N"}, {'\'', '"', false, true, false, "nil"},
};
#define DIALECTS (sizeof dialects / sizeof dialects[0])

static const char *const texts[] = {NULL,    "",     "\\N",        "NULL",  "nil",   "\\",
                                    "'\"`",  "\"\"", "a;b,c|d\te", "\r\n",  "\n",    "\r",
                                    "\\\\n", "''",   "ends\\",     "ends'", "ends\""};
#define TEXTS (sizeof texts / sizeof texts[0])
static const char *const numbers[] = {NULL, "0", "-1.5", "1e100", "inf", "-0"};
#define NUMBERS (sizeof numbers / sizeof numbers[0])
static const char nul[] = "n\0l\0";

static void row_at(size_t i, struct row *row, const char *cell[COLUMNS], unsigned long len[COLUMNS])
{
    cell[0] = texts[i % TEXTS];
    cell[1] = numbers[i % NUMBERS];
    cell[2] = i % 5 ? texts[i * 7 % TEXTS] : nul;
    for (unsigned c = 0; c < COLUMNS; c++)
        len[c] = cell[c] == nul ? sizeof nul - 1 : cell[c] ? strlen(cell[c]) : 0;
    *row = (struct row){.cell = cell, .len = len, .count = COLUMNS};
}

static void encode(const struct csv_dialect *d, size_t rows, struct strbuf *out)
{
    struct encoder *e = encoder_new(ROW_FORMAT_CSV, &shape, 0);
    const char *cell[COLUMNS];
    unsigned long len[COLUMNS];
    struct err err = ERR_INIT;
    struct row row;

    encoder_set_dialect(e, d);
    assert_int_equal(encoder_begin(e, out, &err), ERR_OK);
    for (size_t i = 0; i < rows; i++) {
        row_at(i, &row, cell, len);
        assert_int_equal(encoder_row(e, &row, out, &err), ERR_OK);
    }
    assert_int_equal(encoder_end(e, out, &err), ERR_OK);
    encoder_free(e);
}

/* Rows read before the end or the failure. */
static enum err_code decode(const struct decoder_params *p, const char *text, size_t len,
                            size_t step, size_t *rows, struct err *err)
{
    struct decoder *d = decoder_new(p, slow_source_new(text, len, step), "f.csv");
    const char *cell[COLUMNS];
    unsigned long lens[COLUMNS];
    struct row row = {0};
    struct row want;
    bool more = true;
    enum err_code rc = ERR_OK;

    *rows = 0;
    while (!rc) {
        rc = decoder_next(d, &row, &more, err);
        if (rc || !more)
            break;
        row_at((*rows)++, &want, cell, lens);
        assert_int_equal(row.count, COLUMNS);
        for (unsigned c = 0; c < COLUMNS; c++) {
            assert_int_equal(!row.cell[c], !want.cell[c]);
            assert_int_equal(row.len[c], want.len[c]);
            if (row.cell[c])
                assert_memory_equal(row.cell[c], want.cell[c], want.len[c]);
        }
    }
    decoder_free(d);
    return rc;
}

static void reads_what_it_writes(void **state)
{
    (void)state;
    for (size_t i = 0; i < DIALECTS; i++) {
        struct strbuf text = {0};

        encode(&dialects[i], 200, &text);
        for (size_t step = 1; step < 70; step += 3) {
            const struct decoder_params p = {
                .format = ROW_FORMAT_CSV, .shape = &shape, .dialect = &dialects[i], .buffer = 16};
            struct err err = ERR_INIT;
            size_t rows = 0;

            assert_int_equal(decode(&p, text.str, text.len, step, &rows, &err), ERR_OK);
            assert_int_equal(rows, 200);
        }
        strbuf_release(&text);
    }
}

/* At a line's end a shorter file is whole, as CSV goes; anywhere else it is refused. */
static void notices_cuts(void **state)
{
    (void)state;
    for (size_t i = 0; i < DIALECTS; i++) {
        const struct decoder_params p = {
            .format = ROW_FORMAT_CSV, .shape = &shape, .dialect = &dialects[i]};
        struct strbuf text = {0};
        size_t whole = 0;

        encode(&dialects[i], 40, &text);
        for (size_t len = 0; len < text.len; len++) {
            struct err err = ERR_INIT;
            size_t rows = 0;
            char *copy = xmalloc(len + 1);

            memcpy(copy, text.str, len);
            whole += decode(&p, copy, len, 4096, &rows, &err) == ERR_OK;
            assert_true(err.code == ERR_OK || err.code == ERR_FORMAT);
            free(copy);
        }
        assert_int_equal(whole, 40);
        strbuf_release(&text);
    }
}

static void writes_as_said(void **state)
{
    static const struct csv_dialect d = {';', '\'', false, false, false, ""};
    struct strbuf text = {0};

    (void)state;
    encode(&d, 2, &text);
    assert_int_equal(text.len, sizeof "'a;b';'n';'x''\"y'\r\n;;'n\0l\0'\r\n'';0;'\"\"'\r\n" - 1);
    assert_memory_equal(text.str, "'a;b';'n';'x''\"y'\r\n;;'n\0l\0'\r\n'';0;'\"\"'\r\n", text.len);
    strbuf_release(&text);
}

static void refuses_other_rows(void **state)
{
    static const struct csv_dialect d = {';', '\'', false, true, true, "NULL"};
    static const char *const bad[] = {"'a';1\n",       "'a';1;'b';2\n", "'a'x;1;'b'\n", "a'b;1;2\n",
                                      "'a';1;'b'\r\n", "'a';1;'b'\r",   "\n",           "'a"};
    const struct decoder_params p = {.format = ROW_FORMAT_CSV, .shape = &shape, .dialect = &d};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct err err = ERR_INIT;
        size_t rows = 0;

        assert_int_equal(decode(&p, bad[i], strlen(bad[i]), 100, &rows, &err), ERR_FORMAT);
    }
}

static void knows_the_default(void **state)
{
    const struct csv_dialect zero = {0};
    const struct csv_dialect named = CSV_DIALECT_DEFAULT;
    struct csv_dialect read = {0};
    struct err err = ERR_INIT;

    (void)state;
    assert_true(csv_dialect_default_rows(&zero));
    assert_true(csv_dialect_default_rows(&named));
    assert_int_equal(csv_dialect_parse("{\"format\":\"csv\"}", &read, &err), ERR_OK);
    assert_memory_equal(&read, &named, sizeof read);
    assert_int_equal(csv_dialect_parse("{\"csv-separator\":\"\\t\",\"csv-null\":\"\",\"header\":"
                                       "false,\"csv-escape\":\"none\",\"csv-delimiter\":\"'\","
                                       "\"csv-line-terminator\":\"lf\"}",
                                       &read, &err),
                     ERR_OK);
    assert_true(read.separator == '\t' && read.quote == '\'' && !read.backslash && read.lf &&
                read.no_header && !*read.null_text);
    assert_int_equal(csv_dialect_parse("{\"csv-separator\":\"a\"}", &read, &err), ERR_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_it_writes), cmocka_unit_test(notices_cuts),
        cmocka_unit_test(writes_as_said),       cmocka_unit_test(refuses_other_rows),
        cmocka_unit_test(knows_the_default),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
