/* Events to transactions. Each event goes through one function of `handlers`, which changes the
 * state and may set the item that comes next; an item that needs a second one behind it (a DDL of
 * its own is BEGIN, STATEMENT, COMMIT) leaves it in `queue`. */
#include "formats/binlog_reader.h"

#include "common/base/bytes.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "formats/binlog_gtid.h"
#include "formats/binlog_payload.h"
#include "formats/binlog_tables.h"

#include <inttypes.h>
#include <stdlib.h>

#define STATEMENT_SHOWN 200 /* bytes of a statement in a message */
#define QUEUE_MAX 3
#define ROWS_DUMMY_TABLE 0xffffffU /* an event that only ends a statement */

enum reader_state {
    STATE_OUTSIDE,
    STATE_NAMED, /* a GTID was seen: a transaction or a statement follows */
    STATE_OPEN   /* BEGIN was given */
};

struct binlog_reader {
    struct binlog_reader_config config;
    struct binlog_format format;
    enum reader_state state;
    struct gtid gtid; /* of the transaction */
    bool skipping;    /* it is in config.skip */
    bool rows_seen;
    struct gtid_set *skip;
    bool by_gtid;
    uint32_t created; /* of the file in work: its format description's time */

    /* Behind the last whole transaction. */
    char *file;
    uint64_t offset;
    struct gtid_set *gtids; /* NULL: not known */
    enum gtid_kind kind;    /* of the source; GTID_NONE: not known */

    struct binlog_raw raw; /* the event in work, or the payload around it */
    struct payload *payload;
    bool in_payload;

    struct table_cache *tables;
    struct binlog_rows *rows;
    bool in_rows;
    const struct binlog_table *table;
    unsigned row_flags;
    struct row_change change;

    struct strbuf annotation, unpacked;
    bool annotated;
    struct binlog_statement statement;
    bool at_end; /* the source has said so just now */
    enum binlog_item_kind queue[QUEUE_MAX];
    unsigned queued, queue_at;
};

/* An event's bytes: those of `raw`, or of one inside of a payload. */
struct event {
    const uint8_t *data;
    size_t len;
    unsigned type;
    unsigned flags;
};

static enum err_code reader_set_copy(const struct gtid_set *from, struct gtid_set **out,
                                     struct err *err)
{
    struct strbuf text = {0};
    struct gtid_set *set = gtid_set_new(gtid_set_kind(from));
    enum err_code rc;

    gtid_set_text(from, &text);
    rc = gtid_set_parse(set, strbuf_str(&text), err);
    strbuf_release(&text);
    if (rc)
        gtid_set_free(set);
    else
        *out = set;
    return rc;
}

enum err_code binlog_reader_new(const struct binlog_reader_config *config,
                                struct binlog_reader **out, struct err *err)
{
    struct binlog_reader *r = xcalloc(1, sizeof(*r));
    enum err_code rc = ERR_OK;

    r->config = *config;
    r->by_gtid = config->start.file == NULL;
    r->rows = binlog_rows_new();
    r->tables = table_cache_new();
    r->payload = payload_new();
    r->unpacked.max = r->annotation.max = (size_t)4 << 30;
    r->offset = config->start.offset;
    if (config->start.file)
        r->file = xstrdup(config->start.file);
    if (config->start.gtids) {
        r->kind = gtid_set_kind(config->start.gtids);
        rc = reader_set_copy(config->start.gtids, &r->gtids, err);
    }
    if (!rc && config->skip)
        rc = reader_set_copy(config->skip, &r->skip, err);
    if (rc) {
        binlog_reader_free(r);
        return rc;
    }
    *out = r;
    return ERR_OK;
}

void binlog_reader_free(struct binlog_reader *r)
{
    if (!r)
        return;
    binlog_source_free(r->config.source);
    payload_free(r->payload);
    table_cache_free(r->tables);
    binlog_rows_free(r->rows);
    gtid_set_free(r->gtids);
    gtid_set_free(r->skip);
    strbuf_release(&r->annotation);
    strbuf_release(&r->unpacked);
    free(r->file);
    free(r);
}

struct binlog_position binlog_reader_position(const struct binlog_reader *r)
{
    return (struct binlog_position){r->file, r->offset, r->gtids};
}

void binlog_reader_forget(struct binlog_reader *r)
{
    table_cache_forget(r->tables);
}

