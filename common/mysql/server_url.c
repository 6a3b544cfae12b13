#include "common/mysql/server_url.h"

#include "common/base/bytes.h"
#include "common/base/mem.h"

#include <stddef.h>
#include <stdlib.h>
#include <strings.h>

#define SCHEME "mysql://"
#define PORT_DEFAULT 3306
#define CONNECT_TIMEOUT_MAX 86400U

/* Messages here never repeat the text as it came: it may hold a password in a wrong place. */

static const struct {
    const char *name;
    enum ssl_mode mode;
} ssl_modes[] = {
    {"disabled", SSL_MODE_OFF},
    {"preferred", SSL_MODE_PREFER},
    {"required", SSL_MODE_REQUIRE},
    {"verify_ca", SSL_MODE_CA},
    {"verify_identity", SSL_MODE_IDENTITY},
};

/* The parameters that are kept as they are. */
static const struct {
    const char *name;
    size_t field;
} text_params[] = {
    {"socket", offsetof(struct server_url, socket)},
    {"ssl-ca", offsetof(struct server_url, ssl_ca)},
    {"ssl-capath", offsetof(struct server_url, ssl_capath)},
    {"ssl-cert", offsetof(struct server_url, ssl_cert)},
    {"ssl-key", offsetof(struct server_url, ssl_key)},
    {"ssl-cipher", offsetof(struct server_url, ssl_cipher)},
    {"tls-version", offsetof(struct server_url, tls_version)},
};

static char **url_field(struct server_url *url, size_t field)
{
    return (char **)(void *)((char *)url + field);
}

/* Digits only, 1 to `max`. */
static bool url_number(const char *text, unsigned max, unsigned *number)
{
    unsigned n = 0;

    for (const char *c = text; *c; c++) {
        if (*c < '0' || *c > '9' || n > max / 10)
            return false;
        n = n * 10 + (unsigned)(*c - '0');
    }
    if (!n || n > max)
        return false;
    *number = n;
    return true;
}

static enum err_code url_set_ssl_mode(struct server_url *url, const char *value, struct err *err)
{
    for (size_t i = 0; i < sizeof(ssl_modes) / sizeof(ssl_modes[0]); i++)
        if (strcasecmp(value, ssl_modes[i].name) == 0) {
            url->ssl_mode = ssl_modes[i].mode;
            url->ssl_mode_given = true;
            return ERR_OK;
        }
    return err_set(err, ERR_USAGE,
                   "ssl-mode must be disabled, preferred, required, verify_ca or verify_identity");
}

static enum err_code url_set_compress(struct server_url *url, const char *value, struct err *err)
{
    url->compress = strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
    if (!url->compress && strcmp(value, "false") != 0 && strcmp(value, "0") != 0)
        return err_set(err, ERR_USAGE, "compress must be true or false");
    return ERR_OK;
}

enum err_code server_url_set(struct server_url *url, const char *name, const char *value,
                             struct err *err)
{
    for (size_t i = 0; i < sizeof(text_params) / sizeof(text_params[0]); i++)
        if (strcmp(name, text_params[i].name) == 0) {
            char **field = url_field(url, text_params[i].field);

            if (!*value)
                return err_set(err, ERR_USAGE, "%s is empty", name);
            free(*field);
            *field = xstrdup(value);
            return ERR_OK;
        }
    if (strcmp(name, "ssl-mode") == 0)
        return url_set_ssl_mode(url, value, err);
    if (strcmp(name, "compress") == 0)
        return url_set_compress(url, value, err);
    if (strcmp(name, "connect-timeout") == 0) {
        if (!url_number(value, CONNECT_TIMEOUT_MAX, &url->connect_timeout))
            return err_set(err, ERR_USAGE, "connect-timeout must be from 1 to %u seconds",
                           CONNECT_TIMEOUT_MAX);
        return ERR_OK;
    }
    if (strcmp(name, "password") == 0)
        return err_set(err, ERR_USAGE,
                       "a server URL must not hold a password: other users can see it; take "
                       "FERRY_SOURCE_PASSWORD, FERRY_TARGET_PASSWORD or --defaults-file");
    return err_set(err, ERR_USAGE, "a server URL has no parameter '%s'", name);
}

/* Undoes percent-encoding. ERR_USAGE names `what`. */
static enum err_code url_decode(const char *text, size_t len, const char *what, char **out,
                                struct err *err)
{
    struct strbuf sb = {0};

    for (size_t i = 0; i < len; i++) {
        int high, low;

        if (text[i] != '%') {
            strbuf_addch(&sb, text[i]);
            continue;
        }
        high = i + 2 < len ? bytes_hex_value(text[i + 1]) : -1;
        low = high < 0 ? -1 : bytes_hex_value(text[i + 2]);
        if (low < 0 || high + low == 0) {
            strbuf_release(&sb);
            (void)err_set(err, ERR_USAGE, "%s: '%%' must be followed by two hex digits, not 00",
                          what);
            return ERR_USAGE;
        }
        strbuf_addch(&sb, (char)(high * 16 + low));
        i += 2;
    }
    *out = strbuf_detach(&sb);
    return ERR_OK;
}

/* One name=value of the query. */
static enum err_code url_parse_param(struct server_url *url, const char *text, size_t len,
                                     struct err *err)
{
    const char *equal = memchr(text, '=', len);
    char *name = NULL, *value = NULL;
    enum err_code rc;

