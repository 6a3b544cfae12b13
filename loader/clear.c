/* --if-table-exists truncate|drop: at the begin of a job, and never again.
 *
 * What is to be done is written down first (schema_note), then done, then written down as done; a
 * job that was cut off in between does it again, which is safe since rows come only afterwards. A
 * process that was thought dead must not do it late, when the next one has brought rows: so it is
 * done under a lock of the server, over the connection that holds the lock, after a look at the
 * job's token. If that connection is lost, so are the lock and what would have been sent. */
#include "loader/load_inner.h"

#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/mysql/ident.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define NAMED_MAX 5 /* tables in the question */

static size_t clear_count(const struct load_run *run, struct strbuf *names)
{
    size_t count = 0;

    for (size_t i = 0; i < run->table_count; i++)
        if (run->tables[i].clear != CLEAR_NONE && count++ < NAMED_MAX)
            strbuf_addf(names, "%s%s", names->len ? ", " : "", run->tables[i].label);
    if (count > NAMED_MAX)
        strbuf_addf(names, " and %zu more", count - NAMED_MAX);
    return count;
}

static enum err_code clear_ask(const struct load_run *run, size_t count, const char *names,
                               struct err *err)
{
    const char *what = run->config->if_exists == IF_EXISTS_DROP ? "dropped" : "emptied";
    struct strbuf question = {0};
    bool yes;

    if (!run->config->confirm)
        return ERR_OK;
    strbuf_addf(&question, "%zu %s on the target will be %s: %s", count,
                count == 1 ? "table" : "tables", what, names);
    yes = run->config->confirm(run->config->confirm_ctx, strbuf_str(&question));
    strbuf_release(&question);
    if (!yes)
        return err_set(err, ERR_USAGE, "not confirmed: nothing was %s", what);
    return ERR_OK;
}

static enum err_code clear_lock(struct load_run *run, bool take, struct err *err)
{
    struct strbuf sql = {0};
    char *got = NULL;
    enum err_code rc;

    strbuf_addf(&sql, "SELECT %s('ferry_%.40s_%" PRIu64 "'%s)", take ? "GET_LOCK" : "RELEASE_LOCK",
                run->state.schema, run->state.job, take ? ", 10" : "");
    rc = conn_value(run->conn, strbuf_str(&sql), &got, err);
    strbuf_release(&sql);
    if (!rc && take && (!got || strcmp(got, "1") != 0))
        rc = err_set(err, ERR_SERVER_BUSY, "another process is emptying tables for this load");
    free(got);
    return rc;
}

/* As the target has it: what stands in the way may be of another kind. */
static const char *clear_kind(const struct load_table *t)
{
    return t->target->kind == TABLE_VIEW       ? "VIEW"
           : t->target->kind == TABLE_SEQUENCE ? "SEQUENCE"
                                               : "TABLE";
}

static enum err_code clear_one(struct load_run *run, struct load_table *t, struct err *err)
{
    bool drop = t->clear == CLEAR_DROP;
    struct strbuf sql = {0};
    enum err_code rc;

    if (drop)
        strbuf_addf(&sql, "DROP %s IF EXISTS ", clear_kind(t));
    else
        strbuf_addstr(&sql, "TRUNCATE TABLE ");
    strbuf_add_table(&sql, t->target->db, t->target->name);
    rc = conn_exec(run->conn, sql.str, sql.len, NULL, err);
    strbuf_release(&sql);
    if (rc)
        return err_wrap(err, "%s", t->label);
    log_event(LOG_INFO, "load.cleared", F_STR("object", t->label),
              F_STR("message", drop ? "dropped" : "emptied"));
    fault_point("load.schema.after-clear");
    return ERR_OK;
}

static enum err_code clear_all(struct load_run *run, struct err *err)
{
    if (clear_lock(run, true, err) || state_check(run->conn, &run->state, err))
        return err->code;
    for (size_t i = 0; i < run->table_count; i++)
        if (run->tables[i].clear != CLEAR_NONE && clear_one(run, &run->tables[i], err))
            return err->code;
    /* Under the lock still: TiDB gives an emptied table another id. */
    if (target_read(run, err))
        return err->code;
    for (size_t i = 0; i < run->table_count; i++) {
        struct load_table *t = &run->tables[i];

        if (t->clear == CLEAR_TRUNCATE)
            t->origin = TABLE_EMPTIED;
        if (t->clear != CLEAR_NONE)
            t->target_id = UINT64_MAX; /* no table's: to be noted anew */
        t->create = t->create || t->clear == CLEAR_DROP;
        t->clear = CLEAR_NONE;
    }
    return ERR_OK;
}

enum err_code clear_tables(struct load_run *run, struct err *err)
{
    struct err ignored = ERR_INIT;
    struct strbuf names = {0};
    size_t count = clear_count(run, &names);
    enum err_code rc = ERR_OK;

    if (count > 0 && !run->asked)
        rc = clear_ask(run, count, strbuf_str(&names), err);
    strbuf_release(&names);
    if (rc || count == 0)
        return rc;
    run->asked = true;
    rc = clear_all(run, err);
    if (conn_usable(run->conn) && clear_lock(run, false, &ignored))
        log_event(LOG_DEBUG, "load.clear.unlock", F_STR("message", ignored.msg));
    return rc;
}
