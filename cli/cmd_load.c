/* ferry load: options -> load_config -> load_run -> the closing table. */
#include "cli/closing.h"
#include "cli/cmd_copy.h"
#include "cli/opt_common.h"
#include "cli/replay.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "loader/load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WAIT_US ((uint64_t)300 * 1000000)
#define LEASE_US ((uint64_t)30 * 1000000)
#define LEASE_MIN_US 1000000

struct load_opts {
    const char *input, *meta_schema, *input_time_zone;
    struct opt_list filters;
    unsigned threads, batch_rows;
    uint64_t batch_bytes, wait_us, lease_us, rate_bytes;
    uint64_t max_conflicts;
    const char *conflict_report, *throttle;
    int if_exists, path, on_conflict, identical, on_bad_value;
    bool check_conflicts;
    bool case_sensitive, no_data, no_schemas, no_views, resume, dry_run;
    struct opt_list renames, session, ignore_columns;
    int input_binary, convert, spatial, object_error, indexes, foreign_keys, definer, programs;
    int generated, key_collation;
    const char *programs_file;
    const char *source, *source_password;
    int cascades;
    bool accept_conflicts;
    bool yes, analyze, skip_binlog;
};

static const char *const on_conflict_words[] = {"error", "ignore", "replace", NULL};
static const char *const identical_words[] = {"conflict", "ok", NULL};
static const char *const on_bad_value_words[] = {"error", "skip", NULL};
static const char *const if_exists_words[] = {"append", "stop", "truncate", "drop", NULL};
static const char *const convert_words[] = {"run", "report", NULL};
static const char *const binary_words[] = {"auto", "raw", NULL};
static const char *const spatial_words[] = {"refuse", "bytes", NULL};
static const char *const generated_words[] = {"error", "warn", NULL};
static const char *const key_collation_words[] = {"safe", "nearest", NULL};
static const char *const object_error_words[] = {"skip", "stop", NULL};
static const char *const indexes_words[] = {"auto", "now", "after", NULL};
static const char *const foreign_keys_words[] = {"check", "add", "none", NULL};
static const char *const definer_words[] = {"keep", "strip", NULL};
static const char *const programs_words[] = {"create", "file", NULL};
static const char *const cascades_words[] = {"refuse", "none", NULL};
static const char *const path_words[] = {"auto", "insert", NULL};

