/* Who does what: the loop's thread packs the changes of the open transaction. At its commit they
 * are added to the open unit, and the schedule tells which earlier units have a key of theirs: the
 * open one waits for these. A unit is closed when it is large enough, or by a worker that has
 * nothing to do once the unit has been open for a moment. Workers take closed units that wait for
 * none, each over a connection of its own. When the units at the front are done the point moves
 * behind them; one of the workers writes it down from time to time.
 *
 * A transaction that was spilled is a unit of its own, before and behind which all others are done.
 *
 * It ends with applier_free, or with the first error: the workers finish what they are at. */
#include "follower/applier.h"

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "follower/apply_inner.h"
#include "follower/place.h"

#include <errno.h>
#include <stdlib.h>

#define THREADS 16
#define BATCH_ROWS 2000
#define BATCH_BYTES ((size_t)1 << 20)
#define BATCH_TRANSACTIONS 2000
#define MEMORY_BYTES ((size_t)24 << 20)
#define SPILL_BYTES ((size_t)8 << 20)
#define SPILL_PIECE ((size_t)256 << 10)
#define ATOMIC_BYTES_TIDB ((uint64_t)64 << 20)
#define ATOMIC_BYTES ((uint64_t)4 << 30)
#define KEPT_BYTES ((size_t)2 << 20)
#define RETRY_US UINT64_C(600000000)
#define PACKET_BYTES ((size_t)512 << 10)
#define TIDB_LOAD_JOINS 70600 /* before, LOAD DATA commits by itself */
#define LINGER_US 10000       /* how long an open unit waits for more */
#define RECORD_US 500000      /* between two records of the point */
#define LOOK_US 100000        /* between two looks at a request to stop */
#define UNITS_A_THREAD 4      /* that wait */
#define TABLES_MAX (1 << 20)  /* definitions, those before a DDL too */
#define GTIDS_A_UNIT 4096     /* transactions without changes are in units too */

/* ---- waiting ---- */

static void cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;

    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(cond, &attr);
    (void)pthread_condattr_destroy(&attr);
}

static void cond_wait_us(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t us)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(us / 1000000);
    until.tv_nsec += (long)(us % 1000000) * 1000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    (void)pthread_cond_timedwait(cond, lock, &until);
}

/* Under the lock: whether the loop may go on. */
static enum err_code applier_sound(struct applier *a, struct err *err)
{
    if (a->failed) {
        *err = a->error;
        return err->code;
    }
    if (a->config.cancel && cancel_asked(a->config.cancel))
        return err_set(err, ERR_INTERRUPTED, "stopped");
    return ERR_OK;
}

/* ---- life ---- */

struct applier *applier_new(const struct applier_config *config)
{
    struct applier *a = xcalloc(1, sizeof *a);

    a->config = *config;
    a->state = *config->state;
    a->config.threads = config->threads ? config->threads : THREADS;
    a->config.batch_rows = config->batch_rows ? config->batch_rows : BATCH_ROWS;
    a->config.batch_bytes = config->batch_bytes ? config->batch_bytes : BATCH_BYTES;
    a->config.memory_bytes = config->memory_bytes ? config->memory_bytes : MEMORY_BYTES;
    a->config.spill_bytes = config->spill_bytes ? config->spill_bytes : SPILL_BYTES;
    a->config.retry_us = config->retry_us ? config->retry_us : RETRY_US;
    a->packet_bytes = PACKET_BYTES;
    a->schedule = schedule_new();
    a->tables = xcalloc(TABLES_MAX, sizeof *a->tables); /* pages that are not used take no memory */
    a->txn.max = SIZE_MAX / 2;
    (void)pthread_mutex_init(&a->lock, NULL);
    cond_init(&a->work);
    cond_init(&a->moved);
    return a;
}

