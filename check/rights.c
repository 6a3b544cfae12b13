/* What the accounts may do, by their SHOW GRANTS. */
#include "check/check_inner.h"

#include "common/mysql/ident.h"
#include "common/schema/engines.h"

#include <stdlib.h>
#include <string.h>

#define META "ferry_meta"

/* ---- what is needed ---- */

static void add_right(struct strbuf *out, const char *right)
{
    strbuf_addf(out, "%s%s", out->len ? ", " : "", right);
}

static const char *monitor(const struct flavour *f)
{
    return f && flavour_at_least(f, VENDOR_MARIADB, 100502) ? "BINLOG MONITOR"
                                                            : "REPLICATION CLIENT";
}

static void source_rights(unsigned stages, const struct flavour *f, struct strbuf *out)
{
    const bool mysql8 = f && flavour_at_least(f, VENDOR_MYSQL, 80000);

    add_right(out, "SELECT");
    if (stages & CHECK_DUMP) {
        add_right(out, "SHOW VIEW, TRIGGER, EVENT, PROCESS");
        add_right(out, f && f->managed != MANAGED_NONE ? "LOCK TABLES" : "RELOAD, LOCK TABLES");
        if (mysql8 && f->managed == MANAGED_NONE)
            add_right(out, "BACKUP_ADMIN, XA_RECOVER_ADMIN");
        if (mysql8 && f->version >= 80020)
            add_right(out, "SHOW_ROUTINE");
    }
    add_right(out, monitor(f));
    if (stages & CHECK_FOLLOW)
        add_right(out, "REPLICATION SLAVE");
}

void rights_needed(enum side side, unsigned stages, const struct flavour *f, struct strbuf *out)
{
    if (side == SOURCE) {
        source_rights(stages, f, out);
        return;
    }
    add_right(out, "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES, "
                   "CREATE VIEW, CREATE TEMPORARY TABLES");
    if (f && f->vendor != VENDOR_TIDB)
        add_right(out, "TRIGGER, CREATE ROUTINE, ALTER ROUTINE, EVENT");
}

/* ---- SELECT and SHOW VIEW ---- */

static bool view_hidden(const struct check_side *s, const struct table *t)
{
    return t->kind == TABLE_VIEW && !grants_table(s->grants, t->db, t->name, "SHOW VIEW");
}

/* The first column that a dump would hold and the account may not read; NULL: none. */
static const char *hidden_column(const struct table *t)
{
    for (unsigned i = 0; i < t->column_count; i++)
        if (column_is_dumped(&t->columns[i]) && !t->columns[i].readable)
            return t->columns[i].name;
    return t->column_count ? NULL : "*";
}

static bool list_hidden(struct check_outcome *o, const struct check_side *s, const struct table *t)
{
    const char *column = hidden_column(t);
    char *label = NULL;

    if (!column && !view_hidden(s, t))
        return false;
    label = table_label(t);
    if (column && strcmp(column, "*") == 0)
        list(o, "%s: SELECT, its columns are not shown", label);
    else if (column)
        list(o, "%s: SELECT of column '%s'", label, column);
    else
        list(o, "%s: SHOW VIEW", label);
    free(label);
    return true;
}

enum err_code check_dump_privilege(struct check *c, struct check_outcome *o, struct err *err)
{
    const struct check_side *s = &c->side[SOURCE];
    const char *last = NULL;

    (void)err;
    for (size_t i = 0; i < s->schema->table_count; i++) {
        const struct table *t = &s->schema->tables[i];

        if (!list_hidden(o, s, t) || (last && strcmp(last, t->db) == 0))
            continue;
        last = t->db;
        mend_database(o, s, "SELECT, SHOW VIEW", t->db);
    }
    if (o->objects)
        say(o, CHECK_FAILED, "%llu tables or views cannot be read whole",
            (unsigned long long)o->objects);
    else
        say(o, CHECK_PASSED, "all %zu tables and views can be read", s->schema->table_count);
    if (!c->config->filter_count && !grants_global(s->grants, "SELECT")) {
        say(o, CHECK_WARNING,
            "SELECT is not granted globally: what the account has no right on is not seen at all");
        mend_grant(o, s, "SELECT", "*.*");
        mend(o, "or say with --filter what is to be moved");
    }
    return ERR_OK;
}

