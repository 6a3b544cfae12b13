#include "tests/unit/loader_bench.h"

#include "common/base/mem.h"
#include "formats/dump_write.h"
#include "formats/file_names.h"
#include "formats/manifest.h"
#include "formats/row_codec.h"

#include <inttypes.h>
#include <stdlib.h>

/* ---- a dump made by hand ---- */

void ok(enum err_code rc, const struct err *err, const char *what)
{
    if (rc)
        fail_msg("%s: %s: %s", what, err_info(rc)->name, err->msg);
}

void gen_number(struct gen_cells *c, unsigned column, unsigned slot, uint64_t value)
{
    c->len[column] =
        (unsigned long)snprintf(c->number[slot], sizeof c->number[slot], "%" PRIu64, value);
    c->cell[column] = c->number[slot];
}

void gen_text(struct gen_cells *c, unsigned column, const char *text)
{
    c->cell[column] = text;
    c->len[column] = text ? strlen(text) : 0;
}

static void gen_file(struct store *s, struct manifest *m, const char *path, const char *text)
{
    const struct compression none = {codec_find("none"), 0};
    struct record r = {.kind = RECORD_FILE};
    struct err err = ERR_INIT;
    struct sink *sink = NULL;
    uint64_t raw = 0;

    r.u.file.path = xstrdup(path);
    OK(dump_file_open(s, path, &none, &raw, &r.u.file.digest, &sink, &err));
    OK(sink_write(sink, text, strlen(text), &err));
    OK(sink_finish(sink, &err));
    sink_free(sink);
    OK(manifest_append(m, &r, &err));
    record_release(&r);
}

/* Returns the file's raw bytes. */
static uint64_t gen_chunk(struct store *s, struct manifest *m, const struct gen_table *t,
                          unsigned id, unsigned number, const struct row_shape *shape)
{
    const struct compression zstd = {codec_find("zstd"), 1};
    struct record r = {.kind = RECORD_CHUNK};
    struct chunk_record *c = &r.u.chunk;
    struct encoder *e = encoder_new(ROW_FORMAT_SQL, shape, 100000);
    struct strbuf path = {0};
    struct strbuf out = {0};
    struct sink *sink = NULL;
    struct err err = ERR_INIT;
    unsigned first = (number - 1) * t->chunk_rows;
    unsigned end = first + t->chunk_rows < t->rows ? first + t->chunk_rows : t->rows;
    uint64_t raw;

    file_name_data(&path, DB, t->name, number, "sql", ".zst");
    OK(dump_file_open(s, path.str, &zstd, &c->raw_bytes, &c->digest, &sink, &err));
    OK(encoder_begin(e, &out, &err));
    for (unsigned i = first; i < end; i++) {
        struct gen_cells cells = {0};
        struct row row = {cells.cell, cells.len, t->column_count};

        t->row(i, &cells);
        OK(encoder_row(e, &row, &out, &err));
    }
    OK(encoder_end(e, &out, &err));
    OK(sink_write(sink, out.str, out.len, &err));
    OK(sink_finish(sink, &err));
    sink_free(sink);
    c->table = id;
    c->span = 1;
    c->epoch = 1;
    c->number = number;
    c->path = strbuf_detach(&path);
    c->rows = end - first;
    c->last = end == t->rows;
    raw = c->raw_bytes;
    OK(manifest_append(m, &r, &err));
    record_release(&r);
    strbuf_release(&out);
    encoder_free(e);
    return raw;
}

static uint64_t gen_table(struct store *s, struct manifest *m, const struct gen_table *t,
                          unsigned id)
{
    struct record r = {.kind = RECORD_TABLE};
    struct record span = {.kind = RECORD_SPAN, .u.span = {.table = id, .span = 1, .epoch = 1}};
    struct record done = {.kind = RECORD_TABLE_DONE, .u.table_done = {.table = id}};
    const char *names[COLUMNS_MAX];
    enum cell_form forms[COLUMNS_MAX];
    struct row_shape shape = {
        .table = t->name, .columns = names, .forms = forms, .count = t->column_count};
    struct strbuf path = {0};
    struct err err = ERR_INIT;

    file_name_schema(&path, FILE_TABLE, DB, t->name, "");
    gen_file(s, m, path.str, t->create);
    r.u.table =
        (struct table_record){.table = id,
                              .epoch = 1,
                              .db = xstrdup(DB),
                              .name = xstrdup(t->name),
                              .kind = xstrdup("table"),
                              .schema_file = strbuf_detach(&path),
                              .sha256 = xstrdup("00"),
                              .columns = xcalloc(t->column_count, sizeof *r.u.table.columns),
                              .column_count = t->column_count};
    for (unsigned i = 0; i < t->column_count; i++) {
        const struct gen_column *c = &t->columns[i];

        names[i] = c->name;
        forms[i] = c->form;
        r.u.table.columns[i] =
            (struct column_record){.name = xstrdup(c->name),
                                   .type_text = xstrdup(c->type),
                                   .charset = c->charset ? xstrdup(c->charset) : NULL,
                                   .collation = c->collation ? xstrdup(c->collation) : NULL,
                                   .nullable = false};
    }
    OK(manifest_append(m, &r, &err));
    OK(manifest_append(m, &span, &err));
    for (unsigned i = 0; i * t->chunk_rows < t->rows; i++)
        done.u.table_done.raw_bytes += gen_chunk(s, m, t, id, i + 1, &shape);
    done.u.table_done.rows = t->rows;
    done.u.table_done.chunks = (t->rows + t->chunk_rows - 1) / t->chunk_rows;
    OK(manifest_append(m, &done, &err));
    record_release(&r);
    return done.u.table_done.raw_bytes;
}

