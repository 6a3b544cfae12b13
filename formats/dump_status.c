#include "formats/dump_status.h"

#include "common/base/clock.h"
#include "common/base/progress.h"
#include "formats/file_names.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

const char *dump_state_name(enum dump_state s)
{
    static const char *const names[] = {
        [DUMP_RUNNING] = "running", [DUMP_UNFINISHED] = "unfinished", [DUMP_FINISHED] = "finished"};

    return names[s];
}

static void sums_read(const struct dump *d, struct dump_status *s)
{
    for (size_t i = 0; i < d->table_count; i++) {
        const struct dump_table *t = &d->tables[i];

        if (t->kind == TABLE_VIEW || t->kind == TABLE_SEQUENCE) {
            s->others++;
            continue;
        }
        s->tables_begun++;
        s->tables_done += t->done;
        s->rows += t->rows;
        s->raw_bytes += t->raw_bytes;
        s->files += t->chunk_count;
        for (size_t k = 0; k < t->chunk_count; k++)
            s->stored_bytes += t->chunks[k].digest.bytes;
    }
    s->files += d->file_count;
    for (size_t i = 0; i < d->file_count; i++)
        s->stored_bytes += d->files[i].digest.bytes;
}

/* In bytes of the plan: what is done counts whole, what is being read at most its estimate. */
static double share_read(const struct dump *d, const struct epoch_record *last,
                         const struct dump_status *s)
{
    const uint64_t total = last ? last->data_bytes : 0;
    double done = 0;

    if (d->complete)
        return 1;
    for (size_t i = 0; i < d->table_count; i++) {
        const struct dump_table *t = &d->tables[i];
        const uint64_t planned = t->model.data_bytes;

        done += (double)(t->done || t->raw_bytes > planned ? planned : t->raw_bytes);
    }
    if (total)
        return done < (double)total * 0.999 ? done / (double)total : 0.999;
    return s->tables_total ? (double)s->tables_done / (double)s->tables_total : -1;
}

static void status_fill(const struct dump *d, struct dump_status *s)
{
    const struct epoch_record *last = d->epoch_count ? &d->epochs[d->epoch_count - 1] : NULL;

    memcpy(s->uuid, d->info.uuid, sizeof(s->uuid));
    s->epochs = d->epoch_count;
    s->started_us = d->info.started_us;
    s->since_us = d->complete ? d->end.at_us : last ? last->at_us : 0;
    s->tables_total = last ? last->tables : 0;
    sums_read(d, s);
    if (d->complete)
        s->tables_total = s->tables_begun;
    s->share = share_read(d, last, s);
    if (d->complete)
        s->state = DUMP_FINISHED;
}

enum err_code dump_status_read(struct store *store, struct dump_status *out, struct err *err)
{
    struct dump_status s = {.state = DUMP_UNFINISHED, .share = -1};
    struct dump *d = NULL;
    enum err_code rc = lease_view_read(store, LOCK_FILE, &s.owner, err);

    if (rc)
        return rc;
    if (s.owner.held && !s.owner.gone)
        s.state = DUMP_RUNNING;
    rc = dump_open(store, true, &d, err);
    if (rc == ERR_STORE_NOT_FOUND && s.owner.held)
        err_clear(err); /* its writer is about to begin, or died before */
    else if (rc)
        return rc;
    if (d)
        status_fill(d, &s);
    dump_free(d);
    *out = s;
    return ERR_OK;
}

static void time_add(struct strbuf *out, const char *before, int64_t us)
{
    char text[CLOCK_TEXT_MAX];

    if (!us)
        return;
    clock_utc_text(us, text);
    strbuf_addf(out, "%s%s", before, text);
}

static void owner_text(const struct dump_status *s, struct strbuf *out)
{
    if (!s->owner.held)
        return;
    strbuf_addf(
        out,
        "writer: process %" PRId64 " on %s, last sign of life %" PRIu64 ".%" PRIu64 " s ago%s\n",
        s->owner.pid, *s->owner.host ? s->owner.host : "an unknown host", s->owner.age_us / 1000000,
        s->owner.age_us / 100000 % 10, s->owner.gone ? "; it has ended without finishing" : "");
}

void dump_status_text(const struct dump_status *s, struct strbuf *out)
{
    char raw[SIZE_TEXT_MAX];
    char stored[SIZE_TEXT_MAX];

    strbuf_addf(out, "state: %s", dump_state_name(s->state));
    time_add(out, s->state == DUMP_FINISHED ? ", at " : ", this run's snapshot at ", s->since_us);
    strbuf_addch(out, '\n');
    owner_text(s, out);
    if (!*s->uuid) {
        strbuf_addstr(out, "nothing is recorded yet\n");
        return;
    }
    strbuf_addf(out, "dump: %s, %u epoch%s", s->uuid, s->epochs, s->epochs == 1 ? "" : "s");
    time_add(out, ", begun at ", s->started_us);
    strbuf_addf(out, "\ntables: %" PRIu64, s->tables_done);
    if (s->tables_total)
        strbuf_addf(out, " of %" PRIu64, s->tables_total);
    strbuf_addf(out, " done, %" PRIu64 " begun", s->tables_begun - s->tables_done);
    if (s->others)
        strbuf_addf(out, "; %" PRIu64 " views and sequences", s->others);
    size_text(s->raw_bytes, raw);
    size_text(s->stored_bytes, stored);
    strbuf_addf(out, "\nrows: %" PRIu64 "\nbytes: %s, %s in %" PRIu64 " files\n", s->rows, raw,
                stored, s->files);
    if (s->share >= 0)
        strbuf_addf(out, "share: %s%.1f%%\n", s->state == DUMP_FINISHED ? "" : "about ",
                    100 * s->share);
    if (s->state == DUMP_UNFINISHED)
        strbuf_addstr(out, "the same ferry dump command goes on with it\n");
}

static json_t *time_json(int64_t us)
{
    char text[CLOCK_TEXT_MAX];

    if (!us)
        return json_null();
    clock_utc_text(us, text);
    return json_string(text);
}

void dump_status_json(const struct dump_status *s, struct strbuf *out)
{
    json_t *owner = s->owner.held
                        ? json_pack("{s:I, s:s, s:I, s:b}", "pid", (json_int_t)s->owner.pid, "host",
                                    s->owner.host, "age_us", (json_int_t)s->owner.age_us, "gone",
                                    (int)s->owner.gone)
                        : json_null();
    json_t *j = json_pack(
        "{s:s, s:s, s:I, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "state",
        dump_state_name(s->state), "dump", s->uuid, "epochs", (json_int_t)s->epochs, "owner", owner,
        "started", time_json(s->started_us), "since", time_json(s->since_us), "tables_done",
        (json_int_t)s->tables_done, "tables_begun", (json_int_t)s->tables_begun, "tables_total",
        (json_int_t)s->tables_total, "others", (json_int_t)s->others, "rows", (json_int_t)s->rows,
        "raw_bytes", (json_int_t)s->raw_bytes, "stored_bytes", (json_int_t)s->stored_bytes, "files",
        (json_int_t)s->files);
    char *text;

    if (j && s->share >= 0)
        (void)json_object_set_new(j, "share", json_real(s->share));
    text = j ? json_dumps(j, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
    strbuf_addf(out, "%s\n", text ? text : "{}");
    free(text);
    json_decref(j);
}
