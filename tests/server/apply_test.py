"""Row changes of a binlog, applied to a target: each exactly once, in parallel, whatever happens."""

import os
import signal
import threading

import apply
import binlog
import compare
import ferry
from case import quick


def begin(t, source_kind, target_kind, db, keyless=True):
    """A source with the tables, the same on the target, and the position behind."""
    source, target = t.server(source_kind), t.server(target_kind)
    t.database(source, db)
    t.database(target, db)
    t.gone_after(target)
    apply.make(source, db, keyless)
    apply.make(target, db, keyless)
    return source, target, binlog.position(source)


def same(source, target, db):
    for name in compare.table_names(source, db):
        compare.same_table(source, target, db, name)


def mixed(t, source_kind, target_kind):
    """Twice: from one transaction at a time in a unit to as many as there are."""
    db = "ap_mixed"
    source, target, at = begin(t, source_kind, target_kind, db)
    for rows in (1, 25, 2000):
        apply.changes(source, db, t.random, 120)
        done = apply.run(source, target, at, "--filter", db + ".*", "--batch-rows", rows).must()
        assert done.report["changes"] > 100, done.report
        same(source, target, db)


@quick
def test_mixed_mysql_mariadb(t):
    mixed(t, "mysql", "mariadb")


def test_mixed_mariadb_tidb(t):
    mixed(t, "mariadb", "tidb")


def test_mixed_mariadb_mysql(t):
    mixed(t, "mariadb", "mysql")


def killed_everywhere(t, target_kind):
    """SIGKILL at each step, at a time of its own; in the end each change is there once."""
    db = "ap_kill"
    source, target, at = begin(t, "mariadb", target_kind, db)
    apply.changes(source, db, t.random, 150)
    died = []
    for step in ("taken", "unit", "begin", "before-commit", "after-commit", "before-point", "after-point") * 2:
        number = 1 if step in ("taken", "before-point", "after-point") else t.random.randrange(1, 6)
        done = apply.run(source, target, at, "--filter", db + ".*", "--batch-rows", 10, "--threads", 4, faults=True,
                         env={"FERRY_FAULT": "follow.%s:%d" % (step, number)})
        if done.status == -signal.SIGKILL:
            died.append(step)
        else:
            done.must()
        apply.changes(source, db, t.random, 25)
    assert len(died) == 14, died
    apply.run(source, target, None, "--filter", db + ".*").must()
    same(source, target, db)
    assert target.value("SELECT COUNT(*) FROM ferry_meta.applied") == 0


def test_killed_everywhere_mysql(t):
    killed_everywhere(t, "mysql")


def test_killed_everywhere_tidb(t):
    killed_everywhere(t, "tidb")


def writes(target):
    """Whether an applier has a connection that writes."""
    if not target.run("SELECT 1 FROM information_schema.tables WHERE table_schema='ferry_meta' AND table_name='applied_fence'"):
        return False
    return target.value("SELECT COUNT(*) FROM ferry_meta.applied_fence WHERE conn<>0") > 0


def zombie(t, target_kind):
    """A process stands still before a COMMIT; another one takes over and goes on; then the first one wakes up."""
    db = "ap_zombie"
    source, target, at = begin(t, "mariadb", target_kind, db)
    source.run("INSERT INTO `%s`.keyless VALUES (1,'a',0.5),(1,'a',0.5)" % db, "INSERT INTO `%s`.plain VALUES (1,1,'x')" % db)
    first = apply.start(source, target, at, "--filter", db + ".*", "--threads", 2, faults=True,
                        env={"FERRY_FAULT_PAUSE": "follow.before-commit:5"})
    ferry.wait_until(lambda: writes(target), 60, "a connection that writes")
    os.kill(first.pid, signal.SIGSTOP)
    apply.run(source, target, None, "--filter", db + ".*").must()
    same(source, target, db)
    os.kill(first.pid, signal.SIGCONT)
    done = apply.end(first)
    assert done.status != 0 and done.report["error"] == "FERRY-FOLLOW-FENCED", (done.status, done.report, done.err[-500:])
    same(source, target, db)


