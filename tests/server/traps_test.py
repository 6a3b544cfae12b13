"""What breaks a loader that does not know it: other sessions, killed connections, servers that refuse."""

import threading
import time

import compare
import ferry
import pymysql
from case import quick

UTF8 = "CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"
TARGETS = ("tidb", "mariadb", "mysql")
CREATE = "CREATE TABLE trap.t (id int PRIMARY KEY, n int, s varchar(200)) " + UTF8


def prepared(t, rows=20000, create=CREATE, insert="INSERT INTO trap.t SELECT seq, seq, REPEAT('x', 100) FROM seq_1_to_%d", more=()):
    source, out = t.server("mariadb"), t.path("dump")
    t.database(source, "trap", create, insert % rows, options=UTF8)
    ferry.dump(source, out, "-f", "trap.*", "--chunk-size", "256KiB", *more).must()
    return source, out


def empty(t, kind, *options):
    target = t.own_server(kind, *options)
    target.run("CREATE DATABASE trap " + UTF8, CREATE)
    return target


class Other(threading.Thread):
    """Another client of the server, again and again until stopped."""

    def __init__(self, server, step, every=0.05):
        super().__init__(daemon=True)
        self.server, self.step, self.every, self.stopped, self.done = server, step, every, threading.Event(), 0

    def run(self):
        connection = self.server.connect()
        while not self.stopped.wait(self.every):
            try:
                with connection.cursor() as cursor:
                    self.done += bool(self.step(cursor))
            except pymysql.Error:
                try:
                    connection.rollback()
                except pymysql.Error:
                    try:
                        connection = self.server.connect()
                    except pymysql.Error:
                        pass  # the server is away: next time

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.join(30)


def slow_load(target, out, *more, pause="load.after-load:0.1"):
    return ferry.run("load", "--target", target.url, "--input", out, "-t", "4", "--batch-rows", "500", *more, program=ferry.fault_binary(),
                     env={"FERRY_FAULT_PAUSE": pause})


@quick
def test_row_committed_after_our_begin(t):
    """Another session commits a row of the batch between LOAD and COMMIT, with the assertions off: it is seen, and neither doubled nor lost."""
    _, out = prepared(t, 400)
    for kind in TARGETS:
        target = empty(t, kind)
        if kind == "tidb":
            target.run("SET GLOBAL tidb_txn_assertion_level='OFF'")
        process = ferry.start(["load", "--target", target.url, "--input", out, "--on-conflict", "ignore"], program=ferry.fault_binary(),
                              env={"FERRY_FAULT_PAUSE": "load.after-load:2" if kind == "tidb" else "load.before-load:2"})
        ferry.wait_until(lambda: "ferry_meta" in [r[0] for r in target.run("SHOW DATABASES")])
        time.sleep(1)
        target.run("INSERT INTO trap.t VALUES (7,0,'theirs')")
        out_text, err = process.communicate(timeout=60)
        assert process.returncode == 0, (kind, out_text, err)
        assert target.run("SELECT n, s FROM trap.t WHERE id = 7") == ((0, "theirs"),), kind
        assert target.value("SELECT COUNT(*) FROM trap.t") == 400
        assert target.run("SELECT row_no, done FROM ferry_meta.conflict") == ((7, "ignored"),)
        if kind == "tidb":
            target.run("ADMIN CHECK TABLE trap.t")


def test_killed_connections(t):
    """Every connection of ours is killed each second, or its statement is."""
    source, out = prepared(t)
    for kind, statement in (("mariadb", "KILL %d"), ("mysql", "KILL %d"), ("mariadb", "KILL QUERY %d"), ("tidb", "KILL TIDB QUERY %d")):
        target = empty(t, kind, *(["persist"] if kind == "tidb" else []))

        def kill(cursor, statement=statement):
            cursor.execute("SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND command <> 'Daemon' AND user = 'root'")
            ids = [r[0] for r in cursor.fetchall()]
            for number in ids:
                try:
                    cursor.execute(statement % number)
                except pymysql.Error:
                    pass
            return ids
        torn = False
        with Other(target, kill, 1.0) as other:
            if kind != "tidb":
                slow_load(target, out, pause="load.after-load:0.2").must()
            else:  # it may not survive this itself
                ferry.run_killed(6, "load", "--target", target.url, "--input", out, "-t", "4", "--batch-rows", "500",
                                 program=ferry.fault_binary(), env={"FERRY_FAULT_PAUSE": "load.after-load:0.2"})
        assert other.done > 0
        if kind == "tidb":
            torn = target.revive()
            ferry.load(target, out).must()
        compare.same_table(source, target, "trap", "t", kind == "tidb" and torn)


