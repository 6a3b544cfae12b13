/* common/base/err.h: a returned code and a message the caller owns.
 *
 * Every fallible function returns `enum err_code` and takes `struct err *err` last. The place that
 * detects the fault says what (err_set); each layer may say where (err_wrap); only main and the
 * worker loops print. A struct err lives on one thread's stack and needs no freeing. */
#ifndef FERRY_BASE_ERR_H
#define FERRY_BASE_ERR_H

#include <stdbool.h>
#include <stddef.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/* One value per row of errors.def, in its order; ERR_OK is 0. */
enum err_code {
    ERR_OK = 0,
#define ERR(code, name, exit, retryable, cause, remedy) ERR_##code,
#include "common/base/errors.def"
#undef ERR
    ERR_COUNT
};

#define ERR_MSG_MAX                                                                                \
    1024 /* bytes, the NUL included; longer messages are cut at a UTF-8 character                  \
          */

struct err {
    enum err_code code;
    unsigned server_errno; /* the MySQL error number behind the code; 0: none */
    char msg[ERR_MSG_MAX];
};

#define ERR_INIT                                                                                   \
    {                                                                                              \
        .code = ERR_OK                                                                             \
    }

/* What errors.def says of a code. All strings are static. */
struct err_info {
    const char *name;   /* "FERRY-LOAD-CONFLICT" */
    int exit_status;    /* design.md, section 9 */
    bool retryable;     /* the same step may succeed when tried again later */
    const char *cause;  /* one sentence, for docs/errors.md */
    const char *remedy; /* what to do, printed as the hint line; "" when the message says it all */
};

const struct err_info *err_info(enum err_code code);

/* Sets code and message, overwriting what was there; returns `code` so that it can be returned. */
enum err_code err_set(struct err *err, enum err_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* As err_set, with ": <text of errnum>" appended. */
enum err_code err_set_errno(struct err *err, enum err_code code, int errnum, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

/* Puts "context: " in front of the message; returns err->code. */
enum err_code err_wrap(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* A fault is never ERR_OK. clang's analyser cannot see that across files, and would follow paths on
 * which an out-parameter was not set and yet no error came back. */
#ifdef __clang_analyzer__
static inline enum err_code err_fault(enum err_code code)
{
    if (code == ERR_OK)
        __builtin_unreachable();
    return code;
}
#define err_set(...) err_fault(err_set(__VA_ARGS__))
#define err_set_errno(...) err_fault(err_set_errno(__VA_ARGS__))
#define err_wrap(...) err_fault(err_wrap(__VA_ARGS__))
#endif

/* Back to ERR_OK with an empty message. */
void err_clear(struct err *err);

/* ERR_IO, ERR_DISK_FULL (ENOSPC, EDQUOT), ERR_STORE_DENIED (EACCES, EPERM, EROFS) or
 * ERR_STORE_NOT_FOUND (ENOENT) for an errno of a file operation. */
enum err_code err_code_of_errno(int errnum);

#endif
