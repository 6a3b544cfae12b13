"""Definitions: what the target gets, under which name, and what happens to tables that are there already."""

import json
import os

import compare
import ferry
from case import quick

UTF8 = "CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"
LATIN1 = "CHARACTER SET latin1 COLLATE latin1_swedish_ci"


def dumped(t, source, db, *more):
    out = t.path("d-" + db)
    ferry.dump(source, out, "-f", db + ".*", *more).must()
    return out


@quick
def test_latin1_arrives(t):
    """MariaDB's and MySQL 5.7's defaults everywhere, which TiDB lacks: the database simply arrives, and the changes are said."""
    source, target = t.server("mariadb"), t.server("tidb")
    t.database(source, "swedish", "SET NAMES utf8mb4",
               "CREATE TABLE a (id int PRIMARY KEY AUTO_INCREMENT, name varchar(50), code char(3) NOT NULL, note text, UNIQUE KEY (code), KEY (name))",
               "INSERT INTO a (name, code, note) VALUES ('Ärger', 'aÿ', 'naïve €'), ('b', 'B', NULL), ('b ', 'ü', REPEAT('ä', 60000))",
               "CREATE TABLE b (x int, y enum('ä','b'), FULLTEXT KEY f (z), z text) ENGINE=Aria",
               "INSERT INTO b VALUES (1, 'ä', 'ß'), (1, 'ä', 'ß')",
               "CREATE VIEW v AS SELECT name FROM a WHERE code = _latin1'b' COLLATE latin1_swedish_ci", options=LATIN1)
    out = dumped(t, source, "swedish", "--consistency", "none")
    t.gone_after(target, "swedish")
    r = ferry.load(target, out, "--convert", "report").must(0, ["utf8mb4", "FULLTEXT", "warning"])
    assert "swedish" not in [r[0] for r in target.run("SHOW DATABASES")], r
    r = ferry.load(target, out).must(0, ["definitions changed for the target", "losses"])
    compare.same_database(source, target, "swedish")
    assert target.run("SELECT name FROM swedish.v") == (("b",),)
    target.run("INSERT INTO swedish.a (name, code) VALUES ('next', 'n')")
    assert target.value("SELECT id FROM swedish.a WHERE code='n'") > 3


@quick
def test_big5_keys(t):
    """What big5_chinese_ci tells apart, case of letters that are not ASCII's, stays apart in a key."""
    source, target = t.server("mariadb"), t.server("tidb")
    t.gone_after(target, "big5")
    t.database(source, "big5", "CREATE TABLE k (s varchar(9) PRIMARY KEY)", "INSERT INTO k VALUES ('Ａ'), ('ａ'), ('Ω'), ('ω'), ('Д'), ('д'), ('中')",
               options="CHARACTER SET big5")
    out = dumped(t, source, "big5")
    ferry.load(target, out).must(0, "of a key")
    compare.same_database(source, target, "big5")


@quick
def test_spatial(t):
    """Refused by name, or the source's bytes: SRID and WKB."""
    source, target = t.server("mariadb"), t.server("tidb")
    t.database(source, "geo", "CREATE TABLE p (id int PRIMARY KEY, at point NOT NULL, g geometry, SPATIAL KEY (at))",
               "INSERT INTO p VALUES (1, ST_PointFromText('POINT(1 2)', 4326), NULL), (2, ST_PointFromText('POINT(-1 0.5)'), "
               "ST_GeomFromText('LINESTRING(0 0,1 1)'))", "CREATE TABLE plain (id int PRIMARY KEY)", "INSERT INTO plain VALUES (7)",
               options=UTF8)
    out = dumped(t, source, "geo")
    t.gone_after(target, "geo")
    ferry.load(target, out, "--on-object-error", "stop").must(1, ["FERRY-LOAD-SCHEMA", "geo.p", "spatial"])
    assert target.value("SELECT COUNT(*) FROM geo.plain") == 0
    ferry.load(target, out).must(6, ["geo.p", "left out"])
    assert target.value("SELECT COUNT(*) FROM geo.plain") == 1
    ferry.load(target, out, "--spatial", "bytes").must()
    compare.same_table(source, target, "geo", "p")
    assert target.value("SELECT HEX(at) FROM geo.p WHERE id=1") == "E6100000" + "0101000000000000000000F03F0000000000000040"
    assert target.value("SELECT COUNT(*) FROM geo.plain") == 1
    ferry.load(target, out, "--spatial", "bytes").must(0, "nothing to do")


