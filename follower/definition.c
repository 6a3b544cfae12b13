#include "follower/definition.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char *const generated_words[] = {"", "virtual", "stored"};

static const char *copy(struct arena *arena, const char *text)
{
    return text ? arena_strdup(arena, text) : NULL;
}

static struct definition *definition_new(const char *db, const char *name,
                                         struct follow_table *owner, unsigned columns)
{
    struct arena *arena = arena_new();
    struct definition *d = arena_alloc(arena, sizeof *d);

    *d = (struct definition){.owner = owner, .arena = arena};
    d->model.db = copy(arena, db);
    d->model.name = copy(arena, name);
    d->model.kind = TABLE_BASE;
    d->model.columns = arena_alloc(arena, sizeof(*d->model.columns) * (columns + 1U));
    d->model.column_count = columns;
    return d;
}

static void column_set(struct definition *d, unsigned i, const struct column *from)
{
    struct column *c = &d->model.columns[i];

    *c = (struct column){.readable = true,
                         .name = copy(d->arena, from->name),
                         .type_text = copy(d->arena, from->type_text),
                         .charset = copy(d->arena, from->charset),
                         .collation = copy(d->arena, from->collation),
                         .generated = from->generated,
                         .nullable = from->nullable,
                         .invisible = from->invisible,
                         .row_start_end = from->row_start_end};
    column_parse_type(c->type_text, c);
    d->versioned = d->versioned || c->row_start_end;
}

struct definition *definition_copy(const struct table *t, struct follow_table *owner)
{
    struct definition *d = definition_new(t->db, t->name, owner, t->column_count);

    for (unsigned i = 0; i < t->column_count; i++)
        column_set(d, i, &t->columns[i]);
    d->model.collation = copy(d->arena, t->collation);
    d->model.partition = copy(d->arena, t->partition);
    return d;
}

void definition_show(const struct table *t, struct strbuf *out)
{
    for (unsigned i = 0; i < t->column_count; i++) {
        const struct column *c = &t->columns[i];

        strbuf_addf(out, "%s%s %.60s", i > 0 ? ", " : "(", c->name, c->type_text);
        if (c->charset)
            strbuf_addf(out, " %s", c->charset);
    }
    strbuf_addch(out, ')');
}

void definition_free(struct definition *d)
{
    if (d)
        arena_free(d->arena);
}

static json_t *column_json(const struct column *c)
{
    json_t *o = json_pack("{s:s,s:s}", "name", c->name, "type", c->type_text);

    if (c->charset)
        (void)json_object_set_new(o, "charset", json_string(c->charset));
    if (c->collation)
        (void)json_object_set_new(o, "collation", json_string(c->collation));
    if (c->nullable)
        (void)json_object_set_new(o, "nullable", json_true());
    if (c->generated != GENERATED_NO)
        (void)json_object_set_new(o, "generated", json_string(generated_words[c->generated]));
    if (c->row_start_end)
        (void)json_object_set_new(o, "versioning", json_true());
    return o;
}

void definition_text(const struct table *t, struct strbuf *out)
{
    json_t *columns = json_array();
    json_t *whole = json_pack("{s:o}", "columns", columns);
    char *text;

    for (unsigned i = 0; i < t->column_count; i++)
        (void)json_array_append_new(columns, column_json(&t->columns[i]));
    if (t->collation)
        (void)json_object_set_new(whole, "collation", json_string(t->collation));
    if (t->partition)
        (void)json_object_set_new(whole, "partition", json_string(t->partition));
    text = json_dumps(whole, JSON_COMPACT);
    strbuf_addstr(out, text ? text : "");
    free(text);
    json_decref(whole);
}

static const char *member(const json_t *o, const char *name)
{
    return json_string_value(json_object_get(o, name));
}

static bool column_read(struct definition *d, unsigned i, const json_t *o)
{
    const char *generated = member(o, "generated");
    struct column c = {.name = member(o, "name"),
                       .type_text = member(o, "type"),
                       .charset = member(o, "charset"),
                       .collation = member(o, "collation"),
                       .nullable = json_is_true(json_object_get(o, "nullable")),
                       .row_start_end = json_is_true(json_object_get(o, "versioning"))};

    if (!c.name || !c.type_text)
        return false;
    if (generated)
        c.generated = strcmp(generated, "stored") == 0 ? GENERATED_STORED : GENERATED_VIRTUAL;
    column_set(d, i, &c);
    return true;
}

enum err_code definition_parse(const char *db, const char *name, const char *text,
                               struct follow_table *owner, struct definition **out, struct err *err)
{
    json_t *whole = json_loads(text, 0, NULL);
    const json_t *columns = json_object_get(whole, "columns");
    const unsigned count = (unsigned)json_array_size(columns);
    struct definition *d = definition_new(db, name, owner, count);
    bool good = count > 0;

    for (unsigned i = 0; good && i < count; i++)
        good = column_read(d, i, json_array_get(columns, i));
    d->model.collation = copy(d->arena, member(whole, "collation"));
    d->model.partition = copy(d->arena, member(whole, "partition"));
    json_decref(whole);
    if (!good) {
        definition_free(d);
        return err_set(err, ERR_LOAD_STATE,
                       "the state's definition of %s.%s cannot be understood: another version of "
                       "ferry wrote it",
                       db, name);
    }
    *out = d;
    return ERR_OK;
}
