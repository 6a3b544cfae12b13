/* Reading a dump: its plan out of the records, and its rows out of the files. */
#include "formats/dump_read.h"

#include "common/base/mem.h"
#include "formats/dump_write.h"
#include "formats/file_names.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/fail_store.h"
#include "tests/unit/store_folder.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define SEGMENT_1 MANIFEST_FOLDER "000001.jsonl"
#define UUID "8a5f9c5e-3b1f-4d0a-9a3e-2f6c1d7e8b90"
#define SHA "0000000000000000000000000000000000000000000000000000000000000000"

struct bench {
    struct store *s;
    char *folder; /* NULL: no file system */
};

static int mem_setup(void **state)
{
    struct bench *b = xcalloc(1, sizeof *b);

    b->s = store_mem_new();
    *state = b;
    return 0;
}

static int file_setup(void **state)
{
    struct bench *b = xcalloc(1, sizeof *b);
    struct err err = ERR_INIT;

    b->folder = folder_new();
    *state = b;
    return !b->folder || store_file_new(b->folder, false, &b->s, &err) ? -1 : 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;

    store_free(b->s);
    folder_free(b->folder);
    free(b);
    return 0;
}

static struct store *store_of(void **state)
{
    return ((struct bench *)*state)->s;
}

/* Records hold `char *`; what is formatted is never written to. */
static char *text(const char *literal)
{
    return (char *)(uintptr_t)literal;
}

/* ---- plans, from records as text ---- */

/* Bodies of lines, each with "\n" behind, get their checksums and become the first segment. */
static void given_records(struct store *s, const char *bodies)
{
    struct strbuf out = {0};
    struct err err = ERR_INIT;

    for (const char *at = bodies; *at; at += strcspn(at, "\n") + 1) {
        size_t len = strcspn(at, "\n");

        strbuf_add(&out, at, len);
        strbuf_addf(&out, ",\"crc\":\"%08lx\"}\n", crc32_z(0, (const unsigned char *)at, len));
    }
    assert_int_equal(store_put(s, SEGMENT_1, strbuf_str(&out), out.len, &err), ERR_OK);
    strbuf_release(&out);
}

#define DUMP_OF(format)                                                                            \
    "{\"record\":\"dump\",\"version\":1,\"uuid\":\"" UUID "\",\"ferry_version\":\"1\",\"format\":" \
    "\"" format "\",\"compression\":\"none\",\"options\":{},\"started_us\":5\n"
#define DUMP DUMP_OF("sql")
#define EPOCH(n)                                                                                   \
    "{\"record\":\"epoch\",\"epoch\":" #n                                                          \
    ",\"consistency\":\"flush\",\"log_pos\":4,\"gtid\":\"\",\"at_us\":6\n"
#define COLUMNS                                                                                    \
    "\"columns\":[{\"name\":\"id\",\"type\":\"int\"},{\"name\":\"g\",\"type\":\"int\","            \
    "\"generated\":true},{\"name\":\"v\",\"type\":\"varchar(9)\",\"charset\":\"utf8mb4\","         \
    "\"nullable\":true}],\"key\":\"PRIMARY\",\"key_columns\":[\"id\"],"
#define TABLE_OF(n, db, name, kind)                                                                \
    "{\"record\":\"table\",\"table\":" #n ",\"epoch\":1,\"db\":\"" db "\",\"name\":\"" name        \
    "\",\"kind\":\"" kind "\"," COLUMNS "\"data_bytes\":1\n"
#define TABLE(n, name) TABLE_OF(n, "db", name, "table")
#define SPAN(t, n, parent)                                                                         \
    "{\"record\":\"span\",\"table\":" #t ",\"span\":" #n ",\"parent\":" #parent ",\"epoch\":1\n"
#define CHUNK_OF(t, span, n, epoch, rows, last)                                                    \
    "{\"record\":\"chunk\",\"table\":" #t ",\"span\":" #span ",\"epoch\":" #epoch                  \
    ",\"number\":" #n ",\"last\":" last ",\"rows\":" #rows ",\"raw_bytes\":10,\"path\":\"db.t" #t  \
    "." #n ".sql\",\"stored_bytes\":3,\"sha256\":\"" SHA "\",\"blocks\":\"0123456789abcdef\"\n"
#define CHUNK(t, span, n, last) CHUNK_OF(t, span, n, 1, 2, last)
#define EMPTY(t, span, last)                                                                       \
    "{\"record\":\"chunk\",\"table\":" #t ",\"span\":" #span                                       \
    ",\"epoch\":1,\"number\":0,\"last\":" last ",\"rows\":0,\"raw_bytes\":0\n"
#define DONE(t, rows, raw, files)                                                                  \
    "{\"record\":\"table_done\",\"table\":" #t ",\"rows\":" #rows ",\"raw_bytes\":" #raw           \
    ",\"chunks\":" #files "\n"
#define VOID(t) "{\"record\":\"void\",\"table\":" #t ",\"epoch\":2\n"
#define FILE_OF(path, bytes)                                                                       \
    "{\"record\":\"file\",\"path\":\"" path "\",\"stored_bytes\":" #bytes ",\"sha256\":\"" SHA     \
    "\",\"blocks\":\"0123456789abcdef\"\n"
#define END(tables, rows, raw, files)                                                              \
    "{\"record\":\"end\",\"tables\":" #tables ",\"rows\":" #rows ",\"raw_bytes\":" #raw            \
    ",\"files\":" #files ",\"at_us\":9\n"
#define YES "true"
#define NO "false"
#define START DUMP EPOCH(1) TABLE(1, "t1")

