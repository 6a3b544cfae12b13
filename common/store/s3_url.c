#include "common/store/s3_url.h"

#include "common/base/bytes.h"
#include "common/base/mem.h"
#include "common/base/strbuf.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TIMEOUT_MAX_S 3600

void s3_url_release(struct s3_url *url)
{
    free(url->bucket);
    free(url->prefix);
    free(url->scheme);
    free(url->host);
    free(url->region);
    free(url->ca_file);
    free(url->storage_class);
    free(url->sse);
    free(url->sse_kms_key_id);
    free(url->acl);
    free(url->profile);
    *url = (struct s3_url){0};
}

/* `len` bytes with their %XX decoded; NULL: a '%' is no code, or codes a NUL. */
static char *url_decode(const char *text, size_t len)
{
    char *out = xcalloc(1, len + 1);
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        int high, low;

        if (text[i] != '%') {
            out[n++] = text[i];
            continue;
        }
        high = i + 2 < len ? bytes_hex_value(text[i + 1]) : -1;
        low = high >= 0 ? bytes_hex_value(text[i + 2]) : -1;
        if (low < 0 || (high == 0 && low == 0)) {
            free(out);
            return NULL;
        }
        out[n++] = (char)(high * 16 + low);
        i += 2;
    }
    return out;
}

/* ---- parameters ---- */

/* What the URL says and that needs a second look when all of it is there. */
struct url_words {
    char *endpoint, *path_style, *provider, *timeout;
};

static void url_words_release(struct url_words *w)
{
    free(w->endpoint);
    free(w->path_style);
    free(w->provider);
    free(w->timeout);
}

static const char *const secrets[] = {"access-key", "secret-access-key", "session-token"};
static const char *const refused[] = {"use-accelerate-endpoint", "role-arn", "external-id"};

static enum err_code param_refused(const char *name, struct err *err)
{
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++)
        if (strcasecmp(name, secrets[i]) == 0)
            return err_set(err, ERR_STORE_URL,
                           "'%s' in a storage URL can be seen by everyone: use AWS_ACCESS_KEY_ID, "
                           "AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or a profile",
                           secrets[i]);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (strcasecmp(name, refused[i]) == 0)
            return err_set(err, ERR_STORE_URL, "'%s' in a storage URL is not supported",
                           refused[i]);
    return err_set(err, ERR_STORE_URL, "'%.64s' is not a parameter of an s3:// URL", name);
}

static enum err_code param_set(struct s3_url *url, struct url_words *w, const char *name,
                               char *value, struct err *err)
{
    const struct {
        const char *name;
        char **field;
    } params[] = {{"endpoint", &w->endpoint},
                  {"region", &url->region},
                  {"force-path-style", &w->path_style},
                  {"storage-class", &url->storage_class},
                  {"sse", &url->sse},
                  {"sse-kms-key-id", &url->sse_kms_key_id},
                  {"acl", &url->acl},
                  {"provider", &w->provider},
                  {"profile", &url->profile},
                  {"ca-bundle", &url->ca_file},
                  {"timeout", &w->timeout}};

    for (size_t i = 0; i < sizeof params / sizeof params[0]; i++) {
        if (strcasecmp(name, params[i].name) != 0)
            continue;
        free(*params[i].field);
        *params[i].field = NULL;
        /* A line's end within a header would be another header. */
        if (!*value || strpbrk(value, "\r\n"))
            return err_set(err, ERR_STORE_URL, "'%s' in the storage URL has no value that can be",
                           params[i].name);
        *params[i].field = xstrdup(value);
        return ERR_OK;
    }
    return param_refused(name, err);
}

static enum err_code url_params(struct s3_url *url, struct url_words *w, const char *text,
                                struct err *err)
{
    enum err_code rc = ERR_OK;

    while (*text && !rc) {
        size_t len = strcspn(text, "&");
        size_t name_len = strcspn(text, "=&");
        char *name = xstrndup(text, name_len);
        char *value =
            url_decode(text + name_len + (name_len < len), len - name_len - (name_len < len));

        if (!value)
            rc = err_set(err, ERR_STORE_URL, "the value of '%.64s' has a '%%' that is no code",
                         name);
        else
            rc = param_set(url, w, name, value, err);
        free(value);
        free(name);
        text += len + (text[len] == '&');
    }
    return rc;
}

