/* The servers themselves: reached or not, which they are, whether they are one. */
#include "check/check_inner.h"

#include "common/mysql/same_server.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Numbers of servers' errors, and where those of the client library begin. */
#define ER_FIRST 1000
#define ER_TOO_MANY_CONNECTIONS 1040
#define ER_HOST_BLOCKED 1129
#define ER_HOST_NOT_PRIVILEGED 1130
#define ER_TOO_MANY_USER_CONNECTIONS 1203
#define CR_FIRST 2000
#define ADDRESS_MAX 1025 /* getnameinfo's, the NUL included */

/* ---- connections ---- */

/* The address that packets to the server leave from: a datagram socket knows it without sending. */
static bool own_address(const struct server_url *url, char out[ADDRESS_MAX])
{
    const struct addrinfo want = {.ai_socktype = SOCK_DGRAM};
    struct sockaddr_storage own = {0};
    socklen_t len = sizeof(own);
    struct addrinfo *found = NULL;
    char port[12];
    bool known = false;
    int fd;

    (void)snprintf(port, sizeof(port), "%u", url->port ? url->port : 3306);
    if (!url->host || getaddrinfo(url->host, port, &want, &found) != 0)
        return false;
    fd = socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) == 0 &&
        getsockname(fd, (struct sockaddr *)&own, &len) == 0)
        known = getnameinfo((const struct sockaddr *)&own, len, out, ADDRESS_MAX, NULL, 0,
                            NI_NUMERICHOST) == 0;
    if (fd >= 0)
        (void)close(fd);
    freeaddrinfo(found);
    return known;
}

/* The text between the quotes behind `before`. */
static char *quoted_behind(const char *message, const char *before)
{
    const char *at = strstr(message, before);
    const char *end;

    if (!at)
        return NULL;
    at += strlen(before);
    end = strchr(at, '\'');
    return end ? xstrndup(at, (size_t)(end - at)) : NULL;
}

/* "Access denied for user 'mover'@'10.0.0.7'", "Host '10.0.0.7' is not allowed to connect". */
static char *seen_host(const struct err *why)
{
    char *host = quoted_behind(why->msg, "'@'");

    return host ? host : quoted_behind(why->msg, "Host '");
}

static void refused(struct check_outcome *o, const struct check *c, const struct check_side *s,
                    const char *host)
{
    const enum side side = s == &c->side[SOURCE] ? SOURCE : TARGET;
    const char *user = s->url->user ? s->url->user : "";
    struct strbuf rights = {0};

    rights_needed(side, c->config->stages, NULL, &rights);
    if (host) {
        say(o, CHECK_FAILED, "the server saw ferry come as '%s' from '%s'", user, host);
        mend(o, "CREATE USER '%s'@'%s' IDENTIFIED BY '...';   -- if there is no such account", user,
             host);
        mend(o, "ALTER USER '%s'@'%s' IDENTIFIED BY '...';    -- if the password is another one",
             user, host);
    }
    mend(o, "GRANT %s ON *.* TO '%s'@'%s';", strbuf_str(&rights), user, host ? host : "%");
    strbuf_release(&rights);
}

static void unreached(struct check_outcome *o, const struct check_side *s)
{
    const unsigned port = s->url->port ? s->url->port : 3306;
    char address[ADDRESS_MAX];

    if (!own_address(s->url, address)) {
        mend(o, "%s", err_info(s->why.code)->remedy);
        return;
    }
    say(o, CHECK_FAILED, "from this machine it is asked for from the address %s", address);
    mend(o, "allow TCP from %s to port %u of '%s': firewall, bind_address, skip_networking",
         address, port, s->url->host);
    mend(o,
         "aws ec2 authorize-security-group-ingress --group-id GROUP --protocol tcp --port %u "
         "--cidr %s/%s   -- RDS, Aurora",
         port, address, strchr(address, ':') ? "128" : "32");
}

/* The server's number; 0: it is the client library's. MariaDB's library wraps what a server says
 * before TLS into an error of its own. */
