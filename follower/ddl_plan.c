#include "follower/ddl_plan.h"

#include "common/mysql/ident.h"

#include <string.h>

struct planner {
    struct ddl_plan *plan;
    struct ddl_text d;
    size_t at;
    const char *default_db;
};

void ddl_plan_release(struct ddl_plan *plan)
{
    arena_free(plan->arena);
    *plan = (struct ddl_plan){0};
}

static bool take(struct planner *p, const char *words)
{
    const size_t n = ddl_words(&p->d, p->at, words);

    p->at += n;
    return n > 0;
}

static bool at_end(const struct planner *p)
{
    return p->at >= p->d.count || ddl_is(&p->d, p->at, ";");
}

static enum err_code not_known(const struct planner *p, struct err *err)
{
    return ddl_unexpected(&p->d, p->at, "in a statement that is to be followed", err);
}

static struct ddl_step *step_add(struct planner *p, enum ddl_act act)
{
    struct ddl_plan *plan = p->plan;
    struct ddl_step *more = arena_alloc(plan->arena, (plan->count + 1) * sizeof *more);

    if (plan->count > 0)
        memcpy(more, plan->steps, plan->count * sizeof *more);
    plan->steps = more;
    more[plan->count] = (struct ddl_step){.act = act};
    return &more[plan->count++];
}

static enum err_code take_word(struct planner *p, const char **name, struct err *err)
{
    if (at_end(p) || !token_is_name(ddl_token(&p->d, p->at)))
        return not_known(p, err);
    *name = ddl_value(&p->d, p->at++);
    return ERR_OK;
}

/* NAME or NAME.NAME. */
static enum err_code take_name(struct planner *p, const char **db, const char **name,
                               struct err *err)
{
    *db = p->default_db;
    if (take_word(p, name, err))
        return err->code;
    if (!take(p, "."))
        return ERR_OK;
    *db = *name;
    return take_word(p, name, err);
}

static enum err_code plan_truncate(struct planner *p, struct err *err)
{
    struct ddl_step *s = step_add(p, ACT_TRUNCATE);

    (void)take(p, "TABLE");
    return take_name(p, &s->db, &s->name, err);
}

static enum err_code plan_drop(struct planner *p, struct err *err)
{
    const bool if_exists = take(p, "IF EXISTS");

    do {
        struct ddl_step *s = step_add(p, ACT_DROP);

        s->if_exists = if_exists;
        if (take_name(p, &s->db, &s->name, err))
            return err->code;
    } while (take(p, ","));
    if (!take(p, "RESTRICT"))
        (void)take(p, "CASCADE");
    return ERR_OK;
}

static enum err_code plan_rename(struct planner *p, struct err *err)
{
    do {
        struct ddl_step *s = step_add(p, ACT_RENAME);

        if (take_name(p, &s->db, &s->name, err))
            return err->code;
        if (!take(p, "TO"))
            return not_known(p, err);
        if (take_name(p, &s->other_db, &s->other_name, err))
            return err->code;
    } while (take(p, ","));
    return ERR_OK;
}

static enum err_code plan_create(struct planner *p, struct err *err)
{
    const bool if_exists = take(p, "IF NOT EXISTS");
    struct ddl_step *s = step_add(p, ACT_CREATE);
    bool parens;
    struct ddl_table t;

    s->if_exists = if_exists;
    if (take_name(p, &s->db, &s->name, err))
        return err->code;
    parens = ddl_words(&p->d, p->at, "( LIKE") > 0;
    if (take(p, "( LIKE") || take(p, "LIKE")) {
        s->act = ACT_LIKE;
        if (take_name(p, &s->other_db, &s->other_name, err))
            return err->code;
        return parens && !take(p, ")") ? not_known(p, err) : ERR_OK;
    }
    if (ddl_table_parse(&p->d, &t, err))
        return err->code;
    /* A query; or what MySQL logs of one, the rows follow in the same transaction. */
    if (t.tail.first < t.tail.end ||
        (p->d.count >= 2 && ddl_words(&p->d, p->d.count - 2, "START TRANSACTION")))
        return err_set(err, ERR_FORMAT, "a table that is created from a query");
    s->clause = p->d.how.text;
    p->at = p->d.count;
    return ERR_OK;
}

