#include "common/mysql/binlog_wire.h"

#include "common/base/bytes.h"
#include "common/base/mem.h"

#include <stdlib.h>

#define EOF_BYTE 0xfe
#define EOF_MAX 8 /* bytes of an end packet */

#if defined(MARIADB_BASE_VERSION) || defined(MARIADB_VERSION_ID)

#define WIRE_COM_BINLOG_DUMP_GTID ((enum enum_server_command)30)

struct wire {
    MYSQL *mysql;
};

static void put(struct strbuf *out, uint64_t v, size_t len)
{
    char bytes[8];

    bytes_put_le(bytes, v, len);
    strbuf_add(out, bytes, len);
}

bool wire_register(MYSQL *mysql, uint32_t server_id)
{
    struct strbuf packet = {0};
    bool sent;

    put(&packet, server_id, 4);
    put(&packet, 0, 3); /* host, user, password: empty */
    put(&packet, 0, 2); /* port */
    put(&packet, 0, 4); /* rank */
    put(&packet, 0, 4); /* the source's id: it fills it in */
    sent =
        mysql->methods->db_command(mysql, COM_REGISTER_SLAVE, packet.str, packet.len, 1, NULL) == 0;
    strbuf_release(&packet);
    return sent && mysql_net_read_packet(mysql) != packet_error;
}

struct wire *wire_open(MYSQL *mysql, const struct wire_dump *dump)
{
    struct strbuf packet = {0};
    struct wire *w = NULL;
    enum enum_server_command command = COM_BINLOG_DUMP;

    if (dump->gtids) {
        command = WIRE_COM_BINLOG_DUMP_GTID;
        put(&packet, dump->flags, 2);
        put(&packet, dump->server_id, 4);
        put(&packet, strlen(dump->file), 4);
        strbuf_addstr(&packet, dump->file);
        put(&packet, dump->offset, 8);
        put(&packet, dump->gtids->len, 4);
        strbuf_add(&packet, dump->gtids->str, dump->gtids->len);
    } else {
        put(&packet, dump->offset, 4);
        put(&packet, dump->flags, 2);
        put(&packet, dump->server_id, 4);
        strbuf_addstr(&packet, dump->file);
    }
    if (mysql->methods->db_command(mysql, command, packet.str, packet.len, 1, NULL) == 0) {
        w = xmalloc(sizeof(*w));
        w->mysql = mysql;
    }
    strbuf_release(&packet);
    return w;
}

bool wire_fetch(struct wire *w, const uint8_t **data, size_t *len)
{
    const unsigned long got = mysql_net_read_packet(w->mysql);
    const uint8_t *packet = w->mysql->net.read_pos;

    if (got == packet_error)
        return false;
    *data = packet + 1;
    *len = got > 0 && !(packet[0] == EOF_BYTE && got < EOF_MAX) ? got - 1 : 0;
    return true;
}

void wire_close(struct wire *w)
{
    free(w);
}

#else

struct wire {
    MYSQL *mysql;
    MYSQL_RPL rpl;
};

bool wire_register(MYSQL *mysql, uint32_t server_id)
{
    (void)mysql;
    (void)server_id;
    return true;
}

struct wire *wire_open(MYSQL *mysql, const struct wire_dump *dump)
{
    struct wire *w = xcalloc(1, sizeof(*w));

    w->mysql = mysql;
    w->rpl.file_name = dump->file;
    w->rpl.file_name_length = strlen(dump->file);
    w->rpl.start_position = dump->offset;
    w->rpl.server_id = dump->server_id;
    w->rpl.flags = dump->flags;
    if (dump->gtids) {
        w->rpl.flags |= MYSQL_RPL_GTID;
        w->rpl.gtid_set_encoded_size = dump->gtids->len;
        w->rpl.gtid_set_arg = dump->gtids->str;
    }
    if (mysql_binlog_open(mysql, &w->rpl) == 0)
        return w;
    free(w);
    return NULL;
}

bool wire_fetch(struct wire *w, const uint8_t **data, size_t *len)
{
    if (mysql_binlog_fetch(w->mysql, &w->rpl) != 0)
        return false;
    *data = w->rpl.size > 0 ? w->rpl.buffer + 1 : NULL;
    *len = w->rpl.size > 0 ? w->rpl.size - 1 : 0;
    return true;
}

void wire_close(struct wire *w)
{
    if (!w)
        return;
    mysql_binlog_close(w->mysql, &w->rpl);
    free(w);
}

#endif
