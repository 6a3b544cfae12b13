#include "loader/insert.h"

#include <stdlib.h>
#include <string.h>

#define ER_DATA_TRUNCATED 1265

unsigned insert_enum_errors(const struct load_table *t, const struct row *row)
{
    unsigned n = 0;

    for (unsigned i = 0; t->enum_error && i < row->count; i++)
        n += t->enum_error[i] && row->cell[i] && row->len[i] == 0;
    return n;
}

enum err_code insert_warning_count(struct conn *c, uint64_t *count, struct err *err)
{
    char *text = NULL;
    enum err_code rc = conn_value(c, "SHOW COUNT(*) WARNINGS", &text, err);

    if (!rc)
        *count = text ? strtoull(text, NULL, 10) : 0;
    free(text);
    return rc;
}

struct warnings {
    uint64_t all, truncated; /* how many, and how many of them ER_DATA_TRUNCATED */
    struct err *first;       /* words of the first one that is not expected */
};

static enum err_code warnings_read(struct conn *c, struct warnings *w, struct err *err)
{
    struct result *r = NULL;
    bool more = true;
    enum err_code rc = conn_queryz(c, "SHOW WARNINGS", &r, err);

    while (!rc && more) {
        struct row row;

        rc = result_next(r, &row, &more, err);
        if (rc || !more || row.count < 3 || !row.cell[1] || !row.cell[2])
            continue;
        w->all++;
        w->truncated += strtoul(row.cell[1], NULL, 10) == ER_DATA_TRUNCATED;
        if (w->first->code == ERR_OK)
            (void)err_set(w->first, ERR_LOAD_BAD_VALUE, "warning: %.*s (%s)", (int)row.len[2],
                          row.cell[2], row.cell[1]);
    }
    result_free(r);
    return rc;
}

enum err_code insert_warning_words(struct conn *c, struct err *why, struct err *err)
{
    struct warnings w = {.first = why};

    err_clear(why);
    if (warnings_read(c, &w, err))
        return err->code;
    if (why->code == ERR_OK)
        (void)err_set(why, ERR_LOAD_BAD_VALUE, "a warning without words");
    return ERR_OK;
}

bool insert_error_is_of_row(const struct err *err)
{
    static const unsigned others[] = {
        1046, /* no database */
        1049, /* unknown database */
        1054, /* unknown column */
        1064, /* syntax */
        1099, /* read lock */
        1136, /* column count */
        1146, /* no such table */
        1193, /* unknown variable */
        1235, /* not supported */
        1288, /* not updatable */
        1412, /* table definition has changed */
    };

    if (err->code == ERR_LIMIT)
        return true;
    if (err->code != ERR_SQL || err->server_errno == 0)
        return false;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (others[i] == err->server_errno)
            return false;
    return true;
}

static enum err_code loose_insert(struct worker *w, unsigned enum_errors, bool *refused,
                                  struct err *why, struct err *err)
{
    struct warnings warnings = {.first = why};
    uint64_t affected = 0;
    enum err_code rc;

    rc = conn_exec(w->conn, w->sql.str, w->sql.len, &affected, err);
    if (rc && insert_error_is_of_row(err)) {
        *refused = true;
        *why = *err;
        err_clear(err);
        return ERR_OK;
    }
    if (!rc)
        rc = warnings_read(w->conn, &warnings, err);
    if (rc)
        return rc;
    *refused = affected != 1 || warnings.all != enum_errors || warnings.truncated != enum_errors;
    if (*refused && why->code == ERR_OK)
        (void)err_set(why, ERR_LOAD_BAD_VALUE, "the error value of an ENUM was not taken");
    return ERR_OK;
}

enum err_code insert_enum_error_sql(struct worker *w, unsigned enum_errors, bool *refused,
                                    struct err *why, struct err *err)
{
    static const char loosen[] =
        "SET @ferry_sql_mode=@@sql_mode,sql_mode='NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES'";
    enum err_code rc;

    err_clear(why);
    *refused = false;
    rc = conn_execz(w->conn, loosen, err);
    if (!rc)
        rc = loose_insert(w, enum_errors, refused, why, err);
    if (!rc)
        rc = conn_execz(w->conn, "SET sql_mode=@ferry_sql_mode", err);
    if (rc)
        worker_disconnect(w); /* it may no longer be strict */
    return rc;
}
