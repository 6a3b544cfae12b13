/* common/schema/ddl_table.h: where the parts of a CREATE TABLE statement stand, as token numbers.
 * Nothing is judged here: what is not known is kept as an attribute or option of its name. */
#ifndef FERRY_SCHEMA_DDL_TABLE_H
#define FERRY_SCHEMA_DDL_TABLE_H

#include "common/schema/ddl_text.h"

#define DDL_NONE SIZE_MAX /* no such token */

/* Attributes of columns, options of keys: which rule of ddl_table.c took them. */
enum ddl_attr_kind {
    ATTR_UNKNOWN, /* a word or quoted name, with "= value" if there is one */
    ATTR_NUMERIC, /* UNSIGNED, SIGNED, ZEROFILL */
    ATTR_CHARSET,
    ATTR_COLLATE,
    ATTR_BINARY, /* old: BINARY, ASCII, UNICODE, BYTE */
    ATTR_NULL,   /* NULL, NOT NULL */
    ATTR_DEFAULT,
    ATTR_ON_UPDATE,
    ATTR_AUTO_INCREMENT,
    ATTR_UNIQUE,
    ATTR_PRIMARY,
    ATTR_COMMENT,
    ATTR_ROW_START_END,
    ATTR_GENERATED,
    ATTR_STORED, /* VIRTUAL, STORED, PERSISTENT */
    ATTR_INVISIBLE,
    ATTR_VISIBLE,
    ATTR_COMPRESSED,
    ATTR_STORAGE, /* STORAGE, COLUMN_FORMAT */
    ATTR_ENGINE,  /* ENGINE_ATTRIBUTE, SECONDARY_ENGINE_ATTRIBUTE, NOT SECONDARY */
    ATTR_SRID,    /* SRID, REF_SYSTEM_ID */
    ATTR_CHECK,   /* with CONSTRAINT and ENFORCED */
    ATTR_REFERENCES,
    ATTR_VERSIONING,
    ATTR_TIDB, /* CLUSTERED, AUTO_RANDOM, GLOBAL */
    ATTR_USING,
    ATTR_BLOCK_SIZE,
    ATTR_PARSER,
    ATTR_IGNORED, /* IGNORED, NOT IGNORED */
};
struct ddl_attr {
    enum ddl_attr_kind kind;
    struct ddl_span span;
    size_t value; /* the first token behind the attribute's words and "="; span.end: none */
};

struct ddl_part {
    struct ddl_span span;
    size_t name;   /* DDL_NONE: an expression */
    size_t length; /* the number of a prefix; DDL_NONE: none */
    bool without_overlaps;
};

enum ddl_item_kind {
    ITEM_COLUMN,
    ITEM_PRIMARY,
    ITEM_UNIQUE,
    ITEM_KEY,
    ITEM_FULLTEXT,
    ITEM_SPATIAL,
    ITEM_VECTOR,
    ITEM_FOREIGN,
    ITEM_CHECK,
    ITEM_PERIOD
};
struct ddl_item {
    enum ddl_item_kind kind;
    struct ddl_span span;
    size_t name;            /* of the column, key or constraint; DDL_NONE: none */
    struct ddl_span type;   /* columns: the type's words and its parentheses */
    struct ddl_span parens; /* with them: key parts, columns of a foreign key or period, CHECK's
                               expression */
    struct ddl_attr *attrs;
    size_t attr_count;
    struct ddl_part *parts; /* keys, and a foreign key's own columns */
    size_t part_count;
    bool dropped; /* for the converter */
};

struct ddl_option {
    struct ddl_span span;
    char name[32]; /* upper case; without DEFAULT; CHARSET for CHARACTER SET */
    size_t value;  /* DDL_NONE: none */
    bool quoted;   /* the name stands in backquotes: MariaDB's engines' own */
};

struct ddl_table {
    struct ddl_span head;      /* from CREATE to before the name */
    struct ddl_span name;      /* one token, or database.table */
    struct ddl_span body;      /* with the parentheses; empty: LIKE, or a query alone */
    struct ddl_span tail;      /* behind options and partitions: a query; empty: none */
    struct ddl_span partition; /* PARTITION BY ...; empty: none */
    struct ddl_item *items;
    size_t item_count;
    struct ddl_option *options;
    size_t option_count;
};

/* The tables' arrays are the arena's of `d`. ERR_FORMAT names what is not understood. */
MUST_CHECK enum err_code ddl_table_parse(const struct ddl_text *d, struct ddl_table *t,
                                         struct err *err);
/* Options up to the end, PARTITION, or what is none. Also those of CREATE DATABASE and SEQUENCE. */
MUST_CHECK enum err_code ddl_options_parse(const struct ddl_text *d, size_t *at,
                                           struct ddl_option **options, size_t *count,
                                           struct err *err);
/* The item's first attribute of the kind; NULL: none. */
const struct ddl_attr *ddl_attr(const struct ddl_item *item, enum ddl_attr_kind kind);

#endif
