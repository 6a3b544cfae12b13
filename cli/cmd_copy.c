/* ferry copy: a dump and its load at once, with a spool of a limited size between them.
 *
 * Who starts whom: the command's thread starts the thread "dump", and when that has begun (what an
 * earlier run left is looked through, and records of this dump are there) the thread "load". It
 * hands the user's cancel on to both, and when one of them fails, has the other stop. The two speak
 * to each other by the spool alone: files, records, and room.
 *
 * A dump that is finished is no error here: its load goes on.
 *
 * A dump that goes on where the source has moved, in the same process or in the next, has rows of
 * several moments. The load ends with the binlog between them, which it reads from the source: that
 * is at hand, so nothing of it is captured into the spool. */
#include "cli/cmd_copy.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/mysql/conn.h"
#include "common/mysql/same_server.h"
#include "common/store/spool.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOK_US 20000
#define CHUNK_MAX ((uint64_t)64 << 20)
#define CHUNK_MIN ((uint64_t)64 << 10)
#define WRITER_BYTES ((uint64_t)64 << 10) /* what a file may be longer by than its values */

struct copy_opts {
    const char *source, *target, *source_password, *target_password, *defaults_file;
    const char *spool;
    uint64_t spool_bytes;
    unsigned dump_threads, load_threads;
};

#define FIELD(f) offsetof(struct copy_opts, f)
static const struct opt copy_opts_table[] = {
    {"source", 0, OPT_STRING, FIELD(source), "URL",
     "mysql://user@host:port/?ssl-mode=... or mysql://user@/?socket=PATH", NULL, 0, 0, false},
    {"target", 0, OPT_STRING, FIELD(target), "URL", "the server that is written to", NULL, 0, 0,
     false},
    {"source-password", 0, OPT_STRING, FIELD(source_password), "WORD",
     "only in the environment or the config file", NULL, 0, 0, true},
    {"target-password", 0, OPT_STRING, FIELD(target_password), "WORD",
     "only in the environment or the config file", NULL, 0, 0, true},
    {"defaults-file", 0, OPT_STRING, FIELD(defaults_file), "FILE",
     "the mysql client's option file; groups [source], [target], [client]", NULL, 0, 0, false},
    {"spool", 0, OPT_STRING, FIELD(spool), "FOLDER",
     "where files lie between the two; records stay in it, the same command goes on from them",
     NULL, 0, 0, false},
    {"spool-size", 0, OPT_SIZE, FIELD(spool_bytes), "BYTES",
     "the most that the folder holds at any time; the dump waits when it is full (10GiB)", NULL,
     (uint64_t)1 << 20, (uint64_t)1 << 50, false},
    {"dump-threads", 0, OPT_UINT, FIELD(dump_threads), "N", "threads that read the source (4)",
     NULL, 1, 256, false},
    {"load-threads", 0, OPT_UINT, FIELD(load_threads), "N", "threads that write the target (16)",
     NULL, 1, 256, false},
    {.kind = OPT_END}};
#undef FIELD

/* Of the two commands' options those that one command can have: no name twice, and nothing that
 * would leave files that are never loaded. */
static const char *const dump_names[] = {"filter",
                                         "case-sensitive",
                                         "compress",
                                         "chunk-size",
                                         "chunk-time",
                                         "statement-size",
                                         "consistency",
                                         "lock-wait",
                                         "ddl-lock",
                                         "lock-wait-timeout",
                                         "long-query-guard",
                                         "long-query-retries",
                                         "where",
                                         "kill-long-queries",
                                         "on-table-error",
                                         "long-query-retry-interval",
                                         "rate",
                                         "throttle",
                                         "no-views",
                                         "columns",
                                         "triggers",
                                         "rows-limit",
                                         "routines",
                                         "events",
                                         "definer",
                                         "resume",
                                         "restart",
                                         "yes",
                                         "take-over",
                                         "max-epochs",
                                         "reconnect-timeout",
                                         NULL};
