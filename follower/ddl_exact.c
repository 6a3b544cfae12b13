/* Whether the rows that are there are the same on both sides behind an ALTER TABLE. */
#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/schema/column_text.h"
#include "common/schema/hold.h"
#include "follower/follow_ddl.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- a new column's values in rows that are there ---- */

/* A literal, or NULL. */
static bool value_is_fixed(const struct ddl_text *d, size_t i)
{
    const struct token *t;

    if (ddl_is(d, i, "-") || ddl_is(d, i, "+"))
        i++;
    t = ddl_token(d, i);
    return t->kind == TOKEN_NUMBER || t->kind == TOKEN_STRING || t->kind == TOKEN_HEX ||
           t->kind == TOKEN_BIT || ddl_is(d, i, "NULL") || ddl_is(d, i, "TRUE") ||
           ddl_is(d, i, "FALSE");
}

static const char *column_strange(const struct ddl_text *d, const struct ddl_item *item)
{
    const struct ddl_attr *value = ddl_attr(item, ATTR_DEFAULT);
    const bool timestamp = ddl_is(d, item->type.first, "TIMESTAMP");

    if (item->kind != ITEM_COLUMN)
        return "it is no column";
    if (ddl_attr(item, ATTR_AUTO_INCREMENT) || ddl_attr(item, ATTR_PRIMARY) ||
        ddl_attr(item, ATTR_GENERATED) || ddl_attr(item, ATTR_ROW_START_END))
        return "AUTO_INCREMENT, a primary key or an expression in a new column";
    if (value && !value_is_fixed(d, value->value))
        return "the new column's default is an expression: rows that are there got other values "
               "on the source";
    if (!value && timestamp && !ddl_attr(item, ATTR_NULL))
        return "a new TIMESTAMP column without a default may have got the time of the change";
    if (value && timestamp && ddl_token(d, value->value)->kind == TOKEN_STRING)
        return "the default of a new TIMESTAMP column means another moment in another time zone";
    if (ddl_attr(item, ATTR_REFERENCES))
        return "a foreign key in a new column";
    return NULL;
}

static enum err_code add_exact(const struct ddl_job *j, const struct ddl_clause *c, struct err *err)
{
    struct column_text text;
    const char *strange = NULL;
    enum err_code rc = column_text_read(c->text, &j->run->source, &text, err);

    if (!rc)
        strange = text.t.item_count == 1 ? column_strange(&text.d, &text.t.items[0])
                                         : "it is not one column";
    if (strange)
        rc = err_set(err, ERR_FOLLOW_DDL, "%s", strange);
    arena_free(text.arena);
    return rc;
}

/* ---- a changed column ---- */

static bool is_integer(const struct column *c)
{
    return c->type >= TYPE_TINYINT && c->type <= TYPE_BIGINT;
}

/* Text of any length, which keeps spaces at its end. */
static bool is_varying(const struct column *c)
{
    return c->charset && c->type >= TYPE_VARCHAR && c->type <= TYPE_LONGTEXT;
}

/* A smaller one of a kind, where each value is kept as it is or refused. */
static bool is_narrower(const struct column *now, const struct column *was)
{
    if (is_integer(now) && is_integer(was))
        return true;
    if (now->type == TYPE_DECIMAL && was->type == TYPE_DECIMAL)
        return now->scale >= was->scale;
    if (!now->charset || !was->charset || strcasecmp(now->charset, was->charset) != 0)
        return false;
    return (is_varying(now) && (is_varying(was) || was->type == TYPE_CHAR)) ||
           (now->type == TYPE_CHAR && was->type == TYPE_CHAR);
}

/* Spaces at the end that do not fit are cut off without a word. */
static enum err_code narrow_fits(const struct ddl_job *j, const struct ddl_step *s,
                                 const struct column *now, const struct column *was,
                                 struct err *err)
{
    const bool bytes = now->type != TYPE_VARCHAR && now->type != TYPE_CHAR;
    struct strbuf sql = {0};
    char *found = NULL;
    enum err_code rc;

    if (!now->charset)
        return ERR_OK;
    strbuf_addstr(&sql, "SELECT 1 FROM ");
    step_add_target(j->run, s->db, s->name, &sql);
    strbuf_addstr(&sql, bytes ? " WHERE LENGTH(" : " WHERE CHAR_LENGTH(");
    strbuf_add_ident(&sql, was->name);
    strbuf_addf(&sql, ")>%llu LIMIT 1", (unsigned long long)now->length);
    rc = conn_value(j->run->conn, strbuf_str(&sql), &found, err);
    strbuf_release(&sql);
    if (!rc && found)
        rc = err_set(err, ERR_FOLLOW_DDL,
                     "rows have values of the column '%s' that %.100s does not hold: they were cut",
                     was->name, now->type_text);
    free(found);
    return rc;
}

