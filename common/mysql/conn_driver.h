/* common/mysql/conn_driver.h: what the files of the connection share with each other. */
#ifndef FERRY_MYSQL_CONN_DRIVER_H
#define FERRY_MYSQL_CONN_DRIVER_H

#include "common/mysql/client_compat.h"
#include "common/mysql/conn.h"
#include "common/mysql/conn_group.h"

/* What a server gets when it asks for a local file: the buffer of the conn_load that runs, or a
 * refusal. */
struct conn_feed {
    const char *buf; /* NULL: no conn_load runs, and every request is refused */
    size_t len;
    size_t given;      /* bytes of this asking */
    unsigned asked;    /* requests since conn_load began */
    char refused[192]; /* the words of the refusal, or empty */
};

struct conn {
    MYSQL *mysql;
    struct flavour flavour;
    enum conn_profile profile;
    uint64_t id;
    bool broken; /* to be closed: the protocol or the server's state is not known any more */
    struct conn_feed feed;
    struct conn_group *group; /* NULL: none */
    struct conn *group_next;  /* under the group's lock */
    int group_fd;             /* of a group's member: its socket once more, since the client library
                                 may close its own at any time */
};

/* `c` NULL: looks only whether the group takes any. A NULL group takes all. */
MUST_CHECK enum err_code conn_group_add(struct conn_group *g, struct conn *c, struct err *err);
void conn_group_remove(struct conn *c);

/* Answers the server's requests from `feed`, which must outlive the handle. */
struct compat_infile conn_feed_infile(struct conn_feed *feed);

/* Sets err from the handle's last error, and marks the connection where it cannot be used any
 * more. */
MUST_CHECK enum err_code conn_fail(struct conn *c, struct err *err);
/* What conn_fail does for an error while connecting: names ERR_CONNECT and its like. */
MUST_CHECK enum err_code conn_fail_open(MYSQL *mysql, const char *server, struct err *err);
/* To the next statement's answer: 0 it is there, -1 there is none, 1 it is an error. MariaDB's
 * library also says -1 for some errors; taking mysql_next_result at its word would lose them. */
int conn_next(struct conn *c);
/* Reads and drops answers that are still to come. false: the connection is broken. */
bool conn_drain(struct conn *c);
/* Character set, time zone, sql_mode and the rest of the profile; then looks that they hold. */
MUST_CHECK enum err_code conn_session_setup(struct conn *c, struct err *err);
/* The URL's SET statements and skip_binlog. ERR_USAGE where one is none, or changes what ferry
 * relies on. */
MUST_CHECK enum err_code conn_session_user(struct conn *c, const struct server_url *url,
                                           struct err *err);

#endif
