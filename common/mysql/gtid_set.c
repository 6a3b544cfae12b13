#include "common/mysql/gtid_set.h"

#include "common/base/bytes.h"
#include "common/base/mem.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>

struct interval {
    uint64_t first, end; /* end is not in it */
};
/* MySQL: a uuid and tag with its intervals, sorted, apart. MariaDB: a domain, with one interval
 * whose end is behind the position. */
struct member {
    struct gtid id; /* .number is not used */
    struct interval *intervals;
    size_t count, cap;
};
struct gtid_set {
    enum gtid_kind kind;
    struct member *members; /* sorted */
    size_t count, cap;
};

struct gtid_set *gtid_set_new(enum gtid_kind kind)
{
    struct gtid_set *set = xcalloc(1, sizeof(*set));

    assert(kind != GTID_NONE);
    set->kind = kind;
    return set;
}

void gtid_set_free(struct gtid_set *set)
{
    if (!set)
        return;
    for (size_t i = 0; i < set->count; i++)
        free(set->members[i].intervals);
    free(set->members);
    free(set);
}

enum gtid_kind gtid_set_kind(const struct gtid_set *set)
{
    return set->kind;
}

bool gtid_set_empty(const struct gtid_set *set)
{
    return set->count == 0;
}

bool gtid_set_tagged(const struct gtid_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->kind == GTID_MYSQL && set->members[i].id.tag[0])
            return true;
    return false;
}

static int member_order(enum gtid_kind kind, const struct gtid *a, const struct gtid *b)
{
    int order;

    if (kind == GTID_MARIADB)
        return a->domain < b->domain ? -1 : a->domain > b->domain;
    order = memcmp(a->uuid, b->uuid, GTID_UUID);
    return order ? order : strcmp(a->tag, b->tag);
}

/* Where the gtid's member is, or would be. */
static size_t member_find(const struct gtid_set *set, const struct gtid *id, bool *found)
{
    size_t low = 0;
    size_t high = set->count;

    *found = false;
    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        const int order = member_order(set->kind, &set->members[mid].id, id);

        if (order == 0) {
            *found = true;
            return mid;
        }
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static struct member *member_get(struct gtid_set *set, const struct gtid *id)
{
    bool found = false;
    const size_t at = member_find(set, id, &found);
    struct member *m;

    if (found)
        return &set->members[at];
    if (set->count == set->cap) {
        set->cap = set->cap ? set->cap * 2 : 4;
        set->members = xreallocarray(set->members, set->cap, sizeof(*set->members));
    }
    m = &set->members[at];
    memmove(m + 1, m, (set->count - at) * sizeof(*m));
    *m = (struct member){.id = *id};
    set->count++;
    return m;
}

/* Puts the interval in its place, joined with those that it touches. */
static void member_add(struct member *m, uint64_t first, uint64_t end)
{
    size_t from = m->count;
    size_t to;

    /* Ids come in order nearly always: look from the end. */
    while (from > 0 && m->intervals[from - 1].end >= first)
        from--;
    for (to = from; to < m->count && m->intervals[to].first <= end; to++) {
        if (m->intervals[to].first < first)
            first = m->intervals[to].first;
        if (m->intervals[to].end > end)
            end = m->intervals[to].end;
    }
    if (to == from && m->count == m->cap) {
        m->cap = m->cap ? m->cap * 2 : 4;
        m->intervals = xreallocarray(m->intervals, m->cap, sizeof(*m->intervals));
    }
    memmove(m->intervals + from + 1, m->intervals + to, (m->count - to) * sizeof(*m->intervals));
    m->intervals[from] = (struct interval){first, end};
    m->count = m->count + 1 - (to - from);
}

void gtid_set_add_range(struct gtid_set *set, const struct gtid *gtid, uint64_t first,
                        uint64_t last)
{
    member_add(member_get(set, gtid), first, last + 1);
}

void gtid_set_add(struct gtid_set *set, const struct gtid *gtid)
{
    struct member *m = member_get(set, gtid);

    if (set->kind == GTID_MARIADB) {
        m->id = *gtid;
        m->count = 0;
    }
    member_add(m, gtid->number, gtid->number + 1);
}

bool gtid_set_contains(const struct gtid_set *set, const struct gtid *gtid)
{
    bool found = false;
    const size_t at = member_find(set, gtid, &found);
    const struct member *m;

    if (!found)
        return false;
    m = &set->members[at];
    if (set->kind == GTID_MARIADB)
        return gtid->number < m->intervals[0].end;
    for (size_t i = m->count; i > 0; i--)
        if (m->intervals[i - 1].first <= gtid->number)
            return gtid->number < m->intervals[i - 1].end;
    return false;
}

/* Whether one interval of `m` holds all of `i`. */
static bool member_covers(const struct member *m, const struct interval *i)
{
    for (size_t k = 0; k < m->count; k++)
        if (m->intervals[k].first <= i->first && i->end <= m->intervals[k].end)
            return true;
    return false;
}

bool gtid_set_covers(const struct gtid_set *set, const struct gtid_set *of)
{
    for (size_t i = 0; i < of->count; i++) {
        const struct member *wanted = &of->members[i];
        bool found = false;
        const size_t at = member_find(set, &wanted->id, &found);

        if (!found)
            return false;
        if (set->kind == GTID_MARIADB &&
            wanted->intervals[0].end > set->members[at].intervals[0].end)
            return false;
        for (size_t k = 0; set->kind == GTID_MYSQL && k < wanted->count; k++)
            if (!member_covers(&set->members[at], &wanted->intervals[k]))
                return false;
    }
    return true;
}

static void uuid_text(const uint8_t *uuid, struct strbuf *out)
{
    static const unsigned parts[] = {4, 2, 2, 2, 6};
    char text[2 * GTID_UUID];

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (i > 0)
            strbuf_addch(out, '-');
        (void)bytes_to_hex(text, uuid, parts[i]);
        strbuf_add(out, text, 2 * (size_t)parts[i]);
        uuid += parts[i];
    }
}

