#include "dumper/replay.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/mysql/binlog_stream.h"
#include "common/schema/ddl_names.h"
#include "dumper/capture.h"
#include "dumper/skip.h"
#include "formats/binlog_reader.h"
#include "formats/segments.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Rows of an earlier epoch, and some that are missing. */
static bool replay_unfinished(const struct ledger_table *l)
{
    return l->is_table && l->recorded && l->from && !l->done && !l->voided;
}

enum err_code dumper_start_again(struct dump_run *run, struct ledger_table *l, const char *why,
                                 struct err *err)
{
    enum err_code rc = dumper_table_void(run, l, err);

    if (rc)
        return rc;
    l->voided = true; /* its definition is written again too */
    log_event(LOG_WARN, "dump.table.again", F_STR("db", l->db), F_STR("table", l->name),
              F_STR("cause", why), F_STR("message", "the table starts again in this epoch"));
    return ERR_OK;
}

/* ---- what DDL names ---- */

struct replay {
    struct dump_run *run;
    const struct binlog_item *item; /* of the scan */
    bool *named;                    /* by the ledger's index */
};

static void replay_name(void *ctx, const char *file, uint64_t offset, const char *db,
                        const char *table)
{
    struct replay *r = ctx;
    const struct ledger *ledger = r->run->ledger;

    for (size_t i = 0; i < ledger->table_count; i++) {
        const struct ledger_table *l = ledger->tables[i];

        if (strcasecmp(l->db, db) != 0 || (*table && strcasecmp(l->name, table) != 0) ||
            !replay_unfinished(l))
            continue;
        /* what lies before its first snapshot was seen by it */
        if (segments_compare(file, offset, ledger->places[l->from - 1].file,
                             ledger->places[l->from - 1].offset) > 0 &&
            segments_compare(file, offset, r->run->position.file, r->run->position.offset) <= 0)
            r->named[i] = true;
    }
}

static void replay_statement_name(void *ctx, const char *db, const char *table)
{
    struct replay *r = ctx;

    replay_name(r, r->item->file, r->item->end, db, table ? table : "");
}

/* ---- without a capture: the binlog is read once more ---- */

static enum err_code replay_look(void *ctx, const struct binlog_table *t,
                                 const struct rows_images *images, struct err *err)
{
    const struct replay *r = ctx;

    return dumper_rows_whole(r->run, t, images, err);
}

static enum err_code replay_items(struct replay *r, struct binlog_reader *reader, struct err *err)
{
    const struct position *to = &r->run->position;

    for (;;) {
        struct binlog_position at = binlog_reader_position(reader);
        struct binlog_item item;
        enum err_code rc;

        if (at.file && segments_compare(at.file, at.offset, to->file, to->offset) >= 0)
            return ERR_OK;
        if (dumper_stopped(r->run))
            return dumper_stop_error(r->run, err);
        rc = binlog_reader_next(reader, &item, err);
        if (rc)
            return rc;
        at = binlog_reader_position(reader);
        if (item.kind == BINLOG_END &&
            segments_compare(at.file, at.offset, to->file, to->offset) < 0)
            return err_set(err, ERR_BINLOG_PURGED, "it ends at %s:%" PRIu64, at.file, at.offset);
        if (item.kind == BINLOG_STATEMENT) {
            char *db = xstrndup(item.statement->db, item.statement->db_len);

            r->item = &item;
            (void)ddl_names(item.statement->text, item.statement->len, db, replay_statement_name,
                            r);
            free(db);
        }
    }
}

static enum err_code replay_scan(struct replay *r, const struct binlog_start *from, struct err *err)
{
    const struct binlog_stream_config stream = {.url = r->run->source, .until_end = true};
    struct binlog_reader_config config = {
        .start = *from, .find_ctx = r, .look = replay_look, .cancel = r->run->cancel};
    struct binlog_reader *reader = NULL;
    enum err_code rc = binlog_stream_open(&stream, from, &config.source, err);

    if (rc)
        return rc;
    rc = binlog_reader_new(&config, &reader, err);
    if (rc) {
        binlog_source_free(config.source);
        return rc;
    }
    rc = replay_items(r, reader, err);
    binlog_reader_free(reader);
    return rc;
}

/* The position of the earliest epoch of which the dump has rows: a replay brings finished tables on
 * from there too. */
