"""A job whose servers go away while it follows, and come back: nobody says `ferry job resume`."""

import compare
from case import soak
from follow_faults_test import DURABLE
from job_test import shop_in
from jobs import Job, ini

IMPATIENT = ("[follow]", "reconnect-timeout = 200ms")  # each process gives up at once: what is tried again is the stage


def following(t, source, target, name, *more):
    job = Job(t, name, ini(name, source.url, target.url, *IMPATIENT, *more))
    runner = job.start()
    job.wait_stage("follow", "running", seconds=180)
    return job, runner


def followed(job, runner, source, target, word):
    source.run("UPDATE shop.big SET v='%s' WHERE id<=20" % word)
    there = "SELECT COUNT(*) FROM shop.big WHERE v='%s'" % word
    job.wait(lambda: runner.poll() is not None or target.value(there) == 20, "changes to arrive: " + word, 300)
    assert runner.poll() is None, job.end(runner)


def away(t, source, target, gone, tries):
    """The one that is gone is back when the stage has failed so often."""
    shop_in(source, 300)
    job, runner = following(t, source, target, "away")
    followed(job, runner, source, target, "before")
    gone.stop()
    if gone is not source:
        source.run("UPDATE shop.big SET v='while' WHERE id<=30")  # who has nothing to write does not notice
    job.wait(lambda: runner.poll() is not None or (job.stage("follow")["tries"] >= tries and job.stage_is("follow", "retrying")), "tries", 300)
    assert runner.poll() is None, job.end(runner)
    stage = job.stage("follow")
    assert stage["error"]["name"] in ("FERRY-CONNECT", "FERRY-SERVER-LOST"), stage
    assert stage["tries_max"] is None and (stage["again"] or stage["state"] == "running"), stage
    job.wait(lambda: "follow    retrying" in job.job("status").out, "the pause before a try")
    gone.start()
    followed(job, runner, source, target, "after")
    job.wait(lambda: job.stage("follow")["tries"] == 0 and not job.stage("follow")["error"], "tries to be forgotten")
    return job, runner


def paused(job, runner):
    job.job("pause").must(0, "paused")
    job.end(runner, 130)
    assert job.stage_is("follow", "stopped"), job.status()


def test_target_away(t):
    """What cannot heal stops at once, though the source is at rest."""
    source, target = t.own_server("mariadb"), t.own_server("mariadb", "--server-id=71", *DURABLE)
    job, runner = away(t, source, target, target, 2)
    compare.same_database(source, target, "shop")
    target.run("DELETE FROM shop.big WHERE id=5")
    source.run("UPDATE shop.big SET n=99 WHERE id=5")
    run = job.end(runner, 3, ["FERRY-FOLLOW-DRIFT"])
    stage = job.stage("follow")
    assert stage["state"] == "needs-you" and stage["tries"] == 0 and stage["again"] is None, (stage, run)


@soak
def test_resumed_while_away(t):
    """The check waits, too: before the follower is started again, and in the background."""
    source, target = t.own_server("mariadb"), t.own_server("mariadb", "--server-id=71", *DURABLE)
    job, runner = away(t, source, target, target, 4)
    paused(job, runner)
    target.stop()
    runner = job.start("job", "resume", job.name, "--progress", "none")
    job.wait(lambda: runner.poll() is not None or job.stage_is("check", "retrying"), "the check to be tried again")
    assert runner.poll() is None, job.end(runner)
    assert job.stage("check")["error"]["name"] == "FERRY-CONNECT", job.stage("check")
    target.start()
    followed(job, runner, source, target, "resumed")
    paused(job, runner)
    compare.same_database(source, target, "shop")


def test_retries_said(t):
    """A number of tries in the job's file holds for the follower, too; then the job needs its user, and resumes."""
    source, target = t.own_server("mariadb", *DURABLE), t.own_server("mariadb", "--server-id=71", *DURABLE)
    shop_in(source, 300)
    job = Job(t, "said", ini("said", source.url, target.url, *IMPATIENT, job="accepted = all\nretries = 2"))
    runner = job.start()
    job.wait_stage("follow", "running", seconds=180)
    followed(job, runner, source, target, "before")
    source.stop()
    run = job.end(runner, 75)
    stage = job.stage("follow")
    assert stage["state"] == "needs-you" and stage["tries"] == 3 and job.status()["state"] == "needs-you", (stage, run)
    source.start()
    runner = job.resume()
    followed(job, runner, source, target, "after")
    paused(job, runner)


@soak
def test_source_away(t):
    source, target = t.own_server("mariadb", *DURABLE), t.own_server("mariadb", "--server-id=71")
    job, runner = away(t, source, target, source, 4)
    paused(job, runner)
    compare.same_database(source, target, "shop")


@soak
def test_tidb_away(t):
    source, target = t.own_server("mariadb"), t.own_server("tidb", "persist")
    job, runner = away(t, source, target, target, 6)
    paused(job, runner)
    compare.same_database(source, target, "shop")
