/* common/schema/ddl_text.h: a statement as its tokens, each of which can be taken out, replaced or
 * have text put before and behind it. What is not touched is written as it was, byte for byte.
 *
 * Tokens are named by their number among those that mean something (no white space, no comments);
 * number `count` is a TOKEN_END, so that the next one can always be looked at. */
#ifndef FERRY_SCHEMA_DDL_TEXT_H
#define FERRY_SCHEMA_DDL_TEXT_H

#include "common/base/mem.h"
#include "common/schema/token.h"

#include <stdint.h>

struct ddl_span { /* tokens [first, end) */
    size_t first, end;
};

struct ddl_mark {
    size_t at; /* index into `all` */
    bool dead;
    const char *before, *instead, *behind; /* NULL: nothing; in the arena or static */
};

struct ddl_text {
    struct arena *arena; /* borrowed */
    struct tokenizer how;
    struct token *all; /* every token, white space too */
    size_t all_count;
    struct ddl_mark *marks; /* one a meaningful token, and one for the end */
    size_t count;
};

/* `text` must live as long as `d`. ERR_FORMAT as token_next. What it allocates is the arena's. */
MUST_CHECK enum err_code ddl_text_init(struct ddl_text *d, const char *text,
                                       const struct flavour *source, struct arena *arena,
                                       struct err *err);

static inline const struct token *ddl_token(const struct ddl_text *d, size_t i)
{
    return &d->all[d->marks[i < d->count ? i : d->count].at];
}
static inline bool ddl_is(const struct ddl_text *d, size_t i, const char *word)
{
    return token_is(d->how.text, ddl_token(d, i), word);
}
/* The words, separated by single spaces, stand at token `i`: how many they are, else 0. */
size_t ddl_words(const struct ddl_text *d, size_t i, const char *words);
/* Token `i` is "(": the number behind its ")"; else, or if that is missing, 0. */
size_t ddl_parens_end(const struct ddl_text *d, size_t i);
/* The token's meaning (names and strings without quotes) in the arena. */
const char *ddl_value(const struct ddl_text *d, size_t i);
/* The tokens as they stand, what is between them shortened to a space; in the arena. */
const char *ddl_source(const struct ddl_text *d, struct ddl_span span);
MUST_CHECK enum err_code ddl_unexpected(const struct ddl_text *d, size_t i, const char *where,
                                        struct err *err);

void ddl_remove(struct ddl_text *d, struct ddl_span span);
/* The first token is replaced by `text`, the others are removed. */
void ddl_replace(struct ddl_text *d, struct ddl_span span, const char *text);
/* Text right before or behind a token; what was put there earlier comes first. */
void ddl_put_before(struct ddl_text *d, size_t i, const char *text);
void ddl_put_behind(struct ddl_text *d, size_t i, const char *text);

/* Which executable comments the target would not understand as the source does. */
struct ddl_target {
    enum vendor vendor;
    bool same_vendor; /* executable comments are kept as they are */
};
/* Writes the tokens of `span` with all changes. */
void ddl_write(const struct ddl_text *d, struct ddl_span span, struct ddl_target target,
               struct strbuf *out);

#endif