static const char *const load_names[] = {"if-table-exists",  "on-conflict",     "identical",
                                         "max-conflicts",    "conflict-report", "on-bad-value",
                                         "batch-size",       "batch-rows",      "path",
                                         "meta-schema",      "lease",           "rename",
                                         "spatial",          "on-object-error", "indexes",
                                         "foreign-keys",     "programs",        "programs-file",
                                         "analyze",          "session",         "skip-binlog",
                                         "accept-conflicts", "cascades",        NULL};

/* The rows of the table that are named; heap. */
static struct opt *opts_of(const struct opt *table, const char *const *names)
{
    struct opt *out;
    size_t count = 0;

    while (table[count].kind != OPT_END)
        count++;
    out = xcalloc(count + 1, sizeof *out);
    count = 0;
    for (const struct opt *o = table; o->kind != OPT_END; o++)
        for (const char *const *name = names; *name; name++)
            if (strcmp(o->name, *name) == 0)
                out[count++] = *o;
    out[count].kind = OPT_END;
    return out;
}

/* ---- the two threads ---- */

struct copy {
    struct dump_config dump;
    struct load_config load;
    const struct server_url *source, *target;
    struct spool *spool;
    struct replay replay; /* the load's */
    struct progress dump_progress, load_progress;
    struct cancel dump_cancel, load_cancel;
    struct dump_report dump_report;
    struct load_report load_report;
    /* Each set by one thread; the others read it behind the flag that follows it. */
    struct err dump_err, load_err;
    atomic_bool begun; /* by the dump: there is something to load */
    atomic_bool dump_ended, load_ended;
};

static void copy_begun(void *ctx)
{
    struct copy *c = ctx;

    atomic_store(&c->begun, true);
}

static void *dump_main(void *ctx)
{
    struct copy *c = ctx;
    enum err_code rc;

    conn_thread_init();
    rc = dump_run(&c->dump, c->source, spool_store(c->spool), &c->dump_progress, &c->dump_cancel,
                  &c->dump_report, &c->dump_err);
    if (rc == ERR_DUMP_FINISHED) {
        err_clear(&c->dump_err);
        atomic_store(&c->begun, true);
    }
    atomic_store(&c->dump_ended, true);
    conn_thread_end();
    return NULL;
}

static void *load_main(void *ctx)
{
    struct copy *c = ctx;

    conn_thread_init();
    if (load_run(&c->load, spool_store(c->spool), c->target, &c->load_progress, &c->load_cancel,
                 &c->load_report, &c->load_err) == ERR_OK)
        err_clear(&c->load_err);
    atomic_store(&c->load_ended, true);
    conn_thread_end();
    return NULL;
}

static void copy_stop(struct copy *c)
{
    cancel_ask(&c->dump_cancel);
    cancel_ask(&c->load_cancel);
    spool_stop(c->spool);
}

/* One look at how things are: hands on what asks for a stop. */
static void copy_look(struct copy *c, const struct cancel *user, bool loading, struct err *first)
{
    if (!first->code && loading && atomic_load(&c->load_ended))
        *first = c->load_err;
    if (!first->code && atomic_load(&c->dump_ended))
        *first = c->dump_err;
    if (first->code || cancel_asked(user))
        copy_stop(c);
    (void)clock_sleep(LOOK_US, NULL);
}

/* Both have ended when this returns; the first error of either. */
static enum err_code copy_threads(struct copy *c, const struct cancel *user, struct err *err)
{
    struct err first = ERR_INIT;
    pthread_t dump, load;
    bool loading;

    if (pthread_create(&dump, NULL, dump_main, c))
        return err_set(err, ERR_FAILED, "cannot start a thread");
    while (!atomic_load(&c->begun) && !atomic_load(&c->dump_ended))
        copy_look(c, user, false, &first);
    loading = atomic_load(&c->begun) && !pthread_create(&load, NULL, load_main, c);
    if (!loading) {
        copy_stop(c);
        if (atomic_load(&c->begun))
            (void)err_set(&first, ERR_FAILED, "cannot start a thread");
    }
    while (!atomic_load(&c->dump_ended) || (loading && !atomic_load(&c->load_ended)))
        copy_look(c, user, loading, &first);
    copy_look(c, user, loading, &first);
    (void)pthread_join(dump, NULL);
    if (loading)
        (void)pthread_join(load, NULL);
    if (first.code)
        *err = first;
    return first.code;
}

