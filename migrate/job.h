/* migrate/job.h: a job runs its stages, each as a process of its own: check, dump, load beside it,
 * follow, cut-over, verify. It says to each command what a user could have typed, by a --config
 * file in the job's folder; each goes on where it was when it is said again, so that a job is
 * resumed by starting what had not ended.
 *
 *     check -> claim of the target's tables -> dump ---------> ...
 *                                               '-> load ----> follow --(asked)--> cutover ->
 * verify
 *
 * The runner's one thread looks every 100 ms: at its children (their lines, whether they have
 * ended), at the requests in the folder (home.h), at signals. It alone writes state.json, on every
 * change and once a second. A fault that may pass is tried again, slower each time; whatever else
 * ends a stage needs the user: what runs besides is stopped at its safe point, but for a dump,
 * whose snapshot could not be had again. */
#ifndef FERRY_MIGRATE_JOB_H
#define FERRY_MIGRATE_JOB_H

#include "common/base/progress.h"
#include "migrate/home.h"
#include "migrate/spec.h"

/* The URL with what the environment and the option file add (passwords). */
typedef enum err_code job_resolve_fn(const char *text, const char *role, const char *defaults_file,
                                     struct server_url *url, struct err *err);

struct job_run {
    struct job_home *home; /* locked */
    const struct job_spec *spec;
    job_resolve_fn *resolve;
    enum progress_mode progress;
    const struct cancel *cancel;
};
/* Runs until done (ERR_OK), paused or deleted (ERR_INTERRUPTED), or the user is needed: the error
 * of the stage. `record` is as it was read; it is filled in every case. *left_out: done, with
 * objects or rows left out by name. */
MUST_CHECK enum err_code job_run(const struct job_run *run, struct job_record *record,
                                 bool *left_out, struct err *err);

/* ---- the target's side (job_target.c) ---- */

/* Writes down, in the target's state schema, which tables this job fills. ERR_JOB_OVERLAP names
 * those that another job does, and it. */
MUST_CHECK enum err_code job_claim(const struct job_run *run, const char *id, struct err *err);
/* Takes that back; with `rows_too` removes what loads of this dump or of this job number have
 * recorded in the target. */
struct job_release {
    const char *id, *dump_uuid; /* of the record; dump_uuid NULL: not known */
    const char *schema;         /* NULL: ferry_meta */
    uint64_t target_job;        /* 0: not known */
    bool rows_too;
};
MUST_CHECK enum err_code job_release(const struct server_url *target, const struct job_release *r,
                                     struct err *err);

/* ---- for people (job_text.c) ---- */

/* One line: what runs, how far. */
void job_line_text(const struct job_record *r, struct strbuf *out);
void job_text(const struct job_record *r, bool running, struct strbuf *out);
/* Stages with times, rows, bytes and rates; tables; positions. */
void job_closing_text(const struct job_record *r, struct strbuf *out);

#endif