@quick
def test_zombie_mysql(t):
    zombie(t, "mysql")


def test_zombie_tidb(t):
    zombie(t, "tidb")


def lost_connections(t, target_kind):
    """The target's connections are killed all the time."""
    db = "ap_lost"
    source, target, at = begin(t, "mariadb", target_kind, db)
    apply.changes(source, db, t.random, 250)
    process = apply.start(source, target, at, "--filter", db + ".*", "--batch-rows", 5, "--threads", 4)
    ferry.wait_until(lambda: writes(target) or process.poll() is not None, 60, "a connection that writes")
    killer = target.connect()
    killed = 0
    with killer.cursor() as cursor:
        while process.poll() is None:
            cursor.execute("SELECT id FROM information_schema.processlist WHERE id<>CONNECTION_ID() AND command<>'Daemon' AND user='root'")
            for (number,) in cursor.fetchall():
                try:
                    cursor.execute("KILL %d" % number)
                    killed += 1
                except killer.Error:
                    pass  # it has ended
            try:
                process.wait(0.4)
            except Exception:
                pass
    killer.close()
    apply.end(process).must()
    same(source, target, db)
    t.say("%d connections killed" % killed)


def test_lost_connections_mysql(t):
    lost_connections(t, "mysql")


def drift(t, target, source, db, at, change, words):
    """`change` on the target alone; the next change of the source is refused by table, key and position."""
    target.run(change)
    done = apply.run(source, target, None, "--filter", db + ".*").must(3)
    assert done.report["error"] == "FERRY-FOLLOW-DRIFT", done.report
    for word in [words] if isinstance(words, str) else words:
        assert word in done.err, (word, done.err)


def drifts(t, target_kind):
    db = "ap_drift"
    source, target, at = begin(t, "mariadb", target_kind, db)
    source.run("INSERT INTO `%s`.plain VALUES (1,1,'x'),(2,2,'x'),(3,3,'x')" % db, "INSERT INTO `%s`.keyless VALUES (1,'a',0.5),(1,'b',0.5)" % db,
               "INSERT INTO `%s`.uniques VALUES (1,1,'eins',1)" % db)
    apply.run(source, target, at, "--filter", db + ".*").must()
    file, offset = binlog.position(source)
    source.run("UPDATE `%s`.plain SET n=n+1" % db)
    drift(t, target, source, db, at, "DELETE FROM `%s`.plain WHERE id=2" % db, ["%s.plain (id=2)" % db, "%s:" % file, "is not in the target"])
    target.run("INSERT INTO `%s`.plain VALUES (2,2,'x')" % db)
    apply.run(source, target, None, "--filter", db + ".*").must()
    source.run("INSERT INTO `%s`.plain VALUES (7,7,'y')" % db, "INSERT INTO `%s`.uniques VALUES (2,7,'sieben',1)" % db)
    drift(t, target, source, db, at, "INSERT INTO `%s`.uniques VALUES (9,NULL,'SIEBEN',1)" % db, "%s.uniques (id=2)" % db)
    target.run("DELETE FROM `%s`.uniques WHERE id=9" % db)
    apply.run(source, target, None, "--filter", db + ".*").must()
    source.run("DELETE FROM `%s`.keyless WHERE v='b'" % db)
    drift(t, target, source, db, at, "UPDATE `%s`.keyless SET v='B' WHERE v='b'" % db, "%s.keyless" % db)
    target.run("UPDATE `%s`.keyless SET v='b' WHERE v='B'" % db)
    apply.run(source, target, None, "--filter", db + ".*").must()
    same(source, target, db)


def test_drift_mysql(t):
    drifts(t, "mysql")


def test_drift_tidb(t):
    drifts(t, "tidb")
