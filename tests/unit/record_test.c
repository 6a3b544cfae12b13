/* Records to lines and back. The expected lines are those of docs/format.md. */
#include "formats/manifest.h"

#include "common/base/mem.h"
#include "tests/unit/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <zlib.h>

#define SHA                                                                                        \
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff" /* as sha() makes it */

/* Records hold `char *`; what is formatted is never written to. */
static char *text(const char *literal)
{
    return (char *)(uintptr_t)literal;
}

static struct bound bound_text(void)
{
    static char *cells[2];
    static unsigned long lens[] = {1, 12};

    cells[0] = text("5");
    cells[1] = text("a/b \"q\" \xF0\x9F\x98\x80");
    return (struct bound){cells, lens, 2};
}

static struct bound bound_binary(void)
{
    static char *cells[2];
    static unsigned long lens[] = {3, 0};

    cells[0] = text("\xFF\x00\xFE");
    cells[1] = text("");
    return (struct bound){cells, lens, 2};
}

static struct digest digest_of(uint64_t bytes, size_t count)
{
    static uint64_t blocks[] = {0x0123456789abcdef, UINT64_MAX};
    struct digest d = {.bytes = bytes, .blocks = blocks, .block_count = count};

    for (unsigned i = 0; i < sizeof d.sha256; i++)
        d.sha256[i] = (unsigned char)(i % 16 * 0x11);
    return d;
}

static struct record chunk_record(void)
{
    return (struct record){
        .kind = RECORD_CHUNK,
        .u.chunk = {.table = 1,
                    .span = 2,
                    .epoch = 1,
                    .number = 3,
                    .lo = bound_text(),
                    .hi = bound_binary(),
                    .last = true,
                    .path = text("db.t.000000003.sql.zst"),
                    .rows = 1000,
                    .raw_bytes = 1500000,
                    .digest = digest_of(((uint64_t)1 << 20) + 1, 2)},
    };
}

/* Formats and frees nothing of `r`; heap. */
static char *line_of(const struct record *r)
{
    struct strbuf out = {0};

    record_format(r, &out);
    return strbuf_detach(&out);
}

/* The line, its CRC cut off, is `expected`; it is read as the same again. */
static void assert_line(const struct record *r, const char *expected)
{
    char *line = line_of(r);
    char *again;
    struct record back;
    struct err err = ERR_INIT;
    size_t len = strlen(line);

    assert_true(len > 20);
    assert_int_equal(record_parse(line, len, &back, &err), ERR_OK);
    assert_int_equal(back.kind, r->kind);
    again = line_of(&back);
    assert_string_equal(again, line);
    line[len - sizeof ",\"crc\":\"01234567\"}"] = '\0';
    assert_string_equal(line, expected);
    record_release(&back);
    free(again);
    free(line);
}

static void writes_dump(void **state)
{
    struct record r = {
        .kind = RECORD_DUMP,
        .u.dump = {.uuid = "8a5f9c5e-3b1f-4d0a-9a3e-2f6c1d7e8b90",
                   .version = 1,
                   .ferry_version = text("0.1.0"),
                   .source_version = text("8.4.3"),
                   .source_host = text("db1"),
                   .vendor = text("MySQL"),
                   .format = text("sql"),
                   .compression = text("zstd"),
                   .options = text("{\"filters\": [\"a.*\"], \"chunk_bytes\": 67108864}"),
                   .started_us = 1795429233123456},
    };

    (void)state;
    assert_line(&r, "{\"record\":\"dump\",\"version\":1,"
                    "\"uuid\":\"8a5f9c5e-3b1f-4d0a-9a3e-2f6c1d7e8b90\",\"ferry_version\":\"0.1.0\","
                    "\"vendor\":\"MySQL\",\"source_version\":\"8.4.3\",\"source_host\":\"db1\","
                    "\"format\":\"sql\",\"compression\":\"zstd\","
                    "\"options\":{\"chunk_bytes\":67108864,\"filters\":[\"a.*\"]},"
                    "\"started_us\":1795429233123456");
    r.u.dump.options = text("no object");
    r.u.dump.started_us = -1;
    assert_line(&r, "{\"record\":\"dump\",\"version\":1,"
                    "\"uuid\":\"8a5f9c5e-3b1f-4d0a-9a3e-2f6c1d7e8b90\",\"ferry_version\":\"0.1.0\","
                    "\"vendor\":\"MySQL\",\"source_version\":\"8.4.3\",\"source_host\":\"db1\","
                    "\"format\":\"sql\",\"compression\":\"zstd\",\"options\":\"no object\","
                    "\"started_us\":-1");
}

