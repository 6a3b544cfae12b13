/* Before the first event: which load is followed, whether it may be, and what the target's state
 * knows of it; made from the dump by the first run. */
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/mysql/position.h"
#include "common/schema/column_text.h"
#include "common/target/ddl.h"
#include "common/target/follow_log.h"
#include "follower/follow_inner.h"
#include "follower/versioned.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

#define LOCK_WAIT_S 5 /* the server may need as long to see that a killed follower is gone */

/* ---- which load ---- */

/* One follower a job at a time: a lock of the server, which lives as long as the connection. What
 * keeps a late one from writing is the applier's fence. */
static enum err_code start_lock(struct follow_run *run, struct err *err)
{
    struct strbuf sql = {0};
    char *answer = NULL;
    bool got;
    enum err_code rc;

    strbuf_addf(&sql, "SELECT GET_LOCK('ferry-follow_%.30s_%" PRIu64 "',%d)", run->state.schema,
                run->state.job, LOCK_WAIT_S);
    rc = conn_value(run->conn, strbuf_str(&sql), &answer, err);
    strbuf_release(&sql);
    got = answer && strcmp(answer, "1") == 0;
    free(answer);
    if (rc == ERR_SQL) { /* a TiDB before 6.2 has no such function */
        err_clear(err);
        return ERR_OK;
    }
    if (!rc && !got)
        return err_set(err, ERR_FOLLOW_FENCED,
                       "another process follows into job %" PRIu64 " of `%s`", run->state.job,
                       run->state.schema);
    return rc;
}

enum err_code start_again(struct follow_run *run, struct err *err)
{
    if (run->conn && conn_usable(run->conn))
        return ERR_OK;
    conn_close(run->conn);
    run->conn = NULL;
    if (conn_open(run->config->target, CONN_TARGET, "follow", &run->conn, err))
        return err->code;
    if (!start_lock(run, err))
        return ERR_OK;
    conn_close(run->conn);
    run->conn = NULL;
    return err->code;
}

static bool json_flag(const json_t *options, const char *name)
{
    return json_is_true(json_object_get(options, name));
}

/* What the load left out is missing for good. */
static enum err_code job_check(const struct follow_run *run, const struct follow_job *job,
                               struct err *err)
{
    json_t *options = json_loads(job->options, 0, NULL);
    const bool no_data = json_flag(options, "no-data");
    const bool ignored = json_array_size(json_object_get(options, "ignore-columns")) > 0;

    json_decref(options);
    if (elsewhere_is(job))
        return ERR_OK;
    if (job->state != JOB_DONE && !(run->config->within_load && job->state == JOB_ROWS_DONE))
        return err_set(
            err, ERR_FOLLOW_STATE,
            "the load of dump %s (job %" PRIu64
            ") is not complete: say the load command again until it is done; objects that the "
            "target cannot have are to be left out by --filter",
            job->dump_uuid, run->state.job);
    if (no_data)
        return err_set(err, ERR_FOLLOW_STATE, "the load was made with --no-data");
    if (ignored)
        return err_set(err, ERR_FOLLOW_STATE,
                       "the load was made with --ignore-columns: the binlog's changes hold these "
                       "columns too, and the target's rows cannot be told by them");
    if (job->ignored + job->skipped > 0 && !run->config->accept_conflicts)
        return err_set(err, ERR_FOLLOW_STATE,
                       "the load left %" PRIu64
                       " rows of the dump out (conflicts that were ignored, bad values that were "
                       "skipped): following would miss them; --accept-conflicts follows "
                       "nevertheless, and stops at the first change of such a row",
                       job->ignored + job->skipped);
    return ERR_OK;
}

/* The latest one is taken, which may not be the one that is meant. */
static void job_say(const struct follow_run *run, const struct follow_job *job)
{
    if (job->others > 0)
        log_event(LOG_WARN, "follow.load",
                  F_STR("message", "the target holds several loads: the latest is followed, and "
                                   "the others are not (ferry status lists them)"),
                  F_U64("job", run->state.job), F_STR("dump", job->dump_uuid),
                  F_STR("renamed", job->renames), F_U64("others", job->others));
}

