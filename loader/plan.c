/* What is to be loaded: the dump's objects that the filter lets through, the chunks that earlier
 * runs have not finished, and their order. */
#include "loader/stage.h"

#include "formats/dump_position.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/mysql/ident.h"

#include <stdlib.h>
#include <string.h>

static bool plan_wants(const struct load_run *run, const struct dump_table *t)
{
    if (t->kind == TABLE_VIEW && (run->config->no_views || run->config->no_schemas))
        return false;
    if (t->kind == TABLE_VIEW && !run->dump->complete)
        return false; /* what it looks at may be still to come */
    if (t->kind == TABLE_SEQUENCE && run->config->no_schemas)
        return false;
    return filter_match_table(run->filter, t->db, t->name);
}

/* What the dump does without, by --on-table-error skip: said, and the exit status tells. */
static void plan_say_left_out(struct load_run *run)
{
    const struct dump *d = run->dump;

    for (size_t i = 0; d->complete && i < d->left_out_count; i++) {
        if (!filter_match_table(run->filter, d->left_out[i].db, d->left_out[i].name))
            continue;
        run->report->left_out++;
        log_event(LOG_WARN, "load.left-out", F_STR("db", d->left_out[i].db),
                  F_STR("table", d->left_out[i].name), F_STR("why", d->left_out[i].why),
                  F_STR("message", "the dump was made without this table's rows"));
    }
}

/* A rule that names nothing is a slip of the pen, after which tables would come by their old names.
 */
static enum err_code plan_rules_match(const struct load_run *run, struct err *err)
{
    for (size_t i = 0; i < route_count(run->route); i++) {
        const char *db, *table;
        bool found = false;

        route_source(run->route, i, &db, &table);
        for (size_t k = 0; !table && !found && k < run->dump->database_count; k++)
            found = strcmp(run->dump->databases[k].name, db) == 0;
        for (size_t k = 0; !found && k < run->dump->table_count; k++)
            found = strcmp(run->dump->tables[k].db, db) == 0 &&
                    (!table || strcmp(run->dump->tables[k].name, table) == 0);
        if (!found)
            return err_set(err, ERR_USAGE, "--rename: the dump holds no '%s.%s'", db,
                           table ? table : "*");
    }
    return ERR_OK;
}

static int target_name_compare(const void *a, const void *b)
{
    const struct load_table *x = *(const struct load_table *const *)a;
    const struct load_table *y = *(const struct load_table *const *)b;
    int order = strcmp(x->db, y->db);

    return order ? order : strcmp(x->name, y->name);
}

static enum err_code plan_names_differ(const struct load_run *run, struct err *err)
{
    const struct load_table **sorted = xcalloc(run->table_count + 1, sizeof *sorted);
    enum err_code rc = ERR_OK;

    for (size_t i = 0; i < run->table_count; i++)
        sorted[i] = &run->tables[i];
    qsort(sorted, run->table_count, sizeof *sorted, target_name_compare);
    for (size_t i = 1; !rc && i < run->table_count; i++)
        if (target_name_compare(&sorted[i - 1], &sorted[i]) == 0)
            rc = err_set(err, ERR_USAGE, "--rename puts %s.%s and %s.%s onto one another as %s",
                         sorted[i - 1]->dump->db, sorted[i - 1]->dump->name, sorted[i]->dump->db,
                         sorted[i]->dump->name, sorted[i]->label);
    free(sorted);
    return rc;
}

static void plan_source(struct load_run *run)
{
    const struct dump_record *info = &run->dump->info;
    struct err unknown = ERR_INIT;

    if (!info->source_version || !info->vendor ||
        flavour_parse(info->source_version, info->vendor, &run->source, &unknown))
        run->source = (struct flavour){.vendor = VENDOR_MYSQL, .version = 80036};
}

