#include "common/schema/convert_inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

struct convert_column *convert_column_named(struct converter *c, const char *name)
{
    for (size_t i = 0; i < c->column_count; i++)
        if (strcasecmp(c->columns[i].name, name) == 0)
            return &c->columns[i];
    return NULL;
}

/* ---- collations ---- */

/* The column's collation on the source, of what it says or else of the table's. */
static void convert_column_source(struct converter *c, struct convert_column *col)
{
    const struct ddl_attr *charset = ddl_attr(col->item, ATTR_CHARSET);
    const struct ddl_attr *collate = ddl_attr(col->item, ATTR_COLLATE);
    const char *name = c->table_source;

    if (charset)
        name = charset_default_collation(ddl_value(&c->d, charset->value), c->p->source);
    else if (ddl_is(&c->d, col->item->type.first, "NATIONAL") ||
             ddl_is(&c->d, col->item->type.first, "NCHAR") ||
             ddl_is(&c->d, col->item->type.first, "NVARCHAR"))
        name = "utf8mb3_general_ci";
    if (collate)
        name = ddl_value(&c->d, collate->value);
    (void)snprintf(col->source, sizeof col->source, "%s", name ? name : "");
    if (*col->source && ddl_attr(col->item, ATTR_BINARY)) {
        char cs[16];

        collation_charset(col->source, cs);
        (void)snprintf(col->source, sizeof col->source, "%s_bin", cs);
    }
    if (strcasecmp(col->source, "binary") == 0)
        col->text = false;
}

void convert_columns_find(struct converter *c)
{
    c->columns = arena_alloc(c->out->arena, (c->t.item_count + 1) * sizeof *c->columns);
    for (size_t i = 0; i < c->t.item_count; i++) {
        struct ddl_item *item = &c->t.items[i];
        struct convert_column *col = &c->columns[c->column_count];
        const size_t paren = item->type.end - 1;
        size_t number = item->type.first;

        if (item->kind != ITEM_COLUMN)
            continue;
        *col = (struct convert_column){
            .item = item, .name = ddl_value(&c->d, item->name), .type = convert_type_of(c, item)};
        c->column_count++;
        while (number < paren && !ddl_is(&c->d, number, "("))
            number++;
        if (number < paren && ddl_token(&c->d, number + 1)->kind == TOKEN_NUMBER)
            col->length = (unsigned)strtoul(ddl_value(&c->d, number + 1), NULL, 10);
        if (!col->type)
            continue;
        if (col->type->type_class == CLASS_CHAR && number >= paren)
            col->length = 1;
        if (col->type->type_class == CLASS_DECIMAL && number >= paren)
            col->length = 10;
        col->text = col->type->type_class == CLASS_CHAR || col->type->type_class == CLASS_TEXT ||
                    col->type->type_class == CLASS_LABELS;
        if (col->text)
            convert_column_source(c, col);
    }
}

static bool convert_labels_ascii(const struct converter *c, const struct convert_column *col)
{
    const char *text = ddl_source(&c->d, col->item->type);

    while ((unsigned char)*text > 0 && (unsigned char)*text < 0x80)
        text++;
    return *text == '\0';
}

static void convert_column_map(struct converter *c, struct convert_column *col)
{
    struct collation_wish wish = {.key = col->key && c->p->key_collation == KEY_COLLATION_SAFE,
                                  .narrow = col->narrow};

    if (!col->text || !*col->source)
        return;
    /* labels that became equal would be an error */
    if (col->type->type_class == CLASS_LABELS && !convert_labels_ascii(c, col))
        wish.key = true;
    collation_map(col->source, c->p->target, wish, &col->map);
    if (c->to == VENDOR_TIDB && col->type->type_class == CLASS_CHAR && !col->narrow &&
        (uint64_t)col->length * charset_max_bytes(col->map.charset) > 65535) {
        col->narrow = true;
        wish.narrow = true;
        collation_map(col->source, c->p->target, wish, &col->map);
        if ((uint64_t)col->length * charset_max_bytes(col->map.charset) > 65535) {
            col->narrow = false; /* in vain */
            wish.narrow = false;
            collation_map(col->source, c->p->target, wish, &col->map);
        }
    }
}

