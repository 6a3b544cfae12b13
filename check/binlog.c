/* The source's binlog, by its variables. */
#include "check/check_inner.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DAY 86400
#define BYTES_A_SECOND ((uint64_t)10 << 20) /* dump and load together, cautiously */

/* What only the follower needs stops it, and is of no matter to a dump alone. */
static enum check_result worst(const struct check *c)
{
    return for_follow(c) ? CHECK_FAILED : CHECK_WARNING;
}

static bool same(const char *value, const char *wanted)
{
    return value && strcasecmp(value, wanted) == 0;
}

/* `name` must be `wanted`; a server without the variable behaves as `without`. */
static enum err_code must_be(struct check *c, struct check_outcome *o, const char *name,
                             const char *wanted, bool without)
{
    const struct check_side *s = &c->side[SOURCE];
    const char *value = variable(s, name);

    if (!value) {
        say(o, without ? CHECK_PASSED : worst(c), "the server has no %s", name);
        return ERR_OK;
    }
    if (same(value, wanted)) {
        say(o, CHECK_PASSED, "%s is %s", name, *value ? value : "empty");
        return ERR_OK;
    }
    say(o, worst(c), "%s is %s", name, value);
    mend_variable(o, &s->flavour, name, wanted, MEND_NOW);
    mend(o, "-- sessions that are open keep their own value: end them afterwards");
    return ERR_OK;
}

enum err_code check_binlog_enable(struct check *c, struct check_outcome *o, struct err *err)
{
    const struct check_side *s = &c->side[SOURCE];

    (void)err;
    if (variable_on(s, "log_bin")) {
        say(o, CHECK_PASSED, "log_bin is ON");
        return ERR_OK;
    }
    say(o, worst(c), "log_bin is OFF: a dump has no position, and nothing can be followed");
    if (s->flavour.managed == MANAGED_RDS)
        mend(o, "aws rds modify-db-instance --db-instance-identifier INSTANCE "
                "--backup-retention-period 7 --apply-immediately   -- backups turn it on");
    else if (s->flavour.managed == MANAGED_AURORA)
        mend_variable(o, &s->flavour, "binlog_format", "ROW", MEND_RESTART);
    else
        mend(o, "log_bin = bin and server_id = 1   -- in the server's option file, below [mysqld]; "
                "then restart it");
    return ERR_OK;
}

enum err_code check_binlog_format(struct check *c, struct check_outcome *o, struct err *err)
{
    (void)err;
    return must_be(c, o, "binlog_format", "ROW",
                   flavour_at_least(&c->side[SOURCE].flavour, VENDOR_MYSQL, 80400));
}

/* MySQL 5.5 and old MariaDB have whole rows always. */
enum err_code check_binlog_row_image(struct check *c, struct check_outcome *o, struct err *err)
{
    (void)err;
    return must_be(c, o, "binlog_row_image", "FULL", true);
}

enum err_code check_binlog_row_value(struct check *c, struct check_outcome *o, struct err *err)
{
    (void)err;
    return must_be(c, o, "binlog_row_value_options", "", true);
}

/* ---- the lists of databases ---- */

static bool in_list(const char *names, const char *db)
{
    const size_t len = strlen(db);

    for (const char *at = names; at && *at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        while (*at == ' ')
            at++;
        if (strncmp(at, db, len) == 0 && (at[len] == ',' || at[len] == ' ' || !at[len]))
            return true;
    }
    return false;
}

static void list_unlogged(const struct check *c, struct check_outcome *o, const char *only,
                          const char *never)
{
    const struct schema *s = c->side[SOURCE].schema;

    for (size_t i = 0; i < s->database_count; i++) {
        const char *db = s->databases[i].name;

        if (only && *only ? !in_list(only, db) : in_list(never, db))
            list(o, "%s", db);
    }
    if (!o->objects)
        return;
    say(o, worst(c),
        "changes of these databases are not logged (binlog_do_db '%s', "
        "binlog_ignore_db '%s')",
        only ? only : "", never ? never : "");
    mend(o, "take binlog_do_db and binlog_ignore_db out of the server's option file; restart it");
}

