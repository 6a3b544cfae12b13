#include "common/target/state.h"

#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/target/target_inner.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ER_BAD_DB 1049
#define ER_NO_SUCH_TABLE 1146

struct other_row {
    uint64_t job;
    char *renames;
    bool done;
};

static enum err_code other_row(void *ctx, const struct row *row, struct err *err)
{
    struct other_row *o = ctx;

    free(o->renames);
    o->renames = row->cell[1] ? xstrndup(row->cell[1], row->len[1]) : xstrdup("");
    o->done = row->cell[2] && row->len[2] == 4 && memcmp(row->cell[2], "done", 4) == 0;
    return state_cell_u64(row, 0, &o->job, err);
}

static enum err_code other_refuse(const struct other_row *o, const struct state_params *p,
                                  const char *schema, struct err *err)
{
    return err_set(err, ERR_LOAD_STATE,
                   "this dump's load has %s with %s%s (job %" PRIu64
                   " in `%s`)%s: say the same, %s",
                   o->done ? "been done" : "begun", *o->renames ? "--rename " : "no --rename",
                   o->renames, o->job, schema, o->done ? "" : ", and is not finished",
                   p->once ? "or begin the copy anew with --restart --yes"
                           : "or keep this load's progress elsewhere by --meta-schema");
}

enum err_code state_other_renames(struct conn *c, const struct state_params *p, struct err *err)
{
    const char *schema = p->schema ? p->schema : STATE_SCHEMA_DEFAULT;
    struct other_row other = {0};
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "SELECT job,renames,state FROM ");
    strbuf_add_table(&sql, schema, "job");
    strbuf_addf(&sql, " WHERE %sdump_uuid=", p->once ? "" : "state<>'done' AND ");
    strbuf_add_quotedz(&sql, p->dump_uuid);
    strbuf_addstr(&sql, " AND renames_sha256<>SHA2(");
    strbuf_add_quotedz(&sql, p->renames);
    strbuf_addstr(&sql, ",256) AND job IN (SELECT job FROM "); /* something has been made */
    strbuf_add_table(&sql, schema, "tbl");
    strbuf_addstr(&sql, ") ORDER BY job DESC LIMIT 1");
    rc = conn_rows(c, &sql, other_row, &other, err);
    strbuf_release(&sql);
    if (rc && (err->server_errno == ER_BAD_DB || err->server_errno == ER_NO_SUCH_TABLE)) {
        err_clear(err);
        rc = ERR_OK;
    }
    if (!rc && other.renames)
        rc = other_refuse(&other, p, schema, err);
    free(other.renames);
    return rc;
}

enum err_code state_options(struct conn *c, const struct state *s, char **options, struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "SELECT options FROM ");
    state_add_name(&sql, s, "job");
    strbuf_addf(&sql, " WHERE job=%" PRIu64, s->job);
    rc = conn_value(c, strbuf_str(&sql), options, err);
    strbuf_release(&sql);
    return rc;
}
