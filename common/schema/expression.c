/* Operators are put behind their operands, by a stack of those that wait for their right one; then
 * no brackets are needed. */
#include "common/schema/expression.h"

#include <strings.h>

#define WAITING_MAX 100

struct waiting { /* an operator, a bracket or a function's */
    size_t token;
    unsigned rank; /* the higher the sooner it is done; 0: a bracket */
    bool function, unary;
    unsigned args;
};

struct form {
    const struct ddl_text *d;
    struct strbuf *out;
    struct waiting stack[WAITING_MAX];
    unsigned depth;
    bool operand; /* one is expected */
};

static bool is_introducer(const struct ddl_text *d, size_t i)
{
    return ddl_token(d, i)->kind == TOKEN_WORD && ddl_value(d, i)[0] == '_' &&
           ddl_token(d, i + 1)->kind == TOKEN_STRING;
}

/* With its kind and length, so that no text can be taken for another. */
static void add_token(const struct ddl_text *d, size_t i, struct strbuf *out)
{
    const struct token *token = ddl_token(d, i);
    const char *value = ddl_value(d, i);

    if (token->kind == TOKEN_STRING) {
        strbuf_addf(out, " s%zu:%s", strlen(value), value);
        return;
    }
    strbuf_addf(out, " %c%zu:", token->kind == TOKEN_OPERATOR ? 'o' : 'w', strlen(value));
    for (; *value; value++)
        strbuf_addch(out, (char)(*value >= 'A' && *value <= 'Z' ? *value | 0x20 : *value));
}

static unsigned operator_rank(const struct ddl_text *d, size_t i)
{
    static const struct {
        const char *word;
        unsigned rank;
    } ranks[] = {{"^", 11}, {"*", 10},  {"/", 10},  {"%", 10},  {"DIV", 10}, {"MOD", 10},
                 {"+", 9},  {"-", 9},   {"<<", 8},  {">>", 8},  {"&", 7},    {"|", 6},
                 {"=", 5},  {"<=>", 5}, {">=", 5},  {">", 5},   {"<=", 5},   {"<", 5},
                 {"<>", 5}, {"!=", 5},  {"AND", 3}, {"XOR", 2}, {"OR", 1}};

    for (size_t k = 0; k < sizeof ranks / sizeof ranks[0]; k++)
        if (ddl_is(d, i, ranks[k].word))
            return ranks[k].rank;
    return 0;
}

/* Words that begin something else than a function call, though a bracket follows. */
static bool is_syntax(const struct ddl_text *d, size_t i)
{
    static const char *const words[] = {"NOT", "INTERVAL", "BINARY", "CASE",  "EXISTS", "ANY",
                                        "ALL", "SOME",     "ROW",    "MATCH", "SELECT", "AND",
                                        "OR",  "XOR",      "DIV",    "MOD",   "AS"};

    for (size_t k = 0; k < sizeof words / sizeof words[0]; k++)
        if (ddl_is(d, i, words[k]))
            return true;
    return false;
}

static bool push(struct form *f, struct waiting w)
{
    if (f->depth == WAITING_MAX)
        return false;
    f->stack[f->depth++] = w;
    return true;
}

/* Those of at least the rank have their operands. */
static void pop(struct form *f, unsigned rank)
{
    while (f->depth > 0 && f->stack[f->depth - 1].rank >= rank) {
        const struct waiting *w = &f->stack[--f->depth];

        strbuf_addstr(f->out, w->unary ? " unary" : "");
        add_token(f->d, w->token, f->out);
    }
}

static bool take_operand(struct form *f, size_t *i)
{
    const enum token_kind kind = ddl_token(f->d, *i)->kind;

    if (ddl_is(f->d, *i, "("))
        return push(f, (struct waiting){.token = *i});
    if (ddl_is(f->d, *i, "-"))
        return push(f, (struct waiting){.token = *i, .rank = 12, .unary = true});
    if (kind == TOKEN_OPERATOR || kind == TOKEN_END || (kind == TOKEN_WORD && is_syntax(f->d, *i)))
        return false;
    if (kind == TOKEN_WORD && ddl_is(f->d, *i + 1, "(")) {
        const size_t name = (*i)++;

        if (ddl_is(f->d, *i + 1, ")")) {
            ++*i;
            strbuf_addstr(f->out, " call0");
            add_token(f->d, name, f->out);
            f->operand = false;
            return true;
        }
        return push(f, (struct waiting){.token = name, .function = true, .args = 1});
    }
    add_token(f->d, *i, f->out);
    f->operand = false;
    return true;
}

static bool take_operator(struct form *f, size_t i)
{
    struct waiting *top;
    const unsigned rank = operator_rank(f->d, i);

    if (rank > 0) {
        pop(f, rank);
        f->operand = true;
        return push(f, (struct waiting){.token = i, .rank = rank});
    }
    pop(f, 1);
    if (f->depth == 0)
        return false;
    top = &f->stack[f->depth - 1];
    if (ddl_is(f->d, i, ",") && top->function) {
        top->args++;
        f->operand = true;
        return true;
    }
    if (!ddl_is(f->d, i, ")"))
        return false;
    if (top->function) {
        strbuf_addf(f->out, " call%u", top->args);
        add_token(f->d, top->token, f->out);
    }
    f->depth--;
    return true;
}

static bool form_in_order(struct form *f, struct ddl_span span)
{
    f->operand = true;
    for (size_t i = span.first; i < span.end; i++) {
        if (is_introducer(f->d, i))
            continue;
        if (!(f->operand ? take_operand(f, &i) : take_operator(f, i)))
            return false;
    }
    pop(f, 1);
    return f->depth == 0 && !f->operand;
}

void expression_form(const struct ddl_text *d, struct ddl_span span, struct strbuf *out)
{
    struct form f = {.d = d, .out = out};
    const size_t before = out->len;

    if (form_in_order(&f, span))
        return;
    strbuf_setlen(out, before);
    strbuf_addstr(out, " as it stands");
    for (size_t i = span.first; i < span.end; i++)
        if (!is_introducer(d, i))
            add_token(d, i, out);
}
