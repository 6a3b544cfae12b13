/* The main thread opens the dump and looks at the records and at the listing; then N threads take
 * one file after the other by an atomic counter (definitions first), read it to its end through
 * dump_read (so each block is compared before its rows are parsed, and the whole file's SHA-256 at
 * its end) and count its rows. Faults are kept under one mutex; nothing stops the others but the
 * limit or a cancel.
 *
 * Memory: the records, as for a load, and a block and a row for each thread. */
#include "verify/verify_inner.h"

#include "common/base/mem.h"
#include "formats/segments.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAULTS_DEFAULT 1000
#define FAULT_WORDS_MAX 1200 /* longer ones are cut; an err's message fits */
#define CANCEL_ROWS 4096
#define SCHEMA_MAX_BYTES ((size_t)1 << 30)
/* what may stand behind the last row of a file: ";\n" */
#define FILE_TAIL_MAX 8

static void fault_keep(struct verify_run *run, char *path, char *words)
{
    struct verify_report *r = run->report;
    bool kept;

    (void)pthread_mutex_lock(&run->lock);
    kept = r->fault_count < run->max_faults;
    if (kept) {
        r->faults = xreallocarray(r->faults, r->fault_count + 1, sizeof(*r->faults));
        r->faults[r->fault_count++] = (struct verify_fault){path, words};
    }
    (void)pthread_mutex_unlock(&run->lock);
    if (kept)
        return;
    free(path);
    free(words);
}

void verify_fault(struct verify_run *run, const char *path, const char *fmt, ...)
{
    char words[FAULT_WORDS_MAX];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(words, sizeof(words), fmt, args);
    va_end(args);
    fault_keep(run, xstrdup(path), xstrdup(words));
}

void verify_table_fault(struct verify_run *run, const struct dump_table *t, const char *fmt, ...)
{
    char words[FAULT_WORDS_MAX];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(words, sizeof(words), fmt, args);
    va_end(args);
    fault_keep(run, xasprintf("table %s.%s", t->db, t->name), xstrdup(words));
}

static bool faults_full(struct verify_run *run)
{
    bool full;

    (void)pthread_mutex_lock(&run->lock);
    full = run->report->fault_count >= run->max_faults;
    (void)pthread_mutex_unlock(&run->lock);
    return full;
}

/* ---- files ---- */

/* Reads a chunk to its end; `*outside`: the first row that is not within the chunk's bounds, from
 * 1;
 * `*off`: where the last row ends. */
static enum err_code chunk_read(const struct verify_run *run, const struct dump_chunk *c,
                                uint64_t *rows, uint64_t *outside, uint64_t *off, struct err *err)
{
    struct decoder *decoder = NULL;
    struct verify_range range;
    struct row row;
    bool more = true;
    enum err_code rc = dump_open_chunk(run->dump, c, 0, 0, &decoder, err);

    verify_range_init(&range, c);
    while (!rc) {
        rc = decoder_next(decoder, &row, &more, err);
        if (rc || !more)
            break;
        if (!*outside && !verify_range_holds(&range, &row))
            *outside = decoder_rows(decoder);
        if (decoder_rows(decoder) % CANCEL_ROWS == 0 && cancel_asked(run->cancel))
            rc = err_set(err, ERR_INTERRUPTED, "interrupted");
    }
    if (!rc) {
        *rows = decoder_rows(decoder);
        *off = decoder_offset(decoder);
    }
    decoder_free(decoder);
    return rc;
}

/* How the chunk differs from its record; none of these can be unless records and files were made to
 * fit each other's checksums. */
static bool chunk_compare(struct verify_run *run, const struct dump_chunk *c, uint64_t rows,
                          uint64_t outside, uint64_t off)
{
    if (!c->counted)
        return true;
    if (rows != c->rows)
        verify_fault(run, c->path, "has %" PRIu64 " rows, the manifest says %" PRIu64, rows,
                     c->rows);
    else if (outside)
        verify_fault(run, c->path,
                     "row %" PRIu64 " is not within the range of keys that the manifest gives the "
                     "file",
                     outside);
    else if (off > c->raw_bytes || c->raw_bytes - off > FILE_TAIL_MAX)
        verify_fault(run, c->path,
                     "has rows up to byte %" PRIu64
                     " before compression, the manifest says %" PRIu64 " bytes",
                     off, c->raw_bytes);
    else
        return true;
    return false;
}

