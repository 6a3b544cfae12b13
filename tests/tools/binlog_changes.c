/* Prints what a server's binlog holds, one JSON object a line: for tests and measurements.
 *
 * binlog_changes URL [--file NAME --offset N] [--gtids SET] [--skip SET] [--end] [--filter PATTERN]
 *                [--reconnect SECONDS] [--server-id N] [--count]
 *
 * Without --file the start is the GTID set, which is empty by default. Cells are hexadecimal. With
 * --count nothing but the totals is printed. The exit status is 1 after an error, which is printed
 * last. */
#include "common/base/bytes.h"
#include "common/base/mem.h"
#include "common/mysql/binlog_stream.h"
#include "common/mysql/filter.h"
#include "common/schema/read.h"
#include "formats/binlog_reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct options {
    const char *url, *file, *gtids, *skip, *filter;
    uint64_t offset, reconnect, server_id;
    bool end, count;
};
struct program {
    struct options o;
    struct server_url url;
    struct conn *conn;
    struct filter *filter;
    struct schema *schema;
    struct charset_maps *maps;
    struct gtid_set *gtids, *skip;
    uint64_t rows, transactions;
};

static void options_read(struct options *o, char **argv)
{
    o->url = *argv++;
    o->filter = "*.*";
    for (; *argv; argv++) {
        const char *value = argv[1];

        if (strcmp(*argv, "--end") == 0) {
            o->end = true;
            continue;
        }
        if (strcmp(*argv, "--count") == 0) {
            o->count = true;
            continue;
        }
        if (!value)
            exit(2);
        if (strcmp(*argv, "--file") == 0)
            o->file = value;
        else if (strcmp(*argv, "--offset") == 0)
            o->offset = strtoull(value, NULL, 10);
        else if (strcmp(*argv, "--gtids") == 0)
            o->gtids = value;
        else if (strcmp(*argv, "--skip") == 0)
            o->skip = value;
        else if (strcmp(*argv, "--filter") == 0)
            o->filter = value;
        else if (strcmp(*argv, "--reconnect") == 0)
            o->reconnect = strtoull(value, NULL, 10);
        else if (strcmp(*argv, "--server-id") == 0)
            o->server_id = strtoull(value, NULL, 10);
        else
            exit(2);
        argv++;
    }
}

static enum err_code schema_refresh(struct program *p, struct err *err)
{
    schema_free(p->schema);
    p->schema = NULL;
    return schema_read(p->conn, p->filter, &p->schema, err);
}

static enum err_code find(void *ctx, const char *db, const char *name, const struct table **def,
                          struct err *err)
{
    struct program *p = ctx;

    (void)err;
    *def = schema_find(p->schema, db, name);
    return ERR_OK;
}

static void print_text(const char *text, size_t len)
{
    (void)putchar('"');
    for (size_t i = 0; i < len; i++) {
        const unsigned char c = (unsigned char)text[i];

        if (c == '"' || c == '\\')
            (void)printf("\\%c", c);
        else if (c < 0x20 || c >= 0x7f)
            (void)printf("\\u%04x", c);
        else
            (void)putchar(c);
    }
    (void)putchar('"');
}

static void print_image(const char *name, const struct row *row, const uint8_t *has)
{
    (void)printf(",\"%s\":[", name);
    for (unsigned i = 0; i < row->count; i++) {
        if (i > 0)
            (void)putchar(',');
        if (!row_change_has(has, i)) {
            (void)printf("false");
            continue;
        }
        if (!row->cell[i]) {
            (void)printf("null");
            continue;
        }
        (void)putchar('"');
        for (unsigned long k = 0; k < row->len[i]; k++)
            (void)fwrite(bytes_hex[(unsigned char)row->cell[i][k]], 1, 2, stdout);
        (void)putchar('"');
    }
    (void)putchar(']');
}

static void print_position(const struct binlog_reader *r)
{
    const struct binlog_position at = binlog_reader_position(r);
    struct strbuf gtids = {0};

    if (at.gtids)
        gtid_set_text(at.gtids, &gtids);
    (void)printf(",\"at_file\":\"%s\",\"at_offset\":%" PRIu64 ",\"at_gtids\":\"%s\"",
                 at.file ? at.file : "", at.offset, strbuf_str(&gtids));
    strbuf_release(&gtids);
}

