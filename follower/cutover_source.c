/* The source's side of a cut-over: whether it takes writes, how to make it take none, and who could
 * write all the same. What read_only does: it waits for commits in flight and for locked tables,
 * and lets no transaction of an account without special rights commit any more (MySQL's SUPER or
 * CONNECTION_ADMIN, which super_read_only stops too; MariaDB's READ ONLY ADMIN). Replication and
 * the other nodes of a cluster write in spite of it. */
#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "follower/follow_inner.h"

#include <inttypes.h>
#include <stdlib.h>

#define ER_UNKNOWN_VARIABLE 1193
#define ER_LOCK_WAIT_TIMEOUT 1205
#define SET_WAIT_S 5   /* for as long new writes wait, too */
#define PEOPLE_SHOWN 5 /* names in a message */

static bool one(const char *value)
{
    /* MariaDB 12 has words for the read-only levels. */
    return value && strcmp(value, "0") != 0 && strcmp(value, "OFF") != 0;
}

/* ---- looking ---- */

static enum err_code look_flags(struct conn *c, struct cut_look *l, struct err *err)
{
    char *value = NULL;
    enum err_code rc = conn_value(c, "SELECT @@GLOBAL.read_only", &value, err);

    if (rc)
        return rc;
    l->read_only = one(value);
    free(value);
    if (conn_flavour(c)->vendor != VENDOR_MYSQL)
        return ERR_OK;
    value = NULL;
    rc = conn_value(c, "SELECT @@GLOBAL.super_read_only", &value, err);
    if (rc && err->server_errno == ER_UNKNOWN_VARIABLE) {
        err_clear(err);
        return ERR_OK;
    }
    l->has_super = !rc;
    l->super = !rc && one(value);
    free(value);
    return rc;
}

/* A statement that a server may not have, or whose right is missing: no answer. */
static enum err_code ask(struct conn *c, const char *sql, char **value, struct err *err)
{
    const enum err_code rc = conn_value(c, sql, value, err);

    if (!rc || !conn_usable(c))
        return rc;
    log_event(LOG_DEBUG, "follow.cutover.unseen", F_STR("statement", sql),
              F_STR("message", err->msg));
    err_clear(err);
    return ERR_OK;
}

static const char *stop_replica(const struct flavour *f)
{
    if (f->managed != MANAGED_NONE)
        return "CALL mysql.rds_stop_replication";
    if (f->vendor == VENDOR_MARIADB)
        return "STOP ALL SLAVES";
    return f->version >= 80022 ? "STOP REPLICA" : "STOP SLAVE";
}

/* A row of the replica's state: whether its changes are being applied. */
static bool replica_writes(const struct result *r, const struct row *row)
{
    for (unsigned i = 0; i < row->count; i++) {
        const char *name = result_column_name(r, i);

        if (name && row->cell[i] &&
            (strcmp(name, "Replica_SQL_Running") == 0 || strcmp(name, "Slave_SQL_Running") == 0))
            return strncmp(row->cell[i], "No", 2) != 0;
    }
    return false;
}

/* Whether the source is a replica whose replication runs. */
static enum err_code look_replica(struct conn *c, struct cut_look *l, struct err *err)
{
    const struct flavour *f = conn_flavour(c);
    const char *sql = f->vendor == VENDOR_MARIADB ? "SHOW ALL SLAVES STATUS"
                      : f->version >= 80022       ? "SHOW REPLICA STATUS"
                                                  : "SHOW SLAVE STATUS";
    struct result *r = NULL;
    struct row row;
    bool more = true;
    enum err_code rc = conn_queryz(c, sql, &r, err);

    if (rc && conn_usable(c)) {
        err_clear(err);
        return ERR_OK;
    }
    while (!rc && more && !l->unfit) {
        rc = result_next(r, &row, &more, err);
        if (!rc && more && replica_writes(r, &row))
            l->unfit = xasprintf("the source is a replica, and its replication writes though it is "
                                 "read-only: make its own source read-only, let the replica reach "
                                 "it, then say %s on it",
                                 stop_replica(f));
    }
    result_free(r);
    return rc;
}

static enum err_code look_cluster(struct conn *c, struct cut_look *l, struct err *err)
{
    const bool mysql = conn_flavour(c)->vendor == VENDOR_MYSQL;
    char *others = NULL;
    enum err_code rc;

