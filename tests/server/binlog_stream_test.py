"""The binlog over the wire: transactions, positions, what is refused by name, and connections that break."""

import binlog
from case import quick

import json
import os
import subprocess
import time


def kinds(items):
    return [i["kind"] for i in items if i["kind"] != "idle"]


def start(t, kind, *statements):
    server = t.server(kind)
    t.database(server, "bl", "CREATE TABLE a (id int PRIMARY KEY, v varchar(100)) ENGINE=InnoDB", *statements, options="CHARACTER SET utf8mb4")
    return server, binlog.position(server)


def error(items, name, *words):
    last = items[-1]
    assert last["kind"] == "error" and last["name"] == name and all(w in last["message"] for w in words), last
    assert "commit" not in kinds(items)[-2:-1] or items[-2]["kind"] == "commit"
    return last["message"]


def transactions(t, kind):
    server, at = start(t, kind)
    first = binlog.gtids(server)
    server.run("USE bl", "INSERT INTO a VALUES (1,'x'),(2,'y')", "BEGIN", "UPDATE a SET v='z' WHERE id=2", "SAVEPOINT s", "DELETE FROM a",
               "ROLLBACK TO s", "INSERT INTO a VALUES (3,NULL)", "COMMIT", "SET foreign_key_checks=0", "DELETE FROM a WHERE id=1",
               "CREATE TABLE b AS SELECT * FROM a", "TRUNCATE TABLE b", "XA START 'q'", "INSERT INTO b VALUES (7,'xa')", "XA END 'q'",
               "XA COMMIT 'q' ONE PHASE", "ANALYZE TABLE b", "DROP TABLE b")
    items = binlog.since(server, at, "--gtids", first, "--filter", "bl.*")
    assert items[-1]["kind"] == "end", items[-1]
    rows = [(i["change"], i.get("before"), i.get("after")) for i in items if i["kind"] == "row" and i["table"] == "a"]
    assert rows == [("insert", None, [b"1", b"x"]), ("insert", None, [b"2", b"y"]), ("update", [b"2", b"y"], [b"2", b"z"]),
                    ("insert", None, [b"3", None]), ("delete", [b"1", b"x"], None)], rows
    deleted = [i for i in items if i["kind"] == "row" and i["change"] == "delete"][0]
    assert deleted["flags"] & 2, deleted
    # Each transaction is framed, and its end is the next one's beginning.
    open_ = False
    for i in items:
        if i["kind"] == "begin":
            assert not open_
            open_ = True
        elif i["kind"] in ("row", "statement", "commit"):
            assert open_, i
            open_ = i["kind"] != "commit"
    texts = [i["text"] for i in items if i["kind"] == "statement"]
    assert [w for w in ("CREATE TABLE", "TRUNCATE", "DROP") if any(w in x for x in texts)] == ["CREATE TABLE", "TRUNCATE", "DROP"], texts
    assert all(i["db"] == "bl" for i in items if i["kind"] == "statement"), items
    # The position behind the last transaction is the server's own.
    name, offset = binlog.position(server)
    assert (items[-1]["at_file"], items[-1]["at_offset"]) == (name, offset), (items[-1], name, offset)
    assert items[-1]["at_gtids"] == binlog.gtids(server), (items[-1], binlog.gtids(server))
    # By GTID set, and by offset with a set of what is not wanted, come the same changes.
    plain = [i for i in items if i["kind"] in ("begin", "row", "statement", "commit")]
    again = [i for i in binlog.read(server, "--gtids", first, "--filter", "bl.*") if i["kind"] in ("begin", "row", "statement", "commit")]
    assert again == plain, (again[:3], plain[:3])
    commits = [i for i in plain if i["kind"] == "commit"]
    for k in (0, 2, len(commits) - 1):
        rest = plain[plain.index(commits[k]) + 1:]
        behind = commits[k]
        got = binlog.since(server, (behind["at_file"], behind["at_offset"]), "--gtids", behind["at_gtids"], "--filter", "bl.*")
        assert [i for i in got if i["kind"] in ("begin", "row", "statement", "commit")] == rest, k
        got = binlog.since(server, at, "--gtids", first, "--skip", behind["at_gtids"], "--filter", "bl.*")
        assert [i for i in got if i["kind"] in ("begin", "row", "statement", "commit")] == rest, k
        got = binlog.read(server, "--gtids", behind["at_gtids"], "--filter", "bl.*")
        assert [i for i in got if i["kind"] in ("begin", "row", "statement", "commit")] == rest, k


