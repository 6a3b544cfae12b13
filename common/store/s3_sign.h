/* common/store/s3_sign.h: Signature Version 4, as Amazon's "Authenticating Requests (AWS Signature
 * Version 4)" of the S3 API reference has it. No state, no network: what is signed comes in, the
 * Authorization header comes out.
 *
 * S3 differs from Amazon's other services in that a path is percent-encoded once and never
 * normalized: an object's key is its bytes. */
#ifndef FERRY_STORE_S3_SIGN_H
#define FERRY_STORE_S3_SIGN_H

#include "common/base/err.h"
#include "common/base/strbuf.h"

#include <stdbool.h>
#include <stdint.h>

#define S3_SHA256_HEX 65 /* 64 digits and the NUL */
#define S3_DATE_MAX 32   /* "20130524T000000Z" */
#define S3_PAIRS_MAX 24  /* of query parameters, or of headers */
#define S3_EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* A query parameter or a header; both borrowed. */
struct s3_pair {
    const char *name, *value;
};

/* What a request is signed with. Owned strings; scrubbed by s3_keys_release. */
struct s3_keys {
    char *access, *secret;
    char *token;        /* of a session; NULL: none */
    int64_t expires_us; /* UTC microseconds; 0: never */
};
void s3_keys_release(struct s3_keys *k);

struct s3_signed {
    const char *method;
    const char *path;              /* encoded, begins with '/' */
    const struct s3_pair *query;   /* not encoded, in any order */
    const struct s3_pair *headers; /* lower-case names, `host` among them; all are signed */
    size_t query_count, header_count;
    const char *payload; /* the body's SHA-256 in hex */
    const char *region, *service;
    const char *date; /* as s3_date_text */
};
/* Appends the value of the Authorization header. ERR_INTERNAL: the library cannot. */
MUST_CHECK enum err_code s3_sign(const struct s3_signed *in, const struct s3_keys *keys,
                                 struct strbuf *authorization, struct err *err);

/* Appends `text` percent-encoded: all but A-Z a-z 0-9 - . _ ~, and '/' where `slashes` keeps it. */
void s3_encode(struct strbuf *out, const char *text, bool slashes);
/* Appends "a=1&b=2", encoded, in the order in which it is signed. */
void s3_encode_query(struct strbuf *out, const struct s3_pair *query, size_t count);
MUST_CHECK enum err_code s3_sha256(const void *data, size_t len, char hex[S3_SHA256_HEX],
                                   struct err *err);
/* "20130524T000000Z" of UTC microseconds. */
void s3_date_text(int64_t utc_us, char out[S3_DATE_MAX]);
/* "2013-05-24T00:00:00Z", with or without a fraction, as UTC microseconds; 0: it is none. */
int64_t s3_date_parse(const char *text);

#endif
