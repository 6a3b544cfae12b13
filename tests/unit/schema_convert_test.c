#include "common/base/strbuf.h"
#include "common/mysql/conn.h"
#include "common/schema/collation.h"
#include "common/schema/collation_rows.h"
#include "common/schema/convert.h"
#include "tests/unit/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct flavour mysql57 = {.vendor = VENDOR_MYSQL, .version = 50744};
static const struct flavour mysql97 = {.vendor = VENDOR_MYSQL, .version = 90704};
static const struct flavour maria10 = {.vendor = VENDOR_MARIADB, .version = 101119};
static const struct flavour tidb84 = {.vendor = VENDOR_TIDB, .version = 80400};
static const struct flavour tidb61 = {.vendor = VENDOR_TIDB, .version = 60100};

struct convert_case {
    const char *name;
    enum object_kind kind;
    const struct flavour *source, *target;
    const char *in;
    const char *out;     /* NULL: as it is */
    const char *later;   /* indexes and foreign keys, a line each; NULL: none */
    const char *changes; /* "severity part name: was -> is", a line each */
    struct convert_params p;
};

static void given_changes(const struct converted *out, struct strbuf *text)
{
    for (size_t i = 0; i < out->change_count; i++) {
        const struct change *c = &out->changes[i];

        assert_true(*c->meaning);
        strbuf_addf(text, "%s %s %s: %s -> %s\n", change_severity_name(c->severity),
                    change_part_name(c->part), c->name, c->was, c->is);
    }
}

static void given_later(const struct converted *out, struct strbuf *text)
{
    if (out->indexes)
        strbuf_addf(text, "%s\n", out->indexes);
    for (size_t i = 0; i < out->foreign_key_count; i++)
        strbuf_addf(text, "%s\n", out->foreign_keys[i]);
}

static void check_case(const struct convert_case *c)
{
    struct convert_params p = c->p;
    struct strbuf changes = {0};
    struct strbuf later = {0};
    struct converted out;
    struct err err = ERR_INIT;

    p.source = c->source;
    p.target = c->target;
    if (convert_definition(c->in, c->kind, &p, &out, &err))
        fail_msg("%s: %s", c->name, err.msg);
    given_changes(&out, &changes);
    given_later(&out, &later);
    if (strcmp(out.sql, c->out ? c->out : c->in) != 0 ||
        strcmp(strbuf_str(&changes), c->changes) != 0 ||
        strcmp(strbuf_str(&later), c->later ? c->later : "") != 0)
        fail_msg("%s:\n%s\n%s%s", c->name, out.sql, strbuf_str(&later), strbuf_str(&changes));
    assert_int_equal(out.refused, strstr(c->changes, "refused ") != NULL);
    strbuf_release(&changes);
    strbuf_release(&later);
    converted_release(&out);
}

/* ---- a real TiDB, where FERRY_TEST_TIDB holds its URL ---- */

static int tidb_open(void **state)
{
    const char *text = getenv("FERRY_TEST_TIDB"); /* NOLINT(concurrency-mt-unsafe): no threads */
    struct server_url url = {0};
    struct conn *c = NULL;
    struct err err = ERR_INIT;

    *state = NULL;
    if (!text || !*text)
        return 0;
    assert_int_equal(server_url_parse(text, &url, &err), ERR_OK);
    assert_int_equal(conn_open(&url, CONN_TARGET, "test", &c, &err), ERR_OK);
    server_url_release(&url);
    *state = c;
    return conn_execz(c, "DROP DATABASE IF EXISTS ferry_convert", &err) ||
           conn_execz(c, "CREATE DATABASE ferry_convert", &err) ||
           conn_execz(c, "USE ferry_convert", &err);
}

static int tidb_close(void **state)
{
    struct err err = ERR_INIT;
    struct conn *c = *state;

    if (c && conn_execz(c, "DROP DATABASE IF EXISTS ferry_convert", &err))
        return 1;
    conn_close(c);
    return 0;
}

/* The server takes what was not refused, and the table goes again. */
static void tidb_takes(struct conn *c, const char *name, const struct converted *out)
{
    struct err err = ERR_INIT;

    if (out->refused)
        return;
    if (conn_execz(c, out->sql, &err) || (out->indexes && conn_execz(c, out->indexes, &err)))
        fail_msg("%s: %s\n%s", name, err.msg, out->sql);
    assert_int_equal(conn_execz(c, "DROP TABLE IF EXISTS t", &err), ERR_OK);
}

/* With a connection the server is asked, without one the expectations are looked at. */
static void check_cases(void **state, const struct convert_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct convert_params p = cases[i].p;
        struct converted out;
        struct err err = ERR_INIT;

        if (!state) {
            check_case(&cases[i]);
            continue;
        }
        if (cases[i].target != &tidb84 || cases[i].kind != OBJECT_TABLE || p.max_key_bytes)
            continue;
        p.source = cases[i].source;
        p.target = cases[i].target;
        assert_int_equal(convert_definition(cases[i].in, cases[i].kind, &p, &out, &err), ERR_OK);
        tidb_takes(*state, cases[i].name, &out);
        converted_release(&out);
    }
}

/* ---- cases ---- */