@quick
def test_mariadb_types(t):
    source = t.server("mariadb")
    t.database(source, "mtypes", "CREATE TABLE a (id uuid PRIMARY KEY, ip inet6, v4 inet4, n int INVISIBLE DEFAULT 3, c varchar(9) CHECK (c <> 'x'))",
               "INSERT INTO a VALUES ('123e4567-e89b-12d3-a456-426655440000', '2001:db8::ff00:42:8329', '10.0.0.1', 'a')", options=UTF8)
    out = dumped(t, source, "mtypes")
    for kind in ("tidb", "mysql"):
        target = t.server(kind)
        t.gone_after(target, "mtypes")
        ferry.load(target, out).must()
        assert target.run("SELECT id, ip, v4, n, c FROM mtypes.a") == (("123e4567-e89b-12d3-a456-426655440000", "2001:db8::ff00:42:8329",
                                                                       "10.0.0.1", 3, "a"),)


@quick
def test_mysql_to_mariadb(t):
    """MySQL's default collation, which MariaDB 10.11 lacks."""
    source, target = t.server("mysql"), t.own_server("mariadb")
    t.database(source, "modern", "CREATE TABLE a (id int PRIMARY KEY, s varchar(20), j json, KEY ((lower(s))))", "INSERT INTO a VALUES (1, 'é', '{\"a\": 1}')",
               options="CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_ai_ci")
    out = dumped(t, source, "modern")
    r = ferry.load(target, out).must()
    assert target.run("SELECT id, s, j FROM modern.a") == ((1, "é", '{"a": 1}'),), r


OBJECTS = ("CREATE TABLE good (id int PRIMARY KEY)", "INSERT INTO good VALUES (1)",
           "CREATE TABLE bad (id int PRIMARY KEY, g point)", "INSERT INTO bad VALUES (1, NULL)",
           "CREATE VIEW good_view AS SELECT id FROM good", "CREATE VIEW bad_view AS SELECT id FROM bad")


@quick
def test_one_object_never_stops_the_others(t):
    source, target = t.server("mariadb"), t.server("tidb")
    t.database(source, "objs", *OBJECTS, options=UTF8)
    out = dumped(t, source, "objs")
    t.gone_after(target, "objs")
    for _ in range(2):
        ferry.load(target, out).must(6, ["objs.bad", "objs.bad_view", "left out, since they could not be created: 2"])
        assert target.run("SELECT id FROM objs.good_view") == ((1,),)
        assert target.value("SELECT COUNT(*) FROM objs.good") == 1
    ferry.load(target, out, "-f", "objs.bad").must(1, ["FERRY-LOAD-SCHEMA", "none of the 1 objects"])
    target.run("CREATE TABLE objs.bad (id int PRIMARY KEY, g longblob)")
    ferry.load(target, out).must()
    assert target.run("SELECT id FROM objs.bad_view") == ((1,),)
    ferry.load(target, out).must(0, "nothing to do")


SHOP = ("CREATE TABLE customer (id int PRIMARY KEY AUTO_INCREMENT, name varchar(20), KEY by_name (name))",
        "INSERT INTO customer (name) VALUES ('a'), ('b')",
        "CREATE TABLE `order` (id int PRIMARY KEY, customer int, n int, KEY by_n (n), CONSTRAINT oc FOREIGN KEY (customer) REFERENCES customer (id))",
        "INSERT INTO `order` VALUES (1, 1, 5), (2, NULL, 6)",
        "CREATE VIEW v AS SELECT o.id, customer.name FROM `order` o JOIN customer ON customer.id = o.customer",
        "CREATE VIEW w AS SELECT id, name FROM v WHERE trim('x' from name) <> ''")


