/* What a cut-over shows besides the position: the rows of each table counted on both sides, by
 * threads with a connection to either; the numbers that the target will give to new rows, raised
 * where they are below the source's; and where the target's own log begins that its writers will
 * write. */
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/target/drift.h"
#include "follower/follow_inner.h"

#include <inttypes.h>
#include <stdlib.h>

#define COUNTERS 4
#define NAMED 5 /* tables in an error */

struct count {                /* of one table or sequence */
    uint64_t source, target;  /* rows */
    bool numbered;            /* what follows is known */
    uint64_t from, was, next; /* the next number: on the source; on the target before, and now */
};

struct counting {
    struct follow_run *run;
    struct count *counts; /* by index in run->tables */
    atomic_size_t next;
    atomic_bool stop;
};

struct pair { /* of connections */
    struct conn *source, *target;
};

static bool is_sequence(const struct follow_table *t)
{
    return !t->left_out && !t->definition;
}

static enum err_code number(struct conn *c, const struct strbuf *sql, bool *known, uint64_t *out,
                            struct err *err)
{
    char *value = NULL;
    const enum err_code rc = conn_value(c, strbuf_str(sql), &value, err);

    *known = !rc && value;
    *out = *known ? strtoull(value, NULL, 10) : 0;
    free(value);
    return rc;
}

static enum err_code rows_of(struct conn *c, const char *db, const char *name, uint64_t *out,
                             struct err *err)
{
    struct strbuf sql = {0};
    bool known;
    enum err_code rc;

    strbuf_addstr(&sql, "SELECT COUNT(*) FROM ");
    strbuf_add_table(&sql, db, name);
    rc = number(c, &sql, &known, out, err);
    strbuf_release(&sql);
    return rc ? err_wrap(err, "counting %s.%s", db, name) : ERR_OK;
}

/* ---- AUTO_INCREMENT ---- */

struct row_ids {
    bool known;
    uint64_t next;
};

static enum err_code row_id(void *ctx, const struct row *row, struct err *err)
{
    struct row_ids *ids = ctx;

    (void)err;
    /* Database, table, column, next id; a hidden column is no one's AUTO_INCREMENT. */
    if (row->count < 4 || !row->cell[2] || !row->cell[3] || strncmp(row->cell[2], "_tidb", 5) == 0)
        return ERR_OK;
    ids->known = true;
    ids->next = strtoull(row->cell[3], NULL, 10);
    return ERR_OK;
}

/* What information_schema says there is of one server's store of numbers, and 0 behind an ALTER. */
static enum err_code next_of_tidb(struct conn *c, const char *db, const char *name,
                                  struct row_ids *ids, struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "SHOW TABLE ");
    strbuf_add_table(&sql, db, name);
    strbuf_addstr(&sql, " NEXT_ROW_ID");
    rc = conn_rows(c, &sql, row_id, ids, err);
    strbuf_release(&sql);
    return rc;
}

static enum err_code next_of(struct conn *c, const char *db, const char *name, bool *known,
                             uint64_t *out, struct err *err)
{
    struct row_ids ids = {false, 0};
    struct strbuf sql = {0};
    enum err_code rc;

    if (conn_flavour(c)->vendor == VENDOR_TIDB) {
        rc = next_of_tidb(c, db, name, &ids, err);
        *known = ids.known;
        *out = ids.next;
        return rc;
    }
    strbuf_addstr(&sql, "SELECT auto_increment FROM information_schema.tables WHERE table_schema=");
    strbuf_add_quotedz(&sql, db);
    strbuf_addstr(&sql, " AND table_name=");
    strbuf_add_quotedz(&sql, name);
    rc = number(c, &sql, known, out, err);
    strbuf_release(&sql);
    return rc;
}

static bool numbers_rows(const struct follow_run *run, const struct follow_table *t)
{
    const struct table *target =
        run->target ? schema_find(run->target, t->to_db, t->to_name) : NULL;

    for (unsigned i = 0; target && i < target->column_count; i++)
        if (target->columns[i].auto_increment)
            return true;
    return false;
}

/* Each TiDB server has numbers in store, which the follower's rows may have reached through another
 * one: an ALTER lets all of them forget these, also where the number itself is high enough. */
