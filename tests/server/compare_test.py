"""ferry verify --source --target: equal where servers print the same values differently, and each difference by name."""

import json
import os
import re
import signal
import time

import compare
import data
import ferry
from case import quick


def verify(source, target, *more, **options):
    return ferry.run("verify", "--source", source.url, "--target", target.url, "-t", "2", *more, **dict({"timeout": 60}, **options))


def records(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def fix(server, path):
    """Runs the statements of --fix-sql, as the mysql client would."""
    with open(path, encoding="utf-8", newline="") as f:
        text = f.read()
    connection = server.connect(charset="utf8mb4")
    with connection.cursor() as cursor:
        for statement in text.split(";\n"):
            if statement.strip():
                cursor.execute(statement)
    connection.commit()
    connection.close()


def read_count(run):
    return int(re.search(r"(\d+) rows read", run.out).group(1))


def moved(t, source_kind, target_kind, own=False):
    source = t.server(source_kind)
    target = t.own_server(target_kind) if own else t.server(target_kind)
    db = t.database(source, "every_type", options="CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
    data.make_every_type(source, db, target_kind != source_kind)
    data.fill_random(source, db, "keyed", 300, 1)
    data.fill_random(source, db, "bag", 300, 2, keyed=False)
    out = t.path("dump-%s-%s" % (source_kind, target_kind))
    ferry.dump(source, out, "-f", db + ".*").must()
    t.gone_after(target, db)
    ferry.load(target, out).must()
    return source, target, db


def equal_both_ways(t, source_kind, target_kind, own=False):
    source, target, db = moved(t, source_kind, target_kind, own)
    for checksum in ("crc32", "sha256"):
        verify(source, target, "-f", db + ".*", "--chunk-rows", "100", "--checksum", checksum).must(0, "changed: 0")
    return source, target, db


@quick
def test_every_type_mysql_tidb(t):
    source, target, db = equal_both_ways(t, "mysql", "tidb")
    run = verify(target, source, "-f", db + ".*")
    # rows are equal the other way, too; the definitions of the source may hold less than TiDB's
    assert "changed: 0, missing on the target: 0, extra there: 0" in run.out, run


@quick
def test_every_type_mariadb_tidb(t):
    source, target, db = equal_both_ways(t, "mariadb", "tidb")
    run = verify(target, source, "-f", db + ".*")
    assert "changed: 0, missing on the target: 0, extra there: 0" in run.out, run


def test_every_type_mariadb_mysql(t):
    equal_both_ways(t, "mariadb", "mysql")


def test_every_type_mysql_mariadb(t):
    equal_both_ways(t, "mysql", "mariadb")


def test_every_type_same_kind(t):
    equal_both_ways(t, "mariadb", "mariadb", own=True)
    equal_both_ways(t, "mysql", "mysql", own=True)


# id: (statement on the target, columns that differ; None: missing or extra)
CHANGES = {
    1: ("UPDATE t SET s='' WHERE id=1", ["s"]),                                   # NULL and ''
    2: ("UPDATE t SET s='two ' WHERE id=2", ["s"]),                               # a trailing space
    3: ("UPDATE t SET s='THREE' WHERE id=3", ["s"]),                              # case
    4: ("UPDATE t SET s='fòur' WHERE id=4", ["s"]),                               # accent
    # the sign of zero; not by UPDATE, which takes both for the same
    5: ("REPLACE INTO t SELECT id+1000,s,'-0',NULL,at,j FROM t WHERE id=5; DELETE FROM t WHERE id=5; "
        "INSERT INTO t SELECT 5,s,d,105,at,j FROM t WHERE id=1005; DELETE FROM t WHERE id=1005", ["d"]),
    6: ("UPDATE t SET d=0.30000000000000004 WHERE id=6", ["d"]),                  # one unit in the last place
    7: ("UPDATE t SET at='2024-01-02 03:04:05.000008' WHERE id=7", ["at"]),       # a microsecond
    8: ("UPDATE t SET n=109 WHERE id=8", ["n"]),                                  # two values swapped
    9: ("UPDATE t SET n=108 WHERE id=9", ["n"]),
    10: ("DELETE FROM t WHERE id=10", None),
    1000: ("INSERT INTO t VALUES (1000,'x',1,1,'2024-01-01',NULL)", None),
    11: ("UPDATE t SET j='{\"a\": [1, 2.5]}' WHERE id=11", ["j"]),
}


def ten_rows(t, source_kind, target_kind):
    source, target = t.server(source_kind), t.server(target_kind)
    table = ("CREATE TABLE t (id int PRIMARY KEY, s varchar(50) COLLATE utf8mb4_general_ci, d double, n int, at datetime(6), j %s, "
             "UNIQUE KEY (n)) CHARACTER SET utf8mb4") % ("longtext" if source_kind == "mariadb" else "json")  # which is its JSON
    rows = ["(%d,%s,%s,%d,'2024-01-02 03:04:05.%06d','{\"bb\": 1.0, \"a\": [1, 2]}')" % (
        i, {1: "NULL", 2: "'two'", 3: "'three'", 4: "'four'"}.get(i, "'row %d'" % i), {5: "0", 6: "0.3"}.get(i, "%d.1" % i), 100 + i, i)
        for i in range(1, 600)]
    db = t.database(source, "ten", table, "INSERT INTO t VALUES " + ",".join(rows))
    t.gone_after(target, "ten2")
    target.run("CREATE DATABASE ten2", "USE ten2", table, "INSERT INTO t VALUES " + ",".join(rows))
    where = ("-f", db + ".*", "--rename", "ten.*=ten2.*")
    verify(source, target, *where).must(0)
    changes = dict(CHANGES)
    if target_kind != "mysql":
        del changes[5]  # MariaDB and TiDB have no -0
    target.run("USE ten2", "UPDATE t SET n=NULL WHERE id=8", changes[9][0],
               *[part for id_ in changes if id_ != 9 for part in changes[id_][0].split("; ")])
    for checksum in ("crc32", "sha256"):
        run = verify(source, target, *where, "--chunk-rows", "100", "--report", t.path("report"), "--fix-sql", t.path("fix.sql"),
                     "--checksum", checksum)
        run.must(3, "changed: %d, missing on the target: 1, extra there: 1" % (len(changes) - 2))
        found = {r["key"]["id"]: r for r in records(t.path("report"))}
        assert sorted(found) == sorted(changes), sorted(found)
        for id_, (_, columns) in changes.items():
            assert found[id_]["columns"] == (columns or []), found[id_]
        assert found[10]["kind"] == "missing" and found[10]["target"] is None and found[10]["source"]["n"] == 110, found[10]
        assert found[1000]["kind"] == "extra" and found[1000]["source"] is None, found[1000]
        assert found[1]["source"]["s"] is None and found[1]["target"]["s"] == "", found[1]
    fix(target, t.path("fix.sql"))
    verify(source, target, *where, "--report", t.path("report")).must(0)
    assert records(t.path("report")) == []


@quick
def test_ten_rows_mariadb_tidb(t):
    ten_rows(t, "mariadb", "tidb")


def test_ten_rows_mysql_mariadb(t):
    ten_rows(t, "mysql", "mariadb")


@quick
def test_ten_rows_tidb_mysql(t):
    ten_rows(t, "tidb", "mysql")


@quick
def test_rows_without_a_key(t):
    """As multisets: copies count, and DOUBLE and JSON are compared by us."""
    source, target = t.server("mariadb"), t.server("tidb")
    plain = "CREATE TABLE plain (a int, s varchar(20)) CHARACTER SET utf8mb4"
    mixed = "CREATE TABLE mixed (a int, d double, b varbinary(10)) CHARACTER SET utf8mb4"
    fill = ["INSERT INTO plain VALUES " + ",".join("(%d,'s%d')" % (i % 50, i % 50) for i in range(5000)),
            "INSERT INTO mixed VALUES " + ",".join("(%d,%d.1,'b')" % (i % 50, i % 50) for i in range(5000)),
            "INSERT INTO mixed VALUES (NULL,NULL,NULL),(NULL,NULL,''),(1,-0.5,NULL)"]
    db = t.database(source, "bags", plain, mixed, *fill)
    t.gone_after(target, db)
    target.run("CREATE DATABASE bags", "USE bags", plain, mixed, *fill)
    verify(source, target, "-f", "bags.*").must(0)
    target.run("USE bags", "DELETE FROM plain WHERE a=7 LIMIT 2", "INSERT INTO plain VALUES (8,'S8'),(9,'s9'),(9,'s9')",
               "DELETE FROM mixed WHERE a=7 LIMIT 1", "INSERT INTO mixed VALUES (7,7.1000000000000005,'b')",
               "UPDATE mixed SET b='' WHERE b IS NULL AND a IS NULL")
    run = verify(source, target, "-f", "bags.*", "--report", t.path("report"), "--fix-sql", t.path("fix.sql"))
    run.must(3)
    found = sorted(str((r["table"], r["kind"], r["copies"], (r["source"] or r["target"])["a"])) for r in records(t.path("report")))
    assert found == sorted(map(str, [("mixed", "extra", 1, None), ("mixed", "extra", 1, 7), ("mixed", "missing", 1, None),
                                     ("mixed", "missing", 1, 7), ("plain", "extra", 1, 8), ("plain", "extra", 2, 9),
                                     ("plain", "missing", 2, 7)])), found
    fix(target, t.path("fix.sql"))
    verify(source, target, "-f", "bags.*").must(0)


@quick
def test_one_row_in_the_middle(t):
    """Of 100,000 rows few are read."""
    source, target = t.server("mariadb"), t.server("mysql")
    table = "CREATE TABLE t (id int PRIMARY KEY, s varchar(40)) CHARACTER SET utf8mb4"
    digits = "(SELECT 0 n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 " \
             "UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)"
    fill = "INSERT INTO t SELECT a.n+10*b.n+100*c.n+1000*d.n+10000*e.n, CONCAT('row ', a.n, b.n, c.n, d.n, e.n) FROM " + \
        ", ".join("%s %s" % (digits, x) for x in "abcde")
    db = t.database(source, "large", table, fill)
    t.gone_after(target, db)
    target.run("CREATE DATABASE large", "USE large", table, fill, "UPDATE t SET s=CONCAT(s, ' ') WHERE id=50001")
    run = verify(source, target, "-f", db + ".*").must(3, "DIFFERENT large.t id=50001: changed s")
    assert read_count(run) < 1000, run
    target.run("USE large", "DELETE FROM t WHERE id > 60000")
    run = verify(source, target, "-f", db + ".*", "--max-differences", "5")
    run.must(3)
    assert "not all was compared" in run.err and run.out.count("DIFFERENT") < 10, run


def test_chunks_of_uneven_numbers(t):
    """Keys of one whole number: gaps of any width, and rows that stand closely behind ones that stand apart, make no chunk of them all."""
    source, target = t.server("mariadb"), t.server("tidb")
    some = range(1, 1501)
    ids = [i - 2**63 - 1 for i in some] + [i * 10**12 for i in some] + [2 * 10**15 + i for i in some] + [
        2 * 10**15 + 10000 + i * i for i in some] + [2**63 - i for i in some]
    rows = {"t": ids, "u": [i + 2**63 for i in ids]}
    fill = ["INSERT INTO %s VALUES %s" % (table, ",".join("(%d,1)" % i for i in values)) for table, values in rows.items()]
    make = ["CREATE TABLE t (id bigint PRIMARY KEY, v int)", "CREATE TABLE u (id bigint unsigned PRIMARY KEY, v int)"]
    db = t.database(source, "uneven", *make, *fill)
    t.gone_after(target, db)
    target.run("CREATE DATABASE uneven", "USE uneven", *make, *fill)
    words = ["-f", db + ".*", "--chunk-rows", "500", "-vv", "--log-format", "json", "--report", t.path("report")]
    equal = verify(source, target, *words)
    equal.must(0, "changed: 0")
    chunks = [json.loads(line) for line in equal.err.splitlines() if "verify.chunk" in line]
    assert sum(c["rows"] for c in chunks) == 15000 and max(c["rows"] for c in chunks) <= 1500, chunks
    changed = {table: [values[0], values[-1500], values[3700], values[5000]] for table, values in rows.items()}
    target.run("USE uneven", *("UPDATE %s SET v=2 WHERE id IN (%s)" % (table, ",".join(map(str, values))) for table, values in changed.items()))
    verify(source, target, *words).must(3)
    assert sorted(int(r["key"]["id"]) for r in records(t.path("report"))) == sorted(changed["t"] + changed["u"])


@quick
def test_orders_that_differ(t):
    """A key that the two sides order and compare differently: no false difference, and none is hidden."""
    source, target = t.server("mariadb"), t.server("tidb")
    names = ["a", "B", "c", "D", "é", "f", "Z", "z9", "_x", "ß1", "aa", "Ab"] + ["%s%d" % (c, i) for c in "bCdH" for i in range(200)]
    fill = "INSERT INTO t VALUES " + ",".join("('%s',1)" % n for n in names)
    db = t.database(source, "orders", "CREATE TABLE t (k varchar(20) COLLATE utf8mb4_general_ci PRIMARY KEY, v int) CHARACTER SET utf8mb4", fill)
    t.gone_after(target, db)
    target.run("CREATE DATABASE orders", "USE orders", "CREATE TABLE t (k varchar(20) COLLATE utf8mb4_bin PRIMARY KEY, v int)", fill)
    verify(source, target, "-f", "orders.*", "--chunk-rows", "100").must(0, "changed: 0, missing on the target: 0, extra there: 0")
    target.run("USE orders", "UPDATE t SET v=2 WHERE k='C17'", "UPDATE t SET k='b' WHERE k='B'", "DELETE FROM t WHERE k='_x'",
               "INSERT INTO t VALUES ('AA',1)")
    run = verify(source, target, "-f", "orders.*", "--chunk-rows", "100", "--report", t.path("report"), "--fix-sql", t.path("fix.sql"))
    run.must(3)
    found = sorted({(r["kind"], r["key"]["k"]) for r in records(t.path("report"))})
    assert found == [("changed", "C17"), ("extra", "AA"), ("extra", "b"), ("missing", "B"), ("missing", "_x")], found
    fix(target, t.path("fix.sql"))
    verify(source, target, "-f", "orders.*", "--chunk-rows", "100").must(0)


@quick
def test_objects(t):
    """Tables, views, columns and keys that one side lacks."""
    source, target = t.server("mysql"), t.server("mariadb")
    db = t.database(source, "things", "CREATE TABLE both_ (id int PRIMARY KEY, a bigint, b int, UNIQUE KEY ub (b))", "INSERT INTO both_ VALUES (1,2,3)",
                    "CREATE TABLE mine (id int PRIMARY KEY)", "INSERT INTO mine VALUES (1),(2)", "CREATE VIEW v AS SELECT 1 one",
                    "CREATE TABLE gone (id int PRIMARY KEY, x int)")
    t.gone_after(target, db)
    target.run("CREATE DATABASE things", "USE things", "CREATE TABLE both_ (id int PRIMARY KEY, a bigint, b int)", "INSERT INTO both_ VALUES (1,2,3)",
               "CREATE TABLE gone (id int PRIMARY KEY)", "CREATE TABLE theirs (id int)", "INSERT INTO theirs VALUES (1)")
    run = verify(source, target, "-f", "things.*", "--report", t.path("report"))
    run.must(3)
    for line in ("things.mine: the table is not on the target (2 rows)", "things.v: the view is not on the target",
                 "things.theirs: the table is on the target alone (1 rows)", "things.gone: column 'x' is not on the target",
                 "things.both_: the target lacks the unique key 'ub'"):
        assert "DIFFERENT " + line in run.out, (line, run.out)
    assert len(records(t.path("report"))) == 5
    verify(source, target).must(3)
    ferry.run("verify", "--source", source.url).must(2, "both --source URL and --target URL")
    verify(source, target, "-f", "nothing.*").must(1, "no table or view")


@quick
def test_programs(t):
    """Views, triggers, routines and events whose texts differ, or that one side lacks."""
    source, target = t.server("mysql"), t.server("mariadb")
    things = ("CREATE TABLE a (id int PRIMARY KEY, x int)", "CREATE VIEW v AS SELECT id, x FROM a", "CREATE VIEW w AS SELECT id FROM a",
              "CREATE TRIGGER same BEFORE INSERT ON a FOR EACH ROW SET NEW.x = 1",
              "CREATE FUNCTION f(a int) RETURNS int DETERMINISTIC NO SQL RETURN a + 1", "CREATE PROCEDURE p() SELECT 'é'",
              "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DISABLE DO DELETE FROM a")
    db = t.database(source, "programs", *things, options="CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
    t.gone_after(target, db, "programs2")
    for name in (db, "programs2"):
        target.run("CREATE DATABASE %s CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci" % name, "USE " + name, *things)
    verify(source, target, "-f", db + ".*").must(0)
    verify(source, target, "-f", db + ".*", "--rename", db + ".*=programs2.*").must(0)
    target.run("USE " + db, "DROP TRIGGER same", "CREATE TRIGGER same BEFORE INSERT ON a FOR EACH ROW SET NEW.x = 2", "DROP PROCEDURE p",
               "DROP VIEW v", "CREATE VIEW v AS SELECT id, x AS y FROM a", "CREATE PROCEDURE q() SELECT 2",
               "ALTER EVENT e ON SCHEDULE EVERY 2 DAY")
    run = verify(source, target, "-f", db + ".*").must(3)
    found = sorted(re.findall(r"^DIFFERENT programs\.(.*)$", run.out, re.M))
    assert found == ["e: the event is another one on the target", "p: the routine is not on the target", "q: the routine is on the target alone",
                     "same: the trigger is another one on the target", "v: the view has other columns on the target"], found
    assert verify(source, target, "-f", db + ".*", "--no-programs").must(3).out.count("DIFFERENT") == 1
    # between servers of one series a view's text tells, too
    target.run("USE " + db, "CREATE OR REPLACE VIEW w AS SELECT id FROM a WHERE id > 5")
    other = t.own_server("mariadb")
    other.run("CREATE DATABASE programs CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci", "USE programs", *things)
    assert "DIFFERENT programs.w: the view is another one on the target" in verify(other, target, "-f", db + ".*").must(3).out


@quick
def test_rechecks(t):
    """Rows that come to be equal while they are looked at again are not called different."""
    source, target = t.server("mariadb"), t.server("mysql")
    table = "CREATE TABLE t (id int PRIMARY KEY, a int)"
    fill = "INSERT INTO t VALUES " + ",".join("(%d,%d)" % (i, i) for i in range(100))
    db = t.database(source, "settles", table, fill)
    t.gone_after(target, db)
    target.run("CREATE DATABASE settles", "USE settles", table, fill, "UPDATE t SET a=0 WHERE id IN (5,6)", "DELETE FROM t WHERE id=7")
    process = ferry.start(["verify", "--source", source.url, "--target", target.url, "-f", "settles.*", "--recheck", "1", "--settle", "8s", "-vv"])
    said = ""
    while "verify.chunk" not in said:  # it has looked once, and waits
        line = process.stderr.readline().decode()
        assert line, said
        said += line
    target.run("USE settles", "UPDATE t SET a=5 WHERE id=5", "INSERT INTO t VALUES (7,7)")
    out, err = (x.decode() for x in process.communicate(timeout=60))
    assert process.returncode == 3, out + err
    assert "looked at again: 2" in out and out.count("DIFFERENT") == 1 and "id=6" in out, out


@quick
def test_a_swapped_pair_alone(t):
    """Two values of equal length in each other's place: sums of CRC32 would cancel out."""
    source, target = t.server("mariadb"), t.server("mysql")
    table = "CREATE TABLE t (id int PRIMARY KEY, s char(4))"
    db = t.database(source, "swapped", table, "INSERT INTO t VALUES (1,'aaaa'),(2,'bbbb'),(3,'cccc')")
    t.gone_after(target, db)
    target.run("CREATE DATABASE swapped", "USE swapped", table, "INSERT INTO t VALUES (1,'bbbb'),(2,'aaaa'),(3,'cccc')")
    verify(source, target, "-f", "swapped.*").must(3, "changed: 2, missing on the target: 0, extra there: 0")
    # one change made in two rows: the same bits of either
    target.run("UPDATE swapped.t SET s = CASE id WHEN 1 THEN 'aaab' WHEN 2 THEN 'bbba' ELSE s END")
    verify(source, target, "-f", "swapped.*").must(3, "changed: 2, missing on the target: 0, extra there: 0")
    # texts of several columns that are one text when they are put together, with commas or without
    table = "CREATE TABLE swapped.u (id int PRIMARY KEY, a varchar(20) NOT NULL, b varchar(20) NOT NULL, c varbinary(20) NOT NULL, d char(9))"
    source.run(table, "INSERT INTO swapped.u VALUES (1,'a','b,c','d','e'),(2,'ab','c','d',NULL),(3,'','x','x,3','N'),(4,'1,1','','1','')")
    target.run(table, "INSERT INTO swapped.u VALUES (1,'a,b','c','d','e'),(2,'a','bc','d',NULL),(3,'x','','x,3','N'),(4,'1','1,1','','')")
    verify(source, target, "-f", "swapped.u").must(3, "changed: 4, missing on the target: 0, extra there: 0")


def state_lines(path):
    try:
        with open(path) as file:
            return [json.loads(line) for line in file if line.endswith("\n")]
    except FileNotFoundError:
        return []


def test_killed_and_gone_on_with(t):
    """What was equal is not looked at again; what was different is, so that the reports of the last run hold it all."""
    source, target = t.server("mariadb"), t.server("mysql")
    table = "CREATE TABLE t (a varbinary(20), b int, v int, PRIMARY KEY (a, b))"
    db = t.database(source, "gone_on", table, "INSERT INTO t SELECT CONCAT(CHAR(seq % 3), 'x'), seq, seq FROM seq_1_to_6000",
                    "CREATE TABLE bag (v int)", "INSERT INTO bag VALUES (1),(1),(2)", "CREATE TABLE empty (id int PRIMARY KEY)")
    out = t.path("dump")
    ferry.run("dump", "--source", source.url, "--output", out, "-f", db + ".*").must()
    t.gone_after(target, db)
    ferry.run("load", "--target", target.url, "--input", out).must()
    first, last = [r[0] for r in source.run("(SELECT b FROM gone_on.t ORDER BY a, b LIMIT 1) UNION ALL (SELECT MAX(b) FROM gone_on.t WHERE a = "
                                            "(SELECT MAX(a) FROM gone_on.t))")]
    target.run("UPDATE gone_on.t SET v = -1 WHERE b IN (%d, %d)" % (first, last))
    state, report, fix = t.path("state"), t.path("report"), t.path("fix")
    words = ["-f", db + ".*", "--chunk-rows", "100", "--state", state, "--report", report, "--fix-sql", fix]
    args = ["verify", "--source", source.url, "--target", target.url, "-t", "2"] + words
    for killed in (10, 25, 40):
        process = ferry.start(args + ["--rate", "2000"])
        t.on_close(process.kill)
        ferry.wait_until(lambda: len(state_lines(state)) > killed, 60, "chunks")  # the file is synced once a second
        process.kill()
        process.communicate()
    assert sum(not line.get("equal", True) for line in state_lines(state)) >= 1, "the first chunk is different"
    with open(state, "a") as file:
        file.write('{"schema":"gone_on","table":"t","sha')  # cut off by a crash
    verify(source, target, "-f", db + ".*", "--chunk-rows", "100", "--state", state, "--checksum", "sha256").must(2, "not the state of this comparison")
    r = ferry.run(*args).must(3, "changed: 2, missing on the target: 0, extra there: 0")
    resumed = int(r.out.split("an earlier run had found equal: ")[1].split()[0])
    assert 1500 <= resumed <= 5900, r
    assert "6003 rows of the source with 6003 of the target" in r.out, r
    with open(report) as file:
        assert sorted(json.loads(line)["source"]["b"] for line in file) == sorted([first, last])
    assert not os.path.exists(state)
    with open(fix) as file:
        target.run("USE gone_on", *[s for s in file.read().split(";\n") if s.strip()])
    r = ferry.run(*args).must(0)
    assert "earlier run" not in r.out and not os.path.exists(state), r


def test_state_of_something_else(t):
    source, target = t.server("mariadb"), t.server("mysql")
    table = "CREATE TABLE t (id int PRIMARY KEY, v int)"
    db = t.database(source, "state_of", table, "INSERT INTO t VALUES (1,1),(2,2)")
    t.gone_after(target, db)
    target.run("CREATE DATABASE state_of", "USE state_of", table, "INSERT INTO t VALUES (1,1),(2,2)")
    for name, text in (("words", "no state\n"), ("torn", "no newline"), ("json", '{"ferry":"verify","version":9}\n')):
        path = t.path(name)
        with open(path, "w") as file:
            file.write(text)
        verify(source, target, "-f", db + ".*", "--state", path).must(2, "FERRY-USAGE")
        with open(path) as file:
            assert file.read() == text
    verify(source, target, "-f", db + ".*", "--state", t.path("no/such/folder")).must(75, "no/such/folder")


def test_same_server(t):
    for kind in ("mariadb", "mysql", "tidb"):
        server = t.server(kind)
        db = t.database(server, "same_one", "CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)")
        t.gone_after(server, "same_two")
        server.run("CREATE DATABASE same_two", "CREATE TABLE same_two.t (id int PRIMARY KEY)", "INSERT INTO same_two.t VALUES (1)")
        verify(server, server, "-f", db + ".*").must(2, ["FERRY-USAGE", "are the same server", "same_one.t"])
        verify(server, server, "-f", db + ".*", "--rename", "same_one.*=same_two.*").must(0)


def test_rate_and_throttle(t):
    source, target = t.server("mariadb"), t.server("mysql")
    table = "CREATE TABLE t (id int PRIMARY KEY)"
    db = t.database(source, "gently", table, "INSERT INTO t SELECT seq FROM seq_1_to_1000")
    t.gone_after(target, db)
    target.run("CREATE DATABASE gently", "USE gently", table, "INSERT INTO t SELECT * FROM JSON_TABLE(CONCAT('[', REPEAT('1,', 999), '1]'), '$[*]' COLUMNS (id FOR ORDINALITY)) j")
    began = time.monotonic()
    verify(source, target, "-f", db + ".*", "--rate", "500").must(0, "1000 rows of the source")
    assert time.monotonic() - began > 1
    verify(source, target, "-f", db + ".*", "--source-throttle", "Threads_connected<100000", "--target-throttle", "Threads_connected<100000").must(0)
    verify(source, target, "-f", db + ".*", "--target-throttle", "Nothing_like_it<4").must(2, "Nothing_like_it")
    process = ferry.start(["verify", "--source", source.url, "--target", target.url, "-f", db + ".*", "--source-throttle", "Threads_connected<0"])
    t.on_close(process.kill)
    time.sleep(1.5)
    assert process.poll() is None, "it was to pause"
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130
