#include "follower/versioned.h"

#include <string.h>

/* ---- definitions ---- */

static bool says_with(const struct ddl_text *d, const struct ddl_span *span)
{
    return ddl_is(d, span->first, "WITH");
}

void versioned_read_text(const struct ddl_text *d, const struct ddl_table *parsed,
                         struct table *model)
{
    unsigned column = 0;

    for (size_t i = 0; i < parsed->option_count; i++)
        if (strcmp(parsed->options[i].name, "SYSTEM VERSIONING") == 0 &&
            says_with(d, &parsed->options[i].span))
            model->kind = TABLE_VERSIONED;
    for (size_t i = 0; i < parsed->item_count && column < model->column_count; i++) {
        const struct ddl_item *item = &parsed->items[i];
        const struct ddl_attr *versioning = ddl_attr(item, ATTR_VERSIONING);

        if (item->kind != ITEM_COLUMN)
            continue;
        if (versioning && says_with(d, &versioning->span))
            model->kind = TABLE_VERSIONED;
        if (ddl_attr(item, ATTR_ROW_START_END)) {
            model->columns[column].row_start_end = true;
            model->columns[column].generated = GENERATED_NO;
        }
        column++;
    }
}

bool versioned_is(const struct table *model)
{
    for (unsigned i = 0; i < model->column_count; i++)
        if (model->columns[i].row_start_end)
            return true;
    return false;
}

void versioned_add_hidden(struct table *model, struct arena *arena)
{
    static const char *const names[] = {"row_start", "row_end"};
    struct column *columns;

    if (model->kind != TABLE_VERSIONED || versioned_is(model))
        return;
    columns = arena_alloc(arena, (model->column_count + 2U) * sizeof *columns);
    if (model->column_count)
        memcpy(columns, model->columns, model->column_count * sizeof *columns);
    for (unsigned i = 0; i < 2; i++) {
        struct column *c = &columns[model->column_count++];

        *c = (struct column){.name = names[i],
                             .type_text = "timestamp(6)",
                             .readable = true,
                             .invisible = true,
                             .row_start_end = true};
        column_parse_type(c->type_text, c);
    }
    model->columns = columns;
}

/* ---- changes ---- */

/* The end of time as UTC text: of 32 bits with a sign, and since MariaDB 11.5 without. No row
 * begins then, so that one of the two columns has it is enough. */
static bool is_end_of_time(const char *cell, unsigned long len)
{
    static const char *const ends[] = {"2038-01-19 03:14:07.999999", "2106-02-07 06:28:15.999999"};

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (len == strlen(ends[i]) && memcmp(cell, ends[i], len) == 0)
            return true;
    return false;
}

static enum err_code row_present(const struct table *model, const struct row *row,
                                 const uint8_t *has, bool *present, struct err *err)
{
    bool found = false;

    if (row->count != model->column_count)
        return err_set(err, ERR_BINLOG_SCHEMA, "%s.%s: a row of %u columns, the definition has %u",
                       model->db, model->name, row->count, model->column_count);
    for (unsigned i = 0; i < row->count; i++) {
        const struct column *c = &model->columns[i];

        if (!c->row_start_end)
            continue;
        if (c->type != TYPE_TIMESTAMP || !row_change_has(has, i) || !row->cell[i])
            return err_set(err, ERR_BINLOG_UNSUPPORTED,
                           "%s.%s is system-versioned, and a row does not say by its column '%s' "
                           "whether it is present: the source wrote it without "
                           "binlog_row_image=FULL, or its versions are transaction numbers",
                           model->db, model->name, c->name);
        found = found || is_end_of_time(row->cell[i], row->len[i]);
    }
    *present = found;
    return ERR_OK;
}

enum err_code versioned_change(const struct table *model, const struct row_change *in,
                               struct row_change *out, bool *any, struct err *err)
{
    bool before = false;
    bool after = false;

    if (in->kind != ROW_INSERT && row_present(model, &in->before, in->before_has, &before, err))
        return err->code;
    if (in->kind != ROW_DELETE && row_present(model, &in->after, in->after_has, &after, err))
        return err->code;
    *any = before || after;
    *out = *in;
    if (before && !after) {
        out->kind = ROW_DELETE;
        out->after = (struct row){.count = 0};
        out->after_has = NULL;
    } else if (after && !before) {
        out->kind = ROW_INSERT;
        out->before = (struct row){.count = 0};
        out->before_has = NULL;
    }
    return ERR_OK;
}
