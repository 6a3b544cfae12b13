/* The manifest's writer and reader, over memory and a folder. */
#include "formats/manifest.h"

#include "common/base/mem.h"
#include "formats/file_names.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/fail_store.h"
#include "tests/unit/store_folder.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 8
#define EACH 500 /* records a thread */
#define WAIT_US ((uint64_t)20000000)
#define SEGMENT_1 MANIFEST_FOLDER "000001.jsonl"
#define SEGMENT_2 MANIFEST_FOLDER "000002.jsonl"
#define SEGMENT_3 MANIFEST_FOLDER "000003.jsonl"

struct bench {
    struct store *s;
    char *folder; /* NULL: no file system */
};

static int mem_setup(void **state)
{
    struct bench *b = xcalloc(1, sizeof *b);

    b->s = store_mem_new();
    *state = b;
    return 0;
}

static int file_setup(void **state)
{
    struct bench *b = xcalloc(1, sizeof *b);
    struct err err = ERR_INIT;

    b->folder = folder_new();
    *state = b;
    return !b->folder || store_file_new(b->folder, false, &b->s, &err) ? -1 : 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;

    store_free(b->s);
    folder_free(b->folder);
    free(b);
    return 0;
}

static struct store *store_of(void **state)
{
    return ((struct bench *)*state)->s;
}

/* Numbers stand in void records: a table, and what counts up within it. */
static struct record numbered(unsigned table, unsigned n)
{
    return (struct record){.kind = RECORD_VOID, .u.voided = {.table = table, .epoch = n}};
}

static void append(struct manifest *m, unsigned table, unsigned n)
{
    struct record r = numbered(table, n);
    struct err err = ERR_INIT;

    assert_int_equal(manifest_append(m, &r, &err), ERR_OK);
}

static struct manifest *opened(struct store *s, uint64_t last_segment)
{
    struct manifest *m = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(manifest_open(s, last_segment, NULL, NULL, &m, &err), ERR_OK);
    return m;
}

static void closed(struct manifest *m)
{
    struct err err = ERR_INIT;

    assert_int_equal(manifest_close(m, &err), ERR_OK);
}

struct tally {
    unsigned count;
    unsigned next[THREADS]; /* of each table */
    unsigned fail_at;       /* the callback fails at this record; 0: never */
};

static enum err_code tally_add(void *ctx, struct record *r, struct err *err)
{
    struct tally *t = ctx;
    unsigned table = r->u.voided.table;
    unsigned n = r->u.voided.epoch;

    record_release(r);
    t->count++;
    if (t->count == t->fail_at)
        return err_set(err, ERR_INTERRUPTED, "enough");
    if (table >= THREADS || n != t->next[table]++)
        return err_set(err, ERR_FAILED, "record %u of table %u is out of order", n, table);
    return ERR_OK;
}

static enum err_code read_all(struct store *s, struct tally *t, uint64_t *last, struct err *err)
{
    *t = (struct tally){.fail_at = t->fail_at};
    return manifest_read(s, tally_add, t, last, err);
}

/* That many records in that many segments. */
static void assert_holds(struct store *s, unsigned records, uint64_t segments)
{
    struct tally t = {0};
    uint64_t last = 99;
    struct err err = ERR_INIT;

    assert_int_equal(read_all(s, &t, &last, &err), ERR_OK);
    assert_int_equal(t.count, records);
    assert_int_equal(last, segments);
}

static void await_segment(struct store *s, const char *behind)
{
    bool found = false;
    struct err err = ERR_INIT;

    assert_int_equal(store_wait(s, MANIFEST_FOLDER, behind, WAIT_US, NULL, &found, &err), ERR_OK);
    assert_true(found);
}

static void goes_on_behind_the_last(void **state)
{
    struct store *s = store_of(state);
    struct manifest *m;
    struct err err = ERR_INIT;

    assert_holds(s, 0, 0);
    m = opened(s, 0);
    closed(m);
    assert_holds(s, 0, 0); /* nothing to say, no segment */
    m = opened(s, 0);
    append(m, 1, 0);
    append(m, 1, 1);
    assert_int_equal(manifest_flush(m, &err), ERR_OK);
    assert_holds(s, 2, 1);
    assert_int_equal(manifest_flush(m, &err), ERR_OK); /* nothing new */
    append(m, 2, 0);
    closed(m);
    assert_holds(s, 3, 2);
    m = opened(s, 2);
    append(m, 2, 1);
    closed(m);
    assert_holds(s, 4, 3);
    closed(NULL);
}

