/* formats/decoder_driver.h: what decoder.c and the scanners of the two formats share.
 *
 * A scanner looks at [pos, end) for one row. It changes nothing in the buffer until it has seen the
 * whole row (SCAN_STATUS_MORE makes decoder.c read on and call it again from `pos`), notes cells
 * that are not yet what they stand for as `work`, and at the end unescapes those in place. Behind
 * `end` are DECODER_PAD zero bytes: a zero that ends a token is looked at against `end`. */
#ifndef FERRY_FORMATS_DECODER_DRIVER_H
#define FERRY_FORMATS_DECODER_DRIVER_H

#include "formats/row_codec.h"
#include "formats/scan.h"

#define DECODER_PAD ((size_t)32)

enum scan_status {
    SCAN_STATUS_ROW,
    SCAN_STATUS_SKIPPED, /* pos has moved over something that is no row */
    SCAN_STATUS_END,     /* a clean end */
    SCAN_STATUS_MORE, /* the buffer ends too early; at the end of the file: cut inside `inside` */
    SCAN_STATUS_BAD   /* err is set */
};

enum cell_work {
    WORK_ESCAPED,        /* '...' with backslashes or doubled quotes */
    WORK_ESCAPED_DOUBLE, /* the same in double quotes, and CSV */
    WORK_HEX,            /* digits of x'...' or 0x... */
    WORK_BITS,           /* digits of b'...' or 0b... */
    WORK_BIT_NUMBER      /* a decimal number for a BIT column */
};

enum decoder_state {
    DECODER_CSV_HEADER,
    DECODER_CSV_ROWS,
    DECODER_SQL_OUTSIDE,   /* between statements */
    DECODER_SQL_FIRST_ROW, /* behind VALUES */
    DECODER_SQL_NEXT_ROW   /* behind a row */
};

struct decoder {
    enum row_format format;
    enum decoder_state state;
    struct row_shape shape; /* borrows */
    struct source *source;  /* owned */
    const char *file;
    size_t max_row;
    uint64_t start_off;
    bool csv_open_end;
    bool strict_escapes;
    bool other_dialect; /* CSV whose rows differ from the default's */
    struct csv_dialect dialect;

    char *buf;
    size_t cap; /* bytes, the pad not counted */
    char *pos;  /* the first byte not yet consumed: of the row that is being looked at */
    char *end;
    uint64_t base; /* raw offset of buf[0] */
    bool eof, started;

    uint64_t row_off; /* behind the last row given */
    uint64_t rows;
    const char *inside; /* "a string": what a scanner was in when it wanted more */
    const char **cell;  /* shape.count, and len likewise */
    unsigned long *len;
    struct cell_todo {
        char *text; /* of the cell, in the buffer */
        unsigned cell;
        enum cell_work work;
    } * todo; /* shape.count */
    unsigned todo_count;
    struct strbuf head; /* SQL: the last INSERT ... VALUES that was checked, to know it again */
    struct strbuf name; /* scratch */
    struct strbuf text; /* cells that were converted */
};

enum scan_status csv_scan(struct decoder *d, struct err *err);
enum scan_status csv_dialect_scan(struct decoder *d, struct err *err);
enum scan_status sql_scan(struct decoder *d, struct err *err);

/* One cell of a row in SQL, behind which `p` points afterwards; NULL: *status says why. */
const char *sql_cell_scan(struct decoder *d, const char *p, unsigned cell, enum scan_status *status,
                          struct err *err);
/* Over white space and comments that hold nothing for a server. NULL: the buffer ends there. */
const char *sql_space_skip(struct decoder *d, const char *p);
/* Makes the noted cells what they stand for. */
MUST_CHECK enum err_code sql_cells_finish(struct decoder *d, struct err *err);

static inline void decoder_todo(struct decoder *d, unsigned cell, enum cell_work work)
{
    char *text = d->buf + (d->cell[cell] - d->buf);

    d->todo[d->todo_count++] = (struct cell_todo){text, cell, work};
}

/* ERR_FORMAT: file, row number, raw byte offset of `at`, what was expected, and what is there. */
enum scan_status decoder_bad(const struct decoder *d, const char *at, struct err *err,
                             const char *fmt, ...) PRINTF_LIKE(4, 5);

/* A byte of a name or keyword that stands without quotes. */
static inline bool decoder_word_byte(char c)
{
    const unsigned char u = (unsigned char)c;

    return (u >= '0' && u <= '9') || ((u | 0x20) >= 'a' && (u | 0x20) <= 'z') || u == '_' ||
           u == '$' || u >= 0x80;
}

/* Refuses a row that Dumpling would have escaped in another way (decoder_strict.c); before its
 * cells are unescaped. */
MUST_CHECK enum err_code decoder_strict(const struct decoder *d, struct err *err);
/* Cells in other character sets become UTF-8 (decoder_charset.c). */
MUST_CHECK enum err_code decoder_convert(struct decoder *d, struct err *err);

/* ASCII letters are equal in both cases; other bytes only to themselves. */
bool decoder_name_equal(const char *a, const char *b, size_t b_len);

#endif
