#include "common/store/s3_http.h"

#include "common/base/clock.h"
#include "common/base/mem.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HTTP_CONNECT_US ((uint64_t)10000000)
#define HTTP_BUFFER ((size_t)256 << 10) /* bytes of a body that may wait here */
#define HTTP_WAKE_MS 200                /* how soon a stop is seen */
#define US_PER_S 1000000

struct http {
    CURLM *multi;
    CURL *easy;
    struct curl_slist *headers;
    struct http_request request;
    struct http_reply reply;
    bool busy;   /* between http_begin and http_end */
    bool headed; /* the reply's head is whole */
    bool ended;  /* with `result` */
    bool paused; /* curl holds data back until the buffer has room */
    CURLcode result;
    char *buffer; /* HTTP_BUFFER bytes; the body from `from` to `to` is still to be read */
    size_t from, to;
    uint64_t alive_us; /* monotonic: when something last moved */
    curl_off_t moved;  /* bytes sent and received until then */
    char why[CURL_ERROR_SIZE];
};

/* ---- what curl calls ---- */

static size_t http_on_body(char *data, size_t size, size_t count, void *ctx)
{
    struct http *h = ctx;
    size_t len = size * count;

    h->headed = true;
    if (h->from == h->to)
        h->from = h->to = 0;
    if (len > HTTP_BUFFER - h->to) {
        h->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    memcpy(h->buffer + h->to, data, len);
    h->to += len;
    return len;
}

static void copy_text(char *to, size_t cap, const char *from)
{
    if (strlen(from) < cap)
        memcpy(to, from, strlen(from) + 1);
}

static int64_t http_date(const char *text)
{
    time_t t = curl_getdate(text, NULL);

    return t > 0 ? (int64_t)t * US_PER_S : 0;
}

/* "bytes 5-9/10" */
static uint64_t http_range_from(const char *text)
{
    char *end = NULL;
    uint64_t from;

    if (strncasecmp(text, "bytes ", 6) != 0)
        return HTTP_RANGE_NONE;
    from = strtoull(text + 6, &end, 10);
    return end > text + 6 && *end == '-' ? from : HTTP_RANGE_NONE;
}

static void http_header(struct http_reply *r, const char *name, const char *value)
{
    if (strcasecmp(name, "content-length") == 0)
        r->length = strtoull(value, NULL, 10);
    else if (strcasecmp(name, "content-range") == 0)
        r->range_from = http_range_from(value);
    else if (strcasecmp(name, "date") == 0)
        r->date_us = http_date(value);
    else if (strcasecmp(name, "last-modified") == 0)
        r->modified_us = http_date(value);
    else if (strcasecmp(name, "retry-after") == 0)
        r->wait_us = strtoull(value, NULL, 10) * US_PER_S;
    else if (strcasecmp(name, "etag") == 0)
        copy_text(r->etag, sizeof r->etag, value);
    else if (strcasecmp(name, "x-amz-bucket-region") == 0)
        copy_text(r->region, sizeof r->region, value);
    else if (strcasecmp(name, "x-amz-meta-ferry-writer") == 0)
        copy_text(r->writer, sizeof r->writer, value);
}

static size_t http_on_header(char *data, size_t size, size_t count, void *ctx)
{
    struct http *h = ctx;
    size_t len = size * count;
    size_t end = len;
    char *line, *colon;

    while (end > 0 && (data[end - 1] == '\r' || data[end - 1] == '\n' || data[end - 1] == ' '))
        end--;
    if (end >= 5 && strncmp(data, "HTTP/", 5) == 0) {
        h->reply = (struct http_reply){.range_from = HTTP_RANGE_NONE};
        return len;
    }
    if (end == 0) { /* the head's end, unless it was that of a "100 Continue" */
        (void)curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &h->reply.status);
        h->headed = h->reply.status >= 200;
        return len;
    }
    line = xstrndup(data, end);
    colon = strchr(line, ':');
    if (colon) {
        *colon++ = '\0';
        http_header(&h->reply, line, colon + strspn(colon, " \t"));
    }
    free(line);
    return len;
}

/* ---- beginning and ending ---- */

enum err_code http_new(struct http **out, struct err *err)
{
    struct http *h;

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return err_set(err, ERR_INTERNAL, "libcurl cannot be started");
    h = xcalloc(1, sizeof *h);
    h->multi = curl_multi_init();
    h->easy = curl_easy_init();
    h->buffer = xmalloc(HTTP_BUFFER);
    if (!h->multi || !h->easy) {
        http_free(h);
        return err_set(err, ERR_NOMEM, "no memory for a connection");
    }
    *out = h;
    return ERR_OK;
}

