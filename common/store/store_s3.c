/* The S3 driver's vtable, and what is one request of its own. */
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/store/s3_store.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#define SETTLE_US ((uint64_t)1000000)
#define REGION_FIRST "us-east-1"

/* ---- small requests ---- */

/* A request without a body whose answer is in its head. */
static enum err_code s3_ask(struct s3_store *s, const char *method, const char *key,
                            struct http_reply *reply, struct err *err)
{
    struct s3_call call = {.method = method, .key = key};
    struct s3_answer a = {0};
    enum err_code rc = s3_call(s, &call, &a, err);

    *reply = a.reply;
    s3_answer_release(&a);
    return rc;
}

static enum err_code s3_stat(struct store *store, const char *path, struct store_info *info,
                             struct err *err)
{
    struct s3_store *s = (struct s3_store *)store;
    char *key = s3_key(s, path);
    struct http_reply reply;
    enum err_code rc = s3_ask(s, "HEAD", key, &reply, err);

    free(key);
    if (!rc)
        *info = (struct store_info){reply.length, reply.modified_us};
    return rc;
}

static enum err_code s3_remove(struct store *store, const char *path, struct err *err)
{
    struct s3_store *s = (struct s3_store *)store;
    char *key = s3_key(s, path);
    struct http_reply reply;
    enum err_code rc = s3_ask(s, "DELETE", key, &reply, err);

    free(key);
    if (rc != ERR_STORE_NOT_FOUND || strstr(err->msg, "bucket"))
        return rc;
    err_clear(err);
    return ERR_OK;
}

/* Any reply has the server's clock; an object that is not there costs it least. */
static enum err_code s3_now(struct store *store, int64_t *utc_us, struct err *err)
{
    struct s3_store *s = (struct s3_store *)store;
    struct http_reply reply;
    enum err_code rc = s3_ask(s, "HEAD", NULL, &reply, err);

    if (rc && reply.date_us) { /* the bucket itself may be closed to us */
        err_clear(err);
        rc = ERR_OK;
    }
    if (!rc && !reply.date_us)
        rc = err_set(err, ERR_STORE_REFUSED, "the server does not say what time it is");
    if (!rc)
        *utc_us = reply.date_us;
    return rc;
}

/* ---- creating ---- */

struct create { /* one object that must be new */
    struct s3_store *store;
    char *key;
    const void *buf;
    size_t len;
    char writer[S3_TOKEN_MAX];
};

/* The PUT; `conditional`: only if there is nothing. *tries: how often it was sent. */
static enum err_code create_put(const struct create *c, bool conditional, unsigned *tries,
                                struct err *err)
{
    struct s3_pair headers[S3_OBJECT_HEADERS + 1];
    struct s3_call call = {.method = "PUT",
                           .key = c->key,
                           .headers = headers,
                           .header_count = s3_object_headers(c->store, c->writer, headers),
                           .body = c->buf,
                           .body_len = c->len};
    struct s3_answer a = {0};
    enum err_code rc;

    if (conditional)
        headers[call.header_count++] = (struct s3_pair){"if-none-match", "*"};
    rc = s3_call(c->store, &call, &a, err);
    *tries = a.tries;
    if (rc && conditional && (a.reply.status == 501 || strcmp(a.words.code, "NotImplemented") == 0))
        rc = err_set(err, ERR_SERVER_UNSUPPORTED, "the server has no conditional PUT");
    s3_answer_release(&a);
    return rc;
}

/* Whose object it is. */
static enum err_code create_look(const struct create *c, bool *ours, struct err *err)
{
    struct http_reply reply;
    enum err_code rc = s3_ask(c->store, "HEAD", c->key, &reply, err);

    *ours = !rc && strcmp(reply.writer, c->writer) == 0;
    return rc;
}

static int conditional_known(struct s3_store *s, int found)
{
    int known;

    pthread_mutex_lock(&s->lock);
    if (!s->conditional)
        s->conditional = found;
    known = s->conditional;
    pthread_mutex_unlock(&s->lock);
    return known;
}

/* Where the server does not mind If-None-Match: who looks first, writes, and still finds his own
 * object a second later has it. Two who come within that second are told apart by whose object
 * stayed; only one that is stopped between looking and writing for longer could do harm. */
static enum err_code create_by_looking(const struct create *c, struct err *err)
{
    bool ours = false;
    unsigned tries;
    enum err_code rc = create_look(c, &ours, err);

    if (!rc)
        return err_set(err, ERR_STORE_EXISTS, "exists already");
    if (rc != ERR_STORE_NOT_FOUND)
        return rc;
    err_clear(err);
    rc = create_put(c, false, &tries, err);
    if (rc)
        return rc;
    (void)clock_sleep(SETTLE_US, NULL);
    rc = create_look(c, &ours, err);
    if (!rc && !ours)
        rc = err_set(err, ERR_STORE_EXISTS, "somebody else made it at the same time");
    return rc;
}