/* clang-format off */
static const struct convert_case cases_of_collations[] = {
    {"nothing to change", OBJECT_TABLE, &mysql97, &tidb84,
     "CREATE TABLE `t` (\n"
     "  `id` int NOT NULL AUTO_INCREMENT COMMENT 'it''s, \\\\ -- x',\n"
     "  `v` varchar(20) DEFAULT NULL,\n"
     "  PRIMARY KEY (`id`)\n"
     ") ENGINE=InnoDB AUTO_INCREMENT=7 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_"
     "ai_ci /* kept */", NULL, NULL, "", {0}},
    {"the defaults of MySQL 5.7", OBJECT_TABLE, &mysql57, &tidb84,
     "CREATE TABLE `t` (\n"
     "  `id` int(11) NOT NULL,\n"
     "  `login` varchar(64) NOT NULL,\n"
     "  `note` text,\n"
     "  PRIMARY KEY (`id`),\n"
     "  UNIQUE KEY `login` (`login`)\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=latin1",
     "CREATE TABLE `t` (\n"
     "  `id` int(11) NOT NULL,\n"
     "  `login` varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,\n"
     "  `note` mediumtext,\n"
     "  PRIMARY KEY (`id`),\n"
     "  UNIQUE KEY `login` (`login`)\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci", NULL,
     "warning option COLLATE: latin1_swedish_ci -> utf8mb4_general_ci\n"
     "loss column login: latin1_swedish_ci -> utf8mb4_bin\n"
     "info column note: text -> mediumtext\n", {0}},
    {"the same, nearest", OBJECT_TABLE, &mysql57, &tidb84,
     "CREATE TABLE `t` (\n"
     "  `login` varchar(64) NOT NULL,\n"
     "  UNIQUE KEY `login` (`login`)\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=latin1",
     "CREATE TABLE `t` (\n"
     "  `login` varchar(64) NOT NULL,\n"
     "  UNIQUE KEY `login` (`login`)\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci", NULL,
     "warning option COLLATE: latin1_swedish_ci -> utf8mb4_general_ci\n",
     {.key_collation = KEY_COLLATION_NEAREST}},
    {"utf8mb4 alone is general_ci before MySQL 8", OBJECT_TABLE, &mysql57, &tidb84,
     "CREATE TABLE `t` (\n"
     "  `a` varchar(64) NOT NULL,\n"
     "  `b` varchar(9) CHARACTER SET utf8mb4 NOT NULL,\n"
     "  PRIMARY KEY (`a`)\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4",
     "CREATE TABLE `t` (\n"
     "  `a` varchar(64) NOT NULL,\n"
     "  `b` varchar(9) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL,\n"
     "  PRIMARY KEY (`a`)\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci", NULL, "", {0}},
    {"the database decides", OBJECT_TABLE, &mysql57, &tidb84,
     "CREATE TABLE t (a varchar(10), b int)",
     "CREATE TABLE t (a varchar(10) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci, b int)",
     NULL, "warning column a: latin1_swedish_ci -> utf8mb4_general_ci\n",
     {.database_collation = "latin1_swedish_ci"}},
    {"nobody knows", OBJECT_TABLE, &mysql57, &tidb84,
     "CREATE TABLE t (a varchar(10), b int)", NULL, NULL, "", {0}},
    {"no pad", OBJECT_TABLE, &maria10, &tidb84,
     "CREATE TABLE `t` (\n"
     "  `a` varchar(10) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin DEFAULT NULL,\n"
     "  `b` varchar(10) CHARACTER SET utf8mb4 COLLATE utf8mb4_uca1400_ai_ci DEFAULT NULL,\n"
     "  UNIQUE KEY `a` (`a`),\n"
     "  UNIQUE KEY `b` (`b`)\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
     "CREATE TABLE `t` (\n"
     "  `a` varchar(10) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin DEFAULT NULL,\n"
     "  `b` varchar(10) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL,\n"
     "  UNIQUE KEY `a` (`a`),\n"
     "  UNIQUE KEY `b` (`b`)\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin", NULL,
     "info column a: utf8mb4_nopad_bin -> utf8mb4_0900_bin\n"
     "loss column b: utf8mb4_uca1400_ai_ci -> utf8mb4_bin\n", {0}},
    {"a foreign key keeps both sides alike", OBJECT_TABLE, &mysql57, &tidb84,
     "CREATE TABLE `t` (\n"
     "  `p` varchar(10) DEFAULT NULL,\n"
     "  KEY `p` (`p`),\n"
     "  CONSTRAINT `f` FOREIGN KEY (`p`) REFERENCES `q` (`id`) ON DELETE CASCADE\n"
     ") DEFAULT CHARSET=latin1",
     "CREATE TABLE `t` (\n"
     "  `p` varchar(10) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL,\n"
     "  KEY `p` (`p`)\n"
     ") DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci",
     "ALTER TABLE `t` ADD CONSTRAINT `f` FOREIGN KEY (`p`) REFERENCES `q` (`id`) ON "
     "DELETE CASCADE\n",
     "warning option COLLATE: latin1_swedish_ci -> utf8mb4_general_ci\n"
     "loss column p: latin1_swedish_ci -> utf8mb4_bin\n", {0}},
    {"labels stay distinct", OBJECT_TABLE, &mysql57, &tidb84,
     "CREATE TABLE `t` (\n"
     "  `e` enum('A','Ä') DEFAULT NULL,\n"
     "  `s` set('x','y') DEFAULT NULL\n"
     ") DEFAULT CHARSET=latin1",
     "CREATE TABLE `t` (\n"
     "  `e` enum('A','Ä') CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL,\n"
     "  `s` set('x','y') DEFAULT NULL\n"
     ") DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci", NULL,
     "warning option COLLATE: latin1_swedish_ci -> utf8mb4_general_ci\n"
     "warning column e: latin1_swedish_ci -> utf8mb4_bin\n", {0}},
    {"gbk has a fault of its own", OBJECT_TABLE, &mysql57, &tidb84,
     "CREATE TABLE `t` (\n"
     "  `a` varchar(10) NOT NULL,\n"
     "  PRIMARY KEY (`a`)\n"
     ") DEFAULT CHARSET=gbk",
     "CREATE TABLE `t` (\n"
     "  `a` varchar(10) CHARACTER SET gbk COLLATE gbk_bin NOT NULL,\n"
     "  PRIMARY KEY (`a`)\n"
     ") DEFAULT CHARSET=gbk", NULL, "loss column a: gbk_chinese_ci -> gbk_bin\n", {0}},
    {"old binary flag", OBJECT_TABLE, &mysql57, &tidb84,
     "CREATE TABLE t (a char(10) binary) DEFAULT CHARSET=latin1",
     "CREATE TABLE t (a char(10) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin) DEFAULT "
     "CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci", NULL,
     "warning option COLLATE: latin1_swedish_ci -> utf8mb4_general_ci\n"
     "info column a: latin1_bin -> utf8mb4_bin\n", {0}},
};
/* clang-format on */

