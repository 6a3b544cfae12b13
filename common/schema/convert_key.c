#include "common/schema/convert_functions.h"
#include "common/schema/convert_inner.h"

#include <stdlib.h>

#define KEY_PARTS_MAX 16U /* TiDB's, as MySQL's */

static bool convert_is_key(const struct ddl_item *item)
{
    return item->kind == ITEM_PRIMARY || item->kind == ITEM_UNIQUE || item->kind == ITEM_KEY;
}

static const char *convert_key_name(const struct converter *c, const struct ddl_item *item)
{
    if (item->name != DDL_NONE)
        return ddl_value(&c->d, item->name);
    return item->kind == ITEM_PRIMARY ? "PRIMARY" : "";
}

static struct convert_note convert_key_note(const struct converter *c, const struct ddl_item *item,
                                            enum change_severity severity)
{
    return (struct convert_note){severity, PART_KEY, convert_key_name(c, item), NULL, NULL};
}

/* The key goes; the whole table does where the key was what kept rows apart. */
static void convert_key_gone(struct converter *c, struct ddl_item *item, const char *why)
{
    struct convert_note note = convert_key_note(c, item, CHANGE_LOSS);

    note.was = ddl_source(&c->d, item->span);
    if (item->kind == ITEM_PRIMARY || item->kind == ITEM_UNIQUE)
        note.severity = CHANGE_REFUSED;
    else
        item->dropped = true;
    convert_say(c, note, "%s", why);
}

static struct convert_column *convert_part_column(struct converter *c, const struct ddl_part *part)
{
    return part->name == DDL_NONE ? NULL : convert_column_named(c, ddl_value(&c->d, part->name));
}

/* ---- before the columns are written ---- */

void convert_keys_mark(struct converter *c)
{
    for (size_t i = 0; i < c->column_count; i++)
        c->columns[i].key = ddl_attr(c->columns[i].item, ATTR_PRIMARY) ||
                            ddl_attr(c->columns[i].item, ATTR_UNIQUE) ||
                            ddl_attr(c->columns[i].item, ATTR_REFERENCES);
    for (size_t i = 0; i < c->t.item_count; i++) {
        const struct ddl_item *item = &c->t.items[i];

        if (item->kind != ITEM_PRIMARY && item->kind != ITEM_UNIQUE && item->kind != ITEM_FOREIGN)
            continue;
        /* every name in the parentheses: those in expressions too */
        for (size_t at = item->parens.first; at < item->parens.end; at++) {
            struct convert_column *col = token_is_name(ddl_token(&c->d, at))
                                             ? convert_column_named(c, ddl_value(&c->d, at))
                                             : NULL;

            if (col)
                col->key = true;
        }
    }
}

static unsigned convert_part_prefix(const struct converter *c, const struct ddl_part *part)
{
    return part->length == DDL_NONE ? 0
                                    : (unsigned)strtoul(ddl_value(&c->d, part->length), NULL, 10);
}

static unsigned convert_key_size(struct converter *c, const struct ddl_item *item)
{
    unsigned bytes = 0;

    for (size_t i = 0; i < item->part_count; i++) {
        const struct convert_column *col = convert_part_column(c, &item->parts[i]);

        if (col)
            bytes += convert_key_bytes(c, col, convert_part_prefix(c, &item->parts[i]));
    }
    return bytes;
}

static unsigned convert_key_limit(const struct converter *c)
{
    return c->p->max_key_bytes ? c->p->max_key_bytes : 3072;
}

void convert_keys_fit(struct converter *c)
{
    if (c->to != VENDOR_TIDB)
        return;
    for (size_t i = 0; i < c->t.item_count; i++) {
        const struct ddl_item *item = &c->t.items[i];

        if (!convert_is_key(item) || convert_key_size(c, item) <= convert_key_limit(c))
            continue;
        for (size_t p = 0; p < item->part_count; p++) {
            struct convert_column *col = convert_part_column(c, &item->parts[p]);

            if (col && col->text)
                col->narrow = true;
        }
        convert_columns_map(c);
    }
}

/* ---- keys ---- */

