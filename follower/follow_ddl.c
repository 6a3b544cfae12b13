/* Statements that change definitions: which are followed, and how each is done on the target.
 *
 * All that came before is committed first. A statement becomes steps, each of which can be seen to
 * be done. Before a step it is noted that it begins, so whoever finds that note looks at the target
 * (and waits for a server that still works at it); an emptied table is emptied again. Then the
 * definitions behind the statement and "done" are one transaction, and the statement's own place in
 * the binlog goes to the applier as of any other transaction. */
#include "follower/follow_ddl.h"

#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/schema/ddl_names.h"

#include <inttypes.h>
#include <stdlib.h>
#include <strings.h>

#define STATEMENT_SHOWN 400 /* bytes of a statement in a message */
#define MODE_ANSI_QUOTES 4U
#define MODE_NO_BACKSLASH_ESCAPES 0x100000U

/* ---- whether it is followed ---- */

struct ddl_touch { /* what a statement names */
    struct follow_run *run;
    bool followed; /* a table that is followed, or would be */
    struct err err;
};

static bool touch_known(const struct follow_run *run, const char *db, const char *table)
{
    for (size_t i = 0; i < run->table_count; i++)
        if (strcasecmp(run->tables[i]->db, db) == 0 &&
            (!table || strcasecmp(run->tables[i]->name, table) == 0))
            return true;
    return false;
}

static void touch_name(void *ctx, const char *db, const char *table)
{
    struct ddl_touch *t = ctx;
    bool wanted = false;

    if (touch_known(t->run, db, table)) {
        t->followed = true;
    } else if (table && !t->err.code && !tables_wanted(t->run, db, table, &wanted, &t->err)) {
        t->followed = t->followed || wanted;
    }
}

static enum err_code ddl_is_followed(struct follow_run *run, const struct binlog_statement *s,
                                     const char *db, bool *followed, struct err *err)
{
    struct ddl_touch touch = {.run = run, .err = ERR_INIT};

    *followed = false;
    if (!ddl_names(s->text, s->len, db, touch_name, &touch))
        return ERR_OK;
    if (touch.err.code) {
        *err = touch.err;
        return err->code;
    }
    *followed = touch.followed;
    return ERR_OK;
}

static enum err_code ddl_stop(const struct binlog_item *item, const char *why, struct err *err)
{
    const struct binlog_statement *s = item->statement;

    return err_set(err, ERR_FOLLOW_DDL, "at %s:%" PRIu64 " (%s): %.*s%s", item->file, item->start,
                   why, (int)(s->len < STATEMENT_SHOWN ? s->len : STATEMENT_SHOWN), s->text,
                   s->len > STATEMENT_SHOWN ? "..." : "");
}

/* Its text means on our side what it meant on the source. */
static const char *ddl_strange(const struct binlog_statement *s)
{
    if (s->sql_mode & MODE_ANSI_QUOTES)
        return "its session had sql_mode=ANSI_QUOTES";
    if (s->sql_mode & MODE_NO_BACKSLASH_ESCAPES)
        return "its session had sql_mode=NO_BACKSLASH_ESCAPES";
    if (s->error)
        return "it failed on the source, maybe in its middle";
    for (size_t i = 0; i < s->len; i++)
        if ((unsigned char)s->text[i] >= 0x80)
            return "it is not plain ASCII";
    return NULL;
}

/* ---- steps ---- */

/* What a step is about, by the table's window; *skip: nothing is to be done. */
static enum err_code step_window(const struct follow_run *run, const struct follow_table *t,
                                 bool *skip, struct err *err)
{
    const struct epoch_window *from;
    const struct epoch_window *to;

    *skip = false;
    if (t->from == 0 || t->from > run->epoch_count || t->to > run->epoch_count)
        return ERR_OK;
    from = &run->epochs[t->from - 1];
    to = &run->epochs[t->to - 1];
    *skip = !from->open; /* the dump's rows are of a later moment */
    if (from->open && !to->exact)
        return err_set(err, ERR_FOLLOW_DDL,
                       "%s.%s was changed between the snapshots that the dump's rows are of", t->db,
                       t->name);
    return ERR_OK;
}

