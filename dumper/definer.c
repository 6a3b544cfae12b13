#include "dumper/definer.h"

#include "common/base/mem.h"
#include "common/mysql/ident.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum err_code definer_parse(const char *text, struct definer *d, struct err *err)
{
    const char *at = strrchr(text, '@');

    if (strcmp(text, "keep") == 0 || strcmp(text, "strip") == 0) {
        *d = (struct definer){.kind = *text == 'k' ? DEFINER_KEEP : DEFINER_STRIP, .text = text};
        return ERR_OK;
    }
    if (!at || at == text || !at[1])
        return err_set(err, ERR_USAGE, "--definer is keep, strip or NAME@HOST, not '%s'", text);
    *d = (struct definer){.kind = DEFINER_REPLACE,
                          .text = text,
                          .user = text,
                          .user_len = (size_t)(at - text),
                          .host = at + 1};
    return ERR_OK;
}

static const char *skip_space(const char *p, const char *end)
{
    while (p < end && isspace((unsigned char)*p))
        p++;
    return p;
}

/* Behind the word, or NULL: another stands there. */
static const char *skip_word(const char *p, const char *end, const char *word)
{
    size_t len = strlen(word);

    return (size_t)(end - p) >= len && strncasecmp(p, word, len) == 0 ? p + len : NULL;
}

/* Behind a name in quotes, or a bare one such as CURRENT_USER. */
static const char *skip_name(const char *p, const char *end)
{
    char quote = '\0';

    if (p < end)
        quote = *p;
    if (quote != '`' && quote != '"' && quote != '\'') {
        while (p < end && (isalnum((unsigned char)*p) || *p == '_'))
            p++;
        return p;
    }
    for (p++; p < end; p++) {
        if (*p != quote)
            continue;
        if (p + 1 == end || p[1] != quote)
            return p + 1;
        p++;
    }
    return end;
}

/* "DEFINER=`user`@`host` " stands before the object's kind, behind "CREATE ", "OR REPLACE " and
 * "ALGORITHM=UNDEFINED "; servers print no comments there. false: none. */
static bool definer_find(const char *sql, const char *end, const char **from, const char **behind)
{
    const char *p = skip_space(sql, end);
    const char *next = skip_word(p, end, "CREATE");

    if (!next)
        return false;
    p = skip_space(next, end);
    next = skip_word(p, end, "OR REPLACE");
    if (next)
        p = skip_space(next, end);
    next = skip_word(p, end, "ALGORITHM=");
    if (next)
        p = skip_space(skip_name(next, end), end);
    *from = p;
    p = skip_word(p, end, "DEFINER");
    if (!p)
        return false;
    p = skip_space(p, end);
    if (p == end || *p != '=')
        return false;
    p = skip_name(skip_space(p + 1, end), end);
    if (p < end && *p == '@')
        p = skip_name(p + 1, end);
    *behind = skip_space(p, end);
    return true;
}

void definer_rewrite(const struct definer *d, const char *sql, size_t len, struct strbuf *out)
{
    const char *from;
    const char *behind;
    char *user;

    if (d->kind == DEFINER_KEEP || !definer_find(sql, sql + len, &from, &behind)) {
        strbuf_add(out, sql, len);
        return;
    }
    strbuf_add(out, sql, (size_t)(from - sql));
    if (d->kind == DEFINER_REPLACE) {
        user = xstrndup(d->user, d->user_len);
        strbuf_addstr(out, "DEFINER=");
        strbuf_add_ident(out, user);
        strbuf_addch(out, '@');
        strbuf_add_ident(out, d->host);
        strbuf_addch(out, ' ');
        free(user);
    }
    strbuf_add(out, behind, len - (size_t)(behind - sql));
}