/* ---- what the dump says ---- */

static enum err_code dump_check(const struct dump *d, struct err *err)
{
    json_t *options = d->info.options ? json_loads(d->info.options, 0, NULL) : NULL;
    const bool partial = json_flag(options, "partial");
    const bool no_data = json_flag(options, "no-data");

    json_decref(options);
    if (partial)
        return err_set(err, ERR_FOLLOW_STATE,
                       "the dump is partial (--where, --columns, --rows-limit): changes to what it "
                       "does not have cannot be told from others");
    if (no_data)
        return err_set(err, ERR_FOLLOW_STATE, "the dump was made with --no-data");
    if (!d->epoch_count || !d->epochs[0].log_file)
        return err_set(err, ERR_FOLLOW_STATE,
                       "the dump has no position: the source wrote no binlog when it was made");
    for (unsigned i = 0; i < d->epoch_count; i++)
        if (strcmp(d->epochs[i].consistency, "none") == 0)
            return err_set(err, ERR_FOLLOW_STATE,
                           "epoch %u of the dump was read with --consistency none: no position "
                           "belongs to its rows",
                           d->epochs[i].epoch);
    return ERR_OK;
}

static json_t *filter_json(const char *options_text)
{
    json_t *options = options_text ? json_loads(options_text, 0, NULL) : NULL;
    json_t *patterns = json_object_get(options, "filter");
    json_t *filter = json_pack("{s:O,s:b}", "patterns", json_is_array(patterns) ? patterns : NULL,
                               "case", (int)json_flag(options, "case-sensitive"));

    if (!filter)
        filter =
            json_pack("{s:[],s:b}", "patterns", "case", (int)json_flag(options, "case-sensitive"));
    json_decref(options);
    return filter;
}

static char *filters_text(const struct dump *d, const struct follow_job *job)
{
    json_t *filters = json_array();
    char *text;

    (void)json_array_append_new(filters, filter_json(d->info.options));
    (void)json_array_append_new(filters, filter_json(job->options));
    text = json_dumps(filters, JSON_COMPACT);
    json_decref(filters);
    return text ? text : xstrdup("[]");
}

static enum err_code filter_open(const json_t *o, struct filter **out, struct err *err)
{
    const json_t *patterns = json_object_get(o, "patterns");
    const size_t count = json_array_size(patterns);
    const char **texts = xcalloc(count + 1, sizeof(char *));
    bool from_file = false;
    enum err_code rc = ERR_OK;

    for (size_t i = 0; i < count; i++) {
        texts[i] = json_string_value(json_array_get(patterns, i));
        texts[i] = texts[i] ? texts[i] : "";
        from_file = from_file || texts[i][0] == '@';
    }
    if (!from_file)
        rc = filter_new(texts, count, json_flag(o, "case"), out, err);
    free(texts);
    return rc;
}

static enum err_code filters_open(struct follow_run *run, struct err *err)
{
    json_t *filters = json_loads(run->origin.filters, 0, NULL);
    enum err_code rc = ERR_OK;

    run->filter_count = json_array_size(filters);
    run->filters = xcalloc(run->filter_count + 1, sizeof(struct filter *));
    for (size_t i = 0; !rc && i < run->filter_count; i++)
        rc = filter_open(json_array_get(filters, i), &run->filters[i], err);
    json_decref(filters);
    return rc;
}

static enum err_code make_epochs(const struct follow_run *run, struct err *err)
{
    for (unsigned i = 0; i < run->dump->epoch_count; i++) {
        const struct epoch_record *r = &run->dump->epochs[i];
        const struct segments_place to = segments_epoch_to(run->dump, i + 1);
        const struct follow_epoch e = {.epoch = r->epoch,
                                       .from_file = r->log_file,
                                       .from_gtids = r->gtid,
                                       .from_offset = r->log_pos,
                                       .to_file = to.log_file,
                                       .to_gtids = to.gtid,
                                       .to_offset = to.log_pos};

        if (follow_epoch_add(run->conn, &run->state, &e, err))
            return err->code;
    }
    return ERR_OK;
}

