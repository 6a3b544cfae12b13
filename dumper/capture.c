/* The capture is a binlog_reader over a source that keeps what passes through it:
 *
 *   server's stream -> kept in the segment's file -> binlog_reader -> transactions, judged
 *
 * The reader frames transactions, counts GTIDs, refuses what cannot be repeated, and reconnects at
 * the last whole transaction; events that come again after that are passed on and not kept twice. A
 * segment is finished between two transactions when it is large or old enough, or inside of one
 * that is larger than two segments. Its record is appended then; both become durable together, with
 * the manifest's next group. */
#include "dumper/capture.h"

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/mysql/binlog_stream.h"
#include "common/schema/ddl_names.h"
#include "formats/binlog_reader.h"
#include "formats/segments.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HEARTBEAT_MS 100U               /* how soon a quiet stream is looked at */
#define CAPTURE_US ((uint64_t)10000000) /* how old a segment gets, where chunks get any age */
#define LOOK_MS 50                      /* how soon a waiting main thread looks for a stop */

struct capture_name { /* of DDL */
    char *file;
    uint64_t offset;
    char *db, *table;
};
struct capture {
    struct binlog_source base; /* what the reader reads from */
    struct dump_run *run;
    struct binlog_source *stream;
    struct binlog_reader *reader;
    struct pool *pool;
    struct cancel cancel;

    /* the thread's */
    struct strbuf format; /* the file's format description, whole */
    bool after_format;
    uint64_t expected; /* format descriptions of the first file bear this time; 0: any */
    uint64_t number;   /* of the next segment */
    char *file;        /* the next event is expected there, */
    uint64_t end;      /* at this offset */
    char *gtid;        /* whole transactions before the segment in work; NULL: not known */
    struct segment_writer *writer; /* NULL: none is in work */
    uint64_t since_us;             /* it was begun */
    struct err failed;             /* what kept an event from being kept */

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t moved;
    char *done_file; /* whole transactions are captured up to here */
    uint64_t done_offset;
    char *until_file; /* where it is to end; NULL: it goes on */
    uint64_t until_offset;
    bool ended;
    struct err why; /* it has stopped by itself; code 0: it has not */
    struct capture_name *ddl;
    size_t ddl_count, ddl_cap;
};

/* ---- keeping ---- */

static bool capture_between(const struct capture *c)
{
    const struct binlog_position at = binlog_reader_position(c->reader);

    return at.file && strcmp(at.file, c->file) == 0 && at.offset == c->end;
}

static char *capture_gtid(const struct capture *c)
{
    const struct binlog_position at = binlog_reader_position(c->reader);
    struct strbuf text = {0};

    if (!at.gtids)
        return NULL;
    gtid_set_text(at.gtids, &text);
    return strbuf_detach(&text);
}

/* Finishes the segment in work and records it. */
static enum err_code capture_cut(struct capture *c, bool open, struct err *err)
{
    struct dump_run *run = c->run;
    struct record r = {.kind = RECORD_SEGMENT};
    enum err_code rc;

    fault_point("dump.capture.cut");
    rc = segment_writer_finish(c->writer, &r.u.segment, err);
    if (rc)
        return rc;
    segment_writer_free(c->writer);
    c->writer = NULL;
    r.u.segment.open = open;
    r.u.segment.gtid_from = c->gtid;
    c->gtid = capture_gtid(c);
    r.u.segment.gtid = c->gtid ? xstrdup(c->gtid) : NULL;
    rc = manifest_append(run->manifest, &r, err);
    fault_point("dump.capture.record");
    if (!rc)
        log_event(LOG_DEBUG, "dump.capture.segment", F_STR("path", r.u.segment.path),
                  F_STR("file", r.u.segment.log_file), F_U64("start", r.u.segment.start),
                  F_U64("end", r.u.segment.end), F_U64("transactions", r.u.segment.transactions));
    if (!rc) {
        pthread_mutex_lock(&run->lock);
        rc = ledger_add_segment(run->ledger, &r.u.segment, err);
        pthread_mutex_unlock(&run->lock);
    }
    record_release(&r);
    return rc;
}

