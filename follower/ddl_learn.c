/* Definitions behind a step of DDL: how the rows that follow look in the binlog. */
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/schema/collation.h"
#include "common/schema/read.h"
#include "follower/follow_ddl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <strings.h>

/* ---- what the source says now ---- */

static enum err_code source_now(const struct follow_run *run, const char *db, const char *name,
                                struct schema **schema, const struct table **out, struct err *err)
{
    struct strbuf pattern = {0};
    struct filter *filter = NULL;
    const char *patterns[1];
    enum err_code rc;

    *out = NULL;
    strbuf_add_ident(&pattern, db);
    strbuf_addch(&pattern, '.');
    strbuf_add_ident(&pattern, name);
    patterns[0] = strbuf_str(&pattern);
    rc = filter_new(patterns, 1, true, &filter, err);
    if (!rc)
        rc = schema_read(run->source_conn, filter, schema, err);
    if (!rc)
        *out = schema_find(*schema, db, name);
    filter_free(filter);
    strbuf_release(&pattern);
    return rc;
}

static bool text_equal(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool column_same(const struct column *a, const struct column *b)
{
    return a->type == b->type && a->length == b->length && a->precision == b->precision &&
           a->scale == b->scale && a->fsp == b->fsp && a->is_unsigned == b->is_unsigned &&
           text_equal(a->charset, b->charset);
}

/* No later statement that the binlog still holds has changed what was known before. */
static bool table_unchanged(const struct table *known, const struct table *now)
{
    for (unsigned i = 0; known && i < known->column_count; i++) {
        const struct column *c = table_column(now, known->columns[i].name);

        if (!c || !column_same(&known->columns[i], c))
            return false;
    }
    return true;
}

static enum err_code column_unknown(const struct follow_table *t, const char *name, struct err *err)
{
    return err_set(
        err, ERR_FOLLOW_DDL,
        "%s.%s has been changed again on the source since, so how its column '%s' looked "
        "in between is not known",
        t->db, t->name, name);
}

/* Names in the order of the new definition, with what the statement says of those that are new. */
struct shape {
    const char **names;
    const char **charsets; /* of a new text column; "": not said; NULL: the column is not new */
    unsigned count;
};

static enum err_code database_charset(const struct follow_run *run, const char *db, char **out,
                                      struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc = ERR_OK;

    *out = NULL;
    strbuf_addstr(&sql, "SELECT default_character_set_name FROM information_schema.schemata WHERE "
                        "schema_name=");
    strbuf_add_quotedz(&sql, db);
    if (run->source_conn)
        rc = conn_value(run->source_conn, strbuf_str(&sql), out, err);
    strbuf_release(&sql);
    return rc;
}

/* A new column as the target has it since the step, with the statement's own character set. */
static enum err_code column_of_target(struct ddl_job *j, const struct follow_table *t,
                                      const char *name, const char *charset, struct column *out,
                                      struct err *err)
{
    const struct table *target;
    const struct column *c;

    if (!j->target_read && tables_read_target(j->run, err))
        return err->code;
    j->target_read = true;
    target = j->run->target ? schema_find(j->run->target, t->to_db, t->to_name) : NULL;
    c = target ? table_column(target, name) : NULL;
    if (!c || (c->charset && !*charset))
        return column_unknown(t, name, err);
    *out = *c;
    if (c->charset)
        out->charset = charset;
    return ERR_OK;
}

/* Columns that were known stay; new ones are what the source says of them now, or, where that has
 * moved on, what the target has made of the statement. */
static enum err_code definition_make(struct ddl_job *j, struct follow_table *t,
                                     const struct shape *shape, struct err *err)
{
    const struct table *old = t->definition ? &t->definition->model : NULL;
    struct schema *schema = NULL;
    const struct table *now = NULL;
    struct table want = {.db = t->db, .name = t->name, .column_count = shape->count};
    enum err_code rc = ERR_OK;

    if (j->run->source_conn)
        rc = source_now(j->run, t->db, t->name, &schema, &now, err);
    if (now && !table_unchanged(old, now))
        now = NULL;
    want.columns = xcalloc(shape->count + 1U, sizeof *want.columns);
    for (unsigned i = 0; !rc && i < shape->count; i++) {
        const char *name = shape->names[i];
        const struct column *c = shape->charsets[i] ? NULL : table_column(old, name);

        if (!c && now)
            c = table_column(now, name);
        if (c)
            want.columns[i] = *c;
        else
            rc = column_of_target(j, t, name, shape->charsets[i] ? shape->charsets[i] : "",
                                  &want.columns[i], err);
    }
    if (!rc) {
        struct definition *made = definition_copy(&want, t);

        definition_free(t->definition);
        t->definition = made;
        t->id = TABLE_UNKNOWN;
    }
    free(want.columns);
    schema_free(schema);
    return rc;
}

/* ---- steps ---- */

/* The character set that a column's attributes, or a table's options, name; NULL: none. */
static const char *charset_of(const struct ddl_text *d, size_t charset, size_t collation)
{
    char name[16];

    if (charset != DDL_NONE)
        return ddl_value(d, charset);
    if (collation == DDL_NONE)
        return NULL;
    collation_charset(ddl_value(d, collation), name);
    return arena_strdup(d->arena, name);
}

static const char *column_charset(const struct ddl_text *d, const struct ddl_item *item)
{
    const struct ddl_attr *charset = ddl_attr(item, ATTR_CHARSET);
    const struct ddl_attr *collation = ddl_attr(item, ATTR_COLLATE);

    if (ddl_attr(item, ATTR_BINARY)) /* ASCII, UNICODE: old words, not followed */
        return "";
    return charset_of(d, charset ? charset->value : DDL_NONE,
                      collation ? collation->value : DDL_NONE);
}

static const char *table_charset(const struct ddl_text *d, const struct ddl_table *t)
{
    size_t charset = DDL_NONE, collation = DDL_NONE;

    for (size_t i = 0; i < t->option_count; i++)
        if (strcmp(t->options[i].name, "CHARSET") == 0)
            charset = t->options[i].value;
        else if (strcmp(t->options[i].name, "COLLATE") == 0)
            collation = t->options[i].value;
    return charset_of(d, charset, collation);
}

static void shape_add(struct shape *shape, const char *name, const char *charset)
{
    shape->names[shape->count] = name;
    shape->charsets[shape->count++] = charset;
}

static struct shape shape_new(size_t room)
{
    return (struct shape){.names = xcalloc(room + 1, sizeof(char *)),
                          .charsets = xcalloc(room + 1, sizeof(char *))};
}

static void shape_release(struct shape *shape)
{
    free(shape->names);
    free(shape->charsets);
}

/* The columns, each with its character set: its own, else `other`. */
static struct shape shape_of(const struct ddl_text *d, const struct ddl_table *parsed,
                             const char *other)
{
    struct shape shape = shape_new(parsed->item_count);

    for (size_t i = 0; i < parsed->item_count; i++) {
        const struct ddl_item *item = &parsed->items[i];
        const char *charset = column_charset(d, item);

        if (item->kind == ITEM_COLUMN)
            shape_add(&shape, ddl_value(d, item->name), charset ? charset : other);
    }
    return shape;
}

static enum err_code learn_create(struct ddl_job *j, const struct ddl_step *s, struct err *err)
{
    struct arena *arena = arena_new();
    struct follow_table *t = tables_add(j->run, s->db, s->name);
    struct shape shape = {.names = NULL};
    struct ddl_table parsed = {0};
    const char *table = NULL;
    char *database = NULL;
    struct ddl_text d;
    enum err_code rc = ddl_text_init(&d, s->clause, &j->run->source, arena, err);

    if (!rc)
        rc = ddl_table_parse(&d, &parsed, err);
    if (!rc)
        table = table_charset(&d, &parsed);
    if (!rc && !table)
        rc = database_charset(j->run, s->db, &database, err);
    if (!rc) {
        shape = shape_of(&d, &parsed, table ? table : database ? database : "");
        rc = definition_make(j, t, &shape, err);
    }
    shape_release(&shape);
    free(database);
    arena_free(arena);
    return rc;
}

static enum err_code learn_like(struct ddl_job *j, const struct ddl_step *s, struct err *err)
{
    const struct follow_table *from = tables_find(j->run, s->other_db, s->other_name);
    struct follow_table *t;

    if (!from || !from->definition)
        return err_set(err, ERR_FOLLOW_DDL, "%s.%s, which it is made like, is not followed",
                       s->other_db, s->other_name);
    t = tables_add(j->run, s->db, s->name);
    /* tables_add may have moved the list, not the tables. */
    definition_free(t->definition);
    t->definition = definition_copy(&from->definition->model, t);
    return ERR_OK;
}

static void learn_rename(struct ddl_job *j, const struct ddl_step *s)
{
    struct follow_table *from = tables_find(j->run, s->db, s->name);
    struct follow_table *to = tables_add(j->run, s->other_db, s->other_name);
    struct table model = from->definition->model;

    model.db = to->db;
    model.name = to->name;
    to->definition = definition_copy(&model, to);
    tables_remove(j->run, from);
}

static enum err_code learn_add(struct ddl_job *j, const struct ddl_step *s, struct err *err)
{
    struct arena *arena = arena_new();
    struct follow_table *t = tables_find(j->run, s->db, s->name);
    const struct table *model = &t->definition->model;
    struct shape shape = shape_new(model->column_count + 1U);
    struct strbuf create = {0};
    struct ddl_table parsed = {0};
    const char *charset = NULL;
    bool placed = s->first;
    struct ddl_text d;
    enum err_code rc;

    strbuf_addf(&create, "CREATE TABLE `t` (%s)", s->clause);
    rc = ddl_text_init(&d, strbuf_str(&create), &j->run->source, arena, err);
    if (!rc)
        rc = ddl_table_parse(&d, &parsed, err);
    if (!rc && parsed.item_count == 1)
        charset = column_charset(&d, &parsed.items[0]);
    charset = charset ? charset : "";
    if (s->first)
        shape_add(&shape, s->part, charset);
    for (unsigned i = 0; i < model->column_count; i++) {
        shape_add(&shape, model->columns[i].name, NULL);
        if (s->after && strcasecmp(model->columns[i].name, s->after) == 0) {
            shape_add(&shape, s->part, charset);
            placed = true;
        }
    }
    if (!placed)
        shape_add(&shape, s->part, charset);
    if (!rc)
        rc = definition_make(j, t, &shape, err);
    strbuf_release(&create);
    shape_release(&shape);
    arena_free(arena);
    return rc;
}

static void learn_drop_column(struct ddl_job *j, const struct ddl_step *s)
{
    struct follow_table *t = tables_find(j->run, s->db, s->name);
    const struct definition *old = t->definition;
    struct table want = old->model;
    struct definition *made;

    want.columns = xcalloc(old->model.column_count + 1U, sizeof *want.columns);
    want.column_count = 0;
    for (unsigned i = 0; i < old->model.column_count; i++)
        if (strcasecmp(old->model.columns[i].name, s->part) != 0)
            want.columns[want.column_count++] = old->model.columns[i];
    made = definition_copy(&want, t);
    free(want.columns);
    definition_free(t->definition);
    t->definition = made;
    t->id = TABLE_UNKNOWN;
}

enum err_code step_learn(struct ddl_job *j, const struct ddl_step *s, struct err *err)
{
    struct follow_table *t = tables_find(j->run, s->db, s->name);

    switch (s->act) {
    case ACT_TRUNCATE:
    case ACT_ADD_KEY:
    case ACT_DROP_KEY:
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
    case ACT_ADD_COLUMN:
        return learn_add(j, s, err);
    case ACT_DROP_COLUMN:
        learn_drop_column(j, s);
        return ERR_OK;
    }
    return ERR_OK;
}

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

    if (item->kind != ITEM_COLUMN)
        return "it is no column";
    if (ddl_attr(item, ATTR_AUTO_INCREMENT) || ddl_attr(item, ATTR_PRIMARY) ||
        ddl_attr(item, ATTR_GENERATED) || ddl_attr(item, ATTR_ROW_START_END))
        return "AUTO_INCREMENT, a primary key or an expression in a new column";
    if (value && !value_is_fixed(d, value->value))
        return "the new column's default is an expression: rows that are there got other values "
               "on the source";
    if (!value && ddl_is(d, item->type.first, "TIMESTAMP") && !ddl_attr(item, ATTR_NULL))
        return "a new TIMESTAMP column without a default may have got the time of the change";
    if (ddl_attr(item, ATTR_REFERENCES))
        return "a foreign key in a new column";
    return NULL;
}