static void writes_small_kinds(void **state)
{
    struct record file = {.kind = RECORD_FILE,
                          .u.file = {text("db.t-schema.sql.zst"), digest_of(312, 1)}};
    struct record epoch = {.kind = RECORD_EPOCH,
                           .u.epoch = {.epoch = 1,
                                       .consistency = text("flush"),
                                       .log_file = text("binlog.000007"),
                                       .log_pos = 157,
                                       .gtid = text(""),
                                       .at_us = 1795429233200000}};
    struct record done = {.kind = RECORD_TABLE_DONE, .u.table_done = {1, 1000, 1500000, 2, 0, 0}};
    struct record voided = {.kind = RECORD_VOID, .u.voided = {1, 2}};
    struct record end = {.kind = RECORD_END, .u.end = {1795429299000000, 12, 1000, 1500000, 26}};

    (void)state;
    assert_line(&file, "{\"record\":\"file\",\"path\":\"db.t-schema.sql.zst\",\"stored_bytes\":312,"
                       "\"sha256\":\"" SHA "\",\"blocks\":\"0123456789abcdef\"");
    assert_line(&epoch, "{\"record\":\"epoch\",\"epoch\":1,\"consistency\":\"flush\","
                        "\"log_file\":\"binlog.000007\",\"log_pos\":157,\"gtid\":\"\","
                        "\"at_us\":1795429233200000");
    epoch.u.epoch.log_file = NULL;
    epoch.u.epoch.gtid = NULL;
    epoch.u.epoch.log_pos = 0;
    assert_line(&epoch, "{\"record\":\"epoch\",\"epoch\":1,\"consistency\":\"flush\",\"log_pos\":0,"
                        "\"at_us\":1795429233200000");
    assert_line(&done, "{\"record\":\"table_done\",\"table\":1,\"rows\":1000,"
                       "\"raw_bytes\":1500000,\"chunks\":2");
    assert_line(&voided, "{\"record\":\"void\",\"table\":1,\"epoch\":2");
    assert_line(&end, "{\"record\":\"end\",\"tables\":12,\"rows\":1000,\"raw_bytes\":1500000,"
                      "\"files\":26,\"at_us\":1795429299000000");
}

static void writes_table(void **state)
{
    struct column_record columns[] = {
        {.name = text("id"), .type_text = text("bigint unsigned"), .auto_increment = true},
        {.name = text("n\"/\xF0\x9F\x98\x80"),
         .type_text = text("varchar(20)"),
         .charset = text("utf8mb4"),
         .collation = text("utf8mb4_0900_ai_ci"),
         .nullable = true,
         .is_generated = true,
         .invisible = true},
    };
    char *keys[] = {text("id")};
    struct record r = {
        .kind = RECORD_TABLE,
        .u.table = {.table = 1,
                    .epoch = 1,
                    .db = text("d/b"),
                    .name = text("t.\\\n"),
                    .kind = text("table"),
                    .schema_file = text("d%2Fb.t%2E%5C%0A-schema.sql.zst"),
                    .sha256 = text(SHA),
                    .columns = columns,
                    .column_count = 2,
                    .key = text("PRIMARY"),
                    .key_columns = keys,
                    .key_column_count = 1,
                    .data_bytes = 16384},
    };

    (void)state;
    assert_line(&r, "{\"record\":\"table\",\"table\":1,\"epoch\":1,\"db\":\"d/b\","
                    "\"name\":\"t.\\\\\\n\",\"kind\":\"table\","
                    "\"schema_file\":\"d%2Fb.t%2E%5C%0A-schema.sql.zst\",\"sha256\":\"" SHA "\","
                    "\"columns\":[{\"name\":\"id\",\"type\":\"bigint unsigned\","
                    "\"auto_increment\":true},{\"name\":\"n\\\"/\xF0\x9F\x98\x80\","
                    "\"type\":\"varchar(20)\",\"charset\":\"utf8mb4\","
                    "\"collation\":\"utf8mb4_0900_ai_ci\",\"nullable\":true,\"generated\":true,"
                    "\"invisible\":true}],\"key\":\"PRIMARY\",\"key_columns\":[\"id\"],"
                    "\"data_bytes\":16384");
    r.u.table = (struct table_record){.table = 2,
                                      .epoch = 1,
                                      .db = text("d"),
                                      .name = text("bad \xFF name"),
                                      .kind = text("view")};
    assert_line(&r, "{\"record\":\"table\",\"table\":2,\"epoch\":1,\"db\":\"d\","
                    "\"name\":{\"hex\":\"62616420ff206e616d65\"},\"kind\":\"view\","
                    "\"data_bytes\":0");
}

