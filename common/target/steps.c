#include "common/target/steps.h"

#include "common/base/mem.h"
#include "common/target/target_inner.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const step_words[] = {"1 indexes", "2 foreign key"}; /* in their order */

enum err_code steps_note(struct conn *c, const struct state *s, uint64_t table, bool indexes,
                         unsigned foreign_keys, struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc = ERR_OK;

    if (!indexes && foreign_keys == 0)
        return ERR_OK;
    strbuf_addstr(&sql, "REPLACE INTO ");
    state_add_name(&sql, s, "ddl");
    strbuf_addstr(&sql, " (job,tbl,step,number,state) VALUES ");
    for (unsigned i = 0; i < foreign_keys + (indexes ? 1U : 0U); i++)
        strbuf_addf(&sql, "%s(%" PRIu64 ",%" PRIu64 ",'%s',%u,'todo')", i ? "," : "", s->job, table,
                    step_words[i == foreign_keys ? STEP_INDEXES : STEP_FOREIGN_KEY],
                    i == foreign_keys ? 0 : i);
    rc = conn_exec(c, sql.str, sql.len, NULL, err);
    strbuf_release(&sql);
    return rc;
}

struct step_reader {
    struct step *steps;
    size_t count, cap;
};

static enum err_code step_row(void *ctx, const struct row *row, struct err *err)
{
    struct step_reader *r = ctx;
    uint64_t table, number;

    if (state_cell_u64(row, 0, &table, err) || state_cell_u64(row, 2, &number, err))
        return err->code;
    if (r->count == r->cap) {
        r->cap = r->cap ? r->cap * 2 : 64;
        r->steps = xreallocarray(r->steps, r->cap, sizeof *r->steps);
    }
    r->steps[r->count++] = (struct step){
        .table = table,
        .kind = row->cell[1] && row->cell[1][0] == '1' ? STEP_INDEXES : STEP_FOREIGN_KEY,
        .number = (unsigned)number};
    return ERR_OK;
}

enum err_code steps_read(struct conn *c, const struct state *s, struct step **steps, size_t *count,
                         struct err *err)
{
    struct step_reader r = {0};
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "SELECT tbl,step,number FROM ");
    state_add_name(&sql, s, "ddl");
    strbuf_addf(&sql, " WHERE job=%" PRIu64 " AND state='todo' ORDER BY step,tbl,number", s->job);
    rc = conn_rows(c, &sql, step_row, &r, err);
    strbuf_release(&sql);
    if (rc) {
        free(r.steps);
        return rc;
    }
    *steps = r.steps;
    *count = r.count;
    return ERR_OK;
}

enum err_code steps_done(struct conn *c, const struct state *s, const struct step *step,
                         struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "UPDATE ");
    state_add_name(&sql, s, "ddl");
    strbuf_addf(&sql,
                " SET state='done' WHERE job=%" PRIu64 " AND tbl=%" PRIu64
                " AND step='%s' AND number=%u",
                s->job, step->table, step_words[step->kind], step->number);
    rc = conn_exec(c, sql.str, sql.len, NULL, err);
    strbuf_release(&sql);
    return rc;
}