@quick
def test_transactions_mariadb(t):
    transactions(t, "mariadb")


def test_transactions_mysql(t):
    transactions(t, "mysql")


def test_tagged_and_compressed_mysql(t):
    server, at = start(t, "mysql")
    first = binlog.gtids(server)
    server.run("USE bl", "SET binlog_transaction_compression=ON", "SET gtid_next='AUTOMATIC:Some_tag'", "BEGIN", *["INSERT INTO a VALUES "
               + ",".join("(%d,'%s')" % (k * 1000 + i, "v" * 90) for i in range(1000)) for k in range(5)] + ["COMMIT"])
    server.run("USE bl", "SET binlog_rows_query_log_events=ON", "UPDATE a SET v='w' WHERE id=4")
    items = binlog.since(server, at, "--gtids", first, "--filter", "bl.*")
    rows = [i for i in items if i["kind"] == "row"]
    assert len(rows) == 5001 and rows[4999]["after"] == [b"4999", b"v" * 90], len(rows)
    assert rows[0]["gtid"].split(":")[1] == "some_tag" and rows[-1]["annotation"] == "UPDATE a SET v='w' WHERE id=4", rows[-1]
    assert items[-1]["at_gtids"] == binlog.gtids(server), items[-1]
    tagged = [i for i in items if i["kind"] == "commit"][0]["at_gtids"]
    assert "some_tag" in tagged
    got = [i for i in binlog.read(server, "--gtids", tagged, "--filter", "bl.*") if i["kind"] == "row"]
    assert got == rows[5000:], got[:1]


def test_compressed_and_annotated_mariadb(t):
    server, at = start(t, "mariadb")
    server.run("SET GLOBAL log_bin_compress=ON", "SET GLOBAL log_bin_compress_min_len=10")
    try:
        server.run("USE bl", "INSERT INTO a VALUES " + ",".join("(%d,'%s')" % (i, "v" * 90) for i in range(1000)), "UPDATE a SET v='w' WHERE id=4",
                   "DELETE FROM a WHERE id < 100", "CREATE TABLE c (id int COMMENT '%s')" % ("c" * 500))
    finally:
        server.run("SET GLOBAL log_bin_compress=OFF")
    items = binlog.since(server, at, "--filter", "bl.*")
    rows = [i for i in items if i["kind"] == "row"]
    assert [r["change"] for r in rows] == ["insert"] * 1000 + ["update"] + ["delete"] * 100, items[-1]
    assert rows[999]["after"] == [b"999", b"v" * 90] and rows[1000]["annotation"] == "UPDATE a SET v='w' WHERE id=4"
    assert [i["text"] for i in items if i["kind"] == "statement"] == ["CREATE TABLE c (id int COMMENT '%s')" % ("c" * 500)]


