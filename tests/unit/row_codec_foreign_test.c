/* Files that others write: what is taken, and as which values. */
#include "tests/unit/cmocka_all.h"
#include "tests/unit/row_codec_help.h"

#include <stdlib.h>

static const char *const columns[] = {"a", "b"};
static const enum cell_form text_forms[] = {CELL_NUMBER, CELL_TEXT};
static const enum cell_form byte_forms[] = {CELL_BIT, CELL_BYTES};
static const struct row_shape text_shape = {"t", columns, text_forms, 2, NULL};
static const struct row_shape byte_shape = {"t", columns, byte_forms, 2, NULL};

#define BYTES(text) text, sizeof(text) - 1

struct foreign {
    const struct row_shape *shape;
    const char *text;
    size_t len;
    const char *cells; /* of all rows, as flatten writes them */
    size_t cells_len;
};

/* The cells of all rows with a '\1' behind each, NULL as '\2'. */
static void flatten(const struct row_list *rows, struct strbuf *out)
{
    strbuf_reset(out);
    for (size_t r = 0; r < rows->count; r++)
        for (unsigned i = 0; i < rows->rows[r].count; i++) {
            if (rows->rows[r].cell[i])
                strbuf_add(out, rows->rows[r].cell[i], rows->rows[r].len[i]);
            else
                strbuf_addch(out, '\2');
            strbuf_addch(out, '\1');
        }
}

static void expect_all(enum row_format format, const struct foreign *files, size_t count,
                       struct decoder_params p)
{
    static const size_t buffers[] = {0, 1, 7};
    struct strbuf flat = {0};

    p.format = format;
    for (size_t i = 0; i < count; i++)
        for (size_t b = 0; b < 3; b++) {
            struct row_list got;
            struct err err = ERR_INIT;

            p.shape = files[i].shape;
            p.buffer = buffers[b];
            row_list_init(&got);
            if (decode_all(&p, files[i].text, files[i].len, 3, &got, &err))
                fail_msg("%s: %s", files[i].text, err.msg);
            flatten(&got, &flat);
            if (flat.len != files[i].cells_len ||
                memcmp(strbuf_str(&flat), files[i].cells, flat.len) != 0)
                fail_msg("%s: %s", files[i].text, strbuf_str(&flat));
            row_list_release(&got);
        }
    strbuf_release(&flat);
}

static const struct foreign sql_files[] = {
    {&text_shape, BYTES(""), BYTES("")},
    {&text_shape, BYTES(" \n\t;;\n"), BYTES("")},
    {&text_shape, BYTES("\xef\xbb\xbfINSERT INTO t VALUES (1,'x');"), BYTES("1\1x\1")},
    /* Dumpling */
    {&text_shape,
     BYTES("/*!40014 SET FOREIGN_KEY_CHECKS=0*/;\n/*!40101 SET NAMES binary*/;\n"
           "INSERT INTO `t` VALUES\n(1,'x'),\n(2,NULL);\nINSERT INTO `t` VALUES\n(3,'y\\'');\n"),
     BYTES("1\1x\1"
           "2\1\2\1"
           "3\1y'\1")},
    {&text_shape,
     BYTES("SET FOREIGN_KEY_CHECKS=0;\nINSERT INTO `t` (`a`,`b`) VALUES\n(-1.50,''),\n"
           "(NULL,'a\\0\\n\\r\\Z\\\"\\\\b');\n"),
     BYTES("-1.50\1\1\2\1a\0\n\r\x1a\"\\b\1")},
    {&byte_shape, BYTES("INSERT INTO `t` VALUES\n(x'05',x'00ff');\n"), BYTES("\5\1\0\xff\1")},
    /* mysqldump, one row a line and all in one */
    {&text_shape,
     BYTES("-- MySQL dump 10.13  Distrib 8.0\n--\n-- Host: localhost\n\n"
           "/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;\n"
           "/*!50503 SET NAMES utf8mb4 */;\n"
           "/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;\n"
           "/*M!100616 SET @OLD_NOTE_VERBOSITY=@@NOTE_VERBOSITY, NOTE_VERBOSITY=0 */;\n"
           "LOCK TABLES `t` WRITE;\n/*!40000 ALTER TABLE `t` DISABLE KEYS */;\n"
           "INSERT INTO `t` VALUES (1,'it\\'s; -- no'),(2,'b''c');\n"
           "INSERT INTO `t` (`a`, `b`) VALUES (3,'/* d */');\n"
           "/*!40000 ALTER TABLE `t` ENABLE KEYS */;\nUNLOCK TABLES;\n"
           "-- Dump completed on 2024-01-01"),
     BYTES("1\1it's; -- no\1"
           "2\1b'c\1"
           "3\1/* d */\1")},
    {&byte_shape,
     BYTES("INSERT INTO `t` VALUES (_binary '\\0',_binary 'a\\'\xff'),(0x01FF,0xABC),"
           "(b'101',0b100000001),(5,X'AbCd'),(18446744073709551615,''),(0,x''),(256,NULL);"),
     BYTES("\0\1a'\xff\1\1\xff\1\n\xbc\1"
           "\5\1\1\1\1\5\1\xab\xcd\1"
           "\xff\xff\xff\xff\xff\xff\xff\xff\1\1\0\1\1\1\0\1\2\1")},
    /* mydumper */
    {&text_shape,
     BYTES(
         "/*!40101 SET NAMES binary*/;\n/*!40014 SET FOREIGN_KEY_CHECKS=0*/;\n"
         "/*!40103 SET TIME_ZONE='+00:00' */;\nINSERT IGNORE INTO `t`(`a`,`b`) VALUES"
         "(1,\"say \\\"hi\\\" \"\"you\"\"\")\n,(2,CONVERT(\"{}\" USING UTF8MB4))\n,(3,NULL)\n;\n"),
     BYTES("1\1say \"hi\" \"you\"\1"
           "2\1{}\1"
           "3\1\2\1")},
    /* by hand */
    {&text_shape,
     BYTES("begin;replace low_priority into db.`T` ( A , # first\n `B` -- second\n ) value /* rows "
           "*/\n"
           " ( +1 , /* two */ 'x' ) , ( .5 , _utf8mb4 'y' ) ,(1E+3,null),(TRUE,false)\n , (\n'7'\t,"
           " convert ( 'z' using binary ) ) ; commit ;"),
     BYTES("+1\1x\1.5\1y\1"
           "1E+3\1\2\1"
           "1\1"
           "0\1"
           "7\1z\1")},
    {&text_shape,
     BYTES("SET @a='x;', @b=\"y\\\";\", @c=`;` /* ; */ ; -- ;\nINSERT t VALUES(1,'x');"),
     BYTES("1\1x\1")},
    /* \% and \_ keep their backslash in MySQL's strings; other letters stand for themselves */
    {&text_shape, BYTES("INSERT t VALUES(1,'\\%\\_\\a\\b\\t\\N');"), BYTES("1\1\\%\\_a\b\tN\1")},
};

