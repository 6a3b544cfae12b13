/* One run: both servers are connected to and asked what all items need, then each item is looked
 * at. A server that goes away is named by the item that noticed, and the rest of its items are
 * skipped; the report is whole in any case. */
#include "check/check_inner.h"

#include "common/base/clock.h"
#include "common/mysql/ident.h"
#include "common/schema/read.h"

#include <stdlib.h>
#include <string.h>

/* ---- reading ---- */

static bool lost(const struct check_side *s)
{
    return s->conn && !conn_usable(s->conn);
}

static void side_lose(struct check_side *s)
{
    conn_close(s->conn);
    s->conn = NULL;
}

static void sum_bytes(struct check_side *s)
{
    for (size_t i = 0; i < s->schema->table_count; i++)
        s->bytes += s->schema->tables[i].data_bytes;
}

/* Everything in the databases that the source's tables go to. */
static enum err_code target_filter(const struct check *c, struct filter **filter, struct err *err)
{
    const struct schema *s = c->side[SOURCE].schema;
    const size_t room = s->database_count + route_count(c->route) + 1;
    char **patterns = xcalloc(room, sizeof(*patterns));
    size_t count = 0;
    const char *last = "";
    enum err_code rc;

    for (size_t i = 0; i < s->table_count && count < room; i++) {
        struct strbuf sb = {0};
        const char *db, *name;

        route_table(c->route, s->tables[i].db, s->tables[i].name, &db, &name);
        if (strcmp(db, last) == 0)
            continue;
        last = db;
        strbuf_add_ident(&sb, db);
        strbuf_addstr(&sb, ".*");
        patterns[count++] = strbuf_detach(&sb);
    }
    rc = filter_new((const char *const *)patterns, count, false, filter, err);
    for (size_t i = 0; i < count; i++)
        free(patterns[i]);
    free(patterns);
    return rc;
}

static void schema_of(struct check_side *s, const struct filter *filter)
{
    if (!s->conn)
        return;
    if (schema_read(s->conn, filter, &s->schema, &s->schema_why)) {
        s->schema = NULL;
        if (lost(s))
            side_lose(s);
        return;
    }
    sum_bytes(s);
    side_fold(s);
}

static enum err_code schemas(struct check *c, struct err *err)
{
    struct filter *filter = NULL;

    schema_of(&c->side[SOURCE], c->filter);
    if (!c->side[SOURCE].schema || !c->side[SOURCE].schema->table_count || !c->side[TARGET].conn)
        return ERR_OK;
    if (target_filter(c, &filter, err))
        return err->code;
    schema_of(&c->side[TARGET], filter);
    filter_free(filter);
    return ERR_OK;
}

/* A server that is lost between two questions is an outcome like one that was never reached. */
static void side_start(struct check_side *s, enum conn_profile profile)
{
    struct err err = ERR_INIT;

    if (side_open(s, profile, &err)) {
        s->why = err;
        s->was_open = false;
        side_lose(s);
    }
}

/* ---- items ---- */

static bool is_given(const char *const *ids, size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(ids[i], id) == 0)
            return true;
    return false;
}

static enum err_code ids_known(const struct check_config *config, struct err *err)
{
    for (size_t i = 0; i < config->ignore_count; i++) {
        bool known = strcmp(config->ignore[i], "all") == 0;

        for (size_t k = 0; !known && k < check_item_count; k++)
            known = strcmp(config->ignore[i], check_items[k].info.id) == 0;
        if (!known)
            return err_set(err, ERR_USAGE,
                           "--ignore: there is no check '%s' (ferry help checks lists them)",
                           config->ignore[i]);
    }
    return ERR_OK;
}

static const char *side_missing(const struct check_side *s)
{
    if (!s->url)
        return "is not given";
    return s->was_open ? "was lost" : "cannot be reached";
}

static enum err_code unmet_side(const struct check *c, unsigned needs, struct check_outcome *o)
{
    const unsigned bits[SIDES] = {NEEDS_SOURCE, NEEDS_TARGET};

    for (int i = 0; i < SIDES; i++)
        if ((needs & bits[i]) && !c->side[i].conn)
            return skip(o, "the %s %s", c->side[i].role, side_missing(&c->side[i]));
    return ERR_OK;
}

/* Skips the item where it has nothing to look at. */
static void unmet(const struct check *c, unsigned needs, struct check_outcome *o)
{
    const struct check_side *source = &c->side[SOURCE];
    const bool tidb_target = c->side[TARGET].flavour.vendor == VENDOR_TIDB;
    enum err_code rc = unmet_side(c, needs, o);

    if (rc || o->result == CHECK_SKIPPED)
        return;
    if ((needs & NEEDS_OUTPUT) && !c->config->output)
        rc = skip(o, "no --output is given");
    else if ((needs & NEEDS_BINLOG) && source->flavour.vendor == VENDOR_TIDB)
        rc = skip(o, "TiDB has nothing of the kind");
    else if ((needs & NEEDS_LOGGING) && !variable_on(source, "log_bin"))
        rc = skip(o, "the source writes no binlog");
    else if ((needs & NEEDS_TARGET_TIDB) && !tidb_target)
        rc = skip(o, "the target is no TiDB");
    else if ((needs & NEEDS_TARGET_CLASSIC) && tidb_target)
        rc = skip(o, "TiDB has no triggers");
    else if ((needs & NEEDS_TABLES) && !source->schema)
        rc = skip(o, "the source's tables could not be listed");
    (void)rc;
}

