#include "formats/segments.h"

#include "common/base/mem.h"
#include "formats/dump_write.h"
#include "formats/file_names.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC                                                                                      \
    "\xfe"                                                                                         \
    "bin"
#define MAGIC_BYTES 4U
#define LEVEL 1 /* of zstd: a binlog is written faster than it is read */

struct segment_writer {
    struct sink *sink;
    struct segment_record r; /* being filled */
    size_t ddl_cap;
};

static enum err_code writer_begin(struct segment_writer *w, const struct strbuf *format,
                                  struct err *err)
{
    struct binlog_header header;
    enum err_code rc = binlog_header_read(format->str, format->len, &header, err);

    if (!rc && header.type != EVENT_FORMAT)
        rc = err_set(err, ERR_INTERNAL, "a segment without its format description");
    if (rc)
        return rc;
    w->r.log_created = header.timestamp;
    if (w->r.start == BINLOG_FIRST_OFFSET) { /* it is the first of the file's events */
        w->r.end = w->r.start + format->len;
        w->r.time_from = w->r.time_to = header.timestamp;
    }
    rc = sink_write(w->sink, MAGIC, MAGIC_BYTES, err);
    return rc ? rc : sink_write(w->sink, format->str, format->len, err);
}

/* NOLINTNEXTLINE(readability-function-size): the contract's seven parameters */
enum err_code segment_writer_open(struct store *s, uint64_t number, const char *file,
                                  uint64_t start, const struct strbuf *format,
                                  struct segment_writer **out, struct err *err)
{
    const struct compression zstd = {codec_find("zstd"), LEVEL};
    struct segment_writer *w = xcalloc(1, sizeof *w);
    struct strbuf path = {0};
    enum err_code rc;

    file_name_segment(&path, number);
    w->r = (struct segment_record){.number = number,
                                   .path = strbuf_detach(&path),
                                   .log_file = xstrdup(file),
                                   .start = start,
                                   .end = start};
    rc = dump_file_open(s, w->r.path, &zstd, &w->r.raw_bytes, &w->r.digest, &w->sink, err);
    if (!rc)
        rc = writer_begin(w, format, err);
    if (rc)
        segment_writer_free(w);
    else
        *out = w;
    return rc;
}

void segment_writer_free(struct segment_writer *w)
{
    if (!w)
        return;
    sink_free(w->sink);
    record_release(&(struct record){.kind = RECORD_SEGMENT, .u.segment = w->r});
    free(w);
}

enum err_code segment_writer_add(struct segment_writer *w, const struct binlog_raw *raw,
                                 struct err *err)
{
    enum err_code rc = sink_write(w->sink, raw->data, raw->header.size, err);

    if (rc)
        return rc;
    w->r.end = raw->end;
    if (!w->r.time_from)
        w->r.time_from = raw->header.timestamp;
    w->r.time_to = raw->header.timestamp;
    return ERR_OK;
}

uint64_t segment_writer_end(const struct segment_writer *w)
{
    return w->r.end;
}

uint64_t segment_writer_bytes(const struct segment_writer *w)
{
    return w->r.raw_bytes;
}

void segment_writer_ddl(struct segment_writer *w, uint64_t offset, const char *db,
                        const char *table)
{
    char **to;

    if (w->r.ddl_count + SEGMENT_DDL_TEXTS > w->ddl_cap) {
        w->ddl_cap = 2 * w->ddl_cap + SEGMENT_DDL_TEXTS;
        w->r.ddl = xreallocarray((void *)w->r.ddl, w->ddl_cap, sizeof *w->r.ddl);
    }
    to = w->r.ddl + w->r.ddl_count;
    to[0] = xasprintf("%" PRIu64, offset);
    to[1] = xstrdup(db);
    to[2] = xstrdup(table);
    w->r.ddl_count += SEGMENT_DDL_TEXTS;
}

void segment_writer_transaction(struct segment_writer *w)
{
    w->r.transactions++;
}

enum err_code segment_writer_finish(struct segment_writer *w, struct segment_record *r,
                                    struct err *err)
{
    enum err_code rc = sink_finish(w->sink, err);

    if (rc)
        return rc;
    *r = w->r;
    w->r = (struct segment_record){0};
    return ERR_OK;
}