static void takes_other_tools_sql(void **state)
{
    const struct decoder_params p = {0};

    (void)state;
    expect_all(ROW_FORMAT_SQL, sql_files, sizeof sql_files / sizeof *sql_files, p);
}

static const struct foreign csv_files[] = {
    {&text_shape, BYTES("a,b\n"), BYTES("")},
    {&text_shape, BYTES("\xef\xbb\xbf\"A\",b\r\n1,x\r\n"), BYTES("1\1x\1")},
    {&text_shape, BYTES("\"a\",\"b\"\n1,\"x\"\"y\"\n\n2,\"x\\\"y\"\r\n\r\n"),
     BYTES("1\1x\"y\1"
           "2\1x\"y\1")},
    /* NULL and what looks like it */
    {&text_shape, BYTES("a,b\n\\N,\"\\N\"\n\"\\\\N\",\\\\N\n,\"\"\nNULL,\"NULL\"\n\\Nx,x\\N\n"),
     BYTES("\2\1\2\1\\N\1\\N\1\1\1NULL\1NULL\1Nx\1xN\1")},
    {&text_shape, BYTES("a,b\n\"two\nlines\",\"\r\n\"\n"), BYTES("two\nlines\1\r\n\1")},
    {&text_shape, BYTES("a,b\n1, x \n2,a\\,b\n3,a\\\nb\n"),
     BYTES("1\1 x \1"
           "2\1a,b\1"
           "3\1a\nb\1")},
    {&text_shape, BYTES("a,b\n1,\"\\0\\b\\n\\r\\t\\Z\\\\\\%\\a\"\n"),
     BYTES("1\1\0\b\n\r\t\x1a\\%a\1")},
    {&byte_shape, BYTES("a,b\r\n\"\5\",\"\\0\xff\"\r\n"), BYTES("\5\1\0\xff\1")},
};

static void takes_other_tools_csv(void **state)
{
    const struct decoder_params p = {0};

    (void)state;
    expect_all(ROW_FORMAT_CSV, csv_files, sizeof csv_files / sizeof *csv_files, p);
}

static void takes_csv_without_header_and_last_line_end(void **state)
{
    static const struct foreign files[] = {
        {&text_shape, BYTES(""), BYTES("")},
        {&text_shape, BYTES("1,x"), BYTES("1\1x\1")},
        {&text_shape, BYTES("1,x\r\n2,\"y\""),
         BYTES("1\1x\1"
               "2\1y\1")},
        {&text_shape, BYTES("1,"), BYTES("1\1\1")},
    };
    const struct decoder_params p = {.csv_no_header = true, .csv_open_end = true};

    (void)state;
    expect_all(ROW_FORMAT_CSV, files, sizeof files / sizeof *files, p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_other_tools_sql),
        cmocka_unit_test(takes_other_tools_csv),
        cmocka_unit_test(takes_csv_without_header_and_last_line_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
