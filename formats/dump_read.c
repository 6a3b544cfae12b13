#include "formats/dump_read.h"

#include "common/base/mem.h"
#include "common/store/codec.h"
#include "formats/dump_plan.h"
#include "formats/foreign.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMA_MAX_BYTES ((size_t)256 << 20)
/* zstd's seek table: what is read at first, and what the format could need at most */
#define SEEK_FIXED_BYTES ((uint64_t)17)
#define SEEK_FRAME_BYTES ((uint64_t)8)

static enum err_code dump_check_open(const struct dump *d, bool allow_incomplete, struct err *err)
{
    if (!d->complete && !allow_incomplete)
        return err_set(err, ERR_DUMP_INCOMPLETE,
                       "the dump in %s has no end record: it is not finished", d->store->text);
    if (strcmp(d->info.format, "sql") != 0 && strcmp(d->info.format, "csv") != 0)
        return err_set(err, ERR_DUMP_VERSION,
                       "the dump is of format '%s', which this ferry does not know",
                       d->info.format);
    return ERR_OK;
}

enum err_code dump_open(struct store *s, bool allow_incomplete, struct dump **out, struct err *err)
{
    struct dump *d = xcalloc(1, sizeof *d);
    struct dump_plan *plan = dump_plan_new(d);
    uint64_t segments = 0;
    enum err_code rc;

    d->store = s;
    d->arena = arena_new();
    rc = manifest_read(s, dump_plan_add, plan, &segments, err);
    if (!rc && segments > 0)
        rc = dump_plan_finish(plan, err);
    if (!rc && segments == 0)
        rc = foreign_open(d, err);
    else if (!rc)
        rc = csv_dialect_parse(d->info.options, &d->dialect, err);
    if (!rc)
        rc = dump_check_open(d, allow_incomplete, err);
    d->segments = segments;
    dump_plan_free(plan);
    if (rc)
        dump_free(d);
    else
        *out = d;
    return rc;
}

void dump_free(struct dump *d)
{
    struct record r = {.kind = RECORD_DUMP};

    if (!d)
        return;
    r.u.dump = d->info;
    record_release(&r);
    for (unsigned i = 0; i < d->epoch_count; i++) {
        r = (struct record){.kind = RECORD_EPOCH, .u.epoch = d->epochs[i]};
        record_release(&r);
    }
    for (size_t i = 0; i < d->table_count; i++) {
        free(d->tables[i].chunks);
        free(d->tables[i].spans);
    }
    for (size_t i = 0; i < d->left_out_count; i++) {
        r = (struct record){.kind = RECORD_LEFT_OUT, .u.left_out = d->left_out[i]};
        record_release(&r);
    }
    for (size_t i = 0; i < d->binlog_count; i++) {
        r = (struct record){.kind = RECORD_SEGMENT, .u.segment = d->binlog[i]};
        record_release(&r);
    }
    free(d->binlog);
    free(d->left_out);
    free(d->epochs);
    free(d->databases);
    free(d->tables);
    free(d->files);
    arena_free(d->arena);
    free(d);
}

bool dump_is_spool(const struct dump *d)
{
    json_t *options = d->info.options ? json_loads(d->info.options, 0, NULL) : NULL;
    const bool is = json_is_true(json_object_get(options, "spool"));

    json_decref(options);
    return is;
}