#define FIELD(f) offsetof(struct load_opts, f)
const struct opt load_opts_table[] = {
    {"input", 'i', OPT_STRING, FIELD(input), "URL",
     "where the dump is: a folder or s3://bucket/prefix?...", NULL, 0, 0, false},
    {"filter", 'f', OPT_LIST, FIELD(filters), "PATTERN",
     "tables to load, repeatable: 'shop.*', '!shop.log_*'; the last match wins (all)", NULL, 0, 0,
     false},
    {"case-sensitive", 0, OPT_BOOL, FIELD(case_sensitive), NULL, "the filter minds case", NULL, 0,
     0, false},
    {"threads", 't', OPT_UINT, FIELD(threads), "N", "worker threads, one connection each (16)",
     NULL, 1, 256, false},
    {"if-table-exists", 0, OPT_ENUM, FIELD(if_exists), "append|stop|truncate|drop",
     "what to do when a table is there already: add the rows, stop, empty it first, or create it "
     "anew; the last two ask, or want --yes (append)",
     if_exists_words, 0, 0, false},
    {"on-conflict", 0, OPT_ENUM, FIELD(on_conflict), "error|ignore|replace",
     "when a row's primary or unique key is there already: stop, keep the existing row, or put the "
     "incoming one in its place; each on record (error)",
     on_conflict_words, 0, 0, false},
    {"identical", 0, OPT_ENUM, FIELD(identical), "conflict|ok",
     "what a row is that is there already with the same values (conflict)", identical_words, 0, 0,
     false},
    {"max-conflicts", 0, OPT_SIZE, FIELD(max_conflicts), "N",
     "stop when more than N conflicts are met (no limit)", NULL, 1, UINT64_MAX / 2, false},
    {"check-conflicts", 0, OPT_BOOL, FIELD(check_conflicts), NULL,
     "find the conflicts of the whole dump with the target, and write no row", NULL, 0, 0, false},
    {"conflict-report", 0, OPT_STRING, FIELD(conflict_report), "FILE",
     "write the conflicts to FILE, as JSON lines, or as CSV if its name ends in .csv", NULL, 0, 0,
     false},
    {"on-bad-value", 0, OPT_ENUM, FIELD(on_bad_value), "error|skip",
     "when the target refuses a row's values: stop, or leave the row out and on record (error)",
     on_bad_value_words, 0, 0, false},
    {"batch-size", 0, OPT_SIZE, FIELD(batch_bytes), "BYTES",
     "rows of one transaction (256KiB on TiDB, its largest; 1MiB elsewhere)", NULL, 1024,
     (uint64_t)64 << 20, false},
    {"batch-rows", 0, OPT_UINT, FIELD(batch_rows), "N", "rows of one transaction (2000)", NULL, 1,
     100000, false},
    {"rate", 0, OPT_SIZE, FIELD(rate_bytes), "BYTES",
     "load at most so many bytes a second, over all threads, before compression (no limit)", NULL,
     1024, (uint64_t)1 << 50, false},
    {"throttle", 0, OPT_STRING, FIELD(throttle), "RULE",
     "load only while a status value of the target holds: 'Threads_running<40'; looked at every "
     "second",
     NULL, 0, 0, false},
    {"path", 0, OPT_ENUM, FIELD(path), "auto|insert",
     "auto: LOAD DATA LOCAL, with INSERT behind it; insert: INSERT only (auto)", path_words, 0, 0,
     false},
    {"no-data", 'd', OPT_BOOL, FIELD(no_data), NULL, "definitions only", NULL, 0, 0, false},
    {"no-schemas", 'm', OPT_BOOL, FIELD(no_schemas), NULL,
     "create nothing: the tables are there already", NULL, 0, 0, false},
    {"no-views", 'W', OPT_BOOL, FIELD(no_views), NULL, "leave views out", NULL, 0, 0, false},
    {"meta-schema", 0, OPT_STRING, FIELD(meta_schema), "NAME",
     "database on the target that keeps the load's progress (ferry_meta)", NULL, 0, 0, false},
    {"wait", 0, OPT_DURATION, FIELD(wait_us), "TIME",
     "an unfinished dump is loaded while it is written; how long to wait when nobody writes it, 0 "
     "to refuse it (5m)",
     NULL, 0, 0, false},
    {"lease", 0, OPT_DURATION, FIELD(lease_us), "TIME",
     "the same load may be started on several machines, which share it: how long one may give no "
     "sign of life before the others take its work over (30s)",
     NULL, 0, 0, false},
    {"input-time-zone", 0, OPT_STRING, FIELD(input_time_zone), "ZONE",
     "of the TIMESTAMP values in a dump that does not say (Dumpling's): '+00:00'", NULL, 0, 0,
     false},
    {"input-binary", 0, OPT_ENUM, FIELD(input_binary), "auto|raw",
     "bytes in CSV of Dumpling's: auto refuses what --csv-output-dialect could have encoded (auto)",
     binary_words, 0, 0, false},
    {"resume", 0, OPT_BOOL, FIELD(resume), NULL,
     "go on with an unfinished load (yes; --no-resume refuses)", NULL, 0, 0, false},
    {"dry-run", 0, OPT_BOOL, FIELD(dry_run), NULL, "print what would be done", NULL, 0, 0, false},
    {"yes", 0, OPT_BOOL, FIELD(yes), NULL, "do not ask", NULL, 0, 0, false},
    {"rename", 0, OPT_LIST, FIELD(renames), "FROM=TO",
     "other names on the target, repeatable: 'shop.*=shop2.*', 'shop.t=shop2.u'", NULL, 0, 0,
     false},
    {"ignore-columns", 0, OPT_TABLES, FIELD(ignore_columns), "DB.TABLE=A,B",
     "columns of the files that are not loaded, repeatable: the target's get their defaults, or "
     "are "
     "not there; the names are the dump's",
     NULL, 0, 0, false},
    {"convert", 0, OPT_ENUM, FIELD(convert), "run|report",
     "report: print what changes in the definitions for this target, and stop (run)", convert_words,
     0, 0, false},
    {"spatial", 0, OPT_ENUM, FIELD(spatial), "refuse|bytes",
     "spatial columns on TiDB: leave their tables out, or LONGBLOB with SRID and WKB (refuse)",
     spatial_words, 0, 0, false},
    {"key-collation", 0, OPT_ENUM, FIELD(key_collation), "safe|nearest",
     "on TiDB, of a key's column whose collation it lacks: one that keeps apart what the source "
     "does, or the nearest one, under which rows may collide (safe)",
     key_collation_words, 0, 0, false},
    {"on-generated-difference", 0, OPT_ENUM, FIELD(generated), "error|warn",
     "when a table that is there computes a generated column by another expression than the "
     "dump's: stop, or load its rows all the same (error)",
     generated_words, 0, 0, false},
    {"on-object-error", 0, OPT_ENUM, FIELD(object_error), "skip|stop",
     "what to do when an object cannot be created: load the others, exit status 6, or stop (skip)",
     object_error_words, 0, 0, false},
    {"indexes", 0, OPT_ENUM, FIELD(indexes), "auto|now|after",
     "non-unique indexes with the table or after its rows (auto: now)", indexes_words, 0, 0, false},
    {"foreign-keys", 0, OPT_ENUM, FIELD(foreign_keys), "check|add|none",
     "foreign keys after the rows: looked at row by row, not looked at, or left out (check)",
     foreign_keys_words, 0, 0, false},
    {"definer", 0, OPT_ENUM, FIELD(definer), "keep|strip",
     "DEFINER of views, triggers, routines and events (keep)", definer_words, 0, 0, false},
    {"programs", 0, OPT_ENUM, FIELD(programs), "create|file",
     "triggers, routines and events: create them after the rows where the target has them, or only "
     "write them to a file (create)",
     programs_words, 0, 0, false},
    {"programs-file", 0, OPT_STRING, FIELD(programs_file), "FILE",
     "where those that are not created are written (ferry-programs-UUID.sql)", NULL, 0, 0, false},
    {"analyze", 0, OPT_BOOL, FIELD(analyze), NULL, "ANALYZE TABLE at the end", NULL, 0, 0, false},
    {"session", 0, OPT_LIST, FIELD(session), "'SET ...'",
     "said on each connection to the target, repeatable; what exactness needs cannot be changed",
     NULL, 0, 0, false},
    {"skip-binlog", 0, OPT_BOOL, FIELD(skip_binlog), NULL,
     "write nothing to the target's own binlog (SET sql_log_bin=0)", NULL, 0, 0, false},
    {"source", 0, OPT_STRING, FIELD(source), "URL",
     "the server that was dumped, for the binlog of a dump of several snapshots that does not hold "
     "it itself",
     NULL, 0, 0, false},
    {"source-password", 0, OPT_STRING, FIELD(source_password), "WORD",
     "the source's; only in the environment or the config file", NULL, 0, 0, true},
    {"accept-conflicts", 0, OPT_BOOL, FIELD(accept_conflicts), NULL,
     "apply the binlog though rows of the dump were left out", NULL, 0, 0, false},
    {"cascades", 0, OPT_ENUM, FIELD(cascades), "refuse|none",
     "as for ferry follow, when the binlog is applied behind the rows (refuse)", cascades_words, 0,
     0, false},
    {.kind = OPT_END}};
