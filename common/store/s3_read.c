/* Reading an object: one GET from the offset on, whose body is pulled as it is wanted; the system
 * reads ahead into the socket. A body that breaks off is asked for again from where it broke, as
 * the same object (If-Match), so that no reader sees two versions in one. */
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/store/s3_store.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define RANGE_MAX 64

struct s3_source {
    struct source base;
    struct s3_store *store;
    char *key, *name;  /* `name`: for messages */
    uint64_t off;      /* of the next byte */
    uint64_t end;      /* behind the last byte wanted; UINT64_MAX: the object's */
    char etag[136];    /* of the object that was opened; "" when the server has none */
    struct http *http; /* NULL: nothing under way */
    bool empty;        /* the range begins behind the end */
    struct s3_tries tries;
};

/* The object's end becomes known with its first reply. */
static enum err_code source_check_head(struct s3_source *r, const struct http_reply *reply,
                                       bool ranged, struct err *err)
{
    if (ranged && reply->status != 206)
        return err_set(err, ERR_STORE_REFUSED,
                       "the server does not know ranges: status %ld instead of 206", reply->status);
    if (ranged && reply->range_from != r->off)
        return err_set(err, ERR_STORE_REFUSED, "the server gave another range than %" PRIu64 "-",
                       r->off);
    if (!*r->etag)
        memcpy(r->etag, reply->etag, sizeof r->etag);
    else if (strcmp(r->etag, reply->etag) != 0)
        return err_set(err, ERR_CORRUPT, "the object was replaced while it was read");
    if (r->end > r->off + reply->length)
        r->end = r->off + reply->length;
    return ERR_OK;
}

/* One try to have the body from `off` on under way. */
static enum err_code source_ask(struct s3_source *r, struct s3_answer *a, struct err *err)
{
    char range[RANGE_MAX];
    struct s3_pair headers[2];
    struct s3_call call = {.method = "GET", .key = r->key, .headers = headers};
    bool ranged = r->off > 0 || r->end != UINT64_MAX;
    enum err_code rc;

    if (ranged) {
        if (r->end == UINT64_MAX)
            (void)snprintf(range, sizeof range, "bytes=%" PRIu64 "-", r->off);
        else
            (void)snprintf(range, sizeof range, "bytes=%" PRIu64 "-%" PRIu64, r->off, r->end - 1);
        headers[call.header_count++] = (struct s3_pair){"range", range};
    }
    if (*r->etag)
        headers[call.header_count++] = (struct s3_pair){"if-match", r->etag};
    rc = s3_open(r->store, &call, &r->tries, &r->http, a, err);
    if (rc && a->reply.status == 416 && !*r->etag) {
        err_clear(err);
        r->empty = true;
        return ERR_OK;
    }
    if (rc && a->reply.status == 412)
        return err_set(err, ERR_CORRUPT, "the object was replaced while it was read");
    if (rc)
        return rc;
    rc = source_check_head(r, &a->reply, ranged, err);
    if (rc) {
        s3_http_keep(r->store, r->http);
        r->http = NULL;
    }
    return rc;
}

static enum err_code source_begin(struct s3_source *r, struct err *err)
{
    struct s3_call call = {.method = "GET", .key = r->key};
    struct s3_answer a = {0};
    enum err_code rc;

    do
        rc = source_ask(r, &a, err);
    while (rc && s3_again(r->store, &call, &r->tries, &a, err));
    if (!rc)
        err_clear(err);
    s3_answer_release(&a);
    return rc;
}

/* The body broke off: waits, and asks for the rest. ERR_OK: it is under way. */
static enum err_code source_resume(struct s3_source *r, struct err *err)
{
    struct s3_call call = {.method = "GET", .key = r->key};
    struct s3_answer none = {0};

    s3_http_keep(r->store, r->http);
    r->http = NULL;
    if (!s3_again(r->store, &call, &r->tries, &none, err))
        return err->code;
    return source_begin(r, err);
}

static enum err_code source_pull(struct s3_source *r, void *buf, size_t cap, size_t *got,
                                 struct err *err)
{
    enum err_code rc = http_read(r->http, buf, cap, got, err);

    if (!rc && *got == 0)
        rc = err_set(err, ERR_STORE_UNAVAILABLE, "the body ends %" PRIu64 " bytes too early",
                     r->end - r->off);
    return rc;
}

static enum err_code s3_source_read(struct source *self, void *buf, size_t cap, size_t *got,
                                    struct err *err)
{
    struct s3_source *r = (struct s3_source *)self;
    enum err_code rc = ERR_OK;
    size_t n = 0;

    *got = 0;
    if (r->empty || r->off >= r->end || cap == 0)
        return ERR_OK;
    if (cap > r->end - r->off)
        cap = (size_t)(r->end - r->off);
    do
        rc = source_pull(r, buf, cap, &n, err);
    while (rc && !source_resume(r, err));
    if (rc)
        return err_wrap(err, "%s", r->name);
    r->tries = (struct s3_tries){0}; /* it goes on: each break has its own tries */
    r->off += n;
    *got = n;
    if (r->off == r->end) { /* others may have the connection */
        s3_http_keep(r->store, r->http);
        r->http = NULL;
    }
    return ERR_OK;
}

static void s3_source_free(struct source *self)
{
    struct s3_source *r = (struct s3_source *)self;

    s3_http_keep(r->store, r->http);
    free(r->key);
    free(r->name);
    free(r);
}

static const struct source_ops s3_source_ops = {"s3", s3_source_read, s3_source_free};

enum err_code s3_open_read(struct store *s, const char *path, uint64_t off, uint64_t len,
                           struct source **src, struct err *err)
{
    struct s3_source *r = xcalloc(1, sizeof *r);
    enum err_code rc;

    r->base.ops = &s3_source_ops;
    r->store = (struct s3_store *)s;
    r->key = s3_key(r->store, path);
    r->name = xasprintf("%s/%s", s->text, path);
    /* No object is longer than 2^62 bytes, and no server's number need be. */
    r->off = off < INT64_MAX / 2 ? off : INT64_MAX / 2;
    r->end = len > 0 && len < INT64_MAX / 2 ? r->off + len : UINT64_MAX;
    rc = source_begin(r, err);
    if (rc)
        s3_source_free(&r->base);
    else
        *src = &r->base;
    return rc;
}
