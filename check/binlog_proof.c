/* The two things that a dump and a follower need of the binlog, done for once. */
#include "check/check_inner.h"

#include "common/mysql/binlog_stream.h"
#include "common/mysql/position.h"

#include <inttypes.h>

static const char *monitor_right(const struct flavour *f)
{
    return flavour_at_least(f, VENDOR_MARIADB, 100502) ? "BINLOG MONITOR" : "REPLICATION CLIENT";
}

enum err_code check_position(struct check *c, struct check_outcome *o, struct err *err)
{
    struct check_side *s = &c->side[SOURCE];
    struct position p = {0};
    struct err why = ERR_INIT;
    const enum err_code rc = position_read(s->conn, &p, &why);

    if (rc && !conn_usable(s->conn)) {
        *err = why;
        return rc;
    }
    if (rc == ERR_PRIVILEGE) {
        say(o, for_follow(c) ? CHECK_FAILED : CHECK_WARNING,
            "the account may not read it; --consistency flush refuses then, and a dump under table "
            "locks has no position");
        mend_grant(o, s, monitor_right(&s->flavour), "*.*");
    } else if (rc) {
        say(o, CHECK_FAILED, "%s", why.msg);
    } else {
        say(o, CHECK_PASSED, "%s:%" PRIu64 "%s%s", p.file ? p.file : "", p.offset,
            p.gtid && *p.gtid ? ", GTIDs " : "", p.gtid ? p.gtid : "");
    }
    position_release(&p);
    return ERR_OK;
}

enum err_code check_binlog_read(struct check *c, struct check_outcome *o, struct err *err)
{
    struct check_side *s = &c->side[SOURCE];
    const struct binlog_stream_config config = {
        .url = s->url, .server_id = c->config->server_id, .until_end = true};
    struct position p = {0};
    struct err why = ERR_INIT;
    struct binlog_source *stream = NULL;
    struct binlog_raw raw;
    enum binlog_got got = BINLOG_GOT_NOTHING;
    enum err_code rc = position_read(s->conn, &p, &why);

    if (rc && !conn_usable(s->conn)) {
        *err = why;
        return rc;
    }
    if (!rc && p.file) {
        const struct binlog_start at = {.file = p.file, .offset = p.offset};

        rc = binlog_stream_open(&config, &at, &stream, &why);
        if (!rc)
            rc = stream->ops->next(stream, &raw, &got, &why);
        binlog_source_free(stream);
    }
    position_release(&p);
    if (!rc) {
        say(o, CHECK_PASSED, "the server streamed it from its present end");
        return ERR_OK;
    }
    say(o, CHECK_FAILED, "%s", why.msg);
    if (why.code == ERR_PRIVILEGE)
        mend_grant(o, s, "REPLICATION SLAVE", "*.*");
    return ERR_OK;
}
