/* The clauses of ALTER TABLE, and of CREATE and DROP INDEX. */
#include "common/mysql/ident.h"
#include "follower/ddl_parse.h"

#include <string.h>

/* Up to the next comma that is in no parentheses, to the end of those around it, or to the end. */
static size_t clause_end(const struct planner *p, size_t from)
{
    size_t i = from;

    while (i < p->d.count && !ddl_is(&p->d, i, ",") && !ddl_is(&p->d, i, ";") &&
           !ddl_is(&p->d, i, ")")) {
        const size_t behind = ddl_parens_end(&p->d, i);

        i = behind ? behind : i + 1;
    }
    return i;
}

static const char *clause_text(const struct planner *p, size_t from, size_t end)
{
    return ddl_source(&p->d, (struct ddl_span){from, end});
}

/* To the clause's end, as it was written. */
static void clause_rest(struct planner *p, struct ddl_clause *c, enum clause_kind kind, size_t from)
{
    p->at = clause_end(p, from);
    c->kind = kind;
    c->text = clause_text(p, from, p->at);
}

/* Words of which one stands here. */
static bool clause_at(const struct planner *p, const char *const *words)
{
    for (; *words; words++)
        if (ddl_words(&p->d, p->at, *words))
            return true;
    return false;
}

/* ---- columns ---- */

/* The definition of a column; where it stands is taken off its end. */
static enum err_code clause_column(struct planner *p, struct ddl_clause *c, struct err *err)
{
    const size_t first = p->at;
    size_t end = clause_end(p, p->at);

    if (!token_is_name(ddl_token(&p->d, first)) || end < first + 2)
        return plan_not_known(p, err);
    p->at = end;
    c->to = ddl_value(&p->d, first);
    if (ddl_is(&p->d, end - 1, "FIRST")) {
        c->first = true;
        end--;
    } else if (end >= first + 4 && ddl_is(&p->d, end - 2, "AFTER")) {
        c->after = ddl_value(&p->d, end - 1);
        end -= 2;
    }
    c->text = clause_text(p, first, end);
    return ERR_OK;
}

static enum err_code clause_modify(struct planner *p, struct ddl_clause *c, struct err *err)
{
    c->kind = CLAUSE_CHANGE_COLUMN;
    (void)plan_take(p, "COLUMN");
    c->if_exists = plan_take(p, "IF EXISTS");
    if (clause_column(p, c, err))
        return err->code;
    c->name = c->to;
    return ERR_OK;
}

static enum err_code clause_change(struct planner *p, struct ddl_clause *c, struct err *err)
{
    c->kind = CLAUSE_CHANGE_COLUMN;
    (void)plan_take(p, "COLUMN");
    c->if_exists = plan_take(p, "IF EXISTS");
    return plan_word(p, &c->name, err) ? err->code : clause_column(p, c, err);
}

/* ALTER [COLUMN] x SET|DROP DEFAULT; ALTER INDEX x VISIBLE; ALTER CHECK|CONSTRAINT x ... */
static enum err_code clause_alter(struct planner *p, struct ddl_clause *c, struct err *err)
{
    const size_t from = p->at - 1;

    if (plan_take(p, "INDEX") || plan_take(p, "KEY")) {
        c->kind = CLAUSE_KEY;
        if (plan_take(p, "IF EXISTS") || plan_word(p, &c->name, err))
            return plan_not_known(p, err);
        clause_rest(p, c, CLAUSE_KEY, from);
        return ERR_OK;
    }
    (void)plan_take(p, "COLUMN");
    if (plan_word(p, &c->name, err))
        return err->code;
    if (!ddl_words(&p->d, p->at, "SET DEFAULT") && !ddl_words(&p->d, p->at, "DROP DEFAULT"))
        return plan_not_known(p, err);
    clause_rest(p, c, CLAUSE_DEFAULT, from);
    return ERR_OK;
}

/* ---- keys ---- */

/* [UNIQUE|FULLTEXT] [INDEX|KEY] [NAME] ... */
static void clause_add_key(struct planner *p, struct ddl_clause *c)
{
    const size_t first = p->at;

    if (plan_take(p, "CONSTRAINT") && !ddl_is(&p->d, p->at, "UNIQUE"))
        c->to = ddl_value(&p->d, p->at++);
    (void)(plan_take(p, "UNIQUE") || plan_take(p, "FULLTEXT"));
    (void)(plan_take(p, "INDEX") || plan_take(p, "KEY"));
    c->if_exists = plan_take(p, "IF NOT EXISTS");
    if (token_is_name(ddl_token(&p->d, p->at)) && !ddl_is(&p->d, p->at, "USING"))
        c->to = ddl_value(&p->d, p->at);
    clause_rest(p, c, CLAUSE_ADD_KEY, first);
}

