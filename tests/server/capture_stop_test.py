"""What stops a capture of the binlog, and what must be noticed of captured binlog."""

import os
import shutil
import signal

import captured
import ferry
from capture_test import check_bytes, make, write

CANNOT = {
    "image": (["SET SESSION binlog_row_image = MINIMAL", "UPDATE captured.t SET v = 'm' WHERE id = 7"], "binlog_row_image=FULL", ("mariadb", "mysql")),
    "statement": (["SET SESSION binlog_format = STATEMENT", "UPDATE captured.t SET v = 's' WHERE id = 7"], "FERRY-BINLOG-STATEMENT", ("mariadb",)),
    "xa": (["XA START 'x'", "UPDATE captured.t SET v = 'x' WHERE id = 7", "XA END 'x'", "XA PREPARE 'x'", "XA COMMIT 'x'"], "XA transaction",
           ("mariadb", "mysql")),
    "json": (["SET SESSION binlog_row_value_options = PARTIAL_JSON", "UPDATE captured.j SET d = JSON_SET(d, '$.a', 2)"], "parts of JSON", ("mysql",)),
}


def cannot(t, kind):
    source = t.own_server(kind)
    make(t, source)
    source.run("CREATE TABLE captured.j (id int PRIMARY KEY, d json)",
               "INSERT INTO captured.j VALUES (1, JSON_OBJECT('a', 1, 'b', REPEAT('long', 100)))")
    for word, (statements, says, kinds) in CANNOT.items():
        if kind not in kinds:
            continue
        out = t.path(word)
        with captured.held_dump(source, out, "-f", "captured.*") as dump:
            source.run(*statements)
            r = captured.finish(dump)
        r.must(1, [says, "--with-binlog"])
        shutil.rmtree(out)


def test_what_cannot_be_replayed_mariadb(t):
    cannot(t, "mariadb")


def test_what_cannot_be_replayed_mysql(t):
    cannot(t, "mysql")


def test_settings_and_rights(t):
    """Looked at before anything is locked or written."""
    source = t.own_server("mariadb")
    make(t, source)
    for setting in ("binlog_row_image = MINIMAL", "binlog_format = MIXED"):
        name = setting.split()[0]
        before = source.value("SELECT @@global.%s" % name)
        source.run("SET GLOBAL " + setting)
        ferry.dump(source, t.path(name), "-f", "captured.*", "--with-binlog").must(1, ["FERRY-BINLOG-UNSUPPORTED", name])
        source.run("SET GLOBAL %s = '%s'" % (name, before))
    source.run("CREATE USER few@'127.0.0.1'", "GRANT SELECT, RELOAD, PROCESS, BINLOG MONITOR, REPLICA MONITOR ON *.* TO few@'127.0.0.1'")
    ferry.run("dump", "--source", source.url.replace("root@", "few@"), "--output", t.path("few"), "-f", "captured.*", "--with-binlog").must(
        1, ["FERRY-PRIVILEGE", "REPLICATION SLAVE"])
    ferry.dump(source, t.path("none"), "-f", "captured.*", "--with-binlog", "--consistency", "none").must(2)
    ferry.dump(source, t.path("w"), "-f", "captured.*", "--with-binlog", "--where", "captured.t=id<9").must(2)


def killed(source, out, *more):
    """A dump with its first epoch and some captured binlog durable, killed before it has read a row."""
    with captured.held_dump(source, out, "-f", "captured.*", "--chunk-size", "4KiB", *more) as dump:
        write(source, 0)
        ferry.wait_until(lambda: len(captured.records(out, "segment")) > 2, what="segments")
        dump.send_signal(signal.SIGKILL)
        captured.finish(dump)


def again(source, out):
    return ferry.dump(source, out, "-f", "captured.*", "--chunk-size", "4KiB", "--with-binlog")


