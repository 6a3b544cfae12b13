/* What the target is able to do, and the statements that write a table's rows. */
#include "loader/stage.h"

#include "common/base/mem.h"
#include "common/mysql/ident.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BATCH_BYTES_TIDB ((size_t)256 << 10) /* longer LOAD streams break connections on errors */
#define BATCH_BYTES ((size_t)1 << 20)
#define BATCH_ROWS 2000
#define STATEMENT_BYTES ((size_t)1000000)
#define PACKET_MARGIN ((size_t)4096)
#define TIDB_LOAD_JOINS 70600 /* before, LOAD DATA commits by itself */

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
    if (table_limits_read(run->conn, &run->limits, err))
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
    strbuf_add_table(&sb, t->db, t->name);
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
    strbuf_add_table(&sb, t->db, t->name);
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
