#include "common/schema/ddl_table.h"

#include <ctype.h>

/* What stands behind the words of an attribute. */
enum ddl_tail {
    TAIL_NONE,
    TAIL_VALUE,     /* [=] one token */
    TAIL_MAYBE,     /* = one token, or nothing */
    TAIL_EXPR,      /* a literal, a function call, an expression in parentheses */
    TAIL_PARENS,    /* ( ... ) */
    TAIL_CHECK,     /* ( ... ) [[NOT] ENFORCED] */
    TAIL_REFERENCE, /* table (columns) [MATCH ..] [ON ..] */
    TAIL_MAYBE_PARENS
};

struct ddl_rule {
    const char *words;
    enum ddl_attr_kind kind;
    enum ddl_tail tail;
};

/* Longer phrases stand before their beginnings. */
static const struct ddl_rule column_rules[] = {
    {"UNSIGNED", ATTR_NUMERIC, TAIL_NONE},
    {"SIGNED", ATTR_NUMERIC, TAIL_NONE},
    {"ZEROFILL", ATTR_NUMERIC, TAIL_NONE},
    {"CHARACTER SET", ATTR_CHARSET, TAIL_VALUE},
    {"CHAR SET", ATTR_CHARSET, TAIL_VALUE},
    {"CHARSET", ATTR_CHARSET, TAIL_VALUE},
    {"COLLATE", ATTR_COLLATE, TAIL_VALUE},
    {"BINARY", ATTR_BINARY, TAIL_NONE},
    {"ASCII", ATTR_BINARY, TAIL_NONE},
    {"UNICODE", ATTR_BINARY, TAIL_NONE},
    {"BYTE", ATTR_BINARY, TAIL_NONE},
    {"NOT NULL", ATTR_NULL, TAIL_NONE},
    {"NULL", ATTR_NULL, TAIL_NONE},
    {"NOT SECONDARY", ATTR_ENGINE, TAIL_NONE},
    {"DEFAULT", ATTR_DEFAULT, TAIL_EXPR},
    {"ON UPDATE", ATTR_ON_UPDATE, TAIL_EXPR},
    {"AUTO_INCREMENT", ATTR_AUTO_INCREMENT, TAIL_NONE},
    {"AUTO_RANDOM", ATTR_TIDB, TAIL_MAYBE_PARENS},
    {"UNIQUE KEY", ATTR_UNIQUE, TAIL_NONE},
    {"UNIQUE", ATTR_UNIQUE, TAIL_NONE},
    {"PRIMARY KEY", ATTR_PRIMARY, TAIL_NONE},
    {"KEY", ATTR_PRIMARY, TAIL_NONE},
    {"COMMENT", ATTR_COMMENT, TAIL_VALUE},
    {"GENERATED ALWAYS AS ROW START", ATTR_ROW_START_END, TAIL_NONE},
    {"GENERATED ALWAYS AS ROW END", ATTR_ROW_START_END, TAIL_NONE},
    {"AS ROW START", ATTR_ROW_START_END, TAIL_NONE},
    {"AS ROW END", ATTR_ROW_START_END, TAIL_NONE},
    {"GENERATED ALWAYS AS", ATTR_GENERATED, TAIL_PARENS},
    {"AS", ATTR_GENERATED, TAIL_PARENS},
    {"VIRTUAL", ATTR_STORED, TAIL_NONE},
    {"STORED", ATTR_STORED, TAIL_NONE},
    {"PERSISTENT", ATTR_STORED, TAIL_NONE},
    {"INVISIBLE", ATTR_INVISIBLE, TAIL_NONE},
    {"VISIBLE", ATTR_VISIBLE, TAIL_NONE},
    {"COMPRESSED", ATTR_COMPRESSED, TAIL_MAYBE},
    {"COLUMN_FORMAT", ATTR_STORAGE, TAIL_VALUE},
    {"STORAGE", ATTR_STORAGE, TAIL_VALUE},
    {"ENGINE_ATTRIBUTE", ATTR_ENGINE, TAIL_VALUE},
    {"SECONDARY_ENGINE_ATTRIBUTE", ATTR_ENGINE, TAIL_VALUE},
    {"SRID", ATTR_SRID, TAIL_VALUE},
    {"REF_SYSTEM_ID", ATTR_SRID, TAIL_VALUE},
    {"CHECK", ATTR_CHECK, TAIL_CHECK},
    {"REFERENCES", ATTR_REFERENCES, TAIL_REFERENCE},
    {"WITH SYSTEM VERSIONING", ATTR_VERSIONING, TAIL_NONE},
    {"WITHOUT SYSTEM VERSIONING", ATTR_VERSIONING, TAIL_NONE},
    {"CLUSTERED", ATTR_TIDB, TAIL_NONE},
    {"NONCLUSTERED", ATTR_TIDB, TAIL_NONE},
    {NULL, ATTR_UNKNOWN, TAIL_MAYBE},
};

