/* dumper/middle_text.h: the half of middle.h that is about strings. */
#ifndef FERRY_DUMPER_MIDDLE_TEXT_H
#define FERRY_DUMPER_MIDDLE_TEXT_H

#include "dumper/middle.h"

#include "common/base/bytes.h"

/* Both append to `out`; false: equal, or nothing can be told. Bytes are taken in byte order. */
bool bytes_middle(struct cell lo, struct cell hi, struct strbuf *out);
/* Text by its first characters that differ, as digits of the smallest alphabet that holds them
 * (decimal, hexadecimal, printable); other characters by their code points. Case is folded where
 * the column's collation folds it. */
bool text_middle(const struct column *c, struct cell lo, struct cell hi, struct strbuf *out);

#endif