static struct dump *dump_opened(struct store *s, bool allow_incomplete)
{
    struct dump *d = NULL;
    struct err err = ERR_INIT;

    if (dump_open(s, allow_incomplete, &d, &err))
        fail_msg("%s", err.msg);
    return d;
}

static void plans_a_whole_dump(void **state)
{
    struct dump *d;

    given_records(store_of(state),
                  DUMP EPOCH(1) FILE_OF("b-schema-create.sql", 1) FILE_OF("db.t-schema.sql", 1)
                      FILE_OF("empty-schema-create.sql.zst", 2) FILE_OF("db.t-schema.sql", 3)
                          TABLE_OF(3, "b", "v", "view") TABLE_OF(2, "db", "s", "sequence")
                              TABLE(1, "t") SPAN(1, 1, 0) SPAN(1, 2, 1) CHUNK(1, 2, 3, YES)
                                  CHUNK(1, 1, 1, NO) EMPTY(1, 1, NO) CHUNK(1, 1, 2, YES)
                                      DONE(1, 6, 30, 3) END(3, 6, 30, 7));
    d = dump_opened(store_of(state), false);
    assert_true(d->complete);
    assert_string_equal(d->info.uuid, UUID);
    assert_int_equal(d->epoch_count, 1);
    assert_string_equal(d->epochs[0].consistency, "flush");
    assert_int_equal(d->database_count, 3);
    assert_string_equal(d->databases[0].name, "b");
    assert_string_equal(d->databases[0].schema_file, "b-schema-create.sql");
    assert_string_equal(d->databases[1].name, "db");
    assert_null(d->databases[1].schema_file);
    assert_string_equal(d->databases[2].name, "empty");
    assert_int_equal(d->file_count, 3);
    assert_string_equal(d->files[1].path, "db.t-schema.sql");
    assert_int_equal(d->files[1].digest.bytes, 3); /* the later record */
    assert_int_equal(d->table_count, 3);
    assert_int_equal(d->tables[0].kind, TABLE_VIEW);
    assert_int_equal(d->tables[1].kind, TABLE_SEQUENCE);
    assert_int_equal(d->tables[2].chunk_count, 3);
    assert_true(d->tables[2].done);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(d->tables[2].chunks[i].number, i + 1);
        assert_true(d->tables[2].chunks[i].id == ((uint64_t)1 << 32 | (i + 1)));
        assert_ptr_equal(d->tables[2].chunks[i].table, &d->tables[2]);
    }
    assert_int_equal(d->tables[2].rows, 6);
    assert_int_equal(d->tables[2].raw_bytes, 30);
    dump_free(d);
    dump_free(NULL);
}

static void builds_the_model(void **state)
{
    const struct dump_table *t;
    struct dump *d;

    given_records(store_of(state), START);
    d = dump_opened(store_of(state), true);
    assert_false(d->complete);
    t = &d->tables[0];
    assert_string_equal(t->model.db, "db");
    assert_int_equal(t->model.column_count, 3);
    assert_int_equal(t->model.columns[0].type, TYPE_INT);
    assert_int_equal(t->model.columns[2].type, TYPE_VARCHAR);
    assert_int_equal(t->model.columns[2].length, 9);
    assert_true(t->model.columns[2].nullable);
    assert_int_equal(t->model.key_count, 1);
    assert_true(t->model.keys[0].primary);
    assert_int_equal(t->model.keys[0].parts[0].column, 0);
    assert_int_equal(t->shape.count, 2);
    assert_string_equal(t->shape.table, "t1");
    assert_string_equal(t->shape.columns[1], "v");
    assert_int_equal(t->shape.forms[0], CELL_NUMBER);
    assert_int_equal(t->shape.forms[1], CELL_TEXT);
    assert_int_equal(t->dumped[1], 2);
    dump_free(d);
}

static void void_forgets_chunks(void **state)
{
    struct dump *d;

    given_records(store_of(state),
                  START SPAN(1, 1, 0) CHUNK(1, 1, 1, YES) DONE(1, 2, 10, 1) EPOCH(2) VOID(1)
                      TABLE_OF(1, "db", "t1", "table") SPAN(1, 1, 0) CHUNK_OF(1, 1, 1, 2, 5, YES)
                          DONE(1, 5, 10, 1) END(1, 5, 10, 1));
    d = dump_opened(store_of(state), false);
    assert_int_equal(d->tables[0].chunk_count, 1);
    assert_int_equal(d->tables[0].chunks[0].rows, 5);
    assert_int_equal(d->tables[0].chunks[0].epoch, 2);
    dump_free(d);
}

#define LEFT_OUT                                                                                   \
    "{\"record\":\"left_out\",\"optional\":true,\"epoch\":1,\"db\":\"db\",\"name\":\"t1\","        \
    "\"why\":\"x\"\n"
#define DONE_OF(t, rows, raw, chunks, from, to)                                                    \
    "{\"record\":\"table_done\",\"table\":" #t ",\"rows\":" #rows ",\"raw_bytes\":" #raw           \
    ",\"chunks\":" #chunks ",\"from\":" #from ",\"to\":" #to "\n"

/* The epochs of a table are those of its chunks, of those without rows too. */
static void epochs_of_a_table(void **state)
{
    struct dump *d;

    given_records(store_of(state),
                  START EPOCH(2) SPAN(1, 1, 0) SPAN(1, 2, 1) CHUNK(1, 1, 1, YES)
                      CHUNK_OF(1, 2, 2, 2, 5, YES) DONE_OF(1, 7, 20, 2, 1, 2) END(1, 7, 20, 2));
    d = dump_opened(store_of(state), false);
    assert_int_equal(d->tables[0].from, 1);
    assert_int_equal(d->tables[0].to, 2);
    dump_free(d);
}

