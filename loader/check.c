/* May the target's tables take the rows? Decided before anything is made. */
#include "loader/load_inner.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/schema/hold.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Names of the engines with transactions, each between commas, lower case. NDB's LOAD DATA commits
 * by itself. */
static enum err_code target_engines(struct load_run *run, char **engines, struct err *err)
{
    *engines = NULL;
    if (run->flavour.vendor == VENDOR_TIDB)
        return ERR_OK;
    return conn_value(
        run->conn,
        "SELECT CONCAT(',', LOWER(GROUP_CONCAT(engine)), ',') FROM "
        "information_schema.engines WHERE transactions='YES' AND engine<>'ndbcluster'",
        engines, err);
}

static enum err_code check_engine(const struct load_table *t, const char *engines, struct err *err)
{
    struct strbuf name = {0};
    bool found;

    if (!engines || !t->target->engine)
        return ERR_OK;
    strbuf_addf(&name, ",%s,", t->target->engine);
    for (char *p = name.str; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    found = strstr(engines, strbuf_str(&name)) != NULL;
    strbuf_release(&name);
    if (!found)
        return err_set(err, ERR_LOAD_ENGINE,
                       "%s is of engine %s on the target, which has no transactions", t->label,
                       t->target->engine);
    return ERR_OK;
}

static bool kinds_agree(enum table_kind dump, enum table_kind target)
{
    bool dump_rows = dump == TABLE_BASE || dump == TABLE_VERSIONED || dump == TABLE_OTHER;
    bool target_rows = target == TABLE_BASE || target == TABLE_VERSIONED;

    return dump_rows ? target_rows : dump == target;
}

static enum err_code not_same(const struct load_run *run, const struct load_table *t, uint64_t rows,
                              struct err *err)
{
    return err_set(err, ERR_LOAD_STATE,
                   "%s was dropped or emptied on the target after %llu of its rows had been "
                   "loaded; to load everything anew, empty the tables of this load and say "
                   "DELETE FROM `%s`.`job` WHERE job = %llu",
                   t->label, (unsigned long long)rows, run->state.schema,
                   (unsigned long long)run->state.job);
}

static enum err_code check_same(const struct load_run *run, const struct load_table *t,
                                uint64_t rows, struct err *err)
{
    if (rows == 0 || (t->target && t->target_id == t->found_id))
        return ERR_OK;
    return not_same(run, t, rows, err);
}

enum err_code target_same(struct load_run *run, struct err *err)
{
    for (size_t i = 0; i < run->table_count; i++)
        run->tables[i].found_id = 0;
    if (target_ids(run, err))
        return err->code;
    for (size_t i = 0; i < run->table_count; i++) {
        const struct load_table *t = &run->tables[i];

        if (check_same(run, t,
                       t->rows_before + atomic_load(&t->rows) + atomic_load(&t->others_rows), err))
            return err->code;
    }
    return ERR_OK;
}

/* Without table ids a table that was emptied after the load shows by being empty; to count the rows
 * of a finished load, which its users may have deleted, would prove nothing. */
static enum err_code check_emptied(struct load_run *run, const struct load_table *t,
                                   struct err *err)
{
    struct strbuf sql = {0};
    char *found = NULL;
    enum err_code rc;

    if (run->flavour.vendor == VENDOR_TIDB || t->added_before <= 0)
        return ERR_OK;
    strbuf_addstr(&sql, "SELECT 1 FROM ");
    strbuf_add_table(&sql, t->target->db, t->target->name);
    strbuf_addstr(&sql, " LIMIT 1");
    rc = conn_value(run->conn, strbuf_str(&sql), &found, err);
    strbuf_release(&sql);
    if (rc)
        return err_wrap(err, "%s", t->label);
    if (!found)
        return not_same(run, t, t->rows_before, err);
    free(found);
    return ERR_OK;
}

enum err_code target_still_there(struct load_run *run, struct err *err)
{
    if (target_read(run, err))
        return err->code;
    for (size_t i = 0; i < run->table_count; i++) {
        const struct load_table *t = &run->tables[i];

        if (!t->target) /* one without rows too */
            return not_same(run, t, t->rows_before, err);
        if (check_same(run, t, t->rows_before, err) || check_emptied(run, t, err))
            return err->code;
    }
    return ERR_OK;
}

/* Only TiDB gives a table an id to know it by: elsewhere the rows of earlier runs are counted, once
 * a run. The server may take long over it. */
static enum err_code check_rows(struct load_run *run, struct load_table *t, struct err *err)
{
    struct strbuf sql = {0};
    char *count = NULL;
    uint64_t found;
    enum err_code rc;

