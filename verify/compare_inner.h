/* verify/compare_inner.h: what the files of the comparison share. No state of its own. */
#ifndef FERRY_VERIFY_COMPARE_INNER_H
#define FERRY_VERIFY_COMPARE_INNER_H

#include "common/mysql/conn.h"
#include "common/mysql/filter.h"
#include "common/mysql/route.h"
#include "common/schema/predicate.h"
#include "verify/compare.h"

#include <pthread.h>
#include <stdio.h>

enum side { SOURCE_SIDE, TARGET_SIDE, SIDES };

/* Columns whose values can be said in one form on both sides. */
enum family {
    FAMILY_NONE,
    FAMILY_INTEGER,
    FAMILY_DECIMAL,
    FAMILY_REAL, /* fetched: the servers print the same number differently */
    FAMILY_BIT,
    FAMILY_DATE,
    FAMILY_TIME,
    FAMILY_DATETIME,
    FAMILY_YEAR,
    FAMILY_TEXT, /* ENUM and SET too, by label */
    FAMILY_BYTES,
    FAMILY_JSON,  /* fetched: the servers spell the same value differently */
    FAMILY_VECTOR /* fetched */
};

struct pair_column {
    const struct column *side[SIDES];
    enum family family;
    bool nullable; /* on one side at least */
    bool hashed;   /* long: the servers take its SHA-256 into the row's text */
};

/* A chunk that was different in an earlier run: (lo, hi], compared again as it was cut. */
struct again {
    struct bound lo, hi;
    struct again *next;
};

/* A table of the source and the one it is compared with. Made by the main thread; what is below
 * `lock` in struct compare is guarded by that. */
struct pair {
    const struct table *table[SIDES];
    const struct key *key[SIDES]; /* the same columns in the same order; NULL: a multiset */
    struct pair_column *columns;
    unsigned column_count;
    unsigned *key_columns; /* index into columns of each part of the key */
    unsigned fetched;      /* columns that are REAL, JSON or VECTOR */
    bool ordered;          /* both servers order the key alike: it has no text */
    char *hash[SIDES];     /* a row's number, of all columns but the fetched ones */
    char *digest[SIDES];   /* hash, then the fetched columns */
    char *keys[SIDES];     /* the key's columns as they are compared, then `digest` */
    char *rows[SIDES];     /* all columns as they are compared */
    char *bounds[SIDES];   /* the key's columns as bounds are made of them */
    char *from[SIDES];     /* " FROM `db`.`t` FORCE INDEX (...)" */
    struct bound lo;       /* where the next chunk begins; under the lock */
    bool busy, given_out;  /* under the lock */
    struct again *again;   /* under the lock */
};

struct pending { /* a row that differed, to be looked at again */
    struct pair *pair;
    struct bound key;
    struct pending *next;
};

struct compare {
    const struct compare_config *config;
    const struct server_url *url[SIDES];
    struct flavour flavour[SIDES];
    struct progress *progress;
    const struct cancel *cancel;
    struct compare_report *report;
    struct filter *filter, *target_filter;
    struct route *route;
    struct schema *schema[SIDES];
    struct arena *arena;
    struct pair *pairs;
    size_t pair_count, first; /* before `first` all is given out; under the lock */
    struct throttle *throttle[SIDES];
    struct rate *rate; /* of rows */
    uint64_t chunk_rows;
    struct compare_state *state;
    FILE *fix, *json;
    pthread_mutex_t lock; /* report, fix, json, pending, the pairs' cursors */
    pthread_cond_t moved; /* a pair is not busy any more */
    struct pending *pending;
    uint64_t pending_count;
    bool failed; /* a worker has failed: the others stop */
};

struct compare_worker {
    struct compare *run;
    struct conn *conn[SIDES];
    struct strbuf sql;
};

/* What a range of a table adds up to. */
struct sum {
    uint64_t rows, digest;
};
static inline bool sums_equal(const struct sum sums[SIDES])
{
    return sums[SOURCE_SIDE].rows == sums[TARGET_SIDE].rows &&
           sums[SOURCE_SIDE].digest == sums[TARGET_SIDE].digest;
}
/* What became of a chunk. */
struct chunk_end {
    struct sum sums[SIDES];
    bool equal;
};

/* ---- compare_column.c ---- */
enum family column_family(const struct column *a, const struct column *b);
static inline bool family_is_fetched(enum family f)
{
    return f == FAMILY_REAL || f == FAMILY_JSON || f == FAMILY_VECTOR;
}
/* Fills in the expressions of the pair. */
void pair_expressions(struct compare *run, struct pair *p);
/* Appends a cell of `rows`, `keys` or `digest` in the one form in which equal values are equal
 * bytes. */
