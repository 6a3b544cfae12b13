/* ferry job profile: servers by name, a file each, without secrets. */
#include "cli/job_verbs.h"

#include "common/base/mem.h"
#include "common/mysql/conn.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static json_t *profile_json(const struct profile *p, const char *name, struct err *err)
{
    struct strbuf url = {0};
    json_t *json = json_object();

    if (endpoint_url(&p->endpoint, &url, err))
        strbuf_reset(&url);
    (void)json_object_set_new(json, "name", json_any_text(name));
    (void)json_object_set_new(
        json, "type",
        p->endpoint.has_kind ? json_string(endpoint_kind_name(p->endpoint.kind)) : json_null());
    (void)json_object_set_new(json, "region", json_any_text(p->endpoint.region));
    (void)json_object_set_new(json, "url", json_any_text(strbuf_str(&url)));
    strbuf_release(&url);
    return json;
}

static void profile_print(const json_t *json)
{
    const char *type = json_string_value(json_object_get(json, "type"));
    const char *region = json_string_value(json_object_get(json, "region"));

    (void)printf("%-20s %-8s %-14s %s\n", json_string_value(json_object_get(json, "name")),
                 type ? type : "-", region ? region : "-",
                 json_string_value(json_object_get(json, "url")));
}

static enum err_code show(const struct job_opts *o, const char *root, const char *name,
                          struct err *err)
{
    struct profile p = {0};
    json_t *json;

    if (profile_read(root, name, &p, err))
        return err->code;
    json = profile_json(&p, name, err);
    profile_release(&p);
    if (o->json) {
        json_answer(json);
    } else {
        profile_print(json);
        json_decref(json);
    }
    return ERR_OK;
}

/* The names in DIR/profiles, in no order. */
static enum err_code list(const struct job_opts *o, const char *root, struct err *err)
{
    char *folder = xasprintf("%s/profiles", root);
    json_t *all = json_array();
    DIR *d = opendir(folder);
    const struct dirent *e;
    enum err_code rc = ERR_OK;

    if (!d && errno != ENOENT)
        rc = err_set_errno(err, err_code_of_errno(errno), errno, "reading the folder '%s'", folder);
    while (d && !rc && (e = readdir(d)) != NULL) { // NOLINT(concurrency-mt-unsafe): our own stream
        const size_t len = strlen(e->d_name);
        struct profile p = {0};
        char *name;

        if (len < 5 || strcmp(e->d_name + len - 4, ".ini") != 0 || e->d_name[0] == '.')
            continue;
        name = xstrndup(e->d_name, len - 4);
        rc = profile_read(root, name, &p, err);
        if (!rc)
            (void)json_array_append_new(all, profile_json(&p, name, err));
        profile_release(&p);
        free(name);
    }
    if (d)
        (void)closedir(d);
    if (!rc && o->json) {
        json_answer(json_pack("{s:O}", "profiles", all));
    } else if (!rc) {
        const json_t *json;
        size_t i;

        json_array_foreach(all, i, json) profile_print(json);
    }
    json_decref(all);
    free(folder);
    return rc;
}

static void put_line(struct strbuf *text, const char *key, const char *value)
{
    if (value)
        strbuf_addf(text, "%s = %s\n", key, value);
}

/* Written, read back as a job would, and removed again where that is refused. */
static enum err_code add(const struct job_opts *o, const char *root, const char *name,
                         struct err *err)
{
    char *folder = xasprintf("%s/profiles", root);
    char *file = xasprintf("%s.ini", name);
    struct job_home home = JOB_HOME_INIT;
    struct strbuf path = {0};
    struct strbuf text = {0};
    struct profile p = {0};
    enum err_code rc = home_init(&home, root, "profiles", err);

    profile_path(root, name, &path);
    put_line(&text, "[profile]\ntype", o->type);
    if (!o->type)
        strbuf_addstr(&text, "[profile]\n");
    put_line(&text, "region", o->region);
    put_line(&text, "url", o->url);
    put_line(&text, "ssl-mode", o->ssl_mode);
    put_line(&text, "ssl-ca", o->ssl_ca);
    put_line(&text, "ssl-cert", o->ssl_cert);
    put_line(&text, "ssl-key", o->ssl_key);
    if (!rc)
        rc = name_check("profile", name, err);
    if (!rc)
        rc = home_create(&home, err);
    if (!rc && access(strbuf_str(&path), F_OK) == 0)
        rc = err_set(err, ERR_STORE_EXISTS, "there is a profile '%s' already: '%s'", name,
                     strbuf_str(&path));
    if (!rc) {
        rc = file_replace(folder, file, strbuf_str(&text), text.len, err);
        if (!rc && profile_read(root, name, &p, err)) {
            rc = err->code;
            (void)unlink(strbuf_str(&path));
        }
    }
    profile_release(&p);
    home_release(&home);
    strbuf_release(&path);
    strbuf_release(&text);
    free(file);
    free(folder);
    return rc ? rc : show(o, root, name, err);
}

static enum err_code drop(const struct job_opts *o, const char *root, const char *name,
                          struct err *err)
{
    struct strbuf path = {0};
    enum err_code rc = name_check("profile", name, err);

