/* A server's binlog over the wire: open, prepare the session, ask, count offsets. */
#include "common/mysql/binlog_stream.h"

#include "common/base/bytes.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/mysql/binlog_wire.h"
#include "common/mysql/conn_driver.h"
#include "common/mysql/ident.h"
#include "common/mysql/position.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/random.h>

#define HEARTBEAT_DEFAULT_MS 1000U
#define SERVER_ID_LOWEST (UINT32_C(1) << 31) /* random ids are above people's */
#define SERVER_ID_TRIES 100
#define FATAL_READING_BINLOG 1236
#define GTID_MODE_NEEDED 1789 /* and its neighbours come as 1236 */
#define ROTATE_FILE 8         /* bytes before the name in a Rotate event */

struct stream {
    struct binlog_source base;
    struct binlog_stream_config config;
    uint32_t server_id;
    struct flavour flavour;
    char *identity; /* which server answered first */
    struct conn *conn;
    struct wire *wire;
    struct strbuf gtids; /* encoded; the wire borrows it */
    char *start_file;    /* likewise */
    struct binlog_format format;
    char *file;      /* of the next event */
    uint64_t offset; /* of the next event */
    uint64_t skip;   /* events before this offset are not wanted: a start that 32 bits cannot say */
    bool by_gtid;    /* events that are in the set are left out: offsets jump */
    bool after_format;
    uint32_t format_time; /* of the format description of `format_file` */
    char *format_file;
};

static enum err_code stream_fail(struct stream *s, struct err *err)
{
    const enum err_code rc = conn_fail(s->conn, err);

    if (err->server_errno != FATAL_READING_BINLOG && err->server_errno != GTID_MODE_NEEDED)
        return rc;
    if (strstr(err->msg, "same server_uuid") || strstr(err->msg, "same server_id") ||
        strstr(err->msg, "same server-id"))
        return err->code = ERR_USAGE;
    if (strstr(err->msg, "bogus data") || strstr(err->msg, "read error") ||
        strstr(err->msg, "checksum") || strstr(err->msg, "truncated"))
        return err->code = ERR_BINLOG_EVENT;
    return err->code = ERR_BINLOG_PURGED;
}

/* A part of the session that not every server has. */
static enum err_code stream_set(struct stream *s, const char *sql, bool needed, struct err *err)
{
    const enum err_code rc = conn_execz(s->conn, sql, err);

    if (!rc || needed || !conn_usable(s->conn))
        return rc;
    log_event(LOG_DEBUG, "binlog.session.skipped", F_STR("statement", sql),
              F_STR("message", err->msg));
    err_clear(err);
    return ERR_OK;
}

static bool stream_knows_sums(const struct stream *s)
{
    return flavour_at_least(&s->flavour, VENDOR_MYSQL, 50601) ||
           flavour_at_least(&s->flavour, VENDOR_MARIADB, 50300);
}

static enum err_code stream_session(struct stream *s, const struct binlog_start *at,
                                    struct err *err)
{
    const bool mariadb = s->flavour.vendor == VENDOR_MARIADB;
    const uint64_t heartbeat = UINT64_C(1000000) * (s->config.heartbeat_ms ? s->config.heartbeat_ms
                                                                           : HEARTBEAT_DEFAULT_MS);
    struct strbuf sql = {0};
    enum err_code rc = ERR_OK;

    /* A server that sums its events sends them only to those who say that they know sums. */
    if (stream_knows_sums(s))
        rc = stream_set(s,
                        "SET @master_binlog_checksum = 'CRC32', "
                        "@source_binlog_checksum = 'CRC32'",
                        true, err);
    s->format = (struct binlog_format){.checksum = stream_knows_sums(s), .mariadb = mariadb};
    strbuf_addf(&sql,
                "SET @master_heartbeat_period = %" PRIu64 ", @source_heartbeat_period = %" PRIu64,
                heartbeat, heartbeat);
    if (!rc)
        rc = stream_set(s, strbuf_str(&sql), true, err);
    if (!rc && mariadb)
        rc = stream_set(s, "SET @mariadb_slave_capability = 4", true, err);
    if (!rc && mariadb && at->gtids) {
        strbuf_reset(&sql);
        strbuf_addstr(&sql, "SET @slave_connect_state = '");
        gtid_set_text(at->gtids, &sql);
        strbuf_addstr(&sql, "', @slave_gtid_strict_mode = 0, @slave_gtid_ignore_duplicates = 0");
        rc = stream_set(s, strbuf_str(&sql), true, err);
    }
    strbuf_release(&sql);
    return rc;
}