/* It was left out, and then it could be read after all. */
static void left_out_and_read_again(void **state)
{
    struct dump *d;

    given_records(store_of(state), START VOID(1) LEFT_OUT VOID(1) SPAN(1, 1, 0) CHUNK(1, 1, 1, YES)
                                       DONE(1, 2, 10, 1) END(1, 2, 10, 1));
    d = dump_opened(store_of(state), false);
    assert_int_equal(d->left_out_count, 0);
    assert_false(d->tables[0].left_out);
    dump_free(d);
    given_records(store_of(state),
                  DUMP EPOCH(1) LEFT_OUT TABLE(1, "t1") DONE(1, 0, 0, 0) END(1, 0, 0, 0));
    d = dump_opened(store_of(state), false);
    assert_int_equal(d->left_out_count, 0);
    dump_free(d);
    given_records(store_of(state), START VOID(1) LEFT_OUT DONE(1, 0, 0, 0) END(1, 0, 0, 0));
    d = dump_opened(store_of(state), false);
    assert_int_equal(d->left_out_count, 1);
    assert_true(d->tables[0].left_out);
    dump_free(d);
}

#define AT(line) "manifest segment '000001.jsonl' line " #line ": "
static const struct {
    const char *name, *records;
    enum err_code code;
    const char *msg;
} contradictions[] = {
    {"no end", START, ERR_DUMP_INCOMPLETE,
     "the dump in mem: has no end record: it is not finished"},
    {"dump record late", EPOCH(1) DUMP, ERR_CORRUPT, AT(1) "the first record is no dump record"},
    {"two dump records", DUMP DUMP, ERR_CORRUPT, AT(2) "a second dump record"},
    {"format not known", DUMP_OF("parquet") END(0, 0, 0, 0), ERR_DUMP_VERSION,
     "the dump is of format 'parquet', which this ferry does not know"},
    {"kind not known", DUMP TABLE_OF(1, "db", "t", "graph"), ERR_DUMP_VERSION,
     AT(2) "a table of kind 'graph', which this ferry does not know"},
    {"epoch gap", DUMP EPOCH(2), ERR_CORRUPT, AT(2) "epoch 2 comes behind epoch 0"},
    {"epoch twice", DUMP EPOCH(1) EPOCH(1), ERR_CORRUPT, AT(3) "epoch 1 comes behind epoch 1"},
    {"table twice", START TABLE(1, "u"), ERR_CORRUPT, AT(4) "a second record of table 1"},
    {"table 0", DUMP TABLE(0, "u"), ERR_CORRUPT, AT(2) "a table of number 0"},
    {"name twice", START TABLE(2, "t1") END(2, 0, 0, 0), ERR_CORRUPT,
     "two tables are called 'db.t1'"},
    {"key of no column",
     DUMP "{\"record\":\"table\",\"table\":1,\"epoch\":1,\"db\":\"db\",\"name\":\"t\","
          "\"kind\":\"table\",\"key\":\"k\",\"key_columns\":[\"x\"],\"data_bytes\":0\n",
     ERR_CORRUPT, AT(2) "key 'k' is of a column 'x' that is not there"},
    {"span of no table", START SPAN(2, 1, 0), ERR_CORRUPT, AT(4) "table 2 is not known"},
    {"span twice", START SPAN(1, 1, 0) SPAN(1, 1, 0), ERR_CORRUPT,
     AT(5) "a second span 1 of table 1"},
    {"span of no parent", START SPAN(1, 1, 0) SPAN(1, 3, 2), ERR_CORRUPT,
     AT(5) "span 2 of table 1 is not known"},
    {"span of a done table", START DONE(1, 0, 0, 0) SPAN(1, 1, 0), ERR_CORRUPT,
     AT(5) "a span of table 1, which is done"},
    {"chunk of no table", START CHUNK(7, 1, 1, NO), ERR_CORRUPT, AT(4) "table 7 is not known"},
    {"chunk of no span", START CHUNK(1, 1, 1, NO), ERR_CORRUPT,
     AT(4) "span 1 of table 1 is not known"},
    {"chunk of a voided span", START SPAN(1, 1, 0) VOID(1) CHUNK(1, 1, 1, NO), ERR_CORRUPT,
     AT(6) "span 1 of table 1 is not known"},
    {"chunk behind the last", START SPAN(1, 1, 0) CHUNK(1, 1, 1, YES) CHUNK(1, 1, 2, NO),
     ERR_CORRUPT, AT(6) "a chunk of span 1 of table 1, which has ended"},
    {"chunk of no epoch", START SPAN(1, 1, 0) CHUNK_OF(1, 1, 1, 2, 2, YES), ERR_CORRUPT,
     AT(5) "epoch 2 is not known"},
    {"chunk number too large", START SPAN(1, 1, 0) CHUNK(1, 1, 4294967296, YES), ERR_CORRUPT,
     AT(5) "chunk number 4294967296 is too large"},
    {"chunk number twice",
     START SPAN(1, 1, 0) SPAN(1, 2, 1) CHUNK(1, 2, 4, YES) CHUNK(1, 1, 4, YES) DONE(1, 4, 20, 2)
         END(1, 4, 20, 2),
     ERR_CORRUPT, "table 'db.t1' has two chunks of number 4"},
    {"epochs of no chunk", START SPAN(1, 1, 0) CHUNK(1, 1, 1, YES) DONE_OF(1, 2, 10, 1, 1, 2),
     ERR_CORRUPT,
     AT(6) "table 'db.t1': its chunks are recorded as of epochs 1 to 2, they are of 1 to 1"},
    {"void of no table", START VOID(2), ERR_CORRUPT, AT(4) "table 2 is not known"},
    {"done twice", START DONE(1, 0, 0, 0) DONE(1, 0, 0, 0), ERR_CORRUPT,
     AT(5) "table 'db.t1': it was done before"},
    {"done of no table", START DONE(3, 0, 0, 0), ERR_CORRUPT, AT(4) "table 3 is not known"},
    {"open span at the end", START SPAN(1, 1, 0) CHUNK(1, 1, 1, NO) DONE(1, 2, 10, 1), ERR_CORRUPT,
     AT(6) "table 'db.t1': 1 of its 1 spans have not ended"},
    {"rows of a table", START SPAN(1, 1, 0) CHUNK(1, 1, 1, YES) DONE(1, 3, 10, 1), ERR_CORRUPT,
     AT(6) "table 'db.t1': 3 rows are recorded as done, there are 2"},
    {"bytes of a table", START SPAN(1, 1, 0) CHUNK(1, 1, 1, YES) DONE(1, 2, 11, 1), ERR_CORRUPT,
     AT(6) "table 'db.t1': 11 raw bytes are recorded as done, there are 10"},
    {"files of a table", START SPAN(1, 1, 0) CHUNK(1, 1, 1, YES) DONE(1, 2, 10, 2), ERR_CORRUPT,
     AT(6) "table 'db.t1': 2 files are recorded as done, there are 1"},
    {"table not done", START SPAN(1, 1, 0) CHUNK(1, 1, 1, YES) END(1, 2, 10, 1), ERR_CORRUPT,
     "table 'db.t1' is not done, but the dump has ended"},
    {"table voided", START VOID(1) END(1, 0, 0, 0), ERR_CORRUPT,
     "table 'db.t1' is not done, but the dump has ended"},
    {"tables of the dump", START END(2, 0, 0, 0), ERR_CORRUPT,
     "the end record: 2 tables are recorded as done, there are 1"},
    {"rows of the dump", START SPAN(1, 1, 0) CHUNK(1, 1, 1, YES) DONE(1, 2, 10, 1) END(1, 1, 10, 1),
     ERR_CORRUPT, "the end record: 1 rows are recorded as done, there are 2"},
    {"files of the dump", START FILE_OF("x", 1) END(1, 0, 0, 2), ERR_CORRUPT,
     "the end record: 2 files are recorded as done, there are 1"},
    {"behind the end", START END(1, 0, 0, 0) VOID(1), ERR_CORRUPT,
     AT(5) "a record behind the end record"},
};

