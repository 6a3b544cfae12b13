"""The source's binlog in the dump: --with-binlog."""

import os
import random
import signal
import threading
import time

import binlog
import captured
import ferry
import replayed

ROTATE = {"mariadb": "FLUSH BINARY LOGS", "mysql": "FLUSH BINARY LOGS"}


def make(t, source, rows=200):
    db = t.database(source, "captured", "CREATE TABLE t (id int PRIMARY KEY, v varchar(200), u int, UNIQUE KEY u (u))",
                    "CREATE TABLE latin (id int PRIMARY KEY, v varchar(20) CHARACTER SET latin1)",
                    "INSERT INTO latin VALUES (1, 'caf\xe9')")
    source.run(*["INSERT INTO captured.t VALUES (%d, REPEAT('x', 100), %d)" % (i, i) for i in range(rows)])
    return db


def write(source, base, count=50, rotate=True):
    """Transactions of several rows, updates, deletes, DDL beside the dumped tables, and a new binlog file."""
    for i in range(base, base + count):
        source.run("BEGIN", "INSERT INTO captured.t VALUES (%d, REPEAT('y', 150), %d)" % (10000 + i, 10000 + i),
                   "UPDATE captured.t SET v = 'changed %d' WHERE id = %d" % (i, i % 100), "COMMIT")
    if rotate:
        source.run("FLUSH BINARY LOGS")
    source.run("CREATE TABLE captured.other%d (id int PRIMARY KEY)" % base, "DELETE FROM captured.t WHERE id = %d" % (10000 + base))


def check_bytes(source, out):
    """The segments are the server's binlog, byte for byte, from the first epoch's position on, without a gap."""
    first = captured.records(out, "epoch")[0]
    at = (first["log_file"], first["log_pos"])
    for s in captured.segments(out):
        if s["log_file"] == at[0]:
            assert s["start"] == at[1], (s, at)
        else:
            assert s["start"] == 4 and int(s["log_file"].split(".")[-1]) == int(at[0].split(".")[-1]) + 1, (s, at)
        own = captured.log_bytes(source, s["log_file"], s["start"], s["end"])
        kept = captured.events(s)
        if s["start"] == 4:  # the server marks a file that it writes to as in use
            size = captured.event_size(own, 0)
            assert size == captured.event_size(kept, 0)
            own, kept = own[size:], kept[size:]
        assert own == kept, (s["path"], len(own), len(kept))
        at = (s["log_file"], s["end"])
    return at


def test_segments_are_the_binlog(t):
    for kind in ("mariadb", "mysql"):
        source = t.own_server(kind)
        make(t, source)
        out = t.path(kind)
        with captured.held_dump(source, out, "-f", "captured.*", "--chunk-size", "4KiB") as dump:
            write(source, 0)
            write(source, 500)
            to = binlog.position(source)
            gtids = binlog.gtids(source)
        captured.finish(dump).must(0)
        assert check_bytes(source, out) == tuple(to), (captured.end(out), to)
        found = captured.records(out, "segment")
        assert len(found) > 6, found
        assert found[-1]["gtid"].replace("\n", "") == gtids, (found[-1]["gtid"], gtids)
        assert found[0]["gtid_from"] == captured.records(out, "epoch")[0]["gtid"]
        assert sum(s["transactions"] for s in found) == 2 * 52, found
        names = [s["ddl"][1:] for s in found if "ddl" in s]
        assert names == [["captured", "other0"], ["captured", "other500"]], names
        assert os.path.exists(os.path.join(out, "ferry.binlog", "latin1.charset.zst"))
        assert not os.path.exists(os.path.join(out, "ferry.binlog", "utf8mb4.charset.zst"))
        ferry.run("verify", "--input", out).must(0)


TABLES = {"t": True, "heap": False, "small": True}
STEPS = [None, "dump.capture.record:6", None, "dump.capture.cut:6", "dump.capture.event:400"]  # None: once rows are durable


