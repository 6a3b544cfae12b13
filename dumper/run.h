/* dumper/run.h: what the files of the dumper share. The essay is in dump_run.c. */
#ifndef FERRY_DUMPER_RUN_H
#define FERRY_DUMPER_RUN_H

#include "common/base/strbuf.h"
#include "common/mysql/conn.h"
#include "common/mysql/position.h"
#include "common/store/lease.h"
#include "dumper/dump.h"
#include "dumper/keeper.h"
#include "dumper/ledger.h"
#include "dumper/plan.h"
#include "dumper/span.h"
#include "dumper/table_sql.h"
#include "formats/manifest.h"

#include <pthread.h>
#include <string.h>

struct worker { /* one thread's; its connection is handed from phase to phase */
    struct dump_run *run;
    struct conn *conn;
    struct arena *arena; /* of `read` and `encoder`'s shape */
    const struct plan_table *table;
    struct table_sql *read;
    struct encoder *encoder;
    struct strbuf sql;
    struct strbuf rows; /* encoded and not yet written */
    bool stopped;       /* it ended because others asked it to */
    bool in_snapshot;   /* its connection has a transaction that must not be lost */
};

struct held_locks {               /* lock.h's */
    const struct lock_kind *kind; /* NULL: nothing is held */
    uint64_t since_us;
    struct conn **sessions; /* of table locks, a statement each; NULL ones among them */
    size_t count;
    struct keeper *keeper; /* while workers read under the locks; else NULL */
};

struct dump_run {
    const struct dump_config *config;
    const struct server_url *source;
    struct store *output;
    struct progress *progress;
    const struct cancel *cancel; /* the user's */
    struct cancel stop;          /* a worker has failed, or the lease or the manifest is lost */
    bool reached;                /* the source has answered once */
    bool begun;                  /* config->begun has been called */

    struct conn *control; /* the main thread's */
    struct flavour flavour;
    struct source_identity identity;
    bool other_server; /* than the dump was begun from; its position decides */
    char *boot;        /* of the server, as in struct epoch_record */
    char *source_id;   /* tells servers apart, for the record */
    struct lease *lease;
    struct manifest *manifest;
    struct plan plan;
    char *options; /* JSON of what shapes the output */

    const char *consistency; /* taken: "flush", "lock", "binlog", "none" */
    char *consistency_why;   /* for people */
    struct ddl_lock *ddl;    /* NULL: DDL is not kept out */
    char *ddl_text;          /* what kept DDL out, once it is over; or NULL */
    struct held_locks held;
    bool under_lock;      /* rows are read while writers wait: nothing pauses; set between pools */
    bool guard_blind;     /* long queries cannot be seen, and that has been said */
    bool position_hidden; /* the account may not read the position, and that has been said */
    struct position position;
    char **replica; /* as in struct epoch_record */
    unsigned replica_count;
    unsigned epoch;
    struct capture *capture;   /* NULL: the binlog is not captured */
    uint64_t log_created;      /* as in struct epoch_record */
    bool cascades_logged;      /* likewise */
    uint64_t lock_us;          /* of this epoch: that the lock was held */
    uint64_t lock_wait_us;     /* of this epoch: that it was waited for, others behind it */
    uint64_t left_out;         /* guarded by `lock`: objects that could not be read */
    struct rate *rate;         /* NULL: no limit */
    struct throttle *throttle; /* NULL: none */

    struct worker *workers;
    struct span_queue *queue;
    atomic_size_t next;     /* table of the phase that goes through all of them */
    atomic_bool progressed; /* something was finished since the last loss (epochs.h) */

    pthread_mutex_t lock;    /* guards what follows while workers run */
    struct ledger *ledger;   /* its by-name lookups are not used meanwhile */
    struct changes *changes; /* not locked: the main thread's */
    struct err lost;         /* of this epoch: what the first lost connection said; code 0: none */
};

