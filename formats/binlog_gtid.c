#include "formats/binlog_gtid.h"

#include "common/base/bytes.h"

#define MARIADB_STANDALONE 0x01U
#define MARIADB_XA 0xc0U /* prepared, completed */
#define MARIADB_LIST_COUNT 0x0fffffffU
#define TAGGED_FORMAT 1

/* Fields of a Gtid_tagged event, by id, in order (libs/mysql/binlog/event/control_events.h). */
enum { FIELD_FLAGS, FIELD_UUID, FIELD_NUMBER, FIELD_TAG, FIELD_COUNT };

static enum err_code gtid_cut(struct err *err)
{
    return err_set(err, ERR_BINLOG_EVENT, "a Gtid event is cut or changed");
}

static enum err_code gtid_mysql(const uint8_t *data, size_t len, struct binlog_gtid *out,
                                struct err *err)
{
    const uint8_t *at = data + BINLOG_HEADER;
    struct gtid g = {.kind = GTID_NONE};

    if (len < BINLOG_HEADER + 1 + GTID_UUID + 8)
        return gtid_cut(err);
    if (data[4] == EVENT_GTID) {
        g.kind = GTID_MYSQL;
        memcpy(g.uuid, at + 1, GTID_UUID);
        g.number = bytes_le64(at + 1 + GTID_UUID);
        if (g.number == 0 || g.number >= INT64_MAX)
            return gtid_cut(err);
    }
    *out = (struct binlog_gtid){.gtid = g};
    return ERR_OK;
}

static enum err_code gtid_mariadb(const uint8_t *data, size_t len, struct binlog_gtid *out,
                                  struct err *err)
{
    const uint8_t *at = data + BINLOG_HEADER;
    struct gtid g = {.kind = GTID_MARIADB};

    if (len < BINLOG_HEADER + 13)
        return gtid_cut(err);
    g.number = bytes_le64(at);
    g.domain = bytes_le32(at + 8);
    g.server = bytes_le32(data + 5);
    if (g.number == 0 || g.number == UINT64_MAX)
        return gtid_cut(err);
    *out = (struct binlog_gtid){
        .gtid = g, .standalone = at[12] & MARIADB_STANDALONE, .xa = (at[12] & MARIADB_XA) != 0};
    return ERR_OK;
}

/* An integer of mysql::serialization: as many ones at the low end of the first byte as bytes
 * follow it, then the value. */
static bool var_number(const uint8_t **at, const uint8_t *end, uint64_t *out)
{
    const uint8_t *p = *at;
    unsigned extra = 0;
    uint64_t v;

    if (p == end)
        return false;
    while (extra < 8 && (*p >> extra & 1))
        extra++;
    if ((size_t)(end - p) < 1U + extra)
        return false;
    v = extra < 8 ? (uint64_t)*p >> (extra + 1) : 0;
    if (extra > 0)
        v |= bytes_le(p + 1, extra) << (extra < 8 ? 7 - extra : 0);
    *at = p + 1 + extra;
    *out = v;
    return true;
}

static bool tagged_field(unsigned field, const uint8_t **at, const uint8_t *end, struct gtid *g)
{
    uint64_t v = 0;

    if (field == FIELD_UUID) {
        for (unsigned i = 0; i < GTID_UUID; i++) {
            if (!var_number(at, end, &v) || v > 0xff)
                return false;
            g->uuid[i] = (uint8_t)v;
        }
        return true;
    }
    if (!var_number(at, end, &v))
        return false;
    if (field == FIELD_NUMBER) {
        g->number = v >> 1; /* signed: the lowest bit is the sign */
        return !(v & 1) && g->number > 0 && g->number < INT64_MAX;
    }
    if (field == FIELD_TAG) {
        if (v > GTID_TAG_MAX || (uint64_t)(end - *at) < v)
            return false;
        memcpy(g->tag, *at, v);
        *at += v;
    }
    return true;
}

static enum err_code gtid_tagged(const uint8_t *data, size_t len, struct binlog_gtid *out,
                                 struct err *err)
{
    const uint8_t *at = data + BINLOG_HEADER;
    const uint8_t *const end = data + len;
    struct gtid g = {.kind = GTID_MYSQL};
    uint64_t format = 0;
    uint64_t v = 0;

    if (!var_number(&at, end, &format))
        return gtid_cut(err);
    if (format != TAGGED_FORMAT)
        return err_set(err, ERR_BINLOG_UNSUPPORTED, "a Gtid_tagged event of the unknown form %llu",
                       (unsigned long long)format);
    for (int i = 0; i < 2; i++) /* size, last needed field */
        if (!var_number(&at, end, &v))
            return gtid_cut(err);
    for (unsigned field = 0; field < FIELD_COUNT; field++)
        if (!var_number(&at, end, &v) || v != field || !tagged_field(field, &at, end, &g))
            return gtid_cut(err);
    *out = (struct binlog_gtid){.gtid = g};
    return ERR_OK;
}

enum err_code binlog_gtid_read(const uint8_t *data, size_t len, struct binlog_gtid *out,
                               struct err *err)
{
    if (data[4] == EVENT_MARIADB_GTID)
        return gtid_mariadb(data, len, out, err);
    if (data[4] == EVENT_GTID_TAGGED)
        return gtid_tagged(data, len, out, err);
    return gtid_mysql(data, len, out, err);
}

enum err_code binlog_gtids_before(const uint8_t *data, size_t len, struct gtid_set *set,
                                  struct err *err)
{
    const uint8_t *at = data + BINLOG_HEADER;
    uint32_t count;

    if (data[4] == EVENT_PREVIOUS_GTIDS)
        return gtid_set_decode(set, at, len - BINLOG_HEADER, err);
    if (len < BINLOG_HEADER + 4)
        return gtid_cut(err);
    count = bytes_le32(at) & MARIADB_LIST_COUNT;
    at += 4;
    if ((len - BINLOG_HEADER - 4) / 16 < count)
        return gtid_cut(err);
    /* Of each domain the last one is its position. */
    for (; count > 0; count--, at += 16) {
        const struct gtid g = {.kind = GTID_MARIADB,
                               .domain = bytes_le32(at),
                               .server = bytes_le32(at + 4),
                               .number = bytes_le64(at + 8)};

        if (g.number == UINT64_MAX)
            return gtid_cut(err);
        gtid_set_add(set, &g);
    }
    return ERR_OK;
}
