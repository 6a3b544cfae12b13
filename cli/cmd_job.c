/* ferry job VERB NAME: looks at jobs, and asks the process that runs one. */
#include "cli/job_verbs.h"

#include "common/base/clock.h"
#include "common/base/mem.h"

#include <stdlib.h>
#include <string.h>

#define PAUSE_US ((uint64_t)15 * 1000000) /* a safe point is reached within 10 s */

static const char *const role_words[] = {"source", "target", NULL};

#define FIELD(f) offsetof(struct job_opts, f)
static const struct opt job_opts_table[] = {
    {"jobs-dir", 0, OPT_STRING, FIELD(jobs_dir), "DIR",
     "where jobs are kept, a folder each, and profiles ($XDG_STATE_HOME/ferry/jobs, "
     "~/.local/state/ferry/jobs)",
     NULL, 0, 0, false},
    {"json", 0, OPT_BOOL, FIELD(json), NULL, "one JSON object, whatever happens", NULL, 0, 0,
     false},
    {"accept", 0, OPT_STRING, FIELD(accept), "ID,...",
     "resume: warnings of the check that do not stand in the job's way; all: whatever only warns",
     NULL, 0, 0, false},
    {"detach", 0, OPT_BOOL, FIELD(detach), NULL, "resume: in the background", NULL, 0, 0, false},
    {"purge", 0, OPT_BOOL, FIELD(purge), NULL,
     "delete: the dump's files, and the progress on the target, too", NULL, 0, 0, false},
    {"yes", 0, OPT_BOOL, FIELD(yes), NULL, "delete: do not ask", NULL, 0, 0, false},
    {"set-read-only", 0, OPT_BOOL, FIELD(read_only), NULL,
     "cutover: make the source read-only once the target has caught up", NULL, 0, 0, false},
    {"stage", 0, OPT_STRING, FIELD(stage), "STAGE",
     "log: of this stage alone: check, dump, load, follow, cutover, verify", NULL, 0, 0, false},
    {"as", 0, OPT_ENUM, FIELD(role), "source|target",
     "profile validate: whose password is taken (source)", role_words, 0, 0, false},
    {"url", 0, OPT_STRING, FIELD(url), "URL", "profile add: mysql://user@host:port/", NULL, 0, 0,
     false},
    {"type", 0, OPT_STRING, FIELD(type), "TYPE",
     "profile add: mysql, mariadb, rds, aurora or tidb; validate compares it with the server", NULL,
     0, 0, false},
    {"region", 0, OPT_STRING, FIELD(region), "WORD", "profile add: where it is, for people", NULL,
     0, 0, false},
    {"ssl-mode", 0, OPT_STRING, FIELD(ssl_mode), "MODE",
     "profile add: disabled, preferred, required, verify_ca, verify_identity", NULL, 0, 0, false},
    {"ssl-ca", 0, OPT_STRING, FIELD(ssl_ca), "FILE", "profile add: the authority's certificate",
     NULL, 0, 0, false},
    {"ssl-cert", 0, OPT_STRING, FIELD(ssl_cert), "FILE", "profile add: the client's certificate",
     NULL, 0, 0, false},
    {"ssl-key", 0, OPT_STRING, FIELD(ssl_key), "FILE", "profile add: the client's key", NULL, 0, 0,
     false},
    {"defaults-file", 0, OPT_STRING, FIELD(defaults_file), "FILE",
     "profile validate: the mysql client's option file; groups [source], [target], [client]", NULL,
     0, 0, false},
    {.kind = OPT_END}};
#undef FIELD

#define HELP_TEXT                                                                                  \
    "  list                       all jobs\n"                                                      \
    "  status NAME                stages, progress, errors, what the check found\n"                \
    "  pause NAME                 stop at a safe point, within ten seconds\n"                      \
    "  resume NAME                go on, in whatever stage\n"                                      \
    "  cutover NAME               end following: needs the source read-only\n"                     \
    "  delete NAME                in any state, while it runs, too\n"                              \
    "  log NAME                   what the stages have logged\n"                                   \
    "  profile add|show|delete|validate NAME, profile list    servers by name\n"

