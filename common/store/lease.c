/* Who may change the lock, and why at most one wins.
 *
 * The lock (`ferry.lock`) holds its owner's token. It is made with store_create, so that one of
 * several newcomers wins. From then on one rule holds for it and for every object of this file:
 *
 *     An object that holds token T is changed or removed only by who holds `ferry.lock.take-T`.
 *
 * That object, the right to change, is made with store_create as well; it holds a token of its
 * maker's (the maker's `hand`), so that the right of somebody who died while having it is taken in
 * the same way, by making `ferry.lock.take-HAND`, and so on (struct hold). Its holder looks again
 * whether what he read before is still true, changes the object and gives the right back. So:
 * - renewing (the lease's thread): right, look, write the same token again, give back;
 * - taking a stale lock: right, look (same token, still stale), write the own token, give back;
 * - releasing: right, look, remove, give back.
 * Two takers compete in store_create; a taker and an owner who wakes up late as well. Tokens are
 * random and never used twice, so that a right that was given back cannot be mistaken for another.
 *
 * What is left: somebody stopped (SIGSTOP, a suspended machine) between looking and writing for
 * longer than stale_us, while others take his right. He looks at his right after writing, and has
 * lost if it is gone; the other sees a foreign token when he renews, and has lost too. Nobody wins,
 * but never two.
 *
 * The thread lives from lease_take to lease_release and shares with them what the mutex guards and
 * two atomics. */
#include "common/store/lease.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/store/lease_owner.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LEASE_RENEW_US 10000000
#define LEASE_STALE_US 60000000
#define LEASE_OBJECT_MAX 4096 /* bytes */
#define LEASE_CHAIN_MAX 8
#define LEASE_TRIES 20
#define LEASE_TRY_US 20000

struct lease {
    struct store *store;
    char *path;
    struct lease_owner self;
    struct lease_owner hand; /* as self, with the token of our rights */
    uint64_t renew_us, stale_us;
    void (*lost)(void *ctx);
    void *ctx;
    pthread_t thread;
    atomic_bool is_lost;
    atomic_uint_fast64_t renewed_us; /* monotonic: when the last good renewal began */
    pthread_mutex_t lock;            /* guards `stop` */
    pthread_cond_t wake;
    bool stop;
};

/* ---- objects ---- */

static enum err_code lease_look(const struct lease *l, const char *path, struct lease_owner *o,
                                struct err *err)
{
    struct strbuf text = {0};
    enum err_code rc = store_get(l->store, path, &text, LEASE_OBJECT_MAX, err);

    if (rc == ERR_OK || rc == ERR_LIMIT)
        lease_owner_read(strbuf_str(&text), rc ? 0 : text.len, o);
    strbuf_release(&text);
    return rc == ERR_LIMIT ? ERR_OK : rc;
}

/* Microseconds since the object's last sign of life, by the store's clock. */
static enum err_code lease_age(const struct lease *l, const char *path, uint64_t *age,
                               struct err *err)
{
    struct store_info info;
    int64_t now;
    enum err_code rc = store_stat(l->store, path, &info, err);

    if (!rc)
        rc = store_now(l->store, &now, err);
    if (!rc)
        *age = now > info.mtime_us ? (uint64_t)(now - info.mtime_us) : 0;
    return rc;
}

/* ERR_LOCKED, with its owner named: the object is alive. ERR_OK: it is stale. */
static enum err_code lease_need_stale(const struct lease *l, const char *path,
                                      const struct lease_owner *o, struct err *err)
{
    uint64_t age;
    enum err_code rc;

    if (lease_owner_gone(o))
        return ERR_OK;
    rc = lease_age(l, path, &age, err);
    if (rc || age > l->stale_us)
        return rc;
    return err_set(err, ERR_LOCKED,
                   "%s/%s is held by another ferry: %s, process %" PRId64
                   " on host '%s', last sign of life %" PRIu64 ".%" PRIu64 " s ago",
                   l->store->text, l->path, *o->what ? o->what : "unknown", o->pid,
                   *o->host ? o->host : "unknown", age / 1000000, age / 100000 % 10);
}

