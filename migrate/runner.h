/* migrate/runner.h: what the parts of the runner share; for files of migrate/ only. */
#ifndef FERRY_MIGRATE_RUNNER_H
#define FERRY_MIGRATE_RUNNER_H

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "migrate/child.h"
#include "migrate/job.h"

struct running { /* one stage's process, in this run */
    struct child child;
    uint64_t began_us;    /* monotonic */
    uint64_t again_us;    /* not before; monotonic */
    uint64_t first_place; /* rows and bytes at its first progress: more means it gets further */
    bool placed;          /* has said any */
    uint64_t rows_before; /* of the runs before this one: a follower says its own only */
    uint64_t log_from;    /* its log's size when it began */
    uint64_t log_seen;    /* how far warnings have been looked for in it */
    bool asked;           /* to stop */
    uint64_t asked_us;    /* monotonic */
    struct strbuf said;   /* its last line that was neither progress nor closing */
    bool done_now;        /* in this run */
    bool reads;           /* dump: has begun to read rows */
};

struct runner {
    const struct job_run *run;
    struct job_record *record;
    struct running stage[STAGE_COUNT];
    struct child helper;   /* ferry status of the target while it is followed */
    uint64_t helper_us;    /* when it was last started */
    const char *check_for; /* --for of the check */
    bool check_first;      /* nothing has begun: warnings count, too */
    bool stopping, deleted, interrupted;
    bool dirty;                     /* the record differs from the file */
    uint64_t written_us, warned_us; /* monotonic */
    uint64_t unwritten_us; /* when it was last said that state.json cannot be written; 0: it can */
    uint64_t said_us;      /* monotonic */
    char *said;            /* the last line; NULL: none */
};

/* stage_conf.c */
void conf_output(const struct runner *r, struct strbuf *out);
MUST_CHECK enum err_code conf_write(const struct runner *r, enum stage_name stage, struct err *err);

/* stage_end.c: what a stage's process has left behind. */
void stage_line(struct runner *r, enum stage_name s, const char *line);
void stage_ended(struct runner *r, enum stage_name s, int status);
void stage_fails(struct runner *r, enum stage_name s, const struct err *err);
/* The error of that name is the stage's, with the job's name in its hint. */
void stage_error_of(struct runner *r, enum stage_name s, enum err_code code, const char *message);
bool stage_blocks(const struct runner *r); /* some stage needs the user */
void target_job_find(struct runner *r);    /* mode = incremental: its number in the target */
/* A file of the job's folder; NULL: none. Heap. */
char *text_read(const struct runner *r, const char *file, uint64_t from, size_t max);

/* keep.c: state.json. */
MUST_CHECK enum err_code keep_first(struct runner *r, struct err *err);
/* On a change, once a second; `now`: at once. Fails only where the folder is gone. */
MUST_CHECK enum err_code keep(struct runner *r, bool now, struct err *err);
MUST_CHECK enum err_code keep_last(struct runner *r, struct err *err);

/* retry.c */
/* A fault that may pass by itself. */
bool retry_may(const struct stage_error *e);
/* Sets when the stage is tried again; false: often enough. `counts` false: it was not at fault. */
bool retry_or_not(struct runner *r, enum stage_name s, bool counts);
/* A process says how far it is, in rows and bytes: once it gets further, faults before it count no
 * more. */
void retry_progress(struct runner *r, enum stage_name s, uint64_t place);

/* stage_warn.c: what it warns of while it runs. */
void warnings_look(struct runner *r, enum stage_name s);
void warning_clear(struct stage_state *st);

/* stage_check.c: what the check found. */
void check_plan(struct runner *r); /* sets check_for; "" when nothing is left to look at */
/* false: it gave no answer. *blocked: the stage's error says what stands in the way. */
bool check_answer(struct runner *r, bool *blocked);

#endif
