/* The statement of DDL that is being done. */
#include "common/target/follow_state.h"

#include "common/mysql/ident.h"
#include "common/target/target_inner.h"

#include <inttypes.h>
#include <stdlib.h>

void follow_ddl_release(struct follow_ddl *d)
{
    free(d->file);
    free(d->shape);
    *d = (struct follow_ddl){0};
}

static enum err_code shape_row(void *ctx, const struct row *row, struct err *err)
{
    struct follow_ddl *d = ctx;

    (void)err;
    free(d->shape);
    d->shape = state_cell_str(row, 0);
    return ERR_OK;
}

static enum err_code ddl_row(void *ctx, const struct row *row, struct err *err)
{
    struct follow_ddl *d = ctx;
    uint64_t step = 0, begun = 0, done = 0;

    if (state_cell_u64(row, 1, &d->offset, err) || state_cell_u64(row, 2, &step, err) ||
        state_cell_u64(row, 3, &begun, err) || state_cell_u64(row, 4, &done, err))
        return err->code;
    free(d->file);
    d->file = state_cell_str(row, 0);
    d->steps_done = (unsigned)step;
    d->begun = begun != 0;
    d->done = done != 0;
    return ERR_OK;
}

enum err_code follow_ddl_read(struct conn *c, const struct state *s, struct follow_ddl *d,
                              struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    *d = (struct follow_ddl){0};
    strbuf_addstr(&sql, "SELECT file,pos,step,begun,done FROM ");
    state_add_name(&sql, s, "follow_ddl");
    strbuf_addf(&sql, " WHERE job=%" PRIu64, s->job);
    rc = conn_rows(c, &sql, ddl_row, d, err);
    strbuf_reset(&sql);
    strbuf_addstr(&sql, "SELECT shape FROM ");
    state_add_name(&sql, s, "follow_shape");
    strbuf_addf(&sql, " WHERE job=%" PRIu64, s->job);
    if (!rc && d->begun)
        rc = conn_rows(c, &sql, shape_row, d, err);
    strbuf_release(&sql);
    if (rc)
        follow_ddl_release(d);
    return rc;
}

enum err_code follow_ddl_note(struct conn *c, const struct state *s, const struct follow_ddl *d,
                              struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "REPLACE INTO ");
    state_add_name(&sql, s, "follow_ddl");
    strbuf_addf(&sql, " (job,file,pos,step,begun,done) VALUES (%" PRIu64 ",", s->job);
    state_add_text(&sql, d->file);
    strbuf_addf(&sql, ",%" PRIu64 ",%u,%d,%d)", d->offset, d->steps_done, d->begun ? 1 : 0,
                d->done ? 1 : 0);
    rc = conn_exec(c, sql.str, sql.len, NULL, err);
    strbuf_release(&sql);
    return rc;
}

enum err_code follow_ddl_begin(struct conn *c, const struct state *s, const struct follow_ddl *d,
                               struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "REPLACE INTO ");
    state_add_name(&sql, s, "follow_shape");
    strbuf_addf(&sql, " (job,shape) VALUES (%" PRIu64 ",", s->job);
    strbuf_add_quotedz(&sql, d->shape ? d->shape : "");
    strbuf_addch(&sql, ')');
    rc = conn_exec(c, sql.str, sql.len, NULL, err); /* no word of a step that has not begun */
    strbuf_release(&sql);
    return rc ? rc : follow_ddl_note(c, s, d, err);
}

static enum err_code row_remove(struct conn *c, const struct state *s, const struct follow_row *row,
                                struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "DELETE FROM ");
    state_add_name(&sql, s, "follow_table");
    strbuf_addf(&sql, " WHERE job=%" PRIu64 " AND db=", s->job);
    state_add_text(&sql, row->db);
    strbuf_addstr(&sql, " AND name=");
    state_add_text(&sql, row->name);
    rc = conn_exec(c, sql.str, sql.len, NULL, err);
    strbuf_release(&sql);
    return rc;
}

enum err_code follow_ddl_done(struct conn *c, const struct state *s, const struct follow_ddl *d,
                              const struct follow_changes *changes, struct err *err)
{
    enum err_code rc = conn_execz(c, "BEGIN", err);

    for (size_t i = 0; !rc && i < changes->gone_count; i++)
        rc = row_remove(c, s, &changes->gone[i], err);
    if (!rc)
        rc = follow_rows_add(c, s, changes->changed, changes->changed_count, err);
    if (!rc)
        rc = follow_ddl_note(c, s, d, err);
    return rc ? rc : conn_execz(c, "COMMIT", err);
}
