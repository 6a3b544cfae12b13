/* The source's tables: whether they can be dumped, followed, and held by the target. */
#include "check/check_inner.h"

#include "common/schema/collation.h"
#include "common/schema/engines.h"
#include "common/schema/select.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MENDS_MAX 20  /* statements that are written out */
#define LARGE_SHARE 6 /* of the limit that a mean row may have */

static const struct schema *source(const struct check *c)
{
    return c->side[SOURCE].schema;
}

/* ---- there are some ---- */

/* The database of a pattern that names one exactly, "shop.*"; NULL: it has wildcards or quotes. */
static char *pattern_database(const char *pattern)
{
    size_t len = 0;

    while (isalnum((unsigned char)pattern[len]) || pattern[len] == '_' || pattern[len] == '-')
        len++;
    return len && pattern[len] == '.' ? xstrndup(pattern, len) : NULL;
}

static bool database_seen(const struct check *c, const char *db)
{
    for (size_t i = 0; i < source(c)->database_count; i++)
        if (strcasecmp(source(c)->databases[i].name, db) == 0)
            return true;
    return false;
}

static void list_unseen(const struct check *c, struct check_outcome *o)
{
    for (size_t i = 0; i < c->config->filter_count; i++) {
        const char *pattern = c->config->filters[i];
        char *db = pattern_database(pattern);

        if (db && filter_is_system(db))
            list(o, "%s: system schemas are never moved", db);
        else if (db && !database_seen(c, db)) {
            list(o, "%s: it does not exist, or the account has no right on anything in it", db);
            mend_database(o, &c->side[SOURCE], "SELECT, SHOW VIEW, TRIGGER, EVENT, LOCK TABLES",
                          db);
        }
        free(db);
    }
}

enum err_code check_tables(struct check *c, struct check_outcome *o, struct err *err)
{
    const struct schema *s = source(c);

    (void)err;
    if (c->config->filter_count)
        list_unseen(c, o);
    say(o, s->table_count && !o->objects ? CHECK_PASSED : CHECK_FAILED,
        "%zu tables and views in %zu databases, %" PRIu64 " MiB", s->table_count, s->database_count,
        c->side[SOURCE].bytes >> 20);
    if (o->result == CHECK_FAILED)
        mend(o, "look at --filter; SHOW DATABASES; says what the account sees");
    return ERR_OK;
}

/* ---- tables that cannot be dumped as others ---- */

static void mend_table(struct check_outcome *o, const struct table *t, const char *how)
{
    if (o->objects <= MENDS_MAX)
        mend(o, "ALTER TABLE `%s`.`%s` %s;", t->db, t->name, how);
}

enum err_code check_engines(struct check *c, struct check_outcome *o, struct err *err)
{
    (void)err;
    for (size_t i = 0; i < source(c)->table_count; i++) {
        const struct table *t = &source(c)->tables[i];
        const enum engine_class class = engine_class_of(t->engine);

        if (!table_has_rows(t) || class == ENGINE_SNAPSHOT ||
            c->side[SOURCE].flavour.vendor == VENDOR_TIDB)
            continue;
        list(o, "%s.%s: %s%s", t->db, t->name, t->engine ? t->engine : "unknown engine",
             class == ENGINE_FOREIGN ? ", whose rows no lock here holds" : "");
        mend_table(o, t, "ENGINE=InnoDB");
    }
    say(o, o->objects ? CHECK_FAILED : CHECK_PASSED, "%" PRIu64 " tables are of other engines",
        o->objects);
    if (o->objects)
        mend(o, "or dump with --non-transactional lock: they are read while writers wait");
    return ERR_OK;
}

enum err_code check_keyless(struct check *c, struct check_outcome *o, struct err *err)
{
    const bool invisible = flavour_at_least(&c->side[SOURCE].flavour, VENDOR_MYSQL, 80023) ||
                           flavour_at_least(&c->side[SOURCE].flavour, VENDOR_MARIADB, 100303);

