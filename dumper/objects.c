/* What tables do not hold: triggers, a file a table; routines and events, a file a database.
 *
 * The text of an object is in the character set of the client that made it, and means what it did
 * then only under that client's sql_mode, collation and, for an event, time zone. So the text is
 * read without conversion, as its bytes, and each stands in the file behind the settings of its
 * own. The files are for the mysql client: DELIMITER lines keep the bodies together, with a
 * delimiter that the body does not hold. TiDB has no such objects; its tools leave the files out by
 * their names. */
#include "dumper/objects.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "formats/file_names.h"

#include <stdlib.h>
#include <string.h>

#define ER_VIEW_INVALID 1356
#define ER_BAD_FIELD 1054
#define ER_NO_SUCH_TABLE 1146
#define ER_SP_DOES_NOT_EXIST 1305

struct object { /* a row of SHOW CREATE; borrowed */
    const char *kind, *db, *name;
    const char *sql_mode, *time_zone; /* NULL: not of this kind */
    const char *text;
    size_t len;
    const char *client, *collation, *db_collation;
};

/* ---- what is left out ---- */

enum err_code dumper_leave_out(struct dump_run *run, const char *kind, const char *db,
                               const char *name, struct err *err)
{
    if ((err->code != ERR_SQL && err->code != ERR_PRIVILEGE) || !conn_usable(run->control))
        return err->code;
    log_event(LOG_ERROR, "dump.object.left-out", F_STR("kind", kind), F_STR("db", db),
              F_STR("name", name), F_STR("cause", err->msg),
              F_STR("message", "left out: it cannot be read"));
    pthread_mutex_lock(&run->lock);
    run->left_out++;
    pthread_mutex_unlock(&run->lock);
    err_clear(err);
    return ERR_OK;
}

enum err_code dumper_check_view(struct dump_run *run, const struct table *t, struct err *err)
{
    struct strbuf sql = {0};
    struct result *r = NULL;
    enum err_code rc;

    strbuf_addstr(&sql, "SELECT * FROM ");
    strbuf_add_table(&sql, t->db, t->name);
    strbuf_addstr(&sql, " LIMIT 0");
    rc = conn_queryz(run->control, strbuf_str(&sql), &r, err);
    result_free(r);
    strbuf_release(&sql);
    if (!rc || err->server_errno == ER_VIEW_INVALID || err->server_errno == ER_BAD_FIELD ||
        err->server_errno == ER_NO_SUCH_TABLE || err->server_errno == ER_SP_DOES_NOT_EXIST ||
        (rc != ERR_SQL && rc != ERR_PRIVILEGE))
        return rc;
    log_event(LOG_WARN, "dump.view.unread", F_STR("db", t->db), F_STR("view", t->name),
              F_STR("cause", err->msg),
              F_STR("message", "the view cannot be used here, its definition is dumped"));
    err_clear(err);
    return ERR_OK;
}

/* ---- the text of a file ---- */

static bool statement_holds(const struct strbuf *statement, const struct strbuf *text)
{
    const char *at = strbuf_str(statement);

    for (size_t left = statement->len; left >= text->len; left--, at++)
        if (*at == *text->str && memcmp(at, text->str, text->len) == 0)
            return true;
    return false;
}

/* What the statement does not hold, so that the mysql client sends it in one piece. */
static void delimiter_choose(const struct strbuf *statement, struct strbuf *out)
{
    strbuf_reset(out);
    strbuf_addstr(out, ";;");
    for (unsigned i = 0; statement_holds(statement, out); i++) {
        strbuf_reset(out);
        strbuf_addf(out, "$%u$", i);
    }
}

static void object_settings(const struct object *o, struct strbuf *text)
{
    strbuf_addstr(text, "SET sql_mode=");
    strbuf_add_quotedz(text, o->sql_mode);
    if (o->time_zone) {
        strbuf_addstr(text, ", time_zone=");
        strbuf_add_quotedz(text, o->time_zone);
    }
    strbuf_addf(text, ", character_set_client=%s, collation_connection=%s;\n", o->client,
                o->collation);
}

