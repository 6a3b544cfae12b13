/* What a dump would do, to stdout: for each database its first tables by size and how many more
 * there are, and what is left out by which rule. */
#include "common/base/mem.h"
#include "dumper/run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LISTED_MAX 20 /* of one database, and of one rule in it, named; the others are counted */

static void print_table(const struct plan_table *p)
{
    const struct table *t = p->table;
    struct strbuf line = {0};
    char size[SIZE_TEXT_MAX];

    size_text(t->data_bytes, size);
    strbuf_addf(&line, "table      %s.%s: about %s, %" PRIu64 " rows, ", t->db, t->name, size,
                t->row_estimate);
    if (p->key) {
        strbuf_addf(&line, "key %s (", p->key->name);
        for (unsigned i = 0; i < p->key->part_count; i++)
            strbuf_addf(&line, "%s%s", i ? ", " : "", t->columns[p->key->parts[i].column].name);
        strbuf_addch(&line, ')');
    } else {
        strbuf_addstr(&line, "no key: read by one worker, in one epoch");
    }
    if (p->ledger->rows)
        strbuf_addf(&line, ", %" PRIu64 " rows done", p->ledger->rows);
    if (p->where)
        strbuf_addf(&line, ", rows where %s", p->where);
    if (p->limit)
        strbuf_addf(&line, ", %" PRIu64 " rows at most", p->limit);
    for (unsigned i = 0; i < t->column_count; i++)
        if (!column_is_dumped(&t->columns[i]))
            strbuf_addf(&line, ", column %s left out", t->columns[i].name);
    (void)puts(strbuf_str(&line));
    strbuf_release(&line);
}

/* By database, the largest first in each. */
static int by_database(const void *a, const void *b)
{
    const struct plan_table *x = *(const struct plan_table *const *)a;
    const struct plan_table *y = *(const struct plan_table *const *)b;
    int order = strcmp(x->table->db, y->table->db);

    if (order)
        return order;
    return x < y ? -1 : x > y; /* the plan's order */
}

/* list[0] to list[count - 1] are one database's. */
static void print_tables_of(const struct plan_table *const *list, size_t count)
{
    char size[SIZE_TEXT_MAX];
    uint64_t bytes = 0;

    for (size_t i = 0; i < count && i < LISTED_MAX; i++)
        print_table(list[i]);
    if (count <= LISTED_MAX)
        return;
    for (size_t i = LISTED_MAX; i < count; i++)
        bytes += list[i]->table->data_bytes;
    size_text(bytes, size);
    (void)printf("table      %s: and %zu smaller ones, about %s\n", list[0]->table->db,
                 count - LISTED_MAX, size);
}

static void print_tables(const struct plan *plan)
{
    const struct plan_table **list = xcalloc(plan->count + 1, sizeof(*list));

    for (size_t i = 0; i < plan->count; i++)
        list[i] = &plan->tables[i];
    qsort((void *)list, plan->count, sizeof(*list), by_database);
    for (size_t i = 0, end; i < plan->count; i = end) {
        for (end = i + 1; end < plan->count && list[end]->table->db == list[i]->table->db; end++)
            ;
        print_tables_of(list + i, end - i);
    }
    free((void *)list);
}

static const char *other_kind(const struct plan *plan, size_t i)
{
    return plan->others[i].table->kind == TABLE_VIEW ? "view" : "sequence";
}

/* Views and sequences, which the plan has by database and name. */
static void print_others(const struct plan *plan)
{
    for (size_t i = 0, end; i < plan->other_count; i = end) {
        const char *db = plan->others[i].table->db;

        for (end = i; end < plan->other_count && plan->others[end].table->db == db; end++)
            if (end - i < LISTED_MAX)
                (void)printf("%-10s %s.%s\n", other_kind(plan, end), db,
                             plan->others[end].table->name);
        if (end - i > LISTED_MAX)
            (void)printf("%-10s %s: and %zu more views and sequences\n", other_kind(plan, i), db,
                         end - i - LISTED_MAX);
    }
}

/* ---- what is left out ---- */

