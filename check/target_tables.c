/* The tables that the target has already. */
#include "check/check_inner.h"

#include "common/mysql/ident.h"
#include "common/schema/collation.h"
#include "common/schema/hold.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROBES_MAX 2000   /* tables that are asked whether they hold rows */
#define COLLISIONS_MAX 10 /* groups of rows that are named a key */

/* ---- there, empty, able to hold the rows ---- */

static enum err_code holds_rows(struct check_side *s, const struct table *t, bool *rows,
                                struct err *err)
{
    struct strbuf sql = {0};
    char *one = NULL;
    enum err_code rc;

    strbuf_addstr(&sql, "SELECT 1 FROM ");
    strbuf_add_table(&sql, t->db, t->name);
    strbuf_addstr(&sql, " LIMIT 1");
    rc = ask(s, strbuf_str(&sql), &one, err);
    *rows = one != NULL;
    free(one);
    strbuf_release(&sql);
    return rc;
}

struct there {
    uint64_t tables, filled, probes, unasked;
};

static enum err_code existing(struct check *c, struct check_outcome *o, const struct table *from,
                              const struct table *to, struct there *n)
{
    struct err why = ERR_INIT;
    bool rows = to->row_estimate > 0;

    n->tables++;
    if (table_has_rows(to) != table_has_rows(from)) {
        list(o, "%s.%s: another kind of object on the target", to->db, to->name);
        say(o, CHECK_FAILED, "%s.%s is something else there", to->db, to->name);
        return ERR_OK;
    }
    if (!table_has_rows(to))
        return ERR_OK;
    /* statistics are believed only of the rest: they lag behind */
    if (n->probes == PROBES_MAX) {
        n->unasked++;
    } else {
        n->probes++;
        if (holds_rows(&c->side[TARGET], to, &rows, &why))
            return why.code;
    }
    if (rows) {
        n->filled++;
        list(o, "%s.%s: it holds rows", to->db, to->name);
    }
    if (table_can_hold(to, from, &why)) {
        list(o, "%s", why.msg);
        say(o, CHECK_FAILED, "%s.%s cannot hold the source's rows exactly", to->db, to->name);
    }
    return ERR_OK;
}

enum err_code check_target_tables(struct check *c, struct check_outcome *o, struct err *err)
{
    const struct schema *s = c->side[SOURCE].schema;
    struct there n = {0};

    for (size_t i = 0; i < s->table_count; i++) {
        const struct table *to = target_table(c, &s->tables[i]);

        if (to && existing(c, o, &s->tables[i], to, &n))
            return err_set(err, ERR_SERVER_LOST, "the target was lost");
    }
    if (o->result == CHECK_FAILED)
        mend(o, "ferry load --if-table-exists drop --yes   -- drops them, or ALTER TABLE there");
    say(o, n.filled ? CHECK_WARNING : CHECK_PASSED,
        "%" PRIu64 " of %zu tables exist on the target, %" PRIu64 " of them with rows", n.tables,
        s->table_count, n.filled);
    if (n.unasked)
        say(o, CHECK_PASSED, "of %" PRIu64 " only the statistics were looked at", n.unasked);
    if (n.filled)
        mend(o, "ferry load --check-conflicts   -- names the rows that are in the way; "
                "--if-table-exists truncate --yes empties them first");
    return ERR_OK;
}

/* ---- triggers there ---- */

struct trigger_list {
    struct check *c;
    struct check_outcome *o;
    const struct table **ours; /* of the target's schema, sorted by address */
    size_t count;
};

static int by_address(const void *a, const void *b)
{
    const struct table *x = *(const struct table *const *)a;
    const struct table *y = *(const struct table *const *)b;

    return x < y ? -1 : x > y;
}

static enum err_code trigger_row(void *ctx, const struct row *row, struct err *err)
{
    struct trigger_list *l = ctx;
    const struct table *t;
    char *db, *table;

