/* follower/versioned.h: MariaDB's system-versioned tables in the binlog.
 *
 * Their row events hold the columns ROW START and ROW END, declared or not, and the history too: an
 * UPDATE writes the old version as a row of its own, a DELETE is an UPDATE of ROW END. What is
 * followed are the present rows, those whose ROW END lies at the end of time. Measured on MariaDB
 * 10.11; tables whose rows begin and end by transaction numbers (BIGINT) are logged as statements
 * there, which the reader refuses. */
#ifndef FERRY_FOLLOWER_VERSIONED_H
#define FERRY_FOLLOWER_VERSIONED_H

#include "common/base/mem.h"
#include "common/mysql/row_change.h"
#include "common/schema/ddl_table.h"
#include "follower/definition.h"

/* Marks the model's columns and kind by what the table's text says of versions. */
void versioned_read_text(const struct ddl_text *d, const struct ddl_table *parsed,
                         struct table *model);
/* A system-versioned table that declares no ROW START has two columns more in the binlog than
 * anywhere else, the last ones. Appends them; `model->columns` becomes the arena's. */
void versioned_add_hidden(struct table *model, struct arena *arena);
/* Whether it has the columns of a system-versioned table. */
bool versioned_is(const struct table *model);
/* The change as the present rows see it. *any is false where they do not see it. `out` borrows from
 * `in`. ERR_BINLOG_UNSUPPORTED: the image does not say whether the row is present. */
MUST_CHECK enum err_code versioned_change(const struct table *model, const struct row_change *in,
                                          struct row_change *out, bool *any, struct err *err);

#endif
