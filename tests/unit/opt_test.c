#include "common/base/opt.h"

#include "tests/unit/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARGV_MAX 16

struct config {
    bool resume;
    unsigned threads;
    uint64_t chunk_bytes;
    uint64_t wait_us;
    const char *output;
    const char *password;
    const char *config_file;
    struct opt_list filters, where;
    int format;
    unsigned verbose;
};

#define FIELD(f) offsetof(struct config, f)
static const char *const formats[] = {"sql", "csv", NULL};
static const struct opt opts[] = {
    {.name = "resume", .kind = OPT_BOOL, .field = FIELD(resume), .help = "go on (default true)"},
    {.name = "threads",
     .letter = 't',
     .kind = OPT_UINT,
     .field = FIELD(threads),
     .arg = "N",
     .help = "worker threads, one connection each (default 4)",
     .min = 1,
     .max = 256},
    {.name = "chunk-size",
     .kind = OPT_SIZE,
     .field = FIELD(chunk_bytes),
     .arg = "BYTES",
     .help = "target size of one data file, and a sentence that is long enough to need a second "
             "line in the help (default 64MiB)"},
    {.name = "wait", .kind = OPT_DURATION, .field = FIELD(wait_us), .arg = "TIME", .help = "wait"},
    {.name = "output",
     .letter = 'o',
     .kind = OPT_STRING,
     .field = FIELD(output),
     .arg = "URL",
     .help = "file:///dir or s3://bucket/prefix"},
    {.name = "format",
     .kind = OPT_ENUM,
     .field = FIELD(format),
     .help = "form of the rows",
     .words = formats},
    {.kind = OPT_END}};
static const struct opt shared_opts[] = {{.name = "source-password",
                                          .kind = OPT_STRING,
                                          .field = FIELD(password),
                                          .secret = true,
                                          .arg = "TEXT",
                                          .help = "password of the source"},
                                         {.name = "config",
                                          .kind = OPT_STRING,
                                          .field = FIELD(config_file),
                                          .arg = "FILE",
                                          .help = "config file"},
                                         {.name = "filter",
                                          .letter = 'f',
                                          .kind = OPT_LIST,
                                          .field = FIELD(filters),
                                          .arg = "FILTER",
                                          .help = "tables to take"},
                                         {.name = "where",
                                          .kind = OPT_TABLES,
                                          .field = FIELD(where),
                                          .arg = "DB.TABLE=COND",
                                          .help = "rows to take"},
                                         {.name = "verbose",
                                          .letter = 'v',
                                          .kind = OPT_COUNT,
                                          .field = FIELD(verbose),
                                          .help = "say more"},
                                         {.kind = OPT_END}};

struct fixture {
    struct config config;
    struct opt_table tables[2];
    struct opt_set *set;
    struct err err;
    char *argv[ARGV_MAX];
    int argc;
    int args;
    char path[64];
};

static const char *const variables[] = {"FERRY_THREADS",         "FERRY_CHUNK_SIZE", "FERRY_FILTER",
                                        "FERRY_SOURCE_PASSWORD", "FERRY_CONFIG",     "FERRY_RESUME",
                                        "FERRY_OUTPUT",          "FERRY_VERBOSE"};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (!f)
        return -1;
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
        (void)unsetenv(variables[i]);
    f->config = (struct config){.resume = true, .threads = 4, .output = "default"};
    f->tables[0] = (struct opt_table){"Dump", opts, &f->config};
    f->tables[1] = (struct opt_table){"Shared", shared_opts, &f->config};
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    opt_set_free(f->set);
    if (f->path[0])
        (void)unlink(f->path);
    for (int i = 0; i < ARGV_MAX; i++)
        free(f->argv[i]);
    free(f);
    return 0;
}

/* Parses "dump" and the words of `line`, which are split at single blanks. */
static enum err_code parse(struct fixture *f, const char *line)
{
    char *words[ARGV_MAX + 1] = {NULL};
    enum err_code rc;

