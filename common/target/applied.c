#include "common/target/applied.h"

#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/target/loaders.h"
#include "common/target/target_inner.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ER_BAD_DB 1049
#define ER_NO_SUCH_TABLE 1146

/* clang-format off */
static const struct state_made applied_tables[] = {
    {"applied_to",
     "job BIGINT UNSIGNED NOT NULL,"
     "file VARCHAR(512) NOT NULL,"
     "pos BIGINT UNSIGNED NOT NULL,"
     "gtid_kind INT UNSIGNED NOT NULL,"
     "gtids LONGTEXT NOT NULL,"
     "at BIGINT UNSIGNED NOT NULL,"
     "transactions BIGINT UNSIGNED NOT NULL,"
     "seq BIGINT UNSIGNED NOT NULL,"
     "PRIMARY KEY (job) /*T![clustered_index] CLUSTERED */"},
    {"applied_fence",
     "job BIGINT UNSIGNED NOT NULL,"
     "worker INT UNSIGNED NOT NULL,"
     "token BIGINT UNSIGNED NOT NULL,"
     "n BIGINT UNSIGNED NOT NULL,"
     "conn BIGINT UNSIGNED NOT NULL,"
     "peer VARCHAR(128) NOT NULL,"
     "PRIMARY KEY (job, worker) /*T![clustered_index] CLUSTERED */"},
    {"applied",
     "job BIGINT UNSIGNED NOT NULL,"
     "unit BIGINT UNSIGNED NOT NULL,"
     "starts LONGTEXT NOT NULL,"
     "gtids LONGTEXT NOT NULL,"
     "PRIMARY KEY (job, unit) /*T![clustered_index] CLUSTERED */"},
    {"applied_part",
     "job BIGINT UNSIGNED NOT NULL,"
     "file VARCHAR(512) NOT NULL,"
     "pos BIGINT UNSIGNED NOT NULL,"
     "done BIGINT UNSIGNED NOT NULL,"
     "PRIMARY KEY (job) /*T![clustered_index] CLUSTERED */"},
};
/* clang-format on */
#define APPLIED_TABLES (sizeof applied_tables / sizeof applied_tables[0])

void applied_point_release(struct applied_point *p)
{
    free(p->file);
    free(p->gtids);
    *p = (struct applied_point){0};
}

enum err_code applied_create(struct conn *c, const struct state *s, struct err *err)
{
    return state_make_tables(c, s, applied_tables, APPLIED_TABLES, err);
}

/* ---- the point ---- */

struct point_reader {
    struct applied_point p;
    bool found;
};

static char *cell_text(const struct row *row, unsigned i)
{
    return row->cell[i] ? xstrndup(row->cell[i], row->len[i]) : xstrdup("");
}

static enum err_code point_row(void *ctx, const struct row *row, struct err *err)
{
    struct point_reader *r = ctx;
    uint64_t kind = 0, at = 0;

    if (state_cell_u64(row, 1, &r->p.offset, err) || state_cell_u64(row, 2, &kind, err) ||
        state_cell_u64(row, 4, &at, err) || state_cell_u64(row, 5, &r->p.transactions, err))
        return err->code;
    applied_point_release(&(struct applied_point){.file = r->p.file, .gtids = r->p.gtids});
    r->p.file = cell_text(row, 0);
    r->p.gtids = cell_text(row, 3);
    r->p.gtid_kind = (unsigned)kind;
    r->p.timestamp = (uint32_t)at;
    r->found = true;
    return ERR_OK;
}

enum err_code applied_read(struct conn *c, const struct state *s, bool *found,
                           struct applied_point *p, struct err *err)
{
    struct point_reader r = {0};
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "SELECT file,pos,gtid_kind,gtids,at,transactions FROM ");
    state_add_name(&sql, s, "applied_to");
    strbuf_addf(&sql, " WHERE job=%" PRIu64, s->job);
    rc = conn_rows(c, &sql, point_row, &r, err);
    strbuf_release(&sql);
    if (rc && (err->server_errno == ER_BAD_DB || err->server_errno == ER_NO_SUCH_TABLE)) {
        err_clear(err);
        rc = ERR_OK;
    }
    if (rc || !r.found) {
        applied_point_release(&r.p);
        *found = false;
        return rc;
    }
    *found = true;
    *p = r.p;
    return ERR_OK;
}