static void reader_queue(struct binlog_reader *r, enum binlog_item_kind kind)
{
    r->queue[r->queued++] = kind;
}

static void reader_here(struct binlog_reader *r)
{
    if (!r->file || strcmp(r->file, r->raw.file) != 0) {
        free(r->file);
        r->file = xstrdup(r->raw.file);
    }
    r->offset = r->raw.end;
}

/* The transaction is whole. */
static void reader_commit(struct binlog_reader *r)
{
    reader_here(r);
    if (r->gtid.kind != GTID_NONE && r->gtids)
        gtid_set_add(r->gtids, &r->gtid);
    if (!r->skipping)
        reader_queue(r, BINLOG_COMMIT);
    r->state = STATE_OUTSIDE;
    r->skipping = false;
}

static void reader_begin(struct binlog_reader *r)
{
    r->state = STATE_OPEN;
    r->rows_seen = false;
    r->annotated = false;
    table_cache_trim(r->tables);
    if (!r->skipping)
        reader_queue(r, BINLOG_BEGIN);
}

/* ------------------------------------------------------------------------------------------- */

static enum err_code on_gtid(struct binlog_reader *r, const struct event *e, struct err *err)
{
    struct binlog_gtid g;
    const enum err_code rc = binlog_gtid_read(e->data, e->len, &g, err);

    if (rc)
        return rc;
    if (r->state == STATE_OPEN)
        return err_set(err, ERR_BINLOG_EVENT, "a transaction begins before the last one has ended");
    if (g.xa)
        return err_set(err, ERR_BINLOG_UNSUPPORTED,
                       "an XA transaction in two phases cannot be followed: its rows and its "
                       "decision lie apart");
    r->gtid = g.gtid;
    r->skipping =
        r->skip && g.gtid.kind == gtid_set_kind(r->skip) && gtid_set_contains(r->skip, &g.gtid);
    r->state = STATE_NAMED;
    if (g.gtid.kind == GTID_MARIADB && !g.standalone)
        reader_begin(r);
    return ERR_OK;
}

static enum err_code stop_statement(const struct binlog_reader *r, const char *what,
                                    struct err *err)
{
    const struct binlog_statement *s = &r->statement;
    const size_t shown = s->len < STATEMENT_SHOWN ? s->len : STATEMENT_SHOWN;

    return err_set(err, ERR_BINLOG_STATEMENT, "%s (default database '%.*s'): %.*s%s", what,
                   (int)s->db_len, s->db, (int)shown, s->text, shown < s->len ? "..." : "");
}

/* A statement that is no part of a transaction's frame. */
static void reader_statement(struct binlog_reader *r)
{
    const bool alone = r->state != STATE_OPEN;

    if (alone)
        reader_begin(r);
    if (!r->skipping)
        reader_queue(r, BINLOG_STATEMENT);
    if (alone)
        reader_commit(r);
}

/* The statements that begin and end transactions. */
static enum err_code reader_frame(struct binlog_reader *r, struct err *err)
{
    const enum binlog_statement_kind kind = r->statement.kind;

    if (kind == STATEMENT_BEGIN || kind == STATEMENT_XA_START) {
        if (r->state == STATE_OPEN && (r->gtid.kind != GTID_MARIADB || r->rows_seen))
            return err_set(err, ERR_BINLOG_EVENT, "BEGIN inside of a transaction");
        if (r->state == STATE_OUTSIDE)
            r->gtid = (struct gtid){.kind = GTID_NONE}; /* MySQL 5.5: no Gtid event at all */
        if (r->state != STATE_OPEN)
            reader_begin(r);
        return ERR_OK;
    }
    if (kind == STATEMENT_ROLLBACK && r->rows_seen && !r->skipping)
        return err_set(err, ERR_BINLOG_UNSUPPORTED,
                       "rows were logged and then rolled back: a transaction over tables with and "
                       "without transactions cannot be followed exactly");
    if (r->state == STATE_OPEN)
        reader_commit(r);
    else if (kind == STATEMENT_COMMIT)
        return err_set(err, ERR_BINLOG_EVENT, "COMMIT outside of a transaction");
    return ERR_OK;
}

static enum err_code on_query(struct binlog_reader *r, const struct event *e, struct err *err)
{
    const enum err_code rc = binlog_query_read(e->data, e->len, &r->unpacked, &r->statement, err);

