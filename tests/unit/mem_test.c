#include "common/base/mem.h"

#include "common/base/bytes.h"
#include "tests/unit/cmocka_all.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

static void sizes_of_zero_give_a_pointer(void **state)
{
    void *p = xmalloc(0);
    void *q = xcalloc(0, 8);

    (void)state;
    assert_non_null(p);
    assert_non_null(q);
    p = xrealloc(p, 0);
    assert_non_null(p);
    q = xreallocarray(q, 3, 4);
    memset(q, 1, 12);
    free(p);
    free(q);
}

static void copies_strings(void **state)
{
    char *a = xstrdup("abc");
    char *b = xstrndup("abcdef", 2);
    char *c = xstrndup("ab", 100);
    char *d = xasprintf("%s-%05d", a, 42);

    (void)state;
    assert_string_equal(a, "abc");
    assert_string_equal(b, "ab");
    assert_string_equal(c, "ab");
    assert_string_equal(d, "abc-00042");
    free(a);
    free(b);
    free(c);
    free(d);
}

static void arena_gives_aligned_memory_that_does_not_overlap(void **state)
{
    struct arena *a = arena_new();
    unsigned char *ptrs[2000];

    (void)state;
    for (size_t i = 0; i < 2000; i++) {
        size_t size = i % 7 == 0 ? 100000 : i % 300; /* above a block, and zero */

        ptrs[i] = arena_alloc(a, size);
        assert_int_equal((uintptr_t)ptrs[i] % alignof(max_align_t), 0);
        memset(ptrs[i], (int)(i % 251), size);
    }
    for (size_t i = 0; i < 2000; i++) {
        size_t size = i % 7 == 0 ? 100000 : i % 300;

        if (size) {
            assert_int_equal(ptrs[i][0], i % 251);
            assert_int_equal(ptrs[i][size - 1], i % 251);
        }
    }
    arena_free(a);
    arena_free(NULL);
}

static void arena_reset_can_be_filled_again(void **state)
{
    struct arena *a = arena_new();

    (void)state;
    arena_reset(a);
    for (int round = 0; round < 3; round++) {
        char *big = arena_alloc(a, 1 << 20);
        char *text = arena_strdup(a, "hello");

        memset(big, 'x', 1 << 20);
        assert_string_equal(text, "hello");
        assert_string_equal(arena_memdup(a, "ab\0cd", 2), "ab");
        assert_memory_equal(arena_memdup(a, "ab\0cd", 5), "ab\0cd", 6);
        assert_string_equal(arena_memdup(a, NULL, 0), "");
        arena_reset(a);
    }
    arena_free(a);
}

static void bytes_in_both_orders(void **state)
{
    unsigned char b[8];
    char hex[6];

    (void)state;
    bytes_put_le(b, UINT64_C(0x0102030405060708), 8);
    assert_int_equal(b[0], 8);
    assert_true(bytes_le64(b) == UINT64_C(0x0102030405060708));
    assert_true(bytes_be64(b) == UINT64_C(0x0807060504030201));
    bytes_put_be(b, 0xfffefd, 3);
    assert_true(bytes_be(b, 3) == 0xfffefd);
    assert_int_equal(bytes_le16(b), 0xfeff);
    bytes_put_be(b, 0xf0000001, 4);
    assert_int_equal(bytes_be32(b), 0xf0000001);
    assert_int_equal(bytes_le32(b), 0x010000f0);
    assert_int_equal(bytes_be16(b), 0xf000);
    assert_ptr_equal(bytes_to_hex(hex, "\x00\x9f\xff", 3), hex + 6);
    assert_memory_equal(hex, "009fff", 6);
    for (int i = 0; i < 256; i++)
        assert_int_equal(bytes_hex_value(bytes_hex[i][0]) * 16 + bytes_hex_value(bytes_hex[i][1]),
                         i);
    assert_int_equal(bytes_hex_value('A'), 10);
    assert_int_equal(bytes_hex_value('g'), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_of_zero_give_a_pointer),
        cmocka_unit_test(copies_strings),
        cmocka_unit_test(arena_gives_aligned_memory_that_does_not_overlap),
        cmocka_unit_test(arena_reset_can_be_filled_again),
        cmocka_unit_test(bytes_in_both_orders),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
