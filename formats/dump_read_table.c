/* A table of a dump as the records describe it: model and shape. */
#include "formats/dump_plan.h"

#include <inttypes.h>
#include <string.h>

static const char *copy(struct arena *arena, const char *text)
{
    return text ? arena_strdup(arena, text) : NULL;
}

static void *zeroed(struct arena *arena, size_t count, size_t size)
{
    void *block = arena_alloc(arena, count * size);

    memset(block, 0, count * size);
    return block;
}

static enum err_code kind_find(const char *name, enum table_kind *kind, struct err *err)
{
    static const struct {
        const char *name;
        enum table_kind kind;
    } kinds[] = {
        {"table", TABLE_BASE},
        {"view", TABLE_VIEW},
        {"sequence", TABLE_SEQUENCE},
        {"versioned", TABLE_VERSIONED},
    };

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].name, name) != 0)
            continue;
        *kind = kinds[i].kind;
        return ERR_OK;
    }
    return err_set(err, ERR_DUMP_VERSION, "a table of kind '%s', which this ferry does not know",
                   name);
}

static void columns_fill(struct table *model, const struct table_record *r, struct arena *arena)
{
    model->column_count = r->column_count;
    model->columns = zeroed(arena, r->column_count, sizeof *model->columns);
    for (unsigned i = 0; i < r->column_count; i++) {
        const struct column_record *from = &r->columns[i];
        struct column *c = &model->columns[i];

        c->name = copy(arena, from->name);
        c->type_text = copy(arena, from->type_text);
        c->charset = copy(arena, from->charset);
        c->collation = copy(arena, from->collation);
        c->extra = "";
        c->nullable = from->nullable;
        c->invisible = from->invisible;
        c->auto_increment = from->auto_increment;
        /* which of the two does not matter to who reads: it is not in the files */
        c->generated = from->is_generated ? GENERATED_STORED : GENERATED_NO;
        column_parse_type(c->type_text, c);
    }
}

static bool column_find(const struct table *model, const char *name, unsigned *index)
{
    for (unsigned i = 0; i < model->column_count; i++) {
        if (strcmp(model->columns[i].name, name) != 0)
            continue;
        *index = i;
        return true;
    }
    return false;
}

static enum err_code key_fill(struct table *model, const struct table_record *r,
                              struct arena *arena, struct err *err)
{
    struct key *key;

    if (!r->key)
        return ERR_OK;
    key = zeroed(arena, 1, sizeof *key);
    key->name = copy(arena, r->key);
    key->primary = strcmp(r->key, "PRIMARY") == 0;
    key->unique = true;
    key->not_null = true;
    key->part_count = r->key_column_count;
    key->parts = zeroed(arena, r->key_column_count, sizeof *key->parts);
    for (unsigned i = 0; i < r->key_column_count; i++)
        if (!column_find(model, r->key_columns[i], &key->parts[i].column))
            return err_set(err, ERR_CORRUPT, "key '%s' is of a column '%s' that is not there",
                           r->key, r->key_columns[i]);
    model->keys = key;
    model->key_count = 1;
    return ERR_OK;
}

void dump_table_shape(struct dump_table *t, struct arena *arena)
{
    const struct table *model = &t->model;
    unsigned *dumped = zeroed(arena, model->column_count, sizeof *dumped);
    const char **names = zeroed(arena, model->column_count, sizeof *names);
    enum cell_form *forms = zeroed(arena, model->column_count, sizeof *forms);
    unsigned count = 0;

    for (unsigned i = 0; i < model->column_count; i++) {
        if (!column_is_dumped(&model->columns[i]))
            continue;
        dumped[count] = i;
        names[count] = model->columns[i].name;
        forms[count] = column_form(&model->columns[i]);
        count++;
    }
    t->dumped = dumped;
    t->shape =
        (struct row_shape){.table = t->name, .columns = names, .forms = forms, .count = count};
}

enum err_code dump_table_fill(struct dump_table *t, const struct table_record *r,
                              struct arena *arena, struct err *err)
{
    enum err_code rc = kind_find(r->kind, &t->kind, err);

    if (rc)
        return rc;
    t->id = r->table;
    t->db = copy(arena, r->db);
    t->name = copy(arena, r->name);
    t->schema_file = copy(arena, r->schema_file);
    memset(&t->model, 0, sizeof t->model);
    t->model.db = t->db;
    t->model.name = t->name;
    t->model.kind = t->kind;
    t->model.data_bytes = r->data_bytes;
    columns_fill(&t->model, r, arena);
    rc = key_fill(&t->model, r, arena, err);
    if (rc)
        return rc;
    dump_table_shape(t, arena);
    return ERR_OK;
}
