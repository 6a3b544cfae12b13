/* follower/ddl_parse.h: what the files of ddl_plan share. */
#ifndef FERRY_FOLLOWER_DDL_PARSE_H
#define FERRY_FOLLOWER_DDL_PARSE_H

#include "follower/ddl_plan.h"

struct planner {
    struct ddl_plan *plan;
    struct ddl_text d;
    size_t at;
    const char *default_db;
    const char *kind;
};
/* Steps over the words, if they stand here. */
bool plan_take(struct planner *p, const char *words);
bool plan_at_end(const struct planner *p);
enum err_code plan_not_known(const struct planner *p, struct err *err);
MUST_CHECK enum err_code plan_word(struct planner *p, const char **name, struct err *err);
/* NAME or NAME.NAME. */
MUST_CHECK enum err_code plan_name(struct planner *p, const char **db, const char **name,
                                   struct err *err);
struct ddl_step *plan_step(struct planner *p, enum ddl_act act);
/* ALGORITHM=..., LOCK=...: how the server goes about it. */
bool plan_manner(struct planner *p);

/* ---- ddl_alter.c ---- */
/* Behind ALTER TABLE. */
MUST_CHECK enum err_code plan_alter(struct planner *p, struct err *err);
/* Behind CREATE or DROP, where an index's words stand: an ALTER with one clause. */
MUST_CHECK enum err_code plan_index(struct planner *p, bool create, struct err *err);

#endif
