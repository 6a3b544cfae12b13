#include "common/base/err.h"
#include "tests/unit/cmocka_all.h"

#include <errno.h>
#include <string.h>

static void sets_code_and_message(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    err.server_errno = 1062;
    assert_int_equal(err_set(&err, ERR_USAGE, "bad '%s' %d", "x", 7), ERR_USAGE);
    assert_int_equal(err.code, ERR_USAGE);
    assert_int_equal(err.server_errno, 0);
    assert_string_equal(err.msg, "bad 'x' 7");
}

static void message_may_be_its_own_argument(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    (void)err_set(&err, ERR_IO, "inner");
    (void)err_set(&err, ERR_CORRUPT, "outer of (%s)", err.msg);
    assert_string_equal(err.msg, "outer of (inner)");
    assert_int_equal(err_wrap(&err, "%s again", err.msg), ERR_CORRUPT);
    assert_string_equal(err.msg, "outer of (inner) again: outer of (inner)");
}

static void wraps_in_front_and_keeps_the_rest(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    (void)err_set(&err, ERR_SQL, "no");
    err.server_errno = 1205;
    assert_int_equal(err_wrap(&err, "table %s", "t"), ERR_SQL);
    assert_string_equal(err.msg, "table t: no");
    assert_int_equal(err.server_errno, 1205);
    err_clear(&err);
    assert_int_equal(err.code, ERR_OK);
    assert_string_equal(err.msg, "");
    assert_int_equal(err.server_errno, 0);
}

static void appends_the_text_of_errno(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(err_set_errno(&err, ERR_IO, ENOENT, "cannot open '%s'", "f"), ERR_IO);
    assert_string_equal(err.msg, "cannot open 'f': No such file or directory");
}

/* A message of `ascii` letters and then two-byte characters must end on a whole character. */
static void cuts_at_a_character(void **state)
{
    struct err err = ERR_INIT;
    char text[3000];

    (void)state;
    for (size_t ascii = 0; ascii < 4; ascii++) {
        size_t len = ascii;

        memset(text, 'a', ascii);
        while (len + 3 < sizeof text) {
            memcpy(text + len, "\xe2\x82\xac", 3);
            len += 3;
        }
        text[len] = '\0';
        (void)err_set(&err, ERR_IO, "%s", text);
        assert_int_equal((strlen(err.msg) - ascii) % 3, 0);
        assert_true(strlen(err.msg) > ERR_MSG_MAX - 4);
        (void)err_wrap(&err, "w");
        assert_int_equal((strlen(err.msg) - ascii - 3) % 3, 0);
        (void)err_wrap(&err, "%s", text); /* the context alone fills it */
        assert_true(strlen(err.msg) < ERR_MSG_MAX);
    }
}

static void fills_to_the_last_byte(void **state)
{
    struct err err = ERR_INIT;
    char text[ERR_MSG_MAX];

    (void)state;
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '\0';
    (void)err_set(&err, ERR_IO, "%s", text);
    assert_string_equal(err.msg, text);
    (void)err_set(&err, ERR_IO, "%sx", text);
    assert_string_equal(err.msg, text);
    /* bytes that are no UTF-8 are cut anywhere, but cut */
    memset(text, 0x80, sizeof text - 1);
    (void)err_set(&err, ERR_IO, "%s%s", text, text);
    assert_int_equal(strlen(err.msg), ERR_MSG_MAX - 1);
}

static void every_code_has_its_row(void **state)
{
    static const int statuses[] = {1, 2, 3, 4, 5, 6, 75, 130};

    (void)state;
    for (int code = ERR_OK + 1; code < ERR_COUNT; code++) {
        const struct err_info *info = err_info((enum err_code)code);
        bool known = false;

        assert_int_equal(strncmp(info->name, "FERRY-", 6), 0);
        assert_true(info->cause[0] != '\0');
        assert_non_null(info->remedy);
        for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
            known = known || info->exit_status == statuses[i];
        assert_true(known);
        for (int other = ERR_OK; other < code; other++)
            assert_string_not_equal(info->name, err_info((enum err_code)other)->name);
    }
    assert_string_equal(err_info(ERR_LOAD_CONFLICT)->name, "FERRY-LOAD-CONFLICT");
    assert_int_equal(err_info(ERR_LOAD_CONFLICT)->exit_status, 3);
    assert_int_equal(err_info(ERR_OK)->exit_status, 0);
    assert_ptr_equal(err_info(ERR_COUNT), err_info(ERR_INTERNAL));
}

static void sorts_errnos(void **state)
{
    (void)state;
    assert_int_equal(err_code_of_errno(ENOSPC), ERR_DISK_FULL);
    assert_int_equal(err_code_of_errno(EDQUOT), ERR_DISK_FULL);
    assert_int_equal(err_code_of_errno(EROFS), ERR_STORE_DENIED);
    assert_int_equal(err_code_of_errno(ENOENT), ERR_STORE_NOT_FOUND);
    assert_int_equal(err_code_of_errno(EIO), ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_code_and_message),
        cmocka_unit_test(message_may_be_its_own_argument),
        cmocka_unit_test(wraps_in_front_and_keeps_the_rest),
        cmocka_unit_test(appends_the_text_of_errno),
        cmocka_unit_test(cuts_at_a_character),
        cmocka_unit_test(fills_to_the_last_byte),
        cmocka_unit_test(every_code_has_its_row),
        cmocka_unit_test(sorts_errnos),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
