#include "follower/ddl_parse.h"

#include <string.h>

void ddl_plan_release(struct ddl_plan *plan)
{
    arena_free(plan->arena);
    *plan = (struct ddl_plan){0};
}

struct ddl_step *ddl_plan_add(struct ddl_plan *plan, enum ddl_act act)
{
    struct ddl_step *more = arena_alloc(plan->arena, (plan->count + 1) * sizeof *more);

    if (plan->count > 0)
        memcpy(more, plan->steps, plan->count * sizeof *more);
    plan->steps = more;
    more[plan->count] = (struct ddl_step){.act = act, .kind = ""};
    return &more[plan->count++];
}

bool plan_take(struct planner *p, const char *words)
{
    const size_t n = ddl_words(&p->d, p->at, words);

    p->at += n;
    return n > 0;
}

bool plan_at_end(const struct planner *p)
{
    return p->at >= p->d.count || ddl_is(&p->d, p->at, ";");
}

enum err_code plan_not_known(const struct planner *p, struct err *err)
{
    return ddl_unexpected(&p->d, p->at, "a statement that is to be followed", err);
}

struct ddl_step *plan_step(struct planner *p, enum ddl_act act)
{
    struct ddl_step *s = ddl_plan_add(p->plan, act);

    s->kind = p->kind;
    return s;
}

enum err_code plan_word(struct planner *p, const char **name, struct err *err)
{
    if (plan_at_end(p) || !token_is_name(ddl_token(&p->d, p->at)))
        return plan_not_known(p, err);
    *name = ddl_value(&p->d, p->at++);
    return ERR_OK;
}

enum err_code plan_name(struct planner *p, const char **db, const char **name, struct err *err)
{
    *db = p->default_db;
    if (plan_word(p, name, err))
        return err->code;
    if (!plan_take(p, "."))
        return ERR_OK;
    *db = *name;
    return plan_word(p, name, err);
}

bool plan_manner(struct planner *p)
{
    if (!ddl_is(&p->d, p->at, "ALGORITHM") && !ddl_is(&p->d, p->at, "LOCK"))
        return false;
    p->at++;
    (void)plan_take(p, "=");
    p->at++;
    return true;
}

/* MariaDB: WAIT 5, NOWAIT. */
static void plan_wait(struct planner *p)
{
    if (!plan_take(p, "NOWAIT") && plan_take(p, "WAIT"))
        p->at++;
}

static enum err_code plan_truncate(struct planner *p, struct err *err)
{
    struct ddl_step *s = plan_step(p, ACT_TRUNCATE);

    (void)plan_take(p, "TABLE");
    if (plan_name(p, &s->db, &s->name, err))
        return err->code;
    plan_wait(p);
    return ERR_OK;
}

static enum err_code plan_drop(struct planner *p, struct err *err)
{
    const bool if_exists = plan_take(p, "IF EXISTS");

    do {
        struct ddl_step *s = plan_step(p, ACT_DROP);

        s->if_exists = if_exists;
        if (plan_name(p, &s->db, &s->name, err))
            return err->code;
    } while (plan_take(p, ","));
    plan_wait(p);
    if (!plan_take(p, "RESTRICT"))
        (void)plan_take(p, "CASCADE");
    return ERR_OK;
}

static enum err_code plan_rename(struct planner *p, struct err *err)
{
    const bool if_exists = plan_take(p, "IF EXISTS");

    do {
        struct ddl_step *s = plan_step(p, ACT_RENAME);

        s->if_exists = if_exists;
        if (plan_name(p, &s->db, &s->name, err))
            return err->code;
        plan_wait(p);
        if (!plan_take(p, "TO"))
            return plan_not_known(p, err);
        if (plan_name(p, &s->other_db, &s->other_name, err))
            return err->code;
    } while (plan_take(p, ","));
    return ERR_OK;
}

static enum err_code plan_drop_database(struct planner *p, struct err *err)
{
    struct ddl_step *s = plan_step(p, ACT_DROP_DATABASE);

    s->if_exists = plan_take(p, "IF EXISTS");
    s->name = "";
    return plan_word(p, &s->db, err);
}

/* What MySQL adds to a table that is made from a query, whose rows follow in the same transaction,
 * and MariaDB's OR REPLACE, are taken out of the text. */
static enum err_code create_text(struct planner *p, size_t replace, const char **text,
                                 struct err *err)
{
    struct ddl_text *d = &p->d;
    size_t end = d->count;
    struct strbuf out = {0};

