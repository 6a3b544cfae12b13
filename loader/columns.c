/* --ignore-columns: columns of the files that do not come into the target.
 *
 * The file is read as it is, and a row is cut down before it becomes part of a batch. For
 * everything behind that such a table is one whose dump never had these columns: the loader works
 * with its own copy of the table's description. */
#include "loader/load_inner.h"

#include "common/base/mem.h"
#include "common/mysql/table_rules.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The next of "a,b,c"; returns where the one behind it begins, NULL at the end. */
static const char *name_next(const char *list, const char **name, size_t *len)
{
    if (!*list)
        return NULL;
    *name = list;
    *len = strcspn(list, ",");
    return list + *len + (list[*len] == ',');
}

static bool name_is(const char *column, const char *name, size_t len)
{
    return strlen(column) == len && strncasecmp(column, name, len) == 0;
}

static bool list_has(const char *list, const char *column)
{
    const char *name;
    size_t len;

    while ((list = name_next(list, &name, &len)) != NULL)
        if (name_is(column, name, len))
            return true;
    return false;
}

static void *copied(struct arena *arena, const void *from, size_t count, size_t size)
{
    void *to = arena_alloc(arena, (count + 1) * size);

    if (count)
        memcpy(to, from, count * size);
    return to;
}

/* Without the columns of the list; lt->cells says which are left. */
static enum err_code table_cut(struct load_run *run, struct load_table *lt, const char *list,
                               struct err *err)
{
    struct arena *arena = run->dump->arena;
    const struct dump_table *whole = lt->dump;
    const unsigned all = whole->shape.count;
    struct dump_table *t = copied(arena, whole, 1, sizeof *t);
    const char **names = copied(arena, whole->shape.columns, all, sizeof *names);
    enum cell_form *forms = copied(arena, whole->shape.forms, all, sizeof *forms);
    unsigned *dumped = copied(arena, whole->dumped, all, sizeof *dumped);
    unsigned *cells = arena_alloc(arena, (all + 1) * sizeof *cells);
    unsigned count = 0;

    t->model.columns =
        copied(arena, whole->model.columns, whole->model.column_count, sizeof *t->model.columns);
    for (unsigned i = 0; i < all; i++) {
        t->model.columns[whole->dumped[i]].left_out = list_has(list, whole->shape.columns[i]);
        if (t->model.columns[whole->dumped[i]].left_out)
            continue;
        names[count] = whole->shape.columns[i];
        forms[count] = whole->shape.forms[i];
        dumped[count] = whole->dumped[i];
        cells[count++] = i;
    }
    if (count == all)
        return ERR_OK;
    if (count == 0)
        return err_set(err, ERR_USAGE, "--ignore-columns leaves no column of '%s.%s'", t->db,
                       t->name);
    t->shape.columns = names;
    t->shape.forms = forms;
    t->shape.charsets = NULL; /* the decoder's, which has the whole shape */
    t->shape.count = count;
    t->dumped = dumped;
    for (unsigned i = 0; t->model.key_count && i < t->model.keys[0].part_count; i++)
        if (t->model.columns[t->model.keys[0].parts[i].column].left_out)
            t->model.key_count = 0; /* what comes is not told apart by it */
    lt->dump = t;
    lt->cells = cells;
    return ERR_OK;
}

static bool table_has(const struct dump_table *t, const char *name, size_t len)
{
    for (unsigned i = 0; i < t->shape.count; i++)
        if (name_is(t->shape.columns[i], name, len))
            return true;
    return false;
}

/* Each name of a rule is a column of one of its tables at least: else it is a slip of the pen. */
static enum err_code list_known(const struct load_run *run, struct table_rules *rules,
                                const char *list, struct err *err)
{
    const char *rest = list;
    const char *name;
    size_t len;

    while ((rest = name_next(rest, &name, &len)) != NULL) {
        bool found = false;

        for (size_t i = 0; !found && i < run->table_count; i++) {
            const struct dump_table *t = run->tables[i].dump;

            found = table_has(t, name, len) && table_rules_find(rules, t->db, t->name) == list;
        }
        if (!found)
            return err_set(err, ERR_USAGE,
                           "--ignore-columns: no table that the rule '...=%s' decides of has a "
                           "column '%.*s' in its files",
                           list, (int)len, name);
    }
    return ERR_OK;
}

static enum err_code rules_known(const struct load_run *run, struct table_rules *rules,
                                 struct err *err)
{
    for (size_t i = 0; i < run->config->ignore_column_count; i++)
        if (list_known(run, rules, table_rules_value(rules, i), err))
            return err->code;
    return ERR_OK;
}

enum err_code columns_ignore(struct load_run *run, struct err *err)
{
    const struct load_config *config = run->config;
    struct table_rules *rules = NULL;
    enum err_code rc;

    if (config->ignore_column_count == 0)
        return ERR_OK;
    if (run->replay)
        return err_set(err, ERR_USAGE,
                       "--ignore-columns: the binlog that belongs to this dump is applied behind "
                       "its rows, and would bring these columns");
    rc = table_rules_new("--ignore-columns", config->ignore_columns, config->ignore_column_count,
                         config->case_sensitive, &rules, err);
    if (!rc && run->dump->complete)
        rc = rules_known(run, rules, err);
    for (size_t i = 0; !rc && i < run->table_count; i++) {
        struct load_table *lt = &run->tables[i];
        const char *list = table_rules_find(rules, lt->dump->db, lt->dump->name);

        if (list && lt->dump->kind != TABLE_VIEW && lt->dump->kind != TABLE_SEQUENCE)
            rc = table_cut(run, lt, list, err);
    }
    table_rules_free(rules);
    return rc;
}

/* The member of a job's options; new. One of an older version has none. */
static json_t *ignored_of(const char *options)
{
    json_t *all = json_loads(options, 0, NULL);
    json_t *list = json_object_get(all, "ignore-columns");

    list = list ? json_incref(list) : json_array();
    json_decref(all);
    return list;
}

enum err_code columns_same(const struct load_run *run, const char *then, const char *now,
                           struct err *err)
{
    json_t *before = ignored_of(then);
    json_t *wanted = ignored_of(now);
    const bool same = json_equal(before, wanted);
    char *text = json_dumps(before, JSON_COMPACT);

    if (!same)
        (void)err_set(err, ERR_USAGE,
                      "this load has begun with --ignore-columns %s: rows of it would have other "
                      "columns than those that are there; repeat the first command's, or, to begin "
                      "anew with emptied tables, say DELETE FROM `%s`.`job` WHERE job = %llu",
                      text, run->state.schema, (unsigned long long)run->state.job);
    free(text);
    json_decref(before);
    json_decref(wanted);
    return same ? ERR_OK : err->code;
}
