/* common/mysql/binlog_stream.h: a server's binlog over the wire.
 *
 * A connection of its own, registered as a replica with a server id that no other has. By file and
 * offset or by GTID set (COM_BINLOG_DUMP, COM_BINLOG_DUMP_GTID; MariaDB: @slave_connect_state with
 * @mariadb_slave_capability 4). Every event's checksum is verified; offsets are counted here, since
 * the server's have 32 bits. Semi-synchronous replication is never asked for: the source does not
 * wait for us. One thread at a time. */
#ifndef FERRY_MYSQL_BINLOG_STREAM_H
#define FERRY_MYSQL_BINLOG_STREAM_H

#include "common/base/pool.h"
#include "common/mysql/binlog_source.h"
#include "common/mysql/conn.h"

struct binlog_stream_config {
    const struct server_url *url; /* must outlive the stream */
    uint32_t server_id;           /* 0: a random high one that is free */
    unsigned heartbeat_ms;        /* the longest silence; 0: 1000 */
    bool until_end;               /* BINLOG_GOT_END at the binlog's present end, do not wait */
};

/* Connects and asks for the events from `at` on. ERR_PRIVILEGE (REPLICATION SLAVE), ERR_USAGE (the
 * server id is taken), ERR_BINLOG_PURGED (it may also come with the first event). */
MUST_CHECK enum err_code binlog_stream_open(const struct binlog_stream_config *config,
                                            const struct binlog_start *at, struct binlog_source **,
                                            struct err *err);
/* What the server is. Valid as long as the stream. */
const struct flavour *binlog_stream_flavour(const struct binlog_source *stream);
uint32_t binlog_stream_server_id(const struct binlog_source *stream);

#endif
