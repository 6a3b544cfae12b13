#include "formats/binlog_json.h"

#include "common/base/bytes.h"
#include "formats/binlog_number.h"

#include <math.h>

#define JSON_DEPTH_MAX 100 /* of MySQL itself */

enum json_type {
    JSON_SMALL_OBJECT = 0,
    JSON_LARGE_OBJECT = 1,
    JSON_SMALL_ARRAY = 2,
    JSON_LARGE_ARRAY = 3,
    JSON_LITERAL = 4,
    JSON_INT16 = 5,
    JSON_UINT16 = 6,
    JSON_INT32 = 7,
    JSON_UINT32 = 8,
    JSON_INT64 = 9,
    JSON_UINT64 = 10,
    JSON_DOUBLE = 11,
    JSON_STRING = 12,
    JSON_OPAQUE = 15
};
/* Types of columns that come as opaque values. */
enum {
    OPAQUE_TIMESTAMP = 7,
    OPAQUE_DATE = 10,
    OPAQUE_TIME = 11,
    OPAQUE_DATETIME = 12,
    OPAQUE_NEWDECIMAL = 246
};

struct json_view {
    const uint8_t *data;
    size_t len;
};

static MUST_CHECK enum err_code json_value(unsigned type, struct json_view v, unsigned depth,
                                           struct strbuf *out, struct err *err);

static enum err_code json_broken(struct err *err)
{
    return err_set(err, ERR_BINLOG_EVENT, "a JSON value is cut or changed");
}

static enum err_code json_add(struct strbuf *out, const void *text, size_t len, struct err *err)
{
    const enum err_code rc = strbuf_reserve(out, len, err);

    if (!rc)
        strbuf_add(out, text, len);
    return rc;
}

static char json_escape(unsigned char c)
{
    switch (c) {
    case '"':
    case '\\':
        return (char)c;
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return c < 0x20 ? 'u' : '\0';
    }
}

static enum err_code json_quoted(const uint8_t *text, size_t len, struct strbuf *out,
                                 struct err *err)
{
    enum err_code rc;
    char *to;

    if (len > SIZE_MAX / 8)
        return json_broken(err);
    rc = strbuf_reserve(out, len + 2, err);
    if (rc)
        return rc;
    strbuf_addch(out, '"');
    for (size_t from = 0; !rc && from < len;) {
        size_t plain = from;

        while (plain < len && !json_escape(text[plain]))
            plain++;
        rc = json_add(out, text + from, plain - from, err);
        from = plain;
        if (rc || from == len)
            break;
        rc = strbuf_reserve(out, 8, err);
        if (rc)
            break;
        strbuf_addch(out, '\\');
        strbuf_addch(out, json_escape(text[from]));
        if (json_escape(text[from]) == 'u') {
            to = out->str + out->len;
            memcpy(to, "00", 2);
            to = bytes_to_hex(to + 2, text + from, 1);
            *to = '\0';
            out->len += 4;
        }
        from++;
    }
    return rc ? rc : json_add(out, "\"", 1, err);
}

/* A length in groups of seven bits, the lowest first. */
static bool json_length(struct json_view *v, size_t *out)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < 5 && i < v->len; i++) {
        n |= (uint64_t)(v->data[i] & 0x7f) << 7 * i;
        if (!(v->data[i] & 0x80)) {
            v->data += i + 1;
            v->len -= i + 1;
            *out = (size_t)n;
            return n <= v->len;
        }
    }
    return false;
}

static enum err_code json_base64(unsigned type, const uint8_t *data, size_t len, struct strbuf *out,
                                 struct err *err)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    enum err_code rc = strbuf_reserve(out, len / 3 * 4 + 40 + len / 57 * 2, err);

    if (rc)
        return rc;
    strbuf_addf(out, "\"base64:type%u:", type);
    for (size_t i = 0; i < len; i += 3) {
        /* The server's lines of 76 characters, inside of a JSON string. */
        if (i > 0 && i % 57 == 0)
            strbuf_addstr(out, "\\n");
        const size_t n = len - i < 3 ? len - i : 3;
        const uint32_t v = (uint32_t)data[i] << 16 | (n > 1 ? (uint32_t)data[i + 1] << 8 : 0) |
                           (n > 2 ? data[i + 2] : 0);

        strbuf_addch(out, digits[v >> 18]);
        strbuf_addch(out, digits[v >> 12 & 63]);
        strbuf_add(out, n > 1 ? &digits[v >> 6 & 63] : "=", 1);
        strbuf_add(out, n > 2 ? &digits[v & 63] : "=", 1);
    }
    strbuf_addch(out, '"');
    return ERR_OK;
}

