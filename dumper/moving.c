/* What --consistency binlog is: a position first, then chunks, each as of its moment; no table that
 * this cannot bring to one state. */
#include "dumper/moving.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/schema/engines.h"
#include "dumper/capture.h"
#include "dumper/replay.h"
#include "formats/segments.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- what needs an instant of its own ---- */

static enum err_code moving_refuse(const struct table *t, const char *why, struct err *err)
{
    return err_set(err, ERR_DUMP_CONSISTENCY,
                   "'%s.%s' %s: --consistency binlog cannot bring it to one state (leave it out "
                   "with --filter, or use --consistency flush or lock)",
                   t->db, t->name, why);
}

static enum err_code moving_tables(struct dump_run *run, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (size_t i = 0; !rc && i < run->plan.count; i++) {
        const struct plan_table *p = &run->plan.tables[i];

        if (engine_class_of(p->table->engine) != ENGINE_SNAPSHOT)
            rc = moving_refuse(p->table, "is of an engine without transactions", err);
        else if (p->table->kind == TABLE_VERSIONED)
            rc = moving_refuse(p->table, "is system-versioned", err);
        else if (!p->key)
            rc = moving_refuse(p->table, "has no primary key and no unique key without NULLs", err);
    }
    return rc ? rc : dumper_cascades_refuse(run, err);
}

enum err_code dumper_moving(struct dump_run *run, const char *why, struct err *err)
{
    enum err_code rc = moving_tables(run, err);

    if (!rc)
        rc = dumper_moving_from(run, err);
    if (!rc)
        rc = dumper_xa_wait(run, err);
    if (!rc)
        rc = dumper_replica_read(run, err);
    if (rc)
        return rc;
    run->consistency = "binlog";
    free(run->consistency_why);
    run->consistency_why = xstrdup(why);
    log_event(LOG_INFO, "dump.consistency", F_STR("consistency", "binlog"), F_STR("why", why),
              F_STR("file", run->position.file), F_U64("offset", run->position.offset),
              F_STR("gtid", run->position.gtid),
              F_STR("message", "no lock; the binlog brings the chunks to one state"));
    if (!run->ledger->epochs)
        return ERR_OK;
    rc = dumper_logs_all(run, err);
    return rc ? rc : dumper_replay(run, err);
}

/* ---- when all is captured ---- */

/* DDL in the binlog behind the table's first position. */
static bool moving_named(const struct dump_run *run, const struct ledger_table *l)
{
    const struct ledger *ledger = run->ledger;
    const struct ledger_place *from = &ledger->places[l->from - 1];

    for (size_t i = 0; i < ledger->segment_count; i++) {
        const struct segment_record *s = &ledger->segments[i];

        for (unsigned k = 0; k < s->ddl_count; k += SEGMENT_DDL_TEXTS)
            if (strcasecmp(s->ddl[k + 1], l->db) == 0 &&
                (!*s->ddl[k + 2] || strcasecmp(s->ddl[k + 2], l->name) == 0) &&
                segments_compare(s->log_file, strtoull(s->ddl[k], NULL, 10), from->file,
                                 from->offset) > 0)
                return true;
    }
    return false;
}

enum err_code dumper_moving_end(struct dump_run *run, struct err *err)
{
    const struct ledger *ledger = run->ledger;
    const char *first_db = NULL;
    const char *first = NULL;
    enum err_code rc = ERR_OK;

    for (size_t i = 0; !rc && i < ledger->table_count; i++) {
        struct ledger_table *l = ledger->tables[i];

        /* one that is of snapshots is exact from the last one on */
        if (!l->is_table || !l->from || !ledger->places[l->to - 1].moving || !moving_named(run, l))
            continue;
        first_db = first ? first_db : l->db;
        first = first ? first : l->name;
        rc = dumper_start_again(run, l, "DDL names it while its chunks were of different moments",
                                err);
    }
    if (rc || !first)
        return rc;
    return err_set(err, ERR_DUMP_TABLE,
                   "'%s.%s' was named by DDL before the dump ended: say the command again, it is "
                   "read once more",
                   first_db, first);
}
