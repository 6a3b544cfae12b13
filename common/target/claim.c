/* Taking a chunk, and the fence at the begin of each transaction.
 *
 * Why one compare-and-set is enough: a chunk is taken only if its token and its `seq` are those
 * that were seen. So nobody else has taken it since, no progress was committed between reading and
 * taking, and none by an older token can be committed afterwards: the old UPDATE no longer matches,
 * or meets a write conflict. Whose lease has ended is decided by clocks, and so may be wrong; it
 * then costs work, and no more. */
#include "common/target/state.h"

#include "common/mysql/ident.h"
#include "common/target/loaders.h"
#include "common/target/target_inner.h"

#include <inttypes.h>
#include <openssl/rand.h>

#define CLAIM_TRIES 100

enum err_code token_new(uint64_t *token, struct err *err)
{
    unsigned char bytes[8];
    uint64_t value = 0;

    if (RAND_bytes(bytes, sizeof bytes) != 1)
        return err_set(err, ERR_FAILED, "no random bytes can be had");
    for (size_t i = 0; i < sizeof bytes; i++)
        value = value << 8 | bytes[i];
    *token = value >> 1 | 1; /* 63 bits, so that every server and script reads it; never 0 */
    return ERR_OK;
}

/* ---- looking ---- */

struct looking {
    const struct state *s;
    claim_look_fn *fn;
    void *ctx;
};

static enum err_code look_row(void *ctx, const struct row *row, struct err *err)
{
    const struct looking *look = ctx;
    struct chunk_view v = {0};
    uint64_t done = 0, lives = 0;

    if (state_cell_u64(row, 0, &v.chunk, err) || state_cell_u64(row, 1, &v.token, err) ||
        state_cell_u64(row, 2, &v.seq, err) || state_cell_u64(row, 3, &v.rows_done, err) ||
        state_cell_u64(row, 4, &v.raw_off, err) || state_cell_u64(row, 5, &done, err) ||
        state_cell_counts(row, 6, &v.counts, err) || state_cell_u64(row, 11, &v.loader, err) ||
        state_cell_u64(row, 12, &v.conn, err) || state_cell_u64(row, 14, &lives, err))
        return err->code;
    state_cell_text(row, 13, v.peer, sizeof v.peer);
    v.done = done != 0;
    v.held = lives && v.loader != look->s->token;
    return look->fn(look->ctx, &v, err);
}

enum err_code claim_look(struct conn *c, const struct state *s, struct claim_ids ids,
                         claim_look_fn *fn, void *ctx, struct err *err)
{
    struct looking look = {s, fn, ctx};
    struct strbuf sql = {0};
    enum err_code rc;

    if (ids.count == 0)
        return ERR_OK;
    strbuf_addstr(&sql, "SELECT c.chunk,c.token,c.seq,c.rows_done,c.raw_off,c.state,c.added,"
                        "c.identical,c.ignored,c.replaced,c.skipped,c.loader,c.conn,c.peer,"
                        "COALESCE(" LOADER_LIVES ",0) FROM ");
    state_add_name(&sql, s, "chunk");
    strbuf_addstr(&sql, " c LEFT JOIN ");
    state_add_name(&sql, s, "loader");
    strbuf_addf(&sql,
                " l ON l.job=c.job AND l.loader=c.loader WHERE c.job=%" PRIu64 " AND c.chunk IN (",
                s->job);
    for (size_t i = 0; i < ids.count; i++)
        strbuf_addf(&sql, "%s%" PRIu64, i ? "," : "", ids.chunk[i]);
    strbuf_addch(&sql, ')');
    rc = conn_rows(c, &sql, look_row, &look, err);
    strbuf_release(&sql);
    return rc;
}

/* ---- taking ---- */

