/* common/mysql/row_change.h: one row of a table before and after a change.
 *
 * The images have all columns of the table, in its order, generated and invisible ones too, in the
 * form of row.h: what a SELECT of column_select_expr gives. The struct borrows everything; it is
 * valid until its giver's next call. */
#ifndef FERRY_MYSQL_ROW_CHANGE_H
#define FERRY_MYSQL_ROW_CHANGE_H

#include "common/mysql/row.h"

#include <stdbool.h>
#include <stdint.h>

enum row_change_kind { ROW_INSERT, ROW_UPDATE, ROW_DELETE };

struct row_change {
    enum row_change_kind kind;
    struct row before; /* count 0: none, of an INSERT */
    struct row after;  /* count 0: none, of a DELETE */
    /* Which columns an image holds: bit i % 8 of byte i / 8. The cell of a column that it does not
     * hold is NULL. With binlog_row_image=FULL all are held, but for virtual generated columns on
     * some servers. */
    const uint8_t *before_has, *after_has;
};

static inline bool row_change_has(const uint8_t *has, unsigned column)
{
    return (has[column / 8] >> (column % 8) & 1) != 0;
}

#endif
