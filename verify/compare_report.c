/* What was found: a line for people, a line of JSON, statements that mend the target.
 *
 * The statements do not depend on each other's order: a REPLACE may remove another row that a
 * secondary unique key is in the way of, but on the source no two rows share a key, so that row is
 * wrong itself and gets (or has got) a statement of its own; a DELETE names its row byte for byte,
 * so it cannot hit one that a REPLACE has put in its place. */
#include "verify/compare_inner.h"

#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/target/finding.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define VALUE_SHOWN 60 /* bytes of a value in a line for people */

static enum err_code file_put(FILE *f, const char *path, const struct strbuf *text, struct err *err)
{
    if (!f || fwrite(strbuf_str(text), 1, text->len, f) == text->len)
        return ERR_OK;
    return err_set_errno(err, ERR_IO, errno, "writing '%s'", path);
}

static const char *const fix_head =
    "/* Makes the rows that ferry verify has found different equal to the source's. */\n"
    "SET NAMES utf8mb4;\n"
    "SET time_zone='+00:00';\n"
    "SET sql_mode='STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES';\n"
    "SET foreign_key_checks=0;\n";

enum err_code report_open(struct compare *run, struct err *err)
{
    const struct compare_config *c = run->config;
    struct strbuf head = {0};
    enum err_code rc = ERR_OK;

    if (c->fix_sql) {
        run->fix = fopen(c->fix_sql, "w");
        if (!run->fix)
            return err_set_errno(err, ERR_IO, errno, "opening '%s'", c->fix_sql);
        strbuf_addstr(&head, fix_head);
        if (flavour_at_least(&run->flavour[TARGET_SIDE], VENDOR_TIDB, 40003))
            strbuf_addstr(&head, "SET allow_auto_random_explicit_insert=1;\n");
        rc = file_put(run->fix, c->fix_sql, &head, err);
        strbuf_release(&head);
    }
    if (!rc && c->report) {
        run->json = fopen(c->report, "w");
        if (!run->json)
            rc = err_set_errno(err, ERR_IO, errno, "opening '%s'", c->report);
    }
    return rc;
}

enum err_code report_close(struct compare *run, struct err *err)
{
    enum err_code rc = ERR_OK;

    if (run->fix && fclose(run->fix))
        rc = err_set_errno(err, ERR_IO, errno, "writing '%s'", run->config->fix_sql);
    if (run->json && fclose(run->json))
        rc = err_set_errno(err, ERR_IO, errno, "writing '%s'", run->config->report);
    run->fix = run->json = NULL;
    return rc;
}

bool compare_stops(struct compare *run)
{
    const struct compare_report *r = run->report;
    bool stops;

    pthread_mutex_lock(&run->lock);
    stops = run->failed || cancel_asked(run->cancel);
    if (r->changed + r->missing + r->extra + run->pending_count >= run->config->max_differences)
        stops = run->report->stopped = true;
    pthread_mutex_unlock(&run->lock);
    return stops;
}

/* ---- what a cell looks like ---- */

static enum cell_form cell_form_of(const struct pair_column *c)
{
    switch (c->family) {
    case FAMILY_INTEGER:
    case FAMILY_DECIMAL:
    case FAMILY_REAL:
    case FAMILY_BIT:
    case FAMILY_YEAR:
        return CELL_NUMBER;
    case FAMILY_BYTES:
    case FAMILY_VECTOR:
        return CELL_BYTES;
    case FAMILY_NONE:
    case FAMILY_DATE:
    case FAMILY_TIME:
    case FAMILY_DATETIME:
    case FAMILY_TEXT:
    case FAMILY_JSON:
        break;
    }
    return CELL_TEXT;
}

/* Whole characters of UTF-8. */
static size_t shown_len(const char *cell, size_t len)
{
    if (len <= VALUE_SHOWN)
        return len;
    len = VALUE_SHOWN;
    while (len && ((unsigned char)cell[len] & 0xC0) == 0x80)
        len--;
    return len;
}

static void show_cell(const struct pair_column *c, const struct row *row, unsigned i,
                      struct strbuf *out)
{
    const char *cell = row->cell[i];
    size_t len = cell ? row->len[i] : 0;
    size_t shown = cell ? shown_len(cell, len) : 0;
    enum cell_form form = cell_form_of(c);

    if (!cell)
        strbuf_addstr(out, "NULL");
    else if (form == CELL_NUMBER)
        strbuf_add(out, cell, len);
    else if (form == CELL_BYTES)
        strbuf_add_hex_literal(out, cell, shown);
    else
        strbuf_add_quoted(out, cell, shown);
    if (shown < len)
        strbuf_addf(out, "... (%zu bytes)", len);
}