static const struct ddl_rule key_rules[] = {
    {"USING", ATTR_USING, TAIL_VALUE},
    {"COMMENT", ATTR_COMMENT, TAIL_VALUE},
    {"KEY_BLOCK_SIZE", ATTR_BLOCK_SIZE, TAIL_VALUE},
    {"WITH PARSER", ATTR_PARSER, TAIL_VALUE},
    {"INVISIBLE", ATTR_INVISIBLE, TAIL_NONE},
    {"VISIBLE", ATTR_VISIBLE, TAIL_NONE},
    {"NOT IGNORED", ATTR_IGNORED, TAIL_NONE},
    {"IGNORED", ATTR_IGNORED, TAIL_NONE},
    {"ENGINE_ATTRIBUTE", ATTR_ENGINE, TAIL_VALUE},
    {"SECONDARY_ENGINE_ATTRIBUTE", ATTR_ENGINE, TAIL_VALUE},
    {"CLUSTERED", ATTR_TIDB, TAIL_NONE},
    {"NONCLUSTERED", ATTR_TIDB, TAIL_NONE},
    {"GLOBAL", ATTR_TIDB, TAIL_NONE},
    {"LOCAL", ATTR_TIDB, TAIL_NONE},
    {NULL, ATTR_UNKNOWN, TAIL_MAYBE},
};

/* Everything that is needed while a statement is cut; the pools are as long as the statement. */
struct ddl_parser {
    const struct ddl_text *d;
    struct ddl_table *t;
    struct ddl_attr *attrs;
    struct ddl_part *parts;
    size_t attr_count, part_count;
};

const struct ddl_attr *ddl_attr(const struct ddl_item *item, enum ddl_attr_kind kind)
{
    for (size_t i = 0; i < item->attr_count; i++)
        if (item->attrs[i].kind == kind)
            return &item->attrs[i];
    return NULL;
}

static bool ddl_is_name(const struct ddl_text *d, size_t i)
{
    return token_is_name(ddl_token(d, i));
}

/* Behind name[.name[.name]]; `at` itself if there is none. */
static size_t ddl_dotted_end(const struct ddl_text *d, size_t at)
{
    if (!ddl_is_name(d, at))
        return at;
    for (at++; ddl_is(d, at, ".") && ddl_is_name(d, at + 1); at += 2)
        continue;
    return at;
}

/* Behind one value of DEFAULT or ON UPDATE. */
static size_t ddl_value_end(const struct ddl_text *d, size_t at)
{
    size_t words = ddl_words(d, at, "NEXT VALUE FOR");

    if (words == 0)
        words = ddl_words(d, at, "PREVIOUS VALUE FOR");
    if (words > 0)
        return ddl_dotted_end(d, at + words);
    if (ddl_is(d, at, "-") || ddl_is(d, at, "+"))
        at++;
    if (ddl_is(d, at, "("))
        return ddl_parens_end(d, at);
    if (ddl_token(d, at)->kind == TOKEN_WORD &&
        (ddl_token(d, at + 1)->kind == TOKEN_STRING || ddl_token(d, at + 1)->kind == TOKEN_HEX ||
         ddl_token(d, at + 1)->kind == TOKEN_BIT) &&
        !ddl_is(d, at, "NULL"))
        return at + 2; /* _utf8mb4'a', DATE '2000-01-01' */
    if (ddl_is_name(d, at)) {
        at = ddl_dotted_end(d, at);
        return ddl_is(d, at, "(") ? ddl_parens_end(d, at) : at;
    }
    return at + 1;
}

