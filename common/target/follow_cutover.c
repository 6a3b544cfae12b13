#include "common/target/follow_cutover.h"

#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/target/target_inner.h"

#include <inttypes.h>
#include <stdlib.h>

static const char *const marks[] = {[CUTOVER_NONE] = "none",
                                    [CUTOVER_SET] = "read-only",
                                    [CUTOVER_PROVEN] = "proven",
                                    [CUTOVER_KEPT] = "proven, kept"};
#define MARKS (sizeof marks / sizeof marks[0])

void cutover_record_release(struct cutover_record *r)
{
    free(r->file);
    free(r->gtids);
    free(r->proof);
    *r = (struct cutover_record){0};
}

static char *cell(const struct row *row, unsigned i)
{
    return row->cell[i] ? xstrndup(row->cell[i], row->len[i]) : xstrdup("");
}

static enum err_code record_row(void *ctx, const struct row *row, struct err *err)
{
    struct cutover_record *r = ctx;
    uint64_t was_read_only = 0, was_super = 0;
    size_t mark = 0;
    char *word = cell(row, 0);

    while (mark < MARKS && strcmp(marks[mark], word) != 0)
        mark++;
    free(word);
    if (mark == MARKS)
        return err_set(err, ERR_LOAD_STATE, "the cut-over's stage on the target is not known");
    if (state_cell_u64(row, 1, &was_read_only, err) || state_cell_u64(row, 2, &was_super, err) ||
        state_cell_u64(row, 4, &r->offset, err))
        return err->code;
    r->mark = (enum cutover_mark)mark;
    r->was_read_only = was_read_only != 0;
    r->was_super = was_super != 0;
    free(r->file);
    free(r->gtids);
    free(r->proof);
    r->file = cell(row, 3);
    r->gtids = cell(row, 5);
    r->proof = cell(row, 6);
    return ERR_OK;
}

enum err_code cutover_record_read(struct conn *c, const struct state *s, struct cutover_record *r,
                                  struct err *err)
{
    struct strbuf sql = {0};
    char *there = NULL;
    enum err_code rc;

    *r = (struct cutover_record){.mark = CUTOVER_NONE};
    strbuf_addstr(&sql, "SELECT 1 FROM information_schema.tables WHERE "
                        "table_name='" FOLLOW_CUTOVER_TABLE "' AND table_schema=");
    strbuf_add_quotedz(&sql, s->schema);
    rc = conn_value(c, strbuf_str(&sql), &there, err);
    strbuf_reset(&sql);
    strbuf_addstr(&sql, "SELECT stage,was_read_only,was_super,file,pos,gtids,proof FROM ");
    state_add_name(&sql, s, FOLLOW_CUTOVER_TABLE);
    strbuf_addf(&sql, " WHERE job=%" PRIu64, s->job);
    if (!rc && there)
        rc = conn_rows(c, &sql, record_row, r, err);
    strbuf_release(&sql);
    free(there);
    if (rc)
        cutover_record_release(r);
    return rc;
}

enum err_code cutover_record_write(struct conn *c, const struct state *s,
                                   const struct cutover_record *r, struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "REPLACE INTO ");
    state_add_name(&sql, s, FOLLOW_CUTOVER_TABLE);
    strbuf_addf(&sql,
                " (job,stage,was_read_only,was_super,file,pos,gtids,proof,at) VALUES (%" PRIu64
                ",'%s',%d,%d,",
                s->job, marks[r->mark], r->was_read_only ? 1 : 0, r->was_super ? 1 : 0);
    strbuf_add_quotedz(&sql, r->file ? r->file : "");
    strbuf_addf(&sql, ",%" PRIu64 ",", r->offset);
    strbuf_add_quotedz(&sql, r->gtids ? r->gtids : "");
    strbuf_addch(&sql, ',');
    strbuf_add_quotedz(&sql, r->proof ? r->proof : "");
    strbuf_addstr(&sql, ",UTC_TIMESTAMP(6))");
    rc = conn_exec(c, sql.str, sql.len, NULL, err);
    strbuf_release(&sql);
    return rc;
}
