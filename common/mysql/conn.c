#include "common/mysql/conn.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/mysql/conn_driver.h"

#include <errmsg.h>
#include <errno.h>
#include <stdlib.h>

enum err_code conn_library_init(struct err *err)
{
    if (mysql_library_init(0, NULL, NULL))
        return err_set(err, ERR_FAILED, "the MySQL client library cannot be started");
    return ERR_OK;
}

void conn_library_end(void)
{
    mysql_library_end();
}

void conn_thread_init(void)
{
    (void)mysql_thread_init();
}

void conn_thread_end(void)
{
    mysql_thread_end();
}

/* One try. On failure c->mysql is NULL. */
static enum err_code conn_connect(struct conn *c, const struct server_url *url, enum ssl_mode mode,
                                  const char *app, struct err *err)
{
    const bool target = c->profile == CONN_TARGET;
    const struct compat_infile infile = conn_feed_infile(&c->feed);
    struct strbuf server = {0};
    enum err_code rc;

    server_url_text(url, &server);
    c->mysql = mysql_init(NULL);
    if (!c->mysql) {
        rc = err_set(err, ERR_NOMEM, "no memory for a connection");
        goto out;
    }
    compat_set_infile(c->mysql, &infile, target);
    compat_set_transport(c->mysql, url, app);
    rc = compat_set_tls(c->mysql, url, mode, err);
    if (rc)
        goto out;
    if (!mysql_real_connect(c->mysql, url->host || url->socket ? url->host : "localhost", url->user,
                            url->password, NULL, url->port ? url->port : 3306,
                            url->host ? NULL : url->socket, target ? CLIENT_MULTI_STATEMENTS : 0)) {
        rc = conn_fail_open(c->mysql, strbuf_str(&server), err);
        goto out;
    }
    if (mode != SSL_MODE_OFF && mode != SSL_MODE_PREFER && !compat_tls_active(c->mysql))
        rc = err_set(err, ERR_TLS, "%s: the server offers no TLS", strbuf_str(&server));
out:
    if (rc && c->mysql) {
        mysql_close(c->mysql);
        c->mysql = NULL;
    }
    strbuf_release(&server);
    return rc;
}

static enum err_code conn_connect_preferred(struct conn *c, const struct server_url *url,
                                            const char *app, struct err *err)
{
    struct err first;
    enum err_code rc;

    rc = conn_connect(c, url, SSL_MODE_PREFER, app, err);
    if (rc != ERR_TLS)
        return rc;
    first = *err;
    rc = conn_connect(c, url, SSL_MODE_OFF, app, err);
    if (rc == ERR_CONNECT)
        return rc; /* the server has gone: that was what was wrong */
    if (rc)
        *err = first; /* what was wrong with TLS is the better hint */
    else
        log_event(LOG_WARN, "server.tls.off",
                  F_STR("message", "no TLS could be had; the connection is not encrypted"),
                  F_STR("cause", first.msg));
    return rc ? first.code : ERR_OK;
}

/* The mode that is meant: who names a CA and no mode wants it used, as in the mysql client; on a
 * Unix socket nothing is gained by trying. */
static enum ssl_mode conn_ssl_mode(const struct server_url *url)
{
    if (url->ssl_mode_given)
        return url->ssl_mode;
    if (url->ssl_ca || url->ssl_capath)
        return SSL_MODE_CA;
    return url->socket && !url->host ? SSL_MODE_OFF : url->ssl_mode;
}

/* A TiDB that was told to call itself something else still says so in the comment. */
static enum err_code conn_tidb_version(struct conn *c, const char *version, struct strbuf *out,
                                       struct err *err)
{
    static const char label[] = "Release Version: ";
    char *words = NULL;
    const char *own;
    enum err_code rc;

    rc = conn_value(c, "SELECT tidb_version()", &words, err);
    if (rc)
        return rc;
    own = words ? strstr(words, label) : NULL;
    strbuf_addf(out, "%s-TiDB-", version);
    if (own) {
        own += strlen(label);
        strbuf_add(out, own, strcspn(own, "\r\n"));
    }
    free(words);
    return ERR_OK;
}