static void workers_free(struct applier *a)
{
    for (unsigned i = 0; a->workers && i < a->config.threads; i++) {
        struct apply_worker *w = &a->workers[i];

        apply_disconnect(w);
        writer_release(&w->writer);
        merge_release(&w->merge);
        strbuf_release(&w->starts);
        strbuf_release(&w->gtids);
        strbuf_release(&w->block);
    }
    free(a->workers);
}

static void marks_release(struct apply_marks *m)
{
    for (size_t i = 0; i < m->count; i++)
        free(m->mark[i].file);
    free(m->mark);
    gtid_set_free(m->gtids);
    *m = (struct apply_marks){0};
}

void applier_free(struct applier *a)
{
    struct err ignored = ERR_INIT;

    if (!a)
        return;
    cancel_ask(&a->stop);
    pthread_mutex_lock(&a->lock);
    pthread_cond_broadcast(&a->work);
    pthread_mutex_unlock(&a->lock);
    if (pool_join(a->pool, &ignored))
        log_event(LOG_DEBUG, "follow.end", F_STR("message", ignored.msg));
    workers_free(a);
    for (size_t i = 0; i < a->unit_count; i++)
        unit_free(a->units[i]);
    free(a->units);
    for (unsigned i = 0; i < a->table_count; i++)
        apply_table_free(a->tables[i]);
    free(a->tables);
    for (size_t i = 0; i < a->file_count; i++)
        free(a->files[i]);
    free(a->files);
    marks_release(&a->marks);
    apply_foreigns_release(&a->foreigns);
    free(a->part.file);
    free(a->point.gtids);
    free(a->shown.gtids);
    gtid_set_free(a->gtids);
    schedule_free(a->schedule);
    spill_free(a->spill);
    strbuf_release(&a->txn);
    apply_keys_release(&a->keys);
    (void)pthread_cond_destroy(&a->work);
    (void)pthread_cond_destroy(&a->moved);
    (void)pthread_mutex_destroy(&a->lock);
    free(a);
}

/* The name once; it stays until the end. */
static const char *file_name(struct applier *a, const char *file)
{
    for (size_t i = a->file_count; i > 0; i--)
        if (strcmp(a->files[i - 1], file) == 0)
            return a->files[i - 1];
    a->files = xreallocarray(a->files, a->file_count + 1, sizeof *a->files);
    a->files[a->file_count] = xstrdup(file);
    return a->files[a->file_count++];
}

/* ---- workers ---- */

struct job { /* what a worker is to do next: one of the two; none: to end */
    struct apply_unit *unit;
    bool record;
    struct applied_point point;
    uint64_t moves, from, below;
};

/* Under the lock. */
static bool record_due(const struct applier *a, uint64_t now)
{
    return !a->recording && a->recorded != a->point_moves &&
           (a->record_now || now - a->recorded_us >= RECORD_US);
}

static void record_take(struct applier *a, struct job *job)
{
    struct strbuf gtids = {0};

    a->recording = true;
    if (a->gtids)
        gtid_set_text(a->gtids, &gtids);
    job->record = true;
    job->point = a->point;
    job->point.gtids = strbuf_detach(&gtids);
    job->moves = a->point_moves;
    job->below = a->first;
    job->from = a->pruned;
    if ((a->old_marks > 0 || a->old_marks_unit >= a->first) && job->from < a->first_unit)
        job->from = a->first_unit;
}

static void record_done(struct applier *a, struct job *job)
{
    pthread_mutex_lock(&a->lock);
    a->recording = false;
    a->recorded = job->moves;
    a->recorded_us = clock_mono_us();
    if (job->from == a->pruned)
        a->pruned = job->below;
    pthread_cond_broadcast(&a->moved);
    pthread_cond_signal(&a->work);
    pthread_mutex_unlock(&a->lock);
}

/* The open unit has been open for long enough, or nobody has anything to do. */
static bool unit_lingered(const struct applier *a, uint64_t now)
{
    const struct apply_unit *u = a->unit_count > 0 ? a->units[a->unit_count - 1] : NULL;

    return u && u->state == UNIT_OPEN && u->waits == 0 &&
           (u->change_count == 0 || a->running == 0 || now - u->opened_us >= LINGER_US);
}

