/* A target that another tool has filled (--loaded-elsewhere): what a dump would say comes from the
 * command line and from the source as it is now. */
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/mysql/position.h"
#include "common/schema/read.h"
#include "follower/follow_inner.h"
#include "follower/versioned.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define ELSEWHERE "elsewhere "
#define UUID_MAX 64 /* bytes of a job's dump_uuid */

bool elsewhere_is(const struct follow_job *job)
{
    return strncmp(job->dump_uuid, ELSEWHERE, strlen(ELSEWHERE)) == 0;
}

/* In the place of a dump's UUID: which server it was. */
static enum err_code elsewhere_name(struct follow_run *run, char name[UUID_MAX + 1],
                                    struct source_identity *id, struct err *err)
{
    if (!run->source_conn)
        return err_set(err, ERR_USAGE, "--loaded-elsewhere wants --source");
    if (source_identity_read(run->source_conn, id, err))
        return err->code;
    if (id->server_uuid)
        (void)snprintf(name, UUID_MAX + 1, ELSEWHERE "%s", id->server_uuid);
    else
        (void)snprintf(name, UUID_MAX + 1, ELSEWHERE "%.40s %.12s",
                       id->hostname ? id->hostname : "", id->server_id ? id->server_id : "");
    return ERR_OK;
}

enum err_code elsewhere_find(struct follow_run *run, struct follow_job *job, struct err *err)
{
    const struct follow_config *config = run->config;
    struct source_identity id = {0};
    char name[UUID_MAX + 1] = "";
    struct job_info info;
    struct route *route = NULL;
    struct state_params params = {.schema = config->meta_schema, .dump_uuid = name};
    enum err_code rc = elsewhere_name(run, name, &id, err);

    if (!rc)
        rc = route_new(config->rename_rules, config->rename_count, &route, err);
    if (!rc) {
        params.renames = route_text(route);
        rc = state_open(run->conn, &params, &run->state, &info, err);
    }
    if (!rc)
        log_event(LOG_INFO, "follow.job", F_U64("job", run->state.job), F_STR("dump", name),
                  F_STR("renamed", params.renames));
    if (!rc)
        rc = follow_job_find(run->conn,
                             &(struct follow_which){config->meta_schema, name, route_text(route)},
                             &run->state, job, err);
    route_free(route);
    source_identity_release(&id);
    return rc;
}

static char *filters_json(const struct follow_config *config)
{
    json_t *patterns = json_array();
    json_t *filters;
    char *text;

    for (size_t i = 0; i < config->filter_count; i++)
        (void)json_array_append_new(patterns, json_string(config->filters[i]));
    filters = json_pack("[{s:o,s:b}]", "patterns", patterns, "case", (int)config->case_sensitive);
    text = filters ? json_dumps(filters, JSON_COMPACT) : NULL;
    json_decref(filters);
    return text ? text : xstrdup("[]");
}

static enum err_code elsewhere_place(struct follow_run *run, struct err *err)
{
    const struct follow_config *config = run->config;
    struct follow_origin *o = &run->origin;
    struct position now = {0};

    if (config->from_now) {
        if (position_read(run->source_conn, &now, err))
            return err->code;
        if (!now.file)
            return err_set(err, ERR_FOLLOW_SOURCE, "the source writes no binlog (log_bin is off)");
        /* The set of a row of SHOW BINARY LOG STATUS may be of another instant than its offset. */
        o->file = xstrdup(now.file);
        o->offset = now.offset;
        o->gtids = xstrdup("");
        position_release(&now);
        return ERR_OK;
    }
    if (!config->from_file && !config->from_gtids)
        return err_set(err, ERR_USAGE,
                       "--loaded-elsewhere wants --from FILE:POS, a GTID set or now");
    o->file = config->from_file ? xstrdup(config->from_file) : NULL;
    o->offset = config->from_offset;
    o->gtids = xstrdup(config->from_gtids ? config->from_gtids : "");
    return ERR_OK;
}

/* The source's tables as they are now; where a row of the binlog does not fit, it stops there. */
static enum err_code elsewhere_tables(struct follow_run *run, struct err *err)
{
    const struct follow_config *config = run->config;
    struct strbuf definition = {0};
    struct schema *schema = NULL;
    struct filter *filter = NULL;
    enum err_code rc;

    rc = filter_new(config->filters, config->filter_count, config->case_sensitive, &filter, err);
    if (!rc)
        rc = schema_read(run->source_conn, filter, &schema, err);
    for (size_t i = 0; !rc && i < schema->table_count; i++) {
        const struct table *t = &schema->tables[i];
        struct follow_row row = {.db = t->db, .name = t->name};
        bool wanted = false;

        if (t->kind == TABLE_VIEW || t->kind == TABLE_OTHER)
            continue;
        rc = tables_wanted(run, t->db, t->name, &wanted, err);
        if (rc || !wanted)
            continue;
        strbuf_reset(&definition);
        if (t->kind != TABLE_SEQUENCE) {
            struct table model = *t;

            versioned_add_hidden(&model, schema->arena);
            definition_text(&model, &definition);
        }
        row.definition = strbuf_str(&definition);
        route_table(run->route, t->db, t->name, &row.to_db, &row.to_name);
        rc = follow_rows_add(run->conn, &run->state, &row, 1, err);
    }
    strbuf_release(&definition);
    schema_free(schema);
    filter_free(filter);
    return rc;
}

enum err_code elsewhere_origin(struct follow_run *run, struct err *err)
{
    struct source_identity id = {0};
    struct follow_origin *o = &run->origin;
    enum err_code rc = source_identity_read(run->source_conn, &id, err);

    if (rc)
        return rc;
    *o = (struct follow_origin){.vendor =
                                    xstrdup(vendor_name(conn_flavour(run->source_conn)->vendor)),
                                .version = xstrdup(id.version ? id.version : ""),
                                .uuid = id.server_uuid ? xstrdup(id.server_uuid) : NULL,
                                .host = id.hostname ? xstrdup(id.hostname) : NULL,
                                .filters = filters_json(run->config)};
    source_identity_release(&id);
    return elsewhere_place(run, err);
}

enum err_code elsewhere_make(struct follow_run *run, struct err *err)
{
    if (follow_state_clear(run->conn, &run->state, err) || elsewhere_tables(run, err))
        return err->code;
    return follow_origin_add(run->conn, &run->state, &run->origin, err);
}
