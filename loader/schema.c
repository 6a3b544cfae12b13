/* Makes what the dump has and the target lacks. Databases come first, then sequences (a table's
 * default may draw from one), tables over several connections, and views again and again until a
 * round makes none: they may look at each other in any order. What was made is read back, since a
 * server may make a table narrower than it was told to.
 *
 * An object that cannot be made is left out, with its rows, and the others go on, unless the user
 * wants it otherwise: the same command tries it again. Foreign keys come after the rows (finish.c),
 * and so may indexes: what is owed to a table is noted before it is created. */
#include "loader/load_inner.h"

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/target/ddl.h"
#include "common/target/steps.h"
#include "loader/share.h"

#include <stdlib.h>
#include <string.h>

#define SCHEMA_THREADS_MAX 16
#define SCHEMA_TRIES 8
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

    return t->create && !atomic_load(&t->failed) &&
           (!t->target || t->dump->kind == TABLE_SEQUENCE) &&
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
        .db = t->db,
        .exists_ok = t->target != NULL, /* a sequence that was cut off behind its CREATE */
        /* a view whose definer is missing is made, with a warning, and cannot be used */
        .warning = run->flavour.vendor == VENDOR_TIDB || t->dump->kind == TABLE_VIEW
                       ? schema_warning
                       : NULL,
        .ctx = t};
    struct definition d;
    enum err_code rc;

    rc = definition_of_table(run, t, run->config->indexes == INDEXES_AFTER, &d, err);
    if (rc) {
        definition_release(&d);
        return rc; /* says the table */
    }
    rc = definition_allowed(&d, err);
    if (!rc)
        rc = steps_note(c, &run->state, t->dump->id, d.indexes != NULL,
                        (unsigned)d.foreign_key_count, err);
    if (!rc)
        rc = ddl_run(c, &params, &d.sql, err);
    if (rc && err->server_errno == ER_TABLE_EXISTS && !schema_exists(run, c, again, err)) {
        params.exists_ok = true; /* for what may follow the CREATE of a sequence */
        rc = ddl_run(c, &params, &d.sql, err);
    }
    definition_release(&d);
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

bool schema_error_of_object(const struct load_run *run, enum err_code code)
{
    return run->config->object_error == OBJECT_ERROR_SKIP &&
           (code == ERR_LOAD_SCHEMA || code == ERR_PRIVILEGE || code == ERR_LOAD_TABLE_SHAPE);
}

void schema_leave_out(struct load_run *run, struct load_table *t, const struct err *err)
{
    if (atomic_exchange(&t->failed, true))
        return;
    pthread_mutex_lock(&run->lock);
    run->report->objects_failed++;
    pthread_mutex_unlock(&run->lock);
    log_event(LOG_ERROR, "load.object.left-out", F_STR("object", t->label),
              F_STR("cause", err->msg),
              F_STR("message", "left out: it cannot be created; the same command tries it again"));
}

