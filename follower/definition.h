/* follower/definition.h: a source table's columns as of a point of the binlog, in memory and as the
 * target's state keeps them.
 *
 * Text: {"columns":[{"name":...,"type":"int(10) unsigned","charset":...,"collation":...,
 * "nullable":true,"generated":"virtual"|"stored","hidden":true}],"collation":...}. What a row of
 * the binlog needs to be read, and the table's collation, which columns to come will have. */
#ifndef FERRY_FOLLOWER_DEFINITION_H
#define FERRY_FOLLOWER_DEFINITION_H

#include "common/base/err.h"
#include "common/base/strbuf.h"
#include "common/schema/model.h"

struct follow_table;
/* Given to the binlog reader as a table's definition; it gives the follower's table back. */
struct definition {
    struct table model;         /* first: the reader holds a pointer to it */
    struct follow_table *owner; /* borrowed */
    struct arena *arena;        /* everything else is its */
    bool versioned;             /* versioned.h: what its rows' changes mean */
};

/* Copies what counts of `t`. */
struct definition *definition_copy(const struct table *t, struct follow_table *owner);
void definition_free(struct definition *d); /* NULL is fine */
/* Appends "(id int(11), v varchar(20) latin1)": for people. */
void definition_show(const struct table *t, struct strbuf *out);
/* Appends the text. */
void definition_text(const struct table *t, struct strbuf *out);
/* ERR_LOAD_STATE: the text is none of ours. */
MUST_CHECK enum err_code definition_parse(const char *db, const char *name, const char *text,
                                          struct follow_table *owner, struct definition **out,
                                          struct err *err);

#endif
