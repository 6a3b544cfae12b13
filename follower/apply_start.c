/* How far the job is on the target: the point, the marks of transactions that are applied behind
 * it, and the fences of who goes on from there. */
#include "follower/apply_inner.h"

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/mem.h"
#include "common/target/drift.h"
#include "follower/place.h"

#include <stdlib.h>

#define ATOMIC_BYTES_TIDB ((uint64_t)64 << 20)
#define ATOMIC_BYTES ((uint64_t)4 << 30)
#define TIDB_LOAD_JOINS 70600 /* before, LOAD DATA commits by itself */

const char *apply_file_name(struct applier *a, const char *file)
{
    for (size_t i = a->file_count; i > 0; i--)
        if (strcmp(a->files[i - 1], file) == 0)
            return a->files[i - 1];
    a->files = xreallocarray(a->files, a->file_count + 1, sizeof *a->files);
    a->files[a->file_count] = xstrdup(file);
    return a->files[a->file_count++];
}

/* ---- marks ---- */

void apply_marks_release(struct apply_marks *m)
{
    for (size_t i = 0; i < m->count; i++)
        free(m->mark[i].file);
    free(m->mark);
    gtid_set_free(m->gtids);
    *m = (struct apply_marks){0};
}

static int mark_order(const void *x, const void *y)
{
    const struct apply_mark *a = x;
    const struct apply_mark *b = y;
    const int order = strcmp(a->file, b->file);

    return order ? order : a->start < b->start ? -1 : a->start > b->start;
}

static void mark_add(struct apply_marks *m, const char *file, size_t len, uint64_t start)
{
    if (m->count == m->cap) {
        m->cap = m->cap ? 2 * m->cap : 64;
        m->mark = xreallocarray(m->mark, m->cap, sizeof *m->mark);
    }
    m->mark[m->count++] = (struct apply_mark){xstrndup(file, len), start};
}

/* "bin.000001:4,1000;bin.000002:4" */
static enum err_code marks_parse(struct apply_marks *m, const char *text, struct err *err)
{
    while (*text) {
        const char *end = text + strcspn(text, ";");
        const char *colon = end;
        char *at;

        while (colon > text && *colon != ':')
            colon--;
        if (colon == text)
            return err_set(err, ERR_LOAD_STATE, "a mark of applied transactions is not whole");
        at = (char *)(uintptr_t)colon;
        do
            mark_add(m, text, (size_t)(colon - text), strtoull(at + 1, &at, 10));
        while (*at == ',');
        if (at != end)
            return err_set(err, ERR_LOAD_STATE, "a mark of applied transactions is not whole");
        text = end + (*end == ';');
    }
    return ERR_OK;
}

static enum err_code mark_found(void *ctx, uint64_t unit, const char *starts, const char *gtids,
                                struct err *err)
{
    struct applier *a = ctx;

    if (unit >= a->first_unit)
        a->first_unit = unit + 1;
    if (marks_parse(&a->marks, starts, err))
        return err->code;
    if (!*gtids)
        return ERR_OK;
    if (!a->marks.gtids)
        a->marks.gtids = gtid_set_new(GTID_MYSQL);
    return gtid_set_parse(a->marks.gtids, gtids, err);
}

bool apply_marks_have(const struct apply_marks *m, const struct applier_txn *txn)
{
    const struct apply_mark key = {(char *)(uintptr_t)txn->file, txn->start};

    if (txn->gtid && txn->gtid->kind == GTID_MYSQL && m->gtids)
        return gtid_set_contains(m->gtids, txn->gtid);
    return m->count > 0 && bsearch(&key, m->mark, m->count, sizeof key, mark_order) != NULL;
}

/* Marks are of several transactions, and go when all of these are before the point. */
static bool mark_to_come(const struct applied_point *p, const struct apply_mark *m)
{
    const int order = *p->file ? log_file_order(m->file, p->file) : 1;

    return order > 0 || (order == 0 && m->start >= p->offset);
}

/* What the target is, and how far the job is there. */
static enum err_code target_look(struct applier *a, struct conn *c, struct err *err)
{
    char *packet = NULL, *format = NULL;
    enum err_code rc;

