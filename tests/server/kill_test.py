"""Dump and load are killed at every named step and at random moments, and said again; the source is at rest."""

import os
import signal

import compare
import data
import ferry

DUMP_STEPS = ["dump.after-lock", "dump.after-snapshot", "dump.table-record", "dump.chunk.before-finish",
              "dump.chunk.before-record", "dump.chunk.after-record", "dump.chunk.after-record:9", "dump.split",
              "dump.before-metadata", "dump.before-end", "dump.after-end"]
LOAD_STEPS = ["load.after-state", "load.schema.after-create", "load.claim", "load.claim:5", "load.before-load",
              "load.before-load:7", "load.after-load", "load.after-load:7", "load.after-commit", "load.after-commit:9",
              "load.before-done", "load.after-done"]
ROWS = 30000


def make_source(t, kind):
    source = t.server(kind)
    db = t.database(source, "killed", options="CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
    data.fill_random(source, db, "keyed", ROWS, t.seed)
    data.fill_random(source, db, "keyless", ROWS // 3, t.seed + 1, keyed=False)
    source.run("CREATE VIEW killed.v AS SELECT id FROM killed.keyed")
    return source, db


def dump_args(source, db, out):
    return ("dump", "--source", source.url, "--output", out, "-f", db + ".*", "--chunk-size", "64KiB", "-t", "4")


def load_args(target, out):
    return ("load", "--target", target.url, "--input", out, "-t", "6", "--batch-rows", "300")


def no_row_in_two_files(out):
    """Chunk records that count name each file once, and their rows add up to what `end` says."""
    chunks, voided = {}, set()
    end = None
    for r in ferry.manifest(out):
        kind = r.get("type") or r.get("kind")
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
    source, db = make_source(t, "mariadb")
    target = t.server("tidb")
    for step in DUMP_STEPS:
        out = t.path(step.replace(":", "-"))
        args = dump_args(source, db, out)
        ferry.run_fault(step, *args)
        if step == "dump.after-end":
            ferry.run(*args).must(2, "FERRY-DUMP-FINISHED")
        else:
            ferry.run("load", "--target", target.url, "--input", out).must(5)
            ferry.run(*args).must()
        no_row_in_two_files(out)
        t.gone_after(target, db)
        ferry.run(*load_args(target, out)).must()
        compare.same_database(source, target, db)


def test_load_killed_at_each_step(t):
    source, db = make_source(t, "mysql")
    target = t.server("tidb")
    out = t.path("dump")
    ferry.run(*dump_args(source, db, out)).must()
    for step in LOAD_STEPS:
        t.gone_after(target, db)
        ferry.run_fault(step, *load_args(target, out))
        ferry.run(*load_args(target, out)).must()
        compare.same_database(source, target, db)
        ferry.run(*load_args(target, out)).must(0, "nothing to do")


def killed_at_random(t, kind, tries):
    source, db = make_source(t, kind)
    target = t.server("tidb")
    t.say("random kills")
    killed = {"dump": 0, "load": 0}
    out = t.path("dump")
    for _ in range(tries // 2):
        r = ferry.run_killed(t.random.uniform(0.01, 0.5), *dump_args(source, db, out))
        if r.status != -signal.SIGKILL:
            break
        killed["dump"] += 1
    else:
        r = ferry.run(*dump_args(source, db, out))
    r.must()
    no_row_in_two_files(out)
    t.gone_after(target, db)
    for _ in range(tries // 2):
        r = ferry.run_killed(t.random.uniform(0.05, 1.0), *load_args(target, out))
        if r.status != -signal.SIGKILL:
            break
        killed["load"] += 1
    else:
        r = ferry.run(*load_args(target, out))
    r.must()
    compare.same_database(source, target, db)
    t.say("killed %(dump)d dumps and %(load)d loads" % killed)
    return killed["dump"] + killed["load"]


def test_killed_at_random_mariadb(t):
    done = 0
    for _ in range(4):
        done += killed_at_random(t, "mariadb", 10)
    assert done >= 8, "only %d runs were killed in time" % done


def test_killed_at_random_mysql(t):
    done = 0
    for _ in range(2):
        done += killed_at_random(t, "mysql", 10)
    assert done >= 4, "only %d runs were killed in time" % done


def test_source_moved_between_runs(t):
    """A second epoch is refused when the source has changed: nothing can replay the difference yet."""
    source, db = make_source(t, "mariadb")
    out = t.path("dump")
    ferry.run_fault("dump.chunk.after-record:3", *dump_args(source, db, out))
    source.run("DELETE FROM killed.keyed LIMIT 1")
    ferry.run(*dump_args(source, db, out)).must(1, "FERRY-DUMP-SOURCE-MOVED")
    ferry.run(*dump_args(source, db, out), "--restart").must(2, "--yes")
    ferry.run(*dump_args(source, db, out), "--restart", "--yes").must()
    no_row_in_two_files(out)
