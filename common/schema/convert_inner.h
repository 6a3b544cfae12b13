/* common/schema/convert_inner.h: what the files of the converter share. */
#ifndef FERRY_SCHEMA_CONVERT_INNER_H
#define FERRY_SCHEMA_CONVERT_INNER_H

#include "common/schema/collation.h"
#include "common/schema/convert.h"
#include "common/schema/ddl_table.h"

/* A column as the converter sees it. */
struct convert_column {
    struct ddl_item *item;
    const char *name;
    const struct convert_type *type; /* NULL: unknown type */
    bool text;                       /* has a collation of its own */
    bool key;                        /* of a primary, unique or foreign key */
    bool large;                      /* became a TEXT or BLOB */
    bool narrow;                     /* three bytes a character, for a long key's sake */
    unsigned length;                 /* the number in parentheses; 0: none */
    char source[64];                 /* collation on the source; "" unknown */
    struct collation_map map;        /* what it becomes; name "": unknown */
};

struct converter {
    struct ddl_text d;
    struct ddl_table t;
    const struct convert_params *p;
    struct converted *out;
    enum vendor to;
    bool other_vendor; /* source and target differ */
    struct convert_column *columns;
    size_t column_count;
    size_t change_room;
    char table_source[64];          /* the table's own collation; "" unknown */
    struct collation_map table_map; /* name "": unknown */
};

struct convert_note {
    enum change_severity severity;
    enum change_part part;
    const char *name, *was, *is; /* NULL: "" */
};
/* Adds a change; `meaning` is printf's. The note's texts must live as long as the arena. */
void convert_say(struct converter *c, struct convert_note note, const char *meaning, ...)
    PRINTF_LIKE(3, 4);
/* A copy of the text in the result's arena. */
const char *convert_keep(struct converter *c, const struct strbuf *sb);
/* TiDB: a comment (a string token) that is longer than so many bytes is cut short. */
void convert_comment(struct converter *c, struct convert_note note, size_t value, size_t limit);
/* Removes the tokens and says so. */
void convert_drop(struct converter *c, struct ddl_span span, struct convert_note note,
                  const char *meaning);

/* convert_expr.c: collations, character sets and introducers of an expression are mapped.
 * *lacking: a function that the target lacks; NULL: none. */
void convert_expression(struct converter *c, struct ddl_span span, const char *name,
                        const char **lacking);
/* What TiDB makes of the value of a DEFAULT. */
enum default_fit {
    DEFAULT_LACKING, /* it takes no such expression */
    DEFAULT_LITERAL,
    DEFAULT_WRAPPED, /* a literal in parentheses, which it takes without them only */
    DEFAULT_FUNCTION
};
enum default_fit convert_default_fit(struct converter *c, struct ddl_span value, unsigned fsp);

/* convert_type.c */
enum type_class {
    CLASS_FIXED,   /* `bytes` in a key */
    CLASS_DECIMAL, /* digits decide */
    CLASS_TIME,    /* bytes, and fractions */
    CLASS_BIT,
    CLASS_CHAR, /* CHAR, VARCHAR: length in characters */
    CLASS_TEXT,
    CLASS_BINARY,
    CLASS_BLOB,
    CLASS_LABELS, /* ENUM, SET */
    CLASS_JSON,
    CLASS_SPATIAL,
    CLASS_VECTOR,
    CLASS_MARIADB /* written as text on the others */
};
struct convert_type {
    const char *name; /* upper case */
    enum type_class type_class;
    unsigned bytes;
    const char
        *instead; /* CLASS_MARIADB: the other vendors' type; CLASS_TEXT: the next larger one */
};
const struct convert_type *convert_type_of(const struct converter *c, const struct ddl_item *item);
/* Types that the target lacks. */
void convert_column_type(struct converter *c, struct convert_column *column);
/* Bytes of the column's whole value, or of a prefix of so many characters, in a key; 0: unknown. */
unsigned convert_key_bytes(const struct converter *c, const struct convert_column *column,
                           unsigned prefix);

/* convert_column.c */
void convert_columns_find(struct converter *c);
void convert_columns_map(struct converter *c);
void convert_columns(struct converter *c);
struct convert_column *convert_column_named(struct converter *c, const char *name);

/* convert_key.c */
void convert_keys_mark(struct converter *c); /* which columns are of keys */
void convert_keys_fit(struct converter *c);  /* which columns must be narrow */
void convert_keys(struct converter *c);

/* convert_constraint.c: CHECK, PERIOD, FOREIGN KEY; what leaves the table */
void convert_constraints(struct converter *c);
/* A CHECK, whose expression begins at `parens`; true: the target cannot have it, take it out. */
bool convert_check(struct converter *c, const char *name, struct ddl_span span, size_t parens);
void convert_indexes_split(struct converter *c);
void convert_items_remove(struct converter *c);

/* convert_option.c */
void convert_table_collation(struct converter *c);
void convert_options(struct converter *c, const struct ddl_option *options, size_t count);
void convert_partition(struct converter *c);

/* convert_table.c */
MUST_CHECK enum err_code convert_table(struct converter *c, struct err *err);

#endif
