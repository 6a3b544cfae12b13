/* common/target/report.h: one record form for whatever the target refused: a conflict or a bad
 * value, row by row. */
#ifndef FERRY_TARGET_REPORT_H
#define FERRY_TARGET_REPORT_H

#include "common/base/strbuf.h"
#include "common/mysql/row.h"
#include "common/schema/model.h"

#include <stdint.h>

struct refusal { /* everything is owned; refusal_release */
    char *db, *table;
    char *key;        /* name of the key as the target says it; NULL: a bad value */
    char *key_values; /* "(1,'a')": the incoming row's values of the key's columns; "" when the
                         key's columns are not known */
    char *words;      /* the server's */
    char *file;
    uint64_t row; /* in the file, from 1 */
};
void refusal_release(struct refusal *r);
/* One line for people:
 * shop.t: row 17 of 'shop.t.000000001.sql': duplicate key PRIMARY (17): words */
void refusal_text(const struct refusal *r, struct strbuf *out);
/* The key's name out of error 1062's words, a heap string; NULL if there is none. Forms:
 * "Duplicate entry 'x' for key 'PRIMARY'" (MySQL 5.5 to 8.0.18, MariaDB, TiDB before 5.2) and
 * "... for key 't.PRIMARY'" (later ones): the part before the dot is taken off if it is `table`. */
char *refusal_key_of_message(const char *words, const char *table);
/* "(1,'a',x'00',NULL)" of the key's columns: `cell_of[i]` is the index in `row` of the table's i-th
 * column, negative when the row does not hold it (then it is "?"). A value is cut at 64 bytes. */
void refusal_key_values(const struct table *t, const struct key *key, const int *cell_of,
                        const struct row *row, struct strbuf *out);

#endif