/* Behind [MATCH x] [ON DELETE|UPDATE action]... */
static size_t ddl_reference_end(const struct ddl_text *d, size_t at)
{
    at = ddl_dotted_end(d, at);
    if (ddl_is(d, at, "("))
        at = ddl_parens_end(d, at);
    if (at > 0 && ddl_is(d, at, "MATCH"))
        at += 2;
    while (at > 0 && (ddl_words(d, at, "ON DELETE") || ddl_words(d, at, "ON UPDATE"))) {
        at += 2;
        at += ddl_is(d, at, "NO") || ddl_is(d, at, "SET") ? 2 : 1;
    }
    return at;
}

static size_t ddl_check_end(const struct ddl_text *d, size_t at)
{
    at = ddl_parens_end(d, at);
    if (at > 0 && ddl_words(d, at, "NOT ENFORCED"))
        return at + 2;
    return at > 0 && ddl_is(d, at, "ENFORCED") ? at + 1 : at;
}

/* Behind what a rule lets follow; 0: it does not. *value: its first token. */
static size_t ddl_tail_end(const struct ddl_text *d, enum ddl_tail tail, size_t at, size_t *value)
{
    const bool equals = ddl_is(d, at, "=");

    *value = at + ((tail == TAIL_VALUE || tail == TAIL_MAYBE) && equals);
    switch (tail) {
    case TAIL_NONE:
        return at;
    case TAIL_VALUE:
        return *value + 1;
    case TAIL_MAYBE:
        return equals ? *value + 1 : at;
    case TAIL_EXPR:
        return ddl_value_end(d, at);
    case TAIL_PARENS:
        return ddl_parens_end(d, at);
    case TAIL_CHECK:
        return ddl_check_end(d, at);
    case TAIL_REFERENCE:
        return ddl_reference_end(d, at);
    case TAIL_MAYBE_PARENS:
        return ddl_is(d, at, "(") ? ddl_parens_end(d, at) : at;
    default:
        return 0;
    }
}

/* Whether the value begins with what can begin one. */
static bool ddl_tail_fits(const struct ddl_text *d, enum ddl_tail tail, size_t value)
{
    if (tail == TAIL_EXPR &&
        (ddl_is(d, value, "(") || ddl_is(d, value, "-") || ddl_is(d, value, "+")))
        return true;
    return (tail != TAIL_VALUE && tail != TAIL_EXPR) || ddl_token(d, value)->kind != TOKEN_OPERATOR;
}

/* Attributes up to a "," or ")" of the same depth, or the statement's end. */
static enum err_code ddl_attrs_parse(struct ddl_parser *p, const struct ddl_rule *rules,
                                     const char *where, size_t *at, struct ddl_item *item,
                                     struct err *err)
{
    const struct ddl_text *d = p->d;

    item->attrs = &p->attrs[p->attr_count];
    while (*at < d->count && !ddl_is(d, *at, ",") && !ddl_is(d, *at, ")")) {
        struct ddl_attr *attr = &p->attrs[p->attr_count];
        const struct ddl_rule *rule = rules;
        size_t words = 0;
        size_t begin = *at;

        if (ddl_is(d, begin, "CONSTRAINT")) /* of the CHECK that follows; its name may be missing */
            begin += ddl_is(d, begin + 1, "CHECK") ? 1 : 2;
        while (rule->words && words == 0) {
            words = ddl_words(d, begin, rule->words);
            rule += words == 0;
        }
        if (words == 0 && !ddl_is_name(d, begin))
            return ddl_unexpected(d, begin, where, err);
        attr->kind = rule->kind;
        attr->span.first = *at;
        attr->span.end = ddl_tail_end(d, rule->tail, begin + (words > 0 ? words : 1), &attr->value);
        if (attr->span.end == 0 || attr->span.end > d->count ||
            !ddl_tail_fits(d, rule->tail, attr->value))
            return ddl_unexpected(d, begin + words, where, err);
        p->attr_count++;
        item->attr_count++;
        *at = attr->span.end;
    }
    return ERR_OK;
}

