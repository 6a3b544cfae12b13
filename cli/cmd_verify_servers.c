/* ferry verify --source URL --target URL: options -> compare_config -> compare_run -> what differs,
 * line by line, and the sum. */
#include "cli/closing.h"
#include "cli/cmd_verify.h"

#include "common/base/clock.h"
#include "verify/compare.h"

#include <inttypes.h>
#include <stdio.h>

#define FIELD(f) offsetof(struct verify_servers_opts, f)
const struct opt verify_servers_table[] = {
    {"source", 0, OPT_STRING, FIELD(source), "URL",
     "mysql://user@host:port/?ssl-mode=... or mysql://user@/?socket=PATH", NULL, 0, 0, false},
    {"target", 0, OPT_STRING, FIELD(target), "URL", "the server that is compared with it", NULL, 0,
     0, false},
    {"source-password", 0, OPT_STRING, FIELD(source_password), "WORD",
     "only in the environment or the config file", NULL, 0, 0, true},
    {"target-password", 0, OPT_STRING, FIELD(target_password), "WORD",
     "only in the environment or the config file", NULL, 0, 0, true},
    {"defaults-file", 0, OPT_STRING, FIELD(defaults_file), "FILE",
     "the mysql client's option file; groups [source], [target], [client]", NULL, 0, 0, false},
    {"filter", 'f', OPT_LIST, FIELD(filters), "PATTERN",
     "tables of the source, repeatable: 'shop.*', '!shop.log_*'; the last match wins (all)", NULL,
     0, 0, false},
    {"case-sensitive", 0, OPT_BOOL, FIELD(case_sensitive), NULL, "the filter minds case", NULL, 0,
     0, false},
    {"rename", 0, OPT_LIST, FIELD(renames), "FROM=TO",
     "other names on the target, repeatable: 'shop.*=shop2.*', 'shop.t=shop2.u'", NULL, 0, 0,
     false},
    {"chunk-rows", 0, OPT_SIZE, FIELD(chunk_rows), "N",
     "rows that are counted and summed by one statement on either side (50000)", NULL, 100,
     100000000, false},
    {"checksum", 0, OPT_ENUM, FIELD(checksum), "crc32|sha256",
     "what the servers sum of each row: 32 bits made by CRC32, or 64 of its SHA-256, which "
     "takes longer (crc32)",
     (const char *const[]){"crc32", "sha256", NULL}, 0, 0, false},
    {"max-differences", 0, OPT_SIZE, FIELD(max_differences), "N",
     "stop when so many rows differ (10000)", NULL, 1, UINT64_MAX / 2, false},
    {"recheck", 0, OPT_UINT, FIELD(recheck), "N",
     "look at rows that differ so many times again before they are called different: for a target "
     "that is still catching up (0)",
     NULL, 0, 1000, false},
    {"settle", 0, OPT_DURATION, FIELD(settle_us), "TIME", "wait so long before each time (5s)",
     NULL, 0, 0, false},
    {"programs", 0, OPT_BOOL, FIELD(programs), NULL,
     "compare triggers, routines and events, too, unless a server is TiDB (yes; --no-programs)",
     NULL, 0, 0, false},
    {"fix-sql", 0, OPT_STRING, FIELD(fix_sql), "FILE",
     "write the statements that make the target's rows equal", NULL, 0, 0, false},
    {"report", 0, OPT_STRING, FIELD(report), "FILE", "write each difference as a line of JSON",
     NULL, 0, 0, false},
    {"state", 0, OPT_STRING, FIELD(state), "FILE",
     "note finished chunks there: the same command said again goes on, and looks again only at "
     "those that were different; removed when all was compared",
     NULL, 0, 0, false},
    {"rate", 0, OPT_SIZE, FIELD(rate_rows), "ROWS",
     "compare at most so many rows a second, over all threads (no limit)", NULL, 100,
     UINT64_MAX / 2000000, false},
    {"source-throttle", 0, OPT_STRING, FIELD(source_throttle), "RULE",
     "pause while a status value of the source is not so: 'Threads_running<40'", NULL, 0, 0, false},
    {"target-throttle", 0, OPT_STRING, FIELD(target_throttle), "RULE", "likewise of the target",
     NULL, 0, 0, false},
    {.kind = OPT_END}};