static enum err_code claim_set(const struct claimant *by, const struct chunk_view *seen,
                               uint64_t token, bool *taken, struct err *err)
{
    const struct state *s = by->state;
    struct strbuf sql = {0};
    uint64_t affected = 0;
    enum err_code rc;

    strbuf_addstr(&sql, "UPDATE ");
    state_add_name(&sql, s, "chunk");
    strbuf_addf(&sql,
                " SET token=%" PRIu64 ",seq=seq+1,loader=%" PRIu64 ",conn=%" PRIu64 ",peer=", token,
                s->token, conn_id(by->conn));
    strbuf_add_quotedz(&sql, by->peer);
    strbuf_addstr(&sql, ",owner=");
    strbuf_add_quotedz(&sql, s->owner);
    strbuf_addf(&sql,
                " WHERE job=%" PRIu64 " AND chunk=%" PRIu64 " AND token=%" PRIu64
                " AND seq=%" PRIu64 " AND state=0",
                s->job, seen->chunk, seen->token, seen->seq);
    rc = conn_exec(by->conn, sql.str, sql.len, &affected, err);
    strbuf_release(&sql);
    if (!rc)
        *taken = affected == 1;
    return rc;
}

static void claim_fill(struct claim *claim, const struct chunk_view *seen, uint64_t token)
{
    *claim = (struct claim){.chunk = seen->chunk,
                            .token = token,
                            .rows_done = seen->rows_done,
                            .raw_off = seen->raw_off,
                            .counts = seen->counts,
                            .done = seen->done};
}

enum err_code claim_take(const struct claimant *by, const struct chunk_view *seen,
                         struct claim *claim, bool *taken, struct err *err)
{
    uint64_t token = 0;

    if (token_new(&token, err) || claim_set(by, seen, token, taken, err))
        return err->code;
    if (*taken)
        claim_fill(claim, seen, token);
    return ERR_OK;
}

static enum err_code again_seen(void *ctx, const struct chunk_view *v, struct err *err)
{
    (void)err;
    *(struct chunk_view *)ctx = *v;
    return ERR_OK;
}

enum err_code claim_again(const struct claimant *by, struct claim *claim, struct err *err)
{
    for (unsigned i = 0; i < CLAIM_TRIES; i++) {
        struct chunk_view seen = {0};
        const uint64_t before = claim->tried;
        bool taken = false;

        if (claim_look(by->conn, by->state, (struct claim_ids){&claim->chunk, 1}, again_seen, &seen,
                       err))
            return err->code;
        if (seen.token == 0 || (seen.token != claim->token && seen.token != before))
            return err_set(err, ERR_LOAD_FENCED, "another process has taken chunk %" PRIu64 " over",
                           claim->chunk);
        if (seen.done) { /* by the transaction whose answer was lost: nothing is left to fence */
            claim_fill(claim, &seen, seen.token);
            return ERR_OK;
        }
        claim->token = seen.token;
        if (token_new(&claim->tried, err) || claim_set(by, &seen, claim->tried, &taken, err))
            return err->code;
        if (taken) {
            claim_fill(claim, &seen, claim->tried);
            return ERR_OK;
        }
    }
    return err_set(err, ERR_SERVER_BUSY, "others keep taking chunk %" PRIu64, claim->chunk);
}

static void claim_where(const struct state *s, const struct claim *claim, struct strbuf *sql)
{
    strbuf_addf(sql, ",seq=seq+1 WHERE job=%" PRIu64 " AND chunk=%" PRIu64 " AND token=%" PRIu64,
                s->job, claim->chunk, claim->token);
}

void claim_progress_sql(const struct state *s, const struct claim *claim,
                        const struct claim_progress *p, struct strbuf *sql)
{
    strbuf_addstr(sql, "UPDATE ");
    state_add_name(sql, s, "chunk");
    strbuf_addf(sql,
                " SET rows_done=%" PRIu64 ",raw_off=%" PRIu64 ",state=%d,added=%" PRId64
                ",identical=%" PRIu64 ",ignored=%" PRIu64 ",replaced=%" PRIu64 ",skipped=%" PRIu64,
                p->rows_done, p->raw_off, p->done ? 1 : 0, p->counts.added, p->counts.identical,
                p->counts.ignored, p->counts.replaced, p->counts.skipped);
    claim_where(s, claim, sql);
}

void claim_fence_sql(const struct state *s, const struct claim *claim, struct strbuf *sql)
{
    strbuf_addstr(sql, "UPDATE ");
    state_add_name(sql, s, "chunk");
    strbuf_addf(sql, " SET token=%" PRIu64, claim->token);
    claim_where(s, claim, sql);
}