/* ---- list and status ---- */

static enum err_code record_of(const struct job_home *home, struct job_record *r, struct err *err)
{
    const enum err_code rc = home_must_exist(home, err);

    return rc ? rc : job_record_read(home->dir, r, err);
}

/* "  dump: FERRY-..." of the stage that needs its user. */
static const char *blocked_text(const struct job_record *r, struct strbuf *out)
{
    for (int i = 0; i < STAGE_COUNT; i++)
        if (r->stages[i].status == STAGE_NEEDS_YOU)
            strbuf_addf(out, "  %s: %s", stage_word((enum stage_name)i),
                        r->stages[i].error.name ? r->stages[i].error.name : "");
    return strbuf_str(out);
}

static enum err_code list_one(const char *root, const char *name, json_t *all, struct err *err)
{
    struct job_home home = JOB_HOME_INIT;
    struct job_record r = {0};
    struct err one = ERR_INIT;
    struct strbuf line = {0};
    struct strbuf why = {0};
    enum err_code rc = home_init(&home, root, name, &one);

    if (rc) { /* a folder of somebody else's */
        home_release(&home);
        return ERR_OK;
    }
    rc = job_record_read(home.dir, &r, err);
    if (rc == ERR_STORE_NOT_FOUND) { /* deleted just now */
        rc = ERR_OK;
        err_clear(err);
    } else if (!rc && all) {
        (void)json_array_append_new(all, job_answer(&home, &r));
    } else if (!rc) {
        const bool running = home_locked(&home, NULL);

        job_line_text(&r, &line);
        (void)printf("%-20s %-12s %-10s %s\n", r.name, r.mode,
                     r.status == JOB_RUNNING && !running ? "stopped" : job_status_word(r.status),
                     running ? strbuf_str(&line) + strlen("job ") + strlen(r.name)
                             : blocked_text(&r, &why));
    }
    strbuf_release(&why);
    strbuf_release(&line);
    job_record_release(&r);
    home_release(&home);
    return rc;
}

static enum err_code verb_list(const struct job_opts *o, const char *root, struct err *err)
{
    char **names = NULL;
    size_t count = 0;
    json_t *all = o->json ? json_array() : NULL;
    enum err_code rc = home_list(root, &names, &count, err);

    for (size_t i = 0; !rc && i < count; i++)
        rc = list_one(root, names[i], all, err);
    if (!rc && all)
        json_answer(json_pack("{s:O}", "jobs", all));
    json_decref(all);
    home_list_free(names, count);
    return rc;
}

static enum err_code verb_status(const struct job_opts *o, struct job_home *home, struct err *err)
{
    struct job_record r = {0};
    struct strbuf text = {0};
    json_t *owner = NULL;
    const bool running = home_locked(home, &owner);
    char who[512];
    enum err_code rc = record_of(home, &r, err);

    if (!rc && o->json) {
        json_answer(job_answer(home, &r));
    } else if (!rc) {
        job_text(&r, running, &text);
        if (running) {
            home_owner_text(owner, who, sizeof who);
            strbuf_addf(&text, "run by %s\n", who);
        }
        (void)fputs(strbuf_str(&text), stdout);
    }
    json_decref(owner);
    strbuf_release(&text);
    job_record_release(&r);
    return rc;
}

/* ---- asking the runner ---- */

static enum err_code paused_wait(struct job_home *home, const struct cancel *cancel,
                                 struct err *err)
{
    const uint64_t began = clock_mono_us();

    while (home_locked(home, NULL)) {
        if (clock_mono_us() - began > PAUSE_US)
            return err_set(err, ERR_JOB_LOCKED, "job '%s' was asked to pause, and runs still",
                           home->name);
        if (!clock_sleep(100000, cancel))
            return err_set(err, ERR_INTERRUPTED, "job '%s' was asked to pause", home->name);
    }
    return ERR_OK;
}

/* A job whose process has died is paused by saying so. */
static enum err_code dead_pause(struct job_home *home, const struct cancel *cancel, struct err *err)
{
    struct job_record r = {0};
    enum err_code rc = home_lock(home, 0, cancel, err);

