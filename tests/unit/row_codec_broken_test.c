/* Broken files: each is refused, with words that say where and what. */
#include "tests/unit/cmocka_all.h"
#include "tests/unit/row_codec_help.h"

#include <stdlib.h>

static const char *const columns[] = {"a", "b"};
static const enum cell_form forms[] = {CELL_NUMBER, CELL_TEXT};
static const enum cell_form byte_forms[] = {CELL_BIT, CELL_BYTES};
static const struct row_shape shape = {"t", columns, forms, 2, NULL};
static const struct row_shape byte_shape = {"t", columns, byte_forms, 2, NULL};

struct broken {
    const char *name;
    const char *text;
    const char *message; /* behind "file 't.x', " */
};

/* How much of a message to compare. */
static size_t message_bytes(const char *message, bool small_buffer)
{
    const char *found = strstr(message, ", found '");

    return small_buffer && found ? (size_t)(found - message) : strlen(message) + 1;
}

static void expect_broken(enum row_format format, const struct row_shape *s,
                          const struct broken *files, size_t count)
{
    static const size_t buffers[] = {0, 1}; /* with 1, less may be there to be quoted */

    for (size_t i = 0; i < count; i++)
        for (size_t b = 0; b < 2; b++) {
            const struct decoder_params p = {.format = format, .shape = s, .buffer = buffers[b]};
            struct row_list got;
            struct err err = ERR_INIT;

            row_list_init(&got);
            if (decode_all(&p, files[i].text, strlen(files[i].text), 5, &got, &err) != ERR_FORMAT)
                fail_msg("%s: not refused", files[i].name);
            if (strncmp(err.msg, "file 't.x', ", 12) != 0 ||
                strncmp(err.msg + 12, files[i].message, message_bytes(files[i].message, b > 0)) !=
                    0)
                fail_msg("%s: %s", files[i].name, err.msg);
            row_list_release(&got);
        }
}

#define HEAD "INSERT INTO `t` (`a`,`b`) VALUES\n" /* 33 bytes */