def test_rename(t):
    """Databases and tables under other names: rows, foreign keys and views follow; the job is bound to it."""
    source = t.server("mariadb")
    t.database(source, "shop", *SHOP, options=UTF8)
    out = dumped(t, source, "shop")
    for kind in ("tidb", "mysql", "mariadb"):
        target = t.own_server("mariadb") if kind == "mariadb" else t.server(kind)
        t.gone_after(target, "shop", "shop2", "other")
        rename = ("--rename", "shop.*=shop2.*", "--rename", "shop.customer=other.client")
        ferry.run_fault("load.claim:2", "load", "--target", target.url, "--input", out, "--definer", "strip", *rename)
        target.revive() if kind == "tidb" else None
        ferry.load(target, out).must(1, ["FERRY-LOAD-STATE", "--rename", "shop2"])
        ferry.load(target, out, "--definer", "strip", *reversed_pairs(rename)).must()
        assert target.run("SELECT id, name FROM other.client ORDER BY id") == ((1, "a"), (2, "b")), kind
        assert target.run("SELECT id, customer, n FROM shop2.`order` ORDER BY id") == ((1, 1, 5), (2, None, 6))
        assert target.run("SELECT * FROM shop2.v") == ((1, "a"),) and target.run("SELECT * FROM shop2.w") == ((1, "a"),)
        assert target.value("SELECT CONCAT(referenced_table_schema, '.', referenced_table_name) FROM information_schema.key_column_usage "
                            "WHERE table_schema='shop2' AND referenced_table_name IS NOT NULL") == "other.client"
        assert "shop" not in [r[0] for r in target.run("SHOW DATABASES")]
        ferry.load(target, out, *rename).must(0, "nothing to do")
        ferry.load(target, out, "--definer", "strip").must()  # the finished one is another job
        compare.same_database(source, target, "shop")


def reversed_pairs(rename):
    return rename[2:] + rename[:2]


@quick
def test_rename_refused(t):
    source, target = t.server("mariadb"), t.server("tidb")
    t.database(source, "shop", *SHOP[:4], options=UTF8)
    out = dumped(t, source, "shop")
    t.gone_after(target, "shop")
    for rule, words in (("shop.customer=shop.order", "onto one another"), ("shop.cust=shop.x", "no 'shop.cust'"), ("shop=x", "is no rule"),
                        ("shop.*=mysql.*", "system schema")):
        ferry.load(target, out, "--rename", rule).must(2, ["FERRY-USAGE", words])
    ferry.load(target, out, "--rename", "shop.customer=shop.ORDER").must(1, "would be one object")


def existing(t, kind):
    source = t.server("mariadb")
    target = t.own_server("mariadb") if kind == "mariadb" else t.server(kind)
    t.database(source, "there", "CREATE TABLE a (id int PRIMARY KEY)", "INSERT INTO a SELECT seq FROM seq_1_to_300",
               "CREATE TABLE b (id int PRIMARY KEY, s varchar(9))", "INSERT INTO b SELECT seq, 'x' FROM seq_1_to_300",
               "CREATE VIEW v AS SELECT COUNT(*) AS n FROM a", options=UTF8)
    t.gone_after(target, "there")
    out = t.path("d-" + kind)
    ferry.dump(source, out, "-f", "there.*").must()
    return source, target, out


def put_there(target):
    target.run("DROP DATABASE IF EXISTS there", "DROP DATABASE IF EXISTS ferry_meta", "CREATE DATABASE there " + UTF8, "CREATE TABLE there.a (id int PRIMARY KEY)",
               "CREATE TABLE there.b (id int PRIMARY KEY, s varchar(9))", "INSERT INTO there.a VALUES (7), (1000)", "INSERT INTO there.b VALUES (7, 'old')",
               "CREATE VIEW there.v AS SELECT 1 AS n")


def test_if_table_exists(t):
    """truncate and drop: asked for, done once, and never to tables that hold this job's rows, wherever the load is cut off."""
    for kind in ("mysql", "tidb"):
        source, target, out = existing(t, kind)
        put_there(target)
        ferry.load(target, out, "--if-table-exists", "truncate").must(2, ["FERRY-USAGE", "--yes"])
        ferry.load(target, out, "--if-table-exists", "stop").must(1, "FERRY-LOAD-TABLE-EXISTS")
        ferry.load(target, out, "--if-table-exists", "drop", "--dry-run").must(0, "to be dropped and created")
        assert target.value("SELECT COUNT(*) FROM there.a") == 2
        for mode in ("truncate", "drop"):
            load = ("load", "--target", target.url, "--input", out, "-t", "1", "--batch-rows", "50", "--if-table-exists", mode, "--definer", "strip", "--yes")
            for step in ("load.schema.after-note", "load.schema.after-clear:1", "load.schema.after-clear:2", "load.claim:1", "load.after-commit:3",
                         "load.before-done") + (("load.schema.after-create:1",) if mode == "drop" else ()):
                if kind == "tidb" and step not in ("load.schema.after-clear:1", "load.claim:1"):
                    continue
                put_there(target)
                ferry.run_fault(step, *load)
                before = int(target.value("SELECT COALESCE(SUM(rows_done), 0) FROM ferry_meta.chunk"))
                r = ferry.run(*load).must()
                assert "written by this run: %d" % (600 - before) in r.out, (kind, step, before, r)
                compare.same_database(source, target, "there")
                assert target.value("SELECT n FROM there.v") == (300 if mode == "drop" else 1)
                ferry.run(*load).must(0, "nothing to do")
                assert target.value("SELECT COUNT(*) FROM there.a") == 300
        put_there(target)
        ferry.run_fault("load.schema.after-clear:1", *load)
        ferry.run(*load[:-5], "--on-conflict", "replace").must(1, ["FERRY-LOAD-STATE", "begun to drop", "DELETE FROM"])
        assert target.value("SELECT COUNT(*) FROM there.b") == 1  # nothing was added to what is to go
        put_there(target)
        target.run("DELETE FROM there.a", "DELETE FROM there.b")
        ferry.run_fault("load.after-commit:3", *load[:-5])
        ferry.run(*load).must(1, ["FERRY-LOAD-STATE", "begun"])


