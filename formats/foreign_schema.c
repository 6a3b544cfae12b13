/* Tables and databases as the statements of schema files define them. What the tools write is what
 * SHOW CREATE TABLE prints, so a column's words are those of the source's server. */
#include "formats/foreign_inner.h"

#include "common/schema/collation.h"
#include "common/schema/ddl_table.h"
#include "common/target/ddl.h"
#include "formats/dump_plan.h"

#include <string.h>

struct table_reader {
    struct dump_table *t;
    struct arena *arena;
    struct ddl_text text;
    struct ddl_table parsed;
    const char *charset; /* the table's; NULL: not given */
};

static char *lower(struct arena *arena, const char *text)
{
    char *copy = arena_strdup(arena, text);

    for (char *p = copy; *p; p++)
        *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + ('a' - 'A') : *p);
    return copy;
}

static const char *charset_of_collation(struct arena *arena, const char *collation)
{
    char charset[16];

    collation_charset(collation, charset);
    return arena_strdup(arena, charset);
}

static const struct ddl_option *option_find(const struct table_reader *r, const char *name)
{
    for (size_t i = 0; i < r->parsed.option_count; i++)
        if (strcmp(r->parsed.options[i].name, name) == 0)
            return &r->parsed.options[i];
    return NULL;
}

static void table_charset(struct table_reader *r)
{
    const struct ddl_option *charset = option_find(r, "CHARSET");
    const struct ddl_option *collate = option_find(r, "COLLATE");

    if (charset && charset->value != DDL_NONE)
        r->charset = lower(r->arena, ddl_value(&r->text, charset->value));
    else if (collate && collate->value != DDL_NONE)
        r->charset =
            charset_of_collation(r->arena, lower(r->arena, ddl_value(&r->text, collate->value)));
}

static const char *attr_value(const struct table_reader *r, const struct ddl_item *item,
                              enum ddl_attr_kind kind)
{
    const struct ddl_attr *attr = ddl_attr(item, kind);

    return attr && attr->value < attr->span.end ? lower(r->arena, ddl_value(&r->text, attr->value))
                                                : NULL;
}

static bool type_is_text(enum column_type type)
{
    switch ((int)type) {
    case TYPE_CHAR:
    case TYPE_VARCHAR:
    case TYPE_TINYTEXT:
    case TYPE_TEXT:
    case TYPE_MEDIUMTEXT:
    case TYPE_LONGTEXT:
    case TYPE_ENUM:
    case TYPE_SET:
        return true;
    default:
        return false;
    }
}

/* COLUMN_TYPE as information_schema prints it: the type with UNSIGNED and ZEROFILL. */
static const char *column_type_text(const struct table_reader *r, const struct ddl_item *item)
{
    struct strbuf text = {0};
    const char *copy;
    size_t word;

    strbuf_addstr(&text, ddl_source(&r->text, item->type));
    word = strcspn(strbuf_str(&text), "( ");
    for (size_t i = 0; i < word; i++)
        if (text.str[i] >= 'A' && text.str[i] <= 'Z')
            text.str[i] = (char)(text.str[i] + ('a' - 'A'));
    for (size_t i = 0; i < item->attr_count; i++)
        if (item->attrs[i].kind == ATTR_NUMERIC)
            strbuf_addf(&text, " %s", lower(r->arena, ddl_source(&r->text, item->attrs[i].span)));
    copy = arena_strdup(r->arena, strbuf_str(&text));
    strbuf_release(&text);
    return copy;
}

static enum err_code column_read(const struct table_reader *r, const struct ddl_item *item,
                                 struct column *c, struct err *err)
{
    const struct ddl_attr *null = ddl_attr(item, ATTR_NULL);

    *c = (struct column){.name = arena_strdup(r->arena, ddl_value(&r->text, item->name)),
                         .type_text = column_type_text(r, item),
                         .extra = "",
                         .nullable = !null || !ddl_is(&r->text, null->span.first, "NOT"),
                         .auto_increment = ddl_attr(item, ATTR_AUTO_INCREMENT) != NULL,
                         .invisible = ddl_attr(item, ATTR_INVISIBLE) != NULL,
                         .row_start_end = ddl_attr(item, ATTR_ROW_START_END) != NULL};
    if (ddl_attr(item, ATTR_GENERATED))
        c->generated = GENERATED_STORED;
    column_parse_type(c->type_text, c);
    if (c->type == TYPE_OTHER)
        return err_set(err, ERR_FORMAT, "column '%s' is of a type '%s', which ferry does not know",
                       c->name, c->type_text);
    if (!type_is_text(c->type))
        return ERR_OK;
    c->collation = attr_value(r, item, ATTR_COLLATE);
    c->charset = attr_value(r, item, ATTR_CHARSET);
    if (!c->charset && c->collation)
        c->charset = charset_of_collation(r->arena, c->collation);
    if (!c->charset)
        c->charset = r->charset;
    if (c->charset)
        return ERR_OK;
    return err_set(err, ERR_FORMAT, "the definition does not give the character set of column '%s'",
                   c->name);
}

