/* One function a kind of value, and at the end the table that chooses them. */
#define ZLIB_CONST
#include "formats/binlog_cell.h"

#include "common/base/bytes.h"
#include "common/schema/type_parse.h"
#include "formats/binlog_json.h"
#include "formats/binlog_number.h"
#include "formats/binlog_rows.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>

#include <zlib.h>

#define VAR_TEXT_MAX ((size_t)4 << 30) /* bytes of one cell's text */

static enum err_code cell_cut(struct err *err)
{
    return err_set(err, ERR_BINLOG_EVENT, "the row is cut");
}

static enum err_code cell_wrong(struct err *err)
{
    return err_set(err, ERR_BINLOG_EVENT, "the value is none of its type");
}

/* `n` bytes of the value; NULL: they are not there. */
static const uint8_t *take(const uint8_t **at, const uint8_t *end, size_t n)
{
    const uint8_t *p = *at;

    if ((size_t)(end - p) < n)
        return NULL;
    *at = p + n;
    return p;
}

static enum err_code in_slot(struct cell_out *out, const char *end)
{
    out->cell = out->slot;
    out->len = (unsigned long)(end - out->slot);
    return ERR_OK;
}

static enum err_code decode_int(const struct binlog_column *c, const uint8_t **at,
                                const uint8_t *end, struct cell_out *out, struct err *err)
{
    const uint8_t *p = take(at, end, c->length_bytes);
    const unsigned unused = 64U - 8U * c->length_bytes;
    uint64_t v;

    if (!p)
        return cell_cut(err);
    v = bytes_le(p, c->length_bytes);
    if (c->is_unsigned)
        return in_slot(out, number_u64(out->slot, v));
    return in_slot(out, number_i64(out->slot, (int64_t)(v << unused) >> unused));
}

static enum err_code decode_real(const struct binlog_column *c, const uint8_t **at,
                                 const uint8_t *end, struct cell_out *out, struct err *err)
{
    const uint8_t *p = take(at, end, c->length_bytes);
    double d = 0;
    float f = 0;

    if (!p)
        return cell_cut(err);
    if (c->length_bytes == sizeof(f)) {
        memcpy(&f, p, sizeof(f));
        d = f;
    } else {
        memcpy(&d, p, sizeof(d));
    }
    if (!isfinite(d))
        return cell_wrong(err);
    return in_slot(out, number_double(out->slot, d));
}

static enum err_code decode_decimal(const struct binlog_column *c, const uint8_t **at,
                                    const uint8_t *end, struct cell_out *out, struct err *err)
{
    const unsigned precision = c->meta & 0xff;
    const unsigned scale = c->meta >> 8;
    const uint8_t *p = take(at, end, c->length_bytes);
    const char *to;

    if (!p)
        return cell_cut(err);
    to = decimal_text(out->slot, p, precision, scale);
    return to ? in_slot(out, to) : cell_wrong(err);
}

static enum err_code decode_year(const struct binlog_column *c, const uint8_t **at,
                                 const uint8_t *end, struct cell_out *out, struct err *err)
{
    const uint8_t *p = take(at, end, 1);
    unsigned year;

    if (!p)
        return cell_cut(err);
    year = *p ? *p + 1900U : 0;
    if (c->def->precision == 2)
        year = *p % 100U + (*p % 100U < 70 ? 2000U : 1900U);
    return in_slot(out, number_padded(out->slot, year, 4));
}

static enum err_code decode_date(const struct binlog_column *c, const uint8_t **at,
                                 const uint8_t *end, struct cell_out *out, struct err *err)
{
    const uint8_t *p = take(at, end, 3);

    (void)c;
    return p ? in_slot(out, time_date(out->slot, (uint32_t)bytes_le(p, 3))) : cell_cut(err);
}

static enum err_code decode_old_time(const struct binlog_column *c, const uint8_t **at,
                                     const uint8_t *end, struct cell_out *out, struct err *err)
{
    const uint8_t *p = take(at, end, 3);
    int32_t v;

    (void)c;
    if (!p)
        return cell_cut(err);
    v = (int32_t)bytes_le(p, 3);
    return in_slot(out, time_old_time(out->slot, v >= 0x800000 ? v - 0x1000000 : v));
}

