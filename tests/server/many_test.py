"""Several loaders, started with the same dump and target, share one load; some are killed, frozen, or stopped by a conflict."""

import json
import os
import signal
import time

import compare
import data
import ferry
from case import soak

ROWS = 12000
STEPS = "load.after-load:0.05"


def make_dump(t, kind="mariadb", chunk="64KiB"):
    source = t.server(kind)
    db = t.database(source, "many", options="CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
    data.fill_random(source, db, "keyed", ROWS, t.seed)
    data.fill_random(source, db, "keyless", ROWS // 2, t.seed + 1, keyed=False)
    source.run("CREATE VIEW many.v AS SELECT id FROM many.keyed",
               "CREATE TABLE many.parent (id int PRIMARY KEY)", "INSERT INTO many.parent VALUES (1),(2)",
               "CREATE TABLE many.child (id int PRIMARY KEY, p int, KEY p (p), CONSTRAINT c_p FOREIGN KEY (p) REFERENCES parent (id))",
               "INSERT INTO many.child VALUES (1,1),(2,2),(3,1)")
    out = t.path("dump")
    ferry.run("dump", "--source", source.url, "--output", out, "-f", db + ".*", "--chunk-size", chunk, "-t", "4").must()
    return source, db, out


class Loader:
    """One `ferry load`, in a working folder of its own."""

    def __init__(self, t, number, target, out, *more, env=None, lease="2s"):
        folder = t.path("machine-%d" % number)
        os.makedirs(folder, exist_ok=True)
        self.args = ["load", "--target", target.url, "--input", out, "-t", "3", "--batch-rows", "200", "--lease", lease] + list(more)
        self.process = ferry.start(self.args, env or {"FERRY_FAULT_PAUSE": STEPS}, ferry.fault_binary(), cwd=folder)
        t.on_close(self.close)

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, timeout=120):
        try:
            out, err = self.process.communicate(timeout=timeout)
        except Exception:
            self.close()
            raise
        return ferry.Run(self.args, self.process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def meta(target, what, more="1=1"):
    """Rows of the load's state, none while it is not there."""
    try:
        return target.run("SELECT %s FROM ferry_meta.%s" % (what, more))
    except Exception:
        return ()


def first(target, what, more="1=1"):
    """Of the first row's; 0 while there is none."""
    got = meta(target, what, more)
    return got[0][0] or 0 if got else 0


def joined(target, loader):
    """Waits for it: it has its place among the loaders."""
    ferry.wait_until(lambda: first(target, "COUNT(*)", "loader WHERE owner LIKE '%% pid %d'" % loader.process.pid), 60, "a loader to join")
    return loader


def slow(seconds):
    """So long a batch takes at least: nobody has loaded it all before the others are there."""
    return {"FERRY_FAULT_PAUSE": "load.after-load:%s" % seconds}


def rows_done(target):
    got = meta(target, "SUM(rows_done)", "chunk")
    return int(got[0][0] or 0) if got else 0


def exact(t, source, target, db):
    """By value, keyless tables too; each chunk done, with the rows that it has; no table of the state says otherwise."""
    rows = compare.same_database(source, target, db)
    undone, total = target.run("SELECT SUM(state=0), SUM(rows_done) FROM ferry_meta.chunk")[0]
    assert (int(undone), int(total)) == (0, rows), (undone, total, rows)
    assert [r[0] for r in target.run("SELECT state FROM ferry_meta.job")] == ["done"]
    assert target.value("SELECT COUNT(*) FROM information_schema.views WHERE table_schema='%s'" % db) == 1
    assert target.value("SELECT COUNT(*) FROM information_schema.table_constraints WHERE constraint_type='FOREIGN KEY' AND "
                        "table_schema='%s'" % db) == 1
    return rows


def test_three_share_a_load(t):
    source, db, out = make_dump(t, chunk="16KiB")
    for kind in ("tidb", "mariadb"):
        target = t.own_server(kind)
        loaders = [joined(target, Loader(t, i, target, out, env=slow(1))) for i in range(2)] + [Loader(t, 2, target, out)]
        ends = [x.wait().must() for x in loaders]
        rows = exact(t, source, target, db)
        own = [int(e.out.split("written by this run: ")[1].split(",")[0]) for e in ends]
        assert sum(own) == rows and all(own), (own, rows)
        for e in ends:
            assert "rows in the target: %d," % rows in e.out and e.out.count("\nloader ") == 3, e
        assert sum("joined" in e.err for e in ends) >= 2, [e.err for e in ends]
        ferry.run("load", "--target", target.url, "--input", out).must(0, "nothing to do")


def killed_and_frozen(t, kind):
    """Two are killed; one is frozen beyond its lease, and comes back after its chunks were taken over."""
    source, db, out = make_dump(t)
    target = t.own_server(kind)
    loaders = [Loader(t, i, target, out, env=slow(0.1)) for i in range(3)]
    ferry.wait_until(lambda: rows_done(target) > 1000, 60, "rows")
    frozen = loaders[2]
    mine = "chunk WHERE state=0 AND owner LIKE '%% pid %d'" % frozen.process.pid
    frozen.signal(signal.SIGSTOP)
    held = [r[0] for r in meta(target, "chunk", mine)]
    for _ in range(100):
        if held or kind == "tidb" or frozen.process.poll() is not None:
            break
        frozen.signal(signal.SIGCONT)  # it was between two chunks
        time.sleep(0.02)
        frozen.signal(signal.SIGSTOP)
        held = [r[0] for r in meta(target, "chunk", mine)]
    pid = " pid %d" % frozen.process.pid
    if kind != "tidb":
        loaders[0].signal(signal.SIGKILL)
        loaders[0].wait()
        assert held, "the frozen one held no chunk"
    ferry.wait_until(lambda: any(r[0] == "lost" for r in meta(target, "state", "loader WHERE owner LIKE '%%%s'" % pid)), 30, "the burial")
    if held:
        # A COMMIT that was on its way when it was frozen may have made a chunk done: that one stays its own.
        mine = "chunk WHERE state=0 AND owner LIKE '%%%s' AND chunk IN (%s)" % (pid, ",".join(str(c) for c in held))
        ferry.wait_until(lambda: meta(target, "COUNT(*)", mine)[0][0] == 0, 40, "its chunks to be taken over")
    if kind != "tidb":
        loaders[1].signal(signal.SIGKILL)
        loaders[1].wait()
    frozen.signal(signal.SIGCONT)
    end = frozen.wait().must()
    assert "taken for dead" in end.err, end
    if kind == "tidb":
        for x in loaders[:2]:
            x.wait().must()
    exact(t, source, target, db)


def test_killed_and_frozen_mariadb(t):
    killed_and_frozen(t, "mariadb")


def test_killed_and_frozen_mysql(t):
    killed_and_frozen(t, "mysql")


def test_frozen_tidb(t):
    killed_and_frozen(t, "tidb")


def test_leader_killed_or_frozen_in_a_stage(t):
    """Whoever leads dies, or stops for longer than its lease, while it makes the definitions or takes the closing steps."""
    source, db, out = make_dump(t)
    for kind, step, both in (("mariadb", "load.schema.after-note", False), ("mariadb", "load.schema.after-create", True),
                             ("mariadb", "load.closing", True), ("mariadb", "load.before-done", False), ("tidb", "load.closing", False)):
        for frozen in (False, True) if both else (True,):
            target = t.server(kind)
            t.gone_after(target, db)
            leader = Loader(t, 0, target, out, env={"FERRY_FAULT_PAUSE": step + ":3"} if frozen else {"FERRY_FAULT": step})
            ferry.wait_until(lambda: first(target, "token", "job"), 60, "a leader")
            if frozen:
                wanted = 3 if "schema" not in step else 1
                ferry.wait_until(lambda: first(target, "stage", "loader") >= wanted, 60, "the stage")
                time.sleep(0.3)
                leader.signal(signal.SIGSTOP)
            others = [Loader(t, i, target, out) for i in (1, 2)]
            for x in others:
                x.wait().must()
            if frozen:
                leader.signal(signal.SIGCONT)
                leader.wait().must()
            else:
                assert leader.wait().status == -signal.SIGKILL
            exact(t, source, target, db)


def test_late_truncate_of_a_frozen_leader(t):
    """A leader stopped just before it empties the tables does not empty them when it comes back."""
    source, db, out = make_dump(t)
    for kind in ("mariadb", "tidb"):
        target = t.server(kind)
        t.gone_after(target, db)
        ferry.run("load", "--target", target.url, "--input", out, "--no-data").must()
        target.run("DROP DATABASE ferry_meta")
        more = ("--if-table-exists", "truncate", "--yes")
        leader = Loader(t, 0, target, out, *more, env={"FERRY_FAULT_PAUSE": "load.schema.after-note:3"})
        ferry.wait_until(lambda: first(target, "COUNT(*)", "tbl"), 60, "the note")
        leader.signal(signal.SIGSTOP)
        Loader(t, 1, target, out, *more).wait().must()
        leader.signal(signal.SIGCONT)
        leader.wait().must()
        exact(t, source, target, db)


def test_conflict_stops_all(t):
    source, db, out = make_dump(t)
    target = t.own_server("mariadb")
    ferry.run("load", "--target", target.url, "--input", out, "--no-data").must()
    target.run("DROP DATABASE ferry_meta")
    row = source.run("SELECT * FROM many.keyed ORDER BY id DESC LIMIT 1")[0]
    target.run("INSERT INTO many.keyed (id) VALUES (%d)" % row[0])
    for _ in range(5):  # each may have found the conflict before the others were there
        ends = [x.wait() for x in [Loader(t, i, target, out) for i in range(3)]]
        assert [e.status for e in ends] == [3, 3, 3], [str(e) for e in ends]
        if any("stopped this load for all" in e.err for e in ends):
            break
    else:
        raise AssertionError([e.err for e in ends])
    ends = [x.wait().must(0) for x in [Loader(t, i, target, out, "--on-conflict", "replace") for i in range(3)]]
    compare.same_database(source, target, db)


def test_who_must_not_share(t):
    """Options that shape the load are the same for all; who follows an unfinished dump, or checks, is alone."""
    source, db, out = make_dump(t)
    target = t.own_server("mariadb")
    leader = Loader(t, 0, target, out, env=slow(2))
    ferry.wait_until(lambda: rows_done(target) > 0, 60, "rows")
    for more, words in ((("--on-conflict", "ignore"), "--on-conflict"), (("-f", "many.keyed"), "--filter"), (("--analyze",), "--analyze"),
                        (("--no-resume",), "begun before")):
        Loader(t, 1, target, out, *more).wait().must(1, words)
    said = ferry.run("status", target.url).must().out
    assert "pid %d" % leader.process.pid in said and "rows" in said, said
    found = json.loads(ferry.run("status", target.url, "--json").must().out)
    assert found["loads"][0]["loaders"][0]["owner"].endswith("pid %d" % leader.process.pid), found
    leader.signal(signal.SIGTERM)
    leader.wait().must(130)
    Loader(t, 1, target, out, "--on-conflict", "ignore").wait().must()
    exact(t, source, target, db)


def test_restart_does_not_wait_for_the_dead(t):
    """The lease of a process that is provably gone from this host is not waited for."""
    source, db, out = make_dump(t)
    target = t.own_server("mariadb")
    leader = Loader(t, 0, target, out, lease="10m")
    ferry.wait_until(lambda: rows_done(target) > 500, 60, "rows")
    leader.signal(signal.SIGKILL)
    leader.wait()
    ferry.run("load", "--target", target.url, "--input", out, "--lease", "10m", timeout=120).must()
    exact(t, source, target, db)


@soak
def test_killed_at_random(t):
    source, db, out = make_dump(t, chunk="16KiB")
    for kind in ("mariadb", "mysql"):
        target = t.own_server(kind)
        for _ in range(6):
            t.gone_after(target, db)
            loaders = [Loader(t, i, target, out, lease="1s") for i in range(4)]
            for x in loaders[:3]:
                time.sleep(t.random.uniform(0, 1))
                x.signal(signal.SIGSTOP if t.random.random() < 0.5 else signal.SIGKILL)
            time.sleep(t.random.uniform(0, 3))
            for x in loaders[:3]:
                x.signal(signal.SIGCONT)
            for x in loaders:
                assert x.wait().status in (0, -signal.SIGKILL)
            exact(t, source, target, db)
