#include "common/schema/engines.h"

#include "common/mysql/ident.h"

#include <strings.h>

static const struct engine {
    const char *name;
    enum engine_class class;
} engines[] = {
    {"InnoDB", ENGINE_SNAPSHOT},  {"ROCKSDB", ENGINE_SNAPSHOT},  {"TokuDB", ENGINE_SNAPSHOT},
    {"MyISAM", ENGINE_LOCKED},    {"MRG_MyISAM", ENGINE_LOCKED}, {"Aria", ENGINE_LOCKED},
    {"CSV", ENGINE_LOCKED},       {"MEMORY", ENGINE_LOCKED},     {"ARCHIVE", ENGINE_LOCKED},
    {"BLACKHOLE", ENGINE_LOCKED},
};

enum engine_class engine_class_of(const char *engine)
{
    for (size_t i = 0; engine && i < sizeof(engines) / sizeof(engines[0]); i++)
        if (strcasecmp(engine, engines[i].name) == 0)
            return engines[i].class;
    return ENGINE_FOREIGN;
}

bool engine_keys_unique(const char *engine)
{
    /* each of the tables below a MERGE table has its own index */
    return !engine || strcasecmp(engine, "MRG_MyISAM") != 0;
}

enum err_code engines_writers_wait(struct conn *c, struct strbuf *table, struct err *err)
{
    struct result *r = NULL;
    struct row row;
    bool some = false;
    enum err_code rc;

    /* A replica that keeps its state in a MyISAM table would stop, too. */
    rc = conn_queryz(c,
                     "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES"
                     " WHERE (TABLE_SCHEMA NOT IN ('mysql', 'sys', 'information_schema',"
                     " 'performance_schema') OR TABLE_NAME LIKE 'gtid\\_slave\\_pos%')"
                     " AND TABLE_TYPE = 'BASE TABLE'"
                     " AND ENGINE NOT IN ('InnoDB', 'ROCKSDB', 'TokuDB', 'MEMORY', 'BLACKHOLE')"
                     " LIMIT 1",
                     &r, err);
    if (!rc)
        rc = result_next(r, &row, &some, err);
    if (!rc && some && row.cell[0] && row.cell[1])
        strbuf_add_name(table, row.cell[0], row.cell[1]);
    result_free(r);
    return rc;
}