/* A column's type: its words, and what stands in parentheses behind them. */
static size_t ddl_type_end(const struct ddl_text *d, size_t at)
{
    static const char *const phrases[] = {
        "NATIONAL CHARACTER VARYING",
        "NATIONAL CHAR VARYING",
        "NATIONAL CHARACTER",
        "NATIONAL VARCHAR",
        "NATIONAL CHAR",
        "NCHAR VARCHAR",
        "NCHAR VARYING",
        "CHARACTER VARYING",
        "CHAR VARYING",
        "DOUBLE PRECISION",
        "LONG VARCHAR",
        "LONG VARBINARY",
        "LONG CHAR VARYING",
    };
    size_t words = 0;

    for (size_t i = 0; i < sizeof phrases / sizeof *phrases && words == 0; i++)
        words = ddl_words(d, at, phrases[i]);
    at += words > 0 ? words : 1;
    return ddl_is(d, at, "(") ? ddl_parens_end(d, at) : at;
}

static enum err_code ddl_column_parse(struct ddl_parser *p, size_t *at, struct ddl_item *item,
                                      struct err *err)
{
    const struct ddl_text *d = p->d;

    if (!ddl_is_name(d, *at) || ddl_token(d, *at + 1)->kind != TOKEN_WORD)
        return ddl_unexpected(d, ddl_is_name(d, *at) ? *at + 1 : *at, "a column", err);
    item->kind = ITEM_COLUMN;
    item->name = *at;
    item->type.first = *at + 1;
    item->type.end = ddl_type_end(d, *at + 1);
    if (item->type.end == 0)
        return ddl_unexpected(d, *at + 2, "a column's type", err);
    *at = item->type.end;
    return ddl_attrs_parse(p, column_rules, "a column", at, item, err);
}

/* The list in item->parens. */
static void ddl_parts_parse(struct ddl_parser *p, struct ddl_item *item)
{
    const struct ddl_text *d = p->d;
    size_t at = item->parens.first + 1;
    const size_t end = item->parens.end - 1;

    item->parts = &p->parts[p->part_count];
    while (at < end) {
        struct ddl_part *part = &p->parts[p->part_count++];

        *part = (struct ddl_part){{at, at}, DDL_NONE, DDL_NONE, false};
        if (ddl_is_name(d, at)) {
            part->name = at;
            if (ddl_is(d, at + 1, "(") && ddl_token(d, at + 2)->kind == TOKEN_NUMBER)
                part->length = at + 2;
            part->without_overlaps = ddl_words(d, at + 1, "WITHOUT OVERLAPS") > 0;
        }
        while (at < end && !ddl_is(d, at, ","))
            at = ddl_is(d, at, "(") ? ddl_parens_end(d, at) : at + 1;
        part->span.end = at++;
        item->part_count++;
    }
}

/* [name] [USING x] (parts) options, from behind the key's words. */
static enum err_code ddl_key_parse(struct ddl_parser *p, size_t *at, struct ddl_item *item,
                                   struct err *err)
{
    const struct ddl_text *d = p->d;

    if (ddl_words(d, *at, "IF NOT EXISTS"))
        *at += 3;
    if (ddl_is_name(d, *at) && !ddl_is(d, *at, "USING"))
        item->name = (*at)++;
    if (ddl_is(d, *at, "USING"))
        *at += 2;
    item->parens = (struct ddl_span){*at, ddl_parens_end(d, *at)};
    if (item->parens.end == 0)
        return ddl_unexpected(d, *at, "a key", err);
    ddl_parts_parse(p, item);
    if (item->part_count == 0)
        return ddl_unexpected(d, *at + 1, "a key", err);
    *at = item->parens.end;
    return ddl_attrs_parse(p, key_rules, "a key", at, item, err);
}