/* What the dump's records do not say of the table, where its definition can be read: in `arena`. */
static void dump_model(const struct follow_run *run, const struct dump_table *t,
                       struct arena *arena, struct table *model)
{
    struct strbuf text = {0};
    struct strbuf partition = {0};
    struct ddl_statement st;
    struct err ignored = ERR_INIT;
    const char *pos;
    const char *end;

    if (!t->schema_file || dump_read_schema(run->dump, t->schema_file, &text, &ignored))
        return;
    pos = strbuf_str(&text);
    end = pos + text.len;
    while (!model->collation && ddl_next(&pos, end, &st)) {
        struct ddl_table parsed;
        struct ddl_text d;

        if (st.kind != DDL_CREATE ||
            ddl_text_init(&d, arena_memdup(arena, st.text, st.len), &run->source, arena,
                          &ignored) ||
            ddl_table_parse(&d, &parsed, &ignored))
            continue;
        model->collation =
            table_text_collation(&d, parsed.options, parsed.option_count, &run->source);
        versioned_read_text(&d, &parsed, model);
        table_text_partition(&d, &parsed, &partition);
        model->partition = arena_strdup(arena, strbuf_str(&partition));
    }
    strbuf_release(&partition);
    strbuf_release(&text);
}

static void make_definition(const struct follow_run *run, const struct dump_table *t,
                            struct strbuf *definition)
{
    struct arena *arena = arena_new();
    struct table model = t->model;

    model.columns = arena_alloc(arena, (model.column_count + 1U) * sizeof *model.columns);
    for (unsigned i = 0; i < model.column_count; i++)
        model.columns[i] = t->model.columns[i];
    dump_model(run, t, arena, &model);
    versioned_add_hidden(&model, arena);
    definition_text(&model, definition);
    arena_free(arena);
}

/* A table of the dump as the state has it; *row is not set where it is none. */
static enum err_code make_row(const struct follow_run *run, const struct dump_table *t,
                              struct strbuf *definition, struct follow_row *row, bool *wanted,
                              struct err *err)
{
    *wanted = false;
    if (t->kind == TABLE_VIEW)
        return ERR_OK;
    if (tables_wanted(run, t->db, t->name, wanted, err) || !*wanted)
        return err->code;
    strbuf_reset(definition);
    if (t->kind == TABLE_SEQUENCE) /* its rows are passed over */
        log_event(LOG_WARN, "follow.sequence", F_STR("db", t->db), F_STR("sequence", t->name),
                  F_STR("message", "where the sequence stands is not followed"));
    else
        make_definition(run, t, definition);
    *row = (struct follow_row){.db = t->db,
                               .name = t->name,
                               .from = t->from,
                               .to = t->to,
                               .left_out = t->left_out,
                               .definition = strbuf_str(definition)};
    route_table(run->route, t->db, t->name, &row->to_db, &row->to_name);
    return ERR_OK;
}

static enum err_code make_tables(const struct follow_run *run, struct err *err)
{
    const struct dump *d = run->dump;
    struct strbuf definition = {0};
    enum err_code rc = ERR_OK;

    for (size_t i = 0; !rc && i < d->left_out_count; i++) {
        const struct left_out_record *l = &d->left_out[i];
        struct follow_row row = {.db = l->db, .name = l->name, .left_out = true, .definition = ""};
        bool wanted = false;

        route_table(run->route, l->db, l->name, &row.to_db, &row.to_name);
        rc = tables_wanted(run, l->db, l->name, &wanted, err);
        if (!rc && wanted)
            rc = follow_rows_add(run->conn, &run->state, &row, 1, err);
    }
    for (size_t i = 0; !rc && i < d->table_count; i++) {
        struct follow_row row;
        bool wanted = false;

        rc = make_row(run, &d->tables[i], &definition, &row, &wanted, err);
        if (!rc && wanted)
            rc = follow_rows_add(run->conn, &run->state, &row, 1, err);
    }
    strbuf_release(&definition);
    return rc;
}

