/* Makes what the dump has and the target lacks. Databases come first, then sequences (a table's
 * default may draw from one), tables over several connections, and views again and again until a
 * round makes none: they may look at each other in any order. What was made is read back, since a
 * server may make a table narrower than it was told to. */
#include "loader/load_inner.h"

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/target/ddl.h"
#include "formats/file_names.h"

#include <stdlib.h>
#include <string.h>

#define SCHEMA_THREADS_MAX 16
#define SCHEMA_TRIES 8
#define LEFT_OUT_MAX 10 /* files that the message names */
#define ER_DB_CREATE_EXISTS 1007
#define ER_TABLE_EXISTS 1050

struct schema_job { /* shared by the connections that create objects of one kind */
    struct load_run *run;
    enum table_kind kind;
    atomic_size_t next;
    atomic_bool stop;
    atomic_size_t made, failed;
    pthread_mutex_t lock; /* guards what follows */
    struct err first_err;
};

static bool schema_wanted(const struct schema_job *job, const struct load_table *t)
{
    bool table = t->dump->kind != TABLE_VIEW && t->dump->kind != TABLE_SEQUENCE;

    return t->create && (!t->target || t->dump->kind == TABLE_SEQUENCE) &&
           (job->kind == TABLE_BASE ? table : t->dump->kind == job->kind);
}

static void schema_warning(void *ctx, const char *words)
{
    const struct load_table *t = ctx;

    log_event(LOG_WARN, "load.schema.warning", F_STR("object", t->label), F_STR("message", words));
}

/* An earlier try, or another process of this job, may have made it; whether that is allowed is
 * asked of the job's token. */
static enum err_code schema_exists(struct load_run *run, struct conn *c, bool again,
                                   struct err *err)
{
    struct err made = *err;

    err_clear(err);
    if (again || run->job.resumed)
        return ERR_OK;
    if (state_check(c, &run->state, err))
        return err->code;
    *err = made;
    return err->code;
}

/* `again`: an earlier try may have made it, its answer lost. */
static enum err_code schema_create(struct load_run *run, struct conn *c, struct load_table *t,
                                   bool again, struct err *err)
{
    struct ddl_params params = {
        .db = t->dump->db,
        .exists_ok = t->target != NULL, /* a sequence that was cut off behind its CREATE */
        .warning = run->flavour.vendor == VENDOR_TIDB ? schema_warning : NULL,
        .ctx = t};
    struct strbuf text = {0};
    enum err_code rc;

    rc = dump_read_schema(run->dump, t->dump->schema_file, &text, err);
    if (!rc)
        rc = ddl_run(c, &params, &text, err);
    if (rc && err->server_errno == ER_TABLE_EXISTS && !schema_exists(run, c, again, err)) {
        params.exists_ok = true; /* for what may follow the CREATE of a sequence */
        rc = ddl_run(c, &params, &text, err);
    }
    strbuf_release(&text);
    if (!rc)
        fault_point("load.schema.after-create");
    return rc ? err_wrap(err, "%s", t->label) : ERR_OK;
}

/* With a new connection where the old one is lost. */
static enum err_code schema_create_retry(struct load_run *run, struct conn **c,
                                         struct load_table *t, struct err *err)
{
    struct backoff backoff = {0};
    enum err_code rc;

    for (unsigned i = 1;; i++) {
        rc = ERR_OK;
        if (!*c)
            rc = conn_open(run->url, CONN_TARGET, "load", c, err);
        if (!rc)
            rc = schema_create(run, *c, t, i > 1, err);
        if (!rc || !err_info(rc)->retryable || i == SCHEMA_TRIES)
            return rc;
        atomic_fetch_add(&run->retries, 1);
        if (*c && !conn_usable(*c)) {
            conn_close(*c);
            *c = NULL;
        }
        if (!backoff_wait(&backoff, run->cancel))
            return err_set(err, ERR_INTERRUPTED, "%s: interrupted", t->label);
    }
}

