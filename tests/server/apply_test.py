"""Row changes of a binlog, applied to a target: each exactly once, in parallel, whatever happens."""

import os
import signal

import apply
import binlog
import compare
import data
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
        number = 1 if step in ("taken", "before-point", "after-point") else t.random.randrange(1, 4)
        done = apply.run(source, target, at, "--filter", db + ".*", "--batch-rows", 10, "--threads", 4, faults=True,
                         env={"FERRY_FAULT": "follow.%s:%d" % (step, number)})
        if done.status == -signal.SIGKILL:
            died.append(step)
        else:
            done.must()
        apply.changes(source, db, t.random, 40)
    assert len(died) == 14, died
    apply.run(source, target, None, "--filter", db + ".*").must()
    same(source, target, db)
    assert target.value("SELECT COUNT(*) FROM ferry_meta.applied") == 0


def test_killed_everywhere_mysql(t):
    killed_everywhere(t, "mysql")


def test_killed_everywhere_tidb(t):
    killed_everywhere(t, "tidb")


def writers(target):
    """How many of an applier's connections have begun to write."""
    if not target.run("SELECT 1 FROM information_schema.tables WHERE table_schema='ferry_meta' AND table_name='applied_fence'"):
        return 0
    return target.value("SELECT COUNT(*) FROM ferry_meta.applied_fence WHERE conn<>0")


def zombie(t, target_kind):
    """A process stands still before each COMMIT; another one takes over and goes on; then the first one wakes up. The rows without
    a key are in its third transaction, which shares nothing with the other process's first one but the fence."""
    db = "ap_zombie"
    source, target, at = begin(t, "mariadb", target_kind, db)
    source.run("INSERT INTO `%s`.plain VALUES (1,1,'x')" % db, "INSERT INTO `%s`.plain VALUES (2,1,'x')" % db,
               "INSERT INTO `%s`.keyless VALUES (1,'a',0.5),(1,'a',0.5)" % db)
    first = apply.start(source, target, at, "--filter", db + ".*", "--threads", 3, "--batch-rows", 1, faults=True,
                        env={"FERRY_FAULT_PAUSE": "follow.before-commit:8"})
    ferry.wait_until(lambda: writers(target) == 3, 60, "three connections that write")
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
    ferry.wait_until(lambda: writers(target) or process.poll() is not None, 60, "a connection that writes")
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
    source.run("USE `%s`" % db, "INSERT INTO plain SELECT seq, 1, 'many' FROM seq_1001_to_2000")
    drift(t, target, source, db, at, "INSERT INTO `%s`.plain VALUES (1500,1,'many')" % db, "%s.plain (id=1500)" % db)
    target.run("DELETE FROM `%s`.plain WHERE id=1500" % db)
    apply.run(source, target, None, "--filter", db + ".*").must()
    same(source, target, db)


def test_drift_mysql(t):
    drifts(t, "mysql")


def test_drift_tidb(t):
    drifts(t, "tidb")


def large(t, target_kind):
    """One transaction above --spill-bytes: from a file, whole or, above --atomic-bytes, in parts, and killed between two of them."""
    db = "ap_large"
    source, target, at = begin(t, "mariadb", target_kind, db)
    source.run("USE `%s`" % db, "INSERT INTO plain SELECT seq, seq % 7, REPEAT('x', 30) FROM seq_1_to_8000")
    source.run("USE `%s`" % db, "BEGIN", "UPDATE plain SET n=n+1 WHERE id%2=0", "DELETE FROM plain WHERE id%3=0",
               "INSERT INTO keyless VALUES (1,'a',0.5),(1,'a',0.5)", "INSERT INTO plain SELECT seq, 1, 'y' FROM seq_8001_to_16000",
               "COMMIT")
    options = ["--filter", db + ".*", "--spill-bytes", 100000, "--threads", 2]
    cut = options + ["--atomic-bytes", 100000]
    for number in (1, 2):
        done = apply.run(source, target, at, *cut, faults=True, env={"FERRY_FAULT": "follow.part:%d" % number})
        assert done.status == -signal.SIGKILL, (done.status, done.report, done.err)
        assert target.value("SELECT done FROM ferry_meta.applied_part") > 0
    done = apply.run(source, target, None, *cut).must()
    assert done.report["cut"] >= 1, done.report
    assert target.run("SELECT * FROM ferry_meta.applied_part") == ()
    same(source, target, db)
    source.run("UPDATE `%s`.plain SET n=n+1" % db)
    done = apply.run(source, target, None, *options, faults=True, env={"FERRY_FAULT": "follow.before-commit"})
    assert done.status == -signal.SIGKILL and target.value("SELECT COUNT(*) FROM `%s`.plain WHERE n>8" % db) == 0, done.report
    done = apply.run(source, target, None, *options).must()
    assert done.report["cut"] == 0 and done.report["written"] == 1, done.report
    same(source, target, db)
    source.run("DELETE FROM `%s`.plain WHERE id>20" % db)
    target.run("DELETE FROM `%s`.plain WHERE id=10000" % db)
    done = apply.run(source, target, None, *options).must(3)
    assert "plain (id=10000)" in done.err, done.err


