/* One request: signed, sent, its fault understood, and sent again where that may help.
 *
 * Tried again, with backoff and jitter: no reply, a connection that breaks, 500, 502, 503
 * (SlowDown), 504, 429, 408 and what says RequestTimeout or that another request was in the way.
 * All requests of the driver may be sent twice: objects are written whole, and who creates one
 * finds out whether it was his own first try that came through (store_s3.c). Put right and sent
 * again: another region than the one we thought, keys of a role that have expired. */
#include "common/store/s3_store.h"

#include "common/base/bytes.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#include <inttypes.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#define TRIES_MAX 10
#define TRIES_FIRST 3 /* as long as the server has never answered: the endpoint may be wrong */
#define MOVED_MAX 3
#define RACED_MAX 4
#define WAIT_MAX_US ((uint64_t)30000000) /* of what a server asks for */
#define REPLY_MAX ((size_t)32 << 20)
#define OWN_HEADERS 4 /* host, date, checksum, token */

void s3_answer_release(struct s3_answer *a)
{
    strbuf_release(&a->body);
    *a = (struct s3_answer){0};
}

char *s3_key(const struct s3_store *s, const char *path)
{
    return xasprintf("%s%s", s->url.prefix, path);
}

enum err_code s3_token_new(char token[S3_TOKEN_MAX], struct err *err)
{
    unsigned char bytes[(S3_TOKEN_MAX - 1) / 2];

    if (RAND_bytes(bytes, sizeof bytes) != 1)
        return err_set(err, ERR_INTERNAL, "no random bytes can be had");
    *bytes_to_hex(token, bytes, sizeof bytes) = '\0';
    return ERR_OK;
}

size_t s3_object_headers(const struct s3_store *s, const char *writer, struct s3_pair *headers)
{
    const struct s3_pair all[S3_OBJECT_HEADERS] = {
        {S3_WRITER, writer},
        {"x-amz-server-side-encryption", s->url.sse},
        {"x-amz-server-side-encryption-aws-kms-key-id", s->url.sse_kms_key_id},
        {"x-amz-storage-class", s->url.storage_class},
        {"x-amz-acl", s->url.acl},
        {"content-type", "application/octet-stream"},
    };
    size_t count = 0;

    for (size_t i = 0; i < S3_OBJECT_HEADERS; i++)
        if (all[i].value)
            headers[count++] = all[i];
    return count;
}

/* ---- connections ---- */

static enum err_code http_take(struct s3_store *s, struct http **h, struct err *err)
{
    struct http *kept = NULL;

    pthread_mutex_lock(&s->lock);
    if (s->kept_count > 0)
        kept = s->kept[--s->kept_count];
    pthread_mutex_unlock(&s->lock);
    if (!kept)
        return http_new(h, err);
    *h = kept;
    return ERR_OK;
}

void s3_http_keep(struct s3_store *s, struct http *h)
{
    if (!h)
        return;
    http_end(h);
    pthread_mutex_lock(&s->lock);
    if (s->kept_count < S3_CONNECTIONS_KEPT) {
        s->kept[s->kept_count++] = h;
        h = NULL;
    }
    pthread_mutex_unlock(&s->lock);
    http_free(h);
}

/* ---- one try ---- */

struct s3_send { /* what a request is made of, until it has been sent */
    char *host;
    struct strbuf path, url, authorization;
    char date[S3_DATE_MAX], payload[S3_SHA256_HEX], region[S3_REGION_MAX];
    struct s3_pair headers[S3_PAIRS_MAX];
    size_t header_count;
};

static void send_release(struct s3_send *t)
{
    free(t->host);
    strbuf_release(&t->path);
    strbuf_release(&t->url);
    strbuf_release(&t->authorization);
}

static void send_address(const struct s3_store *s, const struct s3_call *call, struct s3_send *t)
{
    t->host = s3_url_host(&s->url, t->region);
    strbuf_addch(&t->path, '/');
    if (s->url.path_style) {
        s3_encode(&t->path, s->url.bucket, false);
        if (call->key)
            strbuf_addch(&t->path, '/');
    }
    if (call->key)
        s3_encode(&t->path, call->key, true);
    strbuf_addf(&t->url, "%s://%s%s", s->url.scheme, t->host, strbuf_str(&t->path));
    if (call->query_count > 0) {
        strbuf_addch(&t->url, '?');
        s3_encode_query(&t->url, call->query, call->query_count);
    }
}