    rc = ask(c,
             mysql ? "SELECT IF(MAX(member_id=@@server_uuid AND member_role='PRIMARY')=1 AND "
                     "MAX(member_role<>'SECONDARY' AND member_id<>@@server_uuid)=0,0,COUNT(*)) "
                     "FROM performance_schema.replication_group_members WHERE member_state<>"
                     "'OFFLINE' AND member_id<>''"
                   : "SELECT variable_value-1 FROM information_schema.global_status WHERE "
                     "variable_name='wsrep_cluster_size'",
             &others, err);
    if (!rc && others && strtoll(others, NULL, 10) > 0)
        l->unfit = xstrdup("the source is one node of a cluster, and what other nodes write comes "
                           "though it is read-only: follow the primary of the group, or take the "
                           "other nodes away");
    free(others);
    return rc;
}

enum err_code cut_look(struct follow_run *run, struct cut_look *l, struct err *err)
{
    struct conn *c;

    *l = (struct cut_look){.unfit = NULL};
    if (again_source(run, err))
        return err->code;
    c = run->source_conn;
    if (look_flags(c, l, err))
        return err->code;
    if (!l->read_only)
        return ERR_OK;
    if (look_replica(c, l, err))
        return err->code;
    return l->unfit ? ERR_OK : look_cluster(c, l, err);
}

const char *cut_advice(const struct follow_run *run)
{
    const struct flavour *f = &run->source;

    if (f->managed == MANAGED_RDS)
        return "aws rds modify-db-parameter-group --db-parameter-group-name GROUP --parameters "
               "ParameterName=read_only,ParameterValue=1,ApplyMethod=immediate";
    if (f->managed == MANAGED_AURORA)
        return "aws rds modify-db-cluster-parameter-group --db-cluster-parameter-group-name GROUP "
               "--parameters ParameterName=read_only,ParameterValue=1,ApplyMethod=immediate";
    if (flavour_at_least(f, VENDOR_MYSQL, 50708))
        return "SET GLOBAL super_read_only = ON";
    return "SET GLOBAL read_only = ON";
}

/* ---- who could write ---- */

struct people {
    struct strbuf text;
    unsigned count;
};

static enum err_code people_row(void *ctx, const struct row *row, struct err *err)
{
    struct people *p = ctx;

    (void)err;
    if (p->count++ < PEOPLE_SHOWN && row->cell[0])
        strbuf_addf(&p->text, "%s%.*s", p->count > 1 ? ", " : "", (int)row->len[0], row->cell[0]);
    return ERR_OK;
}

/* NULL: nobody, or it cannot be seen (*unseen). */
static enum err_code people(struct conn *c, const char *query, char **out, bool *unseen,
                            struct err *err)
{
    struct people p = {{0}, 0};
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, query);
    rc = conn_rows(c, &sql, people_row, &p, err);
    strbuf_release(&sql);
    *unseen = rc && conn_usable(c);
    if (*unseen) {
        log_event(LOG_DEBUG, "follow.cutover.unseen", F_STR("message", err->msg));
        err_clear(err);
        rc = ERR_OK;
    }
    if (p.count > PEOPLE_SHOWN)
        strbuf_addf(&p.text, " and %u more", p.count - PEOPLE_SHOWN);
    *out = !rc && p.count > 0 ? strbuf_detach(&p.text) : NULL;
    strbuf_release(&p.text);
    return rc;
}

enum err_code cut_open(struct follow_run *run, bool *xa, char **who, struct err *err)
{
    struct cutover *cut = &run->cut;

    *who = NULL;
    *xa = false;
    if (again_source(run, err) || people(run->source_conn, "XA RECOVER", who, &cut->xa_unseen, err))
        return err->code;
    *xa = *who != NULL;
    if (*xa)
        return ERR_OK;
    return people(run->source_conn,
                  "SELECT CONCAT('connection ',trx_mysql_thread_id,COALESCE((SELECT CONCAT(' of ',"
                  "user) FROM information_schema.processlist p WHERE p.id=trx_mysql_thread_id),''),"
                  "' since ',trx_started) FROM information_schema.innodb_trx WHERE "
                  "trx_rows_modified>0 AND trx_mysql_thread_id>0",
                  who, &cut->open_unseen, err);
}

