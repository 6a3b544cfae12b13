/* common/mysql/route.h: under which names the source's tables stand on the target.
 *
 * A rule is FROM=TO: 'shop.*=shop2.*' for a database, 'shop.t=shop2.u' for one table, which goes
 * before its database's. Names are exact, bytes; with backquotes where they hold '.', '=' or '*'.
 * Immutable after parsing: any thread. */
#ifndef FERRY_MYSQL_ROUTE_H
#define FERRY_MYSQL_ROUTE_H

#include "common/base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct route;
/* ERR_USAGE: a rule that is none, two for the same name, a system schema as the target. */
MUST_CHECK enum err_code route_new(const char *const *rules, size_t count, struct route **,
                                   struct err *err);
/* From what route_text gave. */
MUST_CHECK enum err_code route_of_text(const char *text, struct route **, struct err *err);
void route_free(struct route *r);
bool route_is_empty(const struct route *r);
/* The names on the target; borrowed from the route, or from the arguments. */
void route_table(const struct route *r, const char *db, const char *table, const char **to_db,
                 const char **to_table);
/* Where a database as a whole goes. */
const char *route_database(const struct route *r, const char *db);
/* Some rule is about this database or a table of it. */
bool route_names_database(const struct route *r, const char *db);
/* A form that does not depend on the order and the spelling of the rules; "" for none. Bound to a
 * job's state. */
const char *route_text(const struct route *r);
/* The rules one by one: their source's names; *table NULL for a whole database. */
size_t route_count(const struct route *r);
void route_source(const struct route *r, size_t i, const char **db, const char **table);

#endif