static enum err_code clause_add(struct planner *p, struct ddl_clause *c, struct err *err)
{
    static const char *const keys[] = {"INDEX", "KEY", "UNIQUE", "FULLTEXT", NULL};
    static const char *const others[] = {"FOREIGN", "CHECK",  "SPATIAL", "VECTOR",
                                         "PERIOD",  "SYSTEM", NULL};
    const size_t first = p->at;
    const size_t named = ddl_is(&p->d, first, "CONSTRAINT") ? 1 : 0;

    for (size_t i = first; named && i <= first + 2; i++) {
        if (ddl_words(&p->d, i, "PRIMARY KEY")) {
            clause_rest(p, c, CLAUSE_ADD_PRIMARY, i);
            return ERR_OK;
        }
        if (ddl_is(&p->d, i, "UNIQUE")) {
            clause_add_key(p, c);
            return ERR_OK;
        }
    }
    if (named || clause_at(p, others)) {
        clause_rest(p, c, CLAUSE_BY_HAND, first - 1);
        return ddl_is(&p->d, first, "PERIOD") || ddl_is(&p->d, first, "SYSTEM")
                   ? plan_not_known(p, err)
                   : ERR_OK;
    }
    if (clause_at(p, keys)) {
        clause_add_key(p, c);
        return ERR_OK;
    }
    if (ddl_words(&p->d, p->at, "PRIMARY KEY")) {
        clause_rest(p, c, CLAUSE_ADD_PRIMARY, first);
        return ERR_OK;
    }
    (void)plan_take(p, "COLUMN");
    if (ddl_is(&p->d, p->at, "("))
        return plan_not_known(p, err);
    c->kind = CLAUSE_ADD_COLUMN;
    c->if_exists = plan_take(p, "IF NOT EXISTS");
    return clause_column(p, c, err);
}

/* ADD [COLUMN] (x int, y int): as if each had its own ADD. */
static enum err_code clauses_add(struct planner *p, struct ddl_step *s, struct err *err)
{
    const size_t first = p->at;
    bool if_exists;

    (void)plan_take(p, "COLUMN");
    if_exists = plan_take(p, "IF NOT EXISTS");
    if (!plan_take(p, "(")) {
        p->at = first;
        return clause_add(p, &s->clauses[s->clause_count++], err);
    }
    do {
        struct ddl_clause *c = &s->clauses[s->clause_count++];

        *c = (struct ddl_clause){.kind = CLAUSE_NOTHING};
        if (clause_add(p, c, err))
            return err->code;
        c->if_exists = c->if_exists || if_exists;
    } while (plan_take(p, ","));
    return plan_take(p, ")") ? ERR_OK : plan_not_known(p, err);
}

static enum err_code clause_drop(struct planner *p, struct ddl_clause *c, struct err *err)
{
    static const char *const others[] = {"PERIOD", "SYSTEM", NULL};

    if (ddl_is(&p->d, p->at, "CONSTRAINT") || ddl_is(&p->d, p->at, "CHECK")) {
        clause_rest(p, c, CLAUSE_BY_HAND, p->at - 1);
        return ERR_OK;
    }
    if (plan_take(p, "PRIMARY KEY")) {
        c->kind = CLAUSE_DROP_PRIMARY;
        return ERR_OK;
    }
    if (plan_take(p, "FOREIGN KEY"))
        c->kind = CLAUSE_DROP_FOREIGN;
    else if (plan_take(p, "INDEX") || plan_take(p, "KEY"))
        c->kind = CLAUSE_DROP_KEY;
    else if (clause_at(p, others))
        return plan_not_known(p, err);
    else
        c->kind = CLAUSE_DROP_COLUMN;
    if (c->kind == CLAUSE_DROP_COLUMN)
        (void)plan_take(p, "COLUMN");
    c->if_exists = plan_take(p, "IF EXISTS");
    if (plan_word(p, &c->name, err))
        return err->code;
    if (!plan_take(p, "RESTRICT"))
        (void)plan_take(p, "CASCADE");
    return ERR_OK;
}

