/* dumper/keeper.h: speaks to idle connections that hold locks, so that no server, proxy or firewall
 * ends them, and notices when one is lost. A thread of its own; nobody else uses the connections
 * between start and stop. */
#ifndef FERRY_DUMPER_KEEPER_H
#define FERRY_DUMPER_KEEPER_H

#include "common/mysql/conn.h"

#include <stdbool.h>

struct keeper;
/* Called once, on the keeper's thread; it ends then. */
typedef void keeper_lost_fn(void *ctx, const struct err *err);
/* `conns` is borrowed; NULL ones in it are passed over. */
MUST_CHECK enum err_code keeper_start(struct conn **conns, size_t count, keeper_lost_fn *lost,
                                      void *ctx, struct keeper **k, struct err *err);
void keeper_stop(struct keeper *k); /* joins the thread; NULL is fine */

#endif
