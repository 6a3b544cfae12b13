#include "common/schema/ddl_text.h"

#include <stdlib.h>

static bool ddl_means_something(enum token_kind kind)
{
    return kind != TOKEN_SPACE && kind != TOKEN_COMMENT && kind != TOKEN_EXEC_OPEN &&
           kind != TOKEN_EXEC_CLOSE;
}

enum err_code ddl_text_init(struct ddl_text *d, const char *text, const struct flavour *source,
                            struct arena *arena, struct err *err)
{
    struct tokenizer t = {.text = text, .len = strlen(text), .source = source};
    size_t cap = 256;
    struct token *all = xreallocarray(NULL, cap, sizeof *all);
    size_t count = 0;

    *d = (struct ddl_text){.arena = arena, .how = t};
    do {
        if (d->all_count == cap) {
            cap *= 2;
            all = xreallocarray(all, cap, sizeof *all);
        }
        if (token_next(&t, &all[d->all_count], err)) {
            free(all);
            return err->code;
        }
        count += ddl_means_something(all[d->all_count].kind);
    } while (all[d->all_count++].kind != TOKEN_END);
    d->all = arena_alloc(arena, d->all_count * sizeof *all);
    memcpy(d->all, all, d->all_count * sizeof *all);
    free(all);
    d->marks = arena_alloc(arena, count * sizeof *d->marks);
    for (size_t i = 0; i < d->all_count; i++)
        if (ddl_means_something(d->all[i].kind))
            d->marks[d->count++] = (struct ddl_mark){.at = i};
    d->count--; /* the end is no token of the statement */
    return ERR_OK;
}

size_t ddl_words(const struct ddl_text *d, size_t i, const char *words)
{
    size_t n = 0;

    while (*words) {
        const struct token *token = ddl_token(d, i + n);
        const size_t len = strcspn(words, " ");
        char word[32]; /* the longest keyword is shorter */

        if (len >= sizeof word || token->kind == TOKEN_END)
            return 0;
        memcpy(word, words, len);
        word[len] = '\0';
        if (!token_is(d->how.text, token, word))
            return 0;
        n++;
        words += len + (words[len] == ' ');
    }
    return n;
}

size_t ddl_parens_end(const struct ddl_text *d, size_t i)
{
    size_t depth = 0;

    if (!ddl_is(d, i, "("))
        return 0;
    for (; i < d->count; i++) {
        depth += ddl_is(d, i, "(");
        depth -= ddl_is(d, i, ")");
        if (depth == 0)
            return i + 1;
    }
    return 0;
}

const char *ddl_value(const struct ddl_text *d, size_t i)
{
    struct strbuf sb = {0};
    const char *value;

    token_value(&d->how, ddl_token(d, i), &sb);
    value = arena_memdup(d->arena, strbuf_str(&sb), sb.len);
    strbuf_release(&sb);
    return value;
}

const char *ddl_source(const struct ddl_text *d, struct ddl_span span)
{
    struct strbuf sb = {0};
    const char *text;

    for (size_t i = span.first; i < span.end && i < d->count; i++) {
        const struct token *token = ddl_token(d, i);

        if (i > span.first && d->marks[i].at - 1 != d->marks[i - 1].at)
            strbuf_addch(&sb, ' ');
        strbuf_add(&sb, d->how.text + token->pos, token->len);
    }
    text = arena_memdup(d->arena, strbuf_str(&sb), sb.len);
    strbuf_release(&sb);
    return text;
}

enum err_code ddl_unexpected(const struct ddl_text *d, size_t i, const char *where, struct err *err)
{
    const struct token *token = ddl_token(d, i);
    const unsigned line = token_line(d->how.text, token->pos);

    if (token->kind == TOKEN_END)
        return err_set(err, ERR_FORMAT, "line %u: the statement ends in %s", line, where);
    return err_set(err, ERR_FORMAT, "line %u: '%.*s' is not understood in %s", line,
                   token->len < 64 ? (int)token->len : 64, d->how.text + token->pos, where);
}

void ddl_remove(struct ddl_text *d, struct ddl_span span)
{
    for (size_t i = span.first; i < span.end && i < d->count; i++)
        d->marks[i].dead = true;
}

void ddl_replace(struct ddl_text *d, struct ddl_span span, const char *text)
{
    ddl_remove(d, (struct ddl_span){span.first + 1, span.end});
    d->marks[span.first].dead = false;
    d->marks[span.first].instead = text;
}

static const char *ddl_join(const struct ddl_text *d, const char *first, const char *second)
{
    struct strbuf sb = {0};
    const char *joined;

    if (!first)
        return second;
    strbuf_addf(&sb, "%s%s", first, second);
    joined = arena_memdup(d->arena, strbuf_str(&sb), sb.len);
    strbuf_release(&sb);
    return joined;
}

void ddl_put_before(struct ddl_text *d, size_t i, const char *text)
{
    d->marks[i].before = ddl_join(d, d->marks[i].before, text);
}

void ddl_put_behind(struct ddl_text *d, size_t i, const char *text)
{
    d->marks[i].behind = ddl_join(d, d->marks[i].behind, text);
}

/* ---- writing ---- */

static bool ddl_mark_speaks(const struct ddl_mark *m)
{
    return !m->dead || m->before || m->behind;
}

