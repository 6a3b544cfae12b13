/* formats/binlog_json.h: MySQL's binary JSON as the text that the server prints.
 *
 * Source of the format: sql-common/json_binary.h of MySQL, "BNF". No state: any thread. */
#ifndef FERRY_FORMATS_BINLOG_JSON_H
#define FERRY_FORMATS_BINLOG_JSON_H

#include "common/base/strbuf.h"

#include <stdint.h>

/* Appends the text. No bytes at all are the literal null. ERR_BINLOG_EVENT: it is cut, or points
 * outside of itself; ERR_LIMIT: the text is larger than out->max. */
MUST_CHECK enum err_code json_binary_text(const uint8_t *data, size_t len, struct strbuf *out,
                                          struct err *err);

#endif
