#include "cli/job_common.h"
#include "cli/cmd_copy.h"
#include "cli/cmd_follow.h"
#include "cli/cmd_verify.h"
#include "cli/opt_csv.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/store/lease_owner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define BEGIN_US ((uint64_t)30 * 1000000) /* a job in the background holds its lock by then */
#define FILE_MAX ((size_t)1 << 20)

extern char **environ; // NOLINT: POSIX leaves its declaration to us

const struct job_commands job_commands_table = {
    {{{"", dump_opts_table, NULL}, {"", csv_opts_table, NULL}},
     {{"", load_opts_table, NULL}},
     {{"", follow_opts_table, NULL}},
     {{"", verify_servers_table, NULL}, {"", verify_opts_table, NULL}}}};

enum err_code job_resolve(const char *text, const char *role, const char *defaults_file,
                          struct server_url *url, struct err *err)
{
    const char *name = role[0] == 's' ? "FERRY_SOURCE_PASSWORD" : "FERRY_TARGET_PASSWORD";
    const struct server_opts opts = {
        .url = text,
        .password = getenv(name), // NOLINT(concurrency-mt-unsafe): nothing sets variables
        .defaults_file = defaults_file};

    return server_opts_resolve(&opts, role, url, err);
}

/* ---- JSON ---- */

bool json_asked(const struct command_context *ctx)
{
    for (int i = 1; i < ctx->argc && ctx->argv[i]; i++)
        if (strcmp(ctx->argv[i], "--json") == 0)
            return true;
    return false;
}

void json_answer(json_t *json)
{
    char *text = json_dumps(json, JSON_INDENT(1));

    (void)puts(text ? text : "{}");
    free(text);
    json_decref(json);
}

static json_t *error_json(const struct err *err)
{
    json_t *json = json_object();

    (void)json_object_set_new(json, "name", json_string(err_info(err->code)->name));
    (void)json_object_set_new(json, "message", json_any_text(err->msg));
    (void)json_object_set_new(json, "hint", json_string(err_info(err->code)->remedy));
    return json;
}

void json_error(const struct err *err)
{
    json_t *all = json_object();

    (void)json_object_set_new(all, "error", error_json(err));
    json_answer(all);
}

json_t *job_answer(const struct job_home *home, const struct job_record *r)
{
    json_t *json = job_record_json(r);
    json_t *owner = NULL;
    const bool running = home->lock < 0 && home_locked(home, &owner);

    (void)json_object_set_new(json, "running", json_boolean(running));
    (void)json_object_set_new(json, "owner", owner ? owner : json_null());
    (void)json_object_set_new(json, "folder", json_any_text(home->dir));
    return json;
}

/* ---- making ---- */

/* What may not change, as text; NULL is equal to all. */
static enum err_code shape_check(const struct job_record *r, const struct job_spec *spec,
                                 struct err *err)
{
    struct strbuf now = {0};
    const char *was = r->shape ? r->shape : "";
    const char *is;
    enum err_code rc = ERR_OK;

    spec_shape(spec, &now);
    is = strbuf_str(&now);
    while (!rc && (*was || *is)) {
        const size_t n = strcspn(was, "\n");
        const size_t m = strcspn(is, "\n");

        if (n != m || strncmp(was, is, n) != 0)
            rc = err_set(err, ERR_JOB_STATE,
                         "job '%s' was begun with '%.*s', and its file now says '%.*s': what is "
                         "moved may not change; give the job another name, or delete it first",
                         r->name, (int)n, was, (int)m, is);
        was += n + (was[n] == '\n');
        is += m + (is[m] == '\n');
    }
    strbuf_release(&now);
    return rc;
}

static enum err_code record_new(const struct job_home *home, const struct job_spec *spec,
                                struct err *err)
{
    struct job_record r;
    struct strbuf shape = {0};
    char token[LEASE_TOKEN_MAX];
    enum err_code rc = lease_token_new(token, err);

