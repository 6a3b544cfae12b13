/* common/store/s3_credentials.h: where keys come from, and that they are fresh.
 *
 * The order is that of AWS's own tools: a profile that is asked for by name; the environment
 * (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN); the profile of the shared files; a
 * container's role (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI, with
 * AWS_CONTAINER_AUTHORIZATION_TOKEN or _TOKEN_FILE); the instance's role (IMDSv2, at
 * AWS_EC2_METADATA_SERVICE_ENDPOINT, unless AWS_EC2_METADATA_DISABLED). The first one that has keys
 * is it, for the store's whole life. Roles' keys are fetched again five minutes before they expire,
 * by one thread while the others go on with the old ones. Any thread. */
#ifndef FERRY_STORE_S3_CREDENTIALS_H
#define FERRY_STORE_S3_CREDENTIALS_H

#include "common/store/s3_profile.h"

struct s3_credentials;
/* Looks at the environment and `profile` (its keys are copied; `by_name`: it was asked for); no
 * network yet. ERR_STORE_CREDENTIALS: half a key, or a way to get keys that is not supported. */
MUST_CHECK enum err_code s3_credentials_new(const struct s3_profile *profile, bool by_name,
                                            struct s3_credentials **out, struct err *err);
/* A copy for one request, to be released. ERR_STORE_CREDENTIALS: none can be had;
 * ERR_STORE_UNAVAILABLE: not now. */
MUST_CHECK enum err_code s3_credentials_get(struct s3_credentials *c, struct s3_keys *keys,
                                            struct err *err);
/* The server says that these have expired. true: others can be had now. */
bool s3_credentials_expired(struct s3_credentials *c, const char *access);
void s3_credentials_free(struct s3_credentials *c); /* NULL is fine */

/* s3_metadata.c: keys of a role, over HTTP. */
enum s3_role { S3_ROLE_NONE, S3_ROLE_CONTAINER, S3_ROLE_INSTANCE };
/* Which of them this machine may have, by its environment. */
enum s3_role s3_role_here(void);
MUST_CHECK enum err_code s3_role_fetch(enum s3_role role, struct s3_keys *keys, struct err *err);

#endif
