/* Walks the folder tree in byte order of the paths, one folder's names in memory at a time for each
 * level. A folder's name is sorted with its '/', since "a.sql" comes before "a/b". */
#include "common/store/store_file.h"

#include "common/base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct walk_entry {
    const char *name; /* in the arena; ends in '/': a folder */
    struct store_info info;
};

struct walk_folder {
    struct arena *names;
    struct walk_entry *entries;
    size_t count, cap, next;
    size_t path_len; /* bytes of the walk's path that name this folder, '/' included */
    dev_t dev;
    ino_t ino;
};

struct walk {
    const struct file_store *fs;
    const char *prefix;
    const char *start;
    bool temps; /* gives the unfinished writes instead of the objects */
    struct strbuf path;
    struct walk_folder *stack;
    size_t depth, cap;
};

/* Whether `path` is worth looking at; a folder's ends in '/'. */
static bool walk_wants(const struct walk *w, const char *path, size_t len, bool folder)
{
    size_t prefix = strlen(w->prefix);

    if (memcmp(path, w->prefix, len < prefix ? len : prefix) != 0)
        return false;
    if (folder)
        return strncmp(path, w->start, len) >= 0;
    return len >= prefix && strcmp(path, w->start) > 0;
}

static bool walk_is_temp(const char *name)
{
    return strncmp(name, STORE_TEMP_PREFIX, sizeof STORE_TEMP_PREFIX - 1) == 0;
}

/* Another's unfinished write in a folder that the prefix covers. */
static bool walk_wants_temp(const struct walk *w, const char *name, size_t folder_len)
{
    const char *owner = name + sizeof STORE_TEMP_PREFIX - 1;

    return walk_is_temp(name) && folder_len >= strlen(w->prefix) &&
           strncmp(owner, w->fs->token, FILE_TOKEN_MAX - 1) != 0;
}

/* A link may lead back to a folder that we are in. */
static bool walk_is_inside(const struct walk *w, const struct stat *st)
{
    for (size_t i = 0; i < w->depth; i++)
        if (w->stack[i].dev == st->st_dev && w->stack[i].ino == st->st_ino)
            return true;
    return false;
}

static void walk_add(struct walk_folder *f, const char *name, size_t len, const struct stat *st)
{
    if (f->count == f->cap) {
        f->cap = f->cap ? f->cap * 2 : 64;
        f->entries = xreallocarray(f->entries, f->cap, sizeof *f->entries);
    }
    f->entries[f->count].name = arena_memdup(f->names, name, len);
    f->entries[f->count].info = file_info(st);
    f->count++;
}

/* Looks at one name in the folder that w->path names, and leaves that as it was. */
static enum err_code walk_look(struct walk *w, struct walk_folder *f, const char *name,
                               struct err *err)
{
    size_t name_len = strlen(name);
    enum err_code rc = ERR_OK;
    bool as_file;
    bool as_folder;
    struct stat st;

    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return ERR_OK;
    /* At the top of a disk there may be one that only root can read. */
    if (f->path_len == 0 && strcmp(name, "lost+found") == 0)
        return ERR_OK;
    strbuf_add(&w->path, name, name_len);
    as_file = w->temps ? walk_wants_temp(w, name, f->path_len)
                       : !walk_is_temp(name) && walk_wants(w, w->path.str, w->path.len, false);
    strbuf_addch(&w->path, '/');
    as_folder = !walk_is_temp(name) && walk_wants(w, w->path.str, w->path.len, true);
    strbuf_setlen(&w->path, w->path.len - 1);
    if (!as_file && !as_folder)
        goto out;
    if (fstatat(w->fs->root, w->path.str, &st, 0) != 0) {
        /* Gone since it was read, or a link to nothing. */
        if (errno != ENOENT && errno != ENOTDIR)
            rc = err_set_errno(err, err_code_of_errno(errno), errno, "cannot stat '%s'",
                               w->path.str);
        goto out;
    }
    if (S_ISREG(st.st_mode) && as_file) {
        walk_add(f, name, name_len, &st);
    } else if (S_ISDIR(st.st_mode) && as_folder && !walk_is_inside(w, &st)) {
        strbuf_addch(&w->path, '/');
        walk_add(f, w->path.str + f->path_len, name_len + 1, &st);
    }
out:
    strbuf_setlen(&w->path, f->path_len);
    return rc;
}

static enum err_code walk_read(struct walk *w, struct walk_folder *f, DIR *dir, struct err *err)
{
    for (;;) {
        const struct dirent *d;
        enum err_code rc;

        errno = 0;
        d = readdir(dir); /* NOLINT(concurrency-mt-unsafe): nobody else has this DIR */
        if (!d && errno)
            return err_set_errno(err, err_code_of_errno(errno), errno, "cannot read a folder");
        if (!d)
            return ERR_OK;
        rc = walk_look(w, f, d->d_name, err);
        if (rc)
            return rc;
    }
}

