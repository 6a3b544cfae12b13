/* One step of a DDL statement on the target. */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/schema/rename.h"
#include "follower/follow_ddl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void step_add_target(const struct follow_run *run, const char *db, const char *name,
                     struct strbuf *sql)
{
    const char *to_db;
    const char *to_name;

    route_table(run->route, db, name, &to_db, &to_name);
    strbuf_add_table(sql, to_db, to_name);
}

enum err_code step_convert(const struct follow_run *run, const char *sql, const char *collation,
                           struct converted *c, struct err *err)
{
    const struct convert_params params = {.source = &run->source,
                                          .target = &run->flavour,
                                          .database_collation = collation,
                                          .key_collation = KEY_COLLATION_SAFE};

    if (convert_definition(sql, OBJECT_TABLE, &params, c, err))
        return err->code;
    for (size_t i = 0; c->refused && i < c->change_count; i++)
        if (c->changes[i].severity == CHANGE_REFUSED)
            return err_set(err, ERR_FOLLOW_DDL, "the target cannot have it: %s %s: %s",
                           change_part_name(c->changes[i].part), c->changes[i].name,
                           c->changes[i].meaning);
    if (c->foreign_key_count > 0)
        return err_set(err, ERR_FOLLOW_DDL, "a foreign key in it");
    return ERR_OK;
}

/* The database, and the table as the source's database has it where nothing is said. */
static enum err_code create_sql(struct ddl_job *j, const struct ddl_step *s, struct strbuf *sql,
                                struct err *err)
{
    struct follow_run *run = j->run;
    const struct rename_params names = {
        .route = run->route, .flavour = &run->flavour, .db = s->db, .kind = OBJECT_TABLE};
    struct converted c = {0};
    struct strbuf database = {0};
    char *collation = NULL;
    const char *to_db;
    const char *to_name;
    enum err_code rc = database_collation(run, s->db, &collation, err);

    if (!rc)
        rc = step_convert(run, s->text, collation, &c, err);
    if (!rc)
        rc = rename_definition(c.sql, &names, sql, err);
    converted_release(&c);
    free(collation);
    route_table(run->route, s->db, s->name, &to_db, &to_name);
    strbuf_addstr(&database, "CREATE DATABASE IF NOT EXISTS ");
    strbuf_add_ident(&database, to_db);
    if (!rc)
        rc = conn_exec(run->conn, database.str, database.len, NULL, err);
    strbuf_release(&database);
    return rc;
}

enum err_code step_sql(struct ddl_job *j, const struct ddl_step *s, struct strbuf *sql,
                       struct err *err)
{
    static const char *const begins[] = {[ACT_TRUNCATE] = "TRUNCATE TABLE ",
                                         [ACT_DROP] = "DROP TABLE ",
                                         [ACT_RENAME] = "RENAME TABLE ",
                                         [ACT_LIKE] = "CREATE TABLE ",
                                         [ACT_CREATE] = "",
                                         [ACT_ALTER] = "",
                                         [ACT_DROP_DATABASE] = "DROP DATABASE "};

    if (s->act == ACT_CREATE)
        return create_sql(j, s, sql, err);
    strbuf_addstr(sql, begins[s->act]);
    if (s->act == ACT_DROP_DATABASE) {
        strbuf_add_ident(sql, route_database(j->run->route, s->db));
        return ERR_OK;
    }
    step_add_target(j->run, s->db, s->name, sql);
    if (s->act == ACT_RENAME || s->act == ACT_LIKE) {
        strbuf_addstr(sql, s->act == ACT_RENAME ? " TO " : " LIKE ");
        step_add_target(j->run, s->other_db, s->other_name, sql);
    }
    return ERR_OK;
}

/* ---- looking ---- */

static enum err_code table_found(const struct follow_run *run, const char *db, const char *name,
                                 bool *found, struct err *err)
{
    struct strbuf sql = {0};
    const char *to_db;
    const char *to_name;
    char *there = NULL;
    enum err_code rc;

    route_table(run->route, db, name, &to_db, &to_name);
    strbuf_addstr(&sql, "SELECT 1 FROM information_schema.tables WHERE table_schema=");
    strbuf_add_quotedz(&sql, to_db);
    strbuf_addstr(&sql, " AND table_name=");
    strbuf_add_quotedz(&sql, to_name);
    rc = conn_value(run->conn, strbuf_str(&sql), &there, err);
    strbuf_release(&sql);
    if (!rc)
        *found = there != NULL;
    free(there);
    return rc;
}

