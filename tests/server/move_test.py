"""A database is moved end to end, and both sides are compared value by value."""

import compare
import data
import ferry
from case import quick

SOURCES = ("mariadb", "mysql")
FORMATS = (("sql", "zstd"), ("csv", "none"), ("sql", "none"), ("csv", "gzip"))


def move_every_type(t, source_kind, target_kind, form, codec):
    source, target = t.server(source_kind), t.server(target_kind)
    db = t.database(source, "every_type", options="CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
    data.make_every_type(source, db, target_kind == "tidb")
    out = t.path("%s-%s-%s-%s" % (source_kind, target_kind, form, codec))
    ferry.dump(source, out, "-f", db + ".*", "--format", form, "--compress", codec, "--chunk-size", "4KiB").must()
    t.gone_after(target, db)
    ferry.load(target, out).must()
    rows = compare.same_database(source, target, db)
    assert rows > 50, rows


@quick
def test_every_type_mariadb_to_tidb(t):
    for form, codec in FORMATS:
        move_every_type(t, "mariadb", "tidb", form, codec)


@quick
def test_every_type_mysql_to_tidb(t):
    for form, codec in FORMATS:
        move_every_type(t, "mysql", "tidb", form, codec)


def same_kind(t, kind):
    """From a server to another of its kind: the types that TiDB lacks too."""
    source, target = t.server(kind), t.own_server(kind)
    db = t.database(source, "every_type", options="CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
    data.make_every_type(source, db, False)
    for form, codec in FORMATS[:2]:
        out = t.path(form)
        ferry.dump(source, out, "-f", db + ".*", "--format", form, "--compress", codec).must()
        t.gone_after(target, db)
        ferry.load(target, out).must()
        compare.same_database(source, target, db)


def test_every_type_mariadb_to_mariadb(t):
    same_kind(t, "mariadb")


def test_every_type_mysql_to_mysql(t):
    same_kind(t, "mysql")


def test_every_type_tidb_to_tidb(t):
    source, target = t.server("tidb"), t.own_server("tidb")
    db = t.database(source, "every_type")
    data.make_every_type(source, db, True)
    out = t.path("dump")
    ferry.dump(source, out, "-f", db + ".*", "--consistency", "none").must()
    ferry.load(target, out).must()
    compare.same_database(source, target, db)


def test_insert_path(t):
    """The careful path alone gives the same."""
    for kind in SOURCES:
        source, target = t.server(kind), t.server("tidb")
        db = t.database(source, "every_type", options="CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
        data.make_every_type(source, db, True)
        out = t.path("insert-" + kind)
        ferry.dump(source, out, "-f", db + ".*").must()
        t.gone_after(target, db)
        ferry.load(target, out, "--path", "insert").must()
        compare.same_database(source, target, db)


def test_odd_names(t):
    """Names with a slash, a dot, an emoji (MySQL and MariaDB allow the basic plane only), quotes, percent signs."""
    source, target = t.server("mariadb"), t.server("tidb")
    db = "od/d.d`b %41-schema"
    source.run("DROP DATABASE IF EXISTS `od/d.d``b %41-schema`",
               "CREATE DATABASE `od/d.d``b %41-schema` CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
    source.run("USE `od/d.d``b %41-schema`", "CREATE TABLE `t/1.x` (`a b` int PRIMARY KEY, `c``d` text, `select` int)",
               "INSERT INTO `t/1.x` VALUES (1, 'x', 2), (2, NULL, 3)", "CREATE TABLE `名前-schema` (`ключ` varchar(30) PRIMARY KEY)",
               "INSERT INTO `名前-schema` VALUES ('ä'), ('日本')", "CREATE VIEW `v``1` AS SELECT `a b` FROM `t/1.x`")
    out = t.path("dump")
    try:
        ferry.dump(source, out, "-f", "`od/d.d``b %41-schema`.*").must()
        target.run("DROP DATABASE IF EXISTS `od/d.d``b %41-schema`", "DROP DATABASE IF EXISTS ferry_meta")
        ferry.load(target, out).must()
        assert compare.same_database(source, target, db) == 4
        assert target.value("SELECT COUNT(*) FROM `od/d.d``b %41-schema`.`v``1`") == 2
    finally:
        source.run("DROP DATABASE IF EXISTS `od/d.d``b %41-schema`")
        target.run("DROP DATABASE IF EXISTS `od/d.d``b %41-schema`", "DROP DATABASE IF EXISTS ferry_meta")


def test_keys_views_and_generated_columns(t):
    source, target = t.server("mysql"), t.server("tidb")
    db = t.database(
        source, "shapes",
        "CREATE TABLE g (id int PRIMARY KEY, a int, v int GENERATED ALWAYS AS (a * 2) VIRTUAL, s int GENERATED ALWAYS AS (a + 1) STORED)",
        "INSERT INTO g (id, a) VALUES (1, 10), (2, NULL), (3, -4)",
        "CREATE TABLE nokey (a int, b text)", "INSERT INTO nokey VALUES (1, 'x'), (1, 'x'), (NULL, NULL), (NULL, NULL)",
        "CREATE TABLE uniq (a varchar(20) NOT NULL, b int NOT NULL, UNIQUE KEY u (a, b))",
        "INSERT INTO uniq VALUES ('a', 1), ('a', 2), ('B', 1)",
        "CREATE TABLE auto0 (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, x int)", "SET sql_mode='NO_AUTO_VALUE_ON_ZERO'",
        "INSERT INTO auto0 VALUES (0, 1), (5, 2)", "CREATE TABLE empty_one (id int PRIMARY KEY)",
        "CREATE TABLE parts (id int PRIMARY KEY, x int) PARTITION BY HASH (id) PARTITIONS 4",
        "INSERT INTO parts VALUES (1,1),(2,2),(3,3),(4,4),(5,5)",
        "CREATE VIEW z_view AS SELECT id, a FROM g", "CREATE VIEW a_view AS SELECT id FROM z_view",
        options="CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
    out = t.path("dump")
    ferry.dump(source, out, "-f", db + ".*").must()
    t.gone_after(target, db)
    ferry.load(target, out).must()
    compare.same_database(source, target, db)
    assert target.value("SELECT COUNT(*) FROM shapes.a_view") == 3
    assert target.value("SELECT SUM(s) FROM shapes.g") == 8
    ferry.load(target, out).must(0, "nothing to do")
    compare.same_database(source, target, db)
    target.run("INSERT INTO shapes.auto0 (x) VALUES (3)")  # the next number follows the rows by itself
    assert target.value("SELECT id FROM shapes.auto0 WHERE x = 3") > 5