static int walk_order(const void *a, const void *b)
{
    const struct walk_entry *x = a;
    const struct walk_entry *y = b;

    return strcmp(x->name, y->name);
}

static void walk_pop(struct walk *w)
{
    struct walk_folder *f = &w->stack[--w->depth];

    arena_free(f->names);
    free(f->entries);
}

/* Goes into the folder that w->path names. One that has vanished is empty. */
static enum err_code walk_push(struct walk *w, struct err *err)
{
    struct walk_folder *f;
    enum err_code rc;
    struct stat st;
    DIR *dir;
    int fd =
        openat(w->fs->root, w->path.len ? w->path.str : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return ERR_OK;
    if (fd < 0)
        return err_set_errno(err, err_code_of_errno(errno), errno, "cannot open the folder '%s'",
                             strbuf_str(&w->path));
    dir = fdopendir(fd);
    if (!dir || fstat(fd, &st) != 0) {
        rc = err_set_errno(err, ERR_IO, errno, "cannot read a folder");
        if (dir)
            (void)closedir(dir);
        else
            (void)close(fd);
        return rc;
    }
    if (w->depth == w->cap) {
        w->cap = w->cap ? w->cap * 2 : 8;
        w->stack = xreallocarray(w->stack, w->cap, sizeof *w->stack);
    }
    f = &w->stack[w->depth++];
    *f = (struct walk_folder){
        .names = arena_new(), .path_len = w->path.len, .dev = st.st_dev, .ino = st.st_ino};
    rc = walk_read(w, f, dir, err);
    (void)closedir(dir);
    if (f->count > 0)
        qsort(f->entries, f->count, sizeof *f->entries, walk_order);
    return rc;
}

/* The next file: its path is w->path. *info NULL: there are no more. */
static enum err_code walk_next(struct walk *w, const struct store_info **info, struct err *err)
{
    *info = NULL;
    while (w->depth > 0) {
        struct walk_folder *f = &w->stack[w->depth - 1];
        const struct walk_entry *e;
        enum err_code rc;

        strbuf_setlen(&w->path, f->path_len);
        if (f->next == f->count) {
            walk_pop(w);
            continue;
        }
        e = &f->entries[f->next++];
        /* A folder that changes while it is read may tell of a name twice. */
        if (f->next > 1 && strcmp(e[-1].name, e->name) == 0)
            continue;
        strbuf_addstr(&w->path, e->name);
        if (w->path.str[w->path.len - 1] != '/') {
            *info = &e->info;
            return ERR_OK;
        }
        rc = walk_push(w, err);
        if (rc)
            return rc;
    }
    return ERR_OK;
}

/* Starts in the folder that all of the prefix's objects are in. */
static enum err_code walk_begin(struct walk *w, struct err *err)
{
    const char *slash = strrchr(w->prefix, '/');

    if (slash)
        strbuf_add(&w->path, w->prefix, (size_t)(slash - w->prefix) + 1);
    return walk_push(w, err);
}

static void walk_end(struct walk *w)
{
    while (w->depth > 0)
        walk_pop(w);
    free(w->stack);
    strbuf_release(&w->path);
}

enum err_code file_list(struct store *s, const char *prefix, const char *start, store_list_fn *fn,
                        void *ctx, struct err *err)
{
    struct walk w = {.fs = (const struct file_store *)s, .prefix = prefix, .start = start};
    const struct store_info *info = NULL;
    enum err_code rc = walk_begin(&w, err);

    if (!rc)
        rc = walk_next(&w, &info, err);
    while (!rc && info) {
        rc = fn(ctx, w.path.str, info, err);
        if (!rc)
            rc = walk_next(&w, &info, err);
    }
    walk_end(&w);
    return rc;
}

enum err_code file_discard(struct store *s, const char *prefix, struct err *err)
{
    struct walk w = {
        .fs = (const struct file_store *)s, .prefix = prefix, .start = "", .temps = true};
    const struct store_info *info = NULL;
    enum err_code rc = walk_begin(&w, err);

    if (!rc)
        rc = walk_next(&w, &info, err);
    while (!rc && info) {
        if (unlinkat(w.fs->root, w.path.str, 0) != 0 && errno != ENOENT)
            rc = err_set_errno(err, err_code_of_errno(errno), errno, "cannot remove '%s'",
                               w.path.str);
        if (!rc)
            rc = walk_next(&w, &info, err);
    }
    walk_end(&w);
    return rc;
}
