/* ferry follow: options -> follow_config -> follow_run -> where the target is now. */
#include "cli/cmd_follow.h"
#include "cli/closing.h"
#include "cli/cutover_print.h"
#include "cli/opt_common.h"
#include "cli/replay.h"

#include "common/base/mem.h"
#include "common/mysql/position.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECONNECT_US ((uint64_t)900 * 1000000)

struct follow_opts {
    const char *source, *target, *source_password, *target_password, *defaults_file;
    const char *input, *from, *until, *meta_schema, *ddl_done;
    struct opt_list filters, renames, ddl;
    unsigned threads, server_id;
    uint64_t reconnect_us;
    uint64_t cutover_us, max_drift, rate_bytes;
    const char *drift_report;
    int cascades, counts, on_drift, commit_order;
    bool cutover, set_read_only, json, check_before_image;
    bool accept_conflicts, loaded_elsewhere, case_sensitive;
};

static const char *const counts_words[] = {"exact", "none", NULL};
static const char *const commit_order_words[] = {"any", "preserve", NULL};
static const char *const on_drift_words[] = {"error", "repair", "log", NULL};
static const char *const cascades_words[] = {"refuse", "none", NULL};

#define FIELD(f) offsetof(struct follow_opts, f)
const struct opt follow_opts_table[] = {
    {"source", 0, OPT_STRING, FIELD(source), "URL",
     "the server whose binlog is followed: mysql://user@host:port/?ssl-mode=...", NULL, 0, 0,
     false},
    {"target", 0, OPT_STRING, FIELD(target), "URL", "the server that holds the load", NULL, 0, 0,
     false},
    {"input", 'i', OPT_STRING, FIELD(input), "URL",
     "the dump that was loaded: wanted by the first run alone", NULL, 0, 0, false},
    {"loaded-elsewhere", 0, OPT_BOOL, FIELD(loaded_elsewhere), NULL,
     "the target was filled by another tool, up to where --from says: follow the tables of "
     "--filter under the names of --rename",
     NULL, 0, 0, false},
    {"from", 0, OPT_STRING, FIELD(from), "FILE:POS|GTIDSET|now",
     "with --loaded-elsewhere: what is in the target already, exactly", NULL, 0, 0, false},
    {"filter", 'f', OPT_LIST, FIELD(filters), "PATTERN",
     "with --loaded-elsewhere: tables to follow, repeatable: 'shop.*', '!shop.log_*'", NULL, 0, 0,
     false},
    {"case-sensitive", 0, OPT_BOOL, FIELD(case_sensitive), NULL, "the filter minds case", NULL, 0,
     0, false},
    {"rename", 0, OPT_LIST, FIELD(renames), "FROM=TO",
     "with --loaded-elsewhere: other names on the target, repeatable: 'shop.*=shop2.*'", NULL, 0, 0,
     false},
    {"until", 0, OPT_STRING, FIELD(until), "FILE:POS|GTIDSET|TIME|caught-up",
     "stop at the first transaction's end at or behind a position, when all of a GTID set is "
     "applied, before what the source committed after '2026-11-23 10:00:00' (UTC), or at the end "
     "of the binlog (go on until interrupted)",
     NULL, 0, 0, false},
    {"cutover", 0, OPT_BOOL, FIELD(cutover), NULL,
     "follow until the source is read-only and all of it is proven to be in the target, say the "
     "proof, and end",
     NULL, 0, 0, false},
    {"set-read-only", 0, OPT_BOOL, FIELD(set_read_only), NULL,
     "with --cutover: make the source read-only once the target has caught up; it takes writes "
     "again if the cut-over does not complete",
     NULL, 0, 0, false},
    {"cutover-timeout", 0, OPT_DURATION, FIELD(cutover_us), "TIME",
     "with --cutover: give up when the source has been read-only for so long (never)", NULL, 0, 0,
     false},
    {"counts", 0, OPT_ENUM, FIELD(counts), "exact|none",
     "with --cutover: count the rows of each table on both sides (exact)", counts_words, 0, 0,
     false},
    {"json", 0, OPT_BOOL, FIELD(json), NULL, "with --cutover: the proof as one JSON object", NULL,
     0, 0, false},
    {"threads", 't', OPT_UINT, FIELD(threads), "N", "threads that write, one connection each (16)",
     NULL, 1, 256, false},
    {"server-id", 0, OPT_UINT, FIELD(server_id), "N",
     "as which replica the source knows this process (a random one that is free)", NULL, 1, 0,
     false},
    {"ddl", 0, OPT_LIST, FIELD(ddl), "ACTION[=WHAT]",
     "when the source changes a definition: apply (do the same on the target where that can be "
     "done exactly, else stop), skip or stop; WHAT is a pattern ('shop.log_*'), the statement's "
     "words "
     "('drop table'), or both ('drop table on shop.*'); repeatable, the last one that fits decides "
     "(apply)",
     NULL, 0, 0, false},
    {"ddl-done", 0, OPT_STRING, FIELD(ddl_done), "FILE:POS",
     "the statement at which it stopped there is done on the target by hand: go on behind it, if "
     "the definitions fit",
     NULL, 0, 0, false},
    {"rate", 0, OPT_SIZE, FIELD(rate_bytes), "BYTES",
     "follow at most so many bytes of row values a second (no limit)", NULL, 1024,
     (uint64_t)1 << 50, false},
    {"commit-order", 0, OPT_ENUM, FIELD(commit_order), "any|preserve",
     "whether transactions that share no row may be seen on the target in another order than on "
     "the source (any)",
     commit_order_words, 0, 0, false},
    {"on-drift", 0, OPT_ENUM, FIELD(on_drift), "error|repair|log",
     "when a row of the target is not as the source had it: stop, make it what the source has, or "
     "leave the change out; each is put on record (error)",
     on_drift_words, 0, 0, false},
    {"check-before-image", 0, OPT_BOOL, FIELD(check_before_image), NULL,
     "compare all columns of a row with what the source had before it changed it, and not its key "
     "alone",
     NULL, 0, 0, false},
    {"max-drift", 0, OPT_SIZE, FIELD(max_drift), "N", "stop when more rows than N are on record",
     NULL, 1, UINT64_MAX / 2, false},
    {"drift-report", 0, OPT_STRING, FIELD(drift_report), "FILE",
     "write the records to FILE at the end, as JSON lines, or as CSV if its name ends in .csv",
     NULL, 0, 0, false},
    {"accept-conflicts", 0, OPT_BOOL, FIELD(accept_conflicts), NULL,
     "follow though the load has left rows of the dump out", NULL, 0, 0, false},
    {"cascades", 0, OPT_ENUM, FIELD(cascades), "refuse|none",
     "tables whose foreign keys change rows without a trace in the binlog: refuse them, or say "
     "that no such change happens (refuse)",
     cascades_words, 0, 0, false},
    {"reconnect-timeout", 0, OPT_DURATION, FIELD(reconnect_us), "TIME",
     "how long a server that is away is tried again (15m)", NULL, 0, 0, false},
    {"meta-schema", 0, OPT_STRING, FIELD(meta_schema), "NAME",
     "database on the target that keeps the load's progress (ferry_meta)", NULL, 0, 0, false},
    {"source-password", 0, OPT_STRING, FIELD(source_password), "WORD",
     "the source's; only in the environment or the config file", NULL, 0, 0, true},
    {"target-password", 0, OPT_STRING, FIELD(target_password), "WORD",
     "the target's; only in the environment or the config file", NULL, 0, 0, true},
    {"defaults-file", 0, OPT_STRING, FIELD(defaults_file), "FILE",
     "the mysql client's option file; groups [source], [target], [client]", NULL, 0, 0, false},
    {.kind = OPT_END}};
