#include "cli/status_load.h"

#include "common/base/mem.h"
#include "common/base/progress.h"
#include "common/target/follow_cutover.h"
#include "common/target/follow_live.h"
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

#define SILENT_S 15 /* a beat comes every 2 s */

struct follow_said { /* all that is known of a follower; owned */
    struct follow_view view;
    struct follow_live live;
    struct cutover_record cutover;
    bool has_live;
};

static void follow_said_release(struct follow_said *f)
{
    follow_view_release(&f->view);
    follow_live_release(&f->live);
    cutover_record_release(&f->cutover);
}

/* It should be saying something, and does not. */
static bool follow_silent(const struct follow_view *v)
{
    return !follow_view_at_rest(v) && v->age_us > SILENT_S * UINT64_C(1000000);
}

static void print_follow(const struct follow_said *f)
{
    const struct follow_view *v = &f->view;
    const struct follow_live *l = &f->live;
    const bool works = f->has_live && !follow_view_at_rest(v) && !follow_silent(v);
    char size[SIZE_TEXT_MAX];

    (void)printf("  followed to %s:%" PRIu64 "%s%s: %s by %s, %" PRIu64 " transactions, %" PRIu64
                 " rows changed by this run, last sign of life %.1f s ago",
                 v->file, v->offset, *v->gtids ? ", GTID " : "", v->gtids, v->stage, v->owner,
                 v->transactions, v->rows, (double)v->age_us / 1e6);
    if (v->source_time)
        (void)printf("; the last transaction was committed on the source %" PRId64 " s ago",
                     v->behind_s);
    (void)puts("");
    if (follow_silent(v))
        (void)printf("  no sign of life for %.0f s: the follower is dead, or does not reach the "
                     "target; say ferry follow again\n",
                     (double)v->age_us / 1e6);
    size_text(l->queued_bytes, size);
    if (works && l->lag_ms >= 0)
        (void)printf("  lag %.1f s by the source's clock, ", (double)l->lag_ms / 1000);
    if (works)
        (void)printf("%s%.0f transactions/s, %.0f rows/s, %" PRIu64 " waiting and %" PRIu64
                     " being written (%s), read to %s:%" PRIu64 "\n",
                     l->lag_ms >= 0 ? "" : "  ", l->txn_rate, l->row_rate, l->queued, l->busy, size,
                     l->read_file, l->read_pos);
    if (works && *l->kept_note)
        (void)printf("  %s\n", l->kept_note);
    if (f->cutover.mark == CUTOVER_SET)
        (void)puts("  a cut-over is going on, or was cut off: the source was made read-only");
    else if (f->cutover.mark != CUTOVER_NONE)
        (void)printf("  the cut-over was proven at %s:%" PRIu64 "\n", f->cutover.file,
                     f->cutover.offset);
}

static json_t *follow_json(const struct follow_said *f)
{
    static const char *const cutovers[] = {[CUTOVER_NONE] = "none",
                                           [CUTOVER_SET] = "read-only",
                                           [CUTOVER_PROVEN] = "proven",
                                           [CUTOVER_KEPT] = "proven"};
    const struct follow_view *v = &f->view;
    const struct follow_live *l = &f->live;
    json_t *o = json_pack("{s:s,s:s,s:I,s:s,s:s,s:I,s:I,s:I,s:f,s:b,s:s}", "stage", v->stage,
                          "file", v->file, "offset", (json_int_t)v->offset, "gtid", v->gtids,
                          "owner", v->owner, "transactions", (json_int_t)v->transactions, "rows",
                          (json_int_t)v->rows, "source_time", (json_int_t)v->source_time,
                          "last_sign_seconds_ago", (double)v->age_us / 1e6, "silent",
                          (int)follow_silent(v), "cutover", cutovers[f->cutover.mark]);

    (void)json_object_set_new(o, "behind_seconds", json_integer((json_int_t)v->behind_s));
    if (!f->has_live)
        return o;
    (void)json_object_set_new(o, "lag_seconds",
                              l->lag_ms < 0 ? json_null() : json_real((double)l->lag_ms / 1000));
    (void)json_object_set_new(o, "transactions_per_second", json_real(l->txn_rate));
    (void)json_object_set_new(o, "rows_per_second", json_real(l->row_rate));
    (void)json_object_set_new(o, "queue", json_integer((json_int_t)l->queued));
    (void)json_object_set_new(o, "queue_bytes", json_integer((json_int_t)l->queued_bytes));
    (void)json_object_set_new(o, "writing", json_integer((json_int_t)l->busy));
    (void)json_object_set_new(
        o, "read", json_pack("{s:s,s:I}", "file", l->read_file, "offset", (json_int_t)l->read_pos));
    (void)json_object_set_new(o, "binlog_kept_seconds",
                              l->kept_s < 0 ? json_null() : json_integer((json_int_t)l->kept_s));
    (void)json_object_set_new(o, "binlog_warning", json_string(l->kept_note));
    return o;
}

static enum err_code print_count(void *ctx, const struct follow_count *n, struct err *err)
{
    json_t *tables = ctx;

    (void)err;
    if (tables)
        (void)json_array_append_new(tables, json_pack("{s:s,s:s,s:I,s:I,s:I}", "db", n->db, "table",
                                                      n->name, "inserts", (json_int_t)n->inserts,
                                                      "updates", (json_int_t)n->updates, "deletes",
                                                      (json_int_t)n->deletes));
    else
        (void)printf("    %s.%s: %" PRIu64 " inserted, %" PRIu64 " updated, %" PRIu64 " deleted\n",
                     n->db, n->name, n->inserts, n->updates, n->deletes);
    return ERR_OK;
}

static enum err_code follow_read(const struct printing *p, bool *found, struct follow_said *f,
                                 struct err *err)
{
    if (follow_view_read(p->conn, &p->state, found, &f->view, err) || !*found)
        return err->code;
    if (follow_live_read(p->conn, &p->state, &f->has_live, &f->live, err))
        return err->code;
    return cutover_record_read(p->conn, &p->state, &f->cutover, err);
}

/* As text, or as a member of the load at hand. */
static enum err_code follow_say(const struct printing *p, json_t *load, struct err *err)
{
    struct follow_said f = {.has_live = false};
    json_t *tables = load ? json_array() : NULL;
    bool found = false;
    enum err_code rc = follow_read(p, &found, &f, err);

    if (!rc && found && !load)
        print_follow(&f);
    if (!rc && found)
        rc = follow_counts_read(p->conn, &p->state, print_count, tables, err);
    if (!rc && found && load) {
        json_t *o = follow_json(&f);

        (void)json_object_set(o, "tables", tables);
        (void)json_object_set_new(load, "follow", o);
    }
    json_decref(tables);
    follow_said_release(&f);
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
