#include "common/mysql/filter.h"

#include "common/base/mem.h"
#include "common/base/strbuf.h"
#include "common/mysql/filter_glob.h"

#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum matcher_kind { MATCHER_ALL, MATCHER_LITERAL, MATCHER_GLOB, MATCHER_REGEX };

struct matcher {
    enum matcher_kind kind;
    char *text;    /* literal or glob */
    regex_t regex; /* MATCHER_REGEX */
};

struct rule {
    struct matcher db, table;
    char *text; /* as it was written; NULL: the one in front of all */
    bool include;
};

struct filter {
    struct rule *rules;
    size_t count;
    bool fold; /* letters of either case are equal */
};

/* Where a pattern stands, for messages. */
struct place {
    const char *file; /* NULL: the command line */
    unsigned line;
    const char *pattern;
};

static void matcher_release(struct matcher *m)
{
    if (m->kind == MATCHER_REGEX)
        regfree(&m->regex);
    free(m->text);
    *m = (struct matcher){.kind = MATCHER_ALL};
}

static bool matcher_match(const struct matcher *m, const char *name, bool fold)
{
    switch (m->kind) {
    case MATCHER_ALL:
        return true;
    case MATCHER_LITERAL:
        return utf8_equal(m->text, name, fold);
    case MATCHER_GLOB:
        return glob_match(m->text, name, fold);
    case MATCHER_REGEX:
        return regexec(&m->regex, name, 0, NULL, 0) == 0;
    }
    return false;
}

static enum err_code place_fail(const struct place *at, const char *what, struct err *err)
{
    if (at->file)
        return err_set(err, ERR_USAGE, "filter '%s' ('%s' line %u): %s", at->pattern, at->file,
                       at->line, what);
    return err_set(err, ERR_USAGE, "filter '%s': %s", at->pattern, what);
}

/* `name` or "name", the quote doubled inside. */
static enum err_code matcher_parse_quoted(const char **text, struct matcher *m,
                                          const struct place *at, struct err *err)
{
    const char quote = **text;
    const char *c = *text + 1;
    struct strbuf name = {0};

    for (; *c && (*c != quote || c[1] == quote); c++) {
        if (*c == quote)
            c++;
        strbuf_addch(&name, *c);
    }
    if (!*c || !name.len) {
        strbuf_release(&name);
        return place_fail(at, "a quoted name is empty or not closed", err);
    }
    *text = c + 1;
    m->kind = MATCHER_LITERAL;
    m->text = strbuf_detach(&name);
    return ERR_OK;
}

/* Takes what POSIX leaves undefined, and what other kinds of regular expressions mean by it, for
 * an error: a pattern must not match something else than its writer thinks. */
static const char *regex_fault(const char *regex)
{
    for (const char *c = regex; *c; c++) {
        if (*c == '(' && c[1] == '?')
            return "'(?' is not of POSIX extended regular expressions";
        if (*c != '\\')
            continue;
        c++;
        if (!strchr("^.[]$()|*+?{}\\/-", *c))
            return "a backslash before this character is not of POSIX extended regular "
                   "expressions; write [0-9] for \\d and [[:alnum:]_] for \\w";
    }
    return NULL;
}

static enum err_code matcher_parse_regex(const char **text, bool fold, struct matcher *m,
                                         const struct place *at, struct err *err)
{
    const char *c = *text + 1;
    struct strbuf regex = {0};
    enum err_code rc = ERR_OK;
    const char *fault;
    char words[128];
    int bad;

    for (; *c && *c != '/'; c++) {
        if (*c == '\\' && c[1] == '/')
            c++;
        else if (*c == '\\' && c[1])
            strbuf_addch(&regex, *c++);
        strbuf_addch(&regex, *c);
    }
    fault = !*c || !regex.len ? "a regular expression is empty or not closed"
                              : regex_fault(strbuf_str(&regex));
    if (fault) {
        rc = place_fail(at, fault, err);
        goto out;
    }
    bad = regcomp(&m->regex, strbuf_str(&regex), REG_EXTENDED | REG_NOSUB | (fold ? REG_ICASE : 0));
    if (bad) {
        (void)regerror(bad, &m->regex, words, sizeof(words));
        rc = place_fail(at, words, err);
        goto out;
    }
    m->kind = MATCHER_REGEX;
    *text = c + 1;
out:
    strbuf_release(&regex);
    return rc;
}

/* A plain name or one with * ? [], up to the dot or the end. */
static enum err_code matcher_parse_glob(const char **text, struct matcher *m,
                                        const struct place *at, struct err *err)
{
    struct glob_scan scan = {.at = *text};
    const char *fault = glob_scan(&scan);

    if (fault) {
        free(scan.text);
        return place_fail(at, fault, err);
    }
    *text = scan.at;
    m->text = scan.text;
    m->kind = scan.literal ? MATCHER_LITERAL : MATCHER_GLOB;
    if (strcmp(m->text, "*") == 0 && !scan.literal)
        m->kind = MATCHER_ALL;
    return ERR_OK;
}

