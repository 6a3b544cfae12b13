/* formats/dump_position.h: the binlog position of a dump as text, JSON, a DM task, or the statement
 * that makes a replica go on from it. No state.
 *
 * A dump has one position if all its epochs have the same one. The forms for replication are
 * refused where following them would lose or double changes: a dump that is not finished, one of
 * consistency `none`, a partial one, one that does without a table, one without a position; the two
 * statements also for several positions (a replica would fail on changes to rows that are not there
 * yet, or skip them). A DM task is of the first position then, with safe mode on, and says up to
 * where that is needed. */
#ifndef FERRY_FORMATS_DUMP_POSITION_H
#define FERRY_FORMATS_DUMP_POSITION_H

#include "formats/dump_read.h"

/* Whether the epochs from..to (numbers, from 1) all have the same place in the binlog: then the
 * rows read in them are of one moment. */
bool dump_one_position(const struct dump *d, unsigned from, unsigned to);

enum position_form { POSITION_TEXT, POSITION_JSON, POSITION_DM, POSITION_MYSQL, POSITION_MARIADB };
/* Appends to `out`, ending in a newline. ERR_DUMP_INCOMPLETE, ERR_DUMP_CONSISTENCY: as above. */
MUST_CHECK enum err_code dump_position(const struct dump *d, enum position_form form,
                                       struct strbuf *out, struct err *err);

#endif