static void point_values(const struct applied_point *p, const char *const before[], size_t count,
                         struct strbuf *sql)
{
    const uint64_t numbers[] = {p->offset, p->gtid_kind, p->timestamp, p->transactions};
    size_t number = 0;

    for (size_t i = 0; i < count; i++) {
        strbuf_addstr(sql, before[i]);
        if (i == 0)
            strbuf_add_quotedz(sql, p->file ? p->file : "");
        else if (i == 3)
            strbuf_add_quotedz(sql, p->gtids ? p->gtids : "");
        else
            strbuf_addf(sql, "%" PRIu64, numbers[number++]);
    }
}

enum err_code applied_first(struct conn *c, const struct state *s, const struct applied_point *p,
                            struct err *err)
{
    static const char *const between[] = {",", ",", ",", ",", ",", ","};
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "INSERT IGNORE INTO ");
    state_add_name(&sql, s, "applied_to");
    strbuf_addf(&sql, " (job,file,pos,gtid_kind,gtids,at,transactions,seq) VALUES (%" PRIu64,
                s->job);
    point_values(p, between, 6, &sql);
    strbuf_addstr(&sql, ",1)");
    rc = conn_exec(c, sql.str, sql.len, NULL, err);
    strbuf_release(&sql);
    return rc;
}

void applied_point_sql(const struct state *s, const struct applied_point *p, struct strbuf *sql)
{
    static const char *const names[] = {
        " SET file=", ",pos=", ",gtid_kind=", ",gtids=", ",at=", ",transactions="};

    strbuf_addstr(sql, "UPDATE ");
    state_add_name(sql, s, "applied_to");
    point_values(p, names, 6, sql);
    strbuf_addf(sql, ",seq=seq+1 WHERE job=%" PRIu64, s->job);
}

/* ---- fences ---- */

struct fence_owner {
    uint64_t conn;
    char peer[STATE_PEER_MAX];
};
struct fence_owners {
    struct fence_owner *owner;
    size_t count;
};

static enum err_code owner_row(void *ctx, const struct row *row, struct err *err)
{
    struct fence_owners *all = ctx;
    struct fence_owner o = {0};

    if (state_cell_u64(row, 0, &o.conn, err))
        return err->code;
    state_cell_text(row, 1, o.peer, sizeof o.peer);
    all->owner = xreallocarray(all->owner, all->count + 1, sizeof *all->owner);
    all->owner[all->count++] = o;
    return ERR_OK;
}

/* TiDB's transactions hold no locks before they commit (optimistic), so there is nothing to end. */
static enum err_code owners_end(struct conn *c, const struct state *s, struct err *err)
{
    struct fence_owners all = {0};
    struct strbuf sql = {0};
    enum err_code rc;

    if (conn_flavour(c)->vendor == VENDOR_TIDB)
        return ERR_OK;
    strbuf_addstr(&sql, "SELECT conn,peer FROM ");
    state_add_name(&sql, s, "applied_fence");
    strbuf_addf(&sql, " WHERE job=%" PRIu64 " AND conn<>0", s->job);
    rc = conn_rows(c, &sql, owner_row, &all, err);
    for (size_t i = 0; !rc && i < all.count; i++)
        peer_kill(c, all.owner[i].conn, all.owner[i].peer);
    free(all.owner);
    strbuf_release(&sql);
    return rc;
}

static enum err_code fences_write(struct conn *c, const struct state *s, uint64_t token,
                                  unsigned count, struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "UPDATE "); /* those above `count` too */
    state_add_name(&sql, s, "applied_fence");
    strbuf_addf(&sql, " SET token=%" PRIu64 ",n=n+1,conn=0,peer='' WHERE job=%" PRIu64, token,
                s->job);
    rc = conn_exec(c, sql.str, sql.len, NULL, err);
    strbuf_reset(&sql);
    strbuf_addstr(&sql, "INSERT IGNORE INTO ");
    state_add_name(&sql, s, "applied_fence");
    strbuf_addstr(&sql, " (job,worker,token,n,conn,peer) VALUES ");
    for (unsigned i = 0; i < count; i++)
        strbuf_addf(&sql, "%s(%" PRIu64 ",%u,%" PRIu64 ",0,0,'')", i ? "," : "", s->job, i, token);
    if (!rc)
        rc = conn_exec(c, sql.str, sql.len, NULL, err);
    strbuf_release(&sql);
    return rc;
}