/* ---- from the options ---- */

struct copy_line { /* what was said */
    struct copy_opts copy;
    struct dump_opts *dump;
    struct load_opts *load;
    struct general_opts general;
    struct opt_set *set;
};

/* A few files a thread fit into the spool; what one may need is set aside while it is written. */
static uint64_t chunk_bytes(const struct copy_opts *o)
{
    const uint64_t part = o->spool_bytes / (o->dump_threads * (uint64_t)4);

    return part < CHUNK_MIN ? CHUNK_MIN : part > CHUNK_MAX ? CHUNK_MAX : part;
}

static enum err_code copy_configs(struct copy_line *l, struct copy *c, struct err *err)
{
    const struct copy_opts *o = &l->copy;
    bool yes;

    if (!o->spool)
        return err_set(err, ERR_USAGE, "no spool: give --spool FOLDER, a folder for this copy");
    if (strstr(o->spool, "://") && strncmp(o->spool, "file://", 7) != 0)
        return err_set(err, ERR_USAGE,
                       "a spool is a folder of this machine: for object storage "
                       "say ferry dump and ferry load, which need none");
    if (dump_opts_config(l->dump, o->spool, &c->dump, &yes, err) ||
        load_opts_config(l->load, o->spool, yes, &c->load, err))
        return err->code;
    c->dump.threads = o->dump_threads;
    if (!opt_given(l->set, "chunk-size"))
        c->dump.chunk_bytes = chunk_bytes(o);
    c->dump.begun = copy_begun;
    c->dump.begun_ctx = c;
    c->dump.replayed = true;
    c->load.threads = o->load_threads;
    c->load.wait_us = UINT64_MAX; /* the dump's end ends it */
    return ERR_OK;
}

static enum err_code copy_spool(const struct copy_opts *o, struct copy *c, struct err *err)
{
    const uint64_t values = c->dump.chunk_bytes;
    const struct spool_params params = {
        .limit = o->spool_bytes,
        /* a file is ended when it has a quarter more than it should; what does not compress takes
         * a little more than it has */
        .object_bytes = values + values / 4 + values / 64 + WRITER_BYTES};
    struct store *folder = NULL;
    enum err_code rc = store_open(o->spool, true, &folder, err);

    if (!rc)
        rc = spool_new(folder, &params, &c->spool, err);
    c->dump.spool = c->load.spool = c->spool;
    return rc;
}

static enum err_code copy_server(const struct copy_opts *o, const char *role,
                                 struct server_url *url, struct err *err)
{
    const bool source = strcmp(role, "source") == 0;
    const struct server_opts opts = {.url = source ? o->source : o->target,
                                     .password = source ? o->source_password : o->target_password,
                                     .defaults_file = o->defaults_file};

    return server_opts_resolve(&opts, role, url, err);
}

/* A source that cannot be reached is not the target, which then cannot be, either. */
static bool copy_same_server(const struct copy *c)
{
    struct conn *source = NULL, *target = NULL;
    struct err ignored = ERR_INIT;
    bool same = false;

    if (conn_open(c->source, CONN_SOURCE, "copy", &source, &ignored) ||
        conn_open(c->target, CONN_TARGET, "copy", &target, &ignored) ||
        server_same(source, target, &same, &ignored))
        log_event(LOG_DEBUG, "copy.same-server", F_STR("message", ignored.msg));
    conn_close(source);
    conn_close(target);
    return same;
}

static void copy_replay(const struct copy_line *l, struct copy *c)
{
    c->replay = (struct replay){.source = c->source,
                                .target = c->target,
                                .input = spool_store(c->spool),
                                .cancel = &c->load_cancel};
    load_opts_replay(l->load, &c->replay);
    c->replay.threads = l->copy.load_threads;
    c->load.replay = replay_run;
    c->load.replay_ctx = &c->replay;
    c->load.replay_source = true;
}