static void writes_span_and_chunk(void **state)
{
    struct record span = {
        .kind = RECORD_SPAN,
        .u.span = {.table = 1, .span = 2, .parent = 1, .epoch = 1, .lo = bound_text()}};
    struct record chunk = chunk_record();

    (void)state;
    assert_line(&span, "{\"record\":\"span\",\"table\":1,\"span\":2,\"parent\":1,\"epoch\":1,"
                       "\"lo\":[\"5\",\"a/b \\\"q\\\" \xF0\x9F\x98\x80\"]");
    assert_line(&chunk, "{\"record\":\"chunk\",\"table\":1,\"span\":2,\"epoch\":1,\"number\":3,"
                        "\"lo\":[\"5\",\"a/b \\\"q\\\" \xF0\x9F\x98\x80\"],"
                        "\"hi\":[{\"hex\":\"ff00fe\"},\"\"],\"last\":true,\"rows\":1000,"
                        "\"raw_bytes\":1500000,\"path\":\"db.t.000000003.sql.zst\","
                        "\"stored_bytes\":1048577,\"sha256\":\"" SHA "\","
                        "\"blocks\":\"0123456789abcdefffffffffffffffff\"");
    chunk.u.chunk = (struct chunk_record){.table = 1, .span = 1, .epoch = 1, .lo = bound_binary()};
    assert_line(&chunk, "{\"record\":\"chunk\",\"table\":1,\"span\":1,\"epoch\":1,\"number\":0,"
                        "\"lo\":[{\"hex\":\"ff00fe\"},\"\"],\"rows\":0,\"raw_bytes\":0");
}

static void keeps_large_numbers(void **state)
{
    struct record r = {
        .kind = RECORD_TABLE_DONE,
        .u.table_done = {UINT32_MAX, UINT64_MAX, (uint64_t)1 << 53, ((uint64_t)1 << 53) + 1, 0, 0}};
    char *line = line_of(&r);
    struct record back;
    struct err err = ERR_INIT;

    (void)state;
    assert_non_null(strstr(line, "\"rows\":\"18446744073709551615\",\"raw_bytes\":9007199254740992,"
                                 "\"chunks\":\"9007199254740993\""));
    assert_int_equal(record_parse(line, strlen(line), &back, &err), ERR_OK);
    assert_memory_equal(&back.u.table_done, &r.u.table_done, sizeof r.u.table_done);
    record_release(&back);
    free(line);
}

static void keeps_every_cell(void **state)
{
    struct record r = chunk_record();
    struct record back;
    struct err err = ERR_INIT;
    char *line = line_of(&r);

    (void)state;
    assert_int_equal(record_parse(line, strlen(line), &back, &err), ERR_OK);
    assert_int_equal(back.u.chunk.hi.count, 2);
    assert_int_equal(back.u.chunk.hi.len[0], 3);
    assert_memory_equal(back.u.chunk.hi.cell[0], "\xFF\x00\xFE", 4); /* a NUL behind it */
    assert_int_equal(back.u.chunk.hi.len[1], 0);
    assert_string_equal(back.u.chunk.lo.cell[1], bound_text().cell[1]);
    assert_int_equal(back.u.chunk.digest.block_count, 2);
    assert_true(back.u.chunk.digest.blocks[0] == 0x0123456789abcdef);
    assert_true(back.u.chunk.digest.blocks[1] == UINT64_MAX);
    assert_memory_equal(back.u.chunk.digest.sha256, r.u.chunk.digest.sha256, 32);
    record_release(&back);
    record_release(&back); /* nothing is left */
    free(line);
}