/* Parameters and variables without a character set have that of the database as it was then. */
static void object_database(const char *collation, struct strbuf *text)
{
    strbuf_addf(text, "ALTER DATABASE COLLATE %s;\n", collation);
}

static void object_add(const struct dump_run *run, const struct object *o, const char *db_collation,
                       struct strbuf *text)
{
    struct strbuf statement = {0};
    struct strbuf delimiter = {0};
    bool other = o->db_collation && db_collation && strcmp(o->db_collation, db_collation) != 0;

    definer_rewrite(&run->config->definer, o->text, o->len, &statement);
    delimiter_choose(&statement, &delimiter);
    if (!text->len)
        strbuf_addstr(text, "SET @ferry_sql_mode=@@sql_mode, @ferry_time_zone=@@time_zone, "
                            "@ferry_client=@@character_set_client, "
                            "@ferry_collation=@@collation_connection;\n");
    object_settings(o, text);
    if (other)
        object_database(o->db_collation, text);
    strbuf_addf(text, "DELIMITER %s\n", strbuf_str(&delimiter));
    strbuf_add(text, strbuf_str(&statement), statement.len);
    strbuf_addf(text, "\n%s\nDELIMITER ;\n", strbuf_str(&delimiter));
    if (other)
        object_database(db_collation, text);
    strbuf_release(&statement);
    strbuf_release(&delimiter);
}

static void file_end(struct strbuf *text)
{
    strbuf_addstr(text, "SET sql_mode=@ferry_sql_mode, time_zone=@ferry_time_zone, "
                        "character_set_client=@ferry_client, "
                        "collation_connection=@ferry_collation;\n");
}

/* ---- reading ---- */

/* The columns of SHOW CREATE: name, sql_mode, an event's time zone, statement,
 * character_set_client, collation_connection, the database's collation. */
static enum err_code object_take(const struct row *row, bool event, struct object *o,
                                 struct err *err)
{
    unsigned at = event ? 3 : 2;

    if (row->count < at + 4 || !row->cell[1] || !row->cell[at] || !row->len[at] ||
        !row->cell[at + 1] || !row->cell[at + 2] || (event && !row->cell[2]))
        return err_set(err, ERR_PRIVILEGE,
                       "the server does not show the statement to this account");
    o->sql_mode = row->cell[1];
    o->time_zone = event ? row->cell[2] : NULL;
    o->text = row->cell[at];
    o->len = row->len[at];
    o->client = row->cell[at + 1];
    o->collation = row->cell[at + 2];
    o->db_collation = row->cell[at + 3];
    return ERR_OK;
}

/* Appends one object to the file's text, or leaves it out. */
static enum err_code object_read(struct dump_run *run, struct object *o, const char *db_collation,
                                 struct strbuf *text, struct err *err)
{
    struct strbuf show = {0};
    struct result *r = NULL;
    struct row row;
    bool more = false;
    enum err_code rc = conn_execz(run->control, "SET character_set_results = binary", err);

    strbuf_addf(&show, "SHOW CREATE %s ", o->kind);
    strbuf_add_table(&show, o->db, o->name);
    if (!rc)
        rc = conn_queryz(run->control, strbuf_str(&show), &r, err);
    if (!rc)
        rc = result_next(r, &row, &more, err);
    if (!rc && !more)
        rc = err_set(err, ERR_SQL, "the server does not show it");
    if (!rc)
        rc = object_take(&row, strcmp(o->kind, "EVENT") == 0, o, err);
    if (!rc)
        object_add(run, o, db_collation, text);
    else
        rc = dumper_leave_out(run, o->kind, o->db, o->name, err);
    result_free(r);
    strbuf_release(&show);
    return rc ? rc : conn_execz(run->control, "SET character_set_results = utf8mb4", err);
}

