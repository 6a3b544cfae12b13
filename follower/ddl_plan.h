/* follower/ddl_plan.h: what a statement of DDL does to tables, as steps that can be done one after
 * the other and seen to be done; or that it is none of those. No server is asked. No state: any
 * thread. */
#ifndef FERRY_FOLLOWER_DDL_PLAN_H
#define FERRY_FOLLOWER_DDL_PLAN_H

#include "common/base/mem.h"
#include "common/mysql/flavour.h"
#include "common/schema/ddl_table.h"

enum ddl_act {
    ACT_TRUNCATE,
    ACT_DROP,
    ACT_RENAME, /* to other_db.other_name */
    ACT_LIKE,   /* CREATE TABLE ... LIKE other_db.other_name */
    ACT_CREATE, /* `clause` is the whole statement */
    ACT_ADD_COLUMN,
    ACT_DROP_COLUMN,
    ACT_ADD_KEY,
    ACT_DROP_KEY
};
struct ddl_step { /* the plan's; names as they are written */
    enum ddl_act act;
    const char *db, *name;
    const char *other_db, *other_name;
    bool if_exists;     /* IF EXISTS, IF NOT EXISTS */
    const char *part;   /* the column's or key's name; NULL: the key has none */
    const char *clause; /* ADD_COLUMN, ADD_KEY: the definition's text, from its name on */
    bool first;         /* ADD_COLUMN: FIRST */
    const char *after;  /* ADD_COLUMN: AFTER; NULL: none */
};
struct ddl_plan {
    struct arena *arena; /* owns all */
    struct ddl_step *steps;
    size_t count;
};
/* ERR_FORMAT: another kind of statement, or a form that is not known. Release in any case. */
MUST_CHECK enum err_code ddl_plan_parse(const char *sql, const char *default_db,
                                        const struct flavour *source, struct ddl_plan *plan,
                                        struct err *err);
void ddl_plan_release(struct ddl_plan *plan);

#endif