class Writer(threading.Thread):
    """Changes rows, keys and unique values of all tables in transactions, until it is told to stop."""

    def __init__(self, source, seed):
        super().__init__(daemon=True)
        self.source, self.random, self.stopping, self.count, self.failure = source, random.Random(seed), False, 0, None

    def statements(self, n):
        r = self.random
        i, j = r.randrange(12000), 200000 + n
        return ["INSERT INTO busy.t VALUES (%d, '%s', %d)" % (j, "n" * r.randrange(80), 50000 + n),
                "UPDATE busy.t SET v = 'w%d' WHERE id = %d" % (n, i),
                "UPDATE busy.t SET id = id + 100000 WHERE id = %d" % r.randrange(12000),
                "DELETE FROM busy.t WHERE id = %d" % r.randrange(12000),
                "UPDATE busy.t SET u = NULL WHERE id = %d" % i,
                "INSERT INTO busy.heap VALUES (%d, 'h')" % r.randrange(50),
                "DELETE FROM busy.heap WHERE id = %d LIMIT 1" % r.randrange(50),
                "UPDATE busy.small SET n = n + 1 WHERE id = 1"]

    def run(self):
        try:
            connection = self.source.connect()
            with connection.cursor() as cursor:
                while not self.stopping:
                    cursor.execute("BEGIN")
                    for s in self.statements(self.count):
                        cursor.execute(s)
                    cursor.execute("COMMIT")
                    self.count += 1
                    if self.count % 100 == 0:
                        cursor.execute("FLUSH BINARY LOGS")
                    time.sleep(0.002)
            connection.close()
        except Exception as e:  # the test says it
            self.failure = e

    def stop(self):
        self.stopping = True
        self.join(60)
        assert not self.failure and not self.is_alive() and self.count > 10, (self.failure, self.count)


def busy_source(t, kind):
    source = t.own_server(kind)
    db = t.database(source, "busy", "CREATE TABLE t (id int PRIMARY KEY, v varchar(100), u int, UNIQUE KEY u (u))",
                    "CREATE TABLE heap (id int, v varchar(20))", "CREATE TABLE small (id int PRIMARY KEY, n int)",
                    "INSERT INTO small VALUES (1, 0), (2, 0)")
    for base in range(0, 12000, 500):
        source.run("INSERT INTO busy.t VALUES " + ",".join("(%d, REPEAT('x', 90), %d)" % (i, i) for i in range(base, base + 500)))
    source.run("INSERT INTO busy.heap VALUES " + ",".join("(%d, 'first')" % (i % 50) for i in range(500)))
    return source, db


def killed_and_continued(t, kind):
    """Each run is killed with a writer going; the last one is not. Chunks of all epochs and the binlog make the source."""
    source, db = busy_source(t, kind)
    out = t.path(kind)
    options = ["-f", db + ".*", "--chunk-size", "4KiB", "--rate", "64KiB", "-t", "2"]
    writer = Writer(source, t.seed)
    writer.start()
    for step in STEPS:
        process = ferry.start(["dump", "--source", source.url, "--output", out, "--with-binlog"] + options,
                              env={"FERRY_FAULT": step} if step else None, program=ferry.fault_binary())
        if not step:
            before = captured.records(out, "epoch")
            ferry.wait_until(lambda: process.poll() is not None or len([c for c in captured.records(out, "chunk") if c["epoch"] > len(before)]) > 5,
                             seconds=60, what="chunks")
            process.send_signal(signal.SIGKILL)
        r = captured.finish(process)
        assert r.status == -9, "%s: %s" % (step, r)
    with captured.held_dump(source, out, *options[:4]) as dump:
        writer.stop()
    r = captured.finish(dump).must(0)
    epochs = captured.records(out, "epoch")
    assert len(epochs) > 2, "%s\n%s" % (epochs, r)
    check_bytes(source, out)
    ferry.run("verify", "--input", out).must(0)
    state = replayed.replay(source, out, TABLES)
    for table, columns in (("t", "id,v,u"), ("heap", "id,v"), ("small", "id,n")):
        want = sorted(tuple(row) for row in binlog.select(source, db, table, columns.split(","), order="1"))
        assert want == state[table], (table, len(want), len(state[table]), t.seed)
    source.stop()
    target = t.own_server("mariadb")
    ferry.load(target, out, "-t", "4").must()
    for table, columns in (("t", "id,v,u"), ("heap", "id,v"), ("small", "id,n")):
        assert state[table] == sorted(tuple(row) for row in binlog.select(target, db, table, columns.split(","), order="1")), (table, t.seed)
    spans = [r for r in captured.records(out, "table_done") if r.get("to", 0) > r.get("from", 0)]
    t.say("%s: %d epochs, %d transactions, tables of several epochs: %d" % (kind, len(epochs), writer.count, len(spans)))
    return spans


def test_killed_with_a_writer_mariadb(t):
    assert killed_and_continued(t, "mariadb")


def test_killed_with_a_writer_mysql(t):
    assert killed_and_continued(t, "mysql")
