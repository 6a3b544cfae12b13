"""A job whose processes are killed, or which is deleted, at work."""

import json
import os
import shutil
import signal
import time

import compare
import ferry
from case import soak
from job_test import shop
from jobs import Job, ini
from s3 import S3

SLOW = ("[dump]", "rate = 100KiB", "threads = 1", "chunk-size = 20KiB")


def live_state(job):
    """state.json as it is, without asking ferry: quick enough to meet a short stage."""
    try:
        with open(os.path.join(job.folder(), "state.json"), encoding="utf-8") as f:
            return json.load(f)
    except OSError:
        return None


def pid_of(job, stage):
    state = live_state(job) or {"stages": []}
    return next((s["pid"] for s in state["stages"] if s["stage"] == stage and s["state"] == "running"), None)


def loads(target):
    there = target.value("SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA='ferry_meta' AND TABLE_NAME='job'")
    return target.value("SELECT COUNT(*) FROM ferry_meta.job") if there else 0


def rows_of(job, stage):
    return (job.stage(stage) or {"rows": 0})["rows"]


@soak
def test_killed_in_check_and_verify(t):
    """kill -9 of the stage's process and of the runner, while it is checked and while it is compared."""
    source, target = shop(t, 3000)
    job = Job(t, "short", ini("short", source.url, target.url, "[verify]", "rate = 1000", "chunk-rows = 200", job="mode = full\nverify = yes\naccepted = all"))
    runner = job.start()
    job.wait(lambda: pid_of(job, "check"), "the check")
    os.kill(pid_of(job, "check") or runner.pid, signal.SIGKILL)
    job.wait(lambda: live_state(job)["stages"][0]["runs"] > 1 or runner.poll() is not None, "another check")
    runner.kill()
    runner.wait()
    runner = job.resume()
    job.wait_stage("verify", "running")
    job.kill_stage("verify")
    job.wait(lambda: job.stage("verify")["runs"] > 1, "another verify")
    job.wait_stage("verify", "running")
    runner.kill()
    runner.wait()
    runner = job.resume()
    job.wait_stage("verify", "running")
    began = time.monotonic()
    job.job("pause").must(0, "paused")
    t.say("paused within %.1f s" % (time.monotonic() - began))
    job.end(runner, 130)
    job.end(job.resume(), 0, "equal")
    compare.same_database(source, target, "shop")


@soak
def test_deleted_at_work(t):
    """While it is dumped and while it is loaded, with and without --purge: what stays is what is said."""
    source, target = shop(t, 3000)
    for number, (stage, purge) in enumerate((("dump", False), ("dump", True), ("load", False), ("load", True))):
        name = "gone%d" % number
        out = t.path("out%d" % number)
        before = loads(target)
        job = Job(t, name, ini(name, source.url, target.url, *SLOW, "output = " + out, "[load]", "rate = 50KiB", "threads = 1",
                               objects="filter = shop.*\nrename = shop.*=%s.*" % name))
        runner = job.start()
        job.wait(lambda: rows_of(job, stage) > 100, "rows of the " + stage)
        assert job.job("delete").status == 2
        job.job("delete", "--yes", *["--purge"] * purge).must()
        assert runner.wait() == 130, runner
        assert job.status() is None and not os.path.exists(job.folder())
        left = [f for _, _, files in os.walk(out) for f in files]
        assert bool(left) == (not purge), left
        assert not purge or not os.path.exists(os.path.join(out, "ferry.manifest"))
        assert target.value("SELECT COUNT(*) FROM ferry_meta.migrate_table") == 0
        assert stage == "dump" or (loads(target) > before) == (not purge), (number, before, loads(target))
        assert not purge or loads(target) == before, (number, before, loads(target))
        shutil.rmtree(out)


@soak
def test_option_file_and_s3(t):
    """Passwords from an option file alone, the dump in a bucket; started in the background, with a reboot between."""
    source, target = shop(t, 1500)
    s3 = S3(t)
    for server in (source, target):
        server.run("CREATE USER mover IDENTIFIED BY 'Se cret#1'", "GRANT ALL ON *.* TO mover")
    options = t.path("my.cnf")
    with open(options, "w", encoding="utf-8") as f:
        f.write("[source]\nuser=mover\npassword='Se cret#1'\n[target]\nuser=mover\npassword='Se cret#1'\n")
    os.chmod(options, 0o600)
    job = Job(t, "file", ini("file", source.url.replace("root@", ""), target.url.replace("root@", ""), *SLOW, "output = s3://bucket/job",
                             job="accepted = all\ndefaults-file = " + options), env=s3.env)
    job.migrate("--detach").must(0, "in the background")
    job.wait(lambda: rows_of(job, "dump") > 100, "rows")
    state = job.status()
    assert state["running"] and state["runner"]["pid"] == state["owner"]["pid"]
    for pid in [s["pid"] for s in state["stages"] if s["pid"]] + [state["owner"]["pid"]]:
        os.kill(pid, signal.SIGKILL)  # all at once, as when the power goes
    job.wait(lambda: not job.status()["running"], "the end of all")
    lock = os.path.join(job.folder(), "lock")
    with open(lock, encoding="utf-8") as f:
        owner = json.load(f)
    with open(lock, "w", encoding="utf-8") as f:  # another boot: the same number may be another process's
        json.dump(dict(owner, boot="another", pid=os.getpid()), f)
    answer = json.loads(job.job("resume", "--detach", "--json").must().out)
    assert answer["state"] == "running" and answer["running"], answer
    job.wait_stage("follow", "running", seconds=180)
    compare.same_database(source, target, "shop")
    job.job("pause").must(0, "paused")
    for folder, _, files in os.walk(job.folder()):
        for name in files:
            with open(os.path.join(folder, name), "rb") as f:
                assert b"Se cret" not in f.read(), name
    job.job("delete", "--purge", "--yes").must()
    left = [f for _, _, files in os.walk(s3.path("job")) for f in files]
    assert not left, left
