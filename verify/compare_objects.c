/* What is no row: the texts of views, triggers, routines and events.
 *
 * Servers keep the body of a program as it was written, so bodies are compared as they are. A view
 * they print in words of their own, and with the names of its database: its text is compared
 * between servers of one series where no name differs; its columns always are. */
#include "verify/compare_inner.h"

#include "common/base/log.h"
#include "common/base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct object {
    const char *kind, *db, *name; /* as on the target */
    const char *of;               /* the name that the filter judges: a trigger's table */
    const char *text;             /* NULL: the account may not see it */
};
struct objects {
    struct object *items;
    size_t count, room;
};
struct reading {
    struct compare *run;
    struct objects *into;
    const char *kind;
    enum side side;
};

/* Database, the name that the filter judges, name, text. */
static const struct {
    const char *kind, *sql;
    bool program;
} queries[] = {
    {"view",
     "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_NAME, NULLIF(VIEW_DEFINITION, '') FROM "
     "information_schema.VIEWS",
     false},
    {"trigger",
     "SELECT TRIGGER_SCHEMA, EVENT_OBJECT_TABLE, TRIGGER_NAME, CONCAT(ACTION_TIMING, ' ', "
     "EVENT_MANIPULATION, ' ', NULLIF(ACTION_STATEMENT, '')) FROM information_schema.TRIGGERS",
     true},
    {"routine",
     "SELECT ROUTINE_SCHEMA, ROUTINE_NAME, ROUTINE_NAME, CONCAT(ROUTINE_TYPE, ' ', "
     "IS_DETERMINISTIC, ' ', SQL_DATA_ACCESS, ' ', SECURITY_TYPE, ' ', ROUTINE_DEFINITION) FROM "
     "information_schema.ROUTINES",
     true},
    {"event",
     "SELECT EVENT_SCHEMA, EVENT_NAME, EVENT_NAME, CONCAT(COALESCE(INTERVAL_VALUE, ''), ' ', "
     "COALESCE(INTERVAL_FIELD, ''), ' ', EVENT_DEFINITION) FROM information_schema.EVENTS",
     true},
};

/* ---- reading ---- */

static const char *cell_keep(struct compare *run, const struct row *row, unsigned cell)
{
    return row->cell[cell] ? arena_memdup(run->arena, row->cell[cell], row->len[cell]) : NULL;
}

/* Of an object of the target: whether the filter would have chosen it on the source. */
static bool chosen_there(const struct compare *run, const struct object *o)
{
    const struct schema *from = run->schema[SOURCE_SIDE];

    for (size_t i = 0; i < from->database_count; i++)
        if (strcmp(route_database(run->route, from->databases[i].name), o->db) == 0 &&
            filter_match_table(run->filter, from->databases[i].name, o->of))
            return true;
    return false;
}

static enum err_code object_row(void *ctx, const struct row *row, struct err *err)
{
    struct reading *r = ctx;
    struct objects *list = r->into;
    struct object o = {.kind = r->kind};

    (void)err;
    if (row->count < 4 || !row->cell[0] || !row->cell[1] || !row->cell[2])
        return ERR_OK;
    o.db = cell_keep(r->run, row, 0);
    o.of = cell_keep(r->run, row, 1);
    o.name = cell_keep(r->run, row, 2);
    o.text = cell_keep(r->run, row, 3);
    if (r->side == SOURCE_SIDE ? !filter_match_table(r->run->filter, o.db, o.of)
                               : !chosen_there(r->run, &o))
        return ERR_OK;
    if (r->side == SOURCE_SIDE && strcmp(r->kind, "view") == 0)
        route_table(r->run->route, o.db, o.of, &o.db, &o.name);
    else if (r->side == SOURCE_SIDE) {
        const char *table;

        route_table(r->run->route, o.db, o.of, &o.db, &table);
    }
    if (list->count == list->room) {
        list->room = list->room ? list->room * 2 : 64;
        list->items = xreallocarray(list->items, list->room, sizeof(*list->items));
    }
    list->items[list->count++] = o;
    return ERR_OK;
}

/* Names of views mind case where the server does; those of programs nowhere. */
static int object_order(const void *a, const void *b)
{
    const struct object *x = a;
    const struct object *y = b;
    int order = strcmp(x->kind, y->kind);

    if (!order)
        order = strcasecmp(x->db, y->db);
    return order ? order : strcasecmp(x->name, y->name);
}