/* The column gets its values from AUTO_INCREMENT. */
static bool clause_counts(const struct ddl_job *j, const struct ddl_clause *c)
{
    struct column_text text;
    struct err ignored = ERR_INIT;
    const bool counts = !column_text_read(c->text, &j->run->source, &text, &ignored) &&
                        text.t.item_count == 1 && ddl_attr(&text.t.items[0], ATTR_AUTO_INCREMENT);

    arena_free(text.arena);
    return counts;
}

static enum err_code change_exact(const struct ddl_job *j, const struct ddl_step *s,
                                  const struct ddl_clause *c, const struct table *model,
                                  struct err *err)
{
    const struct follow_table *t = tables_find(j->run, s->db, s->name);
    const struct column *was = table_column(&t->definition->model, c->name);
    const struct column *now = table_column(model, c->to);
    const struct table *target = schema_find(j->run->target, t->to_db, t->to_name);
    const struct column *there = target ? table_column(target, c->name) : NULL;
    struct err why = ERR_INIT;
    struct column from;

    if (!was || !now) /* IF EXISTS */
        return ERR_OK;
    from = *was;
    from.nullable = from.nullable && now->nullable; /* a strict server refuses NULL, but: */
    if (was->type == TYPE_TIMESTAMP && was->nullable && !now->nullable)
        return err_set(err, ERR_FOLLOW_DDL, "NULL becomes the time of the change");
    if (clause_counts(j, c) && there && !there->auto_increment)
        return err_set(err, ERR_FOLLOW_DDL,
                       "AUTO_INCREMENT on a column that had it not: rows may get new values");
    if (!column_can_hold(model, now, &from, &why))
        return ERR_OK;
    if (is_narrower(now, was))
        return narrow_fits(j, s, now, was, err);
    return err_set(err, ERR_FOLLOW_DDL,
                   "from %.100s%s%s to %.100s%s%s values of the column '%s' may change, and not "
                   "as on another server",
                   was->type_text, was->charset ? " " : "", was->charset ? was->charset : "",
                   now->type_text, now->charset ? " " : "", now->charset ? now->charset : "",
                   was->name);
}

/* All text columns, which keep their names. On TiDB nothing is done: its columns must do. */
static enum err_code convert_exact(const struct ddl_job *j, const struct ddl_step *s,
                                   const struct table *model, struct err *err)
{
    const struct follow_table *t = tables_find(j->run, s->db, s->name);
    const struct table *target = schema_find(j->run->target, t->to_db, t->to_name);

    for (unsigned i = 0; i < t->definition->model.column_count; i++) {
        struct column was = t->definition->model.columns[i];
        const struct column *now = table_column(model, was.name);
        struct err why = ERR_INIT;

        if (!now || !was.charset || !now->charset || strcasecmp(was.charset, now->charset) == 0)
            continue;
        was.nullable = false;
        if (j->run->flavour.vendor == VENDOR_TIDB) {
            was = *now; /* of a TEXT that may have become a larger one */
            was.nullable = false;
            now = target ? table_column(target, was.name) : NULL;
        }
        if (!now || column_can_hold(model, now, &was, &why))
            return err_set(err, ERR_FOLLOW_DDL, "%.400s",
                           now ? why.msg : "the target lacks a column");
    }
    return ERR_OK;
}

/* ---- partitions ---- */

/* It says of all partitions what they are. */
static bool partition_makes(const struct ddl_clause *c)
{
    return strncasecmp(c->text, "PARTITION BY", 12) == 0 ||
           strncasecmp(c->text, "REMOVE PARTITIONING", 19) == 0;
}

/* How the target's table is divided. */
static enum err_code target_partition(const struct ddl_job *j, const struct ddl_step *s,
                                      struct strbuf *out, struct err *err)
{
    struct arena *arena = arena_new();
    struct ddl_table t;
    struct ddl_text d;
    char *create = NULL;
    enum err_code rc = step_shape(j, s, &create, err);

    if (!rc)
        rc = ddl_text_init(&d, create, &j->run->flavour, arena, err);
    if (!rc)
        rc = ddl_table_parse(&d, &t, err);
    if (!rc)
        table_text_partition(&d, &t, out);
    free(create);
    arena_free(arena);
    return rc;
}

/* Partitions of the same names hold the same rows. The first such statement looks; behind it both
 * sides change alike. */
static enum err_code partition_exact(const struct ddl_job *j, const struct ddl_step *s,
                                     const struct ddl_clause *c, struct err *err)
{
    const char *source = tables_find(j->run, s->db, s->name)->definition->model.partition;
    struct strbuf target = {0};
    enum err_code rc;

    if (source && strcmp(source, PARTITION_SAME) == 0)
        return ERR_OK;
    if (!source || strcmp(source, PARTITION_UNKNOWN) == 0)
        return err_set(err, ERR_FOLLOW_DDL,
                       "%.100s: whether the target's table has the same partitions is not known",
                       c->text);
    rc = target_partition(j, s, &target, err);
    if (!rc && strcmp(source, strbuf_str(&target)) != 0)
        rc = err_set(err, ERR_FOLLOW_DDL,
                     "the target's partitions are not the source's: '%.300s' there, '%.300s' here",
                     source, strbuf_str(&target));
    strbuf_release(&target);
    return rc;
}

