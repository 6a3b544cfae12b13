#include "common/store/lease.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/store/lease_owner.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/store_folder.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

#define MS 1000
#define THREADS 6

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

/* Slow enough that no renewal comes in between. */
static const struct lease_params calm = {.path = "ferry.lock", .what = "dump"};

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

/* Its owner may be renewing at the instant of a listing. */
static void assert_comes_to_list(struct store *s, const char *expected)
{
    struct strbuf got = {0};
    struct err err = ERR_INIT;

    for (int i = 0; i < 1000 && strcmp(strbuf_str(&got), expected) != 0; i++) {
        strbuf_reset(&got);
        assert_int_equal(store_list(s, "", NULL, add_path, &got, &err), ERR_OK);
    }
    assert_string_equal(strbuf_str(&got), expected);
    strbuf_release(&got);
}

/* A lock as a process on another host would have left it, or this text as it is. */
static void given_lock(struct store *s, const char *path, const char *token, const char *text)
{
    struct lease_owner o = {.what = "dump", .host = "elsewhere", .boot = "b", .pid_space = "p"};
    struct strbuf json = {0};
    struct err err = ERR_INIT;

    o.pid = 4711;
    (void)snprintf(o.token, sizeof o.token, "%s", token);
    lease_owner_write(&o, &json);
    if (!text)
        text = json.str;
    assert_int_equal(store_put(s, path, text, strlen(text), &err), ERR_OK);
    strbuf_release(&json);
}

/* No object has shown a sign of life for ten minutes. */
static void given_all_old(struct bench *b)
{
    const struct timespec times[2] = {{.tv_sec = time(NULL) - 600}, {.tv_sec = time(NULL) - 600}};
    DIR *dir = opendir(b->folder);
    const struct dirent *d;

    assert_non_null(dir);
    while ((d = readdir(dir)) != NULL)
        assert_int_equal(utimensat(dirfd(dir), d->d_name, times, 0), 0);
    (void)closedir(dir);
}

#define TOKEN_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define TOKEN_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static void one_at_a_time(void **state)
{
    struct store *s = store_of(state);
    struct err err = ERR_INIT;
    struct lease *first = NULL;
    struct lease *second = NULL;

    lease_release(NULL);
    assert_int_equal(lease_take(s, &calm, &first, &err), ERR_OK);
    assert_int_equal(lease_check(first, &err), ERR_OK);
    assert_int_equal(lease_take(s, &calm, &second, &err), ERR_LOCKED);
    assert_null(second);
    assert_non_null(strstr(err.msg, "/ferry.lock is held by another ferry: dump, process "));
    assert_non_null(strstr(err.msg, ", last sign of life 0."));
    assert_lists(s, "ferry.lock|");
    lease_release(first);
    assert_lists(s, "");
    assert_int_equal(lease_take(s, &calm, &first, &err), ERR_OK);
    lease_release(first);
    assert_lists(s, "");
}

static void count_lost(void *ctx)
{
    atomic_fetch_add((atomic_uint *)ctx, 1);
}

static void wait_for(const atomic_uint *count)
{
    for (int i = 0; i < 1000 && atomic_load(count) == 0; i++)
        (void)clock_sleep(10 * MS, NULL);
    assert_int_equal(atomic_load(count), 1);
}

static void a_living_owner_renews(void **state)
{
    const struct lease_params quick = {
        .path = "ferry.lock", .what = "dump", .renew_us = 20 * MS, .stale_us = 2000 * MS};
    struct store *s = store_of(state);
    struct err err = ERR_INIT;
    struct lease *l = NULL;
    struct store_info before;
    struct store_info after;

    assert_int_equal(lease_take(s, &quick, &l, &err), ERR_OK);
    assert_int_equal(store_stat(s, "ferry.lock", &before, &err), ERR_OK);
    (void)clock_sleep(300 * MS, NULL);
    assert_int_equal(store_stat(s, "ferry.lock", &after, &err), ERR_OK);
    assert_true(after.mtime_us > before.mtime_us);
    assert_int_equal(lease_check(l, &err), ERR_OK);
    lease_release(l);
    assert_lists(s, "");
}

