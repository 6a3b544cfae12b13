"""The source's binlog in the dump: --with-binlog."""

import os

import binlog
import captured
import ferry

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
