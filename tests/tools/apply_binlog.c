/* Applies a server's binlog to another server with follower/applier.h: for tests and measurements.
 *
 * apply_binlog SOURCE TARGET --file NAME --offset N [--gtids SET] [--job N] [--threads N]
 *     --filter PATTERN... [--idempotent] [--batch-rows N] [--spill-bytes N] [--atomic-bytes N]
 *     [--memory-bytes N] [--retry SECONDS] [--follow SECONDS] [--on-drift repair|log]
 *     [--max-drift N] [--check-before-image] [--in-order]
 *
 * Ends at the binlog's end, or after SECONDS. One JSON object is printed at the end; after an error
 * its name and message are in it, and the exit status is the error's. */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/mysql/binlog_stream.h"
#include "common/mysql/filter.h"
#include "common/schema/read.h"
#include "follower/applier.h"
#include "formats/binlog_reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define TABLES_MAX 1024

struct program {
    const char *source_url, *target_url, *file, *gtids, *patterns[8];
    size_t pattern_count;
    uint64_t offset, job, follow, server_id;
    enum applier_mode mode;
    struct applier_config config;
    struct server_url source, target;
    struct conn *conn, *to;
    struct filter *filter;
    struct schema *schema, *target_schema;
    struct charset_maps *maps;
    struct state state;
    struct applier *applier;
    struct {
        const struct table *def;
        unsigned id;
    } tables[TABLES_MAX];
    unsigned table_count;
};

static bool option(struct program *p, const char *name, const char *value)
{
    const uint64_t number = strtoull(value, NULL, 10);

    if (strcmp(name, "--file") == 0)
        p->file = value;
    else if (strcmp(name, "--offset") == 0)
        p->offset = number;
    else if (strcmp(name, "--gtids") == 0)
        p->gtids = value;
    else if (strcmp(name, "--filter") == 0)
        p->patterns[p->pattern_count++ % 8] = value;
    else if (strcmp(name, "--job") == 0)
        p->job = number;
    else if (strcmp(name, "--threads") == 0)
        p->config.threads = (unsigned)number;
    else if (strcmp(name, "--batch-rows") == 0)
        p->config.batch_rows = number;
    else if (strcmp(name, "--spill-bytes") == 0)
        p->config.spill_bytes = number;
    else if (strcmp(name, "--atomic-bytes") == 0)
        p->config.atomic_bytes = number;
    else if (strcmp(name, "--memory-bytes") == 0)
        p->config.memory_bytes = number;
    else if (strcmp(name, "--retry") == 0)
        p->config.retry_us = number * 1000000;
    else if (strcmp(name, "--on-drift") == 0)
        p->config.on_drift = strcmp(value, "repair") == 0 ? APPLY_DRIFT_REPAIR : APPLY_DRIFT_LOG;
    else if (strcmp(name, "--max-drift") == 0)
        p->config.max_drift = number;
    else if (strcmp(name, "--follow") == 0)
        p->follow = number;
    else
        return false;
    return true;
}

static bool options_read(struct program *p, char **argv)
{
    p->source_url = *argv++;
    p->target_url = *argv++;
    p->job = 1;
    for (; *argv; argv++) {
        if (strcmp(*argv, "--in-order") == 0) {
            p->config.in_order = true;
            continue;
        }
        if (strcmp(*argv, "--check-before-image") == 0) {
            p->config.check_before_image = true;
            continue;
        }
        if (strcmp(*argv, "--idempotent") == 0) {
            p->mode = APPLY_IDEMPOTENT;
            continue;
        }
        if (!argv[1] || !option(p, argv[0], argv[1]))
            return false;
        argv++;
    }
    return true;
}

static enum err_code schemas_read(struct program *p, struct err *err)
{
    p->table_count = 0;
    schema_free(p->schema);
    schema_free(p->target_schema);
    p->schema = p->target_schema = NULL;
    if (schema_read(p->conn, p->filter, &p->schema, err))
        return err->code;
    return schema_read(p->to, p->filter, &p->target_schema, err);
}

static enum err_code find(void *ctx, const char *db, const char *name, const struct table **def,
                          struct err *err)
{
    struct program *p = ctx;

    (void)err;
    *def = schema_find(p->schema, db, name);
    return ERR_OK;
}

static enum err_code table_id(struct program *p, const struct table *def, unsigned *id,
                              struct err *err)
{
    struct applier_table t = {.db = def->db, .name = def->name};
    int source[4096];
    enum err_code rc;

    for (unsigned i = 0; i < p->table_count; i++) {
        if (p->tables[i].def == def) {
            *id = p->tables[i].id;
            return ERR_OK;
        }
    }
    t.def = schema_find(p->target_schema, def->db, def->name);
    if (!t.def || p->table_count == TABLES_MAX)
        return err_set(err, ERR_FAILED, "no table %s.%s on the target", def->db, def->name);
    for (unsigned i = 0; i < t.def->column_count; i++) {
        const struct column *c = table_column(def, t.def->columns[i].name);

        source[i] = c ? (int)(c - def->columns) : -1;
    }
    t.source = source;
    rc = applier_table(p->applier, &t, id, err);
    if (!rc) {
        p->tables[p->table_count].def = def;
        p->tables[p->table_count++].id = *id;
    }
    return rc;
}

