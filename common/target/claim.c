/* Taking a chunk, and the fence at the begin of each transaction.
 *
 * Why two statements are enough: job and chunk are read in one snapshot. If the job was ours in it,
 * whoever takes the job later reads the chunk later too, so one of the two compare-and-sets fails.
 * And since `seq` is compared as well, no progress was committed between reading and taking, and
 * none by an older token can be committed afterwards: the old UPDATE no longer matches, or meets a
 * write conflict. */
#include "common/target/state.h"

#include "common/mysql/ident.h"
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

struct claim_row {
    bool found;
    uint64_t token, seq, rows_done, raw_off, done, job_token;
    struct chunk_counts counts;
};

static enum err_code claim_row(void *ctx, const struct row *row, struct err *err)
{
    struct claim_row *r = ctx;

    if (state_cell_u64(row, 0, &r->token, err) || state_cell_u64(row, 1, &r->seq, err) ||
        state_cell_u64(row, 2, &r->rows_done, err) || state_cell_u64(row, 3, &r->raw_off, err) ||
        state_cell_u64(row, 4, &r->done, err) || state_cell_u64(row, 5, &r->job_token, err) ||
        state_cell_counts(row, 6, &r->counts, err))
        return err->code;
    r->found = true;
    return ERR_OK;
}

static enum err_code claim_read(struct conn *c, const struct state *s, uint64_t chunk,
                                struct claim_row *r, struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "SELECT c.token,c.seq,c.rows_done,c.raw_off,c.state,j.token,"
                        "c.added,c.identical,c.ignored,c.replaced,c.skipped FROM ");
    state_add_name(&sql, s, "chunk");
    strbuf_addstr(&sql, " c JOIN ");
    state_add_name(&sql, s, "job");
    strbuf_addf(&sql, " j ON j.job=c.job WHERE c.job=%" PRIu64 " AND c.chunk=%" PRIu64, s->job,
                chunk);
    *r = (struct claim_row){0};
    rc = state_query(c, &sql, claim_row, r, err);
    strbuf_release(&sql);
    if (!rc && !r->found)
        return err_set(err, ERR_LOAD_STATE,
                       "chunk %" PRIu64 " of job %" PRIu64 " has no progress row in `%s`", chunk,
                       s->job, s->schema);
    return rc;
}

static enum err_code claim_set(struct conn *c, const struct state *s, const struct claim *claim,
                               const struct claim_row *r, bool *taken, struct err *err)
{
    struct strbuf sql = {0};
    uint64_t affected = 0;
    enum err_code rc;

    strbuf_addstr(&sql, "UPDATE ");
    state_add_name(&sql, s, "chunk");
    strbuf_addf(&sql, " SET token=%" PRIu64 ",seq=seq+1,owner=", claim->token);
    strbuf_add_quotedz(&sql, s->owner);
    strbuf_addf(
        &sql, " WHERE job=%" PRIu64 " AND chunk=%" PRIu64 " AND token=%" PRIu64 " AND seq=%" PRIu64,
        s->job, claim->chunk, r->token, r->seq);
    rc = conn_exec(c, sql.str, sql.len, &affected, err);
    strbuf_release(&sql);
    if (!rc)
        *taken = affected == 1;
    return rc;
}

enum err_code claim_take(struct conn *c, const struct state *s, uint64_t chunk, struct claim *claim,
                         struct err *err)
{
    struct claim fresh = {.chunk = chunk};
    struct claim_row r;
    bool taken = false;

    if (token_new(&fresh.token, err))
        return err->code;
    for (unsigned i = 0; !taken; i++) {
        if (i == CLAIM_TRIES)
            return err_set(err, ERR_SERVER_BUSY, "others keep taking chunk %" PRIu64, chunk);
        if (claim_read(c, s, chunk, &r, err))
            return err->code;
        if (r.job_token != s->token)
            return err_set(err, ERR_LOAD_FENCED,
                           "another process has taken job %" PRIu64 " in `%s`", s->job, s->schema);
        if (claim_set(c, s, &fresh, &r, &taken, err))
            return err->code;
    }
    fresh.rows_done = r.rows_done;
    fresh.raw_off = r.raw_off;
    fresh.counts = r.counts;
    fresh.done = r.done != 0;
    *claim = fresh;
    return ERR_OK;
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