    if (!rc)
        rc = job_record_read(home->dir, &r, err);
    if (!rc && (r.status == JOB_RUNNING || r.status == JOB_FRESH)) {
        r.status = JOB_PAUSED;
        rc = job_record_write(home->dir, &r, err);
    }
    if (!rc)
        home_answered(home, REQUEST_PAUSE);
    job_record_release(&r);
    if (home->lock >= 0) {
        char *name = xstrdup(home->name);
        char *root = xstrdup(home->root);

        home_release(home);
        if (!rc)
            rc = home_init(home, root, name, err);
        free(name);
        free(root);
    }
    return rc;
}

static enum err_code verb_pause(const struct job_opts *o, struct job_home *home,
                                const struct cancel *cancel, struct err *err)
{
    enum err_code rc = home_must_exist(home, err);

    if (!rc && home_locked(home, NULL)) {
        rc = home_ask(home, REQUEST_PAUSE, "", err);
        if (!rc)
            rc = paused_wait(home, cancel, err);
    }
    if (!rc)
        rc = dead_pause(home, cancel, err);
    return rc ? rc : verb_status(o, home, err);
}

static enum err_code verb_cutover(const struct job_opts *o, struct job_home *home, struct err *err)
{
    struct job_record r = {0};
    enum err_code rc = record_of(home, &r, err);

    if (!rc && r.stages[STAGE_CUTOVER].status == STAGE_DONE)
        rc = err_set(err, ERR_JOB_STATE, "job '%s' has been cut over already", home->name);
    else if (!rc && r.mode && strcmp(r.mode, "full") == 0)
        rc = err_set(err, ERR_JOB_STATE, "job '%s' follows nothing: mode = full has no cut-over",
                     home->name);
    if (!rc)
        rc = home_ask(home, REQUEST_CUTOVER, o->read_only ? "set-read-only\n" : "cutover\n", err);
    if (!rc && o->json)
        json_answer(job_answer(home, &r));
    else if (!rc)
        (void)printf("job %s: cut-over is asked for%s%s\n", home->name,
                     o->read_only ? "; the source is made read-only once the target has caught up"
                                  : "; it completes once the source is read-only",
                     home_locked(home, NULL) ? "" : "; the job does not run: ferry job resume");
    job_record_release(&r);
    return rc;
}

static enum err_code verb_resume(const struct job_opts *o, const struct general_opts *general,
                                 struct job_home *home, struct command_context *ctx, bool *answered,
                                 struct err *err)
{
    struct job_start start = {.root = home->root,
                              .accepted = o->accept,
                              .json = o->json,
                              .quiet = general->quiet,
                              .progress = general_opts_progress(general),
                              .cancel = ctx->cancel};
    enum err_code rc = home_must_exist(home, err);

    if (!rc && o->accept)
        rc = accepted_check(o->accept, err);
    if (!rc && o->detach) {
        rc = job_detach(home, &start, err);
        return rc || !o->json ? rc : verb_status(o, home, err);
    }
    if (!rc)
        rc = home_begin(home, ctx->cancel, err);
    if (!rc)
        rc = job_start(home, &start, &ctx->exit_status, err);
    *answered = start.answered;
    return rc;
}

/* Those that are about one job, and do not run it. */
static enum err_code verb_of_job(const struct job_opts *o, struct job_home *home, const char *verb,
                                 const struct cancel *cancel, struct err *err)
{
    if (home_must_exist(home, err))
        return err->code;
    if (strcmp(verb, "status") == 0)
        return verb_status(o, home, err);
    if (strcmp(verb, "pause") == 0)
        return verb_pause(o, home, cancel, err);
    if (strcmp(verb, "cutover") == 0)
        return verb_cutover(o, home, err);
    if (strcmp(verb, "log") == 0)
        return job_log(o, home, err);
    return job_delete(o, home, cancel, err);
}

static enum err_code verb_run(const struct job_opts *o, const struct general_opts *general,
                              const char *const *words, struct command_context *ctx, bool *answered,
                              struct err *err)
{
    struct job_home home = JOB_HOME_INIT;
    const char *verb = words[0];
    char *root = NULL;
    enum err_code rc = jobs_dir(o->jobs_dir, &root, err);

