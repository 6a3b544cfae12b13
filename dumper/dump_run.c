/* A dump from its plan to its end record.
 *
 * Who starts whom: dump_run runs on the caller's thread, which does everything that is done once
 * and writes the definitions of databases, views and sequences. Three pools of config->threads
 * threads follow each other, worker i of each with connection i: the first opens the connections
 * and tries every table; the second opens the snapshots while the caller holds the global read
 * lock; the third reads. The manifest writes its segments on a thread of its own, the lease renews
 * itself on another.
 *
 * What is queued (span.h): whole tables in the plan's order, and spans, which are ranges of tables'
 * keys. A worker that takes a table looks at its definition, writes schema file and table record,
 * and reads its first missing span; the other missing ones, of earlier epochs, it queues. A worker
 * that sees others idle cuts the rest of its span in two between chunks and queues the upper half.
 * Nobody waits for anybody but for jobs.
 *
 * How it ends: a worker without a job ends when no other has one either. The first that fails sets
 * run->stop, at which the others drop their unfinished files; so does a lost lease and a manifest
 * that cannot be written; the user's cancel does the same from outside. Then the caller, alone
 * again, makes durable what is finished: the same command goes on from there. If nothing failed it
 * compares listing and records, and writes `metadata` and the end record. */
#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/rate.h"
#include "dumper/capture.h"
#include "dumper/changes.h"
#include "dumper/ddl_lock.h"
#include "dumper/epochs.h"
#include "dumper/lock.h"
#include "dumper/moving.h"
#include "formats/file_names.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef FERRY_VERSION
#define FERRY_VERSION "0.1.0"
#endif

static void run_stop(void *ctx)
{
    struct dump_run *run = ctx;

    cancel_ask(&run->stop);
}

/* What tells the server from others: its UUID, else what it says of itself and its place. */
static enum err_code run_identify(struct dump_run *run, struct err *err)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    struct strbuf hex = {0};
    char *place = NULL;
    enum err_code rc = source_identity_read(run->control, &run->identity, err);

    if (rc)
        return rc;
    if (run->identity.server_uuid) {
        run->source_id = xstrdup(run->identity.server_uuid);
        return ERR_OK;
    }
    rc = conn_value(run->control,
                    "SELECT CONCAT_WS('|', @@hostname, @@port, @@server_id, @@datadir)", &place,
                    err);
    if (rc)
        return rc;
    if (!place || !EVP_Digest(place, strlen(place), digest, NULL, EVP_sha256(), NULL))
        rc = err_set(err, ERR_SERVER_UNSUPPORTED, "the server does not say who it is");
    for (size_t i = 0; !rc && i < 16; i++)
        strbuf_addf(&hex, "%02x", (unsigned)digest[i]);
    free(place);
    run->source_id = strbuf_detach(&hex);
    return rc;
}

static enum err_code run_connect(struct dump_run *run, struct err *err)
{
    enum err_code rc = conn_open(run->source, CONN_SOURCE, "dump", &run->control, err);

    if (rc)
        return rc;
    run->reached = true;
    run->flavour = *conn_flavour(run->control);
    return run_identify(run, err);
}

static enum err_code run_uuid(char uuid[37], struct err *err)
{
    unsigned char b[16];
    struct strbuf text = {0};

    if (RAND_bytes(b, sizeof(b)) != 1)
        return err_set(err, ERR_FAILED, "no random numbers are to be had");
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40); /* version 4 */
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    for (size_t i = 0; i < 16; i++)
        strbuf_addf(&text, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x",
                    (unsigned)b[i]);
    memcpy(uuid, strbuf_str(&text), 37);
    strbuf_release(&text);
    return ERR_OK;
}

/* Appends it, and takes it into the ledger as reading it back would. */
static enum err_code run_record(struct dump_run *run, struct record *r, struct err *err)
{
    enum err_code rc = manifest_append(run->manifest, r, err);

    if (!rc)
        return ledger_apply(run->ledger, r, err);
    record_release(r);
    return rc;
}

