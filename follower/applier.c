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
#include "common/base/log.h"
#include "common/base/mem.h"
#include "follower/apply_inner.h"

#include <stdlib.h>

#define THREADS 16
#define BATCH_ROWS 2000
#define BATCH_BYTES ((size_t)1 << 20)
#define BATCH_TRANSACTIONS 2000
#define MEMORY_BYTES ((size_t)24 << 20)
#define SPILL_BYTES ((size_t)8 << 20)
#define SPILL_PIECE ((size_t)256 << 10)
#define KEPT_BYTES ((size_t)2 << 20)
#define RETRY_US UINT64_C(600000000)
#define PACKET_BYTES ((size_t)512 << 10)
#define UNITS_A_THREAD 4     /* that wait */
#define TABLES_MAX (1 << 20) /* definitions, those before a DDL too */
#define GTIDS_A_UNIT 4096    /* transactions without changes are in units too */

/* ---- waiting ---- */

static void cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;

    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(cond, &attr);
    (void)pthread_condattr_destroy(&attr);
}

void apply_wait_us(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t us)
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
        drift_release(&w->drift);
        strbuf_release(&w->starts);
        strbuf_release(&w->gtids);
        strbuf_release(&w->block);
    }
    free(a->workers);
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
    apply_marks_release(&a->marks);
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
    counts->queued = a->unit_count - a->running;
    counts->queued_bytes = a->bytes;
    counts->busy = a->running;
    counts->oldest = a->unit_count > 0 ? a->units[0]->began : 0;
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
    table->whole_before = a->config.check_before_image;
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
        apply_wait_us(&a->moved, &a->lock, LOOK_US);
        rc = applier_sound(a, err);
    }
    pthread_mutex_unlock(&a->lock);
    if (rc)
        return rc;
    applier_rollback(a);
    a->open = (struct apply_txn){.file = apply_file_name(a, txn->file), .start = txn->start};
    if (txn->gtid)
        a->open.gtid = *txn->gtid;
    a->open_timestamp = txn->timestamp;
    a->in_txn = true;
    a->passed_over = *applied = apply_marks_have(&a->marks, txn);
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
    if (u->transactions == 0)
        u->began = a->open_timestamp;
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
        apply_wait_us(&a->moved, &a->lock, LOOK_US);
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
    file = apply_file_name(a, file);
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

enum err_code applier_look(struct applier *a, struct err *err)
{
    enum err_code rc;

    pthread_mutex_lock(&a->lock);
    rc = applier_sound(a, err);
    pthread_mutex_unlock(&a->lock);
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
        apply_wait_us(&a->moved, &a->lock, LOOK_US);
        rc = applier_sound(a, err);
    }
    a->record_now = false;
    pthread_mutex_unlock(&a->lock);
    return rc;
}
