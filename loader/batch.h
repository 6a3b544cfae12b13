/* loader/batch.h: the rows of one target transaction, as the text that LOAD DATA LOCAL takes.
 *
 * Filled once, then unchanged until the COMMIT has been answered: the server may ask for the text
 * again, and the same batch is sent again after a deadlock or a lost connection. Each row's place
 * is kept, so that the careful path can read single rows back out of the text. A row that no longer
 * fits stands behind the end of the batch and becomes the first row of the next one.
 *
 * Memory: `max_bytes` and one row; a buffer that one huge row has grown is given back. One thread.
 */
#ifndef FERRY_LOADER_BATCH_H
#define FERRY_LOADER_BATCH_H

#include "formats/row_codec.h"

struct batch {
    struct strbuf text;
    size_t *row_off;    /* begin of each row in `text`, and the end of the last one */
    size_t row_cap;     /* rows that `row_off` has room for */
    unsigned rows;      /* in the batch; the carried row does not count */
    uint64_t first_row; /* rows of the chunk before the batch */
    uint64_t raw_off;   /* decoder_offset behind the last row */
    bool last;          /* the chunk ends behind it */

    size_t max_bytes; /* of text; a larger row is a batch of its own */
    unsigned max_rows;
    const bool *hex;      /* borrowed, as load_data_row takes it */
    const unsigned *pick; /* borrowed: the cells of a decoded row that are taken; NULL: all */
    unsigned pick_count;
    const char **picked; /* room for them */
    unsigned long *picked_len;
    bool carried; /* a row stands behind the last one */
    uint64_t carried_raw_off;
};

void batch_init(struct batch *b, size_t max_bytes, unsigned max_rows);
void batch_release(struct batch *b);
/* Empty, before a chunk's first row to be read: `rows` rows and `raw_off` bytes come before it. */
void batch_start(struct batch *b, const bool *hex, uint64_t rows, uint64_t raw_off);
/* Behind batch_start: only these cells of each row, borrowed; NULL: all of them. */
void batch_pick(struct batch *b, const unsigned *cells, unsigned count);
/* Drops the rows it has and takes the next ones. `last` only after the decoder has reached the
 * clean end of the file; such a batch may be empty. */
MUST_CHECK enum err_code batch_fill(struct batch *b, struct decoder *d, struct err *err);
static inline size_t batch_bytes(const struct batch *b)
{
    return b->rows ? b->row_off[b->rows] : 0;
}

/* Reads rows back. The cells are valid until the next call for the same reader. */
struct batch_reader {
    const struct batch *batch;
    struct strbuf bytes; /* the row's unescaped cells */
    const char **cell;
    unsigned long *len;
    unsigned columns;
};
void batch_reader_init(struct batch_reader *r, const struct batch *b, unsigned columns);
void batch_reader_release(struct batch_reader *r);
/* Row `i` of the batch, from 0. */
MUST_CHECK enum err_code batch_reader_row(struct batch_reader *r, unsigned i, struct row *row,
                                          struct err *err);

#endif