static enum err_code capture_open(struct capture *c, struct err *err)
{
    c->since_us = clock_mono_us();
    return segment_writer_open(c->run->output, c->number++, c->file, c->end, &c->format, &c->writer,
                               err);
}

/* The first event of a file: the segment before ends with its file. */
static enum err_code capture_file(struct capture *c, const struct binlog_raw *raw, struct err *err)
{
    enum err_code rc = c->writer ? capture_cut(c, false, err) : ERR_OK;

    if (rc)
        return rc;
    free(c->file);
    c->file = xstrdup(raw->file);
    c->end = raw->start;
    rc = capture_open(c, err);
    c->end = raw->end;
    return rc;
}

static enum err_code capture_format(struct capture *c, const struct binlog_raw *raw,
                                    struct err *err)
{
    strbuf_reset(&c->format);
    strbuf_add(&c->format, raw->data, raw->header.size);
    c->after_format = true;
    if (c->expected && strcmp(raw->file, c->file) == 0 && c->expected != raw->header.timestamp)
        return err_set(err, ERR_BINLOG_PURGED,
                       "'%s' is not the file that it was when the dump began: the source's binlog "
                       "was reset",
                       raw->file);
    c->expected = 0;
    if (raw->start == raw->end ||
        (strcmp(raw->file, c->file) == 0 && raw->end <= c->end && raw->start < c->end))
        return ERR_OK;
    return capture_file(c, raw, err);
}

static enum err_code capture_keep(struct capture *c, const struct binlog_raw *raw, struct err *err)
{
    const uint64_t large = 2 * c->run->config->chunk_bytes;
    const bool jumps = c->after_format && c->run->flavour.vendor == VENDOR_MARIADB;
    enum err_code rc = ERR_OK;

    if (raw->header.type == EVENT_FORMAT)
        return capture_format(c, raw, err);
    if (raw->start == raw->end) /* made for the stream */
        return ERR_OK;
    c->after_format = false;
    if (strcmp(raw->file, c->file) == 0 && raw->end <= c->end) /* again, after a reconnect */
        return ERR_OK;
    if (strcmp(raw->file, c->file) != 0 || (raw->start != c->end && !jumps))
        return err_set(err, ERR_BINLOG_EVENT,
                       "the stream goes on at %s:%" PRIu64 " behind %s:%" PRIu64, raw->file,
                       raw->start, c->file, c->end);
    if (c->writer && segment_writer_bytes(c->writer) >= large)
        rc = capture_cut(c, !capture_between(c), err);
    if (!rc && !c->writer)
        rc = capture_open(c, err);
    if (!rc)
        rc = segment_writer_add(c->writer, raw, err);
    c->end = raw->end;
    fault_point("dump.capture.event");
    return rc;
}

static enum err_code capture_next(struct binlog_source *base, struct binlog_raw *raw,
                                  enum binlog_got *got, struct err *err)
{
    struct capture *c = (struct capture *)base;
    enum err_code rc = c->stream->ops->next(c->stream, raw, got, err);

    if (rc || *got != BINLOG_GOT_EVENT)
        return rc;
    rc = capture_keep(c, raw, err);
    if (rc) { /* another connection to the source does not help */
        c->failed = *err;
        cancel_ask(&c->cancel);
    }
    return rc;
}

static enum err_code capture_reopen(struct binlog_source *base, const struct binlog_start *at,
                                    struct err *err)
{
    struct capture *c = (struct capture *)base;

    return c->stream->ops->reopen(c->stream, at, err);
}

/* It is a part of struct capture. */
static void capture_source_free(struct binlog_source *base)
{
    struct capture *c = (struct capture *)base;

    binlog_source_free(c->stream);
    c->stream = NULL;
}

