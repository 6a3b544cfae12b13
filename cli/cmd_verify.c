/* ferry verify --input URL: options -> verify_config -> verify_input -> the faults, or what was
 * found right. With --source and --target: cmd_verify_servers.c. */
#include "cli/cmd_verify.h"

#include "common/base/log.h"
#include "verify/verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct verify_opts {
    const char *input;
    unsigned threads, max_faults;
};

#define FIELD(f) offsetof(struct verify_opts, f)
const struct opt verify_opts_table[] = {
    {"input", 'i', OPT_STRING, FIELD(input), "URL",
     "where the dump is: a folder or s3://bucket/prefix?...", NULL, 0, 0, false},
    {"threads", 't', OPT_UINT, FIELD(threads), "N",
     "files checked, or chunks compared, at once (4)", NULL, 1, 256, false},
    {"max-faults", 0, OPT_UINT, FIELD(max_faults), "N", "stop after so many faults (1000)", NULL, 1,
     0, false},
    {.kind = OPT_END}};
#undef FIELD

static void report_print(const struct verify_report *r)
{
    char size[SIZE_TEXT_MAX];

    for (size_t i = 0; i < r->fault_count; i++)
        (void)printf("FAULT %s: %s\n", r->faults[i].path, r->faults[i].words);
    if (r->left_out)
        (void)fputs(r->left_out, stdout);
    if (r->foreign)
        (void)printf("the dump is %s's: it has no checksums; that its files can be read to their "
                     "ends is all that can be known%s\n",
                     r->foreign,
                     strcmp(r->foreign, "mydumper") == 0 ? ", and the rows of its tables" : "");
    size_text(r->stored_bytes, size);
    (void)printf("dump %s: %" PRIu64 " files right, %" PRIu64 " rows in %" PRIu64
                 " objects, %s stored, %zu faults\n",
                 r->uuid, r->files, r->rows, r->tables, size, r->fault_count);
}

static enum err_code verify_with(const struct verify_opts *o, const struct general_opts *general,
                                 const struct command_context *ctx, struct err *err)
{
    struct verify_config config = {.threads = o->threads, .max_faults = o->max_faults};
    struct progress progress = {.stage = "verify"};
    struct progress_printer *printer = NULL;
    struct verify_report report = {0};
    struct store *store = NULL;
    enum err_code rc;

    rc = store_open(o->input, false, &store, err);
    if (rc)
        return rc;
    rc = progress_start(&printer, &progress, general_opts_progress(general), err);
    if (!rc) {
        rc = verify_input(&config, store, &progress, ctx->cancel, &report, err);
        progress_stop(printer);
        if (report.fault_count || (!rc && !general->quiet))
            report_print(&report);
    }
    verify_report_release(&report);
    store_free(store);
    return rc;
}

enum err_code command_verify(struct command_context *ctx, struct err *err)
{
    struct verify_opts opts = {.threads = 4, .max_faults = 1000};
    struct verify_servers_opts servers = {
        .programs = true, .chunk_rows = 50000, .max_differences = 10000, .settle_us = 5000000};
    struct general_opts general = {0};
    const struct opt_table tables[] = {{"Verify", verify_opts_table, &opts},
                                       {"Two servers", verify_servers_table, &servers},
                                       {"General", general_opts_table, &general}};
    const struct command_line line = {
        "verify --input URL | --source URL --target URL [OPTION]...",
        "With --input: checks a dump without any server: every file is there, whole and\n"
        "unchanged, its rows parse and are as many as recorded, and the chunks of each\n"
        "table join up. Names each fault; exit status 5.\n"
        "With --source and --target: compares the rows of two servers, and names each that\n"
        "differs, with its columns; exit status 3.\n",
        tables, 3, &general};
    struct opt_set *set = NULL;
    enum err_code rc = command_start(&line, ctx, &set, NULL, err);

    if (rc || general.help)
        goto out;
    if (opts.input && (servers.source || servers.target))
        rc = err_set(err, ERR_USAGE, "--input and --source with --target are two things to do");
    else if (opts.input)
        rc = verify_with(&opts, &general, ctx, err);
    else
        rc = verify_servers(&servers, opts.threads, &general, ctx->cancel, err);
out:
    opt_set_free(set);
    return rc;
}
