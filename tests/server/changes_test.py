"""Tables that others alter, rename or exchange while a dump runs: noticed, and never silently wrong."""

import os
import time

import compare
import ferry

# no table is opened under the lock, and there is time for others before a worker opens one
PAUSE = {"FERRY_FAULT_PAUSE": "dump.pin:0.15,dump.epoch.record:1.5"}


def made(t, kind):
    source = t.own_server(kind)
    fill(t, source)
    return source


def fill(t, source):
    t.database(source, "ddl", "CREATE TABLE a (id int PRIMARY KEY, v varchar(100))", "CREATE TABLE b LIKE a",
               "INSERT INTO a VALUES (1, 'a'), (2, 'a')", "INSERT INTO b VALUES (1, 'b'), (3, 'b'), (4, 'b')",
               "CREATE TABLE `odd @name` (id int PRIMARY KEY)", "INSERT INTO `odd @name` VALUES (5)",
               "CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), "
               "PARTITION p1 VALUES LESS THAN (20))", "INSERT INTO p VALUES (1), (11)",
               "CREATE TABLE q (id int PRIMARY KEY)", "INSERT INTO q VALUES (2), (3)")


def dump_while(t, source, out, statements, *more, url=None, status=1, says=()):
    """The statements run when the snapshots are open and before a worker has opened a table."""
    args = ["dump", "--source", url or source.url, "--output", out, "-f", "ddl.*", "--ddl-lock", "no"] + list(more)
    process = ferry.start(args, program=ferry.fault_binary(), env=PAUSE)
    ferry.wait_until(lambda: process.poll() is not None or snapshot_open(source), what="the snapshot")
    for s in statements:
        source.run(s)
    out_, err = process.communicate(timeout=60)
    run = ferry.Run(args, process.returncode, out_.decode(), err.decode())
    return run if status is None else run.must(status, says)


def snapshot_open(source):
    time.sleep(0.2)  # MariaDB gives the last answer again to who asks sooner
    return len(source.run("SELECT 1 FROM information_schema.innodb_trx")) >= 4


def started_again(out, name):
    """Nothing of the table counts but what was read in the second epoch."""
    records = ferry.manifest(out)
    number = [r["table"] for r in records if r["record"] == "table" and r["name"] == name][0]
    of = [r for r in records if r.get("table") == number]
    void = max(i for i, r in enumerate(of) if r["record"] == "void")
    assert [r["epoch"] for r in of[void:] if r["record"] == "chunk"] == [2], of
    ferry.run("verify", "--input", out).must()


SWAPS = {"rename": (["RENAME TABLE ddl.a TO ddl.a_old, ddl.b TO ddl.a, ddl.a_old TO ddl.b"], "a"),
         "exchange": (["ALTER TABLE ddl.p EXCHANGE PARTITION p0 WITH TABLE ddl.q"], "p"),
         "odd": (["RENAME TABLE ddl.`odd @name` TO ddl.x, ddl.x TO ddl.`odd @name`", "ALTER TABLE ddl.`odd @name` FORCE"], "odd @name")}


def swapped(t, kind):
    source = made(t, kind)
    for word, (statements, table) in SWAPS.items():
        fill(t, source)
        out = t.path(word)
        r = dump_while(t, source, out, statements, status=None)
        if r.status == 0:
            r.must(0, "altered, renamed or replaced while the dump read it")
            started_again(out, table)
        else:
            r.must(1, ["was dropped or altered", "ddl." + table if word != "odd" else table])


def test_swapped_after_the_lock_mariadb(t):
    swapped(t, "mariadb")


def test_swapped_after_the_lock_mysql(t):
    swapped(t, "mysql")


def test_each_means_alone(t):
    """The same exchange, seen by table ids without the binlog, and by the binlog without table ids."""
    source = made(t, "mariadb")
    source.run("CREATE USER i@'127.0.0.1'", "GRANT SELECT, RELOAD, PROCESS, REPLICATION CLIENT ON *.* TO i@'127.0.0.1'",
               "CREATE USER l@'127.0.0.1'", "GRANT SELECT, RELOAD, BINLOG MONITOR, REPLICATION SLAVE ON *.* TO l@'127.0.0.1'")
    for user, words in (("i", "table id"), ("l", "EXCHANGE PARTITION")):
        fill(t, source)
        out = t.path(user)
        url = source.url.replace("root@", user + "@")
        dump_while(t, source, out, ["ALTER TABLE ddl.p EXCHANGE PARTITION p0 WITH TABLE ddl.q"], url=url,
                   says=["FERRY-DUMP-SOURCE-MOVED", "'ddl.p'", words])


def test_ids_alone_mysql(t):
    """On MySQL by the ids of tablespaces; by table ids where a table shares one."""
    source = made(t, "mysql")
    source.run("DROP USER IF EXISTS i@'127.0.0.1'", "CREATE USER i@'127.0.0.1'",
               "GRANT SELECT, RELOAD, PROCESS, REPLICATION CLIENT ON *.* TO i@'127.0.0.1'")
    for word in ("own", "shared"):
        fill(t, source)
        if word == "shared":
            source.run("CREATE TABLE ddl.`sh/ared#p#x` (id int PRIMARY KEY) TABLESPACE innodb_system", "INSERT INTO ddl.`sh/ared#p#x` VALUES (1)")
        source.run("TRUNCATE performance_schema.events_statements_summary_by_digest")
        dump_while(t, source, t.path(word), ["ALTER TABLE ddl.p EXCHANGE PARTITION p0 WITH TABLE ddl.q"], url=source.url.replace("root@", "i@"),
                   says=["FERRY-DUMP-SOURCE-MOVED", "'ddl.p'", "table id"])
        slow = source.value("SELECT COUNT(*) FROM performance_schema.events_statements_summary_by_digest WHERE DIGEST_TEXT LIKE '%INNODB_TABLES`'")
        assert bool(slow) == (word == "shared"), (word, slow)
    source.run("DROP USER i@'127.0.0.1'")


