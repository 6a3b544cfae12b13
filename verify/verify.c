/* The main thread opens the dump and looks at the records and at the listing; then N threads take
 * one file after the other by an atomic counter, read it to its end through dump_read (so each
 * block is compared before its rows are parsed, and the whole file's SHA-256 at its end) and count
 * its rows. Faults are kept under one mutex; nothing stops the others but the limit or a cancel. */
#include "verify/verify.h"

#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "formats/dump_read.h"
#include "formats/file_names.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define FAULTS_DEFAULT 1000

struct verify_run {
    const struct dump *dump;
    struct progress *progress;
    const struct cancel *cancel;
    struct verify_report *report;
    unsigned max_faults;
    const struct dump_chunk **chunks; /* what the threads go through */
    size_t chunk_count;
    atomic_size_t next;
    pthread_mutex_t lock; /* report */
};

static void fault_add(struct verify_run *run, const char *path, const char *words)
{
    (void)pthread_mutex_lock(&run->lock);
    if (run->report->fault_count < run->max_faults) {
        run->report->faults = xreallocarray(run->report->faults, run->report->fault_count + 1,
                                            sizeof(*run->report->faults));
        run->report->faults[run->report->fault_count++] =
            (struct verify_fault){.path = xstrdup(path), .words = xstrdup(words)};
    }
    (void)pthread_mutex_unlock(&run->lock);
}

static bool faults_full(struct verify_run *run)
{
    bool full;

    (void)pthread_mutex_lock(&run->lock);
    full = run->report->fault_count >= run->max_faults;
    (void)pthread_mutex_unlock(&run->lock);
    return full;
}

/* Reads a chunk to its end; ERR_INTERRUPTED only when cancelled. */
static enum err_code chunk_read(const struct verify_run *run, const struct dump_chunk *c,
                                uint64_t *rows, struct err *err)
{
    struct decoder *decoder = NULL;
    bool more = true;
    enum err_code rc;

    rc = dump_open_chunk(run->dump, c, 0, 0, &decoder, err);
    while (!rc && more) {
        struct row row;

        if ((decoder_rows(decoder) & 0xfff) == 0 && cancel_asked(run->cancel))
            rc = err_set(err, ERR_INTERRUPTED, "interrupted");
        else
            rc = decoder_next(decoder, &row, &more, err);
    }
    if (!rc)
        *rows = decoder_rows(decoder);
    decoder_free(decoder);
    return rc;
}

static enum err_code chunk_check(struct verify_run *run, const struct dump_chunk *c)
{
    struct err err = ERR_INIT;
    uint64_t rows = 0;
    char words[128];
    enum err_code rc = chunk_read(run, c, &rows, &err);

    if (rc == ERR_INTERRUPTED)
        return rc;
    if (rc) {
        fault_add(run, c->path, err.msg);
        return ERR_OK;
    }
    if (rows != c->rows) {
        (void)snprintf(words, sizeof(words), "has %" PRIu64 " rows, the manifest says %" PRIu64,
                       rows, c->rows);
        fault_add(run, c->path, words);
        return ERR_OK;
    }
    atomic_fetch_add(&run->progress->rows, rows);
    atomic_fetch_add(&run->progress->bytes, c->raw_bytes);
    atomic_fetch_add(&run->progress->pieces, 1);
    (void)pthread_mutex_lock(&run->lock);
    run->report->files++;
    run->report->rows += rows;
    run->report->raw_bytes += c->raw_bytes;
    run->report->stored_bytes += c->digest.bytes;
    (void)pthread_mutex_unlock(&run->lock);
    return ERR_OK;
}

static enum err_code verify_work(void *ctx, unsigned worker, struct err *err)
{
    struct verify_run *run = ctx;
    enum err_code rc = ERR_OK;

    (void)worker;
    while (!rc && !faults_full(run)) {
        size_t i = atomic_fetch_add(&run->next, 1);

        if (i >= run->chunk_count)
            break;
        rc = chunk_check(run, run->chunks[i]);
    }
    return rc == ERR_INTERRUPTED ? err_set(err, rc, "interrupted") : rc;
}

/* Two bounds as bytes: the manifest's own, so no collation is needed. */
static bool bound_equal(const struct bound *a, const struct bound *b)
{
    if (a->count != b->count)
        return false;
    for (unsigned i = 0; i < a->count; i++)
        if (a->len[i] != b->len[i] || memcmp(a->cell[i], b->cell[i], a->len[i]) != 0)
            return false;
    return true;
}

