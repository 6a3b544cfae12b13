#include "common/store/digest.h"

#include "common/base/bytes.h"
#include "common/base/mem.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/store_folder.h"

#include <xxhash.h>

#define BLOCK DIGEST_BLOCK_BYTES
#define THREE (3 * BLOCK + 1000)

static const size_t sizes[] = {0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, THREE};
#define SIZE_COUNT (sizeof sizes / sizeof sizes[0])

struct bench {
    struct store *s;
    char *bytes; /* THREE of them */
};

static int setup(void **state)
{
    struct bench *b = xcalloc(1, sizeof *b);

    b->s = store_mem_new();
    b->bytes = xmalloc(THREE + 1);
    fill_random(b->bytes, THREE + 1, 3);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;

    store_free(b->s);
    free(b->bytes);
    free(b);
    return 0;
}

/* Writes "f" through the tap in pieces of `step` bytes. */
static void given_file(struct bench *b, size_t len, size_t step, struct digest *d)
{
    struct err err = ERR_INIT;
    struct sink *out = NULL;

    *d = (struct digest){0};
    assert_int_equal(store_open_write(b->s, "f", &out, &err), ERR_OK);
    out = digest_tap_new(out, d);
    for (size_t at = 0; at < len; at += step)
        assert_int_equal(sink_write(out, b->bytes + at, len - at < step ? len - at : step, &err),
                         ERR_OK);
    assert_int_equal(sink_finish(out, &err), ERR_OK);
    sink_free(out);
    assert_int_equal(d->bytes, len);
}

static void assert_sha256(const struct digest *d, const char *hex)
{
    char got[2 * DIGEST_SHA256_BYTES + 1];

    *bytes_to_hex(got, d->sha256, sizeof d->sha256) = '\0';
    assert_string_equal(got, hex);
}

