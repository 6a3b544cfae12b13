#include "formats/binlog_payload.h"

#include "common/base/bytes.h"
#include "common/base/mem.h"
#include "common/base/strbuf.h"
#include "formats/binlog_table.h"

#include <stdlib.h>
#include <zstd.h>

/* Fields of the event's header (libs/mysql/binlog/event/codecs/binary.h). */
enum { FIELD_END = 0, FIELD_SIZE = 1, FIELD_COMPRESSION = 2, FIELD_PLAIN_SIZE = 3 };
enum { COMPRESSION_ZSTD = 0, COMPRESSION_NONE = 255 };
#define EVENT_KEEP ((size_t)8 << 20) /* bytes of buffer that are kept for the next event */
#define STEP_MIN ((size_t)1 << 20)
#define EVENT_MAX ((size_t)4 << 30)

struct payload {
    ZSTD_DCtx *zstd;
    ZSTD_inBuffer in;
    bool compressed;
    bool frame_ended;
    struct strbuf event;
};

struct payload *payload_new(void)
{
    struct payload *p = xcalloc(1, sizeof(*p));

    p->event.max = EVENT_MAX;
    return p;
}

void payload_free(struct payload *p)
{
    if (!p)
        return;
    (void)ZSTD_freeDCtx(p->zstd);
    strbuf_release(&p->event);
    free(p);
}

static enum err_code payload_cut(struct err *err)
{
    return err_set(err, ERR_BINLOG_EVENT, "a Transaction_payload event is cut or changed");
}

/* One field of the header; *more false at its end. */
static bool payload_field(const uint8_t **at, const uint8_t *end, uint64_t *size,
                          uint64_t *compression, bool *more)
{
    uint64_t field = 0;
    uint64_t bytes = 0;
    const uint8_t *value;

    if (!packed_number(at, end, &field))
        return false;
    *more = field != FIELD_END;
    if (!*more)
        return true;
    if (!packed_number(at, end, &bytes) || (uint64_t)(end - *at) < bytes)
        return false;
    value = *at;
    *at += bytes;
    if (field == FIELD_SIZE)
        return packed_number(&value, *at, size);
    return field != FIELD_COMPRESSION || packed_number(&value, *at, compression);
}

enum err_code payload_begin(struct payload *p, const uint8_t *data, size_t len, struct err *err)
{
    const uint8_t *at = data + BINLOG_HEADER;
    const uint8_t *const end = data + len;
    uint64_t compression = COMPRESSION_NONE;
    uint64_t size = UINT64_MAX;
    bool more = true;

    while (more)
        if (!payload_field(&at, end, &size, &compression, &more))
            return payload_cut(err);
    if (size != (uint64_t)(end - at))
        return payload_cut(err);
    if (compression != COMPRESSION_ZSTD && compression != COMPRESSION_NONE)
        return err_set(err, ERR_BINLOG_UNSUPPORTED,
                       "a transaction is compressed by unknown means (%llu)",
                       (unsigned long long)compression);
    p->compressed = compression == COMPRESSION_ZSTD;
    p->frame_ended = true;
    p->in = (ZSTD_inBuffer){at, (size_t)(end - at), 0};
    if (!p->zstd)
        p->zstd = ZSTD_createDCtx();
    if (!p->zstd || ZSTD_isError(ZSTD_DCtx_reset(p->zstd, ZSTD_reset_session_only)))
        return err_set(err, ERR_NOMEM, "no memory for zstd");
    return ERR_OK;
}

/* Fills the buffer up to `want` bytes; less: the payload ends. */
static enum err_code payload_fill_step(struct payload *p, size_t want, struct err *err)
{
    ZSTD_outBuffer out;
    enum err_code rc;

    rc = strbuf_reserve(&p->event, want - p->event.len, err);
    if (rc)
        return rc;
    out = (ZSTD_outBuffer){p->event.str, want, p->event.len};
    while (out.pos < want) {
        const size_t before = out.pos + p->in.pos;
        size_t left;

        if (!p->compressed) {
            const size_t n =
                p->in.size - p->in.pos < want - out.pos ? p->in.size - p->in.pos : want - out.pos;

            memcpy(p->event.str + out.pos, (const char *)p->in.src + p->in.pos, n);
            p->in.pos += n;
            out.pos += n;
            break;
        }
        if (p->in.pos == p->in.size && p->frame_ended)
            break; /* asked again, zstd would speak of a next frame */
        left = ZSTD_decompressStream(p->zstd, &out, &p->in);
        if (ZSTD_isError(left))
            return err_set(err, ERR_BINLOG_EVENT, "a Transaction_payload event: %s",
                           ZSTD_getErrorName(left));
        p->frame_ended = left == 0;
        if (out.pos + p->in.pos == before)
            break;
    }
    p->event.len = out.pos;
    return ERR_OK;
}

/* As payload_fill_step. An event that says it is huge gets its memory as it comes. */
static enum err_code payload_fill(struct payload *p, size_t want, struct err *err)
{
    enum err_code rc = ERR_OK;

    while (!rc && p->event.len < want) {
        const size_t before = p->event.len;
        const size_t step = before < STEP_MIN ? STEP_MIN : before;

        rc = payload_fill_step(p, want - before > step ? before + step : want, err);
        if (p->event.len == before)
            break;
    }
    return rc;
}

enum err_code payload_next(struct payload *p, const uint8_t **data, size_t *len, bool *more,
                           struct err *err)
{
    size_t size;
    enum err_code rc;

    if (p->event.cap > EVENT_KEEP)
        strbuf_release(&p->event);
    p->event.max = EVENT_MAX;
    strbuf_reset(&p->event);
    rc = payload_fill(p, BINLOG_HEADER, err);
    if (rc)
        return rc;
    if (p->event.len == 0 && p->in.pos == p->in.size && p->frame_ended) {
        *more = false;
        return ERR_OK;
    }
    if (p->event.len < BINLOG_HEADER)
        return payload_cut(err);
    size = bytes_le32(p->event.str + 9);
    if (size < BINLOG_HEADER)
        return payload_cut(err);
    rc = payload_fill(p, size, err);
    if (rc)
        return rc;
    if (p->event.len < size)
        return payload_cut(err);
    *data = (const uint8_t *)p->event.str;
    *len = size;
    *more = true;
    return ERR_OK;
}
