/* common/target/table_limits.h: what a target's tables may have. */
#ifndef FERRY_TARGET_TABLE_LIMITS_H
#define FERRY_TARGET_TABLE_LIMITS_H

#include "common/mysql/conn.h"

struct table_limits {
    size_t max_row; /* bytes of a row's values at most; 0: no limit */
    unsigned max_key_bytes, max_keys, max_columns; /* 0: as usual (convert.h) */
};
/* A TiDB's: txn-entry-size-limit, max-index-length, index-limit, table-column-count-limit; the
 * usual ones where the account may not read them. Zeros elsewhere. Only faults that may pass are
 * errors. */
MUST_CHECK enum err_code table_limits_read(struct conn *c, struct table_limits *out,
                                           struct err *err);

#endif
