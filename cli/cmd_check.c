/* ferry check: options -> check_config -> check_run -> the items, as text or JSON. */
#include "cli/opt_common.h"

#include "check/check.h"
#include "common/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_CHECK_FAILED 4

struct check_opts {
    const char *source, *target, *source_password, *target_password, *defaults_file;
    const char *output;
    struct opt_list filters, renames, ignore;
    bool case_sensitive, json, all, collisions;
    unsigned threads, load_threads, server_id;
    uint64_t max_definitions;
    int stage; /* index into stage_words */
    int key_collation;
};

static const char *const key_collation_words[] = {"safe", "nearest", NULL};
static const char *const stage_words[] = {"auto", "dump", "load", "follow", "migrate", NULL};

#define FIELD(f) offsetof(struct check_opts, f)
static const struct opt check_opts_table[] = {
    {"source", 0, OPT_STRING, FIELD(source), "URL",
     "mysql://user@host:port/?ssl-mode=... or mysql://user@/?socket=PATH", NULL, 0, 0, false},
    {"target", 0, OPT_STRING, FIELD(target), "URL", "the server that is to be written to", NULL, 0,
     0, false},
    {"source-password", 0, OPT_STRING, FIELD(source_password), "WORD",
     "only in the environment or the config file", NULL, 0, 0, true},
    {"target-password", 0, OPT_STRING, FIELD(target_password), "WORD",
     "only in the environment or the config file", NULL, 0, 0, true},
    {"defaults-file", 0, OPT_STRING, FIELD(defaults_file), "FILE",
     "the mysql client's option file; groups [source], [target], [client]", NULL, 0, 0, false},
    {"for", 0, OPT_ENUM, FIELD(stage), "dump|load|follow|migrate",
     "what is to be done; migrate is all three (migrate with both servers, else dump or load)",
     stage_words, 0, 0, false},
    {"output", 'o', OPT_STRING, FIELD(output), "URL",
     "where the dump would be written: a small file is written there and removed again", NULL, 0, 0,
     false},
    {"filter", 'f', OPT_LIST, FIELD(filters), "PATTERN",
     "tables to be moved, repeatable: 'shop.*', '!shop.log_*'; the last match wins (all)", NULL, 0,
     0, false},
    {"case-sensitive", 0, OPT_BOOL, FIELD(case_sensitive), NULL, "the filter minds case", NULL, 0,
     0, false},
    {"rename", 0, OPT_LIST, FIELD(renames), "FROM=TO",
     "other names on the target, repeatable: 'shop.*=shop2.*', 'shop.t=shop2.u'", NULL, 0, 0,
     false},
    {"ignore", 0, OPT_LIST, FIELD(ignore), "ID,...",
     "checks that do not count when they do not pass, repeatable; all: whatever only warns", NULL,
     0, 0, false},
    {"threads", 't', OPT_UINT, FIELD(threads), "N", "threads of the dump (4)", NULL, 1, 256, false},
    {"load-threads", 0, OPT_UINT, FIELD(load_threads), "N", "threads of load and follow (16)", NULL,
     1, 256, false},
    {"server-id", 0, OPT_UINT, FIELD(server_id), "N", "the follower's (a free one)", NULL, 1, 0,
     false},
    {"collisions", 0, OPT_BOOL, FIELD(collisions), NULL,
     "also look for rows that would be one under the collations of target tables that exist: reads "
     "their keys whole on the source",
     NULL, 0, 0, false},
    {"key-collation", 0, OPT_ENUM, FIELD(key_collation), "safe|nearest",
     "that the load will be told: nearest may let rows of tables yet to be created collide, which "
     "--collisions looks for (safe)",
     key_collation_words, 0, 0, false},
    {"max-definitions", 0, OPT_SIZE, FIELD(max_definitions), "N",
     "convert so many definitions for the target at most; 0 all (20000)", NULL, 0, 0, false},
    {"all", 'a', OPT_BOOL, FIELD(all), NULL, "print what has passed, too", NULL, 0, 0, false},
    {"json", 0, OPT_BOOL, FIELD(json), NULL, "one JSON object, whatever happens", NULL, 0, 0,
     false},
    {.kind = OPT_END}};
#undef FIELD

#define HELP_TEXT                                                                                  \
    "Says what will not work before it is tried: each item is Passed, Warning, Failed or "         \
    "Skipped,\n"                                                                                   \
    "with what was found, why it matters and the statement that mends it. Nothing is changed on\n" \
    "either server. Exit status 4 when an item has failed. ferry help checks lists the items.\n"