    (void)err;
    for (size_t i = 0; i < source(c)->table_count; i++) {
        const struct table *t = &source(c)->tables[i];

        if (!table_has_rows(t) || !t->column_count || table_best_key(t))
            continue;
        list(o, "%s.%s", t->db, t->name);
        mend_table(o, t,
                   invisible ? "ADD COLUMN row_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT "
                               "INVISIBLE PRIMARY KEY"
                             : "ADD COLUMN row_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT "
                               "PRIMARY KEY");
    }
    say(o, o->objects ? CHECK_WARNING : CHECK_PASSED,
        "%" PRIu64 " tables have no primary key, and no unique one without NULLs", o->objects);
    return ERR_OK;
}

enum err_code check_types(struct check *c, struct check_outcome *o, struct err *err)
{
    const bool tidb = c->side[TARGET].was_open && c->side[TARGET].flavour.vendor == VENDOR_TIDB;

    (void)err;
    for (size_t i = 0; i < source(c)->table_count; i++) {
        const struct table *t = &source(c)->tables[i];

        for (unsigned k = 0; table_has_rows(t) && k < t->column_count; k++) {
            const struct column *column = &t->columns[k];
            const bool spatial = tidb && column->type == TYPE_GEOMETRY;

            if (column->type != TYPE_OTHER && !spatial)
                continue;
            list(o, "%s.%s.%s: %s", t->db, t->name, column->name, column->type_text);
            if (spatial && o->result == CHECK_PASSED)
                say(o, CHECK_WARNING, "TiDB has no spatial types");
            else if (!spatial)
                say(o, CHECK_FAILED, "ferry does not know the type %s", column->type_text);
        }
    }
    say(o, CHECK_PASSED, "%" PRIu64 " columns are of types that cannot be moved as they are",
        o->objects);
    if (o->result == CHECK_WARNING)
        mend(o, "ferry load --spatial bytes   -- they become LONGBLOB: SRID and WKB");
    if (o->result == CHECK_FAILED)
        mend(o, "leave the tables out: --filter '!DB.TABLE', or change the columns' types");
    return ERR_OK;
}

enum err_code check_text(struct check *c, struct check_outcome *o, struct err *err)
{
    (void)err;
    for (size_t i = 0; i < source(c)->table_count; i++) {
        const struct table *t = &source(c)->tables[i];

        for (unsigned k = 0; table_has_rows(t) && k < t->column_count; k++)
            if (!column_round_trips(&t->columns[k]))
                list(o, "%s.%s.%s: %s", t->db, t->name, t->columns[k].name,
                     t->columns[k].charset ? t->columns[k].charset : "");
    }
    say(o, o->objects ? CHECK_WARNING : CHECK_PASSED,
        o->objects ? "%" PRIu64 " text columns are of character sets in which some bytes are no "
                     "character; the dump looks through each such table first, and refuses it by "
                     "name if it holds any"
                   : "%" PRIu64 " text columns are of character sets that hold more than Unicode",
        o->objects);
    return ERR_OK;
}

/* ---- collations ---- */

static bool in_unique_key(const struct table *t, unsigned column)
{
    for (unsigned i = 0; i < t->key_count; i++)
        for (unsigned k = 0; t->keys[i].unique && k < t->keys[i].part_count; k++)
            if (!t->keys[i].parts[k].expression && t->keys[i].parts[k].column == column)
                return true;
    return false;
}

static void collation_of(struct check *c, struct check_outcome *o, const struct table *t,
                         unsigned at)
{
    static const char *const relations[] = {"same", "equal", "finer", "coarser", "mixed"};
    const struct column *column = &t->columns[at];
    const bool key = in_unique_key(t, at);
    struct collation_map map;

    if (!column->collation || strcmp(column->collation, "binary") == 0)
        return;
    collation_map(column->collation, &c->side[TARGET].flavour,
                  (struct collation_wish){.key = key && !c->config->key_collation_nearest}, &map);
    if (map.relation <= COLLATION_EQUAL && !map.unknown)
        return;
    list(o, "%s.%s.%s%s: %s becomes %s (%s%s)", t->db, t->name, column->name,
         key ? " (unique key)" : "", column->collation, map.name, relations[map.relation],
         map.unknown ? ", by its name alone" : "");
    o->result = CHECK_WARNING;
    /* With "nearest" that was asked for, and collisions are looked for by the rows themselves. */
    if (key && !collation_is_safe(&map) && !c->config->key_collation_nearest)
        say(o, CHECK_FAILED, "rows of %s.%s may collide", t->db, t->name);
}

