/* A dump of another tool has no checksums and no count of rows for each file. What can be held
 * against it is: the files' sizes, from the first run of a load to its last; the rows of a table,
 * where the tool says them; the end of each file, which the decoder sees. What cannot be known is
 * said once, and where values would be guessed the load is refused. */
#include "loader/load_inner.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/target/facts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static bool has_type(const struct dump_table *t, enum column_type type)
{
    for (unsigned i = 0; i < t->shape.count; i++)
        if (t->model.columns[t->dumped[i]].type == type)
            return true;
    return false;
}

static void say_unknown(const struct load_run *run, bool rows_said, bool floats)
{
    char *message =
        xasprintf("the dump is %s's: it has no checksums, so a file that was changed or is missing "
                  "may go unseen%s%s%s",
                  run->dump->foreign,
                  rows_said ? " but for each table's number of rows, which is compared"
                            : "; numbers of rows are not recorded",
                  floats ? "; FLOAT values are as they were written, with 6 digits" : "",
                  strcmp(run->dump->foreign, "Dumpling") == 0
                      ? "; backslashes are read as it writes them unless --escape-backslash=false "
                        "was said, which is seen in most values, but not in every one"
                      : "");

    log_event(LOG_WARN, "load.unchecked", F_STR("message", message));
    free(message);
}

enum err_code foreign_plan(struct load_run *run, struct err *err)
{
    const char *zone = run->config->input_time_zone;
    bool rows_said = true, floats = false;

    if (zone && !run->dump->zone_unknown)
        return err_set(err, ERR_USAGE,
                       "--input-time-zone: the time zone of this dump is known, it is UTC");
    if (!run->dump->foreign)
        return ERR_OK;
    for (size_t i = 0; i < run->table_count; i++) {
        const struct dump_table *t = run->tables[i].dump;

        if (t->kind == TABLE_OTHER)
            return err_set(
                err, ERR_LOAD_SCHEMA,
                "%s: %s wrote this sequence as a table, and ferry cannot make a sequence "
                "of it; leave it out with --filter '!%s.%s' and create it by hand",
                run->tables[i].label, run->dump->foreign, t->db, t->name);
        if (!zone && run->dump->zone_unknown && t->chunk_count && has_type(t, TYPE_TIMESTAMP))
            return err_set(err, ERR_USAGE,
                           "%s has TIMESTAMP values, and the dump does not say in which time zone "
                           "they were written (%s takes that of its session); say it with "
                           "--input-time-zone, such as '+00:00' for a source in UTC",
                           run->tables[i].label, run->dump->foreign);
        rows_said = rows_said && (t->rows_said || t->kind != TABLE_BASE);
        floats = floats || has_type(t, TYPE_FLOAT);
    }
    if (foreign_binary(run, err))
        return err->code;
    say_unknown(run, rows_said, floats);
    return ERR_OK;
}

enum err_code foreign_same_files(struct load_run *run, struct err *err)
{
    const struct dump_chunk **chunks;
    struct fact *facts;
    struct fact_difference differs;
    size_t count = 0, total = 1;
    enum err_code rc;

    if (!run->dump->foreign)
        return ERR_OK;
    for (size_t i = 0; i < run->table_count; i++)
        total += run->tables[i].dump->chunk_count;
    facts = xcalloc(total, sizeof *facts);
    chunks = xcalloc(total, sizeof *chunks);
    (void)snprintf(facts[count].name, sizeof facts[count].name, "time zone");
    (void)snprintf(facts[count].value, sizeof facts[count].value, "%s",
                   run->config->input_time_zone ? run->config->input_time_zone : "");
    count++;
    for (size_t i = 0; i < run->table_count; i++)
        for (size_t k = 0; k < run->tables[i].dump->chunk_count; k++, count++) {
            chunks[count] = &run->tables[i].dump->chunks[k];
            (void)snprintf(facts[count].name, sizeof facts[count].name, "bytes of %" PRIu64,
                           chunks[count]->id);
            (void)snprintf(facts[count].value, sizeof facts[count].value, "%" PRIu64,
                           chunks[count]->digest.bytes);
        }
    rc = facts_hold(run->conn, &run->state, facts, count, &differs, err);
    if (!rc && differs.index == 0)
        rc = err_set(err, ERR_LOAD_STATE,
                     "--input-time-zone was '%s' when this load began, and cannot change",
                     differs.was);
    else if (!rc && differs.index < count)
        rc = err_set(err, ERR_CORRUPT, "'%s' has %s bytes; it had %s when this load began",
                     chunks[differs.index]->path, facts[differs.index].value, differs.was);
    free(chunks);
    free(facts);
    return rc;
}

enum err_code foreign_rows(const struct load_run *run, struct err *err)
{
    for (size_t i = 0; i < run->table_count; i++) {
        const struct load_table *t = &run->tables[i];
        const uint64_t rows = t->rows_before + atomic_load(&t->rows) + atomic_load(&t->others_rows);

        if (run->dump->foreign && t->dump->rows_said && rows != t->dump->rows &&
            !atomic_load(&t->failed))
            return err_set(err, ERR_CORRUPT,
                           "%s: its %zu files hold %" PRIu64 " rows, metadata says %" PRIu64
                           ": a file is missing, was cut or was changed",
                           t->label, t->dump->chunk_count, rows, t->dump->rows);
    }
    return ERR_OK;
}

enum err_code worker_zone(const struct load_run *run, struct conn *c, struct err *err)
{
    struct strbuf sql = {0};
    enum err_code rc;

    if (!run->config->input_time_zone)
        return ERR_OK;
    strbuf_addstr(&sql, "SET SESSION time_zone=");
    strbuf_add_quotedz(&sql, run->config->input_time_zone);
    rc = conn_exec(c, sql.str, sql.len, NULL, err);
    strbuf_release(&sql);
    return rc ? err_wrap(err, "--input-time-zone") : ERR_OK;
}
