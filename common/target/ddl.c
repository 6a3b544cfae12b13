#include "common/target/ddl.h"

#include "common/base/mem.h"
#include "common/mysql/ident.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ER_TABLE_EXISTS 1050
#define ER_WARN_DEPRECATED "1681" /* "int(11)": of no matter to who moves it */
#define WORDS_SHOWN_MAX 80        /* bytes of a statement in a message */

static const char *skip_line(const char *p, const char *end)
{
    const char *newline = memchr(p, '\n', (size_t)(end - p));

    return newline ? newline + 1 : end;
}

/* "/\*!", "/\*M!", "/\*T!" */
static bool version_comment(const char *p, const char *end)
{
    size_t left = (size_t)(end - p);

    if (left < 3 || p[0] != '/' || p[1] != '*')
        return false;
    return p[2] == '!' || (left >= 4 && (p[2] == 'M' || p[2] == 'T') && p[3] == '!');
}

/* Behind the end of a comment that starts at `p`; `p` itself if none does. Version comments are
 * none: servers run what is in them. */
static const char *skip_comment(const char *p, const char *end)
{
    size_t left = (size_t)(end - p);

    if (*p == '#')
        return skip_line(p, end);
    if (left >= 2 && p[0] == '-' && p[1] == '-' &&
        (left == 2 || isspace((unsigned char)p[2]) || iscntrl((unsigned char)p[2])))
        return skip_line(p, end);
    if (left >= 2 && p[0] == '/' && p[1] == '*') {
        if (version_comment(p, end))
            return p;
        for (p += 2; p + 1 < end; p++)
            if (p[0] == '*' && p[1] == '/')
                return p + 2;
        return end;
    }
    return p;
}

/* Behind the quoted text or name that starts at `p`. */
static const char *skip_quoted(const char *p, const char *end)
{
    char quote = *p++;

    while (p < end) {
        if (*p == '\\' && quote != '`') {
            p += end - p > 1 ? 2 : 1;
            continue;
        }
        if (*p++ != quote)
            continue;
        if (p == end || *p != quote)
            return p;
        p++; /* doubled */
    }
    return end;
}

/* Behind "/\*!40101 " and the like, where the first word of the statement stands. */
static const char *skip_version_opener(const char *p, const char *end)
{
    if (!version_comment(p, end))
        return p;
    p += p[2] == '!' ? 3 : 4;
    if (p < end && *p == '[') {
        while (p < end && *p != ']')
            p++;
        if (p < end)
            p++;
    }
    while (p < end && (isdigit((unsigned char)*p) || isspace((unsigned char)*p)))
        p++;
    return p;
}

static enum ddl_kind ddl_kind_of(const char *p, const char *end)
{
    static const struct {
        const char *word;
        enum ddl_kind kind;
    } words[] = {{"CREATE", DDL_CREATE}, {"SET", DDL_SET}, {"USE", DDL_SET}, {"DROP", DDL_DROP}};
    static const char *const sequence[] = {"ALTER SEQUENCE ", "DO SETVAL("};
    const char *word = skip_version_opener(p, end);
    size_t len = 0;

    while (word + len < end && isalpha((unsigned char)word[len]))
        len++;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (len == strlen(words[i].word) && strncasecmp(word, words[i].word, len) == 0)
            return words[i].kind;
    for (size_t i = 0; i < sizeof sequence / sizeof sequence[0]; i++)
        if ((size_t)(end - word) > strlen(sequence[i]) &&
            strncasecmp(word, sequence[i], strlen(sequence[i])) == 0)
            return DDL_SEQUENCE;
    return DDL_OTHER;
}

/* Whether there is nothing to run between `p` and `end`: white space and comment closers only. */
static const char *statement_start(const char *p, const char *end)
{
    while (p < end) {
        const char *next = isspace((unsigned char)*p) || *p == ';' ? p + 1 : skip_comment(p, end);

        if (next == p)
            break;
        p = next;
    }
    return p;
}

bool ddl_next(const char **pos, const char *end, struct ddl_statement *st)
{
    const char *start = statement_start(*pos, end);
    const char *p = start;
    const char *last;

    if (start == end) {
        *pos = end;
        return false;
    }
    while (p < end && *p != ';') {
        const char *next;

        if (*p == '\'' || *p == '"' || *p == '`')
            next = skip_quoted(p, end);
        else
            next = skip_comment(p, end);
        p = next == p ? p + 1 : next;
    }
    for (last = p; last > start && isspace((unsigned char)last[-1]);)
        last--;
    *st = (struct ddl_statement){start, (size_t)(last - start), ddl_kind_of(start, last)};
    *pos = p < end ? p + 1 : end;
    return true;
}

static enum err_code ddl_warnings(struct conn *c, ddl_warning_fn *warning, void *ctx,
                                  struct err *err)
{
    struct result *r = NULL;
    enum err_code rc;
    bool more = false;

    rc = conn_queryz(c, "SHOW WARNINGS", &r, err);
    if (rc)
        return rc;
    do {
        struct row row;

        rc = result_next(r, &row, &more, err);
        if (!rc && more && row.count >= 3 && row.cell[2] &&
            !(row.cell[1] && strcmp(row.cell[1], ER_WARN_DEPRECATED) == 0)) {
            char *words = xstrndup(row.cell[2], row.len[2]);

            warning(ctx, words);
            free(words);
        }
    } while (!rc && more);
    result_free(r);
    return rc;
}

/* An SQL error becomes ERR_LOAD_SCHEMA; what may pass, or is about rights, keeps its name. */
static enum err_code ddl_refused(struct err *err)
{
    if (err->code == ERR_SQL)
        err->code = ERR_LOAD_SCHEMA;
    return err->code;
}

static enum err_code ddl_run_one(struct conn *c, const struct ddl_params *p,
                                 const struct ddl_statement *st, struct err *err)
{
    enum err_code rc = conn_exec(c, st->text, st->len, NULL, err);

    if (rc && p->exists_ok && st->kind == DDL_CREATE && err->server_errno == ER_TABLE_EXISTS) {
        err_clear(err);
        return ERR_OK;
    }
    if (rc)
        return ddl_refused(err);
    return p->warning ? ddl_warnings(c, p->warning, p->ctx, err) : ERR_OK;
}

static enum err_code ddl_use(struct conn *c, const char *db, struct err *err)
{
    struct strbuf use = {0};
    enum err_code rc;

    strbuf_addstr(&use, "USE ");
    strbuf_add_ident(&use, db);
    rc = conn_exec(c, use.str, use.len, NULL, err);
    strbuf_release(&use);
    return rc ? ddl_refused(err) : ERR_OK;
}

enum err_code ddl_run(struct conn *c, const struct ddl_params *p, const struct strbuf *text,
                      struct err *err)
{
    const char *pos = strbuf_str(text);
    const char *end = pos + text->len;
    struct ddl_statement st;
    unsigned created = 0;

    if (p->db && ddl_use(c, p->db, err))
        return err->code;
    while (ddl_next(&pos, end, &st)) {
        if (st.kind == DDL_SET || st.kind == DDL_DROP)
            continue;
        if (st.kind == DDL_OTHER)
            return err_set(err, ERR_LOAD_SCHEMA, "a statement that is no CREATE: %.*s",
                           (int)(st.len < WORDS_SHOWN_MAX ? st.len : WORDS_SHOWN_MAX), st.text);
        if (ddl_run_one(c, p, &st, err))
            return err->code;
        created += st.kind == DDL_CREATE;
    }
    if (!created)
        return err_set(err, ERR_LOAD_SCHEMA, "the file holds no CREATE statement");
    return ERR_OK;
}