enum err_code applied_take(struct conn *c, const struct state *s, struct applied_fence *fences,
                           unsigned count, struct err *err)
{
    uint64_t token = 0;
    enum err_code rc;

    if (token_new(&token, err) || owners_end(c, s, err))
        return err->code;
    rc = conn_execz(c, "BEGIN", err);
    if (!rc)
        rc = fences_write(c, s, token, count, err);
    if (!rc)
        rc = conn_execz(c, "COMMIT", err);
    if (rc && conn_usable(c)) {
        struct err ignored = ERR_INIT;
        const enum err_code undone = conn_execz(c, "ROLLBACK", &ignored);

        (void)undone;
    }
    for (unsigned i = 0; !rc && i < count; i++)
        fences[i] = (struct applied_fence){.worker = i, .token = token};
    return rc;
}

static enum err_code fenced(const struct state *s, struct err *err)
{
    return err_set(err, ERR_FOLLOW_FENCED,
                   "another process follows into this target now (job %" PRIu64 " in `%s`)", s->job,
                   s->schema);
}

enum err_code applied_connection(struct conn *c, const struct state *s,
                                 const struct applied_fence *f, struct err *err)
{
    struct strbuf sql = {0};
    char peer[STATE_PEER_MAX];
    uint64_t affected = 0;
    enum err_code rc = peer_find(c, conn_id(c), peer, err);

    if (rc)
        return rc;
    strbuf_addstr(&sql, "UPDATE ");
    state_add_name(&sql, s, "applied_fence");
    strbuf_addf(&sql, " SET n=n+1,conn=%" PRIu64 ",peer=", conn_id(c));
    strbuf_add_quotedz(&sql, peer);
    strbuf_addf(&sql, " WHERE job=%" PRIu64 " AND worker=%u AND token=%" PRIu64, s->job, f->worker,
                f->token);
    rc = conn_exec(c, sql.str, sql.len, &affected, err);
    strbuf_release(&sql);
    return rc || affected == 1 ? rc : fenced(s, err);
}

enum err_code applied_again(struct conn *c, const struct state *s, struct applied_fence *f,
                            struct err *err)
{
    struct strbuf sql = {0};
    uint64_t affected = 0;
    enum err_code rc;

    /* Said again with the same new token until an answer comes: at any time it is one of two. */
    if (!f->tried && token_new(&f->tried, err))
        return err->code;
    strbuf_addstr(&sql, "UPDATE ");
    state_add_name(&sql, s, "applied_fence");
    strbuf_addf(&sql,
                " SET token=%" PRIu64 ",n=n+1 WHERE job=%" PRIu64
                " AND worker=%u AND token IN (%" PRIu64 ",%" PRIu64 ")",
                f->tried, s->job, f->worker, f->token, f->tried);
    rc = conn_exec(c, sql.str, sql.len, &affected, err);
    strbuf_release(&sql);
    if (rc)
        return rc;
    if (affected != 1)
        return fenced(s, err);
    f->token = f->tried;
    f->tried = 0;
    return ERR_OK;
}

void applied_fence_sql(const struct state *s, const struct applied_fence *f, struct strbuf *sql)
{
    strbuf_addstr(sql, "UPDATE ");
    state_add_name(sql, s, "applied_fence");
    strbuf_addf(sql, " SET n=n+1 WHERE job=%" PRIu64 " AND worker=%u AND token=%" PRIu64, s->job,
                f->worker, f->token);
}

/* ---- marks ---- */