void convert_columns_map(struct converter *c)
{
    for (size_t i = 0; i < c->column_count; i++)
        convert_column_map(c, &c->columns[i]);
}

/* Says it where the column differs from what the table as a whole says. */
static void convert_collation_say(struct converter *c, const struct convert_column *col)
{
    struct convert_note note = {.severity = CHANGE_WARNING,
                                .part = PART_COLUMN,
                                .name = col->name,
                                .was = arena_strdup(c->out->arena, col->source),
                                .is = arena_strdup(c->out->arena, col->map.name)};
    struct strbuf words = {0};

    if (strcasecmp(col->source, col->map.name) == 0 ||
        (strcasecmp(col->source, c->table_source) == 0 &&
         strcmp(col->map.name, c->table_map.name) == 0))
        return;
    if (col->map.relation <= COLLATION_EQUAL)
        note.severity = CHANGE_INFO;
    else if (col->key)
        note.severity = CHANGE_LOSS;
    if (col->key && col->map.relation == COLLATION_FINER)
        strbuf_addstr(&words, "of a key, so what was distinct must stay so: ");
    collation_explain(&col->map, &words);
    if (col->key && !collation_is_safe(&col->map))
        strbuf_addstr(&words, "; rows can collide on the key");
    if (col->narrow)
        strbuf_addstr(&words, "; three bytes a character, so that it fits");
    convert_say(c, note, "%s", strbuf_str(&words));
    strbuf_release(&words);
}

static void convert_value_to(struct converter *c, const struct ddl_attr *attr, const char *value)
{
    if (strcasecmp(ddl_value(&c->d, attr->value), value) != 0)
        ddl_replace(&c->d, (struct ddl_span){attr->value, attr->value + 1}, value);
}

static bool convert_same_charset(const char *a, const char *b)
{
    return strcasecmp(a, b) == 0 ||
           ((strcasecmp(a, "utf8") == 0 || strcasecmp(a, "utf8mb3") == 0) &&
            (strcasecmp(b, "utf8") == 0 || strcasecmp(b, "utf8mb3") == 0));
}

static void convert_column_collation(struct converter *c, struct convert_column *col)
{
    const struct ddl_attr *charset = ddl_attr(col->item, ATTR_CHARSET);
    const struct ddl_attr *collate = ddl_attr(col->item, ATTR_COLLATE);
    const struct ddl_attr *binary = ddl_attr(col->item, ATTR_BINARY);
    const char *name = arena_strdup(c->out->arena, col->map.name);
    const char *usual = charset_default_collation(col->map.charset, c->p->target);
    struct strbuf text = {0};

    if (!col->text || !*col->map.name)
        return;
    convert_collation_say(c, col);
    if (charset && !convert_same_charset(ddl_value(&c->d, charset->value), col->map.charset))
        convert_value_to(c, charset, arena_strdup(c->out->arena, col->map.charset));
    if (collate) {
        convert_value_to(c, collate, name);
    } else if (charset ? !usual || strcmp(usual, name) != 0
                       : strcmp(name, c->table_map.name) != 0 || binary) {
        if (charset)
            strbuf_addf(&text, " COLLATE %s", name);
        else
            strbuf_addf(&text, " CHARACTER SET %s COLLATE %s", col->map.charset, name);
        ddl_put_behind(&c->d, charset ? charset->span.end - 1 : col->item->type.end - 1,
                       convert_keep(c, &text));
    }
    if (binary)
        ddl_remove(&c->d, binary->span);
    strbuf_release(&text);
}

/* ---- attributes ---- */

static struct convert_note convert_column_note(const struct convert_column *col,
                                               enum change_severity severity)
{
    return (struct convert_note){severity, PART_COLUMN, col->name, NULL, NULL};
}

/* (-(3)) becomes -3 */
static void convert_default_unwrap(struct converter *c, struct ddl_span value)
{
    struct strbuf text = {0};

    for (size_t i = value.first; i < value.end; i++)
        if (!ddl_is(&c->d, i, "(") && !ddl_is(&c->d, i, ")"))
            strbuf_addstr(&text, ddl_source(&c->d, (struct ddl_span){i, i + 1}));
    ddl_replace(&c->d, value, convert_keep(c, &text));
    strbuf_release(&text);
}