/* Keeps the first failure; the others are logged. */
static void schema_failed(struct schema_job *job, struct load_table *t, const struct err *err)
{
    bool of_object = err->code == ERR_LOAD_SCHEMA || err->code == ERR_PRIVILEGE;
    bool first;

    pthread_mutex_lock(&job->lock);
    first = job->first_err.code == ERR_OK;
    if (first || !of_object)
        job->first_err = *err;
    pthread_mutex_unlock(&job->lock);
    atomic_fetch_add(&job->failed, 1);
    if (!of_object)
        atomic_store(&job->stop, true);
    else if (schema_error_of_object(job->run, err->code))
        schema_leave_out(job->run, t, err);
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
            schema_failed(job, &run->tables[i], &failed);
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
    if (!rc && job.first_err.code && !schema_error_of_object(run, job.first_err.code)) {
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

/* Nothing more can be done for the view now; false: for none, and that ends the load. */
static bool schema_view_given_up(struct load_run *run, struct load_table *t, bool later,
                                 const struct err *failed)
{
    if (!later && programs_created(run)) {
        log_event(LOG_DEBUG, "load.schema.later", F_STR("object", t->label),
                  F_STR("message", failed->msg));
        t->later = true;
        return true;
    }
    if (!schema_error_of_object(run, failed->code))
        return false;
    schema_leave_out(run, t, failed);
    return true;
}

/* Tries the views that are not made yet. `first` takes the first refusal; what is no refusal is
 * returned, too. */
static enum err_code schema_views_once(struct load_run *run, bool *made, bool later, bool last,
                                       size_t *progress, struct err *first)
{
    const struct schema_job job = {.run = run, .kind = TABLE_VIEW};

    for (size_t i = 0; i < run->table_count; i++) {
        struct err failed = ERR_INIT;

        if (made[i] || run->tables[i].later != later || !schema_wanted(&job, &run->tables[i]))
            continue;
        made[i] = schema_create_retry(run, &run->conn, &run->tables[i], &failed) == ERR_OK;
        *progress += made[i];
        if (made[i])
            continue;
        if (failed.code != ERR_LOAD_SCHEMA && failed.code != ERR_PRIVILEGE) {
            *first = failed;
            return failed.code;
        }
        if (!(last && schema_view_given_up(run, &run->tables[i], later, &failed)) &&
            first->code == ERR_OK)
            *first = failed;
    }
    return ERR_OK;
}

/* One connection; a view that fails is tried again after others were made, and once more after the
 * routines, which it may call. */
static enum err_code schema_views(struct load_run *run, bool later, struct err *err)
{
    bool *made = xcalloc(run->table_count + 1, sizeof *made);
    struct err first = ERR_INIT;
    size_t progress = 1;
    bool last = false; /* nothing was made any more: what fails now is left out */
    enum err_code rc = ERR_OK;

    while (!rc && (progress > 0 || !last)) {
        last = progress == 0;
        progress = 0;
        err_clear(&first);
        rc = schema_views_once(run, made, later, last, &progress, &first);
    }
    free(made);
    if (first.code)
        *err = first;
    return first.code;
}

bool schema_has_database(const struct load_run *run, const char *name)
{
    for (size_t i = 0; i < run->target->database_count; i++)
        if (strcmp(run->target->databases[i].name, name) == 0)
            return true;
    return false;
}

static enum err_code schema_database(struct load_run *run, const struct dump_database *db,
                                     const char *to, struct err *err)
{
    const struct ddl_params params = {.db = NULL};
    struct definition d;
    enum err_code rc = definition_of_database(run, db, to, &d, err);

    if (!rc)
        rc = definition_allowed(&d, err);
    if (!rc)
        rc = ddl_run(run->conn, &params, &d.sql, err);
    if (rc && err->server_errno == ER_DB_CREATE_EXISTS) {
        err_clear(err);
        rc = ERR_OK;
    }
    definition_release(&d);
    return rc ? err_wrap(err, "database `%s`", to) : ERR_OK;
}

/* Some picked object of the source's database goes into `to`; *any: there is one at all. */
static bool schema_database_used(const struct load_run *run, const char *db, const char *to,
                                 bool *any)
{
    bool used = false;

    *any = false;
    for (size_t i = 0; !used && i < run->table_count; i++) {
        if (strcmp(run->tables[i].dump->db, db) != 0)
            continue;
        *any = true;
        used = strcmp(run->tables[i].db, to) == 0;
    }
    return used;
}

/* The tables of a database that cannot be made are left out with it. */
static enum err_code schema_database_failed(struct load_run *run, const char *to, struct err *err)
{
    if (!schema_error_of_object(run, err->code))
        return err->code;
    log_event(LOG_ERROR, "load.object.left-out", F_STR("database", to), F_STR("message", err->msg));
    for (size_t i = 0; i < run->table_count; i++)
        if (strcmp(run->tables[i].db, to) == 0)
            schema_leave_out(run, &run->tables[i], err);
    err_clear(err);
    return ERR_OK;
}

/* The dump's databases by their new names. */
static enum err_code schema_databases(struct load_run *run, struct err *err)
{
    for (size_t i = 0; i < run->dump->database_count; i++) {
        const struct dump_database *db = &run->dump->databases[i];
        const char *to = route_database(run->route, db->name);
        bool any = false;

        if (!filter_match_db(run->filter, db->name) || schema_has_database(run, to) ||
            (!schema_database_used(run, db->name, to, &any) && any))
            continue;
        if (schema_database(run, db, to, err) && schema_database_failed(run, to, err))
            return err->code;
    }
    return ERR_OK;
}

/* Databases that only rules for single tables lead to. */
static enum err_code schema_more_databases(struct load_run *run, struct err *err)
{
    const char *last = NULL;

    for (size_t i = 0; i < run->table_count; i++) {
        const struct load_table *t = &run->tables[i];
        const struct dump_database none = {.name = t->dump->db};

        if (!t->create || atomic_load(&t->failed) || schema_has_database(run, t->db) ||
            strcmp(t->db, route_database(run->route, t->dump->db)) == 0 ||
            (last && strcmp(last, t->db) == 0))
            continue;
        last = t->db;
        if (schema_database(run, &none, t->db, err) && schema_database_failed(run, t->db, err))
            return err->code;
    }
    return ERR_OK;
}

static enum table_origin schema_origin(const struct load_table *t, enum table_origin created)
{
    if (t->clear != CLEAR_NONE)
        return t->clear == CLEAR_DROP ? TABLE_DROPPING : TABLE_EMPTYING;
    if (t->create)
        return created;
    if (t->known && t->origin == TABLE_EMPTIED)
        return TABLE_EMPTIED;
    return t->known && (t->origin == TABLE_CREATING || t->origin == TABLE_CREATED) ? TABLE_CREATED
                                                                                   : TABLE_FOUND;
}

/* Writes down what is known of the tables: before they are created, and after. */
static enum err_code schema_note(struct load_run *run, enum table_origin created, struct err *err)
{
    struct table_state *states = xcalloc(run->table_count + 1, sizeof *states);
    size_t count = 0;
    enum err_code rc;

    for (size_t i = 0; i < run->table_count; i++) {
        struct load_table *t = &run->tables[i];
        enum table_origin origin = schema_origin(t, created);

        if ((t->known && t->origin == origin && t->target_id == t->found_id) ||
            ((atomic_load(&t->failed) || (t->later && !t->target)) && created == TABLE_CREATED))
            continue;
        t->known = true;
        t->origin = origin;
        t->target_id = t->found_id;
        states[count++] = (struct table_state){.table = t->dump->id,
                                               .db = t->db,
                                               .name = t->name,
                                               .origin = origin,
                                               .target_id = t->found_id};
    }
    rc = share_hold(run, err); /* another connection than the step's begin */
    if (!rc)
        rc = state_put_tables(run->conn, &run->state, states, count, err);
    free(states);
    return rc;
}

static enum err_code schema_create_all(struct load_run *run, struct err *err)
{
    bool any = false;

    if (!run->config->no_schemas && (schema_databases(run, err) || schema_more_databases(run, err)))
        return err->code;
    for (size_t i = 0; i < run->table_count; i++)
        any = any || run->tables[i].create;
    if (!any)
        return ERR_OK;
    if (schema_round(run, TABLE_SEQUENCE, err) || schema_round(run, TABLE_BASE, err) ||
        schema_views(run, false, err))
        return err->code;
    /* TiDB may have made a table narrower, or of another shape, with a warning only. */
    return target_read(run, err) || target_check(run, err) ? err->code : ERR_OK;
}

/* Rows of what is left out stay in the dump. Nothing at all could be made: the first reason is why
 * the load fails. */
static enum err_code schema_skip_rows(struct load_run *run, struct err *err)
{
    size_t kept = 0, failed = 0;

    for (size_t i = 0; i < run->chunk_count; i++)
        if (!atomic_load(&run->chunks[i].table->failed))
            run->chunks[kept++] = run->chunks[i];
    run->chunk_count = kept;
    for (size_t i = 0; i < run->table_count; i++)
        failed += atomic_load(&run->tables[i].failed);
    if (failed > 0 && failed == run->table_count && run->dump->complete)
        return err_set(err, ERR_LOAD_SCHEMA,
                       "none of the %zu objects could be created, for the reasons above", failed);
    return ERR_OK;
}

enum err_code schema_run(struct load_run *run, struct err *err)
{
    for (size_t i = 0; i < run->table_count; i++) {
        /* an earlier try that was cut off has noted what it made */
        run->tables[i].create = false;
        run->tables[i].clear = CLEAR_NONE;
    }
    if (target_read(run, err) || target_check(run, err) || definitions_report(run, false, err) ||
        generated_report(run, err))
        return err->code;
    if (schema_note(run, TABLE_CREATING, err))
        return err->code;
    fault_point("load.schema.after-note");
    if (clear_tables(run, err) || schema_note(run, TABLE_CREATING, err))
        return err->code;
    if (schema_create_all(run, err) || schema_note(run, TABLE_CREATED, err))
        return err->code;
    return schema_skip_rows(run, err);
}

enum err_code schema_later(struct load_run *run, struct err *err)
{
    bool any = false;

    for (size_t i = 0; i < run->table_count; i++)
        any = any || (run->tables[i].later && !atomic_load(&run->tables[i].failed));
    if (!any)
        return ERR_OK;
    if (schema_views(run, true, err) || target_read(run, err) || target_check(run, err))
        return err->code;
    return schema_note(run, TABLE_CREATED, err);
}

enum err_code schema_follow(struct load_run *run, struct err *err)
{
    for (size_t i = 0; i < run->table_count; i++) {
        run->tables[i].create = false;
        run->tables[i].clear = CLEAR_NONE;
    }
    if (target_read(run, err) || target_check(run, err))
        return err->code;
    for (size_t i = 0; i < run->table_count; i++) {
        struct load_table *t = &run->tables[i];
        struct err why = ERR_INIT;

        t->clear = CLEAR_NONE;
        if (!t->create || t->target || atomic_load(&t->failed))
            continue;
        t->later = t->dump->kind == TABLE_VIEW && programs_created(run);
        if (t->later)
            continue;
        if (run->replay && run->job.state == JOB_ROWS_DONE) { /* the source has dropped it since */
            atomic_store(&t->failed, true);
            continue;
        }
        (void)err_set(&why, ERR_LOAD_SCHEMA, "%s: the loader that leads could not create it",
                      t->label);
        schema_leave_out(run, t, &why);
    }
    return schema_skip_rows(run, err);
}
