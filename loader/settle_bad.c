/* Which rows does the target refuse by themselves? Found by halving: a statement that is refused is
 * said again with each half of its rows. */
#include "loader/insert.h"
#include "loader/settle.h"

#include "common/base/mem.h"
#include "common/target/report.h"

#include <stdlib.h>
#include <string.h>

#define ER_DUP_ENTRY 1062
#define TIDB_SAVEPOINTS 60200
#define ER_DUP_ENTRY_WITH_KEY_NAME 1586

/* Tries rows by INSERT; nothing of it stays. */
typedef enum err_code probe_fn(struct settle *s, const unsigned *rows, unsigned count,
                               struct put_result *result, struct err *err);

static void bad_add(struct settle *s, unsigned row, const struct err *why, const char *key)
{
    s->fate[row] = FATE_BAD;
    s->bad_values += key == NULL;
    s->bad[s->bad_count++] = (struct bad_row){row, xstrdup(why->msg), key ? xstrdup(key) : NULL};
}

/* A collision that the joins have not shown: by a key that they cannot look at, or with a row that
 * has come since. */
static enum err_code bad_duplicate(struct settle *s, unsigned row, const struct err *why,
                                   struct err *err)
{
    const struct load_table *t = s->w->table;
    char *key;

    if (!s->plan->odd_key)
        return err_set(err, ERR_SERVER_BUSY, "%s: others write the same rows: %s", t->label,
                       why->msg);
    if (table_on_conflict(s->w->run, s->w->table) == ON_CONFLICT_REPLACE &&
        !s->w->run->config->check_conflicts)
        return err_set(err, ERR_LOAD_CONFLICT,
                       "%s: row %llu of '%s' collides by a key over an expression, a generated "
                       "column or a column that the dump lacks: what it would replace cannot be "
                       "put on record, so use --on-conflict ignore: %s",
                       t->label, (unsigned long long)(s->w->batch.first_row + row + 1),
                       s->w->chunk->path, why->msg);
    key = refusal_key_of_message(why->msg, t->target->name);
    bad_add(s, row, why, key ? key : "(unknown)");
    free(key);
    return ERR_OK;
}

/* A row that was refused alone. */
static enum err_code bad_single(struct settle *s, unsigned row, struct err *why, struct err *err)
{
    if (why->server_errno == ER_DUP_ENTRY || why->server_errno == ER_DUP_ENTRY_WITH_KEY_NAME)
        return bad_duplicate(s, row, why, err);
    if (why->code == ERR_OK)
        (void)err_set(why, ERR_LOAD_BAD_VALUE, "the target does not take the row as it is");
    bad_add(s, row, why, NULL);
    return ERR_OK;
}

struct span {
    const unsigned *rows;
    unsigned count;
};

static enum err_code halve(struct settle *s, probe_fn *probe, const unsigned *rows, unsigned count,
                           struct err *err)
{
    /* The halves that are still to be tried, the next one last: of each halving at most its second
     * one waits, and an unsigned number is halved 32 times at most. */
    struct span todo[33] = {{rows, count}};
    unsigned depth = count > 0 ? 1 : 0;

    while (depth > 0) {
        const struct span at = todo[--depth];
        struct put_result result = {0};

        if (load_stopped(s->w->run) && s->bad_count > 0)
            return ERR_OK; /* enough is known to stop */
        if (probe(s, at.rows, at.count, &result, err))
            return err->code;
        if (!result.refused)
            continue;
        if (at.count > 1) { /* in the order of the rows: a later one may collide with an earlier */
            todo[depth++] = (struct span){at.rows + at.count / 2, at.count - at.count / 2};
            todo[depth++] = (struct span){at.rows, at.count / 2};
        } else if (bad_single(s, at.rows[0], &result.why, err)) {
            return err->code;
        }
    }
    return ERR_OK;
}

static enum err_code probe_stage(struct settle *s, const unsigned *rows, unsigned count,
                                 struct put_result *result, struct err *err)
{
    if (stage_ready(s->w, err))
        return err->code;
    return put_insert(s->w, &s->plan->dest, rows, count, result, err);
}

bool settle_may_load(const struct settle *s)
{
    return !s->insert_only && put_may_load(s->w);
}

