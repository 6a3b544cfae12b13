/* common/schema/model.h: databases, tables, columns, keys and views as a server describes them.
 *
 * A schema owns everything in it (one arena) and is read-only once built: any thread. Tables are
 * sorted by database and name (bytes). */
#ifndef FERRY_SCHEMA_MODEL_H
#define FERRY_SCHEMA_MODEL_H

#include "common/base/mem.h"

#include <stdbool.h>
#include <stdint.h>

enum column_type {
    TYPE_OTHER = 0, /* a type ferry does not know: refused by name at plan time */
    TYPE_TINYINT,
    TYPE_SMALLINT,
    TYPE_MEDIUMINT,
    TYPE_INT,
    TYPE_BIGINT,
    TYPE_DECIMAL,
    TYPE_FLOAT,
    TYPE_DOUBLE,
    TYPE_BIT,
    TYPE_DATE,
    TYPE_TIME,
    TYPE_DATETIME,
    TYPE_TIMESTAMP,
    TYPE_YEAR,
    TYPE_CHAR,
    TYPE_VARCHAR,
    TYPE_TINYTEXT,
    TYPE_TEXT,
    TYPE_MEDIUMTEXT,
    TYPE_LONGTEXT,
    TYPE_BINARY,
    TYPE_VARBINARY,
    TYPE_TINYBLOB,
    TYPE_BLOB,
    TYPE_MEDIUMBLOB,
    TYPE_LONGBLOB,
    TYPE_ENUM,
    TYPE_SET,
    TYPE_JSON,
    TYPE_GEOMETRY, /* all spatial types */
    TYPE_VECTOR,
    TYPE_UUID,
    TYPE_INET4,
    TYPE_INET6, /* MariaDB: text in the protocol */
    TYPE_COUNT
};

/* How a cell of the text protocol is written down and read back. */
enum cell_form {
    CELL_NUMBER, /* ASCII number: bare */
    CELL_TEXT,   /* UTF-8: quoted and escaped */
    CELL_BYTES,  /* raw bytes: BINARY, BLOB, geometry */
    CELL_BIT,    /* raw big-endian bytes of a BIT(n) */
    CELL_JSON    /* UTF-8 JSON text */
};

enum generated_kind { GENERATED_NO, GENERATED_VIRTUAL, GENERATED_STORED };

struct column {
    const char *name;
    const char *type_text;     /* COLUMN_TYPE: "int(10) unsigned", "enum('a','b')" */
    const char *charset;       /* NULL: not text; TiDB's VECTOR, which it prints as text, has one */
    const char *collation;     /* NULL: not text */
    const char *default_text;  /* NULL: none; as information_schema prints it */
    const char *extra;         /* lower case EXTRA */
    uint64_t length;           /* characters (CHAR, VARCHAR), bytes (TEXT kinds, binary), dimensions
                                  (VECTOR); 0 where meaningless */
    uint16_t precision, scale; /* DECIMAL, FLOAT(M,D), else 0; precision also: n of BIT(n), 2 or 4
                                  of YEAR, labels of ENUM and SET */
    uint8_t fsp;               /* fractional digits of a temporal type */
    enum column_type type;
    enum generated_kind generated;
    bool is_unsigned, zerofill, nullable, auto_increment, auto_random, invisible;
    bool readable;      /* the server says that the account may select it */
    bool left_out;      /* not dumped though it could be: --columns */
    bool row_start_end; /* MariaDB: ROW START / ROW END of a system-versioned table */
};

struct key_part {
    unsigned column;     /* index into table->columns */
    unsigned prefix_len; /* characters or bytes; 0: whole column */
    bool expression;     /* a functional part: `column` is meaningless */
};
enum key_kind { KEY_BTREE, KEY_FULLTEXT, KEY_SPATIAL, KEY_OTHER };
struct key {
    const char *name; /* "PRIMARY" for the primary key */
    struct key_part *parts;
    unsigned part_count;
    enum key_kind kind; /* MariaDB: KEY_OTHER too where a primary key is there to be taken */
    bool unique, primary, invisible;
    bool not_null; /* every part is NOT NULL */
};

enum table_kind {
    TABLE_BASE,
    TABLE_VIEW,
    TABLE_SEQUENCE,
    TABLE_VERSIONED /* MariaDB system-versioned */,
    TABLE_OTHER
};
struct table {
    const char *db, *name;
    const char *engine;    /* NULL for views */
    const char *collation; /* NULL for views */
    const char *partition; /* how it is divided, for who follows it (follower/ddl_exact.c); NULL:
                              not read */
    enum table_kind kind;
    uint64_t row_estimate,
        data_bytes;         /* statistics: hints for order and progress, never for correctness */
    struct column *columns; /* in ordinal order */
    unsigned column_count;
    struct key *keys; /* the primary key first, then unique ones, then by name */
    unsigned key_count;
};
struct database {
    const char *name, *charset, *collation;
};
struct schema {
    struct arena *arena;
    struct database *databases;
    size_t database_count;
    struct table *tables; /* views too */
    size_t table_count;
};

void schema_free(struct schema *s);
const struct table *schema_find(const struct schema *s, const char *db,
                                const char *name); /* NULL: none; byte compare */
const struct column *table_column(const struct table *t,
                                  const char *name); /* NULL: none; ASCII case folded */

enum cell_form column_form(const struct column *c);
const char *column_type_name(enum column_type t); /* "bigint" */
/* Whether an ENUM has the label '': else the empty text is its error value, index 0. */
bool column_enum_has_empty(const struct column *c);
/* Parses COLUMN_TYPE ("decimal(65,30) unsigned", "enum('a','b')") into type, length, precision,
 * scale, fsp, flags. TYPE_OTHER if unknown. */
void column_parse_type(const char *type_text, struct column *c);

/* The key that chunks are cut by: the primary key, else the unique key of not-null, whole,
 * ascending-readable columns with the fewest and shortest parts; NULL: none. Functional, prefixed
 * and FULLTEXT keys do not count. */
const struct key *table_best_key(const struct table *t);
/* Columns that a dump holds: all but generated ones and those left out. */
static inline bool column_is_dumped(const struct column *c)
{
    return c->generated == GENERATED_NO && !c->row_start_end && !c->left_out;
}

#endif