static void origin_of_dump(struct follow_run *run, const struct follow_job *job)
{
    const struct dump_record *info = &run->dump->info;
    const struct epoch_record *first = &run->dump->epochs[0];

    run->origin =
        (struct follow_origin){.vendor = xstrdup(info->vendor ? info->vendor : ""),
                               .version = xstrdup(info->source_version ? info->source_version : ""),
                               .uuid = info->source_uuid ? xstrdup(info->source_uuid) : NULL,
                               .host = info->source_host ? xstrdup(info->source_host) : NULL,
                               .filters = filters_text(run->dump, job),
                               .file = xstrdup(first->log_file),
                               .offset = first->log_pos,
                               .gtids = xstrdup(first->gtid ? first->gtid : "")};
}

/* What the binlog's transactions are named by. */
static enum err_code start_kind(struct follow_run *run, struct err *err)
{
    const struct follow_origin *o = &run->origin;

    if (run->source_conn) {
        run->source = *conn_flavour(run->source_conn);
        if (*o->vendor && strcmp(o->vendor, vendor_name(run->source.vendor)) != 0)
            return err_set(err, ERR_FOLLOW_SOURCE,
                           "what the target holds is from %s (%s), and this source is %s (%s): its "
                           "binlog is another's",
                           o->vendor, o->version, vendor_name(run->source.vendor),
                           run->source.text);
    } else if (flavour_parse(o->version, o->vendor, &run->source, err)) {
        return err_wrap(err, "the dump does not say what its source was");
    }
    if (run->source.vendor == VENDOR_TIDB)
        return err_set(err, ERR_SERVER_UNSUPPORTED, "TiDB writes no binlog that could be followed");
    run->kind = run->source.vendor == VENDOR_MARIADB ? GTID_MARIADB : GTID_MYSQL;
    return ERR_OK;
}

/* The first run: from the dump. */
static enum err_code start_make(struct follow_run *run, const struct follow_job *job,
                                struct err *err)
{
    if (run->config->loaded_elsewhere) {
        if (elsewhere_origin(run, err) || start_kind(run, err) || filters_open(run, err))
            return err->code;
        return elsewhere_make(run, err);
    }
    if (!run->dump)
        return err_set(err, ERR_USAGE,
                       "this load has not been followed yet: name the dump with --input");
    if (dump_check(run->dump, err))
        return err->code;
    origin_of_dump(run, job);
    if (start_kind(run, err) || filters_open(run, err) || cascades_check(run, err) ||
        follow_state_clear(run->conn, &run->state, err) || make_epochs(run, err) ||
        make_tables(run, err))
        return err->code;
    return follow_origin_add(run->conn, &run->state, &run->origin, err);
}

/* ---- what the state says ---- */

static enum err_code read_epoch(void *ctx, const struct follow_epoch *e, struct err *err)
{
    struct follow_run *run = ctx;
    struct epoch_window *w;

    if (e->epoch != run->epoch_count + 1)
        return err_set(err, ERR_LOAD_STATE, "the follower's state lacks epoch %u",
                       run->epoch_count + 1);
    run->epochs = xreallocarray(run->epochs, run->epoch_count + 1U, sizeof *run->epochs);
    w = &run->epochs[run->epoch_count++];
    *w = (struct epoch_window){.open = false};
    if (place_set(&w->from, e->from_file, e->from_offset, run->kind, e->from_gtids, err) ||
        place_set(&w->to, e->to_file, e->to_offset, run->kind, e->to_gtids, err))
        return err->code;
    return ERR_OK;
}

static enum err_code read_table(void *ctx, const struct follow_row *row, struct err *err)
{
    struct follow_run *run = ctx;
    struct follow_table *t = tables_add(run, row->db, row->name);

