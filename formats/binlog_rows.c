#include "formats/binlog_rows.h"

#include "common/base/bytes.h"
#include "common/base/mem.h"
#include "formats/binlog_number.h"

#include <stdlib.h>
#include <zlib.h>

#define VAR_KEEP ((size_t)1 << 20) /* bytes of a column's buffer that are kept for the next row */
#define VAR_MAX ((size_t)4 << 30)
#define EVENT_MAX ((size_t)4 << 30)

enum { BEFORE, AFTER, IMAGES };

/* The cells of one image. */
struct image {
    const char **cell;
    unsigned long *len;
    char *slots; /* NUMBER_TEXT_MAX bytes a column */
    struct strbuf *vars;
    unsigned cap; /* columns */
    const uint8_t *has;
    unsigned has_count; /* columns that it holds */
};
struct binlog_rows {
    const struct binlog_table *table;
    enum row_change_kind kind;
    const uint8_t *at, *end;
    struct image image[IMAGES];
    struct strbuf unpacked;
    uint64_t number; /* of the row, for messages */
};

/* What the types are. */
static const struct rows_type {
    uint8_t type;
    enum row_change_kind kind;
    bool v2, compressed;
} rows_types[] = {
    {EVENT_WRITE_ROWS, ROW_INSERT, true, false},
    {EVENT_UPDATE_ROWS, ROW_UPDATE, true, false},
    {EVENT_DELETE_ROWS, ROW_DELETE, true, false},
    {EVENT_WRITE_ROWS_V1, ROW_INSERT, false, false},
    {EVENT_UPDATE_ROWS_V1, ROW_UPDATE, false, false},
    {EVENT_DELETE_ROWS_V1, ROW_DELETE, false, false},
    {EVENT_MARIADB_WRITE_ROWS_COMPRESSED, ROW_INSERT, true, true},
    {EVENT_MARIADB_UPDATE_ROWS_COMPRESSED, ROW_UPDATE, true, true},
    {EVENT_MARIADB_DELETE_ROWS_COMPRESSED, ROW_DELETE, true, true},
    {EVENT_MARIADB_WRITE_ROWS_COMPRESSED_V1, ROW_INSERT, false, true},
    {EVENT_MARIADB_UPDATE_ROWS_COMPRESSED_V1, ROW_UPDATE, false, true},
    {EVENT_MARIADB_DELETE_ROWS_COMPRESSED_V1, ROW_DELETE, false, true},
};

static const struct rows_type *rows_type(unsigned type)
{
    for (size_t i = 0; i < sizeof(rows_types) / sizeof(rows_types[0]); i++)
        if (rows_types[i].type == type)
            return &rows_types[i];
    return NULL;
}

bool binlog_is_rows(unsigned type)
{
    return rows_type(type) != NULL;
}

static enum err_code rows_cut(struct err *err)
{
    return err_set(err, ERR_BINLOG_EVENT, "an event of rows is cut or changed");
}

static size_t rows_id_bytes(unsigned type, const struct binlog_format *format)
{
    return format->post_header[type] == 6 ? 4 : 6;
}

enum err_code binlog_rows_table(const uint8_t *data, size_t len, const struct binlog_format *format,
                                uint64_t *id, uint16_t *flags, struct err *err)
{
    const size_t bytes = rows_id_bytes(data[4], format);

    if (len < BINLOG_HEADER + bytes + 2)
        return rows_cut(err);
    *id = bytes_le(data + BINLOG_HEADER, bytes);
    *flags = bytes_le16(data + BINLOG_HEADER + bytes);
    return ERR_OK;
}

struct binlog_rows *binlog_rows_new(void)
{
    struct binlog_rows *r = xcalloc(1, sizeof(*r));

    r->unpacked.max = EVENT_MAX;
    return r;
}

static void image_release(struct image *image)
{
    for (unsigned i = 0; i < image->cap; i++)
        strbuf_release(&image->vars[i]);
    free(image->vars);
    free(image->slots);
    free(image->cell);
    free(image->len);
}

void binlog_rows_free(struct binlog_rows *r)
{
    if (!r)
        return;
    for (int i = 0; i < IMAGES; i++)
        image_release(&r->image[i]);
    strbuf_release(&r->unpacked);
    free(r);
}

