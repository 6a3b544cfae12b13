#include "common/schema/column_text.h"

#include "common/mysql/ident.h"
#include "common/schema/collation.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#define VARCHAR_BYTES 65535 /* above, a server that is not strict makes a TEXT of it */

enum text_form {
    FORM_PLAIN,  /* what stands in parentheses stays */
    FORM_FIXED,  /* one that is always there, unless it is said */
    FORM_FLOAT,  /* FLOAT(p) may be a DOUBLE */
    FORM_SIZED,  /* TEXT(n), BLOB(n): the smallest kind that holds n */
    FORM_LABELS, /* ENUM, SET */
    FORM_NATIONAL,
    FORM_JSON
};
struct text_type {
    const char *words, *name;
    enum text_form form;
    const char *usual; /* FORM_FIXED, FORM_NATIONAL: the parentheses where none stand */
};

/* Longer phrases stand before their beginnings. */
static const struct text_type text_types[] = {
    {"NATIONAL CHARACTER VARYING", "varchar", FORM_NATIONAL, ""},
    {"NATIONAL CHAR VARYING", "varchar", FORM_NATIONAL, ""},
    {"NATIONAL CHARACTER", "char", FORM_NATIONAL, "(1)"},
    {"NATIONAL VARCHAR", "varchar", FORM_NATIONAL, ""},
    {"NATIONAL CHAR", "char", FORM_NATIONAL, "(1)"},
    {"NCHAR VARCHAR", "varchar", FORM_NATIONAL, ""},
    {"NCHAR VARYING", "varchar", FORM_NATIONAL, ""},
    {"NVARCHAR", "varchar", FORM_NATIONAL, ""},
    {"NCHAR", "char", FORM_NATIONAL, "(1)"},
    {"CHARACTER VARYING", "varchar", FORM_PLAIN, NULL},
    {"CHAR VARYING", "varchar", FORM_PLAIN, NULL},
    {"VARCHARACTER", "varchar", FORM_PLAIN, NULL},
    {"VARCHAR", "varchar", FORM_PLAIN, NULL},
    {"CHARACTER", "char", FORM_FIXED, "(1)"},
    {"CHAR", "char", FORM_FIXED, "(1)"},
    {"BINARY", "binary", FORM_FIXED, "(1)"},
    {"VARBINARY", "varbinary", FORM_PLAIN, NULL},
    {"LONG VARBINARY", "mediumblob", FORM_PLAIN, NULL},
    {"LONG CHAR VARYING", "mediumtext", FORM_PLAIN, NULL},
    {"LONG VARCHAR", "mediumtext", FORM_PLAIN, NULL},
    {"LONG", "mediumtext", FORM_PLAIN, NULL},
    {"TEXT", "text", FORM_SIZED, NULL},
    {"BLOB", "blob", FORM_SIZED, NULL},
    {"DOUBLE PRECISION", "double", FORM_PLAIN, NULL},
    {"REAL", "double", FORM_PLAIN, NULL},
    {"FLOAT8", "double", FORM_PLAIN, NULL},
    {"FLOAT4", "float", FORM_PLAIN, NULL},
    {"FLOAT", "float", FORM_FLOAT, NULL},
    {"BOOLEAN", "tinyint", FORM_FIXED, "(1)"},
    {"BOOL", "tinyint", FORM_FIXED, "(1)"},
    {"INT1", "tinyint", FORM_PLAIN, NULL},
    {"INT2", "smallint", FORM_PLAIN, NULL},
    {"INT3", "mediumint", FORM_PLAIN, NULL},
    {"MIDDLEINT", "mediumint", FORM_PLAIN, NULL},
    {"INT4", "int", FORM_PLAIN, NULL},
    {"INTEGER", "int", FORM_PLAIN, NULL},
    {"INT8", "bigint", FORM_PLAIN, NULL},
    {"SERIAL", "bigint", FORM_PLAIN, NULL},
    {"DECIMAL", "decimal", FORM_FIXED, "(10,0)"},
    {"NUMERIC", "decimal", FORM_FIXED, "(10,0)"},
    {"DEC", "decimal", FORM_FIXED, "(10,0)"},
    {"FIXED", "decimal", FORM_FIXED, "(10,0)"},
    {"BIT", "bit", FORM_FIXED, "(1)"},
    {"ENUM", "enum", FORM_LABELS, NULL},
    {"SET", "set", FORM_LABELS, NULL},
    {"JSON", "json", FORM_JSON, NULL},
};

/* ---- the character set ---- */

bool column_is_text(const struct column *c)
{
    return (c->type >= TYPE_CHAR && c->type <= TYPE_LONGTEXT) || c->type == TYPE_ENUM ||
           c->type == TYPE_SET;
}

const char *table_text_collation(const struct ddl_text *d, const struct ddl_option *options,
                                 size_t count, const struct flavour *server)
{
    const char *charset = NULL;

    for (size_t i = count; i-- > 0;)
        if (strcmp(options[i].name, "COLLATE") == 0 && options[i].value != DDL_NONE)
            return ddl_value(d, options[i].value);
        else if (strcmp(options[i].name, "CHARSET") == 0 && !charset)
            charset = ddl_value(d, options[i].value);
    return charset ? charset_default_collation(charset, server) : NULL;
}