#undef FIELD

static bool confirm_ask(void *ctx, const char *question)
{
    char answer[16] = "";

    (void)ctx;
    (void)fprintf(stderr, "%s\nGo on? (yes/no) ", question);
    return fgets(answer, sizeof answer, stdin) && strncmp(answer, "yes", 3) == 0;
}

static enum err_code config_check(const struct load_opts *o, struct load_config *config,
                                  struct err *err)
{
    if (!o->input)
        return err_set(err, ERR_USAGE, "no input: give --input FOLDER or s3://BUCKET/PREFIX");
    if (o->no_data && o->no_schemas)
        return err_set(err, ERR_USAGE, "--no-data and --no-schemas leave nothing to load");
    if (o->check_conflicts && (o->no_data || o->dry_run))
        return err_set(err, ERR_USAGE,
                       "--check-conflicts reads the rows: it does not go with "
                       "--no-data or --dry-run");
    if (o->lease_us < LEASE_MIN_US)
        return err_set(err, ERR_USAGE, "--lease must be 1s or more");
    if (o->if_exists == IF_EXISTS_DROP && o->no_schemas)
        return err_set(err, ERR_USAGE, "--if-table-exists drop and --no-schemas contradict");
    if (o->if_exists == IF_EXISTS_TRUNCATE && o->no_data)
        return err_set(err, ERR_USAGE,
                       "--if-table-exists truncate and --no-data would leave the tables empty");
    if (o->if_exists >= IF_EXISTS_TRUNCATE && !o->yes && !o->dry_run && !isatty(STDIN_FILENO))
        return err_set(err, ERR_USAGE,
                       "--if-table-exists %s destroys rows on the target: say --yes with it",
                       if_exists_words[o->if_exists]);
    *config = (struct load_config){
        .filters = o->filters.items,
        .filter_count = o->filters.count,
        .case_sensitive = o->case_sensitive,
        .threads = o->threads,
        .batch_bytes = o->batch_bytes,
        .batch_rows = o->batch_rows,
        .rate_bytes = o->rate_bytes,
        .if_exists = (enum load_if_exists)o->if_exists,
        .path = o->path == 0 ? LOAD_PATH_AUTO : LOAD_PATH_INSERT,
        .on_conflict = (enum load_on_conflict)o->on_conflict,
        .identical_ok = o->identical == 1,
        .max_conflicts = o->max_conflicts,
        .check_conflicts = o->check_conflicts,
        .skip_bad = o->on_bad_value == 1,
        .conflict_report = o->conflict_report,
        .no_schemas = o->no_schemas,
        .no_data = o->no_data,
        .no_views = o->no_views,
        .no_resume = !o->resume,
        .meta_schema = o->meta_schema,
        .wait_us = o->wait_us,
        .lease_us = o->lease_us,
        .input_time_zone = o->input_time_zone,
        .dry_run = o->dry_run,
        .renames = o->renames.items,
        .rename_count = o->renames.count,
        .ignore_columns = o->ignore_columns.items,
        .ignore_column_count = o->ignore_columns.count,
        .convert = (enum load_convert)o->convert,
        .binary_raw = o->input_binary == 1,
        .spatial_bytes = o->spatial == 1,
        .generated_any = o->generated == 1,
        .key_collation_nearest = o->key_collation == 1,
        .object_error = (enum load_object_error)o->object_error,
        .indexes = (enum load_indexes)o->indexes,
        .foreign_keys = (enum load_foreign_keys)o->foreign_keys,
        .strip_definers = o->definer == 1,
        .programs_to_file = o->programs == 1,
        .analyze = o->analyze,
        .confirm = o->yes ? NULL : confirm_ask,
    };
    if (o->throttle && throttle_parse(o->throttle, &config->throttle, err))
        return err->code;
    return ERR_OK;
}