static const struct binlog_source_ops capture_ops = {
    .name = "server",
    .next = capture_next,
    .reopen = capture_reopen,
    .free = capture_source_free,
};

/* ---- judging ---- */

static bool images_lack(const struct rows_images *images, unsigned column)
{
    const uint8_t bit = (uint8_t)(1U << column % 8);

    return !(images->first[column / 8] & bit) ||
           (images->second && !(images->second[column / 8] & bit));
}

static enum err_code capture_look(void *ctx, const struct binlog_table *t,
                                  const struct rows_images *images, struct err *err)
{
    const struct capture *c = ctx;

    return dumper_rows_whole(c->run, t, images, err);
}

/* Only what the source computes may be missing. */
enum err_code dumper_rows_whole(const struct dump_run *run, const struct binlog_table *t,
                                const struct rows_images *images, struct err *err)
{
    const struct table *def = schema_find(run->plan.schema, t->db, t->name);

    for (unsigned i = 0; def && i < images->columns; i++) {
        if (!images_lack(images, i))
            continue;
        if (def->column_count == images->columns && def->columns[i].generated == GENERATED_VIRTUAL)
            continue;
        return err_set(err, ERR_BINLOG_UNSUPPORTED,
                       "rows of '%s.%s' were logged without all their columns: a replay needs "
                       "binlog_row_image=FULL in every session of the source",
                       t->db, t->name);
    }
    return ERR_OK;
}

struct capture_statement {
    struct capture *capture;
    const struct binlog_item *item;
};

static void capture_ddl_put(struct capture *c, const char *file, uint64_t offset, const char *db,
                            const char *table)
{
    pthread_mutex_lock(&c->lock);
    if (c->ddl_count == c->ddl_cap) {
        c->ddl_cap = c->ddl_cap ? 2 * c->ddl_cap : 16;
        c->ddl = xreallocarray(c->ddl, c->ddl_cap, sizeof(*c->ddl));
    }
    c->ddl[c->ddl_count++] =
        (struct capture_name){xstrdup(file), offset, xstrdup(db), xstrdup(table)};
    pthread_mutex_unlock(&c->lock);
}

static void capture_name(void *ctx, const char *db, const char *table)
{
    const struct capture_statement *s = ctx;
    struct capture *c = s->capture;

    if (c->writer)
        segment_writer_ddl(c->writer, s->item->end, db, table ? table : "");
    capture_ddl_put(c, s->item->file, s->item->end, db, table ? table : "");
}

static void capture_statement(struct capture *c, const struct binlog_item *item)
{
    struct capture_statement s = {c, item};
    char *db = xstrndup(item->statement->db, item->statement->db_len);

    (void)ddl_names(item->statement->text, item->statement->len, db, capture_name, &s);
    free(db);
}

/* ---- the thread ---- */

/* Between two transactions: what is captured is known to others; whether to end is looked at. */
static bool capture_turn(struct capture *c)
{
    bool end;

    pthread_mutex_lock(&c->lock);
    if (strcmp(c->done_file, c->file) != 0) {
        free(c->done_file);
        c->done_file = xstrdup(c->file);
    }
    c->done_offset = c->end;
    end = c->until_file &&
          segments_compare(c->done_file, c->done_offset, c->until_file, c->until_offset) >= 0;
    pthread_cond_broadcast(&c->moved);
    pthread_mutex_unlock(&c->lock);
    return end;
}

static enum err_code capture_item(struct capture *c, const struct binlog_item *item, bool *end,
                                  struct err *err)
{
    const struct dump_config *config = c->run->config;