def test_not_logged(t):
    """An exchange that is not in the binlog is seen by its table id; the source has not moved, so the table is dumped again."""
    source = made(t, "mariadb")
    out = t.path("d")
    own = source.connect()
    with own.cursor() as cursor:
        cursor.execute("SET sql_log_bin = 0")
        source.run = run_in(cursor, source.run)
        dump_while(t, source, out, ["ALTER TABLE ddl.p EXCHANGE PARTITION p0 WITH TABLE ddl.q"], status=0, says="new snapshot")
    own.close()
    del source.run
    ferry.run("verify", "--input", out).must()
    target = t.server("mariadb")
    t.gone_after(target, "ddl")
    ferry.load(target, out).must()
    compare.same_database(source, target, "ddl")


def run_in(cursor, before):
    def run(*statements, **options):
        if statements[0].startswith("ALTER"):
            cursor.execute(statements[0])
            return None
        return before(*statements, **options)
    return run


def test_names_that_innodb_shortens(t):
    """Their ids are not found on MariaDB: which tables were not compared by them is said. MySQL has its tablespaces' names in full."""
    for kind, unseen in (("mariadb", "; not by table ids of some (short.caf\u00e9)\n"), ("mysql", "\n")):
        source = t.server(kind)
        db = t.database(source, "short", "CREATE TABLE plain (id int PRIMARY KEY)", "CREATE TABLE `caf\u00e9` (id int PRIMARY KEY)")
        ferry.dump(source, t.path(kind + "1"), "-f", db + ".*").must(0, "looked for by: table ids, binlog" + unseen)
        source.run("DROP TABLE short.`caf\u00e9`")
        ferry.dump(source, t.path(kind + "2"), "-f", db + ".*").must(0, "looked for by: table ids, binlog\n")


def test_left_out(t):
    source = made(t, "mariadb")
    out = t.path("d")
    dump_while(t, source, out, SWAPS["exchange"][0], "--on-table-error", "skip", status=6, says=["left out: 2"])
    said = ferry.run("verify", "--input", out).must(0, ["LEFT OUT table ddl.p", "LEFT OUT table ddl.q"])
    assert "ddl.a:" not in said.out, said


def test_others_tables_do_not_matter(t):
    """DDL on what is not dumped, temporary tables, views, and rows changed meanwhile."""
    for kind in ("mariadb", "mysql"):
        source = made(t, kind)
        out = t.path(kind)
        r = dump_while(t, source, out, [
            "CREATE TABLE ddl.new (id int PRIMARY KEY)", "DROP TABLE ddl.new", "CREATE VIEW ddl.v AS SELECT id FROM ddl.a",
            "INSERT INTO ddl.a VALUES (9, 'after')", "CREATE DATABASE ddl2", "CREATE TABLE ddl2.a (id int)", "DROP DATABASE ddl2"],
            status=0, says="looked for by: table ids, binlog")
        assert "dump.table.changed" not in r.err, r.err
        ferry.run("verify", "--input", out).must(0, "10 rows")


def test_without_snapshot(t):
    """--consistency none: the table is dumped again, in a new epoch."""
    source = made(t, "mariadb")
    out = t.path("d")
    args = ["dump", "--source", source.url, "--output", out, "-f", "ddl.*", "--consistency", "none"]
    process = ferry.start(args, program=ferry.fault_binary(), env={"FERRY_FAULT_PAUSE": "dump.chunk.after-record:1.5"})
    ferry.wait_until(lambda: os.path.isdir(out) and [n for n in os.listdir(out) if n.startswith("ddl.a.0")], what="rows")
    source.run("ALTER TABLE ddl.a ADD COLUMN later int DEFAULT 3")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0 and b"dump.table.changed" in err, err
    ferry.run("verify", "--input", out).must()
    with open(os.path.join(out, "ddl.a-schema.sql.zst"), "rb") as f:
        assert b"later" in ferry.subprocess.run(["zstd", "-dc"], stdin=f, stdout=ferry.subprocess.PIPE, check=True).stdout
    target = t.server("mariadb")
    t.gone_after(target, "ddl")
    ferry.load(target, out).must()
    compare.same_database(source, target, "ddl")


def test_altered_before_it_is_begun(t):
    """The columns of the plan are compared with the definition: a word more in a type, a column more."""
    for kind in ("mariadb", "mysql"):
        source = made(t, kind)
        for i, (change, says) in enumerate((("MODIFY id int unsigned NOT NULL", "while the dump began (id)"),
                                            ("MODIFY v varchar(1000)", "while the dump began (v)"), ("ADD x int", "'ddl.a'"))):
            fill(t, source)
            args = ["dump", "--source", source.url, "--output", t.path(kind + str(i)), "-f", "ddl.*", "--ddl-lock", "no", "--consistency", "none"]
            process = ferry.start(args, program=ferry.fault_binary(), env={"FERRY_FAULT_PAUSE": "dump.epoch.record:0.7"})
            ferry.wait_until(lambda: process.poll() is not None or os.path.exists(t.path(kind + str(i)) + "/ferry.manifest/000001.jsonl"), what="the plan")
            time.sleep(0.3)
            source.run("ALTER TABLE ddl.a " + change)
            out, err = process.communicate(timeout=60)
            ferry.Run(args, process.returncode, out.decode(), err.decode()).must(1, says)