/* Keeps the first failure for load_run to return; the others are logged. */
static void schema_failed(struct schema_job *job, const struct err *err)
{
    bool of_object = err->code == ERR_LOAD_SCHEMA || err->code == ERR_PRIVILEGE;
    bool first;

    pthread_mutex_lock(&job->lock);
    first = job->first_err.code == ERR_OK;
    if (first)
        job->first_err = *err;
    pthread_mutex_unlock(&job->lock);
    atomic_fetch_add(&job->failed, 1);
    if (!of_object)
        atomic_store(&job->stop, true);
    else if (!first)
        log_event(LOG_WARN, "load.schema.failed", F_STR("message", err->msg));
}

static enum err_code schema_worker(void *ctx, unsigned number, struct err *err)
{
    struct schema_job *job = ctx;
    struct load_run *run = job->run;
    struct conn *c = NULL;

    (void)number;
    (void)err;
    conn_thread_init();
    while (!atomic_load(&job->stop) && !cancel_asked(run->cancel)) {
        size_t i = atomic_fetch_add(&job->next, 1);
        struct err failed = ERR_INIT;

        if (i >= run->table_count)
            break;
        if (!schema_wanted(job, &run->tables[i]))
            continue;
        if (schema_create_retry(run, &c, &run->tables[i], &failed))
            schema_failed(job, &failed);
        else
            atomic_fetch_add(&job->made, 1);
    }
    conn_close(c);
    conn_thread_end();
    return ERR_OK; /* failures are kept in the job: others go on, to name theirs too */
}

static size_t schema_count(const struct schema_job *job)
{
    size_t n = 0;

    for (size_t i = 0; i < job->run->table_count; i++)
        n += schema_wanted(job, &job->run->tables[i]);
    return n;
}

/* Creates all objects of a kind; the first failure when it returns one. */
static enum err_code schema_round(struct load_run *run, enum table_kind kind, struct err *err)
{
    struct schema_job job = {.run = run, .kind = kind};
    unsigned threads = run->config->threads ? run->config->threads : 1;
    size_t count = schema_count(&job);
    struct pool *pool = NULL;
    enum err_code rc;

    if (count == 0)
        return ERR_OK;
    if (threads > SCHEMA_THREADS_MAX)
        threads = SCHEMA_THREADS_MAX;
    if (threads > count)
        threads = (unsigned)count;
    pthread_mutex_init(&job.lock, NULL);
    rc = pool_start(&pool, "schema", threads, schema_worker, NULL, &job, err);
    if (!rc)
        rc = pool_join(pool, err);
    pthread_mutex_destroy(&job.lock);
    if (!rc && job.first_err.code) {
        *err = job.first_err;
        rc = err->code;
        if (atomic_load(&job.failed) > 1)
            (void)err_wrap(err, "%zu of %zu objects could not be created; the first one",
                           (size_t)atomic_load(&job.failed), count);
    }
    if (!rc && cancel_asked(run->cancel))
        return err_set(err, ERR_INTERRUPTED, "interrupted while tables were being created");
    return rc;
}

/* One connection; a view that fails is tried again after others were made. */
static enum err_code schema_views(struct load_run *run, struct err *err)
{
    struct schema_job job = {.run = run, .kind = TABLE_VIEW};
    bool *made = xcalloc(run->table_count + 1, sizeof *made);
    struct err first = ERR_INIT;
    size_t progress = 1;

    while (progress > 0) {
        progress = 0;
        err_clear(&first);
        for (size_t i = 0; i < run->table_count; i++) {
            struct err failed = ERR_INIT;

            if (made[i] || !schema_wanted(&job, &run->tables[i]))
                continue;
            made[i] = schema_create_retry(run, &run->conn, &run->tables[i], &failed) == ERR_OK;
            progress += made[i];
            if (!made[i] && first.code == ERR_OK)
                first = failed;
            if (!made[i] && failed.code != ERR_LOAD_SCHEMA && failed.code != ERR_PRIVILEGE)
                goto out;
        }
    }
out:
    free(made);
    if (first.code)
        *err = first;
    return first.code;
}

static bool schema_has_database(const struct load_run *run, const char *name)
{
    for (size_t i = 0; i < run->target->database_count; i++)
        if (strcmp(run->target->databases[i].name, name) == 0)
            return true;
    return false;
}

static enum err_code schema_database(struct load_run *run, const struct dump_database *db,
                                     struct err *err)
{
    const struct ddl_params params = {.db = NULL};
    struct strbuf text = {0};
    enum err_code rc = ERR_OK;