/* Unless an earlier run has written it: then its objects were only looked at. */
static enum err_code file_put(struct dump_run *run, enum file_kind kind, const char *db,
                              const char *table, struct strbuf *text, struct err *err)
{
    struct strbuf path = {0};
    enum err_code rc = ERR_OK;
    bool there;

    if (!text->len)
        return ERR_OK;
    file_end(text);
    file_name_schema(&path, kind, db, table, run->config->compression.codec->extension);
    pthread_mutex_lock(&run->lock);
    there = ledger_find_file(run->ledger, strbuf_str(&path)) != NULL;
    pthread_mutex_unlock(&run->lock);
    if (!there)
        rc = dumper_put_schema(run, strbuf_str(&path), text, err);
    strbuf_release(&path);
    strbuf_reset(text);
    return rc;
}

static enum err_code list_query(struct dump_run *run, const char *select, const char *db,
                                const char *rest, struct result **r, struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, select);
    strbuf_add_quotedz(&sql, db);
    strbuf_addstr(&sql, rest);
    rc = conn_queryz(run->control, strbuf_str(&sql), r, err);
    strbuf_release(&sql);
    return rc;
}

/* ---- triggers ---- */

/* Those of one table follow each other; a trigger of several events (MariaDB 12) comes once. */
static enum err_code triggers_write(struct dump_run *run, const struct database *db,
                                    struct err *err)
{
    struct strbuf text = {0};
    struct strbuf table = {0};
    struct result *r = NULL;
    struct row row;
    bool more = true;
    enum err_code rc;

    rc = list_query(run,
                    "SELECT MIN(TRIGGER_NAME), MIN(EVENT_OBJECT_TABLE), "
                    "CAST(TRIGGER_NAME AS BINARY) AS n, CAST(EVENT_OBJECT_TABLE AS BINARY) AS t "
                    "FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = ",
                    db->name, " GROUP BY n, t ORDER BY t, MIN(ACTION_ORDER), n", &r, err);
    while (!rc) {
        struct object o = {.kind = "TRIGGER", .db = db->name};

        rc = result_next(r, &row, &more, err);
        if (rc || !more)
            break;
        if (strcmp(row.cell[1], strbuf_str(&table)) != 0) {
            rc = file_put(run, FILE_TRIGGERS, db->name, strbuf_str(&table), &text, err);
            strbuf_reset(&table);
            strbuf_addstr(&table, row.cell[1]);
        }
        o.name = row.cell[0];
        if (!rc && schema_find(run->plan.schema, db->name, row.cell[1]))
            rc = object_read(run, &o, db->collation, &text, err);
    }
    if (!rc)
        rc = file_put(run, FILE_TRIGGERS, db->name, strbuf_str(&table), &text, err);
    result_free(r);
    strbuf_release(&text);
    strbuf_release(&table);
    return rc ? err_wrap(err, "triggers of '%s'", db->name) : ERR_OK;
}

/* ---- routines and events ---- */

/* Rows of name and kind. */
static enum err_code post_add(struct dump_run *run, const struct database *db, const char *select,
                              const char *rest, struct strbuf *text, struct err *err)
{
    struct result *r = NULL;
    struct row row;
    bool more = true;
    enum err_code rc = list_query(run, select, db->name, rest, &r, err);

    while (!rc) {
        struct object o = {.db = db->name};

        rc = result_next(r, &row, &more, err);
        if (rc || !more)
            break;
        o.name = row.cell[0];
        o.kind = row.cell[1];
        if (filter_match_table(run->plan.filter, db->name, o.name))
            rc = object_read(run, &o, db->collation, text, err);
    }
    result_free(r);
    return rc;
}

static enum err_code post_write(struct dump_run *run, const struct database *db, struct err *err)
{
    struct strbuf text = {0};
    enum err_code rc = ERR_OK;