static enum err_code run_begin(struct dump_run *run, struct err *err)
{
    struct record r = {.kind = RECORD_DUMP};
    struct dump_record *d = &r.u.dump;
    enum err_code rc;

    rc = manifest_open(run->output, run->ledger->last_segment, run_stop, run, &run->manifest, err);
    if (rc || run->ledger->begun)
        return rc;
    rc = run_uuid(d->uuid, err);
    if (rc)
        return rc;
    d->version = MANIFEST_VERSION;
    d->ferry_version = xstrdup(FERRY_VERSION);
    d->source_version = xstrdup(run->identity.version ? run->identity.version : "");
    d->source_uuid = xstrdup(run->source_id);
    d->source_host = run->identity.hostname ? xstrdup(run->identity.hostname) : NULL;
    d->vendor = xstrdup(vendor_name(run->flavour.vendor));
    d->format = xstrdup(run->config->format == ROW_FORMAT_SQL ? "sql" : "csv");
    d->compression = xstrdup(run->config->compression.codec->name);
    d->options = xstrdup(run->options);
    d->started_us = clock_utc_us();
    rc = run_record(run, &r, err);
    /* also the proof that the output can be written */
    return rc ? rc : manifest_flush(run->manifest, err);
}

static void run_lock_lost(void *ctx, const struct err *err)
{
    log_event(LOG_ERROR, "dump.lock.lost", F_STR("cause", err->msg),
              F_STR("message", "a connection that held the read lock is lost"));
    run_stop(ctx);
}

static enum err_code run_epoch(struct dump_run *run, struct err *err)
{
    struct record r = {.kind = RECORD_EPOCH};

    run->epoch = run->ledger->epochs + 1;
    r.u.epoch = (struct epoch_record){
        .epoch = run->epoch,
        .consistency = xstrdup(run->consistency),
        .log_file = run->position.file ? xstrdup(run->position.file) : NULL,
        .log_pos = run->position.offset,
        .gtid = run->position.file && run->position.gtid ? xstrdup(run->position.gtid) : NULL,
        .at_us = clock_utc_us(),
        .boot = run->boot ? xstrdup(run->boot) : NULL,
        .log_id = dumper_log_id(run),
        .tables = run->plan.table_total,
        .data_bytes = run->plan.bytes,
        .lock_us = run->held.kind ? 0 : run->lock_us,
        .log_created = run->config->with_binlog ? run->log_created : 0,
        .cascades_logged = run->cascades_logged};
    r.u.epoch.replica = dumper_replica_detach(run, &r.u.epoch.replica_count);
    if (run_record(run, &r, err))
        return err->code;
    fault_point("dump.epoch.record");
    return dumper_capture_go(run, err);
}

static void run_start_progress(struct dump_run *run)
{
    const struct ledger *l = run->ledger;
    struct progress *p = run->progress;

    atomic_store(&p->total_bytes, run->plan.bytes);
    atomic_store(&p->total_pieces, run->plan.table_total);
    atomic_store(&p->pieces, run->plan.table_total - run->plan.count);
    atomic_store(&p->rows, 0); /* an epoch that was lost has counted what does not count */
    atomic_store(&p->bytes, 0);
    for (size_t i = 0; i < l->table_count; i++) {
        atomic_fetch_add(&p->rows, l->tables[i]->rows);
        atomic_fetch_add(&p->bytes, l->tables[i]->raw_bytes);
    }
}

/* Why it stopped, when no worker of its own failed. */
static enum err_code run_stop_reason(struct dump_run *run, struct err *err)
{
    enum err_code rc;

    if (!dumper_stopped(run))
        return ERR_OK;
    rc = lease_check(run->lease, err);
    if (!rc)
        rc = manifest_flush(run->manifest, err);
    if (!rc && !cancel_asked(run->cancel))
        rc = dumper_capture_error(run, err);
    return rc ? rc : dumper_stop_error(run, err);
}

