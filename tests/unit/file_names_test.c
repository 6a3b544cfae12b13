/* The names of a dump's files: as Dumpling writes them, and as TiDB Lightning's default rules take
 * them. */
#include "formats/file_names.h"

#include "common/base/mem.h"
#include "tests/unit/cmocka_all.h"

#include <regex.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define EMOJI "\xF0\x9F\x98\x80"

static void escapes_as_dumpling(void **state)
{
    static const struct {
        const char *name, *escaped;
    } cases[] = {
        {"plain_1", "plain_1"},
        {"a.b", "a%2Eb"},
        {"a/b", "a%2Fb"},
        {"100%", "100%25"},
        {"%2E", "%252E"},
        {"a\"b*c:d<e>f?g\\h|i", "a%22b%2Ac%3Ad%3Ce%3Ef%3Fg%5Ch%7Ci"},
        {"\x01\t\n\x1F", "%01%09%0A%1F"},
        {"\x7F ~`'$&+-", "\x7F ~`'$&+-"},
        {EMOJI, EMOJI},
        {"t-schema", "t%2Dschema"},
        {"t-SCHEMA-create", "t%2DSCHEMA-create"},
        {"-Schema-schema", "%2DSchema%2Dschema"},
        {"--schema", "-%2Dschema"},
        {"t-schem", "t-schem"},
        {"schema", "schema"},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct strbuf out = {0};

        file_name_escape(&out, cases[i].name);
        assert_string_equal(strbuf_str(&out), cases[i].escaped);
        strbuf_release(&out);
    }
}

static void writes_names(void **state)
{
    static const struct {
        enum file_kind kind;
        const char *db, *table, *ext, *expected;
    } cases[] = {
        {FILE_DATABASE, "db", NULL, "", "db-schema-create.sql"},
        {FILE_TABLE, "db", "t", ".zst", "db.t-schema.sql.zst"},
        {FILE_VIEW, "d.b", "v", ".gz", "d%2Eb.v-schema-view.sql.gz"},
        {FILE_POST, "db", NULL, "", "db-schema-post.sql"},
        {FILE_TRIGGERS, "db", "t", "", "db.t-schema-trigger.sql"},
        {FILE_TRIGGERS, "db", NULL, "", "db-schema-trigger.sql"},
        {FILE_SEQUENCE, "db", "s", ".zst", "db.s-schema-sequence.ddl.zst"},
    };
    struct strbuf out = {0};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        strbuf_reset(&out);
        file_name_schema(&out, cases[i].kind, cases[i].db, cases[i].table, cases[i].ext);
        assert_string_equal(out.str, cases[i].expected);
    }
    strbuf_reset(&out);
    file_name_data(&out, "db", "t", 1, "sql", "");
    file_name_data(&out, "|", EMOJI, 1234567890123, "csv", ".zst");
    assert_string_equal(out.str, "db.t.000000001.sql%7C." EMOJI ".1234567890123.csv.zst");
    strbuf_release(&out);
}

/* Lightning's default rules in their order, as extended regular expressions. Ours are matched
 * without greediness, which changes what is captured, but not whether there is a match. */
enum rule { RULE_POST, RULE_BACKUP, RULE_DATABASE, RULE_TABLE, RULE_VIEW, RULE_PARQUET, RULE_DATA };
#define RULE_NONE (-1)
#define RULE_COUNT 7
static const char *const rules[RULE_COUNT] = {
    [RULE_POST] = "(-schema-trigger|-schema-post)\\.sql(\\.[[:alnum:]_]*)?$",
    [RULE_BACKUP] = "\\.(sql|csv|parquet)(\\.[[:alnum:]_]+)?\\.(bak|BAK)$",
    [RULE_DATABASE] = "^([^/]*/)*([^/.]+)-schema-create\\.sql(\\.[[:alnum:]_]*)?$",
    [RULE_TABLE] = "^([^/]*/)*([^/.]+)\\..*-schema\\.sql(\\.[[:alnum:]_]*)?$",
    [RULE_VIEW] = "^([^/]*/)*([^/.]+)\\..*-schema-view\\.sql(\\.[[:alnum:]_]*)?$",
    [RULE_PARQUET] = "^([^/]*/)*([^/.]+)\\..*\\.[0-9]+\\.(snappy|gzip|gz|zstd|zst)\\.parquet$",
    [RULE_DATA] = "^([^/]*/)*([^/.]+)\\..*\\.(sql|csv|parquet)(\\.[[:alnum:]_]+)?$",
};