/* ---- locks ---- */

static void list_unlockable(struct check_outcome *o, const struct check_side *s)
{
    for (size_t i = 0; i < s->schema->database_count; i++) {
        const char *db = s->schema->databases[i].name;

        if (!grants_database(s->grants, db, "LOCK TABLES"))
            list(o, "%s: LOCK TABLES", db);
    }
}

enum err_code check_lock_privilege(struct check *c, struct check_outcome *o, struct err *err)
{
    const struct check_side *s = &c->side[SOURCE];
    const bool managed = s->flavour.vendor == VENDOR_MYSQL && s->flavour.managed != MANAGED_NONE;
    const bool flush =
        grants_global(s->grants, "RELOAD") || (flavour_at_least(&s->flavour, VENDOR_MYSQL, 80023) &&
                                               grants_global(s->grants, "FLUSH_TABLES"));

    (void)err;
    if (flush && !managed) {
        say(o, CHECK_PASSED, "the global read lock may be taken (--consistency flush)");
        return ERR_OK;
    }
    list_unlockable(o, s);
    if (o->objects) {
        say(o, CHECK_FAILED,
            "neither the global read lock%s nor LOCK TABLES on every database: "
            "no consistent snapshot can be taken",
            managed ? ", which a managed server gives nobody," : "");
        if (!managed)
            mend_grant(o, s, "RELOAD", "*.*");
        for (size_t i = 0; managed && i < s->schema->database_count; i++)
            mend_database(o, s, "LOCK TABLES", s->schema->databases[i].name);
        return ERR_OK;
    }
    say(o, managed ? CHECK_PASSED : CHECK_WARNING,
        "%s; the tables are locked instead, until all snapshots are open (--consistency lock)",
        managed ? "a managed server gives nobody the global read lock" : "RELOAD is missing");
    if (!managed)
        mend_grant(o, s, "RELOAD", "*.*");
    return ERR_OK;
}

enum err_code check_ddl_lock(struct check *c, struct check_outcome *o, struct err *err)
{
    struct check_side *s = &c->side[SOURCE];
    const bool mysql = flavour_at_least(&s->flavour, VENDOR_MYSQL, 80000);
    const bool mariadb = flavour_at_least(&s->flavour, VENDOR_MARIADB, 100401);
    const char *right = mysql ? "BACKUP_ADMIN" : "RELOAD";
    struct strbuf table = {0};
    enum err_code rc = ERR_OK;

    if (!mysql && !mariadb) {
        say(o, CHECK_PASSED,
            "this server has no lock against DDL: run none while the dump does; "
            "altered tables are looked for at the end");
        return ERR_OK;
    }
    if (!grants_global(s->grants, right)) {
        say(o, CHECK_WARNING, "%s is missing: DDL is not kept out, run none while the dump does",
            right);
        mend_grant(o, s, right, "*.*");
    }
    if (mariadb)
        rc = engines_writers_wait(s->conn, &table, err);
    if (!rc && table.len) {
        say(o, CHECK_WARNING,
            "it is not taken, as writers of tables without transactions would "
            "wait for it (%s)",
            strbuf_str(&table));
        mend(o, "ferry dump --ddl-lock always   -- takes it all the same");
    }
    strbuf_release(&table);
    if (!rc && o->result == CHECK_PASSED)
        say(o, CHECK_PASSED, "%s may be taken",
            mysql ? "LOCK INSTANCE FOR BACKUP" : "BACKUP STAGE BLOCK_DDL");
    return rc;
}

/* ---- the rest of the source's rights ---- */

enum err_code check_process(struct check *c, struct check_outcome *o, struct err *err)
{
    const struct check_side *s = &c->side[SOURCE];

    (void)err;
    if (grants_global(s->grants, "PROCESS")) {
        say(o, CHECK_PASSED, "PROCESS is granted");
        return ERR_OK;
    }
    say(o, CHECK_WARNING,
        "PROCESS is missing: other sessions' long queries and InnoDB's table ids "
        "are not seen");
    mend_grant(o, s, "PROCESS", "*.*");
    return ERR_OK;
}

