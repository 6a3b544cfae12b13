/* loader/settle.h: a batch that does not simply go in: which rows collide with which, by which key,
 * and what --on-conflict makes of it. The essay is in settle.c. */
#ifndef FERRY_LOADER_SETTLE_H
#define FERRY_LOADER_SETTLE_H

#include "loader/stage.h"

enum fate {
    FATE_WRITE,
    FATE_IDENTICAL, /* waved through: the same row is there */
    FATE_IGNORED,   /* the row in its way is kept */
    FATE_GONE,      /* a later row of the batch replaced it */
    FATE_BAD        /* the target refuses its values */
};
enum holder_kind { HOLDER_NONE, HOLDER_TARGET, HOLDER_ROW, HOLDER_UNKNOWN };
struct holder { /* who has a key's value */
    enum holder_kind kind;
    unsigned index; /* of settle.existing, or of a row of the batch */
};
struct collision {     /* one record to be */
    unsigned row, key; /* index into the plan's keys */
    struct holder holder;
    bool identical;
};
struct existing_row {
    size_t cells; /* in settle.store */
    bool removed;
    bool listed; /* to be deleted by an earlier key */
};
struct bad_row {
    unsigned row;
    char *words;
    char *key; /* NULL: a bad value; else a conflict of which no more is known */
};
struct settle {
    struct worker *w;
    const struct stage_plan *plan;
    unsigned rows;
    enum fate *fate;       /* by row */
    size_t *staged;        /* by row: its cells in `store`, plus 1; 0: not read */
    unsigned *twin;        /* by key and row: the first row with the same key's values, or itself */
    struct holder *holder; /* by key and twin, while rows are gone through */
    struct existing_row *existing;
    size_t existing_count, existing_cap;
    unsigned *existing_at; /* by hash of the cells: its index, plus 1; 0: none. A power of two */
    size_t existing_slots;
    struct strbuf store;
    size_t *cell_at; /* scratch: where the cells of one staged row begin */
    struct collision *collisions;
    size_t collision_count, collision_cap;
    struct bad_row *bad;
    size_t bad_count, bad_values; /* of them without `key` */
    unsigned key;                 /* the one that is being read */
    bool trying;                  /* within the transaction of settle_refused */
    bool insert_only;             /* LOAD refused rows that INSERT takes */
    bool whole;                   /* keys over a prefix are compared with the whole table */
    bool tried;                   /* --check-conflicts: the server itself was asked */
    bool *picked; /* by row: is staged, the others are in nobody's way; NULL: all are staged */
    struct chunk_counts counts;
};

/* ---- settle_pick.c ---- */
/* Whether the table's rows can be picked: stage_plan.integer_keys. */
bool pick_can(const struct load_table *t, const struct stage_plan *plan);
/* Chooses which rows are worth staging, before anything is open on the connection. */
MUST_CHECK enum err_code settle_pick(struct settle *s, struct err *err);
bool settle_picked(const struct settle *s, unsigned row);
bool settle_picked_none(const struct settle *s);
/* All rows are staged from now on; false: they were already. */
bool settle_pick_all(struct settle *s);

/* ---- settle_find.c ---- */
/* Who is in whose way, read within the open transaction. */
MUST_CHECK enum err_code settle_find(struct settle *s, struct err *err);
/* What becomes of each row: fate, collisions, existing_row.removed, counts. */
void settle_decide(struct settle *s);
/* Deletes the existing rows that are to be removed. ERR_SERVER_BUSY: others changed them. */
MUST_CHECK enum err_code settle_remove(struct settle *s, struct err *err);

/* ---- settle_bad.c ---- */
/* Whether the batch's rows may go by LOAD DATA, still. */
bool settle_may_load(const struct settle *s);
/* Fills the temporary table; rows whose values it refuses become FATE_BAD. */
MUST_CHECK enum err_code settle_stage(struct settle *s, struct err *err);
/* The target refused rows that were to be written: which? Nothing is left behind. None found: the
 * batch goes by INSERT alone; if it did already, what was in the way is gone, ERR_SERVER_BUSY. */
MUST_CHECK enum err_code settle_refused(struct settle *s, struct err *err);

/* ---- settle_record.c ---- */
/* Writes a record for each collision and bad row, and puts the first ones into w->refusals, for
 * people. `first` takes the first one's words; NULL: not wanted. */
struct settle_recording {
    bool stopped; /* the load stops because of them */
    bool load;    /* by LOAD DATA where that is less work */
    struct err *first;
};
MUST_CHECK enum err_code settle_record(struct settle *s, const struct settle_recording *how,
                                       struct err *err);

/* ---- stored rows: cells one after the other, each a length and its bytes ---- */
size_t settle_keep(struct settle *s, const struct row *row, unsigned first, unsigned count);
/* The cell at `*at`, which is moved on; NULL: SQL NULL. */
const char *settle_cell(const struct settle *s, size_t *at, unsigned long *len);
/* Whether the staged row equals the other one, in every column of the dump. */
bool settle_identical(const struct settle *s, unsigned row, struct holder h);

#endif