static enum err_code item_apply(struct program *p, const struct binlog_reader *r,
                                const struct binlog_item *item, struct err *err)
{
    const struct applier_txn txn = {item->file, item->start, item->gtid, item->timestamp};
    const struct binlog_position at = binlog_reader_position(r);
    bool applied = false;
    unsigned id = 0;

    switch (item->kind) {
    case BINLOG_BEGIN:
        return applier_begin(p->applier, &txn, &applied, err);
    case BINLOG_ROW:
        if (table_id(p, item->table->def, &id, err))
            return err->code;
        return applier_change(p->applier, id, p->mode, item->change, err);
    case BINLOG_COMMIT:
        return applier_commit(p->applier, at.file, at.offset, err);
    case BINLOG_RESTART:
        applier_rollback(p->applier);
        return ERR_OK;
    case BINLOG_STATEMENT:
    case BINLOG_IDLE:
    case BINLOG_END:
        break;
    }
    return ERR_OK;
}

static enum err_code apply_all(struct program *p, struct binlog_reader *r, struct err *err)
{
    struct binlog_item item = {.kind = BINLOG_IDLE};
    const uint64_t begun = clock_mono_us();
    enum err_code rc = ERR_OK;

    while (!rc && item.kind != BINLOG_END) {
        rc = binlog_reader_next(r, &item, err);
        if (!rc)
            rc = item_apply(p, r, &item, err);
        if (p->follow && item.kind == BINLOG_IDLE && clock_mono_us() - begun > p->follow * 1000000)
            break;
    }
    return rc ? rc : applier_drain(p->applier, err);
}

static enum err_code run(struct program *p, struct err *err)
{
    struct binlog_stream_config stream = {.url = &p->source, .until_end = !p->follow};
    struct binlog_reader_config config = {.find = find, .find_ctx = p, .maps = p->maps};
    struct applier_position at, from = {.file = p->file ? p->file : "",
                                        .offset = p->offset,
                                        .gtids = p->gtids ? p->gtids : ""};
    struct binlog_reader *r = NULL;
    struct gtid_set *set = NULL;
    enum err_code rc;

    if (p->gtids)
        from.kind = conn_flavour(p->conn)->vendor == VENDOR_MARIADB ? GTID_MARIADB : GTID_MYSQL;
    p->config.target = &p->target;
    p->config.state = &p->state;
    p->applier = applier_new(&p->config);
    rc = applier_start(p->applier, p->file || p->gtids ? &from : NULL, &at, err);
    if (rc)
        return rc;
    if (at.kind != GTID_NONE) {
        set = gtid_set_new(at.kind);
        rc = gtid_set_parse(set, at.gtids, err);
    }
    config.start.file = *at.file ? at.file : NULL;
    config.start.offset = at.offset;
    config.start.gtids = set;
    config.reconnect_us = 20000000;
    if (!rc)
        rc = binlog_stream_open(&stream, &config.start, &config.source, err);
    if (!rc)
        rc = binlog_reader_new(&config, &r, err);
    if (!rc)
        rc = apply_all(p, r, err);
    binlog_reader_free(r);
    gtid_set_free(set);
    return rc;
}

static void report(struct program *p, uint64_t begun, const struct err *err)
{
    struct applier_counts n = {0};
    struct applier_position at = {.file = "", .gtids = ""};
    struct rusage usage;

    if (p->applier) {
        applier_counts(p->applier, &n);
        applier_position(p->applier, &at);
    }
    (void)getrusage(RUSAGE_SELF, &usage);
    (void)printf("{\"error\":\"%s\",\"transactions\":%" PRIu64 ",\"changes\":%" PRIu64
                 ",\"written\":%" PRIu64 ",\"retries\":%" PRIu64 ",\"cut\":%" PRIu64
                 ",\"logged\":%" PRIu64 ",\"repaired\":%" PRIu64
                 ",\"file\":\"%s\",\"offset\":%" PRIu64 ",\"gtids\":\"%s\",\"seconds\":%.3f"
                 ",\"rss\":%ld}\n",
                 err->code ? err_info(err->code)->name : "", n.transactions, n.changes, n.written,
                 n.retries, n.cut, n.drift_logged, n.drift_repaired, at.file, at.offset, at.gtids,
                 (double)(clock_mono_us() - begun) / 1e6, usage.ru_maxrss / 1024);
    if (err->code)
        (void)fprintf(stderr, "%s\n", err->msg);
}

int main(int argc, char **argv)
{
    static struct program p;
    const uint64_t begun = clock_mono_us();
    struct err err = ERR_INIT;
    enum err_code rc;

    if (argc < 3 || !options_read(&p, argv + 1))
        return 2;
    rc = conn_library_init(&err);
    if (!rc)
        rc = server_url_parse(p.source_url, &p.source, &err);
    if (!rc)
        rc = server_url_parse(p.target_url, &p.target, &err);
    if (!rc)
        rc = conn_open(&p.source, CONN_SOURCE, "apply", &p.conn, &err);
    if (!rc)
        rc = conn_open(&p.target, CONN_TARGET, "apply", &p.to, &err);
    if (!rc)
        rc = conn_execz(p.to, "CREATE DATABASE IF NOT EXISTS ferry_meta", &err);
    p.state.job = p.job;
    memcpy(p.state.schema, STATE_SCHEMA_DEFAULT, sizeof STATE_SCHEMA_DEFAULT);
    if (!rc)
        rc = filter_new(p.patterns, p.pattern_count, true, &p.filter, &err);
    if (!rc)
        rc = schemas_read(&p, &err);
    if (!rc) {
        p.maps = charset_maps_new(p.conn);
        rc = run(&p, &err);
    }
    report(&p, begun, &err);
    applier_free(p.applier);
    return rc ? err_info(rc)->exit_status : 0;
}