    if (item->kind == BINLOG_STATEMENT)
        capture_statement(c, item);
    if (item->kind == BINLOG_COMMIT && c->writer)
        segment_writer_transaction(c->writer);
    if (!capture_between(c))
        return ERR_OK;
    *end = capture_turn(c);
    if (!c->writer)
        return ERR_OK;
    if (*end || segment_writer_bytes(c->writer) >= config->chunk_bytes ||
        clock_mono_us() - c->since_us >= (config->chunk_us ? config->chunk_us : CAPTURE_US))
        return capture_cut(c, false, err);
    return ERR_OK;
}

static enum err_code capture_loop(struct capture *c, struct err *err)
{
    bool end = false;
    enum err_code rc = ERR_OK;

    while (!rc && !end) {
        struct binlog_item item;

        rc = binlog_reader_next(c->reader, &item, err);
        if (!rc)
            rc = capture_item(c, &item, &end, err);
    }
    if (!rc)
        return ERR_OK;
    if (c->failed.code) {
        *err = c->failed;
        return err->code;
    }
    if (rc == ERR_INTERRUPTED && cancel_asked(&c->cancel)) {
        err_clear(err);
        return c->writer && capture_between(c) ? capture_cut(c, false, err) : ERR_OK;
    }
    return rc;
}

static enum err_code capture_work(void *ctx, unsigned number, struct err *err)
{
    struct capture *c = ctx;
    enum err_code rc;

    (void)number;
    conn_thread_init();
    rc = capture_loop(c, err);
    if (rc)
        (void)err_wrap(err, "the binlog is being captured (--with-binlog)");
    segment_writer_free(c->writer);
    c->writer = NULL;
    pthread_mutex_lock(&c->lock);
    c->ended = true;
    if (rc)
        c->why = *err;
    pthread_cond_broadcast(&c->moved);
    pthread_mutex_unlock(&c->lock);
    conn_thread_end();
    return rc;
}

static void capture_failed(void *ctx)
{
    struct capture *c = ctx;

    cancel_ask(&c->run->stop);
}

/* ---- beginning ---- */

/* What the segments of earlier runs say. */
static void capture_ddl_read(struct capture *c)
{
    const struct ledger *l = c->run->ledger;

    for (size_t i = 0; i < l->segment_count; i++)
        for (unsigned k = 0; k < l->segments[i].ddl_count; k += SEGMENT_DDL_TEXTS)
            capture_ddl_put(c, l->segments[i].log_file, strtoull(l->segments[i].ddl[k], NULL, 10),
                            l->segments[i].ddl[k + 1], l->segments[i].ddl[k + 2]);
}

/* Where reading begins and where keeping does: the same place, unless the last segment ends inside
 * of a transaction, which is read from its beginning then. */
static enum err_code capture_place(struct capture *c, struct binlog_start *at, const char **gtid,
                                   struct err *err)
{
    const struct ledger *l = c->run->ledger;
    const struct segment_record *last =
        l->segment_count ? &l->segments[l->segment_count - 1] : NULL;
    const struct segment_record *whole = NULL;

    if (c->run->other_server)
        return err_set(err, ERR_DUMP_MOVED,
                       "another server's binlog does not go on where this one's ended");
    if (!l->epochs) {
        *at =
            (struct binlog_start){.file = c->run->position.file, .offset = c->run->position.offset};
        *gtid = c->run->position.gtid;
    } else {
        if (!l->first.log_file || !l->first.log_created)
            return err_set(err, ERR_DUMP_OPTIONS,
                           "this dump began without --with-binlog: what its first part of the "
                           "binlog was is not known");
        *at = (struct binlog_start){.file = l->first.log_file, .offset = l->first.log_pos};
        *gtid = l->first.gtid;
        c->expected = l->first.log_created;
    }
    for (size_t i = l->segment_count; i > 0 && !whole; i--)
        whole = l->segments[i - 1].open ? NULL : &l->segments[i - 1];
    if (whole) {
        *at = (struct binlog_start){.file = whole->log_file, .offset = whole->end};
        *gtid = whole->gtid;
        c->expected = whole->log_created;
    }
    c->file = xstrdup(last ? last->log_file : at->file);
    c->end = last ? last->end : at->offset;
    c->gtid = last ? (last->gtid ? xstrdup(last->gtid) : NULL) : *gtid ? xstrdup(*gtid) : NULL;
    c->number = l->segment_count + 1;
    c->done_file = xstrdup(at->file);
    c->done_offset = at->offset;
    capture_ddl_read(c);
    return ERR_OK;
}