def test_deadlocks_and_write_conflicts(t):
    """A second client changes rows of the load, and its progress rows' neighbours, in crossing orders."""
    source, out = prepared(t, 8000)
    for kind in TARGETS:
        target = empty(t, kind)
        target.run("SET GLOBAL innodb_lock_wait_timeout=1")
        place = [0]

        def cross(cursor):
            place[0] = (place[0] + 1777) % 8000
            cursor.execute("BEGIN")
            for at in (place[0], 8000 - place[0]):
                cursor.execute("UPDATE trap.t SET s = s WHERE id BETWEEN %d AND %d" % (at, at + 300))
                cursor.execute("SELECT COUNT(*) FROM trap.t WHERE id BETWEEN %d AND %d FOR UPDATE" % (at, at + 300))
            time.sleep(0.05)
            cursor.execute("COMMIT")
            return True
        with Other(target, cross, 0.01) as other:
            slow_load(target, out).must()
        assert other.done > 0
        compare.same_table(source, target, "trap", "t")


def test_altered_while_loading(t):
    """Columns and indexes come and go: right rows, or a clear stop and right rows from the next run."""
    source, out = prepared(t)
    for kind in TARGETS:
        target = empty(t, kind)
        changes = ["ALTER TABLE trap.t ADD COLUMN extra int", "ALTER TABLE trap.t ADD KEY k (n)", "ALTER TABLE trap.t DROP COLUMN extra",
                   "ALTER TABLE trap.t DROP KEY k"]

        def alter(cursor):
            cursor.execute(changes[0])
            changes.append(changes.pop(0))
            return True
        with Other(target, alter, 0.1) as other:
            r = slow_load(target, out)
        assert other.done > 0 and r.status in (0, 1, 75), r
        if r.status:
            ferry.load(target, out).must()
        while "extra" in [r[0] for r in target.run("SHOW COLUMNS FROM trap.t")]:
            target.run("ALTER TABLE trap.t DROP COLUMN extra")
        compare.same_table(source, target, "trap", "t")


@quick
def test_local_not_allowed(t):
    """One line of warning, and the rows by INSERT; conflicts are found all the same."""
    source, out = prepared(t, 3000)
    for kind in ("mariadb", "mysql"):
        target = empty(t, kind, "--local-infile=0")
        target.run("INSERT INTO trap.t VALUES (5,5,'theirs'),(2500,2500,REPEAT('x',100))")
        r = ferry.load(target, out, "--on-conflict", "replace").must(0, "2 replaced, 1 identical")
        assert r.err.count("does not allow LOAD DATA LOCAL") == 1, r
        compare.same_table(source, target, "trap", "t")


def test_huge_row(t):
    """A row of 16 MiB: TiDB would break, so it is refused by name before it is sent, or left out; MariaDB takes it."""
    source = t.server("mariadb")
    source.run("SET GLOBAL max_allowed_packet=268435456")
    t.database(source, "trap", "CREATE TABLE trap.t (id int PRIMARY KEY, b longtext) " + UTF8, "INSERT INTO trap.t VALUES (1,'a'),(3,'c')",
               options=UTF8)
    source.run("INSERT INTO trap.t VALUES (2, REPEAT('x', 16*1024*1024))")
    out = t.path("dump")
    ferry.dump(source, out, "-f", "trap.*").must()
    target = t.own_server("tidb")
    ferry.load(target, out).must(1, ["FERRY-LOAD-BAD-VALUE", "row 2", "16777217 bytes"])
    ferry.load(target, out, "--on-bad-value", "skip").must(6, "rows left out for their values: 1")
    assert [r[0] for r in target.run("SELECT id FROM trap.t ORDER BY id")] == [1, 3]
    target = t.own_server("mariadb", "--max-allowed-packet=256M", "--innodb-log-file-size=256M")
    ferry.load(target, out).must()
    compare.same_table(source, target, "trap", "t")
    target.run("UPDATE trap.t SET b = CONCAT(b, 'y')", "DELETE FROM ferry_meta.job", "DELETE FROM ferry_meta.chunk")
    ferry.load(target, out, "--on-conflict", "replace").must()
    assert target.value("SELECT COUNT(*) FROM ferry_meta.conflict_more") >= 16
    ferry.run("conflicts", "--target", target.url, "--undo-sql", t.path("undo.sql")).must()
    from conflicts_test import apply_sql
    apply_sql(target, t.path("undo.sql"), "--max-allowed-packet=256M")
    assert target.value("SELECT COUNT(*) FROM trap.t WHERE b LIKE '%y' AND (id <> 2 OR LENGTH(b) = 16777217)") == 3


def test_row_above_max_allowed_packet(t):
    """LOAD DATA does not mind; an INSERT that the server would break the connection for is refused by name before it is sent."""
    source, out = prepared(t, 3, "CREATE TABLE trap.t (id int PRIMARY KEY, s longtext) " + UTF8,
                           "INSERT INTO trap.t SELECT seq, REPEAT('x', IF(seq = 2, 3*1024*1024, 3)) FROM seq_1_to_%d")
    for kind in ("mariadb", "mysql"):
        target = t.own_server(kind, "--max-allowed-packet=1M")
        insert = ("--path", "insert", "--meta-schema", "by_insert")
        ferry.load(target, out, *insert).must(1, ["FERRY-LOAD-BAD-VALUE", "row 2", "max_allowed_packet"])
        ferry.load(target, out, "--on-bad-value", "skip", *insert).must(6, "rows left out for their values: 1")
        assert [r[0] for r in target.run("SELECT id FROM trap.t ORDER BY id")] == [1, 3]
        target.run("DROP DATABASE trap")
        ferry.load(target, out).must()
        sums = "SELECT id, LENGTH(s), CRC32(s) FROM trap.t ORDER BY id"
        assert target.run(sums) == source.run(sums)