static void refuses_contradictions(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof contradictions / sizeof contradictions[0]; i++) {
        struct store *s = store_mem_new();
        struct dump *d = NULL;
        struct err err = ERR_INIT;

        given_records(s, contradictions[i].records);
        if (dump_open(s, false, &d, &err) != contradictions[i].code ||
            strcmp(err.msg, contradictions[i].msg) != 0)
            fail_msg("%s: %s", contradictions[i].name, err.msg);
        assert_null(d);
        store_free(s);
    }
}

static void says_that_there_is_no_dump(void **state)
{
    struct dump *d = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(dump_open(store_of(state), true, &d, &err), ERR_STORE_NOT_FOUND);
    assert_string_equal(err.msg,
                        "mem: has no ferry.manifest: it is not a dump, or one of another tool");
}

/* A hundred thousand chunks of one table in no time, and in order. */
static void takes_many_chunks(void **state)
{
    struct store *s = store_of(state);
    struct manifest *m = NULL;
    struct strbuf path = {0};
    uint64_t block = 1;
    struct dump *d;
    struct err err = ERR_INIT;
    enum { COUNT = 100000 };

    given_records(s, START SPAN(1, 1, 0));
    assert_int_equal(manifest_open(s, 1, NULL, NULL, &m, &err), ERR_OK);
    for (unsigned i = COUNT; i > 0; i--) {
        struct record r = {.kind = RECORD_CHUNK,
                           .u.chunk = {.table = 1,
                                       .span = 1,
                                       .epoch = 1,
                                       .number = i,
                                       .rows = 1,
                                       .raw_bytes = 1,
                                       .digest = {.bytes = 1, .blocks = &block, .block_count = 1}}};

        strbuf_reset(&path);
        file_name_data(&path, "db", "t1", i, "sql", "");
        r.u.chunk.path = path.str;
        assert_int_equal(manifest_append(m, &r, &err), ERR_OK);
    }
    assert_int_equal(manifest_close(m, &err), ERR_OK);
    d = dump_opened(s, true);
    assert_int_equal(d->tables[0].chunk_count, COUNT);
    for (unsigned i = 0; i < COUNT; i++)
        assert_int_equal(d->tables[0].chunks[i].number, i + 1);
    assert_string_equal(d->tables[0].chunks[COUNT - 1].path, "db.t1.000100000.sql");
    dump_free(d);
    strbuf_release(&path);
}

/* ---- rows, from real files ---- */

#define BIN_BYTES 120

/* Row `n`: a number, text with what must be escaped, bytes that do not compress. */
struct sample {
    char id[24], note[64];
    unsigned char bin[BIN_BYTES];
    const char *cell[3];
    unsigned long len[3];
    struct row row;
};

static void sample_make(struct sample *s, unsigned n)
{
    (void)snprintf(s->id, sizeof s->id, "%u", n);
    (void)snprintf(s->note, sizeof s->note, "it's \"%u\"\r\n\t\\,\xC3\xA4", n % 7);
    fill_random(s->bin, sizeof s->bin, n);
    s->cell[0] = s->id;
    s->cell[1] = n % 5 ? s->note : NULL;
    s->cell[2] = (const char *)s->bin;
    s->len[0] = strlen(s->id);
    s->len[1] = n % 5 ? strlen(s->note) : 0;
    s->len[2] = n % BIN_BYTES;
    s->row = (struct row){s->cell, s->len, 3};
}

