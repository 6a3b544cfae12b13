/* The target as it is: its tables, whether they may take the dump's rows, and its limits. */
#include "loader/stage.h"

#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/schema/hold.h"
#include "common/schema/read.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BATCH_BYTES_TIDB ((size_t)256 << 10) /* longer LOAD streams break connections on errors */
#define BATCH_BYTES ((size_t)1 << 20)
#define BATCH_ROWS 2000
#define ENTRY_BYTES_TIDB ((size_t)6291456) /* default of txn-entry-size-limit */
#define STATEMENT_BYTES ((size_t)1000000)
#define PACKET_MARGIN ((size_t)4096)
#define TIDB_LOAD_JOINS 70600 /* before, LOAD DATA commits by itself */

/* ---- names ---- */

static char *lower_dup(const char *name)
{
    char *lower = xstrdup(name);

    for (char *p = lower; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return lower;
}

static const struct table *target_find(const struct load_run *run, const char *db, const char *name)
{
    const struct table *t = schema_find(run->target, db, name);
    char *lower_db, *lower_name;

    if (t || !run->fold_names)
        return t;
    lower_db = lower_dup(db);
    lower_name = lower_dup(name);
    t = schema_find(run->target, lower_db, lower_name);
    free(lower_db);
    free(lower_name);
    for (size_t i = 0; !t && i < run->target->table_count; i++) {
        const struct table *other = &run->target->tables[i];

        if (strcasecmp(other->db, db) == 0 && strcasecmp(other->name, name) == 0)
            t = other;
    }
    return t;
}

/* A pattern for everything in database `db`. */
static char *database_pattern(const char *db)
{
    struct strbuf sb = {0};

    strbuf_add_ident(&sb, db);
    strbuf_addstr(&sb, ".*");
    return strbuf_detach(&sb);
}

/* The databases of the picked tables, which are sorted by database. */
static enum err_code target_filter(const struct load_run *run, struct filter **filter,
                                   struct err *err)
{
    char **patterns = xcalloc(run->dump->database_count + run->table_count + 1, sizeof *patterns);
    const char **borrowed;
    size_t count = 0;
    enum err_code rc;

    for (size_t i = 0; i < run->dump->database_count; i++)
        patterns[count++] = database_pattern(run->dump->databases[i].name);
    for (size_t i = 0; i < run->table_count; i++)
        if (i == 0 || strcmp(run->tables[i].dump->db, run->tables[i - 1].dump->db) != 0)
            patterns[count++] = database_pattern(run->tables[i].dump->db);
    borrowed = xcalloc(count + 1, sizeof *borrowed);
    for (size_t i = 0; i < count; i++)
        borrowed[i] = patterns[i];
    rc = filter_new(borrowed, count, false, filter, err);
    for (size_t i = 0; i < count; i++)
        free(patterns[i]);
    free(patterns);
    free(borrowed);
    return rc;
}

/* ---- table ids of TiDB ---- */

static enum err_code target_id_row(struct load_run *run, struct load_table **by_target,
                                   const struct row *row, struct err *err)
{
    char *db, *name;
    const struct table *t;

    if (row->count != 3 || !row->cell[0] || !row->cell[1])
        return err_set(err, ERR_SERVER_UNSUPPORTED, "information_schema.tables has no table id");
    db = xstrndup(row->cell[0], row->len[0]);
    name = xstrndup(row->cell[1], row->len[1]);
    t = schema_find(run->target, db, name);
    free(db);
    free(name);
    if (t && by_target[t - run->target->tables] && row->cell[2])
        by_target[t - run->target->tables]->found_id = strtoull(row->cell[2], NULL, 10);
    return ERR_OK;
}

/* "('db1','db2')": the databases of the picked tables. */
static void add_databases(const struct load_run *run, struct strbuf *sql)
{
    strbuf_addch(sql, '(');
    for (size_t i = 0; i < run->table_count; i++) {
        if (i > 0 && strcmp(run->tables[i].dump->db, run->tables[i - 1].dump->db) == 0)
            continue;
        strbuf_addstr(sql, i ? "," : "");
        strbuf_add_quotedz(sql, run->tables[i].dump->db);
    }
    strbuf_addch(sql, ')');
}

static enum err_code target_ids(struct load_run *run, struct err *err)
{
    struct load_table **by_target; /* by index in run->target->tables */
    struct strbuf sql = {0};
    struct result *r = NULL;
    enum err_code rc;
    bool more = true;

    if (run->flavour.vendor != VENDOR_TIDB || run->table_count == 0)
        return ERR_OK;
    by_target = xcalloc(run->target->table_count + 1, sizeof(struct load_table *));
    for (size_t i = 0; i < run->table_count; i++)
        if (run->tables[i].target)
            by_target[run->tables[i].target - run->target->tables] = &run->tables[i];
    strbuf_addstr(&sql, "SELECT table_schema,table_name,tidb_table_id FROM "
                        "information_schema.tables WHERE table_schema IN ");
    add_databases(run, &sql);
    rc = conn_query(run->conn, sql.str, sql.len, false, &r, err);
    while (!rc && more) {
        struct row row;

        rc = result_next(r, &row, &more, err);
        if (!rc && more)
            rc = target_id_row(run, by_target, &row, err);
    }
    result_free(r);
    strbuf_release(&sql);
    free(by_target);
    return rc;
}

enum err_code target_read(struct load_run *run, struct err *err)
{
    struct filter *filter = NULL;
    char *fold = NULL;
    enum err_code rc;

    schema_free(run->target);
    run->target = NULL;
    rc = conn_value(run->conn, "SELECT @@lower_case_table_names", &fold, err);
    if (!rc)
        rc = target_filter(run, &filter, err);
    if (!rc)
        rc = schema_read(run->conn, filter, &run->target, err);
    filter_free(filter);
    run->fold_names = fold && strcmp(fold, "0") != 0;
    free(fold);
    if (rc)
        return rc;
    for (size_t i = 0; i < run->table_count; i++) {
        struct load_table *t = &run->tables[i];

        t->target = target_find(run, t->dump->db, t->dump->name);
        t->found_id = 0;
    }
    return target_ids(run, err);
}

/* ---- may the tables take the rows? ---- */

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
    char *lower;
    bool found;

    if (!engines || !t->target->engine)
        return ERR_OK;
    lower = lower_dup(t->target->engine);
    strbuf_addf(&name, ",%s,", lower);
    found = strstr(engines, strbuf_str(&name)) != NULL;
    free(lower);
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

        if (check_same(run, t, t->rows_before + atomic_load(&t->rows), err))
            return err->code;
    }
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
        if (check_same(run, t, t->rows_before, err))
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

    if (run->flavour.vendor == VENDOR_TIDB || t->added_before <= 0 || t->counted)
        return ERR_OK;
    strbuf_addstr(&sql, "SELECT COUNT(*) FROM ");
    strbuf_add_table(&sql, t->dump->db, t->dump->name);
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

