/* loader/put.h: rows of a batch into a table, by LOAD DATA LOCAL or INSERT, with a look at what
 * became of them. Within the caller's transaction, if there is one. */
#ifndef FERRY_LOADER_PUT_H
#define FERRY_LOADER_PUT_H

#include "loader/load_inner.h"

struct put_dest {
    const char *load_sql;   /* LOAD DATA LOCAL ... */
    const char *insert_sql; /* "INSERT INTO ... VALUES " */
    bool numbered;          /* the first column takes the row's number in the batch */
};
struct put_result {
    bool refused;   /* the server refused something of the rows, or changed it: what of them is
                       there is not known */
    struct err why; /* its words, when only one row was given by INSERT */
};
/* By LOAD DATA LOCAL, or by INSERT. Writes the rows (indexes in w->batch, in order; count may be
 * 0). After a refusal of LOAD the connection may be gone, and with it transaction and temporary
 * tables. An error is not the rows'. */
typedef enum err_code put_fn(struct worker *w, const struct put_dest *dest, const unsigned *rows,
                             unsigned count, struct put_result *result, struct err *err);
MUST_CHECK put_fn put_load, put_insert;
/* Whether the batch may go by LOAD DATA LOCAL. */
bool put_may_load(const struct worker *w);
/* Says once that LOCAL is not allowed; true: the error was that. */
bool put_local_refused(struct worker *w, const struct err *err);

#endif
