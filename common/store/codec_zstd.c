/* Whole frames are compressed at once, which is faster by a fifth than zstd's streaming and gives
 * each frame its raw size in the header; the price is a buffer of one frame, raw, and one,
 * compressed. Small objects take small buffers: there may be a hundred thousand of them. */
#include "common/store/codec.h"

#include "common/base/bytes.h"
#include "common/base/mem.h"
#include "common/base/strbuf.h"
#include "common/store/codec_kinds.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#define ZSTD_RAW_MIN ((size_t)64 << 10)

/* The seek table: a skippable frame with an entry for each frame, then a footer. */
#define SEEK_SKIPPABLE_MAGIC 0x184D2A5EU
#define SEEK_MAGIC 0x8F92EAB1U
#define SEEK_HEADER_BYTES ((size_t)8)
#define SEEK_ENTRY_BYTES ((size_t)8) /* compressed size, raw size */
#define SEEK_CHECKSUM_BYTES ((size_t)4)
#define SEEK_FOOTER_BYTES ((size_t)9)
#define SEEK_FRAMES_MAX 0x8000000U /* as zstd's own code has it */
#define SEEK_CHECKSUM_FLAG 0x80U
#define SEEK_RESERVED_FLAGS 0x7CU

/* ---- compressing ---- */

struct zstd_sink {
    struct sink base;
    ZSTD_CCtx *ctx; /* NULL: no memory */
    int level;
    char *raw; /* the frame being collected */
    size_t used, raw_cap;
    char *out;
    size_t out_cap;
    struct strbuf table; /* of the frames so far */
    uint32_t frames;
};

/* Writes one frame of at most CODEC_FRAME_BYTES. */
static enum err_code zstd_sink_frame(struct zstd_sink *z, const void *raw, size_t len,
                                     struct err *err)
{
    unsigned char entry[SEEK_ENTRY_BYTES];
    size_t bound = ZSTD_compressBound(len);
    size_t stored;

    if (z->out_cap < bound) {
        free(z->out);
        z->out_cap = 0;
        z->out = malloc(bound);
        if (!z->out)
            return err_set(err, ERR_NOMEM, "zstd: no memory for %zu bytes", bound);
        z->out_cap = bound;
    }
    stored = ZSTD_compress2(z->ctx, z->out, z->out_cap, raw, len);
    if (ZSTD_isError(stored))
        return err_set(err,
                       ZSTD_getErrorCode(stored) == ZSTD_error_memory_allocation ? ERR_NOMEM
                                                                                 : ERR_INTERNAL,
                       "zstd: cannot compress: %s", ZSTD_getErrorName(stored));
    if (z->frames == SEEK_FRAMES_MAX)
        return err_set(err, ERR_LIMIT, "zstd: more than %" PRIu32 " frames", z->frames);
    bytes_put_le(entry, stored, 4);
    bytes_put_le(entry + 4, len, 4);
    strbuf_add(&z->table, entry, sizeof entry);
    z->frames++;
    return sink_write(z->base.next, z->out, stored, err);
}

/* Room for `len` more bytes of the frame, which never grows beyond CODEC_FRAME_BYTES. */
static enum err_code zstd_sink_room(struct zstd_sink *z, size_t len, struct err *err)
{
    size_t cap = z->raw_cap ? z->raw_cap : ZSTD_RAW_MIN;
    char *raw;

    if (len <= z->raw_cap - z->used)
        return ERR_OK;
    while (cap < z->used + len)
        cap *= 2;
    raw = realloc(z->raw, cap);
    if (!raw)
        return err_set(err, ERR_NOMEM, "zstd: no memory for %zu bytes", cap);
    z->raw = raw;
    z->raw_cap = cap;
    return ERR_OK;
}

static enum err_code zstd_sink_collect(struct zstd_sink *z, const void *from, size_t len,
                                       struct err *err)
{
    enum err_code rc = zstd_sink_room(z, len, err);

    if (rc)
        return rc;
    memcpy(z->raw + z->used, from, len);
    z->used += len;
    if (z->used < CODEC_FRAME_BYTES)
        return ERR_OK;
    z->used = 0;
    return zstd_sink_frame(z, z->raw, CODEC_FRAME_BYTES, err);
}

static enum err_code zstd_sink_write(struct sink *self, const void *buf, size_t len,
                                     struct err *err)
{
    struct zstd_sink *z = (struct zstd_sink *)self;
    const char *from = buf;
    enum err_code rc = ERR_OK;

