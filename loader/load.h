/* loader/load.h: writes a dump into a target: load_run is the room's one entry.
 *
 *   dump_read -> plan -> claim -> [worker: verified bytes -> decode -> batch -> target transaction
 * {rows + progress}] -> finish -> report
 *
 * Said again it goes on behind the last committed batch of each chunk. */
#ifndef FERRY_LOADER_LOAD_H
#define FERRY_LOADER_LOAD_H

#include "common/base/pool.h"
#include "common/base/progress.h"
#include "common/base/strbuf.h"
#include "common/mysql/server_url.h"
#include "common/mysql/throttle.h"
#include "common/store/spool.h"
#include "common/store/store.h"
#include "common/target/report.h"

enum load_on_conflict { ON_CONFLICT_ERROR, ON_CONFLICT_IGNORE, ON_CONFLICT_REPLACE };
enum load_if_exists { IF_EXISTS_APPEND, IF_EXISTS_STOP, IF_EXISTS_TRUNCATE, IF_EXISTS_DROP };
enum load_convert { CONVERT_RUN, CONVERT_REPORT /* print the changes of definitions and stop */ };
enum load_object_error { OBJECT_ERROR_SKIP, OBJECT_ERROR_STOP };
enum load_indexes { INDEXES_AUTO, INDEXES_NOW, INDEXES_AFTER };
enum load_foreign_keys {
    FOREIGN_KEYS_CHECK,
    FOREIGN_KEYS_ADD /* not looked at */,
    FOREIGN_KEYS_NONE
};
/* Asked before tables of the target are emptied or dropped; false: no. */
typedef bool load_confirm_fn(void *ctx, const char *question);
/* Applies the source's binlog to the target, whose rows are all there: up to where the dump ends,
 * or where the source is now. `renames` is route_text; `captured`: the dump holds the binlog
 * itself. */
typedef enum err_code load_replay_fn(void *ctx, const char *renames, bool captured,
                                     struct err *err);
enum load_path { LOAD_PATH_AUTO, LOAD_PATH_INSERT /* never LOAD DATA LOCAL */ };

struct load_config { /* const once load_run has it; strings are borrowed */
    const char *const *filters;
    size_t filter_count;
    bool case_sensitive;
    unsigned threads;     /* default 16 */
    uint64_t batch_bytes; /* of LOAD text in one transaction; default and maximum 256 KiB on TiDB
                             (loading.md 1.3), 1 MiB elsewhere; 0: default */
    unsigned batch_rows;  /* default 2000; 0: default */
    uint64_t rate_bytes;  /* per second over all threads, of the files before compression; 0: any */
    struct throttle_rule throttle; /* on the target; without a name: none */
    enum load_if_exists if_exists;
    enum load_path path;
    enum load_on_conflict on_conflict;
    bool identical_ok;           /* a row that is there in the same form is no conflict */
    uint64_t max_conflicts;      /* more stop the load; 0: no limit */
    bool check_conflicts;        /* finds and records them, writes no row */
    bool skip_bad;               /* rows whose values the target refuses are left out */
    const char *conflict_report; /* file; NULL: none */
    bool no_schemas;             /* tables are there already */
    bool no_data, no_views;
    bool no_resume;
    const char *meta_schema;     /* NULL: ferry_meta */
    const char *input_time_zone; /* of TIMESTAMP values in a dump that does not say; NULL: none */
    bool binary_raw;  /* bytes in Dumpling's CSV are as they are, even where they could be digits */
    uint64_t wait_us; /* an unfinished dump that nobody writes is waited for so long; 0: an
                         unfinished dump is refused */
    uint64_t lease_us; /* a loader without a sign of life for so long is taken for dead;
                          0: 30 s */
    bool dry_run;
    const char *const *renames; /* rules of common/mysql/route.h */
    size_t rename_count;
    const char *const
        *ignore_columns; /* "DB.TABLE=A,B": columns of the files that are not loaded */
    size_t ignore_column_count;
    enum load_convert convert;
    bool spatial_bytes;         /* TiDB: spatial columns become LONGBLOB */
    bool key_collation_nearest; /* else no two rows of the source collide for it */
    bool changes_json;          /* changes of definitions as JSON lines */
    bool generated_any;         /* existing tables may compute generated columns otherwise */
    enum load_object_error object_error;
    enum load_indexes indexes;
    enum load_foreign_keys foreign_keys;
    bool strip_definers;
    bool programs_to_file; /* triggers, routines and events are not created */
    bool analyze;
    load_replay_fn *replay; /* called before foreign keys are looked at and triggers made, if the
                               dump's rows are of several moments or it holds the binlog */
    void *replay_ctx;
    bool target_is_source; /* the target is the server that was dumped: no table comes to itself */
    bool replay_source;    /* `replay` can reach the source */
    load_confirm_fn *confirm; /* NULL: yes */
    void *confirm_ctx;
    struct spool *spool; /* the input is this one's store, written meanwhile: a file is removed when
                            its rows are in the target; NULL: it is none */
};

struct load_report_table {
    char *db, *name;
    const char *kind;
    uint64_t rows, raw_bytes, files, worker_us;
};
struct load_report_conflicts { /* of one table: by what was done with them */
    char *db, *name;
    uint64_t stopped, ignored, replaced, checked, identical; /* identical ones are also in these */
    uint64_t bad_values;
};
struct load_report_loader { /* one that has had a part in the load */
    char *owner;            /* host and pid */
    uint64_t rows, raw_bytes, us;
    bool self, lost;
};
struct load_report {
    struct load_report_table *tables;
    size_t table_count;
    uint64_t rows;     /* in the target when done, earlier runs included */
    uint64_t rows_now; /* written by this run */
    uint64_t raw_bytes, files, retries, careful_batches;
    uint64_t left_out;       /* tables whose rows the dump does without, by --on-table-error skip */
    uint64_t objects_failed; /* could not be created: left out */
    uint64_t changes[4];     /* of definitions, by enum change_severity */
    uint64_t keys_violated;  /* foreign keys for which rows lack their parents */
    char uuid[37];           /* of the dump */
    struct strbuf programs;  /* triggers, routines and events that are not created, with the reason:
                                for the mysql client; empty: none */
    uint64_t schema_us, data_us, total_us;
    struct load_report_conflicts *conflicts; /* of the whole job, earlier runs included */
    size_t conflict_count;
    uint64_t waved;     /* identical rows that --identical ok let pass */
    uint64_t skipped;   /* rows left out by --on-bad-value skip */
    uint64_t records;   /* in the conflict report */
    bool nothing_to_do; /* the load had finished before */
    bool local_refused; /* the server does not allow LOAD DATA LOCAL: multi-row INSERT was used */
    struct refusal *
        refusals; /* filled also when load_run fails with ERR_LOAD_CONFLICT or ERR_LOAD_BAD_VALUE */
    size_t refusal_count;
    struct load_report_loader *loaders;
    size_t loader_count;
};

/* As dump_run: counters, cancel (running batches finish), all threads joined on return. The report
 * is valid (to be released) on success and failure. */
MUST_CHECK enum err_code load_run(const struct load_config *config, struct store *input,
                                  const struct server_url *target, struct progress *progress,
                                  const struct cancel *cancel, struct load_report *report,
                                  struct err *err);
void load_report_release(struct load_report *r);

#endif