/* Several ids may stand in one word. */
static void ids_split(const struct opt_list *list, struct strbuf *words, struct opt_list *out)
{
    size_t count = 0;

    for (size_t i = 0; i < list->count; i++) {
        strbuf_addstr(words, list->items[i]);
        strbuf_addch(words, ',');
    }
    for (size_t i = 0; i < words->len; i++)
        count += words->str[i] == ',';
    out->items = xcalloc(count + 1, sizeof(*out->items));
    for (char *at = words->str; at && *at;) {
        char *end = strchr(at, ',');

        *end = '\0';
        if (*at)
            out->items[out->count++] = at;
        at = end + 1;
    }
}

static unsigned stages_of(const struct check_opts *o, bool source, bool target)
{
    static const unsigned stages[] = {0, CHECK_DUMP, CHECK_LOAD, CHECK_FOLLOW, CHECK_MIGRATE};

    if (o->stage)
        return stages[o->stage];
    return source && target ? CHECK_MIGRATE : source ? CHECK_DUMP : CHECK_LOAD;
}

static enum err_code urls_resolve(const struct check_opts *o, struct server_url *source,
                                  struct server_url *target, struct err *err)
{
    const struct server_opts from = {
        .url = o->source, .password = o->source_password, .defaults_file = o->defaults_file};
    const struct server_opts to = {
        .url = o->target, .password = o->target_password, .defaults_file = o->defaults_file};

    if (!o->source && !o->target)
        return err_set(err, ERR_USAGE, "give --source URL, --target URL, or both");
    if (o->source && server_opts_resolve(&from, "source", source, err))
        return err->code;
    return o->target ? server_opts_resolve(&to, "target", target, err) : ERR_OK;
}

static void report_print(const struct check_opts *o, const struct check_report *report, bool quiet)
{
    struct strbuf out = {0};

    if (o->json)
        check_report_json(report, &out);
    else if (!quiet || report->failed)
        check_report_text(report, o->all, &out);
    (void)fputs(strbuf_str(&out), stdout);
    strbuf_release(&out);
}

static enum err_code check_with(const struct check_opts *o, bool quiet, struct command_context *ctx,
                                struct err *err)
{
    struct server_url source = {0};
    struct server_url target = {0};
    struct check_report report = {0};
    struct opt_list ignore = {0};
    struct strbuf words = {0};
    enum err_code rc = urls_resolve(o, &source, &target, err);

    ids_split(&o->ignore, &words, &ignore);
    if (!rc) {
        const struct check_config config = {.stages = stages_of(o, o->source, o->target),
                                            .source = o->source ? &source : NULL,
                                            .target = o->target ? &target : NULL,
                                            .filters = o->filters.items,
                                            .filter_count = o->filters.count,
                                            .case_sensitive = o->case_sensitive,
                                            .renames = o->renames.items,
                                            .rename_count = o->renames.count,
                                            .output = o->output,
                                            .ignore = ignore.items,
                                            .ignore_count = ignore.count,
                                            .threads = o->threads,
                                            .load_threads = o->load_threads,
                                            .server_id = o->server_id,
                                            .collisions = o->collisions,
                                            .key_collation_nearest = o->key_collation == 1,
                                            .max_definitions = (size_t)o->max_definitions,
                                            .cancel = ctx->cancel};

        rc = check_run(&config, &report, err);
    }
    if (!rc) {
        report_print(o, &report, quiet);
        ctx->exit_status = report.failed ? EXIT_CHECK_FAILED : 0;
    }
    check_report_release(&report);
    free(ignore.items);
    strbuf_release(&words);
    server_url_release(&source);
    server_url_release(&target);
    return rc;
}

/* Also where the line itself cannot be read. */
static bool json_asked(const struct command_context *ctx)
{
    for (int i = 1; i < ctx->argc && ctx->argv[i]; i++)
        if (strcmp(ctx->argv[i], "--json") == 0)
            return true;
    return false;
}

enum err_code command_check(struct command_context *ctx, struct err *err)
{
    struct check_opts opts = {.threads = 4, .load_threads = 16, .max_definitions = 20000};
    struct general_opts general = {0};
    const struct opt_table tables[] = {{"Check", check_opts_table, &opts},
                                       {"General", general_opts_table, &general}};
    const struct command_line line = {"check --source URL [--target URL] [OPTION]...", HELP_TEXT,
                                      tables, 2, &general};
    const bool json = json_asked(ctx);
    struct opt_set *set = NULL;
    enum err_code rc = command_start(&line, ctx, &set, NULL, err);

    if (!rc && !general.help)
        rc = check_with(&opts, general.quiet, ctx, err);
    if (rc && (json || opts.json)) {
        struct strbuf out = {0};

        check_error_json(err, &out);
        (void)fputs(strbuf_str(&out), stdout);
        strbuf_release(&out);
    }
    opt_set_free(set);
    return rc;
}