static enum err_code lease_lost_to(const struct lease *l, const struct lease_owner *o,
                                   struct err *err)
{
    return err_set(err, ERR_LOCKED, "%s/%s was taken over by process %" PRId64 " on host '%s'",
                   l->store->text, l->path, o->pid, *o->host ? o->host : "unknown");
}

/* ---- the right to change an object ---- */

/* The rights that had to be taken, the first one that of the object itself. All but the last were
 * left behind by the dead; the last one is our own. */
struct hold {
    char *names[LEASE_CHAIN_MAX];
    char tokens[LEASE_CHAIN_MAX][LEASE_TOKEN_MAX];
    size_t count;
};

static void hold_forget(struct hold *h)
{
    for (size_t i = 0; i < h->count; i++)
        free(h->names[i]);
    h->count = 0;
}

/* Gives back; `all`: what the dead left is removed, too, which settles their affairs. What cannot
 * be removed now is either ours, and known again by the hand's token, or goes stale. */
static void lease_let_go(const struct lease *l, struct hold *h, bool all)
{
    struct err err = ERR_INIT;

    for (size_t i = all || h->count == 0 ? 0 : h->count - 1; i < h->count; i++)
        if (store_remove(l->store, h->names[i], &err))
            log_error("lease.right.kept", &err);
    hold_forget(h);
}

/* Whether every right of the chain still is what it was when we took the last one. */
static enum err_code lease_still_held(const struct lease *l, const struct hold *h, bool *held,
                                      struct err *err)
{
    *held = false;
    for (size_t i = 0; i < h->count; i++) {
        struct lease_owner o;
        enum err_code rc = lease_look(l, h->names[i], &o, err);

        if (rc == ERR_STORE_NOT_FOUND)
            return ERR_OK;
        if (rc)
            return rc;
        if (strcmp(o.token, h->tokens[i]) != 0)
            return ERR_OK;
    }
    *held = true;
    return ERR_OK;
}

/* Makes the right `name`, or finds who has it: *o. ERR_STORE_EXISTS: somebody dead. ERR_LOCKED:
 * a living one. ERR_STORE_NOT_FOUND: things have moved, look again. */
static enum err_code lease_grasp(const struct lease *l, const char *name, struct lease_owner *o,
                                 struct err *err)
{
    struct strbuf text = {0};
    enum err_code rc;

    *o = l->hand;
    lease_owner_write(&l->hand, &text);
    rc = store_create(l->store, name, text.str, text.len, err);
    strbuf_release(&text);
    if (rc != ERR_STORE_EXISTS)
        return rc;
    rc = lease_look(l, name, o, err);
    if (rc || strcmp(o->token, l->hand.token) == 0)
        return rc; /* ours, from a time when it could not be removed */
    rc = lease_need_stale(l, name, o, err);
    return rc ? rc : ERR_STORE_EXISTS;
}

/* Goes from the right to change what holds `token` to the first right that can be had. */
static enum err_code lease_climb(const struct lease *l, const char *token, struct hold *h,
                                 struct err *err)
{
    enum err_code rc = ERR_STORE_EXISTS;

    while (rc == ERR_STORE_EXISTS && h->count < LEASE_CHAIN_MAX) {
        struct lease_owner o;
        size_t i = h->count++;

        h->names[i] = xasprintf("%s.take-%s", l->path, token);
        rc = lease_grasp(l, h->names[i], &o, err);
        memcpy(h->tokens[i], o.token, sizeof o.token);
        token = h->tokens[i];
    }
    return rc == ERR_STORE_EXISTS
               ? err_set(err, ERR_LOCKED, "%s/%s: too many dead takers", l->store->text, l->path)
               : rc;
}

/* The right to change an object that holds `token`; lease_let_go gives it back. ERR_LOCKED,
 * ERR_STORE_NOT_FOUND: as above. */
static enum err_code lease_hold(const struct lease *l, const char *token, struct hold *h,
                                struct err *err)
{
    bool held = false;
    enum err_code rc;

