/* follower/follow_ddl.h: what the files of a followed DDL statement share. */
#ifndef FERRY_FOLLOWER_FOLLOW_DDL_H
#define FERRY_FOLLOWER_FOLLOW_DDL_H

#include "common/schema/convert.h"
#include "follower/ddl_plan.h"
#include "follower/follow_inner.h"

struct ddl_job { /* one statement */
    struct follow_run *run;
    struct ddl_plan plan;
    struct follow_ddl note; /* as the target has it, or is to have it */
    bool by_hand;           /* the user has done it on the target */
    const char *strange;    /* why it may be done by hand alone; NULL: it may be done */
};

/* ---- ddl_step.c: what is not an ALTER is one unit ---- */
/* Appends the step as the target takes it. ERR_FORMAT, ERR_FOLLOW_DDL: it cannot be done exactly.
 */
MUST_CHECK enum err_code step_sql(struct ddl_job *j, const struct ddl_step *s, struct strbuf *sql,
                                  struct err *err);
/* Whether the target is as the step leaves it. Not of an ALTER. */
MUST_CHECK enum err_code step_probe(const struct ddl_job *j, const struct ddl_step *s, bool *done,
                                    struct err *err);
/* How the target shows the step's table, but for its next AUTO_INCREMENT. Owned. */
MUST_CHECK enum err_code step_shape(const struct ddl_job *j, const struct ddl_step *s, char **shape,
                                    struct err *err);
/* Until no server works at the step any more that a run which died has begun. */
MUST_CHECK enum err_code step_wait(const struct ddl_job *j, struct err *err);
void step_add_target(const struct follow_run *run, const char *db, const char *name,
                     struct strbuf *sql);
/* A definition as the target takes it. ERR_FOLLOW_DDL: it cannot have it. Release in any case. */
MUST_CHECK enum err_code step_convert(const struct follow_run *run, const char *sql,
                                      const char *collation, struct converted *c, struct err *err);

/* ---- ddl_clause.c: an ALTER on the target ---- */
/* How many statements an ALTER is on this target: TiDB takes clauses one by one, others all at
 * once, but partitions. Depends on the plan and the target's kind alone. */
unsigned alter_units(const struct follow_run *run, const struct ddl_step *s);
/* Appends the statement; nothing where the target has nothing to do. `model` as learned. */
MUST_CHECK enum err_code alter_sql(struct ddl_job *j, const struct ddl_step *s,
                                   const struct table *model, unsigned unit, struct strbuf *sql,
                                   struct err *err);

/* ---- ddl_exact.c ---- */
/* table.partition: both sides are divided alike, or it is not known any more. */
#define PARTITION_SAME "*"
#define PARTITION_UNKNOWN "?"
/* ERR_FOLLOW_DDL: what an ALTER leaves in rows that are there may not be the same on the target.
 * `model` as learned. */
MUST_CHECK enum err_code alter_exact(const struct ddl_job *j, const struct ddl_step *s,
                                     const struct table *model, struct err *err);
/* ERR_FOLLOW_DDL: the target may come to other partitions by this text, or has other rows in them.
 */
MUST_CHECK enum err_code partition_text_exact(const struct ddl_job *j, const struct ddl_step *s,
                                              const char *text, struct err *err);

/* ---- ddl_plain.c ---- */
/* Appends the statement as a session without ANSI_QUOTES, NO_BACKSLASH_ESCAPES and REAL_AS_FLOAT
 * would have said it. *strange: something in it cannot be said so; else untouched. ERR_FORMAT: a
 * quote is not closed. */
MUST_CHECK enum err_code ddl_plain(const struct binlog_statement *s, const struct flavour *source,
                                   struct strbuf *out, const char **strange, struct err *err);

/* ---- ddl_learn.c ---- */
/* The table as an ALTER leaves it, in `arena`. ERR_FOLLOW_DDL: it is not of the table that is
 * known. */
MUST_CHECK enum err_code alter_model(struct ddl_job *j, const struct ddl_step *s,
                                     struct arena *arena, struct table *out, struct err *err);
/* The definitions in memory become those behind the step. */
MUST_CHECK enum err_code step_learn(struct ddl_job *j, const struct ddl_step *s, struct err *err);
/* The collation of a database's new tables on the source. Owned; NULL: not known. */
MUST_CHECK enum err_code database_collation(const struct follow_run *run, const char *db,
                                            char **out, struct err *err);

/* ---- ddl_fold.c ---- */
/* The plan's names become those under which the source has the tables. ERR_FOLLOW_DDL: it could not
 * be asked. */
MUST_CHECK enum err_code job_names(struct ddl_job *j, struct err *err);

/* ---- ddl_keep.c ---- */
/* Those of all the statement's tables, with its note, into the target's state. */
MUST_CHECK enum err_code ddl_keep(struct ddl_job *j, struct err *err);

struct column_text {     /* "CREATE TABLE `t` (...)" read */
    struct arena *arena; /* free it in any case */
    struct ddl_text d;
    struct ddl_table t;
};
/* A definition of one column, or of what stands in a table's parentheses. */
MUST_CHECK enum err_code column_text_read(const char *text, const struct flavour *flavour,
                                          struct column_text *out, struct err *err);

#endif