void table_text_partition(const struct ddl_text *d, const struct ddl_table *t, struct strbuf *out)
{
    for (size_t i = t->partition.first; i < t->partition.end; i++) {
        const struct token *token = ddl_token(d, i);
        const char *value = ddl_value(d, i);

        if (ddl_is(d, i, "(") || ddl_is(d, i, ")") || ddl_is(d, i, "="))
            continue; /* VALUES LESS THAN MAXVALUE stands in them or not */
        if (ddl_is(d, i, "ENGINE")) {
            i += ddl_is(d, i + 1, "=") ? 2 : 1;
            continue;
        }
        if (out->len > 0)
            strbuf_addch(out, ' ');
        if (token->kind == TOKEN_STRING)
            strbuf_add_quotedz(out, value);
        else
            for (; *value; value++)
                strbuf_addch(out, (char)tolower((unsigned char)*value));
    }
}

/* *collation NULL: the table's is not known. */
static enum err_code text_collation(const struct ddl_text *d, const struct ddl_item *item,
                                    const struct flavour *server, const char *table_collation,
                                    const char **collation, struct err *err)
{
    const struct ddl_attr *charset = ddl_attr(item, ATTR_CHARSET);
    const struct ddl_attr *collate = ddl_attr(item, ATTR_COLLATE);
    const struct ddl_attr *old = ddl_attr(item, ATTR_BINARY);

    *collation = table_collation;
    if (old)
        return ddl_unexpected(d, old->span.first, "a column's type", err);
    if (collate)
        *collation = ddl_value(d, collate->value);
    else if (charset)
        *collation = charset_default_collation(ddl_value(d, charset->value), server);
    if (!*collation)
        return err_set(err, ERR_FORMAT, "the character set of the column '%s' is not known",
                       ddl_value(d, item->name));
    return ERR_OK;
}

static const char *bytes_type(enum column_type type)
{
    static const char *const names[TYPE_COUNT] = {
        [TYPE_CHAR] = "binary", [TYPE_VARCHAR] = "varbinary",     [TYPE_TINYTEXT] = "tinyblob",
        [TYPE_TEXT] = "blob",   [TYPE_MEDIUMTEXT] = "mediumblob", [TYPE_LONGTEXT] = "longblob"};

    return names[type];
}

/* A text type in the character set "binary" is a type of bytes. */
static enum err_code column_charset(const struct ddl_text *d, const struct ddl_item *item,
                                    struct column *c, const char *collation, struct err *err)
{
    char charset[16];

    collation_charset(collation, charset);
    if (strcmp(charset, "binary") == 0 && bytes_type(c->type)) {
        const char *parens = strchr(c->type_text, '(');
        struct strbuf sb = {0};

        strbuf_addf(&sb, "%s%s", bytes_type(c->type), parens ? parens : "");
        c->type_text = arena_strdup(d->arena, strbuf_str(&sb));
        strbuf_release(&sb);
        column_parse_type(c->type_text, c);
        return ERR_OK;
    }
    if (c->type == TYPE_VARCHAR && c->length * charset_max_bytes(charset) > VARCHAR_BYTES)
        return err_set(err, ERR_FORMAT, "the column '%s' may be longer than a VARCHAR can be",
                       ddl_value(d, item->name));
    c->charset = arena_strdup(d->arena, charset);
    c->collation = arena_strdup(d->arena, collation);
    return ERR_OK;
}

/* ---- the type ---- */

/* Labels as the server prints them. */
static void add_labels(const struct ddl_text *d, size_t at, size_t end, struct strbuf *out)
{
    strbuf_addch(out, '(');
    for (; at < end; at++) {
        const char *label;
        size_t len;

        if (ddl_token(d, at)->kind != TOKEN_STRING)
            continue;
        if (out->str[out->len - 1] != '(')
            strbuf_addch(out, ',');
        label = ddl_value(d, at);
        len = strlen(label);
        while (len > 0 && label[len - 1] == ' ')
            len--;
        strbuf_addch(out, '\'');
        for (size_t i = 0; i < len; i++) {
            if (label[i] == '\'' || label[i] == '\\')
                strbuf_addch(out, label[i]);
            strbuf_addch(out, label[i]);
        }
        strbuf_addch(out, '\'');
    }
    strbuf_addch(out, ')');
}

/* The number alone in the parentheses; 0: there is another thing. */
static unsigned long only_number(const struct ddl_text *d, struct ddl_span parens)
{
    if (parens.end - parens.first != 3 || ddl_token(d, parens.first + 1)->kind != TOKEN_NUMBER)
        return 0;
    return strtoul(ddl_value(d, parens.first + 1), NULL, 10);
}

static void add_parens(const struct ddl_text *d, struct ddl_span parens, struct strbuf *out)
{
    for (size_t i = parens.first; i < parens.end; i++)
        strbuf_addstr(out, ddl_value(d, i));
}

