#include "common/store/codec.h"

#include "common/base/bytes.h"
#include "common/base/mem.h"
#include "common/store/digest.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/store_folder.h"

#include <zstd.h>

#define FRAME CODEC_FRAME_BYTES
#define LARGE ((size_t)20 << 20)

struct bench {
    struct store *s;
    char *rows;   /* LARGE bytes that compress */
    char *random; /* LARGE bytes that do not */
};

static int setup(void **state)
{
    struct bench *b = xcalloc(1, sizeof *b);

    b->s = store_mem_new();
    b->rows = xmalloc(LARGE);
    b->random = xmalloc(LARGE);
    fill_rows(b->rows, LARGE);
    fill_random(b->random, LARGE, 5);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;

    store_free(b->s);
    free(b->rows);
    free(b->random);
    free(b);
    return 0;
}

/* Writes "f" compressed, in pieces of `step` bytes. */
static void given_file(struct bench *b, const char *codec, int level, const char *bytes, size_t len,
                       size_t step, struct digest *d)
{
    struct err err = ERR_INIT;
    struct sink *out = NULL;

    *d = (struct digest){0};
    assert_int_equal(store_open_write(b->s, "f", &out, &err), ERR_OK);
    out = codec_find(codec)->sink_new(digest_tap_new(out, d), level);
    for (size_t at = 0; at < len; at += step)
        assert_int_equal(sink_write(out, bytes + at, len - at < step ? len - at : step, &err),
                         ERR_OK);
    assert_int_equal(sink_finish(out, &err), ERR_OK);
    sink_free(out);
}

/* Reads `in` to its end (it is freed) and checks every byte; *got counts them. */
static enum err_code read_all(struct source *in, const char *expected, size_t cap, size_t *got,
                              struct err *err)
{
    char *buf = xmalloc(cap);
    enum err_code rc = ERR_OK;
    size_t n = 1;

    *got = 0;
    while (!rc && n > 0) {
        rc = source_read(in, buf, cap, &n, err);
        if (rc)
            break;
        assert_memory_equal(buf, expected + *got, n);
        *got += n;
    }
    source_free(in);
    free(buf);
    return rc;
}

/* From stored byte `off` of "f" on; not verified by blocks. */
static struct source *stored(struct bench *b, const char *codec, uint64_t off)
{
    struct err err = ERR_INIT;
    struct source *in = NULL;

    assert_int_equal(store_open_read(b->s, "f", off, 0, &in, &err), ERR_OK);
    return codec_find(codec)->source_new(in);
}

static void the_table_is_found_by_name_and_extension(void **state)
{
    (void)state;
    assert_string_equal(codec_find("zstd")->extension, ".zst");
    assert_string_equal(codec_find("gzip")->extension, ".gz");
    assert_string_equal(codec_find("none")->extension, "");
    assert_null(codec_find("zst"));
    assert_null(codec_find(""));
    assert_ptr_equal(codec_of_path("db.t.000000001.sql.zst"), codec_find("zstd"));
    assert_ptr_equal(codec_of_path("a.zst/b.gz"), codec_find("gzip"));
    assert_ptr_equal(codec_of_path("a.zst/b"), codec_find("none"));
    assert_ptr_equal(codec_of_path(".gz"), codec_find("none"));
    assert_ptr_equal(codec_of_path(""), codec_find("none"));
}

static void compressions_are_parsed(void **state)
{
    static const struct {
        const char *text, *codec;
        int level;
    } good[] = {{"zstd", "zstd", 1}, {"zstd:19", "zstd", 19}, {"zstd:-3", "zstd", -3},
                {"gzip", "gzip", 6}, {"gzip:9", "gzip", 9},   {"none", "none", 0}};
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"lz4", "compression 'lz4' is not known: give one of none, zstd, gzip"},
        {"", "compression '' is not known: give one of none, zstd, gzip"},
        {"none:1", "compression 'none:1': 'none' has no levels"},
        {"gzip:0", "compression 'gzip:0': the level of gzip is a number from 1 to 9"},
        {"zstd:23", "compression 'zstd:23': the level of zstd is a number from -7 to 22"},
        {"zstd:", "compression 'zstd:': the level of zstd is a number from -7 to 22"},
        {"zstd: 3", "compression 'zstd: 3': the level of zstd is a number from -7 to 22"},
        {"zstd:3x", "compression 'zstd:3x': the level of zstd is a number from -7 to 22"},
        {"zstd:-", "compression 'zstd:-': the level of zstd is a number from -7 to 22"},
        {"zstd:99999999999999999999",
         "compression 'zstd:99999999999999999999': the level of zstd is a number from -7 to 22"},
    };
    struct compression c;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct err err = ERR_INIT;

        assert_int_equal(compression_parse(good[i].text, &c, &err), ERR_OK);
        assert_string_equal(c.codec->name, good[i].codec);
        assert_int_equal(c.level, good[i].level);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct err err = ERR_INIT;

        assert_int_equal(compression_parse(bad[i].text, &c, &err), ERR_USAGE);
        assert_string_equal(err.msg, bad[i].message);
    }
}

