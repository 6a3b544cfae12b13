/* Writing an object: what fits into one part is one PUT at the end; a longer one is a multipart
 * upload, of which one part is sent in the background while the next one fills.
 *
 * A grouped object's last part and its CompleteMultipartUpload, or its one PUT, are left to
 * s3_later.c. Then the sink has two owners, who wrote it and who ends it; the last one frees it.
 *
 * Memory: a part is 5 MiB (more for objects of many GiB, s3_part_bytes); each writer fills one, and
 * of what is being sent in the background there may be FLYING_MAX bytes in the whole store. A
 * writer that finds no room there sends its part itself.
 *
 * The object is visible with CompleteMultipartUpload. If the answer to that is lost, the second try
 * is told that there is no such upload: then the object's own mark (the writer's token, in its
 * metadata) says whether it was the first one that came through. */
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/store/s3_store.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PART_FIRST ((size_t)5 << 20) /* the smallest that S3 takes */
#define PART_GROWS 950               /* parts after which the next ones are twice as large */
#define PARTS_MAX 10000
#define OBJECT_MAX ((uint64_t)5 << 40)
#define BUFFER_FIRST ((size_t)64 << 10)
#define FLYING_MAX ((size_t)20 << 20)
#define COMPLETE_IDLE_US ((uint64_t)300000000) /* the server puts the parts together */
#define ETAG_MAX 136

struct s3_part { /* on its way */
    struct s3_sink *sink;
    char *data;
    size_t len;
    unsigned number;
    enum err_code rc;
    struct err err;
    char etag[ETAG_MAX];
};

struct s3_sink {
    struct sink base;
    struct s3_store *store;
    char *key;
    char writer[S3_TOKEN_MAX];
    char *buffer; /* what is not yet sent */
    size_t used, cap;
    uint64_t total; /* bytes of the parts that are sent or being sent */
    char *upload;   /* the upload's id; NULL: none yet */
    bool registered, finished;
    unsigned parts;
    char (*etags)[ETAG_MAX]; /* of each part */
    size_t etags_cap;
    bool flying; /* `part` is being sent by `thread` */
    pthread_t thread;
    struct s3_part part;
    atomic_bool stop;
    bool grouped;
    struct s3_job end;  /* the rest, done in the background */
    size_t end_bytes;   /* of the buffer, counted as flying meanwhile */
    atomic_uint owners; /* who will free it */
};

size_t s3_part_bytes(unsigned number)
{
    return PART_FIRST << ((number - 1) / PART_GROWS);
}

/* ---- what is under way here ---- */

static void writing_add(struct s3_sink *w)
{
    struct s3_store *s = w->store;

    pthread_mutex_lock(&s->lock);
    if (s->writing_count == s->writing_cap) {
        s->writing_cap = s->writing_cap ? s->writing_cap * 2 : 16;
        s->writing = xreallocarray(s->writing, s->writing_cap, sizeof *s->writing);
    }
    s->writing[s->writing_count++] = w->key;
    pthread_mutex_unlock(&s->lock);
    w->registered = true;
}

static void writing_remove(struct s3_sink *w)
{
    struct s3_store *s = w->store;

    if (!w->registered)
        return;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->writing_count; i++)
        if (s->writing[i] == w->key) {
            s->writing[i] = s->writing[--s->writing_count];
            break;
        }
    pthread_mutex_unlock(&s->lock);
    w->registered = false;
}

static bool flying_take(struct s3_store *s, size_t bytes)
{
    bool room;

    pthread_mutex_lock(&s->lock);
    room = s->flying + bytes <= FLYING_MAX;
    if (room)
        s->flying += bytes;
    pthread_mutex_unlock(&s->lock);
    return room;
}

static void flying_give(struct s3_store *s, size_t bytes)
{
    pthread_mutex_lock(&s->lock);
    s->flying -= bytes;
    pthread_mutex_unlock(&s->lock);
}

/* ---- requests ---- */