static enum err_code send_sign(const struct s3_call *call, const struct s3_keys *keys,
                               struct s3_send *t, struct err *err)
{
    struct s3_signed in = {.method = call->method,
                           .path = strbuf_str(&t->path),
                           .query = call->query,
                           .query_count = call->query_count,
                           .headers = t->headers,
                           .payload = t->payload,
                           .region = t->region,
                           .service = "s3",
                           .date = t->date};
    enum err_code rc;

    t->headers[0] = (struct s3_pair){"host", t->host};
    t->headers[1] = (struct s3_pair){"x-amz-date", t->date};
    t->headers[2] = (struct s3_pair){"x-amz-content-sha256", t->payload};
    t->header_count = 3;
    if (keys->token)
        t->headers[t->header_count++] = (struct s3_pair){"x-amz-security-token", keys->token};
    if (call->header_count + OWN_HEADERS + 1 > S3_PAIRS_MAX)
        return err_set(err, ERR_INTERNAL, "a request has too many headers");
    for (size_t i = 0; i < call->header_count; i++)
        t->headers[t->header_count++] = call->headers[i];
    in.header_count = t->header_count;
    rc = s3_sign(&in, keys, &t->authorization, err);
    t->headers[t->header_count++] =
        (struct s3_pair){"authorization", strbuf_str(&t->authorization)};
    return rc;
}

static enum err_code send_prepare(struct s3_store *s, const struct s3_call *call, struct s3_send *t,
                                  struct err *err)
{
    pthread_mutex_lock(&s->lock);
    memcpy(t->region, s->region, sizeof t->region);
    pthread_mutex_unlock(&s->lock);
    s3_date_text(clock_utc_us(), t->date);
    send_address(s, call, t);
    if (call->body_len > 0)
        return s3_sha256(call->body, call->body_len, t->payload, err);
    memcpy(t->payload, S3_EMPTY_SHA256, sizeof S3_EMPTY_SHA256);
    return ERR_OK;
}

static enum err_code send_now(const struct s3_store *s, const struct s3_call *call,
                              const struct s3_send *t, struct http *h, struct http_reply *reply,
                              struct err *err)
{
    struct http_request r = {.method = call->method,
                             .url = strbuf_str(&t->url),
                             .headers = t->headers,
                             .header_count = t->header_count,
                             .body = call->body,
                             .body_len = call->body_len,
                             .idle_us = call->idle_us ? call->idle_us : s->url.timeout_us,
                             .ca_file = s->url.ca_file,
                             .stop = call->stop};
    enum err_code rc = http_begin(h, &r, err);

    return rc ? rc : http_head(h, reply, err);
}

static enum err_code read_body(struct http *h, struct strbuf *body, struct err *err)
{
    char piece[16384];
    size_t got = 1;
    enum err_code rc = ERR_OK;

    while (!rc && got > 0) {
        rc = http_read(h, piece, sizeof piece, &got, err);
        if (!rc && got > REPLY_MAX - body->len)
            rc = err_set(err, ERR_LIMIT, "the server's reply is longer than %zu bytes", REPLY_MAX);
        if (!rc)
            strbuf_add(body, piece, got);
    }
    return rc;
}

/* ---- what a fault means ---- */

static bool one_of(const char *word, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(word, list[i]) == 0)
            return true;
    return false;
}
#define ONE_OF(word, list) one_of((word), (list), sizeof(list) / sizeof((list)[0]))

static bool is_passing(long status, const char *code)
{
    static const char *const codes[] = {"SlowDown",
                                        "InternalError",
                                        "RequestTimeout",
                                        "ServiceUnavailable",
                                        "OperationAborted",
                                        "ConditionalRequestConflict",
                                        "Throttling",
                                        "ThrottlingException",
                                        "RequestLimitExceeded",
                                        "BadDigest",
                                        "XAmzContentSHA256Mismatch",
                                        "IncompleteBody",
                                        "TooManyRequests",
                                        "SlowDownRead",
                                        "SlowDownWrite"};

    return status == 429 || status == 408 || status == 500 || status == 502 || status == 503 ||
           status == 504 || ONE_OF(code, codes);
}