    if (!z->ctx)
        return err_set(err, ERR_NOMEM, "zstd: no memory");
    while (len > 0 && !rc) {
        size_t n = CODEC_FRAME_BYTES - z->used;

        if (n > len)
            n = len;
        rc = n == CODEC_FRAME_BYTES ? zstd_sink_frame(z, from, n, err)
                                    : zstd_sink_collect(z, from, n, err);
        from += n;
        len -= n;
    }
    return rc;
}

static enum err_code zstd_sink_table(struct zstd_sink *z, struct err *err)
{
    unsigned char header[SEEK_HEADER_BYTES];
    unsigned char footer[SEEK_FOOTER_BYTES] = {0};
    enum err_code rc;

    bytes_put_le(header, SEEK_SKIPPABLE_MAGIC, 4);
    bytes_put_le(header + 4, z->table.len + sizeof footer, 4);
    bytes_put_le(footer, z->frames, 4);
    bytes_put_le(footer + 5, SEEK_MAGIC, 4);
    rc = sink_write(z->base.next, header, sizeof header, err);
    if (!rc)
        rc = sink_write(z->base.next, strbuf_str(&z->table), z->table.len, err);
    if (!rc)
        rc = sink_write(z->base.next, footer, sizeof footer, err);
    return rc;
}

static enum err_code zstd_sink_finish(struct sink *self, struct err *err)
{
    struct zstd_sink *z = (struct zstd_sink *)self;
    enum err_code rc = ERR_OK;

    if (!z->ctx)
        return err_set(err, ERR_NOMEM, "zstd: no memory");
    /* Nothing at all is an empty frame: every tool knows the file for what it is. */
    if (z->used > 0 || z->frames == 0)
        rc = zstd_sink_frame(z, z->raw ? z->raw : "", z->used, err);
    z->used = 0;
    if (!rc)
        rc = zstd_sink_table(z, err);
    return rc ? rc : sink_finish(self->next, err);
}

static void zstd_sink_free(struct sink *self)
{
    struct zstd_sink *z = (struct zstd_sink *)self;

    sink_free(self->next);
    (void)ZSTD_freeCCtx(z->ctx);
    strbuf_release(&z->table);
    free(z->raw);
    free(z->out);
    free(z);
}

static const struct sink_ops zstd_sink_ops = {"zstd", zstd_sink_write, zstd_sink_finish,
                                              zstd_sink_free};

struct sink *zstd_sink_new(struct sink *next, int level)
{
    struct zstd_sink *z = xcalloc(1, sizeof *z);

    z->base.ops = &zstd_sink_ops;
    z->base.next = next;
    z->ctx = ZSTD_createCCtx();
    z->table.max = (size_t)SEEK_FRAMES_MAX * SEEK_ENTRY_BYTES;
    if (z->ctx) {
        /* Levels outside zstd's range are brought into it; the checksum costs next to nothing. */
        (void)ZSTD_CCtx_setParameter(z->ctx, ZSTD_c_compressionLevel, level);
        (void)ZSTD_CCtx_setParameter(z->ctx, ZSTD_c_checksumFlag, 1);
    }
    return &z->base;
}

/* ---- decompressing ---- */

struct zstd_source {
    struct source base;
    ZSTD_DCtx *ctx; /* NULL: no memory */
    ZSTD_inBuffer in;
    char *buf;
    size_t cap;
    bool any;     /* a frame has begun */
    bool inside;  /* a frame has begun and not ended */
    bool pending; /* the last call filled its output: there may be more without input */
};

static enum err_code zstd_source_fail(size_t status, struct err *err)
{
    ZSTD_ErrorCode code = ZSTD_getErrorCode(status);
    enum err_code rc = ERR_CORRUPT;

    if (code == ZSTD_error_memory_allocation)
        rc = ERR_NOMEM;
    else if (code == ZSTD_error_frameParameter_windowTooLarge)
        rc = ERR_LIMIT;
    return err_set(err, rc, "zstd: %s", ZSTD_getErrorName(status));
}

static enum err_code zstd_source_fill(struct zstd_source *z, bool *end, struct err *err)
{
    size_t got = 0;
    enum err_code rc;

