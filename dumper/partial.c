#include "dumper/partial.h"

#include "common/base/mem.h"
#include "common/mysql/table_rules.h"
#include "common/schema/token.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static enum err_code rules_new(const struct dump_run *run, const char *option,
                               const struct dump_list *list, struct table_rules **rules,
                               struct err *err)
{
    return table_rules_new(option, list->items, list->count, run->config->case_sensitive, rules,
                           err);
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
    struct table_rules *rules = NULL;
    enum err_code rc = rules_new(run, "--columns", &run->config->columns, &rules, err);

    for (size_t i = 0; !rc && i < s->table_count; i++) {
        const struct table *t = &s->tables[i];
        const char *list = table_has_rows(t) ? table_rules_find(rules, t->db, t->name) : NULL;

        if (list)
            rc = columns_mark(t, list, err);
    }
    if (!rc)
        rc = table_rules_all_used(rules, "that is dumped", err);
    table_rules_free(rules);
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
    struct table_rules *where = NULL;
    struct table_rules *limits = NULL;
    enum err_code rc = rules_new(run, "--where", &run->config->where, &where, err);

    if (!rc)
        rc = rules_new(run, "--rows-limit", &run->config->rows_limit, &limits, err);
    for (size_t i = 0; !rc && i < run->plan.count; i++) {
        struct plan_table *p = &run->plan.tables[i];
        const char *limit = table_rules_find(limits, p->table->db, p->table->name);

        p->where = table_rules_find(where, p->table->db, p->table->name);
        if (p->where)
            rc = where_check(run, p->where, err);
        if (!rc && limit)
            rc = limit_parse(limit, &p->limit, err);
    }
    if (!rc && !run->ledger->begun) { /* else its table may be done */
        rc = table_rules_all_used(where, "that is dumped", err);
        if (!rc)
            rc = table_rules_all_used(limits, "that is dumped", err);
    }
    table_rules_free(where);
    table_rules_free(limits);
    return rc;
}