static uint64_t worker_patience(const struct applier *a)
{
    const struct apply_unit *u = a->unit_count > 0 ? a->units[a->unit_count - 1] : NULL;

    return u && u->state == UNIT_OPEN && u->waits == 0 ? LINGER_US : LOOK_US;
}

static void worker_next(struct applier *a, struct job *job)
{
    *job = (struct job){0};
    pthread_mutex_lock(&a->lock);
    while (!cancel_asked(&a->stop) && !(a->config.cancel && cancel_asked(a->config.cancel))) {
        const uint64_t now = clock_mono_us();

        if (record_due(a, now)) {
            record_take(a, job);
            break;
        }
        job->unit = units_ready(a);
        if (job->unit) {
            job->unit->state = UNIT_RUNNING;
            a->running++;
            break;
        }
        if (unit_lingered(a, now))
            units_close(a);
        else
            cond_wait_us(&a->work, &a->lock, worker_patience(a));
    }
    pthread_mutex_unlock(&a->lock);
}

static void applier_fail(struct applier *a, const struct err *err)
{
    pthread_mutex_lock(&a->lock);
    if (!a->failed && !cancel_asked(&a->stop)) {
        a->failed = true;
        a->error = *err;
    }
    cancel_ask(&a->stop);
    pthread_cond_broadcast(&a->work);
    pthread_cond_broadcast(&a->moved);
    pthread_mutex_unlock(&a->lock);
}

static enum err_code worker_unit(struct apply_worker *w, struct apply_unit *u, struct err *err)
{
    struct applier *a = w->a;
    enum err_code rc;

    fault_point("follow.unit");
    rc = unit_write(w, u, err);
    pthread_mutex_lock(&a->lock);
    a->running--;
    if (!rc) {
        a->counts.written++;
        a->counts.cut += u->spill && w->cut;
        units_done(a, u);
    }
    pthread_mutex_unlock(&a->lock);
    return rc;
}

static enum err_code worker_work(void *ctx, unsigned number, struct err *err)
{
    struct applier *a = ctx;
    struct apply_worker *w = &a->workers[number];
    enum err_code rc = ERR_OK;
    struct job job;

    conn_thread_init();
    for (worker_next(a, &job); !rc && (job.unit || job.record); worker_next(a, &job)) {
        if (job.unit) {
            rc = worker_unit(w, job.unit, err);
        } else {
            rc = point_write(w, &job.point, job.from, job.below, err);
            free(job.point.gtids);
            if (!rc)
                record_done(a, &job);
        }
        if (rc)
            break;
    }
    apply_disconnect(w);
    if (rc)
        applier_fail(a, err);
    conn_thread_end();
    return ERR_OK; /* the applier keeps the error */
}

/* ---- the loop: start ---- */

static int mark_order(const void *x, const void *y)
{
    const struct apply_mark *a = x;
    const struct apply_mark *b = y;
    const int order = strcmp(a->file, b->file);

    return order ? order : a->start < b->start ? -1 : a->start > b->start;
}

static void mark_add(struct apply_marks *m, const char *file, size_t len, uint64_t start)
{
    if (m->count == m->cap) {
        m->cap = m->cap ? 2 * m->cap : 64;
        m->mark = xreallocarray(m->mark, m->cap, sizeof *m->mark);
    }
    m->mark[m->count++] = (struct apply_mark){xstrndup(file, len), start};
}