/* clang-format off */
static const struct convert_case cases_of_keys[] = {
    {"long keys", OBJECT_TABLE, &mysql57, &tidb84,
     "CREATE TABLE `t` (\n"
     "  `u` varchar(1000) DEFAULT NULL,\n"
     "  `v` varchar(3072) DEFAULT NULL,\n"
     "  UNIQUE KEY `u` (`u`),\n"
     "  KEY `v` (`v`)\n"
     ") DEFAULT CHARSET=latin1",
     "CREATE TABLE `t` (\n"
     "  `u` varchar(1000) CHARACTER SET utf8 COLLATE utf8_bin DEFAULT NULL,\n"
     "  `v` varchar(3072) CHARACTER SET utf8 COLLATE utf8_general_ci DEFAULT NULL,\n"
     "  UNIQUE KEY `u` (`u`),\n"
     "  KEY `v` (`v`(1024))\n"
     ") DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci", NULL,
     "warning option COLLATE: latin1_swedish_ci -> utf8mb4_general_ci\n"
     "loss column u: latin1_swedish_ci -> utf8_bin\n"
     "warning column v: latin1_swedish_ci -> utf8_general_ci\n"
     "warning key v: `v` -> `v`(1024)\n", {0}},
    {"too long to be unique", OBJECT_TABLE, &mysql57, &tidb84,
     "CREATE TABLE `t` (\n"
     "  `u` varchar(3072) DEFAULT NULL,\n"
     "  UNIQUE KEY `u` (`u`)\n"
     ") DEFAULT CHARSET=latin1",
     "CREATE TABLE `t` (\n"
     "  `u` varchar(3072) CHARACTER SET utf8 COLLATE utf8_bin DEFAULT NULL,\n"
     "  UNIQUE KEY `u` (`u`)\n"
     ") DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci", NULL,
     "warning option COLLATE: latin1_swedish_ci -> utf8mb4_general_ci\n"
     "loss column u: latin1_swedish_ci -> utf8_bin\n"
     "refused key u: UNIQUE KEY `u` (`u`) -> \n", {0}},
    {"a larger limit", OBJECT_TABLE, &mysql57, &tidb84,
     "CREATE TABLE `t` (\n"
     "  `u` varchar(3072) DEFAULT NULL,\n"
     "  UNIQUE KEY `u` (`u`)\n"
     ") DEFAULT CHARSET=latin1",
     "CREATE TABLE `t` (\n"
     "  `u` varchar(3072) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL,\n"
     "  UNIQUE KEY `u` (`u`)\n"
     ") DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci", NULL,
     "warning option COLLATE: latin1_swedish_ci -> utf8mb4_general_ci\n"
     "loss column u: latin1_swedish_ci -> utf8mb4_bin\n", {.max_key_bytes = 12288}},
    {"split off", OBJECT_TABLE, &mysql97, &tidb84,
     "CREATE TABLE `t` (\n"
     "  `id` int NOT NULL AUTO_INCREMENT,\n"
     "  `a` int NOT NULL,\n"
     "  `b` text,\n"
     "  PRIMARY KEY (`a`),\n"
     "  KEY `id` (`id`),\n"
     "  KEY `a` (`a`,`id` DESC) COMMENT 'x',\n"
     "  KEY `b` (`b`(20)) /*!80000 INVISIBLE */,\n"
     "  CONSTRAINT `f1` FOREIGN KEY (`a`) REFERENCES `p` (`id`),\n"
     "  CONSTRAINT `f2` FOREIGN KEY (`id`) REFERENCES `db`.`p` (`id`) ON UPDATE SET NULL\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
     "CREATE TABLE `t` (\n"
     "  `id` int NOT NULL AUTO_INCREMENT,\n"
     "  `a` int NOT NULL,\n"
     "  `b` text,\n"
     "  PRIMARY KEY (`a`),\n"
     "  KEY `id` (`id`)\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
     "ALTER TABLE `t` ADD KEY `a` (`a`,`id` DESC) COMMENT 'x', ADD KEY `b` (`b`(20))"
     " /*!80000 INVISIBLE*/\n"
     "ALTER TABLE `t` ADD CONSTRAINT `f1` FOREIGN KEY (`a`) REFERENCES `p` (`id`)\n"
     "ALTER TABLE `t` ADD CONSTRAINT `f2` FOREIGN KEY (`id`) REFERENCES `db`.`p` (`i"
     "d`) ON UPDATE SET NULL\n", "", {.split_indexes = true}},
    {"full text and space", OBJECT_TABLE, &mysql97, &tidb84,
     "CREATE TABLE `t` (\n"
     "  `p` point NOT NULL /*!80003 SRID 4326 */,\n"
     "  `t` text,\n"
     "  SPATIAL KEY `p` (`p`),\n"
     "  FULLTEXT KEY `t` (`t`) /*!50100 WITH PARSER `ngram` */\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
     "CREATE TABLE `t` (\n"
     "  `p` longblob NOT NULL,\n"
     "  `t` text\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin", NULL,
     "loss column p: point -> longblob\n"
     "warning column p: SRID 4326 -> \n"
     "loss key p: SPATIAL KEY `p` (`p`) -> \n"
     "loss key t: FULLTEXT KEY `t` (`t`) WITH PARSER `ngram` -> \n",
     {.spatial_bytes = true}},
    {"space is refused", OBJECT_TABLE, &maria10, &tidb84,
     "CREATE TABLE `t` (\n"
     "  `p` geometry DEFAULT NULL\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin", NULL, NULL,
     "refused column p: geometry -> \n", {0}},
    {"expressions", OBJECT_TABLE, &mysql97, &tidb84,
     "CREATE TABLE `t` (\n"
     "  `a` varchar(9) DEFAULT NULL,\n"
     "  KEY `l` ((lower(`a`))),\n"
     "  KEY `s` ((substr(`a`,1,3)))\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
     "CREATE TABLE `t` (\n"
     "  `a` varchar(9) DEFAULT NULL,\n"
     "  KEY `l` ((lower(`a`)))\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin", NULL,
     "loss key s: KEY `s` ((substr(`a`,1,3))) -> \n", {0}},
    {"a unique expression", OBJECT_TABLE, &mysql97, &tidb84,
     "CREATE TABLE `t` (\n"
     "  `a` varchar(9) DEFAULT NULL,\n"
     "  UNIQUE KEY `s` ((substr(`a`,1,3)))\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin", NULL, NULL,
     "refused key s: UNIQUE KEY `s` ((substr(`a`,1,3))) -> \n", {0}},
    {"ignored", OBJECT_TABLE, &maria10, &tidb84,
     "CREATE TABLE `t` (\n"
     "  `a` int(11) DEFAULT NULL,\n"
     "  KEY `a` (`a`) IGNORED\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
     "CREATE TABLE `t` (\n"
     "  `a` int(11) DEFAULT NULL,\n"
     "  KEY `a` (`a`) INVISIBLE\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin", NULL, "", {0}},
    {"a unique text", OBJECT_TABLE, &maria10, &tidb84,
     "CREATE TABLE `t` (\n"
     "  `a` text DEFAULT NULL,\n"
     "  UNIQUE KEY `a` (`a`) USING HASH\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin", NULL, NULL,
     "refused key a: UNIQUE KEY `a` (`a`) USING HASH -> \n", {0}},
    {"partitioned", OBJECT_TABLE, &mysql57, &tidb84,
     "CREATE TABLE `t` (\n"
     "  `a` int(11) NOT NULL,\n"
     "  KEY `a` (`a`),\n"
     "  CONSTRAINT `f` FOREIGN KEY (`a`) REFERENCES `p` (`a`)\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin\n"
     "/*!50100 PARTITION BY LINEAR HASH (a)\n"
     "PARTITIONS 4 */",
     "CREATE TABLE `t` (\n"
     "  `a` int(11) NOT NULL,\n"
     "  KEY `a` (`a`)\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin\n"
     "/*!50100 PARTITION BY HASH (a)\n"
     "PARTITIONS 4 */", NULL,
     "loss foreign key f: CONSTRAINT `f` FOREIGN KEY (`a`) REFERENCES `p` (`a`) -> \n"
     "info partition : LINEAR -> \n", {0}},
    {"subpartitions", OBJECT_TABLE, &mysql57, &tidb84,
     "CREATE TABLE `t` (\n"
     "  `a` int(11) NOT NULL,\n"
     "  `d` date NOT NULL\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin\n"
     "/*!50100 PARTITION BY RANGE (a)\n"
     "SUBPARTITION BY HASH (to_days(d))\n"
     "(PARTITION p0 VALUES LESS THAN (10)\n"
     " (SUBPARTITION s0 ENGINE = InnoDB,\n"
     "  SUBPARTITION s1 ENGINE = InnoDB),\n"
     " PARTITION p1 VALUES LESS THAN MAXVALUE\n"
     " (SUBPARTITION s2 ENGINE = InnoDB,\n"
     "  SUBPARTITION s3 ENGINE = InnoDB)) */",
     "CREATE TABLE `t` (\n"
     "  `a` int(11) NOT NULL,\n"
     "  `d` date NOT NULL\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin\n"
     "/*!50100 PARTITION BY RANGE (a)\n"
     "(PARTITION p0 VALUES LESS THAN (10),\n"
     " PARTITION p1 VALUES LESS THAN MAXVALUE) */", NULL,
     "warning partition : SUBPARTITION BY HASH (to_days(d)) -> \n", {0}},
};
/* clang-format on */

