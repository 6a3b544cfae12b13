"""ferry follow: the source's binlog applied to a target that was loaded, by value."""

import json
import os
import random
import signal

import binlog
import captured
import compare
import ferry
from case import quick


def tables(db_source, kind):
    return ["CREATE TABLE plain (id int PRIMARY KEY, v varchar(40), d decimal(10,2), b varbinary(20))",
            "CREATE TABLE uniq (id int PRIMARY KEY AUTO_INCREMENT, u int NULL, n varchar(20), UNIQUE KEY (u))",
            "CREATE TABLE pair (a int, b varchar(20) CHARACTER SET latin1, c int, PRIMARY KEY (a, b))",
            "CREATE TABLE loose (a int, b varchar(20), f double)",
            "CREATE TABLE account (id int PRIMARY KEY, sum bigint)"]


def fill(server, db):
    server.run("USE " + db, "INSERT INTO plain VALUES " + ",".join("(%d,'v%d',%d.25,x'00ff%02x')" % (i, i, i, i % 256) for i in range(300)),
               "INSERT INTO uniq (id,u,n) VALUES " + ",".join("(%d,%s,'n%d')" % (i, "NULL" if i % 7 == 0 else i, i) for i in range(1, 300)),
               "INSERT INTO pair VALUES " + ",".join("(%d,'é%d',%d)" % (i % 10, i, i) for i in range(200)),
               "INSERT INTO loose VALUES " + ",".join("(%d,'x%d',%d.5)" % (i % 20, i % 3, i) for i in range(200)),
               "INSERT INTO account VALUES " + ",".join("(%d,1000)" % i for i in range(20)))


class Writer:
    """Random transactions of every kind that must be followed."""

    def __init__(self, server, db, seed):
        self.rng = random.Random(seed)
        self.connection = server.connect(database=db, autocommit=False)
        self.cursor = self.connection.cursor()
        self.next = 100000

    def transaction(self):
        rng, run = self.rng, self.cursor.execute
        for _ in range(rng.randrange(1, 5)):
            kind = rng.randrange(10)
            i, k = rng.randrange(400), rng.randrange(400)
            if kind == 0:
                self.next += 1
                run("INSERT INTO plain VALUES (%s,%s,%s,%s)", (self.next, "new'\\\n%d" % i, i, bytes([i % 256, 0, 92, 39])))
            elif kind == 1:
                run("UPDATE plain SET v=%s, d=d+0.5 WHERE id=%s", ("u%d" % k, i))
            elif kind == 2:
                run("DELETE FROM plain WHERE id=%s", (i,))
            elif kind == 3:
                run("UPDATE IGNORE plain SET id=%s WHERE id=%s", (rng.randrange(500, 900), i))
            elif kind == 4:
                run("REPLACE INTO uniq (id,u,n) VALUES (%s,%s,%s)", (i + 1, k, "r%d" % k))
            elif kind == 5:  # two rows swap a unique value
                run("SELECT id, u FROM uniq WHERE u IS NOT NULL ORDER BY id LIMIT 2 OFFSET %d" % rng.randrange(50))
                rows = self.cursor.fetchall()
                if len(rows) == 2:
                    run("UPDATE uniq SET u=-1 WHERE id=%s", (rows[0][0],))
                    run("UPDATE uniq SET u=%s WHERE id=%s", (rows[0][1], rows[1][0]))
                    run("UPDATE uniq SET u=%s WHERE id=%s", (rows[1][1], rows[0][0]))
            elif kind == 6:
                run("INSERT INTO pair VALUES (%s,%s,1) ON DUPLICATE KEY UPDATE c=c+1", (i % 10, "é%d" % k))
            elif kind == 7:
                run("UPDATE IGNORE pair SET b=%s WHERE a=%s AND b=%s", (("É%d" if i % 2 else "e%d") % k, k % 10, "é%d" % k))
            elif kind == 8:
                run("INSERT INTO loose VALUES (%s,%s,%s)", (i % 20, "x%d" % (k % 3), i / 3))
                run("DELETE FROM loose WHERE a=%s LIMIT 1", (k % 20,))
                run("UPDATE loose SET b=%s WHERE a=%s", ("y%d" % (i % 4), i % 20))
            else:  # the sum stays
                run("UPDATE account SET sum=sum-%s WHERE id=%s", (i, i % 20))
                run("UPDATE account SET sum=sum+%s WHERE id=%s", (i, k % 20))
        if rng.randrange(8) == 0:
            self.connection.rollback()
        else:
            self.connection.commit()

    def run(self, count):
        for _ in range(count):
            self.transaction()
        return self

    def close(self):
        self.connection.commit()
        self.connection.close()


