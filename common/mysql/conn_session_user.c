/* What the user wants each session to begin with (--session): allowed as long as nothing changes
 * that exact values and exactly-once rest on. Those variables are read before and after. */
#include "common/base/mem.h"
#include "common/mysql/conn_driver.h"
#include "common/mysql/ident.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Of all servers; one that a server lacks is not there before nor after. */
static const char *const watched[] = {
    "autocommit",
    "character_set_client",
    "character_set_connection",
    "character_set_results",
    "check_constraint_checks",
    "collation_connection",
    "completion_type",
    "default_week_format",
    "div_precision_increment",
    "foreign_key_checks",
    "insert_id",
    "lc_time_names",
    "sql_auto_is_null",
    "sql_mode",
    "sql_select_limit",
    "tidb_batch_insert",
    "tidb_batch_commit",
    "tidb_constraint_check_in_place",
    "tidb_constraint_check_in_place_pessimistic",
    "tidb_dml_type",
    "tidb_enable_mutation_checker",
    "tidb_read_staleness",
    "tidb_skip_ascii_check",
    "tidb_skip_utf8_check",
    "tidb_snapshot",
    "tidb_txn_assertion_level",
    "tidb_txn_mode",
    "time_zone",
    "timestamp",
    "transaction_isolation",
    "transaction_read_only",
    "tx_isolation",
    "tx_read_only",
    "unique_checks",
};
#define WATCHED (sizeof watched / sizeof watched[0])

static int name_index(const char *name)
{
    for (size_t i = 0; i < WATCHED; i++)
        if (strcasecmp(watched[i], name) == 0)
            return (int)i;
    return -1;
}

/* timestamp runs by itself unless it is set: not whole seconds' worth comparing. */
static bool value_runs(size_t i)
{
    return strcmp(watched[i], "timestamp") == 0;
}

static enum err_code watched_read(struct conn *c, char *values[WATCHED], struct err *err)
{
    struct strbuf sql = {0};
    struct result *r = NULL;
    enum err_code rc;
    bool more = true;

    strbuf_addstr(&sql, "SHOW SESSION VARIABLES WHERE Variable_name IN (");
    for (size_t i = 0; i < WATCHED; i++) {
        strbuf_addstr(&sql, i ? "," : "");
        strbuf_add_quotedz(&sql, watched[i]);
    }
    strbuf_addch(&sql, ')');
    rc = conn_queryz(c, strbuf_str(&sql), &r, err);
    while (!rc && more) {
        struct row row;
        int i;

        rc = result_next(r, &row, &more, err);
        if (rc || !more)
            break;
        i = row.cell[0] ? name_index(row.cell[0]) : -1;
        if (i >= 0 && !values[i] && !value_runs((size_t)i))
            values[i] = xstrndup(row.cell[1] ? row.cell[1] : "NULL", row.cell[1] ? row.len[1] : 4);
    }
    result_free(r);
    strbuf_release(&sql);
    return rc;
}

static bool word_at(const char *p, const char *word)
{
    size_t len = strlen(word);

    return strncasecmp(p, word, len) == 0 && !isalnum((unsigned char)p[len]) && p[len] != '_';
}

/* One SET of the session, and nothing for the whole server or behind it. */
static enum err_code statement_check(const char *sql, struct err *err)
{
    static const char *const words[] = {"GLOBAL",  "PERSIST",   "PERSIST_ONLY", "PASSWORD", "ROLE",
                                        "DEFAULT", "STATEMENT", "TIMESTAMP",    "INSERT_ID"};
    bool begins = true;

    if (!word_at(sql, "SET"))
        return err_set(err, ERR_USAGE, "--session '%s': only SET statements are taken", sql);
    if (strchr(sql, ';'))
        return err_set(err, ERR_USAGE, "--session '%s': one statement each, without ';'", sql);
    for (const char *p = sql; *p; p++) {
        for (size_t i = 0; begins && i < sizeof words / sizeof words[0]; i++)
            if (word_at(p, words[i]))
                return err_set(err, ERR_USAGE, "--session '%s': %s is not for a load's session",
                               sql, words[i]);
        begins = !isalnum((unsigned char)*p) && *p != '_';
    }
    return ERR_OK;
}

static enum err_code watched_compare(char *before[WATCHED], char *after[WATCHED], struct err *err)
{
    for (size_t i = 0; i < WATCHED; i++) {
        const char *was = before[i] ? before[i] : "";
        const char *is = after[i] ? after[i] : "";

        if (strcmp(was, is) != 0)
            return err_set(err, ERR_USAGE,
                           "--session changes %s from '%s' to '%s', which exact values and "
                           "exactly-once rest on",
                           watched[i], was, is);
    }
    return ERR_OK;
}

/* TiDB has no such variable, and its change feeds no such wish. */
static enum err_code binlog_skip(struct conn *c, struct err *err)
{
    if (c->flavour.vendor == VENDOR_TIDB)
        return ERR_OK;
    if (conn_execz(c, "SET SESSION sql_log_bin = 0", err))
        return err_wrap(err, "--skip-binlog (SET sql_log_bin = 0)");
    return ERR_OK;
}

enum err_code conn_session_user(struct conn *c, const struct server_url *url, struct err *err)
{
    char *const *statements = url->session;
    const unsigned count = url->session_count;
    char *before[WATCHED] = {NULL}, *after[WATCHED] = {NULL};
    enum err_code rc = url->skip_binlog ? binlog_skip(c, err) : ERR_OK;

    if (count == 0)
        return rc;
    for (unsigned i = 0; !rc && i < count; i++)
        rc = statement_check(statements[i], err);
    if (!rc)
        rc = watched_read(c, before, err);
    for (unsigned i = 0; !rc && i < count; i++) {
        rc = conn_execz(c, statements[i], err);
        if (rc)
            (void)err_wrap(err, "%s", statements[i]);
    }
    if (!rc)
        rc = watched_read(c, after, err);
    if (!rc)
        rc = watched_compare(before, after, err);
    for (size_t i = 0; i < WATCHED; i++) {
        free(before[i]);
        free(after[i]);
    }
    return rc;
}
