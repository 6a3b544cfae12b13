"""ferry follow of statements of all kinds, of compressed binlogs, to a time; and replicas that go on from its place."""

import os
import shutil
import subprocess
import threading

import binlog
import captured
import compare
import ferry
import follow_test
from case import soak
from follow_test import contents, follow
from servers import MySQL, Skip

CASES = ["CREATE TABLE ci (id int PRIMARY KEY AUTO_INCREMENT, name varchar(20) COLLATE utf8mb4_general_ci, v int, UNIQUE KEY (name))",
         "CREATE TABLE cp (name varchar(20) COLLATE utf8mb4_general_ci PRIMARY KEY, v int)",
         "CREATE TABLE heap (a int, b varchar(20))",
         "INSERT INTO ci VALUES (1,'one',1),(2,'Two',2),(3,'three',3)", "INSERT INTO cp VALUES ('abc',1),('Def',2),('é',3)"]
STATEMENTS = ["REPLACE INTO ci VALUES (1,'TWO',9)", "REPLACE INTO ci VALUES (7,'seven',7),(8,'SEVEN',8)", "REPLACE INTO cp VALUES ('ABC',5)",
              "INSERT INTO ci VALUES (3,'x',1),(20,'tWENTY',1) ON DUPLICATE KEY UPDATE v=v+100, name=UPPER(name)",
              "INSERT INTO cp VALUES ('dEF',7) ON DUPLICATE KEY UPDATE name=VALUES(name), v=v+1",
              "BEGIN", "INSERT INTO heap VALUES (1,'kept')", "SAVEPOINT a", "INSERT INTO heap VALUES (2,'gone')", "DELETE FROM cp", "ROLLBACK TO SAVEPOINT a",
              "INSERT INTO heap VALUES (3,'kept')", "SAVEPOINT a", "UPDATE heap SET b='gone'", "ROLLBACK TO SAVEPOINT a", "RELEASE SAVEPOINT a", "COMMIT",
              "CREATE TEMPORARY TABLE tmp (id int PRIMARY KEY, v int)", "INSERT INTO tmp VALUES (1,1),(2,2)", "UPDATE tmp SET v=v+1",
              "INSERT INTO heap SELECT id, 'tmp' FROM tmp", "CREATE TEMPORARY TABLE cp (name int)", "INSERT INTO cp VALUES (1)", "DROP TEMPORARY TABLE cp",
              "BEGIN", "INSERT INTO tmp VALUES (3,3)", "UPDATE cp SET v=50 WHERE name='abc'", "ROLLBACK", "TRUNCATE TABLE tmp", "DROP TEMPORARY TABLE tmp",
              "UPDATE cp SET name='aBc' WHERE name='abc'", "UPDATE cp SET name='É' WHERE name='é'", "UPDATE cp SET name=LOWER(name)",
              "UPDATE ci SET name=UPPER(name) WHERE id<8", "UPDATE cp SET name=UPPER(name), v=v+1"]


def statements(t, *kinds):
    """REPLACE, ON DUPLICATE KEY UPDATE, savepoints, temporary tables, and keys whose case alone changes: one by one, and all at once."""
    for kind, target_kind in kinds:
        source, target = t.server(kind), t.server(target_kind)
        t.database(source, "said", *CASES, options="CHARACTER SET utf8mb4")
        t.gone_after(target, "said")
        out = t.path("%s-%s" % (kind, target_kind))
        ferry.dump(source, out, "-f", "said.*").must()
        ferry.load(target, out).must()
        source.run("USE said", *STATEMENTS)
        follow(source, target, "--input", out, "--until", "caught-up").must()
        assert sorted(source.run("SELECT a, b FROM said.heap")) == [(1, "kept"), (1, "tmp"), (2, "tmp"), (3, "kept")]
        compare.same_database(source, target, "said")
        for statement in ("UPDATE cp SET name=LOWER(name)", "UPDATE cp SET name='ABC' WHERE name='abc'", "REPLACE INTO cp VALUES ('abC',8)"):
            source.run("USE said", statement)
            follow(source, target, "--until", "caught-up").must(0, "transactions followed: 1")
            compare.same_database(source, target, "said")


def test_statements_of_all_kinds(t):
    statements(t, ("mysql", "mariadb"), ("mariadb", "mysql"))