@quick
def test_existing_target_columns(t):
    """A target that has more columns, wider ones, AUTO_RANDOM, invisible ones: as long as every value can be held."""
    source, target = t.server("mariadb"), t.server("tidb")
    t.database(source, "cols", "CREATE TABLE a (id bigint PRIMARY KEY, s varchar(9), n int)", "INSERT INTO a VALUES (1, 'x', 2), (2, NULL, -1)", options=UTF8)
    out = dumped(t, source, "cols")
    t.gone_after(target, "cols")
    good = "CREATE TABLE cols.a (id bigint AUTO_RANDOM PRIMARY KEY CLUSTERED, s varchar(20), n bigint, more int DEFAULT 5, g int AS (n + 1))"
    for definition, words in ((good, None), ("CREATE TABLE cols.a (id bigint PRIMARY KEY, n int)", "'s' is in the dump"),
                              ("CREATE TABLE cols.a (id bigint PRIMARY KEY, s varchar(9), n int, more int NOT NULL)", "'more' is not in the dump")):
        target.run("DROP DATABASE IF EXISTS cols", "DROP DATABASE IF EXISTS ferry_meta", "CREATE DATABASE cols " + UTF8, definition)
        r = ferry.load(target, out)
        r.must(1, ["FERRY-LOAD-TABLE-SHAPE", words]) if words else r.must()
        if not words:
            assert target.run("SELECT id, s, n, more, g FROM cols.a ORDER BY id") == ((1, "x", 2, 5, 3), (2, None, -1, 5, 0))


@quick
def test_generated_columns_that_are_there(t):
    """One that the target computes otherwise is refused by name; the same expression in another server's words is not."""
    source = t.server("mariadb")
    t.database(source, "gen", "CREATE TABLE a (id int PRIMARY KEY, s varchar(9), n int AS (id * 2 + 1), c varchar(20) AS (concat(s, '-x')) STORED)",
               "INSERT INTO a (id, s) VALUES (1, 'x')", options=UTF8)
    out = dumped(t, source, "gen")
    for kind in ("mysql", "tidb"):
        target = t.server(kind)
        for n, other in (("id * 2 + 1", False), ("((`id`*2)+1)", False), ("id * 3 + 1", True), ("id * (2 + 1)", True)):
            t.gone_after(target, "gen")
            target.run("CREATE DATABASE gen " + UTF8,
                       "CREATE TABLE gen.a (id int PRIMARY KEY, s varchar(9), n int AS (%s), c varchar(20) AS (concat(s, '-x')) STORED)" % n)
            for more in ("--dry-run",), ():
                if other:
                    ferry.load(target, out, *more).must(1, ["FERRY-LOAD-TABLE-SHAPE", "gen.a", "'n'", "--on-generated-difference"])
                else:
                    ferry.load(target, out, *more).must()
            if not other:
                continue
            assert target.value("SELECT COUNT(*) FROM gen.a") == 0
            r = ferry.load(target, out, "--on-generated-difference", "warn").must(0, ["load.generated", "column=n"])
            assert ("load.generated" in r.err) == other and "column=c" not in r.err, r


def owed(t, kind):
    source = t.server("mariadb")
    target = t.own_server("mariadb") if kind == "mariadb" else t.server(kind)
    t.database(source, "owed", *SHOP, options=UTF8)
    t.gone_after(target, "owed")
    out = t.path("d-" + kind)
    ferry.dump(source, out, "-f", "owed.*").must()
    return source, target, out


