/* ferry dump: options -> dump_config -> dump_run -> the closing table. */
#include "cli/closing.h"
#include "cli/cmd_copy.h"
#include "cli/opt_common.h"
#include "cli/opt_csv.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "dumper/dump.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct dump_opts {
    const char *output, *compress, *definer, *throttle;
    struct opt_list filters, where, columns, rows_limit;
    struct csv_opts csv;
    unsigned threads, max_epochs, long_query_s, long_query_retries, long_query_interval_s;
    uint64_t chunk_bytes, chunk_us, statement_bytes, lock_wait_us, lock_attempt_us, rate_bytes;
    uint64_t reconnect_us;
    int format, consistency, metadata, on_table_error, ddl_lock, non_transactional;
    bool kill_long_queries;
    bool case_sensitive, no_data, no_schemas, no_views, with_binlog, triggers, routines, events,
        resume, restart, yes, take_over, dry_run;
};

static const char *const table_error_words[] = {"stop", "skip", NULL};
static const char *const format_words[] = {"sql", "csv", NULL};
static const char *const metadata_words[] = {"dumpling", "mydumper", NULL};
static const char *const consistency_words[] = {"auto", "flush", "lock", "binlog", "none", NULL};
static const char *const ddl_lock_words[] = {"auto", "always", "no", NULL};
static const char *const non_transactional_words[] = {"refuse", "lock", NULL};

