/* Prints what a server's binlog holds, one JSON object a line: for tests and measurements.
 *
 * binlog_changes URL [--file NAME --offset N] [--gtids SET] [--skip SET] [--end] [--filter PATTERN]
 *                [--reconnect SECONDS] [--server-id N] [--count] [--log FILE [--damage SEED]]
 *
 * --log FILE reads a copy of a binlog file instead, as far as it goes; the server is asked for
 * definitions only. --damage SEED reads it again and again, with each byte changed and with each
 * length cut: an error must come, and no transaction that is not in the whole file.
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
#include "tests/tools/binlog_memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct options {
    const char *url, *file, *gtids, *skip, *filter, *log;
    uint64_t offset, reconnect, server_id, damage;
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
    uint8_t *log;
    size_t log_len;
    uint64_t *marks; /* a sum of all that was passed on, up to each COMMIT of the whole file */
    size_t mark_count;
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
        else if (strcmp(*argv, "--log") == 0)
            o->log = value;
        else if (strcmp(*argv, "--damage") == 0)
            o->damage = strtoull(value, NULL, 10);
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

static enum err_code log_read(struct program *p, struct err *err)
{
    FILE *f = fopen(p->o.log, "rb");
    long len = -1;

    if (f && fseek(f, 0, SEEK_END) == 0)
        len = ftell(f);
    if (len >= 0 && fseek(f, 0, SEEK_SET) == 0) {
        p->log = xmalloc((size_t)len + 1);
        p->log_len = fread(p->log, 1, (size_t)len, f);
    }
    if (f)
        (void)fclose(f);
    if (len < 0 || p->log_len != (size_t)len)
        return err_set(err, ERR_IO, "'%s' cannot be read", p->o.log);
    return ERR_OK;
}

static uint64_t sum_bytes(uint64_t sum, const void *data, size_t len)
{
    const uint8_t *in = data;

    for (size_t i = 0; i < len; i++)
        sum = (sum ^ in[i]) * UINT64_C(0x100000001b3);
    return sum;
}

static uint64_t sum_image(uint64_t sum, const struct row *row)
{
    for (unsigned i = 0; i < row->count; i++) {
        sum = sum_bytes(sum, &row->len[i], sizeof(row->len[i]));
        if (row->cell[i])
            sum = sum_bytes(sum, row->cell[i], row->len[i]);
    }
    return sum;
}

/* Reads the bytes as a binlog; with `whole`, notes the sums at each COMMIT, else compares them.
 * *same false: something came that is not in the whole. */
static enum err_code damage_try(struct program *p, const uint8_t *data, size_t len, bool whole,
                                bool *same, struct err *err)
{
    struct binlog_reader_config config = {.find = find, .find_ctx = p, .maps = p->maps};
    struct binlog_item item = {.kind = BINLOG_IDLE};
    struct binlog_reader *r = NULL;
    uint64_t sum = 1;
    size_t commits = 0;
    enum err_code rc;

    config.source = &memory_source_new(data, len, true)->base;
    config.start = (struct binlog_start){.file = "memory", .offset = BINLOG_FIRST_OFFSET};
    rc = binlog_reader_new(&config, &r, err);
    while (!rc && item.kind != BINLOG_END) {
        rc = binlog_reader_next(r, &item, err);
        if (rc)
            break;
        if (item.kind == BINLOG_ROW) {
            sum = sum_image(sum, &item.change->before);
            sum = sum_image(sum, &item.change->after);
        } else if (item.kind == BINLOG_STATEMENT) {
            sum = sum_bytes(sum, item.statement->text, item.statement->len);
        } else if (item.kind == BINLOG_COMMIT && whole) {
            p->marks = xreallocarray(p->marks, ++p->mark_count, sizeof(*p->marks));
            p->marks[p->mark_count - 1] = sum;
        } else if (item.kind == BINLOG_COMMIT) {
            *same = *same && commits < p->mark_count && p->marks[commits] == sum;
            commits++;
        }
    }
    binlog_reader_free(r);
    return rc;
}

/* One byte changed, or what is behind it cut off. */
static enum err_code damage_one(struct program *p, size_t at, uint8_t change, uint64_t counts[3],
                                struct err *err)
{
    struct err fault = ERR_INIT;
    bool same = true;
    enum err_code rc;

    p->log[at] ^= change;
    rc = damage_try(p, p->log, change ? p->log_len : at, false, &same, &fault);
    p->log[at] ^= change;
    counts[change ? 0 : 1]++;
    counts[2] += rc != ERR_OK;
    if (!same || (change && !rc && at != BINLOG_FIRST_OFFSET + 17))
        return err_set(err, ERR_FAILED, "byte %zu %s: %s", at, change ? "changed" : "cut",
                       same ? "no error" : "something was passed on that is not in the file");
    if (rc && rc != ERR_BINLOG_EVENT && rc != ERR_BINLOG_UNSUPPORTED)
        return err_set(err, ERR_FAILED, "byte %zu: %s", at, fault.msg);
    return ERR_OK;
}

static enum err_code damage_all(struct program *p, struct err *err)
{
    uint64_t seed = p->o.damage;
    uint64_t counts[3] = {0};
    bool same = true;
    enum err_code rc;

    rc = damage_try(p, p->log, p->log_len, true, &same, err);
    for (size_t at = BINLOG_FIRST_OFFSET; !rc && at < p->log_len; at++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
        rc = damage_one(p, at, (uint8_t)(1U << (seed >> 61)), counts, err);
        if (!rc)
            rc = damage_one(p, at, 0, counts, err);
    }
    (void)printf("{\"changed\":%" PRIu64 ",\"cut\":%" PRIu64 ",\"errors\":%" PRIu64
                 ",\"transactions\":%zu}\n",
                 counts[0], counts[1], counts[2], p->mark_count);
    return rc;
}

static enum err_code program_open(struct program *p, struct err *err)
{
    enum err_code rc = server_url_parse(p->o.url, &p->url, err);

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
    return p->o.log ? log_read(p, err) : ERR_OK;
}

static enum err_code program_run(struct program *p, struct err *err)
{
    struct binlog_reader_config config = {.find = find, .find_ctx = p};
    const struct binlog_stream_config stream = {.url = &p->url,
                                                .heartbeat_ms = 200,
                                                .until_end = p->o.end,
                                                .server_id = (uint32_t)p->o.server_id};
    struct binlog_reader *r = NULL;
    enum err_code rc = program_open(p, err);

    if (rc)
        return rc;
    if (p->o.damage)
        return damage_all(p, err);
    config.start = (struct binlog_start){p->o.file, p->o.offset, p->gtids};
    config.skip = p->skip;
    config.maps = p->maps;
    config.reconnect_us = p->o.reconnect * 1000000;
    if (p->o.log) {
        config.source = &memory_source_new(p->log, p->log_len, true)->base;
    } else {
        const struct binlog_start at = {p->o.file, p->o.offset, p->o.file ? NULL : p->gtids};

        rc = binlog_stream_open(&stream, &at, &config.source, err);
    }
    if (!rc)
        rc = binlog_reader_new(&config, &r, err);
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
    free(p.marks);
    free(p.log);
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