enum err_code check_binlog_db(struct check *c, struct check_outcome *o, struct err *err)
{
    struct check_side *s = &c->side[SOURCE];
    const bool renamed = flavour_at_least(&s->flavour, VENDOR_MYSQL, 80200);
    struct result *r = NULL;
    struct row row;
    bool more = false;
    enum err_code rc;

    rc = conn_queryz(s->conn, renamed ? "SHOW BINARY LOG STATUS" : "SHOW MASTER STATUS", &r, err);
    if (!rc)
        rc = result_next(r, &row, &more, err);
    if (!rc && more && row.count >= 4) {
        char *only = xstrndup(row.cell[2] ? row.cell[2] : "", row.cell[2] ? row.len[2] : 0);
        char *never = xstrndup(row.cell[3] ? row.cell[3] : "", row.cell[3] ? row.len[3] : 0);

        list_unlogged(c, o, only, never);
        free(only);
        free(never);
    }
    result_free(r);
    if (!rc && !o->objects)
        say(o, CHECK_PASSED, "no chosen database is left out");
    return rc;
}

/* ---- replicas ---- */

enum err_code check_log_replica(struct check *c, struct check_outcome *o, struct err *err)
{
    struct check_side *s = &c->side[SOURCE];
    const bool renamed = flavour_at_least(&s->flavour, VENDOR_MYSQL, 80022);
    const char *name =
        variable(s, "log_replica_updates") ? "log_replica_updates" : "log_slave_updates";
    struct result *r = NULL;
    struct row row;
    bool more = false;
    enum err_code rc;

    if (variable_on(s, name)) {
        say(o, CHECK_PASSED, "%s is ON", name);
        return ERR_OK;
    }
    rc = conn_queryz(s->conn,
                     s->flavour.vendor == VENDOR_MARIADB ? "SHOW ALL SLAVES STATUS"
                     : renamed                           ? "SHOW REPLICA STATUS"
                                                         : "SHOW SLAVE STATUS",
                     &r, err);
    if (!rc)
        rc = result_next(r, &row, &more, err);
    result_free(r);
    if (rc == ERR_PRIVILEGE) {
        say(o, CHECK_WARNING,
            "whether the source is a replica cannot be seen, which has to be known where a dump "
            "is continued while the source goes on");
        mend_grant(o, s,
                   flavour_at_least(&s->flavour, VENDOR_MARIADB, 100509) ? "REPLICA MONITOR"
                                                                         : "REPLICATION CLIENT",
                   "*.*");
        err_clear(err);
        return ERR_OK;
    }
    if (rc)
        return rc;
    if (!more) {
        say(o, CHECK_PASSED, "the source is no replica");
        return ERR_OK;
    }
    say(o, worst(c),
        "the source is a replica and %s is OFF: what it replicates is not in its "
        "binlog",
        name);
    mend_variable(o, &s->flavour, name, "ON", MEND_RESTART);
    return ERR_OK;
}

enum err_code check_gtid(struct check *c, struct check_outcome *o, struct err *err)
{
    const struct check_side *s = &c->side[SOURCE];
    const char *mode = variable(s, "gtid_mode");

