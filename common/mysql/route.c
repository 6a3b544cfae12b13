#include "common/mysql/route.h"

#include "common/base/mem.h"
#include "common/mysql/filter.h"
#include "common/mysql/ident.h"

#include <stdlib.h>
#include <string.h>

struct route_rule {
    char *db, *table; /* table NULL: the whole database */
    char *to_db, *to_table;
};
struct route {
    struct route_rule *rules; /* sorted by name, so that the text is canonical */
    size_t count;
    char *text;
};

/* ---- parsing ---- */

/* The name at *pos up to '.', '=' or the end, or in backquotes. *star: it is a bare '*'. */
static char *route_name(const char **pos, bool *star)
{
    struct strbuf name = {0};
    const char *p = *pos;
    bool good = true;

    *star = false;
    if (*p == '`') {
        for (p++; *p && (*p != '`' || p[1] == '`'); p++) {
            p += *p == '`';
            strbuf_addch(&name, *p);
        }
        good = *p == '`';
        p += good;
    } else {
        size_t len = strcspn(p, ".=");

        *star = len == 1 && *p == '*';
        for (size_t i = 0; i < len; i++)
            good = good && (*star || !strchr("*?`\"[]", p[i]));
        strbuf_add(&name, p, len);
        p += len;
    }
    *pos = p;
    if (good && name.len > 0)
        return strbuf_detach(&name);
    strbuf_release(&name);
    return NULL;
}

/* "db.table" or "db.*"; false: neither. */
static bool route_side(const char **pos, char **db, char **table)
{
    bool star;

    *table = NULL;
    *db = route_name(pos, &star);
    if (!*db || star || **pos != '.')
        return false;
    (*pos)++;
    *table = route_name(pos, &star);
    if (*table && star) {
        free(*table);
        *table = NULL;
        return true;
    }
    return *table != NULL;
}

static void rule_release(struct route_rule *rule)
{
    free(rule->db);
    free(rule->table);
    free(rule->to_db);
    free(rule->to_table);
}

static enum err_code rule_parse(const char *text, struct route_rule *rule, struct err *err)
{
    const char *pos = text;
    bool good = route_side(&pos, &rule->db, &rule->table) && *pos == '=';

    if (good) {
        pos++;
        good = route_side(&pos, &rule->to_db, &rule->to_table) && *pos == '\0' &&
               !rule->table == !rule->to_table;
    }
    if (!good)
        return err_set(err, ERR_USAGE,
                       "--rename '%s' is no rule: write 'db.*=other.*' or 'db.table=other.name'",
                       text);
    if (filter_is_system(rule->to_db) || filter_is_system(rule->db))
        return err_set(err, ERR_USAGE, "--rename '%s': a system schema is never moved, nor into",
                       text);
    return ERR_OK;
}

static int rule_compare(const void *a, const void *b)
{
    const struct route_rule *x = a;
    const struct route_rule *y = b;
    int order = strcmp(x->db, y->db);

    return order ? order : strcmp(x->table ? x->table : "", y->table ? y->table : "");
}

static void rule_add(const struct route_rule *rule, struct strbuf *out)
{
    strbuf_addstr(out, out->len ? ", " : "");
    strbuf_add_ident(out, rule->db);
    strbuf_addch(out, '.');
    if (rule->table)
        strbuf_add_ident(out, rule->table);
    else
        strbuf_addch(out, '*');
    strbuf_addch(out, '=');
    strbuf_add_ident(out, rule->to_db);
    strbuf_addch(out, '.');
    if (rule->table)
        strbuf_add_ident(out, rule->to_table);
    else
        strbuf_addch(out, '*');
}

enum err_code route_new(const char *const *rules, size_t count, struct route **out, struct err *err)
{
    struct route *r = xcalloc(1, sizeof *r);
    struct strbuf text = {0};
    enum err_code rc = ERR_OK;

    r->rules = xcalloc(count + 1, sizeof *r->rules);
    for (; !rc && r->count < count; r->count++)
        rc = rule_parse(rules[r->count], &r->rules[r->count], err);
    if (!rc && count > 0)
        qsort(r->rules, count, sizeof *r->rules, rule_compare);
    for (size_t i = 0; !rc && i < count; i++) {
        if (i > 0 && rule_compare(&r->rules[i - 1], &r->rules[i]) == 0)
            rc = err_set(err, ERR_USAGE, "--rename has two rules for '%s.%s'", r->rules[i].db,
                         r->rules[i].table ? r->rules[i].table : "*");
        rule_add(&r->rules[i], &text);
    }
    r->text = strbuf_detach(&text);
    if (rc) {
        route_free(r);
        return rc;
    }
    *out = r;
    return ERR_OK;
}

/* Behind the rule that begins at `text`: at ", ", which no name outside of quotes can hold. */
static const char *rule_end(const char *text)
{
    bool quoted = false;

    for (; *text && (quoted || *text != ','); text++)
        quoted = quoted != (*text == '`');
    return text;
}

enum err_code route_of_text(const char *text, struct route **out, struct err *err)
{
    char **rules = NULL;
    size_t count = 0;
    enum err_code rc;

    while (*text) {
        const char *end = rule_end(text);

        rules = xreallocarray(rules, count + 1, sizeof *rules);
        rules[count++] = xstrndup(text, (size_t)(end - text));
        text = *end ? end + 1 : end;
        text += strspn(text, " ");
    }
    rc = route_new((const char *const *)rules, count, out, err);
    for (size_t i = 0; i < count; i++)
        free(rules[i]);
    free(rules);
    return rc;
}

void route_free(struct route *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->count; i++)
        rule_release(&r->rules[i]);
    free(r->rules);
    free(r->text);
    free(r);
}

/* ---- asking ---- */

bool route_is_empty(const struct route *r)
{
    return r->count == 0;
}

const char *route_text(const struct route *r)
{
    return r->text;
}

static const struct route_rule *route_find(const struct route *r, const char *db, const char *table)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct route_rule *rule = &r->rules[i];

        if (strcmp(rule->db, db) == 0 && !rule->table == !table &&
            (!table || strcmp(rule->table, table) == 0))
            return rule;
    }
    return NULL;
}

const char *route_database(const struct route *r, const char *db)
{
    const struct route_rule *rule = route_find(r, db, NULL);

    return rule ? rule->to_db : db;
}

void route_table(const struct route *r, const char *db, const char *table, const char **to_db,
                 const char **to_table)
{
    const struct route_rule *rule = route_find(r, db, table);

    *to_db = rule ? rule->to_db : route_database(r, db);
    *to_table = rule ? rule->to_table : table;
}

bool route_names_database(const struct route *r, const char *db)
{
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->rules[i].db, db) == 0)
            return true;
    return false;
}

size_t route_count(const struct route *r)
{
    return r->count;
}

void route_source(const struct route *r, size_t i, const char **db, const char **table)
{
    *db = r->rules[i].db;
    *table = r->rules[i].table;
}
