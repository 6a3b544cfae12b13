#include "common/schema/ddl_names.h"

#include "common/base/mem.h"
#include "common/schema/token.h"

#include <stdlib.h>
#include <string.h>

struct names {
    struct tokenizer t;
    struct token at; /* the token looked at; no space, comment or border of an executable one */
    bool broken;     /* a quote is never closed */
    const char *default_db;
    ddl_name_fn *fn;
    void *ctx;
};

static void names_next(struct names *n)
{
    struct err ignored = ERR_INIT;

    do {
        if (n->broken || token_next(&n->t, &n->at, &ignored)) {
            n->broken = true;
            n->at = (struct token){.kind = TOKEN_END};
        }
    } while (n->at.kind == TOKEN_SPACE || n->at.kind == TOKEN_COMMENT ||
             n->at.kind == TOKEN_EXEC_OPEN || n->at.kind == TOKEN_EXEC_CLOSE);
}

static bool names_is(const struct names *n, const char *word)
{
    return token_is(n->t.text, &n->at, word);
}

static bool names_take(struct names *n, const char *word)
{
    if (!names_is(n, word))
        return false;
    names_next(n);
    return true;
}

/* The first word of a list that ends with NULL. */
static bool names_is_one(const struct names *n, const char *const *words)
{
    while (*words && !names_is(n, *words))
        words++;
    return *words != NULL;
}

/* Under ANSI_QUOTES a name stands in double quotes; whether it did the text does not say. */
static bool names_at_name(const struct names *n)
{
    return token_is_name(&n->at) || (n->at.kind == TOKEN_STRING && n->t.text[n->at.pos] == '"');
}

static char *names_value(struct names *n)
{
    struct strbuf text = {0};

    token_value(&n->t, &n->at, &text);
    names_next(n);
    return strbuf_detach(&text);
}

/* NAME or NAME.NAME; false: there is none. */
static bool names_table(struct names *n)
{
    char *first;
    char *second = NULL;

    if (!names_at_name(n))
        return false;
    first = names_value(n);
    if (names_take(n, ".") && names_at_name(n))
        second = names_value(n);
    n->fn(n->ctx, second ? first : n->default_db, second ? second : first);
    free(first);
    free(second);
    return true;
}

static void names_if_exists(struct names *n)
{
    if (names_take(n, "IF")) {
        (void)names_take(n, "NOT");
        (void)names_take(n, "EXISTS");
    }
}

/* A, B, ... or A TO B, C TO D, ... */
static void names_list(struct names *n)
{
    names_if_exists(n);
    while (names_table(n))
        while (n->at.kind != TOKEN_END && !names_take(n, ",") && !names_take(n, "TO"))
            names_next(n); /* WAIT 5, NOWAIT, RESTRICT */
}

/* Everything that could be a table. */
static bool names_all(struct names *n)
{
    while (n->at.kind != TOKEN_END)
        if (!names_table(n))
            names_next(n);
    return true;
}

/* Behind ALTER ... TABLE: its own name, and those it takes or swaps with. */
static bool names_alter(struct names *n)
{
    names_if_exists(n);
    (void)names_table(n);
    while (n->at.kind != TOKEN_END) {
        if (names_take(n, "TABLE")) { /* EXCHANGE PARTITION p WITH TABLE t, CONVERT ... TABLE t */
            (void)names_table(n);
        } else if (names_take(n, "RENAME")) {
            if (names_is(n, "COLUMN") || names_is(n, "INDEX") || names_is(n, "KEY"))
                continue;
            if (!names_take(n, "TO") && !names_take(n, "AS"))
                (void)names_take(n, "=");
            (void)names_table(n);
        } else {
            names_next(n);
        }
    }
    return true;
}

static bool names_database(struct names *n)
{
    char *db;

    names_if_exists(n);
    if (!names_at_name(n))
        return names_all(n);
    db = names_value(n);
    n->fn(n->ctx, db, NULL);
    free(db);
    return true;
}

/* CREATE INDEX i ON t, DROP INDEX i ON t. */
static bool names_index(struct names *n)
{
    while (n->at.kind != TOKEN_END)
        if (names_take(n, "ON"))
            return names_table(n);
        else
            names_next(n);
    return true;
}