    if (rc)
        return rc;
    if (e->flags & EVENT_FLAG_ARTIFICIAL && r->raw.start == r->raw.end)
        return ERR_OK;
    switch (r->statement.kind) {
    case STATEMENT_BEGIN:
    case STATEMENT_XA_START:
    case STATEMENT_COMMIT:
    case STATEMENT_ROLLBACK:
        return reader_frame(r, err);
    case STATEMENT_SAVEPOINT:
    case STATEMENT_XA_END:
        return ERR_OK;
    case STATEMENT_EMPTY: /* a comment in the place of what was left out has its GTID */
        if (r->state == STATE_NAMED) {
            reader_begin(r);
            reader_commit(r);
        }
        return ERR_OK;
    case STATEMENT_ROLLBACK_TO:
        if (r->skipping)
            return ERR_OK;
        return err_set(err, ERR_BINLOG_UNSUPPORTED,
                       "ROLLBACK TO SAVEPOINT was logged: a transaction over tables with and "
                       "without transactions cannot be followed exactly");
    case STATEMENT_XA_DECIDE:
        if (!r->skipping)
            return stop_statement(r, "the end of an XA transaction in two phases", err);
        break;
    case STATEMENT_ROWS:
        if (!r->skipping)
            return stop_statement(r, "rows were changed by a logged statement", err);
        break;
    case STATEMENT_DDL:
    case STATEMENT_ADMIN:
    case STATEMENT_OTHER:
        break;
    }
    if (r->state == STATE_OUTSIDE)
        r->gtid = (struct gtid){.kind = GTID_NONE};
    if (r->statement.kind != STATEMENT_ADMIN)
        table_cache_forget(r->tables); /* the definitions may be others now */
    reader_statement(r);
    return ERR_OK;
}

static enum err_code on_xid(struct binlog_reader *r, const struct event *e, struct err *err)
{
    (void)e;
    if (r->state != STATE_OPEN)
        return err_set(err, ERR_BINLOG_EVENT, "Xid outside of a transaction");
    reader_commit(r);
    return ERR_OK;
}

static enum err_code on_xa_prepare(struct binlog_reader *r, const struct event *e, struct err *err)
{
    if (e->len < BINLOG_HEADER + 1)
        return err_set(err, ERR_BINLOG_EVENT, "an XA_prepare event is cut");
    if (e->data[BINLOG_HEADER] == 0 && !r->skipping)
        return err_set(err, ERR_BINLOG_UNSUPPORTED,
                       "an XA transaction in two phases cannot be followed: its rows and its "
                       "decision lie apart");
    return on_xid(r, e, err);
}

static enum err_code on_table_map(struct binlog_reader *r, const struct event *e, struct err *err)
{
    if (r->state != STATE_OPEN)
        return err_set(err, ERR_BINLOG_EVENT, "Table_map outside of a transaction");
    if (r->skipping)
        return ERR_OK;
    return table_cache_map(r->tables, e->data, e->len, &r->format, err);
}

static enum err_code look_at_rows(struct binlog_reader *r, const struct event *e, uint64_t id,
                                  struct err *err)
{
    const struct binlog_table *t = table_cache_peek(r->tables, id);
    struct rows_images images;
    enum err_code rc;

    if (!t)
        return err_set(err, ERR_BINLOG_EVENT,
                       "rows of table number %" PRIu64 ", of which no Table_map came", id);
    rc = binlog_rows_images(e->data, e->len, &r->format, &images, err);
    r->rows_seen = true;
    return rc ? rc : r->config.look(r->config.find_ctx, t, &images, err);
}

static enum err_code on_rows(struct binlog_reader *r, const struct event *e, struct err *err)
{
    const struct binlog_reader_config *config = &r->config;
    uint64_t id = 0;
    uint16_t flags = 0;
    enum err_code rc;

    if (r->state != STATE_OPEN)
        return err_set(err, ERR_BINLOG_EVENT, "rows outside of a transaction");
    rc = binlog_rows_table(e->data, e->len, &r->format, &id, &flags, err);
    if (rc || r->skipping || id == ROWS_DUMMY_TABLE)
        return rc;
    if (config->look)
        return look_at_rows(r, e, id, err);
    rc = table_cache_find(r->tables, id, config->find, config->find_ctx, config->maps, &r->table,
                          err);
    if (rc || !r->table)
        return rc;
    r->rows_seen = true;
    r->row_flags = flags;
    rc = binlog_rows_begin(r->rows, e->data, e->len, &r->format, r->table, err);
    r->in_rows = rc == ERR_OK;
    return rc;
}