static void image_room(struct image *image, unsigned columns)
{
    if (image->cap >= columns)
        return;
    image->cell = xreallocarray(image->cell, columns, sizeof(*image->cell));
    image->len = xreallocarray(image->len, columns, sizeof(*image->len));
    image->slots = xreallocarray(image->slots, columns, NUMBER_TEXT_MAX);
    image->vars = xreallocarray(image->vars, columns, sizeof(*image->vars));
    for (unsigned i = image->cap; i < columns; i++)
        image->vars[i] = (struct strbuf){.max = VAR_MAX};
    image->cap = columns;
}

enum err_code binlog_uncompress(const uint8_t *data, size_t len, struct strbuf *out,
                                struct err *err)
{
    size_t len_bytes;
    uLongf plain;
    enum err_code rc;

    if (len < 2)
        return rows_cut(err);
    len_bytes = data[0] & 7;
    if (!(data[0] & 0x80) || len_bytes == 0 || len_bytes > 4 || len < 1 + len_bytes)
        return rows_cut(err);
    if (data[0] & 0x70)
        return err_set(err, ERR_BINLOG_UNSUPPORTED, "an event is compressed by unknown means (%u)",
                       data[0] >> 4 & 7U);
    plain = (uLongf)bytes_be(data + 1, len_bytes);
    if (plain / ZLIB_RATIO_MAX > len)
        return rows_cut(err);
    strbuf_reset(out);
    rc = strbuf_reserve(out, plain, err);
    if (rc)
        return rc;
    out->len = plain;
    if (uncompress((Bytef *)out->str, &plain, data + 1 + len_bytes, (uLong)(len - 1 - len_bytes)) !=
            Z_OK ||
        plain != out->len)
        return rows_cut(err);
    out->str[plain] = '\0';
    return ERR_OK;
}

/* The columns that an image holds. */
static bool rows_bitmap(struct binlog_rows *r, struct image *image, unsigned columns)
{
    const size_t bytes = (columns + 7U) / 8;

    if ((size_t)(r->end - r->at) < bytes)
        return false;
    image->has = r->at;
    image->has_count = 0;
    for (unsigned i = 0; i < columns; i++)
        image->has_count += row_change_has(image->has, i);
    r->at += bytes;
    return true;
}

/* What comes before the images' columns: *at is behind it. */
/* NOLINTNEXTLINE(readability-function-size): three results of one look */
static enum err_code rows_head(const uint8_t *data, size_t len, const struct binlog_format *format,
                               const struct rows_type **type, const uint8_t **at, uint64_t *columns,
                               struct err *err)
{
    const size_t fixed = BINLOG_HEADER + rows_id_bytes(data[4], format) + 2;

    *type = rows_type(data[4]);
    if (!*type || len < fixed + ((*type)->v2 ? 2U : 0))
        return rows_cut(err);
    *at = data + fixed;
    if ((*type)->v2) { /* of NDB and of partitions: not needed; the length counts itself */
        const size_t extra = bytes_le16(*at);

        if (extra < 2 || len - fixed < extra)
            return rows_cut(err);
        *at += extra;
    }
    return packed_number(at, data + len, columns) ? ERR_OK : rows_cut(err);
}

enum err_code binlog_rows_images(const uint8_t *data, size_t len,
                                 const struct binlog_format *format, struct rows_images *out,
                                 struct err *err)
{
    const struct rows_type *type = NULL;
    const uint8_t *at = NULL;
    uint64_t columns = 0;
    enum err_code rc = rows_head(data, len, format, &type, &at, &columns, err);

    if (rc)
        return rc;
    if (columns > UINT16_MAX ||
        (size_t)(data + len - at) < (columns + 7) / 8 * (type->kind == ROW_UPDATE ? 2 : 1))
        return rows_cut(err);
    *out = (struct rows_images){.columns = (unsigned)columns};
    out->first = at;
    out->second = type->kind == ROW_UPDATE ? at + (columns + 7) / 8 : NULL;
    return ERR_OK;
}