    (void)err;
    if (row->count < 4 || !row->cell[0] || !row->cell[1] || !row->cell[2] || !row->cell[3])
        return ERR_OK;
    db = xstrndup(row->cell[0], row->len[0]);
    table = xstrndup(row->cell[1], row->len[1]);
    t = schema_find(l->c->side[TARGET].schema, db, table);
    if (t && l->count && bsearch(&t, l->ours, l->count, sizeof(*l->ours), by_address)) {
        list(l->o, "%s.%s: %.*s, on %.*s", db, table, (int)row->len[2], row->cell[2],
             (int)row->len[3], row->cell[3]);
        mend(l->o, "DROP TRIGGER `%s`.`%.*s`;   -- for the time of the load", db, (int)row->len[2],
             row->cell[2]);
    }
    free(db);
    free(table);
    return ERR_OK;
}

enum err_code check_target_triggers(struct check *c, struct check_outcome *o, struct err *err)
{
    const struct schema *s = c->side[SOURCE].schema;
    struct trigger_list l = {.c = c, .o = o};
    struct strbuf sql = {0};
    enum err_code rc;

    l.ours = xcalloc(s->table_count + 1, sizeof(*l.ours));
    for (size_t i = 0; i < s->table_count; i++) {
        const struct table *to = target_table(c, &s->tables[i]);

        if (to)
            l.ours[l.count++] = to;
    }
    if (l.count)
        qsort(l.ours, l.count, sizeof(*l.ours), by_address);
    strbuf_addstr(&sql, "SELECT EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE, TRIGGER_NAME, "
                        "EVENT_MANIPULATION FROM information_schema.TRIGGERS");
    rc = l.count ? conn_rows(c->side[TARGET].conn, &sql, trigger_row, &l, err) : ERR_OK;
    strbuf_release(&sql);
    free(l.ours);
    if (!rc)
        say(o, o->objects ? CHECK_FAILED : CHECK_PASSED,
            "%" PRIu64 " triggers would act on the rows that come in", o->objects);
    return rc;
}

/* ---- rows that are one under the target's collation ---- */

struct compares { /* how a column does on the target; "" is a column without a collation */
    char charset[16], collation[64];
};

/* `to` NULL: the table is yet to be created. false: there is no such column. */
static bool target_compares(const struct check *c, const struct column *column,
                            const struct table *to, struct compares *out)
{
    const struct column *there = to ? table_column(to, column->name) : NULL;
    struct collation_map map;

    *out = (struct compares){{0}, {0}};
    if (to && !there)
        return false;
    if (there && there->collation) {
        (void)snprintf(out->charset, sizeof(out->charset), "%s",
                       there->charset ? there->charset : "utf8mb4");
        (void)snprintf(out->collation, sizeof(out->collation), "%s", there->collation);
    } else if (!to && column->collation) {
        collation_map(column->collation, &c->side[TARGET].flavour,
                      (struct collation_wish){.key = !c->config->key_collation_nearest}, &map);
        (void)snprintf(out->charset, sizeof(out->charset), "%s", map.charset);
        (void)snprintf(out->collation, sizeof(out->collation), "%s", map.name);
    }
    return true;
}

/* Appends the key's parts as they compare on the target; false: no part compares otherwise. */
static bool target_key(const struct check *c, const struct table *from, const struct table *to,
                       const struct key *key, struct strbuf *out)
{
    bool other = false;

    for (unsigned i = 0; i < key->part_count; i++) {
        const struct column *column = &from->columns[key->parts[i].column];
        struct compares there;

        if (key->parts[i].expression || !target_compares(c, column, to, &there))
            return false;
        strbuf_addstr(out, i ? ", " : "");
        if (!column->collation || !there.collation[0] ||
            strcmp(column->collation, there.collation) == 0) {
            strbuf_add_ident(out, column->name);
            continue;
        }
        other = true;
        strbuf_addstr(out, key->parts[i].prefix_len ? "LEFT(CONVERT(" : "CONVERT(");
        strbuf_add_ident(out, column->name);
        strbuf_addf(out, " USING %s) ", there.charset);
        if (key->parts[i].prefix_len)
            strbuf_addf(out, ", %u) ", key->parts[i].prefix_len);
        strbuf_addf(out, "COLLATE %s", there.collation);
    }
    return other;
}