static void a_stale_lock_is_taken(void **state)
{
    struct store *s = store_of(state);
    struct err err = ERR_INIT;
    struct lease *l = NULL;

    given_lock(s, "ferry.lock", TOKEN_A, NULL);
    assert_int_equal(lease_take(s, &calm, &l, &err), ERR_LOCKED);
    assert_non_null(strstr(err.msg, "process 4711 on host 'elsewhere', last sign of life 0."));
    given_all_old(*state);
    assert_int_equal(lease_take(s, &calm, &l, &err), ERR_OK);
    assert_int_equal(lease_check(l, &err), ERR_OK);
    lease_release(l);
    assert_lists(s, "");
}

static void a_lock_that_cannot_be_read_is_stale_by_age(void **state)
{
    static const char *const texts[] = {
        "", "{", "[]", "{}", "{\"token\":\"../../x\"}", "{\"token\":7}"};
    struct store *s = store_of(state);

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct err err = ERR_INIT;
        struct lease *l = NULL;

        given_lock(s, "ferry.lock", "", texts[i]);
        assert_int_equal(lease_take(s, &calm, &l, &err), ERR_LOCKED);
        given_all_old(*state);
        assert_int_equal(lease_take(s, &calm, &l, &err), ERR_OK);
        lease_release(l);
        assert_lists(s, "");
    }
}

/* By the clock, as it is in earnest. */
static void a_lock_goes_stale_with_time(void **state)
{
    const struct lease_params p = {
        .path = "ferry.lock", .what = "dump", .renew_us = 50 * MS, .stale_us = 600 * MS};
    struct store *s = store_of(state);
    struct err err = ERR_INIT;
    struct lease *l = NULL;

    given_lock(s, "ferry.lock", TOKEN_A, NULL);
    (void)clock_sleep(700 * MS, NULL);
    assert_int_equal(lease_take(s, &p, &l, &err), ERR_OK);
    lease_release(l);
    assert_lists(s, "");
}

static void take_over_ends_the_other(void **state)
{
    atomic_uint lost = 0;
    const struct lease_params quick = {.path = "ferry.lock",
                                       .what = "dump",
                                       .renew_us = 30 * MS,
                                       .stale_us = 60000 * MS,
                                       .lost = count_lost,
                                       .ctx = &lost};
    const struct lease_params over = {
        .path = "ferry.lock", .what = "dump", .take_over = true, .renew_us = 30 * MS};
    struct store *s = store_of(state);
    struct err err = ERR_INIT;
    struct lease *first = NULL;
    struct lease *second = NULL;
    enum err_code rc;

    assert_int_equal(lease_take(s, &quick, &first, &err), ERR_OK);
    /* The owner may be renewing at this instant: then it is his turn. */
    do
        rc = lease_take(s, &over, &second, &err);
    while (rc == ERR_LOCKED);
    assert_int_equal(rc, ERR_OK);
    assert_int_equal(lease_check(first, &err), ERR_LOCKED);
    assert_non_null(strstr(err.msg, "was taken over by process "));
    wait_for(&lost);
    assert_int_equal(lease_check(second, &err), ERR_OK);
    lease_release(first); /* must not touch the other's */
    assert_int_equal(lease_check(second, &err), ERR_OK);
    assert_comes_to_list(s, "ferry.lock|");
    lease_release(second);
    assert_lists(s, "");
}

static void a_removed_lock_is_lost(void **state)
{
    atomic_uint lost = 0;
    const struct lease_params p = {.path = "ferry.lock",
                                   .what = "dump",
                                   .renew_us = 30 * MS,
                                   .stale_us = 60000 * MS,
                                   .lost = count_lost,
                                   .ctx = &lost};
    struct store *s = store_of(state);
    struct err err = ERR_INIT;
    struct lease *l = NULL;

    assert_int_equal(lease_take(s, &p, &l, &err), ERR_OK);
    /* A renewal that is under way may write it once more. */
    for (int i = 0; i < 1000 && atomic_load(&lost) == 0; i++) {
        assert_int_equal(store_remove(s, "ferry.lock", &err), ERR_OK);
        (void)clock_sleep(10 * MS, NULL);
    }
    assert_int_equal(atomic_load(&lost), 1);
    assert_int_equal(lease_check(l, &err), ERR_LOCKED);
    lease_release(l);
    assert_lists(s, "");
}

