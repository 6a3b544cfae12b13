/* Foreign keys: rows come with foreign_key_checks=0, so that no order of tables matters; the
 * server never looks at them again. This does, by one query a foreign key, in the target's own
 * equality. */
#include "loader/load_inner.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/mysql/ident.h"

#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX 10 /* rows a foreign key that are named */
#define ER_BAD_DB 1049
#define ER_NO_SUCH_TABLE 1146

struct foreign_key {
    const char *db, *table, *name, *parent_db, *parent;
    const char **columns, **parents;
    unsigned count;
};
struct foreign_list {
    const struct load_run *run;
    struct arena *arena;
    struct foreign_key *keys;
    size_t count, cap;
};

static const char *foreign_text(struct foreign_list *list, const struct row *row, unsigned i)
{
    return row->cell[i] ? arena_memdup(list->arena, row->cell[i], row->len[i]) : "";
}

/* Of a table that this load writes. */
static bool foreign_is_ours(const struct load_run *run, const char *db, const char *table)
{
    const struct table *t = schema_find(run->target, db, table);

    for (size_t i = 0; t && i < run->table_count; i++)
        if (run->tables[i].target == t)
            return !atomic_load(&run->tables[i].failed) && run->tables[i].dump->chunk_count > 0;
    return false;
}

/* One column of a key; they come in order. */
static enum err_code foreign_row(void *ctx, const struct row *row, struct err *err)
{
    struct foreign_list *list = ctx;
    struct foreign_key k = {0}, *last = list->count ? &list->keys[list->count - 1] : NULL;
    const char **columns;

    if (row->count != 7)
        return err_set(err, ERR_SERVER_UNSUPPORTED, "foreign keys cannot be read");
    k.db = foreign_text(list, row, 0);
    k.table = foreign_text(list, row, 1);
    k.name = foreign_text(list, row, 2);
    if (!last || strcmp(last->db, k.db) != 0 || strcmp(last->table, k.table) != 0 ||
        strcmp(last->name, k.name) != 0) {
        k.parent_db = foreign_text(list, row, 4);
        k.parent = foreign_text(list, row, 5);
        if (!list->keys || list->count == list->cap) {
            list->cap = list->cap ? list->cap * 2 : 16;
            list->keys = xreallocarray(list->keys, list->cap, sizeof *list->keys);
        }
        list->keys[list->count++] = k;
        last = &list->keys[list->count - 1];
    }
    columns = arena_alloc(list->arena, 2 * ((size_t)last->count + 1) * sizeof *columns);
    for (unsigned i = 0; i < last->count; i++) {
        columns[i] = last->columns[i];
        columns[last->count + 1 + i] = last->parents[i];
    }
    columns[last->count] = foreign_text(list, row, 3);
    columns[2 * last->count + 1] = foreign_text(list, row, 6);
    last->columns = columns;
    last->parents = columns + last->count + 1;
    last->count++;
    return ERR_OK;
}

static enum err_code foreign_read(struct foreign_list *list, struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "SELECT table_schema,table_name,constraint_name,column_name,"
                        "referenced_table_schema,referenced_table_name,referenced_column_name FROM "
                        "information_schema.key_column_usage WHERE referenced_table_name IS NOT "
                        "NULL AND table_schema IN ");
    target_add_databases(list->run, &sql);
    strbuf_addstr(&sql, " ORDER BY table_schema,table_name,constraint_name,ordinal_position");
    rc = conn_rows(list->run->conn, &sql, foreign_row, list, err);
    strbuf_release(&sql);
    return rc;
}

