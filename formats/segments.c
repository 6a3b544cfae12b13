/* A dump's segments, one after the other, as one stream of events. */
#include "formats/segments.h"

#include "common/base/bytes.h"
#include "common/base/mem.h"
#include "common/base/strbuf.h"
#include "common/store/codec.h"
#include "formats/file_names.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC                                                                                      \
    "\xfe"                                                                                         \
    "bin"
#define MAGIC_BYTES 4U

struct segments {
    struct binlog_source base;
    const struct dump *dump;
    size_t index, stop; /* the segment in work; and behind the last one */
    struct source *in;  /* its bytes; NULL: not begun */
    bool first;         /* its format description comes next */
    bool follows;       /* the reader has read the segment before to its end */
    bool after_format;
    uint64_t offset; /* of the next event */
    uint64_t skip;   /* events before this offset of the first file are not wanted */
    struct strbuf event;
    struct binlog_format format;
};

/* ---- places ---- */

/* The number at the end of "binlog.000007"; `*base`: the bytes before it. */
static uint64_t file_number(const char *file, size_t *base)
{
    size_t at = strlen(file);

    while (at > 0 && isdigit((unsigned char)file[at - 1]))
        at--;
    *base = at;
    return strtoull(file + at, NULL, 10);
}

int segments_compare(const char *file, uint64_t offset, const char *other, uint64_t other_offset)
{
    size_t base;
    const uint64_t a = file_number(file, &base);
    const uint64_t b = file_number(other, &base);

    if (a != b)
        return a < b ? -1 : 1;
    return (offset > other_offset) - (offset < other_offset);
}

/* Whether `next` is the file behind `file`. */
static bool file_follows(const char *file, const char *next)
{
    size_t base;
    size_t next_base;
    const uint64_t number = file_number(file, &base);
    const uint64_t next_number = file_number(next, &next_base);

    return base == next_base && memcmp(file, next, base) == 0 && next_number == number + 1;
}

static enum err_code place_joins(const struct segments_place *last, const char *file,
                                 uint64_t start, struct err *err)
{
    const bool same = strcmp(last->log_file, file) == 0;

    if (same && start < last->log_pos)
        return err_set(err, ERR_CORRUPT,
                       "it begins at %s:%" PRIu64 ", and what is before it goes to %" PRIu64, file,
                       start, last->log_pos);
    if (same ? start == last->log_pos
             : start == BINLOG_FIRST_OFFSET && file_follows(last->log_file, file))
        return ERR_OK;
    return err_set(err, ERR_CORRUPT, "the binlog from %s:%" PRIu64 " to %s:%" PRIu64 " is missing",
                   last->log_file, last->log_pos, file, start);
}

enum err_code segment_joins(const struct segment_record *last, const struct segment_record *next,
                            struct err *err)
{
    const uint64_t number = last ? last->number + 1 : 1;
    const struct segments_place end = {.log_file = last ? last->log_file : NULL,
                                       .log_pos = last ? last->end : 0};
    enum err_code rc = ERR_OK;

    if (next->number != number)
        return err_set(err, ERR_CORRUPT,
                       "binlog segment %" PRIu64 " comes where %" PRIu64 " should", next->number,
                       number);
    if (next->start < BINLOG_FIRST_OFFSET || next->end <= next->start)
        rc = err_set(err, ERR_CORRUPT, "it goes from %" PRIu64 " to %" PRIu64, next->start,
                     next->end);
    if (!rc && last)
        rc = place_joins(&end, next->log_file, next->start, err);
    if (!rc && last && strcmp(last->log_file, next->log_file) == 0 &&
        last->log_created != next->log_created)
        rc = err_set(err, ERR_CORRUPT, "'%s' is not the file that it was in the segment before",
                     next->log_file);
    return rc ? err_wrap(err, "binlog segment '%s'", next->path) : ERR_OK;
}

static struct segments_place epoch_place(const struct epoch_record *e)
{
    return (struct segments_place){e->log_file, e->log_pos, e->gtid};
}

bool segments_range(const struct dump *d, struct segments_place *from, struct segments_place *to)
{
    const struct epoch_record *epoch = d->epoch_count ? &d->epochs[0] : NULL;
    const struct segment_record *last = d->binlog_count ? &d->binlog[d->binlog_count - 1] : NULL;

    if (!epoch || !epoch->log_file || !epoch->log_created)
        return false;
    *from = epoch_place(epoch);
    *to = last ? (struct segments_place){last->log_file, last->end, last->gtid} : *from;
    return true;
}

struct segments_place segments_epoch_to(const struct dump *d, unsigned epoch)
{
    const struct epoch_record *e = &d->epochs[epoch - 1];
    struct segments_place from;
    struct segments_place to;

