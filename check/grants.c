/* SHOW GRANTS, line by line: a scanner, a list of single rights, and the servers' rules of which
 * right holds where. */
#include "check/grants.h"

#include "common/base/mem.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ALL "ALL PRIVILEGES"

enum level { LEVEL_GLOBAL, LEVEL_DATABASE, LEVEL_TABLE };

/* One right of one line. Everything lies in the arena. */
struct right {
    const char *name;
    const char *grantee;
    const char *db, *table; /* as far as the level has them; `db` is a pattern */
    enum level level;
    bool columns; /* on some columns only */
    bool revoked;
};

struct grants {
    struct grants_rules rules;
    struct arena *arena;
    struct right *rights;
    size_t count, room;
    const char **roles;
    size_t role_count, role_room;
    const char *account;
};

struct grants *grants_new(struct grants_rules rules)
{
    struct grants *g = xcalloc(1, sizeof(*g));

    g->rules = rules;
    g->arena = arena_new();
    g->account = "";
    return g;
}

void grants_free(struct grants *g)
{
    if (!g)
        return;
    arena_free(g->arena);
    free(g->rights);
    free(g->roles);
    free(g);
}

/* ---- the scanner ---- */

enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_QUOTED, TOKEN_SIGN };

struct scanner {
    const char *at, *end;
    enum token_kind kind;
    struct strbuf text; /* the word in capitals, the name without its quotes, or the sign */
};

/* Whether the quote at `at` ends the name; a doubled one, or one behind a backslash in text, does
 * not, and is passed over as far as its last byte. */
static bool quote_ends(struct scanner *s, char quote)
{
    if (*s->at == '\\' && quote != '`' && s->at + 1 < s->end) {
        s->at++;
        return false;
    }
    if (*s->at != quote)
        return false;
    if (s->at + 1 == s->end || s->at[1] != quote)
        return true;
    s->at++;
    return false;
}