/* Behind CREATE, ALTER or DROP: past what may stand before the kind of object. */
static bool names_object(struct names *n, bool alter, bool drop)
{
    static const char *const ahead[] = {"OR",     "REPLACE",  "ONLINE",  "OFFLINE", "IGNORE",
                                        "UNIQUE", "FULLTEXT", "SPATIAL", "VECTOR",  NULL};
    static const char *const other[] = {
        "VIEW",       "TRIGGER",  "PROCEDURE", "FUNCTION",  "EVENT",     "USER",
        "ROLE",       "SERVER",   "PACKAGE",   "DEFINER",   "SQL",       "ALGORITHM",
        "LOGFILE",    "RESOURCE", "SEQUENCE",  "SPATIAL",   "AGGREGATE", "INSTANCE",
        "TABLESPACE", "UNDO",     "LIBRARY",   "TEMPORARY", "PREPARE",   NULL};

    if (names_is(n, "SPATIAL") && !drop) { /* SPATIAL REFERENCE SYSTEM, or SPATIAL INDEX */
        names_next(n);
        if (names_is(n, "REFERENCE"))
            return false;
    }
    while (names_is_one(n, ahead))
        names_next(n);
    if (names_take(n, "TABLE") || names_take(n, "TABLES")) {
        if (alter)
            return names_alter(n);
        if (drop)
            names_list(n);
        else
            names_if_exists(n);
        return drop || names_table(n);
    }
    if (names_take(n, "INDEX"))
        return names_index(n);
    if (names_take(n, "DATABASE") || names_take(n, "SCHEMA"))
        return drop && names_database(n);
    return !names_is_one(n, other) && names_all(n);
}

/* OPTIMIZE, REPAIR: the table is made anew. */
static bool names_rebuild(struct names *n)
{
    (void)(names_take(n, "NO_WRITE_TO_BINLOG") || names_take(n, "LOCAL"));
    if (!names_take(n, "TABLE") && !names_take(n, "TABLES"))
        return names_is(n, "VIEW") ? false : names_all(n);
    names_list(n);
    return true;
}

static bool names_statement(struct names *n)
{
    static const char *const rows[] = {
        "BEGIN",   "COMMIT",    "ROLLBACK", "SAVEPOINT",       "RELEASE", "START",   "XA",
        "INSERT",  "UPDATE",    "DELETE",   "REPLACE",         "LOAD",    "SELECT",  "WITH",
        "CALL",    "DO",        "GRANT",    "REVOKE",          "FLUSH",   "ANALYZE", "CHECK",
        "INSTALL", "UNINSTALL", "END",      "COM_BINLOG_DUMP", NULL};

    while (names_take(n, "SET")) { /* MariaDB: SET STATEMENT v=1 FOR ...; else variables */
        if (!names_is(n, "STATEMENT"))
            return false;
        while (n->at.kind != TOKEN_END && !names_take(n, "FOR"))
            names_next(n);
    }
    if (n->at.kind == TOKEN_END || names_is_one(n, rows))
        return false;
    if (names_take(n, "CREATE"))
        return names_object(n, false, false);
    if (names_take(n, "ALTER"))
        return names_object(n, true, false);
    if (names_take(n, "DROP"))
        return names_object(n, false, true);
    if (names_take(n, "TRUNCATE")) {
        (void)names_take(n, "TABLE");
        return names_table(n);
    }
    if (names_take(n, "OPTIMIZE") || names_take(n, "REPAIR"))
        return names_rebuild(n);
    if (names_take(n, "RENAME")) {
        if (names_is(n, "USER"))
            return false;
        (void)(names_take(n, "TABLE") || names_take(n, "TABLES"));
        names_list(n);
        return true;
    }
    return names_all(n);
}

bool ddl_names(const char *sql, size_t len, const char *default_db, ddl_name_fn *fn, void *ctx)
{
    struct names n = {
        .t = {.text = sql, .len = len}, .default_db = default_db, .fn = fn, .ctx = ctx};
    bool changes;

    names_next(&n);
    changes = names_statement(&n);
    if (!n.broken)
        return changes;
    fn(ctx, default_db, NULL); /* what follows could name any */
    return true;
}

char *ddl_take_use(const char **sql, size_t *len)
{
    struct strbuf db = {0};
    size_t at = 5;

    if (*len < 6 || memcmp(*sql, "use `", 5) != 0)
        return xstrdup("");
    for (; at < *len; at++) {
        if ((*sql)[at] == '`') {
            if (at + 1 == *len || (*sql)[at + 1] != '`')
                break;
            at++; /* doubled */
        }
        strbuf_addch(&db, (*sql)[at]);
    }
    at++; /* the quote's end */
    while (at < *len && ((*sql)[at] == ';' || (*sql)[at] == ' '))
        at++;
    if (at > *len)
        at = *len;
    *sql += at;
    *len -= at;
    return strbuf_detach(&db);
}