/* "bin.000001:4,1000;bin.000002:4" */
static enum err_code marks_parse(struct apply_marks *m, const char *text, struct err *err)
{
    while (*text) {
        const char *end = text + strcspn(text, ";");
        const char *colon = end;
        char *at;

        while (colon > text && *colon != ':')
            colon--;
        if (colon == text)
            return err_set(err, ERR_LOAD_STATE, "a mark of applied transactions is not whole");
        at = (char *)(uintptr_t)colon;
        do
            mark_add(m, text, (size_t)(colon - text), strtoull(at + 1, &at, 10));
        while (*at == ',');
        if (at != end)
            return err_set(err, ERR_LOAD_STATE, "a mark of applied transactions is not whole");
        text = end + (*end == ';');
    }
    return ERR_OK;
}

static enum err_code mark_found(void *ctx, uint64_t unit, const char *starts, const char *gtids,
                                struct err *err)
{
    struct applier *a = ctx;

    if (unit >= a->first_unit)
        a->first_unit = unit + 1;
    if (marks_parse(&a->marks, starts, err))
        return err->code;
    if (!*gtids)
        return ERR_OK;
    if (!a->marks.gtids)
        a->marks.gtids = gtid_set_new(GTID_MYSQL);
    return gtid_set_parse(a->marks.gtids, gtids, err);
}

static bool marks_have(const struct apply_marks *m, const struct applier_txn *txn)
{
    const struct apply_mark key = {(char *)(uintptr_t)txn->file, txn->start};

    if (txn->gtid && txn->gtid->kind == GTID_MYSQL && m->gtids)
        return gtid_set_contains(m->gtids, txn->gtid);
    return m->count > 0 && bsearch(&key, m->mark, m->count, sizeof key, mark_order) != NULL;
}

/* Marks are of several transactions, and go when all of these are before the point. */
static bool mark_to_come(const struct applied_point *p, const struct apply_mark *m)
{
    const int order = *p->file ? log_file_order(m->file, p->file) : 1;

    return order > 0 || (order == 0 && m->start >= p->offset);
}

/* What the target is, and how far the job is there. */
static enum err_code target_look(struct applier *a, struct conn *c, struct err *err)
{
    char *packet = NULL, *format = NULL;
    enum err_code rc;

    a->tidb = conn_flavour(c)->vendor == VENDOR_TIDB;
    a->load = flavour_at_least(conn_flavour(c), VENDOR_TIDB, TIDB_LOAD_JOINS);
    if (!a->config.atomic_bytes)
        a->config.atomic_bytes = a->tidb ? ATOMIC_BYTES_TIDB : ATOMIC_BYTES;
    rc = conn_value(c, "SELECT @@max_allowed_packet", &packet, err);
    if (!rc && !a->tidb)
        rc = conn_value(c, "SELECT IF(@@log_bin,@@binlog_format,'')", &format, err);
    if (!rc) {
        const size_t most = packet ? (size_t)strtoull(packet, NULL, 10) : 0;

        if (most / 2 < a->packet_bytes && most > 0)
            a->packet_bytes = most / 2;
        a->read_committed = !a->tidb && !(format && strcmp(format, "STATEMENT") == 0);
    }
    free(packet);
    free(format);
    return rc;
}

static enum err_code start_take(struct applier *a, struct conn *c, struct applied_fence *fences,
                                struct err *err)
{
    const uint64_t begun = clock_mono_us();
    struct backoff backoff = {0};
    enum err_code rc;

    for (;;) {
        rc = applied_take(c, &a->state, fences, a->config.threads, err);
        if (!rc || !err_info(rc)->retryable || !conn_usable(c) ||
            clock_mono_us() - begun > a->config.retry_us)
            return rc;
        if (!backoff_wait(&backoff, a->config.cancel))
            return err_set(err, ERR_INTERRUPTED, "stopped");
        err_clear(err);
    }
}

