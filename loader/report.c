/* What a load leaves to say: the refused rows, the figures of each table, a dry run's list. */
#include "loader/load_inner.h"

#include "common/base/mem.h"

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

bool report_add(struct load_run *run, struct refusal *r)
{
    bool room;

    pthread_mutex_lock(&run->lock);
    room = run->refusal_count < LOAD_REFUSALS_MAX;
    if (room)
        run->refusals[run->refusal_count++] = *r;
    pthread_mutex_unlock(&run->lock);
    if (!room)
        refusal_release(r);
    return room;
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
            .rows = t->rows_before + atomic_load(&t->rows),
            .raw_bytes = t->bytes_before + atomic_load(&t->bytes),
            .files = t->files_before + atomic_load(&t->files),
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
    if (run->refusal_count > 0) {
        r->refusals = xcalloc(run->refusal_count, sizeof *r->refusals);
        memcpy(r->refusals, run->refusals, run->refusal_count * sizeof *r->refusals);
        r->refusal_count = run->refusal_count;
        run->refusal_count = 0;
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
