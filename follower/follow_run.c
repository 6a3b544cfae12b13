/* follow_run: from the source's events to the applier.
 *
 * Who starts whom: the caller's thread reads events, decides what is wanted, and gives each
 * transaction to the applier, whose threads write (applier.h). It has a connection to the target of
 * its own, for the state, for definitions, and for a lock that keeps a second follower out; and one
 * to the source beside the stream. A thread "stop" waits for the user's cancel: the loop ends at
 * once at a transaction's end; what the applier has begun it may end, for some seconds.
 *
 * How far it is, is the applier's to know: it records in the target's transactions what is in them.
 * Everything here may be read and done again from that point.
 *
 * Windows: a table's chunks may be of several epochs of the dump. Before the first one's position
 * its changes are in the rows already; up to the last one's they may be, and are applied in a form
 * that may meet them twice; behind it exactly. All of that is a matter of where a transaction
 * begins, so nothing of it is kept. */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "follower/ddl_policy.h"
#include "follower/follow_inner.h"
#include "follower/versioned.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#define CUT_BEAT_MS 250
#define HAND_US ((uint64_t)1000000)
#define APPLY_GRACE_US ((uint64_t)8000000)

/* ---- stopping ---- */

struct stopper {
    const struct cancel *asked;
    struct cancel *apply;
    struct conn_group *group;
    struct cancel quit;
    pthread_t thread;
};

static void *stopper_main(void *arg)
{
    struct stopper *s = arg;

    log_thread_name("stop");
    while (!cancel_asked(s->asked))
        if (!clock_sleep(100000, &s->quit))
            return NULL;
    if (clock_sleep(APPLY_GRACE_US, &s->quit)) {
        cancel_ask(s->apply);
        conn_group_abort(s->group); /* a server that does not answer, or is at a long statement */
    }
    return NULL;
}

static enum err_code stopper_start(struct stopper *s, struct err *err)
{
    const int failed = pthread_create(&s->thread, NULL, stopper_main, s);

    return failed ? err_set_errno(err, ERR_FAILED, failed, "starting a thread") : ERR_OK;
}

static void stopper_stop(struct stopper *s)
{
    cancel_ask(&s->quit);
    pthread_join(s->thread, NULL);
}

/* ---- where it is ---- */

static bool place_reached(const char *file, uint64_t offset, const char *at_file,
                          uint64_t at_offset)
{
    const int order = log_file_order(at_file, file);

    return order > 0 || (order == 0 && at_offset >= offset);
}

/* Behind the last window. */
static bool exact_reached(const struct follow_run *run, const struct binlog_position *at)
{
    const struct place *last = run->epoch_count ? &run->epochs[run->epoch_count - 1].to : NULL;

    if (!last)
        return true;
    if (run->by_gtid)
        return at->gtids && last->gtids && gtid_set_covers(at->gtids, last->gtids);
    return at->file && place_reached(last->file, last->offset, at->file, at->offset);
}

/* Whether the reader, between two transactions, is where the run is to end. */
static bool until_reached(const struct follow_run *run)
{
    const struct follow_until *u = &run->config->until;
    const struct binlog_position at = binlog_reader_position(run->reader);

    if (u->kind == FOLLOW_POSITION)
        return at.file && place_reached(u->file, u->offset, at.file, at.offset);
    if (u->kind == FOLLOW_EXACT)
        return exact_reached(run, &at);
    if (u->kind == FOLLOW_GTIDS)
        return at.gtids && gtid_set_covers(at.gtids, run->until_gtids);
    return false;
}

/* Whether the transaction that begins is not wanted any more. */
static bool until_passed(const struct follow_run *run, const struct binlog_item *item)
{
    const struct follow_until *u = &run->config->until;

    if (u->kind == FOLLOW_POSITION)
        return place_reached(u->file, u->offset, item->file, item->start);
    return u->kind == FOLLOW_TIME && (int64_t)item->timestamp > u->time;
}

