#include "common/mysql/binlog_event.h"

#include "common/base/bytes.h"
#include "common/mysql/flavour.h"

#include <limits.h>
#include <stdio.h>
#include <zlib.h>

/* Offsets in a format description, behind the common header. */
enum { FORMAT_SERVER = 2, FORMAT_SERVER_LEN = 50, FORMAT_CREATED = 52, FORMAT_HEADER = 56 };
#define FORMAT_POST (FORMAT_HEADER + 1)
#define CHECKSUM_OFF 0
#define CHECKSUM_CRC32 1

const char *binlog_event_name(unsigned type)
{
    static const char *const names[] = {
        [EVENT_START_V3] = "Start_v3",
        [EVENT_QUERY] = "Query",
        [EVENT_STOP] = "Stop",
        [EVENT_ROTATE] = "Rotate",
        [EVENT_INTVAR] = "Intvar",
        [EVENT_LOAD] = "Load",
        [EVENT_SLAVE] = "Slave",
        [EVENT_CREATE_FILE] = "Create_file",
        [EVENT_APPEND_BLOCK] = "Append_block",
        [EVENT_EXEC_LOAD] = "Exec_load",
        [EVENT_DELETE_FILE] = "Delete_file",
        [EVENT_NEW_LOAD] = "New_load",
        [EVENT_RAND] = "RAND",
        [EVENT_USER_VAR] = "User_var",
        [EVENT_FORMAT] = "Format_desc",
        [EVENT_XID] = "Xid",
        [EVENT_BEGIN_LOAD_QUERY] = "Begin_load_query",
        [EVENT_EXECUTE_LOAD_QUERY] = "Execute_load_query",
        [EVENT_TABLE_MAP] = "Table_map",
        [EVENT_WRITE_ROWS_V0] = "Write_rows_v0",
        [EVENT_UPDATE_ROWS_V0] = "Update_rows_v0",
        [EVENT_DELETE_ROWS_V0] = "Delete_rows_v0",
        [EVENT_WRITE_ROWS_V1] = "Write_rows_v1",
        [EVENT_UPDATE_ROWS_V1] = "Update_rows_v1",
        [EVENT_DELETE_ROWS_V1] = "Delete_rows_v1",
        [EVENT_INCIDENT] = "Incident",
        [EVENT_HEARTBEAT] = "Heartbeat",
        [EVENT_IGNORABLE] = "Ignorable",
        [EVENT_ROWS_QUERY] = "Rows_query",
        [EVENT_WRITE_ROWS] = "Write_rows",
        [EVENT_UPDATE_ROWS] = "Update_rows",
        [EVENT_DELETE_ROWS] = "Delete_rows",
        [EVENT_GTID] = "Gtid",
        [EVENT_ANONYMOUS_GTID] = "Anonymous_Gtid",
        [EVENT_PREVIOUS_GTIDS] = "Previous_gtids",
        [EVENT_TRANSACTION_CONTEXT] = "Transaction_context",
        [EVENT_VIEW_CHANGE] = "View_change",
        [EVENT_XA_PREPARE] = "XA_prepare",
        [EVENT_PARTIAL_UPDATE_ROWS] = "Update_rows_partial",
        [EVENT_TRANSACTION_PAYLOAD] = "Transaction_payload",
        [EVENT_HEARTBEAT_V2] = "Heartbeat_v2",
        [EVENT_GTID_TAGGED] = "Gtid_tagged",
        [EVENT_MARIADB_ANNOTATE_ROWS] = "Annotate_rows",
        [EVENT_MARIADB_CHECKPOINT] = "Binlog_checkpoint",
        [EVENT_MARIADB_GTID] = "Gtid (MariaDB)",
        [EVENT_MARIADB_GTID_LIST] = "Gtid_list",
        [EVENT_MARIADB_START_ENCRYPTION] = "Start_encryption",
        [EVENT_MARIADB_QUERY_COMPRESSED] = "Query_compressed",
        [EVENT_MARIADB_WRITE_ROWS_COMPRESSED_V1] = "Write_rows_compressed_v1",
        [EVENT_MARIADB_UPDATE_ROWS_COMPRESSED_V1] = "Update_rows_compressed_v1",
        [EVENT_MARIADB_DELETE_ROWS_COMPRESSED_V1] = "Delete_rows_compressed_v1",
        [EVENT_MARIADB_WRITE_ROWS_COMPRESSED] = "Write_rows_compressed",
        [EVENT_MARIADB_UPDATE_ROWS_COMPRESSED] = "Update_rows_compressed",
        [EVENT_MARIADB_DELETE_ROWS_COMPRESSED] = "Delete_rows_compressed",
    };

    return type < sizeof(names) / sizeof(names[0]) ? names[type] : NULL;
}

uint32_t binlog_crc32(const void *data, size_t len)
{
    const unsigned char *in = data;
    uLong crc = crc32(0, NULL, 0);

    while (len > 0) {
        const uInt n = len > INT_MAX ? (uInt)INT_MAX : (uInt)len;

        crc = crc32(crc, in, n);
        in += n;
        len -= n;
    }
    return (uint32_t)crc;
}

enum err_code binlog_header_read(const void *data, size_t len, struct binlog_header *out,
                                 struct err *err)
{
    const unsigned char *in = data;
    uint32_t size;