static enum err_code json_opaque(struct json_view v, struct strbuf *out, struct err *err)
{
    char text[NUMBER_TEXT_MAX + 2];
    char *end = text;
    unsigned type;
    size_t len = 0;
    int64_t packed;

    if (v.len < 2)
        return json_broken(err);
    type = v.data[0];
    v.data++;
    v.len--;
    if (!json_length(&v, &len))
        return json_broken(err);
    if (type == OPAQUE_NEWDECIMAL) {
        if (len < 2 || decimal_bytes(v.data[0], v.data[1]) == 0 ||
            decimal_bytes(v.data[0], v.data[1]) != len - 2)
            return json_broken(err);
        end = decimal_text(text, v.data + 2, v.data[0], v.data[1]);
        return end ? json_add(out, text, (size_t)(end - text), err) : json_broken(err);
    }
    if (type != OPAQUE_TIME && type != OPAQUE_DATE && type != OPAQUE_DATETIME &&
        type != OPAQUE_TIMESTAMP)
        return json_base64(type, v.data, len, out, err);
    if (len != 8)
        return json_broken(err);
    packed = (int64_t)bytes_le64(v.data);
    *end++ = '"';
    if (type == OPAQUE_TIME)
        end = time_packed_time(end, packed, 6);
    else if (type == OPAQUE_DATE)
        end = time_packed_date(end, packed);
    else
        end = time_packed_datetime(end, packed, 6);
    *end++ = '"';
    return json_add(out, text, (size_t)(end - text), err);
}

static enum err_code json_literal(unsigned v, struct strbuf *out, struct err *err)
{
    static const char *const names[] = {"null", "true", "false"};

    if (v >= 3)
        return json_broken(err);
    return json_add(out, names[v], strlen(names[v]), err);
}

static enum err_code json_number(unsigned type, const uint8_t *data, struct strbuf *out,
                                 struct err *err)
{
    char text[NUMBER_TEXT_MAX];
    char *end;
    double d;

    switch (type) {
    case JSON_INT16:
        end = number_i64(text, (int16_t)bytes_le16(data));
        break;
    case JSON_UINT16:
        end = number_u64(text, bytes_le16(data));
        break;
    case JSON_INT32:
        end = number_i64(text, (int32_t)bytes_le32(data));
        break;
    case JSON_UINT32:
        end = number_u64(text, bytes_le32(data));
        break;
    case JSON_INT64:
        end = number_i64(text, (int64_t)bytes_le64(data));
        break;
    case JSON_UINT64:
        end = number_u64(text, bytes_le64(data));
        break;
    default:
        memcpy(&d, data, sizeof(d));
        if (!isfinite(d))
            return json_broken(err);
        end = number_double(text, d);
        if (!memchr(text, '.', (size_t)(end - text)) && !memchr(text, 'e', (size_t)(end - text))) {
            memcpy(end, ".0", 2);
            end += 2;
        }
        break;
    }
    return json_add(out, text, (size_t)(end - text), err);
}

/* Objects and arrays: count, bytes, [key entries], value entries, [keys], values. Offsets count
 * from the count on. */
struct json_container {
    struct json_view all;
    size_t count;
    unsigned wide; /* bytes of a count and an offset: 2 or 4 */
    bool object;
};

static bool json_container(unsigned type, struct json_view v, struct json_container *out)
{
    struct json_container c = {.object = type == JSON_SMALL_OBJECT || type == JSON_LARGE_OBJECT};
    size_t bytes;

    c.wide = type == JSON_LARGE_OBJECT || type == JSON_LARGE_ARRAY ? 4 : 2;
    if (v.len < 2 * (size_t)c.wide)
        return false;
    c.count = (size_t)bytes_le(v.data, c.wide);
    bytes = (size_t)bytes_le(v.data + c.wide, c.wide);
    if (bytes > v.len || bytes < 2 * (size_t)c.wide)
        return false;
    c.all = (struct json_view){v.data, bytes};
    if (c.count > (bytes - 2 * (size_t)c.wide) / (1 + c.wide + (c.object ? c.wide + 2U : 0)))
        return false;
    *out = c;
    return true;
}