void follow_going(struct follow_run *run)
{
    const uint64_t now = clock_mono_us();

    if (now - run->hand_us < HAND_US)
        return;
    run->hand_us = now;
    watch_hand_over(run);
}

/* ---- items ---- */

/* Where the transaction that begins lies, seen from each epoch. */
static void windows_look(struct follow_run *run, const struct binlog_item *item)
{
    bool changed = false;
    bool past = true;

    for (unsigned i = 0; !run->windows_past && i < run->epoch_count; i++) {
        struct epoch_window *w = &run->epochs[i];
        const bool open =
            !place_covers(&w->from, run->by_gtid, item->file, item->start, item->gtid);

        changed = changed || open != w->open;
        w->open = open;
        w->exact = !place_covers(&w->to, run->by_gtid, item->file, item->start, item->gtid);
        past = past && w->open && w->exact;
    }
    /* By GTID an old transaction may still come behind a new one. */
    run->windows_past = past && !run->by_gtid;
    if (changed)
        binlog_reader_forget(run->reader);
}

static enum err_code item_begin(struct follow_run *run, const struct binlog_item *item,
                                struct err *err)
{
    const struct applier_txn txn = {
        .file = item->file, .start = item->start, .gtid = item->gtid, .timestamp = item->timestamp};

    if (until_passed(run, item)) {
        run->ended = true;
        return ERR_OK;
    }
    if (strcmp(run->txn_file ? run->txn_file : "", item->file) != 0) {
        if (log_same(run, item->file, binlog_reader_created(run->reader), err))
            return err->code;
        free(run->txn_file);
        run->txn_file = xstrdup(item->file);
    }
    run->txn_start = item->start;
    atomic_store(&run->watch.open_s, item->timestamp);
    windows_look(run, item);
    run->txn_open = true;
    run->txn_rows = false;
    return applier_begin(run->applier, &txn, &run->txn_applied, err);
}

static enum applier_mode table_mode(const struct follow_run *run, const struct follow_table *t)
{
    if (run->windows_past || t->to == 0 || t->to > run->epoch_count)
        return APPLY_EXACT;
    return run->epochs[t->to - 1].exact ? APPLY_EXACT : APPLY_IDEMPOTENT;
}

static void count_row(struct follow_table *t, const struct row_change *change)
{
    if (change->before.count == 0)
        t->inserts++;
    else if (change->after.count == 0)
        t->deletes++;
    else
        t->updates++;
}

static enum err_code item_row(struct follow_run *run, const struct binlog_item *item,
                              struct err *err)
{
    /* It is a definition that tables_definition gave. */
    const struct definition *d = (const struct definition *)(const void *)item->table->def;
    struct follow_table *t = d->owner;
    const struct row_change *change = item->change;
    struct row_change present;
    bool any = true;

    run->txn_rows = true;
    if (run->txn_applied)
        return ERR_OK;
    if (d->versioned) {
        if (versioned_change(&d->model, change, &present, &any, err))
            return err_wrap(err, "%s:%" PRIu64, item->file, item->start);
        change = &present;
    }
    run->txn_bytes += rate_bytes(item->change);
    if (!any) /* of the history */
        return ERR_OK;
    count_row(t, change);
    if (tables_register(run, t, err))
        return err->code;
    if (applier_change(run->applier, t->id, table_mode(run, t), change, err))
        return err_wrap(err, "%s.%s at %s:%" PRIu64, t->db, t->name, item->file, item->start);
    return ERR_OK;
}

/* How long ago, by the source's clock, what was just read was committed there. */
static int64_t behind_s(const struct follow_run *run, const struct binlog_item *item)
{
    const int64_t now_us = (int64_t)clock_mono_us() + atomic_load(&run->source_offset_us);

    return now_us / 1000000 - (int64_t)item->timestamp;
}

