#include "common/store/s3_credentials.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define FRESH_US ((int64_t)300000000) /* so long before they expire, keys are fetched again */
#define FRESH_TRY_US ((uint64_t)30000000)
#define US_PER_S 1000000

struct s3_credentials {
    enum s3_role role; /* S3_ROLE_NONE: the keys are fixed */
    pthread_mutex_t lock;
    pthread_cond_t fetched;
    struct s3_keys keys; /* guarded by `lock`, as are the two below; access NULL: not yet */
    bool fetching;       /* a thread is at it */
    uint64_t not_before; /* monotonic: no other try as long as the old keys are good */
};

static void keys_copy(struct s3_keys *to, const struct s3_keys *from)
{
    to->access = xstrdup(from->access);
    to->secret = xstrdup(from->secret);
    to->token = from->token ? xstrdup(from->token) : NULL;
    to->expires_us = from->expires_us;
}

static enum err_code keys_of_environment(struct s3_keys *keys, struct err *err)
{
    const char *access = s3_env("AWS_ACCESS_KEY_ID");
    const char *secret = s3_env("AWS_SECRET_ACCESS_KEY");
    const char *token = s3_env("AWS_SESSION_TOKEN");

    if (!access != !secret)
        return err_set(err, ERR_STORE_CREDENTIALS,
                       "of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY only one is set");
    if (!access)
        return ERR_OK;
    keys->access = xstrdup(access);
    keys->secret = xstrdup(secret);
    keys->token = token ? xstrdup(token) : NULL;
    return ERR_OK;
}

/* Ways to keys that others go, and we do not. */
static enum err_code keys_unsupported(const struct s3_profile *p, struct err *err)
{
    if (p->role)
        return err_set(err, ERR_STORE_CREDENTIALS,
                       "the profile '%s' gets its keys by %s, which is not supported: say eval "
                       "\"$(aws configure export-credentials --profile %s --format env)\" first",
                       p->name, p->role, p->name);
    if (s3_env("AWS_WEB_IDENTITY_TOKEN_FILE") && s3_role_here() != S3_ROLE_CONTAINER)
        return err_set(err, ERR_STORE_CREDENTIALS,
                       "AWS_WEB_IDENTITY_TOKEN_FILE is not supported: give the pod its role by EKS "
                       "Pod Identity, or set AWS_ACCESS_KEY_ID and its companions");
    return ERR_OK;
}

static enum err_code credentials_find(struct s3_credentials *c, const struct s3_profile *p,
                                      bool by_name, struct err *err)
{
    enum err_code rc = by_name ? ERR_OK : keys_of_environment(&c->keys, err);

    if (rc || c->keys.access)
        return rc;
    if (p->keys.access) {
        keys_copy(&c->keys, &p->keys);
        return ERR_OK;
    }
    rc = keys_unsupported(p, err);
    if (rc)
        return rc;
    c->role = by_name ? S3_ROLE_NONE : s3_role_here();
    if (c->role == S3_ROLE_NONE)
        return err_set(err, ERR_STORE_CREDENTIALS,
                       by_name ? "the profile '%s' has no keys"
                               : "neither the environment nor the profile '%s' nor a role has keys",
                       p->name);
    return ERR_OK;
}

enum err_code s3_credentials_new(const struct s3_profile *profile, bool by_name,
                                 struct s3_credentials **out, struct err *err)
{
    struct s3_credentials *c = xcalloc(1, sizeof *c);
    enum err_code rc;

    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->fetched, NULL);
    rc = credentials_find(c, profile, by_name, err);
    if (rc)
        s3_credentials_free(c);
    else
        *out = c;
    return rc;
}

void s3_credentials_free(struct s3_credentials *c)
{
    if (!c)
        return;
    s3_keys_release(&c->keys);
    pthread_cond_destroy(&c->fetched);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* With the lock held: whether the keys may be used; and whether others should be fetched. */
static bool keys_good(const struct s3_credentials *c)
{
    return c->keys.access && (!c->keys.expires_us || c->keys.expires_us > clock_utc_us());
}

static bool keys_due(const struct s3_credentials *c)
{
    if (!keys_good(c))
        return true;
    return c->role != S3_ROLE_NONE && c->keys.expires_us &&
           c->keys.expires_us - FRESH_US < clock_utc_us() && clock_mono_us() >= c->not_before;
}

/* With the lock held, which is let go of meanwhile. */
static enum err_code keys_fetch(struct s3_credentials *c, struct err *err)
{
    struct s3_keys keys = {0};
    enum err_code rc;

    c->fetching = true;
    pthread_mutex_unlock(&c->lock);
    rc = s3_role_fetch(c->role, &keys, err);
    pthread_mutex_lock(&c->lock);
    c->fetching = false;
    if (!rc) {
        struct s3_keys old = c->keys;

        c->keys = keys;
        s3_keys_release(&old);
    }
    c->not_before = clock_mono_us() + FRESH_TRY_US;
    pthread_cond_broadcast(&c->fetched);
    return rc;
}

/* With the lock held: fetches what is due, unless another thread does. */
static enum err_code keys_freshen(struct s3_credentials *c, struct err *err)
{
    enum err_code rc;

    if (!keys_due(c) || c->fetching)
        return ERR_OK;
    rc = keys_fetch(c, err);
    if (!rc || !keys_good(c))
        return rc;
    log_event(LOG_WARN, "store.s3.credentials", F_STR("message", err->msg));
    err_clear(err); /* there is time for another try */
    return ERR_OK;
}

enum err_code s3_credentials_get(struct s3_credentials *c, struct s3_keys *keys, struct err *err)
{
    enum err_code rc;

    pthread_mutex_lock(&c->lock);
    while (!keys_good(c) && c->fetching)
        pthread_cond_wait(&c->fetched, &c->lock);
    rc = keys_freshen(c, err);
    if (!rc)
        keys_copy(keys, &c->keys);
    pthread_mutex_unlock(&c->lock);
    return rc;
}

bool s3_credentials_expired(struct s3_credentials *c, const char *access)
{
    bool others;

    if (c->role == S3_ROLE_NONE)
        return false;
    pthread_mutex_lock(&c->lock);
    others = !c->keys.access || strcmp(c->keys.access, access) != 0;
    if (!others)
        c->keys.expires_us = 1; /* long ago: fetched before the next request */
    pthread_mutex_unlock(&c->lock);
    return true;
}
