/* common/schema/engines.h: which storage engines a snapshot holds.
 *
 * By name: that an engine calls itself transactional is not enough (information_schema.ENGINES says
 * so of FEDERATED's and of cluster engines, whose rows another server may change). */
#ifndef FERRY_SCHEMA_ENGINES_H
#define FERRY_SCHEMA_ENGINES_H

#include "common/mysql/conn.h"

#include <stdbool.h>

enum engine_class {
    ENGINE_SNAPSHOT, /* START TRANSACTION WITH CONSISTENT SNAPSHOT holds its rows */
    ENGINE_LOCKED,   /* its rows stand still only while a read lock is held */
    ENGINE_FOREIGN   /* its rows lie elsewhere, or it is not known: no lock here holds them */
};
enum engine_class engine_class_of(const char *engine); /* NULL: ENGINE_FOREIGN */
/* Whether keys are unique in a table of this engine. */
bool engine_keys_unique(const char *engine);
/* Appends the name of a table whose writers would wait behind BACKUP STAGE BLOCK_DDL, if the server
 * has one. */
MUST_CHECK enum err_code engines_writers_wait(struct conn *c, struct strbuf *table,
                                              struct err *err);

#endif