/* Takes the item's own fault as an outcome. */
static void fault(struct check *c, struct check_outcome *o, const struct err *err)
{
    bool gone = false;

    for (int i = 0; i < SIDES; i++)
        if (lost(&c->side[i])) {
            say(o, CHECK_FAILED, "the %s was lost: %s", c->side[i].role, err->msg);
            side_lose(&c->side[i]);
            gone = o->may_pass = true;
        }
    if (!gone)
        say(o, CHECK_WARNING, "this could not be looked at: %s", err->msg);
    else
        mend(o, "look at the server, then say the same command again");
}

static void look(struct check *c, const struct check_item *item, struct check_outcome *o)
{
    struct err err = ERR_INIT;

    o->info = &item->info;
    unmet(c, item->needs, o);
    if (o->result == CHECK_SKIPPED)
        return;
    if (strcmp(item->info.id, "tables") == 0 && !c->side[SOURCE].schema)
        say(o, CHECK_FAILED, "%s", c->side[SOURCE].schema_why.msg);
    else if (item->fn(c, o, &err))
        fault(c, o, &err);
}

static void count(const struct check_config *config, struct check_report *r,
                  struct check_outcome *o)
{
    const bool named = is_given(config->ignore, config->ignore_count, o->info->id);
    const bool all = is_given(config->ignore, config->ignore_count, "all");

    o->ignored = (named && o->result != CHECK_PASSED && o->result != CHECK_SKIPPED) ||
                 (all && o->result == CHECK_WARNING);
    if (o->ignored)
        r->ignored++;
    else if (o->result == CHECK_PASSED)
        r->passed++;
    else if (o->result == CHECK_WARNING)
        r->warnings++;
    else if (o->result == CHECK_FAILED)
        r->failed++;
    else
        r->skipped++;
}

/* A connection's item is of no matter when the server is not given. */
static bool wanted(const struct check *c, const struct check_item *item)
{
    if (!(item->info.stages & c->config->stages))
        return false;
    if (item->fn == check_source_connection)
        return c->side[SOURCE].url != NULL;
    return item->fn != check_target_connection || c->side[TARGET].url;
}

static enum err_code look_at_all(struct check *c, struct check_report *r, struct err *err)
{
    r->outcomes = xcalloc(check_item_count, sizeof(*r->outcomes));
    for (size_t i = 0; i < check_item_count; i++) {
        if (c->config->cancel && cancel_asked(c->config->cancel))
            return err_set(err, ERR_INTERRUPTED, "stopped before all was looked at");
        if (!wanted(c, &check_items[i]))
            continue;
        look(c, &check_items[i], &r->outcomes[r->count]);
        count(c->config, r, &r->outcomes[r->count++]);
    }
    return ERR_OK;
}

/* ---- the whole ---- */

static void describe(const struct check_side *s, char **url, char **version)
{
    struct strbuf text = {0};

    if (!s->url)
        return;
    server_url_text(s->url, &text);
    *url = strbuf_detach(&text);
    if (s->was_open)
        *version = xstrdup(s->flavour.text);
}

static void check_release(struct check *c)
{
    for (int i = 0; i < SIDES; i++)
        side_release(&c->side[i]);
    filter_free(c->filter);
    route_free(c->route);
    free(c->definitions.notes);
    arena_free(c->definitions.arena);
}

enum err_code check_run(const struct check_config *config, struct check_report *report,
                        struct err *err)
{
    const uint64_t began = clock_mono_us();
    struct check c = {.config = config,
                      .side = {{.url = config->source, .role = "source"},
                               {.url = config->target, .role = "target"}}};
    enum err_code rc = ids_known(config, err);

    *report = (struct check_report){.stages = config->stages};
    if (!rc)
        rc = filter_new(config->filters, config->filter_count, config->case_sensitive, &c.filter,
                        err);
    if (!rc)
        rc = route_new(config->renames, config->rename_count, &c.route, err);
    if (!rc) {
        side_start(&c.side[SOURCE], CONN_SOURCE);
        side_start(&c.side[TARGET], CONN_TARGET);
        rc = schemas(&c, err);
    }
    if (!rc)
        rc = look_at_all(&c, report, err);
    describe(&c.side[SOURCE], &report->source, &report->source_version);
    describe(&c.side[TARGET], &report->target, &report->target_version);
    report->us = clock_mono_us() - began;
    check_release(&c);
    if (rc)
        check_report_release(report);
    return rc;
}

void check_report_release(struct check_report *r)
{
    for (size_t i = 0; i < r->count; i++) {
        strbuf_release(&r->outcomes[i].found);
        strbuf_release(&r->outcomes[i].mend);
        for (size_t k = 0; k < r->outcomes[i].object_count; k++)
            free(r->outcomes[i].object[k]);
        free(r->outcomes[i].object);
    }
    free(r->outcomes);
    free(r->source);
    free(r->target);
    free(r->source_version);
    free(r->target_version);
    *r = (struct check_report){0};
}