/* The longest text of a key that is too long gets a prefix. */
static void convert_key_cut(struct converter *c, struct ddl_item *item, unsigned bytes)
{
    const struct ddl_part *longest = NULL;
    unsigned most = 0;
    unsigned left;
    struct strbuf text = {0};
    struct convert_note note = convert_key_note(c, item, CHANGE_WARNING);
    const struct convert_column *col;

    for (size_t i = 0; i < item->part_count; i++) {
        unsigned size;

        col = convert_part_column(c, &item->parts[i]);
        size = col && col->type && (col->text || col->type->type_class == CLASS_BINARY)
                   ? convert_key_bytes(c, col, convert_part_prefix(c, &item->parts[i]))
                   : 0;
        if (size > most) {
            most = size;
            longest = &item->parts[i];
        }
    }
    left = bytes - most < convert_key_limit(c) ? convert_key_limit(c) - (bytes - most) : 0;
    col = longest ? convert_part_column(c, longest) : NULL;
    if (!col || left < 4 * 16) { /* not even sixteen characters are left */
        convert_key_gone(c, item, "longer than TiDB's keys may be");
        return;
    }
    left /= col->text ? charset_max_bytes(col->map.charset) : 1;
    note.was = ddl_source(&c->d, longest->span);
    strbuf_addf(&text, "%s(%u)",
                ddl_source(&c->d, (struct ddl_span){longest->name, longest->name + 1}), left);
    note.is = convert_keep(c, &text);
    ddl_replace(&c->d,
                (struct ddl_span){longest->name, longest->length == DDL_NONE ? longest->name + 1
                                                                             : longest->length + 2},
                note.is);
    convert_say(c, note,
                "%u bytes are above TiDB's limit of %u (max-index-length): the index holds the "
                "first %u characters of '%s'",
                bytes, convert_key_limit(c), left, col->name);
    strbuf_release(&text);
}

static void convert_key_length(struct converter *c, struct ddl_item *item)
{
    const unsigned bytes = convert_key_size(c, item);
    struct convert_note note = convert_key_note(c, item, CHANGE_REFUSED);

    if (bytes <= convert_key_limit(c))
        return;
    if (item->kind == ITEM_KEY) {
        convert_key_cut(c, item, bytes);
        return;
    }
    note.was = ddl_source(&c->d, item->span);
    convert_say(c, note,
                "%u bytes in the new character set are above TiDB's limit of %u; a prefix would "
                "not keep the same rows apart: raise max-index-length, or shorten the column",
                bytes, convert_key_limit(c));
}

/* MariaDB's keys have up to 32 parts. */
static void convert_key_parts(struct converter *c, struct ddl_item *item)
{
    struct convert_note note = convert_key_note(c, item, CHANGE_WARNING);
    struct ddl_span rest;

    if (item->part_count <= KEY_PARTS_MAX)
        return;
    note.was = ddl_source(&c->d, item->parens);
    if (item->kind != ITEM_KEY) {
        note.severity = CHANGE_REFUSED;
        convert_say(c, note,
                    "%zu columns are more than the %u of TiDB's indexes; fewer would not keep the "
                    "same rows apart",
                    item->part_count, KEY_PARTS_MAX);
        return;
    }
    rest = (struct ddl_span){item->parts[KEY_PARTS_MAX - 1].span.end, item->parens.end - 1};
    ddl_remove(&c->d, rest);
    note.is = ddl_source(&c->d, (struct ddl_span){item->parts[0].span.first, rest.first});
    convert_say(c, note, "%zu columns are more than the %u of TiDB's indexes: the first ones stay",
                item->part_count, KEY_PARTS_MAX);
    item->part_count = KEY_PARTS_MAX;
}

/* An expression as a part: TiDB indexes few functions. */
static bool convert_key_expression(struct converter *c, struct ddl_item *item,
                                   const struct ddl_part *part)
{
    const char *lacking = NULL;

    convert_expression(c, part->span, convert_key_name(c, item), &lacking);
    for (size_t i = part->span.first; i < part->span.end && !lacking && c->to == VENDOR_TIDB; i++)
        if (ddl_token(&c->d, i)->kind == TOKEN_WORD && ddl_is(&c->d, i + 1, "(") &&
            !tidb_indexes_function(ddl_value(&c->d, i)))
            lacking = ddl_value(&c->d, i);
    if (c->to == VENDOR_MARIADB && c->other_vendor) {
        convert_key_gone(c, item, "MariaDB indexes no expressions");
        return false;
    }
    if (lacking)
        convert_key_gone(
            c, item, "TiDB indexes few functions only (tidb_allow_function_for_expression_index)");
    return !lacking;
}

/* `p` WITHOUT OVERLAPS: the period's columns take its place, which keeps the same rows apart. */
static void convert_key_period(struct converter *c, struct ddl_item *item,
                               const struct ddl_part *part)
{
    struct convert_note note = convert_key_note(c, item, CHANGE_LOSS);
    const struct ddl_item *period = NULL;
    const char *name = ddl_value(&c->d, part->name);

    for (size_t i = 0; i < c->t.item_count; i++)
        if (c->t.items[i].kind == ITEM_PERIOD &&
            strcmp(ddl_value(&c->d, c->t.items[i].name), name) == 0)
            period = &c->t.items[i];
    if (!period)
        return;
    note.was = ddl_source(&c->d, part->span);
    note.is =
        ddl_source(&c->d, (struct ddl_span){period->parens.first + 1, period->parens.end - 1});
    convert_say(c, note, "overlapping periods are no longer refused");
    ddl_replace(&c->d, part->span, note.is);
}