static void assert_row(const struct row *row, unsigned n)
{
    struct sample s;

    sample_make(&s, n);
    assert_int_equal(row->count, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(row->cell[i] == NULL, s.cell[i] == NULL);
        if (!s.cell[i])
            continue;
        assert_int_equal(row->len[i], s.len[i]);
        assert_memory_equal(row->cell[i], s.cell[i], s.len[i]);
    }
}

struct made { /* a dump of one table */
    const char *format, *compression;
    unsigned rows;
    struct digest digest; /* of its chunk */
    uint64_t raw_bytes;
    char path[64];
};

static void write_chunk(struct store *s, struct made *made)
{
    const char *columns[] = {"id", "note", "bin"};
    const enum cell_form forms[] = {CELL_NUMBER, CELL_TEXT, CELL_BYTES};
    const struct row_shape shape = {.table = "t", .columns = columns, .forms = forms, .count = 3};
    bool csv = strcmp(made->format, "csv") == 0;
    struct encoder *e = encoder_new(csv ? ROW_FORMAT_CSV : ROW_FORMAT_SQL, &shape, 100000);
    struct compression c;
    struct sink *sink = NULL;
    struct strbuf out = {0};
    struct sample sample;
    struct err err = ERR_INIT;

    assert_int_equal(compression_parse(made->compression, &c, &err), ERR_OK);
    (void)snprintf(made->path, sizeof made->path, "db.t.000000001.%s%s", made->format,
                   c.codec->extension);
    assert_int_equal(
        dump_file_open(s, made->path, &c, &made->raw_bytes, &made->digest, &sink, &err), ERR_OK);
    assert_int_equal(encoder_begin(e, &out, &err), ERR_OK);
    for (unsigned i = 1; i <= made->rows; i++) {
        sample_make(&sample, i);
        assert_int_equal(encoder_row(e, &sample.row, &out, &err), ERR_OK);
        if (out.len < 65536)
            continue;
        assert_int_equal(sink_write(sink, out.str, out.len, &err), ERR_OK);
        strbuf_reset(&out);
    }
    assert_int_equal(encoder_end(e, &out, &err), ERR_OK);
    assert_int_equal(sink_write(sink, strbuf_str(&out), out.len, &err), ERR_OK);
    assert_int_equal(sink_finish(sink, &err), ERR_OK);
    sink_free(sink);
    strbuf_release(&out);
    encoder_free(e);
}

static void append(struct manifest *m, struct record r)
{
    struct err err = ERR_INIT;

    assert_int_equal(manifest_append(m, &r, &err), ERR_OK);
}

static void given_schema(struct store *s, struct manifest *m, const char *path, const char *sql)
{
    struct compression c = {.codec = codec_of_path(path)};
    struct digest digest = {0};
    uint64_t raw = 0;
    struct sink *sink = NULL;
    struct err err = ERR_INIT;

    c.level = c.codec->level_default;
    assert_int_equal(dump_file_open(s, path, &c, &raw, &digest, &sink, &err), ERR_OK);
    assert_int_equal(sink_write(sink, sql, strlen(sql), &err), ERR_OK);
    assert_int_equal(sink_finish(sink, &err), ERR_OK);
    sink_free(sink);
    assert_true(raw == strlen(sql));
    append(m, (struct record){.kind = RECORD_FILE, .u.file = {text(path), digest}});
    digest_release(&digest);
}

#define SCHEMA_FILE "db.t-schema.sql.zst"

/* A whole dump; the digest of the chunk as `made` has it, so that a test may change it. */
static void given_dump(struct store *s, struct made *made)
{
    struct column_record columns[] = {
        {.name = text("id"), .type_text = text("int")},
        {.name = text("note"),
         .type_text = text("varchar(99)"),
         .charset = text("utf8mb4"),
         .nullable = true},
        {.name = text("bin"), .type_text = text("varbinary(120)")},
    };
    struct manifest *m = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(manifest_open(s, 0, NULL, NULL, &m, &err), ERR_OK);
    append(m, (struct record){.kind = RECORD_DUMP,
                              .u.dump = {.uuid = UUID,
                                         .version = 1,
                                         .ferry_version = text("1"),
                                         .format = text(made->format),
                                         .compression = text(made->compression),
                                         .options = text("{}")}});
    append(m, (struct record){.kind = RECORD_EPOCH,
                              .u.epoch = {.epoch = 1, .consistency = text("flush")}});
    given_schema(s, m, SCHEMA_FILE, "CREATE TABLE t (a int);\n");
    append(m, (struct record){.kind = RECORD_TABLE,
                              .u.table = {.table = 1,
                                          .epoch = 1,
                                          .db = text("db"),
                                          .name = text("t"),
                                          .kind = text("table"),
                                          .schema_file = text(SCHEMA_FILE),
                                          .columns = columns,
                                          .column_count = 3}});
    append(m, (struct record){.kind = RECORD_SPAN, .u.span = {.table = 1, .span = 1, .epoch = 1}});
    append(m, (struct record){.kind = RECORD_CHUNK,
                              .u.chunk = {.table = 1,
                                          .span = 1,
                                          .epoch = 1,
                                          .number = 1,
                                          .last = true,
                                          .path = made->path,
                                          .rows = made->rows,
                                          .raw_bytes = made->raw_bytes,
                                          .digest = made->digest}});
    append(m, (struct record){.kind = RECORD_TABLE_DONE,
                              .u.table_done = {1, made->rows, made->raw_bytes, 1, 0, 0}});
    append(m, (struct record){
                  .kind = RECORD_END,
                  .u.end = {
                      .tables = 1, .rows = made->rows, .raw_bytes = made->raw_bytes, .files = 2}});
    assert_int_equal(manifest_close(m, &err), ERR_OK);
}

