"""A job whose folder takes no more: read-only, or its disk is full."""

import os
import subprocess

import compare
import ferry
from faults_test import tmpfs
from job_away_test import followed
from job_test import shop
from jobs import Job, ini


def fill(folder):
    """To the last byte."""
    path = os.path.join(folder, "filler")
    with open(path, "ab", buffering=0) as f:
        for size in (4096, 1):
            try:
                while True:
                    f.write(b"x" * size)
            except OSError:
                pass
    return path


def remount(folder, how):
    subprocess.run(["mount", "-o", "remount," + how, folder], check=True)


def test_no_room_for_the_state(t):
    """What runs goes on, and says so; what is to begin does not; the last state of a run finds the room that is kept for it."""
    source, target = shop(t, 300)
    folder = tmpfs(t, 2)
    try:
        job = Job(t, "disk", ini("disk", source.url, target.url, "[dump]", "output = " + t.path("out")))
        job.root = job.env["FERRY_JOBS_DIR"] = os.path.join(folder, "jobs")
        os.mkdir(job.root)
        remount(folder, "ro")
        job.migrate("--progress", "none").must(1, "FERRY-STORE-DENIED")
        remount(folder, "rw")
        assert job.status() is None and not os.listdir(job.root), os.listdir(job.root)
        runner = job.start()
        job.wait_stage("follow", "running")
        followed(job, runner, source, target, "room")
        filler = fill(folder)
        before = job.status()["updated"]
        followed(job, runner, source, target, "full")
        assert runner.poll() is None
        os.remove(filler)
        job.wait(lambda: job.status()["updated"] > before, "state.json to be written again")
        fill(folder)
        target.run("DELETE FROM shop.big WHERE id=5")
        source.run("UPDATE shop.big SET n=99 WHERE id=5")
        run = job.end(runner, 3, ["FERRY-FOLLOW-DRIFT"])
        status = job.status()
        assert status["state"] == "needs-you" and job.stage("follow")["error"]["name"] == "FERRY-FOLLOW-DRIFT", (status, run)
        fill(folder)
        refused = job.job("resume").must(75, ["FERRY-DISK-FULL", "does not begin"])
        assert job.status()["state"] == "needs-you", (refused, job.status())
        target.run("INSERT INTO shop.big SELECT 5, v, 0 FROM shop.big WHERE id=6")
        os.remove(filler)
        runner = job.resume()
        followed(job, runner, source, target, "again")
        job.job("pause").must(0, "paused")
        job.end(runner, 130)
        compare.same_database(source, target, "shop")
        remount(folder, "ro")
        job.job("resume").must(1, ["FERRY-STORE-DENIED"])
        listed = ferry.run("job", "list", env=job.env).must()
        assert "disk" in listed.out.split() and job.status()["state"] == "paused", listed
        job.job("delete", "--yes").must(1, ["FERRY-STORE-DENIED"])
        assert job.status()["state"] == "paused" and target.value("SELECT COUNT(*) FROM ferry_meta.migrate_table") == 2
        remount(folder, "rw")
    finally:
        job.close()
        ferry.wait_until(lambda: subprocess.run(["umount", folder], check=False, capture_output=True).returncode == 0, 60, "umount")
