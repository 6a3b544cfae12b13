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
        {STARTED, FINISHED, {"mysql-bin.000003", 154, ""}, {NULL, 0, ""}, NULL, 0, false},
        {STARTED, FINISHED, {"a b", UINT64_MAX, "u:1-2"}, {"x.1", 4, "u:1-9"}, NULL, 0, false},
        {STARTED, FINISHED, {NULL, 0, ""}, {NULL, 0, ""}, NULL, 0, false},
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

/* As Dumpling's recordGlobalMetaData prints them. */
static void writes_replicas(void **state)
{
    static const char *const west[] = {"west", "10.0.0.1", "bin.000004", "99", "0-1-2"};
    static const char *const none[] = {"", "", "", "", ""};
    static const struct metadata_replica replicas[] = {{west}, {none}};
    struct metadata m = {.started_us = STARTED,
                         .finished_us = FINISHED,
                         .source = {"b.1", 4, "0-2-3"},
                         .replicas = replicas,
                         .replica_count = 2};

    (void)state;
    assert_metadata(&m, "Started dump at: 2020-11-10 10:40:19\n"
                        "SHOW MASTER STATUS:\n\tLog: b.1\n\tPos: 4\n\tGTID:0-2-3\n\n"
                        "SHOW SLAVE STATUS:\n\tHost: 10.0.0.1\n\tLog: bin.000004\n\tPos: 99\n"
                        "\tGTID:0-1-2\n\n"
                        "Finished dump at: 2020-11-10 10:40:20\n");
    m.named_replicas = true;
    m.source.file = NULL;
    assert_metadata(&m, "Started dump at: 2020-11-10 10:40:19\n\n"
                        "SHOW SLAVE STATUS:\n\tConnection name: west\n\tHost: 10.0.0.1\n"
                        "\tLog: bin.000004\n\tPos: 99\n\tGTID:0-1-2\n\n"
                        "Finished dump at: 2020-11-10 10:40:20\n");
}

static void writes_the_ini_form(void **state)
{
    static const char *const west[] = {"w", "h", "bin.4", "99", "g"};
    static const struct metadata_replica replicas[] = {{west}};
    const struct metadata m = {.started_us = STARTED,
                               .finished_us = FINISHED,
                               .source = {"b.1", 4, "0-2-3"},
                               .replicas = replicas,
                               .replica_count = 1};
    static const struct metadata_table tables[] = {
        {"d", " a\\b\n", 7, false, false}, {"d", "v", 0, true, false},   {"d", "s", 0, false, true},
        {"d", "x]", 1, false, false},      {"d[", "x", 1, false, false},
    };
    struct strbuf out = {0};

    (void)state;
    metadata_ini_begin(&m, &out);
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        metadata_ini_table(&tables[i], &out);
    metadata_ini_end(&m, &out);
    assert_string_equal(strbuf_str(&out),
                        "# Started dump at: 2020-11-10 10:40:19\n"
                        "[config]\nquote-character = BACKTICK\n\n"
                        "[source]\n# executed_gtid_set = \"0-2-3\"\n# SOURCE_LOG_FILE = \"b.1\"\n"
                        "# SOURCE_LOG_POS = 4\n\n"
                        "[replication.w]\n# source_host = \"h\"\n# executed_gtid_set = \"g\"\n"
                        "# SOURCE_LOG_FILE = \"bin.4\"\n# SOURCE_LOG_POS = 99\n\n"
                        "[`d`.` a%5Cb%0A`]\nreal_table_name = \\sa\\\\b\\n\nrows = 7\n\n"
                        "[`d`.`v`]\nreal_table_name = v\nrows = 0\nis_view = 1\n\n"
                        "[`d`.`s`]\nreal_table_name = s\nrows = 0\nis_sequence = 1\n\n"
                        "# Finished dump at: 2020-11-10 10:40:20\n");
    strbuf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_replicas),     cmocka_unit_test(writes_the_ini_form),
        cmocka_unit_test(writes_as_dumpling),  cmocka_unit_test(reads_back),
        cmocka_unit_test(reads_dumplings_own), cmocka_unit_test(refuses_what_is_none),
    };

    return cmocka_run_group_tests(tests, zone_setup, NULL);
}