    if (strcmp(e->consistency, "binlog") == 0 && segments_range(d, &from, &to))
        return to;
    return epoch_place(e);
}

bool segments_window(const struct dump *d, const struct dump_table *t, struct segments_place *from,
                     struct segments_place *to)
{
    if (!t->from || t->from > d->epoch_count || !t->to || t->to > d->epoch_count ||
        !d->epochs[t->from - 1].log_file || !d->epochs[t->to - 1].log_file)
        return false;
    *from = epoch_place(&d->epochs[t->from - 1]);
    *to = segments_epoch_to(d, t->to);
    for (unsigned i = t->from; i < t->to; i++) { /* an earlier epoch may reach farther */
        const struct segments_place other = segments_epoch_to(d, i);

        if (other.log_file &&
            segments_compare(other.log_file, other.log_pos, to->log_file, to->log_pos) > 0)
            *to = other;
    }
    return true;
}

enum err_code segments_check(const struct dump *d, struct err *err)
{
    struct segments_place from;
    struct segments_place to;
    enum err_code rc = ERR_OK;

    if (!segments_range(d, &from, &to))
        return d->binlog_count ? err_set(err, ERR_CORRUPT,
                                         "there are segments of a binlog, but no epoch began to "
                                         "capture it")
                               : ERR_OK;
    if (d->binlog_count)
        rc = place_joins(&from, d->binlog[0].log_file, d->binlog[0].start, err);
    if (rc)
        return err_wrap(err, "binlog segment '%s'", d->binlog[0].path);
    if (!d->complete)
        return ERR_OK;
    for (unsigned i = 0; i < d->epoch_count; i++)
        if (d->epochs[i].log_file && segments_compare(d->epochs[i].log_file, d->epochs[i].log_pos,
                                                      to.log_file, to.log_pos) > 0)
            return err_set(err, ERR_CORRUPT,
                           "the captured binlog ends at %s:%" PRIu64 ", before the position of "
                           "epoch %u, %s:%" PRIu64,
                           to.log_file, to.log_pos, i + 1, d->epochs[i].log_file,
                           d->epochs[i].log_pos);
    if (d->binlog_count && d->binlog[d->binlog_count - 1].open)
        return err_set(err, ERR_CORRUPT, "binlog segment '%s': it ends inside of a transaction",
                       d->binlog[d->binlog_count - 1].path);
    return ERR_OK;
}

/* ---- events ---- */

static const struct segment_record *segment_at(const struct segments *s)
{
    return &s->dump->binlog[s->index];
}

static void segments_close(struct segments *s)
{
    source_free(s->in);
    s->in = NULL;
}

/* Appends `len` bytes to the event; *got less than that only at the segment's end. */
static enum err_code segments_fill(struct segments *s, size_t len, size_t *got, struct err *err)
{
    enum err_code rc = strbuf_reserve(&s->event, len + 1, err);

    *got = 0;
    while (!rc && *got < len) {
        size_t part = 0;

        rc = source_read(s->in, s->event.str + s->event.len, len - *got, &part, err);
        if (rc || part == 0)
            break;
        s->event.len += part;
        *got += part;
    }
    return rc;
}

static enum err_code segments_begin(struct segments *s, struct err *err)
{
    const struct segment_record *r = segment_at(s);
    size_t got = 0;
    enum err_code rc;

    rc = block_source_new(s->dump->store, r->path, &r->digest, 0, true, &s->in, err);
    if (rc)
        return rc;
    s->in = codec_of_path(r->path)->source_new(s->in);
    strbuf_reset(&s->event);
    rc = segments_fill(s, MAGIC_BYTES, &got, err);
    if (!rc && (got != MAGIC_BYTES || memcmp(s->event.str, MAGIC, MAGIC_BYTES) != 0))
        rc = err_set(err, ERR_CORRUPT, "%s is no binlog", r->path);
    s->first = true;
    s->offset = r->start;
    return rc;
}

/* The next event's bytes into s->event; *more false at the segment's end. */
static enum err_code segments_event(struct segments *s, struct binlog_raw *raw, bool *more,
                                    struct err *err)
{
    const struct segment_record *r = segment_at(s);
    size_t got = 0;
    size_t size = 0;
    enum err_code rc;

