#include "common/schema/token.h"

#include <stdint.h>
#include <strings.h>

static int tokenizer_peek(const struct tokenizer *t, size_t ahead)
{
    return ahead < t->len - t->pos ? (unsigned char)t->text[t->pos + ahead] : -1;
}

static bool tokenizer_is_digit(int c)
{
    return c >= '0' && c <= '9';
}

/* Bytes of a multi-byte character count as letters, as the servers have it. */
static bool tokenizer_is_word(int c)
{
    return tokenizer_is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '$' || c >= 0x80;
}

static bool tokenizer_is_space(int c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

unsigned token_line(const char *text, size_t pos)
{
    unsigned line = 1;

    for (size_t i = 0; i < pos; i++)
        line += text[i] == '\n';
    return line;
}

static enum err_code tokenizer_unclosed(const struct tokenizer *t, const char *what,
                                        struct err *err)
{
    return err_set(err, ERR_FORMAT, "line %u: %s is not closed", token_line(t->text, t->pos), what);
}

/* `*end`: behind the closing quote of the text whose opening quote is at `start`. */
static bool tokenizer_quote_end(const struct tokenizer *t, size_t start, size_t *end)
{
    const char quote = t->text[start];
    const bool escapes = quote != '`' && !t->no_backslash_escapes;
    size_t i = start + 1;

    while (i < t->len) {
        if (t->text[i] == '\\' && escapes) {
            i += 2;
            continue;
        }
        i++;
        if (t->text[i - 1] != quote)
            continue;
        *end = i;
        if (i == t->len || t->text[i] != quote)
            return true;
        i++; /* a doubled quote */
    }
    return false;
}

static enum err_code tokenizer_quoted(struct tokenizer *t, size_t prefix, struct token *token,
                                      struct err *err)
{
    const size_t start = t->pos + prefix;
    const char quote = t->text[start];
    size_t end;

    if (!tokenizer_quote_end(t, start, &end))
        return tokenizer_unclosed(t, quote == '`' ? "a quoted name" : "a string", err);
    token->len = end - t->pos;
    token->kind = TOKEN_STRING;
    if (quote == '`' || (quote == '"' && t->ansi_quotes && prefix == 0))
        token->kind = TOKEN_NAME;
    return ERR_OK;
}

/* Position of the star-slash at or behind `from`; SIZE_MAX: none. */
static size_t tokenizer_comment_end(const struct tokenizer *t, size_t from)
{
    for (size_t i = from; i + 1 < t->len; i++)
        if (t->text[i] == '*' && t->text[i + 1] == '/')
            return i;
    return SIZE_MAX;
}

/* Whether the source executes what is in the comment: MariaDB leaves out the versions that only
 * MySQL has had (50700 to 99999). */
static bool tokenizer_executes(const struct flavour *source, unsigned version, bool mariadb)
{
    if (!source)
        return true;
    if (source->vendor == VENDOR_TIDB)
        return !mariadb;
    if (source->vendor == VENDOR_MARIADB)
        return version <= source->version && (mariadb || version < 50700 || version > 99999);
    return !mariadb && version <= source->version;
}

/* At slash-star: a comment, or the opening of an executable one. */
static enum err_code tokenizer_comment(struct tokenizer *t, struct token *token, struct err *err)
{
    size_t at = 2;
    size_t end;

    if (tokenizer_peek(t, at) == 'M' && tokenizer_peek(t, at + 1) == '!') {
        token->mariadb = true;
        at++;
    }
    end = tokenizer_comment_end(t, t->pos + 2);
    if (end == SIZE_MAX)
        return tokenizer_unclosed(t, "a comment", err);
    if (tokenizer_peek(t, at) == '!' && !t->in_exec) {
        at++;
        for (unsigned digits = 0; digits < 6 && tokenizer_is_digit(tokenizer_peek(t, at)); digits++)
            token->version = token->version * 10 + (unsigned)(tokenizer_peek(t, at++) - '0');
        if (tokenizer_executes(t->source, token->version, token->mariadb)) {
            token->kind = TOKEN_EXEC_OPEN;
            token->len = at;
            t->in_exec = true;
            return ERR_OK;
        }
    }
    token->kind = TOKEN_COMMENT;
    token->len = end + 2 - t->pos;
    return ERR_OK;
}

/* Length of the white space or line comment at the position; 0: there is none. */
static size_t tokenizer_blank(const struct tokenizer *t, enum token_kind *kind)
{
    const int c = tokenizer_peek(t, 0);
    const int behind = tokenizer_peek(t, 2);
    size_t len = 0;

    if (c == '#' || (c == '-' && tokenizer_peek(t, 1) == '-' && behind <= ' ')) {
        *kind = TOKEN_COMMENT;
        while (t->pos + len < t->len && t->text[t->pos + len] != '\n')
            len++;
        return len;
    }
    *kind = TOKEN_SPACE;
    while (tokenizer_is_space(tokenizer_peek(t, len)))
        len++;
    return len;
}

/* Length of 1, 1.5, .5, 1e5 at the position; 0: a name that begins with a digit, or no number. */
static size_t tokenizer_number(const struct tokenizer *t)
{
    size_t len = 0;
    size_t exponent;

    while (tokenizer_is_digit(tokenizer_peek(t, len)))
        len++;
    if (tokenizer_peek(t, len) == '.' &&
        (len > 0 || tokenizer_is_digit(tokenizer_peek(t, len + 1)))) {
        len++;
        while (tokenizer_is_digit(tokenizer_peek(t, len)))
            len++;
    }
    if (len == 0)
        return 0;
    if ((tokenizer_peek(t, len) | 0x20) == 'e') {
        exponent = len + 1;
        if (tokenizer_peek(t, exponent) == '+' || tokenizer_peek(t, exponent) == '-')
            exponent++;
        if (tokenizer_is_digit(tokenizer_peek(t, exponent))) {
            while (tokenizer_is_digit(tokenizer_peek(t, exponent)))
                exponent++;
            len = exponent;
        }
    }
    return tokenizer_is_word(tokenizer_peek(t, len)) && t->text[t->pos + len - 1] != '.' ? 0 : len;
}

/* Length of 0x4D or 0b01, with `digits` the digits allowed; 0: none. */
static size_t tokenizer_based(const struct tokenizer *t, char letter, const char *digits)
{
    size_t len = 2;

    if (tokenizer_peek(t, 0) != '0' || tokenizer_peek(t, 1) != letter)
        return 0;
    while (tokenizer_peek(t, len) > 0 && strchr(digits, tokenizer_peek(t, len)))
        len++;
    return len > 2 && !tokenizer_is_word(tokenizer_peek(t, len)) ? len : 0;
}

static size_t tokenizer_operator(const struct tokenizer *t)
{
    static const char *const operators[] = {"->>", "<=>", "->", "<=", ">=", "<>",
                                            "!=",  "||",  "&&", "<<", ">>", ":="};

    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        const size_t len = strlen(operators[i]);

        if (len <= t->len - t->pos && memcmp(t->text + t->pos, operators[i], len) == 0)
            return len;
    }
    return 1;
}