def test_refused_by_name(t):
    for kind in ("mariadb", "mysql"):
        server, at = start(t, kind)
        server.run("USE bl", "INSERT INTO a VALUES (1,'x')", "SET binlog_format=STATEMENT", "UPDATE a SET v=concat(v,'y')")
        items = binlog.since(server, at, "--filter", "bl.*")
        error(items, "FERRY-BINLOG-STATEMENT", "UPDATE a SET v=concat(v,'y')", "'bl'", at[0] + ":")
        at = binlog.position(server)
        server.run("USE bl", "XA START 'two'", "INSERT INTO a VALUES (5,'x')", "XA END 'two'", "XA PREPARE 'two'")
        server.run("XA COMMIT 'two'")
        error(binlog.since(server, at, "--filter", "bl.*"), "FERRY-BINLOG-UNSUPPORTED", "XA transaction in two phases")
        error(binlog.since(server, ("nosuch.000001", 4)), "FERRY-BINLOG-PURGED")
        error(binlog.since(server, (at[0], 10 ** 9)), "FERRY-BINLOG-PURGED")
        error(binlog.since(server, at, "--server-id", "1" if kind == "mariadb" else "2"), "FERRY-USAGE", "taken")
        at = binlog.position(server)
        server.run("USE bl", "SET binlog_row_image=MINIMAL", "UPDATE a SET v='m' WHERE id=1")
        rows = [i for i in binlog.since(server, at, "--filter", "bl.*") if i["kind"] == "row"]
        assert rows[0]["before"] == [b"1", False] and rows[0]["after"] == [False, b"m"], rows
        at = binlog.position(server)
        server.run("USE bl", "INSERT INTO a VALUES (9,'x')", "ALTER TABLE a ADD COLUMN more int")
        error(binlog.since(server, at, "--filter", "bl.*"), "FERRY-BINLOG-SCHEMA", "bl.a", "2 columns", "3")
    at = binlog.position(server)
    server.run("USE bl", "CREATE TABLE j (id int PRIMARY KEY, j json)", "INSERT INTO j VALUES (1, JSON_OBJECT('a', REPEAT('x', 500)))",
               "SET binlog_row_value_options='PARTIAL_JSON'", "UPDATE j SET j=JSON_SET(j, '$.a', 'y')")
    error(binlog.since(server, at, "--filter", "bl.*"), "FERRY-BINLOG-UNSUPPORTED", "parts of JSON")


def test_rotation_and_sums(t):
    """Over many files, also past number 999999, with and without checksums."""
    for kind in ("mariadb", "mysql"):
        server = t.own_server(kind)
        server.run("RESET MASTER TO 999998" if kind == "mariadb" else "RESET BINARY LOGS AND GTIDS TO 999998", "CREATE DATABASE bl",
                   "CREATE TABLE bl.a (id int PRIMARY KEY)")
        name = server.run("SHOW BINARY LOGS")[0][0]
        for i in range(6):
            if i == 2:
                server.run("SET GLOBAL binlog_checksum=NONE")
            if i == 4:
                server.run("SET GLOBAL binlog_checksum=CRC32")
            server.run("INSERT INTO bl.a VALUES (%d)" % i, "FLUSH BINARY LOGS")
        for options in (("--file", name, "--offset", 4), ()):
            items = binlog.read(server, "--filter", "bl.*", *options)
            rows = [i for i in items if i["kind"] == "row"]
            assert [r["after"] for r in rows] == [[b"%d" % i] for i in range(6)], items[-1]
            assert len({r["file"] for r in rows}) == 6 and rows[-1]["file"].endswith(".1000005"), rows[-1]
            assert items[-1]["at_gtids"] == binlog.gtids(server) and items[-1]["at_file"] == binlog.position(server)[0], items[-1]
        while server.run("SHOW BINARY LOGS")[0][0] == name:  # as long as the server's side of a reader still ends, its file is kept
            server.run("PURGE BINARY LOGS TO '%s'" % rows[3]["file"])
            time.sleep(0.1)
        error(binlog.read(server, "--file", name, "--offset", 4), "FERRY-BINLOG-PURGED")
        error(binlog.read(server), "FERRY-BINLOG-PURGED")