static enum err_code raise(const struct pair *p, const struct follow_table *t, struct count *n,
                           struct err *err)
{
    const bool tidb = conn_flavour(p->target)->vendor == VENDOR_TIDB;
    struct strbuf sql = {0};
    bool known = false;
    enum err_code rc;

    if (n->was >= n->from && !tidb)
        return ERR_OK;
    strbuf_addstr(&sql, "ALTER TABLE ");
    strbuf_add_table(&sql, t->to_db, t->to_name);
    strbuf_addf(&sql, " AUTO_INCREMENT=%" PRIu64, n->from > n->was ? n->from : n->was);
    rc = conn_exec(p->target, sql.str, sql.len, NULL, err);
    strbuf_release(&sql);
    fault_point("follow.cutover.raised");
    if (!rc)
        rc = next_of(p->target, t->to_db, t->to_name, &known, &n->next, err);
    if (!rc && (!known || n->next < n->from))
        rc = err_set(err, ERR_FOLLOW_CUTOVER,
                     "%s.%s numbers its next row %" PRIu64 " on the target, and %" PRIu64
                     " on the source, though it was raised",
                     t->to_db, t->to_name, n->next, n->from);
    return rc ? err_wrap(err, "AUTO_INCREMENT of %s.%s", t->to_db, t->to_name) : ERR_OK;
}

static enum err_code numbers_of(const struct pair *p, const struct follow_table *t, struct count *n,
                                struct err *err)
{
    bool here = false;
    bool there = false;

    if (next_of(p->source, t->db, t->name, &there, &n->from, err) ||
        next_of(p->target, t->to_db, t->to_name, &here, &n->was, err))
        return err->code;
    n->next = n->was;
    n->numbered = here && there;
    return n->numbered ? raise(p, t, n, err) : ERR_OK;
}

/* ---- sequences of MariaDB ---- */

static enum err_code sequence_at(struct conn *c, const char *db, const char *name, uint64_t *out,
                                 struct err *err)
{
    struct strbuf sql = {0};
    bool known;
    enum err_code rc;

    strbuf_addstr(&sql, "SELECT next_not_cached_value FROM ");
    strbuf_add_table(&sql, db, name);
    rc = number(c, &sql, &known, out, err);
    strbuf_release(&sql);
    return rc;
}

/* The source's next value that none of its caches holds is above all that were given out. SETVAL
 * does not go back. */
static enum err_code sequence_raise(const struct pair *p, const struct follow_table *t,
                                    struct count *n, struct err *err)
{
    const bool tidb = conn_flavour(p->target)->vendor == VENDOR_TIDB;
    struct strbuf sql = {0};
    char *said = NULL;
    enum err_code rc = sequence_at(p->source, t->db, t->name, &n->from, err);

    if (rc)
        return err_wrap(err, "sequence %s.%s", t->db, t->name);
    if (!tidb && sequence_at(p->target, t->to_db, t->to_name, &n->was, err)) {
        if (!conn_usable(p->target))
            return err->code;
        err_clear(err); /* the load has said that the target cannot have it */
        return ERR_OK;
    }
    strbuf_addstr(&sql, "SELECT SETVAL(");
    strbuf_add_table(&sql, t->to_db, t->to_name);
    if (tidb) /* the next one is above what is said */
        strbuf_addf(&sql, ",%" PRIu64 ")", n->from > 0 ? n->from - 1 : 0);
    else
        strbuf_addf(&sql, ",%" PRIu64 ",0)", n->from);
    rc = conn_value(p->target, strbuf_str(&sql), &said, err);
    strbuf_release(&sql);
    free(said);
    if (!rc && !tidb)
        rc = sequence_at(p->target, t->to_db, t->to_name, &n->next, err);
    else
        n->next = n->from;
    n->numbered = rc == ERR_OK;
    return rc ? err_wrap(err, "sequence %s.%s", t->to_db, t->to_name) : ERR_OK;
}

/* ---- the threads ---- */

static enum err_code count_table(struct counting *all, const struct pair *p, size_t i,
                                 struct err *err)
{
    const struct follow_run *run = all->run;
    const struct follow_table *t = run->tables[i];
    struct count *n = &all->counts[i];

