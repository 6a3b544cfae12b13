#include "follower/ddl_policy.h"

#include "common/base/mem.h"
#include "common/mysql/filter.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct ddl_rule {
    enum ddl_action action;
    char *text, *kind;     /* kind NULL: any */
    struct filter *filter; /* NULL: any table */
};
struct ddl_policy {
    struct ddl_rule *rules;
    size_t count;
};

static const char *const action_words[] = {"apply", "skip", "stop"};
static const char *const kinds[] = {"create table", "drop table",   "truncate table",
                                    "rename table", "alter table",  "create index",
                                    "drop index",   "drop database"};

static enum err_code rule_bad(const char *text, struct err *err)
{
    return err_set(err, ERR_USAGE,
                   "--ddl '%s' is not apply, skip or stop, with =PATTERN, =KIND or ='KIND on "
                   "PATTERN'; kinds are create table, drop table, truncate table, rename table, "
                   "alter table, create index, drop index, drop database",
                   text);
}

static bool kind_known(const char *kind)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcasecmp(kind, kinds[i]) == 0)
            return true;
    return false;
}

static enum err_code rule_parse(const char *text, struct ddl_rule *r, struct err *err)
{
    const char *equals = strchr(text, '=');
    const size_t len = equals ? (size_t)(equals - text) : strlen(text);
    const char *what = equals ? equals + 1 : NULL;
    const char *on = what ? strstr(what, " on ") : NULL;
    size_t action = 0;

    r->text = xstrdup(text);
    while (action < 3 &&
           (strlen(action_words[action]) != len || strncmp(action_words[action], text, len) != 0))
        action++;
    if (action == 3)
        return rule_bad(text, err);
    r->action = (enum ddl_action)action;
    if (!what)
        return ERR_OK;
    if (!*what || (on && !on[4]))
        return rule_bad(text, err);
    if (on)
        r->kind = xstrndup(what, (size_t)(on - what));
    else if (kind_known(what))
        r->kind = xstrdup(what);
    if (r->kind && !kind_known(r->kind))
        return rule_bad(text, err);
    if (!on && r->kind)
        return ERR_OK;
    if (filter_new((const char *const[]){on ? on + 4 : what}, 1, false, &r->filter, err)) {
        err_clear(err);
        return rule_bad(text, err);
    }
    return ERR_OK;
}

enum err_code ddl_policy_new(const char *const *rules, size_t count, struct ddl_policy **out,
                             struct err *err)
{
    struct ddl_policy *p = xcalloc(1, sizeof *p);
    enum err_code rc = ERR_OK;

    p->rules = xcalloc(count + 1, sizeof *p->rules);
    for (size_t i = 0; !rc && i < count; i++)
        rc = rule_parse(rules[i], &p->rules[p->count++], err);
    if (rc)
        ddl_policy_free(p);
    else
        *out = p;
    return rc;
}

void ddl_policy_free(struct ddl_policy *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->count; i++) {
        free(p->rules[i].text);
        free(p->rules[i].kind);
        filter_free(p->rules[i].filter);
    }
    free(p->rules);
    free(p);
}

/* DROP DATABASE drops tables. */
static bool rule_is_of(const struct ddl_rule *r, const struct ddl_step *s)
{
    return !r->kind || strcasecmp(r->kind, s->kind) == 0 ||
           (s->act == ACT_DROP && strcasecmp(r->kind, "drop table") == 0 &&
            strcasecmp(s->kind, "drop database") == 0);
}

enum ddl_action ddl_policy_of(const struct ddl_policy *p, const struct ddl_step *s,
                              const char **rule)
{
    enum ddl_action action = DDL_APPLY;

    *rule = "";
    for (size_t i = 0; p && i < p->count; i++) {
        const struct ddl_rule *r = &p->rules[i];

        if (!rule_is_of(r, s) || (r->filter && !filter_match_table(r->filter, s->db, s->name)))
            continue;
        action = r->action;
        *rule = r->text;
    }
    return action;
}