static bool json_key(const struct json_container *c, size_t i, struct json_view *key)
{
    const uint8_t *entry = c->all.data + 2 * (size_t)c->wide + i * (c->wide + 2U);
    const size_t off = (size_t)bytes_le(entry, c->wide);
    const size_t len = bytes_le16(entry + c->wide);

    if (off > c->all.len || len > c->all.len - off)
        return false;
    *key = (struct json_view){c->all.data + off, len};
    return true;
}

/* As json_value. NOLINTNEXTLINE(misc-no-recursion) */
static enum err_code json_element(const struct json_container *c, size_t i, unsigned depth,
                                  struct strbuf *out, struct err *err)
{
    const uint8_t *entry = c->all.data + 2 * (size_t)c->wide +
                           (c->object ? c->count * (c->wide + 2U) : 0) + i * (1U + c->wide);
    const unsigned type = entry[0];
    size_t off;

    if (type == JSON_LITERAL || type == JSON_INT16 || type == JSON_UINT16 ||
        (c->wide == 4 && (type == JSON_INT32 || type == JSON_UINT32)))
        return json_value(type, (struct json_view){entry + 1, c->wide}, depth, out, err);
    off = (size_t)bytes_le(entry + 1, c->wide);
    if (off >= c->all.len || off < 2 * (size_t)c->wide)
        return json_broken(err);
    return json_value(type, (struct json_view){c->all.data + off, c->all.len - off}, depth, out,
                      err);
}

/* As json_value. NOLINTNEXTLINE(misc-no-recursion) */
static enum err_code json_members(const struct json_container *c, unsigned depth,
                                  struct strbuf *out, struct err *err)
{
    enum err_code rc = json_add(out, c->object ? "{" : "[", 1, err);

    for (size_t i = 0; !rc && i < c->count; i++) {
        struct json_view key;

        if (i > 0)
            rc = json_add(out, ", ", 2, err);
        if (!rc && c->object) {
            rc = json_key(c, i, &key) ? json_quoted(key.data, key.len, out, err) : json_broken(err);
            if (!rc)
                rc = json_add(out, ": ", 2, err);
        }
        if (!rc)
            rc = json_element(c, i, depth, out, err);
    }
    return rc ? rc : json_add(out, c->object ? "}" : "]", 1, err);
}

static size_t json_fixed(unsigned type)
{
    static const uint8_t sizes[] = {
        [JSON_LITERAL] = 1, [JSON_INT16] = 2, [JSON_UINT16] = 2, [JSON_INT32] = 4,
        [JSON_UINT32] = 4,  [JSON_INT64] = 8, [JSON_UINT64] = 8, [JSON_DOUBLE] = 8};

    return type < sizeof(sizes) ? sizes[type] : 0;
}

/* Recurses as deep as JSON_DEPTH_MAX at most. NOLINTNEXTLINE(misc-no-recursion) */
static enum err_code json_value(unsigned type, struct json_view v, unsigned depth,
                                struct strbuf *out, struct err *err)
{
    struct json_container c;
    size_t len = 0;

    if (v.len < json_fixed(type))
        return json_broken(err);
    switch (type) {
    case JSON_SMALL_OBJECT:
    case JSON_LARGE_OBJECT:
    case JSON_SMALL_ARRAY:
    case JSON_LARGE_ARRAY:
        if (depth >= JSON_DEPTH_MAX || !json_container(type, v, &c))
            return json_broken(err);
        return json_members(&c, depth + 1, out, err);
    case JSON_LITERAL:
        return json_literal(v.data[0], out, err);
    case JSON_STRING:
        if (!json_length(&v, &len))
            return json_broken(err);
        return json_quoted(v.data, len, out, err);
    case JSON_OPAQUE:
        return json_opaque(v, out, err);
    default:
        if (json_fixed(type) == 0)
            return json_broken(err);
        return json_number(type, v.data, out, err);
    }
}

enum err_code json_binary_text(const uint8_t *data, size_t len, struct strbuf *out, struct err *err)
{
    if (len == 0)
        return json_add(out, "null", 4, err);
    return json_value(data[0], (struct json_view){data + 1, len - 1}, 0, out, err);
}
