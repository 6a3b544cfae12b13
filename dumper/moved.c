/* Whether the source is where it was when the first snapshot was taken: then another epoch joins as
 * it is. Else it may only where a replay can put right what has been written in between (replay.c).
 *
 * An equal place in the binlog proves it as long as the binlog was not reset, which gives old
 * places and old GTID sets again. That it was not is seen by the time the server was started, how
 * often RESET was said since, and by its binlog's first events, which hold numbers of transactions
 * that no other binlog of the same run of the server has. The first two are read before the place
 * when it is recorded, and after it when it is compared. */
#include "common/base/bytes.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "dumper/replay.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FIRST_EVENTS 40

/* A replica that writes no binlog of what it applies moves without its position. */
static enum err_code moved_replica(struct dump_run *run, bool *hidden, struct err *err)
{
    struct result *r = NULL;
    struct row row;
    bool more = true;
    bool logs = false;
    const bool renamed = flavour_at_least(&run->flavour, VENDOR_MYSQL, 80022);
    enum err_code rc;

    *hidden = false;
    rc = conn_queryz(run->control, "SHOW GLOBAL VARIABLES LIKE 'log\\_%\\_updates'", &r, err);
    while (!rc && more) {
        rc = result_next(r, &row, &more, err);
        if (!rc && more && row.cell[1] && strcasecmp(row.cell[1], "ON") == 0)
            logs = true;
    }
    result_free(r);
    if (rc || logs)
        return rc;
    r = NULL;
    rc = conn_queryz(run->control,
                     run->flavour.vendor == VENDOR_MARIADB ? "SHOW ALL SLAVES STATUS"
                     : renamed                             ? "SHOW REPLICA STATUS"
                                                           : "SHOW SLAVE STATUS",
                     &r, err);
    if (rc == ERR_PRIVILEGE) { /* cannot be known */
        err_clear(err);
        *hidden = true;
        return ERR_OK;
    }
    if (!rc)
        rc = result_next(r, &row, hidden, err);
    result_free(r);
    return rc;
}

/* Databases that are kept out of the binlog change without a trace. */
static enum err_code moved_filtered(struct dump_run *run, bool *hidden, struct err *err)
{
    const bool renamed = flavour_at_least(&run->flavour, VENDOR_MYSQL, 80200);
    struct result *r = NULL;
    struct row row;
    bool more = false;
    enum err_code rc;

    rc = conn_queryz(run->control, renamed ? "SHOW BINARY LOG STATUS" : "SHOW MASTER STATUS", &r,
                     err);
    if (!rc)
        rc = result_next(r, &row, &more, err);
    *hidden = !rc && more && row.count >= 4 && (row.len[2] || row.len[3]);
    result_free(r);
    return rc;
}

/* Whether it is `wanted`; what cannot be read is not. */
static bool moved_value_is(struct dump_run *run, const char *sql, const char *wanted)
{
    struct err ignored = ERR_INIT;
    char *value = NULL;
    bool is = !conn_value(run->control, sql, &value, &ignored) && value && !strcmp(value, wanted);

    free(value);
    return is;
}

/* "Seconds the server was started at, seconds of the last FLUSH STATUS, number of RESETs"; NULL:
 * not to be had. The difference of two readings of one clock in one statement: its jumps do not
 * matter. */
static char *moved_boot(struct dump_run *run, const char **resets)
{
    const bool maria = run->flavour.vendor == VENDOR_MARIADB;
    struct err ignored = ERR_INIT;
    struct strbuf text = {0};
    struct result *r = NULL;
    struct row row;
    char *times = NULL;
    bool more = false;

    if (conn_value(run->control,
                   maria ? "SELECT GROUP_CONCAT(CAST(UNIX_TIMESTAMP() - VARIABLE_VALUE AS SIGNED) "
                           "ORDER BY VARIABLE_NAME SEPARATOR ' ') FROM "
                           "information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME IN ('UPTIME', "
                           "'UPTIME_SINCE_FLUSH_STATUS')"
                         : "SELECT GROUP_CONCAT(CAST(UNIX_TIMESTAMP() - VARIABLE_VALUE AS SIGNED) "
                           "ORDER BY VARIABLE_NAME SEPARATOR ' ') FROM "
                           "performance_schema.global_status WHERE VARIABLE_NAME IN ('Uptime', "
                           "'Uptime_since_flush_status')",
                   &times, &ignored) ||
        !times || !strchr(times, ' '))
        goto out;
    if (conn_queryz(run->control, "SHOW GLOBAL STATUS LIKE 'Com\\_reset'", &r, &ignored) ||
        result_next(r, &row, &more, &ignored) || !more || !row.cell[1])
        goto out;
    strbuf_addf(&text, "%s ", times);
    strbuf_addstr(&text, row.cell[1]);
out:
    result_free(r);
    free(times);
    if (!text.len)
        return NULL;
    *resets = strrchr(strbuf_str(&text), ' ') + 1;
    return strbuf_detach(&text);
}