static enum err_code check_existing(struct load_run *run, struct load_table *t, const char *engines,
                                    struct err *err)
{
    bool ours = t->create || (t->known && t->origin != TABLE_FOUND) || run->config->dry_run;

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
    if (check_engine(t, engines, err) || check_rows(run, t, err))
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
    if (run->config->no_schemas)
        return err_set(err, ERR_LOAD_SCHEMA,
                       "%s is not on the target, and nothing is to be created", t->label);
    if (!t->dump->schema_file)
        return err_set(err, ERR_LOAD_SCHEMA,
                       "%s is not on the target, and the dump holds no definition of it", t->label);
    t->create = true;
    return ERR_OK;
}

static enum err_code check_trigger(const struct load_run *run, const struct row *row,
                                   struct err *err)
{
    const struct table *t = NULL;
    char *db, *name;

    if (row->count != 3 || !row->cell[0] || !row->cell[1] || !row->cell[2])
        return err_set(err, ERR_SERVER_UNSUPPORTED, "information_schema.triggers lacks a name");
    db = xstrndup(row->cell[0], row->len[0]);
    name = xstrndup(row->cell[1], row->len[1]);
    t = schema_find(run->target, db, name);
    free(db);
    free(name);
    for (size_t i = 0; t && i < run->table_count; i++)
        if (run->tables[i].target == t)
            return err_set(err, ERR_LOAD_TABLE_SHAPE,
                           "%s has the trigger %.*s on the target, which could change the rows "
                           "that come in; drop it for the time of the load",
                           run->tables[i].label, (int)row->len[2], row->cell[2]);
    return ERR_OK;
}

/* A trigger on INSERT would act on every row; TiDB has none. */
static enum err_code check_triggers(struct load_run *run, struct err *err)
{
    struct strbuf sql = {0};
    struct result *r = NULL;
    enum err_code rc;
    bool more = true;

    if (run->flavour.vendor == VENDOR_TIDB || run->table_count == 0 || run->config->no_data)
        return ERR_OK;
    strbuf_addstr(&sql, "SELECT event_object_schema,event_object_table,trigger_name FROM "
                        "information_schema.triggers WHERE event_manipulation LIKE '%INSERT%' AND "
                        "event_object_schema IN ");
    add_databases(run, &sql);
    rc = conn_query(run->conn, sql.str, sql.len, false, &r, err);
    while (!rc && more) {
        struct row row;

        rc = result_next(r, &row, &more, err);
        if (!rc && more)
            rc = check_trigger(run, &row, err);
    }
    result_free(r);
    strbuf_release(&sql);
    return rc;
}

