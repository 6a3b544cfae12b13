/* What is asked of a server once, for all items. */
#include "check/check_inner.h"

#include "common/mysql/ident.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum err_code side_open(struct check_side *s, enum conn_profile profile, struct err *err)
{
    if (!s->url)
        return ERR_OK;
    if (conn_open(s->url, profile, "check", &s->conn, &s->why)) {
        s->conn = NULL;
        return ERR_OK; /* an outcome */
    }
    s->was_open = true;
    s->flavour = *conn_flavour(s->conn);
    return side_facts(s, err);
}

/* What the server refuses is unknown; only a lost connection ends the questions. */
static enum err_code refused_is_fine(struct check_side *s, struct err *err)
{
    if (err->code && conn_usable(s->conn))
        err_clear(err);
    return err->code;
}

static enum err_code variable_row(void *ctx, const struct row *row, struct err *err)
{
    struct check_side *s = ctx;
    struct variable *v;

    (void)err;
    if (row->count < 2 || !row->cell[0])
        return ERR_OK;
    if (s->variable_count % 256 == 0)
        s->variables = xreallocarray(s->variables, s->variable_count + 256, sizeof(*s->variables));
    v = &s->variables[s->variable_count++];
    v->name = xstrndup(row->cell[0], row->len[0]);
    v->value = xstrndup(row->cell[1] ? row->cell[1] : "", row->cell[1] ? row->len[1] : 0);
    return ERR_OK;
}

static int variable_order(const void *a, const void *b)
{
    return strcasecmp(((const struct variable *)a)->name, ((const struct variable *)b)->name);
}

static enum err_code variables_read(struct check_side *s, struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "SHOW GLOBAL VARIABLES");
    rc = conn_rows(s->conn, &sql, variable_row, s, err);
    strbuf_release(&sql);
    if (s->variable_count)
        qsort(s->variables, s->variable_count, sizeof(*s->variables), variable_order);
    return rc ? refused_is_fine(s, err) : ERR_OK;
}

static enum err_code grant_row(void *ctx, const struct row *row, struct err *err)
{
    struct check_side *s = ctx;

    if (row->count < 1 || !row->cell[0])
        return ERR_OK;
    if (grants_add(s->grants, row->cell[0], row->len[0], err))
        err_clear(err); /* what it gives is not counted: errs to "lacks" */
    return ERR_OK;
}

static enum err_code grants_read(struct check_side *s, const char *show, struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, show);
    rc = conn_rows(s->conn, &sql, grant_row, s, err);
    strbuf_release(&sql);
    return rc ? refused_is_fine(s, err) : ERR_OK;
}

/* SHOW GRANTS without FOR counts the active roles in, on all servers that have any. */
enum err_code side_facts(struct check_side *s, struct err *err)
{
    const char *lower;

    if (variables_read(s, err))
        return err->code;
    if (table_limits_read(s->conn, &s->limits, err))
        return err->code;
    lower = variable(s, "lower_case_table_names");
    s->grants =
        grants_new((struct grants_rules){.fold_names = lower && strcmp(lower, "0") != 0,
                                         .literal_names = variable_on(s, "partial_revokes")});
    if (grants_read(s, "SHOW GRANTS", err))
        return err->code;
    if (flavour_at_least(&s->flavour, VENDOR_MARIADB, 101101) &&
        grants_read(s, "SHOW GRANTS FOR PUBLIC", err))
        return err->code;
    if (s->flavour.vendor == VENDOR_MYSQL && s->flavour.version < 80000)
        return ERR_OK;
    return ask(s, "SELECT CURRENT_ROLE()", &s->current_role, err);
}

void side_release(struct check_side *s)
{
    conn_close(s->conn);
    s->conn = NULL;
    for (size_t i = 0; i < s->variable_count; i++) {
        free(s->variables[i].name);
        free(s->variables[i].value);
    }
    free(s->variables);
    grants_free(s->grants);
    free(s->current_role);
    free(s->folded);
    schema_free(s->schema);
}

const char *variable(const struct check_side *s, const char *name)
{
    size_t low = 0;
    size_t high = s->variable_count;

    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        const int order = strcasecmp(name, s->variables[mid].name);

        if (order == 0)
            return s->variables[mid].value;
        if (order > 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

bool variable_on(const struct check_side *s, const char *name)
{
    static const char *const words[] = {"ON", "1", "YES", "TRUE"};
    const char *value = variable(s, name);

    for (size_t i = 0; value && i < sizeof(words) / sizeof(words[0]); i++)
        if (strcasecmp(value, words[i]) == 0)
            return true;
    return false;
}

uint64_t variable_number(const struct check_side *s, const char *name)
{
    const char *value = variable(s, name);

    return value ? strtoull(value, NULL, 10) : 0;
}

enum err_code ask(struct check_side *s, const char *sql, char **value, struct err *err)
{
    *value = NULL;
    if (!conn_value(s->conn, sql, value, err))
        return ERR_OK;
    *value = NULL;
    return refused_is_fine(s, err);
}

char *table_label(const struct table *t)
{
    struct strbuf sb = {0};

    strbuf_add_name(&sb, t->db, t->name);
    return strbuf_detach(&sb);
}

bool table_has_rows(const struct table *t)
{
    return t->kind != TABLE_VIEW && t->kind != TABLE_SEQUENCE;
}

int folded_order(const void *a, const void *b)
{
    const struct table *x = *(const struct table *const *)a;
    const struct table *y = *(const struct table *const *)b;
    const int order = strcasecmp(x->db, y->db);

    return order ? order : strcasecmp(x->name, y->name);
}

void side_fold(struct check_side *s)
{
    const size_t count = s->schema->table_count;

    s->folded = xcalloc(count + 1, sizeof(*s->folded));
    for (size_t i = 0; i < count; i++)
        s->folded[i] = &s->schema->tables[i];
    if (count)
        qsort(s->folded, count, sizeof(*s->folded), folded_order);
}

/* The target folds names unless it says otherwise; ASCII letters are enough to warn by. */
const struct table *target_table(const struct check *c, const struct table *t)
{
    const struct check_side *s = &c->side[TARGET];
    const char *lower = variable(s, "lower_case_table_names");
    struct table wanted = {0};
    const struct table *key = &wanted;
    const struct table **found;

    if (!s->schema)
        return NULL;
    route_table(c->route, t->db, t->name, &wanted.db, &wanted.name);
    if (!lower || strcmp(lower, "0") == 0)
        return schema_find(s->schema, wanted.db, wanted.name);
    found = bsearch(&key, s->folded, s->schema->table_count, sizeof(*s->folded), folded_order);
    return found ? *found : NULL;
}