/* UNIX_TIMESTAMP of anything but a column: its session's time zone made a number of it. */
static bool partition_says_moment(const struct ddl_text *d)
{
    for (size_t i = 0; i + 3 < d->count; i++)
        if (ddl_words(d, i, "UNIX_TIMESTAMP (") &&
            !(token_is_name(ddl_token(d, i + 2)) && ddl_is(d, i + 3, ")")))
            return true;
    return false;
}

/* Which rows are in a partition by hash or key, each kind of server says in its own way, also where
 * the definitions are the same. */
static enum err_code partition_is_same(const struct ddl_job *j, const struct ddl_step *s,
                                       struct err *err)
{
    struct strbuf sql = {0};
    const char *to_db;
    const char *to_name;
    char *hashed = NULL;
    enum err_code rc;

    route_table(j->run->route, s->db, s->name, &to_db, &to_name);
    strbuf_addstr(&sql, "SELECT partition_method FROM information_schema.partitions WHERE "
                        "table_schema=");
    strbuf_add_quotedz(&sql, to_db);
    strbuf_addstr(&sql, " AND table_name=");
    strbuf_add_quotedz(&sql, to_name);
    strbuf_addstr(&sql, " AND partition_method NOT LIKE 'RANGE%' AND partition_method NOT LIKE "
                        "'LIST%' LIMIT 1");
    rc = conn_value(j->run->conn, strbuf_str(&sql), &hashed, err);
    strbuf_release(&sql);
    if (!rc && hashed)
        rc = err_set(err, ERR_FOLLOW_DDL,
                     "the target may have other rows in a partition by %.40s: delete there by "
                     "their keys what the source emptied",
                     hashed);
    free(hashed);
    return rc;
}

enum err_code partition_text_exact(const struct ddl_job *j, const struct ddl_step *s,
                                   const char *text, struct err *err)
{
    struct arena *arena = arena_new();
    struct ddl_text d;
    enum err_code rc = ddl_text_init(&d, text, &j->run->source, arena, err);

    if (!rc && partition_says_moment(&d))
        rc = err_set(err, ERR_FOLLOW_DDL,
                     "UNIX_TIMESTAMP('...') is another number in another time zone: say the number "
                     "that SHOW CREATE TABLE has on the source");
    if (!rc && ddl_words(&d, 0, "TRUNCATE PARTITION") && !ddl_is(&d, 2, "ALL"))
        rc = partition_is_same(j, s, err);
    arena_free(arena);
    return rc;
}

/* TiDB renames one column after the other. */
static enum err_code names_exact(const struct ddl_job *j, const struct ddl_step *s, size_t i,
                                 struct err *err)
{
    const struct table *old = &tables_find(j->run, s->db, s->name)->definition->model;
    const struct ddl_clause *c = &s->clauses[i];
    bool free_name = j->run->flavour.vendor != VENDOR_TIDB || strcasecmp(c->name, c->to) == 0 ||
                     !table_column(old, c->name) || !table_column(old, c->to);

    for (size_t k = 0; !free_name && k < s->clause_count; k++) {
        const struct ddl_clause *o = &s->clauses[k];
        const bool renames = o->kind == CLAUSE_CHANGE_COLUMN || o->kind == CLAUSE_RENAME_COLUMN;

        free_name = (o->kind == CLAUSE_DROP_COLUMN || (renames && k < i)) &&
                    strcasecmp(o->name, c->to) == 0;
    }
    return free_name ? ERR_OK
                     : err_set(err, ERR_FOLLOW_DDL,
                               "the column '%s' takes the name of '%s' before that has another, "
                               "and TiDB renames one by one: rename them there through a third "
                               "name. Whether that was done no type may show, and if it was not "
                               "--ddl-done leaves their values swapped",
                               c->name, c->to);
}

enum err_code alter_exact(const struct ddl_job *j, const struct ddl_step *s,
                          const struct table *model, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (size_t i = 0; !rc && i < s->clause_count; i++) {
        const struct ddl_clause *c = &s->clauses[i];

        if (c->kind == CLAUSE_CHANGE_COLUMN || c->kind == CLAUSE_RENAME_COLUMN)
            rc = names_exact(j, s, i, err);
        if (rc)
            break;
        if (c->kind == CLAUSE_BY_HAND)
            rc = err_set(err, ERR_FOLLOW_DDL, "%.200s is to be done by hand", c->text);
        else if (c->kind == CLAUSE_ADD_COLUMN)
            rc = add_exact(j, c, err);
        else if (c->kind == CLAUSE_CHANGE_COLUMN)
            rc = change_exact(j, s, c, model, err);
        else if (c->kind == CLAUSE_CONVERT)
            rc = convert_exact(j, s, model, err);
        else if (c->kind == CLAUSE_PARTITION)
            rc = partition_text_exact(j, s, c->text, err);
        if (!rc && c->kind == CLAUSE_PARTITION && !partition_makes(c))
            rc = partition_exact(j, s, c, err);
    }
    return rc;
}