    h->count = 0;
    rc = lease_climb(l, token, h, err);
    if (rc) {
        hold_forget(h);
        return rc == ERR_STORE_EXISTS ? err_set(err, ERR_LOCKED, "%s/%s: too many dead takers",
                                                l->store->text, l->path)
                                      : rc;
    }
    if (h->count > 1)
        rc = lease_still_held(l, h, &held, err);
    if (!rc && h->count > 1 && !held)
        rc = err_set(err, ERR_STORE_NOT_FOUND, "somebody else was quicker");
    if (rc)
        lease_let_go(l, h, false);
    return rc;
}

/* With the right held: writes our token into the lock. *held false: the right was lost while we
 * wrote, and so is the lease. */
static enum err_code lease_write(const struct lease *l, const struct hold *h, bool *held,
                                 struct err *err)
{
    struct strbuf text = {0};
    enum err_code rc;

    lease_owner_write(&l->self, &text);
    rc = store_put(l->store, l->path, text.str, text.len, err);
    strbuf_release(&text);
    return rc ? rc : lease_still_held(l, h, held, err);
}

/* ---- renewing ---- */

/* Whether the lock still holds our token. */
static enum err_code lease_is_ours(const struct lease *l, bool *ours, struct err *err)
{
    struct lease_owner o;
    enum err_code rc = lease_look(l, l->path, &o, err);

    *ours = false;
    if (rc == ERR_STORE_NOT_FOUND) {
        (void)err_set(err, ERR_LOCKED, "%s/%s was removed", l->store->text, l->path);
        return ERR_OK;
    }
    if (rc)
        return rc;
    *ours = strcmp(o.token, l->self.token) == 0;
    if (!*ours)
        (void)lease_lost_to(l, &o, err);
    return ERR_OK;
}

/* With the right held. *lost: the lease is gone for good, `err` says to whom. */
static enum err_code lease_write_again(struct lease *l, struct hold *h, bool *lost, struct err *err)
{
    bool ours = false;
    bool held = true;
    enum err_code rc = lease_is_ours(l, &ours, err);

    if (!rc && ours)
        rc = lease_write(l, h, &held, err);
    if (!rc && !held)
        (void)err_set(err, ERR_LOCKED, "%s/%s was taken over while this process stood still",
                      l->store->text, l->path);
    *lost = !rc && !(ours && held);
    if (held)
        lease_let_go(l, h, !rc && ours);
    else
        hold_forget(h);
    return *lost ? ERR_LOCKED : rc;
}

/* *lost: as above. Else an error: try again. */
static enum err_code lease_renew(struct lease *l, bool *lost, struct err *err)
{
    uint64_t begin = clock_mono_us();
    struct hold h = {0};
    enum err_code rc = lease_hold(l, l->self.token, &h, err);

    if (!rc) {
        rc = lease_write_again(l, &h, lost, err);
    } else if (rc == ERR_LOCKED || rc == ERR_STORE_NOT_FOUND) {
        /* Somebody is about to take the lock, has taken it, or was late and gives it up. */
        struct err now = ERR_INIT;
        bool ours = false;

        *lost = lease_is_ours(l, &ours, &now) == ERR_OK && !ours;
        if (*lost)
            *err = now;
    }
    if (!rc)
        atomic_store(&l->renewed_us, begin);
    return rc;
}

/* false: the lease is to end. */
static bool lease_pause(struct lease *l, uint64_t us)
{
    struct timespec until;
    bool stop;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(us / 1000000);
    until.tv_nsec += (long)(us % 1000000) * 1000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&l->lock);
    while (!l->stop && pthread_cond_timedwait(&l->wake, &l->lock, &until) == 0)
        ;
    stop = l->stop;
    pthread_mutex_unlock(&l->lock);
    return !stop;
}

static void *lease_run(void *arg)
{
    struct lease *l = arg;
    uint64_t pause = l->renew_us;

    log_thread_name("lease");
    while (lease_pause(l, pause)) {
        struct err err = ERR_INIT;
        bool lost = false;
        enum err_code rc = lease_renew(l, &lost, &err);

        pause = rc ? l->renew_us / 8 + 1 : l->renew_us;
        if (lost) {
            atomic_store(&l->is_lost, true);
            log_error("lease.lost", &err);
            if (l->lost)
                l->lost(l->ctx);
            break;
        }
        if (rc)
            log_event(LOG_WARN, "lease.renew.failed", F_STR("message", err.msg));
    }
    return NULL;
}

