/* common/store/digest.h: what is recorded of each file's stored bytes, and reading that checks it.
 *
 * SHA-256 of the whole (OpenSSL) and XXH3-64 of each 1 MiB block (libxxhash). The taps compute both
 * while writing; block_source passes on no byte of a block before the block's checksum has matched,
 * so that a range in the middle can be read and trusted without the whole. */
#ifndef FERRY_STORE_DIGEST_H
#define FERRY_STORE_DIGEST_H

#include "common/store/sink.h"
#include "common/store/store.h"

#include <stdint.h>

#define DIGEST_BLOCK_BYTES ((size_t)1 << 20)
#define DIGEST_SHA256_BYTES 32

struct digest {
    uint64_t bytes; /* stored bytes */
    unsigned char sha256[DIGEST_SHA256_BYTES];
    uint64_t *blocks; /* XXH3-64 of each block, the last one may be short; heap, owned */
    size_t block_count;
};
void digest_release(struct digest *d);

/* Fills `*d` when finished; `d` must outlive the sink and be zeroed at the start. */
struct sink *digest_tap_new(struct sink *next, struct digest *d);

/* Reads the object at `path` from stored byte `off` (any value: the block that holds it is read
 * from its start) and verifies each block against `d` (borrowed, must outlive the source).
 * ERR_CORRUPT names the path, the block and what differs (length or checksum); a missing object is
 * ERR_DUMP_FILE_MISSING. When read from 0 to the end the SHA-256 is compared too if `whole`. */
MUST_CHECK enum err_code block_source_new(struct store *s, const char *path, const struct digest *d,
                                          uint64_t off, bool whole, struct source **,
                                          struct err *err);

#endif
