/* A file appears under its name only when its bytes are on the disk, and its name is on the disk
 * before finish() returns: temporary name, fsync, rename, fsync of the folder. */
#include "common/store/store_file.h"

#include "common/base/fault.h"
#include "common/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_COLLECT_BYTES ((size_t)64 << 10)    /* smaller writes are put together */
#define FILE_WRITEBACK_BYTES ((uint64_t)8 << 20) /* the disk is set to work on each such piece */
#define FILE_CREATE_TRIES 3

/* ---- folders ---- */

/* Makes what is in a folder durable: the names, not the files. */
static enum err_code file_sync_folder(int at, const char *folder, struct err *err)
{
    int fd = openat(at, *folder ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int errnum = 0;

    if (fd < 0)
        return err_set_errno(err, err_code_of_errno(errno), errno, "cannot open the folder '%s'",
                             folder);
    /* EINVAL: a file system whose folders cannot be synced. */
    while (fsync(fd) != 0) {
        if (errno == EINTR)
            continue;
        errnum = errno == EINVAL ? 0 : errno;
        break;
    }
    (void)close(fd);
    if (errnum)
        return err_set_errno(err, err_code_of_errno(errnum), errnum, "cannot sync the folder '%s'",
                             folder);
    return ERR_OK;
}

/* Makes the folder `path` (parts behind `from`) below `at`, each durable in its parent: also one
 * that exists, since whoever made it may not have come to that. */
static enum err_code file_make_folders(int at, const char *path, size_t from, struct err *err)
{
    size_t len = strlen(path);
    char *part = xstrdup(path);
    size_t parent = from;
    enum err_code rc = ERR_OK;

    for (size_t i = from + 1; i <= len && !rc; i++) {
        if (i < len && path[i] != '/')
            continue;
        part[i] = '\0';
        if (mkdirat(at, part, 0777) != 0 && errno != EEXIST) {
            rc = err_set_errno(err, err_code_of_errno(errno), errno, "cannot make the folder '%s'",
                               part);
        } else {
            part[parent] = '\0';
            rc = file_sync_folder(at, part, err);
            part[parent] = path[parent];
        }
        part[i] = path[i];
        parent = i;
    }
    free(part);
    return rc;
}

enum err_code file_make_root(const char *folder, struct err *err)
{
    size_t have = strlen(folder);
    char *part = xstrdup(folder);
    struct stat st;
    enum err_code rc = ERR_OK;

    /* The longest part of the path that exists: its parents may be closed to us. */
    while (have > 0 && stat(part, &st) != 0) {
        if (errno != ENOENT) {
            rc = err_set_errno(err, err_code_of_errno(errno), errno, "cannot make the folder '%s'",
                               folder);
            break;
        }
        while (have > 0 && part[have - 1] == '/')
            have--;
        while (have > 0 && part[have - 1] != '/')
            have--;
        part[have] = '\0';
    }
    if (!rc && have < strlen(folder)) {
        if (have > 1)
            have--; /* onto the '/' */
        rc = file_make_folders(AT_FDCWD, folder, have, err);
    }
    free(part);
    return rc;
}

static bool file_folder_known(struct file_store *fs, const char *folder)
{
    bool known = false;

    pthread_mutex_lock(&fs->lock);
    for (size_t i = 0; i < fs->ready_count && !known; i++)
        known = strcmp(fs->ready[i], folder) == 0;
    pthread_mutex_unlock(&fs->lock);
    return known;
}

/* When the table is full it starts anew: a folder that is made twice costs time only. */
static void file_folder_remember(struct file_store *fs, char *folder)
{
    pthread_mutex_lock(&fs->lock);
    if (fs->ready_count == FILE_READY_MAX) {
        for (size_t i = 0; i < fs->ready_count; i++)
            free(fs->ready[i]);
        fs->ready_count = 0;
    }
    fs->ready[fs->ready_count++] = folder;
    pthread_mutex_unlock(&fs->lock);
}

/* The folder that `path` is in exists when this has returned ERR_OK, and survives a crash. */
static enum err_code file_folder_ready(struct file_store *fs, const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/');
    enum err_code rc = ERR_OK;
    char *folder;

    if (!slash)
        return ERR_OK;
    folder = xstrndup(path, (size_t)(slash - path));
    if (!file_folder_known(fs, folder)) {
        rc = file_make_folders(fs->root, folder, 0, err);
        if (!rc) {
            file_folder_remember(fs, folder);
            return ERR_OK;
        }
    }
    free(folder);
    return rc;
}

enum err_code file_sync_folder_of(const struct file_store *fs, const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/');
    char *folder = xstrndup(path, slash ? (size_t)(slash - path) : 0);
    enum err_code rc = file_sync_folder(fs->root, folder, err);

    free(folder);
    return rc;
}

/* ---- temporary files ---- */

/* A new file in the folder of `path` that no listing shows; *temp is its path, heap. */
static enum err_code file_temp_new(struct file_store *fs, const char *path, char **temp, int *fd,
                                   struct err *err)
{
    const char *slash = strrchr(path, '/');
    int folder_len = slash ? (int)(slash - path) + 1 : 0;
    enum err_code rc = file_folder_ready(fs, path, err);
    int errnum;

