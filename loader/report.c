/* What a load leaves to say: the refused rows, the figures of each table, a dry run's list. */
#include "loader/load_inner.h"

#include "common/base/mem.h"
#include "common/target/finding.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *kind_name(enum table_kind kind)
{
    switch (kind) {
    case TABLE_VIEW:
        return "view";
    case TABLE_SEQUENCE:
        return "sequence";
    case TABLE_BASE:
    case TABLE_VERSIONED:
    case TABLE_OTHER:
        break;
    }
    return "table";
}

void report_hold(struct refusals *list, struct refusal *r)
{
    if (list->count == LOAD_REFUSALS_MAX) {
        refusal_release(r);
        return;
    }
    if (!list->items)
        list->items = xcalloc(LOAD_REFUSALS_MAX, sizeof *list->items);
    list->items[list->count++] = *r;
}

void report_drop(struct refusals *list)
{
    for (size_t i = 0; i < list->count; i++)
        refusal_release(&list->items[i]);
    free(list->items);
    *list = (struct refusals){0};
}

void report_take(struct load_run *run, struct refusals *list)
{
    pthread_mutex_lock(&run->lock);
    for (size_t i = 0; i < list->count; i++)
        report_hold(&run->refusals, &list->items[i]);
    pthread_mutex_unlock(&run->lock);
    free(list->items);
    *list = (struct refusals){0};
}

/* ---- records ---- */

static struct load_report_conflicts *conflicts_of(struct load_report *r, const char *db,
                                                  const char *name)
{
    struct load_report_conflicts *last =
        r->conflict_count ? &r->conflicts[r->conflict_count - 1] : NULL;

    if (last && strcmp(last->db, db) == 0 && strcmp(last->name, name) == 0)
        return last;
    r->conflicts = xreallocarray(r->conflicts, r->conflict_count + 1, sizeof *r->conflicts);
    last = &r->conflicts[r->conflict_count++];
    *last = (struct load_report_conflicts){.db = xstrdup(db), .name = xstrdup(name)};
    return last;
}

static void conflicts_release(struct load_report *r)
{
    for (size_t i = 0; i < r->conflict_count; i++) {
        free(r->conflicts[i].db);
        free(r->conflicts[i].name);
    }
    free(r->conflicts);
    r->conflicts = NULL;
    r->conflict_count = 0;
}

static enum err_code report_sum(void *ctx, const struct finding_sum *sum, struct err *err)
{
    struct load_report *r = ctx;
    struct load_report_conflicts *c = conflicts_of(r, sum->db, sum->table);
    uint64_t *const by_done[] = {[FINDING_STOPPED] = &c->stopped,
                                 [FINDING_IGNORED] = &c->ignored,
                                 [FINDING_REPLACED] = &c->replaced,
                                 [FINDING_CHECKED] = &c->checked,
                                 [FINDING_SKIPPED] = &c->bad_values};

    (void)err;
    if (sum->kind == FINDING_BAD_VALUE)
        c->bad_values += sum->count;
    else
        *by_done[sum->done] += sum->count;
    c->identical += sum->identical;
    return ERR_OK;
}

static enum err_code report_counts(void *ctx, const struct chunk_state *chunk, struct err *err)
{
    struct load_report *r = ctx;

    (void)err;
    r->waved += chunk->counts.identical;
    r->skipped += chunk->counts.skipped;
    return ERR_OK;
}

enum err_code report_conflicts(struct load_run *run, struct err *err)
{
    struct load_report *r = run->report;
    struct finding_query q = {.conn = run->conn, .state = &run->state, .order = FINDING_BY_ROW};
    enum err_code rc;

    conflicts_release(r); /* of a try that was cut off */
    r->waved = r->skipped = 0;
    rc = finding_sums(run->conn, &run->state, report_sum, r, err);
    if (!rc)
        rc = state_read_chunks(run->conn, &run->state, report_counts, r, err);
    if (rc || !run->config->conflict_report)
        return rc;
    rc = conn_open(run->url, CONN_TARGET, "load", &q.more, err);
    if (!rc)
        rc = finding_report(&q, run->config->conflict_report, &r->records, err);
    conn_close(q.more);
    return rc;
}

static int refusal_compare(const void *a, const void *b)
{
    const struct refusal *x = a;
    const struct refusal *y = b;
    int order = strcmp(x->file, y->file);

    if (order)
        return order;
    return x->row < y->row ? -1 : x->row > y->row;
}

void report_fill(struct load_run *run)
{
    struct load_report *r = run->report;

    if (run->dump)
        memcpy(r->uuid, run->dump->info.uuid, sizeof r->uuid);
    r->tables = xcalloc(run->table_count + 1, sizeof *r->tables);
    for (size_t i = 0; i < run->table_count; i++) {
        const struct load_table *t = &run->tables[i];
        struct load_report_table *out = &r->tables[r->table_count++];

        *out = (struct load_report_table){
            .db = xstrdup(t->db),
            .name = xstrdup(t->name),
            .kind = kind_name(t->dump->kind),
            .rows = t->rows_before + atomic_load(&t->rows) + atomic_load(&t->others_rows),
            .raw_bytes = t->bytes_before + atomic_load(&t->bytes) + atomic_load(&t->others_bytes),
            .files = t->files_before + atomic_load(&t->files) + atomic_load(&t->others_files),
            .worker_us = atomic_load(&t->worker_us),
        };
        r->rows += out->rows;
        r->raw_bytes += out->raw_bytes;
        r->files += out->files;
    }
    r->rows_now = atomic_load(&run->rows_now);
    r->retries = atomic_load(&run->retries);
    r->careful_batches = atomic_load(&run->careful_batches);
    r->local_refused = atomic_load(&run->local_refused);
    if (run->refusals.count > 0) {
        r->refusals = run->refusals.items;
        r->refusal_count = run->refusals.count;
        run->refusals = (struct refusals){0};
        qsort(r->refusals, r->refusal_count, sizeof *r->refusals, refusal_compare);
    }
}

void load_report_release(struct load_report *r)
{
    for (size_t i = 0; i < r->table_count; i++) {
        free(r->tables[i].db);
        free(r->tables[i].name);
    }
    free(r->tables);
    for (size_t i = 0; i < r->refusal_count; i++)
        refusal_release(&r->refusals[i]);
    free(r->refusals);
    for (size_t i = 0; i < r->loader_count; i++)
        free(r->loaders[i].owner);
    free(r->loaders);
    conflicts_release(r);
    strbuf_release(&r->programs);
    *r = (struct load_report){0};
}

void report_dry_run(const struct load_run *run)
{
    uint64_t rows = 0, bytes = 0;
    char size[SIZE_TEXT_MAX];

    for (size_t i = 0; i < run->table_count; i++) {
        const struct load_table *t = &run->tables[i];

        size_text(t->dump->raw_bytes, size);
        (void)printf("%-8s %s: %" PRIu64 " rows, %s in %zu files; %s\n", kind_name(t->dump->kind),
                     t->label, t->dump->rows, size, t->dump->chunk_count,
                     t->clear == CLEAR_DROP       ? "to be dropped and created"
                     : t->clear == CLEAR_TRUNCATE ? "to be emptied"
                     : t->target                  ? "exists on the target"
                                                  : "to be created");
        rows += t->dump->rows;
        bytes += t->dump->raw_bytes;
    }
    size_text(bytes, size);
    (void)printf("%zu objects, %" PRIu64 " rows, %s\n", run->table_count, rows, size);
}
