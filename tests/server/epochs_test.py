"""A dump whose source is lost goes on by itself in a new snapshot, or says why it must not."""

import json
import os
import signal
import time

import compare
import ferry
from kill_test import dump_args, kind_of, make_source, no_row_in_two_files

DURABLE = {"mariadb": ("--innodb-flush-log-at-trx-commit=1", "--sync-binlog=1", "--gtid-strict-mode=ON"),
           "mysql": ("--innodb-flush-log-at-trx-commit=1", "--sync-binlog=1")}
SLOW = {"FERRY_FAULT_PAUSE": "dump.chunk.after-record:0.2"}


def own_source(t, kind, *options):
    source = t.own_server(kind, *options)
    t.server = lambda k, before=t.server: source if k == kind else before(k)
    return make_source(t, kind)


def start(source, db, out, *more, env=None):
    return ferry.start([str(a) for a in dump_args(source, db, out)] + list(more), env=dict(SLOW, **(env or {})),
                       program=ferry.fault_binary())


def finished(process, args, seconds=120):
    out, err = process.communicate(timeout=seconds)
    return ferry.Run(args, process.returncode, out.decode(), err.decode())


def chunks(out):
    return [r for r in ferry.manifest(out) if kind_of(r) == "chunk" and r.get("rows")]


def begun(process, out, count=8):
    """Waits until there are so many files, long before the end."""
    def files():
        return [n for n in os.listdir(out) if n.endswith(".sql.zst") and "schema" not in n] if os.path.isdir(out) else []
    ferry.wait_until(lambda: len(files()) >= count or process.poll() is not None, what="files")
    assert process.poll() is None, process.communicate()


def epochs(out):
    return [r["epoch"] for r in ferry.manifest(out) if kind_of(r) == "epoch"]


def equal_in_target(t, source, db, out):
    target = t.servers.get("mariadb")
    t.gone_after(target, db)
    ferry.load(target, out).must()
    compare.same_database(source, target, db)


def kill_connections(t, source, process, tries):
    """KILLs one of the dump's connections after the other; gives how many died."""
    killed = 0
    own = source.connect()
    with own.cursor() as cursor:
        while process.poll() is None and killed < tries:
            time.sleep(t.random.uniform(0.05, 0.5))
            cursor.execute("SELECT id FROM information_schema.processlist WHERE user = 'root' AND id <> CONNECTION_ID()" + (
                # a single one must be a worker's: those have a snapshot
                " AND id IN (SELECT trx_mysql_thread_id FROM information_schema.innodb_trx)" if tries == 1 else ""))
            others = [r[0] for r in cursor.fetchall()]
            if others:
                try:
                    cursor.execute("KILL %d" % t.random.choice(others))
                    killed += 1
                except Exception:
                    pass  # it ended meanwhile
    own.close()
    return killed


def connections_are_killed(t, kind):
    source, db = own_source(t, kind)
    out = t.path("d")
    process = start(source, db, out)
    begun(process, out)
    killed = kill_connections(t, source, process, 12)
    r = finished(process, ["dump"]).must(0)
    assert killed >= 6 and len(epochs(out)) >= 2, (killed, epochs(out))  # some were not a worker's
    t.say("%d connections killed, %d epochs" % (killed, len(epochs(out))))
    assert "new snapshot" in r.err, r.err
    no_row_in_two_files(out)
    ferry.run("verify", "--input", out).must()
    equal_in_target(t, source, db, out)


def test_connections_killed_mariadb(t):
    connections_are_killed(t, "mariadb")


def test_connections_killed_mysql(t):
    connections_are_killed(t, "mysql")


def test_one_worker_lost_the_others_go_on(t):
    """The other workers' snapshots are not given up: all but the lost span is of the first epoch."""
    source, db = own_source(t, "mariadb")
    out = t.path("d")
    process = start(source, db, out)
    begun(process, out)
    own = source.run("SELECT id FROM information_schema.processlist WHERE info IS NULL AND id <> CONNECTION_ID() ORDER BY id DESC LIMIT 1")
    source.run("KILL %d" % own[0][0])
    finished(process, ["dump"]).must()
    of = [r["epoch"] for r in chunks(out)]
    assert epochs(out) == [1, 2] and of.count(1) > len(of) / 2, (epochs(out), of)
    no_row_in_two_files(out)


def server_restarts(t, kind, sig):
    source, db = own_source(t, kind, *DURABLE[kind])
    out = t.path("d")
    process = start(source, db, out)
    begun(process, out)
    source.stop(sig)
    time.sleep(0.5)
    source.start()
    finished(process, ["dump"]).must()
    assert len(epochs(out)) == 2, epochs(out)
    no_row_in_two_files(out)
    says_from_where_to_where(out)
    equal_in_target(t, source, db, out)


