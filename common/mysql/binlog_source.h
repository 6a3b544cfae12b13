/* common/mysql/binlog_source.h: where events come from: a server's stream or captured segments.
 *
 * Events come in the order of the binlog, each whole and with its checksum verified. One thread at
 * a time. */
#ifndef FERRY_MYSQL_BINLOG_SOURCE_H
#define FERRY_MYSQL_BINLOG_SOURCE_H

#include "common/mysql/binlog_event.h"
#include "common/mysql/gtid_set.h"

/* Where to begin. Everything is borrowed for the call. */
struct binlog_start {
    const char *file;             /* NULL: by GTID set */
    uint64_t offset;              /* of an event, 4 and up */
    const struct gtid_set *gtids; /* what is not wanted any more; may be empty; NULL with a file */
};

/* One event; all of it is valid until the next call of the source. */
struct binlog_raw {
    const uint8_t *data; /* header.size bytes: header, body and, if there is one, checksum */
    size_t len;          /* without the checksum */
    struct binlog_header header;
    const char *file;    /* the binlog file it is in; "" before the first is known */
    uint64_t start, end; /* its offsets there, its checksum included; equal when it is in no file */
};

enum binlog_got {
    BINLOG_GOT_EVENT,
    BINLOG_GOT_NOTHING, /* nothing new for the time of a heartbeat; or a call was interrupted */
    BINLOG_GOT_END      /* the segments' end, or that of a stream that does not wait */
};

struct binlog_source;
struct binlog_source_ops {
    const char *name; /* for messages: "server", "segments" */
    /* Rotate events that are in the file are passed on; those made for the stream, and heartbeats,
     * are not. A format description comes before the first event of each file. ERR_BINLOG_EVENT, a
     * server's error (retryable: reopen), ERR_BINLOG_PURGED. After a failure only reopen and free
     * may be called. */
    enum err_code (*next)(struct binlog_source *self, struct binlog_raw *raw, enum binlog_got *got,
                          struct err *err);
    /* Begins again at `at`, on a new connection; one try, without waiting. NULL: cannot be done. */
    enum err_code (*reopen)(struct binlog_source *self, const struct binlog_start *at,
                            struct err *err);
    void (*free)(struct binlog_source *self);
};
struct binlog_source {
    const struct binlog_source_ops *ops; /* first member of each kind */
};

static inline void binlog_source_free(struct binlog_source *source)
{
    if (source)
        source->ops->free(source);
}

#endif
