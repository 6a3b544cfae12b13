/* dumper/plan.h: which objects are dumped, by which key, in what order; and what is refused. Made
 * by the main thread before workers start, then read-only (but for what run.h says of `ledger`). */
#ifndef FERRY_DUMPER_PLAN_H
#define FERRY_DUMPER_PLAN_H

#include "common/mysql/filter.h"
#include "common/schema/model.h"
#include "dumper/ledger.h"

/* So many tables, the largest, are opened before anything is locked, as proof that they can be
 * read; of more the server's word is taken for the account's rights, since opening takes a server
 * long. */
#define PLAN_PROBED_MAX 2000

struct plan_table {
    const struct table *table;
    const struct key *key; /* chunks are cut by it; NULL: none */
    struct ledger_table *ledger;
    const char *where; /* NULL: all rows; borrowed */
    uint64_t limit;    /* rows at most; 0: all */
    bool key_gone;     /* its earlier chunks were cut by a key that it has no more */
};

struct plan {
    struct filter *filter;
    struct schema *schema;
    struct plan_table *tables; /* with rows, not done yet; the largest first */
    size_t count;
    size_t locked; /* the first so many are to be read under the lock: no snapshot holds them */
    struct plan_table *others; /* views and sequences */
    size_t other_count;
    size_t table_total; /* tables with rows, done ones too */
    uint64_t bytes;     /* of all of them, by statistics */
};

#endif
