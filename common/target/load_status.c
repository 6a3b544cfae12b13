#include "common/target/load_status.h"

#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/target/target_inner.h"

#include <inttypes.h>
#include <stdlib.h>

#define JOB_TEXTS 8

struct job_text { /* owned */
    uint64_t job, files, files_done, rows;
    char *texts[JOB_TEXTS];
};
struct jobs {
    struct job_text *items;
    size_t count;
};

static enum err_code jobs_row(void *ctx, const struct row *row, struct err *err)
{
    struct jobs *jobs = ctx;
    struct job_text j = {0};

    if (state_cell_u64(row, 0, &j.job, err) || state_cell_u64(row, 1, &j.files, err) ||
        state_cell_u64(row, 2, &j.files_done, err) || state_cell_u64(row, 3, &j.rows, err))
        return err->code;
    for (unsigned i = 0; i < JOB_TEXTS; i++)
        j.texts[i] = row->cell[4 + i] ? xstrndup(row->cell[4 + i], row->len[4 + i]) : xstrdup("");
    jobs->items = xreallocarray(jobs->items, jobs->count + 1, sizeof *jobs->items);
    jobs->items[jobs->count++] = j;
    return ERR_OK;
}

static enum err_code jobs_read(struct conn *c, const struct state *s, struct jobs *jobs,
                               struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "SELECT j.job,COALESCE(c.files,0),COALESCE(c.done,0),COALESCE(c.loaded,0),"
                        "j.dump_uuid,j.purpose,j.renames,j.state,j.stopped,j.stopped_by,"
                        "j.created_at,j.finished_at FROM ");
    state_add_name(&sql, s, "job");
    strbuf_addstr(&sql, " j LEFT JOIN (SELECT job,COUNT(*) AS files,SUM(state) AS done,"
                        "SUM(rows_done) AS loaded FROM ");
    state_add_name(&sql, s, "chunk");
    strbuf_addstr(&sql, " GROUP BY job) c ON c.job=j.job ORDER BY j.job");
    rc = conn_rows(c, &sql, jobs_row, jobs, err);
    strbuf_release(&sql);
    return rc;
}

enum err_code load_status_read(struct conn *c, const char *schema, struct state *s,
                               load_status_fn *fn, void *ctx, struct err *err)
{
    struct jobs jobs = {0};
    enum err_code rc;

    if (state_look(c, schema, s, err))
        return err->code;
    rc = jobs_read(c, s, &jobs, err);
    for (size_t i = 0; i < jobs.count; i++) {
        struct job_text *j = &jobs.items[i];
        const struct load_status status = {.job = j->job,
                                           .dump_uuid = j->texts[0],
                                           .purpose = j->texts[1],
                                           .renames = j->texts[2],
                                           .state = j->texts[3],
                                           .stopped = j->texts[4],
                                           .stopped_by = j->texts[5],
                                           .created_at = j->texts[6],
                                           .finished_at = j->texts[7],
                                           .files = j->files,
                                           .files_done = j->files_done,
                                           .rows = j->rows};

        s->job = j->job;
        if (!rc)
            rc = fn(ctx, &status, err);
        for (unsigned k = 0; k < JOB_TEXTS; k++)
            free(j->texts[k]);
    }
    free(jobs.items);
    return rc;
}