static inline bool dumper_stopped(const struct dump_run *run)
{
    return cancel_asked(run->cancel) || cancel_asked(&run->stop);
}
/* The workers' transactions hold one instant. */
static inline bool dumper_has_snapshots(const struct dump_run *run)
{
    return run->consistency && strcmp(run->consistency, "none") != 0 &&
           strcmp(run->consistency, "binlog") != 0;
}
/* ERR_INTERRUPTED when the user asked; else ERR_FAILED, and why is known elsewhere. */
MUST_CHECK enum err_code dumper_stop_error(const struct dump_run *run, struct err *err);

/* ---- dump_run.c ---- */
/* Lets go of everything that belongs to one epoch; the lease stays. */
void dumper_let_go(struct dump_run *run);

/* ---- plan.c ---- */
MUST_CHECK enum err_code dumper_plan(struct dump_run *run, struct err *err);
/* What earlier epochs have of unfinished tables still has its table and key, or has been voided:
 * ERR_DUMP_MOVED. Before anything is read. */
MUST_CHECK enum err_code dumper_plan_fits(const struct dump_run *run, struct err *err);
void dumper_plan_release(struct plan *p);

/* ---- dry_run.c ---- */
/* What would be dumped, and what is left out and why, to stdout. */
MUST_CHECK enum err_code dumper_print_plan(struct dump_run *run, struct err *err);

/* ---- resume.c: the output before anything is written ---- */
/* The output is empty or holds a dump: ERR_DUMP_OUTPUT_USED. Takes no lease. */
MUST_CHECK enum err_code dumper_look(const struct dump_run *run, struct err *err);
/* Reads the manifest into run->ledger, after --restart has emptied the output; refuses what cannot
 * be continued as it is asked for. */
MUST_CHECK enum err_code dumper_resume(struct dump_run *run, struct err *err);
/* In the same run, behind an epoch that was lost: the ledger is read anew. */
MUST_CHECK enum err_code dumper_read_back(struct dump_run *run, struct err *err);

/* ---- moved.c ---- */
/* The source is the server of the earlier runs, or may be another one of the same GTIDs
 * (run->other_server): ERR_DUMP_MOVED. */
MUST_CHECK enum err_code dumper_same_source(struct dump_run *run, struct err *err);
/* A new snapshot may join those of earlier epochs: ERR_DUMP_MOVED. After run->position is read. */
MUST_CHECK enum err_code dumper_same_position(struct dump_run *run, struct err *err);
/* The binlog of an earlier epoch may not be the one of now, or have lost what the tables hold: why;
 * NULL: it is. `same`: that it is the same files is known already. Static. */
const char *dumper_other_binlog(struct dump_run *run, bool same);
/* All that changes the source's rows is in its binlog, but for sql_log_bin=0: ERR_DUMP_MOVED. */
MUST_CHECK enum err_code dumper_logs_all(struct dump_run *run, struct err *err);
/* For the epoch's record: into run->boot, before the position is read; and of the binlog file that
 * run->position is in (the caller's, NULL: not to be had). */
void dumper_boot_read(struct dump_run *run);
char *dumper_log_id(struct dump_run *run);

/* ---- resume.c again ---- */
char *dumper_options(const struct dump_config *config);

/* ---- files.c: the listing ---- */
/* Every recorded file is there with its length (ERR_DUMP_FILE_MISSING, ERR_CORRUPT); files of a
 * dump's names without a record are deleted. */
MUST_CHECK enum err_code dumper_check_files(struct dump_run *run, struct err *err);
/* Deletes all files of a dump's names, the manifest last. */
MUST_CHECK enum err_code dumper_wipe(struct dump_run *run, struct err *err);
/* Whether `path` is one of a dump's names; `*manifest`: a segment. */
bool dumper_owns(const char *path, bool *manifest);

/* ---- snapshot.c ---- */
/* Opens the workers' connections, and proves on them that tables can be read (PLAN_PROBED_MAX). */
MUST_CHECK enum err_code dumper_connect(struct dump_run *run, struct err *err);
/* A reading of no row: fails as a reading would, and holds the table for the transaction. */
MUST_CHECK enum err_code dumper_probe(struct worker *w, const struct plan_table *t,
                                      struct err *err);
