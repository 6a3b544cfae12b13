#include "formats/encoder_driver.h"

#include "common/base/mem.h"
#include "common/mysql/ident.h"

#include <stdlib.h>

/* What a client session must be set to for the rows to arrive as they are: UTF-8; TIMESTAMPs are
 * UTC; a child may come before its parent; 0 stays 0 in an AUTO_INCREMENT column; zero and invalid
 * dates are values (no NO_ZERO_DATE, ALLOW_INVALID_DATES); backslashes escape (no
 * NO_BACKSLASH_ESCAPES). Not strict, as with mysqldump: '' in an ENUM column, which a server may
 * hold, is an error in strict mode. Comments with a version: Lightning skips them. */
static const char sql_header[] =
    "/*!40101 SET NAMES utf8mb4*/;\n"
    "/*!40103 SET TIME_ZONE='+00:00'*/;\n"
    "/*!40014 SET FOREIGN_KEY_CHECKS=0*/;\n"
    "/*!40101 SET SQL_MODE='NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES'*/;\n";

#define SQL_BETWEEN ((size_t)2) /* ",\n" before a row, and ";\n" behind the last */

struct encoder {
    enum row_format format;
    struct row_shape shape; /* borrows */
    size_t statement_bytes;
    struct csv_dialect dialect;
    bool other_dialect; /* its rows differ from the default's */
    size_t open_bytes;  /* of the statement that is being written; 0: none */
    struct strbuf head; /* SQL: "INSERT INTO ... VALUES\n"; CSV: the header line */
};

static void sql_head(struct strbuf *head, const struct row_shape *shape)
{
    strbuf_addstr(head, "INSERT INTO ");
    strbuf_add_ident(head, shape->table);
    strbuf_addstr(head, " (");
    for (unsigned i = 0; i < shape->count; i++) {
        if (i > 0)
            strbuf_addch(head, ',');
        strbuf_add_ident(head, shape->columns[i]);
    }
    strbuf_addstr(head, ") VALUES\n");
}

static void csv_head(struct strbuf *head, const struct row_shape *shape,
                     const struct csv_dialect *dialect)
{
    const char **names = xcalloc(shape->count, sizeof *names);
    unsigned long *len = xcalloc(shape->count, sizeof *len);
    enum cell_form *forms = xcalloc(shape->count, sizeof *forms);
    const struct row row = {.cell = names, .len = len, .count = shape->count};

    for (unsigned i = 0; i < shape->count; i++) {
        names[i] = shape->columns[i];
        len[i] = strlen(names[i]);
        forms[i] = CELL_TEXT;
    }
    strbuf_grow(head, dialect ? csv_dialect_row_room(dialect, &row) : csv_row_room(&row, forms));
    encoder_filled(head, dialect ? csv_dialect_row_put(dialect, head->str, &row, forms)
                                 : csv_row_put(head->str, &row, forms));
    free(names);
    free(len);
    free(forms);
}

struct encoder *encoder_new(enum row_format format, const struct row_shape *shape,
                            size_t statement_bytes)
{
    struct encoder *e = xcalloc(1, sizeof *e);

    e->format = format;
    e->shape = *shape;
    e->statement_bytes = statement_bytes;
    if (format == ROW_FORMAT_SQL)
        sql_head(&e->head, shape);
    else
        csv_head(&e->head, shape, NULL);
    return e;
}

void encoder_set_dialect(struct encoder *e, const struct csv_dialect *d)
{
    if (e->format != ROW_FORMAT_CSV)
        return;
    e->dialect = *d;
    e->other_dialect = !csv_dialect_default_rows(d);
    strbuf_reset(&e->head);
    if (!d->no_header)
        csv_head(&e->head, &e->shape, e->other_dialect ? d : NULL);
}

static enum err_code encoder_add(struct strbuf *out, const char *text, size_t len, struct err *err)
{
    const enum err_code rc = encoder_reserve(out, len, err);

    if (rc)
        return rc;
    encoder_filled(out, encoder_put(out->str + out->len, text, len));
    return ERR_OK;
}

enum err_code encoder_begin(struct encoder *e, struct strbuf *out, struct err *err)
{
    e->open_bytes = 0;
    if (e->format == ROW_FORMAT_SQL)
        return encoder_add(out, sql_header, sizeof sql_header - 1, err);
    return encoder_add(out, strbuf_str(&e->head), e->head.len, err);
}

/* The row is written behind ",\n" first: only then is its size known. Where it is too much for the
 * statement, once in some thousand rows, it moves behind the head of a new one. */
static enum err_code sql_row(struct encoder *e, const struct row *row, struct strbuf *out,
                             struct err *err)
{
    const size_t room = sql_row_room(row, e->shape.forms) + SQL_BETWEEN + e->head.len;
    const enum err_code rc = encoder_reserve(out, room, err);
    char *to, *start;
    size_t bytes;

    if (rc)
        return rc;
    to = out->str + out->len;
    start = to + SQL_BETWEEN;
    bytes = (size_t)(sql_row_put(start, row, e->shape.forms) - start);
    if (e->open_bytes > 0 && bytes + 2 * SQL_BETWEEN <= e->statement_bytes &&
        e->open_bytes <= e->statement_bytes - bytes - 2 * SQL_BETWEEN) {
        (void)encoder_put(to, ",\n", SQL_BETWEEN);
        e->open_bytes += SQL_BETWEEN + bytes;
        encoder_filled(out, start + bytes);
        return ERR_OK;
    }
    if (e->open_bytes > 0)
        to = encoder_put(to, ";\n", SQL_BETWEEN);
    memmove(to + e->head.len, start, bytes);
    memcpy(to, e->head.str, e->head.len);
    e->open_bytes = e->head.len + bytes;
    encoder_filled(out, to + e->open_bytes);
    return ERR_OK;
}

enum err_code encoder_row(struct encoder *e, const struct row *row, struct strbuf *out,
                          struct err *err)
{
    enum err_code rc;

    if (row->count != e->shape.count)
        return err_set(err, ERR_INTERNAL, "a row of %u cells for the %u columns of '%s'",
                       row->count, e->shape.count, e->shape.table);
    if (e->format == ROW_FORMAT_SQL)
        return sql_row(e, row, out, err);
    if (e->other_dialect) {
        rc = encoder_reserve(out, csv_dialect_row_room(&e->dialect, row), err);
        if (!rc)
            encoder_filled(
                out, csv_dialect_row_put(&e->dialect, out->str + out->len, row, e->shape.forms));
        return rc;
    }
    rc = encoder_reserve(out, csv_row_room(row, e->shape.forms), err);
    if (rc)
        return rc;
    encoder_filled(out, csv_row_put(out->str + out->len, row, e->shape.forms));
    return ERR_OK;
}

enum err_code encoder_end(struct encoder *e, struct strbuf *out, struct err *err)
{
    const bool open = e->open_bytes > 0;

    e->open_bytes = 0;
    return open ? encoder_add(out, ";\n", SQL_BETWEEN, err) : ERR_OK;
}

void encoder_free(struct encoder *e)
{
    if (!e)
        return;
    strbuf_release(&e->head);
    free(e);
}
