/* Text whose bytes have no meaning in Unicode is read as '?', in silence. So a table with a column
 * of a character set in which that can be is looked through for such values, in the snapshot,
 * before it is read. Bytes that are another spelling of the same character are no loss: the text is
 * the same. */
#include "common/mysql/ident.h"
#include "common/schema/select.h"
#include "dumper/run.h"

#include <stdlib.h>

static bool text_is_checked(const struct column *c)
{
    return column_is_dumped(c) && !column_round_trips(c);
}

/* How many '?' the text has. */
static void add_marks(const char *text, struct strbuf *sql)
{
    strbuf_addf(sql, "CHAR_LENGTH(%s) - CHAR_LENGTH(REPLACE(%s, '?', ''))", text, text);
}

/* "c comes back as other bytes, and with another number of '?'" */
static void add_lost(const struct column *c, struct strbuf *sql)
{
    struct strbuf name = {0};
    struct strbuf unicode = {0};

    strbuf_add_ident(&name, c->name);
    strbuf_addf(&unicode, "CONVERT(%s USING utf8mb4)", strbuf_str(&name));
    strbuf_addf(sql, "(CAST(CONVERT(%s USING %s) AS BINARY) <> CAST(%s AS BINARY) AND ",
                strbuf_str(&unicode), c->charset, strbuf_str(&name));
    add_marks(strbuf_str(&unicode), sql);
    strbuf_addstr(sql, " <> ");
    add_marks(strbuf_str(&name), sql);
    strbuf_addch(sql, ')');
    strbuf_release(&name);
    strbuf_release(&unicode);
}

/* The number of the first column with a lost value in one row, or no row. */
static bool text_sql(const struct plan_table *p, struct strbuf *sql)
{
    const struct table *t = p->table;
    bool any = false;

    strbuf_reset(sql);
    strbuf_addstr(sql, "SELECT CASE");
    for (unsigned i = 0; i < t->column_count; i++) {
        if (!text_is_checked(&t->columns[i]))
            continue;
        any = true;
        strbuf_addstr(sql, " WHEN ");
        add_lost(&t->columns[i], sql);
        strbuf_addf(sql, " THEN %u", i);
    }
    strbuf_addstr(sql, " END AS lost FROM ");
    strbuf_add_table(sql, t->db, t->name);
    if (p->where)
        strbuf_addf(sql, " WHERE (%s)", p->where);
    strbuf_addstr(sql, " HAVING lost IS NOT NULL LIMIT 1");
    return any;
}

enum err_code dumper_check_text(struct worker *w, const struct plan_table *p, struct err *err)
{
    const struct column *c;
    char *lost = NULL;

    if (w->run->config->no_data || !text_sql(p, &w->sql))
        return ERR_OK;
    if (conn_value(w->conn, strbuf_str(&w->sql), &lost, err))
        return err_wrap(err, "'%s.%s': looking for text that is none", p->table->db,
                        p->table->name);
    if (!lost)
        return ERR_OK;
    c = &p->table->columns[strtoul(lost, NULL, 10)];
    free(lost);
    return err_set(err, ERR_DUMP_TABLE,
                   "column '%s' of '%s.%s' holds bytes that are no character of %s and would be "
                   "read as '?': mend them, make the column binary, or leave it out (--columns)",
                   c->name, p->table->db, p->table->name, c->charset);
}