void gtid_text(const struct gtid *gtid, struct strbuf *out)
{
    if (gtid->kind == GTID_MARIADB) {
        strbuf_addf(out, "%" PRIu32 "-%" PRIu32 "-%" PRIu64, gtid->domain, gtid->server,
                    gtid->number);
        return;
    }
    uuid_text(gtid->uuid, out);
    strbuf_addf(out, "%s%s:%" PRIu64, gtid->tag[0] ? ":" : "", gtid->tag, gtid->number);
}

static void intervals_text(const struct member *m, struct strbuf *out)
{
    for (size_t i = 0; i < m->count; i++) {
        const struct interval *in = &m->intervals[i];

        strbuf_addf(out, ":%" PRIu64, in->first);
        if (in->end - in->first > 1)
            strbuf_addf(out, "-%" PRIu64, in->end - 1);
    }
}

void gtid_set_text(const struct gtid_set *set, struct strbuf *out)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct member *m = &set->members[i];
        const bool same =
            i > 0 && set->kind == GTID_MYSQL && memcmp(m->id.uuid, m[-1].id.uuid, GTID_UUID) == 0;

        if (i > 0 && !same)
            strbuf_addch(out, ',');
        if (set->kind == GTID_MARIADB) {
            strbuf_addf(out, "%" PRIu32 "-%" PRIu32 "-%" PRIu64, m->id.domain, m->id.server,
                        m->intervals[0].end - 1);
            continue;
        }
        if (!same)
            uuid_text(m->id.uuid, out);
        if (m->id.tag[0])
            strbuf_addf(out, ":%s", m->id.tag);
        intervals_text(m, out);
    }
}

/* The parser's place in the text. */
struct gtid_parse {
    const char *at;
    const char *whole;
};

static void parse_spaces(struct gtid_parse *p)
{
    while (isspace((unsigned char)*p->at))
        p->at++;
}

static enum err_code parse_fail(const struct gtid_parse *p, struct err *err)
{
    return err_set(err, ERR_USAGE, "the GTID set cannot be understood from '%.40s' on", p->at);
}