/* Anything is left of what the executable comment that opens at `open` holds. */
static bool ddl_exec_speaks(const struct ddl_text *d, size_t open, size_t mark)
{
    for (size_t i = open + 1; d->all[i].kind != TOKEN_EXEC_CLOSE; i++)
        if (mark < d->count && d->marks[mark].at == i && ddl_mark_speaks(&d->marks[mark++]))
            return true;
    return false;
}

/* The target takes the comment for a comment: what it holds must stand in the open. */
static bool ddl_exec_opened(const struct token *open, struct ddl_target target)
{
    if (target.same_vendor)
        return false;
    if (target.vendor == VENDOR_MARIADB)
        return !open->mariadb && open->version >= 50700 && open->version <= 99999;
    return open->mariadb;
}

static bool ddl_wordlike(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '\'' || c == '`' || c == '"' || (unsigned char)c >= 0x80;
}

/* Text, kept apart from a word before it that it did not stand next to. */
static void ddl_emit(struct strbuf *out, const char *text, size_t len, bool apart)
{
    if (apart && len > 0 && out->len > 0 && ddl_wordlike(text[0]) &&
        ddl_wordlike(out->str[out->len - 1]))
        strbuf_addch(out, ' ');
    strbuf_add(out, text, len);
}

static void ddl_write_mark(const struct ddl_text *d, const struct ddl_mark *m, bool apart,
                           struct strbuf *out)
{
    const struct token *token = &d->all[m->at];

    if (m->before)
        ddl_emit(out, m->before, strlen(m->before), apart);
    if (m->instead && !m->dead)
        ddl_emit(out, m->instead, strlen(m->instead), apart);
    else if (!m->dead)
        ddl_emit(out, d->how.text + token->pos, token->len, apart);
    if (m->behind)
        strbuf_addstr(out, m->behind);
}

/* A comment to the source, which the target would execute. */
static bool ddl_comment_wakes(const char *text, size_t len, struct ddl_target target)
{
    const size_t mark = len > 3 && text[2] == 'M' ? 3 : 2;

    return !target.same_vendor && len > mark && text[mark] == '!' &&
           (mark == 2 || target.vendor == VENDOR_MARIADB);
}

struct ddl_writer {
    struct strbuf *out;
    struct ddl_target target;
    size_t mark;     /* the next one */
    size_t gap;      /* bytes of `out` before the white space that waits for a live token */
    bool apart;      /* something was left out since the last live token */
    bool keep_close; /* of the executable comment that is open */
    bool opened;     /* the last token was an opening that is not kept */
    bool line;       /* the last token was a comment up to its line's end, which must stay */
};

/* Comments of all kinds, and the ends of executable ones. */
static void ddl_write_comment(const struct ddl_text *d, size_t i, struct ddl_writer *w)
{
    const struct token *token = &d->all[i];
    bool keep = true;

    if (token->kind == TOKEN_EXEC_OPEN) {
        keep = ddl_exec_speaks(d, i, w->mark) && !ddl_exec_opened(token, w->target);
        w->keep_close = keep;
        w->opened = !keep;
    } else if (token->kind == TOKEN_EXEC_CLOSE) {
        keep = w->keep_close;
    } else {
        keep = !ddl_comment_wakes(d->how.text + token->pos, token->len, w->target);
        w->line = d->how.text[token->pos] != '/';
    }
    if (keep) {
        strbuf_add(w->out, d->how.text + token->pos, token->len);
        w->gap = w->out->len;
        return;
    }
    if (!w->opened)
        strbuf_setlen(w->out, w->gap);
    w->apart = true;
}

/* White space before a dead token goes with it; comments stay. */
static void ddl_write_token(const struct ddl_text *d, size_t i, struct ddl_writer *w)
{
    const struct token *token = &d->all[i];
    const struct ddl_mark *m = &d->marks[w->mark];
    const bool opened = w->opened;
    const bool line = w->line;

    w->opened = w->line = false;
    if (token->kind == TOKEN_SPACE) {
        if (!opened || w->out->len == w->gap)
            strbuf_add(w->out, d->how.text + token->pos, token->len);
        w->gap = line ? w->out->len : w->gap;
        return;
    }
    if (!ddl_means_something(token->kind)) {
        ddl_write_comment(d, i, w);
        return;
    }
    w->mark++;
    if (ddl_mark_speaks(m)) {
        ddl_write_mark(d, m, w->apart, w->out);
        w->apart = false;
    } else {
        strbuf_setlen(w->out, w->gap);
        w->apart = true;
    }
    w->gap = w->out->len;
}

void ddl_write(const struct ddl_text *d, struct ddl_span span, struct ddl_target target,
               struct strbuf *out)
{
    struct ddl_writer w = {.out = out, .target = target, .mark = span.first, .gap = out->len};
    const size_t last = d->all_count - 1;
    size_t end = span.end < d->count ? d->marks[span.end - 1].at + 1 : last;
    size_t i = span.first > 0 ? d->marks[span.first].at : 0;
    bool open = false;

    for (; i < end || (open && i < last); i++) {
        /* a comment that was opened is closed, though the span ends in it */
        if (i >= end && d->all[i].kind != TOKEN_EXEC_CLOSE)
            continue;
        ddl_write_token(d, i, &w);
        open = d->all[i].kind == TOKEN_EXEC_OPEN || (open && d->all[i].kind != TOKEN_EXEC_CLOSE);
    }
}
