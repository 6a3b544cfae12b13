/* Statements that change definitions: which are followed, and how each is done on the target.
 *
 * All that came before is committed first. A statement becomes steps, and a step units: statements
 * of the target. Before a unit it is noted that it begins, with how the table looked, so whoever
 * finds that note looks at the target (and waits for a server that still works at it); what does
 * not show, as an emptied table, is done again. Then the definitions behind the statement and
 * "done" are one transaction, and the statement's own place in the binlog goes to the applier as of
 * any other transaction.
 *
 * What --ddl skips, or the user has done by hand, changes the definitions alone: rows behind it are
 * read as the source wrote them, and stop at a target's table that cannot take them. */
#include "follower/follow_ddl.h"

#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/schema/ddl_names.h"
#include "follower/ddl_policy.h"

#include <inttypes.h>
#include <stdlib.h>
#include <strings.h>

#define STATEMENT_SHOWN 400 /* bytes of a statement in a message */
/* What by hand needs, too: the definition behind the statement. */
#define NOT_KNOWN                                                                                  \
    "; what the table is behind it is not known, so neither --ddl-done nor --ddl gets past it: "   \
    "make a new dump"

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
    } else if (table && !t->err.code && !tables_made(t->run, db, table, &wanted, &t->err)) {
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

/* Of utf8mb4 and utf8mb3, which are the bytes that we send. */
static bool client_is_utf8(unsigned collation)
{
    return collation == 33 || collation == 76 || collation == 83 || collation == 45 ||
           collation == 46 || (collation >= 192 && collation <= 215) ||
           (collation >= 223 && collation <= 247) || (collation >= 255 && collation <= 323);
}

/* Why it cannot be known what it did. */
static const char *ddl_strange(const struct binlog_statement *s)
{
    if (s->error)
        return "it failed on the source, maybe in its middle" NOT_KNOWN;
    for (size_t i = 0; i < s->len; i++)
        if ((unsigned char)s->text[i] >= 0x80 && !client_is_utf8(s->client))
            return "it is not plain ASCII, nor UTF-8" NOT_KNOWN;
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
    if (tables_made(j->run, db, name, &wanted, err))
        return err->code;
    *skip = !wanted;
    return ERR_OK;
}

/* A table takes another's name: both are followed, or neither. */
static enum err_code rename_look(struct ddl_job *j, const struct ddl_step *s,
                                 const struct follow_table *t, bool skip, struct err *err)
{
    bool not_made = false;

    if (step_makes(j, s->other_db, s->other_name, &not_made, err))
        return err->code;
    if (t && !skip && (not_made || tables_find(j->run, s->other_db, s->other_name)))
        return err_set(err, ERR_FOLLOW_DDL, "%s.%s gets a name that the filter leaves out", s->db,
                       s->name);
    if (!t && !not_made)
        return err_set(err, ERR_FOLLOW_DDL,
                       "%s.%s gets a name that is followed, and its rows are not in the target",
                       s->db, s->name);
    return ERR_OK;
}

static enum err_code step_look(struct ddl_job *j, const struct ddl_step *s, bool *skip,
                               struct err *err)
{
    const struct follow_table *t = tables_find(j->run, s->db, s->name);

    if (s->act == ACT_DROP_DATABASE) {
        *skip = false;
        return ERR_OK;
    }
    if (s->act == ACT_CREATE || s->act == ACT_LIKE) {
        if (step_makes(j, s->db, s->name, skip, err))
            return err->code;
        if (t && !*skip && !s->if_exists)
            return err_set(err, ERR_FOLLOW_DDL, "%s.%s is followed already", s->db, s->name);
        *skip = *skip || t;
        if (s->act == ACT_LIKE && !*skip && !tables_find(j->run, s->other_db, s->other_name))
            return err_set(err, ERR_FOLLOW_DDL,
                           "%s.%s, which it is made like, is not followed" NOT_KNOWN, s->other_db,
                           s->other_name);
        return ERR_OK;
    }
    if (t && step_window(j->run, t, skip, err))
        return err->code;
    if (!t)
        *skip = true;
    if (t && t->left_out && s->act != ACT_DROP)
        return err_set(err, ERR_FOLLOW_DDL, "the target does not hold the rows of %s.%s", s->db,
                       s->name);
    return s->act == ACT_RENAME ? rename_look(j, s, t, *skip, err) : ERR_OK;
}

static enum err_code unit_execute(struct ddl_job *j, struct strbuf *sql, struct err *err)
{
    struct follow_run *run = j->run;
    enum err_code rc;

    strbuf_addf(sql, " /* ferry job %" PRIu64 " %s:%" PRIu64 " step %u */", run->state.job,
                j->note.file, j->note.offset, j->note.steps_done);
    log_event(LOG_INFO, "follow.ddl", F_STR("sql", strbuf_str(sql)));
    rc = conn_exec(run->conn, sql->str, sql->len, NULL, err);
    if (rc && !err_info(rc)->retryable)
        rc = err_set(err, ERR_FOLLOW_DDL, "the target refused: %.600s", err->msg);
    return rc;
}

/* Whether the unit that an earlier run had begun is done. Of an ALTER the table shows it, or it may
 * be done again. */
static enum err_code unit_done(struct ddl_job *j, const struct ddl_step *s, bool *done,
                               struct err *err)
{
    char *shape = NULL;

    if (j->note.begun && step_wait(j, err))
        return err->code;
    if (s->act != ACT_ALTER)
        return step_probe(j, s, done, err);
    if (step_shape(j, s, &shape, err))
        return err->code;
    *done = j->note.begun && j->note.shape && *j->note.shape && strcmp(shape, j->note.shape) != 0;
    if (!j->note.begun) {
        free(j->note.shape);
        j->note.shape = shape;
    } else {
        free(shape);
    }
    return ERR_OK;
}

/* One statement of the target that was not done before, or may have been. */
static enum err_code unit_do(struct ddl_job *j, const struct ddl_step *s, const struct table *model,
                             unsigned unit, struct err *err)
{
    struct follow_run *run = j->run;
    const bool in_doubt = j->note.begun;
    struct strbuf sql = {0};
    bool done = false;
    enum err_code rc = unit_done(j, s, &done, err);

    if (!rc && done && !in_doubt && s->act != ACT_DROP_DATABASE)
        return err_set(err, ERR_FOLLOW_DDL,
                       "the target is as if it had been done there already, though not by ferry");
    if (!rc && !done)
        rc = s->act == ACT_ALTER ? alter_sql(j, s, model, unit, &sql, err)
                                 : step_sql(j, s, &sql, err);
    j->note.begun = true;
    if (!rc && sql.len > 0 && !in_doubt)
        rc = follow_ddl_begin(run->conn, &run->state, &j->note, err);
    if (!rc)
        fault_point("follow.ddl.noted");
    if (!rc && sql.len > 0)
        rc = unit_execute(j, &sql, err);
    if (!rc)
        fault_point("follow.ddl.executed");
    strbuf_release(&sql);
    return rc;
}

/* The step's units behind those that an earlier run has done; *n: how many come before. */
static enum err_code step_units(struct ddl_job *j, const struct ddl_step *s,
                                const struct table *model, unsigned *n, struct err *err)
{
    const unsigned units = s->act == ACT_ALTER ? alter_units(j->run, s) : 1;
    const unsigned before = j->note.steps_done;

    for (unsigned unit = 0; unit < units; unit++, (*n)++) {
        if (*n < before)
            continue;
        if (unit_do(j, s, model, unit, err))
            return err->code;
        j->note.begun = false;
        j->note.steps_done = *n + 1;
        if (follow_ddl_note(j->run->conn, &j->run->state, &j->note, err))
            return err->code;
    }
    return ERR_OK;
}

static enum err_code step_do(struct ddl_job *j, const struct ddl_step *s, unsigned *n,
                             struct err *err)
{
    const bool fresh = *n >= j->note.steps_done && !j->note.begun;
    struct arena *arena = arena_new();
    struct table model = {0};
    enum err_code rc = ERR_OK;

    if (s->act == ACT_ALTER)
        rc = alter_model(j, s, arena, &model, err);
    if (!rc && s->act == ACT_ALTER && fresh)
        rc = alter_exact(j, s, &model, err);
    if (!rc && s->act == ACT_CREATE && fresh)
        rc = partition_text_exact(j, s, s->text, err);
    if (!rc)
        rc = step_units(j, s, &model, n, err);
    arena_free(arena);
    return rc;
}

/* How the table is divided, behind a step that is done, here or by hand, or not. */
static void step_divided(const struct ddl_job *j, const struct ddl_step *s, bool done)
{
    struct follow_table *t = tables_find(j->run, s->db, s->name);
    bool divides = s->act == ACT_CREATE;

    for (size_t i = 0; i < s->clause_count; i++)
        divides = divides || s->clauses[i].kind == CLAUSE_PARTITION;
    if (t && t->definition && divides)
        t->definition->model.partition = done ? PARTITION_SAME : PARTITION_UNKNOWN;
}

/* The definition changes, and nothing else does. */
static void step_pass(struct ddl_job *j, const struct ddl_step *s, const char *why, unsigned *n)
{
    *n += s->act == ACT_ALTER ? alter_units(j->run, s) : 1;
    if (why)
        log_event(LOG_WARN, "follow.ddl.skip", F_STR("db", s->db), F_STR("table", s->name),
                  F_STR("statement", s->kind), F_STR("why", why));
}

static enum err_code job_step(struct ddl_job *j, const struct ddl_step *s, unsigned *n,
                              struct err *err)
{
    const char *rule = "";
    const enum ddl_action action = j->by_hand ? DDL_APPLY : ddl_policy_of(j->run->ddl, s, &rule);
    bool skip = false;

    if (step_look(j, s, &skip, err))
        return err->code;
    if (skip) {
        step_pass(j, s, NULL, n);
        return ERR_OK;
    }
    if (action == DDL_STOP)
        return err_set(err, ERR_FOLLOW_DDL, "--ddl %s", rule);
    if (j->strange && !j->by_hand && action == DDL_APPLY)
        return err_set(err, ERR_FOLLOW_DDL, "%s", j->strange);
    if (j->by_hand || action == DDL_SKIP)
        step_pass(j, s, j->by_hand ? "--ddl-done" : rule, n);
    else if (step_do(j, s, n, err))
        return err->code;
    else
        j->run->report->ddl++;
    if (step_learn(j, s, err))
        return err->code;
    step_divided(j, s, action == DDL_APPLY);
    return ERR_OK;
}

static enum err_code job_steps(struct ddl_job *j, struct err *err)
{
    unsigned n = 0;
    enum err_code rc = ERR_OK;

    for (size_t i = 0; !rc && i < j->plan.count; i++)
        rc = job_step(j, &j->plan.steps[i], &n, err);
    return rc;
}

/* What the user has made by hand takes the rows that follow. */
static enum err_code job_fits(struct ddl_job *j, struct err *err)
{
    if (tables_read_target(j->run, err))
        return err->code;
    for (size_t i = 0; i < j->plan.count; i++) {
        const struct ddl_step *s = &j->plan.steps[i];
        const struct follow_table *t = tables_find(j->run, s->db, s->name);
        const struct follow_table *other =
            s->act == ACT_RENAME ? tables_find(j->run, s->other_db, s->other_name) : NULL;

        if ((t && tables_fit(j->run, t, err)) || (other && tables_fit(j->run, other, err)))
            return err->code;
    }
    return ERR_OK;
}

/* DROP DATABASE: every followed table in it first. */
static void job_expand(struct ddl_job *j)
{
    const struct ddl_step s = j->plan.count > 0 ? j->plan.steps[0] : (struct ddl_step){0};

    if (s.act != ACT_DROP_DATABASE || !s.db)
        return;
    j->plan.count = 0;
    for (size_t i = 0; i < j->run->table_count; i++) {
        const struct follow_table *t = j->run->tables[i];
        struct ddl_step *drop;

        if (strcmp(t->db, s.db) != 0)
            continue;
        drop = ddl_plan_add(&j->plan, ACT_DROP);
        drop->kind = s.kind;
        drop->db = arena_strdup(j->plan.arena, t->db);
        drop->name = arena_strdup(j->plan.arena, t->name);
    }
    *ddl_plan_add(&j->plan, ACT_DROP_DATABASE) = s;
}

/* ---- the statement ---- */

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
    if (job_steps(j, err) || (j->by_hand && job_fits(j, err)))
        return err->code;
    j->note.done = true;
    j->note.begun = false;
    if (ddl_keep(j, err))
        return err->code;
    fault_point("follow.ddl.kept");
    return tables_read_target(run, err);
}

