/* Who shares a load. Joining is two steps, so that two who must not be together never both get in:
 * a row "joining" is written first, then the others are looked at. Who finds one that is in
 * already, or that is joining with a smaller number, goes; who finds one joining with a larger
 * number waits for it to decide. */
#include "common/target/loaders.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/store/lease_owner.h"
#include "common/target/target_inner.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define JOIN_LOOK_US ((uint64_t)200000)
#define JOIN_SAY_US ((uint64_t)10000000)

static const char *const loader_words[] = {"joining", "live", "left", "lost"};

/* ---- reading ---- */

struct reading {
    loader_view_fn *fn;
    void *ctx;
};

static bool process_gone(const char *process)
{
    struct lease_owner owner;

    lease_owner_read(process, strlen(process), &owner);
    return lease_owner_gone(&owner);
}

static enum err_code view_numbers(const struct row *row, struct loader_view *v, struct err *err)
{
    uint64_t stage = 0, alone = 0, lives = 0;

    if (state_cell_u64(row, 0, &v->loader, err) || state_cell_u64(row, 2, &stage, err) ||
        state_cell_u64(row, 3, &alone, err) || state_cell_u64(row, 4, &v->beats, err) ||
        state_cell_u64(row, 5, &v->age_us, err) || state_cell_u64(row, 6, &v->lease_us, err) ||
        state_cell_u64(row, 7, &v->running_us, err) || state_cell_u64(row, 8, &v->conn, err) ||
        state_cell_u64(row, 9, &v->threads, err) || state_cell_u64(row, 10, &v->rows, err) ||
        state_cell_u64(row, 11, &v->bytes, err) || state_cell_u64(row, 12, &v->row_rate, err) ||
        state_cell_u64(row, 13, &lives, err))
        return err->code;
    v->stage = stage <= LOADER_CLOSING ? (enum loader_stage)stage : LOADER_WAITING;
    v->alone = alone != 0;
    v->lives = lives != 0;
    return ERR_OK;
}

static enum err_code view_row(void *ctx, const struct row *row, struct err *err)
{
    const struct reading *reading = ctx;
    struct loader_view v = {.state = LOADER_LOST};
    char *texts[4]; /* owner, process, options, peer */
    enum err_code rc;

    if (view_numbers(row, &v, err))
        return err->code;
    for (unsigned i = 0; row->cell[1] && i <= LOADER_LOST; i++)
        if (row->len[1] == strlen(loader_words[i]) &&
            memcmp(row->cell[1], loader_words[i], row->len[1]) == 0)
            v.state = (enum loader_state)i;
    for (unsigned i = 0; i < 4; i++)
        texts[i] = xstrndup(row->cell[14 + i] ? row->cell[14 + i] : "", row->len[14 + i]);
    v.owner = texts[0];
    v.options = texts[2];
    v.peer = texts[3];
    v.gone = v.state <= LOADER_LIVE && process_gone(texts[1]);
    v.lives = v.lives && !v.gone;
    rc = reading->fn(reading->ctx, &v, err);
    for (unsigned i = 0; i < 4; i++)
        free(texts[i]);
    return rc;
}

enum err_code loaders_read(struct conn *c, const struct state *s, loader_view_fn *fn, void *ctx,
                           struct err *err)
{
    struct reading reading = {fn, ctx};
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "SELECT l.loader,l.state,l.stage,l.alone,l.beats,"
                        "GREATEST(TIMESTAMPDIFF(MICROSECOND,l.beat,UTC_TIMESTAMP(6)),0),l.lease_us,"
                        "GREATEST(TIMESTAMPDIFF(MICROSECOND,l.started_at,"
                        "IF(l.state IN ('joining','live'),UTC_TIMESTAMP(6),l.beat)),0),"
                        "l.conn,l.threads,l.rows_done,l.bytes_done,l.row_rate," LOADER_LIVES ","
                        "l.owner,l.process,l.options,l.peer FROM ");
    state_add_name(&sql, s, "loader");
    strbuf_addf(&sql, " l WHERE l.job=%" PRIu64 " ORDER BY l.started_at,l.loader", s->job);
    rc = conn_rows(c, &sql, view_row, &reading, err);
    strbuf_release(&sql);
    return rc;
}

/* ---- the own row ---- */