static int folded_compare(const void *a, const void *b)
{
    const struct load_table *x = *(const struct load_table *const *)a;
    const struct load_table *y = *(const struct load_table *const *)b;
    int order = strcasecmp(x->dump->db, y->dump->db);

    return order ? order : strcasecmp(x->dump->name, y->dump->name);
}

/* Objects whose names differ in case only would become one on such a target. */
static enum err_code check_names(const struct load_run *run, struct err *err)
{
    const struct load_table **sorted;
    enum err_code rc = ERR_OK;

    if (!run->fold_names || run->table_count == 0)
        return ERR_OK;
    sorted = xcalloc(run->table_count, sizeof *sorted);
    for (size_t i = 0; i < run->table_count; i++)
        sorted[i] = &run->tables[i];
    qsort(sorted, run->table_count, sizeof *sorted, folded_compare);
    for (size_t i = 1; !rc && i < run->table_count; i++)
        if (folded_compare(&sorted[i - 1], &sorted[i]) == 0)
            rc = err_set(err, ERR_LOAD_SCHEMA,
                         "%s and %s would be one object on the target, whose names do "
                         "not mind case; rename one of them, or leave it out with "
                         "a filter and --case-sensitive",
                         sorted[i - 1]->label, sorted[i]->label);
    free(sorted);
    return rc;
}

enum err_code target_check(struct load_run *run, struct err *err)
{
    char *engines = NULL;
    enum err_code rc;

    rc = check_names(run, err);
    if (!rc)
        rc = check_triggers(run, err);
    if (!rc)
        rc = target_engines(run, &engines, err);
    for (size_t i = 0; !rc && i < run->table_count; i++) {
        struct load_table *t = &run->tables[i];

        rc = t->target ? check_existing(run, t, engines, err) : check_missing(run, t, err);
    }
    free(engines);
    return rc;
}

/* ---- limits and statements ---- */

/* TiDB's limit of one row: the session's where it is set, else the server's, which only some
 * accounts may read; its default then. */
static enum err_code target_entry_limit(struct load_run *run, struct err *err)
{
    static const char *const asks[] = {
        "SELECT @@tidb_txn_entry_size_limit",
        "SELECT JSON_EXTRACT(@@global.tidb_config,'$.performance.\"txn-entry-size-limit\"')"};

    run->max_row = ENTRY_BYTES_TIDB;
    for (size_t i = 0; i < sizeof asks / sizeof asks[0]; i++) {
        char *text = NULL;
        size_t limit;

        if (conn_value(run->conn, asks[i], &text, err)) {
            if (err_info(err->code)->retryable)
                return err->code;
            err_clear(err);
        }
        limit = text ? (size_t)strtoull(text, NULL, 10) : 0;
        free(text);
        if (limit > 0) {
            run->max_row = limit;
            break;
        }
    }
    return ERR_OK;
}

enum err_code target_limits(struct load_run *run, struct err *err)
{
    const struct load_config *config = run->config;
    bool tidb = run->flavour.vendor == VENDOR_TIDB;
    size_t usual = tidb ? BATCH_BYTES_TIDB : BATCH_BYTES;
    char *packet = NULL;
    enum err_code rc;

    rc = conn_value(run->conn, "SELECT @@max_allowed_packet", &packet, err);
    if (rc)
        return rc;
    run->max_packet = packet ? (size_t)strtoull(packet, NULL, 10) : STATEMENT_BYTES;
    free(packet);
    run->max_packet -= run->max_packet > 2 * PACKET_MARGIN ? PACKET_MARGIN : 0;
    run->max_statement = run->max_packet < STATEMENT_BYTES ? run->max_packet : STATEMENT_BYTES;
    run->batch_bytes = config->batch_bytes ? (size_t)config->batch_bytes : usual;
    if (tidb && run->batch_bytes > BATCH_BYTES_TIDB)
        run->batch_bytes = BATCH_BYTES_TIDB;
    run->batch_rows = config->batch_rows ? config->batch_rows : BATCH_ROWS;
    run->max_load_row = tidb ? BATCH_BYTES_TIDB : 0;
    if (tidb && target_entry_limit(run, err))
        return err->code;
    run->fast = config->path == LOAD_PATH_AUTO &&
                (!tidb || flavour_at_least(&run->flavour, VENDOR_TIDB, TIDB_LOAD_JOINS));
    return ERR_OK;
}

/* Whether raw bytes go through LOAD DATA under CHARACTER SET utf8mb4. MySQL refuses them (1300).
 * MariaDB 10.2 takes a byte from 0xF0 on for the first of four and so leaves an escape behind it as
 * it is: the value is another one, without a word (seen on 10.2.11; 10.11 and later are right). */
