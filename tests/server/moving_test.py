"""--consistency binlog: chunks of many moments, and the captured binlog that makes them one."""

import signal

import binlog
import captured
import ferry
import replayed
from capture_test import Writer, busy_source, check_bytes

KEYED = {"t": True, "small": True}
COLUMNS = {"t": "id,v,u", "small": "id,n", "heap": "id,v"}


def account(source, kind, name="few"):
    """What a managed server gives: no RELOAD, no LOCK TABLES."""
    grants = "SELECT, PROCESS, BINLOG MONITOR, REPLICATION SLAVE, REPLICA MONITOR" if kind == "mariadb" else \
        "SELECT, PROCESS, REPLICATION CLIENT, REPLICATION SLAVE"
    source.run("CREATE USER %s@'127.0.0.1'" % name, "GRANT %s ON *.* TO %s@'127.0.0.1'" % (grants, name))
    return source.url.replace("root@", name + "@")


def moving(t, kind, url, source, *options):
    """Killed twice with a writer going and continued; the writer stops while the last run goes on."""
    out = t.path(kind)
    more = ["-f", "busy.t", "-f", "busy.small", "--chunk-size", "4KiB", "--rate", "160KiB", "-t", "2"] + list(options)
    writer = Writer(source, t.seed)
    writer.start()
    for run in range(3):
        process = ferry.start(["dump", "--source", url, "--output", out] + more)
        before = len(captured.records(out, "epoch"))
        ferry.wait_until(lambda: process.poll() is not None or len([c for c in captured.records(out, "chunk") if c["epoch"] > before]) > 20,
                         seconds=60, what="chunks")
        if run < 2:
            process.send_signal(signal.SIGKILL)
            assert captured.finish(process).status == -9
        else:
            writer.stop()
    r = captured.finish(process).must(0, "consistency binlog")
    epochs = captured.records(out, "epoch")
    assert [e["consistency"] for e in epochs] == ["binlog"] * 3, r
    check_bytes(source, out)
    ferry.run("verify", "--input", out).must()
    state = replayed.replay(source, out, KEYED)
    for table in KEYED:
        want = sorted(tuple(row) for row in binlog.select(source, "busy", table, COLUMNS[table].split(","), order="1"))
        assert want == state[table], (table, len(want), len(state[table]), t.seed)
    source.stop()
    target = t.own_server("mariadb")
    ferry.load(target, out, "-t", "4").must()
    for table in KEYED:
        assert state[table] == sorted(tuple(row) for row in binlog.select(target, "busy", table, COLUMNS[table].split(","), order="1")), table
    ferry.run("position", "--input", out).must(0, ["moment of its own", "captured binlog"])
    ferry.run("position", "--input", out, "--as", kind).must(1, "FERRY-DUMP-CONSISTENCY")
    ferry.run("position", "--input", out, "--as", "dm").must(0, ["safe-mode: true", "%s:%d" % captured.end(out)])
    with open(out + "/metadata", encoding="utf-8") as f:
        assert "AFTER CONNECTION POOL ESTABLISHED" in f.read()


def test_moving_mariadb(t):
    source, _ = busy_source(t, "mariadb")
    moving(t, "mariadb", account(source, "mariadb"), source, "--with-binlog")  # auto: no lock is to be had


def test_moving_mysql(t):
    source, _ = busy_source(t, "mysql")
    moving(t, "mysql", account(source, "mysql"), source, "--consistency", "binlog")


