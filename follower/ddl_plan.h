/* follower/ddl_plan.h: what a statement of DDL does to tables, as steps that can be done one after
 * the other; or that it is none of those. No server is asked. No state: any thread. */
#ifndef FERRY_FOLLOWER_DDL_PLAN_H
#define FERRY_FOLLOWER_DDL_PLAN_H

#include "common/base/mem.h"
#include "common/mysql/flavour.h"
#include "common/schema/ddl_table.h"

enum ddl_act {
    ACT_TRUNCATE,
    ACT_DROP,
    ACT_RENAME,       /* to other_db.other_name */
    ACT_LIKE,         /* CREATE TABLE ... LIKE other_db.other_name */
    ACT_CREATE,       /* `text` is the whole statement */
    ACT_ALTER,        /* the clauses, all at once */
    ACT_DROP_DATABASE /* `db`, once nothing is in it any more */
};
/* One part of an ALTER TABLE. */
enum clause_kind {
    CLAUSE_NOTHING,       /* how the server goes about it, or stores it */
    CLAUSE_ADD_COLUMN,    /* `to` */
    CLAUSE_DROP_COLUMN,   /* `name` */
    CLAUSE_CHANGE_COLUMN, /* CHANGE `name` `to`, MODIFY (equal names) */
    CLAUSE_RENAME_COLUMN, /* `name` becomes `to` */
    CLAUSE_DEFAULT,       /* ALTER COLUMN `name` SET or DROP DEFAULT */
    CLAUSE_ADD_KEY,       /* `to`; NULL: the server names it */
    CLAUSE_DROP_KEY,      /* `name` */
    CLAUSE_RENAME_KEY,
    CLAUSE_KEY, /* ALTER INDEX: visible or not */
    CLAUSE_ADD_PRIMARY,
    CLAUSE_DROP_PRIMARY,
    CLAUSE_DROP_FOREIGN, /* `name` */
    CLAUSE_OPTION,       /* one option of the table */
    CLAUSE_CONVERT,      /* CONVERT TO CHARACTER SET: text is the options */
    CLAUSE_PARTITION,    /* stands alone in its statement on the target */
    CLAUSE_BY_HAND       /* known, no column changes, and not done on the target */
};
struct ddl_clause {
    enum clause_kind kind;
    const char *name, *to;
    const char *text;  /* as it was written; of a column: its definition, from its name on, without
                          where it stands; of a key: from its words on */
    bool first;        /* a column: FIRST */
    const char *after; /* a column: AFTER; NULL: none */
    bool if_exists;    /* IF EXISTS, IF NOT EXISTS */
};
struct ddl_step { /* the plan's; names as they are written */
    enum ddl_act act;
    const char *kind; /* the statement's first words: "alter table" */
    const char *db, *name;
    const char *other_db, *other_name;
    bool if_exists; /* IF EXISTS, IF NOT EXISTS */
    const char *text;
    struct ddl_clause *clauses;
    size_t clause_count;
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
/* Adds an empty step; earlier ones may move. */
struct ddl_step *ddl_plan_add(struct ddl_plan *plan, enum ddl_act act);

#endif