    if (rc)
        return rc;
    job_record_init(&r, home->name);
    spec_shape(spec, &shape);
    r.id = xstrdup(token);
    r.shape = strbuf_detach(&shape);
    r.mode = xstrdup(job_mode_name(spec->mode));
    r.size = xstrdup(job_size_name(spec->size));
    rc = job_record_write(home->dir, &r, err);
    job_record_release(&r);
    return rc;
}

static enum err_code file_copy(const char *path, const struct job_home *home, struct err *err)
{
    FILE *f = fopen(path, "re");
    char *text = xmalloc(FILE_MAX);
    const size_t len = f ? fread(text, 1, FILE_MAX, f) : 0;
    enum err_code rc = ERR_OK;

    if (!f || ferror(f))
        rc = err_set_errno(err, err_code_of_errno(errno), errno, "reading '%s'", path);
    else if (len == FILE_MAX)
        rc = err_set(err, ERR_LIMIT, "'%s' is no job file: it is larger than 1 MiB", path);
    else
        rc = file_replace(home->dir, "job.ini", text, len, err);
    if (f)
        (void)fclose(f);
    free(text);
    return rc;
}

static enum err_code job_found(struct job_home *home, const struct job_spec *spec, bool *over,
                               struct err *err)
{
    struct job_record r = {0};
    enum err_code rc = job_record_read(home->dir, &r, err);

    if (rc)
        return rc;
    *over = r.status == JOB_OVER;
    rc = shape_check(&r, spec, err);
    job_record_release(&r);
    return rc;
}

enum err_code job_make(struct job_home *home, const char *root, const char *file, bool *over,
                       struct err *err)
{
    struct job_spec spec = {0};
    char *dump = NULL;
    enum err_code rc = spec_read(file, root, &job_commands_table, &spec, err);

    *over = false;
    if (rc)
        return rc;
    rc = home_init(home, root, spec.name, err);
    if (!rc)
        rc = home_create(home, err);
    if (!rc)
        rc = home_begin(home, NULL, err);
    dump = home_path(home, "dump");
    if (!rc && home_exists(home))
        rc = job_found(home, &spec, over, err);
    else if (!rc && access(dump, F_OK) == 0)
        rc = err_set(err, ERR_JOB_STATE,
                     "'%s' is the dump of a job that was deleted without --purge: move it away, or "
                     "give the job another name",
                     dump);
    else if (!rc)
        rc = record_new(home, &spec, err);
    if (!rc && !*over)
        rc = file_copy(file, home, err);
    free(dump);
    spec_release(&spec);
    return rc;
}

/* ---- running ---- */

static void accept_more(struct job_record *r, const char *words)
{
    for (const char *at = words; at && *at;) {
        const size_t n = strcspn(at, ", ");

        if (n)
            (void)json_array_append_new(r->accepted, json_stringn(at, n));
        at += n;
        at += strspn(at, ", ");
    }
}

/* A done job fills no table any more. That it cannot be taken back now is said, no more. */
static void claim_end(const struct job_run *run, const struct job_record *r)
{
    const struct job_release release = {.id = r->id, .schema = run->spec->meta_schema};
    struct server_url url = {0};
    struct err err = ERR_INIT;

    if (run->resolve(run->spec->target_url, "target", run->spec->defaults_file, &url, &err) ||
        job_release(&url, &release, &err))
        log_error("job.claim", &err);
    server_url_release(&url);
}

static void end_print(const struct job_home *home, const struct job_record *r, struct job_start *s,
                      enum err_code rc, const struct err *err)
{
    struct strbuf text = {0};

    if (s->json) {
        json_t *json = job_answer(home, r);

        if (rc)
            (void)json_object_set_new(json, "error", error_json(err));
        json_answer(json);
        s->answered = true;
        return;
    }
    if (s->quiet)
        return;
    if (r->status == JOB_OVER)
        job_closing_text(r, &text);
    else
        job_text(r, false, &text);
    (void)fputs(strbuf_str(&text), stdout);
    strbuf_release(&text);
}

