/* common/mysql/throttle.h: watches one status value of a server, and says whether work is to pause.
 *
 * A thread of its own with a connection of its own looks every second; all else may be called from
 * any thread. A value that cannot be read for a while (the connection is made anew) pauses nobody.
 */
#ifndef FERRY_MYSQL_THROTTLE_H
#define FERRY_MYSQL_THROTTLE_H

#include "common/mysql/conn.h"

#include <stdbool.h>

enum throttle_op { THROTTLE_LESS, THROTTLE_LESS_EQUAL, THROTTLE_MORE, THROTTLE_MORE_EQUAL };
struct throttle_rule { /* work goes on while it holds; name "": none */
    char name[65];     /* a status variable's: letters, digits, '_' */
    enum throttle_op op;
    double value;
};
/* "Threads_running<40", spaces allowed around the sign: < <= > >=. ERR_USAGE. */
MUST_CHECK enum err_code throttle_parse(const char *text, struct throttle_rule *rule,
                                        struct err *err);

struct throttle;
/* Looks once before it returns: ERR_USAGE when the server has no such value, or it is no number.
 * A rule without a name: *t NULL. `rule` and `server` must outlive it. Pauses and their ends are
 * logged as throttle.paused and throttle.resumed. */
MUST_CHECK enum err_code throttle_start(const struct throttle_rule *rule,
                                        const struct server_url *server, enum conn_profile role,
                                        struct throttle **t, struct err *err);
bool throttle_pauses(const struct throttle *t); /* NULL: false */
void throttle_stop(struct throttle *t);         /* joins the thread; NULL is fine */

#endif