@soak
def test_statements_of_all_kinds_tidb(t):
    statements(t, ("mysql", "tidb"), ("mariadb", "tidb"))


def mysqlbinlog(kind, path):
    """What the server's own tool makes of the file."""
    if kind == "mariadb":
        if not shutil.which("mariadb-binlog"):
            raise Skip("no mariadb-binlog on PATH")
        return subprocess.run(["mariadb-binlog", "--no-defaults", "-v", path], capture_output=True)
    inside = os.path.join(MySQL.root(), "tmp", "segment-%d" % os.getpid())
    shutil.copy(path, inside)
    try:
        return subprocess.run(["chroot", MySQL.root(), "/usr/bin/mysqlbinlog", "--no-defaults", "-v", inside[len(MySQL.root()):]], capture_output=True)
    finally:
        os.remove(inside)


def read_by_mysqlbinlog(t, kind, out):
    """Every segment; gives how many transactions it saw."""
    seen = 0
    for i, s in enumerate(captured.segments(out)):
        path = t.path("segment-%s-%d" % (kind, i))
        with open(path, "wb") as f:
            f.write(s["raw"])
        done = mysqlbinlog(kind, path)
        assert done.returncode == 0 and not done.stderr.strip(), (s, done.stderr[-1000:])
        seen += done.stdout.count(b"\nCOMMIT")
    return seen


COMPRESSED = {"mariadb": ["--log-bin-compress=1", "--log-bin-compress-min-len=10"], "mysql": ["--binlog-transaction-compression=ON"]}


def compressed(t, kind, target_kind):
    """A compressed binlog, captured, replayed without the source, followed; and its segments are what mysqlbinlog reads."""
    source, target = t.own_server(kind, *COMPRESSED[kind]), t.server(target_kind)
    t.database(source, "fo", *follow_test.tables("fo", kind), options="CHARACTER SET utf8mb4")
    t.gone_after(target, "fo")
    follow_test.fill(source, "fo")
    out = t.path(kind)
    with captured.held_dump(source, out, "-f", "fo.*") as dump:
        writer = follow_test.Writer(source, "fo", t.seed).run(40)
        source.run("INSERT INTO fo.plain VALUES " + ",".join("(%d,REPEAT('z',40),1,NULL)" % i for i in range(5000, 5400)))
    captured.finish(dump).must()
    ferry.run("verify", "--input", out).must()
    segments = captured.segments(out)
    assert b"".join(s["raw"] for s in segments).count(b"z" * 40) < 40  # of 400 rows: it is compressed
    assert read_by_mysqlbinlog(t, kind, out) > 20
    ferry.load(target, out).must(0, "transactions followed")
    assert contents(target, "fo") == contents(source, "fo")
    writer.run(40).close()
    follow(source, target, "--until", "caught-up").must()
    compare.same_database(source, target, "fo")


def test_compressed_mysql(t):
    compressed(t, "mysql", "mariadb")


def test_compressed_mariadb(t):
    compressed(t, "mariadb", "mysql")


HOLD = {"mysql": ["rpl_semi_sync_source_%s", "wait_no_replica"],
        "mariadb": ["rpl_semi_sync_master_%s", "wait_no_slave"]}


def held_commit(t, kind):
    """A commit stands in the binlog but is not seen in the engine while a dump reads its position: following it loses nothing."""
    source = t.own_server(kind, *(["--plugin-load-add=semisync_source.so"] if kind == "mysql" else []))
    target = t.server("mariadb" if kind == "mysql" else "mysql")
    name, without = HOLD[kind]
    switch = lambda on: "SET GLOBAL %s=%s" % (name % "enabled", "ON" if on else "OFF")
    for mode in ("binlog", "flush"):
        source.run(switch(False))
        t.database(source, "held", "CREATE TABLE h (id int PRIMARY KEY, v int)", "INSERT INTO h VALUES (1,1),(2,2)")
        t.gone_after(target, "held")
        source.run("SET GLOBAL %s=3600000" % (name % "timeout"), "SET GLOBAL %s=AFTER_SYNC" % (name % "wait_point"), "SET GLOBAL %s=ON" % (name % without),
                   switch(True))
        before = binlog.position(source)
        commit = threading.Thread(target=lambda: source.run("INSERT INTO held.h VALUES (100,1)"), daemon=True)
        commit.start()
        ferry.wait_until(lambda: binlog.position(source) != before, 60, "the commit in the binlog")
        assert source.run("SELECT id FROM held.h ORDER BY id") == ((1,), (2,)) and commit.is_alive()
        out = t.path(kind + mode)
        process = ferry.start(["dump", "--source", source.url, "--output", out, "-f", "held.*", "--consistency", mode, "--with-binlog"])
        try:  # the dump has its position, or waits for it
            ferry.wait_until(lambda: process.poll() is not None or captured.records(out, "epoch") or [
                r for r in source.run("SHOW FULL PROCESSLIST") if "FLUSH" in str(r[7]) or "log_status" in str(r[7])], 60, "the dump's position")
            assert commit.is_alive()
        finally:
            source.run(switch(False))
        commit.join(60)
        captured.finish(process).must()
        ferry.load(target, out).must()
        follow(source, target, "--input", out, "--until", "caught-up").must()
        assert target.run("SELECT id FROM held.h ORDER BY id") == ((1,), (2,), (100,)), mode
        t.say("%s: the row was in the dump: %s" % (mode, any(r.get("rows") == 3 for r in captured.records(out, "chunk"))))