/* Up to the next comma that is in no parentheses, or to the end: the text of these tokens. */
static size_t clause_end(const struct planner *p, size_t from)
{
    size_t i = from;

    while (i < p->d.count && !ddl_is(&p->d, i, ",") && !ddl_is(&p->d, i, ";")) {
        const size_t behind = ddl_parens_end(&p->d, i);

        i = behind ? behind : i + 1;
    }
    return i;
}

/* The definition of a column; where it stands is taken off its end. */
static enum err_code plan_add_column(struct planner *p, struct ddl_step *s, struct err *err)
{
    const size_t first = p->at;
    size_t end = clause_end(p, p->at);

    p->at = end;
    if (!token_is_name(ddl_token(&p->d, first)) || end < first + 2)
        return not_known(p, err);
    s->act = ACT_ADD_COLUMN;
    s->part = ddl_value(&p->d, first);
    if (ddl_is(&p->d, end - 1, "FIRST")) {
        s->first = true;
        end--;
    } else if (end >= first + 4 && ddl_is(&p->d, end - 2, "AFTER")) {
        s->after = ddl_value(&p->d, end - 1);
        end -= 2;
    }
    s->clause = ddl_source(&p->d, (struct ddl_span){first, end});
    return ERR_OK;
}

static bool at_key(const struct planner *p)
{
    static const char *const words[] = {"INDEX", "KEY", "UNIQUE", "FULLTEXT", NULL};

    for (size_t i = 0; words[i]; i++)
        if (ddl_is(&p->d, p->at, words[i]))
            return true;
    return false;
}

/* [UNIQUE|FULLTEXT] [INDEX|KEY] [NAME] ... */
static void plan_add_key(struct planner *p, struct ddl_step *s)
{
    const size_t first = p->at;

    (void)(take(p, "UNIQUE") || take(p, "FULLTEXT"));
    (void)(take(p, "INDEX") || take(p, "KEY"));
    s->act = ACT_ADD_KEY;
    if (token_is_name(ddl_token(&p->d, p->at)) && !ddl_is(&p->d, p->at, "USING"))
        s->part = ddl_value(&p->d, p->at);
    p->at = clause_end(p, p->at);
    s->clause = ddl_source(&p->d, (struct ddl_span){first, p->at});
}

static enum err_code plan_add(struct planner *p, struct ddl_step *s, struct err *err)
{
    static const char *const others[] = {"CONSTRAINT", "FOREIGN", "PRIMARY", "CHECK", "SPATIAL",
                                         "PARTITION",  "PERIOD",  "SYSTEM",  "(",     NULL};

    if (at_key(p)) {
        plan_add_key(p, s);
        return s->part ? ERR_OK : err_set(err, ERR_FORMAT, "a key without a name is added");
    }
    (void)take(p, "COLUMN");
    for (size_t i = 0; others[i]; i++)
        if (ddl_is(&p->d, p->at, others[i]))
            return not_known(p, err);
    s->if_exists = take(p, "IF NOT EXISTS");
    return plan_add_column(p, s, err);
}

static enum err_code plan_drop_part(struct planner *p, struct ddl_step *s, struct err *err)
{
    static const char *const others[] = {"CONSTRAINT", "FOREIGN", "PRIMARY", "CHECK",
                                         "PARTITION",  "PERIOD",  "SYSTEM",  NULL};

    s->act = take(p, "INDEX") || take(p, "KEY") ? ACT_DROP_KEY : ACT_DROP_COLUMN;
    if (s->act == ACT_DROP_COLUMN)
        (void)take(p, "COLUMN");
    for (size_t i = 0; others[i]; i++)
        if (ddl_is(&p->d, p->at, others[i]))
            return not_known(p, err);
    s->if_exists = take(p, "IF EXISTS");
    if (take_word(p, &s->part, err))
        return err->code;
    if (!take(p, "RESTRICT"))
        (void)take(p, "CASCADE");
    return ERR_OK;
}

/* What says how the server goes about it. */
static bool take_manner(struct planner *p)
{
    if (!ddl_is(&p->d, p->at, "ALGORITHM") && !ddl_is(&p->d, p->at, "LOCK"))
        return false;
    p->at++;
    (void)take(p, "=");
    p->at++;
    return true;
}

static enum err_code plan_alter_one(struct planner *p, const char *db, const char *name,
                                    struct err *err)
{
    struct ddl_step *s;