/* ---- running it ---- */

/* On a terminal there is one live line: the load's, since that is what is done. */
static enum err_code copy_run(struct copy *c, const struct general_opts *general,
                              const struct cancel *user, struct err *err)
{
    const enum progress_mode mode = general_opts_progress(general);
    const bool live = mode == PROGRESS_AUTO && isatty(STDERR_FILENO);
    struct progress_printer *dump = NULL, *load = NULL;
    enum err_code rc;

    c->dump_progress.stage = "dump";
    c->load_progress.stage = "load";
    rc = progress_start(&dump, &c->dump_progress, live ? PROGRESS_NONE : mode, err);
    if (!rc)
        rc = progress_start(&load, &c->load_progress, mode, err);
    if (!rc)
        rc = copy_threads(c, user, err);
    progress_stop(load);
    progress_stop(dump);
    return rc;
}

static enum err_code copy_print(const struct copy_line *l, const struct copy *c, enum err_code rc,
                                struct err *err)
{
    const bool quiet = l->general.quiet;
    char most[SIZE_TEXT_MAX];

    if (!rc && !quiet && c->dump_report.total_us) {
        dump_print(&c->dump_report);
        size_text(spool_peak(c->spool), most);
        (void)printf("spool: %s at most\n", most);
    }
    return load_print(l->load, &c->load, &c->load_report, quiet, rc, err);
}

static enum err_code copy_with(struct copy_line *l, struct command_context *ctx, struct err *err)
{
    struct server_url source = {0}, target = {0};
    struct copy c = {.source = &source, .target = &target};
    enum err_code rc = copy_configs(l, &c, err);

    if (!rc)
        rc = copy_server(&l->copy, "source", &source, err);
    if (!rc)
        rc = copy_server(&l->copy, "target", &target, err);
    if (!rc)
        rc = copy_spool(&l->copy, &c, err);
    if (rc)
        goto out;
    load_opts_session(l->load, &target);
    c.load.target_is_source = copy_same_server(&c);
    copy_replay(l, &c);
    rc = copy_run(&c, &l->general, ctx->cancel, err);
    rc = copy_print(l, &c, rc, err);
    if (c.replay.ran && !l->general.quiet)
        replay_print(&c.replay.report);
    if (!rc && c.dump_report.left_out + c.load_report.left_out + c.load_report.skipped +
                       c.load_report.objects_failed >
                   0)
        ctx->exit_status = EXIT_LEFT_OUT;
out:
    dump_report_release(&c.dump_report);
    load_report_release(&c.load_report);
    follow_report_release(&c.replay.report);
    spool_free(c.spool);
    server_url_release(&source);
    server_url_release(&target);
    return rc;
}

enum err_code command_copy(struct command_context *ctx, struct err *err)
{
    struct copy_line l = {
        .copy = {.spool_bytes = (uint64_t)10 << 30, .dump_threads = 4, .load_threads = 16},
        .dump = dump_opts_new(),
        .load = load_opts_new()};
    struct opt *dump = opts_of(dump_opts_table, dump_names);
    struct opt *load = opts_of(load_opts_table, load_names);
    const struct opt_table tables[] = {{"Copy", copy_opts_table, &l.copy},
                                       {"Reading", dump, l.dump},
                                       {"Writing", load, l.load},
                                       {"General", general_opts_table, &l.general}};
    const struct command_line line = {
        "copy --source URL --target URL --spool FOLDER [OPTION]...",
        "Dumps and loads at once. The files lie in a spool of limited size, each until its\n"
        "rows are in the target; the dump waits while it is full. The same command said\n"
        "again goes on where it stopped.\n",
        tables, 4, &l.general};
    enum err_code rc = command_start(&line, ctx, &l.set, NULL, err);

    if (!rc && !l.general.help)
        rc = copy_with(&l, ctx, err);
    opt_set_free(l.set);
    free(l.dump);
    free(l.load);
    free(dump);
    free(load);
    return rc;
}
