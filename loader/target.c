/* The target as it is: its tables, and which of them are those of the dump. */
#include "loader/load_inner.h"

#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/schema/read.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- names ---- */

/* The name as a server that does not mind case keeps it in mind: letters other than ASCII's are
 * the server's to fold. */
static enum err_code fold_add(struct load_run *run, const char *name, struct strbuf *out,
                              struct err *err)
{
    struct strbuf sql = {0};
    char *folded = NULL;
    bool ascii = true;
    enum err_code rc;

    for (const char *p = name; *p; p++)
        ascii = ascii && (unsigned char)*p < 0x80;
    if (ascii) {
        for (; *name; name++)
            strbuf_addch(out, (char)tolower((unsigned char)*name));
        return ERR_OK;
    }
    strbuf_addstr(&sql, "SELECT LOWER(");
    strbuf_add_quotedz(&sql, name);
    strbuf_addch(&sql, ')');
    rc = conn_value(run->conn, strbuf_str(&sql), &folded, err);
    strbuf_release(&sql);
    if (!rc)
        strbuf_addstr(out, folded ? folded : name);
    free(folded);
    return rc;
}

/* Database and table, folded where the target folds them, as one key. */
static enum err_code name_key(struct load_run *run, const char *db, const char *name, char **key,
                              struct err *err)
{
    struct strbuf sb = {0};
    enum err_code rc = ERR_OK;

    if (!run->fold_names) {
        strbuf_addstr(&sb, db);
        strbuf_addch(&sb, '\n');
        strbuf_addstr(&sb, name);
    } else {
        rc = fold_add(run, db, &sb, err);
        strbuf_addch(&sb, '\n');
        if (!rc)
            rc = fold_add(run, name, &sb, err);
    }
    if (rc)
        strbuf_release(&sb);
    else
        *key = strbuf_detach(&sb);
    return rc;
}

struct keyed_table {
    char *key;
    const struct table *table;
};

static int keyed_compare(const void *a, const void *b)
{
    const struct keyed_table *x = a;
    const struct keyed_table *y = b;

    return strcmp(x->key, y->key);
}

/* Each picked table's own key, and its table on the target. */
static enum err_code target_find(struct load_run *run, struct err *err)
{
    struct keyed_table *keyed = xcalloc(run->target->table_count + 1, sizeof *keyed);
    size_t count = 0;
    enum err_code rc = ERR_OK;

    for (; !rc && count < run->target->table_count; count += !rc) {
        const struct table *t = &run->target->tables[count];

        keyed[count].table = t;
        rc = name_key(run, t->db, t->name, &keyed[count].key, err);
    }
    if (count > 0)
        qsort(keyed, count, sizeof *keyed, keyed_compare);
    for (size_t i = 0; !rc && i < run->table_count; i++) {
        struct load_table *t = &run->tables[i];
        struct keyed_table wanted = {0}, *found;

        rc = t->key ? ERR_OK : name_key(run, t->db, t->name, &t->key, err);
        if (rc)
            break;
        wanted.key = t->key;
        found = count ? bsearch(&wanted, keyed, count, sizeof *keyed, keyed_compare) : NULL;
        t->target = found ? found->table : NULL;
        t->found_id = 0;
    }
    for (size_t i = 0; i < count; i++)
        free(keyed[i].key);
    free(keyed);
    return rc;
}

/* Objects that would be one on the target: by case alone, or because the renames say so. */
enum err_code target_names_differ(const struct load_run *run, struct err *err)
{
    struct keyed_table *sorted = xcalloc(run->table_count + 1, sizeof *sorted);
    enum err_code rc = ERR_OK;

    for (size_t i = 0; i < run->table_count; i++)
        sorted[i] = (struct keyed_table){run->tables[i].key, NULL};
    if (run->table_count > 0)
        qsort(sorted, run->table_count, sizeof *sorted, keyed_compare);
    for (size_t i = 1; !rc && i < run->table_count; i++) {
        const char *first = NULL, *second = NULL;

        if (keyed_compare(&sorted[i - 1], &sorted[i]) != 0)
            continue;
        for (size_t k = 0; k < run->table_count; k++)
            if (strcmp(run->tables[k].key, sorted[i].key) == 0) {
                first = first ? first : run->tables[k].label;
                second = run->tables[k].label;
            }
        rc = err_set(err, ERR_LOAD_SCHEMA,
                     "%s and %s would be one object on the target, whose names do "
                     "not mind case; rename one of them (--rename), or leave it out with "
                     "a filter and --case-sensitive",
                     first, second);
    }
    free(sorted);
    return rc;
}

