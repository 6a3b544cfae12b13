#include "dumper/partial.h"

#include "common/base/mem.h"
#include "common/mysql/filter.h"
#include "common/schema/token.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct rule {
    struct filter *filter;
    const char *value; /* borrowed from the option */
    bool used;
};
struct rules {
    const char *option; /* "--where" */
    const struct dump_list *list;
    struct rule *items;
};

/* The '=' behind the pattern, whose quoted names may hold others. NULL: none. */
static const char *rule_equals(const char *text)
{
    bool quoted = false;

    for (; *text; text++) {
        if (*text == '`')
            quoted = !quoted;
        else if (*text == '=' && !quoted)
            return text;
    }
    return NULL;
}

static enum err_code rules_init(struct rules *rules, const struct dump_run *run, const char *option,
                                const struct dump_list *list, struct err *err)
{
    enum err_code rc = ERR_OK;

    *rules = (struct rules){.option = option, .list = list};
    rules->items = xcalloc(list->count + 1, sizeof *rules->items);
    for (size_t i = 0; !rc && i < list->count; i++) {
        const char *equals = rule_equals(list->items[i]);
        char *pattern;

        if (!equals || equals == list->items[i] || !equals[1])
            return err_set(err, ERR_USAGE, "%s is DB.TABLE=..., not '%s'", option, list->items[i]);
        pattern = xstrndup(list->items[i], (size_t)(equals - list->items[i]));
        rules->items[i].value = equals + 1;
        rc = filter_new((const char *const *)&pattern, 1, run->config->case_sensitive,
                        &rules->items[i].filter, err);
        free(pattern);
    }
    return rc ? err_wrap(err, "%s", option) : ERR_OK;
}

static void rules_release(struct rules *rules)
{
    for (size_t i = 0; i < rules->list->count; i++)
        filter_free(rules->items[i].filter);
    free(rules->items);
}

/* The value for the table; NULL: none. */
static const char *rules_find(struct rules *rules, const struct table *t)
{
    const char *value = NULL;

    for (size_t i = 0; i < rules->list->count; i++) {
        if (!filter_match_table(rules->items[i].filter, t->db, t->name))
            continue;
        rules->items[i].used = true;
        value = rules->items[i].value;
    }
    return value;
}

static enum err_code rules_check_used(const struct rules *rules, struct err *err)
{
    for (size_t i = 0; i < rules->list->count; i++)
        if (!rules->items[i].used)
            return err_set(err, ERR_USAGE, "%s '%s' matches no table that is dumped", rules->option,
                           rules->list->items[i]);
    return ERR_OK;
}

/* The column that the first `len` bytes of `name` say; its mark is taken off. */
static bool column_keep(const struct table *t, const char *name, size_t len)
{
    for (unsigned i = 0; i < t->column_count; i++) {
        if (strlen(t->columns[i].name) != len || strncasecmp(t->columns[i].name, name, len) != 0)
            continue;
        t->columns[i].left_out = false;
        return true;
    }
    return false;
}

/* "a,b,c": all others are left out. */
static enum err_code columns_mark(const struct table *t, const char *list, struct err *err)
{
    for (unsigned i = 0; i < t->column_count; i++)
        t->columns[i].left_out = true;
    while (*list) {
        size_t len = strcspn(list, ",");

        if (!column_keep(t, list, len))
            return err_set(err, ERR_USAGE, "--columns: '%s.%s' has no column '%.*s'", t->db,
                           t->name, (int)len, list);
        list += len + (list[len] == ',');
    }
    return ERR_OK;
}

static bool table_has_rows(const struct table *t)
{
    return t->kind == TABLE_BASE || t->kind == TABLE_VERSIONED;
}

enum err_code partial_columns(struct dump_run *run, struct err *err)
{
    const struct schema *s = run->plan.schema;
    struct rules rules;
    enum err_code rc = rules_init(&rules, run, "--columns", &run->config->columns, err);

    for (size_t i = 0; !rc && i < s->table_count; i++) {
        const struct table *t = &s->tables[i];
        const char *list = table_has_rows(t) ? rules_find(&rules, t) : NULL;

        if (list)
            rc = columns_mark(t, list, err);
    }
    if (!rc)
        rc = rules_check_used(&rules, err);
    rules_release(&rules);
    return rc;
}

/* A condition stands in parentheses beside the limits of each file: one that closes them would read
 * rows behind these, once more for each file. */
static enum err_code where_check(const struct dump_run *run, const char *text, struct err *err)
{
    struct tokenizer t = {.text = text, .len = strlen(text), .source = &run->flavour};
    struct token token;
    size_t open = 0;
    enum err_code rc;

    do {
        rc = token_next(&t, &token, err);
        if (rc) {
            err->code = ERR_USAGE;
            return err_wrap(err, "--where '%s'", text);
        }
        if (token_is(text, &token, "("))
            open++;
        else if (token_is(text, &token, ")") && open-- == 0)
            return err_set(err, ERR_USAGE, "--where '%s': a ')' without its '('", text);
    } while (token.kind != TOKEN_END);
    return open ? err_set(err, ERR_USAGE, "--where '%s': a '(' without its ')'", text) : ERR_OK;
}

static enum err_code limit_parse(const char *text, uint64_t *limit, struct err *err)
{
    char *end = NULL;

    errno = 0;
    *limit = strtoull(text, &end, 10);
    if (errno || *end || !*limit || *text == '-')
        return err_set(err, ERR_USAGE, "--rows-limit: '%s' is no number of rows", text);
    return ERR_OK;
}

enum err_code partial_rows(struct dump_run *run, struct err *err)
{
    struct rules where = {0};
    struct rules limits = {0};
    enum err_code rc = rules_init(&where, run, "--where", &run->config->where, err);
    enum err_code rc2 = rules_init(&limits, run, "--rows-limit", &run->config->rows_limit, err);

    rc = rc ? rc : rc2;
    for (size_t i = 0; !rc && i < run->plan.count; i++) {
        struct plan_table *p = &run->plan.tables[i];
        const char *limit = rules_find(&limits, p->table);

        p->where = rules_find(&where, p->table);
        if (p->where)
            rc = where_check(run, p->where, err);
        if (!rc && limit)
            rc = limit_parse(limit, &p->limit, err);
    }
    if (!rc && !run->ledger->begun) { /* else its table may be done */
        rc = rules_check_used(&where, err);
        if (!rc)
            rc = rules_check_used(&limits, err);
    }
    rules_release(&where);
    rules_release(&limits);
    return rc;
}