def keys_of(target, db):
    keys = set(r[0] for r in target.run("SELECT CONCAT(table_name, '.', index_name) FROM information_schema.statistics WHERE table_schema='%s'" % db))
    fks = set(r[0] for r in target.run("SELECT CONCAT(table_name, '.', constraint_name) FROM information_schema.key_column_usage WHERE "
                                       "table_schema='%s' AND referenced_table_name IS NOT NULL" % db))
    return keys, fks


def test_indexes_and_foreign_keys_after(t):
    """With --indexes after: not there while rows come, there in the end, wherever it is cut off."""
    for kind in ("mysql", "tidb"):
        source, target, out = owed(t, kind)
        load = ("load", "--target", target.url, "--input", out, "--definer", "strip", "--indexes", "after", "--analyze")
        for step in ("load.after-commit:1", "load.indexes.before-record:1", "load.indexes.before-record:2", "load.foreign-key.before-record"):
            target.run("DROP DATABASE IF EXISTS owed", "DROP DATABASE IF EXISTS ferry_meta")
            ferry.run_fault(step, *load)
            if kind == "tidb" and step.startswith("load.after-commit"):
                target.revive()
                continue
            keys, fks = keys_of(target, "owed")
            assert ("load.foreign" in step) == ("order.oc" in fks), (kind, step, fks)
            assert "load.after-commit" not in step or "customer.by_name" not in keys
            ferry.run(*load[:7]).must()
            keys, fks = keys_of(target, "owed")
            assert {"customer.by_name", "order.by_n"} <= keys and fks == {"order.oc"}, (kind, step, keys, fks)
            compare.same_database(source, target, "owed")
            ferry.run(*load).must(0, "nothing to do")


@quick
def test_rows_without_parents(t):
    """They are all listed; exit 3; with the rows mended the same command ends the load."""
    for kind in ("mysql", "tidb"):
        source, target = t.server("mariadb"), t.server(kind)
        t.gone_after(target, "owed")
        t.database(source, "owed", *SHOP, "SET foreign_key_checks=0", "INSERT INTO `order` VALUES (3, 77, 1), (4, 78, 1)", options=UTF8)
        out = t.path("d2-" + kind)
        ferry.dump(source, out, "-f", "owed.*").must()
        ferry.load(target, out, "--definer", "strip").must(3, ["FERRY-LOAD-FOREIGN-KEY", "customer='77' has no parent", "customer='78' has no parent", "oc"])
        assert target.value("SELECT COUNT(*) FROM owed.`order`") == 4
        ferry.load(target, out, "--definer", "strip").must(3)
        target.run("INSERT INTO owed.customer VALUES (77, 'x'), (78, 'y')")
        ferry.load(target, out, "--definer", "strip").must()
        target.run("DROP DATABASE owed", "DELETE FROM ferry_meta.job")
        ferry.load(target, out, "--foreign-keys", "add", "--definer", "strip").must()
        assert keys_of(target, "owed")[1] == {"order.oc"}
        target.run("DROP DATABASE owed", "DELETE FROM ferry_meta.job")
        ferry.load(target, out, "--foreign-keys", "none", "--definer", "strip").must(6)
        assert keys_of(target, "owed")[1] == set()


@quick
def test_parents_in_a_missing_database(t):
    """The foreign key is named, whatever the server calls a table of a database that it does not have."""
    for kind in ("mysql", "tidb"):
        source, target = t.server("mariadb"), t.server(kind)
        t.gone_after(target, "apart")
        t.database(source, "elders", "CREATE TABLE p (id int PRIMARY KEY)", "INSERT INTO p VALUES (1)")
        t.database(source, "apart", "CREATE TABLE c (id int PRIMARY KEY, p int, CONSTRAINT cp FOREIGN KEY (p) REFERENCES elders.p (id))",
                   "INSERT INTO c VALUES (1, 1)", options=UTF8)
        out = t.path("d-" + kind)
        ferry.dump(source, out, "-f", "apart.*").must()
        ferry.load(target, out).must(3, ["FERRY-LOAD-FOREIGN-KEY", "cp", "not on the target"])
        source.run("DROP DATABASE apart")