#undef FIELD

/* Days from 1970-01-01 to a day of the Gregorian calendar (years counted from March). */
static int64_t days_of(int64_t year, int month, int day)
{
    const int64_t y = month > 2 ? year : year - 1;
    const int64_t m = month > 2 ? month - 3 : month + 9;

    return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468;
}

/* "2026-11-23 10:00:00" or with a T and a Z: seconds, UTC. */
static bool until_time(const char *text, int64_t *out)
{
    int year, month, day, hour, minute, second;
    int used = 0;
    char between;

    if (sscanf(text, "%4d-%2d-%2d%c%2d:%2d:%2d%n", &year, &month, &day, &between, &hour, &minute,
               &second, &used) != 7 ||
        (between != ' ' && between != 'T') || (text[used] && strcmp(text + used, "Z") != 0))
        return false;
    *out = ((days_of(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    return true;
}

static enum err_code until_parse(const char *text, struct follow_until *u, char **file,
                                 struct err *err)
{
    *u = (struct follow_until){.kind = FOLLOW_ON};
    if (!text)
        return ERR_OK;
    if (strcmp(text, "caught-up") == 0) {
        u->kind = FOLLOW_CAUGHT_UP;
    } else if (until_time(text, &u->time)) {
        u->kind = FOLLOW_TIME;
    } else if (position_place_parse(text, file, &u->offset)) {
        u->kind = FOLLOW_POSITION;
        u->file = *file;
    } else if (strpbrk(text, ":-") && isxdigit((unsigned char)*text)) {
        u->kind = FOLLOW_GTIDS;
        u->gtids = text;
    } else {
        return err_set(err, ERR_USAGE,
                       "--until '%s' is neither FILE:POS, a GTID set, 'YYYY-MM-DD HH:MM:SS' nor "
                       "caught-up",
                       text);
    }
    return ERR_OK;
}

static enum err_code from_parse(const struct follow_opts *o, struct follow_config *config,
                                char **file, struct err *err)
{
    if (!o->loaded_elsewhere && (o->from || o->filters.count || o->renames.count))
        return err_set(
            err, ERR_USAGE,
            "--from, --filter and --rename are the dump's and the load's to say: they go "
            "with --loaded-elsewhere alone");
    if (o->loaded_elsewhere && o->input)
        return err_set(err, ERR_USAGE, "--input and --loaded-elsewhere contradict");
    config->loaded_elsewhere = o->loaded_elsewhere;
    config->filters = o->filters.items;
    config->filter_count = o->filters.count;
    config->case_sensitive = o->case_sensitive;
    config->rename_rules = o->renames.items;
    config->rename_count = o->renames.count;
    config->from_now = o->from && strcmp(o->from, "now") == 0;
    if (o->from && !config->from_now && position_place_parse(o->from, file, &config->from_offset))
        config->from_file = *file;
    else if (o->from && !config->from_now)
        config->from_gtids = o->from;
    return ERR_OK;
}

static enum err_code cutover_check(const struct follow_opts *o, struct follow_config *config,
                                   struct err *err)
{
    if (!o->cutover && (o->set_read_only || o->cutover_us || o->counts || o->json))
        return err_set(err, ERR_USAGE,
                       "--set-read-only, --cutover-timeout, --counts and --json go with --cutover");
    if (o->cutover && o->until)
        return err_set(err, ERR_USAGE, "--cutover and --until contradict");
    config->cutover = o->cutover;
    config->set_read_only = o->set_read_only;
    config->no_counts = o->counts == 1;
    config->cutover_us = o->cutover_us;
    return ERR_OK;
}

static enum err_code follow_servers(const struct follow_opts *o, struct server_url *source,
                                    struct server_url *target, struct err *err)
{
    const struct server_opts s = {
        .url = o->source, .password = o->source_password, .defaults_file = o->defaults_file};
    const struct server_opts t = {
        .url = o->target, .password = o->target_password, .defaults_file = o->defaults_file};
    const enum err_code rc = server_opts_resolve(&s, "source", source, err);

    return rc ? rc : server_opts_resolve(&t, "target", target, err);
}

/* For programs. */
static void follow_closing(const struct follow_report *r)
{
    json_t *proof = r->cutover ? json_loads(r->cutover, 0, NULL) : json_null();

    closing_json(json_pack("{s:s,s:I,s:I,s:o,s:o}", "stage", "follow", "transactions",
                           (json_int_t)r->transactions, "rows", (json_int_t)r->changes, "position",
                           closing_place(r->file, r->offset, r->gtids), "cutover",
                           proof ? proof : json_null()));
}

static enum err_code follow_with(const struct follow_opts *o, const struct general_opts *general,
                                 struct command_context *ctx, struct err *err)
{
    struct progress progress = {.stage = "follow", .endless = true, .lag_ms = -1};
    struct progress_printer *printer = NULL;
    struct follow_report report = {0};
    struct server_url source = {0};
    struct server_url target = {0};
    struct follow_config config = {.source = &source,
                                   .target = &target,
                                   .meta_schema = o->meta_schema,
                                   .threads = o->threads,
                                   .server_id = o->server_id,
                                   .ddl = o->ddl.items,
                                   .ddl_count = o->ddl.count,
                                   .accept_conflicts = o->accept_conflicts,
                                   .any_cascades = o->cascades == 1,
                                   .rate_bytes = o->rate_bytes,
                                   .in_order = o->commit_order == 1,
                                   .on_drift = (enum follow_drift_policy)o->on_drift,
                                   .check_before_image = o->check_before_image,
                                   .max_drift = o->max_drift,
                                   .drift_report = o->drift_report,
                                   .reconnect_us = o->reconnect_us};
    char *file = NULL;
    char *from = NULL;
    char *done = NULL;
    enum err_code rc;

    rc = until_parse(o->until, &config.until, &file, err);
    if (!rc)
        rc = from_parse(o, &config, &from, err);
    if (!rc && o->ddl_done && !position_place_parse(o->ddl_done, &done, &config.ddl_done_offset))
        rc = err_set(err, ERR_USAGE, "--ddl-done '%s' is not FILE:POS", o->ddl_done);
    config.ddl_done_file = done;
    if (!rc)
        rc = cutover_check(o, &config, err);
    if (!rc)
        rc = follow_servers(o, &source, &target, err);
    if (!rc && o->input)
        rc = store_open(o->input, false, &config.input, err);
    if (!rc)
        rc = progress_start(&printer, &progress, general_opts_progress(general), err);
    if (!rc) {
        rc = follow_run(&config, &progress, ctx->cancel, &report, err);
        progress_stop(printer);
        if (!general->quiet && !o->json)
            replay_print(&report);
        cutover_print(&report, o->json, general->quiet);
        if (!rc && (report.drift_logged || report.drift_removed))
            ctx->exit_status = EXIT_LEFT_OUT;
        if (general_opts_progress(general) == PROGRESS_JSON)
            follow_closing(&report);
    }
    follow_report_release(&report);
    store_free(config.input);
    server_url_release(&source);
    server_url_release(&target);
    free(file);
    free(from);
    free(done);
    return rc;
}

enum err_code command_follow(struct command_context *ctx, struct err *err)
{
    struct follow_opts opts = {.threads = 16, .reconnect_us = RECONNECT_US};
    struct general_opts general = {0};
    const struct opt_table tables[] = {{"Follow", follow_opts_table, &opts},
                                       {"General", general_opts_table, &general}};
    const struct command_line line = {
        "follow --source URL --target URL [--input URL] [OPTION]...",
        "Applies the source's binlog to a target that holds a load of its dump: each\n"
        "transaction exactly once, from where the dump was made. The same command said\n"
        "again goes on where it stopped.\n",
        tables, 2, &general};
    struct opt_set *set = NULL;
    enum err_code rc = command_start(&line, ctx, &set, NULL, err);

    mem_return_large_blocks();
    if (!rc && !general.help)
        rc = follow_with(&opts, &general, ctx, err);
    opt_set_free(set);
    return rc;
}
