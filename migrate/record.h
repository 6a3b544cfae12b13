/* migrate/record.h: how far a job is: one JSON file in its folder, written by the process that
 * holds the job's lock and read by everybody. It is replaced as a whole (temporary file, fsync,
 * rename, fsync of the folder), so that a reader and a crash see the old one or the new one. Its
 * fields are described in docs/job.md. One thread. */
#ifndef FERRY_MIGRATE_RECORD_H
#define FERRY_MIGRATE_RECORD_H

#include "common/base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum stage_name { /* in this order */
                  STAGE_CHECK,
                  STAGE_DUMP,
                  STAGE_LOAD,
                  STAGE_FOLLOW,
                  STAGE_CUTOVER,
                  STAGE_VERIFY,
                  STAGE_COUNT
};
const char *stage_word(enum stage_name s); /* "check" */

enum stage_status {
    STAGE_WAITING,
    STAGE_RUNNING,
    STAGE_RETRYING, /* a fault that may pass; tried again after a pause */
    STAGE_STOPPED,  /* at a safe point, or with its process; goes on with the job */
    STAGE_NEEDS_YOU,
    STAGE_DONE,
    STAGE_NOT_PART /* of a job of this mode */
};
enum job_status { JOB_FRESH, JOB_RUNNING, JOB_PAUSED, JOB_NEEDS_YOU, JOB_OVER };
const char *stage_status_word(enum stage_status s);
const char *job_status_word(enum job_status s);

struct stage_error {
    char *name, *message, *hint; /* heap; NULL: none */
    int exit_status;             /* negative: ended by that signal */
};
struct stage_state {
    enum stage_status status;
    unsigned runs, tries;              /* processes so far; faults in a row */
    unsigned tries_max;                /* retrying: after so many it needs the user; 0: no end */
    int64_t again_us;                  /* retrying: when, UTC */
    int64_t began_us, ended_us;        /* UTC; 0: not yet */
    uint64_t wall_us;                  /* of all runs that have ended */
    uint64_t rows, bytes, total_bytes; /* total 0: not known */
    double rate;                       /* bytes a second, of late */
    int64_t left_s;                    /* seconds; -1: not known */
    int64_t pid;                       /* 0: no process */
    bool left_out;                     /* done, with rows or objects left out by name */
    struct stage_error error;          /* the last one */
    char *warning, *warning_time;      /* heap; the last one of the present run, UTC; NULL: none */
    json_t *closing; /* what the command said of itself at its end; NULL: nothing */
};
struct job_record {
    char *name, *id, *shape; /* heap; id: random, names the job whatever its folder is called */
    char *mode, *size;
    enum job_status status;
    int64_t created_us, updated_us;
    struct stage_state stages[STAGE_COUNT];
    json_t *checks;          /* array: items of the last check that have not passed */
    json_t *accepted;        /* array of ids */
    json_t *follow;          /* object: where the follower is; NULL: nowhere yet */
    json_t *runner;          /* object: who runs it or did last; NULL: nobody yet */
    char *dump_uuid;         /* NULL: not known yet */
    uint64_t target_job;     /* its number in the target's state; 0: not known yet */
    char *position;          /* the last one printed, as text; NULL: none */
    bool cutover, read_only; /* asked for */
    bool claimed;            /* the target's tables are */
};
void job_record_init(struct job_record *s, const char *name);
void job_record_release(struct job_record *s);
/* Replaces DIR/state.json. */
MUST_CHECK enum err_code job_record_write(const char *dir, struct job_record *s, struct err *err);
/* Fills a zeroed struct. ERR_STORE_NOT_FOUND: no job there; ERR_FORMAT. */
MUST_CHECK enum err_code job_record_read(const char *dir, struct job_record *s, struct err *err);
/* The same object as in the file; the caller's reference. */
json_t *job_record_json(const struct job_record *s);

void stage_error_set(struct stage_error *e, const char *name, const char *message, const char *hint,
                     int exit_status);
void stage_error_clear(struct stage_error *e);
/* A JSON string of any bytes; what is no UTF-8 becomes '?'. */
json_t *json_any_text(const char *text);
/* Replaces `dir`/`name` with these bytes as a whole. */
MUST_CHECK enum err_code file_replace(const char *dir, const char *name, const char *text,
                                      size_t len, struct err *err);

#endif
