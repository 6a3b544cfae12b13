#include "common/target/facts.h"

#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/target/target_inner.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_A_STATEMENT 500

static enum err_code facts_create(struct conn *c, const struct state *s, struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "CREATE TABLE IF NOT EXISTS ");
    state_add_name(&sql, s, "fact");
    strbuf_addstr(&sql, " (job BIGINT UNSIGNED NOT NULL,name VARCHAR(64) NOT NULL,"
                        "value VARCHAR(64) NOT NULL,"
                        "PRIMARY KEY (job, name) /*T![clustered_index] CLUSTERED */)"
                        " ENGINE=InnoDB DEFAULT CHARACTER SET ascii COLLATE ascii_bin");
    rc = conn_exec(c, sql.str, sql.len, NULL, err);
    strbuf_release(&sql);
    return rc;
}

static enum err_code facts_add(struct conn *c, const struct state *s, const struct fact *facts,
                               size_t count, struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc = ERR_OK;

    for (size_t i = 0; !rc && i < count; i++) {
        if (sql.len == 0) {
            strbuf_addstr(&sql, "INSERT IGNORE INTO ");
            state_add_name(&sql, s, "fact");
            strbuf_addstr(&sql, " (job,name,value) VALUES ");
        } else {
            strbuf_addch(&sql, ',');
        }
        strbuf_addf(&sql, "(%" PRIu64 ",", s->job);
        strbuf_add_quotedz(&sql, facts[i].name);
        strbuf_addch(&sql, ',');
        strbuf_add_quotedz(&sql, facts[i].value);
        strbuf_addch(&sql, ')');
        if (i + 1 == count || (i + 1) % ROWS_A_STATEMENT == 0) {
            rc = conn_exec(c, sql.str, sql.len, NULL, err);
            strbuf_reset(&sql);
        }
    }
    strbuf_release(&sql);
    return rc;
}

struct facts_reader {
    const struct fact **sorted; /* by name */
    size_t count;
    const struct fact *differs; /* the first of those given */
    char was[FACT_TEXT_MAX + 1];
};

static int fact_compare(const void *a, const void *b)
{
    const struct fact *x = *(const struct fact *const *)a;
    const struct fact *y = *(const struct fact *const *)b;

    return strcmp(x->name, y->name);
}

static enum err_code fact_row(void *ctx, const struct row *row, struct err *err)
{
    struct facts_reader *r = ctx;
    struct fact key = {0};
    const struct fact *at = &key;
    const struct fact **found;

    if (row->count != 2 || !row->cell[0] || !row->cell[1] || row->len[0] > FACT_TEXT_MAX ||
        row->len[1] > FACT_TEXT_MAX)
        return err_set(err, ERR_LOAD_STATE, "a fact in the state tables is not whole");
    memcpy(key.name, row->cell[0], row->len[0]);
    memcpy(key.value, row->cell[1], row->len[1]);
    found = bsearch(&at, r->sorted, r->count, sizeof *r->sorted, fact_compare);
    if (!found || strcmp((*found)->value, key.value) == 0 || (r->differs && r->differs < *found))
        return ERR_OK;
    r->differs = *found;
    memcpy(r->was, key.value, sizeof r->was);
    return ERR_OK;
}

enum err_code facts_hold(struct conn *c, const struct state *s, const struct fact *facts,
                         size_t count, struct fact_difference *differs, struct err *err)
{
    struct facts_reader r = {.count = count};
    struct strbuf sql = {0};
    enum err_code rc;

    *differs = (struct fact_difference){.index = count};
    if (count == 0)
        return ERR_OK;
    if (facts_create(c, s, err) || facts_add(c, s, facts, count, err))
        return err->code;
    r.sorted = xcalloc(count, sizeof *r.sorted);
    for (size_t i = 0; i < count; i++)
        r.sorted[i] = &facts[i];
    qsort(r.sorted, count, sizeof *r.sorted, fact_compare);
    strbuf_addstr(&sql, "SELECT name,value FROM ");
    state_add_name(&sql, s, "fact");
    strbuf_addf(&sql, " WHERE job=%" PRIu64, s->job);
    rc = conn_rows(c, &sql, fact_row, &r, err);
    strbuf_release(&sql);
    free(r.sorted);
    if (!rc && r.differs) {
        differs->index = (size_t)(r.differs - facts);
        memcpy(differs->was, r.was, sizeof r.was);
    }
    return rc;
}
