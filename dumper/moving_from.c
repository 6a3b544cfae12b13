/* Where to begin without a lock: a place that is never behind what a reading after it sees. What
 * the server says is the binlog's end is not one: transactions are there before they are seen.
 * MariaDB tells the place of a consistent snapshot; MySQL that of performance_schema.log_status
 * (BACKUP_ADMIN), or what is committed (gtid_executed); else a new file of the binlog is begun,
 * which waits for what is being committed (RELOAD). */
#include "common/base/mem.h"
#include "common/mysql/binlog_stream.h"
#include "common/mysql/ident.h"
#include "dumper/moving.h"
#include "formats/binlog_reader.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* One row of three texts. false: it could not be had. */
static bool moving_row(struct dump_run *run, const char *sql, struct position *at)
{
    struct err ignored = ERR_INIT;
    struct result *r = NULL;
    struct row row;
    bool more = false;
    bool good = !conn_queryz(run->control, sql, &r, &ignored) &&
                !result_next(r, &row, &more, &ignored) && more && row.count >= 3 && row.cell[0] &&
                row.cell[0][0] && row.cell[1];

    if (good) {
        position_release(at);
        *at = (struct position){.file = xstrdup(row.cell[0]),
                                .offset = strtoull(row.cell[1], NULL, 10),
                                .gtid = xstrdup(row.cell[2] ? row.cell[2] : "")};
        for (char *p = at->gtid, *to = at->gtid;; p++) {
            if (*p != '\n' && *p != '\r')
                *to++ = *p;
            if (!*p)
                break;
        }
    }
    result_free(r);
    return good;
}

static bool moving_mariadb(struct dump_run *run, struct position *at)
{
    struct err ignored = ERR_INIT;
    bool good = !conn_execz(run->control, "START TRANSACTION WITH CONSISTENT SNAPSHOT", &ignored) &&
                moving_row(run,
                           "SELECT f.VARIABLE_VALUE, p.VARIABLE_VALUE, "
                           "BINLOG_GTID_POS(f.VARIABLE_VALUE, p.VARIABLE_VALUE) FROM "
                           "information_schema.SESSION_STATUS f JOIN "
                           "information_schema.SESSION_STATUS p WHERE f.VARIABLE_NAME = "
                           "'BINLOG_SNAPSHOT_FILE' AND p.VARIABLE_NAME = "
                           "'BINLOG_SNAPSHOT_POSITION'",
                           at);

    if (conn_usable(run->control) && conn_execz(run->control, "ROLLBACK", &ignored))
        good = false;
    return good;
}

/* A new file is begun when all in the ones before is committed; its first events say what that is.
 */
static bool moving_flush(struct dump_run *run, struct position *at)
{
    struct err ignored = ERR_INIT;
    struct strbuf sql = {0};
    struct result *r = NULL;
    struct row row;
    bool more = true;
    bool found = false;

    if (conn_execz(run->control, "FLUSH BINARY LOGS", &ignored))
        return false;
    position_release(at);
    if (position_read(run->control, at, &ignored) || !at->file)
        return false;
    strbuf_addstr(&sql, "SHOW BINLOG EVENTS IN ");
    strbuf_add_quotedz(&sql, at->file);
    strbuf_addstr(&sql, " LIMIT 3");
    if (conn_queryz(run->control, strbuf_str(&sql), &r, &ignored))
        more = false;
    while (more && !result_next(r, &row, &more, &ignored) && more) {
        if (row.count < 6 || !row.cell[2] || strcasecmp(row.cell[2], "Previous_gtids") != 0)
            continue;
        free(at->gtid);
        at->gtid = xstrdup(row.cell[5] ? row.cell[5] : "");
        at->offset = BINLOG_FIRST_OFFSET;
        found = true;
    }
    result_free(r);
    strbuf_release(&sql);
    for (char *p = at->gtid, *to = at->gtid; found; p++) {
        if (*p != '\n' && *p != '\r')
            *to++ = *p;
        if (!*p)
            break;
    }
    return found;
}

/* ---- by GTIDs ---- */