static enum err_code objects_read(struct compare *run, struct conn *c, enum side side,
                                  bool programs, struct objects *into, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (size_t i = 0; !rc && i < sizeof(queries) / sizeof(queries[0]); i++) {
        struct reading r = {run, into, queries[i].kind, side};
        struct strbuf sql = {0};

        if (queries[i].program && !programs)
            continue;
        strbuf_addstr(&sql, queries[i].sql);
        rc = conn_rows(c, &sql, object_row, &r, err);
        strbuf_release(&sql);
    }
    if (into->count)
        qsort(into->items, into->count, sizeof(*into->items), object_order);
    return rc;
}

/* ---- comparing ---- */

static enum err_code object_say(struct compare *run, const struct object *o, const char *how,
                                struct err *err)
{
    struct strbuf what = {0};
    enum err_code rc;

    strbuf_addf(&what, "the %s %s", o->kind, how);
    rc = report_object(run, o->db, o->name, strbuf_str(&what), err);
    strbuf_release(&what);
    return rc;
}

/* Which views there are has been compared with the tables. */
static enum err_code object_alone(struct compare *run, const struct object *o, enum side side,
                                  struct err *err)
{
    if (strcmp(o->kind, "view") == 0)
        return ERR_OK;
    return object_say(run, o,
                      side == SOURCE_SIDE ? "is not on the target" : "is on the target alone", err);
}

static enum err_code object_both(struct compare *run, const struct object *a,
                                 const struct object *b, bool same_series, uint64_t *unseen,
                                 struct err *err)
{
    const bool view = strcmp(a->kind, "view") == 0;

    if (view && (!same_series || !route_is_empty(run->route)))
        return ERR_OK;
    if (!a->text || !b->text) {
        (*unseen)++;
        return ERR_OK;
    }
    return strcmp(a->text, b->text) == 0 ? ERR_OK
                                         : object_say(run, b, "is another one on the target", err);
}

static const struct object *object_at(const struct objects *list, size_t at)
{
    return at < list->count ? &list->items[at] : NULL;
}

static enum err_code objects_merge(struct compare *run, const struct objects side[SIDES],
                                   uint64_t *unseen, struct err *err)
{
    const struct flavour *f = run->flavour;
    const bool series = f[SOURCE_SIDE].vendor == f[TARGET_SIDE].vendor &&
                        f[SOURCE_SIDE].version / 100 == f[TARGET_SIDE].version / 100;
    size_t at[SIDES] = {0, 0};
    enum err_code rc = ERR_OK;

    while (!rc && (at[SOURCE_SIDE] < side[SOURCE_SIDE].count ||
                   at[TARGET_SIDE] < side[TARGET_SIDE].count)) {
        const struct object *a = object_at(&side[SOURCE_SIDE], at[SOURCE_SIDE]);
        const struct object *b = object_at(&side[TARGET_SIDE], at[TARGET_SIDE]);
        const int order = !a ? 1 : !b ? -1 : object_order(a, b);

        at[SOURCE_SIDE] += order <= 0;
        at[TARGET_SIDE] += order >= 0;
        if (order == 0)
            rc = object_both(run, a, b, series, unseen, err);
        else
            rc = object_alone(run, order < 0 ? a : b, order < 0 ? SOURCE_SIDE : TARGET_SIDE, err);
    }
    return rc;
}

enum err_code compare_objects(struct compare *run, struct conn *const conn[SIDES], struct err *err)
{
    const bool programs = !run->config->no_programs &&
                          run->flavour[SOURCE_SIDE].vendor != VENDOR_TIDB &&
                          run->flavour[TARGET_SIDE].vendor != VENDOR_TIDB;
    struct objects side[SIDES] = {{0}, {0}};
    uint64_t unseen = 0;
    enum err_code rc = ERR_OK;

    for (int s = 0; !rc && s < SIDES; s++)
        rc = objects_read(run, conn[s], (enum side)s, programs, &side[s], err);
    if (!rc)
        rc = objects_merge(run, side, &unseen, err);
    if (!rc && unseen)
        log_event(LOG_WARN, "verify.objects.unseen", F_U64("objects", unseen),
                  F_STR("message", "the accounts may not see the texts of these views and "
                                   "programs, which were not compared: SHOW VIEW, TRIGGER, EVENT, "
                                   "SHOW_ROUTINE"));
    for (int s = 0; s < SIDES; s++)
        free(side[s].items);
    return rc;
}

/* The columns' names, in their order. */
enum err_code compare_view(struct compare *run, const struct table *t, const struct table *to,
                           struct err *err)
{
    bool same = t->column_count == to->column_count;

    for (unsigned i = 0; same && i < t->column_count; i++)
        same = strcasecmp(t->columns[i].name, to->columns[i].name) == 0;
    /* a view that cannot be used shows no columns */
    if (same || !t->column_count || !to->column_count)
        return ERR_OK;
    return report_object(run, t->db, t->name, "the view has other columns on the target", err);
}
