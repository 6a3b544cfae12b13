/* What is made of an output that holds something already; in memory, without a server. */
#include "common/base/mem.h"
#include "dumper/run.h"
#include "tests/unit/cmocka_all.h"

#include <stdlib.h>

struct output {
    struct dump_config config;
    struct cancel cancel;
    struct dump_run run;
};

static int setup(void **state)
{
    struct output *o = xcalloc(1, sizeof(*o));
    struct err err = ERR_INIT;

    if (compression_parse("none", &o->config.compression, &err))
        return 1;
    o->run = (struct dump_run){.config = &o->config,
                               .cancel = &o->cancel,
                               .output = store_mem_new(),
                               .ledger = ledger_new(),
                               .options = dumper_options(&o->config)};
    *state = o;
    return 0;
}

static int teardown(void **state)
{
    struct output *o = *state;

    store_free(o->run.output);
    ledger_free(o->run.ledger);
    free(o->run.options);
    free(o);
    return 0;
}

static void given(struct output *o, const char *path, const char *text)
{
    struct err err = ERR_INIT;

    assert_int_equal(store_put(o->run.output, path, text, strlen(text), &err), ERR_OK);
}

static void append(struct manifest *m, struct record r)
{
    struct err err = ERR_INIT;

    assert_int_equal(manifest_append(m, &r, &err), ERR_OK);
}

static char unchanging[] = "x"; /* for records that are only copied */

/* A dump with one table, a schema file of 3 bytes and a data file of 4; its epoch if `epochs`. */
static void given_dump(struct output *o, unsigned epochs, bool ended)
{
    static char options[512];
    static char db[] = "d";
    static char name[] = "t";
    static char kind[] = "table";
    static char flush[] = "flush";
    static char schema[] = "d.t-schema.sql";
    static uint64_t block[1];
    static char data[] = "d.t.000000001.sql";
    struct err err = ERR_INIT;
    struct manifest *m = NULL;

    (void)snprintf(options, sizeof(options), "%s", o->run.options);
    assert_int_equal(manifest_open(o->run.output, 0, NULL, NULL, &m, &err), ERR_OK);
    append(m, (struct record){.kind = RECORD_DUMP,
                              .u.dump = {.uuid = "00000000-0000-4000-8000-000000000000",
                                         .version = MANIFEST_VERSION,
                                         .ferry_version = unchanging,
                                         .source_version = unchanging,
                                         .vendor = unchanging,
                                         .format = unchanging,
                                         .compression = unchanging,
                                         .options = options}});
    if (epochs) {
        append(m, (struct record){.kind = RECORD_EPOCH,
                                  .u.epoch = {.epoch = 1, .consistency = flush}});
        append(m, (struct record){
                      .kind = RECORD_FILE,
                      .u.file = {.path = schema,
                                 .digest = {.bytes = 3, .blocks = block, .block_count = 1}}});
        append(m, (struct record){.kind = RECORD_TABLE,
                                  .u.table = {.table = 1,
                                              .epoch = 1,
                                              .db = db,
                                              .name = name,
                                              .kind = kind,
                                              .schema_file = schema,
                                              .sha256 = unchanging}});
        append(m,
               (struct record){.kind = RECORD_SPAN, .u.span = {.table = 1, .span = 1, .epoch = 1}});
        append(m, (struct record){
                      .kind = RECORD_CHUNK,
                      .u.chunk = {.table = 1,
                                  .span = 1,
                                  .epoch = 1,
                                  .number = 1,
                                  .path = data,
                                  .rows = 1,
                                  .raw_bytes = 4,
                                  .digest = {.bytes = 4, .blocks = block, .block_count = 1}}});
        given(o, schema, "abc");
        given(o, data, "abcd");
    }
    if (ended)
        append(m, (struct record){.kind = RECORD_END});
    assert_int_equal(manifest_close(m, &err), ERR_OK);
}

static enum err_code resume(struct output *o, struct err *err)
{
    enum err_code rc = dumper_look(&o->run, err);

    return rc ? rc : dumper_resume(&o->run, err);
}

static bool there(struct output *o, const char *path)
{
    struct store_info info;
    struct err err = ERR_INIT;

    return store_stat(o->run.output, path, &info, &err) == ERR_OK;
}

static void an_empty_output_is_fine(void **state)
{
    struct output *o = *state;
    struct err err = ERR_INIT;

    given(o, "ferry.lock", "somebody was here");
    assert_int_equal(resume(o, &err), ERR_OK);
    assert_false(o->run.ledger->begun);
}

static void foreign_files_are_refused(void **state)
{
    struct output *o = *state;
    struct err err = ERR_INIT;

    given(o, "precious.txt", "mine");
    assert_int_equal(resume(o, &err), ERR_DUMP_OUTPUT_USED);
    assert_non_null(strstr(err.msg, "precious.txt"));
    o->config.restart = true;
    assert_int_equal(resume(o, &err), ERR_DUMP_OUTPUT_USED);
    assert_true(there(o, "precious.txt"));
}

/* A dump made by another tool has our names and no manifest. */
static void others_dumps_are_refused(void **state)
{
    struct output *o = *state;
    struct err err = ERR_INIT;

    given(o, "d.t.000000001.sql", "INSERT");
    o->config.restart = true;
    assert_int_equal(resume(o, &err), ERR_DUMP_OUTPUT_USED);
    assert_true(there(o, "d.t.000000001.sql"));
}

