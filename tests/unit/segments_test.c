/* Segments of a binlog: what is written is read back from any place; gaps are refused. */
#include "formats/segments.h"

#include "common/base/bytes.h"
#include "common/base/mem.h"
#include "tests/unit/cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#define FORMAT_POST 57 /* before the lengths of posts */
#define EVENTS 5

/* An event with its checksum at offset `start` of its file. */
static size_t event_put(uint8_t *to, unsigned type, const void *body, size_t len, uint64_t start)
{
    const size_t size = BINLOG_HEADER + len + BINLOG_CHECKSUM;

    memset(to, 0, BINLOG_HEADER);
    bytes_put_le(to, 1700000000, 4);
    to[4] = (uint8_t)type;
    bytes_put_le(to + 9, size, 4);
    bytes_put_le(to + 13, start + size, 4);
    memcpy(to + BINLOG_HEADER, body, len);
    bytes_put_le(to + size - BINLOG_CHECKSUM, binlog_crc32(to, size - BINLOG_CHECKSUM), 4);
    return size;
}

static void format_put(struct strbuf *out)
{
    uint8_t body[FORMAT_POST + 41] = {4, 0};
    uint8_t event[256];

    memcpy(body + 2, "8.4.3", 5);
    body[56] = BINLOG_HEADER;
    body[sizeof(body) - 1] = 1; /* CRC32 */
    strbuf_add(out, event, event_put(event, EVENT_FORMAT, body, sizeof(body), 4));
}

/* A segment of EVENTS events of one size from `start` on; its record is the dump's. */
static void given_segment(struct dump *d, const char *file, uint64_t start)
{
    struct segment_writer *w = NULL;
    struct strbuf format = {0};
    struct err err = ERR_INIT;
    uint8_t event[64];

    format_put(&format);
    assert_int_equal(
        segment_writer_open(d->store, d->binlog_count + 1, file, start, &format, &w, &err), ERR_OK);
    for (unsigned i = 0; i < EVENTS; i++) {
        struct binlog_raw raw = {.data = event, .file = file, .start = segment_writer_end(w)};

        raw.len = event_put(event, EVENT_XID, "12345678", 8, raw.start);
        assert_int_equal(binlog_header_read(event, raw.len, &raw.header, &err), ERR_OK);
        raw.end = raw.start + raw.len;
        assert_int_equal(segment_writer_add(w, &raw, &err), ERR_OK);
    }
    d->binlog = xreallocarray(d->binlog, d->binlog_count + 1, sizeof(*d->binlog));
    assert_int_equal(segment_writer_finish(w, &d->binlog[d->binlog_count++], &err), ERR_OK);
    segment_writer_free(w);
    assert_int_equal(store_sync(d->store, &err), ERR_OK);
    strbuf_release(&format);
}

static uint64_t given_dump(struct dump *d, struct epoch_record *epoch)
{
    *d = (struct dump){
        .store = store_mem_new(), .epochs = epoch, .epoch_count = 1, .complete = true};
    *epoch = (struct epoch_record){.epoch = 1,
                                   .consistency = (char *)(uintptr_t) "flush",
                                   .log_file = (char *)(uintptr_t) "b.000009",
                                   .log_pos = 500,
                                   .log_created = 1700000000};
    given_segment(d, "b.000009", 500);
    given_segment(d, "b.000009", d->binlog[0].end);
    given_segment(d, "b.000010", 4);
    return (d->binlog[0].end - 500) / EVENTS;
}

static void dump_release(struct dump *d)
{
    for (size_t i = 0; i < d->binlog_count; i++)
        record_release(&(struct record){.kind = RECORD_SEGMENT, .u.segment = d->binlog[i]});
    free(d->binlog);
    store_free(d->store);
}

/* Events that are in a file up to the end; *first: where the first of them begins. */
static unsigned events_from(const struct dump *d, const struct binlog_start *at, uint64_t *first)
{
    struct binlog_source *source = NULL;
    enum binlog_got got = BINLOG_GOT_EVENT;
    struct err err = ERR_INIT;
    bool format = false;
    unsigned count = 0;

    assert_int_equal(segments_open(d, at, &source, &err), ERR_OK);
    for (;;) {
        struct binlog_raw raw;

        assert_int_equal(source->ops->next(source, &raw, &got, &err), ERR_OK);
        if (got == BINLOG_GOT_END)
            break;
        format = format || raw.header.type == EVENT_FORMAT;
        assert_true(format); /* before anything else */
        if (raw.start == raw.end)
            continue;
        if (count++ == 0)
            *first = raw.start;
    }
    binlog_source_free(source);
    return count;
}

