/* Triggers, routines, events, views and foreign keys of the source: what else than rows goes along.
 */
#include "check/check_inner.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct lister {
    struct check *c;
    struct check_outcome *o;
    const char *what;
};

/* Database, table, name, and words. */
static enum err_code listed_row(void *ctx, const struct row *row, struct err *err)
{
    struct lister *l = ctx;
    char *db, *table;

    (void)err;
    if (row->count < 4 || !row->cell[0] || !row->cell[1] || !row->cell[2])
        return ERR_OK;
    db = xstrndup(row->cell[0], row->len[0]);
    table = xstrndup(row->cell[1], row->len[1]);
    if (filter_match_table(l->c->filter, db, table))
        list(l->o, "%s %s.%.*s%s%.*s", l->what, db, (int)row->len[2], row->cell[2],
             row->len[3] ? ": " : "", (int)row->len[3], row->cell[3] ? row->cell[3] : "");
    free(db);
    free(table);
    return ERR_OK;
}

static enum err_code list_rows(struct check *c, struct check_outcome *o, const char *what,
                               const char *sql, struct err *err)
{
    struct lister l = {c, o, what};
    struct strbuf text = {0};
    enum err_code rc;

    strbuf_addstr(&text, sql);
    rc = conn_rows(c->side[SOURCE].conn, &text, listed_row, &l, err);
    strbuf_release(&text);
    return rc;
}

enum err_code check_triggers(struct check *c, struct check_outcome *o, struct err *err)
{
    const bool tidb = c->side[TARGET].was_open && c->side[TARGET].flavour.vendor == VENDOR_TIDB;
    uint64_t triggers;

    if (list_rows(c, o, "trigger",
                  "SELECT EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE, TRIGGER_NAME, "
                  "CONCAT(ACTION_TIMING, ' ', EVENT_MANIPULATION, ' ON ', EVENT_OBJECT_TABLE) "
                  "FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA <> 'sys'",
                  err))
        return err->code;
    triggers = o->objects;
    if (list_rows(c, o, "routine",
                  "SELECT ROUTINE_SCHEMA, ROUTINE_NAME, ROUTINE_NAME, ROUTINE_TYPE FROM "
                  "information_schema.ROUTINES WHERE ROUTINE_SCHEMA NOT IN ('sys', 'mysql')",
                  err) ||
        list_rows(c, o, "event",
                  "SELECT EVENT_SCHEMA, EVENT_NAME, EVENT_NAME, STATUS FROM "
                  "information_schema.EVENTS WHERE EVENT_SCHEMA NOT IN ('sys', 'mysql')",
                  err))
        return err->code;
    if (!o->objects) {
        say(o, CHECK_PASSED, "there are none");
        return ERR_OK;
    }
    say(o, tidb || (triggers && for_follow(c)) ? CHECK_WARNING : CHECK_PASSED,
        "%" PRIu64 " triggers, %" PRIu64 " routines and events", triggers, o->objects - triggers);
    if (tidb) {
        say(o, CHECK_WARNING, "TiDB has no such objects");
        mend(o, "ferry load --programs-file FILE   -- writes them down; what they do is the "
                "application's then");
    } else if (triggers && for_follow(c)) {
        say(o, CHECK_WARNING,
            "what triggers do is in the binlog as rows: on the target they "
            "would do it twice");
        mend(o, "ferry dump --no-triggers   -- and create them at the cut-over");
    }
    return ERR_OK;
}

#define MANY_TABLES 2000

/* Before MySQL 8 the list of foreign keys opens every table. InnoDB's own list, for who may read
 * it, says at once whether there are any that cascade: of its bits, 1 and 2 are ON DELETE CASCADE
 * and SET NULL, 4 and 8 ON UPDATE. *none false: there are, or it is not known. */
static enum err_code no_cascades(struct check_side *s, bool *none, struct err *err)
{
    char *count = NULL;
    enum err_code rc;

    *none = false;
    if (s->schema->table_count < MANY_TABLES || flavour_at_least(&s->flavour, VENDOR_MYSQL, 80000))
        return ERR_OK;
    rc = ask(s, "SELECT COUNT(*) FROM information_schema.INNODB_SYS_FOREIGN WHERE (TYPE & 15) <> 0",
             &count, err);
    *none = count && strcmp(count, "0") == 0;
    free(count);
    return rc;
}

