#include "common/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* what err.h makes of them for the analyser */
#undef err_set
#undef err_set_errno
#undef err_wrap

static const struct err_info err_infos[ERR_COUNT] = {
    [ERR_OK] = {"FERRY-OK", 0, false, "nothing went wrong", ""},
#define ERR(code, name, exit, retryable, cause, remedy)                                            \
    [ERR_##code] = {name, exit, retryable, cause, remedy},
#include "common/base/errors.def"
#undef ERR
};

const struct err_info *err_info(enum err_code code)
{
    if ((unsigned)code >= ERR_COUNT)
        return &err_infos[ERR_INTERNAL];
    return &err_infos[code];
}

/* Bytes of the UTF-8 character that `lead` begins; 1 for anything that begins none. */
static size_t utf8_length(unsigned char lead)
{
    if (lead >= 0xf0)
        return 4;
    if (lead >= 0xe0)
        return 3;
    return lead >= 0xc0 ? 2 : 1;
}

/* The longest prefix of `str`, up to `len` bytes, that does not cut a UTF-8 character in two. */
static size_t utf8_prefix(const char *str, size_t len)
{
    size_t lead = len;

    while (lead > 0 && len - lead < 4) {
        lead--;
        if (((unsigned char)str[lead] & 0xc0) != 0x80)
            return lead + utf8_length((unsigned char)str[lead]) > len ? lead : len;
    }
    return len;
}

/* Formats into `out`, cut at a character; returns the length. `out` may not be among the
 * arguments. */
static PRINTF_LIKE(2, 0) size_t err_format(char out[ERR_MSG_MAX], const char *fmt, va_list args)
{
    int want = vsnprintf(out, ERR_MSG_MAX, fmt, args);
    size_t len;

    if (want < 0) {
        out[0] = '\0';
        return 0;
    }
    len = (size_t)want;
    if (len >= ERR_MSG_MAX) {
        len = utf8_prefix(out, ERR_MSG_MAX - 1);
        out[len] = '\0';
    }
    return len;
}

/* Appends `add` to the `len` bytes in `msg`, cut at a character; returns the new length. */
static size_t err_append(char msg[ERR_MSG_MAX], size_t len, const char *add)
{
    size_t room = ERR_MSG_MAX - 1 - len;
    size_t size = strlen(add);

    if (size > room)
        size = utf8_prefix(add, room);
    memcpy(msg + len, add, size);
    msg[len + size] = '\0';
    return len + size;
}

enum err_code err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
    char msg[ERR_MSG_MAX]; /* apart from err->msg, which may be an argument */
    va_list args;
    size_t len;

    va_start(args, fmt);
    len = err_format(msg, fmt, args);
    va_end(args);
    memcpy(err->msg, msg, len + 1);
    err->code = code;
    err->server_errno = 0;
    return code;
}

enum err_code err_set_errno(struct err *err, enum err_code code, int errnum, const char *fmt, ...)
{
    char msg[ERR_MSG_MAX];
    char reason[256];
    va_list args;
    size_t len;

    va_start(args, fmt);
    len = err_format(msg, fmt, args);
    va_end(args);
    if (strerror_r(errnum, reason, sizeof reason) != 0)
        (void)snprintf(reason, sizeof reason, "error number %d", errnum);
    len = err_append(msg, len, ": ");
    len = err_append(msg, len, reason);
    memcpy(err->msg, msg, len + 1);
    err->code = code;
    err->server_errno = 0;
    return code;
}

enum err_code err_wrap(struct err *err, const char *fmt, ...)
{
    char msg[ERR_MSG_MAX];
    va_list args;
    size_t len;

    va_start(args, fmt);
    len = err_format(msg, fmt, args);
    va_end(args);
    len = err_append(msg, len, ": ");
    len = err_append(msg, len, err->msg);
    memcpy(err->msg, msg, len + 1);
    return err->code;
}

void err_clear(struct err *err)
{
    err->code = ERR_OK;
    err->server_errno = 0;
    err->msg[0] = '\0';
}

enum err_code err_code_of_errno(int errnum)
{
    switch (errnum) {
    case ENOSPC:
    case EDQUOT:
        return ERR_DISK_FULL;
    case EACCES:
    case EPERM:
    case EROFS:
        return ERR_STORE_DENIED;
    case ENOENT:
        return ERR_STORE_NOT_FOUND;
    default:
        return ERR_IO;
    }
}
