#include "common/target/follow_log.h"

#include "common/mysql/ident.h"
#include "common/target/target_inner.h"

#include <inttypes.h>
#include <stdlib.h>

enum err_code follow_log_read(struct conn *c, const struct state *s, const char *file,
                              uint64_t *created, struct err *err)
{
    struct strbuf sql = {0};
    char *value = NULL;
    enum err_code rc;

    strbuf_addstr(&sql, "SELECT created FROM ");
    state_add_name(&sql, s, FOLLOW_LOG_TABLE);
    strbuf_addf(&sql, " WHERE job=%" PRIu64 " AND file=", s->job);
    strbuf_add_quotedz(&sql, file);
    rc = conn_value(c, strbuf_str(&sql), &value, err);
    strbuf_release(&sql);
    if (!rc)
        *created = value ? strtoull(value, NULL, 10) : 0;
    free(value);
    return rc;
}

enum err_code follow_log_note(struct conn *c, const struct state *s, const char *file,
                              uint64_t created, struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "INSERT IGNORE INTO "); /* said again: it is there */
    state_add_name(&sql, s, FOLLOW_LOG_TABLE);
    strbuf_addf(&sql, " (job,created,file) VALUES (%" PRIu64 ",%" PRIu64 ",", s->job, created);
    strbuf_add_quotedz(&sql, file);
    strbuf_addch(&sql, ')');
    rc = conn_exec(c, sql.str, sql.len, NULL, err);
    strbuf_release(&sql);
    return rc;
}