#define FIELD(f) offsetof(struct dump_opts, f)
const struct opt dump_opts_table[] = {
    {"output", 'o', OPT_STRING, FIELD(output), "URL",
     "where to write: a folder, or s3://bucket/prefix?endpoint=...&region=...", NULL, 0, 0, false},
    {"filter", 'f', OPT_LIST, FIELD(filters), "PATTERN",
     "tables to dump, repeatable: 'shop.*', '!shop.log_*'; the last match wins (all)", NULL, 0, 0,
     false},
    {"case-sensitive", 0, OPT_BOOL, FIELD(case_sensitive), NULL, "the filter minds case", NULL, 0,
     0, false},
    {"threads", 't', OPT_UINT, FIELD(threads), "N", "worker threads, one connection each (4)", NULL,
     1, 256, false},
    {"format", 0, OPT_ENUM, FIELD(format), "sql|csv", "form of the data files (sql)", format_words,
     0, 0, false},
    {"compress", 'c', OPT_STRING, FIELD(compress), "CODEC[:LEVEL]", "zstd, gzip or none (zstd:1)",
     NULL, 0, 0, false},
    {"chunk-size", 'F', OPT_SIZE, FIELD(chunk_bytes), "BYTES",
     "values in one data file, about (64MiB)", NULL, 1024, (uint64_t)1 << 40, false},
    {"chunk-time", 0, OPT_DURATION, FIELD(chunk_us), "TIME",
     "end a data file early that has taken so long, so that a slow dump that is killed has little "
     "to read again; 0 looks at bytes alone (10s)",
     NULL, 0, 0, false},
    {"statement-size", 's', OPT_SIZE, FIELD(statement_bytes), "BYTES",
     "longest INSERT statement, one row at least (1000000)", NULL, 1024, (uint64_t)1 << 30, false},
    {"consistency", 0, OPT_ENUM, FIELD(consistency), "auto|flush|lock|binlog|none",
     "how the snapshot is taken: under a short global read lock (flush), under read locks on the "
     "dumped tables (lock), none at all but the binlog captured from before the first row to "
     "behind "
     "the last, which makes the rows one state when it is loaded (binlog), or without any of it "
     "(none); auto is flush, lock where flush is refused, then, with --with-binlog, binlog; never "
     "none (auto)",
     consistency_words, 0, 0, false},
    {"lock-wait", 0, OPT_DURATION, FIELD(lock_wait_us), "TIME",
     "how long a lock is tried for, in all (60s)", NULL, 1000000, 0, false},
    {"lock-wait-timeout", 0, OPT_DURATION, FIELD(lock_attempt_us), "TIME",
     "how long one attempt may wait for a lock, as writers wait behind it; then they go on for as "
     "long (5s)",
     NULL, 1000000, (uint64_t)3600 * 1000000, false},
    {"long-query-guard", 0, OPT_UINT, FIELD(long_query_s), "SECONDS",
     "ask for no global read lock while a query runs for so long; 0 does not look (60)", NULL, 0, 0,
     false},
    {"long-query-retries", 0, OPT_UINT, FIELD(long_query_retries), "N",
     "look again so often for long queries before refusing (0)", NULL, 0, 0, false},
    {"long-query-retry-interval", 0, OPT_UINT, FIELD(long_query_interval_s), "SECONDS",
     "wait so long between two looks (60)", NULL, 1, 86400, false},
    {"kill-long-queries", 0, OPT_BOOL, FIELD(kill_long_queries), NULL,
     "KILL the queries that the guard finds", NULL, 0, 0, false},
    {"ddl-lock", 0, OPT_ENUM, FIELD(ddl_lock), "auto|always|no",
     "keep DDL out while the dump runs (LOCK INSTANCE FOR BACKUP, BACKUP STAGE): where it can be "
     "had and no writers of MyISAM tables would wait for it, or no dump without it, or not at all "
     "(auto)",
     ddl_lock_words, 0, 0, false},
    {"non-transactional", 0, OPT_ENUM, FIELD(non_transactional), "refuse|lock",
     "tables of MyISAM, Aria, MEMORY, CSV, ARCHIVE: refuse them, or read them under the lock while "
     "writers wait (refuse)",
     non_transactional_words, 0, 0, false},
    {"on-table-error", 0, OPT_ENUM, FIELD(on_table_error), "stop|skip",
     "a table that cannot be read: stop, or leave it out, name it, and end with exit status 6 "
     "(stop)",
     table_error_words, 0, 0, false},
    {"rate", 0, OPT_SIZE, FIELD(rate_bytes), "BYTES",
     "read at most so many bytes a second, over all threads, before compression (no limit)", NULL,
     1024, (uint64_t)1 << 50, false},
    {"throttle", 0, OPT_STRING, FIELD(throttle), "RULE",
     "read only while a status value of the source holds: 'Threads_running<40'; looked at every "
     "second",
     NULL, 0, 0, false},
    {"no-data", 'd', OPT_BOOL, FIELD(no_data), NULL, "definitions only", NULL, 0, 0, false},
    {"no-schemas", 'm', OPT_BOOL, FIELD(no_schemas), NULL, "rows only", NULL, 0, 0, false},
    {"no-views", 'W', OPT_BOOL, FIELD(no_views), NULL, "leave views out", NULL, 0, 0, false},
    {"where", 0, OPT_TABLES, FIELD(where), "DB.TABLE=COND",
     "only rows for which the SQL condition holds, repeatable; the dump is partial: one snapshot, "
     "never continued in another",
     NULL, 0, 0, false},
    {"columns", 0, OPT_TABLES, FIELD(columns), "DB.TABLE=A,B",
     "only these columns, repeatable; the dump is partial", NULL, 0, 0, false},
    {"rows-limit", 0, OPT_TABLES, FIELD(rows_limit), "DB.TABLE=N",
     "only the first N rows by key, repeatable; the dump is partial", NULL, 0, 0, false},
    {"triggers", 'G', OPT_BOOL, FIELD(triggers), NULL,
     "triggers of the tables (yes; --no-triggers leaves them out)", NULL, 0, 0, false},
    {"routines", 'R', OPT_BOOL, FIELD(routines), NULL,
     "procedures and functions whose names the filter lets through (yes; --no-routines)", NULL, 0,
     0, false},
    {"events", 'E', OPT_BOOL, FIELD(events), NULL,
     "events whose names the filter lets through (yes; --no-events)", NULL, 0, 0, false},
    {"definer", 0, OPT_STRING, FIELD(definer), "keep|strip|NAME@HOST",
     "DEFINER of views, triggers, routines and events (keep)", NULL, 0, 0, false},
    {"with-binlog", 0, OPT_BOOL, FIELD(with_binlog), NULL,
     "capture the source's binlog into the dump, from its position to its end: what a continued "
     "dump needs where the source has changed, and a load that cannot reach the source",
     NULL, 0, 0, false},
    {"metadata", 0, OPT_ENUM, FIELD(metadata), "dumpling|mydumper",
     "form of the file `metadata`: Dumpling's, for DM, or mydumper's, for myloader (dumpling)",
     metadata_words, 0, 0, false},
    {"resume", 0, OPT_BOOL, FIELD(resume), NULL,
     "go on with an unfinished dump (yes; --no-resume refuses)", NULL, 0, 0, false},
    {"restart", 0, OPT_BOOL, FIELD(restart), NULL,
     "throw away the dump that the output holds; wants --yes", NULL, 0, 0, false},
    {"yes", 0, OPT_BOOL, FIELD(yes), NULL, "do not ask", NULL, 0, 0, false},
    {"take-over", 0, OPT_BOOL, FIELD(take_over), NULL,
     "take the dump from another ferry that is known to be dead", NULL, 0, 0, false},
    {"max-epochs", 0, OPT_UINT, FIELD(max_epochs), "N",
     "read in at most N snapshots, earlier runs counted: 1 never goes on in a second one (any "
     "number)",
     NULL, 0, 0, false},
    {"reconnect-timeout", 0, OPT_DURATION, FIELD(reconnect_us), "TIME",
     "how long a source that is lost is tried for, before the dump ends with exit status 75 (10m)",
     NULL, 0, 0, false},
    {"dry-run", 0, OPT_BOOL, FIELD(dry_run), NULL, "print what would be done", NULL, 0, 0, false},
    {.kind = OPT_END}};