    if (len < BINLOG_HEADER)
        return err_set(err, ERR_BINLOG_EVENT, "an event of %zu bytes is shorter than a header",
                       len);
    size = bytes_le32(in + 9);
    if (size != len)
        return err_set(err, ERR_BINLOG_EVENT,
                       "an event of %zu bytes says that it has %lu: it was cut or changed", len,
                       (unsigned long)size);
    out->timestamp = bytes_le32(in);
    out->type = in[4];
    out->server_id = bytes_le32(in + 5);
    out->size = size;
    out->log_pos = bytes_le32(in + 13);
    out->flags = bytes_le16(in + 17);
    return ERR_OK;
}

static enum err_code checksum_check(const unsigned char *data, size_t len, struct err *err)
{
    unsigned char header[BINLOG_HEADER];
    uint32_t said;
    uLong crc;

    if (len < BINLOG_HEADER + BINLOG_CHECKSUM)
        return err_set(err, ERR_BINLOG_EVENT, "an event of %zu bytes has no room for its checksum",
                       len);
    said = bytes_le32(data + len - BINLOG_CHECKSUM);
    if (data[4] != EVENT_FORMAT) {
        if (binlog_crc32(data, len - BINLOG_CHECKSUM) == said)
            return ERR_OK;
        return err_set(err, ERR_BINLOG_EVENT, "the event's checksum does not match");
    }
    /* The flag is set and taken back in the file, and is not part of the sum. */
    memcpy(header, data, sizeof(header));
    header[17] &= (unsigned char)~EVENT_FLAG_IN_USE;
    crc = crc32(crc32(0, NULL, 0), header, sizeof(header));
    crc = crc32(crc, data + sizeof(header), (uInt)(len - BINLOG_CHECKSUM - sizeof(header)));
    if ((uint32_t)crc != said)
        return err_set(err, ERR_BINLOG_EVENT, "the format description's checksum does not match");
    return ERR_OK;
}

enum err_code binlog_checksum_take(const void *data, size_t *len,
                                   const struct binlog_format *format, struct err *err)
{
    enum err_code rc;

    if (!format->checksum)
        return ERR_OK;
    rc = checksum_check(data, *len, err);
    if (!rc)
        *len -= BINLOG_CHECKSUM;
    return rc;
}

/* MySQL 5.6.1 and MariaDB 5.3 began to say whether they sum. */
static bool format_has_sums(const struct binlog_format *f)
{
    return f->mariadb ? f->version >= 50300 : f->version >= 50601;
}

static void format_version(struct binlog_format *f)
{
    struct flavour flavour;
    struct err ignored = ERR_INIT;
    unsigned major = 0;
    unsigned minor = 0;
    unsigned patch = 0;

    if (flavour_parse(f->server_version, "", &flavour, &ignored) == ERR_OK) {
        f->mariadb = flavour.vendor == VENDOR_MARIADB;
        f->version = flavour.version;
    } else if (sscanf(f->server_version, "%2u.%2u.%2u", &major, &minor, &patch) == 3) {
        f->version = major * 10000 + minor * 100 + patch;
    }
}

enum err_code binlog_format_read(const void *data, size_t len, struct binlog_format *out,
                                 struct err *err)
{
    const unsigned char *in = data;
    struct binlog_format f = {.created = 0};
    struct binlog_header header;
    size_t post;
    enum err_code rc;

    rc = binlog_header_read(data, len, &header, err);
    if (rc)
        return rc;
    if (len < BINLOG_HEADER + FORMAT_POST + EVENT_DELETE_ROWS_V1)
        return err_set(err, ERR_BINLOG_EVENT, "the format description is cut");
    in += BINLOG_HEADER;
    if (bytes_le16(in) != 4 || in[FORMAT_HEADER] != BINLOG_HEADER)
        return err_set(err, ERR_BINLOG_UNSUPPORTED,
                       "the binlog is of format %u with headers of %u bytes, but only format 4 is "
                       "known",
                       (unsigned)bytes_le16(in), (unsigned)in[FORMAT_HEADER]);
    memcpy(f.server_version, in + FORMAT_SERVER, FORMAT_SERVER_LEN);
    f.created = bytes_le32(in + FORMAT_CREATED);
    format_version(&f);
    if (f.version == 0)
        return err_set(err, ERR_BINLOG_UNSUPPORTED,
                       "the version '%s' of the server that wrote the binlog cannot be understood",
                       f.server_version);
    post = len - BINLOG_HEADER - FORMAT_POST;
    if (format_has_sums(&f)) {
        const unsigned char algorithm = in[FORMAT_POST + post - BINLOG_CHECKSUM - 1];

        if (algorithm != CHECKSUM_OFF && algorithm != CHECKSUM_CRC32)
            return err_set(err, ERR_BINLOG_UNSUPPORTED, "unknown checksum algorithm %u",
                           (unsigned)algorithm);
        f.checksum = algorithm == CHECKSUM_CRC32;
        post -= BINLOG_CHECKSUM + 1;
        if (f.checksum)
            rc = checksum_check(data, len, err);
        if (rc)
            return rc;
    }
    /* Lengths are counted from type 1 on. */
    if (post > sizeof(f.post_header) - 1)
        post = sizeof(f.post_header) - 1;
    memcpy(f.post_header + 1, in + FORMAT_POST, post);
    *out = f;
    return ERR_OK;
}