def loaded(t, kind, target_kind, db="fo", own=False):
    """A source with its dump loaded into a target: (source, target, folder of the dump)."""
    source = t.own_server(kind) if own else t.server(kind)
    target = t.server(target_kind) if target_kind != kind else t.own_server(kind, "--server-id=71")
    t.database(source, db, *tables(db, kind), options="CHARACTER SET utf8mb4")
    t.gone_after(target, db)
    fill(source, db)
    out = t.path("dump-" + target_kind)
    ferry.dump(source, out, "-f", db + ".*").must()
    return source, target, out


def follow(source, target, *more, **options):
    return ferry.run("follow", "--source", source.url, "--target", target.url, *more, **options)


def check_follow(t, kind, target_kind):
    source, target, out = loaded(t, kind, target_kind)
    writer = Writer(source, "fo", t.seed).run(150)
    ferry.load(target, out).must()
    follow(source, target, "--input", out, "--until", "caught-up").must(0, "the target is at")
    compare.same_database(source, target, "fo")
    writer.run(100)
    writer.close()
    follow(source, target, "--until", "caught-up").must()
    compare.same_database(source, target, "fo")
    follow(source, target, "--until", "%s:%d" % binlog.position(source)).must(0, "transactions followed: 0")
    assert target.value("SELECT SUM(sum) FROM fo.account") == 20000


@quick
def test_mariadb_to_mariadb(t):
    check_follow(t, "mariadb", "mariadb")


def test_mysql_to_tidb(t):
    check_follow(t, "mysql", "tidb")


def test_mariadb_to_tidb(t):
    check_follow(t, "mariadb", "tidb")


def test_mysql_to_mariadb(t):
    check_follow(t, "mysql", "mariadb")


def test_killed_and_continued(t):
    """SIGKILL at each of the follower's steps, while the source goes on being written."""
    source, target, out = loaded(t, "mariadb", "mysql")
    ferry.load(target, out).must()
    writer = Writer(source, "fo", t.seed)
    args = ["follow", "--source", source.url, "--target", target.url, "--input", out, "--until", "caught-up", "-t", "4"]
    steps = ["follow.begin", "follow.before-commit", "follow.after-commit", "follow.before-point", "follow.after-point", "follow.taken"]
    for step in steps:
        writer.run(25)
        ferry.run_fault(step, *args)
    writer.close()
    ferry.run(*args).must()
    compare.same_database(source, target, "fo")


