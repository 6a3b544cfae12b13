/* The clauses of an ALTER TABLE as the target takes them. */
#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/schema/collation.h"
#include "common/schema/column_text.h"
#include "follower/follow_ddl.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- units ---- */

/* On TiDB: what makes room comes first, and what needs it last. */
static int clause_rank(enum clause_kind kind)
{
    static const int ranks[] = {
        [CLAUSE_DROP_FOREIGN] = 1, [CLAUSE_DROP_KEY] = 2,      [CLAUSE_DROP_PRIMARY] = 2,
        [CLAUSE_DROP_COLUMN] = 3,  [CLAUSE_CHANGE_COLUMN] = 4, [CLAUSE_RENAME_COLUMN] = 4,
        [CLAUSE_DEFAULT] = 4,      [CLAUSE_ADD_COLUMN] = 5,    [CLAUSE_ADD_KEY] = 6,
        [CLAUSE_RENAME_KEY] = 6,   [CLAUSE_KEY] = 6,           [CLAUSE_ADD_PRIMARY] = 6,
        [CLAUSE_OPTION] = 7,       [CLAUSE_CONVERT] = 7,       [CLAUSE_PARTITION] = 8,
        [CLAUSE_BY_HAND] = 9,      [CLAUSE_NOTHING] = 9,
    };

    return ranks[kind];
}

static bool clause_does(const struct ddl_clause *c)
{
    return c->kind != CLAUSE_NOTHING && c->kind != CLAUSE_BY_HAND;
}

/* On TiDB: how many clauses come before the i-th. */
static unsigned clause_place(const struct ddl_step *s, size_t i)
{
    const int rank = clause_rank(s->clauses[i].kind);
    unsigned before = 0;

    for (size_t k = 0; k < s->clause_count; k++) {
        const int other = clause_rank(s->clauses[k].kind);

        before += clause_does(&s->clauses[k]) && (other < rank || (other == rank && k < i));
    }
    return before;
}

/* Elsewhere: a new unit begins at each clause about partitions, and behind it. */
static unsigned clause_group(const struct ddl_step *s, size_t i)
{
    unsigned group = 0;
    const struct ddl_clause *last = NULL;

    for (size_t k = 0; k <= i; k++) {
        const struct ddl_clause *c = &s->clauses[k];

        if (!clause_does(c))
            continue;
        group += last && (last->kind == CLAUSE_PARTITION || c->kind == CLAUSE_PARTITION);
        last = c;
    }
    return group;
}

static unsigned clause_unit(const struct follow_run *run, const struct ddl_step *s, size_t i)
{
    return run->flavour.vendor == VENDOR_TIDB ? clause_place(s, i) : clause_group(s, i);
}

unsigned alter_units(const struct follow_run *run, const struct ddl_step *s)
{
    unsigned units = 0;

    for (size_t i = 0; i < s->clause_count; i++)
        if (clause_does(&s->clauses[i]) && clause_unit(run, s, i) >= units)
            units = clause_unit(run, s, i) + 1;
    return units;
}

/* ---- columns ---- */

static const struct table *target_table(const struct follow_run *run, const struct ddl_step *s)
{
    const char *to_db;
    const char *to_name;

    route_table(run->route, s->db, s->name, &to_db, &to_name);
    return run->target ? schema_find(run->target, to_db, to_name) : NULL;
}

/* Whether the target compares the column to find equal rows. */
static bool column_is_key(const struct table *t, const char *name)
{
    for (unsigned i = 0; t && i < t->key_count; i++)
        for (unsigned k = 0; k < t->keys[i].part_count; k++) {
            const struct key_part *part = &t->keys[i].parts[k];

            if (t->keys[i].unique && !part->expression &&
                strcasecmp(t->columns[part->column].name, name) == 0)
                return true;
        }
    return false;
}

/* The clause's column with the character set that it has on the source though it does not say so:
 * the target's table may have another default. */
