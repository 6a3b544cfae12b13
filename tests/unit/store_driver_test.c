/* One suite over every driver: what common/store/store.h promises. */
#include "common/store/spool.h"

#include "common/base/mem.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/s3_server.h"
#include "tests/unit/store_folder.h"

#include <pthread.h>
#include <stdio.h>

#define THREADS 8
#define ROUNDS 25
#define MANY 300

struct bench {
    struct store *s;
    char *folder; /* NULL: no file system */
    bool remote;  /* paths are UTF-8, and the clock is that of replies: whole seconds, two late */
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

static int spool_setup(void **state)
{
    const struct spool_params params = {.limit = (uint64_t)1 << 30, .object_bytes = 1 << 20};
    struct bench *b = xcalloc(1, sizeof *b);
    struct store *under = NULL;
    struct spool *sp = NULL;
    struct err err = ERR_INIT;

    b->folder = folder_new();
    *state = b;
    if (!b->folder || store_file_new(b->folder, false, &under, &err) ||
        spool_new(under, &params, &sp, &err))
        return -1;
    b->s = spool_store(sp);
    return 0;
}

/* Each test has a prefix of its own. */
static int s3_setup(void **state)
{
    struct bench *b = xcalloc(1, sizeof *b);
    struct err err = ERR_INIT;
    char *url = xasprintf("s3://bucket/%p-%lld", (void *)b, (long long)clock_utc_us());
    int rc = store_open(url, true, &b->s, &err) ? -1 : 0;

    free(url);
    b->remote = true;
    *state = b;
    return rc;
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

static void put(struct store *s, const char *path, const char *text)
{
    struct err err = ERR_INIT;

    assert_int_equal(store_put(s, path, text, strlen(text), &err), ERR_OK);
}

static void assert_holds(struct store *s, const char *path, const void *bytes, size_t len)
{
    struct strbuf got = {0};
    struct store_info info;
    struct err err = ERR_INIT;

    assert_int_equal(store_get(s, path, &got, (size_t)1 << 30, &err), ERR_OK);
    assert_int_equal(got.len, len);
    assert_memory_equal(strbuf_str(&got), bytes, len);
    strbuf_release(&got);
    assert_int_equal(store_stat(s, path, &info, &err), ERR_OK);
    assert_int_equal(info.size, len);
}

static void assert_text(struct store *s, const char *path, const char *text)
{
    assert_holds(s, path, text, strlen(text));
}

/* The paths, each with a '|' behind it. */
static enum err_code add_path(void *ctx, const char *path, const struct store_info *info,
                              struct err *err)
{
    (void)info;
    (void)err;
    strbuf_addf(ctx, "%s|", path);
    return ERR_OK;
}

static void assert_lists(struct store *s, const char *prefix, const char *start,
                         const char *expected)
{
    struct strbuf got = {0};
    struct err err = ERR_INIT;

    assert_int_equal(store_list(s, prefix, start, add_path, &got, &err), ERR_OK);
    assert_string_equal(strbuf_str(&got), expected);
    strbuf_release(&got);
}

static void an_object_is_visible_only_when_finished(void **state)
{
    struct store *s = store_of(state);
    struct err err = ERR_INIT;
    struct store_info info;
    struct sink *out = NULL;

    assert_int_equal(store_open_write(s, "a/b.sql", &out, &err), ERR_OK);
    assert_int_equal(sink_write(out, "hello ", 6, &err), ERR_OK);
    assert_int_equal(store_stat(s, "a/b.sql", &info, &err), ERR_STORE_NOT_FOUND);
    assert_lists(s, "", NULL, "");
    assert_int_equal(sink_write(out, "world", 5, &err), ERR_OK);
    assert_int_equal(sink_finish(out, &err), ERR_OK);
    assert_text(s, "a/b.sql", "hello world");
    sink_free(out);
    assert_text(s, "a/b.sql", "hello world");
    assert_lists(s, "", NULL, "a/b.sql|");
}

static void an_unfinished_write_leaves_nothing(void **state)
{
    struct store *s = store_of(state);
    struct bench *b = *state;
    struct err err = ERR_INIT;
    struct sink *out = NULL;
    char big[100000] = {0};

    put(s, "old", "old");
    assert_int_equal(store_open_write(s, "old", &out, &err), ERR_OK);
    assert_int_equal(sink_write(out, "new", 3, &err), ERR_OK);
    assert_int_equal(sink_write(out, big, sizeof big, &err), ERR_OK);
    sink_free(out);
    assert_text(s, "old", "old");
    assert_lists(s, "", NULL, "old|");
    if (b->folder)
        assert_int_equal(folder_count(b->folder), 1);
}

static void given_grouped(struct store *s, const char *path)
{
    struct err err = ERR_INIT;
    struct sink *out = NULL;

    assert_int_equal(store_open_grouped(s, path, &out, &err), ERR_OK);
    assert_int_equal(sink_write(out, path, strlen(path), &err), ERR_OK);
    assert_int_equal(sink_finish(out, &err), ERR_OK);
    sink_free(out);
}

/* More than are kept waiting, in two folders. */
static void grouped_objects_are_there_after_a_sync(void **state)
{
    struct store *s = store_of(state);
    struct bench *b = *state;
    struct err err = ERR_INIT;
    char path[32];

    assert_int_equal(store_sync(s, &err), ERR_OK);
    put(s, "0", "old");
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(path, sizeof path, i % 2 ? "%d" : "sub/%d", i);
        given_grouped(s, path);
    }
    assert_int_equal(store_sync(s, &err), ERR_OK);
    assert_text(s, "0", "old");
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(path, sizeof path, i % 2 ? "%d" : "sub/%d", i);
        assert_text(s, path, path);
    }
    if (b->folder) { /* nothing of a temporary name is left, the folder itself counted */
        assert_int_equal(folder_count(b->folder), MANY / 2 + 2);
        given_grouped(s, "late");
        assert_lists(s, "late", NULL, "");
    }
    assert_int_equal(store_sync(s, &err), ERR_OK);
}

