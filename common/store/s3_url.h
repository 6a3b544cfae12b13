/* common/store/s3_url.h: which bucket, where, and how objects are to lie there.
 *
 * s3://bucket/prefix?name=value&...  with the parameter names of TiDB's tools (BR, Dumpling):
 * endpoint, region, force-path-style, storage-class, sse, sse-kms-key-id, acl, provider, profile;
 * ours are ca-bundle (a file) and timeout (seconds without a byte). Bucket, prefix and values are
 * percent-decoded. Keys in a URL (access-key, secret-access-key, session-token, user:password@) are
 * refused: a command line can be seen by everyone. What the URL does not say comes from the AWS
 * variables (AWS_REGION, AWS_DEFAULT_REGION, AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, AWS_CA_BUNDLE,
 * AWS_PROFILE) and then from the profile in the shared files (region, endpoint_url, ca_bundle). */
#ifndef FERRY_STORE_S3_URL_H
#define FERRY_STORE_S3_URL_H

#include "common/base/err.h"
#include "common/store/s3_profile.h"

#include <stdbool.h>
#include <stdint.h>

struct s3_url {
    char *bucket;
    char *prefix;  /* "" or ends in '/' */
    char *scheme;  /* "https", "http" */
    char *host;    /* with its port; NULL: Amazon's, by region */
    char *region;  /* NULL: us-east-1, until the server says another */
    char *ca_file; /* NULL: the system's */
    char *storage_class, *sse, *sse_kms_key_id, *acl; /* NULL: not said */
    char *profile;       /* asked for by name, so that it comes before the environment; NULL: not */
    bool path_style;     /* host/bucket/key, not bucket.host/key */
    uint64_t timeout_us; /* 0: the default */
};

/* `rest` is what follows "s3://". ERR_STORE_URL names the part. *profile gets the shared files'
 * words (s3_profile_release). On failure both are released. */
MUST_CHECK enum err_code s3_url_parse(const char *rest, struct s3_url *url,
                                      struct s3_profile *profile, struct err *err);
void s3_url_release(struct s3_url *url);
/* The URL without parameters: "s3://bucket/prefix". Heap. */
char *s3_url_text(const struct s3_url *url);
/* "bucket.s3.eu-west-1.amazonaws.com", or the endpoint's host, with the bucket in front unless
 * path-style. Heap. */
char *s3_url_host(const struct s3_url *url, const char *region);

#endif