static enum err_code capture_reader(struct capture *c, const struct binlog_start *at,
                                    const char *gtid, struct err *err)
{
    struct binlog_reader_config config = {.source = &c->base,
                                          .start = *at,
                                          .find_ctx = c,
                                          .look = capture_look,
                                          .cancel = &c->cancel,
                                          .reconnect_us = c->run->config->reconnect_us};
    struct gtid_set *set = NULL;
    enum err_code rc = ERR_OK;

    if (gtid) {
        set = gtid_set_new(c->run->flavour.vendor == VENDOR_MARIADB ? GTID_MARIADB : GTID_MYSQL);
        rc = gtid_set_parse(set, gtid, err);
    }
    config.start.gtids = set;
    if (!rc)
        rc = binlog_reader_new(&config, &c->reader, err);
    gtid_set_free(set);
    return rc;
}

/* The format description of the file comes first of all; then it is known which file it is. */
static enum err_code capture_first(struct capture *c, struct err *err)
{
    struct binlog_raw raw;
    enum binlog_got got = BINLOG_GOT_NOTHING;
    struct binlog_header header;
    enum err_code rc = ERR_OK;

    while (!rc && !c->format.len && !dumper_stopped(c->run))
        rc = capture_next(&c->base, &raw, &got, err);
    if (!rc && !c->format.len)
        return dumper_stop_error(c->run, err);
    if (rc)
        return rc;
    rc = binlog_header_read(c->format.str, c->format.len, &header, err);
    c->run->log_created = header.timestamp;
    return rc;
}

static void capture_free(struct capture *c)
{
    if (c->reader)
        binlog_reader_free(c->reader); /* frees the stream */
    else
        binlog_source_free(c->stream);
    segment_writer_free(c->writer);
    strbuf_release(&c->format);
    for (size_t i = 0; i < c->ddl_count; i++) {
        free(c->ddl[i].file);
        free(c->ddl[i].db);
        free(c->ddl[i].table);
    }
    free(c->ddl);
    free(c->file);
    free(c->gtid);
    free(c->done_file);
    free(c->until_file);
    pthread_cond_destroy(&c->moved);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

static enum err_code capture_start(struct capture *c, struct err *err)
{
    const struct binlog_stream_config stream = {.url = c->run->source,
                                                .heartbeat_ms = HEARTBEAT_MS};
    struct binlog_start at = {.file = NULL};
    const char *gtid = NULL;
    enum err_code rc = capture_place(c, &at, &gtid, err);

    if (!rc)
        rc = binlog_stream_open(&stream, &at, &c->stream, err);
    if (!rc)
        rc = capture_reader(c, &at, gtid, err);
    if (!rc)
        rc = capture_first(c, err);
    /* what that has read comes again, to the reader too */
    if (!rc)
        rc = c->stream->ops->reopen(c->stream, &at, err);
    if (rc == ERR_BINLOG_PURGED)
        return err_wrap(err, "the dump's capture of the binlog cannot go on, and with a gap it "
                             "would be of no use (--restart --yes dumps again from the start)");
    return rc;
}

enum err_code dumper_capture_begin(struct dump_run *run, struct err *err)
{
    pthread_condattr_t attr;
    struct capture *c;
    enum err_code rc;

    if (!run->config->with_binlog || run->capture)
        return ERR_OK;
    c = xcalloc(1, sizeof(*c));
    c->base.ops = &capture_ops;
    c->run = run;
    pthread_mutex_init(&c->lock, NULL);
    pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->moved, &attr);
    pthread_condattr_destroy(&attr);
    rc = capture_start(c, err);
    if (rc) {
        capture_free(c);
        return rc;
    }
    run->capture = c;
    return run->ledger->epochs ? dumper_capture_go(run, err) : ERR_OK;
}