/* clang-format off */
static const struct convert_case cases_of_columns[] = {
    {"invisible", OBJECT_TABLE, &mysql97, &tidb84,
     "CREATE TABLE `t` (\n"
     "  `a` int NOT NULL,\n"
     "  `b` int DEFAULT '5' /*!80023 INVISIBLE */,\n"
     "  PRIMARY KEY (`a`)\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
     "CREATE TABLE `t` (\n"
     "  `a` int NOT NULL,\n"
     "  `b` int DEFAULT '5',\n"
     "  PRIMARY KEY (`a`)\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin", NULL,
     "warning column b: INVISIBLE -> \n", {0}},
    {"types of MariaDB", OBJECT_TABLE, &maria10, &tidb84,
     "CREATE TABLE `t` (\n"
     "  `u` uuid NOT NULL DEFAULT uuid(),\n"
     "  `i` inet6 DEFAULT NULL,\n"
     "  `j` inet4 DEFAULT NULL,\n"
     "  PRIMARY KEY (`u`)\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
     "CREATE TABLE `t` (\n"
     "  `u` char(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT uuid(),\n"
     "  `i` varchar(45) CHARACTER SET ascii COLLATE ascii_bin DEFAULT NULL,\n"
     "  `j` varchar(15) CHARACTER SET ascii COLLATE ascii_bin DEFAULT NULL,\n"
     "  PRIMARY KEY (`u`)\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin", NULL,
     "warning column u: uuid -> char(36) CHARACTER SET ascii COLLATE ascii_bin\n"
     "warning column i: inet6 -> varchar(45) CHARACTER SET ascii COLLATE ascii_bin\n"
     "warning column j: inet4 -> varchar(15) CHARACTER SET ascii COLLATE ascii_bin\n", {0}},
    {"defaults", OBJECT_TABLE, &maria10, &tidb84,
     "CREATE TABLE `t` (\n"
     "  `a` datetime DEFAULT current_timestamp() ON UPDATE current_timestamp(),\n"
     "  `b` int(11) DEFAULT (1 + 1),\n"
     "  `c` text DEFAULT 'x',\n"
     "  `d` int(11) DEFAULT nextval(`db`.`s`),\n"
     "  `e` varchar(9) DEFAULT concat('a','b')\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
     "CREATE TABLE `t` (\n"
     "  `a` datetime DEFAULT current_timestamp() ON UPDATE current_timestamp(),\n"
     "  `b` int(11),\n"
     "  `c` text,\n"
     "  `d` int(11) DEFAULT nextval(`db`.`s`),\n"
     "  `e` varchar(9)\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin", NULL,
     "loss column b: DEFAULT (1 + 1) -> \n"
     "loss column c: DEFAULT 'x' -> \n"
     "warning column d: nextval(`db`.`s`) -> nextval(`db`.`s`)\n"
     "loss column e: DEFAULT concat('a','b') -> \n", {0}},
    {"literals in parentheses", OBJECT_TABLE, &mysql97, &tidb84,
     "CREATE TABLE `t` (\n"
     "  `a` int DEFAULT (5),\n"
     "  `b` int DEFAULT (-(3)),\n"
     "  `c` varchar(9) DEFAULT (_utf8mb4'x'),\n"
     "  `d` json DEFAULT (json_array()),\n"
     "  `e` json DEFAULT (_utf8mb4'[]')\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
     "CREATE TABLE `t` (\n"
     "  `a` int DEFAULT 5,\n"
     "  `b` int DEFAULT -3,\n"
     "  `c` varchar(9) DEFAULT _utf8mb4'x',\n"
     "  `d` json DEFAULT (json_array()),\n"
     "  `e` json\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin", NULL,
     "loss column e: DEFAULT (_utf8mb4'[]') -> \n", {0}},
    {"generated", OBJECT_TABLE, &mysql97, &tidb84,
     "CREATE TABLE `t` (\n"
     "  `a` varchar(9) DEFAULT NULL,\n"
     "  `b` varchar(9) GENERATED ALWAYS AS (upper(`a`)) VIRTUAL,\n"
     "  `c` varchar(9) GENERATED ALWAYS AS (soundex(`a`)) STORED\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin", NULL, NULL,
     "refused column c: GENERATED ALWAYS AS (soundex(`a`)) -> \n", {0}},
    {"checks", OBJECT_TABLE, &mysql97, &tidb84,
     "CREATE TABLE `t` (\n"
     "  `a` int DEFAULT NULL,\n"
     "  CONSTRAINT `c` CHECK ((`a` > 0)) /*!80016 NOT ENFORCED */,\n"
     "  CONSTRAINT `s` CHECK ((soundex(`a`) = 1))\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
     "CREATE TABLE `t` (\n"
     "  `a` int DEFAULT NULL,\n"
     "  CONSTRAINT `c` CHECK ((`a` > 0)) /*!80016 NOT ENFORCED */\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin", NULL,
     "warning check c: CONSTRAINT `c` CHECK ((`a` > 0)) NOT ENFORCED -> CONSTRAINT `"
     "c` CHECK ((`a` > 0)) NOT ENFORCED\n"
     "loss check s: CONSTRAINT `s` CHECK ((soundex(`a`) = 1)) -> \n", {0}},
    {"compressed and JSON of MariaDB", OBJECT_TABLE, &maria10, &tidb84,
     "CREATE TABLE `t` (\n"
     "  `a` text /*M!100301 COMPRESSED*/ DEFAULT NULL,\n"
     "  `j` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL CHECK (j"
     "son_valid(`j`))\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
     "CREATE TABLE `t` (\n"
     "  `a` text DEFAULT NULL,\n"
     "  `j` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL CHECK (j"
     "son_valid(`j`))\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin", NULL,
     "info column a: COMPRESSED -> \n"
     "warning check j: CHECK (json_valid(`j`)) -> CHECK (json_valid(`j`))\n", {0}},
    {"history", OBJECT_TABLE, &maria10, &tidb84,
     "CREATE TABLE `t` (\n"
     "  `id` int(11) NOT NULL,\n"
     "  `s` timestamp(6) GENERATED ALWAYS AS ROW START,\n"
     "  `e` timestamp(6) GENERATED ALWAYS AS ROW END,\n"
     "  PRIMARY KEY (`id`,`e`),\n"
     "  PERIOD FOR SYSTEM_TIME (`s`, `e`)\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin WITH SYSTEM VERSIONING\n"
     " PARTITION BY SYSTEM_TIME \n"
     "(PARTITION `p0` HISTORY ENGINE = InnoDB,\n"
     " PARTITION `p1` CURRENT ENGINE = InnoDB)",
     "CREATE TABLE `t` (\n"
     "  `id` int(11) NOT NULL,\n"
     "  PRIMARY KEY (`id`)\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin", NULL,
     "loss column s: `s` timestamp(6) GENERATED ALWAYS AS ROW START -> \n"
     "loss column e: `e` timestamp(6) GENERATED ALWAYS AS ROW END -> \n"
     "loss check SYSTEM_TIME: PERIOD FOR SYSTEM_TIME (`s`, `e`) -> \n"
     "loss option SYSTEM VERSIONING: WITH SYSTEM VERSIONING -> \n"
     "warning partition : PARTITION BY SYSTEM_TIME (PARTITION `p0` HISTORY ENGINE = "
     "InnoDB, PARTITION `p1` CURRENT ENGINE = InnoDB) -> \n", {0}},
    {"periods", OBJECT_TABLE, &maria10, &tidb84,
     "CREATE TABLE `t` (\n"
     "  `id` int(11) DEFAULT NULL,\n"
     "  `s` date NOT NULL,\n"
     "  `e` date NOT NULL,\n"
     "  UNIQUE KEY `u` (`id`,`p` WITHOUT OVERLAPS),\n"
     "  PERIOD FOR `p` (`s`, `e`)\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
     "CREATE TABLE `t` (\n"
     "  `id` int(11) DEFAULT NULL,\n"
     "  `s` date NOT NULL,\n"
     "  `e` date NOT NULL,\n"
     "  UNIQUE KEY `u` (`id`,`s`, `e`)\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin", NULL,
     "loss key u: `p` WITHOUT OVERLAPS -> `s`, `e`\n"
     "loss check p: PERIOD FOR `p` (`s`, `e`) -> \n", {0}},
    {"options of MariaDB", OBJECT_TABLE, &maria10, &tidb84,
     "CREATE TABLE `t` (\n"
     "  `a` int(11) DEFAULT NULL\n"
     ") ENGINE=Aria DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin PAGE_CHECKSUM=1 ROW_"
     "FORMAT=PAGE TRANSACTIONAL=1 `PAGE_COMPRESSED`='ON' `encrypted`=yes COMMENT='x'",
     "CREATE TABLE `t` (\n"
     "  `a` int(11) DEFAULT NULL\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='x'", NULL,
     "info option ENGINE: Aria -> InnoDB\n"
     "info option PAGE_CHECKSUM: PAGE_CHECKSUM=1 -> \n"
     "info option ROW_FORMAT: ROW_FORMAT=PAGE -> \n"
     "info option TRANSACTIONAL: TRANSACTIONAL=1 -> \n"
     "info option PAGE_COMPRESSED: `PAGE_COMPRESSED`='ON' -> \n"
     "info option encrypted: `encrypted`=yes -> \n", {0}},
    {"options of MySQL", OBJECT_TABLE, &mysql97, &tidb84,
     "CREATE TABLE `t` (\n"
     "  `a` int DEFAULT NULL /*!80023 ENGINE_ATTRIBUTE '{}' */\n"
     ") /*!50100 TABLESPACE `x` */ /*!80023 AUTOEXTEND_SIZE=4194304 */ ENGINE=InnoDB"
     " DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin /*!80016 ENCRYPTION='N' */",
     "CREATE TABLE `t` (\n"
     "  `a` int DEFAULT NULL\n"
     ") /*!50100 TABLESPACE `x` */ ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf"
     "8mb4_bin /*!80016 ENCRYPTION='N' */", NULL,
     "info column a: ENGINE_ATTRIBUTE '{}' -> \n"
     "info option AUTOEXTEND_SIZE: AUTOEXTEND_SIZE=4194304 -> \n", {0}},
    {"long varchar and growing text", OBJECT_TABLE, &mysql57, &tidb84,
     "CREATE TABLE `t` (\n"
     "  `a` varchar(20000) DEFAULT NULL,\n"
     "  `b` varchar(30000) DEFAULT NULL,\n"
     "  `c` tinytext,\n"
     "  `y` year(2) DEFAULT NULL\n"
     ") DEFAULT CHARSET=latin1",
     "CREATE TABLE `t` (\n"
     "  `a` varchar(20000) CHARACTER SET utf8 COLLATE utf8_general_ci DEFAULT NULL,\n"
     "  `b` mediumtext DEFAULT NULL,\n"
     "  `c` text,\n"
     "  `y` year(4) DEFAULT NULL\n"
     ") DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci", NULL,
     "warning option COLLATE: latin1_swedish_ci -> utf8mb4_general_ci\n"
     "warning column a: latin1_swedish_ci -> utf8_general_ci\n"
     "warning column b: varchar(30000) -> mediumtext\n"
     "info column c: tinytext -> text\n"
     "warning column y: year(2) -> year(4)\n", {0}},
    {"keys of many columns, a default that cannot be any more", OBJECT_TABLE, &maria10, &tidb84,
     "CREATE TABLE t (c0 int, c1 int, c2 int, c3 int, c4 int, c5 int, c6 int, c7 int, c8 int, c9 int, c10 int, c11 int, c12 int, c13 int, c14 int, c15 int, c16 int,\n"
     "  a varchar(40000) CHARACTER SET latin1 COLLATE latin1_bin NOT NULL DEFAULT 'x',\n"
     "  KEY k (c0,c1,c2,c3,c4,c5,c6,c7,c8,c9,c10,c11,c12,c13,c14,c15,c16), UNIQUE KEY u (c0,c1,c2,c3,c4,c5,c6,c7,c8,c9,c10,c11,c12,c13,c14,c15,c16)) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
     "CREATE TABLE t (c0 int, c1 int, c2 int, c3 int, c4 int, c5 int, c6 int, c7 int, c8 int, c9 int, c10 int, c11 int, c12 int, c13 int, c14 int, c15 int, c16 int,\n"
     "  a mediumtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,\n"
     "  KEY k (c0,c1,c2,c3,c4,c5,c6,c7,c8,c9,c10,c11,c12,c13,c14,c15), UNIQUE KEY u (c0,c1,c2,c3,c4,c5,c6,c7,c8,c9,c10,c11,c12,c13,c14,c15,c16)) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
     NULL,
     "warning column a: varchar(40000) -> mediumtext\n"
     "info column a: latin1_bin -> utf8mb4_bin\n"
     "loss column a: DEFAULT 'x' -> \n"
     "warning key k: (c0,c1,c2,c3,c4,c5,c6,c7,c8,c9,c10,c11,c12,c13,c14,c15,c16) -> c0,c1,c2,c3,c4,c5,c6,c7,c8,c9,c10,c11,c12,c13,c14,c15\n"
     "refused key u: (c0,c1,c2,c3,c4,c5,c6,c7,c8,c9,c10,c11,c12,c13,c14,c15,c16) -> \n",
     {0}},
    {"a name that TiDB keeps, a type that nobody knows", OBJECT_TABLE, &maria10, &tidb84,
     "CREATE TABLE t (_tidb_rowid int, x xmltype)", NULL, NULL,
     "refused column _tidb_rowid:  -> \n"
     "refused column x: xmltype -> \n", {0}},
    {"comments stay where they are", OBJECT_TABLE, &mysql97, &tidb84,
     "-- a table\n"
     "CREATE TABLE t ( -- columns\n"
     "  a int, /* one */\n"
     "  b int /*!80023 INVISIBLE */, -- two\n"
     "  KEY a (a), -- three\n"
     "  FULLTEXT KEY f (b) -- four\n"
     ");\n",
     "-- a table\n"
     "CREATE TABLE t ( -- columns\n"
     "  a int, /* one */\n"
     "  b int, -- two\n"
     "  KEY a (a) -- three\n"
     "   -- four\n"
     ")", NULL,
     "warning column b: INVISIBLE -> \n"
     "loss key f: FULLTEXT KEY f (b) -> \n", {0}},
};
/* clang-format on */

