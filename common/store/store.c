#include "common/store/store.h"

#include "common/base/bytes.h"
#include "common/base/mem.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define STORE_WAIT_FIRST_US 20000
#define STORE_WAIT_MOST_US 500000

/* ---- URLs ---- */

/* "%2F" and the like become bytes; `path` is what follows "file://" and any host. */
static enum err_code store_file_url(const char *path, bool create, struct store **s,
                                    struct err *err)
{
    char *folder = xcalloc(1, strlen(path) + 1);
    size_t len = 0;
    enum err_code rc = ERR_OK;

    for (const char *p = path; *p && !rc; p++) {
        int high = *p == '%' ? bytes_hex_value(p[1]) : 0;
        int low = *p == '%' && high >= 0 ? bytes_hex_value(p[2]) : 0;

        if (*p == '?' || *p == '#')
            rc =
                err_set(err, ERR_STORE_URL, "'file://%s' has a '%c': write %%%02X, or a plain path",
                        path, *p, (unsigned)*p);
        else if (high < 0 || low < 0 || (*p == '%' && high == 0 && low == 0))
            rc = err_set(err, ERR_STORE_URL, "'file://%s' has a '%%' that is no code: write %%25",
                         path);
        else if (*p == '%') {
            folder[len++] = (char)(high * 16 + low);
            p += 2;
        } else
            folder[len++] = *p;
    }
    if (!rc)
        rc = store_file_new(folder, create, s, err);
    free(folder);
    return rc;
}

/* The scheme's name is all that is repeated: the rest of a URL may hold keys. */
static enum err_code store_scheme_refused(const char *url, size_t len, struct err *err)
{
    static const struct {
        const char *scheme, *words;
    } others[] = {
        {"gs", "use Google's S3 interface, with an HMAC key: "
               "s3://BUCKET/PREFIX?endpoint=https://storage.googleapis.com"},
        {"gcs", "use Google's S3 interface, with an HMAC key: "
                "s3://BUCKET/PREFIX?endpoint=https://storage.googleapis.com"},
        {"azblob", "give s3://BUCKET/PREFIX, or a folder of a file system"},
        {"azure", "give s3://BUCKET/PREFIX, or a folder of a file system"},
    };

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (strlen(others[i].scheme) == len && strncmp(url, others[i].scheme, len) == 0)
            return err_set(err, ERR_STORE_URL, "%s:// is not supported: %s", others[i].scheme,
                           others[i].words);
    return err_set(err, ERR_STORE_URL, "the storage scheme '%.*s' is not known",
                   len < 32 ? (int)len : 32, url);
}

enum err_code store_open(const char *url, bool create, struct store **s, struct err *err)
{
    const char *rest = strstr(url, "://");
    size_t scheme = rest ? (size_t)(rest - url) : 0;

    if (!*url)
        return err_set(err, ERR_STORE_URL, "the storage URL is empty");
    if (strncmp(url, "mem:", 4) == 0) {
        *s = store_mem_new();
        return ERR_OK;
    }
    if (!rest || scheme != strcspn(url, ":/"))
        return store_file_new(url, create, s, err);
    if (scheme == 2 && strncmp(url, "s3", 2) == 0)
        return store_s3_new(rest + 3, s, err);
    if (scheme != 4 || strncmp(url, "file", 4) != 0)
        return store_scheme_refused(url, scheme, err);
    rest += 3;
    if (strncmp(rest, "localhost/", 10) == 0)
        rest += 9;
    if (*rest != '/')
        return err_set(err, ERR_STORE_URL, "'%s' names a host: write file:///path", url);
    return store_file_url(rest, create, s, err);
}

void store_free(struct store *s)
{
    char *text;

    if (!s)
        return;
    text = s->text;
    s->ops->free(s);
    free(text);
}

/* ---- wrappers ---- */

static enum err_code store_wrap(const struct store *s, const char *path, struct err *err)
{
    return err_wrap(err, "%s/%s", s->text, path);
}

/* Whether `path` (up to `len` bytes of it) has only parts that an object may have. */
static bool store_parts_fit(const char *path, size_t len)
{
    const char *end = path + len;

    for (const char *part = path;; part++) {
        const char *slash = memchr(part, '/', (size_t)(end - part));
        size_t n = (size_t)((slash ? slash : end) - part);

        if (n == 0 || (n == 1 && part[0] == '.') || (n == 2 && part[0] == '.' && part[1] == '.'))
            return false;
        if (n >= sizeof(STORE_TEMP_PREFIX) - 1 &&
            memcmp(part, STORE_TEMP_PREFIX, sizeof(STORE_TEMP_PREFIX) - 1) == 0)
            return false;
        if (!slash)
            return true;
        part = slash;
    }
}

static enum err_code store_path_check(const struct store *s, const char *path, struct err *err)
{
    if (store_parts_fit(path, strlen(path)))
        return ERR_OK;
    return err_set(err, ERR_FORMAT, "%s: '%s' is not a path that an object can have", s->text,
                   path);
}

/* The folders of a prefix; what follows its last '/' may be the beginning of anything. */
static enum err_code store_prefix_check(const struct store *s, const char *prefix, struct err *err)
{
    const char *slash = strrchr(prefix, '/');

    if (!slash || store_parts_fit(prefix, (size_t)(slash - prefix)))
        return ERR_OK;
    return err_set(err, ERR_FORMAT, "%s: '%s' is not the beginning of an object's path", s->text,
                   prefix);
}

