/* loader/stage.h: the rows of a batch in a temporary table with the target's column types, so that
 * the target's own equality says which of them collide (loading.md 4).
 *
 * One temporary table a connection, for the table that it loads. It is made, emptied and filled
 * outside of transactions. */
#ifndef FERRY_LOADER_STAGE_H
#define FERRY_LOADER_STAGE_H

#include "loader/put.h"

/* A unique key of the target all of whose parts are columns of the dump. */
struct stage_key {
    const struct key *key;
    unsigned number; /* in the table's list of keys */
    char *join;      /* "`ferry_c0`=t.`id` AND ..." */
    char *group;     /* "`ferry_c0`,LEFT(`ferry_c1`,10)" */
    char *not_null;  /* "`ferry_c0` IS NOT NULL AND ..." */
    bool prefix;     /* has a part over the beginning of a column: see stage_prefix.c */
};
struct stage_plan { /* of one table; read-only while workers run */
    struct stage_key *keys;
    unsigned key_count;
    bool odd_key;       /* there is a unique key with an expression, a generated column or one
                           that the dump lacks: what collides in it is known from errors only */
    bool prefix_key;    /* one of `keys` is over the beginning of a column */
    bool integer_keys;  /* all unique keys are over whole columns of integers: settle_pick.c */
    unsigned *existing; /* columns of the target's table that are read of an existing row */
    unsigned existing_count;
    char *create, *empty, *drop; /* statements */
    char *staged_list;           /* expressions: the row's number, then its cells */
    char *existing_list;         /* expressions of the existing row's cells */
    struct put_dest dest;        /* strings are the plan's */
};
/* Needs the table's statements. */
struct stage_plan *stage_plan_new(const struct load_run *run, const struct load_table *t);
void stage_plan_free(struct stage_plan *plan); /* NULL is fine */

/* A connection with the empty temporary table of w->table. */
MUST_CHECK enum err_code stage_ready(struct worker *w, struct err *err);
MUST_CHECK enum err_code stage_empty(struct worker *w, struct err *err);

typedef enum err_code stage_row_fn(void *ctx, const struct row *row, struct err *err);
/* Rows that are in the way by the key: number of the staged row, its cells, the existing cells.
 * `rows` (an SQL list; NULL: all) limits it to some of the staged rows; `lock`: the existing rows
 * stay as they are until the transaction's end. By a key with `prefix` rows may be missed that the
 * target's collation calls equal though they begin with other letters, unless `whole`, which reads
 * all of the target's table; `rows` must then leave out what the temporary table does not hold. */
struct stage_join {
    const struct stage_key *key;
    const char *rows;
    bool numbers_only, lock, whole;
};
MUST_CHECK enum err_code stage_hits(struct worker *w, const struct stage_join *join,
                                    stage_row_fn *fn, void *ctx, struct err *err);
/* One call a set of staged rows that are equal by the key: "1,5,7". */
MUST_CHECK enum err_code stage_doubles(struct worker *w, const struct stage_key *key,
                                       stage_row_fn *fn, void *ctx, struct err *err);
/* Staged rows themselves: number, cells. */
MUST_CHECK enum err_code stage_rows(struct worker *w, const char *rows, stage_row_fn *fn, void *ctx,
                                    struct err *err);
/* Deletes the existing rows that are in the way of the staged `rows` by the key; of the join's
 * other fields `whole` counts. */
MUST_CHECK enum err_code stage_delete(struct worker *w, const struct stage_join *join,
                                      uint64_t *deleted, struct err *err);

#endif
