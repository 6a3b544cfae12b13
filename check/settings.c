/* Settings of the servers that are not about the binlog, and the output. */
#include "check/check_inner.h"

#include "common/base/clock.h"
#include "common/base/progress.h"
#include "common/store/store.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/statvfs.h>

#define MIB ((uint64_t)1 << 20)
#define STATEMENT_BYTES 1000000 /* that ferry sends at most, but for a single longer row */
#define SKEW_US 2000000
#define SPARE 50 /* connections that a mended limit leaves to others */
#define PROBE_FILE "ferry-check-probe"

/* ---- connections ---- */

static enum err_code connections(struct check_side *s, unsigned wanted, struct check_outcome *o,
                                 struct err *err)
{
    const uint64_t limit = variable_number(s, "max_connections");
    const uint64_t own = variable_number(s, "max_user_connections");
    struct result *r = NULL;
    struct strbuf wish = {0};
    struct row row;
    bool more = false;
    uint64_t used = 0;
    enum err_code rc;

    rc = conn_queryz(s->conn, "SHOW GLOBAL STATUS LIKE 'Threads_connected'", &r, err);
    if (!rc)
        rc = result_next(r, &row, &more, err);
    if (!rc && more && row.count > 1 && row.cell[1])
        used = strtoull(row.cell[1], NULL, 10);
    result_free(r);
    if (rc)
        return rc;
    used = used ? used - 1 : 0; /* this one ends before */
    if (limit == 0)
        say(o, CHECK_PASSED, "no limit; %u are wanted", wanted);
    else
        say(o,
            wanted > limit          ? CHECK_FAILED
            : wanted + used > limit ? CHECK_WARNING
                                    : CHECK_PASSED,
            "max_connections is %" PRIu64 ", %" PRIu64 " are in use, %u are wanted", limit, used,
            wanted);
    if (own && own < wanted)
        say(o, CHECK_FAILED, "max_user_connections is %" PRIu64, own);
    if (o->result == CHECK_PASSED)
        return ERR_OK;
    strbuf_addf(&wish, "%" PRIu64, used + wanted + SPARE);
    mend_variable(o, &s->flavour, own && own < wanted ? "max_user_connections" : "max_connections",
                  strbuf_str(&wish), MEND_NOW);
    mend(o, "or give ferry fewer --threads");
    strbuf_release(&wish);
    return ERR_OK;
}

/* Besides the workers: control, DDL lock, position. */
enum err_code check_source_connections(struct check *c, struct check_outcome *o, struct err *err)
{
    return connections(&c->side[SOURCE], c->config->threads + 3, o, err);
}

enum err_code check_target_connections(struct check *c, struct check_outcome *o, struct err *err)
{
    return connections(&c->side[TARGET], c->config->load_threads + 3, o, err);
}

/* ---- packets ---- */

enum err_code check_packet(struct check *c, struct check_outcome *o, struct err *err)
{
    const uint64_t there = variable_number(&c->side[TARGET], "max_allowed_packet");
    const uint64_t here = variable_number(&c->side[SOURCE], "max_allowed_packet");
    char there_text[SIZE_TEXT_MAX], here_text[SIZE_TEXT_MAX];

    (void)err;
    size_text(there, there_text);
    size_text(here, here_text);
    if (!there)
        return skip(o, "the target does not say");
    say(o, CHECK_PASSED, "max_allowed_packet is %s on the target", there_text);
    if (there < STATEMENT_BYTES + STATEMENT_BYTES / 10)
        say(o, CHECK_FAILED, "statements of ferry are up to 1,000,000 bytes long");
    else if (here > there)
        say(o, CHECK_WARNING,
            "the source takes rows of up to %s, of which the target would refuse "
            "those that are larger than its own limit",
            here_text);
    if (o->result != CHECK_PASSED)
        mend_variable(o, &c->side[TARGET].flavour, "max_allowed_packet",
                      here > 64 * MIB ? "1073741824" : "67108864", MEND_NOW);
    return ERR_OK;
}

/* ---- clocks and modes ---- */