@quick
def test_dates_that_load_data_refuses(t):
    """TiDB's LOAD DATA warns of a month or day 0 that its INSERT keeps."""
    source, target = t.server("mariadb"), t.server("tidb")
    t.gone_after(target, "zeros")
    t.database(source, "zeros", "SET sql_mode='ALLOW_INVALID_DATES'", "CREATE TABLE z (id int PRIMARY KEY, d date, dt datetime(3))",
               "INSERT INTO z VALUES (1, '2020-00-10', '2020-00-00 01:02:03.456'), (2, '2020-02-31', '0000-00-00'), (3, '2020-01-02', '2020-01-00')",
               options=UTF8)
    out = dumped(t, source, "zeros")
    ferry.load(target, out, timeout=20).must()
    compare.same_database(source, target, "zeros")


@quick
def test_missing_definer_is_said(t):
    """Servers make such a view, and refuse to read it."""
    source, target = t.server("mariadb"), t.server("mysql")
    t.gone_after(target, "nobody")
    t.database(source, "nobody", "CREATE TABLE a (id int PRIMARY KEY)", "CREATE DEFINER=nobody@nowhere VIEW v AS SELECT id FROM a", options=UTF8)
    out = dumped(t, source, "nobody")
    ferry.load(target, out).must(0, ["load.schema.warning", "object=nobody.v", "nobody"])


PROGRAMS = ("CREATE TABLE t (id int PRIMARY KEY AUTO_INCREMENT, x int)", "INSERT INTO t VALUES (1, 10), (2, 20)",
            "CREATE FUNCTION twice(n int) RETURNS int DETERMINISTIC RETURN n * 2",
            "CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW BEGIN SET NEW.x = twice(NEW.x); END",
            "CREATE EVENT ev ON SCHEDULE EVERY 1 YEAR STARTS '2035-01-01 00:00:00' DO DELETE FROM t; -- ;;")


def test_triggers_routines_events(t):
    """Created after the rows; on TiDB a file with the reason; a cut between two of them is no matter."""
    source = t.server("mariadb")
    t.database(source, "prog", *PROGRAMS, options=UTF8)
    out = dumped(t, source, "prog")
    for kind in ("mysql", "mariadb"):
        target = t.own_server("mariadb") if kind == "mariadb" else t.server(kind)
        t.gone_after(target, "prog")
        ferry.run_fault("load.before-done", "load", "--target", target.url, "--input", out, "--definer", "strip")
        ferry.load(target, out, "--definer", "strip").must()
        assert target.run("SELECT id, x FROM prog.t") == ((1, 10), (2, 20))
        target.run("INSERT INTO prog.t (x) VALUES (30)")
        assert target.run("SELECT id, x FROM prog.t WHERE id > 2") == ((3, 60),)
        assert target.value("SELECT COUNT(*) FROM information_schema.events WHERE event_schema='prog'") == 1
        target.run("DROP DATABASE prog", "DELETE FROM ferry_meta.job", "CREATE DATABASE prog", "CREATE FUNCTION prog.twice(n int) RETURNS int DETERMINISTIC RETURN n * 3")
        for _ in range(2):  # somebody else's is never taken for the dump's
            ferry.load(target, out, "--definer", "strip").must(6, ["twice", "already exists"])
        target.run("DROP FUNCTION prog.twice")
        ferry.load(target, out, "--definer", "strip").must(0)
        assert target.value("SELECT prog.twice(5)") == 10
    target = t.server("tidb")
    t.gone_after(target, "prog")
    r = ferry.load(target, out, "--programs-file", t.path("left.sql")).must(0, ["TiDB has no triggers", "left.sql"])
    text = open(t.path("left.sql")).read()
    assert "TiDB has no triggers" in text and "TRIGGER" in text and "FUNCTION" in text and "EVENT" in text and "DELIMITER" in text, r
    target = t.server("mysql")
    target.run("DROP DATABASE prog", "DELETE FROM ferry_meta.job")
    r = ferry.load(target, out, "--programs", "file", cwd=t.folder).must(0, "ferry-programs-")
    left = [n for n in os.listdir(t.folder) if n.startswith("ferry-programs-")]
    assert len(left) == 1 and target.value("SELECT COUNT(*) FROM information_schema.triggers WHERE trigger_schema='prog'") == 0


