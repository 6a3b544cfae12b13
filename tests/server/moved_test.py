"""What must not be taken for a source at rest, or for a complete list of tables."""

import os
import shutil

import ferry
from kill_test import dump_args, killed_with_records, make_source


def test_binlog_reset_to_the_same_position(t):
    """RESET MASTER gives the old file and offset again: without a GTID set nothing tells the two apart."""
    source = t.own_server("mariadb")
    t.server = lambda kind: source
    _, db = make_source(t, "mariadb")
    source.run("RESET MASTER")
    out = t.path("d")
    killed_with_records(source, db, out)
    source.run("UPDATE killed.keyed SET n = n + 1", "RESET MASTER")
    ferry.run(*dump_args(source, db, out)).must(1, "FERRY-DUMP-SOURCE-MOVED")


def test_table_made_while_the_lock_is_awaited(t):
    """The list of tables is read before the lock: one that is created in between must not be missing without a
    word. (With --ddl-lock it could not be created.)"""
    source = t.own_server("mariadb")
    t.database(source, "race", "CREATE TABLE slow (id int PRIMARY KEY)", "INSERT INTO slow VALUES (1)")
    holder = source.connect(database="race")
    out = t.path("d")
    with holder.cursor() as cursor:
        cursor.execute("LOCK TABLES slow WRITE")
        process = ferry.start(["dump", "--source", source.url, "--output", out, "-f", "race.*", "--ddl-lock", "no"])
        ferry.wait_until(lambda: any("Waiting" in str(r[6]) for r in source.run("SHOW PROCESSLIST")), what="the dump to wait")
        source.run("CREATE TABLE race.made_late (id int PRIMARY KEY)", "INSERT INTO race.made_late VALUES (7)")
        cursor.execute("UNLOCK TABLES")
    holder.close()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1 and b"FERRY-DUMP-TABLE" in err and b"made_late" in err, (process.returncode, err)
    ferry.dump(source, out, "-f", "race.*").must()


def test_reset_and_written_again(t):
    """RESET, then as many writes of the same length: file, offset and GTID set are the old ones."""
    for kind, reset in (("mariadb", "RESET MASTER"), ("mysql", "RESET BINARY LOGS AND GTIDS")):
        source = t.own_server(kind)
        before = t.server
        t.server = lambda kind: source
        _, db = make_source(t, kind)
        t.server = before
        source.run("CREATE TABLE killed.other (a int PRIMARY KEY)", reset, "INSERT INTO killed.other VALUES (1)")
        out = t.path(kind)
        killed_with_records(source, db, out)
        status = "SHOW MASTER STATUS" if kind == "mariadb" else "SHOW BINARY LOG STATUS"
        place = source.run(status)
        source.run("SET sql_log_bin = 0", "DELETE FROM killed.other")
        source.run(reset, "INSERT INTO killed.other VALUES (2)")
        assert source.run(status) == place, (source.run(status), place)
        ferry.run(*dump_args(source, db, out)).must(1, ["FERRY-DUMP-SOURCE-MOVED", "RESET"])


def test_at_rest_without_gtids(t):
    """File and offset are enough as long as the server runs and nobody has said RESET."""
    source = t.own_server("mysql", "--gtid-mode=OFF", "--enforce-gtid-consistency=OFF")
    t.server = lambda kind: source
    _, db = make_source(t, "mysql")
    out = t.path("d")
    killed_with_records(source, db, out)
    ferry.run(*dump_args(source, db, out)).must(0)
    ferry.run("verify", "--input", out).must(0)
    out = t.path("e")
    killed_with_records(source, db, out)
    source.run("UPDATE killed.keyed SET n = n + 1 LIMIT 1")
    ferry.run(*dump_args(source, db, out)).must(0, "epoch 2")


def test_another_server(t):
    """A copy of the server's folder, with a UUID of its own: goes on by GTID while nothing was written there; never by offset."""
    options = ("--innodb-flush-log-at-trx-commit=1", "--sync-binlog=1")
    first = t.own_server("mysql", *options)
    t.server = lambda kind: first
    _, db = make_source(t, "mysql")
    outs = [t.path(n) for n in "ab"]
    for out in outs:
        killed_with_records(first, db, out)
    first.stop()
    other = t.own_server("mysql", *options)
    other.stop()
    shutil.rmtree(other.data + "/data")
    shutil.copytree(first.data + "/data", other.data + "/data", symlinks=True, copy_function=copy_owned)
    for folder, _, _ in os.walk(first.data + "/data"):
        copy_owner(folder, folder.replace(first.data, other.data))
    os.unlink(other.data + "/data/auto.cnf")
    other.start()
    r = ferry.run(*dump_args(other, db, outs[0])).must(0, "another server than before")
    ferry.run("verify", "--input", outs[0]).must(0)
    assert "epoch 2" in r.out, r
    other.run("DELETE FROM killed.keyed LIMIT 1")
    ferry.run(*dump_args(other, db, outs[1])).must(1, ["FERRY-DUMP-SOURCE-MOVED", "another GTID set"])


def copy_owner(source, target):
    stat = os.stat(source)
    os.chown(target, stat.st_uid, stat.st_gid)


def copy_owned(source, target):
    shutil.copy2(source, target)
    copy_owner(source, target)


def test_another_server_by_offset(t):
    first, second = t.own_server("mariadb"), t.own_server("mariadb")
    t.server = lambda kind: first
    _, db = make_source(t, "mariadb")
    out = t.path("d")
    killed_with_records(first, db, out)
    ferry.run(*dump_args(second, db, out)).must(1, ["FERRY-DUMP-SOURCE-MOVED", "say nothing on another"])