static enum err_code matcher_parse(const char **text, bool fold, struct matcher *m,
                                   const struct place *at, struct err *err)
{
    switch (**text) {
    case '/':
        return matcher_parse_regex(text, fold, m, at, err);
    case '`':
    case '"':
        return matcher_parse_quoted(text, m, at, err);
    default:
        return matcher_parse_glob(text, m, at, err);
    }
}

static struct rule *filter_add_rule(struct filter *f)
{
    f->rules = xreallocarray(f->rules, f->count + 1, sizeof(*f->rules));
    f->rules[f->count] = (struct rule){.include = true};
    return &f->rules[f->count++];
}

static enum err_code filter_add(struct filter *f, const struct place *at, struct err *err)
{
    const char *text = at->pattern;
    struct rule *rule = filter_add_rule(f);
    enum err_code rc;

    rule->text = xstrdup(text);
    if (*text == '!') {
        rule->include = false;
        text++;
    }
    rc = matcher_parse(&text, f->fold, &rule->db, at, err);
    if (rc)
        return rc;
    if (*text != '.')
        return place_fail(at, "it must have the form db.table", err);
    text++;
    rc = matcher_parse(&text, f->fold, &rule->table, at, err);
    if (rc)
        return rc;
    if (*text)
        return place_fail(at, "there is something after the table pattern", err);
    return ERR_OK;
}

/* Cuts blanks at both ends. */
static char *filter_trim(char *line)
{
    size_t len;

    line += strspn(line, " \t");
    len = strlen(line);
    while (len && strchr(" \t\r\n", line[len - 1]))
        line[--len] = '\0';
    return line;
}

static enum err_code filter_read_file(struct filter *f, const char *path, struct err *err)
{
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t cap = 0;
    struct place at = {.file = path};
    enum err_code rc = ERR_OK;

    if (!file)
        return err_set_errno(err, ERR_USAGE, errno, "cannot open the filter file '%s'", path);
    while (!rc && getline(&line, &cap, file) >= 0) {
        at.line++;
        at.pattern = filter_trim(line);
        if (*at.pattern == '@')
            rc = place_fail(&at, "a filter file cannot name another one", err);
        else if (*at.pattern && *at.pattern != '#')
            rc = filter_add(f, &at, err);
    }
    if (!rc && ferror(file))
        rc = err_set_errno(err, ERR_IO, errno, "cannot read the filter file '%s'", path);
    free(line);
    (void)fclose(file);
    return rc;
}

static enum err_code filter_add_pattern(struct filter *f, const char *pattern, struct err *err)
{
    char *copy = xstrdup(pattern);
    struct place at = {.pattern = filter_trim(copy)};
    enum err_code rc = ERR_OK;

    if (*at.pattern == '@')
        rc = filter_read_file(f, at.pattern + 1, err);
    else if (*at.pattern && *at.pattern != '#')
        rc = filter_add(f, &at, err);
    free(copy);
    return rc;
}

enum err_code filter_new(const char *const *patterns, size_t count, bool case_sensitive,
                         struct filter **out, struct err *err)
{
    struct filter *f = xcalloc(1, sizeof(*f));
    enum err_code rc = ERR_OK;

    f->fold = !case_sensitive;
    filter_add_rule(f); /* everything; dropped below when the first pattern includes */
    for (size_t i = 0; !rc && i < count; i++)
        rc = filter_add_pattern(f, patterns[i], err);
    if (rc) {
        filter_free(f);
        return rc;
    }
    if (f->count > 1 && f->rules[1].include)
        f->rules[0].include = false;
    *out = f;
    return ERR_OK;
}

bool filter_is_system(const char *db)
{
    static const char *const names[] = {"mysql",     "information_schema", "performance_schema",
                                        "sys",       "metrics_schema",     "inspection_schema",
                                        "ferry_meta"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcasecmp(db, names[i]) == 0)
            return true;
    return false;
}

static const struct rule *filter_find(const struct filter *f, const char *db, const char *table)
{
    for (size_t i = f->count; i-- > 0;) {
        const struct rule *r = &f->rules[i];

        if (matcher_match(&r->db, db, f->fold) && matcher_match(&r->table, table, f->fold))
            return r;
    }
    return NULL;
}

bool filter_match_table(const struct filter *f, const char *db, const char *table)
{
    const struct rule *r = filter_is_system(db) ? NULL : filter_find(f, db, table);

    return r && r->include;
}

const char *filter_rule(const struct filter *f, const char *db, const char *table)
{
    const struct rule *r = filter_find(f, db, table);

    return r ? r->text : NULL;
}

bool filter_match_db(const struct filter *f, const char *db)
{
    if (filter_is_system(db))
        return false;
    for (size_t i = f->count; i-- > 0;) {
        const struct rule *r = &f->rules[i];

        if (!matcher_match(&r->db, db, f->fold))
            continue;
        if (r->include || r->table.kind == MATCHER_ALL)
            return r->include;
    }
    return false;
}

void filter_free(struct filter *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->count; i++) {
        matcher_release(&f->rules[i].db);
        matcher_release(&f->rules[i].table);
        free(f->rules[i].text);
    }
    free(f->rules);
    free(f);
}
