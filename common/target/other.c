#include "common/target/state.h"

#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/target/target_inner.h"

#include <inttypes.h>
#include <stdlib.h>

#define ER_BAD_DB 1049
#define ER_NO_SUCH_TABLE 1146

struct other_row {
    uint64_t job;
    char *renames;
};

static enum err_code other_row(void *ctx, const struct row *row, struct err *err)
{
    struct other_row *o = ctx;

    free(o->renames);
    o->renames = row->cell[1] ? xstrndup(row->cell[1], row->len[1]) : xstrdup("");
    return state_cell_u64(row, 0, &o->job, err);
}

enum err_code state_other_renames(struct conn *c, const struct state_params *p, struct err *err)
{
    const char *schema = p->schema ? p->schema : STATE_SCHEMA_DEFAULT;
    struct other_row other = {0};
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "SELECT job,renames FROM ");
    strbuf_add_table(&sql, schema, "job");
    strbuf_addstr(&sql, " WHERE state<>'done' AND dump_uuid=");
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
        rc =
            err_set(err, ERR_LOAD_STATE,
                    "this dump's load has begun with %s%s (job %" PRIu64 " in `%s`), and is not "
                    "finished: say the same, or keep this load's progress elsewhere by "
                    "--meta-schema",
                    *other.renames ? "--rename " : "no --rename", other.renames, other.job, schema);
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
