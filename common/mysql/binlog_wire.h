/* common/mysql/binlog_wire.h: the replication commands, all in which MariaDB's and Oracle's client
 * library differ there. */
#ifndef FERRY_MYSQL_BINLOG_WIRE_H
#define FERRY_MYSQL_BINLOG_WIRE_H

#include "common/base/strbuf.h"

#include <mysql.h>
#include <stdbool.h>
#include <stdint.h>

#define WIRE_NON_BLOCK 1U /* an end instead of waiting */
/* MariaDB: Annotate_rows events too. MySQL 8.0.26 and above: heartbeats with 64-bit offsets. */
#define WIRE_MORE 2U

struct wire_dump {
    const char *file; /* "" with a GTID set */
    uint32_t offset;
    uint32_t server_id;
    unsigned flags;             /* WIRE_... */
    const struct strbuf *gtids; /* encoded; NULL: by file and offset */
};

struct wire; /* an open dump */

/* COM_REGISTER_SLAVE. false: the handle's error says why. Oracle's library has no function for it:
 * there nothing is done, and the server does not list the stream among its replicas. */
bool wire_register(MYSQL *mysql, uint32_t server_id);
/* NULL: the handle's error says why. `dump` is borrowed as long as the wire is open. */
struct wire *wire_open(MYSQL *mysql, const struct wire_dump *dump);
/* The next event, with its checksum, valid until the next call. *len 0: the end. false: the
 * handle's error says why. */
bool wire_fetch(struct wire *w, const uint8_t **data, size_t *len);
void wire_close(struct wire *w); /* NULL is fine; the connection is of no use afterwards */

#endif