static enum err_code on_annotation(struct binlog_reader *r, const struct event *e, struct err *err)
{
    /* Rows_query has a length byte in front that cannot hold the length. */
    const size_t skip = BINLOG_HEADER + (e->type == EVENT_ROWS_QUERY);

    if (e->len < skip)
        return err_set(err, ERR_BINLOG_EVENT, "an annotation is cut");
    strbuf_reset(&r->annotation);
    r->annotated = true;
    if (strbuf_reserve(&r->annotation, e->len - skip, err))
        return err->code;
    strbuf_add(&r->annotation, e->data + skip, e->len - skip);
    return ERR_OK;
}

/* Of a file from its beginning: what was in the files before is the set here. */
static enum err_code on_gtids_before(struct binlog_reader *r, const struct event *e,
                                     struct err *err)
{
    struct gtid_set *set;
    enum err_code rc;

    r->kind = e->type == EVENT_PREVIOUS_GTIDS ? GTID_MYSQL : GTID_MARIADB;
    if (r->gtids || r->raw.start == r->raw.end)
        return ERR_OK;
    set = gtid_set_new(r->kind);
    rc = binlog_gtids_before(e->data, e->len, set, err);
    if (rc)
        gtid_set_free(set);
    else
        r->gtids = set;
    return rc;
}

static enum err_code on_rotate(struct binlog_reader *r, const struct event *e, struct err *err)
{
    (void)e;
    if (r->state == STATE_OPEN)
        return err_set(err, ERR_BINLOG_EVENT, "the file ends inside of a transaction");
    return ERR_OK;
}

static enum err_code on_format(struct binlog_reader *r, const struct event *e, struct err *err)
{
    (void)e;
    /* A server that died leaves the transaction that it wrote unfinished. */
    if (r->state == STATE_OPEN && r->raw.start != r->raw.end)
        return err_set(err, ERR_BINLOG_UNSUPPORTED,
                       "the file before ends inside of a transaction: the source died there");
    return ERR_OK;
}

static enum err_code on_nothing(struct binlog_reader *r, const struct event *e, struct err *err)
{
    (void)r;
    (void)e;
    (void)err;
    return ERR_OK;
}

static enum err_code on_refused(struct binlog_reader *r, const struct event *e, struct err *err)
{
    static const struct {
        uint8_t type;
        const char *why;
    } reasons[] = {
        {EVENT_INCIDENT, "the source has lost events of its binlog: start again from a new dump"},
        {EVENT_PARTIAL_UPDATE_ROWS, "parts of JSON values were logged: set "
                                    "binlog_row_value_options='' for every session of the source"},
        {EVENT_MARIADB_START_ENCRYPTION, "the binlog is encrypted"},
        {EVENT_WRITE_ROWS_V0, "rows in the form of MySQL 5.1 before its release"},
        {EVENT_UPDATE_ROWS_V0, "rows in the form of MySQL 5.1 before its release"},
        {EVENT_DELETE_ROWS_V0, "rows in the form of MySQL 5.1 before its release"},
    };

    if (r->skipping)
        return ERR_OK;
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (reasons[i].type == e->type)
            return err_set(err, ERR_BINLOG_UNSUPPORTED, "%s", reasons[i].why);
    return err_set(err, ERR_BINLOG_STATEMENT, "LOAD DATA was logged as a statement");
}

typedef enum err_code event_fn(struct binlog_reader *, const struct event *, struct err *);