/* By the place at which the statement stopped. */
static bool ddl_by_hand(const struct follow_run *run, const struct binlog_item *item)
{
    const struct follow_config *config = run->config;

    return config->ddl_done_file && strcmp(config->ddl_done_file, item->file) == 0 &&
           config->ddl_done_offset == item->start;
}

static enum err_code ddl_do(struct follow_run *run, const struct binlog_item *item, const char *db,
                            struct err *err)
{
    struct ddl_job j = {.run = run, .by_hand = ddl_by_hand(run, item)};
    struct strbuf text = {0};
    struct err why = ERR_INIT;
    enum err_code rc = ddl_plain(item->statement, &run->source, &text, &j.strange, &why);

    if (!rc)
        rc = ddl_plan_parse(strbuf_str(&text), db, &run->source, &j.plan, &why);
    if (rc == ERR_FORMAT) {
        struct err read = why;

        rc = err_set(&why, ERR_FOLLOW_DDL, "%.400s" NOT_KNOWN, read.msg);
    }
    if (!rc)
        rc = job_names(&j, &why);
    if (!rc) {
        job_expand(&j);
        rc = job_run(&j, item, &why);
    }
    if (rc == ERR_FORMAT || rc == ERR_FOLLOW_DDL || rc == ERR_FOLLOW_SHAPE)
        rc = ddl_stop(item, why.msg, err);
    else if (rc)
        *err = why;
    ddl_plan_release(&j.plan);
    follow_ddl_release(&j.note);
    strbuf_release(&text);
    return rc;
}