/* A hash of the first events of a binlog file, up to `end`, with the numbers of their transactions;
 * NULL: it cannot be read, or holds none. */
static char *moved_log_id(struct dump_run *run, const char *file, uint64_t end)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    char hex[2 * 32 + 1];
    struct err ignored = ERR_INIT;
    struct strbuf sql = {0};
    struct strbuf text = {0};
    struct result *r = NULL;
    struct row row;
    bool more = true;
    bool good;

    strbuf_addstr(&sql, "SHOW BINLOG EVENTS IN ");
    strbuf_add_quotedz(&sql, file);
    strbuf_addf(&sql, " LIMIT %d", FIRST_EVENTS);
    good = !conn_queryz(run->control, strbuf_str(&sql), &r, &ignored);
    while (good && more) {
        good = !result_next(r, &row, &more, &ignored);
        if (!good || !more || row.count < 6 || !row.cell[1] || !row.cell[4] || !row.cell[5] ||
            strtoull(row.cell[4], NULL, 10) > end)
            continue;
        strbuf_addf(&text, "%s ", row.cell[1]);
        strbuf_addstr(&text, row.cell[5]);
        strbuf_addch(&text, '\n');
    }
    result_free(r);
    strbuf_release(&sql);
    good = good && strstr(strbuf_str(&text), "xid=") &&
           EVP_Digest(strbuf_str(&text), text.len, digest, NULL, EVP_sha256(), NULL);
    strbuf_release(&text);
    if (!good)
        return NULL;
    *bytes_to_hex(hex, digest, 32) = '\0';
    return xstrdup(hex);
}

void dumper_boot_read(struct dump_run *run)
{
    const char *resets;

    free(run->boot);
    run->boot = moved_boot(run, &resets);
}

char *dumper_log_id(struct dump_run *run)
{
    return run->position.file ? moved_log_id(run, run->position.file, run->position.offset) : NULL;
}

/* ---- another place, or another server ---- */

/* Neither binlog nor engine can have lost transactions in a crash. NULL: so it is; else why not. */
static const char *moved_flushed(struct dump_run *run)
{
    if (!moved_value_is(run, "SELECT @@sync_binlog", "1"))
        return "sync_binlog is not 1: a crash may have lost transactions";
    if (!moved_value_is(run, "SELECT @@innodb_flush_log_at_trx_commit", "1"))
        return "innodb_flush_log_at_trx_commit is not 1: a crash may have lost transactions";
    return NULL;
}

/* Every transaction has a GTID, and neither binlog nor engine can have lost any in a crash. NULL:
 * so it is; else why not. */
static const char *moved_durable(struct dump_run *run)
{
    if (run->flavour.vendor == VENDOR_MYSQL && !moved_value_is(run, "SELECT @@gtid_mode", "ON"))
        return "gtid_mode is not ON: equal GTID sets prove nothing";
    return moved_flushed(run);
}

/* The server was restarted since: whether its binlog is still the one it was. */
static const char *moved_reset(struct dump_run *run, const struct epoch_record *first)
{
    const char *resets = "0";
    char *boot = moved_boot(run, &resets);
    char *log_id = first->log_id ? moved_log_id(run, first->log_file, first->log_pos) : NULL;
    const char *why = NULL;

    if (first->boot && boot && strcmp(first->boot, boot) != 0 && strcmp(resets, "0") != 0)
        why = "RESET was said since the server was started: old GTID sets may have come again";
    else if (first->log_id && log_id && strcmp(first->log_id, log_id) != 0)
        why = "the binlog was reset: the file of that name is another one";
    free(boot);
    free(log_id);
    return why;
}

/* NULL: the source is proven not to have changed. */
static const char *moved_elsewhere(struct dump_run *run, const struct epoch_record *first)
{
    const char *why;

    if (!first->gtid || !first->gtid[0] || !run->position.gtid ||
        strcmp(first->gtid, run->position.gtid) != 0)
        return run->other_server ? "this server has another GTID set, or none"
                                 : "the source has changed";
    why = moved_durable(run);
    return why || run->other_server ? why : moved_reset(run, first);
}

/* The place is equal: whether it is one of the same binlog. */
static const char *moved_same_place(struct dump_run *run, const struct epoch_record *first)
{
    const char *resets;
    char *boot = first->boot ? moved_boot(run, &resets) : NULL;
    const char *why = NULL;

    if (first->boot && boot && strcmp(first->boot, boot) != 0)
        why =
            "the server was restarted, or RESET or FLUSH STATUS was said: the binlog may have been "
            "reset";
    else if ((!first->boot || !boot) && (!first->gtid || !first->gtid[0]))
        why =
            "without a GTID set, or the server's status values, an equal position proves nothing: "
            "the binlog may have been reset";
    free(boot);
    return why;
}