static unsigned server_number(const struct err *why)
{
    static const char wrapped[] = "cannot be verified: ";
    const char *at = strstr(why->msg, wrapped);
    const unsigned number =
        at ? (unsigned)strtoul(at + sizeof(wrapped) - 1, NULL, 10) : why->server_errno;

    return number >= ER_FIRST && number < CR_FIRST ? number : 0;
}

/* It was reached, and let nobody in. */
static void overfull(struct check_outcome *o, unsigned number)
{
    if (number == ER_HOST_BLOCKED)
        mend(o, "FLUSH HOSTS;   -- from MySQL 8.0.23 on: TRUNCATE TABLE "
                "performance_schema.host_cache; too many connections from this machine were cut");
    else if (number == ER_TOO_MANY_CONNECTIONS || number == ER_TOO_MANY_USER_CONNECTIONS)
        mend(o, "SET GLOBAL max_connections = 500;   -- or max_user_connections, or end idle ones");
    else
        mend(o, "the server's words say what it wants");
}

static void not_connected(struct check_outcome *o, const struct check *c,
                          const struct check_side *s)
{
    const unsigned number = server_number(&s->why);
    char *host = NULL;

    if (s->why.code == ERR_AUTH || number == ER_HOST_NOT_PRIVILEGED) {
        host = seen_host(&s->why);
        refused(o, c, s, host);
        free(host);
    } else if (number) {
        overfull(o, number);
    } else if (s->why.code == ERR_CONNECT) {
        unreached(o, s);
    } else {
        mend(o, "%s", err_info(s->why.code)->remedy);
    }
}

static void connection(struct check_outcome *o, const struct check *c, const struct check_side *s)
{
    if (s->was_open && !s->conn) {
        say(o, CHECK_FAILED, "it was lost while its tables were listed: %s", s->schema_why.msg);
        o->may_pass = true;
        mend(o, "look at the server, then say the same command again");
        return;
    }
    if (s->was_open) {
        say(o, CHECK_PASSED, "%s", s->flavour.text);
        if (*grants_account(s->grants))
            say(o, CHECK_PASSED, "the account is %s", grants_account(s->grants));
        return;
    }
    say(o, CHECK_FAILED, "%s", s->why.msg);
    o->may_pass = err_info(s->why.code)->retryable;
    not_connected(o, c, s);
}

enum err_code check_source_connection(struct check *c, struct check_outcome *o, struct err *err)
{
    (void)err;
    connection(o, c, &c->side[SOURCE]);
    return ERR_OK;
}

enum err_code check_target_connection(struct check *c, struct check_outcome *o, struct err *err)
{
    (void)err;
    connection(o, c, &c->side[TARGET]);
    return ERR_OK;
}

static enum err_code encrypted(struct check_side *s, struct check_outcome *o, struct err *err)
{
    struct result *r = NULL;
    struct row row;
    bool more = false;
    bool on = false;
    enum err_code rc;

    if (s->url->socket && !s->url->host)
        return skip(o, "a Unix socket");
    rc = conn_queryz(s->conn, "SHOW SESSION STATUS LIKE 'Ssl_cipher'", &r, err);
    if (!rc)
        rc = result_next(r, &row, &more, err);
    if (!rc && more && row.count > 1 && row.len[1]) {
        on = true;
        say(o, CHECK_PASSED, "%.*s", (int)row.len[1], row.cell[1]);
    }
    result_free(r);
    if (rc || on)
        return rc;
    if (s->url->host &&
        (strncmp(s->url->host, "127.", 4) == 0 || strcmp(s->url->host, "localhost") == 0 ||
         strcmp(s->url->host, "::1") == 0))
        say(o, CHECK_PASSED, "not encrypted, and it does not leave this machine");
    else {
        say(o, CHECK_WARNING, "rows and the password's proof go over the network as they are");
        mend(o, "add ?ssl-mode=verify_identity&ssl-ca=FILE to --%s", s->role);
    }
    return ERR_OK;
}

enum err_code check_source_tls(struct check *c, struct check_outcome *o, struct err *err)
{
    return encrypted(&c->side[SOURCE], o, err);
}