    strbuf_reset(&s->event);
    rc = segments_fill(s, BINLOG_HEADER, &got, err);
    *more = got > 0;
    if (rc || !*more)
        return rc;
    if (got == BINLOG_HEADER)
        size = bytes_le32((const uint8_t *)s->event.str + 9);
    if (size < BINLOG_HEADER || size > r->raw_bytes)
        return err_set(err, ERR_CORRUPT, "%s: the event at %" PRIu64 " is cut", r->path, s->offset);
    rc = segments_fill(s, size - BINLOG_HEADER, &got, err);
    if (!rc && s->event.len != size)
        rc = err_set(err, ERR_CORRUPT, "%s: the event at %" PRIu64 " is cut", r->path, s->offset);
    *raw = (struct binlog_raw){.data = (const uint8_t *)s->event.str, .len = size};
    return rc ? rc : binlog_header_read(raw->data, raw->len, &raw->header, err);
}

/* Offsets as binlog_stream counts them. */
static enum err_code segments_place_event(struct segments *s, struct binlog_raw *raw,
                                          struct err *err)
{
    const struct segment_record *r = segment_at(s);
    const bool format = s->first && r->start != BINLOG_FIRST_OFFSET;
    uint64_t end = s->offset + raw->header.size;

    raw->file = r->log_file;
    raw->start = raw->end = s->offset;
    if (format) /* not at its place in the file */
        return ERR_OK;
    if ((uint32_t)end != raw->header.log_pos) {
        if (!s->after_format || !s->format.mariadb)
            return err_set(err, ERR_CORRUPT,
                           "%s: an event of %" PRIu32 " bytes at %" PRIu64
                           " says that it ends at %" PRIu32 " (modulo 4 GiB): events are missing",
                           r->path, raw->header.size, s->offset, raw->header.log_pos);
        end += (uint32_t)(raw->header.log_pos - (uint32_t)end); /* a Start_encryption */
    }
    raw->start = end - raw->header.size;
    raw->end = end;
    s->offset = end;
    return ERR_OK;
}

static enum err_code segments_frame(struct segments *s, struct binlog_raw *raw, struct err *err)
{
    enum err_code rc = ERR_OK;

    if (s->first != (raw->header.type == EVENT_FORMAT))
        return err_set(err, ERR_CORRUPT, "%s: a format description is not where it should be",
                       segment_at(s)->path);
    if (s->first)
        rc = binlog_format_read(raw->data, raw->len, &s->format, err);
    if (!rc)
        rc = binlog_checksum_take(raw->data, &raw->len, &s->format, err);
    if (rc)
        return err_wrap(err, "%s: the event at %" PRIu64, segment_at(s)->path, s->offset);
    return segments_place_event(s, raw, err);
}

/* Whether the event is for the reader. A format description that is before the start is passed on
 * as one that is in no file. */
static bool segments_wanted(struct segments *s, struct binlog_raw *raw)
{
    const bool first = s->first;

    s->after_format = first;
    s->first = false;
    if (first && raw->end <= s->skip)
        raw->start = raw->end = s->skip;
    else if (first)
        return !s->follows || raw->start != raw->end;
    return first || raw->end > s->skip;
}

static enum err_code segments_end(struct segments *s, struct err *err)
{
    const struct segment_record *r = segment_at(s);

    if (s->offset != r->end || s->first)
        return err_set(err, ERR_CORRUPT,
                       "%s ends at %" PRIu64 " of %s, the manifest says at %" PRIu64, r->path,
                       s->offset, r->log_file, r->end);
    segments_close(s);
    s->follows =
        s->index + 1 < s->stop && strcmp(s->dump->binlog[s->index + 1].log_file, r->log_file) == 0;
    s->skip = 0;
    s->index++;
    return ERR_OK;
}

static enum err_code segments_next(struct binlog_source *base, struct binlog_raw *raw,
                                   enum binlog_got *got, struct err *err)
{
    struct segments *s = (struct segments *)base;
    enum err_code rc = ERR_OK;

    while (!rc && s->index < s->stop) {
        bool more = false;

        if (!s->in)
            rc = segments_begin(s, err);
        if (!rc)
            rc = segments_event(s, raw, &more, err);
        if (!rc && !more) {
            rc = segments_end(s, err);
            continue;
        }
        if (!rc)
            rc = segments_frame(s, raw, err);
        if (!rc && raw->start < s->skip && raw->end > s->skip)
            rc = err_set(err, ERR_BINLOG_PURGED, "no event begins at %s:%" PRIu64, raw->file,
                         s->skip);
        if (!rc && segments_wanted(s, raw)) {
            *got = BINLOG_GOT_EVENT;
            return ERR_OK;
        }
    }
    *got = BINLOG_GOT_END;
    return rc;
}

