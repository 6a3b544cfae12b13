/* follower/follow_inner.h: what the files of follow_run share. The essay is in follow_run.c. */
#ifndef FERRY_FOLLOWER_FOLLOW_INNER_H
#define FERRY_FOLLOWER_FOLLOW_INNER_H

#include "common/base/clock.h"
#include "common/base/rate.h"
#include "common/mysql/binlog_stream.h"
#include "common/mysql/charset_map.h"
#include "common/mysql/conn.h"
#include "common/mysql/conn_group.h"
#include "common/mysql/filter.h"
#include "common/mysql/route.h"
#include "common/target/follow_state.h"
#include "follower/applier.h"
#include "follower/cutover.h"
#include "follower/definition.h"
#include "follower/follow.h"
#include "follower/follow_watch.h"
#include "follower/place.h"
#include "formats/binlog_reader.h"
#include "formats/dump_read.h"
#include "formats/segments.h"

#include <limits.h>

#define TABLE_UNKNOWN UINT_MAX /* follow_table.id: not given to the applier yet */

struct follow_table {
    char *db, *name;                    /* on the source */
    char *to_db, *to_name;              /* on the target */
    unsigned from, to;                  /* epochs; 0: exact from where it was made */
    bool left_out;                      /* the target does not hold its rows */
    struct definition *definition;      /* on the source, where the reader is; NULL: left out */
    unsigned id;                        /* the applier's, or TABLE_UNKNOWN */
    uint64_t inserts, updates, deletes; /* since they were handed to the watch */
};

struct epoch_window { /* by epoch number - 1 */
    struct place from, to;
    bool open, exact; /* where the transaction at hand is: behind `from`, behind `to` */
};

struct ddl_policy;
struct follow_run {
    const struct follow_config *config;    /* the caller's, with servers whose connections are of a
                                              group that ends when the user does not wait */
    const struct server_url *given_source; /* as the caller gave it: without the group */
    struct progress *progress;
    const struct cancel *cancel; /* the user's */
    struct follow_report *report;

    struct conn *conn; /* to the target: state, DDL, and the lock that keeps a second one out */
    struct flavour flavour;
    struct state state;
    struct follow_origin origin;
    struct flavour source;
    enum gtid_kind kind; /* of the source */
    struct dump *dump;   /* NULL: not needed */
    struct route *route;
    struct filter **filters; /* all must let a table through; NULL: one cannot be read any more */
    size_t filter_count;
    struct epoch_window *epochs;
    unsigned epoch_count;
    bool windows_past; /* all tables are exact */
    bool by_gtid;      /* the server is not the one that was dumped: offsets say nothing */

    struct follow_table **tables; /* by db and name */
    size_t table_count, table_cap;
    struct schema *target;  /* tables of the target's databases */
    struct ddl_policy *ddl; /* --ddl */

    struct applier *applier;
    struct cancel *apply_cancel; /* set some seconds after the user's: what was begun is ended */
    struct conn *source_conn;    /* NULL: segments */
    struct charset_maps *maps;
    struct binlog_reader *reader;
    struct gtid_set *until_gtids; /* NULL: that is not asked for */

    /* The transaction at hand. */
    char *txn_file;
    uint64_t txn_start;
    bool txn_open;
    bool txn_applied; /* an earlier run has */
    bool ended;
    bool txn_rows;      /* rows of it have come */
    uint64_t txn_bytes; /* of their values */
    struct rate *rate;  /* NULL: as fast as it goes */
    bool ddl_pending;   /* its DDL is done on the target, and is to be recorded */
    uint64_t hand_us;   /* when the watch was last told */
    /* The source's clock (UTC), less this machine's monotonic one. */
    atomic_int_fast64_t source_offset_us;
    struct watch watch;
    struct cutover cut;
};

/* ---- follow_tables.c ---- */
/* NULL: none. */
struct follow_table *tables_find(const struct follow_run *run, const char *db, const char *name);
/* Adds it, or gives the one that is there; names are copied, the target's by the route. */
struct follow_table *tables_add(struct follow_run *run, const char *db, const char *name);
void tables_remove(struct follow_run *run, struct follow_table *t);
void tables_free(struct follow_run *run);
/* Whether a table of this name is to be followed, by the filters. ERR_USAGE: they cannot be read
 * any more. */
MUST_CHECK enum err_code tables_wanted(const struct follow_run *run, const char *db,
                                       const char *name, bool *wanted, struct err *err);
/* The same for a table that a statement makes or names: also the shadow tables by which gh-ost
 * (_t_gho, _t_del) and pt-online-schema-change (_t_new, _t_old) change a table that is followed. */
MUST_CHECK enum err_code tables_made(const struct follow_run *run, const char *db, const char *name,
                                     bool *wanted, struct err *err);