static enum err_code moving_look(void *ctx, const struct binlog_table *t,
                                 const struct rows_images *images, struct err *err)
{
    (void)ctx;
    (void)t;
    (void)images;
    (void)err;
    return ERR_OK;
}

/* Up to the first transaction that is not in `seen`. */
static enum err_code moving_scan(struct dump_run *run, struct binlog_reader *reader,
                                 const struct gtid_set *seen, struct position *at, struct err *err)
{
    struct binlog_item item = {.kind = BINLOG_IDLE};
    struct binlog_position here;
    struct strbuf gtids = {0};
    enum err_code rc = ERR_OK;

    while (!rc && item.kind != BINLOG_END) {
        if (dumper_stopped(run))
            rc = dumper_stop_error(run, err);
        else
            rc = binlog_reader_next(reader, &item, err);
        if (!rc && item.kind == BINLOG_BEGIN && !gtid_set_contains(seen, item.gtid))
            break;
    }
    if (rc)
        return rc;
    here = binlog_reader_position(reader);
    if (!here.file || !here.gtids)
        return err_set(err, ERR_BINLOG_EVENT, "the binlog does not say its GTID set");
    gtid_set_text(here.gtids, &gtids);
    position_release(at);
    *at = (struct position){xstrdup(here.file), here.offset, strbuf_detach(&gtids)};
    return ERR_OK;
}

/* What gtid_executed holds is committed. The first transaction of the binlog's file that it does
 * not hold, where the file was named before the set, is not behind what is read later. *good false:
 * without GTIDs. */
static enum err_code moving_gtid(struct dump_run *run, struct position *at, bool *good,
                                 struct err *err)
{
    const struct binlog_stream_config stream = {.url = run->source, .until_end = true};
    struct binlog_reader_config config = {
        .start = {.file = at->file, .offset = BINLOG_FIRST_OFFSET},
        .look = moving_look,
        .cancel = run->cancel};
    struct binlog_reader *reader = NULL;
    struct gtid_set *seen = gtid_set_new(GTID_MYSQL);
    char *text = NULL;
    enum err_code rc = conn_value(
        run->control, "SELECT IF(@@gtid_mode = 'ON', @@gtid_executed, NULL)", &text, err);

    *good = !rc && text;
    if (*good)
        rc = gtid_set_parse(seen, text, err);
    if (!rc && *good)
        rc = binlog_stream_open(&stream, &config.start, &config.source, err);
    if (!rc && *good) {
        rc = binlog_reader_new(&config, &reader, err);
        if (rc)
            binlog_source_free(config.source);
    }
    if (reader)
        rc = moving_scan(run, reader, seen, at, err);
    binlog_reader_free(reader);
    gtid_set_free(seen);
    free(text);
    return rc;
}

enum err_code dumper_moving_from(struct dump_run *run, struct err *err)
{
    struct position *at = &run->position;
    enum err_code rc = position_read(run->control, at, err);
    bool good;

    if (rc)
        return rc;
    if (!at->file)
        return err_set(err, ERR_DUMP_CONSISTENCY,
                       "the source writes no binlog, which --consistency binlog is made of");
    if (run->flavour.vendor == VENDOR_MARIADB)
        good = moving_mariadb(run, at);
    else
        good = moving_row(run,
                          "SELECT LOCAL->>'$.binary_log_file', LOCAL->>'$.binary_log_position', "
                          "LOCAL->>'$.gtid_executed' FROM performance_schema.log_status",
                          at);
    if (!good && run->flavour.vendor == VENDOR_MYSQL) {
        rc = moving_gtid(run, at, &good, err);
        if (!rc && !good)
            good = moving_flush(run, at);
    }
    if (rc || good)
        return rc;
    return err_set(err, ERR_DUMP_CONSISTENCY,
                   "the source does not tell a position that is never behind a reading, which "
                   "--consistency binlog needs: on MySQL with gtid_mode=ON, or by BACKUP_ADMIN or "
                   "RELOAD; on MariaDB by binlog_snapshot_position");
}
