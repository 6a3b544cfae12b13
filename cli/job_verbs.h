/* cli/job_verbs.h: the options of ferry job, shared by the files of its verbs. */
#ifndef FERRY_CLI_JOB_VERBS_H
#define FERRY_CLI_JOB_VERBS_H

#include "cli/job_common.h"

struct job_opts {
    const char *jobs_dir, *accept, *stage, *defaults_file;
    const char *type, *region, *url, *ssl_mode, *ssl_ca, *ssl_cert, *ssl_key;
    bool json, detach, purge, yes, read_only, cancel;
    int role;
};

MUST_CHECK enum err_code job_profile(const struct job_opts *o, const char *root, const char *verb,
                                     const char *name, struct err *err);
/* ferry job delete: of a job in any state. */
MUST_CHECK enum err_code job_delete(const struct job_opts *o, struct job_home *home,
                                    const struct cancel *cancel, struct err *err);
/* ferry job log */
MUST_CHECK enum err_code job_log(const struct job_opts *o, const struct job_home *home,
                                 struct err *err);

#endif