enum err_code check_collations(struct check *c, struct check_outcome *o, struct err *err)
{
    (void)err;
    for (size_t i = 0; i < source(c)->table_count; i++) {
        const struct table *t = &source(c)->tables[i];

        for (unsigned k = 0; table_has_rows(t) && k < t->column_count; k++)
            collation_of(c, o, t, k);
    }
    if (!o->objects) {
        say(o, CHECK_PASSED, "the target has an equal collation for every column");
        return ERR_OK;
    }
    say(o, CHECK_WARNING,
        "%" PRIu64 " columns compare otherwise on the target; finer: it calls fewer values equal, "
        "coarser: more",
        o->objects);
    mend(o, "ferry load --convert report   -- says with examples what each means");
    return ERR_OK;
}

/* ---- generated columns, history ---- */

enum err_code check_generated(struct check *c, struct check_outcome *o, struct err *err)
{
    (void)err;
    for (size_t i = 0; i < source(c)->table_count; i++) {
        const struct table *t = &source(c)->tables[i];

        for (unsigned k = 0; table_has_rows(t) && k < t->column_count; k++)
            if (t->columns[k].generated != GENERATED_NO)
                list(o, "%s.%s.%s: %s", t->db, t->name, t->columns[k].name,
                     t->columns[k].generated == GENERATED_STORED ? "stored" : "virtual");
    }
    say(o, CHECK_PASSED, "%" PRIu64 " columns are computed anew by the target, not moved",
        o->objects);
    return ERR_OK;
}

/* MariaDB logs the changes of such a table as statements, whatever binlog_format says. */
static bool versions_are_numbers(const struct table *t)
{
    for (unsigned i = 0; i < t->column_count; i++)
        if (t->columns[i].row_start_end && t->columns[i].type != TYPE_TIMESTAMP)
            return true;
    return false;
}

enum err_code check_versioned(struct check *c, struct check_outcome *o, struct err *err)
{
    (void)err;
    for (size_t i = 0; i < source(c)->table_count; i++)
        if (source(c)->tables[i].kind == TABLE_VERSIONED)
            list(o, "%s.%s%s", source(c)->tables[i].db, source(c)->tables[i].name,
                 versions_are_numbers(&source(c)->tables[i])
                     ? ": by transaction numbers, its changes cannot be followed"
                     : "");
    say(o, o->objects ? CHECK_WARNING : CHECK_PASSED, "%" PRIu64 " tables are system-versioned%s",
        o->objects, o->objects ? ": their present rows are moved, not the history" : "");
    if (o->objects)
        mend(o, "SELECT * FROM t FOR SYSTEM_TIME ALL   -- keep the history elsewhere");
    return ERR_OK;
}

/* ---- names ---- */

static void routed(const struct check *c, const struct table *t, struct table *out)
{
    route_table(c->route, t->db, t->name, &out->db, &out->name);
}

enum err_code check_names(struct check *c, struct check_outcome *o, struct err *err)
{
    const char *lower = variable(&c->side[TARGET], "lower_case_table_names");
    const size_t count = source(c)->table_count;
    struct table *names = xcalloc(count + 1, sizeof(*names));
    const struct table **sorted = xcalloc(count + 1, sizeof(*sorted));

    (void)err;
    for (size_t i = 0; i < count; i++) {
        routed(c, &source(c)->tables[i], &names[i]);
        sorted[i] = &names[i];
    }
    if (count)
        qsort(sorted, count, sizeof(*sorted), folded_order);
    for (size_t i = 1; i < count; i++)
        if (folded_order(&sorted[i - 1], &sorted[i]) == 0 &&
            (!lower || strcmp(lower, "0") != 0 ||
             (strcmp(sorted[i - 1]->db, sorted[i]->db) == 0 &&
              strcmp(sorted[i - 1]->name, sorted[i]->name) == 0)))
            list(o, "%s.%s and %s.%s", sorted[i - 1]->db, sorted[i - 1]->name, sorted[i]->db,
                 sorted[i]->name);
    free(sorted);
    free(names);
    say(o, o->objects ? CHECK_FAILED : CHECK_PASSED,
        "lower_case_table_names is %s on the target; %" PRIu64 " pairs would be one object there",
        lower ? lower : "unknown", o->objects);
    if (o->objects)
        mend(o, "RENAME TABLE one of them, or --rename it, or leave it out with --filter and "
                "--case-sensitive");
    return ERR_OK;
}

