"""Rows of the target that somebody else has changed: found, put on record once each, and left or repaired."""

import collections
import json
import signal

import apply
import binlog
import compare
import ferry
from case import quick


TWENTY = ",".join("(%d,%d,'x')" % (i, i) for i in range(1, 21))


def begin(t, target_kind, db):
    source, target = t.server("mysql" if target_kind == "mariadb" else "mariadb"), t.server(target_kind)
    t.database(source, db)
    t.database(target, db)
    t.gone_after(target)
    apply.make(source, db)
    apply.make(target, db)
    at = binlog.position(source)
    source.run("USE `%s`" % db, "INSERT INTO plain VALUES " + TWENTY, "INSERT INTO keyless VALUES (1,'a',0.5),(1,'b',0.1),(2,'c',1)",
               "INSERT INTO uniques VALUES (1,1,'eins',1),(2,2,'zwei',1),(3,3,'drei',1)", "INSERT INTO pairs VALUES ('p',1.50,0.1),('q',2.50,0.2)")
    apply.run(source, target, at, "--filter", db + ".*").must()
    return source, target


def damage(target, db):
    target.run("USE `%s`" % db, "DELETE FROM plain WHERE id IN (2,12)", "INSERT INTO plain VALUES (30,1,'theirs'),(31,1,'theirs')",
               "UPDATE plain SET n=99 WHERE id=5", "INSERT INTO uniques VALUES (9,NULL,'SIEBEN',1),(10,77,'zehn',1)",
               "UPDATE keyless SET v='B' WHERE v='b'", "DELETE FROM pairs WHERE a='p'")


def changes(source, db):
    for sql in ("UPDATE plain SET n=n+1 WHERE id=1", "UPDATE plain SET n=n+100 WHERE id=2", "UPDATE plain SET v='y' WHERE id IN (2,3)",
                "INSERT INTO plain VALUES (30,1,'ours')", "INSERT INTO plain VALUES (31,1,'ours')", "DELETE FROM plain WHERE id=31",
                "UPDATE plain SET v='z' WHERE id=5", "INSERT INTO uniques VALUES (7,7,'sieben',1)", "UPDATE uniques SET u=77, w='ZEHN' WHERE id=3",
                "DELETE FROM keyless WHERE v='b'", "UPDATE keyless SET n=7 WHERE v='c'", "UPDATE keyless SET n=2 WHERE v='c'",
                "UPDATE pairs SET v=v+1", "DELETE FROM uniques WHERE id=2"):
        source.run("USE `%s`" % db, sql)


FIELDS = ("name", "made", "kind", "key_name", "key_values", "differs", "done")
LOGGED = [("plain", "update", "missing", "PRIMARY", '{"id":2}', None), ("plain", "update", "missing", "PRIMARY", '{"id":2}', None),
          ("plain", "insert", "there", "PRIMARY", '{"id":30}', '["v"]'), ("plain", "insert", "there", "PRIMARY", '{"id":31}', '["v"]'),
          ("uniques", "insert", "there", "w", '{"w":"sieben"}', '["id","u","w"]'),
          ("uniques", "update", "there", "u", '{"u":77}', '["id","w"]'), ("uniques", "update", "there", "w", '{"w":"ZEHN"}', '["id","w"]'),
          ("keyless", "delete", "missing", None, None, None), ("pairs", "update", "missing", "PRIMARY", '{"a":"p","b":1.50}', None)]
REPAIRED = [row + ("removed" if row[0] == "uniques" else "repaired",) for row in [LOGGED[0]] + LOGGED[2:6] + LOGGED[7:]]  # a row goes once
DIFFERS = ("plain", "update", "differs", "PRIMARY", '{"id":5}', '["n"]')
LEFT = ("plain", "delete", "differs", "PRIMARY", '{"id":31}', '["v"]')


def records(target):
    rows = target.run("SELECT %s FROM ferry_meta.drift ORDER BY file,pos,row_no,part" % ",".join(FIELDS))
    return [tuple(None if c is None else str(c) for c in row) for row in rows]


def marked(wanted, word):
    return [row + (word,) for row in wanted]


def plain(target, db):
    return {row[0]: row[1:] for row in target.run("SELECT id,n,v FROM `%s`.plain WHERE id IN (1,2,3,5,30,31)" % db)}