static void column_explicit(struct column_text *text, const struct table *model)
{
    const struct ddl_item *item = &text->t.items[0];
    const struct column *c = table_column(model, ddl_value(&text->d, item->name));
    struct strbuf said = {0};

    if (!c || !c->charset || ddl_attr(item, ATTR_CHARSET) || ddl_attr(item, ATTR_COLLATE) ||
        ddl_is(&text->d, item->type.first, "JSON") ||
        ddl_is(&text->d, item->type.first, "NATIONAL") ||
        ddl_is(&text->d, item->type.first, "NCHAR") ||
        ddl_is(&text->d, item->type.first, "NVARCHAR"))
        return;
    strbuf_addf(&said, " CHARACTER SET %s COLLATE %s", c->charset, c->collation);
    ddl_put_behind(&text->d, item->type.end - 1, arena_strdup(text->arena, strbuf_str(&said)));
    strbuf_release(&said);
}

/* The first item of a definition, as the target takes it; *more: how many there are. */
static enum err_code item_convert(struct ddl_job *j, const char *create, size_t item, bool *there,
                                  struct strbuf *out, struct err *err)
{
    struct arena *arena = arena_new();
    struct converted c = {0};
    struct ddl_table t = {0};
    struct ddl_text d;
    enum err_code rc = step_convert(j->run, create, NULL, &c, err);

    if (!rc)
        rc = ddl_text_init(&d, c.sql, &j->run->flavour, arena, err);
    if (!rc)
        rc = ddl_table_parse(&d, &t, err);
    *there = !rc && item < t.item_count;
    if (*there)
        strbuf_addstr(out, ddl_source(&d, t.items[item].span));
    converted_release(&c);
    arena_free(arena);
    return rc;
}

static enum err_code column_sql(struct ddl_job *j, const struct ddl_step *s,
                                const struct ddl_clause *c, const struct table *model,
                                struct strbuf *sql, struct err *err)
{
    const bool key = column_is_key(target_table(j->run, s), c->name ? c->name : c->to);
    struct strbuf create = {0};
    struct column_text text;
    bool there = false;
    enum err_code rc = column_text_read(c->text, &j->run->source, &text, err);

    if (!rc && text.t.item_count != 1)
        rc = err_set(err, ERR_FORMAT, "'%s' is not one column", c->text);
    if (!rc) {
        column_explicit(&text, model);
        ddl_write(&text.d, (struct ddl_span){0, text.d.count - 1},
                  (struct ddl_target){.same_vendor = true}, &create);
        if (key) {
            strbuf_addstr(&create, ", UNIQUE KEY `k` (");
            strbuf_add_ident(&create, c->to);
            strbuf_addch(&create, ')');
        }
        strbuf_addch(&create, ')');
        rc = item_convert(j, strbuf_str(&create), 0, &there, sql, err);
    }
    if (!rc && !there)
        rc = err_set(err, ERR_FORMAT, "'%s' is no column on the target", c->text);
    if (!rc && c->first)
        strbuf_addstr(sql, " FIRST");
    if (!rc && c->after) {
        strbuf_addstr(sql, " AFTER ");
        strbuf_add_ident(sql, c->after);
    }
    strbuf_release(&create);
    arena_free(text.arena);
    return rc;
}

static enum err_code change_sql(struct ddl_job *j, const struct ddl_step *s,
                                const struct ddl_clause *c, const struct table *model,
                                struct strbuf *sql, struct err *err)
{
    if (strcasecmp(c->name, c->to) == 0) {
        strbuf_addstr(sql, "MODIFY COLUMN ");
    } else {
        strbuf_addstr(sql, "CHANGE COLUMN ");
        strbuf_add_ident(sql, c->name);
        strbuf_addch(sql, ' ');
    }
    return column_sql(j, s, c, model, sql, err);
}

/* ---- keys ---- */

