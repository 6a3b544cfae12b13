#include "common/schema/type_parse.h"

#include "common/schema/model.h"

#include <stdlib.h>
#include <strings.h>

/* What stands in the parentheses behind the name. */
enum type_args {
    ARGS_NONE,
    ARGS_WIDTH,
    ARGS_LENGTH,
    ARGS_DECIMAL,
    ARGS_FSP,
    ARGS_LABELS,
    ARGS_BITS
};

struct type_name {
    const char *name;
    enum column_type type;
    enum type_args args;
    uint64_t length; /* bytes; without or regardless of parentheses */
};

/* The first name of each type is column_type_name's. */
static const struct type_name type_names[] = {
    {"tinyint", TYPE_TINYINT, ARGS_WIDTH, 0},
    {"smallint", TYPE_SMALLINT, ARGS_WIDTH, 0},
    {"mediumint", TYPE_MEDIUMINT, ARGS_WIDTH, 0},
    {"int", TYPE_INT, ARGS_WIDTH, 0},
    {"integer", TYPE_INT, ARGS_WIDTH, 0},
    {"bigint", TYPE_BIGINT, ARGS_WIDTH, 0},
    {"decimal", TYPE_DECIMAL, ARGS_DECIMAL, 0},
    {"numeric", TYPE_DECIMAL, ARGS_DECIMAL, 0},
    {"float", TYPE_FLOAT, ARGS_DECIMAL, 0},
    {"double", TYPE_DOUBLE, ARGS_DECIMAL, 0},
    {"bit", TYPE_BIT, ARGS_BITS, 0},
    {"date", TYPE_DATE, ARGS_NONE, 0},
    {"time", TYPE_TIME, ARGS_FSP, 0},
    {"datetime", TYPE_DATETIME, ARGS_FSP, 0},
    {"timestamp", TYPE_TIMESTAMP, ARGS_FSP, 0},
    {"year", TYPE_YEAR, ARGS_BITS, 0},
    {"char", TYPE_CHAR, ARGS_LENGTH, 1},
    {"varchar", TYPE_VARCHAR, ARGS_LENGTH, 0},
    {"tinytext", TYPE_TINYTEXT, ARGS_NONE, 0xff},
    {"text", TYPE_TEXT, ARGS_NONE, 0xffff},
    {"mediumtext", TYPE_MEDIUMTEXT, ARGS_NONE, 0xffffff},
    {"longtext", TYPE_LONGTEXT, ARGS_NONE, 0xffffffff},
    {"binary", TYPE_BINARY, ARGS_LENGTH, 1},
    {"varbinary", TYPE_VARBINARY, ARGS_LENGTH, 0},
    {"tinyblob", TYPE_TINYBLOB, ARGS_NONE, 0xff},
    {"blob", TYPE_BLOB, ARGS_NONE, 0xffff},
    {"mediumblob", TYPE_MEDIUMBLOB, ARGS_NONE, 0xffffff},
    {"longblob", TYPE_LONGBLOB, ARGS_NONE, 0xffffffff},
    {"enum", TYPE_ENUM, ARGS_LABELS, 0},
    {"set", TYPE_SET, ARGS_LABELS, 0},
    {"json", TYPE_JSON, ARGS_NONE, 0},
    {"geometry", TYPE_GEOMETRY, ARGS_NONE, 0},
    {"point", TYPE_GEOMETRY, ARGS_NONE, 0},
    {"linestring", TYPE_GEOMETRY, ARGS_NONE, 0},
    {"polygon", TYPE_GEOMETRY, ARGS_NONE, 0},
    {"multipoint", TYPE_GEOMETRY, ARGS_NONE, 0},
    {"multilinestring", TYPE_GEOMETRY, ARGS_NONE, 0},
    {"multipolygon", TYPE_GEOMETRY, ARGS_NONE, 0},
    {"geometrycollection", TYPE_GEOMETRY, ARGS_NONE, 0},
    {"geomcollection", TYPE_GEOMETRY, ARGS_NONE, 0},
    {"vector", TYPE_VECTOR, ARGS_LENGTH, 0},
    {"uuid", TYPE_UUID, ARGS_NONE, 0},
    {"inet4", TYPE_INET4, ARGS_NONE, 0},
    {"inet6", TYPE_INET6, ARGS_NONE, 0},
};
#define TYPE_NAME_COUNT (sizeof(type_names) / sizeof(type_names[0]))

const char *column_type_name(enum column_type t)
{
    for (size_t i = 0; i < TYPE_NAME_COUNT; i++) {
        if (type_names[i].type == t)
            return type_names[i].name;
    }
    return "unknown type";
}

static const char *skip_spaces(const char *p)
{
    while (*p == ' ')
        p++;
    return p;
}

static bool is_word(char ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
           ch == '_';
}

static size_t word_length(const char *p)
{
    size_t len = 0;

    while (is_word(p[len]))
        len++;
    return len;
}

static bool word_is(const char *p, size_t len, const char *word)
{
    return strlen(word) == len && strncasecmp(p, word, len) == 0;
}