static void keeps_every_byte_value(void **state)
{
    struct record r = {.kind = RECORD_SPAN, .u.span = {.table = 1, .span = 1, .epoch = 1}};
    struct err err = ERR_INIT;

    (void)state;
    for (unsigned i = 0; i < 65536; i++) {
        char bytes[2] = {(char)(i >> 8), (char)(i & 0xff)};
        char *cell = bytes;
        unsigned long len = 2;
        struct record back;
        char *line;

        r.u.span.lo = (struct bound){&cell, &len, 1};
        line = line_of(&r);
        assert_int_equal(record_parse(line, strlen(line), &back, &err), ERR_OK);
        assert_int_equal(back.u.span.lo.len[0], 2);
        assert_memory_equal(back.u.span.lo.cell[0], bytes, 2);
        record_release(&back);
        free(line);
    }
}

static void copies_bounds(void **state)
{
    struct bound from = bound_binary();
    struct bound open = {0};
    struct bound to;

    (void)state;
    bound_copy(&to, &from);
    assert_int_equal(to.count, 2);
    assert_memory_equal(to.cell[0], from.cell[0], 4);
    assert_ptr_not_equal(to.cell[0], from.cell[0]);
    bound_release(&to);
    assert_int_equal(to.count, 0);
    bound_copy(&to, &open);
    assert_null(to.cell);
    bound_release(&to);
}

/* Any changed bit, and any cut, is noticed. */
static void notices_any_change(void **state)
{
    struct record r = chunk_record();
    char *line = line_of(&r);
    size_t len = strlen(line);
    struct record back;
    struct err err = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < len - 1; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            line[i] = (char)(line[i] ^ (1 << bit));
            assert_int_equal(record_parse(line, len, &back, &err), ERR_CORRUPT);
            line[i] = (char)(line[i] ^ (1 << bit));
        }
    for (size_t i = 0; i < len - 1; i++)
        assert_int_equal(record_parse(line, i, &back, &err), ERR_CORRUPT);
    assert_int_equal(record_parse(line, len - 1, &back, &err), ERR_OK);
    record_release(&back);
    free(line);
}

/* `body` with a right checksum. */
static enum err_code parse_body(const char *body, struct record *r, struct err *err)
{
    char *line = xasprintf("%s,\"crc\":\"%08lx\"}\n", body,
                           crc32(0, (const unsigned char *)body, (unsigned)strlen(body)));
    enum err_code rc = record_parse(line, strlen(line), r, err);

    free(line);
    return rc;
}

#define CHUNK "{\"record\":\"chunk\",\"table\":1,\"span\":1,\"epoch\":1,"
#define DUMP_REST                                                                                  \
    "\"uuid\":\"8a5f9c5e-3b1f-4d0a-9a3e-2f6c1d7e8b90\",\"ferry_version\":\"1\",\"format\":"        \
    "\"sql\", "                                                                                    \
    "\"compression\":\"none\",\"options\":{},\"started_us\":0"