/* A step that makes a table of a name. */
static enum err_code step_makes(struct ddl_job *j, const char *db, const char *name, bool *skip,
                                struct err *err)
{
    const struct follow_table *t = tables_find(j->run, db, name);
    bool wanted = false;

    *skip = false;
    if (t)
        return step_window(j->run, t, skip, err);
    if (tables_wanted(j->run, db, name, &wanted, err))
        return err->code;
    *skip = !wanted;
    return ERR_OK;
}

static enum err_code step_look(struct ddl_job *j, const struct ddl_step *s, bool *skip,
                               struct err *err)
{
    const struct follow_table *t = tables_find(j->run, s->db, s->name);
    bool not_made = false;

    if (s->act == ACT_CREATE || s->act == ACT_LIKE) {
        if (step_makes(j, s->db, s->name, skip, err))
            return err->code;
        if (t && !*skip && !s->if_exists)
            return err_set(err, ERR_FOLLOW_DDL, "%s.%s is followed already", s->db, s->name);
        *skip = *skip || t;
        return ERR_OK;
    }
    if (t && step_window(j->run, t, skip, err))
        return err->code;
    if (!t)
        *skip = true;
    if (t && t->left_out && s->act != ACT_DROP)
        return err_set(err, ERR_FOLLOW_DDL, "the target does not hold the rows of %s.%s", s->db,
                       s->name);
    if (s->act != ACT_RENAME)
        return ERR_OK;
    if (step_makes(j, s->other_db, s->other_name, &not_made, err))
        return err->code;
    if (t && !*skip && (not_made || tables_find(j->run, s->other_db, s->other_name)))
        return err_set(err, ERR_FOLLOW_DDL, "%s.%s gets a name that the filter leaves out", s->db,
                       s->name);
    if (!t && !not_made)
        return err_set(err, ERR_FOLLOW_DDL,
                       "%s.%s gets a name that is followed, and its rows are not in the target",
                       s->db, s->name);
    return ERR_OK;
}

static enum err_code step_execute(struct ddl_job *j, const struct ddl_step *s, struct err *err)
{
    struct follow_run *run = j->run;
    struct strbuf sql = {0};
    enum err_code rc = step_sql(j, s, &sql, err);

    strbuf_addf(&sql, " /* ferry job %" PRIu64 " %s:%" PRIu64 " step %u */", run->state.job,
                j->note.file, j->note.offset, j->note.steps_done);
    if (!rc) {
        log_event(LOG_INFO, "follow.ddl", F_STR("sql", strbuf_str(&sql)));
        rc = conn_exec(run->conn, sql.str, sql.len, NULL, err);
    }
    if (rc && !err_info(rc)->retryable)
        rc = err_set(err, ERR_FOLLOW_DDL, "the target refused: %.600s", err->msg);
    strbuf_release(&sql);
    return rc;
}

/* One step that was not done before, or may have been. */
static enum err_code step_do(struct ddl_job *j, const struct ddl_step *s, struct err *err)
{
    struct follow_run *run = j->run;
    const bool in_doubt = j->note.begun;
    bool done = false;

    if (in_doubt && step_wait(j, err))
        return err->code;
    if (s->act != ACT_TRUNCATE && step_probe(j, s, &done, err))
        return err->code;
    if (done && !in_doubt && s->act != ACT_ADD_KEY && s->act != ACT_DROP_KEY)
        return err_set(err, ERR_FOLLOW_DDL,
                       "the target is as if it had been done there already, though not by ferry");
    j->note.begun = true;
    if (!done && !in_doubt && follow_ddl_note(run->conn, &run->state, &j->note, err))
        return err->code;
    fault_point("follow.ddl.noted");
    if (!done && step_execute(j, s, err))
        return err->code;
    fault_point("follow.ddl.executed");
    j->target_read = false;
    run->report->ddl++;
    return ERR_OK;
}

/* The steps behind those that an earlier run has done. */
static enum err_code job_steps(struct ddl_job *j, struct err *err)
{
    struct follow_run *run = j->run;
    const unsigned before = j->note.steps_done;

