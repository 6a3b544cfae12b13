/* common/store/s3_store.h: between the files of the S3 driver; nobody else includes it.
 *
 * store_s3.c: the vtable, create, small requests. s3_request.c: one request with its retries.
 * s3_read.c, s3_write.c, s3_list.c: what they say. s3_later.c: what is done in the background. */
#ifndef FERRY_STORE_S3_STORE_H
#define FERRY_STORE_S3_STORE_H

#include "common/base/clock.h"
#include "common/store/s3_credentials.h"
#include "common/store/s3_http.h"
#include "common/store/s3_url.h"
#include "common/store/s3_xml.h"
#include "common/store/store.h"

#include <pthread.h>

#define S3_CONNECTIONS_KEPT 32
#define S3_REGION_MAX 64
#define S3_TOKEN_MAX 33 /* 32 hex digits and the NUL */
#define S3_WRITER "x-amz-meta-ferry-writer"

struct s3_later;

struct s3_store {
    struct store base;
    struct s3_url url;
    struct s3_credentials *credentials;
    struct s3_later *later;
    pthread_mutex_t lock; /* guards all below */
    char region[S3_REGION_MAX];
    struct http *kept[S3_CONNECTIONS_KEPT];
    size_t kept_count;
    char **writing; /* keys of uploads that are under way here */
    size_t writing_count, writing_cap;
    size_t flying;   /* bytes that are sent in the background */
    bool answered;   /* the server has given a reply before */
    int conditional; /* does it mind If-None-Match? 0: not known, 1: yes, -1: no */
};

/* ---- s3_request.c ---- */

/* What to ask. All borrowed. */
struct s3_call {
    const char *method;
    const char *key;             /* an object's, with the prefix; NULL: the bucket */
    const struct s3_pair *query; /* not encoded */
    size_t query_count;
    const struct s3_pair *headers; /* besides host, date, checksum and token; lower-case names */
    size_t header_count;
    const void *body;
    size_t body_len;
    uint64_t idle_us;        /* 0: the URL's */
    const atomic_bool *stop; /* NULL: none */
};
/* The tries of one call. `{0}` is ready. */
struct s3_tries {
    unsigned count; /* replies or faults so far, without those that moved the region */
    unsigned moved; /* how often another region or key was taken */
    unsigned raced; /* how often a gateway's folder went away under a write */
    struct backoff backoff;
    char access[160]; /* the key that the last try was signed with */
};
struct s3_answer {
    struct http_reply reply; /* status 0: there was none */
    struct s3_words words;   /* of an error, and an upload's id */
    struct strbuf body;      /* s3_call: all of it; s3_open: of an error only */
    unsigned tries;
};
void s3_answer_release(struct s3_answer *a);

/* The whole call, with retries. A status that is not 2xx (or 416, 412: ask the answer's status),
 * and a 200 whose body is an error, give an error: ERR_STORE_NOT_FOUND, ERR_STORE_DENIED,
 * ERR_STORE_EXISTS (412), ERR_STORE_UNAVAILABLE, ERR_STORE_REFUSED, ... The answer is to be
 * released either way. */
MUST_CHECK enum err_code s3_call(struct s3_store *s, const struct s3_call *call,
                                 struct s3_answer *a, struct err *err);
/* One try, up to the body: *h is to be given back by s3_http_keep. */
MUST_CHECK enum err_code s3_open(struct s3_store *s, const struct s3_call *call,
                                 struct s3_tries *tries, struct http **h, struct s3_answer *a,
                                 struct err *err);
/* After an error of one try: true: the cause was put right or waited for, try again. Else `err` has
 * its last words. */
bool s3_again(struct s3_store *s, const struct s3_call *call, struct s3_tries *tries,
              const struct s3_answer *a, struct err *err);

void s3_http_keep(struct s3_store *s, struct http *h);
/* The object's key in the bucket; heap. */
char *s3_key(const struct s3_store *s, const char *path);
MUST_CHECK enum err_code s3_token_new(char token[S3_TOKEN_MAX], struct err *err);
/* Headers that every new object gets: encryption, class, access, who wrote it. Returns how many. */
#define S3_OBJECT_HEADERS 6
size_t s3_object_headers(const struct s3_store *s, const char *writer, struct s3_pair *headers);

/* ---- s3_later.c ---- */

/* A thing to do in the background, a member of what it is about (`of`). */
struct s3_job {
    enum err_code (*run)(struct s3_job *, struct err *);
    void (*release)(struct s3_job *); /* behind run, or in its place where that is given up */
    void *of;
    struct s3_job *prev, *next; /* s3_later.c's own, as is `number` */
    uint64_t number;
};
struct s3_later *s3_later_new(void);
/* What has not begun is released without being done; what has, is waited for. */
void s3_later_free(struct s3_later *l);
/* false: there is no room, and the job stays the caller's, to be done by himself. */
bool s3_later_add(struct s3_later *l, struct s3_job *job);
/* Waits for all that was added before. The first failure of any job, for good. */
MUST_CHECK enum err_code s3_later_sync(struct s3_later *l, struct err *err);

/* ---- the drivers' parts ---- */

enum err_code s3_open_read(struct store *s, const char *path, uint64_t off, uint64_t len,
                           struct source **src, struct err *err);
enum err_code s3_open_write(struct store *s, const char *path, struct sink **sink, struct err *err);
enum err_code s3_open_grouped(struct store *s, const char *path, struct sink **sink,
                              struct err *err);
enum err_code s3_list(struct store *s, const char *prefix, const char *start, store_list_fn *fn,
                      void *ctx, struct err *err);
enum err_code s3_discard(struct store *s, const char *prefix, struct err *err);
/* Gives up the uploads below `prefix` (a key's beginning) that are not under way in this store;
 * with `keep`, those of the very key `prefix` whose id is another. */
MUST_CHECK enum err_code s3_uploads_end(struct s3_store *s, const char *prefix, const char *keep,
                                        struct err *err);
/* Bytes of an upload's part, from 1: such that 10,000 of them hold the 5 TiB of the largest object.
 */
size_t s3_part_bytes(unsigned number);

#endif