/* Whether another replica, or the server itself, goes by the id. */
static enum err_code stream_id_taken(struct stream *s, uint32_t id, bool *taken, struct err *err)
{
    const bool renamed = flavour_at_least(&s->flavour, VENDOR_MYSQL, 80022);
    struct result *r = NULL;
    struct row row;
    bool more = true;
    char *own = NULL;
    enum err_code rc;

    rc = conn_value(s->conn, "SELECT @@global.server_id", &own, err);
    *taken = own && strtoull(own, NULL, 10) == id;
    free(own);
    if (rc)
        return rc;
    rc = conn_queryz(s->conn, renamed ? "SHOW REPLICAS" : "SHOW SLAVE HOSTS", &r, err);
    if (rc == ERR_PRIVILEGE) {
        err_clear(err); /* the dump itself will say what is missing */
        return ERR_OK;
    }
    while (!rc && more) {
        rc = result_next(r, &row, &more, err);
        if (!rc && more && row.count > 0 && row.cell[0] && strtoull(row.cell[0], NULL, 10) == id)
            *taken = true;
    }
    result_free(r);
    return rc;
}

static enum err_code stream_choose_id(struct stream *s, struct err *err)
{
    bool taken = true;
    enum err_code rc = ERR_OK;

    if (s->server_id)
        return ERR_OK; /* a reconnect: the server forgets the old connection by this id */
    if (s->config.server_id) {
        rc = stream_id_taken(s, s->config.server_id, &taken, err);
        if (!rc && taken)
            rc = err_set(err, ERR_USAGE, "server id %" PRIu32 " is taken by another server",
                         s->config.server_id);
        s->server_id = s->config.server_id;
        return rc;
    }
    for (int i = 0; !rc && taken && i < SERVER_ID_TRIES; i++) {
        uint32_t id = 0;

        if (getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id))
            return err_set(err, ERR_INTERNAL, "no random number for a server id");
        s->server_id = id | SERVER_ID_LOWEST;
        rc = stream_id_taken(s, s->server_id, &taken, err);
    }
    if (!rc && taken)
        rc = err_set(err, ERR_USAGE, "no server id is free");
    return rc;
}

/* File and offset mean something on one server only. */
static enum err_code stream_same_server(struct stream *s, bool by_gtid, struct err *err)
{
    struct source_identity id = {0};
    char *now;
    enum err_code rc;

    rc = source_identity_read(s->conn, &id, err);
    if (rc)
        return rc;
    now = id.server_uuid ? xasprintf("uuid %s", id.server_uuid)
                         : xasprintf("id %s on %s", id.server_id ? id.server_id : "?",
                                     id.hostname ? id.hostname : "?");
    if (!s->identity) {
        s->identity = now;
        now = NULL;
    } else if (strcmp(s->identity, now) != 0 && !by_gtid) {
        rc = err_set(err, ERR_BINLOG_PURGED,
                     "another server answers now (%s, before: %s), and an offset in the binlog of "
                     "the one means nothing on the other",
                     now, s->identity);
    }
    free(now);
    source_identity_release(&id);
    return rc;
}

static enum err_code stream_ask(struct stream *s, const struct binlog_start *at, struct err *err)
{
    const bool mariadb = s->flavour.vendor == VENDOR_MARIADB;
    struct wire_dump dump = {.server_id = s->server_id, .offset = BINLOG_FIRST_OFFSET};

    if (s->config.until_end)
        dump.flags |= WIRE_NON_BLOCK;
    if (mariadb || s->flavour.version >= 80026)
        dump.flags |= WIRE_MORE;
    s->by_gtid = at->gtids != NULL;
    s->skip = 0;
    s->offset = BINLOG_FIRST_OFFSET;
    strbuf_reset(&s->gtids);
    free(s->start_file);
    s->start_file = xstrdup(at->file ? at->file : "");
    free(s->file);
    s->file = xstrdup(s->start_file);
    if (s->by_gtid && !mariadb) {
        gtid_set_encode(at->gtids, &s->gtids);
        dump.gtids = &s->gtids;
    } else if (!s->by_gtid && at->offset > UINT32_MAX) {
        s->skip = at->offset; /* the command has no room for it: read from the file's beginning */
    } else if (!s->by_gtid) {
        s->offset = at->offset;
        dump.offset = (uint32_t)at->offset;
    }
    dump.file = s->start_file;
    s->wire = wire_open(s->conn->mysql, &dump);
    return s->wire ? ERR_OK : stream_fail(s, err);
}

