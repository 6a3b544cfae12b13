/* common/target/ddl.h: the statements of a dump's schema file, and running them on a target. */
#ifndef FERRY_TARGET_DDL_H
#define FERRY_TARGET_DDL_H

#include "common/mysql/conn.h"

enum ddl_kind {
    DDL_CREATE,
    DDL_SET,      /* SET and USE: the session is ours, they are never run */
    DDL_DROP,     /* never run: Dumpling's view files drop a table of the name first */
    DDL_SEQUENCE, /* ALTER SEQUENCE, DO SETVAL(...): where a sequence that was created goes on */
    DDL_OTHER
};
struct ddl_statement { /* borrowed from the file's text; without the ';' */
    const char *text;
    size_t len;
    enum ddl_kind kind;
};
/* The next statement of the text [*pos, end), comments before it left out; a version comment that
 * holds statements ("!40101 SET ...") is one. false: none is left. Quotes, quoted names, comments
 * and backslash escapes are understood; DELIMITER is not. */
bool ddl_next(const char **pos, const char *end, struct ddl_statement *st);

/* Called for each warning that the server gave to a statement. */
typedef void ddl_warning_fn(void *ctx, const char *words);
struct ddl_params {
    const char *db;          /* the statements run in it; NULL: none is chosen */
    bool exists_ok;          /* what a CREATE finds there is left as it is */
    ddl_warning_fn *warning; /* may be NULL */
    void *ctx;               /* of `warning` */
};
/* Runs the CREATE and DDL_SEQUENCE statements of a schema file, the others as ddl_kind says;
 * DDL_OTHER is ERR_LOAD_SCHEMA, and so is a text without CREATE. The server's refusal is
 * ERR_LOAD_SCHEMA with its words, err->server_errno kept; retryable errors and lost rights keep
 * their own code. */
MUST_CHECK enum err_code ddl_run(struct conn *c, const struct ddl_params *p,
                                 const struct strbuf *text, struct err *err);

#endif
