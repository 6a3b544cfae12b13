#include "follower/apply_foreign.h"

#include "common/base/mem.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

void apply_foreigns_release(struct apply_foreigns *f)
{
    for (size_t i = 0; i < f->count; i++) {
        struct apply_foreign *k = &f->foreign[i];

        for (unsigned n = 0; n < k->count; n++) {
            free(k->columns[n]);
            free(k->parent_columns[n]);
        }
        free(k->columns);
        free(k->parent_columns);
        free(k->db);
        free(k->name);
        free(k->key);
        free(k->parent_db);
        free(k->parent);
    }
    free(f->foreign);
    *f = (struct apply_foreigns){0};
}

static char *cell_text(const struct row *row, unsigned i)
{
    return row->cell[i] ? xstrndup(row->cell[i], row->len[i]) : xstrdup("");
}

/* Servers may print a parent's name in another case than its own. */
static uint64_t name_hash(uint64_t sum, const char *name)
{
    for (; *name; name++)
        sum = (sum ^ (uint64_t)tolower((unsigned char)*name)) * UINT64_C(0x100000001b3);
    return (sum ^ 0xff) * UINT64_C(0x100000001b3);
}

static enum err_code foreign_row(void *ctx, const struct row *row, struct err *err)
{
    struct apply_foreigns *f = ctx;
    struct apply_foreign *k = f->count > 0 ? &f->foreign[f->count - 1] : NULL;
    struct apply_foreign is = {cell_text(row, 0),
                               cell_text(row, 1),
                               cell_text(row, 2),
                               cell_text(row, 4),
                               cell_text(row, 5),
                               NULL,
                               NULL,
                               0,
                               0};

    (void)err;
    if (k && strcmp(k->db, is.db) == 0 && strcmp(k->name, is.name) == 0 &&
        strcmp(k->key, is.key) == 0) {
        free(is.db);
        free(is.name);
        free(is.key);
        free(is.parent_db);
        free(is.parent);
    } else {
        f->foreign = xreallocarray(f->foreign, f->count + 1, sizeof *f->foreign);
        k = &f->foreign[f->count++];
        *k = is;
        k->space = name_hash(name_hash(UINT64_C(0x9e3779b97f4a7c15), k->parent_db), k->parent);
    }
    k->columns = xreallocarray(k->columns, k->count + 1, sizeof *k->columns);
    k->parent_columns = xreallocarray(k->parent_columns, k->count + 1, sizeof *k->parent_columns);
    k->columns[k->count] = cell_text(row, 3);
    k->parent_columns[k->count] = cell_text(row, 6);
    k->space = name_hash(k->space, k->parent_columns[k->count++]);
    return ERR_OK;
}

enum err_code apply_foreigns_read(struct conn *c, struct apply_foreigns *out, struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    strbuf_addstr(&sql, "SELECT table_schema,table_name,constraint_name,column_name,"
                        "referenced_table_schema,referenced_table_name,referenced_column_name "
                        "FROM information_schema.key_column_usage "
                        "WHERE referenced_table_name IS NOT NULL "
                        "ORDER BY 1,2,3,ordinal_position");
    rc = conn_rows(c, &sql, foreign_row, out, err);
    strbuf_release(&sql);
    return rc;
}
