#include "common/mysql/conn_group.h"

#include "common/mysql/conn_driver.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

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
        (void)shutdown(c->group_fd, SHUT_RDWR);
    pthread_mutex_unlock(&g->lock);
}

enum err_code conn_group_add(struct conn_group *g, struct conn *c, struct err *err)
{
    bool aborted;
    int fd = -1;

    if (!g)
        return ERR_OK;
    if (c) {
        fd = fcntl(compat_socket(c->mysql), F_DUPFD_CLOEXEC, 0);
        if (fd < 0)
            return err_set_errno(err, ERR_FAILED, errno, "a connection's socket");
    }
    pthread_mutex_lock(&g->lock);
    aborted = g->aborted;
    if (!aborted && c) {
        c->group_fd = fd;
        c->group = g;
        c->group_next = g->first;
        g->first = c;
    }
    pthread_mutex_unlock(&g->lock);
    if (aborted && fd >= 0)
        (void)close(fd);
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
    (void)close(c->group_fd);
    c->group = NULL;
}