bool type_label_next(const char **pos, const char **label, size_t *len)
{
    const char *p = *pos;

    if (*p == ',')
        p++;
    if (*p != '\'')
        return false;
    *label = ++p;
    for (; *p; p++) {
        if (*p == '\\' && p[1]) {
            p++;
        } else if (*p == '\'') {
            if (p[1] != '\'')
                break;
            p++;
        }
    }
    if (!*p)
        return false;
    *len = (size_t)(p - *label);
    *pos = p + 1;
    return true;
}

const char *type_labels(const char *type_text)
{
    const char *open = strchr(type_text, '(');

    return open ? open + 1 : "";
}

/* Each parser reads what is behind '(' and returns where it stopped, NULL for nonsense. */
static const char *parse_labels(const char *p, struct column *c)
{
    const char *label;
    size_t len;
    unsigned count = 0;

    while (type_label_next(&p, &label, &len))
        count++;
    if (count == 0 || count > UINT16_MAX)
        return NULL;
    c->precision = (uint16_t)count;
    return p;
}

static const char *parse_number(const char *p, uint64_t max, uint64_t *value)
{
    uint64_t v = 0;

    if (*p < '0' || *p > '9')
        return NULL;
    for (; *p >= '0' && *p <= '9'; p++) {
        v = v * 10 + (uint64_t)(*p - '0');
        if (v > max)
            return NULL;
    }
    *value = v;
    return skip_spaces(p);
}

/* "10" or "10,2". FLOAT(p) without a scale is never printed so; it says nothing of rounding. */
static const char *parse_precision(const char *p, struct column *c)
{
    uint64_t precision;
    uint64_t scale = 0;

    p = parse_number(p, 255, &precision);
    if (!p)
        return NULL;
    if (*p == ',')
        p = parse_number(skip_spaces(p + 1), 255, &scale);
    else if (c->type != TYPE_DECIMAL)
        precision = 0;
    c->precision = (uint16_t)precision;
    c->scale = (uint16_t)scale;
    return p;
}

static const char *parse_args(const char *p, enum type_args args, struct column *c)
{
    uint64_t n = 0;

    switch (args) {
    case ARGS_NONE:
        return NULL;
    case ARGS_WIDTH:
        return parse_number(p, UINT32_MAX, &n);
    case ARGS_LENGTH:
        return parse_number(p, UINT32_MAX, &c->length);
    case ARGS_DECIMAL:
        return parse_precision(p, c);
    case ARGS_LABELS:
        return parse_labels(p, c);
    case ARGS_FSP:
        p = parse_number(p, 6, &n);
        c->fsp = (uint8_t)n;
        return p;
    case ARGS_BITS:
        p = parse_number(p, 64, &n);
        c->precision = (uint16_t)n;
        return p;
    }
    return NULL;
}

static const struct type_name *find_type(const char *p, size_t len)
{
    for (size_t i = 0; i < TYPE_NAME_COUNT; i++) {
        if (word_is(p, len, type_names[i].name))
            return &type_names[i];
    }
    return NULL;
}

/* " unsigned zerofill", and comments, in which MariaDB names old temporal formats, compression.
 * false: a word that might mean anything. */
static bool parse_attributes(const char *p, struct column *c)
{
    for (p = skip_spaces(p); *p; p = skip_spaces(p)) {
        size_t len = word_length(p);

        if (strncmp(p, "/*", 2) == 0) {
            p = strstr(p + 2, "*/");
            if (!p)
                return false;
            p += 2;
            continue;
        }
        if (word_is(p, len, "unsigned"))
            c->is_unsigned = true;
        else if (word_is(p, len, "zerofill"))
            c->is_unsigned = c->zerofill = true;
        else if (!word_is(p, len, "signed"))
            return false;
        p += len;
    }
    return true;
}

/* "national varchar(3)" and "double precision": no server prints these, people write them. */
static const char *skip_word(const char *p, const char *word)
{
    size_t len = word_length(p);

    return word_is(p, len, word) ? skip_spaces(p + len) : p;
}

static bool parse(const char *p, struct column *c)
{
    const struct type_name *type;
    size_t len;

    p = skip_word(skip_spaces(p), "national");
    len = word_length(p);
    type = find_type(p, len);
    if (!type)
        return false;
    c->type = type->type;
    c->length = type->length;
    if (c->type == TYPE_DECIMAL)
        c->precision = 10;
    else if (c->type == TYPE_YEAR)
        c->precision = 4;
    else if (c->type == TYPE_BIT)
        c->precision = 1;
    p = skip_spaces(p + len);
    if (c->type == TYPE_DOUBLE)
        p = skip_word(p, "precision");
    if (*p == '(') {
        p = parse_args(skip_spaces(p + 1), type->args, c);
        if (!p || *p != ')')
            return false;
        p++;
    } else if (type->args == ARGS_LABELS) {
        return false;
    }
    return parse_attributes(p, c);
}

void column_parse_type(const char *type_text, struct column *c)
{
    c->type = TYPE_OTHER;
    c->length = 0;
    c->precision = c->scale = 0;
    c->fsp = 0;
    c->is_unsigned = c->zerofill = false;
    if (!parse(type_text, c))
        c->type = TYPE_OTHER;
}