    if (end > 0 && ddl_is(d, end - 1, ";"))
        end--;
    if (end >= 2 && ddl_words(d, end - 2, "START TRANSACTION"))
        ddl_remove(d, (struct ddl_span){end - 2, end});
    if (replace)
        ddl_remove(d, (struct ddl_span){1, 3});
    ddl_write(d, (struct ddl_span){0, end}, (struct ddl_target){.same_vendor = true}, &out);
    *text = arena_strdup(p->plan->arena, strbuf_str(&out));
    strbuf_release(&out);
    return ddl_text_init(d, *text, d->how.source, p->plan->arena, err);
}

static enum err_code plan_create(struct planner *p, bool replace, struct err *err)
{
    struct ddl_step *s;
    struct ddl_step made = {0};
    struct ddl_table t;
    bool parens;

    if (create_text(p, replace, &made.text, err))
        return err->code;
    p->at = 2;
    made.if_exists = plan_take(p, "IF NOT EXISTS");
    if (plan_name(p, &made.db, &made.name, err))
        return err->code;
    if (replace) {
        s = plan_step(p, ACT_DROP);
        s->db = made.db;
        s->name = made.name;
        s->if_exists = true;
    }
    s = plan_step(p, ACT_CREATE);
    made.act = ACT_CREATE;
    made.kind = s->kind;
    *s = made;
    parens = ddl_words(&p->d, p->at, "( LIKE") > 0;
    if (plan_take(p, "( LIKE") || plan_take(p, "LIKE")) {
        s->act = ACT_LIKE;
        if (plan_name(p, &s->other_db, &s->other_name, err))
            return err->code;
        return parens && !plan_take(p, ")") ? plan_not_known(p, err) : ERR_OK;
    }
    if (ddl_table_parse(&p->d, &t, err))
        return err->code;
    if (t.tail.first < t.tail.end)
        return err_set(err, ERR_FORMAT, "a table that is created from a query");
    p->at = p->d.count;
    return ERR_OK;
}

static bool plan_says(struct planner *p, const char *words, const char *kind)
{
    if (!plan_take(p, words))
        return false;
    p->kind = kind;
    return true;
}

static bool plan_at_index(const struct planner *p, const char *verb)
{
    return ddl_is(&p->d, 0, verb) &&
           (ddl_is(&p->d, 1, "INDEX") || ddl_words(&p->d, 1, "UNIQUE INDEX") ||
            ddl_words(&p->d, 1, "FULLTEXT INDEX") || ddl_words(&p->d, 1, "OR REPLACE INDEX") ||
            ddl_words(&p->d, 1, "OR REPLACE UNIQUE INDEX"));
}

static enum err_code plan_statement(struct planner *p, struct err *err)
{
    if (plan_says(p, "TRUNCATE", "truncate table"))
        return plan_truncate(p, err);
    if (plan_says(p, "RENAME TABLE", "rename table") ||
        plan_says(p, "RENAME TABLES", "rename table"))
        return plan_rename(p, err);
    if (plan_says(p, "DROP TABLE", "drop table") || plan_says(p, "DROP TABLES", "drop table"))
        return plan_drop(p, err);
    if (plan_says(p, "DROP DATABASE", "drop database") ||
        plan_says(p, "DROP SCHEMA", "drop database"))
        return plan_drop_database(p, err);
    if (plan_says(p, "CREATE TABLE", "create table"))
        return plan_create(p, false, err);
    if (plan_says(p, "CREATE OR REPLACE TABLE", "create table"))
        return plan_create(p, true, err);
    if (plan_says(p, "ALTER TABLE", "alter table") ||
        plan_says(p, "ALTER ONLINE TABLE", "alter table") ||
        plan_says(p, "ALTER IGNORE TABLE", "alter table"))
        return plan_alter(p, err);
    if (plan_at_index(p, "CREATE") || plan_at_index(p, "DROP")) {
        const bool create = ddl_is(&p->d, 0, "CREATE");

        p->kind = create ? "create index" : "drop index";
        p->at = 1;
        return plan_index(p, create, err);
    }
    return plan_not_known(p, err);
}

enum err_code ddl_plan_parse(const char *sql, const char *default_db, const struct flavour *source,
                             struct ddl_plan *plan, struct err *err)
{
    struct planner p = {.plan = plan, .kind = ""};
    enum err_code rc;

    *plan = (struct ddl_plan){.arena = arena_new()};
    p.default_db = arena_strdup(plan->arena, default_db);
    rc = ddl_text_init(&p.d, arena_strdup(plan->arena, sql), source, plan->arena, err);
    if (!rc)
        rc = plan_statement(&p, err);
    (void)(rc || plan_take(&p, ";"));
    if (!rc && !plan_at_end(&p))
        rc = plan_not_known(&p, err);
    return rc;
}