/* Tables that no snapshot holds: all of them, and writers wait meanwhile. */
static enum err_code run_read_locked(struct dump_run *run, struct err *err)
{
    struct pool *pool = NULL;
    enum err_code rc = dumper_lock_rest(run, run_lock_lost, err);

    if (rc)
        return rc;
    run->under_lock = true;
    run->queue = span_queue_new(run->plan.tables, run->plan.locked, &run->stop, run->cancel);
    rc = pool_start(&pool, "dump", run->config->threads, dumper_worker_main, run_stop, run, err);
    if (!rc)
        rc = pool_join(pool, err);
    span_queue_free(run->queue);
    run->queue = NULL;
    run->under_lock = false;
    dumper_lock_rest_end(run);
    if (!rc) /* also when the lock was lost, at which the workers stop */
        rc = dumper_unlock(run, err);
    if (!rc)
        rc = run_stop_reason(run, err);
    if (rc)
        return rc;
    log_event(LOG_INFO, "dump.locked.read", F_U64("tables", run->plan.locked),
              F_U64("lock_us", run->lock_us),
              F_STR("message", "the tables without transactions are read; writers go on"));
    return ERR_OK;
}

static enum err_code run_read(struct dump_run *run, struct err *err)
{
    struct err schema_err = ERR_INIT;
    struct pool *pool = NULL;
    enum err_code schema;
    enum err_code rc;

    if (run->held.kind) {
        rc = run_read_locked(run, err);
        if (rc)
            return rc;
    }
    run->queue = span_queue_new(run->plan.tables + run->plan.locked,
                                run->plan.count - run->plan.locked, &run->stop, run->cancel);
    if (run->plan.count > run->plan.locked) {
        rc =
            pool_start(&pool, "dump", run->config->threads, dumper_worker_main, run_stop, run, err);
        if (rc)
            return rc;
    }
    schema = dumper_write_schemas(run, &schema_err);
    if (schema && dumper_control_lost(run, &schema_err))
        schema = ERR_OK;
    if (schema)
        run_stop(run);
    rc = pool_join(pool, err);
    if (!rc && schema) {
        *err = schema_err;
        rc = schema;
    }
    if (!rc)
        rc = run_stop_reason(run, err);
    if (!rc && run->lost.code) {
        *err = run->lost;
        rc = err->code;
    }
    return rc;
}

/* All is read. */
static void run_ddl_end(struct dump_run *run)
{
    struct strbuf text = {0};

    dumper_ddl_text(run, &text);
    if (text.len)
        run->ddl_text = strbuf_detach(&text);
    strbuf_release(&text);
    dumper_ddl_unlock(run);
}

/* Also of an epoch that has lost a part: tables may have been finished in it. */
static enum err_code run_changes(struct dump_run *run, enum err_code lost, struct err *err)
{
    struct err changed = ERR_INIT;
    enum err_code rc = dumper_changes_end(run, &changed);

    if (rc == ERR_DUMP_TABLE) /* the next epoch reads them, if there may be one */
        run->lost = changed;
    if (!rc || (lost && (rc == ERR_SERVER_LOST || rc == ERR_CONNECT)))
        return lost;
    *err = changed;
    return rc;
}

static enum err_code run_other_place(struct dump_run *run, struct err *err)
{
    enum err_code rc = position_read(run->control, &run->position, err);

    run->consistency = run->ledger->first.consistency;
    return rc ? rc : dumper_same_position(run, err);
}

static enum err_code run_begin_epoch(struct dump_run *run, struct err *err)
{
    enum err_code rc = dumper_check_epochs(run, err);

    if (!rc && !run->ledger->epochs)
        rc = dumper_capture_prove(run, err);
    if (!rc)
        rc = dumper_cascades_logged(run, err);
    if (!rc)
        rc = throttle_start(&run->config->throttle, run->source, CONN_SOURCE, &run->throttle, err);
    if (!rc)
        rc = dumper_connect(run, err);
    if (!rc)
        rc = dumper_changes_begin(run, err);
    if (!rc)
        dumper_boot_read(run);
    if (!rc)
        rc = dumper_snapshot(run, err);
    if (!rc)
        rc = dumper_plan_fits(run, err);
    if (!rc) /* it begins at the first epoch's position */
        rc = dumper_capture_begin(run, err);
    return rc ? rc : run_epoch(run, err);
}