static enum err_code upload_begin(struct s3_sink *w, struct err *err)
{
    struct s3_pair headers[S3_OBJECT_HEADERS];
    struct s3_pair query = {"uploads", ""};
    struct s3_call call = {.method = "POST",
                           .key = w->key,
                           .query = &query,
                           .query_count = 1,
                           .headers = headers,
                           .header_count = s3_object_headers(w->store, w->writer, headers)};
    struct s3_answer a = {0};
    enum err_code rc;

    writing_add(w);
    rc = s3_call(w->store, &call, &a, err);
    if (!rc && !*a.words.upload_id)
        rc = err_set(err, ERR_STORE_REFUSED, "the server gave no name for the upload");
    if (!rc)
        w->upload = xstrdup(a.words.upload_id);
    /* The reply to another try may have been lost, and its upload would stay for good. */
    if (!rc && a.tries > 1)
        rc = s3_uploads_end(w->store, w->key, w->upload, err);
    s3_answer_release(&a);
    fault_point("store.object.upload-begun");
    return rc;
}

static enum err_code part_send(struct s3_part *p, struct err *err)
{
    const struct s3_sink *w = p->sink;
    char number[16];
    struct s3_pair query[2] = {{"partNumber", number}, {"uploadId", w->upload}};
    struct s3_call call = {.method = "PUT",
                           .key = w->key,
                           .query = query,
                           .query_count = 2,
                           .body = p->data,
                           .body_len = p->len,
                           .stop = &w->stop};
    struct s3_answer a = {0};
    enum err_code rc;

    (void)snprintf(number, sizeof number, "%u", p->number);
    rc = s3_call(w->store, &call, &a, err);
    if (!rc && !*a.reply.etag)
        rc = err_set(err, ERR_STORE_REFUSED, "the server gave no ETag for part %u", p->number);
    if (!rc)
        memcpy(p->etag, a.reply.etag, sizeof p->etag);
    s3_answer_release(&a);
    fault_point("store.object.part-sent");
    return rc;
}

static void *part_thread(void *arg)
{
    struct s3_part *p = arg;

    log_thread_name("s3-part");
    p->rc = part_send(p, &p->err);
    return NULL;
}

static void part_landed(struct s3_sink *w, const struct s3_part *p)
{
    if (p->number > w->etags_cap) {
        w->etags_cap = w->etags_cap ? w->etags_cap * 2 : 16;
        w->etags = xreallocarray(w->etags, w->etags_cap, sizeof *w->etags);
    }
    memcpy(w->etags[p->number - 1], p->etag, ETAG_MAX);
}

/* Waits for the part that is being sent. */
static enum err_code part_join(struct s3_sink *w, struct err *err)
{
    enum err_code rc;

    if (!w->flying)
        return ERR_OK;
    (void)pthread_join(w->thread, NULL);
    w->flying = false;
    flying_give(w->store, w->part.len);
    free(w->part.data);
    rc = w->part.rc;
    if (rc)
        *err = w->part.err;
    else
        part_landed(w, &w->part);
    return rc;
}

/* Sends the buffer as the next part: in the background if there is room, and then with a new
 * buffer. */
static enum err_code part_next(struct s3_sink *w, bool last, struct err *err)
{
    enum err_code rc = part_join(w, err);
    struct s3_part *p = &w->part;

    if (rc)
        return rc;
    if (w->parts == PARTS_MAX || w->total + w->used > OBJECT_MAX)
        return err_set(err, ERR_LIMIT, "larger than an object of S3 can be (5 TiB)");
    *p = (struct s3_part){.sink = w, .data = w->buffer, .len = w->used, .number = ++w->parts};
    w->total += w->used;
    if (!last && flying_take(w->store, p->len)) {
        if (pthread_create(&w->thread, NULL, part_thread, p) == 0) {
            w->flying = true;
            w->buffer = NULL;
            w->used = w->cap = 0;
            return ERR_OK;
        }
        flying_give(w->store, p->len);
    }
    rc = part_send(p, err);
    if (!rc)
        part_landed(w, p);
    w->used = 0;
    return rc;
}

/* Whether the object at the key is the one of this writer, whole. */
static bool is_there(const struct s3_sink *w, struct err *err)
{
    struct s3_call call = {.method = "HEAD", .key = w->key};
    struct s3_answer a = {0};
    bool there = s3_call(w->store, &call, &a, err) == ERR_OK &&
                 strcmp(a.reply.writer, w->writer) == 0 && a.reply.length == w->total;

    s3_answer_release(&a);
    return there;
}