static void print_item(const struct binlog_reader *r, const struct binlog_item *item)
{
    static const char *const kinds[] = {"begin",   "row",  "statement", "commit",
                                        "restart", "idle", "end"};
    static const char *const changes[] = {"insert", "update", "delete"};
    struct strbuf gtid = {0};

    (void)printf("{\"kind\":\"%s\",\"file\":\"%s\",\"start\":%" PRIu64 ",\"end\":%" PRIu64,
                 kinds[item->kind], item->file, item->start, item->end);
    if (item->gtid->kind != GTID_NONE)
        gtid_text(item->gtid, &gtid);
    (void)printf(",\"gtid\":\"%s\"", strbuf_str(&gtid));
    strbuf_release(&gtid);
    if (item->kind == BINLOG_ROW) {
        (void)printf(",\"change\":\"%s\",\"db\":", changes[item->change->kind]);
        print_text(item->table->db, strlen(item->table->db));
        (void)printf(",\"table\":");
        print_text(item->table->name, strlen(item->table->name));
        (void)printf(",\"flags\":%u", item->row_flags);
        if (item->annotation) {
            (void)printf(",\"annotation\":");
            print_text(item->annotation, strlen(item->annotation));
        }
        if (item->change->before.count)
            print_image("before", &item->change->before, item->change->before_has);
        if (item->change->after.count)
            print_image("after", &item->change->after, item->change->after_has);
    } else if (item->kind == BINLOG_STATEMENT) {
        (void)printf(",\"statement\":%d,\"text\":", (int)item->statement->kind);
        print_text(item->statement->text, item->statement->len);
        (void)printf(",\"db\":");
        print_text(item->statement->db, item->statement->db_len);
    } else if (item->kind != BINLOG_BEGIN) {
        print_position(r);
    }
    (void)printf("}\n");
    (void)fflush(stdout);
}

static enum err_code read_all(struct program *p, struct binlog_reader *r, struct err *err)
{
    struct binlog_item item = {.kind = BINLOG_IDLE};
    enum err_code rc = ERR_OK;

    while (!rc && item.kind != BINLOG_END) {
        rc = binlog_reader_next(r, &item, err);
        if (rc)
            break;
        p->rows += item.kind == BINLOG_ROW;
        p->transactions += item.kind == BINLOG_COMMIT;
        if (!p->o.count)
            print_item(r, &item);
        if (item.kind == BINLOG_STATEMENT && item.statement->kind == STATEMENT_DDL)
            rc = schema_refresh(p, err);
    }
    if (p->o.count)
        (void)printf("{\"rows\":%" PRIu64 ",\"transactions\":%" PRIu64 "}\n", p->rows,
                     p->transactions);
    return rc;
}

static enum err_code sets_read(struct program *p, struct err *err)
{
    const enum gtid_kind kind =
        conn_flavour(p->conn)->vendor == VENDOR_MARIADB ? GTID_MARIADB : GTID_MYSQL;
    enum err_code rc = ERR_OK;

    if (p->o.gtids || !p->o.file) {
        p->gtids = gtid_set_new(kind);
        rc = gtid_set_parse(p->gtids, p->o.gtids ? p->o.gtids : "", err);
    }
    if (!rc && p->o.skip) {
        p->skip = gtid_set_new(kind);
        rc = gtid_set_parse(p->skip, p->o.skip, err);
    }
    return rc;
}

static enum err_code program_run(struct program *p, struct err *err)
{
    struct binlog_reader_config reader = {.find = find, .find_ctx = p};
    struct binlog_stream_config stream = {.url = &p->url,
                                          .heartbeat_ms = 200,
                                          .until_end = p->o.end,
                                          .server_id = (uint32_t)p->o.server_id};
    struct binlog_reader *r = NULL;
    enum err_code rc;

    rc = server_url_parse(p->o.url, &p->url, err);
    if (!rc)
        rc = conn_open(&p->url, CONN_SOURCE, "test", &p->conn, err);
    if (!rc)
        rc = sets_read(p, err);
    if (!rc)
        rc = filter_new(&p->o.filter, 1, true, &p->filter, err);
    if (!rc)
        rc = schema_refresh(p, err);
    if (rc)
        return rc;
    p->maps = charset_maps_new(p->conn);
    reader.start = (struct binlog_start){p->o.file, p->o.offset, p->gtids};
    reader.skip = p->skip;
    reader.maps = p->maps;
    reader.reconnect_us = p->o.reconnect * 1000000;
    {
        const struct binlog_start at = {p->o.file, p->o.offset, p->o.file ? NULL : p->gtids};

        rc = binlog_stream_open(&stream, &at, &reader.source, err);
    }
    if (!rc)
        rc = binlog_reader_new(&reader, &r, err);
    if (!rc)
        rc = read_all(p, r, err);
    binlog_reader_free(r);
    return rc;
}

int main(int argc, char **argv)
{
    struct program p = {.rows = 0};
    struct err err = ERR_INIT;
    enum err_code rc;

    if (argc < 2)
        return 2;
    options_read(&p.o, argv + 1);
    rc = conn_library_init(&err);
    if (!rc)
        rc = program_run(&p, &err);
    if (rc) {
        (void)printf("{\"kind\":\"error\",\"name\":\"%s\",\"message\":", err_info(rc)->name);
        print_text(err.msg, strlen(err.msg));
        (void)printf("}\n");
    }
    charset_maps_free(p.maps);
    schema_free(p.schema);
    filter_free(p.filter);
    gtid_set_free(p.gtids);
    gtid_set_free(p.skip);
    conn_close(p.conn);
    server_url_release(&p.url);
    conn_library_end();
    return rc ? 1 : 0;
}
