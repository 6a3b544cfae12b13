#include "common/target/restart.h"

#include "common/mysql/ident.h"
#include "common/target/target_inner.h"

#include <inttypes.h>

/* "... WHERE job=.. AND tbl=..", run. */
static enum err_code of_table(struct conn *c, const struct state *s, uint64_t table,
                              struct strbuf *sql, struct err *err)
{
    enum err_code rc;

    strbuf_addf(sql, " WHERE job=%" PRIu64 " AND tbl=%" PRIu64, s->job, table);
    rc = conn_exec(c, sql->str, sql->len, NULL, err);
    strbuf_release(sql);
    return rc;
}

enum err_code restart_fence(struct conn *c, const struct state *s, uint64_t table, struct err *err)
{
    struct strbuf sql = {0};
    uint64_t token = 0;

    if (state_check(c, s, err) || token_new(&token, err))
        return err->code;
    strbuf_addstr(&sql, "UPDATE ");
    state_add_name(&sql, s, "chunk");
    strbuf_addf(&sql, " SET token=%" PRIu64 ",seq=seq+1", token);
    return of_table(c, s, table, &sql, err);
}

enum err_code restart_empty(struct conn *c, const char *db, const char *name, struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "TRUNCATE TABLE ");
    strbuf_add_table(&sql, db, name);
    rc = conn_exec(c, sql.str, sql.len, NULL, err);
    strbuf_release(&sql);
    return rc;
}

/* The records of rows that were found in the way: they come again with the table. */
static enum err_code forget_records(struct conn *c, const struct state *s, const char *records,
                                    uint64_t table, struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "DELETE FROM ");
    state_add_name(&sql, s, records);
    strbuf_addf(&sql, " WHERE job=%" PRIu64 " AND chunk IN (SELECT chunk FROM ", s->job);
    state_add_name(&sql, s, "chunk");
    strbuf_addf(&sql, " WHERE job=%" PRIu64 " AND tbl=%" PRIu64 ")", s->job, table);
    rc = conn_exec(c, sql.str, sql.len, NULL, err);
    strbuf_release(&sql);
    return rc;
}

enum err_code restart_forget(struct conn *c, const struct state *s, uint64_t table, struct err *err)
{
    struct strbuf sql = {0};

    if (forget_records(c, s, "conflict_more", table, err) ||
        forget_records(c, s, "conflict", table, err))
        return err->code;
    strbuf_addstr(&sql, "DELETE FROM ");
    state_add_name(&sql, s, "chunk");
    return of_table(c, s, table, &sql, err);
}
