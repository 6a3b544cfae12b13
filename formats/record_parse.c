/* Reads a line that record_format wrote. The checksum comes first, so what is read behind it was
 * written by some ferry; every member is checked all the same. */
#include "formats/record_inner.h"

#include "common/base/bytes.h"
#include "common/base/mem.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static enum err_code member_bad(const char *name, const char *what, struct err *err)
{
    return err_set(err, ERR_CORRUPT, "member '%s' %s", name, what);
}

/* `hex` as 2 * len digits; false: something else. Lower case, as we write it. */
static bool hex_read(const char *hex, size_t digits, unsigned char *out, size_t len)
{
    if (digits != 2 * len)
        return false;
    for (size_t i = 0; i < len; i++) {
        int high = bytes_hex_value(hex[2 * i]);
        int low = bytes_hex_value(hex[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        out[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

/* A string or {"hex":"..."}; `*out` is a heap copy with a NUL behind. */
static enum err_code bytes_read(const char *name, const json_t *json, char **out, size_t *len,
                                struct err *err)
{
    const json_t *hex = json_object_get(json, "hex");
    const char *text = json_string_value(hex ? hex : json);
    size_t size = json_string_length(hex ? hex : json);
    char *copy;

    if (!text)
        return member_bad(name, "is not a string", err);
    if (!hex) {
        *out = xstrndup(text, size);
        *len = size;
        return ERR_OK;
    }
    copy = xmalloc(size / 2 + 1);
    if (!hex_read(text, size, (unsigned char *)copy, size / 2)) {
        free(copy);
        return member_bad(name, "has bad hex digits", err);
    }
    copy[size / 2] = '\0';
    *out = copy;
    *len = size / 2;
    return ERR_OK;
}

static enum err_code text_read(const char *name, const json_t *json, char **out, struct err *err)
{
    char *text;
    size_t len;
    enum err_code rc = bytes_read(name, json, &text, &len, err);

    if (rc)
        return rc;
    if (memchr(text, '\0', len)) {
        free(text);
        return member_bad(name, "holds a NUL byte", err);
    }
    *out = text;
    return ERR_OK;
}

/* What a store takes: relative, no empty part, no "." and "..". A manifest from elsewhere must not
 * lead a reader out of the dump's folder. */
static bool path_is_inside(const char *path)
{
    for (const char *part = path;;) {
        size_t len = strcspn(part, "/");

        if (len == 0 || (len == 1 && part[0] == '.') || (len == 2 && memcmp(part, "..", 2) == 0))
            return false;
        if (!part[len])
            return true;
        part += len + 1;
    }
}

static enum err_code path_read(const char *name, const json_t *json, char **out, struct err *err)
{
    char *path = NULL;
    enum err_code rc = text_read(name, json, &path, err);

    if (rc)
        return rc;
    if (!path_is_inside(path)) {
        free(path);
        return member_bad(name, "is not a path inside the dump", err);
    }
    *out = path;
    return ERR_OK;
}

static enum err_code object_read(const char *name, const json_t *json, char **out, struct err *err)
{
    char *dumped;

    if (!json_is_object(json) || json_object_get(json, "hex"))
        return text_read(name, json, out, err);
    dumped = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
    if (!dumped)
        return err_set(err, ERR_NOMEM, "no memory for member '%s'", name);
    *out = xstrdup(dumped);
    free(dumped); /* jansson's own */
    return ERR_OK;
}

/* A JSON integer, or a string of digits for what JSON readers may round. */
static enum err_code u64_read(const char *name, const json_t *json, uint64_t *out, struct err *err)
{
    const char *text = json_string_value(json);
    char *end;

    if (json_is_integer(json) && json_integer_value(json) >= 0) {
        *out = (uint64_t)json_integer_value(json);
        return ERR_OK;
    }
    if (!text || !isdigit((unsigned char)text[0]))
        return member_bad(name, "is not a number", err);
    errno = 0;
    *out = strtoull(text, &end, 10);
    if (errno || *end)
        return member_bad(name, "is not a number", err);
    return ERR_OK;
}

static enum err_code unsigned_read(const char *name, const json_t *json, unsigned *out,
                                   struct err *err)
{
    uint64_t value;
    enum err_code rc = u64_read(name, json, &value, err);

    if (rc)
        return rc;
    if (value > UINT_MAX)
        return member_bad(name, "is too large", err);
    *out = (unsigned)value;
    return ERR_OK;
}

static enum err_code time_read(const char *name, const json_t *json, int64_t *out, struct err *err)
{
    if (!json_is_integer(json))
        return member_bad(name, "is not a number", err);
    *out = json_integer_value(json);
    return ERR_OK;
}

static enum err_code uuid_read(const char *name, const json_t *json, char out[37], struct err *err)
{
    const char *text = json_string_value(json);

    if (!text || json_string_length(json) != 36)
        return member_bad(name, "is not a UUID", err);
    memcpy(out, text, 37);
    return ERR_OK;
}

static enum err_code bound_read(const char *name, const json_t *json, struct bound *out,
                                struct err *err)
{
    size_t count = json_array_size(json);
    struct bound b = {0};

    if (count == 0 || count > UINT_MAX)
        return member_bad(name, "is not a list of cells", err);
    b.cell = xcalloc(count, sizeof *b.cell);
    b.len = xcalloc(count, sizeof *b.len);
    for (; b.count < count; b.count++) {
        size_t len;

        if (bytes_read(name, json_array_get(json, b.count), &b.cell[b.count], &len, err)) {
            bound_release(&b);
            return err->code;
        }
        b.len[b.count] = len;
    }
    *out = b;
    return ERR_OK;
}

static enum err_code names_read(const char *name, const json_t *json, char ***out, unsigned *count,
                                struct err *err)
{
    size_t size = json_array_size(json);

    if (size == 0 || size > UINT_MAX)
        return member_bad(name, "is not a list of names", err);
    *out = (char **)xcalloc(size, sizeof **out);
    for (*count = 0; *count < size; (*count)++) {
        enum err_code rc = text_read(name, json_array_get(json, *count), &(*out)[*count], err);

        if (rc)
            return rc; /* the record owns what has been read */
    }
    return ERR_OK;
}

static enum err_code digest_blocks_read(const json_t *json, struct digest *d, struct err *err)
{
    const char *text = json_string_value(json);
    size_t digits = json_string_length(json);
    uint64_t count = d->bytes / DIGEST_BLOCK_BYTES + (d->bytes % DIGEST_BLOCK_BYTES ? 1 : 0);
    unsigned char block[8];

    if (!text || digits % 16 || digits / 16 != count)
        return member_bad("blocks", "does not fit stored_bytes", err);
    d->blocks = xcalloc(count, sizeof *d->blocks);
    for (; d->block_count < count; d->block_count++) {
        if (!hex_read(text + 16 * d->block_count, 16, block, sizeof block))
            return member_bad("blocks", "has bad hex digits", err);
        d->blocks[d->block_count] = bytes_be64(block);
    }
    return ERR_OK;
}

static enum err_code digest_read(const json_t *object, struct digest *d, struct err *err)
{
    const json_t *sha256 = json_object_get(object, "sha256");
    enum err_code rc;

    if (!sha256 && !json_object_get(object, "stored_bytes"))
        return ERR_OK;
    rc = u64_read("stored_bytes", json_object_get(object, "stored_bytes"), &d->bytes, err);
    if (rc)
        return rc;
    if (!json_is_string(sha256) || !hex_read(json_string_value(sha256), json_string_length(sha256),
                                             d->sha256, sizeof d->sha256))
        return member_bad("sha256", "is not 64 hex digits", err);
    return digest_blocks_read(json_object_get(object, "blocks"), d, err);
}

static bool field_may_be_absent(enum field_kind kind)
{
    return kind == FIELD_TEXT_OPT || kind == FIELD_PATH_OPT || kind == FIELD_U64_OPT ||
           kind == FIELD_BOOL || kind == FIELD_BOUND || kind == FIELD_NAMES ||
           kind == FIELD_COLUMNS;
}

static enum err_code field_read(const struct record_field *f, const json_t *json, void *base,
                                struct err *err)
{
    void *at = field_at(base, f->offset);
    unsigned *count = field_at(base, f->count_offset);

    switch (f->kind) {
    case FIELD_TEXT:
    case FIELD_TEXT_OPT:
        return text_read(f->name, json, at, err);
    case FIELD_PATH:
    case FIELD_PATH_OPT:
        return path_read(f->name, json, at, err);
    case FIELD_UUID:
        return uuid_read(f->name, json, at, err);
    case FIELD_OBJECT:
        return object_read(f->name, json, at, err);
    case FIELD_UINT:
        return unsigned_read(f->name, json, at, err);
    case FIELD_U64:
    case FIELD_U64_OPT:
        return u64_read(f->name, json, at, err);
    case FIELD_TIME:
        return time_read(f->name, json, at, err);
    case FIELD_BOOL:
        if (!json_is_boolean(json))
            return member_bad(f->name, "is not true or false", err);
        *(bool *)at = json_is_true(json);
        break;
    case FIELD_BOUND:
        return bound_read(f->name, json, at, err);
    case FIELD_NAMES:
        return names_read(f->name, json, at, count, err);
    case FIELD_COLUMNS: /* columns_read */
    case FIELD_DIGEST:  /* digest_read */
        break;
    }
    return ERR_OK;
}

static enum err_code member_read(const struct record_field *f, const json_t *object, void *base,
                                 struct err *err)
{
    const json_t *json = json_object_get(object, f->name);

    if (json)
        return field_read(f, json, base, err);
    return field_may_be_absent(f->kind) ? ERR_OK : member_bad(f->name, "is missing", err);
}

static enum err_code column_read(const json_t *object, struct column_record *c, struct err *err)
{
    const struct record_layout *layout = column_layout();
    enum err_code rc = ERR_OK;

    for (size_t i = 0; !rc && i < layout->count; i++)
        rc = member_read(&layout->fields[i], object, c, err);
    return rc;
}

static enum err_code columns_read(const json_t *json, struct table_record *t, struct err *err)
{
    size_t size = json_array_size(json);

    if (!json)
        return ERR_OK;
    if (size == 0 || size > UINT_MAX)
        return member_bad("columns", "is not a list of columns", err);
    t->columns = xcalloc(size, sizeof *t->columns);
    t->column_count = (unsigned)size; /* all zero is fine to release */
    for (unsigned i = 0; i < t->column_count; i++)
        if (column_read(json_array_get(json, i), &t->columns[i], err))
            return err_wrap(err, "column %u", i + 1);
    return ERR_OK;
}

static enum err_code fields_read(const struct record_layout *layout, const json_t *object,
                                 struct record *r, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (size_t i = 0; !rc && i < layout->count; i++) {
        const struct record_field *f = &layout->fields[i];

        if (f->kind == FIELD_DIGEST)
            rc = digest_read(object, field_at(r, f->offset), err);
        else if (f->kind == FIELD_COLUMNS)
            rc = columns_read(json_object_get(object, f->name), &r->u.table, err);
        else
            rc = member_read(f, object, r, err);
    }
    return rc;
}

/* What the members must be together, so that no reader has to ask again. */
static enum err_code record_check(const struct record *r, struct err *err)
{
    const struct chunk_record *c = &r->u.chunk;

    if (r->kind == RECORD_DUMP && r->u.dump.version == 0)
        return member_bad("version", "is 0", err);
    if (r->kind == RECORD_SEGMENT && r->u.segment.digest.block_count == 0)
        return member_bad("sha256", "is missing", err);
    if (r->kind == RECORD_SEGMENT && r->u.segment.ddl_count % SEGMENT_DDL_TEXTS)
        return member_bad("ddl", "is not a list of offsets, databases and tables", err);
    if (r->kind != RECORD_CHUNK)
        return ERR_OK;
    if ((c->rows == 0) != (c->path == NULL) || (c->rows == 0) != (c->number == 0))
        return err_set(err, ERR_CORRUPT, "a chunk with %" PRIu64 " rows and %s", c->rows,
                       c->path ? "a file" : "no file");
    if (c->path && c->digest.block_count == 0)
        return member_bad("sha256", "is missing", err);
    return ERR_OK;
}

/* The line without its newline. */
static enum err_code line_check(const char *line, size_t len, struct err *err)
{
    char expected[RECORD_TAIL_BYTES + 1];
    const char *tail;

    if (len <= RECORD_TAIL_BYTES)
        return err_set(err, ERR_CORRUPT, "no checksum at the end of the line");
    tail = line + len - RECORD_TAIL_BYTES;
    if (memcmp(tail, RECORD_CRC_KEY, sizeof RECORD_CRC_KEY - 1) != 0 ||
        memcmp(line + len - 2, "\"}", 2) != 0)
        return err_set(err, ERR_CORRUPT, "no checksum at the end of the line");
    (void)snprintf(expected, sizeof expected, RECORD_CRC_KEY "%08lx\"}",
                   crc32_z(0, (const unsigned char *)line, len - RECORD_TAIL_BYTES));
    if (memcmp(tail, expected, RECORD_TAIL_BYTES) != 0)
        return err_set(err, ERR_CORRUPT, "checksum does not match");
    return ERR_OK;
}

/* Finds the layout; none: either *skip or an error. */
static enum err_code layout_find(const json_t *object, const struct record_layout **layout,
                                 enum record_kind *kind, bool *skip, struct err *err)
{
    const char *name = json_string_value(json_object_get(object, "record"));
    const json_t *version = json_object_get(object, "version");
    uint64_t number = 0;

    if (!name)
        return member_bad("record", "is missing", err);
    *layout = record_layout_find(name, kind);
    *skip = !*layout && json_is_true(json_object_get(object, "optional"));
    if (!*layout && !*skip)
        return err_set(err, ERR_DUMP_VERSION,
                       "a record of kind '%s', which this ferry does not know", name);
    if (!*layout || *kind != RECORD_DUMP)
        return ERR_OK;
    if (u64_read("version", version, &number, err))
        return err->code;
    if (number > MANIFEST_VERSION)
        return err_set(err, ERR_DUMP_VERSION,
                       "the dump is of format %" PRIu64 ", this ferry reads up to %d", number,
                       MANIFEST_VERSION);
    return ERR_OK;
}

enum err_code record_parse_line(const char *line, size_t len, struct record *r, bool *skip,
                                struct err *err)
{
    const struct record_layout *layout = NULL;
    struct record record = {0};
    json_error_t json_err;
    json_t *object = NULL;
    enum err_code rc;

    if (len > 0 && line[len - 1] == '\n')
        len--;
    rc = line_check(line, len, err);
    if (rc)
        return rc;
    object = json_loadb(line, len, JSON_REJECT_DUPLICATES, &json_err);
    if (!object)
        return err_set(err, ERR_CORRUPT, "not a JSON object: %s", json_err.text);
    rc = layout_find(object, &layout, &record.kind, skip, err);
    if (rc || *skip)
        goto out;
    rc = fields_read(layout, object, &record, err);
    if (!rc)
        rc = record_check(&record, err);
    if (rc) {
        record_release(&record);
        (void)err_wrap(err, "'%s' record", layout->name);
        goto out;
    }
    *r = record;
out:
    json_decref(object);
    return rc;
}

enum err_code record_parse(const char *line, size_t len, struct record *r, struct err *err)
{
    bool skip = false;
    enum err_code rc = record_parse_line(line, len, r, &skip, err);

    if (!rc && skip)
        return err_set(err, ERR_DUMP_VERSION, "a record of a newer kind, which may be left out");
    return rc;
}
