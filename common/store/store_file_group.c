/* Files that become durable together. To wait for the disk file after file costs a journal commit
 * each; file systems share one commit among all who wait for it at the same time. So finished files
 * stay under their temporary names, and a few threads then fsync and rename all of them; their
 * folder is synced once. */
#include "common/store/store_file.h"

#include "common/base/fault.h"
#include "common/base/mem.h"
#include "common/base/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Files and bytes that wait, one open descriptor a file, of which at most a quarter of what the
 * process may have; and threads that wait for the disk. */
#define GROUP_FILES_MAX 200
#define GROUP_FILES_SHARE 4
#define GROUP_BYTES_MAX ((uint64_t)128 << 20)
#define GROUP_THREADS 16

struct grouped_file {
    int fd;            /* -1: closed */
    char *temp, *path; /* owned; temp NULL: renamed */
};

struct file_group {
    struct grouped_file *files;
    size_t count, cap;
    uint64_t bytes;
    size_t files_max;
};

struct group_sync { /* one under way */
    struct file_store *fs;
    struct file_group group;
    atomic_size_t next;
};

static enum err_code grouped_file_finish(struct file_store *fs, struct grouped_file *f,
                                         struct err *err)
{
    int fd = f->fd;
    enum err_code rc = file_sync(fd, err);

    if (!rc) {
        f->fd = -1;
        rc = file_close(fd, err);
    }
    if (rc)
        return err_wrap(err, "%s/%s", fs->base.text, f->path);
    fault_point("store.file.synced");
    if (renameat(fs->root, f->temp, fs->root, f->path) != 0) {
        (void)err_set_errno(err, err_code_of_errno(errno), errno, "cannot rename");
        return err_wrap(err, "%s/%s", fs->base.text, f->path);
    }
    free(f->temp);
    f->temp = NULL;
    fault_point("store.file.renamed");
    return rc;
}

static enum err_code group_work(void *ctx, unsigned number, struct err *err)
{
    struct group_sync *s = ctx;
    enum err_code rc = ERR_OK;

    (void)number;
    while (!rc) {
        size_t i = atomic_fetch_add(&s->next, 1);

        if (i >= s->group.count)
            break;
        rc = grouped_file_finish(s->fs, &s->group.files[i], err);
    }
    return rc;
}

static size_t folder_len(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? (size_t)(slash - path) : 0;
}

/* Those of neighbours are mostly one. */
static enum err_code group_sync_folders(const struct group_sync *s, struct err *err)
{
    const char *last = NULL;
    enum err_code rc = ERR_OK;

    for (size_t i = 0; i < s->group.count && !rc; i++) {
        const char *path = s->group.files[i].path;

        if (last && folder_len(last) == folder_len(path) &&
            memcmp(last, path, folder_len(path)) == 0)
            continue;
        rc = file_sync_folder_of(s->fs, path, err);
        last = path;
    }
    return rc;
}

static void group_release(struct file_store *fs, struct file_group *g)
{
    for (size_t i = 0; i < g->count; i++) {
        if (g->files[i].fd >= 0)
            (void)close(g->files[i].fd);
        if (g->files[i].temp)
            (void)unlinkat(fs->root, g->files[i].temp, 0);
        free(g->files[i].temp);
        free(g->files[i].path);
    }
    free(g->files);
    *g = (struct file_group){0};
}

static enum err_code group_run(struct group_sync *s, struct err *err)
{
    size_t threads = s->group.count < GROUP_THREADS ? s->group.count : GROUP_THREADS;
    struct pool *pool = NULL;
    enum err_code rc;

    if (threads == 1) {
        rc = group_work(s, 0, err);
    } else {
        rc = pool_start(&pool, "sync", (unsigned)threads, group_work, NULL, s, err);
        if (!rc)
            rc = pool_join(pool, err);
    }
    return rc ? rc : group_sync_folders(s, err);
}

enum err_code file_group_sync(struct store *store, struct err *err)
{
    struct file_store *fs = (struct file_store *)store;
    struct group_sync s = {.fs = fs};
    enum err_code rc;

    /* held until all is done: whoever comes next may count on files that this one has taken */
    pthread_mutex_lock(&fs->sync_lock);
    pthread_mutex_lock(&fs->lock);
    s.group = *fs->group;
    *fs->group = (struct file_group){.files_max = s.group.files_max};
    pthread_mutex_unlock(&fs->lock);
    rc = fs->sync_err.code;
    if (rc)
        *err = fs->sync_err;
    else if (s.group.count)
        rc = group_run(&s, err);
    if (rc && !fs->sync_err.code)
        fs->sync_err = *err;
    pthread_mutex_unlock(&fs->sync_lock);
    group_release(fs, &s.group);
    return rc;
}

enum err_code file_group_add(struct file_store *fs, int fd, char *temp, const char *path,
                             uint64_t bytes, struct err *err)
{
    struct file_group *g = fs->group;
    struct grouped_file *f;
    bool full;

    pthread_mutex_lock(&fs->lock);
    if (g->count == g->cap) {
        g->cap = g->cap ? g->cap * 2 : 64;
        g->files = xreallocarray(g->files, g->cap, sizeof(*g->files));
    }
    f = &g->files[g->count++];
    f->fd = fd;
    f->temp = temp;
    f->path = xstrdup(path);
    g->bytes += bytes;
    full = g->count >= g->files_max || g->bytes >= GROUP_BYTES_MAX;
    pthread_mutex_unlock(&fs->lock);
    /* who fills it waits, and so do those who fill it meanwhile: memory and loss stay bounded */
    return full ? file_group_sync(&fs->base, err) : ERR_OK;
}

struct file_group *file_group_new(void)
{
    struct file_group *g = xcalloc(1, sizeof(*g));
    struct rlimit limit;

    g->files_max = GROUP_FILES_MAX;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
        limit.rlim_cur / GROUP_FILES_SHARE < GROUP_FILES_MAX)
        g->files_max = (size_t)(limit.rlim_cur / GROUP_FILES_SHARE);
    return g;
}

void file_group_free(struct file_store *fs)
{
    group_release(fs, fs->group);
    free(fs->group);
}