def test_connections_killed(t):
    """Whatever dies, every transaction comes once and in order; what a RESTART voids comes again."""
    for kind in ("mariadb", "mysql"):
        server, at = start(t, kind, "CREATE TABLE big (id int PRIMARY KEY, v varchar(200))")
        first = binlog.gtids(server)
        for options in (("--file", at[0], "--offset", at[1]), ("--gtids", first)):
            begin = binlog.position(server)
            reader = subprocess.Popen(binlog.command(server, "--reconnect", 20, "--filter", "bl.*", *options), stdout=subprocess.PIPE,
                                      stderr=subprocess.DEVNULL)
            try:
                for k in range(6):
                    server.run("INSERT INTO bl.big SELECT %d + a.i * 100 + b.i, REPEAT('x', 150) FROM (%s) a, (%s) b" % (
                        k * 10000, *(" UNION ALL ".join("SELECT %d i" % i for i in range(60)),) * 2), "DELETE FROM bl.big")
                    for row in server.run("SHOW PROCESSLIST"):
                        if "Binlog Dump" in str(row[4]):
                            try:
                                server.run("KILL %d" % row[0])
                            except Exception:
                                pass
                    time.sleep(0.25)
                server.run("INSERT INTO bl.a VALUES (%d, 'last')" % begin[1])
                items, whole, pending = [], [], []
                for line in reader.stdout:
                    item = binlog.parse(line.decode())[0]
                    items.append(item["kind"])
                    if item["kind"] == "begin":
                        assert not pending
                        pending = [item]
                    elif item["kind"] == "restart":
                        pending = []
                    elif item["kind"] == "row":
                        pending.append(item)
                    elif item["kind"] == "commit":
                        whole += [i for i in pending if i["kind"] == "row"]
                        pending = []
                        if whole and whole[-1].get("after") == [b"%d" % begin[1], b"last"]:
                            break
                    assert item["kind"] != "error", item
                want = [i for i in binlog.read(server, "--filter", "bl.*", *options) if i["kind"] == "row"]
                assert whole == want, (len(whole), len(want))
                t.say("%s: %d rows, %d restarts, %d other reconnects" % (kind, len(whole), items.count("restart"), items.count("idle")))
            finally:
                reader.kill()
                reader.wait()
                reader.stdout.close()


def log_file(server, name):
    return os.path.join(server.data + ("/data" if server.name == "mysql" else ""), name)


def test_damaged(t):
    """Every byte of a binlog changed, and every length cut: an error comes by name, and nothing is passed on that was not logged."""
    for kind in ("mariadb", "mysql"):
        server = t.own_server(kind)
        server.run("CREATE DATABASE bl", "CREATE TABLE bl.a (id int PRIMARY KEY, v varchar(100), d decimal(20,5), t datetime(3), e enum('x','y'),"
                   " l varchar(20) CHARACTER SET cp1251, b blob" + (", j json)" if kind == "mysql" else ")"), "FLUSH BINARY LOGS")
        name = binlog.position(server)[0]
        server.run("USE bl", "SET SESSION %s=ON" % ("binlog_rows_query_log_events" if kind == "mysql" else "binlog_annotate_row_events"),
                   "INSERT INTO a (id, v, d, t, e, l, b) VALUES (1,'eins',-1.5,'2024-01-02 03:04:05.678','y','мир',x'00ff'),(2,NULL,0,NULL,'x','',NULL)",
                   "UPDATE a SET v='zwei', id=id+10 ORDER BY id", "BEGIN", "DELETE FROM a WHERE id=11", "DELETE FROM a", "COMMIT", "CREATE TABLE b (id int)")
        if kind == "mysql":
            server.run("USE bl", "SET binlog_transaction_compression=ON", "INSERT INTO a (id, j) VALUES (5, '{\"a\": [1, 2.5, \"x\", null]}')")
        server.run("FLUSH BINARY LOGS")
        done = subprocess.run(binlog.command(server, "--log", log_file(server, name), "--damage", t.seed, "--filter", "bl.*"),
                              stdout=subprocess.PIPE, timeout=240, text=True)
        assert done.returncode == 0, done.stdout[-2000:]
        said = json.loads(done.stdout)
        assert said["transactions"] == (5 if kind == "mysql" else 4) and said["errors"] >= said["changed"] - 1 and said["changed"] > 1000, said
        t.say("%s: %s" % (kind, said))
