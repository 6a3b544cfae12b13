/* formats/record_inner.h: what record_format.c and record_parse.c share: one table a record kind
 * says which members it has, and drives writing, reading and releasing. Not for other files. */
#ifndef FERRY_FORMATS_RECORD_INNER_H
#define FERRY_FORMATS_RECORD_INNER_H

#include "formats/manifest.h"

#define RECORD_CRC_KEY ",\"crc\":\""
#define RECORD_CRC_DIGITS 8
/* ,"crc":"01234567"} */
#define RECORD_TAIL_BYTES (sizeof RECORD_CRC_KEY - 1 + RECORD_CRC_DIGITS + 2)

#define RECORD_NUMBER_MAX ((uint64_t)1 << 53) /* larger ones are written as strings */

enum field_kind {
    FIELD_TEXT,     /* char * */
    FIELD_TEXT_OPT, /* char *; left out when NULL */
    FIELD_PATH,     /* char *, a path that a store takes */
    FIELD_PATH_OPT,
    FIELD_UUID,    /* char[37] */
    FIELD_OBJECT,  /* char *, a JSON object's text */
    FIELD_UINT,    /* unsigned */
    FIELD_U64,     /* uint64_t */
    FIELD_U64_OPT, /* uint64_t; left out when 0 */
    FIELD_TIME,    /* int64_t, UTC microseconds */
    FIELD_BOOL,    /* left out when false */
    FIELD_BOUND,   /* struct bound; left out when open */
    FIELD_DIGEST,  /* struct digest: three members; left out when all zero (no file) */
    FIELD_NAMES,   /* char ** and its count; left out when empty */
    FIELD_COLUMNS, /* struct column_record * and its count; left out when empty */
};
struct record_field {
    const char *name;
    enum field_kind kind;
    size_t offset;       /* in struct record or struct column_record */
    size_t count_offset; /* FIELD_NAMES, FIELD_COLUMNS: of an unsigned */
};
struct record_layout {
    const char *name; /* of the record kind */
    const struct record_field *fields;
    size_t count;
};

const struct record_layout *record_layout(enum record_kind kind);
/* NULL: no such kind. */
const struct record_layout *record_layout_find(const char *name, enum record_kind *kind);
const struct record_layout *column_layout(void);

/* As record_parse; *skip true (and nothing in *r): a kind that is not known, and that says it may
 * be left out. */
MUST_CHECK enum err_code record_parse_line(const char *line, size_t len, struct record *r,
                                           bool *skip, struct err *err);

static inline void *field_at(void *base, size_t offset)
{
    return (char *)base + offset;
}
static inline const void *field_at_const(const void *base, size_t offset)
{
    return (const char *)base + offset;
}

#endif