/* Opens the workers' snapshots, of one instant, and reads its position. The lock is held still
 * where tables are to be read under it (run->plan.locked): dumper_unlock, which dumper_disconnect
 * does in any case. */
MUST_CHECK enum err_code dumper_snapshot(struct dump_run *run, struct err *err);
void dumper_disconnect(struct dump_run *run);

/* ---- listing.c ---- */
/* Asks for the names of all objects, under the lock and behind the position; held in memory, the
 * caller's. */
MUST_CHECK enum err_code dumper_list_objects(struct dump_run *run, struct result **names,
                                             struct err *err);
/* The objects among them that the filter takes are those of the plan: ERR_DUMP_TABLE. */
MUST_CHECK enum err_code dumper_same_objects(struct dump_run *run, struct result *names,
                                             struct err *err);

/* ---- replica.c ---- */
/* What the source says of its own replication, into run->replica. */
MUST_CHECK enum err_code dumper_replica_read(struct dump_run *run, struct err *err);
char **dumper_replica_detach(struct dump_run *run, unsigned *count);
void dumper_replica_release(struct dump_run *run);

/* ---- worker.c ---- */
/* Has w->read and w->encoder made for the table. */
void dumper_worker_prepare(struct worker *w, const struct plan_table *t);
void dumper_worker_release(struct worker *w);
pool_work_fn dumper_worker_main;
/* Puts what a changed definition makes the server say into our words. */
enum err_code dumper_table_error(const struct table *t, struct err *err);

/* What is recorded of the table does not count any more; its files are deleted. */
MUST_CHECK enum err_code dumper_table_void(struct dump_run *run, struct ledger_table *l,
                                           struct err *err);
/* The table is finished if no span of it is open: its table_done record. */
MUST_CHECK enum err_code dumper_table_done(struct dump_run *run, struct plan_table *t,
                                           struct err *err);

/* ---- text_check.c ---- */
/* No text of the table is lost on its way into Unicode: ERR_DUMP_TABLE. Reads the whole table, if a
 * column has a character set where that can be. In the worker's transaction. */
MUST_CHECK enum err_code dumper_check_text(struct worker *w, const struct plan_table *t,
                                           struct err *err);

/* ---- chunk.c ---- */
/* Reads the span to its end, or to where it splits it. Takes the span. */
MUST_CHECK enum err_code dumper_read_span(struct worker *w, struct span *s, struct err *err);

/* ---- split.c ---- */
/* Cuts (m, s->hi] off into a new span on the queue if a key m well inside is found. */
MUST_CHECK enum err_code dumper_split(struct worker *w, struct span *s, uint64_t chunk_rows,
                                      struct err *err);

/* ---- schema_files.c ---- */
/* The table's definition: read, compared with the plan and the record; schema file and table record
 * are written where they are missing. In the worker's transaction, which holds the table from then
 * on. */
MUST_CHECK enum err_code dumper_begin_table(struct worker *w, struct plan_table *t,
                                            struct err *err);
/* Whether the table's definition is the recorded one (its SHA-256). On the main thread's
 * connection; a table that cannot be shown has another one. */
MUST_CHECK enum err_code dumper_same_definition(struct dump_run *run, const struct table *t,
                                                const char *recorded, bool *same, struct err *err);
/* Databases, views, sequences; then triggers, routines and events. */
MUST_CHECK enum err_code dumper_write_schemas(struct dump_run *run, struct err *err);
/* Writes and records a file; its path has the compression's ending. */
MUST_CHECK enum err_code dumper_put_file(struct dump_run *run, const char *path,
                                         const struct compression *compression,
                                         const struct strbuf *text, struct err *err);
/* Writes and records one schema file. */
MUST_CHECK enum err_code dumper_put_schema(struct dump_run *run, const char *path,
                                           const struct strbuf *text, struct err *err);

/* ---- report.c ---- */
/* The text of `metadata`. */
void dumper_metadata(const struct dump_run *run, struct strbuf *text);
void dumper_report(const struct dump_run *run, struct dump_report *report);

#endif
