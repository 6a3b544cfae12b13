/* dumper/ledger.h: what the manifest says is done, and what follows from it: which ranges of which
 * tables are missing.
 *
 * Filled by reading the records of earlier runs, and moved on as this run appends its own. Not
 * locked: dump_run's lock guards it while workers run. Holds one number a data file and one entry a
 * schema file; never the chunks. */
#ifndef FERRY_DUMPER_LEDGER_H
#define FERRY_DUMPER_LEDGER_H

#include "formats/file_names.h"
#include "formats/manifest.h"

#include <stddef.h>

#define FILE_ABSENT UINT64_MAX /* no file has this length */

struct ledger_span { /* in the key's order within the table: a child stands behind its parent */
    unsigned id;
    bool begun; /* has a chunk */
    bool last;  /* its last chunk is there */
    struct bound lo;
    struct bound at; /* where its last chunk ends; valid if begun */
    struct ledger_span *next;
};

struct ledger_table {
    unsigned id;
    char *db, *name;
    char *schema_file, *sha256, *key; /* as recorded; NULL: none */
    bool recorded;                    /* has a table record */
    bool voided;                      /* nothing has come since its void: a new table record may */
    bool is_table, is_view;           /* neither: a sequence */
    bool done;
    char *left_out;  /* this run: why the table is left out; NULL: it is not */
    bool under_lock; /* this run: it was read while the lock was held, so nothing came in between */
    bool changed;    /* this run: it was altered while it was read */
    bool was_left_out; /* by an earlier run: its rows are not in the dump */
    unsigned from, to; /* the first and the last epoch of its chunks; 0: it has none */
    unsigned next_span;
    uint64_t next_number; /* of a data file */
    uint64_t rows, raw_bytes, stored_bytes, files;
    struct ledger_span *spans;
    unsigned open_spans;  /* this run: spans that have not ended */
    uint64_t worker_us;   /* this run */
    uint64_t *file_bytes; /* stored length of data file i + 1; FILE_ABSENT: none */
    size_t file_cap;
};

struct ledger_file { /* a schema file */
    char *path;
    uint64_t bytes;
    bool seen;    /* by the listing under way */
    size_t order; /* for sorting only */
};

struct ledger_place { /* of an epoch; file NULL: none */
    char *file;
    uint64_t offset;
    bool moving; /* --consistency binlog */
};

struct ledger {
    bool begun, ended;
    struct dump_record dump; /* valid if begun */
    struct epoch_record first, last;
    unsigned epochs;
    struct ledger_place *places; /* [epoch - 1] */
    uint64_t left_out;           /* recorded tables, by earlier runs */
    unsigned checked; /* the last epoch of which it is known that no table was altered; 0: none */
    uint64_t last_segment;
    struct ledger_table **tables; /* by database and name once ledger_sort was called */
    size_t table_count;
    struct ledger_table **by_id; /* [id - 1]; NULL: no such id */
    size_t id_count;
    unsigned id_max;
    struct ledger_file *files; /* by path up to sorted_files; behind them what was added since */
    size_t file_count, file_cap, sorted_files;
    uint64_t file_records;           /* several may be of one path */
    struct segment_record *segments; /* of the captured binlog */
    size_t segment_count;
};

struct ledger *ledger_new(void);
void ledger_free(struct ledger *s);
/* Reads the manifest; no segment at all gives an empty state. */
MUST_CHECK enum err_code ledger_read(struct ledger *s, struct store *store, struct err *err);
/* Takes in one record, which is released. ERR_CORRUPT: it does not fit the ones before. */
MUST_CHECK enum err_code ledger_apply(struct ledger *s, struct record *r, struct err *err);

/* Sorts tables and files for the lookups. */
void ledger_sort(struct ledger *s);
struct ledger_table *ledger_find(const struct ledger *s, const char *db, const char *name);
/* Of those that ledger_sort has seen. */
struct ledger_file *ledger_find_file(const struct ledger *s, const char *path);
/* A table without a record yet, with the next id; ledger_sort before the next lookup. */
struct ledger_table *ledger_add_table(struct ledger *s, const char *db, const char *name);
void ledger_add_file(struct ledger *s, const char *path, uint64_t bytes);
/* Takes what `r` holds. ERR_CORRUPT: it does not stand behind the last one. */
MUST_CHECK enum err_code ledger_add_segment(struct ledger *s, struct segment_record *r,
                                            struct err *err);
void ledger_add_chunk(struct ledger_table *t, const struct chunk_record *r);
/* Forgets spans and files; numbers go on. */
void ledger_void(struct ledger_table *t);

/* A range that is still to be read: (lo, hi], borrowed. */
struct part {
    unsigned span;
    const struct bound *lo, *hi;
};
/* The next one behind `after` (NULL: the first); NULL: no more. `*part` is filled. */
const struct ledger_span *ledger_part(const struct ledger_table *t, const struct ledger_span *after,
                                      struct part *part);

#endif
