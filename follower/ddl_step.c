/* One step of a DDL statement on the target. */
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/schema/convert.h"
#include "common/schema/rename.h"
#include "follower/follow_ddl.h"

#include <inttypes.h>
#include <stdlib.h>

static void add_target(const struct follow_run *run, const char *db, const char *name,
                       struct strbuf *sql)
{
    const char *to_db;
    const char *to_name;

    route_table(run->route, db, name, &to_db, &to_name);
    strbuf_add_table(sql, to_db, to_name);
}

static enum err_code convert(const struct follow_run *run, const char *sql, struct converted *c,
                             struct err *err)
{
    const struct convert_params params = {
        .source = &run->source, .target = &run->flavour, .key_collation = KEY_COLLATION_SAFE};

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

static enum err_code create_sql(struct ddl_job *j, const struct ddl_step *s, struct strbuf *sql,
                                struct err *err)
{
    struct follow_run *run = j->run;
    const struct rename_params names = {
        .route = run->route, .flavour = &run->flavour, .db = s->db, .kind = OBJECT_TABLE};
    struct converted c = {0};
    struct strbuf database = {0};
    const char *to_db;
    const char *to_name;
    enum err_code rc = convert(run, s->clause, &c, err);

    if (!rc)
        rc = rename_definition(c.sql, &names, sql, err);
    converted_release(&c);
    route_table(run->route, s->db, s->name, &to_db, &to_name);
    strbuf_addstr(&database, "CREATE DATABASE IF NOT EXISTS ");
    strbuf_add_ident(&database, to_db);
    if (!rc)
        rc = conn_exec(run->conn, database.str, database.len, NULL, err);
    strbuf_release(&database);
    return rc;
}

/* The column's definition as it stands in the parentheses of a CREATE TABLE that was converted. */
static enum err_code column_convert(struct ddl_job *j, const char *clause, struct strbuf *out,
                                    struct err *err)
{
    struct arena *arena = arena_new();
    struct strbuf create = {0};
    struct converted c = {0};
    struct ddl_table t = {0};
    struct ddl_text d;
    enum err_code rc;

    strbuf_addf(&create, "CREATE TABLE `t` (%s)", clause);
    rc = convert(j->run, strbuf_str(&create), &c, err);
    if (!rc)
        rc = ddl_text_init(&d, c.sql, &j->run->flavour, arena, err);
    if (!rc)
        rc = ddl_table_parse(&d, &t, err);
    if (!rc && t.item_count != 1)
        rc = err_set(err, ERR_FORMAT, "'%s' is not one column", clause);
    if (!rc)
        strbuf_addstr(out, ddl_source(&d, t.items[0].span));
    converted_release(&c);
    strbuf_release(&create);
    arena_free(arena);
    return rc;
}

static enum err_code column_sql(struct ddl_job *j, const struct ddl_step *s, struct strbuf *sql,
                                struct err *err)
{
    if (column_allowed(j, s, err))
        return err->code;
    strbuf_addstr(sql, " ADD COLUMN ");
    if (column_convert(j, s->clause, sql, err))
        return err->code;
    if (s->first)
        strbuf_addstr(sql, " FIRST");
    if (s->after) {
        strbuf_addstr(sql, " AFTER ");
        strbuf_add_ident(sql, s->after);
    }
    return ERR_OK;
}

enum err_code step_sql(struct ddl_job *j, const struct ddl_step *s, struct strbuf *sql,
                       struct err *err)
{
    static const char *const begins[] = {[ACT_TRUNCATE] = "TRUNCATE TABLE ",
                                         [ACT_DROP] = "DROP TABLE ",
                                         [ACT_RENAME] = "RENAME TABLE ",
                                         [ACT_LIKE] = "CREATE TABLE ",
                                         [ACT_CREATE] = "",
                                         [ACT_ADD_COLUMN] = "ALTER TABLE ",
                                         [ACT_DROP_COLUMN] = "ALTER TABLE ",
                                         [ACT_ADD_KEY] = "ALTER TABLE ",
                                         [ACT_DROP_KEY] = "ALTER TABLE "};

    if (s->act == ACT_CREATE)
        return create_sql(j, s, sql, err);
    strbuf_addstr(sql, begins[s->act]);
    add_target(j->run, s->db, s->name, sql);
    if (s->act == ACT_RENAME || s->act == ACT_LIKE) {
        strbuf_addstr(sql, s->act == ACT_RENAME ? " TO " : " LIKE ");
        add_target(j->run, s->other_db, s->other_name, sql);
    } else if (s->act == ACT_ADD_COLUMN) {
        return column_sql(j, s, sql, err);
    } else if (s->act == ACT_ADD_KEY) {
        strbuf_addf(sql, " ADD %s", s->clause);
    } else if (s->act == ACT_DROP_COLUMN || s->act == ACT_DROP_KEY) {
        strbuf_addstr(sql, s->act == ACT_DROP_KEY ? " DROP INDEX " : " DROP COLUMN ");
        strbuf_add_ident(sql, s->part);
    }
    return ERR_OK;
}

/* ---- looking ---- */

struct parts { /* rows of a view of information_schema, for the table or a part of it */
    const char *view, *column; /* NULL: the table as a whole */
    bool other;                /* the step's other table */
};
static enum err_code parts_found(const struct follow_run *run, const struct parts *parts,
                                 const struct ddl_step *s, bool *found, struct err *err)
{
    struct strbuf sql = {0};
    const char *to_db;
    const char *to_name;
    char *count = NULL;
    enum err_code rc;

    route_table(run->route, parts->other ? s->other_db : s->db,
                parts->other ? s->other_name : s->name, &to_db, &to_name);
    strbuf_addf(&sql,
                "SELECT COUNT(*) FROM information_schema.%s WHERE table_schema=", parts->view);
    strbuf_add_quotedz(&sql, to_db);
    strbuf_addstr(&sql, " AND table_name=");
    strbuf_add_quotedz(&sql, to_name);
    if (parts->column) {
        strbuf_addf(&sql, " AND %s=", parts->column);
        strbuf_add_quotedz(&sql, s->part);
    }
    rc = conn_value(run->conn, strbuf_str(&sql), &count, err);
    strbuf_release(&sql);
    if (!rc)
        *found = count && strcmp(count, "0") != 0;
    free(count);
    return rc;
}

enum err_code step_probe(const struct ddl_job *j, const struct ddl_step *s, bool *done,
                         struct err *err)
{
    const struct follow_run *run = j->run;
    bool found = false;
    bool other = true;
    enum err_code rc = ERR_OK;

    switch (s->act) {
    case ACT_TRUNCATE: /* nothing shows it */
        *done = false;
        return ERR_OK;
    case ACT_RENAME:
        rc = parts_found(run, &(struct parts){"tables", NULL, true}, s, &other, err);
        /* fall through */
    case ACT_DROP:
    case ACT_LIKE:
    case ACT_CREATE:
        if (!rc)
            rc = parts_found(run, &(struct parts){"tables", NULL, false}, s, &found, err);
        break;
    case ACT_ADD_COLUMN:
    case ACT_DROP_COLUMN:
        rc = parts_found(run, &(struct parts){"columns", "column_name", false}, s, &found, err);
        break;
    case ACT_ADD_KEY:
    case ACT_DROP_KEY:
        rc = parts_found(run, &(struct parts){"statistics", "index_name", false}, s, &found, err);
        break;
    }
    if (s->act == ACT_LIKE || s->act == ACT_CREATE || s->act == ACT_ADD_COLUMN ||
        s->act == ACT_ADD_KEY)
        *done = found;
    else
        *done = !found && other;
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
