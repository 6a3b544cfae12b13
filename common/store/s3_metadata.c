/* Keys of a role: the container's agent (a GET with a token), or the instance's metadata service in
 * its second version (a PUT for a session's token, then two GETs with it). */
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/store/s3_credentials.h"
#include "common/store/s3_http.h"

#include <jansson.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CONTAINER_HOST "http://169.254.170.2"
#define INSTANCE_HOST "http://169.254.169.254"
#define INSTANCE_PATH "/latest/meta-data/iam/security-credentials/"
#define METADATA_TRIES 4
#define METADATA_CONNECT_US ((uint64_t)1000000)
#define METADATA_IDLE_US ((uint64_t)5000000)
#define METADATA_MAX ((size_t)64 << 10)

enum s3_role s3_role_here(void)
{
    const char *disabled = s3_env("AWS_EC2_METADATA_DISABLED");

    if (s3_env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") ||
        s3_env("AWS_CONTAINER_CREDENTIALS_FULL_URI"))
        return S3_ROLE_CONTAINER;
    return disabled && strcasecmp(disabled, "true") == 0 ? S3_ROLE_NONE : S3_ROLE_INSTANCE;
}

/* One request, tried again where that may help; a reply that is not 200 is an error. */
static enum err_code metadata_ask(struct http *h, const char *method, const char *url,
                                  const struct s3_pair *header, struct strbuf *body,
                                  struct err *err)
{
    struct http_request r = {.method = method,
                             .url = url,
                             .headers = header,
                             .header_count = header ? 1 : 0,
                             .connect_us = METADATA_CONNECT_US,
                             .idle_us = METADATA_IDLE_US,
                             .direct = true};
    struct backoff backoff = {0};
    enum err_code rc = ERR_STORE_UNAVAILABLE;

    for (int tries = 0; tries < METADATA_TRIES && rc == ERR_STORE_UNAVAILABLE; tries++) {
        struct http_reply reply;

        if (tries > 0)
            (void)backoff_wait(&backoff, NULL);
        strbuf_reset(body);
        rc = http_perform(h, &r, &reply, body, METADATA_MAX, err);
        if (!rc && (reply.status >= 500 || reply.status == 429))
            rc = err_set(err, ERR_STORE_UNAVAILABLE, "status %ld", reply.status);
        else if (!rc && reply.status != 200)
            rc = err_set(err, ERR_STORE_CREDENTIALS, "status %ld", reply.status);
    }
    return rc ? err_wrap(err, "%s", url) : ERR_OK;
}

static char *json_text(const json_t *o, const char *name)
{
    const char *value = json_string_value(json_object_get(o, name));

    return value && *value ? xstrdup(value) : NULL;
}

static enum err_code keys_parse(const struct strbuf *body, struct s3_keys *keys, struct err *err)
{
    json_t *o = json_loadb(strbuf_str(body), body->len, 0, NULL);
    const char *expires = json_string_value(json_object_get(o, "Expiration"));

    *keys = (struct s3_keys){.access = json_text(o, "AccessKeyId"),
                             .secret = json_text(o, "SecretAccessKey"),
                             .token = json_text(o, "Token"),
                             .expires_us = expires ? s3_date_parse(expires) : 0};
    json_decref(o);
    if (keys->access && keys->secret)
        return ERR_OK;
    s3_keys_release(keys);
    return err_set(err, ERR_STORE_CREDENTIALS, "the reply for the role has no keys");
}

static enum err_code container_fetch(struct http *h, struct strbuf *body, struct err *err)
{
    const char *relative = s3_env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *full = s3_env("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    const char *file = s3_env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    const char *token = s3_env("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    char *url = relative ? xasprintf(CONTAINER_HOST "%s", relative) : xstrdup(full ? full : "");
    char *text = NULL;
    enum err_code rc = ERR_OK;

    if (file) /* its token changes: read each time */
        rc = s3_file_line(file, &text, err);
    else if (token)
        text = xstrdup(token);
    if (!rc && text && strpbrk(text, "\r\n"))
        rc = err_set(err, ERR_STORE_CREDENTIALS, "the container's token is of several lines");
    if (!rc) {
        struct s3_pair header = {"authorization", text ? text : ""};

        rc = metadata_ask(h, "GET", url, text ? &header : NULL, body, err);
    }
    if (text)
        OPENSSL_cleanse(text, strlen(text));
    free(text);
    free(url);
    return rc;
}

static enum err_code instance_fetch(struct http *h, struct strbuf *body, struct err *err)
{
    const char *named = s3_env("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    const char *host = named ? named : INSTANCE_HOST;
    size_t host_len = strlen(host);
    struct s3_pair ttl = {"x-aws-ec2-metadata-token-ttl-seconds", "21600"};
    struct s3_pair token = {"x-aws-ec2-metadata-token", NULL};
    char *text = NULL;
    char *url;
    enum err_code rc;

    while (host_len > 0 && host[host_len - 1] == '/')
        host_len--;
    url = xasprintf("%.*s/latest/api/token", (int)host_len, host);
    rc = metadata_ask(h, "PUT", url, &ttl, body, err);
    free(url);
    if (rc)
        return rc;
    text = xstrndup(strbuf_str(body), strcspn(strbuf_str(body), "\r\n"));
    token.value = text;
    url = xasprintf("%.*s" INSTANCE_PATH, (int)host_len, host);
    rc = metadata_ask(h, "GET", url, &token, body, err);
    free(url);
    if (!rc) { /* the role's name is the reply's first line */
        url = xasprintf("%.*s" INSTANCE_PATH "%.*s", (int)host_len, host,
                        (int)strcspn(strbuf_str(body), "\r\n"), strbuf_str(body));
        rc = metadata_ask(h, "GET", url, &token, body, err);
        free(url);
    }
    OPENSSL_cleanse(text, strlen(text));
    free(text);
    return rc;
}

enum err_code s3_role_fetch(enum s3_role role, struct s3_keys *keys, struct err *err)
{
    struct strbuf body = {0};
    struct http *h = NULL;
    enum err_code rc = http_new(&h, err);

    if (!rc && role == S3_ROLE_CONTAINER)
        rc = container_fetch(h, &body, err);
    else if (!rc)
        rc = instance_fetch(h, &body, err);
    if (!rc)
        rc = keys_parse(&body, keys, err);
    http_free(h);
    if (body.str)
        OPENSSL_cleanse(body.str, body.len);
    strbuf_release(&body);
    /* Most who see this have simply not said any keys. */
    return rc ? err_wrap(err,
                         "no keys in the environment or the shared files, and the %s's role gives "
                         "none",
                         role == S3_ROLE_CONTAINER ? "container" : "instance")
              : ERR_OK;
}