static void all_sizes_come_back(void **state)
{
    static const char *const names[] = {"none", "zstd", "gzip"};
    static const size_t sizes[] = {0, 1, FRAME - 1, FRAME, FRAME + 1, 2 * FRAME, LARGE};
    struct bench *b = *state;

    for (size_t i = 0; i < sizeof names / sizeof names[0] * 2; i++) {
        const char *bytes = i % 2 ? b->random : b->rows;

        for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
            struct err err = ERR_INIT;
            struct source *in = NULL;
            struct digest d;
            size_t got;

            given_file(b, names[i / 2], 1, bytes, sizes[k], k % 2 ? 300007 : LARGE, &d);
            assert_int_equal(block_source_new(b->s, "f", &d, 0, true, &in, &err), ERR_OK);
            in = codec_find(names[i / 2])->source_new(in);
            assert_int_equal(read_all(in, bytes, k % 2 ? LARGE : 10007, &got, &err), ERR_OK);
            assert_int_equal(got, sizes[k]);
            digest_release(&d);
        }
    }
}

static void all_levels_work(void **state)
{
    struct bench *b = *state;

    for (int level = -7; level <= 22; level++) {
        struct err err = ERR_INIT;
        struct digest d;
        size_t got;

        given_file(b, "zstd", level, b->rows, 300000, 100000, &d);
        digest_release(&d);
        assert_int_equal(read_all(stored(b, "zstd", 0), b->rows, 4096, &got, &err), ERR_OK);
        assert_int_equal(got, 300000);
        if (level < 1 || level > 9)
            continue;
        given_file(b, "gzip", level, b->rows, 300000, 100000, &d);
        digest_release(&d);
        assert_int_equal(read_all(stored(b, "gzip", 0), b->rows, 4096, &got, &err), ERR_OK);
        assert_int_equal(got, 300000);
    }
}

/* ---- zstd's seekable form ---- */

static void tail_of(struct bench *b, size_t len, struct strbuf *tail)
{
    struct err err = ERR_INIT;
    struct source *in = NULL;
    struct store_info info;

    strbuf_reset(tail);
    assert_int_equal(store_stat(b->s, "f", &info, &err), ERR_OK);
    if (len > info.size)
        len = (size_t)info.size;
    assert_int_equal(store_open_read(b->s, "f", info.size - len, 0, &in, &err), ERR_OK);
    assert_int_equal(source_read_all(in, tail, len, &err), ERR_OK);
    source_free(in);
}

/* The documented layout, read without our own reader. */
static void the_seek_table_is_as_documented(void **state)
{
    struct bench *b = *state;
    struct strbuf all = {.max = LARGE * 2};
    struct err err = ERR_INIT;
    struct digest d;
    const unsigned char *at;
    const unsigned char *table;
    uint32_t frames;

    given_file(b, "zstd", 1, b->rows, 2 * FRAME + 10, 100000, &d);
    digest_release(&d);
    assert_int_equal(store_get(b->s, "f", &all, LARGE, &err), ERR_OK);
    at = (const unsigned char *)all.str;
    table = at + all.len - (8 + 3 * 8 + 9);
    assert_int_equal(bytes_le32(at + all.len - 4), 0x8F92EAB1);
    assert_int_equal(at[all.len - 5], 0);
    frames = bytes_le32(at + all.len - 9);
    assert_int_equal(frames, 3);
    assert_int_equal(bytes_le32(table), 0x184D2A5E);
    assert_int_equal(bytes_le32(table + 4), 3 * 8 + 9);
    for (uint32_t i = 0; i < frames; i++) {
        const unsigned char *entry = table + 8 + (size_t)i * 8;
        size_t raw = i < 2 ? FRAME : 10;

        assert_int_equal(bytes_le32(entry + 4), raw);
        assert_int_equal(ZSTD_findFrameCompressedSize(at, (size_t)(table - at)), bytes_le32(entry));
        assert_int_equal(ZSTD_getFrameContentSize(at, (size_t)(table - at)), raw);
        at += bytes_le32(entry);
    }
    assert_ptr_equal(at, table);
    strbuf_release(&all);
}