static int rules_setup(void **state)
{
    regex_t *compiled = xcalloc(RULE_COUNT, sizeof *compiled);

    *state = compiled;
    for (int i = 0; i < RULE_COUNT; i++)
        if (regcomp(&compiled[i], rules[i], REG_EXTENDED | REG_ICASE | REG_NOSUB) != 0)
            return -1;
    return 0;
}

static int rules_teardown(void **state)
{
    regex_t *compiled = *state;

    for (int i = 0; i < RULE_COUNT; i++)
        regfree(&compiled[i]);
    free(compiled);
    return 0;
}

static int rule_of(const regex_t *compiled, const char *path)
{
    for (int i = 0; i < RULE_COUNT; i++)
        if (regexec(&compiled[i], path, 0, NULL, 0) == 0)
            return i;
    return RULE_NONE;
}

static const char *const odd_names[] = {
    "t",
    "a.b",
    "a/b",
    "../x",
    "t-schema",
    "t-schema-create",
    "T-SCHEMA",
    "-schema.sql",
    "x.sql",
    "x.sql.gz",
    "x.csv.bak",
    "x.000000001.sql",
    "123",
    "1.2",
    "%2E",
    "100%",
    "-schema-post",
    EMOJI "." EMOJI,
    "metadata",
    "ferry.lock",
    "a b",
    "a+b",
    "\"q\"",
    "C:\\dir\\t",
    "\xC3\xA4",
    "line\nbreak",
    "q?x=1#frag",
    "sql",
    ".",
    "..",
    "-schema-trigger",
    "ferry.manifest/000001.jsonl",
};
#define ODD_COUNT (sizeof odd_names / sizeof odd_names[0])
static const char *const extensions[] = {"", ".zst", ".gz"};

/* One name: who takes it, how many dots it has, and that it is read back. */
static void assert_name(const regex_t *compiled, const char *path, int rule, enum file_kind kind,
                        const char *db, const char *table)
{
    struct file_name n;
    unsigned dots = 0;

    for (const char *at = path; *at; at++)
        dots += *at == '.';
    assert_int_equal(rule_of(compiled, path), rule);
    assert_null(strpbrk(path, "/\\\n\""));
    file_name_parse(path, &n);
    assert_int_equal(n.kind, kind);
    assert_string_equal(n.db, db);
    if (table)
        assert_string_equal(n.table, table);
    else
        assert_null(n.table);
    /* DB.TABLE.N.sql.zst: Lightning's captures are told apart by dots alone */
    assert_int_equal(dots, 1 + (table != NULL) + (kind == FILE_DATA) +
                               (strstr(path, ".zst") || strstr(path, ".gz")));
    file_name_release(&n);
}