static void a_failed_sync_is_for_good(void **state)
{
    struct store *s = store_of(state);
    struct bench *b = *state;
    struct err err = ERR_INIT;

    if (!b->folder)
        skip();
    given_grouped(s, "whole");
    put(s, "taken/x", "x");
    given_grouped(s, "taken"); /* a folder has its name */
    assert_int_not_equal(store_sync(s, &err), ERR_OK);
    assert_int_equal(folder_count(b->folder), 2); /* and no temporary file is left, now or then */
    given_grouped(s, "later");
    assert_int_not_equal(store_sync(s, &err), ERR_OK);
    assert_int_equal(folder_count(b->folder), 2);
    assert_lists(s, "", NULL, "taken/x|whole|");
}

static void a_replaced_object_stays_whole_for_its_readers(void **state)
{
    struct store *s = store_of(state);
    struct strbuf got = {0};
    struct err err = ERR_INIT;
    struct source *in = NULL;

    put(s, "x", "the first text");
    assert_int_equal(store_open_read(s, "x", 0, 0, &in, &err), ERR_OK);
    put(s, "x", "2");
    assert_int_equal(source_read_all(in, &got, 100, &err), ERR_OK);
    assert_string_equal(strbuf_str(&got), "the first text");
    source_free(in);
    strbuf_release(&got);
    assert_text(s, "x", "2");
}

static void writes_of_all_sizes_come_back(void **state)
{
    static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 200000, (size_t)20 << 20};
    struct store *s = store_of(state);
    struct err err = ERR_INIT;
    char *bytes = xmalloc((size_t)20 << 20);

    fill_random(bytes, (size_t)20 << 20, 1);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct sink *out = NULL;
        size_t step = 1;

        assert_int_equal(store_open_write(s, "f", &out, &err), ERR_OK);
        for (size_t at = 0; at < sizes[i];) {
            size_t n = sizes[i] - at < step ? sizes[i] - at : step;

            assert_int_equal(sink_write(out, bytes + at, n, &err), ERR_OK);
            at += n;
            step = step * 3 % 262144 + 1;
        }
        assert_int_equal(sink_write(out, "", 0, &err), ERR_OK);
        assert_int_equal(sink_finish(out, &err), ERR_OK);
        sink_free(out);
        assert_holds(s, "f", bytes, sizes[i]);
    }
    free(bytes);
}