static void the_tap_computes_what_others_do(void **state)
{
    struct bench *b = *state;
    struct digest d;

    given_file(b, 0, 1, &d);
    assert_sha256(&d, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_int_equal(d.block_count, 0);
    digest_release(&d);
    memcpy(b->bytes, "abc", 3);
    given_file(b, 3, 1, &d);
    assert_sha256(&d, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(d.block_count, 1);
    assert_true(d.blocks[0] == XXH3_64bits("abc", 3));
    digest_release(&d);
    digest_release(&d);
}

static void pieces_make_no_difference(void **state)
{
    static const size_t steps[] = {997, 32768, 100000, BLOCK, BLOCK + 1, THREE};
    struct bench *b = *state;

    for (size_t i = 0; i < SIZE_COUNT; i++) {
        struct digest first;

        given_file(b, sizes[i], THREE, &first);
        assert_int_equal(first.block_count, (sizes[i] + BLOCK - 1) / BLOCK);
        for (size_t k = 0; k < first.block_count; k++) {
            size_t len = sizes[i] - k * BLOCK;

            assert_true(first.blocks[k] ==
                        XXH3_64bits(b->bytes + k * BLOCK, len < BLOCK ? len : BLOCK));
        }
        for (size_t k = 0; k < sizeof steps / sizeof steps[0]; k++) {
            struct digest d;

            given_file(b, sizes[i], steps[k], &d);
            assert_memory_equal(d.sha256, first.sha256, sizeof d.sha256);
            assert_int_equal(d.block_count, first.block_count);
            if (d.block_count > 0)
                assert_memory_equal(d.blocks, first.blocks, d.block_count * sizeof *d.blocks);
            digest_release(&d);
        }
        digest_release(&first);
    }
}

static void an_unfinished_write_has_no_digest(void **state)
{
    struct bench *b = *state;
    struct digest d = {0};
    struct err err = ERR_INIT;
    struct sink *out = NULL;

    assert_int_equal(store_open_write(b->s, "f", &out, &err), ERR_OK);
    out = digest_tap_new(out, &d);
    assert_int_equal(sink_write(out, b->bytes, THREE, &err), ERR_OK);
    sink_free(out);
    assert_int_equal(d.bytes, 0);
    assert_null(d.blocks);
}

/* Reads "f" from `off`, at most `cap` bytes at a time, and checks every byte that comes. The code;
 * *got counts the bytes. */
static enum err_code read_back(struct bench *b, const struct digest *d, uint64_t off, bool whole,
                               size_t cap, size_t *got, struct err *err)
{
    char *buf = xmalloc(cap);
    struct source *in = NULL;
    enum err_code rc = block_source_new(b->s, "f", d, off, whole, &in, err);
    size_t n = 1;

    *got = 0;
    while (!rc && n > 0) {
        rc = source_read(in, buf, cap, &n, err);
        if (rc)
            break;
        assert_memory_equal(buf, b->bytes + off + *got, n);
        *got += n;
    }
    source_free(in);
    free(buf);
    return rc;
}

static void a_good_file_is_read_from_anywhere(void **state)
{
    struct bench *b = *state;

    for (size_t i = 0; i < SIZE_COUNT; i++) {
        const size_t len = sizes[i];
        const size_t offs[] = {0, 1, len / 2, len > 0 ? len - 1 : 0, len, BLOCK, BLOCK - 1};
        struct digest d;

        given_file(b, len, THREE, &d);
        for (size_t k = 0; k < sizeof offs / sizeof offs[0]; k++) {
            struct err err = ERR_INIT;
            size_t got;

            if (offs[k] > len)
                continue;
            assert_int_equal(read_back(b, &d, offs[k], true, 70000, &got, &err), ERR_OK);
            assert_int_equal(got, len - offs[k]);
            assert_int_equal(read_back(b, &d, offs[k], false, 3 * BLOCK, &got, &err), ERR_OK);
            assert_int_equal(got, len - offs[k]);
        }
        digest_release(&d);
    }
}

static void assert_corrupt(struct bench *b, const struct digest *d, uint64_t off, const char *text)
{
    struct err err = ERR_INIT;
    size_t got;

    assert_int_equal(read_back(b, d, off, true, 50000, &got, &err), ERR_CORRUPT);
    assert_string_equal(err.msg, text);
}

static void what_is_wrong_is_named(void **state)
{
    struct bench *b = *state;
    struct err err = ERR_INIT;
    struct digest d;
    size_t got;

    given_file(b, THREE, THREE, &d);
    assert_int_equal(store_put(b->s, "f", b->bytes, THREE - 1, &err), ERR_OK);
    assert_corrupt(b, &d, 0, "mem:/f: cut in block 3: it has 3146727 bytes instead of 3146728");
    assert_corrupt(b, &d, THREE, "mem:/f: cut in block 3: it has 3146727 bytes instead of 3146728");
    assert_int_equal(store_put(b->s, "f", b->bytes, BLOCK + 5, &err), ERR_OK);
    assert_corrupt(b, &d, 0, "mem:/f: cut in block 1: it has 1048581 bytes instead of 3146728");
    assert_int_equal(store_put(b->s, "f", "", 0, &err), ERR_OK);
    assert_corrupt(b, &d, 0, "mem:/f: cut in block 0: it has 0 bytes instead of 3146728");
    assert_int_equal(store_put(b->s, "f", b->bytes, THREE + 1, &err), ERR_OK);
    assert_corrupt(b, &d, 0, "mem:/f: longer than the 3146728 bytes that were written");
    assert_corrupt(b, &d, THREE, "mem:/f: longer than the 3146728 bytes that were written");
    b->bytes[2 * BLOCK] ^= 1;
    assert_int_equal(store_put(b->s, "f", b->bytes, THREE, &err), ERR_OK);
    b->bytes[2 * BLOCK] ^= 1;
    assert_corrupt(b, &d, 5, "mem:/f: the checksum of block 2 (bytes 2097152 to 3145727) differs");
    assert_int_equal(read_back(b, &d, 3 * BLOCK, true, 100, &got, &err), ERR_OK);
    assert_int_equal(store_remove(b->s, "f", &err), ERR_OK);
    assert_int_equal(read_back(b, &d, 0, true, 100, &got, &err), ERR_DUMP_FILE_MISSING);
    assert_string_equal(err.msg, "mem:/f is missing");
    digest_release(&d);
}

static void a_digest_of_another_file_never_fits(void **state)
{
    struct bench *b = *state;
    struct err err = ERR_INIT;
    struct digest d;
    size_t got;

    given_file(b, 2 * BLOCK, THREE, &d);
    d.sha256[0] ^= 1;
    assert_int_equal(read_back(b, &d, 0, true, 100000, &got, &err), ERR_CORRUPT);
    assert_string_equal(err.msg, "mem:/f: the SHA-256 of the whole differs");
    assert_int_equal(got, BLOCK); /* the last block is kept back */
    assert_int_equal(read_back(b, &d, 0, false, 100000, &got, &err), ERR_OK);
    d.block_count--;
    assert_int_equal(read_back(b, &d, 0, true, 100000, &got, &err), ERR_FORMAT);
    assert_string_equal(err.msg, "mem:/f: 1 checksums for 2 blocks");
    digest_release(&d);
    given_file(b, 0, 1, &d);
    d.sha256[5] ^= 1;
    assert_corrupt(b, &d, 0, "mem:/f: the SHA-256 of the whole differs");
    d.sha256[5] ^= 1;
    assert_int_equal(store_put(b->s, "f", "x", 1, &err), ERR_OK);
    assert_corrupt(b, &d, 0, "mem:/f: longer than the 0 bytes that were written");
    digest_release(&d);
}

/* Promise 3: cut anywhere or changed in one bit, no wrong byte is passed on (read_back compares
 * them all), and the end is never reached. */
static void one_bit_or_one_cut_is_enough(void **state)
{
    struct bench *b = *state;
    struct err err = ERR_INIT;
    char *bad = xmalloc(THREE);
    struct digest d;

    given_file(b, THREE, THREE, &d);
    for (uint64_t i = 0; i < 40; i++) {
        size_t at = (size_t)(i * 2654435761U % THREE);
        size_t got;

        memcpy(bad, b->bytes, THREE);
        bad[at] = (char)(bad[at] ^ (1 << i % 8));
        assert_int_equal(store_put(b->s, "f", bad, THREE, &err), ERR_OK);
        assert_int_equal(read_back(b, &d, 0, false, 60000, &got, &err), ERR_CORRUPT);
        assert_true(got <= at && got == at / BLOCK * BLOCK);
        assert_int_equal(store_put(b->s, "f", b->bytes, at, &err), ERR_OK);
        assert_int_equal(read_back(b, &d, 0, false, 60000, &got, &err), ERR_CORRUPT);
        assert_true(got <= at);
    }
    free(bad);
    digest_release(&d);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_tap_computes_what_others_do),
        CASE(pieces_make_no_difference),
        CASE(an_unfinished_write_has_no_digest),
        CASE(a_good_file_is_read_from_anywhere),
        CASE(what_is_wrong_is_named),
        CASE(a_digest_of_another_file_never_fits),
        CASE(one_bit_or_one_cut_is_enough),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