struct loader_row {
    uint64_t loader;
    const char *more; /* " AND ...", what else the row has to be; or "" */
};

/* "UPDATE loader SET <set> WHERE job=.. AND loader=<number><more>"; `set` is released. */
static enum err_code loader_update(struct conn *c, const struct state *s, struct loader_row row,
                                   struct strbuf *set, uint64_t *affected, struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "UPDATE ");
    state_add_name(&sql, s, "loader");
    strbuf_addf(&sql, " SET %s WHERE job=%" PRIu64 " AND loader=%" PRIu64 "%s", strbuf_str(set),
                s->job, row.loader, row.more);
    rc = conn_exec(c, sql.str, sql.len, affected, err);
    strbuf_release(&sql);
    strbuf_release(set);
    return rc;
}

static void beat_sql(struct strbuf *set, const struct loaders_beat *beat)
{
    strbuf_addf(set,
                "beats=beats+1,beat=UTC_TIMESTAMP(6),rows_done=%" PRIu64 ",bytes_done=%" PRIu64
                ",row_rate=%" PRIu64,
                beat->rows, beat->bytes, beat->row_rate);
}

enum err_code loaders_beat(struct conn *c, const struct state *s, const struct loaders_beat *beat,
                           bool *buried, struct err *err)
{
    struct strbuf set = {0};
    uint64_t affected = 0;

    beat_sql(&set, beat);
    if (loader_update(c, s, (struct loader_row){s->token, " AND state='live'"}, &set, &affected,
                      err))
        return err->code;
    *buried = affected != 1;
    return ERR_OK;
}

enum err_code loaders_stage(struct conn *c, const struct state *s, enum loader_stage stage,
                            bool alone, struct err *err)
{
    struct strbuf set = {0};

    strbuf_addf(&set, "beats=beats+1,stage=%d,alone=%d", (int)stage, alone ? 1 : 0);
    return loader_update(c, s, (struct loader_row){s->token, ""}, &set, NULL, err);
}

enum err_code loaders_leave(struct conn *c, const struct state *s, const struct loaders_beat *last,
                            struct err *err)
{
    struct strbuf set = {0};

    beat_sql(&set, last);
    strbuf_addstr(&set, ",state='left'");
    return loader_update(c, s, (struct loader_row){s->token, ""}, &set, NULL, err);
}

enum err_code loaders_forget(struct conn *c, const struct state *s, struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "DELETE FROM ");
    state_add_name(&sql, s, "loader");
    strbuf_addf(&sql, " WHERE job=%" PRIu64 " AND state IN ('left','lost')", s->job);
    rc = conn_exec(c, sql.str, sql.len, NULL, err);
    strbuf_release(&sql);
    return rc;
}

/* ---- joining ---- */

static enum err_code join_insert(struct conn *c, const struct state *s,
                                 const struct loaders_join *join, struct err *err)
{
    struct lease_owner owner;
    struct strbuf sql = {0}, process = {0};
    enum err_code rc;

    lease_owner_self(&owner, "load");
    if (lease_token_new(owner.token, err)) /* an owner without one would be an unknown one */
        return err->code;
    lease_owner_write(&owner, &process);
    strbuf_addstr(&sql, "INSERT INTO ");
    state_add_name(&sql, s, "loader");
    strbuf_addf(&sql,
                " (job,loader,state,stage,alone,beats,beat,lease_us,owner,process,options,conn,"
                "peer,threads,rows_done,bytes_done,row_rate,started_at) VALUES (%" PRIu64
                ",%" PRIu64 ",'joining',0,%d,0,UTC_TIMESTAMP(6),%" PRIu64 ",",
                s->job, s->token, join->alone ? 1 : 0, join->lease_us);
    strbuf_add_quotedz(&sql, s->owner);
    strbuf_addch(&sql, ',');
    strbuf_add_quoted(&sql, strbuf_str(&process), process.len);
    strbuf_addch(&sql, ',');
    strbuf_add_quotedz(&sql, join->options);
    strbuf_addf(&sql,
                ",0,'',%u,0,0,0,UTC_TIMESTAMP(6)) ON DUPLICATE KEY UPDATE "
                "state=IF(state='live','live','joining'),beats=beats+1,beat=UTC_TIMESTAMP(6)",
                join->threads);
    rc = conn_exec(c, sql.str, sql.len, NULL, err);
    strbuf_release(&process);
    strbuf_release(&sql);
    return rc;
}

