/* common/schema/rename.h: a definition under the names that a route gives: its own, and those of
 * the tables that it speaks of. Works on tokens; what is not renamed is copied byte for byte. No
 * state: any thread. */
#ifndef FERRY_SCHEMA_RENAME_H
#define FERRY_SCHEMA_RENAME_H

#include "common/base/strbuf.h"
#include "common/mysql/flavour.h"
#include "common/mysql/route.h"
#include "common/schema/convert.h"

struct rename_params {
    const struct route *route;
    const struct flavour *flavour; /* whose words the statement is in */
    const char *db;                /* what bare names belong to, on the source */
    enum object_kind kind;         /* OBJECT_DATABASE, OBJECT_TABLE (its ALTER TABLE too),
                                      OBJECT_VIEW, OBJECT_SEQUENCE */
};
/* Appends the statement. The object's own name is written with its database. ERR_FORMAT: it cannot
 * be understood. */
MUST_CHECK enum err_code rename_definition(const char *sql, const struct rename_params *p,
                                           struct strbuf *out, struct err *err);

#endif
