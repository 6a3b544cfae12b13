/* tests/bench/codec_bench.c: how fast one core encodes and decodes rows in memory.
 *
 * For each kind of rows, MB/s (10^6 bytes of the file's text) of encoder, decoder, load_data_row
 * and insert_values_row; the best of five rounds. */
#include "common/base/mem.h"
#include "formats/row_codec.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BENCH_BYTES ((size_t)64 << 20) /* of text a round */
#define BENCH_FLUSH ((size_t)1 << 20)  /* bytes in the output buffer, as in a dump */
#define BENCH_ROWS 1024U               /* different rows */
#define BENCH_ROUNDS 5

struct bench_table {
    const char *name;
    struct row_shape shape;
    struct row *rows; /* BENCH_ROWS */
    struct arena *arena;
};

/* Seconds of this process's CPU: other work on the machine does not count. */
static double bench_now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static unsigned bench_random(unsigned *seed)
{
    *seed = *seed * 1664525U + 1013904223U;
    return *seed >> 8;
}

/* A cell of the kind: d digits, t a date and time, f a decimal, c words, j JSON, b bytes. */
static size_t bench_cell(char *out, char kind, unsigned len, unsigned *seed)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz     -0123456789";
    size_t n = 0;

    switch (kind) {
    case 'd':
        return (size_t)snprintf(out, 32, "%u", bench_random(seed) >> (bench_random(seed) % 16));
    case 't':
        return (size_t)snprintf(out, 64, "2024-%02u-%02u 12:%02u:00", bench_random(seed) % 12 + 1,
                                bench_random(seed) % 28 + 1, bench_random(seed) % 60);
    case 'f':
        return (size_t)snprintf(out, 64, "%u.%02u", bench_random(seed) % 100000,
                                bench_random(seed) % 100);
    case 'j':
        return (size_t)snprintf(out, 128,
                                "{\"id\": %u, \"tags\": [\"a\", \"it's\"], \"x\": \"%u\"}",
                                bench_random(seed), bench_random(seed));
    case 'b':
        for (; n < len; n++)
            out[n] = (char)bench_random(seed);
        return n;
    default:
        len = len / 2 + bench_random(seed) % (len / 2 + 1);
        for (; n < len; n++)
            out[n] = letters[bench_random(seed) % (sizeof letters - 1)];
        if (bench_random(seed) % 16 == 0 && n > 0)
            out[n / 2] = '\'';
        return n;
    }
}

/* `kinds`: a letter and, for c and b, a length a column. */
static void bench_table_init(struct bench_table *t, const char *name, const char *kinds)
{
    static const char *const columns[] = {"a", "b", "c", "d", "e", "f", "g", "h",
                                          "i", "j", "k", "l", "m", "n", "o", "p"};
    enum cell_form *forms;
    char *text;
    unsigned seed = 1;
    unsigned len[16] = {0};
    char kind[16];
    unsigned count = 0;

    t->name = name;
    t->arena = arena_new();
    text = arena_alloc(t->arena, 1 << 16);
    forms = arena_alloc(t->arena, 16 * sizeof *forms);
    for (char *end = NULL; *kinds; kinds = end + (*end == ' ')) {
        kind[count] = *kinds;
        len[count] = (unsigned)strtoul(kinds + 1, &end, 10);
        forms[count] = *kinds == 'd' || *kinds == 'f' ? CELL_NUMBER
                       : *kinds == 'b'                ? CELL_BYTES
                                                      : CELL_TEXT;
        count++;
    }
    t->rows = arena_alloc(t->arena, BENCH_ROWS * sizeof *t->rows);
    for (unsigned r = 0; r < BENCH_ROWS; r++) {
        const char **cell = arena_alloc(t->arena, count * sizeof *cell);
        unsigned long *size = arena_alloc(t->arena, count * sizeof *size);

        for (unsigned i = 0; i < count; i++) {
            size[i] = bench_cell(text, kind[i], len[i], &seed);
            cell[i] = arena_memdup(t->arena, text, size[i]);
        }
        t->rows[r] = (struct row){.cell = cell, .len = size, .count = count};
    }
    t->shape = (struct row_shape){.table = "t", .columns = columns, .forms = forms, .count = count};
}