static event_fn *event_handler(unsigned type)
{
    static event_fn *const handlers[256] = {
        [EVENT_QUERY] = on_query,
        [EVENT_MARIADB_QUERY_COMPRESSED] = on_query,
        [EVENT_XID] = on_xid,
        [EVENT_GTID] = on_gtid,
        [EVENT_ANONYMOUS_GTID] = on_gtid,
        [EVENT_GTID_TAGGED] = on_gtid,
        [EVENT_MARIADB_GTID] = on_gtid,
        [EVENT_PREVIOUS_GTIDS] = on_gtids_before,
        [EVENT_MARIADB_GTID_LIST] = on_gtids_before,
        [EVENT_TABLE_MAP] = on_table_map,
        [EVENT_ROWS_QUERY] = on_annotation,
        [EVENT_MARIADB_ANNOTATE_ROWS] = on_annotation,
        [EVENT_XA_PREPARE] = on_xa_prepare,
        [EVENT_ROTATE] = on_rotate,
        [EVENT_FORMAT] = on_format,
        /* Of statements, which are judged by their text. */
        [EVENT_INTVAR] = on_nothing,
        [EVENT_RAND] = on_nothing,
        [EVENT_USER_VAR] = on_nothing,
        [EVENT_STOP] = on_nothing,
        [EVENT_IGNORABLE] = on_nothing,
        [EVENT_HEARTBEAT] = on_nothing,
        [EVENT_HEARTBEAT_V2] = on_nothing,
        [EVENT_TRANSACTION_CONTEXT] = on_nothing,
        [EVENT_VIEW_CHANGE] = on_nothing,
        [EVENT_MARIADB_CHECKPOINT] = on_nothing,
        [EVENT_INCIDENT] = on_refused,
        [EVENT_PARTIAL_UPDATE_ROWS] = on_refused,
        [EVENT_MARIADB_START_ENCRYPTION] = on_refused,
        [EVENT_WRITE_ROWS_V0] = on_refused,
        [EVENT_UPDATE_ROWS_V0] = on_refused,
        [EVENT_DELETE_ROWS_V0] = on_refused,
        [EVENT_LOAD] = on_refused,
        [EVENT_CREATE_FILE] = on_refused,
        [EVENT_APPEND_BLOCK] = on_refused,
        [EVENT_EXEC_LOAD] = on_refused,
        [EVENT_DELETE_FILE] = on_refused,
        [EVENT_NEW_LOAD] = on_refused,
        [EVENT_BEGIN_LOAD_QUERY] = on_refused,
        [EVENT_EXECUTE_LOAD_QUERY] = on_refused,
    };

    return binlog_is_rows(type) ? on_rows : handlers[type & 0xff];
}

static enum err_code reader_event(struct binlog_reader *r, const struct event *e, struct err *err)
{
    event_fn *handler = event_handler(e->type);

    if (handler)
        return handler(r, e, err);
    if (e->flags & EVENT_FLAG_IGNORABLE)
        return ERR_OK;
    return err_set(err, ERR_BINLOG_UNSUPPORTED,
                   "an event of type %u (%s) is not known, and it may not be left out", e->type,
                   binlog_event_name(e->type) ? binlog_event_name(e->type) : "no name");
}

/* ------------------------------------------------------------------------------------------- */

static enum err_code reader_item(const struct binlog_reader *r, enum binlog_item_kind kind,
                                 struct binlog_item *item)
{
    *item = (struct binlog_item){
        .kind = kind,
        .file = r->raw.file ? r->raw.file : "",
        .start = r->raw.start,
        .end = r->raw.end,
        .timestamp = r->raw.header.timestamp,
        .server_id = r->raw.header.server_id,
        .gtid = &r->gtid,
    };
    item->at_end = kind == BINLOG_IDLE && r->at_end;
    if (kind == BINLOG_STATEMENT)
        item->statement = &r->statement;
    if (kind != BINLOG_ROW)
        return ERR_OK;
    item->table = r->table;
    item->change = &r->change;
    item->row_flags = r->row_flags;
    item->annotation = r->annotated ? strbuf_str(&r->annotation) : NULL;
    return ERR_OK;
}

/* The next event inside of a payload. */
static enum err_code reader_payload(struct binlog_reader *r, struct err *err)
{
    struct binlog_header header;
    struct event e = {.data = NULL};
    enum err_code rc;

    rc = payload_next(r->payload, &e.data, &e.len, &r->in_payload, err);
    if (rc || !r->in_payload)
        return rc;
    rc = binlog_header_read(e.data, e.len, &header, err);
    if (rc)
        return rc;
    e.type = header.type;
    e.flags = header.flags;
    rc = reader_event(r, &e, err);
    return rc ? err_wrap(err, "in the payload") : ERR_OK;
}

static enum err_code reader_raw(struct binlog_reader *r, struct err *err)
{
    const struct event e = {r->raw.data, r->raw.len, r->raw.header.type, r->raw.header.flags};
    enum err_code rc;

