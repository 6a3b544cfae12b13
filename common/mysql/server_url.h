/* common/mysql/server_url.h: which server, as whom, how protected.
 *
 * mysql://user@host:port/?ssl-mode=...  or  mysql://user@/?socket=PATH ; IPv6 in brackets; user and
 * values percent-encoded. A password in a URL is refused with a hint (argv is visible to others).
 * Recognised parameters: socket, ssl-mode (disabled, preferred, required, verify_ca,
 * verify_identity), ssl-ca, ssl-capath, ssl-cert, ssl-key, ssl-cipher, tls-version, connect-timeout
 * (seconds), compress (true|false). Unknown ones are refused by name. */
#ifndef FERRY_MYSQL_SERVER_URL_H
#define FERRY_MYSQL_SERVER_URL_H

#include "common/base/err.h"
#include "common/base/strbuf.h"

#include <stdbool.h>

struct conn_group;

enum ssl_mode { SSL_MODE_PREFER, SSL_MODE_OFF, SSL_MODE_REQUIRE, SSL_MODE_CA, SSL_MODE_IDENTITY };

struct server_url {
    char *host;    /* NULL with a socket */
    unsigned port; /* 0: 3306 */
    char *socket;
    char *user;     /* NULL: not said yet */
    char *password; /* never printed; scrubbed in release */
    enum ssl_mode ssl_mode;
    bool ssl_mode_given;
    char *ssl_ca, *ssl_capath, *ssl_cert, *ssl_key, *ssl_cipher, *tls_version;
    unsigned connect_timeout; /* seconds; 0: 10 */
    bool compress;
    char **session; /* SET statements that each connection begins with, after ferry's own */
    unsigned session_count;
    struct conn_group *group; /* of the connections that are opened by it (conn_group.h); NULL:
                                 none. Not owned. */
    bool skip_binlog; /* what is said over the connection does not go into the server's binlog */
};

/* Fills a zeroed struct; on failure it is released. ERR_USAGE says which part. */
MUST_CHECK enum err_code server_url_parse(const char *text, struct server_url *url,
                                          struct err *err);
/* "mysql://user@host:port/" or "mysql://user@/?socket=...": no secrets, for messages and records.
 */
void server_url_text(const struct server_url *url, struct strbuf *out);
void server_url_release(struct server_url *url);
/* "SET ...", copied. What it may change is looked at when a connection is opened. */
void server_url_add_session(struct server_url *url, const char *sql);
/* One parameter of the list above, as it stands behind '?'. ERR_USAGE names it. */
MUST_CHECK enum err_code server_url_set(struct server_url *url, const char *name, const char *value,
                                        struct err *err);

/* Missing user, password, host, port, socket and the parameters above from an option file in the
 * mysql client's form: group `group` ("source", "target"), or [client] where the file has no such
 * group. Options that are not of these are left alone; !include is not followed (a warning in the
 * log). A world-readable file with a password gives a warning too. */
MUST_CHECK enum err_code server_url_defaults(struct server_url *url, const char *path,
                                             const char *group, struct err *err);
#endif