void http_free(struct http *h)
{
    if (!h)
        return;
    http_end(h);
    curl_easy_cleanup(h->easy);
    if (h->multi)
        (void)curl_multi_cleanup(h->multi);
    free(h->buffer);
    free(h);
    curl_global_cleanup();
}

void http_end(struct http *h)
{
    if (!h->busy)
        return;
    (void)curl_multi_remove_handle(h->multi, h->easy);
    curl_easy_reset(h->easy); /* the connection stays */
    curl_slist_free_all(h->headers);
    h->headers = NULL;
    h->busy = false;
}

static void http_set_body(struct http *h, const struct http_request *r)
{
    if (strcmp(r->method, "GET") == 0) {
        (void)curl_easy_setopt(h->easy, CURLOPT_HTTPGET, 1L);
    } else if (strcmp(r->method, "HEAD") == 0) {
        (void)curl_easy_setopt(h->easy, CURLOPT_NOBODY, 1L);
    } else {
        if (r->body_len > 0 || strcmp(r->method, "DELETE") != 0) {
            (void)curl_easy_setopt(h->easy, CURLOPT_POST, 1L);
            (void)curl_easy_setopt(h->easy, CURLOPT_POSTFIELDS, r->body_len ? r->body : "");
            (void)curl_easy_setopt(h->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_len);
        }
        (void)curl_easy_setopt(h->easy, CURLOPT_CUSTOMREQUEST, r->method);
    }
}

/* Header lines; those that curl would add of its own are kept away. */
static enum err_code http_set_headers(struct http *h, const struct http_request *r, struct err *err)
{
    static const char *const none[] = {"Accept:", "Expect:", "Content-Type:"};
    size_t count = sizeof none / sizeof none[0];

    for (size_t i = 0; i < r->header_count + count; i++) {
        char *line = i < count ? xstrdup(none[i])
                               : xasprintf("%s: %s", r->headers[i - count].name,
                                           r->headers[i - count].value);
        struct curl_slist *more = curl_slist_append(h->headers, line);

        OPENSSL_cleanse(line, strlen(line));
        free(line);
        if (!more)
            return err_set(err, ERR_NOMEM, "no memory for a request");
        h->headers = more;
    }
    (void)curl_easy_setopt(h->easy, CURLOPT_HTTPHEADER, h->headers);
    return ERR_OK;
}