/* What was not flushed when a process is killed is not there. */
static void holds_back_until_due(void **state)
{
    struct store *s = store_of(state);
    struct manifest *m = opened(s, 0);
    struct err err = ERR_INIT;

    for (unsigned i = 0; i < 100; i++)
        append(m, 0, i);
    assert_holds(s, 0, 0);
    assert_int_equal(manifest_flush(m, &err), ERR_OK);
    assert_holds(s, 100, 1);
    closed(m);
    assert_holds(s, 100, 1);
}

/* Sooner than by time; the fastest of some groups is judged, as the machine may be busy. */
static void writes_after_256_records(void **state)
{
    struct store *s = store_of(state);
    struct manifest *m = opened(s, 0);
    uint64_t fastest = UINT64_MAX;

    for (unsigned n = 0; n < 5; n++) {
        uint64_t start = clock_mono_us();
        char last[64] = "";

        if (n)
            (void)snprintf(last, sizeof last, MANIFEST_FOLDER "%06u.jsonl", n);
        for (unsigned i = 0; i < 256; i++)
            append(m, n, i);
        await_segment(s, last);
        if (clock_mono_us() - start < fastest)
            fastest = clock_mono_us() - start;
    }
    assert_true(fastest < 450000);
    assert_holds(s, 1280, 5);
    closed(m);
}

/* The wait grows with the manifest's age: 0.5 s at first, never more than 1.5 s. */
static void writes_after_some_time(void **state)
{
    struct store *s = store_of(state);
    struct manifest *m = opened(s, 0);
    uint64_t start = clock_mono_us();

    append(m, 0, 0);
    await_segment(s, "");
    assert_in_range(clock_mono_us() - start, 450000, 1400000);
    assert_holds(s, 1, 1);
    append(m, 0, 1);
    assert_holds(s, 1, 1);
    closed(m);
    assert_holds(s, 2, 2);
}

/* Large records fill segments of some 8 MiB; appending waits instead of piling them up. */
static void bounds_what_waits(void **state)
{
    struct store *s = store_of(state);
    struct manifest *m = opened(s, 0);
    char *megabyte = xmalloc(((size_t)1 << 20) + 1);
    struct record r = {.kind = RECORD_EPOCH,
                       .u.epoch = {.consistency = megabyte, .gtid = megabyte}};
    struct store_info info;
    struct err err = ERR_INIT;

    memset(megabyte, 'x', (size_t)1 << 20);
    megabyte[(size_t)1 << 20] = '\0';
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(manifest_append(m, &r, &err), ERR_OK);
    closed(m);
    assert_int_equal(store_stat(s, SEGMENT_1, &info, &err), ERR_OK);
    assert_in_range(info.size, (size_t)2 << 20, (size_t)11 << 20);
    assert_int_equal(store_stat(s, SEGMENT_3, &info, &err), ERR_OK);
    free(megabyte);
}

struct writer {
    struct manifest *m;
    unsigned table;
    enum err_code rc;
};

static void *writer_run(void *arg)
{
    struct writer *w = arg;
    struct err err = ERR_INIT;

    for (unsigned i = 0; i < EACH && !w->rc; i++) {
        struct record r = numbered(w->table, i);

        w->rc = manifest_append(w->m, &r, &err);
        if (!w->rc && i % 97 == 0)
            w->rc = manifest_flush(w->m, &err);
    }
    return NULL;
}