/* The segment that holds the event at a place; their count: it is the end. */
static enum err_code segments_find(const struct dump *d, const struct binlog_start *at,
                                   size_t *index, struct err *err)
{
    struct segments_place from = {0};
    struct segments_place to = {0};

    if (!segments_range(d, &from, &to))
        return err_set(err, ERR_USAGE, "the dump in %s has no captured binlog", d->store->text);
    for (size_t i = 0; i < d->binlog_count; i++) {
        const struct segment_record *r = &d->binlog[i];

        if (strcmp(r->log_file, at->file) == 0 && at->offset >= r->start && at->offset < r->end) {
            *index = i;
            return ERR_OK;
        }
        if (strcmp(r->log_file, at->file) == 0 && at->offset == r->end) {
            *index = i + 1;
            return ERR_OK;
        }
    }
    *index = 0;
    if (strcmp(from.log_file, at->file) == 0 && at->offset == from.log_pos)
        return ERR_OK;
    return err_set(err, ERR_BINLOG_PURGED,
                   "the dump has the binlog from %s:%" PRIu64 " to %s:%" PRIu64 ", not %s:%" PRIu64,
                   from.log_file, from.log_pos, to.log_file, to.log_pos, at->file, at->offset);
}

static enum err_code segments_reopen(struct binlog_source *base, const struct binlog_start *at,
                                     struct err *err)
{
    struct segments *s = (struct segments *)base;
    size_t index = 0;
    enum err_code rc = ERR_OK;

    if (at && !at->file)
        return err_set(err, ERR_USAGE,
                       "captured binlog is read from a file and an offset, not from a GTID set");
    if (at)
        rc = segments_find(s->dump, at, &index, err);
    if (rc)
        return rc;
    segments_close(s);
    s->index = index;
    s->follows = s->after_format = false;
    s->skip = 0;
    if (at && index < s->stop && strcmp(s->dump->binlog[index].log_file, at->file) == 0 &&
        at->offset > s->dump->binlog[index].start)
        s->skip = at->offset;
    return ERR_OK;
}

static void segments_free(struct binlog_source *base)
{
    struct segments *s = (struct segments *)base;

    segments_close(s);
    strbuf_release(&s->event);
    free(s);
}

static const struct binlog_source_ops segments_ops = {
    .name = "segments",
    .next = segments_next,
    .reopen = segments_reopen,
    .free = segments_free,
};

static struct segments *segments_new(const struct dump *d)
{
    struct segments *s = xcalloc(1, sizeof *s);

    s->base.ops = &segments_ops;
    s->dump = d;
    s->stop = d->binlog_count;
    s->event.max = SIZE_MAX / 2; /* an event is as long as the source made it */
    return s;
}

enum err_code segments_open(const struct dump *d, const struct binlog_start *at,
                            struct binlog_source **out, struct err *err)
{
    struct segments *s = segments_new(d);
    enum err_code rc = segments_check(d, err);

    if (!rc)
        rc = segments_reopen(&s->base, at, err);
    if (rc)
        segments_free(&s->base);
    else
        *out = &s->base;
    return rc;
}

enum err_code segments_verify(const struct dump *d, const struct segment_record *segment,
                              struct err *err)
{
    struct segments *s = segments_new(d);
    enum binlog_got got = BINLOG_GOT_EVENT;
    enum err_code rc = ERR_OK;

    s->index = (size_t)(segment - d->binlog);
    s->stop = s->index + 1;
    while (!rc && got != BINLOG_GOT_END) {
        struct binlog_raw raw;

        rc = segments_next(&s->base, &raw, &got, err);
        if (!rc && got == BINLOG_GOT_EVENT && raw.header.type == EVENT_FORMAT &&
            raw.header.timestamp != segment->log_created)
            rc = err_set(err, ERR_CORRUPT, "%s is of another file than the manifest says",
                         segment->path);
    }
    segments_free(&s->base);
    return rc;
}

/* ---- character sets ---- */

enum err_code segments_charset_maps(const struct dump *d, struct charset_maps **out,
                                    struct err *err)
{
    static const char ending[] = ".charset.zst";
    struct charset_maps *maps = charset_maps_new(NULL);
    struct strbuf text = {0};
    enum err_code rc = ERR_OK;

    for (size_t i = 0; !rc && i < d->file_count; i++) {
        const char *path = d->files[i].path;
        const size_t len = strlen(path);

        if (strncmp(path, BINLOG_FOLDER, sizeof BINLOG_FOLDER - 1) != 0 || len < sizeof ending ||
            strcmp(path + len - (sizeof ending - 1), ending) != 0)
            continue;
        strbuf_reset(&text);
        rc = dump_read_schema(d, path, &text, err);
        if (!rc)
            rc = charset_maps_add(maps, strbuf_str(&text), text.len, err);
        if (rc)
            (void)err_wrap(err, "%s", path);
    }
    strbuf_release(&text);
    if (rc)
        charset_maps_free(maps);
    else
        *out = maps;
    return rc;
}
