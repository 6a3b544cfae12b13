/* follower/place.h: a point of a binlog between two transactions, and which transactions lie before
 * it. No state: any thread. */
#ifndef FERRY_FOLLOWER_PLACE_H
#define FERRY_FOLLOWER_PLACE_H

#include "common/mysql/gtid_set.h"

#include <stdbool.h>

struct place {
    char *file;             /* owned; NULL: not known, or the beginning of all */
    uint64_t offset;        /* bytes */
    struct gtid_set *gtids; /* owned; NULL: not known */
};
void place_release(struct place *p);
/* `gtids` is their text, of `kind`; NULL or "": not known. ERR_USAGE: it cannot be understood. */
MUST_CHECK enum err_code place_set(struct place *p, const char *file, uint64_t offset,
                                   enum gtid_kind kind, const char *gtids, struct err *err);
/* "bin.000007:157" appended. */
void place_text(const struct place *p, struct strbuf *out);

/* Names of binlog files in the order in which the server makes them: by their number, which may
 * have more than six digits. Below, at or above 0. */
int log_file_order(const char *a, const char *b);
/* Whether a transaction that begins at file:start, of this gtid, is before `p`. By position, unless
 * `by_gtid` and both are known. */
bool place_covers(const struct place *p, bool by_gtid, const char *file, uint64_t start,
                  const struct gtid *gtid);

#endif