    a->tidb = conn_flavour(c)->vendor == VENDOR_TIDB;
    a->load = flavour_at_least(conn_flavour(c), VENDOR_TIDB, TIDB_LOAD_JOINS);
    if (!a->config.atomic_bytes)
        a->config.atomic_bytes = a->tidb ? ATOMIC_BYTES_TIDB : ATOMIC_BYTES;
    rc = conn_value(c, "SELECT @@max_allowed_packet", &packet, err);
    if (!rc && !a->tidb)
        rc = conn_value(c, "SELECT IF(@@log_bin,@@binlog_format,'')", &format, err);
    if (!rc) {
        const size_t most = packet ? (size_t)strtoull(packet, NULL, 10) : 0;

        if (most / 2 < a->packet_bytes && most > 0)
            a->packet_bytes = most / 2;
        a->read_committed = !a->tidb && !(format && strcmp(format, "STATEMENT") == 0);
    }
    free(packet);
    free(format);
    return rc;
}

static enum err_code start_take(struct applier *a, struct conn *c, struct applied_fence *fences,
                                struct err *err)
{
    const uint64_t begun = clock_mono_us();
    struct backoff backoff = {0};
    enum err_code rc;

    for (;;) {
        rc = applied_take(c, &a->state, fences, a->config.threads, err);
        if (!rc || !err_info(rc)->retryable || !conn_usable(c) ||
            clock_mono_us() - begun > a->config.retry_us)
            return rc;
        if (!backoff_wait(&backoff, a->config.cancel))
            return err_set(err, ERR_INTERRUPTED, "stopped");
        err_clear(err);
    }
}

static enum err_code start_state(struct applier *a, struct conn *c,
                                 const struct applier_position *from, struct err *err)
{
    struct applied_point p = {0};
    bool found = false;
    enum err_code rc;

    if (from) {
        p = (struct applied_point){
            (char *)(uintptr_t)from->file, from->offset,    (char *)(uintptr_t)from->gtids,
            (unsigned)from->kind,          from->timestamp, from->transactions};
        rc = applied_first(c, &a->state, &p, err);
        if (rc)
            return rc;
    }
    rc = applied_read(c, &a->state, &found, &p, err);
    if (rc)
        return rc;
    if (!found)
        return err_set(err, ERR_LOAD_STATE, "nothing was ever applied for job %llu in `%s`",
                       (unsigned long long)a->state.job, a->state.schema);
    a->point = p;
    a->point.file = (char *)(uintptr_t)apply_file_name(a, p.file);
    free(p.file);
    if (p.gtid_kind != GTID_NONE) {
        a->gtids = gtid_set_new((enum gtid_kind)p.gtid_kind);
        rc = gtid_set_parse(a->gtids, p.gtids, err);
    }
    a->first_unit = 1;
    if (!rc)
        rc = applied_each(c, &a->state, mark_found, a, err);
    if (!rc)
        rc = applied_part_read(c, &a->state, &a->part, err);
    if (a->marks.count > 0)
        qsort(a->marks.mark, a->marks.count, sizeof *a->marks.mark, mark_order);
    for (size_t i = 0; i < a->marks.count; i++)
        a->old_marks += mark_to_come(&a->point, &a->marks.mark[i]);
    return rc;
}

static enum err_code start_threads(struct applier *a, const struct applied_fence *fences,
                                   struct err *err)
{
    a->first = a->first_unit;
    a->recorded_us = clock_mono_us();
    a->workers = xcalloc(a->config.threads, sizeof *a->workers);
    for (unsigned i = 0; i < a->config.threads; i++) {
        struct apply_worker *w = &a->workers[i];

        w->a = a;
        w->number = i;
        w->fence = fences[i];
        w->writer.packet_bytes = a->packet_bytes;
        w->writer.sql.max = w->writer.rows.max = SIZE_MAX / 2;
        w->writer.load = a->load;
        w->block.max = SIZE_MAX / 2;
    }
    return pool_start(&a->pool, "apply", a->config.threads, apply_work, NULL, a, err);
}

enum err_code applier_start(struct applier *a, const struct applier_position *from,
                            struct applier_position *at, struct err *err)
{
    struct applied_fence *fences = xcalloc(a->config.threads, sizeof *fences);
    struct conn *c = NULL;
    enum err_code rc = conn_open(a->config.target, CONN_TARGET, "follow", &c, err);

    if (!rc)
        rc = target_look(a, c, err);
    if (!rc)
        rc = apply_foreigns_read(c, &a->foreigns, err);
    if (!rc)
        rc = applied_create(c, &a->state, err);
    if (!rc)
        rc = drift_create(c, &a->state, err);
    if (!rc)
        rc = start_take(a, c, fences, err);
    fault_point("follow.taken");
    if (!rc)
        rc = drift_forget(c, &a->state, &a->drift, err);
    if (!rc)
        rc = start_state(a, c, from, err);
    conn_close(c);
    if (!rc)
        rc = start_threads(a, fences, err);
    free(fences);
    if (!rc)
        applier_position(a, at);
    return rc;
}