def test_purged_and_reset(t):
    source = t.own_server("mariadb")
    make(t, source)
    out, copy = t.path("d"), t.path("copy")
    killed(source, out)
    shutil.copytree(out, copy)
    ferry.dump(source, copy, "-f", "captured.*", "--chunk-size", "4KiB").must(2, "--with-binlog")
    write(source, 2000)
    source.run("FLUSH BINARY LOGS")
    source.run("PURGE BINARY LOGS TO '%s'" % source.run("SHOW MASTER STATUS")[0][0])
    again(source, out).must(1, ["FERRY-BINLOG-PURGED", "--restart"])
    source.run("RESET MASTER")
    write(source, 3000)
    write(source, 4000)
    again(source, copy).must(1, ["FERRY-BINLOG-PURGED", "--restart"])
    ferry.dump(source, out, "-f", "captured.*", "--chunk-size", "4KiB", "--with-binlog", "--restart", "--yes").must()
    ferry.run("verify", "--input", out).must()


def dump_threads(source):
    return [r[0] for r in source.run("SHOW PROCESSLIST") if "Binlog Dump" in str(r[4])]


def test_connection_killed(t):
    """Nothing is missing or twice, whatever is cut in the middle of."""
    for kind in ("mariadb", "mysql"):
        source = t.own_server(kind)
        make(t, source)
        out = t.path(kind)
        with captured.held_dump(source, out, "-f", "captured.*", "--chunk-size", "16KiB") as dump:
            for i in range(5):
                write(source, 100 * i, count=20, rotate=i % 2 == 0)
                ferry.wait_until(lambda: dump.poll() is not None or dump_threads(source), what="the capture's connection")
                for thread in dump_threads(source):
                    source.run("KILL %s" % thread)
        r = captured.finish(dump).must(0, "binlog.reconnect")
        check_bytes(source, out)
        assert sum(s["transactions"] for s in captured.records(out, "segment")) == 5 * 22, r
        ferry.run("verify", "--input", out).must()


def test_large_transaction(t):
    """One that is larger than two segments is cut in several; a dump that is killed behind such a cut goes on from its beginning."""
    source = t.own_server("mysql")
    make(t, source)
    out = t.path("d")
    for word, env in (("kill", {"FERRY_FAULT": "dump.capture.record:6"}), ("end", None)):
        with captured.held_dump(source, out, "-f", "captured.*", "--chunk-size", "64KiB", program=ferry.fault_binary(), env=env) as dump:
            if word == "kill":
                source.run("INSERT INTO captured.t SELECT 100000 + a.id * 200 + b.id, REPEAT('z', 190), NULL FROM captured.t a, captured.t b")
                ferry.wait_until(lambda: dump.poll() is not None, seconds=60, what="the kill")
        assert captured.finish(dump).status == (0 if word == "end" else -9), word
    check_bytes(source, out)
    found = captured.records(out, "segment")
    assert [s for s in found if s.get("open")] and not found[-1].get("open"), found
    ferry.run("verify", "--input", out).must()