void cell_normal(enum family f, const char *cell, size_t len, struct strbuf *out);
bool cells_equal(enum family f, const char *a, size_t a_len, const char *b, size_t b_len);
/* Appends a literal for the target's column. NULL cell: NULL. */
void cell_literal(const struct pair_column *c, const char *cell, size_t len, struct strbuf *out);
/* Appends a condition that holds for exactly this value, as the side gave it. */
void cell_exactly(const struct pair_column *c, enum side s, const char *cell, size_t len,
                  struct strbuf *out);
/* The digest of a row of `digest` (without its first `skip` cells). */
uint64_t row_digest(const struct pair *p, const struct row *row, unsigned skip);

/* ---- compare_json.c ---- */
/* Appends the value in one spelling: sorted names, numbers by value. Text that is no JSON: as it
 * is. */
void json_normal(const char *text, size_t len, struct strbuf *out);

/* ---- compare_plan.c ---- */
MUST_CHECK enum err_code compare_plan(struct compare *run, struct conn *const conn[SIDES],
                                      struct err *err);

/* ---- compare_objects.c ---- */
/* Views, triggers, routines and events, once both schemas are read. */
MUST_CHECK enum err_code compare_objects(struct compare *run, struct conn *const conn[SIDES],
                                         struct err *err);
MUST_CHECK enum err_code compare_view(struct compare *run, const struct table *t,
                                      const struct table *to, struct err *err);

/* ---- compare_cut.c ---- */
/* The next chunk of the pair from `lo` on; *hi open: the last one. No snapshot is needed: any bound
 * will do. */
MUST_CHECK enum err_code chunk_cut(struct compare_worker *w, struct pair *p, const struct bound *lo,
                                   struct bound *hi, struct err *err);

/* ---- compare_chunk.c ---- */
/* Only the sums of both sides, one statement each: no snapshot is needed. range: lo, hi. */
MUST_CHECK enum err_code chunk_sums(struct compare_worker *w, struct pair *p,
                                    const struct bound range[2], struct chunk_end *end,
                                    struct err *err);
/* Down to the rows that differ, in a snapshot of each side. */
MUST_CHECK enum err_code chunk_compare(struct compare_worker *w, struct pair *p,
                                       const struct bound range[2], struct chunk_end *end,
                                       struct err *err);
/* Looks at the rows with this key on both sides, and reports what differs. */
MUST_CHECK enum err_code row_resolve(struct compare_worker *w, struct pair *p,
                                     const struct bound *key, bool report, bool *equal,
                                     struct err *err);

/* ---- compare_sum.c ---- */
/* Runs one statement on each side at once. */
typedef enum err_code side_fn(struct compare_worker *w, enum side s, void *ctx, struct err *err);
MUST_CHECK enum err_code both_sides(struct compare_worker *w, side_fn *fn, void *ctx,
                                    struct err *err);
/* Rows of a table for which all of the list hold. */
struct range {
    const struct pair *pair;
    const struct predicate *list;
    unsigned count;
};
/* A row of a range in the order of the key, counted from 0, from the range's end if `down`. */
struct nth {
    uint64_t offset;
    bool down;
};
/* (compare_cut.c) Its key on one side; open: there is none. */
MUST_CHECK enum err_code range_key(struct compare_worker *w, const struct range *range, enum side s,
                                   const struct nth *nth, struct bound *key, struct err *err);
/* Appends FROM and WHERE; returns how many leading columns of the key have one value. */
unsigned range_where(const struct range *r, enum side s, struct strbuf *sql);
MUST_CHECK enum err_code range_sums(struct compare_worker *w, const struct range *r,
                                    struct sum sums[SIDES], struct err *err);

/* ---- compare_bag.c ---- */
MUST_CHECK enum err_code bag_compare(struct compare_worker *w, struct pair *p,
                                     struct chunk_end *end, struct err *err);

/* ---- compare_run.c ---- */
void again_free(struct again *a);

/* ---- compare_report.c ---- */
enum difference_kind { DIFFERENT_ROW, MISSING_ROW, EXTRA_ROW };
struct difference {
    const struct pair *pair;
    enum difference_kind kind;
    const struct row *row[SIDES]; /* of `rows`; NULL: not there */
    uint64_t copies;              /* of a multiset's row; else 1 */
};
/* Any thread. */
MUST_CHECK enum err_code report_row(struct compare *run, const struct difference *d,
                                    struct err *err);
/* A table, view or definition: `what` is for people. */
MUST_CHECK enum err_code report_object(struct compare *run, const char *db, const char *name,
                                       const char *what, struct err *err);
MUST_CHECK enum err_code report_open(struct compare *run, struct err *err);
MUST_CHECK enum err_code report_close(struct compare *run, struct err *err);
/* More differences than wanted, a failure elsewhere, or a signal. */
bool compare_stops(struct compare *run);

#endif
