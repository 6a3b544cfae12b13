/* common/mysql/binlog_event.h: the frame that every event of a binlog has: header, checksum, format
 * description. What is inside the events is read in formats/.
 *
 * Sources of the format: MySQL Internals Manual "Binary Log", libs/mysql/binlog/event of MySQL,
 * MariaDB Knowledge Base "Replication Protocol". All integers are little-endian. No state. */
#ifndef FERRY_MYSQL_BINLOG_EVENT_H
#define FERRY_MYSQL_BINLOG_EVENT_H

#include "common/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BINLOG_HEADER 19U     /* bytes of the common header since MySQL 5.0 */
#define BINLOG_CHECKSUM 4U    /* bytes of a CRC32 behind the event */
#define BINLOG_FIRST_OFFSET 4 /* of a file's first event, behind the magic number */

/* The numbers in the header. The two vendors' numbers do not overlap where both are in use. */
enum binlog_type {
    EVENT_UNKNOWN = 0,
    EVENT_START_V3 = 1,
    EVENT_QUERY = 2,
    EVENT_STOP = 3,
    EVENT_ROTATE = 4,
    EVENT_INTVAR = 5,
    EVENT_LOAD = 6,
    EVENT_SLAVE = 7,
    EVENT_CREATE_FILE = 8,
    EVENT_APPEND_BLOCK = 9,
    EVENT_EXEC_LOAD = 10,
    EVENT_DELETE_FILE = 11,
    EVENT_NEW_LOAD = 12,
    EVENT_RAND = 13,
    EVENT_USER_VAR = 14,
    EVENT_FORMAT = 15,
    EVENT_XID = 16,
    EVENT_BEGIN_LOAD_QUERY = 17,
    EVENT_EXECUTE_LOAD_QUERY = 18,
    EVENT_TABLE_MAP = 19,
    EVENT_WRITE_ROWS_V0 = 20, /* 5.1 before its first release */
    EVENT_UPDATE_ROWS_V0 = 21,
    EVENT_DELETE_ROWS_V0 = 22,
    EVENT_WRITE_ROWS_V1 = 23,
    EVENT_UPDATE_ROWS_V1 = 24,
    EVENT_DELETE_ROWS_V1 = 25,
    EVENT_INCIDENT = 26,
    EVENT_HEARTBEAT = 27,
    EVENT_IGNORABLE = 28,
    EVENT_ROWS_QUERY = 29,
    EVENT_WRITE_ROWS = 30,
    EVENT_UPDATE_ROWS = 31,
    EVENT_DELETE_ROWS = 32,
    EVENT_GTID = 33,
    EVENT_ANONYMOUS_GTID = 34,
    EVENT_PREVIOUS_GTIDS = 35,
    EVENT_TRANSACTION_CONTEXT = 36,
    EVENT_VIEW_CHANGE = 37,
    EVENT_XA_PREPARE = 38,
    EVENT_PARTIAL_UPDATE_ROWS = 39,
    EVENT_TRANSACTION_PAYLOAD = 40,
    EVENT_HEARTBEAT_V2 = 41,
    EVENT_GTID_TAGGED = 42,
    EVENT_MARIADB_ANNOTATE_ROWS = 160,
    EVENT_MARIADB_CHECKPOINT = 161,
    EVENT_MARIADB_GTID = 162,
    EVENT_MARIADB_GTID_LIST = 163,
    EVENT_MARIADB_START_ENCRYPTION = 164,
    EVENT_MARIADB_QUERY_COMPRESSED = 165,
    EVENT_MARIADB_WRITE_ROWS_COMPRESSED_V1 = 166,
    EVENT_MARIADB_UPDATE_ROWS_COMPRESSED_V1 = 167,
    EVENT_MARIADB_DELETE_ROWS_COMPRESSED_V1 = 168,
    EVENT_MARIADB_WRITE_ROWS_COMPRESSED = 169,
    EVENT_MARIADB_UPDATE_ROWS_COMPRESSED = 170,
    EVENT_MARIADB_DELETE_ROWS_COMPRESSED = 171
};

enum binlog_event_flag {
    EVENT_FLAG_IN_USE = 0x0001, /* format description: the server still writes the file */
    EVENT_FLAG_THREAD_SPECIFIC = 0x0004,
    EVENT_FLAG_SUPPRESS_USE = 0x0008,
    EVENT_FLAG_ARTIFICIAL = 0x0020, /* made for the stream: not in the file */
    EVENT_FLAG_IGNORABLE = 0x0080
};

struct binlog_header {
    uint32_t timestamp; /* seconds, UTC */
    uint32_t server_id;
    uint32_t size;    /* bytes, of the whole event */
    uint32_t log_pos; /* the lower half of the offset behind the event; 0: not in a file */
    uint16_t flags;   /* enum binlog_event_flag */
    uint8_t type;     /* enum binlog_type, or another number */
};

/* What a format description says of the events behind it. */
struct binlog_format {
    char server_version[51];
    uint32_t created; /* seconds; 0: the file was begun by a rotation, not by a start */
    bool checksum;    /* events end in a CRC32 */
    bool mariadb;
    unsigned version;         /* MMmmpp, as in flavour.h; 0: not understood */
    uint8_t post_header[256]; /* bytes behind the common header, by type; 0: unknown or none */
};

/* "Write_rows", "Gtid_tagged"; NULL for a number that is not in the list. Static. */
const char *binlog_event_name(unsigned type);

/* The header of the event in data[0..len). ERR_BINLOG_EVENT: shorter than a header, or than its own
 * size, or longer. */
MUST_CHECK enum err_code binlog_header_read(const void *data, size_t len, struct binlog_header *,
                                            struct err *err);
/* Checks the CRC32 at the end of the event, where `format` says there is one, and takes it off
 * *len. A format description says of itself whether it has one. ERR_BINLOG_EVENT: it does not
 * match. */
MUST_CHECK enum err_code binlog_checksum_take(const void *data, size_t *len,
                                              const struct binlog_format *format, struct err *err);
/* The format description event in data[0..len), its checksum still behind it, if it has one. */
MUST_CHECK enum err_code binlog_format_read(const void *data, size_t len, struct binlog_format *,
                                            struct err *err);
/* CRC32 as zlib's, of any length. */
uint32_t binlog_crc32(const void *data, size_t len);

#endif
