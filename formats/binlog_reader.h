/* formats/binlog_reader.h: transactions of row changes, from a source of events.
 *
 *     BEGIN (ROW | STATEMENT)* COMMIT        a transaction; DDL alone is one too
 *     BEGIN ... RESTART                      void: the connection broke; it comes again from BEGIN
 *
 * Only COMMIT makes what came before it true. A transaction is streamed: memory is bounded by the
 * largest event, not by the transaction. What cannot be followed exactly stops the reader by name:
 * rows logged as statements, XA in two phases, partial JSON, unknown events. One thread at a time.
 */
#ifndef FERRY_FORMATS_BINLOG_READER_H
#define FERRY_FORMATS_BINLOG_READER_H

#include "common/base/clock.h"
#include "common/mysql/binlog_source.h"
#include "common/mysql/row_change.h"
#include "common/schema/model.h"
#include "formats/binlog_query.h"
#include "formats/binlog_rows.h"
#include "formats/binlog_table.h"

enum binlog_item_kind {
    BINLOG_BEGIN,
    BINLOG_ROW,
    BINLOG_STATEMENT, /* DDL, GRANT and the like, or not known: the kind says */
    BINLOG_COMMIT,
    BINLOG_RESTART,
    BINLOG_IDLE, /* nothing new for the time of a heartbeat, or while a reconnect is tried */
    BINLOG_END   /* as BINLOG_GOT_END; only between transactions */
};

/* Valid until the next call. */
struct binlog_item {
    enum binlog_item_kind kind;
    const char *file; /* of the event */
    uint64_t start, end;
    uint32_t timestamp; /* of the event: seconds, UTC */
    uint32_t server_id; /* where it was first written */
    /* Of the transaction; kind GTID_NONE: it has none. */
    const struct gtid *gtid;
    /* ROW */
    const struct binlog_table *table; /* db, name, def */
    const struct row_change *change;
    unsigned row_flags;     /* ROWS_FLAG_... */
    const char *annotation; /* the statement's text, where the source logs it; else NULL */
    /* STATEMENT */
    const struct binlog_statement *statement;
    bool at_end; /* IDLE: the source has nothing more just now */
};

/* Behind the last COMMIT. Borrowed, valid until the next call. */
struct binlog_position {
    const char *file; /* NULL: nothing was read yet, and the start was a GTID set */
    uint64_t offset;
    const struct gtid_set *gtids; /* NULL: not known (started by offset, and no file began yet) */
};

/* The definition of a table as of the reader's position: *def NULL when its rows are not wanted. It
 * must stay until binlog_reader_forget. */
typedef enum err_code binlog_find_fn(void *ctx, const char *db, const char *name,
                                     const struct table **def, struct err *err);

/* Where rows are not to be decoded: called for each event of rows, `t` as its Table_map says. */
typedef enum err_code binlog_look_fn(void *ctx, const struct binlog_table *t,
                                     const struct rows_images *images, struct err *err);

struct binlog_reader_config {
    struct binlog_source *source; /* taken over; began at `start` */
    struct binlog_start start; /* copied; gtids may stand beside file and offset: the set there */
    const struct gtid_set
        *skip; /* transactions in it are passed over; NULL: none. Copied by text. */
    binlog_find_fn *find;
    void *find_ctx;
    binlog_look_fn *look;        /* instead of `find`: no ROW will come; with find_ctx */
    struct charset_maps *maps;   /* borrowed; not needed to look */
    const struct cancel *cancel; /* may be NULL */
    uint64_t reconnect_us;       /* how long to try after a lost connection; 0: not at all */
};

struct binlog_reader;
MUST_CHECK enum err_code binlog_reader_new(const struct binlog_reader_config *config,
                                           struct binlog_reader **, struct err *err);
void binlog_reader_free(struct binlog_reader *r); /* NULL is fine */
/* ERR_BINLOG_EVENT, ERR_BINLOG_UNSUPPORTED, ERR_BINLOG_STATEMENT, ERR_BINLOG_SCHEMA,
 * ERR_BINLOG_PURGED, ERR_INTERRUPTED, what `find` says, or the server's error. The message names
 * file and offset of the event. After a failure only position and free may be called. */
MUST_CHECK enum err_code binlog_reader_next(struct binlog_reader *r, struct binlog_item *item,
                                            struct err *err);
struct binlog_position binlog_reader_position(const struct binlog_reader *r);
/* When the file of the last item was begun: seconds, UTC, of its format description; 0: not known
 * yet. A file of the same name that was begun at another time is another file. */
uint32_t binlog_reader_created(const struct binlog_reader *r);
/* Definitions have changed: asks `find` again. Between statements only. */
void binlog_reader_forget(struct binlog_reader *r);

#endif