static enum err_code ddl_foreign_parse(struct ddl_parser *p, size_t *at, struct ddl_item *item,
                                       struct err *err)
{
    const struct ddl_text *d = p->d;

    item->kind = ITEM_FOREIGN;
    if (ddl_words(d, *at, "IF NOT EXISTS"))
        *at += 3;
    if (ddl_is_name(d, *at)) {
        if (item->name == DDL_NONE)
            item->name = *at;
        (*at)++;
    }
    item->parens = (struct ddl_span){*at, ddl_parens_end(d, *at)};
    if (item->parens.end == 0)
        return ddl_unexpected(d, *at, "a foreign key", err);
    ddl_parts_parse(p, item);
    *at = item->parens.end;
    if (!ddl_is(d, *at, "REFERENCES"))
        return ddl_unexpected(d, *at, "a foreign key", err);
    *at = ddl_reference_end(d, *at + 1);
    return *at == 0 || *at > d->count ? ddl_unexpected(d, item->parens.end, "a foreign key", err)
                                      : ERR_OK;
}

/* CHECK and PERIOD: one pair of parentheses. */
static enum err_code ddl_parens_parse(struct ddl_parser *p, size_t *at, struct ddl_item *item,
                                      struct err *err)
{
    item->parens = (struct ddl_span){*at, ddl_parens_end(p->d, *at)};
    if (item->parens.end == 0)
        return ddl_unexpected(p->d, *at, "a constraint", err);
    *at = item->kind == ITEM_CHECK ? ddl_check_end(p->d, *at) : item->parens.end;
    return ERR_OK;
}

/* Anything but a column; *known false: a column then. */
static enum err_code ddl_constraint_parse(struct ddl_parser *p, size_t *at, struct ddl_item *item,
                                          bool *known, struct err *err)
{
    static const struct {
        const char *words;
        enum ddl_item_kind kind;
    } kinds[] = {
        {"PRIMARY KEY", ITEM_PRIMARY},
        {"UNIQUE KEY", ITEM_UNIQUE},
        {"UNIQUE INDEX", ITEM_UNIQUE},
        {"UNIQUE", ITEM_UNIQUE},
        {"FULLTEXT KEY", ITEM_FULLTEXT},
        {"FULLTEXT INDEX", ITEM_FULLTEXT},
        {"FULLTEXT", ITEM_FULLTEXT},
        {"SPATIAL KEY", ITEM_SPATIAL},
        {"SPATIAL INDEX", ITEM_SPATIAL},
        {"SPATIAL", ITEM_SPATIAL},
        {"VECTOR KEY", ITEM_VECTOR},
        {"VECTOR INDEX", ITEM_VECTOR},
        {"KEY", ITEM_KEY},
        {"INDEX", ITEM_KEY},
        {"FOREIGN KEY", ITEM_FOREIGN},
        {"CHECK", ITEM_CHECK},
        {"PERIOD FOR", ITEM_PERIOD},
    };
    const struct ddl_text *d = p->d;
    size_t begin = *at;
    size_t words = 0;

    if (ddl_is(d, begin, "CONSTRAINT")) {
        begin++;
        if (ddl_token(d, begin)->kind == TOKEN_NAME ||
            (ddl_token(d, begin)->kind == TOKEN_WORD && ddl_is_name(d, begin + 1)))
            item->name = begin++;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && words == 0; i++) {
        words = ddl_words(d, begin, kinds[i].words);
        item->kind = kinds[i].kind;
    }
    *known = words > 0;
    if (!*known)
        return begin == *at ? ERR_OK : ddl_unexpected(d, begin, "a constraint", err);
    *at = begin + words;
    if (item->kind == ITEM_FOREIGN)
        return ddl_foreign_parse(p, at, item, err);
    if (item->kind == ITEM_PERIOD)
        item->name = (*at)++;
    if (item->kind == ITEM_PERIOD || item->kind == ITEM_CHECK)
        return ddl_parens_parse(p, at, item, err);
    return ddl_key_parse(p, at, item, err);
}

