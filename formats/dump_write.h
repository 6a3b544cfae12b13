/* formats/dump_write.h: the one place where the chain of a dump's file is put together:
 *   rows -> encoder -> size tap (raw) -> codec -> digest tap (stored) -> store. */
#ifndef FERRY_FORMATS_DUMP_WRITE_H
#define FERRY_FORMATS_DUMP_WRITE_H

#include "common/store/codec.h"
#include "common/store/digest.h"
#include "common/store/store.h"

/* `*raw_bytes` and `*digest` (zeroed by the caller) are filled when the sink is finished; both must
 * outlive it. The file is there when a store_sync after its finish has succeeded; the manifest does
 * that before each segment. */
MUST_CHECK enum err_code dump_file_open(struct store *s, const char *path,
                                        const struct compression *compression, uint64_t *raw_bytes,
                                        struct digest *digest, struct sink **, struct err *err);

#endif