static void reads_from_any_place(void **state)
{
    struct epoch_record epoch;
    struct dump d;
    const uint64_t size = given_dump(&d, &epoch);
    uint64_t first = 0;
    struct binlog_start at = {.file = "b.000009", .offset = 500};

    (void)state;
    assert_int_equal(events_from(&d, NULL, &first),
                     3 * EVENTS + 1); /* and the second file's format */
    assert_int_equal(first, 500);
    for (unsigned i = 0; i <= 2 * EVENTS; i++) {
        at.offset = 500 + i * size;
        assert_int_equal(events_from(&d, &at, &first), 3 * EVENTS + 1 - i);
        assert_int_equal(first, i < 2 * EVENTS ? at.offset : 4);
    }
    at = (struct binlog_start){.file = "b.000010", .offset = d.binlog[2].end};
    assert_int_equal(events_from(&d, &at, &first), 0);
    dump_release(&d);
}

static void refuses_other_places(void **state)
{
    static const struct binlog_start places[] = {{"b.000009", 499, NULL},
                                                 {"b.000009", 501, NULL},
                                                 {"b.000008", 500, NULL},
                                                 {"b.000010", 5000, NULL}};
    struct epoch_record epoch;
    struct dump d;

    (void)state;
    (void)given_dump(&d, &epoch);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        struct binlog_source *source = NULL;
        enum binlog_got got = BINLOG_GOT_EVENT;
        struct err err = ERR_INIT;
        enum err_code rc = segments_open(&d, &places[i], &source, &err);

        while (!rc && got != BINLOG_GOT_END) { /* no event begins there */
            struct binlog_raw raw;

            rc = source->ops->next(source, &raw, &got, &err);
        }
        assert_int_equal(rc, ERR_BINLOG_PURGED);
        binlog_source_free(source);
    }
    dump_release(&d);
}

static void refuses_gaps(void **state)
{
    struct epoch_record epoch;
    struct dump d;
    struct err err = ERR_INIT;

    (void)state;
    (void)given_dump(&d, &epoch);
    assert_int_equal(segments_check(&d, &err), ERR_OK);
    assert_int_equal(segment_joins(&d.binlog[0], &d.binlog[1], &err), ERR_OK);
    assert_int_equal(segment_joins(&d.binlog[1], &d.binlog[2], &err), ERR_OK);
    d.binlog[1].number = 1;
    assert_int_equal(segment_joins(NULL, &d.binlog[1], &err), ERR_OK);
    assert_int_equal(segment_joins(&d.binlog[0], &d.binlog[1], &err), ERR_CORRUPT);
    d.binlog[1].number = 2;
    d.binlog[1].start++;
    assert_int_equal(segment_joins(&d.binlog[0], &d.binlog[1], &err), ERR_CORRUPT);
    assert_non_null(strstr(err.msg, "is missing"));
    d.binlog[1].start -= 2;
    assert_int_equal(segment_joins(&d.binlog[0], &d.binlog[1], &err), ERR_CORRUPT);
    d.binlog[2].log_file[7] = '1'; /* b.000011 */
    assert_int_equal(segment_joins(&d.binlog[1], &d.binlog[2], &err), ERR_CORRUPT);
    epoch.log_pos = 499;
    assert_int_equal(segments_check(&d, &err), ERR_CORRUPT);
    epoch.log_pos = 500;
    d.binlog[2].open = true;
    assert_int_equal(segments_check(&d, &err), ERR_CORRUPT);
    dump_release(&d);
}

static void keeps_character_maps(void **state)
{
    static const char text[] = "charset sjis\n41 41\n8140 e38080\n81403132 f09f9880\n";
    struct charset_maps *maps = charset_maps_new(NULL);
    const struct charset_map *map = NULL;
    struct strbuf out = {0};
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(charset_maps_add(maps, text, sizeof(text) - 1, &err), ERR_OK);
    assert_int_equal(charset_maps_find(maps, "sjis", &map, &err), ERR_OK);
    charset_map_text(map, &out);
    assert_string_equal(strbuf_str(&out), text);
    strbuf_reset(&out);
    assert_int_equal(charset_map_convert(map, "A\x81\x40", 3, &out, &err), ERR_OK);
    assert_string_equal(strbuf_str(&out), "A\xe3\x80\x80");
    assert_int_equal(charset_maps_add(maps, text, sizeof(text) - 2, &err), ERR_CORRUPT);
    assert_int_equal(charset_maps_add(maps, "charset x\n4 41\n", 15, &err), ERR_CORRUPT);
    strbuf_release(&out);
    charset_maps_free(maps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_from_any_place),
        cmocka_unit_test(refuses_other_places),
        cmocka_unit_test(refuses_gaps),
        cmocka_unit_test(keeps_character_maps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