enum err_code dumper_capture_go(struct dump_run *run, struct err *err)
{
    struct capture *c = run->capture;

    if (!c || c->pool)
        return ERR_OK;
    if (pool_start(&c->pool, "binlog", 1, capture_work, capture_failed, c, err))
        return err->code;
    log_event(LOG_INFO, "dump.capture", F_STR("file", c->done_file),
              F_U64("offset", c->done_offset), F_STR("message", "capturing the binlog"));
    return ERR_OK;
}

/* ---- what the main thread asks ---- */

enum err_code dumper_capture_error(struct dump_run *run, struct err *err)
{
    struct capture *c = run->capture;

    if (!c)
        return ERR_OK;
    pthread_mutex_lock(&c->lock);
    if (c->why.code)
        *err = c->why;
    pthread_mutex_unlock(&c->lock);
    return c->why.code;
}

/* Until it has ended, or is at `to` (NULL: only that it ended). */
static enum err_code capture_wait(struct dump_run *run, const struct position *to, struct err *err)
{
    struct capture *c = run->capture;
    bool there = false;
    enum err_code rc;

    pthread_mutex_lock(&c->lock);
    while (!there && !c->ended && !dumper_stopped(run)) {
        struct timespec until;

        there = to && segments_compare(c->done_file, c->done_offset, to->file, to->offset) >= 0;
        if (there)
            break;
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += LOOK_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        (void)pthread_cond_timedwait(&c->moved, &c->lock, &until);
    }
    there = there || (c->ended && !c->why.code);
    pthread_mutex_unlock(&c->lock);
    rc = dumper_capture_error(run, err);
    if (rc || there)
        return rc;
    return dumper_stop_error(run, err);
}

enum err_code dumper_capture_wait(struct dump_run *run, const struct position *to, struct err *err)
{
    return run->capture ? capture_wait(run, to, err) : ERR_OK;
}

enum err_code dumper_capture_end(struct dump_run *run, struct err *err)
{
    struct capture *c = run->capture;
    struct position end = {0};
    enum err_code rc = ERR_OK;

    if (!c)
        return ERR_OK;
    if (!conn_usable(run->control)) {
        conn_close(run->control);
        run->control = NULL;
        rc = conn_open(run->source, CONN_SOURCE, "dump", &run->control, err);
    }
    if (!rc)
        rc = position_read(run->control, &end, err);
    if (!rc && !end.file)
        rc = err_set(err, ERR_BINLOG_PURGED, "the source writes no binlog any more");
    fault_point("dump.capture.end");
    if (!rc) {
        pthread_mutex_lock(&c->lock);
        c->until_file = xstrdup(end.file);
        c->until_offset = end.offset;
        pthread_mutex_unlock(&c->lock);
        rc = capture_wait(run, NULL, err);
    }
    position_release(&end);
    dumper_capture_stop(run);
    return rc;
}

void dumper_capture_stop(struct dump_run *run)
{
    struct capture *c = run->capture;
    struct err ignored = ERR_INIT;

    if (!c)
        return;
    cancel_ask(&c->cancel);
    if (pool_join(c->pool, &ignored))
        log_event(LOG_DEBUG, "dump.capture.stopped", F_STR("cause", ignored.msg));
    run->capture = NULL;
    capture_free(c);
}

void dumper_capture_ddl(struct dump_run *run, capture_ddl_fn *fn, void *ctx)
{
    struct capture *c = run->capture;

    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < c->ddl_count; i++)
        fn(ctx, c->ddl[i].file, c->ddl[i].offset, c->ddl[i].db, c->ddl[i].table);
    pthread_mutex_unlock(&c->lock);
}
