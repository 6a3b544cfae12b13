/* Foreign keys whose cascades InnoDB does by itself, without a word in the binlog: a replay would
 * have to do them too, and doing them twice is not the same as once. So all tables that such keys
 * tie together are of one epoch. */
#include "dumper/replay.h"

#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/schema/ddl_table.h"
#include "common/schema/read.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct cascades {
    struct dump_run *run;
    size_t *root; /* of each table's group, by the ledger's index; its own where there is none */
    bool *tied;   /* by any key */
};

static size_t cascades_root(struct cascades *c, size_t i)
{
    while (c->root[i] != i)
        i = c->root[i] = c->root[c->root[i]];
    return i;
}

static bool cascades_find(const struct cascades *c, const char *db, const char *name, size_t *index)
{
    const struct ledger *l = c->run->ledger;

    for (size_t i = 0; i < l->table_count; i++)
        if (strcasecmp(l->tables[i]->db, db) == 0 && strcasecmp(l->tables[i]->name, name) == 0) {
            *index = i;
            return true;
        }
    return false;
}

/* ON DELETE or ON UPDATE with CASCADE, SET NULL or SET DEFAULT; `*at`: the word REFERENCES. */
static bool cascades_item(const struct ddl_text *d, const struct ddl_item *item, size_t *at)
{
    bool references = false;

    for (size_t i = item->span.first; i + 2 < item->span.end; i++) {
        if (!references && ddl_is(d, i, "REFERENCES")) {
            references = true;
            *at = i;
        }
        if (references && ddl_is(d, i, "ON") &&
            (ddl_is(d, i + 1, "DELETE") || ddl_is(d, i + 1, "UPDATE")) &&
            (ddl_is(d, i + 2, "CASCADE") || ddl_is(d, i + 2, "SET")))
            return true;
    }
    return false;
}

/* Ties table `i` to the parent that is named behind the word REFERENCES. */
static void cascades_tie(struct cascades *c, const struct ddl_text *d, size_t at, size_t i)
{
    const struct ledger *l = c->run->ledger;
    const bool has_db = ddl_is(d, at + 2, ".");
    const char *db = has_db ? ddl_value(d, at + 1) : l->tables[i]->db;
    const char *name = ddl_value(d, has_db ? at + 3 : at + 1);
    size_t parent;

    c->tied[i] = true; /* also to a parent that is not in the dump */
    if (!cascades_find(c, db, name, &parent))
        return;
    c->tied[parent] = true;
    c->root[cascades_root(c, i)] = cascades_root(c, parent);
}

static enum err_code cascades_table(struct cascades *c, size_t i, struct err *err)
{
    const struct ledger_table *l = c->run->ledger->tables[i];
    const struct table *t = schema_find(c->run->plan.schema, l->db, l->name);
    struct arena *arena;
    struct ddl_table parsed = {0};
    struct ddl_text d;
    char *sql = NULL;
    enum err_code rc;

    if (!t || !l->is_table)
        return ERR_OK;
    rc = schema_create_table(c->run->control, t, &sql, err);
    if (rc || !strstr(sql, "FOREIGN KEY")) {
        free(sql);
        return rc;
    }
    arena = arena_new();
    rc = ddl_text_init(&d, sql, &c->run->flavour, arena, err);
    if (!rc)
        rc = ddl_table_parse(&d, &parsed, err);
    for (size_t k = 0; !rc && k < parsed.item_count; k++) {
        size_t at = 0;

        if (parsed.items[k].kind == ITEM_FOREIGN && cascades_item(&d, &parsed.items[k], &at))
            cascades_tie(c, &d, at, i);
    }
    arena_free(arena);
    free(sql);
    return rc ? err_wrap(err, "'%s.%s'", l->db, l->name) : ERR_OK;
}

/* Whether rows of the group are missing, and some are there: then it starts again. */
static bool cascades_torn(struct cascades *c, size_t root)
{
    const struct ledger *l = c->run->ledger;
    bool missing = false;
    bool there = false;

    for (size_t i = 0; i < l->table_count; i++) {
        if (!c->tied[i] || cascades_root(c, i) != root || !l->tables[i]->is_table)
            continue;
        missing = missing || !l->tables[i]->done;
        there = there || l->tables[i]->from;
    }
    return missing && there;
}

static enum err_code cascades_again(struct cascades *c, size_t root, bool *again, struct err *err)
{
    const struct ledger *l = c->run->ledger;
    enum err_code rc = ERR_OK;

    for (size_t i = 0; !rc && i < l->table_count; i++) {
        if (!c->tied[i] || cascades_root(c, i) != root || !l->tables[i]->from)
            continue;
        *again = *again || l->tables[i]->done;
        rc = dumper_start_again(c->run, l->tables[i],
                                "it is tied to unfinished tables by cascades, which the source "
                                "does not log",
                                err);
    }
    return rc;
}

static enum err_code cascades_read(struct cascades *c, struct err *err)
{
    const size_t count = c->run->ledger->table_count;
    enum err_code rc = ERR_OK;

    c->root = xcalloc(count + 1, sizeof(*c->root));
    c->tied = xcalloc(count + 1, sizeof(*c->tied));
    for (size_t i = 0; i < count; i++)
        c->root[i] = i;
    for (size_t i = 0; !rc && i < count; i++)
        rc = cascades_table(c, i, err);
    return rc;
}

enum err_code dumper_cascades_refuse(struct dump_run *run, struct err *err)
{
    struct cascades c = {.run = run};
    enum err_code rc = ERR_OK;

    if (run->cascades_logged)
        return ERR_OK;
    rc = cascades_read(&c, err);
    for (size_t i = 0; !rc && i < run->ledger->table_count; i++)
        if (c.tied[i])
            rc = err_set(err, ERR_DUMP_CONSISTENCY,
                         "'%s.%s' is tied to another table by cascades of a foreign key, which the "
                         "source does not log: --consistency binlog cannot bring them to one state "
                         "(use --consistency flush or lock)",
                         run->ledger->tables[i]->db, run->ledger->tables[i]->name);
    free(c.root);
    free(c.tied);
    return rc;
}

enum err_code dumper_cascades(struct dump_run *run, bool *again, struct err *err)
{
    struct cascades c = {.run = run};
    enum err_code rc;

    *again = false;
    if (run->cascades_logged)
        return ERR_OK;
    rc = cascades_read(&c, err);
    for (size_t i = 0; !rc && i < run->ledger->table_count; i++)
        if (c.tied[i] && cascades_root(&c, i) == i && cascades_torn(&c, i))
            rc = cascades_again(&c, i, again, err);
    free(c.root);
    free(c.tied);
    return rc;
}