static enum err_code ddl_body_parse(struct ddl_parser *p, struct err *err)
{
    const struct ddl_text *d = p->d;
    size_t at = p->t->body.first + 1;
    const size_t end = p->t->body.end - 1;
    enum err_code rc;

    while (at < end) {
        struct ddl_item *item = &p->t->items[p->t->item_count];
        bool known = false;

        *item = (struct ddl_item){.span = {at, at}, .name = DDL_NONE};
        rc = ddl_constraint_parse(p, &at, item, &known, err);
        if (!rc && !known)
            rc = ddl_column_parse(p, &at, item, err);
        if (rc)
            return rc;
        if (at > end || (at < end && !ddl_is(d, at, ",")))
            return ddl_unexpected(d, at, "the table's definition", err);
        item->span.end = at++;
        if (at == end)
            return ddl_unexpected(d, end, "the table's definition", err);
        p->t->item_count++;
    }
    return ERR_OK;
}

/* The option's name at *at in upper case, and the number of its tokens; 0: no option. */
static size_t ddl_option_name(const struct ddl_text *d, size_t at, char name[32])
{
    static const char *const phrases[][2] = {
        {"CHARACTER SET", "CHARSET"},
        {"CHAR SET", "CHARSET"},
        {"DATA DIRECTORY", "DATA DIRECTORY"},
        {"INDEX DIRECTORY", "INDEX DIRECTORY"},
        {"WITH SYSTEM VERSIONING", "SYSTEM VERSIONING"},
        {"WITHOUT SYSTEM VERSIONING", "SYSTEM VERSIONING"},
        {"START TRANSACTION", "START TRANSACTION"},
        {"START WITH", "START"},
        {"INCREMENT BY", "INCREMENT"},
        {"NOCACHE", "NOCACHE"},
        {"NOCYCLE", "NOCYCLE"},
        {"CYCLE", "CYCLE"},
        {"NO MAXVALUE", "NOMAXVALUE"},
        {"NO MINVALUE", "NOMINVALUE"},
        {"NOMAXVALUE", "NOMAXVALUE"},
        {"NOMINVALUE", "NOMINVALUE"},
    };
    const struct token *token = ddl_token(d, at);
    size_t words;
    size_t len;

    for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++) {
        words = ddl_words(d, at, phrases[i][0]);
        if (words > 0) {
            memcpy(name, phrases[i][1], strlen(phrases[i][1]) + 1);
            return words;
        }
    }
    if (!token_is_name(token))
        return 0;
    len = token->len < 31 ? token->len : 31;
    for (size_t i = 0; i < len; i++)
        name[i] = (char)toupper((unsigned char)d->how.text[token->pos + i]);
    name[len] = '\0';
    return 1;
}

static bool ddl_option_has_value(const char *name)
{
    static const char *const bare[] = {
        "SYSTEM VERSIONING", "START TRANSACTION", "NOCACHE", "NOCYCLE", "CYCLE",
        "NOMAXVALUE",        "NOMINVALUE"};

    for (size_t i = 0; i < sizeof bare / sizeof *bare; i++)
        if (strcmp(name, bare[i]) == 0)
            return false;
    return true;
}

static bool ddl_options_over(const struct ddl_text *d, size_t at)
{
    static const char *const ends[] = {"PARTITION", "AS", "SELECT", "IGNORE", "REPLACE",
                                       "WITH",      "(",  ";",      "VALUES"};

    if (at >= d->count)
        return true;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (ddl_is(d, at, ends[i]))
            return !ddl_words(d, at, "WITH SYSTEM VERSIONING");
    return false;
}

