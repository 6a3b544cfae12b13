/* ferry conflicts: what a load has put on record, from the target. */
#include "cli/opt_common.h"

#include "common/base/mem.h"
#include "common/mysql/conn.h"
#include "common/mysql/ident.h"
#include "common/target/drift.h"
#include "common/target/finding.h"
#include "formats/dump_read.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct conflicts_opts {
    const char *input, *meta_schema, *report, *drift, *undo;
    uint64_t job;
};

#define FIELD(f) offsetof(struct conflicts_opts, f)
static const struct opt conflicts_opts_table[] = {
    {"input", 'i', OPT_STRING, FIELD(input), "URL",
     "the dump whose load is meant (the only one, or --job)", NULL, 0, 0, false},
    {"job", 0, OPT_SIZE, FIELD(job), "N", "the load's number in the target's state", NULL, 1,
     UINT64_MAX / 2, false},
    {"conflict-report", 0, OPT_STRING, FIELD(report), "FILE",
     "write them to FILE, as JSON lines, or as CSV if its name ends in .csv", NULL, 0, 0, false},
    {"drift-report", 0, OPT_STRING, FIELD(drift), "FILE",
     "write what ferry follow has found to FILE, as JSON lines, or as CSV", NULL, 0, 0, false},
    {"undo-sql", 0, OPT_STRING, FIELD(undo), "FILE",
     "write SQL to FILE that puts back the rows which --on-conflict replace removed", NULL, 0, 0,
     false},
    {"meta-schema", 0, OPT_STRING, FIELD(meta_schema), "NAME",
     "database on the target that keeps the load's progress (ferry_meta)", NULL, 0, 0, false},
    {.kind = OPT_END}};
#undef FIELD

static enum err_code input_uuid(const char *url, char **uuid, struct err *err)
{
    struct store *store = NULL;
    struct dump *dump = NULL;
    enum err_code rc = store_open(url, false, &store, err);

    if (!rc)
        rc = dump_open(store, true, &dump, err);
    if (!rc)
        *uuid = xstrdup(dump->info.uuid);
    dump_free(dump);
    store_free(store);
    return rc;
}

struct listing {
    struct strbuf line;
    uint64_t count;
};

static enum err_code list_one(void *ctx, const struct finding *f, struct err *err)
{
    struct listing *l = ctx;

    (void)err;
    strbuf_reset(&l->line);
    finding_text_line(f, &l->line);
    (void)puts(strbuf_str(&l->line));
    l->count++;
    return ERR_OK;
}

static enum err_code drift_one(void *ctx, const struct drift *d, struct err *err)
{
    struct listing *l = ctx;

    (void)err;
    strbuf_reset(&l->line);
    drift_text_line(d, &l->line);
    (void)puts(strbuf_str(&l->line));
    l->count++;
    return ERR_OK;
}

static enum err_code drift_write(const struct conflicts_opts *o, const struct finding_query *q,
                                 struct err *err)
{
    struct listing l = {{0}, 0};
    uint64_t count = 0;
    enum err_code rc = drift_each(q->conn, q->state, drift_one, &l, err);

    strbuf_release(&l.line);
    if (!rc && l.count > 0)
        (void)printf("%" PRIu64 " of ferry follow on record\n", l.count);
    if (!rc && o->drift)
        rc = drift_report(q->conn, q->state, o->drift, &count, err);
    return rc;
}

static enum err_code conflicts_write(const struct conflicts_opts *o, const struct finding_query *q,
                                     struct err *err)
{
    struct listing l = {{0}, 0};
    uint64_t count = 0;
    enum err_code rc;

    rc = finding_each(q, list_one, &l, err);
    strbuf_release(&l.line);
    if (!rc)
        (void)printf("%" PRIu64 " on record\n", l.count);
    if (!rc && o->report)
        rc = finding_report(q, o->report, &count, err);
    if (!rc && o->undo) {
        rc = finding_undo(q, o->undo, &count, err);
        if (!rc)
            (void)printf("%" PRIu64 " rows can be put back by '%s'\n", count, o->undo);
    }
    return rc;
}

static enum err_code conflicts_with(const struct conflicts_opts *o,
                                    const struct server_opts *target, struct err *err)
{
    struct finding_query q = {.order = FINDING_BY_ROW};
    struct server_url url = {0};
    struct state state = {0};
    struct conn *conn = NULL, *more = NULL;
    char *uuid = NULL;
    enum err_code rc;

    rc = server_opts_resolve(target, "target", &url, err);
    if (!rc && o->input)
        rc = input_uuid(o->input, &uuid, err);
    if (!rc)
        rc = conn_open(&url, CONN_TARGET, "conflicts", &conn, err);
    if (!rc)
        rc = conn_open(&url, CONN_TARGET, "conflicts", &more, err);
    if (!rc)
        rc = state_find(conn, o->meta_schema, uuid, o->job, &state, err);
    if (!rc) {
        q.conn = conn;
        q.more = more;
        q.state = &state;
        rc = conflicts_write(o, &q, err);
        if (!rc)
            rc = drift_write(o, &q, err);
    }
    conn_close(more);
    conn_close(conn);
    free(uuid);
    server_url_release(&url);
    return rc;
}

enum err_code command_conflicts(struct command_context *ctx, struct err *err)
{
    struct conflicts_opts opts = {0};
    struct server_opts target = {0};
    struct general_opts general = {0};
    const struct opt_table tables[] = {{"Conflicts", conflicts_opts_table, &opts},
                                       {"Target server", target_opts_table, &target},
                                       {"General", general_opts_table, &general}};
    const struct command_line line = {
        "conflicts --target URL [--input URL] [OPTION]...",
        "Lists the rows that a load has met in its way, and those that a follower has\n"
        "found other than the source had them; writes the SQL that puts back what\n"
        "--on-conflict replace removed.\n",
        tables, 3, &general};
    struct opt_set *set = NULL;
    enum err_code rc = command_start(&line, ctx, &set, NULL, err);

    if (!rc && !general.help)
        rc = conflicts_with(&opts, &target, err);
    opt_set_free(set);
    return rc;
}