    for (unsigned i = 0; i < j->plan.count; i++) {
        const struct ddl_step *s = &j->plan.steps[i];
        bool skip = false;

        if (step_look(j, s, &skip, err))
            return err->code;
        if (skip)
            continue;
        j->note.steps_done = i;
        if (i >= before && step_do(j, s, err))
            return err->code;
        if (step_learn(j, s, err))
            return err->code;
        j->note.begun = false;
        j->note.steps_done = i + 1;
        if (i >= before && i + 1 < j->plan.count &&
            follow_ddl_note(run->conn, &run->state, &j->note, err))
            return err->code;
    }
    return ERR_OK;
}

static enum err_code job_run(struct ddl_job *j, const struct binlog_item *item, struct err *err)
{
    struct follow_run *run = j->run;

    if (follow_ddl_read(run->conn, &run->state, &j->note, err))
        return err->code;
    if (j->note.file && strcmp(j->note.file, item->file) == 0 && j->note.offset == item->start) {
        if (j->note.done) /* an earlier run's, whose transaction was not recorded yet */
            return ERR_OK;
    } else {
        follow_ddl_release(&j->note);
        j->note = (struct follow_ddl){.file = xstrdup(item->file), .offset = item->start};
    }
    if (job_steps(j, err))
        return err->code;
    j->note.done = true;
    if (ddl_keep(j, err))
        return err->code;
    fault_point("follow.ddl.kept");
    return tables_read_target(run, err);
}

static enum err_code ddl_do(struct follow_run *run, const struct binlog_item *item, const char *db,
                            struct err *err)
{
    struct ddl_job j = {.run = run};
    char *text = xstrndup(item->statement->text, item->statement->len);
    struct err why = ERR_INIT;
    enum err_code rc;

    rc = ddl_plan_parse(text, db, &run->source, &j.plan, &why);
    if (!rc)
        rc = job_run(&j, item, &why);
    if (rc == ERR_FORMAT || rc == ERR_FOLLOW_DDL)
        rc = ddl_stop(item, why.msg, err);
    else if (rc)
        *err = why;
    ddl_plan_release(&j.plan);
    follow_ddl_release(&j.note);
    free(text);
    return rc;
}

static enum err_code ddl_alive(struct follow_run *run, void *ctx, struct err *err)
{
    (void)ctx;
    return conn_execz(run->conn, "DO 1", err);
}

/* Everything before it is committed; its transaction begins anew behind it. */
static enum err_code ddl_barrier(struct follow_run *run, const struct binlog_item *item,
                                 const char *db, struct err *err)
{
    const struct applier_txn txn = {.file = run->txn_file,
                                    .start = run->txn_start,
                                    .gtid = item->gtid,
                                    .timestamp = item->timestamp};

    applier_rollback(run->applier);
    run->txn_open = false;
    if (applier_drain(run->applier, err) || again_target(run, ddl_alive, NULL, err) ||
        again_source(run, err) || ddl_do(run, item, db, err))
        return err->code;
    binlog_reader_forget(run->reader);
    run->txn_open = true;
    run->ddl_pending = true;
    return applier_begin(run->applier, &txn, &run->txn_applied, err);
}

enum err_code ddl_statement(struct follow_run *run, const struct binlog_item *item, struct err *err)
{
    const struct binlog_statement *s = item->statement;
    const char *strange = ddl_strange(s);
    bool followed = false;
    char *db;
    enum err_code rc;

    if (s->kind == STATEMENT_ADMIN || run->txn_applied)
        return ERR_OK;
    db = xstrndup(s->db, s->db_len);
    rc = ddl_is_followed(run, s, db, &followed, err);
    if (!rc && followed && run->txn_rows)
        rc = ddl_stop(item, "it stands behind rows of its transaction", err);
    else if (!rc && followed && run->config->ddl == FOLLOW_DDL_STOP)
        rc = ddl_stop(item, "--ddl stop", err);
    else if (!rc && followed && strange)
        rc = ddl_stop(item, strange, err);
    else if (!rc && followed)
        rc = ddl_barrier(run, item, db, err);
    free(db);
    return rc;
}