enum err_code ddl_options_parse(const struct ddl_text *d, size_t *at, struct ddl_option **options,
                                size_t *count, struct err *err)
{
    *options = arena_alloc(d->arena, (d->count - *at + 1) * sizeof **options);
    *count = 0;
    while (!ddl_options_over(d, *at)) {
        struct ddl_option *o = &(*options)[*count];
        size_t name;

        *o = (struct ddl_option){.span = {*at, *at}, .value = DDL_NONE};
        *at += ddl_is(d, *at, ",");
        *at += ddl_is(d, *at, "DEFAULT");
        o->quoted = ddl_token(d, *at)->kind == TOKEN_NAME;
        name = ddl_option_name(d, *at, o->name);
        if (name == 0)
            return ddl_unexpected(d, *at, "the options", err);
        *at += name;
        if (ddl_option_has_value(o->name)) {
            *at += ddl_is(d, *at, "=");
            o->value = *at;
            *at += ddl_is(d, *at, "-"); /* a sequence's negative number */
            if (ddl_token(d, *at)->kind == TOKEN_OPERATOR && !ddl_is(d, *at, "("))
                return ddl_unexpected(d, *at, "the options", err);
            *at = ddl_is(d, *at, "(") ? ddl_parens_end(d, *at) : *at + 1;
        }
        if (*at == 0 || *at > d->count)
            return ddl_unexpected(d, d->count, "the options", err);
        o->span.end = *at;
        (*count)++;
    }
    return ERR_OK;
}

/* CREATE [OR REPLACE] [TEMPORARY] TABLE [IF NOT EXISTS] name */
static enum err_code ddl_head_parse(const struct ddl_text *d, struct ddl_table *t, size_t *at,
                                    struct err *err)
{
    *at = ddl_is(d, 0, "CREATE") ? 1 : 0;
    if (*at == 0)
        return ddl_unexpected(d, 0, "CREATE TABLE", err);
    *at += ddl_words(d, *at, "OR REPLACE");
    *at += ddl_is(d, *at, "TEMPORARY");
    if (!ddl_is(d, *at, "TABLE"))
        return ddl_unexpected(d, *at, "CREATE TABLE", err);
    (*at)++;
    *at += ddl_words(d, *at, "IF NOT EXISTS");
    t->head = (struct ddl_span){0, *at};
    t->name = (struct ddl_span){*at, ddl_dotted_end(d, *at)};
    *at = t->name.end;
    return t->name.end == t->name.first ? ddl_unexpected(d, *at, "CREATE TABLE", err) : ERR_OK;
}

enum err_code ddl_table_parse(const struct ddl_text *d, struct ddl_table *t, struct err *err)
{
    const size_t room = d->count + 1;
    struct ddl_parser p = {.d = d,
                           .t = t,
                           .attrs = arena_alloc(d->arena, room * sizeof *p.attrs),
                           .parts = arena_alloc(d->arena, room * sizeof *p.parts)};
    size_t at = 0;

    *t = (struct ddl_table){.items = arena_alloc(d->arena, room * sizeof *t->items)};
    if (ddl_head_parse(d, t, &at, err))
        return err->code;
    if (ddl_is(d, at, "(") && !ddl_is(d, at + 1, "SELECT") && !ddl_is(d, at + 1, "LIKE")) {
        t->body = (struct ddl_span){at, ddl_parens_end(d, at)};
        if (t->body.end == 0)
            return ddl_unexpected(d, d->count, "the table's definition", err);
        if (ddl_body_parse(&p, err))
            return err->code;
        at = t->body.end;
    }
    if (!ddl_is(d, at, "LIKE") && ddl_options_parse(d, &at, &t->options, &t->option_count, err))
        return err->code;
    t->partition = (struct ddl_span){at, at};
    if (ddl_is(d, at, "PARTITION"))
        while (at < d->count && !ddl_is(d, at, ";") && !ddl_is(d, at, "SELECT") &&
               !ddl_is(d, at, "AS"))
            at = ddl_is(d, at, "(") && ddl_parens_end(d, at) ? ddl_parens_end(d, at) : at + 1;
    t->partition.end = at;
    t->tail = (struct ddl_span){at, ddl_is(d, at, ";") ? at : d->count};
    return ERR_OK;
}
