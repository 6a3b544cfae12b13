/* Definitions behind a step of DDL: how the rows that follow look in the binlog. Read from the
 * statement alone, as the source's server reads it, whatever the target makes of it. */
#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/schema/collation.h"
#include "common/schema/column_text.h"
#include "common/schema/read.h"
#include "follower/follow_ddl.h"
#include "follower/versioned.h"

#include <stdlib.h>
#include <strings.h>

enum err_code column_text_read(const char *text, const struct flavour *flavour,
                               struct column_text *out, struct err *err)
{
    struct strbuf create = {0};
    const char *sql;

    *out = (struct column_text){.arena = arena_new()};
    strbuf_addf(&create, "CREATE TABLE `t` (%s)", text);
    sql = arena_strdup(out->arena, strbuf_str(&create));
    strbuf_release(&create);
    if (ddl_text_init(&out->d, sql, flavour, out->arena, err) ||
        ddl_table_parse(&out->d, &out->t, err))
        return err->code;
    return ERR_OK;
}

/* ---- what the source says now ---- */

enum err_code database_collation(const struct follow_run *run, const char *db, char **out,
                                 struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc = ERR_OK;

    *out = NULL;
    strbuf_addstr(&sql, "SELECT default_collation_name FROM information_schema.schemata WHERE "
                        "schema_name=");
    strbuf_add_quotedz(&sql, db);
    if (run->source_conn)
        rc = conn_value(run->source_conn, strbuf_str(&sql), out, err);
    strbuf_release(&sql);
    return rc;
}

/* Of a table whose definition was written down without it. Owned; NULL: not known. */
static enum err_code table_collation_now(const struct follow_run *run, const struct table *model,
                                         char **out, struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc = ERR_OK;

    *out = model->collation ? xstrdup(model->collation) : NULL;
    strbuf_addstr(&sql, "SELECT table_collation FROM information_schema.tables WHERE "
                        "table_schema=");
    strbuf_add_quotedz(&sql, model->db);
    strbuf_addstr(&sql, " AND table_name=");
    strbuf_add_quotedz(&sql, model->name);
    if (!*out && run->source_conn)
        rc = conn_value(run->source_conn, strbuf_str(&sql), out, err);
    strbuf_release(&sql);
    return rc;
}

/* ---- CREATE ---- */

static void definition_set(struct follow_table *t, struct table *model)
{
    struct definition *made;

    model->db = t->db;
    model->name = t->name;
    made = definition_copy(model, t);
    definition_free(t->definition);
    t->definition = made;
    t->id = TABLE_UNKNOWN;
}

static enum err_code create_model(const struct ddl_job *j, const struct ddl_step *s,
                                  struct arena *arena, struct table *out, struct err *err)
{
    const struct flavour *server = &j->run->source;
    struct ddl_table parsed = {0};
    char *database = NULL;
    struct ddl_text d;
    enum err_code rc = ddl_text_init(&d, s->text, server, arena, err);

    *out = (struct table){.db = s->db, .name = s->name};
    if (!rc)
        rc = ddl_table_parse(&d, &parsed, err);
    if (!rc)
        out->collation = table_text_collation(&d, parsed.options, parsed.option_count, server);
    if (!rc && !out->collation)
        rc = database_collation(j->run, s->db, &database, err);
    if (database)
        out->collation = arena_strdup(arena, database);
    free(database);
    out->columns = arena_alloc(arena, (parsed.item_count + 1) * sizeof *out->columns);
    for (size_t i = 0; !rc && i < parsed.item_count; i++)
        if (parsed.items[i].kind == ITEM_COLUMN)
            rc = column_of_text(&d, &parsed.items[i], server, out->collation,
                                &out->columns[out->column_count++], err);
    if (!rc) {
        versioned_read_text(&d, &parsed, out);
        versioned_add_hidden(out, arena);
    }
    return rc;
}

static enum err_code learn_create(struct ddl_job *j, const struct ddl_step *s, struct err *err)
{
    struct arena *arena = arena_new();
    struct table model;
    const enum err_code rc = create_model(j, s, arena, &model, err);

