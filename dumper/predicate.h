/* dumper/predicate.h: a range of a key as the text of a WHERE clause. No state: any thread.
 *
 * Comparisons of key tuples are written out as an OR of ANDs, with a plain condition on the first
 * column in front, since row constructors are not used for range scans everywhere. */
#ifndef FERRY_DUMPER_PREDICATE_H
#define FERRY_DUMPER_PREDICATE_H

#include "common/base/strbuf.h"
#include "common/schema/model.h"
#include "common/schema/select.h"
#include "formats/manifest.h"

/* Appends the comparison of the key's first b->count columns with `b`; 1 <= b->count <= the key's
 * parts. */
void predicate_compare(const struct table *t, const struct key *key, enum key_order order,
                       const struct bound *b, struct strbuf *out);
/* Appends " WHERE key > lo AND key <= hi", leaving out what is open; nothing when both are. */
void predicate_range(const struct table *t, const struct key *key, const struct bound *lo,
                     const struct bound *hi, struct strbuf *out);

#endif