/* clang-format off */
static const struct convert_case cases_of_others[] = {
    {"database", OBJECT_DATABASE, &mysql57, &tidb84,
     "CREATE DATABASE `d` /*!40100 DEFAULT CHARACTER SET latin1 */",
     "CREATE DATABASE `d` /*!40100 DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_gen"
     "eral_ci */", NULL,
     "warning option COLLATE: latin1_swedish_ci -> utf8mb4_general_ci\n", {0}},
    {"database of MySQL 8", OBJECT_DATABASE, &mysql97, &maria10,
     "CREATE DATABASE IF NOT EXISTS `d` /*!40100 DEFAULT CHARACTER SET utf8mb4 COLLA"
     "TE utf8mb4_0900_ai_ci */ /*!80016 DEFAULT ENCRYPTION='N' */",
     "CREATE DATABASE IF NOT EXISTS `d` /*!40100 DEFAULT CHARACTER SET utf8mb4 COLLA"
     "TE utf8mb4_uca1400_nopad_ai_ci */", NULL,
     "warning option COLLATE: utf8mb4_0900_ai_ci -> utf8mb4_uca1400_nopad_ai_ci\n"
     "info option ENCRYPTION: DEFAULT ENCRYPTION='N' -> \n", {0}},
    {"database with a comment", OBJECT_DATABASE, &maria10, &tidb84,
     "CREATE DATABASE `d` /*!40100 DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_gen"
     "eral_ci */ COMMENT 'x'",
     "CREATE DATABASE `d` /*!40100 DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_gen"
     "eral_ci */", NULL, "info option COMMENT: COMMENT 'x' -> \n", {0}},
    {"view", OBJECT_VIEW, &mysql57, &tidb84,
     "CREATE ALGORITHM=UNDEFINED DEFINER=`root`@`localhost` SQL SECURITY DEFINER VIE"
     "W `v` AS select concat(`t`.`a`,_cp1251'x') AS `c`,(`t`.`b` collate latin1_germ"
     "an1_ci) AS `d`,convert(`t`.`b` using cp850) AS `e` from `t`;",
     "CREATE ALGORITHM=UNDEFINED DEFINER=`root`@`localhost` SQL SECURITY DEFINER VIE"
     "W `v` AS select concat(`t`.`a`,_utf8mb4'x') AS `c`,(`t`.`b` collate utf8mb4_ge"
     "neral_ci) AS `d`,convert(`t`.`b` using utf8mb4) AS `e` from `t`", NULL,
     "warning expression : latin1_german1_ci -> utf8mb4_general_ci\n"
     "warning expression : cp850 -> utf8mb4\n", {0}},
    {"definer stripped", OBJECT_VIEW, &mysql57, &tidb84,
     "/*!50001 CREATE ALGORITHM=UNDEFINED */\n"
     "/*!50013 DEFINER=`root`@`localhost` SQL SECURITY DEFINER */\n"
     "/*!50001 VIEW `v` AS select 1 AS `one` */;",
     "/*!50001 CREATE ALGORITHM=UNDEFINED */\n"
     "/*!50013 SQL SECURITY DEFINER */\n"
     "/*!50001 VIEW `v` AS select 1 AS `one` */", NULL,
     "warning definer DEFINER: DEFINER=`root`@`localhost` -> \n",
     {.definers = DEFINER_STRIP}},
    {"definer replaced", OBJECT_VIEW, &maria10, &maria10,
     "CREATE DEFINER=CURRENT_USER() VIEW `v` AS select 1 AS `one`",
     "CREATE DEFINER=`app`@`%` VIEW `v` AS select 1 AS `one`", NULL,
     "warning definer DEFINER: DEFINER=CURRENT_USER() -> DEFINER=`app`@`%`\n",
     {.definers = DEFINER_REPLACE, .definer = "`app`@`%`"}},
    {"stored function", OBJECT_VIEW, &mysql57, &tidb84,
     "CREATE VIEW `v` AS with `q` (`x`) as (select 1) select `f`(`q`.`x`) AS `y` from `q`",
     NULL, NULL, "refused object : `f` -> \n", {0}},
    {"JSON_TABLE", OBJECT_VIEW, &mysql97, &tidb84,
     "CREATE VIEW `v` AS select `t`.`a` AS `a` from json_table('[1]', '$[*]' columns"
     " (`a` int path '$')) `t`", NULL, NULL, "refused object : json_table -> \n", {0}},
    {"sequence", OBJECT_SEQUENCE, &maria10, &tidb84,
     "CREATE SEQUENCE `s` start with 1 minvalue 1 maxvalue 9223372036854775806 incre"
     "ment by 0 cache 0 nocycle ENGINE=InnoDB",
     "CREATE SEQUENCE `s` start with 1 minvalue 1 maxvalue 9223372036854775806 incre"
     "ment by 1 nocache nocycle", NULL,
     "warning option INCREMENT: increment by 0 -> increment by 1\n"
     "info option CACHE: cache 0 -> nocache\n"
     "info option ENGINE: ENGINE=InnoDB -> \n", {0}},
    {"trigger", OBJECT_TRIGGER, &mysql57, &tidb84,
     "CREATE DEFINER=`a`@`b` TRIGGER `g` BEFORE INSERT ON `t` FOR EACH ROW SET NEW.a = 1;",
     NULL, NULL, "refused object :  -> \n", {0}},
    {"trigger for MariaDB", OBJECT_TRIGGER, &mysql57, &maria10,
     "CREATE DEFINER=`a`@`b` TRIGGER `g` BEFORE INSERT ON `t` FOR EACH ROW SET NEW.a = 1;",
     "CREATE TRIGGER `g` BEFORE INSERT ON `t` FOR EACH ROW SET NEW.a = 1;", NULL,
     "warning definer DEFINER: DEFINER=`a`@`b` -> \n", {.definers = DEFINER_STRIP}},
    {"old TiDB", OBJECT_TABLE, &mysql97, &tidb61,
     "CREATE TABLE `t` (\n"
     "  `a` varchar(9) CHARACTER SET utf8mb3 COLLATE utf8mb3_general_ci DEFAULT NULL,\n"
     "  `b` varchar(9) DEFAULT NULL,\n"
     "  `v` vector(3) DEFAULT NULL,\n"
     "  CONSTRAINT `f` FOREIGN KEY (`a`) REFERENCES `p` (`a`)\n"
     ") DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci",
     "CREATE TABLE `t` (\n"
     "  `a` varchar(9) CHARACTER SET utf8mb3 COLLATE utf8_general_ci DEFAULT NULL,\n"
     "  `b` varchar(9) DEFAULT NULL,\n"
     "  `v` vector(3) DEFAULT NULL\n"
     ") DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci",
     "ALTER TABLE `t` ADD CONSTRAINT `f` FOREIGN KEY (`a`) REFERENCES `p` (`a`)\n",
     "warning option COLLATE: utf8mb4_0900_ai_ci -> utf8mb4_unicode_ci\n"
     "info column a: utf8mb3_general_ci -> utf8_general_ci\n"
     "refused column v: vector(3) -> \n"
     "warning foreign key f: CONSTRAINT `f` FOREIGN KEY (`a`) REFERENCES `p` (`a`) -"
     "> CONSTRAINT `f` FOREIGN KEY (`a`) REFERENCES `p` (`a`)\n", {0}},
};
/* clang-format on */