/* ---- taking ---- */

/* Takes the lock that holds `seen`'s token. `over`: alive or not, and *alive says whether it may
 * have been. ERR_STORE_NOT_FOUND: it has changed, look again. */
static enum err_code lease_replace(const struct lease *l, const struct lease_owner *seen, bool over,
                                   bool *alive, struct err *err)
{
    struct lease_owner o;
    struct hold h = {0};
    bool held = false;
    enum err_code rc = lease_need_stale(l, l->path, seen, err);

    *alive = over && rc == ERR_LOCKED;
    if (*alive) {
        err_clear(err);
        rc = ERR_OK;
    }
    if (!rc)
        rc = lease_hold(l, seen->token, &h, err);
    if (rc)
        return rc;
    rc = lease_look(l, l->path, &o, err);
    if (!rc && strcmp(o.token, seen->token) != 0)
        rc = err_set(err, ERR_STORE_NOT_FOUND, "somebody else was quicker");
    if (!rc && !over)
        rc = lease_need_stale(l, l->path, &o, err);
    if (!rc)
        rc = lease_write(l, &h, &held, err);
    if (!rc && !held) {
        /* We stood still for long, and the right is no longer ours to give back. */
        hold_forget(&h);
        return err_set(err, ERR_LOCKED, "%s/%s: another ferry was quicker", l->store->text,
                       l->path);
    }
    lease_let_go(l, &h, !rc);
    if (!rc)
        log_event(LOG_WARN, "lease.taken_over", F_STR("host", seen->host), F_I64("pid", seen->pid));
    return rc;
}

static enum err_code lease_create(const struct lease *l, struct err *err)
{
    struct strbuf text = {0};
    enum err_code rc;

    lease_owner_write(&l->self, &text);
    rc = store_create(l->store, l->path, text.str, text.len, err);
    strbuf_release(&text);
    return rc;
}

/* `take_over` speaks of the owner that is there now, not of one who comes while we try. */
static enum err_code lease_acquire(const struct lease *l, bool take_over, bool *alive,
                                   struct err *err)
{
    char over[LEASE_TOKEN_MAX] = "";
    enum err_code rc = ERR_STORE_NOT_FOUND;

    for (int tries = 0; tries < LEASE_TRIES && rc == ERR_STORE_NOT_FOUND; tries++) {
        struct lease_owner seen;

        if (tries > 0)
            (void)clock_sleep(LEASE_TRY_US, NULL);
        rc = lease_create(l, err);
        if (rc != ERR_STORE_EXISTS)
            return rc;
        rc = lease_look(l, l->path, &seen, err);
        if (rc)
            continue;
        if (take_over && !*over)
            memcpy(over, seen.token, sizeof over);
        rc = lease_replace(l, &seen, strcmp(over, seen.token) == 0, alive, err);
    }
    return rc == ERR_STORE_NOT_FOUND ? err_set(err, ERR_LOCKED, "%s/%s changes hands all the time",
                                               l->store->text, l->path)
                                     : rc;
}

/* Rights that speak of locks that are gone: their makers died. */
static enum err_code lease_sweep_one(void *ctx, const char *path, const struct store_info *info,
                                     struct err *err)
{
    const struct lease *l = ctx;
    uint64_t age;
    enum err_code rc = lease_age(l, path, &age, err);

    (void)info;
    if (rc || age <= l->stale_us)
        return rc == ERR_STORE_NOT_FOUND ? ERR_OK : rc;
    return store_remove(l->store, path, err);
}

static void lease_sweep(struct lease *l)
{
    char *prefix = xasprintf("%s.take-", l->path);
    struct err err = ERR_INIT;

    if (store_list(l->store, prefix, NULL, lease_sweep_one, l, &err))
        log_event(LOG_WARN, "lease.sweep.failed", F_STR("message", err.msg));
    free(prefix);
}

