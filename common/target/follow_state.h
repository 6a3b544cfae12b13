/* common/target/follow_state.h: what a follower needs to go on without the dump, kept in the target
 * beside the load's state (state.h): the source, what is followed and how it was defined where the
 * follower is, and the windows in which a table's changes may be met twice.
 *
 *   follow       (job PK, format, vendor, version, uuid, host, filters, start_..., gtids, ...)
 *   follow_epoch (job, epoch, from_..., to_..., PK (job, epoch))
 *   follow_table (job, db, name, to_db, to_name, from_epoch, to_epoch, kind, definition,
 *                 PK (job, db, name))
 *   follow_ddl   (job PK, file, pos, step, begun): the statement that is being done, see below
 *   follow_shape (job PK, shape): the table as it was before the step that has begun
 *   follow_log:  follow_log.h
 *
 * The row in `follow` is written last, so what is there is whole. How far the follower is, is not
 * in here: that is the applier's. Functions work over the caller's connection and may be said again
 * after a retryable error. */
#ifndef FERRY_TARGET_FOLLOW_STATE_H
#define FERRY_TARGET_FOLLOW_STATE_H

#include "common/target/state.h"

/* Of a load, for who follows it. Owned; follow_job_release. */
struct follow_job {
    enum job_state state;
    char *dump_uuid, *renames, *options;
    uint64_t ignored, skipped; /* rows of the dump that are not in the target */
    uint64_t others;           /* earlier loads that answer to the same question */
};
void follow_job_release(struct follow_job *j);
struct follow_which {      /* of the loads that have a state */
    const char *schema;    /* NULL: ferry_meta */
    const char *dump_uuid; /* NULL: any */
    const char *renames;   /* route_text; NULL: any */
};
/* The latest such load; fills *s as state_find. ERR_LOAD_STATE: there is none. */
MUST_CHECK enum err_code follow_job_find(struct conn *c, const struct follow_which *which,
                                         struct state *s, struct follow_job *job, struct err *err);

struct follow_origin {      /* owned where it was read; follow_origin_release */
    char *vendor, *version; /* as in a dump's record */
    char *uuid, *host;      /* NULL: not known */
    char *filters;          /* JSON: [{"patterns":[...],"case":true}, ...], all must let a table
                               through */
    char *file;             /* where to begin; NULL: by GTID */
    uint64_t offset;
    char *gtids; /* of the same instant; "" for none */
};
void follow_origin_release(struct follow_origin *o);
struct follow_epoch { /* texts as in struct place; "" for none */
    unsigned epoch;
    const char *from_file, *from_gtids, *to_file, *to_gtids;
    uint64_t from_offset, to_offset;
};
struct follow_row { /* a table; borrowed */
    const char *db, *name, *to_db, *to_name;
    unsigned from, to;      /* epochs; 0: exact from where it was made */
    bool left_out;          /* the target does not hold its rows: it cannot be followed */
    const char *definition; /* definition_text; "" when left out */
};

/* Makes the tables where missing. */
MUST_CHECK enum err_code follow_state_create(struct conn *c, const struct state *s,
                                             struct err *err);
/* *found false: nothing of this job is there, or only a part. */
MUST_CHECK enum err_code follow_origin_read(struct conn *c, const struct state *s, bool *found,
                                            struct follow_origin *o, struct err *err);
/* Removes what a run that was cut off has left, and begins anew. */
MUST_CHECK enum err_code follow_state_clear(struct conn *c, const struct state *s, struct err *err);
MUST_CHECK enum err_code follow_epoch_add(struct conn *c, const struct state *s,
                                          const struct follow_epoch *e, struct err *err);
MUST_CHECK enum err_code follow_rows_add(struct conn *c, const struct state *s,
                                         const struct follow_row *rows, size_t count,
                                         struct err *err);
MUST_CHECK enum err_code follow_origin_add(struct conn *c, const struct state *s,
                                           const struct follow_origin *o, struct err *err);
typedef enum err_code follow_epoch_fn(void *ctx, const struct follow_epoch *, struct err *err);
MUST_CHECK enum err_code follow_epochs_read(struct conn *c, const struct state *s,
                                            follow_epoch_fn *fn, void *ctx, struct err *err);
typedef enum err_code follow_row_fn(void *ctx, const struct follow_row *, struct err *err);
MUST_CHECK enum err_code follow_rows_read(struct conn *c, const struct state *s, follow_row_fn *fn,
                                          void *ctx, struct err *err);

/* A statement of DDL at file:offset of the binlog, done on the target step by step. A server
 * commits DDL by itself, so what was noted before and after a step says where a run that died was.
 */
struct follow_ddl {
    char *file; /* owned; NULL: none has begun */
    uint64_t offset;
    unsigned steps_done;
    bool begun;  /* the next step may be done, or not */
    char *shape; /* owned; of the target's table before the step that has begun; NULL: not kept */
    bool done;   /* all of them, and the definitions below are those behind the statement */
};
void follow_ddl_release(struct follow_ddl *d);
MUST_CHECK enum err_code follow_ddl_read(struct conn *c, const struct state *s,
                                         struct follow_ddl *d, struct err *err);
/* The same with the shape, before a step begins. */
MUST_CHECK enum err_code follow_ddl_begin(struct conn *c, const struct state *s,
                                          const struct follow_ddl *d, struct err *err);
MUST_CHECK enum err_code follow_ddl_note(struct conn *c, const struct state *s,
                                         const struct follow_ddl *d, struct err *err);
/* All of it is done: in one transaction with what has changed of the tables. `gone` and `changed`
 * may be empty. */
struct follow_changes {
    const struct follow_row *gone, *changed; /* of `gone` the source's names count */
    size_t gone_count, changed_count;
};
MUST_CHECK enum err_code follow_ddl_done(struct conn *c, const struct state *s,
                                         const struct follow_ddl *d,
                                         const struct follow_changes *changes, struct err *err);

/* Stages in which nothing behind the place is applied yet are all others. */
#define FOLLOW_GOING "following"
#define FOLLOW_CLOSE "caught up"
#define FOLLOW_BROKEN "broken off"
/* For people: how far it is, by the follower's own clock. */
struct follow_beat {
    const char *stage; /* "following", "caught up", "stopped", ... */
    const char *file;
    uint64_t offset;
    const char *gtids;
    uint32_t source_time; /* of the last transaction that was applied; seconds, UTC; 0: none */
    uint64_t transactions, rows;
};
MUST_CHECK enum err_code follow_beat(struct conn *c, const struct state *s,
                                     const struct follow_beat *b, struct err *err);

struct follow_view { /* owned; follow_view_release */
    char *stage, *file, *gtids, *owner;
    uint64_t offset, source_time, transactions, rows;
    int64_t behind_s; /* the target's clock, less source_time */
    uint64_t age_us;  /* since the last sign of life */
};
void follow_view_release(struct follow_view *v);
/* Whether the follower has ended in order: all up to its place is applied, and nothing behind it.
 */
bool follow_view_at_rest(const struct follow_view *v);
/* *found false: this job has not been followed. Nothing is written. */
MUST_CHECK enum err_code follow_view_read(struct conn *c, const struct state *s, bool *found,
                                          struct follow_view *v, struct err *err);

#endif