static enum err_code chunk_check(struct verify_run *run, size_t index, struct err *err)
{
    const struct dump_chunk *c = run->chunks[index];
    struct err found = ERR_INIT;
    uint64_t rows = 0;
    uint64_t outside = 0;
    uint64_t off = 0;
    enum err_code rc = chunk_read(run, c, &rows, &outside, &off, &found);

    if (rc == ERR_INTERRUPTED)
        return err_set(err, rc, "%s", found.msg);
    atomic_fetch_add(&run->progress->rows, rows);
    atomic_fetch_add(&run->progress->bytes, c->raw_bytes);
    atomic_fetch_add(&run->progress->pieces, 1);
    if (rc)
        verify_fault(run, c->path, "%s", found.msg);
    if (rc || !chunk_compare(run, c, rows, outside, off))
        return ERR_OK;
    run->rows[index] = rows;
    (void)pthread_mutex_lock(&run->lock);
    run->report->files++;
    run->report->rows += rows;
    run->report->raw_bytes += c->counted ? c->raw_bytes : off;
    run->report->stored_bytes += c->digest.bytes;
    (void)pthread_mutex_unlock(&run->lock);
    return ERR_OK;
}

static void schema_check(struct verify_run *run, const struct file_record *f)
{
    struct err err = ERR_INIT;
    struct strbuf text = {.max = SCHEMA_MAX_BYTES};
    enum err_code rc = dump_read_schema(run->dump, f->path, &text, &err);

    strbuf_release(&text);
    atomic_fetch_add(&run->progress->pieces, 1);
    if (rc) {
        verify_fault(run, f->path, "%s", err.msg);
        return;
    }
    (void)pthread_mutex_lock(&run->lock);
    run->report->files++;
    run->report->stored_bytes += f->digest.bytes;
    (void)pthread_mutex_unlock(&run->lock);
}

static void segment_check(struct verify_run *run, const struct segment_record *s)
{
    struct err err = ERR_INIT;
    enum err_code rc = segments_verify(run->dump, s, &err);

    atomic_fetch_add(&run->progress->pieces, 1);
    if (rc) {
        verify_fault(run, s->path, "%s", err.msg);
        return;
    }
    (void)pthread_mutex_lock(&run->lock);
    run->report->files++;
    run->report->stored_bytes += s->digest.bytes;
    (void)pthread_mutex_unlock(&run->lock);
}

static enum err_code verify_work(void *ctx, unsigned worker, struct err *err)
{
    struct verify_run *run = ctx;
    const size_t schemas = run->dump->file_count;
    const size_t files = schemas + run->dump->binlog_count;
    enum err_code rc = ERR_OK;

    (void)worker;
    while (!rc && !faults_full(run)) {
        size_t i = atomic_fetch_add(&run->next, 1);

        if (i >= files + run->chunk_count)
            break;
        if (cancel_asked(run->cancel))
            rc = err_set(err, ERR_INTERRUPTED, "interrupted");
        else if (i < schemas)
            schema_check(run, &run->dump->files[i]);
        else if (i < files)
            segment_check(run, &run->dump->binlog[i - schemas]);
        else
            rc = chunk_check(run, i - files, err);
    }
    return rc;
}

/* ---- records ---- */

static void table_check(struct verify_run *run, const struct dump_table *t)
{
    const char *options = run->dump->info.options;

    if (run->dump->foreign) {
        run->report->tables++;
        return;
    }
    verify_spans(run, t);
    if (t->kind != TABLE_BASE) {
        run->report->tables++;
        return;
    }
    if (!t->done && run->dump->complete)
        verify_table_fault(run, t, "is not done, but the dump has ended");
    else if (t->done && !t->left_out && !t->span_count && options &&
             strstr(options, "\"no-data\":false"))
        verify_table_fault(run, t, "is done, but no range of its rows was read");
    run->report->tables += t->done;
}

/* That the binlog goes from the first epoch to the last one. */
static void binlog_check(struct verify_run *run)
{
    struct err err = ERR_INIT;

    if (segments_check(run->dump, &err))
        verify_fault(run, "binlog", "%s", err.msg);
}

