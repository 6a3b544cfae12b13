#include "common/schema/convert_functions.h"
#include "common/schema/convert_inner.h"

#include <stdlib.h>
#include <strings.h>

static bool convert_is_name(const struct ddl_text *d, size_t i)
{
    return token_is_name(ddl_token(d, i));
}

/* COLLATE name */
static void convert_expr_collate(struct converter *c, size_t i, const char *name)
{
    const char *was = ddl_value(&c->d, i + 1);
    struct convert_note note = {
        .severity = CHANGE_INFO, .part = PART_EXPRESSION, .name = name, .was = was};
    struct strbuf words = {0};
    struct collation_map map;

    collation_map(was, c->p->target, (struct collation_wish){0}, &map);
    if (strcasecmp(map.name, was) == 0)
        return;
    note.is = arena_strdup(c->out->arena, map.name);
    note.severity = map.relation == COLLATION_EQUAL ? CHANGE_INFO : CHANGE_WARNING;
    collation_explain(&map, &words);
    convert_say(c, note, "%s", strbuf_str(&words));
    strbuf_release(&words);
    ddl_replace(&c->d, (struct ddl_span){i + 1, i + 2}, note.is);
}

/* TiDB's latin1 has one collation only, so that it would not go with what COLLATE becomes. */
static bool convert_expr_moves(const struct converter *c, const char *charset)
{
    return c->to == VENDOR_TIDB && c->p->source->vendor != VENDOR_TIDB &&
           strcasecmp(charset, "latin1") == 0;
}

/* The name behind CHARACTER SET or USING. */
static void convert_expr_charset(struct converter *c, size_t i, const char *name)
{
    const char *was = ddl_value(&c->d, i);

    if (!convert_expr_moves(c, was) &&
        (charset_known(was, c->p->target) || !charset_default_collation(was, c->p->source)))
        return;
    convert_say(c,
                (struct convert_note){.severity = CHANGE_WARNING,
                                      .part = PART_EXPRESSION,
                                      .name = name,
                                      .was = was,
                                      .is = "utf8mb4"},
                "the target lacks the character set; its bytes differ, its characters do not");
    ddl_replace(&c->d, (struct ddl_span){i, i + 1}, "utf8mb4");
}

/* _charset'text': false if the text would become another one. */
static bool convert_expr_introducer(struct converter *c, size_t i)
{
    const struct token *word = ddl_token(&c->d, i);
    const struct token *text = ddl_token(&c->d, i + 1);
    const char *charset = ddl_value(&c->d, i) + 1;

    const bool moves = convert_expr_moves(c, charset);

    if (c->d.how.text[word->pos] != '_' ||
        (!moves && (charset_known(charset, c->p->target) ||
                    !charset_default_collation(charset, c->p->source))))
        return true;
    if (text->kind != TOKEN_STRING)
        return moves;
    for (size_t at = 0; at < text->len; at++)
        if ((unsigned char)c->d.how.text[text->pos + at] >= 0x80)
            return moves;
    ddl_replace(&c->d, (struct ddl_span){i, i + 1}, "_utf8mb4");
    return true;
}

/* The function that is called at token `i` and that the target lacks; NULL: none. */
static const char *convert_expr_lacking(const struct converter *c, size_t i)
{
    const struct ddl_text *d = &c->d;
    const bool qualified = i > 0 && ddl_is(d, i - 1, ".");
    const size_t after = ddl_token(d, i)->pos + ddl_token(d, i)->len;

    if (ddl_words(d, i, "FOR SYSTEM_TIME") && c->to != VENDOR_MARIADB)
        return "FOR SYSTEM_TIME";
    if (ddl_is(d, i, "LATERAL") && c->to != VENDOR_MYSQL)
        return "LATERAL";
    if (ddl_words(d, i, "VALUES ROW") && c->to != VENDOR_MYSQL)
        return "VALUES ROW";
    if (ddl_is(d, i, "RETURNING") && c->to == VENDOR_MARIADB)
        return "RETURNING";
    if (!convert_is_name(d, i) || !ddl_is(d, i + 1, "(") || d->marks[i + 1].dead)
        return NULL;
    if (c->to != VENDOR_TIDB) /* stored functions are to be had there */
        return ddl_token(d, i)->kind == TOKEN_NAME || vendor_has_function(c->to, ddl_value(d, i))
                   ? NULL
                   : ddl_source(d, (struct ddl_span){i, i + 1});
    if (qualified)
        return ddl_source(d, (struct ddl_span){i > 1 ? i - 2 : i, i + 1});
    /* a stored function has no space behind it; the name of a common table expression has */
    if (ddl_token(d, i)->kind == TOKEN_NAME ? ddl_token(d, i + 1)->pos > after
                                            : vendor_has_function(VENDOR_TIDB, ddl_value(d, i)))
        return NULL;
    return ddl_source(d, (struct ddl_span){i, i + 1});
}

