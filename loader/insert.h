/* loader/insert.h: the INSERT statements of the careful path. */
#ifndef FERRY_LOADER_INSERT_H
#define FERRY_LOADER_INSERT_H

#include "loader/load_inner.h"

/* How many cells of the row are an ENUM's error value. */
unsigned insert_enum_errors(const struct load_table *t, const struct row *row);
/* Says w->sql, the INSERT of one row that holds `enum_errors` error values (index 0) of ENUM
 * columns, which a strict session refuses: without strictness, and exactly so many warnings of that
 * kind are right. *refused: the server refused the row or changed it otherwise, and `why` says so;
 * then the transaction is to be rolled back. */
MUST_CHECK enum err_code insert_enum_error_sql(struct worker *w, unsigned enum_errors,
                                               bool *refused, struct err *why, struct err *err);
/* Warnings of the statement before. */
MUST_CHECK enum err_code insert_warning_count(struct conn *c, uint64_t *count, struct err *err);
/* The first warning's words into `why`, as ERR_LOAD_BAD_VALUE. */
MUST_CHECK enum err_code insert_warning_words(struct conn *c, struct err *why, struct err *err);
/* Whether an error speaks of the rows (a value, a key, a constraint), not of table or server. */
bool insert_error_is_of_row(const struct err *err);

#endif
