/* migrate/home.h: where jobs live: a folder each, DIR/NAME, that may be moved.
 *
 *   job.ini     what was asked for; read anew by each run
 *   state.json  record.h
 *   lock        whoever holds its flock runs the job; holds the owner as JSON, for people
 *   pause, cutover, delete   what the runner is asked for, by files that are there or not
 *   STAGE.conf, STAGE.log, STAGE.out   of each stage's process: options, log (JSON lines), output
 *   dump/       the dump, where [dump] names no other output
 *
 * The flock belongs to the runner's open file, which its children inherit: no second runner begins
 * while one of them lives, and after a crash or a reboot nothing is left of it. */
#ifndef FERRY_MIGRATE_HOME_H
#define FERRY_MIGRATE_HOME_H

#include "common/base/pool.h"
#include "migrate/record.h"

#include <stddef.h>

struct job_home {
    char *root, *name, *dir; /* heap */
    int lock;                /* -1: not held */
};
#define JOB_HOME_INIT                                                                              \
    {                                                                                              \
        .lock = -1                                                                                 \
    }
/* The folder of jobs: `given`, else $XDG_STATE_HOME/ferry/jobs, else ~/.local/state/ferry/jobs; as
 * an absolute path. Heap. */
MUST_CHECK enum err_code jobs_dir(const char *given, char **dir, struct err *err);

/* Of a job that need not be there. ERR_USAGE: no name. */
MUST_CHECK enum err_code home_init(struct job_home *h, const char *root, const char *name,
                                   struct err *err);
void home_release(struct job_home *h); /* gives the lock back */
/* Makes DIR/NAME, and what is above it. */
MUST_CHECK enum err_code home_create(const struct job_home *h, struct err *err);
/* `dir`/`file`, heap. */
char *home_path(const struct job_home *h, const char *file);
/* true: state.json is there. */
bool home_exists(const struct job_home *h);
/* ERR_STORE_NOT_FOUND names the job and where it was looked for. */
MUST_CHECK enum err_code home_must_exist(const struct job_home *h, struct err *err);

/* Takes the lock, for a run to begin: what was asked of an earlier run, a pause, is taken back
 * before, so that one that is asked for from now on counts. */
MUST_CHECK enum err_code home_begin(struct job_home *h, const struct cancel *cancel,
                                    struct err *err);
/* Takes the lock. Where the runner is gone and only its children still stop, or `wait_us` says so,
 * it is waited for. ERR_JOB_LOCKED names the owner. */
MUST_CHECK enum err_code home_lock(struct job_home *h, uint64_t wait_us,
                                   const struct cancel *cancel, struct err *err);
/* Whether somebody holds it; looks only. *owner: new reference, NULL where it cannot be read. */
bool home_locked(const struct job_home *h, json_t **owner);
/* "host, process 123, since ..." */
void home_owner_text(const json_t *owner, char *out, size_t cap);

enum home_request { REQUEST_PAUSE, REQUEST_CUTOVER, REQUEST_DELETE };
/* `text` is what the file holds. */
MUST_CHECK enum err_code home_ask(const struct job_home *h, enum home_request r, const char *text,
                                  struct err *err);
bool home_asked(const struct job_home *h, enum home_request r);
void home_answered(const struct job_home *h, enum home_request r);

/* Names of all jobs, sorted; each is heap, and so is the list. A folder that is not there has none.
 */
MUST_CHECK enum err_code home_list(const char *root, char ***names, size_t *count, struct err *err);
void home_list_free(char **names, size_t count);
/* Removes the job's own files, and with `all` the dump in the folder too; then the folder, if it is
 * empty. The lock must be held. */
MUST_CHECK enum err_code home_remove(struct job_home *h, bool all, struct err *err);

#endif