void applied_mark_sql(const struct state *s, uint64_t unit, const struct strbuf *starts,
                      const struct strbuf *gtids, struct strbuf *sql)
{
    strbuf_addstr(sql, "INSERT INTO ");
    state_add_name(sql, s, "applied");
    strbuf_addf(sql, " (job,unit,starts,gtids) VALUES (%" PRIu64 ",%" PRIu64 ",", s->job, unit);
    strbuf_add_quoted(sql, strbuf_str(starts), starts->len);
    strbuf_addch(sql, ',');
    strbuf_add_quoted(sql, strbuf_str(gtids), gtids->len);
    strbuf_addch(sql, ')');
}

void applied_prune_sql(const struct state *s, uint64_t from, uint64_t below, struct strbuf *sql)
{
    strbuf_addstr(sql, "DELETE FROM ");
    state_add_name(sql, s, "applied");
    strbuf_addf(sql, " WHERE job=%" PRIu64 " AND unit>=%" PRIu64 " AND unit<%" PRIu64, s->job, from,
                below);
}

static enum err_code has_row(void *ctx, const struct row *row, struct err *err)
{
    (void)row;
    (void)err;
    *(bool *)ctx = true;
    return ERR_OK;
}

enum err_code applied_has(struct conn *c, const struct state *s, uint64_t unit, bool *has,
                          struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    *has = false;
    strbuf_addstr(&sql, "SELECT unit FROM ");
    state_add_name(&sql, s, "applied");
    strbuf_addf(&sql, " WHERE job=%" PRIu64 " AND unit=%" PRIu64, s->job, unit);
    rc = conn_rows(c, &sql, has_row, has, err);
    strbuf_release(&sql);
    return rc;
}

struct mark_reader {
    applied_fn *fn;
    void *ctx;
};

static enum err_code mark_row(void *ctx, const struct row *row, struct err *err)
{
    const struct mark_reader *r = ctx;
    uint64_t unit = 0;
    char *starts, *gtids;
    enum err_code rc;

    if (state_cell_u64(row, 0, &unit, err))
        return err->code;
    starts = cell_text(row, 1);
    gtids = cell_text(row, 2);
    rc = r->fn(r->ctx, unit, starts, gtids, err);
    free(starts);
    free(gtids);
    return rc;
}

enum err_code applied_each(struct conn *c, const struct state *s, applied_fn *fn, void *ctx,
                           struct err *err)
{
    struct mark_reader r = {fn, ctx};
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "SELECT unit,starts,gtids FROM ");
    state_add_name(&sql, s, "applied");
    strbuf_addf(&sql, " WHERE job=%" PRIu64 " ORDER BY unit", s->job);
    rc = conn_rows(c, &sql, mark_row, &r, err);
    strbuf_release(&sql);
    return rc;
}

/* ---- parts ---- */

static enum err_code part_row(void *ctx, const struct row *row, struct err *err)
{
    struct applied_part *p = ctx;

    if (state_cell_u64(row, 1, &p->start, err) || state_cell_u64(row, 2, &p->done, err))
        return err->code;
    free(p->file);
    p->file = cell_text(row, 0);
    return ERR_OK;
}

enum err_code applied_part_read(struct conn *c, const struct state *s, struct applied_part *p,
                                struct err *err)
{
    struct applied_part found = {0};
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "SELECT file,pos,done FROM ");
    state_add_name(&sql, s, "applied_part");
    strbuf_addf(&sql, " WHERE job=%" PRIu64, s->job);
    rc = conn_rows(c, &sql, part_row, &found, err);
    strbuf_release(&sql);
    if (rc)
        free(found.file);
    else
        *p = found;
    return rc;
}

void applied_part_sql(const struct state *s, const struct applied_part *p, struct strbuf *sql)
{
    strbuf_addstr(sql, p->file ? "REPLACE INTO " : "DELETE FROM ");
    state_add_name(sql, s, "applied_part");
    if (!p->file) {
        strbuf_addf(sql, " WHERE job=%" PRIu64, s->job);
        return;
    }
    strbuf_addf(sql, " (job,file,pos,done) VALUES (%" PRIu64 ",", s->job);
    strbuf_add_quotedz(sql, p->file);
    strbuf_addf(sql, ",%" PRIu64 ",%" PRIu64 ")", p->start, p->done);
}
