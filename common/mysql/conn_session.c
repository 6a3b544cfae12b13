/* What a session is set to, by vendor, version and profile. */
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/mysql/conn_driver.h"

#include <stdlib.h>

#define MYSQL_ONLY (1U << VENDOR_MYSQL)
#define MARIADB_ONLY (1U << VENDOR_MARIADB)
#define TIDB_ONLY (1U << VENDOR_TIDB)
#define CLASSIC (MYSQL_ONLY | MARIADB_ONLY)
#define EVERY (CLASSIC | TIDB_ONLY)
#define SOURCE (1U << CONN_SOURCE)
#define TARGET (1U << CONN_TARGET)
#define BOTH (SOURCE | TARGET)

/* Values stored on a source go in as they are: invalid dates and zero dates are allowed, and a
 * generated column that divides by zero is NULL as it was there. Everything else is strict. */
#define TARGET_SQL_MODE                                                                            \
    "STRICT_ALL_TABLES,STRICT_TRANS_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,"             \
    "NO_ENGINE_SUBSTITUTION"

static const struct setting {
    const char *text;
    unsigned vendors, profiles;
    unsigned since, before; /* versions; before 0: still there */
    bool needed;            /* else the session is right without it, only less sure */
} settings[] = {
    {"NAMES utf8mb4", EVERY, BOTH, 0, 0, true},
    {"time_zone = '+00:00'", EVERY, BOTH, 0, 0, true},
    {"autocommit = 1", EVERY, BOTH, 0, 0, true},
    {"sql_mode = 'NO_ENGINE_SUBSTITUTION'", EVERY, SOURCE, 0, 0, true},
    {"sql_mode = '" TARGET_SQL_MODE "'", EVERY, TARGET, 0, 0, true},
    {"tx_isolation = 'REPEATABLE-READ'", MYSQL_ONLY, BOTH, 0, 50720, true},
    {"transaction_isolation = 'REPEATABLE-READ'", MYSQL_ONLY, BOTH, 50720, 0, true},
    {"tx_isolation = 'REPEATABLE-READ'", MARIADB_ONLY, BOTH, 0, 110101, true},
    {"transaction_isolation = 'REPEATABLE-READ'", MARIADB_ONLY, BOTH, 110101, 0, true},
    {"tx_isolation = 'REPEATABLE-READ'", TIDB_ONLY, BOTH, 0, 0, true},
    {"wait_timeout = 86400", EVERY, BOTH, 0, 0, false},
    {"net_read_timeout = 28800", EVERY, BOTH, 0, 0, false},
    {"net_write_timeout = 28800", EVERY, BOTH, 0, 0, false},
    /* A source's DDL may wait for one of our snapshots while another of our statements waits for
     * the DDL: no server sees that circle, and the applications stand behind it. */
    {"lock_wait_timeout = 60", CLASSIC, SOURCE, 50503, 0, false},
    {"lock_wait_timeout = 3600", CLASSIC, TARGET, 50503, 0, false},
    {"max_execution_time = 0", MYSQL_ONLY, BOTH, 50708, 0, false},
    {"max_execution_time = 0", TIDB_ONLY, BOTH, 0, 0, false},
    {"max_statement_time = 0", MARIADB_ONLY, BOTH, 100101, 0, false},
    {"idle_transaction_timeout = 0", MARIADB_ONLY, BOTH, 100300, 0, false},
    {"idle_readonly_transaction_timeout = 0", MARIADB_ONLY, BOTH, 100300, 0, false},
    {"idle_write_transaction_timeout = 0", MARIADB_ONLY, BOTH, 100300, 0, false},
    /* DEFAULT is the present, also where the server's own value is a moment of the past */
    {"system_versioning_asof = DEFAULT", MARIADB_ONLY, BOTH, 100304, 0, true},
    {"show_gipk_in_create_table_and_information_schema = 1", MYSQL_ONLY, SOURCE, 80030, 0, true},
    {"sql_select_limit = 18446744073709551615", EVERY, BOTH, 0, 0, true},
    {"sql_big_selects = 1", CLASSIC, BOTH, 0, 0, false},
    {"sql_safe_updates = 0", CLASSIC, BOTH, 0, 0, false},
    {"sql_auto_is_null = 0", CLASSIC, BOTH, 0, 0, false},
    {"completion_type = 0", CLASSIC, BOTH, 0, 0, false},
    {"lc_messages = 'en_US'", CLASSIC, BOTH, 0, 0, false},
    {"sql_quote_show_create = 1", CLASSIC, SOURCE, 0, 0, false},
    {"foreign_key_checks = 0", EVERY, TARGET, 0, 0, true},
    {"unique_checks = 1", CLASSIC, TARGET, 0, 0, true}, /* 0 lets doubles of a key in */
    {"check_constraint_checks = 1", MARIADB_ONLY, TARGET, 100201, 0, true},
    {"tidb_dml_type = 'standard'", TIDB_ONLY, TARGET, 80000, 0, false},
    {"tidb_txn_assertion_level = 'STRICT'", TIDB_ONLY, TARGET, 60000, 0, false},
    {"allow_auto_random_explicit_insert = 1", TIDB_ONLY, TARGET, 40003, 0, false},
    {"tidb_disable_txn_auto_retry = 1", TIDB_ONLY, TARGET, 30000, 80000, false},
};
#define SETTINGS (sizeof(settings) / sizeof(settings[0]))