def logged(t, target_kind, kills):
    db = "dr_log"
    source, target = begin(t, target_kind, db)
    damage(target, db)
    changes(source, db)
    options = ["--filter", db + ".*", "--on-drift", "log", "--threads", 3, "--batch-rows", t.random.choice([1, 3, 2000])]
    for step in kills:
        done = apply.run(source, target, None, *options, faults=True, env={"FERRY_FAULT": "follow." + step})
        assert done.status in (0, -signal.SIGKILL), (step, done.status, done.err)
    done = apply.run(source, target, None, *options).must()
    assert records(target) == marked(LOGGED, "logged"), records(target)
    if not kills:
        assert done.report["logged"] == len(LOGGED), done.report
    assert plain(target, db) == {1: (2, "x"), 3: (3, "y"), 5: (5, "z"), 30: (1, "theirs")}, plain(target, db)
    assert target.run("SELECT id,u,w FROM `%s`.uniques ORDER BY id" % db) == ((1, 1, "eins"), (3, 3, "drei"), (9, None, "SIEBEN"), (10, 77, "zehn"))


@quick
def test_logged_mysql(t):
    logged(t, "mysql", [])


def test_logged_killed_mysql(t):
    logged(t, "mysql", ["before-commit", "after-commit", "before-commit:2", "after-commit:2", "before-point"])


def test_logged_tidb(t):
    logged(t, "tidb", [])


def repaired(t, target_kind):
    """What the source has touched is as there; what it has not is as it was left."""
    db = "dr_repair"
    source, target = begin(t, target_kind, db)
    damage(target, db)
    changes(source, db)
    done = apply.run(source, target, None, "--filter", db + ".*", "--on-drift", "repair", "--batch-rows", t.random.choice([1, 3, 2000])).must()
    assert records(target) == REPAIRED, records(target)
    assert done.report["repaired"] == len(REPAIRED), done.report
    target.run("INSERT INTO `%s`.plain VALUES (12,12,'x')" % db, "UPDATE `%s`.plain SET n=5 WHERE id=5" % db,
               "DELETE FROM `%s`.keyless WHERE v='B'" % db)
    for name in compare.table_names(source, db):
        compare.same_table(source, target, db, name)


def test_repaired_mysql(t):
    repaired(t, "mysql")


def test_repaired_mariadb(t):
    repaired(t, "mariadb")


def test_repaired_tidb(t):
    repaired(t, "tidb")


def before_image(t, target_kind):
    """Whole rows are compared: nothing that is the same is taken for drift, and each value that is not is found."""
    db = "dr_before"
    source, target = begin(t, target_kind, db)
    options = ["--filter", db + ".*", "--check-before-image"]
    apply.changes(source, db, t.random, 60)
    apply.run(source, target, None, *options, "--batch-rows", t.random.choice([1, 20, 2000])).must()
    for name in compare.table_names(source, db):
        compare.same_table(source, target, db, name)
    source.run("USE `%s`" % db, "REPLACE INTO plain VALUES " + TWENTY, "DELETE FROM plain WHERE id>20", "DELETE FROM uniques",
               "DELETE FROM pairs", "DELETE FROM keyless", "INSERT INTO keyless VALUES (1,'a',0.5),(1,'b',0.1),(2,'c',1)",
               "INSERT INTO uniques VALUES (1,1,'eins',1),(2,2,'zwei',1),(3,3,'drei',1)", "INSERT INTO pairs VALUES ('p',1.50,0.1),('q',2.50,0.2)")
    apply.run(source, target, None, *options).must()
    damage(target, db)
    changes(source, db)
    done = apply.run(source, target, None, *options).must(3)
    assert done.report["error"] == "FERRY-FOLLOW-DRIFT", done.report
    found = records(target)
    assert found and all(row[-1] == "stopped" for row in found), found
    done = apply.run(source, target, None, *options, "--on-drift", "log", "--max-drift", 3).must(3)
    assert "more than 3 rows" in done.err, done.err
    apply.run(source, target, None, *options, "--on-drift", "log").must()
    wanted = LOGGED[:4] + [LEFT, DIFFERS] + LOGGED[4:]
    assert records(target) == marked(wanted, "logged"), records(target)
    assert plain(target, db)[5] == (99, "x") and plain(target, db)[31] == (1, "theirs"), plain(target, db)


def test_before_image_mysql(t):
    before_image(t, "mysql")


def test_before_image_tidb(t):
    before_image(t, "tidb")