/* Who has shared the load: what each has written, as of its last sign of life. */
static void loaders_print(const struct load_report *r)
{
    for (size_t i = 0; r->loader_count > 1 && i < r->loader_count; i++) {
        const struct load_report_loader *l = &r->loaders[i];
        char size[SIZE_TEXT_MAX];

        size_text(l->raw_bytes, size);
        (void)printf("loader %s: %" PRIu64 " rows, %s, %.2f s%s%s\n", l->owner, l->rows, size,
                     (double)l->us / 1e6, l->self ? ", this one" : "",
                     l->lost ? ", presumed dead" : "");
    }
}

static void report_print(const struct load_report *r)
{
    struct closing_row *rows = xcalloc(r->table_count + 1, sizeof(*rows));
    const struct closing_step steps[] = {
        {"schema", r->schema_us}, {"data", r->data_us}, {"all", r->total_us}};

    for (size_t i = 0; i < r->table_count; i++)
        rows[i] = (struct closing_row){
            r->tables[i].db,        r->tables[i].name,  r->tables[i].kind,     r->tables[i].rows,
            r->tables[i].raw_bytes, r->tables[i].files, r->tables[i].worker_us};
    closing_print(rows, r->table_count, steps, sizeof(steps) / sizeof(steps[0]));
    free(rows);
    (void)printf("rows in the target: %" PRIu64 ", written by this run: %" PRIu64
                 ", transactions tried again: %" PRIu64 ", batches by INSERT: %" PRIu64 "\n",
                 r->rows, r->rows_now, r->retries, r->careful_batches);
    loaders_print(r);
}

/* What was in the way, table by table, of the whole load. */
static void conflicts_print(const struct load_report *r)
{
    struct strbuf name = {0};

    for (size_t i = 0; i < r->conflict_count; i++) {
        const struct load_report_conflicts *c = &r->conflicts[i];
        const struct {
            const char *word;
            uint64_t count;
        } parts[] = {{"stopped", c->stopped},     {"ignored", c->ignored},
                     {"replaced", c->replaced},   {"found", c->checked},
                     {"identical", c->identical}, {"bad values", c->bad_values}};
        const char *between = ": ";

        strbuf_reset(&name);
        strbuf_add_name(&name, c->db, c->name);
        (void)printf("conflicts in %s", strbuf_str(&name));
        for (size_t k = 0; k < sizeof(parts) / sizeof(parts[0]); k++) {
            if (!parts[k].count)
                continue;
            (void)printf("%s%" PRIu64 " %s", between, parts[k].count, parts[k].word);
            between = ", ";
        }
        (void)puts("");
    }
    if (r->waved)
        (void)printf("identical rows that were there already: %" PRIu64 "\n", r->waved);
    if (r->skipped)
        (void)printf("rows left out for their values: %" PRIu64 "\n", r->skipped);
    strbuf_release(&name);
}

