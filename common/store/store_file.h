/* common/store/store_file.h: what the parts of the file driver share; for them only.
 *
 * store_file.c opens, reads, asks and removes; store_file_write.c makes files appear whole and
 * durable; store_file_group.c does that for many at once; store_file_list.c walks folders. Paths
 * are relative to the folder, whose descriptor every system call starts from: it may be renamed
 * while we work. */
#ifndef FERRY_STORE_STORE_FILE_H
#define FERRY_STORE_STORE_FILE_H

#include "common/store/store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#define FILE_TOKEN_MAX 17 /* 16 hex digits and the NUL */
#define FILE_READY_MAX 64

struct file_store {
    struct store base;
    int root;                    /* descriptor of the folder */
    char token[FILE_TOKEN_MAX];  /* random; in all our temporary names */
    atomic_ullong temps;         /* numbers them */
    pthread_mutex_t lock;        /* guards what follows */
    char *ready[FILE_READY_MAX]; /* folders that are there for good; owned */
    size_t ready_count;
    struct file_group *group;  /* finished, not yet durable */
    pthread_mutex_t sync_lock; /* taken before `lock`; guards what follows; held for a whole sync */
    struct err sync_err;       /* the first failure: nothing is durable from then on */
};

/* store_file.c */
struct store_info file_info(const struct stat *st);

/* store_file_write.c */
MUST_CHECK enum err_code file_open_write(struct store *s, const char *path, struct sink **sink,
                                         struct err *err);
MUST_CHECK enum err_code file_create(struct store *s, const char *path, const void *buf, size_t len,
                                     struct err *err);
/* The time that the file system gives to a file made now. */
MUST_CHECK enum err_code file_now(struct store *s, int64_t *utc_us, struct err *err);
/* Makes `folder` and its parents where missing, durably. An absolute or relative path. */
MUST_CHECK enum err_code file_make_root(const char *folder, struct err *err);

MUST_CHECK enum err_code file_open_grouped(struct store *s, const char *path, struct sink **sink,
                                           struct err *err);
/* fsync of a descriptor; its close, which may fail too; fsync of the folder that `path` is in. */
MUST_CHECK enum err_code file_sync(int fd, struct err *err);
MUST_CHECK enum err_code file_close(int fd, struct err *err);
MUST_CHECK enum err_code file_sync_folder_of(const struct file_store *fs, const char *path,
                                             struct err *err);

/* store_file_group.c */
struct file_group *file_group_new(void);
/* Drops what was not synced. */
void file_group_free(struct file_store *fs);
/* Takes `fd` and `temp`, the finished file of `bytes` that is to be called `path`; syncs when many
 * wait. */
MUST_CHECK enum err_code file_group_add(struct file_store *fs, int fd, char *temp, const char *path,
                                        uint64_t bytes, struct err *err);
MUST_CHECK enum err_code file_group_sync(struct store *s, struct err *err);

/* store_file_list.c */
MUST_CHECK enum err_code file_list(struct store *s, const char *prefix, const char *start,
                                   store_list_fn *fn, void *ctx, struct err *err);
MUST_CHECK enum err_code file_discard(struct store *s, const char *prefix, struct err *err);

#endif
