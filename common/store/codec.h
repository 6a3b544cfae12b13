/* common/store/codec.h: compressions. One row in the table and one file each.
 *
 * zstd writes the seekable format (zstd
 * contrib/seekable_format/zstd_seekable_compression_format.md): frames of at most CODEC_FRAME_BYTES
 * of raw bytes, then a skippable frame with the seek table, so that any zstd tool reads the file
 * and ours can start in the middle. gzip is one stream. */
#ifndef FERRY_STORE_CODEC_H
#define FERRY_STORE_CODEC_H

#include "common/store/sink.h"
#include "common/store/source.h"

#include <stdbool.h>

#define CODEC_FRAME_BYTES ((size_t)4 << 20)

struct codec {
    const char *name;      /* "zstd", "gzip", "none" */
    const char *extension; /* ".zst", ".gz", "" */
    int level_min, level_max, level_default;
    struct sink *(*sink_new)(struct sink *next, int level);
    struct source *(*source_new)(
        struct source *next); /* owns next; any stream of the kind, many frames too */
};

struct compression { /* a parsed "zstd:1" */
    const struct codec *codec;
    int level;
};

const struct codec *codec_find(const char *name); /* NULL: unknown */
const struct codec *
codec_of_path(const char *path); /* by extension; "none" when there is no known one */
MUST_CHECK enum err_code compression_parse(const char *text, struct compression *, struct err *err);

/* Where a seekable zstd file can be entered. */
struct zstd_seek {
    uint64_t stored_off; /* start of a frame */
    uint64_t raw_off;    /* raw bytes before it */
};
/* From the tail of a file (its last `len` bytes; a seek table needs 17 + 8 * frames): the last
 * frame that starts at or before `raw_off`. *found false when the file has no seek table or `tail`
 * is too short to hold it (then *need_tail is the length to read). */
MUST_CHECK enum err_code zstd_seek_find(const void *tail, size_t len, uint64_t raw_off,
                                        struct zstd_seek *seek, bool *found, size_t *need_tail,
                                        struct err *err);

#endif
