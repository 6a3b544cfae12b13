#include "common/store/store_file.h"

#include "common/base/bytes.h"
#include "common/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- reading ---- */

struct file_source {
    struct source base;
    int fd;
    uint64_t off;  /* bytes */
    uint64_t left; /* bytes that may still be given */
    char *name;    /* for messages; owned */
};

static enum err_code file_source_read(struct source *self, void *buf, size_t cap, size_t *got,
                                      struct err *err)
{
    struct file_source *f = (struct file_source *)self;
    ssize_t n;

    if (cap > f->left)
        cap = (size_t)f->left;
    *got = 0;
    if (cap == 0)
        return ERR_OK;
    do
        n = pread(f->fd, buf, cap, (off_t)f->off);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_set_errno(err, ERR_IO, errno, "%s: cannot read", f->name);
    f->off += (uint64_t)n;
    f->left -= (uint64_t)n;
    *got = (size_t)n;
    return ERR_OK;
}

static void file_source_free(struct source *self)
{
    struct file_source *f = (struct file_source *)self;

    (void)close(f->fd);
    free(f->name);
    free(f);
}

static const struct source_ops file_source_ops = {"file", file_source_read, file_source_free};

/* A part of the path that is a file instead of a folder means: no such object. */
static enum err_code file_missing_or(int errnum)
{
    return errnum == ENOTDIR ? ERR_STORE_NOT_FOUND : err_code_of_errno(errnum);
}

static enum err_code file_open_read(struct store *s, const char *path, uint64_t off, uint64_t len,
                                    struct source **src, struct err *err)
{
    const struct file_store *fs = (const struct file_store *)s;
    struct file_source *f;
    struct stat st;
    int fd;

    /* O_NONBLOCK: a pipe of that name must not stop us. It means nothing to files. */
    fd = openat(fs->root, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return err_set_errno(err, file_missing_or(errno), errno, "cannot open");
    if (fstat(fd, &st) != 0) {
        int errnum = errno;

        (void)close(fd);
        return err_set_errno(err, ERR_IO, errnum, "cannot stat");
    }
    if (!S_ISREG(st.st_mode)) {
        (void)close(fd);
        return err_set(err, ERR_STORE_NOT_FOUND, "is not a file");
    }
    if (len == 0)
        (void)posix_fadvise(fd, (off_t)0, (off_t)0, POSIX_FADV_SEQUENTIAL);
    f = xcalloc(1, sizeof *f);
    f->base.ops = &file_source_ops;
    f->fd = fd;
    f->off = off;
    f->left = off > INT64_MAX ? 0 : len ? len : UINT64_MAX;
    f->name = xasprintf("%s/%s", s->text, path);
    *src = &f->base;
    return ERR_OK;
}

/* ---- the rest of the driver ---- */

struct store_info file_info(const struct stat *st)
{
    return (struct store_info){
        .size = (uint64_t)st->st_size,
        .mtime_us = (int64_t)st->st_mtim.tv_sec * 1000000 + st->st_mtim.tv_nsec / 1000,
    };
}

static enum err_code file_stat(struct store *s, const char *path, struct store_info *info,
                               struct err *err)
{
    const struct file_store *fs = (const struct file_store *)s;
    struct stat st;

    if (fstatat(fs->root, path, &st, 0) != 0)
        return err_set_errno(err, file_missing_or(errno), errno, "cannot stat");
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_STORE_NOT_FOUND, "is not a file");
    *info = file_info(&st);
    return ERR_OK;
}

static enum err_code file_remove(struct store *s, const char *path, struct err *err)
{
    const struct file_store *fs = (const struct file_store *)s;
    struct stat st;
    int errnum;

    if (unlinkat(fs->root, path, 0) == 0 || errno == ENOENT || errno == ENOTDIR)
        return ERR_OK;
    errnum = errno;
    if (fstatat(fs->root, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
        return ERR_OK; /* no object has this path */
    return err_set_errno(err, err_code_of_errno(errnum), errnum, "cannot remove");
}

static void file_free(struct store *s)
{
    struct file_store *fs = (struct file_store *)s;

    for (size_t i = 0; i < fs->ready_count; i++)
        free(fs->ready[i]);
    file_group_free(fs);
    pthread_mutex_destroy(&fs->sync_lock);
    pthread_mutex_destroy(&fs->lock);
    (void)close(fs->root);
    free(fs);
}

/* Up by "..", which leads to where the folder is, not to where a link to it lies. */
static char *file_above(struct store *s, const char *path)
{
    const struct file_store *fs = (struct file_store *)s;
    char *up = xstrdup("..");
    char *found = NULL;
    struct stat below, here;
    bool more = fstat(fs->root, &below) == 0;

    while (more && !found) {
        char *at = xasprintf("%s/%s", up, path);
        char *higher = xasprintf("%s/..", up);
        struct stat st;

        more = fstatat(fs->root, up, &here, 0) == 0 &&
               (here.st_ino != below.st_ino || here.st_dev != below.st_dev);
        if (more && fstatat(fs->root, at, &st, 0) == 0)
            found = xasprintf("%s/%s", fs->base.text, up);
        below = here;
        free(at);
        free(up);
        up = higher;
    }
    free(up);
    if (found) {
        char *name = realpath(found, NULL);

        if (name) {
            free(found);
            found = name;
        }
    }
    return found;
}

static const struct store_ops file_ops = {
    .scheme = "file",
    .features = STORE_LOCAL,
    .open_read = file_open_read,
    .open_write = file_open_write,
    .create = file_create,
    .stat = file_stat,
    .list = file_list,
    .remove = file_remove,
    .discard_unfinished = file_discard,
    .now = file_now,
    .free = file_free,
    .open_grouped = file_open_grouped,
    .sync = file_group_sync,
    .above = file_above,
};

enum err_code store_file_new(const char *folder, bool create, struct store **s, struct err *err)
{
    unsigned char random[(FILE_TOKEN_MAX - 1) / 2];
    struct file_store *fs;
    size_t len = strlen(folder);
    int root;

    if (len == 0)
        return err_set(err, ERR_STORE_URL, "the storage path is empty");
    if (RAND_bytes(random, sizeof random) != 1)
        return err_set(err, ERR_INTERNAL, "no random bytes");
    if (create) {
        enum err_code rc = file_make_root(folder, err);

        if (rc)
            return rc;
    }
    root = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0 && errno == ENOTDIR)
        return err_set(err, ERR_STORE_URL, "'%s' is not a folder", folder);
    if (root < 0)
        return err_set_errno(err, err_code_of_errno(errno), errno, "cannot open the folder '%s'",
                             folder);
    while (len > 1 && folder[len - 1] == '/')
        len--;
    fs = xcalloc(1, sizeof *fs);
    fs->base.ops = &file_ops;
    fs->base.text = strcmp(folder, "/") == 0 ? xstrdup("") : xstrndup(folder, len);
    fs->root = root;
    *bytes_to_hex(fs->token, random, sizeof random) = '\0';
    atomic_init(&fs->temps, 0);
    pthread_mutex_init(&fs->lock, NULL);
    pthread_mutex_init(&fs->sync_lock, NULL);
    fs->group = file_group_new();
    *s = &fs->base;
    return ERR_OK;
}