#undef FIELD

/* What the captured binlog goes together with. */
static enum err_code binlog_check(const struct dump_opts *o, struct err *err)
{
    if (o->with_binlog && o->consistency == CONSISTENCY_NONE)
        return err_set(
            err, ERR_USAGE,
            "--with-binlog needs a snapshot to begin at, and --consistency none has none");
    if (o->consistency == CONSISTENCY_BINLOG && o->ddl_lock == DDL_LOCK_ALWAYS)
        return err_set(err, ERR_USAGE,
                       "--consistency binlog takes no lock, not --ddl-lock always's");
    if (o->with_binlog && o->no_data)
        return err_set(err, ERR_USAGE,
                       "--with-binlog keeps changes of rows, and --no-data no rows");
    if ((o->with_binlog || o->consistency == CONSISTENCY_BINLOG) &&
        (o->where.count || o->columns.count || o->rows_limit.count))
        return err_set(
            err, ERR_USAGE,
            "--with-binlog keeps the changes of all rows: not with --where, --columns or "
            "--rows-limit, which no replay fits to");
    return ERR_OK;
}

static enum err_code config_check(const struct dump_opts *o, struct dump_config *config,
                                  struct err *err)
{
    if (!o->output)
        return err_set(err, ERR_USAGE, "no output: give --output FOLDER or s3://BUCKET/PREFIX");
    if (o->no_data && o->no_schemas)
        return err_set(err, ERR_USAGE, "--no-data and --no-schemas leave nothing to dump");
    if (o->ddl_lock == DDL_LOCK_ALWAYS && o->consistency == CONSISTENCY_NONE)
        return err_set(err, ERR_USAGE, "--consistency none takes no lock, not --ddl-lock always's");
    if (binlog_check(o, err))
        return err->code;
    if (o->restart && !o->yes)
        return err_set(err, ERR_USAGE, "--restart throws the dump in '%s' away: say --yes with it",
                       o->output);
    *config = (struct dump_config){
        .filters = o->filters.items,
        .filter_count = o->filters.count,
        .case_sensitive = o->case_sensitive,
        .threads = o->threads,
        .chunk_bytes = o->chunk_bytes,
        .chunk_us = o->chunk_us,
        .statement_bytes = o->statement_bytes,
        .format = o->format == 0 ? ROW_FORMAT_SQL : ROW_FORMAT_CSV,
        .consistency = (enum dump_consistency)o->consistency,
        .lock_wait_us = o->lock_wait_us,
        .lock_attempt_us = o->lock_attempt_us,
        .long_query_s = o->long_query_s,
        .long_query_retries = o->long_query_retries,
        .long_query_interval_s = o->long_query_interval_s,
        .kill_long_queries = o->kill_long_queries,
        .ddl_lock = (enum dump_ddl_lock)o->ddl_lock,
        .lock_tables_read = o->non_transactional == 1,
        .no_data = o->no_data,
        .no_schemas = o->no_schemas,
        .no_views = o->no_views,
        .no_triggers = !o->triggers,
        .no_routines = !o->routines,
        .no_events = !o->events,
        .metadata = (enum dump_metadata)o->metadata,
        .where = {o->where.items, o->where.count},
        .columns = {o->columns.items, o->columns.count},
        .rows_limit = {o->rows_limit.items, o->rows_limit.count},
        .with_binlog = o->with_binlog || o->consistency == CONSISTENCY_BINLOG,
        .no_resume = !o->resume,
        .restart = o->restart,
        .take_over = o->take_over,
        .max_epochs = o->max_epochs,
        .reconnect_us = o->reconnect_us,
        .dry_run = o->dry_run,
        .rate_bytes = o->rate_bytes,
        .skip_tables = o->on_table_error == 1,
    };
    if (o->throttle && throttle_parse(o->throttle, &config->throttle, err))
        return err->code;
    if (csv_opts_check(&o->csv, config->format, &config->dialect, err))
        return err->code;
    if (definer_parse(o->definer, &config->definer, err))
        return err->code;
    return compression_parse(o->compress, &config->compression, err);
}