def test_refused_by_name(t):
    source, _ = busy_source(t, "mariadb")
    ferry.dump(source, t.path("heap"), "-f", "busy.*", "--consistency", "binlog").must(1, ["busy.heap", "no primary key"])
    source.run("DROP TABLE busy.heap", "CREATE TABLE busy.my (id int PRIMARY KEY) ENGINE=MyISAM", "INSERT INTO busy.my VALUES (1)")
    ferry.dump(source, t.path("my"), "-f", "busy.*", "--consistency", "binlog", "--non-transactional", "lock").must(1, ["busy.my", "MyISAM"])
    source.run("DROP TABLE busy.my", "CREATE TABLE busy.child (id int PRIMARY KEY, p int, FOREIGN KEY (p) REFERENCES small (id) ON UPDATE SET NULL)")
    ferry.dump(source, t.path("child"), "-f", "busy.*", "--consistency", "binlog").must(1, ["FERRY-DUMP-CONSISTENCY", "cascades"])
    source.run("DROP TABLE busy.child", "CREATE TABLE busy.old (id int PRIMARY KEY) WITH SYSTEM VERSIONING")
    ferry.dump(source, t.path("old"), "-f", "busy.*", "--consistency", "binlog").must(1, ["busy.old", "system-versioned"])
    source.run("DROP TABLE busy.old")
    source.run("XA START 'held'", "INSERT INTO busy.small VALUES (9, 9)", "XA END 'held'", "XA PREPARE 'held'")
    ferry.dump(source, t.path("xa"), "-f", "busy.*", "--consistency", "binlog").must(1, ["FERRY-DUMP-CONSISTENCY", "'held'"])
    source.run("XA ROLLBACK 'held'")
    ferry.dump(source, t.path("good"), "-f", "busy.*", "--consistency", "binlog").must(0, "consistency: binlog (asked for)")


def test_ddl_before_the_end(t):
    """A finished table that DDL names before the dump ends is read again by the same command."""
    source, _ = busy_source(t, "mariadb")
    out = t.path("d")
    args = ["-f", "busy.t", "-f", "busy.small", "--consistency", "binlog", "--ddl-lock", "no"]
    process = ferry.start(["dump", "--source", source.url, "--output", out] + args, program=ferry.fault_binary(),
                          env={"FERRY_FAULT_PAUSE": "dump.capture.end:4"})
    ferry.wait_until(lambda: process.poll() is not None or captured.records(out, "checked"), seconds=60, what="all rows")
    source.run("ALTER TABLE busy.small ADD COLUMN w int DEFAULT 7", "UPDATE busy.small SET w = 8 WHERE id = 2")
    r = captured.finish(process)
    assert r.status in (0, 1), r
    if r.status == 1:
        r.must(1, ["FERRY-DUMP-TABLE", "busy.small"])
        ferry.dump(source, out, *args).must(0, "epoch 2")
    ferry.run("verify", "--input", out).must()


def test_positions_of_mysql(t):
    """log_status, GTIDs, or a new file of the binlog; refused where the account has none of them."""
    for options in ((), ("--gtid-mode=OFF", "--enforce-gtid-consistency=OFF")):
        source = t.own_server("mysql", *options)
        t.database(source, "place", "CREATE TABLE p (id int PRIMARY KEY)", "INSERT INTO place.p VALUES (1), (2)")
        few = account(source, "mysql")
        args = ["-f", "place.*", "--consistency", "binlog", "--no-triggers", "--no-events"]
        at = binlog.position(source)
        out = t.path("root" + str(len(options)))
        ferry.dump(source, out, *args).must()
        epoch = captured.records(out, "epoch")[0]
        assert (epoch["log_file"], epoch["log_pos"], epoch["gtid"]) == (at[0], at[1], binlog.gtids(source) if not options else ""), (epoch, at)
        out = t.path("few" + str(len(options)))
        r = ferry.run("dump", "--source", few, "--output", out, *args)
        if options:
            r.must(1, ["FERRY-DUMP-CONSISTENCY", "gtid_mode=ON"])
            source.run("GRANT RELOAD ON *.* TO few@'127.0.0.1'")
            ferry.run("dump", "--source", few, "--output", out, *args).must()
            epoch = captured.records(out, "epoch")[0]
            assert epoch["log_file"] != at[0] and epoch["log_pos"] == 4, (epoch, at)
        else:
            r.must(0)
            epoch = captured.records(out, "epoch")[0]
            assert (epoch["log_file"], epoch["log_pos"], epoch["gtid"]) == (at[0], at[1], binlog.gtids(source)), (epoch, at)
        ferry.run("verify", "--input", out).must()
