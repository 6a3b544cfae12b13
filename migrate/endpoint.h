/* migrate/endpoint.h: one server as a job or a profile names it: kind, region, URL, TLS files;
 * never a password. Profiles are files of their own, DIR/profiles/NAME.ini, so that jobs share
 * them. */
#ifndef FERRY_MIGRATE_ENDPOINT_H
#define FERRY_MIGRATE_ENDPOINT_H

#include "common/base/strbuf.h"
#include "common/mysql/server_url.h"
#include "migrate/ini.h"

#define JOB_NAME_MAX 60 /* bytes, the NUL included */

enum endpoint_kind {
    ENDPOINT_MYSQL,
    ENDPOINT_MARIADB,
    ENDPOINT_RDS,
    ENDPOINT_AURORA,
    ENDPOINT_TIDB
};

struct endpoint { /* texts are borrowed from the ini it was read from */
    const char *profile;
    bool has_kind;
    enum endpoint_kind kind; /* what the user says it is; compared with what it says itself */
    const char *region;      /* for people */
    const char *base;        /* the URL as it was written; NULL: not said */
    const char *params[12];  /* name, value, name, value ...; from the TLS keys */
    unsigned param_count;
    unsigned line; /* where it begins */
};

/* The rule of names: a letter first, then letters, digits, '_', '-', fewer than 60. ERR_USAGE;
 * `what` is "job" or "profile". */
MUST_CHECK enum err_code name_check(const char *what, const char *name, struct err *err);

/* One line of [source], [target] or [profile]. *mine false: the key is none of an endpoint's. */
MUST_CHECK enum err_code endpoint_line(struct endpoint *e, const struct ini_line *line, bool *mine,
                                       struct err *err);
/* The URL with the TLS files in it, looked at whether it can be understood. ERR_USAGE. */
MUST_CHECK enum err_code endpoint_url(const struct endpoint *e, struct strbuf *url,
                                      struct err *err);
const char *endpoint_kind_name(enum endpoint_kind kind);

struct profile {
    struct ini ini; /* owns the texts */
    struct endpoint endpoint;
};
/* DIR/profiles/NAME.ini; ERR_STORE_NOT_FOUND names the folder. ERR_USAGE has the line. */
MUST_CHECK enum err_code profile_read(const char *jobs_dir, const char *name, struct profile *p,
                                      struct err *err);
void profile_release(struct profile *p);
void profile_path(const char *jobs_dir, const char *name, struct strbuf *path);

#endif