/* By the zone's name, unless that is the source machine's own affair. */
static void mend_offset(const struct check *c, struct check_outcome *o, long seconds)
{
    const char *name = variable(&c->side[SOURCE], "time_zone");
    const long minutes = (seconds < 0 ? -seconds : seconds) / 60;
    struct strbuf offset = {0};

    strbuf_addf(&offset, "%c%02ld:%02ld", seconds < 0 ? '-' : '+', minutes / 60, minutes % 60);
    mend_variable(o, &c->side[TARGET].flavour, "time_zone",
                  name && strcasecmp(name, "SYSTEM") != 0 ? name : strbuf_str(&offset), MEND_NOW);
    strbuf_release(&offset);
}

static void compare_offsets(const struct check *c, struct check_outcome *o, char *const offset[])
{
    const char *from = variable(&c->side[SOURCE], "time_zone");
    const char *to = variable(&c->side[TARGET], "time_zone");

    say(o, CHECK_PASSED, "time_zone is '%s' on the source, '%s' on the target", from ? from : "?",
        to ? to : "?");
    if (strcmp(offset[SOURCE], offset[TARGET]) == 0)
        return;
    say(o, CHECK_WARNING, "what applications see of TIMESTAMP, NOW() and defaults will differ");
    mend_offset(c, o, strtol(offset[SOURCE], NULL, 10));
}

enum err_code check_time_zone(struct check *c, struct check_outcome *o, struct err *err)
{
    static const char sql[] = "SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), CONVERT_TZ("
                              "UTC_TIMESTAMP(), '+00:00', @@global.time_zone))";
    char *offset[SIDES] = {NULL, NULL};
    enum err_code rc = ERR_OK;

    for (int i = 0; !rc && i < SIDES; i++)
        rc = ask(&c->side[i], sql, &offset[i], err);
    if (!rc && offset[SOURCE] && offset[TARGET])
        compare_offsets(c, o, offset);
    else if (!rc)
        say(o, CHECK_PASSED, "not comparable: a server has no time zone tables");
    if (!rc)
        say(o, CHECK_PASSED, "TIMESTAMP values are moved in UTC and are exact in any case");
    free(offset[SOURCE]);
    free(offset[TARGET]);
    return rc;
}