void convert_expression(struct converter *c, struct ddl_span span, const char *name,
                        const char **lacking)
{
    const struct ddl_text *d = &c->d;

    for (size_t i = span.first; i < span.end; i++) {
        const enum token_kind next = ddl_token(d, i + 1)->kind;

        if (ddl_is(d, i, "COLLATE") && (convert_is_name(d, i + 1) || next == TOKEN_STRING))
            convert_expr_collate(c, i, name);
        else if (ddl_words(d, i, "CHARACTER SET") && convert_is_name(d, i + 2))
            convert_expr_charset(c, i + 2, name);
        else if ((ddl_is(d, i, "CHARSET") || ddl_is(d, i, "USING")) && convert_is_name(d, i + 1))
            convert_expr_charset(c, i + 1, name);
        else if (ddl_token(d, i)->kind == TOKEN_WORD &&
                 (next == TOKEN_STRING || next == TOKEN_HEX || next == TOKEN_BIT) &&
                 !convert_expr_introducer(c, i) && !*lacking)
            *lacking = ddl_source(d, (struct ddl_span){i, i + 2});
        else if (c->other_vendor && !*lacking)
            *lacking = convert_expr_lacking(c, i);
    }
}

/* ---- defaults ---- */

static bool convert_is_literal(const struct ddl_text *d, struct ddl_span v)
{
    enum token_kind kind;

    if (ddl_is(d, v.first, "-") || ddl_is(d, v.first, "+")) { /* MySQL writes -(3) */
        v.first++;
        if (v.end - v.first == 3 && ddl_is(d, v.first, "(") && ddl_is(d, v.end - 1, ")"))
            v = (struct ddl_span){v.first + 1, v.end - 1};
        return v.end - v.first == 1 && ddl_token(d, v.first)->kind == TOKEN_NUMBER;
    }
    if (v.end - v.first == 2 && d->how.text[ddl_token(d, v.first)->pos] == '_')
        v.first++; /* an introducer */
    if (v.end - v.first != 1)
        return false;
    kind = ddl_token(d, v.first)->kind;
    return kind == TOKEN_NUMBER || kind == TOKEN_STRING || kind == TOKEN_HEX || kind == TOKEN_BIT ||
           ddl_is(d, v.first, "NULL") || ddl_is(d, v.first, "TRUE") || ddl_is(d, v.first, "FALSE");
}

/* Formats that TiDB takes in DEFAULT (DATE_FORMAT(NOW(), ...)). */
static bool convert_is_format(const char *format)
{
    static const char *const formats[] = {"%Y-%m", "%Y-%m-%d", "%Y-%m-%d %H.%i.%s",
                                          "%Y-%m-%d %H:%i:%s"};

    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(format, formats[i]) == 0)
            return true;
    return false;
}

static bool convert_default_function(struct converter *c, struct ddl_span v, unsigned fsp)
{
    static const struct {
        const char *name;
        bool old;    /* since before 8.0 */
        size_t most; /* tokens in the parentheses */
    } functions[] = {
        {"CURRENT_DATE", false, 0}, {"CURDATE", false, 0},    {"RAND", true, 0},
        {"UUID", true, 0},          {"NEXTVAL", true, 3},     {"JSON_OBJECT", false, 0},
        {"JSON_ARRAY", false, 0},   {"JSON_QUOTE", false, 1}, {"VEC_FROM_TEXT", false, 1},
        {"STR_TO_DATE", false, 3},
    };
    const struct ddl_text *d = &c->d;
    const size_t args = v.end - v.first > 3 ? v.end - v.first - 3 : 0;
    const bool modern = c->p->target->version >= 80000;

    if (ddl_is(d, v.first, "CURRENT_TIMESTAMP") || ddl_is(d, v.first, "NOW") ||
        ddl_is(d, v.first, "LOCALTIME") || ddl_is(d, v.first, "LOCALTIMESTAMP"))
        return args <= 1 && strtoul(args ? ddl_value(d, v.first + 2) : "0", NULL, 10) == fsp;
    if (ddl_words(d, v.first, "NEXT VALUE FOR"))
        return true;
    if (ddl_is(d, v.first, "UUID_TO_BIN"))
        return ddl_is(d, v.first + 2, "UUID") &&
               (args == 3 || (args == 5 && ddl_token(d, v.first + 6)->kind == TOKEN_NUMBER));
    if (ddl_is(d, v.first, "DATE_FORMAT"))
        return modern && args == 5 && ddl_is(d, v.first + 2, "NOW") &&
               convert_is_format(ddl_value(d, v.first + 6));
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (ddl_is(d, v.first, functions[i].name))
            return args <= functions[i].most && (modern || functions[i].old);
    return false;
}

enum default_fit convert_default_fit(struct converter *c, struct ddl_span value, unsigned fsp)
{
    const struct ddl_text *d = &c->d;
    struct ddl_span v = value;

    while (ddl_is(d, v.first, "(") && ddl_parens_end(d, v.first) == v.end) {
        v.first++;
        v.end--;
    }
    if (convert_is_literal(d, v))
        return v.first > value.first ? DEFAULT_WRAPPED : DEFAULT_LITERAL;
    return convert_default_function(c, v, fsp) ? DEFAULT_FUNCTION : DEFAULT_LACKING;
}