static const struct {
    const char *body;
    enum err_code code;
    const char *msg;
} bad_bodies[] = {
    {"{\"x\":1", ERR_CORRUPT, "member 'record' is missing"},
    {"{\"record\":7", ERR_CORRUPT, "member 'record' is missing"},
    {"[\"x\":1", ERR_CORRUPT, "not a JSON object: ']' expected near ':'"},
    {"{\"record\":\"void\",\"table\":1", ERR_CORRUPT, "'void' record: member 'epoch' is missing"},
    {"{\"record\":\"void\",\"table\":1,\"table\":2,\"epoch\":1", ERR_CORRUPT,
     "not a JSON object: duplicate object key near '\"table\"'"},
    {"{\"record\":\"void\",\"table\":-1,\"epoch\":1", ERR_CORRUPT,
     "'void' record: member 'table' is not a number"},
    {"{\"record\":\"void\",\"table\":\"1x\",\"epoch\":1", ERR_CORRUPT,
     "'void' record: member 'table' is not a number"},
    {"{\"record\":\"void\",\"table\":\"\",\"epoch\":1", ERR_CORRUPT,
     "'void' record: member 'table' is not a number"},
    {"{\"record\":\"void\",\"table\":\"18446744073709551616\",\"epoch\":1", ERR_CORRUPT,
     "'void' record: member 'table' is not a number"},
    {"{\"record\":\"void\",\"table\":4294967296,\"epoch\":1", ERR_CORRUPT,
     "'void' record: member 'table' is too large"},
    {"{\"record\":\"void\",\"table\":1.5,\"epoch\":1", ERR_CORRUPT,
     "'void' record: member 'table' is not a number"},
    {CHUNK "\"number\":1,\"rows\":1,\"raw_bytes\":1", ERR_CORRUPT,
     "'chunk' record: a chunk with 1 rows and no file"},
    {CHUNK "\"number\":1,\"rows\":0,\"raw_bytes\":1,\"path\":\"a\"", ERR_CORRUPT,
     "'chunk' record: a chunk with 0 rows and a file"},
    {CHUNK "\"number\":1,\"rows\":1,\"raw_bytes\":1,\"path\":\"a\"", ERR_CORRUPT,
     "'chunk' record: member 'sha256' is missing"},
    {CHUNK "\"number\":1,\"rows\":1,\"raw_bytes\":1,\"path\":\"../a\"", ERR_CORRUPT,
     "'chunk' record: member 'path' is not a path inside the dump"},
    {CHUNK "\"number\":1,\"rows\":1,\"raw_bytes\":1,\"path\":\"/a\"", ERR_CORRUPT,
     "'chunk' record: member 'path' is not a path inside the dump"},
    {CHUNK "\"number\":1,\"rows\":1,\"raw_bytes\":1,\"path\":\"\"", ERR_CORRUPT,
     "'chunk' record: member 'path' is not a path inside the dump"},
    {CHUNK "\"number\":1,\"rows\":1,\"raw_bytes\":1,\"path\":\"a/./b\"", ERR_CORRUPT,
     "'chunk' record: member 'path' is not a path inside the dump"},
    {CHUNK "\"number\":1,\"rows\":1,\"raw_bytes\":1,\"path\":{\"hex\":\"6100\"}", ERR_CORRUPT,
     "'chunk' record: member 'path' holds a NUL byte"},
    {CHUNK "\"number\":0,\"rows\":0,\"raw_bytes\":0,\"last\":1", ERR_CORRUPT,
     "'chunk' record: member 'last' is not true or false"},
    {CHUNK "\"number\":0,\"rows\":0,\"raw_bytes\":0,\"lo\":[]", ERR_CORRUPT,
     "'chunk' record: member 'lo' is not a list of cells"},
    {CHUNK "\"number\":0,\"rows\":0,\"raw_bytes\":0,\"lo\":[\"a\",null]", ERR_CORRUPT,
     "'chunk' record: member 'lo' is not a string"},
    {CHUNK "\"number\":0,\"rows\":0,\"raw_bytes\":0,\"lo\":[{\"hex\":\"f\"}]", ERR_CORRUPT,
     "'chunk' record: member 'lo' has bad hex digits"},
    {CHUNK "\"number\":0,\"rows\":0,\"raw_bytes\":0,\"lo\":[{\"hex\":\"fg\"}]", ERR_CORRUPT,
     "'chunk' record: member 'lo' has bad hex digits"},
    {"{\"record\":\"file\",\"path\":\"a\",\"stored_bytes\":1,\"sha256\":\"00\"", ERR_CORRUPT,
     "'file' record: member 'sha256' is not 64 hex digits"},
    {"{\"record\":\"file\",\"path\":\"a\",\"stored_bytes\":1,\"sha256\":\"" SHA
     "\",\"blocks\":\"\"",
     ERR_CORRUPT, "'file' record: member 'blocks' does not fit stored_bytes"},
    {"{\"record\":\"file\",\"path\":\"a\",\"stored_bytes\":\"18446744073709551615\","
     "\"sha256\":\"" SHA "\",\"blocks\":\"\"",
     ERR_CORRUPT, "'file' record: member 'blocks' does not fit stored_bytes"},
    {"{\"record\":\"file\",\"path\":\"a\",\"stored_bytes\":1,\"sha256\":\"" SHA
     "\",\"blocks\":\"012345678 abcdef\"",
     ERR_CORRUPT, "'file' record: member 'blocks' has bad hex digits"},
    {"{\"record\":\"table\",\"table\":1,\"epoch\":1,\"db\":\"d\",\"name\":\"n\",\"kind\":\"k\","
     "\"columns\":[{\"name\":\"a\",\"type\":\"int\"},{\"name\":\"b\"}],\"data_bytes\":0",
     ERR_CORRUPT, "'table' record: column 2: member 'type' is missing"},
    {"{\"record\":\"table\",\"table\":1,\"epoch\":1,\"db\":\"d\",\"name\":\"n\",\"kind\":\"k\","
     "\"key_columns\":[\"a\",1],\"data_bytes\":0",
     ERR_CORRUPT, "'table' record: member 'key_columns' is not a string"},
    {"{\"record\":\"dump\",\"version\":1,\"uuid\":\"8a5f\"", ERR_CORRUPT,
     "'dump' record: member 'uuid' is not a UUID"},
    {"{\"record\":\"dump\",\"version\":0," DUMP_REST, ERR_CORRUPT,
     "'dump' record: member 'version' is 0"},
    {"{\"record\":\"dump\"," DUMP_REST, ERR_CORRUPT, "member 'version' is not a number"},
    {"{\"record\":\"dump\",\"version\":2," DUMP_REST, ERR_DUMP_VERSION,
     "the dump is of format 2, this ferry reads up to 1"},
    {"{\"record\":\"dump\",\"version\":\"99\",\"new\":1", ERR_DUMP_VERSION,
     "the dump is of format 99, this ferry reads up to 1"},
    {"{\"record\":\"binlog\",\"n\":1", ERR_DUMP_VERSION,
     "a record of kind 'binlog', which this ferry does not know"},
    {"{\"record\":\"binlog\",\"optional\":false", ERR_DUMP_VERSION,
     "a record of kind 'binlog', which this ferry does not know"},
    {"{\"record\":\"binlog\",\"optional\":true", ERR_DUMP_VERSION,
     "a record of a newer kind, which may be left out"},
};