/* What was read in several moments: a table, or one table before another; NULL: nothing. */
static const char *plan_several(const struct load_run *run)
{
    unsigned from = 0;
    unsigned to = 0;

    for (size_t i = 0; i < run->table_count; i++) {
        const struct dump_table *t = run->tables[i].dump;

        if (run->tables[i].several)
            return run->tables[i].label;
        if (t->from && (!from || t->from < from))
            from = t->from;
        if (t->to > to)
            to = t->to;
    }
    if (!from || strcmp(run->dump->epochs[from - 1].consistency, "none") == 0)
        return NULL; /* no replay makes that one moment */
    return dump_one_position(run->dump, from, to) ? NULL : "the dump";
}

/* Rows of several moments are right only when the binlog between them has been applied. */
static enum err_code plan_replay(struct load_run *run, struct err *err)
{
    const struct load_config *config = run->config;
    const char *several = plan_several(run);

    run->replay = !config->no_data && (several || run->dump->binlog_count > 0);
    if (!several || config->no_data || config->dry_run || config->convert == CONVERT_REPORT)
        return ERR_OK;
    if (config->check_conflicts)
        return err_set(err, ERR_USAGE,
                       "%s was read in several snapshots: what its rows would collide with is not "
                       "known before the binlog between them has been applied",
                       several);
    if (run->dump->binlog_count == 0 && !config->replay_source)
        return err_set(err, ERR_USAGE,
                       "%s was read in several snapshots, and the dump does not hold the binlog "
                       "between them: name the server that was dumped with --source",
                       several);
    return ERR_OK;
}

enum err_code plan_tables(struct load_run *run, struct err *err)
{
    const struct load_config *config = run->config;
    struct strbuf label = {0};

    if (!run->filter && filter_new(config->filters, config->filter_count, config->case_sensitive,
                                   &run->filter, err))
        return err->code;
    if (!run->route && route_new(config->renames, config->rename_count, &run->route, err))
        return err->code;
    if (unfinished_open(run, err))
        return err->code;
    if (run->dump->complete && plan_rules_match(run, err))
        return err->code;
    plan_source(run);
    plan_say_left_out(run);
    run->tables = xcalloc(run->dump->table_count + 1, sizeof *run->tables);
    for (size_t i = 0; i < run->dump->table_count; i++) {
        const struct dump_table *t = &run->dump->tables[i];
        struct load_table *lt = &run->tables[run->table_count];

        if (!plan_wants(run, t))
            continue;
        lt->dump = t;
        lt->several = t->from && !dump_one_position(run->dump, t->from, t->to);
        route_table(run->route, t->db, t->name, &lt->db, &lt->name);
        strbuf_reset(&label);
        strbuf_add_name(&label, lt->db, lt->name);
        lt->label = xstrdup(strbuf_str(&label));
        run->table_count++;
    }
    strbuf_release(&label);
    if (run->table_count == 0 && config->filter_count > 0 && run->dump->table_count > 0 &&
        run->dump->complete)
        return err_set(err, ERR_DUMP_NO_TABLES, "none of the dump's %zu tables matches the filter",
                       run->dump->table_count);
    if (run->table_count > 0 && !route_is_empty(run->route) && plan_names_differ(run, err))
        return err->code;
    if (plan_replay(run, err) || columns_ignore(run, err))
        return err->code;
    return foreign_plan(run, err);
}

static void tables_release(struct load_table *tables, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct load_table *t = &tables[i];

        free(t->label);
        free(t->key);
        free(t->load_sql);
        free(t->insert_sql);
        free(t->hex);
        free(t->enum_error);
        free(t->cell_of);
        stage_plan_free(t->stage);
    }
    free(tables);
}

/* The picked tables by their number in the dump, up to the highest one, which is returned; heap. */
static size_t tables_by_id(struct load_run *run, struct load_table ***by_id)
{
    size_t max = 0;

    for (size_t i = 0; i < run->table_count; i++)
        if (run->tables[i].dump->id > max)
            max = run->tables[i].dump->id;
    *by_id = xcalloc(max + 1, sizeof(struct load_table *));
    for (size_t i = 0; i < run->table_count; i++)
        (*by_id)[run->tables[i].dump->id] = &run->tables[i];
    return max;
}

