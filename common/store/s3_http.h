/* common/store/s3_http.h: HTTP/1.1 over libcurl, one request at a time on a connection that is
 * kept.
 *
 * http_begin sends, http_head waits for the reply's head, http_read pulls its body, http_end leaves
 * the connection ready for the next request (or closes it, if something of the body is left). What
 * has arrived and was not asked for waits in the socket, so the system reads ahead. One thread at a
 * time. */
#ifndef FERRY_STORE_S3_HTTP_H
#define FERRY_STORE_S3_HTTP_H

#include "common/base/err.h"
#include "common/base/strbuf.h"
#include "common/store/s3_sign.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define HTTP_IDLE_US ((uint64_t)30000000)
#define HTTP_RANGE_NONE UINT64_MAX

/* Everything is borrowed until http_end. */
struct http_request {
    const char *method; /* GET, HEAD, PUT, POST, DELETE */
    const char *url;
    const struct s3_pair *headers;
    size_t header_count;
    const void *body;
    size_t body_len;
    uint64_t idle_us;    /* this long without a byte in either direction: dead. 0: HTTP_IDLE_US */
    uint64_t connect_us; /* 0: 10 s */
    const char *ca_file; /* NULL: the system's */
    bool direct;         /* not through a proxy that the environment names */
    const atomic_bool *stop; /* gives up when it is set; may be NULL */
};

struct http_reply {
    long status;
    uint64_t length;     /* of the body, as announced; 0 when not */
    uint64_t range_from; /* the first byte of a part of an object; HTTP_RANGE_NONE */
    int64_t date_us;     /* the server's clock; 0: not said */
    int64_t modified_us; /* 0: not said */
    uint64_t wait_us;    /* Retry-After; 0: not said */
    char etag[136], region[64], writer[64]; /* "" where there is none */
};

struct http;
/* The library's state is counted: each http holds a share of it. */
MUST_CHECK enum err_code http_new(struct http **h, struct err *err);
void http_free(struct http *h);

/* ERR_STORE_UNAVAILABLE: worth another try. ERR_STORE_TLS, ERR_STORE_URL: not. */
MUST_CHECK enum err_code http_begin(struct http *h, const struct http_request *r, struct err *err);
MUST_CHECK enum err_code http_head(struct http *h, struct http_reply *reply, struct err *err);
/* 1..cap bytes of the body; *got 0: it has come to its end, whole. */
MUST_CHECK enum err_code http_read(struct http *h, void *buf, size_t cap, size_t *got,
                                   struct err *err);
void http_end(struct http *h);

/* All of it: the body into `body`, ERR_LIMIT beyond `max` bytes. */
MUST_CHECK enum err_code http_perform(struct http *h, const struct http_request *r,
                                      struct http_reply *reply, struct strbuf *body, size_t max,
                                      struct err *err);
#endif