static enum err_code item_commit(struct follow_run *run, const struct binlog_item *item,
                                 struct err *err)
{
    run->txn_open = false;
    if (applier_commit(run->applier, item->file, item->end, err))
        return err->code;
    if (run->ddl_pending && applier_drain(run->applier, err))
        return err->code;
    run->ddl_pending = false;
    run->ended = until_reached(run);
    atomic_store(&run->watch.read_s, item->timestamp);
    atomic_store(&run->watch.open_s, 0);
    follow_going(run);
    if (rate_keep(run, err))
        return err->code;
    return run->config->cutover ? cutover_step(run, false, behind_s(run, item), err) : ERR_OK;
}

static enum err_code item_take(struct follow_run *run, const struct binlog_item *item,
                               struct err *err)
{
    switch (item->kind) {
    case BINLOG_BEGIN:
        return item_begin(run, item, err);
    case BINLOG_ROW:
        return item_row(run, item, err);
    case BINLOG_STATEMENT:
        return ddl_statement(run, item, err);
    case BINLOG_COMMIT:
        return item_commit(run, item, err);
    case BINLOG_RESTART:
        if (run->txn_open)
            applier_rollback(run->applier);
        run->txn_open = false;
        atomic_store(&run->watch.open_s, 0);
        break;
    case BINLOG_IDLE:
        run->ended = until_reached(run);
        if (item->at_end)
            atomic_store(&run->watch.end_us, clock_mono_us());
        follow_going(run);
        if (applier_look(run->applier, err)) /* a source at rest gives nothing that would say it */
            return err->code;
        return run->config->cutover && !run->txn_open
                   ? cutover_step(run, item->at_end, INT64_MAX, err)
                   : ERR_OK;
    case BINLOG_END:
        run->ended = true;
        break;
    }
    return ERR_OK;
}

static enum err_code follow_loop(struct follow_run *run, struct err *err)
{
    struct binlog_item item;

    run->ended = run->ended || until_reached(run);
    run->report->nothing_to_do = run->ended;
    while (!run->ended) {
        if (binlog_reader_next(run->reader, &item, err)) {
            log_explain(run, err);
            return err->code;
        }
        if (item_take(run, &item, err))
            return err->code;
    }
    return ERR_OK;
}

/* ---- begin and end ---- */

static enum err_code open_stream(struct follow_run *run, const struct applier_position *at,
                                 const struct gtid_set *gtids, struct binlog_source **source,
                                 struct err *err)
{
    const struct follow_config *config = run->config;
    const struct binlog_stream_config stream = {.url = config->source,
                                                .server_id = config->server_id,
                                                .heartbeat_ms = config->cutover ? CUT_BEAT_MS : 0,
                                                .until_end =
                                                    config->until.kind == FOLLOW_CAUGHT_UP};
    const struct binlog_start start = run->by_gtid || !*at->file
                                          ? (struct binlog_start){.gtids = gtids}
                                          : (struct binlog_start){at->file, at->offset, NULL};

    run->maps = charset_maps_new(run->source_conn);
    return binlog_stream_open(&stream, &start, source, err);
}

/* The binlog in the dump, with the maps of character sets that lie there too. */
static enum err_code open_segments(struct follow_run *run, const struct place *at,
                                   struct binlog_source **source, struct err *err)
{
    const struct binlog_start start = {.file = at->file, .offset = at->offset};
    enum err_code rc = segments_check(run->dump, err);

    if (!rc)
        rc = segments_charset_maps(run->dump, &run->maps, err);
    return rc ? rc : segments_open(run->dump, &start, source, err);
}

static enum err_code open_reader(struct follow_run *run, const struct applier_position *at,
                                 struct err *err)
{
    struct binlog_reader_config config = {.find = tables_definition,
                                          .find_ctx = run,
                                          .cancel = run->cancel,
                                          .reconnect_us = run->config->reconnect_us};
    struct place place = {0};
    enum err_code rc;

