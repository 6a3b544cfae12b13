/* Binlog pieces that need no server: GTID sets, statements, numbers, and the events of MySQL 5.5.
 */
#include "common/base/bytes.h"
#include "common/mysql/gtid_set.h"
#include "formats/binlog_number.h"
#include "formats/binlog_query.h"
#include "formats/binlog_reader.h"
#include "tests/tools/binlog_memory.h"
#include "tests/unit/cmocka_all.h"

#include <stdio.h>

#define UUID "3e11fa47-71ca-11e1-9e33-c80aa9429562"

static void text_is(const struct gtid_set *set, const char *want)
{
    struct strbuf text = {0};

    gtid_set_text(set, &text);
    assert_string_equal(strbuf_str(&text), want);
    strbuf_release(&text);
}

static struct gtid_set *given_set(enum gtid_kind kind, const char *text)
{
    struct gtid_set *set = gtid_set_new(kind);
    struct err err = ERR_INIT;

    if (gtid_set_parse(set, text, &err))
        fail_msg("%s: %s", text, err.msg);
    return set;
}

static void joins_intervals(void **state)
{
    static const char *const cases[][2] = {
        {"", ""},
        {UUID ":1", UUID ":1"},
        {UUID ":1-3:5:4", UUID ":1-5"},
        {UUID ":9, \n" UUID ":1-3:5-7:4-8", UUID ":1-9"},
        {UUID ":5-6:1-2", UUID ":1-2:5-6"},
        {UUID ":1:tag:1-2:b:7," UUID ":Tag:4", UUID ":1:b:7:tag:1-2:4"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gtid_set *set = given_set(GTID_MYSQL, cases[i][0]);
        struct gtid_set *again = gtid_set_new(GTID_MYSQL);
        struct strbuf bytes = {0};
        struct err err = ERR_INIT;

        text_is(set, cases[i][1]);
        gtid_set_encode(set, &bytes);
        assert_int_equal(gtid_set_decode(again, bytes.str, bytes.len, &err), ERR_OK);
        text_is(again, cases[i][1]);
        gtid_set_free(again);
        for (size_t len = 0; len < bytes.len; len++) {
            again = gtid_set_new(GTID_MYSQL);
            assert_int_equal(gtid_set_decode(again, bytes.str, len, &err), ERR_BINLOG_EVENT);
            gtid_set_free(again);
        }
        strbuf_release(&bytes);
        gtid_set_free(set);
    }
}

static void knows_members(void **state)
{
    struct gtid_set *set = given_set(GTID_MYSQL, UUID ":2-4:8:x:3");
    struct gtid_set *maria = given_set(GTID_MARIADB, "0-1-10,3-2-7");
    struct gtid g = {.kind = GTID_MYSQL};
    struct gtid m = {.kind = GTID_MARIADB, .domain = 3, .server = 9, .number = 7};

    (void)state;
    for (unsigned i = 0; i < GTID_UUID; i++)
        g.uuid[i] =
            (uint8_t)("\x3e\x11\xfa\x47\x71\xca\x11\xe1\x9e\x33\xc8\x0a\xa9\x42\x95\x62"[i]);
    for (g.number = 1; g.number < 10; g.number++)
        assert_int_equal(gtid_set_contains(set, &g),
                         (g.number >= 2 && g.number <= 4) || g.number == 8);
    g.tag[0] = 'x';
    g.number = 3;
    assert_true(gtid_set_contains(set, &g));
    assert_true(gtid_set_tagged(set));
    assert_true(gtid_set_contains(maria, &m));
    m.number = 8;
    assert_false(gtid_set_contains(maria, &m));
    gtid_set_add(maria, &m);
    text_is(maria, "0-1-10,3-9-8");
    gtid_set_free(set);
    gtid_set_free(maria);
}

static void refuses_other_texts(void **state)
{
    static const char *const texts[] = {"x",        UUID ":0",    UUID ":5-4",
                                        UUID ":1-", UUID ":1 2",  UUID "0:1",
                                        UUID ":-1", "3e11fa47:1", UUID ":99999999999999999999"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct gtid_set *set = gtid_set_new(GTID_MYSQL);
        struct err err = ERR_INIT;

        if (gtid_set_parse(set, texts[i], &err) != ERR_USAGE)
            fail_msg("taken: %s", texts[i]);
        gtid_set_free(set);
    }
}

static void tells_statements_apart(void **state)
{
    static const struct {
        const char *text;
        enum binlog_statement_kind kind;
    } cases[] = {
        {"BEGIN", STATEMENT_BEGIN},
        {" /* c */ insert into t values (1)", STATEMENT_ROWS},
        {"-- x\nUPDATE t SET a=1", STATEMENT_ROWS},
        {"/*!50003 DELETE FROM t */", STATEMENT_ROWS},
        {"/*M!100100 REPLACE INTO t */", STATEMENT_ROWS},
        {"(SELECT f())", STATEMENT_ROWS},
        {"WITH x AS (SELECT 1) DELETE FROM t", STATEMENT_ROWS},
        {"CREATE /* INSERT */ TABLE t (a int)", STATEMENT_DDL},
        {"TRUNCATE t", STATEMENT_DDL},
        {"ROLLBACK", STATEMENT_ROLLBACK},
        {"ROLLBACK TO `s`", STATEMENT_ROLLBACK_TO},
        {"SAVEPOINT `s`", STATEMENT_SAVEPOINT},
        {"XA START X'01'", STATEMENT_XA_START},
        {"XA COMMIT X'01'", STATEMENT_XA_DECIDE},
        {"GRANT ALL ON *.* TO a", STATEMENT_ADMIN},
        {"# Dum", STATEMENT_EMPTY},
        {"/* x", STATEMENT_EMPTY},
        {"FROBNICATE t", STATEMENT_OTHER},
        {"{", STATEMENT_OTHER},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (binlog_statement_kind(cases[i].text, strlen(cases[i].text)) != cases[i].kind)
            fail_msg("%s", cases[i].text);
}

static void writes_doubles_as_the_server(void **state)
{
    static const struct {
        double v;
        const char *text;
    } cases[] = {
        {0.0, "0"},
        {-0.0, "-0"},
        {1e14, "100000000000000"},
        {1e15, "1e15"},
        {1e-14, "0.00000000000001"},
        {1e-15, "0.000000000000001"},
        {1e-16, "1e-16"},
        {5e-324, "5e-324"},
        {9007199254740993.0, "9.007199254740992e15"},
        {3582732430111596.5, "3582732430111596.5"},
        {-1.7976931348623157e308, "-1.7976931348623157e308"},
    };
    char text[NUMBER_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        *number_double(text, cases[i].v) = '\0';
        assert_string_equal(text, cases[i].text);
    }
}

/* A binlog in the forms of MySQL 5.5: no checksums, no GTIDs, rows v1, times without fractions. */
struct old_log {
    uint8_t bytes[1024];
    size_t len;
};

static void old_event(struct old_log *log, uint8_t type, const void *body, size_t len)
{
    uint8_t *e = log->bytes + log->len;

    memset(e, 0, BINLOG_HEADER);
    e[4] = type;
    bytes_put_le(e + 9, BINLOG_HEADER + len, 4);
    memcpy(e + BINLOG_HEADER, body, len);
    log->len += BINLOG_HEADER + len;
    bytes_put_le(e + 13, log->len, 4);
}

static const struct old_log *given_old_log(struct old_log *log)
{
    static const uint8_t lengths[] = {0x38, 0x0d, 0, 8,    0, 0x12, 0, 4, 4, 4, 4, 0x12, 0, 0,
                                      0x54, 0,    4, 0x1a, 8, 0,    0, 0, 8, 8, 8, 2,    0};
    static const uint8_t map[] = {0x21, 0,    0, 0, 0, 0,  1, 0,  1,  0x64, 0,
                                  1,    0x74, 0, 5, 3, 12, 7, 11, 10, 0,    0x1f};
    /* 7, 2012-03-04 05:06:07, 1 s after 1970, -12:34:56, 2012-03-04; then NULLs */
    static const uint8_t rows[] =
        "\x21\x00\x00\x00\x00\x00\x01\x00\x05\x1f\x00\x07\x00\x00\x00\xaf\x61\x93\x9f\x4c"
        "\x12\x00\x00\x01\x00\x00\x00\xc0\x1d\xfe\x64\xb8\x0f\x1e\x08\x00\x00\x00";
    uint8_t format[57 + sizeof(lengths)] = {4, 0, '5', '.', '5', '.', '9', '-', 'l', 'o', 'g'};

    format[56] = BINLOG_HEADER;
    memcpy(format + 57, lengths, sizeof(lengths));
    log->len = BINLOG_FIRST_OFFSET;
    old_event(log, EVENT_FORMAT, format, sizeof(format));
    old_event(log, EVENT_QUERY, "\1\0\0\0\0\0\0\0\1\0\0\0\0d\0BEGIN", 20);
    old_event(log, EVENT_TABLE_MAP, map, sizeof(map));
    old_event(log, EVENT_WRITE_ROWS_V1, rows, sizeof(rows) - 1);
    old_event(log, EVENT_XID, "\1\0\0\0\0\0\0\0", 8);
    return log;
}

static enum err_code old_find(void *ctx, const char *db, const char *name, const struct table **def,
                              struct err *err)
{
    static struct column columns[5];
    static const char *const types[5] = {"int(11)", "datetime", "timestamp", "time", "date"};
    static struct table table = {.db = "d", .name = "t", .columns = columns, .column_count = 5};

    (void)ctx;
    (void)err;
    assert_string_equal(db, "d");
    assert_string_equal(name, "t");
    for (int i = 0; i < 5; i++) {
        columns[i].name = "c";
        columns[i].type_text = types[i];
        column_parse_type(types[i], &columns[i]);
    }
    *def = &table;
    return ERR_OK;
}

static void reads_the_forms_of_5_5(void **state)
{
    static const char *const want[5] = {"7", "2012-03-04 05:06:07", "1970-01-01 00:00:01",
                                        "-12:34:56", "2012-03-04"};
    struct old_log log = {.len = 0};
    struct charset_maps *maps = charset_maps_new(NULL);
    struct binlog_reader_config config = {.find = old_find, .maps = maps};
    struct binlog_reader *r = NULL;
    struct binlog_item item = {.kind = BINLOG_IDLE};
    struct err err = ERR_INIT;

    (void)state;
    (void)given_old_log(&log);
    config.source = &memory_source_new(log.bytes, log.len, true)->base;
    config.start = (struct binlog_start){.file = "memory", .offset = BINLOG_FIRST_OFFSET};
    assert_int_equal(binlog_reader_new(&config, &r, &err), ERR_OK);
    for (int step = 0; step < 5; step++) {
        static const enum binlog_item_kind kinds[] = {BINLOG_BEGIN, BINLOG_ROW, BINLOG_ROW,
                                                      BINLOG_COMMIT, BINLOG_END};

        if (binlog_reader_next(r, &item, &err))
            fail_msg("%s", err.msg);
        assert_int_equal(item.kind, kinds[step]);
        for (unsigned i = 0; step == 1 && i < 5; i++) {
            assert_int_equal(item.change->after.len[i], strlen(want[i]));
            assert_memory_equal(item.change->after.cell[i], want[i], strlen(want[i]));
        }
        for (unsigned i = 0; step == 2 && i < 5; i++)
            assert_true((item.change->after.cell[i] == NULL) == (i > 0));
    }
    assert_int_equal(binlog_reader_position(r).offset, log.len);
    binlog_reader_free(r);
    charset_maps_free(maps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joins_intervals),
        cmocka_unit_test(knows_members),
        cmocka_unit_test(refuses_other_texts),
        cmocka_unit_test(tells_statements_apart),
        cmocka_unit_test(writes_doubles_as_the_server),
        cmocka_unit_test(reads_the_forms_of_5_5),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