    (void)err;
    if (s->flavour.vendor == VENDOR_MARIADB) {
        say(o, variable(s, "gtid_binlog_pos") ? CHECK_PASSED : CHECK_WARNING,
            variable(s, "gtid_binlog_pos") ? "MariaDB has GTIDs always"
                                           : "this server has no GTIDs");
        return ERR_OK;
    }
    if (same(mode, "ON") && !same(variable(s, "enforce_gtid_consistency"), "OFF")) {
        say(o, CHECK_PASSED, "gtid_mode is ON");
        return ERR_OK;
    }
    say(o, CHECK_WARNING,
        "gtid_mode is %s: a position is file and offset, which mean nothing on another server, so "
        "no dump goes on and nothing is followed across a failover",
        mode ? mode : "not there");
    if (!mode)
        mend(o, "-- from MySQL 5.6 on; nothing to mend, unless you upgrade");
    else if (s->flavour.managed != MANAGED_NONE) {
        mend_variable(o, &s->flavour, "enforce_gtid_consistency", "ON", MEND_RESTART);
        mend_variable(o, &s->flavour, "gtid_mode", "ON", MEND_RESTART);
    } else if (flavour_at_least(&s->flavour, VENDOR_MYSQL, 50706)) {
        mend(o, "SET GLOBAL enforce_gtid_consistency = ON; SET GLOBAL gtid_mode = OFF_PERMISSIVE; "
                "SET GLOBAL gtid_mode = ON_PERMISSIVE; SET GLOBAL gtid_mode = ON;   -- and in the "
                "option file");
    } else {
        mend(o, "gtid_mode = ON, enforce_gtid_consistency = ON and log_slave_updates = ON   -- in "
                "the option file; restart");
    }
    return ERR_OK;
}

/* ---- how long binlogs stay ---- */

#define FOR_EVER UINT64_MAX

/* Seconds by the server's variables. */
static uint64_t retention(const struct check_side *s)
{
    uint64_t seconds = variable_number(s, "binlog_expire_logs_seconds");

    if (variable(s, "binlog_expire_logs_auto_purge") &&
        !variable_on(s, "binlog_expire_logs_auto_purge"))
        return FOR_EVER;
    if (!seconds && variable(s, "expire_logs_days"))
        seconds = (uint64_t)(strtod(variable(s, "expire_logs_days"), NULL) * DAY);
    return seconds ? seconds : FOR_EVER;
}

static void judge_retention(const struct check *c, struct check_outcome *o, uint64_t seconds)
{
    const uint64_t bytes = c->side[SOURCE].bytes;
    const uint64_t estimate = bytes / BYTES_A_SECOND;
    enum check_result r = CHECK_PASSED;

    if (seconds < estimate)
        r = worst(c);
    else if (seconds < DAY || seconds < 2 * estimate)
        r = CHECK_WARNING;
    if (seconds == FOR_EVER)
        say(o, CHECK_PASSED, "binlogs are kept until they are purged by hand");
    else
        say(o, r,
            "binlogs are kept for %.1f h; dump and load of %" PRIu64
            " MiB take about %.1f h at 10 MiB/s",
            (double)seconds / 3600, bytes >> 20, (double)estimate / 3600);
}

/* RDS and Aurora purge by a setting of their own, whatever the variables say. */
static enum err_code managed_retention(struct check *c, struct check_outcome *o, struct err *err)
{
    struct check_side *s = &c->side[SOURCE];
    char *hours = NULL;

    if (ask(s,
            "SELECT COALESCE(value, '0') FROM mysql.rds_configuration WHERE name = 'binlog "
            "retention hours'",
            &hours, err))
        return err->code;
    if (!hours)
        say(o, CHECK_WARNING, "'binlog retention hours' cannot be read by this account");
    else if (strcmp(hours, "0") == 0)
        say(o, worst(c),
            "'binlog retention hours' is NULL: binlogs are purged as soon as the "
            "service does not need them");
    else
        judge_retention(c, o, strtoull(hours, NULL, 10) * 3600);
    if (!hours)
        mend(o, "CALL mysql.rds_show_configuration;   -- as the master user");
    if (o->result != CHECK_PASSED)
        mend(o, "CALL mysql.rds_set_configuration('binlog retention hours', 168);");
    free(hours);
    return ERR_OK;
}

