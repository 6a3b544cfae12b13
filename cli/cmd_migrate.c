/* ferry migrate JOB.ini: makes a job of the file, or takes up the one that it made, and runs it. */
#include "cli/job_common.h"

#include <stdlib.h>

struct migrate_opts {
    const char *jobs_dir, *accept;
    bool detach, json, dry_run;
};

#define FIELD(f) offsetof(struct migrate_opts, f)
static const struct opt migrate_opts_table[] = {
    {"jobs-dir", 0, OPT_STRING, FIELD(jobs_dir), "DIR",
     "where jobs are kept, a folder each, and profiles ($XDG_STATE_HOME/ferry/jobs, "
     "~/.local/state/ferry/jobs)",
     NULL, 0, 0, false},
    {"accept", 0, OPT_STRING, FIELD(accept), "ID,...",
     "warnings of the check that do not stand in the job's way; all: whatever only warns", NULL, 0,
     0, false},
    {"detach", 0, OPT_BOOL, FIELD(detach), NULL, "run in the background", NULL, 0, 0, false},
    {"dry-run", 0, OPT_BOOL, FIELD(dry_run), NULL, "read the file and the profiles, and stop", NULL,
     0, 0, false},
    {"json", 0, OPT_BOOL, FIELD(json), NULL, "one JSON object at the end, whatever happens", NULL,
     0, 0, false},
    {.kind = OPT_END}};
#undef FIELD

#define HELP_TEXT                                                                                  \
    "Moves what the file names, in stages: check, dump with load beside it, follow, and, when\n"   \
    "ferry job cutover NAME asks for it, cut-over and verify. The same command said again goes\n"  \
    "on; ferry job does the rest. Passwords come from FERRY_SOURCE_PASSWORD and\n"                 \
    "FERRY_TARGET_PASSWORD. Exit status: as that of the stage that needs you, 130 paused,\n"       \
    "0 done. docs/job.md describes the file.\n"

static enum err_code dry_run(const char *root, const char *file, const struct migrate_opts *o,
                             struct err *err)
{
    struct job_spec spec = {0};
    enum err_code rc = spec_read(file, root, &job_commands_table, &spec, err);

    if (rc)
        return rc;
    if (o->json)
        json_answer(json_pack("{s:s,s:s,s:s,s:s,s:s,s:I}", "name", spec.name, "mode",
                              job_mode_name(spec.mode), "spec", job_size_name(spec.size), "source",
                              spec.source_url, "target", spec.target_url, "memory_mib",
                              (json_int_t)job_preset(spec.size)->memory_mib));
    else
        (void)printf("job %s: %s, %s (about %u MiB of memory), from %s to %s\n", spec.name,
                     job_mode_name(spec.mode), job_size_name(spec.size),
                     job_preset(spec.size)->memory_mib, spec.source_url, spec.target_url);
    spec_release(&spec);
    return ERR_OK;
}

static enum err_code migrate_with(const struct migrate_opts *o, const struct general_opts *general,
                                  const char *file, struct command_context *ctx, bool *answered,
                                  struct err *err)
{
    struct job_home home = JOB_HOME_INIT;
    struct job_start start = {.accepted = o->accept,
                              .json = o->json,
                              .quiet = general->quiet,
                              .progress = general_opts_progress(general),
                              .cancel = ctx->cancel};
    char *root = NULL;
    bool over = false;
    enum err_code rc = o->accept ? accepted_check(o->accept, err) : ERR_OK;

    if (!rc)
        rc = jobs_dir(o->jobs_dir, &root, err);
    start.root = root;
    if (!rc && o->dry_run)
        rc = dry_run(root, file, o, err);
    else if (!rc)
        rc = job_make(&home, root, file, &over, err);
    if (!rc && !o->dry_run && o->detach && !over) {
        struct job_home free_home = JOB_HOME_INIT;

        rc = home_init(&free_home, root, home.name, err);
        home_release(&home); /* for the one in the background */
        if (!rc)
            rc = job_detach(&free_home, &start, err);
        if (!rc && o->json)
            json_answer(json_pack("{s:s,s:b}", "name", free_home.name, "running", true));
        home_release(&free_home);
    } else if (!rc && !o->dry_run) {
        rc = job_start(&home, &start, &ctx->exit_status, err);
    }
    *answered = start.answered;
    home_release(&home);
    free(root);
    return rc;
}

enum err_code command_migrate(struct command_context *ctx, struct err *err)
{
    struct migrate_opts opts = {0};
    struct general_opts general = {0};
    const struct opt_table tables[] = {{"Migrate", migrate_opts_table, &opts},
                                       {"General", general_opts_table, &general}};
    const struct command_line line = {"migrate JOB.ini [OPTION]...", HELP_TEXT, tables, 2,
                                      &general};
    const bool json = json_asked(ctx);
    bool answered = false;
    struct opt_set *set = NULL;
    const char *file = NULL;
    enum err_code rc = command_start(&line, ctx, &set, &file, err);

    if (!rc && !general.help)
        rc = file ? migrate_with(&opts, &general, file, ctx, &answered, err)
                  : err_set(err, ERR_USAGE, "give the job's file: ferry migrate JOB.ini");
    if (rc && !answered && (json || opts.json))
        json_error(err);
    opt_set_free(set);
    return rc;
}