enum err_code check_replication_privilege(struct check *c, struct check_outcome *o, struct err *err)
{
    const struct check_side *s = &c->side[SOURCE];
    struct strbuf missing = {0};

    (void)err;
    if (!grants_global(s->grants, "REPLICATION SLAVE"))
        add_right(&missing, "REPLICATION SLAVE");
    if (!grants_global(s->grants, monitor(&s->flavour)) && !grants_global(s->grants, "SUPER"))
        add_right(&missing, monitor(&s->flavour));
    if (missing.len) {
        say(o, CHECK_FAILED, "missing: %s", strbuf_str(&missing));
        mend_grant(o, s, strbuf_str(&missing), "*.*");
    } else {
        say(o, CHECK_PASSED, "granted");
    }
    strbuf_release(&missing);
    return ERR_OK;
}

/* Whether routines of others are shown. */
static bool routines_shown(const struct check_side *s)
{
    if (flavour_at_least(&s->flavour, VENDOR_MYSQL, 80000))
        return grants_global(s->grants, "SELECT") || grants_global(s->grants, "SHOW_ROUTINE");
    return grants_table(s->grants, "mysql", "proc", "SELECT");
}

static void objects_of(struct check_outcome *o, const struct check_side *s, const char *db)
{
    struct strbuf missing = {0};

    if (!grants_database(s->grants, db, "TRIGGER"))
        add_right(&missing, "TRIGGER");
    if (!grants_database(s->grants, db, "EVENT"))
        add_right(&missing, "EVENT");
    if (missing.len) {
        list(o, "%s: %s", db, strbuf_str(&missing));
        mend_database(o, s, strbuf_str(&missing), db);
    }
    strbuf_release(&missing);
}

enum err_code check_objects_privilege(struct check *c, struct check_outcome *o, struct err *err)
{
    const struct check_side *s = &c->side[SOURCE];

    (void)err;
    for (size_t i = 0; i < s->schema->database_count; i++)
        objects_of(o, s, s->schema->databases[i].name);
    if (!routines_shown(s)) {
        const bool mysql8 = flavour_at_least(&s->flavour, VENDOR_MYSQL, 80020);

        list(o, "procedures and functions: %s", mysql8 ? "SHOW_ROUTINE" : "SELECT ON mysql.proc");
        mend_grant(o, s, mysql8 ? "SHOW_ROUTINE" : "SELECT", mysql8 ? "*.*" : "mysql.proc");
    }
    if (!o->objects)
        say(o, CHECK_PASSED, "they are shown to this account");
    else {
        say(o, CHECK_WARNING,
            "without these rights the server shows no such objects, or not all, "
            "and does not say so");
        mend(o, "or dump with --no-triggers --no-events --no-routines");
    }
    return ERR_OK;
}

struct prepared {
    unsigned count;
};

static enum err_code prepared_row(void *ctx, const struct row *row, struct err *err)
{
    struct prepared *p = ctx;

    (void)row;
    (void)err;
    p->count++;
    return ERR_OK;
}

enum err_code check_xa(struct check *c, struct check_outcome *o, struct err *err)
{
    struct check_side *s = &c->side[SOURCE];
    struct strbuf sql = {0};
    struct prepared p = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "XA RECOVER");
    rc = conn_rows(s->conn, &sql, prepared_row, &p, err);
    strbuf_release(&sql);
    if (rc && !conn_usable(s->conn))
        return rc;
    if (rc) {
        err_clear(err);
        say(o, CHECK_WARNING, "the account may not ask; nothing is wrong if nobody uses XA");
        mend_grant(o, s, "XA_RECOVER_ADMIN", "*.*");
        return ERR_OK;
    }
    say(o, p.count ? CHECK_WARNING : CHECK_PASSED, "%u prepared XA transactions", p.count);
    if (p.count)
        mend(o, "XA RECOVER;   -- then XA COMMIT or XA ROLLBACK of each");
    return ERR_OK;
}

/* ---- roles ---- */