def test_large_transaction(t):
    """One that is spilled, whole and in parts: the rows that do not fit are found within it, and each is on record once."""
    db = "dr_large"
    source, target = begin(t, "mysql", db)
    source.run("USE `%s`" % db, "INSERT INTO plain SELECT seq, seq % 7, REPEAT('x', 30) FROM seq_1001_to_9000")
    options = ["--filter", db + ".*", "--spill-bytes", 100000, "--threads", 2]
    apply.run(source, target, None, *options).must()
    for cut in ([], ["--atomic-bytes", 100000]):
        target.run("DELETE FROM `%s`.plain WHERE id IN (1500,8000)" % db, "DROP TABLE ferry_meta.drift")
        source.run("UPDATE `%s`.plain SET n=n+1 WHERE id>1000" % db)
        apply.run(source, target, None, *options).must(3)
        assert [row[4] for row in records(target)] == ['{"id":1500}'], records(target)
        done = apply.run(source, target, None, *options, *cut, "--on-drift", "repair", faults=True, env={"FERRY_FAULT": "follow.before-commit:2"})
        assert done.status == (-signal.SIGKILL if cut else 0), (done.status, done.err)
        apply.run(source, target, None, *options, *cut, "--on-drift", "repair").must()
        assert [row[4] for row in records(target)] == ['{"id":1500}', '{"id":8000}'], records(target)
        rows = target.run("SELECT row_no FROM ferry_meta.drift ORDER BY row_no")
        assert rows == ((500,), (7000,)), rows
        compare.same_table(source, target, db, "plain")


def test_follow_says_it(t):
    """By ferry follow: stops, leaves out and repairs, with a report of exactly these rows each time."""
    source, target = t.server("mariadb"), t.server("mysql")
    tables = ["CREATE TABLE a (id int PRIMARY KEY, v varchar(20))", "CREATE TABLE b (id int PRIMARY KEY, u int, UNIQUE KEY (u))"]
    t.database(source, "fd", *tables, "INSERT INTO a VALUES (1,'x'),(2,'x')")
    t.database(target, "fd", *tables, "INSERT INTO a VALUES (1,'x'),(3,'theirs')")
    t.gone_after(target)
    place, report = "%s:%d" % binlog.position(source), t.path("drift.jsonl")

    def follow(status, *more):
        done = ferry.run("follow", "--source", source.url, "--target", target.url, "--until", "caught-up", "--drift-report", report, *more).must(status)
        with open(report) as f:
            return done, [json.loads(line) for line in f]

    source.run("UPDATE fd.a SET v='y' WHERE id=2", "INSERT INTO fd.a VALUES (3,'ours')")
    done, found = follow(3, "--loaded-elsewhere", "--from", place, "--filter", "fd.*")
    assert "FERRY-FOLLOW-DRIFT" in done.err and len(found) == 1 and found[0]["done"] == "stopped", (done, found)
    done, found = follow(6, "--on-drift", "log")
    assert [(r["drift"], r["done"], r["key_values"], r["incoming"], r["existing"]) for r in found] == [
        ("missing", "logged", {"id": 2}, {"id": 2, "v": "y"}, None),
        ("there", "logged", {"id": 3}, {"id": 3, "v": "ours"}, {"id": 3, "v": "theirs"})], found
    assert "2 left as they are" in done.out and found[0]["position"].startswith(place.split(":")[0]) and found[1]["differs"] == ["v"], (done, found)
    source.run("UPDATE fd.a SET v='z'")
    done, found = follow(0, "--on-drift", "repair", "--check-before-image")
    assert [(r["drift"], r["done"], r["key_values"]) for r in found[2:]] == [("missing", "repaired", {"id": 2}), ("differs", "repaired", {"id": 3})], found
    assert found[3]["expected"] == {"id": 3, "v": "ours"} and found[3]["existing"] == {"id": 3, "v": "theirs"}, found
    compare.same_database(source, target, "fd")
    done = ferry.run("conflicts", "--target", target.url, "--drift-report", report + ".csv").must(0, "4 of ferry follow on record")
    assert "fd.a: insert at" in done.out and len(open(report + ".csv").read().splitlines()) == 5, done
    # Equal numbers of rows would hide what was left out.
    ferry.run("follow", "--source", source.url, "--target", target.url, "--cutover", "--set-read-only").must(3, "2 changes of the source were left out")
    # A row in the way that the source has under other values is not lost in silence.
    target.run("INSERT INTO fd.b VALUES (5,7)", "DELETE FROM ferry_meta.drift")
    source.run("SET sql_log_bin=0", "INSERT INTO fd.b VALUES (5,9)", "SET sql_log_bin=1", "INSERT INTO fd.b VALUES (6,7)")
    done, found = follow(6, "--on-drift", "repair")
    assert "1 repaired" in done.out and "1 rows in the way were removed" in done.out, done
    assert target.run("SELECT * FROM fd.b") == ((6, 7),) and [(r["done"], r["key"], r["existing"]) for r in found] == [("removed", "u", {"id": 5, "u": 7})], found
    ferry.run("follow", "--source", source.url, "--target", target.url, "--cutover", "--set-read-only", "--counts", "none").must(
        3, "1 rows of the target were in the way of others and were removed")