static void create_refuses_what_is_there(void **state)
{
    struct store *s = store_of(state);
    struct bench *b = *state;
    struct err err = ERR_INIT;

    assert_int_equal(store_create(s, "d/lock", "one", 3, &err), ERR_OK);
    assert_int_equal(store_create(s, "d/lock", "two", 3, &err), ERR_STORE_EXISTS);
    assert_non_null(strstr(err.msg, "d/lock"));
    assert_text(s, "d/lock", "one");
    assert_int_equal(store_create(s, "empty", "", 0, &err), ERR_OK);
    assert_text(s, "empty", "");
    if (b->folder)
        assert_int_equal(folder_count(b->folder), 2);
}

struct racer {
    struct store *s;
    unsigned number;
    unsigned won[ROUNDS];
    unsigned other; /* codes that are neither */
    unsigned torn;  /* objects read that nobody wrote */
};

static void *race(void *arg)
{
    struct racer *r = arg;

    for (unsigned i = 0; i < ROUNDS; i++) {
        struct err err = ERR_INIT;
        char path[32];
        char text[32];
        enum err_code rc;

        (void)snprintf(path, sizeof path, "race/%u", i);
        (void)snprintf(text, sizeof text, "%u", r->number);
        rc = store_create(r->s, path, text, strlen(text), &err);
        r->won[i] = rc == ERR_OK;
        r->other += rc != ERR_OK && rc != ERR_STORE_EXISTS;
    }
    return NULL;
}

static void one_of_many_creators_wins(void **state)
{
    struct racer racers[THREADS] = {0};
    pthread_t threads[THREADS];

    for (unsigned i = 0; i < THREADS; i++) {
        racers[i] = (struct racer){.s = store_of(state), .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned wins = 0;
        char path[32];
        char text[32];

        (void)snprintf(path, sizeof path, "race/%u", round);
        for (unsigned i = 0; i < THREADS; i++) {
            assert_int_equal(racers[i].other, 0);
            wins += racers[i].won[round];
            if (!racers[i].won[round])
                continue;
            (void)snprintf(text, sizeof text, "%u", i);
            assert_text(store_of(state), path, text);
        }
        assert_int_equal(wins, 1);
    }
}

static void reads_give_the_range_asked_for(void **state)
{
    static const struct {
        uint64_t off, len;
        const char *expected;
    } cases[] = {{0, 0, "0123456789"}, {3, 0, "3456789"},
                 {3, 2, "34"},         {0, 1, "0"},
                 {9, 5, "9"},          {10, 0, ""},
                 {10, 3, ""},          {11, 0, ""},
                 {UINT64_MAX, 0, ""},  {UINT64_MAX - 1, 9, ""},
                 {8, UINT64_MAX, "89"}};
    struct store *s = store_of(state);
    struct err err = ERR_INIT;

    put(s, "digits", "0123456789");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct strbuf got = {0};
        struct source *in = NULL;

        assert_int_equal(store_open_read(s, "digits", cases[i].off, cases[i].len, &in, &err),
                         ERR_OK);
        assert_int_equal(source_read_all(in, &got, 10, &err), ERR_OK);
        assert_string_equal(strbuf_str(&got), cases[i].expected);
        source_free(in);
        strbuf_release(&got);
    }
}

static void list_is_in_byte_order(void **state)
{
    static const char *const paths[] = {"z/y/x/w", "a/b.c",    "a/b",      "a.txt",
                                        "a!x",     "a-",       "a0",       "a/b-",
                                        "%41",     " lead",    "a b",      "new\nline",
                                        "a+b%20c", "\xc3\xa9", "..x",      "...",
                                        ".hid",    "a/.hid",   "db.t.%2F", "\xf0\x9f\x98\x80.sql",
                                        "\xff\xfe"};
    struct store *s = store_of(state);
    bool remote = ((struct bench *)*state)->remote;
    size_t count = sizeof paths / sizeof paths[0] - remote;
    char *all;
    const char *last = remote ? "" : "\xff\xfe|";

    for (size_t i = 0; i < count; i++)
        put(s, paths[i], paths[i]);
    all = xasprintf(" lead|%%41|...|..x|.hid|a b|a!x|a+b%%20c|a-|a.txt|a/.hid|a/b|a/b-|a/b.c|a0|"
                    "db.t.%%2F|new\nline|z/y/x/w|\xc3\xa9|\xf0\x9f\x98\x80.sql|%s",
                    last);
    assert_lists(s, "", NULL, all);
    assert_lists(s, "", "z", strstr(all, "z/y"));
    free(all);
    assert_lists(s, "a", NULL, "a b|a!x|a+b%20c|a-|a.txt|a/.hid|a/b|a/b-|a/b.c|a0|");
    assert_lists(s, "a/", NULL, "a/.hid|a/b|a/b-|a/b.c|");
    assert_lists(s, "a/b", NULL, "a/b|a/b-|a/b.c|");
    assert_lists(s, "a/b", "a/b", "a/b-|a/b.c|");
    assert_lists(s, "a", "a.txt", "a/.hid|a/b|a/b-|a/b.c|a0|");
    assert_lists(s, "a", "a/", "a/.hid|a/b|a/b-|a/b.c|a0|");
    assert_lists(s, "a", "a/b-", "a/b.c|a0|");
    assert_lists(s, "a", "a/zzz", "a0|");
    assert_lists(s, "z/y", "z/y/x", "z/y/x/w|");
    assert_lists(s, "z/y/x/w", NULL, "z/y/x/w|");
    assert_lists(s, "z/y/x/w", "z/y/x/w", "");
    assert_lists(s, "..", NULL, "...|..x|");
    assert_lists(s, "nothing", NULL, "");
    assert_lists(s, "nothing/at/all", NULL, "");
    assert_lists(s, "a.txt/x", NULL, "");
    for (size_t i = 0; i < count; i++)
        assert_text(s, paths[i], paths[i]);
}