def test_damaged_segments(t):
    """Cut, changed, missing or foreign segments are named, offline and by a load."""
    source = t.own_server("mariadb")
    make(t, source)
    good = t.path("good")
    with captured.held_dump(source, good, "-f", "captured.*", "--chunk-size", "4KiB") as dump:
        write(source, 0)
    captured.finish(dump).must()
    names = [s["path"] for s in captured.records(good, "segment")]
    assert len(names) > 2
    target = t.own_server("mariadb")
    for word in ("flip", "cut", "missing", "swapped", "charset"):
        out = t.path(word)
        shutil.copytree(good, out)
        path = os.path.join(out, "ferry.binlog/latin1.charset.zst" if word == "charset" else names[1])
        if word in ("flip", "charset"):
            with open(path, "r+b") as f:
                f.seek(os.path.getsize(path) // 2)
                byte = f.read(1)
                f.seek(-1, os.SEEK_CUR)
                f.write(bytes([byte[0] ^ 1]))
        elif word == "cut":
            os.truncate(path, os.path.getsize(path) - 1)
        elif word == "missing":
            os.unlink(path)
        else:
            shutil.copy(os.path.join(good, names[0]), path)
        ferry.run("verify", "--input", out).must(5, os.path.relpath(path, out))
        r = ferry.load(target, out, "--if-table-exists", "drop", "--yes")
        assert r.status in (1, 5) and os.path.relpath(path, out) in r.err, r
        target.run("DROP DATABASE IF EXISTS captured", "DROP DATABASE IF EXISTS ferry_meta")


def unfinished(t, source, out, *more, cascade=""):
    """A dump that was killed when rows of `large` were durable and `small` was done."""
    t.database(source, "tied", "CREATE TABLE small (id int PRIMARY KEY)", "INSERT INTO small VALUES (1), (2), (3)",
               "CREATE TABLE large (id int PRIMARY KEY, p int, v varchar(200), FOREIGN KEY (p) REFERENCES small (id) %s)" % cascade,
               "CREATE TABLE apart (id int PRIMARY KEY, v varchar(200))")
    for name, extra in (("large", "1 + i.id % 3, "), ("apart", "")):
        source.run("INSERT INTO tied.%s WITH RECURSIVE i AS (SELECT 1 AS id UNION ALL SELECT id + 1 FROM i WHERE id < 900) "
                   "SELECT i.id, %sREPEAT('v', 150) FROM i" % (name, extra))
    process = ferry.start(["dump", "--source", source.url, "--output", out, "-f", "tied.*", "--chunk-size", "4KiB", "--rate", "32KiB", "-t", "3"] +
                          list(more))

    def ready():
        names = {r["table"]: r["name"] for r in captured.records(out, "table")}
        chunks = {names[c["table"]] for c in captured.records(out, "chunk")}
        done = {names[c["table"]] for c in captured.records(out, "table_done")}
        return "small" in done and {"large", "apart"} <= chunks
    ferry.wait_until(lambda: process.poll() is not None or ready(), seconds=60, what="rows of both tables")
    process.send_signal(signal.SIGKILL)
    captured.finish(process)
    assert {"large", "apart"} & ({r["name"] for r in captured.records(out, "table")}) and not captured.records(out, "end")


def epochs_of(out):
    """{table: the epochs of its chunks that count}"""
    names, found = {}, {}
    for r in ferry.manifest(out):
        if r["record"] == "table":
            names[r["table"]] = r["name"]
        elif r["record"] == "void":
            found[names[r["table"]]] = set()
        elif r["record"] == "chunk":
            found.setdefault(names[r["table"]], set()).add(r["epoch"])
    return found


def starts_again(t, source, statements, again, *more, cascade=""):
    out = t.path("-".join([source.name] + again) + "".join(more))
    unfinished(t, source, out, *more, cascade=cascade)
    source.run(*statements)
    r = ferry.dump(source, out, "-f", "tied.*", "--chunk-size", "4KiB", *more).must(0, "starts again in this epoch")
    found = epochs_of(out)
    for table in ("small", "large", "apart"):
        assert (found[table] == {2}) == (table in again), (table, found, r)
    assert found["apart" if "large" in again else "large"] == {1, 2}, found
    ferry.run("verify", "--input", out).must()


def test_ddl_starts_its_table_again(t):
    """With the binlog captured, and with that of the source; the other tables go on."""
    for kind, more in (("mariadb", ["--with-binlog"]), ("mysql", [])):
        source = t.own_server(kind)
        starts_again(t, source, ["ALTER TABLE tied.apart ADD COLUMN w int DEFAULT 5", "INSERT INTO tied.apart VALUES (5000, 'w', 6)"], ["apart"], *more)


def test_cascades_that_are_not_logged(t):
    """Parent and children are of one epoch where the source does not log cascades: finished ones start again with the others."""
    source = t.own_server("mariadb")
    starts_again(t, source, ["DELETE FROM tied.small WHERE id = 2"], ["small", "large"], cascade="ON DELETE CASCADE")


def test_unfinished_table_is_gone(t):
    source = t.own_server("mariadb")
    out = t.path("d")
    unfinished(t, source, out)
    source.run("DROP TABLE tied.apart")
    ferry.dump(source, out, "-f", "tied.*", "--chunk-size", "4KiB").must(6, "left out")
    ferry.run("verify", "--input", out).must(0, "LEFT OUT table tied.apart")