/* clang-format off */
static const struct convert_case cases_of_rivals[] = {
    {"MariaDB to MySQL", OBJECT_TABLE, &maria10, &mysql97,
     "CREATE TABLE `t` (\n"
     "  `u` uuid NOT NULL DEFAULT uuid(),\n"
     "  `a` varchar(9) CHARACTER SET utf8mb4 COLLATE utf8mb4_uca1400_swedish_nopad_a"
     "i_ci DEFAULT NULL,\n"
     "  `b` text CHARACTER SET latin1 COLLATE latin1_swedish_nopad_ci DEFAULT 'x',\n"
     "  `c` text /*M!100301 COMPRESSED*/ DEFAULT NULL,\n"
     "  `d` datetime DEFAULT current_timestamp(),\n"
     "  PRIMARY KEY (`u`),\n"
     "  KEY `a` (`a`) IGNORED\n"
     ") ENGINE=Aria DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_uca1400_ai_ci PAGE_CHECKSUM=1",
     "CREATE TABLE `t` (\n"
     "  `u` char(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT (uuid()),\n"
     "  `a` varchar(9) CHARACTER SET utf8mb4 COLLATE utf8mb4_sv_0900_ai_ci DEFAULT NULL,\n"
     "  `b` text CHARACTER SET latin1 COLLATE latin1_swedish_ci DEFAULT ('x'),\n"
     "  `c` text DEFAULT NULL,\n"
     "  `d` datetime DEFAULT current_timestamp(),\n"
     "  PRIMARY KEY (`u`),\n"
     "  KEY `a` (`a`) INVISIBLE\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci", NULL,
     "warning option COLLATE: utf8mb4_uca1400_ai_ci -> utf8mb4_0900_ai_ci\n"
     "warning column u: uuid -> char(36) CHARACTER SET ascii COLLATE ascii_bin\n"
     "warning column a: utf8mb4_uca1400_swedish_nopad_ai_ci -> utf8mb4_sv_0900_ai_ci\n"
     "warning column b: latin1_swedish_nopad_ci -> latin1_swedish_ci\n"
     "info column c: COMPRESSED -> \n"
     "info option ENGINE: Aria -> InnoDB\n"
     "info option PAGE_CHECKSUM: PAGE_CHECKSUM=1 -> \n", {0}},
    {"MySQL to MariaDB", OBJECT_TABLE, &mysql97, &maria10,
     "CREATE TABLE `t` (\n"
     "  `a` varchar(9) COLLATE utf8mb4_sv_0900_ai_ci DEFAULT NULL,\n"
     "  `b` int DEFAULT NULL /*!80023 INVISIBLE */,\n"
     "  `c` binary(16) DEFAULT (uuid_to_bin(uuid())),\n"
     "  `d` point NOT NULL /*!80003 SRID 4326 */,\n"
     "  KEY `a` (`a`) /*!80000 INVISIBLE */,\n"
     "  KEY `l` ((lower(`a`)))\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci /*!80016 EN"
     "CRYPTION='N' */\n"
     "/*!50100 PARTITION BY HASH (`b`)\n"
     "PARTITIONS 2 */",
     "CREATE TABLE `t` (\n"
     "  `a` varchar(9) COLLATE utf8mb4_uca1400_swedish_nopad_ai_ci DEFAULT NULL,\n"
     "  `b` int DEFAULT NULL INVISIBLE,\n"
     "  `c` binary(16),\n"
     "  `d` point NOT NULL,\n"
     "  KEY `a` (`a`) IGNORED\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_uca1400_nopad_ai_ci\n"
     "/*!50100 PARTITION BY HASH (`b`)\n"
     "PARTITIONS 2 */", NULL,
     "warning option COLLATE: utf8mb4_0900_ai_ci -> utf8mb4_uca1400_nopad_ai_ci\n"
     "warning column a: utf8mb4_sv_0900_ai_ci -> utf8mb4_uca1400_swedish_nopad_ai_ci\n"
     "loss column c: DEFAULT (uuid_to_bin(uuid())) -> \n"
     "warning column d: SRID 4326 -> \n"
     "loss key l: KEY `l` ((lower(`a`))) -> \n"
     "info option ENCRYPTION: ENCRYPTION='N' -> \n", {0}},
    {"the same vendor", OBJECT_TABLE, &mysql57, &mysql97,
     "CREATE TABLE `t` (\n"
     "  `a` varchar(9) DEFAULT NULL,\n"
     "  `b` varchar(9) CHARACTER SET latin1 DEFAULT NULL,\n"
     "  CONSTRAINT `f` FOREIGN KEY (`a`) REFERENCES `p` (`a`)\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4",
     "CREATE TABLE `t` (\n"
     "  `a` varchar(9) DEFAULT NULL,\n"
     "  `b` varchar(9) CHARACTER SET latin1 DEFAULT NULL\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci",
     "ALTER TABLE `t` ADD CONSTRAINT `f` FOREIGN KEY (`a`) REFERENCES `p` (`a`)\n", "",
     {0}},
};
/* clang-format on */