    if (!rc)
        definition_set(tables_add(j->run, s->db, s->name), &model);
    arena_free(arena);
    return rc;
}

static enum err_code learn_like(struct ddl_job *j, const struct ddl_step *s, struct err *err)
{
    const struct follow_table *from = tables_find(j->run, s->other_db, s->other_name);
    struct table model;

    if (!from || !from->definition)
        return err_set(err, ERR_FOLLOW_DDL, "%s.%s, which it is made like, is not followed",
                       s->other_db, s->other_name);
    model = from->definition->model;
    definition_set(tables_add(j->run, s->db, s->name), &model);
    return ERR_OK;
}

static void learn_rename(struct ddl_job *j, const struct ddl_step *s)
{
    struct follow_table *from = tables_find(j->run, s->db, s->name);
    struct table model = from->definition->model;

    definition_set(tables_add(j->run, s->other_db, s->other_name), &model);
    tables_remove(j->run, from);
}

/* ---- ALTER ---- */

struct altering {
    const struct ddl_step *step;
    const struct flavour *server;
    struct arena *arena;
    struct table *out;
};

static bool same_name(const char *a, const char *b)
{
    return a && b && strcasecmp(a, b) == 0;
}

/* The new default of the table's character set, and what becomes of its columns. */
static enum err_code alter_collation(struct altering *a, const char **convert, struct err *err)
{
    struct strbuf options = {0};
    enum err_code rc = ERR_OK;

    *convert = NULL;
    for (size_t i = 0; i < a->step->clause_count; i++) {
        const struct ddl_clause *c = &a->step->clauses[i];

        if (c->kind == CLAUSE_CONVERT ||
            (c->kind == CLAUSE_OPTION && c->name &&
             (strcmp(c->name, "CHARSET") == 0 || strcmp(c->name, "COLLATE") == 0)))
            strbuf_addf(&options, " %s", c->text);
    }
    if (options.len > 0) {
        const char *text = arena_strdup(a->arena, strbuf_str(&options));
        struct ddl_option *found = NULL;
        size_t count = 0;
        size_t at = 0;
        struct ddl_text d;

        rc = ddl_text_init(&d, text, a->server, a->arena, err);
        if (!rc)
            rc = ddl_options_parse(&d, &at, &found, &count, err);
        if (!rc)
            a->out->collation = table_text_collation(&d, found, count, a->server);
        if (!rc && !a->out->collation)
            rc = err_set(err, ERR_FOLLOW_DDL, "the character set%s is not known", text);
    }
    strbuf_release(&options);
    for (size_t i = 0; !rc && i < a->step->clause_count; i++)
        if (a->step->clauses[i].kind == CLAUSE_CONVERT)
            *convert = a->out->collation;
    return rc;
}

static enum err_code clause_column(struct altering *a, const struct ddl_clause *c,
                                   struct column *out, struct err *err)
{
    struct column_text text;
    enum err_code rc = column_text_read(c->text, a->server, &text, err);

    if (!rc && (text.t.item_count != 1 || text.t.items[0].kind != ITEM_COLUMN))
        rc = err_set(err, ERR_FORMAT, "'%s' is not one column", c->text);
    if (!rc)
        rc = column_of_text(&text.d, &text.t.items[0], a->server, a->out->collation, out, err);
    if (!rc) {
        out->name = arena_strdup(a->arena, out->name);
        out->type_text = arena_strdup(a->arena, out->type_text);
        out->charset = out->charset ? arena_strdup(a->arena, out->charset) : NULL;
        out->collation = out->collation ? arena_strdup(a->arena, out->collation) : NULL;
    }
    arena_free(text.arena);
    return rc;
}

static void put_at(struct table *t, unsigned at, const struct column *c)
{
    memmove(&t->columns[at + 1], &t->columns[at], (t->column_count - at) * sizeof *t->columns);
    t->columns[at] = *c;
    t->column_count++;
}