/* Refused together, and taken one by one. TiDB's LOAD DATA warns of dates such as '2020-00-10' that
 * its INSERT keeps: the batch goes by INSERT then. If that was INSERT already, others were at it.
 */
static enum err_code settle_together(struct settle *s, bool by_load, struct err *err)
{
    if (!by_load)
        return err_set(err, ERR_SERVER_BUSY,
                       "%s: the target refused rows of '%s' together that it takes one by one",
                       s->w->table->label, s->w->chunk->path);
    s->insert_only = true;
    return ERR_OK;
}

enum err_code settle_stage(struct settle *s, struct err *err)
{
    unsigned *rows = xcalloc(s->rows + 1, sizeof *rows);
    struct put_result result = {.refused = true};
    enum err_code rc = ERR_OK;
    bool load;

    while (!rc && result.refused && !settle_picked_none(s)) {
        unsigned count = 0;
        size_t before = s->bad_count;

        for (unsigned i = 0; i < s->rows; i++)
            if (s->fate[i] != FATE_BAD && settle_picked(s, i))
                rows[count++] = i;
        load = settle_may_load(s) && before == 0;
        rc = stage_ready(s->w, err);
        if (!rc)
            rc = (load ? put_load : put_insert)(s->w, &s->plan->dest, rows, count, &result, err);
        if (rc || !result.refused)
            break;
        rc = halve(s, probe_stage, rows, count, err);
        if (!rc && s->bad_count == before)
            rc = settle_together(s, load, err);
    }
    free(rows);
    return rc;
}

/* TiDB before has no savepoints: there rows are tried without those before them. */
static bool has_savepoints(const struct load_run *run)
{
    return run->flavour.vendor != VENDOR_TIDB ||
           flavour_at_least(&run->flavour, VENDOR_TIDB, TIDB_SAVEPOINTS);
}

static enum err_code trial_begin(struct settle *s, struct err *err)
{
    struct worker *w = s->w;

    /* An error may have taken the connection along. */
    if (w->staged != w->table && settle_stage(s, err))
        return err->code;
    if (conn_execz(w->conn, w->run->flavour.vendor == VENDOR_TIDB ? "BEGIN PESSIMISTIC" : "BEGIN",
                   err) ||
        settle_remove(s, err))
        return err->code;
    s->trying = true;
    return ERR_OK;
}

static void trial_end(struct settle *s)
{
    struct worker *w = s->w;
    struct err ignored = ERR_INIT;

    if (w->conn && (!conn_usable(w->conn) || conn_execz(w->conn, "ROLLBACK", &ignored)))
        worker_disconnect(w);
    s->trying = false;
}

/* Rows that are taken stay for the rows behind them, until the search is over. */
static enum err_code probe_target(struct settle *s, const unsigned *rows, unsigned count,
                                  struct put_result *result, struct err *err)
{
    const struct put_dest dest = {s->w->table->load_sql, s->w->table->insert_sql, false};
    const bool savepoint = has_savepoints(s->w->run);
    struct worker *w = s->w;

    if ((!s->trying || w->staged != w->table) && trial_begin(s, err))
        return err->code;
    if (savepoint && conn_execz(w->conn, "SAVEPOINT ferry", err))
        return err->code;
    if (put_insert(w, &dest, rows, count, result, err))
        return err->code;
    if (!savepoint || !w->conn || !conn_usable(w->conn))
        trial_end(s);
    else if (result->refused)
        return conn_execz(w->conn, "ROLLBACK TO SAVEPOINT ferry", err);
    return ERR_OK;
}

enum err_code settle_refused(struct settle *s, struct err *err)
{
    unsigned *rows = xcalloc(s->rows + 1, sizeof *rows);
    size_t before = s->bad_count;
    unsigned count = 0;
    enum err_code rc;

    for (unsigned i = 0; i < s->rows; i++)
        if (s->fate[i] == FATE_WRITE)
            rows[count++] = i;
    rc = halve(s, probe_target, rows, count, err);
    if (s->trying)
        trial_end(s);
    if (!rc && s->bad_count == before)
        rc = settle_together(s, settle_may_load(s), err);
    free(rows);
    return rc;
}
