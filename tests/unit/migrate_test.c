/* A job's file and its state: lines by number, and a state that comes back as it was written. */
#include "cmocka_all.h"

#include "common/base/mem.h"
#include "migrate/ini.h"
#include "migrate/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *folder_new(void)
{
    char *dir = xstrdup("/tmp/ferry-migrate-XXXXXX");

    assert_non_null(mkdtemp(dir));
    return dir;
}

static void folder_free(char *dir)
{
    static const char *const files[] = {"state.json", "a.ini"};

    for (size_t i = 0; i < 2; i++) {
        char *path = xasprintf("%s/%s", dir, files[i]);

        (void)unlink(path);
        free(path);
    }
    assert_int_equal(rmdir(dir), 0);
    free(dir);
}

static enum err_code read_text(const char *dir, const char *text, struct ini *ini, struct err *err)
{
    char *path = xasprintf("%s/a.ini", dir);
    enum err_code rc = file_replace(dir, "a.ini", text, strlen(text), err);

    if (!rc)
        rc = ini_read(path, ini, err);
    free(path);
    return rc;
}

static void lines_have_numbers(void **state)
{
    char *dir = folder_new();
    struct err err = ERR_INIT;
    struct ini ini = {0};

    (void)state;
    assert_int_equal(
        read_text(dir, "# one\n[job]\n\n name = \" a b \" \n; x\n[dump]\nwhere=a=b", &ini, &err),
        ERR_OK);
    assert_int_equal(ini.count, 4);
    assert_null(ini.lines[0].key);
    assert_int_equal(ini.lines[0].number, 2);
    assert_string_equal(ini.lines[1].key, "name");
    assert_string_equal(ini.lines[1].value, " a b ");
    assert_int_equal(ini.lines[1].number, 4);
    assert_string_equal(ini.lines[3].section, "dump");
    assert_string_equal(ini.lines[3].value, "a=b");
    assert_int_equal(ini.lines[3].number, 7);
    ini_release(&ini);
    folder_free(dir);
}

static void bad_lines_are_named(void **state)
{
    static const char *const bad[] = {"a = b\n",    "[job\n",        "[job]\n[job]\n",
                                      "[job]\nx\n", "[job]\n = x\n", "[job]\nx =\n"};
    char *dir = folder_new();

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err err = ERR_INIT;
        struct ini ini = {0};

        assert_int_equal(read_text(dir, bad[i], &ini, &err), ERR_USAGE);
        assert_non_null(strstr(err.msg, i < 2 ? "line 1" : "line 2"));
        assert_null(ini.lines);
    }
    folder_free(dir);
}

static void state_comes_back(void **state)
{
    char *dir = folder_new();
    struct err err = ERR_INIT;
    struct job_record r;
    struct job_record back = {0};
    json_t *a, *b;

    (void)state;
    job_record_init(&r, "shop");
    r.id = xstrdup("id");
    r.mode = xstrdup("both");
    r.size = xstrdup("small");
    r.shape = xstrdup("filter=\xff\n");
    r.status = JOB_NEEDS_YOU;
    r.created_us = 1795469785991252;
    r.target_job = 7;
    r.claimed = true;
    r.stages[STAGE_LOAD].status = STAGE_NEEDS_YOU;
    r.stages[STAGE_LOAD].rows = 12;
    r.stages[STAGE_LOAD].wall_us = 1500000;
    r.stages[STAGE_LOAD].left_s = 3;
    r.stages[STAGE_LOAD].began_us = 951827696123456; /* 2000-02-29 */
    stage_error_set(&r.stages[STAGE_LOAD].error, "FERRY-LOAD-CONFLICT", "a \"b\"", NULL, 3);
    r.stages[STAGE_LOAD].closing = json_pack("{s:i}", "rows", 12);
    assert_int_equal(job_record_write(dir, &r, &err), ERR_OK);
    assert_int_equal(job_record_read(dir, &back, &err), ERR_OK);
    assert_string_equal(back.shape, "filter=?\n");
    (void)free(r.shape);
    r.shape = xstrdup("filter=?\n");
    a = job_record_json(&r);
    b = job_record_json(&back);
    assert_true(json_equal(a, b));
    json_decref(a);
    json_decref(b);
    job_record_release(&r);
    job_record_release(&back);
    folder_free(dir);
}

static void other_files_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "{",
        "{}",
        "[]",
        "{\"format\":\"ferry.job/2\"}",
        "{\"format\":\"ferry.job/1\",\"state\":\"new\",\"name\":\"x\"}"};
    char *dir = folder_new();

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err err = ERR_INIT;
        struct job_record r = {0};

        assert_int_equal(file_replace(dir, "state.json", bad[i], strlen(bad[i]), &err), ERR_OK);
        assert_int_equal(job_record_read(dir, &r, &err), ERR_FORMAT);
    }
    folder_free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_have_numbers), cmocka_unit_test(bad_lines_are_named),
        cmocka_unit_test(state_comes_back), cmocka_unit_test(other_files_are_refused)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
