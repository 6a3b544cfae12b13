/* tests/tools/binlog_memory.h: a source of events from the bytes of a binlog file. */
#ifndef FERRY_TESTS_BINLOG_MEMORY_H
#define FERRY_TESTS_BINLOG_MEMORY_H

#include "common/base/bytes.h"
#include "common/base/mem.h"
#include "common/mysql/binlog_source.h"

#include <stdlib.h>

struct memory_source {
    struct binlog_source base;
    const uint8_t *data; /* borrowed; the magic number first */
    size_t len, at;
    bool sums; /* verify the checksums; else only take them off */
    struct binlog_format format;
    uint8_t *copy; /* of the event: memory checkers then see where it ends */
};

static enum err_code memory_next(struct binlog_source *base, struct binlog_raw *raw,
                                 enum binlog_got *got, struct err *err)
{
    struct memory_source *s = (struct memory_source *)base;
    const uint8_t *event = s->data + s->at;
    const size_t left = s->len - s->at;
    size_t size = left;
    enum err_code rc;

    *raw = (struct binlog_raw){.file = "memory", .start = s->at, .end = s->at};
    if (left == 0) {
        *got = BINLOG_GOT_END;
        return ERR_OK;
    }
    if (left >= BINLOG_HEADER && bytes_le32(event + 9) < left)
        size = bytes_le32(event + 9);
    if (s->sums) {
        raw->data = event;
    } else {
        free(s->copy);
        s->copy = xmalloc(size + 1);
        memcpy(s->copy, event, size);
        raw->data = s->copy;
    }
    raw->len = size;
    rc = binlog_header_read(raw->data, size, &raw->header, err);
    if (!rc && raw->header.type == EVENT_FORMAT && s->sums)
        rc = binlog_format_read(raw->data, size, &s->format, err);
    if (!rc && s->sums)
        rc = binlog_checksum_take(raw->data, &raw->len, &s->format, err);
    else if (!rc && s->format.checksum && size >= BINLOG_HEADER + BINLOG_CHECKSUM)
        raw->len -= BINLOG_CHECKSUM;
    if (rc)
        return err_wrap(err, "memory:%zu", s->at);
    s->at += size;
    raw->end = s->at;
    *got = BINLOG_GOT_EVENT;
    return ERR_OK;
}

static void memory_free(struct binlog_source *base)
{
    free(((struct memory_source *)base)->copy);
    free(base);
}

/* `data` must outlive the source. */
static struct memory_source *memory_source_new(const uint8_t *data, size_t len, bool sums)
{
    static const struct binlog_source_ops ops = {
        .name = "memory", .next = memory_next, .free = memory_free};
    struct memory_source *s = xcalloc(1, sizeof(*s));

    s->base.ops = &ops;
    s->data = data;
    s->len = len;
    s->at = len < BINLOG_FIRST_OFFSET ? len : BINLOG_FIRST_OFFSET;
    s->sums = sums;
    return s;
}

#endif