enum err_code job_start(struct job_home *home, struct job_start *s, int *exit_status,
                        struct err *err)
{
    struct job_spec spec = {0};
    struct job_record record = {0};
    char *file = home_path(home, "job.ini");
    const struct job_run run = {.home = home,
                                .spec = &spec,
                                .resolve = job_resolve,
                                .progress = s->progress,
                                .cancel = s->cancel};
    bool left_out = false;
    enum err_code rc = spec_read(file, s->root, &job_commands_table, &spec, err);

    if (!rc)
        rc = job_record_read(home->dir, &record, err);
    if (!rc)
        rc = shape_check(&record, &spec, err);
    if (!rc && record.status == JOB_OVER) {
        log_event(LOG_INFO, "job.done", F_STR("message", "nothing to do: this job is done"));
    } else if (!rc) {
        accept_more(&record, s->accepted);
        rc = job_run(&run, &record, &left_out, err);
        if (!rc && record.status == JOB_OVER)
            claim_end(&run, &record);
    }
    if (record.name)
        end_print(home, &record, s, rc, err);
    if (!rc && left_out)
        *exit_status = EXIT_LEFT_OUT;
    job_record_release(&record);
    spec_release(&spec);
    free(file);
    return rc;
}

/* ---- in the background ---- */

static void detached_become(char **args, int out)
{
    int null = open("/dev/null", O_RDONLY);

    if (setsid() < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
        _exit(127);
    (void)execve("/proc/self/exe", args, environ);
    _exit(127);
}

/* true: the state is of a run by this process. */
static bool begun_by(const struct job_home *home, pid_t pid)
{
    struct job_record r = {0};
    struct err err = ERR_INIT;
    const bool read = job_record_read(home->dir, &r, &err) == ERR_OK;
    const bool mine =
        read && json_integer_value(json_object_get(r.runner, "pid")) == (json_int_t)pid;

    job_record_release(&r);
    return mine;
}

/* Until it runs the job, or has ended. */
static enum err_code detached_wait(const struct job_home *home, const struct job_start *s,
                                   pid_t pid, const char *log, struct err *err)
{
    const uint64_t began = clock_mono_us();
    int status = 0;

    for (;;) {
        const bool ended = waitpid(pid, &status, WNOHANG) == pid;

        if (begun_by(home, pid))
            return ERR_OK;
        if (ended)
            return WIFEXITED(status) && WEXITSTATUS(status) == 0
                       ? ERR_OK
                       : err_set(err, ERR_JOB_STATE, "job '%s' ended at once: see '%s'", home->name,
                                 log);
        if (clock_mono_us() - began > BEGIN_US || !clock_sleep(50000, s->cancel))
            return err_set(err, ERR_JOB_STATE, "job '%s' has not begun in time: see '%s'",
                           home->name, log);
    }
}

enum err_code job_detach(const struct job_home *home, const struct job_start *s, struct err *err)
{
    char words[8][16] = {"ferry", "job", "resume", "--jobs-dir", "--accept"};
    char *log = home_path(home, "runner.log");
    char *root = xstrdup(s->root);
    char *accept = s->accepted ? xstrdup(s->accepted) : NULL;
    char *args[] = {
        words[0], words[1], words[2], home->name, words[3], root, accept ? words[4] : NULL,
        accept,   NULL};
    int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    pid_t pid = -1;
    enum err_code rc;

    if (out >= 0)
        pid = fork();
    if (pid == 0)
        detached_become(args, out);
    if (pid < 0)
        rc = err_set_errno(err, err_code_of_errno(errno), errno, "starting the job, log '%s'", log);
    else
        rc = detached_wait(home, s, pid, log, err);
    if (!rc && !s->json && !s->quiet)
        (void)printf("job %s runs in the background: process %d, log %s\n"
                     "ferry job status %s says how far it is\n",
                     home->name, (int)pid, log, home->name);
    if (out >= 0)
        (void)close(out);
    free(log);
    free(root);
    free(accept);
    return rc;
}