static void chunks_collect(struct verify_run *run)
{
    const struct dump *d = run->dump;
    size_t count = 0;
    uint64_t bytes = 0;

    for (size_t i = 0; i < d->table_count; i++)
        count += d->tables[i].chunk_count;
    run->chunks = xcalloc(count + 1, sizeof(*run->chunks));
    run->rows = xcalloc(count + 1, sizeof(*run->rows));
    for (size_t i = 0; i < d->table_count; i++) {
        const struct dump_table *t = &d->tables[i];

        for (size_t k = 0; k < t->chunk_count; k++) {
            run->chunks[run->chunk_count++] = &t->chunks[k];
            bytes += t->chunks[k].raw_bytes;
        }
        table_check(run, t);
    }
    atomic_store(&run->progress->total_bytes, bytes);
    atomic_store(&run->progress->total_pieces, count + d->file_count + d->binlog_count);
}

/* Where another tool says a table's rows but not a file's; only if every file could be read. */
static void said_rows_check(struct verify_run *run)
{
    size_t at = 0;

    if (!run->dump->foreign || run->report->fault_count)
        return;
    for (size_t i = 0; i < run->dump->table_count; i++) {
        const struct dump_table *t = &run->dump->tables[i];
        uint64_t rows = 0;

        for (size_t k = 0; k < t->chunk_count; k++)
            rows += run->rows[at++];
        if (t->rows_said && rows != t->rows)
            verify_table_fault(run, t,
                               "its %zu files hold %" PRIu64 " rows, metadata says %" PRIu64,
                               t->chunk_count, rows, t->rows);
    }
}

static enum err_code verdict(const struct verify_run *run, struct err *err)
{
    const struct verify_report *r = run->report;
    const char *more = r->fault_count >= run->max_faults ? "at least " : "";
    const char *unfinished = run->dump->complete ? "" : "is not finished, and ";

    if (r->fault_count)
        return err_set(err, ERR_CORRUPT, "the dump %shas %s%zu fault%s, the first: %s: %s",
                       unfinished, more, r->fault_count, r->fault_count == 1 ? "" : "s",
                       r->faults[0].path, r->faults[0].words);
    if (!run->dump->complete)
        return err_set(err, ERR_DUMP_INCOMPLETE,
                       "the dump in %s is not finished: it has no end record (the %" PRIu64
                       " files that it has so far are right)",
                       run->dump->store->text, r->files);
    return ERR_OK;
}

/* One line a table. */
static char *left_out_text(const struct dump *d)
{
    struct strbuf text = {0};

    for (size_t i = 0; i < d->left_out_count; i++)
        strbuf_addf(&text, "LEFT OUT table %s.%s: %s\n", d->left_out[i].db, d->left_out[i].name,
                    d->left_out[i].why);
    return strbuf_detach(&text);
}

static int fault_order(const void *a, const void *b)
{
    const struct verify_fault *x = a;
    const struct verify_fault *y = b;
    int order = strcmp(x->path, y->path);

    return order ? order : strcmp(x->words, y->words);
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
    rc = dump_open(input, true, &dump, err);
    if (rc)
        return rc;
    if (dump_is_spool(dump)) {
        dump_free(dump);
        return err_set(err, ERR_USAGE,
                       "%s is the spool of a ferry copy, whose files go when they are loaded: "
                       "compare the two servers, with --source and --target",
                       input->text);
    }
    run.dump = dump;
    memcpy(report->uuid, dump->info.uuid, sizeof(report->uuid));
    chunks_collect(&run);
    binlog_check(&run);
    rc = verify_listing(&run, err);
    if (!rc)
        rc = pool_start(&pool, "verify", config->threads, verify_work, NULL, &run, err);
    if (!rc)
        rc = pool_join(pool, err);
    if (!rc)
        said_rows_check(&run);
    if (report->fault_count)
        qsort(report->faults, report->fault_count, sizeof(*report->faults), fault_order);
    if (!rc)
        rc = verdict(&run, err);
    report->complete = dump->complete;
    report->foreign = dump->foreign;
    report->left_out = left_out_text(dump);
    free(run.chunks);
    free(run.rows);
    dump_free(dump);
    (void)pthread_mutex_destroy(&run.lock);
    return rc;
}

void verify_report_release(struct verify_report *r)
{
    for (size_t i = 0; i < r->fault_count; i++) {
        free(r->faults[i].path);
        free(r->faults[i].words);
    }
    free(r->faults);
    free(r->left_out);
    memset(r, 0, sizeof(*r));
}