enum err_code binlog_rows_begin(struct binlog_rows *r, const uint8_t *data, size_t len,
                                const struct binlog_format *format, const struct binlog_table *t,
                                struct err *err)
{
    const struct rows_type *type = NULL;
    uint64_t columns = 0;
    bool ok;
    enum err_code rc = rows_head(data, len, format, &type, &r->at, &columns, err);

    if (rc)
        return rc;
    r->table = t;
    r->kind = type->kind;
    r->number = 0;
    r->end = data + len;
    if (columns != t->column_count)
        return err_set(err, ERR_BINLOG_EVENT, "rows of %llu columns for %s.%s, which has %u",
                       (unsigned long long)columns, t->db, t->name, t->column_count);
    for (int i = 0; i < IMAGES; i++)
        image_room(&r->image[i], t->column_count);
    ok = rows_bitmap(r, &r->image[r->kind == ROW_INSERT ? AFTER : BEFORE], t->column_count);
    if (ok && r->kind == ROW_UPDATE)
        ok = rows_bitmap(r, &r->image[AFTER], t->column_count);
    if (!ok)
        return rows_cut(err);
    if (type->compressed) {
        rc = binlog_uncompress(r->at, (size_t)(r->end - r->at), &r->unpacked, err);
        r->at = (const uint8_t *)strbuf_str(&r->unpacked);
        r->end = r->at + r->unpacked.len;
    }
    return rc;
}

static enum err_code image_cell(struct binlog_rows *r, struct image *image, unsigned i,
                                struct err *err)
{
    const struct binlog_column *c = &r->table->columns[i];
    struct cell_out out = {.slot = image->slots + (size_t)i * NUMBER_TEXT_MAX,
                           .var = &image->vars[i]};
    enum err_code rc;

    if (c->variable) {
        if (out.var->cap > VAR_KEEP)
            strbuf_release(out.var);
        out.var->max = VAR_MAX;
        strbuf_reset(out.var);
    }
    rc = c->decode(c, &r->at, r->end, &out, err);
    if (rc)
        return err_wrap(err, "row %llu, column '%s' of %s.%s", (unsigned long long)r->number,
                        c->def->name, r->table->db, r->table->name);
    image->cell[i] = out.cell;
    image->len[i] = out.len;
    return ERR_OK;
}

/* One bit for each column that the image holds: whether it is NULL; then the others' values. */
static enum err_code rows_image(struct binlog_rows *r, struct image *image, struct row *row,
                                struct err *err)
{
    const unsigned columns = r->table->column_count;
    const uint8_t *nulls = r->at;
    const size_t null_bytes = (image->has_count + 7U) / 8;
    unsigned bit = 0;
    enum err_code rc = ERR_OK;

    if ((size_t)(r->end - r->at) < null_bytes)
        return rows_cut(err);
    r->at += null_bytes;
    for (unsigned i = 0; !rc && i < columns; i++) {
        if (!row_change_has(image->has, i)) {
            image->cell[i] = NULL;
            image->len[i] = 0;
            continue;
        }
        if (row_change_has(nulls, bit++)) {
            image->cell[i] = NULL;
            image->len[i] = 0;
            continue;
        }
        rc = image_cell(r, image, i, err);
    }
    *row = (struct row){image->cell, image->len, columns};
    return rc;
}

enum err_code binlog_rows_next(struct binlog_rows *r, struct row_change *change, bool *more,
                               struct err *err)
{
    struct row_change out = {.kind = r->kind};
    const uint8_t *const began = r->at;
    enum err_code rc = ERR_OK;

    if (r->at == r->end) {
        *more = false;
        return ERR_OK;
    }
    r->number++;
    if (r->kind != ROW_INSERT) {
        rc = rows_image(r, &r->image[BEFORE], &out.before, err);
        out.before_has = r->image[BEFORE].has;
    }
    if (!rc && r->kind != ROW_DELETE) {
        rc = rows_image(r, &r->image[AFTER], &out.after, err);
        out.after_has = r->image[AFTER].has;
    }
    if (!rc && r->at == began) /* no columns, and yet bytes */
        rc = rows_cut(err);
    if (rc)
        return rc;
    *change = out;
    *more = true;
    return ERR_OK;
}
