#include "migrate/home.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/store/lease_owner.h"
#include "migrate/endpoint.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_FILE "lock"
#define LOCK_TEXT_MAX 4096
#define ORPHANS_US                                                                                 \
    ((uint64_t)20 * 1000000)         /* children of a runner that is gone stop within 10 s         \
                                      */
#define LEAST_US ((uint64_t)1000000) /* who only looks holds it for an instant, too */
#define LOOK_US 100000

static const char *const request_files[] = {"pause", "cutover", "delete"};

enum err_code jobs_dir(const char *given, char **dir, struct err *err)
{
    const char *state = getenv("XDG_STATE_HOME"); // NOLINT(concurrency-mt-unsafe): nothing sets it
    const char *home = getenv("HOME");            // NOLINT(concurrency-mt-unsafe)
    char here[4096];

    if (given && *given == '/') {
        *dir = xstrdup(given);
    } else if (given) {
        if (!getcwd(here, sizeof here))
            return err_set_errno(err, ERR_FAILED, errno, "the present folder");
        *dir = xasprintf("%s/%s", here, given);
    } else if (state && *state == '/') {
        *dir = xasprintf("%s/ferry/jobs", state);
    } else if (home && *home == '/') {
        *dir = xasprintf("%s/.local/state/ferry/jobs", home);
    } else {
        return err_set(err, ERR_USAGE,
                       "no folder for jobs: give --jobs-dir DIR, or set FERRY_JOBS_DIR or HOME");
    }
    return ERR_OK;
}

enum err_code home_init(struct job_home *h, const char *root, const char *name, struct err *err)
{
    *h = (struct job_home)JOB_HOME_INIT;
    if (name_check("job", name, err))
        return err->code;
    h->root = xstrdup(root);
    h->name = xstrdup(name);
    h->dir = xasprintf("%s/%s", root, name);
    return ERR_OK;
}

void home_release(struct job_home *h)
{
    if (h->lock >= 0)
        (void)close(h->lock);
    free(h->root);
    free(h->name);
    free(h->dir);
    *h = (struct job_home)JOB_HOME_INIT;
}

enum err_code home_create(const struct job_home *h, struct err *err)
{
    char *path = xstrdup(h->dir);
    enum err_code rc = ERR_OK;

    for (char *slash = strchr(path + 1, '/'); !rc; slash = strchr(slash + 1, '/')) {
        if (slash)
            *slash = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            rc =
                err_set_errno(err, err_code_of_errno(errno), errno, "making the folder '%s'", path);
        if (!slash)
            break;
        *slash = '/';
    }
    free(path);
    return rc;
}

char *home_path(const struct job_home *h, const char *file)
{
    return xasprintf("%s/%s", h->dir, file);
}

bool home_exists(const struct job_home *h)
{
    char *path = home_path(h, "state.json");
    const bool there = access(path, F_OK) == 0;

    free(path);
    return there;
}

enum err_code home_must_exist(const struct job_home *h, struct err *err)
{
    if (home_exists(h))
        return ERR_OK;
    return err_set(err, ERR_STORE_NOT_FOUND, "there is no job '%s' in '%s' (--jobs-dir)", h->name,
                   h->root);
}

/* ---- the lock ---- */

static json_t *owner_read(const char *path, struct lease_owner *owner)
{
    char text[LOCK_TEXT_MAX];
    FILE *f = fopen(path, "re");
    size_t len = f ? fread(text, 1, sizeof text, f) : 0;

    if (f)
        (void)fclose(f);
    lease_owner_read(text, len, owner);
    return len ? json_loadb(text, len, 0, NULL) : NULL;
}

/* A file that was removed by who held it before is nobody's lock. */
static bool still_there(int fd, const char *path)
{
    struct stat held, named;

    return fstat(fd, &held) == 0 && stat(path, &named) == 0 && held.st_ino == named.st_ino &&
           held.st_dev == named.st_dev;
}