static enum err_code clause_rename(struct planner *p, struct ddl_clause *c, struct err *err)
{
    c->kind = plan_take(p, "COLUMN") ? CLAUSE_RENAME_COLUMN : CLAUSE_RENAME_KEY;
    if (c->kind == CLAUSE_RENAME_KEY && !plan_take(p, "INDEX") && !plan_take(p, "KEY"))
        return plan_not_known(p, err);
    c->if_exists = plan_take(p, "IF EXISTS");
    if (plan_word(p, &c->name, err))
        return err->code;
    return plan_take(p, "TO") ? plan_word(p, &c->to, err) : plan_not_known(p, err);
}

/* ---- the table ---- */

/* Partitions: the rest of the statement. */
static bool clause_partition(struct planner *p, struct ddl_clause *c)
{
    static const char *const words[] = {
        "ADD PARTITION",      "DROP PARTITION", "TRUNCATE PARTITION",  "REORGANIZE PARTITION",
        "COALESCE PARTITION", "PARTITION BY",   "REMOVE PARTITIONING", NULL};
    static const char *const none[] = {"ANALYZE PARTITION",  "CHECK PARTITION",
                                       "OPTIMIZE PARTITION", "REBUILD PARTITION",
                                       "REPAIR PARTITION",   NULL};
    const bool nothing = clause_at(p, none);
    const bool by_hand = ddl_words(&p->d, p->at, "EXCHANGE PARTITION") > 0;
    const size_t from = p->at;

    if (!nothing && !by_hand && !clause_at(p, words))
        return false;
    while (!plan_at_end(p))
        p->at++;
    c->kind = nothing ? CLAUSE_NOTHING : by_hand ? CLAUSE_BY_HAND : CLAUSE_PARTITION;
    c->text = clause_text(p, from, p->at);
    return true;
}

/* Options stand without commas between them. */
static enum err_code clause_options(struct planner *p, struct ddl_step *s, struct err *err)
{
    static const char *const followed[] = {"CHARSET", "COLLATE", "COMMENT", "AUTO_INCREMENT", NULL};
    struct ddl_option *options;
    size_t count = 0;
    size_t at = p->at;
    struct ddl_text d = p->d;

    /* Up to the comma: one that is followed by another clause is not the options'. */
    d.count = clause_end(p, p->at);
    if (ddl_options_parse(&d, &at, &options, &count, err))
        return err->code;
    if (count == 0 || at != d.count)
        return plan_not_known(p, err);
    for (size_t i = 0; i < count; i++) {
        struct ddl_clause *c = &s->clauses[s->clause_count++];

        *c = (struct ddl_clause){.kind = CLAUSE_NOTHING, .name = options[i].name};
        for (size_t k = 0; followed[k]; k++)
            if (strcmp(options[i].name, followed[k]) == 0)
                c->kind = CLAUSE_OPTION;
        c->text = clause_text(p, options[i].span.first, options[i].span.end);
    }
    p->at = at;
    return ERR_OK;
}

static enum err_code clause_convert(struct planner *p, struct ddl_clause *c, struct err *err)
{
    if (!ddl_words(&p->d, p->at, "CHARACTER SET") && !ddl_is(&p->d, p->at, "CHARSET"))
        return plan_not_known(p, err);
    clause_rest(p, c, CLAUSE_CONVERT, p->at);
    return ERR_OK;
}

/* One clause, of one to come; *renamed: the table gets another name. */
static enum err_code plan_clause(struct planner *p, struct ddl_step *s, struct ddl_step *rename,
                                 struct err *err)
{
    static const char *const nothing[] = {"FORCE",           "ENABLE KEYS",        "DISABLE KEYS",
                                          "WITH VALIDATION", "WITHOUT VALIDATION", NULL};
    struct ddl_clause *c = &s->clauses[s->clause_count];