struct ddl_try {
    const struct binlog_item *item;
    const char *db;
    bool again;
};

/* After a lost connection from the definitions that the target has: those in memory may be ahead.
 */
static enum err_code ddl_try(struct follow_run *run, void *ctx, struct err *err)
{
    struct ddl_try *t = ctx;

    if (conn_execz(run->conn, "DO 1", err) || (t->again && tables_again(run, err)))
        return err->code;
    t->again = true;
    return ddl_do(run, t->item, t->db, err);
}

/* Everything before it is committed; its transaction begins anew behind it. */
static enum err_code ddl_barrier(struct follow_run *run, const struct binlog_item *item,
                                 const char *db, struct err *err)
{
    const struct applier_txn txn = {.file = run->txn_file,
                                    .start = run->txn_start,
                                    .gtid = item->gtid,
                                    .timestamp = item->timestamp};
    struct ddl_try try = {item, db, false};

    applier_rollback(run->applier);
    run->txn_open = false;
    if (applier_drain(run->applier, err) || again_source(run, err) ||
        again_target(run, ddl_try, &try, err))
        return err->code;
    binlog_reader_forget(run->reader);
    run->txn_open = true;
    run->ddl_pending = true;
    return applier_begin(run->applier, &txn, &run->txn_applied, err);
}