    f->argc = 0;
    f->argv[f->argc++] = strdup("dump");
    while (*line) {
        size_t len = strcspn(line, " ");

        assert_true(f->argc < ARGV_MAX);
        f->argv[f->argc++] = strndup(line, len);
        line += len + (line[len] == ' ');
    }
    for (int i = 0; i < f->argc; i++)
        words[i] = f->argv[i];
    rc = opt_parse(&f->set, f->tables, 2, f->argc, words, &f->args, &f->err);
    for (int i = 0; i < f->argc; i++)
        f->argv[i] = words[i];
    return rc;
}

static void given_file(struct fixture *f, const char *text)
{
    FILE *file;
    int fd;

    (void)snprintf(f->path, sizeof f->path, "/tmp/ferry-opt-test-XXXXXX");
    fd = mkstemp(f->path);
    assert_true(fd >= 0);
    file = fdopen(fd, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(setenv("FERRY_CONFIG", f->path, 1), 0);
}

static void defaults_stay(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(parse(f, ""), ERR_OK);
    assert_true(f->config.resume);
    assert_int_equal(f->config.threads, 4);
    assert_string_equal(f->config.output, "default");
    assert_false(opt_given(f->set, "threads"));
    assert_false(opt_given(f->set, "no such"));
    assert_int_equal(f->args, 1);
}

static void reads_every_form(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(parse(f, "--no-resume -t8 --chunk-size=64MiB --wait 1h30m -o out -vv "
                              "--format csv --verbose -f a.* -fb.* --filter=!c.*"),
                     ERR_OK);
    assert_false(f->config.resume);
    assert_int_equal(f->config.threads, 8);
    assert_true(f->config.chunk_bytes == 64u << 20);
    assert_true(f->config.wait_us == UINT64_C(5400000000));
    assert_string_equal(f->config.output, "out");
    assert_int_equal(f->config.verbose, 3);
    assert_int_equal(f->config.format, 1);
    assert_int_equal(f->config.filters.count, 3);
    assert_string_equal(f->config.filters.items[0], "a.*");
    assert_string_equal(f->config.filters.items[1], "b.*");
    assert_string_equal(f->config.filters.items[2], "!c.*");
    assert_true(opt_given(f->set, "threads"));
}

static void positional_arguments_come_last(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(parse(f, "one -t 5 - --resume=false two -- -v --three"), ERR_OK);
    assert_int_equal(f->args, 5);
    assert_string_equal(f->argv[f->args], "one");
    assert_string_equal(f->argv[f->args + 1], "-");
    assert_string_equal(f->argv[f->args + 2], "two");
    assert_string_equal(f->argv[f->args + 3], "-v");
    assert_string_equal(f->argv[f->args + 4], "--three");
    assert_int_equal(f->args + 5, f->argc);
    assert_int_equal(f->config.threads, 5);
    assert_int_equal(f->config.verbose, 0);
    assert_false(f->config.resume);
}

static void file_gives_way_to_environment_and_command_line(void **state)
{
    struct fixture *f = *state;

    given_file(f, "# all commands\nthreads = 10\n chunk-size=1MB\noutput = \" a b \"\r\n\n"
                  "filter = x.*\nfilter = y.*\nverbose = 2\n; other\n"
                  "[load]\nno-such = 1\n[dump]\nresume = no\n");
    assert_int_equal(setenv("FERRY_THREADS", "20", 1), 0);
    assert_int_equal(setenv("FERRY_CHUNK_SIZE", "", 1), 0);
    assert_int_equal(parse(f, ""), ERR_OK);
    assert_int_equal(f->config.threads, 20);
    assert_true(f->config.chunk_bytes == 1000000);
    assert_string_equal(f->config.output, " a b ");
    assert_int_equal(f->config.filters.count, 2);
    assert_int_equal(f->config.verbose, 2);
    assert_false(f->config.resume);
    assert_true(opt_given(f->set, "threads"));
}

static void sections_of_tables(void **state)
{
    struct fixture *f = *state;

    given_file(f, "where = a.b=1\n[table x.y*]\nwhere = id > 5\n[load]\nwhere = no\n"
                  "[ table  `q=]`.`r s` ]\nwhere = \" a = b\"\n[dump]\nthreads = 9\n");
    assert_int_equal(parse(f, ""), ERR_OK);
    assert_int_equal(f->config.where.count, 3);
    assert_string_equal(f->config.where.items[0], "a.b=1");
    assert_string_equal(f->config.where.items[1], "x.y*=id > 5");
    assert_string_equal(f->config.where.items[2], "`q=]`.`r s`= a = b");
    assert_int_equal(f->config.threads, 9);
    assert_int_equal(tear_down(state), 0);
    assert_int_equal(set_up(state), 0);
    f = *state;
    given_file(f, "[table x.y]\nwhere = id > 5\n");
    assert_int_equal(parse(f, "--where z.z=1"), ERR_OK); /* as any list */
    assert_int_equal(f->config.where.count, 1);
    assert_string_equal(f->config.where.items[0], "z.z=1");
}

static void command_line_is_strongest(void **state)
{
    struct fixture *f = *state;

    given_file(f, "threads = 10\nfilter = x.*\nverbose = 2\n");
    assert_int_equal(setenv("FERRY_THREADS", "20", 1), 0);
    assert_int_equal(setenv("FERRY_FILTER", "e.*\nf,g.*\n", 1), 0);
    assert_int_equal(parse(f, "-t 30 -v"), ERR_OK);
    assert_int_equal(f->config.threads, 30);
    assert_int_equal(f->config.verbose, 1);
    assert_int_equal(f->config.filters.count, 2);
    assert_string_equal(f->config.filters.items[1], "f,g.*");
    opt_set_free(f->set);
    f->set = NULL;
    for (int i = 0; i < f->argc; i++) {
        free(f->argv[i]);
        f->argv[i] = NULL;
    }
    assert_int_equal(parse(f, "-f z.*"), ERR_OK);
    assert_int_equal(f->config.filters.count, 1);
    assert_string_equal(f->config.filters.items[0], "z.*");
    assert_int_equal(f->config.threads, 20);
}

static void config_option_beats_its_variable(void **state)
{
    struct fixture *f = *state;
    char line[100];

    given_file(f, "threads = 7\n");
    assert_int_equal(setenv("FERRY_CONFIG", "/nonexistent", 1), 0);
    (void)snprintf(line, sizeof line, "--config %s", f->path);
    assert_int_equal(parse(f, line), ERR_OK);
    assert_int_equal(f->config.threads, 7);
}

/* Each is said on the command line and must fail with these words. */
static const struct {
    const char *line;
    const char *message;
} bad_lines[] = {
    {"--thread 3", "unknown option '--thread'; did you mean '--threads'?"},
    {"--passwd=hunter2", "unknown option '--passwd'"},
    {"-x", "unknown option '-x'"},
    {"-Psecret", "unknown option '-P'"},
    {"--threads", "option '--threads' needs a value"},
    {"-t", "option '--threads' needs a value"},
    {"-t 0", "option '--threads': '0' is less than the least, 1"},
    {"-t 257", "option '--threads': '257' is more than the most, 256"},
    {"-t 4294967296", "option '--threads': '4294967296' is too large"},
    {"-t -1", "option '--threads': '-1' is not a whole number"},
    {"-t 4x", "option '--threads': '4x' is not a whole number"},
    {"--threads=", "option '--threads': '' is not a whole number"},
    {"--chunk-size 5XB", "option '--chunk-size': '5XB' is not a size such as 64MiB, 1GB or 1000"},
    {"--wait 10", "option '--wait': '10' is not a time such as 10s, 500ms or 1h30m"},
    {"--format xml", "option '--format': 'xml' is none of sql, csv"},
    {"--resume=perhaps", "option '--resume': 'perhaps' is neither true nor false"},
    {"--no-resume=true", "option '--no-resume' takes no value"},
    {"--no-threads", "unknown option '--no-threads'"},
    {"--source-password=hunter2",
     "option '--source-password' is not taken from the command line, where others can read it; use "
     "the environment variable FERRY_SOURCE_PASSWORD or the config file"},
    {"--config /nonexistent", "cannot open config file '/nonexistent': No such file or directory"},
};

static void refuses_with_the_name(void **state)
{
    for (size_t i = 0; i < sizeof bad_lines / sizeof bad_lines[0]; i++) {
        struct fixture *f = *state;

        assert_int_equal(parse(f, bad_lines[i].line), ERR_USAGE);
        assert_string_equal(f->err.msg, bad_lines[i].message);
        assert_null(f->set);
        assert_int_equal(tear_down(state), 0);
        assert_int_equal(set_up(state), 0);
    }
}

static const struct {
    const char *text;
    const char *message; /* behind "config file 'NAME' " */
} bad_files[] = {
    {"\nthreads = 10\nthread = 1\n", "line 3: unknown option 'thread'; did you mean 'threads'?"},
    {"threads\n", "line 1: not of the form 'key = value'"},
    {"[dump\n", "line 1: a section has no ']'"},
    {"[dump now]\n", "line 1: [dump now] is neither [COMMAND] nor [table DB.TABLE]"},
    {"[table]\n", "line 1: [table]: a pattern of tables is DB.TABLE, without '=' outside of "
                  "`quotes`"},
    {"\n[table a.b=c]\n", "line 2: [table a.b=c]: a pattern of tables is DB.TABLE, without '=' "
                          "outside of `quotes`"},
    {"[table a.b]\nthreads = 3\n", "line 2: 'threads': not an option of single tables"},
    {"[table a.b]\nwere = 3\n", "line 2: unknown option 'were'; did you mean 'where'?"},
    {"[table a.b]\nwhere =\n", "line 2: 'where': no value"},
    {"threads = x", "line 1: 'threads': 'x' is not a whole number"},
    {"config = x", "line 1: a config file cannot name another one"},
};

static void refuses_a_bad_file_by_line(void **state)
{
    for (size_t i = 0; i < sizeof bad_files / sizeof bad_files[0]; i++) {
        struct fixture *f = *state;
        char message[300];

        given_file(f, bad_files[i].text);
        (void)snprintf(message, sizeof message, "config file '%s' %s", f->path,
                       bad_files[i].message);
        assert_int_equal(parse(f, ""), ERR_USAGE);
        assert_string_equal(f->err.msg, message);
        assert_int_equal(tear_down(state), 0);
        assert_int_equal(set_up(state), 0);
    }
}

static void bad_variable_is_named(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(setenv("FERRY_CHUNK_SIZE", "big", 1), 0);
    assert_int_equal(parse(f, ""), ERR_USAGE);
    assert_string_equal(f->err.msg, "environment variable FERRY_CHUNK_SIZE: 'big' is not a size "
                                    "such as 64MiB, 1GB or 1000");
}

static void secrets_come_from_environment_and_file(void **state)
{
    struct fixture *f = *state;

    given_file(f, "source-password = from file\n");
    assert_int_equal(parse(f, ""), ERR_OK);
    assert_string_equal(f->config.password, "from file");
    assert_int_equal(tear_down(state), 0);
    assert_int_equal(set_up(state), 0);
    f = *state;
    assert_int_equal(setenv("FERRY_SOURCE_PASSWORD", "p w", 1), 0);
    assert_int_equal(parse(f, ""), ERR_OK);
    assert_string_equal(f->config.password, "p w");
}

static void many_list_items(void **state)
{
    struct fixture *f = *state;
    struct strbuf text = {0};

    for (int i = 0; i < 1000; i++)
        strbuf_addf(&text, "filter = t%d\n", i);
    given_file(f, strbuf_str(&text));
    strbuf_release(&text);
    assert_int_equal(parse(f, ""), ERR_OK);
    assert_int_equal(f->config.filters.count, 1000);
    assert_string_equal(f->config.filters.items[0], "t0");
    assert_string_equal(f->config.filters.items[999], "t999");
}

static void sizes_and_durations(void **state)
{
    struct err err = ERR_INIT;
    uint64_t v = 0;

    (void)state;
    assert_int_equal(opt_parse_size("18446744073709551615", &v, &err), ERR_OK);
    assert_true(v == UINT64_MAX);
    assert_int_equal(opt_parse_size("18446744073709551616", &v, &err), ERR_USAGE);
    assert_true(v == UINT64_MAX); /* untouched */
    assert_int_equal(opt_parse_size("16777216TiB", &v, &err), ERR_USAGE);
    assert_int_equal(opt_parse_size("2 gib", &v, &err), ERR_OK);
    assert_true(v == UINT64_C(2) << 30);
    assert_int_equal(opt_parse_size("3K", &v, &err), ERR_OK);
    assert_true(v == 3072);
    assert_int_equal(opt_parse_size("", &v, &err), ERR_USAGE);
    assert_int_equal(opt_parse_size("MiB", &v, &err), ERR_USAGE);
    assert_int_equal(opt_parse_size("1MiB2", &v, &err), ERR_USAGE);
    assert_int_equal(opt_parse_duration("0", &v, &err), ERR_OK);
    assert_true(v == 0);
    assert_int_equal(opt_parse_duration("500ms", &v, &err), ERR_OK);
    assert_true(v == 500000);
    assert_int_equal(opt_parse_duration("2d", &v, &err), ERR_OK);
    assert_true(v == UINT64_C(172800000000));
    assert_int_equal(opt_parse_duration("1h 30min 5s", &v, &err), ERR_USAGE);
    assert_int_equal(opt_parse_duration("1h30min5s7us", &v, &err), ERR_OK);
    assert_true(v == UINT64_C(5405000007));
    assert_int_equal(opt_parse_duration("", &v, &err), ERR_USAGE);
    assert_int_equal(opt_parse_duration("99999999999999d", &v, &err), ERR_USAGE);
}

static void help_lists_tables(void **state)
{
    struct fixture *f = *state;
    struct strbuf help = {0};

    opt_help(&help, f->tables, 2);
    assert_string_equal(
        strbuf_str(&help),
        "Dump:\n"
        "      --resume                go on (default true)\n"
        "  -t, --threads N             worker threads, one connection each (default 4)\n"
        "      --chunk-size BYTES      target size of one data file, and a sentence that is long "
        "enough to\n"
        "                              need a second line in the help (default 64MiB)\n"
        "      --wait TIME             wait\n"
        "  -o, --output URL            file:///dir or s3://bucket/prefix\n"
        "      --format sql|csv        form of the rows\n"
        "\nShared:\n"
        "      FERRY_SOURCE_PASSWORD   password of the source\n"
        "      --config FILE           config file\n"
        "  -f, --filter FILTER         tables to take\n"
        "      --where DB.TABLE=COND   rows to take\n"
        "  -v, --verbose               say more\n");
    strbuf_release(&help);
}

#define OPT_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OPT_TEST(defaults_stay),
        OPT_TEST(reads_every_form),
        OPT_TEST(positional_arguments_come_last),
        OPT_TEST(file_gives_way_to_environment_and_command_line),
        OPT_TEST(command_line_is_strongest),
        OPT_TEST(sections_of_tables),
        OPT_TEST(config_option_beats_its_variable),
        OPT_TEST(refuses_with_the_name),
        OPT_TEST(refuses_a_bad_file_by_line),
        OPT_TEST(bad_variable_is_named),
        OPT_TEST(secrets_come_from_environment_and_file),
        OPT_TEST(many_list_items),
        OPT_TEST(sizes_and_durations),
        OPT_TEST(help_lists_tables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
