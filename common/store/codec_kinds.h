/* common/store/codec_kinds.h: what the codec table (codec.c) is made of; see sink.h and source.h.
 */
#ifndef FERRY_STORE_CODEC_KINDS_H
#define FERRY_STORE_CODEC_KINDS_H

#include "common/store/sink.h"
#include "common/store/source.h"

struct sink *zstd_sink_new(struct sink *next, int level);
struct source *zstd_source_new(struct source *next);
struct sink *gzip_sink_new(struct sink *next, int level);
struct source *gzip_source_new(struct source *next);

#endif