struct left_rule {
    const char *option; /* "--filter" */
    const char *rule;   /* the deciding pattern; NULL: the option alone */
    size_t count;
};
struct left_out { /* of one database */
    char *db;
    struct left_rule *rules;
    size_t count, cap;
};

static void left_rule_text(const struct left_rule *rule, struct strbuf *out)
{
    strbuf_addstr(out, rule->option);
    if (rule->rule)
        strbuf_addf(out, " %s", rule->rule);
    else if (strcmp(rule->option, "--filter") == 0)
        strbuf_addstr(out, ", no pattern of which takes it");
}

static void left_out_end(struct left_out *l)
{
    for (size_t i = 0; i < l->count; i++) {
        struct strbuf why = {0};

        left_rule_text(&l->rules[i], &why);
        if (l->rules[i].count > LISTED_MAX)
            (void)printf("left out   %s: and %zu more: %s\n", l->db, l->rules[i].count - LISTED_MAX,
                         strbuf_str(&why));
        strbuf_release(&why);
    }
    l->count = 0;
    free(l->db);
    l->db = NULL;
}

static struct left_rule *left_out_rule(struct left_out *l, const char *option, const char *rule)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->rules[i].option == option && l->rules[i].rule == rule)
            return &l->rules[i];
    if (l->count == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 8;
        l->rules = xreallocarray(l->rules, l->cap, sizeof(*l->rules));
    }
    l->rules[l->count] = (struct left_rule){.option = option, .rule = rule};
    return &l->rules[l->count++];
}

static void left_out_add(struct left_out *l, const char *db, const char *name,
                         const struct left_rule *why)
{
    struct left_rule *rule;
    struct strbuf text = {0};

    if (!l->db || strcmp(l->db, db) != 0) {
        left_out_end(l);
        l->db = xstrdup(db);
    }
    rule = left_out_rule(l, why->option, why->rule);
    if (rule->count++ < LISTED_MAX) {
        left_rule_text(rule, &text);
        (void)printf("left out   %s.%s: %s\n", db, name, strbuf_str(&text));
    }
    strbuf_release(&text);
}

/* Tables that are there and not dumped. */
static enum err_code print_left_out(struct dump_run *run, struct err *err)
{
    struct left_out left = {0};
    struct result *r = NULL;
    struct row row;
    bool more = true;
    enum err_code rc;

    rc = conn_queryz(run->control,
                     "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES "
                     "ORDER BY TABLE_SCHEMA, TABLE_NAME",
                     &r, err);
    while (!rc && more) {
        struct left_rule why = {0};

        rc = result_next(r, &row, &more, err);
        if (rc || !more || filter_is_system(row.cell[0]))
            continue;
        if (!filter_match_table(run->plan.filter, row.cell[0], row.cell[1])) {
            why.option = "--filter";
            why.rule = filter_rule(run->plan.filter, row.cell[0], row.cell[1]);
        } else if (run->config->no_views && strcmp(row.cell[2], "VIEW") == 0) {
            why.option = "--no-views";
        }
        if (why.option)
            left_out_add(&left, row.cell[0], row.cell[1], &why);
    }
    left_out_end(&left);
    free(left.rules);
    result_free(r);
    return rc;
}

static void print_options(const struct dump_config *c)
{
    const struct {
        bool said;
        const char *what, *option;
    } options[] = {
        {c->no_data, "the rows of all tables", "--no-data"},
        {c->no_schemas, "all definitions", "--no-schemas"},
        {c->no_triggers, "triggers", "--no-triggers"},
        {c->no_routines, "procedures and functions", "--no-routines"},
        {c->no_events, "events", "--no-events"},
    };

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if (options[i].said)
            (void)printf("left out   %s: %s\n", options[i].what, options[i].option);
}

enum err_code dumper_print_plan(struct dump_run *run, struct err *err)
{
    char size[SIZE_TEXT_MAX];

    print_tables(&run->plan);
    print_others(&run->plan);
    print_options(run->config);
    if (print_left_out(run, err))
        return err->code;
    size_text(run->plan.bytes, size);
    (void)printf("in all     %zu tables, about %s; %zu views and sequences\n",
                 run->plan.table_total, size, run->plan.other_count);
    return ERR_OK;
}
