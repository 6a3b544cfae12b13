/* dumper/xa.h: prepared XA transactions. Their rows are in no snapshot, and behind the position the
 * binlog holds their XA COMMIT alone. Main thread. */
#ifndef FERRY_DUMPER_XA_H
#define FERRY_DUMPER_XA_H

#include "dumper/run.h"

/* Puts their names into `out` (emptied first), empty: there is none. Where the server does not tell
 * (MySQL wants XA_RECOVER_ADMIN) that is logged, and `out` is empty. */
MUST_CHECK enum err_code xa_prepared(struct dump_run *run, struct strbuf *out, struct err *err);

#endif