    if (rc)
        return rc;
    *temp = xasprintf("%.*s" STORE_TEMP_PREFIX "%s-%llu", folder_len, path, fs->token,
                      atomic_fetch_add(&fs->temps, 1));
    *fd = openat(fs->root, *temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (*fd >= 0)
        return ERR_OK;
    errnum = errno;
    rc = err_set_errno(err, err_code_of_errno(errnum), errnum, "cannot create");
    free(*temp);
    *temp = NULL;
    return rc;
}

static enum err_code file_write_all(int fd, const void *buf, size_t len, struct err *err)
{
    const char *from = buf;

    while (len > 0) {
        ssize_t n = write(fd, from, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set_errno(err, err_code_of_errno(errno), errno, "cannot write");
        from += n;
        len -= (size_t)n;
    }
    return ERR_OK;
}

enum err_code file_sync(int fd, struct err *err)
{
    while (fsync(fd) != 0)
        if (errno != EINTR)
            return err_set_errno(err, err_code_of_errno(errno), errno, "cannot sync");
    return ERR_OK;
}

/* Some file systems tell only here that there was no room. EINTR: closed all the same. */
enum err_code file_close(int fd, struct err *err)
{
    if (close(fd) != 0 && errno != EINTR)
        return err_set_errno(err, err_code_of_errno(errno), errno, "cannot close");
    return ERR_OK;
}

enum err_code file_now(struct store *s, int64_t *utc_us, struct err *err)
{
    struct file_store *fs = (struct file_store *)s;
    char *temp = NULL;
    struct stat st;
    int fd = -1;
    enum err_code rc = file_temp_new(fs, "now", &temp, &fd, err);

    if (rc)
        return rc;
    if (fstat(fd, &st) != 0)
        rc = err_set_errno(err, ERR_IO, errno, "cannot stat");
    else
        *utc_us = file_info(&st).mtime_us;
    (void)unlinkat(fs->root, temp, 0);
    (void)close(fd);
    free(temp);
    return rc;
}

/* ---- the sink ---- */

struct file_sink {
    struct sink base;
    struct file_store *fs;
    char *path;
    char *temp;        /* NULL: renamed */
    int fd;            /* -1: closed */
    char *collected;   /* FILE_COLLECT_BYTES; NULL until the first small write */
    size_t used;       /* bytes of it */
    uint64_t written;  /* bytes given to the system */
    uint64_t launched; /* bytes of these that the disk was asked to take */
    bool grouped;      /* becomes durable with others */
};

static enum err_code file_sink_fail(const struct file_sink *f, struct err *err)
{
    return err_wrap(err, "%s/%s", f->fs->base.text, f->path);
}

/* So that the fsync at the end finds little left to do: on Linux this advice sets the disk to work
 * on what is dirty, and it lets go of what is not. Faults show in that fsync. */
static void file_sink_launch(struct file_sink *f)
{
    if (f->written - f->launched < FILE_WRITEBACK_BYTES)
        return;
    (void)posix_fadvise(f->fd, (off_t)f->launched, (off_t)(f->written - f->launched),
                        POSIX_FADV_DONTNEED);
    f->launched = f->written;
}

static enum err_code file_sink_put(struct file_sink *f, const void *buf, size_t len,
                                   struct err *err)
{
    enum err_code rc = file_write_all(f->fd, buf, len, err);

    if (rc)
        return file_sink_fail(f, err);
    f->written += len;
    file_sink_launch(f);
    return ERR_OK;
}

static enum err_code file_sink_flush(struct file_sink *f, struct err *err)
{
    size_t used = f->used;

    f->used = 0;
    return used > 0 ? file_sink_put(f, f->collected, used, err) : ERR_OK;
}

static enum err_code file_sink_write(struct sink *self, const void *buf, size_t len,
                                     struct err *err)
{
    struct file_sink *f = (struct file_sink *)self;
    enum err_code rc;

    if (len == 0)
        return ERR_OK;
    if (f->used + len > FILE_COLLECT_BYTES) {
        rc = file_sink_flush(f, err);
        if (rc)
            return rc;
    }
    if (len >= FILE_COLLECT_BYTES)
        return file_sink_put(f, buf, len, err);
    if (!f->collected)
        f->collected = xmalloc(FILE_COLLECT_BYTES);
    memcpy(f->collected + f->used, buf, len);
    f->used += len;
    return ERR_OK;
}

static enum err_code file_sink_rename(struct file_sink *f, struct err *err)
{
    int fd = f->fd;
    enum err_code rc = file_sync(fd, err);

    if (rc)
        return rc;
    f->fd = -1;
    rc = file_close(fd, err);
    if (rc)
        return rc;
    fault_point("store.file.synced");
    if (renameat(f->fs->root, f->temp, f->fs->root, f->path) != 0)
        return err_set_errno(err, err_code_of_errno(errno), errno, "cannot rename");
    free(f->temp);
    f->temp = NULL;
    fault_point("store.file.renamed");
    return file_sync_folder_of(f->fs, f->path, err);
}

static enum err_code file_sink_finish(struct sink *self, struct err *err)
{
    struct file_sink *f = (struct file_sink *)self;
    enum err_code rc = file_sink_flush(f, err);