/* TEXT(n) counts characters, BLOB(n) bytes. */
static void add_sized(const char *name, unsigned long size, struct strbuf *out)
{
    const char *kind = size <= 255        ? "tiny"
                       : size <= 65535    ? ""
                       : size <= 16777215 ? "medium"
                                          : "long";

    strbuf_addf(out, "%s%s", size ? kind : "", name);
}

static const struct text_type *type_find(const struct ddl_text *d, size_t at)
{
    for (size_t i = 0; i < sizeof text_types / sizeof text_types[0]; i++)
        if (ddl_words(d, at, text_types[i].words))
            return &text_types[i];
    return NULL;
}

static void add_lower(const char *text, struct strbuf *out)
{
    for (; *text; text++)
        strbuf_addch(out, (char)tolower((unsigned char)*text));
}

static void type_write(const struct ddl_text *d, const struct ddl_item *item,
                       const struct text_type *type, unsigned char_bytes, struct strbuf *out)
{
    struct ddl_span parens = {item->type.first, item->type.end};

    while (parens.first < parens.end && !ddl_is(d, parens.first, "("))
        parens.first++;
    if (type && type->form == FORM_SIZED) {
        add_sized(type->name, only_number(d, parens) * char_bytes, out);
        return;
    }
    if (type && type->form == FORM_FLOAT && only_number(d, parens)) {
        strbuf_addstr(out, only_number(d, parens) > 24 ? "double" : "float");
        return;
    }
    if (type)
        strbuf_addstr(out, type->name);
    else
        add_lower(ddl_value(d, item->type.first), out);
    if (type && type->form == FORM_LABELS)
        add_labels(d, parens.first, parens.end, out);
    else if (parens.first < parens.end)
        add_parens(d, parens, out);
    else if (type && type->usual)
        strbuf_addstr(out, type->usual);
}

static void type_signs(const struct ddl_text *d, const struct ddl_item *item, struct strbuf *out)
{
    bool is_unsigned = ddl_is(d, item->type.first, "SERIAL");
    bool zerofill = false;

    for (size_t i = 0; i < item->attr_count; i++) {
        const struct ddl_attr *a = &item->attrs[i];

        is_unsigned =
            is_unsigned || (a->kind == ATTR_NUMERIC && ddl_is(d, a->span.first, "UNSIGNED"));
        zerofill = zerofill || (a->kind == ATTR_NUMERIC && ddl_is(d, a->span.first, "ZEROFILL"));
    }
    if (is_unsigned || zerofill)
        strbuf_addstr(out, " unsigned");
    if (zerofill)
        strbuf_addstr(out, " zerofill");
}

static void column_flags(const struct ddl_text *d, const struct ddl_item *item, struct column *c)
{
    c->nullable = !ddl_is(d, item->type.first, "SERIAL");
    c->readable = true;
    for (size_t i = 0; i < item->attr_count; i++) {
        const struct ddl_attr *a = &item->attrs[i];
        const bool stored = a->kind == ATTR_STORED && !ddl_is(d, a->span.first, "VIRTUAL");

        if (a->kind == ATTR_NULL)
            c->nullable = !ddl_is(d, a->span.first, "NOT");
        if (a->kind == ATTR_PRIMARY || a->kind == ATTR_AUTO_INCREMENT)
            c->nullable = false;
        if (a->kind == ATTR_GENERATED)
            c->generated = GENERATED_VIRTUAL;
        if (stored)
            c->generated = GENERATED_STORED;
        c->invisible = c->invisible || a->kind == ATTR_INVISIBLE;
        c->row_start_end = c->row_start_end || a->kind == ATTR_ROW_START_END;
    }
}

enum err_code column_of_text(const struct ddl_text *d, const struct ddl_item *item,
                             const struct flavour *server, const char *table_collation,
                             struct column *out, struct err *err)
{
    const struct text_type *type = type_find(d, item->type.first);
    const bool maria_json = type && type->form == FORM_JSON && server->vendor == VENDOR_MARIADB;
    const char *collation = NULL;
    struct strbuf text = {0};
    unsigned char_bytes = 1;
    char charset[16];

    *out = (struct column){.name = ddl_value(d, item->name)};
    if (type && strcmp(type->name, "text") == 0 && item->type.end - item->type.first > 1) {
        if (text_collation(d, item, server, table_collation, &collation, err))
            return err->code;
        collation_charset(collation, charset);
        char_bytes = charset_max_bytes(charset);
    }
    type_write(d, item, type, char_bytes, &text);
    type_signs(d, item, &text);
    out->type_text = arena_strdup(d->arena, maria_json ? "longtext" : strbuf_str(&text));
    strbuf_release(&text);
    column_parse_type(out->type_text, out);
    column_flags(d, item, out);
    if (out->type == TYPE_OTHER)
        return ddl_unexpected(d, item->type.first, "a column's type", err);
    if (!column_is_text(out))
        return ERR_OK;
    if (maria_json)
        collation = "utf8mb4_bin";
    else if (type && type->form == FORM_NATIONAL)
        collation = charset_default_collation("utf8mb3", server);
    else if (text_collation(d, item, server, table_collation, &collation, err))
        return err->code;
    return column_charset(d, item, out, collation ? collation : "utf8mb3_general_ci", err);
}