static void refuses_bad_members(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_bodies / sizeof bad_bodies[0]; i++) {
        struct record r;
        struct err err = ERR_INIT;

        assert_int_equal(parse_body(bad_bodies[i].body, &r, &err), bad_bodies[i].code);
        assert_string_equal(err.msg, bad_bodies[i].msg);
    }
}

/* What a newer minor version adds to a record is passed over. */
static void passes_over_new_members(void **state)
{
    struct record r;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(parse_body("{\"record\":\"void\",\"new\":{\"a\":[1,2]},\"table\":\"7\","
                                "\"epoch\":3",
                                &r, &err),
                     ERR_OK);
    assert_int_equal(r.u.voided.table, 7);
    assert_int_equal(r.u.voided.epoch, 3);
    record_release(&r);
    assert_int_equal(parse_body("{\"record\":\"dump\",\"version\":1," DUMP_REST, &r, &err), ERR_OK);
    assert_string_equal(r.u.dump.options, "{}");
    assert_null(r.u.dump.vendor);
    record_release(&r);
}

/* The examples of docs/format.md are what a reader takes. */
static void reads_the_documentation(void **state)
{
    FILE *f = fopen("docs/format.md", "r");
    char *line = NULL;
    size_t cap = 0;
    unsigned kinds = 0;

    (void)state;
    if (!f)
        skip(); /* not started in the project's folder */
    for (ssize_t len = getline(&line, &cap, f); len > 0; len = getline(&line, &cap, f)) {
        struct record r;
        struct err err = ERR_INIT;
        char *again;

        if (strncmp(line, "{\"record\"", 9) != 0)
            continue;
        if (record_parse(line, (size_t)len, &r, &err))
            fail_msg("%s: %s", line, err.msg);
        kinds |= 1U << r.kind;
        again = line_of(&r);
        assert_string_equal(again, line);
        free(again);
        record_release(&r);
    }
    assert_int_equal(kinds, (1U << (RECORD_END + 1)) - 1); /* each has one */
    free(line);
    (void)fclose(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_dump),
        cmocka_unit_test(writes_small_kinds),
        cmocka_unit_test(writes_table),
        cmocka_unit_test(writes_span_and_chunk),
        cmocka_unit_test(keeps_large_numbers),
        cmocka_unit_test(keeps_every_cell),
        cmocka_unit_test(keeps_every_byte_value),
        cmocka_unit_test(copies_bounds),
        cmocka_unit_test(notices_any_change),
        cmocka_unit_test(refuses_bad_members),
        cmocka_unit_test(passes_over_new_members),
        cmocka_unit_test(reads_the_documentation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
