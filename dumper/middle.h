/* dumper/middle.h: a value about half way between two values of a key column. No state: any thread.
 *
 * A guess only: whatever it gives, the server decides in its own order which key follows it. So
 * collations, time zones and calendars need not be understood exactly here. */
#ifndef FERRY_DUMPER_MIDDLE_H
#define FERRY_DUMPER_MIDDLE_H

#include "common/base/strbuf.h"
#include "common/schema/model.h"

struct cell { /* as key_select_expr reads it */
    const char *data;
    size_t len;
};

/* Puts a cell into `out` (emptied first) that is, as far as can be told, above `lo` and not above
 * `hi`. false: the two are equal, or nothing can be told of this type. */
bool key_middle(const struct column *c, struct cell lo, struct cell hi, struct strbuf *out);

#endif
