/* common/mysql/position.h: a point in a server's binlog: file and offset, and the GTID set of the
 * same instant. */
#ifndef FERRY_MYSQL_POSITION_H
#define FERRY_MYSQL_POSITION_H

#include "common/mysql/conn.h"

struct position {
    char *file;      /* NULL: binary logging is off */
    uint64_t offset; /* bytes */
    char *gtid;      /* MySQL or MariaDB form; "" when there is none; newlines removed */
};
struct source_identity {
    char *server_uuid; /* MySQL; NULL elsewhere */
    char *server_id;
    char *hostname;
    char *version;
    char *binlog_format; /* NULL when off */
};

/* SHOW MASTER STATUS or SHOW BINARY LOG STATUS (and @@gtid_binlog_pos on MariaDB). Exact only while
 * FLUSH TABLES WITH READ LOCK is held. With log_bin=0: file NULL, no error. ERR_PRIVILEGE names the
 * GRANT. */
MUST_CHECK enum err_code position_read(struct conn *c, struct position *, struct err *err);
MUST_CHECK enum err_code source_identity_read(struct conn *c, struct source_identity *,
                                              struct err *err);
/* "NAME.000001:4", as people write a place: *file is heap. false: it is none. */
bool position_place_parse(const char *text, char **file, uint64_t *offset);
bool position_equal(const struct position *a, const struct position *b);
void position_release(struct position *);
void source_identity_release(struct source_identity *);

#endif