static bool target_takes_bytes(const struct flavour *f)
{
    return f->vendor == VENDOR_TIDB || flavour_at_least(f, VENDOR_MARIADB, 101100);
}

/* hex and enum_error; left NULL where no column needs them. */
static void table_marks(const struct load_run *run, struct load_table *t)
{
    const struct row_shape *shape = &t->dump->shape;
    bool *hex = xcalloc(shape->count + 1, sizeof *hex);
    bool *enum_error = xcalloc(shape->count + 1, sizeof *enum_error);
    bool any_hex = false, any_enum = false;

    for (unsigned i = 0; i < shape->count; i++) {
        const struct column *c = &t->dump->model.columns[t->dump->dumped[i]];

        /* MySQL checks the whole line for UTF-8; the others take bytes as they are. */
        hex[i] = !target_takes_bytes(&run->flavour) &&
                 (shape->forms[i] == CELL_BYTES || shape->forms[i] == CELL_BIT);
        enum_error[i] = c->type == TYPE_ENUM && !column_enum_has_empty(c);
        any_hex = any_hex || hex[i];
        any_enum = any_enum || enum_error[i];
    }
    t->hex = any_hex ? hex : NULL;
    t->enum_error = any_enum ? enum_error : NULL;
    if (!any_hex)
        free(hex);
    if (!any_enum)
        free(enum_error);
}

/* Whether the column is set from a variable: as hex digits, or because MariaDB forgets, as soon as
 * anything is SET, that the AUTO_INCREMENT column was given a value, and makes a new number of a 0
 * (seen on 10.2 to 11.4, NO_AUTO_VALUE_ON_ZERO notwithstanding). */
static bool column_by_variable(const struct load_table *t, unsigned i)
{
    return t->hex && (t->hex[i] || t->auto_cell == (int)i);
}

static void add_columns(const struct load_table *t, bool for_load, struct strbuf *sb)
{
    const struct row_shape *shape = &t->dump->shape;

    strbuf_addstr(sb, " (");
    for (unsigned i = 0; i < shape->count; i++) {
        strbuf_addstr(sb, i ? "," : "");
        if (for_load && column_by_variable(t, i))
            strbuf_addf(sb, "@ferry%u", i);
        else
            strbuf_add_ident(sb, shape->columns[i]);
    }
    strbuf_addch(sb, ')');
}

/* cell_of and auto_cell. */
static void table_cells(struct load_table *t)
{
    const struct row_shape *shape = &t->dump->shape;

    t->auto_cell = -1;
    t->cell_of = xcalloc(t->target->column_count + 1, sizeof *t->cell_of);
    for (unsigned i = 0; i < t->target->column_count; i++) {
        t->cell_of[i] = -1;
        for (unsigned k = 0; k < shape->count; k++)
            if (strcasecmp(shape->columns[k], t->target->columns[i].name) == 0)
                t->cell_of[i] = (int)k;
        if (t->target->columns[i].auto_increment)
            t->auto_cell = t->cell_of[i];
    }
}

static void table_statements(const struct load_run *run, struct load_table *t)
{
    const struct row_shape *shape = &t->dump->shape;
    const char *between = " SET ";
    struct strbuf sb = {0};

    table_cells(t);
    table_marks(run, t);
    strbuf_addstr(&sb, "LOAD DATA LOCAL INFILE 'ferry' INTO TABLE ");
    strbuf_add_table(&sb, t->dump->db, t->dump->name);
    strbuf_addstr(&sb, " CHARACTER SET utf8mb4 FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' "
                       "LINES TERMINATED BY '\\n'");
    add_columns(t, true, &sb);
    for (unsigned i = 0; i < shape->count; i++) {
        if (!column_by_variable(t, i))
            continue;
        strbuf_addstr(&sb, between);
        strbuf_add_ident(&sb, shape->columns[i]);
        strbuf_addf(&sb, t->hex[i] ? "=UNHEX(@ferry%u)" : "=@ferry%u", i);
        between = ",";
    }
    t->load_sql = strbuf_detach(&sb);
    strbuf_addstr(&sb, "INSERT INTO ");
    strbuf_add_table(&sb, t->dump->db, t->dump->name);
    add_columns(t, false, &sb);
    strbuf_addstr(&sb, " VALUES ");
    t->insert_sql = strbuf_detach(&sb);
    t->stage = stage_plan_new(run, t);
}

void target_statements(struct load_run *run)
{
    for (size_t i = 0; i < run->table_count; i++)
        if (run->tables[i].dump->chunk_count > 0 && run->tables[i].target)
            table_statements(run, &run->tables[i]);
}