/* The first object that is made asks once more: a server that minds the condition refuses the
 * second PUT, which writes the same bytes with the same mark. */
static enum err_code create_probe(const struct create *c, struct err *err)
{
    unsigned tries;
    bool ours = false;
    enum err_code rc = create_put(c, true, &tries, err);

    if (rc == ERR_STORE_EXISTS) {
        err_clear(err);
        (void)conditional_known(c->store, 1);
        return ERR_OK;
    }
    if (rc)
        return rc;
    (void)conditional_known(c->store, -1);
    log_event(LOG_WARN, "store.s3.unconditional",
              F_STR("message",
                    "the server ignores If-None-Match: two dumps into the same place that "
                    "begin within the same second may not see each other"));
    (void)clock_sleep(SETTLE_US, NULL);
    rc = create_look(c, &ours, err);
    if (!rc && !ours)
        rc = err_set(err, ERR_STORE_EXISTS, "somebody else made it at the same time");
    return rc;
}

static enum err_code create_conditional(const struct create *c, struct err *err)
{
    bool known = conditional_known(c->store, 0) != 0;
    unsigned tries = 1;
    bool ours = false;
    enum err_code rc = known ? ERR_STORE_NOT_FOUND : create_look(c, &ours, err);

    /* A server that may not mind the condition would overwrite what is there. */
    if (!rc)
        return err_set(err, ERR_STORE_EXISTS, "exists already");
    if (rc != ERR_STORE_NOT_FOUND)
        return rc;
    err_clear(err);
    rc = create_put(c, true, &tries, err);
    if (rc == ERR_SERVER_UNSUPPORTED) {
        (void)conditional_known(c->store, -1);
        err_clear(err);
        return create_by_looking(c, err);
    }
    if (!rc)
        return known ? ERR_OK : create_probe(c, err);
    if (rc != ERR_STORE_EXISTS)
        return rc;
    (void)conditional_known(c->store, 1);
    if (tries > 1) { /* the first try's answer may have been lost */
        struct err now = ERR_INIT;

        if (create_look(c, &ours, &now) == ERR_OK && ours) {
            err_clear(err);
            return ERR_OK;
        }
    }
    return err_set(err, ERR_STORE_EXISTS, "exists already");
}

static enum err_code s3_create(struct store *store, const char *path, const void *buf, size_t len,
                               struct err *err)
{
    struct create c = {.store = (struct s3_store *)store, .buf = buf, .len = len};
    enum err_code rc = s3_token_new(c.writer, err);

    if (rc)
        return rc;
    c.key = s3_key(c.store, path);
    rc = conditional_known(c.store, 0) < 0 ? create_by_looking(&c, err)
                                           : create_conditional(&c, err);
    free(c.key);
    return rc;
}

/* ---- the store ---- */

static enum err_code s3_sync(struct store *store, struct err *err)
{
    return s3_later_sync(((struct s3_store *)store)->later, err);
}

static void s3_free(struct store *store)
{
    struct s3_store *s = (struct s3_store *)store;

    s3_later_free(s->later);
    for (size_t i = 0; i < s->kept_count; i++)
        http_free(s->kept[i]);
    free(s->writing);
    s3_credentials_free(s->credentials);
    s3_url_release(&s->url);
    pthread_mutex_destroy(&s->lock);
    free(s);
    curl_global_cleanup();
}

static const struct store_ops s3_ops = {
    .scheme = "s3",
    .features = 0,
    .open_read = s3_open_read,
    .open_write = s3_open_write,
    .create = s3_create,
    .stat = s3_stat,
    .list = s3_list,
    .remove = s3_remove,
    .discard_unfinished = s3_discard,
    .now = s3_now,
    .free = s3_free,
    .open_grouped = s3_open_grouped,
    .sync = s3_sync,
};

enum err_code store_s3_new(const char *rest, struct store **out, struct err *err)
{
    struct s3_profile profile = {0};
    struct s3_url url = {0};
    struct s3_store *s;
    enum err_code rc = s3_url_parse(rest, &url, &profile, err);

    if (rc)
        return rc;
    if (url.region && strlen(url.region) >= S3_REGION_MAX)
        rc = err_set(err, ERR_STORE_URL, "the region is too long");
    s = xcalloc(1, sizeof *s);
    if (!rc)
        rc = s3_credentials_new(&profile, url.profile != NULL, &s->credentials, err);
    if (!rc && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        rc = err_set(err, ERR_INTERNAL, "libcurl cannot be started");
    s3_profile_release(&profile);
    if (rc) {
        s3_credentials_free(s->credentials);
        s3_url_release(&url);
        free(s);
        return rc;
    }
    s->base.ops = &s3_ops;
    s->base.text = s3_url_text(&url);
    s->url = url;
    (void)snprintf(s->region, sizeof s->region, "%s", url.region ? url.region : REGION_FIRST);
    pthread_mutex_init(&s->lock, NULL);
    s->later = s3_later_new();
    *out = &s->base;
    return ERR_OK;
}