/* Snapshot and rows; without any table that is not finished there is nothing to be consistent
 * with. */
static enum err_code run_data(struct dump_run *run, struct dump_report *report, struct err *err)
{
    uint64_t since = clock_mono_us();
    enum err_code rc = ERR_OK;

    run->lock_us = run->lock_wait_us = 0;
    if (run->plan.count || !run->ledger->epochs) {
        rc = run_begin_epoch(run, err);
    } else {
        run->epoch = run->ledger->epochs;
        if (run->other_server) /* what is missing of definitions comes from there */
            rc = run_other_place(run, err);
    }
    report->plan_us += clock_mono_us() - since - run->lock_us;
    since = clock_mono_us();
    if (!rc) {
        run_start_progress(run);
        rc = run_read(run, err);
        if (!rc || rc == run->lost.code)
            rc = run_changes(run, rc, err);
    }
    report->data_us += clock_mono_us() - since;
    report->lock_us += run->lock_us;
    report->lock_wait_us += run->lock_wait_us;
    throttle_stop(run->throttle);
    run->throttle = NULL;
    dumper_disconnect(run);
    if (!rc) /* else it is kept out until the next epoch */
        run_ddl_end(run);
    return rc;
}

static enum err_code run_metadata(struct dump_run *run, struct err *err)
{
    struct strbuf text = {0};
    enum err_code rc;

    dumper_metadata(run, &text);
    rc = store_put(run->output, METADATA_FILE, strbuf_str(&text), text.len, err);
    strbuf_release(&text);
    return rc;
}

/* Listing and records agree, then `metadata`, then the end record: each durable before the next. */
static enum err_code run_end(struct dump_run *run, struct err *err)
{
    struct record r = {.kind = RECORD_END};
    enum err_code rc = manifest_flush(run->manifest, err);

    if (!rc)
        rc = dumper_check_files(run, err);
    fault_point("dump.before-metadata");
    if (!rc) /* else somebody else's may be there already */
        rc = lease_check(run->lease, err);
    if (!rc)
        rc = run_metadata(run, err);
    if (!rc)
        rc = lease_check(run->lease, err);
    if (rc)
        return rc;
    fault_point("dump.before-end");
    r.u.end.at_us = clock_utc_us();
    for (size_t i = 0; i < run->ledger->table_count; i++) {
        const struct ledger_table *t = run->ledger->tables[i];

        r.u.end.tables += t->recorded;
        r.u.end.rows += t->rows;
        r.u.end.raw_bytes += t->raw_bytes;
        r.u.end.files += t->files;
    }
    r.u.end.files += run->ledger->file_records;
    rc = manifest_append(run->manifest, &r, err);
    if (!rc)
        rc = manifest_close(run->manifest, err);
    run->manifest = NULL;
    fault_point("dump.after-end");
    return rc;
}

void dumper_let_go(struct dump_run *run)
{
    dumper_disconnect(run);
    span_queue_free(run->queue);
    run->queue = NULL;
    conn_close(run->control);
    run->control = NULL;
    dumper_plan_release(&run->plan);
    position_release(&run->position);
    dumper_replica_release(run);
    source_identity_release(&run->identity);
    free(run->source_id);
    run->source_id = NULL;
    run->left_out = 0;
    free(run->boot);
    run->boot = NULL;
    run->lost = (struct err)ERR_INIT;
}

/* From what the ledger says is done to all that is missing, or to where the source is lost. */
static enum err_code run_once(struct dump_run *run, struct dump_report *report, struct err *err)
{
    uint64_t since = clock_mono_us();
    enum err_code rc = run_connect(run, err);