char *cut_privileged(struct follow_run *run)
{
    struct err ignored = ERR_INIT;
    char *who = NULL;
    bool unseen;

    if (again_source(run, &ignored) ||
        people(run->source_conn,
               run->source.vendor == VENDOR_MARIADB
                   ? "SELECT DISTINCT grantee FROM information_schema.user_privileges WHERE "
                     "privilege_type IN ('READ ONLY ADMIN','READ_ONLY ADMIN') OR (privilege_type="
                     "'SUPER' AND @@version NOT REGEXP '^1[1-9]')"
                   : "SELECT DISTINCT grantee FROM information_schema.user_privileges WHERE "
                     "privilege_type IN ('SUPER','CONNECTION_ADMIN')",
               &who, &unseen, &ignored))
        return xstrdup("");
    return who ? who : xstrdup("");
}

/* ---- making it so ---- */

static enum err_code set_say(struct conn *c, const struct cut_look *l, struct err *err)
{
    enum err_code rc = conn_execf(c, err, "SET SESSION lock_wait_timeout=%d", SET_WAIT_S);

    if (!rc)
        rc = conn_execz(
            c, l->has_super ? "SET GLOBAL super_read_only=ON" : "SET GLOBAL read_only=ON", err);
    return rc;
}

static enum err_code note_set(struct follow_run *run, void *ctx, struct err *err)
{
    (void)ctx;
    return cutover_record_write(run->conn, &run->state, &run->cut.record, err);
}

enum err_code cut_set(struct follow_run *run, const struct cut_look *l, bool *set, struct err *err)
{
    struct cutover *cut = &run->cut;
    struct conn *c = NULL;
    enum err_code rc;

    *set = false;
    if (run->source.managed != MANAGED_NONE)
        return err_set(err, ERR_USAGE,
                       "--set-read-only: no account may set it on a managed server; say: %s",
                       cut_advice(run));
    if (cut->record.mark != CUTOVER_SET) {
        cutover_record_release(&cut->record);
        cut->record = (struct cutover_record){
            .mark = CUTOVER_SET, .was_read_only = l->read_only, .was_super = l->super};
        rc = again_target(run, note_set, NULL, err);
        if (rc) {
            cut->record.mark = CUTOVER_NONE;
            return rc;
        }
    }
    fault_point("follow.cutover.noted");
    rc = conn_open(run->config->source, CONN_SOURCE, "follow", &c, err);
    if (!rc)
        rc = set_say(c, l, err);
    conn_close(c);
    fault_point("follow.cutover.set");
    *set = !rc;
    if (rc && (err->server_errno == ER_LOCK_WAIT_TIMEOUT || err_info(rc)->retryable)) {
        log_event(LOG_WARN, "follow.cutover",
                  F_STR("message", "the source cannot be made read-only yet: a long statement, a "
                                   "commit or locked tables are in the way; tried again"),
                  F_STR("cause", err->msg));
        err_clear(err);
        return ERR_OK;
    }
    if (rc == ERR_PRIVILEGE)
        return err_wrap(err, "--set-read-only needs GRANT %s ON *.* (or say it yourself: %s)",
                        run->source.vendor == VENDOR_MARIADB
                            ? "READ ONLY ADMIN"
                            : "SYSTEM_VARIABLES_ADMIN, CONNECTION_ADMIN",
                        cut_advice(run));
    return rc;
}

enum err_code cut_undo(struct follow_run *run, struct err *err)
{
    const struct cutover_record *r = &run->cut.record;
    struct cut_look now = {.unfit = NULL};
    struct conn *c = NULL;
    /* Also when the user did not want to wait, and the group of connections was ended. */
    enum err_code rc = conn_open(run->given_source, CONN_SOURCE, "follow", &c, err);

    if (!rc)
        rc = look_flags(c, &now, err);
    if (!rc)
        rc = conn_execf(c, err, "SET SESSION lock_wait_timeout=%d", SET_WAIT_S);
    if (!rc && now.super && !r->was_super)
        rc = conn_execz(c, "SET GLOBAL super_read_only=OFF", err);
    if (!rc && now.read_only && !r->was_read_only)
        rc = conn_execz(c, "SET GLOBAL read_only=OFF", err);
    conn_close(c);
    return rc;
}
