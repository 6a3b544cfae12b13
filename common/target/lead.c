/* The job as its loaders see it, who leads it, and the lock (loaders.h). */
#include "common/target/loaders.h"

#include "common/base/log.h"
#include "common/mysql/ident.h"
#include "common/target/target_inner.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- the job ---- */

struct looking {
    struct job_look look;
    uint64_t conn; /* the leader's, over which it held the lock */
    char peer[STATE_PEER_MAX];
    bool found;
};

static enum err_code look_row(void *ctx, const struct row *row, struct err *err)
{
    struct looking *k = ctx;
    uint64_t lives = 0, stage = 0;

    if (state_cell_u64(row, 0, &k->look.token, err) || state_cell_u64(row, 1, &k->look.seq, err) ||
        state_cell_u64(row, 3, &lives, err) || state_cell_u64(row, 4, &stage, err) ||
        state_cell_u64(row, 5, &k->conn, err))
        return err->code;
    if (!state_cell_job(row, 2, &k->look.state))
        return err_set(err, ERR_LOAD_STATE, "the job's state on the target is not known");
    k->look.lead_lives = lives != 0;
    k->look.lead_stage = stage <= LOADER_CLOSING ? (enum loader_stage)stage : LOADER_WAITING;
    state_cell_text(row, 6, k->peer, sizeof k->peer);
    state_cell_text(row, 7, k->look.stopped, sizeof k->look.stopped);
    state_cell_text(row, 8, k->look.stopped_by, sizeof k->look.stopped_by);
    k->found = true;
    return ERR_OK;
}

static enum err_code look(struct conn *c, const struct state *s, struct looking *k, struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    *k = (struct looking){0};
    strbuf_addstr(&sql, "SELECT j.token,j.seq,j.state,COALESCE(" LOADER_LIVES
                        ",0),COALESCE(l.stage,0),COALESCE(l.conn,0),l.peer,j.stopped,j.stopped_by "
                        "FROM ");
    state_add_name(&sql, s, "job");
    strbuf_addstr(&sql, " j LEFT JOIN ");
    state_add_name(&sql, s, "loader");
    strbuf_addf(&sql, " l ON l.job=j.job AND l.loader=j.token WHERE j.job=%" PRIu64, s->job);
    rc = conn_rows(c, &sql, look_row, k, err);
    strbuf_release(&sql);
    if (!rc && !k->found)
        return err_set(err, ERR_LOAD_STATE, "the load's row in `%s`.`job` is gone", s->schema);
    return rc;
}

enum err_code job_look(struct conn *c, const struct state *s, struct job_look *out, struct err *err)
{
    struct looking k;

    if (look(c, s, &k, err))
        return err->code;
    *out = k.look;
    return ERR_OK;
}

/* Others' running batches meet another token. Those of a process that holds locks on its chunks are
 * not waited for: it sees the job's row soon enough. */
static void stop_batches(struct conn *c, const struct state *s)
{
    struct err ignored = ERR_INIT;
    struct strbuf sql = {0};
    uint64_t token = 0;

    if (token_new(&token, &ignored))
        return;
    strbuf_addstr(&sql, "UPDATE ");
    state_add_name(&sql, s, "chunk");
    strbuf_addf(&sql,
                " SET token=%" PRIu64 ",seq=seq+1,loader=0 WHERE job=%" PRIu64
                " AND state=0 AND loader<>0 AND loader<>%" PRIu64,
                token, s->job, s->token);
    if (conn_exec(c, sql.str, sql.len, NULL, &ignored))
        log_event(LOG_DEBUG, "load.stop", F_STR("message", ignored.msg));
    strbuf_release(&sql);
}

enum err_code job_stop(struct conn *c, const struct state *s, const char *name, struct err *err)
{
    struct strbuf sql = {0};
    uint64_t affected = 0;
    enum err_code rc;

    strbuf_addstr(&sql, "UPDATE ");
    state_add_name(&sql, s, "job");
    strbuf_addstr(&sql, " SET seq=seq+1,stopped=");
    strbuf_add_quotedz(&sql, name);
    strbuf_addstr(&sql, ",stopped_by=");
    strbuf_add_quotedz(&sql, s->owner);
    strbuf_addf(&sql, " WHERE job=%" PRIu64 " AND stopped=''", s->job);
    rc = conn_exec(c, sql.str, sql.len, &affected, err);
    strbuf_release(&sql);
    if (!rc && affected == 1)
        stop_batches(c, s);
    return rc;
}

/* ---- connections ---- */

/* Only the server's own list tells a connection from a later one with the same number. */
enum err_code peer_find(struct conn *c, uint64_t id, char peer[STATE_PEER_MAX], struct err *err)
{
    struct result *r = NULL;
    bool more = true;
    enum err_code rc = conn_queryz(c, "SHOW PROCESSLIST", &r, err);