static bool setting_applies(const struct setting *s, const struct conn *c)
{
    const unsigned version = c->flavour.version;

    return (s->vendors & 1U << c->flavour.vendor) && (s->profiles & 1U << c->profile) &&
           version >= s->since && (!s->before || version < s->before);
}

/* One by one, after the whole was refused: a variable that a fork, a proxy or a managed server
 * lacks or forbids is passed over where the session is right without it. */
static enum err_code session_set_each(struct conn *c, struct err *err)
{
    for (size_t i = 0; i < SETTINGS; i++) {
        const struct setting *s = &settings[i];
        struct strbuf sql = {0};
        enum err_code rc;

        if (!setting_applies(s, c))
            continue;
        strbuf_addf(&sql, "SET %s", s->text);
        rc = conn_execz(c, strbuf_str(&sql), err);
        strbuf_release(&sql);
        if (rc && (s->needed || c->broken))
            return err_wrap(err, "SET %s", s->text);
        if (rc)
            log_event(LOG_DEBUG, "server.session.skipped", F_STR("setting", s->text),
                      F_STR("message", err->msg));
    }
    err_clear(err);
    return ERR_OK;
}

static enum err_code session_set(struct conn *c, struct err *err)
{
    struct strbuf sql = {0};
    const char *before = "SET ";
    enum err_code rc;

    for (size_t i = 0; i < SETTINGS; i++) {
        if (!setting_applies(&settings[i], c))
            continue;
        strbuf_addf(&sql, "%s%s", before, settings[i].text);
        before = ", ";
    }
    rc = conn_execz(c, strbuf_str(&sql), err);
    strbuf_release(&sql);
    if (rc && !c->broken)
        rc = session_set_each(c, err);
    return rc;
}

/* What must hold in the end, whatever stands between us and the server. */
enum err_code conn_session_check(struct conn *c, struct err *err)
{
    static const char *const wanted[] = {"REPEATABLE-READ", "+00:00", "utf8mb4", "utf8mb4"};
    static const char *const names[] = {"transaction_isolation", "time_zone",
                                        "character_set_client", "character_set_results"};
    const bool modern = flavour_at_least(&c->flavour, VENDOR_MYSQL, 50720) ||
                        flavour_at_least(&c->flavour, VENDOR_MARIADB, 110101);
    struct result *r = NULL;
    struct row row;
    bool more = false;
    enum err_code rc;

    rc = conn_queryz(c,
                     modern ? "SELECT @@transaction_isolation, @@time_zone, @@character_set_client,"
                              " @@character_set_results"
                            : "SELECT @@tx_isolation, @@time_zone, @@character_set_client,"
                              " @@character_set_results",
                     &r, err);
    if (rc)
        return rc;
    rc = result_next(r, &row, &more, err);
    for (unsigned i = 0; !rc && i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        const char *value = more && i < row.count && row.cell[i] ? row.cell[i] : "NULL";

        if (strcmp(value, wanted[i]) != 0)
            rc = err_set(err, ERR_SERVER_UNSUPPORTED,
                         "%s is '%s' although it was set to '%s': what stands between ferry and "
                         "the server must keep a session's variables",
                         names[i], value, wanted[i]);
    }
    result_free(r);
    return rc;
}

enum err_code conn_session_setup(struct conn *c, struct err *err)
{
    const enum err_code rc = session_set(c, err);

    return rc ? rc : conn_session_check(c, err);
}