static enum err_code fault_code(long status, const char *code)
{
    static const char *const denied[] = {
        "AccessDenied", "InvalidAccessKeyId",   "SignatureDoesNotMatch", "ExpiredToken",
        "InvalidToken", "RequestTimeTooSkewed", "AllAccessDisabled"};
    static const char *const full[] = {"XMinioStorageFull", "QuotaExceeded", "InsufficientStorage"};

    if (is_passing(status, code))
        return ERR_STORE_UNAVAILABLE;
    if (ONE_OF(code, full) || status == 507)
        return ERR_DISK_FULL;
    if (status == 404)
        return ERR_STORE_NOT_FOUND;
    if (status == 412)
        return ERR_STORE_EXISTS;
    if (status == 401 || status == 403 || ONE_OF(code, denied))
        return ERR_STORE_DENIED;
    return ERR_STORE_REFUSED;
}

/* How far this machine's clock is off, in words. */
static enum err_code fault_skew(const struct s3_answer *a, struct err *err)
{
    int64_t server = s3_date_parse(a->words.server_time);
    int64_t off;

    if (!server)
        server = a->reply.date_us;
    off = (clock_utc_us() - server) / 1000000;
    if (!server)
        return err_set(err, ERR_STORE_DENIED,
                       "this machine's clock differs from the server's: set it");
    return err_set(err, ERR_STORE_DENIED,
                   "this machine's clock is %" PRId64 " s %s the server's: set it",
                   off < 0 ? -off : off, off < 0 ? "behind" : "before");
}

/* The reply says no: what, in the server's own words. */
static enum err_code s3_fault(const struct s3_store *s, const struct s3_call *call,
                              const struct s3_answer *a, struct err *err)
{
    const struct s3_words *w = &a->words;
    enum err_code code = fault_code(a->reply.status, w->code);
    const char *region = *w->region ? w->region : a->reply.region;

    if (strcmp(w->code, "RequestTimeTooSkewed") == 0)
        return fault_skew(a, err);
    if (strcmp(w->code, "NoSuchBucket") == 0)
        return err_set(err, ERR_STORE_NOT_FOUND, "there is no bucket '%s'", s->url.bucket);
    if (code == ERR_STORE_NOT_FOUND)
        return err_set(err, code, "no such object");
    if (*region && (a->reply.status == 301 || a->reply.status == 307 || a->reply.status == 400))
        return err_set(err, code, "the bucket is in the region '%s': write region=%s (%s)", region,
                       region, *w->code ? w->code : "redirected");
    if (*w->code || *w->message)
        return err_set(err, code, "%s %ld: %s%s%s", call->method, a->reply.status, w->code,
                       *w->message ? ": " : "", w->message);
    return err_set(err, code, "%s: the server answered with status %ld%s", call->method,
                   a->reply.status,
                   code == ERR_STORE_DENIED ? " (not permitted, or no such object where listing is "
                                              "not permitted)"
                                            : "");
}

enum err_code s3_open(struct s3_store *s, const struct s3_call *call, struct s3_tries *tries,
                      struct http **out, struct s3_answer *a, struct err *err)
{
    struct s3_keys keys = {0};
    struct s3_send t = {0};
    struct http *h = NULL;
    enum err_code rc;

    s3_answer_release(a);
    rc = send_prepare(s, call, &t, err);
    if (!rc)
        rc = s3_credentials_get(s->credentials, &keys, err);
    if (!rc) {
        (void)snprintf(tries->access, sizeof tries->access, "%s", keys.access);
        rc = send_sign(call, &keys, &t, err);
    }
    if (!rc)
        rc = http_take(s, &h, err);
    if (!rc)
        rc = send_now(s, call, &t, h, &a->reply, err);
    if (!rc && (a->reply.status < 200 || a->reply.status >= 300)) {
        struct err ignored = ERR_INIT;

        /* The status is known; the words may be lost. */
        if (read_body(h, &a->body, &ignored))
            strbuf_reset(&a->body);
        s3_words_parse(&a->body, &a->words);
        rc = s3_fault(s, call, a, err);
    }
    send_release(&t);
    s3_keys_release(&keys);
    if (rc)
        s3_http_keep(s, h);
    else
        *out = h;
    return rc;
}

/* ---- trying again ---- */