/* ---- what follows from them ---- */

static enum err_code url_endpoint(struct s3_url *url, const char *endpoint, struct err *err)
{
    const char *rest = strstr(endpoint, "://");
    size_t len;

    if (!rest)
        return err_set(err, ERR_STORE_URL, "the endpoint has no scheme: write https://HOST[:PORT]");
    url->scheme = xstrndup(endpoint, (size_t)(rest - endpoint));
    rest += 3;
    len = strcspn(rest, "/?#");
    if (strcmp(url->scheme, "http") != 0 && strcmp(url->scheme, "https") != 0)
        return err_set(err, ERR_STORE_URL,
                       "the endpoint's scheme '%.16s' is neither http nor https", url->scheme);
    if (len == 0 || memchr(rest, '@', len) || (rest[len] && strcmp(rest + len, "/") != 0))
        return err_set(err, ERR_STORE_URL, "the endpoint is more or less than https://HOST[:PORT]");
    url->host = xstrndup(rest, len);
    return ERR_OK;
}

static const char *first_of(const char *a, const char *b)
{
    return a ? a : b;
}

/* Path style with an endpoint (as TiDB's tools have it), unless its provider wants the other; with
 * Amazon only where the bucket's dots would not fit its certificate. */
static enum err_code url_style(struct s3_url *url, const struct url_words *w, struct err *err)
{
    static const char *const by_path[] = {"aws", "ceph", "minio", "gcs", "other"};
    static const char *const by_host[] = {"alibaba", "netease", "tencent"};
    const char *provider = w->provider ? w->provider : "other";
    bool known = false;

    url->path_style = url->host || strchr(url->bucket, '.');
    for (size_t i = 0; i < sizeof by_path / sizeof by_path[0]; i++)
        known = known || strcasecmp(provider, by_path[i]) == 0;
    for (size_t i = 0; i < sizeof by_host / sizeof by_host[0]; i++)
        if (strcasecmp(provider, by_host[i]) == 0) {
            known = true;
            url->path_style = false;
        }
    if (!known)
        return err_set(err, ERR_STORE_URL, "the provider '%.32s' is not known: leave it out",
                       provider);
    if (!w->path_style)
        return ERR_OK;
    url->path_style = strcmp(w->path_style, "true") == 0 || strcmp(w->path_style, "1") == 0;
    if (!url->path_style && strcmp(w->path_style, "false") != 0 && strcmp(w->path_style, "0") != 0)
        return err_set(err, ERR_STORE_URL, "force-path-style is true or false, not '%.16s'",
                       w->path_style);
    return ERR_OK;
}

static enum err_code url_timeout(struct s3_url *url, const char *text, struct err *err)
{
    char *end = NULL;
    unsigned long seconds = text ? strtoul(text, &end, 10) : 0;

    if (text && (*end || seconds == 0 || seconds > TIMEOUT_MAX_S || *text == '-'))
        return err_set(err, ERR_STORE_URL, "timeout is 1 to %d seconds, not '%.16s'", TIMEOUT_MAX_S,
                       text);
    url->timeout_us = (uint64_t)seconds * 1000000;
    return ERR_OK;
}

static enum err_code url_complete(struct s3_url *url, const struct url_words *w,
                                  struct s3_profile *profile, struct err *err)
{
    const char *endpoint = first_of(w->endpoint, s3_env("AWS_ENDPOINT_URL_S3"));
    const char *region = first_of(s3_env("AWS_REGION"), s3_env("AWS_DEFAULT_REGION"));
    const char *ca_file = s3_env("AWS_CA_BUNDLE");
    enum err_code rc = s3_profile_read(url->profile, profile, err);