def test_large_mysql(t):
    large(t, "mysql")


def test_large_tidb(t):
    large(t, "tidb")


def test_twice_is_once(t):
    """Idempotent: from a state that is later than the start, and twice."""
    db = "ap_twice"
    source, target, at = begin(t, "mysql", "mariadb", db, keyless=False)
    apply.changes(source, db, t.random, 150, keyless=False)
    middle = binlog.position(source)
    apply.run(source, target, at, "--filter", db + ".*").must()
    apply.changes(source, db, t.random, 100, keyless=False)
    for job in (2, 3):
        apply.run(source, target, at, "--filter", db + ".*", "--idempotent", "--batch-rows", 30, "--job", job).must()
        same(source, target, db)
    done = apply.run(source, target, middle, "--filter", db + ".*", "--job", 4)
    assert done.report["error"] == "FERRY-FOLLOW-DRIFT", done.report  # exactly, it cannot be said twice


def every_type(t, source_kind, target_kind):
    """All types, with a key and without: written, changed and found again as they are."""
    db = "ap_types"
    source, target = t.server(source_kind), t.server(target_kind)
    t.database(source, db, options="CHARACTER SET utf8mb4")
    t.gone_after(target, db)
    names = data.make_every_type(source, db, target_kind != source_kind)
    for name in list(names):
        source.run("CREATE TABLE `%s`.`%s_bare` LIKE `%s`.`%s`" % (db, name, db, name),
                   "ALTER TABLE `%s`.`%s_bare` MODIFY id int NOT NULL, DROP PRIMARY KEY" % (db, name))
        names.append(name + "_bare")
    at = binlog.position(source)
    output = t.path("dump")
    empty = {name: source.run("RENAME TABLE `%s`.`%s` TO `%s`.`was_%s`" % (db, name, db, name),
                              "CREATE TABLE `%s`.`%s` LIKE `%s`.`was_%s`" % (db, name, db, name)) for name in names}
    assert len(empty) == len(names)
    ferry.dump(source, output, "-f", db + ".*", "-f", "!*.was_*").must()
    ferry.load(target, output).must()
    at = binlog.position(source)
    for name in names:
        source.run("SET sql_mode='NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES'", "INSERT INTO `%s`.`%s` SELECT * FROM `%s`.`was_%s`" % (
            db, name, db, name.replace("_bare", "")))
    options = ["--filter", db + ".*", "--filter", "!*.was_*", "--check-before-image"]
    apply.run(source, target, at, *options, "--job", 99).must()
    for name in names:
        compare.same_table(source, target, db, name)
    for name in names:
        source.run("SET sql_mode='NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES'", "UPDATE `%s`.`%s` SET id=id+1000 ORDER BY id DESC" % (db, name),
                   "DELETE FROM `%s`.`%s` WHERE id%%3=0" % (db, name))
    apply.run(source, target, None, *options, "--job", 99).must()
    for name in names:
        compare.same_table(source, target, db, name)


def test_every_type_mariadb_tidb(t):
    every_type(t, "mariadb", "tidb")


def test_every_type_mysql_tidb(t):
    every_type(t, "mysql", "tidb")


def test_foreign_keys(t):
    """No child is ever seen without its parent, whatever is written beside it."""
    db = "ap_foreign"
    source, target = t.server("mariadb"), t.server("mysql")
    t.database(source, db)
    t.database(target, db)
    t.gone_after(target)
    for server in (source, target):
        server.run("USE `%s`" % db, "CREATE TABLE p (id int NOT NULL PRIMARY KEY, n int)",
                   "CREATE TABLE c (id int NOT NULL PRIMARY KEY, p int, FOREIGN KEY (p) REFERENCES p (id))")
    at = binlog.position(source)
    connection = source.connect(database=db)
    with connection.cursor() as cursor:
        for i in range(60):
            cursor.execute("INSERT INTO p VALUES (%s,0)", i)
            cursor.execute("INSERT INTO c VALUES (%s,%s)", (i, i))
            if i >= 5:
                cursor.execute("DELETE FROM c WHERE id=%s", i - 5)
                cursor.execute("DELETE FROM p WHERE id=%s", i - 5)
    connection.close()
    process = apply.start(source, target, at, "--filter", db + ".*", "--batch-rows", 1, "--threads", 8)
    reader, looks = target.connect(database=db), 0
    with reader.cursor() as cursor:
        while process.poll() is None:
            cursor.execute("SELECT c.id FROM c LEFT JOIN p ON p.id=c.p WHERE p.id IS NULL")
            orphans = cursor.fetchall()
            assert not orphans, orphans
            looks += 1
    reader.close()
    apply.end(process).must()
    same(source, target, db)
    t.say("%d looks" % looks)
