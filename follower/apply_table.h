/* follower/apply_table.h: what the applier knows of a table: how its changes are packed, told
 * apart, ordered and written. Read-only once built: any thread.
 *
 * A packed change is one run of bytes that holds no pointers, so that it may be kept in memory or
 * in a file: struct change_head, key before, key after, image, old     (cells: u32 length + 1, or 0
 * for NULL; then the bytes) The key is that of the target by which rows are found; of a table
 * without one, the whole row. `old` is the whole row before the change, where it is checked. */
#ifndef FERRY_FOLLOWER_APPLY_TABLE_H
#define FERRY_FOLLOWER_APPLY_TABLE_H

#include "common/base/strbuf.h"
#include "common/mysql/row_change.h"
#include "follower/applier.h"
#include "follower/apply_foreign.h"

struct change_head {
    uint32_t size; /* bytes, this head included */
    uint32_t table;
    uint32_t before, after, image; /* bytes of each; the image of a table without a key stands for
                                      the key after, too */
    uint32_t old;                  /* bytes; 0: not kept */
    uint8_t kind;                  /* enum row_change_kind */
    uint8_t mode;                  /* enum applier_mode */
    uint16_t unused;
};

struct apply_column {
    const struct column *def; /* of the target */
    int source;               /* index in the images */
};
struct apply_part { /* of a unique key */
    const struct column *def;
    int source;      /* -1: its values are not to be had */
    unsigned prefix; /* 0: whole */
};
struct apply_index {
    uint64_t space;   /* of its hashes */
    const char *name; /* NULL: no unique key of the target */
    struct apply_part *parts;
    unsigned part_count;
    bool closed;    /* its values cannot be compared here: each change meets each */
    bool reference; /* not of rows, but of what a foreign key names: only changes of it count */
    bool shared;    /* a child's: children do not meet each other, only their parent */
};

struct apply_table {
    struct arena *arena; /* owns everything */
    unsigned id;
    const char *db, *name;
    struct apply_column *columns; /* that are written, in the target's order */
    enum cell_form *forms;        /* of them */
    unsigned column_count;
    struct apply_column *key; /* NULL: none */
    unsigned key_count;
    const char *key_name; /* for people */
    struct apply_index *indexes;
    unsigned index_count;
    bool whole_before;                    /* exact changes keep the whole row as it was before */
    unsigned source_count;                /* columns that an image must have at least */
    const char *insert, *replace, *erase; /* "INSERT INTO ... VALUES ", "DELETE FROM ... WHERE " */
    const char *load;                     /* "LOAD DATA LOCAL ... (...)" */
};

/* ERR_LOAD_TABLE_SHAPE. `foreigns` may be NULL; not kept. */
MUST_CHECK enum err_code apply_table_new(const struct applier_table *from,
                                         const struct apply_foreigns *foreigns, unsigned id,
                                         struct apply_table **out, struct err *err);
void apply_table_free(struct apply_table *t); /* NULL is fine */

/* Appends the packed change. ERR_BINLOG_UNSUPPORTED: an image is not whole, or a table without a
 * key is not to be written exactly; ERR_BINLOG_SCHEMA: it has too few columns. */
MUST_CHECK enum err_code apply_pack(const struct apply_table *t, enum applier_mode mode,
                                    const struct row_change *change, struct strbuf *out,
                                    struct err *err);
/* The head of the packed change at `bytes`, which need not be aligned. */
struct change_head apply_head(const char *bytes);
/* The cells of `count` columns from a part of a packed change; `cell` and `len` have room. Returns
 * the bytes behind them. */
const char *apply_cells(const char *bytes, unsigned count, const char **cell, unsigned long *len);

/* What a change has in common with those that must not be written beside it. */
struct apply_key {
    uint64_t hash;  /* of the index and the value; values that the target may call equal have the
                       same one */
    uint64_t space; /* the index */
    bool all;       /* meets every value of the index */
    bool shared;    /* does not meet others that are shared */
};
struct apply_keys {
    struct apply_key *key;
    size_t count, cap;
    struct strbuf scratch;
};
void apply_keys_release(struct apply_keys *k);
/* Appends those of both images. */
void apply_keys_add(struct apply_keys *k, const struct apply_table *t,
                    const struct row_change *change);
/* Appends the text to compare by instead of the value: equal for all values that any collation
 * calls equal. false: not known, for text that is not ASCII. */
bool apply_fold(const struct column *c, const char *cell, size_t len, unsigned prefix,
                struct strbuf *out);

#endif
