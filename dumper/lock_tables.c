/* LOCK TABLES ... READ on all tables that are dumped.
 *
 * A second LOCK TABLES in a session releases the first, so each statement has a session of its own;
 * tables and statements go in one fixed order. The snapshots are opened elsewhere: a transaction
 * begun in such a session would release its locks. */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "dumper/lock.h"
#include "dumper/skip.h"

#include <stdlib.h>
#include <string.h>

#define TABLES_A_STATEMENT 1000 /* at least */
#define SESSIONS_MAX 32         /* but for what the statements' length wants */
#define VANISHED_TRIES 100      /* in one attempt */
#define ER_NO_SUCH_TABLE 1146
#define PACKET_SMALLEST 1024
#define ENTRY_EXTRA 16 /* bytes of " READ, " and the quotes, at least */

struct lock_list { /* tables in order, and where each statement begins */
    struct plan_table **tables;
    size_t count;
    size_t *first; /* of `statements` + 1 */
    size_t statements;
};

static int by_name(const void *a, const void *b)
{
    const struct table *x = (*(struct plan_table *const *)a)->table;
    const struct table *y = (*(struct plan_table *const *)b)->table;
    const int order = strcmp(x->db, y->db);

    return order ? order : strcmp(x->name, y->name);
}

static void list_release(struct lock_list *l)
{
    free(l->tables);
    free(l->first);
}

static void list_make(struct dump_run *run, struct lock_list *l, size_t bytes_max)
{
    size_t per = run->plan.count / SESSIONS_MAX + 1;
    size_t bytes = 0;
    size_t in = 0;

    if (per < TABLES_A_STATEMENT)
        per = TABLES_A_STATEMENT;
    l->tables = xcalloc(run->plan.count + 1, sizeof(struct plan_table *));
    l->first = xcalloc(run->plan.count + 2, sizeof(*l->first));
    for (size_t i = 0; i < run->plan.count; i++)
        if (!dumper_is_skipped(run, &run->plan.tables[i]))
            l->tables[l->count++] = &run->plan.tables[i];
    qsort(l->tables, l->count, sizeof(struct plan_table *), by_name);
    for (size_t i = 0; i < l->count; i++) {
        const struct table *t = l->tables[i]->table;
        const size_t entry = 2 * (strlen(t->db) + strlen(t->name)) + ENTRY_EXTRA;

        if (i == 0 || in == per || bytes + entry > bytes_max) {
            l->first[l->statements++] = i;
            in = bytes = 0;
        }
        in++;
        bytes += entry;
    }
    l->first[l->statements] = l->count;
}

/* Half of what the server takes: names may grow in its own character set. */
static enum err_code list_bytes(struct dump_run *run, size_t *bytes, struct err *err)
{
    char *text = NULL;
    enum err_code rc = conn_value(run->control, "SELECT @@max_allowed_packet", &text, err);

    *bytes = text ? strtoull(text, NULL, 10) / 2 : 0;
    if (*bytes < PACKET_SMALLEST)
        *bytes = PACKET_SMALLEST;
    free(text);
    return rc;
}

/* All connections are there before the first table is locked. */
static enum err_code sessions_open(struct dump_run *run, size_t count, struct err *err)
{
    struct held_locks *h = &run->held;
    enum err_code rc = ERR_OK;

    for (size_t i = 0; i < h->count; i++)
        if (h->sessions[i] && !conn_usable(h->sessions[i])) {
            conn_close(h->sessions[i]);
            h->sessions[i] = NULL;
        }
    while (h->count < count) {
        h->sessions = xreallocarray(h->sessions, h->count + 1, sizeof(*h->sessions));
        h->sessions[h->count++] = NULL;
    }
    for (size_t i = 0; !rc && i < count; i++)
        if (!h->sessions[i])
            rc = conn_open(run->source, CONN_SOURCE, "dump", &h->sessions[i], err);
    return rc;
}

static enum err_code statement_run(struct conn *c, const struct lock_list *l, size_t statement,
                                   uint64_t until_us, struct err *err)
{
    const uint64_t now = clock_mono_us();
    const unsigned left = until_us > now ? (unsigned)((until_us - now) / 1000000) : 0;
    struct strbuf sql = {0};
    enum err_code rc;

    rc = conn_execf(c, err, "SET SESSION lock_wait_timeout = %u", left ? left : 1);
    for (size_t i = l->first[statement]; i < l->first[statement + 1]; i++) {
        strbuf_addstr(&sql, i > l->first[statement] ? ", " : "LOCK TABLES ");
        strbuf_add_table(&sql, l->tables[i]->table->db, l->tables[i]->table->name);
        strbuf_addstr(&sql, " READ");
    }
    if (!rc)
        rc = conn_exec(c, strbuf_str(&sql), sql.len, NULL, err);
    strbuf_release(&sql);
    return rc ? rc : lock_set_idle(c, HELD_IDLE_S, err);
}