static bool difference_in(const struct difference *d, unsigned i)
{
    const struct row *a = d->row[SOURCE_SIDE];
    const struct row *b = d->row[TARGET_SIDE];

    return a && b &&
           !cells_equal(d->pair->columns[i].family, a->cell[i], a->len[i], b->cell[i], b->len[i]);
}

static const struct row *difference_row(const struct difference *d)
{
    return d->row[SOURCE_SIDE] ? d->row[SOURCE_SIDE] : d->row[TARGET_SIDE];
}

/* The columns that name the row: the key, or all of them. */
static unsigned naming_count(const struct pair *p)
{
    return p->key[SOURCE_SIDE] ? p->key[SOURCE_SIDE]->part_count : p->column_count;
}

static unsigned naming_column(const struct pair *p, unsigned i)
{
    return p->key[SOURCE_SIDE] ? p->key_columns[i] : i;
}

static void difference_line(const struct difference *d, struct strbuf *out)
{
    const struct pair *p = d->pair;
    const char *before = ": changed ";

    strbuf_add_name(out, p->table[SOURCE_SIDE]->db, p->table[SOURCE_SIDE]->name);
    for (unsigned i = 0; i < naming_count(p); i++) {
        const unsigned at = naming_column(p, i);

        strbuf_addf(out, "%s%s=", i ? ", " : " ", p->columns[at].side[SOURCE_SIDE]->name);
        show_cell(&p->columns[at], difference_row(d), at, out);
    }
    if (d->kind == MISSING_ROW)
        strbuf_addstr(out, ": missing on the target");
    else if (d->kind == EXTRA_ROW)
        strbuf_addstr(out, ": extra on the target");
    if (d->copies > 1)
        strbuf_addf(out, " (%" PRIu64 " copies)", d->copies);
    for (unsigned i = 0; i < p->column_count; i++) {
        if (!difference_in(d, i))
            continue;
        strbuf_addf(out, "%s%s: source ", before, p->columns[i].side[SOURCE_SIDE]->name);
        show_cell(&p->columns[i], d->row[SOURCE_SIDE], i, out);
        strbuf_addstr(out, ", target ");
        show_cell(&p->columns[i], d->row[TARGET_SIDE], i, out);
        before = "; ";
    }
}

/* ---- JSON ---- */

static void json_names(const struct table *t, const char *db_key, const char *table_key,
                       struct strbuf *out)
{
    strbuf_addf(out, "\"%s\":", db_key);
    finding_json_string(t->db, strlen(t->db), out);
    strbuf_addf(out, ",\"%s\":", table_key);
    finding_json_string(t->name, strlen(t->name), out);
}

static void json_cell(const struct pair *p, unsigned i, const struct row *row, bool first,
                      struct strbuf *out)
{
    const struct pair_column *c = &p->columns[i];

    if (!first)
        strbuf_addch(out, ',');
    finding_json_string(c->side[SOURCE_SIDE]->name, strlen(c->side[SOURCE_SIDE]->name), out);
    strbuf_addch(out, ':');
    finding_json_value(cell_form_of(c), row->cell[i], row->cell[i] ? row->len[i] : 0,
                       finding_value_limit(p->column_count), out);
}

static void json_row(const struct pair *p, const struct row *row, struct strbuf *out)
{
    if (!row) {
        strbuf_addstr(out, "null");
        return;
    }
    strbuf_addch(out, '{');
    for (unsigned i = 0; i < p->column_count; i++)
        json_cell(p, i, row, i == 0, out);
    strbuf_addch(out, '}');
}

static void difference_json(const struct difference *d, struct strbuf *out)
{
    static const char *const words[] = {
        [DIFFERENT_ROW] = "changed", [MISSING_ROW] = "missing", [EXTRA_ROW] = "extra"};
    const struct pair *p = d->pair;
    const char *before = "";

    strbuf_addf(out, "{\"kind\":\"%s\",", words[d->kind]);
    json_names(p->table[SOURCE_SIDE], "schema", "table", out);
    strbuf_addch(out, ',');
    json_names(p->table[TARGET_SIDE], "target_schema", "target_table", out);
    strbuf_addf(out, ",\"copies\":%" PRIu64 ",\"key\":", d->copies);
    if (!p->key[SOURCE_SIDE]) {
        strbuf_addstr(out, "null");
    } else {
        strbuf_addch(out, '{');
        for (unsigned i = 0; i < naming_count(p); i++)
            json_cell(p, naming_column(p, i), difference_row(d), i == 0, out);
        strbuf_addch(out, '}');
    }
    strbuf_addstr(out, ",\"columns\":[");
    for (unsigned i = 0; i < p->column_count; i++) {
        const char *name = p->columns[i].side[SOURCE_SIDE]->name;

        if (!difference_in(d, i))
            continue;
        strbuf_addstr(out, before);
        finding_json_string(name, strlen(name), out);
        before = ",";
    }
    strbuf_addstr(out, "],\"source\":");
    json_row(p, d->row[SOURCE_SIDE], out);
    strbuf_addstr(out, ",\"target\":");
    json_row(p, d->row[TARGET_SIDE], out);
    strbuf_addstr(out, "}\n");
}