    if (rc)
        return rc;
    endpoint = first_of(endpoint, first_of(s3_env("AWS_ENDPOINT_URL"), profile->endpoint));
    region = first_of(region, profile->region);
    ca_file = first_of(ca_file, profile->ca_file);
    if (!url->region && region)
        url->region = xstrdup(region);
    if (!url->ca_file && ca_file)
        url->ca_file = xstrdup(ca_file);
    if (endpoint)
        rc = url_endpoint(url, endpoint, err);
    else
        url->scheme = xstrdup("https");
    if (!rc)
        rc = url_style(url, w, err);
    if (!rc)
        rc = url_timeout(url, w->timeout, err);
    if (!rc && url->sse_kms_key_id && !url->sse)
        url->sse = xstrdup("aws:kms");
    if (rc)
        s3_profile_release(profile);
    return rc;
}

/* ---- bucket and prefix ---- */

static enum err_code url_bucket(struct s3_url *url, const char *text, size_t len, struct err *err)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";

    if (memchr(text, '@', len))
        return err_set(err, ERR_STORE_URL,
                       "a user or key in front of the bucket: keys come from the environment or "
                       "from a profile");
    url->bucket = xstrndup(text, len);
    if (len < 3 || len > 63 || strspn(url->bucket, allowed) != len)
        return err_set(err, ERR_STORE_URL, "'%.80s' is not a bucket's name", url->bucket);
    return ERR_OK;
}

/* "a/b" and "a/b/" are the same prefix; its parts are as those of an object's path. */
static enum err_code url_prefix(struct s3_url *url, const char *text, size_t len, struct err *err)
{
    char *path;

    while (len > 0 && text[0] == '/') {
        text++;
        len--;
    }
    while (len > 0 && text[len - 1] == '/')
        len--;
    path = url_decode(text, len);
    if (!path)
        return err_set(err, ERR_STORE_URL, "the prefix has a '%%' that is no code: write %%25");
    url->prefix = *path ? xasprintf("%s/", path) : xstrdup("");
    for (const char *part = path; *path; part++) {
        size_t n = strcspn(part, "/");

        if (n == 0 || (n == 1 && part[0] == '.') || (n == 2 && strncmp(part, "..", 2) == 0)) {
            free(path);
            return err_set(err, ERR_STORE_URL,
                           "the prefix '%s' has a part that is empty, '.' or '..'", url->prefix);
        }
        part += n;
        if (!*part)
            break;
    }
    free(path);
    return ERR_OK;
}

enum err_code s3_url_parse(const char *rest, struct s3_url *url, struct s3_profile *profile,
                           struct err *err)
{
    size_t len = strcspn(rest, "?#");
    size_t bucket = strcspn(rest, "/?#");
    struct url_words words = {0};
    enum err_code rc = ERR_OK;

    *url = (struct s3_url){0};
    *profile = (struct s3_profile){0};
    if (rest[len] == '#')
        rc = err_set(err, ERR_STORE_URL, "the storage URL has a '#': write %%23");
    if (!rc)
        rc = url_bucket(url, rest, bucket, err);
    if (!rc)
        rc = url_prefix(url, rest + bucket, len - bucket, err);
    if (!rc && rest[len] == '?')
        rc = url_params(url, &words, rest + len + 1, err);
    if (!rc)
        rc = url_complete(url, &words, profile, err);
    url_words_release(&words);
    if (rc)
        s3_url_release(url);
    return rc;
}

char *s3_url_text(const struct s3_url *url)
{
    size_t len = strlen(url->prefix);

    return len == 0 ? xasprintf("s3://%s", url->bucket)
                    : xasprintf("s3://%s/%.*s", url->bucket, (int)len - 1, url->prefix);
}

char *s3_url_host(const struct s3_url *url, const char *region)
{
    const char *bucket = url->path_style ? "" : url->bucket;
    const char *dot = url->path_style ? "" : ".";

    if (url->host)
        return xasprintf("%s%s%s", bucket, dot, url->host);
    return xasprintf("%s%ss3.%s.amazonaws.com%s", bucket, dot, region,
                     strncmp(region, "cn-", 3) == 0 ? ".cn" : "");
}
