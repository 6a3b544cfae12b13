#include "common/base/log.h"

#include "common/base/pool.h"
#include "common/base/strbuf.h"
#include "tests/unit/cmocka_all.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define THREADS 4
#define LINES 500
#define STAMP_LEN 24 /* "2026-11-23T10:20:33.123Z" */

struct fixture {
    char path[64];
    struct strbuf text;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    int fd;

    if (!f)
        return -1;
    (void)snprintf(f->path, sizeof f->path, "/tmp/ferry-log-test-XXXXXX");
    fd = mkstemp(f->path);
    if (fd < 0)
        return -1;
    (void)close(fd);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    log_close();
    (void)unlink(f->path);
    strbuf_release(&f->text);
    free(f);
    return 0;
}

static void given_log(const struct fixture *f, enum log_level level, enum log_format format)
{
    struct log_config config = {.level = level, .format = format, .file = f->path};
    struct err err = ERR_INIT;

    assert_int_equal(log_init(&config, &err), ERR_OK);
}

/* All that was logged so far. */
static const char *logged(struct fixture *f)
{
    FILE *file = fopen(f->path, "r");
    char chunk[4096];
    size_t n;

    assert_non_null(file);
    strbuf_reset(&f->text);
    while ((n = fread(chunk, 1, sizeof chunk, file)) > 0)
        strbuf_add(&f->text, chunk, n);
    (void)fclose(file);
    return strbuf_str(&f->text);
}

static void text_has_time_level_thread_event_and_fields(void **state)
{
    struct fixture *f = *state;
    const char *line;

    given_log(f, LOG_INFO, LOG_FORMAT_TEXT);
    log_event(LOG_INFO, "dump.table.done", F_STR("table", "a b"), F_U64("rows", UINT64_MAX),
              F_I64("delta", -3), F_F64("share", 0.5), F_BOOL("ok", true),
              F_STR("message", "table is done"), F_STR("none", NULL), F_STR("empty", ""),
              F_STR("plain", "x"));
    line = logged(f);
    assert_int_equal(line[STAMP_LEN - 1], 'Z');
    assert_int_equal(line[10], 'T');
    assert_int_equal(line[19], '.');
    assert_string_equal(line + STAMP_LEN,
                        " info  [main] dump.table.done: table is done table=\"a b\" "
                        "rows=18446744073709551615 delta=-3 share=0.5 ok=true none=null "
                        "empty=\"\" plain=x\n");
}

static void values_cannot_fake_lines(void **state)
{
    struct fixture *f = *state;

    given_log(f, LOG_INFO, LOG_FORMAT_TEXT);
    log_event(LOG_WARN, "e", F_STR("v", "a\nb\"c\\\x1b[0m"), F_STR("message", "x\ny\x7f"),
              F_STR("k", "a=b"));
    assert_string_equal(logged(f) + STAMP_LEN,
                        " warn  [main] e: x\\ny\\x7f v=\"a\\nb\\\"c\\\\\\x1b[0m\" k=\"a=b\"\n");
}

static unsigned count_call(unsigned *calls)
{
    return ++*calls;
}

static void levels_above_are_not_even_computed(void **state)
{
    struct fixture *f = *state;
    unsigned calls = 0;

    given_log(f, LOG_WARN, LOG_FORMAT_TEXT);
    assert_true(log_enabled(LOG_ERROR));
    assert_false(log_enabled(LOG_INFO));
    log_event(LOG_INFO, "quiet", F_U64("n", count_call(&calls)));
    assert_int_equal(calls, 0);
    assert_string_equal(logged(f), "");
    log_event(LOG_ERROR, "loud", F_U64("n", count_call(&calls)));
    assert_int_equal(calls, 1);
    assert_string_equal(logged(f) + STAMP_LEN, " error [main] loud n=1\n");
}