/* ERR_FOLLOW_SHAPE, with both definitions: the target's table cannot take every row of the source's
 * as it is. */
MUST_CHECK enum err_code tables_fit(const struct follow_run *run, const struct follow_table *t,
                                    struct err *err);
/* Reads the target's tables anew. */
MUST_CHECK enum err_code tables_read_target(struct follow_run *run, struct err *err);
/* Gives the table to the applier unless it has it. */
MUST_CHECK enum err_code tables_register(struct follow_run *run, struct follow_table *t,
                                         struct err *err);
/* binlog_find_fn over a follow_run. */
MUST_CHECK enum err_code tables_definition(void *run, const char *db, const char *name,
                                           const struct table **def, struct err *err);
void table_row(const struct follow_table *t, struct strbuf *definition, struct follow_row *row);

/* ---- follow_elsewhere.c ---- */
/* Whether the job is of no load. */
bool elsewhere_is(const struct follow_job *job);
/* Finds or makes its job. */
MUST_CHECK enum err_code elsewhere_find(struct follow_run *run, struct follow_job *job,
                                        struct err *err);
/* Fills run->origin. */
MUST_CHECK enum err_code elsewhere_origin(struct follow_run *run, struct err *err);
/* Writes the state of the first run. */
MUST_CHECK enum err_code elsewhere_make(struct follow_run *run, struct err *err);

/* ---- follow_start.c ---- */
/* A connection to the target that can be used, with the lock. */
MUST_CHECK enum err_code start_again(struct follow_run *run, struct err *err);
/* Finds the load, looks whether it may be followed, and reads or makes the follower's state. */
MUST_CHECK enum err_code start_state(struct follow_run *run, struct err *err);
/* Forgets the tables, and reads them as the target's state has them. */
MUST_CHECK enum err_code tables_again(struct follow_run *run, struct err *err);
/* Whether the source is the one that was dumped, and has its cascades in the binlog. */
MUST_CHECK enum err_code start_source(struct follow_run *run, const struct applier_position *at,
                                      struct err *err);

/* Whether the binlog file, begun at `created`, is the one of that name that was followed before:
 * ERR_FOLLOW_SOURCE. Notes a new one. */
MUST_CHECK enum err_code log_same(struct follow_run *run, const char *file, uint32_t created,
                                  struct err *err);
/* An error of the reader, said in the words of log_same where that is its cause. */
void log_explain(struct follow_run *run, struct err *err);

/* ---- follow_again.c ---- */
/* After a fault, before another try; `begun` as clock_mono_us. false: *err is no fault of a
 * connection, or enough was tried. */
bool again_wait(struct follow_run *run, uint64_t begun, struct backoff *backoff, const char *which,
                struct err *err);
typedef enum err_code again_fn(struct follow_run *run, void *ctx, struct err *err);
/* Does what needs run->conn; after a retryable error again, over a new connection where it is lost,
 * up to config->reconnect_us. */
MUST_CHECK enum err_code again_target(struct follow_run *run, again_fn *fn, void *ctx,
                                      struct err *err);
/* Before run->source_conn, or the maps that ask it, are used after a while: it may be lost. Without
 * a source nothing happens. */
MUST_CHECK enum err_code again_source(struct follow_run *run, struct err *err);

/* ---- follow_clock.c ---- */
/* Measures the source's clock (UTC microseconds) less this machine's monotonic one. */
MUST_CHECK enum err_code source_clock(struct conn *source, int64_t *offset_us, struct err *err);

/* ---- follow_run.c ---- */
/* Tells the watch where the reader is and what it has counted, now and then. */
void follow_going(struct follow_run *run);

/* ---- follow_rate.c ---- */
/* Of the change's values, both images. */
uint64_t rate_bytes(const struct row_change *change);
/* Behind a transaction: waits as long as config->rate_bytes asks for. ERR_INTERRUPTED. */
MUST_CHECK enum err_code rate_keep(struct follow_run *run, struct err *err);

/* ---- follow_drift.c ---- */
enum apply_drift drift_policy(enum follow_drift_policy policy);
/* The report of all records, if one is asked for; also after a failure of the run. */
MUST_CHECK enum err_code drift_render(struct follow_run *run, struct err *err);

/* ---- follow_cascade.c ---- */
/* ERR_FOLLOW_CASCADE names a followed table whose foreign keys change rows that the binlog does not
 * show. From the dump's definitions. */
MUST_CHECK enum err_code cascades_check(struct follow_run *run, struct err *err);

/* ---- follow_ddl.c ---- */
/* A statement between two transactions, or within one (which is none of rows then). */
MUST_CHECK enum err_code ddl_statement(struct follow_run *run, const struct binlog_item *item,
                                       struct err *err);

#endif