def test_ddl(t):
    """What can be done exactly is done; said twice it stays as it is."""
    for target_kind in ("tidb", "mysql"):
        source, target, out = loaded(t, "mariadb", target_kind)
        ferry.load(target, out).must()
        writer = Writer(source, "fo", t.seed).run(20)
        writer.connection.commit()
        source.run("USE fo", "TRUNCATE TABLE plain", "INSERT INTO plain VALUES (1,'a',1,NULL)",
                   "CREATE TABLE fresh (id int PRIMARY KEY, v varchar(20) CHARACTER SET latin1, KEY (v))", "INSERT INTO fresh VALUES (1,'ä'),(2,'b')",
                   "CREATE TABLE twin LIKE fresh", "INSERT INTO twin SELECT * FROM fresh",
                   "RENAME TABLE fresh TO old_, twin TO fresh", "UPDATE fresh SET v='swapped' WHERE id=2",
                   "ALTER TABLE fresh ADD COLUMN n int NOT NULL DEFAULT 5 AFTER id, ADD COLUMN z varchar(9) DEFAULT 'q'",
                   "INSERT INTO fresh VALUES (3,7,'c','d')", "ALTER TABLE uniq DROP COLUMN n", "UPDATE uniq SET u=u+10000",
                   "CREATE INDEX nn ON fresh (n)", "ALTER TABLE fresh DROP INDEX nn, ADD UNIQUE KEY zz (z, id)",
                   "CREATE TABLE gone (id int)", "INSERT INTO gone VALUES (1)", "DROP TABLE gone, old_",
                   "DELETE FROM account WHERE id=3")
        follow(source, target, "--input", out, "--until", "caught-up").must(0, "definitions changed: ")
        compare.same_database(source, target, "fo")
        writer.close()
        t.gone_after(target, "fo")


DDL = ["TRUNCATE TABLE plain", "CREATE TABLE fresh LIKE uniq", "RENAME TABLE uniq TO tmp_, fresh TO uniq", "ALTER TABLE pair ADD COLUMN n int DEFAULT 3",
       "ALTER TABLE pair DROP COLUMN c", "DROP TABLE tmp_"]


def test_ddl_killed(t):
    """Killed before a statement of DDL is sent, behind it, and behind its record: it is done once."""
    for target_kind in ("tidb", "mariadb"):
        source, target, out = loaded(t, "mysql", target_kind)
        ferry.load(target, out).must()
        args = ["follow", "--source", source.url, "--target", target.url, "--input", out, "--until", "caught-up"]
        for i, statement in enumerate(DDL):
            source.run("USE fo", "INSERT INTO account VALUES (%d,0)" % (1000 + i), statement, "UPDATE account SET sum=1 WHERE id=%d" % (1000 + i))
            ferry.run_fault(["follow.ddl.noted", "follow.ddl.executed", "follow.ddl.kept"][i % 3], *args)
            ferry.run_fault(["follow.ddl.executed", "follow.ddl.kept", "follow.ddl.kept"][i % 3], *args) if i % 3 < 2 and i != 2 else None
        ferry.run(*args).must()
        compare.same_database(source, target, "fo")


def test_stops_by_name(t):
    """What cannot be followed exactly stops with its place; what is not followed does not."""
    source, target, out = loaded(t, "mariadb", "mysql")
    follow(source, target, "--input", out).must(1, ["no state of a load", "load the dump first"])
    ferry.load(target, out).must()
    follow(target, target, "--input", out).must(1, ["FERRY-FOLLOW-SOURCE", "is from MariaDB", "this source is MySQL"])
    follow(source, target).must(2, "name the dump with --input")
    t.database(source, "elsewhere", "CREATE TABLE x (id int)", "INSERT INTO x VALUES (1)", "ALTER TABLE x ADD COLUMN y int", "DROP TABLE x")
    source.run("USE fo", "DELETE FROM account WHERE id=1", "ALTER TABLE plain MODIFY v varbinary(160)")
    run = lambda *more: follow(source, target, "--input", out, "--until", "caught-up", *more)
    for _ in range(2):
        run().must(1, ["FERRY-FOLLOW-DDL", "ALTER TABLE plain MODIFY v varbinary(160)"])
    assert target.value("SELECT COUNT(*) FROM fo.account WHERE id=1") == 0
    target.run("DELETE FROM fo.account WHERE id=2")
    source.run("USE fo", "ALTER TABLE plain MODIFY v varchar(40)")
    run("--ddl", "stop").must(1, "--ddl stop")