/* The children whose parent is not there; a NULL among the columns is no reference. */
static void foreign_query(const struct foreign_key *k, struct strbuf *sql)
{
    strbuf_addstr(sql, "SELECT ");
    for (unsigned i = 0; i < k->count; i++) {
        strbuf_addstr(sql, i ? ",c." : "c.");
        strbuf_add_ident(sql, k->columns[i]);
    }
    strbuf_addstr(sql, " FROM ");
    strbuf_add_table(sql, k->db, k->table);
    strbuf_addstr(sql, " c LEFT JOIN ");
    strbuf_add_table(sql, k->parent_db, k->parent);
    for (unsigned i = 0; i < k->count; i++) {
        strbuf_addstr(sql, i ? " AND p." : " p ON p.");
        strbuf_add_ident(sql, k->parents[i]);
        strbuf_addstr(sql, "=c.");
        strbuf_add_ident(sql, k->columns[i]);
    }
    strbuf_addstr(sql, " WHERE p.");
    strbuf_add_ident(sql, k->parents[0]);
    strbuf_addstr(sql, " IS NULL");
    for (unsigned i = 0; i < k->count; i++) {
        strbuf_addstr(sql, " AND c.");
        strbuf_add_ident(sql, k->columns[i]);
        strbuf_addstr(sql, " IS NOT NULL");
    }
    strbuf_addf(sql, " LIMIT %d", SHOWN_MAX + 1);
}

struct foreign_orphans {
    const struct foreign_key *key;
    unsigned rows;
};

static enum err_code foreign_say(void *ctx, const struct row *row, struct err *err)
{
    struct foreign_orphans *orphans = ctx;
    const struct foreign_key *k = orphans->key;
    struct strbuf text = {0};

    (void)err;
    if (++orphans->rows > SHOWN_MAX) {
        strbuf_addstr(&text, "and more rows");
    } else {
        for (unsigned i = 0; i < k->count; i++) {
            strbuf_addf(&text, "%s%s=", i ? ", " : "", k->columns[i]);
            if (row->cell[i])
                strbuf_add_quoted(&text, row->cell[i], row->len[i] < 200 ? row->len[i] : 200);
            else
                strbuf_addstr(&text, "NULL");
        }
        strbuf_addf(&text, " has no parent in %s.%s", k->parent_db, k->parent);
    }
    log_event(LOG_ERROR, "load.foreign-key", F_STR("db", k->db), F_STR("table", k->table),
              F_STR("foreign_key", k->name), F_STR("message", strbuf_str(&text)));
    strbuf_release(&text);
    return ERR_OK;
}

static enum err_code foreign_check(const struct load_run *run, const struct foreign_key *k,
                                   bool *violated, struct err *err)
{
    struct strbuf sql = {0};
    struct foreign_orphans orphans = {.key = k};
    enum err_code rc;

    foreign_query(k, &sql);
    rc = conn_rows(run->conn, &sql, foreign_say, &orphans, err);
    strbuf_release(&sql);
    if (rc && (err->server_errno == ER_NO_SUCH_TABLE || err->server_errno == ER_BAD_DB)) {
        log_event(LOG_ERROR, "load.foreign-key", F_STR("db", k->db), F_STR("table", k->table),
                  F_STR("foreign_key", k->name), F_STR("parent", k->parent),
                  F_STR("message", "the table that the foreign key names is not on the target"));
        err_clear(err);
        rc = ERR_OK;
        orphans.rows = 1;
    }
    *violated = orphans.rows > 0;
    return rc ? err_wrap(err, "foreign key %s of %s.%s", k->name, k->db, k->table) : ERR_OK;
}

enum err_code foreign_keys_check(struct load_run *run, struct err *err)
{
    struct foreign_list list = {.run = run, .arena = arena_new()};
    uint64_t violated = 0;
    size_t looked = 0;
    enum err_code rc = run->table_count ? foreign_read(&list, err) : ERR_OK;

    for (; !rc && looked < list.count && !cancel_asked(run->cancel); looked++) {
        const struct foreign_key *k = &list.keys[looked];
        bool bad = false;

        if (!foreign_is_ours(run, k->db, k->table))
            continue;
        rc = foreign_check(run, k, &bad, err);
        violated += bad;
    }
    free(list.keys);
    arena_free(list.arena);
    if (rc)
        return rc;
    if (looked < list.count)
        return err_set(err, ERR_INTERRUPTED, "interrupted while foreign keys were looked at");
    run->report->keys_violated = violated;
    if (violated > 0)
        return err_set(err, ERR_LOAD_FOREIGN_KEY,
                       "rows of %llu foreign %s have no parent; all rows are loaded",
                       (unsigned long long)violated, violated == 1 ? "key" : "keys");
    return ERR_OK;
}