void dump_print(const struct dump_report *r)
{
    struct closing_row *rows = xcalloc(r->table_count + 1, sizeof(*rows));
    const struct closing_step steps[] = {{"plan", r->plan_us},
                                         {"waiting for locks", r->lock_wait_us},
                                         {"under lock", r->lock_us},
                                         {"data", r->data_us},
                                         {"all", r->total_us}};
    char size[SIZE_TEXT_MAX];

    for (size_t i = 0; i < r->table_count; i++)
        rows[i] = (struct closing_row){
            r->tables[i].db,        r->tables[i].name,  r->tables[i].kind,     r->tables[i].rows,
            r->tables[i].raw_bytes, r->tables[i].files, r->tables[i].worker_us};
    closing_print(rows, r->table_count, steps, sizeof(steps) / sizeof(steps[0]));
    free(rows);
    size_text(r->stored_bytes, size);
    (void)printf("dump %s: %s in files, consistency %s, epoch %u\n", r->uuid, size, r->consistency,
                 r->epoch);
    if (r->consistency_why)
        (void)printf("consistency: %s (%s)\n", r->consistency, r->consistency_why);
    if (r->ddl)
        (void)printf("DDL: %s\n", r->ddl);
    if (r->log_file)
        (void)printf("position: %s:%" PRIu64 "%s%s\n", r->log_file, r->log_pos,
                     r->gtid && r->gtid[0] ? ", GTID " : "", r->gtid ? r->gtid : "");
    else
        (void)printf("position: none (%s)\n", r->position_hidden ? "the account may not read it"
                                                                 : "the source writes no binlog");
    if (r->watched)
        (void)printf("altered tables were looked for by: %s\n", r->watched);
    if (r->left_out)
        (void)printf("left out: %" PRIu64
                     " objects that could not be read or were dropped meanwhile, named above\n",
                     r->left_out);
}

/* The same for programs. */
static void dump_closing(const struct dump_report *r)
{
    struct closing_row *rows = xcalloc(r->table_count + 1, sizeof(*rows));
    json_t *closing;

    for (size_t i = 0; i < r->table_count; i++)
        rows[i] = (struct closing_row){
            r->tables[i].db,        r->tables[i].name,  r->tables[i].kind,     r->tables[i].rows,
            r->tables[i].raw_bytes, r->tables[i].files, r->tables[i].worker_us};
    closing = json_pack("{s:s,s:s,s:s,s:I,s:I,s:o,s:o}", "stage", "dump", "uuid", r->uuid,
                        "consistency", r->consistency, "epochs", (json_int_t)r->epoch, "left_out",
                        (json_int_t)r->left_out, "position",
                        closing_place(r->log_file, r->log_pos, r->gtid), "tables",
                        closing_tables(rows, r->table_count));
    free(rows);
    closing_json(closing);
}

