#include "common/store/s3_profile.h"

#include "common/base/mem.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 8192

const char *s3_env(const char *name)
{
    const char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe): nothing sets variables */

    return value && *value ? value : NULL;
}

void s3_profile_release(struct s3_profile *p)
{
    s3_keys_release(&p->keys);
    free(p->name);
    free(p->region);
    free(p->endpoint);
    free(p->ca_file);
    free(p->role);
    *p = (struct s3_profile){0};
}

static char *trim(char *text)
{
    size_t len;

    text += strspn(text, " \t\r\n");
    len = strlen(text);
    while (len > 0 && strchr(" \t\r\n", text[len - 1]))
        len--;
    text[len] = '\0';
    return text;
}

/* The first word counts: the credentials file is read before the config file. */
static void profile_put(char **field, const char *value)
{
    if (!*field && *value)
        *field = xstrdup(value);
}

static void profile_set(struct s3_profile *p, const char *name, const char *value)
{
    static const char *const roles[] = {"role_arn",    "source_profile", "credential_process",
                                        "sso_session", "sso_start_url",  "web_identity_token_file"};

    if (strcmp(name, "aws_access_key_id") == 0)
        profile_put(&p->keys.access, value);
    else if (strcmp(name, "aws_secret_access_key") == 0)
        profile_put(&p->keys.secret, value);
    else if (strcmp(name, "aws_session_token") == 0)
        profile_put(&p->keys.token, value);
    else if (strcmp(name, "region") == 0)
        profile_put(&p->region, value);
    else if (strcmp(name, "endpoint_url") == 0)
        profile_put(&p->endpoint, value);
    else if (strcmp(name, "ca_bundle") == 0)
        profile_put(&p->ca_file, value);
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (strcmp(name, roles[i]) == 0)
            profile_put(&p->role, name);
}

/* Whether the line "[...]" opens the profile's section. */
static bool profile_section(const struct s3_profile *p, char *line, bool config)
{
    char *end = strchr(line, ']');
    char *name;

    if (!end)
        return false;
    *end = '\0';
    name = trim(line + 1);
    if (config && strncmp(name, "profile", 7) == 0 && (name[7] == ' ' || name[7] == '\t'))
        name = trim(name + 7);
    else if (config && strcmp(name, "default") != 0)
        return false;
    return strcmp(name, p->name) == 0;
}

static void profile_lines(struct s3_profile *p, FILE *f, bool config)
{
    char line[LINE_MAX_BYTES];
    bool inside = false;

    while (fgets(line, sizeof line, f)) {
        char *equal;

        if (line[0] == '#' || line[0] == ';' || line[0] == ' ' || line[0] == '\t')
            continue;
        if (line[0] == '[') {
            inside = profile_section(p, line, config);
            p->found = p->found || inside;
            continue;
        }
        equal = strchr(line, '=');
        if (!inside || !equal)
            continue;
        *equal = '\0';
        profile_set(p, trim(line), trim(equal + 1));
    }
    OPENSSL_cleanse(line, sizeof line);
}

/* A file that is not there has no words. */
static enum err_code profile_file(struct s3_profile *p, const char *variable, const char *file,
                                  struct err *err)
{
    const char *named = s3_env(variable);
    const char *home = s3_env("HOME");
    enum err_code rc = ERR_OK;
    char *path;
    FILE *f;

    if (!named && !home)
        return ERR_OK;
    path = named ? xstrdup(named) : xasprintf("%s/.aws/%s", home, file);
    f = fopen(path, "re");
    if (f) {
        profile_lines(p, f, strcmp(file, "config") == 0);
        (void)fclose(f);
    } else if (errno != ENOENT && errno != ENOTDIR && (named || errno != EACCES)) {
        rc = err_set_errno(err, ERR_STORE_CREDENTIALS, errno, "cannot read '%s'", path);
    }
    free(path);
    return rc;
}

enum err_code s3_profile_read(const char *name, struct s3_profile *p, struct err *err)
{
    const char *asked = name ? name : s3_env("AWS_PROFILE");
    enum err_code rc;

    *p = (struct s3_profile){.name = xstrdup(asked ? asked : "default")};
    rc = profile_file(p, "AWS_SHARED_CREDENTIALS_FILE", "credentials", err);
    if (!rc)
        rc = profile_file(p, "AWS_CONFIG_FILE", "config", err);
    if (!rc && asked && !p->found)
        rc = err_set(err, ERR_STORE_CREDENTIALS,
                     "the profile '%s' is neither in the shared credentials file nor in the "
                     "config file",
                     asked);
    if (!rc && !p->keys.access != !p->keys.secret)
        rc = err_set(err, ERR_STORE_CREDENTIALS, "the profile '%s' has one half of a key only",
                     p->name);
    if (rc)
        s3_profile_release(p);
    return rc;
}

enum err_code s3_file_line(const char *path, char **line, struct err *err)
{
    char text[LINE_MAX_BYTES];
    FILE *f = fopen(path, "re");
    size_t len;

    if (!f)
        return err_set_errno(err, ERR_STORE_CREDENTIALS, errno, "cannot read '%s'", path);
    len = fread(text, 1, sizeof text - 1, f);
    (void)fclose(f);
    text[len] = '\0';
    *line = xstrdup(trim(text));
    OPENSSL_cleanse(text, sizeof text);
    return ERR_OK;
}