enum err_code check_retention(struct check *c, struct check_outcome *o, struct err *err)
{
    struct check_side *s = &c->side[SOURCE];
    const uint64_t limit = variable_number(s, "max_binlog_total_size");

    if (s->flavour.managed != MANAGED_NONE)
        return managed_retention(c, o, err);
    if (limit) {
        say(o, CHECK_WARNING,
            "binlogs are kept up to %" PRIu64 " bytes only (max_binlog_total_size), however young",
            limit);
        mend_variable(o, &s->flavour, "max_binlog_total_size", "0", MEND_NOW);
    }
    judge_retention(c, o, retention(s));
    if (retention(s) == FOR_EVER || o->result == CHECK_PASSED)
        return ERR_OK;
    if (variable(s, "binlog_expire_logs_seconds"))
        mend_variable(o, &s->flavour, "binlog_expire_logs_seconds", "604800", MEND_NOW);
    else
        mend_variable(o, &s->flavour, "expire_logs_days", "7", MEND_NOW);
    return ERR_OK;
}

/* ---- server ids ---- */

enum err_code check_server_id(struct check *c, struct check_outcome *o, struct err *err)
{
    const struct check_side *s = &c->side[SOURCE];
    const uint64_t id = variable_number(s, "server_id");

    (void)err;
    say(o, id ? CHECK_PASSED : worst(c), "server_id is %" PRIu64, id);
    if (!id) {
        say(o, CHECK_PASSED, "with 0 the server refuses every replica, and ferry follow");
        mend_variable(o, &s->flavour, "server_id", "1", MEND_NOW);
    }
    return ERR_OK;
}

struct clash {
    struct check_outcome *o;
    uint32_t id;
};

static enum err_code clash_row(void *ctx, const struct row *row, struct err *err)
{
    struct clash *k = ctx;

    (void)err;
    if (row->count > 0 && row->cell[0] && strtoull(row->cell[0], NULL, 10) == k->id)
        list(k->o, "a replica%s%.*s", row->count > 1 && row->len[1] ? " on " : "",
             row->count > 1 ? (int)row->len[1] : 0,
             row->count > 1 && row->cell[1] ? row->cell[1] : "");
    return ERR_OK;
}

enum err_code check_server_id_clash(struct check *c, struct check_outcome *o, struct err *err)
{
    struct check_side *s = &c->side[SOURCE];
    struct clash k = {.o = o, .id = c->config->server_id};
    struct strbuf sql = {0};
    enum err_code rc = ERR_OK;

    if (!k.id) {
        say(o, CHECK_PASSED, "ferry takes a free one, unless --server-id names one");
        return ERR_OK;
    }
    if (variable_number(s, "server_id") == k.id)
        list(o, "the source itself");
    strbuf_addstr(&sql, flavour_at_least(&s->flavour, VENDOR_MYSQL, 80022) ? "SHOW REPLICAS"
                                                                           : "SHOW SLAVE HOSTS");
    rc = conn_rows(s->conn, &sql, clash_row, &k, err);
    strbuf_release(&sql);
    if (rc)
        return rc;
    say(o, o->objects ? CHECK_FAILED : CHECK_PASSED, "%" PRIu32 " is %s", k.id,
        o->objects ? "taken" : "free");
    if (o->objects)
        mend(o, "take another --server-id, or leave the option out");
    return ERR_OK;
}

/* An Aurora reader has no binlog of its own. */
enum err_code check_reader(struct check *c, struct check_outcome *o, struct err *err)
{
    const struct check_side *s = &c->side[SOURCE];

    (void)err;
    if (!variable_on(s, "innodb_read_only")) {
        say(o, CHECK_PASSED, "it is no read-only endpoint");
        return ERR_OK;
    }
    say(o, worst(c), "innodb_read_only is ON: a reader has no binlog, and no position");
    mend(o, "name the cluster's writer endpoint: CLUSTER.cluster-ID.REGION.rds.amazonaws.com");
    return ERR_OK;
}