enum err_code store_open_read(struct store *s, const char *path, uint64_t off, uint64_t len,
                              struct source **src, struct err *err)
{
    enum err_code rc = store_path_check(s, path, err);

    if (rc)
        return rc;
    rc = s->ops->open_read(s, path, off, len, src, err);
    return rc ? store_wrap(s, path, err) : ERR_OK;
}

enum err_code store_open_write(struct store *s, const char *path, struct sink **sink,
                               struct err *err)
{
    enum err_code rc = store_path_check(s, path, err);

    if (rc)
        return rc;
    rc = s->ops->open_write(s, path, sink, err);
    return rc ? store_wrap(s, path, err) : ERR_OK;
}

enum err_code store_open_grouped(struct store *s, const char *path, struct sink **sink,
                                 struct err *err)
{
    enum err_code rc;

    if (!s->ops->open_grouped)
        return store_open_write(s, path, sink, err);
    rc = store_path_check(s, path, err);
    if (rc)
        return rc;
    rc = s->ops->open_grouped(s, path, sink, err);
    return rc ? store_wrap(s, path, err) : ERR_OK;
}

enum err_code store_sync(struct store *s, struct err *err)
{
    return s->ops->sync ? s->ops->sync(s, err) : ERR_OK;
}

enum err_code store_create(struct store *s, const char *path, const void *buf, size_t len,
                           struct err *err)
{
    enum err_code rc = store_path_check(s, path, err);

    if (rc)
        return rc;
    rc = s->ops->create(s, path, buf, len, err);
    return rc ? store_wrap(s, path, err) : ERR_OK;
}

enum err_code store_stat(struct store *s, const char *path, struct store_info *info,
                         struct err *err)
{
    enum err_code rc = store_path_check(s, path, err);

    if (rc)
        return rc;
    rc = s->ops->stat(s, path, info, err);
    return rc ? store_wrap(s, path, err) : ERR_OK;
}

enum err_code store_list(struct store *s, const char *prefix, const char *start, store_list_fn *fn,
                         void *ctx, struct err *err)
{
    enum err_code rc = store_prefix_check(s, prefix, err);

    if (rc)
        return rc;
    rc = s->ops->list(s, prefix, start ? start : "", fn, ctx, err);
    return rc ? store_wrap(s, prefix, err) : ERR_OK;
}

enum err_code store_remove(struct store *s, const char *path, struct err *err)
{
    enum err_code rc = store_path_check(s, path, err);

    if (rc)
        return rc;
    rc = s->ops->remove(s, path, err);
    return rc ? store_wrap(s, path, err) : ERR_OK;
}

enum err_code store_discard_unfinished(struct store *s, const char *prefix, struct err *err)
{
    enum err_code rc = store_prefix_check(s, prefix, err);

    if (rc)
        return rc;
    rc = s->ops->discard_unfinished(s, prefix, err);
    return rc ? store_wrap(s, prefix, err) : ERR_OK;
}

char *store_above(struct store *s, const char *path)
{
    return s->ops->above ? s->ops->above(s, path) : NULL;
}

enum err_code store_now(struct store *s, int64_t *utc_us, struct err *err)
{
    enum err_code rc = s->ops->now(s, utc_us, err);

    return rc ? err_wrap(err, "%s", s->text) : ERR_OK;
}

/* ---- whole objects, waiting ---- */

enum err_code store_put(struct store *s, const char *path, const void *buf, size_t len,
                        struct err *err)
{
    struct sink *out = NULL;
    enum err_code rc = store_open_write(s, path, &out, err);

    if (!rc)
        rc = sink_write(out, buf, len, err);
    if (!rc)
        rc = sink_finish(out, err);
    sink_free(out);
    return rc;
}

enum err_code store_get(struct store *s, const char *path, struct strbuf *out, size_t max,
                        struct err *err)
{
    struct source *in = NULL;
    enum err_code rc = store_open_read(s, path, 0, 0, &in, err);

    if (rc)
        return rc;
    rc = source_read_all(in, out, max, err);
    if (rc == ERR_LIMIT)
        rc = store_wrap(s, path, err);
    source_free(in);
    return rc;
}

/* The first object is enough: any code ends the listing. */
static enum err_code store_found(void *ctx, const char *path, const struct store_info *info,
                                 struct err *err)
{
    bool *found = ctx;

    (void)info;
    *found = true;
    return err_set(err, ERR_INTERRUPTED, "%s is there", path);
}

/* NOLINTNEXTLINE(readability-function-size): the contract's seven parameters */
enum err_code store_wait(struct store *s, const char *prefix, const char *start,
                         uint64_t timeout_us, const struct cancel *cancel, bool *found,
                         struct err *err)
{
    uint64_t end = clock_mono_us() + timeout_us;
    uint64_t pause = STORE_WAIT_FIRST_US;

    if (end < timeout_us)
        end = UINT64_MAX;
    for (;;) {
        bool any = false;
        enum err_code rc = store_list(s, prefix, start, store_found, &any, err);
        uint64_t now = clock_mono_us();

        if (rc && !any)
            return rc;
        if (any || now >= end) {
            err_clear(err);
            *found = any;
            return ERR_OK;
        }
        if (!clock_sleep(pause < end - now ? pause : end - now, cancel)) {
            *found = false;
            return ERR_OK;
        }
        pause = pause * 2 < STORE_WAIT_MOST_US ? pause * 2 : STORE_WAIT_MOST_US;
    }
}
