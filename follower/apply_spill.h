/* follower/apply_spill.h: packed changes of a large transaction, in a temporary file without a
 * name: it goes with the process. One thread at a time. */
#ifndef FERRY_FOLLOWER_APPLY_SPILL_H
#define FERRY_FOLLOWER_APPLY_SPILL_H

#include "common/base/strbuf.h"

#include <stdint.h>

struct spill {
    int fd;
    uint64_t bytes;
};
/* `folder` NULL: TMPDIR, else /tmp. ERR_IO, ERR_DISK_FULL. */
MUST_CHECK enum err_code spill_new(const char *folder, struct spill **out, struct err *err);
void spill_free(struct spill *s); /* NULL is fine */
MUST_CHECK enum err_code spill_add(struct spill *s, const void *data, size_t len, struct err *err);
/* Whole changes from `at` on, of about `bytes` but one at least, into `out`, which is emptied;
 * nothing at the end. */
MUST_CHECK enum err_code spill_read(const struct spill *s, uint64_t at, size_t bytes,
                                    struct strbuf *out, struct err *err);

#endif