/* A word; or x'..', b'..', n'..', whose letter looks like one. */
static enum err_code tokenizer_word(struct tokenizer *t, struct token *token, struct err *err)
{
    const int letter = tokenizer_peek(t, 0) | 0x20;

    if (tokenizer_peek(t, 1) == '\'' && (letter == 'x' || letter == 'b' || letter == 'n')) {
        if (tokenizer_quoted(t, 1, token, err))
            return err->code;
        if (letter != 'n')
            token->kind = letter == 'x' ? TOKEN_HEX : TOKEN_BIT;
        return ERR_OK;
    }
    token->kind = TOKEN_WORD;
    while (tokenizer_is_word(tokenizer_peek(t, token->len)))
        token->len++;
    return ERR_OK;
}

static enum err_code tokenizer_literal(struct tokenizer *t, struct token *token, struct err *err)
{
    const int c = tokenizer_peek(t, 0);

    if (c == '\'' || c == '"' || c == '`')
        return tokenizer_quoted(t, 0, token, err);
    if (!t->after_dot) {
        token->kind = TOKEN_HEX;
        token->len = tokenizer_based(t, 'x', "0123456789abcdefABCDEF");
        if (token->len == 0) {
            token->kind = TOKEN_BIT;
            token->len = tokenizer_based(t, 'b', "01");
        }
        if (token->len == 0) {
            token->kind = TOKEN_NUMBER;
            token->len = tokenizer_number(t);
        }
        if (token->len > 0)
            return ERR_OK;
    }
    if (tokenizer_is_word(c))
        return tokenizer_word(t, token, err);
    token->kind = TOKEN_OPERATOR;
    token->len = tokenizer_operator(t);
    return ERR_OK;
}