static const struct broken sql_files[] = {
    {"not SQL", "\x1f\x8b\x08",
     "row 1, byte 0: expected INSERT, REPLACE or SET, found '\\x1f\\x8b\\x08'"},
    {"another statement", "CREATE TABLE t (a int);",
     "row 1, byte 0: expected INSERT, REPLACE or SET, found 'CREATE TABLE t (a int);'"},
    {"half a word", "INSE", "row 1, byte 0: expected INSERT, REPLACE or SET, found 'INSE'"},
    {"cut in the head", "INSERT INTO `t` (`a`",
     "row 1: the file ends at byte 20 inside an INSERT statement that begins at byte 0"},
    {"cut in a comment", "/* x",
     "row 1: the file ends at byte 4 inside a comment that begins at byte 0"},
    {"cut in a setting", "/*!40101 SET NAMES utf8mb4",
     "row 1: the file ends at byte 26 inside a statement that begins at byte 0"},
    {"cut in a SET", "SET @a=1",
     "row 1: the file ends at byte 8 inside a statement that begins at byte 0"},
    {"no row", HEAD ";", "row 1, byte 33: expected '(' before a row, found ';'"},
    {"nothing behind VALUES", HEAD,
     "row 1: the file ends at byte 33 inside an INSERT statement that begins at byte 32"},
    {"cut in a string", HEAD "(1,'x",
     "row 1: the file ends at byte 38 inside a string of a row that begins at byte 32"},
    {"cut behind an escape", HEAD "(1,'x\\",
     "row 1: the file ends at byte 39 inside a string of a row that begins at byte 32"},
    {"cut in a number", HEAD "(1",
     "row 1: the file ends at byte 35 inside a row that begins at byte 32"},
    {"no ; at the end", HEAD "(1,'x'),\n(2,'y')",
     "row 3: the file ends at byte 49 inside an INSERT statement that begins at byte 49"},
    {"no row behind a comma", HEAD "(1,'x'),\n;",
     "row 2, byte 42: expected '(' before a row, found ';'"},
    {"too few cells", HEAD "(1,'x'),\n(2);",
     "row 2, byte 44: expected ',' behind cell 1 of 2, found ');'"},
    {"too many cells", HEAD "(1,'x',3);",
     "row 1, byte 39: expected ')' behind cell 2 of 2, found ',3);'"},
    {"DEFAULT", HEAD "(1,DEFAULT);",
     "row 1, byte 36: expected a value as cell 2, found 'DEFAULT);'"},
    {"a function", HEAD "(1,now());",
     "row 1, byte 36: expected a value as cell 2, found 'now());'"},
    {"an expression", HEAD "(1+1,'x');",
     "row 1, byte 35: expected ',' behind cell 1 of 2, found '+1,'x');'"},
    {"adjacent strings", HEAD "(1,'a' 'b');",
     "row 1, byte 40: expected ')' behind cell 2 of 2, found ''b');'"},
    {"no value", HEAD "(1,);", "row 1, byte 36: expected a value as cell 2, found ');'"},
    {"a sign alone", HEAD "(-,'x');",
     "row 1, byte 34: expected a number as cell 1, found '-,'x');'"},
    {"an exponent without digits", HEAD "(1e,'x');",
     "row 1, byte 34: expected a number as cell 1, found '1e,'x');'"},
    {"two points", HEAD "(1.2.3,'x');",
     "row 1, byte 37: expected ',' behind cell 1 of 2, found '.3,'x');'"},
    {"letters behind a number", HEAD "(1x,'x');",
     "row 1, byte 35: expected ',' behind cell 1 of 2, found 'x,'x');'"},
    {"hex for a number", HEAD "(0x41,'x');",
     "row 1, byte 34: expected a number as cell 1, not hex digits or bits, found "
     "'0x41,'x');'"},
    {"another character set", HEAD "(1,_latin1'x');",
     "row 1, byte 37: only text in UTF-8 and bytes can be read, found 'latin1'x');'"},
    {"CONVERT to another", HEAD "(1,CONVERT('x' USING latin1));",
     "row 1, byte 54: only text in UTF-8 and bytes can be read, found 'latin1));'"},
    {"CONVERT of a type", HEAD "(1,CONVERT('1',JSON));",
     "row 1, byte 47: expected USING, found ',JSON));'"},
    {"a statement without end", HEAD "(1,'x')\nINSERT",
     "row 2, byte 41: expected ',' or ';' behind a row, found 'INSERT'"},
    {"ON DUPLICATE KEY", HEAD "(1,'x') ON DUPLICATE KEY UPDATE a=1;",
     "row 2, byte 41: expected ',' or ';' behind a row, found 'ON DUPLICATE KEY UPDATE a=1;'"},
    {"a long finding", HEAD "(1,@\x01\x02 456789012345678901234567890123456789);",
     "row 1, byte 36: expected a value as cell 2, found "
     "'@\\x01\\x02 4567890123456789012345678901'"},
    {"SELECT", "INSERT INTO t SELECT 1;", "row 1, byte 14: expected VALUES, found 'SELECT 1;'"},
    {"another table", "INSERT INTO `db`.`u` VALUES (1,'x');",
     "row 1, byte 12: expected an INSERT INTO 't', found '`db`.`u` VALUES (1,'x');'"},
    {"another column", "INSERT INTO t (`a`,`c`) VALUES (1,'x');",
     "row 1, byte 19: column 2 of the INSERT is 'c', not 'b', found '`c`) VALUES (1,'x');'"},
    {"columns in another order", "INSERT INTO t (b,a) VALUES ('x',1);",
     "row 1, byte 15: column 1 of the INSERT is 'b', not 'a', found 'b,a) VALUES ('x',1);'"},
    {"a column less", "INSERT INTO t (a) VALUES (1);",
     "row 1, byte 15: the INSERT has 1 columns, without 'b'; the table has 2, found 'a) VALUES "
     "(1);'"},
    {"a column more", "INSERT INTO t (a,b,c) VALUES (1,2,3);",
     "row 1, byte 19: column 'c' of the INSERT is one more than the table's 2, found 'c) VALUES "
     "(1,2,3);'"},
    {"rows in a comment", "/*!40000 INSERT INTO t VALUES (1,'x') */;",
     "row 1, byte 9: rows inside a comment cannot be read, found 'INSERT INTO t VALUES (1,'x') "
     "*/;'"},
    {"a value in a comment", HEAD "(/*!1*/1,'x');",
     "row 1, byte 34: expected a value as cell 1, found '/*!1*/1,'x');'"},
    {"SET NAMES gbk", "/*!40101 SET NAMES gbk */;\n",
     "row 1, byte 0: only files in UTF-8 can be read, found '/*!40101 SET NAMES gbk */;\\n'"},
    {"SET NAMES latin1", "SET NAMES 'latin1';\n",
     "row 1, byte 0: only files in UTF-8 can be read, found 'SET NAMES 'latin1';\\n'"},
    {"no escapes", "SET SQL_MODE='NO_BACKSLASH_ESCAPES';\n",
     "row 1, byte 0: a file without backslash escapes cannot be read, found 'SET "
     "SQL_MODE='NO_BACKSLASH_ESCAP'"},
};