static enum err_code decode_old_datetime(const struct binlog_column *c, const uint8_t **at,
                                         const uint8_t *end, struct cell_out *out, struct err *err)
{
    const uint8_t *p = take(at, end, 8);

    (void)c;
    return p ? in_slot(out, time_old_datetime(out->slot, bytes_le64(p))) : cell_cut(err);
}

static enum err_code decode_old_timestamp(const struct binlog_column *c, const uint8_t **at,
                                          const uint8_t *end, struct cell_out *out, struct err *err)
{
    const uint8_t *p = take(at, end, 4);

    (void)c;
    return p ? in_slot(out, time_of_seconds(out->slot, bytes_le32(p))) : cell_cut(err);
}

/* Bytes of a fraction, and what makes microseconds of them. */
static const uint8_t fraction_bytes[7] = {0, 1, 1, 2, 2, 3, 3};
static const uint32_t fraction_unit[7] = {0, 10000, 10000, 100, 100, 1, 1};

static bool fraction_read(const uint8_t *p, unsigned fsp, uint32_t *out)
{
    *out = (uint32_t)bytes_be(p, fraction_bytes[fsp]) * fraction_unit[fsp];
    return *out < 1000000;
}

static enum err_code decode_timestamp2(const struct binlog_column *c, const uint8_t **at,
                                       const uint8_t *end, struct cell_out *out, struct err *err)
{
    const uint8_t *p = take(at, end, c->length_bytes);
    uint32_t fraction = 0;

    if (!p)
        return cell_cut(err);
    if (!fraction_read(p + 4, c->meta, &fraction))
        return cell_wrong(err);
    return in_slot(out,
                   time_fraction(time_of_seconds(out->slot, bytes_be32(p)), fraction, c->meta));
}

static enum err_code decode_datetime2(const struct binlog_column *c, const uint8_t **at,
                                      const uint8_t *end, struct cell_out *out, struct err *err)
{
    const uint8_t *p = take(at, end, c->length_bytes);
    uint32_t fraction = 0;
    int64_t whole;

    if (!p)
        return cell_cut(err);
    whole = (int64_t)bytes_be(p, 5) - INT64_C(0x8000000000);
    if (whole < 0 || !fraction_read(p + 5, c->meta, &fraction))
        return cell_wrong(err);
    return in_slot(out, time_packed_datetime(out->slot, whole << 24 | fraction, c->meta));
}

/* A negative time is stored so that the bytes sort: the fraction counts up from the next lower
 * second. */
static enum err_code decode_time2(const struct binlog_column *c, const uint8_t **at,
                                  const uint8_t *end, struct cell_out *out, struct err *err)
{
    const uint8_t *p = take(at, end, c->length_bytes);
    const unsigned n = fraction_bytes[c->meta];
    int64_t whole;
    int64_t fraction;

    if (!p)
        return cell_cut(err);
    whole = (int64_t)bytes_be(p, 3) - 0x800000;
    fraction = (int64_t)bytes_be(p + 3, n);
    if (whole < 0 && fraction) {
        whole++;
        fraction -= INT64_C(1) << 8 * n;
    }
    fraction *= fraction_unit[c->meta];
    if (fraction <= -1000000 || fraction >= 1000000)
        return cell_wrong(err);
    return in_slot(out, time_packed_time(out->slot, whole * 0x1000000 + fraction, c->meta));
}

static enum err_code decode_bytes_fixed(const struct binlog_column *c, const uint8_t **at,
                                        const uint8_t *end, struct cell_out *out, struct err *err)
{
    const uint8_t *p = take(at, end, c->length_bytes);

    if (!p)
        return cell_cut(err);
    out->cell = (const char *)p;
    out->len = c->length_bytes;
    return ERR_OK;
}

static enum err_code decode_enum(const struct binlog_column *c, const uint8_t **at,
                                 const uint8_t *end, struct cell_out *out, struct err *err)
{
    const uint8_t *p = take(at, end, c->length_bytes);
    uint64_t v;

    if (!p)
        return cell_cut(err);
    v = bytes_le(p, c->length_bytes);
    if (v > c->label_count)
        return cell_wrong(err);
    out->cell = v ? c->labels[v - 1].text : "";
    out->len = v ? c->labels[v - 1].len : 0;
    return ERR_OK;
}