/* What was changed for the target, and what is not there. */
static void objects_print(const struct load_report *r)
{
    uint64_t changes = r->changes[0] + r->changes[1] + r->changes[2] + r->changes[3];

    if (changes > 0)
        (void)printf("definitions changed for the target: %" PRIu64
                     " the same in other words, %" PRIu64 " that may behave otherwise, %" PRIu64
                     " losses, %" PRIu64
                     " that the target cannot have (--convert report lists them)\n",
                     r->changes[0], r->changes[1], r->changes[2], r->changes[3]);
    if (r->objects_failed > 0)
        (void)printf("left out, since they could not be created: %" PRIu64
                     "; the same command tries them again\n",
                     r->objects_failed);
}

/* Triggers, routines and events that were not created, for the mysql client. */
static enum err_code programs_write(const struct load_opts *o, const struct load_report *r,
                                    struct err *err)
{
    struct strbuf path = {0};
    FILE *f;
    bool good;

    if (r->programs.len == 0)
        return ERR_OK;
    if (o->programs_file)
        strbuf_addstr(&path, o->programs_file);
    else
        strbuf_addf(&path, "ferry-programs-%s.sql", r->uuid);
    f = fopen(strbuf_str(&path), "w");
    good = f && fwrite(r->programs.str, 1, r->programs.len, f) == r->programs.len;
    good = f && fclose(f) == 0 && good;
    if (!good)
        (void)err_set_errno(err, ERR_IO, errno, "writing triggers, routines and events to '%s'",
                            strbuf_str(&path));
    else
        log_event(LOG_WARN, "load.programs.written", F_STR("file", strbuf_str(&path)),
                  F_STR("message", "triggers, routines and events that were not created"));
    strbuf_release(&path);
    return good ? ERR_OK : err->code;
}

/* The rows that stopped the load, each on its own line: to the log, where they are not lost with
 * -q. */
static void refusals_print(const struct load_report *r)
{
    struct strbuf line = {0};

    for (size_t i = 0; i < r->refusal_count; i++) {
        strbuf_reset(&line);
        refusal_text(&r->refusals[i], &line);
        log_event(LOG_ERROR, "load.refused", F_STR("message", strbuf_str(&line)));
    }
    strbuf_release(&line);
}

/* --session and --skip-binlog: on each connection to the target. */
void load_opts_session(const struct load_opts *o, struct server_url *url)
{
    for (size_t i = 0; i < o->session.count; i++)
        server_url_add_session(url, o->session.items[i]);
    url->skip_binlog = o->skip_binlog;
}

void load_opts_replay(const struct load_opts *o, struct replay *replay)
{
    replay->meta_schema = o->meta_schema;
    replay->threads = o->threads;
    replay->accept_conflicts = o->accept_conflicts;
    replay->any_cascades = o->cascades == 1;
}

enum err_code load_print(const struct load_opts *o, const struct load_config *config,
                         const struct load_report *r, bool quiet, enum err_code rc, struct err *err)
{
    if (rc)
        refusals_print(r);
    if (!rc && !quiet && r->nothing_to_do)
        (void)puts("nothing to do: this dump has been loaded");
    else if (!rc && !quiet && !config->dry_run && config->convert == CONVERT_RUN) {
        report_print(r);
        objects_print(r);
    }
    if (!quiet && !config->dry_run)
        conflicts_print(r);
    return rc ? rc : programs_write(o, r, err);
}

