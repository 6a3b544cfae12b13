/* common/target/target_inner.h: what the files of this folder share. */
#ifndef FERRY_TARGET_TARGET_INNER_H
#define FERRY_TARGET_TARGET_INNER_H

#include "common/mysql/conn.h"
#include "common/target/state.h"

/* A random number above 0 that no other process has. */
MUST_CHECK enum err_code token_new(uint64_t *token, struct err *err);
/* The cell as an unsigned number; ERR_LOAD_STATE if it is none. */
MUST_CHECK enum err_code state_cell_u64(const struct row *row, unsigned i, uint64_t *out,
                                        struct err *err);
/* false: no word of a job's state. */
bool state_cell_job(const struct row *row, unsigned i, enum job_state *out);
/* The cell's text, cut to `size` - 1 bytes; "" for NULL. */
void state_cell_text(const struct row *row, unsigned i, char *out, size_t size);
/* The cell's text on the heap; NULL for NULL, or "". */
char *state_cell_dup(const struct row *row, unsigned i);
char *state_cell_str(const struct row *row, unsigned i);
/* Appends the text as a literal; '' for NULL. */
void state_add_text(struct strbuf *sql, const char *text);
/* Whether the loader `l` (of the table of that name) lives, by the target's clock; NULL without a
 * row. */
#define LOADER_LIVES                                                                               \
    "(l.state IN ('joining','live') AND "                                                          \
    "TIMESTAMPDIFF(MICROSECOND,l.beat,UTC_TIMESTAMP(6))<l.lease_us)"
/* Five cells from the i-th: the counts of a chunk, in the struct's order. */
MUST_CHECK enum err_code state_cell_counts(const struct row *row, unsigned i,
                                           struct chunk_counts *out, struct err *err);

/* Makes the tables that are missing. `columns`: what stands between the parentheses. */
struct state_made {
    const char *name, *columns;
};
MUST_CHECK enum err_code state_make_tables(struct conn *c, const struct state *s,
                                           const struct state_made *tables, size_t count,
                                           struct err *err);

#endif