static void http_set_transport(struct http *h, const struct http_request *r)
{
    uint64_t connect = r->connect_us ? r->connect_us : HTTP_CONNECT_US;

    (void)curl_easy_setopt(h->easy, CURLOPT_URL, r->url);
    (void)curl_easy_setopt(h->easy, CURLOPT_PATH_AS_IS, 1L);
    (void)curl_easy_setopt(h->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(h->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(h->easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(h->easy, CURLOPT_TCP_KEEPALIVE, 1L);
    (void)curl_easy_setopt(h->easy, CURLOPT_BUFFERSIZE, 131072L);
    (void)curl_easy_setopt(h->easy, CURLOPT_UPLOAD_BUFFERSIZE, 262144L);
    (void)curl_easy_setopt(h->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(connect / 1000));
    (void)curl_easy_setopt(h->easy, CURLOPT_USERAGENT, "ferry");
    (void)curl_easy_setopt(h->easy, CURLOPT_ERRORBUFFER, h->why);
    (void)curl_easy_setopt(h->easy, CURLOPT_WRITEFUNCTION, http_on_body);
    (void)curl_easy_setopt(h->easy, CURLOPT_WRITEDATA, h);
    (void)curl_easy_setopt(h->easy, CURLOPT_HEADERFUNCTION, http_on_header);
    (void)curl_easy_setopt(h->easy, CURLOPT_HEADERDATA, h);
    if (r->ca_file)
        (void)curl_easy_setopt(h->easy, CURLOPT_CAINFO, r->ca_file);
    if (r->direct)
        (void)curl_easy_setopt(h->easy, CURLOPT_NOPROXY, "*");
}

enum err_code http_begin(struct http *h, const struct http_request *r, struct err *err)
{
    enum err_code rc;

    http_end(h);
    h->request = *r;
    h->reply = (struct http_reply){.range_from = HTTP_RANGE_NONE};
    h->headed = h->ended = h->paused = false;
    h->from = h->to = 0;
    h->moved = 0;
    h->alive_us = clock_mono_us();
    h->why[0] = '\0';
    h->busy = true;
    http_set_transport(h, r);
    http_set_body(h, r);
    rc = http_set_headers(h, r, err);
    if (!rc && curl_multi_add_handle(h->multi, h->easy) != CURLM_OK)
        rc = err_set(err, ERR_INTERNAL, "libcurl does not take a request");
    if (rc)
        http_end(h);
    return rc;
}

/* ---- moving ---- */

static enum err_code http_fault(const struct http *h, struct err *err)
{
    const char *why = *h->why ? h->why : curl_easy_strerror(h->result);

    switch ((int)h->result) {
    case CURLE_OK:
        return ERR_OK;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return err_set(err, ERR_STORE_URL, "the endpoint cannot be used: %s", why);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ISSUER_ERROR:
        return err_set(err, ERR_STORE_TLS, "%s", why);
    default:
        return err_set(err, ERR_STORE_UNAVAILABLE, "%s", why);
    }
}

static enum err_code http_look_alive(struct http *h, struct err *err)
{
    uint64_t idle = h->request.idle_us ? h->request.idle_us : HTTP_IDLE_US;
    uint64_t now = clock_mono_us();
    curl_off_t up = 0;
    curl_off_t down = 0;

    (void)curl_easy_getinfo(h->easy, CURLINFO_SIZE_UPLOAD_T, &up);
    (void)curl_easy_getinfo(h->easy, CURLINFO_SIZE_DOWNLOAD_T, &down);
    if (up + down != h->moved) {
        h->moved = up + down;
        h->alive_us = now;
    }
    if (h->request.stop && atomic_load(h->request.stop))
        return err_set(err, ERR_INTERRUPTED, "the request was given up");
    if (now - h->alive_us > idle)
        return err_set(err, ERR_STORE_UNAVAILABLE, "no answer for %" PRIu64 " s", idle / US_PER_S);
    return ERR_OK;
}

/* One round: what can be sent and received now; waits for something to come if nothing did. */
static enum err_code http_round(struct http *h, struct err *err)
{
    size_t had = h->to - h->from;
    bool headed = h->headed;
    int running = 0;
    int left = 0;
    const CURLMsg *m;

    if (curl_multi_perform(h->multi, &running) != CURLM_OK)
        return err_set(err, ERR_INTERNAL, "libcurl fails");
    while ((m = curl_multi_info_read(h->multi, &left)) != NULL)
        if (m->msg == CURLMSG_DONE) {
            h->ended = true;
            h->result = m->data.result;
        }
    if (h->ended || h->headed != headed || h->to - h->from != had)
        return ERR_OK;
    if (curl_multi_poll(h->multi, NULL, 0, HTTP_WAKE_MS, NULL) != CURLM_OK)
        return err_set(err, ERR_INTERNAL, "libcurl cannot wait");
    return http_look_alive(h, err);
}

enum err_code http_head(struct http *h, struct http_reply *reply, struct err *err)
{
    enum err_code rc = ERR_OK;

    while (!rc && !h->headed && !h->ended)
        rc = http_round(h, err);
    if (!rc && !h->headed)
        rc = h->result ? http_fault(h, err)
                       : err_set(err, ERR_STORE_UNAVAILABLE, "the server gave no reply");
    if (!rc)
        *reply = h->reply;
    return rc;
}

enum err_code http_read(struct http *h, void *buf, size_t cap, size_t *got, struct err *err)
{
    enum err_code rc = ERR_OK;
    size_t n;

    h->alive_us = clock_mono_us(); /* who asks late is not the server's fault */
    while (!rc && h->from == h->to) {
        if (h->paused) {
            h->paused = false;
            (void)curl_easy_pause(h->easy, CURLPAUSE_CONT);
            if (h->from != h->to)
                break;
        }
        if (h->ended)
            break;
        rc = http_round(h, err);
    }
    if (!rc && h->from == h->to)
        rc = http_fault(h, err);
    if (rc)
        return rc;
    n = h->to - h->from < cap ? h->to - h->from : cap;
    if (n > 0)
        memcpy(buf, h->buffer + h->from, n);
    h->from += n;
    *got = n;
    return ERR_OK;
}

enum err_code http_perform(struct http *h, const struct http_request *r, struct http_reply *reply,
                           struct strbuf *body, size_t max, struct err *err)
{
    char piece[16384];
    size_t got = 1;
    enum err_code rc = http_begin(h, r, err);

    if (!rc)
        rc = http_head(h, reply, err);
    while (!rc && got > 0) {
        rc = http_read(h, piece, sizeof piece, &got, err);
        if (!rc && got > max - body->len)
            rc = err_set(err, ERR_LIMIT, "the reply is longer than %zu bytes", max);
        if (!rc)
            strbuf_add(body, piece, got);
    }
    http_end(h);
    return rc;
}
