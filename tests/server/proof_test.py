"""A writer goes on while the dump is killed and continued, and the load is killed and continued: what comes out is the source
as of the dump's end, by value, without reaching the source again."""

import os
import signal
import threading

import captured
import compare
import ferry
import follow_test
from follow_test import contents
from case import soak


SLOWLY = {"FERRY_FAULT_PAUSE": "dump.chunk.before-finish:0.2"}  # so that a dump is still at it when it is killed


class Writing(threading.Thread):
    """Random transactions until it is stopped."""

    def __init__(self, source, seed):
        super().__init__(daemon=True)
        self.writer = follow_test.Writer(source, "fo", seed)
        self.stopping, self.failure, self.count = threading.Event(), None, 0

    def run(self):
        try:
            while not self.stopping.is_set():
                self.writer.transaction()
                self.count += 1
                self.stopping.wait(0.005)
            self.writer.close()
        except Exception as e:  # the test says it
            self.failure = e

    def stop(self):
        self.stopping.set()
        self.join(60)
        assert not self.failure and not self.is_alive(), self.failure


def big(source, rows):
    """The tables of follow_test with more rows, so that a dump has many chunks."""
    for base in range(1000, 1000 + rows, 500):
        source.run("USE fo", "INSERT INTO plain VALUES " + ",".join("(%d,'v%d%s',1,NULL)" % (i, i, "x" * 20) for i in range(base, base + 500)),
                   "INSERT INTO uniq (id,u,n) VALUES " + ",".join("(%d,%d,'%s')" % (i, i, "y" * 18) for i in range(base, base + 500)))


def dump_killed(t, source, out, kills, *more):
    """Each run is killed when it has chunks of its own; the last one ends with the writer at rest."""
    options = ["-f", "fo.*", "--chunk-size", "2KiB", "-t", "2"] + list(more)
    writing = Writing(source, t.seed)
    writing.start()
    for _ in range(kills):
        process = ferry.start(["dump", "--source", source.url, "--output", out, "--with-binlog"] + options, env=SLOWLY, program=ferry.fault_binary())
        epochs = len(captured.records(out, "epoch"))
        ferry.wait_until(lambda: process.poll() is not None or len([c for c in captured.records(out, "chunk") if c["epoch"] > epochs]) >
                         t.random.randrange(1, 4), 120, "chunks")
        process.send_signal(signal.SIGKILL)
        captured.finish(process)
    with captured.held_dump(source, out, *options) as dump:
        writing.stop()
    captured.finish(dump).must()
    done = captured.records(out, "table_done")
    t.say("%d epochs, %d transactions, %d tables of several epochs" % (len(captured.records(out, "epoch")), writing.count, len(
        [r for r in done if r.get("to", 0) > r.get("from", 0)])))


STEPS = ["load.after-load:3", "load.after-rows", "follow.begin", "follow.before-commit:2", "follow.after-commit:4", "follow.before-point"]


def proof(t, kind, target_kind, rows, kills, loads, *more):
    source = t.own_server(kind)
    target = t.server(target_kind)
    t.database(source, "fo", *follow_test.tables("fo", kind), options="CHARACTER SET utf8mb4")
    t.gone_after(target, "fo")
    follow_test.fill(source, "fo")
    big(source, rows)
    out = t.path("dump-%s-%s" % (kind, target_kind))
    dump_killed(t, source, out, kills, *more)
    expected = {table: rows for table, rows in contents(source, "fo").items() if "!fo." + table not in more}
    source.kill()
    # By INSERT: TiDB's embedded store would not survive a client's death in a LOAD DATA.
    how = ["--path", "insert"] if target_kind == "tidb" else []
    for i in range(loads):
        r = ferry.run("load", "--target", target.url, "--input", out, "-t", "4", *how, env={"FERRY_FAULT": STEPS[i % len(STEPS)]},
                      program=ferry.fault_binary())
        assert r.status in (0, -signal.SIGKILL), r
        assert target.process.poll() is None, "the target died of it: nothing can be said"
    r = ferry.load(target, out).must()
    found = contents(target, "fo")
    for table, wanted in expected.items():
        assert found[table] == wanted, "%s: only source %s, only target %s\n%s" % (
            table, [x for x in wanted if x not in set(found[table])][:3], [x for x in found[table] if x not in set(wanted)][:3], r)
    assert sum(x[1] for x in target.run("SELECT id, sum FROM fo.account")) == 20000