#undef FIELD

static void found_print(void *ctx, const char *line)
{
    (void)ctx;
    (void)printf("DIFFERENT %s\n", line);
}

static void report_print(const struct compare_report *r, uint64_t us)
{
    (void)printf("%" PRIu64 " tables compared, %" PRIu64 " rows of the source with %" PRIu64
                 " of the target in %.1f s; %" PRIu64 " rows read\n",
                 r->tables, r->rows, r->target_rows, (double)us / 1e6, r->fetched);
    if (r->resumed)
        (void)printf("rows that an earlier run had found equal: %" PRIu64 "\n", r->resumed);
    if (r->settled)
        (void)printf("rows that were equal when they were looked at again: %" PRIu64 "\n",
                     r->settled);
    (void)printf("changed: %" PRIu64 ", missing on the target: %" PRIu64 ", extra there: %" PRIu64
                 ", objects or definitions: %" PRIu64 "\n",
                 r->changed, r->missing, r->extra, r->objects);
}

/* For programs. */
static void report_closing(const struct compare_report *r)
{
    closing_json(json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:b}", "stage", "verify", "compared",
                           (json_int_t)r->tables, "rows", (json_int_t)r->rows, "target_rows",
                           (json_int_t)r->target_rows, "changed", (json_int_t)r->changed, "missing",
                           (json_int_t)r->missing, "extra", (json_int_t)r->extra, "objects",
                           (json_int_t)r->objects, "equal",
                           !(r->changed + r->missing + r->extra + r->objects)));
}

static enum err_code servers_resolve(const struct verify_servers_opts *o, struct server_url *source,
                                     struct server_url *target, struct err *err)
{
    const struct server_opts from = {
        .url = o->source, .password = o->source_password, .defaults_file = o->defaults_file};
    const struct server_opts to = {
        .url = o->target, .password = o->target_password, .defaults_file = o->defaults_file};

    if (!o->source || !o->target)
        return err_set(err, ERR_USAGE,
                       "give --input FOLDER to check a dump, or both --source URL and --target URL "
                       "to compare two servers");
    if (server_opts_resolve(&from, "source", source, err))
        return err->code;
    return server_opts_resolve(&to, "target", target, err);
}

enum err_code verify_servers(const struct verify_servers_opts *o, unsigned threads,
                             const struct general_opts *general, const struct cancel *cancel,
                             struct err *err)
{
    struct compare_config config = {.filters = o->filters.items,
                                    .filter_count = o->filters.count,
                                    .case_sensitive = o->case_sensitive,
                                    .renames = o->renames.items,
                                    .rename_count = o->renames.count,
                                    .threads = threads,
                                    .chunk_rows = o->chunk_rows,
                                    .max_differences = o->max_differences,
                                    .strong = o->checksum == 1,
                                    .recheck = o->recheck,
                                    .settle_us = o->settle_us,
                                    .no_programs = !o->programs,
                                    .fix_sql = o->fix_sql,
                                    .report = o->report,
                                    .state = o->state,
                                    .rate_rows = o->rate_rows,
                                    .found = found_print};
    struct progress progress = {.stage = "verify"};
    struct progress_printer *printer = NULL;
    struct compare_report report = {0};
    struct server_url source = {0};
    struct server_url target = {0};
    const uint64_t began = clock_mono_us();
    enum err_code rc = servers_resolve(o, &source, &target, err);

    if (!rc && o->source_throttle)
        rc = throttle_parse(o->source_throttle, &config.source_throttle, err);
    if (!rc && o->target_throttle)
        rc = throttle_parse(o->target_throttle, &config.target_throttle, err);
    if (!rc)
        rc = progress_start(&printer, &progress, general_opts_progress(general), err);
    if (!rc) {
        rc = compare_run(&config, &source, &target, &progress, cancel, &report, err);
        progress_stop(printer);
        if ((!rc || rc == ERR_VERIFY_DIFFERENT) && !general->quiet)
            report_print(&report, clock_mono_us() - began);
        if ((!rc || rc == ERR_VERIFY_DIFFERENT) && general_opts_progress(general) == PROGRESS_JSON)
            report_closing(&report);
    }
    server_url_release(&source);
    server_url_release(&target);
    return rc;
}