static void every_name_is_taken_by_its_rule(void **state)
{
    static const struct {
        enum file_kind kind;
        int rule;
        bool has_table;
    } kinds[] = {
        {FILE_DATABASE, RULE_DATABASE, false}, {FILE_TABLE, RULE_TABLE, true},
        {FILE_VIEW, RULE_VIEW, true},          {FILE_POST, RULE_POST, false},
        {FILE_TRIGGERS, RULE_POST, true},      {FILE_SEQUENCE, RULE_NONE, true},
    };
    struct strbuf out = {0};

    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        for (size_t i = 0; i < ODD_COUNT * ODD_COUNT * 3; i++) {
            const char *db = odd_names[i / 3 / ODD_COUNT];
            const char *table = kinds[k].has_table ? odd_names[i / 3 % ODD_COUNT] : NULL;

            strbuf_reset(&out);
            file_name_schema(&out, kinds[k].kind, db, table, extensions[i % 3]);
            assert_name(*state, out.str, kinds[k].rule, kinds[k].kind, db, table);
        }
    for (size_t i = 0; i < ODD_COUNT * ODD_COUNT * 3; i++) {
        const char *db = odd_names[i / 3 / ODD_COUNT];
        const char *table = odd_names[i / 3 % ODD_COUNT];

        strbuf_reset(&out);
        file_name_data(&out, db, table, i + 1, i % 2 ? "csv" : "sql", extensions[i % 3]);
        assert_name(*state, out.str, RULE_DATA, FILE_DATA, db, table);
    }
    strbuf_release(&out);
}

static void nothing_else_is_taken(void **state)
{
    static const char *const others[] = {
        METADATA_FILE,
        LOCK_FILE,
        MANIFEST_FOLDER "000001.jsonl",
        MANIFEST_FOLDER "1000000.jsonl",
    };

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_int_equal(rule_of(*state, others[i]), RULE_NONE);
    /* why triggers are not written under mydumper's name */
    assert_int_equal(rule_of(*state, "db.t-schema-triggers.sql"), RULE_DATA);
    /* Dumpling's and mydumper's name; ferry writes "-schema-sequence.ddl" */
    assert_int_equal(rule_of(*state, "db.s-schema-sequence.sql"), RULE_DATA);
}