def test_key_collation(t):
    """By default TiDB keeps apart what the source does, by a collation that also tells case apart; with `nearest` case still does not count, and
    what collides then is on record."""
    source, target = t.server("mariadb"), t.server("tidb")
    t.database(source, "near", "CREATE TABLE a (id int PRIMARY KEY, s varchar(20) COLLATE latin1_swedish_ci, UNIQUE KEY s (s)) CHARACTER SET latin1",
               "INSERT INTO a VALUES (1, 'a'), (2, '\u00c4'), (3, 'b')", options="CHARACTER SET latin1")
    out = dumped(t, source, "near")
    t.gone_after(target, "near")
    ferry.load(target, out).must()
    assert target.value("SELECT COUNT(*) FROM near.a WHERE s = 'A'") == 0 and target.value("SELECT COUNT(*) FROM near.a") == 3
    t.gone_after(target, "near")
    r = ferry.load(target, out, "--key-collation", "nearest", "--convert", "report", "--progress", "json").must()
    changes = [json.loads(line)["change"] for line in r.out.splitlines()]
    assert [(c["severity"], c["kind"], c["object"], c["part"], c["is"]) for c in changes] == [
        ("warning", "database", "near", "option", "utf8mb4_general_ci"), ("warning", "table", "near.a", "option", "utf8mb4_general_ci")], changes
    assert all(set(c) == {"severity", "kind", "object", "part", "name", "was", "is", "meaning"} for c in changes)
    r = ferry.load(target, out, "--key-collation", "nearest", "--on-conflict", "ignore", "--progress", "json").must(0, "1 ignored")
    assert [json.loads(line)["change"] for line in r.err.splitlines() if line.startswith('{"change"')] == changes, r
    assert target.run("SELECT id FROM near.a WHERE s = 'A'") == ((1,),)


def test_what_tidb_has_no_room_for(t):
    """Known when the load is planned, said by --convert report, and made to fit or refused by name: never the server's own error."""
    source, target = t.server("mariadb"), t.server("tidb")
    columns = ["c%d" % i for i in range(20)]
    numbers = ", ".join(c + " int NOT NULL" for c in columns)
    t.database(source, "room", "CREATE TABLE parts (%s, KEY k (%s))" % (numbers, ",".join(columns)), "INSERT INTO parts SELECT %s" % ",".join("1" * 20),
               "CREATE TABLE apart (%s, UNIQUE KEY k (%s))" % (numbers, ",".join(columns)),
               "CREATE TABLE said (a int COMMENT '%s', KEY k (a) COMMENT '%s') COMMENT '%s'" % ("\u00e4" * 1024, "\u00e4" * 1000, "\u00e4" * 2048),
               "INSERT INTO said VALUES (1)", "CREATE TABLE wide (a varchar(60000) CHARACTER SET latin1 NOT NULL DEFAULT 'x')",
               "INSERT INTO wide VALUES (REPEAT('\u00e4', 60000))",
               "CREATE TABLE many (%s)" % ", ".join("c%d tinyint" % i for i in range(1017)), options=UTF8)
    out = dumped(t, source, "room")
    t.gone_after(target, "room")
    r = ferry.load(target, out, "--convert", "report").must()
    for words in ("refused  table room.apart: key k", "warning  table room.parts: key k", "warning  table room.said: column a", "warning  table room.said: key k",
                  "warning  table room.said: option COMMENT", "loss     table room.wide: column a: DEFAULT 'x'"):
        assert words in r.out, (words, r)
    ferry.load(target, out).must(6, ["room.apart", "20 columns are more than the 16 of TiDB's indexes", "total"])
    assert compare.table_names(target, "room") == ["many", "parts", "said", "wide"]
    assert target.value("SELECT COUNT(*) FROM room.parts") == target.value("SELECT COUNT(*) FROM room.said") == 1
    assert target.value("SELECT CHAR_LENGTH(a) FROM room.wide") == 60000
    t.database(source, "long", "CREATE TABLE a (a varchar(2000) CHARACTER SET latin1, UNIQUE KEY a (a)) ROW_FORMAT=DYNAMIC", "INSERT INTO a VALUES ('x')",
               options=UTF8)
    out = dumped(t, source, "long")
    t.gone_after(target, "long")
    ferry.load(target, out).must(1, "6000 bytes in the new character set are above TiDB's limit of 3072")
    ferry.load(t.own_server("tidb", "", "max-index-length=6144"), out).must()