/* What a round has learnt of tables, for the next one. */
static void plan_carry(struct load_run *run, const struct load_table *old, size_t count)
{
    struct load_table **by_id;
    const size_t max = tables_by_id(run, &by_id);

    for (size_t i = 0; i < count; i++) {
        struct load_table *t = old[i].dump->id <= max ? by_id[old[i].dump->id] : NULL;

        if (!t)
            continue;
        t->counted = old[i].counted;
        t->said = old[i].said;
        t->looked = old[i].looked;
        atomic_store(&t->failed, atomic_load(&old[i].failed));
        atomic_store(&t->worker_us, atomic_load(&old[i].worker_us));
    }
    free(by_id);
}

enum err_code plan_again(struct load_run *run, struct err *err)
{
    struct load_table *old = run->tables;
    struct dump *dump = run->dump;
    const size_t count = run->table_count;
    enum err_code rc;

    free(run->chunks);
    run->chunks = NULL;
    run->tables = NULL;
    run->dump = NULL;
    run->chunk_count = run->table_count = 0;
    rc = plan_tables(run, err);
    if (!rc && strcmp(run->dump->info.uuid, dump->info.uuid) != 0)
        rc = err_set(err, ERR_LOAD_STATE,
                     "the dump in %s was thrown away and begun anew while it was being loaded",
                     run->input->text);
    if (!rc)
        plan_carry(run, old, count);
    tables_release(old, count);
    dump_free(dump);
    return rc;
}

/* ---- progress of earlier runs ---- */

struct known_chunks {
    struct chunk_state *chunks; /* in order of their id */
    size_t count, cap;
};

static enum err_code known_chunk(void *ctx, const struct chunk_state *chunk, struct err *err)
{
    struct known_chunks *k = ctx;

    (void)err;
    if (k->count == k->cap) {
        k->cap = k->cap ? k->cap * 2 : 256;
        k->chunks = xreallocarray(k->chunks, k->cap, sizeof *k->chunks);
    }
    k->chunks[k->count++] = *chunk;
    return ERR_OK;
}

static int chunk_compare(const void *a, const void *b)
{
    const struct chunk_state *x = a;
    const struct chunk_state *y = b;

    return x->chunk < y->chunk ? -1 : x->chunk > y->chunk;
}

static const struct chunk_state *known_find(const struct known_chunks *k, uint64_t id)
{
    struct chunk_state key = {.chunk = id};

    return k->count ? bsearch(&key, k->chunks, k->count, sizeof key, chunk_compare) : NULL;
}

static bool dump_has_chunk(const struct dump_table *t, uint64_t id)
{
    size_t low = 0, high = t->chunk_count;

    while (low < high) {
        const size_t mid = low + (high - low) / 2;

        if (t->chunks[mid].id == id)
            return true;
        if (t->chunks[mid].id < id)
            low = mid + 1;
        else
            high = mid;
    }
    return false;
}

static void known_drop(struct known_chunks *k, uint64_t table)
{
    size_t kept = 0;

    for (size_t i = 0; i < k->count; i++)
        if (k->chunks[i].table != table)
            k->chunks[kept++] = k->chunks[i];
    k->count = kept;
}

struct known_tables {
    struct load_table **by_id; /* of the dump's tables; NULL: not picked */
    size_t max;
};

static enum err_code known_table(void *ctx, const struct table_state *t, struct err *err)
{
    struct known_tables *k = ctx;
    struct load_table *lt = t->table <= k->max ? k->by_id[t->table] : NULL;

    (void)err;
    if (!lt)
        return ERR_OK;
    lt->known = true;
    lt->origin = t->origin;
    lt->target_id = t->target_id;
    return ERR_OK;
}

static enum err_code plan_known_tables(struct load_run *run, struct err *err)
{
    struct known_tables k = {0};
    enum err_code rc;

    k.max = tables_by_id(run, &k.by_id);
    rc = state_read_tables(run->conn, &run->state, known_table, &k, err);
    free(k.by_id);
    return rc;
}

