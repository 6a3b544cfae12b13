/* Undoing what `replace` did, last first: each incoming row goes, the rows that it removed come
 * back. Values are written from the record's own text, so nothing is rounded. */
#include "common/target/finding.h"

#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/target/finding_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define ROWS_A_TRANSACTION 1000

struct undo {
    FILE *f;
    const char *path;
    struct strbuf sql;
    struct strbuf names, values; /* of one INSERT */
    struct finding_member member;
    uint64_t chunk, row; /* the incoming row that was written last */
    struct strbuf put;   /* rows put back for it: JSON objects, each with its NUL */
    bool any, loose;
    uint64_t rows;
};

static enum err_code undo_value(struct undo *u, bool *error_value, struct err *err)
{
    const char *v = u->member.value;
    size_t len = u->member.value_len;
    struct strbuf text = {.max = SIZE_MAX / 4};

    if (*v == '"') {
        finding_json_unescape(v, len, &text);
        strbuf_add_quoted(&u->values, strbuf_str(&text), text.len);
    } else if (len >= 10 && strncmp(v, "{\"hex\":\"", 8) == 0) {
        strbuf_addstr(&u->values, "x'");
        strbuf_add(&u->values, v + 8, len - 10);
        strbuf_addch(&u->values, '\'');
    } else if (len > 10 && strncmp(v, "{\"error\":0", 10) == 0) {
        strbuf_addch(&u->values, '0');
        *error_value = true;
    } else if (*v == '{') {
        strbuf_release(&text);
        return err_set(err, ERR_LOAD_STATE, "a record holds a row that is not whole");
    } else if (strncmp(v, "null", 4) == 0) {
        strbuf_addstr(&u->values, "NULL");
    } else {
        strbuf_add(&u->values, v, len);
    }
    strbuf_release(&text);
    return ERR_OK;
}

static enum err_code undo_insert(struct undo *u, const struct finding *r, struct err *err)
{
    bool bad = false, error_value = false;
    size_t at = 0;

    strbuf_reset(&u->names);
    strbuf_reset(&u->values);
    while (finding_json_next(r->existing, &at, &u->member, &bad)) {
        strbuf_addstr(&u->names, u->names.len ? "," : "");
        strbuf_add_ident(&u->names, strbuf_str(&u->member.name));
        strbuf_addstr(&u->values, u->values.len ? "," : "");
        if (undo_value(u, &error_value, err))
            return err->code;
    }
    if (bad)
        return err_set(err, ERR_LOAD_STATE, "a record's row cannot be read");
    if (error_value)
        strbuf_addstr(&u->sql, "SET sql_mode='NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES';\n");
    /* A later row of the dump may have taken a value that became free meanwhile. */
    strbuf_addstr(&u->sql, "REPLACE INTO ");
    strbuf_add_table(&u->sql, r->db, r->table);
    strbuf_addf(&u->sql, " (%s) VALUES (", strbuf_str(&u->names));
    strbuf_add(&u->sql, strbuf_str(&u->values), u->values.len);
    strbuf_addstr(&u->sql, ");\n");
    if (error_value)
        strbuf_addstr(&u->sql, "SET sql_mode=@ferry_sql_mode;\n");
    u->rows++;
    return ERR_OK;
}

/* One row may be in the way by several keys: it is put back once. */
static bool undo_put_before(struct undo *u, const struct finding *r)
{
    for (size_t at = 0; at < u->put.len; at += strlen(u->put.str + at) + 1)
        if (strcmp(u->put.str + at, r->existing) == 0)
            return true;
    strbuf_add(&u->put, r->existing, r->existing_len + 1);
    return false;
}

static enum err_code undo_record(void *ctx, const struct finding *r, struct err *err)
{
    struct undo *u = ctx;

    if (!r->existing || !r->key_where)
        return err_set(err, ERR_LOAD_STATE, "a record of a replaced row does not hold it");
    if (!u->any || u->chunk != r->chunk || u->row != r->row) {
        if (u->any && u->rows % ROWS_A_TRANSACTION == 0)
            strbuf_addstr(&u->sql, "COMMIT;\nSTART TRANSACTION;\n");
        strbuf_addstr(&u->sql, "DELETE FROM ");
        strbuf_add_table(&u->sql, r->db, r->table);
        strbuf_addf(&u->sql, " WHERE %s;\n", r->key_where);
        strbuf_reset(&u->put);
        u->any = true;
        u->chunk = r->chunk;
        u->row = r->row;
    }
    if (!undo_put_before(u, r) && undo_insert(u, r, err))
        return err->code;
    if (fwrite(strbuf_str(&u->sql), 1, u->sql.len, u->f) != u->sql.len)
        return err_set_errno(err, err_code_of_errno(errno), errno, "cannot write '%s'", u->path);
    strbuf_reset(&u->sql);
    return ERR_OK;
}

static enum err_code undo_body(const struct finding_query *q, FILE *f, const char *path, void *ctx,
                               struct err *err)
{
    static const char head[] =
        "-- Puts back the rows that a load with --on-conflict replace removed, and removes those\n"
        "-- that took their place, last first. Run it with a client that stops at an error.\n"
        "-- A row of today that has a unique key's value of one that is put back goes, too.\n"
        "SET NAMES utf8mb4;\nSET time_zone='+00:00';\nSET foreign_key_checks=0;\n"
        "SET @ferry_sql_mode='STRICT_ALL_TABLES,STRICT_TRANS_TABLES,NO_AUTO_VALUE_ON_ZERO,"
        "ALLOW_INVALID_DATES';\nSET sql_mode=@ferry_sql_mode;\n";
    struct undo u = {.f = f, .path = path};
    struct strbuf *const grow[] = {&u.sql, &u.values, &u.put};
    struct finding_query backwards = *q;
    enum err_code rc = ERR_OK;

    for (size_t i = 0; i < sizeof(grow) / sizeof(grow[0]); i++)
        grow[i]->max = SIZE_MAX / 4;
    backwards.order = FINDING_BACKWARDS;
    backwards.replaced_only = true;
    if (fputs(head, f) == EOF)
        rc = err_set_errno(err, err_code_of_errno(errno), errno, "cannot write '%s'", path);
    if (!rc && conn_flavour(q->conn)->vendor == VENDOR_TIDB)
        (void)fputs("SET allow_auto_random_explicit_insert=1;\n", f);
    (void)fputs("START TRANSACTION;\n", f);
    if (!rc)
        rc = finding_each(&backwards, undo_record, &u, err);
    if (!rc && fputs("COMMIT;\n", f) == EOF)
        rc = err_set_errno(err, err_code_of_errno(errno), errno, "cannot write '%s'", path);
    strbuf_release(&u.names);
    strbuf_release(&u.member.name);
    for (size_t i = 0; i < sizeof(grow) / sizeof(grow[0]); i++)
        strbuf_release(grow[i]);
    *(uint64_t *)ctx = u.rows;
    return rc;
}

enum err_code finding_undo(const struct finding_query *q, const char *path, uint64_t *rows,
                           struct err *err)
{
    struct finding_file_body body = {undo_body, rows};

    *rows = 0;
    return finding_file_write(q, path, &body, err);
}