/* ---- several at once ---- */

struct rival {
    struct store *s;
    const struct lease_params *p;
    atomic_uint *holders; /* how many believe at this instant that they hold it */
    atomic_uint *wins;
    unsigned faults;
};

static void *compete(void *arg)
{
    struct rival *r = arg;

    for (int i = 0; i < 15; i++) {
        struct err err = ERR_INIT;
        struct lease *l = NULL;
        enum err_code rc = lease_take(r->s, r->p, &l, &err);

        r->faults += rc != ERR_OK && rc != ERR_LOCKED;
        if (rc)
            continue;
        atomic_fetch_add(r->wins, 1);
        r->faults += atomic_fetch_add(r->holders, 1) != 0;
        r->faults += lease_check(l, &err) != ERR_OK;
        atomic_fetch_sub(r->holders, 1);
        lease_release(l);
    }
    return NULL;
}

static void many_compete(struct store *s, const struct lease_params *p, unsigned *wins)
{
    struct rival rivals[THREADS];
    pthread_t threads[THREADS];
    atomic_uint holders = 0;
    atomic_uint won = 0;

    for (unsigned i = 0; i < THREADS; i++) {
        rivals[i] = (struct rival){.s = s, .p = p, .holders = &holders, .wins = &won};
        assert_int_equal(pthread_create(&threads[i], NULL, compete, &rivals[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(rivals[i].faults, 0);
    *wins = atomic_load(&won);
}

static void at_most_one_holds_it(void **state)
{
    const struct lease_params p = {
        .path = "ferry.lock", .what = "dump", .renew_us = 5 * MS, .stale_us = 60000 * MS};
    struct store *s = store_of(state);
    unsigned wins = 0;

    many_compete(s, &p, &wins);
    assert_true(wins > 0);
    assert_lists(s, "");
}

struct taker {
    struct store *s;
    const struct lease_params *p;
    pthread_barrier_t *start;
    struct lease *lease;
    enum err_code rc;
};

static void *take_once(void *arg)
{
    struct taker *t = arg;
    struct err err = ERR_INIT;

    (void)pthread_barrier_wait(t->start);
    t->rc = lease_take(t->s, t->p, &t->lease, &err);
    return NULL;
}

/* How many of THREADS that start together get the lease and keep it. */
static unsigned race_for(struct store *s, const struct lease_params *p)
{
    struct taker takers[THREADS] = {0};
    pthread_t threads[THREADS];
    pthread_barrier_t start;
    unsigned wins = 0;

    pthread_barrier_init(&start, NULL, THREADS);
    for (unsigned i = 0; i < THREADS; i++) {
        takers[i] = (struct taker){.s = s, .p = p, .start = &start};
        assert_int_equal(pthread_create(&threads[i], NULL, take_once, &takers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < THREADS; i++) {
        struct err err = ERR_INIT;

        assert_true(takers[i].rc == ERR_OK || takers[i].rc == ERR_LOCKED);
        if (takers[i].rc == ERR_OK) {
            wins++;
            assert_int_equal(lease_check(takers[i].lease, &err), ERR_OK);
        }
    }
    for (unsigned i = 0; i < THREADS; i++)
        lease_release(takers[i].lease);
    pthread_barrier_destroy(&start);
    return wins;
}

static void one_of_many_takes_the_stale_lock(void **state)
{
    const struct lease_params p = {.path = "ferry.lock", .what = "dump", .renew_us = 5 * MS};
    struct store *s = store_of(state);

    for (int i = 0; i < 20; i++) {
        given_lock(s, "ferry.lock", TOKEN_A, NULL);
        given_all_old(*state);
        assert_int_equal(race_for(s, &p), 1);
        assert_lists(s, "");
    }
}

/* A taker died after it had the right to change the lock, and another one who took that right from
 * it. */
static void one_of_many_takes_what_dead_takers_left(void **state)
{
    const struct lease_params p = {.path = "ferry.lock", .what = "dump", .renew_us = 5 * MS};
    struct store *s = store_of(state);

    for (int i = 0; i < 20; i++) {
        struct err err = ERR_INIT;
        struct lease *l = NULL;

        given_lock(s, "ferry.lock", TOKEN_A, NULL);
        given_lock(s, "ferry.lock.take-" TOKEN_A, TOKEN_B, NULL);
        if (i % 2)
            given_lock(s, "ferry.lock.take-" TOKEN_B, "cccccccccccccccccccccccccccccccc", NULL);
        assert_int_equal(lease_take(s, &p, &l, &err), ERR_LOCKED);
        given_all_old(*state);
        assert_int_equal(race_for(s, &p), 1);
        assert_lists(s, "");
    }
}

static void a_living_taker_is_not_disturbed(void **state)
{
    const struct lease_params over = {.path = "ferry.lock", .what = "dump", .take_over = true};
    struct store *s = store_of(state);
    struct err err = ERR_INIT;
    struct lease *l = NULL;

    given_lock(s, "ferry.lock", TOKEN_A, NULL);
    given_lock(s, "ferry.lock.take-" TOKEN_A, TOKEN_B, NULL);
    assert_int_equal(lease_take(s, &over, &l, &err), ERR_LOCKED);
    assert_lists(s, "ferry.lock|ferry.lock.take-" TOKEN_A "|");
}

static void what_dead_takers_left_is_swept_up(void **state)
{
    struct store *s = store_of(state);
    struct err err = ERR_INIT;
    struct lease *l = NULL;

    given_lock(s, "ferry.lock.take-" TOKEN_A, TOKEN_B, NULL);
    assert_int_equal(lease_take(s, &calm, &l, &err), ERR_OK);
    lease_release(l);
    assert_lists(s, "ferry.lock.take-" TOKEN_A "|");
    given_all_old(*state);
    assert_int_equal(lease_take(s, &calm, &l, &err), ERR_OK);
    lease_release(l);
    assert_lists(s, "");
}

/* ---- what happens between two steps ---- */

/* Stands before a store in memory; just before an object is created or written whose path begins
 * with `at`, everything is ten minutes old and another one takes the lease, once. */
struct moment {
    struct store base;
    struct store *real;
    const char *at; /* NULL: has come */
    bool writing;   /* else: creating */
    bool old;
    struct lease *other;
    enum err_code other_rc;
};

static void moment_come(struct moment *m, const char *path, bool writing)
{
    struct err err = ERR_INIT;

    if (!m->at || m->writing != writing || strncmp(path, m->at, strlen(m->at)) != 0)
        return;
    m->at = NULL;
    m->old = true;
    m->other_rc = lease_take(&m->base, &calm, &m->other, &err);
    m->old = false;
}

static enum err_code moment_open_read(struct store *s, const char *path, uint64_t off, uint64_t len,
                                      struct source **src, struct err *err)
{
    return store_open_read(((struct moment *)s)->real, path, off, len, src, err);
}

static enum err_code moment_open_write(struct store *s, const char *path, struct sink **sink,
                                       struct err *err)
{
    moment_come((struct moment *)s, path, true);
    return store_open_write(((struct moment *)s)->real, path, sink, err);
}

static enum err_code moment_create(struct store *s, const char *path, const void *buf, size_t len,
                                   struct err *err)
{
    moment_come((struct moment *)s, path, false);
    return store_create(((struct moment *)s)->real, path, buf, len, err);
}

static enum err_code moment_stat(struct store *s, const char *path, struct store_info *info,
                                 struct err *err)
{
    struct moment *m = (struct moment *)s;
    enum err_code rc = store_stat(m->real, path, info, err);

    if (!rc && m->old)
        info->mtime_us -= (int64_t)600000 * MS;
    return rc;
}

static enum err_code moment_list(struct store *s, const char *prefix, const char *start,
                                 store_list_fn *fn, void *ctx, struct err *err)
{
    return store_list(((struct moment *)s)->real, prefix, start, fn, ctx, err);
}

static enum err_code moment_remove(struct store *s, const char *path, struct err *err)
{
    return store_remove(((struct moment *)s)->real, path, err);
}

static enum err_code moment_now(struct store *s, int64_t *utc_us, struct err *err)
{
    return store_now(((struct moment *)s)->real, utc_us, err);
}

static const struct store_ops moment_ops = {
    .scheme = "moment",
    .open_read = moment_open_read,
    .open_write = moment_open_write,
    .create = moment_create,
    .stat = moment_stat,
    .list = moment_list,
    .remove = moment_remove,
    .now = moment_now,
};

static struct moment moment_of(void **state, const char *at, bool writing)
{
    static char text[] = "moment:";

    return (struct moment){
        .base = {&moment_ops, text}, .real = store_of(state), .at = at, .writing = writing};
}

/* Somebody takes the stale lock between our look at it and our right to change it. */
static void a_quicker_taker_is_not_overwritten(void **state)
{
    static const char *const moments[] = {
        "ferry.lock.take-" TOKEN_A, /* the right itself */
        "ferry.lock.take-" TOKEN_B, /* that of a dead taker, who had it */
    };

    for (size_t i = 0; i < 4; i++) {
        /* --take-over speaks of the one who was there first. */
        const struct lease_params p = {
            .path = "ferry.lock", .what = "dump", .take_over = i >= 2, .renew_us = 30 * MS};
        struct moment m = moment_of(state, moments[i % 2], false);
        struct err err = ERR_INIT;
        struct lease *l = NULL;

        given_lock(m.real, "ferry.lock", TOKEN_A, NULL);
        if (i % 2)
            given_lock(m.real, "ferry.lock.take-" TOKEN_A, TOKEN_B, NULL);
        m.old = true;
        assert_int_equal(lease_take(&m.base, &p, &l, &err), ERR_LOCKED);
        assert_null(m.at);
        assert_int_equal(m.other_rc, ERR_OK);
        assert_int_equal(lease_check(m.other, &err), ERR_OK);
        lease_release(m.other);
        assert_lists(m.real, "");
    }
}

/* We stand still with the right in hand, so long that another takes it, too: two may lose, but
 * never two win. */
static void who_stood_still_while_writing_has_lost(void **state)
{
    struct moment m = moment_of(state, "ferry.lock", true);
    struct err err = ERR_INIT;
    struct lease *l = NULL;

    given_lock(m.real, "ferry.lock", TOKEN_A, NULL);
    m.old = true;
    assert_int_equal(lease_take(&m.base, &calm, &l, &err), ERR_LOCKED);
    assert_non_null(strstr(err.msg, "another ferry was quicker"));
    assert_int_equal(m.other_rc, ERR_OK);
    assert_int_equal(lease_check(m.other, &err), ERR_LOCKED);
    lease_release(m.other);
}

/* The same to an owner who renews. */
static void who_stood_still_while_renewing_has_lost(void **state)
{
    atomic_uint lost = 0;
    const struct lease_params p = {.path = "ferry.lock",
                                   .what = "dump",
                                   .renew_us = 20 * MS,
                                   .lost = count_lost,
                                   .ctx = &lost};
    struct moment m = moment_of(state, "ferry.lock", true);
    struct err err = ERR_INIT;
    struct lease *l = NULL;

    assert_int_equal(lease_take(&m.base, &p, &l, &err), ERR_OK);
    wait_for(&lost);
    assert_int_equal(lease_check(l, &err), ERR_LOCKED);
    lease_release(l);
    assert_int_equal(m.other_rc, ERR_OK);
    lease_release(m.other);
}

/* ---- processes ---- */

/* A process that takes the lease and then is killed, or stopped (its id). */
static pid_t given_owner(const char *folder, int sig)
{
    pid_t child = fork();
    int status = 0;

    assert_true(child >= 0);
    if (child == 0) {
        const struct lease_params p = {.path = "ferry.lock", .what = "dump", .renew_us = 50 * MS};
        struct store *s = NULL;
        struct lease *l = NULL;
        struct err err = ERR_INIT;

        if (store_file_new(folder, false, &s, &err) || lease_take(s, &p, &l, &err))
            _exit(1);
        (void)kill(getpid(), sig);
        /* woken up: does it know? */
        (void)clock_sleep(300 * MS, NULL);
        status = lease_check(l, &err) == ERR_LOCKED ? 42 : 43;
        lease_release(l);
        store_free(s);
        _exit(status);
    }
    assert_int_equal(waitpid(child, &status, WUNTRACED), child);
    assert_true(sig == SIGSTOP ? WIFSTOPPED(status) : WIFSIGNALED(status));
    return child;
}

static void a_dead_process_of_this_host_is_stale_at_once(void **state)
{
    struct bench *b = *state;
    struct err err = ERR_INIT;
    struct lease *l = NULL;
    struct lease_owner self;

    lease_owner_self(&self, "x");
    if (!*self.boot || !*self.pid_space) {
        print_message("SKIPPED: this host does not tell when it was booted\n");
        skip();
    }
    (void)given_owner(b->folder, SIGKILL);
    assert_int_equal(lease_take(b->s, &calm, &l, &err), ERR_OK);
    lease_release(l);
    assert_lists(b->s, "");
}

static void an_owner_that_was_stopped_finds_out(void **state)
{
    struct bench *b = *state;
    struct err err = ERR_INIT;
    struct lease *l = NULL;
    pid_t owner = given_owner(b->folder, SIGSTOP);
    int status = 0;

    assert_int_equal(lease_take(b->s, &calm, &l, &err), ERR_LOCKED);
    given_all_old(b);
    assert_int_equal(lease_take(b->s, &calm, &l, &err), ERR_OK);
    assert_int_equal(kill(owner, SIGCONT), 0);
    assert_int_equal(waitpid(owner, &status, 0), owner);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 42);
    assert_int_equal(lease_check(l, &err), ERR_OK);
    lease_release(l);
    assert_lists(b->s, "");
}

static void owners_are_told_apart(void **state)
{
    struct lease_owner self;
    struct lease_owner o;
    struct strbuf text = {0};

    (void)state;
    lease_owner_self(&self, "dump \"\xff\x01");
    assert_string_equal(self.what, "dump \"??");
    assert_false(lease_owner_gone(&self));
    memcpy(self.token, TOKEN_A, sizeof self.token);
    lease_owner_write(&self, &text);
    lease_owner_read(text.str, text.len, &o);
    assert_memory_equal(o.token, self.token, sizeof o.token);
    assert_string_equal(o.what, self.what);
    assert_string_equal(o.host, self.host);
    assert_string_equal(o.boot, self.boot);
    assert_string_equal(o.pid_space, self.pid_space);
    assert_int_equal(o.pid, self.pid);
    assert_true(o.start == self.start);
    strbuf_release(&text);
    if (!*self.boot || !*self.pid_space || !self.start)
        return;
    o.start++; /* the number was given to another process */
    assert_true(lease_owner_gone(&o));
    o.pid = 0x7ffffff0;
    assert_true(lease_owner_gone(&o));
    o.boot[0] ^= 1; /* another host of the same name, or the time before a reboot: who knows */
    assert_false(lease_owner_gone(&o));
    o.boot[0] ^= 1;
    o.pid_space[0] ^= 1; /* another container */
    assert_false(lease_owner_gone(&o));
    o.pid_space[0] ^= 1;
    o.host[0] ^= 1;
    assert_false(lease_owner_gone(&o));
}

#define CASE(driver, name)                                                                         \
    {                                                                                              \
#driver ": " #name, name, driver##_setup, teardown, NULL                                   \
    }
#define SUITE(driver)                                                                              \
    CASE(driver, one_at_a_time), CASE(driver, a_living_owner_renews),                              \
        CASE(driver, a_lock_goes_stale_with_time), CASE(driver, take_over_ends_the_other),         \
        CASE(driver, a_removed_lock_is_lost), CASE(driver, at_most_one_holds_it),                  \
        CASE(driver, a_living_taker_is_not_disturbed)

int main(void)
{
    /* What forks comes first, while there are no threads. */
    const struct CMUnitTest tests[] = {
        CASE(file, a_dead_process_of_this_host_is_stale_at_once),
        CASE(file, an_owner_that_was_stopped_finds_out),
        cmocka_unit_test(owners_are_told_apart),
        SUITE(mem),
        CASE(mem, a_quicker_taker_is_not_overwritten),
        CASE(mem, who_stood_still_while_writing_has_lost),
        CASE(mem, who_stood_still_while_renewing_has_lost),
        SUITE(file),
        CASE(file, a_stale_lock_is_taken),
        CASE(file, a_lock_that_cannot_be_read_is_stale_by_age),
        CASE(file, one_of_many_takes_the_stale_lock),
        CASE(file, one_of_many_takes_what_dead_takers_left),
        CASE(file, what_dead_takers_left_is_swept_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