#define CHECK(state, cases) check_cases(state, cases, sizeof(cases) / sizeof *(cases))

static void check_all(void **state)
{
    CHECK(state, cases_of_collations);
    CHECK(state, cases_of_keys);
    CHECK(state, cases_of_columns);
    CHECK(state, cases_of_others);
    CHECK(state, cases_of_rivals);
}

static void definitions_are_converted(void **state)
{
    (void)state;
    check_all(NULL);
}

static void tidb_takes_what_was_converted(void **state)
{
    if (!*state) {
        print_message("skipped: FERRY_TEST_TIDB is not set\n");
        return;
    }
    check_all(state);
}

/* Every collation that was measured, as a key and as none. */
static void tidb_takes_every_collation(void **state)
{
    const struct convert_params p = {.source = &mysql97, .target = &tidb84};

    if (!*state) {
        print_message("skipped: FERRY_TEST_TIDB is not set\n");
        return;
    }
    for (size_t i = 0; i < collation_row_count; i++) {
        struct strbuf sql = {0};
        struct converted out;
        struct err err = ERR_INIT;
        char charset[16];
        char name[80];

        collation_charset(collation_rows[i].name, charset);
        (void)snprintf(name, sizeof name, "%s%s",
                       charset_default_collation(charset, &mysql97) ? "" : "utf8mb4_",
                       collation_rows[i].name);
        strbuf_addf(&sql,
                    "CREATE TABLE t (a varchar(50) COLLATE %s PRIMARY KEY, b text COLLATE %s, c "
                    "enum('a','b') COLLATE %s) COLLATE=%s",
                    name, name, name, name);
        assert_int_equal(convert_definition(strbuf_str(&sql), OBJECT_TABLE, &p, &out, &err),
                         ERR_OK);
        tidb_takes(*state, name, &out);
        strbuf_release(&sql);
        converted_release(&out);
    }
}

