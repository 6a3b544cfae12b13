/* tests/fuzz/decoder_fuzz.h: what the fuzzers of both formats do.
 *
 * The first byte chooses the buffer's size. Invariants: no crash, no leak; the rows do not depend
 * on the buffer's size; going on behind the first row gives the rest; every row that was read comes
 * back from both formats. A file of raw cells is tried too: the same bytes as one row's cells. */
#ifndef FERRY_TESTS_DECODER_FUZZ_H
#define FERRY_TESTS_DECODER_FUZZ_H

#include "common/base/mem.h"
#include "formats/row_codec.h"

#include <stdio.h>
#include <stdlib.h>

#define FUZZ_COLUMNS 4U
#define FUZZ_CHECK(ok)                                                                             \
    do {                                                                                           \
        if (!(ok)) {                                                                               \
            (void)fprintf(stderr, "does not hold: %s\n", #ok);                                     \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const fuzz_columns[FUZZ_COLUMNS] = {"a", "b", "c", "d"};
static const enum cell_form fuzz_forms[FUZZ_COLUMNS] = {CELL_NUMBER, CELL_TEXT, CELL_BYTES,
                                                        CELL_BIT};
static const struct row_shape fuzz_shape = {"t", fuzz_columns, fuzz_forms, FUZZ_COLUMNS};

/* What must be equal of two readings. */
struct fuzz_result {
    enum err_code code;
    uint64_t rows, hash;
    uint64_t first_off; /* behind the first row */
    uint64_t first_hash;
};

static uint64_t fuzz_hash(uint64_t h, const void *data, size_t len)
{
    const unsigned char *p = data;

    for (size_t i = 0; i < len; i++)
        h = (h ^ p[i]) * UINT64_C(0x100000001b3);
    return h;
}

static uint64_t fuzz_row_hash(uint64_t h, const struct row *row)
{
    FUZZ_CHECK(row->count == FUZZ_COLUMNS);
    for (unsigned i = 0; i < row->count; i++) {
        const uint64_t len = row->cell[i] ? row->len[i] : UINT64_MAX;

        h = fuzz_hash(h, &len, sizeof len);
        if (row->cell[i])
            h = fuzz_hash(h, row->cell[i], row->len[i]);
    }
    return h;
}

static void fuzz_round_trip(enum row_format format, const struct row *row)
{
    struct encoder *e = encoder_new(format, &fuzz_shape, 100);
    const struct decoder_params p = {.format = format, .shape = &fuzz_shape, .buffer = 50};
    struct strbuf text = {0};
    struct err err = ERR_INIT;
    struct decoder *d;
    struct row back;
    bool more = false;

    FUZZ_CHECK(!encoder_begin(e, &text, &err));
    FUZZ_CHECK(!encoder_row(e, row, &text, &err));
    FUZZ_CHECK(!encoder_row(e, row, &text, &err));
    FUZZ_CHECK(!encoder_end(e, &text, &err));
    d = decoder_new(&p, source_mem_new(text.str, text.len), "fuzz");
    for (int i = 0; i < 2; i++) {
        FUZZ_CHECK(!decoder_next(d, &back, &more, &err) && more);
        FUZZ_CHECK(fuzz_row_hash(1, &back) == fuzz_row_hash(1, row));
    }
    FUZZ_CHECK(!decoder_next(d, &back, &more, &err) && !more);
    decoder_free(d);
    encoder_free(e);
    strbuf_release(&text);
}

/* `hash`: of the rows before. */
static void fuzz_read(const struct decoder_params *p, const uint8_t *data, size_t size,
                      uint64_t hash, struct fuzz_result *out)
{
    const bool round_trip = p->buffer != 0;
    struct decoder *d = decoder_new(p, source_mem_new(data, size), "fuzz");
    struct err err = ERR_INIT;
    struct row row;
    bool more = true;

    *out = (struct fuzz_result){.rows = p->start_row, .hash = hash};
    for (;;) {
        out->code = decoder_next(d, &row, &more, &err);
        if (out->code || !more)
            break;
        out->hash = fuzz_row_hash(out->hash, &row);
        if (++out->rows == 1) {
            out->first_off = decoder_offset(d);
            out->first_hash = out->hash;
        }
        FUZZ_CHECK(decoder_rows(d) == out->rows);
        FUZZ_CHECK(decoder_offset(d) <= p->raw_off + size);
        if (!round_trip)
            continue;
        fuzz_round_trip(ROW_FORMAT_SQL, &row);
        fuzz_round_trip(ROW_FORMAT_CSV, &row);
    }
    FUZZ_CHECK(out->code == ERR_OK || out->code == ERR_FORMAT || out->code == ERR_LIMIT);
    decoder_free(d);
}

/* Cells of any bytes: the input cut in four. */
static void fuzz_cells(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    const char *cell[FUZZ_COLUMNS] = {bytes, bytes + size / 4, bytes + size / 2,
                                      size % 7 ? bytes + size / 4 * 3 : NULL};
    const unsigned long len[FUZZ_COLUMNS] = {size / 4, size / 4, size / 4, size / 4};
    const struct row row = {cell, len, FUZZ_COLUMNS};

    fuzz_round_trip(ROW_FORMAT_SQL, &row);
    fuzz_round_trip(ROW_FORMAT_CSV, &row);
}

static int decoder_fuzz(enum row_format format, const uint8_t *data, size_t size)
{
    struct decoder_params p = {.format = format, .shape = &fuzz_shape, .max_row = 1 << 20};
    struct fuzz_result all, again;

    if (size == 0)
        return 0;
    p.csv_no_header = data[0] & 64;
    p.csv_open_end = data[0] & 128;
    p.buffer = data[0] & 63;
    data++;
    size--;
    fuzz_cells(data, size);
    fuzz_read(&p, data, size, 1, &all);
    p.buffer = 0;
    fuzz_read(&p, data, size, 1, &again);
    FUZZ_CHECK(all.code == again.code && all.rows == again.rows && all.hash == again.hash);
    if (all.rows == 0)
        return 0;
    p.start_row = 1;
    p.start_off = all.first_off;
    p.raw_off = all.first_off / 2;
    fuzz_read(&p, data + p.raw_off, size - p.raw_off, all.first_hash, &again);
    FUZZ_CHECK(all.code == again.code && all.rows == again.rows && all.hash == again.hash);
    return 0;
}

#endif