static enum err_code start_state(struct applier *a, struct conn *c,
                                 const struct applier_position *from, struct err *err)
{
    struct applied_point p = {0};
    bool found = false;
    enum err_code rc;

    if (from) {
        p = (struct applied_point){
            (char *)(uintptr_t)from->file, from->offset,    (char *)(uintptr_t)from->gtids,
            (unsigned)from->kind,          from->timestamp, from->transactions};
        rc = applied_first(c, &a->state, &p, err);
        if (rc)
            return rc;
    }
    rc = applied_read(c, &a->state, &found, &p, err);
    if (rc)
        return rc;
    if (!found)
        return err_set(err, ERR_LOAD_STATE, "nothing was ever applied for job %llu in `%s`",
                       (unsigned long long)a->state.job, a->state.schema);
    a->point = p;
    a->point.file = (char *)(uintptr_t)file_name(a, p.file);
    free(p.file);
    if (p.gtid_kind != GTID_NONE) {
        a->gtids = gtid_set_new((enum gtid_kind)p.gtid_kind);
        rc = gtid_set_parse(a->gtids, p.gtids, err);
    }
    a->first_unit = 1;
    if (!rc)
        rc = applied_each(c, &a->state, mark_found, a, err);
    if (!rc)
        rc = applied_part_read(c, &a->state, &a->part, err);
    if (a->marks.count > 0)
        qsort(a->marks.mark, a->marks.count, sizeof *a->marks.mark, mark_order);
    for (size_t i = 0; i < a->marks.count; i++)
        a->old_marks += mark_to_come(&a->point, &a->marks.mark[i]);
    return rc;
}

static enum err_code start_threads(struct applier *a, const struct applied_fence *fences,
                                   struct err *err)
{
    a->first = a->first_unit;
    a->recorded_us = clock_mono_us();
    a->workers = xcalloc(a->config.threads, sizeof *a->workers);
    for (unsigned i = 0; i < a->config.threads; i++) {
        struct apply_worker *w = &a->workers[i];

        w->a = a;
        w->number = i;
        w->fence = fences[i];
        w->writer.packet_bytes = a->packet_bytes;
        w->writer.sql.max = w->writer.rows.max = SIZE_MAX / 2;
        w->writer.load = a->load;
        w->block.max = SIZE_MAX / 2;
    }
    return pool_start(&a->pool, "apply", a->config.threads, worker_work, NULL, a, err);
}

enum err_code applier_start(struct applier *a, const struct applier_position *from,
                            struct applier_position *at, struct err *err)
{
    struct applied_fence *fences = xcalloc(a->config.threads, sizeof *fences);
    struct conn *c = NULL;
    enum err_code rc = conn_open(a->config.target, CONN_TARGET, "follow", &c, err);

    if (!rc)
        rc = target_look(a, c, err);
    if (!rc)
        rc = apply_foreigns_read(c, &a->foreigns, err);
    if (!rc)
        rc = applied_create(c, &a->state, err);
    if (!rc)
        rc = start_take(a, c, fences, err);
    fault_point("follow.taken");
    if (!rc)
        rc = start_state(a, c, from, err);
    conn_close(c);
    if (!rc)
        rc = start_threads(a, fences, err);
    free(fences);
    if (!rc)
        applier_position(a, at);
    return rc;
}

void applier_position(struct applier *a, struct applier_position *at)
{
    struct strbuf gtids = {0};

    pthread_mutex_lock(&a->lock);
    if (a->gtids)
        gtid_set_text(a->gtids, &gtids);
    free(a->shown.gtids);
    a->shown = a->point;
    a->shown.gtids = strbuf_detach(&gtids);
    pthread_mutex_unlock(&a->lock);
    *at = (struct applier_position){.file = a->shown.file ? a->shown.file : "",
                                    .offset = a->shown.offset,
                                    .gtids = a->shown.gtids,
                                    .kind = (enum gtid_kind)a->shown.gtid_kind,
                                    .timestamp = a->shown.timestamp,
                                    .transactions = a->shown.transactions};
}

void applier_counts(struct applier *a, struct applier_counts *counts)
{
    pthread_mutex_lock(&a->lock);
    *counts = a->counts;
    pthread_mutex_unlock(&a->lock);
}

/* ---- the loop: transactions ---- */

