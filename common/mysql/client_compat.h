/* common/mysql/client_compat.h: all in which MariaDB's and Oracle's client library differ. */
#ifndef FERRY_MYSQL_CLIENT_COMPAT_H
#define FERRY_MYSQL_CLIENT_COMPAT_H

#include "common/base/err.h"
#include "common/mysql/server_url.h"

#include <mysql.h>

/* What the server asks for with LOAD DATA LOCAL. `open` may be called several times for one
 * statement; not 0 refuses. */
struct compat_infile {
    int (*open)(void **file, const char *name, void *ctx);
    int (*read)(void *file, char *buf, unsigned len);
    void (*close)(void *file);
    int (*error)(void *file, char *msg, unsigned len);
    void *ctx;
};

/* The handle refuses, or takes from `infile`, what a server asks for. The library's own handler,
 * which opens files, is never left in place. */
void compat_set_infile(MYSQL *mysql, const struct compat_infile *infile, bool allow);
/* Certificates, protocol versions and what is to be verified, before connecting. `mode` may be
 * weaker than the URL's (the second try of SSL_MODE_PREFER). ERR_TLS: no CA to verify with. */
MUST_CHECK enum err_code compat_set_tls(MYSQL *mysql, const struct server_url *url,
                                        enum ssl_mode mode, struct err *err);
/* TCP for a host, the socket file for a socket; timeouts, packet size, attributes. */
void compat_set_transport(MYSQL *mysql, const struct server_url *url, const char *app);
int compat_socket(MYSQL *mysql);
bool compat_tls_active(MYSQL *mysql);
/* A peer that is gone without a word is noticed after minutes, however long the timeouts are. */
void compat_keep_alive(MYSQL *mysql);

#endif
