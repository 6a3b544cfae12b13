#include "common/store/digest.h"

#include "common/base/mem.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct block_source {
    struct source base; /* next: the store's */
    const struct digest *digest;
    char *name;           /* store and path, for messages; owned */
    unsigned char *block; /* DIGEST_BLOCK_BYTES, or the object's size if that is less */
    size_t fill, given;   /* bytes of it that were read; and passed on */
    size_t number;        /* of the block to read next */
    size_t skip;          /* bytes of the first block that come before `off` */
    EVP_MD_CTX *sha256;   /* NULL: the whole is not checked */
};

/* Up to `len` bytes; fewer at the end of the object only. */
static enum err_code block_fill(struct source *from, unsigned char *buf, size_t len, size_t *filled,
                                struct err *err)
{
    size_t done = 0;

    while (done < len) {
        size_t got = 0;
        enum err_code rc = source_read(from, buf + done, len - done, &got, err);

        if (rc)
            return rc;
        if (got == 0)
            break;
        done += got;
    }
    *filled = done;
    return ERR_OK;
}

static enum err_code block_check_end(struct block_source *b, struct err *err)
{
    unsigned char sha256[EVP_MAX_MD_SIZE];
    unsigned char extra;
    size_t got = 0;
    enum err_code rc = source_read(b->base.next, &extra, 1, &got, err);

    if (rc)
        return rc;
    if (got > 0)
        return err_set(err, ERR_CORRUPT, "%s: longer than the %" PRIu64 " bytes that were written",
                       b->name, b->digest->bytes);
    if (!b->sha256)
        return ERR_OK;
    if (EVP_DigestFinal_ex(b->sha256, sha256, NULL) != 1)
        return err_set(err, ERR_INTERNAL, "a checksum cannot be computed");
    if (memcmp(sha256, b->digest->sha256, DIGEST_SHA256_BYTES) != 0)
        return err_set(err, ERR_CORRUPT, "%s: the SHA-256 of the whole differs", b->name);
    return ERR_OK;
}

/* Reads and verifies the next block; the last one together with what is behind it, so that its
 * bytes are passed on only if the object ends there. */
static enum err_code block_next(struct block_source *b, struct err *err)
{
    const struct digest *d = b->digest;
    uint64_t from = (uint64_t)b->number * DIGEST_BLOCK_BYTES;
    size_t want = DIGEST_BLOCK_BYTES;
    enum err_code rc;

    if (d->bytes - from < want)
        want = (size_t)(d->bytes - from);
    b->given = 0;
    rc = block_fill(b->base.next, b->block, want, &b->fill, err);
    if (rc)
        return rc;
    if (b->fill < want)
        return err_set(err, ERR_CORRUPT,
                       "%s: cut in block %zu: it has %" PRIu64 " bytes instead of %" PRIu64,
                       b->name, b->number, from + b->fill, d->bytes);
    if (XXH3_64bits(b->block, want) != d->blocks[b->number])
        return err_set(err, ERR_CORRUPT,
                       "%s: the checksum of block %zu (bytes %" PRIu64 " to %" PRIu64 ") differs",
                       b->name, b->number, from, from + want - 1);
    if (b->sha256 && EVP_DigestUpdate(b->sha256, b->block, want) != 1)
        return err_set(err, ERR_INTERNAL, "a checksum cannot be computed");
    b->number++;
    b->given = b->skip;
    b->skip = 0;
    return b->number == d->block_count ? block_check_end(b, err) : ERR_OK;
}

static enum err_code block_source_read(struct source *self, void *buf, size_t cap, size_t *got,
                                       struct err *err)
{
    struct block_source *b = (struct block_source *)self;
    size_t n;

    while (b->given == b->fill && b->number < b->digest->block_count) {
        enum err_code rc = block_next(b, err);

        if (rc)
            return rc;
    }
    n = b->fill - b->given;
    if (n > cap)
        n = cap;
    if (n > 0)
        memcpy(buf, b->block + b->given, n);
    b->given += n;
    *got = n;
    return ERR_OK;
}

static void block_source_free(struct source *self)
{
    struct block_source *b = (struct block_source *)self;

    source_free(self->next);
    EVP_MD_CTX_free(b->sha256);
    free(b->block);
    free(b->name);
    free(b);
}

static const struct source_ops block_source_ops = {"verify", block_source_read, block_source_free};

static enum err_code block_open(struct block_source *b, struct store *s, const char *path,
                                struct err *err)
{
    uint64_t from = (uint64_t)b->number * DIGEST_BLOCK_BYTES;
    enum err_code rc = store_open_read(s, path, from, 0, &b->base.next, err);

    if (rc == ERR_STORE_NOT_FOUND)
        return err_set(err, ERR_DUMP_FILE_MISSING, "%s is missing", b->name);
    if (rc)
        return rc;
    /* Nothing is left to read, so that nothing else would look. */
    if (b->number == b->digest->block_count)
        return block_check_end(b, err);
    return ERR_OK;
}

/* NOLINTNEXTLINE(readability-function-size): the contract's seven parameters */
enum err_code block_source_new(struct store *s, const char *path, const struct digest *d,
                               uint64_t off, bool whole, struct source **src, struct err *err)
{
    uint64_t blocks = d->bytes / DIGEST_BLOCK_BYTES + (d->bytes % DIGEST_BLOCK_BYTES > 0);
    size_t size = d->bytes < DIGEST_BLOCK_BYTES ? (size_t)d->bytes : DIGEST_BLOCK_BYTES;
    struct block_source *b;
    enum err_code rc = ERR_OK;

    if (blocks != d->block_count)
        return err_set(err, ERR_FORMAT, "%s/%s: %zu checksums for %" PRIu64 " blocks", s->text,
                       path, d->block_count, blocks);
    if (off > d->bytes)
        off = d->bytes;
    b = xcalloc(1, sizeof *b);
    b->base.ops = &block_source_ops;
    b->digest = d;
    b->name = xasprintf("%s/%s", s->text, path);
    b->number = (size_t)(off / DIGEST_BLOCK_BYTES);
    b->skip = (size_t)(off % DIGEST_BLOCK_BYTES);
    b->block = malloc(size ? size : 1);
    if (!b->block)
        rc = err_set(err, ERR_NOMEM, "no memory for a block of %zu bytes", size);
    if (!rc && whole && off == 0) {
        b->sha256 = EVP_MD_CTX_new();
        if (!b->sha256 || EVP_DigestInit_ex(b->sha256, EVP_sha256(), NULL) != 1)
            rc = err_set(err, ERR_INTERNAL, "a checksum cannot be computed");
    }
    if (!rc)
        rc = block_open(b, s, path, err);
    if (rc)
        block_source_free(&b->base);
    else
        *src = &b->base;
    return rc;
}
