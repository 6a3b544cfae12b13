/* dumper/partial.h: --where, --columns and --rows-limit: which part of a table is dumped. Each is
 * PATTERN=VALUE, the pattern one of TiDB's table filter; the last one that matches a table wins. */
#ifndef FERRY_DUMPER_PARTIAL_H
#define FERRY_DUMPER_PARTIAL_H

#include "dumper/run.h"

static inline bool partial_asked(const struct dump_config *config)
{
    return config->where.count || config->columns.count || config->rows_limit.count;
}
/* Marks the columns that are left out. Before the tables are planned. ERR_USAGE: a rule that cannot
 * be understood, matches nothing, or names a column that is not there. */
MUST_CHECK enum err_code partial_columns(struct dump_run *run, struct err *err);
/* Sets condition and limit of the planned tables, in run->plan's memory. ERR_USAGE. */
MUST_CHECK enum err_code partial_rows(struct dump_run *run, struct err *err);

#endif