enum err_code column_allowed(const struct ddl_job *j, const struct ddl_step *s, struct err *err)
{
    struct arena *arena = arena_new();
    struct strbuf create = {0};
    struct ddl_table t = {0};
    const char *strange = NULL;
    struct ddl_text d;
    enum err_code rc;

    strbuf_addf(&create, "CREATE TABLE `t` (%s)", s->clause);
    rc = ddl_text_init(&d, strbuf_str(&create), &j->run->source, arena, err);
    if (!rc)
        rc = ddl_table_parse(&d, &t, err);
    if (!rc)
        strange = t.item_count == 1 ? column_strange(&d, &t.items[0]) : "it is not one column";
    if (strange)
        rc = err_set(err, ERR_FOLLOW_DDL, "%s", strange);
    strbuf_release(&create);
    arena_free(arena);
    return rc;
}

/* ---- the state ---- */

struct keeping {
    struct ddl_job *job;
    struct follow_row *gone, *changed;
    struct strbuf *texts; /* of `changed` */
    size_t gone_count, changed_count;
};

static void keep_name(struct keeping *k, const char *db, const char *name)
{
    const struct follow_table *t = tables_find(k->job->run, db, name);

    if (!t) {
        k->gone[k->gone_count++] = (struct follow_row){.db = db, .name = name};
        return;
    }
    table_row(t, &k->texts[k->changed_count], &k->changed[k->changed_count]);
    k->changed_count++;
}

