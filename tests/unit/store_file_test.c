/* What only a file system can do: fill up, be killed in, hold links. And URLs. */
#include "common/store/store.h"

#include "common/base/mem.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/store_folder.h"

#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

#define DISK_BYTES ((size_t)1 << 20)

static int setup(void **state)
{
    *state = folder_new();
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    folder_free(*state);
    return 0;
}

static struct store *open_store(const char *folder)
{
    struct store *s = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(store_file_new(folder, false, &s, &err), ERR_OK);
    return s;
}

static enum err_code add_path(void *ctx, const char *path, const struct store_info *info,
                              struct err *err)
{
    (void)info;
    (void)err;
    strbuf_addf(ctx, "%s|", path);
    return ERR_OK;
}

static void assert_lists(struct store *s, const char *expected)
{
    struct strbuf got = {0};
    struct err err = ERR_INIT;

    assert_int_equal(store_list(s, "", NULL, add_path, &got, &err), ERR_OK);
    assert_string_equal(strbuf_str(&got), expected);
    strbuf_release(&got);
}

static void assert_exists(const char *folder, const char *name, bool expected)
{
    char *path = xasprintf("%s/%s", folder, name);
    struct stat st;

    assert_int_equal(lstat(path, &st) == 0, expected);
    free(path);
}

static void urls_name_folders(void **state)
{
    const char *folder = *state;
    struct err err = ERR_INIT;
    struct store *s = NULL;
    char *url = xasprintf("file://%s/new%%20one/deep", folder);

    assert_int_equal(store_open(url, false, &s, &err), ERR_STORE_NOT_FOUND);
    assert_int_equal(store_open(url, true, &s, &err), ERR_OK);
    assert_int_equal(store_put(s, "x", "1", 1, &err), ERR_OK);
    store_free(s);
    assert_exists(folder, "new one/deep/x", true);
    free(url);
    url = xasprintf("file://localhost%s/", folder);
    assert_int_equal(store_open(url, false, &s, &err), ERR_OK);
    assert_string_equal(s->text, folder);
    assert_lists(s, "new one/deep/x|");
    store_free(s);
    free(url);
    assert_int_equal(store_open(folder, false, &s, &err), ERR_OK);
    store_free(s);
    assert_int_equal(store_open("mem:x", true, &s, &err), ERR_OK);
    assert_string_equal(s->ops->scheme, "mem");
    store_free(s);
    url = xasprintf("%s/a/b//c/", folder);
    assert_int_equal(store_open(url, true, &s, &err), ERR_OK);
    store_free(s);
    free(url);
    assert_exists(folder, "a/b/c", true);
}