static enum err_code collide(struct check *c, struct check_outcome *o, const struct table *from,
                             const struct key *key, const char *parts)
{
    struct check_side *s = &c->side[SOURCE];
    struct strbuf sql = {0};
    struct err why = ERR_INIT;
    char *groups = NULL;

    strbuf_addstr(&sql, "SELECT COUNT(*) FROM (SELECT COUNT(*) AS n FROM ");
    strbuf_add_table(&sql, from->db, from->name);
    strbuf_addstr(&sql, " WHERE TRUE");
    for (unsigned i = 0; i < key->part_count; i++) {
        strbuf_addstr(&sql, " AND ");
        strbuf_add_ident(&sql, from->columns[key->parts[i].column].name);
        strbuf_addstr(&sql, " IS NOT NULL");
    }
    strbuf_addf(&sql, " GROUP BY %s HAVING n > 1) AS g", parts);
    if (conn_value(s->conn, strbuf_str(&sql), &groups, &why)) {
        if (conn_usable(s->conn)) {
            list(o, "%s.%s, key %s: not known, as the source lacks the target's collation (%s)",
                 from->db, from->name, key->name, why.msg);
            say(o, CHECK_WARNING, "some keys cannot be looked at");
            err_clear(&why);
        }
    } else if (groups && strcmp(groups, "0") != 0) {
        list(o, "%s.%s, key %s: %s groups of rows", from->db, from->name, key->name, groups);
        say(o, CHECK_FAILED, "rows of %s.%s collide", from->db, from->name);
        if (o->objects <= COLLISIONS_MAX)
            mend(o, "SELECT %s, COUNT(*) AS n FROM `%s`.`%s` GROUP BY %s HAVING n > 1;", parts,
                 from->db, from->name, parts);
    }
    free(groups);
    strbuf_release(&sql);
    return why.code;
}

/* Every unique key of the table that compares otherwise on the target; `to` NULL: not yet there. */
static enum err_code collide_keys(struct check *c, struct check_outcome *o,
                                  const struct table *from, const struct table *to, uint64_t *keys)
{
    enum err_code rc = ERR_OK;

    for (unsigned k = 0; !rc && k < from->key_count; k++) {
        struct strbuf parts = {0};

        if (from->keys[k].unique && target_key(c, from, to, &from->keys[k], &parts)) {
            ++*keys;
            rc = collide(c, o, from, &from->keys[k], strbuf_str(&parts));
        }
        strbuf_release(&parts);
    }
    return rc;
}

enum err_code check_collisions(struct check *c, struct check_outcome *o, struct err *err)
{
    const struct schema *s = c->side[SOURCE].schema;
    const bool nearest = c->config->key_collation_nearest;
    uint64_t keys = 0;

    if (!c->config->collisions)
        return skip(o, "it reads the tables' keys whole: ask for it with --collisions");
    for (size_t i = 0; i < s->table_count; i++) {
        const struct table *to = target_table(c, &s->tables[i]);

        if ((to || (nearest && table_has_rows(&s->tables[i]))) &&
            collide_keys(c, o, &s->tables[i], to, &keys))
            return err_set(err, ERR_SERVER_LOST, "the source was lost");
    }
    say(o, CHECK_PASSED,
        "%" PRIu64 " unique keys of tables that %s compare otherwise on the target%s", keys,
        nearest ? "exist or are to be created" : "exist",
        nearest ? "" : "; tables that ferry creates get keys under which nothing collides");
    return ERR_OK;
}
