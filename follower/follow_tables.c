/* The tables that are followed: under which names, in which window, how defined here and there. */
#include "follower/follow_inner.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/schema/hold.h"
#include "common/schema/read.h"

#include <limits.h>
#include <stdlib.h>
#include <strings.h>

static int table_order(const struct follow_table *t, const char *db, const char *name)
{
    const int order = strcmp(t->db, db);

    return order ? order : strcmp(t->name, name);
}

/* Its index, or where it would be. */
static size_t table_index(const struct follow_run *run, const char *db, const char *name,
                          bool *found)
{
    size_t low = 0;
    size_t high = run->table_count;

    *found = false;
    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        const int order = table_order(run->tables[mid], db, name);

        if (order == 0) {
            *found = true;
            return mid;
        }
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct follow_table *tables_find(const struct follow_run *run, const char *db, const char *name)
{
    bool found = false;
    const size_t at = table_index(run, db, name, &found);

    return found ? run->tables[at] : NULL;
}

struct follow_table *tables_add(struct follow_run *run, const char *db, const char *name)
{
    const char *to_db;
    const char *to_name;
    struct follow_table *t;
    bool found = false;
    const size_t at = table_index(run, db, name, &found);

    if (found)
        return run->tables[at];
    if (run->table_count == run->table_cap) {
        run->table_cap = run->table_cap ? run->table_cap * 2 : 64;
        run->tables = xreallocarray(run->tables, run->table_cap, sizeof(struct follow_table *));
    }
    memmove(&run->tables[at + 1], &run->tables[at],
            (run->table_count - at) * sizeof(struct follow_table *));
    route_table(run->route, db, name, &to_db, &to_name);
    t = xcalloc(1, sizeof *t);
    *t = (struct follow_table){.db = xstrdup(db),
                               .name = xstrdup(name),
                               .to_db = xstrdup(to_db),
                               .to_name = xstrdup(to_name),
                               .id = TABLE_UNKNOWN};
    run->tables[at] = t;
    run->table_count++;
    return t;
}

static void table_free(struct follow_table *t)
{
    definition_free(t->definition);
    free(t->db);
    free(t->name);
    free(t->to_db);
    free(t->to_name);
    free(t);
}

void tables_remove(struct follow_run *run, struct follow_table *t)
{
    bool found = false;
    const size_t at = table_index(run, t->db, t->name, &found);

    memmove(&run->tables[at], &run->tables[at + 1],
            (run->table_count - at - 1) * sizeof(struct follow_table *));
    run->table_count--;
    table_free(t);
}

void tables_free(struct follow_run *run)
{
    for (size_t i = 0; i < run->table_count; i++)
        table_free(run->tables[i]);
    free(run->tables);
    run->tables = NULL;
    run->table_count = run->table_cap = 0;
    schema_free(run->target);
    run->target = NULL;
}

enum err_code tables_wanted(const struct follow_run *run, const char *db, const char *name,
                            bool *wanted, struct err *err)
{
    *wanted = false;
    if (filter_is_system(db) || strcmp(db, run->state.schema) == 0)
        return ERR_OK;
    for (size_t i = 0; i < run->filter_count; i++) {
        if (!run->filters[i])
            return err_set(err, ERR_FOLLOW_STATE,
                           "whether %s.%s is to be followed cannot be said: the dump or the load "
                           "were told their filter from a file (@FILE), which is not kept",
                           db, name);
        if (!filter_match_table(run->filters[i], db, name))
            return ERR_OK;
    }
    *wanted = true;
    return ERR_OK;
}

/* Behind "_"; the name without gh-ost's or pt-online-schema-change's ending, and without the time
 * that gh-ost may put before it. 0: it is none of theirs. */
static size_t shadow_len(const char *name)
{
    static const char *const ends[] = {"_gho", "_del", "_new", "_old", NULL};
    size_t len = strlen(name);
    size_t digits = 0;
    size_t i = 0;

    while (ends[i] &&
           (len <= strlen(ends[i]) || strcmp(name + len - strlen(ends[i]), ends[i]) != 0))
        i++;
    if (name[0] != '_' || !ends[i])
        return 0;
    len -= strlen(ends[i]);
    while (digits < len && name[len - digits - 1] >= '0' && name[len - digits - 1] <= '9')
        digits++;
    if (digits == 14 && len > 16 && name[len - 15] == '_')
        len -= 15;
    return len;
}

enum err_code tables_made(const struct follow_run *run, const char *db, const char *name,
                          bool *wanted, struct err *err)
{
    const size_t len = shadow_len(name);
    enum err_code rc = tables_wanted(run, db, name, wanted, err);

    for (size_t from = 1; !rc && !*wanted && from < len && name[from - 1] == '_'; from++) {
        char *of = xstrndup(name + from, len - from);

        rc = tables_wanted(run, db, of, wanted, err);
        free(of);
    }
    return rc;
}

/* ---- the target ---- */

/* A pattern of common/mysql/filter.h for a whole database. */
static void pattern_add(struct strbuf *out, const char *db)
{
    strbuf_reset(out);
    strbuf_add_ident(out, db);
    strbuf_addstr(out, ".*");
}

enum err_code tables_read_target(struct follow_run *run, struct err *err)
{
    char **patterns = xcalloc(run->table_count + 1, sizeof(char *));
    struct strbuf pattern = {0};
    struct filter *filter = NULL;
    struct schema *schema = NULL;
    size_t count = 0;
    enum err_code rc = ERR_OK;

    for (size_t i = 0; i < run->table_count; i++) {
        pattern_add(&pattern, run->tables[i]->to_db);
        if (count == 0 || strcmp(patterns[count - 1], strbuf_str(&pattern)) != 0)
            patterns[count++] = xstrdup(strbuf_str(&pattern));
    }
    if (count > 0)
        rc = filter_new((const char *const *)patterns, count, true, &filter, err);
    if (!rc && count > 0)
        rc = schema_read(run->conn, filter, &schema, err);
    filter_free(filter);
    for (size_t i = 0; i < count; i++)
        free(patterns[i]);
    free(patterns);
    strbuf_release(&pattern);
    if (rc)
        return err_wrap(err, "reading the target's tables");
    schema_free(run->target);
    run->target = schema;
    return ERR_OK;
}

/* What the source's triggers did is in the binlog: here they must not act again. TiDB has none. */
static enum err_code trigger_check(struct follow_run *run, void *ctx, struct err *err)
{
    const struct follow_table *t = ctx;
    struct strbuf sql = {0};
    char *name = NULL;
    enum err_code rc;

    if (run->flavour.vendor == VENDOR_TIDB)
        return ERR_OK;
    strbuf_addstr(&sql, "SELECT trigger_name FROM information_schema.triggers WHERE "
                        "event_object_schema=");
    strbuf_add_quotedz(&sql, t->to_db);
    strbuf_addstr(&sql, " AND event_object_table=");
    strbuf_add_quotedz(&sql, t->to_name);
    strbuf_addstr(&sql, " LIMIT 1");
    rc = conn_value(run->conn, strbuf_str(&sql), &name, err);
    strbuf_release(&sql);
    if (!rc && name)
        rc =
            err_set(err, ERR_FOLLOW_STATE,
                    "%s.%s has the trigger %s on the target, which would act a second time on what "
                    "the source's has changed: drop it until the source is left (ferry load "
                    "--programs file makes none)",
                    t->to_db, t->to_name, name);
    free(name);
    return rc;
}

static int source_column(const struct table *source, const char *name)
{
    const struct column *c = table_column(source, name);

    return c ? (int)(c - source->columns) : -1;
}

/* What is generated there is computed there; whether a column may be NULL its rows will tell. */
static const char *column_misfit(const struct table *target, const struct column *to,
                                 const struct column *from, struct err *why)
{
    struct column c = *from;

    if (from->generated != GENERATED_NO || from->row_start_end)
        return NULL;
    if (!to)
        return "the target lacks the column";
    c.nullable = false;
    if (to->generated == GENERATED_NO && strcasecmp(to->type_text, c.type_text) == 0 &&
        strcasecmp(to->charset ? to->charset : "", c.charset ? c.charset : "") == 0)
        return NULL;
    return column_can_hold(target, to, &c, why) ? "the target's column does not hold its values"
                                                : NULL;
}

static const char *table_misfit(const struct table *target, const struct table *source,
                                const char **column)
{
    struct err ignored = ERR_INIT;

    for (unsigned i = 0; i < source->column_count; i++) {
        const struct column *from = &source->columns[i];
        const char *misfit =
            column_misfit(target, table_column(target, from->name), from, &ignored);

        *column = from->name;
        if (misfit)
            return misfit;
    }
    for (unsigned i = 0; i < target->column_count; i++) {
        *column = target->columns[i].name;
        if (target->columns[i].generated == GENERATED_NO && !target->columns[i].row_start_end &&
            !table_column(source, target->columns[i].name))
            return "the source has no such column";
    }
    return NULL;
}

enum err_code tables_fit(const struct follow_run *run, const struct follow_table *t,
                         struct err *err)
{
    const struct table *target =
        run->target ? schema_find(run->target, t->to_db, t->to_name) : NULL;
    const char *column = "";
    const char *misfit;
    struct strbuf both = {0};

    if (!target)
        return err_set(err, ERR_FOLLOW_SHAPE, "the target has no table %s.%s", t->to_db,
                       t->to_name);
    misfit = t->definition ? table_misfit(target, &t->definition->model, &column) : NULL;
    if (!misfit)
        return ERR_OK;
    strbuf_addf(&both, "%s.%s, column '%s': %s; on the source it is ", t->to_db, t->to_name, column,
                misfit);
    definition_show(&t->definition->model, &both);
    strbuf_addstr(&both, ", on the target ");
    definition_show(target, &both);
    (void)err_set(err, ERR_FOLLOW_SHAPE, "%s", strbuf_str(&both));
    strbuf_release(&both);
    return err->code;
}

enum err_code tables_register(struct follow_run *run, struct follow_table *t, struct err *err)
{
    const struct table *target;
    int *map;
    enum err_code rc;

    if (t->id != TABLE_UNKNOWN)
        return ERR_OK;
    if (tables_fit(run, t, err))
        return err->code;
    target = schema_find(run->target, t->to_db, t->to_name);
    rc = again_target(run, trigger_check, t, err);
    if (rc)
        return rc;
    map = xcalloc(target->column_count + 1U, sizeof *map);
    for (unsigned i = 0; i < target->column_count; i++)
        map[i] = source_column(&t->definition->model, target->columns[i].name);
    if (!rc) {
        const struct applier_table a = {
            .db = t->to_db, .name = t->to_name, .def = target, .source = map};

        rc = applier_table(run->applier, &a, &t->id, err);
    }
    free(map);
    return rc;
}

/* ---- the source ---- */

static bool table_is_open(const struct follow_run *run, const struct follow_table *t)
{
    return t->from == 0 || t->from > run->epoch_count || run->epochs[t->from - 1].open;
}

enum err_code tables_definition(void *ctx, const char *db, const char *name,
                                const struct table **def, struct err *err)
{
    struct follow_run *run = ctx;
    const struct follow_table *t = tables_find(run, db, name);
    bool wanted = false;

    *def = NULL;
    if (t && !table_is_open(run, t))
        return ERR_OK;
    if (!t && tables_wanted(run, db, name, &wanted, err))
        return err->code;
    if (!t && !wanted)
        return ERR_OK;
    if (!t)
        return err_set(err, ERR_FOLLOW_STATE,
                       "rows of %s.%s, which the dump does not have and the binlog does not "
                       "create: dump and load it, or leave it out by the filter of a new load",
                       db, name);
    if (t->left_out)
        return err_set(err, ERR_FOLLOW_STATE,
                       "rows of %s.%s, whose rows so far are not in the target: the dump does "
                       "without them",
                       db, name);
    *def = t->definition ? &t->definition->model : NULL;
    return again_source(run, err); /* which the maps of its character sets are asked of */
}

void table_row(const struct follow_table *t, struct strbuf *definition, struct follow_row *row)
{
    strbuf_reset(definition);
    if (t->definition)
        definition_text(&t->definition->model, definition);
    *row = (struct follow_row){.db = t->db,
                               .name = t->name,
                               .to_db = t->to_db,
                               .to_name = t->to_name,
                               .from = t->from,
                               .to = t->to,
                               .left_out = t->left_out,
                               .definition = strbuf_str(definition)};
}
