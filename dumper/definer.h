/* dumper/definer.h: the DEFINER clause of views, triggers, routines and events: kept, left out, or
 * another account's. No state: any thread. */
#ifndef FERRY_DUMPER_DEFINER_H
#define FERRY_DUMPER_DEFINER_H

#include "common/base/strbuf.h"

enum definer_kind { DEFINER_KEEP, DEFINER_STRIP, DEFINER_REPLACE };

struct definer {
    enum definer_kind kind;
    const char *text; /* as it was said; NULL: keep */
    const char *user; /* DEFINER_REPLACE: user_len bytes; borrowed from `text` */
    size_t user_len;
    const char *host;
};

/* "keep", "strip", or NAME@HOST (the last '@' counts). ERR_USAGE. */
MUST_CHECK enum err_code definer_parse(const char *text, struct definer *d, struct err *err);
/* Appends the CREATE statement of `len` bytes as SHOW CREATE prints it, in any character set that
 * holds ASCII, with its clause as `d` says. */
void definer_rewrite(const struct definer *d, const char *sql, size_t len, struct strbuf *out);

#endif
