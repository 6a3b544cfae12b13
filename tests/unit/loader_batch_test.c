#include "loader/batch.h"

#include "common/base/mem.h"
#include "tests/unit/cmocka_all.h"

#include <stdlib.h>

static const char *const columns[] = {"a", "b", "c"};
static const enum cell_form forms[] = {CELL_NUMBER, CELL_TEXT, CELL_BYTES};
static const struct row_shape shape = {
    .table = "t", .columns = columns, .forms = forms, .count = 3};

/* An SQL file of the rows. */
static void encode(const struct row *rows, unsigned count, struct strbuf *out)
{
    struct err err = ERR_INIT;
    struct encoder *e = encoder_new(ROW_FORMAT_SQL, &shape, 1000);

    assert_int_equal(encoder_begin(e, out, &err), ERR_OK);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(encoder_row(e, &rows[i], out, &err), ERR_OK);
    assert_int_equal(encoder_end(e, out, &err), ERR_OK);
    encoder_free(e);
}

static struct decoder *decode(const struct strbuf *file, uint64_t off, uint64_t rows)
{
    struct decoder_params p = {
        .format = ROW_FORMAT_SQL, .shape = &shape, .start_off = off, .start_row = rows};

    return decoder_new(&p, source_mem_new(file->str, file->len), "t.sql");
}

/* `count` rows (i, text of `width` bytes, two bytes). */
static void encode_many(unsigned count, unsigned width, struct strbuf *out)
{
    struct err err = ERR_INIT;
    struct encoder *e = encoder_new(ROW_FORMAT_SQL, &shape, 1000);
    char *text = xmalloc(width + 1);

    memset(text, 'x', width + 1);
    assert_int_equal(encoder_begin(e, out, &err), ERR_OK);
    for (unsigned i = 0; i < count; i++) {
        char number[16];
        const char *cells[3] = {number, text, "\t\n"};
        unsigned long lens[3] = {(unsigned long)snprintf(number, sizeof number, "%u", i), width, 2};
        struct row row = {cells, lens, 3};

        assert_int_equal(encoder_row(e, &row, out, &err), ERR_OK);
    }
    assert_int_equal(encoder_end(e, out, &err), ERR_OK);
    encoder_free(e);
    free(text);
}

/* Reads the batch's rows back: the first cell counts on from `next`. Returns what comes next. */
static uint64_t numbers_in(const struct batch *b, uint64_t next)
{
    struct batch_reader r;
    struct err err = ERR_INIT;

    batch_reader_init(&r, b, 3);
    for (unsigned i = 0; i < b->rows; i++) {
        struct row row;
        char number[24] = {0};

        assert_int_equal(batch_reader_row(&r, i, &row, &err), ERR_OK);
        assert_true(row.len[0] < sizeof number);
        memcpy(number, row.cell[0], row.len[0]);
        assert_true(strtoull(number, NULL, 10) == next + i);
        assert_int_equal(row.len[2], 2);
        assert_memory_equal(row.cell[2], "\t\n", 2);
    }
    batch_reader_release(&r);
    return next + b->rows;
}

static void cuts_by_rows_and_by_bytes(void **state)
{
    static const struct {
        unsigned rows, width, max_rows;
        size_t max_bytes;
    } cases[] = {{10, 5, 3, 100000},   {9, 5, 3, 100000},    {1, 5, 3, 100000},
                 {100, 50, 1000, 256}, {100, 50, 1000, 10},  {0, 5, 3, 1000},
                 {500, 7, 1, 4096},    {2000, 30, 64, 1000}, {300, 1000, 100, 4096}};

    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct strbuf file = {0};
        struct decoder *d;
        struct batch b;
        struct err err = ERR_INIT;
        uint64_t next = 0, off = 0;

        encode_many(cases[k].rows, cases[k].width, &file);
        d = decode(&file, 0, 0);
        batch_init(&b, cases[k].max_bytes, cases[k].max_rows);
        batch_start(&b, NULL, 0, 0);
        do {
            assert_int_equal(batch_fill(&b, d, &err), ERR_OK);
            assert_true(b.first_row == next);
            assert_true(b.rows <= cases[k].max_rows);
            assert_true(b.rows == 1 || batch_bytes(&b) <= cases[k].max_bytes);
            assert_true(b.rows > 0 || cases[k].rows == 0);
            assert_true(b.rows == 0 || b.raw_off > off);
            off = b.raw_off;
            next = numbers_in(&b, next);
        } while (!b.last);
        assert_true(next == cases[k].rows);
        decoder_free(d);
        batch_release(&b);
        strbuf_release(&file);
    }
}