static void refuses_broken_sql(void **state)
{
    (void)state;
    expect_broken(ROW_FORMAT_SQL, &shape, sql_files, sizeof sql_files / sizeof *sql_files);
}

static void refuses_broken_bytes(void **state)
{
    static const struct broken files[] = {
        {"odd hex", HEAD "(x'0',x'');",
         "row 1, byte 36: an odd number of hex digits as cell 1, found '0',x'');'"},
        {"no hex", HEAD "(x'0g',x'');",
         "row 1, byte 37: cell 1 is not a number of hex digits, bits or a BIT, found "
         "'g',x'');'"},
        {"0x and no hex", HEAD "(0x0z,x'');",
         "row 1, byte 37: cell 1 is not a number of hex digits, bits or a BIT, found "
         "'z,x'');'"},
        {"no bits", HEAD "(b'012',x'');",
         "row 1, byte 38: cell 1 is not a number of hex digits, bits or a BIT, found "
         "'2',x'');'"},
        {"a fraction as BIT", HEAD "(1.5,x'');",
         "row 1, byte 35: cell 1 is not a number of hex digits, bits or a BIT, found "
         "'.5,x'');'"},
        {"more than 64 bits", HEAD "(18446744073709551616,x'');",
         "row 1, byte 53: cell 1 is not a number of hex digits, bits or a BIT, found "
         "'6,x'');'"},
        {"cut in hex", HEAD "(x'0",
         "row 1: the file ends at byte 37 inside a row that begins at "
         "byte 32"},
    };

    (void)state;
    expect_broken(ROW_FORMAT_SQL, &byte_shape, files, sizeof files / sizeof *files);
}

static void refuses_broken_csv(void **state)
{
    static const struct broken files[] = {
        {"nothing", "",
         "row 1: the file ends at byte 0 inside the header line that begins at byte "
         "0"},
        {"no header", "1,\"x\"\r\n",
         "row 1, byte 0: column 1 of the header line is not 'a', found '1,\"x\"\\r\\n'"},
        {"a column less", "a\n",
         "row 1, byte 0: the header line has 1 columns, the table's rows 2, found 'a\\n'"},
        {"a column more", "a,b,c\n",
         "row 1, byte 0: the header line has 3 columns, the table's rows 2, found 'a,b,c\\n'"},
        {"columns in another order", "b,a\n",
         "row 1, byte 0: column 1 of the header line is not 'a', found 'b,a\\n'"},
        {"cut in the header", "a,b",
         "row 1: the file ends at byte 3 inside the header line that begins at byte 0"},
        {"too few cells", "a,b\n1,x\n2\n",
         "row 2, byte 8: 1 cells for the 2 columns of a row, found '2\\n'"},
        {"too many cells", "a,b\n1,x,3\n",
         "row 1, byte 4: 3 cells for the 2 columns of a row, found '1,x,3\\n'"},
        {"a quote that is not closed", "a,b\n1,\"x\n2,y\n",
         "row 1: the file ends at byte 13 inside a quoted cell of a row that begins at byte 4"},
        {"text behind a quote", "a,b\n1,\"x\"y\n",
         "row 1, byte 9: expected ',' or a line end behind cell 2, found 'y\\n'"},
        {"a quote in a cell", "a,b\n1,x\"y\"\n",
         "row 1, byte 7: expected ',' or a line end behind cell 2, found '\"y\"\\n'"},
        {"a lone return", "a,b\n1,x\r2,y\r",
         "row 1, byte 7: expected ',' or a line end behind cell 2, found '\\r2,y\\r'"},
        {"no line end", "a,b\n1,x\n2,\"y\"",
         "row 2: the file ends at byte 13 inside a row that begins at byte 8"},
        {"a backslash at the end", "a,b\n1,x\\",
         "row 1: the file ends at byte 8 inside a row that begins at byte 4"},
    };
    static const struct broken one[] = {
        {"an empty line", "a\nx\n\n",
         "row 2, byte 4: an empty line, which may be a row or none, found '\\n'"},
    };
    const struct row_shape one_column = {"t", columns, byte_forms + 1, 1, NULL};

    (void)state;
    expect_broken(ROW_FORMAT_CSV, &shape, files, sizeof files / sizeof *files);
    expect_broken(ROW_FORMAT_CSV, &one_column, one, 1);
}