static bool parse_number(struct gtid_parse *p, uint64_t *out)
{
    uint64_t v = 0;
    const char *began;

    parse_spaces(p);
    began = p->at;
    for (; isdigit((unsigned char)*p->at); p->at++) {
        const uint64_t digit = (uint64_t)(*p->at - '0');

        if (v > (UINT64_MAX - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *out = v;
    return p->at != began;
}

static bool parse_uuid(struct gtid_parse *p, uint8_t *uuid)
{
    const char *c = p->at;

    for (unsigned i = 0; i < GTID_UUID; i++) {
        int high;
        int low;

        if (*c == '-' && (i == 4 || i == 6 || i == 8 || i == 10))
            c++;
        high = bytes_hex_value(c[0]);
        low = high < 0 ? -1 : bytes_hex_value(c[1]);
        if (low < 0)
            return false;
        uuid[i] = (uint8_t)(high << 4 | low);
        c += 2;
    }
    p->at = c;
    return true;
}

/* A tag begins with a letter or '_'. */
static bool parse_tag(struct gtid_parse *p, char tag[GTID_TAG_MAX + 1])
{
    size_t n = 0;

    for (; isalnum((unsigned char)*p->at) || *p->at == '_'; p->at++) {
        if (n == GTID_TAG_MAX)
            return false;
        tag[n++] = (char)tolower((unsigned char)*p->at);
    }
    tag[n] = '\0';
    return n > 0;
}

static bool parse_intervals(struct gtid_set *set, struct gtid_parse *p, struct gtid *id)
{
    for (;;) {
        uint64_t first = 0;
        uint64_t last;

        parse_spaces(p);
        if (*p->at != ':')
            return true;
        p->at++;
        parse_spaces(p);
        if (isalpha((unsigned char)*p->at) || *p->at == '_') {
            if (!parse_tag(p, id->tag))
                return false;
            continue;
        }
        if (!parse_number(p, &first) || first == 0)
            return false;
        last = first;
        parse_spaces(p);
        if (*p->at == '-') {
            p->at++;
            if (!parse_number(p, &last))
                return false;
        }
        if (last < first || last >= INT64_MAX)
            return false;
        gtid_set_add_range(set, id, first, last);
    }
}

static bool parse_mariadb(struct gtid_set *set, struct gtid_parse *p)
{
    struct gtid id = {.kind = GTID_MARIADB};
    uint64_t part[3];

    for (int i = 0; i < 3; i++) {
        if (i > 0 && *p->at++ != '-')
            return false;
        if (!parse_number(p, &part[i]))
            return false;
    }
    if (part[0] > UINT32_MAX || part[1] > UINT32_MAX || part[2] == UINT64_MAX)
        return false;
    id.domain = (uint32_t)part[0];
    id.server = (uint32_t)part[1];
    id.number = part[2];
    gtid_set_add(set, &id);
    return true;
}

enum err_code gtid_set_parse(struct gtid_set *set, const char *text, struct err *err)
{
    struct gtid_parse p = {.at = text, .whole = text};

    for (;;) {
        struct gtid id = {.kind = set->kind};
        bool ok;

        parse_spaces(&p);
        if (!*p.at)
            return ERR_OK;
        if (*p.at == ',') {
            p.at++;
            continue;
        }
        if (set->kind == GTID_MARIADB)
            ok = parse_mariadb(set, &p);
        else
            ok = parse_uuid(&p, id.uuid) && parse_intervals(set, &p, &id);
        parse_spaces(&p);
        if (!ok || (*p.at && *p.at != ','))
            return parse_fail(&p, err);
    }
}

static void encode_u64(uint64_t v, struct strbuf *out)
{
    char bytes[8];

    bytes_put_le(bytes, v, sizeof(bytes));
    strbuf_add(out, bytes, sizeof(bytes));
}

void gtid_set_encode(const struct gtid_set *set, struct strbuf *out)
{
    const bool tagged = gtid_set_tagged(set);

    /* The form with tags has its number in the first and in the last byte of the count. */
    encode_u64(tagged ? UINT64_C(1) << 56 | (uint64_t)set->count << 8 | 1 : set->count, out);
    for (size_t i = 0; i < set->count; i++) {
        const struct member *m = &set->members[i];

        strbuf_add(out, m->id.uuid, GTID_UUID);
        if (tagged) {
            strbuf_addch(out, (char)(strlen(m->id.tag) << 1));
            strbuf_addstr(out, m->id.tag);
        }
        encode_u64(m->count, out);
        for (size_t k = 0; k < m->count; k++) {
            encode_u64(m->intervals[k].first, out);
            encode_u64(m->intervals[k].end, out);
        }
    }
}

struct gtid_input {
    const unsigned char *at, *end;
};

static bool input_u64(struct gtid_input *in, uint64_t *out)
{
    if (in->end - in->at < 8)
        return false;
    *out = bytes_le64(in->at);
    in->at += 8;
    return true;
}

static bool input_id(struct gtid_input *in, bool tagged, struct gtid *id)
{
    size_t len;

    if ((size_t)(in->end - in->at) < GTID_UUID + tagged)
        return false;
    memcpy(id->uuid, in->at, GTID_UUID);
    in->at += GTID_UUID;
    if (!tagged)
        return true;
    len = *in->at >> 1;
    if (*in->at++ & 1 || len > GTID_TAG_MAX || (size_t)(in->end - in->at) < len)
        return false;
    memcpy(id->tag, in->at, len);
    in->at += len;
    return true;
}

static bool decode_member(struct gtid_set *set, struct gtid_input *in, bool tagged)
{
    struct gtid id = {.kind = GTID_MYSQL};
    uint64_t count = 0;
    uint64_t before = 0;

    if (!input_id(in, tagged, &id) || !input_u64(in, &count) ||
        count > (uint64_t)(in->end - in->at) / 16)
        return false;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t first = 0;
        uint64_t end = 0;

        if (!input_u64(in, &first) || !input_u64(in, &end) || first <= before || end <= first ||
            end > INT64_MAX)
            return false;
        gtid_set_add_range(set, &id, first, end - 1);
        before = end;
    }
    return true;
}

enum err_code gtid_set_decode(struct gtid_set *set, const void *data, size_t len, struct err *err)
{
    struct gtid_input in = {data, (const unsigned char *)data + len};
    uint64_t count = 0;
    bool ok = input_u64(&in, &count);
    const bool tagged = count >> 56 == 1;

    if (tagged)
        count = count >> 8 & UINT64_C(0xffffffffffff);
    ok = ok && count <= len;
    for (uint64_t i = 0; ok && i < count; i++)
        ok = decode_member(set, &in, tagged);
    if (!ok || in.at != in.end)
        return err_set(err, ERR_BINLOG_EVENT, "a GTID set of %zu bytes cannot be understood", len);
    return ERR_OK;
}
