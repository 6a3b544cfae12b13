/* cli/job_common.h: what ferry migrate and ferry job share: where jobs are, running one, detaching
 * one, and answers as JSON. */
#ifndef FERRY_CLI_JOB_COMMON_H
#define FERRY_CLI_JOB_COMMON_H

#include "cli/opt_common.h"
#include "migrate/job.h"

extern const struct job_commands job_commands_table; /* the options that a job file may hold */

struct job_start {
    const char *root;     /* the folder of jobs */
    const char *accepted; /* ids of warnings, with commas; NULL: none more */
    bool json, quiet;
    enum progress_mode progress;
    const struct cancel *cancel;
    bool answered; /* out: the JSON answer has been printed, an error in it */
};
/* Runs the job of this home, which holds its lock, and prints how it has ended. *exit_status as in
 * command_context. */
MUST_CHECK enum err_code job_start(struct job_home *home, struct job_start *s, int *exit_status,
                                   struct err *err);
/* The same in the background: waits until it has begun. The lock must not be held. */
MUST_CHECK enum err_code job_detach(const struct job_home *home, const struct job_start *s,
                                    struct err *err);
/* Makes the job of the file, or takes up one of the same name that has not ended: then what it
 * moves must be what it was. The home is locked. *over: it is done already. */
MUST_CHECK enum err_code job_make(struct job_home *home, const char *root, const char *file,
                                  bool *over, struct err *err);
/* URL, environment and option file of a role; a job_resolve_fn. */
MUST_CHECK enum err_code job_resolve(const char *text, const char *role, const char *defaults_file,
                                     struct server_url *url, struct err *err);

/* true: --json stands on the line, also where that cannot be read. */
bool json_asked(const struct command_context *ctx);
/* Prints and frees. */
void json_answer(json_t *json);
/* {"error": {"name", "message", "hint"}} */
void json_error(const struct err *err);
/* The record with "running" and the owner of the lock. */
json_t *job_answer(const struct job_home *home, const struct job_record *r);

#endif