static void parses_names(void **state)
{
    static const struct {
        const char *path;
        enum file_kind kind;
        const char *db, *table;
        uint64_t number;
        const char *extension;
    } cases[] = {
        {"metadata", FILE_METADATA, NULL, NULL, 0, NULL},
        {"ferry.lock", FILE_LOCK, NULL, NULL, 0, NULL},
        {"ferry.manifest/000001.jsonl", FILE_MANIFEST, NULL, NULL, 0, NULL},
        {"ferry.manifest/a.b.sql", FILE_MANIFEST, NULL, NULL, 0, NULL},
        {"db-schema-create.sql", FILE_DATABASE, "db", NULL, 0, "sql"},
        {"db-schema-create.sql.gz", FILE_DATABASE, "db", NULL, 0, "sql"},
        {"db.t-schema.sql", FILE_TABLE, "db", "t", 0, "sql"},
        {"db-schema-triggers.sql", FILE_TRIGGERS, "db", NULL, 0, "sql"},
        {"db.t-schema-triggers.sql.zst", FILE_TRIGGERS, "db", "t", 0, "sql"},
        {"db.t.sql", FILE_DATA, "db", "t", 0, "sql"},
        {"db.t.0.csv", FILE_DATA, "db", "t", 0, "csv"},
        {"db.t.00001.sql.zst", FILE_DATA, "db", "t", 1, "sql"},
        {"db.t.18446744073709551615.sql", FILE_DATA, "db", "t", UINT64_MAX, "sql"},
        {"db.t.18446744073709551616.sql", FILE_OTHER, NULL, NULL, 0, NULL},
        {"db.123.sql", FILE_DATA, "db", "123", 0, "sql"},
        {"db.123.4.sql", FILE_DATA, "db", "123", 4, "sql"},
        {"%64%62.t%2E.1.sql", FILE_DATA, "db", "t.", 1, "sql"},
        {"db.100%.1.sql", FILE_DATA, "db", "100%", 1, "sql"},
        {"db.%zz%4.1.sql", FILE_DATA, "db", "%zz%4", 1, "sql"},
        {"db.%00.1.sql", FILE_OTHER, NULL, NULL, 0, NULL},
        {"db.t-schema.csv", FILE_DATA, "db", "t-schema", 0, "csv"},
        {"db.t-schema-create.sql", FILE_OTHER, NULL, NULL, 0, NULL},
        {"db-schema.sql", FILE_OTHER, NULL, NULL, 0, NULL},
        {"-schema-create.sql", FILE_OTHER, NULL, NULL, 0, NULL},
        {".t.1.sql", FILE_OTHER, NULL, NULL, 0, NULL},
        {"db..1.sql", FILE_OTHER, NULL, NULL, 0, NULL},
        {"db.t.u.1.sql", FILE_OTHER, NULL, NULL, 0, NULL},
        {"db.sql", FILE_OTHER, NULL, NULL, 0, NULL},
        {".sql", FILE_OTHER, NULL, NULL, 0, NULL},
        {"sql", FILE_OTHER, NULL, NULL, 0, NULL},
        {"", FILE_OTHER, NULL, NULL, 0, NULL},
        {"1.sql", FILE_OTHER, NULL, NULL, 0, NULL},
        {"sub/db.t.1.sql", FILE_OTHER, NULL, NULL, 0, NULL},
        {"db.t.1.parquet", FILE_OTHER, NULL, NULL, 0, NULL},
        {"db.t.1.sql.bak", FILE_OTHER, NULL, NULL, 0, NULL},
        {"db.t.1.sql~", FILE_OTHER, NULL, NULL, 0, NULL},
        {"metadata.partial", FILE_OTHER, NULL, NULL, 0, NULL},
        {"all-schema-create-tablespace.sql", FILE_OTHER, NULL, NULL, 0, NULL},
        {"ferry.manifest", FILE_OTHER, NULL, NULL, 0, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct file_name n;

        file_name_parse(cases[i].path, &n);
        assert_int_equal(n.kind, cases[i].kind);
        if (n.kind == FILE_OTHER) {
            assert_null(n.db);
            assert_null(n.table);
            continue;
        }
        assert_string_equal(n.db ? n.db : "", cases[i].db ? cases[i].db : "");
        assert_string_equal(n.table ? n.table : "", cases[i].table ? cases[i].table : "");
        assert_true(n.number == cases[i].number);
        assert_string_equal(n.extension ? n.extension : "",
                            cases[i].extension ? cases[i].extension : "");
        file_name_release(&n);
    }
}

static void says_what_does_not_fit(void **state)
{
    struct strbuf name = {0};
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(file_name_fits("db", "t", &err), ERR_OK);
    for (unsigned i = 0; i < 64; i++)
        strbuf_addstr(&name, "\xE8\xA1\xA8"); /* 192 bytes: a name of 64 characters */
    assert_int_equal(file_name_fits(name.str, NULL, &err), ERR_OK);
    assert_int_equal(file_name_fits("db", name.str, &err), ERR_OK);
    assert_int_equal(file_name_fits(name.str, name.str, &err), ERR_LIMIT);
    assert_non_null(strstr(err.msg, "make a file name of 409 bytes, a file system takes 255"));
    strbuf_reset(&name);
    for (unsigned i = 0; i < 64; i++)
        strbuf_addch(&name, '/');
    assert_int_equal(file_name_fits("abc", name.str, &err), ERR_OK); /* 3 + 1 + 192 + 24 */
    strbuf_addstr(&name, "............");
    assert_int_equal(file_name_fits("abc", name.str, &err), ERR_LIMIT);
    strbuf_release(&name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes_as_dumpling),
        cmocka_unit_test(writes_names),
        cmocka_unit_test_setup_teardown(every_name_is_taken_by_its_rule, rules_setup,
                                        rules_teardown),
        cmocka_unit_test_setup_teardown(nothing_else_is_taken, rules_setup, rules_teardown),
        cmocka_unit_test(parses_names),
        cmocka_unit_test(says_what_does_not_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
