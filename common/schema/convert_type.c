#include "common/schema/convert_inner.h"

#include <stdlib.h>
#include <strings.h>

static const struct convert_type types[] = {
    {"TINYINT", CLASS_FIXED, 1, NULL},
    {"SMALLINT", CLASS_FIXED, 2, NULL},
    {"MEDIUMINT", CLASS_FIXED, 3, NULL},
    {"INT", CLASS_FIXED, 4, NULL},
    {"INTEGER", CLASS_FIXED, 4, NULL},
    {"BIGINT", CLASS_FIXED, 8, NULL},
    {"BOOL", CLASS_FIXED, 1, NULL},
    {"BOOLEAN", CLASS_FIXED, 1, NULL},
    {"INT1", CLASS_FIXED, 1, NULL},
    {"INT2", CLASS_FIXED, 2, NULL},
    {"INT3", CLASS_FIXED, 3, NULL},
    {"MIDDLEINT", CLASS_FIXED, 3, NULL},
    {"INT4", CLASS_FIXED, 4, NULL},
    {"INT8", CLASS_FIXED, 8, NULL},
    {"SERIAL", CLASS_FIXED, 8, NULL},
    {"DECIMAL", CLASS_DECIMAL, 0, NULL},
    {"NUMERIC", CLASS_DECIMAL, 0, NULL},
    {"DEC", CLASS_DECIMAL, 0, NULL},
    {"FIXED", CLASS_DECIMAL, 0, NULL},
    {"FLOAT", CLASS_FIXED, 8, NULL},
    {"FLOAT4", CLASS_FIXED, 4, NULL},
    {"FLOAT8", CLASS_FIXED, 8, NULL},
    {"DOUBLE", CLASS_FIXED, 8, NULL},
    {"REAL", CLASS_FIXED, 8, NULL},
    {"BIT", CLASS_BIT, 0, NULL},
    {"DATE", CLASS_FIXED, 3, NULL},
    {"TIME", CLASS_TIME, 3, NULL},
    {"DATETIME", CLASS_TIME, 8, NULL},
    {"TIMESTAMP", CLASS_TIME, 4, NULL},
    {"YEAR", CLASS_FIXED, 1, NULL},
    {"CHAR", CLASS_CHAR, 0, NULL},
    {"CHARACTER", CLASS_CHAR, 0, NULL},
    {"VARCHAR", CLASS_CHAR, 0, NULL},
    {"VARCHARACTER", CLASS_CHAR, 0, NULL},
    {"NCHAR", CLASS_CHAR, 0, NULL},
    {"NVARCHAR", CLASS_CHAR, 0, NULL},
    {"NATIONAL", CLASS_CHAR, 0, NULL},
    {"TINYTEXT", CLASS_TEXT, 0, "text"},
    {"TEXT", CLASS_TEXT, 0, "mediumtext"},
    {"MEDIUMTEXT", CLASS_TEXT, 0, "longtext"},
    {"LONGTEXT", CLASS_TEXT, 0, NULL},
    {"BINARY", CLASS_BINARY, 0, NULL},
    {"VARBINARY", CLASS_BINARY, 0, NULL},
    {"TINYBLOB", CLASS_BLOB, 0, NULL},
    {"BLOB", CLASS_BLOB, 0, NULL},
    {"MEDIUMBLOB", CLASS_BLOB, 0, NULL},
    {"LONGBLOB", CLASS_BLOB, 0, NULL},
    {"LONG", CLASS_TEXT, 0, NULL},
    {"ENUM", CLASS_LABELS, 2, NULL},
    {"SET", CLASS_LABELS, 8, NULL},
    {"JSON", CLASS_JSON, 0, NULL},
    {"GEOMETRY", CLASS_SPATIAL, 0, NULL},
    {"POINT", CLASS_SPATIAL, 0, NULL},
    {"LINESTRING", CLASS_SPATIAL, 0, NULL},
    {"POLYGON", CLASS_SPATIAL, 0, NULL},
    {"MULTIPOINT", CLASS_SPATIAL, 0, NULL},
    {"MULTILINESTRING", CLASS_SPATIAL, 0, NULL},
    {"MULTIPOLYGON", CLASS_SPATIAL, 0, NULL},
    {"GEOMETRYCOLLECTION", CLASS_SPATIAL, 0, NULL},
    {"GEOMCOLLECTION", CLASS_SPATIAL, 0, NULL},
    {"VECTOR", CLASS_VECTOR, 0, NULL},
    {"UUID", CLASS_MARIADB, 36, "char(36) CHARACTER SET ascii COLLATE ascii_bin"},
    {"INET6", CLASS_MARIADB, 45, "varchar(45) CHARACTER SET ascii COLLATE ascii_bin"},
    {"INET4", CLASS_MARIADB, 15, "varchar(15) CHARACTER SET ascii COLLATE ascii_bin"},
};

const struct convert_type *convert_type_of(const struct converter *c, const struct ddl_item *item)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (ddl_is(&c->d, item->type.first, types[i].name))
            return &types[i];
    return NULL;
}

static struct convert_note convert_type_note(struct converter *c, const struct convert_column *col,
                                             enum change_severity severity, const char *is)
{
    return (struct convert_note){.severity = severity,
                                 .part = PART_COLUMN,
                                 .name = col->name,
                                 .was = ddl_source(&c->d, col->item->type),
                                 .is = is};
}