enum err_code token_next(struct tokenizer *t, struct token *token, struct err *err)
{
    bool name_before = t->pos > 0 && (tokenizer_is_word((unsigned char)t->text[t->pos - 1]) ||
                                      t->text[t->pos - 1] == '`');
    enum err_code rc = ERR_OK;

    *token = (struct token){.pos = t->pos};
    if (t->pos == t->len)
        return t->in_exec ? tokenizer_unclosed(t, "an executable comment", err) : ERR_OK;
    token->len = tokenizer_blank(t, &token->kind);
    if (token->len == 0) {
        if (t->in_exec && tokenizer_peek(t, 0) == '*' && tokenizer_peek(t, 1) == '/') {
            token->kind = TOKEN_EXEC_CLOSE;
            token->len = 2;
            t->in_exec = false;
        } else if (tokenizer_peek(t, 0) == '/' && tokenizer_peek(t, 1) == '*') {
            rc = tokenizer_comment(t, token, err);
        } else if (name_before && tokenizer_peek(t, 0) == '.') {
            token->kind = TOKEN_OPERATOR; /* `t`.5a: no number */
            token->len = 1;
        } else {
            rc = tokenizer_literal(t, token, err);
        }
    }
    if (rc)
        return rc;
    t->after_dot = token->kind == TOKEN_OPERATOR && name_before && t->text[t->pos] == '.';
    t->pos += token->len;
    return ERR_OK;
}

bool token_is(const char *text, const struct token *token, const char *word)
{
    return (token->kind == TOKEN_WORD || token->kind == TOKEN_OPERATOR) &&
           strlen(word) == token->len && strncasecmp(text + token->pos, word, token->len) == 0;
}

/* What stands for a backslash and `c` in a string. */
static char tokenizer_unescape(char c)
{
    switch (c) {
    case '0':
        return '\0';
    case 'b':
        return '\b';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'Z':
        return '\x1a';
    default:
        return c;
    }
}

void token_value(const struct tokenizer *t, const struct token *token, struct strbuf *out)
{
    const char *s = t->text + token->pos;
    size_t i = 0;
    char quote;

    if (token->kind != TOKEN_NAME && token->kind != TOKEN_STRING) {
        strbuf_add(out, s, token->len);
        return;
    }
    if (token->kind == TOKEN_STRING && s[0] != '\'' && s[0] != '"')
        i++; /* n'...' */
    quote = s[i++];
    for (; i + 1 < token->len; i++) {
        if (s[i] == '\\' && token->kind == TOKEN_STRING && !t->no_backslash_escapes) {
            i++;
            if (s[i] == '%' || s[i] == '_')
                strbuf_addch(out, '\\');
            strbuf_addch(out, tokenizer_unescape(s[i]));
            continue;
        }
        if (s[i] == quote)
            i++;
        strbuf_addch(out, s[i]);
    }
}