    if (run->flavour.vendor == VENDOR_TIDB || t->added_before <= 0 || t->counted ||
        run->job.state == JOB_ROWS_DONE || /* the replay may have begun */
        !run->first)                       /* others change it meanwhile; the first has looked */
        return ERR_OK;
    strbuf_addstr(&sql, "SELECT COUNT(*) FROM ");
    strbuf_add_table(&sql, t->db, t->name);
    rc = conn_value(run->conn, strbuf_str(&sql), &count, err);
    strbuf_release(&sql);
    if (rc)
        return err_wrap(err, "%s", t->label);
    found = count ? strtoull(count, NULL, 10) : 0;
    free(count);
    if (found < (uint64_t)t->added_before)
        return not_same(run, t, t->rows_before, err);
    t->counted = true;
    return ERR_OK;
}

/* Rows of several moments replace each other: what else the table held would be in between. */
static enum err_code check_empty(struct load_run *run, const struct load_table *t, struct err *err)
{
    const uint64_t ours = t->known && t->added_before > 0 ? (uint64_t)t->added_before : 0;
    struct strbuf sql = {0};
    char *count = NULL;
    bool more;
    enum err_code rc;

    if (!t->several || t->clear != CLEAR_NONE || t->create || run->config->no_data ||
        run->config->dry_run || (t->known && (t->origin != TABLE_FOUND || !run->first)) ||
        run->job.state == JOB_ROWS_DONE)
        return ERR_OK;
    strbuf_addstr(&sql, "SELECT COUNT(*) FROM (SELECT 1 FROM ");
    strbuf_add_table(&sql, t->db, t->name);
    strbuf_addf(&sql, " LIMIT %llu) found", (unsigned long long)ours + 1);
    rc = conn_value(run->conn, strbuf_str(&sql), &count, err);
    strbuf_release(&sql);
    if (rc)
        return err_wrap(err, "%s", t->label);
    more = count && strtoull(count, NULL, 10) > ours;
    free(count);
    if (!more)
        return ERR_OK;
    return err_set(
        err, ERR_LOAD_TABLE_EXISTS,
        "%s holds rows on the target, and the dump's are of several snapshots: they can "
        "only be put right in a table that was empty; say --if-table-exists truncate, or "
        "empty it",
        t->label);
}

static bool keyless(const struct load_table *t)
{
    const struct table *dumped = &t->dump->model;

    return !table_best_key(t->target) || (dumped->column_count && !table_best_key(dumped));
}

/* Nothing stops a row without a key from coming twice: a second dump of the same rows would double
 * them. Said before the first one is written; adding rows may be what is wanted. */
static enum err_code check_appended(struct load_run *run, const struct load_table *t,
                                    struct err *err)
{
    struct strbuf sql = {0};
    char *found = NULL;
    enum err_code rc;

