/* formats/binlog_gtid.h: events that name transactions. No state. */
#ifndef FERRY_FORMATS_BINLOG_GTID_H
#define FERRY_FORMATS_BINLOG_GTID_H

#include "common/mysql/binlog_event.h"
#include "common/mysql/gtid_set.h"

struct binlog_gtid {
    struct gtid gtid; /* kind GTID_NONE: anonymous */
    bool standalone;  /* MariaDB: one statement, without a COMMIT */
    bool xa;          /* MariaDB: prepares or decides an XA transaction */
};

/* A Gtid, Anonymous_Gtid, Gtid_tagged or MariaDB's Gtid event in data[0..len), header included,
 * without checksum. ERR_BINLOG_EVENT. */
MUST_CHECK enum err_code binlog_gtid_read(const uint8_t *data, size_t len, struct binlog_gtid *,
                                          struct err *err);
/* Previous_gtids, Gtid_list: what is in the files before. Adds to the set, which is of the right
 * kind. */
MUST_CHECK enum err_code binlog_gtids_before(const uint8_t *data, size_t len, struct gtid_set *,
                                             struct err *err);

#endif