static void reading_starts_in_the_middle(void **state)
{
    static const uint64_t offs[] = {0,         1,     FRAME - 1, FRAME, FRAME + 1, 3 * FRAME + 77,
                                    LARGE - 1, LARGE, LARGE + 5};
    struct bench *b = *state;
    struct strbuf tail = {0};
    struct digest d;

    given_file(b, "zstd", 1, b->rows, LARGE, 65536, &d);
    tail_of(b, 17 + 8 * 5, &tail);
    for (size_t i = 0; i < sizeof offs / sizeof offs[0]; i++) {
        struct err err = ERR_INIT;
        struct source *in = NULL;
        struct zstd_seek seek;
        bool found = false;
        size_t need;
        size_t got;

        assert_int_equal(zstd_seek_find(tail.str, tail.len, offs[i], &seek, &found, &need, &err),
                         ERR_OK);
        assert_true(found);
        assert_int_equal(seek.raw_off, offs[i] < LARGE ? offs[i] / FRAME * FRAME : LARGE - FRAME);
        assert_int_equal(block_source_new(b->s, "f", &d, seek.stored_off, false, &in, &err),
                         ERR_OK);
        in = codec_find("zstd")->source_new(in);
        assert_int_equal(read_all(in, b->rows + seek.raw_off, 100000, &got, &err), ERR_OK);
        assert_int_equal(got, LARGE - seek.raw_off);
    }
    digest_release(&d);
    strbuf_release(&tail);
}

static void tails_that_are_short_or_strange(void **state)
{
    struct bench *b = *state;
    struct strbuf tail = {0};
    struct err err = ERR_INIT;
    struct zstd_seek seek;
    struct digest d;
    bool found = true;
    size_t need = 0;

    given_file(b, "zstd", 1, b->rows, LARGE, LARGE, &d);
    digest_release(&d);
    tail_of(b, 17 + 8 * 5, &tail);
    assert_int_equal(zstd_seek_find("", 0, 0, &seek, &found, &need, &err), ERR_OK);
    assert_false(found);
    assert_int_equal(need, 17);
    assert_int_equal(zstd_seek_find(tail.str + 40, tail.len - 40, 0, &seek, &found, &need, &err),
                     ERR_OK);
    assert_false(found);
    assert_int_equal(need, 17 + 8 * 5);
    assert_int_equal(zstd_seek_find(tail.str, tail.len - 1, 0, &seek, &found, &need, &err), ERR_OK);
    assert_false(found);
    assert_int_equal(need, 0);
    tail.str[4] ^= 1; /* the size of the skippable frame */
    assert_int_equal(zstd_seek_find(tail.str, tail.len, 0, &seek, &found, &need, &err),
                     ERR_CORRUPT);
    assert_false(found);
    tail.str[4] ^= 1;
    memset(tail.str + 8 + 8, 0, 4); /* a frame of no bytes */
    assert_int_equal(zstd_seek_find(tail.str, tail.len, 0, &seek, &found, &need, &err), ERR_OK);
    assert_true(found);
    assert_int_equal(zstd_seek_find(tail.str, tail.len, LARGE, &seek, &found, &need, &err),
                     ERR_CORRUPT);
    strbuf_release(&tail);
}

/* With checksums in its entries, as other writers have it. */
static void a_table_with_checksums_is_read(void **state)
{
    unsigned char table[8 + 2 * 12 + 9] = {0};
    struct err err = ERR_INIT;
    struct zstd_seek seek;
    bool found = false;
    size_t need;

    (void)state;
    bytes_put_le(table, 0x184D2A5E, 4);
    bytes_put_le(table + 4, sizeof table - 8, 4);
    bytes_put_le(table + 8, 11, 4);
    bytes_put_le(table + 12, 100, 4);
    bytes_put_le(table + 20, 12, 4);
    bytes_put_le(table + 24, 100, 4);
    bytes_put_le(table + 32, 2, 4);
    table[36] = 0x80;
    bytes_put_le(table + 37, 0x8F92EAB1, 4);
    assert_int_equal(zstd_seek_find(table, sizeof table, 150, &seek, &found, &need, &err), ERR_OK);
    assert_true(found);
    assert_int_equal(seek.stored_off, 11);
    assert_int_equal(seek.raw_off, 100);
    table[36] = 0x84; /* a reserved bit: not for us */
    assert_int_equal(zstd_seek_find(table, sizeof table, 150, &seek, &found, &need, &err), ERR_OK);
    assert_false(found);
}

/* ---- what others write, and what is broken ---- */

static void append(struct strbuf *all, struct bench *b, const char *codec, const char *bytes,
                   size_t len)
{
    struct err err = ERR_INIT;
    struct digest d;

    given_file(b, codec, 1, bytes, len, LARGE, &d);
    digest_release(&d);
    assert_int_equal(store_get(b->s, "f", all, LARGE, &err), ERR_OK);
}