    if (take_manner(p))
        return ERR_OK;
    s = step_add(p, ACT_RENAME);
    s->db = db;
    s->name = name;
    if (take(p, "ADD"))
        return plan_add(p, s, err);
    if (take(p, "DROP"))
        return plan_drop_part(p, s, err);
    if (!take(p, "RENAME") || ddl_is(&p->d, p->at, "COLUMN") || ddl_is(&p->d, p->at, "INDEX") ||
        ddl_is(&p->d, p->at, "KEY"))
        return not_known(p, err);
    (void)(take(p, "TO") || take(p, "AS") || take(p, "="));
    return take_name(p, &s->other_db, &s->other_name, err);
}

static enum err_code plan_alter(struct planner *p, struct err *err)
{
    const char *db = NULL;
    const char *name = NULL;

    (void)take(p, "IF EXISTS");
    if (take_name(p, &db, &name, err))
        return err->code;
    do {
        if (plan_alter_one(p, db, name, err))
            return err->code;
        /* The steps behind would be of another name. */
        if (p->plan->count > 1 && p->plan->steps[p->plan->count - 1].act == ACT_RENAME)
            return err_set(err, ERR_FORMAT, "a RENAME among other changes");
    } while (take(p, ","));
    return ERR_OK;
}

/* CREATE [UNIQUE|FULLTEXT] INDEX i ON t (...) ..., DROP INDEX i ON t. */
static enum err_code plan_index(struct planner *p, bool create, struct err *err)
{
    struct ddl_step *s = step_add(p, create ? ACT_ADD_KEY : ACT_DROP_KEY);
    const char *kind = "";
    struct strbuf clause = {0};
    size_t from;

    if (create)
        kind = take(p, "UNIQUE") ? "UNIQUE " : take(p, "FULLTEXT") ? "FULLTEXT " : "";
    if (!take(p, "INDEX"))
        return not_known(p, err);
    s->if_exists = take(p, create ? "IF NOT EXISTS" : "IF EXISTS");
    if (take_word(p, &s->part, err))
        return err->code;
    if (ddl_is(&p->d, p->at, "USING"))
        p->at += 2;
    if (!take(p, "ON"))
        return not_known(p, err);
    if (take_name(p, &s->db, &s->name, err))
        return err->code;
    from = p->at;
    while (!at_end(p) && !ddl_is(&p->d, p->at, "ALGORITHM") && !ddl_is(&p->d, p->at, "LOCK"))
        p->at++;
    strbuf_addf(&clause, "%sINDEX ", kind);
    strbuf_add_ident(&clause, s->part);
    strbuf_addch(&clause, ' ');
    strbuf_addstr(&clause, ddl_source(&p->d, (struct ddl_span){from, p->at}));
    s->clause = arena_strdup(p->plan->arena, strbuf_str(&clause));
    strbuf_release(&clause);
    while (take_manner(p))
        continue;
    return ERR_OK;
}

static enum err_code plan_statement(struct planner *p, struct err *err)
{
    if (take(p, "TRUNCATE"))
        return plan_truncate(p, err);
    if (take(p, "RENAME TABLE") || take(p, "RENAME TABLES"))
        return plan_rename(p, err);
    if (take(p, "DROP TABLE") || take(p, "DROP TABLES"))
        return plan_drop(p, err);
    if (take(p, "CREATE TABLE"))
        return plan_create(p, err);
    if (take(p, "ALTER TABLE") || take(p, "ALTER ONLINE TABLE"))
        return plan_alter(p, err);
    if (ddl_words(&p->d, p->at, "CREATE INDEX") || ddl_words(&p->d, p->at, "CREATE UNIQUE INDEX") ||
        ddl_words(&p->d, p->at, "CREATE FULLTEXT INDEX")) {
        p->at++;
        return plan_index(p, true, err);
    }
    if (ddl_words(&p->d, p->at, "DROP INDEX")) {
        p->at++;
        return plan_index(p, false, err);
    }
    return not_known(p, err);
}

enum err_code ddl_plan_parse(const char *sql, const char *default_db, const struct flavour *source,
                             struct ddl_plan *plan, struct err *err)
{
    struct planner p = {.plan = plan};
    enum err_code rc;

    *plan = (struct ddl_plan){.arena = arena_new()};
    p.default_db = arena_strdup(plan->arena, default_db);
    rc = ddl_text_init(&p.d, arena_strdup(plan->arena, sql), source, plan->arena, err);
    if (!rc)
        rc = plan_statement(&p, err);
    (void)(rc || take(&p, ";"));
    if (!rc && !at_end(&p))
        rc = not_known(&p, err);
    return rc;
}