static void urls_that_cannot_be_used_are_refused(void **state)
{
    static const struct {
        const char *url, *text;
    } cases[] = {
        {"", "the storage URL is empty"},
        {"s3://key:secret@bucket/x", "a user or key in front of the bucket: keys come from the "
                                     "environment or from a profile"},
        {"gs://b", "gs:// is not supported: use Google's S3 interface, with an HMAC key: "
                   "s3://BUCKET/PREFIX?endpoint=https://storage.googleapis.com"},
        {"azblob://b",
         "azblob:// is not supported: give s3://BUCKET/PREFIX, or a folder of a file system"},
        {"ftp://me:secret@h/", "the storage scheme 'ftp' is not known"},
        {"file://host/x", "'file://host/x' names a host: write file:///path"},
        {"file://", "'file://' names a host: write file:///path"},
        {"file:///x%2", "'file:///x%2' has a '%' that is no code: write %25"},
        {"file:///x%", "'file:///x%' has a '%' that is no code: write %25"},
        {"file:///x%00", "'file:///x%00' has a '%' that is no code: write %25"},
        {"file:///x?a", "'file:///x?a' has a '?': write %3F, or a plain path"},
        {"file:///x#a", "'file:///x#a' has a '#': write %23, or a plain path"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err = ERR_INIT;
        struct store *s = NULL;

        assert_int_equal(store_open(cases[i].url, true, &s, &err), ERR_STORE_URL);
        assert_string_equal(err.msg, cases[i].text);
    }
}

static void a_file_is_no_folder(void **state)
{
    const char *folder = *state;
    struct store *s = open_store(folder);
    struct err err = ERR_INIT;
    char *path = xasprintf("%s/f", folder);

    assert_int_equal(store_put(s, "f", "1", 1, &err), ERR_OK);
    assert_int_not_equal(store_put(s, "f/g", "1", 1, &err), ERR_OK);
    store_free(s);
    assert_int_equal(store_file_new(path, false, &s, &err), ERR_STORE_URL);
    assert_int_equal(store_file_new(path, true, &s, &err), ERR_STORE_URL);
    free(path);
}

/* A process that is killed while it writes two files. */
static void die_writing(const char *folder)
{
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        struct store *s = open_store(folder);
        struct err err = ERR_INIT;
        struct sink *out = NULL;

        if (!store_open_write(s, "top.sql", &out, &err) && !sink_write(out, "x", 1, &err) &&
            !store_open_write(s, "sub/deep/low.sql", &out, &err))
            (void)kill(getpid(), SIGKILL);
        _exit(1);
    }
    int status = 0;

    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

static void what_a_killed_run_left_is_never_listed_and_can_be_discarded(void **state)
{
    const char *folder = *state;
    struct store *s = open_store(folder);
    struct err err = ERR_INIT;
    struct sink *out = NULL;
    char *sub = xasprintf("%s/sub/deep", folder);

    die_writing(folder);
    assert_int_equal(folder_count(folder), 2);
    assert_int_equal(folder_count(sub), 1);
    assert_int_equal(store_put(s, "sub/whole.sql", "1", 1, &err), ERR_OK);
    assert_lists(s, "sub/whole.sql|");
    /* only below the prefix */
    assert_int_equal(store_discard_unfinished(s, "sub/", &err), ERR_OK);
    assert_int_equal(folder_count(sub), 0);
    assert_int_equal(folder_count(folder), 2);
    /* and never what this store is writing */
    assert_int_equal(store_open_write(s, "mine", &out, &err), ERR_OK);
    assert_int_equal(folder_count(folder), 3);
    assert_int_equal(store_discard_unfinished(s, "", &err), ERR_OK);
    assert_int_equal(folder_count(folder), 2);
    assert_int_equal(sink_finish(out, &err), ERR_OK);
    sink_free(out);
    assert_lists(s, "mine|sub/whole.sql|");
    store_free(s);
    free(sub);
}

static void what_was_never_synced_is_gone_with_the_store(void **state)
{
    const char *folder = *state;
    struct store *s = open_store(folder);
    struct err err = ERR_INIT;
    struct sink *out = NULL;

    assert_int_equal(store_open_grouped(s, "waits", &out, &err), ERR_OK);
    assert_int_equal(sink_write(out, "x", 1, &err), ERR_OK);
    assert_int_equal(sink_finish(out, &err), ERR_OK);
    sink_free(out);
    assert_int_equal(folder_count(folder), 1);
    store_free(s);
    assert_int_equal(folder_count(folder), 0);
}

static void links_are_followed_but_not_in_circles(void **state)
{
    const char *folder = *state;
    struct store *s = open_store(folder);
    struct err err = ERR_INIT;
    char *name = xasprintf("%s/d/up", folder);
    char *other = xasprintf("%s/link", folder);
    char *dead = xasprintf("%s/dead", folder);
    char *pipe_name = xasprintf("%s/pipe", folder);
    struct source *in = NULL;

    assert_int_equal(store_put(s, "d/f", "1", 1, &err), ERR_OK);
    assert_int_equal(symlink("..", name), 0);
    assert_int_equal(symlink("d", other), 0);
    assert_int_equal(symlink("nowhere", dead), 0);
    assert_int_equal(mkfifo(pipe_name, 0600), 0);
    assert_lists(s, "d/f|link/f|");
    assert_int_equal(store_open_read(s, "pipe", 0, 0, &in, &err), ERR_STORE_NOT_FOUND);
    store_free(s);
    free(name);
    free(other);
    free(dead);
    free(pipe_name);
}

/* The folder of a dump may be renamed while it is written to. */
static void the_folder_may_move(void **state)
{
    const char *folder = *state;
    char *from = xasprintf("%s/from", folder);
    char *to = xasprintf("%s/to", folder);
    struct store *s = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(store_file_new(from, true, &s, &err), ERR_OK);
    assert_int_equal(store_put(s, "sub/a", "1", 1, &err), ERR_OK);
    assert_int_equal(rename(from, to), 0);
    assert_int_equal(store_put(s, "sub/b", "1", 1, &err), ERR_OK);
    assert_lists(s, "sub/a|sub/b|");
    store_free(s);
    free(from);
    free(to);
}

static void many_folders_are_made_as_needed(void **state)
{
    struct store *s = open_store(*state);
    struct err err = ERR_INIT;
    char path[64];

    for (unsigned i = 0; i < 200; i++) {
        (void)snprintf(path, sizeof path, "f%u/g/h", i % 150);
        assert_int_equal(store_put(s, path, "1", 1, &err), ERR_OK);
    }
    store_free(s);
    assert_int_equal(folder_count(*state), 150);
}

/* ---- a full disk ---- */

static int disk_setup(void **state)
{
    if (setup(state))
        return -1;
    if (mount("tmpfs", *state, "tmpfs", 0, "size=1m") != 0) {
        folder_free(*state);
        *state = NULL;
    }
    return 0;
}

static int disk_teardown(void **state)
{
    if (*state)
        (void)umount(*state);
    return *state ? teardown(state) : 0;
}

static void need_disk(void **state)
{
    if (*state)
        return;
    print_message("SKIPPED: a small file system cannot be mounted here\n");
    skip();
}

static void assert_disk_usable(struct store *s, const char *folder, const char *bytes)
{
    struct err err = ERR_INIT;

    assert_lists(s, "");
    assert_int_equal(folder_count(folder), 0);
    assert_int_equal(store_put(s, "fits", bytes, DISK_BYTES / 2, &err), ERR_OK);
    assert_int_equal(store_remove(s, "fits", &err), ERR_OK);
}

static void a_full_disk_is_named_and_leaves_nothing(void **state)
{
    static char bytes[2 * DISK_BYTES];
    struct err err = ERR_INIT;
    struct sink *out = NULL;
    struct store *s;
    enum err_code rc = ERR_OK;

    need_disk(state);
    s = open_store(*state);
    /* one large write */
    assert_int_equal(store_put(s, "big", bytes, sizeof bytes, &err), ERR_DISK_FULL);
    assert_non_null(strstr(err.msg, "/big: cannot write"));
    assert_disk_usable(s, *state, bytes);
    /* many small ones */
    assert_int_equal(store_open_write(s, "small", &out, &err), ERR_OK);
    for (size_t i = 0; i < 2 * DISK_BYTES / 1000 && !rc; i++)
        rc = sink_write(out, bytes, 1000, &err);
    assert_int_equal(rc, ERR_DISK_FULL);
    sink_free(out);
    assert_disk_usable(s, *state, bytes);
    /* the last bytes, which finish() writes */
    assert_int_equal(store_open_write(s, "last", &out, &err), ERR_OK);
    assert_int_equal(sink_write(out, bytes, DISK_BYTES, &err), ERR_OK);
    assert_int_equal(sink_write(out, bytes, 10, &err), ERR_OK);
    assert_int_equal(sink_finish(out, &err), ERR_DISK_FULL);
    sink_free(out);
    assert_disk_usable(s, *state, bytes);
    assert_int_equal(store_create(s, "made", bytes, sizeof bytes, &err), ERR_DISK_FULL);
    assert_disk_usable(s, *state, bytes);
    store_free(s);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(urls_name_folders),
        CASE(urls_that_cannot_be_used_are_refused),
        CASE(a_file_is_no_folder),
        CASE(what_a_killed_run_left_is_never_listed_and_can_be_discarded),
        CASE(what_was_never_synced_is_gone_with_the_store),
        CASE(links_are_followed_but_not_in_circles),
        CASE(the_folder_may_move),
        CASE(many_folders_are_made_as_needed),
        cmocka_unit_test_setup_teardown(a_full_disk_is_named_and_leaves_nothing, disk_setup,
                                        disk_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