static void json_is_json(void **state)
{
    struct fixture *f = *state;
    json_error_t fault;
    json_t *line;

    given_log(f, LOG_TRACE, LOG_FORMAT_JSON);
    log_event(LOG_TRACE, "e.v", F_STR("s", "a\n\"\xc3\xa9"), F_STR("raw", "\xff\xfe!"),
              F_U64("small", 7), F_U64("large", UINT64_MAX), F_I64("i", INT64_MIN),
              F_F64("nan", 0.0 / 0.0 * (double)(f != NULL)), F_BOOL("b", false),
              F_STR("null", NULL));
    line = json_loads(logged(f), 0, &fault);
    assert_non_null(line);
    assert_string_equal(json_string_value(json_object_get(line, "level")), "trace");
    assert_string_equal(json_string_value(json_object_get(line, "thread")), "main");
    assert_string_equal(json_string_value(json_object_get(line, "event")), "e.v");
    assert_string_equal(json_string_value(json_object_get(line, "s")), "a\n\"\xc3\xa9");
    assert_string_equal(json_string_value(json_object_get(line, "raw")), "?\?!");
    assert_int_equal(json_integer_value(json_object_get(line, "small")), 7);
    assert_string_equal(json_string_value(json_object_get(line, "large")), "18446744073709551615");
    assert_true(json_integer_value(json_object_get(line, "i")) == INT64_MIN);
    assert_true(json_is_null(json_object_get(line, "nan")));
    assert_true(json_is_false(json_object_get(line, "b")));
    assert_true(json_is_null(json_object_get(line, "null")));
    json_decref(line);
}

static void errors_carry_name_and_hint(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;

    given_log(f, LOG_ERROR, LOG_FORMAT_TEXT);
    (void)err_set(&err, ERR_CONNECT_HOST, "host 'x' is not known");
    log_error("dump.failed", &err);
    assert_string_equal(logged(f) + STAMP_LEN,
                        " error [main] dump.failed: host 'x' is not known "
                        "error=FERRY-CONNECT-HOST hint=\"check the host in the URL\"\n");
}

static enum err_code log_lines(void *ctx, unsigned worker, struct err *err)
{
    (void)ctx;
    (void)err;
    for (unsigned i = 0; i < LINES; i++)
        log_event(LOG_INFO, "line", F_U64("worker", worker), F_U64("i", i));
    return ERR_OK;
}

static void lines_of_threads_never_mix(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;
    struct pool *pool = NULL;
    unsigned next[THREADS] = {0};
    const char *p;

    given_log(f, LOG_INFO, LOG_FORMAT_TEXT);
    assert_int_equal(pool_start(&pool, "dump", THREADS, log_lines, NULL, NULL, &err), ERR_OK);
    assert_int_equal(pool_join(pool, &err), ERR_OK);
    p = logged(f);
    for (unsigned n = 0; n < THREADS * LINES; n++) {
        unsigned thread;
        unsigned worker;
        unsigned i;
        int used = 0;

        assert_int_equal(sscanf(p + STAMP_LEN, " info [dump-%u] line worker=%u i=%u%n", &thread,
                                &worker, &i, &used),
                         3);
        assert_int_equal(thread, worker);
        assert_true(worker < THREADS);
        assert_int_equal(i, next[worker]++);
        p += STAMP_LEN + used;
        assert_int_equal(*p++, '\n');
    }
    assert_int_equal(*p, '\0');
}

static enum err_code log_named(void *ctx, unsigned worker, struct err *err)
{
    (void)ctx;
    (void)worker;
    (void)err;
    log_event(LOG_INFO, "e", F_U64("n", 1));
    return ERR_OK;
}

static void long_thread_names_are_cut(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;
    struct pool *pool = NULL;

    given_log(f, LOG_INFO, LOG_FORMAT_TEXT);
    assert_int_equal(
        pool_start(&pool, "a-name-of-more-than-fifteen", 1, log_named, NULL, NULL, &err), ERR_OK);
    assert_int_equal(pool_join(pool, &err), ERR_OK);
    assert_string_equal(logged(f) + STAMP_LEN, " info  [a-name-of-more-] e n=1\n");
}

static void file_that_cannot_be_opened_is_an_error(void **state)
{
    struct log_config config = {.file = "/nonexistent/folder/log"};
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(log_init(&config, &err), ERR_STORE_NOT_FOUND);
    assert_string_equal(err.msg, "cannot open log file '/nonexistent/folder/log': "
                                 "No such file or directory");
}

#define LOG_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOG_TEST(text_has_time_level_thread_event_and_fields),
        LOG_TEST(values_cannot_fake_lines),
        LOG_TEST(levels_above_are_not_even_computed),
        LOG_TEST(json_is_json),
        LOG_TEST(errors_carry_name_and_hint),
        LOG_TEST(lines_of_threads_never_mix),
        LOG_TEST(long_thread_names_are_cut),
        LOG_TEST(file_that_cannot_be_opened_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
