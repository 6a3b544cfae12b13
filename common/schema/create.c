/* The statements that create what is there, as the server prints them. */
#include "common/mysql/ident.h"
#include "common/schema/read.h"

/* Every SHOW CREATE gives the name first and the statement second; the columns behind differ by
 * kind and flavour. */
static enum err_code show_create(struct conn *c, const char *sql, char **text, struct err *err)
{
    struct result *result = NULL;
    struct row row;
    bool more = false;
    enum err_code rc;

    rc = conn_queryz(c, sql, &result, err);
    if (!rc)
        rc = result_next(result, &row, &more, err);
    if (!rc && (!more || row.count < 2 || !row.cell[1] || row.len[1] == 0))
        rc = err_set(err, ERR_PRIVILEGE, "%s gives no statement", sql);
    if (!rc)
        *text = xstrndup(row.cell[1], row.len[1]);
    result_free(result);
    return rc;
}

enum err_code schema_create_database(struct conn *c, const char *db, char **sql, struct err *err)
{
    struct strbuf show = {0};
    enum err_code rc;

    strbuf_addstr(&show, "SHOW CREATE DATABASE IF NOT EXISTS ");
    strbuf_add_ident(&show, db);
    rc = show_create(c, strbuf_str(&show), sql, err);
    strbuf_release(&show);
    return rc;
}

static const char *show_what(enum table_kind kind)
{
    switch (kind) {
    case TABLE_VIEW:
        return "SHOW CREATE VIEW ";
    case TABLE_SEQUENCE:
        return "SHOW CREATE SEQUENCE ";
    case TABLE_BASE:
    case TABLE_VERSIONED:
    case TABLE_OTHER:
        break;
    }
    return "SHOW CREATE TABLE ";
}

enum err_code schema_create_table(struct conn *c, const struct table *t, char **sql,
                                  struct err *err)
{
    struct strbuf show = {0};
    enum err_code rc;

    strbuf_addstr(&show, show_what(t->kind));
    strbuf_add_table(&show, t->db, t->name);
    rc = show_create(c, strbuf_str(&show), sql, err);
    strbuf_release(&show);
    return rc;
}
