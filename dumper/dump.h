/* dumper/dump.h: reads databases from a server into a store: dump_run is the room's one entry.
 *
 *   plan -> snapshot -> span queue -> [worker: SELECT -> rows -> encode -> size|zstd|digest ->
 * store] -> manifest
 *
 * Said again on an unfinished dump it goes on: only what has no durable record is read again, in a
 * new epoch. */
#ifndef FERRY_DUMPER_DUMP_H
#define FERRY_DUMPER_DUMP_H

#include "common/base/pool.h"
#include "common/base/progress.h"
#include "common/mysql/server_url.h"
#include "common/mysql/throttle.h"
#include "common/store/codec.h"
#include "common/store/spool.h"
#include "common/store/store.h"
#include "dumper/definer.h"
#include "formats/row_codec.h"

enum dump_consistency {
    CONSISTENCY_AUTO,
    CONSISTENCY_FLUSH,
    CONSISTENCY_LOCK,
    CONSISTENCY_BINLOG,
    CONSISTENCY_NONE
};

enum dump_ddl_lock {                  /* keeping DDL out while the dump runs */
                     DDL_LOCK_AUTO,   /* where it can be had, and no writers would wait for it */
                     DDL_LOCK_ALWAYS, /* or no dump */
                     DDL_LOCK_NO
};

enum dump_metadata { METADATA_DUMPLING, METADATA_MYDUMPER };

struct dump_list {
    const char *const *items; /* borrowed */
    size_t count;
};

struct dump_config {            /* const once dump_run has it; strings are borrowed */
    const char *const *filters; /* TiDB's table filter */
    size_t filter_count;
    bool case_sensitive;
    unsigned threads;         /* worker threads, one connection each; default 4 */
    uint64_t chunk_bytes;     /* of values in one file; default 64 MiB */
    uint64_t chunk_us;        /* a file is ended after so long; 0: by bytes alone; default 10 s */
    uint64_t statement_bytes; /* default 1,000,000 */
    enum row_format format;
    struct csv_dialect dialect; /* all zero: the default */
    struct compression compression;
    enum dump_consistency consistency;
    enum dump_ddl_lock ddl_lock;
    uint64_t lock_wait_us;    /* how long a lock is tried for, in all; default 60 s */
    uint64_t lock_attempt_us; /* how long one attempt may wait, writers behind it; default 5 s */
    unsigned long_query_s; /* no global read lock while a query runs for so long; 0: look at none */
    unsigned long_query_retries, long_query_interval_s;
    bool kill_long_queries;
    bool lock_tables_read; /* read tables that no snapshot holds under the lock; else refuse */
    uint64_t rate_bytes;   /* per second over all threads, before compression; 0: any */
    bool skip_tables;      /* go on without a table that cannot be read */
    struct throttle_rule throttle;               /* without a name: none */
    struct dump_list where, columns, rows_limit; /* "DB.TABLE=...": any makes the dump partial */
    bool no_data, no_schemas, no_views;
    bool no_triggers, no_routines, no_events;
    struct definer definer;
    enum dump_metadata metadata; /* form of the file `metadata` */
    bool replayed;               /* what is loaded of it can be replayed: a second epoch may follow
                                    where the source has moved */
    bool with_binlog;            /* capture the source's binlog into the dump */
    bool no_resume;              /* refuse to go on with an unfinished dump */
    bool restart;                /* throw an unfinished or finished dump away first */
    bool take_over;              /* take another's ferry.lock */
    unsigned max_epochs;         /* 0: any number */
    uint64_t reconnect_us;       /* how long a lost source is tried for; 0: not at all */
    bool dry_run;                /* print what would be done (to stdout) and stop */
    struct spool *spool; /* the output is this one's store: files may have gone again, since they
                            are loaded meanwhile; NULL: it is none */
    void (*begun)(void *ctx); /* called once, when the output holds records of this dump alone, and
                                 before rows are read; NULL: nobody */
    void *begun_ctx;
};

struct dump_report_table {
    char *db, *name;
    const char *kind; /* "table", "view": static */
    uint64_t rows, raw_bytes, stored_bytes, files, worker_us;
};
struct dump_report { /* owned by the caller: dump_report_release */
    struct dump_report_table *tables;
    size_t table_count;
    uint64_t rows, raw_bytes, stored_bytes, files;
    uint64_t left_out; /* objects that could not be read, and were named in the log */
    uint64_t plan_us, lock_us, data_us, total_us; /* wall */
    uint64_t lock_wait_us;                        /* that the lock was waited for; within plan_us */
    char *consistency_why;                        /* why it was taken; NULL: nothing was */
    char *ddl;            /* what kept DDL out, or why not; NULL: not asked */
    bool position_hidden; /* there may be a position, but the account may not read it */
    char *watched;     /* how altered tables were looked for; NULL: there was nothing to look for */
    unsigned epoch;    /* of this run */
    char *consistency; /* what was taken, "flush" */
    char *log_file;    /* position of the first epoch; NULL: none */
    uint64_t log_pos;
    char *gtid;
    char uuid[37];
};

/* `progress` counters are raised as it goes. `cancel` ends it at the next row batch with
 * ERR_INTERRUPTED, everything finished so far being kept. The report is filled on success only. One
 * call at a time on a store; threads are all joined when it returns. */
MUST_CHECK enum err_code dump_run(const struct dump_config *config, const struct server_url *source,
                                  struct store *output, struct progress *progress,
                                  const struct cancel *cancel, struct dump_report *report,
                                  struct err *err);
void dump_report_release(struct dump_report *r);

#endif