static void convert_type_to(struct converter *c, struct convert_column *col,
                            enum change_severity severity, const char *is, const char *meaning)
{
    convert_say(c, convert_type_note(c, col, severity, is), "%s", meaning);
    ddl_replace(&c->d, col->item->type, is);
}

static void convert_vector(struct converter *c, struct convert_column *col)
{
    const struct flavour *f = c->p->target;
    const bool has = flavour_at_least(f, VENDOR_TIDB, 80400) ||
                     flavour_at_least(f, VENDOR_MYSQL, 90000) ||
                     flavour_at_least(f, VENDOR_MARIADB, 110700);

    if (!has)
        convert_say(c, convert_type_note(c, col, CHANGE_REFUSED, ""), "the target has no vectors");
    else if (c->other_vendor)
        convert_say(c,
                    convert_type_note(c, col, CHANGE_WARNING, ddl_source(&c->d, col->item->type)),
                    "the target writes vectors and names their functions otherwise");
}

/* Text that may not fit any more once each character takes more bytes. */
static void convert_text_room(struct converter *c, struct convert_column *col)
{
    char charset[16];

    if (!col->text || !*col->map.name)
        return;
    collation_charset(col->source, charset);
    if (col->type->type_class == CLASS_TEXT && col->type->instead && charset_grows(charset) &&
        strcmp(charset, col->map.charset) != 0)
        convert_type_to(c, col, CHANGE_INFO, col->type->instead,
                        "the same characters can take more bytes in the new character set");
    else if (col->type->type_class == CLASS_CHAR &&
             (uint64_t)col->length * charset_max_bytes(col->map.charset) > 65535) {
        convert_type_to(c, col, CHANGE_WARNING, "mediumtext",
                        "the length is above what TiDB lets a VARCHAR of the new character set "
                        "have; it is no longer checked");
        col->large = true;
    }
}

static void convert_type_for_tidb(struct converter *c, struct convert_column *col)
{
    if (col->type->type_class == CLASS_SPATIAL && c->p->spatial_bytes)
        convert_type_to(c, col, CHANGE_LOSS, "longblob",
                        "TiDB has no spatial types: the column keeps the server's bytes (SRID and "
                        "WKB), without functions and indexes");
    else if (col->type->type_class == CLASS_SPATIAL)
        convert_say(c, convert_type_note(c, col, CHANGE_REFUSED, ""),
                    "TiDB has no spatial types; they can be moved as bytes");
    else if (ddl_is(&c->d, col->item->type.first, "YEAR") && col->length == 2)
        convert_type_to(c, col, CHANGE_WARNING, "year(4)", "TiDB has years of four digits only");
    else
        convert_text_room(c, col);
}

void convert_column_type(struct converter *c, struct convert_column *col)
{
    if (!col->type) {
        if (c->other_vendor)
            convert_say(c, convert_type_note(c, col, CHANGE_REFUSED, ""),
                        "the type is not known, so neither is whether the target has it");
        return;
    }
    if (col->type->type_class == CLASS_MARIADB && c->to != VENDOR_MARIADB)
        convert_type_to(c, col, CHANGE_WARNING, col->type->instead,
                        "the same text; the target neither checks nor normalises it, and sorts it "
                        "as text");
    else if (col->type->type_class == CLASS_VECTOR)
        convert_vector(c, col);
    else if (c->to == VENDOR_TIDB)
        convert_type_for_tidb(c, col);
    else if (c->to == VENDOR_MARIADB && ddl_is(&c->d, col->item->type.first, "GEOMCOLLECTION"))
        ddl_replace(&c->d, col->item->type, "geometrycollection");
    else if (col->type->type_class == CLASS_JSON && c->to == VENDOR_MARIADB && c->other_vendor)
        convert_say(c, convert_type_note(c, col, CHANGE_WARNING, "longtext"),
                    "JSON is text on MariaDB: values keep their spelling and compare as text");
}

/* Bytes of so many decimal digits. */
static unsigned convert_digit_bytes(unsigned digits)
{
    static const unsigned rest[] = {0, 1, 1, 2, 2, 3, 3, 4, 4};

    return digits / 9 * 4 + rest[digits % 9];
}

unsigned convert_key_bytes(const struct converter *c, const struct convert_column *col,
                           unsigned prefix)
{
    const struct ddl_text *d = &c->d;
    const size_t parens = col->item->type.end - 1;
    const unsigned chars = prefix ? prefix : col->length;
    unsigned scale = 0;

    if (!col->type)
        return 0;
    switch (col->type->type_class) {
    case CLASS_FIXED:
    case CLASS_LABELS:
    case CLASS_MARIADB:
        return col->type->bytes;
    case CLASS_DECIMAL:
        if (ddl_is(d, parens - 2, ","))
            scale = (unsigned)strtoul(ddl_value(d, parens - 1), NULL, 10);
        return convert_digit_bytes(col->length > scale ? col->length - scale : 0) +
               convert_digit_bytes(scale);
    case CLASS_TIME:
        return col->type->bytes + (col->length + 1) / 2;
    case CLASS_BIT:
        return (col->length + 7) / 8;
    case CLASS_CHAR:
    case CLASS_TEXT:
        return chars * charset_max_bytes(*col->map.name ? col->map.charset : "utf8mb4");
    case CLASS_BINARY:
    case CLASS_BLOB:
        return chars;
    case CLASS_JSON:
    case CLASS_SPATIAL:
    case CLASS_VECTOR:
        return prefix;
    default:
        return 0;
    }
}