def test_held_commit_mysql(t):
    held_commit(t, "mysql")


def test_held_commit_mariadb(t):
    held_commit(t, "mariadb")


def test_until_a_time(t):
    """It ends before the first transaction that was committed later; then goes on."""
    for kind in ("mariadb", "mysql"):
        source, target = t.own_server(kind), t.server("mariadb")
        t.database(source, "timed", "CREATE TABLE t (id int PRIMARY KEY)")
        t.gone_after(target, "timed")
        out = t.path(kind)
        ferry.dump(source, out, "-f", "timed.*").must()
        ferry.load(target, out).must()
        for i, second in enumerate((1000000000, 1000000060, 1000000061, 1000000120)):  # 2001-09-09 01:46:40 and later
            source.run("SET timestamp=%d" % second, "INSERT INTO timed.t VALUES (%d)" % i)
        for until, last in (("2001-09-09 01:46:39", -1), ("2001-09-09 01:46:40", 0), ("2001-09-09 01:47:40", 1), ("2001-09-09 01:48:00", 2)):
            follow(source, target, "--input", out, "--until", until).must()
            assert [r[0] for r in target.run("SELECT id FROM timed.t ORDER BY id")] == list(range(last + 1)), until
        follow(source, target, "--until", "caught-up").must()
        compare.same_database(source, target, "timed")


def statements_of(text):
    """What position prints, without its comments."""
    return [s for s in " ".join(line for line in text.splitlines() if not line.startswith("--")).split(";") if s.strip()]


def replica(t, kind):
    """The target that was followed becomes a replica of the source, from where the follower has ended."""
    source = t.own_server(kind, *(["--server-id=41"] if kind == "mysql" else ["--server-id=51"]))
    target = t.own_server(kind, "--server-id=61")
    t.database(source, "fo", *follow_test.tables("fo", kind), options="CHARACTER SET utf8mb4")
    follow_test.fill(source, "fo")
    out = t.path(kind)
    ferry.dump(source, out, "-f", "fo.*").must()
    ferry.load(target, out).must()
    writer = follow_test.Writer(source, "fo", t.seed).run(40)
    follow(source, target, "--input", out, "--until", "caught-up").must()
    writer.run(30).close()
    text = ferry.run("position", "--target", target.url, "--as", kind).must().out
    target.run(*statements_of(text))
    if kind == "mysql":
        target.run("CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=%d, SOURCE_USER='root', GET_SOURCE_PUBLIC_KEY=1, "
                   "SOURCE_AUTO_POSITION=1" % source.port, "START REPLICA")
        status = "SHOW REPLICA STATUS"
    else:
        target.run("CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=%d, MASTER_USER='root', MASTER_USE_GTID=slave_pos" % source.port, "START SLAVE")
        status = "SHOW SLAVE STATUS"
    source.run("INSERT INTO fo.account VALUES (999,0)")
    ferry.wait_until(lambda: target.run("SELECT 1 FROM fo.account WHERE id=999"), 60, "the replica: %s" % (target.run(status),))
    compare.same_database(source, target, "fo")


def test_replica_mariadb(t):
    replica(t, "mariadb")


def test_replica_mysql(t):
    replica(t, "mysql")