/* InnoDB leaves what a cascade changes out of the binlog, unless the server does it itself. */
enum err_code check_cascades(struct check *c, struct check_outcome *o, struct err *err)
{
    struct check_side *s = &c->side[SOURCE];
    const bool logged =
        variable(s, "innodb_native_foreign_keys") && !variable_on(s, "innodb_native_foreign_keys");
    bool none = false;

    if (no_cascades(s, &none, err))
        return err->code;
    if (!none &&
        list_rows(c, o, "foreign key",
                  "SELECT CONSTRAINT_SCHEMA, TABLE_NAME, CONSTRAINT_NAME, CONCAT('of ', "
                  "TABLE_NAME, ' to ', REFERENCED_TABLE_NAME, ' ON UPDATE ', UPDATE_RULE, ' ON "
                  "DELETE ', DELETE_RULE) FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE "
                  "UPDATE_RULE IN ('CASCADE', 'SET NULL', 'SET DEFAULT') OR DELETE_RULE IN "
                  "('CASCADE', 'SET NULL', 'SET DEFAULT')",
                  err))
        return err->code;
    if (!o->objects || logged) {
        say(o, CHECK_PASSED, "%" PRIu64 " foreign keys cascade%s", o->objects,
            o->objects ? "; this server logs what they change" : "");
        return ERR_OK;
    }
    say(o, for_follow(c) ? CHECK_FAILED : CHECK_WARNING,
        "%" PRIu64 " foreign keys cascade, and the source does not log what they change",
        o->objects);
    mend(o, "change the rows by statements of their own, and make the keys RESTRICT");
    if (for_follow(c))
        mend(o, "ferry follow --cascades none   -- if no such change will happen meanwhile");
    return ERR_OK;
}

/* ---- definers ---- */

/* What it takes to create an object in another account's name; NULL: nothing. */
static const char *definer_right(const struct flavour *f)
{
    if (f->vendor == VENDOR_MARIADB)
        return f->version >= 100502 ? "SET USER" : "SUPER";
    if (f->vendor == VENDOR_TIDB || f->version < 80000)
        return "SUPER";
    return f->version >= 80200 ? "SET_ANY_DEFINER, ALLOW_NONEXISTENT_DEFINER" : "SET_USER_ID";
}

static enum err_code list_definers(struct check *c, struct check_outcome *o, bool programs,
                                   struct err *err)
{
    enum err_code rc = list_rows(c, o, "view",
                                 "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_NAME, DEFINER FROM "
                                 "information_schema.VIEWS WHERE TABLE_SCHEMA <> 'sys'",
                                 err);

    if (!rc && programs)
        rc = list_rows(c, o, "trigger",
                       "SELECT TRIGGER_SCHEMA, EVENT_OBJECT_TABLE, TRIGGER_NAME, DEFINER FROM "
                       "information_schema.TRIGGERS WHERE TRIGGER_SCHEMA <> 'sys'",
                       err);
    if (!rc && programs)
        rc = list_rows(c, o, "routine",
                       "SELECT ROUTINE_SCHEMA, ROUTINE_NAME, ROUTINE_NAME, DEFINER FROM "
                       "information_schema.ROUTINES WHERE ROUTINE_SCHEMA NOT IN ('sys', 'mysql')",
                       err);
    if (!rc && programs)
        rc = list_rows(c, o, "event",
                       "SELECT EVENT_SCHEMA, EVENT_NAME, EVENT_NAME, DEFINER FROM "
                       "information_schema.EVENTS WHERE EVENT_SCHEMA NOT IN ('sys', 'mysql')",
                       err);
    return rc;
}

enum err_code check_definers(struct check *c, struct check_outcome *o, struct err *err)
{
    const struct check_side *to = &c->side[TARGET];
    const char *right = definer_right(&to->flavour);
    char *first = xstrndup(right, strcspn(right, ","));
    const bool granted = grants_global(to->grants, first) ||
                         (to->flavour.vendor != VENDOR_TIDB && grants_global(to->grants, "SUPER"));

    free(first);
    if (granted) {
        say(o, CHECK_PASSED, "%s is granted", right);
        return ERR_OK;
    }
    if (list_definers(c, o, to->flavour.vendor != VENDOR_TIDB, err))
        return err->code;
    say(o, o->objects ? CHECK_WARNING : CHECK_PASSED,
        "%" PRIu64 " objects have a definer, and the account may create none in another's name",
        o->objects);
    if (o->objects) {
        mend_grant(o, to, right, "*.*");
        mend(o, "ferry load --definer strip   -- the account becomes their definer");
    }
    return ERR_OK;
}