struct order {
    struct store *s;
    size_t count;
    char last[64];
    size_t stop_after;
    bool remove;
};

static enum err_code check_order(void *ctx, const char *path, const struct store_info *info,
                                 struct err *err)
{
    struct order *o = ctx;

    assert_true(strcmp(o->last, path) < 0);
    assert_int_equal(info->size, 1);
    (void)snprintf(o->last, sizeof o->last, "%s", path);
    if (o->remove)
        assert_int_equal(store_remove(o->s, path, err), ERR_OK);
    if (++o->count == o->stop_after)
        return err_set(err, ERR_FAILED, "enough");
    return ERR_OK;
}

static void a_listing_can_be_stopped_and_emptied(void **state)
{
    struct order o = {.s = store_of(state), .stop_after = 7};
    struct err err = ERR_INIT;

    for (unsigned i = 0; i < MANY; i++) {
        char path[32];

        (void)snprintf(path, sizeof path, "%s%u", i % 3 ? "d/" : "", i * 7919 % MANY);
        put(o.s, path, "x");
    }
    assert_int_equal(store_list(o.s, "", NULL, check_order, &o, &err), ERR_FAILED);
    assert_int_equal(o.count, 7);
    o = (struct order){.s = o.s, .remove = true};
    assert_int_equal(store_list(o.s, "", NULL, check_order, &o, &err), ERR_OK);
    assert_int_equal(o.count, MANY);
    assert_lists(o.s, "", NULL, "");
}

static void remove_succeeds_whatever_is_there(void **state)
{
    struct store *s = store_of(state);
    struct err err = ERR_INIT;
    struct store_info info;

    put(s, "f/g", "1");
    assert_int_equal(store_remove(s, "nothing", &err), ERR_OK);
    assert_int_equal(store_remove(s, "no/thing", &err), ERR_OK);
    assert_int_equal(store_remove(s, "f", &err), ERR_OK);
    assert_int_equal(store_remove(s, "f/g/h", &err), ERR_OK);
    assert_text(s, "f/g", "1");
    assert_int_equal(store_remove(s, "f/g", &err), ERR_OK);
    assert_int_equal(store_remove(s, "f/g", &err), ERR_OK);
    assert_int_equal(store_stat(s, "f/g", &info, &err), ERR_STORE_NOT_FOUND);
}

static void what_is_missing_has_its_own_code(void **state)
{
    static const char *const paths[] = {"nothing", "no/thing", "f", "f/g/h"};
    struct store *s = store_of(state);

    put(s, "f/g", "1");
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct err err = ERR_INIT;
        struct strbuf got = {0};
        struct source *in = NULL;
        struct store_info info;

        assert_int_equal(store_stat(s, paths[i], &info, &err), ERR_STORE_NOT_FOUND);
        assert_int_equal(store_get(s, paths[i], &got, 10, &err), ERR_STORE_NOT_FOUND);
        assert_int_equal(store_open_read(s, paths[i], 5, 0, &in, &err), ERR_STORE_NOT_FOUND);
        assert_null(in);
        assert_ptr_equal(strstr(err.msg, s->text), err.msg);
        assert_non_null(strstr(err.msg, paths[i]));
    }
}

