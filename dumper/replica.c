/* A source that is itself a replica: up to where it has applied its own source's binlog, for who
 * wants to go on from there. Exact when read under the global read lock, which stops the applier.
 */
#include "common/base/log.h"
#include "common/base/mem.h"
#include "dumper/run.h"
#include "formats/metadata.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The columns by their names on all servers. MariaDB has no Executed_Gtid_Set: "", as Dumpling. */
static const struct {
    const char *names[2];
} replica_columns[METADATA_REPLICA_TEXTS] = {
    {{"Connection_name", "Channel_Name"}},
    {{"Source_Host", "Master_Host"}},
    {{"Relay_Source_Log_File", "Relay_Master_Log_File"}},
    {{"Exec_Source_Log_Pos", "Exec_Master_Log_Pos"}},
    {{"Executed_Gtid_Set", "Executed_Gtid_Set"}},
};

static const char *replica_query(const struct flavour *f)
{
    if (f->vendor == VENDOR_MARIADB)
        return "SHOW ALL SLAVES STATUS";
    return flavour_at_least(f, VENDOR_MYSQL, 80022) ? "SHOW REPLICA STATUS" : "SHOW SLAVE STATUS";
}

/* The cell without line breaks, which long GTID sets have. */
static char *replica_text(const struct result *r, const struct row *row, unsigned text)
{
    struct strbuf out = {0};

    for (unsigned i = 0; i < row->count; i++) {
        const char *name = result_column_name(r, i);

        if (strcasecmp(name, replica_columns[text].names[0]) != 0 &&
            strcasecmp(name, replica_columns[text].names[1]) != 0)
            continue;
        for (unsigned long at = 0; row->cell[i] && at < row->len[i]; at++)
            if (row->cell[i][at] != '\n')
                strbuf_addch(&out, row->cell[i][at]);
        break;
    }
    return strbuf_detach(&out);
}

void dumper_replica_release(struct dump_run *run)
{
    for (unsigned i = 0; i < run->replica_count; i++)
        free(run->replica[i]);
    free(run->replica);
    run->replica = NULL;
    run->replica_count = 0;
}

enum err_code dumper_replica_read(struct dump_run *run, struct err *err)
{
    struct result *r = NULL;
    struct row row;
    bool more = true;
    enum err_code rc;

    dumper_replica_release(run);
    if (run->flavour.vendor == VENDOR_TIDB)
        return ERR_OK;
    rc = conn_queryz(run->control, replica_query(&run->flavour), &r, err);
    if (rc && conn_usable(run->control)) {
        log_event(LOG_INFO, "dump.replica.unknown", F_STR("cause", err->msg),
                  F_STR("message", "whether the source is a replica cannot be seen"));
        err_clear(err);
        return ERR_OK;
    }
    while (!rc) {
        rc = result_next(r, &row, &more, err);
        if (rc || !more)
            break;
        run->replica = xreallocarray(run->replica, run->replica_count + METADATA_REPLICA_TEXTS,
                                     sizeof *run->replica);
        for (unsigned i = 0; i < METADATA_REPLICA_TEXTS; i++)
            run->replica[run->replica_count++] = replica_text(r, &row, i);
    }
    result_free(r);
    return rc;
}

char **dumper_replica_detach(struct dump_run *run, unsigned *count)
{
    char **list = run->replica;

    *count = run->replica_count;
    run->replica = NULL;
    run->replica_count = 0;
    return list;
}
