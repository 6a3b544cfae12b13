/* The definitions behind a statement of DDL, into the target's state. */
#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "follower/follow_ddl.h"

#include <inttypes.h>
#include <stdlib.h>

struct keeping {
    struct ddl_job *job;
    struct follow_row *gone, *changed;
    struct strbuf *texts; /* of `changed` */
    size_t gone_count, changed_count;
};

static void keep_name(struct keeping *k, const char *db, const char *name)
{
    const struct follow_table *t = tables_find(k->job->run, db, name);

    if (!t) {
        k->gone[k->gone_count++] = (struct follow_row){.db = db, .name = name};
        return;
    }
    table_row(t, &k->texts[k->changed_count], &k->changed[k->changed_count]);
    k->changed_count++;
}

/* TiDB gives an emptied table another id, by which the load knows it. */
static enum err_code keep_ids(const struct follow_run *run, const struct ddl_step *s,
                              struct err *err)
{
    struct strbuf sql = {0};
    const char *to_db;
    const char *to_name;
    enum err_code rc;

    if (run->flavour.vendor != VENDOR_TIDB || s->act != ACT_TRUNCATE)
        return ERR_OK;
    route_table(run->route, s->db, s->name, &to_db, &to_name);
    strbuf_addstr(&sql, "UPDATE ");
    state_add_name(&sql, &run->state, "tbl");
    strbuf_addstr(&sql, " SET target_id=(SELECT tidb_table_id FROM information_schema.tables WHERE "
                        "table_schema=");
    strbuf_add_quotedz(&sql, to_db);
    strbuf_addstr(&sql, " AND table_name=");
    strbuf_add_quotedz(&sql, to_name);
    strbuf_addf(&sql, ") WHERE job=%" PRIu64 " AND db_name=", run->state.job);
    strbuf_add_quotedz(&sql, to_db);
    strbuf_addstr(&sql, " AND name=");
    strbuf_add_quotedz(&sql, to_name);
    rc = conn_exec(run->conn, sql.str, sql.len, NULL, err);
    strbuf_release(&sql);
    return rc;
}

enum err_code ddl_keep(struct ddl_job *j, struct err *err)
{
    const size_t room = 2 * j->plan.count + 1;
    struct keeping k = {.job = j};
    struct follow_changes changes;
    enum err_code rc = ERR_OK;

    k.gone = xcalloc(room, sizeof *k.gone);
    k.changed = xcalloc(room, sizeof *k.changed);
    k.texts = xcalloc(room, sizeof *k.texts);
    for (size_t i = 0; i < j->plan.count; i++) {
        const struct ddl_step *s = &j->plan.steps[i];

        keep_name(&k, s->db, s->name);
        if (s->act == ACT_RENAME)
            keep_name(&k, s->other_db, s->other_name);
    }
    changes = (struct follow_changes){k.gone, k.changed, k.gone_count, k.changed_count};
    for (size_t i = 0; !rc && i < j->plan.count; i++)
        rc = keep_ids(j->run, &j->plan.steps[i], err);
    if (!rc)
        rc = follow_ddl_done(j->run->conn, &j->run->state, &j->note, &changes, err);
    for (size_t i = 0; i < room; i++)
        strbuf_release(&k.texts[i]);
    free(k.texts);
    free(k.gone);
    free(k.changed);
    return rc;
}
