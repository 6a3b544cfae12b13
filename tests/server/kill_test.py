"""Dump and load are killed at every named step and at random moments, and said again; the source is at rest."""

import glob
import os
import shutil
import signal
import time

import compare
import data
import ferry

DUMP_STEPS = ["dump.after-lock", "dump.after-snapshot", "dump.epoch.record", "dump.table-record", "dump.chunk.before-finish",
              "dump.chunk.before-record", "dump.chunk.after-record", "dump.chunk.after-record:9", "dump.split",
              "dump.before-metadata", "dump.before-end", "dump.after-end"]
LOAD_STEPS = ["load.after-state", "load.schema.after-create", "load.claim", "load.claim:5", "load.before-load",
              "load.before-load:7", "load.after-load", "load.after-load:7", "load.after-commit", "load.after-commit:9",
              "load.before-done", "load.after-done"]
ROWS = 30000


def make_source(t, kind, rows=ROWS):
    source = t.server(kind)
    db = t.database(source, "killed", options="CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
    data.fill_random(source, db, "keyed", rows, t.seed)
    data.fill_random(source, db, "keyless", rows // 3, t.seed + 1, keyed=False)
    source.run("CREATE VIEW killed.v AS SELECT id FROM killed.keyed")
    return source, db


class Target:
    """Where the loads go: a TiDB on disk, which is started again when a killed client took it along, or another server."""

    def __init__(self, t, kind="tidb"):
        self.t = t
        self.server = t.own_server("tidb", "persist") if kind == "tidb" else t.own_server(kind)
        self.deaths = 0
        self.torn = False

    def fresh(self, *databases):
        self.t.gone_after(self.server, *databases)
        self.torn = False

    def revive(self):
        if hasattr(self.server, "revive") and self.server.revive():
            self.deaths += 1
            self.torn = True
        return self.server

    def equals(self, source, db):
        """Equal by value; after a death of the embedded store only that no row is doubled or wrong."""
        compare.same_database(source, self.server, db, self.torn)

    def say(self):
        if self.deaths:
            self.t.say("the server itself died %d times with a killed client: not judged for missing rows then" % self.deaths)


def dump_args(source, db, out):
    return ("dump", "--source", source.url, "--output", out, "-f", db + ".*", "--chunk-size", "64KiB", "-t", "4")


def load_args(target, out):
    return ("load", "--target", target.url, "--input", out, "-t", "6", "--batch-rows", "300")


def kind_of(record):
    return record.get("type") or record.get("record") or record.get("kind")


def no_row_in_two_files(out):
    """Chunk records that count name each file once, and their rows add up to what `end` says."""
    chunks, voided = {}, set()
    end = None
    for r in ferry.manifest(out):
        kind = kind_of(r)
        if kind == "void":
            chunks = {k: v for k, v in chunks.items() if k[0] != r["table"]}
        elif kind == "chunk" and r.get("rows"):
            key = (r["table"], r.get("number"))
            assert key not in chunks, key
            chunks[key] = r["rows"]
        elif kind == "end":
            end = r
    assert end and end["rows"] == sum(chunks.values()), (end, sum(chunks.values()))
    on_disk = [n for n in os.listdir(out) if n.endswith((".sql.zst", ".sql")) and "-schema" not in n]
    assert len(on_disk) == len(chunks), (len(on_disk), len(chunks))


def test_dump_killed_at_each_step(t):
    source, db = make_source(t, "mariadb", ROWS // 3)
    target = t.own_server("tidb")
    for step in DUMP_STEPS:
        out = t.path(step.replace(":", "-"))
        args = dump_args(source, db, out)
        ferry.run_fault(step, *args)
        if step == "dump.after-end":
            ferry.run(*args).must(2, "FERRY-DUMP-FINISHED")
        else:
            ferry.run("load", "--target", target.url, "--input", out, "--wait", "0").must(5)
            ferry.run(*args).must()
        no_row_in_two_files(out)
        t.gone_after(target, db)
        ferry.run(*load_args(target, out)).must()
        compare.same_database(source, target, db)


def test_load_killed_at_each_step(t):
    for kind in ("tidb", "mariadb"):
        source, db = make_source(t, "mysql")
        target = Target(t, kind)
        out = t.path(kind)
        ferry.run(*dump_args(source, db, out)).must()
        for step in LOAD_STEPS:
            target.fresh(db)
            ferry.run_fault(step, *load_args(target.server, out))
            ferry.run(*load_args(target.revive(), out)).must()
            target.equals(source, db)
            ferry.run(*load_args(target.server, out)).must(0, "nothing to do")
        target.say()


def killed_at_random(t, source, db, target, tries):
    t.say("random kills")
    killed = {"dump": 0, "load": 0}
    out = t.path("dump")
    for _ in range(tries // 2):
        r = ferry.run_killed(t.random.uniform(0.01, 0.5), *dump_args(source, db, out), program=ferry.fault_binary(),
                             env={"FERRY_FAULT_PAUSE": "dump.chunk.after-record:0.05"})
        if r.status != -signal.SIGKILL:
            break
        killed["dump"] += 1
    else:
        r = ferry.run(*dump_args(source, db, out))
    r.must()
    no_row_in_two_files(out)
    target.fresh(db)
    for _ in range(tries // 2):
        r = ferry.run_killed(t.random.uniform(0.05, 1.0), *load_args(target.server, out), program=ferry.fault_binary(),
                             env={"FERRY_FAULT_PAUSE": "load.after-load:0.05"})
        target.revive()
        if r.status != -signal.SIGKILL:
            break
        killed["load"] += 1
    else:
        r = ferry.run(*load_args(target.server, out))
    r.must()
    target.equals(source, db)
    shutil.rmtree(out)
    t.say("killed %(dump)d dumps and %(load)d loads" % killed)
    return killed["dump"] + killed["load"]


def test_killed_at_random_mariadb(t):
    source, db = make_source(t, "mariadb")
    target = Target(t)
    done = sum(killed_at_random(t, source, db, target, 10) for _ in range(4))
    target.say()
    assert done >= 8, "only %d runs were killed in time" % done


def test_killed_at_random_mysql(t):
    source, db = make_source(t, "mysql")
    target = Target(t, "mariadb")
    done = sum(killed_at_random(t, source, db, target, 10) for _ in range(2))
    target.say()
    assert done >= 4, "only %d runs were killed in time" % done


def killed_with_records(source, db, out):
    """Dies when about 40 chunks are done, slowly enough that most of their records have become durable."""
    ferry.run_fault("dump.chunk.after-record:40", *dump_args(source, db, out),
                    env={"FERRY_FAULT_PAUSE": "dump.chunk.after-record:0.4"})
    done = [r for r in ferry.manifest(out) if kind_of(r) == "chunk" and r.get("rows")]
    assert len(done) > 8, "only %d chunks were durable" % len(done)
    return {r["path"]: os.stat(os.path.join(out, r["path"])).st_mtime_ns for r in done}


def test_continued_dump_keeps_what_is_durable(t):
    """Killed with chunks on record, then continued in a second epoch: those files are not written again."""
    for kind in ("mariadb", "mysql"):
        source, db = make_source(t, kind)
        out = t.path(kind)
        before = killed_with_records(source, db, out)
        ferry.run(*dump_args(source, db, out)).must()
        no_row_in_two_files(out)
        kept = [r for r in ferry.manifest(out) if kind_of(r) == "chunk" and r.get("rows") and r["epoch"] == 1]
        assert {r["epoch"] for r in ferry.manifest(out) if kind_of(r) == "epoch"} == {1, 2}
        keyed = [f for f in before if "keyless" not in f]
        assert keyed and set(keyed) <= {r["path"] for r in kept}
        for f in keyed:
            assert os.stat(os.path.join(out, f)).st_mtime_ns == before[f], f + " was written again"
        target = t.own_server("tidb")
        ferry.run(*load_args(target, out)).must()
        compare.same_database(source, target, db)


def test_what_is_read_again(t):
    """Killed at a random moment: without a record are only the files of the last 2 s, and what each worker was at."""
    source, db = make_source(t, "mariadb")
    out = t.path("d")
    threads, again = 4, []
    for _ in range(2):
        shutil.rmtree(out, ignore_errors=True)
        r = ferry.run_killed(t.random.uniform(3.5, 5), *dump_args(source, db, out), program=ferry.fault_binary(),
                             env={"FERRY_FAULT_PAUSE": "dump.chunk.after-record:0.4"})
        killed = time.time()
        assert r.status == -signal.SIGKILL, r
        known = {c["path"] for c in ferry.manifest(out) if kind_of(c) == "chunk" and c.get("rows")}
        files = {n: os.stat(os.path.join(out, n)).st_mtime for n in os.listdir(out) if "schema" not in n and
                 (n.endswith(".sql.zst") or n.startswith(".ferry-tmp-"))}
        unknown = [n for n in files if n not in known]
        assert known and len([n for n in unknown if killed - files[n] > 2.0 + 0.7]) <= threads, (unknown, killed, files)
        again.append("%d of %d" % (len(unknown), len(files)))
    t.say("files to be read again: %s" % ", ".join(again))
    ferry.run(*dump_args(source, db, out)).must()


def test_source_moved_between_runs(t):
    """A second epoch goes on where the source has changed: its binlog makes both one state. --max-epochs 1 keeps to one."""
    source, db = make_source(t, "mariadb")
    out = t.path("dump")
    killed_with_records(source, db, out)
    source.run("DELETE FROM killed.keyed ORDER BY id LIMIT 1", "DELETE FROM killed.keyed ORDER BY id DESC LIMIT 1")
    ferry.run(*dump_args(source, db, out), "--max-epochs", "1").must(1, "FERRY-DUMP-CONSISTENCY")
    ferry.run(*dump_args(source, db, out)).must(0, "epoch 2")
    ferry.run("verify", "--input", out).must()
    target = t.own_server("mariadb")
    ferry.load(target, out).must(2, "--source")
    ferry.load(target, out, "--source", source.url).must()
    compare.same_database(source, target, db)
    ferry.run(*dump_args(source, db, out), "--restart").must(2, "--yes")
    ferry.run(*dump_args(source, db, out), "--restart", "--yes").must()
    no_row_in_two_files(out)


def test_take_over_from_one_that_lives(t):
    """What was said to be dead and is not sees that it has lost the dump, keeps what it has finished, and the other goes on from there."""
    source = t.server("mariadb")
    db = t.database(source, "takeover", "CREATE TABLE a (id int PRIMARY KEY, v varchar(300))",
                    "INSERT INTO a SELECT seq, REPEAT('x', 200) FROM seq_1_to_20000")
    out = t.path("d")
    args = ["dump", "--source", source.url, "--output", out, "-f", db + ".*", "--chunk-size", "100KiB", "--compress", "none"]
    first = ferry.start(args + ["--rate", "150KiB"])
    ferry.wait_until(lambda: len(glob.glob(out + "/ferry.manifest/*.jsonl")) >= 3, what="records")
    ferry.run(*args).must(1, "FERRY-LOCKED")
    ferry.run(*args, "--take-over").must(0, "lease.wait")
    _, err = first.communicate(timeout=30)
    assert first.returncode == 1 and "FERRY-LOCKED" in err.decode(), err.decode()
    ferry.run("verify", "--input", out).must(0, "20000 rows")
    assert len([r for r in ferry.manifest(out) if r["record"] == "epoch"]) == 2
    assert not [r for r in ferry.manifest(out) if r["record"] == "void"]