/* Each batch's raw_off and row count are where another run may go on. */
static void goes_on_from_each_batch(void **state)
{
    struct strbuf file = {0};
    uint64_t off = 0, rows = 0;
    bool last = false;

    (void)state;
    encode_many(200, 20, &file);
    while (!last) {
        struct decoder *d = decode(&file, off, rows);
        struct batch b;
        struct err err = ERR_INIT;

        batch_init(&b, 300, 7);
        batch_start(&b, NULL, rows, off);
        assert_int_equal(batch_fill(&b, d, &err), ERR_OK);
        assert_true(b.first_row == rows);
        rows = numbers_in(&b, rows);
        off = b.raw_off;
        last = b.last;
        decoder_free(d);
        batch_release(&b);
    }
    assert_true(rows == 200);
    strbuf_release(&file);
}

static void row_is(struct batch_reader *r, unsigned i, const struct row *expected)
{
    struct err err = ERR_INIT;
    struct row row;

    assert_int_equal(batch_reader_row(r, i, &row, &err), ERR_OK);
    for (unsigned k = 0; k < expected->count; k++) {
        assert_int_equal(row.cell[k] == NULL, expected->cell[k] == NULL);
        if (!row.cell[k])
            continue;
        assert_int_equal(row.len[k], expected->len[k]);
        assert_memory_equal(row.cell[k], expected->cell[k], expected->len[k]);
    }
}

static void reads_back_what_went_in(void **state)
{
    char all[256];
    const char *cells[][3] = {
        {"1", "", ""},     {NULL, NULL, NULL},        {"-1.5e10", "\\N", "\\N"},
        {"0", all, all},   {"2", "a\tb\nc\\d\r", ""}, {"3", "N", "\\"},
        {"4", "\\", NULL}, {"5", "NULL", "NULL"}};
    unsigned long lens[][3] = {{1, 0, 0}, {0, 0, 0}, {7, 2, 2}, {1, 128, 256},
                               {1, 8, 0}, {1, 1, 1}, {1, 1, 0}, {1, 4, 4}};
    static const bool hexes[][3] = {{false, false, false}, {false, false, true}};
    enum { ROWS = sizeof cells / sizeof cells[0] };
    struct row rows[ROWS];

    (void)state;
    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    for (unsigned i = 0; i < ROWS; i++)
        rows[i] = (struct row){cells[i], lens[i], 3};
    for (unsigned h = 0; h < 2; h++) {
        struct strbuf file = {0};
        struct decoder *d;
        struct batch b;
        struct batch_reader r;
        struct err err = ERR_INIT;

        encode(rows, ROWS, &file);
        d = decode(&file, 0, 0);
        batch_init(&b, 100000, 100);
        batch_start(&b, h ? hexes[h] : NULL, 0, 0);
        assert_int_equal(batch_fill(&b, d, &err), ERR_OK);
        assert_int_equal(b.rows, ROWS);
        assert_true(b.last);
        batch_reader_init(&r, &b, 3);
        for (unsigned i = ROWS; i-- > 0;)
            row_is(&r, i, &rows[i]);
        batch_reader_release(&r);
        decoder_free(d);
        batch_release(&b);
        strbuf_release(&file);
    }
}

/* One huge row does not keep its memory for the rest of the run. */
static void gives_back_the_memory_of_a_huge_row(void **state)
{
    struct strbuf file = {.max = (size_t)1 << 30};
    struct encoder *e = encoder_new(ROW_FORMAT_SQL, &shape, 1000);
    size_t huge = (size_t)20 << 20;
    char *text = xmalloc(huge);
    struct err err = ERR_INIT;
    struct decoder *d;
    struct batch b;
    unsigned batches = 0, rows = 0;

    (void)state;
    memset(text, 'h', huge);
    assert_int_equal(encoder_begin(e, &file, &err), ERR_OK);
    for (unsigned i = 0; i < 30; i++) {
        const char *cells[3] = {"1", text, NULL};
        unsigned long lens[3] = {1, i == 5 ? huge : 10000, 0};
        struct row row = {cells, lens, 3};

        assert_int_equal(encoder_row(e, &row, &file, &err), ERR_OK);
    }
    assert_int_equal(encoder_end(e, &file, &err), ERR_OK);
    encoder_free(e);
    free(text);
    d = decode(&file, 0, 0);
    batch_init(&b, 65536, 2000);
    batch_start(&b, NULL, 0, 0);
    do {
        assert_int_equal(batch_fill(&b, d, &err), ERR_OK);
        rows += b.rows;
        batches++;
        assert_true(b.rows == 1 || batch_bytes(&b) <= 65536);
    } while (!b.last);
    assert_int_equal(rows, 30);
    assert_true(batches >= 6);
    assert_true(b.text.cap < (size_t)1 << 20);
    decoder_free(d);
    batch_release(&b);
    strbuf_release(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_by_rows_and_by_bytes),
        cmocka_unit_test(goes_on_from_each_batch),
        cmocka_unit_test(reads_back_what_went_in),
        cmocka_unit_test(gives_back_the_memory_of_a_huge_row),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