static void stream_disconnect(struct stream *s)
{
    wire_close(s->wire);
    s->wire = NULL;
    conn_close(s->conn);
    s->conn = NULL;
}

static enum err_code stream_reopen(struct binlog_source *base, const struct binlog_start *at,
                                   struct err *err)
{
    struct stream *s = (struct stream *)base;
    enum err_code rc;

    stream_disconnect(s);
    rc = conn_open(s->config.url, CONN_SOURCE, "binlog", &s->conn, err);
    if (rc)
        return rc;
    s->flavour = *conn_flavour(s->conn);
    if (s->flavour.vendor == VENDOR_TIDB)
        rc = err_set(err, ERR_SERVER_UNSUPPORTED, "TiDB has no binlog that can be read");
    if (!rc && at->gtids &&
        gtid_set_kind(at->gtids) !=
            (s->flavour.vendor == VENDOR_MARIADB ? GTID_MARIADB : GTID_MYSQL))
        rc = err_set(err, ERR_USAGE, "the GTID set is not of the source's kind, %s",
                     vendor_name(s->flavour.vendor));
    if (!rc)
        rc = stream_same_server(s, at->gtids != NULL, err);
    if (!rc)
        rc = stream_session(s, at, err);
    if (!rc)
        rc = stream_choose_id(s, err);
    if (!rc && !wire_register(s->conn->mysql, s->server_id)) {
        rc = stream_fail(s, err);
        if (rc == ERR_PRIVILEGE || rc == ERR_AUTH) { /* MariaDB says 1045 */
            rc = err->code = ERR_PRIVILEGE;
            (void)err_wrap(err, "reading the binlog needs GRANT REPLICATION SLAVE ON *.*");
        }
    }
    if (!rc)
        rc = stream_ask(s, at, err);
    if (rc)
        stream_disconnect(s);
    return rc;
}

static void stream_set_file(struct stream *s, const uint8_t *name, size_t len, uint64_t offset)
{
    free(s->file);
    s->file = xstrndup((const char *)name, len);
    s->offset = offset;
}

/* A Rotate event names where the next events are. One that was made for the stream comes first of
 * all, and behind one of the file. */
static enum err_code stream_rotate(struct stream *s, const struct binlog_raw *raw, struct err *err)
{
    const uint8_t *body = raw->data + BINLOG_HEADER;
    size_t len;
    const char *nul;

    if (raw->len <= BINLOG_HEADER + ROTATE_FILE)
        return err_set(err, ERR_BINLOG_EVENT, "a Rotate event is cut");
    len = raw->len - BINLOG_HEADER - ROTATE_FILE;
    body += ROTATE_FILE;
    nul = memchr(body, '\0', len);
    if (nul)
        return err_set(err, ERR_BINLOG_EVENT, "a Rotate event's file name holds a NUL");
    /* While what comes before a far start is read, the server says the small offset. */
    stream_set_file(s, body, len, bytes_le64(body - ROTATE_FILE));
    return ERR_OK;
}

/* Where in the file the event is. The server says the lower 32 bits of its end. */
static enum err_code stream_place(struct stream *s, struct binlog_raw *raw, struct err *err)
{
    const uint64_t size = raw->header.size;
    uint64_t end;

    raw->file = s->file;
    raw->start = raw->end = s->offset;
    if (raw->header.log_pos == 0 || raw->header.flags & EVENT_FLAG_ARTIFICIAL)
        return ERR_OK;
    end = s->offset + size;
    if ((uint32_t)end != raw->header.log_pos) {
        const uint64_t jump = (uint32_t)(raw->header.log_pos - (uint32_t)end);

        /* What is in the wanted set is left out, and MariaDB keeps its Start_encryption. */
        if (!s->by_gtid && !(s->after_format && s->flavour.vendor == VENDOR_MARIADB))
            return err_set(err, ERR_BINLOG_EVENT,
                           "an event of %" PRIu64 " bytes at %s:%" PRIu64
                           " says that it ends at %" PRIu32 " (modulo 4 GiB): events are missing",
                           size, s->file, s->offset, raw->header.log_pos);
        end += jump;
    }
    raw->start = end - size;
    raw->end = end;
    s->offset = end;
    return ERR_OK;
}