/* The word for a program or view that the statement makes, changes or drops, and behind it; NULL:
 * none. */
static const char *object_word(const struct ddl_text *d, size_t *at)
{
    static const char *const words[] = {"VIEW",    "TRIGGER",  "PROCEDURE", "FUNCTION", "EVENT",
                                        "PACKAGE", "SEQUENCE", "TABLE",     "AS",       NULL};

    if (!ddl_is(d, 0, "CREATE") && !ddl_is(d, 0, "ALTER") && !ddl_is(d, 0, "DROP"))
        return NULL;
    for (*at = 1; *at < d->count; (*at)++)
        for (size_t i = 0; words[i]; i++)
            if (ddl_is(d, *at, words[i])) {
                (*at)++;
                return i < 7 ? words[i] : NULL;
            }
    return NULL;
}

/* Views and programs are not followed: of databases that are, that is said. */
static void ddl_say(const struct follow_run *run, const struct binlog_item *item, const char *db)
{
    const struct binlog_statement *s = item->statement;
    struct arena *arena = arena_new();
    char *text = xstrndup(s->text, s->len);
    struct err ignored = ERR_INIT;
    const char *word = NULL;
    struct ddl_text d;
    size_t at = 0;

    if (!ddl_text_init(&d, text, &run->source, arena, &ignored))
        word = object_word(&d, &at);
    if (word && ddl_is(&d, at, "IF"))
        at += ddl_is(&d, at + 1, "NOT") ? 3 : 2;
    if (word && ddl_is(&d, at + 1, "."))
        db = ddl_value(&d, at);
    if (word && touch_known(run, db, NULL))
        log_event(LOG_WARN, "follow.ddl.left", F_STR("file", item->file),
                  F_U64("offset", item->start), F_STR("what", word),
                  F_STR("name", ddl_value(&d, ddl_is(&d, at + 1, ".") ? at + 2 : at)),
                  F_STR("message", "views, triggers, routines, events and sequences are not "
                                   "followed: make the change on the target by hand where it is "
                                   "wanted there"));
    free(text);
    arena_free(arena);
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
    if (!rc && !followed && s->kind == STATEMENT_DDL)
        ddl_say(run, item, db);
    if (!rc && followed && run->txn_rows)
        rc = ddl_stop(item, "it stands behind rows of its transaction", err);
    else if (!rc && followed && strange)
        rc = ddl_stop(item, strange, err);
    else if (!rc && followed)
        rc = ddl_barrier(run, item, db, err);
    free(db);
    return rc;
}