static void bench_check(enum err_code rc, const struct err *err)
{
    if (!rc)
        return;
    (void)fprintf(stderr, "codec_bench: %s\n", err->msg);
    exit(1);
}

enum bench_writer { BENCH_ENCODER, BENCH_LOAD, BENCH_INSERT };

/* About BENCH_BYTES of text; `keep`: all of it stays in `out`. Returns its bytes. */
static size_t bench_write(const struct bench_table *t, enum row_format format,
                          enum bench_writer writer, bool keep, struct strbuf *out)
{
    struct encoder *e = encoder_new(format, &t->shape, 1000000);
    struct err err = ERR_INIT;
    size_t bytes = 0;

    strbuf_reset(out);
    if (writer == BENCH_ENCODER)
        bench_check(encoder_begin(e, out, &err), &err);
    for (unsigned r = 0; bytes + out->len < BENCH_BYTES; r++) {
        const struct row *row = &t->rows[r % BENCH_ROWS];

        if (writer == BENCH_ENCODER)
            bench_check(encoder_row(e, row, out, &err), &err);
        else if (writer == BENCH_LOAD)
            bench_check(load_data_row(row, NULL, out, &err), &err);
        else
            bench_check(insert_values_row(row, t->shape.forms, out, &err), &err);
        if (keep || out->len < BENCH_FLUSH)
            continue;
        bytes += out->len;
        strbuf_reset(out);
    }
    if (writer == BENCH_ENCODER)
        bench_check(encoder_end(e, out, &err), &err);
    encoder_free(e);
    return bytes + out->len;
}

static void bench_read(const struct bench_table *t, enum row_format format, const struct strbuf *in)
{
    const struct decoder_params p = {.format = format, .shape = &t->shape};
    struct decoder *d = decoder_new(&p, source_mem_new(in->str, in->len), "bench");
    struct err err = ERR_INIT;
    struct row row;
    bool more = true;

    while (more)
        bench_check(decoder_next(d, &row, &more, &err), &err);
    decoder_free(d);
}

static void bench_print(const char *table, const char *what, double bytes, double seconds)
{
    (void)printf("%-10s %-14s %7.0f MB/s\n", table, what, bytes / seconds / 1e6);
}

static void bench_run(const struct bench_table *t, const char *what, enum row_format format,
                      enum bench_writer writer, bool read)
{
    struct strbuf buf = {.max = 2 * BENCH_BYTES};
    double best = 1e9;
    size_t bytes = 0;

    if (read)
        bytes = bench_write(t, format, writer, true, &buf);
    for (int i = 0; i < BENCH_ROUNDS; i++) {
        const double start = bench_now();
        double seconds;

        if (read)
            bench_read(t, format, &buf);
        else
            bytes = bench_write(t, format, writer, false, &buf);
        seconds = bench_now() - start;
        best = seconds < best ? seconds : best;
    }
    bench_print(t->name, what, (double)bytes, best);
    strbuf_release(&buf);
}

int main(void)
{
    static const char *const tables[][2] = {
        {"sysbench", "d d c120 c60"},
        {"lineitem", "d d d d f f f f c1 c1 t t t c25 c10 c44"},
        {"documents", "d c32 j c400 b16 t"},
        {"bytes", "d b2000"},
    };

    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        struct bench_table t;

        bench_table_init(&t, tables[i][0], tables[i][1]);
        bench_run(&t, "sql encode", ROW_FORMAT_SQL, BENCH_ENCODER, false);
        bench_run(&t, "csv encode", ROW_FORMAT_CSV, BENCH_ENCODER, false);
        bench_run(&t, "load_data_row", ROW_FORMAT_SQL, BENCH_LOAD, false);
        bench_run(&t, "insert_values", ROW_FORMAT_SQL, BENCH_INSERT, false);
        bench_run(&t, "sql decode", ROW_FORMAT_SQL, BENCH_ENCODER, true);
        bench_run(&t, "csv decode", ROW_FORMAT_CSV, BENCH_ENCODER, true);
        arena_free(t.arena);
    }
    return 0;
}