enum err_code applier_table(struct applier *a, const struct applier_table *t, unsigned *id,
                            struct err *err)
{
    struct apply_table *table = NULL;

    if (a->table_count == TABLES_MAX)
        return err_set(err, ERR_LIMIT, "more than %d definitions of tables", TABLES_MAX);
    if (apply_table_new(t, &a->foreigns, a->table_count, &table, err))
        return err->code;
    a->tables[a->table_count] = table;
    *id = a->table_count++;
    return ERR_OK;
}

static bool room(const struct applier *a)
{
    return a->unit_count == 0 || (a->bytes + a->txn.len < a->config.memory_bytes &&
                                  a->unit_count < (size_t)a->config.threads * UNITS_A_THREAD);
}

enum err_code applier_begin(struct applier *a, const struct applier_txn *txn, bool *applied,
                            struct err *err)
{
    enum err_code rc;

    pthread_mutex_lock(&a->lock);
    rc = applier_sound(a, err);
    while (!rc && !room(a)) {
        cond_wait_us(&a->moved, &a->lock, LOOK_US);
        rc = applier_sound(a, err);
    }
    pthread_mutex_unlock(&a->lock);
    if (rc)
        return rc;
    applier_rollback(a);
    a->open = (struct apply_txn){.file = file_name(a, txn->file), .start = txn->start};
    if (txn->gtid)
        a->open.gtid = *txn->gtid;
    a->open_timestamp = txn->timestamp;
    a->in_txn = true;
    a->passed_over = *applied = marks_have(&a->marks, txn);
    return ERR_OK;
}

void applier_rollback(struct applier *a)
{
    if (a->txn.cap > KEPT_BYTES) {
        strbuf_release(&a->txn);
        a->txn = (struct strbuf){.max = SIZE_MAX / 2};
    }
    strbuf_reset(&a->txn);
    a->txn_changes = 0;
    a->keys.count = 0;
    spill_free(a->spill);
    a->spill = NULL;
    a->in_txn = false;
}

static enum err_code txn_spill(struct applier *a, struct err *err)
{
    if (!a->spill && spill_new(a->config.spill_folder, &a->spill, err))
        return err->code;
    if (spill_add(a->spill, a->txn.str, a->txn.len, err))
        return err->code;
    strbuf_release(&a->txn);
    a->txn = (struct strbuf){.max = SIZE_MAX / 2};
    a->keys.count = 0; /* it meets all */
    return ERR_OK;
}

enum err_code applier_change(struct applier *a, unsigned table, enum applier_mode mode,
                             const struct row_change *change, struct err *err)
{
    if (!a->in_txn || table >= a->table_count)
        return err_set(err, ERR_INTERNAL, "a change outside of a transaction, or of no table");
    if (a->passed_over)
        return ERR_OK;
    if (apply_pack(a->tables[table], mode, change, &a->txn, err))
        return err->code;
    a->txn_changes++;
    if (!a->spill)
        apply_keys_add(&a->keys, a->tables[table], change);
    if (a->txn.len >= (a->spill ? SPILL_PIECE : a->config.spill_bytes))
        return txn_spill(a, err);
    return ERR_OK;
}

/* Under the lock: the unit ends behind this transaction. */
static void unit_extend(struct applier *a, struct apply_unit *u, const char *file, uint64_t end)
{
    u->file = file;
    u->end = end;
    u->transactions++;
    if (a->open_timestamp)
        u->timestamp = a->open_timestamp;
    if (a->open.gtid.kind != GTID_NONE) {
        if (u->gtid_count == u->gtid_cap) {
            u->gtid_cap = u->gtid_cap ? 2 * u->gtid_cap : 16;
            u->gtids = xreallocarray(u->gtids, u->gtid_cap, sizeof *u->gtids);
        }
        u->gtids[u->gtid_count++] = a->open.gtid;
    }
    if (a->passed_over) {
        a->old_marks -= a->old_marks > 0;
        a->old_marks_unit = u->number;
    }
}