    rc = place_set(&place, *at->file ? at->file : NULL, at->offset, run->kind, at->gtids, err);
    if (!rc && !place.file && !place.gtids)
        place.gtids = gtid_set_new(run->kind);
    if (!rc && run->config->source)
        rc = open_stream(run, at, place.gtids, &config.source, err);
    else if (!rc)
        rc = open_segments(run, &place, &config.source, err);
    if (!rc) {
        config.maps = run->maps;
        config.start = run->by_gtid || !place.file
                           ? (struct binlog_start){.gtids = place.gtids}
                           : (struct binlog_start){place.file, place.offset, place.gtids};
        rc = binlog_reader_new(&config, &run->reader, err);
    }
    place_release(&place);
    return rc;
}

static enum err_code open_until(struct follow_run *run, struct err *err)
{
    const struct follow_until *u = &run->config->until;

    if (u->kind != FOLLOW_GTIDS)
        return ERR_OK;
    run->until_gtids = gtid_set_new(run->kind);
    if (gtid_set_parse(run->until_gtids, u->gtids, err))
        return err_wrap(err, "--until '%s'", u->gtids);
    return ERR_OK;
}

static enum err_code open_applier(struct follow_run *run, struct applier_position *at,
                                  struct err *err)
{
    const struct applier_config config = {.target = run->config->target,
                                          .state = &run->state,
                                          .threads = run->config->threads,
                                          .in_order = run->config->in_order,
                                          .retry_us = run->config->reconnect_us,
                                          .on_drift = drift_policy(run->config->on_drift),
                                          .check_before_image = run->config->check_before_image,
                                          .max_drift = run->config->max_drift,
                                          .cancel = run->apply_cancel};
    const struct applier_position from = {.file = run->origin.file ? run->origin.file : "",
                                          .offset = run->origin.offset,
                                          .gtids = run->origin.gtids,
                                          .kind = run->kind};

    run->applier = applier_new(&config);
    return applier_start(run->applier, &from, at, err);
}

static enum err_code measure_clock(struct follow_run *run, struct err *err)
{
    int64_t offset_us = 0;
    enum err_code rc = ERR_OK;

    if (run->source_conn)
        rc = source_clock(run->source_conn, &offset_us, err);
    atomic_store(&run->source_offset_us, offset_us);
    return rc;
}

static void follow_release(struct follow_run *run)
{
    binlog_reader_free(run->reader);
    applier_free(run->applier);
    charset_maps_free(run->maps);
    tables_free(run);
    ddl_policy_free(run->ddl);
    for (size_t i = 0; i < run->filter_count; i++)
        filter_free(run->filters[i]);
    free(run->filters);
    for (unsigned i = 0; i < run->epoch_count; i++) {
        place_release(&run->epochs[i].from);
        place_release(&run->epochs[i].to);
    }
    free(run->epochs);
    gtid_set_free(run->until_gtids);
    cutover_release(&run->cut);
    free(run->txn_file);
    route_free(run->route);
    follow_origin_release(&run->origin);
    dump_free(run->dump);
    conn_close(run->source_conn);
    conn_close(run->conn);
}

static enum err_code follow_open_once(struct follow_run *run, struct err *err)
{
    const struct follow_config *config = run->config;
    struct applier_position at;

    if (ddl_policy_new(config->ddl, config->ddl_count, &run->ddl, err))
        return err->code;
    if (config->source && conn_open(config->source, CONN_SOURCE, "follow", &run->source_conn, err))
        return err->code;
    if (start_state(run, err) || open_until(run, err) || open_applier(run, &at, err))
        return err->code;
    log_event(LOG_INFO, "follow.start", F_STR("file", at.file), F_U64("offset", at.offset),
              F_STR("gtids", at.gtids), F_U64("tables", run->table_count));
    if (start_source(run, &at, err) || measure_clock(run, err) || cutover_start(run, err))
        return err->code;
    return open_reader(run, &at, err);
}

