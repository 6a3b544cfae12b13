/* formats/binlog_table.h: a Table_map event, and the table's definition that it fits.
 *
 * The event says how the bytes of a row are cut; the definition says what they mean (signs,
 * character sets, labels, the length of BINARY). Where the event carries names or signs too
 * (binlog_row_metadata), they must be the definition's. */
#ifndef FERRY_FORMATS_BINLOG_TABLE_H
#define FERRY_FORMATS_BINLOG_TABLE_H

#include "common/mysql/binlog_event.h"
#include "common/mysql/charset_map.h"
#include "common/schema/model.h"

/* Where a cell's bytes go. */
struct cell_out {
    const char *cell; /* what was decoded; in the event, in `slot` or in `var` */
    unsigned long len;
    char *slot;         /* NUMBER_TEXT_MAX bytes of the cell's own */
    struct strbuf *var; /* of the column, empty */
};
struct binlog_column;
/* Decodes the value at *at, which ends before `end`, and steps behind it. */
typedef enum err_code cell_decode_fn(const struct binlog_column *c, const uint8_t **at,
                                     const uint8_t *end, struct cell_out *out, struct err *err);

struct binlog_label {
    const char *text;
    size_t len;
};
struct binlog_column {
    const struct column *def;
    cell_decode_fn *decode;
    const struct charset_map *map;     /* NULL: the bytes are what a SELECT gives */
    const struct binlog_label *labels; /* of ENUM and SET */
    unsigned label_count;
    uint8_t type;         /* as in the event; the real one for CHAR, ENUM and SET */
    uint8_t length_bytes; /* before a value; or of a fixed value */
    uint16_t meta;        /* as in the event */
    uint32_t pad;         /* BINARY(n) and its like: filled up with zeros to so many bytes */
    bool is_unsigned;
    bool variable;  /* may need `var` */
    bool old_order; /* a UUID in the order of MariaDB before 10.11.5 */
};

struct binlog_table {
    uint64_t id;
    const char *db, *name;
    uint16_t flags;
    unsigned column_count;
    struct binlog_column *columns;
    const struct table *def; /* borrowed; NULL until it is bound, or not wanted */
    struct arena *arena;     /* owns everything else */
    /* Of the optional metadata; length 0: not there. */
    const uint8_t *signs, *names;
    size_t signs_len, names_len;
};

/* The Table_map event in data[0..len), header included, without checksum. ERR_BINLOG_EVENT: it is
 * cut or changed. *out is the caller's. */
MUST_CHECK enum err_code binlog_table_read(const uint8_t *data, size_t len,
                                           const struct binlog_format *format,
                                           struct binlog_table **out, struct err *err);
/* Chooses how each column is decoded. `def` and `maps` must outlive the table. ERR_BINLOG_SCHEMA:
 * the event is of another definition; ERR_BINLOG_UNSUPPORTED: a type that is not known. */
MUST_CHECK enum err_code binlog_table_bind(struct binlog_table *t, const struct table *def,
                                           struct charset_maps *maps, struct err *err);
void binlog_table_free(struct binlog_table *t); /* NULL is fine */
/* Whether two Table_map events of one id are of one definition. */
bool binlog_table_same(const struct binlog_table *a, const struct binlog_table *b);

/* A number of 1 to 9 bytes as the protocol packs lengths. false: cut, or NULL. */
bool packed_number(const uint8_t **at, const uint8_t *end, uint64_t *out);

#endif