    if (!run->config->no_routines)
        rc = post_add(run, db,
                      "SELECT ROUTINE_NAME, ROUTINE_TYPE FROM information_schema.ROUTINES WHERE "
                      "ROUTINE_SCHEMA = ",
                      " ORDER BY ROUTINE_TYPE, ROUTINE_NAME", &text, err);
    if (!rc && !run->config->no_events)
        rc = post_add(run, db,
                      "SELECT EVENT_NAME, 'EVENT' FROM information_schema.EVENTS WHERE "
                      "EVENT_SCHEMA = ",
                      " ORDER BY EVENT_NAME", &text, err);
    if (!rc)
        rc = file_put(run, FILE_POST, db->name, NULL, &text, err);
    strbuf_release(&text);
    return rc ? err_wrap(err, "routines and events of '%s'", db->name) : ERR_OK;
}

/* The account's own grants; rights that come through a role are not seen here. */
#define OWN_GRANTS "GRANTEE = CONCAT('\\'', REPLACE(CURRENT_USER(), '@', '\\'@\\''), '\\'')"
#define RIGHT_MISSING                                                                              \
    "the account seems to lack this right, without which the server shows nothing of this kind, "  \
    "or not all: GRANT it, or say the option"

/* Without the right a server shows no triggers or events, and does not say so. */
static enum err_code right_check(struct dump_run *run, const char *right, const char *option,
                                 struct err *err)
{
    struct strbuf sql = {0};
    char *found = NULL;
    enum err_code rc;

    strbuf_addf(&sql,
                "SELECT 1 FROM information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE = '%s' "
                "AND " OWN_GRANTS
                " UNION ALL SELECT 1 FROM information_schema.SCHEMA_PRIVILEGES WHERE "
                "PRIVILEGE_TYPE = '%s' AND " OWN_GRANTS " LIMIT 1",
                right, right);
    rc = conn_value(run->control, strbuf_str(&sql), &found, err);
    if (!rc && !found)
        log_event(LOG_WARN, "dump.right.missing", F_STR("right", right), F_STR("option", option),
                  F_STR("message", RIGHT_MISSING));
    free(found);
    strbuf_release(&sql);
    return rc;
}

/* A server shows to whoever has none of these rights no routine but the account's own, or those
 * that it may execute. */
static enum err_code routine_right_check(struct dump_run *run, struct err *err)
{
    const bool table = !flavour_at_least(&run->flavour, VENDOR_MYSQL, 80000);
    char *found = NULL;
    enum err_code rc =
        conn_value(run->control,
                   table ? "SELECT COUNT(*) FROM mysql.proc WHERE FALSE"
                         : "SELECT 1 FROM information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE "
                           "IN ('SELECT', 'SHOW_ROUTINE') AND " OWN_GRANTS " LIMIT 1",
                   &found, err);

    if (rc && rc != ERR_PRIVILEGE)
        return rc;
    err_clear(err);
    if (!found)
        log_event(LOG_WARN, "dump.right.missing",
                  F_STR("right", table ? "SELECT ON mysql.proc" : "SHOW_ROUTINE"),
                  F_STR("option", "--no-routines"), F_STR("message", RIGHT_MISSING));
    free(found);
    return ERR_OK;
}

enum err_code dumper_write_objects(struct dump_run *run, struct err *err)
{
    const struct dump_config *config = run->config;
    const struct schema *s = run->plan.schema;
    enum err_code rc = ERR_OK;

    if (run->flavour.vendor == VENDOR_TIDB)
        return ERR_OK;
    if (!config->no_triggers)
        rc = right_check(run, "TRIGGER", "--no-triggers", err);
    if (!rc && !config->no_events)
        rc = right_check(run, "EVENT", "--no-events", err);
    if (!rc && !config->no_routines)
        rc = routine_right_check(run, err);
    for (size_t i = 0; !rc && i < s->database_count && !dumper_stopped(run); i++) {
        if (!config->no_triggers)
            rc = triggers_write(run, &s->databases[i], err);
        if (!rc && (!config->no_routines || !config->no_events))
            rc = post_write(run, &s->databases[i], err);
    }
    return rc;
}