/* Takes the region that the reply names, if it is another. */
static bool region_moved(struct s3_store *s, const struct s3_answer *a)
{
    const char *region = *a->words.region ? a->words.region : a->reply.region;
    long status = a->reply.status;
    bool moved;

    if (!*region || strlen(region) >= S3_REGION_MAX ||
        (status != 301 && status != 307 && status != 400 && status != 403))
        return false;
    pthread_mutex_lock(&s->lock);
    moved = strcmp(s->region, region) != 0;
    if (moved)
        memcpy(s->region, region, strlen(region) + 1);
    pthread_mutex_unlock(&s->lock);
    if (moved)
        log_event(LOG_INFO, "store.s3.region", F_STR("bucket", s->url.bucket),
                  F_STR("region", region));
    return moved;
}

/* A HEAD's reply has no words: any 400 of it may be that. */
static bool keys_expired(struct s3_store *s, const struct s3_call *call,
                         const struct s3_tries *tries, const struct s3_answer *a)
{
    bool maybe = a->reply.status == 400 && strcmp(call->method, "HEAD") == 0;

    static const char *const codes[] = {"ExpiredToken", "ExpiredTokenException", "InvalidToken",
                                        "RequestExpired", "InvalidAccessKeyId"};

    return (maybe || ONE_OF(a->words.code, codes)) &&
           s3_credentials_expired(s->credentials, tries->access);
}

/* A gateway over a file system takes a folder away when its last object goes. versitygw (1.8) then
 * answers a write into it at that moment as if the key were a folder. A key that is one in earnest
 * fails after these tries. */
static bool folder_raced(const struct s3_call *call, const struct s3_answer *a)
{
    return strcmp(call->method, "PUT") == 0 && a->reply.status == 409 &&
           strcmp(a->words.code, "ExistingObjectIsDirectory") == 0;
}

/* How many tries there are: fewer as long as the endpoint has never been seen to work. */
static unsigned tries_max(struct s3_store *s, const struct s3_answer *a)
{
    bool answered;

    pthread_mutex_lock(&s->lock);
    s->answered = s->answered || a->reply.status > 0;
    answered = s->answered;
    pthread_mutex_unlock(&s->lock);
    return answered ? TRIES_MAX : TRIES_FIRST;
}

bool s3_again(struct s3_store *s, const struct s3_call *call, struct s3_tries *tries,
              const struct s3_answer *a, struct err *err)
{
    if (tries->moved < MOVED_MAX && (region_moved(s, a) || keys_expired(s, call, tries, a))) {
        tries->moved++;
        return true;
    }
    if (tries->raced < RACED_MAX && folder_raced(call, a)) {
        tries->raced++;
        return backoff_wait(&tries->backoff, NULL);
    }
    if (!err_info(err->code)->retryable || (call->stop && atomic_load(call->stop)))
        return false;
    if (++tries->count >= tries_max(s, a)) {
        (void)err_wrap(err, "given up after %u tries", tries->count);
        return false;
    }
    log_event(tries->count > 2 ? LOG_WARN : LOG_DEBUG, "store.s3.retry",
              F_STR("method", call->method), F_STR("key", call->key), F_U64("try", tries->count),
              F_STR("message", err->msg));
    if (a->reply.wait_us > 0)
        (void)clock_sleep(a->reply.wait_us < WAIT_MAX_US ? a->reply.wait_us : WAIT_MAX_US, NULL);
    (void)backoff_wait(&tries->backoff, NULL);
    return true;
}

static enum err_code s3_try(struct s3_store *s, const struct s3_call *call, struct s3_tries *tries,
                            struct s3_answer *a, struct err *err)
{
    struct http *h = NULL;
    enum err_code rc = s3_open(s, call, tries, &h, a, err);

    if (rc)
        return rc;
    rc = read_body(h, &a->body, err);
    s3_http_keep(s, h);
    if (rc)
        return rc;
    s3_words_parse(&a->body, &a->words);
    /* An error may come too late for the status. */
    return a->words.is_error ? s3_fault(s, call, a, err) : ERR_OK;
}

enum err_code s3_call(struct s3_store *s, const struct s3_call *call, struct s3_answer *a,
                      struct err *err)
{
    struct s3_tries tries = {0};
    enum err_code rc;

    do
        rc = s3_try(s, call, &tries, a, err);
    while (rc && s3_again(s, call, &tries, a, err));
    a->tries = tries.count + tries.moved + tries.raced + 1;
    if (!rc) {
        (void)tries_max(s, a);
        err_clear(err);
    }
    return rc;
}