    *end = false;
    if (z->in.pos < z->in.size || z->pending)
        return ERR_OK;
    rc = source_read(z->base.next, z->buf, z->cap, &got, err);
    if (rc)
        return rc;
    z->in = (ZSTD_inBuffer){z->buf, got, 0};
    *end = got == 0;
    return ERR_OK;
}

static enum err_code zstd_source_read(struct source *self, void *buf, size_t cap, size_t *got,
                                      struct err *err)
{
    struct zstd_source *z = (struct zstd_source *)self;
    ZSTD_outBuffer out = {buf, cap, 0};

    if (!z->ctx)
        return err_set(err, ERR_NOMEM, "zstd: no memory");
    while (out.pos == 0) {
        bool end;
        size_t status;
        enum err_code rc = zstd_source_fill(z, &end, err);

        if (rc)
            return rc;
        if (end && (z->inside || !z->any))
            return err_set(err, ERR_CORRUPT, "zstd: the data ends too early");
        if (end)
            break;
        status = ZSTD_decompressStream(z->ctx, &out, &z->in);
        if (ZSTD_isError(status))
            return zstd_source_fail(status, err);
        z->any = true;
        z->inside = status != 0;
        z->pending = z->inside && out.pos == out.size;
    }
    *got = out.pos;
    return ERR_OK;
}

static void zstd_source_free(struct source *self)
{
    struct zstd_source *z = (struct zstd_source *)self;

    source_free(self->next);
    (void)ZSTD_freeDCtx(z->ctx);
    free(z->buf);
    free(z);
}

static const struct source_ops zstd_source_ops = {"zstd", zstd_source_read, zstd_source_free};

struct source *zstd_source_new(struct source *next)
{
    struct zstd_source *z = xcalloc(1, sizeof *z);

    z->base.ops = &zstd_source_ops;
    z->base.next = next;
    z->ctx = ZSTD_createDCtx();
    z->cap = ZSTD_DStreamInSize();
    z->buf = xmalloc(z->cap);
    return &z->base;
}

/* ---- the seek table ---- */

/* false: `footer` does not end a seek table. */
static bool zstd_seek_footer(const unsigned char *footer, uint32_t *frames, size_t *entry)
{
    unsigned flags = footer[4];

    *frames = bytes_le32(footer);
    *entry = SEEK_ENTRY_BYTES + (flags & SEEK_CHECKSUM_FLAG ? SEEK_CHECKSUM_BYTES : 0);
    return bytes_le32(footer + 5) == SEEK_MAGIC && !(flags & SEEK_RESERVED_FLAGS) &&
           *frames <= SEEK_FRAMES_MAX;
}

/* NOLINTNEXTLINE(readability-function-size): the contract's seven parameters */
enum err_code zstd_seek_find(const void *tail, size_t len, uint64_t raw_off, struct zstd_seek *seek,
                             bool *found, size_t *need_tail, struct err *err)
{
    const unsigned char *end = (const unsigned char *)tail + len;
    const unsigned char *table;
    struct zstd_seek at = {0};
    uint32_t frames;
    size_t entry;
    size_t size;

    *found = false;
    *need_tail = 0;
    if (len < SEEK_FOOTER_BYTES) {
        *need_tail = SEEK_HEADER_BYTES + SEEK_FOOTER_BYTES;
        return ERR_OK;
    }
    if (!zstd_seek_footer(end - SEEK_FOOTER_BYTES, &frames, &entry))
        return ERR_OK;
    size = SEEK_HEADER_BYTES + frames * entry + SEEK_FOOTER_BYTES;
    if (len < size) {
        *need_tail = size;
        return ERR_OK;
    }
    table = end - size;
    if (bytes_le32(table) != SEEK_SKIPPABLE_MAGIC ||
        bytes_le32(table + 4) != size - SEEK_HEADER_BYTES)
        return err_set(err, ERR_CORRUPT, "zstd: the seek table's header does not fit its footer");
    table += SEEK_HEADER_BYTES;
    for (uint32_t i = 0; i < frames; i++, table += entry) {
        uint32_t raw = bytes_le32(table + 4);

        if (bytes_le32(table) == 0)
            return err_set(err, ERR_CORRUPT, "zstd: the seek table has a frame of 0 bytes");
        if (i + 1 == frames || at.raw_off + raw > raw_off)
            break;
        at.stored_off += bytes_le32(table);
        at.raw_off += raw;
    }
    *seek = at;
    *found = true;
    return ERR_OK;
}