    if (t->known || t->clear != CLEAR_NONE || run->config->no_data || !keyless(t))
        return ERR_OK;
    strbuf_addstr(&sql, "SELECT 1 FROM ");
    strbuf_add_table(&sql, t->db, t->name);
    strbuf_addstr(&sql, " LIMIT 1");
    rc = conn_value(run->conn, strbuf_str(&sql), &found, err);
    strbuf_release(&sql);
    if (rc)
        return err_wrap(err, "%s", t->label);
    if (found)
        log_event(LOG_WARN, "load.append.keyless", F_STR("table", t->label),
                  F_STR("message", "the table holds rows already, and without a primary or unique "
                                   "key nothing tells whether the dump's are among them: they are "
                                   "added (--if-table-exists stop or truncate does otherwise)"));
    free(found);
    return ERR_OK;
}

/* What --if-table-exists says of a table that is there. Once the load has begun with a table, it is
 * not touched any more: its rows may be there. */
static enum err_code check_clear(const struct load_run *run, struct load_table *t, struct err *err)
{
    const enum load_if_exists wanted = run->config->if_exists;
    bool rows = t->dump->kind != TABLE_VIEW && t->dump->kind != TABLE_SEQUENCE;
    bool begun = t->origin == TABLE_EMPTYING || t->origin == TABLE_DROPPING;

    if (t->clear != CLEAR_NONE || t->create)
        return ERR_OK;
    /* Else some tables would have been cleared, and others keep what they had. */
    if (t->known && begun && wanted != IF_EXISTS_DROP && wanted != IF_EXISTS_TRUNCATE)
        return err_set(err, ERR_LOAD_STATE,
                       "this load has begun to %s the tables that are there, and %s may have been "
                       "next: repeat the first command's --if-table-exists; or, to begin anew with "
                       "the tables as they are now, say DELETE FROM `%s`.`job` WHERE job = %llu",
                       t->origin == TABLE_DROPPING ? "drop" : "empty", t->label, run->state.schema,
                       (unsigned long long)run->state.job);
    if (wanted != IF_EXISTS_DROP && (wanted != IF_EXISTS_TRUNCATE || !rows))
        return ERR_OK;
    if (t->known && t->origin == TABLE_FOUND)
        return err_set(err, ERR_LOAD_STATE,
                       "this load has begun with %s as it was; it cannot be emptied or dropped any "
                       "more: repeat the first command's --if-table-exists",
                       t->label);
    if ((t->known && !begun) || t->rows_before > 0)
        return ERR_OK;
    if (wanted == IF_EXISTS_DROP && !t->dump->schema_file)
        return err_set(err, ERR_LOAD_SCHEMA,
                       "%s cannot be dropped: the dump holds no definition to create it from",
                       t->label);
    if (wanted == IF_EXISTS_DROP)
        t->clear = CLEAR_DROP;
    else if (kinds_agree(t->dump->kind, t->target->kind))
        t->clear = CLEAR_TRUNCATE;
    return ERR_OK;
}

/* A table of the source must neither be emptied, nor get its own rows once more. */
static enum err_code check_itself(const struct load_run *run, const struct load_table *t,
                                  struct err *err)
{
    if (!run->config->target_is_source || strcmp(t->db, t->dump->db) != 0 ||
        strcmp(t->name, t->dump->name) != 0)
        return ERR_OK;
    return err_set(err, ERR_USAGE,
                   "source and target are the same server: %s would be loaded into itself (name "
                   "the other server, or other tables with --rename)",
                   t->label);
}

static enum err_code check_existing(struct load_run *run, struct load_table *t, const char *engines,
                                    struct err *err)
{
    bool ours = t->create || (t->known && t->origin != TABLE_FOUND) || run->config->dry_run;

    if (check_itself(run, t, err) || check_clear(run, t, err))
        return err->code;
    if (t->clear == CLEAR_DROP)
        return ERR_OK;