/* ---- sizes ---- */

enum err_code check_large_rows(struct check *c, struct check_outcome *o, struct err *err)
{
    const uint64_t limit = c->side[TARGET].limits.max_row;

    (void)err;
    for (size_t i = 0; i < source(c)->table_count; i++) {
        const struct table *t = &source(c)->tables[i];
        const uint64_t mean = t->row_estimate ? t->data_bytes / t->row_estimate : 0;

        /* small tables have pages that are mostly empty */
        if (t->row_estimate > 8 && mean > limit / LARGE_SHARE)
            list(o, "%s.%s: %" PRIu64 " KiB a row in the mean", t->db, t->name, mean >> 10);
    }
    say(o, o->objects ? CHECK_WARNING : CHECK_PASSED,
        "the target refuses rows above %" PRIu64 " KiB; %" PRIu64
        " tables have rows of more than a sixth of that in the mean",
        limit >> 10, o->objects);
    if (o->objects) {
        mend(o, "SET GLOBAL tidb_txn_entry_size_limit = 125829120;   -- from TiDB 7.6 on");
        mend(o, "performance.txn-entry-size-limit = 125829120   -- in TiDB's configuration file; "
                "and raftstore.raft-entry-max-size = '120MB' in TiKV's");
    }
    return ERR_OK;
}

/* ---- tools that alter tables meanwhile ---- */

/* The table that a shadow of gh-ost or pt-online-schema-change stands for; NULL: it is none. */
static char *shadowed(const char *name)
{
    static const char *const ends[] = {"_gho", "_ghc", "_new"};
    const size_t len = strlen(name);

    for (size_t i = 0; *name == '_' && i < sizeof(ends) / sizeof(ends[0]); i++)
        if (len > 5 && strcmp(name + len - 4, ends[i]) == 0)
            return xstrndup(name + 1, len - 5);
    return NULL;
}

enum err_code check_online_ddl(struct check *c, struct check_outcome *o, struct err *err)
{
    (void)err;
    for (size_t i = 0; i < source(c)->table_count; i++) {
        const struct table *t = &source(c)->tables[i];
        char *real = shadowed(t->name);

        if (real && schema_find(source(c), t->db, real)) {
            list(o, "%s.%s: of %s", t->db, t->name, real);
            if (o->objects <= MENDS_MAX)
                mend(o, "wait until it has ended; if it was given up: DROP TABLE `%s`.`%s`;", t->db,
                     t->name);
        }
        free(real);
    }
    say(o, o->objects ? CHECK_FAILED : CHECK_PASSED,
        "%" PRIu64 " shadow tables of gh-ost or pt-online-schema-change", o->objects);
    return ERR_OK;
}

enum err_code check_require_key(struct check *c, struct check_outcome *o, struct err *err)
{
    const struct check_side *s = &c->side[TARGET];

    (void)err;
    if (!variable_on(s, "sql_require_primary_key")) {
        say(o, CHECK_PASSED, "the target takes tables without a primary key");
        return ERR_OK;
    }
    for (size_t i = 0; i < source(c)->table_count; i++) {
        const struct table *t = &source(c)->tables[i];

        if (table_has_rows(t) && !(t->key_count && t->keys[0].primary) && !target_table(c, t))
            list(o, "%s.%s", t->db, t->name);
    }
    say(o, o->objects ? CHECK_FAILED : CHECK_PASSED,
        "sql_require_primary_key is ON on the target; %" PRIu64 " tables have none", o->objects);
    if (o->objects)
        mend_variable(o, &s->flavour, "sql_require_primary_key", "OFF", MEND_NOW);
    return ERR_OK;
}