static const struct file_record *file_find(const struct dump *d, const char *path)
{
    for (size_t low = 0, high = d->file_count; low < high;) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(d->files[mid].path, path);

        if (order == 0)
            return &d->files[mid];
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

enum err_code dump_read_schema(const struct dump *d, const char *path, struct strbuf *out,
                               struct err *err)
{
    const struct file_record *f = file_find(d, path);
    struct source *source = NULL;
    enum err_code rc;

    if (!f)
        return err_set(err, ERR_DUMP_FILE_MISSING, "%s/%s is not in the manifest", d->store->text,
                       path);
    if (d->foreign)
        return foreign_read_schema(d, path, f->digest.bytes, out, err);
    rc = block_source_new(d->store, path, &f->digest, 0, true, &source, err);
    if (rc)
        return rc;
    source = codec_of_path(path)->source_new(source);
    rc = source_read_all(source, out, SCHEMA_MAX_BYTES, err);
    source_free(source);
    return rc;
}

/* ---- rows ---- */

/* The last `len` bytes of the chunk's file, verified, into `tail`. */
static enum err_code tail_read(const struct dump *d, const struct dump_chunk *c, size_t len,
                               struct strbuf *tail, struct err *err)
{
    struct source *source = NULL;
    enum err_code rc =
        block_source_new(d->store, c->path, &c->digest, c->digest.bytes - len, false, &source, err);

    if (rc)
        return rc;
    strbuf_reset(tail);
    rc = source_read_all(source, tail, len, err);
    source_free(source);
    return rc;
}

/* The last place at or before raw offset `off` where the file can be entered: *seek as it was when
 * there is none. */
static enum err_code seek_find(const struct dump *d, const struct dump_chunk *c, uint64_t off,
                               struct zstd_seek *seek, struct err *err)
{
    uint64_t frames = c->raw_bytes / CODEC_FRAME_BYTES + 2; /* as a dump makes them */
    uint64_t len = SEEK_FIXED_BYTES + SEEK_FRAME_BYTES * frames;
    struct strbuf tail = {0};
    struct zstd_seek at = {0};
    bool found = false;
    enum err_code rc = ERR_OK;

    for (unsigned tries = 0; !rc && !found && tries < 2 && len > 0; tries++) {
        size_t need = 0;

        if (len > c->digest.bytes)
            len = c->digest.bytes;
        rc = tail_read(d, c, (size_t)len, &tail, err);
        if (!rc)
            rc = zstd_seek_find(strbuf_str(&tail), tail.len, off, &at, &found, &need, err);
        len = need > len ? need : 0;
    }
    if (!rc && found && at.raw_off <= off && at.stored_off < c->digest.bytes)
        *seek = at;
    strbuf_release(&tail);
    return rc;
}

/* The file of another tool: nothing of it is recorded but its length, and a compressed one can be
 * entered at its start only. */
static enum err_code unchecked_open(const struct dump *d, const struct dump_chunk *c, uint64_t off,
                                    struct source **out, uint64_t *raw_off, struct err *err)
{
    const struct codec *codec = codec_of_path(c->path);
    const bool plain = strcmp(codec->name, "none") == 0;
    struct source *source = NULL;
    struct store_info info;
    enum err_code rc = store_stat(d->store, c->path, &info, err);

    if (rc == ERR_STORE_NOT_FOUND)
        return err_set(err, ERR_DUMP_FILE_MISSING, "%s/%s is missing", d->store->text, c->path);
    if (!rc && info.size != c->digest.bytes)
        return err_set(err, ERR_CORRUPT, "%s/%s has %" PRIu64 " bytes now, it had %" PRIu64,
                       d->store->text, c->path, info.size, c->digest.bytes);
    if (!rc)
        rc = store_open_read(d->store, c->path, plain ? off : 0, 0, &source, err);
    if (rc)
        return rc;
    *out = codec->source_new(source);
    *raw_off = plain ? off : 0;
    return ERR_OK;
}

enum err_code dump_open_chunk(const struct dump *d, const struct dump_chunk *c, uint64_t off,
                              uint64_t rows, struct decoder **out, struct err *err)
{
    const struct codec *codec = codec_of_path(c->path);
    struct decoder_params params = {
        .format = strcmp(d->info.format, "csv") == 0 ? ROW_FORMAT_CSV : ROW_FORMAT_SQL,
        .shape = &c->table->shape,
        .dialect = &d->dialect,
        .start_off = off,
        .start_row = rows,
        .strict_escapes = d->foreign && strcmp(d->foreign, "Dumpling") == 0,
    };
    struct zstd_seek seek = {0};
    struct source *source = NULL;
    enum err_code rc = ERR_OK;

    if (!c->counted) {
        rc = unchecked_open(d, c, off, &source, &params.raw_off, err);
        if (!rc)
            *out = decoder_new(&params, source, c->path);
        return rc;
    }
    if (off > c->raw_bytes || rows > c->rows)
        return err_set(err, ERR_CORRUPT,
                       "%s has %" PRIu64 " bytes and %" PRIu64
                       " rows: it cannot be entered at byte %" PRIu64 " behind row %" PRIu64,
                       c->path, c->raw_bytes, c->rows, off, rows);
    if (strcmp(codec->name, "none") == 0)
        seek = (struct zstd_seek){.stored_off = off, .raw_off = off};
    else if (off > 0 && strcmp(codec->name, "zstd") == 0)
        rc = seek_find(d, c, off, &seek, err);
    if (!rc)
        rc = block_source_new(d->store, c->path, &c->digest, seek.stored_off, true, &source, err);
    if (rc)
        return rc == ERR_CORRUPT || rc == ERR_DUMP_FILE_MISSING ? rc : err_wrap(err, "%s", c->path);
    params.raw_off = seek.raw_off;
    *out = decoder_new(&params, codec->source_new(source), c->path);
    return ERR_OK;
}

/* ---- the listing ---- */

struct expected {
    const char *path;
    uint64_t bytes;
};
struct listing {
    const struct dump *dump;
    struct expected *files; /* by path */
    size_t count, next;
    uint64_t missing;
    const char *first_missing;
};

static int expected_compare(const void *a, const void *b)
{
    const struct expected *x = a;
    const struct expected *y = b;

    return strcmp(x->path, y->path);
}

static void listing_fill(struct listing *l)
{
    const struct dump *d = l->dump;
    size_t total = d->file_count + d->binlog_count;

    for (size_t i = 0; i < d->table_count; i++)
        total += d->tables[i].chunk_count;
    l->files = xcalloc(total, sizeof *l->files);
    for (size_t i = 0; i < d->file_count; i++)
        l->files[l->count++] = (struct expected){d->files[i].path, d->files[i].digest.bytes};
    for (size_t i = 0; i < d->binlog_count; i++)
        l->files[l->count++] = (struct expected){d->binlog[i].path, d->binlog[i].digest.bytes};
    for (size_t i = 0; i < d->table_count; i++) {
        const struct dump_table *t = &d->tables[i];

        for (size_t j = 0; j < t->chunk_count; j++)
            l->files[l->count++] = (struct expected){t->chunks[j].path, t->chunks[j].digest.bytes};
    }
    if (l->count)
        qsort(l->files, l->count, sizeof *l->files, expected_compare);
}

static void listing_miss(struct listing *l)
{
    if (l->missing++ == 0)
        l->first_missing = l->files[l->next].path;
    l->next++;
}

/* The listing comes in the order of the expected paths; what is not expected is passed over. */
static enum err_code listing_seen(void *ctx, const char *path, const struct store_info *info,
                                  struct err *err)
{
    struct listing *l = ctx;
    uint64_t bytes;

    while (l->next < l->count && strcmp(l->files[l->next].path, path) < 0)
        listing_miss(l);
    if (l->next == l->count || strcmp(l->files[l->next].path, path) != 0)
        return ERR_OK;
    bytes = l->files[l->next++].bytes;
    if (info->size == bytes)
        return ERR_OK;
    return err_set(err, ERR_CORRUPT, "%s/%s has %" PRIu64 " bytes instead of %" PRIu64,
                   l->dump->store->text, path, info->size, bytes);
}

enum err_code dump_check_listing(const struct dump *d, struct err *err)
{
    struct listing l = {.dump = d};
    const char *spool = dump_is_spool(d) ? " (files of a ferry copy go when they are loaded; it "
                                           "alone can go on with them)"
                                         : "";
    enum err_code rc = ERR_OK;

    listing_fill(&l);
    for (size_t i = 1; !rc && i < l.count; i++)
        if (strcmp(l.files[i - 1].path, l.files[i].path) == 0)
            rc = err_set(err, ERR_CORRUPT, "'%s' is recorded twice", l.files[i].path);
    if (!rc)
        rc = store_list(d->store, "", NULL, listing_seen, &l, err);
    while (!rc && l.next < l.count)
        listing_miss(&l);
    if (!rc && l.missing == 1)
        rc = err_set(err, ERR_DUMP_FILE_MISSING, "%s/%s is missing%s", d->store->text,
                     l.first_missing, spool);
    else if (!rc && l.missing)
        rc = err_set(err, ERR_DUMP_FILE_MISSING, "%s/%s is missing, and %" PRIu64 " more%s",
                     d->store->text, l.first_missing, l.missing - 1, spool);
    free(l.files);
    return rc;
}