def test_thousand_columns(t):
    columns = ", ".join("c%d int" % i for i in range(999))
    source, out = prepared(t, 300, "CREATE TABLE trap.t (id int PRIMARY KEY, %s) %s" % (columns, UTF8),
                           "INSERT INTO trap.t (id, c0, c998) SELECT seq, seq, seq FROM seq_1_to_%d")
    for kind in TARGETS:
        target = t.own_server(kind)
        ferry.load(target, out).must()
        compare.same_table(source, target, "trap", "t")
        target.run("UPDATE trap.t SET c998 = 0 WHERE id <= 20", "DELETE FROM ferry_meta.job", "DELETE FROM ferry_meta.chunk")
        ferry.load(target, out, "--on-conflict", "replace", "--identical", "ok").must(0, "20 replaced")
        compare.same_table(source, target, "trap", "t")


@quick
def test_read_only_target(t):
    _, out = prepared(t, 10)
    for kind in TARGETS:
        target = t.own_server(kind)
        target.run("CREATE USER app", "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, CREATE TEMPORARY TABLES ON *.* TO app",
                   "SET GLOBAL tidb_super_read_only=1" if kind == "tidb" else "SET GLOBAL read_only=1")
        r = ferry.run("load", "--target", target.url.replace("root@", "app@"), "--input", out)
        assert r.status in (1, 75) and "read" in r.err.lower(), r


def test_stolen_claim(t):
    """Another process takes the chunk while the worker is held up between its claim and its transaction: whichever way the rows go, the
    worker writes neither rows nor records, and leaves the chunk to that one."""
    source, out = prepared(t, 1500)
    thief = ("INSERT INTO ferry_meta.loader SELECT job,77,'live',stage,alone,beats,UTC_TIMESTAMP(6),600000000,'other','',options,0,'',1,0,0,0,"
             "started_at FROM ferry_meta.loader")
    ways = {"fast": [], "insert": ["--path", "insert"], "settle": ["--check-conflicts"],
            "stop": ["--check-conflicts", "--max-conflicts", "1"]}
    for kind in ("tidb", "mariadb"):
        target = t.server(kind)
        for way, options in ways.items():
            t.gone_after(target, "trap", "ferry_meta")
            target.run("CREATE DATABASE trap " + UTF8, CREATE, *["INSERT INTO trap.t VALUES (1,1,'old'),(2,2,'old'),(3,3,'old')"] *
                       (way in ("settle", "stop")))
            process = ferry.start(["load", "--target", target.url, "--input", out, "-t", "1"] + options, program=ferry.fault_binary(),
                                  env={"FERRY_FAULT_PAUSE": "load.claim:0.8"})
            ferry.wait_until(lambda: target.run("SHOW DATABASES LIKE 'ferry\\_meta'") and target.run(
                "SHOW TABLES FROM ferry_meta LIKE 'chunk'") and target.value("SELECT COUNT(*) FROM ferry_meta.chunk WHERE token > 0"), 20)
            target.run(thief, "UPDATE ferry_meta.chunk SET token = 1, seq = seq + 1, loader = 77")
            time.sleep(2)
            process.terminate()
            _, err = process.communicate(timeout=30)
            assert process.returncode == 130 and "load.chunk-lost" in err.decode(), (kind, way, process.returncode, err.decode())
            assert target.value("SELECT CAST(SUM(rows_done) AS SIGNED) FROM ferry_meta.chunk") == 0, (kind, way)
            assert target.value("SELECT COUNT(*) FROM ferry_meta.conflict") == 0, (kind, way)
            assert target.value("SELECT COUNT(*) FROM trap.t") == 3 * (way in ("settle", "stop")), (kind, way)


def test_changed_while_replaced(t):
    """Another session changes a row between our look at it and its removal: what is on record is what was removed."""
    _, out = prepared(t, 1500)
    for kind in TARGETS:
        for path in ("auto", "insert") if kind == "tidb" else ("auto",):
            target = empty(t, kind)
            target.run("INSERT INTO trap.t VALUES (700, 0, 'old')")

            def change(cursor):
                if others[0].done == 4 or not cursor.execute("SELECT 1 FROM ferry_meta.chunk WHERE token > 0"):
                    return 0
                return cursor.execute("UPDATE trap.t SET n = n + 1 WHERE id = 700 AND s = 'old'")
            others = [Other(target, change, 0.15)]
            with others[0] as other:
                slow_load(target, out, "--on-conflict", "replace", "--path", path, pause="load.conflicts-found:0.4").must(0, "1 replaced")
            removed = target.value("SELECT existing FROM ferry_meta.conflict")
            assert (other.done or path != "auto" or kind != "tidb") and '"n":%d,' % other.done in removed, (kind, path, other.done, removed)
            assert target.value("SELECT n FROM trap.t WHERE id = 700") == 700