/* Opens the chunk behind row `rows`, which ends at `off`, and reads up to row `end`. */
static void assert_rows(const struct dump *d, uint64_t off, unsigned rows, unsigned end)
{
    const struct dump_chunk *c = &d->tables[0].chunks[0];
    struct decoder *decoder = NULL;
    struct row row;
    bool more = true;
    struct err err = ERR_INIT;

    if (dump_open_chunk(d, c, off, rows, &decoder, &err))
        fail_msg("%s", err.msg);
    for (unsigned i = rows + 1; i <= end; i++) {
        if (decoder_next(decoder, &row, &more, &err))
            fail_msg("behind row %u: %s", rows, err.msg);
        assert_true(more);
        assert_row(&row, i);
        assert_int_equal(decoder_rows(decoder), i);
    }
    if (end == c->rows) {
        assert_int_equal(decoder_next(decoder, &row, &more, &err), ERR_OK);
        assert_false(more);
    }
    decoder_free(decoder);
}

/* From the start, and from behind every 2999th row. */
static void assert_reads(struct store *s, const struct made *made)
{
    struct dump *d = dump_opened(s, false);
    const struct dump_chunk *c = &d->tables[0].chunks[0];
    struct decoder *decoder = NULL;
    struct row row;
    bool more = true;
    struct err err = ERR_INIT;

    assert_int_equal(dump_open_chunk(d, c, 0, 0, &decoder, &err), ERR_OK);
    for (unsigned i = 1; i <= made->rows; i++) {
        assert_int_equal(decoder_next(decoder, &row, &more, &err), ERR_OK);
        assert_true(more);
        assert_row(&row, i);
        if (i % 2999 == 0 || i == made->rows)
            assert_rows(d, decoder_offset(decoder), i, i + 10 < made->rows ? i + 10 : made->rows);
    }
    assert_int_equal(decoder_next(decoder, &row, &more, &err), ERR_OK);
    assert_false(more);
    decoder_free(decoder);
    assert_int_equal(dump_check_listing(d, &err), ERR_OK);
    dump_free(d);
}

static void reads_every_kind_of_file(void **state)
{
    static const char *const formats[] = {"sql", "csv"};
    static const char *const compressions[] = {"none", "zstd:1", "gzip:1"};
    static const unsigned rows[] = {1, 100, 45000}; /* some 11 MB: three frames */

    (void)state;
    for (unsigned i = 0; i < 18; i++) {
        struct store *s = store_mem_new();
        struct made made = {
            .format = formats[i % 2], .compression = compressions[i / 2 % 3], .rows = rows[i / 6]};

        /* gzip has to be read from its start each time */
        if (made.rows > 5000 && i / 2 % 3 == 2)
            made.rows = 5000;
        write_chunk(s, &made);
        given_dump(s, &made);
        assert_reads(s, &made);
        digest_release(&made.digest);
        store_free(s);
    }
}

static void reads_from_a_folder(void **state)
{
    struct made made = {.format = "sql", .compression = "zstd", .rows = 45000};

    write_chunk(store_of(state), &made);
    given_dump(store_of(state), &made);
    assert_reads(store_of(state), &made);
    digest_release(&made.digest);
}

/* A zstd file without a seek table, as another tool makes it, is read from its start. */
static void reads_without_a_seek_table(void **state)
{
    struct store *s = store_of(state);
    struct made made = {.format = "sql", .compression = "zstd", .rows = 20000};
    struct strbuf bytes = {0};
    struct digest digest = {0};
    struct sink *sink = NULL;
    uint32_t frames;
    struct err err = ERR_INIT;

    write_chunk(s, &made);
    assert_int_equal(store_get(s, made.path, &bytes, (size_t)64 << 20, &err), ERR_OK);
    memcpy(&frames, bytes.str + bytes.len - 9, sizeof frames);
    assert_int_equal(store_open_write(s, made.path, &sink, &err), ERR_OK);
    sink = digest_tap_new(sink, &digest);
    assert_int_equal(sink_write(sink, bytes.str, bytes.len - 17 - 8 * (size_t)frames, &err),
                     ERR_OK);
    assert_int_equal(sink_finish(sink, &err), ERR_OK);
    sink_free(sink);
    strbuf_release(&bytes);
    digest_release(&made.digest);
    made.digest = digest;
    given_dump(s, &made);
    assert_reads(s, &made);
    digest_release(&made.digest);
}

/* Reads to the end; the rows that come before a failure are right. */
static enum err_code read_from(const struct dump *d, uint64_t off, unsigned rows, unsigned *got,
                               struct err *err)
{
    struct decoder *decoder = NULL;
    struct row row;
    bool more = true;
    enum err_code rc = dump_open_chunk(d, &d->tables[0].chunks[0], off, rows, &decoder, err);

    *got = 0;
    if (rc)
        return rc;
    for (;;) {
        rc = decoder_next(decoder, &row, &more, err);
        if (rc || !more)
            break;
        assert_row(&row, rows + ++*got);
    }
    decoder_free(decoder);
    return rc;
}

