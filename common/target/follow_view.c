/* How far a follower is, for people. */
#include "common/target/follow_state.h"

#include "common/mysql/ident.h"
#include "common/target/target_inner.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum err_code follow_beat(struct conn *c, const struct state *s, const struct follow_beat *b,
                          struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "UPDATE ");
    state_add_name(&sql, s, "follow");
    strbuf_addstr(&sql, " SET beat=UTC_TIMESTAMP(6),stage=");
    state_add_text(&sql, b->stage);
    strbuf_addstr(&sql, ",owner=");
    state_add_text(&sql, s->owner);
    strbuf_addstr(&sql, ",file=");
    state_add_text(&sql, b->file);
    strbuf_addf(&sql, ",pos=%" PRIu64 ",gtids=", b->offset);
    state_add_text(&sql, b->gtids);
    strbuf_addf(&sql,
                ",source_time=%" PRIu32 ",transactions=%" PRIu64 ",changes=%" PRIu64
                " WHERE job=%" PRIu64,
                b->source_time, b->transactions, b->rows, s->job);
    rc = conn_exec(c, sql.str, sql.len, NULL, err);
    strbuf_release(&sql);
    return rc;
}

void follow_view_release(struct follow_view *v)
{
    free(v->stage);
    free(v->file);
    free(v->gtids);
    free(v->owner);
    *v = (struct follow_view){0};
}

bool follow_view_at_rest(const struct follow_view *v)
{
    return strcmp(v->stage, FOLLOW_GOING) != 0 && strcmp(v->stage, FOLLOW_CLOSE) != 0 &&
           strcmp(v->stage, FOLLOW_BROKEN) != 0 && strcmp(v->stage, "begun") != 0;
}

static enum err_code view_row(void *ctx, const struct row *row, struct err *err)
{
    struct follow_view *v = ctx;
    uint64_t now = 0;

    if (state_cell_u64(row, 2, &v->offset, err) || state_cell_u64(row, 4, &v->source_time, err) ||
        state_cell_u64(row, 5, &v->transactions, err) || state_cell_u64(row, 6, &v->rows, err) ||
        state_cell_u64(row, 8, &v->age_us, err) || state_cell_u64(row, 9, &now, err))
        return err->code;
    v->behind_s = v->source_time ? (int64_t)now - (int64_t)v->source_time : 0;
    v->stage = state_cell_str(row, 0);
    v->file = state_cell_str(row, 1);
    v->gtids = state_cell_str(row, 3);
    v->owner = state_cell_str(row, 7);
    return ERR_OK;
}

enum err_code follow_view_read(struct conn *c, const struct state *s, bool *found,
                               struct follow_view *v, struct err *err)
{
    struct strbuf sql = {0};
    char *there = NULL;
    enum err_code rc;

    *v = (struct follow_view){0};
    strbuf_addstr(&sql, "SELECT 1 FROM information_schema.tables WHERE table_name='follow' AND "
                        "table_schema=");
    strbuf_add_quotedz(&sql, s->schema);
    rc = conn_value(c, strbuf_str(&sql), &there, err);
    strbuf_reset(&sql);
    strbuf_addstr(&sql, "SELECT stage,file,pos,gtids,source_time,transactions,changes,owner,"
                        "COALESCE(TIMESTAMPDIFF(MICROSECOND,beat,UTC_TIMESTAMP(6)),0),"
                        "UNIX_TIMESTAMP() FROM ");
    state_add_name(&sql, s, "follow");
    strbuf_addf(&sql, " WHERE job=%" PRIu64, s->job);
    if (!rc && there)
        rc = conn_rows(c, &sql, view_row, v, err);
    strbuf_release(&sql);
    free(there);
    if (!rc)
        *found = v->stage != NULL;
    return rc;
}
