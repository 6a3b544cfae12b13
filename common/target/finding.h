/* common/target/finding.h: what the target did not simply take, row by row, kept in the target
 * (schema ferry_meta, tables conflict and conflict_more): conflicts and bad values.
 *
 * A record is written in the transaction that decides what becomes of the row, so there is exactly
 * one for each row and key. Its rows are JSON objects, column by column:
 *   numbers as JSON numbers with every digit of the server's text (readers that take them for
 *   doubles may round them), text as strings, NULL as null, bytes, BIT and text that is no UTF-8 as
 *   {"hex":"00ff"}. A value that is longer than the limit given is {"cut":LENGTH,"text":"..."} or
 *   {"cut":LENGTH,"hex":"..."} with its first bytes. The rows that `replace` removed are never cut.
 *
 *   conflict      (job, chunk, row_no, key_no, kind, done, db_name, name, key_name, key_values,
 *                  key_where, incoming, existing, parts, identical, differs, words, file, ord, at,
 *                  PK (job, chunk, row_no, key_no))
 *   conflict_more (job, chunk, row_no, key_no, part, existing): `existing` goes on there, in pieces
 *
 * `ord` grows in the order in which transactions that touch the same rows were made, so that what
 * was done can be undone backwards. */
#ifndef FERRY_TARGET_FINDING_H
#define FERRY_TARGET_FINDING_H

#include "common/schema/model.h"
#include "common/target/state.h"

#include <stdio.h>

enum finding_kind { FINDING_CONFLICT, FINDING_BAD_VALUE };
enum finding_done {
    FINDING_STOPPED,  /* the batch was rolled back; the load stops */
    FINDING_IGNORED,  /* the existing row was kept */
    FINDING_REPLACED, /* the existing row was removed, the incoming one written */
    FINDING_CHECKED,  /* nothing was written, on purpose */
    FINDING_SKIPPED   /* the row was left out: a bad value */
};

struct finding { /* strings are borrowed; JSON where said */
    uint64_t chunk;
    uint64_t row;    /* in the file, from 1 */
    unsigned key_no; /* of the table's keys; FINDING_NO_KEY: a bad value */
    enum finding_kind kind;
    enum finding_done done;
    const char *db, *table, *file;
    const char *key;        /* name; NULL: a bad value */
    const char *key_values; /* JSON object; NULL: not known, or a bad value */
    const char *key_where;  /* SQL that names the incoming row; NULL: not replaced */
    const char *incoming;   /* JSON object */
    const char *existing;   /* JSON object; NULL: not known, or a bad value */
    size_t existing_len;
    bool identical;
    const char *differs; /* JSON array of column names; NULL: not known */
    const char *words;   /* the server's; NULL: none */
    const char *at;      /* when read: "2026-11-23T13:45:00Z" */
};
#define FINDING_NO_KEY 65535U

/* ---- JSON ---- */
void finding_json_string(const char *text, size_t len, struct strbuf *out);
/* One value; `limit` in bytes, 0: none. NULL cell: null. */
void finding_json_value(enum cell_form form, const char *cell, size_t len, size_t limit,
                        struct strbuf *out);
/* A limit for the values of a row of so many columns, so that the row stays near 1 MiB. */
size_t finding_value_limit(unsigned columns);
/* Walks the members of an object that this file wrote. `*at` is 0 at first; false: the end, or not
 * of the form (*bad). The value is its raw JSON text. */
struct finding_member {
    struct strbuf name; /* unescaped */
    const char *value;
    size_t value_len;
};
bool finding_json_next(const char *object, size_t *at, struct finding_member *m, bool *bad);
/* The JSON string `value` without quotes and escapes. */
void finding_json_unescape(const char *value, size_t len, struct strbuf *out);

/* ---- writing: within the caller's transaction ---- */
struct finding_writer {
    struct conn *conn;
    const struct state *state;
    struct strbuf sql;
    size_t max_statement; /* bytes, but for a single record */
    struct strbuf text;   /* for LOAD DATA */
    unsigned text_rows;
    bool load; /* small records by LOAD DATA LOCAL, where the server does no more than half the work
                  for it; the caller has seen that it is allowed. Errors break the connection. */
};
/* `load` off. */
void finding_writer_init(struct finding_writer *w, struct conn *c, const struct state *s,
                         size_t max_statement);
void finding_writer_release(struct finding_writer *w);
/* A record of the same row and key is replaced. */
MUST_CHECK enum err_code finding_write(struct finding_writer *w, const struct finding *r,
                                       struct err *err);
MUST_CHECK enum err_code finding_flush(struct finding_writer *w, struct err *err);

/* ---- reading ---- */
typedef enum err_code finding_fn(void *ctx, const struct finding *r, struct err *err);
enum finding_order { FINDING_BY_ROW, FINDING_BACKWARDS };
/* The job's records, one after the other, not held in memory. `more` is a second connection. The
 * record is valid during the call. */
struct finding_query {
    struct conn *conn, *more;
    const struct state *state;
    enum finding_order order;
    bool replaced_only;
};
MUST_CHECK enum err_code finding_each(const struct finding_query *q, finding_fn *fn, void *ctx,
                                      struct err *err);
/* Records that stopped a run go before the next one begins: what still holds is found again. */
MUST_CHECK enum err_code finding_forget(struct conn *c, const struct state *s, bool all,
                                        struct err *err);
struct finding_sum {
    const char *db, *table; /* valid during the call */
    enum finding_kind kind;
    enum finding_done done;
    uint64_t count, identical;
};
typedef enum err_code finding_sum_fn(void *ctx, const struct finding_sum *sum, struct err *err);
/* By table, kind and what was done, in order of names. */
MUST_CHECK enum err_code finding_sums(struct conn *c, const struct state *s, finding_sum_fn *fn,
                                      void *ctx, struct err *err);

/* ---- rendering ---- */
/* One JSON object and a newline, with exactly the keys schema table key key_values incoming
 * existing identical differs file row time. */
void finding_json_line(const struct finding *r, struct strbuf *out);
void finding_csv_head(struct strbuf *out);
void finding_csv_line(const struct finding *r, struct strbuf *out);
/* For people. */
void finding_text_line(const struct finding *r, struct strbuf *out);
/* All records of the job into a new file; CSV if its name ends in .csv, else JSON lines. The file
 * is there when it is whole. */
MUST_CHECK enum err_code finding_report(const struct finding_query *q, const char *path,
                                        uint64_t *count, struct err *err);
/* SQL that removes the rows which replaced others and puts those back, last first. *rows: how many
 * are put back. */
MUST_CHECK enum err_code finding_undo(const struct finding_query *q, const char *path,
                                      uint64_t *rows, struct err *err);

#endif