/* A dry run makes nothing: an output that is not there is an empty one. */
static enum err_code output_open(const struct dump_opts *o, struct store **store, struct err *err)
{
    enum err_code rc = store_open(o->output, !o->dry_run, store, err);

    if (!rc || !o->dry_run || rc != ERR_STORE_NOT_FOUND)
        return rc;
    err_clear(err);
    *store = store_mem_new();
    return ERR_OK;
}

static enum err_code dump_with(const struct dump_opts *o, const struct server_opts *source,
                               const struct general_opts *general, struct command_context *ctx,
                               struct err *err)
{
    struct progress progress = {.stage = "dump"};
    struct progress_printer *printer = NULL;
    struct dump_report report = {0};
    struct dump_config config;
    struct server_url url = {0};
    struct store *store = NULL;
    enum err_code rc;

    rc = config_check(o, &config, err);
    config.replayed = true;
    if (rc)
        return rc;
    rc = server_opts_resolve(source, "source", &url, err);
    if (rc)
        return rc;
    rc = output_open(o, &store, err);
    if (rc)
        goto out;
    rc = progress_start(&printer, &progress, general_opts_progress(general), err);
    if (rc)
        goto out;
    rc = dump_run(&config, &url, store, &progress, ctx->cancel, &report, err);
    progress_stop(printer);
    if (!rc && !general->quiet && !o->dry_run)
        dump_print(&report);
    if (!rc && general_opts_progress(general) == PROGRESS_JSON && !o->dry_run)
        dump_closing(&report);
    if (!rc && report.left_out)
        ctx->exit_status = EXIT_LEFT_OUT;
out:
    dump_report_release(&report);
    store_free(store);
    server_url_release(&url);
    return rc;
}

static const struct dump_opts dump_opts_default = {.compress = "zstd:1",
                                                   .threads = 4,
                                                   .chunk_bytes = (uint64_t)64 << 20,
                                                   .chunk_us = 10000000,
                                                   .statement_bytes = 1000000,
                                                   .lock_wait_us = 60000000,
                                                   .reconnect_us = 600000000,
                                                   .lock_attempt_us = 5000000,
                                                   .long_query_s = 60,
                                                   .long_query_interval_s = 60,
                                                   .definer = "keep",
                                                   .csv = CSV_OPTS_DEFAULT,
                                                   .triggers = true,
                                                   .routines = true,
                                                   .events = true,
                                                   .resume = true};

struct dump_opts *dump_opts_new(void)
{
    struct dump_opts *o = xmalloc(sizeof *o);

    *o = dump_opts_default;
    return o;
}

enum err_code dump_opts_config(struct dump_opts *o, const char *output, struct dump_config *config,
                               bool *yes, struct err *err)
{
    o->output = output;
    *yes = o->yes;
    if (o->with_binlog || o->consistency == CONSISTENCY_BINLOG)
        return err_set(err, ERR_USAGE,
                       "--with-binlog and --consistency binlog are for a dump that is kept: ferry "
                       "dump");
    return config_check(o, config, err);
}

enum err_code command_dump(struct command_context *ctx, struct err *err)
{
    struct dump_opts opts = dump_opts_default;
    struct server_opts source = {0};
    struct general_opts general = {0};
    const struct opt_table tables[] = {{"Dump", dump_opts_table, &opts},
                                       {"CSV", csv_opts_table, &opts.csv},
                                       {"Source server", source_opts_table, &source},
                                       {"General", general_opts_table, &general}};
    const struct command_line line = {
        "dump --source URL --output URL [OPTION]...",
        "Reads databases in parallel into chunked SQL or CSV files, with the binlog\n"
        "position they belong to. The same command said again continues an\n"
        "unfinished dump.\n",
        tables, 4, &general};
    struct opt_set *set = NULL;
    enum err_code rc = command_start(&line, ctx, &set, NULL, err);

    if (!rc && !general.help)
        rc = dump_with(&opts, &source, &general, ctx, err);
    opt_set_free(set);
    return rc;
}
