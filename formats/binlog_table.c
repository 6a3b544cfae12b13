#include "formats/binlog_table.h"

#include "common/base/bytes.h"
#include "formats/binlog_cell.h"

#include <stdlib.h>
#include <strings.h>

#define COLUMNS_MAX 4096U
#define METADATA_SIGNS 1
#define METADATA_NAMES 4

/* Of the event; `end` is behind it. */
struct table_input {
    const uint8_t *at, *end;
};

bool packed_number(const uint8_t **at, const uint8_t *end, uint64_t *out)
{
    const uint8_t *p = *at;
    size_t extra;

    if (p == end)
        return false;
    extra = *p < 251 ? 0 : *p == 252 ? 2 : *p == 253 ? 3 : *p == 254 ? 8 : 9;
    if (extra == 9 || (size_t)(end - p) < 1 + extra)
        return false;
    *out = extra ? bytes_le(p + 1, extra) : *p;
    *at = p + 1 + extra;
    return true;
}

static enum err_code table_cut(struct err *err)
{
    return err_set(err, ERR_BINLOG_EVENT, "a Table_map event is cut or changed");
}

/* A name behind its length, with a NUL behind it. */
static bool table_name(struct table_input *in, struct arena *arena, const char **out)
{
    size_t len;

    if (in->at == in->end)
        return false;
    len = *in->at++;
    if ((size_t)(in->end - in->at) < len + 1 || in->at[len] != '\0' || len == 0)
        return false;
    *out = arena_memdup(arena, in->at, len);
    in->at += len + 1;
    return strlen(*out) == len;
}

/* Bytes of metadata that a type has; -1: the type is not known. */
static int metadata_bytes(uint8_t type)
{
    switch (type) {
    case COLUMN_STRING:
    case COLUMN_VAR_STRING:
    case COLUMN_VARCHAR:
    case COLUMN_VARCHAR_COMPRESSED:
    case COLUMN_NEWDECIMAL:
    case COLUMN_ENUM:
    case COLUMN_SET:
    case COLUMN_BIT:
        return 2;
    case COLUMN_BLOB:
    case COLUMN_BLOB_COMPRESSED:
    case COLUMN_FLOAT:
    case COLUMN_DOUBLE:
    case COLUMN_GEOMETRY:
    case COLUMN_JSON:
    case COLUMN_VECTOR:
    case COLUMN_TIMESTAMP2:
    case COLUMN_DATETIME2:
    case COLUMN_TIME2:
        return 1;
    case COLUMN_DECIMAL:
    case COLUMN_TINY:
    case COLUMN_SHORT:
    case COLUMN_LONG:
    case COLUMN_LONGLONG:
    case COLUMN_INT24:
    case COLUMN_TIMESTAMP:
    case COLUMN_DATE:
    case COLUMN_TIME:
    case COLUMN_DATETIME:
    case COLUMN_YEAR:
    case COLUMN_NEWDATE:
        return 0;
    default:
        return -1;
    }
}

/* What the metadata says of ENUM and SET, which come as strings. */
static void column_real_type(struct binlog_column *c)
{
    const unsigned real = c->meta & 0xff;

    if (c->type == COLUMN_STRING && (real == COLUMN_ENUM || real == COLUMN_SET))
        c->type = (uint8_t)real;
}

static enum err_code table_columns(struct binlog_table *t, struct table_input *in, struct err *err)
{
    const uint8_t *types;
    struct table_input meta;
    uint64_t count = 0;
    uint64_t meta_len = 0;

    if (!packed_number(&in->at, in->end, &count) || count == 0 || count > COLUMNS_MAX ||
        (uint64_t)(in->end - in->at) < count)
        return table_cut(err);
    types = in->at;
    in->at += count;
    if (!packed_number(&in->at, in->end, &meta_len) || (uint64_t)(in->end - in->at) < meta_len)
        return table_cut(err);
    meta = (struct table_input){in->at, in->at + meta_len};
    in->at += meta_len;
    t->column_count = (unsigned)count;
    t->columns = arena_alloc(t->arena, count * sizeof(*t->columns));
    for (uint64_t i = 0; i < count; i++) {
        struct binlog_column *c = &t->columns[i];
        const int bytes = metadata_bytes(types[i]);

        *c = (struct binlog_column){.type = types[i]};
        if (bytes < 0)
            return err_set(err, ERR_BINLOG_UNSUPPORTED,
                           "column %u of %s.%s has the type number %u, which is not known",
                           (unsigned)i + 1, t->db, t->name, (unsigned)types[i]);
        if (meta.end - meta.at < bytes)
            return table_cut(err);
        c->meta = (uint16_t)bytes_le(meta.at, (size_t)bytes);
        meta.at += bytes;
        column_real_type(c);
    }
    if (meta.at != meta.end || (uint64_t)(in->end - in->at) < (count + 7) / 8)
        return table_cut(err);
    in->at += (count + 7) / 8; /* which may be NULL: the definition says it too */
    return ERR_OK;
}