    t->from = row->from;
    t->to = row->to;
    t->left_out = row->left_out;
    if (strcmp(t->to_db, row->to_db) != 0 || strcmp(t->to_name, row->to_name) != 0)
        return err_set(err, ERR_LOAD_STATE, "the state puts %s.%s where the renames do not",
                       row->db, row->name);
    if (row->left_out || !*row->definition)
        return ERR_OK;
    return definition_parse(row->db, row->name, row->definition, t, &t->definition, err);
}

enum err_code tables_again(struct follow_run *run, struct err *err)
{
    tables_free(run);
    binlog_reader_forget(run->reader);
    if (follow_rows_read(run->conn, &run->state, read_table, run, err))
        return err->code;
    return tables_read_target(run, err);
}

static enum err_code start_read(struct follow_run *run, struct err *err)
{
    if (!run->filters && filters_open(run, err))
        return err->code;
    if (follow_epochs_read(run->conn, &run->state, read_epoch, run, err) ||
        follow_rows_read(run->conn, &run->state, read_table, run, err))
        return err->code;
    return tables_read_target(run, err);
}

enum err_code start_state(struct follow_run *run, struct err *err)
{
    const struct follow_config *config = run->config;
    struct follow_job job = {0};
    bool found = false;
    enum err_code rc;

    rc = conn_open(config->target, CONN_TARGET, "follow", &run->conn, err);
    if (!rc && config->input)
        rc = dump_open(config->input, false, &run->dump, err);
    if (!rc && config->loaded_elsewhere)
        rc = elsewhere_find(run, &job, err);
    else if (!rc)
        rc = follow_job_find(run->conn,
                             &(struct follow_which){config->meta_schema,
                                                    run->dump ? run->dump->info.uuid : NULL,
                                                    config->renames},
                             &run->state, &job, err);
    if (rc)
        return rc;
    run->flavour = *conn_flavour(run->conn);
    job_say(run, &job);
    rc = start_lock(run, err);
    if (!rc)
        rc = job_check(run, &job, err);
    if (!rc)
        rc = route_of_text(job.renames, &run->route, err);
    if (!rc)
        rc = follow_state_create(run->conn, &run->state, err);
    if (!rc)
        rc = follow_origin_read(run->conn, &run->state, &found, &run->origin, err);
    if (!rc && !found)
        rc = start_make(run, &job, err);
    if (!rc)
        rc = start_kind(run, err);
    if (!rc)
        rc = start_read(run, err);
    follow_job_release(&job);
    return rc;
}

/* ---- the source ---- */

/* Whether the server has written, or taken over, what the position says: by GTIDs. *known false: it
 * has none to tell by. */
static enum err_code source_has(struct follow_run *run, const struct applier_position *at,
                                bool *known, bool *has, struct err *err)
{
    const bool maria = run->kind == GTID_MARIADB;
    struct strbuf sql = {0};
    char *answer = NULL;
    enum err_code rc;

    *known = false;
    *has = true;
    if (!*at->gtids || (maria && !*at->file))
        return ERR_OK;
    if (maria) {
        strbuf_addstr(&sql, "SELECT BINLOG_GTID_POS(");
        strbuf_add_quotedz(&sql, at->file);
        strbuf_addf(&sql, ",%" PRIu64 ")", at->offset);
    } else {
        strbuf_addstr(&sql, "SELECT GTID_SUBSET(");
        strbuf_add_quotedz(&sql, at->gtids);
        strbuf_addstr(&sql, ",@@GLOBAL.gtid_executed)");
    }
    rc = conn_value(run->source_conn, strbuf_str(&sql), &answer, err);
    strbuf_release(&sql);
    if (!rc && answer &&
        *answer) { /* MariaDB: NULL or "" when the file is gone, which is said later */
        *known = true;
        *has = maria || strcmp(answer, "1") == 0;
    }
    if (!rc && *known && maria) {
        struct place there = {0};
        struct place here = {0};
        struct strbuf a = {0};
        struct strbuf b = {0};

        rc = place_set(&there, NULL, 0, run->kind, answer, err);
        if (!rc)
            rc = place_set(&here, NULL, 0, run->kind, at->gtids, err);
        if (!rc && there.gtids && here.gtids) {
            gtid_set_text(there.gtids, &a);
            gtid_set_text(here.gtids, &b);
            *has = strcmp(strbuf_str(&a), strbuf_str(&b)) == 0;
        }
        strbuf_release(&a);
        strbuf_release(&b);
        place_release(&there);
        place_release(&here);
    }
    free(answer);
    return rc;
}