static void scan_quoted(struct scanner *s)
{
    const char quote = *s->at++;

    while (s->at < s->end) {
        if (quote_ends(s, quote)) {
            s->at++;
            s->kind = TOKEN_QUOTED;
            return;
        }
        strbuf_addch(&s->text, *s->at++);
    }
    s->kind = TOKEN_END; /* it was never closed */
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

static void scan(struct scanner *s)
{
    strbuf_reset(&s->text);
    while (s->at < s->end && isspace((unsigned char)*s->at))
        s->at++;
    s->kind = TOKEN_END;
    if (s->at == s->end)
        return;
    if (*s->at == '`' || *s->at == '\'' || *s->at == '"') {
        scan_quoted(s);
        return;
    }
    s->kind = is_word(*s->at) ? TOKEN_WORD : TOKEN_SIGN;
    do
        strbuf_addch(&s->text, *s->at++);
    while (s->kind == TOKEN_WORD && s->at < s->end && is_word(*s->at));
}

static bool is_sign(const struct scanner *s, char c)
{
    return s->kind == TOKEN_SIGN && s->text.str[0] == c;
}

static bool is_keyword(const struct scanner *s, const char *word)
{
    return s->kind == TOKEN_WORD && strcasecmp(strbuf_str(&s->text), word) == 0;
}

static bool is_name(const struct scanner *s)
{
    return s->kind == TOKEN_WORD || s->kind == TOKEN_QUOTED;
}

static bool scan_parentheses(struct scanner *s)
{
    while (s->kind != TOKEN_END && !is_sign(s, ')'))
        scan(s);
    if (s->kind == TOKEN_END)
        return false;
    scan(s);
    return true;
}

/* ---- a line ---- */

struct line { /* what it says, before it is known whether it is whole */
    struct right *rights;
    size_t count, room;
    enum level level;
    const char *db, *table, *grantee;
    bool revoked, other; /* other: about something that is not of our questions */
};

static void line_add_right(struct line *line, const char *name, bool columns)
{
    if (line->count == line->room) {
        line->room = line->room ? line->room * 2 : 32;
        line->rights = xreallocarray(line->rights, line->room, sizeof(*line->rights));
    }
    line->rights[line->count++] = (struct right){.name = name, .columns = columns};
}

static bool rights_end(const struct scanner *s)
{
    return s->kind == TOKEN_END || is_keyword(s, "ON") || is_keyword(s, "TO");
}

/* The words of one right, or a role: `app`@`%`. */
static void line_name(struct scanner *s, struct strbuf *name)
{
    strbuf_reset(name);
    while (is_name(s) && !rights_end(s)) {
        strbuf_addf(name, "%s%s", name->len ? " " : "", strbuf_str(&s->text));
        scan(s);
        if (is_sign(s, '@')) {
            scan(s);
            strbuf_addf(name, "@%s", strbuf_str(&s->text));
            scan(s);
        }
    }
}

/* "SELECT, INSERT (`a`, `b`), BACKUP_ADMIN", or names of roles; up to ON or TO. */
static bool line_rights(struct grants *g, struct scanner *s, struct line *line, struct strbuf *name)
{
    while (!rights_end(s)) {
        bool columns;

        line_name(s, name);
        columns = is_sign(s, '(');
        if (columns && !scan_parentheses(s))
            return false;
        line_add_right(line, arena_strdup(g->arena, strbuf_str(name)), columns);
        if (is_sign(s, ','))
            scan(s);
        else if (!rights_end(s))
            return false;
    }
    return line->count > 0;
}

/* *.*, `db`.*, `db`.`table`, [TABLE|FUNCTION|PROCEDURE|PACKAGE [BODY]] in front; ''@'' of PROXY. */
static bool line_scope(struct grants *g, struct scanner *s, struct line *line)
{
    static const char *const others[] = {"FUNCTION", "PROCEDURE", "PACKAGE", "BODY"};

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (is_keyword(s, others[i])) {
            line->other = true;
            scan(s);
        }
    if (is_keyword(s, "TABLE"))
        scan(s);
    line->db = arena_strdup(g->arena, strbuf_str(&s->text));
    if (!is_name(s) && !is_sign(s, '*'))
        return false;
    line->level = is_sign(s, '*') ? LEVEL_GLOBAL : LEVEL_DATABASE;
    scan(s);
    if (is_sign(s, '@')) {
        line->other = true;
        scan(s);
        scan(s);
        return true;
    }
    if (!is_sign(s, '.'))
        return false;
    scan(s);
    if (!is_name(s) && !is_sign(s, '*'))
        return false;
    if (!is_sign(s, '*')) {
        line->level = LEVEL_TABLE;
        line->table = arena_strdup(g->arena, strbuf_str(&s->text));
    }
    scan(s);
    return true;
}

static bool line_grantee(struct grants *g, struct scanner *s, struct line *line)
{
    struct strbuf out = {0};

    if (!is_name(s))
        return false;
    strbuf_addf(&out, "'%s'", strbuf_str(&s->text));
    scan(s);
    if (is_sign(s, '@')) {
        scan(s);
        strbuf_addf(&out, "@'%s'", strbuf_str(&s->text));
    }
    line->grantee = arena_strdup(g->arena, strbuf_str(&out));
    strbuf_release(&out);
    return true;
}

static void grants_take_roles(struct grants *g, const struct line *line)
{
    for (size_t i = 0; i < line->count; i++) {
        if (g->role_count == g->role_room) {
            g->role_room = g->role_room ? g->role_room * 2 : 8;
            g->roles = xreallocarray(g->roles, g->role_room, sizeof(*g->roles));
        }
        g->roles[g->role_count++] = line->rights[i].name;
    }
}

static void grants_take_rights(struct grants *g, const struct line *line)
{
    for (size_t i = 0; i < line->count; i++) {
        struct right r = line->rights[i];

        if (g->count == g->room) {
            g->room = g->room ? g->room * 2 : 64;
            g->rights = xreallocarray(g->rights, g->room, sizeof(*g->rights));
        }
        if (strcasecmp(r.name, "ALL") == 0)
            r.name = ALL;
        r.level = line->level;
        r.db = line->db;
        r.table = line->table;
        r.grantee = line->grantee;
        r.revoked = line->revoked;
        g->rights[g->count++] = r;
    }
}

static bool line_read(struct grants *g, struct scanner *s, struct line *line, struct strbuf *name)
{
    bool roles;

    line->revoked = is_keyword(s, "REVOKE");
    if (!line->revoked && !is_keyword(s, "GRANT"))
        return false;
    scan(s);
    if (!line_rights(g, s, line, name))
        return false;
    roles = !is_keyword(s, "ON");
    if (!roles) {
        scan(s);
        if (!line_scope(g, s, line))
            return false;
    }
    if (!is_keyword(s, "TO") && !is_keyword(s, "FROM"))
        return false;
    scan(s);
    if (!line_grantee(g, s, line))
        return false;
    if (!*g->account)
        g->account = line->grantee;
    if (roles)
        grants_take_roles(g, line);
    else if (!line->other)
        grants_take_rights(g, line);
    return true;
}

enum err_code grants_add(struct grants *g, const char *text, size_t len, struct err *err)
{
    struct scanner s = {.at = text, .end = text + len};
    struct strbuf name = {0};
    struct line line = {0};
    bool right;

    scan(&s);
    /* MariaDB: SET DEFAULT ROLE ... FOR ...; what is in it is active already */
    right = is_keyword(&s, "SET") || line_read(g, &s, &line, &name);
    strbuf_release(&s.text);
    strbuf_release(&name);
    free(line.rights);
    if (right)
        return ERR_OK;
    return err_set(err, ERR_FORMAT, "this line of SHOW GRANTS cannot be understood: %.*s",
                   (int)(len > 200 ? 200 : len), text);
}

/* ---- questions ---- */

static bool same_right(const struct right *r, const char *right)
{
    static const char *const monitors[] = {"REPLICATION CLIENT", "BINLOG MONITOR"};

    if (strcmp(r->name, ALL) == 0 || strcasecmp(r->name, right) == 0)
        return true;
    for (int i = 0; i < 2; i++)
        if (strcasecmp(right, monitors[i]) == 0 && strcasecmp(r->name, monitors[1 - i]) == 0)
            return true;
    return false;
}

static bool same_letter(const struct grants *g, char a, char b)
{
    return a == b ||
           (g->rules.fold_names && tolower((unsigned char)a) == tolower((unsigned char)b));
}

static bool same_name(const struct grants *g, const char *a, const char *b)
{
    return g->rules.fold_names ? strcasecmp(a, b) == 0 : strcmp(a, b) == 0;
}

/* LIKE, with '\\' in front of a wildcard that is a letter. Without recursion: after a mismatch the
 * last '%' takes one byte more. */
static bool name_like(const struct grants *g, const char *pattern, const char *name)
{
    const char *many = NULL;
    const char *from = NULL;

    while (*name) {
        const bool escaped = *pattern == '\\' && pattern[1];

        if (*pattern == '%') {
            many = ++pattern;
            from = name;
        } else if (*pattern && ((!escaped && *pattern == '_') ||
                                same_letter(g, pattern[escaped ? 1 : 0], *name))) {
            pattern += escaped ? 2 : 1;
            name++;
        } else if (many) {
            pattern = many;
            name = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '%')
        pattern++;
    return !*pattern;
}

/* Bytes before the first wildcard; a name without any is longer than all patterns. */
static size_t literal_length(const struct grants *g, const char *pattern)
{
    size_t at = 0;

    if (g->rules.literal_names)
        return SIZE_MAX;
    while (pattern[at] && pattern[at] != '%' && pattern[at] != '_')
        at += pattern[at] == '\\' && pattern[at + 1] ? 2 : 1;
    return pattern[at] ? at : SIZE_MAX;
}

static bool database_matches(const struct grants *g, const struct right *r, const char *db)
{
    return same_name(g, r->db, db) || (!g->rules.literal_names && name_like(g, r->db, db));
}

bool grants_global(const struct grants *g, const char *right)
{
    for (size_t i = 0; i < g->count; i++)
        if (g->rights[i].level == LEVEL_GLOBAL && !g->rights[i].revoked &&
            same_right(&g->rights[i], right))
            return true;
    return false;
}

/* Among the patterns of one account a server takes the most exact that matches, and no other. */
static bool is_best(const struct grants *g, const struct right *r, const char *db)
{
    const size_t own = literal_length(g, r->db);

    for (size_t i = 0; i < g->count; i++) {
        const struct right *other = &g->rights[i];

        if (other->level == LEVEL_DATABASE && !other->revoked &&
            strcmp(other->grantee, r->grantee) == 0 && database_matches(g, other, db) &&
            literal_length(g, other->db) > own)
            return false;
    }
    return true;
}

static bool database_granted(const struct grants *g, const char *db, const char *right)
{
    for (size_t i = 0; i < g->count; i++) {
        const struct right *r = &g->rights[i];

        if (r->level == LEVEL_DATABASE && !r->revoked && same_right(r, right) &&
            database_matches(g, r, db) && is_best(g, r, db))
            return true;
    }
    return false;
}

static bool database_revoked(const struct grants *g, const char *db, const char *right)
{
    for (size_t i = 0; i < g->count; i++) {
        const struct right *r = &g->rights[i];

        if (r->level == LEVEL_DATABASE && r->revoked && same_right(r, right) &&
            same_name(g, r->db, db))
            return true;
    }
    return false;
}

bool grants_database(const struct grants *g, const char *db, const char *right)
{
    return (grants_global(g, right) && !database_revoked(g, db, right)) ||
           database_granted(g, db, right);
}

bool grants_table(const struct grants *g, const char *db, const char *table, const char *right)
{
    if (grants_database(g, db, right))
        return true;
    for (size_t i = 0; i < g->count; i++) {
        const struct right *r = &g->rights[i];

        if (r->level == LEVEL_TABLE && !r->revoked && !r->columns && same_right(r, right) &&
            same_name(g, r->db, db) && same_name(g, r->table, table))
            return true;
    }
    return false;
}

void grants_scope(const struct grants *g, const char *db, struct strbuf *out)
{
    strbuf_reset(out);
    for (size_t i = 0; i < g->count; i++) {
        const struct right *r = &g->rights[i];

        if (r->level == LEVEL_DATABASE && !r->revoked && strcmp(r->grantee, g->account) == 0 &&
            database_matches(g, r, db) && is_best(g, r, db)) {
            strbuf_addstr(out, r->db);
            return;
        }
    }
    for (; *db; db++) {
        if (!g->rules.literal_names && (*db == '_' || *db == '%'))
            strbuf_addch(out, '\\');
        strbuf_addch(out, *db);
    }
}

size_t grants_role_count(const struct grants *g)
{
    return g->role_count;
}

const char *grants_role(const struct grants *g, size_t i)
{
    return g->roles[i];
}

const char *grants_account(const struct grants *g)
{
    return g->account;
}