static enum err_code decode_set(const struct binlog_column *c, const uint8_t **at,
                                const uint8_t *end, struct cell_out *out, struct err *err)
{
    const uint8_t *p = take(at, end, c->length_bytes);
    uint64_t v;

    if (!p)
        return cell_cut(err);
    v = bytes_le(p, c->length_bytes);
    if (c->label_count < 64 && v >> c->label_count)
        return cell_wrong(err);
    for (unsigned i = 0; i < c->label_count; i++) {
        if (!(v >> i & 1))
            continue;
        if (out->var->len)
            strbuf_addch(out->var, ',');
        strbuf_add(out->var, c->labels[i].text, c->labels[i].len);
    }
    out->cell = strbuf_str(out->var);
    out->len = out->var->len;
    return ERR_OK;
}

/* The bytes behind their length. */
static enum err_code counted(const struct binlog_column *c, const uint8_t **at, const uint8_t *end,
                             const uint8_t **data, size_t *len, struct err *err)
{
    const uint8_t *p = take(at, end, c->length_bytes);

    if (!p)
        return cell_cut(err);
    *len = (size_t)bytes_le(p, c->length_bytes);
    *data = take(at, end, *len);
    return *data ? ERR_OK : cell_cut(err);
}

static enum err_code decode_counted(const struct binlog_column *c, const uint8_t **at,
                                    const uint8_t *end, struct cell_out *out, struct err *err)
{
    const uint8_t *data = NULL;
    size_t len = 0;
    const enum err_code rc = counted(c, at, end, &data, &len, err);

    if (rc)
        return rc;
    out->cell = (const char *)data;
    out->len = len;
    return ERR_OK;
}

static enum err_code in_var(struct cell_out *out)
{
    out->cell = strbuf_str(out->var);
    out->len = out->var->len;
    return ERR_OK;
}

static enum err_code convert(const struct binlog_column *c, const char *data, size_t len,
                             struct cell_out *out, struct err *err)
{
    const enum err_code rc = charset_map_convert(c->map, data, len, out->var, err);

    return rc ? rc : in_var(out);
}

static enum err_code decode_text(const struct binlog_column *c, const uint8_t **at,
                                 const uint8_t *end, struct cell_out *out, struct err *err)
{
    const uint8_t *data = NULL;
    size_t len = 0;
    const enum err_code rc = counted(c, at, end, &data, &len, err);

    return rc ? rc : convert(c, (const char *)data, len, out, err);
}

/* The zeros at the end are not in the image. */
static enum err_code decode_padded(const struct binlog_column *c, const uint8_t **at,
                                   const uint8_t *end, struct cell_out *out, struct err *err)
{
    const uint8_t *data = NULL;
    size_t len = 0;
    enum err_code rc = counted(c, at, end, &data, &len, err);

    if (rc)
        return rc;
    if (len > c->pad)
        return cell_wrong(err);
    if (len == c->pad) {
        out->cell = (const char *)data;
        out->len = len;
        return ERR_OK;
    }
    rc = strbuf_reserve(out->var, c->pad, err);
    if (rc)
        return rc;
    memset(out->var->str, 0, c->pad + 1);
    memcpy(out->var->str, data, len);
    out->var->len = c->pad;
    return in_var(out);
}

static enum err_code decode_json(const struct binlog_column *c, const uint8_t **at,
                                 const uint8_t *end, struct cell_out *out, struct err *err)
{
    const uint8_t *data = NULL;
    size_t len = 0;
    enum err_code rc = counted(c, at, end, &data, &len, err);

    if (!rc)
        rc = json_binary_text(data, len, out->var, err);
    return rc ? rc : in_var(out);
}

/* MariaDB stores the parts of a UUID in another order, the node first, unless its version is above
 * 5 (sql_type_uuid.h). */