/* As one of a table of all the columns. */
static enum err_code key_sql(struct ddl_job *j, const struct ddl_clause *c,
                             const struct table *model, struct strbuf *sql, struct err *err)
{
    struct strbuf create = {0};
    struct strbuf key = {0};
    bool there = false;
    enum err_code rc;

    strbuf_addstr(&create, "CREATE TABLE `t` (");
    for (unsigned i = 0; i < model->column_count; i++) {
        const struct column *column = &model->columns[i];

        strbuf_add_ident(&create, column->name);
        strbuf_addf(&create, " %s", column->type_text);
        if (column->charset)
            strbuf_addf(&create, " CHARACTER SET %s", column->charset);
        if (column->charset && column->collation)
            strbuf_addf(&create, " COLLATE %s", column->collation);
        strbuf_addstr(&create, ", ");
    }
    strbuf_addf(&create, "%s)", c->text);
    rc = item_convert(j, strbuf_str(&create), model->column_count, &there, &key, err);
    if (!rc && there)
        strbuf_addf(sql, "ADD %s", strbuf_str(&key));
    strbuf_release(&create);
    strbuf_release(&key);
    return rc;
}

/* A key or foreign key of this name on the target. */
static enum err_code part_found(const struct follow_run *run, const struct ddl_step *s,
                                bool foreign, const char *name, bool *found, struct err *err)
{
    const char *view = foreign ? "table_constraints" : "statistics";
    const char *column = foreign ? "constraint_name" : "index_name";
    struct strbuf sql = {0};
    const char *to_db;
    const char *to_name;
    char *there = NULL;
    enum err_code rc;

    route_table(run->route, s->db, s->name, &to_db, &to_name);
    strbuf_addf(&sql, "SELECT 1 FROM information_schema.%s WHERE table_schema=", view);
    strbuf_add_quotedz(&sql, to_db);
    strbuf_addstr(&sql, " AND table_name=");
    strbuf_add_quotedz(&sql, to_name);
    strbuf_addf(&sql, " AND %s=", column);
    strbuf_add_quotedz(&sql, name);
    strbuf_addstr(&sql, " LIMIT 1");
    rc = conn_value(run->conn, strbuf_str(&sql), &there, err);
    strbuf_release(&sql);
    *found = there != NULL;
    free(there);
    return rc;
}

static enum err_code keyed_sql(struct ddl_job *j, const struct ddl_step *s,
                               const struct ddl_clause *c, const struct table *model,
                               struct strbuf *sql, struct err *err)
{
    const char *name = c->kind == CLAUSE_ADD_KEY ? c->to : c->name;
    const bool foreign = c->kind == CLAUSE_DROP_FOREIGN;
    bool found = false;

    if (name && part_found(j->run, s, foreign, name, &found, err))
        return err->code;
    if (c->kind == CLAUSE_ADD_KEY)
        return found ? ERR_OK : key_sql(j, c, model, sql, err);
    if (!found) /* what the target did not take, or the user has taken away */
        return ERR_OK;
    if (c->kind == CLAUSE_RENAME_KEY) {
        strbuf_addstr(sql, "RENAME INDEX ");
        strbuf_add_ident(sql, c->name);
        strbuf_addstr(sql, " TO ");
        strbuf_add_ident(sql, c->to);
        return ERR_OK;
    }
    strbuf_addstr(sql, foreign ? "DROP FOREIGN KEY " : "DROP INDEX ");
    strbuf_add_ident(sql, c->name);
    return ERR_OK;
}

/* ---- the table ---- */

/* Of the tables of today only a default for columns to come, which this follower names itself. */
static void collation_sql(const struct follow_run *run, const struct table *model,
                          const struct ddl_clause *c, struct strbuf *sql)
{
    struct collation_map map;

    if (run->flavour.vendor == VENDOR_TIDB)
        return;
    collation_map(model->collation, &run->flavour, (struct collation_wish){0}, &map);
    strbuf_addf(sql, "%s %s COLLATE %s",
                c->kind == CLAUSE_CONVERT ? "CONVERT TO CHARACTER SET" : "DEFAULT CHARACTER SET",
                map.charset, map.name);
}

