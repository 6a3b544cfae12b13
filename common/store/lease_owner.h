/* common/store/lease_owner.h: who holds a lease, as its object says it. For lease.c and
 * lease_view.c only. */
#ifndef FERRY_STORE_LEASE_OWNER_H
#define FERRY_STORE_LEASE_OWNER_H

#include "common/base/err.h"
#include "common/base/strbuf.h"

#include <stdbool.h>
#include <stdint.h>

#define LEASE_TOKEN_MAX 33 /* 32 hex digits and the NUL */
#define LEASE_TEXT_MAX 256

struct lease_owner {
    char token[LEASE_TOKEN_MAX]; /* random; safe as a part of a path */
    char what[LEASE_TEXT_MAX];
    char host[LEASE_TEXT_MAX];
    char boot[LEASE_TEXT_MAX];      /* the host's running since its last boot; "": not known */
    char pid_space[LEASE_TEXT_MAX]; /* where `pid` has its meaning (containers); "": not known */
    int64_t pid;
    uint64_t start; /* of the process, in clock ticks since the boot; 0: not known */
};

/* This process. */
void lease_owner_self(struct lease_owner *o, const char *what);
MUST_CHECK enum err_code lease_token_new(char token[LEASE_TOKEN_MAX], struct err *err);
/* JSON, one line. */
void lease_owner_write(const struct lease_owner *o, struct strbuf *out);
/* An object that cannot be understood has an owner too: an unknown one. */
void lease_owner_read(const char *text, size_t len, struct lease_owner *o);
/* true: the process ran on this host and is certainly gone. */
bool lease_owner_gone(const struct lease_owner *o);

#endif
