"""ferry position and ferry status: what a dump's folder says, on the command line."""

import json
import os
import time

import ferry
from case import quick
from verify_test import rewrite


def small(t, kind="mariadb", rows=1000):
    source = t.server(kind)
    t.database(source, "where_", "CREATE TABLE a (id int PRIMARY KEY, v varchar(100))",
               "INSERT INTO a VALUES " + ",".join("(%d,'%s')" % (i, "x" * 80) for i in range(rows)), "CREATE TABLE b (id int PRIMARY KEY)",
               "CREATE VIEW w AS SELECT id FROM a")
    return source


def position(out, form, *more):
    return ferry.run("position", "--input", out, "--as", form, *more)


@quick
def test_forms_mariadb(t):
    source = small(t)
    out = t.path("d")
    ferry.dump(source, out, "-f", "where_.*").must()
    epoch = [r for r in ferry.manifest(out) if r["record"] == "epoch"][0]
    name, pos, gtid = epoch["log_file"], epoch["log_pos"], epoch["gtid"]
    ferry.run("position", "--input", out).must(0, "position: %s:%d, GTID %s" % (name, pos, gtid))
    whole = json.loads(position(out, "json").must().out)
    assert whole["position"] == {"file": name, "offset": pos, "gtid": gtid} and whole["complete"] and whole["one_position"], whole
    position(out, "dm").must(0, ['task-mode: "incremental"', 'timezone: "+00:00"', 'binlog-name: "%s"' % name, "binlog-pos: %d" % pos,
                                 'binlog-gtid: "%s"' % gtid, "safe-mode: false"])
    position(out, "mariadb").must(0, ["SET GLOBAL gtid_slave_pos='%s'" % gtid, "MASTER_USE_GTID=slave_pos",
                                      "MASTER_LOG_FILE='%s', MASTER_LOG_POS=%d" % (name, pos)])
    r = position(out, "mysql").must(0, ["CHANGE REPLICATION SOURCE TO", "SOURCE_LOG_FILE='%s', SOURCE_LOG_POS=%d" % (name, pos)])
    assert "AUTO_POSITION" not in r.out, r


def test_replica_takes_the_statements(t):
    """The servers themselves parse what is printed, and start from there."""
    for kind in ("mariadb", "mysql"):
        source = small(t, kind)
        out = t.path(kind)
        ferry.dump(source, out, "-f", "where_.*").must()
        replica = t.own_server(kind, "--server-id=77") if kind == "mariadb" else t.own_server(kind, "--server-id=78")
        text = position(out, kind).must().out
        statements = " ".join(line for line in text.splitlines() if not line.startswith("--")).split(";")
        replica.run(*[s for s in statements if s.strip()])
        if kind == "mariadb":
            assert replica.value("SELECT @@gtid_slave_pos") in text
        else:
            assert replica.value("SELECT @@gtid_purged").replace("\n", "") in text


def test_several_epochs_and_unfinished(t):
    source = small(t)
    out = t.path("d")
    args = ("dump", "--source", source.url, "--output", out, "-f", "where_.*", "--chunk-size", "1KiB")
    ferry.run_fault("dump.chunk.after-record:5", *args)
    ferry.run("position", "--input", out).must(0, "not finished")
    for form in ("dm", "mysql", "mariadb"):
        position(out, form).must(5, "FERRY-DUMP-INCOMPLETE")
    ferry.run(*args).must()
    position(out, "mysql").must(0, "CHANGE REPLICATION SOURCE TO")
    if len([r for r in ferry.manifest(out) if r["record"] == "epoch"]) < 2:
        def second(r):
            return [r, dict(r, epoch=2)] if r["record"] == "epoch" else r
        rewrite(out, second)

    def moved(r):
        return dict(r, log_pos=r["log_pos"] + 100) if r["record"] == "epoch" and r["epoch"] > 1 else r
    rewrite(out, moved)
    for form in ("mysql", "mariadb"):
        position(out, form).must(1, ["FERRY-DUMP-CONSISTENCY", "2 snapshots"])
    position(out, "dm").must(0, ["safe-mode: true", "safe mode must stay on until"])
    ferry.run("position", "--input", out).must(0, "2 of them")


@quick
def test_none(t):
    """No binlog, or no consistency: text says so, the forms for replication are refused."""
    source = small(t)
    out = t.path("d")
    ferry.dump(source, out, "-f", "where_.*", "--consistency", "none").must()
    ferry.run("position", "--input", out).must(0, "consistency none")
    for form in ("dm", "mysql", "mariadb"):
        position(out, form).must(1, ["FERRY-DUMP-CONSISTENCY", "none"])

    def without(r):
        for name in ("log_file", "gtid"):
            r.pop(name, None)
        return r
    rewrite(out, without)
    ferry.run("position", "--input", out).must(0, "position: none")
    position(out, "mysql").must(1, "no position")
    assert json.loads(position(out, "json").must().out)["position"] is None
    position(out, "yaml").must(2)
    ferry.run("position", "--input", t.path("nowhere")).must(1)


@quick
def test_partial(t):
    source = small(t)
    out = t.path("d")
    ferry.dump(source, out, "-f", "where_.*", "--rows-limit", "where_.a=10", "--columns", "where_.a=v", "--chunk-size", "1KiB").must()
    ferry.run("verify", "--input", out).must(0, "10 rows")
    ferry.run("position", "--input", out).must(0, "partial")
    for form in ("dm", "mysql", "mariadb"):
        position(out, form).must(1, "partial")


def status(out):
    return json.loads(ferry.run("status", out, "--json").must().out)


def test_status_of_each_state(t):
    source = small(t, rows=5000)
    out = t.path("d")
    os.mkdir(out)
    ferry.run("status", out).must(1, "ferry.manifest")
    args = ["dump", "--source", source.url, "--output", out, "-f", "where_.*", "--chunk-size", "4KiB", "-t", "1"]
    process = ferry.start(args, env={"FERRY_FAULT_PAUSE": "dump.chunk.after-record:0.05"}, program=ferry.fault_binary())
    seen = []

    def middle():
        seen.append(status(out) if os.path.exists(os.path.join(out, "ferry.lock")) else {"rows": 0})
        return seen[-1]["rows"] > 0 and seen[-1]["rows"] < 5000
    try:
        ferry.wait_until(middle, 60, "rows of an unfinished dump")
        now = seen[-1]
        assert now["state"] == "running" and now["owner"]["pid"] == process.pid and now["tables_total"] == 2, now
        assert 0 < now["share"] < 1 and now["tables_done"] < 2, now
        ferry.run("status", out).must(0, ["state: running", "process %d" % process.pid, "of 2 done"])
    finally:
        process.kill()
        process.communicate()
    time.sleep(0.2)
    now = status(out)
    assert now["state"] == "unfinished" and now["owner"]["gone"], now
    ferry.run("status", out).must(0, ["state: unfinished", "has ended without finishing", "goes on with it"])
    ferry.run(*args).must()
    now = status(out)
    assert now["state"] == "finished" and now["owner"] is None and now["share"] == 1 and now["rows"] == 5000, now
    assert now["tables_done"] == now["tables_total"] == 2 and now["others"] == 1, now
    ferry.run("status", out).must(0, ["state: finished", "rows: 5000"])
    ferry.run("status").must(2)
