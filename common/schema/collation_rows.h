/* common/schema/collation_rows.h: the measured part of collation.c's table. */
#ifndef FERRY_SCHEMA_COLLATION_ROWS_H
#define FERRY_SCHEMA_COLLATION_ROWS_H

#include "common/schema/collation.h"

#include <stddef.h>

enum collation_nearest { NEAREST_GENERAL, NEAREST_UNICODE, NEAREST_UCA9, NEAREST_BIN };

struct collation_row {
    const char *name;
    enum collation_nearest nearest;
    enum collation_relation relation;
    const char *merges; /* equal there, not here */
    const char *splits; /* equal here, not there */
};

extern const struct collation_row collation_rows[]; /* sorted by name (bytes) */
extern const size_t collation_row_count;

#endif
