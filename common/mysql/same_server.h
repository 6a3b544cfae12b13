/* common/mysql/same_server.h: whether two connections lead to one server, whatever it is called. */
#ifndef FERRY_MYSQL_SAME_SERVER_H
#define FERRY_MYSQL_SAME_SERVER_H

#include "common/mysql/conn.h"

/* Takes a lock of the server (GET_LOCK, under a random name, given back) over `a` and looks whether
 * `b` sees who holds it; two MySQL servers are told apart by their uuids, too. *same false where
 * neither can be had (a TiDB before 6.2). Errors are those of lost connections. */
MUST_CHECK enum err_code server_same(struct conn *a, struct conn *b, bool *same, struct err *err);

#endif