/* The clause of this kind, if any, that is about an old column. */
static const struct ddl_clause *clause_of(const struct altering *a, enum clause_kind kind,
                                          const char *name)
{
    for (size_t i = 0; i < a->step->clause_count; i++)
        if (a->step->clauses[i].kind == kind && same_name(a->step->clauses[i].name, name))
            return &a->step->clauses[i];
    return NULL;
}

/* Characters that take more bytes make the next larger TEXT of a TEXT, however much room there was;
 * a VARCHAR that gets too long stays one, or a server that is not strict makes a MEDIUMTEXT of it.
 * So do MySQL 9.7 and MariaDB 10.11, and none goes back to a smaller one. */
static void column_promote(struct column *c, const char *charset)
{
    static const char *const names[] = {"text", "mediumtext", "longtext"};
    static const uint64_t lengths[] = {65535, 16777215, 4294967295};
    const unsigned bytes = charset_max_bytes(charset);
    size_t i = 1;

    if (c->type == TYPE_VARCHAR && c->length * bytes <= 65535)
        return;
    if (c->type != TYPE_VARCHAR) {
        if (c->type < TYPE_TINYTEXT || c->type >= TYPE_LONGTEXT ||
            bytes <= charset_max_bytes(c->charset))
            return;
        i = (size_t)(c->type - TYPE_TINYTEXT);
    }
    c->type = (enum column_type)(TYPE_TEXT + i);
    c->type_text = names[i];
    c->length = lengths[i];
}

static void column_convert_to(struct altering *a, struct column *c, const char *collation)
{
    char charset[16];

    if (!collation || !column_is_text(c) || !c->charset)
        return;
    collation_charset(collation, charset);
    column_promote(c, charset);
    c->charset = arena_strdup(a->arena, charset);
    c->collation = collation;
}

/* MySQL takes the larger type that CONVERT asks for from the old column: of an INT that becomes a
 * TEXT it makes a TINYTEXT. MariaDB takes what the clause says. */
static enum err_code change_column(struct altering *a, const struct ddl_clause *change,
                                   bool converted, struct column *c, struct err *err)
{
    if (clause_column(a, change, c, err))
        return err->code;
    if (converted && a->server->vendor == VENDOR_MYSQL && c->type >= TYPE_TINYTEXT &&
        c->type <= TYPE_LONGTEXT)
        return err_set(err, ERR_FOLLOW_DDL,
                       "the column '%s' is changed and converted at once, and which type MySQL "
                       "gave it the statement does not say: make a new dump",
                       c->name);
    return ERR_OK;
}

/* The server's order: columns that stay, and those changed in their places; then, clause by clause,
 * what is new or moves. */
static enum err_code alter_columns(struct altering *a, const struct table *old, bool *converted,
                                   struct err *err)
{
    const char *convert;
    enum err_code rc = alter_collation(a, &convert, err);

    for (unsigned i = 0; !rc && i < old->column_count; i++) {
        const char *name = old->columns[i].name;
        const struct ddl_clause *change = clause_of(a, CLAUSE_CHANGE_COLUMN, name);
        const struct ddl_clause *rename = clause_of(a, CLAUSE_RENAME_COLUMN, name);
        struct column c = old->columns[i];

        if (clause_of(a, CLAUSE_DROP_COLUMN, name))
            continue;
        if (change && (change->first || change->after))
            continue;
        if (change)
            rc = change_column(a, change, convert != NULL, &c, err);
        else
            column_convert_to(a, &c, convert);
        if (rename)
            c.name = rename->to;
        a->out->columns[a->out->column_count++] = c;
    }
    *converted = convert != NULL;
    return rc;
}

static enum err_code alter_place(struct altering *a, const struct ddl_clause *c, bool converted,
                                 struct err *err)
{
    struct column made;
    unsigned at = c->first ? 0 : a->out->column_count;
    enum err_code rc = c->kind == CLAUSE_ADD_COLUMN ? clause_column(a, c, &made, err)
                                                    : change_column(a, c, converted, &made, err);

    if (!rc && c->after) {
        const struct column *behind = table_column(a->out, c->after);

        if (!behind)
            return err_set(err, ERR_FOLLOW_DDL, "no column '%s' is known", c->after);
        at = (unsigned)(behind - a->out->columns) + 1;
    }
    if (!rc)
        put_at(a->out, at, &made);
    return rc;
}