static enum err_code stream_format(struct stream *s, const struct binlog_raw *raw, struct err *err)
{
    const bool known = s->format_file && strcmp(s->format_file, s->file) == 0;

    /* After RESET the names and offsets come back, the time does not. */
    if (known && s->format_time != raw->header.timestamp)
        return err_set(err, ERR_BINLOG_PURGED,
                       "'%s' is not the file that it was: the source's binlog was reset", s->file);
    if (!known) {
        free(s->format_file);
        s->format_file = xstrdup(s->file);
        s->format_time = raw->header.timestamp;
    }
    return ERR_OK;
}

static bool is_heartbeat(unsigned type)
{
    return type == EVENT_HEARTBEAT || type == EVENT_HEARTBEAT_V2;
}

/* Looks at an event's frame. *pass: it is for the reader. */
static enum err_code stream_frame(struct stream *s, struct binlog_raw *raw, bool *pass,
                                  struct err *err)
{
    const unsigned type = raw->header.type;
    enum err_code rc;

    *pass = true;
    if (type == EVENT_FORMAT)
        rc = binlog_format_read(raw->data, raw->len, &s->format, err);
    else
        rc = ERR_OK;
    if (!rc)
        rc = binlog_checksum_take(raw->data, &raw->len, &s->format, err);
    if (rc)
        return rc;
    if (is_heartbeat(type)) {
        *pass = false;
        return ERR_OK;
    }
    rc = stream_place(s, raw, err);
    if (rc)
        return rc;
    s->after_format = type == EVENT_FORMAT;
    if (type == EVENT_FORMAT) {
        if (raw->end <= s->skip) /* before a far start: passed on as one that is in no file */
            raw->start = raw->end = s->skip;
        return stream_format(s, raw, err);
    }
    if (type == EVENT_ROTATE && raw->start == raw->end) {
        *pass = false;
        return stream_rotate(s, raw, err);
    }
    if (raw->end <= s->skip && raw->start != raw->end)
        *pass = false;
    return ERR_OK;
}

static enum err_code stream_next(struct binlog_source *base, struct binlog_raw *raw,
                                 enum binlog_got *got, struct err *err)
{
    struct stream *s = (struct stream *)base;

    for (;;) {
        const uint8_t *data = NULL;
        size_t len = 0;
        bool pass = false;
        enum err_code rc;

        if (!s->wire)
            return err_set(err, ERR_SERVER_LOST, "the connection to the source is closed");
        if (!wire_fetch(s->wire, &data, &len))
            return stream_fail(s, err);
        if (len == 0) {
            if (!s->config.until_end)
                return err_set(err, ERR_SERVER_LOST, "the source has ended the stream");
            *got = BINLOG_GOT_END;
            return ERR_OK;
        }
        *raw = (struct binlog_raw){.data = data, .len = len};
        rc = binlog_header_read(data, len, &raw->header, err);
        if (!rc)
            rc = stream_frame(s, raw, &pass, err);
        if (rc)
            return err_wrap(err, "%s:%" PRIu64, s->file, s->offset);
        if (is_heartbeat(raw->header.type)) {
            *got = BINLOG_GOT_NOTHING;
            return ERR_OK;
        }
        if (pass) {
            *got = BINLOG_GOT_EVENT;
            return ERR_OK;
        }
    }
}

static void stream_free(struct binlog_source *base)
{
    struct stream *s = (struct stream *)base;

    stream_disconnect(s);
    strbuf_release(&s->gtids);
    free(s->start_file);
    free(s->file);
    free(s->format_file);
    free(s->identity);
    free(s);
}

static const struct binlog_source_ops stream_ops = {
    .name = "server",
    .next = stream_next,
    .reopen = stream_reopen,
    .free = stream_free,
};

enum err_code binlog_stream_open(const struct binlog_stream_config *config,
                                 const struct binlog_start *at, struct binlog_source **out,
                                 struct err *err)
{
    struct stream *s = xcalloc(1, sizeof(*s));
    enum err_code rc;

    s->base.ops = &stream_ops;
    s->config = *config;
    rc = stream_reopen(&s->base, at, err);
    if (rc) {
        stream_free(&s->base);
        return rc;
    }
    *out = &s->base;
    return ERR_OK;
}

const struct flavour *binlog_stream_flavour(const struct binlog_source *stream)
{
    return &((const struct stream *)stream)->flavour;
}

uint32_t binlog_stream_server_id(const struct binlog_source *stream)
{
    return ((const struct stream *)stream)->server_id;
}
