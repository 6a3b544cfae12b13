/* formats/binlog_query.h: Query events: statements, and the session they ran in. No state. */
#ifndef FERRY_FORMATS_BINLOG_QUERY_H
#define FERRY_FORMATS_BINLOG_QUERY_H

#include "common/base/strbuf.h"
#include "common/mysql/binlog_event.h"

enum binlog_statement_kind {
    STATEMENT_BEGIN,
    STATEMENT_COMMIT,
    STATEMENT_ROLLBACK,
    STATEMENT_ROLLBACK_TO,
    STATEMENT_SAVEPOINT, /* and its release: nothing changes */
    STATEMENT_XA_START,
    STATEMENT_XA_END,
    STATEMENT_XA_DECIDE, /* XA COMMIT, XA ROLLBACK */
    STATEMENT_ROWS,      /* changes rows: INSERT, UPDATE, CALL ... */
    STATEMENT_DDL,       /* CREATE, ALTER, DROP, RENAME, TRUNCATE */
    STATEMENT_ADMIN,     /* GRANT, FLUSH, ANALYZE ...: changes neither rows nor definitions */
    STATEMENT_EMPTY,     /* a comment */
    STATEMENT_OTHER      /* not known */
};

#define QUERY_FLAG_NO_FOREIGN_KEYS 0x04000000U /* of flags2 */
#define QUERY_FLAG_RELAXED_UNIQUE 0x08000000U

struct binlog_statement {
    enum binlog_statement_kind kind;
    const char *text; /* not NUL-terminated; in the client's character set */
    size_t len;
    const char *db; /* the default database; "" for none */
    size_t db_len;
    uint32_t thread_id, flags2;
    uint64_t sql_mode;
    uint16_t error; /* not 0: it failed on the source, maybe in its middle */
    /* Collation ids; 0: not said. */
    uint16_t client, connection, server, database;
    const char *time_zone; /* not NUL-terminated; len 0: not said */
    size_t time_zone_len;
};

/* What a statement does, by its first words; comments are passed over, version comments are not. */
enum binlog_statement_kind binlog_statement_kind(const char *text, size_t len);
/* The Query or Query_compressed event in data[0..len), header included, without checksum.
 * `unpacked` takes the text of a compressed one. ERR_BINLOG_EVENT: it is cut. */
MUST_CHECK enum err_code binlog_query_read(const uint8_t *data, size_t len, struct strbuf *unpacked,
                                           struct binlog_statement *, struct err *err);

#endif
