/* formats/binlog_payload.h: the events inside of a Transaction_payload event, unpacked one by one,
 * so that memory holds one of them and not the transaction. One thread at a time. */
#ifndef FERRY_FORMATS_BINLOG_PAYLOAD_H
#define FERRY_FORMATS_BINLOG_PAYLOAD_H

#include "common/mysql/binlog_event.h"

struct payload;

struct payload *payload_new(void);
void payload_free(struct payload *p); /* NULL is fine */
/* The event in data[0..len), header included, without checksum; it must stay until the end.
 * ERR_BINLOG_EVENT; ERR_BINLOG_UNSUPPORTED: another compression than zstd. */
MUST_CHECK enum err_code payload_begin(struct payload *p, const uint8_t *data, size_t len,
                                       struct err *err);
/* The next event, header included; events inside have no checksum. Valid until the next call. *more
 * false at the end. */
MUST_CHECK enum err_code payload_next(struct payload *p, const uint8_t **data, size_t *len,
                                      bool *more, struct err *err);

#endif