/* Every column that the clauses name is one of the table. */
static enum err_code alter_known(const struct altering *a, const struct table *old, struct err *err)
{
    for (size_t i = 0; i < a->step->clause_count; i++) {
        const struct ddl_clause *c = &a->step->clauses[i];

        if ((c->kind == CLAUSE_DROP_COLUMN || c->kind == CLAUSE_CHANGE_COLUMN ||
             c->kind == CLAUSE_RENAME_COLUMN) &&
            !c->if_exists && !table_column(old, c->name))
            return err_set(err, ERR_FOLLOW_DDL, "%s.%s had no column '%s' as far as is known",
                           a->step->db, a->step->name, c->name);
    }
    return ERR_OK;
}

/* Where the server puts a new column among those that it hides, and what happens to the history, is
 * not known. */
static enum err_code alter_versioned(const struct ddl_step *s, const struct definition *d,
                                     struct err *err)
{
    for (size_t i = 0; d->versioned && i < s->clause_count; i++)
        if (s->clauses[i].kind >= CLAUSE_ADD_COLUMN && s->clauses[i].kind <= CLAUSE_RENAME_COLUMN)
            return err_set(err, ERR_FOLLOW_DDL,
                           "%s.%s is system-versioned: a change of its columns is not followed; "
                           "start again from a new dump made behind it",
                           s->db, s->name);
    return ERR_OK;
}

enum err_code alter_model(struct ddl_job *j, const struct ddl_step *s, struct arena *arena,
                          struct table *out, struct err *err)
{
    const struct follow_table *t = tables_find(j->run, s->db, s->name);
    const struct table *old = &t->definition->model;
    struct altering a = {.step = s, .server = &j->run->source, .arena = arena, .out = out};
    char *collation = NULL;
    bool convert = false;
    enum err_code rc = table_collation_now(j->run, old, &collation, err);

    *out = *old;
    out->column_count = 0;
    out->columns =
        arena_alloc(arena, (old->column_count + s->clause_count + 1) * sizeof *out->columns);
    out->collation = collation ? arena_strdup(arena, collation) : NULL;
    free(collation);
    if (!rc)
        rc = alter_versioned(s, t->definition, err);
    if (!rc)
        rc = alter_known(&a, old, err);
    if (!rc)
        rc = alter_columns(&a, old, &convert, err);
    for (size_t i = 0; !rc && i < s->clause_count; i++) {
        const struct ddl_clause *c = &s->clauses[i];
        const bool moved =
            c->kind == CLAUSE_CHANGE_COLUMN && (c->first || c->after) && table_column(old, c->name);

        if (moved || (c->kind == CLAUSE_ADD_COLUMN && !(c->if_exists && table_column(old, c->to))))
            rc = alter_place(&a, c, convert, err);
    }
    return rc;
}

static enum err_code learn_alter(struct ddl_job *j, const struct ddl_step *s, struct err *err)
{
    struct arena *arena = arena_new();
    struct table model;
    const enum err_code rc = alter_model(j, s, arena, &model, err);

    if (!rc)
        definition_set(tables_find(j->run, s->db, s->name), &model);
    arena_free(arena);
    return rc;
}

enum err_code step_learn(struct ddl_job *j, const struct ddl_step *s, struct err *err)
{
    struct follow_table *t = tables_find(j->run, s->db, s->name);

    switch (s->act) {
    case ACT_TRUNCATE:
        t->id = TABLE_UNKNOWN;
        return ERR_OK;
    case ACT_DROP:
        tables_remove(j->run, t);
        return ERR_OK;
    case ACT_RENAME:
        learn_rename(j, s);
        return ERR_OK;
    case ACT_LIKE:
        return learn_like(j, s, err);
    case ACT_CREATE:
        return learn_create(j, s, err);
    case ACT_ALTER:
        return learn_alter(j, s, err);
    case ACT_DROP_DATABASE:
        break;
    }
    return ERR_OK;
}