    if (!rc && strcmp(verb, "list") == 0) {
        rc = verb_list(o, root, err);
    } else if (!rc && strcmp(verb, "profile") == 0) {
        rc = job_profile(o, root, words[1], words[2], err);
    } else if (!rc && !words[1]) {
        rc = err_set(err, ERR_USAGE, "which job? ferry job %s NAME", verb);
    } else if (!rc) {
        rc = home_init(&home, root, words[1], err);
        if (!rc && strcmp(verb, "resume") == 0)
            rc = verb_resume(o, general, &home, ctx, answered, err);
        else if (!rc)
            rc = verb_of_job(o, &home, verb, ctx->cancel, err);
    }
    home_release(&home);
    free(root);
    return rc;
}

/* ---- the line ---- */

/* Which verb an option is for; one that is not here goes with every verb. */
static const struct {
    const char *option, *verb;
} option_verbs[] = {{"accept", "resume"},    {"detach", "resume"},    {"purge", "delete"},
                    {"yes", "delete"},       {"stage", "log"},        {"set-read-only", "cutover"},
                    {"as", "profile"},       {"url", "profile"},      {"type", "profile"},
                    {"region", "profile"},   {"ssl-mode", "profile"}, {"ssl-ca", "profile"},
                    {"ssl-cert", "profile"}, {"ssl-key", "profile"},  {"defaults-file", "profile"}};

static enum err_code line_check(const struct opt_set *set, const char *verb, struct err *err)
{
    static const char *const verbs[] = {"list",    "status", "pause", "resume",
                                        "cutover", "delete", "log",   "profile"};
    bool known = false;

    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        known = known || strcmp(verbs[i], verb) == 0;
    if (!known)
        return err_set(err, ERR_USAGE,
                       "'%s' is nothing that ferry job does: list, status, pause, resume, "
                       "cutover, delete, log, profile",
                       verb);
    for (size_t i = 0; i < sizeof(option_verbs) / sizeof(option_verbs[0]); i++)
        if (opt_given(set, option_verbs[i].option) && strcmp(option_verbs[i].verb, verb) != 0)
            return err_set(err, ERR_USAGE, "--%s is for ferry job %s", option_verbs[i].option,
                           option_verbs[i].verb);
    return ERR_OK;
}

/* The words that are no options: the verb, and up to two behind it. */
static enum err_code words_take(const struct command_context *ctx, int first, const char **words,
                                struct err *err)
{
    int count = 0;

    for (int i = first; i < ctx->argc && ctx->argv[i]; i++) {
        if (count == 3 || (count == 2 && strcmp(words[0], "profile") != 0) ||
            (count == 1 && strcmp(words[0], "list") == 0))
            return err_set(err, ERR_USAGE, "'%s' is one word too many", ctx->argv[i]);
        words[count++] = ctx->argv[i];
    }
    return count ? ERR_OK
                 : err_set(err, ERR_USAGE,
                           "ferry job list|status|pause|resume|cutover|delete|log|profile");
}

enum err_code command_job(struct command_context *ctx, struct err *err)
{
    struct job_opts opts = {0};
    struct general_opts general = {0};
    const struct opt_table tables[] = {{"Job", job_opts_table, &opts},
                                       {"General", general_opts_table, &general}};
    const struct command_line line = {
        "job list|status|pause|resume|delete|cutover|log|profile [NAME] [OPTION]...", HELP_TEXT,
        tables, 2, &general};
    const bool json = json_asked(ctx);
    const char *words[4] = {0};
    struct opt_set *set = NULL;
    bool answered = false;
    int first = 0;
    enum err_code rc = command_words(&line, ctx, &set, &first, err);

    if (!rc && !general.help) {
        rc = words_take(ctx, first, words, err);
        if (!rc)
            rc = line_check(set, words[0], err);
        if (!rc)
            rc = verb_run(&opts, &general, words, ctx, &answered, err);
    }
    if (rc && !answered && (json || opts.json))
        json_error(err);
    opt_set_free(set);
    return rc;
}
