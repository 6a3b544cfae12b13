/* follower/follow_ddl.h: what the files of a followed DDL statement share. */
#ifndef FERRY_FOLLOWER_FOLLOW_DDL_H
#define FERRY_FOLLOWER_FOLLOW_DDL_H

#include "follower/ddl_plan.h"
#include "follower/follow_inner.h"

struct ddl_job { /* one statement */
    struct follow_run *run;
    struct ddl_plan plan;
    bool target_read;       /* its tables have been, since the step at hand */
    struct follow_ddl note; /* as the target has it, or is to have it */
};

/* ---- ddl_step.c ---- */
/* Appends the step as the target takes it. ERR_FORMAT, ERR_FOLLOW_DDL: it cannot be done exactly.
 */
MUST_CHECK enum err_code step_sql(struct ddl_job *j, const struct ddl_step *s, struct strbuf *sql,
                                  struct err *err);
/* Whether the target is as the step leaves it. */
MUST_CHECK enum err_code step_probe(const struct ddl_job *j, const struct ddl_step *s, bool *done,
                                    struct err *err);
/* Until no server works at the step any more that a run which died has begun. */
MUST_CHECK enum err_code step_wait(const struct ddl_job *j, struct err *err);

/* ---- ddl_learn.c ---- */
/* The definitions in memory become those behind the step. */
MUST_CHECK enum err_code step_learn(struct ddl_job *j, const struct ddl_step *s, struct err *err);
/* Those of all the statement's tables, with its note, into the target's state. */
MUST_CHECK enum err_code ddl_keep(struct ddl_job *j, struct err *err);
/* ERR_FOLLOW_DDL: what the column holds in rows that were there is not the same everywhere, or it
 * is not known how its rows look in the binlog. */
MUST_CHECK enum err_code column_allowed(const struct ddl_job *j, const struct ddl_step *s,
                                        struct err *err);

#endif
