#include "common/schema/convert_inner.h"

static const char *convert_constraint_name(const struct converter *c, const struct ddl_item *item)
{
    return item->name == DDL_NONE ? "" : ddl_value(&c->d, item->name);
}

/* Takes the item out of the table and writes it as ALTER TABLE ... ADD. */
static const char *convert_split(struct converter *c, struct ddl_item *item)
{
    const struct ddl_target target = {.vendor = c->to, .same_vendor = !c->other_vendor};
    struct strbuf sql = {0};
    const char *text;

    strbuf_addf(&sql, "ALTER TABLE %s ADD ", ddl_source(&c->d, c->t.name));
    ddl_write(&c->d, item->span, target, &sql);
    text = convert_keep(c, &sql);
    strbuf_release(&sql);
    item->dropped = true;
    return text;
}

static void convert_foreign(struct converter *c, struct ddl_item *item)
{
    struct converted *out = c->out;
    struct convert_note note = {CHANGE_LOSS, PART_FOREIGN_KEY, convert_constraint_name(c, item),
                                ddl_source(&c->d, item->span), NULL};

    if (c->to == VENDOR_TIDB && c->t.partition.end > c->t.partition.first) {
        item->dropped = true;
        convert_say(c, note, "TiDB has no foreign keys on partitioned tables");
        return;
    }
    note.severity = CHANGE_WARNING;
    note.is = note.was;
    if (c->to == VENDOR_TIDB && c->p->target->version < 60600)
        convert_say(c, note, "this TiDB reads foreign keys and does not enforce them");
    if (!out->foreign_keys)
        out->foreign_keys = arena_alloc(out->arena, c->t.item_count * sizeof *out->foreign_keys);
    out->foreign_keys[out->foreign_key_count++] = convert_split(c, item);
}

bool convert_check(struct converter *c, const char *name, struct ddl_span span, size_t parens)
{
    struct convert_note note = {CHANGE_WARNING, PART_CHECK, name, ddl_source(&c->d, span), NULL};
    const char *lacking = NULL;

    convert_expression(c, (struct ddl_span){parens, span.end}, name, &lacking);
    if (lacking) {
        note.severity = CHANGE_LOSS;
        convert_say(c, note, "%s has no %s, so it cannot check this", vendor_name(c->to), lacking);
        return true;
    }
    if (c->to == VENDOR_MARIADB && ddl_is(&c->d, span.end - 1, "ENFORCED")) {
        convert_say(c, note, "MariaDB enforces every check; this one was not enforced");
        return true;
    }
    if (c->to != VENDOR_TIDB)
        return false;
    note.is = note.was;
    convert_say(c, note,
                "TiDB enforces checks only where tidb_enable_check_constraint is ON when the table "
                "is created, and forgets them otherwise");
    return false;
}

static void convert_period(struct converter *c, struct ddl_item *item)
{
    struct convert_note note = {CHANGE_LOSS, PART_CHECK, convert_constraint_name(c, item),
                                ddl_source(&c->d, item->span), NULL};

    if (c->to == VENDOR_MARIADB)
        return;
    item->dropped = true;
    convert_say(c, note, "the target has no periods");
}

void convert_constraints(struct converter *c)
{
    for (size_t i = 0; i < c->t.item_count; i++) {
        struct ddl_item *item = &c->t.items[i];

        if (item->kind == ITEM_FOREIGN)
            convert_foreign(c, item);
        else if (item->kind == ITEM_CHECK)
            item->dropped =
                convert_check(c, convert_constraint_name(c, item), item->span, item->parens.first);
        else if (item->kind == ITEM_PERIOD)
            convert_period(c, item);
    }
}

/* AUTO_INCREMENT must be the first column of some key from the start. */
static bool convert_key_needed(struct converter *c, const struct ddl_item *item)
{
    const struct convert_column *col;

    if (item->parts[0].name == DDL_NONE)
        return false;
    col = convert_column_named(c, ddl_value(&c->d, item->parts[0].name));
    return col && ddl_attr(col->item, ATTR_AUTO_INCREMENT);
}

void convert_indexes_split(struct converter *c)
{
    const struct ddl_target target = {.vendor = c->to, .same_vendor = !c->other_vendor};
    struct strbuf sql = {0};

    for (size_t i = 0; i < c->t.item_count; i++) {
        struct ddl_item *item = &c->t.items[i];

        if (item->dropped || item->kind != ITEM_KEY || item->part_count == 0 ||
            convert_key_needed(c, item))
            continue;
        if (sql.len == 0)
            strbuf_addf(&sql, "ALTER TABLE %s ADD ", ddl_source(&c->d, c->t.name));
        else
            strbuf_addstr(&sql, ", ADD ");
        ddl_write(&c->d, item->span, target, &sql);
        item->dropped = true;
    }
    if (sql.len > 0)
        c->out->indexes = convert_keep(c, &sql);
    strbuf_release(&sql);
}

/* Takes the dropped items and one comma each out of the text. */
void convert_items_remove(struct converter *c)
{
    bool kept = false;

    for (size_t i = 0; i < c->t.item_count; i++) {
        const struct ddl_item *item = &c->t.items[i];

        if (!item->dropped) {
            kept = true;
            continue;
        }
        ddl_remove(&c->d, item->span);
        if (kept)
            ddl_remove(&c->d, (struct ddl_span){item->span.first - 1, item->span.first});
        else if (i + 1 < c->t.item_count)
            ddl_remove(&c->d, (struct ddl_span){item->span.end, item->span.end + 1});
    }
}