/* The raw offset behind row `n`. */
static uint64_t offset_of(const struct dump *d, unsigned n)
{
    struct decoder *decoder = NULL;
    struct row row;
    bool more = true;
    uint64_t off;
    struct err err = ERR_INIT;

    assert_int_equal(dump_open_chunk(d, &d->tables[0].chunks[0], 0, 0, &decoder, &err), ERR_OK);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(decoder_next(decoder, &row, &more, &err), ERR_OK);
    off = decoder_offset(decoder);
    decoder_free(decoder);
    return off;
}

static void flip(struct store *s, const char *path, size_t at)
{
    struct strbuf bytes = {0};
    struct err err = ERR_INIT;

    assert_int_equal(store_get(s, path, &bytes, (size_t)64 << 20, &err), ERR_OK);
    bytes.str[at] = (char)(bytes.str[at] ^ 0x10);
    assert_int_equal(store_put(s, path, bytes.str, bytes.len, &err), ERR_OK);
    strbuf_release(&bytes);
}

/* What is broken in front of where reading begins is no matter; from there on it is seen before a
 * wrong row comes. */
static void notices_changed_bytes(void **state)
{
    static const char *const compressions[] = {"none", "zstd"};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct store *s = store_mem_new();
        struct made made = {.format = "sql", .compression = compressions[i], .rows = 45000};
        struct dump *d;
        uint64_t off;
        unsigned got = 0;
        struct err err = ERR_INIT;

        write_chunk(s, &made);
        given_dump(s, &made);
        d = dump_opened(s, false);
        off = offset_of(d, 40000);
        flip(s, made.path, 100);
        assert_int_equal(read_from(d, 0, 0, &got, &err), ERR_CORRUPT);
        assert_int_equal(got, 0);
        assert_non_null(strstr(err.msg, made.path));
        assert_non_null(strstr(err.msg, "block 0"));
        assert_int_equal(read_from(d, off, 40000, &got, &err), ERR_OK);
        assert_int_equal(got, 5000);
        flip(s, made.path, 100);
        flip(s, made.path, made.digest.bytes - 30); /* the seek table, or the last rows */
        assert_int_equal(read_from(d, off, 40000, &got, &err), ERR_CORRUPT);
        assert_int_equal(read_from(d, 0, 0, &got, &err), ERR_CORRUPT);
        assert_int_equal(dump_check_listing(d, &err), ERR_OK); /* lengths only */
        dump_free(d);
        digest_release(&made.digest);
        store_free(s);
    }
}

static void notices_other_damage(void **state)
{
    struct store *s = store_of(state);
    struct made made = {.format = "csv", .compression = "none", .rows = 20};
    struct strbuf bytes = {0};
    struct dump *d;
    unsigned got = 0;
    struct err err = ERR_INIT;

    write_chunk(s, &made);
    given_dump(s, &made);
    d = dump_opened(s, false);
    assert_int_equal(store_get(s, made.path, &bytes, 1000000, &err), ERR_OK);
    assert_int_equal(store_put(s, made.path, bytes.str, bytes.len - 1, &err), ERR_OK);
    assert_int_equal(read_from(d, 0, 0, &got, &err), ERR_CORRUPT);
    assert_int_equal(dump_check_listing(d, &err), ERR_CORRUPT);
    assert_non_null(strstr(err.msg, "db.t.000000001.csv has"));
    strbuf_addch(&bytes, '\n');
    assert_int_equal(store_put(s, made.path, bytes.str, bytes.len, &err), ERR_OK);
    assert_int_equal(read_from(d, 0, 0, &got, &err), ERR_CORRUPT);
    assert_int_equal(dump_check_listing(d, &err), ERR_CORRUPT);
    assert_int_equal(store_remove(s, made.path, &err), ERR_OK);
    assert_int_equal(read_from(d, 0, 0, &got, &err), ERR_DUMP_FILE_MISSING);
    assert_int_equal(dump_check_listing(d, &err), ERR_DUMP_FILE_MISSING);
    assert_string_equal(err.msg, "mem:/db.t.000000001.csv is missing");
    assert_int_equal(store_remove(s, SCHEMA_FILE, &err), ERR_OK);
    assert_int_equal(dump_check_listing(d, &err), ERR_DUMP_FILE_MISSING);
    assert_string_equal(err.msg, "mem:/db.t-schema.sql.zst is missing, and 1 more");
    assert_int_equal(dump_open_chunk(d, &d->tables[0].chunks[0], made.raw_bytes + 1, 0, NULL, &err),
                     ERR_CORRUPT);
    assert_int_equal(dump_open_chunk(d, &d->tables[0].chunks[0], 0, 21, NULL, &err), ERR_CORRUPT);
    dump_free(d);
    strbuf_release(&bytes);
    digest_release(&made.digest);
}

/* Blocks may all be right and the whole not be what was written. */
static void compares_the_whole(void **state)
{
    struct store *s = store_of(state);
    struct made made = {.format = "sql", .compression = "zstd", .rows = 20};
    struct dump *d;
    unsigned got = 0;
    struct err err = ERR_INIT;

    write_chunk(s, &made);
    made.digest.sha256[31] ^= 1;
    given_dump(s, &made);
    d = dump_opened(s, false);
    assert_int_equal(read_from(d, 0, 0, &got, &err), ERR_CORRUPT);
    assert_non_null(strstr(err.msg, "the SHA-256 of the whole differs"));
    dump_free(d);
    digest_release(&made.digest);
}

static void refuses_a_file_recorded_twice(void **state)
{
    struct dump *d;
    struct err err = ERR_INIT;

    given_records(store_of(state),
                  START SPAN(1, 1, 0) CHUNK(1, 1, 1, YES) TABLE(2, "t2") FILE_OF("db.t1.1.sql", 3));
    d = dump_opened(store_of(state), true);
    assert_int_equal(dump_check_listing(d, &err), ERR_CORRUPT);
    assert_string_equal(err.msg, "'db.t1.1.sql' is recorded twice");
    dump_free(d);
}