def test_cascades_are_refused(t):
    source = t.server("mariadb")
    target = t.server("mysql")
    t.database(source, "fo", "CREATE TABLE p (id int PRIMARY KEY)",
               "CREATE TABLE c (id int PRIMARY KEY, p int, FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE)", "INSERT INTO p VALUES (1)",
               "INSERT INTO c VALUES (1,1)")
    t.gone_after(target, "fo")
    ferry.dump(source, t.path("d"), "-f", "fo.*").must()
    ferry.load(target, t.path("d")).must()
    follow(source, target, "--input", t.path("d"), "--until", "caught-up").must(1, ["FERRY-FOLLOW-CASCADE", "fo.c"])
    source.run("INSERT INTO fo.c VALUES (2,1)")
    follow(source, target, "--input", t.path("d"), "--until", "caught-up", "--cascades", "none").must()
    compare.same_database(source, target, "fo")


def test_names_and_filters_of_the_load(t):
    """Renamed tables under their new names; what the dump or the load left out stays out; sequences are passed over."""
    source, target = t.server("mariadb"), t.server("tidb")
    t.database(source, "fo", "CREATE TABLE a (id int PRIMARY KEY, v int)", "CREATE TABLE b (id int PRIMARY KEY)", "CREATE TABLE c (id int PRIMARY KEY)",
               "CREATE SEQUENCE s", "INSERT INTO a VALUES (1,1)")
    t.gone_after(target, "fo", "fo2", "fo3", "fo4")
    ferry.dump(source, t.path("d"), "-f", "fo.*", "-f", "!fo.c").must()
    ferry.load(target, t.path("d"), "-f", "fo.*", "-f", "!fo.b", "--rename", "fo.*=fo2.*", "--rename", "fo.a=fo3.aa").must()
    source.run("USE fo", "INSERT INTO a VALUES (2,2)", "INSERT INTO b VALUES (1)", "ALTER TABLE b ADD COLUMN x int", "INSERT INTO c VALUES (1)",
               "SELECT NEXTVAL(s)", "DELETE FROM a WHERE id=1", "CREATE TABLE n (id int PRIMARY KEY)", "INSERT INTO n VALUES (5)", "DROP TABLE c",
               "ALTER TABLE a ADD COLUMN w int DEFAULT 9", "UPDATE a SET v=3")
    follow(source, target, "--input", t.path("d"), "--until", "caught-up").must()
    assert target.run("SELECT id, v, w FROM fo3.aa") == ((2, 3, 9),) and target.run("SELECT id FROM fo2.n") == ((5,),)
    assert [r[0] for r in target.run("SHOW FULL TABLES IN fo2") if r[1] == "BASE TABLE"] == ["n"]
    assert "follow.load" not in follow(source, target, "--until", "caught-up").must().err
    ferry.load(target, t.path("d"), "-f", "fo.a", "--rename", "fo.*=fo4.*").must()
    follow(source, target, "--input", t.path("d"), "--until", "caught-up").must(0, ["follow.load", "fo4", "others=1"])
    assert target.run("SELECT id, v, w FROM fo4.a") == ((2, 3, 9),)


def contents(server, db):
    return {table: compare.rows(server, db, table, compare.columns(server, db, table)) for table in compare.table_names(server, db)}


def test_load_ends_with_the_captured_binlog(t):
    """Changes that are made while the dump runs, with the source away afterwards; killed within the replay."""
    source = t.own_server("mariadb")
    target = t.server("mysql")
    t.database(source, "fo", *tables("fo", "mariadb"), options="CHARACTER SET utf8mb4")
    t.gone_after(target, "fo")
    fill(source, "fo")
    out = t.path("d")
    with captured.held_dump(source, out, "-f", "fo.*") as dump:
        Writer(source, "fo", t.seed).run(60).close()
    captured.finish(dump).must()
    expected = contents(source, "fo")
    source.kill()
    ferry.run_fault("follow.after-commit", "load", "--target", target.url, "--input", out)
    ferry.load(target, out).must(0, "transactions followed")
    assert contents(target, "fo") == expected
    ferry.load(target, out).must(0, "nothing to do")


