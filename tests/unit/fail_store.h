/* tests/unit/fail_store.h: a store of which the n-th call fails, for loops over every n. */
#ifndef FERRY_TESTS_FAIL_STORE_H
#define FERRY_TESTS_FAIL_STORE_H

#include "common/store/store.h"

/* Passes everything on to `inner` (borrowed); the `fail_at`-th call (from 1; 0: none) of it, its
 * sources or its sinks fails with ERR_IO "made to fail". Any thread. */
struct store *fail_store_new(struct store *inner, unsigned fail_at);
/* Calls so far. */
unsigned fail_store_calls(struct store *s);

#endif
