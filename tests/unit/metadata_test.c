/* The metadata file: byte for byte Dumpling's. */
#include "formats/metadata.h"

#include "common/base/mem.h"
#include "tests/unit/cmocka_all.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STARTED 1604976019000000 /* 2020-11-10 02:40:19 UTC */
#define FINISHED 1604976020000000

/* A zone with no daylight saving, so that local times are known here. */
static int zone_setup(void **state)
{
    (void)state;
    return setenv("TZ", "CST-8", 1);
}

static void assert_metadata(const struct metadata *m, const char *expected)
{
    struct strbuf out = {0};

    metadata_format(m, &out);
    assert_string_equal(strbuf_str(&out), expected);
    strbuf_release(&out);
}

static void writes_as_dumpling(void **state)
{
    struct metadata m = {.started_us = STARTED + 999999,
                         .finished_us = FINISHED,
                         .source = {"mysql-bin.000003", 154, ""}};

    (void)state;
    assert_metadata(&m, "Started dump at: 2020-11-10 10:40:19\n"
                        "SHOW MASTER STATUS:\n"
                        "\tLog: mysql-bin.000003\n"
                        "\tPos: 154\n"
                        "\tGTID:\n"
                        "\n"
                        "Finished dump at: 2020-11-10 10:40:20\n");
    m.source.gtid = "6ce40be3-e359-11e9-87e0-36933cb0ca5a:1-29";
    m.after = (struct metadata_position){"mysql-bin.000004", UINT64_MAX, "0-1-2"};
    assert_metadata(&m, "Started dump at: 2020-11-10 10:40:19\n"
                        "SHOW MASTER STATUS:\n"
                        "\tLog: mysql-bin.000003\n"
                        "\tPos: 154\n"
                        "\tGTID:6ce40be3-e359-11e9-87e0-36933cb0ca5a:1-29\n"
                        "\n"
                        "SHOW MASTER STATUS: /* AFTER CONNECTION POOL ESTABLISHED */\n"
                        "\tLog: mysql-bin.000004\n"
                        "\tPos: 18446744073709551615\n"
                        "\tGTID:0-1-2\n"
                        "\n"
                        "Finished dump at: 2020-11-10 10:40:20\n");
    m.source.file = NULL;
    m.after.file = NULL;
    assert_metadata(&m, "Started dump at: 2020-11-10 10:40:19\n"
                        "\n"
                        "Finished dump at: 2020-11-10 10:40:20\n");
}

static void reads_back(void **state)
{
    static const struct metadata cases[] = {
        {STARTED, FINISHED, {"mysql-bin.000003", 154, ""}, {NULL, 0, ""}},
        {STARTED, FINISHED, {"a b", UINT64_MAX, "u:1-2"}, {"x.1", 4, "u:1-9"}},
        {STARTED, FINISHED, {NULL, 0, ""}, {NULL, 0, ""}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct strbuf out = {0};
        struct metadata m;
        struct err err = ERR_INIT;
        char *text;

        metadata_format(&cases[i], &out);
        text = xstrdup(out.str);
        assert_int_equal(metadata_parse(text, &m, &err), ERR_OK);
        assert_metadata(&m, out.str);
        assert_true(m.started_us == STARTED && m.finished_us == FINISHED);
        free(text);
        strbuf_release(&out);
    }
}

/* Sets of several lines, a replica's block, the heading of MySQL 8.4, CR LF. */
static void reads_dumplings_own(void **state)
{
    char *text = xstrdup("Started dump at: 2020-11-10 10:40:19\r\n"
                         "SHOW BINARY LOG STATUS:\n"
                         "\tLog: mysql-bin.000003\n"
                         "\tPos: 154\n"
                         "\tGTID:6ce40be3-e359-11e9-87e0-36933cb0ca5a:1-29,\n"
                         "7ce40be3-e359-11e9-87e0-36933cb0ca5a:1-5,\n"
                         "8ce40be3-e359-11e9-87e0-36933cb0ca5a:1\n"
                         "\n"
                         "SHOW SLAVE STATUS:\n"
                         "\tHost: h\n"
                         "\tLog: other.000001\n"
                         "\tPos: 4\n"
                         "\tGTID:x\n"
                         "\n"
                         "SHOW MASTER STATUS: /* AFTER CONNECTION POOL ESTABLISHED */\n"
                         "\tLog: mysql-bin.000003\n"
                         "\tPos: 999\n"
                         "\tGTID: 0-1-2\n"
                         "\n"
                         "Finished dump at: 2020-11-10 10:40:20");
    struct metadata m;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(metadata_parse(text, &m, &err), ERR_OK);
    assert_string_equal(m.source.file, "mysql-bin.000003");
    assert_int_equal(m.source.offset, 154);
    assert_string_equal(m.source.gtid, "6ce40be3-e359-11e9-87e0-36933cb0ca5a:1-29,"
                                       "7ce40be3-e359-11e9-87e0-36933cb0ca5a:1-5,"
                                       "8ce40be3-e359-11e9-87e0-36933cb0ca5a:1");
    assert_int_equal(m.after.offset, 999);
    assert_string_equal(m.after.gtid, "0-1-2");
    assert_true(m.finished_us == FINISHED);
    free(text);
}

static void refuses_what_is_none(void **state)
{
    static const struct {
        const char *text, *msg;
    } cases[] = {
        {"", "metadata: no line 'Finished dump at: ...'"},
        {"[config]\nquote-character = BACKTICK\n", "metadata: no line 'Finished dump at: ...'"},
        {"Started dump at: 2020-11-10 10:40:19\n", "metadata: no line 'Finished dump at: ...'"},
        {"Started dump at: yesterday\n", "metadata: 'yesterday' is not a time"},
        {"Started dump at: 2020-11-10 10:40:19Z\n",
         "metadata: '2020-11-10 10:40:19Z' is not a time"},
        {"Finished dump at: 2020-11-10 10:40\n", "metadata: '2020-11-10 10:40' is not a time"},
        {"SHOW MASTER STATUS:\n\tLog: a\n\tPos: x\n", "metadata: 'x' is not an offset"},
        {"SHOW MASTER STATUS:\n\tLog: a\n\tPos: 1 2\n", "metadata: '1 2' is not an offset"},
        {"SHOW MASTER STATUS:\n\tLog: a\n\tPos: 18446744073709551616\n",
         "metadata: '18446744073709551616' is not an offset"},
        {"SHOW MASTER STATUS:\n\tLog: a\n\n\tPos: 1\n", "metadata: a position without 'Pos'"},
        {"SHOW MASTER STATUS:\n\tPos: 1\n", "metadata: a position without 'Log'"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = xstrdup(cases[i].text);
        struct metadata m;
        struct err err = ERR_INIT;

        assert_int_equal(metadata_parse(text, &m, &err), ERR_FORMAT);
        assert_string_equal(err.msg, cases[i].msg);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_as_dumpling),
        cmocka_unit_test(reads_back),
        cmocka_unit_test(reads_dumplings_own),
        cmocka_unit_test(refuses_what_is_none),
    };

    return cmocka_run_group_tests(tests, zone_setup, NULL);
}