/* The reply does not say, or has been lost: ERR_OK if the object is there, else `rc`. */
static enum err_code complete_look(const struct s3_sink *w, enum err_code rc, struct err *err)
{
    struct err now = ERR_INIT;

    if (!is_there(w, &now))
        return rc;
    err_clear(err);
    return ERR_OK;
}

static enum err_code upload_complete(struct s3_sink *w, struct err *err)
{
    struct s3_pair query = {"uploadId", w->upload};
    struct s3_call call = {.method = "POST",
                           .key = w->key,
                           .query = &query,
                           .query_count = 1,
                           .idle_us = COMPLETE_IDLE_US};
    struct s3_answer a = {0};
    struct strbuf body = {0};
    enum err_code rc;

    strbuf_addstr(&body, "<CompleteMultipartUpload "
                         "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for (unsigned i = 0; i < w->parts; i++)
        strbuf_addf(&body, "<Part><PartNumber>%u</PartNumber><ETag>%s</ETag></Part>", i + 1,
                    w->etags[i]);
    strbuf_addstr(&body, "</CompleteMultipartUpload>");
    call.body = body.str;
    call.body_len = body.len;
    rc = s3_call(w->store, &call, &a, err);
    if (!rc && strcmp(a.words.root, "CompleteMultipartUploadResult") != 0)
        rc = complete_look(
            w, err_set(err, ERR_STORE_REFUSED, "the server's reply to a whole upload is cut"), err);
    else if (rc && a.tries > 1 && strcmp(a.words.code, "NoSuchUpload") == 0)
        rc = complete_look(w, rc, err);
    strbuf_release(&body);
    s3_answer_release(&a);
    return rc;
}

static enum err_code put_whole(struct s3_sink *w, struct err *err)
{
    struct s3_pair headers[S3_OBJECT_HEADERS];
    struct s3_call call = {.method = "PUT",
                           .key = w->key,
                           .headers = headers,
                           .header_count = s3_object_headers(w->store, w->writer, headers),
                           .body = w->buffer,
                           .body_len = w->used};
    struct s3_answer a = {0};
    enum err_code rc = s3_call(w->store, &call, &a, err);

    s3_answer_release(&a);
    return rc;
}

/* What is left behind here is for s3_discard. */
static void upload_abort(struct s3_sink *w)
{
    struct s3_pair query = {"uploadId", w->upload};
    struct s3_call call = {.method = "DELETE", .key = w->key, .query = &query, .query_count = 1};
    struct s3_answer a = {0};
    struct err err = ERR_INIT;

    if (s3_call(w->store, &call, &a, &err) && err.code != ERR_STORE_NOT_FOUND)
        log_event(LOG_WARN, "store.s3.upload.left", F_STR("key", w->key),
                  F_STR("message", err.msg));
    s3_answer_release(&a);
}

/* ---- the sink ---- */

/* Room in the buffer, up to the part's size. */
static enum err_code buffer_grow(struct s3_sink *w, size_t want, struct err *err)
{
    size_t most = s3_part_bytes(w->parts + 1);
    size_t cap = w->cap ? w->cap : BUFFER_FIRST;
    char *more;

    while (cap < want && cap < most)
        cap *= 4;
    if (cap > most)
        cap = most;
    if (cap <= w->cap)
        return ERR_OK;
    more = realloc(w->buffer, cap);
    if (!more)
        return err_set(err, ERR_NOMEM, "no memory for a part of %zu bytes", cap);
    w->buffer = more;
    w->cap = cap;
    return ERR_OK;
}

static enum err_code s3_sink_write(struct sink *self, const void *buf, size_t len, struct err *err)
{
    struct s3_sink *w = (struct s3_sink *)self;
    const char *from = buf;
    enum err_code rc = ERR_OK;

