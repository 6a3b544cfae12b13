/* Foreign keys whose parents' changes change children inside of InnoDB: without a trace in the
 * binlog, but where MySQL 9.6 and above do it in the server (innodb_native_foreign_keys=OFF). */
#include "common/base/mem.h"
#include "common/schema/ddl_table.h"
#include "common/target/ddl.h"
#include "follower/follow_inner.h"

#include <stdlib.h>
#include <strings.h>

static enum err_code cascades_logged(struct follow_run *run, bool *logged, struct err *err)
{
    struct strbuf sql = {0};
    char *value = NULL;
    enum err_code rc;

    *logged = run->dump->epoch_count > 0 && run->dump->epochs[0].cascades_logged;
    if (*logged || !run->source_conn ||
        !flavour_at_least(conn_flavour(run->source_conn), VENDOR_MYSQL, 90600))
        return ERR_OK;
    strbuf_addstr(&sql, "SELECT VARIABLE_VALUE FROM performance_schema.global_variables WHERE "
                        "VARIABLE_NAME='innodb_native_foreign_keys'");
    rc = conn_value(run->source_conn, strbuf_str(&sql), &value, err);
    *logged = !rc && value && strcasecmp(value, "OFF") == 0;
    free(value);
    strbuf_release(&sql);
    return rc;
}

/* ON DELETE or ON UPDATE with CASCADE, SET NULL or SET DEFAULT. */
static bool item_cascades(const struct ddl_text *d, const struct ddl_item *item)
{
    for (size_t i = item->span.first; i + 2 < item->span.end; i++)
        if (ddl_is(d, i, "ON") && (ddl_is(d, i + 1, "DELETE") || ddl_is(d, i + 1, "UPDATE")) &&
            (ddl_is(d, i + 2, "CASCADE") || ddl_is(d, i + 2, "SET")))
            return true;
    return false;
}

static enum err_code statement_cascades(const struct follow_run *run, const char *sql,
                                        bool *cascades, struct err *err)
{
    struct arena *arena = arena_new();
    struct ddl_table t = {0};
    struct ddl_text d;
    enum err_code rc = ddl_text_init(&d, sql, &run->source, arena, err);

    if (!rc)
        rc = ddl_table_parse(&d, &t, err);
    for (size_t i = 0; !rc && i < t.item_count; i++)
        if (t.items[i].kind == ITEM_FOREIGN || t.items[i].kind == ITEM_COLUMN)
            *cascades = *cascades || item_cascades(&d, &t.items[i]);
    arena_free(arena);
    return rc;
}

static enum err_code table_cascades(const struct follow_run *run, const struct dump_table *t,
                                    bool *cascades, struct err *err)
{
    struct strbuf text = {0};
    struct ddl_statement st;
    const char *pos;
    const char *end;
    enum err_code rc;

    *cascades = false;
    if (!t->schema_file)
        return ERR_OK;
    rc = dump_read_schema(run->dump, t->schema_file, &text, err);
    pos = strbuf_str(&text);
    end = pos + text.len;
    while (!rc && ddl_next(&pos, end, &st)) {
        char *sql;

        if (st.kind != DDL_CREATE)
            continue;
        sql = xstrndup(st.text, st.len);
        rc = statement_cascades(run, sql, cascades, err);
        free(sql);
    }
    strbuf_release(&text);
    return rc;
}

enum err_code cascades_check(struct follow_run *run, struct err *err)
{
    const struct dump *d = run->dump;
    bool logged = false;

    if (run->config->any_cascades)
        return ERR_OK;
    if (cascades_logged(run, &logged, err) || logged)
        return err->code;
    for (size_t i = 0; i < d->table_count; i++) {
        const struct dump_table *t = &d->tables[i];
        bool wanted = false;
        bool cascades = false;

        if (t->kind == TABLE_VIEW || t->kind == TABLE_SEQUENCE)
            continue;
        if (tables_wanted(run, t->db, t->name, &wanted, err))
            return err->code;
        if (wanted && table_cascades(run, t, &cascades, err))
            return err_wrap(err, "%s.%s", t->db, t->name);
        if (cascades)
            return err_set(err, ERR_FOLLOW_CASCADE,
                           "%s.%s has a foreign key with CASCADE or SET NULL: what it changes on "
                           "the source is not in the binlog",
                           t->db, t->name);
    }
    return ERR_OK;
}