/* A quote that is not closed takes no more memory than a row may: in the middle of a large file. */
static void bounds_a_row(void **state)
{
    struct strbuf text = {0};
    struct row_list got;
    struct err err = ERR_INIT;
    struct decoder_params p = {
        .format = ROW_FORMAT_CSV, .shape = &shape, .max_row = 1000, .buffer = 64};

    (void)state;
    strbuf_addstr(&text, "a,b\n1,x\n2,\"open\n");
    for (int i = 0; i < 1000; i++)
        strbuf_addstr(&text, "3,y\n");
    row_list_init(&got);
    assert_int_equal(decode_all(&p, text.str, text.len, 0, &got, &err), ERR_LIMIT);
    assert_int_equal(got.count, 1);
    assert_string_equal(err.msg, "file 't.x', row 2: what begins at byte 8 is longer than the "
                                 "limit of 1000 bytes (a quote that is not closed?)");
    row_list_release(&got);

    /* the whole row is in the buffer, and yet too long */
    row_list_init(&got);
    p.buffer = 0;
    p.max_row = 6;
    assert_int_equal(decode_all(&p, "a,b\n1,xxxxx\n", 12, 0, &got, &err), ERR_LIMIT);
    assert_string_equal(err.msg, "file 't.x', row 1: 8 bytes, above the limit of 6 bytes");
    row_list_release(&got);
    strbuf_release(&text);
}

static void refuses_a_start_that_is_not_there(void **state)
{
    struct decoder_params p = {
        .format = ROW_FORMAT_CSV, .shape = &shape, .raw_off = 10, .start_off = 100, .start_row = 7};
    struct row_list got;
    struct err err = ERR_INIT;

    (void)state;
    row_list_init(&got);
    assert_int_equal(decode_all(&p, "x\n", 2, 0, &got, &err), ERR_FORMAT);
    assert_string_equal(err.msg, "file 't.x': it ends at byte 12, before the row 8 at byte 100");
    p.start_off = 9;
    assert_int_equal(decode_all(&p, "x\n", 2, 0, &got, &err), ERR_INTERNAL);
    assert_int_equal(got.count, 0);
    row_list_release(&got);
}

static enum err_code failing_read(struct source *self, void *buf, size_t cap, size_t *got,
                                  struct err *err)
{
    (void)self;
    (void)buf;
    (void)cap;
    (void)got;
    return err_set(err, ERR_CORRUPT, "block 3: checksum does not match");
}

static void failing_free(struct source *self)
{
    free(self);
}

/* What the source says is passed on as it is. */
static void passes_on_the_sources_error(void **state)
{
    static const struct source_ops ops = {"failing", failing_read, failing_free};
    const struct decoder_params p = {.format = ROW_FORMAT_SQL, .shape = &shape};
    struct source *s = xcalloc(1, sizeof *s);
    struct decoder *d;
    struct row row;
    struct err err = ERR_INIT;
    bool more = true;

    (void)state;
    s->ops = &ops;
    d = decoder_new(&p, s, "t.x");
    assert_int_equal(decoder_next(d, &row, &more, &err), ERR_CORRUPT);
    assert_string_equal(err.msg, "block 3: checksum does not match");
    decoder_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_broken_sql),
        cmocka_unit_test(refuses_broken_bytes),
        cmocka_unit_test(refuses_broken_csv),
        cmocka_unit_test(bounds_a_row),
        cmocka_unit_test(refuses_a_start_that_is_not_there),
        cmocka_unit_test(passes_on_the_sources_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