    if (e.type == EVENT_FORMAT) {
        r->created = r->raw.header.timestamp;
        rc = binlog_format_read(e.data, r->raw.header.size, &r->format, err);
        if (rc)
            return rc;
    } else if (!*r->format.server_version) {
        return err_set(err, ERR_BINLOG_EVENT,
                       "there is no format description before the first event");
    }
    if (e.type == EVENT_TRANSACTION_PAYLOAD) {
        rc = payload_begin(r->payload, e.data, e.len, err);
        r->in_payload = rc == ERR_OK;
        return rc;
    }
    return reader_event(r, &e, err);
}

/* After a lost connection: from the last whole transaction on. */
static enum err_code reader_reconnect(struct binlog_reader *r, struct err *err)
{
    const uint64_t until = clock_mono_us() + r->config.reconnect_us;
    struct binlog_source *source = r->config.source;
    struct binlog_start at = {.file = r->file, .offset = r->offset};
    struct backoff backoff = {0};

    if (r->by_gtid && r->gtids)
        at = (struct binlog_start){.gtids = r->gtids};
    for (;;) {
        enum err_code rc = err->code;

        if (!err_info(rc)->retryable || !source->ops->reopen || clock_mono_us() >= until)
            return rc;
        log_event(LOG_WARN, "binlog.reconnect", F_STR("message", err->msg), F_STR("file", r->file),
                  F_U64("offset", r->offset));
        if (!backoff_wait(&backoff, r->config.cancel))
            return err_set(err, ERR_INTERRUPTED, "interrupted");
        err_clear(err);
        rc = source->ops->reopen(source, &at, err);
        if (!rc)
            break;
    }
    r->in_rows = r->in_payload = false;
    if (r->state == STATE_OPEN && !r->skipping)
        reader_queue(r, BINLOG_RESTART);
    else
        reader_queue(r, BINLOG_IDLE);
    r->state = STATE_OUTSIDE;
    r->skipping = false;
    return ERR_OK;
}

static enum err_code reader_fetch(struct binlog_reader *r, struct err *err)
{
    enum binlog_got got = BINLOG_GOT_NOTHING;
    enum err_code rc;

    if (r->config.cancel && cancel_asked(r->config.cancel))
        return err_set(err, ERR_INTERRUPTED, "interrupted");
    r->at_end = false;
    rc = r->config.source->ops->next(r->config.source, &r->raw, &got, err);
    if (rc) {
        r->raw = (struct binlog_raw){.file = NULL};
        return reader_reconnect(r, err);
    }
    if (got == BINLOG_GOT_EVENT) {
        rc = reader_raw(r, err);
        /* Between transactions every event is a point to begin at. */
        if (!rc && r->state == STATE_OUTSIDE && !r->in_payload && r->raw.start != r->raw.end)
            reader_here(r);
        return rc;
    }
    if (got == BINLOG_GOT_END && r->state == STATE_OPEN)
        return err_set(err, ERR_BINLOG_EVENT, "the binlog ends inside of a transaction");
    r->at_end = got == BINLOG_GOT_NOTHING;
    reader_queue(r, got == BINLOG_GOT_END ? BINLOG_END : BINLOG_IDLE);
    return ERR_OK;
}

static enum err_code reader_step(struct binlog_reader *r, struct err *err)
{
    bool more = false;
    enum err_code rc;

    if (r->in_rows) {
        rc = binlog_rows_next(r->rows, &r->change, &more, err);
        r->in_rows = !rc && more;
        if (r->in_rows)
            reader_queue(r, BINLOG_ROW);
        return rc;
    }
    return r->in_payload ? reader_payload(r, err) : reader_fetch(r, err);
}

enum err_code binlog_reader_next(struct binlog_reader *r, struct binlog_item *item, struct err *err)
{
    while (r->queue_at == r->queued) {
        enum err_code rc;

        r->queue_at = r->queued = 0;
        rc = reader_step(r, err);
        if (!rc)
            continue;
        if (!r->raw.file)
            return rc;
        return err_wrap(err, "binlog event at %s:%" PRIu64 " (%s)", r->raw.file, r->raw.start,
                        binlog_event_name(r->raw.header.type)
                            ? binlog_event_name(r->raw.header.type)
                            : "unknown");
    }
    return reader_item(r, r->queue[r->queue_at++], item);
}

uint32_t binlog_reader_created(const struct binlog_reader *r)
{
    return r->created;
}