enum err_code check_target_tls(struct check *c, struct check_outcome *o, struct err *err)
{
    return encrypted(&c->side[TARGET], o, err);
}

/* ---- versions ---- */

/* Those that the tests run on; `from` and `to` without their patch numbers. */
static const struct {
    enum vendor vendor;
    unsigned from, to;
    const char *words;
} tested[] = {
    {VENDOR_MYSQL, 50500, 50599, "5.5"},      {VENDOR_MYSQL, 90700, 90799, "9.7"},
    {VENDOR_MARIADB, 100200, 100299, "10.2"}, {VENDOR_MARIADB, 101100, 101199, "10.11"},
    {VENDOR_MARIADB, 110400, 110499, "11.4"}, {VENDOR_TIDB, 80400, 80499, "8.4"},
};

static void version(const struct flavour *f, struct check_outcome *o)
{
    struct strbuf all = {0};
    bool known = false;

    for (size_t i = 0; i < sizeof(tested) / sizeof(tested[0]); i++)
        if (tested[i].vendor == f->vendor) {
            known = known || (f->version >= tested[i].from && f->version <= tested[i].to);
            strbuf_addf(&all, "%s%s", all.len ? ", " : "", tested[i].words);
        }
    say(o, known ? CHECK_PASSED : CHECK_WARNING, "%s %u.%u.%u (%s)", vendor_name(f->vendor),
        f->version / 10000, f->version / 100 % 100, f->version % 100, f->text);
    if (!known)
        say(o, CHECK_WARNING, "the tests run on %s %s; this one is expected to work, and untested",
            vendor_name(f->vendor), strbuf_str(&all));
    strbuf_release(&all);
}

enum err_code check_source_version(struct check *c, struct check_outcome *o, struct err *err)
{
    const struct flavour *f = &c->side[SOURCE].flavour;

    (void)err;
    version(f, o);
    if (f->vendor == VENDOR_TIDB && for_follow(c)) {
        say(o, CHECK_FAILED, "TiDB has no binlog that could be followed");
        mend(o, "TiCDC follows a TiDB; ferry check --for dump asks about the dump alone");
    }
    return ERR_OK;
}

enum err_code check_target_version(struct check *c, struct check_outcome *o, struct err *err)
{
    const struct flavour *f = &c->side[TARGET].flavour;

    (void)err;
    version(f, o);
    if (f->vendor == VENDOR_TIDB && f->version < 70600)
        say(o, CHECK_WARNING,
            "before 7.6 LOAD DATA does not join a transaction: rows go by the slower INSERT");
    if (f->vendor == VENDOR_TIDB && f->version < 60200)
        say(o, CHECK_WARNING, "before 6.2 there is no GET_LOCK: load with one process at a time");
    return ERR_OK;
}

/* ---- one server under two names ---- */

enum err_code check_same_server(struct check *c, struct check_outcome *o, struct err *err)
{
    bool same = false;
    bool moved = false;
    enum err_code rc = server_same(c->side[SOURCE].conn, c->side[TARGET].conn, &same, err);

    if (rc)
        return rc;
    for (size_t i = 0; c->side[SOURCE].schema && i < c->side[SOURCE].schema->table_count; i++) {
        const struct table *t = &c->side[SOURCE].schema->tables[i];
        const char *db, *name;

        route_table(c->route, t->db, t->name, &db, &name);
        if (strcmp(db, t->db) == 0 && strcmp(name, t->name) == 0 && same)
            list(o, "%s.%s", t->db, t->name);
        else
            moved = true;
    }
    if (!same)
        say(o, CHECK_PASSED, "they are two servers");
    else if (o->objects || !moved)
        say(o, CHECK_FAILED,
            "source and target are one server, and these tables would meet "
            "themselves");
    else
        say(o, CHECK_PASSED, "one server, and every table goes to another name");
    if (o->result == CHECK_FAILED)
        mend(o, "name another --target, or give the tables other names with --rename");
    return ERR_OK;
}