static enum err_code columns_read(struct table_reader *r, struct err *err)
{
    struct table *model = &r->t->model;

    model->columns = arena_alloc(r->arena, (r->parsed.item_count + 1) * sizeof *model->columns);
    for (size_t i = 0; i < r->parsed.item_count; i++) {
        const struct ddl_item *item = &r->parsed.items[i];

        if (item->kind != ITEM_COLUMN)
            continue;
        if (column_read(r, item, &model->columns[model->column_count], err))
            return err->code;
        model->column_count++;
    }
    if (model->column_count == 0)
        return err_set(err, ERR_FORMAT, "the CREATE TABLE has no columns");
    return ERR_OK;
}

/* The CREATE statement of a schema file; NULL: there is none. */
static const char *create_find(const struct strbuf *text, struct arena *arena)
{
    const char *pos = strbuf_str(text);
    const char *end = pos + text->len;
    struct ddl_statement st;

    while (ddl_next(&pos, end, &st))
        if (st.kind == DDL_CREATE)
            return arena_memdup(arena, st.text, st.len);
    return NULL;
}

enum err_code foreign_table_parse(struct dump_table *t, const struct strbuf *text,
                                  struct arena *arena, struct err *err)
{
    struct table_reader r = {.t = t, .arena = arena};
    const char *create = create_find(text, arena);
    enum err_code rc;

    if (!create)
        return err_set(err, ERR_FORMAT, "%s: it holds no CREATE TABLE", t->schema_file);
    rc = ddl_text_init(&r.text, create, NULL, arena, err);
    if (!rc)
        rc = ddl_table_parse(&r.text, &r.parsed, err);
    if (rc)
        return err_wrap(err, "%s", t->schema_file);
    t->name = arena_strdup(arena, ddl_value(&r.text, r.parsed.name.end - 1));
    t->kind = option_find(&r, "SEQUENCE") ? TABLE_OTHER : TABLE_BASE;
    t->model.db = t->db;
    t->model.name = t->name;
    t->model.kind = t->kind;
    table_charset(&r);
    rc = columns_read(&r, err);
    if (rc)
        return err_wrap(err, "%s", t->schema_file);
    dump_table_shape(t, arena);
    return ERR_OK;
}

enum err_code foreign_database_parse(const struct strbuf *text, const char *path,
                                     struct arena *arena, const char **name, struct err *err)
{
    const char *create = create_find(text, arena);
    struct ddl_text d;
    size_t at = 0;

    if (!create)
        return err_set(err, ERR_FORMAT, "%s: it holds no CREATE DATABASE", path);
    if (ddl_text_init(&d, create, NULL, arena, err))
        return err_wrap(err, "%s", path);
    at += ddl_words(&d, at, "CREATE DATABASE") + ddl_words(&d, at, "CREATE SCHEMA");
    at += ddl_words(&d, at, "IF NOT EXISTS");
    if (at == 0 || !token_is_name(ddl_token(&d, at)))
        return err_set(err, ERR_FORMAT, "%s: it holds no CREATE DATABASE", path);
    *name = arena_strdup(arena, ddl_value(&d, at));
    return ERR_OK;
}

/* ---- LOAD DATA beside a .dat ---- */

struct load_data {
    const char *fields_end, *enclosed, *escaped, *lines_start, *lines_end;
};

/* The string behind "words", wherever they stand; NULL: they do not. */
static const char *load_data_value(const struct ddl_text *d, size_t from, const char *words)
{
    for (size_t i = from; i < d->count; i++) {
        const size_t n = ddl_words(d, i, words);

        if (n && ddl_token(d, i + n)->kind == TOKEN_STRING)
            return ddl_value(d, i + n);
    }
    return NULL;
}

static size_t word_find(const struct ddl_text *d, size_t from, const char *word)
{
    while (from < d->count && !ddl_is(d, from, word))
        from++;
    return from;
}

static bool is_one_of(const char *text, const char *a, const char *b)
{
    return text && (strcmp(text, a) == 0 || strcmp(text, b) == 0);
}