    while (len > 0 && !rc) {
        size_t part = s3_part_bytes(w->parts + 1);
        size_t n = len < part - w->used ? len : part - w->used;

        rc = buffer_grow(w, w->used + n, err);
        if (rc)
            return rc;
        memcpy(w->buffer + w->used, from, n);
        w->used += n;
        from += n;
        len -= n;
        if (w->used < part ||
            len == 0) /* the last part is sent by finish: it may be the only one */
            continue;
        if (!w->upload)
            rc = upload_begin(w, err);
        if (!rc)
            rc = part_next(w, false, err);
    }
    return rc ? err_wrap(err, "%s/%s", w->store->base.text, w->key + strlen(w->store->url.prefix))
              : ERR_OK;
}

static enum err_code finish_now(struct s3_sink *w, struct err *err)
{
    enum err_code rc = ERR_OK;

    if (!w->upload) {
        rc = put_whole(w, err);
    } else {
        if (w->used > 0)
            rc = part_next(w, true, err);
        if (!rc)
            rc = part_join(w, err);
        fault_point("store.object.before-complete");
        if (!rc)
            rc = upload_complete(w, err);
        fault_point("store.object.completed");
    }
    w->finished = !rc;
    return rc ? err_wrap(err, "%s/%s", w->store->base.text, w->key + strlen(w->store->url.prefix))
              : ERR_OK;
}

static void sink_release(struct s3_sink *w)
{
    struct err err = ERR_INIT;

    if (atomic_fetch_sub(&w->owners, 1) > 1)
        return;
    atomic_store(&w->stop, true);
    if (part_join(w, &err))
        log_event(LOG_DEBUG, "store.s3.part.given-up", F_STR("message", err.msg));
    if (w->upload && !w->finished)
        upload_abort(w);
    writing_remove(w);
    free(w->upload);
    free(w->etags);
    free(w->buffer);
    free(w->key);
    free(w);
}

static enum err_code end_run(struct s3_job *job, struct err *err)
{
    return finish_now(job->of, err);
}

static void end_release(struct s3_job *job)
{
    struct s3_sink *w = job->of;
    struct s3_store *s = w->store;
    size_t bytes = w->end_bytes;

    /* The buffer first: what is counted as free is free. */
    free(w->buffer);
    w->buffer = NULL;
    flying_give(s, bytes);
    sink_release(w);
}

/* Leaves the rest to the background: false: there is no room. */
static bool finish_later(struct s3_sink *w)
{
    char *less;

    if (!flying_take(w->store, w->used))
        return false;
    w->end_bytes = w->used;
    less = w->used > 0 && w->used < w->cap ? realloc(w->buffer, w->used) : NULL;
    if (less) {
        w->buffer = less;
        w->cap = w->used;
    }
    w->end = (struct s3_job){.run = end_run, .release = end_release, .of = w};
    atomic_store(&w->owners, 2);
    if (s3_later_add(w->store->later, &w->end))
        return true;
    atomic_store(&w->owners, 1);
    flying_give(w->store, w->end_bytes);
    return false;
}

static enum err_code s3_sink_finish(struct sink *self, struct err *err)
{
    struct s3_sink *w = (struct s3_sink *)self;

    if (w->grouped && finish_later(w))
        return ERR_OK;
    return finish_now(w, err);
}

static void s3_sink_free(struct sink *self)
{
    sink_release((struct s3_sink *)self);
}

static const struct sink_ops s3_sink_ops = {"s3", s3_sink_write, s3_sink_finish, s3_sink_free};

enum err_code s3_open_write(struct store *s, const char *path, struct sink **sink, struct err *err)
{
    struct s3_sink *w = xcalloc(1, sizeof *w);
    enum err_code rc = s3_token_new(w->writer, err);

    w->base.ops = &s3_sink_ops;
    w->store = (struct s3_store *)s;
    w->key = s3_key(w->store, path);
    atomic_init(&w->stop, false);
    atomic_init(&w->owners, 1);
    if (rc)
        s3_sink_free(&w->base);
    else
        *sink = &w->base;
    return rc;
}

enum err_code s3_open_grouped(struct store *s, const char *path, struct sink **sink,
                              struct err *err)
{
    enum err_code rc = s3_open_write(s, path, sink, err);

    if (!rc)
        ((struct s3_sink *)*sink)->grouped = true;
    return rc;
}
