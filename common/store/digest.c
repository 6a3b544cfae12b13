#include "common/store/digest.h"

#include "common/base/mem.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <xxhash.h>

#define DIGEST_PIECE_BYTES                                                                         \
    ((size_t)4 << 10) /* hashed twice while in the nearest cache: 32 KiB is slower by a third */

struct digest_tap {
    struct sink base;
    struct digest *result; /* borrowed */
    struct digest sum;     /* so far; `blocks` holds whole ones only until finish */
    size_t block_cap;
    size_t block_fill; /* bytes hashed of the block being filled */
    EVP_MD_CTX *sha256;
    XXH3_state_t *xxh3;
    bool ready; /* the libraries gave what is needed */
};

void digest_release(struct digest *d)
{
    free(d->blocks);
    *d = (struct digest){0};
}

static void digest_end_block(struct digest_tap *t)
{
    struct digest *d = &t->sum;

    if (d->block_count == t->block_cap) {
        t->block_cap = t->block_cap ? t->block_cap * 2 : 64;
        d->blocks = xreallocarray(d->blocks, t->block_cap, sizeof *d->blocks);
    }
    d->blocks[d->block_count++] = XXH3_64bits_digest(t->xxh3);
    (void)XXH3_64bits_reset(t->xxh3);
    t->block_fill = 0;
}

static bool digest_update(struct digest_tap *t, const unsigned char *buf, size_t len)
{
    while (len > 0) {
        size_t n = DIGEST_BLOCK_BYTES - t->block_fill;

        if (n > DIGEST_PIECE_BYTES)
            n = DIGEST_PIECE_BYTES;
        if (n > len)
            n = len;
        if (EVP_DigestUpdate(t->sha256, buf, n) != 1 ||
            XXH3_64bits_update(t->xxh3, buf, n) != XXH_OK)
            return false;
        t->block_fill += n;
        t->sum.bytes += n;
        if (t->block_fill == DIGEST_BLOCK_BYTES)
            digest_end_block(t);
        buf += n;
        len -= n;
    }
    return true;
}

static enum err_code digest_fail(struct err *err)
{
    return err_set(err, ERR_INTERNAL, "a checksum cannot be computed");
}

static enum err_code digest_tap_write(struct sink *self, const void *buf, size_t len,
                                      struct err *err)
{
    struct digest_tap *t = (struct digest_tap *)self;

    if (!t->ready || !digest_update(t, buf, len))
        return digest_fail(err);
    return sink_write(self->next, buf, len, err);
}

static enum err_code digest_tap_finish(struct sink *self, struct err *err)
{
    struct digest_tap *t = (struct digest_tap *)self;
    enum err_code rc;

    if (!t->ready || EVP_DigestFinal_ex(t->sha256, t->sum.sha256, NULL) != 1)
        return digest_fail(err);
    if (t->block_fill > 0)
        digest_end_block(t);
    rc = sink_finish(self->next, err);
    if (rc)
        return rc;
    *t->result = t->sum;
    t->sum = (struct digest){0};
    return ERR_OK;
}

static void digest_tap_free(struct sink *self)
{
    struct digest_tap *t = (struct digest_tap *)self;

    sink_free(self->next);
    EVP_MD_CTX_free(t->sha256);
    (void)XXH3_freeState(t->xxh3);
    digest_release(&t->sum);
    free(t);
}

static const struct sink_ops digest_tap_ops = {"digest", digest_tap_write, digest_tap_finish,
                                               digest_tap_free};

struct sink *digest_tap_new(struct sink *next, struct digest *d)
{
    struct digest_tap *t = xcalloc(1, sizeof *t);

    t->base.ops = &digest_tap_ops;
    t->base.next = next;
    t->result = d;
    t->sha256 = EVP_MD_CTX_new();
    t->xxh3 = XXH3_createState();
    t->ready = t->sha256 && t->xxh3 && EVP_DigestInit_ex(t->sha256, EVP_sha256(), NULL) == 1 &&
               XXH3_64bits_reset(t->xxh3) == XXH_OK;
    return &t->base;
}