static void paths_that_lead_elsewhere_are_refused(void **state)
{
    static const char temp[] = STORE_TEMP_PREFIX "1";
    static const char temp_folder[] = STORE_TEMP_PREFIX "/a";
    static const char *const paths[] = {"",    "/",    "/etc/passwd", "a//b",     "a/",
                                        "..",  "../x", "a/../b",      ".",        "a/.",
                                        "./a", "a/..", temp,          temp_folder};
    static const char *const prefixes[] = {"/", "../", "a/../", "a//", "./", "../../etc/pas"};
    struct store *s = store_of(state);
    struct strbuf got = {0};

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct err err = ERR_INIT;
        struct source *in = NULL;
        struct sink *out = NULL;
        struct store_info info;

        assert_int_equal(store_open_read(s, paths[i], 0, 0, &in, &err), ERR_FORMAT);
        assert_int_equal(store_open_write(s, paths[i], &out, &err), ERR_FORMAT);
        assert_int_equal(store_create(s, paths[i], "", 0, &err), ERR_FORMAT);
        assert_int_equal(store_put(s, paths[i], "", 0, &err), ERR_FORMAT);
        assert_int_equal(store_stat(s, paths[i], &info, &err), ERR_FORMAT);
        assert_int_equal(store_remove(s, paths[i], &err), ERR_FORMAT);
        assert_int_equal(store_get(s, paths[i], &got, 10, &err), ERR_FORMAT);
    }
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        struct err err = ERR_INIT;

        assert_int_equal(store_list(s, prefixes[i], NULL, add_path, &got, &err), ERR_FORMAT);
        assert_int_equal(store_discard_unfinished(s, prefixes[i], &err), ERR_FORMAT);
    }
}

static void get_stops_at_its_limit(void **state)
{
    struct store *s = store_of(state);
    struct strbuf got = {0};
    struct err err = ERR_INIT;

    put(s, "ten", "0123456789");
    assert_int_equal(store_get(s, "ten", &got, 9, &err), ERR_LIMIT);
    assert_non_null(strstr(err.msg, "ten: larger than 9 bytes"));
    strbuf_reset(&got);
    strbuf_addstr(&got, "before ");
    assert_int_equal(store_get(s, "ten", &got, 10, &err), ERR_OK);
    assert_string_equal(strbuf_str(&got), "before 0123456789");
    strbuf_release(&got);
}

static void the_clock_is_that_of_the_objects(void **state)
{
    struct store *s = store_of(state);
    struct err err = ERR_INIT;
    struct store_info info;
    int64_t slack = ((struct bench *)*state)->remote ? 2000000 : 0;
    int64_t before;
    int64_t after;

    assert_int_equal(store_now(s, &before, &err), ERR_OK);
    put(s, "x", "1");
    assert_int_equal(store_now(s, &after, &err), ERR_OK);
    assert_int_equal(store_stat(s, "x", &info, &err), ERR_OK);
    assert_true(before <= info.mtime_us + slack && info.mtime_us <= after + slack);
    assert_lists(s, "", NULL, "x|");
}

static void *put_soon(void *arg)
{
    (void)clock_sleep(60000, NULL);
    put(arg, "m/000002", "2");
    return NULL;
}

static void wait_sees_what_comes(void **state)
{
    struct store *s = store_of(state);
    struct cancel cancel = {0};
    struct err err = ERR_INIT;
    pthread_t thread;
    bool found = true;

    put(s, "m/000001", "1");
    put(s, "n", "1");
    assert_int_equal(store_wait(s, "m/", "m/000001", 0, NULL, &found, &err), ERR_OK);
    assert_false(found);
    assert_int_equal(store_wait(s, "m/", NULL, 0, NULL, &found, &err), ERR_OK);
    assert_true(found);
    assert_int_equal(err.code, ERR_OK);
    assert_int_equal(store_wait(s, "m/", "m/000001", 50000, &cancel, &found, &err), ERR_OK);
    assert_false(found);
    assert_int_equal(pthread_create(&thread, NULL, put_soon, s), 0);
    assert_int_equal(store_wait(s, "m/", "m/000001", 60000000, NULL, &found, &err), ERR_OK);
    assert_true(found);
    pthread_join(thread, NULL);
    cancel_ask(&cancel);
    assert_int_equal(store_wait(s, "m/", "m/000002", UINT64_MAX, &cancel, &found, &err), ERR_OK);
    assert_false(found);
}

