/* Writes a record as one line of JSON. Strings are escaped by jansson; what is no valid UTF-8 (keys
 * of BINARY columns) becomes {"hex":"..."}, so that every byte survives. */
#include "formats/record_inner.h"

#include "common/base/bytes.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>
#include <zlib.h>

static void name_put(struct strbuf *out, const char *name)
{
    strbuf_addf(out, ",\"%s\":", name);
}

/* Counts `len` bytes in that were written behind the end. */
static void tail_count(struct strbuf *out, size_t len)
{
    out->len += len;
    out->str[out->len] = '\0';
}

static void hex_digits_put(struct strbuf *out, const void *data, size_t len)
{
    strbuf_grow(out, 2 * len);
    (void)bytes_to_hex(out->str + out->len, data, len);
    tail_count(out, 2 * len);
}

static void hex_put(struct strbuf *out, const void *data, size_t len)
{
    strbuf_addch(out, '"');
    hex_digits_put(out, data, len);
    strbuf_addch(out, '"');
}

/* Appends `json`'s text. false: it could not be made, and nothing was appended. */
static bool json_put(struct strbuf *out, const json_t *json, size_t flags)
{
    size_t len = json_dumpb(json, NULL, 0, flags);

    if (!len)
        return false;
    strbuf_grow(out, len);
    (void)json_dumpb(json, out->str + out->len, len, flags);
    tail_count(out, len);
    return true;
}

static void bytes_put(struct strbuf *out, const char *data, size_t len)
{
    /* NULL for what is no UTF-8 (and without memory: hex is right for any bytes) */
    json_t *json = memchr(data, '\0', len) ? NULL : json_stringn(data, len);

    if (!json || !json_put(out, json, JSON_ENCODE_ANY)) {
        strbuf_addstr(out, "{\"hex\":");
        hex_put(out, data, len);
        strbuf_addch(out, '}');
    }
    json_decref(json);
}

static void text_put(struct strbuf *out, const char *text)
{
    bytes_put(out, text, strlen(text));
}

/* An object in canonical form; a text that is none is written as a string. */
static void object_put(struct strbuf *out, const char *text)
{
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

    if (!json_is_object(json) || !json_put(out, json, JSON_COMPACT | JSON_SORT_KEYS))
        text_put(out, text);
    json_decref(json);
}

static void u64_put(struct strbuf *out, uint64_t value)
{
    strbuf_addf(out, value > RECORD_NUMBER_MAX ? "\"%" PRIu64 "\"" : "%" PRIu64, value);
}

static void bound_put(struct strbuf *out, const struct bound *b)
{
    for (unsigned i = 0; i < b->count; i++) {
        strbuf_addch(out, i ? ',' : '[');
        bytes_put(out, b->cell[i], b->len[i]);
    }
    strbuf_addch(out, ']');
}

static bool digest_is_empty(const struct digest *d)
{
    static const unsigned char none[DIGEST_SHA256_BYTES];

    return d->bytes == 0 && d->block_count == 0 && memcmp(d->sha256, none, sizeof none) == 0;
}

static void digest_put(struct strbuf *out, const struct digest *d)
{
    unsigned char block[8];

    if (digest_is_empty(d))
        return;
    name_put(out, "stored_bytes");
    u64_put(out, d->bytes);
    name_put(out, "sha256");
    hex_put(out, d->sha256, sizeof d->sha256);
    name_put(out, "blocks");
    strbuf_addch(out, '"');
    for (size_t i = 0; i < d->block_count; i++) {
        bytes_put_be(block, d->blocks[i], sizeof block);
        hex_digits_put(out, block, sizeof block);
    }
    strbuf_addch(out, '"');
}

static void names_put(struct strbuf *out, char *const *names, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        strbuf_addch(out, i ? ',' : '[');
        text_put(out, names[i]);
    }
    strbuf_addch(out, ']');
}