    if (!equal)
        return err_set(err, ERR_USAGE, "a parameter of the server URL must be NAME=VALUE");
    rc = url_decode(text, (size_t)(equal - text), "a parameter's name in the server URL", &name,
                    err);
    if (rc)
        goto out;
    rc = url_decode(equal + 1, len - (size_t)(equal + 1 - text), name, &value, err);
    if (rc)
        goto out;
    rc = server_url_set(url, name, value, err);
out:
    free(name);
    free(value);
    return rc;
}

static enum err_code url_parse_query(struct server_url *url, const char *query, struct err *err)
{
    while (*query) {
        const size_t len = strcspn(query, "&");

        if (len) {
            enum err_code rc = url_parse_param(url, query, len, err);

            if (rc)
                return rc;
        }
        query += len + (query[len] == '&');
    }
    return ERR_OK;
}

static enum err_code url_parse_user(struct server_url *url, const char *text, size_t len,
                                    struct err *err)
{
    if (memchr(text, ':', len))
        return err_set(err, ERR_USAGE,
                       "a server URL must not hold a password: other users can see it; take "
                       "FERRY_SOURCE_PASSWORD, FERRY_TARGET_PASSWORD or --defaults-file");
    if (!len)
        return ERR_OK;
    return url_decode(text, len, "the user in the server URL", &url->user, err);
}

/* host, host:port, [v6] or [v6]:port. Empty: no host said. */
static enum err_code url_parse_host(struct server_url *url, const char *text, size_t len,
                                    struct err *err)
{
    char *copy = xstrndup(text, len);
    char *host = copy;
    char *rest = copy + strcspn(copy, ":");
    enum err_code rc = ERR_OK;

    if (*copy == '[') {
        host = copy + 1;
        rest = strchr(copy, ']');
        if (rest)
            *rest++ = '\0';
    }
    if (!rest || (*rest && *rest != ':') || strpbrk(host, " \t\r\n%@\"'\\")) {
        rc = err_set(err, ERR_USAGE, "the host in the server URL cannot be understood");
        goto out;
    }
    if (*rest == ':') {
        *rest++ = '\0';
        if (!url_number(rest, 65535, &url->port)) {
            rc = err_set(err, ERR_USAGE, "the port in the server URL must be from 1 to 65535");
            goto out;
        }
    }
    if (*host)
        url->host = xstrdup(host);
    else if (url->port)
        rc = err_set(err, ERR_USAGE, "the server URL has a port but no host");
out:
    free(copy);
    return rc;
}

static enum err_code url_parse(const char *text, struct server_url *url, struct err *err)
{
    const char *host, *path;
    size_t len;
    enum err_code rc;

    if (strncasecmp(text, SCHEME, strlen(SCHEME)) != 0)
        return err_set(err, ERR_USAGE, "a server URL begins with " SCHEME);
    text += strlen(SCHEME);
    len = strcspn(text, "/?#");
    path = text + len;
    host = text;
    for (const char *c = text; c < path; c++)
        if (*c == '@')
            host = c + 1;
    if (host > text) {
        rc = url_parse_user(url, text, (size_t)(host - text) - 1, err);
        if (rc)
            return rc;
    }
    rc = url_parse_host(url, host, (size_t)(path - host), err);
    if (rc)
        return rc;
    path += *path == '/';
    if (*path && *path != '?')
        return err_set(err, ERR_USAGE,
                       "a server URL names no database: after the host comes '/' and then only "
                       "?NAME=VALUE (a special character in the user is written as %%XX)");
    rc = *path ? url_parse_query(url, path + 1, err) : ERR_OK;
    if (rc)
        return rc;
    if (url->host && url->socket)
        return err_set(err, ERR_USAGE, "a server URL has a host or a socket, not both");
    return ERR_OK;
}

enum err_code server_url_parse(const char *text, struct server_url *url, struct err *err)
{
    enum err_code rc = url_parse(text, url, err);

    if (rc)
        server_url_release(url);
    return rc;
}

static void url_encode(struct strbuf *out, const char *text, const char *also)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";

    for (; *text; text++)
        if (strchr(plain, *text) || strchr(also, *text))
            strbuf_addch(out, *text);
        else
            strbuf_addf(out, "%%%02X", (unsigned)(unsigned char)*text);
}

void server_url_text(const struct server_url *url, struct strbuf *out)
{
    const char *host = url->host ? url->host : "localhost";

    strbuf_addstr(out, SCHEME);
    if (url->user) {
        url_encode(out, url->user, "");
        strbuf_addch(out, '@');
    }
    if (!url->host && url->socket) {
        strbuf_addstr(out, "/?socket=");
        url_encode(out, url->socket, "/");
        return;
    }
    strbuf_addf(out, strchr(host, ':') ? "[%s]:%u/" : "%s:%u/", host,
                url->port ? url->port : PORT_DEFAULT);
}

/* As memset, but not left out by a compiler that sees nobody reading the memory again. */
static void url_scrub(char *text)
{
    volatile char *c = text;

    while (c && *c)
        *c++ = '\0';
}

void server_url_release(struct server_url *url)
{
    url_scrub(url->password);
    free(url->password);
    free(url->host);
    free(url->user);
    for (size_t i = 0; i < sizeof(text_params) / sizeof(text_params[0]); i++)
        free(*url_field(url, text_params[i].field));
    for (unsigned i = 0; i < url->session_count; i++)
        free(url->session[i]);
    free(url->session);
    *url = (struct server_url){0};
}

void server_url_add_session(struct server_url *url, const char *sql)
{
    url->session = xreallocarray(url->session, url->session_count + 1, sizeof *url->session);
    url->session[url->session_count++] = xstrdup(sql);
}