static enum err_code decode_uuid(const struct binlog_column *c, const uint8_t **at,
                                 const uint8_t *end, struct cell_out *out, struct err *err)
{
    static const uint8_t order[16] = {12, 13, 14, 15, 10, 11, 8, 9, 6, 7, 0, 1, 2, 3, 4, 5};
    uint8_t raw[16] = {0};
    uint8_t uuid[16];
    char *to = out->slot;
    const uint8_t *data = NULL;
    size_t len = 0;
    bool swapped;
    const enum err_code rc = counted(c, at, end, &data, &len, err);

    if (rc)
        return rc;
    if (len > sizeof(raw))
        return cell_wrong(err);
    memcpy(raw, data, len);
    swapped = c->old_order || ((raw[6] & 0x80) && raw[8] > 0 && raw[8] < 0x80);
    for (unsigned i = 0; i < sizeof(uuid); i++)
        uuid[i] = raw[swapped ? order[i] : i];
    for (unsigned i = 0; i < sizeof(uuid); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *to++ = '-';
        to = bytes_to_hex(to, &uuid[i], 1);
    }
    return in_slot(out, to);
}

/* As MariaDB's Inet6::to_string: also a single group of zeros is left out, which inet_ntop does
 * not.
 */
static char *inet6_text(char *to, const uint8_t *raw)
{
    int gap = -1;
    int gap_len = 0;

    for (int i = 0; i < 8; i++) {
        int len = 0;

        while (i + len < 8 && bytes_be16(raw + 2 * (size_t)(i + len)) == 0)
            len++;
        if (len > gap_len) {
            gap = i;
            gap_len = len;
        }
        i += len;
    }
    for (int i = 0; i < 8;) {
        if (i == gap) {
            *to++ = ':';
            if (i == 0)
                *to++ = ':';
            i += gap_len;
        } else if (i == 6 && gap == 0 &&
                   (gap_len == 6 || (gap_len == 5 && bytes_be16(raw + 10) == 0xffff))) {
            return to + snprintf(to, 16, "%u.%u.%u.%u", raw[12], raw[13], raw[14], raw[15]);
        } else {
            to += snprintf(to, 5, "%x", bytes_be16(raw + 2 * (size_t)i));
            if (++i < 8)
                *to++ = ':';
        }
    }
    return to;
}

static enum err_code decode_inet(const struct binlog_column *c, const uint8_t **at,
                                 const uint8_t *end, struct cell_out *out, struct err *err)
{
    uint8_t raw[16] = {0};
    const uint8_t *data = NULL;
    size_t len = 0;
    const enum err_code rc = counted(c, at, end, &data, &len, err);

    if (rc)
        return rc;
    if (len > c->pad)
        return cell_wrong(err);
    memcpy(raw, data, len);
    if (c->pad == 16)
        return in_slot(out, inet6_text(out->slot, raw));
    return in_slot(out, out->slot + snprintf(out->slot, NUMBER_TEXT_MAX, "%u.%u.%u.%u", raw[0],
                                             raw[1], raw[2], raw[3]));
}

/* MariaDB's COMPRESSED: a byte says how; then the length, big-endian; then zlib's. */
static enum err_code decode_compressed(const struct binlog_column *c, const uint8_t **at,
                                       const uint8_t *end, struct cell_out *out, struct err *err)
{
    const uint8_t *data = NULL;
    size_t len = 0;
    struct strbuf *const var = out->var;
    size_t len_bytes;
    uint64_t plain;
    z_stream z = {0};
    int status;
    enum err_code rc = counted(c, at, end, &data, &len, err);

    if (rc)
        return rc;
    if (len == 0 || data[0] == 0) {
        out->cell = (const char *)data + (len > 0);
        out->len = len - (len > 0);
        return c->map ? convert(c, out->cell, out->len, out, err) : ERR_OK;
    }
    len_bytes = data[0] & 7;
    if (data[0] >> 4 != 8 || len_bytes == 0 || len_bytes > 4 || len < 1 + len_bytes)
        return cell_wrong(err);
    plain = bytes_be(data + 1, len_bytes);
    if (plain / ZLIB_RATIO_MAX > len)
        return cell_wrong(err);
    rc = strbuf_reserve(var, plain, err);
    if (rc)
        return rc;
    if (inflateInit2(&z, data[0] & 8 ? -MAX_WBITS : MAX_WBITS) != Z_OK)
        return err_set(err, ERR_NOMEM, "no memory for zlib");
    z.next_in = data + 1 + len_bytes;
    z.avail_in = (uInt)(len - 1 - len_bytes);
    z.next_out = (Bytef *)var->str;
    z.avail_out = (uInt)plain;
    status = inflate(&z, Z_FINISH);
    (void)inflateEnd(&z);
    if (status != Z_STREAM_END || z.avail_out != 0 || z.avail_in != 0)
        return cell_wrong(err);
    var->len = plain;
    if (c->map) {
        struct strbuf text = {.max = VAR_TEXT_MAX};

        rc = charset_map_convert(c->map, var->str, var->len, &text, err);
        strbuf_release(var);
        *var = text;
    }
    return rc ? rc : in_var(out);
}