static enum err_code source_same(struct follow_run *run, const struct applier_position *at,
                                 struct err *err)
{
    struct source_identity id = {0};
    bool known = false;
    bool has = true;
    bool other;
    enum err_code rc = source_identity_read(run->source_conn, &id, err);

    if (rc)
        return rc;
    other = run->origin.uuid && id.server_uuid && strcmp(run->origin.uuid, id.server_uuid) != 0;
    if (!id.binlog_format)
        rc = err_set(err, ERR_FOLLOW_SOURCE, "the source writes no binlog (log_bin is off)");
    source_identity_release(&id);
    if (!rc)
        rc = source_has(run, at, &known, &has, err);
    if (rc)
        return rc;
    if (!has)
        return err_set(err, ERR_FOLLOW_SOURCE,
                       "the server does not have the transactions up to %s:%" PRIu64
                       " (%s): it is another one, or its binlog was reset",
                       at->file, at->offset, at->gtids);
    if (other && !known)
        return err_set(err, ERR_FOLLOW_SOURCE,
                       "the server is not the one that was dumped, and without GTIDs its binlog "
                       "cannot be compared");
    if (other) {
        run->by_gtid = true;
        log_event(LOG_INFO, "follow.other-server",
                  F_STR("message", "not the server that was dumped, but it has its transactions: "
                                   "followed by GTID"));
    }
    return ERR_OK;
}

enum err_code start_source(struct follow_run *run, const struct applier_position *at,
                           struct err *err)
{
    if (!run->source_conn)
        return ERR_OK;
    return source_same(run, at, err);
}

/* By GTID the files may be those of another server. */
static enum err_code log_look(struct follow_run *run, const char *file, uint32_t created,
                              bool *noted, struct err *err)
{
    uint64_t known = 0;

    *noted = true;
    if (run->by_gtid || created == 0)
        return ERR_OK;
    if (follow_log_read(run->conn, &run->state, file, &known, err))
        return err->code;
    *noted = known != 0;
    if (known != 0 && known != created)
        return err_set(err, ERR_FOLLOW_SOURCE,
                       "'%s' is not the file that was followed: the source's binlog was reset, or "
                       "it is another server's",
                       file);
    return ERR_OK;
}

struct log_file {
    const char *name;
    uint32_t created;
};

static enum err_code log_same_once(struct follow_run *run, void *ctx, struct err *err)
{
    const struct log_file *f = ctx;
    bool noted = false;

    if (log_look(run, f->name, f->created, &noted, err))
        return err->code;
    return noted ? ERR_OK : follow_log_note(run->conn, &run->state, f->name, f->created, err);
}

enum err_code log_same(struct follow_run *run, const char *file, uint32_t created, struct err *err)
{
    struct log_file f = {file, created};

    return again_target(run, log_same_once, &f, err);
}

/* A file that was reset may not have the place any more. */
void log_explain(struct follow_run *run, struct err *err)
{
    const struct binlog_position at = binlog_reader_position(run->reader);
    struct err why = ERR_INIT;
    bool noted;

    if (err->code == ERR_BINLOG_PURGED && at.file &&
        log_look(run, at.file, binlog_reader_created(run->reader), &noted, &why) ==
            ERR_FOLLOW_SOURCE)
        *err = why;
}
