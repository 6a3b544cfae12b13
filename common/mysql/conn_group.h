/* common/mysql/conn_group.h: connections that can be ended together, from any thread: whoever waits
 * for an answer over one of them gets an error at once, however silent the server is.
 *
 * A server_url names the group; conn_open and conn_close do the rest. The group must outlive its
 * connections. */
#ifndef FERRY_MYSQL_CONN_GROUP_H
#define FERRY_MYSQL_CONN_GROUP_H

#include <pthread.h>
#include <stdbool.h>

struct conn;

struct conn_group {
    pthread_mutex_t lock; /* guards what follows, and the members' lists */
    struct conn *first;
    bool aborted;
};

void conn_group_init(struct conn_group *g);
void conn_group_release(struct conn_group *g);
/* Ends all, and lets none be opened any more (ERR_INTERRUPTED). A server rolls back what was open,
 * and may go on with a statement that it was at. */
void conn_group_abort(struct conn_group *g);

#endif
