/* common/store/store.h: where a dump lives: a folder, an object-store prefix, or memory.
 *
 * The contract, true of every driver (tests/unit/store_driver_test.c runs one suite over all of
 * them):
 * - paths are relative, '/'-separated, any bytes but NUL, no leading '/', no empty, "." or ".."
 *   parts and none that begins with STORE_TEMP_PREFIX: ERR_FORMAT;
 * - an object is visible only after sink_finish has succeeded, whole and durable (file: temporary
 *   name, fsync, rename, fsync of the folder; S3: multipart complete); sink_free before that leaves
 *   nothing that store_list shows, and store_discard_unfinished removes what a killed run left;
 * - open_write replaces; create fails with ERR_STORE_EXISTS when the path is there (exactly one of
 *   several concurrent creators wins, on any machine);
 * - remove of a missing path succeeds; list gives every finished object whose path begins with
 *   `prefix` and sorts after `start`, in byte order of the path; objects may be removed from within
 *   its callback, whose first error ends it and is returned;
 * - a read that starts behind the end gives no bytes and no error;
 * - sinks and sources must be freed before their store;
 * - callers never test the scheme, only feature bits. Retries live in the drivers.
 * A store may be used by several threads; a sink or source by one at a time. */
#ifndef FERRY_STORE_STORE_H
#define FERRY_STORE_STORE_H

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/store/sink.h"
#include "common/store/source.h"

#include <stdint.h>

/* Unfinished writes bear it on a file system; no object's path may. */
#define STORE_TEMP_PREFIX ".ferry-tmp-"

enum store_feature {
    STORE_LOCAL = 1, /* ranged reads are cheap: readers need not prefetch */
};

struct store_info {
    uint64_t size;    /* bytes */
    int64_t mtime_us; /* UTC microseconds by the store's own clock */
};

typedef enum err_code store_list_fn(void *ctx, const char *path, const struct store_info *info,
                                    struct err *err);

struct store;
struct store_ops {
    const char *scheme; /* "file", "s3", "mem" */
    unsigned features;  /* enum store_feature bits */
    /* From byte `off` to the end, or `len` bytes of it (0: to the end). ERR_STORE_NOT_FOUND. */
    enum err_code (*open_read)(struct store *, const char *path, uint64_t off, uint64_t len,
                               struct source **, struct err *);
    enum err_code (*open_write)(struct store *, const char *path, struct sink **, struct err *);
    /* The whole object at once, only if the path is not there yet: ERR_STORE_EXISTS. */
    enum err_code (*create)(struct store *, const char *path, const void *buf, size_t len,
                            struct err *);
    enum err_code (*stat)(struct store *, const char *path, struct store_info *, struct err *);
    enum err_code (*list)(struct store *, const char *prefix, const char *start, store_list_fn *,
                          void *ctx, struct err *);
    enum err_code (*remove)(struct store *, const char *path, struct err *);
    /* Removes unfinished writes of killed runs below `prefix`, which is "" or ends in '/' (one that
     * ends within a name leaves those in the name's own folder alone). Writes of this very store
     * object are never touched. */
    enum err_code (*discard_unfinished)(struct store *, const char *prefix, struct err *);
    /* Now by the store's clock, UTC microseconds (for leases across machines). An object store's is
     * that of its replies: whole seconds, and up to two late. */
    enum err_code (*now)(struct store *, int64_t *utc_us, struct err *);
    void (*free)(struct store *);
    /* Optional, both or none: see store_open_grouped. */
    enum err_code (*open_grouped)(struct store *, const char *path, struct sink **, struct err *);
    enum err_code (*sync)(struct store *, struct err *);
    /* Optional: see store_above. */
    char *(*above)(struct store *, const char *path);
};
struct store { /* first member of each driver */
    const struct store_ops *ops;
    char *text; /* the URL without secrets, for messages; owned */
};

/* A path, file:///path, s3://bucket/prefix?... (s3_url.h) or mem:NAME; "gs://" and "azblob://" are
 * refused by name. `create`: make the folder (and its parents) when missing; else
 * ERR_STORE_NOT_FOUND. A bucket is never made, and first looked at by the first operation. */
MUST_CHECK enum err_code store_open(const char *url, bool create, struct store **, struct err *err);
void store_free(struct store *s);

MUST_CHECK enum err_code store_file_new(const char *folder, bool create, struct store **,
                                        struct err *err);
/* `rest`: what follows "s3://". ERR_STORE_URL, ERR_STORE_CREDENTIALS. */
MUST_CHECK enum err_code store_s3_new(const char *rest, struct store **, struct err *err);
struct store *store_mem_new(void); /* everything is gone with store_free */

/* Wrappers over the vtable; each error names the store's text and the path. `start` NULL: from the
 * beginning. */
MUST_CHECK enum err_code store_open_read(struct store *s, const char *path, uint64_t off,
                                         uint64_t len, struct source **, struct err *err);
MUST_CHECK enum err_code store_open_write(struct store *s, const char *path, struct sink **,
                                          struct err *err);
/* As store_open_write, but sink_finish promises nothing yet: the object is visible, whole and
 * durable once a store_sync that began after it has succeeded (it may be before). A driver that has
 * nothing to gain by that finishes at once. Until then the path is as it was; it must not be opened
 * again. What was never synced is gone with the store. A failed store_sync is for good: none
 * succeeds after it. Both from any thread. */
MUST_CHECK enum err_code store_open_grouped(struct store *s, const char *path, struct sink **,
                                            struct err *err);
MUST_CHECK enum err_code store_sync(struct store *s, struct err *err);
MUST_CHECK enum err_code store_create(struct store *s, const char *path, const void *buf,
                                      size_t len, struct err *err);
MUST_CHECK enum err_code store_stat(struct store *s, const char *path, struct store_info *,
                                    struct err *err);
MUST_CHECK enum err_code store_list(struct store *s, const char *prefix, const char *start,
                                    store_list_fn *, void *ctx, struct err *err);
MUST_CHECK enum err_code store_remove(struct store *s, const char *path, struct err *err);
MUST_CHECK enum err_code store_discard_unfinished(struct store *s, const char *prefix,
                                                  struct err *err);
/* The nearest of the folders that the store's folder is in which holds `path`; heap. NULL: none, or
 * it cannot be seen; object stores have none. */
char *store_above(struct store *s, const char *path);
MUST_CHECK enum err_code store_now(struct store *s, int64_t *utc_us, struct err *err);

/* Small objects at once (open_write + write + finish; replaces). */
MUST_CHECK enum err_code store_put(struct store *s, const char *path, const void *buf, size_t len,
                                   struct err *err);
/* The whole object into `out`; ERR_LIMIT beyond `max` bytes. */
MUST_CHECK enum err_code store_get(struct store *s, const char *path, struct strbuf *out,
                                   size_t max, struct err *err);
/* Waits until an object below `prefix` sorts after `start`, polling (a load of a dump that is being
 * written); *found false: timed out or cancelled. */
MUST_CHECK enum err_code store_wait(struct store *s, const char *prefix, const char *start,
                                    uint64_t timeout_us, const struct cancel *cancel, bool *found,
                                    struct err *err);

#endif