/* Asked table by table, as no name can be taken out of a message with certainty. */
static enum err_code statement_gone(struct dump_run *run, const struct lock_list *l,
                                    size_t statement, struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc = ERR_OK;

    for (size_t i = l->first[statement]; !rc && i < l->first[statement + 1]; i++) {
        struct result *r = NULL;

        strbuf_reset(&sql);
        strbuf_addstr(&sql, "SELECT 1 FROM ");
        strbuf_add_table(&sql, l->tables[i]->table->db, l->tables[i]->table->name);
        strbuf_addstr(&sql, " LIMIT 0");
        rc = conn_query(run->control, strbuf_str(&sql), sql.len, false, &r, err);
        result_free(r);
        if (rc && err->server_errno == ER_NO_SUCH_TABLE) {
            dumper_vanished(run, l->tables[i]);
            err_clear(err);
            rc = ERR_OK;
        }
    }
    strbuf_release(&sql);
    return rc;
}

static enum err_code tables_lock_all(struct dump_run *run, const struct lock_list *l,
                                     uint64_t until_us, size_t *failed, struct err *err)
{
    enum err_code rc = sessions_open(run, l->statements, err);

    for (*failed = 0; !rc; ++*failed) {
        if (*failed == l->statements)
            return ERR_OK;
        rc = statement_run(run->held.sessions[*failed], l, *failed, until_us, err);
        if (rc)
            break;
    }
    return rc;
}

static void tables_back_out(struct dump_run *run)
{
    const struct held_locks *h = &run->held;
    struct err ignored = ERR_INIT;
    enum err_code rc = lock_tables_release(run, &ignored);

    for (size_t i = 0; !rc && i < h->count; i++)
        rc = h->sessions[i] ? lock_set_idle(h->sessions[i], FREE_IDLE_S, &ignored) : ERR_OK;
    if (rc)
        lock_tables_close(run);
}

enum err_code lock_tables_try(struct dump_run *run, unsigned seconds, struct err *err)
{
    const uint64_t until = clock_mono_us() + (uint64_t)seconds * 1000000;
    size_t bytes = 0;
    enum err_code rc;

    if (run->flavour.vendor == VENDOR_TIDB)
        return err_set(err, ERR_SERVER_UNSUPPORTED,
                       "LOCK TABLES of TiDB holds no other session's writes by default");
    rc = list_bytes(run, &bytes, err);
    for (unsigned tries = 0; !rc; tries++) {
        struct lock_list l = {0};
        size_t failed = 0;
        bool gone;

        list_make(run, &l, bytes);
        rc = tables_lock_all(run, &l, until, &failed, err);
        gone = rc && err->server_errno == ER_NO_SUCH_TABLE && tries < VANISHED_TRIES;
        if (rc)
            tables_back_out(run);
        else
            log_event(LOG_DEBUG, "dump.lock.tables", F_U64("tables", l.count),
                      F_U64("statements", l.statements));
        if (gone) {
            err_clear(err);
            rc = statement_gone(run, &l, failed, err);
        }
        list_release(&l);
        if (!gone)
            break;
    }
    return rc;
}

enum err_code lock_tables_release(struct dump_run *run, struct err *err)
{
    struct held_locks *h = &run->held;
    struct err first = ERR_INIT;

    for (size_t i = 0; i < h->count; i++) {
        struct err one = ERR_INIT;

        if (!h->sessions[i])
            continue;
        if (!conn_usable(h->sessions[i]))
            (void)err_set(&one, ERR_SERVER_LOST, "a connection that held locks is lost");
        else if (conn_execz(h->sessions[i], "UNLOCK TABLES", &one))
            one.code = conn_usable(h->sessions[i]) ? one.code : ERR_SERVER_LOST;
        if (one.code && !first.code)
            first = one;
    }
    if (first.code)
        *err = first;
    return first.code;
}

void lock_tables_close(struct dump_run *run)
{
    struct held_locks *h = &run->held;

    for (size_t i = 0; i < h->count; i++)
        conn_close(h->sessions[i]);
    free(h->sessions);
    h->sessions = NULL;
    h->count = 0;
}