static void unit_add_txn(struct apply_unit *u, const struct apply_txn *txn)
{
    if (u->txn_count == u->txn_cap) {
        u->txn_cap = u->txn_cap ? 2 * u->txn_cap : 16;
        u->txns = xreallocarray(u->txns, u->txn_cap, sizeof *u->txns);
    }
    u->txns[u->txn_count] = *txn;
    u->txns[u->txn_count++].at = u->changes.len;
}

struct waiting {
    struct applier *a;
    struct apply_unit *u;
};

static void wait_for(void *ctx, uint64_t unit)
{
    const struct waiting *w = ctx;

    units_wait_for(w->a, w->u, unit);
}

static bool unit_full(const struct applier *a, const struct apply_unit *u)
{
    return u->change_count >= a->config.batch_rows || u->changes.len >= a->config.batch_bytes ||
           u->txn_count >= BATCH_TRANSACTIONS || u->transactions >= GTIDS_A_UNIT;
}

/* Under the lock. */
static void txn_add(struct applier *a, struct apply_unit *u)
{
    struct waiting waiting = {a, u};

    if (a->txn_changes == 0)
        return;
    if (u->change_count == 0)
        u->opened_us = clock_mono_us();
    unit_add_txn(u, &a->open);
    schedule_add(a->schedule, u->number, &a->keys, wait_for, &waiting);
    strbuf_add(&u->changes, a->txn.str, a->txn.len);
    u->change_count += a->txn_changes;
    a->bytes += a->txn.len;
}

/* Under the lock: until all units are done. */
static enum err_code units_finish(struct applier *a, struct err *err)
{
    enum err_code rc;

    units_close(a);
    rc = applier_sound(a, err);
    while (!rc && a->unit_count > 0) {
        cond_wait_us(&a->moved, &a->lock, LOOK_US);
        rc = applier_sound(a, err);
    }
    return rc;
}

/* Under the lock. */
static enum err_code large_commit(struct applier *a, const char *file, uint64_t end,
                                  struct err *err)
{
    struct apply_unit *u;

    if (units_finish(a, err))
        return err->code;
    u = units_open(a);
    unit_add_txn(u, &a->open);
    u->spill = a->spill;
    a->spill = NULL;
    u->change_count = a->txn_changes;
    unit_extend(a, u, file, end);
    return units_finish(a, err);
}

enum err_code applier_commit(struct applier *a, const char *file, uint64_t end, struct err *err)
{
    enum err_code rc = ERR_OK;

    if (!a->in_txn)
        return err_set(err, ERR_INTERNAL, "a commit outside of a transaction");
    if (a->spill)
        rc = txn_spill(a, err);
    file = file_name(a, file);
    pthread_mutex_lock(&a->lock);
    if (!rc)
        rc = applier_sound(a, err);
    if (!rc && a->spill) {
        rc = large_commit(a, file, end, err);
    } else if (!rc) {
        struct apply_unit *u = units_open(a);

        txn_add(a, u);
        unit_extend(a, u, file, end);
        if (unit_full(a, u) || (u->change_count == 0 && a->unit_count == 1))
            units_close(a);
        else if (a->running == 0)
            pthread_cond_signal(&a->work);
    }
    pthread_mutex_unlock(&a->lock);
    applier_rollback(a); /* what was open is handed over, or lost with the error */
    return rc;
}

enum err_code applier_drain(struct applier *a, struct err *err)
{
    enum err_code rc;

    pthread_mutex_lock(&a->lock);
    rc = units_finish(a, err);
    a->record_now = true;
    pthread_cond_broadcast(&a->work);
    while (!rc && a->recorded != a->point_moves) {
        cond_wait_us(&a->moved, &a->lock, LOOK_US);
        rc = applier_sound(a, err);
    }
    a->record_now = false;
    pthread_mutex_unlock(&a->lock);
    return rc;
}
