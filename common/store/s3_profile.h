/* common/store/s3_profile.h: AWS's variables and shared files.
 *
 * ~/.aws/credentials (AWS_SHARED_CREDENTIALS_FILE) has sections [NAME], ~/.aws/config
 * (AWS_CONFIG_FILE) has [profile NAME] and [default]; `name = value` lines; lines that begin with
 * '#' or ';' and indented ones (settings within settings) are passed over. The credentials file's
 * word counts before the config file's. */
#ifndef FERRY_STORE_S3_PROFILE_H
#define FERRY_STORE_S3_PROFILE_H

#include "common/base/err.h"
#include "common/store/s3_sign.h"

#include <stdbool.h>

struct s3_profile {
    char *name;
    struct s3_keys keys; /* access NULL: the profile has none */
    char *region, *endpoint, *ca_file;
    char *role; /* how it would get keys: "role_arn", "credential_process", ...; NULL */
    bool found; /* in one of the files */
};

/* `name` NULL: AWS_PROFILE, else "default". A profile that was asked for and is in neither file, or
 * a file that cannot be read: ERR_STORE_CREDENTIALS. On failure nothing is left to release. */
MUST_CHECK enum err_code s3_profile_read(const char *name, struct s3_profile *p, struct err *err);
void s3_profile_release(struct s3_profile *p);
/* A variable's value; NULL when it is not set or empty. Nothing of ours sets variables. */
const char *s3_env(const char *name);
/* A small file of one line (a token), without the newline at its end. Heap. */
MUST_CHECK enum err_code s3_file_line(const char *path, char **line, struct err *err);

#endif