static void count_failure(struct racer *r, const char *what, enum err_code rc, struct err *err)
{
    if (rc == ERR_OK)
        return;
    r->other++;
    print_error("%s: %s\n", what, err->msg);
    *err = (struct err)ERR_INIT;
}

/* Everything at once on the same few objects: whoever reads sees a whole one. */
static void *mix(void *arg)
{
    struct racer *r = arg;
    char text[3000];

    memset(text, 'a' + (int)r->number, sizeof text);
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct err err = ERR_INIT;
        struct strbuf got = {0};
        struct strbuf names = {0};
        char path[32];

        (void)snprintf(path, sizeof path, "sub%u/%u", i % 3, i % 2);
        count_failure(r, "put", store_put(r->s, path, text, sizeof text, &err), &err);
        if (store_get(r->s, path, &got, sizeof text, &err) == ERR_OK) {
            r->torn += got.len != sizeof text;
            for (size_t k = 1; k < got.len; k++)
                r->torn += got.str[k] != got.str[0];
        }
        count_failure(r, "list", store_list(r->s, "sub", NULL, add_path, &names, &err), &err);
        if (i % 5 == 0)
            count_failure(r, "remove", store_remove(r->s, path, &err), &err);
        count_failure(r, "discard", store_discard_unfinished(r->s, "", &err), &err);
        strbuf_release(&got);
        strbuf_release(&names);
    }
    return NULL;
}

static void threads_share_a_store(void **state)
{
    struct racer racers[THREADS] = {0};
    pthread_t threads[THREADS];

    for (unsigned i = 0; i < THREADS; i++) {
        racers[i] = (struct racer){.s = store_of(state), .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, mix, &racers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(racers[i].torn, 0);
        assert_int_equal(racers[i].other, 0);
    }
}

static void taps_count_and_pass_on(void **state)
{
    struct store *s = store_of(state);
    struct err err = ERR_INIT;
    uint64_t total = 0;
    struct sink *out = NULL;

    assert_int_equal(store_open_write(s, "x", &out, &err), ERR_OK);
    out = size_tap_new(out, &total);
    assert_int_equal(sink_write(out, "hello", 5, &err), ERR_OK);
    assert_int_equal(sink_write(out, " you", 4, &err), ERR_OK);
    assert_int_equal(sink_finish(out, &err), ERR_OK);
    sink_free(out);
    assert_int_equal(total, 9);
    assert_text(s, "x", "hello you");
}

#define CASE(driver, name)                                                                         \
    {                                                                                              \
#driver ": " #name, name, driver##_setup, teardown, NULL                                   \
    }
#define SUITE(driver)                                                                              \
    CASE(driver, an_object_is_visible_only_when_finished),                                         \
        CASE(driver, an_unfinished_write_leaves_nothing),                                          \
        CASE(driver, grouped_objects_are_there_after_a_sync),                                      \
        CASE(driver, a_failed_sync_is_for_good),                                                   \
        CASE(driver, a_replaced_object_stays_whole_for_its_readers),                               \
        CASE(driver, writes_of_all_sizes_come_back), CASE(driver, create_refuses_what_is_there),   \
        CASE(driver, one_of_many_creators_wins), CASE(driver, reads_give_the_range_asked_for),     \
        CASE(driver, list_is_in_byte_order), CASE(driver, a_listing_can_be_stopped_and_emptied),   \
        CASE(driver, remove_succeeds_whatever_is_there),                                           \
        CASE(driver, what_is_missing_has_its_own_code),                                            \
        CASE(driver, paths_that_lead_elsewhere_are_refused), CASE(driver, get_stops_at_its_limit), \
        CASE(driver, the_clock_is_that_of_the_objects), CASE(driver, wait_sees_what_comes),        \
        CASE(driver, threads_share_a_store), CASE(driver, taps_count_and_pass_on)

int main(void)
{
    const struct CMUnitTest tests[] = {SUITE(mem), SUITE(file), SUITE(spool)};
    const struct CMUnitTest s3_tests[] = {SUITE(s3)};
    struct s3_server server;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    if (s3_server_start(&server)) {
        failed += cmocka_run_group_tests(s3_tests, NULL, NULL);
        s3_server_stop(&server);
    }
    return failed;
}