/* One part; false: the key is gone. */
static bool convert_key_part(struct converter *c, struct ddl_item *item, size_t i)
{
    const struct ddl_part *part = &item->parts[i];
    const struct convert_column *col = convert_part_column(c, part);
    enum type_class class;

    if (part->name == DDL_NONE)
        return convert_key_expression(c, item, part);
    if (part->without_overlaps && c->to != VENDOR_MARIADB)
        convert_key_period(c, item, part);
    if (!col || !col->type || c->to == VENDOR_MARIADB)
        return true;
    if (col->item->dropped) { /* a row's end, behind the columns of the user's key */
        ddl_remove(&c->d, part->span);
        ddl_remove(&c->d, i > 0 ? (struct ddl_span){part->span.first - 1, part->span.first}
                                : (struct ddl_span){part->span.end, part->span.end + 1});
        return item->part_count > 1;
    }
    class = col->type->type_class;
    if (part->length == DDL_NONE && (class == CLASS_TEXT || class == CLASS_BLOB)) {
        convert_key_gone(c, item, "the target indexes only a prefix of such a column");
        return false;
    }
    if (c->to == VENDOR_TIDB && class == CLASS_SPATIAL && part->length == DDL_NONE) {
        convert_key_gone(c, item,
                         "the spatial column is bytes now, of which TiDB indexes a prefix");
        return false;
    }
    return true;
}

static void convert_key_option(struct converter *c, const struct ddl_item *item,
                               const struct ddl_attr *attr)
{
    const bool hidden = !ddl_is(&c->d, attr->span.first, "NOT");
    struct convert_note note = convert_key_note(c, item, CHANGE_INFO);

    if (attr->kind == ATTR_COMMENT) {
        note.severity = CHANGE_WARNING;
        convert_comment(c, note, attr->value, 1024);
    } else if (attr->kind == ATTR_IGNORED && c->to != VENDOR_MARIADB) {
        if (hidden)
            ddl_replace(&c->d, attr->span, "INVISIBLE");
        else
            ddl_remove(&c->d, attr->span);
    } else if (attr->kind == ATTR_INVISIBLE && c->to == VENDOR_MARIADB) {
        if (c->p->target->version >= 100600)
            ddl_replace(&c->d, attr->span, "IGNORED");
        else
            convert_drop(c, attr->span, note, "the target has no invisible indexes");
    } else if (attr->kind == ATTR_VISIBLE && c->to == VENDOR_MARIADB) {
        ddl_remove(&c->d, attr->span);
    } else if (attr->kind == ATTR_ENGINE && c->to != VENDOR_MYSQL) {
        convert_drop(c, attr->span, note, "an attribute for MySQL's engines");
    } else if (attr->kind == ATTR_PARSER && c->to == VENDOR_MARIADB) {
        note.severity = CHANGE_WARNING;
        convert_drop(c, attr->span, note, "a parser of MySQL's; words are cut otherwise");
    } else if (attr->kind == ATTR_UNKNOWN) {
        note.severity = CHANGE_WARNING;
        convert_drop(c, attr->span, note, "the target does not know the option");
    }
}

static void convert_key(struct converter *c, struct ddl_item *item)
{
    if (c->to == VENDOR_TIDB && convert_is_key(item))
        convert_key_parts(c, item);
    for (size_t i = 0; i < item->part_count; i++)
        if (!convert_key_part(c, item, i)) {
            item->dropped |= item->kind == ITEM_KEY;
            return;
        }
    for (size_t i = 0; i < item->attr_count && c->other_vendor; i++)
        convert_key_option(c, item, &item->attrs[i]);
    if (c->to == VENDOR_TIDB && convert_is_key(item))
        convert_key_length(c, item);
}

void convert_keys(struct converter *c)
{
    const unsigned most = c->p->max_keys ? c->p->max_keys : 64;
    unsigned count = 0;

    for (size_t i = 0; i < c->t.item_count; i++) {
        struct ddl_item *item = &c->t.items[i];

        if (item->kind == ITEM_FULLTEXT && c->to == VENDOR_TIDB)
            convert_key_gone(c, item, "TiDB has no full-text index: MATCH ... AGAINST fails");
        else if (item->kind == ITEM_SPATIAL && c->to == VENDOR_TIDB)
            convert_key_gone(c, item, "TiDB has no spatial index");
        else if (item->kind == ITEM_VECTOR && c->other_vendor)
            convert_key_gone(c, item, "vector indexes differ: make one by hand on the target");
        else if (convert_is_key(item) || item->kind == ITEM_FULLTEXT)
            convert_key(c, item);
        count += convert_is_key(item) && !item->dropped;
    }
    if (c->to == VENDOR_TIDB && count > most)
        convert_say(c, (struct convert_note){.severity = CHANGE_REFUSED},
                    "%u indexes are more than TiDB's index-limit of %u", count, most);
}
