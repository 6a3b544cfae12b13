/* After the rows: what is owed to the tables that this job has created (steps.h), over several
 * connections; indexes first, since foreign keys want theirs. A step that was done when its record
 * was cut off is found done. */
#include "loader/load_inner.h"

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/schema/ddl_text.h"
#include "common/target/steps.h"

#include <stdlib.h>
#include <string.h>

#define FINISH_THREADS_MAX 16
#define FINISH_TRIES 8
#define ER_DUP_KEYNAME 1061
#define ER_CANT_CREATE_TABLE 1005 /* MariaDB, with errno 121 */
#define ER_DUP_CONSTRAINT 1826
#define ER_DUP_CONSTRAINT_OLD 1022

struct finish_job { /* shared by the connections of one round */
    struct load_run *run;
    const struct step *steps;
    size_t count;
    enum step_kind kind;
    struct load_table **by_id;
    atomic_size_t next;
    atomic_bool stop;
};

/* ALTER TABLE `t` ADD CONSTRAINT `name`: whether that table has the key. */
static enum err_code foreign_key_exists(const struct load_run *run, struct conn *c,
                                        const struct load_table *t, const char *sql, bool *exists,
                                        struct err *err)
{
    struct arena *arena = arena_new();
    struct strbuf query = {0};
    struct ddl_text d;
    char *count = NULL;
    size_t i = 0;
    enum err_code rc = ddl_text_init(&d, sql, &run->flavour, arena, err);

    if (rc)
        goto out;
    while (i < d.count && !ddl_is(&d, i, "CONSTRAINT"))
        i++;
    strbuf_addstr(&query, "SELECT COUNT(*) FROM information_schema.table_constraints WHERE "
                          "constraint_type='FOREIGN KEY' AND constraint_schema=");
    strbuf_add_quotedz(&query, t->target->db);
    strbuf_addstr(&query, " AND table_name=");
    strbuf_add_quotedz(&query, t->target->name);
    strbuf_addstr(&query, " AND constraint_name=");
    strbuf_add_quotedz(&query, i < d.count ? ddl_value(&d, i + 1) : "");
    rc = conn_value(c, strbuf_str(&query), &count, err);
    *exists = count && strcmp(count, "0") != 0;
    free(count);
    strbuf_release(&query);
out:
    arena_free(arena);
    return rc;
}

/* The server's refusal; ERR_OK where it only says that the step was done before. */
static enum err_code finish_refused(const struct load_run *run, struct conn *c,
                                    const struct load_table *t, const char *sql, struct err *err)
{
    struct err ignored = ERR_INIT;
    bool exists = false;

    if (err->server_errno == ER_DUP_KEYNAME) {
        err_clear(err);
        return ERR_OK;
    }
    if ((err->server_errno == ER_DUP_CONSTRAINT || err->server_errno == ER_DUP_CONSTRAINT_OLD ||
         err->server_errno == ER_CANT_CREATE_TABLE) &&
        !foreign_key_exists(run, c, t, sql, &exists, &ignored) && exists) {
        err_clear(err);
        return ERR_OK;
    }
    if (err->code == ERR_SQL)
        err->code = ERR_LOAD_SCHEMA;
    return err_wrap(err, "%s: %.200s", t->label, sql);
}

static enum err_code finish_sql(const struct load_run *run, struct conn *c,
                                const struct load_table *t, const char *sql, struct err *err)
{
    struct strbuf use = {0};
    enum err_code rc;

    strbuf_addstr(&use, "USE ");
    strbuf_add_ident(&use, t->db);
    rc = conn_exec(c, use.str, use.len, NULL, err);
    strbuf_release(&use);
    if (!rc && conn_exec(c, sql, strlen(sql), NULL, err))
        rc = finish_refused(run, c, t, sql, err);
    return rc;
}

static enum err_code finish_step(struct load_run *run, struct conn *c, const struct load_table *t,
                                 const struct step *step, struct err *err)
{
    struct definition d;
    const char *sql = NULL;
    enum err_code rc = definition_of_table(run, t, step->kind == STEP_INDEXES, &d, err);

    if (!rc && step->kind == STEP_INDEXES)
        sql = d.indexes;
    else if (!rc && step->number < d.foreign_key_count)
        sql = d.foreign_keys[step->number];
    if (sql)
        rc = finish_sql(run, c, t, sql, err);
    definition_release(&d);
    if (rc)
        return rc;
    if (step->kind == STEP_INDEXES)
        fault_point("load.indexes.before-record");
    if (step->kind == STEP_FOREIGN_KEY)
        fault_point("load.foreign-key.before-record");
    return steps_done(c, &run->state, step, err);
}

