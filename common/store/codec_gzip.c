#define ZLIB_CONST
#include "common/store/codec_kinds.h"

#include "common/base/mem.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define GZIP_BUF_BYTES ((size_t)128 << 10)
#define GZIP_WINDOW (15 + 16)             /* the largest; with gzip's header and trailer */
#define GZIP_FEED_BYTES ((size_t)1 << 30) /* zlib counts in unsigned int */

struct gzip_sink {
    struct sink base;
    z_stream z;
    bool ready;
    unsigned char out[GZIP_BUF_BYTES];
};

/* Feeds zlib what z.next_in holds, and passes on what comes out. */
static enum err_code gzip_sink_run(struct gzip_sink *g, int flush, struct err *err)
{
    int status = Z_OK;

    while (status == Z_OK) {
        size_t len;

        g->z.next_out = g->out;
        g->z.avail_out = (uInt)sizeof g->out;
        status = deflate(&g->z, flush);
        if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
            return err_set(err, ERR_INTERNAL, "gzip: cannot compress");
        len = sizeof g->out - g->z.avail_out;
        if (len > 0) {
            enum err_code rc = sink_write(g->base.next, g->out, len, err);

            if (rc)
                return rc;
        }
        if (flush == Z_NO_FLUSH && g->z.avail_in == 0 && g->z.avail_out > 0)
            break;
    }
    return ERR_OK;
}

static enum err_code gzip_sink_write(struct sink *self, const void *buf, size_t len,
                                     struct err *err)
{
    struct gzip_sink *g = (struct gzip_sink *)self;
    const unsigned char *from = buf;

    if (!g->ready)
        return err_set(err, ERR_NOMEM, "gzip: no memory");
    while (len > 0) {
        size_t n = len < GZIP_FEED_BYTES ? len : GZIP_FEED_BYTES;
        enum err_code rc;

        g->z.next_in = from;
        g->z.avail_in = (uInt)n;
        rc = gzip_sink_run(g, Z_NO_FLUSH, err);
        if (rc)
            return rc;
        from += n;
        len -= n;
    }
    return ERR_OK;
}

static enum err_code gzip_sink_finish(struct sink *self, struct err *err)
{
    struct gzip_sink *g = (struct gzip_sink *)self;
    enum err_code rc;

    if (!g->ready)
        return err_set(err, ERR_NOMEM, "gzip: no memory");
    g->z.next_in = NULL;
    g->z.avail_in = 0;
    rc = gzip_sink_run(g, Z_FINISH, err);
    return rc ? rc : sink_finish(self->next, err);
}

static void gzip_sink_free(struct sink *self)
{
    struct gzip_sink *g = (struct gzip_sink *)self;

    sink_free(self->next);
    if (g->ready)
        (void)deflateEnd(&g->z);
    free(g);
}

static const struct sink_ops gzip_sink_ops = {"gzip", gzip_sink_write, gzip_sink_finish,
                                              gzip_sink_free};

struct sink *gzip_sink_new(struct sink *next, int level)
{
    struct gzip_sink *g = xcalloc(1, sizeof *g);

    g->base.ops = &gzip_sink_ops;
    g->base.next = next;
    g->ready = deflateInit2(&g->z, level, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) == Z_OK;
    return &g->base;
}

struct gzip_source {
    struct source base;
    z_stream z;
    bool ready;
    bool inside; /* a member has begun and not ended */
    bool any;    /* a member has begun */
    unsigned char in[GZIP_BUF_BYTES];
};

/* More input into z.next_in; *end: there is none. */
static enum err_code gzip_source_fill(struct gzip_source *g, bool *end, struct err *err)
{
    size_t got = 0;
    enum err_code rc;

    *end = false;
    if (g->z.avail_in > 0)
        return ERR_OK;
    rc = source_read(g->base.next, g->in, sizeof g->in, &got, err);
    if (rc)
        return rc;
    g->z.next_in = g->in;
    g->z.avail_in = (uInt)got;
    *end = got == 0;
    return ERR_OK;
}

/* One step of zlib; a member after the first needs a fresh start. */
static enum err_code gzip_source_step(struct gzip_source *g, struct err *err)
{
    int status;

    if (!g->inside && g->any && inflateReset(&g->z) != Z_OK)
        return err_set(err, ERR_INTERNAL, "gzip: cannot go on");
    g->inside = g->any = true;
    status = inflate(&g->z, Z_NO_FLUSH);
    if (status == Z_STREAM_END)
        g->inside = false;
    else if (status == Z_MEM_ERROR)
        return err_set(err, ERR_NOMEM, "gzip: no memory");
    else if (status != Z_OK && status != Z_BUF_ERROR)
        return err_set(err, ERR_CORRUPT, "gzip: %s", g->z.msg ? g->z.msg : "not gzip data");
    return ERR_OK;
}

static enum err_code gzip_source_read(struct source *self, void *buf, size_t cap, size_t *got,
                                      struct err *err)
{
    struct gzip_source *g = (struct gzip_source *)self;
    size_t room = cap < GZIP_FEED_BYTES ? cap : GZIP_FEED_BYTES;

    if (!g->ready)
        return err_set(err, ERR_NOMEM, "gzip: no memory");
    g->z.next_out = buf;
    g->z.avail_out = (uInt)room;
    while (g->z.avail_out == room) {
        bool end;
        enum err_code rc = gzip_source_fill(g, &end, err);

        if (rc)
            return rc;
        if (end && (g->inside || !g->any))
            return err_set(err, ERR_CORRUPT, "gzip: the data ends too early");
        if (end)
            break;
        rc = gzip_source_step(g, err);
        if (rc)
            return rc;
    }
    *got = room - g->z.avail_out;
    return ERR_OK;
}

static void gzip_source_free(struct source *self)
{
    struct gzip_source *g = (struct gzip_source *)self;

    source_free(self->next);
    if (g->ready)
        (void)inflateEnd(&g->z);
    free(g);
}

static const struct source_ops gzip_source_ops = {"gzip", gzip_source_read, gzip_source_free};

struct source *gzip_source_new(struct source *next)
{
    struct gzip_source *g = xcalloc(1, sizeof *g);

    g->base.ops = &gzip_source_ops;
    g->base.next = next;
    g->ready = inflateInit2(&g->z, GZIP_WINDOW) == Z_OK;
    return &g->base;
}
