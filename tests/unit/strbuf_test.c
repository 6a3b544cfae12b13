#include "common/base/strbuf.h"
#include "tests/unit/cmocka_all.h"

#include <stdlib.h>

static void empty_buffer_reads_as_empty_text(void **state)
{
    struct strbuf sb = {0};
    char *text;

    (void)state;
    assert_string_equal(strbuf_str(&sb), "");
    strbuf_reset(&sb);
    strbuf_setlen(&sb, 0);
    text = strbuf_detach(&sb);
    assert_string_equal(text, "");
    free(text);
    strbuf_release(&sb);
    strbuf_release(&sb);
}

static void adds_every_kind(void **state)
{
    struct strbuf sb = {0};

    (void)state;
    strbuf_add(&sb, "a\0b", 3);
    strbuf_add(&sb, NULL, 0);
    strbuf_addstr(&sb, "cd");
    strbuf_addch(&sb, 'e');
    strbuf_addf(&sb, "%d-%s", 42, "x");
    assert_int_equal(sb.len, 10);
    assert_memory_equal(strbuf_str(&sb), "a\0bcde42-x", 11);
    strbuf_setlen(&sb, 1);
    assert_string_equal(strbuf_str(&sb), "a");
    strbuf_reset(&sb);
    assert_int_equal(sb.len, 0);
    assert_string_equal(strbuf_str(&sb), "");
    strbuf_release(&sb);
}

static void grows_and_stays_terminated(void **state)
{
    struct strbuf sb = {0};

    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        strbuf_addch(&sb, (char)('a' + i % 26));
        assert_true(sb.cap > sb.len);
        assert_int_equal(sb.str[sb.len], 0);
    }
    assert_int_equal(sb.len, 100000);
    assert_int_equal(sb.str[99999], 'a' + 99999 % 26);
    strbuf_release(&sb);
}

static void detach_hands_over(void **state)
{
    struct strbuf sb = {.max = 100};
    char *text;

    (void)state;
    strbuf_addstr(&sb, "mine");
    text = strbuf_detach(&sb);
    assert_string_equal(text, "mine");
    assert_int_equal(sb.len, 0);
    assert_int_equal(sb.max, 100);
    strbuf_addstr(&sb, "other");
    assert_string_equal(text, "mine");
    free(text);
    strbuf_release(&sb);
    assert_int_equal(sb.max, 100);
}

static void limit_is_an_error_and_keeps_the_content(void **state)
{
    struct strbuf sb = {.max = 1000};
    struct err err = ERR_INIT;

    (void)state;
    strbuf_addstr(&sb, "abc");
    assert_int_equal(strbuf_reserve(&sb, 997, &err), ERR_OK);
    assert_int_equal(strbuf_reserve(&sb, 1 << 20, &err), ERR_LIMIT);
    assert_string_equal(err.msg, "3 bytes and 1048576 more are above the limit of 1000 bytes");
    assert_int_equal(strbuf_reserve(&sb, SIZE_MAX, &err), ERR_LIMIT);
    assert_int_equal(strbuf_reserve(&sb, SIZE_MAX - 2, &err), ERR_LIMIT);
    assert_string_equal(strbuf_str(&sb), "abc");
    strbuf_release(&sb);
    assert_int_equal(strbuf_reserve(&sb, 1001, &err), ERR_LIMIT);
    assert_int_equal(strbuf_reserve(&sb, 1000, &err), ERR_OK);
    strbuf_release(&sb);
}

static void reserve_of_an_empty_buffer_is_terminated(void **state)
{
    struct strbuf sb = {0};
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(strbuf_reserve(&sb, 0, &err), ERR_OK);
    assert_non_null(sb.str);
    assert_string_equal(strbuf_str(&sb), "");
    strbuf_release(&sb);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_buffer_reads_as_empty_text),
        cmocka_unit_test(adds_every_kind),
        cmocka_unit_test(grows_and_stays_terminated),
        cmocka_unit_test(detach_hands_over),
        cmocka_unit_test(limit_is_an_error_and_keeps_the_content),
        cmocka_unit_test(reserve_of_an_empty_buffer_is_terminated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
