"""ferry follow through what takes long: a target that is away for minutes, and a transaction of a gibibyte (FERRY_AWAY_SECONDS, FERRY_LARGE_MIB)."""

import os
import time

import captured
import compare
import ferry
import follow_test
from case import soak
from follow_faults_test import DURABLE, Persistent, ended_by_hand, live, marked
from follow_test import follow

AWAY = int(os.environ.get("FERRY_AWAY_SECONDS", "600"))
LARGE = int(os.environ.get("FERRY_LARGE_MIB", "1024"))


def away(t, kind, target_kind, *options):
    """One run waits for its target, while the source goes on, and follows all that has come meanwhile."""
    source, target = t.own_server(kind, *DURABLE), t.own_server(target_kind, *options)
    t.database(source, "fo", *follow_test.tables("fo", kind), options="CHARACTER SET utf8mb4")
    follow_test.fill(source, "fo")
    out = t.path("d")
    ferry.dump(source, out, "-f", "fo.*").must()
    ferry.load(target, out).must()
    writing = Persistent(source, t.seed)
    writing.start()
    process = live(source, target, out)
    try:
        there = marked(source, target, 20000)
        ferry.wait_until(lambda: process.poll() is not None or there(), 120, "changes")
        target.stop()
        before, until = writing.count, time.monotonic() + AWAY
        while time.monotonic() < until:
            assert process.poll() is None, captured.finish(process)
            time.sleep(min(5, AWAY))
        meanwhile = writing.count - before
        target.start()
        there = marked(source, target, 20001)
        ferry.wait_until(lambda: process.poll() is not None or there(), 600, "what has come meanwhile")
    finally:
        writing.stop()
    ended_by_hand(process)
    follow(source, target, "--until", "caught-up").must()
    compare.same_database(source, target, "fo")
    assert target.value("SELECT SUM(sum) FROM fo.account") == 20000
    t.say("away for %d s, %d transactions meanwhile" % (AWAY, meanwhile))


@soak
def test_tidb_away(t):
    away(t, "mysql", "tidb", "persist")


@soak
def test_mariadb_away(t):
    away(t, "mariadb", "mariadb", "--server-id=71", *DURABLE)


def peak(process, seconds):
    """Waits for its end: (the largest VmHWM in MiB, how long it took)."""
    most, began = 0, time.monotonic()
    while process.poll() is None:
        assert time.monotonic() - began < seconds, "it takes too long"
        try:
            with open("/proc/%d/status" % process.pid) as f:
                most = max([most] + [int(line.split()[1]) / 1024 for line in f if line.startswith("VmHWM")])
        except OSError:
            pass  # it has just ended
        time.sleep(0.05)
    return most, time.monotonic() - began


def large(t, kind, target_kind, *options):
    """One transaction: rows that are inserted, changed and deleted. The follower is killed in the midst of it, and its memory stays small."""
    source, target = t.own_server(kind), t.own_server(target_kind, *options)
    t.database(source, "fl", "CREATE TABLE big (id int PRIMARY KEY, n int NOT NULL, v varchar(1100) NOT NULL)",
               "CREATE TABLE seq (n int PRIMARY KEY)", "INSERT INTO seq WITH RECURSIVE s AS (SELECT 0 n UNION ALL SELECT n+1 FROM s WHERE n<999) SELECT n FROM s",
               "INSERT INTO big SELECT n, n, 'before' FROM seq")
    out = t.path("d")
    ferry.dump(source, out, "-f", "fl.*").must()
    ferry.load(target, out).must()
    thousands = LARGE * 1048576 // 1000 // 1010 * 9 // 10
    writer = source.connect(database="fl", autocommit=False)
    with writer.cursor() as cursor:
        cursor.execute("UPDATE big SET n=n+1")
        cursor.execute("INSERT INTO big SELECT 1000 + a.n * 1000 + b.n, b.n, CONCAT(LPAD(a.n, 10, '0'), REPEAT(CHAR(97 + b.n % 26), 990)) "
                       "FROM seq a, seq b WHERE a.n<" + str(thousands))
        cursor.execute("UPDATE big SET v=CONCAT(v, n) WHERE id % 20 = 0")
        cursor.execute("DELETE FROM big WHERE id % 50 = 1")
    writer.commit()
    writer.close()
    size = sum(row[1] for row in source.run("SHOW BINARY LOGS")) / 1048576
    process = live(source, target, out, "--until", "caught-up")
    ferry.wait_until(lambda: process.poll() is not None or target.run("SELECT 1 FROM information_schema.tables WHERE table_schema='ferry_meta' AND "
                                                                      "table_name='follow'"), 60, "its first steps")
    time.sleep(3)
    process.kill()
    captured.finish(process)
    assert target.value("SELECT COUNT(*) FROM fl.big") in (1000, source.value("SELECT COUNT(*) FROM fl.big"))
    process = live(source, target, out, "--until", "caught-up")
    most, seconds = peak(process, 3600)
    captured.finish(process).must(0)
    shown = [s.run("SELECT COUNT(*), SUM(id), SUM(n), SUM(CRC32(v)), SUM(LENGTH(v)) FROM fl.big") for s in (source, target)]
    assert shown[0] == shown[1], shown
    t.say("%s to %s: binlog of %.0f MiB, %.0f s, peak %.0f MiB" % (kind, target_kind, size, seconds, most))
    assert most < 256, most


@soak
def test_large_mariadb_tidb(t):
    large(t, "mariadb", "tidb", "persist")


@soak
def test_large_mysql_mariadb(t):
    large(t, "mysql", "mariadb", "--innodb-flush-log-at-trx-commit=2")