def test_views_over_functions(t):
    """A view that calls a function, and one over that view, are made after the function; a cut in between is no matter."""
    source = t.server("mariadb")
    t.database(source, "vf", "CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)",
               "CREATE FUNCTION twice(n int) RETURNS int DETERMINISTIC RETURN n * 2", "CREATE VIEW b AS SELECT twice(id) AS x FROM t",
               "CREATE VIEW a AS SELECT x + 1 AS y FROM b", "CREATE VIEW plain AS SELECT id FROM t", options=UTF8)
    out = dumped(t, source, "vf")
    load = ("load", "--input", out, "--definer", "strip", "--target")
    for kind in ("mysql", "mariadb"):
        target = t.own_server("mariadb") if kind == "mariadb" else t.server(kind)
        for fault in (None, "load.after-rows", "load.before-done"):
            t.gone_after(target, "vf")
            if fault:
                ferry.run_fault(fault, *load, target.url)
            r = ferry.run(*load, target.url).must()
            assert "left out" not in r.out + r.err, r
            assert target.run("SELECT x, y FROM vf.a, vf.b, vf.plain") == ((2, 3),)
            ferry.run(*load, target.url).must(0, "nothing to do")
    t.gone_after(target, "vf")
    ferry.run(*load, target.url, "--programs", "file", cwd=t.folder).must(6, ["vf.b", "vf.a", "left out"])
    ferry.run(*load, target.url).must()
    assert target.run("SELECT x, y FROM vf.a, vf.b") == ((2, 3),)
    target = t.server("tidb")
    t.gone_after(target, "vf")
    ferry.run(*load, target.url, cwd=t.folder).must(6, ["vf.b", "vf.a", "left out"])
    assert target.run("SELECT id FROM vf.plain") == ((1,),)


@quick
def test_session(t):
    source, target = t.server("mariadb"), t.server("tidb")
    t.database(source, "sess", "CREATE TABLE a (id int PRIMARY KEY)", "INSERT INTO a VALUES (1)", options=UTF8)
    out = dumped(t, source, "sess")
    t.gone_after(target, "sess")
    for sql, words in (("SET sql_mode=''", "sql_mode"), ("SET time_zone='SYSTEM'", "time_zone"), ("DROP DATABASE x", "only SET"),
                       ("SET GLOBAL x=1", "GLOBAL"), ("SET autocommit=0", "autocommit"), ("SET NAMES latin1", "character_set"),
                       ("SET tidb_dml_type='bulk'", "tidb_dml_type"), ("SET a=1; DROP TABLE b", "';'")):
        ferry.load(target, out, "--session", sql).must(2, ["FERRY-USAGE", words])
    ferry.load(target, out, "--session", "SET no_such_variable=1").must(1, "no_such_variable")
    r = ferry.load(target, out, "--session", "SET tidb_mem_quota_query=2<<30", "--skip-binlog").must()
    assert "batches by INSERT: 0" in r.out, r
    server = t.own_server("mariadb")
    before = server.run("SHOW MASTER STATUS")[0][1]
    ferry.load(server, out, "--skip-binlog").must()
    assert server.run("SHOW MASTER STATUS")[0][1] == before
    server.run("CREATE USER u1@'127.0.0.1'", "GRANT ALL ON sess.* TO u1@'127.0.0.1'", "GRANT ALL ON ferry_meta.* TO u1@'127.0.0.1'")
    ferry.run("load", "--target", server.url.replace("root@", "u1@"), "--input", out, "--skip-binlog").must(1, ["FERRY-PRIVILEGE", "sql_log_bin"])


@quick
def test_names_fold_beyond_ascii(t):
    """TiDB folds Ä and ä: two tables of such names would be one."""
    source, target = t.server("mysql"), t.server("tidb")
    t.database(source, "fold", "CREATE TABLE `Ärger` (id int PRIMARY KEY)", "CREATE TABLE `ärger` (id int PRIMARY KEY)", options=UTF8)
    out = dumped(t, source, "fold")
    t.gone_after(target, "fold")
    ferry.load(target, out).must(1, ["FERRY-LOAD-SCHEMA", "fold.Ärger", "fold.ärger"])
    assert "fold" not in [r[0] for r in target.run("SHOW DATABASES")]
    ferry.load(target, out, "--rename", "fold.ärger=fold.anders").must()


@quick
def test_no_schemas_and_no_table(t):
    source, target = t.server("mariadb"), t.server("tidb")
    t.database(source, "bare", "CREATE TABLE a (id int PRIMARY KEY)", "INSERT INTO a VALUES (1)", options=UTF8)
    out = dumped(t, source, "bare")
    t.gone_after(target, "bare")
    ferry.load(target, out, "--no-schemas").must(1, ["FERRY-LOAD-SCHEMA", "bare.a is not on the target, and nothing is to be created"])
