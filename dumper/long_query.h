/* dumper/long_query.h: --long-query-guard: no global read lock is asked for while a statement runs
 * that would make it wait, as all writers wait behind it. Main thread. */
#ifndef FERRY_DUMPER_LONG_QUERY_H
#define FERRY_DUMPER_LONG_QUERY_H

#include "dumper/run.h"

/* Looks at the process list; waits as --long-query-retries and its interval say, kills only when
 * told to. ERR_DUMP_LONG_QUERY names what still runs. Without the right PROCESS: says that it
 * cannot see, once a run, and lets pass. */
MUST_CHECK enum err_code long_query_guard(struct dump_run *run, struct err *err);

#endif