static bool has_mode(const char *modes, const char *mode)
{
    const size_t len = strlen(mode);

    for (const char *at = modes; at && *at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (strncasecmp(at, mode, len) == 0 && (at[len] == ',' || !at[len]))
            return true;
    return false;
}

/* Those that change what statements mean or take. */
static const char *const modes[] = {
    "ANSI_QUOTES",           "PIPES_AS_CONCAT",         "NO_BACKSLASH_ESCAPES",
    "IGNORE_SPACE",          "HIGH_NOT_PRECEDENCE",     "NO_UNSIGNED_SUBTRACTION",
    "ONLY_FULL_GROUP_BY",    "STRICT_TRANS_TABLES",     "NO_ZERO_DATE",
    "NO_ZERO_IN_DATE",       "PAD_CHAR_TO_FULL_LENGTH", "ERROR_FOR_DIVISION_BY_ZERO",
    "NO_AUTO_VALUE_ON_ZERO", "TIME_TRUNCATE_FRACTIONAL"};
#define MODES (sizeof(modes) / sizeof(modes[0]))

/* The target's own modes, but for those above, which are as on the source. */
static void wished_modes(const char *from, const char *to, struct strbuf *out)
{
    for (const char *at = to; *at;) {
        const size_t len = strcspn(at, ",");
        bool judged = false;

        for (size_t i = 0; i < MODES; i++)
            judged = judged || (strlen(modes[i]) == len && strncasecmp(at, modes[i], len) == 0);
        if (len && !judged)
            strbuf_addf(out, "%s%.*s", out->len ? "," : "", (int)len, at);
        at += len;
        at += *at == ',';
    }
    for (size_t i = 0; i < MODES; i++)
        if (has_mode(from, modes[i]))
            strbuf_addf(out, "%s%s", out->len ? "," : "", modes[i]);
}

enum err_code check_sql_mode(struct check *c, struct check_outcome *o, struct err *err)
{
    const char *from = variable(&c->side[SOURCE], "sql_mode");
    const char *to = variable(&c->side[TARGET], "sql_mode");
    struct strbuf wished = {0};

    (void)err;
    if (!from || !to)
        return skip(o, "a server does not say");
    for (size_t i = 0; i < MODES; i++)
        if (has_mode(from, modes[i]) != has_mode(to, modes[i]))
            list(o, "%s is %s on the source, %s on the target", modes[i],
                 has_mode(from, modes[i]) ? "on" : "off", has_mode(to, modes[i]) ? "on" : "off");
    say(o, o->objects ? CHECK_WARNING : CHECK_PASSED, "%zu modes differ%s", (size_t)o->objects,
        o->objects ? "; ferry sets its own in each session, applications do not" : "");
    if (o->objects) {
        wished_modes(from, to, &wished);
        mend_variable(o, &c->side[TARGET].flavour, "sql_mode", strbuf_str(&wished), MEND_NOW);
    }
    strbuf_release(&wished);
    return ERR_OK;
}

static enum err_code skew(struct check_side *s, struct check_outcome *o, int64_t *us,
                          struct err *err)
{
    const int64_t before = clock_utc_us();
    char *now = NULL;
    enum err_code rc = ask(s, "SELECT UNIX_TIMESTAMP()", &now, err);
    const int64_t after = clock_utc_us();

    *us = 0;
    if (!rc && now) {
        const int64_t there = strtoll(now, NULL, 10) * 1000000;

        /* it shows whole seconds, of some instant between the two */
        if (there > after)
            *us = there - after;
        else if (there + 1000000 < before)
            *us = there + 1000000 - before;
        say(o, CHECK_PASSED, "%s: %+.1f s", s->role, (double)*us / 1e6);
    }
    free(now);
    return rc;
}

enum err_code check_clock(struct check *c, struct check_outcome *o, struct err *err)
{
    int64_t worst = 0;

    for (int i = 0; i < SIDES; i++) {
        int64_t us = 0;

        if (!c->side[i].conn)
            continue;
        if (skew(&c->side[i], o, &us, err))
            return err->code;
        us = us < 0 ? -us : us;
        worst = us > worst ? us : worst;
    }
    if (worst > SKEW_US) {
        say(o, CHECK_WARNING, "against this machine's clock; lag and --until TIME are off by that");
        mend(o, "run an NTP client on all three machines");
    }
    return ERR_OK;
}

enum err_code check_new_collation(struct check *c, struct check_outcome *o, struct err *err)
{
    char *equal = NULL;
    enum err_code rc =
        ask(&c->side[TARGET], "SELECT 'a' COLLATE utf8mb4_general_ci = 'A'", &equal, err);

    if (rc)
        return rc;
    if (equal && strcmp(equal, "1") == 0) {
        say(o, CHECK_PASSED, "collations that ignore case do so");
    } else {
        say(o, CHECK_FAILED,
            "every collation compares bytes: new_collations_enabled_on_first_"
            "bootstrap was false when the cluster was made");
        mend(o, "make a new TiDB cluster, with new_collations_enabled_on_first_bootstrap = true; "
                "it cannot be changed later");
    }
    free(equal);
    return ERR_OK;
}

/* ---- what stops the writing ---- */

enum err_code check_local_infile(struct check *c, struct check_outcome *o, struct err *err)
{
    (void)err;
    if (variable_on(&c->side[TARGET], "local_infile")) {
        say(o, CHECK_PASSED, "local_infile is ON");
        return ERR_OK;
    }
    say(o, CHECK_WARNING,
        "local_infile is OFF: rows go by INSERT, which takes about 1.4 times as "
        "long");
    mend_variable(o, &c->side[TARGET].flavour, "local_infile", "1", MEND_NOW);
    return ERR_OK;
}

enum err_code check_target_writable(struct check *c, struct check_outcome *o, struct err *err)
{
    static const char *const names[] = {"super_read_only",           "read_only",
                                        "innodb_read_only",          "tidb_super_read_only",
                                        "tidb_restricted_read_only", "offline_mode"};
    const struct check_side *s = &c->side[TARGET];

    (void)err;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const bool super = strcmp(names[i], "read_only") == 0 && grants_global(s->grants, "SUPER");

        if (!variable_on(s, names[i]))
            continue;
        say(o, super ? CHECK_WARNING : CHECK_FAILED, "%s is ON%s", names[i],
            super ? ", which this account may pass over" : "");
        if (strcmp(names[i], "innodb_read_only") == 0)
            mend(o, "name the writer's endpoint: this is a read replica");
        else
            mend_variable(o, &s->flavour, names[i], "0", MEND_NOW);
    }
    say(o, CHECK_PASSED, o->result ? "no row could be written" : "the target takes writes");
    return ERR_OK;
}