/* ------------------------------------------------------------------------------------------- */

#define OF_TYPE(t) (UINT64_C(1) << (t))
#define OF_TEXTS                                                                                   \
    (OF_TYPE(TYPE_TINYTEXT) | OF_TYPE(TYPE_TEXT) | OF_TYPE(TYPE_MEDIUMTEXT) |                      \
     OF_TYPE(TYPE_LONGTEXT))
#define OF_BLOBS                                                                                   \
    (OF_TYPE(TYPE_TINYBLOB) | OF_TYPE(TYPE_BLOB) | OF_TYPE(TYPE_MEDIUMBLOB) |                      \
     OF_TYPE(TYPE_LONGBLOB))
#define OF_FIXED                                                                                   \
    (OF_TYPE(TYPE_CHAR) | OF_TYPE(TYPE_BINARY) | OF_TYPE(TYPE_UUID) | OF_TYPE(TYPE_INET4) |        \
     OF_TYPE(TYPE_INET6))

/* What a type in the event can be in a definition, how it is read, and how many bytes it has (0:
 * see the metadata). */
static const struct bind_row {
    uint8_t type;
    uint8_t bytes;
    uint64_t defs; /* bits of enum column_type */
    cell_decode_fn *decode;
} bind_rows[] = {
    {COLUMN_TINY, 1, OF_TYPE(TYPE_TINYINT), decode_int},
    {COLUMN_SHORT, 2, OF_TYPE(TYPE_SMALLINT), decode_int},
    {COLUMN_INT24, 3, OF_TYPE(TYPE_MEDIUMINT), decode_int},
    {COLUMN_LONG, 4, OF_TYPE(TYPE_INT), decode_int},
    {COLUMN_LONGLONG, 8, OF_TYPE(TYPE_BIGINT), decode_int},
    {COLUMN_FLOAT, 4, OF_TYPE(TYPE_FLOAT), decode_real},
    {COLUMN_DOUBLE, 8, OF_TYPE(TYPE_DOUBLE), decode_real},
    {COLUMN_NEWDECIMAL, 0, OF_TYPE(TYPE_DECIMAL), decode_decimal},
    {COLUMN_YEAR, 1, OF_TYPE(TYPE_YEAR), decode_year},
    {COLUMN_DATE, 3, OF_TYPE(TYPE_DATE), decode_date},
    {COLUMN_NEWDATE, 3, OF_TYPE(TYPE_DATE), decode_date},
    {COLUMN_TIME, 3, OF_TYPE(TYPE_TIME), decode_old_time},
    {COLUMN_DATETIME, 8, OF_TYPE(TYPE_DATETIME), decode_old_datetime},
    {COLUMN_TIMESTAMP, 4, OF_TYPE(TYPE_TIMESTAMP), decode_old_timestamp},
    {COLUMN_TIME2, 3, OF_TYPE(TYPE_TIME), decode_time2},
    {COLUMN_DATETIME2, 5, OF_TYPE(TYPE_DATETIME), decode_datetime2},
    {COLUMN_TIMESTAMP2, 4, OF_TYPE(TYPE_TIMESTAMP), decode_timestamp2},
    {COLUMN_BIT, 0, OF_TYPE(TYPE_BIT), decode_bytes_fixed},
    {COLUMN_ENUM, 0, OF_TYPE(TYPE_ENUM), decode_enum},
    {COLUMN_SET, 0, OF_TYPE(TYPE_SET), decode_set},
    {COLUMN_JSON, 0, OF_TYPE(TYPE_JSON), decode_json},
    {COLUMN_GEOMETRY, 0, OF_TYPE(TYPE_GEOMETRY), decode_counted},
    {COLUMN_VECTOR, 0, OF_TYPE(TYPE_VECTOR), decode_counted},
    {COLUMN_BLOB, 0, OF_TEXTS | OF_BLOBS | OF_TYPE(TYPE_JSON) | OF_TYPE(TYPE_GEOMETRY),
     decode_counted},
    {COLUMN_BLOB_COMPRESSED, 0, OF_TEXTS | OF_BLOBS, decode_compressed},
    {COLUMN_VARCHAR, 0, OF_TYPE(TYPE_VARCHAR) | OF_TYPE(TYPE_VARBINARY) | OF_TYPE(TYPE_VECTOR),
     decode_counted},
    {COLUMN_VAR_STRING, 0, OF_TYPE(TYPE_VARCHAR) | OF_TYPE(TYPE_VARBINARY), decode_counted},
    {COLUMN_VARCHAR_COMPRESSED, 0, OF_TYPE(TYPE_VARCHAR) | OF_TYPE(TYPE_VARBINARY),
     decode_compressed},
    {COLUMN_STRING, 0, OF_FIXED, decode_counted},
};

