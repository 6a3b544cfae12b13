#include "common/mysql/table_rules.h"

#include "common/base/mem.h"
#include "common/mysql/filter.h"

#include <stdlib.h>

struct rule {
    struct filter *filter;
    const char *value; /* borrowed from the option */
    bool used;
};
struct table_rules {
    const char *option;
    const char *const *texts;
    struct rule *items;
    size_t count;
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

static enum err_code rule_parse(struct rule *rule, const char *option, const char *text,
                                bool case_sensitive, struct err *err)
{
    const char *equals = rule_equals(text);
    char *pattern;
    enum err_code rc;

    if (!equals || equals == text || !equals[1])
        return err_set(err, ERR_USAGE, "%s is DB.TABLE=..., not '%s'", option, text);
    pattern = xstrndup(text, (size_t)(equals - text));
    rule->value = equals + 1;
    rc = filter_new((const char *const *)&pattern, 1, case_sensitive, &rule->filter, err);
    free(pattern);
    return rc ? err_wrap(err, "%s", option) : ERR_OK;
}

enum err_code table_rules_new(const char *option, const char *const *items, size_t count,
                              bool case_sensitive, struct table_rules **rules, struct err *err)
{
    struct table_rules *r = xcalloc(1, sizeof *r);
    enum err_code rc = ERR_OK;

    *r = (struct table_rules){.option = option, .texts = items, .count = count};
    r->items = xcalloc(count + 1, sizeof *r->items);
    for (size_t i = 0; !rc && i < count; i++)
        rc = rule_parse(&r->items[i], option, items[i], case_sensitive, err);
    if (rc)
        table_rules_free(r);
    else
        *rules = r;
    return rc;
}

void table_rules_free(struct table_rules *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->count; i++)
        filter_free(r->items[i].filter);
    free(r->items);
    free(r);
}

const char *table_rules_find(struct table_rules *r, const char *db, const char *table)
{
    const char *value = NULL;

    for (size_t i = 0; i < r->count; i++) {
        if (!filter_match_table(r->items[i].filter, db, table))
            continue;
        r->items[i].used = true;
        value = r->items[i].value;
    }
    return value;
}

const char *table_rules_value(const struct table_rules *r, size_t i)
{
    return r->items[i].value;
}

enum err_code table_rules_all_used(const struct table_rules *r, const char *of, struct err *err)
{
    for (size_t i = 0; i < r->count; i++)
        if (!r->items[i].used)
            return err_set(err, ERR_USAGE, "%s '%s' matches no table %s", r->option, r->texts[i],
                           of);
    return ERR_OK;
}
