/* How long the source keeps the binlog file that is needed. A server removes a file when it was
 * closed longer ago than it keeps them; that is later than what was applied of it was committed, so
 * "committed + kept - now" is never too long. The file that is being written is never removed. */
#include "follower/follow_inner.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#include <inttypes.h>
#include <stdlib.h>

#define DAY INT64_C(86400)
#define AGAIN_US                                                                                   \
    ((uint64_t)600000000) /* between two warnings, unless half of the time has gone                \
                           */
#define FOR_EVER INT64_MAX

struct retention {
    int64_t seconds;   /* FOR_EVER */
    uint64_t bytes;    /* of all files; 0: any */
    bool managed_asap; /* RDS: as soon as the service does not need them */
};

/* A variable that the server may not have: 0. */
static int64_t variable(struct conn *c, const char *sql)
{
    struct err ignored = ERR_INIT;
    char *value = NULL;
    int64_t number = 0;

    if (conn_usable(c) && !conn_value(c, sql, &value, &ignored) && value)
        number = strcmp(value, "OFF") == 0 ? 0 : (int64_t)(strtod(value, NULL));
    free(value);
    return number;
}

static void retention_read(struct conn *c, struct retention *r)
{
    const struct flavour *f = conn_flavour(c);

    *r = (struct retention){.seconds = FOR_EVER};
    if (f->managed != MANAGED_NONE) {
        const int64_t hours =
            variable(c, "SELECT COALESCE(value,-1) FROM mysql.rds_configuration WHERE name="
                        "'binlog retention hours'");

        r->managed_asap = hours < 0;
        r->seconds = hours > 0 ? hours * 3600 : hours < 0 ? 0 : FOR_EVER;
        return;
    }
    r->bytes = (uint64_t)variable(c, "SELECT @@GLOBAL.max_binlog_total_size");
    r->seconds = variable(c, "SELECT @@GLOBAL.binlog_expire_logs_seconds");
    if (r->seconds == 0)
        r->seconds = variable(c, "SELECT @@GLOBAL.expire_logs_days*86400");
    if (r->seconds == 0)
        r->seconds = FOR_EVER;
    if (flavour_at_least(f, VENDOR_MYSQL, 80029) &&
        variable(c, "SELECT @@GLOBAL.binlog_expire_logs_auto_purge") == 0)
        r->seconds = FOR_EVER;
}

struct logs {
    const char *file; /* that is needed */
    bool found, last; /* it is there; it is the one being written */
    uint64_t bytes;   /* of it and those behind it */
};

static enum err_code log_row(void *ctx, const struct row *row, struct err *err)
{
    struct logs *l = ctx;

    (void)err;
    if (row->count < 2 || !row->cell[0] || !row->cell[1])
        return ERR_OK;
    l->last = strcmp(row->cell[0], l->file) == 0;
    l->found = l->found || l->last;
    if (l->found)
        l->bytes += strtoull(row->cell[1], NULL, 10);
    return ERR_OK;
}

static void keep_note(struct purge_watch *p, int64_t kept_s, char *note)
{
    p->kept_s = kept_s;
    free(p->note);
    p->note = note;
}

/* At first, and again after a while or when half of the time has gone. */
static void warn(struct purge_watch *p, const char *file)
{
    const uint64_t now = clock_mono_us();

    if (p->said_us && now - p->said_us < AGAIN_US && p->kept_s > p->said_s / 2)
        return;
    p->said_us = now;
    p->said_s = p->kept_s;
    log_event(LOG_WARN, "follow.purge", F_STR("message", p->note), F_STR("file", file),
              F_U64("seconds_left", p->kept_s > 0 ? (uint64_t)p->kept_s : 0));
}

static const char *keep_longer(const struct flavour *f)
{
    if (f->managed != MANAGED_NONE)
        return "CALL mysql.rds_set_configuration('binlog retention hours', 168)";
    if (f->vendor == VENDOR_MARIADB && f->version < 100601)
        return "SET GLOBAL expire_logs_days = 7";
    if (f->vendor == VENDOR_MYSQL && f->version < 80000)
        return "SET GLOBAL expire_logs_days = 7";
    return "SET GLOBAL binlog_expire_logs_seconds = 604800";
}

static char *time_text(int64_t s)
{
    if (s >= 2 * DAY)
        return xasprintf("%" PRId64 " days", s / DAY);
    if (s >= 7200)
        return xasprintf("%" PRId64 " hours", s / 3600);
    return xasprintf("%" PRId64 " minutes", s > 0 ? s / 60 : 0);
}

static void judge(struct purge_watch *p, const struct retention *r, const struct logs *l,
                  const struct flavour *f, int64_t behind_s)
{
    const int64_t left_s = r->seconds == FOR_EVER ? FOR_EVER : r->seconds - behind_s;
    char *time;

    if (!l->found) {
        keep_note(
            p, 0,
            xasprintf("the source has removed '%s', which is needed if the connection is lost "
                      "or ferry is started again: let this run reach the present, and say %s",
                      l->file, keep_longer(f)));
    } else if (l->last) {
        keep_note(p, left_s == FOR_EVER ? FOLLOW_KEPT_UNKNOWN : r->seconds, NULL);
        return;
    } else if (r->bytes && l->bytes > r->bytes - r->bytes / 4) {
        keep_note(p, FOLLOW_KEPT_UNKNOWN,
                  xasprintf("the source keeps %" PRIu64
                            " MiB of binlog (max_binlog_total_size), and "
                            "%" PRIu64 " MiB from '%s' on are needed: SET GLOBAL "
                            "max_binlog_total_size = 0",
                            r->bytes >> 20, l->bytes >> 20, l->file));
    } else if (left_s == FOR_EVER || left_s > r->seconds / 4) {
        keep_note(p, left_s == FOR_EVER ? FOLLOW_KEPT_UNKNOWN : left_s, NULL);
        return;
    } else {
        time = time_text(left_s);
        keep_note(p, left_s > 0 ? left_s : 0,
                  xasprintf("the source may remove '%s', which is still needed, %s%s: say %s",
                            l->file, r->managed_asap || left_s <= 0 ? "at any time" : "in ",
                            r->managed_asap || left_s <= 0 ? "" : time, keep_longer(f)));
        free(time);
    }
    warn(p, l->file);
}

enum err_code purge_look(struct follow_run *run, struct conn *source, const char *file,
                         int64_t time_s, int64_t now_s, struct err *err)
{
    struct logs l = {.file = file};
    struct strbuf sql = {0};
    struct retention r;
    enum err_code rc;

    if (!*file || run->by_gtid)
        return ERR_OK;
    strbuf_addstr(&sql, "SHOW BINARY LOGS");
    rc = conn_rows(source, &sql, log_row, &l, err);
    strbuf_release(&sql);
    if (rc)
        return rc;
    retention_read(source, &r);
    judge(&run->watch.purge, &r, &l, conn_flavour(source),
          time_s && now_s > time_s ? now_s - time_s : 0);
    return ERR_OK;
}