def test_live_status_interrupt_and_position(t):
    """It goes on by itself, says where it is, ends at a transaction's end, and its place starts a replica of the source."""
    source, target, out = loaded(t, "mariadb", "mysql")
    ferry.load(target, out).must()
    ferry.run("position", "--target", target.url).must(1, "has not been followed")
    process = ferry.start(["follow", "--source", source.url, "--target", target.url, "--input", out, "--server-id", "4711"])
    writer = Writer(source, "fo", t.seed).run(30)
    source.run("INSERT INTO fo.account VALUES (777,0)")
    ferry.wait_until(lambda: target.run("SELECT 1 FROM fo.account WHERE id=777"), 60, "the row")
    assert 4711 in [row[0] for row in source.run("SHOW SLAVE HOSTS")]
    ferry.wait_until(lambda: "followed to" in ferry.run("status", target.url).must().out, 30, "its status")
    ferry.run("position", "--target", target.url).must(1, ["FERRY-FOLLOW-STATE", "SIGINT"])
    follow(source, target).must(1, "FERRY-FOLLOW-FENCED")
    writer.run(20)
    process.send_signal(signal.SIGINT)
    out_text = process.communicate(timeout=60)[0].decode()
    assert process.returncode == 130 and "the target is at" in out_text, out_text
    place = json.loads(ferry.run("position", "--target", target.url, "--as", "json").must().out)["position"]
    assert "%s:%d" % (place["file"], place["offset"]) in out_text, (place, out_text)
    assert json.loads(ferry.run("status", target.url, "--json").must().out)["loads"][0]["follow"]["offset"] == place["offset"]
    ferry.run("position", "--target", target.url, "--as", "dm").must(0, ["binlog-pos: %d" % place["offset"], "safe-mode: false"])
    ferry.run("position", "--target", target.url, "--as", "mariadb").must(0, "SET GLOBAL gtid_slave_pos='%s'" % place["gtid"])
    writer.run(10).close()
    at = binlog.position(source)
    source.run("DELETE FROM fo.account")
    follow(source, target, "--until", "%s:%d" % at).must()
    assert target.value("SELECT SUM(sum) FROM fo.account") == 20000
    gtid = binlog.gtids(source)
    source.run("DELETE FROM fo.loose")
    follow(source, target, "--until", gtid).must(0, "GTID " + gtid)
    assert target.value("SELECT COUNT(*) FROM fo.account") == 0 and target.value("SELECT COUNT(*) FROM fo.loose") > 0
    target.run("CREATE TRIGGER fo.again BEFORE DELETE ON fo.loose FOR EACH ROW SET @x = 1")
    follow(source, target, "--until", "caught-up").must(1, "the trigger again")
    target.run("DROP TRIGGER fo.again")
    follow(source, target, "--until", "caught-up").must()
    compare.same_database(source, target, "fo")


