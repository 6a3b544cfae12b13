/* common/schema/predicate.h: a range of a key as the text of a WHERE clause. No state: any thread.
 *
 * Comparisons of key tuples are written out as an OR of ANDs, with a plain condition on the first
 * column in front, since row constructors are not used for range scans everywhere. Leading columns
 * that the bounds leave one value become plain equalities, and are to be left out of ORDER BY: the
 * servers sort the whole rest of the range where such a column is an ENUM. */
#ifndef FERRY_SCHEMA_PREDICATE_H
#define FERRY_SCHEMA_PREDICATE_H

#include "common/base/strbuf.h"
#include "common/schema/bound.h"
#include "common/schema/model.h"
#include "common/schema/select.h"

struct predicate { /* the key's first bound->count columns against the bound; open: always true */
    enum key_order order;
    const struct bound *bound;
};

/* Appends " WHERE ..." that holds where all of them do; nothing if all are open. Returns how many
 * leading columns of the key have one value there. */
unsigned predicate_where(const struct table *t, const struct key *key, const struct predicate *list,
                         unsigned count, struct strbuf *out);
/* Leading columns that are the same bytes in both. */
unsigned bound_common(const struct bound *a, const struct bound *b);

#endif