static const struct bind_row *bind_find(uint8_t type)
{
    for (size_t i = 0; i < sizeof(bind_rows) / sizeof(bind_rows[0]); i++)
        if (bind_rows[i].type == type)
            return &bind_rows[i];
    return NULL;
}

static enum err_code bind_other(const struct binlog_column *c, struct err *err)
{
    return err_set(err, ERR_BINLOG_SCHEMA,
                   "the row was written with a type (number %u, metadata %u) that is not %s",
                   (unsigned)c->type, (unsigned)c->meta, c->def->type_text);
}

/* Undoes the escapes of COLUMN_TYPE. */
static size_t label_plain(const char *label, size_t len, char *to)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        char ch = label[i];

        if (ch == '\'' && i + 1 < len && label[i + 1] == '\'') {
            i++;
        } else if (ch == '\\' && i + 1 < len) {
            ch = label[++i];
            if (ch == 'n')
                ch = '\n';
            else if (ch == 'r')
                ch = '\r';
            else if (ch == '0')
                ch = '\0';
        }
        to[n++] = ch;
    }
    return n;
}

/* Bytes of an ENUM's number or of a SET's bits. */
static unsigned label_bytes(bool is_set, unsigned labels)
{
    if (!is_set)
        return labels > 255 ? 2 : 1;
    return labels > 32 ? 8 : (labels + 7) / 8;
}

static enum err_code bind_labels(struct binlog_column *c, struct arena *arena, struct err *err)
{
    const char *pos = type_labels(c->def->type_text);
    const char *label = NULL;
    struct binlog_label *labels;
    size_t len = 0;
    unsigned n = 0;
    const bool is_set = c->type == COLUMN_SET;

    c->length_bytes = (uint8_t)(c->meta >> 8);
    labels = arena_alloc(arena, sizeof(*labels) * (c->def->precision + 1U));
    while (pos && n < c->def->precision && type_label_next(&pos, &label, &len)) {
        char *text = arena_alloc(arena, len + 1);

        labels[n].len = label_plain(label, len, text);
        labels[n++].text = text;
    }
    c->labels = labels;
    c->label_count = n;
    if (n != c->def->precision)
        return err_set(err, ERR_INTERNAL, "the labels of '%s' cannot be read", c->def->type_text);
    return c->length_bytes == label_bytes(is_set, n) ? ERR_OK : bind_other(c, err);
}

/* Bytes of the length before a TEXT or BLOB kind's value. */
static unsigned blob_length_bytes(enum column_type type)
{
    if (type == TYPE_TINYTEXT || type == TYPE_TINYBLOB)
        return 1;
    if (type == TYPE_TEXT || type == TYPE_BLOB)
        return 2;
    return type == TYPE_MEDIUMTEXT || type == TYPE_MEDIUMBLOB ? 3 : 4;
}

static enum err_code bind_sizes(struct binlog_column *c, struct err *err)
{
    const struct column *def = c->def;

