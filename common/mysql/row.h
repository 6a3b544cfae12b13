/* common/mysql/row.h: a row as the server's text protocol gives it.
 *
 * Cells are UTF-8 for text, raw bytes for binary, NULL pointers for SQL NULL. The struct borrows
 * everything: it is a view into a result, a decoder's buffer or a batch, valid as its giver says.
 */
#ifndef FERRY_MYSQL_ROW_H
#define FERRY_MYSQL_ROW_H

#include <stddef.h>

struct row {
    const char *const *cell; /* cell[i] == NULL: SQL NULL; not NUL-terminated */
    const unsigned long
        *len; /* bytes; the type of mysql_fetch_lengths, so that results need no copy */
    unsigned count;
};

#endif
