"""Rows that are in the way: what is written under each strategy, what is on record, and how to undo it."""

import csv
import json
import subprocess

import compare
import data
import ferry
import pymysql
from case import quick, soak

UTF8 = "CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"
TARGETS = ("tidb", "mariadb", "mysql")
KEYS = {"schema", "table", "key", "key_values", "incoming", "existing", "identical", "differs", "file", "row", "time"}
CREATE = "CREATE TABLE c.t (id int PRIMARY KEY, u varchar(20), v varchar(20), UNIQUE KEY `u k`(u)) " + UTF8


def dumped(t, *statements, db="c"):
    source = t.server("mariadb")
    t.database(source, db, *statements, options=UTF8)
    out = t.path("dump")
    ferry.dump(source, out, "-f", db + ".*").must()
    return source, out


def report(t, name="report.jsonl"):
    with open(t.path(name), encoding="utf-8") as f:
        lines = [json.loads(line) for line in f]
    for r in lines:
        assert set(r) == KEYS, r
    return lines


def apply_sql(target, path, *options):
    """As a user would: the mysql client, which stops at the first error."""
    client = ["mariadb", "-h127.0.0.1", "-P%d" % target.port, "-uroot"] + list(options)
    with open(path, "rb") as f:
        done = subprocess.run(client, stdin=f, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout.decode()


def rows(target, table="c.t"):
    return sorted(target.run("SELECT * FROM " + table))


def fresh(t, target, *statements, db="c"):
    t.gone_after(target, db)
    target.run("CREATE DATABASE `%s` %s" % (db, UTF8), *statements)


def small(t):
    """10 rows; in the target one is the same, one differs, one is in the way by its second key, one by both."""
    _, out = dumped(t, CREATE, "INSERT INTO c.t SELECT seq, CONCAT('u', seq), CONCAT('v', seq) FROM seq_1_to_10")
    return out, [CREATE, "INSERT INTO c.t VALUES (1,'u1','v1'),(2,'u2','old'),(100,'U3','x'),(4,'U5','both')"]


@quick
def test_error(t):
    out, there = small(t)
    for kind in TARGETS:
        target = t.server(kind)
        fresh(t, target, *there)
        before = rows(target)
        for _ in range(2):  # said again: nothing is doubled
            ferry.load(target, out, "--conflict-report", t.path("report.jsonl")).must(3, ["FERRY-LOAD-CONFLICT", "7 stopped, 2 identical"])
            assert rows(target) == before
            assert target.value("SELECT COUNT(*) FROM ferry_meta.conflict") == 7
            assert len(report(t)) == 7
        target.run("DELETE FROM c.t")
        ferry.load(target, out, "--conflict-report", t.path("report.jsonl")).must()
        assert len(rows(target)) == 10 and report(t) == []


@quick
def test_ignore(t):
    out, there = small(t)
    for kind in TARGETS:
        target = t.server(kind)
        fresh(t, target, *there)
        ferry.load(target, out).must(3)
        ferry.load(target, out, "--on-conflict", "ignore", "--conflict-report", t.path("report.jsonl")).must(0, "7 ignored, 2 identical")
        assert rows(target) == [(1, "u1", "v1"), (2, "u2", "old"), (4, "U5", "both"), (6, "u6", "v6"), (7, "u7", "v7"), (8, "u8", "v8"),
                                (9, "u9", "v9"), (10, "u10", "v10"), (100, "U3", "x")]
        found = {(r["row"], r["key"]): r for r in report(t)}
        assert set(found) == {(1, "PRIMARY"), (1, "u k"), (2, "PRIMARY"), (2, "u k"), (3, "u k"), (4, "PRIMARY"), (5, "u k")}, sorted(found)
        same, other = found[1, "PRIMARY"], found[3, "u k"]
        assert same["identical"] is True and same["differs"] == [] and same["key_values"] == {"id": 1}
        assert same["existing"] == same["incoming"] == {"id": 1, "u": "u1", "v": "v1"}
        assert other["existing"] == {"id": 100, "u": "U3", "v": "x"} and other["incoming"] == {"id": 3, "u": "u3", "v": "v3"}
        assert other["differs"] == ["id", "u", "v"] and not other["identical"] and other["key_values"] == {"u": "u3"}
        assert found[2, "PRIMARY"]["differs"] == ["v"]
        for row, key, existing in ((2, "u k", {"id": 2, "u": "u2", "v": "old"}), (4, "PRIMARY", {"id": 4, "u": "U5", "v": "both"}),
                                   (5, "u k", {"id": 4, "u": "U5", "v": "both"})):
            assert found[row, key]["existing"] == existing, (row, key, found[row, key])
        assert other["schema"] == "c" and other["table"] == "t" and other["file"].startswith("c.t.") and other["time"].endswith("Z")
        ferry.load(target, out, "--on-conflict", "ignore", "--conflict-report", t.path("report.csv")).must(0, "nothing to do")
        with open(t.path("report.csv"), encoding="utf-8", newline="") as f:
            lines = list(csv.DictReader(f))
        assert len(lines) == 7 and set(lines[0]) == KEYS and json.loads(lines[4]["existing"])["id"] == 100


@quick
def test_replace_and_undo(t):
    out, there = small(t)
    for kind in TARGETS:
        target = t.server(kind)
        fresh(t, target, *there)
        before = rows(target)
        ferry.load(target, out, "--on-conflict", "replace").must(0, "6 replaced, 2 identical")
        assert rows(target) == [(i, "u%d" % i, "v%d" % i) for i in range(1, 11)]
        undo = t.path("undo.sql")
        r = ferry.run("conflicts", "--target", target.url, "--input", out, "--undo-sql", undo).must()
        assert r.out.count("(replaced)") == 6, r
        apply_sql(target, undo)
        # row 5 took the value that (4,'U5') had lost to row 4
        assert rows(target) == sorted(before + [(i, "u%d" % i, "v%d" % i) for i in range(6, 11)])


@quick
def test_identical_ok(t):
    out, there = small(t)
    for kind in TARGETS:
        target = t.server(kind)
        fresh(t, target, CREATE, "INSERT INTO c.t VALUES (1,'u1','v1'),(7,'u7','v7')")
        ferry.load(target, out, "--identical", "ok").must(0, "identical rows that were there already: 2")
        assert len(rows(target)) == 10
        assert target.value("SELECT COUNT(*) FROM ferry_meta.conflict") == 0
        fresh(t, target, CREATE, "INSERT INTO c.t VALUES (1,'u1','v1'),(7,'u7','V7')")
        ferry.load(target, out, "--identical", "ok", "--on-conflict", "replace").must(0, "2 replaced")
        assert [r for r in rows(target) if r[0] == 7] == [(7, "u7", "v7")]


@quick
def test_check(t):
    out, there = small(t)
    for kind in TARGETS:
        target = t.server(kind)
        fresh(t, target, *there)
        before = rows(target)
        for _ in range(2):
            ferry.load(target, out, "--check-conflicts", "--conflict-report", t.path("report.jsonl")).must(3, "7 found")
            assert rows(target) == before and len(report(t)) == 7
        target.run("DELETE FROM c.t")
        ferry.load(target, out, "--check-conflicts").must(0)
        target.run("DROP TABLE c.t")
        ferry.load(target, out, "--check-conflicts").must(0)
        assert compare.table_names(target, "c") == []
        ferry.load(target, out).must()


@quick
def test_says_what_it_appends(t):
    """Rows without a key are added to those that are there, which is said before; never of a table that is new, or emptied."""
    source, target = t.server("mariadb"), t.server("tidb")
    t.database(source, "ap", "CREATE TABLE bare (a int)", "CREATE TABLE keyed (id int PRIMARY KEY)", "INSERT INTO bare VALUES (1),(1)")
    t.gone_after(target, "ap")
    said = "load.append.keyless"
    for name in ("one", "two"):
        ferry.dump(source, t.path(name), "-f", "ap.*").must()
    assert said not in ferry.load(target, t.path("one")).must().err
    assert said not in ferry.load(target, t.path("one")).must().err
    ferry.load(target, t.path("two"), "--dry-run").must(0, [said, "ap.bare"])
    ferry.load(target, t.path("two"), "--if-table-exists", "stop").must(1, "FERRY-LOAD-TABLE-EXISTS")
    assert "ap.keyed" not in ferry.load(target, t.path("two")).must(0, [said, "ap.bare"]).err
    assert target.value("SELECT COUNT(*) FROM ap.bare") == 4
    ferry.dump(source, t.path("three"), "-f", "ap.*").must()
    assert said not in ferry.load(target, t.path("three"), "--if-table-exists", "truncate", "--yes").must().err
    assert target.value("SELECT COUNT(*) FROM ap.bare") == 2


def test_max_conflicts(t):
    out, there = small(t)
    for kind in TARGETS:
        target = t.server(kind)
        fresh(t, target, *there)
        before = rows(target)
        ferry.load(target, out, "--on-conflict", "ignore", "--max-conflicts", "6").must(3, "more than 6 conflicts")
        assert rows(target) == before
        ferry.load(target, out, "--on-conflict", "ignore", "--max-conflicts", "7").must()


@quick
def test_doubles_in_the_dump(t):
    """The target's keys are stricter than the source's: rows of one batch collide with each other, and in chains."""
    source = t.server("mariadb")
    t.database(source, "c", "CREATE TABLE c.t (id int PRIMARY KEY, u varchar(20) COLLATE utf8mb4_bin, v varchar(20))",
               "INSERT INTO c.t VALUES (1,'a','1'),(2,'A','2'),(3,'á','3'),(4,'b','4'),(5,NULL,'5'),(6,NULL,'6'),(7,'B ','7')", options=UTF8)
    out = t.path("dump")
    ferry.dump(source, out, "-f", "c.*").must()
    for kind in TARGETS:
        target = t.server(kind)
        fresh(t, target, CREATE)
        ferry.load(target, out, "--on-conflict", "ignore", "--conflict-report", t.path("report.jsonl")).must(0, "3 ignored")
        assert [r[0] for r in rows(target)] == [1, 4, 5, 6]
        assert [(r["row"], r["existing"]["id"]) for r in report(t)] == [(2, 1), (3, 1), (7, 4)]
        assert [(r["identical"], r["differs"]) for r in report(t)] == [(False, ["id", "u", "v"])] * 3
        fresh(t, target, CREATE, "INSERT INTO c.t VALUES (50,'Á','was')")
        ferry.load(target, out, "--on-conflict", "replace", "--conflict-report", t.path("report.jsonl")).must(0, "4 replaced")
        assert [r[0] for r in rows(target)] == [3, 5, 6, 7]
        assert [(r["row"], r["existing"]["id"]) for r in report(t)] == [(1, 50), (2, 1), (3, 2), (7, 4)]
        ferry.run("conflicts", "--target", target.url, "--undo-sql", t.path("undo.sql")).must()
        apply_sql(target, t.path("undo.sql"))
        assert [r[0] for r in rows(target)] == [4, 5, 6, 50]


def test_undo_of_every_type(t):
    """Rows of every type are replaced by shuffled ones, and are back by value when it is undone; what was identical is seen as that."""
    for kind in TARGETS:
        source = t.server("mysql" if kind == "mysql" else "mariadb")
        target = t.own_server(kind) if kind == source.name else t.server(kind)
        db = t.database(source, "every", options=UTF8)
        names = data.make_every_type(source, db, kind == "tidb")
        first, second = t.path("a-" + kind), t.path("b-" + kind)
        ferry.dump(source, first, "-f", db + ".*").must()
        t.gone_after(target, db)
        ferry.load(target, first).must()
        count = sum(source.value("SELECT COUNT(*) FROM every.`%s`" % n) for n in names)
        before = {n: compare.rows(target, db, n, compare.columns(target, db, n)) for n in names}
        # every row is there: identical, whatever its type
        target.run("DELETE FROM ferry_meta.job", "DELETE FROM ferry_meta.chunk", "DELETE FROM ferry_meta.tbl")
        ferry.load(target, first, "--identical", "ok").must(0, "identical rows that were there already: %d" % count)
        # the rows of one id get those of the next
        for n in names:
            least, rows_ = source.run("SELECT MIN(id), COUNT(*) FROM every.`%s`" % n)[0]
            source.run("UPDATE every.`%s` SET id = id + 1000" % n,
                       "UPDATE every.`%s` SET id = %d + MOD(id - 1000 - %d + 1, %d)" % (n, least, least, rows_))
        ferry.dump(source, second, "-f", db + ".*").must()
        ferry.load(target, second, "--on-conflict", "replace").must()
        compare.same_database(source, target, db)
        undo = t.path("undo-%s.sql" % kind)
        ferry.run("conflicts", "--target", target.url, "--input", second, "--undo-sql", undo).must()
        apply_sql(target, undo)
        for n in names:
            after = compare.rows(target, db, n, compare.columns(target, db, n))
            assert after == before[n], (kind, n, after, before[n])


# ---- killed on the way: exactly one record a row, and the target as the strategy says ----

MANY = "CREATE TABLE many.t (id bigint PRIMARY KEY, n int, s varchar(40), KEY n (n)) " + UTF8


def many(t, count, there):
    """A dump of `count` rows, and what fills a target with `there` of them, half as they are, half changed."""
    _, out = t.server("mariadb"), t.path("many")
    source = t.server("mariadb")
    t.database(source, "many", MANY, "INSERT INTO many.t SELECT seq * 3, seq, CONCAT('row ', seq) FROM seq_1_to_%d" % count, options=UTF8)
    ferry.dump(source, out, "-f", "many.*", "--chunk-size", "%dKiB" % max(64, count * 20 // 1024 // 16)).must()
    step = count // there
    half = []
    for i in range(there):
        seq = i * step + 1
        half.append("(%d,%d,'%s %d')" % (seq * 3, seq, "row" if i % 2 == 0 else "old", seq))
    return out, [MANY] + ["INSERT INTO many.t VALUES " + ",".join(half[i:i + 1000]) for i in range(0, there, 1000)]


def judged(target, count, there, strategy):
    """Records and rows are exactly those of the strategy."""
    kinds = dict(target.run("SELECT identical, COUNT(*) FROM ferry_meta.conflict GROUP BY identical"))
    assert kinds == {0: there // 2, 1: there // 2}, kinds
    assert target.value("SELECT COUNT(*) FROM many.t") == count
    assert target.value("SELECT COUNT(*) FROM many.t WHERE id = n * 3 AND s IN (CONCAT('row ', n), CONCAT('old ', n))") == count
    assert target.value("SELECT COUNT(*) FROM many.t WHERE s LIKE 'old%'") == (there // 2 if strategy == "ignore" else 0)
    assert target.value("SELECT CAST(SUM(added) AS SIGNED) FROM ferry_meta.chunk") == count - there


def settled(t, kind, count, there, kills, seconds, *more):
    """Killed after up to `seconds`; batches are held for so long that at least half of the kills hit a load that is not done."""
    pause = "%.2f" % (seconds * kills * 4 * 500 / count)  # of 4 threads with batches of 500
    out, fill = many(t, count, there)
    target = t.own_server(kind)
    for strategy in ("ignore", "replace"):
        fresh(t, target, *fill, db="many")
        load = ("load", "--target", target.url, "--input", out, "-t", "4", "--batch-rows", "500", "--on-conflict", strategy) + more
        killed = 0
        for _ in range(kills):
            killed += ferry.run_killed(t.random.uniform(seconds / 10, seconds), *load, program=ferry.fault_binary(),
                                       env={"FERRY_FAULT_PAUSE": "load.after-load:%s" % pause}).status == -9
            assert target.process.poll() is None, "the server died of it: nothing can be said"
        ferry.run(*load, timeout=3000).must()
        judged(target, count, there, strategy)
        t.say("%s, %s: killed %d times" % (kind, strategy, killed))
        assert killed >= kills // 2
    fresh(t, target, *fill, db="many")
    before = target.value("SELECT COUNT(*) FROM many.t WHERE s LIKE 'old%'")
    ferry.load(target, out, "--check-conflicts", timeout=3000).must(3, "%d found, %d identical" % (there, there // 2))
    assert target.value("SELECT COUNT(*) FROM many.t") == there and before == there // 2
    ferry.load(target, out, "--batch-rows", "500").must(3, "FERRY-LOAD-CONFLICT")
    bad = target.run("SELECT DISTINCT chunk, (row_no - 1) DIV 500 FROM ferry_meta.conflict c JOIN ferry_meta.job j USING (job) WHERE "
                     "purpose = 'load'")
    assert bad
    new = target.value("SELECT COUNT(*) FROM many.t") - there  # every row in the table is of a batch that is done
    assert new == target.value("SELECT CAST(SUM(added) AS SIGNED) FROM ferry_meta.chunk c JOIN ferry_meta.job j USING (job) WHERE "
                               "purpose = 'load'")


def test_exact_when_killed_mariadb(t):
    settled(t, "mariadb", 60000, 600, 6, 0.6)


def test_exact_tidb(t):
    settled(t, "tidb", 20000, 200, 0, 1.0)


def test_exact_when_killed_tidb(t):
    """By INSERT alone: the server would not survive a client's death in a LOAD DATA (TiDB.revive)."""
    settled(t, "tidb", 20000, 200, 6, 0.8, "--path", "insert")


@soak
def test_exact_two_million_mariadb(t):
    """Two million rows into a table that holds 10,000 of them, killed ten times."""
    settled(t, "mariadb", 2000000, 10000, 10, 20.0)


@soak
def test_exact_two_million_mysql(t):
    settled(t, "mysql", 2000000, 10000, 10, 20.0)


@soak
def test_exact_two_million_tidb(t):
    """By LOAD DATA, so not killed: see above."""
    settled(t, "tidb", 2000000, 10000, 0, 1.0)


@soak
def test_exact_two_million_killed_tidb(t):
    settled(t, "tidb", 2000000, 10000, 10, 20.0, "--path", "insert")


# ---- values that the target refuses ----

@quick
def test_bad_values(t):
    """A CHECK that the source does not have, in silence on TiDB: each row is named, and left out when asked; conflicts among them, too."""
    source, out = dumped(t, "CREATE TABLE c.t (id int PRIMARY KEY, x int, s varchar(20)) " + UTF8,
                         "INSERT INTO c.t SELECT seq, seq, 'x' FROM seq_1_to_3000")
    for kind in TARGETS:
        target = t.server(kind)
        if kind == "tidb":
            target.run("SET GLOBAL tidb_enable_check_constraint=1")
        fresh(t, target, "CREATE TABLE c.t (id int PRIMARY KEY, x int CHECK (x NOT IN (7, 8, 1999, 2000, 2001)), s varchar(20)) " + UTF8,
              "INSERT INTO c.t VALUES (9,9,'old'),(2002,1,'x')")
        ferry.load(target, out, "--on-conflict", "ignore").must(1, ["FERRY-LOAD-BAD-VALUE", "row 7"])
        r = ferry.load(target, out, "--on-conflict", "ignore", "--on-bad-value", "skip", "--conflict-report", t.path("report.jsonl"))
        r.must(6, ["2 ignored, 5 bad values", "rows left out for their values: 5"])
        if kind == "tidb":
            target.run("SET GLOBAL tidb_enable_check_constraint=0")
        assert target.value("SELECT COUNT(*) FROM c.t") == 2995
        found = report(t)
        assert [r["row"] for r in found if r["key"] is None] == [7, 8, 1999, 2000, 2001]
        assert [r["incoming"]["x"] for r in found if r["key"] is None] == [7, 8, 1999, 2000, 2001]
        assert all(r["existing"] is None and r["key_values"] is None for r in found if r["key"] is None)
        assert [r["row"] for r in found if r["key"]] == [9, 2002]
        ferry.load(target, out, "--on-bad-value", "skip").must(6, "nothing to do")


# ---- keys that cannot be compared beforehand ----

@quick
def test_odd_keys(t):
    """A prefix key is compared as the target does; one over an expression or a generated column is known from the server's error."""
    source, out = dumped(t, "CREATE TABLE c.t (id int PRIMARY KEY, u varchar(20), v varchar(20)) " + UTF8,
                         "INSERT INTO c.t VALUES (1,'abc','1'),(2,'ABd','2'),(3,'xyz','3'),(4,NULL,'4')")
    for kind in TARGETS:
        target = t.server(kind)
        fresh(t, target, "CREATE TABLE c.t (id int PRIMARY KEY, u varchar(20), v varchar(20), UNIQUE KEY p (u(2))) " + UTF8,
              "INSERT INTO c.t VALUES (100,'xy','was')")
        ferry.load(target, out, "--on-conflict", "replace").must(0, "2 replaced")
        assert rows(target) == [(2, "ABd", "2"), (3, "xyz", "3"), (4, None, "4")]
        ferry.run("conflicts", "--target", target.url, "--undo-sql", t.path("undo.sql")).must()
        apply_sql(target, t.path("undo.sql"))
        assert rows(target) == [(1, "abc", "1"), (4, None, "4"), (100, "xy", "was")]
        fresh(t, target, "CREATE TABLE c.t (id int PRIMARY KEY, u varchar(20), v varchar(20), g varchar(20) AS (LEFT(u,2)) VIRTUAL, "
              "UNIQUE KEY g (g)) " + UTF8, "INSERT INTO c.t (id,u,v) VALUES (100,'xy','was')")
        ferry.load(target, out, "--check-conflicts").must(3, "2 found")
        assert rows(target) == [(100, "xy", "was", "xy")]
        ferry.load(target, out, "--on-conflict", "replace").must(3, "what it would replace cannot be put on record")
        ferry.load(target, out, "--on-conflict", "ignore", "--conflict-report", t.path("report.jsonl")).must(0, "2 ignored")
        assert [(r[0], r[1]) for r in rows(target)] == [(1, "abc"), (4, None), (100, "xy")]
        assert [(r["row"], r["existing"]) for r in report(t)] == [(2, None), (3, None)]


def odd_text(random, signs, most):
    return "".join(random.choice(signs) for _ in range(random.randint(0, most)))


def test_prefix_keys_as_the_server_has_them(t):
    """Values that begin alike, or are alike by the collation alone: what is left is what INSERT IGNORE leaves, and --check-conflicts finds it."""
    source = t.server("mariadb")
    collations = {"mariadb": ("general_ci", "unicode_ci"), "mysql": ("bin", "0900_ai_ci"), "tidb": ("general_ci", "unicode_ci")}
    first = ["\u00dfss1", "ss\u00df1", "a", "a    x", "a   ", "A\t", "e\u0301 b", "\u00e9 bc"]
    texts = first + [odd_text(t.random, "ab%_|\\' ", 6) for _ in range(80)] + [odd_text(t.random, "sSeE \u00df\u00e9\u0301\t\u00e6", 6) for _ in range(80)]
    table = "CREATE TABLE c.%s (id int PRIMARY KEY, n int, u text CHARACTER SET utf8mb4 COLLATE utf8mb4_%s, v varbinary(40)%s) " + UTF8
    t.database(source, "c", table % ("t", "bin", ""), options=UTF8)
    conn = source.connect()
    with conn.cursor() as c:
        c.executemany("INSERT INTO c.t VALUES (%s, %s, %s, %s)", [(i, i % 3, text, text.encode()) for i, text in enumerate(texts)])
    conn.close()
    out = t.path("dump")
    ferry.dump(source, out, "-f", "c.*").must()
    for kind, names in collations.items():
        target = t.server(kind)
        for name in names:
            for key in ("UNIQUE KEY k (u(4))", "UNIQUE KEY k (n, u(3)), UNIQUE KEY v (v(5))"):
                fresh(t, target, table % ("t", name, ", " + key), "INSERT INTO c.t SELECT 1000, 0, 'SS\u00df1234', 'ab'",
                      table % ("expected", name, ", " + key), "INSERT INTO c.expected SELECT * FROM c.t")
                left = 0
                conn = target.connect()
                with conn.cursor() as c:
                    for i, text in enumerate(texts):
                        left += c.execute("INSERT IGNORE INTO c.expected VALUES (%s, %s, %s, %s)", (i, i % 3, text, text.encode())) == 0
                conn.close()
                if "n, u" in key:
                    ferry.load(target, out, "--check-conflicts", "--meta-schema", "meta_check").must(3, "found")
                    t.gone_after(target, "meta_check")
                ferry.load(target, out, "--on-conflict", "ignore", "--batch-rows", "97").must(0, "ignored")
                assert target.value("SELECT COUNT(DISTINCT row_no) FROM ferry_meta.conflict") == left
                assert rows(target) == rows(target, "c.expected"), (kind, name, key)


def test_integer_keys_are_asked_for(t):
    """Keys of integers alone, of several parts, with NULL and signs, equal rows in one batch: what is left is what one INSERT IGNORE or
    REPLACE a row leaves, and only rows that may be in the way are staged, unless another session comes in between."""
    table = "CREATE TABLE c.%s (id bigint PRIMARY KEY, a int(6) ZEROFILL NULL, b smallint NULL, s varchar(20)%s) " + UTF8
    keys = ", UNIQUE KEY ab (a, b), UNIQUE KEY b (b)"
    incoming = [(i - 150, t.random.choice((None, i % 50, i)), t.random.choice((None, i, i, i, -i, i % 140)), "new %d" % i) for i in range(300)]
    source, out = dumped(t, table % ("t", ""))
    conn = source.connect()
    with conn.cursor() as c:
        c.executemany("INSERT INTO c.t VALUES (%s, %s, %s, %s)", incoming)
    conn.close()
    ferry.dump(source, t.path("more"), "-f", "c.*").must()
    for kind in TARGETS:
        target = t.server(kind)
        for strategy, verb in (("ignore", "INSERT IGNORE"), ("replace", "REPLACE")):
            there = "VALUES (-145,1,-7000,'was'),(5000,7,205,'was'),(5001,NULL,-290,'was'),(0,0,7000,'new 150')"
            fresh(t, target, table % ("t", keys), "INSERT INTO c.t " + there, table % ("expected", keys), "INSERT INTO c.expected " + there)
            conn = target.connect(autocommit=False)
            with conn.cursor() as c:
                for row in incoming:
                    c.execute(verb + " INTO c.expected VALUES (%s, %s, %s, %s)", row)
            conn.commit()
            conn.close()
            r = ferry.load(target, t.path("more"), "--on-conflict", strategy, "--batch-rows", "75", "-vv")
            r.must(0, "load.conflicts-picked")
            assert "load.conflicts-all-rows" not in r.err, (kind, strategy)
            assert rows(target) == rows(target, "c.expected"), (kind, strategy)
            if strategy == "ignore":
                assert target.value("SELECT COUNT(DISTINCT row_no) FROM ferry_meta.conflict") == 304 - len(rows(target))
        assert any(row_comes_after_the_look(t, target, table % ("t", ""), seconds) for seconds in (0.5, 2, 8, 20)), kind


def row_comes_after_the_look(t, target, create, seconds):
    """Between the look at the keys and the writing of a batch, if there is time: the row is met all the same. False: it was too late."""
    fresh(t, target, create, "INSERT INTO c.t VALUES (-150,0,0,'was')")
    process = ferry.start(["load", "--target", target.url, "--input", t.path("more"), "--on-conflict", "replace", "-vv"],
                          program=ferry.fault_binary(), env={"FERRY_FAULT_PAUSE": "load.conflicts-picked:%s" % seconds})
    lines = iter(process.stderr.readline, b"")
    said = b""
    for line in lines:
        said += line
        if b"load.conflicts-picked" in line:
            break
    try:
        target.run("INSERT INTO c.t VALUES (-1,0,0,'theirs')")
    except pymysql.IntegrityError:
        process.communicate()
        return False
    said += b"".join(lines)
    assert process.wait() == 0, said
    assert target.run("SELECT key_values, JSON_EXTRACT(existing, '$.s') FROM ferry_meta.conflict ORDER BY row_no") == (
        ('{"id":-150}', '"was"'), ('{"id":-1}', '"theirs"')), said
    assert target.value("SELECT COUNT(*) FROM c.t WHERE s LIKE 'new%'") == 300
    return b"load.conflicts-all-rows" in said


def read_whole(kind, target):
    """How often tables were read from end to end: rows so read, by the server's count; on TiDB the plans of the joins."""
    if kind != "tidb":
        return int(target.run("SHOW GLOBAL STATUS LIKE 'Handler_read_rnd_next'")[0][1])
    plans = target.run("SELECT digest_text, plan FROM information_schema.statements_summary WHERE digest_text LIKE '%ferry_stage%join%'")
    assert any(text.startswith("select") for text, _ in plans), plans
    whole = [(text, plan) for text, plan in plans if not any(w in plan for w in ("IndexJoin", "IndexHashJoin", "IndexRangeScan"))]
    assert not whole, "\n".join(whole[0])
    return 0


def test_looks_up_what_may_be_in_the_way(t):
    """A batch is compared by the keys: the table on the target is not read from end to end for it."""
    count = 4000
    _, out = dumped(t, "CREATE TABLE c.t (a int, b varchar(20), u varchar(20), v varchar(200), p text, q blob, PRIMARY KEY (a, b), UNIQUE KEY u (u), "
                    "UNIQUE KEY p (p(8)), UNIQUE KEY q (q(8)))",
                    "INSERT INTO c.t SELECT seq, seq, CONCAT('u', seq), REPEAT('v', 100), CONCAT(seq, IF(seq % 2, '', '__%%__tail')), "
                    "CONCAT(CHAR(seq DIV 256), CHAR(seq % 256), 0xffffffffffffffff) FROM seq_1_to_{0}".format(count))
    for kind in TARGETS:
        target = t.server(kind)
        t.gone_after(target, "c")
        ferry.load(target, out).must()
        target.run("UPDATE c.t SET v = 'old' WHERE a % 100 = 0", "DELETE FROM c.t WHERE a % 100 = 1", "DROP DATABASE ferry_meta")
        if kind == "tidb":
            target.run("SET GLOBAL tidb_enable_stmt_summary = 0", "SET GLOBAL tidb_enable_stmt_summary = 1")  # forgets the others'
        before = read_whole(kind, target) if kind != "tidb" else 0
        ferry.load(target, out, "--on-conflict", "replace", "--batch-rows", "80", "--batch-size", "1MiB").must(
            0, "%d replaced" % (4 * count * 99 // 100))
        assert target.value("SELECT COUNT(*) FROM c.t WHERE LENGTH(v) = 100") == count
        read = read_whole(kind, target) - before
        assert read < 45 * count, "%d rows read on %s" % (read, kind)  # 50 batches


def test_triggers_of_the_target(t):
    """One that would act on incoming rows, or on those that are replaced, is refused by name before anything is written."""
    out, there = small(t)
    for kind in ("mariadb", "mysql"):
        target = t.server(kind)
        for event, strategy, refused in (("INSERT", "ignore", True), ("DELETE", "replace", True), ("DELETE", "ignore", False),
                                         ("UPDATE", "replace", False)):
            fresh(t, target, *there)
            target.run("CREATE TABLE c.log (id int)", "CREATE TRIGGER c.`on it` AFTER %s ON c.t FOR EACH ROW INSERT INTO c.log VALUES (1)" % event)
            before = rows(target)
            run = ferry.load(target, out, "--on-conflict", strategy, "--meta-schema", "meta_" + event + strategy)
            run.must(*(1, ["FERRY-LOAD-TABLE-SHAPE", "on it"]) if refused else (0,))
            assert (rows(target) == before) == refused and target.value("SELECT COUNT(*) FROM c.log") == 0
            t.gone_after(target, "meta_" + event + strategy)