static void convert_default_tidb(struct converter *c, const struct convert_column *col,
                                 const struct ddl_attr *attr)
{
    const struct ddl_span value = {attr->value, attr->span.end};
    const enum type_class class = col->type ? col->type->type_class : CLASS_FIXED;
    const bool large = class == CLASS_TEXT || class == CLASS_BLOB || class == CLASS_JSON ||
                       class == CLASS_SPATIAL || class == CLASS_VECTOR || col->large;
    struct convert_note note = convert_column_note(col, CHANGE_LOSS);
    const enum default_fit fit =
        convert_default_fit(c, value, class == CLASS_TIME ? col->length : 0);

    if (ddl_is(&c->d, value.first, "NULL"))
        return;
    if (fit == DEFAULT_LACKING || (large && fit != DEFAULT_FUNCTION)) {
        convert_drop(c, attr->span, note,
                     "TiDB does not take this default: a row that leaves the column out has none");
    } else if (fit == DEFAULT_WRAPPED) {
        convert_default_unwrap(c, value);
    } else if (ddl_is(&c->d, value.first, "NEXTVAL") || ddl_is(&c->d, value.first + 1, "NEXTVAL") ||
               ddl_is(&c->d, value.first, "NEXT")) {
        note.severity = CHANGE_WARNING;
        note.was = note.is = ddl_source(&c->d, value);
        convert_say(c, note,
                    "the sequence must be on the target and must go on behind the source's");
    }
}

/* MySQL wants parentheses around what MariaDB writes without. */
static void convert_default_mysql(struct converter *c, const struct convert_column *col,
                                  const struct ddl_attr *attr)
{
    static const char *const plain[] = {"(",   "NULL", "TRUE", "FALSE",     "CURRENT_TIMESTAMP",
                                        "NOW", "-",    "+",    "LOCALTIME", "LOCALTIMESTAMP"};
    const enum type_class class = col->type ? col->type->type_class : CLASS_FIXED;
    const bool large = class == CLASS_TEXT || class == CLASS_BLOB || class == CLASS_JSON;
    const struct token *first = ddl_token(&c->d, attr->value);

    if (ddl_is(&c->d, attr->value, "NULL"))
        return;
    if (ddl_is(&c->d, attr->value, "NEXT")) {
        convert_drop(c, attr->span, convert_column_note(col, CHANGE_LOSS),
                     "MySQL has no sequences");
        return;
    }
    for (size_t i = 0; i < sizeof plain / sizeof *plain && !large; i++)
        if (ddl_is(&c->d, attr->value, plain[i]))
            return;
    if ((first->kind != TOKEN_WORD && !large) || ddl_is(&c->d, attr->value, "("))
        return;
    if (c->p->target->version < 80013) {
        convert_drop(
            c, attr->span, convert_column_note(col, CHANGE_LOSS),
            "this MySQL takes no expressions as defaults: a row that leaves the column out "
            "gets none");
        return;
    }
    ddl_put_before(&c->d, attr->value, "(");
    ddl_put_behind(&c->d, attr->span.end - 1, ")");
}

static void convert_default(struct converter *c, const struct convert_column *col,
                            const struct ddl_attr *attr)
{
    const struct ddl_span value = {attr->value, attr->span.end};
    const char *lacking = NULL;

    convert_expression(c, value, col->name, &lacking);
    if (c->to == VENDOR_TIDB)
        convert_default_tidb(c, col, attr);
    else if (lacking)
        convert_drop(c, attr->span, convert_column_note(col, CHANGE_LOSS),
                     "the target lacks the function: a row that leaves the column out has none");
    else if (c->to == VENDOR_MYSQL)
        convert_default_mysql(c, col, attr);
}

static void convert_generated(struct converter *c, const struct convert_column *col,
                              const struct ddl_attr *attr)
{
    const char *lacking = NULL;

    convert_expression(c, attr->span, col->name, &lacking);
    if (lacking)
        convert_say(c,
                    (struct convert_note){CHANGE_REFUSED, PART_COLUMN, col->name,
                                          ddl_source(&c->d, attr->span), ""},
                    "%s has no %s, so it cannot compute this generated column", vendor_name(c->to),
                    lacking);
}

