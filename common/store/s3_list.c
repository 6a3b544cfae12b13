/* Listings: of objects, page by page, each given on as it comes; of uploads that were not finished.
 */
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/store/s3_store.h"

#include <stdlib.h>
#include <string.h>

static enum err_code list_page(struct s3_store *s, const struct s3_pair *query, size_t count,
                               struct s3_page *page, struct err *err)
{
    struct s3_call call = {.method = "GET", .query = query, .query_count = count};
    struct s3_answer a = {0};
    enum err_code rc = s3_call(s, &call, &a, err);

    if (!rc)
        rc = s3_page_parse(&a.body, page, err);
    s3_answer_release(&a);
    return rc;
}

struct listing {
    struct s3_store *store;
    const char *start; /* only paths behind it */
    store_list_fn *fn;
    void *ctx;
    char *last; /* the last path that was given; NULL: none */
};

static enum err_code listing_give(struct listing *l, const struct s3_page *page, struct err *err)
{
    size_t prefix = strlen(l->store->url.prefix);
    enum err_code rc = ERR_OK;

    for (size_t i = 0; i < page->count && !rc; i++) {
        const struct s3_entry *e = &page->entries[i];
        const char *path;

        if (strncmp(e->key, l->store->url.prefix, prefix) != 0)
            return err_set(err, ERR_FORMAT, "the server listed '%s', which was not asked for",
                           e->key);
        path = e->key + prefix;
        /* Folders that other programs make up are objects whose key ends in '/'. */
        if (!*path || path[strlen(path) - 1] == '/' || strcmp(path, l->start) <= 0)
            continue;
        if (l->last && strcmp(l->last, path) >= 0)
            return err_set(err, ERR_FORMAT,
                           "the server lists '%s' behind '%s': its order is not that of the keys' "
                           "bytes",
                           path, l->last);
        free(l->last);
        l->last = xstrdup(path);
        rc = l->fn(l->ctx, path, &(struct store_info){e->size, e->modified_us}, err);
    }
    return rc;
}

enum err_code s3_list(struct store *store, const char *prefix, const char *start, store_list_fn *fn,
                      void *ctx, struct err *err)
{
    struct s3_store *s = (struct s3_store *)store;
    struct listing l = {s, start, fn, ctx, NULL};
    char *full = s3_key(s, prefix);
    char *after = *start && strcmp(start, prefix) > 0 ? s3_key(s, start) : NULL;
    char *token = NULL;
    enum err_code rc = ERR_OK;
    bool more = true;

    while (!rc && more) {
        struct s3_pair query[4] = {{"list-type", "2"}, {"encoding-type", "url"}, {"prefix", full}};
        struct s3_page page = {0};
        size_t count = 3;

        if (token)
            query[count++] = (struct s3_pair){"continuation-token", token};
        else if (after)
            query[count++] = (struct s3_pair){"start-after", after};
        rc = list_page(s, query, count, &page, err);
        if (rc)
            break;
        rc = listing_give(&l, &page, err);
        more = page.more;
        free(token);
        token = page.token;
        page.token = NULL;
        if (!rc && more && !token)
            rc =
                err_set(err, ERR_FORMAT, "the server's listing goes on, but it does not say where");
        s3_page_release(&page);
    }
    free(l.last);
    free(token);
    free(after);
    free(full);
    return rc;
}

/* ---- uploads that were not finished ---- */

static bool is_written_here(struct s3_store *s, const char *key)
{
    bool here = false;

    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->writing_count && !here; i++)
        here = strcmp(s->writing[i], key) == 0;
    pthread_mutex_unlock(&s->lock);
    return here;
}

static enum err_code upload_abort(struct s3_store *s, const struct s3_entry *e, struct err *err)
{
    struct s3_pair query = {"uploadId", e->upload_id};
    struct s3_call call = {.method = "DELETE", .key = e->key, .query = &query, .query_count = 1};
    struct s3_answer a = {0};
    enum err_code rc = s3_call(s, &call, &a, err);

    s3_answer_release(&a);
    if (!rc)
        log_event(LOG_INFO, "store.s3.upload.removed", F_STR("key", e->key),
                  F_STR("message", "an upload that a killed run had left"));
    return rc == ERR_STORE_NOT_FOUND ? ERR_OK : rc;
}

/* Whether to give the upload up. With `keep`: all of the key `prefix` but that one; else all below
 * `prefix` that are not ours. A server's filter is not relied on. */
static bool upload_is_left(struct s3_store *s, const struct s3_entry *e, const char *prefix,
                           const char *keep)
{
    if (!e->upload_id)
        return false;
    if (keep)
        return strcmp(e->key, prefix) == 0 && strcmp(e->upload_id, keep) != 0;
    return strncmp(e->key, prefix, strlen(prefix)) == 0 && !is_written_here(s, e->key);
}

enum err_code s3_uploads_end(struct s3_store *s, const char *prefix, const char *keep,
                             struct err *err)
{
    struct s3_page page = {.more = true};
    enum err_code rc = ERR_OK;

    while (!rc && page.more) {
        struct s3_pair query[5] = {{"uploads", ""}, {"encoding-type", "url"}, {"prefix", prefix}};
        struct s3_page next = {0};
        size_t count = 3;

        if (page.key_marker)
            query[count++] = (struct s3_pair){"key-marker", page.key_marker};
        if (page.key_marker && page.upload_marker)
            query[count++] = (struct s3_pair){"upload-id-marker", page.upload_marker};
        rc = list_page(s, query, count, &next, err);
        s3_page_release(&page);
        page = next;
        for (size_t i = 0; i < page.count && !rc; i++)
            if (upload_is_left(s, &page.entries[i], prefix, keep))
                rc = upload_abort(s, &page.entries[i], err);
        page.more = page.more && page.key_marker;
    }
    s3_page_release(&page);
    return rc;
}

enum err_code s3_discard(struct store *store, const char *prefix, struct err *err)
{
    struct s3_store *s = (struct s3_store *)store;
    char *full = s3_key(s, prefix);
    enum err_code rc = s3_uploads_end(s, full, NULL, err);

    free(full);
    return rc;
}