    peer[0] = '\0';
    while (!rc && more) {
        struct row row;
        uint64_t number = 0;

        rc = result_next(r, &row, &more, err);
        if (rc || !more)
            break;
        rc = state_cell_u64(&row, 0, &number, err);
        if (!rc && number == id)
            state_cell_text(&row, 2, peer, STATE_PEER_MAX);
    }
    result_free(r);
    return rc;
}

void peer_kill(struct conn *c, uint64_t id, const char *peer)
{
    struct err err = ERR_INIT;
    char now[STATE_PEER_MAX];

    if (id == 0 || !strchr(peer, ':') || id == conn_id(c)) /* a socket has no port to know it by */
        return;
    if (peer_find(c, id, now, &err) || strcmp(now, peer) != 0)
        return;
    if (conn_execf(c, &err, "KILL %" PRIu64, id))
        log_event(LOG_WARN, "load.kill", F_U64("connection", id), F_STR("message", err.msg));
    else
        log_event(LOG_INFO, "load.kill", F_U64("connection", id),
                  F_STR("message", "ended the connection of a loader that shows no sign of life"));
}

/* ---- the lock ---- */

static enum err_code lock_word(struct conn *c, const struct state *s, const char *word,
                               const char *more, char **answer, struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    /* 64 characters are the most that a lock's name may have. */
    strbuf_addf(&sql, "SELECT %s('ferry-lead_%.30s_%" PRIu64 "'%s)", word, s->schema, s->job, more);
    rc = conn_value(c, strbuf_str(&sql), answer, err);
    strbuf_release(&sql);
    return rc;
}

static enum err_code note_connection(struct conn *c, const struct state *s, struct err *err)
{
    struct strbuf sql = {0};
    char peer[STATE_PEER_MAX];
    enum err_code rc = peer_find(c, conn_id(c), peer, err);

    if (rc)
        return rc;
    strbuf_addstr(&sql, "UPDATE ");
    state_add_name(&sql, s, "loader");
    strbuf_addf(&sql, " SET beats=beats+1,conn=%" PRIu64 ",peer=", conn_id(c));
    strbuf_add_quotedz(&sql, peer);
    strbuf_addf(&sql, " WHERE job=%" PRIu64 " AND loader=%" PRIu64, s->job, s->token);
    rc = conn_exec(c, sql.str, sql.len, NULL, err);
    strbuf_release(&sql);
    return rc;
}

enum err_code lead_lock(struct conn *c, const struct state *s, bool *got, struct err *err)
{
    struct looking k;
    char *answer = NULL;
    enum err_code rc;

    *got = false;
    rc = lock_word(c, s, "GET_LOCK", ",1", &answer, err);
    if (rc && err_info(rc)->retryable)
        return rc;
    if (rc) { /* no such function: the job's token alone */
        log_event(LOG_DEBUG, "load.lead.no-lock", F_STR("message", err->msg));
        err_clear(err);
        *got = true;
        return ERR_OK;
    }
    *got = answer && strcmp(answer, "1") == 0;
    free(answer);
    if (*got)
        return note_connection(c, s, err);
    if (look(c, s, &k, err))
        return err->code;
    if (k.look.token == s->token || !k.look.lead_lives)
        peer_kill(c, k.conn, k.peer);
    return ERR_OK;
}

void lead_unlock(struct conn *c, const struct state *s)
{
    struct err ignored = ERR_INIT;
    char *answer = NULL;

    if (lock_word(c, s, "RELEASE_LOCK", "", &answer, &ignored))
        log_event(LOG_DEBUG, "load.lead.unlock", F_STR("message", ignored.msg));
    free(answer);
}

enum err_code lead_take(struct conn *c, const struct state *s, const struct job_look *seen,
                        bool *taken, struct err *err)
{
    struct strbuf sql = {0};
    uint64_t affected = 0;
    bool got = false;
    enum err_code rc;

    *taken = false;
    rc = lead_lock(c, s, &got, err);
    if (rc || !got)
        return rc;
    strbuf_addstr(&sql, "UPDATE ");
    state_add_name(&sql, s, "job");
    strbuf_addf(&sql, " SET token=%" PRIu64 ",seq=seq+1,owner=", s->token);
    strbuf_add_quotedz(&sql, s->owner);
    strbuf_addf(&sql, " WHERE job=%" PRIu64 " AND token=%" PRIu64 " AND seq=%" PRIu64, s->job,
                seen->token, seen->seq);
    rc = conn_exec(c, sql.str, sql.len, &affected, err);
    strbuf_release(&sql);
    *taken = !rc && affected == 1;
    if (!*taken)
        lead_unlock(c, s);
    return rc;
}