/* Done too: a database in which the user has other tables, which stays. */
static enum err_code database_probe(const struct follow_run *run, const struct ddl_step *s,
                                    bool *done, struct err *err)
{
    const char *db = route_database(run->route, s->db);
    struct strbuf sql = {0};
    char *there = NULL;
    char *table = NULL;
    enum err_code rc;

    strbuf_addstr(&sql, "SELECT 1 FROM information_schema.schemata WHERE schema_name=");
    strbuf_add_quotedz(&sql, db);
    rc = conn_value(run->conn, strbuf_str(&sql), &there, err);
    strbuf_reset(&sql);
    strbuf_addstr(&sql, "SELECT table_name FROM information_schema.tables WHERE table_schema=");
    strbuf_add_quotedz(&sql, db);
    strbuf_addstr(&sql, " LIMIT 1");
    if (!rc)
        rc = conn_value(run->conn, strbuf_str(&sql), &table, err);
    strbuf_release(&sql);
    if (!rc && table)
        log_event(LOG_WARN, "follow.database", F_STR("db", db), F_STR("table", table),
                  F_STR("message", "dropped on the source; on the target it stays, since it holds "
                                   "what is not followed"));
    if (!rc)
        *done = !there || table;
    free(there);
    free(table);
    return rc;
}

enum err_code step_probe(const struct ddl_job *j, const struct ddl_step *s, bool *done,
                         struct err *err)
{
    const struct follow_run *run = j->run;
    const bool makes = s->act == ACT_LIKE || s->act == ACT_CREATE;
    bool found = false;
    bool other = true;
    enum err_code rc;

    *done = false;
    if (s->act == ACT_TRUNCATE || s->act == ACT_ALTER) /* nothing shows it */
        return ERR_OK;
    if (s->act == ACT_DROP_DATABASE)
        return database_probe(run, s, done, err);
    rc = table_found(run, s->db, s->name, &found, err);
    if (!rc && s->act == ACT_RENAME)
        rc = table_found(run, s->other_db, s->other_name, &other, err);
    *done = makes ? found : !found && other;
    return rc;
}

/* "AUTO_INCREMENT=7 " goes. */
static enum err_code shape_row(void *ctx, const struct row *row, struct err *err)
{
    char **shape = ctx;
    char *text = row->count > 1 && row->cell[1] ? xstrndup(row->cell[1], row->len[1]) : xstrdup("");
    char *at = strstr(text, " AUTO_INCREMENT=");

    (void)err;
    if (at) {
        char *end = at + strlen(" AUTO_INCREMENT=");

        end += strspn(end, "0123456789");
        memmove(at, end, strlen(end) + 1);
    }
    free(*shape);
    *shape = text;
    return ERR_OK;
}

enum err_code step_shape(const struct ddl_job *j, const struct ddl_step *s, char **shape,
                         struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "SHOW CREATE TABLE ");
    step_add_target(j->run, s->db, s->name, &sql);
    rc = conn_rows(j->run->conn, &sql, shape_row, shape, err);
    strbuf_release(&sql);
    return rc;
}

/* MySQL and MariaDB work at it over the connection that held the lock, which we have now. TiDB's
 * jobs outlive their connection. */
enum err_code step_wait(const struct ddl_job *j, struct err *err)
{
    const struct follow_run *run = j->run;
    struct strbuf sql = {0};
    enum err_code rc = ERR_OK;
    bool running = run->flavour.vendor == VENDOR_TIDB;

    strbuf_addf(&sql,
                "SELECT COUNT(*) FROM information_schema.ddl_jobs WHERE state NOT IN ('synced',"
                "'cancelled','rollback done') AND query LIKE '%%/* ferry job %" PRIu64
                " %s:%" PRIu64 " step %%'",
                run->state.job, j->note.file, j->note.offset);
    while (!rc && running) {
        char *count = NULL;

        rc = conn_value(run->conn, strbuf_str(&sql), &count, err);
        running = !rc && count && strcmp(count, "0") != 0;
        free(count);
        if (running && !clock_sleep(200000, run->cancel))
            rc = err_set(err, ERR_INTERRUPTED, "interrupted");
    }
    strbuf_release(&sql);
    return rc;
}
