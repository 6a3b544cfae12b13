#include "dumper/changes.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "formats/metadata.h"

#include <stdlib.h>
#include <string.h>

/* Whether rows of one epoch and of another are in the dump. */
static bool report_several(const struct ledger *l)
{
    unsigned from = 0;
    unsigned to = 0;

    for (size_t i = 0; i < l->table_count; i++) {
        const struct ledger_table *t = l->tables[i];

        if (t->from && (!from || t->from < from))
            from = t->from;
        if (t->to > to)
            to = t->to;
    }
    return to > from;
}

/* From where on the dump is one state; file NULL: from its position on. */
static struct position report_after(const struct ledger *l)
{
    const struct segment_record *end = l->segment_count ? &l->segments[l->segment_count - 1] : NULL;
    bool moving = false;

    for (unsigned i = 0; i < l->epochs; i++)
        moving = moving || l->places[i].moving;
    if (moving && end)
        return (struct position){end->log_file, end->end, end->gtid};
    if (report_several(l))
        return (struct position){l->last.log_file, l->last.log_pos, l->last.gtid};
    return (struct position){0};
}

void dumper_metadata(const struct dump_run *run, struct strbuf *text)
{
    const struct ledger *l = run->ledger;
    const struct epoch_record *first = &l->first;
    const struct position after = report_after(l);
    size_t count = first->replica_count / METADATA_REPLICA_TEXTS;
    struct metadata_replica *replicas = xcalloc(count + 1, sizeof *replicas);
    const struct metadata m = {
        .started_us = l->dump.started_us,
        .finished_us = clock_utc_us(),
        .source = {.file = first->log_file,
                   .offset = first->log_pos,
                   .gtid = first->gtid ? first->gtid : ""},
        .after = {.file = after.file, .offset = after.offset, .gtid = after.gtid ? after.gtid : ""},
        .replicas = replicas,
        .replica_count = count,
        .named_replicas = run->flavour.vendor == VENDOR_MARIADB,
    };

    for (size_t i = 0; i < count; i++)
        replicas[i].text = (const char *const *)first->replica + i * METADATA_REPLICA_TEXTS;
    if (run->config->metadata == METADATA_DUMPLING) {
        metadata_format(&m, text);
    } else {
        metadata_ini_begin(&m, text);
        for (size_t i = 0; i < l->table_count; i++) {
            const struct ledger_table *t = l->tables[i];
            const struct metadata_table ini = {t->db, t->name, t->rows, t->is_view,
                                               !t->is_table && !t->is_view};

            if (t->recorded)
                metadata_ini_table(&ini, text);
        }
        metadata_ini_end(&m, text);
    }
    free(replicas);
}

static char *report_text(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

void dumper_report(const struct dump_run *run, struct dump_report *report)
{
    const struct ledger *l = run->ledger;
    const struct epoch_record *first = &l->first;

    report->tables = xcalloc(l->table_count + 1, sizeof(*report->tables));
    for (size_t i = 0; i < l->table_count; i++) {
        const struct ledger_table *t = l->tables[i];

        if (!t->recorded)
            continue;
        report->tables[report->table_count++] = (struct dump_report_table){
            .db = xstrdup(t->db),
            .name = xstrdup(t->name),
            .kind = t->is_table  ? "table"
                    : t->is_view ? "view"
                                 : "sequence",
            .rows = t->rows,
            .raw_bytes = t->raw_bytes,
            .stored_bytes = t->stored_bytes,
            .files = t->files,
            .worker_us = t->worker_us,
        };
        report->rows += t->rows;
        report->raw_bytes += t->raw_bytes;
        report->stored_bytes += t->stored_bytes;
        report->files += t->files;
    }
    report->files += l->file_count;
    report->consistency_why = report_text(run->consistency_why);
    report->ddl = report_text(run->ddl_text);
    report->position_hidden = run->position_hidden;
    report->left_out = run->left_out + l->left_out;
    report->epoch = run->epoch;
    report->watched = report_text(dumper_changes_means(run));
    report->consistency = report_text(first->consistency);
    report->log_file = report_text(first->log_file);
    report->log_pos = first->log_pos;
    report->gtid = report_text(first->gtid);
    memcpy(report->uuid, l->dump.uuid, sizeof(report->uuid));
}

void dump_report_release(struct dump_report *r)
{
    for (size_t i = 0; i < r->table_count; i++) {
        free(r->tables[i].db);
        free(r->tables[i].name);
    }
    free(r->tables);
    free(r->consistency);
    free(r->consistency_why);
    free(r->ddl);
    free(r->watched);
    free(r->log_file);
    free(r->gtid);
    *r = (struct dump_report){0};
}