def test_loaded_elsewhere(t):
    """From a position, a GTID set, and now; gated."""
    source, target = t.own_server("mysql"), t.server("tidb")
    t.database(source, "fo", "CREATE TABLE a (id int PRIMARY KEY, v int)", "CREATE TABLE b (id int PRIMARY KEY)")
    t.gone_after(target, "fx")
    names = ["--filter", "fo.a", "--rename", "fo.*=fx.*"]
    follow(source, target, "--from", "now", *names).must(2, "--loaded-elsewhere")
    follow(source, target, "--loaded-elsewhere", *names).must(2, "--from")
    for by_gtid in (False, True):
        source.run("USE fo", "DELETE FROM a", "INSERT INTO a VALUES (1,1)")
        target.run("DROP DATABASE IF EXISTS ferry_meta", "DROP DATABASE IF EXISTS fx", "CREATE DATABASE fx", "CREATE TABLE fx.a (id int PRIMARY KEY, v int)",
                   "INSERT INTO fx.a VALUES (1,1)")
        place = binlog.gtids(source) if by_gtid else "%s:%d" % binlog.position(source)
        source.run("INSERT INTO fo.a VALUES (2,2)", "INSERT INTO fo.b VALUES (%d)" % by_gtid, "UPDATE fo.a SET v=7 WHERE id=1")
        follow(source, target, "--loaded-elsewhere", "--from", place, *names, "--until", "caught-up").must(0, "transactions followed: 3")
        assert target.run("SELECT * FROM fx.a ORDER BY id") == ((1, 7), (2, 2))
        source.run("DELETE FROM fo.a WHERE id=2")
        follow(source, target, "--until", "caught-up").must(0, "transactions followed: 1")
    target.run("DROP DATABASE ferry_meta")
    follow(source, target, "--loaded-elsewhere", "--from", "now", *names, "--until", "caught-up").must(0, "transactions followed: 0")


def test_another_server_by_gtid(t):
    """The source's replica is followed instead of it: by GTID, since its offsets are others; a server that lacks transactions is refused."""
    source, target, out = loaded(t, "mysql", "mariadb", own=True)
    replica = t.own_server("mysql", "--server-id=99")
    ferry.load(target, out).must()
    writer = Writer(source, "fo", t.seed).run(20)
    follow(source, target, "--input", out, "--until", "caught-up").must()
    follow(replica, target, "--until", "caught-up").must(1, "FERRY-FOLLOW-SOURCE")
    replica.run("CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=%d, SOURCE_USER='root', SOURCE_AUTO_POSITION=1, "
                "GET_SOURCE_PUBLIC_KEY=1" % source.port, "CREATE DATABASE own", "START REPLICA")
    writer.run(30).close()
    ferry.wait_until(lambda: replica.run("SELECT GTID_SUBSET('%s', @@gtid_executed)" % binlog.gtids(source))[0][0] == 1, 60, "the replica")
    follow(replica, target, "--until", "caught-up").must(0, "followed by GTID")
    compare.same_database(source, target, "fo")


def test_reset_binlog_with_the_same_names(t):
    """RESET, and then as many bytes again: file and offset are back, but what was between them is lost."""
    for kind, reset in (("mariadb", "RESET MASTER"), ("mysql", "RESET BINARY LOGS AND GTIDS")):
        source, target = t.own_server(kind), t.server("mariadb")
        statements = ["INSERT INTO reset_log.t VALUES (%d)" % i for i in range(100, 120)]

        def fill_log():
            source.run("DROP DATABASE IF EXISTS reset_log", "CREATE DATABASE reset_log", "CREATE TABLE reset_log.t (id int PRIMARY KEY)")

        source.run(reset)
        fill_log()
        out = t.path("dump-" + kind)
        t.gone_after(target, "reset_log")
        ferry.run("dump", "--source", source.url, "--output", out, "-f", "reset_log.*").must()
        ferry.run("load", "--target", target.url, "--input", out).must()
        follow = ["follow", "--source", source.url, "--target", target.url, "--input", out, "--until", "caught-up"]
        source.run(*statements)
        ferry.run(*follow).must()
        began = source.value("SELECT UNIX_TIMESTAMP()")
        ferry.wait_until(lambda: source.value("SELECT UNIX_TIMESTAMP()") > began, 10, "another second")
        source.run(reset)
        fill_log()
        source.run(*statements)
        source.run("INSERT INTO reset_log.t VALUES (1000)")
        ferry.run(*follow).must(1, ["FERRY-FOLLOW-SOURCE", "is not the file that was followed"])
        assert target.value("SELECT COUNT(*) FROM reset_log.t") == 20
        target.run("DROP DATABASE ferry_meta")