static enum err_code clause_sql(struct ddl_job *j, const struct ddl_step *s,
                                const struct ddl_clause *c, const struct table *model,
                                struct strbuf *sql, struct err *err)
{
    const struct follow_table *t = tables_find(j->run, s->db, s->name);
    const struct table *old = &t->definition->model;

    switch (c->kind) {
    case CLAUSE_ADD_COLUMN:
        if (c->if_exists && table_column(old, c->to))
            return ERR_OK;
        strbuf_addstr(sql, "ADD COLUMN ");
        return column_sql(j, s, c, model, sql, err);
    case CLAUSE_CHANGE_COLUMN:
        return table_column(old, c->name) ? change_sql(j, s, c, model, sql, err) : ERR_OK;
    case CLAUSE_DROP_COLUMN:
    case CLAUSE_RENAME_COLUMN:
        if (!table_column(old, c->name))
            return ERR_OK;
        strbuf_addstr(sql, c->kind == CLAUSE_DROP_COLUMN ? "DROP COLUMN " : "RENAME COLUMN ");
        strbuf_add_ident(sql, c->name);
        if (c->kind == CLAUSE_RENAME_COLUMN) {
            strbuf_addstr(sql, " TO ");
            strbuf_add_ident(sql, c->to);
        }
        return ERR_OK;
    case CLAUSE_ADD_KEY:
    case CLAUSE_DROP_KEY:
    case CLAUSE_RENAME_KEY:
    case CLAUSE_DROP_FOREIGN:
        return keyed_sql(j, s, c, model, sql, err);
    case CLAUSE_KEY: /* MariaDB has other words for it */
        if ((j->run->source.vendor == VENDOR_MARIADB) == (j->run->flavour.vendor == VENDOR_MARIADB))
            strbuf_addstr(sql, c->text);
        return ERR_OK;
    case CLAUSE_ADD_PRIMARY:
        strbuf_addf(sql, "ADD %s", c->text);
        return ERR_OK;
    case CLAUSE_DROP_PRIMARY:
        strbuf_addstr(sql, "DROP PRIMARY KEY");
        return ERR_OK;
    case CLAUSE_CONVERT:
        collation_sql(j->run, model, c, sql);
        return ERR_OK;
    case CLAUSE_OPTION:
        if (strcmp(c->name, "CHARSET") == 0 || strcmp(c->name, "COLLATE") == 0)
            collation_sql(j->run, model, c, sql);
        else
            strbuf_addstr(sql, c->text);
        return ERR_OK;
    case CLAUSE_DEFAULT:
    case CLAUSE_PARTITION:
        strbuf_addstr(sql, c->text);
        return ERR_OK;
    case CLAUSE_BY_HAND:
    case CLAUSE_NOTHING:
        break;
    }
    return ERR_OK;
}

enum err_code alter_sql(struct ddl_job *j, const struct ddl_step *s, const struct table *model,
                        unsigned unit, struct strbuf *sql, struct err *err)
{
    struct strbuf clause = {0};
    bool any = false;
    enum err_code rc = ERR_OK;

    for (size_t i = 0; !rc && i < s->clause_count; i++) {
        if (!clause_does(&s->clauses[i]) || clause_unit(j->run, s, i) != unit)
            continue;
        strbuf_reset(&clause);
        rc = clause_sql(j, s, &s->clauses[i], model, &clause, err);
        if (rc || clause.len == 0)
            continue;
        if (!any) {
            strbuf_addstr(sql, "ALTER TABLE ");
            step_add_target(j->run, s->db, s->name, sql);
        }
        strbuf_addf(sql, "%s %s", any ? "," : "", strbuf_str(&clause));
        any = true;
    }
    strbuf_release(&clause);
    return rc;
}