static enum err_code owner_write(int fd, struct err *err)
{
    struct lease_owner self;
    struct strbuf text = {0};
    char now[CLOCK_TEXT_MAX];
    bool good;

    lease_owner_self(&self, "job");
    if (lease_token_new(self.token, err))
        return err->code;
    lease_owner_write(&self, &text);
    clock_utc_text(clock_utc_us(), now);
    strbuf_setlen(&text, strlen(strbuf_str(&text)) - 2); /* "}\n" */
    strbuf_addf(&text, ",\"since\":\"%s\"}\n", now);
    good = ftruncate(fd, 0) == 0 && pwrite(fd, text.str, text.len, 0) == (ssize_t)text.len;
    if (!good)
        (void)err_set_errno(err, err_code_of_errno(errno), errno, "writing the job's lock");
    strbuf_release(&text);
    return good ? ERR_OK : err->code;
}

void home_owner_text(const json_t *owner, char *out, size_t cap)
{
    const char *host = json_string_value(json_object_get(owner, "host"));
    const char *since = json_string_value(json_object_get(owner, "since"));

    (void)snprintf(out, cap, "process %lld on %s, since %s",
                   (long long)json_integer_value(json_object_get(owner, "pid")), host ? host : "?",
                   since ? since : "?");
}

static enum err_code lock_refused(const struct job_home *h, const char *path, struct err *err)
{
    struct lease_owner owner;
    json_t *json = owner_read(path, &owner);
    char text[LEASE_TEXT_MAX * 2];

    home_owner_text(json, text, sizeof text);
    (void)err_set(err, ERR_JOB_LOCKED, "job '%s' is run by %s%s", h->name, text,
                  lease_owner_gone(&owner)
                      ? ", which is gone; processes that it had started still end: try again"
                      : "");
    json_decref(json);
    return err->code;
}

/* One attempt. *wait: somebody else has it. */
static enum err_code lock_try(struct job_home *h, const char *path, bool *wait, struct err *err)
{
    int fd = open(path, O_RDWR | O_CREAT, 0600); /* children keep it: no O_CLOEXEC */

    *wait = false;
    if (fd < 0)
        return err_set_errno(err, err_code_of_errno(errno), errno, "opening the lock '%s'", path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        const int errnum = errno;

        (void)close(fd);
        *wait = errnum == EWOULDBLOCK || errnum == EINTR;
        return *wait ? ERR_OK
                     : err_set_errno(err, err_code_of_errno(errnum), errnum, "locking '%s'", path);
    }
    if (!still_there(fd, path)) {
        (void)close(fd);
        *wait = true;
        return ERR_OK;
    }
    h->lock = fd;
    return owner_write(fd, err);
}

enum err_code home_lock(struct job_home *h, uint64_t wait_us, const struct cancel *cancel,
                        struct err *err)
{
    char *path = home_path(h, LOCK_FILE);
    const uint64_t began = clock_mono_us();
    enum err_code rc;
    bool wait = true;

    for (;;) {
        struct lease_owner owner;
        uint64_t limit = wait_us > LEAST_US ? wait_us : LEAST_US;

        rc = lock_try(h, path, &wait, err);
        if (rc || !wait)
            break;
        json_decref(owner_read(path, &owner));
        if (lease_owner_gone(&owner) && limit < ORPHANS_US)
            limit = ORPHANS_US;
        if (clock_mono_us() - began >= limit) {
            rc = lock_refused(h, path, err);
            break;
        }
        if (!clock_sleep(LOOK_US, cancel)) {
            rc = err_set(err, ERR_INTERRUPTED, "interrupted while waiting for job '%s'", h->name);
            break;
        }
    }
    free(path);
    return rc;
}

enum err_code home_begin(struct job_home *h, const struct cancel *cancel, struct err *err)
{
    json_t *owner = NULL;
    struct lease_owner who;
    char *path = home_path(h, LOCK_FILE);
    bool gone;

