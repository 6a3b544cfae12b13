/* Which rows of a batch does the target refuse? Each is inserted by itself, in a transaction that
 * is rolled back, so that rows which collide inside the batch are found too. */
#include "loader/insert.h"

#include "common/base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ER_DUP_ENTRY 1062

static const struct key *find_key(const struct table *t, const char *name)
{
    for (unsigned i = 0; i < t->key_count; i++)
        if (strcasecmp(t->keys[i].name, name) == 0)
            return &t->keys[i];
    return NULL;
}

/* The key that error 1062 speaks of: its name may hold a dot itself. */
static char *refused_key(const struct load_table *t, const char *words, const struct key **key)
{
    char *whole = refusal_key_of_message(words, "");
    char *name = refusal_key_of_message(words, t->target->name);

    *key = whole ? find_key(t->target, whole) : NULL;
    if (*key) {
        free(name);
        return whole;
    }
    *key = name ? find_key(t->target, name) : NULL;
    free(whole);
    return name;
}

/* Writes the refusal down; the first one of the batch is also kept in `first`. false: the report is
 * full. */
static bool refuse_add(struct worker *w, unsigned i, const struct row *row, const struct err *why,
                       struct err *first)
{
    struct strbuf text = {0};
    const struct key *key = NULL;
    struct refusal r = {
        .db = xstrdup(w->table->db),
        .table = xstrdup(w->table->name),
        .words = xstrdup(why->msg),
        .file = xstrdup(w->chunk->path),
        .row = w->batch.first_row + i + 1,
    };

    if (why->server_errno == ER_DUP_ENTRY) {
        r.key = refused_key(w->table, why->msg, &key);
        if (!r.key)
            r.key = xstrdup("(unknown)");
        if (key)
            refusal_key_values(w->table->target, key, w->table->cell_of, row, &text);
    }
    r.key_values = strbuf_detach(&text);
    if (first->code == ERR_OK) {
        refusal_text(&r, &text);
        (void)err_set(first, r.key ? ERR_LOAD_CONFLICT : ERR_LOAD_BAD_VALUE, "%s",
                      strbuf_str(&text));
        strbuf_release(&text);
    }
    return report_add(w->run, &r);
}

/* Inserts the row. *refused with `why`; an error is not the row's. */
static enum err_code refuse_insert(struct worker *w, const struct row *row, bool *refused,
                                   struct err *why, struct err *err)
{
    unsigned enum_errors = insert_enum_errors(w->table, row);
    uint64_t affected = 0, warnings = 0;
    enum err_code rc;

    err_clear(why);
    *refused = false;
    if (enum_errors > 0)
        return insert_enum_error_row(w, row, enum_errors, refused, why, err);
    strbuf_reset(&w->sql);
    if (insert_row_sql(w->table, row, &w->sql, err))
        return err->code;
    if (w->sql.len > w->run->max_packet) {
        *refused = true;
        (void)err_set(why, ERR_LIMIT,
                      "the row needs a statement of %zu bytes, above the server's "
                      "max_allowed_packet",
                      w->sql.len);
        return ERR_OK;
    }
    rc = conn_exec(w->conn, w->sql.str, w->sql.len, &affected, err);
    if (rc && !insert_error_is_of_row(err))
        return rc;
    if (rc) {
        *refused = true;
        *why = *err;
        err_clear(err);
        return ERR_OK;
    }
    rc = insert_warning_count(w->conn, &warnings, err);
    if (!rc && warnings > 0) {
        *refused = true;
        return insert_warning_words(w->conn, why, err);
    }
    if (!rc && affected != 1) {
        *refused = true;
        (void)err_set(why, ERR_LOAD_ROWS, "the server took the row without storing it");
    }
    return rc;
}

/* A connection within a transaction. */
static enum err_code refuse_begin(struct worker *w, struct err *err)
{
    if (w->conn && !conn_usable(w->conn))
        worker_disconnect(w);
    if (!w->conn && conn_open(w->run->url, CONN_TARGET, "load", &w->conn, err))
        return err->code;
    return conn_execz(w->conn,
                      w->run->flavour.vendor == VENDOR_TIDB ? "BEGIN PESSIMISTIC" : "BEGIN", err);
}

static enum err_code refuse_each(struct worker *w, struct batch_reader *reader, struct err *first,
                                 struct err *err)
{
    enum err_code rc = refuse_begin(w, err);

    for (unsigned i = 0; !rc && i < w->batch.rows; i++) {
        struct err why = ERR_INIT;
        bool refused = false;
        struct row row;

        rc = batch_reader_row(reader, i, &row, err);
        if (!rc)
            rc = refuse_insert(w, &row, &refused, &why, err);
        if (rc || !refused)
            continue;
        if (!refuse_add(w, i, &row, &why, first))
            break;
        if (!w->conn || !conn_usable(w->conn))
            rc = refuse_begin(w, err); /* 8025 and its like end connections */
    }
    return rc;
}

enum err_code refuse_rows(struct worker *w, struct err *err)
{
    struct batch_reader reader;
    struct err first = ERR_INIT;
    struct err ignored = ERR_INIT;
    enum err_code rc;

    batch_reader_init(&reader, &w->batch, w->table->dump->shape.count);
    rc = refuse_each(w, &reader, &first, err);
    batch_reader_release(&reader);
    if (w->conn && (!conn_usable(w->conn) || conn_execz(w->conn, "ROLLBACK", &ignored)))
        worker_disconnect(w);
    if (first.code == ERR_OK)
        return rc;
    *err = first; /* enough is known, whatever ended the search */
    return first.code;
}