static enum err_code bury(struct conn *c, const struct state *s, const struct loader_view *v,
                          struct err *err)
{
    struct strbuf set = {0};
    char more[64]; /* 20 digits and words */
    uint64_t affected = 0;

    (void)snprintf(more, sizeof more, " AND beats=%" PRIu64 " AND state IN ('joining','live')",
                   v->beats);
    strbuf_addstr(&set, "state='lost',beats=beats+1");
    if (loader_update(c, s, (struct loader_row){v->loader, more}, &set, &affected, err))
        return err->code;
    if (affected == 1)
        log_event(LOG_WARN, "load.loader-lost", F_STR("loader", v->owner),
                  F_U64("seconds_without_sign", v->age_us / 1000000),
                  F_STR("message", v->gone ? "the process has ended; its work is taken over"
                                           : "no sign of life; its work is taken over"));
    return ERR_OK;
}

struct crowd { /* the others, collected: no statement can be sent while rows are read */
    const struct state *s;
    const char *options;
    bool alone;
    struct loader_view *dead;
    char **owners;
    size_t dead_count;
    unsigned living, live;
    bool wait;        /* one that is joining decides first */
    char *in_the_way; /* heap; why this process cannot join */
};

static void crowd_release(struct crowd *w)
{
    for (size_t i = 0; i < w->dead_count; i++)
        free(w->owners[i]);
    free(w->owners);
    free(w->dead);
    free(w->in_the_way);
    *w = (struct crowd){.s = w->s, .options = w->options, .alone = w->alone};
}

static char *json_text(const json_t *value)
{
    char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

    return text ? text : xstrdup("not given");
}

/* The first option that differs, in words; NULL: all are the same. */
static char *options_differ(const char *theirs, const char *mine)
{
    json_t *a = json_loads(theirs, 0, NULL);
    json_t *b = json_loads(mine, 0, NULL);
    char *words = NULL;
    const char *key;
    json_t *value;

    json_object_foreach(b, key, value)
    {
        const json_t *other = json_object_get(a, key);

        if (!words && !json_equal(other, value)) {
            char *x = json_text(other);
            char *y = json_text(value);

            words = xasprintf("--%s is %s there and %s here", key, x, y);
            free(x);
            free(y);
        }
    }
    if (!words && json_object_size(a) != json_object_size(b))
        words = xstrdup("it was told other options");
    json_decref(a);
    json_decref(b);
    return words;
}

static char *crowd_against(const struct crowd *w, const struct loader_view *v)
{
    char *differs, *words;

    if (v->alone || w->alone)
        return xasprintf("%s is loading this dump, and %s", v->owner,
                         v->alone ? "must be alone: it follows an unfinished dump, or checks for "
                                    "conflicts"
                                  : "this one would have to be alone: it follows an unfinished "
                                    "dump, or checks for conflicts");
    differs = options_differ(v->options, w->options);
    if (!differs)
        return NULL;
    words = xasprintf("%s is loading this dump: %s", v->owner, differs);
    free(differs);
    return words;
}

static enum err_code crowd_row(void *ctx, const struct loader_view *v, struct err *err)
{
    struct crowd *w = ctx;
    char *against;

    (void)err;
    if (v->loader == w->s->token || v->state > LOADER_LIVE)
        return ERR_OK;
    if (!v->lives) {
        w->dead = xreallocarray(w->dead, w->dead_count + 1, sizeof *w->dead);
        w->owners = xreallocarray(w->owners, w->dead_count + 1, sizeof *w->owners);
        w->owners[w->dead_count] = xstrdup(v->owner);
        w->dead[w->dead_count] = *v;
        w->dead[w->dead_count].owner = w->owners[w->dead_count];
        w->dead_count++;
        return ERR_OK;
    }
    w->living++;
    w->live += v->state == LOADER_LIVE;
    against = w->options ? crowd_against(w, v) : NULL;
    if (against && v->state == LOADER_JOINING && v->loader > w->s->token)
        w->wait = true;
    else if (against && !w->in_the_way) {
        w->in_the_way = against;
        against = NULL;
    }
    free(against);
    return ERR_OK;
}