/* TiDB gives an emptied table another id, by which the load knows it. */
static enum err_code keep_ids(const struct follow_run *run, const struct ddl_step *s,
                              struct err *err)
{
    struct strbuf sql = {0};
    const char *to_db;
    const char *to_name;
    enum err_code rc;

    if (run->flavour.vendor != VENDOR_TIDB || s->act != ACT_TRUNCATE)
        return ERR_OK;
    route_table(run->route, s->db, s->name, &to_db, &to_name);
    strbuf_addstr(&sql, "UPDATE ");
    state_add_name(&sql, &run->state, "tbl");
    strbuf_addstr(&sql, " SET target_id=(SELECT tidb_table_id FROM information_schema.tables WHERE "
                        "table_schema=");
    strbuf_add_quotedz(&sql, to_db);
    strbuf_addstr(&sql, " AND table_name=");
    strbuf_add_quotedz(&sql, to_name);
    strbuf_addf(&sql, ") WHERE job=%" PRIu64 " AND db_name=", run->state.job);
    strbuf_add_quotedz(&sql, to_db);
    strbuf_addstr(&sql, " AND name=");
    strbuf_add_quotedz(&sql, to_name);
    rc = conn_exec(run->conn, sql.str, sql.len, NULL, err);
    strbuf_release(&sql);
    return rc;
}

enum err_code ddl_keep(struct ddl_job *j, struct err *err)
{
    const size_t room = 2 * j->plan.count + 1;
    struct keeping k = {.job = j};
    struct follow_changes changes;
    enum err_code rc = ERR_OK;

    k.gone = xcalloc(room, sizeof *k.gone);
    k.changed = xcalloc(room, sizeof *k.changed);
    k.texts = xcalloc(room, sizeof *k.texts);
    for (size_t i = 0; i < j->plan.count; i++) {
        const struct ddl_step *s = &j->plan.steps[i];

        keep_name(&k, s->db, s->name);
        if (s->act == ACT_RENAME)
            keep_name(&k, s->other_db, s->other_name);
    }
    changes = (struct follow_changes){k.gone, k.changed, k.gone_count, k.changed_count};
    for (size_t i = 0; !rc && i < j->plan.count; i++)
        rc = keep_ids(j->run, &j->plan.steps[i], err);
    if (!rc)
        rc = follow_ddl_done(j->run->conn, &j->run->state, &j->note, &changes, err);
    for (size_t i = 0; i < room; i++)
        strbuf_release(&k.texts[i]);
    free(k.texts);
    free(k.gone);
    free(k.changed);
    return rc;
}