    if (rc)
        return rc;
    if (f->grouped) {
        int fd = f->fd;
        char *temp = f->temp;

        f->fd = -1;
        f->temp = NULL;
        return file_group_add(f->fs, fd, temp, f->path, f->written, err);
    }
    rc = file_sink_rename(f, err);
    return rc ? file_sink_fail(f, err) : ERR_OK;
}

static void file_sink_free(struct sink *self)
{
    struct file_sink *f = (struct file_sink *)self;

    if (f->fd >= 0)
        (void)close(f->fd);
    if (f->temp)
        (void)unlinkat(f->fs->root, f->temp, 0);
    free(f->collected);
    free(f->temp);
    free(f->path);
    free(f);
}

static const struct sink_ops file_sink_ops = {"file", file_sink_write, file_sink_finish,
                                              file_sink_free};

enum err_code file_open_write(struct store *s, const char *path, struct sink **sink,
                              struct err *err)
{
    struct file_store *fs = (struct file_store *)s;
    char *temp = NULL;
    struct file_sink *f;
    int fd = -1;
    enum err_code rc = file_temp_new(fs, path, &temp, &fd, err);

    if (rc)
        return rc;
    f = xcalloc(1, sizeof *f);
    f->base.ops = &file_sink_ops;
    f->fs = fs;
    f->path = xstrdup(path);
    f->temp = temp;
    f->fd = fd;
    *sink = &f->base;
    return ERR_OK;
}

enum err_code file_open_grouped(struct store *s, const char *path, struct sink **sink,
                                struct err *err)
{
    enum err_code rc = file_open_write(s, path, sink, err);

    if (!rc)
        ((struct file_sink *)*sink)->grouped = true;
    return rc;
}

/* ---- creating ---- */

/* Where the file system has no links: the file is there from its first byte on, so that others may
 * see it short for an instant, and a crash may leave it short. Who wins is exact here too. */
static enum err_code file_create_plain(const struct file_store *fs, const char *path,
                                       const void *buf, size_t len, struct err *err)
{
    int fd = openat(fs->root, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    enum err_code rc;

    if (fd < 0 && errno == EEXIST)
        return err_set(err, ERR_STORE_EXISTS, "exists already");
    if (fd < 0)
        return err_set_errno(err, err_code_of_errno(errno), errno, "cannot create");
    rc = file_write_all(fd, buf, len, err);
    if (!rc)
        rc = file_sync(fd, err);
    if (rc)
        (void)close(fd);
    else
        rc = file_close(fd, err);
    if (rc)
        (void)unlinkat(fs->root, path, 0);
    return rc;
}

/* Gives the whole and durable file `temp` (open as `fd`) its name if that is free. *linked false:
 * there are no links here. */
static enum err_code file_link(const struct file_store *fs, const char *temp, int fd,
                               const char *path, bool *linked, struct err *err)
{
    struct stat st;
    int errnum;

    *linked = true;
    if (linkat(fs->root, temp, fs->root, path, 0) == 0)
        return ERR_OK;
    errnum = errno;
    /* Over NFS the answer to a link that was made can get lost, and the second try then fails. */
    if (errnum == EEXIST && fstat(fd, &st) == 0 && st.st_nlink == 2)
        return ERR_OK;
    if (errnum == EEXIST)
        return err_set(err, ERR_STORE_EXISTS, "exists already");
    *linked = false;
    if (errnum == EPERM || errnum == ENOTSUP || errnum == ENOSYS || errnum == EMLINK)
        return ERR_OK;
    return err_set_errno(err, err_code_of_errno(errnum), errnum, "cannot link");
}

/* ERR_STORE_NOT_FOUND: somebody took our temporary file for a dead one's. */
static enum err_code file_create_once(struct file_store *fs, const char *path, const void *buf,
                                      size_t len, struct err *err)
{
    char *temp = NULL;
    bool linked = false;
    int fd = -1;
    enum err_code rc = file_temp_new(fs, path, &temp, &fd, err);

    if (rc)
        return rc;
    rc = file_write_all(fd, buf, len, err);
    if (!rc)
        rc = file_sync(fd, err);
    if (!rc)
        rc = file_link(fs, temp, fd, path, &linked, err);
    (void)close(fd);
    (void)unlinkat(fs->root, temp, 0);
    free(temp);
    if (!rc && !linked)
        rc = file_create_plain(fs, path, buf, len, err);
    if (!rc)
        rc = file_sync_folder_of(fs, path, err);
    return rc;
}

enum err_code file_create(struct store *s, const char *path, const void *buf, size_t len,
                          struct err *err)
{
    enum err_code rc = ERR_STORE_NOT_FOUND;

    for (int tries = 0; tries < FILE_CREATE_TRIES && rc == ERR_STORE_NOT_FOUND; tries++)
        rc = file_create_once((struct file_store *)s, path, buf, len, err);
    return rc;
}
