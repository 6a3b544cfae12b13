/* The load that is followed. */
#include "common/target/follow_state.h"

#include "common/mysql/ident.h"
#include "common/target/target_inner.h"

#include <inttypes.h>
#include <stdlib.h>

void follow_job_release(struct follow_job *j)
{
    free(j->dump_uuid);
    free(j->renames);
    free(j->options);
    *j = (struct follow_job){0};
}

struct job_reader {
    struct follow_job *job;
    uint64_t number, count;
};

static enum err_code job_row(void *ctx, const struct row *row, struct err *err)
{
    struct job_reader *r = ctx;

    if (state_cell_u64(row, 0, &r->number, err))
        return err->code;
    if (!state_cell_job(row, 1, &r->job->state))
        return err_set(err, ERR_LOAD_STATE, "the job's state on the target is not known");
    follow_job_release(r->job);
    (void)state_cell_job(row, 1, &r->job->state);
    r->job->dump_uuid = state_cell_str(row, 2);
    r->job->renames = state_cell_str(row, 3);
    r->job->options = state_cell_str(row, 4);
    r->job->others = r->count++;
    return ERR_OK;
}

static enum err_code sums_row(void *ctx, const struct row *row, struct err *err)
{
    struct follow_job *j = ctx;

    if (state_cell_u64(row, 0, &j->ignored, err))
        return err->code;
    return state_cell_u64(row, 1, &j->skipped, err);
}

static enum err_code job_sums(struct conn *c, const struct state *s, struct follow_job *j,
                              struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "SELECT COALESCE(SUM(ignored),0),COALESCE(SUM(skipped),0) FROM ");
    state_add_name(&sql, s, "chunk");
    strbuf_addf(&sql, " WHERE job=%" PRIu64, s->job);
    rc = conn_rows(c, &sql, sums_row, j, err);
    strbuf_release(&sql);
    return rc;
}

enum err_code follow_job_find(struct conn *c, const struct follow_which *which, struct state *s,
                              struct follow_job *job, struct err *err)
{
    struct job_reader r = {.job = job};
    struct strbuf sql = {0};
    enum err_code rc = state_look(c, which->schema, s, err);

    if (rc)
        return rc;
    *job = (struct follow_job){0};
    strbuf_addstr(&sql, "SELECT job,state,dump_uuid,renames,options FROM ");
    state_add_name(&sql, s, "job");
    strbuf_addstr(&sql, " WHERE purpose='load'");
    if (which->dump_uuid) {
        strbuf_addstr(&sql, " AND dump_uuid=");
        strbuf_add_quotedz(&sql, which->dump_uuid);
    }
    if (which->renames) {
        strbuf_addstr(&sql, " AND renames_sha256=SHA2(");
        strbuf_add_quotedz(&sql, which->renames);
        strbuf_addstr(&sql, ",256)");
    }
    strbuf_addstr(&sql, " ORDER BY job"); /* the last one stays */
    rc = conn_rows(c, &sql, job_row, &r, err);
    strbuf_release(&sql);
    if (!rc && !r.number)
        rc = err_set(err, ERR_LOAD_STATE, "no such load has left a state in `%s`", s->schema);
    s->job = r.number;
    if (!rc)
        rc = job_sums(c, s, job, err);
    if (rc)
        follow_job_release(job);
    return rc;
}
