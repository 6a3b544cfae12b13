/* Whether the plan still names what is there. The tables were listed before the lock: one that was
 * created or dropped since is in the snapshot's instant and not in the plan, or the reverse. Only
 * names are asked for, as no server opens a table for them; what a name has become (a view in a
 * table's place) is seen when it is begun. */
#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "dumper/skip.h"

#include <stdlib.h>
#include <string.h>

static enum err_code objects_changed(const char *db, const char *name, const char *what,
                                     struct err *err)
{
    return err_set(err, ERR_DUMP_TABLE,
                   "tables were created or dropped while the dump was planned: say the command "
                   "again ('%s.%s' was %s)",
                   db, name, what);
}

/* Names alone are listed of objects too that the plan's query leaves out: one that the server
 * cannot open, a temporary one. */
static enum err_code object_listed(struct dump_run *run, const struct row *name, bool *listed,
                                   struct err *err)
{
    struct strbuf sql = {0};
    struct result *r = NULL;
    struct row row;
    bool more = false;
    enum err_code rc;

    strbuf_addstr(&sql, "SELECT TABLE_TYPE, ENGINE, TABLE_ROWS FROM information_schema.TABLES"
                        " WHERE TABLE_SCHEMA = ");
    strbuf_add_quoted(&sql, name->cell[0], name->len[0]);
    strbuf_addstr(&sql, " AND TABLE_NAME = ");
    strbuf_add_quoted(&sql, name->cell[1], name->len[1]);
    rc = conn_queryz(run->control, strbuf_str(&sql), &r, err);
    if (!rc)
        rc = result_next(r, &row, &more, err);
    *listed = !rc && more && row.cell[0] && strncmp(row.cell[0], "TEMPORARY", 9) != 0;
    result_free(r);
    strbuf_release(&sql);
    return rc;
}

static enum err_code object_row(struct dump_run *run, const struct row *row, bool *seen,
                                struct err *err)
{
    const struct schema *schema = run->plan.schema;
    const struct table *t;
    bool listed = false;
    enum err_code rc;

    if (!row->cell[0] || !row->cell[1] ||
        !filter_match_table(run->plan.filter, row->cell[0], row->cell[1]))
        return ERR_OK;
    t = schema_find(schema, row->cell[0], row->cell[1]);
    if (t) {
        seen[t - schema->tables] = true;
        return ERR_OK;
    }
    rc = object_listed(run, row, &listed, err);
    return rc || !listed ? rc : objects_changed(row->cell[0], row->cell[1], "created", err);
}

enum err_code dumper_list_objects(struct dump_run *run, struct result **names, struct err *err)
{
    return conn_queryz(
        run->control, "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES", names, err);
}

enum err_code dumper_same_objects(struct dump_run *run, struct result *names, struct err *err)
{
    const struct schema *schema = run->plan.schema;
    bool *seen = xcalloc(schema->table_count + 1, sizeof(*seen));
    struct row row;
    bool more = true;
    enum err_code rc = ERR_OK;

    while (!rc && more) {
        rc = result_next(names, &row, &more, err);
        if (!rc && more)
            rc = object_row(run, &row, seen, err);
    }
    for (size_t i = 0; !rc && i < run->plan.count; i++) {
        bool *one = &seen[run->plan.tables[i].table - schema->tables];

        if (!*one)
            dumper_vanished(run, &run->plan.tables[i]);
        *one = true;
    }
    for (size_t i = 0; !rc && i < schema->table_count; i++)
        if (!seen[i])
            rc = objects_changed(schema->tables[i].db, schema->tables[i].name, "dropped", err);
    free(seen);
    return rc;
}