static enum err_code load_data_dialect(const struct load_data *l, const char *path,
                                       struct csv_dialect *dialect, struct err *err)
{
    const char *fields = l->fields_end ? l->fields_end : "\t";
    const char *quote = l->enclosed ? l->enclosed : "";
    const char *escape = l->escaped ? l->escaped : "\\";

    if (strlen(fields) != 1 || strlen(quote) > 1 || strcmp(escape, "\\") != 0 ||
        (l->lines_start && *l->lines_start) ||
        (l->lines_end && !is_one_of(l->lines_end, "\n", "\r\n")))
        return err_set(err, ERR_FORMAT,
                       "%s: its LOAD DATA statement names marks that ferry does not read (one byte "
                       "between fields, at most one around them, '\\\\' as escape, lines that end "
                       "in LF or CR LF)",
                       path);
    *dialect = (struct csv_dialect){.separator = *fields,
                                    .quote = *quote,
                                    .backslash = true,
                                    .lf = !l->lines_end || strcmp(l->lines_end, "\n") == 0,
                                    .no_header = true,
                                    .null_text = "\\N"};
    return ERR_OK;
}

/* The columns in parentheses at token `at` are the table's. */
static enum err_code load_data_columns(const struct dump_table *t, const struct ddl_text *d,
                                       size_t at, const char *path, struct err *err)
{
    unsigned i = 0;

    if (!ddl_is(d, at, "("))
        return ERR_OK;
    for (at++; at < d->count && !ddl_is(d, at, ")"); at++) {
        const char *name;

        if (ddl_is(d, at, ","))
            continue;
        name = ddl_value(d, at);
        if (i >= t->shape.count || strcmp(t->shape.columns[i], name) != 0)
            return err_set(err, ERR_FORMAT, "%s: column %u of its LOAD DATA is '%s', not '%s'",
                           path, i + 1, name, i < t->shape.count ? t->shape.columns[i] : "none");
        i++;
    }
    if (ddl_is(d, at + 1, "SET"))
        return err_set(err, ERR_FORMAT, "%s: ferry does not read LOAD DATA ... SET", path);
    if (i != t->shape.count)
        return err_set(err, ERR_FORMAT, "%s: its LOAD DATA has %u columns, the table %u", path, i,
                       t->shape.count);
    return ERR_OK;
}

static enum err_code load_data_read(const struct dump_table *t, const struct ddl_text *d,
                                    const char *path, struct csv_dialect *dialect, struct err *err)
{
    struct load_data l = {0};
    const size_t fields = word_find(d, 0, "FIELDS");
    const size_t lines = word_find(d, 0, "LINES");
    size_t at = word_find(d, 0, "TABLE") + 2;

    if (at >= d->count || !ddl_words(d, 0, "LOAD DATA"))
        return err_set(err, ERR_FORMAT, "%s: it holds no LOAD DATA statement", path);
    if (fields < d->count) {
        l.fields_end = load_data_value(d, fields, "TERMINATED BY");
        l.enclosed = load_data_value(d, fields, "ENCLOSED BY");
        l.escaped = load_data_value(d, fields, "ESCAPED BY");
    }
    if (lines < d->count) {
        l.lines_start = load_data_value(d, lines, "STARTING BY");
        l.lines_end = load_data_value(d, lines, "TERMINATED BY");
    }
    if (load_data_dialect(&l, path, dialect, err))
        return err->code;
    if (word_find(d, at, "IGNORE") < d->count)
        return err_set(err, ERR_FORMAT, "%s: ferry does not read LOAD DATA ... IGNORE", path);
    return load_data_columns(t, d, word_find(d, at, "("), path, err);
}

enum err_code foreign_load_data_parse(const struct dump_table *t, const struct strbuf *text,
                                      const char *path, struct csv_dialect *dialect,
                                      struct err *err)
{
    struct arena *arena = arena_new();
    const char *pos = strbuf_str(text);
    const char *end = pos + text->len;
    struct ddl_statement st = {0};
    struct ddl_text d;
    enum err_code rc = ERR_OK;

    do {
        if (!ddl_next(&pos, end, &st))
            rc = err_set(err, ERR_FORMAT, "%s: it holds no LOAD DATA statement", path);
    } while (!rc && st.kind != DDL_OTHER);
    if (!rc)
        rc = ddl_text_init(&d, arena_memdup(arena, st.text, st.len), NULL, arena, err);
    if (!rc)
        rc = load_data_read(t, &d, path, dialect, err);
    arena_free(arena);
    return rc;
}