/* true: the value is one that is left out. */
static bool field_is_absent(const struct record_field *f, const void *base)
{
    const void *at = field_at_const(base, f->offset);
    const unsigned *count = field_at_const(base, f->count_offset);

    switch (f->kind) {
    case FIELD_TEXT_OPT:
    case FIELD_PATH_OPT:
        return !*(const char *const *)at;
    case FIELD_U64_OPT:
        return *(const uint64_t *)at == 0;
    case FIELD_BOOL:
        return !*(const bool *)at;
    case FIELD_BOUND:
        return ((const struct bound *)at)->count == 0;
    case FIELD_NAMES:
    case FIELD_COLUMNS:
        return *count == 0;
    case FIELD_TEXT:
    case FIELD_PATH:
    case FIELD_UUID:
    case FIELD_OBJECT:
    case FIELD_UINT:
    case FIELD_U64:
    case FIELD_TIME:
    case FIELD_DIGEST:
        break;
    }
    return false;
}

static void value_put(struct strbuf *out, const struct record_field *f, const void *base)
{
    const void *at = field_at_const(base, f->offset);
    const unsigned *count = field_at_const(base, f->count_offset);

    switch (f->kind) {
    case FIELD_TEXT:
    case FIELD_TEXT_OPT:
    case FIELD_PATH:
    case FIELD_PATH_OPT:
        text_put(out, *(const char *const *)at);
        break;
    case FIELD_UUID:
        text_put(out, at);
        break;
    case FIELD_OBJECT:
        object_put(out, *(const char *const *)at);
        break;
    case FIELD_UINT:
        strbuf_addf(out, "%u", *(const unsigned *)at);
        break;
    case FIELD_U64:
    case FIELD_U64_OPT:
        u64_put(out, *(const uint64_t *)at);
        break;
    case FIELD_TIME:
        strbuf_addf(out, "%" PRId64, *(const int64_t *)at);
        break;
    case FIELD_BOOL:
        strbuf_addstr(out, "true");
        break;
    case FIELD_BOUND:
        bound_put(out, at);
        break;
    case FIELD_NAMES:
        names_put(out, *(char *const *const *)at, *count);
        break;
    case FIELD_COLUMNS: /* columns_put */
    case FIELD_DIGEST:  /* digest_put */
        break;
    }
}

static void member_put(struct strbuf *out, const struct record_field *f, const void *base)
{
    if (field_is_absent(f, base))
        return;
    name_put(out, f->name);
    value_put(out, f, base);
}

static void columns_put(struct strbuf *out, const char *name, const struct column_record *columns,
                        unsigned count)
{
    const struct record_layout *layout = column_layout();

    name_put(out, name);
    for (unsigned i = 0; i < count; i++) {
        size_t start = out->len + 1;

        strbuf_addch(out, i ? ',' : '[');
        for (size_t j = 0; j < layout->count; j++)
            member_put(out, &layout->fields[j], &columns[i]);
        out->str[start] = '{'; /* where the first member has its comma */
        strbuf_addch(out, '}');
    }
    strbuf_addch(out, ']');
}

void record_format(const struct record *r, struct strbuf *out)
{
    const struct record_layout *layout = record_layout(r->kind);
    size_t start = out->len;

    strbuf_addf(out, "{\"record\":\"%s\"", layout->name);
    for (size_t i = 0; i < layout->count; i++) {
        const struct record_field *f = &layout->fields[i];

        if (f->kind == FIELD_DIGEST)
            digest_put(out, field_at_const(r, f->offset));
        else if (f->kind != FIELD_COLUMNS)
            member_put(out, f, r);
        else if (!field_is_absent(f, r))
            columns_put(out, f->name, r->u.table.columns, r->u.table.column_count);
    }
    strbuf_addf(out, RECORD_CRC_KEY "%08lx\"}\n",
                crc32_z(0, (const unsigned char *)out->str + start, out->len - start));
}