    profile_path(root, name, &path);
    if (!rc && unlink(strbuf_str(&path)) != 0)
        rc = err_set_errno(err, err_code_of_errno(errno), errno, "removing the profile '%s'",
                           strbuf_str(&path));
    if (!rc && o->json)
        json_answer(json_pack("{s:s}", "deleted", name));
    strbuf_release(&path);
    return rc;
}

/* ---- validate ---- */

static bool kind_fits(enum endpoint_kind kind, const struct flavour *f)
{
    switch (kind) {
    case ENDPOINT_MYSQL:
        return f->vendor == VENDOR_MYSQL;
    case ENDPOINT_MARIADB:
        return f->vendor == VENDOR_MARIADB;
    case ENDPOINT_TIDB:
        return f->vendor == VENDOR_TIDB;
    case ENDPOINT_RDS:
        return f->managed == MANAGED_RDS || f->managed == MANAGED_NONE; /* RDS hides itself well */
    case ENDPOINT_AURORA:
        return f->managed == MANAGED_AURORA;
    }
    return false;
}

static json_t *server_text(struct conn *c, const char *sql, unsigned column)
{
    struct result *r = NULL;
    struct err err = ERR_INIT;
    struct row row;
    bool more = false;
    json_t *json = NULL;

    if (conn_queryz(c, sql, &r, &err) == ERR_OK && result_next(r, &row, &more, &err) == ERR_OK &&
        more && column < row.count && row.cell[column])
        json = json_stringn(row.cell[column], row.len[column]);
    result_free(r);
    return json ? json : json_null();
}

static enum err_code look(const struct profile *p, const char *name, const struct server_url *url,
                          json_t **seen, struct err *err)
{
    struct conn *c = NULL;
    struct strbuf text = {0};
    enum err_code rc = conn_open(url, CONN_SOURCE, "validate", &c, err);

    server_url_text(url, &text);
    if (!rc && p->endpoint.has_kind && !kind_fits(p->endpoint.kind, conn_flavour(c)))
        rc = err_set(err, ERR_SERVER_UNSUPPORTED, "the profile says %s, and the server is %s: %s",
                     endpoint_kind_name(p->endpoint.kind), vendor_name(conn_flavour(c)->vendor),
                     conn_flavour(c)->text);
    if (!rc) {
        *seen = json_object();
        (void)json_object_set_new(*seen, "name", json_any_text(name));
        (void)json_object_set_new(*seen, "url", json_any_text(strbuf_str(&text)));
        (void)json_object_set_new(*seen, "server",
                                  json_string(vendor_name(conn_flavour(c)->vendor)));
        (void)json_object_set_new(*seen, "version", json_any_text(conn_flavour(c)->text));
        (void)json_object_set_new(*seen, "account", server_text(c, "SELECT CURRENT_USER()", 0));
        (void)json_object_set_new(*seen, "seen_as", server_text(c, "SELECT USER()", 0));
        (void)json_object_set_new(*seen, "tls",
                                  server_text(c, "SHOW SESSION STATUS LIKE 'Ssl_cipher'", 1));
    }
    strbuf_release(&text);
    conn_close(c);
    return rc;
}

static enum err_code validate(const struct job_opts *o, const char *root, const char *name,
                              struct err *err)
{
    const char *role = o->role == 1 ? "target" : "source";
    struct profile p = {0};
    struct strbuf text = {0};
    struct server_url url = {0};
    json_t *seen = NULL;
    enum err_code rc = profile_read(root, name, &p, err);

    if (!rc)
        rc = endpoint_url(&p.endpoint, &text, err);
    if (!rc)
        rc = job_resolve(strbuf_str(&text), role, o->defaults_file, &url, err);
    if (!rc)
        rc = look(&p, name, &url, &seen, err);
    if (!rc && !o->json) {
        const char *tls = json_string_value(json_object_get(seen, "tls"));

        (void)printf("%s: connected; %s, %s\naccount %s, seen by the server as %s, %s%s\n", name,
                     json_string_value(json_object_get(seen, "server")),
                     json_string_value(json_object_get(seen, "version")),
                     json_string_value(json_object_get(seen, "account")),
                     json_string_value(json_object_get(seen, "seen_as")),
                     tls && *tls ? "TLS " : "not encrypted", tls && *tls ? tls : "");
    }
    if (!rc && o->json)
        json_answer(json_incref(seen));
    json_decref(seen);
    server_url_release(&url);
    strbuf_release(&text);
    profile_release(&p);
    return rc;
}

enum err_code job_profile(const struct job_opts *o, const char *root, const char *verb,
                          const char *name, struct err *err)
{
    if (verb && strcmp(verb, "list") == 0)
        return list(o, root, err);
    if (!verb || !name)
        return err_set(err, ERR_USAGE,
                       "ferry job profile add|list|show|delete|validate NAME: the %s is missing",
                       verb ? "name" : "verb");
    if (strcmp(verb, "add") == 0)
        return add(o, root, name, err);
    if (strcmp(verb, "show") == 0)
        return show(o, root, name, err);
    if (strcmp(verb, "delete") == 0)
        return drop(o, root, name, err);
    if (strcmp(verb, "validate") == 0)
        return validate(o, root, name, err);
    return err_set(err, ERR_USAGE, "'%s' is nothing that ferry job profile does", verb);
}