/* Kind, length, value, until the end. Kinds that are not known are passed over: they only add. */
static enum err_code table_optional(struct binlog_table *t, struct table_input *in, struct err *err)
{
    while (in->at < in->end) {
        const uint8_t kind = *in->at++;
        uint64_t len = 0;

        if (!packed_number(&in->at, in->end, &len) || (uint64_t)(in->end - in->at) < len)
            return table_cut(err);
        if (kind == METADATA_SIGNS) {
            t->signs = (const uint8_t *)arena_memdup(t->arena, (const char *)in->at, len);
            t->signs_len = len;
        } else if (kind == METADATA_NAMES) {
            t->names = (const uint8_t *)arena_memdup(t->arena, (const char *)in->at, len);
            t->names_len = len;
        }
        in->at += len;
    }
    return ERR_OK;
}

enum err_code binlog_table_read(const uint8_t *data, size_t len, const struct binlog_format *format,
                                struct binlog_table **out, struct err *err)
{
    const size_t id_bytes = format->post_header[EVENT_TABLE_MAP] == 6 ? 4 : 6;
    struct table_input in = {data + BINLOG_HEADER, data + len};
    struct binlog_table *t;
    enum err_code rc = ERR_OK;

    if (len < BINLOG_HEADER + id_bytes + 2)
        return table_cut(err);
    t = xcalloc(1, sizeof(*t));
    t->arena = arena_new();
    t->id = bytes_le(in.at, id_bytes);
    t->flags = bytes_le16(in.at + id_bytes);
    in.at += id_bytes + 2;
    if (!table_name(&in, t->arena, &t->db) || !table_name(&in, t->arena, &t->name))
        rc = table_cut(err);
    if (!rc)
        rc = table_columns(t, &in, err);
    if (!rc)
        rc = table_optional(t, &in, err);
    if (rc)
        binlog_table_free(t);
    else
        *out = t;
    return rc;
}

void binlog_table_free(struct binlog_table *t)
{
    if (!t)
        return;
    arena_free(t->arena);
    free(t);
}

bool binlog_table_same(const struct binlog_table *a, const struct binlog_table *b)
{
    if (a->id != b->id || a->column_count != b->column_count || strcmp(a->db, b->db) != 0 ||
        strcmp(a->name, b->name) != 0 || a->names_len != b->names_len ||
        a->signs_len != b->signs_len ||
        (a->names_len && memcmp(a->names, b->names, a->names_len) != 0) ||
        (a->signs_len && memcmp(a->signs, b->signs, a->signs_len) != 0))
        return false;
    for (unsigned i = 0; i < a->column_count; i++)
        if (a->columns[i].type != b->columns[i].type || a->columns[i].meta != b->columns[i].meta)
            return false;
    return true;
}

/* Both definitions' names, for people. */
static void names_show(const struct binlog_table *t, const struct table *def, struct strbuf *out)
{
    const uint8_t *at = t->names;
    const uint8_t *end = at + t->names_len;
    uint64_t len = 0;

    strbuf_addstr(out, "; in the binlog it is (");
    for (unsigned i = 0; packed_number(&at, end, &len) && (uint64_t)(end - at) >= len; i++) {
        strbuf_addstr(out, i > 0 ? ", " : "");
        strbuf_add(out, (const char *)at, len);
        at += len;
    }
    strbuf_addstr(out, "), in the definition (");
    for (unsigned i = 0; i < def->column_count; i++)
        strbuf_addf(out, "%s%s", i > 0 ? ", " : "", def->columns[i].name);
    strbuf_addch(out, ')');
}