static void meanings_are_said(void **state)
{
    const struct convert_params p = {.source = &mysql57, .target = &tidb84};
    struct converted out;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(convert_definition("CREATE TABLE t (a varchar(9) PRIMARY KEY) CHARSET=latin1",
                                        OBJECT_TABLE, &p, &out, &err),
                     ERR_OK);
    assert_int_equal(out.change_count, 2);
    assert_string_equal(
        out.changes[0].meaning,
        "for columns that name no other: equal from now on: A=Ä=Å, O=Ö, S=ß=Š, U=Ü, "
        "Y=ÿ, Z=Ž; no longer equal: D=Ð, Y=Ü, Ä=Æ, [=Å, ]=Ö");
    assert_string_equal(
        out.changes[1].meaning,
        "of a key, so what was distinct must stay so: no longer equal: upper and "
        "lower case, letters with and without accents; the nearest, "
        "utf8mb4_general_ci, would call equal what was not (A=Ä=Å, O=Ö, S=ß=Š, U=Ü, "
        "Y=ÿ, Z=Ž)");
    converted_release(&out);
}

static void faults_are_named(void **state)
{
    static const struct {
        enum object_kind kind;
        const char *sql, *message;
    } cases[] = {
        {OBJECT_TABLE, "", "line 1: the statement ends in CREATE TABLE"},
        {OBJECT_TABLE, "DROP TABLE t", "line 1: 'DROP' is not understood in CREATE TABLE"},
        {OBJECT_TABLE, "CREATE TABLE t (a int",
         "line 1: the statement ends in the table's definition"},
        {OBJECT_TABLE, "CREATE TABLE t (a int,)",
         "line 1: ')' is not understood in the table's definition"},
        {OBJECT_TABLE, "CREATE TABLE t (\n a)", "line 2: ')' is not understood in a column"},
        {OBJECT_TABLE, "CREATE TABLE t (a int DEFAULT, b int)",
         "line 1: ',' is not understood in a column"},
        {OBJECT_TABLE, "CREATE TABLE t (a int, KEY ())", "line 1: ')' is not understood in a key"},
        {OBJECT_TABLE, "CREATE TABLE t (a int) ENGINE",
         "line 1: the statement ends in the options"},
        {OBJECT_TABLE, "CREATE TABLE t (a int COMMENT 'x)", "line 1: a string is not closed"},
        {OBJECT_TABLE, "CREATE TABLE t (a int, FOREIGN KEY (a))",
         "line 1: ')' is not understood in a foreign key"},
        {OBJECT_VIEW, "SELECT 1", "line 1: the statement ends in CREATE VIEW"},
        {OBJECT_DATABASE, "CREATE TABLE t",
         "line 1: 'CREATE' is not understood in CREATE DATABASE"},
        {OBJECT_SEQUENCE, "CREATE VIEW v", "line 1: 'VIEW' is not understood in CREATE SEQUENCE"},
        {OBJECT_TRIGGER, "BEGIN",
         "line 1: 'BEGIN' is not understood in CREATE TRIGGER, PROCEDURE, FUNCTION or EVENT"},
    };
    const struct convert_params p = {.source = &mysql57, .target = &tidb84};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct converted out;
        struct err err = ERR_INIT;

        assert_int_equal(convert_definition(cases[i].sql, cases[i].kind, &p, &out, &err),
                         ERR_FORMAT);
        assert_string_equal(err.msg, cases[i].message);
        assert_null(out.arena);
        converted_release(&out);
    }
}

static void limits_of_tidb_are_kept(void **state)
{
    struct convert_params p = {.source = &mysql57, .target = &tidb84};
    struct strbuf sql = {0};
    struct converted out;
    struct err err = ERR_INIT;

    (void)state;
    strbuf_addstr(&sql, "CREATE TABLE t (c0 int");
    for (unsigned i = 1; i < 1018; i++)
        strbuf_addf(&sql, ", c%u int", i);
    for (unsigned i = 0; i < 65; i++)
        strbuf_addf(&sql, ", KEY (c%u)", i);
    strbuf_addch(&sql, ')');
    assert_int_equal(convert_definition(strbuf_str(&sql), OBJECT_TABLE, &p, &out, &err), ERR_OK);
    assert_true(out.refused);
    assert_int_equal(out.change_count, 2);
    converted_release(&out);
    p.max_columns = 4096;
    p.max_keys = 512;
    assert_int_equal(convert_definition(strbuf_str(&sql), OBJECT_TABLE, &p, &out, &err), ERR_OK);
    assert_int_equal(out.change_count, 0);
    assert_string_equal(out.sql, strbuf_str(&sql));
    converted_release(&out);
    strbuf_release(&sql);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(definitions_are_converted),
        cmocka_unit_test(meanings_are_said),
        cmocka_unit_test(faults_are_named),
        cmocka_unit_test(limits_of_tidb_are_kept),
        cmocka_unit_test_setup_teardown(tidb_takes_what_was_converted, tidb_open, tidb_close),
        cmocka_unit_test_setup_teardown(tidb_takes_every_collation, tidb_open, tidb_close),
    };
    struct err err = ERR_INIT;
    int failed;

    if (conn_library_init(&err))
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    conn_library_end();
    return failed;
}
