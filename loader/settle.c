/* A batch that does not simply go in.
 *
 * Its rows are put into a temporary table of the target's column types (stage.h), and the target
 * itself says, key by key, which of them equal each other and which an existing row. Then the rows
 * are gone through in the order of the file, as if each was inserted by itself: whose key's value
 * is taken by then collides with who has it. What that means is --on-conflict's affair:
 *   error    nothing of the batch is written; the collisions are recorded in a transaction of
 *            their own, and the load stops
 *   ignore   who is there stays
 *   replace  who is there is removed, and put on record in full
 * Rows to be written then go in as always, under the same rule: all of them must arrive, unchanged,
 * or everything is rolled back. So what others commit in between does no harm: the batch is looked
 * at again. Progress, removed rows, new rows and records are one transaction.
 *
 * With LOAD DATA on TiDB the transaction is optimistic: what was read is what COMMIT still finds,
 * or it fails. Elsewhere the rows to be removed are read once more, locked. */
#include "loader/settle.h"

#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#include <inttypes.h>
#include <stdlib.h>

#define CROWDED 4       /* the part of a batch's rows from which on choosing them costs more */
#define QUIET_BATCHES 8 /* without a conflict, before a chunk is tried without probing again */

static void settle_init(struct settle *s, struct worker *w)
{
    unsigned rows = w->batch.rows;
    unsigned keys = w->table->stage->key_count;

    *s = (struct settle){.w = w, .plan = w->table->stage, .rows = rows};
    s->store.max = SIZE_MAX / 4;
    s->fate = xcalloc(rows + 1, sizeof *s->fate);
    s->staged = xcalloc(rows + 1, sizeof *s->staged);
    s->twin = xcalloc((size_t)rows * keys + 1, sizeof *s->twin);
    s->holder = xcalloc((size_t)rows * keys + 1, sizeof *s->holder);
    s->bad = xcalloc(rows + 1, sizeof *s->bad);
    s->cell_at = xcalloc(w->table->dump->shape.count + 1, sizeof *s->cell_at);
}

static void settle_release(struct settle *s)
{
    for (size_t i = 0; i < s->bad_count; i++) {
        free(s->bad[i].words);
        free(s->bad[i].key);
    }
    free(s->bad);
    free(s->cell_at);
    free(s->fate);
    free(s->staged);
    free(s->twin);
    free(s->holder);
    free(s->existing);
    free(s->existing_at);
    free(s->collisions);
    free(s->picked);
    strbuf_release(&s->store);
}

static enum err_code settle_exec(struct worker *w, const char *sql, uint64_t *affected,
                                 struct err *err)
{
    return conn_exec(w->conn, sql, strlen(sql), affected, err);
}

static enum err_code settle_begin(struct worker *w, bool load, struct err *err)
{
    return settle_exec(w,
                       w->run->flavour.vendor != VENDOR_TIDB ? "BEGIN"
                       : load                                ? "BEGIN OPTIMISTIC"
                                                             : "BEGIN PESSIMISTIC",
                       NULL, err);
}

static void settle_rollback(struct worker *w)
{
    struct err ignored = ERR_INIT;

    if (w->conn && (!conn_usable(w->conn) || conn_execz(w->conn, "ROLLBACK", &ignored)))
        worker_disconnect(w);
}

/* More conflicts than --max-conflicts lets pass, with those of this batch. */
static bool settle_too_many(const struct settle *s)
{
    const struct load_run *run = s->w->run;

    return run->config->max_conflicts > 0 && s->collision_count > 0 && !s->w->table->several &&
           atomic_load(&run->conflicts) + s->collision_count > run->config->max_conflicts;
}

static bool settle_must_stop(const struct settle *s)
{
    const struct load_config *config = s->w->run->config;

    if (s->bad_values > 0 && !config->skip_bad && !config->check_conflicts)
        return true;
    if (s->collision_count == 0)
        return false;
    if (config->check_conflicts)
        return settle_too_many(s);
    return table_on_conflict(s->w->run, s->w->table) == ON_CONFLICT_ERROR || settle_too_many(s);
}

/* Nothing of the batch is written; what was found is put on record by itself, fenced, so that a
 * process that was thought dead records nothing. */
static enum err_code settle_stop(struct settle *s, struct err *err)
{
    struct worker *w = s->w;
    struct err first = ERR_INIT;
    const struct settle_recording how = {.stopped = true, .first = &first};
    uint64_t affected = 0;
    enum err_code rc;

    settle_rollback(w);
    rc = worker_connect(w, err);
    if (!rc)
        rc = settle_begin(w, false, err);
    if (rc)
        return rc;
    strbuf_reset(&w->sql);
    claim_fence_sql(&w->run->state, &w->claim, &w->sql);
    rc = settle_exec(w, strbuf_str(&w->sql), &affected, err);
    if (!rc && affected != 1)
        rc = batch_fenced(w, err);
    if (!rc)
        rc = settle_record(s, &how, err);
    if (!rc)
        rc = conn_execz(w->conn, "COMMIT", err);
    if (rc) {
        settle_rollback(w);
        return rc;
    }
    report_take(w->run, &s->w->refusals);
    *err = first;
    if (settle_too_many(s) && w->run->config->on_conflict != ON_CONFLICT_ERROR)
        return err_wrap(err, "more than %" PRIu64 " conflicts", w->run->config->max_conflicts);
    return err->code;
}

