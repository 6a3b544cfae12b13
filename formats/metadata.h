/* formats/metadata.h: the `metadata` file in Dumpling's text form, which DM reads. */
#ifndef FERRY_FORMATS_METADATA_H
#define FERRY_FORMATS_METADATA_H

#include "common/base/strbuf.h"

#include <stdint.h>

struct metadata_position {
    const char *file; /* NULL: none */
    uint64_t offset;
    const char *gtid; /* "" when there is none */
};
struct metadata {
    int64_t started_us, finished_us; /* UTC microseconds; printed as local time, as Dumpling does */
    struct metadata_position source;
    struct metadata_position
        after; /* DM's second block, its exit from safe mode; file NULL: none */
};
/* Byte for byte Dumpling's form. */
void metadata_format(const struct metadata *m, struct strbuf *out);
/* Reads it back (also from Dumpling's own files); strings point into `text`, which is changed. */
MUST_CHECK enum err_code metadata_parse(char *text, struct metadata *m, struct err *err);

#endif