static enum err_code finish_retry(struct load_run *run, struct conn **c, const struct load_table *t,
                                  const struct step *step, struct err *err)
{
    struct backoff backoff = {0};

    for (unsigned i = 1;; i++) {
        enum err_code rc = *c ? ERR_OK : conn_open(run->url, CONN_TARGET, "load", c, err);

        if (!rc)
            rc = finish_step(run, *c, t, step, err);
        if (!rc || !err_info(rc)->retryable || i == FINISH_TRIES)
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

/* An index or a foreign key that cannot be made takes nothing else along. */
static enum err_code finish_failed(struct load_run *run, struct err *err)
{
    if (!schema_error_of_object(run, err->code))
        return err->code;
    pthread_mutex_lock(&run->lock);
    run->report->objects_failed++;
    pthread_mutex_unlock(&run->lock);
    log_event(LOG_ERROR, "load.object.left-out", F_STR("message", err->msg));
    err_clear(err);
    return ERR_OK;
}

static enum err_code finish_worker(void *ctx, unsigned number, struct err *err)
{
    struct finish_job *job = ctx;
    struct load_run *run = job->run;
    struct conn *c = NULL;
    enum err_code rc = ERR_OK;

    (void)number;
    conn_thread_init();
    while (!rc && !atomic_load(&job->stop) && !cancel_asked(run->cancel)) {
        size_t i = atomic_fetch_add(&job->next, 1);
        struct load_table *t;

        if (i >= job->count)
            break;
        t = job->by_id[job->steps[i].table];
        if (job->steps[i].kind != job->kind || !t || atomic_load(&t->failed) || !t->target)
            continue;
        if (finish_retry(run, &c, t, &job->steps[i], err))
            rc = finish_failed(run, err);
    }
    conn_close(c);
    conn_thread_end();
    return rc;
}

static void finish_fail(void *ctx)
{
    struct finish_job *job = ctx;

    atomic_store(&job->stop, true);
}

static enum err_code finish_round(struct finish_job *job, enum step_kind kind, struct err *err)
{
    unsigned threads = job->run->config->threads ? job->run->config->threads : 1;
    struct pool *pool = NULL;
    enum err_code rc;

    job->kind = kind;
    atomic_store(&job->next, 0);
    if (threads > FINISH_THREADS_MAX)
        threads = FINISH_THREADS_MAX;
    if (threads > job->count)
        threads = (unsigned)job->count;
    rc = pool_start(&pool, "finish", threads, finish_worker, finish_fail, job, err);
    if (!rc)
        rc = pool_join(pool, err);
    if (!rc && cancel_asked(job->run->cancel))
        return err_set(err, ERR_INTERRUPTED, "interrupted while indexes were being made");
    return rc;
}

/* --foreign-keys none */
static void finish_say_none(struct load_run *run, const struct finish_job *job)
{
    uint64_t count = 0;

    for (size_t i = 0; i < job->count; i++)
        count += job->steps[i].kind == STEP_FOREIGN_KEY;
    run->report->left_out += count;
    if (count > 0)
        log_event(LOG_WARN, "load.foreign-key", F_U64("count", count),
                  F_STR("message", "foreign keys are left out, as asked"));
}

enum err_code finish_steps(struct load_run *run, struct err *err)
{
    struct finish_job job = {.run = run};
    struct step *steps = NULL;
    uint64_t max = 0;
    enum err_code rc = steps_read(run->conn, &run->state, &steps, &job.count, err);

    if (rc || job.count == 0)
        goto out;
    job.steps = steps;
    for (size_t i = 0; i < job.count; i++)
        max = steps[i].table > max ? steps[i].table : max;
    for (size_t i = 0; i < run->table_count; i++)
        max = run->tables[i].dump->id > max ? run->tables[i].dump->id : max;
    job.by_id = xcalloc((size_t)max + 1, sizeof(struct load_table *));
    for (size_t i = 0; i < run->table_count; i++)
        job.by_id[run->tables[i].dump->id] = &run->tables[i];
    rc = finish_round(&job, STEP_INDEXES, err);
    if (!rc && run->config->foreign_keys != FOREIGN_KEYS_NONE)
        rc = finish_round(&job, STEP_FOREIGN_KEY, err);
    else if (!rc)
        finish_say_none(run, &job);
out:
    free(job.by_id);
    free(steps);
    return rc;
}

static enum err_code analyze_table(struct load_run *run, const struct load_table *t,
                                   struct err *err)
{
    struct strbuf sql = {0};
    struct result *r = NULL;
    enum err_code rc;

    strbuf_addstr(&sql, "ANALYZE TABLE ");
    strbuf_add_table(&sql, t->target->db, t->target->name);
    rc = conn_queryz(run->conn, strbuf_str(&sql), &r, err);
    result_free(r);
    strbuf_release(&sql);
    if (!rc || err_info(rc)->retryable)
        return rc;
    /* The rows are there: no reason to fail. */
    log_event(LOG_WARN, "load.analyze", F_STR("object", t->label), F_STR("message", err->msg));
    err_clear(err);
    return ERR_OK;
}

enum err_code finish_analyze(struct load_run *run, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (size_t i = 0; !rc && i < run->table_count && !cancel_asked(run->cancel); i++) {
        const struct load_table *t = &run->tables[i];

        if (t->dump->chunk_count > 0 && t->target && !atomic_load(&t->failed))
            rc = analyze_table(run, t, err);
    }
    return rc;
}