    if (db->schema_file) {
        rc = dump_read_schema(run->dump, db->schema_file, &text, err);
    } else {
        strbuf_addstr(&text, "CREATE DATABASE IF NOT EXISTS ");
        strbuf_add_ident(&text, db->name);
    }
    if (!rc)
        rc = ddl_run(run->conn, &params, &text, err);
    if (rc && err->server_errno == ER_DB_CREATE_EXISTS) {
        err_clear(err);
        rc = ERR_OK;
    }
    strbuf_release(&text);
    return rc ? err_wrap(err, "database `%s`", db->name) : ERR_OK;
}

static enum err_code schema_databases(struct load_run *run, struct err *err)
{
    for (size_t i = 0; i < run->dump->database_count; i++) {
        const struct dump_database *db = &run->dump->databases[i];

        if (!filter_match_db(run->filter, db->name) || schema_has_database(run, db->name))
            continue;
        if (schema_database(run, db, err))
            return err->code;
    }
    return ERR_OK;
}

/* Writes down what is known of the tables: before they are created, and after. */
static enum err_code schema_note(struct load_run *run, enum table_origin created, struct err *err)
{
    struct table_state *states = xcalloc(run->table_count + 1, sizeof *states);
    size_t count = 0;
    enum err_code rc;

    for (size_t i = 0; i < run->table_count; i++) {
        struct load_table *t = &run->tables[i];
        enum table_origin origin = t->create                              ? created
                                   : t->known && t->origin != TABLE_FOUND ? TABLE_CREATED
                                                                          : TABLE_FOUND;

        if (t->known && t->origin == origin && t->target_id == t->found_id)
            continue;
        t->known = true;
        t->origin = origin;
        t->target_id = t->found_id;
        states[count++] = (struct table_state){.table = t->dump->id,
                                               .db = t->dump->db,
                                               .name = t->dump->name,
                                               .origin = origin,
                                               .target_id = t->found_id};
    }
    rc = state_put_tables(run->conn, &run->state, states, count, err);
    free(states);
    return rc;
}

/* Triggers, routines and events are not made: TiDB has none, and on other servers a trigger would
 * act on rows that the follower brings, and an event begin to run. */
static void schema_say_left_out(const struct load_run *run)
{
    struct strbuf list = {0};
    size_t count = 0;

    for (size_t i = 0; i < run->dump->file_count; i++) {
        struct file_name name = {0};

        file_name_parse(run->dump->files[i].path, &name);
        if ((name.kind == FILE_TRIGGERS || name.kind == FILE_POST) &&
            filter_match_db(run->filter, name.db) && count++ < LEFT_OUT_MAX)
            strbuf_addf(&list, "%s%s", list.len ? ", " : "", run->dump->files[i].path);
        file_name_release(&name);
    }
    if (count > LEFT_OUT_MAX)
        strbuf_addf(&list, " and %zu more", count - LEFT_OUT_MAX);
    if (count)
        log_event(LOG_WARN, "load.objects.left-out", F_STR("files", strbuf_str(&list)),
                  F_STR("message", "triggers, routines and events are not loaded"));
    strbuf_release(&list);
}

enum err_code schema_run(struct load_run *run, struct err *err)
{
    bool any = false;

    for (size_t i = 0; i < run->table_count; i++)
        run->tables[i].create = false; /* an earlier try that was cut off has noted what it made */
    if (target_read(run, err) || target_check(run, err))
        return err->code;
    if (schema_note(run, TABLE_CREATING, err))
        return err->code;
    if (!run->config->no_schemas)
        schema_say_left_out(run);
    if (!run->config->no_schemas && schema_databases(run, err))
        return err->code;
    for (size_t i = 0; i < run->table_count; i++)
        any = any || run->tables[i].create;
    if (any && (schema_round(run, TABLE_SEQUENCE, err) || schema_round(run, TABLE_BASE, err) ||
                schema_views(run, err)))
        return err->code;
    /* TiDB may have made a table narrower, or of another shape, with a warning only. */
    if (any && (target_read(run, err) || target_check(run, err)))
        return err->code;
    if (schema_note(run, TABLE_CREATED, err))
        return err->code;
    return ERR_OK;
}
