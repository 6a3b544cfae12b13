/* Any bytes as a binlog: no crash, no leak, and an error or an end. The first byte's lowest bit
 * says whether the checksums are verified; else what is behind them is tried. Table `f`.`m` has
 * MySQL's columns, `f`.`a` MariaDB's; the server's map of a character set is not at hand. */
#include "tests/tools/binlog_memory.h"

#include "formats/binlog_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
    const char *type, *charset;
} fuzz_columns[] = {
#define COLUMN(type, charset) {type, charset},
#include "tests/fuzz/binlog_columns.inc"
#undef COLUMN
    {"json", NULL}, {"geometry", NULL}, {"uuid", NULL}, {"inet6", NULL}, {"text", "utf8mb4"},
};
#define COMMON (sizeof(fuzz_columns) / sizeof(fuzz_columns[0]) - 5)

struct fuzz_schema {
    struct column columns[COMMON + 3];
    struct table table;
};

static enum err_code fuzz_find(void *ctx, const char *db, const char *name,
                               const struct table **def, struct err *err)
{
    struct fuzz_schema *s = ctx;
    const size_t more = name[0] == 'm' ? 2 : 3;

    (void)db;
    (void)err;
    memset(s->columns, 0, sizeof(s->columns));
    for (size_t i = 0; i < COMMON + more; i++) {
        const size_t kind = i < COMMON || more == 2 ? i : i + 2;

        s->columns[i].name = "c";
        s->columns[i].type_text = fuzz_columns[kind].type;
        s->columns[i].charset = fuzz_columns[kind].charset;
        column_parse_type(fuzz_columns[kind].type, &s->columns[i]);
    }
    s->table = (struct table){.db = "f", .name = "m", .columns = s->columns};
    s->table.column_count = (unsigned)(COMMON + more);
    *def = &s->table;
    return ERR_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_schema schema;
    struct charset_maps *maps;
    struct binlog_reader_config config = {.find = fuzz_find, .find_ctx = &schema};
    struct binlog_reader *r = NULL;
    struct binlog_item item = {.kind = BINLOG_IDLE};
    struct err err = ERR_INIT;
    bool open = false;

    if (size < 1)
        return 0;
    maps = charset_maps_new(NULL);
    config.maps = maps;
    config.source = &memory_source_new(data + 1, size - 1, data[0] & 1)->base;
    config.start = (struct binlog_start){.file = "memory", .offset = BINLOG_FIRST_OFFSET};
    if (binlog_reader_new(&config, &r, &err))
        abort();
    while (item.kind != BINLOG_END && binlog_reader_next(r, &item, &err) == ERR_OK) {
        /* The frame of a transaction holds whatever comes. */
        if (open != (item.kind == BINLOG_ROW || item.kind == BINLOG_STATEMENT ||
                     item.kind == BINLOG_COMMIT))
            abort();
        open = item.kind == BINLOG_BEGIN || (open && item.kind != BINLOG_COMMIT);
        for (unsigned i = 0; item.kind == BINLOG_ROW && i < item.change->after.count; i++)
            if (item.change->after.cell[i] && item.change->after.len[i] &&
                memchr(item.change->after.cell[i], 0, item.change->after.len[i]) == item.change)
                abort(); /* never: it makes each byte of each cell be read */
    }
    binlog_reader_free(r);
    charset_maps_free(maps);
    return 0;
}