static enum err_code crowd_read(struct conn *c, struct crowd *w, struct err *err)
{
    enum err_code rc;

    crowd_release(w);
    rc = loaders_read(c, w->s, crowd_row, w, err);
    for (size_t i = 0; !rc && i < w->dead_count; i++)
        rc = bury(c, w->s, &w->dead[i], err);
    return rc;
}

enum err_code loaders_bury(struct conn *c, const struct state *s, unsigned *living, struct err *err)
{
    struct crowd w = {.s = s};
    enum err_code rc = crowd_read(c, &w, err);

    if (!rc)
        *living = w.living;
    crowd_release(&w);
    return rc;
}

/* A load that an error has stopped begins anew when all who had a part in it have ended. */
static enum err_code join_stopped(struct conn *c, const struct state *s, const struct crowd *w,
                                  bool *wait, struct err *err)
{
    struct strbuf sql = {0};
    struct job_look look;
    uint64_t affected = 0;
    enum err_code rc;

    rc = job_look(c, s, &look, err);
    if (rc || !look.stopped[0])
        return rc;
    *wait = true;
    if (w->live > 0)
        return ERR_OK;
    strbuf_addstr(&sql, "UPDATE ");
    state_add_name(&sql, s, "job");
    strbuf_addf(&sql,
                " SET stopped='',stopped_by='',seq=seq+1 WHERE job=%" PRIu64 " AND seq=%" PRIu64,
                s->job, look.seq);
    rc = conn_exec(c, sql.str, sql.len, &affected, err);
    strbuf_release(&sql);
    if (!rc && affected == 1)
        *wait = false;
    return rc;
}

static enum err_code join_enter(struct conn *c, const struct state *s, bool *entered,
                                struct err *err)
{
    struct strbuf set = {0};
    uint64_t affected = 0;

    strbuf_addstr(&set, "state='live',beats=beats+1,beat=UTC_TIMESTAMP(6)");
    if (loader_update(c, s, (struct loader_row){s->token, " AND state IN ('joining','live')"}, &set,
                      &affected, err))
        return err->code;
    *entered = affected == 1;
    return ERR_OK;
}

/* Nobody should wait for one that has not got in. */
static void join_give_up(struct conn *c, const struct state *s)
{
    const struct loaders_beat none = {0};
    struct err ignored = ERR_INIT;

    if (loaders_leave(c, s, &none, &ignored))
        log_event(LOG_DEBUG, "load.leave", F_STR("message", ignored.msg));
}

/* One look at the others. */
static enum err_code join_try(struct conn *c, struct crowd *w, bool *entered, struct err *err)
{
    bool wait = false;

    if (crowd_read(c, w, err))
        return err->code;
    if (w->in_the_way)
        return err_set(err, ERR_LOAD_OTHERS, "%s", w->in_the_way);
    if (join_stopped(c, w->s, w, &wait, err))
        return err->code;
    return wait || w->wait ? ERR_OK : join_enter(c, w->s, entered, err);
}

/* Waiting is said every JOIN_SAY_US. */
static void join_say(uint64_t *said_us)
{
    if (clock_mono_us() - *said_us < JOIN_SAY_US)
        return;
    *said_us = clock_mono_us();
    log_event(LOG_INFO, "load.join",
              F_STR("message", "waiting for the other loaders of this dump to end"));
}

enum err_code loaders_join(struct conn *c, const struct state *s, const struct loaders_join *join,
                           unsigned *others, struct err *err)
{
    struct crowd w = {.s = s, .options = join->options, .alone = join->alone};
    uint64_t said_us = clock_mono_us();
    bool entered = false;
    enum err_code rc = ERR_OK;

    while (!rc && !entered) {
        /* The row is renewed, or made again if it was buried meanwhile. */
        rc = join_insert(c, s, join, err);
        if (!rc)
            rc = join_try(c, &w, &entered, err);
        if (rc || entered)
            break;
        join_say(&said_us);
        if (!clock_sleep(JOIN_LOOK_US, join->cancel))
            rc = err_set(err, ERR_INTERRUPTED, "interrupted");
    }
    if (!rc)
        *others = w.living;
    else if (!err_info(rc)->retryable)
        join_give_up(c, s);
    crowd_release(&w);
    return rc;
}