    if (t->left_out)
        return ERR_OK;
    if (is_sequence(t))
        return sequence_raise(p, t, n, err);
    if (!run->config->no_counts && (rows_of(p->source, t->db, t->name, &n->source, err) ||
                                    rows_of(p->target, t->to_db, t->to_name, &n->target, err)))
        return err->code;
    return numbers_rows(run, t) ? numbers_of(p, t, n, err) : ERR_OK;
}

static enum err_code pair_open(const struct follow_run *run, struct pair *p, struct err *err)
{
    if (conn_open(run->config->source, CONN_SOURCE, "follow", &p->source, err) ||
        conn_open(run->config->target, CONN_TARGET, "follow", &p->target, err))
        return err->code;
    /* Else it says what the table's next number was some time ago. */
    return flavour_at_least(conn_flavour(p->source), VENDOR_MYSQL, 80000)
               ? conn_execz(p->source, "SET SESSION information_schema_stats_expiry=0", err)
               : ERR_OK;
}

static enum err_code target_expiry(const struct pair *p, struct err *err)
{
    return flavour_at_least(conn_flavour(p->target), VENDOR_MYSQL, 80000)
               ? conn_execz(p->target, "SET SESSION information_schema_stats_expiry=0", err)
               : ERR_OK;
}

static enum err_code counter(void *ctx, unsigned thread, struct err *err)
{
    struct counting *all = ctx;
    struct pair p = {NULL, NULL};
    enum err_code rc;

    (void)thread;
    conn_thread_init();
    rc = pair_open(all->run, &p, err);
    if (!rc)
        rc = target_expiry(&p, err);
    while (!rc && !atomic_load(&all->stop)) {
        const size_t i = atomic_fetch_add(&all->next, 1);

        if (i >= all->run->table_count)
            break;
        if (cancel_asked(all->run->cancel))
            rc = err_set(err, ERR_INTERRUPTED, "interrupted");
        else
            rc = count_table(all, &p, i, err);
    }
    conn_close(p.source);
    conn_close(p.target);
    conn_thread_end();
    return rc;
}

static void counter_failed(void *ctx)
{
    struct counting *all = ctx;

    atomic_store(&all->stop, true);
}

/* ---- what comes of it ---- */

static char *name_text(const char *db, const char *name)
{
    struct strbuf text = {0};

    strbuf_add_name(&text, db, name);
    return strbuf_detach(&text);
}

static void tables_json(const struct counting *all, json_t *proof)
{
    const struct follow_run *run = all->run;
    json_t *tables = json_array();
    json_t *numbers = json_array();

    for (size_t i = 0; i < run->table_count; i++) {
        const struct follow_table *t = run->tables[i];
        const struct count *n = &all->counts[i];
        char *source = name_text(t->db, t->name);
        char *target = name_text(t->to_db, t->to_name);

        if (!t->left_out && !is_sequence(t) && !run->config->no_counts)
            (void)json_array_append_new(tables,
                                        json_pack("{s:s,s:s,s:I,s:I}", "source", source, "target",
                                                  target, "source_rows", (json_int_t)n->source,
                                                  "target_rows", (json_int_t)n->target));
        if (n->numbered)
            (void)json_array_append_new(
                numbers, json_pack("{s:s,s:s,s:I,s:I}", "target", target, "kind",
                                   is_sequence(t) ? "sequence" : "auto_increment", "source_next",
                                   (json_int_t)n->from, "target_next", (json_int_t)n->next));
        free(source);
        free(target);
    }
    (void)json_object_set_new(proof, "tables_counted",
                              json_integer((json_int_t)json_array_size(tables)));
    (void)json_object_set_new(proof, "tables", tables);
    (void)json_object_set_new(proof, "numbers", numbers);
}

static enum err_code counts_equal(const struct counting *all, struct err *err)
{
    const struct follow_run *run = all->run;
    struct strbuf names = {0};
    size_t unequal = 0;

    for (size_t i = 0; i < run->table_count; i++) {
        const struct count *n = &all->counts[i];

        if (n->source == n->target || ++unequal > NAMED)
            continue;
        strbuf_addf(&names, "%s%s.%s (%" PRIu64 " rows, target %" PRIu64 ")",
                    unequal > 1 ? ", " : "", run->tables[i]->db, run->tables[i]->name, n->source,
                    n->target);
    }
    if (unequal && run->config->accept_conflicts)
        log_event(LOG_WARN, "follow.cutover",
                  F_STR("message", "rows that the load left out are missing"),
                  F_STR("tables", strbuf_str(&names)));
    else if (unequal)
        (void)err_set(err, ERR_FOLLOW_CUTOVER, "%zu tables have other numbers of rows: %s%s",
                      unequal, strbuf_str(&names), unequal > NAMED ? ", ..." : "");
    strbuf_release(&names);
    return err->code;
}