/* Attributes that some targets lack; the rest of the column is the same without them. */
static const struct {
    enum ddl_attr_kind kind;
    bool tidb, mysql, mariadb; /* who has it */
    enum change_severity severity;
    const char *meaning;
} attr_rules[] = {
    {ATTR_UNKNOWN, false, false, false, CHANGE_WARNING, "the target does not know the attribute"},
    {ATTR_INVISIBLE, false, true, true, CHANGE_WARNING,
     "TiDB has no invisible columns: SELECT * shows it, and INSERT without a column list must give "
     "it"},
    {ATTR_VISIBLE, false, true, false, CHANGE_INFO, "columns are always visible there"},
    {ATTR_COMPRESSED, false, false, true, CHANGE_INFO, "the column is stored as the target does"},
    {ATTR_STORAGE, true, true, false, CHANGE_INFO, "the column is stored as the target does"},
    {ATTR_ENGINE, false, true, false, CHANGE_INFO, "an attribute for MySQL's engines"},
    {ATTR_SRID, false, false, false, CHANGE_WARNING, "the target does not check the SRID"},
    {ATTR_VERSIONING, false, false, true, CHANGE_INFO, "the target keeps no history"},
};

static void convert_attr_lacking(struct converter *c, const struct convert_column *col,
                                 const struct ddl_attr *attr)
{
    for (size_t i = 0; i < sizeof attr_rules / sizeof *attr_rules; i++) {
        const bool has = c->to == VENDOR_TIDB    ? attr_rules[i].tidb
                         : c->to == VENDOR_MYSQL ? attr_rules[i].mysql
                                                 : attr_rules[i].mariadb;

        if (attr_rules[i].kind == attr->kind && !has)
            convert_drop(c, attr->span, convert_column_note(col, attr_rules[i].severity),
                         attr_rules[i].meaning);
    }
    if (attr->kind == ATTR_NULL && c->to == VENDOR_MARIADB && ddl_attr(col->item, ATTR_GENERATED))
        convert_drop(c, attr->span, convert_column_note(col, CHANGE_INFO),
                     "MariaDB does not let a generated column say so");
    if (attr->kind == ATTR_STORED && c->to != VENDOR_MARIADB &&
        ddl_is(&c->d, attr->span.first, "PERSISTENT"))
        ddl_replace(&c->d, attr->span, "STORED");
}

static void convert_attr(struct converter *c, const struct convert_column *col,
                         const struct ddl_attr *attr)
{
    if (c->other_vendor)
        convert_attr_lacking(c, col, attr);
    if (attr->kind == ATTR_DEFAULT && c->other_vendor)
        convert_default(c, col, attr);
    else if (attr->kind == ATTR_GENERATED)
        convert_generated(c, col, attr);
    else if (attr->kind == ATTR_COMMENT)
        convert_comment(c, convert_column_note(col, CHANGE_WARNING), attr->value, 1024);
    else if (attr->kind == ATTR_CHECK && convert_check(c, col->name, attr->span, attr->value))
        ddl_remove(&c->d, attr->span);
}

static void convert_column(struct converter *c, struct convert_column *col)
{
    if (ddl_attr(col->item, ATTR_ROW_START_END) && c->to != VENDOR_MARIADB) {
        col->item->dropped = true;
        convert_say(c,
                    (struct convert_note){CHANGE_LOSS, PART_COLUMN, col->name,
                                          ddl_source(&c->d, col->item->span), ""},
                    "the target keeps no history: only the present rows are moved");
        return;
    }
    if (c->to == VENDOR_TIDB && strcasecmp(col->name, "_tidb_rowid") == 0)
        convert_say(c, convert_column_note(col, CHANGE_REFUSED), "TiDB keeps this name for itself");
    convert_column_type(c, col);
    convert_column_collation(c, col);
    for (size_t i = 0; i < col->item->attr_count; i++)
        convert_attr(c, col, &col->item->attrs[i]);
}

void convert_columns(struct converter *c)
{
    const unsigned most = c->p->max_columns ? c->p->max_columns : 1017;

    for (size_t i = 0; i < c->column_count; i++)
        convert_column(c, &c->columns[i]);
    if (c->to == VENDOR_TIDB && c->column_count > most)
        convert_say(c, (struct convert_note){.severity = CHANGE_REFUSED},
                    "%zu columns are more than TiDB's table-column-count-limit of %u",
                    c->column_count, most);
}