/* Servers that were reached once, and went away, are waited for. */
static enum err_code follow_open(struct follow_run *run, struct err *err)
{
    const uint64_t begun = clock_mono_us();
    const struct follow_run fresh = *run;
    struct backoff backoff = {0};
    bool reached = false;

    while (follow_open_once(run, err)) {
        const bool another = err->code == ERR_FOLLOW_FENCED && !reached;

        reached = reached || run->conn;
        if (another || !reached || !again_wait(run, begun, &backoff, "both", err))
            return err->code;
        follow_release(run);
        *run = fresh;
    }
    return ERR_OK;
}

static void report_fill(struct follow_run *run)
{
    struct follow_report *r = run->report;
    struct applier_position at;
    struct applier_counts counts;

    if (!run->applier || !run->reader)
        return;
    applier_position(run->applier, &at);
    applier_counts(run->applier, &counts);
    r->file = xstrdup(at.file);
    r->offset = at.offset;
    r->gtids = xstrdup(at.gtids);
    r->transactions = counts.transactions;
    r->changes = counts.changes;
    r->drift_logged = counts.drift_logged;
    r->drift_repaired = counts.drift_repaired;
    r->drift_removed = counts.drift_removed;
}

void follow_report_release(struct follow_report *r)
{
    free(r->file);
    free(r->gtids);
    free(r->cutover);
    *r = (struct follow_report){0};
}

static enum err_code follow_steps(struct follow_run *run, struct err *err)
{
    struct err late = ERR_INIT;
    struct err ignored = ERR_INIT;
    bool drained;
    enum err_code rc = follow_open(run, err);

    if (rc)
        return rc;
    watch_beat(run, run->conn, FOLLOW_GOING, &ignored);
    rc = watch_start(run, err);
    if (rc)
        return rc;
    rc = follow_loop(run, err);
    if (rc && err_info(rc)->retryable && cancel_asked(run->cancel)) {
        err_clear(err); /* the connection was ended from here */
        rc = err_set(err, ERR_INTERRUPTED, "stopped");
    }
    if (run->txn_open)
        applier_rollback(run->applier);
    run->txn_open = false;
    cutover_end(run);
    /* What came before the fault is applied, unless the applier has it. */
    drained = applier_drain(run->applier, rc ? &late : err) == ERR_OK;
    if (!drained && !rc)
        rc = err->code;
    if (drift_render(run, rc ? &late : err) && !rc)
        rc = err->code;
    watch_stop(run, !drained                ? FOLLOW_BROKEN
                    : !rc                   ? "ended"
                    : rc == ERR_INTERRUPTED ? "interrupted"
                                            : "stopped by an error");
    return rc;
}

enum err_code follow_run(const struct follow_config *config, struct progress *progress,
                         const struct cancel *cancel, struct follow_report *report, struct err *err)
{
    struct cancel apply_cancel = {0};
    struct follow_run run = {.progress = progress,
                             .cancel = cancel,
                             .report = report,
                             .apply_cancel = &apply_cancel,
                             .rate = rate_new(config->rate_bytes)};
    struct follow_config own = *config;
    struct server_url source = config->source ? *config->source : (struct server_url){0};
    struct server_url target = *config->target;
    struct conn_group group;
    struct stopper stopper = {.asked = cancel, .apply = &apply_cancel, .group = &group};
    const uint64_t start_us = clock_mono_us();
    enum err_code rc;

    *report = (struct follow_report){0};
    conn_group_init(&group);
    source.group = target.group = &group;
    own.source = config->source ? &source : NULL;
    own.target = &target;
    run.config = &own;
    run.given_source = config->source;
    rc = stopper_start(&stopper, err);
    if (!rc) {
        rc = follow_steps(&run, err);
        report_fill(&run);
        report->total_us = clock_mono_us() - start_us;
        stopper_stop(&stopper);
    }
    follow_release(&run);
    rate_free(run.rate);
    conn_group_release(&group);
    return rc;
}
