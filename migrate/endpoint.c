#include "migrate/endpoint.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char *const kind_names[] = {"mysql", "mariadb", "rds", "aurora", "tidb"};
#define KIND_COUNT (sizeof(kind_names) / sizeof(kind_names[0]))

/* These go into the URL as its parameters of the same names. */
static const char *const url_params[] = {"ssl-mode", "ssl-ca",      "ssl-capath",     "ssl-cert",
                                         "ssl-key",  "tls-version", "connect-timeout"};

const char *endpoint_kind_name(enum endpoint_kind kind)
{
    return kind_names[kind];
}

enum err_code name_check(const char *what, const char *name, struct err *err)
{
    const size_t len = strlen(name);
    bool good = isalpha((unsigned char)*name) != 0;

    for (const char *c = name; *c; c++)
        good = good && (isalnum((unsigned char)*c) || *c == '_' || *c == '-') &&
               (unsigned char)*c < 0x80;
    if (len >= JOB_NAME_MAX)
        return err_set(err, ERR_USAGE,
                       "the %s's name has %zu characters, and may have at most %d: '%.20s...'",
                       what, len, JOB_NAME_MAX - 1, name);
    if (!good)
        return err_set(err, ERR_USAGE,
                       "'%s' is no name for a %s: a letter first, then letters, digits, '_' and "
                       "'-', fewer than %d",
                       name, what, JOB_NAME_MAX);
    return ERR_OK;
}

static enum err_code endpoint_set_kind(struct endpoint *e, const char *word, struct err *err)
{
    for (size_t i = 0; i < KIND_COUNT; i++)
        if (strcmp(kind_names[i], word) == 0) {
            e->kind = (enum endpoint_kind)i;
            e->has_kind = true;
            return ERR_OK;
        }
    return err_set(err, ERR_USAGE, "'%s' is not a type: mysql, mariadb, rds, aurora or tidb", word);
}

enum err_code endpoint_line(struct endpoint *e, const struct ini_line *line, bool *mine,
                            struct err *err)
{
    *mine = true;
    if (strcmp(line->key, "type") == 0)
        return endpoint_set_kind(e, line->value, err);
    if (strcmp(line->key, "region") == 0) {
        e->region = line->value;
        return ERR_OK;
    }
    if (strcmp(line->key, "url") == 0) {
        struct server_url url = {0};
        enum err_code rc = server_url_parse(line->value, &url, err);

        server_url_release(&url);
        e->base = line->value;
        return rc;
    }
    if (strstr(line->key, "password"))
        return err_set(err, ERR_USAGE,
                       "'%s': no secrets in here: passwords come from FERRY_SOURCE_PASSWORD and "
                       "FERRY_TARGET_PASSWORD, or from the file that defaults-file in [job] names",
                       line->key);
    for (size_t i = 0; i < sizeof(url_params) / sizeof(url_params[0]); i++)
        if (strcmp(line->key, url_params[i]) == 0) {
            struct server_url url = {0};
            enum err_code rc = server_url_set(&url, line->key, line->value, err);

            server_url_release(&url);
            if (!rc && e->param_count + 2 > sizeof(e->params) / sizeof(e->params[0]))
                rc = err_set(err, ERR_USAGE, "'%s' is said more than once", line->key);
            if (rc)
                return rc;
            e->params[e->param_count++] = url_params[i];
            e->params[e->param_count++] = line->value;
            return ERR_OK;
        }
    *mine = false;
    return ERR_OK;
}

static void add_encoded(struct strbuf *out, const char *text)
{
    for (const char *c = text; *c; c++)
        if (isalnum((unsigned char)*c) || strchr("-._~/:,", *c))
            strbuf_addch(out, *c);
        else
            strbuf_addf(out, "%%%02X", (unsigned)(unsigned char)*c);
}

enum err_code endpoint_url(const struct endpoint *e, struct strbuf *url, struct err *err)
{
    struct server_url parsed = {0};
    const char *host = e->base ? strstr(e->base, "://") : NULL;
    enum err_code rc;

    if (!e->base)
        return err_set(err, ERR_USAGE, "no server: give url = mysql://user@host:port/");
    strbuf_addstr(url, e->base);
    if (e->param_count && host && !strchr(host + 3, '/'))
        strbuf_addch(url, '/');
    for (unsigned i = 0; i < e->param_count; i += 2) {
        strbuf_addch(url, strchr(strbuf_str(url), '?') ? '&' : '?');
        strbuf_addf(url, "%s=", e->params[i]);
        add_encoded(url, e->params[i + 1]);
    }
    rc = server_url_parse(strbuf_str(url), &parsed, err);
    server_url_release(&parsed);
    return rc;
}

void profile_path(const char *jobs_dir, const char *name, struct strbuf *path)
{
    strbuf_addf(path, "%s/profiles/%s.ini", jobs_dir, name);
}

static enum err_code profile_lines(struct profile *p, const char *path, struct err *err)
{
    struct strbuf url = {0};
    enum err_code rc = ERR_OK;
    unsigned at = 1;

    for (size_t i = 0; !rc && i < p->ini.count; i++) {
        const struct ini_line *line = &p->ini.lines[i];
        bool mine = true;

        at = line->number;
        if (strcmp(line->section, "profile") != 0)
            rc = err_set(err, ERR_USAGE, "[%s]: a profile has one section, [profile]",
                         line->section);
        else if (line->key)
            rc = endpoint_line(&p->endpoint, line, &mine, err);
        else
            p->endpoint.line = line->number;
        if (!rc && !mine)
            rc = err_set(err, ERR_USAGE,
                         "unknown key '%s': a profile has type, region, url, ssl-mode, ssl-ca, "
                         "ssl-capath, ssl-cert, ssl-key, tls-version, connect-timeout",
                         line->key);
    }
    if (!rc) {
        at = p->endpoint.line ? p->endpoint.line : 1;
        rc = endpoint_url(&p->endpoint, &url, err);
    }
    strbuf_release(&url);
    return rc ? err_wrap(err, "'%s' line %u", path, at) : ERR_OK;
}

enum err_code profile_read(const char *jobs_dir, const char *name, struct profile *p,
                           struct err *err)
{
    struct strbuf path = {0};
    enum err_code rc = name_check("profile", name, err);

    if (rc)
        return rc;
    profile_path(jobs_dir, name, &path);
    rc = ini_read(strbuf_str(&path), &p->ini, err);
    if (rc == ERR_STORE_NOT_FOUND)
        rc = err_set(err, ERR_STORE_NOT_FOUND, "there is no profile '%s' in '%s/profiles'", name,
                     jobs_dir);
    else if (!rc)
        rc = profile_lines(p, strbuf_str(&path), err);
    if (!rc)
        p->endpoint.profile = name;
    strbuf_release(&path);
    if (rc)
        profile_release(p);
    return rc;
}

void profile_release(struct profile *p)
{
    ini_release(&p->ini);
    *p = (struct profile){0};
}