struct store *gen_dump(const struct gen_table *tables, unsigned count)
{
    static atomic_uint made;
    struct store *s = store_mem_new();
    struct manifest *m = NULL;
    struct record r = {.kind = RECORD_DUMP};
    struct record epoch = {.kind = RECORD_EPOCH, .u.epoch = {.epoch = 1}};
    struct record end = {.kind = RECORD_END, .u.end = {.tables = count, .files = count + 1}};
    struct err err = ERR_INIT;

    OK(manifest_open(s, 0, NULL, NULL, &m, &err));
    r.u.dump = (struct dump_record){.version = MANIFEST_VERSION,
                                    .ferry_version = xstrdup("test"),
                                    .vendor = xstrdup("MySQL"),
                                    .format = xstrdup("sql"),
                                    .compression = xstrdup("zstd"),
                                    .options = xstrdup("{}")};
    (void)snprintf(r.u.dump.uuid, sizeof r.u.dump.uuid, "00000000-0000-4000-8000-%012u",
                   atomic_fetch_add(&made, 1));
    epoch.u.epoch.consistency = xstrdup("none");
    OK(manifest_append(m, &r, &err));
    OK(manifest_append(m, &epoch, &err));
    gen_file(s, m, DB "-schema-create.sql",
             "CREATE DATABASE IF NOT EXISTS `" DB "` DEFAULT CHARACTER SET utf8mb4 COLLATE "
             "utf8mb4_general_ci");
    for (unsigned i = 0; i < count; i++) {
        end.u.end.raw_bytes += gen_table(s, m, &tables[i], i + 1);
        end.u.end.rows += tables[i].rows;
        end.u.end.files += (tables[i].rows + tables[i].chunk_rows - 1) / tables[i].chunk_rows;
    }
    OK(manifest_append(m, &end, &err));
    OK(manifest_close(m, &err));
    record_release(&r);
    record_release(&epoch);
    return s;
}

/* ---- servers ---- */

static int bench_open(void **state, const char *variable)
{
    const char *text = getenv(variable); /* NOLINT(concurrency-mt-unsafe): before any thread */
    struct bench *b;
    struct err err = ERR_INIT;

    *state = NULL;
    if (!text || !*text)
        return 0;
    b = xcalloc(1, sizeof *b);
    OK(server_url_parse(text, &b->url, &err));
    OK(conn_open(&b->url, CONN_TARGET, "test", &b->c, &err));
    b->vendor = conn_flavour(b->c)->vendor;
    OK(conn_execz(b->c, "DROP DATABASE IF EXISTS " DB, &err));
    OK(conn_execz(b->c, "DROP DATABASE IF EXISTS " META, &err));
    *state = b;
    return 0;
}
int tidb_open(void **state)
{
    return bench_open(state, "FERRY_TEST_TIDB");
}
int mariadb_open(void **state)
{
    return bench_open(state, "FERRY_TEST_MARIADB");
}
int mysql_open(void **state)
{
    return bench_open(state, "FERRY_TEST_MYSQL");
}
int bench_close(void **state)
{
    struct bench *b = *state;
    struct err err = ERR_INIT;

    if (!b)
        return 0;
    if (b->c) {
        OK(conn_execz(b->c, "DROP DATABASE IF EXISTS " DB, &err));
        OK(conn_execz(b->c, "DROP DATABASE IF EXISTS " META, &err));
    }
    conn_close(b->c);
    server_url_release(&b->url);
    free(b);
    return 0;
}

void said(struct bench *b, const char *sql, const char *expected)
{
    struct err err = ERR_INIT;
    char *value = NULL;

    OK(conn_value(b->c, sql, &value, &err));
    if (!value != !expected || (value && strcmp(value, expected) != 0))
        fail_msg("%s: %s, not %s", sql, value ? value : "NULL", expected ? expected : "NULL");
    free(value);
}

void loading_run(struct loading *l)
{
    l->config.meta_schema = META;
    if (!l->config.threads)
        l->config.threads = 4;
    l->rc = load_run(&l->config, l->store, l->url, &l->progress, &l->cancel, &l->report, &l->err);
}
struct loading load(struct bench *b, struct store *s, struct load_config config)
{
    struct loading l = {.config = config, .store = s, .url = &b->url};

    loading_run(&l);
    return l;
}
void loaded(struct loading *l)
{
    ok(l->rc, &l->err, "load_run");
    load_report_release(&l->report);
}

void *loading_thread(void *l)
{
    loading_run(l);
    return NULL;
}
