/* ferry status URL: how far a dump or a load is, from another terminal or another machine. */
#include "cli/status_load.h"

#include "formats/dump_status.h"

#include <stdio.h>
#include <string.h>

struct status_opts {
    bool json;
    const char *meta_schema;
};

#define FIELD(f) offsetof(struct status_opts, f)
static const struct opt status_opts_table[] = {
    {"json", 0, OPT_BOOL, FIELD(json), NULL, "one JSON object", NULL, 0, 0, false},
    {"meta-schema", 0, OPT_STRING, FIELD(meta_schema), "NAME",
     "database on the target that keeps the loads' progress (ferry_meta)", NULL, 0, 0, false},
    {.kind = OPT_END}};
#undef FIELD

static enum err_code status_print(const char *url, bool json, struct err *err)
{
    struct dump_status status;
    struct strbuf text = {0};
    struct store *store = NULL;
    enum err_code rc;

    rc = store_open(url, false, &store, err);
    if (!rc)
        rc = dump_status_read(store, &status, err);
    if (!rc) {
        if (json)
            dump_status_json(&status, &text);
        else
            dump_status_text(&status, &text);
        (void)fputs(strbuf_str(&text), stdout);
    }
    strbuf_release(&text);
    store_free(store);
    return rc;
}

enum err_code command_status(struct command_context *ctx, struct err *err)
{
    struct status_opts opts = {0};
    struct general_opts general = {0};
    struct server_opts target = {0};
    const struct opt_table tables[] = {{"Status", status_opts_table, &opts},
                                       {"Target server", target_opts_table, &target},
                                       {"General", general_opts_table, &general}};
    const struct command_line line = {
        "status URL [--json]",
        "Says how far a dump is, in a folder or at s3://bucket/prefix: running and by\n"
        "whom, unfinished or finished; tables, rows, bytes, share. Of a target, a URL of the\n"
        "form mysql://..., how far its loads are, and each machine that is at them. It reads\n"
        "only, and disturbs nobody.\n",
        tables, 3, &general};
    struct opt_set *set = NULL;
    const char *url = NULL;
    enum err_code rc = command_start(&line, ctx, &set, &url, err);

    if (rc || general.help)
        goto out;
    if (!url) {
        rc = err_set(err, ERR_USAGE, "give one URL: ferry status FOLDER, or mysql://...");
    } else if (strncmp(url, "mysql://", 8) == 0) {
        target.url = url;
        rc = status_load_print(&target, opts.meta_schema, opts.json, err);
    } else {
        rc = status_print(url, opts.json, err);
    }
out:
    opt_set_free(set);
    return rc;
}
