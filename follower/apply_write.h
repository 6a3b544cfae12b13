/* follower/apply_write.h: the statements of one transaction on their way to the target.
 *
 * Statements are collected and sent many in a packet; each one's affected rows are compared with
 * what they must be. One thread at a time. */
#ifndef FERRY_FOLLOWER_APPLY_WRITE_H
#define FERRY_FOLLOWER_APPLY_WRITE_H

#include "common/mysql/conn.h"
#include "follower/apply_merge.h"

enum write_expect {
    WRITE_ANY,   /* as many rows as it may be */
    WRITE_FENCE, /* one row, else ERR_FOLLOW_FENCED */
    WRITE_ROWS   /* exactly `rows`, else ERR_FOLLOW_DRIFT */
};
struct write_sent {
    enum write_expect expect;
    uint64_t rows;
    const struct merge_entry *entry; /* the first of the statement; NULL: none */
    bool erase;
};

struct writer {
    struct conn *conn;
    bool load;           /* many new rows go by LOAD DATA LOCAL: TiDB takes them faster */
    bool careful;        /* one row a statement, so that the one that does not fit is known */
    size_t packet_bytes; /* sent when there are so many */
    struct strbuf sql, rows;
    struct write_sent *sent;
    uint64_t *affected;
    unsigned count, cap;
    const char **cell; /* scratch */
    unsigned long *len;
    unsigned cells;
    const struct merge_entry
        *wrong; /* careful, after a failure: the row that does not fit; or NULL */
};
void writer_release(struct writer *w);
/* Begins a statement: its text is to be appended to the buffer that is returned. */
struct strbuf *writer_begin(struct writer *w, enum write_expect expect, uint64_t rows);
/* Whatever is still collected is dropped. */
void writer_reset(struct writer *w);
/* Sends what is collected. ERR_FOLLOW_DRIFT, ERR_FOLLOW_FENCED, or the server's error. */
MUST_CHECK enum err_code writer_flush(struct writer *w, struct err *err);
/* Sorts `m` and appends what its entries come to, sending whenever there is enough. */
MUST_CHECK enum err_code writer_rows(struct writer *w, struct merge *m, struct err *err);

/* ---- apply_load.c ---- */
/* Whether the new rows of a table go by LOAD DATA. */
bool load_pays(const struct writer *w, const struct merge_entry *from,
               const struct merge_entry *end);
/* Writes them; what is collected goes along. ERR_FOLLOW_DRIFT: the target did not take all as they
 * are. ERR_SERVER_BUSY: it does not allow LOAD DATA LOCAL, and is not asked again. */
MUST_CHECK enum err_code load_rows(struct writer *w, const struct merge_entry *from,
                                   const struct merge_entry *end, struct err *err);
/* The answers of what was collected and sent. */
MUST_CHECK enum err_code writer_answers(struct writer *w, struct err *err);
/* The row of `count` packed cells; valid until the next call. */
struct row writer_row(struct writer *w, const char *packed, unsigned count);

/* ---- SQL of values ---- */
/* Compares with the column as its index does. */
void write_equal_literal(const struct column *c, const char *cell, unsigned long len,
                         struct strbuf *out);
/* "`c`<=>literal", true for the same value alone: text and bytes by their bytes, numbers and times
 * by value, JSON as the server compares it. */
void write_same_value(const struct column *c, const char *cell, unsigned long len,
                      struct strbuf *out);
/* The row whose key is `key`: "a=1 AND b=2". */
void write_key_where(struct writer *w, const struct apply_table *t, const char *key,
                     struct strbuf *out);
/* A row that has all values of the packed row. */
void write_same_row(struct writer *w, const struct apply_table *t, const char *packed,
                    struct strbuf *out);

/* For people: "(id=5,name='x')", values cut at 64 bytes. */
void write_key_text(const struct merge_entry *e, struct strbuf *out);

#endif