static enum err_code conn_find_flavour(struct conn *c, const struct row *row, struct err *err)
{
    const char *version = row->cell[0] ? row->cell[0] : "";
    const char *comment = row->cell[1] ? row->cell[1] : "";
    const char *base = row->cell[2] ? row->cell[2] : "";
    struct strbuf tidb = {0};
    enum err_code rc = ERR_OK;

    if (strstr(comment, "TiDB") && !strstr(version, "-TiDB-"))
        rc = conn_tidb_version(c, version, &tidb, err);
    if (!rc)
        rc = flavour_parse(tidb.len ? strbuf_str(&tidb) : version, comment, &c->flavour, err);
    strbuf_release(&tidb);
    if (rc)
        return rc;
    if (c->flavour.managed == MANAGED_NONE && strncmp(base, "/rdsdbbin", 9) == 0) {
        char *aurora = NULL;
        /* RDS and Aurora live in the same folder; only Aurora has a version of its own. */
        struct err unknown = ERR_INIT;

        c->flavour.managed = conn_value(c, "SELECT @@aurora_version", &aurora, &unknown)
                                 ? MANAGED_RDS
                                 : MANAGED_AURORA;
        free(aurora);
    }
    return ERR_OK;
}

static enum err_code conn_identify(struct conn *c, struct err *err)
{
    struct result *r = NULL;
    struct row row;
    bool more = false;
    enum err_code rc;

    /* The greeting has only the lower half of TiDB's connection ids. */
    rc = conn_queryz(c, "SELECT VERSION(), @@version_comment, @@basedir, CONNECTION_ID()", &r, err);
    if (rc)
        return rc;
    rc = result_next(r, &row, &more, err);
    if (!rc && (!more || row.count != 4 || !row.cell[3]))
        rc = err_set(err, ERR_SERVER_UNSUPPORTED, "the server does not tell its version");
    if (!rc) {
        c->id = strtoull(row.cell[3], NULL, 10);
        rc = conn_find_flavour(c, &row, err);
    }
    result_free(r);
    return rc;
}

enum err_code conn_open(const struct server_url *url, enum conn_profile profile, const char *app,
                        struct conn **out, struct err *err)
{
    struct conn *c = xcalloc(1, sizeof(*c));
    const enum ssl_mode mode = conn_ssl_mode(url);
    struct strbuf server = {0};
    enum err_code rc;

    c->profile = profile;
    server_url_text(url, &server);
    rc = conn_group_add(url->group, NULL, err);
    if (rc)
        goto out;
    rc = mode == SSL_MODE_PREFER ? conn_connect_preferred(c, url, app, err)
                                 : conn_connect(c, url, mode, app, err);
    if (rc)
        goto out;
    compat_keep_alive(c->mysql);
    rc = conn_group_add(url->group, c, err);
    if (!rc)
        rc = conn_identify(c, err);
    if (!rc)
        rc = conn_session_setup(c, err);
    if (!rc)
        rc = conn_session_user(c, url, err);
    if (rc) {
        (void)err_wrap(err, "%s", strbuf_str(&server));
        goto out;
    }
    *out = c;
    c = NULL;
out:
    strbuf_release(&server);
    conn_close(c);
    return rc;
}

void conn_close(struct conn *c)
{
    if (!c)
        return;
    conn_group_remove(c);
    if (c->mysql)
        mysql_close(c->mysql);
    free(c);
}

const struct flavour *conn_flavour(const struct conn *c)
{
    return &c->flavour;
}

uint64_t conn_id(const struct conn *c)
{
    return c->id;
}

bool conn_usable(const struct conn *c)
{
    return !c->broken;
}

unsigned conn_warnings(const struct conn *c)
{
    return c->mysql ? mysql_warning_count(c->mysql) : 0;
}

bool conn_in_transaction(const struct conn *c)
{
    return c->mysql && (c->mysql->server_status & SERVER_STATUS_IN_TRANS) != 0;
}