const char *dumper_other_binlog(struct dump_run *run, bool same)
{
    const struct epoch_record *first = &run->ledger->first;
    const char *resets;
    char *boot = first->boot ? moved_boot(run, &resets) : NULL;
    const bool same_boot = boot && strcmp(first->boot, boot) == 0;
    char *log_id = NULL;
    const char *why = NULL;

    free(boot);
    if (same_boot)
        return NULL;
    if (same)
        return moved_flushed(run);
    log_id = first->log_id ? moved_log_id(run, first->log_file, first->log_pos) : NULL;
    if (!log_id)
        why = "the server was restarted since the first snapshot, or RESET or FLUSH STATUS was "
              "said, and whether its binlog is still the same one cannot be seen";
    else if (strcmp(first->log_id, log_id) != 0)
        why = "the binlog was reset (RESET): the file of that name is another one";
    free(log_id);
    return why ? why : moved_flushed(run);
}

/* A replica that leaves out a part of what its source writes has the same GTID set. */
static enum err_code moved_other_filters(struct dump_run *run, bool *filters, struct err *err)
{
    char *count = NULL;
    enum err_code rc = conn_value(
        run->control,
        "SELECT (SELECT COUNT(*) FROM performance_schema.replication_applier_filters WHERE "
        "FILTER_RULE <> '') + (SELECT COUNT(*) FROM "
        "performance_schema.replication_applier_global_filters WHERE FILTER_RULE <> '')",
        &count, err);

    *filters = !rc && (!count || strcmp(count, "0") != 0);
    free(count);
    return rc;
}

enum err_code dumper_same_source(struct dump_run *run, struct err *err)
{
    const char *then = run->ledger->dump.source_uuid;
    const char *version = run->ledger->dump.source_version;
    const char *why = NULL;
    bool filters = false;
    enum err_code rc;

    run->other_server = false;
    if (!run->ledger->begun || !then || strcmp(then, run->source_id) == 0)
        return ERR_OK;
    if (run->flavour.vendor != VENDOR_MYSQL || !run->ledger->epochs || !run->ledger->first.gtid ||
        !run->ledger->first.gtid[0])
        why = "file and offset of one server say nothing on another (only MySQL's GTIDs do, "
              "which name the server they come from)";
    else if (!version || !run->identity.version || strcmp(version, run->identity.version) != 0)
        why = "it is of another version";
    else if (strcmp(run->ledger->first.consistency, "none") == 0)
        why = "without snapshots nothing proves that both have the same rows";
    if (!why) {
        rc = moved_other_filters(run, &filters, err);
        if (rc)
            return err_wrap(err, "another server than before, and its replication filters");
        why = filters ? "it filters what it replicates" : NULL;
    }
    if (why)
        return err_set(
            err, ERR_DUMP_MOVED, "the dump was begun from the server %s (%s), this one is %s: %s",
            then, run->ledger->dump.source_host ? run->ledger->dump.source_host : "host unknown",
            run->source_id, why);
    log_event(LOG_WARN, "dump.source.other", F_STR("before", then), F_STR("now", run->source_id),
              F_STR("message", "another server than before: it may go on if both have executed the "
                               "same GTID set"));
    run->other_server = true;
    return ERR_OK;
}

enum err_code dumper_logs_all(struct dump_run *run, struct err *err)
{
    bool hidden = false;
    enum err_code rc = moved_replica(run, &hidden, err);

    if (!rc && hidden)
        return err_set(
            err, ERR_DUMP_MOVED,
            "the source may be a replica with log_slave_updates=OFF, whose binlog does "
            "not show what it applies: what changes it cannot be known (GRANT REPLICATION "
            "CLIENT, on MariaDB REPLICA MONITOR, lets that be seen)");
    if (!rc)
        rc = moved_filtered(run, &hidden, err);
    if (!rc && hidden)
        return err_set(err, ERR_DUMP_MOVED,
                       "the source keeps databases out of its binlog: what changes them cannot be "
                       "known");
    return rc;
}

enum err_code dumper_same_position(struct dump_run *run, struct err *err)
{
    const struct epoch_record *first = &run->ledger->first;
    const struct position then = {first->log_file, first->log_pos, first->gtid};
    const char *why = NULL;
    enum err_code rc;

    if (!run->ledger->epochs || strcmp(run->consistency, "none") == 0)
        return ERR_OK;
    if (!then.file || !run->position.file)
        return err_set(err, ERR_DUMP_MOVED,
                       "the source writes no binlog: whether it has changed since the first "
                       "snapshot cannot be known");
    why = run->other_server || !position_equal(&then, &run->position)
              ? moved_elsewhere(run, first)
              : moved_same_place(run, first);
    if (why && !run->other_server) {
        rc = dumper_logs_all(run, err);
        return rc ? rc : dumper_replay(run, err);
    }
    if (why)
        return err_set(err, ERR_DUMP_MOVED,
                       "the first snapshot was at %s:%" PRIu64 " (GTID '%s'), the source is now at "
                       "%s:%" PRIu64 " (GTID '%s'): %s",
                       then.file, then.offset, then.gtid ? then.gtid : "", run->position.file,
                       run->position.offset, run->position.gtid, why);
    return dumper_logs_all(run, err);
}
