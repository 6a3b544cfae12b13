#include "cli/position_target.h"

#include "common/base/mem.h"
#include "common/target/applied.h"
#include "common/target/follow_state.h"
#include "formats/segments.h"

#include <inttypes.h>
#include <stdlib.h>

struct place_look { /* what the target's state says of one job */
    struct conn *conn;
    struct state state;
    struct follow_job job;
    struct follow_origin origin;
    struct follow_view view;
    struct applied_point point;
    bool exact; /* behind all windows */
};

static enum err_code look_epoch(void *ctx, const struct follow_epoch *e, struct err *err)
{
    struct place_look *l = ctx;

    (void)err;
    if (segments_compare(l->point.file, l->point.offset, e->to_file, e->to_offset) < 0)
        l->exact = false;
    return ERR_OK;
}

static enum err_code look(struct place_look *l, const char *schema, struct err *err)
{
    bool followed = false, viewed = false, begun = false;

    if (follow_job_find(l->conn, &(struct follow_which){.schema = schema}, &l->state, &l->job,
                        err) ||
        follow_view_read(l->conn, &l->state, &viewed, &l->view, err))
        return err->code;
    if (viewed && (follow_origin_read(l->conn, &l->state, &followed, &l->origin, err) ||
                   applied_read(l->conn, &l->state, &begun, &l->point, err)))
        return err->code;
    if (!followed || !begun)
        return err_set(err, ERR_FOLLOW_STATE,
                       "the latest load of the target (job %" PRIu64
                       " in `%s`) has not been followed: its place is that of its dump, ferry "
                       "position --input",
                       l->state.job, l->state.schema);
    l->exact = true;
    return follow_epochs_read(l->conn, &l->state, look_epoch, l, err);
}

/* What another tool may go on from: all before it is applied, nothing behind it, and rows are of
 * one moment. */
static enum err_code look_check(const struct place_look *l, struct err *err)
{
    if (!follow_view_at_rest(&l->view))
        return err_set(err, ERR_FOLLOW_STATE,
                       "the follower (%s) runs, or has died, so transactions behind %s:%" PRIu64
                       " may be in the target too: end it by SIGINT, or say its command again with "
                       "--until",
                       l->view.owner, l->point.file, l->point.offset);
    if (!l->exact)
        return err_set(err, ERR_FOLLOW_STATE,
                       "the dump's rows are of several moments, and %s:%" PRIu64
                       " is before the last one",
                       l->point.file, l->point.offset);
    return ERR_OK;
}

/* As the position of a dump that was made there. */
static enum err_code look_print(const struct place_look *l, enum position_form form,
                                struct strbuf *out, struct err *err)
{
    struct epoch_record epoch = {.epoch = 1,
                                 .consistency = xstrdup("followed"),
                                 .log_file = l->point.file,
                                 .log_pos = l->point.offset,
                                 .gtid = l->point.gtids,
                                 .at_us = (int64_t)l->point.timestamp * 1000000};
    struct dump d = {.epochs = &epoch, .epoch_count = 1, .complete = true};
    enum err_code rc;

    d.info = (struct dump_record){.vendor = l->origin.vendor,
                                  .source_version = l->origin.version,
                                  .source_uuid = l->origin.uuid,
                                  .source_host = l->origin.host};
    (void)snprintf(d.info.uuid, sizeof d.info.uuid, "%s", l->job.dump_uuid);
    rc = dump_position(&d, form, out, err);
    free(epoch.consistency);
    return rc;
}

enum err_code position_of_target(const struct server_opts *target, const char *schema,
                                 enum position_form form, struct strbuf *out, struct err *err)
{
    struct place_look l = {.exact = true};
    struct server_url url = {0};
    enum err_code rc = server_opts_resolve(target, "target", &url, err);

    if (!rc)
        rc = conn_open(&url, CONN_TARGET, "position", &l.conn, err);
    if (!rc)
        rc = look(&l, schema, err);
    if (!rc)
        rc = look_check(&l, err);
    if (!rc)
        rc = look_print(&l, form, out, err);
    follow_job_release(&l.job);
    follow_origin_release(&l.origin);
    follow_view_release(&l.view);
    applied_point_release(&l.point);
    conn_close(l.conn);
    server_url_release(&url);
    return rc;
}