    switch (c->type) {
    case COLUMN_NEWDECIMAL:
        if ((c->meta & 0xff) != def->precision || c->meta >> 8 != def->scale ||
            decimal_bytes(def->precision, def->scale) == 0)
            return bind_other(c, err);
        c->length_bytes = (uint8_t)decimal_bytes(def->precision, def->scale);
        break;
    case COLUMN_TIME2:
    case COLUMN_DATETIME2:
    case COLUMN_TIMESTAMP2:
        if (c->meta != def->fsp || def->fsp > 6)
            return bind_other(c, err);
        c->length_bytes = (uint8_t)(c->length_bytes + fraction_bytes[def->fsp]);
        break;
    case COLUMN_TIME:
    case COLUMN_DATETIME:
    case COLUMN_TIMESTAMP:
        if (def->fsp)
            return err_set(err, ERR_BINLOG_UNSUPPORTED,
                           "fractions of seconds in the old form of MariaDB are not known: ALTER "
                           "TABLE ... FORCE with mysql56_temporal_format=ON renews the column");
        break;
    case COLUMN_BIT:
        if ((c->meta & 0xffU) + (c->meta >> 8) * 8U != def->precision)
            return bind_other(c, err);
        c->length_bytes = (uint8_t)((def->precision + 7) / 8);
        break;
    case COLUMN_VARCHAR:
    case COLUMN_VAR_STRING:
    case COLUMN_VARCHAR_COMPRESSED:
        c->length_bytes = c->meta > 255 ? 2 : 1;
        break;
    case COLUMN_BLOB:
    case COLUMN_BLOB_COMPRESSED:
        if (c->meta != blob_length_bytes(def->type))
            return bind_other(c, err);
        c->length_bytes = (uint8_t)c->meta;
        break;
    case COLUMN_JSON:
    case COLUMN_GEOMETRY:
    case COLUMN_VECTOR:
        if (c->meta < 1 || c->meta > 4)
            return bind_other(c, err);
        c->length_bytes = (uint8_t)c->meta;
        break;
    default:
        break;
    }
    return ERR_OK;
}

/* CHAR, BINARY and MariaDB's types of fixed length share a number. */
static enum err_code bind_string(struct binlog_column *c, struct err *err)
{
    /* Two bits of lengths above 255 hide in the byte of the type. */
    const unsigned length = (c->meta >> 8) | ((((unsigned)c->meta & 0x30) ^ 0x30) << 4);

    const enum column_type type = c->def->type;

    c->length_bytes = length > 255 ? 2 : 1;
    if (type == TYPE_CHAR)
        return ERR_OK;
    if (type == TYPE_BINARY) {
        c->pad = (uint32_t)c->def->length;
        c->decode = decode_padded;
    } else if (type == TYPE_UUID) {
        c->pad = 16;
        c->decode = decode_uuid;
        /* Tables from before MariaDB 10.11.5 keep the old order for all versions. */
        c->old_order = strstr(c->def->type_text, "Old format") != NULL;
    } else {
        c->pad = type == TYPE_INET4 ? 4 : 16;
        c->decode = decode_inet;
    }
    return length == c->pad ? ERR_OK : bind_other(c, err);
}

static bool bind_is_text(const struct column *def)
{
    return def->charset &&
           (OF_TYPE(def->type) & (OF_TEXTS | OF_TYPE(TYPE_CHAR) | OF_TYPE(TYPE_VARCHAR)));
}

enum err_code cell_bind(struct binlog_column *c, struct charset_maps *maps, struct arena *arena,
                        struct err *err)
{
    const struct bind_row *row = bind_find(c->type);
    enum err_code rc;

    assert(c->def);
    if (!row)
        return err_set(err, ERR_BINLOG_UNSUPPORTED, "values of the type number %u are not known",
                       (unsigned)c->type);
    if (!(row->defs & OF_TYPE(c->def->type)))
        return bind_other(c, err);
    c->decode = row->decode;
    c->length_bytes = row->bytes;
    c->is_unsigned = c->def->is_unsigned;
    rc = bind_sizes(c, err);
    if (!rc && (c->type == COLUMN_ENUM || c->type == COLUMN_SET))
        rc = bind_labels(c, arena, err);
    if (!rc && c->type == COLUMN_STRING)
        rc = bind_string(c, err);
    if (!rc && bind_is_text(c->def))
        rc = charset_maps_find(maps, c->def->charset, &c->map, err);
    if (rc)
        return rc;
    if (c->map && charset_map_is_plain(c->map))
        c->map = NULL;
    if (c->map && c->decode == decode_counted)
        c->decode = decode_text;
    c->variable = c->map || c->pad || c->decode == decode_json || c->decode == decode_set ||
                  c->decode == decode_compressed;
    return ERR_OK;
}