    if (!rc)
        rc = dumper_same_source(run, err);
    if (!rc)
        rc = dumper_ddl_lock(run, err);
    if (!rc)
        rc = dumper_plan(run, err);
    if (!rc)
        rc = run_begin(run, err);
    if (!rc && run->ledger->epochs) /* before more of it is purged */
        rc = dumper_capture_begin(run, err);
    if (!rc)
        rc = dumper_capture_charsets(run, err);
    report->plan_us += clock_mono_us() - since;
    if (rc)
        return rc;
    if (run->config->begun && !run->begun)
        run->config->begun(run->config->begun_ctx);
    run->begun = true;
    return run_data(run, report, err);
}

static enum err_code run_epochs(struct dump_run *run, struct dump_report *report, struct err *err)
{
    struct epochs epochs = {0};
    enum err_code rc;

    for (;;) {
        rc = run_once(run, report, err);
        if (!rc)
            return ERR_OK;
        if (rc == ERR_DUMP_MOVED && epochs.why.code)
            return err_wrap(err, "%.400s; what is missing cannot be read in a new snapshot",
                            epochs.why.msg);
        rc = dumper_epoch_again(run, &epochs, err);
        if (!rc)
            rc = dumper_read_back(run, err);
        if (rc)
            return rc;
    }
}

static enum err_code run_steps(struct dump_run *run, struct dump_report *report, struct err *err)
{
    const struct lease_params lease = {.path = LOCK_FILE,
                                       .what = "dump",
                                       .take_over = run->config->take_over,
                                       .lost = run_stop,
                                       .ctx = run};
    enum err_code rc;

    rc = dumper_look(run, err);
    if (!rc)
        rc = lease_take(run->output, &lease, &run->lease, err);
    if (!rc)
        rc = dumper_resume(run, err);
    if (!rc)
        rc = run_epochs(run, report, err);
    if (!rc)
        rc = dumper_capture_end(run, err);
    if (!rc)
        rc = dumper_moving_end(run, err);
    if (!rc)
        rc = run_end(run, err);
    if (!rc)
        dumper_report(run, report);
    return rc;
}

/* Looks, and takes and writes nothing. */
static enum err_code run_dry(struct dump_run *run, struct err *err)
{
    enum err_code rc = ledger_read(run->ledger, run->output, err);

    if (!rc)
        rc = run_connect(run, err);
    if (!rc)
        rc = dumper_plan(run, err);
    return rc ? rc : dumper_print_plan(run, err);
}

static void run_release(struct dump_run *run)
{
    struct err ignored = ERR_INIT;

    dumper_capture_stop(run);
    /* What is finished becomes durable, whatever went wrong; a failure of that has been told. */
    if (manifest_close(run->manifest, &ignored))
        log_event(LOG_DEBUG, "dump.manifest.close", F_STR("message", ignored.msg));
    dumper_let_go(run);
    dumper_ddl_unlock(run);
    lease_release(run->lease);
    ledger_free(run->ledger);
    free(run->consistency_why);
    free(run->ddl_text);
    changes_free(run->changes);
    free(run->options);
    rate_free(run->rate);
    pthread_mutex_destroy(&run->lock);
}

/* The contract's seven arguments are plainer than a struct made for one call.
 * NOLINTNEXTLINE(readability-function-size) */
enum err_code dump_run(const struct dump_config *config, const struct server_url *source,
                       struct store *output, struct progress *progress, const struct cancel *cancel,
                       struct dump_report *report, struct err *err)
{
    struct dump_run run = {.config = config,
                           .source = source,
                           .output = output,
                           .progress = progress,
                           .cancel = cancel,
                           .ledger = ledger_new(),
                           .changes = changes_new(),
                           .rate = rate_new(config->rate_bytes),
                           .options = dumper_options(config)};
    struct dump_report found = {0};
    uint64_t since = clock_mono_us();
    enum err_code rc;

    pthread_mutex_init(&run.lock, NULL);
    rc = config->dry_run ? run_dry(&run, err) : run_steps(&run, &found, err);
    run_release(&run);
    if (rc || config->dry_run) {
        dump_report_release(&found);
        return rc;
    }
    found.total_us = clock_mono_us() - since;
    *report = found;
    return ERR_OK;
}
