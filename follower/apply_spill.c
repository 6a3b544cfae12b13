#include "follower/apply_spill.h"

#include "common/base/mem.h"
#include "follower/apply_table.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum err_code spill_new(const char *folder, struct spill **out, struct err *err)
{
    const char *tmp = getenv("TMPDIR"); /* NOLINT(concurrency-mt-unsafe): nothing sets variables */
    const char *where = folder ? folder : tmp && *tmp ? tmp : "/tmp";
    char *path = xasprintf("%s/ferry-XXXXXX", where);
    const int fd = mkstemp(path);
    struct spill *s;

    if (fd < 0) {
        const int number = errno;

        free(path);
        return err_set_errno(err, err_code_of_errno(number), number,
                             "no temporary file for a large transaction in '%s' (TMPDIR names "
                             "another folder)",
                             where);
    }
    (void)unlink(path);
    free(path);
    s = xcalloc(1, sizeof *s);
    s->fd = fd;
    *out = s;
    return ERR_OK;
}

void spill_free(struct spill *s)
{
    if (!s)
        return;
    (void)close(s->fd);
    free(s);
}

enum err_code spill_add(struct spill *s, const void *data, size_t len, struct err *err)
{
    const char *at = data;

    while (len > 0) {
        const ssize_t n = pwrite(s->fd, at, len, (off_t)s->bytes);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            const int number = n < 0 ? errno : EIO;

            return err_set_errno(err, err_code_of_errno(number), number,
                                 "writing a large transaction to a temporary file");
        }
        at += n;
        len -= (size_t)n;
        s->bytes += (uint64_t)n;
    }
    return ERR_OK;
}

static enum err_code read_more(const struct spill *s, uint64_t at, size_t len, struct strbuf *out,
                               struct err *err)
{
    if (strbuf_reserve(out, len, err))
        return err->code;
    while (len > 0) {
        const ssize_t n = pread(s->fd, out->str + out->len, len, (off_t)at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            const int number = n < 0 ? errno : EIO;

            return err_set_errno(err, err_code_of_errno(number), number,
                                 "reading a large transaction from a temporary file");
        }
        at += (uint64_t)n;
        len -= (size_t)n;
        out->len += (size_t)n;
        out->str[out->len] = '\0';
    }
    return ERR_OK;
}

/* The length of the whole changes at the start of `out`; *more: bytes that the next one lacks. */
static size_t whole(const struct strbuf *out, size_t *more)
{
    size_t at = 0;

    *more = 0;
    while (at + sizeof(struct change_head) <= out->len) {
        const struct change_head h = apply_head(out->str + at);

        if (h.size > out->len - at) {
            *more = h.size - (out->len - at);
            break;
        }
        at += h.size;
    }
    return at;
}

enum err_code spill_read(const struct spill *s, uint64_t at, size_t bytes, struct strbuf *out,
                         struct err *err)
{
    const uint64_t left = at < s->bytes ? s->bytes - at : 0;
    size_t more = 0, len;

    strbuf_reset(out);
    if (read_more(s, at, left < bytes ? (size_t)left : bytes, out, err))
        return err->code;
    len = whole(out, &more);
    if (len == 0 && more > 0) {
        if (read_more(s, at + out->len, more, out, err))
            return err->code;
        len = whole(out, &more);
    }
    if (len == 0 && left > 0)
        return err_set(err, ERR_INTERNAL, "a temporary file of changes is not whole");
    if (len < out->len)
        strbuf_setlen(out, len);
    return ERR_OK;
}