    if (!kinds_agree(t->dump->kind, t->target->kind))
        return err_set(err, ERR_LOAD_TABLE_SHAPE,
                       "%s exists on the target, but as another kind of object", t->label);
    if (run->config->if_exists == IF_EXISTS_STOP && !ours)
        return err_set(err, ERR_LOAD_TABLE_EXISTS, "%s exists on the target", t->label);
    if (check_same(run, t, t->rows_before, err))
        return err->code;
    /* An earlier run was cut off between the statements that make it. */
    if (t->dump->kind == TABLE_SEQUENCE && t->known && t->origin == TABLE_CREATING)
        t->create = true;
    if (t->dump->kind == TABLE_VIEW || t->dump->kind == TABLE_SEQUENCE)
        return ERR_OK;
    if (check_engine(t, engines, err) || check_rows(run, t, err) || check_empty(run, t, err) ||
        check_appended(run, t, err))
        return err->code;
    return table_can_hold(t->target, &t->dump->model, err);
}

static enum err_code check_missing(const struct load_run *run, struct load_table *t,
                                   struct err *err)
{
    if (check_same(run, t, t->rows_before, err))
        return err->code;
    if (t->create)
        return err_set(err, ERR_LOAD_SCHEMA, "%s is gone although it has been created", t->label);
    t->clear = CLEAR_NONE;
    if (run->config->no_schemas)
        return err_set(err, ERR_LOAD_SCHEMA,
                       "%s is not on the target, and nothing is to be created", t->label);
    if (!t->dump->schema_file)
        return err_set(err, ERR_LOAD_SCHEMA,
                       "%s is not on the target, and the dump holds no definition of it", t->label);
    t->create = true;
    return ERR_OK;
}

static enum err_code check_trigger(void *ctx, const struct row *row, struct err *err)
{
    const struct load_run *run = ctx;
    const struct table *t = NULL;
    char *db, *name;

    if (row->count != 4 || !row->cell[0] || !row->cell[1] || !row->cell[2] || !row->cell[3])
        return err_set(err, ERR_SERVER_UNSUPPORTED, "information_schema.triggers lacks a name");
    db = xstrndup(row->cell[0], row->len[0]);
    name = xstrndup(row->cell[1], row->len[1]);
    t = schema_find(run->target, db, name);
    free(db);
    free(name);
    for (size_t i = 0; t && i < run->table_count; i++)
        if (run->tables[i].target == t)
            return err_set(err, ERR_LOAD_TABLE_SHAPE,
                           "%s has the trigger %.*s on the target, which would act on the rows "
                           "that %s; drop it for the time of the load",
                           run->tables[i].label, (int)row->len[2], row->cell[2],
                           strncmp(row->cell[3], "DELETE", 6) == 0 ? "--on-conflict replace removes"
                                                                   : "come in");
    return ERR_OK;
}

/* A trigger on INSERT would act on every row, one on DELETE on those that are replaced; rows are
 * never updated. TiDB has none. */
static enum err_code check_triggers(struct load_run *run, struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    if (run->flavour.vendor == VENDOR_TIDB || run->config->no_data ||
        (run->chunk_count == 0 && !run->config->dry_run) || run->table_count == 0)
        return ERR_OK;
    strbuf_addf(&sql,
                "SELECT event_object_schema,event_object_table,trigger_name,event_manipulation "
                "FROM information_schema.triggers WHERE (event_manipulation LIKE '%%INSERT%%'%s) "
                "AND event_object_schema IN ",
                run->config->on_conflict == ON_CONFLICT_REPLACE
                    ? " OR event_manipulation LIKE '%DELETE%'"
                    : "");
    target_add_databases(run, &sql);
    rc = conn_rows(run->conn, &sql, check_trigger, run, err);
    strbuf_release(&sql);
    return rc;
}

enum err_code target_check(struct load_run *run, struct err *err)
{
    char *engines = NULL;
    enum err_code rc;

    rc = target_names_differ(run, err);
    if (!rc)
        rc = check_triggers(run, err);
    if (!rc)
        rc = target_engines(run, &engines, err);
    for (size_t i = 0; !rc && i < run->table_count; i++) {
        struct load_table *t = &run->tables[i];

        if (atomic_load(&t->failed) || (t->later && !t->target))
            continue;
        rc = t->target ? check_existing(run, t, engines, err) : check_missing(run, t, err);
        /* made by us, and not as it was told: the others may go on */
        if (rc && t->known && t->origin != TABLE_FOUND && t->origin != TABLE_EMPTIED &&
            schema_error_of_object(run, rc)) {
            schema_leave_out(run, t, err);
            err_clear(err);
            rc = ERR_OK;
        }
    }
    free(engines);
    return rc;
}