static void active_roles(const struct check_side *s, struct check_outcome *o)
{
    const char *active = s->current_role;
    const bool none = !active || !*active || strcmp(active, "NONE") == 0;

    if (!none) {
        say(o, CHECK_PASSED, "%s: %s is active", s->role, active);
        return;
    }
    for (size_t i = 0; i < grants_role_count(s->grants); i++)
        list(o, "%s: %s", s->role, grants_role(s->grants, i));
    say(o, CHECK_WARNING, "no role of the %s's account is active; their rights do not count",
        s->role);
    if (s->flavour.vendor == VENDOR_MARIADB)
        mend(o, "SET DEFAULT ROLE %s FOR %s;", grants_role(s->grants, 0),
             grants_account(s->grants));
    else
        mend(o, "SET DEFAULT ROLE ALL TO %s;", grants_account(s->grants));
}

enum err_code check_roles(struct check *c, struct check_outcome *o, struct err *err)
{
    bool some = false;

    (void)err;
    for (int i = 0; i < SIDES; i++)
        if (c->side[i].grants && grants_role_count(c->side[i].grants)) {
            active_roles(&c->side[i], o);
            some = true;
        }
    if (!some)
        say(o, CHECK_PASSED, "the accounts have no roles");
    return ERR_OK;
}

/* ---- the target ---- */

enum wanted { ALWAYS, FOR_VIEWS, ON_CLASSIC };
static const struct {
    const char *right;
    enum wanted when;
    enum check_result without;
} target_rights[] = {
    {"SELECT", ALWAYS, CHECK_FAILED},
    {"INSERT", ALWAYS, CHECK_FAILED},
    {"UPDATE", ALWAYS, CHECK_FAILED},
    {"DELETE", ALWAYS, CHECK_FAILED},
    {"CREATE", ALWAYS, CHECK_FAILED},
    {"ALTER", ALWAYS, CHECK_FAILED},
    {"INDEX", ALWAYS, CHECK_FAILED},
    {"DROP", ALWAYS, CHECK_FAILED},
    {"REFERENCES", ALWAYS, CHECK_WARNING},
    {"CREATE TEMPORARY TABLES", ALWAYS, CHECK_WARNING},
    {"CREATE VIEW", FOR_VIEWS, CHECK_FAILED},
    {"TRIGGER", ON_CLASSIC, CHECK_WARNING},
    {"CREATE ROUTINE", ON_CLASSIC, CHECK_WARNING},
    {"ALTER ROUTINE", ON_CLASSIC, CHECK_WARNING},
    {"EVENT", ON_CLASSIC, CHECK_WARNING},
};

static bool has_views(const struct check *c)
{
    const struct schema *s = c->side[SOURCE].schema;

    for (size_t i = 0; s && i < s->table_count; i++)
        if (s->tables[i].kind == TABLE_VIEW)
            return true;
    return false;
}

static void target_database(const struct check *c, struct check_outcome *o, const char *db)
{
    const struct check_side *s = &c->side[TARGET];
    const bool views = has_views(c);
    struct strbuf missing = {0};
    enum check_result worst = CHECK_PASSED;

    for (size_t i = 0; i < sizeof(target_rights) / sizeof(target_rights[0]); i++) {
        const enum wanted when = target_rights[i].when;

        if ((when == FOR_VIEWS && !views) || (when != ALWAYS && strcmp(db, META) == 0) ||
            (when == ON_CLASSIC && s->flavour.vendor == VENDOR_TIDB) ||
            grants_database(s->grants, db, target_rights[i].right))
            continue;
        add_right(&missing, target_rights[i].right);
        if (target_rights[i].without > worst)
            worst = target_rights[i].without;
    }
    if (missing.len) {
        list(o, "%s: %s", db, strbuf_str(&missing));
        mend_database(o, s, strbuf_str(&missing), db);
        if (worst > o->result)
            o->result = worst;
    }
    strbuf_release(&missing);
}

enum err_code check_target_privilege(struct check *c, struct check_outcome *o, struct err *err)
{
    const struct schema *s = c->side[SOURCE].schema;

    (void)err;
    target_database(c, o, META);
    for (size_t i = 0; s && i < s->database_count; i++)
        target_database(c, o, route_database(c->route, s->databases[i].name));
    say(o, o->result, o->objects ? "rights are missing on %zu databases" : "%zu rights are missing",
        (size_t)o->objects);
    return ERR_OK;
}