static void goes_on_and_deletes_orphans(void **state)
{
    struct output *o = *state;
    struct err err = ERR_INIT;

    given_dump(o, 1, false);
    given(o, "d.t.000000002.sql", "not recorded");
    given(o, "d.t.000000001.sql.zst", "another name of a recorded number");
    given(o, "d.u-schema.sql", "not recorded");
    given(o, "notes.txt", "not of a dump");
    assert_int_equal(resume(o, &err), ERR_OK);
    assert_int_equal(o->run.ledger->epochs, 1);
    assert_true(there(o, "d.t.000000001.sql"));
    assert_true(there(o, "d.t-schema.sql"));
    assert_true(there(o, "notes.txt"));
    assert_false(there(o, "d.t.000000002.sql"));
    assert_false(there(o, "d.t.000000001.sql.zst"));
    assert_false(there(o, "d.u-schema.sql"));
    assert_int_equal(dumper_check_files(&o->run, &err), ERR_OK); /* and again at the end */
}

static void missing_and_cut_files_are_named(void **state)
{
    struct output *o = *state;
    struct err err = ERR_INIT;

    given_dump(o, 1, false);
    given(o, "d.t.000000001.sql", "abc");
    assert_int_equal(resume(o, &err), ERR_CORRUPT);
    assert_non_null(strstr(err.msg, "d.t.000000001.sql has 3 bytes, recorded are 4"));
    assert_int_equal(store_remove(o->run.output, "d.t.000000001.sql", &err), ERR_OK);
    assert_int_equal(resume(o, &err), ERR_DUMP_FILE_MISSING);
    assert_non_null(strstr(err.msg, "d.t.000000001.sql"));
    given(o, "d.t.000000001.sql", "abcd");
    assert_int_equal(store_remove(o->run.output, "d.t-schema.sql", &err), ERR_OK);
    assert_int_equal(resume(o, &err), ERR_DUMP_FILE_MISSING);
    assert_non_null(strstr(err.msg, "d.t-schema.sql"));
}

static void options_that_shape_the_output(void **state)
{
    static const char *const filters[] = {"a.*"};
    struct output *o = *state;
    struct err err = ERR_INIT;

    given_dump(o, 1, false);
    o->config.threads = 77;
    o->config.chunk_bytes = 12345;
    assert_int_equal(resume(o, &err), ERR_OK);
    o->config.format = ROW_FORMAT_CSV;
    free(o->run.options);
    o->run.options = dumper_options(&o->config);
    assert_int_equal(resume(o, &err), ERR_DUMP_OPTIONS);
    assert_string_equal(err.msg, "--format was \"sql\" when this dump began and is \"csv\" now");
    o->config.format = ROW_FORMAT_SQL;
    o->config.filters = filters;
    o->config.filter_count = 1;
    free(o->run.options);
    o->run.options = dumper_options(&o->config);
    assert_int_equal(resume(o, &err), ERR_DUMP_OPTIONS);
    assert_string_equal(err.msg, "--filter was [] when this dump began and is [\"a.*\"] now");
}

static void consistency_does_not_change(void **state)
{
    struct output *o = *state;
    struct err err = ERR_INIT;

    given_dump(o, 1, false);
    o->config.consistency = CONSISTENCY_NONE;
    assert_int_equal(resume(o, &err), ERR_DUMP_OPTIONS);
    assert_non_null(strstr(err.msg, "--consistency"));
}

/* Before its first epoch a dump holds nothing: other options begin anew. */
static void nothing_read_nothing_lost(void **state)
{
    struct output *o = *state;
    struct err err = ERR_INIT;

    given_dump(o, 0, false);
    assert_int_equal(resume(o, &err), ERR_OK);
    assert_true(o->run.ledger->begun);
    o->config.format = ROW_FORMAT_CSV;
    free(o->run.options);
    o->run.options = dumper_options(&o->config);
    assert_int_equal(resume(o, &err), ERR_OK);
    assert_false(o->run.ledger->begun);
    assert_false(there(o, "ferry.manifest/000001.jsonl"));
}

static void finished_and_unwanted(void **state)
{
    struct output *o = *state;
    struct err err = ERR_INIT;

    given_dump(o, 1, false);
    o->config.no_resume = true;
    assert_int_equal(resume(o, &err), ERR_DUMP_OUTPUT_USED);
    o->config.no_resume = false;
    o->config.restart = true;
    assert_int_equal(resume(o, &err), ERR_OK);
    assert_false(o->run.ledger->begun);
    assert_false(there(o, "d.t.000000001.sql"));
    assert_false(there(o, "ferry.manifest/000001.jsonl"));
    o->config.restart = false;
    given_dump(o, 1, true);
    assert_int_equal(resume(o, &err), ERR_DUMP_FINISHED);
}

#define WITH_OUTPUT(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_OUTPUT(an_empty_output_is_fine),         WITH_OUTPUT(foreign_files_are_refused),
        WITH_OUTPUT(others_dumps_are_refused),        WITH_OUTPUT(goes_on_and_deletes_orphans),
        WITH_OUTPUT(missing_and_cut_files_are_named), WITH_OUTPUT(options_that_shape_the_output),
        WITH_OUTPUT(consistency_does_not_change),     WITH_OUTPUT(nothing_read_nothing_lost),
        WITH_OUTPUT(finished_and_unwanted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