/* A pattern for everything in database `db`. */
static char *database_pattern(const char *db)
{
    struct strbuf sb = {0};

    strbuf_add_ident(&sb, db);
    strbuf_addstr(&sb, ".*");
    return strbuf_detach(&sb);
}

/* The databases of the picked tables, which are sorted by database. */
static enum err_code target_filter(const struct load_run *run, struct filter **filter,
                                   struct err *err)
{
    char **patterns = xcalloc(run->dump->database_count + run->table_count + 1, sizeof *patterns);
    const char **borrowed;
    size_t count = 0;
    enum err_code rc;

    for (size_t i = 0; i < run->dump->database_count; i++)
        patterns[count++] =
            database_pattern(route_database(run->route, run->dump->databases[i].name));
    for (size_t i = 0; i < run->table_count; i++)
        if (i == 0 || strcmp(run->tables[i].db, run->tables[i - 1].db) != 0)
            patterns[count++] = database_pattern(run->tables[i].db);
    borrowed = xcalloc(count + 1, sizeof *borrowed);
    for (size_t i = 0; i < count; i++)
        borrowed[i] = patterns[i];
    rc = filter_new(borrowed, count, false, filter, err);
    for (size_t i = 0; i < count; i++)
        free(patterns[i]);
    free(patterns);
    free(borrowed);
    return rc;
}

/* ---- table ids of TiDB ---- */

struct id_reader {
    struct load_run *run;
    struct load_table **by_target; /* by index in run->target->tables */
};

static enum err_code target_id_row(void *ctx, const struct row *row, struct err *err)
{
    const struct id_reader *reader = ctx;
    const struct schema *target = reader->run->target;
    struct load_table **by_target = reader->by_target;
    char *db, *name;
    const struct table *t;

    if (row->count != 3 || !row->cell[0] || !row->cell[1])
        return err_set(err, ERR_SERVER_UNSUPPORTED, "information_schema.tables has no table id");
    db = xstrndup(row->cell[0], row->len[0]);
    name = xstrndup(row->cell[1], row->len[1]);
    t = schema_find(target, db, name);
    free(db);
    free(name);
    if (t && by_target[t - target->tables] && row->cell[2])
        by_target[t - target->tables]->found_id = strtoull(row->cell[2], NULL, 10);
    return ERR_OK;
}

/* "('db1','db2')": the databases of the picked tables. */
void target_add_databases(const struct load_run *run, struct strbuf *sql)
{
    strbuf_addch(sql, '(');
    for (size_t i = 0; i < run->table_count; i++) {
        if (i > 0 && strcmp(run->tables[i].db, run->tables[i - 1].db) == 0)
            continue;
        strbuf_addstr(sql, i ? "," : "");
        strbuf_add_quotedz(sql, run->tables[i].db);
    }
    strbuf_addch(sql, ')');
}

enum err_code target_ids(struct load_run *run, struct err *err)
{
    struct id_reader reader = {.run = run};
    struct strbuf sql = {0};
    enum err_code rc;

    if (run->flavour.vendor != VENDOR_TIDB || run->table_count == 0)
        return ERR_OK;
    reader.by_target = xcalloc(run->target->table_count + 1, sizeof(struct load_table *));
    for (size_t i = 0; i < run->table_count; i++)
        if (run->tables[i].target)
            reader.by_target[run->tables[i].target - run->target->tables] = &run->tables[i];
    strbuf_addstr(&sql, "SELECT table_schema,table_name,tidb_table_id FROM "
                        "information_schema.tables WHERE table_schema IN ");
    target_add_databases(run, &sql);
    rc = conn_rows(run->conn, &sql, target_id_row, &reader, err);
    strbuf_release(&sql);
    free(reader.by_target);
    return rc;
}

enum err_code target_read(struct load_run *run, struct err *err)
{
    struct filter *filter = NULL;
    char *fold = NULL;
    enum err_code rc;

    schema_free(run->target);
    run->target = NULL;
    rc = conn_value(run->conn, "SELECT @@lower_case_table_names", &fold, err);
    if (!rc)
        rc = target_filter(run, &filter, err);
    if (!rc)
        rc = schema_read(run->conn, filter, &run->target, err);
    filter_free(filter);
    run->fold_names = fold && strcmp(fold, "0") != 0;
    free(fold);
    if (rc)
        return rc;
    rc = target_find(run, err);
    return rc ? rc : target_ids(run, err);
}