/* Rows that repair removed for others: the source may have them, and equal numbers hide that. */
static enum err_code none_removed(struct follow_run *run, void *ctx, struct err *err)
{
    json_t *proof = ctx;
    uint64_t count = 0;

    if (drift_count(run->conn, &run->state, DRIFT_REMOVED, &count, err))
        return err->code;
    (void)json_object_set_new(proof, "rows_removed", json_integer((json_int_t)count));
    if (count == 0)
        return ERR_OK;
    if (!run->config->accept_conflicts)
        return err_set(err, ERR_FOLLOW_CUTOVER,
                       "%" PRIu64 " rows of the target were in the way of others and were removed "
                       "(--on-drift repair), and the source may have them: ferry conflicts lists "
                       "them, and ferry verify --fix-sql mends them; --accept-conflicts cuts over "
                       "all the same",
                       count);
    log_event(LOG_WARN, "follow.cutover",
              F_STR("message", "rows of the target were in the way of others and were removed "
                               "(--on-drift repair)"),
              F_U64("rows", count));
    return ERR_OK;
}

/* Rows that differ by --on-drift log: equal numbers of rows would hide them. */
static enum err_code none_left_out(struct follow_run *run, void *ctx, struct err *err)
{
    json_t *proof = ctx;
    uint64_t count = 0;

    if (drift_count(run->conn, &run->state, DRIFT_LOGGED, &count, err))
        return err->code;
    (void)json_object_set_new(proof, "changes_left_out", json_integer((json_int_t)count));
    if (count == 0)
        return ERR_OK;
    if (!run->config->accept_conflicts)
        return err_set(err, ERR_FOLLOW_CUTOVER,
                       "%" PRIu64 " changes of the source were left out (--on-drift log): ferry "
                       "conflicts lists them, and ferry verify --fix-sql mends their rows; "
                       "--accept-conflicts cuts over all the same",
                       count);
    log_event(LOG_WARN, "follow.cutover",
              F_STR("message", "changes of the source were left out (--on-drift log)"),
              F_U64("changes", count));
    return ERR_OK;
}

/* Where what will be written on the target begins, for who replicates it back. */
static enum err_code target_place(struct follow_run *run, void *ctx, struct err *err)
{
    json_t *proof = ctx;
    struct position at = {0};
    enum err_code rc = position_read(run->conn, &at, err);
    json_t *place = NULL;

    if (rc && err_info(rc)->retryable)
        return rc;
    if (rc)
        log_event(LOG_WARN, "follow.cutover",
                  F_STR("message", "the target's own position cannot be read"),
                  F_STR("cause", err->msg));
    else if (at.file && run->flavour.vendor == VENDOR_TIDB)
        place = json_pack("{s:I}", "tso", (json_int_t)at.offset);
    else if (at.file)
        place = json_pack("{s:s,s:I,s:s}", "file", at.file, "offset", (json_int_t)at.offset, "gtid",
                          at.gtid);
    err_clear(err);
    position_release(&at);
    (void)json_object_set_new(proof, "target", place ? place : json_null());
    return ERR_OK;
}

enum err_code cut_prove(struct follow_run *run, json_t *proof, struct err *err)
{
    struct counting all = {.run = run};
    struct pool *pool = NULL;
    enum err_code rc;

    all.counts = xcalloc(run->table_count + 1, sizeof *all.counts);
    rc = pool_start(&pool, "count", COUNTERS, counter, counter_failed, &all, err);
    if (!rc)
        rc = pool_join(pool, err);
    if (!rc) {
        tables_json(&all, proof);
        rc = counts_equal(&all, err);
    }
    free(all.counts);
    if (!rc)
        rc = again_target(run, none_left_out, proof, err);
    if (!rc)
        rc = again_target(run, none_removed, proof, err);
    return rc ? rc : again_target(run, target_place, proof, err);
}