/* The codes that the threads came back with: all `expected` or ERR_OK. */
static unsigned run_writers(struct manifest *m, enum err_code expected)
{
    struct writer writers[THREADS];
    pthread_t threads[THREADS];
    unsigned failed = 0;

    for (unsigned i = 0; i < THREADS; i++) {
        writers[i] = (struct writer){.m = m, .table = i};
        assert_int_equal(pthread_create(&threads[i], NULL, writer_run, &writers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        failed += writers[i].rc != ERR_OK;
        if (writers[i].rc)
            assert_int_equal(writers[i].rc, expected);
    }
    return failed;
}

/* Each thread's records stay in its order, none is lost and none comes twice. */
static void takes_records_of_many_threads(void **state)
{
    struct store *s = store_of(state);
    struct manifest *m = opened(s, 0);
    struct tally t = {0};
    uint64_t last = 0;
    struct err err = ERR_INIT;

    assert_int_equal(run_writers(m, ERR_OK), 0);
    closed(m);
    assert_int_equal(read_all(s, &t, &last, &err), ERR_OK);
    assert_int_equal(t.count, THREADS * EACH);
}

static void count_failed(void *ctx)
{
    atomic_fetch_add((atomic_uint *)ctx, 1);
}

/* A segment is never replaced, and the failure stays. */
static void stops_at_anothers_segment(void **state)
{
    struct store *s = store_of(state);
    struct manifest *m = NULL;
    struct record r = numbered(0, 0);
    atomic_uint failed = 0;
    struct strbuf text = {0};
    struct err err = ERR_INIT;

    assert_int_equal(store_put(s, SEGMENT_2, "another's", 9, &err), ERR_OK);
    assert_int_equal(manifest_open(s, 0, count_failed, &failed, &m, &err), ERR_OK);
    append(m, 0, 0);
    assert_int_equal(manifest_flush(m, &err), ERR_OK);
    append(m, 0, 1);
    for (unsigned i = 0; i < 3; i++) {
        err_clear(&err);
        assert_int_equal(manifest_flush(m, &err), ERR_LOCKED);
        assert_non_null(strstr(err.msg, "another ferry writes to this dump"));
        assert_non_null(strstr(err.msg, SEGMENT_2));
        assert_int_equal(manifest_append(m, &r, &err), ERR_LOCKED);
    }
    err_clear(&err);
    assert_int_equal(manifest_close(m, &err), ERR_LOCKED);
    assert_non_null(strstr(err.msg, SEGMENT_2));
    assert_int_equal(atomic_load(&failed), 1);
    assert_int_equal(store_get(s, SEGMENT_2, &text, 100, &err), ERR_OK);
    assert_string_equal(text.str, "another's");
    strbuf_release(&text);
}

/* Every call of the store fails once: the writer says so, and what is there can be read and gone on
 * with. */
static void survives_each_failure(void **state)
{
    unsigned calls = 1;

    for (unsigned n = 0; n <= calls; n++) {
        struct store *inner = store_mem_new();
        struct store *s = fail_store_new(inner, n);
        struct manifest *m = opened(s, 0);
        struct err err = ERR_INIT;
        struct tally t = {0};
        uint64_t last = 0;
        unsigned failed = 0;

        for (unsigned i = 0; i < 5; i++) {
            struct record r = numbered(0, i);

            failed += manifest_append(m, &r, &err) != ERR_OK;
            failed += manifest_flush(m, &err) != ERR_OK;
        }
        failed += manifest_close(m, &err) != ERR_OK;
        if (n == 0)
            calls = fail_store_calls(s);
        /* from its flush on, every call */
        assert_int_equal(failed, n ? 2 * (calls - n) + 2 : 0);
        if (n)
            assert_int_equal(err.code, ERR_IO);
        store_free(s);
        err_clear(&err);
        assert_int_equal(read_all(inner, &t, &last, &err), ERR_OK);
        assert_int_equal(t.count, n ? n - 1 : 5);
        assert_int_equal(last, t.count);
        store_free(inner);
    }
    (void)state;
    assert_int_equal(calls, 5);
}

/* The reader too gives each failure on. */
static void reads_or_fails(void **state)
{
    struct store *inner = store_of(state);
    struct manifest *m = opened(inner, 0);
    unsigned calls = 1;

    append(m, 0, 0);
    closed(m);
    m = opened(inner, 1);
    append(m, 0, 1);
    closed(m);
    for (unsigned n = 0; n <= calls; n++) {
        struct store *s = fail_store_new(inner, n);
        struct tally t = {0};
        uint64_t last = 99;
        struct err err = ERR_INIT;

        assert_int_equal(read_all(s, &t, &last, &err), n ? ERR_IO : ERR_OK);
        assert_int_equal(last, n ? 99 : 2);
        if (n == 0)
            calls = fail_store_calls(s);
        store_free(s);
    }
    assert_true(calls >= 7); /* a listing, two opens, four reads */
}

static void many_threads_see_the_failure(void **state)
{
    struct store *inner = store_of(state);
    struct store *s = fail_store_new(inner, 3);
    struct manifest *m = opened(s, 0);
    struct err err = ERR_INIT;

    assert_int_equal(run_writers(m, ERR_IO), THREADS);
    assert_int_equal(manifest_close(m, &err), ERR_IO);
    assert_non_null(strstr(err.msg, "made to fail"));
    store_free(s);
}

static void callback_ends_reading(void **state)
{
    struct store *s = store_of(state);
    struct manifest *m = opened(s, 0);
    struct tally t = {.fail_at = 2};
    uint64_t last = 99;
    struct err err = ERR_INIT;

    for (unsigned i = 0; i < 3; i++)
        append(m, 0, i);
    closed(m);
    assert_int_equal(read_all(s, &t, &last, &err), ERR_INTERRUPTED);
    assert_string_equal(err.msg, "manifest segment '000001.jsonl' line 2: enough");
    assert_int_equal(t.count, 2);
    assert_int_equal(last, 99);
}

/* ---- damage ---- */

struct damage {
    const char *name;
    const char *path;
    enum { DAMAGE_FLIP, DAMAGE_CUT, DAMAGE_ADD, DAMAGE_REMOVE, DAMAGE_ALL } kind;
    size_t at; /* flip: this byte; cut: that many bytes are left */
    const char *text;
    enum err_code code; /* ERR_OK: not noticed */
    const char *msg;
};

/* {"record":"void","table":0,"epoch":0,"crc":"01234567"} and a newline */
#define LINE_BYTES 55

static void damage_do(struct store *s, const struct damage *d)
{
    struct strbuf text = {0};
    struct err err = ERR_INIT;

    if (d->kind == DAMAGE_REMOVE) {
        assert_int_equal(store_remove(s, d->path, &err), ERR_OK);
        return;
    }
    if (d->kind != DAMAGE_ALL)
        assert_int_equal(store_get(s, d->path, &text, 10000, &err), ERR_OK);
    if (d->kind == DAMAGE_FLIP)
        text.str[d->at] = (char)(text.str[d->at] ^ 1);
    else if (d->kind == DAMAGE_CUT)
        strbuf_setlen(&text, d->at);
    else
        strbuf_addstr(&text, d->text);
    assert_int_equal(store_put(s, d->path, strbuf_str(&text), text.len, &err), ERR_OK);
    strbuf_release(&text);
}

static void names_what_is_broken(void **state)
{
    static const struct damage cases[] = {
        {"first byte", SEGMENT_1, DAMAGE_FLIP, 0, NULL, ERR_CORRUPT,
         "manifest segment '000001.jsonl' line 1: checksum does not match"},
        {"second line", SEGMENT_2, DAMAGE_FLIP, LINE_BYTES + 30, NULL, ERR_CORRUPT,
         "manifest segment '000002.jsonl' line 2: checksum does not match"},
        {"the checksum itself", SEGMENT_2, DAMAGE_FLIP, LINE_BYTES - 5, NULL, ERR_CORRUPT,
         "manifest segment '000002.jsonl' line 1: checksum does not match"},
        {"a newline", SEGMENT_2, DAMAGE_FLIP, LINE_BYTES - 1, NULL, ERR_CORRUPT,
         "manifest segment '000002.jsonl' line 1: checksum does not match"},
        {"the last newline", SEGMENT_2, DAMAGE_FLIP, 2 * LINE_BYTES - 1, NULL, ERR_CORRUPT,
         "manifest segment '000002.jsonl' line 2: cut short"},
        {"cut in a line", SEGMENT_1, DAMAGE_CUT, LINE_BYTES + 20, NULL, ERR_CORRUPT,
         "manifest segment '000001.jsonl' line 2: cut short"},
        {"emptied", SEGMENT_2, DAMAGE_CUT, 0, NULL, ERR_CORRUPT,
         "manifest segment '000002.jsonl': no records"},
        {"an empty line", SEGMENT_2, DAMAGE_ADD, 0, "\n", ERR_CORRUPT,
         "manifest segment '000002.jsonl' line 3: no checksum at the end of the line"},
        {"text behind", SEGMENT_3, DAMAGE_ADD, 0, "{\"record\":\"void\"}\n", ERR_CORRUPT,
         "manifest segment '000003.jsonl' line 3: no checksum at the end of the line"},
        {"zeros", SEGMENT_3, DAMAGE_ALL, 0, "0000000000000000\n", ERR_CORRUPT,
         "manifest segment '000003.jsonl' line 1: no checksum at the end of the line"},
        {"first segment gone", SEGMENT_1, DAMAGE_REMOVE, 0, NULL, ERR_CORRUPT,
         "manifest segment '000001.jsonl' is missing"},
        {"middle segment gone", SEGMENT_2, DAMAGE_REMOVE, 0, NULL, ERR_CORRUPT,
         "manifest segment '000002.jsonl' is missing"},
        {"a hole", MANIFEST_FOLDER "000005.jsonl", DAMAGE_ALL, 0, "x\n", ERR_CORRUPT,
         "manifest segment '000004.jsonl' is missing"},
        {"another file in the folder", MANIFEST_FOLDER "notes.txt", DAMAGE_ALL, 0, "x", ERR_OK, ""},
        {"a number of another form", MANIFEST_FOLDER "0000001.jsonl", DAMAGE_ALL, 0, "x", ERR_OK,
         ""},
        {"number 0", MANIFEST_FOLDER "000000.jsonl", DAMAGE_ALL, 0, "x", ERR_OK, ""},
        {"a copy", SEGMENT_1 ".bak", DAMAGE_ALL, 0, "x", ERR_OK, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct store *s = store_mem_new();
        struct tally t = {0};
        uint64_t last = 99;
        struct err err = ERR_INIT;

        for (unsigned segment = 0; segment < 3; segment++) {
            struct manifest *m = opened(s, segment);

            append(m, 0, 2 * segment);
            append(m, 0, 2 * segment + 1);
            closed(m);
        }
        damage_do(s, &cases[i]);
        if (read_all(s, &t, &last, &err) != cases[i].code || strcmp(err.msg, cases[i].msg) != 0)
            fail_msg("%s: %s", cases[i].name, err.msg);
        assert_int_equal(last, cases[i].code ? 99 : 3);
        store_free(s);
    }
}

/* Whatever byte of a segment is changed: never is one of its records taken as it is not. */
static void no_changed_byte_is_taken(void **state)
{
    struct store *s = store_of(state);
    struct manifest *m = opened(s, 0);
    struct strbuf text = {0};
    struct tally t = {0};
    uint64_t last = 0;
    struct err err = ERR_INIT;

    append(m, 0, 0);
    append(m, 0, 1);
    closed(m);
    assert_int_equal(store_get(s, SEGMENT_1, &text, 10000, &err), ERR_OK);
    for (size_t i = 0; i < text.len; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            text.str[i] = (char)(text.str[i] ^ (1 << bit));
            assert_int_equal(store_put(s, SEGMENT_1, text.str, text.len, &err), ERR_OK);
            assert_int_equal(read_all(s, &t, &last, &err), ERR_CORRUPT);
            text.str[i] = (char)(text.str[i] ^ (1 << bit));
        }
    strbuf_release(&text);
}

/* Kinds of a newer ferry: left out where they allow it. */
static void passes_over_optional_records(void **state)
{
    struct store *s = store_of(state);
    static const char optional[] = "{\"record\":\"note\",\"optional\":true,\"crc\":\"cce4c1f6\"}\n";
    struct strbuf text = {0};
    struct tally t = {0};
    struct record r = numbered(0, 0);
    uint64_t last = 0;
    struct err err = ERR_INIT;

    strbuf_addstr(&text, optional);
    record_format(&r, &text);
    strbuf_addstr(&text, optional);
    assert_int_equal(store_put(s, SEGMENT_1, text.str, text.len, &err), ERR_OK);
    if (read_all(s, &t, &last, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(t.count, 1);
    assert_int_equal(last, 1);
    strbuf_release(&text);
}

#define ON_BOTH(test)                                                                              \
    cmocka_unit_test_setup_teardown(test, mem_setup, teardown),                                    \
        cmocka_unit_test_setup_teardown(test, file_setup, teardown)
#define ON_MEM(test) cmocka_unit_test_setup_teardown(test, mem_setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(goes_on_behind_the_last),        ON_BOTH(holds_back_until_due),
        ON_BOTH(writes_after_256_records),       ON_BOTH(takes_records_of_many_threads),
        ON_BOTH(stops_at_anothers_segment),      ON_BOTH(reads_or_fails),
        ON_MEM(writes_after_some_time),          ON_MEM(bounds_what_waits),
        ON_MEM(many_threads_see_the_failure),    ON_MEM(callback_ends_reading),
        ON_MEM(no_changed_byte_is_taken),        ON_MEM(passes_over_optional_records),
        cmocka_unit_test(survives_each_failure), cmocka_unit_test(names_what_is_broken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