struct restart {   /* by the number of a table */
    uint64_t rows; /* loaded of it */
    bool stale;    /* the dump does not have a chunk of it any more: it was started again */
};

/* Tables that the dump has started again since chunks of them were known. */
static enum err_code plan_restarts(struct load_run *run, struct known_chunks *known,
                                   struct err *err)
{
    struct load_table **by_id;
    struct restart *restarts;
    const size_t max = tables_by_id(run, &by_id);
    enum err_code rc = ERR_OK;

    restarts = xcalloc(max + 1, sizeof *restarts);
    for (size_t i = 0; i < known->count; i++) {
        const struct chunk_state *k = &known->chunks[i];

        if (k->table > max || !by_id[k->table])
            continue;
        restarts[k->table].rows += k->rows_done;
        if (!dump_has_chunk(by_id[k->table]->dump, k->chunk))
            restarts[k->table].stale = true;
    }
    for (size_t id = 0; !rc && id <= max; id++)
        if (restarts[id].stale) {
            rc = unfinished_restart(run, by_id[id], restarts[id].rows, err);
            known_drop(known, id);
        }
    free(restarts);
    free(by_id);
    return rc;
}

static enum err_code plan_chunk(struct load_run *run, struct load_table *t,
                                const struct dump_chunk *c, const struct chunk_state *k,
                                struct err *err)
{
    if (k && c->counted && (k->rows_done > c->rows || (k->done && k->rows_done != c->rows)))
        return err_set(err, ERR_LOAD_STATE,
                       "%s: the state says that %llu rows of '%s' are loaded, which has %llu",
                       t->label, (unsigned long long)k->rows_done, c->path,
                       (unsigned long long)c->rows);
    if (k) {
        t->rows_before += k->rows_done;
        t->added_before += k->counts.added;
        t->bytes_before += k->done && c->counted ? c->raw_bytes : k->raw_off;
        t->files_before += k->done;
    }
    if (k && k->done && !run->begun && unfinished_done(run, c, err))
        return err->code;
    if (!k || !k->done)
        run->chunks[run->chunk_count++] =
            (struct load_chunk){t, c, k ? k->rows_done : 0, k ? k->raw_off : 0};
    return ERR_OK;
}

/* Rows in the state for chunks that it does not know. */
static enum err_code plan_add_chunks(struct load_run *run, const struct known_chunks *known,
                                     struct err *err)
{
    struct chunk_state *fresh = xcalloc(run->chunk_count + 1, sizeof *fresh);
    size_t count = 0;
    enum err_code rc;

    for (size_t i = 0; i < run->chunk_count; i++) {
        const struct dump_chunk *c = run->chunks[i].chunk;

        if (!known_find(known, c->id))
            fresh[count++] = (struct chunk_state){.chunk = c->id, .table = c->table->id};
    }
    rc = state_add_chunks(run->conn, &run->state, fresh, count, err);
    free(fresh);
    return rc;
}

static void plan_count(struct load_run *run)
{
    struct progress *p = run->progress;
    const struct dump *d = run->dump;
    uint64_t total = 0, pieces = 0, rows = 0, bytes = 0, done = 0;

    for (size_t i = 0; i < run->table_count; i++) {
        const struct load_table *t = &run->tables[i];

        for (size_t k = 0; k < t->dump->chunk_count; k++)
            total += t->dump->chunks[k].raw_bytes;
        pieces += t->dump->chunk_count;
        rows += t->rows_before;
        bytes += t->bytes_before;
        done += t->files_before;
    }
    atomic_store(&p->rows, rows);
    atomic_store(&p->bytes, bytes);
    atomic_store(&p->pieces, done);
    /* of an unfinished dump the whole is what its own plan estimates */
    if (!d->complete && d->epoch_count && d->epochs[d->epoch_count - 1].data_bytes > total)
        total = d->epochs[d->epoch_count - 1].data_bytes;
    atomic_store(&p->total_bytes, total);
    atomic_store(&p->total_pieces, d->complete ? pieces : 0);
}

