#include "cli/status_load.h"

#include "common/base/mem.h"
#include "common/base/progress.h"
#include "common/target/follow_state.h"
#include "common/target/load_status.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

struct printing {
    struct conn *conn;
    struct state state;
    json_t *loads;   /* NULL: text */
    json_t *loaders; /* of the load at hand */
};

static const char *loader_word(const struct loader_view *v)
{
    static const char *const stages[] = {"waiting", "definitions", "rows", "closing steps"};

    if (v->state == LOADER_LEFT)
        return "has ended";
    if (v->state == LOADER_LOST || v->gone)
        return "is dead";
    return v->lives ? stages[v->stage] : "no sign of life";
}

static enum err_code print_loader(void *ctx, const struct loader_view *v, struct err *err)
{
    struct printing *p = ctx;
    char size[SIZE_TEXT_MAX];

    (void)err;
    if (p->loaders) {
        (void)json_array_append_new(
            p->loaders,
            json_pack("{s:s,s:s,s:b,s:I,s:I,s:I,s:I,s:f,s:f,s:f}", "owner", v->owner, "stage",
                      loader_word(v), "alive", v->lives, "threads", (json_int_t)v->threads, "rows",
                      (json_int_t)v->rows, "bytes", (json_int_t)v->bytes, "rows_a_second",
                      (json_int_t)v->row_rate, "last_sign_seconds_ago", (double)v->age_us / 1e6,
                      "lease_seconds", (double)v->lease_us / 1e6, "running_seconds",
                      (double)v->running_us / 1e6));
        return ERR_OK;
    }
    size_text(v->bytes, size);
    (void)printf("  %s: %s, %" PRIu64 " threads, %" PRIu64 " rows, %s, %" PRIu64
                 " rows/s, last sign of life %.1f s ago\n",
                 v->owner, loader_word(v), v->threads, v->rows, size, v->lives ? v->row_rate : 0,
                 (double)v->age_us / 1e6);
    return ERR_OK;
}

static void print_text(const struct load_status *s)
{
    (void)printf("%s of dump %s (job %" PRIu64 "): %s, %" PRIu64 " of %" PRIu64 " files, %" PRIu64
                 " rows, begun %s UTC%s%s%s\n",
                 s->purpose, s->dump_uuid, s->job, s->state, s->files_done, s->files, s->rows,
                 s->created_at, *s->renames ? ", renamed " : "", s->renames,
                 *s->stopped ? ", stopped for all" : "");
    if (*s->stopped)
        (void)printf("  stopped by %s: %s\n", s->stopped_by, s->stopped);
}

static void print_follow(const struct follow_view *v)
{
    (void)printf("  followed to %s:%" PRIu64 "%s%s: %s by %s, %" PRIu64 " transactions, %" PRIu64
                 " rows changed by this run, last sign of life %.1f s ago",
                 v->file, v->offset, *v->gtids ? ", GTID " : "", v->gtids, v->stage, v->owner,
                 v->transactions, v->rows, (double)v->age_us / 1e6);
    if (v->source_time)
        (void)printf("; the last transaction was committed on the source %" PRId64 " s ago",
                     v->behind_s);
    (void)puts("");
}

/* As text, or as a member of the load at hand. */
static enum err_code follow_say(const struct printing *p, json_t *load, struct err *err)
{
    struct follow_view v;
    bool found = false;
    const enum err_code rc = follow_view_read(p->conn, &p->state, &found, &v, err);

    if (!rc && found && load)
        (void)json_object_set_new(
            load, "follow",
            json_pack("{s:s,s:s,s:I,s:s,s:s,s:I,s:I,s:I,s:I,s:f}", "stage", v.stage, "file", v.file,
                      "offset", (json_int_t)v.offset, "gtid", v.gtids, "owner", v.owner,
                      "transactions", (json_int_t)v.transactions, "rows", (json_int_t)v.rows,
                      "source_time", (json_int_t)v.source_time, "behind_seconds",
                      (json_int_t)v.behind_s, "last_sign_seconds_ago", (double)v.age_us / 1e6));
    else if (!rc && found)
        print_follow(&v);
    follow_view_release(&v);
    return rc;
}

static enum err_code print_load(void *ctx, const struct load_status *s, struct err *err)
{
    struct printing *p = ctx;
    json_t *load;

    if (!p->loads) {
        print_text(s);
        if (follow_say(p, NULL, err))
            return err->code;
        return loaders_read(p->conn, &p->state, print_loader, p, err);
    }
    p->loaders = json_array();
    load = json_pack("{s:I,s:s,s:s,s:s,s:s,s:I,s:I,s:I,s:s,s:s,s:s,s:s,s:o}", "job",
                     (json_int_t)s->job, "dump", s->dump_uuid, "purpose", s->purpose, "renames",
                     s->renames, "state", s->state, "files", (json_int_t)s->files, "files_done",
                     (json_int_t)s->files_done, "rows", (json_int_t)s->rows, "begun", s->created_at,
                     "finished", s->finished_at, "stopped", s->stopped, "stopped_by", s->stopped_by,
                     "loaders", p->loaders);
    (void)json_array_append_new(p->loads, load);
    if (follow_say(p, load, err))
        return err->code;
    return loaders_read(p->conn, &p->state, print_loader, p, err);
}

enum err_code status_load_print(const struct server_opts *target, const char *schema, bool json,
                                struct err *err)
{
    struct printing p = {.loads = json ? json_array() : NULL};
    struct server_url url = {0};
    enum err_code rc;

    rc = server_opts_resolve(target, "target", &url, err);
    if (!rc)
        rc = conn_open(&url, CONN_TARGET, "status", &p.conn, err);
    if (!rc)
        rc = load_status_read(p.conn, schema, &p.state, print_load, &p, err);
    if (!rc && json) {
        json_t *all = json_pack("{s:O}", "loads", p.loads);
        char *text = json_dumps(all, JSON_COMPACT);

        (void)puts(text ? text : "{}");
        free(text);
        json_decref(all);
    }
    conn_close(p.conn);
    json_decref(p.loads);
    server_url_release(&url);
    return rc;
}
