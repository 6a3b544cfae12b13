#include "common/mysql/conn_group.h"

#include "common/mysql/conn_driver.h"

#include <sys/socket.h>

void conn_group_init(struct conn_group *g)
{
    *g = (struct conn_group){.first = NULL};
    (void)pthread_mutex_init(&g->lock, NULL);
}

void conn_group_release(struct conn_group *g)
{
    (void)pthread_mutex_destroy(&g->lock);
}

void conn_group_abort(struct conn_group *g)
{
    pthread_mutex_lock(&g->lock);
    g->aborted = true;
    for (struct conn *c = g->first; c; c = c->group_next)
        (void)shutdown(compat_socket(c->mysql), SHUT_RDWR);
    pthread_mutex_unlock(&g->lock);
}

enum err_code conn_group_add(struct conn_group *g, struct conn *c, struct err *err)
{
    bool aborted;

    if (!g)
        return ERR_OK;
    pthread_mutex_lock(&g->lock);
    aborted = g->aborted;
    if (!aborted && c) {
        c->group = g;
        c->group_next = g->first;
        g->first = c;
    }
    pthread_mutex_unlock(&g->lock);
    return aborted ? err_set(err, ERR_INTERRUPTED, "stopped") : ERR_OK;
}

void conn_group_remove(struct conn *c)
{
    struct conn_group *g = c->group;

    if (!g)
        return;
    pthread_mutex_lock(&g->lock);
    for (struct conn **at = &g->first; *at; at = &(*at)->group_next)
        if (*at == c) {
            *at = c->group_next;
            break;
        }
    pthread_mutex_unlock(&g->lock);
    c->group = NULL;
}
