"""One migration over several machines: each has a network, processes, a name and a working folder of its own; they share object
storage and the target."""

import os
import signal
import time

import compare
import data
import ferry
from machines import Forward, Machine
from s3 import S3, env_of

ROWS = 12000
LOCK_LIVES = 70  # seconds, more than a dump's lock is good for without a sign of life


def manifest(s3, prefix):
    return ferry.manifest(s3.path(prefix))


def chunks(records):
    """Those that count, by path."""
    found = {}
    for r in records:
        if r["record"] == "void":
            found = {path: c for path, c in found.items() if c["table"] != r["table"]}
        elif r["record"] == "chunk" and r.get("rows"):
            found[r["path"]] = r
    return found


def held(target, owner):
    """Chunks that a loader has taken and not done."""
    try:
        return [r[0] for r in target.run("SELECT chunk FROM ferry_meta.chunk WHERE state=0 AND owner=%r" % owner)]
    except Exception:
        return []


def freeze(target, program, owner):
    """Stops it with a chunk in its hands: a COMMIT under way may make one done while it stops."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        ferry.wait_until(lambda: held(target, owner), 60, "a chunk of " + owner)
        program.signal(signal.SIGSTOP)
        time.sleep(0.2)
        if held(target, owner):
            return
        program.signal(signal.SIGCONT)
    raise AssertionError("%s was never stopped with a chunk in its hands" % owner)


def owner_of(target, who):
    """As the target has it; None: it has not joined."""
    try:
        got = target.run("SELECT owner FROM ferry_meta.loader WHERE owner LIKE %r" % who)
    except Exception:
        return None
    return got[0][0] if got else None


def test_dump_and_load_over_machines(t):
    """A dump is killed on one machine and continued on another through S3; of three loaders one is killed, and one is taken for dead
    and comes back. Both sides are equal by value, and each chunk was applied once."""
    source, s3, target = t.server("mariadb"), S3(t), t.own_server("mariadb")
    db = t.database(source, "scene", options="CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
    data.fill_random(source, db, "keyed", ROWS, t.seed)
    data.fill_random(source, db, "keyless", ROWS // 3, t.seed + 1, keyed=False)
    machines = [Machine(t, "machine-" + letter) for letter in "abcde"]
    apart = all(m.apart for m in machines)
    t.say("machines with networks and processes of their own" if apart else "no namespaces here: working folders alone are apart")
    forward = {server: Forward(t, server.port).port if apart else server.port for server in (source, s3, target)}

    def url(machine, server):
        return "mysql://root@%s:%d/" % (machine.host, forward[server])

    def env(machine, **more):
        return dict(env_of("http://%s:%d" % (machine.host, forward[s3])), **more)

    def dump(machine, **more):
        return machine.start(t, "dump", "--source", url(machine, source), "--output", "s3://bucket/scene", "-f", db + ".*", "--chunk-size",
                             "32KiB", "-t", "2", env=env(machine, **more)).wait()

    a, b = machines[:2]
    died = dump(a, FERRY_FAULT="dump.chunk.after-record:20", FERRY_FAULT_PAUSE="dump.chunk.after-record:0.2")
    assert died.status == -signal.SIGKILL, died
    before = chunks(manifest(s3, "scene"))
    assert before, "nothing was on record"
    if apart:
        dump(b).must(1, ["FERRY-LOCKED", "machine-a"])
    lock = s3.path("scene", "ferry.lock")
    os.utime(lock, (time.time() - LOCK_LIVES, time.time() - LOCK_LIVES))  # the store's clock alone decides
    dump(b).must()
    after = chunks(manifest(s3, "scene"))
    keyed = [path for path in before if ".keyed." in path]
    assert keyed and all(after[path] == before[path] for path in keyed), "what was on record was read again"
    assert {r["epoch"] for r in after.values()} == {1, 2}

    def load(machine, pause):
        """One that has joined; the first ones are slow, so that all three are at it together."""
        loader = machine.start(t, "load", "--target", url(machine, target), "--input", "s3://bucket/scene", "-t", "3", "--batch-rows", "100",
                               "--lease", "2s", env=env(machine, FERRY_FAULT_PAUSE="load.after-load:" + pause))
        who = ("%s pid %%" % machine.name) if apart else "%s pid %d" % (os.uname().nodename, loader.process.pid)
        ferry.wait_until(lambda: owner_of(target, who), 60, "a loader on " + machine.name)
        return loader, owner_of(target, who)

    (frozen, owner), (killed, _), (survivor, _) = load(machines[2], "0.5"), load(machines[3], "0.3"), load(machines[4], "0.05")
    freeze(target, frozen, owner)
    killed.signal(signal.SIGKILL)
    assert killed.wait().status == -signal.SIGKILL
    ferry.wait_until(lambda: target.value("SELECT COUNT(*) FROM ferry_meta.loader WHERE state='lost' AND owner='%s'" % owner), 60, "the burial")
    ferry.wait_until(lambda: not held(target, owner), 60, "its chunks to be taken over")
    frozen.signal(signal.SIGCONT)
    frozen.wait().must()
    survivor.wait().must()
    rows = compare.same_database(source, target, db)
    counts = sorted(int(r[0]) for r in target.run("SELECT rows_done FROM ferry_meta.chunk WHERE state=1"))
    assert counts == sorted(r["rows"] for r in after.values()) and sum(counts) == rows, "a chunk was not applied once"
    for m in machines:
        assert os.listdir(m.folder) == [], "files were left in a working folder"
