/* The binlog over SQL. Older servers and MariaDB hold the lock of their binlog while they answer
 * SHOW BINLOG EVENTS, so it is asked for in short pieces. */
#include "dumper/changes.h"

#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/schema/ddl_names.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define BINLOG_MAX ((uint64_t)256 << 20) /* bytes: some seconds of the server's time */
#define PIECE_EVENTS 1000
#define FILE_START 4   /* behind the magic number */
#define WORDS_SHOWN 80 /* of a statement */

struct binlog_file {
    char *name;
    uint64_t size;
};
struct binlog {
    struct conn *conn;
    struct binlog_file *files; /* from the position's on */
    size_t count;
    uint64_t bytes; /* to be read */
    binlog_ddl_fn *fn;
    void *ctx;
    struct strbuf where;
};

static void binlog_release(struct binlog *b)
{
    for (size_t i = 0; i < b->count; i++)
        free(b->files[i].name);
    free(b->files);
    strbuf_release(&b->where);
}

static void binlog_file_row(struct binlog *b, const struct row *row, const struct position *from)
{
    uint64_t size;

    if (row->count < 2 || !row->cell[0] || !row->cell[1])
        return;
    if (!b->count && strcmp(row->cell[0], from->file) != 0)
        return;
    size = strtoull(row->cell[1], NULL, 10);
    b->bytes += size - (b->count || size < from->offset ? 0 : from->offset);
    b->files = xreallocarray(b->files, b->count + 1, sizeof(*b->files));
    b->files[b->count++] = (struct binlog_file){xstrdup(row->cell[0]), size};
}

static enum err_code binlog_list(struct binlog *b, const struct position *from, struct err *err)
{
    struct result *r = NULL;
    struct row row;
    bool more = true;
    enum err_code rc = conn_queryz(b->conn, "SHOW BINARY LOGS", &r, err);

    while (!rc && more) {
        rc = result_next(r, &row, &more, err);
        if (!rc && more)
            binlog_file_row(b, &row, from);
    }
    result_free(r);
    return rc;
}

static void binlog_name(void *ctx, const char *db, const char *table)
{
    struct binlog *b = ctx;

    b->fn(b->ctx, db, table, strbuf_str(&b->where));
}

enum { EVENT_POS = 1, EVENT_TYPE = 2, EVENT_END = 4, EVENT_INFO = 5 };

static void binlog_event(struct binlog *b, const struct binlog_file *file, const struct row *row)
{
    const char *sql = row->cell[EVENT_INFO];
    size_t len = row->len[EVENT_INFO];
    char *db;

    if (!sql || !row->cell[EVENT_TYPE] || strncmp(row->cell[EVENT_TYPE], "Query", 5) != 0)
        return;
    db = ddl_take_use(&sql, &len);
    strbuf_reset(&b->where);
    strbuf_addf(&b->where, "%s:%s: %.*s", file->name,
                row->cell[EVENT_POS] ? row->cell[EVENT_POS] : "?",
                (int)(len < WORDS_SHOWN ? len : WORDS_SHOWN), sql);
    (void)ddl_names(sql, len, db, binlog_name, b);
    free(db);
}

/* One answer's events; *pos: where the last of them ends. */
static enum err_code binlog_piece(struct binlog *b, const struct binlog_file *file, uint64_t *pos,
                                  struct err *err)
{
    struct strbuf sql = {0};
    struct result *r = NULL;
    struct row row;
    bool more = true;
    enum err_code rc;

    strbuf_addstr(&sql, "SHOW BINLOG EVENTS IN ");
    strbuf_add_quotedz(&sql, file->name);
    strbuf_addf(&sql, " FROM %" PRIu64 " LIMIT %d", *pos, PIECE_EVENTS);
    rc = conn_query(b->conn, strbuf_str(&sql), sql.len, true, &r, err);
    strbuf_release(&sql);
    while (!rc && more) {
        rc = result_next(r, &row, &more, err);
        if (rc || !more || row.count <= EVENT_INFO || !row.cell[EVENT_END])
            continue;
        binlog_event(b, file, &row);
        *pos = strtoull(row.cell[EVENT_END], NULL, 10);
    }
    result_free(r);
    return rc;
}

static enum err_code binlog_file_read(struct binlog *b, const struct binlog_file *file,
                                      uint64_t pos, struct err *err)
{
    enum err_code rc = ERR_OK;

    while (!rc && pos < file->size) {
        const uint64_t before = pos;

        rc = binlog_piece(b, file, &pos, err);
        if (!rc && pos <= before)
            return err_set(err, ERR_SERVER_UNSUPPORTED, "%s ends at %" PRIu64 " of %" PRIu64,
                           file->name, pos, file->size);
    }
    return rc;
}

/* What the server refuses is a reason; a lost connection is an error. */
static enum err_code binlog_unread(enum err_code rc, struct strbuf *why, struct err *err)
{
    if (rc == ERR_SERVER_LOST || rc == ERR_CONNECT)
        return rc;
    strbuf_addstr(why, err->msg);
    err_clear(err);
    return ERR_OK;
}

/* The contract's seven arguments are plainer than a struct made for one call.
 * NOLINTNEXTLINE(readability-function-size) */
enum err_code dumper_binlog_ddl(struct conn *c, const struct position *from, binlog_ddl_fn *fn,
                                void *ctx, bool *read, struct strbuf *why, struct err *err)
{
    struct binlog b = {.conn = c, .fn = fn, .ctx = ctx};
    enum err_code rc = ERR_OK;

    *read = false;
    if (!from->file) {
        strbuf_addstr(why, "the source writes none");
        return ERR_OK;
    }
    rc = binlog_list(&b, from, err);
    if (!rc && !b.count)
        strbuf_addf(why, "%s is gone", from->file);
    else if (!rc && b.bytes > BINLOG_MAX)
        strbuf_addf(why, "%" PRIu64 " MiB of it are too much to read", b.bytes >> 20);
    else
        for (size_t i = 0; !rc && i < b.count; i++)
            rc = binlog_file_read(&b, &b.files[i], i ? FILE_START : from->offset, err);
    *read = !rc && b.count && !why->len;
    binlog_release(&b);
    return rc ? binlog_unread(rc, why, err) : ERR_OK;
}
