/* common/schema/token.h: cuts the SQL text of MySQL, MariaDB and TiDB into tokens.
 *
 * The tokens cover the text exactly, byte after byte, white space and comments included, so that
 * what is not changed can be copied as it is. Any bytes are taken; the only faults are a quote or a
 * comment that is never closed. Executable comments are cut open: their begin and end are tokens of
 * their own, what is inside are tokens as everywhere. A tokenizer lives on its caller's stack and
 * owns nothing. */
#ifndef FERRY_SCHEMA_TOKEN_H
#define FERRY_SCHEMA_TOKEN_H

#include "common/base/err.h"
#include "common/base/strbuf.h"
#include "common/mysql/flavour.h"

#include <stdbool.h>
#include <stddef.h>

enum token_kind {
    TOKEN_END, /* len 0, behind the last byte */
    TOKEN_SPACE,
    TOKEN_COMMENT,    /* # and -- up to the line's end (not included), and slash-star ones; also
                         executable comments that the source does not execute */
    TOKEN_EXEC_OPEN,  /* slash-star-!, with the version and the M of MariaDB's */
    TOKEN_EXEC_CLOSE, /* the star-slash that belongs to it */
    TOKEN_WORD,       /* keyword or unquoted name; also an introducer such as _utf8mb4, and @@ and @
                         are operators before it */
    TOKEN_NAME,       /* in backquotes; in double quotes under ansi_quotes */
    TOKEN_STRING,     /* in single or double quotes; n'...' too */
    TOKEN_NUMBER,     /* 1, 1.5, .5, 1e-3 */
    TOKEN_HEX,        /* x'4d', 0x4D */
    TOKEN_BIT,        /* b'01', 0b01 */
    TOKEN_OPERATOR    /* one to three characters: ( ) , ; . @ = <=> ->> ... */
};

struct token {
    enum token_kind kind;
    size_t pos, len;  /* bytes */
    unsigned version; /* of TOKEN_EXEC_OPEN; 0: none given */
    bool mariadb;     /* TOKEN_EXEC_OPEN: MariaDB's own form */
};

struct tokenizer {
    const char *text;
    size_t len;
    const struct flavour *source; /* decides which executable comments are executed; NULL: all */
    bool ansi_quotes;             /* "x" is a name */
    bool no_backslash_escapes;
    /* state: begin with 0 */
    size_t pos;
    bool in_exec;
    bool after_dot; /* a name may begin with a digit here */
};

/* The next token; TOKEN_END again and again at the end. ERR_FORMAT names the line of the quote or
 * comment that is not closed. */
MUST_CHECK enum err_code token_next(struct tokenizer *t, struct token *token, struct err *err);

/* The token is this unquoted word (ASCII case folded), or this operator. */
bool token_is(const char *text, const struct token *token, const char *word);
/* A word or a quoted name: what can stand for an identifier. */
static inline bool token_is_name(const struct token *token)
{
    return token->kind == TOKEN_WORD || token->kind == TOKEN_NAME;
}
/* Appends what the token means: a name without its quotes, a string with its escapes resolved;
 * other kinds as they are. */
void token_value(const struct tokenizer *t, const struct token *token, struct strbuf *out);
/* Line of a byte position, counted from 1. */
unsigned token_line(const char *text, size_t pos);

#endif