static void replay_from(const struct ledger *ledger, struct binlog_start *from)
{
    unsigned first = 0;

    for (size_t i = 0; i < ledger->table_count; i++)
        if (ledger->tables[i]->from && (!first || ledger->tables[i]->from < first))
            first = ledger->tables[i]->from;
    if (first)
        *from = (struct binlog_start){.file = ledger->places[first - 1].file,
                                      .offset = ledger->places[first - 1].offset};
}

/* Why the binlog may not be the one that it was; NULL: it is. */
static enum err_code replay_window(struct replay *r, struct err *err)
{
    struct dump_run *run = r->run;
    struct binlog_start from = {.file = NULL};
    const char *why = dumper_other_binlog(run, run->capture != NULL);
    enum err_code rc;

    if (why)
        return err_set(err, ERR_DUMP_MOVED, "%s", why);
    if (run->capture) {
        rc = dumper_capture_wait(run, &run->position, err);
        if (!rc)
            dumper_capture_ddl(run, replay_name, r);
        return rc;
    }
    rc = dumper_rows_logged(run, err);
    replay_from(run->ledger, &from);
    return rc || !from.file ? rc : replay_scan(r, &from, err);
}

/* ---- tables ---- */

static enum err_code replay_table(struct dump_run *run, struct ledger_table *l, bool named,
                                  struct err *err)
{
    const struct table *t = schema_find(run->plan.schema, l->db, l->name);

    if (!t) {
        l->left_out = xstrdup("it was dropped or renamed before it was read to its end");
        log_event(LOG_WARN, "dump.table.gone", F_STR("db", l->db), F_STR("table", l->name),
                  F_STR("message", "dropped or renamed before it was read to its end: left out"));
        run->left_out++;
        return dumper_leave_table_out(run, l, err);
    }
    if (named)
        return dumper_start_again(run, l, "DDL names it", err);
    if (t->kind == TABLE_VERSIONED)
        return dumper_start_again(run, l,
                                  "it is system-versioned: its changes are logged in "
                                  "another form",
                                  err);
    return ERR_OK;
}

static enum err_code replay_tables(struct replay *r, struct err *err)
{
    struct ledger *ledger = r->run->ledger;
    enum err_code rc = ERR_OK;

    for (size_t i = 0; !rc && i < ledger->table_count; i++)
        if (replay_unfinished(ledger->tables[i]))
            rc = replay_table(r->run, ledger->tables[i], r->named[i], err);
    return rc;
}

/* A reason of the source's is told as what it means here. */
static enum err_code replay_refused(enum err_code rc, struct err *err)
{
    if (rc == ERR_SERVER_LOST || rc == ERR_CONNECT || rc == ERR_INTERRUPTED || rc == ERR_FAILED)
        return rc;
    err->code = ERR_DUMP_MOVED;
    return err_wrap(err, "the source has changed since the first snapshot, and what was written "
                         "since cannot be replayed");
}

enum err_code dumper_replay(struct dump_run *run, struct err *err)
{
    struct replay r = {.run = run};
    bool again = false;
    enum err_code rc;

    if (!run->config->replayed)
        return err_set(err, ERR_DUMP_MOVED,
                       "the source has changed since the first snapshot (%s:%" PRIu64
                       ", it is at %s:%" PRIu64 " now), and its rows go where no replay follows",
                       run->ledger->first.log_file, run->ledger->first.log_pos, run->position.file,
                       run->position.offset);
    if (run->config->with_binlog != (run->capture != NULL))
        return err_set(err, ERR_INTERNAL, "the binlog is not being captured");
    run->epoch = run->ledger->epochs; /* for the records until the next one has its own */
    ledger_sort(run->ledger);
    r.named = xcalloc(run->ledger->table_count + 1, sizeof(*r.named));
    rc = replay_window(&r, err);
    if (rc)
        rc = replay_refused(rc, err);
    if (!rc)
        rc = replay_tables(&r, err);
    if (!rc)
        rc = dumper_cascades(run, &again, err);
    free(r.named);
    if (rc || !again)
        return rc;
    rc = err_set(err, ERR_DUMP_TABLE,
                 "finished tables are tied by cascades to others that are not, and start again "
                 "with them");
    run->lost = *err;
    return rc;
}