    /* the pause of a runner that lives is for it */
    json_decref(owner_read(path, &who));
    gone = lease_owner_gone(&who);
    free(path);
    if (gone || !home_locked(h, &owner))
        home_answered(h, REQUEST_PAUSE);
    json_decref(owner);
    return home_lock(h, 0, cancel, err);
}

bool home_locked(const struct job_home *h, json_t **owner)
{
    char *path = home_path(h, LOCK_FILE);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct lease_owner who;
    bool held = false;

    if (fd >= 0) {
        held = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
        (void)close(fd);
    }
    if (owner)
        *owner = held ? owner_read(path, &who) : NULL;
    free(path);
    return held;
}

/* ---- requests ---- */

enum err_code home_ask(const struct job_home *h, enum home_request r, const char *text,
                       struct err *err)
{
    return file_replace(h->dir, request_files[r], text, strlen(text), err);
}

bool home_asked(const struct job_home *h, enum home_request r)
{
    char *path = home_path(h, request_files[r]);
    const bool there = access(path, F_OK) == 0;

    free(path);
    return there;
}

void home_answered(const struct job_home *h, enum home_request r)
{
    char *path = home_path(h, request_files[r]);

    (void)unlink(path);
    free(path);
}

/* ---- the folder of jobs ---- */

static int name_order(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

enum err_code home_list(const char *root, char ***names, size_t *count, struct err *err)
{
    DIR *d = opendir(root);
    const struct dirent *e;

    *names = NULL;
    *count = 0;
    if (!d && errno == ENOENT)
        return ERR_OK;
    if (!d)
        return err_set_errno(err, err_code_of_errno(errno), errno, "reading the folder '%s'", root);
    while ((e = readdir(d)) != NULL) { // NOLINT(concurrency-mt-unsafe): a stream of our own
        char *state = xasprintf("%s/%s/state.json", root, e->d_name);

        if (e->d_name[0] != '.' && access(state, F_OK) == 0) {
            *names = xreallocarray(*names, *count + 1, sizeof **names);
            (*names)[(*count)++] = xstrdup(e->d_name);
        }
        free(state);
    }
    (void)closedir(d);
    if (*count)
        qsort(*names, *count, sizeof **names, name_order);
    return ERR_OK;
}

void home_list_free(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

/* Removes what is in the folder `fd`, which is closed. Links are removed, never followed. */
static bool empty_folder(int fd, const char *keep) // NOLINT(misc-no-recursion): as deep as a dump
{
    DIR *d = fdopendir(fd);
    const struct dirent *e;
    bool good = d != NULL;

    if (!d)
        (void)close(fd);
    while (d && (e = readdir(d)) != NULL) { // NOLINT(concurrency-mt-unsafe): a stream of our own
        int sub;

        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
            (keep && strcmp(e->d_name, keep) == 0))
            continue;
        if (unlinkat(fd, e->d_name, 0) == 0)
            continue;
        sub = openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        good = sub >= 0 && empty_folder(sub, NULL) && unlinkat(fd, e->d_name, AT_REMOVEDIR) == 0 &&
               good;
    }
    if (d)
        (void)closedir(d);
    return good;
}

enum err_code home_remove(struct job_home *h, bool all, struct err *err)
{
    char *state = home_path(h, "state.json");
    int fd;
    enum err_code rc = ERR_OK;

    /* first of all: what is left of an interrupted removal is no job any more */
    if (unlink(state) != 0 && errno != ENOENT)
        rc = err_set_errno(err, err_code_of_errno(errno), errno, "removing '%s'", state);
    fd = rc ? -1 : open(h->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (!rc && (fd < 0 || !empty_folder(fd, all ? NULL : "dump")))
        rc =
            err_set_errno(err, err_code_of_errno(errno), errno, "emptying the folder '%s'", h->dir);
    if (!rc)
        (void)rmdir(h->dir); /* not while the dump is in it */
    free(state);
    return rc;
}
