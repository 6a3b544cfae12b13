/* common/store/lease.h: one writer at a time for a dump, on any machine.
 *
 * An object (`ferry.lock`) that names its owner (host, pid, start, a random token, JSON). Made with
 * store_create, renewed every 10 s by a thread of the lease's own, stale after 60 s by the store's
 * clock. A stale or (with take_over) any lease of another is replaced. An owner whose object no
 * longer holds its token has lost the lease: `lost` is called on the lease's thread.
 *
 * Beside it, objects named PATH + ".take-" + 32 hex digits come and go (lease.c says what for): who
 * compares a listing with something leaves out what begins with the lease's path. */
#ifndef FERRY_STORE_LEASE_H
#define FERRY_STORE_LEASE_H

#include "common/store/store.h"

struct lease;
struct lease_params {
    const char *path; /* "ferry.lock" */
    const char *what; /* "dump" */
    bool take_over;
    uint64_t renew_us;       /* 0: 10 s */
    uint64_t stale_us;       /* 0: 60 s; several times renew_us, and the same for all */
    void (*lost)(void *ctx); /* may be NULL */
    void *ctx;
};
/* ERR_LOCKED names the owner and how old its sign of life is. On the same host an owner whose
 * process is gone counts as stale at once. Where take_over replaces one that may live, this returns
 * one and a half of renew_us later, when he must have seen it. */
MUST_CHECK enum err_code lease_take(struct store *s, const struct lease_params *p, struct lease **,
                                    struct err *err);
/* ERR_LOCKED when lost. Call before anything that only the owner may do at the end. */
MUST_CHECK enum err_code lease_check(const struct lease *l, struct err *err);
/* Who holds the lease at `path`, for those who only look: nothing is written. */
struct lease_view {
    bool held;   /* there is an object */
    bool gone;   /* its owner has ended: the process is not there, or no sign of life for 60 s */
    int64_t pid; /* 0: not known */
    uint64_t age_us; /* since the last sign of life */
    char what[256], host[256];
};
MUST_CHECK enum err_code lease_view_read(struct store *s, const char *path, struct lease_view *,
                                         struct err *err);
/* Ends the thread; removes the object if it is still ours. NULL is fine. */
void lease_release(struct lease *l);

#endif