static void streams_that_follow_each_other_are_one(void **state)
{
    static const char *const names[] = {"zstd", "gzip"};
    struct bench *b = *state;

    for (size_t i = 0; i < 2; i++) {
        struct strbuf all = {0};
        struct err err = ERR_INIT;
        size_t got;

        append(&all, b, names[i], b->rows, 200000);
        append(&all, b, names[i], b->rows + 200000, 0);
        append(&all, b, names[i], b->rows + 200000, 128 * 1024);
        assert_int_equal(store_put(b->s, "f", all.str, all.len, &err), ERR_OK);
        assert_int_equal(read_all(stored(b, names[i], 0), b->rows, 65536, &got, &err), ERR_OK);
        assert_int_equal(got, 200000 + 128 * 1024);
        /* what follows must be of the kind */
        strbuf_addstr(&all, "garbage");
        assert_int_equal(store_put(b->s, "f", all.str, all.len, &err), ERR_OK);
        assert_int_equal(read_all(stored(b, names[i], 0), b->rows, 65536, &got, &err), ERR_CORRUPT);
        strbuf_release(&all);
    }
}

/* Reads what is left of a cut or changed "f" through the block source: every byte that comes is
 * right (read_all compares), and the end is an error. */
static void assert_refused(struct bench *b, const char *codec, const char *bytes,
                           const struct digest *d)
{
    struct err err = ERR_INIT;
    struct source *in = NULL;
    enum err_code rc = block_source_new(b->s, "f", d, 0, true, &in, &err);
    size_t got;

    if (!rc)
        rc = read_all(codec_find(codec)->source_new(in), bytes, 100000, &got, &err);
    assert_int_equal(rc, ERR_CORRUPT);
}

/* The decoders by themselves notice each cut, too; but without its seek table alone, a zstd file is
 * whole. */
static void assert_cut_noticed(struct bench *b, const char *codec, const char *bytes, bool no_table)
{
    struct err err = ERR_INIT;
    size_t got;
    enum err_code rc = read_all(stored(b, codec, 0), bytes, 100000, &got, &err);

    if (no_table && strcmp(codec, "zstd") == 0) {
        assert_int_equal(rc, ERR_OK);
        assert_int_equal(got, FRAME + 12345);
    } else if (strcmp(codec, "none") != 0) {
        assert_int_equal(rc, ERR_CORRUPT);
    }
}

static void break_in_many_places(struct bench *b, const char *codec, const char *bytes)
{
    struct strbuf all = {0};
    struct err err = ERR_INIT;
    struct digest d;

    given_file(b, codec, 1, bytes, FRAME + 12345, LARGE, &d);
    assert_int_equal(store_get(b->s, "f", &all, LARGE, &err), ERR_OK);
    for (uint64_t k = 0; k < 16; k++) {
        size_t at = (size_t)(k < 6 ? k : k * 2654435761U) % all.len;
        size_t cut = k % 2 ? at : all.len - 33 + (size_t)k;

        all.str[at] = (char)(all.str[at] ^ (1 << k % 8));
        assert_int_equal(store_put(b->s, "f", all.str, all.len, &err), ERR_OK);
        assert_refused(b, codec, bytes, &d);
        all.str[at] = (char)(all.str[at] ^ (1 << k % 8));
        assert_int_equal(store_put(b->s, "f", all.str, cut, &err), ERR_OK);
        assert_refused(b, codec, bytes, &d);
        assert_cut_noticed(b, codec, bytes, cut == all.len - (8 + 2 * 8 + 9));
    }
    digest_release(&d);
    strbuf_release(&all);
}

static void cut_or_changed_files_give_no_wrong_byte(void **state)
{
    static const char *const names[] = {"none", "zstd", "gzip"};
    struct bench *b = *state;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        break_in_many_places(b, names[i], b->rows);
        break_in_many_places(b, names[i], b->random);
    }
}

static void an_empty_file_is_no_stream(void **state)
{
    static const char *const names[] = {"zstd", "gzip"};
    struct bench *b = *state;

    for (size_t i = 0; i < 2; i++) {
        struct err err = ERR_INIT;
        size_t got;

        assert_int_equal(store_put(b->s, "f", "", 0, &err), ERR_OK);
        assert_int_equal(read_all(stored(b, names[i], 0), "", 10, &got, &err), ERR_CORRUPT);
        assert_non_null(strstr(err.msg, "the data ends too early"));
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_found_by_name_and_extension),
        cmocka_unit_test(compressions_are_parsed),
        CASE(all_sizes_come_back),
        CASE(all_levels_work),
        CASE(the_seek_table_is_as_documented),
        CASE(reading_starts_in_the_middle),
        CASE(tails_that_are_short_or_strange),
        cmocka_unit_test(a_table_with_checksums_is_read),
        CASE(streams_that_follow_each_other_are_one),
        CASE(cut_or_changed_files_give_no_wrong_byte),
        CASE(an_empty_file_is_no_stream),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