    *c = (struct ddl_clause){.kind = CLAUSE_NOTHING};
    if (plan_manner(p))
        return ERR_OK;
    if (clause_at(p, nothing)) {
        p->at = clause_end(p, p->at);
        return ERR_OK;
    }
    if (plan_take(p, "ORDER BY")) { /* of rows without an order of their own */
        while (!plan_at_end(p))
            p->at++;
        return ERR_OK;
    }
    if (ddl_is(&p->d, p->at, "RENAME") && !ddl_words(&p->d, p->at, "RENAME COLUMN") &&
        !ddl_words(&p->d, p->at, "RENAME INDEX") && !ddl_words(&p->d, p->at, "RENAME KEY")) {
        p->at++;
        (void)(plan_take(p, "TO") || plan_take(p, "AS") || plan_take(p, "="));
        return plan_name(p, &rename->other_db, &rename->other_name, err);
    }
    if (clause_partition(p, c)) {
        s->clause_count += c->kind != CLAUSE_NOTHING;
        return ERR_OK;
    }
    if (!ddl_words(&p->d, p->at, "ADD") && !ddl_words(&p->d, p->at, "DROP") &&
        !ddl_words(&p->d, p->at, "MODIFY") && !ddl_words(&p->d, p->at, "CHANGE") &&
        !ddl_words(&p->d, p->at, "ALTER") && !ddl_words(&p->d, p->at, "RENAME") &&
        !ddl_words(&p->d, p->at, "CONVERT TO"))
        return clause_options(p, s, err);
    if (plan_take(p, "ADD"))
        return clauses_add(p, s, err);
    s->clause_count++;
    if (plan_take(p, "DROP"))
        return clause_drop(p, c, err);
    if (plan_take(p, "MODIFY"))
        return clause_modify(p, c, err);
    if (plan_take(p, "CHANGE"))
        return clause_change(p, c, err);
    if (plan_take(p, "ALTER"))
        return clause_alter(p, c, err);
    if (plan_take(p, "CONVERT TO"))
        return clause_convert(p, c, err);
    return plan_take(p, "RENAME") ? clause_rename(p, c, err) : plan_not_known(p, err);
}

enum err_code plan_alter(struct planner *p, struct err *err)
{
    struct ddl_step rename = {0};
    struct ddl_step *s = plan_step(p, ACT_ALTER);
    bool more = true;

    s->if_exists = plan_take(p, "IF EXISTS");
    if (plan_name(p, &s->db, &s->name, err))
        return err->code;
    s->clauses = arena_alloc(p->plan->arena, (p->d.count + 1) * sizeof *s->clauses);
    if (ddl_is(&p->d, 1, "IGNORE")) /* it deletes rows, and does not log that */
        s->clauses[s->clause_count++] =
            (struct ddl_clause){.kind = CLAUSE_BY_HAND, .text = "ALTER IGNORE"};
    while (more && !plan_at_end(p)) {
        if (plan_clause(p, s, &rename, err))
            return err->code;
        more = plan_take(p, ",") || ddl_words(&p->d, p->at, "PARTITION BY") ||
               ddl_words(&p->d, p->at, "REMOVE PARTITIONING");
    }
    if (rename.other_name) {
        const struct ddl_step of = *s;

        if (s->clause_count > 0)
            s = plan_step(p, ACT_RENAME);
        s->act = ACT_RENAME;
        s->db = of.db;
        s->name = of.name;
        s->other_db = rename.other_db;
        s->other_name = rename.other_name;
    }
    return ERR_OK;
}

/* [UNIQUE|FULLTEXT] INDEX i [USING x] ON t (...) ..., INDEX i ON t. */
enum err_code plan_index(struct planner *p, bool create, struct err *err)
{
    struct ddl_step *s = plan_step(p, ACT_ALTER);
    const char *kind = "";
    struct strbuf text = {0};
    struct ddl_clause *c;
    size_t from;

    s->clauses = arena_alloc(p->plan->arena, sizeof *s->clauses);
    s->clause_count = 1;
    c = s->clauses;
    *c = (struct ddl_clause){.kind = create ? CLAUSE_ADD_KEY : CLAUSE_DROP_KEY};
    if (ddl_is(&p->d, p->at, "OR"))
        return plan_not_known(p, err);
    if (create)
        kind = plan_take(p, "UNIQUE") ? "UNIQUE " : plan_take(p, "FULLTEXT") ? "FULLTEXT " : "";
    if (!plan_take(p, "INDEX"))
        return plan_not_known(p, err);
    c->if_exists = plan_take(p, create ? "IF NOT EXISTS" : "IF EXISTS");
    if (plan_word(p, create ? &c->to : &c->name, err))
        return err->code;
    if (ddl_is(&p->d, p->at, "USING"))
        p->at += 2;
    if (!plan_take(p, "ON"))
        return plan_not_known(p, err);
    if (plan_name(p, &s->db, &s->name, err))
        return err->code;
    from = p->at;
    while (!plan_at_end(p) && !ddl_is(&p->d, p->at, "ALGORITHM") && !ddl_is(&p->d, p->at, "LOCK"))
        p->at++;
    if (create) {
        strbuf_addf(&text, "%sINDEX ", kind);
        strbuf_add_ident(&text, c->to);
        strbuf_addch(&text, ' ');
        strbuf_addstr(&text, clause_text(p, from, p->at));
        c->text = arena_strdup(p->plan->arena, strbuf_str(&text));
    }
    strbuf_release(&text);
    while (plan_manner(p))
        continue;
    return ERR_OK;
}