/* ---- SQL ---- */

static void fix_write_row(const struct difference *d, struct strbuf *out)
{
    const struct pair *p = d->pair;
    const struct row *row = d->row[SOURCE_SIDE];

    strbuf_addstr(out, p->key[SOURCE_SIDE] ? "REPLACE INTO " : "INSERT INTO ");
    strbuf_add_table(out, p->table[TARGET_SIDE]->db, p->table[TARGET_SIDE]->name);
    for (unsigned i = 0; i < p->column_count; i++) {
        strbuf_addstr(out, i ? "," : " (");
        strbuf_add_ident(out, p->columns[i].side[TARGET_SIDE]->name);
    }
    strbuf_addstr(out, ") VALUES ");
    for (unsigned i = 0; i < p->column_count; i++) {
        strbuf_addch(out, i ? ',' : '(');
        cell_literal(&p->columns[i], row->cell[i], row->len[i], out);
    }
    strbuf_addstr(out, ");\n");
}

/* The key in the column's equality, for its index, and each named value byte for byte. */
static void fix_delete_row(const struct difference *d, struct strbuf *out)
{
    const struct pair *p = d->pair;
    const struct row *row = d->row[TARGET_SIDE];

    strbuf_addstr(out, "DELETE FROM ");
    strbuf_add_table(out, p->table[TARGET_SIDE]->db, p->table[TARGET_SIDE]->name);
    for (unsigned i = 0; i < naming_count(p); i++) {
        const unsigned at = naming_column(p, i);
        const struct column *c = p->columns[at].side[TARGET_SIDE];

        strbuf_addstr(out, i ? " AND " : " WHERE ");
        if (p->key[SOURCE_SIDE] && c->type != TYPE_ENUM) {
            key_compare_expr(c, KEY_EQUAL, row->cell[at], row->len[at], out);
            if (p->columns[at].family != FAMILY_TEXT)
                continue;
            strbuf_addstr(out, " AND ");
        }
        cell_exactly(&p->columns[at], TARGET_SIDE, row->cell[at], row->cell[at] ? row->len[at] : 0,
                     out);
    }
    if (!p->key[SOURCE_SIDE])
        strbuf_addf(out, " LIMIT %" PRIu64, d->copies);
    strbuf_addstr(out, ";\n");
}

static void difference_fix(const struct difference *d, struct strbuf *out)
{
    if (d->kind == EXTRA_ROW) {
        fix_delete_row(d, out);
        return;
    }
    for (uint64_t i = 0; i < d->copies; i++)
        fix_write_row(d, out);
}

enum err_code report_row(struct compare *run, const struct difference *d, struct err *err)
{
    struct compare_report *r = run->report;
    uint64_t *const counts[] = {&r->changed, &r->missing, &r->extra};
    struct strbuf line = {0};
    struct strbuf json = {0};
    struct strbuf fix = {0};
    enum err_code rc = ERR_OK;

    json.max = fix.max = SIZE_MAX / 4; /* of one row */
    difference_line(d, &line);
    if (run->config->report)
        difference_json(d, &json);
    if (run->config->fix_sql)
        difference_fix(d, &fix);
    pthread_mutex_lock(&run->lock);
    *counts[d->kind] += d->copies;
    if (run->config->found)
        run->config->found(run->config->found_ctx, strbuf_str(&line));
    rc = file_put(run->fix, run->config->fix_sql, &fix, err);
    if (!rc)
        rc = file_put(run->json, run->config->report, &json, err);
    pthread_mutex_unlock(&run->lock);
    strbuf_release(&line);
    strbuf_release(&json);
    strbuf_release(&fix);
    return rc;
}

enum err_code report_object(struct compare *run, const char *db, const char *name, const char *what,
                            struct err *err)
{
    struct strbuf line = {0};
    struct strbuf json = {0};
    enum err_code rc;

    strbuf_add_name(&line, db, name);
    strbuf_addf(&line, ": %s", what);
    strbuf_addstr(&json, "{\"kind\":\"object\",\"schema\":");
    finding_json_string(db, strlen(db), &json);
    strbuf_addstr(&json, ",\"table\":");
    finding_json_string(name, strlen(name), &json);
    strbuf_addstr(&json, ",\"what\":");
    finding_json_string(what, strlen(what), &json);
    strbuf_addstr(&json, "}\n");
    pthread_mutex_lock(&run->lock);
    run->report->objects++;
    if (run->config->found)
        run->config->found(run->config->found_ctx, strbuf_str(&line));
    rc = file_put(run->json, run->config->report, &json, err);
    pthread_mutex_unlock(&run->lock);
    strbuf_release(&line);
    strbuf_release(&json);
    return rc;
}