static int chunk_order(const void *a, const void *b)
{
    const struct dump_chunk *x = *(const struct dump_chunk *const *)a;
    const struct dump_chunk *y = *(const struct dump_chunk *const *)b;

    if (x->span != y->span)
        return x->span < y->span ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

/* Within each span a chunk begins where the one before it ended. */
static void bounds_check(struct verify_run *run, const struct dump_table *t)
{
    const struct dump_chunk **sorted = xcalloc(t->chunk_count + 1, sizeof(*sorted));

    for (size_t i = 0; i < t->chunk_count; i++)
        sorted[i] = &t->chunks[i];
    qsort(sorted, t->chunk_count, sizeof(*sorted), chunk_order);
    for (size_t i = 1; i < t->chunk_count; i++)
        if (sorted[i]->span == sorted[i - 1]->span && sorted[i]->hi.count &&
            !bound_equal(&sorted[i]->lo, &sorted[i - 1]->hi))
            fault_add(run, sorted[i]->path,
                      "does not begin where the chunk before it ended: rows are missing or twice");
    free(sorted);
}

static void schema_files_check(struct verify_run *run)
{
    for (size_t i = 0; i < run->dump->file_count; i++) {
        struct err err = ERR_INIT;
        struct strbuf text = {.max = (size_t)1 << 30};

        if (dump_read_schema(run->dump, run->dump->files[i].path, &text, &err))
            fault_add(run, run->dump->files[i].path, err.msg);
        else
            run->report->files++;
        strbuf_release(&text);
    }
}

struct path_set {
    const char **paths; /* sorted */
    size_t count;
    struct verify_run *run;
};

static int path_order(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A data or schema file that no record names would be read by tools that do not know the manifest.
 */
static enum err_code listed(void *ctx, const char *path, const struct store_info *info,
                            struct err *err)
{
    struct path_set *set = ctx;
    struct file_name name;

    (void)info;
    (void)err;
    file_name_parse(path, &name);
    if (name.kind != FILE_OTHER && name.kind != FILE_METADATA && name.kind != FILE_MANIFEST &&
        name.kind != FILE_LOCK &&
        !bsearch(&path, set->paths, set->count, sizeof(*set->paths), path_order))
        fault_add(set->run, path, "is named by no record: other tools would read it");
    file_name_release(&name);
    return ERR_OK;
}

static enum err_code listing_check(struct verify_run *run, struct err *err)
{
    struct path_set set = {.run = run};
    enum err_code rc;

    set.paths = xcalloc(run->chunk_count + run->dump->file_count + 1, sizeof(*set.paths));
    for (size_t i = 0; i < run->chunk_count; i++)
        set.paths[set.count++] = run->chunks[i]->path;
    for (size_t i = 0; i < run->dump->file_count; i++)
        set.paths[set.count++] = run->dump->files[i].path;
    qsort(set.paths, set.count, sizeof(*set.paths), path_order);
    rc = store_list(run->dump->store, "", NULL, listed, &set, err);
    free(set.paths);
    return rc;
}

static void chunks_collect(struct verify_run *run)
{
    size_t count = 0;
    uint64_t bytes = 0;

    for (size_t i = 0; i < run->dump->table_count; i++)
        count += run->dump->tables[i].chunk_count;
    run->chunks = xcalloc(count + 1, sizeof(*run->chunks));
    for (size_t i = 0; i < run->dump->table_count; i++) {
        const struct dump_table *t = &run->dump->tables[i];

        for (size_t k = 0; k < t->chunk_count; k++) {
            run->chunks[run->chunk_count++] = &t->chunks[k];
            bytes += t->chunks[k].raw_bytes;
        }
        bounds_check(run, t);
        run->report->tables++;
    }
    atomic_store(&run->progress->total_bytes, bytes);
    atomic_store(&run->progress->total_pieces, count);
}

enum err_code verify_input(const struct verify_config *config, struct store *input,
                           struct progress *progress, const struct cancel *cancel,
                           struct verify_report *report, struct err *err)
{
    struct verify_run run = {.progress = progress,
                             .cancel = cancel,
                             .report = report,
                             .max_faults = config->max_faults ? config->max_faults : FAULTS_DEFAULT,
                             .lock = PTHREAD_MUTEX_INITIALIZER};
    struct dump *dump = NULL;
    struct pool *pool = NULL;
    enum err_code rc;

    memset(report, 0, sizeof(*report));
    rc = dump_open(input, false, &dump, err);
    if (rc)
        return rc;
    run.dump = dump;
    memcpy(report->uuid, dump->info.uuid, sizeof(report->uuid));
    chunks_collect(&run);
    schema_files_check(&run);
    rc = listing_check(&run, err);
    if (!rc)
        rc = pool_start(&pool, "verify", config->threads, verify_work, NULL, &run, err);
    if (!rc)
        rc = pool_join(pool, err);
    if (!rc && report->fault_count)
        rc = err_set(err, ERR_CORRUPT, "the dump has %zu faults, the first: '%s': %s",
                     report->fault_count, report->faults[0].path, report->faults[0].words);
    free(run.chunks);
    dump_free(dump);
    return rc;
}

void verify_report_release(struct verify_report *r)
{
    for (size_t i = 0; i < r->fault_count; i++) {
        free(r->faults[i].path);
        free(r->faults[i].words);
    }
    free(r->faults);
    memset(r, 0, sizeof(*r));
}