static void lease_free(struct lease *l)
{
    pthread_cond_destroy(&l->wake);
    pthread_mutex_destroy(&l->lock);
    free(l->path);
    free(l);
}

/* With the right held: removes the lock if it is ours. */
static void lease_give_up(const struct lease *l)
{
    struct err err = ERR_INIT;
    struct hold h = {0};
    bool ours = false;
    enum err_code rc = lease_hold(l, l->self.token, &h, &err);

    if (!rc) {
        rc = lease_is_ours(l, &ours, &err);
        if (!rc && ours)
            rc = store_remove(l->store, l->path, &err);
        lease_let_go(l, &h, !rc);
    }
    if (rc)
        log_event(LOG_WARN, "lease.release.failed", F_STR("message", err.msg));
}

static enum err_code lease_start(struct lease *l, struct err *err)
{
    int errnum;

    atomic_store(&l->renewed_us, clock_mono_us());
    errnum = pthread_create(&l->thread, NULL, lease_run, l);
    if (!errnum)
        return ERR_OK;
    lease_give_up(l);
    return err_set_errno(err, ERR_NOMEM, errnum, "cannot start the lease's thread");
}

static struct lease *lease_new(struct store *s, const struct lease_params *p)
{
    struct lease *l = xcalloc(1, sizeof *l);
    pthread_condattr_t attr;

    l->store = s;
    l->path = xstrdup(p->path);
    l->renew_us = p->renew_us ? p->renew_us : LEASE_RENEW_US;
    l->stale_us = p->stale_us ? p->stale_us : LEASE_STALE_US;
    l->lost = p->lost;
    l->ctx = p->ctx;
    atomic_init(&l->is_lost, false);
    atomic_init(&l->renewed_us, clock_mono_us());
    pthread_mutex_init(&l->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&l->wake, &attr);
    pthread_condattr_destroy(&attr);
    return l;
}

/* Whoever lives in spite of what was said of him sees it when he renews, and makes durable what he
 * has finished: what is read before that is not the last word, and what is written before that he
 * may overwrite. */
static void lease_await_end(const struct lease *l)
{
    log_event(LOG_INFO, "lease.wait",
              F_STR("message", "waiting until the ferry that had this must have seen that it lost "
                               "it, should it still live"));
    (void)clock_sleep(l->renew_us + l->renew_us / 2, NULL);
}

enum err_code lease_take(struct store *s, const struct lease_params *p, struct lease **lease,
                         struct err *err)
{
    struct lease *l = lease_new(s, p);
    bool alive = false;
    enum err_code rc;

    lease_owner_self(&l->self, p->what);
    l->hand = l->self;
    rc = lease_token_new(l->self.token, err);
    if (!rc)
        rc = lease_token_new(l->hand.token, err);
    if (!rc)
        rc = lease_acquire(l, p->take_over, &alive, err);
    if (!rc) {
        lease_sweep(l);
        rc = lease_start(l, err);
    }
    if (rc) {
        lease_free(l);
        return rc;
    }
    *lease = l;
    if (alive)
        lease_await_end(l);
    return ERR_OK;
}

enum err_code lease_check(const struct lease *l, struct err *err)
{
    uint64_t since = clock_mono_us() - atomic_load(&l->renewed_us);
    bool ours = false;
    enum err_code rc = lease_is_ours(l, &ours, err);

    if (rc)
        return rc;
    if (!ours)
        return ERR_LOCKED; /* err says to whom */
    if (atomic_load(&l->is_lost))
        return err_set(err, ERR_LOCKED, "%s/%s was lost", l->store->text, l->path);
    if (since > l->stale_us)
        return err_set(err, ERR_LOCKED, "%s/%s was not renewed for %" PRIu64 " s", l->store->text,
                       l->path, since / 1000000);
    return ERR_OK;
}

void lease_release(struct lease *l)
{
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_signal(&l->wake);
    pthread_mutex_unlock(&l->lock);
    (void)pthread_join(l->thread, NULL);
    if (!atomic_load(&l->is_lost))
        lease_give_up(l);
    lease_free(l);
}