static enum err_code settle_progress(struct settle *s, struct err *err)
{
    struct worker *w = s->w;
    uint64_t affected = 0;

    w->delta = s->counts;
    strbuf_reset(&w->sql);
    batch_progress_sql(w);
    if (settle_exec(w, strbuf_str(&w->sql), &affected, err))
        return err->code;
    return affected == 1 ? ERR_OK : batch_fenced(w, err);
}

static bool is_written(const struct settle *s, unsigned row)
{
    return s->fate[row] == FATE_WRITE;
}

static enum err_code settle_put(struct settle *s, bool load, bool *refused, struct err *err)
{
    const struct put_dest dest = {s->w->table->load_sql, s->w->table->insert_sql, false};
    unsigned *rows = xcalloc(s->rows + 1, sizeof *rows);
    unsigned count = 0;
    struct put_result result;
    enum err_code rc;

    for (unsigned i = 0; i < s->rows; i++)
        if (is_written(s, i))
            rows[count++] = i;
    rc = (load ? put_load : put_insert)(s->w, &dest, rows, count, &result, err);
    free(rows);
    if (!rc)
        *refused = result.refused;
    return rc;
}

static enum err_code settle_commit(struct settle *s, struct err *err)
{
    struct worker *w = s->w;

    fault_point("load.after-load");
    if (!conn_execz(w->conn, "COMMIT", err)) {
        fault_point("load.after-commit");
        if (!w->table->several)
            atomic_fetch_add(&w->run->conflicts, s->collision_count);
        report_take(w->run, &w->refusals);
        return ERR_OK;
    }
    if (!err_info(err->code)->retryable) {
        log_event(LOG_DEBUG, "load.commit-refused", F_STR("message", err->msg));
        worker_disconnect(w);
        return err_set(err, ERR_SERVER_BUSY, "%s: a COMMIT was refused", w->table->label);
    }
    return err->code;
}

/* One transaction. *refused: the target did not take all rows; everything is rolled back. */
static enum err_code settle_write(struct settle *s, bool load, bool *refused, struct err *err)
{
    const struct settle_recording how = {.load = load};
    const bool check = s->w->run->config->check_conflicts;

    if (settle_progress(s, err) || (!check && settle_remove(s, err)) || settle_record(s, &how, err))
        return err->code;
    fault_point("load.before-load");
    if (!check && settle_put(s, load, refused, err))
        return err->code;
    if (*refused) {
        settle_rollback(s->w);
        return ERR_OK;
    }
    return settle_commit(s, err);
}

/* The target refused the batch for what was not found: the next look is a closer one. */
static enum err_code settle_look_closer(struct settle *s, struct err *err)
{
    if (settle_pick_all(s)) {
        log_event(LOG_DEBUG, "load.conflicts-all-rows", F_STR("table", s->w->table->label));
        return ERR_OK;
    }
    if (!s->plan->prefix_key || s->whole)
        return settle_refused(s, err);
    log_event(LOG_DEBUG, "load.conflicts-whole-table", F_STR("table", s->w->table->label));
    s->whole = true;
    return ERR_OK;
}

/* --check-conflicts where the joins may not find all: the rows are written and rolled back. */
static enum err_code settle_check(struct settle *s, bool load, struct err *err)
{
    bool refused = false;

    if (settle_put(s, load, &refused, err))
        return err->code;
    settle_rollback(s->w);
    s->tried = !refused;
    return refused ? settle_look_closer(s, err) : ERR_OK;
}

/* From the filled temporary table to the COMMIT, or to the next look at what was refused. */
static enum err_code settle_try(struct settle *s, bool *done, struct err *err)
{
    struct worker *w = s->w;
    const bool load = settle_may_load(s);
    const bool sure = !s->plan->odd_key && (!s->plan->prefix_key || s->whole);
    bool refused = false;

    if (settle_begin(w, load, err) || settle_find(s, err))
        return err->code;
    fault_point("load.conflicts-found");
    settle_decide(s);
    if (w->run->config->check_conflicts && !sure && !s->tried)
        return settle_check(s, load, err);
    if (settle_must_stop(s))
        return settle_stop(s, err);
    if (settle_write(s, load, &refused, err))
        return err->code;
    *done = !refused;
    return refused ? settle_look_closer(s, err) : ERR_OK;
}

static enum err_code settle_steps(struct settle *s, struct err *err)
{
    bool done = false;

    if (settle_pick(s, err))
        return err->code;
    while (!done) {
        if (settle_stage(s, err) || settle_try(s, &done, err))
            return err->code;
    }
    return ERR_OK;
}

/* Whether the next batches of the chunk are looked at first. */
static void settle_learn(const struct settle *s)
{
    struct worker *w = s->w;
    const uint64_t found = s->collision_count + s->counts.identical;

    w->crowded = found > s->rows / CROWDED;
    if (found > 0)
        w->probe = QUIET_BATCHES;
    else if (w->probe > 0)
        w->probe--;
}

enum err_code settle_batch(struct worker *w, struct err *err)
{
    struct settle s;
    enum err_code rc;

    settle_init(&s, w);
    rc = settle_steps(&s, err);
    if (rc)
        report_drop(&w->refusals);
    else
        settle_learn(&s);
    settle_release(&s);
    if (rc && err_info(rc)->retryable)
        settle_rollback(w);
    return rc;
}