def says_from_where_to_where(out):
    """Which epochs a table is of; DM's second block; by GTID both positions are the same one."""
    records = ferry.manifest(out)
    first, last = [r for r in records if kind_of(r) == "epoch"]
    assert first["log_file"] != last["log_file"] and first["gtid"] == last["gtid"], (first, last)
    tables = {r["table"]: r for r in records if kind_of(r) == "table" and r["kind"] == "table"}
    for done in [r for r in records if kind_of(r) == "table_done" and r["table"] in tables]:
        keyed = tables[done["table"]].get("key")
        assert (done["from"], done["to"]) == (1, 2) if keyed else done["from"] == done["to"], done
    with open(os.path.join(out, "metadata")) as f:
        blocks = f.read().split("SHOW MASTER STATUS:")
    assert len(blocks) == 3 and "\tLog: %s\n" % first["log_file"] in blocks[1], blocks
    assert blocks[2].startswith(" /* AFTER CONNECTION POOL ESTABLISHED */\n\tLog: %s\n\tPos: %d\n\tGTID:%s\n" % (
        last["log_file"], last["log_pos"], last["gtid"])), blocks
    for form in ("mysql", "mariadb", "dm"):
        ferry.run("position", "--input", out, "--as", form).must(0, first["log_file"])
    said = json.loads(ferry.run("position", "--input", out, "--as", "json").must().out)
    assert ("keyed", 1, 2) in [(x["name"], x["from"], x["to"]) for x in said["tables"]], said


def test_server_restarts_mariadb(t):
    server_restarts(t, "mariadb", signal.SIGTERM)


def test_server_restarts_mysql(t):
    server_restarts(t, "mysql", signal.SIGTERM)


def test_server_crashes(t):
    server_restarts(t, "mariadb", signal.SIGKILL)


def test_server_restarts_and_may_have_lost_something(t):
    """The servers of the tests write with innodb_flush_log_at_trx_commit=2: a crash could have taken transactions along."""
    source, db = own_source(t, "mariadb", "--sync-binlog=1")
    out = t.path("d")
    process = start(source, db, out)
    begun(process, out)
    source.stop(signal.SIGTERM)
    source.start()
    finished(process, ["dump"]).must(1, ["FERRY-DUMP-SOURCE-MOVED", "innodb_flush_log_at_trx_commit"])


def test_source_moves_while_it_is_lost(t):
    source, db = own_source(t, "mariadb")
    out = t.path("d")
    process = start(source, db, out)
    begun(process, out)
    source.run("UPDATE killed.keyed SET n = n + 1 ORDER BY id DESC LIMIT 1")
    kill_connections(t, source, process, 1)
    finished(process, ["dump"]).must(0, "epoch 2")
    ferry.run("verify", "--input", out).must()


def test_max_epochs(t):
    source, db = own_source(t, "mariadb")
    out = t.path("d")
    process = start(source, db, out, "--max-epochs", "1")
    begun(process, out)
    source.run(*["KILL %d" % r[0] for r in source.run(
        "SELECT id FROM information_schema.processlist WHERE user = 'root' AND id <> CONNECTION_ID()")])
    finished(process, ["dump"]).must(1, ["FERRY-DUMP-CONSISTENCY", "--max-epochs is 1"])
    ferry.run(*dump_args(source, db, out), "--max-epochs", "1").must(1, "--max-epochs is 1")
    ferry.run(*dump_args(source, db, out), "--max-epochs", "2").must()
    no_row_in_two_files(out)


def test_source_stays_away(t):
    """After --reconnect-timeout the dump ends with exit status 75, and the same command goes on."""
    source, db = own_source(t, "mariadb", *DURABLE["mariadb"])
    out = t.path("d")
    process = start(source, db, out, "--reconnect-timeout", "2s")
    begun(process, out)
    since = time.monotonic()
    source.stop(signal.SIGTERM)
    finished(process, ["dump"]).must(75, "FERRY-CONNECT")
    assert 1.5 < time.monotonic() - since < 120  # without the option: 10 minutes
    source.start()
    ferry.run(*dump_args(source, db, out)).must()
    no_row_in_two_files(out)


def test_killed_while_the_source_is_lost(t):
    """kill -9 between two epochs, and right after the record of the second one."""
    for step in ("dump.epoch.lost", "dump.epoch.record:2"):
        source, db = own_source(t, "mariadb")
        out = t.path(step.replace(":", "-"))
        process = start(source, db, out, env={"FERRY_FAULT": step})
        begun(process, out)
        kill_connections(t, source, process, 1)
        finished(process, ["dump"]).must(-signal.SIGKILL)
        ferry.run(*dump_args(source, db, out), "--take-over").must()
        no_row_in_two_files(out)
        equal_in_target(t, source, db, out)
