"""A dump is loaded while it is written, dies on the way, goes on, or does not."""

import json
import os
import signal
import time
import zlib

import pymysql

import compare
import ferry

ROWS = 8000


def source_database(t, name="overlap"):
    source = t.own_server("mariadb")
    source.run("CREATE DATABASE `%s` CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci" % name, "USE `%s`" % name,
               "CREATE TABLE nokey (a int, b varchar(200))",
               "INSERT INTO nokey SELECT seq DIV 2, REPEAT('n', 100) FROM seq_1_to_%d" % (ROWS // 2),
               *["CREATE TABLE keyed_%d (id int PRIMARY KEY, b varchar(200))" % i for i in range(3)],
               *["INSERT INTO keyed_%d SELECT seq, REPEAT('%d', 150) FROM seq_1_to_%d" % (i, i, ROWS) for i in range(3)],
               "CREATE VIEW v AS SELECT id FROM keyed_0")
    return source, name


def dump_args(source, db, out, rate="1MiB"):
    return ["dump", "--source", source.url, "--output", out, "-f", db + ".*", "-t", "2", "--chunk-size", "100KiB", "--rate", rate]


def load_args(target, out, *more):
    return ["load", "--target", target.url, "--input", out, "-t", "4"] + list(more)


def end(process, status=0, says=()):
    out, err = process.communicate(timeout=90)
    run = ferry.Run(process.args, process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))
    return run.must(status, says=list(says))


def rows_in(target, db):
    """Of the keyed tables that are there."""
    rows = 0
    for i in range(3):
        try:
            rows += target.value("SELECT COUNT(*) FROM `%s`.keyed_%d" % (db, i))
        except pymysql.Error:
            pass
    return rows


def test_while_the_dump_runs(t):
    """Rows are in both targets before the dump has ended; the end is the same; keyless tables and views come too."""
    source, db = source_database(t)
    targets = [t.server("mariadb"), t.server("tidb")]
    for target in targets:
        t.gone_after(target, db)
    out = t.path("dump")
    dump = ferry.start(dump_args(source, db, out))
    ferry.wait_until(lambda: os.path.exists(os.path.join(out, "ferry.lock")), what="the dump's lock")
    loads = [ferry.start(load_args(target, out)) for target in targets]
    for target in targets:
        ferry.wait_until(lambda: rows_in(target, db) > 0, what="rows")
        assert dump.poll() is None, "the dump had ended before a row was loaded"
    end(dump)
    for target, load in zip(targets, loads):
        end(load)
        compare.same_database(source, target, db)
        assert target.value("SELECT COUNT(*) FROM `%s`.v" % db) == ROWS
        ferry.run(*load_args(target, out)).must(says="nothing to do")


def test_dump_dies_and_goes_on(t):
    """Both are killed on the way, and said again: nothing is lost, nothing is doubled."""
    source, db = source_database(t)
    target = t.own_server("mariadb")
    out = t.path("dump")
    dump = ferry.start(dump_args(source, db, out))
    ferry.wait_until(lambda: os.path.exists(os.path.join(out, "ferry.lock")), what="the dump's lock")
    load = ferry.start(load_args(target, out))
    ferry.wait_until(lambda: rows_in(target, db) > 0, what="rows")
    dump.send_signal(signal.SIGKILL)
    dump.communicate()
    time.sleep(2)
    assert load.poll() is None, "the load did not wait"
    load.send_signal(signal.SIGKILL)
    load.communicate()
    load = ferry.start(load_args(target, out))
    dump = ferry.start(dump_args(source, db, out, "20MiB"))
    end(dump)
    end(load)
    compare.same_database(source, target, db)


def test_abandoned(t):
    """Nobody goes on with the dump: the load takes what there is, says what it waits for, and ends as it is documented to."""
    source, db = source_database(t)
    target = t.own_server("mariadb")
    out = t.path("dump")
    dump = ferry.start(dump_args(source, db, out))
    ferry.wait_until(lambda: os.path.isdir(os.path.join(out, "ferry.manifest")) and
                     any(r["record"] == "chunk" for r in ferry.manifest(out)), what="a chunk")
    dump.send_signal(signal.SIGKILL)
    dump.communicate()
    ferry.run(*load_args(target, out, "--wait", "0")).must(5, says="FERRY-DUMP-INCOMPLETE")
    ferry.run(*load_args(target, out, "--dry-run")).must(5, says="FERRY-DUMP-INCOMPLETE")
    for _ in range(2):
        ferry.run(*load_args(target, out, "--wait", "1s")).must(75, says=["FERRY-DUMP-WAIT", "waiting for the rest",
                                                                         "ended without finishing"])
    assert rows_in(target, db) > 0
    assert not target.run("SHOW TABLES FROM `%s` LIKE 'v'" % db), "a view before its tables"
    end(ferry.start(dump_args(source, db, out, "20MiB")))
    ferry.run(*load_args(target, out)).must()
    compare.same_database(source, target, db)


def voided(out, table):
    """Appends a void of the table, as a dump makes it that starts the table again, and takes its files away."""
    records = ferry.manifest(out)
    number = next(r["table"] for r in records if r["record"] == "table" and r["name"] == table)
    line = json.dumps({"record": "void", "table": number, "epoch": 1}, separators=(",", ":"))[:-1]
    line += ',"crc":"%08x"}\n' % zlib.crc32(line.encode())
    base = os.path.join(out, "ferry.manifest")
    with open(os.path.join(base, "%06d.jsonl" % (len([p for p in os.listdir(base) if p.endswith(".jsonl")]) + 1)), "w") as f:
        f.write(line)
    for r in records:
        if r["record"] == "chunk" and r["table"] == number and "path" in r:
            os.unlink(os.path.join(out, r["path"]))


def test_table_starts_again(t):
    """A keyed table of which chunks are loaded starts again in the dump: its rows go, and come again once."""
    source, db = source_database(t)
    out = t.path("dump")
    dump = ferry.start(dump_args(source, db, out))
    ferry.wait_until(lambda: os.path.isdir(os.path.join(out, "ferry.manifest")) and
                     any(r["record"] == "chunk" for r in ferry.manifest(out)), what="a chunk")
    dump.send_signal(signal.SIGKILL)
    dump.communicate()
    first = next(r for r in ferry.manifest(out) if r["record"] == "chunk")
    table = next(r["name"] for r in ferry.manifest(out) if r["record"] == "table" and r["table"] == first["table"])
    for kind in ("mariadb", "tidb"):
        t.gone_after(t.server(kind), db)
        ferry.run(*load_args(t.server(kind), out, "--wait", "1s")).must(75)
        assert t.server(kind).value("SELECT COUNT(*) FROM `%s`.%s" % (db, table)) > 0
    found = t.own_server("mariadb")
    found.run("CREATE DATABASE `%s` CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci" % db,
              "CREATE TABLE `%s`.%s (id int PRIMARY KEY, b varchar(200))" % (db, table))
    ferry.run(*load_args(found, out, "--wait", "1s")).must(75)
    voided(out, table)
    end(ferry.start(dump_args(source, db, out, "20MiB")))
    for kind in ("mariadb", "tidb"):
        ferry.run(*load_args(t.server(kind), out)).must(says="started this table again")
        compare.same_database(source, t.server(kind), db)
    ferry.run(*load_args(found, out)).must(1, says=["FERRY-LOAD-STATE", "started this table again"])