def test_merging_hides_nothing(t):
    """Changes that come to nothing within a batch still need the rows that they need one by one."""
    db = "dr_merge"
    source, target = begin(t, "mysql", db)
    run = ["--filter", db + ".*"]
    for harm, changes, mend in (("INSERT INTO plain VALUES (31,1,'theirs')", "INSERT INTO plain VALUES (31,1,'ours');DELETE FROM plain WHERE id=31",
                                 "DELETE FROM plain WHERE id=31"),
                                ("DELETE FROM keyless WHERE v='c'", "UPDATE keyless SET n=7 WHERE v='c';UPDATE keyless SET n=2 WHERE v='c'",
                                 "INSERT INTO keyless VALUES (2,'c',1)")):
        target.run("USE `%s`" % db, harm)
        source.run("USE `%s`" % db, "BEGIN", *changes.split(";"), "COMMIT")
        done = apply.run(source, target, None, *run).must(3)
        assert done.report["error"] == "FERRY-FOLLOW-DRIFT" and len(records(target)) == 1, (done.report, records(target))
        target.run("USE `%s`" % db, mend)
        apply.run(source, target, None, *run).must()
        assert records(target) == []


def harm(target, db, rng):
    """What somebody else might do: rows that go, change, or come under keys of their own and of others."""
    words = ["a", "B", "é", "zz", "y", "theirs"]
    for _ in range(rng.randrange(4, 10)):
        i, w = rng.randrange(1, 30), rng.choice(words)
        target.run("USE `%s`" % db, rng.choice([
            "DELETE FROM plain WHERE id=%d" % i, "DELETE FROM uniques WHERE id=%d" % i, "DELETE FROM keyless LIMIT 1", "DELETE FROM pairs LIMIT 1",
            "UPDATE plain SET n=-1 WHERE id=%d" % i, "UPDATE IGNORE uniques SET u=%d WHERE id=%d" % (rng.randrange(30), i),
            "UPDATE IGNORE uniques SET w='%s' WHERE id=%d" % (w, i), "UPDATE computed SET n=n+1 WHERE id=%d" % i,
            "REPLACE INTO plain VALUES (%d,-2,'theirs')" % i, "INSERT IGNORE INTO uniques VALUES (%d,%d,'%s',-3)" % (1000000 + i, i, w),
            "INSERT IGNORE INTO pairs VALUES ('%s',%d,-4)" % (w, i)]))


def repaired_at_random(t, target_kind):
    """In the end the source touches each of its rows: they are all there and exact, whatever was done to them, and the rest is not the source's."""
    db = "dr_random"
    source, target = begin(t, target_kind, db)
    for number in range(4):
        apply.changes(source, db, t.random, 40)
        harm(target, db, t.random)
        options = ["--filter", db + ".*", "--on-drift", "repair", "--batch-rows", t.random.choice([1, 7, 2000])]
        if number % 2:
            options.append("--check-before-image")
        apply.run(source, target, None, *options).must()
    target.run("DELETE FROM `%s`.plain" % db)
    source.run("USE `%s`" % db, "REPLACE INTO plain VALUES (500,1,'x')", "UPDATE plain SET n=IFNULL(n,0)+1", "UPDATE uniques SET v=IFNULL(v,0)+1",
               "UPDATE pairs SET v=IFNULL(v,0)+1", "UPDATE computed SET n=n+1",
               "UPDATE keyless SET n=IFNULL(n,0)+1000")  # no row becomes as another one was: that would hide its absence
    apply.run(source, target, None, *options).must()
    for name in compare.table_names(source, db):
        ours, theirs = (collections.Counter(server.run("SELECT * FROM `%s`.`%s`" % (db, name))) for server in (source, target))
        assert not ours - theirs, (name, ours - theirs)
        if name in ("plain", "computed"):
            assert len(theirs) <= len(ours) + 30, name
    assert target.value("SELECT COUNT(*) FROM ferry_meta.drift") > 0


def test_repaired_at_random_mysql(t):
    repaired_at_random(t, "mysql")


def test_repaired_at_random_tidb(t):
    repaired_at_random(t, "tidb")