enum err_code check_long_queries(struct check *c, struct check_outcome *o, struct err *err)
{
    char *count = NULL;
    enum err_code rc =
        ask(&c->side[SOURCE],
            "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE COMMAND IN ('Query', "
            "'Execute') AND TIME >= 60 AND ID <> CONNECTION_ID() AND USER <> 'system user' AND "
            "USER <> 'event_scheduler'",
            &count, err);

    if (rc)
        return rc;
    if (!count)
        return skip(o, "the list of processes cannot be read");
    say(o, strcmp(count, "0") == 0 ? CHECK_PASSED : CHECK_WARNING,
        "%s queries run for 60 s or longer", count);
    if (!grants_global(c->side[SOURCE].grants, "PROCESS"))
        say(o, CHECK_PASSED, "without PROCESS only this account's own are seen");
    if (o->result == CHECK_WARNING)
        mend(o, "wait for them, or dump with --kill-long-queries; SHOW FULL PROCESSLIST;");
    free(count);
    return ERR_OK;
}

/* ---- the output ---- */

static enum err_code probe(struct check_outcome *o, struct store *store)
{
    struct err err = ERR_INIT;
    struct store_info info;

    if (!store_stat(store, "ferry.manifest/000001.jsonl", &info, &err))
        say(o, CHECK_WARNING, "there is a dump already: ferry dump would go on with it, or refuse");
    err_clear(&err);
    if (store_put(store, PROBE_FILE, "ferry", 5, &err) || store_remove(store, PROBE_FILE, &err)) {
        say(o, CHECK_FAILED, "%s", err.msg);
        mend(o, "%s", err_info(err.code)->remedy);
    } else {
        say(o, CHECK_PASSED, "%s can be written", store->text);
    }
    return ERR_OK;
}

/* NULL: not a folder. */
static const char *folder_of(const char *url)
{
    if (strncmp(url, "file://", 7) == 0)
        return url + 7;
    return strstr(url, "://") || strncmp(url, "mem:", 4) == 0 ? NULL : url;
}

static void space(const struct check *c, struct check_outcome *o)
{
    const char *folder = folder_of(c->config->output);
    const uint64_t bytes = c->side[SOURCE].bytes;
    char free_text[SIZE_TEXT_MAX], need_text[SIZE_TEXT_MAX];
    struct statvfs fs;
    uint64_t room;

    if (!folder || statvfs(folder, &fs) != 0)
        return;
    room = (uint64_t)fs.f_bavail * fs.f_frsize;
    size_text(room, free_text);
    size_text(bytes, need_text);
    say(o,
        room < bytes / 8 ? CHECK_FAILED
        : room < bytes   ? CHECK_WARNING
                         : CHECK_PASSED,
        "%s are free, the tables have %s on the source", free_text, need_text);
    if (room < bytes)
        mend(o, "make room, or dump to object storage: --output s3://BUCKET/PREFIX; zstd makes "
                "files of a third to an eighth of that");
}

enum err_code check_output(struct check *c, struct check_outcome *o, struct err *err)
{
    struct err why = ERR_INIT;
    struct store *store = NULL;
    enum err_code rc;

    (void)err;
    if (store_open(c->config->output, true, &store, &why)) {
        say(o, CHECK_FAILED, "%s", why.msg);
        mend(o, "%s", err_info(why.code)->remedy);
        return ERR_OK;
    }
    rc = probe(o, store);
    if (!rc)
        space(c, o);
    store_free(store);
    return rc;
}