/* For programs, however the load has ended. */
static void load_closing(const struct load_report *r)
{
    struct closing_row *rows = xcalloc(r->table_count + 1, sizeof(*rows));
    json_t *conflicts = json_array();
    const uint64_t left_out = r->left_out + r->skipped + r->objects_failed;
    struct strbuf name = {0};

    for (size_t i = 0; i < r->table_count; i++)
        rows[i] = (struct closing_row){
            r->tables[i].db,        r->tables[i].name,  r->tables[i].kind,     r->tables[i].rows,
            r->tables[i].raw_bytes, r->tables[i].files, r->tables[i].worker_us};
    for (size_t i = 0; i < r->conflict_count; i++) {
        const struct load_report_conflicts *c = &r->conflicts[i];
        const uint64_t found =
            c->stopped + c->ignored + c->replaced + c->checked + c->identical + c->bad_values;

        strbuf_reset(&name);
        strbuf_add_name(&name, c->db, c->name);
        (void)json_array_append_new(conflicts, json_pack("{s:s,s:I}", "table", strbuf_str(&name),
                                                         "rows", (json_int_t)found));
    }
    closing_json(json_pack("{s:s,s:I,s:I,s:I,s:o,s:o}", "stage", "load", "rows",
                           (json_int_t)r->rows, "retries", (json_int_t)r->retries, "left_out",
                           (json_int_t)left_out, "conflicts", conflicts, "tables",
                           closing_tables(rows, r->table_count)));
    strbuf_release(&name);
    free(rows);
}

static enum err_code load_open(const struct load_opts *o, const struct server_opts *target,
                               struct server_url *to, struct server_url *from, struct err *err)
{
    const struct server_opts source = {
        .url = o->source, .password = o->source_password, .defaults_file = target->defaults_file};
    const enum err_code rc = server_opts_resolve(target, "target", to, err);

    if (rc)
        return rc;
    load_opts_session(o, to);
    return o->source ? server_opts_resolve(&source, "source", from, err) : ERR_OK;
}

static enum err_code load_with(const struct load_opts *o, const struct server_opts *target,
                               const struct general_opts *general, struct command_context *ctx,
                               struct err *err)
{
    struct progress progress = {.stage = "load"};
    struct progress_printer *printer = NULL;
    struct load_report report = {0};
    struct load_config config;
    struct server_url url = {0};
    struct server_url source = {0};
    struct replay replay = {
        .source = o->source ? &source : NULL, .target = &url, .cancel = ctx->cancel};
    enum err_code rc;

    load_opts_replay(o, &replay);
    rc = config_check(o, &config, err);
    if (!rc)
        rc = load_open(o, target, &url, &source, err);
    if (!rc)
        rc = store_open(o->input, false, &replay.input, err);
    if (!rc)
        rc = progress_start(&printer, &progress, general_opts_progress(general), err);
    if (rc)
        goto out;
    config.replay = replay_run;
    config.replay_ctx = &replay;
    config.replay_source = o->source != NULL;
    config.changes_json = general_opts_progress(general) == PROGRESS_JSON;
    rc = load_run(&config, replay.input, &url, &progress, ctx->cancel, &report, err);
    progress_stop(printer);
    rc = load_print(o, &config, &report, general->quiet, rc, err);
    if (config.changes_json && !report.nothing_to_do && !config.dry_run)
        load_closing(&report);
    if (replay.ran && !general->quiet)
        replay_print(&replay.report);
    if (!rc && report.left_out + report.skipped + report.objects_failed > 0)
        ctx->exit_status = EXIT_LEFT_OUT;
out:
    load_report_release(&report);
    follow_report_release(&replay.report);
    store_free(replay.input);
    server_url_release(&url);
    server_url_release(&source);
    return rc;
}

static const struct load_opts load_opts_default = {
    .threads = 16, .resume = true, .wait_us = WAIT_US, .lease_us = LEASE_US};

struct load_opts *load_opts_new(void)
{
    struct load_opts *o = xmalloc(sizeof *o);

    *o = load_opts_default;
    return o;
}

enum err_code load_opts_config(struct load_opts *o, const char *input, bool yes,
                               struct load_config *config, struct err *err)
{
    o->input = input;
    o->yes = yes;
    return config_check(o, config, err);
}

enum err_code command_load(struct command_context *ctx, struct err *err)
{
    struct load_opts opts = load_opts_default;
    struct server_opts target = {0};
    struct general_opts general = {0};
    const struct opt_table tables[] = {{"Load", load_opts_table, &opts},
                                       {"Target server", target_opts_table, &target},
                                       {"General", general_opts_table, &general}};
    const struct command_line line = {
        "load --target URL --input URL [OPTION]...",
        "Writes a dump into TiDB, MySQL or MariaDB, each row exactly once. The same\n"
        "command said again goes on where it stopped.\n",
        tables, 3, &general};
    struct opt_set *set = NULL;
    enum err_code rc = command_start(&line, ctx, &set, NULL, err);

    if (!rc && !general.help)
        rc = load_with(&opts, &target, &general, ctx, err);
    opt_set_free(set);
    return rc;
}