static void reads_schema_files(void **state)
{
    struct store *s = store_of(state);
    struct made made = {.format = "sql", .compression = "zstd", .rows = 1};
    struct strbuf sql = {0};
    struct dump *d;
    struct err err = ERR_INIT;

    write_chunk(s, &made);
    given_dump(s, &made);
    d = dump_opened(s, false);
    assert_string_equal(d->tables[0].schema_file, SCHEMA_FILE);
    assert_int_equal(dump_read_schema(d, SCHEMA_FILE, &sql, &err), ERR_OK);
    assert_string_equal(sql.str, "CREATE TABLE t (a int);\n");
    strbuf_reset(&sql);
    assert_int_equal(dump_read_schema(d, "other.sql", &sql, &err), ERR_DUMP_FILE_MISSING);
    flip(s, SCHEMA_FILE, 5);
    assert_int_equal(dump_read_schema(d, SCHEMA_FILE, &sql, &err), ERR_CORRUPT);
    assert_int_equal(sql.len, 0);
    assert_int_equal(store_remove(s, SCHEMA_FILE, &err), ERR_OK);
    assert_int_equal(dump_read_schema(d, SCHEMA_FILE, &sql, &err), ERR_DUMP_FILE_MISSING);
    dump_free(d);
    strbuf_release(&sql);
    digest_release(&made.digest);
}

/* Opening, checking and reading, with each call of the store failing once. */
static enum err_code use_dump(struct store *s, uint64_t off, unsigned rows, struct err *err)
{
    struct strbuf sql = {0};
    struct dump *d = NULL;
    unsigned got = 0;
    enum err_code rc = dump_open(s, false, &d, err);

    if (!rc)
        rc = dump_check_listing(d, err);
    if (!rc)
        rc = dump_read_schema(d, SCHEMA_FILE, &sql, err);
    if (!rc)
        rc = read_from(d, 0, 0, &got, err);
    if (!rc)
        rc = read_from(d, off, rows, &got, err);
    strbuf_release(&sql);
    dump_free(d);
    return rc;
}

static void gives_each_failure_on(void **state)
{
    struct store *inner = store_of(state);
    struct made made = {.format = "sql", .compression = "zstd", .rows = 500};
    struct dump *d;
    uint64_t off;
    unsigned calls = 1;

    write_chunk(inner, &made);
    given_dump(inner, &made);
    d = dump_opened(inner, false);
    off = offset_of(d, 400);
    dump_free(d);
    for (unsigned n = 0; n <= calls; n++) {
        struct store *s = fail_store_new(inner, n);
        struct err err = ERR_INIT;

        assert_int_equal(use_dump(s, off, 400, &err), n ? ERR_IO : ERR_OK);
        if (n == 0)
            calls = fail_store_calls(s);
        store_free(s);
    }
    assert_true(calls > 10);
    digest_release(&made.digest);
}

/* A file that cannot be written leaves nothing. */
static void writes_all_or_nothing(void **state)
{
    static const char bytes[] = "some rows";
    unsigned calls = 1;

    (void)state;
    for (unsigned n = 0; n <= calls; n++) {
        struct store *inner = store_mem_new();
        struct store *s = fail_store_new(inner, n);
        struct compression c = {.codec = codec_find("zstd"), .level = 1};
        struct digest digest = {0};
        struct sink *sink = NULL;
        struct store_info info;
        uint64_t raw = 0;
        struct err err = ERR_INIT;
        enum err_code rc = dump_file_open(s, "a.sql.zst", &c, &raw, &digest, &sink, &err);

        if (!rc)
            rc = sink_write(sink, bytes, sizeof bytes, &err);
        if (!rc)
            rc = sink_finish(sink, &err);
        sink_free(sink);
        if (n == 0)
            calls = fail_store_calls(s);
        assert_int_equal(rc, n ? ERR_IO : ERR_OK);
        assert_int_equal(store_stat(inner, "a.sql.zst", &info, &err),
                         n ? ERR_STORE_NOT_FOUND : ERR_OK);
        if (n == 0) {
            assert_int_equal(raw, sizeof bytes);
            assert_int_equal(digest.bytes, info.size);
            assert_int_equal(digest.block_count, 1);
        }
        digest_release(&digest);
        store_free(s);
        store_free(inner);
    }
    assert_true(calls >= 3);
}

#define ON_MEM(test) cmocka_unit_test_setup_teardown(test, mem_setup, teardown)
#define ON_FILE(test) cmocka_unit_test_setup_teardown(test, file_setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_MEM(plans_a_whole_dump),
        ON_MEM(builds_the_model),
        ON_MEM(void_forgets_chunks),
        ON_MEM(epochs_of_a_table),
        ON_MEM(left_out_and_read_again),
        ON_MEM(says_that_there_is_no_dump),
        ON_MEM(takes_many_chunks),
        ON_FILE(reads_from_a_folder),
        ON_MEM(reads_without_a_seek_table),
        ON_MEM(notices_other_damage),
        ON_MEM(compares_the_whole),
        ON_MEM(refuses_a_file_recorded_twice),
        ON_MEM(reads_schema_files),
        ON_MEM(gives_each_failure_on),
        cmocka_unit_test(refuses_contradictions),
        cmocka_unit_test(reads_every_kind_of_file),
        cmocka_unit_test(notices_changed_bytes),
        cmocka_unit_test(writes_all_or_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