def test_unique_values_that_moved_between_snapshots(t):
    """Two rows of the dump with one unique value, since it moved from the one to the other: the replay knows whose it is."""
    source, target = t.own_server("mariadb"), t.server("mysql")
    t.database(source, "fo", "CREATE TABLE u (id int PRIMARY KEY, u int, v varchar(100), UNIQUE KEY (u))")
    for base in range(0, 3000, 500):
        source.run("INSERT INTO fo.u VALUES " + ",".join("(%d,%d,REPEAT('x',80))" % (i, i) for i in range(base, base + 500)))
    t.gone_after(target, "fo")
    out = t.path("d")
    options = ["-f", "fo.*", "--chunk-size", "4KiB", "-t", "1"]
    process = ferry.start(["dump", "--source", source.url, "--output", out, "--with-binlog"] + options, env=SLOWLY, program=ferry.fault_binary())
    ferry.wait_until(lambda: captured.records(out, "chunk"), 120, "a chunk")
    process.send_signal(signal.SIGKILL)
    captured.finish(process)
    chunks = captured.records(out, "chunk")
    assert not any(c["last"] for c in chunks if "last" in c), chunks
    source.run("UPDATE fo.u SET u=-u WHERE id<20", "UPDATE fo.u SET u=u-2980 WHERE id>2980", "UPDATE fo.u SET v='moved' WHERE id<5")
    ferry.dump(source, out, "--with-binlog", *options).must()
    expected = contents(source, "fo")
    source.kill()
    target.run("CREATE DATABASE fo", "CREATE TABLE fo.u (id int PRIMARY KEY, u int, v varchar(100), UNIQUE KEY (u))", "INSERT INTO fo.u VALUES (-5,-500,'')")
    ferry.load(target, out).must(1, ["FERRY-LOAD-TABLE-EXISTS", "several snapshots"])
    target.run("DROP DATABASE fo", "DROP DATABASE ferry_meta")
    ferry.load(target, out).must()
    assert contents(target, "fo") == expected
    assert target.value("SELECT COUNT(*) FROM ferry_meta.conflict") == 0 and target.value("SELECT SUM(replaced) FROM ferry_meta.chunk") > 10


def test_several_snapshots_with_the_source_binlog(t):
    """The binlog between the snapshots comes from the source, which goes on; then it is followed."""
    source, target = t.own_server("mysql"), t.server("mariadb")
    t.database(source, "fo", *follow_test.tables("fo", "mysql"), options="CHARACTER SET utf8mb4")
    t.gone_after(target, "fo")
    follow_test.fill(source, "fo")
    big(source, 1500)
    out = t.path("d")
    options = ["-f", "fo.*", "--chunk-size", "4KiB", "-t", "1"]
    process = ferry.start(["dump", "--source", source.url, "--output", out] + options, env=SLOWLY, program=ferry.fault_binary())
    ferry.wait_until(lambda: captured.records(out, "chunk"), 120, "a chunk")
    process.send_signal(signal.SIGKILL)
    captured.finish(process)
    writer = follow_test.Writer(source, "fo", t.seed).run(50)
    ferry.dump(source, out, *options).must()
    writer.run(50)
    ferry.load(target, out).must(2, "name the server that was dumped with --source")
    ferry.run_fault("follow.after-commit", "load", "--target", target.url, "--input", out, "--source", source.url)
    ferry.run("follow", "--source", source.url, "--target", target.url, "--input", out, "--until", "caught-up").must(1, "is not complete")
    ferry.load(target, out, "--source", source.url).must(0, "the target is at")
    writer.run(20).close()
    follow_test.follow(source, target, "--until", "caught-up").must()
    assert contents(target, "fo") == contents(source, "fo")


def test_proof_mariadb_to_mysql(t):
    proof(t, "mariadb", "mysql", 1500, 2, 3)


def test_proof_mysql_to_mariadb(t):
    proof(t, "mysql", "mariadb", 1500, 2, 6)


def test_proof_without_long_snapshots(t):
    proof(t, "mysql", "mariadb", 1000, 1, 2, "--consistency", "binlog", "-f", "!fo.loose")


@soak
def test_proof_long(t):
    for kind, target in (("mysql", "tidb"), ("mariadb", "tidb"), ("mysql", "mariadb"), ("mariadb", "mysql")):
        proof(t, kind, target, 10000, 5, 6)


@soak
def test_proof_long_without_snapshots(t):
    for kind, target in (("mysql", "tidb"), ("mariadb", "tidb")):
        proof(t, kind, target, 10000, 5, 6, "--consistency", "binlog", "-f", "!fo.loose")
