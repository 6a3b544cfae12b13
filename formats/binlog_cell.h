/* formats/binlog_cell.h: how the value of a column is decoded from a row image. No state. */
#ifndef FERRY_FORMATS_BINLOG_CELL_H
#define FERRY_FORMATS_BINLOG_CELL_H

#include "formats/binlog_table.h"

/* Numbers of column types in Table_map events (MySQL's field_types.h, MariaDB's mysql_com.h). */
enum binlog_column_type {
    COLUMN_DECIMAL = 0,
    COLUMN_TINY = 1,
    COLUMN_SHORT = 2,
    COLUMN_LONG = 3,
    COLUMN_FLOAT = 4,
    COLUMN_DOUBLE = 5,
    COLUMN_TIMESTAMP = 7,
    COLUMN_LONGLONG = 8,
    COLUMN_INT24 = 9,
    COLUMN_DATE = 10,
    COLUMN_TIME = 11,
    COLUMN_DATETIME = 12,
    COLUMN_YEAR = 13,
    COLUMN_NEWDATE = 14,
    COLUMN_VARCHAR = 15,
    COLUMN_BIT = 16,
    COLUMN_TIMESTAMP2 = 17,
    COLUMN_DATETIME2 = 18,
    COLUMN_TIME2 = 19,
    COLUMN_BLOB_COMPRESSED = 140,    /* MariaDB */
    COLUMN_VARCHAR_COMPRESSED = 141, /* MariaDB */
    COLUMN_VECTOR = 242,
    COLUMN_TYPED_ARRAY = 243,
    COLUMN_JSON = 245,
    COLUMN_NEWDECIMAL = 246,
    COLUMN_ENUM = 247,
    COLUMN_SET = 248,
    COLUMN_BLOB = 252,
    COLUMN_VAR_STRING = 253,
    COLUMN_STRING = 254,
    COLUMN_GEOMETRY = 255
};

/* Sets c->decode and what it needs from c->type, c->meta and c->def, of a table whose text is in
 * `arena`. ERR_BINLOG_SCHEMA: the definition's type is another; ERR_BINLOG_UNSUPPORTED. The message
 * speaks of the type alone. */
MUST_CHECK enum err_code cell_bind(struct binlog_column *c, struct charset_maps *maps,
                                   struct arena *arena, struct err *err);

#endif