enum err_code plan_progress(struct load_run *run, bool *finished, struct err *err)
{
    struct known_chunks known = {0};
    size_t chunks = 0;
    bool all_known = true;
    enum err_code rc;

    for (size_t i = 0; i < run->table_count; i++) {
        struct load_table *t = &run->tables[i];

        chunks += t->dump->chunk_count;
        t->known = false;
        t->rows_before = t->bytes_before = t->files_before = 0;
        t->added_before = 0;
    }
    free(run->chunks); /* of a try that was cut off */
    run->chunk_count = 0;
    run->chunks = xcalloc(chunks + 1, sizeof *run->chunks);
    rc = plan_known_tables(run, err);
    if (!rc)
        rc = state_read_chunks(run->conn, &run->state, known_chunk, &known, err);
    if (!rc && run->leads)
        rc = plan_restarts(run, &known, err);
    for (size_t i = 0; !rc && i < run->table_count; i++) {
        struct load_table *t = &run->tables[i];

        all_known = all_known && t->known;
        if (!unfinished_ready(run, t->dump))
            continue;
        for (size_t k = 0; !rc && k < t->dump->chunk_count; k++) {
            const struct dump_chunk *c = &t->dump->chunks[k];

            rc = plan_chunk(run, t, c, known_find(&known, c->id), err);
        }
    }
    if (!rc)
        *finished = run->dump->complete && run->job.state == JOB_DONE && all_known &&
                    (run->chunk_count == 0 || run->config->no_data);
    if (!rc && run->leads && !*finished && !run->config->no_data)
        rc = plan_add_chunks(run, &known, err);
    if (!rc)
        plan_count(run);
    free(known.chunks);
    return rc;
}

/* ---- order ---- */

struct order_table { /* a table's chunks, [first, first + count) of the plan's */
    size_t first, count;
    size_t columns, rows; /* column c holds chunks c * rows ..: taken row by row */
    size_t row, column;
};

/* The next of the table's chunks: 0, rows, 2 * rows, ..., 1, rows + 1, ...; `count`: none is left.
 */
static size_t order_next(struct order_table *t)
{
    while (t->row < t->rows) {
        size_t i = t->column * t->rows + t->row;

        if (++t->column == t->columns) {
            t->column = 0;
            t->row++;
        }
        if (i < t->count)
            return i;
    }
    return t->count;
}

static size_t order_tables(const struct load_run *run, struct order_table *tables)
{
    size_t threads = run->config->threads ? run->config->threads : 1;
    size_t n = 0;

    for (size_t i = 0; i < run->chunk_count; i++) {
        if (i == 0 || run->chunks[i].table != run->chunks[i - 1].table)
            tables[n++] = (struct order_table){.first = i};
        tables[n - 1].count++;
    }
    for (size_t i = 0; i < n; i++) {
        struct order_table *t = &tables[i];

        t->columns = t->count < threads ? t->count : threads;
        t->rows = (t->count + t->columns - 1) / t->columns;
    }
    return n;
}

void plan_order(struct load_run *run)
{
    struct order_table *tables = xcalloc(run->table_count + 1, sizeof *tables);
    struct load_chunk *ordered = xcalloc(run->chunk_count + 1, sizeof *ordered);
    size_t left = order_tables(run, tables);
    size_t count = 0;

    /* Tables in turn, so that workers meet in one range of one table as late as can be. */
    while (left > 0) {
        size_t kept = 0;

        for (size_t i = 0; i < left; i++) {
            size_t next = order_next(&tables[i]);

            if (next == tables[i].count)
                continue;
            ordered[count++] = run->chunks[tables[i].first + next];
            tables[kept++] = tables[i];
        }
        left = kept;
    }
    free(tables);
    free(run->chunks);
    run->chunks = ordered;
}

void plan_release(struct load_run *run)
{
    tables_release(run->tables, run->table_count);
    free(run->chunks);
    filter_free(run->filter);
    route_free(run->route);
    dump_free(run->dump);
    schema_free(run->target);
}