static enum err_code names_differ(const struct binlog_table *t, const struct table *def,
                                  struct err *err)
{
    struct strbuf both = {0};
    struct err what = *err;

    if (t->names_len > 0)
        names_show(t, def, &both);
    (void)err_set(err, ERR_BINLOG_SCHEMA, "%.300s%s", what.msg, strbuf_str(&both));
    strbuf_release(&both);
    return err->code;
}

/* The names in the event, if it has them, are those of the definition. */
static enum err_code bind_names(const struct binlog_table *t, const struct table *def,
                                struct err *err)
{
    const uint8_t *at = t->names;
    const uint8_t *end;

    if (t->names_len == 0)
        return ERR_OK;
    end = at + t->names_len;
    for (unsigned i = 0; i < t->column_count; i++) {
        const char *name = def->columns[i].name;
        uint64_t len = 0;

        if (!packed_number(&at, end, &len) || (uint64_t)(end - at) < len)
            return table_cut(err);
        if (strlen(name) != len || strncasecmp(name, (const char *)at, len) != 0) {
            (void)err_set(err, ERR_BINLOG_SCHEMA,
                          "column %u of %s.%s is '%.*s' in the binlog and '%s' in the definition",
                          i + 1, t->db, t->name, (int)(len < 64 ? len : 64), (const char *)at,
                          name);
            return names_differ(t, def, err);
        }
        at += len;
    }
    return ERR_OK;
}

static bool bind_is_number(uint8_t type)
{
    return type == COLUMN_TINY || type == COLUMN_SHORT || type == COLUMN_INT24 ||
           type == COLUMN_LONG || type == COLUMN_LONGLONG || type == COLUMN_NEWDECIMAL ||
           type == COLUMN_FLOAT || type == COLUMN_DOUBLE;
}

/* One bit a number, from the highest of a byte on. MariaDB counts YEAR too. */
static enum err_code bind_signs(const struct binlog_table *t, const struct table *def,
                                struct err *err)
{
    unsigned numbers = 0;
    unsigned years = 0;
    unsigned n = 0;
    bool with_years;

    for (unsigned i = 0; i < t->column_count; i++) {
        numbers += bind_is_number(t->columns[i].type);
        years += t->columns[i].type == COLUMN_YEAR;
    }
    if (t->signs_len == 0)
        return ERR_OK;
    with_years = t->signs_len != (numbers + 7) / 8;
    if (t->signs_len != (numbers + (with_years ? years : 0) + 7) / 8)
        return table_cut(err);
    if (years && !with_years)
        return ERR_OK; /* either may be meant: the definition alone decides */
    for (unsigned i = 0; i < t->column_count; i++) {
        const bool year = t->columns[i].type == COLUMN_YEAR;
        bool is_unsigned;

        if (!bind_is_number(t->columns[i].type) && !(year && with_years))
            continue;
        is_unsigned = t->signs[n / 8] >> (7 - n % 8) & 1;
        n++;
        if (!year && is_unsigned != def->columns[i].is_unsigned)
            return err_set(err, ERR_BINLOG_SCHEMA,
                           "column '%s' of %s.%s is %s in the binlog, other than in the definition",
                           def->columns[i].name, t->db, t->name,
                           is_unsigned ? "UNSIGNED" : "signed");
    }
    return ERR_OK;
}

enum err_code binlog_table_bind(struct binlog_table *t, const struct table *def,
                                struct charset_maps *maps, struct err *err)
{
    enum err_code rc;

    if (def->column_count != t->column_count) {
        (void)err_set(err, ERR_BINLOG_SCHEMA,
                      "%s.%s has %u columns in the binlog and %u in the definition", t->db, t->name,
                      t->column_count, def->column_count);
        return names_differ(t, def, err);
    }
    rc = bind_names(t, def, err);
    if (!rc)
        rc = bind_signs(t, def, err);
    for (unsigned i = 0; !rc && i < t->column_count; i++) {
        t->columns[i].def = &def->columns[i];
        rc = cell_bind(&t->columns[i], maps, t->arena, err);
        if (rc)
            (void)err_wrap(err, "column '%s' of %s.%s", def->columns[i].name, t->db, t->name);
    }
    if (!rc)
        t->def = def;
    return rc;
}
